"""Connections that carry many exchanges, as requests of a session share them; and dials that they join."""

import asyncio
import gc
import ssl
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

import aioclient
from aioclient import (
    ClientConnectionError,
    ClientConnectorError,
    ClientSession,
    ServerDisconnectedError,
    TCPConnector,
    TraceConfig,
)
from aioclient.connectors import pool as rules
from aioclient.connectors.dialling import Dial
from aioclient.message.origin import ConnectionKey
from aioclient.message.request import Request
from aioclient.protocols.connection import HttpConnection
from aioclient.testing import RawConnection, RawServer, turns

from ..servers.certificates import Certificates
from .many import ManyConnection, maker
from .test_seam import lines

pytestmark = pytest.mark.both_loops


class Connector(TCPConnector):
    """A connector whose connections carry *most* exchanges, and whose dials wait for `gate`."""

    def __init__(self, most: int = 100, name: str = "http/1.1", **options: Any) -> None:
        super().__init__(**options)
        self.made: list[ManyConnection] = []
        self.dials = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._dialler.protocols[name] = maker(self._driver._weak_self, self.made, most)

    async def _connect(self, request: Request, key: ConnectionKey, dial: Dial) -> HttpConnection:
        self.dials += 1
        await self.gate.wait()
        return await super()._connect(request, key, dial)

    def numbers(self) -> tuple[int, int, int, int]:
        now = self.statistics()
        return now.in_use, now.idle, now.waiting, now.joining


def offering(certificates: Certificates) -> ssl.SSLContext:
    """Return a context that offers the protocol of lines before HTTP/1.1."""
    context = certificates.client_context()
    context.set_alpn_protocols(["lines", "http/1.1"])
    return context


def http1_only(script: Any, certificates: Certificates) -> RawServer:
    """Return a server that chooses HTTP/1.1."""
    context = certificates.server_context()
    context.set_alpn_protocols(["http/1.1"])
    return RawServer(script, ssl=context)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def text(session: ClientSession, url: str) -> str:
    async with session.get(url) as response:
        return await response.text()


async def begin(session: ClientSession, *urls: str) -> list["asyncio.Task[str]"]:
    """Let requests begin, in this order, and come as far as they can without a server."""
    tasks = []
    for url in urls:
        tasks.append(asyncio.create_task(text(session, url)))
        await turns(2)
    return tasks


