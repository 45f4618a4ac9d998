r"""A server made of bytes: stage what no well-behaved server would do.

    async def lies(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")

    async with RawServer(lies) as server:
        ...  # GET server.url("/"): the body ends after 2 of 10 bytes

A script is a coroutine function that gets each accepted `RawConnection`; when it returns, the
connection is closed. If the client closes the connection, a method of it raises `EOFError` or
`ConnectionError`, which may end the script; any other exception of a script is raised at the end of
`async with`. Server and client run in the same event loop, so nothing here waits for time to pass.
"""

import asyncio
import contextlib
import functools
import os
import socket
import ssl as ssl_module
import struct
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias, cast

from ..connectors.proxies.wire import Nested
from .tasks import turns

Script: TypeAlias = "Callable[[RawConnection], Awaitable[None]]"
Reply: TypeAlias = "bytes | Callable[[RawConnection, RawRequest], Awaitable[None]]"

# SO_LINGER, on for 0 seconds: closing the socket resets the connection.
LINGER_RESET = struct.pack("ii", 1, 0)

BACKLOG = 1024  # connections that wait to be accepted; no test opens more at once


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it arrived; header names and values are the client's bytes."""

    method: str
    target: str
    version: str
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    head: bytes = field(default=b"", repr=False)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """Return the values of all fields of this name, in order; case does not matter."""
        wanted = name.lower().encode()
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == wanted]

    def value(self, name: str) -> str | None:
        """Return the value of a field that may occur once; None if it is missing.

        Raises:
            ValueError: The field occurs more than once.
        """
        found = self.values(name)
        if len(found) > 1:
            raise ValueError(f"{name} came {len(found)} times: {found}")
        return found[0] if found else None


