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
    """Return middlewares for a session in the recommended order, the outermost first.

    Every session can use a ``Retry`` and a ``CircuitBreaker``, so they are on by default. The others must be asked for:
    True means the middleware with its defaults, False or None leaves it out.

    Args:
        cache: responses without a request; outermost.
        coalesce: one exchange for identical requests.
        retry: further attempts; each attempt passes all middlewares that follow.
        circuit_breaker: no requests to an origin that fails; it counts attempts.
        rate_limit: how many requests in a time; every attempt counts.
        concurrency_limit: how many requests at a time; True is an ``AdaptiveLimit``.
        hedge: a second request for a slow response; True uses the budget of *retry*.

    Raises:
        TypeError: an argument has the wrong type.
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
    """Return the middleware for an argument; None for none."""
    if given is None or given is False:
        return None
    if given is True and default is not None:
        return default
    if not isinstance(given, kind):
        raise TypeError(f"{name} must be a {kind.__name__} or None, found {type(given).__name__}")
    return given
