"""The pool's rules of connections that carry many exchanges, with plain values: keys are letters, time is a number."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aioclient.connectors import pool as rules
from aioclient.connectors.pool import Grant, Join, Open, Pool, Ticket, Wait

from .test_pool import Name, numbers, steps, take, wait

MyPool = Pool[str, str]
MyTicket = Ticket[str, str]
LEADS = Open[str](leads=True)


@pytest.fixture
def overtakings(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let those who share overtake few, so that it comes to pass."""
    monkeypatch.setattr(rules, "OVERTAKINGS", 3)
    return 3


def find(pool: MyPool, key: str) -> str | None:
    """Look for a connection as a request does."""
    return pool.reuse(key, 0) or pool.share(key)


def dial(pool: MyPool, connection: str, room: int) -> None:
    """Open a connection that can carry *room* exchanges besides the first, which it carries now."""
    key = connection[0]
    assert find(pool, key) is None
    assert pool.join(key, 0) == LEADS
    pool.opened()
    assert not pool.dialled_many(key, connection, room, 0)


def queue(pool: MyPool, key: str) -> MyTicket:
    """Let a request wait that would take a share."""
    assert find(pool, key) is None
    answer = pool.join(key, 0)
    assert isinstance(answer, Wait)
    return answer.ticket


def joined(pool: MyPool, key: str) -> MyTicket:
    assert find(pool, key) is None
    answer = pool.join(key, 0)
    assert isinstance(answer, Join)
    return answer.ticket


def states(*tickets: MyTicket) -> list[str]:
    return [ticket.state.name for ticket in tickets]


class TestSharing:
    def test_a_share_takes_room_and_no_slot(self) -> None:
        """A connection in use is shared as long as it has room; it holds one slot."""
        pool = MyPool(limit=1)
        dial(pool, "a1", room=2)
        assert [find(pool, "a"), pool.share("a"), find(pool, "a")] == ["a1", "a1", None]
        assert numbers(pool) == (1, 0, 0)
        assert pool.statistics().shared == 2
        assert pool.statistics().reused == 0
        assert pool.release("a", "a1", 0) is None
        assert numbers(pool) == (0, 1, 0)

    def test_one_host_has_nothing_of_another(self) -> None:
        """Room is of one key only; a key without connections has none."""
        pool = MyPool()
        dial(pool, "a1", room=2)
        take(pool, "b", "b1")
        assert pool.share("b") is None
        assert pool.share("c") is None

    def test_the_first_offered_is_filled(self) -> None:
        """The connection that was offered first goes out while it has room, even where another one is idle."""
        pool = MyPool()
        for _ in range(3):
            assert pool.reserve("a") == Open()
        pool.release("a", "a3", 0)
        pool.offer("a", "a1", 1)
        pool.offer("a", "a2", 2)
        pool.offer("a", "a1", 2)
        assert [find(pool, "a") for _ in range(6)] == ["a1", "a1", "a2", "a2", "a3", None]

    def test_an_offer_replaces_the_one_before(self) -> None:
        """Room may shrink, and 0 ends it: for one that is full, retired or lost."""
        pool = MyPool()
        dial(pool, "a1", room=5)
        pool.offer("a", "a1", 1)
        assert pool.share("a") == "a1"
        assert pool.share("a") is None
        pool.offer("a", "a1", 5)
        pool.offer("a", "a1", 0)
        assert pool.share("a") is None
        pool.offer("a", "a1", -3)
        assert pool.share("a") is None

    def test_idle_ones_are_not_shared(self) -> None:
        """An idle connection goes out with a slot, whatever room it has reported before or since."""
        pool = MyPool()
        dial(pool, "a1", room=5)
        pool.release("a", "a1", 0)
        assert pool.offer("a", "a1", 6) == ()
        assert pool.share("a") is None
        assert find(pool, "a") == "a1"
        assert numbers(pool) == (1, 0, 0)
        assert pool.share("a") is None  # it has not reported anew
        pool.offer("a", "a1", 5)
        assert pool.share("a") == "a1"

    def test_room_that_is_not_known(self) -> None:
        """Nobody reports the room of a connection that was idle; who looks for a share asks for it, once."""
        pool = MyPool()
        dial(pool, "a1", room=1)
        assert pool.take_unasked("a") is None
        pool.release("a", "a1", 0)
        assert pool.reuse("a", 0) == "a1"
        assert pool.share("a") is None
        assert pool.take_unasked("a") == "a1"
        assert pool.take_unasked("a") is None
        assert pool.offer("a", "a1", 1) == ()
        assert pool.share("a") == "a1"

    @pytest.mark.parametrize("offered", [False, True])
    def test_room_that_nobody_asked_for(self, offered: bool) -> None:
        """It is forgotten when the connection is idle again, or lost, and when its room was reported."""
        pool = MyPool()
        dial(pool, "a1", room=1)
        for name in ("a1", None):
            pool.release("a", "a1", 0)
            assert pool.reuse("a", 0) == "a1"
            if name is None or offered:
                pool.offer("a", "a1", 0)
            pool.release("a", name, 0)
            assert pool.take_unasked("a") is None
            if name is not None:
                assert pool.reuse("a", 0) == "a1"
        assert numbers(pool) == (0, 0, 0)

    def test_an_offer_that_comes_late(self) -> None:
        """A report of a key that is forgotten already changes nothing."""
        pool = MyPool()
        assert pool.offer("a", "a1", 5) == ()
        assert pool.statistics().hosts == 0
        take(pool, "a", "a1")
        assert pool.offer("a", "a1", 0) == ()


