"""What has a limit, a circuit or a statistic of its own: an origin, a host, or a key of the user's."""

from collections.abc import Callable
from typing import Literal, TypeAlias

from .request import Request

By: TypeAlias = Literal["origin", "host"] | Callable[[Request], str]


def scope_of(by: By) -> Callable[[Request], str]:
    """Return the function that tells the key of a request.

    Raises:
        ValueError: *by* is none of these.
    """
    if by == "origin":
        return _origin
    if by == "host":
        return _host
    if not callable(by):
        raise ValueError(f"by={by!r}; give 'origin', 'host' or a function of the request")
    function = by

    def key(request: Request) -> str:
        found: object = function(request)
        if not isinstance(found, str):
            raise TypeError(f"by= must return a str, found {type(found).__name__}")
        return found

    return key


def _origin(request: Request) -> str:
    return str(request.origin)


def _host(request: Request) -> str:
    return request.origin.host
