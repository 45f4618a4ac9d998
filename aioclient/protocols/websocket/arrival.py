"""How one task waits for what comes from the network, and goes on the moment it is here.

A future wakes its task in the next round of the event loop. For a message of 64 bytes that round (a look at the
selector, a handle) costs a tenth of the whole exchange. ``Arrival`` is a future in asyncio's duck-typed sense (an
object with ``_asyncio_future_blocking``, see ``asyncio.isfuture()``) that serves again and again, and whose ``wake()``
runs the waiting task's next step at once, as an event loop would.

It is called from a protocol's callback, where no task runs, and as the last thing there. If a task does run, the
waiting one is woken as by any other future.
"""

import asyncio
from collections.abc import Callable, Generator, Iterable
from contextvars import Context, copy_context
from functools import partial
from types import coroutine
from typing import Any


class Arrival:
    """The wait of at most one task for the next message of a connection."""

    __slots__ = (
        "_asyncio_future_blocking",
        "_callback",
        "_cancelled",
        "_context",
        "_loop",
        "waiting",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._cancelled = False
        self.waiting = False

    @coroutine
    def wait(self) -> "Generator[Arrival, None, None]":
        """Wait until ``wake()`` or ``wake_soon()`` is called. A cancelled wait takes nothing away."""
        self._cancelled = False
        self.waiting = True
        self._asyncio_future_blocking = True
        try:
            yield self
        finally:
            self.waiting = False
            self._callback = None

    def wake(self) -> None:
        """Run the waiting task's next step now, unless another task is in one."""
        callback = self._callback
        if callback is None:
            return
        if asyncio.current_task(self._loop) is not None:
            self.wake_soon()
            return
        self._callback = None
        context = self._context
        if context is None:
            callback(self)
        else:
            context.run(callback, self)

    def wake_soon(self) -> None:
        """Let the waiting task go on in the next round of the event loop."""
        callback = self._callback
        if callback is not None:
            self._callback = None
            self._loop.call_soon(callback, self, context=self._context)

    # What a task asks of a future

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        """Keep what wakes the task; one who looks on may come before it."""
        first = self._callback
        if first is not None:
            first_context = self._context or copy_context()
            context = context or copy_context()
            both = ((first, first_context), (callback, context))
            callback = partial(_call_all, both)
            context = None
        self._callback = callback
        self._context = context

    def cancel(self, msg: object = None) -> bool:
        """Wake the task with ``CancelledError``; False when it is woken already."""
        if self._callback is None:
            return False
        self._cancelled = True
        self.wake_soon()
        return True

    def result(self) -> None:
        """Raise ``CancelledError`` after ``cancel()``."""
        if self._cancelled:
            raise asyncio.CancelledError

    def done(self) -> bool:
        """Tell whether nothing waits."""
        return self._callback is None

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop."""
        return self._loop


def _call_all(
    callbacks: Iterable[tuple[Callable[[Any], object], Context]], arrival: Arrival
) -> None:
    for callback, context in callbacks:
        context.run(callback, arrival)
