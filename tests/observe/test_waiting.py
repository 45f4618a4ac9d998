"""Callbacks that wait: for a future, a task, or another awaitable."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

import aioclient

from ..loopback import OK
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols


async def sleeps() -> None:
    await asyncio.sleep(1)
    await asyncio.sleep(1)


async def catches() -> None:
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 2)
    except TimeoutError:
        return
    raise AssertionError("it waited in vain")


async def shielded() -> None:
    await asyncio.shield(asyncio.ensure_future(asyncio.sleep(2)))


def future() -> Any:
    return asyncio.get_running_loop().create_task(asyncio.sleep(2))


@pytest.mark.virtual_clock
class TestWaiting:
    """A callback may wait as any coroutine may; the call goes on when it has ended."""

    @pytest.mark.parametrize("wait", [sleeps, catches, shielded, future])
    async def test_until_it_ends(self, wait: Callable[[], Any]) -> None:
        """The call lasts as long as its callback, which runs in the task of the call."""
        config = aiohttp.TraceConfig()
        task = asyncio.current_task()
        seen: list[Any] = []

        def callback(session: Any, context: Any, params: Any) -> Any:
            seen.append(asyncio.current_task())
            return wait()

        config.on_request_headers_sent.append(callback)
        loop = asyncio.get_running_loop()
        async with (
            RawServer.replies([OK]) as server,
            aioclient.ClientSession(server.url(), trace_configs=[config]) as session,
        ):
            begin = loop.time()
            async with session.get("/") as response:
                assert await response.read() == b"ok"
            assert loop.time() == begin + 2
        assert seen == [task]

    async def test_cancelled(self) -> None:
        """Who is cancelled while a callback waits cancels the callback, and holds nothing afterwards."""
        config = aiohttp.TraceConfig()
        ends: list[str] = []

        async def callback(session: Any, context: Any, params: Any) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ends.append("cancelled")
                raise

        config.on_request_headers_sent.append(callback)
        async with (
            RawServer.replies([OK]) as server,
            aioclient.ClientSession(server.url(), trace_configs=[config]) as session,
        ):
            task = asyncio.ensure_future(session.get("/"))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert ends == ["cancelled"]
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    async def test_its_own_timeout(self) -> None:
        """A timeout of the callback's own is its own error, not the call's."""
        config = aiohttp.TraceConfig()

        async def callback(session: Any, context: Any, params: Any) -> None:
            await asyncio.wait_for(asyncio.Event().wait(), 1)

        config.on_request_headers_sent.append(callback)
        async with (
            RawServer.replies([OK]) as server,
            aioclient.ClientSession(server.url(), trace_configs=[config]) as session,
        ):
            with pytest.raises(TimeoutError) as caught:
                await session.get("/")
            assert not isinstance(caught.value, aioclient.ClientError)

    async def test_another_list(self) -> None:
        """A list that was put into the session in place of its own counts, as OpenTelemetry does it."""
        config, heard = aiohttp.TraceConfig(), []

        async def callback(session: Any, context: Any, params: Any) -> None:
            heard.append(params)

        config.on_request_end.append(callback)
        async with (
            RawServer.replies([OK], repeat=True) as server,
            aioclient.ClientSession(server.url(), trace_configs=[config]) as session,
        ):
            for configs in ([], [config]):
                session._trace_configs = configs
                async with session.get("/"):
                    assert len(heard) == len(configs)
