"""The driver of the pool: it performs what the bookkeeping decides, with sockets and time.

A connector is the last step of the chain. It gives each request a connection (a reused one if there is one, else a
new one, else a place in the queue), runs the exchange on it, and takes the connection back when the response's body
has ended. It counts a slot from the moment it is reserved until the connection is idle or closed, so that no
cancellation can lose one.
"""

import asyncio
import errno
import os
import socket
import warnings
from collections.abc import Awaitable, Callable, Iterable
from ssl import CERT_REQUIRED, SSLContext
from types import TracebackType
from typing import Final, Self, cast
from weakref import WeakSet, ref

from ..chain import note_unread, release_unread
from ..exceptions import (
    ClientConnectionError,
    ClientOSError,
    ConnectTimeoutError,
    PoolTimeoutError,
    ServerDisconnectedError,
    ServerTimeoutError,
    TotalTimeoutError,
)
from ..exchange import NOTHING, Exchange, repeatable
from ..message.origin import ConnectionKey
from ..message.request import Request, check_lenient
from ..message.timings import Phases
from ..message.unset import UNSET, Unset
from ..protocols.http1.connection import BufferedHttp1Connection, Http1Connection
from ..protocols.http1.head import encode_head
from ..protocols.leftovers import BeforeTLS, LeftoversProtocol
from ..response.client_response import ClientResponse
from ..response.trace import CallTrace
from ..warning import Birthplace, warn_legacy
from .dial import Create, make_transport
from .errors import connect_error
from .limits import Limit, earliest, ends
from .pool import Grant, Open, Pool, PoolStatistics, Ticket
from .shutdown import Closing
from .tls import Fingerprint, Setting, TLSPlan, own_context_for, plan_tls

# Bytes taken from a socket at a time, as asyncio's own loops do; less costs more system calls for large bodies.
READ_SIZE: Final = 256 * 1024
KEEPALIVE_TIMEOUT: Final = 15.0  # seconds, as aiohttp's
# Seconds for TLS goodbyes, of one connection and in close(); then it is aborted.
CLOSE_TIME: Final = 2.0
NO_TIME: Final = 1e-9  # event loops take no 0
# The event loop reads what lies in a socket within two; TLS tickets come in pairs.
SETTLE_TURNS: Final = 8
# A socket of a failed handshake is closed one round of the event loop later, or a few; more than enough.
CLOSE_TURNS: Final = 100

live_connectors: "WeakSet[BaseConnector]" = WeakSet()


class Dial:
    """A connection being made: until when, and what is missing so far, for the error that says so.

    ``phases`` takes the seconds of each phase; ``trace`` is told of them, if there is one.
    """

    __slots__ = ("missing", "phases", "timeout", "trace")

    def __init__(
        self, when: float | None, missing: str, phases: Phases, trace: CallTrace | None
    ) -> None:
        self.timeout = asyncio.timeout_at(when)
        self.missing = missing
        self.phases = phases
        self.trace = trace


