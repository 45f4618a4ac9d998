"""nginx's own rate limit, `limit_req`, and what makes peace with it."""

import asyncio

import pytest

from aioclient import (
    CircuitBreaker,
    CircuitState,
    ClientSession,
    RateLimit,
    RateLimitChange,
    Retry,
)
from aioclient.testing import no_waiting

from ...servers.nginx import Nginx
from .parts import call, calls, kinds

pytestmark = pytest.mark.both_loops


async def test_429(nginx: Nginx) -> None:
    """What nginx refuses is tried again until it lets it through."""
    retry = Retry(10_000, budget=None)
    with no_waiting():
        async with ClientSession(middlewares=[retry]) as session:
            results = await calls(session, 4, url=nginx.url("/limited/429"))
    assert kinds(results) == {"200": 4}
    found = retry.statistics()
    assert (found.calls, found.given_up) == (4, 0)
    assert found.retries >= 2


async def test_503_with_retry_after(nginx: Nginx) -> None:
    """Retry waits for as long as nginx asks, and the limit holds the others back meanwhile."""
    changes: list[RateLimitChange] = []
    steps = [Retry(20, budget=None), RateLimit(1000, on_change=changes.append)]
    url = nginx.url("/limited/503")
    async with ClientSession(middlewares=steps) as session:
        responses = await asyncio.gather(*(session.get(url) for _ in range(2)))
        assert [response.status for response in responses] == [200, 200]
        attempts = [attempt for response in responses for attempt in response.attempts]
    refused = [attempt for attempt in attempts if attempt.status == 503]
    assert refused
    assert all(attempt.waited >= 1 for attempt in refused)
    assert {(change.state, change.seconds) for change in changes} == {("blocked", 1.0)}
    assert len(changes) == len(refused)


async def test_a_breaker(nginx: Nginx) -> None:
    """503s open the circuit of this origin."""
    breaker = CircuitBreaker(min_calls=5)
    async with ClientSession(middlewares=[breaker]) as session:
        results = [await call(session, nginx.url("/status/503")) for _ in range(6)]
    assert kinds(results) == {"503": 5, "CircuitOpenError": 1}
    assert breaker.state(nginx.url("/")[:-1]) is CircuitState.OPEN
