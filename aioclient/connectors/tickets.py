"""The data of the pool for each key, and its answers: plain values without rules.

The rules are in ``pool``. A ticket goes through these states; it begins in one of ``FIRST``:

=============  ===================================================================================
``AT_HOST``    it waits at the gate of its host, which has as many connections as allowed
``AT_TOTAL``   it has passed that gate, counts for its host, and waits at the total gate
``JOINED``     it waits for a connection that another request dials
``SLOT``       it was granted a slot, with an idle connection of its key or to dial
``SHARE``      it was granted room on a connection that others use, without a slot
``CANCELLED``  its request gave up, or the dial that it had joined failed
=============  ===================================================================================
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from enum import Enum
from typing import Final, Generic, NamedTuple, TypeVar

__all__ = ("Grant", "Host", "Join", "Open", "Sharing", "TicketState", "Ticket", "Wait")

K = TypeVar("K", bound=Hashable)
C = TypeVar("C", bound=Hashable)


class TicketState(Enum):
    """The states of a ticket, in the words of its repr."""

    AT_HOST = "waiting at its host's gate"
    AT_TOTAL = "waiting at the total gate"
    JOINED = "waiting for a dial"
    SLOT = "granted a slot"
    SHARE = "granted a share"
    CANCELLED = "cancelled"


FIRST: Final = frozenset((TicketState.AT_HOST, TicketState.AT_TOTAL, TicketState.JOINED))
NEXT: Final[Mapping[TicketState, frozenset[TicketState]]] = {
    TicketState.AT_HOST: frozenset(
        (TicketState.AT_TOTAL, TicketState.SHARE, TicketState.CANCELLED)
    ),
    TicketState.AT_TOTAL: frozenset(
        (TicketState.JOINED, TicketState.SLOT, TicketState.SHARE, TicketState.CANCELLED)
    ),
    TicketState.JOINED: frozenset(
        (
            TicketState.AT_HOST,
            TicketState.AT_TOTAL,
            TicketState.SLOT,
            TicketState.SHARE,
            TicketState.CANCELLED,
        )
    ),
    TicketState.SLOT: frozenset((TicketState.CANCELLED,)),
    TicketState.SHARE: frozenset((TicketState.CANCELLED,)),
    TicketState.CANCELLED: frozenset(),
}


class Sharing(Generic[K, C]):
    """The data of a key whose connections may carry many exchanges at a time."""

    __slots__ = ("carries_many", "dial", "joined", "room", "unasked", "waiting")

    def __init__(self) -> None:
        self.carries_many: bool = False  # whether one of its connections did
        self.dial: bool = False  # whether there is a dial that others may join
        # The busy connections with room → how many more exchanges they can carry.
        self.room: OrderedDict[C, int] = OrderedDict()
        # Those that were idle when they were taken, and whose room is not known since.
        self.unasked: set[C] = set()
        self.joined: OrderedDict[Ticket[K, C], None] = OrderedDict()  # waiting for the dial
        # All tickets of `Pool.join()`, wherever they wait, in the order in which they came.
        self.waiting: OrderedDict[Ticket[K, C], None] = OrderedDict()


class Host(Generic[K, C]):
    """The slots, the idle connections and the queue of one key; forgotten when all are empty."""

    __slots__ = ("idle", "key", "queue", "sharing", "taken")

    def __init__(self, key: K) -> None:
        self.key: K = key
        self.taken: int = 0  # slots in use, and tickets in the total queue
        self.idle: OrderedDict[C, float] = OrderedDict()  # connection → when it expires
        self.queue: OrderedDict[Ticket[K, C], None] | None = None  # most hosts never have one
        self.sharing: Sharing[K, C] | None = None  # None for HTTP/1.1


class Ticket(Generic[K, C]):
    """The place of a request in a queue, and later its grant.

    Attributes:
        waiter: Set by the driver: what the grant wakes.
        connection: The granted connection, or None to dial; the driver sets it to None if that connection dies before
            its use.
        state: Its state.
        leads: Whether others may join the dial for which a slot was granted.
        joins: Whether it may take a share, and joins or leads a dial: `Pool.join()` made it.
        host: The pool's data for its key.
    """

    __slots__ = ("connection", "host", "joins", "leads", "state", "waiter")

    def __init__(self, host: Host[K, C], joins: bool = False) -> None:
        self.waiter: object = None
        self.connection: C | None = None
        self.state: TicketState = TicketState.CANCELLED
        self.leads: bool = False
        self.joins: bool = joins
        self.host: Host[K, C] = host

    @property
    def key(self) -> K:
        """The key that the request waits for."""
        return self.host.key

    @property
    def granted(self) -> bool:
        """True from the grant on, until `Pool.cancel()` gives it back."""
        return self.state is TicketState.SLOT or self.state is TicketState.SHARE

    @property
    def shared(self) -> bool:
        """Whether a share of a connection was granted, without a slot."""
        return self.state is TicketState.SHARE

    def __repr__(self) -> str:
        state = self.state.value.partition(" ")[0]
        return f"<Ticket {state} key={self.key!r}>"


class Open(NamedTuple, Generic[C]):
    """A slot is reserved: close `evict`, if there is one, and dial.

    `leads` is whether others may join the dial: end it with `Pool.dialled_many()`, `dialled_one()`, `dial_failed()` or
    `give_up()`.
    """

    evict: C | None = None
    leads: bool = False


class Wait(NamedTuple, Generic[K, C]):
    """No slot is free: wait for the `Grant` of `ticket`, or `Pool.cancel()` it."""

    ticket: Ticket[K, C]


class Join(NamedTuple, Generic[K, C]):
    """A dial exists: wait for the `Grant` of `ticket`, or for the dial's error; or `Pool.cancel()` it."""

    ticket: Ticket[K, C]


class Grant(NamedTuple, Generic[K, C]):
    """The owner of `ticket` need not wait any more.

    If `ticket.shared`, it may begin an exchange on `connection`, which has reserved room for it. Otherwise it has a
    slot: give it `connection`, or let it dial if that is None.

    `close` is the connection that the new one replaces: close it. `also` are further grants that this one made
    possible.
    """

    ticket: Ticket[K, C]
    connection: C | None = None
    close: C | None = None
    also: "tuple[Grant[K, C], ...]" = ()
