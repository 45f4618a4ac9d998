"""The events that wait for ``get_latest_events``, without I/O."""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


class EventBuffer(Generic[T]):
    """Events in order; when it is full, the oldest make room.

    Args:
        size: how many events it keeps; 0 for any number.

    Raises:
        ValueError: *size* is negative.
    """

    __slots__ = ("_events", "dropped", "size")

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"event_buffer_size={size}; give 1 or more, or 0 for no limit")
        self.size: int = size
        self.dropped: int = 0
        self._events: deque[T] = deque(maxlen=size or None)

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: T) -> None:
        """Add the newest event."""
        self.dropped += len(self._events) == self._events.maxlen
        self._events.append(event)

    def take(self, limit: int = 0) -> list[T]:
        """Remove the oldest events and return them, the oldest first: at most *limit*, or all with 0."""
        events = list(islice(self._events, limit or None))
        for _ in events:
            self._events.popleft()
        return events

    def put_back(self, events: Iterable[T]) -> None:
        """Add *events* that were taken and not delivered; they are older than the others."""
        kept = [*events, *self._events]
        size = self.size or len(kept)
        self.dropped += max(0, len(kept) - size)
        self._events.clear()
        self._events.extend(kept)  # the deque itself drops the oldest
