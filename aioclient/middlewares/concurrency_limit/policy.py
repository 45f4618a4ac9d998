"""How many requests may be under way: an adaptive limit, computed from plain values.

The adaptive limit follows the gradient of latency. The best latency is known from windows in which few requests were
under way. The ratio of the best to the current latency says by how much the limit was too high. Some room is added each
time, so that the limit grows again when latency is good::

    gradient = tolerance * best / latency           between 0.5 and 1
    limit    = limit * gradient + sqrt(limit)       smoothed, and only if it was used
"""

import math
from dataclasses import dataclass
from typing import Final

from ...message.numbers import check_count, check_number

PROBE_EVERY: Final = (
    30  # windows; in one of so many, half of the limit is used, to measure the latency then
)
SMALLEST: Final = 10  # requests in a window; with a higher limit, as many as may be under way
DROP: Final = 0.8  # factor of the limit after a window in which the server has failed


@dataclass(frozen=True, slots=True)
class AdaptiveRule:
    """The bounds of a limit, and how far latency may grow.

    Raises:
        ValueError, TypeError: a value makes no sense.
    """

    initial: int = 10
    minimum: int = 1
    maximum: int = 1000
    tolerance: float = 1.25
    smoothing: float = 0.3

    def __post_init__(self) -> None:
        for name, least in (("minimum", 1), ("initial", self.minimum), ("maximum", self.initial)):
            check_count(name, getattr(self, name), least)
        for name in ("tolerance", "smoothing"):
            check_number(name, getattr(self, name))
        if not 1 <= self.tolerance < math.inf:
            raise ValueError(f"tolerance={self.tolerance!r}; give 1 or more")
        if not 0 < self.smoothing <= 1:
            raise ValueError(f"smoothing={self.smoothing!r}; give more than 0 and at most 1")


class Gradient:
    """The adaptive limit of one origin.

    Attributes:
        limit: how many requests may be under way now.
    """

    __slots__ = (
        "_best",
        "_best_of_window",
        "_count",
        "_estimate",
        "_failed",
        "_is_probe",
        "_most",
        "_rule",
        "_sum",
        "_windows",
        "limit",
    )

    def __init__(self, rule: AdaptiveRule) -> None:
        self._rule = rule
        self._estimate = float(rule.initial)
        self._best = math.inf
        self._windows = 0
        self._is_probe = False
        self.limit: int = rule.initial
        self._begin()

    def _begin(self) -> None:
        self._count = 0
        self._sum = 0.0
        self._best_of_window = math.inf
        self._most = 0
        self._failed = False

    @property
    def best(self) -> float:
        """Seconds of the best known latency of the server; infinity while none is known."""
        return self._best

    def add(self, seconds: float | None, under_way: int) -> bool:
        """Count a request that began with *under_way* requests; return whether the limit has changed.

        Args:
            seconds: the time until its response; None if the server has failed.
            under_way: how many requests were under way when it began, itself included.
        """
        self._count += 1
        if under_way > self._most:
            self._most = under_way
        if seconds is None:
            self._failed = True
        else:
            self._sum += seconds
            if seconds < self._best_of_window:
                self._best_of_window = seconds
        return self._count >= max(SMALLEST, self.limit) and self._move()

    def _move(self) -> bool:
        before = self.limit
        if self._failed:
            self._estimate *= DROP
        else:
            self._follow(self._sum / self._count)
        self._windows += 1
        rule = self._rule
        self._estimate = min(max(self._estimate, rule.minimum), rule.maximum)
        self._is_probe = self._windows % PROBE_EVERY == 0
        self.limit = max(rule.minimum, int(self._estimate / (2 if self._is_probe else 1)))
        self._begin()
        return self.limit != before

    def _follow(self, latency: float) -> None:
        if self._is_probe:
            self._best = (
                self._best_of_window
            )  # the server may have become slower: the old best no longer counts
            return
        self._best = min(self._best, self._best_of_window)
        if latency <= 0:
            return
        gradient = min(1.0, max(0.5, self._rule.tolerance * self._best / latency))
        if gradient == 1.0 and self._most < self.limit / 2:
            return  # the limit was not used, so it is unknown whether more would do harm
        wanted = self._estimate * gradient + math.sqrt(self._estimate)
        self._estimate += self._rule.smoothing * (wanted - self._estimate)
