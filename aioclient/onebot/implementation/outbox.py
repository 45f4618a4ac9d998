"""What waits to be sent to one peer: a queue whose producers wait, or lose the oldest.

The rules:

* An item has room until ``size`` items or ``max_bytes`` wait; then the outbox is full, until half of that has gone. So
  a producer waits seldom, and then for a while, and not at each item.
* Those that wait for room get it in the order in which they came.
* While ``drops`` is true nobody waits: the oldest items make room.
* One task takes the items out.
"""

import asyncio
from collections import deque
from collections.abc import Sized
from typing import Final, Generic, TypeVar

MAX_BYTES: Final = 64 * 2**20  # a thousand events of 64 KiB

T = TypeVar("T", bound=Sized)


class Outbox(Generic[T]):
    """A bounded queue for one consumer.

    Args:
        size: how many items may wait.
        max_bytes: how many bytes they may have, by their ``len()``; the last item may exceed it.
    """

    __slots__ = (
        "_bytes",
        "_consumer",
        "_drops",
        "_full",
        "_items",
        "_max_bytes",
        "_size",
        "_waiting",
        "closed",
        "dropped",
    )

    def __init__(self, size: int, max_bytes: int = MAX_BYTES) -> None:
        self.closed: bool = False
        self.dropped: int = 0
        self._size = size
        self._max_bytes = max_bytes
        self._bytes = 0
        self._items: deque[T] = deque()
        self._full = False
        self._drops = False
        self._waiting: deque[tuple[asyncio.Future[None], T]] = deque()
        self._consumer: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._items)

    # Producers

    def put_nowait(self, item: T) -> bool:
        """Add *item*, and return True; return False if it would have to wait for room.

        After ``close()`` items are dropped.
        """
        if self.closed:
            self.dropped += 1
            return True
        if self._full and not self._drops:
            return False
        self._add(item)
        return True

    async def put(self, item: T) -> None:
        """Add *item*; wait for room first if there is none."""
        if self.put_nowait(item):
            return
        entry = (asyncio.get_running_loop().create_future(), item)
        self._waiting.append(entry)
        try:
            await entry[0]
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            raise

    @property
    def drops(self) -> bool:
        """Whether the oldest items make room, so that nobody waits."""
        return self._drops

    @drops.setter
    def drops(self, value: bool) -> None:
        self._drops = value
        if value:
            self._admit()

    def close(self) -> None:
        """Accept nothing more; what is there can still be taken."""
        self.closed = True
        self._admit()
        self._wake_consumer()

    # The consumer

    async def get(self) -> T | None:
        """Remove the oldest item and return it; wait for one. None if the outbox is closed and empty."""
        while not self._items:
            if self.closed:
                return None
            self._consumer = asyncio.get_running_loop().create_future()
            try:
                await self._consumer
            finally:
                self._consumer = None
        return self._take()

    def take_many(self, most: int) -> list[T]:
        """Remove the oldest item and those behind it, as far as all have *most* bytes, and return them."""
        if self._bytes <= most and not self._full:  # nobody waits for room
            items = list(self._items)
            self._items.clear()
            self._bytes = 0
            return items
        items = []
        while self._items and (not items or len(self._items[0]) <= most):
            item = self._take()
            most -= len(item)
            items.append(item)
        return items

    def _take(self) -> T:
        item = self._items.popleft()
        self._bytes -= len(item)
        if (
            self._full
            and len(self._items) <= self._size // 2
            and self._bytes <= self._max_bytes // 2
        ):
            self._full = False
            self._admit()
        return item

    def clear(self) -> int:
        """Drop all items; return how many they were."""
        count = len(self._items)
        self._items.clear()
        self._bytes = 0
        self.dropped += count
        self._full = False
        self._admit()
        return count

    # Both

    def _add(self, item: T) -> None:
        if self._full:
            self._make_room()
        self._items.append(item)
        self._bytes += len(item)
        if self._reaches_limit():
            self._full = True
        if self._consumer is not None:
            self._wake_consumer()

    def _make_room(self) -> None:
        """Drop the oldest items."""
        while self._items and self._reaches_limit():
            self._bytes -= len(self._items.popleft())
            self.dropped += 1
        self._full = False

    def _reaches_limit(self) -> bool:
        return len(self._items) >= self._size or self._bytes >= self._max_bytes

    def _admit(self) -> None:
        """Let those that wait for room in, as far as there is some."""
        while self._waiting and (not self._full or self._drops or self.closed):
            waiter, item = self._waiting.popleft()
            if waiter.done():
                continue
            if self.closed:
                self.dropped += 1
            else:
                self._add(item)
            waiter.set_result(None)

    def _wake_consumer(self) -> None:
        if self._consumer is not None and not self._consumer.done():
            self._consumer.set_result(None)
