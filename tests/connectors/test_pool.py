"""The pool's rules, with plain values: keys are letters, connections names, time is a number."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from aioclient.connectors.pool import Grant, Open, Pool, Ticket, Wait

from ..opcodes import opcodes

MyPool = Pool[str, str]
MyTicket = Ticket[str, str]


def take(pool: MyPool, key: str, connection: str, now: float = 0.0) -> None:
    """Open a connection and use it."""
    assert pool.reuse(key, now) is None
    assert pool.reserve(key) == Open()
    pool.opened()


def idle(pool: MyPool, *connections: str, now: float = 0.0) -> None:
    """Open connections, use them at once and then give them back in this order: a1 is of host a."""
    for name in connections:
        assert pool.reserve(name[0]) == Open()
        pool.opened()
    for name in connections:
        assert pool.release(name[0], name, now) is None


def wait(pool: MyPool, key: str) -> MyTicket:
    answer = pool.reserve(key)
    assert isinstance(answer, Wait)
    return answer.ticket


def numbers(pool: MyPool) -> tuple[int, int, int]:
    now = pool.statistics()
    return now.in_use, now.idle, now.waiting


class TestReuse:
    @pytest.mark.parametrize(
        ("announced", "until"), [(5, 4.0), (1, 0.5), (100, 15.0), (0, 0.0), (2, 1.0)]
    )
    def test_announced_idle_time(self, announced: int, until: float) -> None:
        """A connection whose server announced an end is not reused shortly before that, nor after keepalive_timeout."""
        for now, reused in ((until - 0.001, True), (until, False), (until + 0.001, False)):
            if now < 0:
                continue
            pool = MyPool()
            take(pool, "a", "a1")
            pool.release("a", "a1", 0, announced)
            assert pool.next_expiry() == until
            assert pool.reuse("a", now) == ("a1" if reused else None)

    def test_announced_idle_time_behind_an_older_connection(self) -> None:
        """One that expires before an older one is not reused, and is closed with it at the latest."""
        pool = MyPool()
        idle(pool, "b1")
        take(pool, "a", "a1")
        pool.release("a", "a1", 1, 2)
        assert pool.reuse("a", 2) is None
        assert pool.expire(15) == ["b1", "a1"]
        assert numbers(pool) == (0, 0, 0)

    def test_a_connection_given_back_serves_the_next_request(self) -> None:
        """A connection that was released is reused instead of dialling again."""
        pool = MyPool()
        take(pool, "a", "a1")
        assert numbers(pool) == (1, 0, 0)
        assert pool.release("a", "a1", 0) is None
        assert numbers(pool) == (0, 1, 0)
        assert pool.reuse("a", 1) == "a1"
        assert numbers(pool) == (1, 0, 0)

    def test_the_most_recently_used_goes_first(self) -> None:
        """Reuse is last in, first out."""
        pool = MyPool()
        idle(pool, "a1", "a2", "a3")
        assert [pool.reuse("a", 1) for _ in range(4)] == ["a3", "a2", "a1", None]

    def test_keys_do_not_share(self) -> None:
        """A connection serves requests of its own key only."""
        pool = MyPool()
        idle(pool, "a1")
        assert pool.reuse("b", 0) is None
        assert pool.reserve("b") == Open()
        assert numbers(pool) == (1, 1, 0)

    def test_a_closed_connection_is_not_kept(self) -> None:
        """A slot released without a connection leaves nothing behind."""
        pool = MyPool()
        take(pool, "a", "a1")
        assert pool.release("a", None, 0) is None
        assert numbers(pool) == (0, 0, 0)
        assert pool.reuse("a", 0) is None

    def test_released_twice(self) -> None:
        """A second release of a slot raises and changes nothing."""
        pool = MyPool()
        idle(pool, "a1")
        for key in ("a", "b"):
            with pytest.raises(RuntimeError, match=f"'{key}': the pool has no slot of it in use"):
                pool.release(key, "a1", 0)
        assert numbers(pool) == (0, 1, 0)

    def test_a_connection_that_died_idle(self) -> None:
        """A connection discarded while idle is never handed out; one in use is not the pool's."""
        pool = MyPool()
        idle(pool, "a1", "a2", "a3")
        assert pool.discard("a2")
        assert not pool.discard("a2")
        assert pool.reuse("a", 0) == "a3"
        assert not pool.discard("a3")
        assert pool.reuse("a", 0) == "a1"
        assert pool.reuse("a", 0) is None
        assert pool.statistics().lost == 1


