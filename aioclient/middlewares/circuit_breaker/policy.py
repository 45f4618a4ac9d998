"""When a circuit opens and closes: a state machine with the time as an argument.

=============  =======================================================================================
``CLOSED``     requests pass, and are counted; it opens when too many in the window fail
``OPEN``       requests are refused, until ``open_for`` is over
``HALF_OPEN``  only ``probes`` requests pass; it closes when all of them succeed, and opens when one fails
=============  =======================================================================================

A request counts only for the state in which it was let through, not for a later one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ...message.numbers import check_count, check_number

PARTS: Final = 10  # of the window; it moves by a tenth at a time


class CircuitState(Enum):
    """Whether requests pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

# Which state may follow which.
NEXT: Final[Mapping[CircuitState, frozenset[CircuitState]]] = {
    CLOSED: frozenset((OPEN,)),
    OPEN: frozenset((HALF_OPEN,)),
    HALF_OPEN: frozenset((CLOSED, OPEN)),
}


@dataclass(frozen=True, slots=True)
class CircuitRule:
    """When a circuit opens, and for how long.

    Raises:
        ValueError, TypeError: a value makes no sense.
    """

    failure_rate: float = 0.5
    min_calls: int = 10
    window: float = 30.0
    open_for: float = 30.0
    probes: int = 1

    def __post_init__(self) -> None:
        for name in ("failure_rate", "window", "open_for"):
            check_number(name, getattr(self, name))
        if not 0 < self.failure_rate <= 1:
            raise ValueError(
                f"failure_rate={self.failure_rate!r}; give more than 0 and at most 1, such as 0.5 for half of them"
            )
        for name in ("min_calls", "probes"):
            check_count(name, getattr(self, name), 1)
        for name in ("window", "open_for"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name}={value!r}; give seconds, more than 0")


class Circuit:
    """The circuit of one origin, with the limits of *rule*.

    Attributes:
        state: whether requests pass.
        until: when an open circuit lets a probe pass.
    """

    __slots__ = (
        "_calls",
        "_failures",
        "_generation",
        "_part",
        "_probing",
        "_rule",
        "_stamps",
        "_succeeded",
        "state",
        "until",
    )

    def __init__(self, rule: CircuitRule) -> None:
        self._rule = rule
        self._part = rule.window / PARTS
        self.state: CircuitState = CLOSED
        self.until: float = -math.inf
        self._generation = 0
        self._probing = self._succeeded = 0
        self._forget()

    def _forget(self) -> None:
        self._stamps = [-1] * PARTS
        self._calls = [0] * PARTS
        self._failures = [0] * PARTS

    def admit(self, now: float) -> int | None:
        """Return a permit for a request at the time *now*, in seconds; None if the request is refused."""
        if self.state is OPEN and now >= self.until:
            self._become(HALF_OPEN)
            self._probing = self._succeeded = 0
        if self.state is OPEN:
            return None
        if self.state is HALF_OPEN:
            if self._probing + self._succeeded >= self._rule.probes:
                return None
            self._probing += 1
        return self._generation

    def succeeded(self, permit: int, now: float) -> None:
        """Note that the request of *permit* has succeeded."""
        if permit != self._generation:
            return
        if self.state is CLOSED:
            self._count(now, failed=0)
            return
        self._probing -= 1
        self._succeeded += 1
        if self._succeeded >= self._rule.probes:
            self._become(CLOSED)
            self._forget()

    def failed(self, permit: int, now: float) -> None:
        """Note that the request of *permit* has failed."""
        if permit != self._generation:
            return
        if self.state is CLOSED:
            self._count(now, failed=1)
            calls, failures = self.counted(now)
            if calls < self._rule.min_calls or failures < self._rule.failure_rate * calls:
                return
        self._become(OPEN)
        self.until = now + self._rule.open_for

    def withdrawn(self, permit: int) -> None:
        """Note that the request of *permit* says nothing about the server: another one may probe."""
        if permit == self._generation and self.state is HALF_OPEN:
            self._probing -= 1

    def counted(self, now: float) -> tuple[int, int]:
        """Return the requests and failures in the window that ends at *now*."""
        stamp = int(now / self._part)
        calls = failures = 0
        for place, known in enumerate(self._stamps):
            if stamp - PARTS < known <= stamp:
                calls += self._calls[place]
                failures += self._failures[place]
        return calls, failures

    def is_fresh(self, now: float) -> bool:
        """Tell whether it is in the state of a new one."""
        return self.state is CLOSED and max(self._stamps) <= int(now / self._part) - PARTS

    def _count(self, now: float, failed: int) -> None:
        stamp = int(now / self._part)
        place = stamp % PARTS
        if self._stamps[place] != stamp:
            self._stamps[place] = stamp
            self._calls[place] = self._failures[place] = 0
        self._calls[place] += 1
        self._failures[place] += failed

    def _become(self, state: CircuitState) -> None:
        self.state = state
        self._generation += 1
