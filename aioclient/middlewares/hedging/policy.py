"""When a second request is worth it: decided by the measured delays."""

import math
from dataclasses import dataclass
from typing import Final

from ...message.numbers import check_count, check_number

KEPT: Final = 200  # the number of last delays
GRAIN: Final = 0.001  # seconds; the resolution of uvloop's clock, so many delays are equal
AFRESH: Final = 5  # the quantile is computed again when a fifth of the known delays are new


@dataclass(frozen=True, slots=True)
class HedgeRule:
    """After which quantile of the delays a second request is sent.

    Raises:
        ValueError, TypeError: a value makes no sense.
    """

    quantile: float = 0.95
    min_samples: int = 20
    after: float | None = None

    def __post_init__(self) -> None:
        check_number("quantile", self.quantile)
        if not 0 < self.quantile < 1:
            raise ValueError(
                f"quantile={self.quantile!r}; give more than 0 and less than 1, such as 0.95"
            )
        check_count("min_samples", self.min_samples, 1)
        if self.min_samples > KEPT:
            raise ValueError(f"min_samples={self.min_samples}; give 1 to {KEPT}")
        if self.after is not None:
            check_number("after", self.after)
        if self.after is not None and not 0 < self.after < math.inf:
            raise ValueError(
                f"after={self.after!r}; give seconds, or None to go by the delays that were seen"
            )


class Delays:
    """The last delays of one origin.

    ``wait`` is the number of seconds after which a second request is sent; None while too few delays are known.
    """

    __slots__ = ("_count", "_kept", "_next", "_rule", "wait")

    def __init__(self, rule: HedgeRule) -> None:
        self._rule = rule
        self._kept: list[float] = []
        self._count = 0
        self._next = rule.min_samples  # the count at which the quantile is computed
        self.wait = rule.after

    def add(self, seconds: float) -> None:
        """Add the time of a first request; if the second one was faster, the time that the first had taken by then."""
        rule = self._rule
        if rule.after is not None:
            return
        count = self._count
        self._count = count + 1
        if count < KEPT:
            self._kept.append(seconds)
        else:
            self._kept[count % KEPT] = seconds
        if count + 1 >= self._next:
            ordered = sorted(self._kept)
            known = len(ordered)
            self._next += max(1, known // AFRESH)
            self.wait = ordered[min(known - 1, int(known * rule.quantile))] + GRAIN
