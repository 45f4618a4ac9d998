"""What a cache costs: ``python -m benchmarks.caches [--rounds 40] [--requests 200] [--loop asyncio uvloop]``.

CPU time of the client for a small GET, one at a time over a connection that is kept alive. Each row of the table has a
process of its own, so that 100,000 entries of one make nothing dearer for another; in each round all of them run once,
in another order. Rounds are many and short, so that what else the machine does falls on all rows alike. What a response
costs that is stored is compared with GETs that are not cached and whose URLs are new each time, as those that are
stored are; everything else with a GET of the same URL again and again. The figures are the medians of the ratios over
the rounds. hishel over httpx and aiohttp-client-cache are measured if they are installed (group ``bench``).

    python -m benchmarks.caches --instructions [--only "hit, memory" "GET"]

counts the instructions of user code instead, in the way of ``benchmarks.instructions``.
"""

import argparse
import asyncio
import contextlib
import gc
import importlib.util
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aioclient
from benchmarks.cores import choose_cores, pin, pinned
from benchmarks.instructions import count_of, counted
from benchmarks.measure import environment
from benchmarks.server import ROOT
from benchmarks.worker import new_loop

BODY = b'{"id": 12345, "name": "Ada Lovelace", "active": true, "n": 7}'
FIELDS = {"/plain": "no-store", "/fresh": "max-age=3600"}
PLAIN = "GET"
NEW = "GET, each URL new"
HIT = "hit, memory"
FEW = "hit, memory, 100 entries"
MANY = "hit, memory, 100,000 entries"
ENTRIES = {FEW: 100, MANY: 100_000}
WARM = 100  # requests before the first round: they open the connection and fill the caches

Action = Callable[[int], Awaitable[None]]
Make = Callable[[AsyncExitStack, str], Awaitable[Action]]


@dataclass(frozen=True, slots=True)
class Goal:
    """The figure that a row must have: its cost as a ratio to the cost of the row *to*."""

    row: str
    to: str
    limit: float
    at_least: bool = False

    def is_met(self, ratio: float) -> bool:
        return ratio >= self.limit if self.at_least else ratio <= self.limit

    def __str__(self) -> str:
        return f"at {'least' if self.at_least else 'most'} {self.limit} × {self.to}"


# Server


