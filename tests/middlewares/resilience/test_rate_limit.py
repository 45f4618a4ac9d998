"""Requests that are held back, in time that jumps; and on real sockets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import aioclient
from aioclient import ClientResponse, ClientSession, Handler, RateLimit, Request, Retry
from aioclient.testing import no_waiting

from ...loopback import answer
from ...servers.either import RawServer
from .parts import URL, End, after, call, calls, kinds

pytestmark = pytest.mark.virtual_clock


def now() -> float:
    return asyncio.get_running_loop().time()


def since(began: float, times: list[float]) -> list[float]:
    return [round(at - began, 6) for at in times]


class TestWaiting:
    async def test_one_after_the_other(self) -> None:
        """A burst goes at once, the others follow at the rate, in the order in which they came."""
        end, limit = End(), RateLimit(2)
        async with ClientSession(middlewares=[limit, end]) as session:
            began = now()
            paths = [f"{URL}{number}" for number in range(6)]
            await asyncio.gather(*(call(session, path) for path in paths))
        assert since(began, end.times) == [0, 0, 0.5, 1.0, 1.5, 2.0]
        assert end.urls == paths
        assert limit.statistics() == aioclient.RateLimitStatistics(6, 4, 0, 0)

    async def test_a_sliding_window(self) -> None:
        """No window has more than the rate."""
        end = End()
        steps = [RateLimit(3, per=10, algorithm="sliding_window"), end]
        async with ClientSession(middlewares=steps) as session:
            began = now()
            await calls(session, 7)
        assert since(began, end.times) == [0, 0, 0, 10, 10, 10, 20]

    @pytest.mark.parametrize(
        ("by", "expected"),
        [("origin", [0, 0, 0, 1]), ("host", [0, 0, 1, 2]), (lambda request: "", [0, 1, 2, 3])],
    )
    async def test_keys(self, by: Any, expected: list[float]) -> None:
        """Each origin, host, or key has a limit of its own."""
        end = End()
        async with ClientSession(middlewares=[RateLimit(1, by=by), end]) as session:
            began = now()
            urls = ["http://a.example/", "https://a.example/", "http://b.example/", URL]
            await asyncio.gather(*(call(session, url) for url in urls))
        assert since(began, sorted(end.times)) == expected

    async def test_the_wait_is_no_part_of_an_attempt(self) -> None:
        """The limit of an attempt begins when it may go."""
        end = End(after(1.5))
        steps = [Retry(1, timeout=2), RateLimit(1, per=60), end]
        async with ClientSession(middlewares=steps) as session:
            assert kinds(await calls(session, 3)) == {"200": 3}

    async def test_the_deadline(self) -> None:
        """Who could not go before the deadline is refused at once, and takes no permit."""
        end, limit = End(), RateLimit(1, per=10)
        async with ClientSession(middlewares=[limit, end]) as session:
            began = now()
            results = await calls(session, 3, timeout=15)
            assert kinds(results) == {"200": 2, "RateLimitedError": 1}
            (error,) = [each for each in results if isinstance(each, Exception)]
            assert isinstance(error, aioclient.RateLimitedError)
            assert error.seconds == pytest.approx(20)
            assert error.until is not None
            assert "1 requests in 10 s to http://a.example" in str(error)
            assert now() - began == pytest.approx(10)
            assert await call(session) == 200
        assert since(began, end.times) == [0, 10, 20]
        assert limit.statistics().refused == 1

    async def test_the_longest_wait(self) -> None:
        """max_wait= is a bound of its own; 0 waits for nothing."""
        async with ClientSession(middlewares=[RateLimit(2, max_wait=0), End()]) as session:
            assert kinds(await calls(session, 5)) == {"200": 2, "RateLimitedError": 3}

    async def test_who_leaves_gives_its_place_to_the_next(self) -> None:
        """The moment of a request that is cancelled is that of who came after it."""
        end, limit = End(), RateLimit(1)
        async with ClientSession(middlewares=[limit, end]) as session:
            began = now()
            tasks = [asyncio.create_task(call(session, f"{URL}{n}")) for n in range(4)]
            await asyncio.sleep(0.5)
            tasks[1].cancel()
            await asyncio.wait(tasks)
            later = asyncio.create_task(call(session, f"{URL}4"))
            await later
        assert since(began, end.times) == [0, 1, 2, 3]
        assert [url[-1] for url in end.urls] == ["0", "2", "3", "4"]

    async def test_who_leaves_at_its_moment(self) -> None:
        """A permit that was given to who is cancelled in that moment is the next one's."""
        end = End()
        async with ClientSession(middlewares=[RateLimit(1), end]) as session:
            began = now()
            tasks = [asyncio.create_task(call(session, f"{URL}{n}")) for n in range(3)]
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_at(began + 1, tasks[1].cancel)
            await asyncio.wait(tasks)
        assert [url[-1] for url in end.urls] == ["0", "2"]
        assert since(began, end.times) == [0, 1]

    async def test_turned_off(self) -> None:
        """The switch for tests lets pass what would wait."""
        end = End()
        with no_waiting():
            async with ClientSession(middlewares=[RateLimit(1), end]) as session:
                began = now()
                await calls(session, 5)
        assert since(began, end.times) == [0] * 5

    async def test_reset(self) -> None:
        """Those who wait go on, and the limit is as new."""
        end, limit = End(), RateLimit(1, per=100)
        async with ClientSession(middlewares=[limit, end]) as session:
            began = now()
            tasks = [asyncio.create_task(call(session)) for _ in range(3)]
            await asyncio.sleep(1)
            assert limit.statistics().waiting == 2
            limit.reset()
            await asyncio.wait(tasks)
            assert since(began, end.times) == [0, 1, 1]
            assert await call(session) == 200
        assert now() == began + 1

    async def test_many_keys(self) -> None:
        """Keys without anybody in line are forgotten: the memory is bounded."""
        limit = RateLimit(1000, by=lambda request: request.url.path)
        async with ClientSession(middlewares=[limit, End()]) as session:
            for number in range(1100):
                await call(session, f"{URL}{number}")
                await asyncio.sleep(0.1)
        assert len(limit._lines) <= 1024