class TestExpiry:
    def test_too_old_to_reuse(self) -> None:
        """A connection idle for keepalive_timeout is not reused."""
        pool = MyPool(keepalive_timeout=15)
        idle(pool, "a1", now=100)
        assert pool.reuse("a", 115) is None
        assert pool.reuse("a", 114.9) == "a1"

    def test_the_old_are_handed_over_to_be_closed(self) -> None:
        """expire() returns the connections that are too old, oldest first, and forgets them."""
        pool = MyPool(keepalive_timeout=15)
        assert pool.next_expiry() is None
        idle(pool, "a1", now=100)
        idle(pool, "b1", now=101)
        idle(pool, "a2", now=102)
        assert pool.next_expiry() == 115
        assert pool.expire(114) == []
        assert pool.expire(116) == ["a1", "b1"]
        assert pool.next_expiry() == 117
        assert numbers(pool) == (0, 1, 0)
        assert pool.statistics().expired == 2

    def test_at_the_time_next_expiry_told_something_expires(self) -> None:
        """A timer set to next_expiry() never fires for nothing."""
        pool = MyPool(keepalive_timeout=0.1)
        idle(pool, "a1", now=0.7)
        when = pool.next_expiry()
        assert when is not None
        assert pool.expire(when) == ["a1"]

    def test_no_timeout(self) -> None:
        """Without keepalive_timeout an idle connection lives for ever."""
        pool = MyPool(keepalive_timeout=None)
        idle(pool, "a1")
        assert pool.next_expiry() is None
        assert pool.expire(1e12) == []
        assert pool.reuse("a", 1e12) == "a1"

    def test_an_old_one_leaves_room_for_a_new_one(self) -> None:
        """A connection too old to reuse does not keep a request waiting at its host's gate."""
        pool = MyPool(limit_per_host=1)
        idle(pool, "a1", now=0)
        assert pool.reuse("a", 100) is None
        assert pool.reserve("a") == Open(evict="a1")
        assert numbers(pool) == (1, 0, 0)


class TestLimits:
    def test_the_least_recently_used_makes_room(self) -> None:
        """At the total limit an idle connection is closed for a new one, the oldest first."""
        pool = MyPool(limit=3)
        idle(pool, "a1", "b1", "a2")
        assert pool.reserve("c") == Open(evict="a1")
        assert pool.reserve("a") == Open(evict="b1")
        assert numbers(pool) == (2, 1, 0)
        assert pool.statistics().evicted == 2

    def test_idle_ones_count_for_their_host(self) -> None:
        """A host at its limit closes an idle connection of its own for a fresh one."""
        pool = MyPool(limit_per_host=2)
        idle(pool, "b1", "a1", "a2")
        assert pool.reserve("a") == Open(evict="a1")
        assert pool.reserve("a") == Open(evict="a2")
        wait(pool, "a")
        assert numbers(pool) == (2, 1, 1)

    def test_no_limit(self) -> None:
        """A limit of 0 lets every request through."""
        pool = MyPool(limit=0)
        for _ in range(1000):
            assert pool.reserve("a") == Open()
        assert (pool.statistics().limit, pool.statistics().limit_per_host) == (0, 0)

    @pytest.mark.parametrize("value", [-1, 1.5, True, None, "1"])
    def test_impossible_limits(self, value: Any) -> None:
        """A limit that is not a whole number from 0 on is refused at construction."""
        with pytest.raises(ValueError, match=r"^limit="):
            MyPool(limit=value)
        with pytest.raises(ValueError, match=r"^limit_per_host="):
            MyPool(limit_per_host=value)

    @pytest.mark.parametrize("value", [-1, float("nan")])
    def test_impossible_timeouts(self, value: float) -> None:
        """A negative keepalive_timeout, or one that is not a number, is refused."""
        with pytest.raises(ValueError, match="keepalive_timeout"):
            MyPool(keepalive_timeout=value)


