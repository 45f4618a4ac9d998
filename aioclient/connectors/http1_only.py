"""Servers that speak only HTTP/1.1 although HTTP/2 was offered: learned by dialling, and forgotten after a while."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

KNOWN_FOR: Final = 300.0
"""Seconds for which a key is known: learning again costs one handshake, behind which a burst of requests waits."""

# Each is a few hundred bytes, and may keep a TLS context alive.
_KEYS = 1000

K = TypeVar("K", bound=Hashable)


class Http1OnlyKeys(Generic[K]):
    """The keys whose connections are known to carry one exchange at a time."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: OrderedDict[K, float] = OrderedDict()  # the most recent ones are last

    def learn(self, key: K, now: float) -> None:
        """Note that a connection of *key* carries one."""
        self._until[key] = now + KNOWN_FOR
        self._until.move_to_end(key)
        if len(self._until) > _KEYS:
            self._until.popitem(last=False)

    def forget(self, key: K) -> None:
        """Note that a connection of *key* carries many."""
        self._until.pop(key, None)

    def knows(self, key: K, now: float) -> bool:
        """Tell whether connections of *key* were recently seen to carry one exchange at a time."""
        return self._until.get(key, now) > now
