"""A call through all middlewares may be cancelled at any await: nothing stays behind, and the next one works."""

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from aioclient import ClientSession, Hedge, RateLimit, Retry, TCPConnector, resilience
from aioclient.testing import (
    RawConnection,
    RawServer,
    cancel_everywhere,
    no_waiting,
    turns,
)
from aioclient.testing.raw_server import Script

from ...loopback import OK, answer
from .parts import call

BUSY = answer(bytes(300_000), status="503 Busy")


def every_other_time() -> Script:
    """Return a server that is busy every other time, with a body that nobody reads."""
    count = 0

    async def serve(conn: RawConnection) -> None:
        nonlocal count
        while True:
            request = await conn.read_request()
            count += 1
            conn.send(BUSY if count % 2 and request.target == "/" else OK)

    return serve


@pytest.mark.both_loops
@pytest.mark.parametrize("waiting", [True, False], ids=["waits", "no waiting"])
@pytest.mark.parametrize("pool", [0, 1], ids=["many connections", "one connection"])
async def test_all_of_them(pool: int, waiting: bool) -> None:
    """Either or both of two calls that share an exchange, which is tried again, limited and hedged."""
    hedge = Hedge(after=0.0005, budget=None)
    steps: Any = resilience(
        coalesce=True,
        retry=Retry(5, backoff=0.001, budget=None),
        rate_limit=RateLimit(1e6),
        concurrency_limit=True,
        hedge=hedge,
    )
    coalesce, _, breaker, limit, adaptive, _ = steps
    connector = TCPConnector(limit=pool)

    async def check() -> None:
        await turns(20)
        assert connector.statistics().in_use == 0
        assert (adaptive.statistics().under_way, adaptive.statistics().waiting) == (0, 0)
        assert not adaptive._stays
        assert limit.statistics().waiting == 0
        assert coalesce.statistics().under_way == 0
        assert not hedge._tasks
        assert not coalesce._tasks
        breaker.reset()
        adaptive.reset()

    async with (
        RawServer(every_other_time()) as server,
        ClientSession(connector=connector, middlewares=steps) as session,
    ):
        # Second requests make it a matter of chance who gets which answer.
        possible = {200, 503} if waiting else {200}

        async def run(who: tuple[int, ...], moment: int) -> bool:
            """Cancel *who* of two calls after so many iterations of the loop; tell whether both had ended before."""
            tasks = [asyncio.create_task(call(session, server.url(), timeout=30)) for _ in range(2)]
            await turns(moment)
            ended = all(task.done() for task in tasks)
            for number in who:
                tasks[number].cancel()
            await asyncio.wait(tasks)
            for number, task in enumerate(tasks):
                assert (task.cancelled() and number in who) or task.result() in possible
            await check()
            return ended

        with nullcontext() if waiting else no_waiting():
            for who in ((0,), (1,), (0, 1)):
                moment = 0
                while not await run(who, moment):
                    moment += 1
                assert moment > 5
        async with session.get(server.url("/ok")) as response:
            assert response.status == 200


@pytest.mark.both_loops
@pytest.mark.parametrize("kind", ["retry", "body"])
async def test_a_call_by_itself(kind: str) -> None:
    """The task of the call is the one that is cancelled, in the middlewares themselves."""
    retry = Retry(5, backoff=0, budget=None, timeout=20, read_body=kind == "body")
    steps: Any = resilience(retry=retry, rate_limit=RateLimit(1e6), concurrency_limit=True)
    _, breaker, limit, adaptive = steps
    connector = TCPConnector(limit=1)

    async def check() -> None:
        await turns(20)
        assert connector.statistics().in_use == 0
        assert (adaptive.statistics().under_way, limit.statistics().waiting) == (0, 0)
        breaker.reset()
        adaptive.reset()

    async with (
        RawServer(every_other_time()) as server,
        ClientSession(connector=connector, middlewares=steps) as session,
    ):

        async def scenario() -> None:
            async with session.get(server.url()) as response:
                assert response.status == 200

        points = await cancel_everywhere(scenario, check, leaks=False)
        assert points > 3
