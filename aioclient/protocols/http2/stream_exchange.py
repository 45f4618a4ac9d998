"""One exchange on a stream of a connection: the delivery of its response, and the sending of its body."""

import asyncio
from typing import Final, Protocol
from weakref import ref

from aiohttp import HttpVersion
from multidict import CIMultiDict, CIMultiDictProxy

from ...exceptions import ClientConnectionError, ClientPayloadError
from ...exchange import ALL, PART, Exchange
from ...message.headers import CONTENT_ENCODING
from ...response.body_stream import open_stream
from ...response.client_response import ClientResponse
from ...response.lease import Connection, LeasedConnection
from ...response.stream import StreamReader
from ..body_writers import CountingWriter
from ..http1.response import FORBIDDEN_TRAILERS
from ..request_fields import expects_continue
from .codec import Codec
from .losses import size_error, stream_error
from .response_head import ResponseHead
from .states import CLOSED, WHOLE
from .stream_sender import StreamSender
from .streams import Stream
from .tunnel import StreamTunnel

VERSION: Final = HttpVersion(2, 0)
_NO_TRAILERS: "CIMultiDictProxy[str]" = CIMultiDictProxy(CIMultiDict())


class StreamConnection(LeasedConnection, Protocol):
    """The connection, as its exchanges use it."""

    codec: Codec

    def flush_soon(self) -> None:
        """Send what can be sent, together with what others send in this iteration of the event loop."""

    def exchange_ended(self, active: "StreamExchange") -> None:
        """Note that an exchange has ended, in any way."""


