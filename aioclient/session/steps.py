"""The middlewares of a call: the session's, except those that an argument of the call replaces."""

from collections.abc import Mapping, Sequence
from typing import Final, TypedDict, cast

from ..chain import Middleware, name_of
from ..middlewares.rate_limit import RateLimit
from ..middlewares.retry import Retry


class StepArguments(TypedDict, total=False):
    """Arguments of a call that replace a middleware of the session; None leaves it out."""

    rate_limit: RateLimit | None
    """a ``RateLimit`` in the place of the session's, or innermost where there is none; None for no limit."""
    retry: Retry | None
    """a ``Retry`` in the place of the session's, or innermost where there is none; None for no further attempts."""


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
        if step is not None and not (callable(step) and getattr(step, "argument", None) == name):
            raise TypeError(
                f"{name} must be None, to leave it out, or a middleware for it, such as {_EXAMPLES[name]}; "
                f"found {name_of(type(step))}"
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


_EXAMPLES: Final = {"rate_limit": "RateLimit(10)", "retry": "Retry(attempts=5)"}
