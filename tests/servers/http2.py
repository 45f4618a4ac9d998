"""Real servers of HTTP/2 over TLS: nghttpd, Apache, h2o and HAProxy; nginx has a module of its own.

Each serves `/small` and `/large`, with the certificate of `Certificates`.
"""

import random
import shutil
from collections.abc import Mapping
from pathlib import Path

from .certificates import Certificates
from .daemon import Daemon
from .proxies import Arguments

SMALL = b"small"
LARGE = random.Random(2).randbytes(5 * 2**20)


class Http2Daemon(Daemon):
    """A server with a folder of files, and the certificate where it may read it."""

    files: Mapping[str, bytes] = {"small": SMALL, "large": LARGE}

    def __init__(self, certificates: Certificates) -> None:
        super().__init__()
        self._certificates = certificates

    def url(self, path: str) -> str:
        """Return the HTTPS URL of the path."""
        return f"https://localhost:{self.ports['port']}{path}"

    def arguments(self) -> Arguments:
        """Write the files and the configuration."""
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        for name, content in self.files.items():
            (root / name).write_bytes(content)
        cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        shutil.copy(self._certificates.cert_file, cert)
        shutil.copy(self._certificates.key_file, key)
        (self.folder / "both.pem").write_bytes(cert.read_bytes() + key.read_bytes())
        return self.configure(self.ports["port"], root, cert, key)

    def configure(self, port: int, root: Path, cert: Path, key: Path) -> Arguments:
        """Write the configuration; return the program's arguments."""
        raise NotImplementedError


class Nghttpd(Http2Daemon):
    """The server of nghttp2; it answers a POST with its body."""

    command = "nghttpd"
    package = "nghttp2-server"

    def configure(self, port: int, root: Path, cert: Path, key: Path) -> Arguments:
        """Return the options; there is no file."""
        return ["--echo-upload", "-a", "127.0.0.1", "-d", root, str(port), key, cert]


class Apache(Http2Daemon):
    """Apache with mod_http2."""

    command = package = "apache2"

    def configure(self, port: int, root: Path, cert: Path, key: Path) -> Arguments:
        """Write the configuration."""
        modules = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
            for name in ("mpm_event", "authz_core", "ssl", "http2")
        )
        config = self.folder / "apache.conf"
        config.write_text(f"""
            {modules}
            ServerName localhost
            ServerRoot {self.folder}
            DefaultRuntimeDir {self.folder}
            PidFile {self.folder}/apache.pid
            ErrorLog {self.folder}/error.log
            Listen 127.0.0.1:{port}
            DocumentRoot {root}
            SSLEngine on
            SSLSessionCache none
            SSLCertificateFile {cert}
            SSLCertificateKeyFile {key}
            Protocols h2 http/1.1
        """)
        return ["-f", config, "-D", "FOREGROUND"]


class H2o(Http2Daemon):
    """h2o, which sends by priority."""

    command = package = "h2o"

    def configure(self, port: int, root: Path, cert: Path, key: Path) -> Arguments:
        """Write the configuration."""
        config = self.folder / "h2o.conf"
        config.write_text(f"""
listen:
  host: 127.0.0.1
  port: {port}
  ssl:
    certificate-file: {cert}
    key-file: {key}
num-threads: 1
hosts:
  default:
    paths:
      /:
        file.dir: {root}
""")
        return ["-c", config]


class HAProxy(Http2Daemon):
    """HAProxy, which answers by itself: what is large is as large as its buffer allows.

    It passes WebSockets at `/ws` on to the server that a test starts at `backend`.
    """

    command = package = "haproxy"
    files: Mapping[str, bytes] = {"small": SMALL, "large": LARGE[:10_000]}

    @property
    def backend(self) -> Path:
        """The path of the socket where the server for `/ws` listens."""
        return self.folder / "backend"

    def configure(self, port: int, root: Path, cert: Path, key: Path) -> Arguments:
        """Write the configuration."""
        config = self.folder / "haproxy.conf"
        answers = "\n".join(
            f"    http-request return status 200 content-type text/plain file {root / name} if {{ path /{name} }}"
            for name in self.files
        )
        config.write_text(f"""
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 60s
frontend all
    bind 127.0.0.1:{port} ssl crt {self.folder / "both.pem"} alpn h2,http/1.1
{answers}
    use_backend websockets if {{ path /ws }}
backend websockets
    server one unix@{self.backend}
""")
        return ["-db", "-f", config]
