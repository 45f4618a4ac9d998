"""A second request: when it is sent, who wins, what becomes of the loser."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclient
from aioclient import (
    ClientResponse,
    ClientSession,
    Hedge,
    Hedged,
    HedgeStatistics,
    Request,
    Retry,
    RetryBudget,
    TCPConnector,
)
from aioclient.middlewares.hedging.policy import Delays, HedgeRule
from aioclient.testing import RawConnection, RawRequest, no_waiting, turns

from ...loopback import OK, answer
from ...servers.either import RawServer
from .parts import URL, End, after, call, calls


class TestDelays:
    def test_when_enough_is_known(self) -> None:
        """Nothing is sent twice before there are 20 delays; then the 95th percentile counts."""
        delays = Delays(HedgeRule())
        for number in range(1, 20):
            delays.add(number / 100)
            assert delays.wait is None
        delays.add(0.2)
        assert delays.wait == pytest.approx(0.201)
        for _ in range(300):
            delays.add(1.0)
        assert delays.wait == pytest.approx(1.001)

    @given(st.lists(st.floats(0, 100), min_size=20, max_size=400), st.floats(0.05, 0.95))
    def test_the_quantile(self, seen: list[float], quantile: float) -> None:
        """No more of the last delays than the rest of the quantile are longer, as often as it is computed."""
        delays = Delays(HedgeRule(quantile))
        for seconds in seen:
            delays.add(seconds)
        computed = 20
        while (following := computed + min(computed, 200) // 5) <= len(seen):
            computed = following
        known = seen[:computed][-200:]
        assert delays.wait is not None
        longer = sum(each > delays.wait for each in known)
        assert longer <= len(known) * (1 - quantile) + 1e-6

    def test_a_fixed_time(self) -> None:
        """after= goes by no delays."""
        assert Delays(HedgeRule(after=0.5)).wait == 0.5


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"quantile": 1.0}, ValueError),
        ({"quantile": 0}, ValueError),
        ({"quantile": "p95"}, TypeError),
        ({"after": "1"}, TypeError),
        ({"min_samples": 0}, ValueError),
        ({"min_samples": 201}, ValueError),
        ({"min_samples": 2.5}, TypeError),
        ({"after": 0}, ValueError),
        ({"methods": "GET"}, TypeError),
        ({"budget": 3}, TypeError),
        ({"by": "x"}, ValueError),
        ({"on_change": 3}, TypeError),
    ],
)
def test_nonsense_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    """An argument that makes no sense raises at construction, and its name is in the text."""
    with pytest.raises(error, match=next(iter(arguments))):
        Hedge(**arguments)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.virtual_clock
class TestRace:
    async def run(self, *answers: Any, step: Hedge | None = None, **more: Any) -> Any:
        """Return what a call got and after how long, how many requests there were, and the statistics."""
        end = End(*answers)
        hedge = step or Hedge(after=1)
        async with ClientSession(middlewares=[hedge, end]) as session:
            began = now()
            result = await call(session, **more)
            took = round(now() - began, 6)
            await turns()
        assert not hedge._tasks
        assert end.under_way == 0
        return result, took, len(end.times), hedge.statistics()

    async def test_the_second_wins(self) -> None:
        """The answer of the second is what counts when it comes first."""
        events: list[Hedged] = []
        hedge = Hedge(after=1, on_change=events.append)
        result = await self.run(after(10, 200), after(0.5, 201), step=hedge)
        assert result == (201, 1.5, 2, HedgeStatistics(1, 1, 1, 0))
        assert events == [Hedged("GET http://a.example/", 1, "second")]

    async def test_the_first_wins(self) -> None:
        """The second is cancelled."""
        result = await self.run(after(2, 200), after(10, 201))
        assert result == (200, 2.0, 2, HedgeStatistics(1, 1, 0, 0))

    async def test_it_is_quick(self) -> None:
        """There is no second one for an answer in time."""
        assert await self.run(after(0.9)) == (200, 0.9, 1, HedgeStatistics(1, 0, 0, 0))

    async def test_both_at_the_same_time(self) -> None:
        """One of them wins, the other's answer is released."""
        status, took, count, _ = await self.run(after(2, 200), after(1, 201))
        assert status in (200, 201)
        assert (took, count) == (2.0, 2)

    async def test_the_first_fails(self) -> None:
        """Before the second is sent that is the outcome, afterwards the second decides."""
        lost = aioclient.ServerDisconnectedError()
        result, took, count, _ = await self.run(after(0.5, lost), 200)
        assert (result, took, count) == (lost, 0.5, 1)
        result, took, count, _ = await self.run(after(2, lost), after(3, 200))
        assert (result, took, count) == (200, 4.0, 2)

    async def test_both_fail(self) -> None:
        """The first one's error is raised."""
        one, other = aioclient.ServerDisconnectedError(), aioclient.ClientOSError()
        for seconds in (0.5, 3):
            result, _, count, statistics = await self.run(after(2, one), after(seconds, other))
            assert result is one
            assert (count, statistics.won) == (2, 0)

    async def test_cancelled(self) -> None:
        """Both are cancelled with the call."""
        end = End(after(10))
        async with ClientSession(middlewares=[Hedge(after=1), end]) as session:
            task = asyncio.create_task(call(session))
            await asyncio.sleep(2)
            assert end.under_way == 2
            task.cancel()
            await asyncio.wait([task])
            await turns()
            assert end.under_way == 0

    @pytest.mark.parametrize(
        ("more", "count"),
        [
            ({"method": "POST"}, 1),
            ({"method": "PUT", "data": b"x"}, 2),
            ({"method": "PUT", "data": iter([b"x"])}, 1),
            ({"headers": {"Sec-WebSocket-Key": "x"}}, 1),
            ({"hedge": None}, 1),
            ({"hedge": Hedge(after=20)}, 1),
        ],
        ids=["POST", "PUT", "a body for once", "a handshake", "left out", "another"],
    )
    async def test_what_may_be_sent_twice(self, more: Any, count: int) -> None:
        """Idempotent requests with no body or one in memory; no handshake of a WebSocket; not if the call says so."""
        _, took, sent, _ = await self.run(after(10), after(1), **more)
        assert sent == count
        assert took == (2.0 if count == 2 else 10.0)

    async def test_the_budget(self) -> None:
        """Without room there is no second one; the budget may be that of a Retry."""
        budget = RetryBudget(0, minimum=1)
        hedge = Hedge(after=1, budget=budget)
        end = End(after(2))
        async with ClientSession(middlewares=[Retry(budget=budget), hedge, end]) as session:
            for _ in range(3):
                assert await call(session) == 200
        assert hedge.statistics() == HedgeStatistics(3, 1, 0, 2)
        assert budget.statistics().requests == 3

    async def test_a_budget_of_its_own(self) -> None:
        """By default it may send one in five requests twice, and always ten in ten seconds."""
        hedge, count = Hedge(after=0.01), 100
        async with ClientSession(middlewares=[hedge, End(after(0.02))]) as session:
            for _ in range(count):
                assert await call(session) == 200
        assert hedge.budget is not None
        assert hedge.budget.statistics().requests == count
        # As many as the ratio allows at the end: the requests before are fewer.
        assert hedge.statistics() == HedgeStatistics(count, 20, 0, 80)

    @pytest.mark.parametrize("late", range(6))
    async def test_cancelled_as_the_second_wins(self, late: int) -> None:
        """The call is cancelled, or has its response: the cancellation is never taken for that of the race."""
        answered = asyncio.Event()

        async def second(request: Request) -> int:
            await answered.wait()
            return 201

        end = End(after(10), second)
        async with ClientSession(middlewares=[Hedge(after=1), end]) as session:
            task = asyncio.create_task(session.get(URL))
            await asyncio.sleep(2)
            answered.set()
            for _ in range(late):
                await asyncio.sleep(0)
            was_done = task.done()
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() is not was_done
            await turns()
            assert end.under_way == 0

    async def test_an_answer_of_the_loser(self) -> None:
        """It is released if it comes in the moment in which the first one's does."""
        responses: list[ClientResponse] = []
        gates = [asyncio.Event(), asyncio.Event()]

        async def body() -> AsyncIterator[bytes]:
            yield b"late"
            await asyncio.sleep(1000)

        async def end(request: Request, handler: Any) -> ClientResponse:
            number = len(responses)
            responses.append(ClientResponse.from_parts(request, 200 + number, {}, body()))
            await gates[number].wait()
            return responses[number]

        async with ClientSession(middlewares=[Hedge(after=1), end]) as session:
            task = asyncio.create_task(session.get(URL))
            await asyncio.sleep(2)
            gates[1].set()
            gates[0].set()
            response = await task
            await turns()
            assert response.status == 200
            assert [each.closed for each in responses] == [False, True]
            response.close()

    async def test_a_caught_cancellation(self) -> None:
        """A middleware that answers in spite of the second one's answer is heard, and the task is not cancelled."""

        async def stubborn(request: Request) -> int:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                return 202
            return 200

        hedge = Hedge(after=1)
        assert await self.run(stubborn, after(1), step=hedge) == (
            202,
            2.0,
            2,
            HedgeStatistics(1, 1, 0, 0),
        )
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    async def test_a_cancellation_that_becomes_an_error(self) -> None:
        """The second one's answer is returned, and the task is not cancelled."""

        async def other(request: Request) -> int:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise OSError("closed") from None
            return 200

        assert await self.run(other, after(1, 201)) == (201, 2.0, 2, HedgeStatistics(1, 1, 1, 0))
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    async def test_a_slow_origin(self) -> None:
        """It does not delay the second request to a fast one."""
        slow, fast = "http://slow.example/", "http://fast.example/"
        hedge = Hedge(budget=None)
        usual = [*([after(10)] * 20), *([after(0.1)] * 20)]
        end = End(*usual, after(10), after(5), after(0.1))
        async with ClientSession(middlewares=[hedge, end]) as session:
            for url in (slow, fast):
                for _ in range(20):
                    await call(session, url)
            task = asyncio.create_task(call(session, slow))
            await turns()
            began = now()
            assert await call(session, fast) == 200
            assert now() - began == pytest.approx(0.201)
            await task

    async def test_its_context(self) -> None:
        """The second request has the context variables of its own call, not of the call that set the timer."""
        user: ContextVar[str] = ContextVar("user")
        seen: list[tuple[str, str]] = []

        async def note(request: Request) -> int:
            seen.append((request.url.path, user.get()))
            await asyncio.sleep(2)
            return 200

        async with ClientSession(middlewares=[Hedge(after=1, budget=None), End(note)]) as session:

            async def of(name: str) -> None:
                user.set(name)
                await call(session, f"http://a.example/{name}")

            async with asyncio.TaskGroup() as group:
                group.create_task(of("alice"))
                await asyncio.sleep(0.5)
                group.create_task(of("bob"))
        assert seen == [("/alice", "alice"), ("/bob", "bob"), ("/alice", "alice"), ("/bob", "bob")]

    async def test_it_learns(self) -> None:
        """One in twenty is slow: that one is sent twice, and no more."""
        answers = [after(5 if number % 20 == 19 else 0.1) for number in range(400)]
        hedge = Hedge(budget=None)
        async with ClientSession(middlewares=[hedge, End(*answers)]) as session:
            for _ in range(300):
                assert await call(session) == 200
        assert 10 <= hedge.statistics().hedged <= 20
        hedge.reset()
        assert hedge.statistics() == HedgeStatistics(0, 0, 0, 0)

    async def test_turned_off(self) -> None:
        """The switch for tests sends nothing twice."""
        with no_waiting():
            assert (await self.run(after(2)))[2] == 1


