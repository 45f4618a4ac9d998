"""Awaits callbacks. Most of them do not wait, and a timer would cost more than they do."""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any

from ..exceptions import TotalTimeoutError
from ..message.request import Request


async def await_callback(request: Request, awaitable: Awaitable[object]) -> None:
    """Await *awaitable* within the total limit of the call.

    Raises:
        TotalTimeoutError: it did not end in time, and was cancelled.
    """
    steps = awaitable.__await__()
    try:
        waited_for = next(steps)
    except StopIteration:
        return
    await await_rest(request, steps, waited_for)


async def await_rest(
    request: Request, steps: Generator[Any, Any, object], waited_for: object
) -> None:
    """Await the rest of an awaitable, within the total limit of the call.

    *steps* is the result of its ``__await__()``, and *waited_for* the result of the first step.

    Raises:
        TotalTimeoutError: it did not end in time, and was cancelled.
    """
    limit = asyncio.timeout_at(request.deadline)
    try:
        async with limit:
            await _Begun(steps, waited_for)
    except TimeoutError as error:
        if limit.expired() and not isinstance(error, TotalTimeoutError):
            raise TotalTimeoutError(
                request.method,
                request.url,
                request.timeout.total,
                "a callback of a trace config did not end",
            ) from error
        raise


class _Begun:
    """The rest of an awaitable after its first step, which waits for *waited_for*."""

    __slots__ = ("_steps", "_waited_for")

    def __init__(self, steps: Generator[Any, Any, object], waited_for: object) -> None:
        self._steps = steps
        self._waited_for = waited_for

    def __await__(self) -> Generator[Any, Any, None]:
        steps, waited_for = self._steps, self._waited_for
        try:
            while True:
                try:
                    yield waited_for
                except BaseException as error:  # noqa: BLE001  (whatever it is, it is for the awaitable)
                    waited_for = steps.throw(error)
                else:
                    waited_for = next(steps)
        except StopIteration:
            return
