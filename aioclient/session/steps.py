"""The middlewares of a call: the session's, except those that an argument of the call replaces."""

from collections.abc import Mapping, Sequence
from typing import Final, TypedDict, cast

from ..chain import Lasting, Middleware, name_of
from ..middlewares.cache import Cache
from ..middlewares.circuit_breaker import CircuitBreaker
from ..middlewares.coalescing import Coalesce
from ..middlewares.concurrency_limit import AdaptiveLimit, ConcurrencyLimit
from ..middlewares.hedging import Hedge
from ..middlewares.rate_limit import RateLimit
from ..middlewares.retry import Retry


class StepArguments(TypedDict, total=False):
    """Arguments of a call that replace a middleware of the session; None leaves it out."""

    circuit_breaker: CircuitBreaker | None
    """a ``CircuitBreaker`` in the place of the session's, or innermost where there is none; None for none."""
    coalesce: Coalesce | None
    """a ``Coalesce`` in the place of the session's, or innermost where there is none; None to share no response."""
    concurrency_limit: ConcurrencyLimit | AdaptiveLimit | None
    """a ``ConcurrencyLimit`` or ``AdaptiveLimit`` in the place of the session's, or innermost where there is none; None
    for none."""
    hedge: Hedge | None
    """a ``Hedge`` in the place of the session's, or innermost where there is none; None for no second request."""
    rate_limit: RateLimit | None
    """a ``RateLimit`` in the place of the session's, or innermost where there is none; None for no limit."""
    retry: Retry | None
    """a ``Retry`` in the place of the session's, or innermost where there is none; None for no further attempts."""
    cache: Cache | None
    """a ``Cache`` in the place of the session's, or innermost where there is none; None for no cache."""


STEPS: Final = frozenset(StepArguments.__annotations__)


def changed(
    middlewares: Sequence[Middleware], arguments: Mapping[str, object]
) -> tuple[Middleware, ...]:
    """Return *middlewares* with those of *arguments* in place of the session's, or innermost.

    Raises:
        TypeError: an argument is neither None nor such a middleware.
    """
    result = list(middlewares)
    for name in StepArguments.__annotations__:
        if name not in arguments:
            continue
        step = arguments[name]
        is_class = isinstance(step, type)
        is_step = callable(step) and getattr(step, "argument", None) == name and not is_class
        if step is not None and not is_step:
            raise TypeError(
                f"{name} must be None, to leave it out, or a middleware for it, such as {EXAMPLES[name]}; "
                f"found {'the class ' if is_class else ''}{name_of(step if is_class else type(step))}"
            )
        places = [place for place, each in enumerate(result) if _argument_of(each) == name]
        if step is not None:
            where = places[0] if places else len(result)
            result[where : where + len(places[:1])] = [cast(Middleware, step)]
            places = places[1:]
        for place in reversed(places):
            del result[place]
    return tuple(result)


def _argument_of(middleware: Middleware) -> object:
    return getattr(middleware, "argument", None)


EXAMPLES: Final = {
    "cache": "Cache()",
    "circuit_breaker": "CircuitBreaker()",
    "coalesce": "Coalesce()",
    "concurrency_limit": "ConcurrencyLimit(10)",
    "hedge": "Hedge()",
    "rate_limit": "RateLimit(10)",
    "retry": "Retry(attempts=5)",
}


def attach(middlewares: Sequence[Middleware], session: object) -> None:
    """Tell those of *middlewares* that last that *session* has them."""
    for middleware in middlewares:
        lasting: object = middleware
        if isinstance(lasting, Lasting):
            lasting.attach(session)


async def detach(middlewares: Sequence[Middleware], session: object) -> None:
    """Tell them that *session* is closed, and wait until they have ended what they do for it."""
    for middleware in middlewares:
        lasting: object = middleware
        if isinstance(lasting, Lasting):
            await lasting.detach(session)
