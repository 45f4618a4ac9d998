"""What a cache costs: ``python -m benchmarks.caches [--rounds 7] [--requests 1500] [--loop uvloop]``.

CPU time of the client for a small GET, one at a time over a connection that is kept alive, is 1.00; everything else is
told as a ratio to it in the same round, the median over the rounds. The server is a process of its own. hishel over
httpx and aiohttp-client-cache are measured if they are installed (group ``bench``).
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

import aioclient

BODY = b'{"id": 12345, "name": "Ada Lovelace", "active": true, "n": 7}'
FIELDS = {"/plain": "no-store", "/fresh": "max-age=3600", "/etag": "max-age=3600"}
MANY = "hit, memory, 100,000 entries"
STORED = "stored, to a GET of it"
LIMITS = {
    "hit, memory": 0.5,
    MANY: 0.5,
    "hit, SQLite": 3.0,
    "uncacheable": 1.15,
    STORED: 1.6,
}
TIMES_DEARER = 5.0  # at least, the others' hits
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

Action = Callable[[int], Awaitable[None]]


async def next_head(reader: asyncio.StreamReader) -> bytes:
    """Return the head of the next request; empty at the end of a connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
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


async def ours(stack: AsyncExitStack, *caches: aioclient.Cache) -> Callable[[str], Action]:
    """Return what makes an action of a session with these *caches*: GET a URL, read the body."""
    session = await stack.enter_async_context(aioclient.ClientSession(middlewares=list(caches)))

    def getting(url: str) -> Action:
        async def get(number: int) -> None:
            async with session.get(url.format(number)) as response:
                await response.read()

        return get

    return getting


async def others(stack: AsyncExitStack, url: str) -> dict[str, Action]:
    """Return the same of other libraries, as far as they are installed."""
    found: dict[str, Action] = {}
    try:
        from hishel.httpx import AsyncCacheClient

        client: Any = await stack.enter_async_context(AsyncCacheClient())

        async def hishel(number: int) -> None:
            (await client.get(url)).read()

        found["hishel over httpx, hit"] = hishel
    except ImportError:
        pass
    try:
        from aiohttp_client_cache import CacheBackend, CachedSession

        session: Any = await stack.enter_async_context(CachedSession(cache=CacheBackend()))

        async def cached(number: int) -> None:
            async with session.get(url) as response:
                await response.read()

        found["aiohttp-client-cache, hit"] = cached
    except ImportError:
        pass
    return found


async def cpu_time(action: Action, count: int, start: int) -> float:
    """Return the seconds of CPU that *count* actions take, each."""
    begin = time.process_time()
    for number in range(start, start + count):
        await action(number)
    return (time.process_time() - begin) / count


async def filled(entries: int) -> aioclient.Cache:
    """Return a cache in memory that holds so many entries."""
    from multidict import CIMultiDict, CIMultiDictProxy

    from aioclient.middlewares.cache import Entry

    store = aioclient.MemoryStore(2**30)
    fields = CIMultiDictProxy(CIMultiDict({"Cache-Control": "max-age=3600"}))
    now = time.time()
    for number in range(entries):
        uri = f"http://a.example/{number}"
        entry = Entry(uri, "", str(number), 200, "OK", (1, 1), fields, (), now, now, len(BODY))
        store.put(entry, BODY, ())
    return aioclient.Cache(store)


async def measure(base: str, rounds: int, requests: int) -> dict[str, list[float]]:
    """Return the ratio of each action to a plain GET, for each round."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        uncached = await ours(stack)
        plain, fresh = uncached(f"{base}/plain"), uncached(f"{base}/plain?{{}}")
        cached = await ours(stack, aioclient.Cache())
        few = await ours(stack, await filled(100))
        file = await ours(stack, aioclient.Cache(aioclient.SQLiteStore(Path(folder) / "http.db")))
        actions: dict[str, Action] = {
            "hit, memory": cached(f"{base}/fresh"),
            "hit, memory, 100 entries": few(f"{base}/fresh"),
            "hit, SQLite": file(f"{base}/fresh"),
            "uncacheable": cached(f"{base}/plain"),
            STORED: cached(f"{base}/fresh?{{}}"),
            **await others(stack, f"{base}/fresh"),
        }
        ratios: dict[str, list[float]] = {name: [] for name in actions}
        number = 0
        for turn in range(-1, rounds):  # the first one warms up
            count = requests if turn >= 0 else 50
            unit = await cpu_time(plain, count, number)
            other = await cpu_time(
                fresh, count, number
            )  # each URL is new, as it is for what is stored
            for name, action in actions.items():
                few_only = "over httpx" in name or "client-cache" in name
                spent = await cpu_time(action, count // 5 if few_only else count, number)
                if turn >= 0:
                    ratios[name].append(spent / (other if name == STORED else unit))
            number += count
        # Last, since so many objects make all that comes after dearer, whoever holds them.
        many = (await ours(stack, await filled(100_000)))(f"{base}/fresh")
        ratios[MANY] = []
        for _ in range(rounds):
            unit = await cpu_time(plain, requests, 0)
            ratios[MANY].append(await cpu_time(many, requests, 0) / unit)
        return ratios


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.caches", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--loop", choices=list(LOOPS), nargs="+", default=list(LOOPS))
    options = parser.parse_args(arguments)
    good = True
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.caches", "serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        base = f"http://127.0.0.1:{int(server.stdout.readline())}"
        for loop in options.loop:
            with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
                ratios = runner.run(measure(base, options.rounds, options.requests))
            print(f"{loop}: CPU time, a small GET = 1.00")
            hit = statistics.median(ratios["hit, memory"])
            for name, values in ratios.items():
                middle = statistics.median(values)
                limit = LIMITS.get(name)
                told = "" if limit is None else f", at most {limit}"
                if limit is None and not name.startswith("hit"):
                    told = f", {middle / hit:.1f} times our hit"
                    good &= middle / hit >= TIMES_DEARER
                good &= limit is None or middle <= limit
                print(f"  {name:<32} {middle:5.2f} ({min(values):.2f} to {max(values):.2f}{told})")
    finally:
        server.terminate()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()
    return int(not good)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    sys.exit(main(sys.argv[1:]))
