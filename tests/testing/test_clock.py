"""Timers of the virtual clock fire at once and in order; sockets and threads are real."""

import asyncio
import time

import pytest

from aioclient.testing import (
    RawConnection,
    RawServer,
    VirtualClockLoop,
    run_virtual,
    silent_port,
    turns,
)

pytestmark = pytest.mark.virtual_clock


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_jumps() -> None:
    """A day passes at once, to the microsecond."""
    begin = now()
    await asyncio.sleep(86400.000001)
    assert now() - begin == pytest.approx(86400.000001, abs=1e-6)


async def test_timers_fire_in_order() -> None:
    """Timers fire in the order of their times, each at its time."""
    begin = now()
    seen: list[tuple[str, float]] = []

    async def after(name: str, delay: float) -> None:
        await asyncio.sleep(delay)
        seen.append((name, round(now() - begin, 9)))

    async with asyncio.TaskGroup() as group:
        group.create_task(after("c", 3600))
        group.create_task(after("a", 0.5))
        group.create_task(after("b", 60))
    assert seen == [("a", 0.5), ("b", 60), ("c", 3600)]


async def test_stands_still() -> None:
    """No time passes while callbacks run."""
    begin = now()
    for _ in range(100):
        await asyncio.sleep(0)
    assert now() == begin


async def test_traffic_takes_no_time() -> None:
    """Bytes between sockets of the loop arrive before any timer fires."""

    async def script(conn: RawConnection) -> None:
        await conn.send_slowly(b"x" * 100)
        conn.send(b"y" * 5_000_000)

    begin = now()
    async with RawServer(script) as server, asyncio.timeout(0.001):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        assert len(await reader.read()) == 5_000_100
        writer.close()
        await writer.wait_closed()
    assert now() == begin


async def test_a_silent_server() -> None:
    """A timeout on a server that says nothing ends after its time, and no real time."""

    async def script(conn: RawConnection) -> None:
        await conn.closed()

    begin = now()
    async with RawServer(script) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(300):
                await reader.read()
        writer.close()
        await writer.wait_closed()
    assert now() - begin == pytest.approx(300)


async def test_a_silent_port() -> None:
    """So does one on a connection that is not accepted."""
    begin = now()
    with silent_port() as port, pytest.raises(TimeoutError):
        async with asyncio.timeout(30):
            await asyncio.open_connection("127.0.0.1", port)
    assert now() - begin == pytest.approx(30)


async def test_waits_for_threads() -> None:
    """No timer fires while a function runs in an executor, however long it takes."""
    begin = now()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(0.001):
        await asyncio.to_thread(sum, range(2_000_000))
        assert (await loop.getaddrinfo("127.0.0.1", 80))[0][4] == ("127.0.0.1", 80)
    assert now() == begin


async def test_advance() -> None:
    """The clock can be set forward by hand: what is due fires in the next round."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    fired: list[int] = []
    loop.call_later(10, fired.append, 1)
    loop.call_later(20, fired.append, 2)
    loop.advance(9)
    await turns()
    assert fired == []
    loop.advance(1)
    await turns()
    assert fired == [1]
    with pytest.raises(ValueError, match="forward only"):
        loop.advance(-1)


class TestRunVirtual:
    def test_returns(self) -> None:
        """`run_virtual` returns what the coroutine returns, after its time and in no time."""
        real = time.monotonic()
        assert run_virtual(asyncio.sleep(10**6, "done")) == "done"
        assert time.monotonic() - real < 10**6

    def test_closes_the_executor_whatever_is_scheduled(self) -> None:
        """Threads are joined at the end without the clock running past the limit for it."""

        async def main() -> None:
            asyncio.get_running_loop().call_later(1, int)
            await asyncio.to_thread(int)

        run_virtual(main())

    def test_is_no_epoch(self) -> None:
        """The clock does not start at 0, which code might take for no time."""

        async def main() -> float:
            return now()

        assert run_virtual(main()) > 0
