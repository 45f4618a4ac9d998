"""The queues of the pool: their order and their counts. Which request is next is decided in ``pool``."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from .tickets import Host, Sharing, Ticket, TicketState, Wait

K = TypeVar("K", bound=Hashable)
C = TypeVar("C", bound=Hashable)


class Queues(Generic[K, C]):
    """The total queue, the queue of each host, and the tickets that joined a dial.

    Attributes:
        total: The tickets at the total gate, in order.
        at_hosts: How many tickets wait at the gates of their hosts.
        joining: How many tickets wait for a dial that they joined.
        waited: How often a request had to queue at a gate.
        joined: How often a request joined a dial.
    """

    __slots__ = ("at_hosts", "joined", "joining", "total", "waited")

    def __init__(self) -> None:
        self.total: OrderedDict[Ticket[K, C], None] = OrderedDict()
        self.at_hosts: int = 0
        self.joining: int = 0
        self.waited: int = 0
        self.joined: int = 0

    @property
    def first(self) -> Ticket[K, C] | None:
        """The first ticket at the total gate."""
        return next(iter(self.total), None)

    def add(self, ticket: Ticket[K, C], at: TicketState) -> Wait[K, C]:
        """Let *ticket* wait at a gate."""
        self.waited += 1
        ticket.state = at
        if at is TicketState.AT_TOTAL:
            self.total[ticket] = None
            return Wait(ticket)
        host = ticket.host
        if host.queue is None:
            host.queue = OrderedDict()
        host.queue[ticket] = None
        self.at_hosts += 1
        return Wait(ticket)

    def join(self, ticket: Ticket[K, C], sharing: Sharing[K, C]) -> None:
        """Let *ticket* wait for the dial of its host."""
        ticket.state = TicketState.JOINED
        sharing.joined[ticket] = None
        self.joining += 1
        self.joined += 1

    def admit_next(self, host: Host[K, C]) -> None:
        """Let the first ticket at the gate of *host* through, if there is one, because another one that counted
        left.
        """
        if host.queue:
            ticket, _ = host.queue.popitem(last=False)
            self.at_hosts -= 1
            ticket.state = TicketState.AT_TOTAL
            self.total[ticket] = None
        else:
            host.taken -= 1

    def remove(self, ticket: Ticket[K, C]) -> None:
        """Take *ticket* out of its queue; it may move to another one."""
        host = ticket.host
        if ticket.state is TicketState.AT_TOTAL:
            del self.total[ticket]
            self.admit_next(host)
        elif ticket.state is TicketState.AT_HOST and host.queue is not None:
            del host.queue[ticket]
            self.at_hosts -= 1
        elif host.sharing is not None:
            del host.sharing.joined[ticket]
            self.joining -= 1

    def end(self, ticket: Ticket[K, C], state: TicketState) -> None:
        """Take *ticket* out for good: it was granted, or cancelled."""
        self.remove(ticket)
        self.settle(ticket, state)

    @staticmethod
    def settle(ticket: Ticket[K, C], state: TicketState) -> None:
        """Note the final state of *ticket*, which is in no queue any more."""
        ticket.state = state
        if ticket.joins and ticket.host.sharing is not None:
            del ticket.host.sharing.waiting[ticket]