class TestWaiting:
    def test_first_come_first_served(self) -> None:
        """Waiters of one host get its connection in the order they came."""
        pool = MyPool(limit=1)
        take(pool, "a", "a1")
        first, second = wait(pool, "a"), wait(pool, "a")
        assert pool.tickets == [first, second]
        assert pool.release("a", "a1", 0) == Grant(first, "a1")
        assert first.granted
        assert first.connection == "a1"
        assert pool.release("a", "a1", 0) == Grant(second, "a1")
        assert pool.release("a", "a1", 0) is None
        assert numbers(pool) == (0, 1, 0)
        assert pool.statistics().waited == 2
        assert pool.statistics().reused == 2

    def test_nothing_to_hand_over(self) -> None:
        """A slot whose connection closed lets the waiter dial."""
        pool = MyPool(limit=1)
        take(pool, "a", "a1")
        ticket = wait(pool, "a")
        assert pool.release("a", None, 0) == Grant(ticket)
        assert pool.statistics().evicted == 0
        assert ticket.connection is None
        assert numbers(pool) == (1, 0, 0)

    def test_another_host_waits(self) -> None:
        """A connection the first waiter cannot use is closed for it."""
        pool = MyPool(limit=1)
        take(pool, "a", "a1")
        ticket = wait(pool, "b")
        assert pool.release("a", "a1", 0) == Grant(ticket, close="a1")
        assert numbers(pool) == (1, 0, 0)
        assert pool.statistics().evicted == 1
        assert pool.release("b", "b1", 0) is None
        assert pool.reuse("b", 0) == "b1"

    def test_a_newcomer_does_not_overtake(self) -> None:
        """While somebody waits, reuse() finds nothing and reserve() queues."""
        pool = MyPool(limit=1)
        take(pool, "a", "a1")
        first = wait(pool, "a")
        pool.release("a", "a1", 0)
        assert pool.reuse("a", 0) is None
        second = wait(pool, "a")
        assert pool.release("a", "a1", 0) == Grant(second, "a1")
        assert first.granted

    def test_a_busy_host_does_not_starve_another(self) -> None:
        """A host whose own requests wait gives its slot to the host that is first in all."""
        pool = MyPool(limit=2, limit_per_host=2)
        take(pool, "a", "a1")
        take(pool, "a", "a2")
        own = wait(pool, "a")
        other = wait(pool, "b")
        assert pool.tickets == [other, own]  # own has not passed its host's gate
        assert pool.statistics().waiting_at_hosts == 1
        assert pool.release("a", "a1", 0) == Grant(other, close="a1")
        assert pool.statistics().waiting_at_hosts == 0  # own stepped forward
        assert pool.tickets == [own]
        assert pool.release("a", "a2", 0) == Grant(own, "a2")
        assert numbers(pool) == (2, 0, 0)

    def test_a_full_host_does_not_hold_up_another(self) -> None:
        """Requests at their host's gate do not stand in the way of other hosts."""
        pool = MyPool(limit=10, limit_per_host=1)
        take(pool, "a", "a1")
        wait(pool, "a")
        take(pool, "b", "b1")
        assert numbers(pool) == (2, 0, 1)

    def test_the_total_queue_counts_for_the_host(self) -> None:
        """A request that waits at the total gate holds one of its host's places."""
        pool = MyPool(limit=1, limit_per_host=1)
        take(pool, "a", "a1")
        first, second = wait(pool, "b"), wait(pool, "b")
        third = wait(pool, "c")
        assert pool.tickets == [first, third, second]
        assert pool.statistics().waiting_at_hosts == 1
        assert pool.cancel(first, 0) is None
        assert pool.statistics().waiting_at_hosts == 0
        assert pool.tickets == [third, second]  # second passed its host's gate, behind third
        assert pool.release("a", None, 0) == Grant(third)
        assert pool.release("c", None, 0) == Grant(second)
        assert pool.release("b", None, 0) is None
        assert numbers(pool) == (0, 0, 0)


