"""A server of HTTP/2 whose every frame a script writes: stage what no well-behaved server would do.

    async def lies(conn: H2Connection) -> None:
        request = await conn.read_request()
        conn.send_headers(request.stream_id, [(":status", "200"), ("content-length", "10")])
        conn.send_data(request.stream_id, b"ok", end=True)
        await conn.closed()

    async with H2Server(lies) as server:
        ...  # GET server.url("/") with prior knowledge: the body ends after 2 of 10 bytes

Scripts work as those of `RawServer`. A client that breaks a rule of RFC 9113 causes a `ValueError`, which fails the
test.
"""

import os
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Final, Self, TypeAlias

from .h2_frames import H2Frame, H2Kind, HeaderFields
from .h2_requests import H2Request, request_of
from .h2_wire import Fields, H2Wire, require_hpack
from .raw_server import RawConnection, RawServer

NO_SETTINGS: Final = MappingProxyType[int, int]({})

H2Script: TypeAlias = "Callable[[H2Connection], Awaitable[None]]"


@dataclass(slots=True)
class _Arriving:
    """A request that has begun to arrive, and whose body no script has read."""

    fields: HeaderFields
    body: bytearray = field(default_factory=bytearray)
    trailers: HeaderFields = field(default_factory=list)
    ended: bool = False


class H2Connection(H2Wire):
    """One accepted connection, as a script sees it.

    Attributes:
        index: 0 for the server's first connection, 1 for the second …
        requests: What `read_request()` returned so far on this connection.
    """

    def __init__(self, raw: RawConnection, settings: Mapping[int, int] | None) -> None:
        super().__init__(raw, settings)
        self.index: int = raw.index
        self.requests: list[H2Request] = []
        self._unseen: dict[int, _Arriving] = {}  # no script has their heads
        self._seen: dict[
            int, _Arriving
        ] = {}  # a script has their heads, and may ask for their bodies
        self._resets: dict[int, int] = {}
        self._unread: list[H2Frame] = []

    def on_frame(self, frame: H2Frame) -> None:
        """Keep it for `read_frame()`."""
        self._unread.append(frame)

    def on_head(self, stream_id: int, fields: HeaderFields, ended: bool) -> None:
        """Keep it for `read_request()`."""
        self._unseen[stream_id] = _Arriving(fields, ended=ended)

    def on_data(self, stream_id: int, data: bytes, size: int, ended: bool) -> None:
        """Keep it for `read_request()` and give it back to the windows."""
        arriving = self._here(stream_id)
        arriving.body += data
        arriving.ended = ended
        self.give_back(0, size)
        self.give_back(stream_id, size)

    def on_trailers(self, stream_id: int, fields: HeaderFields) -> None:
        """Keep them for `read_request()`."""
        arriving = self._here(stream_id)
        arriving.trailers = fields
        arriving.ended = True

    def on_reset(self, stream_id: int, code: int) -> None:
        """Forget a request that nobody has read yet."""
        self._unseen.pop(stream_id, None)
        self._seen.pop(stream_id, None)
        self._resets[stream_id] = code

    async def read_frame(self, kind: int | None = None, stream_id: int | None = None) -> H2Frame:
        """Read the next frame, or the next of a kind or stream; the others can be read later.

        What frames mean for settings, windows and PINGs is done when they come. The frames of a request that
        `read_request()` has returned with its body cannot be read any more.

        Raises:
            EOFError: The client closed the connection before.
            ValueError: What came is not what a client may send.
        """
        while True:
            for at, frame in enumerate(self._unread):
                if kind in (None, frame.kind) and stream_id in (None, frame.stream_id):
                    return self._unread.pop(at)
            await self.advance()

    async def read_request(self, *, body: bool = True) -> H2Request:
        """Read the next request, the first that is complete; with `body=False`, the first whose head has come.

        Call `read_body()` for its body then, or not.

        Raises as `read_frame()` does.
        """
        while True:
            for stream_id, arriving in self._unseen.items():
                if arriving.ended or not body:
                    del self._unseen[stream_id]
                    if not body:
                        self._seen[stream_id] = arriving
                    request = self._request(stream_id, arriving, body=body)
                    self.requests.append(request)
                    return request
            await self.advance()

    async def read_body(self, request: H2Request) -> H2Request:
        """Read the body that belongs to the head; return the request with `body` and `trailers`.

        Raises:
            ConnectionResetError: The client reset the stream before its end.
        """
        stream_id = request.stream_id
        self._check_reset(stream_id)
        while not self._here(stream_id).ended:
            await self.advance()
            self._check_reset(stream_id)
        return self._request(stream_id, self._seen.pop(stream_id), body=True)

    def _here(self, stream_id: int) -> _Arriving:
        return self._seen.get(stream_id) or self._unseen[stream_id]

    def _check_reset(self, stream_id: int) -> None:
        if (code := self._resets.get(stream_id)) is not None:
            raise ConnectionResetError(f"the client reset stream {stream_id}, code {code}")

    def _request(self, stream_id: int, arriving: _Arriving, *, body: bool) -> H2Request:
        if not body:
            return request_of(stream_id, arriving.fields)
        kinds = (H2Kind.HEADERS, H2Kind.CONTINUATION, H2Kind.DATA)
        self._unread = [
            frame
            for frame in self._unread
            if frame.stream_id != stream_id or frame.kind not in kinds
        ]
        return request_of(stream_id, arriving.fields, bytes(arriving.body), arriving.trailers)

    async def send_body(self, stream_id: int, data: bytes, *, end: bool = True) -> None:
        """Send a body in as many frames as it takes, as the client's windows and frame size allow.

        Raises:
            ConnectionResetError: The client reset the stream, or went away.
        """
        at = 0
        while at < len(data):
            while (allowed := self.allowed(stream_id)) <= 0:
                self._check_reset(stream_id)
                await self.advance()
            piece = data[at : at + allowed]
            at += len(piece)
            self.send_data(stream_id, piece, end=end and at == len(data))
            await self.raw.drain()
        if end and not data:
            self.send_data(stream_id, b"", end=True)

    async def respond(
        self,
        stream_id: int,
        status: int = 200,
        fields: Fields = (),
        body: bytes = b"",
        trailers: Fields = (),
    ) -> None:
        """Send a whole response, as the client's windows allow; raises as `send_body()` does."""
        trailers = list(trailers)
        self.send_headers(
            stream_id, [(":status", str(status)), *fields], end=not body and not trailers
        )
        if body:
            await self.send_body(stream_id, body, end=not trailers)
        if trailers:
            self.send_headers(stream_id, trailers, end=True)

    async def closed(self) -> None:
        """Take what comes until the client closes the connection."""
        try:
            while True:
                await self.advance()
        except (EOFError, ConnectionError):
            return

    def push_promise(self, stream_id: int, promised_id: int, fields: Fields) -> None:
        """Send PUSH_PROMISE, which no client of this project takes."""
        payload = promised_id.to_bytes(4, "big") + self.encode(fields)
        self.send_frame(H2Kind.PUSH_PROMISE, 0x4, stream_id, payload)


