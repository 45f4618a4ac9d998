"""End what hangs, and say where it hung."""

import asyncio
import threading
from collections.abc import Awaitable
from typing import Any, TypeVar

from .tasks import describe_task

T = TypeVar("T")


class HangError(AssertionError):
    """Something took longer than its limit; the text shows where each task of the loop waits."""


async def within(limit: float, awaitable: Awaitable[T]) -> T:
    """Return what the awaitable returns, or fail when it takes more than `limit` real seconds.

    The limit runs on a thread of its own, so a loop with a virtual clock, or one whose timers do
    not fire, is ended too. It is a net under a test, not a timeout to test with.

    >>> import asyncio
    >>> asyncio.run(within(60, asyncio.sleep(0, "done")))
    'done'

    Raises:
        HangError: The limit passed; the awaitable was cancelled.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task(loop)
    if task is None:
        raise RuntimeError("within() was not awaited in a task")
    found: list[str] = []

    def end() -> None:
        if not task.done():
            found.extend(describe_task(each) for each in _others_last(task))
            task.cancel()

    def ring() -> None:
        try:
            loop.call_soon_threadsafe(end)
        except RuntimeError:  # the loop was closed at this very moment
            pass

    timer = threading.Timer(limit, ring)
    timer.daemon = True
    timer.start()
    try:
        return await awaitable
    except asyncio.CancelledError:
        if not found:
            raise
        task.uncancel()
        raise HangError(f"not done after {limit:g} s:\n" + "\n".join(found)) from None
    finally:
        timer.cancel()


def _others_last(task: "asyncio.Task[Any]") -> "list[asyncio.Task[Any]]":
    return [task, *(asyncio.all_tasks() - {task})]
