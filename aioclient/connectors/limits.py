"""Which of several time limits ends a wait first."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Limit(NamedTuple):
    """The limit that ends a wait: its phase, its seconds, and its end in the loop's time."""

    phase: str
    seconds: float
    end: float


def earliest(limits: Iterable[tuple[str, float | None, float | None]]) -> Limit | None:
    """Return the limit that ends first; None if there is none."""
    found: Limit | None = None
    for phase, seconds, end in limits:
        if seconds is not None and end is not None and (found is None or end < found.end):
            found = Limit(phase, seconds, end)
    return found


def ends(start: float, **phases: float | None) -> Iterator[tuple[str, float | None, float | None]]:
    """Yield the limits of phases that begin at *start*: each with its seconds and its end."""
    for phase, seconds in phases.items():
        yield phase, seconds, None if seconds is None else start + seconds