class RawConnection(asyncio.Protocol):
    """One accepted connection, as a script sees it.

    Attributes:
        index: 0 for the server's first connection, 1 for the second …
        requests: The requests that `read_request()` has returned on this connection.
        received: How many bytes have arrived from the client (after TLS), whether or not the script has read them.
        begun: Whether the script was called, which is after the TLS handshake if there is one.
    """

    def __init__(self, server: "RawServer", index: int) -> None:
        self.index = index
        self.requests: list[RawRequest] = []
        self.received: int = 0
        self.begun = False
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._eof = False
        self._error: Exception | None = None
        self._lost = asyncio.Event()
        self._tls = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (called by the event loop)."""
        self._transport = cast("asyncio.Transport", transport)
        self._tls = transport.get_extra_info("sslcontext") is not None

    def data_received(self, data: bytes) -> None:
        """Keep what the client sent (called by the event loop)."""
        self.received += len(data)
        self._buffer += data
        self._readable.set()

    def eof_received(self) -> bool:
        """Note that the client has closed its sending half (called by the event loop)."""
        self._eof = True
        self._readable.set()
        # Stay open for sending: a script may still answer. TLS connections cannot be half closed.
        return not self._tls

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is lost (called by the event loop)."""
        self._eof = True
        self._error = exc
        self._lost.set()
        self._readable.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """Make `drain()` wait (called by the event loop)."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let `drain()` return (called by the event loop)."""
        self._writable.set()

    @property
    def transport(self) -> asyncio.Transport:
        """The asyncio transport, for what has no method here."""
        if self._transport is None:
            raise RuntimeError("the connection has not begun, its TLS handshake goes on")
        return self._transport

    @property
    def lost(self) -> bool:
        """Whether the connection is lost, closed by either side."""
        return self._lost.is_set()

    async def wait_lost(self) -> None:
        """Wait until the connection is lost, closed by either side."""
        await self._lost.wait()

    async def read_request(self, *, body: bool = True) -> RawRequest:
        """Read the next request, with its body by Content-Length or chunked coding (RFC 9112, section 6).

        With `body=False` the body is not read; `read_body()` can read it later.

        Raises:
            EOFError: The client closed the connection before the request was complete.
            ValueError: The client sent what is not a request in the strict grammar of RFC 9112.
        """
        request = _parse_head(await self.read_until(b"\r\n\r\n"))
        if body:
            request = await self.read_body(request)
        self.requests.append(request)
        self._server.requests.append(request)
        return request

    async def read_body(self, request: RawRequest) -> RawRequest:
        """Read the body of *request*; return the request with `body` and `trailers`.

        Raises as `read_request()` does.
        """
        trailers: list[tuple[bytes, bytes]] = []
        codings = request.values("Transfer-Encoding")
        lengths = request.values("Content-Length")
        if codings and lengths:
            raise ValueError(f"both Transfer-Encoding {codings} and Content-Length {lengths} came")
        if codings:
            if codings != ["chunked"]:
                raise ValueError(f"Transfer-Encoding is {codings}, expected one 'chunked'")
            body, trailers = await self._read_chunked()
        elif lengths:
            if len(lengths) > 1 or not lengths[0].isdecimal():
                raise ValueError(f"Content-Length is {lengths}, expected one number")
            body = await self.read_exactly(int(lengths[0]))
        else:
            body = b""
        return RawRequest(
            request.method,
            request.target,
            request.version,
            request.headers,
            body,
            request.head,
            trailers,
        )

    async def _read_chunked(self) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        body = bytearray()
        while True:
            size_line = (await self.read_until(b"\r\n"))[:-2]
            size = int(size_line.split(b";")[0], 16)
            if not size:
                break
            body += await self.read_exactly(size)
            if (end := await self.read_exactly(2)) != b"\r\n":
                raise ValueError(f"a chunk of {size} bytes is followed by {end!r}, not CRLF")
        trailers = []
        while line := (await self.read_until(b"\r\n"))[:-2]:
            trailers.append(_parse_field(line))
        return bytes(body), trailers

    async def read_until(self, separator: bytes) -> bytes:
        """Read until *separator*, which is included. Raises EOFError if the client closes before."""
        while (at := self._buffer.find(separator)) < 0:
            await self._more()
        return self._take(at + len(separator))

    async def read_exactly(self, count: int) -> bytes:
        """Read *count* bytes. Raises EOFError if the client closes before."""
        while len(self._buffer) < count:
            await self._more()
        return self._take(count)

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _more(self) -> None:
        if self._eof:
            raise self._error or EOFError(
                f"the client closed the connection, unread: {bytes(self._buffer[:100])!r}"
            )
        self._readable.clear()
        await self._readable.wait()

    async def closed(self) -> bytes:
        """Wait until the client closes or resets the connection; return the unread bytes."""
        while not self._eof:
            self._readable.clear()
            await self._readable.wait()
        return self._take(len(self._buffer))

    def send(self, data: bytes) -> None:
        """Send bytes; what the socket does not accept now is sent later, and before `close()` takes effect."""
        self.transport.write(data)

    async def drain(self) -> None:
        """Wait until most of the sent bytes have left the buffer.

        Raises:
            ConnectionError: The connection is lost.
        """
        if self.transport.is_closing():
            # Its end is reported in a turn of the event loop; a loop of send() and drain() would give it none.
            await asyncio.sleep(0)
        await self._writable.wait()
        if self.lost:
            raise self._error or ConnectionResetError("the client closed the connection")

    async def send_slowly(self, data: bytes, step: int = 1) -> None:
        """Send `step` bytes at a time; the client reads each piece before the next one is sent.

        Stops without an error if the connection is lost.
        """
        for start in range(0, len(data), step):
            if self.lost:
                return
            self.send(data[start : start + step])
            await turns()

    def send_eof(self) -> None:
        """Close the sending half: the client sees the end and may still send. Not possible with TLS."""
        self.transport.write_eof()

    def close(self) -> None:
        """Close the connection once the buffered bytes have left; with TLS, send close_notify."""
        # asyncio's transport of Python 3.11.2 fails when aborted after it was closed twice.
        if not self.transport.is_closing():
            self.transport.close()

    def abort(self) -> None:
        """Close the socket now: unsent bytes are dropped, and TLS sends no close_notify."""
        # asyncio's transport of Python 3.11 fails when aborted after its loss.
        if self._transport is not None and not self.lost:
            self._transport.abort()

    def reset(self) -> None:
        """Reset the connection (TCP RST): the client loses what it has not read yet.

        Call `await turns()` before, so that the client reads what was sent.
        """
        sock = None if self.lost else self.transport.get_extra_info("socket")
        if sock is not None:  # with uvloop it is None once the client has closed
            with socket.socket(fileno=os.dup(sock.fileno())) as own:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            self.transport.abort()

    def stop_reading(self) -> None:
        """Stop reading from the socket, so that the client's buffers fill up."""
        self.transport.pause_reading()

    def start_reading(self) -> None:
        """Read from the socket again."""
        self.transport.resume_reading()

    async def start_tls(self, context: ssl_module.SSLContext) -> None:
        """Do the server's side of a TLS handshake, such as after the answer to a CONNECT.

        Call it right after the answer was sent: the client's next bytes belong to TLS.

        Raises:
            OSError: The handshake failed (`ssl.SSLError`), or the client closed the connection.
        """
        loop = asyncio.get_running_loop()
        outer = self.transport
        if self._tls and isinstance(loop, asyncio.BaseEventLoop):
            outer = Nested(outer)
        try:
            secured = await loop.start_tls(outer, self, context, server_side=True)
            # uvloop returns a transport that will never call `connection_lost`.
            if secured is None or outer.is_closing():
                raise ConnectionResetError("the client closed the connection during the handshake")
        except BaseException:
            # The loop does not report the loss of a connection during its handshake.
            self.transport.abort()
            self.connection_lost(None)
            raise
        self._transport = secured
        self._tls = True