class TestRoomForWaiters:
    def test_room_goes_to_those_who_wait(self) -> None:
        """Those at the total gate and at their host's get the room in the order they came, and hold no slot."""
        pool = MyPool(limit=2, limit_per_host=2)
        dial(pool, "a1", room=0)
        dial(pool, "b1", room=0)
        first, other, second, third = (queue(pool, key) for key in "abaa")
        assert states(first, other, second, third) == ["AT_TOTAL", "AT_TOTAL", "AT_HOST", "AT_HOST"]
        assert pool.offer("a", "a1", 2) == [Grant(first, "a1"), Grant(second, "a1")]
        assert first.shared
        assert first.granted
        assert first.connection == "a1"
        # third has passed its host's gate, since first has left; it stands behind other.
        assert pool.tickets == [other, third]
        assert numbers(pool) == (2, 0, 2)
        assert pool.statistics().waiting_at_hosts == 0
        assert pool.share("a") is None
        assert pool.release("b", "b1", 0) == Grant(other, "b1")
        assert pool.offer("a", "a1", 2) == [Grant(third, "a1")]
        assert pool.share("a") == "a1"
        assert pool.release("b", None, 0) is None
        assert pool.release("a", None, 0) is None
        assert pool.statistics().hosts == 0

    def test_who_needs_a_connection_of_its_own_gets_no_share(self) -> None:
        """A ticket of reserve() waits for a slot."""
        pool = MyPool(limit=1)
        dial(pool, "a1", room=0)
        own = wait(pool, "a")
        assert pool.offer("a", "a1", 5) == ()
        assert pool.release("a", "a1", 0) == Grant(own, "a1")
        assert not own.shared

    def test_a_share_that_is_given_up(self) -> None:
        """Its room comes back with the connection's next report, and goes to the next one then."""
        pool = MyPool(limit=1)
        dial(pool, "a1", room=0)
        first, second = queue(pool, "a"), queue(pool, "a")
        assert pool.offer("a", "a1", 1) == [Grant(first, "a1")]
        assert pool.cancel(first, 0) is None
        assert pool.cancel(first, 0) is None
        assert numbers(pool) == (1, 0, 1)
        assert pool.offer("a", "a1", 1) == [Grant(second, "a1")]
        assert numbers(pool) == (1, 0, 0)

    def test_who_has_left_gets_no_room(self) -> None:
        """A waiter that gave up is skipped."""
        pool = MyPool(limit=1)
        dial(pool, "a1", room=0)
        first, second = queue(pool, "a"), queue(pool, "a")
        pool.cancel(first, 0)
        assert pool.offer("a", "a1", 2) == [Grant(second, "a1")]


