"""Start nginx and the sink on free loopback ports, pinned to the server's core."""

import contextlib
import gzip
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from benchmarks.cores import pinned
from benchmarks.scenarios import (
    BIG_SIZE,
    COOKIES,
    DEFAULT_HEADERS,
    EXTRA_HEADERS,
    SMALL,
    Scenario,
)

ROOT = Path(__file__).resolve().parent.parent

NGINX_CONFIG = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
worker_rlimit_nofile 16384;
{user}
events {{
    worker_connections 12000;
    multi_accept on;
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    http2_max_concurrent_streams 1000;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{ }}
    default_type application/json;
    server {{
        listen 127.0.0.1:{http_port} backlog=4096;
        listen 127.0.0.1:{tls_port} ssl backlog=4096;
        listen 127.0.0.1:{h2_port} ssl http2 backlog=4096;
        listen unix:{folder}/http.sock backlog=4096;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        location = /small {{ return 200 '{small}'; }}
        location = /close {{ keepalive_timeout 0; return 200 '{small}'; }}
        location = /post {{ return 200 '{small}'; }}
        # They answer those only who sent what the scenario is about.
        location = /cookies {{ if ($cookie_{cookie} = '') {{ return 400; }} return 200 '{small}'; }}
        location = /defaults {{ if ($http_{field} = '') {{ return 400; }} return 200 '{small}'; }}
        location = /headers {{
{headers}
            return 200 '{small}';
        }}
        location = /gzip.json {{ root {folder}; gzip_static always; }}
        location = /big {{
            root {folder};
            default_type application/octet-stream;
            http2_chunk_size 64k;
        }}
        location = /big-8k {{
            alias {folder}/big;
            default_type application/octet-stream;
            http2_chunk_size 8k;
        }}
        location = /upload {{
            proxy_pass http://127.0.0.1:{sink_port};
            proxy_http_version 1.1;
            proxy_request_buffering off;
        }}
        # The buffer is the window over HTTP/2, which is 64 KiB otherwise.
        location = /upload-wide {{
            proxy_pass http://127.0.0.1:{sink_port}/upload;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            client_body_buffer_size 1m;
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the running servers listen, and the files around them."""

    folder: Path
    http_port: int
    tls_port: int
    h2_port: int
    sink_port: int

    @property
    def ca_file(self) -> Path:
        """The certificate authority to trust, in PEM."""
        return self.folder / "ca.pem"

    @property
    def unix_path(self) -> Path:
        """The unix socket of nginx."""
        return self.folder / "http.sock"

    @property
    def big_file(self) -> Path:
        """The file of `BIG_SIZE` bytes, served at ``/big`` and uploaded."""
        return self.folder / "big"

    def base_url(self, scenario: Scenario) -> str:
        """Return scheme, host and port of the listener a scenario goes to."""
        return {
            "http": f"http://127.0.0.1:{self.http_port}",
            "tls": f"https://127.0.0.1:{self.tls_port}",
            "h2": f"https://127.0.0.1:{self.h2_port}",
            "unix": "http://localhost",
            "sink": f"http://127.0.0.1:{self.sink_port}",
        }[scenario.server]


def find_nginx() -> str:
    """Return the path of nginx.

    Raises:
        SystemExit: it is not installed; the text says how to install it.
    """
    # Debian installs it where an ordinary user's PATH does not look.
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise SystemExit(
            "The benchmarks need nginx as their server; on Debian or Ubuntu: apt-get install nginx"
        )
    return found


@contextlib.contextmanager
def run_server(core: int | None) -> Iterator[Server]:
    """Run both servers for the time of the block, then stop them and remove their files."""
    nginx = find_nginx()
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=_memory_folder()) as name,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(name)
        server = Server(folder, *free_ports(4))
        _write_files(server)
        for command in (
            [nginx, "-p", name, "-e", f"{name}/error.log", "-c", f"{name}/nginx.conf"],
            [sys.executable, "-m", "benchmarks.sink", str(server.sink_port)],
        ):
            with pinned(core):
                process = subprocess.Popen(command, cwd=ROOT)
            stack.callback(stop, process)
        for port in (server.http_port, server.tls_port, server.h2_port, server.sink_port):
            wait_for_port(port, folder / "error.log")
        yield server


def _memory_folder() -> str | None:
    """Return a folder in memory, so that no disk is measured; None: there is none with room."""
    folder = "/dev/shm"
    usable = os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 8 * BIG_SIZE
    return folder if usable else None


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_for_port(port: int, error_log: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                log = error_log.read_text() if error_log.exists() else ""
                raise SystemExit(f"no server on port {port} after 10 s\n{log}") from None
            time.sleep(0.02)


def _write_files(server: Server) -> None:
    folder = server.folder
    authority = trustme.CA()
    authority.cert_pem.write_to_path(server.ca_file)
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    (folder / "server.pem").write_bytes(
        b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    )
    numbers = random.Random(2)
    records = [
        {"id": n, "name": f"user {n}", "score": numbers.random(), "active": n % 3 == 0}
        for n in range(145)
    ]
    (folder / "gzip.json.gz").write_bytes(gzip.compress(json.dumps(records).encode(), mtime=0))
    block = numbers.randbytes(1_000_000)
    with server.big_file.open("wb") as file:
        for _ in range(BIG_SIZE // len(block)):
            file.write(block)
    headers = "\n".join(
        f"            add_header X-Header-{n} 'value {n} of a response header';"
        for n in range(EXTRA_HEADERS)
    )
    (folder / "nginx.conf").write_text(
        NGINX_CONFIG.format(
            folder=folder,
            # The folder is readable by its owner only: a worker of another user could not serve it.
            user="user root;" if os.geteuid() == 0 else "",
            http_port=server.http_port,
            tls_port=server.tls_port,
            h2_port=server.h2_port,
            sink_port=server.sink_port,
            small=SMALL.decode(),
            cookie=list(COOKIES)[-1],
            field=list(DEFAULT_HEADERS)[-1].lower().replace("-", "_"),
            headers=headers,
        )
    )