class RawServer:
    """An async context manager that serves a script on 127.0.0.1, or on a unix socket.

    Args:
        script: Called with each accepted connection.
        unix_path: Listen on this path instead of a TCP port.
        ssl: Secure each connection with this context before the script gets it. A handshake that
            fails is recorded in `handshake_errors`, and the script is not called.
        host: The address to listen on.

    Attributes:
        connections: How many connections were accepted, whether or not their handshake succeeded.
        requests: The requests that scripts have read, on all connections, in order.
        handshake_errors: The errors of failed TLS handshakes.

    The end of `async with` cancels the scripts that still run, and closes their connections. No task
    and no socket is left.
    """

    def __init__(
        self,
        script: Script,
        *,
        unix_path: str | os.PathLike[str] | None = None,
        ssl: ssl_module.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.connections: int = 0
        self.requests: list[RawRequest] = []
        self.handshake_errors: list[OSError] = []
        self._script = script
        self._unix_path = None if unix_path is None else os.fspath(unix_path)
        self._ssl = ssl
        self._host = host
        self._port = 0
        self._listener: socket.socket | None = None
        self._scripts: dict[asyncio.Task[None], RawConnection] = {}
        self._failures: list[BaseException] = []

    @classmethod
    def replies(
        cls,
        replies: Iterable[Reply],
        *,
        close: bool = False,
        repeat: bool = False,
        unix_path: str | os.PathLike[str] | None = None,
        ssl: ssl_module.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> Self:
        r"""Make a server that answers its first request with the first reply, and so on.

        The order is that of the requests on all connections. A reply is the response's bytes, or a
        coroutine function that gets the connection and the request. After a reply the connection is
        kept alive, or closed with `close=True`. A request without a reply is an error, which the end
        of `async with` raises; with `repeat=True` the last reply is sent again.

            async with RawServer.replies([b"HTTP/1.1 204 No Content\r\n\r\n"]) as server:
                ...
        """
        remaining = list(replies)
        if not remaining:
            raise ValueError("give at least one reply")
        answered = 0

        async def answer(conn: RawConnection) -> None:
            nonlocal answered
            while True:
                request = await conn.read_request()
                if answered >= len(remaining) and not repeat:
                    raise AssertionError(
                        f"request {answered + 1} came ({request.method} {request.target}), "
                        f"{len(remaining)} replies were given"
                    )
                reply = remaining[min(answered, len(remaining) - 1)]
                answered += 1
                if isinstance(reply, bytes):
                    conn.send(reply)
                else:
                    await reply(conn, request)
                if close or conn.transport.is_closing():
                    return

        return cls(answer, unix_path=unix_path, ssl=ssl, host=host)

    @property
    def host(self) -> str:
        """The address of the server."""
        return self._host

    @property
    def port(self) -> int:
        """The TCP port of the server; 0 for a unix socket."""
        return self._port

    @property
    def open_connections(self) -> list[RawConnection]:
        """The connections whose scripts are running."""
        return list(self._scripts.values())

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        """Return the URL of *path*; with *host* in place of the address, for a resolver of your own."""
        scheme = "https" if self._ssl else "http"
        if self._unix_path is not None:
            return f"{scheme}://{host or 'localhost'}{path}"
        name = host or self._host
        return f"{scheme}://{f'[{name}]' if ':' in name else name}:{self._port}{path}"

    async def __aenter__(self) -> Self:
        if self._unix_path is not None:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(self._unix_path)
        else:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            # asyncio turns off Nagle's delays only for sockets whose protocol is named.
            self._listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            self._listener.bind((self._host, 0))
            self._port = self._listener.getsockname()[1]
        self._listener.listen(BACKLOG)
        self._listener.setblocking(False)
        # Not loop.create_server(): every connection must be counted and owned before its handshake.
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        connections = self.open_connections
        for task in self._scripts:
            task.cancel()
        if self._scripts:
            await asyncio.wait(self._scripts)
        for conn in connections:
            await conn.wait_lost()
        if self._unix_path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._unix_path)
        if not self._failures:
            return
        if exc is None:
            raise self._failures[0]
        exc.add_note(f"and the server's script raised {self._failures[0]!r}")

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # the client has closed it again
            return
        sock.setblocking(False)
        conn = RawConnection(self, self.connections)
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._serve(conn, sock))
        self._scripts[task] = conn
        task.add_done_callback(functools.partial(self._served, conn, sock))

    def _served(self, conn: RawConnection, sock: socket.socket, task: "asyncio.Task[None]") -> None:
        del self._scripts[task]
        if not conn.begun:
            # The task was cancelled before the script began, or the handshake failed. Loops differ in
            # whether they close the socket then, and whether they report the loss.
            sock.close()
            conn.connection_lost(None)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)

    async def _serve(self, conn: RawConnection, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            try:
                await loop.connect_accepted_socket(lambda: conn, sock, ssl=self._ssl)
            except OSError as exc:
                self.handshake_errors.append(exc)
                return
            conn.begun = True
            await self._script(conn)
            conn.close()
            # Until the buffered bytes have left; the server's end does not wait for it.
            await conn.wait_lost()
        except (EOFError, ConnectionError):
            pass
        finally:
            conn.abort()


def _parse_head(head: bytes) -> RawRequest:
    first, *lines = head[:-4].split(b"\r\n")
    words = first.decode("latin-1").split(" ")
    if len(words) != 3 or not all(words) or not words[2].startswith("HTTP/"):
        raise ValueError(f"{first!r} is not a request line")
    method, target, version = words
    headers = [_parse_field(line) for line in lines]
    return RawRequest(method, target, version, headers, head=head)


def _parse_field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip() or b"\n" in line or b"\r" in line:
        raise ValueError(f"{line!r} is not a header field")
    return name, value.strip(b" \t")


@contextlib.contextmanager
def refused_port(host: str = "127.0.0.1") -> Iterator[int]:
    """Give a port that refuses connections while the block runs.

    >>> with refused_port() as port, socket.socket() as client:
    ...     client.connect_ex(("127.0.0.1", port)) == 0
    False
    """
    with socket.socket() as sock:
        sock.bind((host, 0))  # bound but not listening, so that no other process can take the port
        yield sock.getsockname()[1]


@contextlib.contextmanager
def silent_port(host: str = "127.0.0.1") -> Iterator[int]:
    """Give a port where connecting neither succeeds nor fails, because its queue of connections is full.

    For connect timeouts. Linux only: other systems reset connections that do not fit in the queue.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, 0))
        listener.listen(0)
        # A queue of length 0 holds one connection; the next one waits for room.
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
