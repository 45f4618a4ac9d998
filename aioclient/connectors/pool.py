"""Which connection a request may use: bookkeeping only, no event loop, no clock, no socket.

The driver asks here, and then does what the answer says: send on a connection, dial, wait, close.

A request holds a *slot* from the moment it may use or dial a connection until `release()`. A slot
belongs to a key (everything that makes two connections different), and is one of three ways in:

=================  ==================================================================
`reuse()`          an idle connection of the same key, the most recently used one
`reserve()`        `Open`: dial. Called when `reuse()` found none
`reserve()`        `Wait`: no slot is free; the `Grant` comes later from a `release()`
=================  ==================================================================

The rules:

1. Two gates. A request passes its host's gate (`limit_per_host`), then the total one (`limit`). One
   that passed the first and waits at the second counts for its host already. A key is a host here.
2. Idle connections count at both gates. They never keep a request waiting: at its host's gate the
   least recently used idle connection of that host is closed, at the total gate that of all hosts.
   So while someone waits at the total gate nothing is idle anywhere, and while someone waits
   at a host's gate nothing of that host is idle.
3. First come, first served, at each gate, and nobody overtakes. By rule 2 an idle connection is
   proof that nobody waits for it, and a gate that has room has no queue: `reuse()` and `reserve()`
   need not look at the queues.
4. A slot that comes back opens both gates by one. The first at its host's gate steps forward to the
   end of the total queue; then the first in the total queue gets the slot. With nobody in the total
   queue before, the two steps hand the slot to the host's own next request. With somebody there the
   host's next one has to stand behind them, although the connection is its own: else a busy
   host would starve all others.
5. Who gets the slot gets the connection too, if it has the same key. If not, the connection is
   closed and the new owner dials: the limits are limits on sockets.
6. A waiter that gives up leaves its queue; one that had been granted the slot passes it on, by
   rule 4.
7. The most recently used idle connection goes out first, so that spare ones grow old; one that was
   idle for `keepalive_timeout` goes out no more. `expire()` hands over those to be closed.
8. A server may announce that it closes idle connections sooner. Such a connection goes out no more
   shortly before that. `expire()` need not find it at once: it is closed with those that are
   older, or when its server closes it.

No operation looks at more than the two ends of a queue. Those that return many connections or
tickets (`expire()`, `clear()`, `tickets`) take a step for each.
"""

import math
import sys
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

__all__ = ("Grant", "Open", "Pool", "PoolStatistics", "Ticket", "Wait")

# Seconds before the announced end of an idle connection from which on it is not used: a request takes time to
# arrive, and the server's clock began to run when it had sent its response.
_MARGIN = 1.0

K = TypeVar("K", bound=Hashable)
C = TypeVar("C", bound=Hashable)


class _Host(Generic[K, C]):
    """The slots, the idle connections and the queue of one key; forgotten when all are empty."""

    __slots__ = ("idle", "key", "queue", "taken")

    def __init__(self, key: K) -> None:
        self.key = key
        self.taken = 0  # slots in use, and tickets in the total queue
        self.idle: OrderedDict[C, float] = OrderedDict()  # connection → when it expires
        self.queue: OrderedDict[Ticket[K, C], None] | None = None  # few hosts ever have one


class Ticket(Generic[K, C]):
    """The place of a request in a queue, and what it was granted.

    `waiter` is the driver's: whatever it wakes when the grant comes. `connection` is the one that
    was granted, or None to dial; the driver sets it to None when that one dies before it is used.
    """

    __slots__ = ("_granted", "_host", "_queue", "connection", "waiter")

    def __init__(self, host: _Host[K, C]) -> None:
        self.waiter: object = None
        self.connection: C | None = None
        self._host = host
        self._queue: OrderedDict[Ticket[K, C], None] | None = None
        self._granted = False

    @property
    def key(self) -> K:
        """The key the request waits for."""
        return self._host.key

    @property
    def granted(self) -> bool:
        """True from the grant of a slot on, until `Pool.cancel()` gives it back."""
        return self._granted

    def __repr__(self) -> str:
        state = (
            "granted" if self._granted else "waiting" if self._queue is not None else "cancelled"
        )
        return f"<Ticket {state} key={self.key!r}>"


class Open(NamedTuple, Generic[C]):
    """A slot is reserved: close `evict`, if there is one, and dial."""

    evict: C | None = None


class Wait(NamedTuple, Generic[K, C]):
    """No slot is free: wait for the `Grant` of `ticket`, or `Pool.cancel()` it."""

    ticket: Ticket[K, C]


