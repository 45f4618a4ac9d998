"""The default resolver against a DNS server, and connections that take their addresses from it."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

import aioclient
from aioclient import (
    ClientSession,
    ClientTimeout,
    DefaultResolver,
    TCPConnector,
    ThreadedResolver,
)
from aioclient.connectors import dns
from aioclient.connectors.resolver import CachingResolver
from aioclient.testing import RawServer, cancel_everywhere, turns

from ..loopback import OK
from ..servers.dns import DNSServer, closed_port

pytestmark = pytest.mark.both_loops


def addresses(found: list[Any]) -> list[str]:
    return sorted(each["host"] for each in found)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class TestAnswers:
    async def test_addresses(self) -> None:
        """A name's addresses come with their port, family and time to live."""
        async with DNSServer({"a.test": ["127.0.0.1", "127.0.0.2", "::1"]}, ttl=77) as server:
            resolver = DefaultResolver(nameservers=[server.address])
            found: Any = await resolver.resolve("a.test", 8080, socket.AF_UNSPEC)
            assert addresses(found) == ["127.0.0.1", "127.0.0.2", "::1"]
            assert {each["port"] for each in found} == {8080}
            assert {each["ttl"] for each in found} == {77}
            assert {each["family"] for each in found} == {socket.AF_INET, socket.AF_INET6}
            await resolver.close()

    @pytest.mark.parametrize(
        ("family", "found", "kind"),
        [(socket.AF_INET, "127.0.0.1", "A"), (socket.AF_INET6, "::1", "AAAA")],
    )
    async def test_family(self, family: socket.AddressFamily, found: str, kind: str) -> None:
        """Only the family that is wanted is asked for."""
        async with DNSServer({"a.test": ["127.0.0.1", "::1"]}) as server:
            resolver = DefaultResolver(nameservers=[server.address])
            assert addresses(await resolver.resolve("a.test", 80, family)) == [found]
            assert server.questions("a.test") == [kind]
            await resolver.close()

    async def test_another_name(self) -> None:
        """A CNAME is followed."""
        async with DNSServer({"a.test": "b.test", "b.test": ["127.0.0.1"]}) as server:
            resolver = DefaultResolver(nameservers=[server.address])
            assert addresses(await resolver.resolve("a.test", 80)) == ["127.0.0.1"]
            await resolver.close()

    async def test_truncated(self) -> None:
        """A truncated answer is asked for again over TCP (RFC 7766, section 5)."""
        many = [f"127.0.1.{number}" for number in range(1, 100)]
        async with DNSServer({"a.test": many}) as server:
            server.truncate = True
            resolver = DefaultResolver(nameservers=[server.address])
            assert addresses(await resolver.resolve("a.test", 80)) == sorted(many)
            assert server.over_tcp == [("a.test", "A")]
            await resolver.close()

    async def test_international_names(self) -> None:
        """What is asked for is the IDNA 2008 name, never another one that IDNA 2003 would make of it."""
        async with (
            RawServer.replies([OK], repeat=True) as web,
            DNSServer({"xn--strae-oqa.de": ["127.0.0.1"], "strasse.de": ["127.0.0.9"]}) as server,
            ClientSession(
                connector=TCPConnector(resolver=DefaultResolver(nameservers=[server.address]))
            ) as session,
        ):
            async with session.get(web.url(host="straße.de")) as response:
                assert await response.read() == b"ok"
            assert {name for name, _ in server.asked} == {"xn--strae-oqa.de"}


