"""One way of acting for senders that block and for those that are awaited: steps, and what performs them."""

import asyncio
import inspect
import time
from abc import abstractmethod
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeAlias

from .base import R_co
from .extending import ExtendingSender
from .values import Request, Response

Sleep: TypeAlias = Callable[[float], Any]
"""Waits so many seconds; an awaitable that it returns is awaited."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this; its response comes back."""

    request: Request


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Wait for this, which another call is doing."""

    future: "Future[None]"


Steps: TypeAlias = Generator[Send | Pause | WaitFor, Any, Response]


class SteppingSender(ExtendingSender[R_co]):
    """A sender whose steps are written once, as a generator."""

    _sleep: Sleep | None = None

    @abstractmethod
    def steps(self, request: Request) -> Steps:
        """Yield the steps to do; the result of each is sent in."""

    def send(self, request: Request) -> R_co:
        """Send *request*, with what this sender adds."""
        steps = self.steps(request)
        return self._perform_async(steps) if self.is_async else self._perform(steps)  # type: ignore[return-value]

    def _perform(self, steps: Steps) -> Response:
        sleep = self._sleep or time.sleep
        go, value = steps.send, None
        while True:
            try:
                step = go(value)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            go, value = steps.send, None
            try:
                if isinstance(step, Send):
                    value = self.sender.send(step.request)
                elif isinstance(step, Pause):
                    sleep(step.seconds)
                else:
                    step.future.result()
            except BaseException as error:  # noqa: BLE001  (it is raised in the steps)
                go, value = steps.throw, error  # type: ignore[assignment]

    async def _perform_async(self, steps: Steps) -> Response:
        sleep = self._sleep or asyncio.sleep
        go, value = steps.send, None
        while True:
            try:
                step = go(value)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            go, value = steps.send, None
            try:
                if isinstance(step, Send):
                    value = await self.sender.send(step.request)  # type: ignore[misc]
                elif isinstance(step, Pause):
                    result = sleep(step.seconds)
                    if inspect.isawaitable(result):
                        await result
                else:
                    await asyncio.wrap_future(step.future)
            except BaseException as error:  # noqa: BLE001  (it is raised in the steps)
                go, value = steps.throw, error