class TestLearning:
    async def test_retry_after(self) -> None:
        """After a 429 nobody goes before the server's time; those who wait follow one by one."""
        changes: list[aioclient.RateLimitChange] = []
        end = End(200, (429, {"Retry-After": "30"}), 200)
        limit = RateLimit(1, on_change=changes.append)
        async with ClientSession(middlewares=[limit, end]) as session:
            began = now()
            await calls(session, 5)
        assert since(began, end.times) == [0, 1, 31, 32, 33]
        assert changes == [aioclient.RateLimitChange("blocked", "http://a.example", 30.0)]

    async def test_no_longer_than_six_hours(self) -> None:
        """A server cannot stop its clients for longer, whatever it asks for."""
        changes: list[aioclient.RateLimitChange] = []
        end = End((503, {"Retry-After": "99999999"}), 200)
        async with ClientSession(
            middlewares=[RateLimit(1, on_change=changes.append), end]
        ) as session:
            began = now()
            await calls(session, 2, timeout=1e6)
        assert since(began, end.times) == [0, 6 * 3600]
        assert changes == [aioclient.RateLimitChange("blocked", "http://a.example", 6 * 3600)]

    async def test_what_is_left(self) -> None:
        """No more go than the server says are left."""
        end = End((200, {"RateLimit": '"d";r=2;t=60'}), 200)
        async with ClientSession(middlewares=[RateLimit(100), end]) as session:
            began = now()
            await call(session)
            await calls(session, 4)
        assert since(began, end.times) == [0, 0, 0, 60, 60]

    async def test_nothing_left(self) -> None:
        """A 200 that used up the quota is a block."""
        end = End((200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "60"}), 200)
        async with ClientSession(middlewares=[RateLimit(100), end]) as session:
            began = now()
            for _ in range(2):
                await call(session)
        assert since(began, end.times) == [0, 60]

    async def test_not_asked_to(self) -> None:
        """learn=False goes by the limit alone."""
        end = End((429, {"Retry-After": "30"}))
        async with ClientSession(middlewares=[RateLimit(100, learn=False), end]) as session:
            began = now()
            for _ in range(3):
                await call(session)
        assert since(began, end.times) == [0, 0, 0]

    async def test_with_retry(self) -> None:
        """Every attempt pays, and both wait for the server together."""
        end = End((429, {"Retry-After": "30"}), 200)
        async with ClientSession(middlewares=[Retry(), RateLimit(1), end]) as session:
            began = now()
            assert await call(session) == 200
        assert since(began, end.times) == [0, 30]


