"""Coroutines that are run up to where they have to wait.

Most handlers wait for nothing. What is only needed while one waits, such as a time limit or a task of its own, is made
when it does: run it with ``coroutine.send(None)``, which raises StopIteration with the result, or returns what it waits
for; in that case await ``rest_of()`` in the same task. In another task only if nothing else waits for the same future,
and the coroutine does not ask for its task.
"""

from collections.abc import Callable, Coroutine, Generator
from types import coroutine as awaitable
from typing import Any, TypeVar

T = TypeVar("T")


@awaitable
def rest_of(
    started: Coroutine[Any, Any, T],
    waits_for: Any,
    run: Callable[[Callable[[Any], Any], Any], Any] | None = None,
) -> Generator[Any, Any, T]:
    """Go on with a coroutine that was started, and return its result.

    Args:
        waits_for: what its first step returned.
        run: calls a function, its first argument, with the second: ``context.run`` of the first step's context.
    """
    step: Callable[[Any], Any]
    argument: Any
    while True:
        try:
            step, argument = started.send, (yield waits_for)
        except BaseException as error:  # noqa: BLE001  (the coroutine gets it)
            step, argument = started.throw, error
        waits_for = None
        try:
            waits_for = step(argument) if run is None else run(step, argument)
        except StopIteration as ended:
            result: T = ended.value
            return result
        finally:
            argument = None  # an error keeps this frame, which must keep neither it nor its future
