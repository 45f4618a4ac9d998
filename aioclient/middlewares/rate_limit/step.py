"""The middleware that delays requests to keep a rate limit."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from inspect import iscoroutinefunction
from typing import ClassVar, Final, Literal, cast

from ...chain import Handler, check_listener, tell
from ...exceptions import RateLimitedError
from ...message.numbers import check_number
from ...message.rate_limits import LONGEST, NONE, advice, speaks_of_limits
from ...message.request import Request
from ...message.retry_after import retry_after
from ...message.scopes import By, States, scope_of
from ...response.client_response import ClientResponse
from ...waiting import not_counted, take_over, waits
from .policy import Algorithm, Learned, Rule, Slots
from .store import LimitMemory, LimitStore

_SLOW_DOWN: Final = frozenset((429, 503))


@dataclass(frozen=True, slots=True)
class RateLimitChange:
    """The argument of ``on_change`` of a ``RateLimit``.

    Attributes:
        state: "blocked": the server of *key* accepts no request for *seconds*; "lost": the store cannot be used because
            of *error*; "back": it can be used again.
        key: of the limit; empty for changes that concern all limits.
        seconds: the length of a block.
        error: the exception of the store.
    """

    state: Literal["blocked", "lost", "back"]
    key: str = ""
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RateLimitStatistics:
    """What a ``RateLimit`` has counted since it was made, or since ``reset()``.

    ``passed`` are requests that were sent, ``delayed`` those of them that had to wait, ``refused`` those that would
    have had to wait too long; ``waiting`` are those that wait now.
    """

    passed: int
    delayed: int
    refused: int
    waiting: int


class _Line:
    """The requests that wait for a permit of one key: first come, first served."""

    __slots__ = ("key", "learned", "lock", "slots", "timer", "waiters")

    def __init__(self, key: str) -> None:
        self.key = key
        self.learned = Learned()
        self.lock = asyncio.Lock()
        self.slots = Slots()
        self.waiters: deque[asyncio.Future[None]] = deque()
        self.timer: asyncio.TimerHandle | None = None

    def is_unused(self) -> bool:
        """Tell whether no request waits."""
        return not (self.waiters or len(self.slots))

    def serve(self) -> None:
        """Let the requests pass whose moment has come, and set the timer for the next one."""
        loop = asyncio.get_running_loop()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        now = loop.time()
        while self.waiters and len(self.slots):
            waiter = self.waiters[0]
            if waiter.done():  # cancelled: the next one gets its moment
                self.waiters.popleft()
                continue
            if self.slots.first() > now:
                self.timer = loop.call_at(self.slots.first(), self.serve)
                return
            self.waiters.popleft()
            self.slots.take_first()
            waiter.set_result(None)
        self.slots.drop_before(now, len(self.waiters))


class RateLimit:
    """A middleware that lets at most *rate* requests pass in *per* seconds, counted for each origin separately.

    A request without a permit waits for one, first come, first served; the time limit of an attempt does not include
    this wait. If the permit would come after the call's deadline, ``RateLimitedError`` is raised at once. If a waiting
    request is cancelled, the next one gets its permit.

    The limits of servers take precedence: ``Retry-After`` of a 429 or 503, ``RateLimit`` and ``RateLimit-Policy``,
    ``X-RateLimit-Remaining`` and ``X-RateLimit-Reset``.

    Args:
        rate: number of requests.
        per: seconds in which so many may pass.
        burst: how many requests may pass at the same time after a pause; *rate* by default.
        by: what has a limit of its own: "origin", "host", or a function that takes the request and returns a key.
        algorithm: "token_bucket"; or "sliding_window", with which no window of *per* seconds has more than *rate*,
            wherever it begins.
        max_wait: seconds that a request may wait at most; None for as long as its deadline allows.
        learn: whether the limits that the server sends are kept as well.
        store: where permits are counted: in this process, or in a ``RedisStore`` for several processes. Two limits in
            the same store count the same permits: give each its own store, or its own prefix in Redis.
        on_change: a function that gets a ``RateLimitChange``.

    Raises:
        ValueError, TypeError: an argument makes no sense, such as a rate of zero.
    """

    argument: ClassVar[str] = "rate_limit"
    tidy: ClassVar[bool] = True

    def __init__(
        self,
        rate: float,
        per: float = 1.0,
        *,
        burst: int | None = None,
        by: By = "origin",
        algorithm: Algorithm = "token_bucket",
        max_wait: float | None = None,
        learn: bool = True,
        store: LimitStore | None = None,
        on_change: Callable[[RateLimitChange], object] | None = None,
    ) -> None:
        self._rule = Rule(rate, per, burst, algorithm)
        if max_wait is not None:
            check_number("max_wait", max_wait)
        if max_wait is not None and not max_wait >= 0:
            raise ValueError(
                f"max_wait={max_wait!r}; give seconds, or None for what the deadline allows"
            )
        check_listener(on_change)
        if store is not None and not callable(getattr(store, "reserve", None)):
            raise TypeError(
                f"store must be a RedisStore, or have the methods of LimitStore; found {type(store).__name__}"
            )
        self._key = scope_of(by)
        self._longest = math.inf if max_wait is None else max_wait
        self._learns = learn
        self._store = LimitMemory() if store is None else store
        self._on_change = on_change
        if on_change is not None:
            self._store.on_change = self._store_changed
        self._store_is_near = not iscoroutinefunction(self._store.reserve)
        self._lines: States[str, _Line] = States()
        self._loop: asyncio.AbstractEventLoop | None = None  # of the requests that wait
        self._passed = self._delayed = self._refused = 0

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        """Let *request* pass when there is a permit for it.

        Raises:
            RateLimitedError: no permit is available in time.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            in_use = any(line.waiters for line in self._lines.values())
            self._loop = take_over(self, self._loop, loop, in_use=in_use)
            if in_use:
                self._lines.clear()  # nobody is left of a loop that is closed
        key = self._key(request)
        line = self._lines.get(key)
        if line is None:
            line = self._lines.add(key, _Line(key), _Line.is_unused)
        now = loop.time()
        learned = line.learned
        at: float | None = None
        if self._store_is_near and not line.waiters and not len(line.slots):
            longest = self._longest_for(request, now)
            at = now + cast(float, self._store.reserve(key, self._rule, now, longest))
            at = learned.next(at)
        if at is None or at > now:
            await self._wait(line, request, at, now)
        else:
            learned.take(now)
        given = learned.given
        self._passed += 1
        response = await handler(request)
        if self._learns and (response.status in _SLOW_DOWN or speaks_of_limits(response.headers)):
            try:
                await self._learn(line, response, given)
            except BaseException:
                response.close()  # nobody else will close it
                raise
        return response

    def _longest_for(self, request: Request, now: float) -> float:
        """Return the seconds that *request* may wait at most."""
        deadline = request.deadline
        if deadline is None:
            return self._longest
        left = deadline - now
        return left if left < self._longest else self._longest

    async def _wait(self, line: _Line, request: Request, at: float | None, now: float) -> None:
        """Wait in *line* until *at*, the moment of a permit; None if the store has not been asked for one yet."""
        loop = asyncio.get_running_loop()
        line.slots.drop_before(now, len(line.waiters))
        waiter: asyncio.Future[None] = loop.create_future()
        line.waiters.append(waiter)
        try:
            with not_counted():
                # One after the other, so that the store is asked in the order in which the requests came.
                async with line.lock:
                    if not waiter.done():
                        await self._join(line, waiter, request, at)
                if not waiter.done():
                    if not waits():
                        line.waiters.remove(waiter)
                        return
                    self._delayed += 1
                    await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                line.slots.add(loop.time())  # cancelled: the next one may pass
            elif waiter in line.waiters:
                line.waiters.remove(waiter)
            line.serve()
            raise

    async def _join(
        self, line: _Line, waiter: "asyncio.Future[None]", request: Request, at: float | None
    ) -> None:
        """Add the moment of a permit for *waiter* to the line: *at*, or the next one of the store.

        Raises:
            RateLimitedError: it is too late.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        longest = self._longest_for(request, now)
        is_new = True
        if at is None:
            place = line.waiters.index(waiter)
            if len(line.slots) > place:
                at = line.slots.nth(place)  # a cancelled request has left its moment
                is_new = False
            else:
                wait = self._store.reserve(line.key, self._rule, now, longest)
                if not isinstance(wait, (float, int)):
                    wait = await wait
                    now = loop.time()  # the store counts from its answer
                at = line.learned.next(now + wait)
        if at - now > longest:
            self._refused += 1
            raise self._error(line, request, at - now)
        if is_new:
            line.learned.take(at)
            if waits():
                line.slots.add(at)
        line.serve()

    def _error(self, line: _Line, request: Request, wait: float) -> RateLimitedError:
        rule = self._rule
        limit = f"{rule.rate:g} requests in {rule.per:g} s to {line.key}"
        if wait == math.inf:
            reason = f"the store of the limit of {limit} is lost"
            return RateLimitedError(request.label, reason, None, None)
        until = datetime.now(UTC) + timedelta(seconds=wait)
        ahead = len(line.waiters)
        reason = f"the limit of {limit} has no room in time ({ahead} wait before it)"
        return RateLimitedError(request.label, reason, wait, until)

    async def _learn(self, line: _Line, response: ClientResponse, given: int) -> None:
        """Apply the server's limits that *response* names."""
        headers = response.headers
        seconds = 0.0
        if response.status in _SLOW_DOWN:
            seconds = retry_after(headers, time.time()) or 0.0
        advised = advice(headers, time.time())
        now = asyncio.get_running_loop().time()
        if advised is not NONE:
            seconds = max(seconds, line.learned.learn(advised, now, given, self._rule))
        if seconds <= 0:
            return
        seconds = min(seconds, LONGEST)
        blocking = self._store.block(line.key, now, seconds)
        line.slots.delay(now + seconds, self._rule.interval)
        line.serve()
        tell(self._on_change, RateLimitChange("blocked", line.key, seconds))
        if blocking is not None:
            await blocking

    def _store_changed(self, state: str, error: BaseException | None) -> None:
        text = None if error is None else repr(error)
        tell(self._on_change, RateLimitChange("lost" if state == "lost" else "back", error=text))

    def statistics(self) -> RateLimitStatistics:
        """Return the counts, as an immutable value."""
        waiting = sum(len(line.waiters) for line in self._lines.values())
        return RateLimitStatistics(self._passed, self._delayed, self._refused, waiting)

    def reset(self) -> None:
        """Forget all counts and all limits of servers; waiting requests pass at once."""
        self._passed = self._delayed = self._refused = 0
        self._store.reset()
        for line in self._lines.values():
            line.slots.clear()
            for _ in line.waiters:
                line.slots.add(-math.inf)
            if line.waiters:
                line.serve()
        self._lines.clear()

    def __repr__(self) -> str:
        rule = self._rule
        waiting = self.statistics().waiting
        return (
            f"<RateLimit {rule.rate:g} in {rule.per:g} s, {self._passed} passed, {waiting} waiting>"
        )
