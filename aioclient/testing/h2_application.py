"""Serve an aiohttp.web application over HTTP/2: the same handlers that are served over HTTP/1.1.

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async with serve_h2(hello) as server:
        ...  # GET server.url("/") with prior knowledge

aiohttp.web speaks HTTP/1.1 alone. Each stream is a connection of its own to it, within the process and without a
socket: `_Exchange` is what aiohttp takes for the transport.
"""

import asyncio
import base64
import contextlib
import os
import ssl as ssl_module
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

from .h2_answers import Http1Answer
from .h2_frames import H2Code, H2Setting, HeaderFields
from .h2_requests import H2Request, request_of
from .h2_server import NO_SETTINGS
from .h2_wire import H2Wire, require_hpack
from .raw_server import RawConnection, RawServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SETTINGS: Final[Mapping[int, int]] = {
    H2Setting.MAX_CONCURRENT_STREAMS: 100,
    H2Setting.ENABLE_CONNECT_PROTOCOL: 1,
}

# Bytes of a response that wait for the client's window, above which a handler waits, and below which it goes on.
HIGH_WATER: Final = 65_536
LOW_WATER: Final = 16_384

SHUTDOWN_TIMEOUT: Final = 0.1  # seconds that handlers have at the end before they are cancelled


class _Exchange(asyncio.Transport):
    """One stream: to aiohttp, the transport of a connection with one request."""

    def __init__(
        self, conn: "_Connection", request: H2Request, protocol: asyncio.Protocol, ended: bool
    ) -> None:
        super().__init__()
        self.stream_id = request.stream_id
        self._conn = conn
        self._protocol = protocol
        self._tunnel = bool(request.protocol)
        self._chunked = not ended and not self._tunnel and not request.values("content-length")
        self._answer = Http1Answer(request.method, self._send_head)
        self._inbox: deque[tuple[bytes, int]] = deque()  # with what each took of the window
        self._reading = True
        self._stopped = False  # the handler waits for the client's window
        self._ended = ended  # the request is whole
        self._closing = False
        self._over = False  # no frame of it is sent any more
        self._finished = False  # the end of the response has been sent
        self._lost = False
        protocol.connection_made(self)
        protocol.data_received(self._head(request))

    def _head(self, request: H2Request) -> bytes:
        """Return the head of the request as HTTP/1.1 has it."""
        method = "GET" if self._tunnel else request.method
        lines = [f"{method} {request.target} HTTP/1.1".encode("latin-1")]
        if request.authority:
            lines.append(b"Host: " + request.authority.encode("latin-1"))
        crumbs = []  # RFC 9113, section 8.2.3
        for name, value in request.headers:
            if name == b"cookie":
                crumbs.append(value)
            elif name != b"host" or not request.authority:
                lines.append(name + b": " + value)
        if crumbs:
            lines.append(b"cookie: " + b"; ".join(crumbs))
        if self._chunked:
            lines.append(b"transfer-encoding: chunked")
        if self._tunnel:  # RFC 8441, section 5
            lines += [b"connection: upgrade", b"upgrade: " + request.protocol.encode("latin-1")]
            lines.append(b"sec-websocket-key: " + base64.b64encode(bytes(16)))
        return b"\r\n".join(lines) + b"\r\n\r\n"

    # The request

    def take(self, data: bytes, size: int, ended: bool) -> None:
        """Hand a piece of the request's body on, as soon as aiohttp reads."""
        piece = b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data
        if ended and self._chunked:
            piece += b"0\r\n\r\n"
        self._ended = ended
        self._inbox.append((piece, size))
        self._hand_on()

    def _hand_on(self) -> None:
        while self._inbox and self._reading:
            piece, size = self._inbox.popleft()
            if piece and not self._closing:
                self._protocol.data_received(piece)
            self._conn.give_back(self.stream_id, size)
        if self._ended and self._tunnel and not self._inbox and not self._closing:
            self._protocol.eof_received()
            self.close()

    # The response

    def _send_head(self, status: int, fields: HeaderFields) -> None:
        if status == 101:  # RFC 8441, section 5
            status = 200
            fields = [field for field in fields if field[0] != b"sec-websocket-accept"]
        answer = self._answer
        end = answer.ended and not answer.body
        self._conn.send_headers(
            self.stream_id, [(b":status", str(status).encode()), *fields], end=end
        )
        self._finished = end

    @property
    def ready(self) -> bool:
        """Whether something can be sent now."""
        if self._over:
            return False
        if self._answer.body:
            return self._conn.allowed(self.stream_id) > 0
        return (self._answer.ended and not self._finished) or self._closing

    def send_some(self) -> None:
        """Send one frame of the response, or its end."""
        body, answer = self._answer.body, self._answer
        if body or (answer.ended and not self._finished):
            piece = bytes(body[: max(0, self._conn.allowed(self.stream_id))])
            del body[: len(piece)]
            self._finished = answer.ended and not body
            self._conn.send_data(self.stream_id, piece, end=self._finished)
            if self._stopped and len(body) <= LOW_WATER:
                self._stopped = False
                self._protocol.resume_writing()
        if self._closing and not body and self._finished == answer.ended:
            self._close_stream(H2Code.NO_ERROR if self._finished else H2Code.INTERNAL_ERROR)

    def _close_stream(self, code: int) -> None:
        """End what is open of the stream, and the connection that aiohttp sees."""
        self._over = True
        if self.stream_id in self._conn.streams:
            self._conn.reset_stream(self.stream_id, code)
        asyncio.get_running_loop().call_soon(self.lose, None)

    def lose(self, exc: Exception | None) -> None:
        """Tell aiohttp that the connection is gone."""
        if not self._lost:
            self._lost = self._over = self._closing = True
            self._conn.forget(self.stream_id)
            self._protocol.connection_lost(exc)

    # asyncio.Transport, for aiohttp

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take a piece of the response in HTTP/1.1."""
        if self._closing:
            return
        self._answer.feed(data)
        if not self._stopped and len(self._answer.body) > HIGH_WATER:
            self._stopped = True
            self._protocol.pause_writing()
        self._conn.wake.set()

    def close(self) -> None:
        """End the stream after what was written has been sent."""
        if not self._closing:
            self._answer.close()
            self._closing = True
            self._conn.wake.set()

    def abort(self) -> None:
        """Reset the stream now."""
        if not self._over:
            self._closing = True
            self._close_stream(H2Code.INTERNAL_ERROR)

    def is_closing(self) -> bool:
        """Return True once it was closed, by either side."""
        return self._closing

    def pause_reading(self) -> None:
        """Give nothing back to the stream's window until `resume_reading()`."""
        self._reading = False

    def resume_reading(self) -> None:
        """Go on reading."""
        self._reading = True
        # aiohttp calls this while it takes what the last piece brought.
        asyncio.get_running_loop().call_soon(self._hand_on)

    def is_reading(self) -> bool:
        """Return False between `pause_reading()` and `resume_reading()`."""
        return self._reading

    def can_write_eof(self) -> bool:
        """Return False: a response ends as its head says."""
        return False

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait for the client's window."""
        return len(self._answer.body)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Ignore it: the limits are `HIGH_WATER` and `LOW_WATER`."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the client's connection has."""
        return self._conn.raw.transport.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return aiohttp's side."""
        return self._protocol


