"""The simulations: a server that fails for a while, one that gets too much, one that is slow at times."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aioclient import (
    CALL_ERRORS,
    AdaptiveLimit,
    CircuitBreaker,
    ClientSession,
    Hedge,
    Middleware,
    Retry,
)
from aioclient.testing import VirtualClockLoop
from benchmarks.resilience.server import SimulatedServer

T = TypeVar("T")
URL = "http://server.example/"
SEED = 13


@dataclass(slots=True)
class Run:
    """What came of one simulation, in seconds from its start."""

    name: str
    calls: list[float] = field(default_factory=list)
    answered: list[tuple[float, float]] = field(
        default_factory=list
    )  # when it began, how long it took
    arrivals: list[float] = field(default_factory=list)

    def rate(self, what: str, begin: float, end: float) -> float:
        """Return how many a second there were of "calls", "arrivals" or "answered" in that time."""
        times = [at for at, _ in self.answered] if what == "answered" else getattr(self, what)
        return sum(begin <= at < end for at in times) / (end - begin)

    def load(self, begin: float, end: float) -> float:
        """Return how many requests reached the server for each call."""
        return self.rate("arrivals", begin, end) / self.rate("calls", begin, end)

    def success(self, begin: float, end: float) -> float:
        """Return which part of the calls that began in that time was answered."""
        return self.rate("answered", begin, end) / self.rate("calls", begin, end)

    def latency(self, quantile: float, begin: float = 0.0) -> float:
        """Return the quantile of the latencies of the calls answered that began at *begin* or later."""
        ordered = sorted(took for at, took in self.answered if at >= begin)
        return ordered[int(len(ordered) * quantile)]


def simulate(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run *coroutine* on the virtual clock; there are no sockets to wait for."""
    random.seed(SEED)  # the jitter of Retry
    with asyncio.Runner(loop_factory=lambda: VirtualClockLoop(settle=0.0)) as runner:
        return runner.run(coroutine)


async def _call(session: ClientSession, run: Run, start: float, timeout: float) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    run.calls.append(began - start)
    try:
        async with session.get(URL, timeout=timeout):
            run.answered.append((began - start, loop.time() - began))
    except CALL_ERRORS:
        pass


# A server that fails for a while

CLIENTS = 1000
SESSIONS = 10  # each with its own middlewares, as ten processes have
THINK = 20.0  # seconds from one call of a client to its next, on average: 50 calls a second in all
WORKERS, WORK = 8, 0.1  # 80 requests a second
FAILS, RECOVERS, ENDS = 30.0, 60.0, 120.0
SLOWER = 20  # by which it is slower while it fails


def none() -> list[Middleware]:
    """Nothing is tried again."""
    return [Retry(1, timeout=1)]


def plain_retries() -> list[Middleware]:
    """Four attempts, as many programs have it: no budget, no breaker."""
    return [Retry(4, timeout=1, budget=None)]


def budget_and_breaker() -> list[Middleware]:
    """The same, with a budget of 20 %, and a breaker that looks at 10 s and asks again after 2."""
    return [Retry(4, timeout=1), CircuitBreaker(window=10, open_for=2)]


def default_breaker() -> list[Middleware]:
    """The same, with a breaker that looks at 30 s and asks again after 30."""
    return [Retry(4, timeout=1), CircuitBreaker()]


async def _outage(name: str, steps: Callable[[], list[Middleware]]) -> Run:
    chance = random.Random(SEED)
    run = Run(name)

    def service(at: float) -> float:
        return WORK * (SLOWER if FAILS <= at < RECOVERS else 1)

    server = SimulatedServer(service, WORKERS)
    sessions = [
        ClientSession(connector=server, connector_owner=False, middlewares=steps())  # type: ignore[arg-type]
        for _ in range(SESSIONS)
    ]
    start = asyncio.get_running_loop().time()

    async def client(session: ClientSession, chance: random.Random) -> None:
        await asyncio.sleep(chance.expovariate(1 / THINK))
        while asyncio.get_running_loop().time() - start < ENDS:
            await _call(session, run, start, timeout=30)
            await asyncio.sleep(chance.expovariate(1 / THINK))

    await asyncio.gather(
        *(
            client(sessions[number % SESSIONS], random.Random(chance.random()))
            for number in range(CLIENTS)
        )
    )
    for session in sessions:
        await session.close()
    run.arrivals = server.arrivals
    return run


def outage() -> dict[str, Run]:
    """Return what a server sees that is slow for half a minute, by what its clients do."""
    kinds = {
        "no retries": none,
        "plain retries": plain_retries,
        "budget and breaker": budget_and_breaker,
        "breaker by default": default_breaker,
    }
    return {name: simulate(_outage(name, steps)) for name, steps in kinds.items()}


# A server that gets three times of what it can do

OVERLOAD = 3
SECONDS = 40.0


async def _arrivals(
    name: str,
    server: SimulatedServer,
    steps: Sequence[Middleware],
    rate: float,
    seconds: float,
    timeout: float,
) -> Run:
    """Make so many calls a second, at random moments, whatever becomes of those before."""
    chance = random.Random(SEED)
    run = Run(name)
    tasks: set[asyncio.Task[None]] = set()
    async with ClientSession(connector=server, middlewares=steps) as session:  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        start = loop.time()
        while loop.time() - start < seconds:
            tasks.add(loop.create_task(_call(session, run, start, timeout)))
            await asyncio.sleep(chance.expovariate(rate))
        await asyncio.gather(*tasks)
    run.arrivals = server.arrivals
    return run


def overload() -> dict[str, Run]:
    """Return what happens at three times the capacity, with and without a limit that adapts; and without overload."""
    capacity = WORKERS / WORK
    runs = {}
    for name, rate, steps in (
        ("uncontended", capacity * 0.1, []),
        ("no limit", capacity * OVERLOAD, []),
        ("AdaptiveLimit", capacity * OVERLOAD, [AdaptiveLimit(max_waiting=0)]),
    ):
        chance = random.Random(SEED)
        server = SimulatedServer(lambda at, c=chance: c.uniform(0.8, 1.2) * WORK, WORKERS)  # type: ignore[misc]
        runs[name] = simulate(_arrivals(name, server, steps, rate, SECONDS, timeout=60))
    return runs


# A server that is slow at times

SLOW_PART, SLOW = 0.03, 1.0  # of the requests; seconds more


def tail() -> dict[str, Run]:
    """Return what a second request does for answers of which some are slow."""
    runs = {}
    for name, steps in (
        ("one request", []),
        ("Hedge", [Hedge()]),
    ):
        chance = random.Random(SEED)

        def service(at: float, chance: random.Random = chance) -> float:
            slow = SLOW if chance.random() < SLOW_PART else 0.0
            return chance.lognormvariate(-3.0, 0.3) + slow

        server = SimulatedServer(service)
        runs[name] = simulate(_arrivals(name, server, steps, 100.0, SECONDS, timeout=30))
    return runs