class FarStore(aioclient.LimitMemory):
    """A store that takes 0.1 s for each answer."""

    async def reserve(self, key: str, rule: Any, now: float, longest: float) -> float:  # type: ignore[override]
        await asyncio.sleep(0.1)
        later = asyncio.get_running_loop().time()
        return super().reserve(key, rule, later, longest)

    async def block(self, key: str, now: float, seconds: float) -> None:  # type: ignore[override]
        await asyncio.sleep(0.1)
        raise LookupError("mine")


class TestAFarStore:
    async def test_its_delay(self) -> None:
        """A permit counts from the store's answer, however many requests were asked for before."""
        end = End()
        async with ClientSession(
            middlewares=[RateLimit(5, burst=1, store=FarStore()), end]
        ) as session:
            began = now()
            await calls(session, 6)
        assert since(began, end.times) == [0.1, 0.3, 0.5, 0.7, 0.9, 1.1]

    async def test_the_longest_wait(self) -> None:
        """Asking the store is not waiting for a permit."""
        limit = RateLimit(5, burst=3, max_wait=0, store=FarStore())
        async with ClientSession(middlewares=[limit, End()]) as session:
            assert kinds(await calls(session, 5)) == {"200": 4, "RateLimitedError": 1}
        assert limit.statistics() == aioclient.RateLimitStatistics(4, 0, 1, 0)

    @pytest.mark.parametrize("cancelled", [True, False])
    async def test_the_response_is_closed(self, cancelled: bool) -> None:
        """Nobody gets the response when the store fails, or the call is cancelled, while a block is stored."""
        made: list[ClientResponse] = []

        async def busy(request: Request, handler: Handler) -> ClientResponse:
            made.append(ClientResponse.from_parts(request, 429, {"Retry-After": "9"}, pieces()))
            return made[0]

        async def pieces() -> AsyncIterator[bytes]:
            yield b"busy"

        # Around a user's middlewares, another step would close it.
        busy.tidy = True  # type: ignore[attr-defined]
        async with ClientSession(middlewares=[RateLimit(5, store=FarStore()), busy]) as session:
            task = asyncio.ensure_future(call(session))
            await asyncio.sleep(0.15)
            if cancelled:
                task.cancel()
            await asyncio.wait([task])
        assert made[0].closed
        assert task.cancelled() if cancelled else isinstance(task.result(), LookupError)


class TestOfACall:
    async def test_left_out_or_another(self) -> None:
        """rate_limit= of a call takes the place of the session's, None leaves it out."""
        end = End()
        async with ClientSession(middlewares=[RateLimit(1), end]) as session:
            began = now()
            await calls(session, 3, rate_limit=None)
            other = RateLimit(10, burst=1)
            await calls(session, 3, rate_limit=other)
        assert since(began, end.times) == [0, 0, 0, 0, 0.1, 0.2]

    async def test_a_key_that_is_none(self) -> None:
        """A function that returns no key is a mistake."""
        steps: Any = [RateLimit(1, by=lambda request: None), End()]  # type: ignore[arg-type, return-value]
        async with ClientSession(middlewares=steps) as session:
            assert isinstance(await call(session), TypeError)


@pytest.mark.both_protocols
@pytest.mark.both_loops
async def test_a_websocket() -> None:
    """A handshake takes a permit; what goes over the open connection does not."""
    seen: list[int] = []

    async def count(request: Request, handler: Handler) -> ClientResponse:
        response = await handler(request)
        seen.append(response.status)
        return response

    limit = RateLimit(1, max_wait=0)
    async with (
        RawServer.replies([answer(status="403 No")]) as server,
        ClientSession(middlewares=[limit, count]) as session,
    ):
        with pytest.raises(aioclient.WSServerHandshakeError):
            await session.ws_connect(server.url())
        with pytest.raises(aioclient.RateLimitedError):
            await session.ws_connect(server.url())
    assert seen == [403]
