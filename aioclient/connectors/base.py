"""The driver of the pool: it performs what the bookkeeping decides, with sockets and time.

A connector is the last step of the chain. It gives each request a connection (a reused one if there is one, else a
new one, else a place in the queue), runs the exchange on it, and takes the connection back when the response's body
has ended. It counts a slot from the moment it is reserved until the connection is idle or closed, so that no
cancellation can lose one.
"""

import asyncio
import warnings
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, NamedTuple, Self, cast
from weakref import WeakSet

from ..exceptions import (
    BodyConsumedError,
    ClientConnectionError,
    ClientOSError,
    ConnectTimeoutError,
    PoolTimeoutError,
    ServerDisconnectedError,
    ServerTimeoutError,
    TotalTimeoutError,
)
from ..message.origin import ConnectionKey
from ..message.request import Request
from ..message.response import ClientResponse
from ..protocols.http1 import Http1Connection
from ..protocols.http1_head import encode_head
from .pool import Grant, Open, Pool, PoolStatistics, Ticket
from .tls import Fingerprint

# Methods whose repetition changes nothing (RFC 9110, section 9.2.2).
IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
CLOSE_TIME: Final = 2.0  # seconds that close() gives to TLS goodbyes before it aborts

live_connectors: "WeakSet[BaseConnector]" = WeakSet()


class Limit(NamedTuple):
    """What ends a wait: the phase that says so, its seconds, and when that is in the loop's time."""

    phase: str
    seconds: float
    end: float


def earliest(limits: Iterable[tuple[str, float | None, float | None]]) -> Limit | None:
    """Return the limit that ends first; None if there is none."""
    found: Limit | None = None
    for phase, seconds, end in limits:
        if seconds is not None and end is not None and (found is None or end < found.end):
            found = Limit(phase, seconds, end)
    return found


def _ends(start: float, **phases: float | None) -> Iterator[tuple[str, float | None, float | None]]:
    for phase, seconds in phases.items():
        yield phase, seconds, None if seconds is None else start + seconds