@pytest.mark.both_protocols
@pytest.mark.both_loops
async def test_the_losers_connection() -> None:
    """It is closed, and its place in the pool is free."""
    asked = asyncio.Event()

    async def slow(conn: RawConnection, request: RawRequest) -> None:
        asked.set()
        await conn.wait_lost()

    async def quick(conn: RawConnection, request: RawRequest) -> None:
        await asked.wait()
        conn.send(OK)

    connector = TCPConnector()
    async with (
        RawServer.replies([slow, quick]) as server,
        ClientSession(connector=connector, middlewares=[Hedge(after=0.001)]) as session,
        session.get(server.url()) as response,
    ):
        assert await response.text() == "ok"
        await turns()  # either of them may be the slow one; it ends by itself
        assert connector.statistics().in_use == 0


@pytest.mark.both_loops
async def test_after_less_than_a_millisecond() -> None:
    """A second request may be due at once: uvloop's clock counts milliseconds."""
    hedge = Hedge(after=0.0001, budget=None)
    async with ClientSession(middlewares=[hedge, End(after(0.01))]) as session:
        assert await calls(session, 5) == [200] * 5
    assert hedge.statistics().hedged == 5


@pytest.mark.both_protocols
@pytest.mark.both_loops
async def test_a_late_answer_with_a_body() -> None:
    """The answer of the loser is released, though its body is long."""
    answered = asyncio.Event()

    async def first(conn: RawConnection, request: RawRequest) -> None:
        await answered.wait()
        conn.send(OK)

    async def second(conn: RawConnection, request: RawRequest) -> None:
        conn.send(answer(bytes(2_000_000)))
        answered.set()

    connector = TCPConnector()

    async def count(request: Request, handler: Any) -> ClientResponse:
        response: ClientResponse = await handler(request)
        return response

    async with (
        RawServer.replies([first, second]) as server,
        ClientSession(connector=connector, middlewares=[Hedge(after=0.001), count]) as session,
    ):
        async with session.get(server.url()) as response:
            await response.read()
        await turns()
        assert connector.statistics().in_use == 0
