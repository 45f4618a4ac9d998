"""HTTP/2 on one connection (RFC 9113), as one ``asyncio.Protocol``: the codec, with a socket and time.

The rules:

* It carries many exchanges at a time, each on a stream of its own. An exchange beyond the server's limit waits for
  room, first come first served; also if the server lowers its limit.
* Cancelling an exchange resets its stream, and does not affect the connection and the other exchanges.
* Everything that exchanges send in one iteration of the event loop is sent in one write.
* While the transport's buffer is full, nothing is taken from the codec: bodies and answers wait there.
* After GOAWAY, or after its last stream identifier, a connection accepts no exchange, and closes after the last one.
* One timer checks the limits of all exchanges.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import ClassVar, Final, cast

from multidict import CIMultiDict

from ...exceptions import (
    ClientConnectionError,
    ClientError,
    ConnectTimeoutError,
    ReadTimeoutError,
    ServerTimeoutError,
    TotalTimeoutError,
)
from ...exchange import NOTHING, Exchange
from ...message.origin import ConnectionKey
from ...message.request import Request
from ...response.client_response import ClientResponse
from ...response.switched import TakenOver
from ..connection import NotOfferedError, Owner
from ..leftovers import input_poll, read_leftovers
from ..request_fields import METHODS_WITH_BODY, exchange_fields
from ..send_queue import unsent_bytes
from .codec import Codec
from .errors import ConnectionFailure, ErrorCode
from .losses import connection_error, unsent_error
from .request_head import OPENING_FIELDS, FieldPairs, RequestHead, request_fields
from .settings import LocalSettings
from .stream_exchange import StreamExchange
from .streams import Stream

PING: Final = b"aioclien"  # 8 bytes (section 6.7)
PING_LIMIT: Final = 20.0  # seconds for the answer
_GONE: Final = ConnectionFailure(ErrorCode.NO_ERROR, "the connection was closed")


class Http2Connection(asyncio.Protocol):
    """One HTTP/2 connection: an ``HttpConnection`` with room for as many exchanges as the server allows.

    Args:
        owner: the owner that keeps it.
        key: the key of the exchanges that it may carry.
        loop: the event loop.
        local: our settings for the server: windows and limits.
        ping: seconds of silence after which a ping is sent; None for never.
    """

    carries_many: ClassVar[bool] = True

    __slots__ = (
        "__weakref__",
        "_active",
        "_closing",
        "_congested",
        "_ended",
        "_flushing",
        "_last_activity",
        "_limit",
        "_loss",
        "_owner",
        "_ping",
        "_pinged",
        "_plain",
        "_plain_fields",
        "_poll",
        "_reserved",
        "_retired",
        "_settings_limit",
        "_timer",
        "_unsent",
        "_unsent_bytes",
        "_waiting",
        "_when",
        "codec",
        "exchanges",
        "key",
        "loop",
        "opened",
        "transport",
    )

    def __init__(
        self,
        owner: Owner,
        key: ConnectionKey,
        loop: asyncio.AbstractEventLoop,
        local: LocalSettings | None = None,
        ping: float | None = None,
    ) -> None:
        self._owner = owner
        self.key: ConnectionKey = key
        self.loop: asyncio.AbstractEventLoop = loop
        self.codec: Codec = Codec(local)
        self.transport: asyncio.Transport | None = None
        self.opened: bool = False
        self.exchanges: int = 0
        self._active: dict[Exchange, StreamExchange] = {}
        self._waiting: deque[StreamExchange] = deque()  # they wait for room
        self._unsent: set[Exchange] = (
            set()
        )  # exchanges that ended while they waited, until they are cancelled
        self._limit = self.codec.peer.max_streams  # the limit that the owner knows
        self._reserved = 0
        self._retired = False
        self._closing = False
        self._ended = False
        self._loss: Exception | None = None
        self._congested = False
        self._flushing = False
        self._last_activity = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._when = 0.0
        self._ping = ping
        self._unsent_bytes = 0  # of what was written, at the last look
        # When the server's SETTINGS must be here, and ours acknowledged; and the seconds that were given for it.
        self._settings_limit: tuple[float, float] | None = None
        self._pinged: float | None = None  # the time of a ping, while its answer is awaited
        self._poll: Callable[[float], object] | None = None
        # The session's default fields, encoded for HTTP/1.1 and in the form for HTTP/2.
        self._plain: bytes | None = None
        self._plain_fields: FieldPairs = ()

    # Exchanges

    @property
    def room(self) -> int:
        """How many exchanges may begin now."""
        if self._retired or self._ended:
            return 0
        return max(0, self.codec.room - self._reserved - len(self._waiting))

    def reserve(self) -> None:
        """Reserve room for one exchange, until it begins or is cancelled."""
        self._reserved += 1

    def outgoing(self, exchange: Exchange) -> "CIMultiDict[str]":
        """Return the fields that will be sent with *exchange*.

        Raises:
            ValueError: as for ``begin()``.
        """
        return CIMultiDict(self._fields_of(exchange))

    def begin(self, exchange: Exchange) -> "asyncio.Future[ClientResponse]":
        """Send the request of *exchange*; call ``cancel()`` to stop waiting for its response.

        The future raises:
            ServerDisconnectedError: the connection ended before a response, or the server reset the stream.
            ClientOSError: it broke.
            ServerProtocolError: the response breaks a rule of HTTP/2, or its head is too large.
            TotalTimeoutError, ReadTimeoutError: no head within ``total`` or ``sock_read``.

        Raises:
            ValueError: the request is invalid; nothing was sent.
            ServerDisconnectedError: the connection is closed; nothing was sent.
            ClientOSError: the same, if the error that broke it is known.
        """
        request = exchange.request
        codec = self.codec
        transport = self.transport
        was_idle = not self._active
        exchange.reused = not was_idle or self.exchanges != 0
        if (
            codec.open_streams.exhausted
            or self._ended
            or transport is None
            or transport.is_closing()
        ):
            raise self.early_end(request)
        head = self._head_of(exchange)
        now = self.loop.time()
        if not exchange.reused:
            self._limit_settings(request, now)
        waiter: asyncio.Future[ClientResponse] = self.loop.create_future()
        active = StreamExchange(self, exchange, waiter, now)
        stream = None if self._waiting else self._open(head, active)
        if stream is None:
            request_fields(head)
            self._waiting.append(active)
        else:
            active.send(stream)
        self._active[exchange] = active
        if self._reserved:
            self._reserved -= 1
        self._watch(request, now)
        if was_idle:
            self._send(transport)
        else:
            self.flush_soon()
        return waiter

    def cancel(self, exchange: Exchange) -> None:
        """End *exchange*, if it has not ended; others on the connection continue."""
        active = self._active.get(exchange)
        if active is not None:
            if active.waiter is not None:
                active.waiter.cancel()
            active.end()
            self._unsent.discard(exchange)
        elif exchange in self._unsent:
            self._unsent.discard(exchange)
        elif exchange.sent is NOTHING:
            self._reserved = max(0, self._reserved - 1)
            self._last_activity = self.loop.time()
            self._changed()

    def release(self, exchange: Exchange) -> None:
        """Reset the stream of *exchange*: that costs less than the rest of its body."""
        active = self._active.get(exchange)
        if active is not None:
            active.end()

    def disown(self) -> None:
        """End the leases of its responses and WebSockets, in a forked process."""
        for active in self._active.values():
            active.end_lease()

    async def wait_sent(self, exchange: Exchange) -> None:
        """Wait until the request of *exchange* was sent, or given up."""
        active = self._active.get(exchange)
        if active is not None:
            await active.wait_sent()

    def take_over(self, exchange: Exchange) -> TakenOver | None:
        """Return the stream of *exchange*, if the server agreed to another protocol on it (RFC 8441)."""
        active = self._active.get(exchange)
        return None if active is None else active.tunnel

    def exchange_ended(self, active: StreamExchange) -> None:
        """Note that an exchange has ended, in any way (called by it)."""
        if self._active.pop(active.exchange, None) is None:
            return
        if active.stream is None:
            if active in self._waiting:
                self._waiting.remove(active)
            self._unsent.add(active.exchange)
        else:
            self.exchanges += 1
        self._changed()

    def _changed(self) -> None:
        """Begin the next exchange that waits for room, and report the remaining room to the owner."""
        if self._closing:
            return
        if self._waiting:
            self._begin_waiting()
        if self._ended:
            if not self._active:
                self.close()
        elif self.codec.open_streams.exhausted:
            self._end()
            if not self._active:
                self.close()
        elif self._active or self._reserved:
            self._owner.room_changed(self)
        else:
            self._owner.connection_idle(self)

    def _begin_waiting(self) -> None:
        waiting = self._waiting
        while waiting:
            active = waiting[0]
            exchange = active.exchange
            try:
                stream = self._open(self._head_of(exchange), active)
            except (ValueError, NotOfferedError) as error:
                # Its head is larger than the server allows by now, or it asks for what the server does not offer. Not
                # at once: the end of an exchange comes back to here.
                waiting.popleft()
                self.loop.call_soon(active.fail, error)
                continue
            if stream is None:
                break
            waiting.popleft()
            active.send(stream)
            self.flush_soon()
        if self.codec.exhausted:
            for active in list(waiting):
                active.fail(self.early_end(active.exchange.request))

    def _open(self, head: RequestHead, active: StreamExchange) -> Stream | None:
        """Begin *head* on a new stream; None as long as there is no room, or it is not known whether it may.

        Raises:
            ValueError: as ``Codec.open()``.
            NotOfferedError: it is an extended CONNECT, which the server does not take (RFC 8441, section 3).
        """
        codec = self.codec
        if head.protocol:
            if not codec.ready:
                return None
            if not codec.peer.extended_connect:
                raise NotOfferedError(f"the server does not offer {head.protocol} over HTTP/2")
            return codec.open(head, active, end=False)
        return codec.open(head, active, end=active.exchange.request.content is None)

    # The head of a request

    def _head_of(self, exchange: Exchange) -> RequestHead:
        request = exchange.request
        if request.options.websocket:
            return RequestHead(
                "CONNECT",
                "https" if request.origin.is_tls else "http",
                request.origin.host_field,
                request.real_url.raw_path_qs,
                self._fields_of(exchange),
                "websocket",
            )
        return RequestHead(
            request.method,
            request.origin.scheme,
            request.origin.host_field,
            request.real_url.raw_path_qs,
            self._fields_of(exchange),
        )

    def _fields_of(self, exchange: Exchange) -> FieldPairs:
        """Return the fields of a request; they are made once for all requests with only the session's default
        fields.
        """
        request = exchange.request
        if request.options.http10:
            raise ValueError(f"{request.label}: http10=True cannot be sent over HTTP/2")
        if (
            request.content is None
            and request.own_headers is None
            and request.cookie is None
            and request.authorization is None
            and request.method not in METHODS_WITH_BODY
            and not request.options.chunked
            and (plain := request.defaults.plain_block()) is not None
        ):
            if plain is not self._plain:
                self._plain = plain
                self._plain_fields = tuple(request.defaults.fields.items())
            return self._plain_fields
        fields = exchange_fields(exchange).items()
        if request.options.websocket:
            return tuple(pair for pair in fields if pair[0].lower() not in OPENING_FIELDS)
        return tuple(fields)

    # Input

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the preface (called by the event loop)."""
        self.transport = cast(asyncio.Transport, transport)
        self._last_activity = self.loop.time()
        self._flush()
        if self._ping is not None:
            self._arm(self._last_activity + self._ping)
        self._owner.connection_made(self)

    def data_received(self, data: bytes | memoryview) -> None:
        """Process a segment (called by the event loop)."""
        self._last_activity = now = self.loop.time()
        codec = self.codec
        for stream in codec.receive(data, now):
            active: StreamExchange | None = stream.owner
            if active is None:
                continue
            try:
                active.take(stream, now)
            except Exception as error:  # noqa: BLE001  (the event loop would only log it, and a caller wait for ever)
                self._report(error)
                active.fail(error)
        if codec.open_streams.has_events:
            self._handle_events()
        if codec.out or codec.uploads.ready:
            self._flush()

    def _handle_events(self) -> None:
        """See what has changed of the connection."""
        self.codec.open_streams.has_events = False
        if self.codec.failure is not None:
            self._flush()
            self.close()
        elif not self._ended:
            limit = self.codec.peer.max_streams
            if self._waiting or self.codec.exhausted or (limit != self._limit and not self.idle):
                self._changed()
            self._limit = limit

    def eof_received(self) -> bool:
        """End what is under way, and let the transport close itself (called by the event loop)."""
        self._lose(None)
        self.close()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """End (called by the event loop)."""
        if error is not None and self._active and self.transport is not None:
            # With TLS it has been read already, see LeftoversProtocol.
            for data in read_leftovers(self.transport):
                self.data_received(data)
        self._loss = error
        self._lose(error)
        self.codec.lose(_GONE)
        self._close_exchanges()
        self.transport = None
        self._owner.connection_gone(self)

    def _lose(self, error: Exception | None) -> None:
        """End all exchanges with what was lost with the connection."""
        self._closing = True
        for active in list(self._active.values()):
            active.fail(connection_error(active.exchange, active.stream, error))

    def _report(self, error: Exception) -> None:
        self.loop.call_exception_handler(
            {
                "message": f"Fault in aioclient while it read a response: {error!r}",
                "exception": error,
                "protocol": self,
                "transport": self.transport,
            }
        )

    # What is sent

    def flush_soon(self) -> None:
        """Send what can be sent, together with what others send in this iteration of the event loop."""
        if not self._flushing and not self._congested:
            self._flushing = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        transport = self.transport
        if transport is not None and not transport.is_closing():
            self._send(transport)

    def _send(self, transport: asyncio.Transport) -> None:
        codec = self.codec
        while not self._congested and (data := codec.take()):
            transport.write(data)
            if not codec.uploads.ready:
                break
        if codec.drained:
            drained, codec.drained = codec.drained, []
            for stream in drained:
                if stream.owner is not None:
                    stream.owner.drained()

    def pause_writing(self) -> None:
        """Take no more from the codec (called by the event loop)."""
        self._congested = True

    def resume_writing(self) -> None:
        """Go on sending (called by the event loop)."""
        self._congested = False
        self._flush()

    # The connection

    @property
    def idle(self) -> bool:
        """Whether it carries no exchange, nor keeps room for one."""
        return not self._active and not self._reserved

    @property
    def under_way(self) -> tuple[Exchange, ...]:
        """The exchanges that it carries now."""
        return tuple(self._active)

    @property
    def ended(self) -> bool:
        """Whether the owner was notified that it carries no further exchange."""
        return self._ended

    @property
    def broken(self) -> bool:
        """Whether nothing can be sent on it any more; the owner may not have been notified yet."""
        transport = self.transport
        return self._ended or transport is None or transport.is_closing()

    @property
    def gone(self) -> bool:
        """Whether its socket is closed."""
        return self.transport is None

    @property
    def last_activity(self) -> float:
        """When bytes came last, in the event loop's time."""
        return self._last_activity

    @property
    def idle_time(self) -> int | None:
        """None: a server over HTTP/2 does not say for how long it keeps an idle connection."""
        return None

    def has_input(self) -> bool:
        """Tell whether there is something to read, or the connection is broken.

        Give the event loop a few turns then, to read it: a GOAWAY, or the end, may be among it.
        """
        poll = self._poll
        if poll is None:
            if self.transport is None:
                return True
            self._poll = poll = input_poll(self.transport)
        transport = self.transport  # below is ``broken``, which would be a call more
        return bool(poll(0) or self._ended or transport is None or transport.is_closing())

    def early_end(self, request: Request) -> ClientError:
        """Say that the connection ended before *request* was sent, and by what if that is known."""
        reason: Exception | None = self._loss
        if reason is None and self.codec.failure is not _GONE:
            reason = self.codec.failure
        return unsent_error(request.label, reason, used=self.exchanges != 0)

    def retire(self) -> None:
        """Carry no exchange besides those under way, and close behind the last of them."""
        if self.idle:
            self.close()
            return
        self._retired = True
        self._end()
        self.opened = False

    def close(self) -> None:
        """Close the connection once what was written is sent."""
        transport = self.transport
        self._close_exchanges()
        # Not twice: until Python 3.11.3 a TLS transport then forgets its connection, and abort() fails.
        if transport is not None and not transport.is_closing():
            self.codec.close()
            self._flush()
            transport.close()

    def abort(self) -> None:
        """Close the connection now; what was handed over in this round of the event loop is sent if it can be."""
        transport = self.transport
        self._flush()
        self._close_exchanges()
        if transport is not None:
            transport.abort()

    def _close_exchanges(self) -> None:
        """Let go of timer and exchanges; tell the owner, once."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for active in list(self._active.values()):
            label = active.exchange.request.label
            active.fail(ClientConnectionError(f"{label}: the connection was closed"))
        self._end()

    def _end(self) -> None:
        """Tell the owner, once, that it carries no other exchange."""
        if not self._ended:
            self._ended = True
            self._owner.connection_closed(self)

    # Time

    def _watch(self, request: Request, now: float) -> None:
        """See to it that the timer fires when a limit of *request* may be reached, if not earlier."""
        when = request.deadline
        silence = request.timeout.sock_read
        if silence is not None:
            when = now + silence if when is None else min(when, now + silence)
        if when is not None and (self._timer is None or when < self._when):
            self._arm(when)

    def _limit_settings(self, request: Request, now: float) -> None:
        """Limit the wait for SETTINGS as that for a connection: only with them it is known to be one of HTTP/2."""
        seconds = request.timeout.sock_connect
        if seconds is not None and self._settings_limit is None and not self.codec.acknowledged:
            self._settings_limit = now + seconds, seconds
            if self._timer is None or now + seconds < self._when:
                self._arm(now + seconds)

    def _check_settings(self, now: float) -> float | None:
        """Give up a server whose SETTINGS do not come (RFC 9113, sections 3.4 and 6.5.3); return when to look again."""
        codec = self.codec
        if self._settings_limit is None or (codec.ready and codec.acknowledged):
            self._settings_limit = None
            return None
        end, seconds = self._settings_limit
        if now < end:
            return end
        missing = "no acknowledgement of our SETTINGS" if codec.ready else "no SETTINGS of HTTP/2"
        for active in list(self._active.values()):
            request = active.exchange.request
            active.fail(
                ConnectTimeoutError(request.method, request.url, seconds, missing, "sock_connect")
            )
        codec.close(ErrorCode.SETTINGS_TIMEOUT)
        self._flush()
        self.abort()
        return None

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._on_timer)
        self._when = when

    def _on_timer(self) -> None:
        """End the exchanges whose limits are reached; arm the timer anew for the others."""
        self._timer = None
        now = self.loop.time()
        next_time = None if self._ping is None else self._check_silence(now, self._ping)
        settings_time = self._check_settings(now)
        if settings_time is not None and (next_time is None or settings_time < next_time):
            next_time = settings_time
        if self._closing:
            return
        sends = self._is_sending()
        for active in list(self._active.values()):
            when = self._check(active, now, sends)
            if when is not None and (next_time is None or when < next_time):
                next_time = when
        if next_time is not None:
            self._arm(next_time)

    def _check_silence(self, now: float, interval: float) -> float | None:
        """Ask a silent server whether it is there, and give up one that does not answer; return when to look again."""
        pinged = self._pinged
        if pinged is not None and self._last_activity < pinged:
            if now < pinged + PING_LIMIT:
                return pinged + PING_LIMIT
            for active in list(self._active.values()):
                label = active.exchange.request.label
                active.fail(
                    ServerTimeoutError(
                        f"{label}: nothing came within {PING_LIMIT:g} s of a ping (http2_ping={interval:g})"
                    )
                )
            self.abort()
            return None
        self._pinged = None
        if now >= self._last_activity + interval:
            self._pinged = now
            self.codec.ping(PING)
            self._flush()
            return now + min(interval, PING_LIMIT)
        return self._last_activity + interval

    def _is_sending(self) -> bool:
        """Tell whether the server has taken some of what was written since the last look, and not all."""
        before = self._unsent_bytes
        self._unsent_bytes = 0 if self.transport is None else unsent_bytes(self.transport)
        return self._unsent_bytes not in (0, before)

    def _check(self, active: StreamExchange, now: float, sends: bool) -> float | None:
        """End *active* if one of its limits is reached; return when to look again, None for never.

        *sends*: the server takes what was written, a body of this exchange perhaps.
        """
        if active.tunnel is not None:
            return None
        request = active.exchange.request
        when, silence = request.deadline, request.timeout.sock_read
        if when is not None and now >= when:
            total = request.timeout.total
            active.fail(TotalTimeoutError(request.method, request.url, total, _missing(active)))
            return None
        if silence is not None:
            if active.moves or (
                sends and request.content is not None and not active.exchange.got_bytes
            ):
                active.last_activity = now
            until = active.last_activity + silence
            if now >= until:
                active.fail(
                    ReadTimeoutError(request.method, request.url, silence, _missing(active))
                )
                return None
            when = until if when is None else min(when, until)
        return when

    def __repr__(self) -> str:
        state = "closed" if self._ended else "open"
        return (
            f"<Http2Connection {self.key.host}:{self.key.port} {state}, {len(self._active)} under way, "
            f"{self.exchanges} exchanges>"
        )


class BufferedHttp2Connection(Http2Connection, asyncio.BufferedProtocol):
    """The same for asyncio's own event loops, reading into a buffer that lives on, as ``BufferedHttp1Connection``."""

    __slots__ = ("buffer",)

    def __init__(
        self,
        owner: Owner,
        key: ConnectionKey,
        loop: asyncio.AbstractEventLoop,
        buffer: memoryview,
        local: LocalSettings | None = None,
        ping: float | None = None,
    ) -> None:
        super().__init__(owner, key, loop, local, ping)
        self.buffer: memoryview = buffer

    def get_buffer(self, size_hint: int) -> memoryview:
        """Return where to read to (called by the event loop)."""
        return self.buffer

    def buffer_updated(self, size: int) -> None:
        """Take what was read (called by the event loop)."""
        self.data_received(self.buffer[:size])


def _missing(active: StreamExchange) -> str:
    if active.stream is None:
        return "no stream was free on the connection"
    if active.stream.head is not None:
        return "the rest of the body did not come"
    return "no response"
