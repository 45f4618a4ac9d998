"""The yardstick: the least that can be done with a bare `asyncio.Protocol` around httptools.

It does the work that is measured and nothing else: no URL parsing, no
timeout, no redirect, no limit, no check of what the server sends beyond what the parser does. A
request's head is serialised once for each URL. A response is one future; its headers are collected
in a list and its body joined; connections are kept, as many as there are requests at a time.
"""

import asyncio
import json
import ssl
import zlib
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlsplit

import httptools

from benchmarks.clients.base import Client, check
from benchmarks.scenarios import POSTED

READ_SIZE = 256 * 1024

Headers = list[tuple[bytes, bytes]]
Response = tuple[int, Headers, bytes]


class Connection(asyncio.Protocol):
    """One connection, one response at a time."""

    __slots__ = (
        "_body",
        "_headers",
        "_loop",
        "_parser",
        "_take",
        "_waiter",
        "_writable",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Response] | None = None
        self._writable: asyncio.Future[None] | None = None

    def send(
        self, request: bytes, take: Callable[[bytes], object] | None = None
    ) -> asyncio.Future[Response]:
        """Write a request; give the body's pieces to *take*, or join them when it is None."""
        self._headers: Headers = []
        self._body: list[bytes] = []
        self._take = take or self._body.append
        self._waiter = self._loop.create_future()
        self.transport.write(request)
        return self._waiter

    async def drain(self) -> None:
        """Wait until the socket takes more."""
        if self._writable is not None:
            await self._writable

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionError("closed by the server"))

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._take(body)

    def on_message_complete(self) -> None:
        assert self._waiter is not None
        body = self._body
        self._waiter.set_result(
            (
                self._parser.get_status_code(),
                self._headers,
                body[0] if len(body) == 1 else b"".join(body),
            )
        )


class Target:
    """A URL: the heads of its requests, and the idle connections to its server."""

    __slots__ = ("address", "get", "idle", "post")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "", parts.port or 80)
        self.idle: list[Connection] = []
        head = (
            f" {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "Accept: */*\r\nAccept-Encoding: gzip\r\nUser-Agent: limit\r\n"
        ).encode()
        self.get = b"GET" + head + b"\r\n"
        self.post = b"POST" + head  # open: fields about the body follow


class LimitClient(Client):
    """The yardstick."""

    distribution = "httptools"

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._ssl: ssl.SSLContext | None = self.setup.ssl_context()
        self._targets: dict[str, Target] = {}
        self._connections: list[Connection] = []
        return self

    async def close(self) -> None:
        for connection in self._connections:
            connection.transport.close()

    def _target(self, url: str) -> Target:
        target = self._targets[url] = Target(url)
        return target

    async def _connect(self, target: Target) -> Connection:
        loop = self._loop
        if self.setup.unix_path:
            _, connection = await loop.create_unix_connection(
                lambda: Connection(loop), str(self.setup.unix_path)
            )
        else:
            host, port = target.address
            _, connection = await loop.create_connection(
                lambda: Connection(loop), host, port, ssl=self._ssl
            )
        self._connections.append(connection)
        return connection

    async def get_json(self, url: str) -> Any:
        target = self._targets.get(url) or self._target(url)
        connection = target.idle.pop() if target.idle else await self._connect(target)
        status, _, body = await connection.send(target.get)
        target.idle.append(connection)
        check(status)
        return json.loads(body)

    async def get_json_and_close(self, url: str) -> Any:
        target = self._targets.get(url) or self._target(url)
        connection = await self._connect(target)
        status, _, body = await connection.send(target.get)
        self._connections.remove(connection)
        connection.transport.close()
        check(status)
        return json.loads(body)

    async def get_headers(self, url: str) -> dict[str, str]:
        target = self._targets.get(url) or self._target(url)
        connection = target.idle.pop() if target.idle else await self._connect(target)
        status, headers, body = await connection.send(target.get)
        target.idle.append(connection)
        check(status)
        json.loads(body)
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}

    async def get_gzip(self, url: str) -> Any:
        target = self._targets.get(url) or self._target(url)
        connection = target.idle.pop() if target.idle else await self._connect(target)
        status, _, body = await connection.send(target.get)
        target.idle.append(connection)
        check(status)
        return json.loads(zlib.decompress(body, zlib.MAX_WBITS | 16))

    async def post_json(self, url: str) -> Any:
        target = self._targets.get(url) or self._target(url)
        connection = target.idle.pop() if target.idle else await self._connect(target)
        payload = json.dumps(POSTED).encode()
        status, _, body = await connection.send(
            b"%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (target.post, len(payload), payload)
        )
        target.idle.append(connection)
        check(status)
        return json.loads(body)

    async def download(self, url: str) -> int:
        size = 0

        def count(piece: bytes) -> None:
            nonlocal size
            size += len(piece)

        await self._download(url, count)
        return size

    async def download_to_file(self, url: str) -> int:
        with self.setup.output_path.open("wb") as file:
            await self._download(url, file.write)
            return file.tell()

    async def _download(self, url: str, take: Callable[[bytes], object]) -> None:
        target = self._targets.get(url) or self._target(url)
        connection = target.idle.pop() if target.idle else await self._connect(target)
        status, _, _ = await connection.send(target.get, take)
        target.idle.append(connection)
        check(status)

    async def download_to_memory(self, url: str) -> int:
        target = self._targets.get(url) or self._target(url)
        connection = target.idle.pop() if target.idle else await self._connect(target)
        status, _, body = await connection.send(target.get)
        target.idle.append(connection)
        check(status)
        return len(body)

    async def upload(self, url: str) -> int:
        target = self._targets.get(url) or self._target(url)
        connection = target.idle.pop() if target.idle else await self._connect(target)
        with self.setup.upload_path.open("rb") as file:
            waiter = connection.send(
                b"%bContent-Length: %d\r\n\r\n"
                % (target.post, self.setup.upload_path.stat().st_size)
            )
            # A disk may be slow: a client that reads it in the loop's thread would block the loop.
            while piece := await self._loop.run_in_executor(None, file.read, READ_SIZE):
                connection.transport.write(piece)
                await connection.drain()
            status, _, body = await waiter
        target.idle.append(connection)
        check(status)
        return int(json.loads(body)["received"])