class TestFailures:
    @pytest.mark.parametrize("code", ["NXDOMAIN", "SERVFAIL", "REFUSED"])
    async def test_codes(self, code: str) -> None:
        """A failure of DNS is an OSError, and ClientConnectorDNSError with the host for a request."""
        async with DNSServer({"a.test": code}) as server:
            resolver = DefaultResolver(nameservers=[server.address], timeout=0.05, tries=1)
            with pytest.raises(OSError, match=r"\w") as caught:
                await resolver.resolve("a.test", 80)
            assert not isinstance(caught.value, aioclient.ClientError)
            async with ClientSession(connector=TCPConnector(resolver=resolver)) as session:
                with pytest.raises(aioclient.ClientConnectorDNSError, match=r"a\.test:80"):
                    await session.get("http://a.test/")
            await resolver.close()

    async def test_no_address(self) -> None:
        """A name that exists without an address of the family is a failure."""
        async with DNSServer({"a.test": ["::1"]}) as server:
            resolver = DefaultResolver(nameservers=[server.address])
            with pytest.raises(OSError, match=r"\w"):
                await resolver.resolve("a.test", 80, socket.AF_INET)
            await resolver.close()

    async def test_silence(self) -> None:
        """A server that does not answer is given up after timeout and tries."""
        async with DNSServer({"a.test": "silence"}) as server:
            resolver = DefaultResolver(nameservers=[server.address], timeout=0.02, tries=2)
            with pytest.raises(OSError, match="imeout"):
                await resolver.resolve("a.test", 80)
            assert server.questions("a.test") == ["A", "A"]
            await resolver.close()

    async def test_one_of_two_servers(self) -> None:
        """When the first server is silent the second one is asked."""
        async with (
            DNSServer({"a.test": "silence"}) as silent,
            DNSServer({"a.test": ["127.0.0.1"]}) as server,
        ):
            resolver = DefaultResolver(
                nameservers=[silent.address, server.address], timeout=0.02, tries=1
            )
            assert addresses(await resolver.resolve("a.test", 80)) == ["127.0.0.1"]
            await resolver.close()

    async def test_nobody_there(self) -> None:
        """A port where nobody listens is a failure, and not the system's business."""
        resolver = DefaultResolver(
            nameservers=[f"127.0.0.1:{closed_port()}"], timeout=0.02, tries=1
        )
        with pytest.raises(OSError, match=r"\w"):
            await resolver.resolve("localhost.test", 80)
        await resolver.close()

    @pytest.mark.parametrize("nameservers", [[], "127.0.0.1"])
    async def test_nonsense(self, nameservers: Any) -> None:
        """No servers, or one str, is refused at construction."""
        with pytest.raises(ValueError, match="nameservers"):
            DefaultResolver(nameservers=nameservers)


class TestNames:
    """Any text can be asked for: a name may come from a server."""

    @pytest.mark.parametrize("kind", [DefaultResolver, ThreadedResolver])
    async def test_any_text(self, monkeypatch: pytest.MonkeyPatch, kind: type[Any]) -> None:
        """What no name server can be asked for is an OSError like an unknown name."""
        ask = socket.getaddrinfo

        def numeric(host: str, port: int, *more: Any) -> Any:
            return ask(host, port, *more[:-1], socket.AI_NUMERICHOST)  # no network

        resolver = kind()
        if kind is DefaultResolver:
            resolver = kind(nameservers=[f"127.0.0.1:{closed_port()}"], timeout=0.01, tries=1)
        labels = strategies.one_of(
            strategies.text(max_size=3),
            strategies.sampled_from(
                ["a", "\0", "\ud800", "xn--a", "\u200d", "a" * 64, "\u0130", "é" * 300]
            ),
        )
        names: list[str] = []

        @settings(max_examples=150, database=None, suppress_health_check=[HealthCheck.too_slow])
        @given(strategies.lists(labels, max_size=4).map(".".join))
        def collect(name: str) -> None:
            names.append(name)

        collect()
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", numeric)
            for name in names:
                with contextlib.suppress(OSError):
                    await resolver.resolve(name, 80, socket.AF_INET)
        await resolver.close()

    @pytest.mark.parametrize("place", ["nonsense", "127.0.0.1:99999", "a.test", "\u00e9", 7])
    async def test_name_servers_that_are_not_addresses(self, place: Any) -> None:
        """They are an OSError that names them."""
        resolver = DefaultResolver(nameservers=[place])
        with pytest.raises(OSError, match="name servers"):
            await resolver.resolve("a.test", 80)
        await resolver.close()