class H2Server:
    """An async context manager that serves a script on 127.0.0.1, or on a unix socket.

    Args:
        script: Called with each accepted connection.
        settings: The server's SETTINGS, its first frame, sent before the script is called. With None the script sends
            what comes first.
        unix_path: Listen on this path instead of a TCP port.
        ssl: Secure each connection with this context, which offers `h2` itself (`set_alpn_protocols`). Without it, the
            client has to know that HTTP/2 is spoken.
        host: The address to listen on.

    Attributes:
        raw: The server below, which notes `handshake_errors`.
        served: The connections whose script was called, in order, also those that are closed.

    Raises:
        RuntimeError: The package hpack is not installed.
    """

    def __init__(
        self,
        script: H2Script,
        *,
        settings: Mapping[int, int] | None = NO_SETTINGS,
        unix_path: str | os.PathLike[str] | None = None,
        ssl: ssl_module.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        require_hpack()
        self._script = script
        self._settings = settings
        self.raw: RawServer = RawServer(self._serve, unix_path=unix_path, ssl=ssl, host=host)
        self.served: list[H2Connection] = []

    async def _serve(self, raw: RawConnection) -> None:
        conn = H2Connection(raw, self._settings)
        self.served.append(conn)
        await self._script(conn)

    @property
    def connections(self) -> int:
        """How many connections were accepted, whether or not their TLS handshake succeeded."""
        return self.raw.connections

    @property
    def requests(self) -> list[H2Request]:
        """What the scripts read, one connection after the other."""
        return [request for conn in self.served for request in conn.requests]

    @property
    def port(self) -> int:
        """The TCP port listened on, 0 with a unix socket."""
        return self.raw.port

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        """Return the URL of a path; `host` stands in for the address, for a resolver of yours."""
        return self.raw.url(path, host=host)

    async def __aenter__(self) -> Self:
        await self.raw.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.raw.__aexit__(exc_type, exc, traceback)