class BaseConnector:
    """A pool of connections and the way to make them.

    Args:
        keepalive_timeout: seconds for which an idle connection may be reused; None for ever, 0 as ``force_close``.
        force_close: close each connection after one response.
        limit: connections at a time, idle ones included; 0 or None for no limit.
        limit_per_host: connections at a time to one host, port and TLS setting; 0 for no limit.
        retry_stale: repeat a request whose reused connection the server had closed, when nothing of a response came
            and the method is idempotent or nothing of the request left (RFC 9112, section 9.3.1).
        enable_cleanup_closed: accepted; the event loop does this now.
        loop: accepted; must be the running loop.
    """

    def __init__(
        self,
        *,
        keepalive_timeout: float | None = 15.0,
        force_close: bool = False,
        limit: int | None = 100,
        limit_per_host: int | None = 0,
        enable_cleanup_closed: bool = False,
        retry_stale: bool = True,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._closed = True  # until everything below was accepted
        self._force_close = force_close or keepalive_timeout == 0
        self._retry_stale = retry_stale
        self._limit = limit or 0
        self._limit_per_host = limit_per_host or 0
        self._pool: Pool[ConnectionKey, Http1Connection] = Pool(
            limit=self._limit,
            limit_per_host=self._limit_per_host,
            keepalive_timeout=keepalive_timeout,
        )
        self._loop: asyncio.AbstractEventLoop | None = loop
        self._sockets: set[Http1Connection] = set()
        self._dials: set[asyncio.Timeout] = set()
        self._last_gone: asyncio.Future[None] | None = None
        self._sweeper: asyncio.TimerHandle | None = None
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
    def limit(self) -> int:
        """Connections at a time; 0 for no limit."""
        return self._limit

    @property
    def limit_per_host(self) -> int:
        """Connections at a time to one host; 0 for no limit."""
        return self._limit_per_host

    def statistics(self) -> PoolStatistics:
        """Return what the pool holds now and has counted so far."""
        return self._pool.statistics()

    # One request

    async def send(self, request: Request) -> ClientResponse:
        """Send *request* on a connection of the pool; return the response when its head is here."""
        if self._closed:
            raise ClientConnectionError(f"{request!r} cannot be sent: the connector is closed")
        loop = self._loop
        if loop is None:
            self._loop = loop = asyncio.get_running_loop()
        key = request.key
        head, chunked = encode_head(request, not self._force_close)
        connection = self._pool.reuse(key, loop.time())
        if connection is None:
            connection = await self._obtain(request, key)
        try:
            return await connection.exchange(request, head, chunked)
        except (ServerDisconnectedError, ClientOSError):
            if not self._may_repeat(request, connection):
                raise
        connection = await self._obtain(request, key)
        return await connection.exchange(request, head, chunked)

    def _may_repeat(self, request: Request, connection: Http1Connection) -> bool:
        """Tell whether the failed exchange hit a stale connection and may be repeated on a new one."""
        if not (self._retry_stale and connection.exchanges and connection.unanswered):
            return False
        if connection.unsent:
            return True
        if request.method not in IDEMPOTENT:
            return False
        if request.body is not None:
            try:
                request.body.rewind()
            except BodyConsumedError:
                return False
        return True

    async def _obtain(self, request: Request, key: ConnectionKey) -> Http1Connection:
        """Reserve a slot and dial, or wait for either."""
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        start = loop.time()
        decision = self._pool.reserve(key)
        if isinstance(decision, Open):
            if decision.evict is not None:
                self._drop(decision.evict)
        else:
            connection = await self._wait(decision.ticket, request, start)
            if connection is not None:
                return connection
        return await self._open(request, key, start)

    async def _wait(
        self, ticket: "Ticket[ConnectionKey, Http1Connection]", request: Request, start: float
    ) -> Http1Connection | None:
        """Wait in the pool's queue: for a connection, or (None) for the permission to dial."""
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        timeout = request.timeout
        limit = earliest(
            (
                ("total", timeout.total, request.deadline),
                *_ends(start, pool=timeout.pool, connect=timeout.connect),
            )
        )
        ticket.waiter = waiter = loop.create_future()
        timer = None if limit is None else loop.call_at(limit.end, _expire, waiter)
        try:
            granted: Http1Connection | None = await waiter
        except BaseException as error:
            if ticket.connection is None or not ticket.connection.ended:
                self._perform(self._pool.cancel(ticket, loop.time()))
            if isinstance(error, _Expired):
                raise self._wait_error(request, cast(Limit, limit)) from None
            raise
        finally:
            if timer is not None:
                timer.cancel()
        return granted

    def _wait_error(self, request: Request, limit: Limit) -> ServerTimeoutError:
        counted = self._pool.statistics()
        found = (
            f"no free connection ({counted.in_use} in use, {counted.waiting} waiting, "
            f"limit={self._limit}, limit_per_host={self._limit_per_host})"
        )
        if limit.phase == "total":
            return TotalTimeoutError(request.method, request.url, limit.seconds, found)
        return PoolTimeoutError(request.method, request.url, limit.seconds, found, limit.phase)

    async def _open(self, request: Request, key: ConnectionKey, start: float) -> Http1Connection:
        """Dial into the reserved slot."""
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        timeout = request.timeout
        limit = earliest(
            (
                ("total", timeout.total, request.deadline),
                *_ends(start, connect=timeout.connect),
                *_ends(loop.time(), sock_connect=timeout.sock_connect),
            )
        )
        dial = asyncio.timeout_at(None if limit is None else limit.end)
        self._dials.add(dial)
        try:
            async with dial:
                connection = await self._connect(request, key)
            if self._closed:
                connection.abort()
                raise ClientConnectionError(f"{request!r} was not sent: the connector was closed")
        except BaseException as error:
            self._perform(self._pool.release(key, None, loop.time()))
            if dial.expired() and isinstance(error, TimeoutError):
                if self._closed:
                    raise ClientConnectionError(
                        f"{request!r} was not sent: the connector was closed"
                    ) from None
                found = f"no connection to {key.host}:{key.port}"
                limit = cast(Limit, limit)
                if limit.phase == "total":
                    raise TotalTimeoutError(
                        request.method, request.url, limit.seconds, found
                    ) from error
                raise ConnectTimeoutError(
                    request.method, request.url, limit.seconds, found, limit.phase
                ) from error
            raise
        finally:
            self._dials.discard(dial)
        connection.opened = True
        self._pool.opened()
        return connection

    async def _connect(self, request: Request, key: ConnectionKey) -> Http1Connection:
        """Make a connection for *key*; the subclass knows how.

        Raises:
            ClientConnectorError: it could not be made.
        """
        raise NotImplementedError

    def _new_protocol(self, key: ConnectionKey) -> Http1Connection:
        return Http1Connection(self, key, cast(asyncio.AbstractEventLoop, self._loop))

    @staticmethod
    def _check_pin(connection: Http1Connection, pin: Fingerprint) -> None:
        """Check the pinned certificate before the first request byte; close the connection if it is another."""
        try:
            pin.check(cast(asyncio.Transport, connection.transport))
        except BaseException:
            connection.abort()
            raise

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
        grant = self._pool.release(connection.key, connection, loop.time())
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
        if self._last_gone is not None and not self._sockets and not self._last_gone.done():
            self._last_gone.set_result(None)

    def _perform(self, grant: "Grant[ConnectionKey, Http1Connection] | None") -> None:
        """Hand a freed slot to the waiter who is next."""
        if grant is None:
            return
        if grant.close is not None:
            self._drop(grant.close)
        waiter = cast("asyncio.Future[Http1Connection | None]", grant.ticket.waiter)
        if not waiter.done():
            waiter.set_result(grant.connection)

    def _arm_sweeper(self) -> None:
        when = self._pool.next_expiry()
        if when is not None:
            self._sweeper = cast(asyncio.AbstractEventLoop, self._loop).call_at(when, self._sweep)

    def _sweep(self) -> None:
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

    async def close(self) -> None:
        """Close all connections, fail all who wait, and return when the last socket is closed."""
        if not self._closed:
            self._shut()
        if not self._sockets or self._loop is not asyncio.get_running_loop():
            return
        self._last_gone = self._loop.create_future()
        timer = self._loop.call_later(CLOSE_TIME, self._abort_all)
        try:
            await self._last_gone
        finally:
            timer.cancel()
            self._last_gone = None

    def _shut(self) -> None:
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for dial in self._dials:
            dial.reschedule(-1)
        for ticket in self._pool.tickets:
            waiter = cast("asyncio.Future[Http1Connection | None]", ticket.waiter)
            if not waiter.done():
                waiter.set_exception(ClientConnectionError("the connector was closed"))
        for connection in tuple(self._sockets):
            connection.close() if connection.idle else connection.abort()

    def _abort_all(self) -> None:
        for connection in tuple(self._sockets):
            connection.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self, _warn: object = warnings.warn) -> None:
        if self._closed or not self._sockets:
            return
        warnings.warn(
            f"unclosed connector {self!r}; await its close()",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )
        loop = self._loop
        if loop is not None and not loop.is_closed():
            self._shut()

    def __repr__(self) -> str:
        state = "closed" if self._closed else repr(self._pool)
        return f"<{type(self).__name__} {state}>"


class _Expired(Exception):
    """A waiter's time in the queue is over."""


def _expire(waiter: "asyncio.Future[Http1Connection | None]") -> None:
    if not waiter.done():
        waiter.set_exception(_Expired())