class TestTheSystem:
    """For names that DNS may not know; with servers of one's own never."""

    async def test_aiodns_cannot_be_set_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where aiodns does not work on the event loop the system is asked."""

        def refuse(*args: Any, **more: Any) -> None:
            raise RuntimeError("aiodns needs a SelectorEventLoop on Windows")

        monkeypatch.setattr(dns.aiodns, "DNSResolver", refuse)
        resolver = DefaultResolver()
        found = await resolver.resolve("localhost", 80, socket.AF_INET)
        await resolver.close()
        assert addresses(found) == ["127.0.0.1"]

    @pytest.mark.parametrize(
        ("name", "answer", "asked"),
        [
            ("a.test", "NXDOMAIN", False),
            ("a.test", [], False),
            ("a.test", "silence", False),
            ("a.test", "SERVFAIL", False),
            ("a.test", "nobody", True),
            ("printer", "NXDOMAIN", True),
            ("printer.", "NXDOMAIN", True),
            ("printer.local", "NXDOMAIN", True),
            ("printer.local", "silence", False),
            ("notlocal.test", "NXDOMAIN", False),
        ],
    )
    async def test_when_it_is_asked(
        self, monkeypatch: pytest.MonkeyPatch, name: str, answer: Any, asked: bool
    ) -> None:
        """The system is asked for names that DNS may not know, and when DNS is out of reach."""
        names: list[str] = []

        class System(ThreadedResolver):
            async def resolve(self, host: str, *more: Any) -> Any:
                names.append(host)
                raise OSError(None, "the system does not know either")

        monkeypatch.setattr(dns, "ThreadedResolver", System)
        real = dns.aiodns.DNSResolver
        async with DNSServer({name.rstrip("."): answer}) as server:
            place = f"127.0.0.1:{closed_port()}" if answer == "nobody" else server.address

            def configured(nameservers: None, **more: Any) -> Any:
                assert nameservers is None
                return real([place], **more)  # as if the system's configuration named it

            monkeypatch.setattr(dns.aiodns, "DNSResolver", configured)
            resolver = DefaultResolver(timeout=0.02, tries=1)
            with pytest.raises(OSError, match=r"\w"):
                await resolver.resolve(name, 80, socket.AF_INET)
            await resolver.close()
        assert names == ([name] if asked else [])

    async def test_names_of_this_machine(self) -> None:
        """A name of the hosts file resolves without a network."""
        resolver = DefaultResolver()
        found = await resolver.resolve("localhost", 80, socket.AF_INET)
        await resolver.close()
        assert addresses(found) == ["127.0.0.1"]
        assert found[0]["port"] == 80

    async def test_nothing_is_started_before_the_first_lookup(self) -> None:
        """A resolver may be made without an event loop, and closed unused."""
        await DefaultResolver().close()

    async def test_usable_after_close(self) -> None:
        """A lookup after close() starts anew."""
        resolver = DefaultResolver()
        for _ in range(2):
            assert await resolver.resolve("localhost", 80, socket.AF_INET)
            await resolver.close()


class TestTimeToLive:
    @pytest.mark.parametrize(
        ("said", "kept"),
        [(0, 1.0), (1, 1.0), (77, 77.0), (600, 600.0), (86400, 600.0)],
    )
    async def test_of_the_record(self, said: int, kept: float) -> None:
        """An answer is kept as long as its record says, at least 1 s and at most 10 min."""
        clock = Clock()
        async with DNSServer({"a.test": ["127.0.0.1"]}, ttl=said) as server:
            inner = DefaultResolver(nameservers=[server.address])
            resolver = CachingResolver(inner, clock=clock)
            await resolver.resolve("a.test", 80, socket.AF_INET)
            clock.now += kept - 0.01
            assert resolver.cached("a.test", 80, socket.AF_INET) is not None
            clock.now += 0.02
            assert resolver.cached("a.test", 80, socket.AF_INET) is None
            await inner.close()

    async def test_of_a_chain(self) -> None:
        """An answer by way of other names holds no longer than these."""
        names = {"a.test": "b.test", "b.test": "c.test", "c.test": ["127.0.0.1", "::1"]}
        async with DNSServer(names, ttl=3600) as server:
            server.cname_ttl = 7
            resolver = DefaultResolver(nameservers=[server.address])
            found: Any = await resolver.resolve("a.test", 80, socket.AF_UNSPEC)
            assert [each["ttl"] for each in found] == [7, 7]
            await resolver.close()

    async def test_asked_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """c-ares' own memory does not outlive its channel's second: a change is seen then, and a failure's end."""
        monkeypatch.setattr(dns, "CHANNEL_TIME", 0.0)
        async with DNSServer({"a.test": ["127.0.0.1"]}, ttl=3600) as server:
            resolver = DefaultResolver(nameservers=[server.address])
            assert addresses(await resolver.resolve("a.test", 80)) == ["127.0.0.1"]
            server.names = {"a.test": ["127.0.0.2"]}
            assert addresses(await resolver.resolve("a.test", 80)) == ["127.0.0.2"]
            del server.names["a.test"]
            with pytest.raises(OSError, match=r"\w"):
                await resolver.resolve("a.test", 80)
            server.names = {"a.test": ["127.0.0.3"]}
            assert addresses(await resolver.resolve("a.test", 80)) == ["127.0.0.3"]
            await resolver.close()

    async def test_clear(self) -> None:
        """To clear the cache clears c-ares' memory too: the next lookup asks."""
        async with DNSServer({"a.test": ["127.0.0.1"]}, ttl=3600) as server:
            inner = DefaultResolver(nameservers=[server.address])
            resolver = CachingResolver(inner)
            for times in (1, 2):
                await resolver.resolve("a.test", 80, socket.AF_INET)
                await resolver.resolve("a.test", 80, socket.AF_INET)
                assert server.questions("a.test") == ["A"] * times
                resolver.clear()
            await inner.close()

    async def test_of_the_connector(self) -> None:
        """ttl_dns_cache= takes the record's place."""
        async with (
            RawServer.replies([OK], repeat=True) as web,
            DNSServer({"a.test": ["127.0.0.1"]}, ttl=0) as server,
        ):
            connector = TCPConnector(
                resolver=DefaultResolver(nameservers=[server.address]),
                ttl_dns_cache=None,
                force_close=True,
                family=socket.AF_INET,
            )
            async with ClientSession(connector=connector) as session:
                for _ in range(3):
                    async with session.get(web.url(host="a.test")) as response:
                        assert await response.read() == b"ok"
                assert server.questions("a.test") == ["A"]