class TestSharing:
    async def test_a_hundred_at_a_time(self) -> None:
        """A burst dials once; all exchanges are on one socket at a time."""
        connector = Connector()
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            urls = [server.url(f"/{number}") for number in range(100)]
            answers = await asyncio.gather(*(text(session, url) for url in urls))
            assert answers == [f"/{number}" for number in range(100)]
            assert server.connections == connector.dials == 1
            assert connector.numbers() == (0, 1, 0, 0)
            now = connector.statistics()
            assert (now.opened, now.joined, now.shared, now.reused) == (1, 99, 99, 0)
            assert await text(session, urls[0]) == "/0"
            assert connector.statistics().reused == 1

    async def test_while_it_is_in_use(self) -> None:
        """Requests share the connection of a response that is still read, and it keeps its one slot."""
        connector = Connector(limit=1)
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            async with session.get(server.url("/hold")):
                assert await text(session, server.url("/a")) == "/a"
                assert await text(session, server.url("/b")) == "/b"
                assert connector.numbers() == (1, 0, 0, 0)
                assert connector.statistics().shared == 2
            assert connector.numbers() == (0, 1, 0, 0)
            assert server.connections == 1

    async def test_more_than_there_is_room_for(self) -> None:
        """Requests wait for room where no slot is free, with a trace between the grant and the begin, too."""
        queued: list[None] = []

        async def note(*_: object) -> None:
            queued.append(None)
            await asyncio.sleep(0)

        trace = TraceConfig()
        trace.on_connection_queued_end.append(note)
        trace.on_connection_reuseconn.append(note)
        connector = Connector(most=3, limit=1)
        async with (
            RawServer(lines) as server,
            ClientSession(connector=connector, trace_configs=[trace]) as session,
        ):
            urls = [server.url(f"/{number}") for number in range(40)]
            answers = await asyncio.gather(*(text(session, url) for url in urls))
            assert answers == [f"/{number}" for number in range(40)]
            assert server.connections == 1
            assert connector.numbers() == (0, 1, 0, 0)
            assert queued

    async def test_room_that_shrinks(self) -> None:
        """What the server takes back is granted to nobody; who waits gets what comes free above that."""

        async def shrinking(conn: RawConnection) -> None:
            conn.send(b"0 most 2\n")
            await lines(conn)

        connector = Connector(limit=1)
        async with RawServer(shrinking) as server, ClientSession(connector=connector) as session:
            first = await session.get(server.url("/hold"))
            second = await session.get(server.url("/hold"))
            assert connector.made[0].most == 2
            third, fourth = await begin(session, server.url("/c"), server.url("/d"))
            assert connector.numbers() == (1, 0, 2, 0)
            first.close()
            assert connector.numbers() == (1, 0, 1, 0)
            assert await third == "/c"
            assert await fourth == "/d"
            second.close()
            assert connector.numbers() == (0, 1, 0, 0)
            assert server.connections == 1

    async def test_the_end_of_a_connection(self) -> None:
        """All exchanges on it fail; who waited for its room dials with its slot."""
        connector = Connector(most=3, limit=1)
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            responses = [await session.get(server.url("/hold")) for _ in range(2)]
            gone = await session.get(server.url("/gone"))
            (waits,) = await begin(session, server.url("/a"))
            for response in [*responses, gone]:
                with pytest.raises(ServerDisconnectedError):
                    await response.read()
            assert await waits == "/a"
            assert connector.numbers() == (0, 1, 0, 0)
            assert server.connections == 2

    @pytest.mark.parametrize("granted", ["before", "after"])
    async def test_granted_and_then_cancelled(self, granted: str) -> None:
        """Room granted to a request that is cancelled before it wakes goes to the next one, whichever came first."""
        connector = Connector(most=2, limit=1)
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            first, second = [await session.get(server.url("/hold")) for _ in range(2)]
            third, fourth = await begin(session, server.url("/c"), server.url("/d"))
            if granted == "after":
                third.cancel()
            first.close()
            third.cancel()
            assert await fourth == "/d"
            assert third.cancelled()
            assert connector.made[0].room == 1
            second.close()
            assert connector.numbers() == (0, 1, 0, 0)

    async def test_what_traces_are_told(self) -> None:
        """Of a connection that was made for a request, or of one that was there, never of both."""
        heard: dict[str, list[str]] = {"/0": [], "/1": [], "/2": []}
        config = TraceConfig()
        for name in ("create_start", "create_end", "reuseconn"):

            async def note(session: Any, context: Any, params: Any, name: str = name) -> None:
                heard[context.trace_request_ctx].append(name)

            getattr(config, f"on_connection_{name}").append(note)
        connector = Connector()
        async with (
            RawServer(lines) as server,
            ClientSession(connector=connector, trace_configs=[config]) as session,
        ):

            async def fetch(path: str) -> None:
                async with session.get(server.url(path), trace_request_ctx=path) as response:
                    assert await response.text() == path

            await asyncio.gather(fetch("/0"), fetch("/1"))  # the second one joins the dial
            await fetch("/2")
        assert heard == {
            "/0": ["create_start", "create_end"],
            "/1": ["reuseconn"],
            "/2": ["reuseconn"],
        }

    async def test_granted_and_then_lost(self) -> None:
        """A request whose share dies before it wakes asks again, and dials."""
        connector = Connector(most=2, limit=1)
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            first, second = [await session.get(server.url("/hold")) for _ in range(2)]
            (third,) = await begin(session, server.url("/c"))
            first.close()
            connector.made[0].abort()
            assert await third == "/c"
            second.close()
            assert connector.numbers() == (0, 1, 0, 0)
            assert server.connections == 2

    async def test_nothing_keeps_what_was_lost(self) -> None:
        """A connection that was lost in use is forgotten, though nobody asks for another."""
        connector = Connector(most=2, http2_connections=2)
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            held = [await session.get(server.url("/hold")) for _ in range(2)]
            (asked,) = await begin(session, server.url("/gone"))
            await asyncio.wait([asked])
            assert isinstance(asked.exception(), ServerDisconnectedError)
            lost = ref(connector.made.pop())
            del asked
            await turns(5)
            gc.collect()
            assert lost() is None
            for response in held:
                response.close()

    async def test_granted_and_lost_beside_another(self) -> None:
        """A request that asks again shares what has room by then, and dials nothing."""
        connector = Connector(most=2, limit=2, http2_connections=2)
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            held = [await session.get(server.url("/hold")) for _ in range(4)]
            (waits,) = await begin(session, server.url("/a"))
            held[0].close()
            connector.made[0].abort()
            held[2].close()
            assert await waits == "/a"
            assert server.connections == 2
            held[1].close()
            held[3].close()
            assert connector.numbers() == (0, 1, 0, 0)

    async def test_closing_already(self) -> None:
        """Nobody shares a connection that closes, although it has not reported its end yet."""
        connector = Connector()
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            held = await session.get(server.url("/hold"))
            transport = connector.made[0].transport
            assert transport is not None
            transport.close()
            assert await text(session, server.url("/a")) == "/a"
            with pytest.raises(ServerDisconnectedError):
                await held.read()
            assert server.connections == 2
            assert connector.numbers() == (0, 1, 0, 0)

    async def test_repeated_together(self) -> None:
        """Requests that a stale connection has failed share a new one: what others use now is not stale."""

        async def stale(conn: RawConnection) -> None:
            if server.connections > 1:
                await lines(conn)
            conn.send(b"1 head\n1 data /0\n1 end\n")
            for _ in range(4):
                await conn.read_until(b"\n")
            conn.reset()

        connector = Connector()
        async with RawServer(stale) as server, ClientSession(connector=connector) as session:
            assert await text(session, server.url("/0")) == "/0"
            urls = [server.url(f"/{number}") for number in range(1, 4)]
            answers = await asyncio.gather(*(text(session, url) for url in urls))
            assert answers == ["/1", "/2", "/3"]
            assert server.connections == connector.dials == 2
            assert connector.numbers() == (0, 1, 0, 0)

    async def test_repeated_beside_one_that_is_idle(self) -> None:
        """A request that a stale connection has failed takes no other that was idle, either."""
        goes_on = asyncio.Event()

        async def site(conn: RawConnection) -> None:
            while True:
                number, target = (await conn.read_until(b"\n")).decode().split()
                if target == "/lost" and server.connections == 2:
                    await goes_on.wait()
                    conn.reset()
                    return
                if target != "reset":
                    conn.send(f"{number} head\n{number} data {target}\n".encode())
                    if target != "/hold":
                        conn.send(f"{number} end\n".encode())

        connector = Connector(most=1, limit=2, http2_connections=2)
        async with RawServer(site) as server, ClientSession(connector=connector) as session:
            held = await session.get(server.url("/hold"))
            assert await text(session, server.url("/b")) == "/b"
            connector.gate.clear()
            lost, waits = await begin(session, server.url("/lost"), server.url("/c"))
            assert connector.numbers() == (2, 0, 1, 0)
            goes_on.set()
            await until(lambda: connector.numbers() == (2, 0, 0, 1))
            held.close()
            await until(lambda: connector.dials == 4)
            assert connector.made[0].ended
            connector.gate.set()
            assert [await lost, await waits] == ["/lost", "/c"]
            assert server.connections == 4

    async def test_two_hosts_and_one_socket(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A busy connection of one host does not keep the only slot from another host for ever."""
        monkeypatch.setattr(rules, "OVERTAKINGS", 3)
        connector = Connector(limit=1)
        async with (
            RawServer(lines) as server,
            RawServer(lines) as other,
            ClientSession(connector=connector) as session,
        ):
            held = await session.get(server.url("/hold"))
            (waits,) = await begin(session, other.url("/other"))
            for _ in range(3):
                assert await text(session, server.url("/a")) == "/a"
            (late,) = await begin(session, server.url("/late"))
            assert connector.numbers() == (1, 0, 2, 0)
            held.close()
            assert await waits == "/other"
            assert await late == "/late"
            assert connector.numbers() == (0, 1, 0, 0)
            assert [server.connections, other.connections] == [2, 1]
            assert [each.ended for each in connector.made] == [True, True, False]

    async def test_held_up_for_a_slot(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Requests that were held up for another one's slot get their shares as soon as it has one."""
        monkeypatch.setattr(rules, "OVERTAKINGS", 1)
        connector = Connector(limit=2)
        async with (
            RawServer(lines) as server,
            RawServer(lines) as second,
            RawServer(lines) as third,
            ClientSession(connector=connector) as session,
        ):
            idle = await session.get(server.url("/hold"))
            busy = await session.get(second.url("/hold"))
            (waits,) = await begin(session, third.url("/waits"))
            for _ in range(2):
                assert await text(session, second.url("/a")) == "/a"
            (late,) = await begin(session, second.url("/late"))
            assert connector.numbers() == (2, 0, 2, 0)
            idle.close()
            assert await late == "/late"
            assert await waits == "/waits"
            busy.close()
            assert [server.connections, second.connections, third.connections] == [1, 1, 1]

    async def test_closed_when_it_was_idle_for_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A connection that came back as others joined a dial or got shares is closed in its time."""
        monkeypatch.setattr(rules, "OVERTAKINGS", 1)
        connector = Connector(limit=3, keepalive_timeout=0.001)
        async with (
            RawServer(lines) as first,
            RawServer(lines) as second,
            RawServer(lines) as third,
            RawServer(lines) as dialled,
            ClientSession(connector=connector) as session,
        ):
            idle = await session.get(first.url("/hold"))
            busy = await session.get(second.url("/hold"))
            given = await session.get(third.url("/hold"))
            connector.gate.clear()
            waiting = await begin(session, dialled.url("/0"), dialled.url("/1"))
            given.close()
            await until(lambda: connector.dials == 4)
            for _ in range(3):
                assert await text(session, second.url("/a")) == "/a"
            late = asyncio.create_task(session.get(second.url("/late/hold")))
            await until(lambda: connector.numbers() == (3, 0, 2, 0))
            idle.close()
            assert connector.numbers() == (2, 1, 0, 1)  # one joined the dial, one shares
            await until(lambda: connector.numbers() == (2, 0, 0, 1))
            connector.gate.set()
            assert [await task for task in waiting] == ["/0", "/1"]
            (await late).close()
            busy.close()

    async def test_force_close(self) -> None:
        """Nothing is shared where each connection ends with its response."""
        connector = Connector(force_close=True)
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            answers = await asyncio.gather(
                *(text(session, server.url(f"/{number}")) for number in range(4))
            )
            assert answers == ["/0", "/1", "/2", "/3"]
            assert server.connections == 4
            assert connector.numbers() == (0, 0, 0, 0)


class TestConnections:
    """``http2_connections``: how many connections share the exchanges of an origin."""

    @pytest.mark.parametrize("most", [1, 2])
    async def test_no_more_than_asked_for(self, most: int) -> None:
        """Who finds no room waits, first come first served, within the pool's limit of time."""
        connector = Connector(2, http2_connections=most)
        limits = aioclient.ClientTimeout(pool=0.001)
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            held = [await session.get(server.url(f"/{n}/hold")) for n in range(2 * most)]
            assert connector.numbers() == (most, 0, 0, 0)
            waiting = await begin(session, server.url("/a"), server.url("/b"))
            assert connector.numbers() == (most, 0, 2, 0)
            with pytest.raises(aioclient.PoolTimeoutError):
                await session.get(server.url("/c"), timeout=limits)
            held.pop().close()
            assert await waiting[0] == "/a"
            assert await waiting[1] == "/b"
            for response in held:
                response.close()
            assert connector.dials == most
            assert connector.numbers() == (0, most, 0, 0)

    async def test_of_one_exchange(self) -> None:
        """What carries one exchange at a time is bounded by the other limits only."""
        async with (
            RawServer.replies(
                [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"], repeat=True
            ) as server,
            ClientSession(http2=True) as session,
        ):
            responses = [await session.get(server.url()) for _ in range(3)]
            assert server.connections == 3
            for response in responses:
                response.close()


class TestJoining:
    async def test_a_dial_that_fails(self) -> None:
        """All who joined fail with the error of the one dial, each with an object of its own."""
        connector = Connector()
        async with ClientSession(connector=connector) as session:
            async with RawServer(lines) as server:
                urls = [server.url(f"/{number}") for number in range(5)]
            errors = await asyncio.gather(
                *(text(session, url) for url in urls), return_exceptions=True
            )
            assert connector.dials == 1
            for error, url in zip(errors, urls, strict=True):
                assert isinstance(error, ClientConnectorError)
                assert str(error).startswith(f"GET {url}: Cannot connect to host 127.0.0.1:")
            assert len({str(error).partition(": ")[2] for error in errors}) == 1
            assert len({id(error) for error in errors}) == 5
            assert {type(error.__cause__) for error in errors if isinstance(error, Exception)} == {
                ConnectionRefusedError
            }
            assert connector.numbers() == (0, 0, 0, 0)

    async def test_the_first_is_cancelled(self) -> None:
        """The next one dials, and the others join that."""
        connector = Connector(limit=1)
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            connector.gate.clear()
            urls = [server.url(f"/{number}") for number in range(4)]
            first, second, *others = await begin(session, *urls)
            await until(lambda: connector.dials == 1)
            assert connector.numbers() == (1, 0, 0, 3)
            first.cancel()
            await until(lambda: connector.dials == 2)
            assert connector.numbers() == (1, 0, 0, 2)
            connector.gate.set()
            assert await asyncio.gather(second, *others) == ["/1", "/2", "/3"]
            assert server.connections == 1
            assert connector.numbers() == (0, 1, 0, 0)

    async def test_the_dial_of_the_next_fails(self) -> None:
        """Those who joined a dial that another request went on with fail with it."""
        connector = Connector()
        async with ClientSession(connector=connector) as session:
            async with RawServer(lines) as server:
                url = server.url()
            connector.gate.clear()
            first, *others = await begin(session, *[url] * 4)
            await until(lambda: connector.dials == 1)
            first.cancel()
            await until(lambda: connector.dials == 2)
            connector.gate.set()
            errors = await asyncio.gather(*others, return_exceptions=True)
            assert all(isinstance(error, ClientConnectorError) for error in errors)
            assert connector.dials == 2
            assert connector.numbers() == (0, 0, 0, 0)

    async def test_one_who_joined_leaves_as_it_fails(self) -> None:
        """One that is cancelled at the moment when the dial fails is cancelled, and the others fail."""

        class Failing(Connector):
            async def _connect(
                self, request: Request, key: ConnectionKey, dial: Dial
            ) -> HttpConnection:
                await self.gate.wait()
                raise ClientConnectionError("no way")

        connector = Failing()
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            connector.gate.clear()
            first, second, third = await begin(session, *[server.url()] * 3)
            await turns(5)
            connector.gate.set()
            second.cancel()
            for task in (first, third):
                with pytest.raises(ClientConnectionError, match="no way"):
                    await task
            assert second.cancelled()
            assert connector.numbers() == (0, 0, 0, 0)

    async def test_the_first_takes_too_long(self) -> None:
        """A limit of its own request ends a dial for that one only."""
        connector = Connector()
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            connector.gate.clear()
            first = asyncio.create_task(
                session.get(server.url("/0"), timeout=aioclient.ClientTimeout(connect=0.001))
            )
            await until(lambda: connector.dials == 1)
            (second,) = await begin(session, server.url("/1"))
            with pytest.raises(aioclient.ConnectTimeoutError):
                await first
            await until(lambda: connector.dials == 2)
            connector.gate.set()
            assert await second == "/1"
            assert connector.numbers() == (0, 1, 0, 0)

    async def test_one_who_joined_leaves(self) -> None:
        """One that is cancelled or whose time is over leaves the dial alone."""
        connector = Connector()
        async with RawServer(lines) as server, ClientSession(connector=connector) as session:
            connector.gate.clear()
            first, second = await begin(session, server.url("/0"), server.url("/1"))
            for kind, limits in (
                (aioclient.ConnectTimeoutError, aioclient.ClientTimeout(connect=0.001)),
                (aioclient.TotalTimeoutError, aioclient.ClientTimeout(total=0.001)),
            ):
                with pytest.raises(kind, match=r"no connection to .*, which another request dials"):
                    await session.get(server.url("/2"), timeout=limits)
            second.cancel()
            await turns(2)
            assert connector.numbers() == (1, 0, 0, 0)
            connector.gate.set()
            assert await first == "/0"
            assert connector.numbers() == (0, 1, 0, 0)

    async def test_no_wait_for_the_pool(self) -> None:
        """Who has joined a dial waits for no slot, however short the pool's limit."""
        connector = Connector()
        limits = aioclient.ClientTimeout(pool=1e-9)
        async with (
            RawServer(lines) as server,
            ClientSession(connector=connector, timeout=limits) as session,
        ):
            connector.gate.clear()
            tasks = await begin(session, server.url("/0"), server.url("/1"))
            await turns(10)
            connector.gate.set()
            assert [await task for task in tasks] == ["/0", "/1"]

    async def test_a_wait_for_the_pool_behind_it(self, certificates: Certificates) -> None:
        """Who has joined a dial in vain waits for a slot then, no longer than the pool's limit."""

        async def half(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
            await conn.closed()

        connector = Connector(name="lines", ssl=offering(certificates), limit=1)
        limits = aioclient.ClientTimeout(pool=0.001)
        async with (
            http1_only(half, certificates) as server,
            ClientSession(connector=connector, timeout=limits) as session,
        ):
            connector.gate.clear()
            first = asyncio.create_task(session.get(server.url("/0")))
            await until(lambda: connector.dials == 1)
            (second,) = await begin(session, server.url("/1"))
            assert connector.numbers() == (1, 0, 0, 1)
            connector.gate.set()
            response = await first
            with pytest.raises(aioclient.PoolTimeoutError, match=r"pool=0\.001"):
                await second
            assert connector.numbers() == (1, 0, 0, 0)
            response.close()

    async def test_a_server_of_one_exchange(self, certificates: Certificates) -> None:
        """Where the handshake chose HTTP/1.1 each one dials, and the next burst joins nothing."""

        async def one(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        connector = Connector(name="lines", ssl=offering(certificates))
        async with (
            http1_only(one, certificates) as server,
            ClientSession(connector=connector) as session,
        ):
            for _ in range(2):
                answers = await asyncio.gather(*(text(session, server.url()) for _ in range(4)))
                assert answers == ["ok"] * 4
                assert connector.statistics().joined == 3
            assert connector.numbers()[0] == 0

    async def test_the_connector_is_closed(self) -> None:
        """Who dials and who joined fail as all do that a closed connector does not send."""
        connector = Connector()
        async with RawServer(lines) as server:
            session = ClientSession(connector=connector)
            connector.gate.clear()
            tasks = await begin(session, *[server.url("/a")] * 3)
            await until(lambda: connector.dials == 1)
            await session.close()
            for task in tasks:
                with pytest.raises(ClientConnectionError, match="the connector is closed"):
                    await task
            assert connector.numbers() == (0, 0, 0, 0)
            assert server.connections == 0
