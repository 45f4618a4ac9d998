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
    """What a response has of the connection while its body is coming."""

    warns: bool  # whether it is a mistake to drop it

    @property
    def closed(self) -> bool:
        """Whether the connection carries this response no longer."""

    def release(self) -> object:
        """Give up what was not read."""


class Exchange:
    """One attempt of *request* on a connection for *key*, which it *began* to look for at that time.

    Attributes:
        request: What is asked.
        key: Which connections may carry it.
        proxy_fields: What a proxy is told that forwards the request; None if none does.
        reused: Whether its connection has carried an exchange before.
        sent: What of the request was handed to the socket.
        got_bytes: Whether a byte of a response came, an interim one included.
        refused: Whether the server says that it has not worked on the request (RFC 9113, section 8.7).
        began: When a connection was asked for, in the event loop's time, as the next two.
        answered: When the first byte of the final response came; None before.
        ended: When the last byte of its body came; None before, and when nobody wanted it.
        phases: What it needed beyond an idle connection and one write; None for nothing.
        lease: What its response has of the connection while the body is coming. Weak: the response alone keeps it.
        task: Which task got that response; None when the body came with the head.
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
        self.request = request
        self.key = key
        self.proxy_fields = proxy_fields
        self.began = began
        self.reused = False
        self.sent = NOTHING
        self.got_bytes = False
        self.refused = False
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

    @property
    def deadline(self) -> float | None:
        """When the call is given up, in the event loop's time; None for no limit."""
        return self.request.deadline

    @property
    def trace(self) -> "Trace[Request, Any] | None":
        """Who follows the call; None if nobody does."""
        return self.request.trace

    @property
    def timings(self) -> Timings:
        """How long each phase took, as far as it is over."""
        return timings_between(self.began, self.answered, self.ended, self.phases)

    def __repr__(self) -> str:
        state = "answered" if self.answered is not None else f"{self.sent.name.lower()} sent"
        return f"<Exchange {self.request.label}: {state}>"


def repeatable(exchange: Exchange) -> bool:
    """Tell whether an exchange that failed may be repeated.

    It may, whatever its method, when the server says that it has not worked on it (RFC 9113, section 8.7), and its body
    can be sent twice.

    Otherwise it may on another connection (RFC 9112, section 9.3.1) when its own had been used before, so that the
    server may have closed it as idle, not one byte of a response came, and either nothing of the request left, or its
    method is idempotent and its body can be sent twice.
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
