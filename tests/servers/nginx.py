"""nginx as a process of its own, on free ports, with its files in a folder of the test run.

Locations (all on `port`, `tls_port`, `http2_port` and `unix_path`):

- `/json`: a small JSON document; `/headers`: the same with 22 header fields
- `/connection`: which connection this is, and the number of the request on it: `17 3`
- `/gzip`: JSON compressed on the fly, chunked; `/gzip-static`: compressed before, of known length
- `/file/1k`, `/file/1m`, `/file/20m`: with ETag, Last-Modified and ranges
- `/chunked`: 64 KiB of unknown length
- `/redirect`: 302 to `/json`; `/status/204`, `/status/500` and the other codes of `STATUSES`
- `/close`: answers and closes the connection
- `/target/<any>`: answers with the request's target
- `/upload`: reads the whole body, then answers with its length
- `/dav/<name>`: PUT keeps the body, GET returns it, DELETE removes it
- `/limited/429`: answers 50 requests a second, and the others with that status; `/limited/503`: one in a second, and
  says `Retry-After: 1`
- `/auth`: asks for basic auth, user `user`, password `pass`
"""

import gzip
import json
import random
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .certificates import Certificates, Forge
from .require import require

JSON = b'{"hello": "world", "number": 42}'
RECORDS = json.dumps([{"id": n, "name": f"record {n}"} for n in range(200)]).encode()
SIZES = {"1k": 2**10, "1m": 2**20, "20m": 20 * 2**20}
STATUSES = (200, 201, 204, 304, 400, 401, 403, 404, 410, 429, 500, 502, 503)

# nginx adds Server, Date, Content-Type, Content-Length and Connection to these: 22 in all.
EXTRA_HEADERS = 17

LOCATIONS = """
        root {root};
        default_type application/octet-stream;
        location = /json {{ default_type application/json; return 200 '{json}'; }}
        location = /headers {{
            default_type application/json;
            {headers}
            return 200 '{json}';
        }}
        location = /connection {{
            default_type text/plain;
            return 200 '$connection $connection_requests';
        }}
        location = /gzip {{
            default_type application/json;
            gzip on; gzip_min_length 0; gzip_types application/json;
            try_files /records.json =404;
        }}
        location = /gzip-static {{
            default_type application/json;
            gzip_static always;
        }}
        location /file/ {{ }}
        location /cached/ {{ alias {root}/file/; expires 60; }}
        location /kept/ {{ alias {root}/file/; add_header Cache-Control no-cache; }}
        location = /chunked {{
            default_type text/plain;
            ssi on; ssi_types text/plain;
        }}
        location = /redirect {{ return 302 /json; }}
        {statuses}
        location = /close {{ keepalive_timeout 0; return 200 'closing'; }}
        location /target/ {{ return 200 $request_uri; }}
        location = /upload {{
            proxy_pass http://unix:{inner};
            proxy_set_header Connection '';
            proxy_http_version 1.1;
        }}
        location /dav/ {{
            dav_methods PUT DELETE;
            create_full_put_path on;
        }}
        location = /limited/429 {{
            limit_req zone=fast; limit_req_status 429;
            try_files /records.json =404;
        }}
        location = /limited/503 {{
            limit_req zone=slow;
            add_header Retry-After 1 always;
            try_files /records.json =404;
        }}
        location = /auth {{
            auth_basic 'test';
            auth_basic_user_file {prefix}/htpasswd;
            try_files /records.json =404;
        }}
"""

CONFIG = """
daemon off;
master_process off;
pid {prefix}/nginx.pid;
error_log {prefix}/error.log notice;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    client_max_body_size 0;
    keepalive_requests 100000;
    limit_req_zone $uri zone=fast:64k rate=50r/s;
    limit_req_zone $uri zone=slow:64k rate=1r/s;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls_port} ssl;
        listen 127.0.0.1:{http2_port} ssl http2;
        listen unix:{unix};
        ssl_certificate {cert};
        ssl_certificate_key {key};
        {locations}
    }}
    {tls_hosts}
    server {{
        listen 127.0.0.1:{impatient_port};
        keepalive_timeout 20ms;
        {locations}
    }}
    server {{
        listen 127.0.0.1:{brief_port};
        keepalive_requests 2;
        {locations}
    }}
    server {{
        listen unix:{inner};
        default_type text/plain;
        location / {{ return 200 '$http_content_length'; }}
    }}
}}
"""


TLS_HOST = """
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {name};
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        {more}
        location / {{ return 200 '$ssl_server_name $ssl_client_verify'; }}
    }}
"""

# Hosts on `hosts_port`, each with a certificate of its own: what is asked for by SNI decides.
TLS_HOSTS: dict[str, dict[str, Any]] = {
    "good.test": {},
    "xn--strae-oqa.test": {},
    "wrong.test": {"names": ["other.test"]},
    "expired.test": {"days": (-3, -1)},
    "self-signed.test": {"self_signed": True},
    "client.test": {},
    "strasse.test": {},
}


