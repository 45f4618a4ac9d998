"""The recommended middlewares in the recommended order."""

from typing import TypeVar

from .chain import Middleware
from .middlewares.cache import Cache
from .middlewares.circuit_breaker import CircuitBreaker
from .middlewares.coalescing import Coalesce
from .middlewares.concurrency_limit import AdaptiveLimit, ConcurrencyLimit
from .middlewares.hedging import Hedge
from .middlewares.rate_limit import RateLimit
from .middlewares.retry import Retry

T = TypeVar("T")


def resilience(
    *,
    cache: Cache | None = None,
    coalesce: Coalesce | bool | None = False,
    retry: Retry | bool | None = True,
    circuit_breaker: CircuitBreaker | bool | None = True,
    rate_limit: RateLimit | None = None,
    concurrency_limit: ConcurrencyLimit | AdaptiveLimit | bool | None = False,
    hedge: Hedge | bool | None = False,
) -> list[Middleware]:
    """Return middlewares for a session in the order that is recommended, the first one outermost.

    A ``Retry`` and a ``CircuitBreaker`` are what every session may have. The others are there when they are asked for:
    True stands for one with its defaults, False or None leaves one out.

    Args:
        cache: what answers without a request; outermost.
        coalesce: one exchange for identical requests.
        retry: further attempts; each of them passes all that follow.
        circuit_breaker: no requests to an origin that fails; it counts attempts.
        rate_limit: how many in which time; every attempt pays.
        concurrency_limit: how many at a time; True is an ``AdaptiveLimit``.
        hedge: a second request for a slow answer; True draws from the budget of *retry*.

    Raises:
        TypeError: an argument is of another kind.
    """
    retrying = _chosen("retry", retry, Retry, Retry())
    budget = None if retrying is None else retrying.budget
    limit = concurrency_limit
    if not isinstance(limit, ConcurrencyLimit):
        limit = _chosen("concurrency_limit", limit, AdaptiveLimit, AdaptiveLimit())
    steps: list[Middleware | None] = [
        _chosen("cache", cache, Cache, None),
        _chosen("coalesce", coalesce, Coalesce, Coalesce()),
        retrying,
        _chosen("circuit_breaker", circuit_breaker, CircuitBreaker, CircuitBreaker()),
        _chosen("rate_limit", rate_limit, RateLimit, None),
        limit,
        _chosen("hedge", hedge, Hedge, Hedge() if budget is None else Hedge(budget=budget)),
    ]
    return [step for step in steps if step is not None]


def _chosen(name: str, given: object, kind: type[T], default: T | None) -> T | None:
    """Return the middleware that an argument asks for; None for none."""
    if given is None or given is False:
        return None
    if given is True and default is not None:
        return default
    if not isinstance(given, kind):
        raise TypeError(f"{name} must be a {kind.__name__} or None, found {type(given).__name__}")
    return given
