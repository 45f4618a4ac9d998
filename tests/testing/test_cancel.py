"""The harness cancels at each await, at both moments, and tells where a cancellation went wrong."""

import asyncio
import socket
from collections.abc import Sequence

import pytest

from aioclient.testing import CancelError, RawConnection, RawServer, cancel_everywhere
from aioclient.testing.cancel import Moment

pytestmark = pytest.mark.both_loops


class TestReach:
    async def test_every_await(self) -> None:
        """Each suspension is a point, in nested coroutines too; an await that goes on is none."""
        ends: list[str] = []

        async def inner(name: str) -> None:
            await asyncio.sleep(0)
            ends.append(name)

        async def scenario() -> str:
            await inner("a")
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            await done
            await inner("b")
            await asyncio.sleep(0.000_001)
            return "".join(ends)

        assert await cancel_everywhere(scenario, moments=["suspended"]) == 3
        assert ends == [*"", *"a", *"ab", *"ab"]

    @pytest.mark.parametrize(
        "moment, outcome", [("suspended", ["cancelled"]), ("resumed", ["done"])]
    )
    async def test_moments(self, moment: Moment, outcome: list[str]) -> None:
        """Suspended: the awaited future is cancelled. Resumed: it is done, its result is lost."""
        seen: list[str] = []

        async def scenario() -> None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def finish() -> None:
                if not future.done():
                    future.set_result(None)

            asyncio.get_running_loop().call_soon(finish)
            try:
                await future
            except asyncio.CancelledError:
                seen.append("cancelled" if future.cancelled() else "done")
                raise

        assert await cancel_everywhere(scenario, moments=[moment]) == 1
        assert seen == outcome

    @pytest.mark.parametrize("moments", [["suspended"], ["resumed"], ["soon"]])
    async def test_real_traffic(self, moments: Sequence[Moment]) -> None:
        """A request over a socket is cancelled at connecting, at each read and at closing."""
        checks = 0

        def check() -> None:
            nonlocal checks
            checks += 1

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"1")
            await conn.read_request()
            conn.send(b"2")

        async def scenario() -> None:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            try:
                for expected in (b"1", b"2"):
                    writer.write(b"GET / HTTP/1.1\r\n\r\n")
                    assert await reader.readexactly(1) == expected
            finally:
                writer.transport.abort()

        async with RawServer(script) as server:
            points = await cancel_everywhere(scenario, check, moments=moments)
        assert points >= 3
        assert checks == points + 1

    async def test_timeouts_stay_themselves(self) -> None:
        """A cancellation inside `asyncio.timeout()` is not taken for its expiry."""

        async def scenario() -> None:
            async with asyncio.timeout(60):
                await asyncio.sleep(0)

        assert await cancel_everywhere(scenario, moments=["suspended", "resumed", "soon"]) == 1


class TestFailures:
    async def test_swallowed(self) -> None:
        """A scenario that goes on after its cancellation fails, and the await is named."""

        async def scenario() -> str:
            await asyncio.sleep(0)
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                return "went on"
            return "done"

        with pytest.raises(CancelError, match=r"cancelled at await 2 .*'went on'"):
            await cancel_everywhere(scenario)

    async def test_translated(self) -> None:
        """Another error in place of the cancellation fails, with that error as the cause."""

        async def scenario() -> None:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                raise LookupError("closed") from None

        with pytest.raises(CancelError, match=r"await 1 .*raised LookupError\('closed'\)") as info:
            await cancel_everywhere(scenario)
        assert isinstance(info.value.__cause__, LookupError)

    async def test_leak(self) -> None:
        """A result lost between its being done and its being seen is a leak, and the place told."""
        opened: list[socket.socket] = []

        async def acquire() -> socket.socket:
            future: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()

            def open_one() -> None:
                if not future.done():
                    opened.append(socket.socket())
                    future.set_result(opened[-1])

            asyncio.get_running_loop().call_soon(open_one)
            return await future

        async def scenario() -> None:
            (await acquire()).close()

        assert await cancel_everywhere(scenario, moments=["suspended"]) == 1
        with pytest.raises(CancelError, match=r"await 1 .*acquire, resumed\): left behind\nsocket"):
            await cancel_everywhere(scenario)
        assert await cancel_everywhere(scenario, leaks=False) == 1
        for each in opened:
            each.close()

    async def test_left_task(self) -> None:
        """A task that outlives its cancelled parent is a leak."""
        children: list[asyncio.Task[bool]] = []

        async def scenario() -> None:
            children.append(asyncio.create_task(asyncio.Event().wait()))
            await asyncio.sleep(0)
            children[-1].cancel()

        with pytest.raises(CancelError, match="left behind\ntask"):
            await cancel_everywhere(scenario)
        children[-1].cancel()
        await asyncio.wait(children[-1:])

    async def test_check(self) -> None:
        """A failing check, sync or async, is told with the await, itself the cause."""

        async def scenario() -> None:
            await asyncio.sleep(0)

        async def check() -> None:
            await asyncio.sleep(0)
            raise LookupError("slot in use")

        with pytest.raises(CancelError, match=r"await 1 .*the check failed.*slot") as info:
            await cancel_everywhere(scenario, check)
        assert isinstance(info.value.__cause__, LookupError)

    async def test_a_failing_scenario(self) -> None:
        """An error of the uncancelled run comes out as it is."""

        async def scenario() -> None:
            await asyncio.sleep(0)
            raise LookupError

        with pytest.raises(LookupError):
            await cancel_everywhere(scenario)

    async def test_can_be_cancelled_itself(self) -> None:
        """Cancelling the harness ends the scenario with it."""
        begun = asyncio.Event()
        runs = 0

        async def scenario() -> None:
            nonlocal runs
            runs += 1
            if runs > 1:
                begun.set()
            await asyncio.sleep(0)
            await asyncio.Event().wait()

        harness = asyncio.create_task(cancel_everywhere(scenario, moments=["resumed"]))
        await begun.wait()
        harness.cancel()
        await asyncio.wait([harness])
        assert harness.cancelled()
