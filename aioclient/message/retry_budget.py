"""How many retries the requests of the last seconds allow."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from .numbers import check_number
from .scopes import States

PARTS: Final = 10  # of the window; a tenth of it leaves at a time


@dataclass(frozen=True, slots=True)
class RetryBudgetStatistics:
    """What a ``RetryBudget`` counts: ``requests`` and ``retries`` of the window, over all origins.

    ``refused`` is the number of retries refused since the start, or since ``reset()``.
    """

    requests: int
    retries: int
    refused: int


class _Traffic:
    """The requests and retries of one origin, by tenths of the window."""

    __slots__ = ("requests", "retries", "stamps")

    def __init__(self) -> None:
        self.stamps = [-1] * PARTS
        self.requests = [0] * PARTS
        self.retries = [0] * PARTS

    def part(self, stamp: int) -> int:
        """Return the slot for the part *stamp* of time, emptied if it holds an older part."""
        place = stamp % PARTS
        if self.stamps[place] != stamp:
            self.stamps[place] = stamp
            self.requests[place] = self.retries[place] = 0
        return place

    def counted(self, stamp: int) -> tuple[int, int]:
        """Return the requests and retries in the window that ends with *stamp*."""
        requests = retries = 0
        for place, known in enumerate(self.stamps):
            if stamp - PARTS < known <= stamp:
                requests += self.requests[place]
                retries += self.retries[place]
        return requests, retries


class RetryBudget:
    """Limits retries in relation to requests, so that retries cannot multiply a load.

    It counts each origin separately. Each ``Retry`` has its own budget; a budget that is given to several counts for
    them together, and a ``Hedge`` may use it as well.

    Args:
        ratio: retries for each request of the window.
        minimum: retries in a window that are always allowed.
        window: its length in seconds.

    Raises:
        ValueError: a number is out of range.
    """

    __slots__ = ("_part", "_refused", "_traffic", "minimum", "ratio", "window")

    def __init__(self, ratio: float = 0.2, *, minimum: int = 10, window: float = 10.0) -> None:
        for name, value in (("ratio", ratio), ("minimum", minimum), ("window", window)):
            check_number(name, value)
        if not 0 <= ratio < math.inf:
            raise ValueError(f"ratio={ratio!r}; give 0 or more, such as 0.2 for 20 %")
        if not minimum >= 0:
            raise ValueError(f"minimum={minimum!r}; give a number of attempts, 0 or more")
        if not 0 < window < math.inf:
            raise ValueError(f"window={window!r}; give seconds, more than 0")
        self.ratio: float = ratio
        self.minimum: int = minimum
        self.window: float = window
        self._part = window / PARTS
        self._traffic: States[Hashable, _Traffic] = States()
        self._refused = 0

    def deposit(self, key: Hashable, now: float) -> None:
        """Count a request to *key* at time *now*, in seconds."""
        traffic = self._traffic.get(key)
        if traffic is None:
            traffic = self._new(key, now)
        stamp = int(now / self._part)
        place = stamp % PARTS
        if traffic.stamps[place] != stamp:
            traffic.part(stamp)
        traffic.requests[place] += 1

    def withdraw(self, key: Hashable, now: float) -> bool:
        """Tell whether a retry to *key* is allowed at time *now*, and count it if so."""
        traffic = self._traffic.get(key)
        if traffic is None:
            traffic = self._new(key, now)
        stamp = int(now / self._part)
        requests, retries = traffic.counted(stamp)
        if retries >= max(self.minimum, self.ratio * requests):
            self._refused += 1
            return False
        traffic.retries[traffic.part(stamp)] += 1
        return True

    def _new(self, key: Hashable, now: float) -> _Traffic:
        oldest = int(now / self._part) - PARTS
        return self._traffic.add(key, _Traffic(), lambda each: max(each.stamps) <= oldest)

    def statistics(self) -> RetryBudgetStatistics:
        """Return the counts as an immutable value; the window of each origin ends with its last request."""
        requests = retries = 0
        for traffic in self._traffic.values():
            some = traffic.counted(max(traffic.stamps))
            requests += some[0]
            retries += some[1]
        return RetryBudgetStatistics(requests, retries, self._refused)

    def reset(self) -> None:
        """Reset all counts."""
        self._traffic.clear()
        self._refused = 0

    def __repr__(self) -> str:
        return f"<RetryBudget {self.ratio:.0%} of {self.window:g} s, at least {self.minimum}>"