@pytest.mark.usefixtures("overtakings")
class TestNobodyIsOvertakenForEver:
    def test_a_busy_connection_runs_empty_for_another_host(self) -> None:
        """After so many shares the first at the total gate is waited for; its turn ends the pause."""
        pool = MyPool(limit=1)
        dial(pool, "a1", room=9)
        other = queue(pool, "b")
        assert [find(pool, "a") for _ in range(4)] == ["a1", "a1", "a1", None]
        late = queue(pool, "a")
        assert pool.offer("a", "a1", 9) == []
        assert pool.release("a", "a1", 0) == Grant(other, close="a1")
        assert pool.release("b", None, 0) == Grant(late)

    def test_waiters_served_count_as_well(self) -> None:
        """Those of the key who waited behind the first one overtake it, too."""
        pool = MyPool(limit=1)
        dial(pool, "a1", room=0)
        other = queue(pool, "b")
        late = [queue(pool, "a") for _ in range(5)]
        assert [grant.ticket for grant in pool.offer("a", "a1", 9)] == late[:3]
        assert pool.cancel(other, 0) == Grant(late[3], "a1", also=(Grant(late[4], "a1"),))

    def test_the_pause_ends_with_the_wait(self) -> None:
        """When the first one gives up, those who waited because of it get their shares at once."""
        pool = MyPool(limit=1)
        dial(pool, "a1", room=9)
        other = queue(pool, "b")
        for _ in range(3):
            assert find(pool, "a") == "a1"
        first, second = queue(pool, "a"), queue(pool, "a")
        assert pool.cancel(other, 0) == Grant(first, "a1", also=(Grant(second, "a1"),))
        assert first.shared
        assert find(pool, "a") == "a1"

    def test_the_pause_ends_with_the_turn(self) -> None:
        """When the first one gets its slot from a third host, the others get their shares with it."""
        pool = MyPool(limit=2)
        dial(pool, "a1", room=9)
        dial(pool, "c1", room=0)
        other = queue(pool, "b")
        for _ in range(6):  # 3 for each slot
            assert find(pool, "a") == "a1"
        late = queue(pool, "a")
        grant = pool.release("c", "c1", 0)
        assert grant == Grant(other, close="c1", also=(Grant(late, "a1"),))
        assert late.shared
        assert other.leads

    def test_the_pause_ends_when_the_first_one_joins(self) -> None:
        """When the first one joins a dial instead of taking a slot, the others get their shares, and no slot."""
        pool = MyPool(limit=3)
        dial(pool, "a1", room=20)
        take(pool, "c", "c1")
        take(pool, "d", "d1")
        leading, first = queue(pool, "b"), queue(pool, "b")
        assert pool.release("d", None, 0) == Grant(leading)
        assert leading.leads
        for _ in range(9):
            assert find(pool, "a") == "a1"
        late = queue(pool, "a")
        assert states(first, late) == ["AT_TOTAL", "AT_TOTAL"]
        assert pool.release("c", "c1", 0) == Grant(late, "a1")
        assert states(first, late) == ["JOINED", "SHARE"]
        assert numbers(pool) == (2, 1, 0)

    def test_the_next_one_is_not_overtaken_for_ever_either(self) -> None:
        """A pause that ends begins anew after as many shares, for whoever is first then."""
        pool = MyPool(limit=1)
        dial(pool, "a1", room=9)
        first, second = queue(pool, "b"), queue(pool, "c")
        for _ in range(3):
            assert find(pool, "a") == "a1"
        late = [queue(pool, "a") for _ in range(5)]
        grant = pool.cancel(first, 0)
        assert grant is not None
        assert [grant.ticket, *(more.ticket for more in grant.also)] == late[:3]
        assert pool.share("a") is None
        grant = pool.cancel(second, 0)
        assert grant is not None
        assert [grant.ticket, *(more.ticket for more in grant.also)] == late[3:]

    def test_the_first_one_takes_room_in_a_pause(self) -> None:
        """Room of its own key is for the first one at any time, and its leaving ends the pause of all."""
        pool = MyPool(limit=2)
        dial(pool, "a1", room=9)
        dial(pool, "b1", room=0)
        other = queue(pool, "b")
        queue(pool, "c")
        for _ in range(6):
            assert find(pool, "a") == "a1"
        late = queue(pool, "a")
        assert pool.offer("b", "b1", 1) == [Grant(other, "b1"), Grant(late, "a1")]

    def test_a_wait_at_the_hosts_gate_is_no_reason(self) -> None:
        """Those who wait for room of the same key only are not overtaken, so nothing pauses."""
        pool = MyPool(limit_per_host=1)
        dial(pool, "a1", room=0)
        late = [queue(pool, "a") for _ in range(9)]
        assert [grant.ticket for grant in pool.offer("a", "a1", 20)] == late
        assert [pool.share("a") for _ in range(12)] == ["a1"] * 11 + [None]


