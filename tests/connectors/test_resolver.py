"""The resolver's cache and shared lookups, in front of a resolver that counts and can be held."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from aioclient.connectors.dns import DefaultResolver
from aioclient.connectors.resolver import CLOSE_TIME, MAX_ADDRESSES, CachingResolver
from aioclient.exceptions import ClientConnectionError
from aioclient.testing import cancel_everywhere


def address(host: str, port: int = 80, name: str = "a.test") -> ResolveResult:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return ResolveResult(hostname=name, host=host, port=port, family=family, proto=6, flags=0)


class Counting(AbstractResolver):
    """Answers every name with the same addresses, or fails; counts, and waits while it is held."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts
        self.asked: list[tuple[str, int, int]] = []
        self.running = 0
        self.closed = 0
        self.error: BaseException | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        assert isinstance(family, socket.AddressFamily)
        self.asked.append((host, port, family))
        self.running += 1
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        if self.error is not None:
            raise self.error
        return [address(found, port, host) for found in self.hosts]

    async def close(self) -> None:
        self.closed += 1


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def hosts(addresses: list[ResolveResult] | None) -> list[str]:
    assert addresses is not None
    return [found["host"] for found in addresses]


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go round until the condition holds."""
    for _ in range(100):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition did not come true")


class TestWithoutLookup:
    @pytest.mark.parametrize("host", ["127.0.0.1", "203.0.113.7", "::1", "fe80::1%eth0"])
    async def test_ip_addresses(self, host: str) -> None:
        """An IP address is its own answer."""
        inner = Counting()
        resolver = CachingResolver(inner)
        (answer,) = await resolver.resolve(host, 8080, 0)
        assert (answer["hostname"], answer["host"], answer["port"]) == (host, host, 8080)
        assert answer["family"] == (socket.AF_INET6 if ":" in host else socket.AF_INET)
        assert inner.asked == []

    @pytest.mark.parametrize("host", ["localhost", "LocalHost", "localhost.", "app.localhost"])
    async def test_localhost(self, host: str) -> None:
        """localhost and names under it are the loopback interface (RFC 6761, section 6.3)."""
        inner = Counting("203.0.113.7")
        resolver = CachingResolver(inner)
        assert hosts(await resolver.resolve(host, 80, 0)) == ["::1", "127.0.0.1"]
        assert hosts(await resolver.resolve(host, 80, socket.AF_INET)) == ["127.0.0.1"]
        assert hosts(await resolver.resolve(host, 80, socket.AF_INET6)) == ["::1"]
        assert inner.asked == []

    async def test_a_name_that_only_looks_like_it(self) -> None:
        """notlocalhost is looked up."""
        inner = Counting("203.0.113.7")
        assert hosts(await CachingResolver(inner).resolve("notlocalhost")) == ["203.0.113.7"]

    async def test_another_family(self) -> None:
        """An IP address of another family than the one asked for raises."""
        resolver = CachingResolver(Counting())
        with pytest.raises(OSError, match=r"::1 is not an address of the family AF_INET$"):
            await resolver.resolve("::1", 80, socket.AF_INET)


class TestCache:
    async def test_an_answer_is_kept(self) -> None:
        """A second request for a name asks nobody, until the answer is too old."""
        inner, clock = Counting("203.0.113.7"), Clock()
        resolver = CachingResolver(inner, clock=clock)
        assert resolver.cached("a.test", 80) is None
        assert hosts(await resolver.resolve("a.test", 80, 0)) == ["203.0.113.7"]
        clock.now += 9.9
        assert hosts(resolver.cached("a.test", 80)) == ["203.0.113.7"]
        await resolver.resolve("a.test", 80, 0)
        assert len(inner.asked) == 1
        clock.now += 0.1
        assert resolver.cached("a.test", 80) is None
        await resolver.resolve("a.test", 80, 0)
        assert len(inner.asked) == 2

    async def test_for_ever(self) -> None:
        """With ttl=None an answer is kept for ever."""
        inner, clock = Counting("203.0.113.7"), Clock()
        resolver = CachingResolver(inner, ttl=None, clock=clock)
        await resolver.resolve("a.test", 80, 0)
        clock.now += 1e9
        await resolver.resolve("a.test", 80, 0)
        assert len(inner.asked) == 1

    async def test_what_makes_a_difference(self) -> None:
        """Host, port and family are asked for and kept apart: a resolver may answer by port."""
        inner = Counting("203.0.113.7")
        resolver = CachingResolver(inner)
        questions = [("a.test", 80, 0), ("b.test", 80, 0), ("a.test", 81, 0), ("a.test", 80, 2)]
        for _ in range(2):
            for host, port, family in questions:
                (answer,) = await resolver.resolve(host, port, family)
                assert answer["port"] == port
        assert inner.asked == questions

    async def test_turned_off(self) -> None:
        """With max_size=0 nothing is kept."""
        inner = Counting("203.0.113.7")
        resolver = CachingResolver(inner, max_size=0)
        await resolver.resolve("a.test", 80, 0)
        await resolver.resolve("a.test", 80, 0)
        assert len(inner.asked) == 2
        assert resolver.cached_hosts == {}

    async def test_bounded(self) -> None:
        """Of 10,000 names the last 1,024 are kept (security.md POOL-13)."""
        resolver = CachingResolver(Counting("203.0.113.7"))
        for number in range(10_000):
            await resolver.resolve(f"h{number}.test", 80, 0)
            assert len(resolver.cached_hosts) <= 1024 if number % 1000 == 0 else True
        assert len(resolver.cached_hosts) == 1024
        assert ("h9999.test", 80) in resolver.cached_hosts
        assert ("h8975.test", 80) not in resolver.cached_hosts

    async def test_the_least_recently_used_goes(self) -> None:
        """A name that was asked for again outlives one that was not."""
        resolver = CachingResolver(Counting("203.0.113.7"), max_size=2)
        for name in ("a.test", "b.test", "a.test", "c.test"):
            await resolver.resolve(name, 80, 0)
        assert list(resolver.cached_hosts) == [("a.test", 80), ("c.test", 80)]

    async def test_failures_are_not_kept(self) -> None:
        """After a failure the next request asks again."""
        inner = Counting("203.0.113.7")
        resolver = CachingResolver(inner)
        inner.error = OSError(None, "no such name")
        with pytest.raises(OSError, match="no such name"):
            await resolver.resolve("a.test", 80, 0)
        inner.error = None
        assert hosts(await resolver.resolve("a.test", 80, 0)) == ["203.0.113.7"]

    async def test_no_address_is_a_failure(self) -> None:
        """A resolver that returns nothing has failed."""
        resolver = CachingResolver(Counting())
        with pytest.raises(OSError, match=r"a\.test has no address"):
            await resolver.resolve("a.test", 80, 0)
        assert resolver.cached_hosts == {}

    async def test_a_users_exception(self) -> None:
        """Whatever a resolver raises reaches the one who asked."""
        inner = Counting()
        inner.error = LookupError("not in the table")
        with pytest.raises(LookupError, match="not in the table"):
            await CachingResolver(inner).resolve("a.test", 80, 0)

    async def test_in_turn(self) -> None:
        """Addresses of a family come in turn, and the order of the families stays."""
        inner = Counting("::a", "10.0.0.1", "::b", "10.0.0.2", "10.0.0.3")
        resolver = CachingResolver(inner)
        answers = [hosts(await resolver.resolve("a.test", 80, 0)) for _ in range(3)]
        assert answers == [
            ["::a", "10.0.0.1", "::b", "10.0.0.2", "10.0.0.3"],
            ["::b", "10.0.0.2", "::a", "10.0.0.3", "10.0.0.1"],
            ["::a", "10.0.0.3", "::b", "10.0.0.1", "10.0.0.2"],
        ]

    async def test_clear(self) -> None:
        """One name on one port can be forgotten, or all; half a name raises."""
        resolver = CachingResolver(Counting("203.0.113.7"))
        for name in ("a.test", "b.test", "c.test"):
            await resolver.resolve(name, 80, 0)
        resolver.clear("a.test", 80)
        resolver.clear("nowhere.test", 80)
        assert list(resolver.cached_hosts) == [("b.test", 80), ("c.test", 80)]
        halves: list[dict[str, Any]] = [{"host": "b.test"}, {"port": 80}]
        for half in halves:
            with pytest.raises(ValueError, match="either both host and port or none"):
                resolver.clear(**half)
        resolver.clear()
        assert resolver.cached_hosts == {}

    async def test_cached_hosts_is_a_snapshot(self) -> None:
        """What cached_hosts returned does not change, and cannot be changed."""
        resolver = CachingResolver(Counting("203.0.113.7"))
        await resolver.resolve("a.test", 80, 0)
        before = resolver.cached_hosts
        resolver.clear()
        assert hosts(before["a.test", 80]) == ["203.0.113.7"]
        with pytest.raises(TypeError):
            before["b.test", 80] = []  # type: ignore[index]

    @pytest.mark.parametrize("arguments", [{"ttl": -1}, {"ttl": float("nan")}, {"max_size": -1}])
    async def test_nonsense(self, arguments: dict[str, float]) -> None:
        """A negative time or size is refused at construction."""
        with pytest.raises(ValueError, match=next(iter(arguments))):
            CachingResolver(Counting(), **arguments)  # type: ignore[arg-type]


@pytest.mark.both_loops
class TestSharing:
    async def start(
        self, resolver: CachingResolver, inner: Counting, count: int
    ) -> list[asyncio.Task[list[ResolveResult]]]:
        """Let *count* tasks ask for the same name, whose lookup is held."""
        inner.gate.clear()
        tasks = [asyncio.create_task(resolver.resolve("a.test", 80, 0)) for _ in range(count)]
        await until(lambda: inner.running)
        return tasks

    async def test_one_lookup_for_many(self) -> None:
        """All who ask while a lookup runs get its answer."""
        inner = Counting("10.0.0.1", "10.0.0.2")
        resolver = CachingResolver(inner)
        tasks = await self.start(resolver, inner, 50)
        inner.gate.set()
        answers = [hosts(await task)[0] for task in tasks]
        assert len(inner.asked) == 1
        assert answers.count("10.0.0.1") == answers.count("10.0.0.2") == 25

    async def test_one_failure_for_many(self) -> None:
        """All who ask while a lookup runs get its failure."""
        inner = Counting()
        resolver = CachingResolver(inner)
        tasks = await self.start(resolver, inner, 3)
        inner.error = OSError(None, "no such name")
        inner.gate.set()
        for task in tasks:
            with pytest.raises(OSError, match="no such name"):
                await task
        assert len(inner.asked) == 1

    @pytest.mark.parametrize("leaver", [0, 1, 2])
    async def test_one_of_many_leaves(self, leaver: int) -> None:
        """The first, a middle or the last one who is cancelled leaves the others alone."""
        inner = Counting("203.0.113.7")
        resolver = CachingResolver(inner)
        tasks = await self.start(resolver, inner, 3)
        gone = tasks.pop(leaver)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        inner.gate.set()
        for task in tasks:
            assert hosts(await task) == ["203.0.113.7"]
        assert len(inner.asked) == 1

    async def test_thousands(self) -> None:
        """Of thousands who wait each may leave, in any order, and those who stay get the answer."""
        inner = Counting("203.0.113.7")
        resolver = CachingResolver(inner)
        tasks = await self.start(resolver, inner, 5000)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.wait(tasks[::2])
        assert inner.running == 1
        inner.gate.set()
        for task in tasks[1::2]:
            assert hosts(await task) == ["203.0.113.7"]
        assert len(inner.asked) == 1

    async def test_all_leave(self) -> None:
        """When the last one leaves the lookup is cancelled; who comes then starts a new one."""
        inner = Counting("203.0.113.7")
        resolver = CachingResolver(inner)
        tasks = await self.start(resolver, inner, 3)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        newcomer = asyncio.create_task(resolver.resolve("a.test", 80, 0))
        await until(lambda: len(inner.asked) == 2)
        assert inner.running == 1
        inner.gate.set()
        assert hosts(await newcomer) == ["203.0.113.7"]

    async def test_cancelled_everywhere(self) -> None:
        """Cancelled at any await, a lookup leaves no task behind and the resolver usable."""
        inner = Counting("203.0.113.7")
        resolver = CachingResolver(inner, max_size=0)

        async def scenario() -> None:
            await resolver.resolve("a.test", 80, 0)

        async def still_works() -> None:
            assert hosts(await resolver.resolve("a.test", 80, 0)) == ["203.0.113.7"]
            assert inner.running == 0

        assert await cancel_everywhere(scenario, still_works) > 0
        assert await cancel_everywhere(scenario, still_works, moments=["soon"]) > 0

    async def test_a_resolver_that_cancels_itself(self) -> None:
        """A lookup that ends by CancelledError cancels nobody."""
        inner = Counting()
        inner.error = asyncio.CancelledError()
        with pytest.raises(OSError, match=r"the resolver gave up the lookup of a\.test"):
            await CachingResolver(inner).resolve("a.test", 80, 0)


@pytest.mark.both_loops
class TestOddAnswers:
    """What resolvers of others may return."""

    class Answering(Counting):
        def __init__(self, answer: Callable[[], Any]) -> None:
            super().__init__()
            self.answer = answer

        async def resolve(self, *arguments: Any) -> Any:
            self.asked.append(arguments)
            return self.answer()

    async def test_addresses_twice(self) -> None:
        """An address that comes twice is dialled once."""
        found = [address("10.0.0.1"), address("::1"), address("10.0.0.1"), address("10.0.0.2")]
        resolver = CachingResolver(self.Answering(lambda: found))
        assert hosts(await resolver.resolve("a.test", 80, 0)) == ["10.0.0.1", "::1", "10.0.0.2"]

    async def test_very_many(self) -> None:
        """Of an answer with thousands of addresses a few are kept: they would all be dialled."""
        found = [address(f"10.0.{number // 250}.{number % 250}") for number in range(5000)]
        resolver = CachingResolver(self.Answering(lambda: found))
        assert len(await resolver.resolve("a.test", 80, 0)) == MAX_ADDRESSES

    @pytest.mark.parametrize("make", [tuple, iter], ids=["tuple", "iterator"])
    async def test_any_iterable(self, make: Callable[[Any], Any]) -> None:
        """It need not be a list."""
        resolver = CachingResolver(self.Answering(lambda: make([address("10.0.0.1")])))
        for _ in range(2):
            assert hosts(await resolver.resolve("a.test", 80, 0)) == ["10.0.0.1"]

    @pytest.mark.parametrize(
        ("ttl", "kept"),
        [(None, 10.0), (float("nan"), 600.0), (float("inf"), 600.0), (-5, 1.0), (0, 1.0)],
    )
    async def test_times(self, ttl: Any, kept: float) -> None:
        """A time to live that is none is bounded as any other."""
        clock = Clock()
        found = {**address("10.0.0.1"), "ttl": ttl}
        resolver = CachingResolver(self.Answering(lambda: [found]), clock=clock)
        await resolver.resolve("a.test", 80, 0)
        clock.now += kept - 0.01
        assert resolver.cached("a.test", 80, 0) is not None
        clock.now += 0.02
        assert resolver.cached("a.test", 80, 0) is None


@pytest.mark.both_loops
class TestClose:
    async def test_during_a_lookup(self) -> None:
        """close() fails those who wait, and returns when no lookup runs any more (URL-10)."""
        inner = Counting("203.0.113.7")
        inner.gate.clear()
        resolver = CachingResolver(inner)
        tasks = [asyncio.create_task(resolver.resolve("a.test", 80, 0)) for _ in range(3)]
        await until(lambda: inner.running)
        await resolver.close()
        assert inner.running == 0
        for task in tasks:
            with pytest.raises(ClientConnectionError, match=r"a\.test was not looked up"):
                await task

    async def test_before_a_lookup_began(self) -> None:
        """close() in the same round of the loop as the request fails the request too."""
        inner = Counting("203.0.113.7")
        resolver = CachingResolver(inner)
        task = asyncio.create_task(resolver.resolve("a.test", 80, 0))
        await asyncio.sleep(0)
        await resolver.close()
        with pytest.raises(ClientConnectionError):
            await task

    async def test_asked_afterwards(self) -> None:
        """A closed resolver answers nothing, not even what needs no lookup."""
        resolver = CachingResolver(Counting("203.0.113.7"))
        await resolver.resolve("a.test", 80, 0)
        await resolver.close()
        await resolver.close()
        for host in ("a.test", "127.0.0.1"):
            with pytest.raises(ClientConnectionError, match="closed"):
                await resolver.resolve(host, 80, 0)

    async def test_a_users_resolver_stays_open(self) -> None:
        """The resolver that was given is the caller's to close."""
        inner = Counting()
        await CachingResolver(inner).close()
        assert inner.closed == 0

    async def test_an_owned_one_at_each_moment(self) -> None:
        """Closing while aiodns looks a name up raises nothing but what is documented, and closes it once."""
        for rounds in range(12):
            resolver = CachingResolver(DefaultResolver(), owns_resolver=True)
            task = asyncio.create_task(resolver.resolve("a.invalid", 80, 0))
            for _ in range(rounds):
                await asyncio.sleep(0)
            await resolver.close()
            with pytest.raises((OSError, ClientConnectionError)):
                await task


@pytest.mark.virtual_clock
async def test_a_lookup_that_does_not_end() -> None:
    """A resolver that does not let itself be cancelled does not hold up close() for ever."""
    end = asyncio.Event()

    class Stubborn(Counting):
        async def resolve(self, *arguments: Any) -> Any:
            self.running += 1
            while not end.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await end.wait()
            self.running -= 1

    inner = Stubborn()
    resolver = CachingResolver(inner, owns_resolver=True)
    task = asyncio.create_task(resolver.resolve("a.test", 80, 0))
    await until(lambda: inner.running)
    begin = asyncio.get_running_loop().time()
    await resolver.close()
    assert asyncio.get_running_loop().time() - begin == pytest.approx(CLOSE_TIME)
    assert (inner.running, inner.closed) == (1, 1)
    with pytest.raises(ClientConnectionError):
        await task
    end.set()
    await until(lambda: not inner.running)
