"""Where the state of limits is kept: in this process, or in Redis for several processes."""

import logging
import math
from asyncio import get_running_loop, timeout
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self, TypeAlias
from uuid import uuid4

from ...exceptions import MissingExtraError
from ...message.numbers import check_number
from ...message.scopes import States
from .policy import Limiter, Rule, limiter_for

WhenGone: TypeAlias = Literal["local", "open", "closed"]

_GONE: Final = (OSError, EOFError)  # redis adds its own classes

_log = logging.getLogger("aioclient.rate_limit")


class LimitStore(Protocol):
    """The store in which a ``RateLimit`` counts permits.

    Attributes:
        on_change: Called with "lost" and the error when the store becomes unusable, with "back" and None when it works
            again; the ``RateLimit`` sets it.
    """

    on_change: Callable[[str, BaseException | None], object] | None

    def reserve(self, key: str, rule: Rule, now: float, longest: float) -> float | Awaitable[float]:
        """Reserve the next permit of *key*, and return the seconds until its moment; 0 for now.

        If that is more than *longest*, nothing is reserved. *now* is the event loop's time.
        """

    def block(self, key: str, now: float, seconds: float) -> Awaitable[None] | None:
        """Give no permit of *key* for a moment within *seconds*."""

    def reset(self) -> None:
        """Forget the state that is kept in this process."""


class LimitMemory:
    """Limits of this process."""

    def __init__(self) -> None:
        self.on_change: Callable[[str, BaseException | None], object] | None = None
        self._limiters: States[str, Limiter] = States()

    def reserve(self, key: str, rule: Rule, now: float, longest: float) -> float:
        """Reserve the next permit of *key*."""
        limiter = self._limiters.get(key)
        if limiter is None:
            limiter = self._limiters.add(key, limiter_for(rule), lambda each: each.is_fresh(now))
        at = limiter.next(now)
        if at - now <= longest:
            limiter.take(at)
        return at - now

    def block(self, key: str, now: float, seconds: float) -> None:
        """Give no permit of *key* for a moment within *seconds*."""
        limiter = self._limiters.get(key)
        if limiter is not None:
            limiter.block(now + seconds)

    def reset(self) -> None:
        """Forget all limits."""
        self._limiters.clear()


# Both algorithms as in policy.py, by the clock of Redis, the same for all. KEYS are the state, the moments of a
# sliding window, and the processes that asked recently. A reserved permit is part of the state, so a process that is
# killed has nothing to give back. Numbers are returned as text: Redis truncates them to integers.
SCRIPT: Final = """
local algorithm, interval, tolerance, limit, per, longest, member =
    ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local not_before = tonumber(redis.call('HGET', KEYS[1], 'not_before') or '0')
local at = math.max(now, not_before)
local alive = math.ceil(per * 2000) + 60000
if algorithm == 'token_bucket' then
    local full_at = tonumber(redis.call('HGET', KEYS[1], 'full_at') or '0')
    at = math.max(at, full_at - tolerance)
    if at - now <= longest then
        full_at = math.max(full_at, at) + interval
        redis.call('HSET', KEYS[1], 'full_at', string.format('%.6f', full_at))
        redis.call('PEXPIRE', KEYS[1], math.ceil((full_at - now) * 1000) + alive)
    end
else
    local last = tonumber(redis.call('LINDEX', KEYS[2], -1) or '0')
    at = math.max(at, last)
    if redis.call('LLEN', KEYS[2]) >= limit then
        at = math.max(at, tonumber(redis.call('LINDEX', KEYS[2], 0)) + per)
    end
    if at - now <= longest then
        redis.call('RPUSH', KEYS[2], string.format('%.6f', at))
        redis.call('LTRIM', KEYS[2], -limit, -1)
        redis.call('PEXPIRE', KEYS[2], math.ceil((at - now) * 1000) + alive)
    end
end
redis.call('ZADD', KEYS[3], now, member)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 60)
redis.call('PEXPIRE', KEYS[3], 60000)
return {string.format('%.6f', at - now), redis.call('ZCARD', KEYS[3])}
"""
BLOCK: Final = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local seconds = tonumber(ARGV[1])
local not_before = tonumber(redis.call('HGET', KEYS[1], 'not_before') or '0')
if now + seconds > not_before then
    redis.call('HSET', KEYS[1], 'not_before', string.format('%.6f', now + seconds))
    local left = redis.call('PTTL', KEYS[1])
    redis.call('PEXPIRE', KEYS[1], math.max(left, math.ceil(seconds * 1000) + 1000))
