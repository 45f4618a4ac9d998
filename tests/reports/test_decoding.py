"""Content codings."""

import gzip
import zlib

import pytest

import aioclient
from aioclient import ClientSession
from aioclient.testing import RawConnection, turns

from .. import spoken
from ..loopback import OK, answer
from ..servers.either import RawServer
from .parts import fetch, numbers

brotli = pytest.importorskip("brotli")
zstd = pytest.importorskip("backports.zstd")

pytestmark = [pytest.mark.both_protocols, pytest.mark.both_loops]
reports = pytest.mark.reports

TEXT = b"".join(b"line %d of a text that is long enough\n" % number for number in range(5000))


def coded(coding: str, body: bytes) -> bytes:
    """Return a response with that body, as it is, and that Content-Encoding."""
    return answer(body, f"Content-Encoding: {coding}")


async def both_ways(*replies: bytes) -> list[bytes]:
    """Return the bodies of these replies, each read at once and then streamed."""
    got = []
    async with RawServer.replies([*replies, *replies]) as server, ClientSession() as session:
        for _ in replies:
            got.append(await fetch(session, server.url()))
        for _ in replies:
            async with session.get(server.url()) as response:
                pieces = [piece async for piece in response.content.iter_chunked(1000)]
                got.append(b"".join(pieces))
    return got


@reports(
    "aio-libs/aiohttp#609", "aio-libs/aiohttp#758", "aio-libs/aiohttp#154", "aio-libs/aiohttp#852"
)
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", "204 No Content"), ("GET", "304 Not Modified"), ("HEAD", "200 OK"), ("GET", "200 OK")],
)
async def test_no_body_and_a_coding(method: str, status: str, coding: str) -> None:
    """A response without a body that names a content coding failed to be decoded."""
    length = "" if status.startswith("204") else "Content-Length: 0\r\n"
    if method == "HEAD":
        length = "Content-Length: 1234\r\n"
    reply = f"HTTP/1.1 {status}\r\nContent-Encoding: {coding}\r\n{length}\r\n".encode()
    async with RawServer.replies([reply, reply, OK]) as server, ClientSession() as session:
        for _ in range(2):
            async with session.request(method, server.url()) as response:
                assert await response.read() == b""
                assert response.headers["Content-Encoding"] == coding
        assert await fetch(session, server.url()) == b"ok"
        assert server.connections == 1


@reports("aio-libs/aiohttp#758")
async def test_empty_chunked_body_with_a_coding() -> None:
    """An empty body in chunks that names a content coding failed to be decoded."""
    reply = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n0\r\n\r\n"
    )
    assert await both_ways(reply) == [b"", b""]


@reports("aio-libs/aiohttp#1931")
@pytest.mark.parametrize("coding", ["", "identity", "identity, ", ","])
async def test_a_blank_coding(coding: str) -> None:
    """A blank Content-Encoding failed as an unknown one."""
    assert await both_ways(coded(coding, b"Hello!")) == [b"Hello!"] * 2


@reports("aio-libs/aiohttp#948", "aio-libs/aiohttp#1918", "encode/httpx#756")
async def test_both_kinds_of_deflate() -> None:
    """One of the two things that servers send as deflate, with zlib's header and without, could not be read."""
    raw = zlib.compressobj(wbits=-15)
    bare = raw.compress(TEXT) + raw.flush()
    assert (
        await both_ways(coded("deflate", bare), coded("deflate", zlib.compress(TEXT))) == [TEXT] * 4
    )


@reports("urllib3/urllib3#1285", "aio-libs/aiohttp#12674", "encode/httpx#3270")
async def test_several_gzip_members() -> None:
    """Of a gzip body with several members only the first was given, and no error."""
    members = gzip.compress(TEXT[:1000]) + gzip.compress(b"") + gzip.compress(TEXT[1000:])
    assert await both_ways(coded("gzip", members)) == [TEXT] * 2


