"""What blocking calls cost, and code that stands on our engine: ``python -m benchmarks.blocking [ROUNDS]``.

Each way sends small GET requests over keep-alive connections to nginx, which has a core of its own. A round runs each
way once, in turn; a ratio is the median over the rounds of CPU time of all threads to that of another way in the same
round. Requests a second are of the wall clock: where the client has one core, threads only add to the work.
"""

import asyncio
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.cores import choose_cores, pin
from benchmarks.server import run_server

ROUNDS = 9
REQUESTS = 400
THREADS = 16
AT_A_TIME = 32

Costs = dict[str, list[float]]


def requests_way(url: str) -> Callable[[], object]:
    import requests

    session = requests.Session()
    session.trust_env = False
    return lambda: session.get(url).content


def niquests_way(url: str) -> Callable[[], object]:
    import niquests

    session = niquests.Session()
    session.trust_env = False
    return lambda: session.get(url).content


def httpx_way(url: str) -> Callable[[], object]:
    import httpx

    client = httpx.Client(trust_env=False)
    return lambda: client.get(url).content


def session_way(url: str) -> Callable[[], object]:
    import aioclient

    session = aioclient.Session()
    return lambda: session.get(url).content


def requests_over_ours(url: str) -> Callable[[], object]:
    import requests

    from aioclient.adapters.requests import Adapter

    session = requests.Session()
    session.trust_env = False
    session.mount("http://", Adapter())
    return lambda: session.get(url).content


def httpx_over_ours(url: str) -> Callable[[], object]:
    import httpx

    from aioclient.adapters.httpx import Transport

    client = httpx.Client(transport=Transport(), trust_env=False)
    return lambda: client.get(url).content


def hop_way(url: str) -> Callable[[], object]:
    """The way to the thread and back, with nothing to do there."""
    from aioclient.sync.portal import PORTAL

    async def nothing() -> None:
        pass

    return lambda: PORTAL.run(nothing())


BLOCKING = {
    "requests": requests_way,
    "niquests": niquests_way,
    "httpx": httpx_way,
    "aioclient.Session": session_way,
    "requests over Adapter": requests_over_ours,
    "httpx over Transport": httpx_over_ours,
    "the hop alone": hop_way,
}


def blocking_rounds(url: str, rounds: int) -> Costs:
    """Return seconds of CPU for each request, one at a time."""
    ways = {name: make(url) for name, make in BLOCKING.items()}
    costs: Costs = {name: [] for name in ways}
    for call in ways.values():
        for _ in range(20):
            call()
    for _ in range(rounds):
        for name, call in ways.items():
            begun = time.process_time()
            for _ in range(REQUESTS):
                call()
            costs[name].append((time.process_time() - begun) / REQUESTS)
    return costs


def threaded_rounds(url: str, rounds: int) -> Costs:
    """Return seconds of the wall clock for each request, from 16 threads."""
    ways = {name: BLOCKING[name](url) for name in ("requests", "niquests", "aioclient.Session")}
    costs: Costs = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            start = threading.Barrier(THREADS + 1)

            def work(call: Callable[[], object] = call, start: threading.Barrier = start) -> None:
                call()
                start.wait()
                for _ in range(REQUESTS // THREADS):
                    call()

            threads = [threading.Thread(target=work) for _ in range(THREADS)]
            for thread in threads:
                thread.start()
            start.wait()
            begun = time.perf_counter()
            for thread in threads:
                thread.join()
            costs[name].append((time.perf_counter() - begun) / REQUESTS)
    return costs


async def awaited_ways(
    url: str, closing: list[Callable[[], Awaitable[Any]]]
) -> dict[str, Callable[[], Awaitable[Any]]]:
    import httpx

    import aioclient
    from aioclient.adapters.httpx import AsyncTransport
    from aioclient.senders import AsyncSender, Request

    session = aioclient.ClientSession()
    sender = AsyncSender()
    own = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=None))
    over = httpx.AsyncClient(transport=AsyncTransport(), trust_env=False)

    async def by_session() -> Any:
        async with session.get(url) as response:
            return await response.json()  # as a sender does

    closing.extend((session.close, sender.close, own.aclose, over.aclose))
    return {
        "httpx": lambda: own.get(url),
        "httpx over AsyncTransport": lambda: over.get(url),
        "ClientSession": by_session,
        "AsyncSender": lambda: sender.send(Request("GET", url)),
    }


async def awaited_rounds(url: str, rounds: int) -> Costs:
    """Return seconds of CPU for each request, 32 at a time."""
    closing: list[Callable[[], Awaitable[Any]]] = []
    ways = await awaited_ways(url, closing)
    costs: Costs = {name: [] for name in ways}

    async def some(call: Callable[[], Awaitable[Any]], count: int) -> None:
        for _ in range(count):
            await call()

    for _ in range(rounds):
        for name, call in ways.items():
            await asyncio.gather(*(some(call, 1) for _ in range(AT_A_TIME)))
            begun = time.process_time()
            count = REQUESTS // AT_A_TIME
            await asyncio.gather(*(some(call, count) for _ in range(AT_A_TIME)))
            costs[name].append((time.process_time() - begun) / (count * AT_A_TIME))
    for close in closing:
        await close()
    return costs


def ratio(costs: Costs, above: str, below: str) -> float:
    """Return the median over the rounds of one way's cost to that of another."""
    return statistics.median(
        one / other for one, other in zip(costs[above], costs[below], strict=True)
    )


def table(costs: Costs, below: str) -> str:
    lines = [f"| | ÷ {below} |", "| --- | ---: |"]
    lines += [f"| {name} | {ratio(costs, name, below):.2f} |" for name in costs]
    return "\n".join(lines)


def main(rounds: int) -> None:
    cores = choose_cores()
    with run_server(cores.server) as server:
        pin(cores.client)
        url = f"http://127.0.0.1:{server.http_port}/small"
        print("CPU time of a blocking GET, one at a time:\n")
        print(table(blocking_rounds(url, rounds), "requests"))
        print(f"\nTime of a blocking GET from {THREADS} threads:\n")
        print(table(threaded_rounds(url, rounds), "requests"))
        print(f"\nCPU time of a GET, {AT_A_TIME} at a time, on asyncio:\n")
        costs = asyncio.run(awaited_rounds(url, rounds))
        print(table(costs, "ClientSession"))
        print(
            f"\nhttpx over AsyncTransport ÷ httpx: {ratio(costs, 'httpx over AsyncTransport', 'httpx'):.2f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