class TestJoining:
    def test_a_burst_dials_once(self) -> None:
        """The first one dials, the others join and share what was dialled."""
        pool = MyPool()
        assert pool.join("a", 0) == LEADS
        tickets = [joined(pool, "a") for _ in range(3)]
        assert pool.join("b", 0) == LEADS
        now = pool.statistics()
        assert (now.in_use, now.waiting, now.joining, now.joined) == (2, 0, 3, 3)
        assert pool.tickets == tickets
        assert pool.dialled_many("a", "a1", 99, 0) == [Grant(each, "a1") for each in tickets]
        assert pool.statistics().joining == 0
        assert numbers(pool) == (2, 0, 0)
        assert [find(pool, "a") for _ in range(97)] == ["a1"] * 96 + [None]

    def test_too_little_room(self) -> None:
        """Of those for whom there is no room the first one dials, and the others join its dial."""
        pool = MyPool()
        assert pool.join("a", 0) == LEADS
        first, second, third, fourth = (joined(pool, "a") for _ in range(4))
        grants = pool.dialled_many("a", "a1", 2, 0)
        assert grants == [Grant(first, "a1"), Grant(second, "a1"), Grant(third)]
        assert third.leads
        assert states(first, third, fourth) == ["SHARE", "SLOT", "JOINED"]
        assert numbers(pool) == (2, 0, 0)
        # Room may be faster than the dial.
        assert pool.offer("a", "a1", 1) == [Grant(fourth, "a1")]
        assert pool.dialled_many("a", "a2", 1, 0) == []
        assert pool.share("a") == "a2"

    def test_too_little_room_and_no_slot(self) -> None:
        """Where no slot is free all of them queue for it; the room is still theirs when it comes."""
        pool = MyPool(limit=1)
        assert pool.join("a", 0) == LEADS
        first, second = joined(pool, "a"), joined(pool, "a")
        assert pool.dialled_many("a", "a1", 0, 0) == []
        assert states(first, second) == ["AT_TOTAL", "AT_TOTAL"]
        assert numbers(pool) == (1, 0, 2)
        assert pool.offer("a", "a1", 2) == [Grant(first, "a1"), Grant(second, "a1")]
        assert numbers(pool) == (1, 0, 0)

    def test_one_exchange_only(self) -> None:
        """Each one goes through the gates in the order they joined, and none leads."""
        pool = MyPool(limit=3, limit_per_host=2)
        pool.reserve("b")
        pool.release("b", "b1", 0)
        take(pool, "c", "c1")
        assert pool.join("a", 0) == LEADS
        tickets = [joined(pool, "a") for _ in range(3)]
        assert pool.dialled_one("a", 0) == [Grant(tickets[0], close="b1")]
        assert not tickets[0].leads
        assert states(*tickets) == ["SLOT", "AT_HOST", "AT_HOST"]
        assert numbers(pool) == (3, 0, 2)
        assert pool.release("a", "a1", 0) == Grant(tickets[1], "a1")

    def test_it_is_known_for_a_while(self) -> None:
        """The next burst does not queue behind one handshake, though all of the key was forgotten meanwhile."""
        pool = MyPool()
        assert pool.join("a", 0) == LEADS
        pool.dialled_one("a", 5)
        pool.release("a", None, 5)
        assert pool.statistics().hosts == 0
        assert [pool.join("a", 304.9) for _ in range(3)] == [Open()] * 3
        assert pool.join("a", 305) == LEADS

    def test_a_waiter_of_such_a_key_does_not_lead(self) -> None:
        """A slot that comes later lets one who waited dial for itself."""
        pool = MyPool(limit=1)
        assert pool.join("a", 0) == LEADS
        pool.dialled_one("a", 0)
        ticket = queue(pool, "a")
        assert pool.release("a", None, 0) == Grant(ticket)
        assert not ticket.leads

    def test_the_memory_is_bounded(self) -> None:
        """The keys that were learned longest ago are forgotten."""
        pool = Pool[int, str](limit=0)
        for number in range(1001):
            assert pool.join(number, 0) == LEADS
            pool.dialled_one(number, 0)
        assert pool.join(0, 0) == LEADS
        assert pool.join(1, 0) == Open()

    def test_a_server_that_learned_it(self) -> None:
        """A connection that carries many ends the memory."""
        pool = MyPool()
        assert pool.join("a", 0) == LEADS
        pool.dialled_one("a", 0)
        pool.release("a", None, 0)
        assert pool.join("a", 400) == LEADS
        pool.dialled_many("a", "a1", 0, 400)
        assert pool.join("a", 10) == LEADS

    def test_a_dial_that_fails(self) -> None:
        """Its slot is still there to be released; those who joined are handed over to fail as well."""
        pool = MyPool(limit=1)
        assert pool.join("a", 0) == LEADS
        tickets = [joined(pool, "a") for _ in range(2)]
        assert list(pool.dial_failed("a")) == tickets
        assert states(*tickets) == ["CANCELLED", "CANCELLED"]
        assert pool.cancel(tickets[0], 0) is None
        assert pool.release("a", None, 0) is None
        now = pool.statistics()
        assert (now.in_use, now.joining, now.hosts) == (0, 0, 0)

    def test_who_leads_gives_up(self) -> None:
        """The first one who joined leads the next dial; the others stay joined."""
        pool = MyPool(limit=1)
        assert pool.join("a", 0) == LEADS
        first, second = joined(pool, "a"), joined(pool, "a")
        assert pool.give_up("a", 0) == Grant(first)
        assert first.leads
        assert states(second) == ["JOINED"]
        assert numbers(pool) == (1, 0, 0)
        assert pool.give_up("a", 0) == Grant(second)
        assert pool.give_up("a", 0) is None
        assert pool.statistics().hosts == 0

    def test_who_leads_gives_up_before_it_has_begun(self) -> None:
        """A ticket that leads and is cancelled leaves the lead to the next one."""
        pool = MyPool(limit=1)
        take(pool, "b", "b1")
        first = queue(pool, "a")
        assert pool.release("b", None, 0) == Grant(first)
        second = joined(pool, "a")
        assert pool.cancel(first, 0) == Grant(second)
        assert second.leads
        assert pool.cancel(second, 0) is None
        assert pool.statistics().hosts == 0

    def test_a_slot_given_up_goes_to_who_waits_for_one(self) -> None:
        """Those who joined hold no place: the first at the total gate comes first, and they queue behind."""
        pool = MyPool(limit=1)
        assert pool.join("a", 0) == LEADS
        first, second = joined(pool, "a"), joined(pool, "a")
        other = queue(pool, "b")
        assert pool.give_up("a", 0) == Grant(other)
        assert states(first, second) == ["AT_TOTAL", "AT_TOTAL"]
        assert pool.release("b", None, 0) == Grant(first)
        assert first.leads

    def test_a_slot_given_up_goes_to_the_hosts_gate(self) -> None:
        """One of the key who waits at a gate leads the next dial, and those who joined stay joined."""
        pool = MyPool(limit_per_host=1)
        assert pool.join("a", 0) == LEADS
        late = joined(pool, "a")
        own = wait(pool, "a")
        assert pool.give_up("a", 0) == Grant(own)
        assert not own.leads
        assert states(late) == ["AT_HOST"]

    def test_one_who_joined_gives_up(self) -> None:
        """It leaves no trace."""
        pool = MyPool()
        assert pool.join("a", 0) == LEADS
        first, second = joined(pool, "a"), joined(pool, "a")
        assert pool.cancel(first, 0) is None
        assert pool.cancel(first, 0) is None
        assert pool.statistics().joining == 1
        assert pool.dialled_many("a", "a1", 5, 0) == [Grant(second, "a1")]

    def test_no_slot_for_who_can_join(self) -> None:
        """A slot that comes free goes past those of a key which is being dialled: they join the dial."""
        pool = MyPool(limit=2)
        take(pool, "b", "b1")
        take(pool, "c", "c1")
        first, second, third, other = (queue(pool, key) for key in "aaad")
        assert pool.release("b", "b1", 0) == Grant(first, close="b1")
        assert first.leads
        assert pool.release("c", "c1", 0) == Grant(other, close="c1")
        assert states(second, third) == ["JOINED", "JOINED"]
        assert numbers(pool) == (2, 0, 0)
        assert pool.dialled_many("a", "a1", 1, 0) == [Grant(second, "a1")]
        assert states(third) == ["AT_TOTAL"]

    def test_no_slot_for_anybody(self) -> None:
        """Where all who wait can join, the slot is free and its connection idle."""
        pool = MyPool(limit=2, limit_per_host=2)
        take(pool, "b", "b1")
        take(pool, "c", "c1")
        tickets = [queue(pool, "a") for _ in range(4)]
        assert states(*tickets) == ["AT_TOTAL", "AT_TOTAL", "AT_HOST", "AT_HOST"]
        assert pool.release("b", None, 0) == Grant(tickets[0])
        assert pool.release("c", "c1", 0) is None
        assert states(*tickets[1:]) == ["JOINED"] * 3
        assert numbers(pool) == (1, 1, 0)
        assert pool.statistics().joining == 3

    def test_an_idle_connection_is_better_than_a_dial(self) -> None:
        """A connection of the key that becomes idle goes to the first one who joined, with its slot."""
        pool = MyPool()
        dial(pool, "a1", room=0)
        assert pool.join("a", 0) == LEADS
        first, second = joined(pool, "a"), joined(pool, "a")
        assert pool.release("a", "a1", 0) == Grant(first, "a1")
        assert not first.shared
        assert numbers(pool) == (2, 0, 0)
        assert pool.statistics().reused == 1
        assert pool.offer("a", "a1", 5) == [Grant(second, "a1")]

    def test_its_own_connection_is_better_than_a_dial(self) -> None:
        """Who is next at the total gate takes a connection of its key, and does not join."""
        pool = MyPool(limit=2)
        dial(pool, "a1", room=0)
        dial(pool, "b1", room=0)
        first, second = queue(pool, "a"), queue(pool, "a")
        assert pool.release("b", None, 0) == Grant(first)
        assert first.leads
        assert pool.release("a", "a1", 0) == Grant(second, "a1")
        assert not second.leads

    @pytest.mark.parametrize(
        "end",
        [
            lambda pool: pool.dialled_one("a", 0),
            lambda pool: pool.dialled_many("a", "a1", 1, 0),
            lambda pool: pool.dial_failed("a"),
            lambda pool: pool.give_up("a", 0),
        ],
    )
    def test_a_dial_that_nobody_could_join(self, end: Callable[[MyPool], object]) -> None:
        """Only who leads may end the dial of the others."""
        pool = MyPool()
        take(pool, "a", "a1")
        with pytest.raises(RuntimeError, match="end of a dial of 'a'"):
            end(pool)
        assert numbers(pool) == (1, 0, 0)


