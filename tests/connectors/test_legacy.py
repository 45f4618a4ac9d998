"""Connectors in the spelling of earlier aiohttp releases."""

import asyncio
import gc
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector, UnixConnector
from aioclient.testing import RawServer, turns

from ..loopback import OK, Loopback
from ..test_legacy import legacy


class TestArguments:
    @pytest.mark.rows("S003-69")
    async def test_loop(self) -> None:
        """loop= is taken, warned of, and must be the loop of the session."""
        with legacy("loop= is deprecated"):
            connector = TCPConnector(loop=asyncio.get_running_loop())
        async with ClientSession(connector=connector) as session:
            assert session.connector is connector
        other = asyncio.new_event_loop()
        with legacy("loop= is deprecated"):
            connector = TCPConnector(loop=other)
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            ClientSession(connector=connector)
        await connector.close()
        other.close()

    @pytest.mark.rows("S003-81")
    async def test_loop_of_a_unix_connector(self) -> None:
        """A unix connector takes it as well."""
        with legacy("loop= is deprecated"):
            connector = UnixConnector("/nowhere", loop=asyncio.get_running_loop())
        await connector.close()

    @pytest.mark.rows("S003-69")
    async def test_enable_cleanup_closed(self) -> None:
        """enable_cleanup_closed does nothing, and warns when it is asked for."""
        with legacy("enable_cleanup_closed is deprecated; leave it out"):
            await TCPConnector(enable_cleanup_closed=True).close()
        with legacy():
            await TCPConnector(enable_cleanup_closed=False).close()

    @pytest.mark.rows("S003-69", "S003-70")
    @pytest.mark.parametrize(
        ("arguments", "connections"),
        [
            ({}, 1),
            ({"keepalive_timeout": 0}, 2),
            ({"force_close": True}, 2),
            ({"force_close": True, "keepalive_timeout": 0}, 2),
            ({"force_close": True, "keepalive_timeout": None}, 2),
        ],
    )
    async def test_keepalive(self, arguments: Any, connections: int) -> None:
        """keepalive_timeout=0 means what force_close says, without a warning."""
        async with RawServer.replies([OK], repeat=True) as server:
            with legacy():
                connector = TCPConnector(**arguments)
            async with ClientSession(connector=connector) as session:
                assert connector.force_close is (connections == 2)
                for _ in range(2):
                    await (await session.get(server.url())).read()
        assert server.connections == connections

    @pytest.mark.rows("S003-69")
    @pytest.mark.virtual_clock
    @pytest.mark.parametrize(("seconds", "connections"), [(15, 2), (14, 1)])
    async def test_the_default_of_keepalive(self, seconds: float, connections: int) -> None:
        """An idle connection is kept for 15 seconds; None keeps it for ever."""
        async with RawServer.replies([OK], repeat=True) as server:
            for connector, made in ((TCPConnector(), connections), (_for_ever(), 1)):
                before = server.connections
                async with ClientSession(connector=connector) as session:
                    await (await session.get(server.url())).read()
                    await asyncio.sleep(seconds)
                    await (await session.get(server.url())).read()
                assert server.connections - before == made

    @pytest.mark.rows("S003-69")
    @pytest.mark.parametrize("kind", [TCPConnector, lambda **more: UnixConnector("/x", **more)])
    async def test_two_that_contradict(self, kind: Any) -> None:
        """force_close with a time to keep connections raises."""
        with pytest.raises(ValueError, match="keepalive_timeout=5 and force_close=True"):
            kind(force_close=True, keepalive_timeout=5)

    @pytest.mark.rows("S003-69", "S003-70")
    @pytest.mark.parametrize("limit", [None, 0])
    async def test_no_limit(self, limit: int | None) -> None:
        """limit=None is limit=0: there is none, and nothing warns."""
        async with RawServer.replies([OK], repeat=True) as server:
            with legacy():
                connector = TCPConnector(limit=limit, limit_per_host=limit)
            assert (connector.limit, connector.limit_per_host) == (0, 0)
            async with ClientSession(connector=connector) as session:
                await asyncio.gather(*(session.get(server.url()) for _ in range(120)))
            assert server.connections == 120

    @pytest.mark.rows("S003-70")
    @pytest.mark.parametrize("name", ["closed", "force_close", "limit", "limit_per_host"])
    async def test_they_are_read_only(self, name: str) -> None:
        """The settings of a connector cannot be changed."""
        async with TCPConnector() as connector:
            with pytest.raises(AttributeError):
                setattr(connector, name, 1)

    @pytest.mark.rows("S003-81")
    @pytest.mark.virtual_clock
    async def test_conn_timeout_of_a_unix_connector(self, tmp_path: Path) -> None:
        """conn_timeout limits the making of one connection; None and 0 set no limit."""
        path = tmp_path / "socket"
        full = socket.socket(socket.AF_UNIX)
        full.bind(str(path))
        full.listen(0)
        waiting = []
        while True:
            other = socket.socket(socket.AF_UNIX)
            other.setblocking(False)
            waiting.append(other)
            try:
                other.connect(str(path))
            except BlockingIOError:
                break
        with legacy("conn_timeout is deprecated; use ClientSession(timeout="):
            connector = UnixConnector(path, conn_timeout=5)
        assert connector.path == str(path)
        async with ClientSession(connector=connector) as session:
            with pytest.raises(aioclient.ConnectTimeoutError, match=r"within conn_timeout=5 s"):
                await session.get("http://a.test/")
            with pytest.raises(aioclient.ConnectTimeoutError, match=r"within sock_connect=3 s"):
                await session.get("http://a.test/", timeout=aioclient.ClientTimeout(sock_connect=3))
        with legacy("conn_timeout"):
            connector = UnixConnector(path, conn_timeout=0)
        async with ClientSession(connector=connector) as session:
            with pytest.raises(aioclient.ConnectTimeoutError, match=r"within sock_connect=6 s"):
                await session.get("http://a.test/", timeout=aioclient.ClientTimeout(sock_connect=6))
        for each in (full, *waiting):
            each.close()


