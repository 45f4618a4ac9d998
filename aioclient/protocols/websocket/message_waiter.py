"""The wait of a task for input from the network, without a further iteration of the event loop.

A future wakes its task in the next iteration of the event loop. For a message of 64 bytes that iteration (a look at the
selector, a handle) costs a tenth of the whole exchange. ``MessageWaiter.wake()`` takes from the future the callback
that the loop would have called then, which is the waiting task's next step, and runs it at once, as an event loop
would.

Call it from a protocol's callback, where no task runs, and as the last thing there. If a task does run, the waiting
one is woken as by any other future.

The future is asyncio's own: for any other object a task's steps take a detour of five calls through Python.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

_Callbacks = list[tuple[Callable[[asyncio.Future[None]], Any], Context]]


class MessageWaiter:
    """The wait of at most one task for the next message of a connection.

    Attributes:
        future: what the task awaits; None while none waits.
    """

    __slots__ = ("_loop", "future")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.future: asyncio.Future[None] | None = None

    def expect(self) -> "asyncio.Future[None]":
        """Return an awaitable for ``wake()`` or ``wake_soon()``. A cancelled wait loses nothing.

        Set ``future`` to None when the wait has ended, in any way.
        """
        future: asyncio.Future[None] = asyncio.Future(loop=self._loop)
        self.future = future
        return future

    def wake(self) -> None:
        """Run the waiting task's next step now, unless another task is in one."""
        future = self.future
        if future is None:
            return
        # They have no public name, but the same private one in C and in Python since Python 3.7.
        callbacks: _Callbacks | None = getattr(future, "_callbacks", None)
        if callbacks and asyncio.current_task(self._loop) is None:
            callback, context = callbacks[0]
            future.remove_done_callback(callback)
            future.set_result(None)
            context.run(callback, future)
        else:
            # It is already woken, nothing awaits it yet, or a task runs.
            self.wake_soon()

    def wake_soon(self) -> None:
        """Let the waiting task continue in the next iteration of the event loop."""
        if self.future is not None and not self.future.done():
            self.future.set_result(None)