class Connection:
    """What carries exchanges in the model: as many as *capacity* at a time, None for one after the other."""

    def __init__(self, name: str, capacity: int | None) -> None:
        self.name = name
        self.key = name[0]
        self.capacity = capacity
        self.carried = 1  # those promised included

    def __repr__(self) -> str:
        return f"<{self.name} {self.carried} of {self.capacity}>"

    @property
    def room(self) -> int:
        return 0 if self.capacity is None else max(0, self.capacity - self.carried)


class Model(RuleBasedStateMachine):
    """Requests, connections and a driver in lists, and what must hold of the pool whatever they do."""

    keys = st.sampled_from("abc")

    @initialize(limit=st.integers(0, 4), limit_per_host=st.integers(0, 2))
    def make(self, limit: int, limit_per_host: int) -> None:
        rules.OVERTAKINGS = 1  # type: ignore[misc]
        self.pool = MyPool(limit=limit, limit_per_host=limit_per_host, keepalive_timeout=10)
        self.limit = limit or 10**9
        self.limit_per_host = limit_per_host or 10**9
        self.now = 0.0
        self.names = 0
        self.dials: list[Dial] = []
        self.in_use: list[Connection] = []
        self.idle: list[Connection] = []
        self.waiting: list[MyTicket] = []  # in the order in which they came
        self.granted: list[MyTicket] = []
        self.at_total: list[MyTicket] = []  # as it was after the last step
        self.shares = 0  # since the first of these is the first

    # What the driver does

    def of(self, name: str | None) -> Connection:
        return next(each for each in self.in_use + self.idle if each.name == name)

    def perform(self, grants: Sequence[Grant[str, str]]) -> None:
        """Carry grants out, and see that each is for the one who is next."""
        for grant in grants:
            ticket = grant.ticket
            if ticket.shared:
                first = next(t for t in self.waiting if t.key == ticket.key and t.joins)
                total = [t for t in self.at_total if t in self.waiting]
                assert ticket is first or ticket is total[0]
                if total and ticket is not total[0]:
                    self.shares += 1
                else:
                    self.shares = 0
            elif ticket in self.at_total:
                ahead = self.at_total[: self.at_total.index(ticket)]
                assert all(t.state.name != "AT_TOTAL" for t in ahead)
                if ticket.joins and grant.connection is None:
                    room = [c for c in self.in_use if c.key == ticket.key and c.room]
                    assert not any(map(self.is_offered, room))
                self.shares = 0
            self.waiting.remove(ticket)
            self.granted.append(ticket)
            if grant.close is not None:
                self.forget(grant.close)
            if ticket.shared:
                self.of(grant.connection).carried += 1
            elif grant.connection is not None:
                connection = self.of(grant.connection)
                if connection in self.idle:
                    self.idle.remove(connection)
                    self.in_use.append(connection)
            self.perform(grant.also)

    def perform_one(self, grant: Grant[str, str] | None) -> None:
        self.perform([] if grant is None else [grant])

    def forget(self, name: str) -> None:
        for connections in (self.in_use, self.idle):
            connections[:] = [each for each in connections if each.name != name]

    def offer(self, connection: Connection) -> None:
        self.perform(self.pool.offer(connection.key, connection.name, connection.room))

    def begin_on_idle(self, connection: Connection) -> None:
        connection.carried = 1
        if connection.capacity is not None:
            self.offer(connection)

    def end_exchange(self, connection: Connection, keep: bool) -> None:
        connection.carried -= 1
        if connection.carried:
            if connection.capacity is not None:
                self.offer(connection)
            return
        self.in_use.remove(connection)
        if keep:
            self.idle.append(connection)
        else:
            self.pool.offer(connection.key, connection.name, 0)
        name = connection.name if keep else None
        self.perform_one(self.pool.release(connection.key, name, self.now))

    # What happens

    @rule(seconds=st.integers(1, 200))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        for name in self.pool.expire(self.now):
            self.forget(name)

    @rule(
        several=st.lists(keys, min_size=1, max_size=5),
        kind=st.sampled_from(["any", "any", "any", "fresh", "own"]),
    )
    def requests(self, several: list[str], kind: str) -> None:
        for key in several:
            self.request(key, kind)

    def share(self, key: str) -> str | None:
        """Share as the driver does: it asks for the room of connections that were idle."""
        name = self.pool.share(key)
        while name is None and (unasked := self.pool.take_unasked(key)) is not None:
            assert self.of(unasked) in self.in_use
            self.offer(self.of(unasked))
            name = self.pool.share(key)
        return name

    def request(self, key: str, kind: str) -> None:
        name = None
        if kind == "any":
            name = self.pool.reuse(key, self.now) or self.share(key)
        elif kind == "fresh":
            name = self.share(key)
        if name is not None:
            connection = self.of(name)
            if connection in self.idle:
                self.idle.remove(connection)
                self.in_use.append(connection)
                connection.carried = 1
            else:
                assert connection.room
                connection.carried += 1
                self.shares += bool(self.at_total)
            return
        answer = self.pool.reserve(key) if kind == "own" else self.pool.join(key, self.now)
        if isinstance(answer, Open):
            if answer.evict is not None:
                self.forget(answer.evict)
            self.dials.append(Dial(key, answer.leads))
        else:
            self.waiting.append(answer.ticket)
        self.note_queue()

    @precondition(lambda self: self.granted)
    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.granted))
        self.granted.remove(ticket)
        if ticket.shared:
            return
        if ticket.connection is None:
            self.dials.append(Dial(ticket.key, ticket.leads))
        else:
            self.begin_on_idle(self.of(ticket.connection))

    @precondition(lambda self: self.dials)
    @rule(data=st.data(), capacity=st.sampled_from([None, 1, 2, 3, 9]))
    def dialled(self, data: st.DataObject, capacity: int | None) -> None:
        dial = data.draw(st.sampled_from(self.dials))
        self.dials.remove(dial)
        self.names += 1
        connection = Connection(f"{dial.key}{self.names}", capacity)
        self.in_use.append(connection)
        if not dial.leads:
            if capacity is not None:
                self.offer(connection)
        elif capacity is None:
            self.perform(self.pool.dialled_one(dial.key, self.now))
        else:
            room = connection.room
            self.perform(self.pool.dialled_many(dial.key, connection.name, room, self.now))

    @precondition(lambda self: self.dials)
    @rule(data=st.data(), failed=st.booleans())
    def not_dialled(self, data: st.DataObject, failed: bool) -> None:
        dial = data.draw(st.sampled_from(self.dials))
        self.dials.remove(dial)
        if not dial.leads:
            self.perform_one(self.pool.release(dial.key, None, self.now))
        elif failed:
            for ticket in self.pool.dial_failed(dial.key):
                self.waiting.remove(ticket)
            self.perform_one(self.pool.release(dial.key, None, self.now))
        else:
            self.perform_one(self.pool.give_up(dial.key, self.now))

    @precondition(lambda self: any(self.running()))
    @rule(data=st.data(), keep=st.booleans())
    def exchange_ends(self, data: st.DataObject, keep: bool) -> None:
        self.end_exchange(data.draw(st.sampled_from(list(self.running()))), keep)

    def running(self) -> Iterator[Connection]:
        """Those in use that carry more than what is promised."""
        for connection in self.in_use:
            if connection.carried > sum(t.connection == connection.name for t in self.granted):
                yield connection

    @precondition(lambda self: any(each.capacity is not None for each in self.in_use))
    @rule(data=st.data(), capacity=st.integers(0, 5))
    def capacity_changes(self, data: st.DataObject, capacity: int) -> None:
        many = [each for each in self.in_use if each.capacity is not None]
        connection = data.draw(st.sampled_from(many))
        if any(t.connection == connection.name and not t.shared for t in self.granted):
            return  # it begins its first exchange when its owner wakes
        connection.capacity = capacity
        self.offer(connection)

    @precondition(lambda self: self.idle or self.in_use)
    @rule(data=st.data())
    def dies(self, data: st.DataObject) -> None:
        connection = data.draw(st.sampled_from(self.idle + self.in_use))
        if connection in self.idle:
            assert self.pool.discard(connection.name)
            self.idle.remove(connection)
            return
        assert not self.pool.discard(connection.name)
        self.in_use.remove(connection)
        self.pool.offer(connection.key, connection.name, 0)
        slot = True
        for ticket in [t for t in self.granted if t.connection == connection.name]:
            ticket.connection = None
            if ticket.shared:
                self.granted.remove(ticket)
                assert self.pool.cancel(ticket, self.now) is None
            else:
                slot = False  # it is the ticket's
        if slot:
            self.perform_one(self.pool.release(connection.key, None, self.now))

    @precondition(lambda self: self.waiting or self.granted)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        self.leave(data.draw(st.sampled_from(self.waiting + self.granted)))

    def leave(self, ticket: MyTicket) -> None:
        shared, name = ticket.shared, ticket.connection
        if ticket in self.waiting:
            self.waiting.remove(ticket)
            if self.at_total and ticket is self.at_total[0]:
                self.shares = 0
            self.at_total = [t for t in self.at_total if t is not ticket]
            self.perform_one(self.pool.cancel(ticket, self.now))
        else:
            self.granted.remove(ticket)
            if name is not None and not shared:
                self.of(name).carried = 0
                connection = self.of(name)
                self.in_use.remove(connection)
                self.idle.append(connection)
            self.perform_one(self.pool.cancel(ticket, self.now))
            if name is not None and shared:
                self.end_exchange(self.of(name), keep=True)
        assert self.pool.cancel(ticket, self.now) is None

    # What holds

    def note_queue(self) -> None:
        before = [ticket for ticket in self.at_total if ticket.state.name == "AT_TOTAL"]
        after = [ticket for ticket in self.pool.tickets if ticket.state.name == "AT_TOTAL"]
        assert after[: len(before)] == before, "the queue keeps its order, and newcomers stand last"
        if after[:1] != self.at_total[:1]:
            self.shares = 0
        self.at_total = after

    def count(self, key: str = "abc") -> tuple[int, int]:
        """Return the slots held and the idle connections of *key*."""
        held = sum(dial.key in key for dial in self.dials)
        held += sum(each.key in key for each in self.in_use)
        held += sum(t.key in key and not t.shared and t.connection is None for t in self.granted)
        return held, sum(each.key in key for each in self.idle)

    @invariant()
    def all_holds(self) -> None:
        """Look at all of it, in this order."""
        if hasattr(self, "pool"):
            self.note_queue()
            self.the_numbers_agree()
            self.the_limits_hold()
            self.nobody_waits_without_need()
            self.one_dial_leads()
            self.nobody_is_overtaken_for_ever()

    def the_numbers_agree(self) -> None:
        """The pool counts what there is; each ticket that waits is in one place."""
        now = self.pool.statistics()
        places = [ticket.state.name for ticket in self.waiting]
        assert sorted(map(id, self.pool.tickets)) == sorted(map(id, self.waiting))
        assert (now.in_use, now.idle) == self.count()
        assert now.waiting == len(places) - places.count("JOINED")
        assert now.waiting_at_hosts == places.count("AT_HOST")
        assert now.joining == places.count("JOINED")

    def the_limits_hold(self) -> None:
        """Sockets in all and of each host stay within the limits."""
        assert sum(self.count()) <= self.limit
        for key in "abc":
            assert sum(self.count(key)) <= self.limit_per_host

    def nobody_waits_without_need(self) -> None:
        """The gate is full of connections in use, or the dial that was joined is under way; no room is left."""
        for ticket in self.waiting:
            held, idle = self.count(ticket.key)
            if ticket.state.name == "JOINED":
                assert self.leading(ticket.key) == 1
            elif ticket.state.name == "AT_HOST":
                assert not idle
                promised = sum(t.key == ticket.key for t in self.at_total)
                assert held + promised == self.limit_per_host
            else:
                assert self.count() == (self.limit, 0)
            if ticket.joins and any(
                c.room and self.is_offered(c) for c in self.in_use if c.key == ticket.key
            ):
                assert self.pool._overtaken >= self.limit
                assert self.at_total
                assert self.at_total[0].key != ticket.key or not self.at_total[0].joins

    def is_offered(self, connection: Connection) -> bool:
        return not any(t.connection == connection.name and not t.shared for t in self.granted)

    def leading(self, key: str) -> int:
        waking = sum(t.key == key and t.leads for t in self.granted)
        return waking + sum(dial.key == key and dial.leads for dial in self.dials)

    def one_dial_leads(self) -> None:
        """Of each key at most one dial is under way that others may join."""
        assert all(self.leading(key) <= 1 for key in "abc")

    def nobody_is_overtaken_for_ever(self) -> None:
        """While the first at the total gate waits, no more than so many others get a share."""
        assert not self.at_total or self.shares <= self.limit

    def teardown(self) -> None:
        """When all have left and all slots are back, nothing is in the pool, not even a key."""
        if not hasattr(self, "pool"):
            return
        while self.waiting or self.granted or self.dials or self.in_use:
            for ticket in self.waiting + self.granted:
                if ticket in self.waiting or ticket in self.granted:
                    self.leave(ticket)
            for dial in list(self.dials):
                self.dials.remove(dial)
                end = self.pool.give_up if dial.leads else self.release_dial
                self.perform_one(end(dial.key, self.now))
            for connection in list(self.running()):
                self.end_exchange(connection, keep=False)
        self.pool.clear()
        assert numbers(self.pool) == (0, 0, 0)
        assert self.pool.statistics().hosts == 0
        rules.OVERTAKINGS = 100  # type: ignore[misc]

    def release_dial(self, key: str, now: float) -> Grant[str, str] | None:
        return self.pool.release(key, None, now)