class TestGivingUp:
    def test_a_waiter_that_gave_up_is_skipped(self) -> None:
        """A cancelled ticket gets nothing, and those behind it move up."""
        pool = MyPool(limit=1)
        take(pool, "a", "a1")
        first, second, third = wait(pool, "a"), wait(pool, "a"), wait(pool, "a")
        assert pool.cancel(second, 0) is None
        assert pool.cancel(second, 0) is None
        assert pool.release("a", "a1", 0) == Grant(first, "a1")
        assert pool.release("a", "a1", 0) == Grant(third, "a1")

    def test_a_waiter_at_its_hosts_gate_gave_up(self) -> None:
        """A cancelled ticket at a host's gate leaves no trace."""
        pool = MyPool(limit_per_host=1)
        take(pool, "a", "a1")
        ticket = wait(pool, "a")
        assert numbers(pool) == (1, 0, 1)
        assert pool.cancel(ticket, 0) is None
        assert numbers(pool) == (1, 0, 0)
        assert pool.release("a", "a1", 0) is None
        assert numbers(pool) == (0, 1, 0)

    def test_granted_and_then_gave_up(self) -> None:
        """A slot granted to somebody who left goes to the next one, its connection with it."""
        pool = MyPool(limit=1)
        take(pool, "a", "a1")
        first, second = wait(pool, "a"), wait(pool, "a")
        pool.release("a", "a1", 0)
        assert pool.cancel(first, 0) == Grant(second, "a1")
        assert not first.granted
        assert pool.cancel(second, 3) is None
        assert pool.cancel(second, 3) is None
        assert numbers(pool) == (0, 1, 0)
        assert pool.next_expiry() == 18

    def test_granted_but_the_connection_died(self) -> None:
        """A driver that clears the ticket's connection passes on the bare slot."""
        pool = MyPool(limit=1)
        take(pool, "a", "a1")
        first, second = wait(pool, "a"), wait(pool, "a")
        pool.release("a", "a1", 0)
        first.connection = None
        assert pool.cancel(first, 0) == Grant(second)

    def test_all_leave(self) -> None:
        """Idle connections and waiters can be taken out; the slots in use stay."""
        pool = MyPool(limit=2, limit_per_host=1)
        idle(pool, "a1", "b1")
        assert pool.clear() == ["a1", "b1"]
        take(pool, "a", "a1")
        take(pool, "b", "b1")
        wait(pool, "a")
        wait(pool, "c")
        assert repr(pool) == "<Pool in_use=2 idle=0 waiting=2 limit=2 limit_per_host=1>"
        for ticket in pool.tickets:
            assert pool.cancel(ticket, 0) is None
        assert pool.tickets == []
        assert numbers(pool) == (2, 0, 0)

    def test_a_ticket_tells_its_state(self) -> None:
        """The repr of a ticket says whether it waits, was granted or was cancelled."""
        pool = MyPool(limit=1)
        take(pool, "a", "a1")
        ticket = wait(pool, "a")
        assert repr(ticket) == "<Ticket waiting key='a'>"
        pool.release("a", "a1", 0)
        assert repr(ticket) == "<Ticket granted key='a'>"
        pool.cancel(ticket, 0)
        assert repr(ticket) == "<Ticket cancelled key='a'>"


