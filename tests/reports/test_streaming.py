"""Bodies that are read in pieces."""

import asyncio

import pytest

import aioclient
from aioclient import ClientSession
from aioclient.response.stream import LineTooLongError
from aioclient.testing import RawConnection, turns

from .. import spoken
from ..loopback import OK, answer
from ..servers.either import RawServer
from .parts import fetch, numbers, until

pytestmark = [pytest.mark.both_protocols, pytest.mark.both_loops]
reports = pytest.mark.reports


@reports("aio-libs/aiohttp#2216", "aio-libs/aiohttp#4453", "microsoft/Agents-for-python#507")
async def test_long_lines() -> None:
    """A line longer than a hidden limit ended the stream with an error; the limit could not be set."""
    line = b"x" * 2**21 + b"\n"
    async with RawServer.replies([answer(line * 2)] * 3) as server, ClientSession() as session:
        async with session.get(server.url()) as response:
            with pytest.raises(LineTooLongError, match="max_line_length"):
                await response.content.readline()
            assert await response.content.readline(max_line_length=2**22) == line
        async with session.get(server.url(), read_bufsize=2**21) as response:
            assert [got async for got in response.content] == [line, line]


@reports("aio-libs/aiohttp#7929")
async def test_pieces_of_a_size() -> None:
    """Pieces of a fixed size could not be had: iter_chunked() gives what is there, which may be less."""

    async def drips(conn: RawConnection) -> None:
        while True:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            await conn.send_slowly(b"0123456789", 3)

    async with RawServer(drips) as server, ClientSession() as session:
        async with session.get(server.url()) as response:
            sizes = [len(piece) async for piece in response.content.iter_chunked(4)]
            assert sum(sizes) == 10
            assert max(sizes) <= 4
        async with session.get(server.url()) as response:
            content = response.content
            assert [await content.readexactly(4), await content.readexactly(4)] == [
                b"0123",
                b"4567",
            ]
            with pytest.raises(asyncio.IncompleteReadError) as caught:
                await content.readexactly(4)
            assert caught.value.partial == b"89"


@reports("aio-libs/aiohttp#4054")
async def test_up_to_a_separator() -> None:
    """A stream could be split at line feeds alone."""
    async with (
        RawServer.replies([answer(b"one\0two\0rest")]) as server,
        ClientSession() as session,
        session.get(server.url()) as response,
    ):
        got = [await response.content.readuntil(b"\0") for _ in range(4)]
    assert got == [b"one\0", b"two\0", b"rest", b""]


@reports("aio-libs/aiohttp#394")
@pytest.mark.parametrize("closed", ["response", "session"])
async def test_reading_too_late(closed: str) -> None:
    """Reading after the response or session was closed told of a server that had disconnected."""

    async def half(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await conn.closed()

    async with RawServer(half) as server:
        async with ClientSession() as session:
            response = await session.get(server.url())
            if closed == "response":
                response.close()
                with pytest.raises(aioclient.ClientConnectionError, match="released"):
                    await response.read()
        with pytest.raises(aioclient.ClientConnectionError) as caught:
            await response.read()
        assert not isinstance(caught.value, aioclient.ServerDisconnectedError)


async def test_what_was_read_can_be_read_again() -> None:
    """A body could be had once only, and text() after read() was empty."""
    async with RawServer.replies([answer(b"[1]", "Content-Type: application/json")]) as server:
        async with ClientSession() as session, session.get(server.url()) as response:
            assert await response.read() == b"[1]"
        assert await response.text() == "[1]"
        assert await response.json() == [1]
        assert await response.read() == b"[1]"


async def test_a_slow_reader_stops_the_server() -> None:
    """A body that was read slowly was taken from the network as fast as it came, and filled the memory."""
    sent = 0

    async def pours(conn: RawConnection) -> None:
        nonlocal sent
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(2**10):
            conn.send(bytes(2**18))
            sent += 2**18
            await conn.drain()

    async with RawServer(pours) as server, ClientSession() as session:
        async with session.get(server.url(), read_bufsize=2**16) as response:
            assert await response.content.readexactly(2**16)
            before = -1
            while before != sent:
                before = sent
                await turns(200)
            assert sent < 2**26  # what two sockets' buffers hold, of 256 MiB
        assert numbers(session) == (0, spoken.kept(), 0)


async def test_leaving_a_stream_early() -> None:
    """A stream that was left in its middle was read to its end first, or kept its connection."""

    async def endless(conn: RawConnection) -> None:
        await conn.read_request()
        if conn.index:
            conn.send(OK)
        else:
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not conn.lost:
                conn.send(b"5\r\nline\n\r\n")
                await turns(1)
        await conn.closed()

    async with RawServer(endless) as server, ClientSession() as session:
        async with session.get(server.url()) as response:
            async for line in response.content:
                assert line == b"line\n"
                break
        await until(lambda: numbers(session) == (0, 0, 0))
        assert await fetch(session, server.url()) == b"ok"


async def test_two_readers() -> None:
    """Two tasks that read one body got parts of each other's data, or waited for ever."""

    async def half(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        await conn.closed()

    async with (
        RawServer(half) as server,
        ClientSession() as session,
        session.get(server.url()) as response,
    ):
        first = asyncio.create_task(response.content.read(1))
        await turns(2)
        with pytest.raises(RuntimeError, match="read"):
            await response.content.read(1)
        first.cancel()
        await asyncio.wait([first])