@reports("aio-libs/aiohttp#12234", "urllib3/urllib3#3008")
async def test_several_zstd_frames() -> None:
    """Of a zstd body with several frames the second failed, or all but the first were left out."""
    frames = b"".join(
        zstd.compress(TEXT[start : start + 50_000]) for start in range(0, len(TEXT), 50_000)
    )
    assert await both_ways(coded("zstd", frames)) == [TEXT] * 2


@reports("aio-libs/aiohttp#11635")
async def test_a_zstd_frame_of_unknown_size() -> None:
    """A zstd frame that does not tell its size in advance could not be decoded."""
    stream = zstd.ZstdCompressor()
    frame = stream.compress(TEXT) + stream.flush()
    assert await both_ways(coded("zstd", frame)) == [TEXT] * 2


@reports("jawah/urllib3.future#385")
@pytest.mark.parametrize("coding", ["br", "gzip", "zstd"])
async def test_streamed_bodies_are_whole(coding: str) -> None:
    """A compressed body that was streamed without a piece size ended early; the rest was thrown away."""
    compress = {"br": brotli.compress, "gzip": gzip.compress, "zstd": zstd.compress}[coding]
    big = TEXT * 20  # one small compressed piece becomes many
    reply = coded(coding, compress(big))
    async with RawServer.replies([reply, reply]) as server, ClientSession() as session:
        async with session.get(server.url()) as response:
            assert b"".join([piece async for piece in response.content.iter_any()]) == big
        async with session.get(server.url()) as response:
            assert [line async for line in response.content] == big.splitlines(keepends=True)


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd", "deflate"])
@pytest.mark.parametrize("left", [1, 8, 100])
async def test_truncated_compression(coding: str, left: int) -> None:
    """A compressed body that was cut, though its framing was whole, passed for a shorter one."""
    compress = {
        "br": brotli.compress,
        "gzip": gzip.compress,
        "zstd": zstd.compress,
        "deflate": zlib.compress,
    }[coding]
    reply = coded(coding, compress(TEXT)[:-left])
    async with RawServer.replies([reply, reply]) as server, ClientSession() as session:
        with pytest.raises(aioclient.ContentDecodingError):
            await fetch(session, server.url())
        with pytest.raises(aioclient.ContentDecodingError):
            async with session.get(server.url()) as response:
                async for _ in response.content.iter_any():
                    pass


@reports("aio-libs/aiohttp#8248")
async def test_a_small_body_that_becomes_huge() -> None:
    """A megabyte of gzip became a gigabyte of memory, even for those who streamed it."""
    bomb = gzip.compress(bytes(2**26))
    async with RawServer.replies([coded("gzip", bomb)] * 2) as server, ClientSession() as session:
        largest = total = 0
        async with session.get(server.url()) as response:
            async for piece in response.content.iter_any():
                largest = max(largest, len(piece))
                total += len(piece)
        assert total == 2**26
        assert largest <= 2**21
        with pytest.raises(aioclient.BodyTooLargeError):
            await fetch(session, server.url(), max_body_size=2**20)


@reports("aio-libs/aiohttp#13400")
async def test_two_codings() -> None:
    """A body in two content codings was decoded from one of them, or not at all."""
    twice = gzip.compress(brotli.compress(TEXT))
    fields = b"Content-Encoding: br\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    reply = b"HTTP/1.1 200 OK\r\n" + fields % len(twice) + twice
    assert await both_ways(coded("br, gzip", twice), reply) == [TEXT] * 4


async def test_compressed_events_as_they_come() -> None:
    """What a server flushed of a compressed stream was held back until the stream ended."""
    stream = zlib.compressobj(wbits=31)

    async def script(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n")
        conn.send(stream.compress(b"data: 1\n") + stream.flush(zlib.Z_SYNC_FLUSH))
        await conn.closed()

    async with RawServer(script) as server, ClientSession() as session:
        async with session.get(server.url()) as response:
            assert await response.content.readline() == b"data: 1\n"
        await turns(2)
        assert numbers(session) == (0, spoken.kept(), 0)
