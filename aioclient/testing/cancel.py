"""Cancel a scenario at each of its awaits in turn, and check what it leaves behind.

    async def scenario() -> None:
        async with aioclient.ClientSession() as session, session.get(server.url()) as response:
            await response.read()

    points = await cancel_everywhere(scenario)

A cancellation can reach a task at two moments of a suspension, and clean-up code that is right for
one of them may be wrong for the other:

- `"suspended"`: while the thing awaited is not done. It is cancelled with the task.
- `"resumed"`: after it is done and before the task has seen it. The result (a socket, a pool slot)
  is lost in between, unless the code takes care of it.

A third one, `"soon"`, is in between: in the next iteration of the loop, whatever happens there first.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Literal, TypeAlias

from .leaks import Snapshot
from .tasks import await_chain

Moment: TypeAlias = Literal["suspended", "resumed", "soon"]
Scenario: TypeAlias = Callable[[], Awaitable[object]]
Check: TypeAlias = Callable[[], Awaitable[object] | object]

BOTH_MOMENTS: tuple[Moment, ...] = ("suspended", "resumed")

# A scenario of more awaits than this does not end, or is too long to be run once for each of them.
MOST_POINTS = 10_000


class CancelError(AssertionError):
    """A scenario did not take a cancellation well; the text says at which await."""


class _Interrupted:
    """Awaits a scenario, counts its suspensions and cancels the task at the wanted one."""

    def __init__(self, scenario: Awaitable[object], point: int, moment: Moment) -> None:
        self.reached = 0
        self.place = "?"
        self._scenario = scenario
        self._point = point
        self._moment = moment

    def __await__(self) -> Generator[Any, Any, object]:
        inner = self._scenario.__await__()
        step: Callable[[], Any] = inner.__next__
        while True:
            try:
                awaited = step()
            except StopIteration as stop:
                return stop.value
            self.reached += 1
            if self.reached == self._point:
                self.place = (await_chain(self._scenario) or ["?"])[-1]
                self._cancel(awaited)
            try:
                value = yield awaited
            except BaseException as exc:  # noqa: BLE001  # whatever was thrown in goes on inside
                step = _thrower(inner, exc)
            else:
                step = _sender(inner, value)

    def _cancel(self, awaited: object) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a scenario runs in a task")
        if self._moment == "suspended":
            task.cancel()
        elif self._moment == "resumed" and asyncio.isfuture(awaited):
            # Called before the task's own callback, which is added after this step.
            awaited.add_done_callback(lambda _: task.cancel())
        else:
            asyncio.get_running_loop().call_soon(task.cancel)


def _thrower(inner: Generator[Any, Any, Any], exc: BaseException) -> Callable[[], Any]:
    return lambda: inner.throw(exc)


def _sender(inner: Generator[Any, Any, Any], value: object) -> Callable[[], Any]:
    return lambda: inner.send(value)


async def cancel_everywhere(
    scenario: Scenario,
    check: Check | None = None,
    *,
    moments: Sequence[Moment] = BOTH_MOMENTS,
    leaks: bool = True,
) -> int:
    """Run the scenario again and again, cancelled at its first await, then its second, and so on.

    Ends with the run that completes because it has no further await, and returns how many awaits
    there were. An await that does not suspend the task is no point: no cancellation can arrive.

    Args:
        scenario: Called for each run; returns the coroutine to run in a task of its own.
        check: Called, and awaited when it is a coroutine function, after each run.
        moments: When in a suspension to cancel; all points are gone through for each moment.
        leaks: Check after each run that sockets, tasks and pool slots are as before. Turn it off
            for a scenario that leaves an open connection in a pool on purpose.

    Raises:
        CancelError: A cancelled run ended in another way than by CancelledError, or leaked, or
            `check` failed after it (its error is the cause).

    >>> import asyncio
    >>> async def scenario() -> None:
    ...     await asyncio.sleep(0)
    ...     await asyncio.sleep(0)
    >>> asyncio.run(cancel_everywhere(scenario))
    2
    """
    points = 0
    for moment in moments:
        for point in range(1, MOST_POINTS):
            if not await _run_once(scenario, check, point, moment, leaks):
                points = max(points, point - 1)
                break
        else:
            raise CancelError(f"the scenario has {MOST_POINTS} awaits or more")
    return points


async def _run_once(
    scenario: Scenario, check: Check | None, point: int, moment: Moment, leaks: bool
) -> bool:
    """Run once, cancelled at the point. Return False when the run ended before it."""
    before = Snapshot()
    interrupted = _Interrupted(scenario(), point, moment)
    task = asyncio.create_task(_drive(interrupted), name=f"cancelled at await {point}")
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()  # has an effect only if this function's own task was cancelled
    cancelled = interrupted.reached >= point
    if not cancelled:
        where = "not cancelled"
        task.result()
    else:
        where = f"cancelled at await {point} ({interrupted.place}, {moment})"
        if not task.cancelled():
            raise CancelError(f"{where}: {_ending(task)}") from task.exception()
    del task
    if leaks and (problems := await before.settle()):
        raise CancelError(f"{where}: left behind\n" + "\n".join(problems))
    if check is not None:
        try:
            checked = check()
            if inspect.isawaitable(checked):
                await checked
        except Exception as exc:
            raise CancelError(f"{where}: the check failed: {exc!r}") from exc
    return cancelled


async def _drive(interrupted: _Interrupted) -> object:
    return await interrupted


def _ending(task: "asyncio.Task[object]") -> str:
    if (exc := task.exception()) is not None:
        return f"it raised {exc!r}, expected CancelledError"
    return f"it went on and returned {task.result()!r}, expected CancelledError"