@pytest.mark.skipif(sys.platform != "linux", reason="counts the descriptors of this process")
class TestChannels:
    """Each has a thread and five descriptors."""

    async def test_closed_when_replaced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A channel that was replaced is closed, also while the traceback of a failed lookup is kept."""
        monkeypatch.setattr(dns, "CHANNEL_TIME", 0.0)
        kept: list[OSError] = []
        before = inotify_instances()
        async with DNSServer({}) as server:
            resolver = DefaultResolver(nameservers=[server.address])
            for number in range(6):
                with pytest.raises(OSError, match=r"\w") as caught:
                    await resolver.resolve(f"h{number}.test", 80)
                kept.append(caught.value)
            await until(lambda: inotify_instances() <= before + 1)
            resolver.clear()
            with pytest.raises(OSError, match=r"\w"):
                await resolver.resolve("a.test", 80)
            await until(lambda: inotify_instances() <= before + 1)
            await resolver.close()
        await until(lambda: inotify_instances() <= before)
        assert len(kept) == 6

    async def test_bounds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """However long the name servers are silent, there are never more than a few channels."""
        monkeypatch.setattr(dns, "CHANNEL_TIME", 0.0)
        before = inotify_instances()
        names = [f"h{number}.test" for number in range(12)]
        async with DNSServer(
            {**dict.fromkeys(names, "silence"), "a.test": ["127.0.0.1"]}
        ) as server:
            resolver = DefaultResolver(nameservers=[server.address])
            tasks = []
            for name in names:
                tasks.append(asyncio.create_task(resolver.resolve(name, 80)))
                await asyncio.sleep(0)
            assert len(resolver._channels) == dns.MAX_CHANNELS
            assert inotify_instances() <= before + dns.MAX_CHANNELS
            # Others are found meanwhile.
            assert addresses(await resolver.resolve("a.test", 80)) == ["127.0.0.1"]
            await resolver.close()
            assert all(
                isinstance(found, OSError)
                for found in await asyncio.gather(*tasks, return_exceptions=True)
            )
        await until(lambda: inotify_instances() <= before)


def inotify_instances() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found += "inotify" in os.readlink(f"/proc/self/fd/{name}")
    return found


async def until(condition: Callable[[], bool]) -> None:
    """Wait for c-ares' own threads, which the event loop knows nothing of."""
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{inotify_instances()} channels")


