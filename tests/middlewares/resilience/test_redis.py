"""A limit that several processes share in Redis, and what happens without it."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import aioclient
from aioclient import ClientSession, RateLimit, RateLimitChange, RedisStore

from ...servers.redis import Redis
from ...servers.require import require_module
from .parts import End, call, calls, kinds

require_module("redis")

ROOT = Path(__file__).parents[3]
KEY = "http://shared.example"
WORKER = "tests.middlewares.resilience.rate_worker"


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


def start(
    redis: Redis, count: int, rate: int, burst: int, algorithm: str
) -> "subprocess.Popen[str]":
    arguments = [redis.url, str(count), str(rate), str(burst), algorithm]
    command = [sys.executable, "-m", WORKER, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def block(redis: Redis, seconds: float) -> float:
    """Let no permit be for an earlier moment than the one that is returned, in the time of Redis."""
    async with RedisStore(redis.url) as store:
        await store.block(KEY, 0.0, seconds)
        return float(await store._redis.hget(store._keys(KEY)[0], "not_before"))


@pytest.mark.parametrize("algorithm", ["token_bucket", "sliding_window"])
def test_processes_share_it_and_one_is_killed(redis: Redis, algorithm: str) -> None:
    """All together keep to the limit, whoever dies in the middle of a window, and the others get what is left."""
    rate, burst, count = 40, 5, 30
    began = asyncio.run(block(redis, 2.0))
    workers = [start(redis, count, rate, burst, algorithm) for _ in range(3)]
    killed, *others = workers
    assert killed.stdout is not None
    before = [float(killed.stdout.readline()) for _ in range(3)]
    killed.kill()
    times = before + [float(line) for line in killed.communicate()[0].split()]
    for worker in others:
        found = [float(line) for line in worker.communicate()[0].split()]
        assert worker.returncode == 0
        assert len(found) == count
        times += found
    times.sort()
    at_once = burst if algorithm == "token_bucket" else rate
    for place, at in enumerate(times):
        # What a process does with its permit, it may do later, and never earlier.
        assert at >= began
        assert place + 1 <= at_once + rate * (at - began) + 1e-3


@pytest.mark.both_loops
class TestWithoutRedis:
    async def passed(self, store: RedisStore, count: int = 6) -> list["int | BaseException"]:
        limit = RateLimit(4, per=1000, burst=4, max_wait=0, store=store)
        async with ClientSession(middlewares=[limit, End()]) as session:
            return await calls(session, count)

    async def test_its_share(self, redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
        """By default each process keeps to its share, by how many there were; it is logged and told once."""
        changes: list[RateLimitChange] = []
        async with RedisStore(redis.url) as one, RedisStore(redis.url) as other:
            for store in (one, other):
                limit = RateLimit(4, per=1000, store=store, on_change=changes.append)
                async with ClientSession(middlewares=[limit, End()]) as session:
                    assert await call(session) == 200
            redis.stop()
            with caplog.at_level(logging.WARNING, "aioclient"):
                assert kinds(await self.passed(other)) == {"200": 2, "RateLimitedError": 4}
        (change,) = changes
        assert change.state == "lost"
        assert "ConnectionError" in str(change.error)
        (line,) = [record.getMessage() for record in caplog.records]
        assert "each of 2 processes keeps to its share" in line

    async def test_a_block(self, redis: Redis) -> None:
        """What a server says while Redis is gone holds for this process."""
        async with RedisStore(redis.url) as store:
            redis.stop()
            limit = RateLimit(9, max_wait=0, store=store)
            busy = End((429, {"Retry-After": "50"}))
            async with ClientSession(middlewares=[limit, busy]) as session:
                assert await call(session) == 429
                error = await call(session)
        assert isinstance(error, aioclient.RateLimitedError)
        assert error.seconds is not None
        assert 40 < error.seconds <= 50

    async def test_open(self, redis: Redis) -> None:
        """when_gone="open" lets everything pass."""
        async with RedisStore(redis.url, when_gone="open") as store:
            redis.stop()
            assert kinds(await self.passed(store)) == {"200": 6}
            assert store.is_lost

    async def test_closed(self, redis: Redis) -> None:
        """when_gone="closed" lets nothing pass, and says why."""
        async with RedisStore(redis.url, when_gone="closed") as store:
            redis.stop()
            results = await self.passed(store)
            assert kinds(results) == {"RateLimitedError": 6}
            assert "the store of the limit" in str(results[0])

    async def test_it_comes_back(self, redis: Redis) -> None:
        """When Redis answers again it is used again, and that is told."""
        changes: list[str] = []
        async with RedisStore(redis.url, when_gone="open") as store:
            limit = RateLimit(
                100, store=store, on_change=lambda change: changes.append(change.state)
            )
            async with ClientSession(middlewares=[limit, End()]) as session:
                redis.stop()
                assert await call(session) == 200
                redis.start_again()
                store._lost_until = 0.0  # a second later
                assert await call(session) == 200
        assert changes == ["lost", "back"]
        assert not store.is_lost

    async def test_one_that_hangs(self) -> None:
        """A Redis that accepts and says nothing costs its timeout once."""
        accepted: list[asyncio.StreamWriter] = []

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.append(writer)

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with RedisStore(f"redis://127.0.0.1:{port}", when_gone="open", timeout=0.05) as store:
            assert kinds(await self.passed(store)) == {"200": 6}
        assert len(accepted) == 1
        for writer in accepted:
            writer.close()
        server.close()


@pytest.mark.both_loops
async def test_a_block_is_shared(redis: Redis) -> None:
    """What one process learns of a server, the others keep to."""
    async with RedisStore(redis.url) as one, RedisStore(redis.url) as other:
        busy = End((429, {"Retry-After": "50"}))
        async with ClientSession(middlewares=[RateLimit(9, store=one), busy]) as session:
            assert await call(session) == 429
        limit = RateLimit(9, store=other, max_wait=0)
        async with ClientSession(middlewares=[limit, End()]) as session:
            error = await call(session)
        assert isinstance(error, aioclient.RateLimitedError)
        assert error.seconds is not None
        assert 40 < error.seconds <= 50


@pytest.mark.parametrize("arguments", [{"when_gone": "half"}, {"timeout": 0}])
def test_nonsense_is_refused(arguments: dict[str, object]) -> None:
    """An argument that makes no sense raises at construction."""
    with pytest.raises(ValueError, match=next(iter(arguments))):
        RedisStore("redis://127.0.0.1", **arguments)  # type: ignore[arg-type]
