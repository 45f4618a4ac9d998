"""The urgency of a response, which a server may respect (RFC 9218)."""

from dataclasses import dataclass
from typing import Final

DEFAULT_URGENCY: Final = 3
LEAST_URGENT: Final = 7


@dataclass(frozen=True, slots=True)
class Priority:
    """The ``Priority`` field of a request (RFC 9218, section 4), for ``priority=`` of a call.

    A server that sends several responses on one HTTP/2 connection may respect it, but need not.

    Args:
        urgency: from 0, the most urgent, to 7; 3 by default.
        incremental: whether a part of the response is useful before the rest arrives, so that it may share the
            connection with others.

    Raises:
        TypeError, ValueError: an argument is invalid.
    """

    urgency: int = DEFAULT_URGENCY
    incremental: bool = False

    def __post_init__(self) -> None:
        urgency: object = self.urgency
        if isinstance(urgency, bool) or not isinstance(urgency, int):
            raise TypeError(f"urgency must be an int, found {urgency!r}")
        if not 0 <= urgency <= LEAST_URGENT:
            raise ValueError(f"urgency={urgency}: give 0, the most urgent, to {LEAST_URGENT}")

    def __str__(self) -> str:
        """Return the field's value."""
        return f"u={self.urgency}, i" if self.incremental else f"u={self.urgency}"
