"""Where a body ends: lengths, chunks, trailers, and connections that are cut."""

import asyncio
import gzip

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector
from aioclient.testing import RawConnection, RawServer, turns

from ..loopback import OK
from ..servers.certificates import Certificates
from .parts import drops, fetch, numbers

pytestmark = pytest.mark.both_loops
reports = pytest.mark.reports

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


@reports("aio-libs/aiohttp#1619", "aio-libs/aiohttp#1652")
async def test_trailers_belong_to_their_response() -> None:
    """Trailers were ignored, and then parsed as the beginning of the next response."""
    reply = CHUNKED + b"Trailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"
    async with RawServer.replies([reply, reply, OK]) as server, ClientSession() as session:
        for _ in range(2):
            async with session.get(server.url()) as response:
                assert await response.read() == b"ok"
                assert response.trailers["X-Sum"] == "7"
                assert "X-Sum" not in response.headers
        assert await fetch(session, server.url()) == b"ok"
        assert server.connections == 1


@reports("aio-libs/aiohttp#4630", "aio-libs/aiohttp#4693", "aio-libs/aiohttp#4801")
@pytest.mark.parametrize("cut", range(1, 8))
async def test_the_last_chunk_in_two_segments(cut: int) -> None:
    """A body whose last line ends came in a segment of their own never ended."""
    end = b"\r\n0\r\n\r\n"

    async def script(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(CHUNKED + b"\r\n2\r\nok" + end[:cut])
        await turns(3)
        conn.send(end[cut:])
        await conn.closed()

    async with RawServer(script) as server, ClientSession() as session:
        assert await fetch(session, server.url()) == b"ok"
        assert numbers(session) == (0, 1, 0)


@reports("aio-libs/aiohttp#9851")
async def test_chunk_extensions() -> None:
    """Extensions of chunks were taken for a part of the size, or of the body."""
    reply = CHUNKED + b'\r\n1;a=b\r\no\r\n1;c="d;e"\r\nk\r\n0;end\r\n\r\n'
    async with RawServer.replies([reply, OK]) as server, ClientSession() as session:
        assert await fetch(session, server.url()) == b"ok"
        assert await fetch(session, server.url()) == b"ok"


@reports("aio-libs/aiohttp#10355")
async def test_a_chunk_without_its_line_end() -> None:
    """A chunk that was not followed by a line end made the body hang while it swallowed all that came."""

    async def script(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(CHUNKED + b"\r\n2\r\nokXX")
        await conn.closed()

    async with RawServer(script) as server, ClientSession() as session:
        with pytest.raises(aioclient.ClientPayloadError):
            await fetch(session, server.url())
        assert numbers(session) == (0, 0, 0)


@reports("aio-libs/aiohttp#14")
async def test_a_body_up_to_the_end_of_the_connection() -> None:
    """A response without a length, whose body ends with the connection, had no body."""
    async with (
        drops(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody") as server,
        ClientSession() as session,
    ):
        assert await fetch(session, server.url()) == b"body"


@reports("urllib3/urllib3#311", "psf/requests#4956", "aio-libs/aiohttp#3026")
@pytest.mark.parametrize(
    "head", [b"Content-Length: 20\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n14\r\n"]
)
@pytest.mark.parametrize("way", ["read", "iter_chunked", "read_n", "readline"])
async def test_a_short_body(head: bytes, way: str) -> None:
    """A body shorter than announced was given as if it were whole when it was read in pieces."""
    async with (
        drops(b"HTTP/1.1 200 OK\r\n" + head + b"12345") as server,
        ClientSession() as session,
        session.get(server.url()) as response,
    ):
        got = b""
        content = response.content
        with pytest.raises(aioclient.IncompleteBodyError):
            if way == "read":
                await response.read()
            elif way == "iter_chunked":
                async for piece in content.iter_chunked(2):
                    got += piece
            elif way == "read_n":
                while piece := await content.read(2):
                    got += piece
            else:
                await content.readline()
        if way in ("iter_chunked", "read_n"):
            # What did come can be had (asked for in one of the threads).
            assert got == b"12345"


@reports("aio-libs/aiohttp#13348")
async def test_a_slow_reader_of_a_whole_body() -> None:
    """A body that came whole, of a server that then closed, failed as too short because the reader was slow."""
    size = 2**22

    async def script(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        conn.send(bytes(size))
        conn.send_eof()
        await conn.closed()

    async with RawServer(script) as server, ClientSession() as session:
        got = 0
        async with session.get(server.url(), read_bufsize=2**12) as response:
            async for piece in response.content.iter_chunked(2**14):
                got += len(piece)
                await asyncio.sleep(0)
        assert got == size


@reports("home-assistant/core#170551")
async def test_a_reset_is_no_end() -> None:
    """A connection that was reset in the middle of a body without length passed for the body's end."""

    async def script(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf")
        await turns(5)
        conn.reset()

    async with RawServer(script) as server, ClientSession() as session:
        with pytest.raises(aioclient.ClientError):
            await fetch(session, server.url())
        assert numbers(session) == (0, 0, 0)


@pytest.mark.parametrize("length", [True, False])
async def test_tls_that_just_stops(certificates: Certificates, length: bool) -> None:
    """A TLS connection cut without close_notify passed for the end of a body that had no length."""
    head = b"Content-Length: 4\r\n" if length else b"Connection: close\r\n"

    async def script(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\nbody")
        await turns(10)
        conn.abort()

    connector = TCPConnector(ssl=certificates.client_context())
    async with (
        RawServer(script, ssl=certificates.server_context()) as server,
        ClientSession(connector=connector) as session,
    ):
        if length:
            assert await fetch(session, server.url()) == b"body"
        else:
            with pytest.raises(aioclient.ClientPayloadError):
                await fetch(session, server.url())


@reports("psf/requests#6676")
async def test_the_length_is_that_on_the_wire() -> None:
    """The announced length of a compressed body was compared with the number of decompressed bytes."""
    body = gzip.compress(bytes(100_000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with RawServer.replies([head + body] * 2) as server, ClientSession() as session:
        assert len(await fetch(session, server.url())) == 100_000
        async with session.get(server.url()) as response:
            assert sum([len(piece) async for piece in response.content.iter_any()]) == 100_000
