"""The driver of the pool: it carries out the pool's decisions, with sockets and timers.

It counts a slot from the moment it is reserved until the connection is idle or closed, so that a cancellation never
loses one.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, cast
from weakref import ref

from ..chain import release_unread
from ..exceptions import (
    ClientConnectorError,
    ClientError,
    ConnectTimeoutError,
    PoolTimeoutError,
    TotalTimeoutError,
    copy_of,
)
from ..exchange import Exchange
from ..message.origin import ConnectionKey
from ..message.request import Request
from ..message.timings import Phases
from ..protocols.connection import HttpConnection
from .binding import Binding
from .dialling import Connect, Dialler
from .errors import add_request
from .limits import Limit, earliest, ends
from .pool import Grant, Open, Pool, Ticket
from .pool_wait import Expired, PoolWait
from .shutdown import OpenSockets, closed_error
from .tickets import TicketState

# The event loop reads the data in a socket within two iterations; TLS tickets come in pairs.
SETTLE_TURNS: Final = 8


class PoolDriver:
    """Gives each exchange a connection of *pool*, and takes back connections that report that they are idle or closed.

    Args:
        pool: the bookkeeping.
        sockets: the registry of open sockets.
        binding: the event loop.
        force_close: close each connection after one response.

    ``dialler`` makes the connections.
    """

    __slots__ = (
        "__weakref__",
        "_binding",
        "_pool",
        "_reuses",
        "_sockets",
        "_sweeper",
        "_weak_self",
        "dialler",
    )

    def __init__(
        self,
        pool: Pool[ConnectionKey, HttpConnection],
        sockets: OpenSockets,
        binding: Binding,
        *,
        force_close: bool,
    ) -> None:
        self._pool = pool
        self._sockets = sockets
        self._binding = binding
        self._reuses = not force_close  # also False once the connector is closed
        self._weak_self = WeakOwner(self)
        self._sweeper: asyncio.TimerHandle | None = None
        self.dialler: Dialler = Dialler(
            self._weak_self, sockets, binding, keep_alive=not force_close
        )

    # A connection for an exchange

    async def obtain(
        self,
        exchange: Exchange,
        connect: Connect,
        found: HttpConnection | None = None,
        *,
        fresh: bool = False,
    ) -> HttpConnection:
        """Reserve a slot and dial with *connect*, or wait for either; *fresh* takes no idle connection.

        *found* is a connection of the pool with a reserved slot, whose socket has something to read.
        """
        loop = self._binding.bound_loop
        start = loop.time()
        exchange.phases = phases = Phases()
        leads = False
        if found is None:
            place = await self._find_place(exchange, start)
            if not isinstance(place, Open):
                found = place
            elif place.evict is not None:
                self._drop(place.evict)
            leads = isinstance(place, Open) and place.leads
        if found is not None:
            if found.carries_many and not found.idle:  # others use it by now: it is shared
                phases.sending = loop.time()
                return found
            if fresh:
                self._drop(found)  # we keep the slot
            elif not found.has_input() or await self._settle(found):
                if found.carries_many:
                    self._offer_rest(found)
                phases.sending = loop.time()
                return found
        try:
            connection = await self.dialler.dial(exchange, start, phases, connect)
        except BaseException as error:
            self._not_dialled(exchange.key, leads, error)
            raise
        connection.opened = True
        self._pool.opened()
        self._dialled(connection, leads)
        phases.sending = loop.time()
        return connection

    def share(self, key: ConnectionKey) -> HttpConnection | None:
        """Reserve room for an exchange on a busy connection of *key*, and return it; None if none has room."""
        while True:
            connection = self._pool.share(key)
            if connection is None:
                connection = self._pool.take_unasked(key)
                if connection is None:
                    return None
                if connection.opened and connection.idle:
                    connection.reserve()  # for the request that has its slot, and begins later
                self.room_changed(connection)
                continue
            if not connection.broken:
                connection.reserve()
                return connection
            self._pool.offer(key, connection, 0)

    async def _find_place(
        self, exchange: Exchange, start: float
    ) -> "HttpConnection | Open[HttpConnection]":
        """Return the permission to dial, or a connection: a busy one with reserved room, or an idle one with its
        slot.
        """
        loop = self._binding.bound_loop
        while True:
            place = self._ask(exchange.key, start)
            if not isinstance(place, Ticket):
                return place
            found = await self._wait(place, exchange, start)
            if exchange.phases is not None:
                exchange.phases.pool_wait = loop.time() - start
            if found is not None:
                return found
            if not place.shared:
                return Open(leads=place.leads)

    def _ask(
        self, key: ConnectionKey, now: float
    ) -> "HttpConnection | Open[HttpConnection] | Ticket[ConnectionKey, HttpConnection]":
        """Return a connection to share, the permission to dial, or a ticket to wait with."""
        if not self._reuses or not self.dialler.may_carry_many(key):
            decision = self._pool.reserve(key)
            return decision if isinstance(decision, Open) else decision.ticket
        shared = self.share(key)
        if shared is not None:
            return shared
        answer = self._pool.join(key, now)
        return answer if isinstance(answer, Open) else answer.ticket

    def _dialled(self, connection: HttpConnection, leads: bool) -> None:
        """Report a dialled connection to the pool: its first exchange is known, and others may use the rest of its
        room.
        """
        if not leads:
            if connection.carries_many:
                self._offer_rest(connection)
            return
        if connection.carries_many:
            connection.reserve()
        key, now = connection.key, self._binding.bound_loop.time()
        if connection.carries_many:
            grants = self._pool.dialled_many(key, connection, connection.room, now)
        else:
            grants = self._pool.dialled_one(key, now)
        for grant in grants:
            self._perform(grant)
        self._limit_queued()

    def _offer_rest(self, connection: HttpConnection) -> None:
        """Offer the room of a connection, besides that for the request that has its slot."""
        connection.reserve()
        self.room_changed(connection)

    def _limit_queued(self) -> None:
        """Begin the pool's limit of those who have joined a dial in vain, and wait for a slot now."""
        queued, now = self._pool.queued, self._binding.bound_loop.time()
        while queued:
            cast(PoolWait, queued.pop().waiter).begin_pool_limit(now)

    def _not_dialled(self, key: ConnectionKey, leads: bool, error: BaseException) -> None:
        """Give back the slot of a dial that ended with *error*; the requests that joined it fail with the same error.

        If only its own request timed out or was cancelled, one of the others dials.
        """
        now = self._binding.bound_loop.time()
        if leads and (isinstance(error, TimeoutError) or not isinstance(error, ClientError)):
            self._perform(self._pool.give_up(key, now))
            self._limit_queued()
            return
        if leads:
            for ticket in self._pool.dial_failed(key):
                cast(PoolWait, ticket.waiter).fail(cast(Exception, copy_of(error)))
        self._perform(self._pool.release(key, None, now))

    async def _settle(self, connection: HttpConnection) -> bool:
        """Let the event loop read the data in *connection*'s socket; tell whether a request may be sent on it
        afterwards.

        If not, it is closed, and we keep its slot: see "RFC 9112, section 9.2" in ``protocols.http1``.
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
            kept = connection if connection.carries_many and not connection.broken else None
            if kept is None:
                self._drop(connection)
            else:
                kept.opened = True
            now = self._binding.bound_loop.time()
            self._perform(self._pool.release(connection.key, kept, now))
            raise
        if connection.carries_many and not connection.broken:
            connection.opened = True
            return True
        self._drop(connection)
        return False

    async def _wait(
        self, ticket: "Ticket[ConnectionKey, HttpConnection]", exchange: Exchange, start: float
    ) -> HttpConnection | None:
        """Wait in the pool for a connection, or (None) for the permission to dial, or to ask again after a shared dial.

        The pool's limit applies to the wait for a slot, not to the wait for another request's dial.
        """
        loop = self._binding.bound_loop
        request = exchange.request
        timeout = request.timeout
        limit = earliest(
            (
                ("total", timeout.total, request.deadline),
                *ends(start, connect=timeout.connect),
            )
        )
        ticket.waiter = wait = PoolWait(loop, ticket, limit, timeout.pool)
        if ticket.state is not TicketState.JOINED:
            wait.begin_pool_limit(start)
        waiter = wait.future
        trace = request.trace
        try:
            if trace is not None:
                await trace.connection_queued_start()
            release_unread(self._pool)
            await waiter
            if trace is not None:
                await trace.connection_queued_end()
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # mark it as retrieved, in case nothing awaits it any more
            shared, joined = ticket.shared, ticket.state is TicketState.JOINED
            connection = self._take_over(ticket)
            self._perform(self._pool.cancel(ticket, loop.time()))
            self._limit_queued()
            if shared and connection is not None:
                connection.cancel(exchange)
            if isinstance(error, Expired):
                raise self._wait_error(request, error.limit, joined) from None
            if isinstance(error, _Closed):
                raise closed_error(request) from None
            if isinstance(error, ClientConnectorError):  # the dial belonged to another request
                add_request(error, request, exchange.key)
            raise
        finally:
            wait.close()
        return self._take_over(ticket)

    def _take_over(self, ticket: "Ticket[ConnectionKey, HttpConnection]") -> HttpConnection | None:
        """Take the connection granted to *ticket*, with its slot if there is one; None if there is none, or it died."""
        connection = ticket.connection
        if connection is None:
            return None
        if connection.broken:
            ticket.connection = None
            return None
        if not ticket.shared:
            connection.opened = True
        return connection

    def _wait_error(self, request: Request, limit: Limit, joined: bool) -> TimeoutError:
        if joined:
            where = f"no connection to {request.origin.host_field}, which another request dials"
            if limit.phase == "total":
                return TotalTimeoutError(request.method, request.url, limit.seconds, where)
            return ConnectTimeoutError(
                request.method, request.url, limit.seconds, where, limit.phase
            )
        counted = self._pool.statistics()
        found = (
            f"no free connection ({counted.in_use} in use, {counted.waiting} waiting, "
            f"limit={counted.limit}, limit_per_host={counted.limit_per_host})"
        )
        task = asyncio.current_task()
        unread = [
            exchange.request.label
            for connection in self._sockets.connections
            for exchange in connection.under_way
            if exchange.is_unread_by(task)
        ]
        if unread:
            more = f" and {len(unread) - 3} more" if len(unread) > 3 else ""
            found += (
                f"; this task has responses that it has not read: {', '.join(unread[:3])}{more}; "
                "read or release them first"
            )
        if limit.phase == "total":
            return TotalTimeoutError(request.method, request.url, limit.seconds, found)
        return PoolTimeoutError(request.method, request.url, limit.seconds, found, limit.phase)

    # Reports of connections

    def connection_made(self, connection: HttpConnection) -> None:
        """Register an open socket."""
        self._sockets.connections.add(connection)

    def connection_idle(self, connection: HttpConnection) -> None:
        """Take back a connection whose response is complete."""
        if not self._reuses:
            connection.close()
            return
        grant = self._pool.release(
            connection.key, connection, connection.last_activity, connection.idle_time
        )
        if grant is not None:
            self._perform(grant)
        elif self._sweeper is None:
            self._arm_sweeper()

    def room_changed(self, connection: HttpConnection) -> None:
        """Offer the connection's room to other requests."""
        if connection.opened and self._reuses and connection.carries_many:
            key = connection.key
            for grant in self._pool.offer(key, connection, connection.room):
                self._perform(grant)

    def connection_closed(self, connection: HttpConnection) -> None:
        """Forget an idle connection, or take back the slot of a busy one."""
        if connection.opened and not self._pool.discard(connection):
            if connection.carries_many:
                self._pool.offer(connection.key, connection, 0)
            now = self._binding.bound_loop.time()
            self._perform(self._pool.release(connection.key, None, now))

    def connection_gone(self, connection: HttpConnection) -> None:
        """Note that a socket is closed."""
        self._sockets.discard(connection)

    def _perform(self, grant: "Grant[ConnectionKey, HttpConnection] | None") -> None:
        """Hand a freed slot to the next waiter."""
        if grant is None:
            if self._sweeper is None and not self._sockets.closed:
                self._arm_sweeper()
            return
        if grant.close is not None:
            self._drop(grant.close)
        ticket, connection = grant.ticket, grant.connection
        if connection is not None:
            if not ticket.shared:
                connection.opened = False  # the ticket has the slot until its owner wakes
            elif connection.broken:
                ticket.connection = None
            else:
                connection.reserve()
            if ticket.shared and self._sweeper is None and not self._sockets.closed:
                self._arm_sweeper()  # no slot went with it: the connection may be idle now
        cast(PoolWait, ticket.waiter).grant()
        for further in grant.also:
            self._perform(further)

    def _arm_sweeper(self) -> None:
        when = self._pool.next_expiry()
        if when is not None:
            loop = self._binding.bound_loop
            self._sweeper = loop.call_at(when, self._weak_self.sweep)

    def _disarm_sweeper(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def sweep(self) -> None:
        """Close the connections that have been idle for too long."""
        self._sweeper = None
        for connection in self._pool.expire(self._binding.bound_loop.time()):
            self._drop(connection)
        self._arm_sweeper()

    def _drop(self, connection: HttpConnection) -> None:
        """Close a connection that has no slot any more."""
        self._pool.offer(connection.key, connection, 0)
        connection.opened = False
        connection.close()

    # The end

    def shut(self) -> None:
        """Fail all waiting requests and dials, close idle connections and abort the others."""
        sockets = self._sockets
        sockets.draining = False
        if self._begin_to_end():
            sockets.end_dials()
            sockets.end_connections()

    def drain(self) -> None:
        """Fail all waiting requests and close idle connections; the others are closed when they are idle."""
        sockets = self._sockets
        sockets.draining = True
        if self._begin_to_end():
            _close_all([connection for connection in sockets.connections if connection.idle])

    def _begin_to_end(self) -> bool:
        """Give away no more connections; return whether the sockets can be closed in the usual way."""
        sockets = self._sockets
        sockets.closed = True
        self._reuses = False
        self._disarm_sweeper()
        if not self._binding.is_usable:
            # close_notify on a socket shared with the parent process would end the parent's connection.
            sockets.connections.clear()
            return False
        for ticket in self._pool.tickets:
            cast(PoolWait, ticket.waiter).fail(_Closed())
        return True

    def abandon(self) -> None:
        """Close idle connections, from any thread; a response that is still read may be read to its end."""
        sockets = self._sockets
        sockets.closed = True
        self._reuses = False
        if self._binding.is_usable:
            idle = [connection for connection in sockets.connections if connection.idle]
            self._binding.bound_loop.call_soon_threadsafe(_close_all, idle)
            self._disarm_sweeper()


class WeakOwner:
    """The owner of connections and timers, with a weak reference to its *driver*.

    The event loop references connections and timers; they must not keep a driver alive whose connector is gone.
    """

    __slots__ = ("_driver",)

    def __init__(self, driver: PoolDriver) -> None:
        self._driver = ref(driver)

    def connection_made(self, connection: HttpConnection) -> None:
        """Pass it on."""
        driver = self._driver()
        if driver is not None:
            driver.connection_made(connection)
        else:
            connection.abort()

    def connection_idle(self, connection: HttpConnection) -> None:
        """Pass it on; without a driver it can carry no further request."""
        driver = self._driver()
        if driver is not None:
            driver.connection_idle(connection)
        else:
            connection.close()

    def room_changed(self, connection: HttpConnection) -> None:
        """Pass it on."""
        driver = self._driver()
        if driver is not None:
            driver.room_changed(connection)

    def connection_closed(self, connection: HttpConnection) -> None:
        """Pass it on."""
        driver = self._driver()
        if driver is not None:
            driver.connection_closed(connection)

    def connection_gone(self, connection: HttpConnection) -> None:
        """Pass it on."""
        driver = self._driver()
        if driver is not None:
            driver.connection_gone(connection)

    def sweep(self) -> None:
        """Pass it on."""
        driver = self._driver()
        if driver is not None:
            driver.sweep()


class _Closed(Exception):
    """The connector was closed while a waiter was in the queue."""


def _close_all(connections: Iterable[HttpConnection]) -> None:
    for connection in connections:
        connection.close()