class Model(RuleBasedStateMachine):
    """The pool against the rules done the slow way, with lists.

    `slots` are those held: (key, connection or None while dialling). A ticket that was granted and
    has not been looked at by its owner is in `granted`; it is in `slots` no earlier than that.
    """

    keys = st.sampled_from("abc")

    @initialize(limit=st.integers(0, 4), limit_per_host=st.integers(0, 2))
    def make(self, limit: int, limit_per_host: int) -> None:
        self.pool = MyPool(limit=limit, limit_per_host=limit_per_host, keepalive_timeout=10)
        self.limit = limit or 10**9
        self.limit_per_host = limit_per_host or 10**9
        self.now = 0.0
        self.names = 0
        self.slots: list[tuple[str, str | None]] = []
        self.granted: list[tuple[MyTicket, str | None]] = []
        self.idle: list[tuple[str, str, float]] = []  # key, connection, expiry; oldest first
        self.at_host: list[MyTicket] = []
        self.at_total: list[MyTicket] = []

    def in_use(self) -> int:
        return len(self.slots) + len(self.granted)

    def host_in_use(self, key: str) -> int:
        held = sum(k == key for k, _ in self.slots)
        promised = sum(t.key == key for t, _ in self.granted)
        return held + promised + sum(t.key == key for t in self.at_total)

    def host_idle(self, key: str) -> list[tuple[str, str, float]]:
        return [entry for entry in self.idle if entry[0] == key]

    @rule(seconds=st.integers(1, 6))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(several=st.lists(keys, min_size=1, max_size=5), fresh=st.booleans())
    def requests(self, several: list[str], fresh: bool) -> None:
        for key in several:
            self.request(key, fresh)

    def request(self, key: str, fresh: bool) -> None:
        if not fresh:
            young = [entry for entry in self.host_idle(key) if entry[2] > self.now]
            connection = self.pool.reuse(key, self.now)
            assert connection == (young[-1][1] if young else None)
            if connection is not None:
                self.idle.remove(young[-1])
                self.slots.append((key, connection))
                return
        mine = self.host_idle(key)
        victim = None
        if self.host_in_use(key) + len(mine) >= self.limit_per_host:
            if not mine:
                self.at_host.append(wait(self.pool, key))
                return
            victim = mine[0]
        elif self.in_use() + len(self.idle) >= self.limit:
            if not self.idle:
                self.at_total.append(wait(self.pool, key))
                return
            victim = self.idle[0]
        assert self.pool.reserve(key) == Open(victim[1] if victim else None)
        if victim:
            self.idle.remove(victim)
        self.slots.append((key, None))

    @precondition(lambda self: self.slots)
    @rule(data=st.data(), keep=st.booleans())
    def release(self, data: st.DataObject, keep: bool) -> None:
        slot = data.draw(st.sampled_from(self.slots))
        self.slots.remove(slot)
        key, connection = slot
        if connection is None and keep:
            self.names += 1
            connection = f"{key}{self.names}"
        connection = connection if keep else None
        self.came_back(key, connection, self.pool.release(key, connection, self.now))

    @precondition(lambda self: self.at_host or self.at_total or self.granted)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        granted = [ticket for ticket, _ in self.granted]
        ticket = data.draw(st.sampled_from(self.at_host + self.at_total + granted))
        grant = self.pool.cancel(ticket, self.now)
        if ticket in granted:
            _, connection = self.granted.pop(granted.index(ticket))
            self.came_back(ticket.key, connection, grant)
        else:
            assert grant is None
            if ticket in self.at_host:
                self.at_host.remove(ticket)
            else:
                self.at_total.remove(ticket)
                self.step_forward()
        assert self.pool.cancel(ticket, self.now) is None

    @precondition(lambda self: self.granted)
    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.granted))
        self.granted.remove(entry)
        ticket, connection = entry
        self.slots.append((ticket.key, connection))

    @precondition(lambda self: self.idle)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.idle))
        assert self.pool.discard(entry[1])
        self.idle.remove(entry)

    @rule()
    def expire(self) -> None:
        old = [entry for entry in self.idle if entry[2] <= self.now]
        assert self.pool.expire(self.now) == [connection for _, connection, _ in old]
        self.idle = [entry for entry in self.idle if entry not in old]

    @rule()
    def clear(self) -> None:
        assert self.pool.clear() == [connection for _, connection, _ in self.idle]
        self.idle = []

    def step_forward(self) -> None:
        """Let those pass their host's gate for whom there is room now."""
        for ticket in list(self.at_host):
            mine = self.host_in_use(ticket.key) + len(self.host_idle(ticket.key))
            if mine < self.limit_per_host:
                self.at_host.remove(ticket)
                self.at_total.append(ticket)

    def came_back(self, key: str, connection: str | None, grant: Grant[str, str] | None) -> None:
        self.step_forward()
        if not self.at_total:
            assert grant is None
            if connection is not None:
                self.idle.append((key, connection, self.now + 10))
            return
        ticket = self.at_total.pop(0)
        if ticket.key == key:
            assert grant == Grant(ticket, connection)
            self.granted.append((ticket, connection))
        else:
            assert grant == Grant(ticket, None, connection)
            self.granted.append((ticket, None))

    @invariant()
    def the_numbers_agree(self) -> None:
        """The pool holds what the lists hold."""
        waiting = len(self.at_host) + len(self.at_total)
        assert numbers(self.pool) == (self.in_use(), len(self.idle), waiting)
        assert self.pool.statistics().waiting_at_hosts == len(self.at_host)
        assert self.pool.next_expiry() == (self.idle[0][2] if self.idle else None)
        tickets = self.pool.tickets
        assert tickets[: len(self.at_total)] == self.at_total
        for key in "abc":
            queue = [ticket for ticket in tickets[len(self.at_total) :] if ticket.key == key]
            assert queue == [ticket for ticket in self.at_host if ticket.key == key]

    @invariant()
    def the_limits_hold(self) -> None:
        """Sockets in all and for each host stay within the limits."""
        assert self.in_use() + len(self.idle) <= self.limit
        for key in "abc":
            assert self.host_in_use(key) + len(self.host_idle(key)) <= self.limit_per_host

    @invariant()
    def nobody_waits_without_need(self) -> None:
        """Who waits at a gate waits because it is full of connections in use."""
        if self.at_total:
            assert not self.idle
            assert self.in_use() == self.limit
        for ticket in self.at_host:
            assert not self.host_idle(ticket.key)
            assert self.host_in_use(ticket.key) == self.limit_per_host

    def teardown(self) -> None:
        """When all have left and all slots are back, nothing is in the pool, not even a key."""
        if not hasattr(self, "pool"):
            return
        for ticket in self.pool.tickets:
            self.pool.cancel(ticket, self.now)
        for ticket, _ in self.granted:
            assert self.pool.cancel(ticket, self.now) is None
        for key, _ in self.slots:
            assert self.pool.release(key, None, self.now) is None
        self.pool.clear()
        assert numbers(self.pool) == (0, 0, 0)
        assert self.pool.statistics().hosts == 0


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, print_blob=True
)


