"""A connector of aiohttp's: its settings are taken over, and nothing of it stays open."""

import asyncio
import gc
import socket
import warnings
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import aioclient
from aioclient import ClientSession, TCPConnector, UnixConnector
from aioclient.testing import RawServer, turns

from ..loopback import OK, Loopback
from ..servers.certificates import Certificates

pytestmark = pytest.mark.rows("S003-01")


def taken(session: ClientSession) -> Any:
    """Return the session's connector, as an object whose private names may be looked at."""
    assert isinstance(session.connector, TCPConnector | UnixConnector)
    return session.connector


class TestSettings:
    @pytest.mark.parametrize(
        ("arguments", "ours"),
        [
            ({"limit": 7}, {"limit": 7}),
            ({"limit": 0}, {"limit": 0}),
            ({"limit_per_host": 3}, {"limit_per_host": 3}),
            ({"force_close": True}, {"force_close": True}),
            ({"family": socket.AF_INET6}, {"family": socket.AF_INET6}),
            ({"use_dns_cache": False}, {"use_dns_cache": False}),
            ({"happy_eyeballs_delay": None}, {"_happy_eyeballs_delay": None}),
            ({"interleave": 2}, {"_interleave": 2}),
            ({"local_addr": ("127.0.0.1", 0)}, {"_local_addr": ("127.0.0.1", 0)}),
            ({"local_addr": ("::1", 0)}, {"_local_addr": ("::1", 0)}),
            ({"ssl": False}, {"verify_ssl": False, "fingerprint": None}),
            (
                {"ssl": aiohttp.Fingerprint(bytes(32))},
                {"fingerprint": bytes(32)},
            ),
        ],
        ids=lambda value: next(iter(value)),
    )
    async def test_each_is_taken_over(
        self, arguments: dict[str, Any], ours: dict[str, Any]
    ) -> None:
        """What aiohttp's connector was given is what ours goes by."""
        async with ClientSession(connector=aiohttp.TCPConnector(**arguments)) as session:
            for name, value in ours.items():
                assert getattr(taken(session), name) == value

    async def test_the_defaults(self) -> None:
        """Without settings ours has its own defaults; addresses are kept as long as aiohttp keeps them."""
        async with (
            ClientSession(connector=aiohttp.TCPConnector()) as session,
            TCPConnector() as plain,
        ):
            for name in ("limit", "limit_per_host", "force_close", "family", "use_dns_cache"):
                assert getattr(taken(session), name) == getattr(plain, name)
            assert taken(session).verify_ssl
            assert taken(session).fingerprint is None
            for name in ("_happy_eyeballs_delay", "_interleave", "_local_addr"):
                assert getattr(taken(session), name) == getattr(plain, name)
            assert taken(session)._resolver._ttl == 10

    @pytest.mark.virtual_clock
    @pytest.mark.parametrize(("keepalive", "connections"), [(None, 1), (30, 1), (5, 2)])
    async def test_keepalive_timeout(self, keepalive: float | None, connections: int) -> None:
        """Idle connections are kept for as long as it says."""
        connector = aiohttp.TCPConnector(keepalive_timeout=keepalive)
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(connector=connector) as session,
        ):
            await (await session.get(server.url())).read()
            await asyncio.sleep(20)
            await (await session.get(server.url())).read()
            assert server.connections == connections

    @pytest.mark.virtual_clock
    @pytest.mark.parametrize(
        ("arguments", "asked"),
        [
            ({"ttl_dns_cache": 5}, ["a.test", "b.test", "a.test"]),
            ({"ttl_dns_cache": None}, ["a.test", "b.test"]),
            ({"ttl_dns_cache": None, "dns_cache_max_size": 1}, ["a.test", "b.test", "a.test"]),
            ({"use_dns_cache": False}, ["a.test", "b.test", "a.test"]),
        ],
    )
    async def test_resolver(self, arguments: dict[str, Any], asked: list[str]) -> None:
        """The resolver that it was given is asked, and its answers are kept as it says."""
        resolver = Loopback()
        connector = aiohttp.TCPConnector(resolver=resolver, force_close=True, **arguments)
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(connector=connector) as session,
        ):
            taken(session)._resolver._clock = asyncio.get_running_loop().time
            await (await session.get(server.url(host="a.test"))).read()
            await (await session.get(server.url(host="b.test"))).read()
            await asyncio.sleep(7)
            await (await session.get(server.url(host="a.test"))).read()
        assert resolver.asked == asked

    async def test_ssl(self, certificates: Certificates) -> None:
        """Its TLS context is the one that is used."""
        context = certificates.client_context()
        async with (
            RawServer.replies([OK], ssl=certificates.server_context()) as server,
            ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        ):
            assert (await session.get(server.url(host="localhost"))).status == 200

    async def test_a_unix_connector(self, tmp_path: Path) -> None:
        """A Unix connector's path and limits are taken over."""
        path = tmp_path / "socket"
        connector = aiohttp.UnixConnector(str(path), limit=2, limit_per_host=1, force_close=True)
        async with (
            RawServer.replies([OK], unix_path=path) as server,
            ClientSession(server.url(), connector=connector) as session,
        ):
            assert (await session.get("")).status == 200
            ours = taken(session)
            assert (ours.path, ours.limit, ours.limit_per_host) == (str(path), 2, 1)
            assert ours.force_close
            assert server.requests[0].value("Connection") == "close"