class Dial:
    """A connection being made in the model."""

    def __init__(self, key: str, leads: bool) -> None:
        self.key = key
        self.leads = leads

    def __repr__(self) -> str:
        return f"<Dial {self.key} {self.leads}>"


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, print_blob=True
)


class TestCost:
    def count(self, size: int) -> dict[str, tuple[int, int]]:
        """Count the steps of each operation in pools that hold *size* of everything."""
        counts = {}
        busy = Name(-1)
        pool = Pool[Name, Name](limit=0)
        for number in range(size):
            pool.reserve(busy)
            pool.offer(busy, Name(number), 2)
            pool.reserve(Name(number))
            pool.offer(Name(number), Name(size + number), 2)
        counts["share"] = steps(lambda: pool.reuse(busy, 0) or pool.share(busy))
        counts["fill"] = steps(lambda: pool.share(busy))
        counts["offer"] = steps(lambda: pool.offer(busy, Name(size - 1), 3))
        counts["withdraw"] = steps(lambda: pool.offer(busy, Name(size // 2), 0))
        full = Name(-2)
        for _ in range(size):
            pool.reserve(full)
        counts["lead"] = steps(lambda: pool.join(full, 0))
        tickets = [pool.join(full, 0) for _ in range(size)]
        counts["join"] = steps(lambda: pool.join(full, 0))
        middle = tickets[size // 2]
        assert isinstance(middle, Join)
        counts["leave"] = steps(lambda: pool.cancel(middle.ticket, 0))
        counts["no room"] = steps(lambda: pool.dialled_many(full, Name(-3), 0, 0))
        counts["room for one"] = steps(lambda: pool.offer(full, Name(-3), 1))
        counts["give up"] = steps(lambda: pool.give_up(full, 0))
        # A queue at the total gate, where everybody has been overtaken enough.
        crowd = Pool[Name, Name](limit=size)
        for _ in range(size):
            crowd.reserve(busy)
        crowd.offer(busy, Name(-1), 10**9)
        first = crowd.join(Name(0), 0)
        assert isinstance(first, Wait)
        for _ in range(size * 100):
            crowd.share(busy)
        for number in range(size):
            crowd.join(Name(number), 0)
        late = [crowd.share(busy) or crowd.join(busy, 0) for _ in range(2)]
        assert isinstance(late[0], Wait)
        counts["paused"] = steps(lambda: crowd.share(busy))
        counts["resume"] = steps(lambda: crowd.cancel(first.ticket, 0))
        assert late[0].ticket.shared
        return counts

    def test_no_operation_grows_with_the_pool(self) -> None:
        """Every operation takes the same steps with 10 connections and waiters and with 1,000."""
        small, large = self.count(10), self.count(1_000)
        for name, (count, touched) in small.items():
            assert large[name][0] == count, name
            # A dict may probe a few neighbours more.
            assert large[name][1] <= touched + 4, name
