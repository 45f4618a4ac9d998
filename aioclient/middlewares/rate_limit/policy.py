"""When the next request may be sent: limits as values, with the time as an argument.

* A *token bucket* holds ``burst`` permits and gets one back every ``per / rate`` seconds. It is kept as the moment at
  which it will be full (the generic cell rate algorithm, ITU-T I.371): two numbers, whatever the rate.
* A *sliding window* gives ``rate`` permits in every window of ``per`` seconds, wherever it begins. It is kept as the
  moments of the last ``rate`` permits.
* A permit may be for a moment in the future. So requests wait, each for its own moment.
* The server's own limits take precedence: no permit is earlier than the server asks for, no more are given than it
  says are left, and they are no faster than its policy.
"""

import math
from bisect import insort
from collections import deque
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, Self, TypeAlias

from ...message.numbers import check_count, check_number
from ...message.rate_limits import Advice

Algorithm: TypeAlias = Literal["token_bucket", "sliding_window"]

_NEVER: Final = -math.inf


@dataclass(frozen=True, slots=True)
class Rule:
    """*rate* requests in *per* seconds, at most *burst* at the same time.

    Raises:
        ValueError, TypeError: a value makes no sense.
    """

    rate: float
    per: float = 1.0
    burst: int | None = None
    algorithm: Algorithm = "token_bucket"

    def __post_init__(self) -> None:
        for name in ("rate", "per"):
            value = getattr(self, name)
            check_number(name, value)
            if not 0 < value < math.inf:
                raise ValueError(f"{name}={value!r}; give more than 0")
        if self.algorithm not in ("token_bucket", "sliding_window"):
            raise ValueError(
                f"algorithm={self.algorithm!r}; give 'token_bucket' or 'sliding_window'"
            )
        is_window = self.algorithm == "sliding_window"
        if is_window and (self.rate != int(self.rate) or self.burst is not None):
            raise ValueError(
                f"rate={self.rate!r}, burst={self.burst!r}: a sliding window takes a whole number of requests, "
                "and has no burst"
            )
        if self.burst is None:
            object.__setattr__(self, "burst", max(1, int(self.rate)))
        else:
            check_count("burst", self.burst, 1)

    @property
    def interval(self) -> float:
        """Seconds from one permit to the next."""
        return self.per / self.rate

    @property
    def at_once(self) -> int:
        """How many requests may go at the same moment."""
        return self.burst or 1

    def share(self, of: int) -> Self:
        """Return the part of this limit for one of *of* processes that share it."""
        if of <= 1:
            return self
        if self.algorithm == "sliding_window":
            if self.rate >= of:
                return replace(self, rate=self.rate // of, burst=None)
            return replace(self, rate=1, per=self.per * of / self.rate, burst=None)
        return replace(self, rate=self.rate / of, burst=max(1, self.at_once // of))


class Limiter(Protocol):
    """The state of one limit."""

    def next(self, now: float) -> float:
        """Return the moment of the next permit, *now* or later."""

    def take(self, at: float) -> None:
        """Take the permit for the moment *at*."""

    def block(self, until: float) -> None:
        """Give no permit for a moment before *until*."""

    def is_fresh(self, now: float) -> bool:
        """Tell whether it is in the state of a new one."""


class TokenBucket:
    """The state of a token bucket for *rule*."""

    __slots__ = ("_full_at", "_interval", "_not_before", "_tolerance")

    def __init__(self, rule: Rule) -> None:
        self._interval = rule.interval
        self._tolerance = (rule.at_once - 1) * rule.interval
        self._full_at = _NEVER
        self._not_before = _NEVER

    def next(self, now: float) -> float:
        """Return the moment of the next permit, *now* or later."""
        at = self._full_at - self._tolerance
        if at < now:
            at = now
        return at if at > self._not_before else self._not_before

    def take(self, at: float) -> None:
        """Take the permit for the moment *at*."""
        full_at = self._full_at
        self._full_at = (at if at > full_at else full_at) + self._interval

    def block(self, until: float) -> None:
        """Give no permit for a moment before *until*."""
        self._not_before = max(self._not_before, until)

    def is_fresh(self, now: float) -> bool:
        """Tell whether it is in the state of a new one."""
        return self._full_at <= now and self._not_before <= now


class SlidingWindow:
    """The state of a sliding window for *rule*."""

    __slots__ = ("_limit", "_not_before", "_per", "_times")

    def __init__(self, rule: Rule) -> None:
        self._limit = int(rule.rate)
        self._per = rule.per
        self._times: deque[float] = deque(maxlen=self._limit)
        self._not_before = _NEVER

    def next(self, now: float) -> float:
        """Return the moment of the next permit, *now* or later."""
        at = max(now, self._not_before)
        if len(self._times) == self._limit:
            at = max(at, self._times[0] + self._per)
        return max(at, self._times[-1]) if self._times else at

    def take(self, at: float) -> None:
        """Take the permit for the moment *at*."""
        self._times.append(at)

    def block(self, until: float) -> None:
        """Give no permit for a moment before *until*."""
        self._not_before = max(self._not_before, until)

    def is_fresh(self, now: float) -> bool:
        """Tell whether it is in the state of a new one."""
        return self._not_before <= now and (not self._times or self._times[-1] + self._per <= now)


def limiter_for(rule: Rule) -> Limiter:
    """Return a new limiter for *rule*."""
    return TokenBucket(rule) if rule.algorithm == "token_bucket" else SlidingWindow(rule)


class Learned:
    """What a server has said about its limit: how many requests are left, and what its policy is.

    ``given`` counts all permits. A request remembers the count at its own permit; the permits since then are requests
    that the server had not seen when it answered.
    """

    __slots__ = ("_bucket", "_left", "_policy", "_until", "given")

    def __init__(self) -> None:
        self.given: int = 0
        self._left: int | None = None
        self._until = _NEVER
        self._bucket: TokenBucket | None = None
        self._policy: tuple[int, float] | None = None

    def next(self, at: float) -> float:
        """Return the first moment, *at* or later, at which the server accepts one more request."""
        if self._left is not None:
            if at >= self._until:
                self._left = None
            elif self._left <= 0:
                at = self._until
        return at if self._bucket is None else self._bucket.next(at)

    def take(self, at: float) -> None:
        """Take a permit for the moment *at*."""
        self.given += 1
        if self._left is not None and at < self._until:
            self._left -= 1
        if self._bucket is not None:
            self._bucket.take(at)

    def learn(self, advised: Advice, now: float, given: int, rule: Rule) -> float:
        """Apply the advice in the response to the *given*-th permit; return for how many seconds no permit is given."""
        if advised.quota is not None and advised.window is not None:
            self._learn_policy(advised.quota, advised.window, rule)
        if advised.left is None or advised.reset is None:
            return 0.0
        if advised.left == 0:
            return advised.reset
        until, left = now + advised.reset, max(0, advised.left - (self.given - given))
        if self._left is not None and until <= self._until + 1 and now < self._until:
            left = min(left, self._left)  # responses in the same window may come out of order
        self._left, self._until = left, until
        return 0.0

    def _learn_policy(self, quota: int, window: float, rule: Rule) -> None:
        policy = (quota, window)
        if policy == self._policy:
            return
        self._policy = policy
        slower = quota / window < rule.rate / rule.per
        self._bucket = TokenBucket(Rule(quota, window, burst=quota)) if slower else None


class Slots:
    """The moments that are reserved for waiting requests, in order."""

    __slots__ = ("_moments",)

    def __init__(self) -> None:
        self._moments: list[float] = []

    def __len__(self) -> int:
        return len(self._moments)

    def add(self, moment: float) -> None:
        """Reserve a moment."""
        insort(self._moments, moment)

    def first(self) -> float:
        """Return the moment of the first waiting request."""
        return self._moments[0]

    def nth(self, place: int) -> float:
        """Return the moment of the waiting request at *place*, from 0."""
        return self._moments[place]

    def take_first(self) -> None:
        """Remove the first moment."""
        del self._moments[0]

    def drop_before(self, now: float, waiting: int) -> None:
        """Remove the moments that have passed and that none of the *waiting* requests will use."""
        while len(self._moments) > waiting and self._moments[0] <= now:
            del self._moments[0]

    def delay(self, until: float, interval: float) -> None:
        """Move moments before *until* to *until* and later, an *interval* apart."""
        self._moments = [
            max(moment, until + place * interval) for place, moment in enumerate(self._moments)
        ]

    def clear(self) -> None:
        """Remove all moments."""
        self._moments.clear()
