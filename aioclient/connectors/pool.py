"""Which connection a request may use: bookkeeping only, no event loop, no clock, no socket.

The driver asks the pool, and does what the answer says: send on a connection, dial, wait, close.

A *slot* is the permission to have a socket in use. A request takes it, and `release()` gives it back. It belongs to a
key (everything that makes two connections different). A connection that carries one exchange at a time has a slot for
that exchange; one that carries many has one slot from its first exchange until it is idle. A request gets a connection
in one of these ways:

===========  ========================================================================
`reuse()`    an idle connection of the same key, the most recently used one
`share()`    a busy connection that has room for another exchange: no slot is taken
`reserve()`  `Open`: dial. Called if the others found nothing
`reserve()`  `Wait`: no slot is free; the `Grant` comes later, from a `release()`
`join()`     as `reserve()`, for a key whose connections may carry many exchanges
`join()`     `Join`: such a connection is being dialled; wait for its outcome
===========  ========================================================================

The rules:

1. Two gates. A request passes its host's gate (`limit_per_host`), then the total gate (`limit`). A request that passed
   the first and waits at the second already counts for its host. Here a key is a host.
2. Idle connections count at both gates, but never keep a request waiting: at its host's gate the least recently used
   idle connection of that host is closed, at the total gate that of all hosts. So while a request waits at the total
   gate no connection is idle, and while a request waits at a host's gate no connection of that host is idle.
3. Each gate is first come, first served, without overtaking. By rule 2 an idle connection means that nobody waits for
   it, and a gate with room has no queue: `reuse()` and `reserve()` need not look at the queues.
4. A slot that comes back opens both gates by one. The first request at its host's gate moves to the end of the total
   queue; then the first in the total queue gets the slot. If the total queue was empty, these two steps hand the slot
   to the host's own next request. Otherwise the host's next request queues behind the others, although the connection
   is of its key: else a busy host would starve all others.
5. The request that gets the slot also gets the connection, if it has the same key. If not, the connection is closed and
   the request dials: the limits are limits on sockets.
6. A request that gives up leaves its queue; if it had been granted the slot, the slot passes on by rule 4.
7. The most recently used idle connection is reused first, so that spare ones age; one that was idle for
   `keepalive_timeout` is not reused. `expire()` returns those to be closed.
8. A server may announce that it closes idle connections sooner. Such a connection is not reused shortly before that
   time. `expire()` need not find it at once: it is closed together with older ones, or by its server.

Connections that carry many exchanges at a time have further rules. They concern requests of `join()`; requests of
`reserve()` want a connection of their own.

9. A busy connection is *shared* while it has room, as reported by `offer()`. A share takes one place of the room and no
   slot: the limits are limits on sockets. The connection that was offered first is used as long as it has room, before
   any idle one, so that the others become idle and age. The room of a connection that was idle when `reuse()` took it
   is not known until a request looks for a share (`take_unasked()`): most are idle again before that.
10. Room that is offered goes to the waiting requests of its key, at either gate, in the order in which they came. They
    leave the queues. So while a request waits no connection of its key has room (except by rule 11), and `reuse()` need
    not look at the queues here either.
11. A share overtakes the first request at the total gate, which waits for a slot that a busy connection might never
    give back. It is overtaken at most `OVERTAKINGS` times for each slot. After that only its own key is served until it
    has left the queue: connections become idle, and the first one gives up its slot. Then the delayed requests get
    their shares.
12. At most one dial of a key *leads*: that of the first request that may dial. Other requests join it, and take neither
    a slot nor a place at a gate. A freed slot is not given to a waiter that can join such a dial: it joins, and the
    slot goes to the next one.
13. If the dialled connection carries many, its room is offered. Of the requests that find no room, the first one goes
    to the gates, to lead the next dial, and the others join that. If it carries one, all of them go to the gates, in
    the order in which they joined, and for `http1_only.KNOWN_FOR` seconds no dial of the key leads. If the dial fails,
    they fail. If the leading request gives up, the first of the others goes to the gates and leads.
14. A key whose connections carry many has at most `shared_connections` of them; `limit_per_host` may allow fewer. A
    request that finds no room on them waits at its host's gate.
15. A connection that becomes idle while nobody waits at a gate goes to the first request that waits for a dial of its
    key.

No operation looks at more than the two ends of a queue. Operations that return many connections, tickets or grants take
one step for each.
"""

