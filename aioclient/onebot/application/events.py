"""The events of a client or receiver on their way to its listeners: iterators and handlers.

The rules:

* Each listener gets all events that it wants, from the moment at which it begins. Before the first listener the newest
  events are kept, ``ROOM`` of them; it gets those, too.
* A listener has a queue. While one is full, at ``ROOM``, no more events are read, and the implementation has to wait.
  This lasts ``PAUSE`` seconds at most, because a peer that does not read seems to be dead, and it ends when a call
  waits for its answer, which may come behind events. What comes then is kept up to ``MOST``; beyond, the oldest is
  dropped, and that is logged.
* At the end an iterator gives what is left in its queue, then raises what ended it, if that was an error.
"""

import asyncio
import copy
import logging
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, NamedTuple, Self
from weakref import WeakSet

from ..events import Event
from .bots import RemoteBot
from .handlers import CarryOut, Handlers, HandlerT, checked_names, names_of


class Bounds(NamedTuple):
    """How much a queue may hold."""

    events: int
    bytes: int


ROOM: Final = Bounds(1_000, 16 * 2**20)
"""As many events as an implementation keeps for a slow peer, and four of the largest messages."""
MOST: Final = Bounds(10_000, 64 * 2**20)
PAUSE: Final = 10.0
"""Seconds; peers that send pings wait 20 s or more for the answer."""

_log = logging.getLogger("aioclient.onebot.application")


class _Entry(NamedTuple):
    event: Event
    bot: RemoteBot | None
    size: int


