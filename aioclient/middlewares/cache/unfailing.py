"""A store as a cache uses it: if it raises, that is logged, and the request goes on without it."""

import logging
from collections.abc import Awaitable, Sequence
from typing import Final, TypeVar

from .keys import Key
from .memory import MemoryStore
from .statistics import Counts
from .store import CacheStore, Stored

T = TypeVar("T")

_log: Final = logging.getLogger("aioclient.cache")


class UnfailingStore:
    """A *store* whose exceptions are counted, and logged once until it works again."""

    __slots__ = ("_counts", "_is_down", "memory", "store")

    def __init__(self, store: CacheStore, counts: Counts) -> None:
        self.store: CacheStore = store
        # Most caches are in memory; they need not wait for it.
        self.memory: MemoryStore | None = store if type(store) is MemoryStore else None
        self._counts = counts
        self._is_down = False

    async def find(self, key: Key) -> Sequence[Stored]:
        """Return what is stored under *key*; nothing if the store raises."""
        if self.memory is not None:
            return self.memory.find_nowait(key)
        try:
            stored = await self.store.find(key)
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self.failed(error)
            return ()
        self._is_down = False
        return stored

    async def tell(self, action: Awaitable[T]) -> T | None:
        """Await the store; return None if it raises."""
        try:
            return await action
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self.failed(error)
            return None

    def failed(self, error: Exception) -> None:
        """Log an exception of the store, once until it works again."""
        self._counts.errors += 1
        if not self._is_down:
            self._is_down = True
            _log.warning(
                "%s failed, and requests go on without it: %r", type(self.store).__name__, error
            )
