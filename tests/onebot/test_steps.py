"""Coroutines that are started, and awaited only if they wait: their results, errors, cancellations and contexts."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from aioclient.onebot.implementation.steps import rest_of

pytestmark = pytest.mark.both_loops

VALUE: ContextVar[str] = ContextVar("VALUE", default="outer")


def start(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what *coroutine* waits for first."""
    return coroutine.send(None)


class TestRest:
    async def test_its_result(self) -> None:
        """It goes on after each wait, with what it waited for."""
        futures = [asyncio.get_running_loop().create_future() for _ in range(3)]

        async def add() -> int:
            await asyncio.sleep(0)
            return sum([await future for future in futures])

        adding = add()
        waits_for = start(adding)
        for number, future in enumerate(futures, start=1):
            asyncio.get_running_loop().call_soon(future.set_result, number)
        assert await rest_of(adding, waits_for) == 6

    async def test_its_error(self) -> None:
        """What it raises, and what that which it waits for raises, comes out."""

        async def fail() -> None:
            await asyncio.sleep(0)
            raise LookupError("on its own")

        failing = fail()
        waits_for = start(failing)
        with pytest.raises(LookupError, match="on its own"):
            await rest_of(failing, waits_for)

        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def wait() -> None:
            await future

        waiting = wait()
        waits_for = start(waiting)
        future.set_exception(LookupError("of the future"))
        with pytest.raises(LookupError, match="of the future"):
            await rest_of(waiting, waits_for)

    async def test_a_cancellation(self) -> None:
        """It reaches the coroutine where it waits, which may wait again, or go on."""
        seen = []
        started = asyncio.Event()

        async def stubborn() -> str:
            for _ in range(2):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    seen.append("cancelled")
                    await asyncio.sleep(0)
            return "done"

        async def main() -> str:
            running = stubborn()
            waits_for = start(running)
            started.set()
            return await rest_of(running, waits_for)

        task = asyncio.create_task(main())
        await started.wait()
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert await task == "done"
        assert seen == ["cancelled", "cancelled"]

    async def test_its_end(self) -> None:
        """When what awaits it is closed, it is closed."""
        ends = []

        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ends.append("end")

        waiting = wait()
        rest: Any = rest_of(waiting, start(waiting))
        rest.send(None)
        rest.close()
        assert ends == ["end"]

    async def test_its_context(self) -> None:
        """All of its steps have the context of the first one."""

        async def change() -> list[str]:
            VALUE.set("inner")
            seen = []
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(VALUE.get())
            return seen

        context = copy_context()
        changing = change()
        waits_for = context.run(start, changing)
        assert await rest_of(changing, waits_for, context.run) == ["inner"] * 3
        assert VALUE.get() == "outer"
