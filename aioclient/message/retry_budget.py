"""How many further attempts the requests of the last seconds allow."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

PARTS: Final = 10  # of the window; a tenth of it leaves at a time
MAX_KEYS: Final = 1024  # origins that are remembered; then those without traffic are forgotten


@dataclass(frozen=True, slots=True)
class RetryBudgetStatistics:
    """What a ``RetryBudget`` counts: ``requests`` and ``retries`` of the window, all origins together.

    ``refused`` is how many further attempts it has refused since the start, or since ``reset()``.
    """

    requests: int
    retries: int
    refused: int


class _Traffic:
    """The requests and further attempts of one origin, by tenths of the window."""

    __slots__ = ("requests", "retries", "stamps")

    def __init__(self) -> None:
        self.stamps = [-1] * PARTS
        self.requests = [0] * PARTS
        self.retries = [0] * PARTS

    def part(self, stamp: int) -> int:
        """Return the place of the part *stamp* of time, emptied if it holds an older one."""
        place = stamp % PARTS
        if self.stamps[place] != stamp:
            self.stamps[place] = stamp
            self.requests[place] = self.retries[place] = 0
        return place

    def counted(self, stamp: int) -> tuple[int, int]:
        """Return requests and further attempts of the window that ends with *stamp*."""
        requests = retries = 0
        for place, known in enumerate(self.stamps):
            if stamp - PARTS < known <= stamp:
                requests += self.requests[place]
                retries += self.retries[place]
        return requests, retries


class RetryBudget:
    """How many further attempts are made, in relation to the requests: so that retries cannot multiply a load.

    It counts for each origin by itself. Each ``Retry`` has one of its own; one that is given to several counts for
    them together, and a ``Hedge`` may draw from it as well.

    Args:
        ratio: further attempts for each request of the window.
        minimum: further attempts in a window that are always allowed.
        window: seconds that count.

    Raises:
        ValueError: a number makes no sense.
    """

    __slots__ = ("_part", "_refused", "_traffic", "minimum", "ratio", "window")

    def __init__(self, ratio: float = 0.2, *, minimum: int = 10, window: float = 10.0) -> None:
        if not 0 <= ratio < math.inf:
            raise ValueError(f"ratio={ratio!r}; give 0 or more, such as 0.2 for 20 %")
        if minimum < 0:
            raise ValueError(f"minimum={minimum!r}; give a number of attempts, 0 or more")
        if not 0 < window < math.inf:
            raise ValueError(f"window={window!r}; give seconds, more than 0")
        self.ratio = ratio
        self.minimum = minimum
        self.window = window
        self._part = window / PARTS
        self._traffic: dict[Hashable, _Traffic] = {}
        self._refused = 0

    def deposit(self, key: Hashable, now: float) -> None:
        """Count a request to *key* at the time *now*, in seconds."""
        traffic = self._traffic.get(key)
        if traffic is None:
            traffic = self._new(key, now)
        stamp = int(now / self._part)
        place = stamp % PARTS
        if traffic.stamps[place] != stamp:
            traffic.part(stamp)
        traffic.requests[place] += 1

    def withdraw(self, key: Hashable, now: float) -> bool:
        """Tell whether a further attempt to *key* is allowed at the time *now*, and count it if it is."""
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
        if len(self._traffic) >= MAX_KEYS:
            stamp = int(now / self._part)
            self._traffic = {
                known: each
                for known, each in self._traffic.items()
                if max(each.stamps) > stamp - PARTS
            }
        self._traffic[key] = traffic = _Traffic()
        return traffic

    def statistics(self) -> RetryBudgetStatistics:
        """Return what is counted, as a value that does not change; the window is that of each origin's last request."""
        requests = retries = 0
        for traffic in self._traffic.values():
            some = traffic.counted(max(traffic.stamps))
            requests += some[0]
            retries += some[1]
        return RetryBudgetStatistics(requests, retries, self._refused)

    def reset(self) -> None:
        """Forget all that was counted."""
        self._traffic.clear()
        self._refused = 0

    def __repr__(self) -> str:
        return f"<RetryBudget {self.ratio:.0%} of {self.window:g} s, at least {self.minimum}>"
