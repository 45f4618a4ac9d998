"""A store as a cache uses it: if it raises, that is logged, and the request goes on without it."""

import logging
from collections.abc import Awaitable, Sequence
from typing import Final, Literal, TypeVar

from .keys import Key
from .memory import MemoryStore
from .statistics import Counts
from .store import CacheStore, Stored

T = TypeVar("T")
Action = Literal["find", "read", "write", "change"]

_log: Final = logging.getLogger("aioclient.cache")


class UnfailingStore:
    """A *store* whose exceptions are counted, and logged once until it works again.

    Reading may work while writing fails, as on a full disk: what has failed must itself work again.
    """

    __slots__ = ("_counts", "_failing", "memory", "store")

    def __init__(self, store: CacheStore, counts: Counts) -> None:
        self.store: CacheStore = store
        # Most caches are in memory; they need not wait for it.
        self.memory: MemoryStore | None = store if type(store) is MemoryStore else None
        self._counts = counts
        self._failing: set[Action] = set()

    async def find(self, key: Key) -> Sequence[Stored]:
        """Return what is stored under *key*; nothing if the store raises."""
        if self.memory is not None:
            return self.memory.find_nowait(key)
        try:
            stored = await self.store.find(key)
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self.failed("find", error)
            return ()
        self.works("find")
        return stored

    async def tell(self, action: Awaitable[T]) -> T | None:
        """Await the store; return None if it raises."""
        try:
            result = await action
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self.failed("change", error)
            return None
        self.works("change")
        return result

    def works(self, action: Action) -> None:
        """Note that the store has done *action*."""
        if self._failing:
            self._failing.discard(action)

    def failed(self, action: Action, error: Exception) -> None:
        """Log an exception of the store, once until it works again."""
        self._counts.errors += 1
        is_known = bool(self._failing)
        self._failing.add(action)
        if not is_known:
            _log.warning(
                "%s failed, and requests go on without it: %r", type(self.store).__name__, error
            )
