"""Each stream of HTTP/2 as a connection of its own that speaks HTTP/1.1, within the process and without a socket.

So code that knows only HTTP/1.1 can answer HTTP/2: aiohttp.web (`serve_h2`), or a script of `RawServer`.
"""

import asyncio
import base64
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from .h2_answers import Http1Answer
from .h2_frames import H2Code, H2Setting, HeaderFields
from .h2_requests import H2Request, request_of
from .h2_wire import H2Wire
from .raw_server import RawConnection

SETTINGS: Final[Mapping[int, int]] = {
    H2Setting.MAX_CONCURRENT_STREAMS: 100,
    H2Setting.ENABLE_CONNECT_PROTOCOL: 1,
}

# How many bytes of a response may wait for the client's window: above the first the handler is paused, and it is
# resumed below the second.
HIGH_WATER: Final = 65_536
LOW_WATER: Final = 16_384


class StreamTransport(asyncio.Transport):
    """One stream, which an HTTP/1.1 protocol sees as the transport of a connection with one request.

    Attributes:
        stream_id: The number of the stream.
        begun: Whether a part of the response was sent.
    """

    def __init__(
        self, conn: "Streams", request: H2Request, protocol: asyncio.Protocol, ended: bool
    ) -> None:
        super().__init__()
        self.stream_id: int = request.stream_id
        self._conn = conn
        self._protocol = protocol
        self._tunnel = bool(request.protocol)
        self._chunked = not ended and not self._tunnel and not request.values("content-length")
        self._answer = Http1Answer(request.method, self._send_head)
        self._inbox: deque[tuple[bytes, int]] = deque()  # with the window that each has used
        self._reading = True
        self._stopped = False  # the handler waits for the client's window
        self._ended = ended  # the request is complete
        self._closing = False
        self._over = False  # no further frame is sent on it
        self._finished = False  # the end of the response has been sent
        self._lost = False
        self.begun: bool = False
        protocol.connection_made(self)
        protocol.data_received(self._head(request))

    def _head(self, request: H2Request) -> bytes:
        """Return the head of the request in the format of HTTP/1.1."""
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
        """Pass a piece of the request's body to the protocol as soon as it reads."""
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
        self._check_whole()

    # The response

    def _send_head(self, status: int, fields: HeaderFields) -> None:
        if status == 101:  # RFC 8441, section 5
            status = 200
            fields = [field for field in fields if field[0] != b"sec-websocket-accept"]
        answer = self._answer
        self.begun = True
        end = answer.ended and not answer.body
        self._conn.send_headers(
            self.stream_id, [(b":status", str(status).encode()), *fields], end=end
        )
        self._finish(end)

    def _finish(self, finished: bool) -> None:
        """Note whether the end of the response has been sent."""
        self._finished = finished
        self._check_whole()

    def _check_whole(self) -> None:
        if self._finished and self._ended and not self._inbox:
            self._conn.on_whole(self)

    @property
    def ready(self) -> bool:
        """Whether something can be sent now."""
        if self._over:
            return False
        if self._answer.body:
            return self._conn.allowed(self.stream_id) > 0
        return (self._answer.ended and not self._finished) or self._closing

    def send_small(self) -> None:
        """Send a body that fits one frame now, so that it goes out with its head, as it does over HTTP/1.1."""
        if self.ready and self._conn.allowed(self.stream_id) >= len(self._answer.body):
            self.send_some()

    def send_some(self) -> None:
        """Send one frame of the body, or the end of the response."""
        body, answer = self._answer.body, self._answer
        if body or (answer.ended and not self._finished):
            piece = bytes(body[: max(0, self._conn.allowed(self.stream_id))])
            del body[: len(piece)]
            end = answer.ended and not body
            if piece or not answer.trailers:
                self._conn.send_data(self.stream_id, piece, end=end and not answer.trailers)
            if end and answer.trailers:
                self._conn.send_headers(self.stream_id, answer.trailers, end=True)
            self._finish(end)
            if self._stopped and len(body) <= LOW_WATER:
                self._stopped = False
                self._protocol.resume_writing()
        if self._closing and not body and self._finished == answer.ended:
            self._close_stream(H2Code.NO_ERROR if self._finished else H2Code.INTERNAL_ERROR)

    def _close_stream(self, code: int) -> None:
        """End the stream if it is still open, and the connection that the protocol sees."""
        self._over = True
        if self.stream_id in self._conn.streams:
            self._conn.reset_stream(self.stream_id, code)
        asyncio.get_running_loop().call_soon(self.lose, None)

    def lose(self, exc: Exception | None) -> None:
        """Report to the protocol that the connection is lost."""
        if not self._lost:
            self._lost = self._over = self._closing = True
            self._conn.forget(self.stream_id)
            self._protocol.connection_lost(exc)

    # asyncio.Transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take a piece of the response, in the format of HTTP/1.1."""
        if self._closing:
            return
        self._answer.feed(data)
        if self._answer.ended:
            self.send_small()
        if not self._stopped and len(self._answer.body) > HIGH_WATER:
            self._stopped = True
            self._protocol.pause_writing()
        self._conn.wake.set()

    def close(self) -> None:
        """End the stream once everything that was written has been sent."""
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
        """Return whether either side has closed it."""
        return self._closing

    def pause_reading(self) -> None:
        """Do not enlarge the stream's window until `resume_reading()`."""
        self._reading = False

    def resume_reading(self) -> None:
        """Read again."""
        self._reading = True
        # The protocol may call it while it still handles the last piece.
        asyncio.get_running_loop().call_soon(self._hand_on)

    def is_reading(self) -> bool:
        """Return False between `pause_reading()` and `resume_reading()`."""
        return self._reading

    def can_write_eof(self) -> bool:
        """Return False: the head of a response determines its end."""
        return False

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait for the client's window."""
        return len(self._answer.body)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: the limits are `HIGH_WATER` and `LOW_WATER`."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the information of the client's connection."""
        return self._conn.raw.transport.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        return self._protocol


