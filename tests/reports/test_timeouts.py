"""Timeouts: which one ends what."""

import asyncio
from collections.abc import AsyncIterator

import pytest

import aioclient
from aioclient import ClientSession, ClientTimeout, TCPConnector
from aioclient.testing import RawConnection, turns

from .. import spoken
from ..loopback import OK, moved
from ..servers.either import RawServer
from .parts import fetch, friendly, numbers, until

pytestmark = pytest.mark.both_protocols

reports = pytest.mark.reports
virtual = pytest.mark.virtual_clock
both_loops = pytest.mark.both_loops


@virtual
@reports("aio-libs/aiohttp#7149", "aio-libs/aiohttp#4855")
async def test_a_slow_upload_is_no_silent_server() -> None:
    """An upload that took longer than sock_read failed with a read timeout while the client was still sending."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"piece"
            await asyncio.sleep(10)

    async with (
        RawServer.replies([OK]) as server,
        ClientSession(server.url(), timeout=ClientTimeout(sock_read=2)) as session,
    ):
        assert await fetch(session, "/", "POST", data=pieces()) == b"ok"
        assert server.requests[0].body == b"piece" * 5


@virtual
@reports("aio-libs/aiohttp#3808", "aio-libs/aiohttp#6084")
async def test_sock_read_is_a_gap() -> None:
    """sock_read limited the reading of the whole body instead of the gap between two pieces."""

    async def drips(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(1.9)
            conn.send(b".")

    async with (
        RawServer(drips) as server,
        ClientSession(server.url(), timeout=ClientTimeout(sock_read=2)) as session,
    ):
        assert await fetch(session, "/") == b"." * 10


@virtual
@reports("psf/requests#3099")
async def test_a_dripping_server_ends_at_the_total() -> None:
    """A server that sent a byte now and then kept a call alive for ever; nothing limited the whole."""

    async def drips(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not conn.lost:
            conn.send(b"1\r\n.\r\n")
            await asyncio.sleep(1)

    async with (
        RawServer(drips) as server,
        ClientSession(server.url(), timeout=ClientTimeout(total=30, sock_read=5)) as session,
    ):
        with pytest.raises(aioclient.TotalTimeoutError, match=r"total=30"):
            await fetch(session, "/")
        assert numbers(session) == (0, spoken.kept(), 0)


@virtual
@reports("aio-libs/aiohttp#5546")
async def test_a_server_that_takes_no_upload() -> None:
    """An upload to a server that stopped reading hung, since no timeout was about writing."""

    async def deaf(conn: RawConnection) -> None:
        conn.stop_reading()
        await conn.wait_lost()

    async with (
        RawServer(deaf) as server,
        ClientSession(server.url(), timeout=ClientTimeout(total=30)) as session,
    ):
        with pytest.raises(aioclient.TotalTimeoutError):
            await session.post("/", data=bytes(2**24))
        assert numbers(session) == (0, spoken.kept(), 0)


@virtual
async def test_one_total_for_all_hops() -> None:
    """Each redirect began the total time limit anew."""

    async def slow(conn: RawConnection) -> None:
        while True:
            await conn.read_request()
            await asyncio.sleep(4)
            conn.send(moved("/next"))

    start = asyncio.get_running_loop().time()
    async with (
        RawServer(slow) as server,
        ClientSession(server.url(), timeout=ClientTimeout(total=10)) as session,
    ):
        with pytest.raises(aioclient.TotalTimeoutError):
            await session.get("/")
        assert asyncio.get_running_loop().time() - start == pytest.approx(10)
        assert len(server.requests) == 3


@virtual
@reports("encode/httpx#1171")
@pytest.mark.http1_only("about the pool of connections for one exchange")
async def test_the_wait_for_a_slot_says_so() -> None:
    """A wait for a connection of a full pool ended in an error that looked like a slow server."""
    async with (
        RawServer(friendly) as server,
        ClientSession(
            server.url(), connector=TCPConnector(limit=1), timeout=ClientTimeout(pool=3)
        ) as session,
    ):
        holder = asyncio.create_task(session.get("/silent"))
        await until(lambda: server.requests)
        with pytest.raises(aioclient.PoolTimeoutError, match=r"pool=3"):
            await session.get("/")
        assert not isinstance(aioclient.PoolTimeoutError, aioclient.ReadTimeoutError)
        holder.cancel()
        await asyncio.wait([holder])


@both_loops
async def test_a_timeout_around_the_call() -> None:
    """asyncio.timeout() around a call surfaced as the client's own error, or left the connection in use."""
    async with RawServer(friendly) as server, ClientSession(server.url()) as session:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.01):
                await session.get("/silent")
        assert not isinstance(caught.value, aioclient.ClientError)
        await turns(5)
        in_use, _, waiting = numbers(session)
        assert (in_use, waiting) == (0, 0)


@virtual
async def test_a_limit_that_fires_between_reads() -> None:
    """When the total limit passed while nobody read, the next read gave a short body instead of an error."""

    async def half(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await conn.closed()

    async with (
        RawServer(half) as server,
        ClientSession(server.url(), timeout=ClientTimeout(total=5)) as session,
        session.get("/") as response,
    ):
        assert await response.content.readexactly(4) == b"half"
        await server.open_connections[0].wait_lost()
        with pytest.raises(aioclient.TotalTimeoutError):
            await response.read()
