"""Circuits: the state machine on plain values, and the middleware in time that jumps."""

import asyncio
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import aioclient
from aioclient import (
    CircuitBreaker,
    CircuitChange,
    CircuitState,
    ClientResponse,
    ClientSession,
    RateLimit,
    Request,
    Retry,
)
from aioclient.middlewares.circuit_breaker.policy import (
    CLOSED,
    HALF_OPEN,
    NEXT,
    OPEN,
    Circuit,
    CircuitRule,
)

from ...loopback import answer
from ...servers.either import RawServer
from .parts import End, after, call, calls, kinds


class TestRule:
    def test_when_it_opens(self) -> None:
        """Half of at least ten requests in the window."""
        circuit = Circuit(CircuitRule())
        for number in range(9):
            circuit.failed(0, 100.0 + number)
        assert circuit.state is CLOSED
        circuit.failed(0, 109.0)
        assert circuit.state is OPEN
        assert circuit.until == 139.0

    def test_less_than_half(self) -> None:
        """It stays closed while more than half succeed, for however long."""
        circuit = Circuit(CircuitRule())
        for number in range(500):
            now = 100.0 + number
            circuit.succeeded(0, now)
            circuit.succeeded(0, now)
            circuit.failed(0, now)
        assert circuit.state is CLOSED

    def test_the_window(self) -> None:
        """What is older than the window counts no longer."""
        circuit = Circuit(CircuitRule())
        for _ in range(9):
            circuit.failed(0, 100.0)
        circuit.failed(0, 131.0)
        assert circuit.state is CLOSED
        assert circuit.counted(131.0) == (1, 1)

    def test_the_probe(self) -> None:
        """When the time is over one request probes, and decides."""
        circuit = Circuit(CircuitRule(min_calls=1))
        circuit.failed(circuit.admit(0.0) or 0, 0.0)
        assert circuit.admit(29.9) is None
        probe = circuit.admit(30.0)
        assert probe is not None
        assert circuit.state is HALF_OPEN
        assert circuit.admit(30.0) is None
        circuit.failed(probe, 31.0)
        assert (circuit.state, circuit.until) == (OPEN, 61.0)
        probe = circuit.admit(61.0)
        assert probe is not None
        circuit.withdrawn(probe)
        probe = circuit.admit(61.0)
        assert probe is not None
        circuit.succeeded(probe, 62.0)
        assert circuit.state is CLOSED
        assert circuit.counted(62.0) == (0, 0)

    def test_several_probes(self) -> None:
        """Only when all have succeeded it closes."""
        circuit = Circuit(CircuitRule(min_calls=1, probes=2))
        circuit.failed(0, 0.0)
        one, two = circuit.admit(30.0), circuit.admit(30.0)
        assert one is not None
        assert two is not None
        assert circuit.admit(30.0) is None
        circuit.succeeded(one, 30.0)
        assert circuit.state is HALF_OPEN
        assert circuit.admit(30.0) is None
        circuit.succeeded(two, 30.0)
        assert circuit.state is CLOSED

    def test_those_of_before(self) -> None:
        """A request counts for the state in which it was let through, and for no later one."""
        circuit = Circuit(CircuitRule(min_calls=1))
        slow = circuit.admit(0.0)
        assert slow is not None
        circuit.failed(0, 0.0)
        probe = circuit.admit(30.0)
        assert probe is not None
        circuit.succeeded(slow, 30.0)
        assert circuit.state is HALF_OPEN
        circuit.failed(slow, 30.0)
        assert circuit.state is HALF_OPEN