class TestManyAtATime:
    async def test_one_lookup(self) -> None:
        """Many requests for a name that nobody knows yet ask once."""
        async with (
            RawServer.replies([OK], repeat=True) as web,
            DNSServer({"a.test": ["127.0.0.1"]}) as server,
            ClientSession(
                connector=TCPConnector(
                    resolver=DefaultResolver(nameservers=[server.address]), family=socket.AF_INET
                )
            ) as session,
        ):

            async def fetch() -> bytes:
                async with session.get(web.url(host="a.test")) as response:
                    return await response.read()

            assert await asyncio.gather(*(fetch() for _ in range(50))) == [b"ok"] * 50
            assert server.questions("a.test") == ["A"]

    async def test_many_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A hundred lookups at a time, over channels that are replaced meanwhile, all succeed; none is left."""
        monkeypatch.setattr(dns, "CHANNEL_TIME", 0)
        async with DNSServer({f"h{n}.test": [f"127.0.2.{n}"] for n in range(100)}) as server:
            resolver = DefaultResolver(nameservers=[server.address])

            async def look_up(number: int) -> list[str]:
                await turns(number % 7)
                return addresses(await resolver.resolve(f"h{number}.test", 80))

            found = await asyncio.gather(*(look_up(number) for number in range(100)))
            assert found == [[f"127.0.2.{number}"] for number in range(100)]
            assert len(resolver._channels) <= 1
            await resolver.close()

    async def test_cancelled_everywhere(self) -> None:
        """A lookup cancelled at any await leaves the resolver usable and its neighbour undisturbed."""
        async with DNSServer({"a.test": ["127.0.0.1"], "b.test": ["127.0.0.2"]}) as server:
            inner = DefaultResolver(nameservers=[server.address])
            resolver = CachingResolver(inner, max_size=0)

            async def scenario() -> None:
                await resolver.resolve("a.test", 80, socket.AF_INET)

            async def still_works() -> None:
                found = await resolver.resolve("b.test", 80, socket.AF_INET)
                assert addresses(found) == ["127.0.0.2"]

            # c-ares closes the socket of a lookup that nobody waits for in a thread of its own, when the answer is
            # here: later than any number of rounds of this loop.
            assert await cancel_everywhere(scenario, still_works, leaks=False) > 0
            await inner.close()

    @pytest.mark.parametrize((), [pytest.param(id="URL-10")])
    async def test_closed_meanwhile(self) -> None:
        """A session closed at any moment of a lookup leaves no socket, and errors that are documented."""
        async with DNSServer({"a.test": "silence", "b.test": ["127.0.0.1", "::1"]}) as server:
            for rounds in range(12):
                for name in ("a.test", "b.test"):
                    resolver = DefaultResolver(nameservers=[server.address])
                    session = ClientSession(connector=TCPConnector(resolver=resolver))
                    task = asyncio.create_task(session.get(f"http://{name}:1/"))  # type: ignore[arg-type]
                    for _ in range(rounds):
                        await asyncio.sleep(0)
                    await session.close()
                    with pytest.raises((aioclient.ClientError, RuntimeError)):
                        await task
                    await resolver.close()


@pytest.mark.skipif(sys.platform == "win32", reason="the virtual clock's selector loop")
class TestTimeouts:
    async def test_a_silent_server(self, loop_name: str) -> None:
        """A lookup that takes longer than a connection may is a ConnectTimeoutError that says so."""
        async with DNSServer({"a.test": "silence"}) as server:
            resolver = DefaultResolver(nameservers=[server.address])
            async with ClientSession(connector=TCPConnector(resolver=resolver)) as session:
                with pytest.raises(aioclient.ConnectTimeoutError, match=r"no address of a\.test"):
                    await session.get("http://a.test/", timeout=ClientTimeout(connect=0.02))
            await resolver.close()
