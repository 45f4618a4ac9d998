"""A small HTTP proxy to practise on: it forwards http, and opens tunnels on CONNECT.

It prints nothing, keeps nothing and asks nobody who they are, unless it is told a login::

    $ python examples/proxy.py
    http://127.0.0.1:8081

"""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

REFUSAL = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
    b'Proxy-Authenticate: Basic realm="practice"\r\nContent-Length: 0\r\n\r\n'
)


class Proxy:
    """Serves one connection after the other; ``login`` is "user:password", or None."""

    def __init__(self, login: str | None = None) -> None:
        self.login = login
        self.asked: list[str] = []  # the request lines it got

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what one client asks for."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            line, *fields = head.decode("latin-1").split("\r\n")
            self.asked.append(line)
            if not self.knows(fields):
                writer.write(REFUSAL)
                await writer.drain()
            else:
                await self.connect(line, fields, (reader, writer))
        writer.close()

    def knows(self, fields: list[str]) -> bool:
        """Tell whether the fields hold the login."""
        if self.login is None:
            return True
        value = base64.b64encode(self.login.encode()).decode()
        return f"proxy-authorization: basic {value}".lower() in (field.lower() for field in fields)

    async def connect(self, line: str, fields: list[str], client: Streams) -> None:
        """Go to the server, and pass on what comes from either side."""
        method, target, version = line.split(" ")
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        server = await asyncio.open_connection(url.hostname, url.port or 80)
        if method == "CONNECT":
            client[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            # One request for each connection keeps this example small.
            path = target[target.index("/", len("http://")) :]
            kept = [
                field
                for field in fields
                if field and not field.lower().startswith(("proxy-", "connection:"))
            ]
            head = "\r\n".join([f"{method} {path} {version}", *kept, "Connection: close", "", ""])
            server[1].write(head.encode("latin-1"))
        try:
            await asyncio.gather(pump(client[0], server[1]), pump(server[0], client[1]))
        finally:
            server[1].close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, until it ends."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextmanager
def running(login: str | None = None) -> Iterator[tuple[str, Proxy]]:
    """Serve on a free port from a thread of its own; give the proxy's URL, and the proxy."""
    proxy = Proxy(login)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(proxy.serve, "127.0.0.1", 0))
    port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def stop() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)

    try:
        yield f"http://127.0.0.1:{port}", proxy
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def main() -> None:
    """Serve until interrupted."""
    server = await asyncio.start_server(Proxy().serve, "127.0.0.1", 8081)
    print("http://127.0.0.1:8081", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
