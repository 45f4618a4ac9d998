"""One attempt of one request: what was sent, what came, and when.

A request is what is asked. It may be sent several times, also at the same time, and does not know of that. Each time
it is sent is an exchange on one connection, over whatever protocol. The state of an exchange:

=============  ============================================================================
``sent``       how much of the request was handed to the socket: ``NOTHING``, ``PART``, ``ALL``
``got_bytes``  whether a byte of a response came, even of an interim one
``refused``    whether the server said that it has not processed the request
=============  ============================================================================

These values only move forward. From them ``repeatable()`` decides whether a failed exchange may be repeated.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Final, Protocol
from weakref import ref

from multidict import CIMultiDictProxy

from .message.origin import ConnectionKey
from .message.request import Request
from .message.timings import Phases, Timings, timings_between
from .message.trace import Trace

# Methods whose repetition changes nothing (RFC 9110, section 9.2.2).
IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))


class Sent(Enum):
    """How much of a request was handed to the socket."""

    NOTHING = 0
    PART = 1
    ALL = 2


NOTHING, PART, ALL = Sent.NOTHING, Sent.PART, Sent.ALL


class Lease(Protocol):
    """A response's claim on the connection while its body is incomplete."""

    warns: bool  # whether dropping it is a mistake

    @property
    def closed(self) -> bool:
        """Whether the connection no longer carries this response."""

    def release(self) -> object:
        """Give up the unread rest of the body."""


class Exchange:
    """One attempt of *request* on a connection for *key*; the search for the connection *began* at that time.

    Attributes:
        request: The request.
        key: The key of the connections that may carry it.
        proxy_fields: The fields for a proxy that forwards the request; None if none does.
        reused: Whether its connection has carried another exchange before.
        sent: How much of the request was handed to the socket.
        got_bytes: Whether a byte of a response came, even of an interim one.
        refused: Whether the server said that it has not processed the request (RFC 9113, section 8.7).
        began: When a connection was asked for, in the event loop's time, like the next two.
        answered: When the first byte of the final response came; None before.
        ended: When the last byte of its body came; None before, and if nobody read it.
        phases: The phases besides those of an idle connection and one write; None if there were none.
        lease: The response's lease of the connection while its body is incomplete. Weak: only the response keeps it.
        task: The task that got that response; None when the body came with the head.
    """

    __slots__ = (
        "answered",
        "began",
        "ended",
        "got_bytes",
        "key",
        "lease",
        "phases",
        "proxy_fields",
        "refused",
        "request",
        "reused",
        "sent",
        "task",
    )

    def __init__(
        self,
        request: Request,
        key: ConnectionKey,
        began: float,
        proxy_fields: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        self.request: Request = request
        self.key: ConnectionKey = key
        self.proxy_fields: Sequence[tuple[str, str]] | None = proxy_fields
        self.began: float = began
        self.reused: bool = False
        self.sent: Sent = NOTHING
        self.got_bytes: bool = False
        self.refused: bool = False
        self.answered: float | None = None
        self.ended: float | None = None
        self.phases: Phases | None = None
        self.lease: ref[Lease] | None = None
        self.task: ref[object] | None = None

    def is_unread_by(self, task: object) -> bool:
        """Tell whether *task* got the response and has neither read nor released it yet."""
        lease = None if self.lease is None else self.lease()
        return (
            lease is not None and not lease.closed and self.task is not None and self.task() is task
        )

    def take_early_hints(self, fields: "CIMultiDictProxy[str]") -> None:
        """Keep the *fields* of a 103 response (RFC 8297)."""
        self.phases = phases = self.phases or Phases()
        phases.early_hints = (*phases.early_hints, fields)

    @property
    def deadline(self) -> float | None:
        """When the call times out, in the event loop's time; None for no limit."""
        return self.request.deadline

    @property
    def trace(self) -> "Trace[Request, Any] | None":
        """The observer of the call; None if there is none."""
        return self.request.trace

    @property
    def timings(self) -> Timings:
        """How long each phase took, as far as it has ended."""
        return timings_between(self.began, self.answered, self.ended, self.phases)

    def __repr__(self) -> str:
        state = "answered" if self.answered is not None else f"{self.sent.name.lower()} sent"
        return f"<Exchange {self.request.label}: {state}>"


def repeatable(exchange: Exchange) -> bool:
    """Tell whether a failed exchange may be repeated.

    It may, whatever its method, if the server says that it has not processed the request (RFC 9113, section 8.7), and
    the body can be sent again.

    It also may on another connection (RFC 9112, section 9.3.1) if all of this holds: its own connection had been used
    before, so that the server may have closed it as idle; no byte of a response came; and either nothing of the request
    was sent, or its method is idempotent and its body can be sent again.
    """
    request = exchange.request
    if exchange.refused:
        return request.content is None or not request.content.consumed
    if not exchange.reused or exchange.got_bytes:
        return False
    if exchange.sent is NOTHING:
        return True
    return request.method in IDEMPOTENT and (
        request.content is None or not request.content.consumed
    )
