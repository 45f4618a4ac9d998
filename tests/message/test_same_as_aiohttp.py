"""The same bytes to aiohttp's session and to ours: what their responses tell, and what their streams give."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from aioclient import ClientSession, StreamReader
from aioclient.testing import RawConnection, RawServer, turns

from ..loopback import answer, moved

BODY = b"one\ntwo\r\n\nthree" + bytes(range(256)) * 20
PIECES = [BODY[:10], BODY[10:11], BODY[11:4000], BODY[4000:]]


async def to_both(
    replies: list[list[bytes]], act: Callable[[Any, str], Awaitable[object]]
) -> tuple[object, object]:
    """Return what *act* returns with our session and with aiohttp's; each reply is sent in these segments."""

    async def script(conn: RawConnection) -> None:
        for segments in replies:
            await conn.read_request()
            for segment in segments:
                conn.send(segment)
                await turns(4)
        await conn.closed()

    async with (
        RawServer(script) as server,
        ClientSession() as session,
        aiohttp.ClientSession() as other,
    ):
        # One after the other: each has a connection of its own.
        return await act(session, server.url()), await act(other, server.url())


def framed(framing: str) -> list[bytes]:
    """Return a response with BODY in segments."""
    if framing == "length":
        return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY), *PIECES]
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in PIECES]
    return [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n"]


@pytest.mark.rows("S003-84", "S003-85", "S003-86", "S003-87", "S003-94")
@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("Content-Type: text/html",),
        ("Content-Type: Text/HTML; charset=ISO-8859-1",),
        ("Content-Type: application/json",),
        ("X-a: 1", "x-A: 2", "Set-Cookie: a=1"),
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "404 Not There", "500"])
async def test_what_is_told(fields: tuple[str, ...], status: str) -> None:
    """Status, reason, version, URLs, fields, type, charset and history are the same."""

    async def told(session: Any, url: str) -> object:
        async with session.get(url + "?q=1#f") as response:
            await response.read()
            return (
                response.status,
                response.reason,
                response.version,
                response.ok,
                response.method,
                response.host,
                response.url,
                response.real_url,
                list(response.headers.items()),
                response.raw_headers,
                response.content_type,
                response.charset,
                response.cookies,
                [hop.status for hop in response.history],
                response.request_info.url,
                response.request_info.real_url,
                response.request_info.method,
                bool(response),
                response.connection,
                response.closed,
            )

    ours, theirs = await to_both([[moved("/b#g")], [answer(b"x", *fields, status=status)]], told)
    assert ours == theirs


def reads(name: str, *arguments: Any) -> Callable[[Any], Awaitable[object]]:
    """Return a function that calls a reading method until it gives nothing, and joins what came."""

    async def read(content: Any) -> object:
        found = b""
        try:
            while data := await getattr(content, name)(*arguments):
                found += data
        except asyncio.IncompleteReadError as error:
            found += error.partial
        return found, content.at_eof(), content.is_eof(), content.exception(), content.total_bytes

    return read


def iterates(name: str, *arguments: Any) -> Callable[[Any], Awaitable[object]]:
    """Return a function that iterates and joins what came."""

    async def read(content: Any) -> object:
        pieces = [piece async for piece in getattr(content, name)(*arguments)]
        return b"".join(pieces), content.at_eof(), content.total_bytes

    return read


async def lines(content: Any) -> object:
    return [line async for line in content]


async def chunks(content: Any) -> object:
    found = []
    piece = b""
    async for data, ends in content.iter_chunks():
        piece += data
        if ends and piece:  # aiohttp tells the end of some chunks twice
            found.append(piece)
            piece = b""
    return found, piece, content.at_eof()


async def readchunk(content: Any) -> object:
    found = []
    piece = b""
    while True:
        data, ends = await content.readchunk()
        if not data and not ends:
            return found, piece
        piece += data
        if ends and piece:  # aiohttp tells the end of some chunks twice
            found.append(piece)
            piece = b""


async def read_nowait(content: Any) -> object:
    found = b""
    while not content.at_eof():
        found += content.read_nowait(7)
        await asyncio.sleep(0)
    return found, content.read_nowait()


async def wait_eof(content: Any) -> object:
    await content.wait_eof()
    return content.is_eof(), content.at_eof(), content.read_nowait()


async def set_exception(content: Any) -> object:
    content.set_exception(KeyError("mine"))
    with pytest.raises(KeyError, match="mine"):
        while True:
            await content.readexactly(10_000)
    return repr(content.exception())


@pytest.mark.rows("S003-84")
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize(
    "way",
    [
        pytest.param(reads("read", 100), id="read-100"),
        pytest.param(reads("read"), id="read"),
        pytest.param(reads("readany"), id="readany"),
        pytest.param(reads("readline"), id="readline"),
        pytest.param(reads("readuntil", b"\r\n"), id="readuntil"),
        pytest.param(reads("readexactly", 1000), id="readexactly"),
        pytest.param(iterates("iter_chunked", 1000), id="iter_chunked"),
        pytest.param(iterates("iter_any"), id="iter_any"),
        lines,
        chunks,
        readchunk,
        read_nowait,
        wait_eof,
        set_exception,
    ],
)
async def test_streams(way: Callable[[Any], Awaitable[object]], framing: str) -> None:
    """Each reading method gives the same bytes, ends and states, over a socket."""

    async def act(session: Any, url: str) -> object:
        async with session.get(url) as response:
            return await way(response.content)

    ours, theirs = await to_both([framed(framing)], act)
    assert ours == theirs


@pytest.mark.rows("S003-84")
def test_nothing_is_missing() -> None:
    """Every public method of aiohttp's stream is there, but for those that feed and tune it."""
    public = {name for name in dir(aiohttp.StreamReader) if not name.startswith("_")}
    assert public - set(dir(StreamReader)) <= {
        "begin_http_chunk_receiving",
        "end_http_chunk_receiving",
        "get_read_buffer_limits",
        "on_eof",
        "set_read_chunk_size",
        "total_compressed_bytes",
    }