def _for_ever() -> TCPConnector:
    return TCPConnector(keepalive_timeout=None)


class TestClose:
    """close() was no coroutine in aiohttp 2."""

    @pytest.mark.rows("S003-71")
    @pytest.mark.both_loops
    async def test_not_awaited(self) -> None:
        """Without await it closes all the same, at once, and warns; nothing is left."""
        async with RawServer.replies([OK], repeat=True) as server:
            connector = TCPConnector()
            session = ClientSession(connector=connector, connector_owner=False)
            await (await session.get(server.url())).read()
            with legacy("connector.close() without await is deprecated; write 'await"):
                connector.close()
            assert connector.closed
            with pytest.raises(aioclient.ClientConnectionError, match="connector is closed"):
                await session.get(server.url())
            await turns(20)
            assert not server.open_connections
            await session.close()

    @pytest.mark.rows("S003-71")
    async def test_not_awaited_with_a_resolver_of_its_own(self) -> None:
        """What close() has to wait for is waited for in a task: the default resolver is closed as well."""
        connector = TCPConnector()
        resolver = connector._resolver._resolver
        assert isinstance(resolver, aioclient.DefaultResolver)
        assert await resolver._current_channel() is not None
        with legacy("connector.close() without await"):
            connector.close()
        gc.collect()
        await turns(5)
        assert not resolver._channels

    @pytest.mark.rows("S003-71")
    def test_without_a_running_loop(self) -> None:
        """It closes where no event loop runs, too."""
        connector = TCPConnector()
        with legacy("connector.close() without await"):
            connector.close()
        assert connector.closed

    @pytest.mark.rows("S003-71")
    async def test_awaited(self) -> None:
        """Awaited, gathered, made a task or waited for with a limit it says nothing; again it does nothing."""
        with legacy():
            for wait in (
                lambda closing: closing,
                asyncio.gather,
                asyncio.create_task,
                lambda closing: asyncio.wait_for(closing, 1),
            ):
                connector = TCPConnector()
                await wait(connector.close())
                assert connector.closed
                await connector.close()

    async def test_from_another_thread(self) -> None:
        """A loop that runs in another thread is told of: its sockets are closed there or not at all."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            await (await session.get(server.url())).read()
            found: list[BaseException] = []

            def close() -> None:
                for closing in (session.connector.close, session.close):  # type: ignore[union-attr]
                    try:
                        asyncio.run(_wait(closing))
                    except RuntimeError as error:
                        found.append(error)

            thread = threading.Thread(target=close)
            thread.start()
            await asyncio.to_thread(thread.join)
            assert [
                "belongs to the event loop of another thread" in str(error) for error in found
            ] == [True, True]
            assert not session.closed
            await (await session.get(server.url())).read()
            assert server.connections == 1


async def _wait(close: Any) -> None:
    await close()


class TestAddresses:
    @pytest.mark.rows("S003-76", "S003-77", "S003-78")
    async def test_the_cache(self) -> None:
        """The addresses kept can be seen and forgotten, one host's or all, in the old names too."""
        connector = TCPConnector(resolver=(resolver := Loopback()), family=socket.AF_INET)
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(connector=connector) as session,
        ):
            for host in ("a.test", "b.test"):
                await session.get(server.url(host=host), headers={"Connection": "close"})
            assert connector.family == socket.AF_INET
            assert connector.use_dns_cache is True
            with legacy("connector.dns_cache is deprecated; use connector.use_dns_cache"):
                assert connector.dns_cache is True
            with legacy("connector.cached_hosts is deprecated"):
                hosts = connector.cached_hosts
            assert set(hosts) == {("a.test", server.port), ("b.test", server.port)}
            with pytest.raises(TypeError):
                hosts["c.test", 1] = []  # type: ignore[index]
            connector.clear_dns_cache("a.test", server.port)
            for host in ("a.test", "b.test"):
                await session.get(server.url(host=host), headers={"Connection": "close"})
            assert resolver.asked == ["a.test", "b.test", "a.test"]
            connector.clear_dns_cache()
            await session.get(server.url(host="b.test"))
            assert resolver.asked == ["a.test", "b.test", "a.test", "b.test"]
            for host, port in (("a.test", None), (None, 80)):
                with pytest.raises(ValueError, match="both host and port"):
                    connector.clear_dns_cache(host, port)

    @pytest.mark.rows("S003-76")
    async def test_no_cache(self) -> None:
        """Without a cache the properties say so."""
        async with TCPConnector(use_dns_cache=False) as connector:
            assert connector.use_dns_cache is False
            assert connector.family == 0
            with legacy("connector.dns_cache"):
                assert connector.dns_cache is False