end
return 0
"""
_AGAIN: Final = 1.0  # seconds until Redis is asked again after it could not be reached


class RedisStore:
    """Limits of several processes and machines, in Redis or Valkey (extra ``redis``).

    Each permit is one call of a script, which Redis runs atomically, by the clock of Redis. A process that is killed
    leaves only its reserved permit behind.

    When Redis cannot be reached, this is logged and reported to the limit's ``on_change``, and Redis is not asked again
    for one second. Meanwhile *when_gone* decides.

    Args:
        redis: a URL (``redis://``, ``rediss://``, ``unix://``), or your own ``redis.asyncio.Redis``.
        prefix: of the keys in Redis; stores with the same prefix share their limits.
        when_gone: "local" keeps to this process's share of the limit, by the last known number of processes; "open"
            lets everything pass; "closed" lets nothing pass and raises ``RateLimitedError``.
        timeout: seconds that Redis may take to answer.

    Raises:
        MissingExtraError: redis is not installed.
        ValueError: *when_gone* or *timeout* makes no sense.
    """

    def __init__(
        self,
        redis: Any,
        *,
        prefix: str = "aioclient:limit:",
        when_gone: WhenGone = "local",
        timeout: float = 1.0,
    ) -> None:
        if when_gone not in ("local", "open", "closed"):
            raise ValueError(f"when_gone={when_gone!r}; give 'local', 'open' or 'closed'")
        check_number("timeout", timeout)
        if not 0 < timeout < math.inf:
            raise ValueError(f"timeout={timeout!r}; give seconds, more than 0")
        library = _redis()
        self._owner = isinstance(redis, str)
        self._redis = library.asyncio.Redis.from_url(redis) if self._owner else redis
        self._gone: tuple[type[BaseException], ...] = (*_GONE, library.exceptions.RedisError)
        self._prefix = prefix
        self._when_gone = when_gone
        self._timeout = timeout
        self._script = self._redis.register_script(SCRIPT)
        self._block = self._redis.register_script(BLOCK)
        self._member = uuid4().hex
        self._members = 1
        self._lost_until = -math.inf
        self._lost = False
        self._local = LimitMemory()
        self.on_change: Callable[[str, BaseException | None], object] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether Redis could not be reached the last time."""
        return self._lost

    async def reserve(self, key: str, rule: Rule, now: float, longest: float) -> float:
        """Reserve the next permit of *key*."""
        if now >= self._lost_until:
            try:
                async with timeout(self._timeout):
                    wait, self._members = await self._script(
                        keys=self._keys(key),
                        args=[
                            rule.algorithm,
                            rule.interval,
                            (rule.at_once - 1) * rule.interval,
                            int(rule.rate),
                            rule.per,
                            min(longest, 1e9),
                            self._member,
                        ],
                    )
            except self._gone as error:
                self._note_loss(error)
            else:
                self._note_return()
                return max(0.0, float(wait))
        if self._when_gone == "local":
            return self._local.reserve(key, rule.share(self._members), now, longest)
        return 0.0 if self._when_gone == "open" else math.inf

    async def block(self, key: str, now: float, seconds: float) -> None:
        """Give no permit of *key* for a moment within *seconds*."""
        self._local.block(key, now, seconds)
        if now < self._lost_until:
            return
        try:
            async with timeout(self._timeout):
                await self._block(keys=self._keys(key)[:1], args=[seconds])
        except self._gone as error:
            self._note_loss(error)

    def _keys(self, key: str) -> list[str]:
        # In braces, so that a cluster keeps all of them on the same node.
        name = f"{self._prefix}{{{key}}}"
        return [name, f"{name}:moments", f"{name}:processes"]

    def _note_loss(self, error: BaseException) -> None:
        self._lost_until = get_running_loop().time() + _AGAIN
        if self._lost:
            return
        self._lost = True
        meanwhile = {
            "local": f"each of {self._members} processes keeps to its share",
            "open": "requests pass without a limit",
            "closed": "no request passes",
        }[self._when_gone]
        _log.warning("Redis cannot be reached for rate limits, %s: %r", meanwhile, error)
        if self.on_change is not None:
            self.on_change("lost", error)

    def _note_return(self) -> None:
        if self._lost:
            self._lost = False
            self._local.reset()
            _log.warning("Redis can be reached again for rate limits")
            if self.on_change is not None:
                self.on_change("back", None)

    def reset(self) -> None:
        """Forget the state that is kept in this process; the state in Redis stays, because others share it."""
        self._local.reset()

    async def close(self) -> None:
        """Close the connections to Redis, unless the client was passed in."""
        if self._owner:
            await self._redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<RedisStore {self._prefix!r}, {'lost' if self._lost else 'in use'}>"


def _redis() -> Any:
    try:
        import redis.asyncio
    except ImportError:
        raise MissingExtraError(
            "RedisStore needs redis; install it with: pip install 'aioclient[redis]'"
        ) from None
    return redis
