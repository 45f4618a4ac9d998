"""Show that the installed package works: real requests over loopback, by the API and by the command.

Run it with the interpreter of an environment that has the wheel and nothing else, outside of the checkout:
`cd / && ENVIRONMENT/bin/python -I -W error CHECKOUT/.ci/smoke.py`. It prints one line, or fails.
"""

import asyncio
import importlib.util
import platform
import ssl
import subprocess
import sys
import sysconfig
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import aioclient


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(b"hello")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if body[:1] == b"{" else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


async def requests(url: str) -> None:
    async with aioclient.ClientSession() as session:
        async with session.get(url) as response:
            assert (response.status, await response.text()) == (200, "hello")
        async with session.post(url, json={"a": ["ä"]}) as response:
            assert await response.json() == {"a": ["ä"]}


def main() -> None:
    installed = Path(aioclient.__file__).parent
    assert installed.is_relative_to(sysconfig.get_path("purelib")), installed
    assert (installed / "py.typed").is_file()
    for name in ("uvloop", "brotli", "msgspec", "python_socks", "dns", "truststore", "pytest"):
        assert importlib.util.find_spec(name) is None, f"{name} is installed: not the core alone"
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        asyncio.run(requests(url))
        for command in (
            [sys.executable, "-I", "-m", "aioclient", url],
            [Path(sysconfig.get_path("scripts"), "aioclient"), url],
        ):
            assert subprocess.check_output(command, timeout=30) == b"hello"
        server.shutdown()
        thread.join()
    parts = ", ".join(
        f"{name} {version(name)}" for name in ("aiohttp", "aiodns", "httptools", "yarl")
    )
    print(
        f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}: aioclient works with {parts}"
    )


if __name__ == "__main__":
    main()
