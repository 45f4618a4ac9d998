"""HTTP/1.1 on one connection (RFC 9112), as one ``asyncio.Protocol``.

The rules:

* One exchange at a time: a request is written, its response is read; then the connection is idle again.
* It is reused if the response is complete, no bytes came after it, keep-alive applies, and the request was written
  completely and has left the socket. Otherwise it is closed.
* Bytes while it is idle, or after the message's end, close the connection: they belong to no request (section 9.2).
  This includes bytes that the event loop has not read yet: ``has_input()`` checks before the next request is written.
* Bytes that came before the connection broke are read before the loss is reported.
* A response whose body arrived with its head is delivered as bytes. Otherwise the body goes to a ``StreamReader``,
    which pauses the socket while nobody reads.
* Time limits are in ``watch.py``, sending a body is in ``body_sender.py``, the states are in ``states.py``.
"""

import asyncio
from collections.abc import Callable
from ssl import SSLError
from typing import ClassVar, Final, cast
from weakref import ref

from aiohttp import HttpVersion10, HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy

from ...exceptions import (
    ClientConnectionError,
    ClientError,
    ClientPayloadError,
    ReadTimeoutError,
    TotalTimeoutError,
)
from ...exchange import ALL, NOTHING, PART, Exchange
from ...message.headers import CONTENT_ENCODING
from ...message.origin import ConnectionKey
from ...message.request import Request
from ...response.body_stream import open_stream
from ...response.client_response import ClientResponse
from ...response.lease import Connection
from ...response.stream import StreamReader
from ...response.switched import TakenOver
from ..body_writers import CountingWriter
from ..connection import Owner
from ..leftovers import input_poll, read_leftovers
from ..request_fields import expects_continue
from ..watch import Watch
from .body_sender import Sender
from .chunk_writer import ChunkWriter
from .head import encode_head, outgoing_fields
from .losses import lost_error, unsent_error
from .response import ResponseReader
from .states import CLOSED, DRAINING, IDLE, STREAMING, SWITCHED, WAITING, ConnectionState

DRAIN_LIMIT: Final = (
    64 * 1024
)  # undecoded bytes that are read to keep a connection whose body nobody wants
DRAIN_TIME: Final = 0.05  # seconds
INLINE_BODY: Final = 256 * 1024  # bytes of a body that are written together with the head
# Bytes of a body that a server reads together with the head, or soon. For a larger body an error status may have been
# sent after the head alone.
EARLY_BODY: Final = 64 * 1024
_NO_TRAILERS: "CIMultiDictProxy[str]" = CIMultiDictProxy(CIMultiDict())


class _ResponseClassError(Exception):
    """A user's response class raised ``raised``, which the caller gets."""

    def __init__(self, raised: Exception) -> None:
        super().__init__(raised)
        self.raised = raised