class Grant(NamedTuple, Generic[K, C]):
    """The owner of `ticket` has a slot now: give it `connection`, or let it dial if that is None.

    `close` is the connection whose place the new one takes: close it.
    """

    ticket: Ticket[K, C]
    connection: C | None = None
    close: C | None = None


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """What a pool holds at one moment, and what it has done since it was made.

    Attributes:
        limit: Most connections in use and idle together; 0 is no limit.
        limit_per_host: The same for one key.
        in_use: Slots held, those included whose connection is still being dialled.
        idle: Connections open and not in use.
        waiting: Requests in a queue.
        waiting_at_hosts: How many of these wait at the gate of their host.
        hosts: Keys that have any of these.
        opened: Connections dialled with success.
        reused: Times a request got a connection that had been used before.
        waited: Requests that had to queue.
        evicted: Connections closed to make room for another one.
        expired: Connections closed because they were idle for `keepalive_timeout`.
        lost: Idle connections that the other side closed.
    """

    limit: int
    limit_per_host: int
    in_use: int
    idle: int
    waiting: int
    waiting_at_hosts: int
    hosts: int
    opened: int
    reused: int
    waited: int
    evicted: int
    expired: int
    lost: int


class Pool(Generic[K, C]):
    """Slots, idle connections and queues of one connector; the module's text has the rules.

    Args:
        limit: Most connections, in use and idle, in all; 0 for no limit.
        limit_per_host: Most connections of one key; 0 for no limit.
        keepalive_timeout: Seconds an idle connection may be used again; None for ever.

    Raises:
        ValueError: a limit is not a whole number from 0 on, or the timeout is negative or NaN.
    """

    __slots__ = (
        "_evicted",
        "_expired",
        "_hosts",
        "_idle",
        "_in_use",
        "_keepalive",
        "_limit",
        "_limit_per_host",
        "_lost",
        "_opened",
        "_queue",
        "_reused",
        "_waited",
        "_waiting_at_hosts",
    )

    def __init__(
        self,
        *,
        limit: int = 100,
        limit_per_host: int = 0,
        keepalive_timeout: float | None = 15.0,
    ) -> None:
        self._limit = _whole("limit", limit) or sys.maxsize
        self._limit_per_host = _whole("limit_per_host", limit_per_host) or sys.maxsize
        if keepalive_timeout is not None and not keepalive_timeout >= 0:
            raise ValueError(
                f"keepalive_timeout={keepalive_timeout!r}: give seconds from 0 on, or None for ever"
            )
        self._keepalive = math.inf if keepalive_timeout is None else keepalive_timeout
        self._hosts: dict[K, _Host[K, C]] = {}
        self._idle: OrderedDict[C, _Host[K, C]] = OrderedDict()  # of all hosts, oldest first
        self._queue: OrderedDict[Ticket[K, C], None] = OrderedDict()  # at the total gate
        self._in_use = 0
        self._waiting_at_hosts = 0
        self._opened = 0
        self._reused = 0
        self._waited = 0
        self._evicted = 0
        self._expired = 0
        self._lost = 0

    def reuse(self, key: K, now: float) -> C | None:
        """Take a slot with the most recently used idle connection of *key*.

        Returns:
            The connection; None if none is idle, or none is young enough. Then call `reserve()`.
        """
        host = self._hosts.get(key)
        if host is None or not host.idle:
            return None
        connection, expiry = host.idle.popitem()
        if expiry <= now:
            # The newest is too old, so nearly always all are. They are closed by expire() or for their room.
            host.idle[connection] = expiry
            return None
        del self._idle[connection]
        host.taken += 1
        self._in_use += 1
        self._reused += 1
        return connection

    def reserve(self, key: K) -> Open[C] | Wait[K, C]:
        """Take a slot for a new connection, or queue for a slot.

        Call it when `reuse()` gave None, or when the request needs a connection of its own.
        """
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = _Host(key)
        host_is_full = host.taken + len(host.idle) >= self._limit_per_host
        if host_is_full and not host.idle:
            if host.queue is None:
                host.queue = OrderedDict()
            self._waiting_at_hosts += 1
            self._waited += 1
            return Wait(_queue_up(Ticket(host), host.queue))
        host.taken += 1
        evict: C | None = None
        if host_is_full:
            evict = self._evict(host)
        elif self._in_use + len(self._idle) >= self._limit:
            if not self._idle:
                self._waited += 1
                return Wait(_queue_up(Ticket(host), self._queue))
            evict = self._evict(next(iter(self._idle.values())))
        self._in_use += 1
        return Open(evict)

    def opened(self) -> None:
        """Count a dial that succeeded."""
        self._opened += 1

    def release(
        self, key: K, connection: C | None, now: float, announced: float | None = None
    ) -> Grant[K, C] | None:
        """Give a slot of *key* back.

        Args:
            key: The key the slot was taken for.
            connection: The connection if it may be used again; None if it was closed or never
                opened.
            now: The time, on the clock that `reuse()` and `expire()` are told.
            announced: Seconds after which the server closes it when it is idle; None if it did not
                say.

        Returns:
            The grant to carry out if someone waited for the slot.

        Raises:
            RuntimeError: no slot of the key is in use: it was released twice.
        """
        host = self._hosts.get(key)
        if host is None or not host.taken:
            raise RuntimeError(f"release of {key!r}: the pool has no slot of it in use")
        if self._queue or host.queue:
            return self._pass_on(host, connection)
        host.taken -= 1
        self._in_use -= 1
        if connection is not None:
            keepalive = self._keepalive
            if announced is not None:
                keepalive = min(keepalive, announced - min(_MARGIN, announced / 2))
            host.idle[connection] = now + keepalive
            self._idle[connection] = host
        elif not host.taken and not host.idle:
            del self._hosts[key]
        return None

    def cancel(self, ticket: Ticket[K, C], now: float) -> Grant[K, C] | None:
        """Take a request that gave up out of its queue; a slot it was granted goes to the next one.

        Do not call it for a ticket whose slot is released by `release()`. A second call does
        nothing.

        Returns:
            The grant to carry out if the slot goes to another waiter.
        """
        host = ticket._host
        queue = ticket._queue
        if queue is None:
            if not ticket._granted:
                return None
            ticket._granted = False
            connection, ticket.connection = ticket.connection, None
            return self.release(host.key, connection, now)
        del queue[ticket]
        ticket._queue = None
        if queue is host.queue:
            self._waiting_at_hosts -= 1
        elif host.queue:
            # It counted for its host; there is room for one at that gate now. No slot came free.
            self._step_forward(host.queue)
        else:
            host.taken -= 1
        self._forget_if_empty(host)
        return None

    def discard(self, connection: C) -> bool:
        """Forget an idle connection that the other side closed.

        Returns:
            False if it was not idle: whoever uses it gives its slot back.
        """
        host = self._idle.pop(connection, None)
        if host is None:
            return False
        del host.idle[connection]
        self._forget_if_empty(host)
        self._lost += 1
        return True

    def expire(self, now: float) -> list[C]:
        """Forget the connections idle for `keepalive_timeout`, and return them to be closed."""
        expired: list[C] = []
        while self._idle:
            connection, host = next(iter(self._idle.items()))
            if host.idle[connection] > now:
                break
            del self._idle[connection]
            del host.idle[connection]
            self._forget_if_empty(host)
            expired.append(connection)
        self._expired += len(expired)
        return expired

    def next_expiry(self) -> float | None:
        """Return when `expire()` has something to do next; None if nothing idle ever expires."""
        if not self._idle:
            return None
        connection, host = next(iter(self._idle.items()))
        expiry = host.idle[connection]
        return None if expiry == math.inf else expiry

    def clear(self) -> list[C]:
        """Forget all idle connections, and return them to close; slots and queues stay."""
        connections = list(self._idle)
        for connection, host in self._idle.items():
            del host.idle[connection]
            self._forget_if_empty(host)
        self._idle.clear()
        return connections

    @property
    def tickets(self) -> list[Ticket[K, C]]:
        """Those who wait: the total queue in order, then the queue of each host."""
        tickets = list(self._queue)
        for host in self._hosts.values():
            tickets.extend(host.queue or ())
        return tickets

    def statistics(self) -> PoolStatistics:
        """Return the numbers of this moment."""
        return PoolStatistics(
            limit=0 if self._limit == sys.maxsize else self._limit,
            limit_per_host=0 if self._limit_per_host == sys.maxsize else self._limit_per_host,
            in_use=self._in_use,
            idle=len(self._idle),
            waiting=len(self._queue) + self._waiting_at_hosts,
            waiting_at_hosts=self._waiting_at_hosts,
            hosts=len(self._hosts),
            opened=self._opened,
            reused=self._reused,
            waited=self._waited,
            evicted=self._evicted,
            expired=self._expired,
            lost=self._lost,
        )

    def __repr__(self) -> str:
        now = self.statistics()
        return (
            f"<Pool in_use={now.in_use} idle={now.idle} waiting={now.waiting}"
            f" limit={now.limit} limit_per_host={now.limit_per_host}>"
        )

    def _pass_on(self, host: _Host[K, C], connection: C | None) -> Grant[K, C]:
        """Give a slot of *host* to the next one, by rule 4 and rule 5."""
        if host.queue:
            self._step_forward(host.queue)
        else:
            host.taken -= 1
        ticket, _ = self._queue.popitem(last=False)
        ticket._queue = None
        ticket._granted = True
        if ticket._host is not host:
            self._forget_if_empty(host)
            if connection is None:
                return Grant(ticket)
            self._evicted += 1
            return Grant(ticket, close=connection)
        if connection is not None:
            self._reused += 1
            ticket.connection = connection
        return Grant(ticket, connection)

    def _step_forward(self, queue: "OrderedDict[Ticket[K, C], None]") -> None:
        """Let the first at its host's gate through, in place of one who left: taken is the same."""
        ticket, _ = queue.popitem(last=False)
        self._waiting_at_hosts -= 1
        _queue_up(ticket, self._queue)

    def _evict(self, host: _Host[K, C]) -> C:
        """Forget the least recently used idle connection of *host*."""
        connection, _ = host.idle.popitem(last=False)
        del self._idle[connection]
        self._forget_if_empty(host)
        self._evicted += 1
        return connection

    def _forget_if_empty(self, host: _Host[K, C]) -> None:
        if not host.taken and not host.idle and not host.queue:
            del self._hosts[host.key]


def _queue_up(ticket: Ticket[K, C], queue: "OrderedDict[Ticket[K, C], None]") -> Ticket[K, C]:
    queue[ticket] = None
    ticket._queue = queue
    return ticket


def _whole(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name}={value!r}: give a whole number, or 0 for no limit")
    return value