class _Queue:
    """Events that wait, and the bytes of their messages."""

    __slots__ = ("_entries", "_size")

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def reaches(self, bounds: Bounds) -> bool:
        return len(self._entries) >= bounds.events or self._size >= bounds.bytes

    def exceeds(self, bounds: Bounds) -> bool:
        return len(self._entries) > bounds.events or self._size > bounds.bytes

    def add(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self._size += entry.size

    def take(self) -> _Entry:
        entry = self._entries.popleft()
        self._size -= entry.size
        return entry


class EventIterator:
    """An async iterator over events; made by ``events()``.

    Several tasks may iterate: each event then goes to one of them. An iterator that is dropped or closed gets no more
    events.
    """

    __slots__ = ("__weakref__", "_closed", "_names", "_news", "_queue", "_stream")

    def __init__(self, stream: "EventStream", names: Iterable[str]) -> None:
        self._stream = stream
        self._names = checked_names(names)
        self._queue = _Queue()
        self._news = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            if self._stream.ended:
                self._closed = True
                raise self._stream.failure() or StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        event = self._queue.take().event
        self._stream.changed()
        return event

    async def aclose(self) -> None:
        """End the iteration: it gets no more events, and those that wait are dropped."""
        self._closed = True
        self._queue = _Queue()
        self._stream.remove(self)
        self._news.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        of = " or ".join(sorted(self._names)) or "all kinds"
        return f"<EventIterator of {of}, {len(self._queue)} waiting>"

    def put(self, entry: _Entry) -> None:
        """Take in an event (called by the stream)."""
        if not self._names or not self._names.isdisjoint(names_of(entry.event)):
            self._queue.add(entry)
            self._news.set()

    @property
    def queue(self) -> _Queue:
        """What waits (for the stream)."""
        return self._queue

    def wake(self) -> None:
        """Look at the stream's end (called by the stream)."""
        self._news.set()


class EventStream:
    """Hands events to the listeners of one client or receiver.

    Args:
        label: whose events they are, for log lines.
        carry_out: carries out an action that a handler returned.
    """

    def __init__(self, label: Callable[[], str], carry_out: CarryOut) -> None:
        self.handlers: Handlers = Handlers(carry_out, self.changed)
        self.ended: bool = False
        self._label = label
        self._iterators: WeakSet[EventIterator] = WeakSet()
        self._backlog: _Queue | None = _Queue()
        self._error: Exception | None = None
        self._changes = asyncio.Event()
        self._dropped = 0
        self._overflows = False

    # Listeners

    def events(self, names: Iterable[str]) -> EventIterator:
        """Return a new iterator."""
        iterator = EventIterator(self, names)
        self._iterators.add(iterator)
        for entry in self._kept():
            iterator.put(entry)
        self.changed()
        return iterator

    def on(self, names: Iterable[str], function: HandlerT) -> HandlerT:
        """Call *function* for events."""
        self.handlers.add(names, function)
        for entry in self._kept():
            self.handlers.put(entry.event, entry.bot, entry.size)
        self.changed()
        return function

    def _kept(self) -> list[_Entry]:
        backlog, self._backlog = self._backlog, None
        return [] if backlog is None else [backlog.take() for _ in range(len(backlog))]

    def remove(self, iterator: EventIterator) -> None:
        """Give no more events to *iterator*."""
        self._iterators.discard(iterator)
        self.changed()

    @property
    def is_listened_to(self) -> bool:
        """Whether there is a listener."""
        return bool(self.handlers) or bool(self._iterators)

    # Events

    def put(self, event: Event, bot: RemoteBot | None, size: int) -> None:
        """Hand *event* to all listeners; *size* is the bytes of its message."""
        self.handlers.put(event, bot, size)
        while self._handlers_exceed(MOST):
            self.handlers.drop_oldest()
            self._count_drop()
        self.put_to_iterators(event, bot, size)

    def put_to_iterators(self, event: Event, bot: RemoteBot | None, size: int) -> None:
        """Hand *event* to all iterators."""
        entry = _Entry(event, bot, size)
        if self._backlog is not None:
            self._backlog.add(entry)
            while self._backlog.exceeds(ROOM):
                self._backlog.take()
        for iterator in self._iterators:
            iterator.put(entry)
            while iterator.queue.exceeds(MOST):
                iterator.queue.take()
                self._count_drop()

    def _count_drop(self) -> None:
        if not self._dropped:
            _log.warning(
                "%s: %d events wait for a slow reader; the oldest are dropped",
                self._label(),
                MOST.events,
            )
        self._dropped += 1

    def _handlers_reach(self, bounds: Bounds) -> bool:
        handlers = self.handlers
        return handlers.waiting >= bounds.events or handlers.waiting_bytes >= bounds.bytes

    def _handlers_exceed(self, bounds: Bounds) -> bool:
        handlers = self.handlers
        return handlers.waiting > bounds.events or handlers.waiting_bytes > bounds.bytes

    @property
    def has_room(self) -> bool:
        """Whether no queue is full."""
        return not self._handlers_reach(ROOM) and not any(
            iterator.queue.reaches(ROOM) for iterator in self._iterators
        )

    async def wait_room(self, unless: Callable[[], bool] = bool) -> None:
        """Wait until there is room for an event, or *unless* is true; ``PAUSE`` seconds at most, and once.

        After that long it does not wait again until there was room.
        """
        if self.has_room:
            self._recover()
            return
        if self._overflows or unless():
            return
        try:
            async with asyncio.timeout(PAUSE):
                await self.wait_until(lambda: self.has_room or unless())
        except TimeoutError:
            self._overflows = True
            _log.warning(
                "%s: no event was taken for %g s, and %d wait; reading continues",
                self._label(),
                PAUSE,
                ROOM.events,
            )

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition*, which ``changed()`` lets be looked at again."""
        while not condition():
            self._changes.clear()
            await self._changes.wait()

    def changed(self) -> None:
        """Let those that wait look again."""
        self._changes.set()

    def _recover(self) -> None:
        self._overflows = False
        if self._dropped:
            _log.warning("%s: %d events were dropped", self._label(), self._dropped)
            self._dropped = 0

    # The end

    def end(self, error: Exception | None = None) -> None:
        """Let iterators end, with *error* if there is one."""
        if self.ended:
            return
        self.ended = True
        self._error = error
        for iterator in self._iterators:
            iterator.wake()
        self.changed()

    def failure(self) -> Exception | None:
        """Return the error that ended the events, as a new object; None if there was none."""
        if self._error is None:
            return None
        error = copy.copy(self._error)
        error.__cause__ = self._error.__cause__
        return error

    async def close(self) -> None:
        """End, and cancel the handlers that run."""
        self.end()
        await self.handlers.close()
