"""What one attempt of a request came to."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a request, as ``response.attempts`` and ``error.attempts`` have it.

    Attributes:
        status: of its response; None if there was none.
        error: class and text of what it raised; None if it raised nothing.
        took: seconds until the head of its response was there, or the error; with ``Retry(read_body=True)`` until its
            body was.
        waited: seconds between it and the next one; 0 for the last one.
    """

    status: int | None
    error: str | None = None
    took: float = 0.0
    waited: float = 0.0

    def __str__(self) -> str:
        result = self.error if self.status is None else f"status {self.status}"
        waited = f", then {self.waited:.3g} s of waiting" if self.waited else ""
        return f"{result} after {self.took:.3g} s{waited}"


def told(attempts: Sequence[Attempt], reason: str | None) -> str:
    """Return one line that tells every attempt, and the *reason* why there is no further one."""
    count = "1 attempt" if len(attempts) == 1 else f"{len(attempts)} attempts"
    each = "; ".join(f"{number}. {attempt}" for number, attempt in enumerate(attempts, 1))
    return f"{count}: {each}" + (f"; no further one: {reason}" if reason else "")