class Any_(RuleBasedStateMachine):
    """Whatever happens in which order, the machine keeps its rules."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit = Circuit(CircuitRule(min_calls=3, probes=2, window=10, open_for=5))
        self.now = 0.0
        self.permits: list[int] = []
        self.state = CLOSED

    @rule(later=st.floats(0, 6))
    def wait(self, later: float) -> None:
        self.now += later

    @rule()
    def ask(self) -> None:
        permit = self.circuit.admit(self.now)
        if permit is not None:
            assert self.circuit.state is not OPEN
            self.permits.append(permit)

    @precondition(lambda self: self.permits)
    @rule(data=st.data())
    def end(self, data: Any) -> None:
        place = data.draw(st.integers(0, len(self.permits) - 1))
        permit = self.permits.pop(place)
        how = data.draw(st.sampled_from(["succeeded", "failed", "withdrawn"]))
        if how == "withdrawn":
            self.circuit.withdrawn(permit)
        else:
            getattr(self.circuit, how)(permit, self.now)

    @invariant()
    def transitions(self) -> None:
        if self.circuit.state is not self.state:
            assert self.circuit.state in NEXT[self.state] or self.state is OPEN
            self.state = self.circuit.state

    @invariant()
    def never_stuck(self) -> None:
        assert self.circuit._probing >= 0
        if self.circuit.state is HALF_OPEN and not self.permits:
            assert self.circuit._probing == 0


TestAny = Any_.TestCase


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"failure_rate": 0}, ValueError),
        ({"failure_rate": "half"}, TypeError),
        ({"window": "30"}, TypeError),
        ({"failure_rate": 1.1}, ValueError),
        ({"min_calls": 0}, ValueError),
        ({"min_calls": 1.5}, TypeError),
        ({"window": 0}, ValueError),
        ({"open_for": -1}, ValueError),
        ({"probes": 0}, ValueError),
        ({"by": 3}, ValueError),
        ({"is_failure": 3}, TypeError),
        ({"is_failure": asyncio.sleep}, TypeError),
        ({"on_change": 3}, TypeError),
    ],
)
def test_nonsense_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    """An argument that makes no sense raises at construction, and its name is in the text."""
    with pytest.raises(error, match=next(iter(arguments))):
        CircuitBreaker(**arguments)


@pytest.mark.virtual_clock
class TestStep:
    async def test_a_story(self) -> None:
        """A server fails, is left alone, and is asked again."""
        changes: list[CircuitChange] = []
        end = End(503)
        breaker = CircuitBreaker(on_change=changes.append)
        async with ClientSession(middlewares=[breaker, end]) as session:
            results = [await call(session) for _ in range(13)]
            assert kinds(results) == {"503": 10, "CircuitOpenError": 3}
            error = results[-1]
            assert isinstance(error, aioclient.CircuitOpenError)
            assert error.seconds == pytest.approx(30)
            assert error.until is not None
            assert "the circuit of http://a.example is open, since 10 of 10" in str(error)
            assert breaker.state("http://a.example") is CircuitState.OPEN
            await asyncio.sleep(30)
            end.answers = [200]
            assert await call(session) == 200
            assert breaker.state("http://a.example") is CircuitState.CLOSED
        assert [(change.before, change.state) for change in changes] == [
            (CLOSED, OPEN),
            (OPEN, HALF_OPEN),
            (HALF_OPEN, CLOSED),
        ]
        assert (changes[0].key, changes[0].calls, changes[0].failures) == (
            "http://a.example",
            10,
            10,
        )
        assert breaker.statistics() == aioclient.CircuitBreakerStatistics(11, 10, 3, 1, ())

    async def test_one_probe(self) -> None:
        """While it is under way the others are refused."""
        end = End(503)
        async with ClientSession(middlewares=[CircuitBreaker(), end]) as session:
            await calls(session, 10)
            await asyncio.sleep(30)
            end.answers = [after(1)]
            results = await calls(session, 3)
            assert kinds(results) == {"200": 1, "CircuitOpenError": 2}
            assert "its probe is under way" in str(results[1])

    @pytest.mark.parametrize(
        ("answers", "opens"),
        [
            (500, True),
            (599, True),
            (429, False),
            (404, False),
            (aioclient.ServerDisconnectedError(), True),
            (aioclient.SocketTimeoutError(), True),
            (TimeoutError(), True),
            (aioclient.QueueFullError("GET", "full", None, None), False),
            (aioclient.ClientPayloadError(), False),
            (ValueError(), False),
        ],
        ids=str,
    )
    async def test_failures(self, answers: Any, opens: bool) -> None:
        """5xx, connection errors and timeouts are failures; 4xx and what others refused are none."""
        breaker = CircuitBreaker(min_calls=2)
        async with ClientSession(middlewares=[breaker, End(answers)]) as session:
            await calls(session, 2)
        assert (breaker.state("http://a.example") is OPEN) == opens

    async def test_a_function(self) -> None:
        """is_failure= decides instead."""
        breaker = CircuitBreaker(
            min_calls=1, is_failure=lambda what: getattr(what, "status", None) == 404
        )
        async with ClientSession(middlewares=[breaker, End(503, 404)]) as session:
            assert kinds([await call(session) for _ in range(3)]) == {
                "503": 1,
                "404": 1,
                "CircuitOpenError": 1,
            }

    @pytest.mark.parametrize(
        "answer", [200, aioclient.ServerDisconnectedError()], ids=["a response", "an error"]
    )
    async def test_a_function_that_raises(self, answer: Any) -> None:
        """It does not take the probe with it: the next request is one again."""
        wrong = False

        def is_failure(outcome: Any) -> bool:
            if wrong:
                raise LookupError("mine")
            return getattr(outcome, "status", None) == 503

        end = End(503)
        breaker = CircuitBreaker(min_calls=1, is_failure=is_failure)
        async with ClientSession(middlewares=[breaker, end]) as session:
            await calls(session, 1)
            await asyncio.sleep(30)
            end.answers = [answer]
            wrong = True
            assert kinds(await calls(session, 1)) == {"LookupError": 1}
            wrong = False
            end.answers = [200]
            assert await call(session) == 200
            assert breaker.state("http://a.example") is CLOSED

    async def test_a_listener_that_raises(self) -> None:
        """It does not take the probe with it, even if it raises the cancellation of a task that it has looked at."""

        def listen(change: CircuitChange) -> None:
            raise asyncio.CancelledError

        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        breaker = CircuitBreaker(min_calls=1, on_change=listen)
        async with ClientSession(middlewares=[breaker, End(503, 200)]) as session:
            assert await call(session) == 503
            await asyncio.sleep(30)
            assert await call(session) == 200
            assert breaker.state("http://a.example") is CLOSED
        assert [type(each["exception"]) for each in told] == [asyncio.CancelledError] * 3

    @pytest.mark.parametrize("answer", [SystemExit(3), "no response"], ids=str)
    async def test_what_ends_in_another_way(self, answer: Any) -> None:
        """A probe that ends with no Exception and no response lets another one probe."""
        replies: list[Any] = [503, answer, 200]

        async def end(request: Request, handler: Any) -> Any:
            reply = replies.pop(0)
            if isinstance(reply, BaseException):
                raise reply
            return ClientResponse.from_parts(request, reply) if isinstance(reply, int) else reply

        breaker = CircuitBreaker(min_calls=1)
        async with ClientSession(middlewares=[breaker, end]) as session:
            assert await call(session) == 503
            await asyncio.sleep(30)
            # Out of a task, SystemExit would end the event loop.
            with pytest.raises((SystemExit, AttributeError)):
                await session.get("http://a.example/")
            assert await call(session) == 200
            assert breaker.state("http://a.example") is CLOSED

    @pytest.mark.parametrize("retry", [True, False])
    async def test_a_timeout_outside_of_it(self, retry: bool) -> None:
        """An attempt, or a call, that was ended since it took too long is a failure."""
        breaker = CircuitBreaker(min_calls=1)
        steps: list[Any] = [Retry(1, timeout=2)] if retry else []
        async with ClientSession(middlewares=[*steps, breaker, End(after(60))]) as session:
            await call(session, timeout=5)
        assert breaker.statistics().failures == 1

    async def test_cancelled(self) -> None:
        """A request that is cancelled says nothing; as a probe it lets another one probe."""
        breaker = CircuitBreaker(min_calls=1)
        end = End(503)
        async with ClientSession(middlewares=[breaker, end]) as session:
            await call(session)
            await asyncio.sleep(30)
            end.answers = [after(60)]
            task = asyncio.create_task(call(session))
            await asyncio.sleep(1)
            task.cancel()
            await asyncio.wait([task])
            assert breaker.state("http://a.example") is HALF_OPEN
            end.answers = [200]
            assert await call(session) == 200
        assert breaker.statistics().failures == 1

    async def test_origins(self) -> None:
        """Each has its own circuit."""
        breaker = CircuitBreaker(min_calls=1)
        async with ClientSession(middlewares=[breaker, End(503, 200)]) as session:
            await call(session, "http://down.example")
            assert await call(session, "http://up.example") == 200
        assert breaker.statistics().open == ("http://down.example",)
        breaker.reset()
        assert breaker.statistics() == aioclient.CircuitBreakerStatistics(0, 0, 0, 0, ())

    async def test_within_a_retry(self) -> None:
        """Attempts are what it counts, and its error is not tried again."""
        end = End(503)
        steps = [Retry(9, budget=None), CircuitBreaker(min_calls=4), end]
        async with ClientSession(middlewares=steps) as session:
            error: Any = await call(session)
        assert isinstance(error, aioclient.CircuitOpenError)
        assert [attempt.status for attempt in error.attempts] == [503] * 4 + [None]
        assert len(end.times) == 4

    async def test_a_limit_inside(self) -> None:
        """What a rate limit refuses is no failure of the server."""
        breaker = CircuitBreaker(min_calls=1)
        steps = [breaker, RateLimit(1, max_wait=0), End()]
        async with ClientSession(middlewares=steps) as session:
            assert kinds(await calls(session, 4)) == {"200": 1, "RateLimitedError": 3}
        assert breaker.statistics().failures == 0

    async def test_of_a_call(self) -> None:
        """circuit_breaker=None lets a call pass an open circuit."""
        end = End(503)
        async with ClientSession(middlewares=[CircuitBreaker(min_calls=1), end]) as session:
            await call(session)
            assert isinstance(await call(session), aioclient.CircuitOpenError)
            assert await call(session, circuit_breaker=None) == 503

    async def test_many_keys(self) -> None:
        """The memory is bounded."""
        breaker = CircuitBreaker()
        for number in range(1100):
            breaker._new(str(number), 1000.0 + number)
        assert len(breaker._circuits) <= 1025


@pytest.mark.both_protocols
@pytest.mark.both_loops
async def test_a_websocket() -> None:
    """A refused handshake counts as any response does."""
    breaker = CircuitBreaker(min_calls=2)
    replies = [answer(b"", status="503 Busy")] * 2
    async with (
        RawServer.replies(replies) as server,
        ClientSession(middlewares=[breaker]) as session,
    ):
        for expected in (
            aioclient.WSServerHandshakeError,
            aioclient.WSServerHandshakeError,
            aioclient.CircuitOpenError,
        ):
            with pytest.raises(expected):
                await session.ws_connect(server.url())