class StreamExchange:
    """A current exchange.

    Attributes:
        exchange: The exchange that it carries.
        stream: Its stream; None while it waits for room.
        waiter: The future of the response; None once it was delivered.
        last_activity: When bytes came for it, or it made progress, in the event loop's time.
        over: It has ended.
    """

    __slots__ = (
        "_connection",
        "_lease",
        "_reader",
        "_sender",
        "_trailers",
        "_unsent",
        "exchange",
        "last_activity",
        "over",
        "stream",
        "waiter",
    )

    def __init__(
        self,
        connection: StreamConnection,
        exchange: Exchange,
        waiter: "asyncio.Future[ClientResponse]",
        now: float,
    ) -> None:
        self._connection = connection
        self.exchange: Exchange = exchange
        self.stream: Stream | None = None
        self.waiter: asyncio.Future[ClientResponse] | None = waiter
        self.last_activity: float = now
        self.over: bool = False
        self._reader: StreamReader | StreamTunnel | None = None
        self._sender: StreamSender | None = None
        # Weak: only the response keeps its lease, so that dropping the response ends the lease.
        self._lease: ref[Connection] | None = None
        self._trailers: CIMultiDict[str] | None = None
        self._unsent = 0  # bytes of the body, at the last check

    # The request

    @property
    def codec(self) -> Codec:
        """The codec of the connection."""
        return self._connection.codec

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the connection."""
        return self._connection.loop

    @property
    def below(self) -> asyncio.Transport | None:
        """The transport of the connection."""
        return self._connection.transport

    @property
    def tunnel(self) -> StreamTunnel | None:
        """What another protocol takes over; None as long as this is a request and its response."""
        reader = self._reader
        return reader if isinstance(reader, StreamTunnel) else None

    def flush(self) -> None:
        """Send what can be sent."""
        self._connection.flush_soon()

    def send(self, stream: Stream) -> None:
        """Send the body of the request, whose head was sent on *stream*."""
        self.stream = stream
        exchange = self.exchange
        request = exchange.request
        body = request.content
        if body is None:
            exchange.sent = ALL
        elif (
            body.data is not None
            and not expects_continue(request)
            and (request.trace is None or not request.trace.wants_upload)
        ):
            # It is one object in memory; the codec sends as much of it as the server's windows allow.
            exchange.sent = ALL
            self.codec.send(stream, body.data, end=True)
        else:
            exchange.sent = PART
            self._sender = sender = StreamSender(self, self.loop)
            sender.begin(exchange, body, CountingWriter(sender, request, body))

    def drained(self) -> None:
        """Continue sending: everything that was handed over is sent."""
        if self._sender is not None:
            self._sender.drained()
        elif self.tunnel is not None:
            self.tunnel.drained()

    async def wait_sent(self) -> None:
        """Wait until the body was sent, or given up."""
        if self._sender is not None:
            await self._sender.wait_sent()

    # The response

    def take(self, stream: Stream, now: float) -> None:
        """Process the news of a segment that came at *now*."""
        exchange = self.exchange
        exchange.got_bytes = True
        self.last_activity = now
        if stream.interim is not None:
            self._take_interim(stream)
        head = stream.head
        if head is not None and self.waiter is not None:
            exchange.answered = now
            if self._sender is not None:
                self._sender.answered(False)
            if stream.part is WHOLE and not (
                stream.method == "CONNECT" and _opens_tunnel(exchange, head)
            ):
                exchange.ended = now
                chunks = stream.chunks
                if self._deliver(stream, chunks[0] if len(chunks) == 1 else b"".join(chunks)):
                    self._end()
                return
            if not self._deliver(stream, None):
                return
        reader = self._reader
        if reader is not None:
            for chunk in stream.chunks:
                reader.feed_data(chunk)
        stream.chunks.clear()
        if stream.failure is not None:
            exchange.refused = stream.failure.unprocessed
            error = stream_error(exchange, stream, stream.failure)
            if self.tunnel is not None and self.tunnel.is_unclaimed:
                # The caller is about to take it over, and reads what came before the reset.
                self.loop.call_soon(self.fail, error)
            else:
                self.fail(error)
        elif stream.part is WHOLE:
            exchange.ended = now
            self._finish(stream, reader)

    def _take_interim(self, stream: Stream) -> None:
        interim, stream.interim = stream.interim or [], None
        for head in interim:
            if head.status == 103:
                self.exchange.take_early_hints(head.fields)
            elif head.status == 100 and self._sender is not None:
                self._sender.answered(True)

    def _finish(self, stream: Stream, reader: StreamReader | StreamTunnel | None) -> None:
        """End a body that came in pieces."""
        if isinstance(reader, StreamTunnel):
            reader.feed_eof()  # the tunnel ends the exchange, when its own side has ended
            return
        if reader is not None:
            if self._trailers is not None:
                self._trailers.extend(_trailers_of(stream))
            self._reader = None
            reader.feed_eof()
        self._end()

    def _deliver(self, stream: Stream, raw: bytes | None) -> bool:
        """Deliver the response to the waiting caller: complete (*raw*), or with a stream; return False if that gets an
        error.
        """
        waiter, self.waiter = self.waiter, None
        head = stream.head
        if waiter is None or waiter.done() or head is None:
            return True
        exchange = self.exchange
        request = exchange.request
        options = request.options
        if head.largest > options.max_field_size or head.count > options.max_headers:
            waiter.set_exception(size_error(exchange, head))
            self.end()
            return False
        lease = body = None
        trailers = None
        if raw is not None:
            if stream.trailers is not None:
                trailers = CIMultiDict(_trailers_of(stream))
        elif _opens_tunnel(exchange, head):
            raw = b""
            self._reader = StreamTunnel(self, stream)
            lease = self._new_lease()
        else:
            self._trailers = trailers = CIMultiDict()
            coding = None
            if request.options.auto_decompress and CONTENT_ENCODING in head.fields:
                coding = ",".join(head.fields.getall(CONTENT_ENCODING))
            self._reader = body = open_stream(request, coding, self, self.loop)
            lease = self._new_lease()
        try:
            response = request.options.response_class(
                exchange,
                VERSION,
                head.status,
                head.reason,
                head.fields,
                _NO_TRAILERS if trailers is None else CIMultiDictProxy(trailers),
                raw,
                body,
                lease,
            )
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  (a user's response class may raise anything)
            waiter.set_exception(_raised_by_class(error))
            self.end()
            return False
        waiter.set_result(response)
        return True

    def _new_lease(self) -> Connection:
        exchange = self.exchange
        lease = Connection(self._connection, exchange)
        self._lease = ref(lease)
        exchange.lease = ref(lease)
        return lease

    def pause_reading(self) -> None:
        """Let at most one more window come (called by the reader of the body)."""
        if self.stream is not None:
            self.codec.pause(self.stream)

    def resume_reading(self) -> None:
        """Let the body continue (called by the reader of the body)."""
        if self.stream is not None and not self.over:
            self.last_activity = self.loop.time()
            self.codec.resume(self.stream)
            self.flush()

    def abort(self) -> None:
        """End the exchange: the rest of the body is useless (called by the reader of the body)."""
        self._reader = None
        self.end()

    # The end

    @property
    def moves(self) -> bool:
        """Whether the server's silence is expected: nobody reads, or the request's body is being made."""
        stream = self.stream
        if stream is not None:
            unsent = 0 if stream.upload is None else stream.upload.unsent
            if stream.paused or unsent != self._unsent:
                self._unsent = unsent
                return True
        return self._sender is not None and not self._sender.waits and self.exchange.sent is not ALL

    def fail(self, error: Exception) -> None:
        """End the exchange with *error*, and reset its stream if it is open."""
        if self.over:
            return
        stream = self.stream
        if (
            self.waiter is not None
            and stream is not None
            and stream.head is not None
            and isinstance(error, ClientPayloadError)
            and not self._deliver(stream, None)
        ):
            return
        # The head was valid: the caller has the response, and gets the error where the body is read.
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        reader, self._reader = self._reader, None
        if reader is not None:
            for chunk in () if stream is None else stream.chunks:
                reader.feed_data(chunk)
            reader.set_exception(error)
        self.end()

    def end(self) -> None:
        """End the exchange, and reset its stream if it is open: nobody wants the rest."""
        if not self.over:
            reader, self._reader = self._reader, None
            if reader is not None:
                label = self.exchange.request.label
                reader.set_exception(ClientConnectionError(f"{label}: the response was released"))
            if self.stream is not None:
                self.stream.chunks.clear()
            self._end()

    def _end(self) -> None:
        """Release everything; a stream that is still open is reset (RFC 9113, sections 5.4.2 and 8.1)."""
        self.over = True
        if self._sender is not None:
            self._sender.close()
        connection, stream = self._connection, self.stream
        if stream is not None:
            stream.owner = None  # otherwise each keeps the other until the next garbage collection
            if stream.state is not CLOSED:
                connection.codec.reset(stream)
                connection.flush_soon()
        if self._lease is not None:
            self.end_lease()
        connection.exchange_ended(self)

    def end_lease(self) -> None:
        """Let go of the response: whether it is dropped means nothing any more."""
        lease = None if self._lease is None else self._lease()
        if lease is not None:
            lease.end()
        self._lease = None


def _opens_tunnel(exchange: Exchange, head: ResponseHead) -> bool:
    """Tell whether *head* agrees to a WebSocket (RFC 8441, section 5)."""
    return exchange.request.options.websocket and head.status < 300


def _trailers_of(stream: Stream) -> list[tuple[str, str]]:
    """Return the trailers that may be shown (RFC 9110, section 6.5.1)."""
    return [pair for pair in stream.trailers or () if pair[0] not in FORBIDDEN_TRAILERS]


def _raised_by_class(error: BaseException) -> Exception:
    """Return the exception for the caller when a response class raised *error*."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    crash = RuntimeError(f"the response class raised {error!r}")
    crash.__cause__ = error
    return crash