class _Connection(H2Wire):
    """One accepted connection, each of whose requests goes to the application."""

    def __init__(
        self, raw: RawConnection, settings: Mapping[int, int], connect: Callable[[], Any]
    ) -> None:
        super().__init__(raw, settings)
        self.wake = asyncio.Event()  # something can be sent, perhaps
        self._connect = connect
        self._exchanges: dict[int, _Exchange] = {}

    def on_head(self, stream_id: int, fields: HeaderFields, ended: bool) -> None:
        """Hand a request to aiohttp."""
        request = request_of(stream_id, fields)
        self._exchanges[stream_id] = _Exchange(self, request, self._connect(), ended)

    def on_data(self, stream_id: int, data: bytes, size: int, ended: bool) -> None:
        """Hand on a piece of a body."""
        self.give_back(0, size)
        if (exchange := self._exchanges.get(stream_id)) is not None:
            exchange.take(data, size, ended)

    def on_trailers(self, stream_id: int, fields: HeaderFields) -> None:
        """End the request: aiohttp has no trailers."""
        if (exchange := self._exchanges.get(stream_id)) is not None:
            exchange.take(b"", 0, True)

    def on_reset(self, stream_id: int, code: int) -> None:
        """Let aiohttp see a client that went away."""
        if (exchange := self._exchanges.get(stream_id)) is not None:
            exchange.lose(None)

    def on_window(self) -> None:
        """Go on sending."""
        self.wake.set()

    def forget(self, stream_id: int) -> None:
        """Forget an exchange that is over."""
        self._exchanges.pop(stream_id, None)

    async def serve(self) -> None:
        """Serve until the client closes the connection."""
        writing = asyncio.get_running_loop().create_task(self._write())
        try:
            while True:
                await self.advance()
        finally:
            for exchange in list(self._exchanges.values()):
                exchange.lose(None)
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await writing

    async def _write(self) -> None:
        """Send what there is, a frame of each response in turn."""
        try:
            while True:
                await self.wake.wait()
                self.wake.clear()
                while ready := [each for each in self._exchanges.values() if each.ready]:
                    for exchange in ready:
                        await self.raw.drain()
                        if exchange.ready:
                            exchange.send_some()
        finally:
            self.raw.abort()  # so that the reading ends too


@contextlib.asynccontextmanager
async def serve_h2(
    application: web.Application | Handler,
    *,
    settings: Mapping[int, int] = NO_SETTINGS,
    unix_path: str | os.PathLike[str] | None = None,
    ssl: ssl_module.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[RawServer]:
    """Serve an aiohttp.web application, or a handler for all requests, over HTTP/2 during the block.

    A handler sees the requests as HTTP/1.1, with the cookie crumbs joined. `Expect`, HEAD, responses of unknown length,
    informational responses and WebSockets (RFC 8441) work as they do there; trailers of a request are dropped. A
    handler that closes `request.transport` resets its stream, and is cancelled when the client resets it.
    `web.FileResponse` is not served.

    Args:
        application: What is served.
        settings: Added to the server's SETTINGS: 100 streams at a time, and extended CONNECT.
        unix_path: Listen on this path instead of a TCP port.
        ssl: Secure each connection with this context, which offers `h2` itself (`set_alpn_protocols`).
        host: The address to listen on.

    Raises:
        RuntimeError: The package hpack is not installed.
    """
    require_hpack()
    if not isinstance(application, web.Application):
        handler, application = application, web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(
        application,
        handler_cancellation=True,
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        keepalive_timeout=0,  # a connection that aiohttp sees ends with its request,
        lingering_time=0,  # whether or not that was read
    )

    async def script(raw: RawConnection) -> None:
        if runner.server is not None:
            await _Connection(raw, {**SETTINGS, **settings}, runner.server).serve()

    async with RawServer(script, unix_path=unix_path, ssl=ssl, host=host) as server:
        await runner.setup()
        try:
            yield server
        finally:
            await runner.cleanup()  # before their clients go: handlers that run may end
