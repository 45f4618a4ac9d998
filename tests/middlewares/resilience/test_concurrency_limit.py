"""Places for requests: a fixed number of them, and one that follows the server."""

import asyncio
import gc
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclient
from aioclient import (
    AdaptiveLimit,
    ClientSession,
    ConcurrencyChange,
    ConcurrencyLimit,
    ConcurrencyStatistics,
    Retry,
)
from aioclient.middlewares.concurrency_limit.policy import AdaptiveRule, Gradient
from aioclient.testing import RawConnection, RawRequest, turns

from ...loopback import OK, answer
from ...servers.either import RawServer
from .parts import URL, End, after, call, calls, kinds


class TestGradient:
    @given(st.lists(st.tuples(st.none() | st.floats(0, 10), st.integers(1, 100)), max_size=300))
    def test_its_bounds(self, samples: list[tuple[float | None, int]]) -> None:
        """Whatever a server does, the limit stays within its bounds."""
        gradient = Gradient(AdaptiveRule(5, 2, 20))
        for seconds, under_way in samples:
            gradient.add(seconds, under_way)
            assert 2 <= gradient.limit <= 20

    def feed(self, gradient: Gradient, workers: int, windows: int, seconds: float = 0.1) -> None:
        """Let a server with so many workers answer as many requests as the limit allows, all of the time."""
        for _ in range(windows * 10):
            limit = gradient.limit
            gradient.add(seconds * max(1.0, limit / workers), limit)

    def test_it_finds_the_capacity(self) -> None:
        """It settles where the server has enough to do, and little in its queue."""
        gradient = Gradient(AdaptiveRule(10))
        self.feed(gradient, 40, 100)
        assert 40 <= gradient.limit <= 70

    def test_it_follows_a_server_that_gets_slower(self) -> None:
        """When a server has fewer workers, or needs longer, it finds what is right now."""
        gradient = Gradient(AdaptiveRule(10))
        self.feed(gradient, 40, 100)
        self.feed(gradient, 10, 200)
        assert 10 <= gradient.limit <= 25
        self.feed(gradient, 10, 400, seconds=0.5)
        assert 8 <= gradient.limit <= 25

    def test_failures(self) -> None:
        """A window with a failure takes a fifth away."""
        gradient = Gradient(AdaptiveRule(100))
        for _ in range(100):
            gradient.add(None, 100)
        assert gradient.limit == 80

    def test_what_is_not_used_does_not_grow(self) -> None:
        """A limit that nobody needs says nothing about the server."""
        gradient = Gradient(AdaptiveRule(20))
        for _ in range(400):
            gradient.add(0.1, 1)
        assert gradient.limit <= 20


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        (ConcurrencyLimit, {"limit": 0}, ValueError),
        (ConcurrencyLimit, {"limit": 1.5}, TypeError),
        (ConcurrencyLimit, {"limit": True}, TypeError),
        (ConcurrencyLimit, {"max_waiting": -1, "limit": 1}, ValueError),
        (ConcurrencyLimit, {"by": "path", "limit": 1}, ValueError),
        (ConcurrencyLimit, {"on_change": 1, "limit": 1}, TypeError),
        (AdaptiveLimit, {"initial": 0}, ValueError),
        (AdaptiveLimit, {"maximum": 5}, ValueError),
        (AdaptiveLimit, {"minimum": 0}, ValueError),
        (AdaptiveLimit, {"tolerance": 0.5}, ValueError),
        (AdaptiveLimit, {"smoothing": 0}, ValueError),
        (AdaptiveLimit, {"tolerance": "1.5"}, TypeError),
    ],
)
def test_nonsense_is_refused(kind: Any, arguments: dict[str, Any], error: type[Exception]) -> None:
    """An argument that makes no sense raises at construction, and its name is in the text."""
    with pytest.raises(error, match=next(iter(arguments))):
        kind(**arguments)