class TestResolvers:
    @pytest.mark.rows("S003-80")
    async def test_the_default(self) -> None:
        """Without one, names are looked up by the library's own, which needs no thread."""
        async with TCPConnector() as connector:
            assert isinstance(connector._resolver._resolver, aioclient.DefaultResolver)

    @pytest.mark.rows("S003-80")
    @pytest.mark.parametrize("kind", [aioclient.AsyncResolver, aioclient.ThreadedResolver])
    async def test_aiohttps(self, kind: Any) -> None:
        """aiohttp's resolvers serve as well; who made one closes it."""
        resolver = kind()
        asked: list[str] = []
        original = resolver.resolve

        async def resolve(host: str, *rest: Any, **more: Any) -> Any:
            asked.append(host)
            return await original("localhost", *rest, **more)

        resolver.resolve = resolve
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(
                connector=TCPConnector(resolver=resolver, family=socket.AF_INET)
            ) as session,
        ):
            assert (await session.get(server.url(host="a.test"))).status == 200
        assert asked == ["a.test"]
        await resolver.close()


class TestNotForUsers:
    @pytest.mark.rows("S003-72", "S003-73")
    @pytest.mark.parametrize("kind", [TCPConnector, UnixConnector, aioclient.BaseConnector])
    def test_no_connection_is_handed_out(self, kind: type) -> None:
        """A connector sends requests; the ways to a bare connection are not there."""
        assert not hasattr(kind, "connect")
        assert not hasattr(kind, "_create_connection")
        with pytest.raises(NotImplementedError):
            asyncio.run(_dial())


async def _dial() -> None:
    async with ClientSession(connector=aioclient.BaseConnector()) as session:
        await session.get("http://a.test/")