import math
import sys
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from .http1_only import Http1OnlyKeys
from .queues import Queues
from .tickets import Grant, Host, Join, Open, Sharing, Ticket, TicketState, Wait

__all__ = ("Grant", "Join", "Open", "Pool", "PoolStatistics", "Ticket", "Wait")

OVERTAKINGS: Final = 100
"""Shares for each slot while a request waits for one. If a dial costs as much as ten exchanges, changing connections
after a hundred costs a tenth; nginx's limit of exchanges on a connection was the same for years."""

# Seconds before the announced end of an idle connection during which it is not used: a request takes time to arrive,
# and the server's clock started when it had sent its response.
_MARGIN = 1.0

K = TypeVar("K", bound=Hashable)
C = TypeVar("C", bound=Hashable)


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """What a pool holds at one moment, and what it has counted since it was made.

    Attributes:
        limit: Largest number of connections, in use and idle together; 0 is no limit.
        limit_per_host: The same for one key.
        in_use: Slots taken, including those whose connection is still being dialled.
        idle: Connections open and not in use.
        waiting: Requests in a queue.
        waiting_at_hosts: How many of these wait at the gate of their host.
        joining: Requests that wait for a connection that another request dials.
        hosts: Keys with any of these.
        opened: Connections dialled successfully.
        reused: Times a request got an idle connection, or one that was just released.
        shared: Times a request got a connection that other requests were using.
        joined: Requests that waited for a connection that another request dialled.
        waited: Requests that had to queue.
        evicted: Connections closed to make room for another one.
        expired: Connections closed because they were idle for `keepalive_timeout`.
        lost: Idle connections closed by the other side.
        streams: Exchanges under way on connections that carry several at a time.
    """

    limit: int
    limit_per_host: int
    in_use: int
    idle: int
    waiting: int
    waiting_at_hosts: int
    joining: int
    hosts: int
    opened: int
    reused: int
    shared: int
    joined: int
    waited: int
    evicted: int
    expired: int
    lost: int
    streams: int = 0