class Name:
    """A key, connection or ticket's stand-in that counts how often it is hashed and compared."""

    touched = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        Name.touched += 1
        return hash(self.number)

    def __eq__(self, other: object) -> bool:
        Name.touched += 1
        return isinstance(other, Name) and self.number == other.number


def steps(operation: Callable[[], object]) -> tuple[int, int]:
    """Count the bytecode instructions and the hashes and comparisons that *operation* takes."""
    Name.touched = 0
    return opcodes(operation), Name.touched


class TestCost:
    def count(self, size: int) -> dict[str, tuple[int, int]]:
        """Count the steps of each operation in pools that hold *size* of everything."""
        counts = {}
        # All idle, half of them of one host, the others of a host each.
        pool = Pool[Name, Name](limit=0, limit_per_host=size)
        busy = Name(-1)
        for number in range(size):
            pool.reserve(busy if number % 2 else Name(number))
        for number in range(size):
            key = busy if number % 2 else Name(number)
            pool.release(key, Name(number + size), 0)
        middle = Name(size + (size // 2 | 1))
        counts["reuse"] = steps(lambda: pool.reuse(busy, 1))
        counts["release"] = steps(lambda: pool.release(busy, Name(10**6), 1))
        counts["reserve"] = steps(lambda: pool.reserve(busy))
        counts["discard"] = steps(lambda: pool.discard(middle))
        counts["reuse, too old"] = steps(lambda: pool.reuse(busy, 1000))
        counts["next_expiry"] = steps(pool.next_expiry)
        counts["statistics"] = steps(pool.statistics)
        counts["repr"] = steps(lambda: repr(pool))
        # All idle, and no room.
        full = Pool[Name, Name](limit=size)
        for number in range(size):
            full.reserve(Name(number % 5))
        for number in range(size):
            full.release(Name(number % 5), Name(number + size), 0)
        counts["evict"] = steps(lambda: full.reserve(Name(1)))
        # All in use, and a long queue at both gates.
        crowd = Pool[Name, Name](limit=size, limit_per_host=size)
        for _ in range(size):
            crowd.reserve(busy)
        at_host = [crowd.reserve(busy) for _ in range(size)]
        at_total = [crowd.reserve(Name(number)) for number in range(size)]
        mid_host, mid_total = at_host[size // 2], at_total[size // 2]
        assert isinstance(mid_host, Wait)
        assert isinstance(mid_total, Wait)
        counts["wait at host"] = steps(lambda: crowd.reserve(busy))
        counts["wait at total"] = steps(lambda: crowd.reserve(Name(size - 1)))
        counts["cancel at host"] = steps(lambda: crowd.cancel(mid_host.ticket, 0))
        counts["cancel at total"] = steps(lambda: crowd.cancel(mid_total.ticket, 0))
        counts["hand over"] = steps(lambda: crowd.release(busy, Name(10**6), 0))
        return counts

    def test_no_operation_grows_with_the_pool(self) -> None:
        """Every operation takes the same steps with 10 connections and waiters and with 10,000."""
        small, large = self.count(10), self.count(10_000)
        assert all(count > 0 for count, _ in small.values())
        for name, (count, touched) in small.items():
            assert large[name][0] == count, name
            # A dict may probe a few neighbours more.
            assert large[name][1] <= touched + 4, name
