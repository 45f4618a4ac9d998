"""The leak check sees whatever is left behind, and nothing else."""

import asyncio
import gc
import socket
import sys
import types
import warnings
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import uvloop

from aioclient.testing import LeakError, LeakWatch, RawServer, Snapshot, no_leaks, turns, within

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    return uvloop.new_event_loop if request.param == "uvloop" else asyncio.SelectorEventLoop


def watched(
    test: Coroutine[Any, Any, object], loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> list[str]:
    """Run as the tests are run; return what was found left behind."""
    try:
        with LeakWatch() as watch, asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(within(10, watch.run(test)))
    except LeakError as exc:
        return exc.problems
    return []


class TestLeakWatch:
    def test_finds_nothing(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """A connection closed at the last moment is no leak."""

        async def test() -> None:
            async with RawServer.replies([NO_CONTENT]) as server:
                _, writer = await asyncio.open_connection(server.host, server.port)
                writer.close()

        assert watched(test(), loop_factory) == []

    def test_task(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """A pending task is found, with the place where it waits."""

        async def forgotten() -> None:
            await asyncio.Event().wait()

        async def test() -> None:
            asyncio.create_task(forgotten(), name="lost")  # noqa: RUF006

        (problem,) = watched(test(), loop_factory)
        assert problem.startswith("task 'lost'") and "forgotten" in problem
        assert "locks.py" in problem.splitlines()[-2]

    def test_transport(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """An open transport is found by its socket."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

            async def test() -> None:
                loop = asyncio.get_running_loop()
                await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)

            problems = watched(test(), loop_factory)
            assert f"connected to ('127.0.0.1', {port})" in problems[0]

    def test_socket(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """An open socket is found, also one that something holds on to."""
        kept: list[socket.socket] = []

        async def test() -> None:
            kept.append(socket.socket())

        (problem,) = watched(test(), loop_factory)
        assert "not connected" in problem
        kept.pop().close()

    def test_collected_socket(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """A socket closed by the garbage collector is found by its ResourceWarning."""

        async def test() -> None:
            socket.socket()

        (problem,) = watched(test(), loop_factory)
        assert problem.startswith("ResourceWarning: unclosed <socket")

    def test_task_exception(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """An exception of a task that nobody retrieved is found."""

        async def fail() -> None:
            raise LookupError("nobody asks")

        async def test() -> None:
            task = asyncio.create_task(fail())
            await asyncio.wait([task])

        (problem,) = watched(test(), loop_factory)
        assert problem.startswith("Task exception was never retrieved; exception: LookupError")

    def test_future_exception(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """An exception of a future that nobody retrieved is found, in a reference cycle too."""

        async def test() -> None:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(LookupError("nobody asks"))
            future.cycle = [future]  # type: ignore[attr-defined]

        (problem,) = watched(test(), loop_factory)
        assert problem.startswith("Future exception was never retrieved; exception: LookupError")

    def test_callback_exception(
        self, loop_factory: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        """An exception in a callback is found."""

        async def test() -> None:
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await turns()

        (problem,) = watched(test(), loop_factory)
        assert "ZeroDivisionError" in problem

    def test_never_awaited(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """A coroutine that was never awaited is found."""

        async def test() -> None:
            turns()  # type: ignore[unused-coroutine]

        (problem,) = watched(test(), loop_factory)
        assert problem == "RuntimeWarning: coroutine 'turns' was never awaited"

    def test_all_at_once(self, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """Everything found is in the error's text."""
        kept = []

        async def test() -> None:
            kept.append(socket.socket())
            asyncio.create_task(asyncio.Event().wait())  # noqa: RUF006

        problems = watched(test(), loop_factory)
        text = str(LeakError(problems))
        assert text.startswith("2 leaks:\n- task") and "\n- socket" in text
        kept.pop().close()

    def test_pool_slot(
        self,
        loop_factory: Callable[[], asyncio.AbstractEventLoop],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A slot in use in a connector made during the test is found, an older one's is not."""
        Connector.live = weakref.WeakSet()
        module = types.ModuleType("aioclient.connectors.base")
        module.live_connectors = Connector.live  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "aioclient.connectors.base", module)
        kept = [Connector(Statistics(1, 0))]

        async def test() -> None:
            kept.append(Connector(Statistics(0, 0)))
            kept.append(Connector(Statistics(2, 1)))

        assert watched(test(), loop_factory) == ["<Connector>: 2 slots in use, 1 waiting"]

    def test_says_nothing_about_a_failed_test(self) -> None:
        """An error in the block comes out as it is."""
        with pytest.raises(KeyError), LeakWatch() as watch, asyncio.Runner() as runner:
            runner.run(watch.run(fail_with_socket()))
        gc.collect()

    def test_passes_other_warnings_on(self) -> None:
        """A warning that is none of ours is there after the block, an error stays an error."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with LeakWatch():
                warnings.warn("old", DeprecationWarning, stacklevel=1)
        assert [str(each.message) for each in caught] == ["old"]
        with pytest.raises(DeprecationWarning), LeakWatch():
            warnings.warn("old", DeprecationWarning, stacklevel=1)


@dataclass
class Statistics:
    in_use: int
    waiting: int


class Connector:
    """What the check asks of a connector."""

    live: ClassVar["weakref.WeakSet[Connector]"] = weakref.WeakSet()

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics
        self.live.add(self)

    def statistics(self) -> Statistics:
        return self._statistics

    def __repr__(self) -> str:
        return "<Connector>"


async def fail_with_socket() -> None:
    asyncio.create_task(asyncio.Event().wait())  # noqa: RUF006
    raise KeyError


class TestNoLeaks:
    async def test_within_a_loop(self) -> None:
        """A part of a test can be checked on its own; what was there before does not count."""
        before = asyncio.create_task(asyncio.Event().wait())
        async with no_leaks():
            await turns()
        with pytest.raises(LeakError, match="1 leak:\n- task 'lost'"):
            async with no_leaks():
                after = asyncio.create_task(asyncio.Event().wait(), name="lost")
        for task in (before, after):
            task.cancel()
        await asyncio.wait([before, after])

    async def test_restores_the_exception_handler(self) -> None:
        """The loop's exception handler is as before."""
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        async with no_leaks():
            assert loop.get_exception_handler() != before
        assert loop.get_exception_handler() == before


class TestSnapshot:
    async def test_waits_for_what_is_closing(self) -> None:
        """What goes within some rounds of the loop is no problem."""
        before = Snapshot()
        task = asyncio.create_task(turns(20))
        assert len(before.problems()) == 1
        assert await before.settle() == []
        assert task.done()