class Pool(Generic[K, C]):
    """Slots, idle connections and queues of one connector; the module's docstring has the rules.

    Args:
        limit: Largest number of connections, in use and idle, in all; 0 for no limit.
        limit_per_host: Largest number of connections of one key; 0 for no limit.
        keepalive_timeout: Seconds for which an idle connection may be reused; None forever.
        shared_connections: Largest number of connections of one key that carry many exchanges; 0 for no separate limit.

    Attributes:
        queued: Tickets that joined a dial in vain and now wait at a gate. The driver takes them from here.

    Raises:
        ValueError: a limit is not a whole number from 0 on, or the timeout is negative or NaN.
    """

    __slots__ = (
        "_evicted",
        "_expired",
        "_hosts",
        "_http1_only",
        "_idle",
        "_in_use",
        "_keepalive",
        "_limit",
        "_limit_per_host",
        "_lost",
        "_opened",
        "_overtaken",
        "_paused",
        "_queue",
        "_queues",
        "_reused",
        "_shared",
        "_shared_connections",
        "queued",
    )

    def __init__(
        self,
        *,
        limit: int = 100,
        limit_per_host: int = 0,
        keepalive_timeout: float | None = 15.0,
        shared_connections: int = 0,
    ) -> None:
        self._limit = _whole("limit", limit) or sys.maxsize
        self._limit_per_host = _whole("limit_per_host", limit_per_host) or sys.maxsize
        self._shared_connections = _whole("shared_connections", shared_connections) or sys.maxsize
        if keepalive_timeout is not None and not keepalive_timeout >= 0:
            raise ValueError(
                f"keepalive_timeout={keepalive_timeout!r}: give seconds from 0 on, or None for ever"
            )
        self._keepalive = math.inf if keepalive_timeout is None else keepalive_timeout
        self._hosts: dict[K, Host[K, C]] = {}
        self._idle: OrderedDict[C, Host[K, C]] = OrderedDict()  # of all hosts, oldest first
        self._queues: Queues[K, C] = Queues()
        self._queue = self._queues.total
        self.queued: list[Ticket[K, C]] = []
        self._overtaken = 0  # shares since the first request in that queue became its first
        # Hosts that have both waiters and room, because of rule 11.
        self._paused: OrderedDict[Host[K, C], None] = OrderedDict()
        self._http1_only: Http1OnlyKeys[K] = Http1OnlyKeys()
        self._in_use = 0
        self._opened = 0
        self._reused = 0
        self._shared = 0
        self._evicted = 0
        self._expired = 0
        self._lost = 0

    def reuse(self, key: K, now: float) -> C | None:
        """Take a slot with the most recently used idle connection of *key*.

        Returns:
            The connection; None if none is idle, or none is young enough, or a busy one has room. Then call `share()`
            if connections of the key may carry many exchanges, and then `reserve()` or `join()`.
        """
        host = self._hosts.get(key)
        if host is None or not host.idle:
            return None
        if host.sharing is not None and host.sharing.room:
            return None
        connection, expiry = host.idle.popitem()
        if expiry <= now:
            # The newest is too old, so all are, nearly always. expire() closes them, or they are evicted.
            host.idle[connection] = expiry
            return None
        del self._idle[connection]
        host.taken += 1
        self._in_use += 1
        self._reused += 1
        if host.sharing is not None and host.sharing.carries_many:
            host.sharing.unasked.add(connection)
        return connection

    def take_unasked(self, key: K) -> C | None:
        """Return a busy connection of *key* whose room is not known: `reuse()` returned it and no `offer()` followed.

        Call it if `share()` returned None, and `offer()` the room of the connection.
        """
        host = self._hosts.get(key)
        if host is None or host.sharing is None or not host.sharing.unasked:
            return None
        return host.sharing.unasked.pop()

    def share(self, key: K) -> C | None:
        """Share a busy connection of *key*; return None if none has room. No slot is taken.

        Call it before `join()`, and never begin an exchange on it without reserved room there.
        """
        host = self._hosts.get(key)
        if host is None or host.sharing is None:
            return None
        return self._share(host, host.sharing)

    def reserve(self, key: K) -> Open[C] | Wait[K, C]:
        """Take a slot for a new connection, or queue for a slot.

        Call it if `reuse()` returned None, or if the request needs a connection of its own.
        """
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = Host(key)
        return self._enter(host)

    def join(self, key: K, now: float) -> Open[C] | Wait[K, C] | Join[K, C]:
        """Join the dial of a connection that may carry many exchanges; if there is no such dial, do as `reserve()`.

        Call it if `reuse()` and `share()` returned None.
        """
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = Host(key)
        sharing = host.sharing
        if sharing is None:
            sharing = host.sharing = Sharing()
        ticket = Ticket(host, joins=True)
        if sharing.dial:
            sharing.waiting[ticket] = None
            self._queues.join(ticket, sharing)
            return Join(ticket)
        entered = self._enter(host, ticket)
        if isinstance(entered, Wait):
            sharing.waiting[ticket] = None
            return entered
        sharing.dial = not self._http1_only.knows(key, now)
        return Open(entered.evict, sharing.dial)

    def offer(self, key: K, connection: C, room: int) -> Sequence[Grant[K, C]]:
        """Note how many more exchanges a busy connection can carry; 0 if it is full, about to end or lost.

        Shares are counted down here, at once. Call it when the room changes for another reason, and for a connection of
        `take_unasked()`. The room of an idle connection is ignored.

        Returns:
            The grants to carry out, for requests that waited for room.
        """
        host = self._hosts.get(key)
        if host is None or connection in self._idle:
            return ()
        sharing = host.sharing
        if sharing is not None:
            sharing.unasked.discard(connection)
        if room <= 0:
            if sharing is not None:
                sharing.room.pop(connection, None)
            return ()
        if sharing is None:
            sharing = host.sharing = Sharing()
        sharing.carries_many = True
        sharing.room[connection] = room
        if not sharing.waiting:
            return ()
        grants: list[Grant[K, C]] = []
        self._serve(host, sharing, grants)
        self._resume(grants)
        return grants

    def dialled_many(self, key: K, connection: C, room: int, now: float) -> Sequence[Grant[K, C]]:
        """End the dial that others could join: its connection can carry *room* exchanges besides its first.

        Returns:
            The grants to carry out.
        """
        self._http1_only.forget(key)
        host = self._hosts[key]
        self._end_dial(host).carries_many = True
        grants = self.offer(key, connection, room)
        return [*grants, *self._go_on(host, now)]

    def dialled_one(self, key: K, now: float) -> Sequence[Grant[K, C]]:
        """End the dial that others could join: its connection, and so all of the key, carry one exchange at a time.

        Returns:
            The grants to carry out.
        """
        self._http1_only.learn(key, now)
        host = self._hosts[key]
        self._end_dial(host).carries_many = False
        return self._go_on(host, now)

    def dial_failed(self, key: K) -> Sequence[Ticket[K, C]]:
        """End the dial that others could join, and return their tickets: they fail too. Its slot stays taken."""
        sharing = self._end_dial(self._hosts[key])
        joined = tuple(sharing.joined)
        for ticket in joined:
            self._queues.end(ticket, TicketState.CANCELLED)
        return joined

    def give_up(self, key: K, now: float) -> Grant[K, C] | None:
        """End the dial that others could join, because its own request has ended, and give its slot back.

        Returns:
            The grant to carry out if another request gets the slot.
        """
        host = self._hosts[key]
        joined = self._end_dial(host).joined
        grant = self.release(key, None, now)
        if not joined:
            return grant
        self._hosts[key] = host  # its last slot may have been this one
        return _chain(([] if grant is None else [grant]) + self._go_on(host, now))

    def opened(self) -> None:
        """Count a dial that succeeded."""
        self._opened += 1

    def release(
        self, key: K, connection: C | None, now: float, announced: float | None = None
    ) -> Grant[K, C] | None:
        """Give a slot of *key* back.

        Args:
            key: The key the slot was taken for.
            connection: The connection if it may be reused; None if it was closed or never opened.
            now: The time, on the clock of `reuse()` and `expire()`.
            announced: Seconds of idleness after which the server closes it; None if it did not announce any.

        Returns:
            The grant to carry out if a request waited for the slot.

        Raises:
            RuntimeError: no slot of the key is in use: it was released twice.
        """
        host = self._hosts.get(key)
        if host is None or not host.taken:
            raise RuntimeError(f"release of {key!r}: the pool has no slot of it in use")
        wanted: object = self._queue or host.queue
        if host.sharing is not None:
            wanted = wanted or host.sharing.joined
            if connection is not None:
                host.sharing.room.pop(connection, None)
                host.sharing.unasked.discard(connection)
        further: list[Grant[K, C]] | None = None
        if wanted:
            further = []
            grant = self._pass_on(host, connection, now, further)
            if grant is not None:
                return _chain([grant, *further]) if further else grant
        else:
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
        return _chain(further) if further else None

    def cancel(self, ticket: Ticket[K, C], now: float) -> Grant[K, C] | None:
        """Take a request that gave up out of its queue; a granted slot goes to the next one.

        Do not call it for a ticket whose slot is released by `release()`. A second call does nothing. Granted room
        comes back when the connection is offered.

        Returns:
            The grant to carry out if the slot goes to another waiter.
        """
        if ticket.state is TicketState.CANCELLED or ticket.state is TicketState.SHARE:
            ticket.state = TicketState.CANCELLED
            return None
        host = ticket.host
        if ticket.state is TicketState.SLOT:
            ticket.state = TicketState.CANCELLED
            if ticket.leads:
                return self.give_up(host.key, now)
            connection, ticket.connection = ticket.connection, None
            return self.release(host.key, connection, now)
        was_first = self._overtaken and ticket is self._queues.first
        self._queues.end(ticket, TicketState.CANCELLED)
        self._forget_if_empty(host)
        if not was_first:
            return None
        grants: list[Grant[K, C]] = []
        self._first_left(grants)
        return _chain(grants)

    def discard(self, connection: C) -> bool:
        """Forget an idle connection that the other side closed.

        Returns:
            False if it was not idle: its user gives the slot back.
        """
        host = self._idle.pop(connection, None)
        if host is None:
            return False
        del host.idle[connection]
        self._forget_if_empty(host)
        self._lost += 1
        return True

    def expire(self, now: float) -> list[C]:
        """Forget the connections that were idle for `keepalive_timeout`, and return them; the caller closes them."""
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
        """Return when `expire()` has something to do next; None if no idle connection ever expires."""
        if not self._idle:
            return None
        connection, host = next(iter(self._idle.items()))
        expiry = host.idle[connection]
        return None if expiry == math.inf else expiry

    def clear(self) -> list[C]:
        """Forget all idle connections, and return them; the caller closes them. Slots and queues stay."""
        connections = list(self._idle)
        for connection, host in self._idle.items():
            del host.idle[connection]
            self._forget_if_empty(host)
        self._idle.clear()
        return connections

    @property
    def tickets(self) -> list[Ticket[K, C]]:
        """The waiting tickets: the total queue in order, then for each host its queue and those that joined its
        dial.
        """
        tickets = list(self._queue)
        for host in self._hosts.values():
            tickets.extend(host.queue or ())
            if host.sharing is not None:
                tickets.extend(host.sharing.joined)
        return tickets

    def statistics(self) -> PoolStatistics:
        """Return the numbers of this moment."""
        return PoolStatistics(
            limit=0 if self._limit == sys.maxsize else self._limit,
            limit_per_host=0 if self._limit_per_host == sys.maxsize else self._limit_per_host,
            in_use=self._in_use,
            idle=len(self._idle),
            waiting=len(self._queue) + self._queues.at_hosts,
            waiting_at_hosts=self._queues.at_hosts,
            joining=self._queues.joining,
            hosts=len(self._hosts),
            opened=self._opened,
            reused=self._reused,
            shared=self._shared,
            joined=self._queues.joined,
            waited=self._queues.waited,
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

    # Slots

    def _enter(self, host: Host[K, C], ticket: Ticket[K, C] | None = None) -> Open[C] | Wait[K, C]:
        """Pass the gates of *host*, by rules 1, 2 and 14; or wait at one of them, with *ticket* if given."""
        limit = self._limit_per_host
        if host.sharing is not None and host.sharing.carries_many:
            limit = min(limit, self._shared_connections)
        host_is_full = host.taken + len(host.idle) >= limit
        if host_is_full and not host.idle:
            return self._queues.add(Ticket(host) if ticket is None else ticket, TicketState.AT_HOST)
        host.taken += 1
        evict: C | None = None
        if host_is_full:
            evict = self._evict(host)
        elif self._in_use + len(self._idle) >= self._limit:
            if not self._idle:
                return self._queues.add(
                    Ticket(host) if ticket is None else ticket, TicketState.AT_TOTAL
                )
            evict = self._evict(next(iter(self._idle.values())))
        self._in_use += 1
        return Open(evict)

    def _pass_on(
        self, host: Host[K, C], connection: C | None, now: float, further: list[Grant[K, C]]
    ) -> Grant[K, C] | None:
        """Give a slot of *host* to the next request, by rules 4, 5, 12 and 15; None if none takes it.

        *further* collects the shares that are granted because the first request at the total gate has left.
        """
        if host.queue:
            self._queues.admit_next(host)
        else:
            host.taken -= 1
        queue = self._queue
        while queue:
            ticket, _ = queue.popitem(last=False)  # it already counts for its host
            is_own = ticket.host is host
            if ticket.joins and self._joins_instead(ticket, is_own and connection is not None, now):
                if self._overtaken:
                    self._first_left(further)
                continue
            ticket.state = TicketState.SLOT
            close: C | None = None
            if not is_own:
                self._forget_if_empty(host)
                if connection is not None:
                    self._evicted += 1
                    close = connection
            elif connection is not None:
                self._reused += 1
                ticket.connection = connection
            if self._overtaken:
                self._first_left(further)
            return Grant(ticket, ticket.connection, close)
        if connection is None or host.sharing is None or not host.sharing.joined:
            return None
        ticket = next(iter(host.sharing.joined))
        self._queues.end(ticket, TicketState.SLOT)
        host.taken += 1
        self._reused += 1
        ticket.connection = connection
        return Grant(ticket, connection)

    def _evict(self, host: Host[K, C]) -> C:
        """Forget the least recently used idle connection of *host*."""
        connection, _ = host.idle.popitem(last=False)
        del self._idle[connection]
        self._forget_if_empty(host)
        self._evicted += 1
        return connection

    def _forget_if_empty(self, host: Host[K, C]) -> None:
        if not host.taken and not host.idle and not host.queue:
            del self._hosts[host.key]

    # Sharing

    def _share(self, host: Host[K, C], sharing: Sharing[K, C]) -> C | None:
        if not sharing.room:
            return None
        if self._queue:
            if self._overtaken >= OVERTAKINGS * self._limit:
                self._paused[host] = None
                return None
            self._overtaken += 1
        self._shared += 1
        return _take_room(sharing)

    def _serve(self, host: Host[K, C], sharing: Sharing[K, C], grants: list[Grant[K, C]]) -> None:
        """Give the room of *host* to waiting requests, by rules 10 and 11."""
        while sharing.room and sharing.waiting:
            ticket = next(iter(sharing.waiting))
            if self._queue:
                first = next(iter(self._queue))
                if self._overtaken >= OVERTAKINGS * self._limit:
                    if first.host is not host or not first.joins:
                        self._paused[host] = None
                        return
                    ticket = first
                self._overtaken = 0 if ticket is first else self._overtaken + 1
            self._queues.end(ticket, TicketState.SHARE)
            ticket.connection = _take_room(sharing)
            self._shared += 1
            grants.append(Grant(ticket, ticket.connection))

    def _resume(self, grants: list[Grant[K, C]]) -> None:
        """Serve the requests delayed by rule 11, as far as it allows now."""
        while self._paused:
            first = self._queues.first
            if first is not None and first.joins and first.host in self._paused:
                host = first.host
                del self._paused[host]
            elif self._overtaken < OVERTAKINGS * self._limit:
                host, _ = self._paused.popitem(last=False)
            else:
                return
            if host.sharing is not None:
                self._serve(host, host.sharing, grants)

    def _first_left(self, grants: list[Grant[K, C]]) -> None:
        """Restart the count of rule 11, because the first at the total gate has left, and serve the delayed
        requests.
        """
        self._overtaken = 0
        self._resume(grants)

    # Dials that others may join

    def _joins_instead(self, ticket: Ticket[K, C], has_connection: bool, now: float) -> bool:
        """Let *ticket*, the next one, join a dial if it can; otherwise it gets the slot, and its dial leads."""
        sharing = ticket.host.sharing
        if has_connection or sharing is None or not sharing.dial:
            self._queues.settle(ticket, TicketState.SLOT)
            if not has_connection:
                self._let_lead(ticket, now)
            return False
        self._queues.admit_next(ticket.host)
        self._queues.join(ticket, sharing)
        return True

    def _let_lead(self, ticket: Ticket[K, C], now: float) -> None:
        """Let others join the dial of *ticket*, unless the key is known to speak only HTTP/1.1."""
        sharing = ticket.host.sharing
        if sharing is not None and not self._http1_only.knows(ticket.key, now):
            ticket.leads = sharing.dial = True

    @staticmethod
    def _end_dial(host: Host[K, C]) -> Sharing[K, C]:
        sharing = host.sharing
        if sharing is None or not sharing.dial:
            raise RuntimeError(
                f"end of a dial of {host.key!r}: the pool has no dial that others may join"
            )
        sharing.dial = False
        return sharing

    def _go_on(self, host: Host[K, C], now: float) -> list[Grant[K, C]]:
        """Let the requests that had joined a dial of *host* pass the gates, until one of them leads the next dial."""
        grants: list[Grant[K, C]] = []
        sharing = host.sharing
        while sharing is not None and sharing.joined and not sharing.dial:
            ticket = next(iter(sharing.joined))
            self._queues.remove(ticket)
            entered = self._enter(host, ticket)
            if isinstance(entered, Wait):
                self.queued.append(ticket)
                continue
            self._queues.settle(ticket, TicketState.SLOT)
            self._let_lead(ticket, now)
            grants.append(Grant(ticket, None, entered.evict))
        return grants


def _take_room(sharing: Sharing[K, C]) -> C:
    """Take one place of the connection that was offered first."""
    connection = next(iter(sharing.room))
    left = sharing.room[connection] - 1
    if left:
        sharing.room[connection] = left
    else:
        del sharing.room[connection]
    return connection


def _chain(grants: Sequence[Grant[K, C]]) -> Grant[K, C] | None:
    """Return the first of *grants*, with the others attached."""
    if not grants:
        return None
    return grants[0]._replace(also=(*grants[0].also, *grants[1:]))


def _whole(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name}={value!r}: give a whole number, or 0 for no limit")
    return value