@pytest.mark.virtual_clock
class TestPlaces:
    async def test_so_many_at_a_time(self) -> None:
        """The others wait, first come, first served, and it tells when they begin to and when none does any more."""
        changes: list[ConcurrencyChange] = []
        end, limit = End(after(1)), ConcurrencyLimit(2, on_change=changes.append)
        async with ClientSession(middlewares=[limit, end]) as session:
            paths = [f"{URL}{number}" for number in range(6)]
            await asyncio.gather(*(call(session, path) for path in paths))
        assert end.most_under_way == 2
        assert end.urls == paths
        assert [change.state for change in changes] == ["queueing", "free"]
        assert limit.statistics() == ConcurrencyStatistics(6, 0, 0, 0, {"http://a.example": 2})

    async def test_a_full_queue(self) -> None:
        """One more than may wait is refused."""
        limit = ConcurrencyLimit(1, max_waiting=2)
        async with ClientSession(middlewares=[limit, End(after(1))]) as session:
            results = await calls(session, 5)
        assert kinds(results) == {"200": 3, "QueueFullError": 2}
        assert "max_waiting=2" in str(results[-1])
        assert limit.statistics().refused == 2

    async def test_errors_and_cancellation(self) -> None:
        """Who fails, or is cancelled while it has a place or waits for one, leaves nothing behind."""
        limit = ConcurrencyLimit(1)
        async with ClientSession(middlewares=[limit, End(ValueError(), after(5))]) as session:
            assert isinstance(await call(session), ValueError)
            tasks = [asyncio.create_task(call(session)) for _ in range(3)]
            await asyncio.sleep(1)
            assert (limit.statistics().under_way, limit.statistics().waiting) == (1, 2)
            tasks[0].cancel()
            tasks[1].cancel()
            await asyncio.wait(tasks)
            assert tasks[2].result() == 200
        assert (limit.statistics().under_way, limit.statistics().waiting) == (0, 0)

    async def test_cancelled_at_its_turn(self) -> None:
        """A place that was given to who is cancelled at that moment is the next one's."""
        limit = ConcurrencyLimit(1)
        async with ClientSession(middlewares=[limit, End(after(5), after(1))]) as session:
            tasks = [asyncio.create_task(call(session)) for _ in range(3)]
            await asyncio.sleep(0)
            tasks[0].add_done_callback(lambda _: tasks[1].cancel())
            await asyncio.wait(tasks)
            assert tasks[2].result() == 200
        assert limit.statistics().under_way == 0

    async def test_the_deadline(self) -> None:
        """Who waits past the deadline gets the error of the call's limit; an attempt's does not count the wait."""
        steps = [Retry(1, timeout=2), ConcurrencyLimit(1), End(after(1.5))]
        async with ClientSession(middlewares=steps) as session:
            assert kinds(await calls(session, 3)) == {"200": 3}
            results = await calls(session, 3, timeout=2.5)
        assert kinds(results) == {"200": 1, "TotalTimeoutError": 2}

    async def test_of_a_call(self) -> None:
        """concurrency_limit= of a call takes the place of the session's, of either kind."""
        end = End(after(1))
        async with ClientSession(middlewares=[ConcurrencyLimit(1), end]) as session:
            await calls(session, 3, concurrency_limit=None)
            assert end.most_under_way == 3
            end.most_under_way = 0
            await calls(session, 4, concurrency_limit=AdaptiveLimit(2))
            assert end.most_under_way == 2


async def long_body(conn: RawConnection, request: RawRequest) -> None:
    """Send the head, and the rest when it is asked for."""
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(200_000))
    conn.send(bytes(100_000))


async def half_body(conn: RawConnection, request: RawRequest) -> None:
    """Send the head and the beginning of a body."""
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\nbegin")
    await conn.wait_lost()


