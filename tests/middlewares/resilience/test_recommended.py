"""The recommended list, and all of it together."""

import asyncio
from dataclasses import FrozenInstanceError, fields
from functools import partial
from typing import Any

import pytest

import aioclient
from aioclient import (
    AdaptiveLimit,
    Cache,
    CircuitBreaker,
    ClientSession,
    Coalesce,
    ConcurrencyLimit,
    Hedge,
    RateLimit,
    Retry,
    resilience,
)
from aioclient.testing import no_waiting, turns

from .parts import End, after, call


def test_the_order() -> None:
    """Cache, Coalesce, Retry, CircuitBreaker, RateLimit, ConcurrencyLimit or AdaptiveLimit, Hedge."""
    assert [type(step) for step in resilience()] == [Retry, CircuitBreaker]
    limit, cache = RateLimit(10), Cache()
    everything = resilience(
        cache=cache, coalesce=True, rate_limit=limit, concurrency_limit=True, hedge=True
    )
    assert everything[0] is cache
    assert everything[4] is limit
    assert [type(step) for step in everything[1:]] == [
        Coalesce,
        Retry,
        CircuitBreaker,
        RateLimit,
        AdaptiveLimit,
        Hedge,
    ]
    assert resilience(retry=None, circuit_breaker=False) == []


def test_ones_own() -> None:
    """A value takes the place of the default; a Hedge draws from the budget of the Retry."""
    retry, bulkhead = Retry(5), ConcurrencyLimit(3)
    found: Any = resilience(retry=retry, concurrency_limit=bulkhead, hedge=True)
    assert found[0] is retry
    assert found[2] is bulkhead
    assert found[3].budget is retry.budget
    alone: Any = resilience(retry=None, circuit_breaker=None, hedge=True)
    assert alone[0].budget is not None


@pytest.mark.parametrize(
    "arguments",
    [{"retry": 3}, {"rate_limit": 10}, {"rate_limit": True}, {"hedge": Retry()}, {"coalesce": 1}],
)
def test_nonsense_is_refused(arguments: dict[str, Any]) -> None:
    """Anything else raises, and says which argument."""
    with pytest.raises(TypeError, match=next(iter(arguments))):
        resilience(**arguments)


def test_what_is_shared_is_not_reset() -> None:
    """Another middleware with the same budget, or the same store, forgets nothing of what was counted."""
    budget, store = aioclient.RetryBudget(minimum=1), aioclient.LimitMemory()
    assert budget.withdraw("a", 0.0)
    assert store.reserve("a", aioclient.RateLimit(1)._rule, 0.0, 0.0) == 0
    for step in (Retry(budget=budget), Hedge(budget=budget), RateLimit(1, store=store)):
        assert step
    assert not budget.withdraw("a", 0.0)
    assert store.reserve("a", aioclient.RateLimit(1)._rule, 0.0, 0.0) == 1


@pytest.mark.virtual_clock
async def test_all_together() -> None:
    """Each sees what it should: attempts are counted and pay, calls are shared."""
    end = End(503, 503, 200)
    steps: Any = resilience(
        coalesce=True, rate_limit=RateLimit(100), concurrency_limit=True, hedge=True
    )
    _, retry, breaker, limit, adaptive, hedge = steps
    with no_waiting():
        async with ClientSession(middlewares=[*steps, end]) as session:
            assert await call(session) == 200
    assert len(end.times) == 3
    assert retry.statistics().calls == 1
    assert breaker.statistics().calls == 3
    assert breaker.statistics().failures == 2
    assert limit.statistics().passed == 3
    assert adaptive.statistics().passed == 3
    assert hedge.statistics().calls == 3


@pytest.mark.parametrize(
    "step",
    [
        Retry(),
        RateLimit(1),
        CircuitBreaker(),
        ConcurrencyLimit(1),
        AdaptiveLimit(),
        Hedge(),
        Coalesce(),
    ],
    ids=lambda step: type(step).__name__,
)
def test_what_all_have(step: Any) -> None:
    """Statistics that do not change, a reset, an argument of a call, a repr that tells the state."""
    assert step.statistics() == step.statistics()
    found = step.statistics()
    with pytest.raises(FrozenInstanceError):
        setattr(found, fields(found)[0].name, 5)
    step.reset()
    assert step.argument in aioclient.session.steps.STEPS
    assert step.tidy
    assert type(step).__name__ in repr(step)


@pytest.mark.parametrize(
    "make",
    [
        partial(ConcurrencyLimit, 1),
        partial(AdaptiveLimit, 1, maximum=1),
        partial(RateLimit, 1, per=1000),
        partial(Hedge, after=1000),
    ],
)
@pytest.mark.parametrize("ends", ["closed", "left"])
def test_two_event_loops(make: Any, ends: str) -> None:
    """Requests of one loop are never woken by another: the second loop is refused until the first one is idle."""
    step = make()

    async def begin() -> tuple[ClientSession, list[asyncio.Task[Any]]]:
        session = ClientSession(middlewares=[step, End(after(1000))])
        tasks = [asyncio.create_task(call(session, timeout=1e6)) for _ in range(2)]
        await turns()
        return session, tasks

    async def leave(session: ClientSession, tasks: list[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await session.close()

    async def use() -> "int | BaseException":
        async with ClientSession(middlewares=[step, End()]) as session:
            return await call(session)

    with asyncio.Runner() as one, asyncio.Runner() as other:
        session, tasks = one.run(begin())
        error = other.run(use())
        assert isinstance(error, RuntimeError)
        assert "on another event loop" in str(error)
        one.run(leave(session, tasks))
        if ends == "closed":
            one.close()
        step.reset()
        assert other.run(use()) == 200


@pytest.mark.parametrize(
    "make",
    [
        Retry,
        partial(RateLimit, 1),
        CircuitBreaker,
        partial(ConcurrencyLimit, 1),
        AdaptiveLimit,
        Hedge,
        Coalesce,
    ],
)
def test_a_listener_is_a_plain_function(make: Any) -> None:
    """A coroutine function would never be awaited: it is refused when the middleware is made."""

    async def listen(event: object) -> None: ...

    with pytest.raises(TypeError, match="on_change must be a plain function, found a coroutine"):
        make(on_change=listen)
    with pytest.raises(TypeError, match="on_change must be a function, found int"):
        make(on_change=3)