class Renamed(aiohttp.TCPConnector):
    """Sets a default, and adds a method."""

    def __init__(self, **more: Any) -> None:
        super().__init__(limit=5, **more)
        self.mine = 1

    def more(self) -> int:
        return self.mine

    def __repr__(self) -> str:
        return "<Renamed>"


class Resolves(aiohttp.TCPConnector):
    async def _resolve_host(self, *arguments: Any, **more: Any) -> Any:
        raise AssertionError


class Dials(aiohttp.TCPConnector):
    """As clickhouse-connect has one."""

    async def _create_connection(self, *arguments: Any, **more: Any) -> Any:
        raise AssertionError


class Below(Resolves):
    async def connect(self, *arguments: Any, **more: Any) -> Any:
        raise AssertionError


class Limits(aiohttp.UnixConnector):
    @property
    def limit(self) -> int:
        return 1


class OfItsOwn(aiohttp.BaseConnector):
    pass


class TestSubclasses:
    async def test_one_that_only_adds(self) -> None:
        """A subclass that overrides nothing is taken over with its settings."""
        async with ClientSession(connector=Renamed(limit_per_host=2)) as session:
            assert (taken(session).limit, taken(session).limit_per_host) == (5, 2)

    @pytest.mark.parametrize(
        ("make", "text"),
        [
            (Resolves, r"test_adopt.Resolves, which overrides _resolve_host of aiohttp's TCPC"),
            (
                Dials,
                "which overrides _create_connection of aiohttp's TCPConnector; .* never be called",
            ),
            (Below, "which overrides _resolve_host, connect of aiohttp's TCPConnector"),
            (lambda: Limits("/x"), "which overrides limit of aiohttp's UnixConnector"),
            (OfItsOwn, "OfItsOwn; of aiohttp's connectors TCPConnector and UnixConnector are"),
        ],
    )
    async def test_one_that_overrides(self, make: Any, text: str) -> None:
        """What a subclass overrides would never be called: it is refused, and the reason said."""
        connector = make()
        with pytest.raises(TypeError, match=text):
            ClientSession(connector=connector)
        await connector.close()

    async def test_a_method_that_was_replaced(self) -> None:
        """So is an object whose own method was replaced."""
        connector: Any = aiohttp.TCPConnector()
        connector._resolve_host = None
        with pytest.raises(TypeError, match="which overrides _resolve_host"):
            ClientSession(connector=connector)
        await connector.close()

    async def test_a_socket_factory(self) -> None:
        """Its sockets are made as it makes them."""
        made: list[socket.socket] = []

        def factory(address: Any) -> socket.socket:
            made.append(socket.socket(*address[:3]))
            return made[-1]

        connector = aiohttp.TCPConnector(socket_factory=factory)
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(connector=connector) as session,
        ):
            async with session.get(server.url("/")) as response:
                assert response.status == 200
            assert len(made) == 1