class Nginx:
    """Runs nginx during `with`.

    Attributes:
        port: Plain HTTP. `url(path)` makes a URL of it.
        tls_port: HTTPS, with the certificate of `Certificates`.
        http2_port: The same, with HTTP/2 for those that offer it.
        unix_path: A unix socket.
        hosts_port: HTTPS, the hosts of `TLS_HOSTS`; `/` answers with the name asked for by SNI, and with what nginx
            says of the client's certificate. client.test wants one; a name it does not know gets none.
        impatient_port: Closes idle connections after 20 ms.
        brief_port: Closes each connection after 2 requests.
        folder: What is served; `error.log` is in its parent.
    """

    def __init__(self, prefix: Path, certificates: Certificates) -> None:
        self._command = require("nginx", "nginx")
        self._prefix = prefix
        self._certificates = certificates
        self._process: subprocess.Popen[bytes] | None = None
        self.http2_port = 0
        self.port = self.tls_port = self.impatient_port = self.brief_port = self.hosts_port = 0
        self.unix_path = prefix / "nginx.sock"
        self.folder = prefix / "root"

    def url(self, path: str) -> str:
        """Return the plain HTTP URL of the path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def tls_url(self, path: str) -> str:
        """Return the HTTPS URL of the path."""
        return f"https://localhost:{self.tls_port}{path}"

    def file(self, size: str) -> bytes:
        """Return the content of `/file/<size>`."""
        return (self.folder / "file" / size).read_bytes()

    def __enter__(self) -> Self:
        self._write_files()
        self._start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _write_files(self) -> None:
        (self.folder / "file").mkdir(parents=True)
        (self.folder / "dav").mkdir()
        generator = random.Random(1)
        for name, size in SIZES.items():
            (self.folder / "file" / name).write_bytes(generator.randbytes(size))
        (self.folder / "records.json").write_bytes(RECORDS)
        (self.folder / "gzip-static.gz").write_bytes(gzip.compress(RECORDS))
        (self.folder / "chunked").write_bytes(b"0123456789abcdef" * 4096)
        (self._prefix / "htpasswd").write_text("user:{PLAIN}pass\n")

    def _start(self) -> None:
        # Another process may take a port between our letting go of it and nginx's taking it.
        for _ in range(5):
            config = self._prefix / "nginx.conf"
            config.write_text(self._config())
            log = self._prefix / "error.log"
            self._process = subprocess.Popen(
                [self._command, "-p", self._prefix, "-e", log, "-c", config],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            if self._wait_ready():
                return
            if "Address already in use" not in log.read_text():
                break
        raise RuntimeError(f"nginx did not start:\n{log.read_text()}")

    def _wait_ready(self) -> bool:
        """Return True when nginx accepts connections, False when it ended."""
        assert self._process is not None
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.brief_port)) == 0:
                    return True
            try:
                self._process.wait(timeout=0.01)
            except subprocess.TimeoutExpired:
                continue
            return False

    def _config(self) -> str:
        ports = _free_ports(6)
        self.port, self.tls_port, self.impatient_port, self.brief_port, self.hosts_port = ports[:5]
        self.http2_port = ports[5]
        inner = self._prefix / "inner.sock"
        for path in (inner, self.unix_path):
            path.unlink(missing_ok=True)
        statuses = "\n".join(f"location = /status/{code} {{ return {code}; }}" for code in STATUSES)
        headers = "\n".join(
            f"add_header X-Field-{n} 'the value of field {n}';" for n in range(EXTRA_HEADERS)
        )
        locations = LOCATIONS.format(
            root=self.folder,
            prefix=self._prefix,
            inner=inner,
            json=JSON.decode(),
            headers=headers,
            statuses=statuses,
        )
        return CONFIG.format(
            prefix=self._prefix,
            port=self.port,
            tls_port=self.tls_port,
            http2_port=self.http2_port,
            tls_hosts=self._tls_hosts(),
            impatient_port=self.impatient_port,
            brief_port=self.brief_port,
            unix=self.unix_path,
            inner=inner,
            cert=self._certificates.cert_file,
            key=self._certificates.key_file,
            locations=locations,
        )

    def _tls_hosts(self) -> str:
        forge = Forge(self._certificates)
        blocks = [
            # Without a name, or with one that is not known, the handshake ends.
            f"server {{ listen 127.0.0.1:{self.hosts_port} ssl default_server; ssl_reject_handshake on; }}"
        ]
        for name, flaws in TLS_HOSTS.items():
            pem = self._prefix / f"{name}.pem"
            settings = dict(flaws)
            pem.write_bytes(forge.pem(*settings.pop("names", [name]), **settings))
            more = ""
            if name == "client.test":
                more = f"ssl_verify_client on; ssl_client_certificate {self._certificates.ca_file};"
            blocks.append(TLS_HOST.format(port=self.hosts_port, name=name, pem=pem, more=more))
        return "\n".join(blocks)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()