@pytest.mark.both_protocols
@pytest.mark.both_loops
class TestBodies:
    @pytest.mark.parametrize("how", ["read", "release", "close", "stream", "forget"])
    async def test_until_the_body_has_come(self, how: str) -> None:
        """A response keeps its place until its body is read, given up, or nobody knows it any more."""
        limit = ConcurrencyLimit(1, max_waiting=0)
        async with (
            RawServer.replies([half_body if how == "forget" else long_body, OK]) as server,
            ClientSession(middlewares=[limit]) as session,
        ):
            response = await session.get(server.url())
            with pytest.raises(aioclient.QueueFullError):
                await session.get(server.url())
            if how == "read":
                assert len(await response.read()) == 300_000
            elif how == "stream":
                assert sum([len(piece) async for piece in response.content.iter_any()]) == 300_000
            elif how == "forget":
                await turns()
                with pytest.warns(ResourceWarning):
                    del response
                    gc.collect()
            else:
                getattr(response, how)()
            assert limit.statistics().under_way == 0
            assert (await session.get(server.url())).status == 200
        assert not limit._stays

    async def test_a_retry_outside(self) -> None:
        """A response that is given up leaves its place to the next attempt."""
        busy = answer(bytes(300_000), status="503 Busy")
        limit = ConcurrencyLimit(1)
        async with (
            RawServer.replies([busy, OK]) as server,
            ClientSession(middlewares=[Retry(backoff=0), limit]) as session,
        ):
            assert (await session.get(server.url())).status == 200

    async def test_a_middleware_that_keeps_what_it_drops(self) -> None:
        """What a middleware holds unread is released when its own request has to wait for a place."""

        async def twice(request: aioclient.Request, handler: Any) -> Any:
            first = await handler(request)
            second = await handler(request)
            assert first.status == second.status
            return second

        limit = ConcurrencyLimit(1)
        # More than is read ahead: a body that has arrived keeps no place.
        body = answer(bytes(5_000_000))
        async with (
            RawServer.replies([body, body]) as server,
            ClientSession(middlewares=[twice, limit]) as session,
            session.get(server.url(), timeout=60) as response,
        ):
            assert len(await response.read()) == 5_000_000

    async def test_a_websocket(self) -> None:
        """A handshake has a place; an open WebSocket has none."""
        limit = ConcurrencyLimit(1)
        async with (
            RawServer.replies([answer(status="403 No")]) as server,
            ClientSession(middlewares=[limit]) as session,
        ):
            with pytest.raises(aioclient.WSServerHandshakeError):
                await session.ws_connect(server.url())
        assert limit.statistics().under_way == 0


@pytest.mark.virtual_clock
class TestAdaptive:
    async def test_it_follows_a_server(self) -> None:
        """With three times as many callers as the server has workers, most of them wait here and not there."""
        workers = asyncio.Semaphore(10)
        chance = random.Random(1)
        changes: list[ConcurrencyChange] = []

        async def work(request: aioclient.Request) -> int:
            async with workers:
                await asyncio.sleep(chance.uniform(0.08, 0.12))
            return 200

        limit = AdaptiveLimit(on_change=changes.append)
        async with ClientSession(middlewares=[limit, End(work)]) as session:

            async def caller() -> None:
                for _ in range(100):
                    assert await call(session) == 200

            await asyncio.gather(*(caller() for _ in range(30)))
        found = limit.statistics().limits["http://a.example"]
        assert 8 <= found <= 20
        assert {change.state for change in changes} == {"queueing", "free", "moved"}

    async def test_a_server_that_fails(self) -> None:
        """429, 503, connection errors and timeouts make it smaller; what others refuse does not."""
        for failure in (429, 503, aioclient.ServerDisconnectedError()):
            limit = AdaptiveLimit(20)
            async with ClientSession(middlewares=[limit, End(failure)]) as session:
                for _ in range(20):
                    await call(session)
            assert limit.statistics().limits == {"http://a.example": 16}
            limit.reset()
            assert limit.statistics().limits == {"http://a.example": 20}
        limit = AdaptiveLimit(20)
        refused = aioclient.CircuitOpenError("GET", "open", None, None)
        async with ClientSession(middlewares=[limit, End(refused)]) as session:
            for _ in range(20):
                await call(session)
        assert limit.statistics().limits == {"http://a.example": 20}

    async def test_no_response(self) -> None:
        """A middleware that returns something else keeps no place."""

        async def wrong(request: aioclient.Request, handler: Any) -> Any:
            return "hello"

        limit = AdaptiveLimit()
        async with ClientSession(middlewares=[limit, wrong]) as session:
            assert isinstance(await call(session), AttributeError)
        assert limit.statistics().under_way == 0

    async def test_reset_lets_in(self) -> None:
        """Requests that waited because of a small limit pass when it is forgotten."""
        limit, end = AdaptiveLimit(4), End(503)
        async with ClientSession(middlewares=[limit, end]) as session:
            for _ in range(100):
                await call(session)
            assert limit.statistics().limits == {"http://a.example": 1}
            end.answers = [after(10)]
            waiting = asyncio.create_task(calls(session, 4))
            await asyncio.sleep(1)
            assert end.under_way == 1
            limit.reset()
            await asyncio.sleep(1)
            assert end.under_way == 4
            await waiting

    async def test_timeouts_outside_of_it(self) -> None:
        """An attempt that was ended since it took too long is a failure."""
        limit = AdaptiveLimit(20)
        steps = [Retry(1, timeout=1), limit, End(after(60))]
        async with ClientSession(middlewares=steps) as session:
            await calls(session, 20)
        assert limit.statistics().limits == {"http://a.example": 16}
