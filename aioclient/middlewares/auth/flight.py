"""One task that is shared by all callers that need its result at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from ...exceptions import copy_of

T = TypeVar("T")


class Flight(Generic[T]):
    """A task that goes on as long as somebody waits for it, whoever began it.

    Cancelling one waiter does not affect the others. When the last one is cancelled, the task is cancelled too, and
    awaited, so that it can clean up.
    """

    __slots__ = ("_task", "_waiting")

    def __init__(self) -> None:
        self._task: asyncio.Task[T] | None = None
        self._waiting = 0

    async def join(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return or raise the result of the task that is running; if there is none, *begin* starts it.

        Each waiter gets an exception of its own.
        """
        while True:
            task = self._task
            if task is not None and task is asyncio.current_task():
                raise RuntimeError(
                    "what renews credentials makes a request with these same credentials, and would wait for itself; "
                    "give that request auth=aioclient.NO_AUTH"
                )
            if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
                self._task = task = asyncio.create_task(begin())
                self._waiting = 0
                break
            if self._waiting:
                break
            await asyncio.wait((task,))  # it was cancelled, and is about to end
        self._waiting += 1
        try:
            await asyncio.wait((task,))
        finally:
            if task is self._task:
                self._waiting -= 1
                if not self._waiting:
                    await _ended(task)
        if self._waiting and not task.cancelled() and (error := task.exception()) is not None:
            raise copy_of(error)
        return task.result()


async def _ended(task: "asyncio.Task[Any]") -> None:
    """Cancel *task* if it is not done, and wait for its end."""
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()  # perhaps nobody is left to get the exception
