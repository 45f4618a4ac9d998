"""The outcome of one attempt of a request."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a request, an entry of ``response.attempts`` and ``error.attempts``.

    Attributes:
        status: of its response; None if there was no response.
        error: class and text of the exception that it raised; None if it raised none.
        took: seconds until the head of the response arrived, or the error; with ``Retry(read_body=True)`` until its
            body arrived.
        waited: seconds of waiting before the next attempt; 0 for the last one.
    """

    status: int | None
    error: str | None = None
    took: float = 0.0
    waited: float = 0.0

    def __str__(self) -> str:
        result = self.error if self.status is None else f"status {self.status}"
        waited = f", then {self.waited:.3g} s of waiting" if self.waited else ""
        return f"{result} after {self.took:.3g} s{waited}"


def summary(attempts: Sequence[Attempt], reason: str | None) -> str:
    """Return one line that describes every attempt, and the *reason* why no further one was made."""
    count = "1 attempt" if len(attempts) == 1 else f"{len(attempts)} attempts"
    each = "; ".join(f"{number}. {attempt}" for number, attempt in enumerate(attempts, 1))
    return f"{count}: {each}" + (f"; no further one: {reason}" if reason else "")
