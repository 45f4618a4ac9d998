"""Which events came before: a bounded memory of their ids, without I/O."""

import hashlib
from collections import OrderedDict
from typing import Final

from ..bots import BotSelf
from ..events import Event

MOST_IDS: Final = 10_000
"""Ids that are remembered: after a reconnect or a repeated webhook at most a queue's worth of events comes again."""

LONGEST_ID: Final = 64
"""Characters of an id that are kept as they are; of longer ones their digest is kept."""


class SeenEvents:
    """The events that came last.

    An event is the same as another if its implementation, its bot and its ``id`` are. Meta events are not remembered:
    nobody sends them twice, and some peers give all of them one id.
    """

    __slots__ = ("_keys", "_most")

    def __init__(self, most: int = MOST_IDS) -> None:
        self._most = most
        self._keys: OrderedDict[tuple[str, BotSelf | None, str | bytes], None] = OrderedDict()

    def has(self, source: str, event: Event) -> bool:
        """Tell whether *event* of the implementation *source* came before."""
        return event.type != "meta" and _key(source, event) in self._keys

    def add(self, source: str, event: Event) -> None:
        """Remember *event*, and forget the oldest one if there are too many."""
        if event.type == "meta":
            return
        self._keys[_key(source, event)] = None
        if len(self._keys) > self._most:
            self._keys.popitem(last=False)


def _key(source: str, event: Event) -> tuple[str, BotSelf | None, str | bytes]:
    name: str | bytes = event.id
    if len(event.id) > LONGEST_ID:
        name = hashlib.sha256(event.id.encode("utf-8", "surrogatepass")).digest()
    return source, event.self, name