class Streams(H2Wire):
    """One accepted connection; each of its requests goes to a new HTTP/1.1 protocol, which *connect* makes."""

    def __init__(
        self,
        raw: RawConnection,
        settings: Mapping[int, int],
        connect: Callable[[], asyncio.Protocol],
    ) -> None:
        super().__init__(raw, settings)
        self.wake: asyncio.Event = asyncio.Event()  # set when there may be something to send
        self._connect = connect
        self._exchanges: dict[int, StreamTransport] = {}

    def on_head(self, stream_id: int, fields: HeaderFields, ended: bool) -> None:
        """Pass a request to a new protocol."""
        request = request_of(stream_id, fields)
        self._exchanges[stream_id] = StreamTransport(self, request, self._connect(), ended)

    def on_data(self, stream_id: int, data: bytes, size: int, ended: bool) -> None:
        """Pass on a piece of a body."""
        self.give_back(0, size)
        if (exchange := self._exchanges.get(stream_id)) is not None:
            exchange.take(data, size, ended)

    def on_trailers(self, stream_id: int, fields: HeaderFields) -> None:
        """End the request; trailers are dropped."""
        if (exchange := self._exchanges.get(stream_id)) is not None:
            exchange.take(b"", 0, True)

    def on_reset(self, stream_id: int, code: int) -> None:
        """Show the protocol that the client is gone."""
        if (exchange := self._exchanges.get(stream_id)) is not None:
            exchange.lose(None)

    def on_window(self) -> None:
        """Send again."""
        self.wake.set()

    def on_whole(self, exchange: StreamTransport) -> None:
        """Note that a request has arrived completely and its response was sent completely; for subclasses."""

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
        """Send what is ready, one frame of each response in turn."""
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
            self.raw.abort()  # ends serve(), which reads