async def next_head(reader: asyncio.StreamReader) -> bytes:
    """Return the head of the next request; empty at the end of a connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def serve() -> None:
    """Answer small requests, printing the port first."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await next_head(reader):
            path = head.split(b" ", 2)[1].partition(b"?")[0].decode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %b\r\n"
                b"Content-Length: %d\r\nCache-Control: %b\r\n\r\n%b"
                % (
                    time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()).encode(),
                    len(BODY),
                    FIELDS[path].encode(),
                    BODY,
                )
            )

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def run_server(core: int | None) -> Iterator[str]:
    """Run the server for the time of the block; give its base URL."""
    command = [sys.executable, "-m", "benchmarks.caches", "serve"]
    with (
        pinned(core),
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


# Rows


async def getting(stack: AsyncExitStack, url: str, cache: aioclient.Cache | None) -> Action:
    """Return what gets *url*, with the number of the request in its place, and reads the body."""
    middlewares = [] if cache is None else [cache]
    session = await stack.enter_async_context(aioclient.ClientSession(middlewares=middlewares))

    async def get(number: int) -> None:
        async with session.get(url.format(number)) as response:
            await response.read()

    return get


def row(path: str, make: Callable[[str], aioclient.Cache | None] = lambda base: None) -> Make:
    """Return the row that gets *path*, through the cache that *make* returns."""

    async def made(stack: AsyncExitStack, base: str) -> Action:
        return await getting(stack, base + path, make(base))

    return made


def in_memory(base: str) -> aioclient.Cache:
    return aioclient.Cache()


def in_file(base: str) -> aioclient.Cache:
    return aioclient.Cache(aioclient.SQLiteStore("http.db"))  # the working folder is a new one


def filled(entries: int) -> Callable[[str], aioclient.Cache]:
    """Return what makes a cache in memory that holds so many entries."""
    from multidict import CIMultiDict, CIMultiDictProxy

    from aioclient.middlewares.cache import Entry

    def make(base: str) -> aioclient.Cache:
        store = aioclient.MemoryStore(2**30)
        fields = CIMultiDictProxy(CIMultiDict({"Cache-Control": "max-age=3600"}))
        now = time.time()
        for number in range(entries):
            uri = f"{base}/other?{number}"
            entry = Entry(uri, "", str(number), 200, "OK", (1, 1), fields, (), now, now, len(BODY))
            store.put(entry, BODY, ())
        return aioclient.Cache(store)

    return make


def httpx_row(path: str, *, cached: bool) -> Make:
    """Return the row that gets *path* with httpx, through hishel if it is *cached*."""

    async def made(stack: AsyncExitStack, base: str) -> Action:
        if cached:
            from hishel.httpx import AsyncCacheClient as Client
        else:
            from httpx import AsyncClient as Client
        client: Any = await stack.enter_async_context(Client())

        async def get(number: int) -> None:
            (await client.get((base + path).format(number))).read()

        return get

    return made


def aiohttp_row(path: str, *, cached: bool) -> Make:
    """Return the row that gets *path* with aiohttp, through aiohttp-client-cache if it is *cached*."""

    async def made(stack: AsyncExitStack, base: str) -> Action:
        if cached:
            from aiohttp_client_cache import CacheBackend, CachedSession

            session: Any = CachedSession(cache=CacheBackend())
        else:
            from aiohttp import ClientSession

            session = ClientSession()
        await stack.enter_async_context(session)

        async def get(number: int) -> None:
            async with session.get((base + path).format(number)) as response:
                await response.read()

        return get

    return made


ROWS: dict[str, Make] = {
    PLAIN: row("/plain"),
    NEW: row("/fresh?{}"),
    HIT: row("/fresh", in_memory),
    FEW: row("/fresh", filled(ENTRIES[FEW])),
    MANY: row("/fresh", filled(ENTRIES[MANY])),
    "hit, SQLite": row("/fresh", in_file),
    "uncacheable": row("/plain", in_memory),
    "stored, memory": row("/fresh?{}", in_memory),
    "stored, SQLite": row("/fresh?{}", in_file),
    "aiohttp, GET": aiohttp_row("/plain", cached=False),
    "aiohttp-client-cache, hit": aiohttp_row("/fresh", cached=True),
    "aiohttp-client-cache, stored": aiohttp_row("/fresh?{}", cached=True),
    "httpx, GET": httpx_row("/plain", cached=False),
    "hishel over httpx, hit": httpx_row("/fresh", cached=True),
    "hishel over httpx, stored": httpx_row("/fresh?{}", cached=True),
}
NEEDS = {
    "aiohttp-client-cache": "aiohttp_client_cache",
    "hishel": "hishel",
    "httpx": "httpx",
}
GOALS = (
    Goal(HIT, PLAIN, 0.5),
    Goal(MANY, FEW, 1.0),
    Goal("hit, SQLite", PLAIN, 3.0),
    Goal("uncacheable", PLAIN, 1.15),
    Goal("stored, memory", NEW, 1.6),
    Goal("stored, SQLite", NEW, 1.6),
    Goal("hishel over httpx, hit", HIT, 5.0, at_least=True),
    Goal("aiohttp-client-cache, hit", HIT, 5.0, at_least=True),
)
NOISE = 1.1  # what a goal of "as much as" is allowed to be in CPU time; by instructions it is 1.01
SLOW = 5  # a round of another library has so many times fewer requests


def available() -> list[str]:
    """Return the rows whose libraries are installed."""

    def is_there(name: str) -> bool:
        needed = [module for start, module in NEEDS.items() if name.startswith(start)]
        return all(importlib.util.find_spec(module) for module in needed)

    return [name for name in ROWS if is_there(name)]


# The process of a row


def child(name: str, base: str, loop: str, core: int | None) -> None:
    """Answer each line with a number of requests by the seconds of CPU time that one of them takes."""
    pin(core)

    async def run() -> None:
        async with AsyncExitStack() as stack:
            action, done = await ROWS[name](stack, base), 0
            for line in sys.stdin:
                count = int(line)
                gc.collect()
                begin = time.process_time()
                for number in range(done, done + count):
                    await action(number)
                print((time.process_time() - begin) / count, flush=True)
                done += count

    with in_new_folder(), asyncio.Runner(loop_factory=lambda: new_loop(loop)) as runner:
        runner.run(run())


def counted_child(name: str, base: str, loop: str, requests: int) -> None:
    """Do *requests* for `benchmarks.instructions`."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            action, done = await ROWS[name](stack, base), 0

            async def measure(count: int) -> int:
                nonlocal done
                for number in range(done, done + count):
                    await action(number)
                done += count
                return count

            await counted(measure, requests)

    with in_new_folder(), asyncio.Runner(loop_factory=lambda: new_loop(loop)) as runner:
        runner.run(run())


@contextlib.contextmanager
def in_new_folder() -> Iterator[None]:
    """Work in a folder that is removed at the end: caches in files are there."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield


class Worker:
    """The process of a row."""

    def __init__(self, name: str, base: str, loop: str, core: int | None) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.caches", "child", name, base, loop]
        command += [] if core is None else [str(core)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment() | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def cost(self, requests: int) -> float:
        """Return the seconds of CPU time of one of so many requests."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{requests}\n")
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the process of {self.name!r} has ended")
        return float(line)

    def stop(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()


# What is printed


def measure(
    names: list[str], base: str, loop: str, rounds: int, requests: int, core: int | None
) -> dict[str, list[float]]:
    """Return the seconds of CPU time of a request of each row, for each round."""
    workers = [Worker(name, base, loop, core) for name in names]
    found: dict[str, list[float]] = {name: [] for name in names}
    order = random.Random(2)
    try:
        for worker in workers:
            worker.cost(WARM)
        for _ in range(rounds):
            order.shuffle(workers)
            for worker in workers:
                slow = any(worker.name.startswith(start) for start in NEEDS)
                found[worker.name].append(worker.cost(requests // SLOW if slow else requests))
    finally:
        for worker in workers:
            worker.stop()
    return found


def unit_of(name: str) -> str:
    """Return the row whose cost is 1.00 for the row *name*."""
    return NEW if "stored" in name or name == NEW else PLAIN


def report(title: str, found: dict[str, list[float]], noise: float) -> bool:
    """Print a table of ratios; return whether all goals are met."""

    def ratio(name: str, to: str) -> list[float]:
        return [mine / other for mine, other in zip(found[name], found[to], strict=True)]

    goals = {goal.row: goal for goal in GOALS if goal.row in found and goal.to in found}
    good = True
    print(
        f"\n{title}\n\n| row | to | ratio | range | goal | |\n| --- | --- | ---: | --- | --- | --- |"
    )
    for name in found:
        to = unit_of(name)
        if to not in found:
            continue
        ratios = ratio(name, to)
        told, verdict = "", ""
        if (goal := goals.get(name)) is not None:
            reached = statistics.median(ratio(name, goal.to))
            limit = noise if goal.limit == 1.0 else 1.0
            met = goal.is_met(reached / limit)
            good &= met
            told = f"{goal}: {reached:.2f}" if goal.to != to else str(goal)
            verdict = "reached" if met else "not reached"
        print(
            f"| {name} | {to} | {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f}"
            f" | {told} | {verdict} |"
        )
    return good


def instructions(names: list[str], base: str, loop: str, requests: int) -> dict[str, list[float]]:
    """Return the instructions of a request of each row."""
    found = {}
    for name in names:
        command = ["-m", "benchmarks.caches", "counted", name, base, loop, str(requests)]
        found[name] = [count_of(command)]
        print(f"{loop} {name}: {found[name][0]:,.0f} instructions", file=sys.stderr, flush=True)
    return found


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.caches",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = available()
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=200, help="of each row in a round")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], nargs="+", default=["asyncio"])
    parser.add_argument("--only", choices=names, nargs="+", default=names, help="rows")
    parser.add_argument("--instructions", action="store_true")
    options = parser.parse_args(arguments)
    good = True
    cores = choose_cores()
    with run_server(cores.server) as base:
        for loop in options.loop:
            if options.instructions:
                found = instructions(options.only, base, loop, options.requests)
                for name, (number,) in found.items():
                    print(f"| {loop} | {name} | {number:,.0f} |")
                good &= report(f"{loop}: instructions of user code", found, 1.01)
            else:
                found = measure(
                    options.only, base, loop, options.rounds, options.requests, cores.client
                )
                good &= report(f"{loop}: CPU time", found, NOISE)
    return int(not good)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(serve())
        case ["child", name, base, loop, *core]:
            child(name, base, loop, int(core[0]) if core else None)
        case ["counted", name, base, loop, requests]:
            counted_child(name, base, loop, int(requests))
        case asked:
            sys.exit(main(asked))
