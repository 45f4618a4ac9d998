"""A connection after ``101 Switching Protocols`` is driven as aiohttp's protocol is, by libraries that know it."""

import asyncio
from typing import Any

import pytest

from aioclient import ClientConnectionError, ClientSession
from aioclient.testing import RawConnection, RawServer, turns

pytestmark = pytest.mark.both_loops

SWITCHED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
ASKED = {"Connection": "Upgrade", "Upgrade": "tcp"}


class Collector:
    """A parser that keeps what it is fed."""

    def __init__(self) -> None:
        self.fed = b""
        self.changed = asyncio.Event()
        self.ended = False

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.fed += data
        self.changed.set()
        return False, b""

    def feed_eof(self) -> None:
        self.ended = True
        self.changed.set()

    async def until(self, size: int) -> bytes:
        while len(self.fed) < size and not self.ended:
            self.changed.clear()
            await self.changed.wait()
        return self.fed


async def test_both_ways() -> None:
    """What came behind the head is fed first, then what comes; what is written goes out; the end is told."""

    async def talk(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(SWITCHED + b"first,")
        assert await conn.read_exactly(5) == b"typed"
        conn.send(b"second")

    async with RawServer(talk) as server, ClientSession() as session:
        response = await session.post(server.url(), headers=ASKED)
        assert (response.status, await response.read()) == (101, b"")
        held: Any = response.connection
        protocol = held.protocol
        assert protocol.connected
        parser = Collector()
        protocol.set_parser(parser, None)
        protocol.force_close()
        assert held.protocol is protocol
        assert await parser.until(6) == b"first,"
        protocol.transport.write(b"typed")
        await protocol._drain_helper()
        assert await parser.until(100) == b"first,second"
        assert parser.ended
        assert (protocol.transport, protocol.connected) == (None, False)
        with pytest.raises(ClientConnectionError):
            await protocol._drain_helper()
        # It is there until the response is closed, as in aiohttp.
        assert response.connection is held
        assert held.transport is None
        response.close()
        assert response.connection is None


async def test_it_is_closed_with_the_response() -> None:
    """Closing the response closes the connection, which no other request gets."""

    async def talk(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(SWITCHED)
        if conn.index:
            return
        assert await conn.closed() == b"bye"

    async with RawServer(talk) as server, ClientSession() as session:
        response = await session.get(server.url(), headers=ASKED)
        held: Any = response.connection
        parser = Collector()
        held.protocol.set_parser(parser, None)
        held.transport.write(b"bye")
        response.close()
        await parser.until(1)
        assert (parser.fed, parser.ended) == (b"", True)
        assert session.connector.statistics().in_use == 0
        (await session.get(server.url(), headers=ASKED)).close()
        assert server.connections == 2


async def test_pausing() -> None:
    """While it is paused nothing is fed; writers wait while the server does not read."""
    may_read = asyncio.Event()

    async def talk(conn: RawConnection) -> None:
        await conn.read_request()
        conn.stop_reading()
        conn.send(SWITCHED + b"a" * 10)
        await may_read.wait()
        conn.send(b"b" * 10)
        conn.start_reading()
        assert len(await conn.closed()) == 2**24

    async with RawServer(talk) as server, ClientSession() as session:
        response = await session.get(server.url(), headers=ASKED)
        held: Any = response.connection
        protocol = held.protocol
        parser = Collector()
        protocol.pause_reading()
        protocol.set_parser(parser, None)
        held.transport.write(bytes(2**24))
        drained = asyncio.ensure_future(protocol._drain_helper())
        await turns(20)
        assert not drained.done()
        may_read.set()
        await drained
        await turns(20)
        assert parser.fed == b"a" * 10
        protocol.resume_reading()
        assert await parser.until(20) == b"a" * 10 + b"b" * 10
        held.transport.close()
        await parser.until(21)
        assert parser.ended
        response.close()
