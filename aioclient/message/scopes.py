"""What has a limit, a circuit or a statistic of its own: an origin, a host, or a key of the user's."""

from collections.abc import Callable, Hashable
from typing import Final, Literal, TypeAlias, TypeVar

from .request import Request

By: TypeAlias = Literal["origin", "host"] | Callable[[Request], str]

MANY: Final = 1024  # states; beyond that, those that are as new are dropped

KeyT = TypeVar("KeyT", bound=Hashable)
StateT = TypeVar("StateT")


class States(dict[KeyT, StateT]):
    """The states of all keys; when there are many, those that are as new are dropped.

    To find these takes a look at all states. That is done again only when there are twice as many as were left, so a
    new key takes constant time on average, however many are in use.
    """

    __slots__ = ("_most",)

    def __init__(self) -> None:
        self._most = MANY

    def add(self, key: KeyT, state: StateT, is_fresh: Callable[[StateT], bool]) -> StateT:
        """Add and return the *state* of a new *key*; *is_fresh* tells whether a state is as new."""
        if len(self) >= self._most:
            for known in [known for known, each in self.items() if is_fresh(each)]:
                del self[known]
            self._most = max(MANY, 2 * len(self))
        self[key] = state
        return state


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
