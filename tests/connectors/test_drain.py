"""``drain()``: a connector that sends nothing more, and lets what is under way end."""

import asyncio
from typing import Any

import pytest

import aioclient
from aioclient import ClientConnectionError, ClientSession, TCPConnector
from aioclient.testing import RawConnection, turns

from ..servers.either import RawServer

pytestmark = [pytest.mark.both_loops, pytest.mark.both_protocols(tls=True)]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Stage:
    """A server whose ``/slow`` sends the first half of its body, and the second when ``go`` is set."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = asyncio.Event()  # for /late

    async def script(self, conn: RawConnection) -> None:
        while request := await conn.read_request():
            if request.target == "/slow":
                conn.send(OK[:-1])
                await self.go.wait()
                conn.send(OK[-1:])
            elif request.target == "/late":
                self.asked.set()
                await self.go.wait()
                conn.send(OK)
            else:
                conn.send(OK)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def connector_of(session: ClientSession) -> TCPConnector:
    connector = session.connector
    assert isinstance(connector, TCPConnector)
    return connector


async def test_what_is_under_way_ends(stage: Stage) -> None:
    """A body that is read, and a request that is not answered yet; then the last socket is closed."""
    async with RawServer(stage.script) as server, ClientSession(server.url()) as session:
        connector = connector_of(session)
        await (await session.get("/")).read()
        streamed = await session.get("/slow")
        late = asyncio.create_task(session.get("/late"))
        await stage.asked.wait()
        draining = asyncio.create_task(connector.drain())
        await turns(20)
        assert connector.closed
        assert not draining.done()
        with pytest.raises(ClientConnectionError, match="not sent, the connector is closed"):
            await session.get("/")
        stage.go.set()
        assert await streamed.read() == b"ok"
        assert await (await late).read() == b"ok"
        await draining
        assert connector._sockets.connections == set()
        assert connector.statistics().in_use == 0


@pytest.mark.http1_only("about the pool of connections for one exchange")
async def test_dials_end(stage: Stage) -> None:
    """A request whose connection is being made is sent on it, and nothing else."""
    stage.go.set()
    async with RawServer(stage.script) as server, ClientSession(server.url()) as session:
        connector = connector_of(session)
        request = asyncio.create_task(session.get("/late"))
        while not connector._sockets.dials:
            await asyncio.sleep(0)
        await connector.drain()
        assert await (await request).read() == b"ok"
        assert server.connections == 1


@pytest.mark.http1_only("about the pool of connections for one exchange")
async def test_idle_connections_are_closed_at_once(stage: Stage) -> None:
    async with RawServer(stage.script) as server, ClientSession(server.url()) as session:
        connector = connector_of(session)
        first, second = await session.get("/slow"), await session.get("/")
        await second.read()
        assert (connector.statistics().in_use, connector.statistics().idle) == (1, 1)
        draining = asyncio.create_task(connector.drain())
        await turns(50)
        assert len(connector._sockets.connections) == 1
        stage.go.set()
        assert await first.read() == b"ok"
        await draining


@pytest.mark.http1_only("about the pool of connections for one exchange")
async def test_who_waits_for_a_connection_fails(stage: Stage) -> None:
    async with (
        RawServer(stage.script) as server,
        ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
    ):
        connector = connector_of(session)
        first = await session.get("/slow")
        waiting = asyncio.create_task(session.get("/"))
        await turns(5)
        assert connector.statistics().waiting == 1
        draining = asyncio.create_task(connector.drain())
        with pytest.raises(ClientConnectionError, match="the connector is closed"):
            await waiting
        stage.go.set()
        assert await first.read() == b"ok"
        await draining


async def test_close_ends_it(stage: Stage) -> None:
    """Nothing that is under way keeps a program from ending."""
    async with RawServer(stage.script) as server, ClientSession(server.url()) as session:
        connector = connector_of(session)
        response = await session.get("/slow")
        draining = [asyncio.create_task(connector.drain()) for _ in range(2)]
        await turns(5)
        assert not any(each.done() for each in draining)
        await connector.close()
        await asyncio.gather(*draining)
        with pytest.raises(aioclient.ClientError):
            await response.read()


async def test_with_nothing_to_wait_for(stage: Stage) -> None:
    connector = TCPConnector()
    await connector.drain()
    assert connector.closed
    await connector.drain()
    async with RawServer(stage.script) as server, ClientSession(server.url()) as session:
        await (await session.get("/")).read()
        await connector_of(session).drain()
        assert connector_of(session)._sockets.connections == set()


async def test_a_connector_of_another_thread(stage: Stage) -> None:
    async with ClientSession() as session:
        connector = connector_of(session)

        def elsewhere() -> Any:
            return asyncio.run(connector.drain())

        with pytest.raises(RuntimeError, match="belongs to the event loop of another thread"):
            await asyncio.to_thread(elsewhere)
        assert not connector.closed