class BaseConnector:
    """A pool of connections and the way to make them.

    Args:
        keepalive_timeout: seconds for which an idle connection may be reused, 15 by default; None for ever, 0 as
            ``force_close``. A server that announces less (``Keep-Alive: timeout=...``) is heeded.
        force_close: close each connection after one response.
        limit: connections at a time, idle ones included; 0 or None for no limit.
        limit_per_host: connections at a time to one host, port and TLS setting; 0 for no limit.
        retry_stale: repeat a request whose reused connection the server had closed, when nothing of a response came
            and the method is idempotent or nothing of the request left (RFC 9112, section 9.3.1).
        lenient: what sessions that use this connector take for their ``lenient``, unless they are given one.
        enable_cleanup_closed: does nothing (deprecated: the event loop does it now).
        loop: must be the loop of the first session (deprecated: it is anyway).

    Raises:
        ValueError: ``force_close`` and a ``keepalive_timeout`` are both given.
    """

    _closed = True  # for __del__, when __init__ was called with arguments that it has not
    _ssl: Setting = True
    _own_context: SSLContext | None = (
        None  # once somebody has asked for it, and may have changed it
    )
    _conn_timeout: float | None = None
    _close_time = CLOSE_TIME

    takes_proxies = False
    """Whether requests may go by a proxy; a connector to one place only has no use for one."""

    def __init__(
        self,
        *,
        keepalive_timeout: float | Unset | None = UNSET,
        force_close: bool = False,
        limit: int | None = 100,
        limit_per_host: int | None = 0,
        enable_cleanup_closed: bool = False,
        retry_stale: bool = True,
        lenient: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._closed = True  # until everything below was accepted
        if isinstance(keepalive_timeout, Unset):
            keepalive_timeout = KEEPALIVE_TIMEOUT
        elif force_close and keepalive_timeout:
            raise ValueError(
                f"keepalive_timeout={keepalive_timeout} and force_close=True contradict each other; leave out one"
            )
        if enable_cleanup_closed:
            warn_legacy("enable_cleanup_closed", "leave it out: the event loop closes them itself")
        if loop is not None:
            warn_legacy("loop=", "leave it out: it is the loop of the first session")
        self._force_close = force_close or keepalive_timeout == 0
        self._retry_stale = retry_stale
        self._lenient = check_lenient(lenient)
        self._limit = limit or 0
        self._limit_per_host = limit_per_host or 0
        self._pool: Pool[ConnectionKey, Http1Connection] = Pool(
            limit=self._limit,
            limit_per_host=self._limit_per_host,
            keepalive_timeout=keepalive_timeout,
        )
        self._loop: asyncio.AbstractEventLoop | None = loop
        self._pid = os.getpid()
        self._link = _Link(self)
        self._sockets: set[Http1Connection] = set()
        self._dials: set[Dial] = set()
        self._handshakes: WeakSet[socket.socket] = WeakSet()  # those that failed, too
        self._all_gone = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None
        self._buffer: memoryview | None = None
        self._made_at = Birthplace(loop or asyncio._get_running_loop())
        self._closed = False
        live_connectors.add(self)

    # Settings and state

    @property
    def closed(self) -> bool:
        """Whether the connector was closed."""
        return self._closed

    @property
    def force_close(self) -> bool:
        """Whether each connection is closed after one response."""
        return self._force_close

    @property
    def lenient(self) -> bool:
        """Whether sessions that use it read responses leniently, unless they say otherwise."""
        return self._lenient

    @property
    def limit(self) -> int:
        """Connections at a time; 0 for no limit."""
        return self._limit

    @property
    def limit_per_host(self) -> int:
        """Connections at a time to one host; 0 for no limit."""
        return self._limit_per_host

    @property
    def verify_ssl(self) -> bool:
        """Whether certificates are verified against authorities, for requests that say nothing."""
        setting = self._ssl
        if isinstance(setting, SSLContext):
            return setting.verify_mode == CERT_REQUIRED
        return setting.verify if isinstance(setting, Fingerprint) else bool(setting)

    @property
    def ssl_context(self) -> SSLContext:
        """The context of requests that say nothing; unless it was given, it is made now, on this thread.

        It is this connector's alone. Connections made before it was asked for, or changed, stay in use.
        """
        if self._own_context is None:
            self._own_context = own_context_for(self._ssl)
        return self._own_context

    @property
    def fingerprint(self) -> bytes | None:
        """The SHA-256 digest of the pinned certificate; None for no pin."""
        return self._ssl.fingerprint if isinstance(self._ssl, Fingerprint) else None

    def statistics(self) -> PoolStatistics:
        """Return what the pool holds now and has counted so far."""
        return self._pool.statistics()

    # One request

    def send(self, request: Request) -> Awaitable[ClientResponse]:
        """Send *request* on a connection of the pool; return the response when its head is here."""
        if self._closed:
            raise _closed_error(request)
        key = request.key
        if key.proxy is not None and not key.tunnel:
            return self._send_to_proxy(request, key)
        head, chunked = encode_head(request, not self._force_close)
        return self._exchange(request, key, head, chunked)

    async def _send_to_proxy(self, request: Request, key: ConnectionKey) -> ClientResponse:
        """Send *request* to an HTTP proxy that forwards it; the subclass knows how."""
        raise NotImplementedError

    async def _exchange(
        self, request: Request, key: ConnectionKey, head: bytes, chunked: bool
    ) -> ClientResponse:
        """Send what was encoded on a connection of the pool, a second time if the first one was stale."""
        loop = self._loop
        if loop is None:
            raise RuntimeError(f"{self!r} belongs to no event loop yet: give it to a session")
        now = loop.time()
        exchange = Exchange(request, key, now)
        connection = self._pool.reuse(key, now)
        if connection is None or connection.has_input():
            connection = await self._obtain(exchange, connection)
        if request.trace is not None:
            await self._tell(exchange, head, connection, request.trace)
        try:
            # As connection.exchange() does, without a coroutine more.
            response = await connection.start(exchange, head, chunked)
        except BaseException as error:
            connection.give_up(exchange)
            if not (
                isinstance(error, (ServerDisconnectedError, ClientOSError))
                and self._retry_stale
                and repeatable(exchange)
            ):
                raise
            if exchange.sent is not NOTHING and request.content is not None:
                request.content.rewind()
            exchange = Exchange(request, key, now)
            connection = await self._obtain(exchange, fresh=True)
            if request.trace is not None:
                await self._tell(exchange, head, connection, request.trace)
            response = await connection.exchange(exchange, head, chunked)
        if exchange.hold is not None:
            exchange.task = ref(cast("asyncio.Task[object]", asyncio.current_task()))
            note_unread(request, exchange.hold, self)
        return response

    async def _tell(
        self, exchange: Exchange, head: bytes, connection: Http1Connection, trace: CallTrace
    ) -> None:
        """Tell *trace* of the connection found for *exchange*, and of the *head* that goes out next."""
        try:
            if connection.exchanges:
                await trace.connection_reuseconn()
            await trace.request_headers_sent(exchange.request, head)
        except BaseException:
            connection.close()
            raise
        exchange.phases = phases = exchange.phases or Phases()
        phases.sending = cast(asyncio.AbstractEventLoop, self._loop).time()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to *loop*, that of the first session.

        Raises:
            RuntimeError: the connector belongs to another loop already.
        """
        if self._loop is loop:
            return
        if self._loop is not None:
            if self._is_forked:
                raise RuntimeError(
                    f"{self!r} was made before a fork; make a new one in this process"
                )
            raise RuntimeError(
                f"{self!r} belongs to another event loop; make one inside the loop that uses it"
            )
        self._loop = loop
        self._pid = os.getpid()

    async def _obtain(
        self,
        exchange: Exchange,
        found: Http1Connection | None = None,
        *,
        fresh: bool = False,
    ) -> Http1Connection:
        """Reserve a slot and dial, or wait for either; *fresh* takes no connection that was used before.

        *found* is one of the pool, whose slot is reserved, and whose socket has something to read.
        """
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        start = loop.time()
        exchange.phases = phases = Phases()
        if found is None:
            decision = self._pool.reserve(exchange.key)
            if isinstance(decision, Open):
                if decision.evict is not None:
                    self._drop(decision.evict)
            else:
                found = await self._wait(decision.ticket, exchange.request, start)
                phases.pool_wait = loop.time() - start
        if found is not None:
            if fresh:
                self._drop(found)  # the slot stays ours
            elif not found.has_input() or await self._settle(found):
                phases.sending = loop.time()
                return found
        connection = await self._open(exchange, start, phases)
        phases.sending = loop.time()
        return connection

    async def _settle(self, connection: Http1Connection) -> bool:
        """Let the event loop read what lies in *connection*'s socket; tell whether a request may be sent on it then.

        If not, it is closed, and its slot stays ours: see "RFC 9112, section 9.2" in ``protocols.http1``.
        """
        connection.opened = False
        try:
            for _ in range(SETTLE_TURNS):
                await asyncio.sleep(0)
                if not connection.has_input():
                    connection.opened = True
                    return True
                if connection.broken:
                    break
        except BaseException:
            self._drop(connection)
            now = cast(asyncio.AbstractEventLoop, self._loop).time()
            self._perform(self._pool.release(connection.key, None, now))
            raise
        self._drop(connection)
        return False

    async def _wait(
        self, ticket: "Ticket[ConnectionKey, Http1Connection]", request: Request, start: float
    ) -> Http1Connection | None:
        """Wait in the pool's queue: for a connection, or (None) for the permission to dial."""
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        timeout = request.timeout
        limit = earliest(
            (
                ("total", timeout.total, request.deadline),
                *ends(start, pool=timeout.pool, connect=timeout.connect),
            )
        )
        ticket.waiter = waiter = loop.create_future()
        timer = None if limit is None else loop.call_at(limit.end, _expire, waiter)
        trace = request.trace
        try:
            if trace is not None:
                await trace.connection_queued_start()
            release_unread(self)
            await waiter
            if trace is not None:
                await trace.connection_queued_end()
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # so that one nobody awaits any more is not reported as lost
            self._take_over(ticket)
            self._perform(self._pool.cancel(ticket, loop.time()))
            if isinstance(error, _Expired):
                raise self._wait_error(request, cast(Limit, limit)) from None
            if isinstance(error, _Closed):
                raise _closed_error(request) from None
            raise
        finally:
            if timer is not None:
                timer.cancel()
        return self._take_over(ticket)

    def _take_over(
        self, ticket: "Ticket[ConnectionKey, Http1Connection]"
    ) -> Http1Connection | None:
        """Give the slot of a granted ticket to the connection granted with it; None if that one has died since."""
        connection = ticket.connection
        if connection is None:
            return None
        if connection.broken:
            ticket.connection = None
            return None
        connection.opened = True
        return connection

    def _wait_error(self, request: Request, limit: Limit) -> ServerTimeoutError:
        counted = self._pool.statistics()
        found = (
            f"no free connection ({counted.in_use} in use, {counted.waiting} waiting, "
            f"limit={self._limit}, limit_per_host={self._limit_per_host})"
        )
        task = asyncio.current_task()
        unread = [
            connection.exchange_under_way.request.what
            for connection in self._sockets
            if connection.exchange_under_way is not None
            and connection.exchange_under_way.is_unread_by(task)
        ]
        if unread:
            more = f" and {len(unread) - 3} more" if len(unread) > 3 else ""
            found += (
                f"; this task holds responses that it has not read: {', '.join(unread[:3])}{more}; "
                "read or release them first"
            )
        if limit.phase == "total":
            return TotalTimeoutError(request.method, request.url, limit.seconds, found)
        return PoolTimeoutError(request.method, request.url, limit.seconds, found, limit.phase)

    async def _open(self, exchange: Exchange, start: float, phases: Phases) -> Http1Connection:
        """Dial into the reserved slot."""
        request, key = exchange.request, exchange.key
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        timeout = request.timeout
        limit = earliest(
            (
                ("total", timeout.total, request.deadline),
                *ends(start, connect=timeout.connect),
                *ends(
                    loop.time(),
                    sock_connect=timeout.sock_connect,
                    conn_timeout=self._conn_timeout,
                ),
            )
        )
        dial = Dial(
            None if limit is None else limit.end,
            f"no connection to {key.host}:{key.port}",
            phases,
            request.trace,
        )
        self._dials.add(dial)
        try:
            if self._closed:
                raise _closed_error(request)
            async with dial.timeout:
                if dial.trace is None:
                    connection = await self._connect(request, key, dial)
                else:
                    connection = await self._connect_traced(request, key, dial, dial.trace)
            if self.closed:
                connection.abort()
                raise _closed_error(request)
            if connection.broken:
                await _end_of(connection)
                raise connection.early_end(request)
            connection.opened = True
        except BaseException as error:
            self._perform(self._pool.release(key, None, loop.time()))
            if dial.timeout.expired() and isinstance(error, TimeoutError):
                if self._closed:
                    raise _closed_error(request) from None
                raise self._dial_error(request, cast(Limit, limit), dial) from error
            raise
        finally:
            self._dials.discard(dial)
            if self._closed:
                self._see_if_all_gone()
        self._pool.opened()
        return connection

    @staticmethod
    def _dial_error(request: Request, limit: Limit, dial: Dial) -> ServerTimeoutError:
        if limit.phase == "total":
            return TotalTimeoutError(request.method, request.url, limit.seconds, dial.missing)
        return ConnectTimeoutError(
            request.method, request.url, limit.seconds, dial.missing, limit.phase
        )

    async def _connect_traced(
        self, request: Request, key: ConnectionKey, dial: Dial, trace: CallTrace
    ) -> Http1Connection:
        """Make a connection, and tell *trace* before and after."""
        await trace.connection_create_start()
        connection = await self._connect(request, key, dial)
        try:
            await trace.connection_create_end()
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _connect(self, request: Request, key: ConnectionKey, dial: Dial) -> Http1Connection:
        """Make a connection for *key*; the subclass knows how.

        Raises:
            ClientConnectorError: it could not be made.
        """
        raise NotImplementedError

    async def _plan(self, request: Request, key: ConnectionKey) -> TLSPlan | None:
        """Return how to speak TLS with the key's host; None without TLS.

        Raises:
            ClientConnectorError: nobody can, by that name or with that setting.
        """
        if not key.is_ssl:
            return None
        name = key.server_hostname or request.origin.host
        try:
            if key.ssl is True:
                return await plan_tls(self._ssl, name, self._own_context)
            return await plan_tls(key.ssl, name)
        except OSError as error:
            raise connect_error(key, error) from error

    async def _establish(
        self,
        create: Create,
        sock: socket.socket,
        key: ConnectionKey,
        plan: TLSPlan | None,
        dial: Dial,
        peer: ConnectionKey | None = None,
    ) -> Http1Connection:
        """Make a connection of a connected socket: with *create*, a method of the event loop, and TLS by *plan*.

        The handshake is with *peer* where that is another one than the key's host.

        Raises:
            OSError: the TLS handshake failed, or agreed on a protocol that is not HTTP/1.1.
            ServerFingerprintMismatch: another certificate is pinned; not one byte of a request was sent.
        """
        self._handshakes.add(sock)
        if plan is None:
            connection = self._new_connection(key)
            try:
                await make_transport(create, sock, connection)
            except BaseException:
                # Cancelled at the end of it, uvloop has called connection_made() and never calls connection_lost().
                self.connection_gone(connection)
                raise
        else:
            plain = BeforeTLS()
            await make_transport(create, sock, plain)
            connection = await self._establish_within(plain.take(), key, plan, dial, peer)
        self._handshakes.discard(sock)
        return connection

    async def _establish_within(
        self,
        outer: asyncio.Transport,
        key: ConnectionKey,
        plan: TLSPlan | None,
        dial: Dial,
        peer: ConnectionKey | None = None,
    ) -> Http1Connection:
        """Make a connection within *outer*, through which bytes go on to the key's host; TLS by *plan*.

        *outer* is a transport that ``start_tls()`` takes; it is closed if this fails.

        Raises:
            OSError, ServerFingerprintMismatch: as ``_establish()``.
        """
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        connection = self._new_connection(key)
        transport = outer
        try:
            if plan is None:
                outer.set_protocol(connection)
            else:
                other = key if peer is None else peer
                dial.missing = f"no TLS handshake with {other.host}:{other.port}"
                begin = loop.time()
                secured = await loop.start_tls(
                    outer,
                    connection,
                    plan.context,
                    server_hostname=plan.server_hostname,
                    ssl_shutdown_timeout=self._close_time,
                )
                dial.phases.tls = loop.time() - begin
                # uvloop does not tell of a loss within the handshake.
                if secured is None or outer.is_closing():
                    raise OSError(
                        errno.ECONNRESET, "the connection was closed within the handshake"
                    )
                transport = secured
                if outer.get_extra_info("ssl_object") is None:
                    outer.set_protocol(LeftoversProtocol(outer, secured))
            connection.connection_made(transport)
            if plan is not None:
                plan.check(transport)
        except BaseException:
            connection.abort()
            outer.abort()
            raise
        return connection

    def _new_connection(self, key: ConnectionKey) -> Http1Connection:
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        if not isinstance(loop, asyncio.BaseEventLoop):
            return Http1Connection(self._link, key, loop)
        if self._buffer is None:
            self._buffer = memoryview(bytearray(READ_SIZE))
        return BufferedHttp1Connection(self._link, key, loop, self._buffer)

    # What connections tell

    def connection_made(self, connection: Http1Connection) -> None:
        """Note that a socket is open."""
        self._sockets.add(connection)

    def connection_idle(self, connection: Http1Connection) -> None:
        """Take back a connection whose response is complete."""
        loop = self._loop
        if self._closed or self._force_close or loop is None:
            connection.close()
            return
        grant = self._pool.release(
            connection.key, connection, connection.last_activity, connection.idle_time
        )
        if grant is not None:
            self._perform(grant)
        elif self._sweeper is None:
            self._arm_sweeper()

    def connection_closed(self, connection: Http1Connection) -> None:
        """Forget a connection that was idle, or take back the slot of one that was in use."""
        if connection.opened and not self._pool.discard(connection):
            now = cast(asyncio.AbstractEventLoop, self._loop).time()
            self._perform(self._pool.release(connection.key, None, now))

    def connection_gone(self, connection: Http1Connection) -> None:
        """Note that a socket was closed for good."""
        self._sockets.discard(connection)
        if self._closed:
            self._see_if_all_gone()

    def _see_if_all_gone(self) -> None:
        if not self._sockets and not self._dials:
            self._all_gone.set()

    def _perform(self, grant: "Grant[ConnectionKey, Http1Connection] | None") -> None:
        """Hand a freed slot to the waiter who is next."""
        if grant is None:
            if self._sweeper is None and not self._closed:
                self._arm_sweeper()
            return
        if grant.close is not None:
            self._drop(grant.close)
        if grant.connection is not None:
            grant.connection.opened = False  # the slot is the ticket's until its owner wakes
        waiter = cast("asyncio.Future[None]", grant.ticket.waiter)
        if not waiter.done():
            waiter.set_result(None)

    def _arm_sweeper(self) -> None:
        when = self._pool.next_expiry()
        if when is not None:
            loop = cast(asyncio.AbstractEventLoop, self._loop)
            self._sweeper = loop.call_at(when, self._link.sweep)

    def sweep(self) -> None:
        """Close the connections that were idle for too long."""
        self._sweeper = None
        for connection in self._pool.expire(cast(asyncio.AbstractEventLoop, self._loop).time()):
            self._drop(connection)
        self._arm_sweeper()

    @staticmethod
    def _drop(connection: Http1Connection) -> None:
        """Close a connection that the pool has forgotten already: it holds no slot any more."""
        connection.opened = False
        connection.close()

    # The end

    def close(self) -> Closing:
        """Close all connections and fail all who wait or dial; await it for the end of the last socket.

        Raises:
            RuntimeError: the connector's event loop runs in another thread.
        """
        if not self._closed:
            if self._is_elsewhere:
                raise RuntimeError(
                    f"{self!r} belongs to the event loop of another thread; close it there, "
                    "as with asyncio.run_coroutine_threadsafe()"
                )
            self._shut()
        return Closing(self._wait_closed())

    @property
    def _is_elsewhere(self) -> bool:
        """Whether the event loop of these sockets runs in another thread."""
        loop = self._loop
        if loop is None or self._is_forked or not loop.is_running():
            return False
        try:
            return asyncio.get_running_loop() is not loop
        except RuntimeError:
            return True

    async def _wait_closed(self) -> None:
        """Return when the last socket is closed."""
        loop = self._loop
        if loop is not asyncio.get_running_loop() or self._is_forked:
            return
        timer = loop.call_later(self._close_time, self._abort_all)
        try:
            if self._sockets or self._dials:
                await self._all_gone.wait()
            for _ in range(CLOSE_TURNS):
                if all(sock.fileno() < 0 for sock in self._handshakes):
                    break
                await asyncio.sleep(0)
        except BaseException:
            self._abort_all()
            raise
        finally:
            timer.cancel()

    @property
    def _is_forked(self) -> bool:
        """Whether this is a copy in another process than the one whose sockets these are."""
        return os.getpid() != self._pid

    def _shut(self) -> None:
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        loop = self._loop
        if loop is None or loop.is_closed() or self._is_forked:
            # To say goodbye on a socket shared with the parent process would end the parent's connection.
            self._sockets.clear()
            return
        for dial in self._dials:
            if not dial.timeout.expired():
                dial.timeout.reschedule(-1)
        for ticket in self._pool.tickets:
            waiter = cast("asyncio.Future[None]", ticket.waiter)
            if not waiter.done():
                waiter.set_exception(_Closed())
        for connection in tuple(self._sockets):
            connection.close() if connection.idle else connection.abort()

    def _abort_all(self) -> None:
        for connection in tuple(self._sockets):
            connection.abort()
        self._dials.clear()  # one that does not end is not waited for any longer
        self._see_if_all_gone()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if self._closed or not self._sockets or self._is_forked:
            return
        _warn(
            f"unclosed connector {self!r}; await its close(): made at {self._made_at}",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )
        self._closed = True
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        # Who still reads a response may read it to its end; its connection is closed then.
        idle = [connection for connection in self._sockets if connection.idle]
        loop.call_soon_threadsafe(_close_all, idle)
        if self._sweeper is not None:
            self._sweeper.cancel()

    def __repr__(self) -> str:
        state = "closed" if self._closed else repr(self._pool)
        return f"<{type(self).__name__} {state}>"


class _Link:
    """What connections and timers know of their connector.

    The event loop keeps them, and they must not keep a connector that nobody else knows any more.
    """

    __slots__ = ("_connector",)

    def __init__(self, connector: BaseConnector) -> None:
        self._connector = ref(connector)

    def connection_made(self, connection: Http1Connection) -> None:
        """Pass it on."""
        connector = self._connector()
        if connector is not None:
            connector.connection_made(connection)
        else:
            connection.abort()

    def connection_idle(self, connection: Http1Connection) -> None:
        """Pass it on; without a connector it can carry no other request."""
        connector = self._connector()
        if connector is not None:
            connector.connection_idle(connection)
        else:
            connection.close()

    def connection_closed(self, connection: Http1Connection) -> None:
        """Pass it on."""
        connector = self._connector()
        if connector is not None:
            connector.connection_closed(connection)

    def connection_gone(self, connection: Http1Connection) -> None:
        """Pass it on."""
        connector = self._connector()
        if connector is not None:
            connector.connection_gone(connection)

    def sweep(self) -> None:
        """Pass it on."""
        connector = self._connector()
        if connector is not None:
            connector.sweep()


class _Expired(Exception):
    """A waiter's time in the queue is over."""


class _Closed(Exception):
    """The connector was closed while a waiter was in the queue."""


async def _end_of(connection: Http1Connection) -> None:
    """Close a connection that ends, and wait until it is known by what: the event loop tells it a few rounds later."""
    connection.abort()
    for _ in range(CLOSE_TURNS):
        if connection.transport is None:
            break
        await asyncio.sleep(0)


def _closed_error(request: Request) -> ClientConnectionError:
    return ClientConnectionError(f"{request.what}: not sent, the connector is closed")


def _close_all(connections: Iterable[Http1Connection]) -> None:
    for connection in connections:
        connection.close()


def _expire(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(_Expired())