class Http1Connection(asyncio.Protocol):
    """One HTTP/1.1 connection: an ``HttpConnection`` with room for one exchange.

    Args:
        owner: the owner that keeps it.
        key: the key of the exchanges that it may carry.
        loop: the event loop.
        keep_alive: False to ask the server to close it after one response.
        buffer: the buffer that the event loop reads into, for the subclass with a buffer.
    """

    carries_many: ClassVar[bool] = False
    buffer: memoryview | None = None

    __slots__ = (
        "__weakref__",
        "_drain_budget",
        "_exchange",
        "_keep_alive",
        "_lease",
        "_loop",
        "_loss",
        "_owner",
        "_poll",
        "_reader",
        "_reading_paused",
        "_remaining",
        "_sender",
        "_state",
        "_stream",
        "_unread",
        "_waiter",
        "_watch",
        "exchanges",
        "idle_time",
        "key",
        "last_activity",
        "opened",
        "transport",
    )

    def __init__(
        self,
        owner: Owner,
        key: ConnectionKey,
        loop: asyncio.AbstractEventLoop,
        *,
        keep_alive: bool = True,
    ) -> None:
        self._owner = owner
        self.key: ConnectionKey = key
        self._loop = loop
        self._keep_alive = keep_alive
        self.transport: asyncio.Transport | None = None
        self.exchanges: int = 0
        self.opened: bool = False
        self.last_activity: float = 0.0  # when bytes came last, in the event loop's time
        self.idle_time: int | None = None  # seconds after which its server closes it, if it said so
        self._unread = b""  # what came behind the head of a 101
        self._state: ConnectionState = IDLE
        self._watch = Watch(loop, self)
        self._sender = Sender(self, loop, self._watch)
        self._reader = ResponseReader()
        self._exchange: Exchange | None = None
        self._waiter: asyncio.Future[ClientResponse] | None = None
        self._stream: StreamReader | None = None
        # Weak: only the response keeps its lease, so that dropping the response ends the lease.
        self._lease: ref[Connection] | None = None
        self._remaining = 0  # missing bytes of a body of known length that bypasses the parser
        self._drain_budget = 0  # bytes that may still be drained
        self._reading_paused = False
        self._loss: Exception | None = None  # the exception that broke the idle connection
        self._poll: Callable[[float], object] | None = None

    # The exchange

    @property
    def room(self) -> int:
        """How many exchanges may begin now: 0 or 1."""
        return 0 if self.broken or self._state is not IDLE else 1

    def reserve(self) -> None:
        """Do nothing: the slot of this connection is its room."""

    def outgoing(self, exchange: Exchange) -> "CIMultiDict[str]":
        """Return the fields that will be sent with *exchange*."""
        return outgoing_fields(exchange, self._keep_alive)

    def begin(self, exchange: Exchange) -> "asyncio.Future[ClientResponse]":
        """Send the request of *exchange*; call ``cancel()`` to stop waiting for its response.

        The future raises:
            ServerDisconnectedError: the connection ended before a response.
            ClientOSError: it broke.
            ServerProtocolError: the response is not HTTP/1.1, or its head is too large.
            TotalTimeoutError, ReadTimeoutError: no head within ``total`` or ``sock_read``.

        Raises:
            ValueError: the request is invalid; nothing was sent.
            ServerDisconnectedError: the connection is closed; nothing was sent.
            ClientOSError: the same, if the error that broke it is known.
        """
        transport = self.transport
        request = exchange.request
        head, chunked, last = encode_head(exchange, self._keep_alive)
        exchange.reused = self.exchanges != 0
        if transport is None or self._state is CLOSED or transport.is_closing():
            self.abort()
            raise self.early_end(request)
        self._state = WAITING
        self._exchange = exchange
        self._reader.begin(request, last)
        self._waiter = waiter = self._loop.create_future()
        body = request.content
        if body is None:
            exchange.sent = ALL
            transport.write(head)
        elif (
            body.data is not None
            and len(body.data) <= INLINE_BODY
            and not chunked
            and not expects_continue(request)
            and (request.trace is None or not request.trace.wants_upload)
        ):
            exchange.sent = ALL
            transport.write(head + body.data)
        else:
            exchange.sent = PART
            transport.write(head)
            sender = self._sender
            writer = ChunkWriter(sender) if chunked else CountingWriter(sender, request, body)
            sender.begin(exchange, body, writer)
        self._watch.begin(request.deadline, request.timeout.sock_read)
        return waiter

    def has_input(self) -> bool:
        """Tell whether the socket of an idle connection has something to read, or the connection is broken.

        If so, let the event loop run a few iterations, to read it, before the connection is used: TLS tickets come at
        any time and are harmless; anything else closes the connection.
        """
        poll = self._poll
        if poll is None:
            if self.transport is None:
                return True
            self._poll = poll = input_poll(self.transport)
        transport = self.transport  # as ``broken``, without the cost of a call
        return bool(poll(0) or self._state is CLOSED or transport is None or transport.is_closing())

    def cancel(self, exchange: Exchange) -> None:
        """Close the connection if *exchange* is active on it; make it idle if *exchange* has not begun."""
        if self._exchange is exchange or self._state is SWITCHED:
            self.abort()
        elif exchange.sent is NOTHING and self._state is IDLE:
            self.last_activity = self._loop.time()
            self._owner.connection_idle(self)

    def _deliver(self, raw: bytes | None, lease: Connection | None = None) -> None:
        """Deliver the response to the waiting caller: complete (*raw*), or with a stream."""
        waiter = self._waiter
        exchange = self._exchange
        if waiter is None or waiter.done() or exchange is None:
            self._waiter = None
            return
        request = exchange.request
        reader = self._reader
        if exchange.sent is not ALL:
            self._sender.answered(reader.continued)
        trailers = reader.trailers
        if reader.early_hints:
            for fields in reader.early_hints:
                exchange.take_early_hints(fields)
            reader.early_hints = ()
        stream = None
        if raw is None:
            self._stream = stream = self._open_stream(request)
            lease = Connection(self, exchange)
            self._lease = ref(lease)
            exchange.lease = ref(lease)
        try:
            response = request.options.response_class(
                exchange,
                HttpVersion11 if reader.version_11 else HttpVersion10,
                reader.status,
                reader.reason,
                CIMultiDictProxy(reader.fields),
                _NO_TRAILERS if trailers is None else CIMultiDictProxy(trailers),
                raw,
                stream,
                lease,
            )
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception as error:
            raise _ResponseClassError(error) from error
        except BaseException as error:
            # The caller expects an Exception; anything else would leave the connection half closed.
            crash = RuntimeError(f"the response class raised {error!r}")
            crash.__cause__ = error
            raise _ResponseClassError(crash) from error
        self._waiter = None
        waiter.set_result(response)

    def _open_stream(self, request: Request) -> StreamReader:
        fields = self._reader.fields
        coding = None
        if request.options.auto_decompress and CONTENT_ENCODING in fields:
            coding = ",".join(fields.getall(CONTENT_ENCODING))
        return open_stream(request, coding, self, self._loop)

    # Input

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (called by the event loop)."""
        self.transport = cast(asyncio.Transport, transport)
        self._owner.connection_made(self)

    def data_received(self, data: bytes) -> None:
        """Process a segment (called by the event loop)."""
        exchange = self._exchange
        if exchange is None:
            self._take_unasked(data)
            return
        exchange.got_bytes = True
        self._watch.last_activity = now = self._loop.time()
        if exchange.answered is None:
            exchange.answered = now
        try:
            if self._remaining:
                self._take_rest(data)
                return
            reader = self._reader
            reader.feed(data)
            if reader.error is not None:
                self.fail(reader.error)
            elif reader.upgrade is not None:
                self._switch_protocol(reader.upgrade)
            elif reader.complete:
                self._finish(exchange)
            elif reader.head_done:
                self._take_body()
            elif reader.only_interim:
                exchange.answered = None
                if reader.continued:
                    self._sender.answered(True)
        except Exception as error:  # noqa: BLE001  (a user's response class may raise anything)
            # The event loop would only log it, and the caller would wait forever.
            self._crash(error)

    def _take_unasked(self, data: bytes) -> None:
        """Process bytes that come while there is no exchange."""
        if self._state is SWITCHED:
            self._unread += data
            self.pause_reading()
        else:
            self.abort()

    def _take_body(self) -> None:
        """Pass on the part of an incomplete body that a segment brought."""
        reader = self._reader
        if self._state is DRAINING:
            self._drain(sum(map(len, reader.chunks)))
            reader.chunks.clear()
            return
        if self._state is WAITING:
            self._state = STREAMING
            self._deliver(None)
            # The rest of a body of known length needs no parser: the segments are its pieces.
            self._remaining = reader.hand_over()
        self._feed_stream(self._stream)

    def _feed_stream(self, stream: StreamReader | None) -> None:
        chunks = self._reader.chunks
        if stream is not None:
            for chunk in chunks:
                if chunk:
                    stream.feed_data(chunk)
                else:
                    stream.feed_chunk_end()
        chunks.clear()

    def _take_rest(self, data: bytes) -> None:
        """Process a segment of a long body of known length."""
        remaining = self._remaining - len(data)
        if remaining < 0:
            self._reader.extra = True
            data = data[:remaining]
            remaining = 0
        self._remaining = remaining
        if self._state is DRAINING:
            self._drain(len(data))
        elif self._stream is not None:
            self._stream.feed_data(data)
        if not remaining and self._exchange is not None:
            self._finish(self._exchange)

    def _switch_protocol(self, rest: bytes) -> None:
        """Stop speaking HTTP: the server has switched protocols (101)."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            self.abort()  # the request was cancelled
            return
        exchange = cast(Exchange, self._exchange)
        lease = Connection(self, exchange)
        self._lease = ref(lease)
        exchange.lease = ref(lease)
        exchange.ended = self._watch.last_activity
        self._deliver(b"", lease)
        self._state = SWITCHED
        self._unread = rest
        self._exchange = None
        self._watch.end()
        self.pause_reading()

    def take_over(self, exchange: Exchange) -> TakenOver | None:
        """Return the connection for another protocol; None if the server has not switched, or the connection is
        lost.
        """
        return self if self._state is SWITCHED and self.transport is not None else None

    def take_rest(self) -> bytes:
        """Return the bytes after the head of the response."""
        rest, self._unread = self._unread, b""
        return rest

    def lost(self, error: Exception | None) -> None:
        """Note that the transport was closed; the new protocol passes its report on."""
        self.connection_lost(error)

    def eof_received(self) -> bool:
        """End the response, and let the transport close itself (called by the event loop).

        This does not wait for ``connection_lost()``: the transport first sends its buffer, and a server that has ended
        its half may never read that.
        """
        try:
            if self._exchange is not None:
                if self._reader.until_eof and self._is_end_confirmed():
                    self._watch.last_activity = self._loop.time()
                    self._finish(self._exchange)
                else:
                    self._lose(self._exchange, None)
            elif self._state is not SWITCHED:
                self.close()
        except Exception as error:  # noqa: BLE001  (as in data_received)
            self._crash(error)
        return False

    def _is_end_confirmed(self) -> bool:
        """Tell whether the server itself ended the connection; anybody may have cut it otherwise (RFC 9112, section
        9.8).
        """
        tls = cast(asyncio.Transport, self.transport).get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            ended: bool = tls.read(1) == b""  # after close_notify; without it, TLS wants more input
        except SSLError:
            return False
        return ended

    def connection_lost(self, error: Exception | None) -> None:
        """End (called by the event loop)."""
        if error is not None and self._exchange is not None and self.transport is not None:
            # With TLS these bytes have been read already, see LeftoversProtocol.
            for data in read_leftovers(self.transport):
                self.data_received(data)
                if self.idle:
                    break
        if self._exchange is not None:
            self._lose(self._exchange, error)
        else:
            self._loss = error
        self._close_state()
        self.transport = None
        self._owner.connection_gone(self)

    def early_end(self, request: Request) -> ClientError:
        """Return the error for a connection that ended before *request* was sent, with its cause if that is known."""
        return unsent_error(request, self._loss, used=self.exchanges != 0)

    def _lose(self, exchange: Exchange, error: Exception | None) -> None:
        """End *exchange* with the error for the lost connection."""
        self.fail(lost_error(exchange, self._reader, self._remaining, error))

    # The end

    def _finish(self, exchange: Exchange) -> None:
        """Deliver the complete response of *exchange*, and become idle or close."""
        reader = self._reader
        stream = self._stream
        if stream is not None:
            self._feed_stream(stream)
            exchange.ended = self._watch.last_activity
            stream.feed_eof()
            self._stream = None
        elif self._state is not DRAINING:
            chunks = reader.chunks
            exchange.ended = self._watch.last_activity
            self._deliver(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        else:
            self._drain(sum(map(len, reader.chunks)))
        if self._lease is not None:
            self._end_lease()
        sent = exchange.sent is ALL
        last = exchange.request.content is not None and self._is_early(exchange.request)
        self._exchange = None
        self._watch.end()
        reader.rest()
        if reader.keep and sent and not reader.extra and self._state is not CLOSED and not last:
            self._state = IDLE
            self.exchanges += 1
            if self._reading_paused:
                self.resume_reading()
            self.last_activity = self._watch.last_activity
            self.idle_time = reader.idle_time
            self._owner.connection_idle(self)
        elif sent and not last:
            self.close()
        else:
            self.abort()  # nobody waits for the rest of the upload any more

    def _is_early(self, request: Request) -> bool:
        """Tell whether the response came, or may have come, before the server has read the whole *request*.

        The connection must then not be reused, because servers lose track of the rest: squid, which refuses by the head
        alone, in one of fifty cases receives the next request completely and never answers it.
        """
        body = request.content
        if body is None:
            return False
        if self.transport is not None and self.transport.get_write_buffer_size():
            return True
        size = self._sender.uploaded if body.data is None else len(body.data)
        return self._reader.status >= 400 and size > EARLY_BODY

    def fail(self, error: Exception) -> None:
        """End the exchange with *error* and close the connection."""
        if self._exchange is None:
            return
        waiter = self._waiter
        if waiter is not None:
            if self._reader.head_done and isinstance(error, ClientPayloadError):
                # The head was valid: the caller gets the response, and the error where the body is read.
                try:
                    self._deliver(None)
                except Exception as crash:  # noqa: BLE001  (as in data_received)
                    self._reject(waiter, self._reported(crash))
            else:
                self._reject(waiter, error)
        stream, self._stream = self._stream, None
        if stream is not None:
            self._feed_stream(stream)
            stream.set_exception(error)
        self._end_lease()
        self._exchange = None
        self.abort()

    def _crash(self, error: Exception) -> None:
        """End the exchange, if it has not ended, with *error*, which was raised here, and close the connection."""
        self.fail(self._reported(error))
        self.abort()

    def _reported(self, error: Exception) -> Exception:
        """Return what the caller gets for *error*; report it to the event loop, unless a response class raised it.

        Otherwise it is a bug of this library, and a caller that catches it would hide it.
        """
        if isinstance(error, _ResponseClassError):
            return error.raised
        self._loop.call_exception_handler(
            {
                "message": f"Fault in aioclient while it read a response: {error!r}",
                "exception": error,
                "protocol": self,
                "transport": self.transport,
            }
        )
        return error

    def _reject(self, waiter: "asyncio.Future[ClientResponse]", error: Exception) -> None:
        """Raise *error* in the waiting caller."""
        self._waiter = None
        if isinstance(error, StopIteration):  # a future accepts every other exception
            cause, error = error, RuntimeError(f"the response class raised {error!r}")
            error.__cause__ = cause
        if not waiter.done():
            waiter.set_exception(error)

    def _end_lease(self) -> None:
        """End the response's lease."""
        lease = None if self._lease is None else self._lease()
        if lease is not None:
            lease.end()
        self._lease = None

    def disown(self) -> None:
        """End the lease of its response or WebSocket, in a forked process."""
        self._end_lease()

    def release(self, exchange: Exchange) -> None:
        """Drain the rest, up to 64 KiB or 50 ms, to keep the connection; otherwise close it."""
        if self._state is SWITCHED:
            self.abort()
            return
        if self._exchange is not exchange:
            return
        if self._remaining > DRAIN_LIMIT or exchange.sent is not ALL or not self._reader.keep:
            self.abort()
            return
        if self._stream is not None:
            self._stream.set_exception(
                ClientConnectionError(f"{exchange.request.label}: the response was released")
            )
        self._stream = None
        self._lease = None
        self._state = DRAINING
        self._drain_budget = DRAIN_LIMIT
        self.resume_reading()
        self._watch.begin(self._loop.time() + DRAIN_TIME, None)

    def retire(self) -> None:
        """Leave the pool: the slot is free, and the connection is closed after the body."""
        if self.idle:
            self.close()
            return
        self._reader.keep = False
        self._owner.connection_closed(self)
        self.opened = False

    def _drain(self, size: int) -> None:
        self._drain_budget -= size
        if self._drain_budget < 0:
            self.abort()

    def close(self) -> None:
        """Close the connection after everything that was written is sent."""
        transport = self.transport
        self._close_state()
        # Not twice: until Python 3.11.3 a TLS transport then loses its connection, and abort() fails.
        if transport is not None and not transport.is_closing():
            transport.close()

    def abort(self) -> None:
        """Close the connection now."""
        transport = self.transport
        self._close_state()
        if transport is not None:
            transport.abort()

    def _close_state(self) -> None:
        """Release timer, upload, parser and waiters; report to the owner, once."""
        if self._state is CLOSED:
            return
        self._state = CLOSED
        self._watch.close()
        self._sender.close()
        if self._exchange is not None:
            self.fail(
                ClientConnectionError(f"{self._exchange.request.label}: the connection was closed")
            )
        elif self._lease is not None:
            self._end_lease()  # of a connection that had switched protocols
        self._reader.end()
        self._owner.connection_closed(self)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it belongs to."""
        return self._loop

    @property
    def ended(self) -> bool:
        """Whether the connection is closed and the owner knows."""
        return self._state is CLOSED

    @property
    def broken(self) -> bool:
        """Whether nothing can be sent on it any more, even if the owner does not know yet."""
        return self._state is CLOSED or self.transport is None or self.transport.is_closing()

    @property
    def gone(self) -> bool:
        """Whether its socket is closed."""
        return self.transport is None

    @property
    def under_way(self) -> tuple[Exchange, ...]:
        """The current exchange, if there is one."""
        return () if self._exchange is None else (self._exchange,)

    @property
    def idle(self) -> bool:
        """Whether there is no current exchange."""
        return self._exchange is None and self._state is not SWITCHED

    # Time

    def is_at_work(self) -> bool:
        """Tell whether the server's silence is expected (called by the watch)."""
        return self._reading_paused or self._sender.is_moving(self.transport)

    def deadline_passed(self) -> None:
        """End the exchange, or the draining (called by the watch)."""
        if self._exchange is None or self._state is DRAINING:
            self.abort()
            return
        request = self._exchange.request
        total = request.timeout.total
        self.fail(TotalTimeoutError(request.method, request.url, total, self._missing()))

    def silence_passed(self, seconds: float) -> None:
        """End the exchange (called by the watch)."""
        if self._exchange is not None:
            request = self._exchange.request
            self.fail(ReadTimeoutError(request.method, request.url, seconds, self._missing()))

    def _missing(self) -> str:
        if self._reader.head_done:
            return "the rest of the body did not come"
        begun = self._exchange is not None and self._exchange.got_bytes
        return "the rest of the response's head did not come" if begun else "no response"

    # Flow control

    def pause_reading(self) -> None:
        """Stop reading from the socket."""
        transport = self.transport
        if not self._reading_paused and transport is not None and not transport.is_closing():
            self._reading_paused = True
            transport.pause_reading()

    def resume_reading(self) -> None:
        """Read from the socket again."""
        if self._reading_paused:
            self._reading_paused = False
            self._watch.moved()
            if self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()

    def pause_writing(self) -> None:
        """Make ``write()`` wait (called by the event loop)."""
        self._sender.pause()

    def resume_writing(self) -> None:
        """Let ``write()`` continue (called by the event loop)."""
        self._sender.resume()

    # The request body

    @property
    def may_continue(self) -> bool | None:
        """Whether ``100 Continue`` came; False if a final response did, None if neither."""
        reader = self._reader
        return reader.continued if reader.continued or reader.head_done else None

    async def wait_sent(self, exchange: Exchange) -> None:
        """Wait until the request was sent, or given up."""
        if self._exchange is exchange:
            await self._sender.wait_sent()

    def __repr__(self) -> str:
        state = self._state.value
        if self._exchange is not None:
            state += f": {self._exchange.request.label}"
        return (
            f"<Http1Connection {self.key.host}:{self.key.port} {state}, {self.exchanges} exchanges>"
        )


class BufferedHttp1Connection(Http1Connection, asyncio.BufferedProtocol):
    """The same for asyncio's own event loops, reading into a permanent buffer.

    For a plain protocol they allocate 256 KiB for each read and return the unused part: three system calls to map,
    shrink and unmap memory, which cost more than the read itself. uvloop has a buffer of its own. All connections of a
    connector share one buffer, because a read and its processing are one step of their event loop.
    """

    __slots__ = ("buffer",)

    def __init__(
        self,
        owner: Owner,
        key: ConnectionKey,
        loop: asyncio.AbstractEventLoop,
        buffer: memoryview,
        *,
        keep_alive: bool = True,
    ) -> None:
        super().__init__(owner, key, loop, keep_alive=keep_alive)
        self.buffer: memoryview = buffer

    def get_buffer(self, size_hint: int) -> memoryview:
        """Return the buffer to read into (called by the event loop)."""
        return self.buffer

    def buffer_updated(self, size: int) -> None:
        """Process the bytes that were read (called by the event loop)."""
        self.data_received(bytes(self.buffer[:size]))