class TestItsEnd:
    async def test_the_owner_closes_it(self) -> None:
        """A session that owns its connector closes aiohttp's with ours."""
        connector = aiohttp.TCPConnector()
        async with ClientSession(connector=connector) as session:
            ours = session.connector
            assert ours is not None
            assert not connector.closed
        assert connector.closed
        assert ours.closed

    async def test_sessions_share_it(self) -> None:
        """Sessions that were given the same one share one pool, which ends with the last of them."""
        connector = aiohttp.TCPConnector()
        async with RawServer.replies([OK], repeat=True) as server:
            one, two = (ClientSession(connector=connector, connector_owner=False) for _ in range(2))
            assert one.connector is two.connector
            ours = one.connector
            assert ours is not None
            for session in (one, two):
                await (await session.get(server.url())).read()
            assert server.connections == 1
            await one.close()
            assert not ours.closed
            await (await two.get(server.url())).read()
            assert server.connections == 1
            await two.close()
            assert ours.closed
            assert not connector.closed
            async with ClientSession(connector=connector) as three:
                assert three.connector is not ours
                await (await three.get(server.url())).read()
        assert connector.closed

    async def test_an_owner_among_them(self) -> None:
        """When a session that owns it is closed it is closed for all, as aiohttp's is."""
        connector = aiohttp.TCPConnector()
        other = ClientSession(connector=connector, connector_owner=False)
        async with ClientSession(connector=connector):
            pass
        with pytest.raises(aioclient.ClientConnectionError, match="connector is closed"):
            await other.get("http://a.test/")
        await other.close()
        with pytest.raises(RuntimeError, match="is closed"):
            ClientSession(connector=connector)

    async def test_detach(self) -> None:
        """A session that lets go of it leaves aiohttp's open, and no connection behind."""
        connector = aiohttp.TCPConnector()
        async with RawServer.replies([OK], repeat=True) as server:
            session = ClientSession(connector=connector)
            await (await session.get(server.url())).read()
            session.detach()
            session.detach()
            assert session.closed
            assert not connector.closed
            await turns(20)
            assert not server.open_connections
        await connector.close()

    async def test_nothing_is_warned_of(self) -> None:
        """aiohttp's connector holds no connection, so its end says nothing; ours is said to be unclosed."""
        async with RawServer.replies([OK], repeat=True) as server:
            with warnings.catch_warnings(record=True) as found:
                warnings.simplefilter("always")
                session = ClientSession(connector=aiohttp.TCPConnector())
                await (await session.get(server.url())).read()
                await session.close()
                del session
                gc.collect()
            assert found == []

    async def test_a_one_shot_call(self) -> None:
        """A one-shot call takes it too, and leaves it open."""
        connector = aiohttp.TCPConnector(resolver=(resolver := Loopback()))
        async with RawServer.replies([OK], repeat=True) as server:
            response = await aioclient.get(server.url(host="a.test"), connector=connector)
            assert response.status == 200
        assert resolver.asked == ["a.test"]
        assert not connector.closed
        await connector.close()

    def test_another_loop(self) -> None:
        """One of another event loop is refused."""

        async def make() -> aiohttp.TCPConnector:
            return aiohttp.TCPConnector()

        async def use(connector: aiohttp.TCPConnector) -> None:
            with pytest.raises(RuntimeError, match="belongs to another event loop"):
                ClientSession(connector=connector)
            await connector.close()

        connector = asyncio.run(make())
        asyncio.run(use(connector))


class ForProxies(aiohttp.TCPConnector):
    """As aiobotocore has one: it changes how aiohttp goes by a proxy."""

    def _update_proxy_auth_header_and_build_proxy_req(self, req: Any) -> Any:
        raise AssertionError("never called")


class TestForProxies:
    async def test_without_a_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What overrides the way by proxies alone is taken over; the environment's proxies are left out."""
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(connector=ForProxies(), trust_env=True) as session,
        ):
            assert (await session.get(server.url())).status == 200

    async def test_with_a_proxy(self) -> None:
        """With a proxy it is refused, with the reason."""
        async with ClientSession(connector=ForProxies()) as session:
            with pytest.raises(ValueError, match="overrides how aiohttp uses proxies"):
                await session.get("http://127.0.0.1:1/", proxy="http://127.0.0.1:2")
        with pytest.raises(ValueError, match="overrides how aiohttp uses proxies"):
            ClientSession(connector=ForProxies(), proxy="http://127.0.0.1:2")
