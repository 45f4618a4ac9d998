"""Hostile bodies over real sockets: bombs, endless chains, cut and damaged ones, on every way that a body can go.

What a codec does is in ``message/test_codings.py``, what a stream does in ``message/test_stream.py``.
"""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any

import pytest

import aioclient
from aioclient import (
    BodyTooLargeError,
    ClientResponse,
    ClientSession,
    ContentDecodingError,
    StatusError,
    TCPConnector,
)
from aioclient.message import codings
from aioclient.testing import RawConnection, cancel_everywhere, turns

from . import spoken
from .loopback import OK
from .message.test_codings import ENCODE, zeros
from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols

ENCODING_OF = {"gzip": "gzip", "deflate": "deflate-zlib", "br": "br", "zstd": "zstd"}
CODINGS = ("gzip", "deflate", "br", "zstd")
SIZE = 32 * 2**20
# What a window, a step, two reads of a socket and what the sockets hold may take; a bomb has 32 MiB.
MEMORY = 2**20 + 2**19
TEXT = b"".join(b"line %d of a text that compresses well\n" % number for number in range(40))

Path = Callable[[ClientSession, str], Awaitable[object]]


@cache
def bomb(coding: str) -> bytes:
    return zeros(coding, SIZE)


@contextmanager
def little_memory() -> Iterator[None]:
    """See that what happens here never takes more than MEMORY bytes beside what was there before."""
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < MEMORY


def framed(body: bytes, framing: str, *fields: str, status: str = "200 OK") -> tuple[bytes, bytes]:
    """Return head and body of a response, its end told by its length, by chunks or by the connection's end."""
    lines = [f"HTTP/1.1 {status}", *fields]
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        half = len(body) // 2
        body = b"".join(
            b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (body[:half], body[half:]) if chunk
        )
        body += b"0\r\n\r\n"
    return "\r\n".join([*lines, "", ""]).encode(), body


@asynccontextmanager
async def served(
    head: bytes, body: bytes, *, later: bool = False, end: bool = False, more: bytes = OK
) -> AsyncIterator[RawServer]:
    """Serve this response to the first request of a connection, *more* to the others.

    *later* sends the body after the head, *end* closes behind it.
    """

    async def script(conn: RawConnection) -> None:
        await conn.read_request()
        if (
            spoken.http2() and len(server.requests) > 1
        ):  # the stream was left, and its connection was not
            conn.send(more)
            return
        conn.send(head if later else head + body)
        if later:
            await turns(5)
            conn.send(body)
        if end:
            conn.send_eof()
        while True:
            await conn.read_request()
            conn.send(more)

    async with RawServer(script) as server:
        yield server


async def settled(session: ClientSession) -> aioclient.PoolStatistics:
    """Return the pool's numbers when nothing is in use any more."""
    assert session.connector is not None
    while session.connector.statistics().in_use:
        await turns(1)
    return session.connector.statistics()


# Ways that give a body up, or take no more than its start.


async def release(session: ClientSession, url: str) -> None:
    (await session.get(url)).release()


async def close(session: ClientSession, url: str) -> None:
    (await session.get(url)).close()


async def leave(session: ClientSession, url: str) -> None:
    async with session.get(url):
        pass


async def leave_after_a_look(session: ClientSession, url: str) -> None:
    async with session.get(url) as response:
        assert await response.content.read(10) == bytes(10)


async def fail_inside(session: ClientSession, url: str) -> None:
    with pytest.raises(KeyError):
        async with session.get(url):
            raise KeyError


async def drop(session: ClientSession, url: str) -> None:
    response = await session.get(url)
    await turns(2)
    if response.closed:
        return
    with pytest.warns(ResourceWarning):
        del response


async def raise_for_status(session: ClientSession, url: str) -> None:
    with pytest.raises(StatusError) as caught:
        (await session.get(url)).raise_for_status()
    assert caught.value.body in (b"", bytes(2**16))


async def check_status(session: ClientSession, url: str) -> None:
    with pytest.raises(StatusError) as caught:
        await session.get(url, raise_for_status=True)
    assert caught.value.body == bytes(2**16)


async def follow(session: ClientSession, url: str) -> None:
    async with session.get(url) as response:
        assert await response.read() == b"ok"
        assert len(response.history) == 1


async def send_again(session: ClientSession, url: str) -> None:
    async def twice(request: aioclient.Request, handler: aioclient.Handler) -> ClientResponse:
        await handler(request)
        return await handler(request)

    (await session.get(url, middlewares=[twice])).release()


async def wait_for_close(session: ClientSession, url: str) -> None:
    await (await session.get(url)).wait_for_close()


SIDE_PATHS: dict[str, tuple[Path, str]] = {
    "release": (release, "200 OK"),
    "close": (close, "200 OK"),
    "leave": (leave, "200 OK"),
    "leave-after-a-look": (leave_after_a_look, "200 OK"),
    "fail-inside": (fail_inside, "200 OK"),
    "drop": (drop, "200 OK"),
    "raise-for-status": (raise_for_status, "500 Oops"),
    "check-status": (check_status, "500 Oops"),
    "redirect": (follow, "302 Found"),
    "send-again": (send_again, "200 OK"),
    "wait-for-close": (wait_for_close, "200 OK"),
}


class TestBombs:
    @pytest.mark.parametrize("later", [False, True], ids=["with-head", "after-head"])
    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"DEC-01-{c}") for c in CODINGS])
    async def test_stream(self, coding: str, later: bool) -> None:
        """A bomb that is read in pieces takes the memory of a piece, however it was sent."""
        head, body = framed(bomb(coding), "length", f"Content-Encoding: {coding}")
        async with (
            served(head, body, later=later) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            with little_memory():
                assert await response.content.read(1024) == bytes(1024)
                size = 1024
                async for piece in response.content.iter_chunked(2**16):
                    size += len(piece)
            assert size == SIZE

    @pytest.mark.parametrize("later", [False, True], ids=["with-head", "after-head"])
    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"DEC-01-{c}") for c in CODINGS])
    @pytest.mark.parametrize("way", ["read", "text", "json"])
    async def test_read(self, way: str, coding: str, later: bool) -> None:
        """A bomb that is read whole ends at max_body_size, and with it the connection that still sends it."""
        head, body = framed(bomb(coding), "length", f"Content-Encoding: {coding}")
        async with (
            served(head, body, later=later) as server,
            ClientSession(max_body_size=1000) as session,
        ):
            with little_memory():
                response = await session.get(server.url())
                for _ in range(2):
                    with pytest.raises(BodyTooLargeError, match="max_body_size=1000"):
                        await getattr(response, way)()
            response.release()
            assert (await settled(session)).in_use == 0

    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"DEC-01-{c}") for c in CODINGS])
    async def test_turns(self, coding: str) -> None:
        """A small body that decodes to much does not hold the event loop: it can be cancelled, or timed out."""
        head, body = framed(bomb(coding), "length", f"Content-Encoding: {coding}")
        async with (
            served(head, body) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            task = asyncio.ensure_future(response.read())
            await turns(5)
            assert not task.done()
            assert len(await task) == SIZE

    @pytest.mark.parametrize("later", [False, True], ids=["with-head", "after-head"])
    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"DEC-02-{c}") for c in CODINGS])
    @pytest.mark.parametrize("path", SIDE_PATHS)
    async def test_side_paths(self, path: str, coding: str, later: bool) -> None:
        """No side path decodes a body, or only as much of it as an error carries."""
        act, status = SIDE_PATHS[path]
        head, body = framed(
            bomb(coding), "length", f"Content-Encoding: {coding}", "Location: /", status=status
        )
        async with (
            served(head, body, later=later) as server,
            ClientSession(connector=TCPConnector(limit=1)) as session,
        ):
            with little_memory():
                await act(session, server.url())
                await settled(session)
            async with session.get(server.url()) as response:
                response.release()  # the slot is free again

    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"DEC-02-{c}") for c in CODINGS])
    async def test_head(self, coding: str) -> None:
        """The answer to HEAD has no body to decode, whatever its fields announce; a body all the same is not read."""
        head, body = framed(bomb(coding), "length", f"Content-Encoding: {coding}")
        async with served(head, b"") as server, ClientSession() as session:
            with little_memory():
                async with session.head(server.url()) as response:
                    assert await response.read() == b""
                async with session.head(server.url()) as response:
                    assert response.status == 200
            assert server.connections == 1
        async with served(head, body) as server, ClientSession() as session:
            with little_memory():
                async with session.head(server.url()) as response:
                    assert await response.read() == b""
            assert (await settled(session)).idle == spoken.kept()


class TestChains:
    @pytest.mark.parametrize("later", [False, True])
    @pytest.mark.parametrize("count", range(1, 6))
    async def test_up_to_five(self, count: int, later: bool) -> None:
        """Up to five codings are undone, in one field or in several."""
        names = ("gzip", "br", "zstd", "deflate", "gzip")[:count]
        encoded = TEXT
        for name in names:
            encoded = ENCODE[name if name != "deflate" else "deflate-raw"][1](encoded)
        for fields in (
            [f"Content-Encoding: {', '.join(names)}"],
            [f"Content-Encoding: {n}" for n in names],
        ):
            head, body = framed(encoded, "length", *fields)
            async with (
                served(head, body, later=later) as server,
                ClientSession() as session,
                session.get(server.url()) as response,
            ):
                assert await response.read() == TEXT

    @pytest.mark.parametrize("later", [False, True])
    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param([f"Content-Encoding: {', '.join(['gzip'] * 100)}"], id="DEC-03-one-field"),
            pytest.param(["Content-Encoding: gzip"] * 100, id="DEC-03-hundred-fields"),
            pytest.param(["Content-Encoding: gzip"] * 6, id="DEC-03-six-fields"),
        ],
    )
    async def test_more_are_refused(self, fields: list[str], later: bool) -> None:
        """More than five codings, over all fields, are an error for whoever reads the body."""
        head, body = framed(gzip.compress(TEXT), "length", *fields)
        async with (
            served(head, body, later=later) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            with pytest.raises(ContentDecodingError, match="at most 5"):
                await response.read()
            with pytest.raises(ContentDecodingError, match="at most 5"):
                await response.content.readany()


class TestDamage:
    @pytest.mark.hang_limit(120)
    @pytest.mark.parametrize("framing", ["length", "chunked", "eof"])
    @pytest.mark.parametrize("name", [pytest.param(n, id=f"H1-14-{n}") for n in ENCODE])
    async def test_truncated(self, name: str, framing: str) -> None:
        """A body cut within its coding, though its framing is right, is an error at every cut, read or iterated."""
        coding, encode = ENCODE[name]
        encoded = encode(TEXT)

        async def script(conn: RawConnection) -> None:
            while True:
                request = await conn.read_request()
                cut = int(request.target[1:])
                head, body = framed(encoded[:cut], framing, f"Content-Encoding: {coding}")
                conn.send(head)
                await turns(cut % 3)  # now and then the body comes with its head
                conn.send(body)
                if framing == "eof":
                    conn.send_eof()

        async with RawServer(script) as server, ClientSession() as session:
            for cut in range(1, len(encoded)):
                async with session.get(server.url(f"/{cut}")) as response:
                    with pytest.raises(ContentDecodingError):
                        if cut % 2:
                            await response.read()
                        else:
                            async for _ in response.content.iter_any():
                                pass
            async with session.get(server.url(f"/{len(encoded)}")) as response:
                assert await response.read() == TEXT

    @pytest.mark.parametrize("later", [False, True])
    @pytest.mark.parametrize(
        "name",
        [pytest.param(n, id=f"DEC-06-{n}") for n in ("gzip", "deflate-zlib", "zstd-checksum")],
    )
    async def test_damaged(self, name: str, later: bool) -> None:
        """Where the coding has a checksum, no damage gives another body than the one that was sent."""
        coding, encode = ENCODE[name]
        whole = encode(TEXT)

        async def script(conn: RawConnection) -> None:
            while True:
                request = await conn.read_request()
                place = int(request.target[1:])
                damaged = whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]
                head, body = framed(damaged, "length", f"Content-Encoding: {coding}")
                conn.send(head)
                await turns(3 * later)
                conn.send(body)

        refused = 0
        async with RawServer(script) as server, ClientSession() as session:
            for place in range(10, len(whole)):
                async with session.get(server.url(f"/{place}")) as response:
                    try:
                        assert await response.read() == TEXT  # a bit that does not matter
                    except ContentDecodingError:
                        refused += 1
        assert refused > 0.9 * (len(whole) - 10)

    @pytest.mark.parametrize("later", [False, True])
    @pytest.mark.parametrize("name", [pytest.param(n, id=f"DEC-05-{n}") for n in ENCODE])
    async def test_junk_behind_it(self, name: str, later: bool) -> None:
        """What follows the end of the coding is an error; further members of gzip and zstd are not."""
        coding, encode = ENCODE[name]
        for rest, fits in ((b"JUNK", False), (encode(TEXT), coding in ("gzip", "zstd"))):
            head, body = framed(encode(TEXT) + rest, "length", f"Content-Encoding: {coding}")
            async with (
                served(head, body, later=later) as server,
                ClientSession() as session,
                session.get(server.url()) as response,
            ):
                if fits:
                    assert await response.read() == TEXT * 2
                else:
                    with pytest.raises(ContentDecodingError):
                        await response.read()


class Starving:
    """zlib whose decompressors run out of memory at their nth call, and tell how often they are called."""

    error = zlib.error

    def __init__(self, last_call: int) -> None:
        self.last_call = last_call
        self.calls: list[int] = []

    def decompressobj(self, wbits: int) -> "Starving.Object":
        self.calls.append(0)
        return self.Object(self, len(self.calls) - 1, zlib.decompressobj(wbits))

    class Object:
        def __init__(self, owner: "Starving", number: int, real: Any) -> None:
            self.owner = owner
            self.number = number
            self.real = real

        def decompress(self, *arguments: Any) -> bytes:
            self.owner.calls[self.number] += 1
            if self.owner.calls[self.number] == self.owner.last_call:
                raise MemoryError
            data: bytes = self.real.decompress(*arguments)
            return data

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)


class TestMemoryErrors:
    @pytest.mark.parametrize("way", ["read", "iterate"])
    @pytest.mark.parametrize("call", [pytest.param(n, id=f"DEC-07-call-{n}") for n in (1, 2, 3)])
    async def test_stream(self, call: int, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A decoder that ran out of memory is never called again, and its connection is closed."""
        starving = Starving(call)
        monkeypatch.setattr(codings, "zlib", starving)
        head, body = framed(zeros("gzip", 2**22), "length", "Content-Encoding: gzip")

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(head)
            await turns(5)
            conn.send(body[:-1])
            await conn.closed()

        async with RawServer(script) as server, ClientSession() as session:
            response = await session.get(server.url(), read_bufsize=1024)
            for _ in range(3):
                with pytest.raises(MemoryError):
                    if way == "read":
                        await response.read()
                    else:
                        async for _piece in response.content.iter_any():
                            pass
            assert starving.calls == [call]
            assert response.closed
            assert (await settled(session)).idle == spoken.kept()

    @pytest.mark.parametrize("call", [pytest.param(1, id="DEC-07-at-hand")])
    async def test_body_at_hand(self, call: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body that is here already is decoded anew, from its start, by whoever tries again."""
        starving = Starving(call)
        head, body = framed(gzip.compress(TEXT), "length", "Content-Encoding: gzip")
        async with served(head, body) as server, ClientSession() as session:
            response = await session.get(server.url())
            with monkeypatch.context() as patch:
                patch.setattr(codings, "zlib", starving)
                for number in (1, 2):
                    with pytest.raises(MemoryError):
                        await response.read()
                    assert starving.calls == [1] * number
            assert await response.read() == TEXT


class TestCancellation:
    @pytest.mark.both_loops
    @pytest.mark.parametrize((), [pytest.param(id="DEC-08")])
    async def test_at_every_await(self) -> None:
        """read() cancelled while it decodes closes the connection; a half decoded body is given to nobody."""
        encoded = zeros("gzip", 4 * 2**20) + gzip.compress(TEXT * 4000, 0)
        head, body = framed(encoded, "length", "Content-Encoding: gzip")
        places = []

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(head + body[: 2**17])
            for rest in (body[2**17 : -1], body[-1:]):
                await turns(8)
                if conn.lost:
                    return
                conn.send(rest)
            await conn.closed()

        async def scenario() -> None:
            connector = TCPConnector(limit=1)
            async with ClientSession(connector=connector) as session:
                response = await session.get(server.url())
                try:
                    await response.read()
                except asyncio.CancelledError:
                    complete = response.content.is_eof()
                    places.append(complete)
                    assert response.closed
                    assert connector.statistics().in_use == 0
                    assert connector.statistics().idle == (1 if complete else spoken.kept())
                    with pytest.raises(aioclient.ClientConnectionError, match=r"released|closed"):
                        await response.read()
                    raise

        async with RawServer(script) as server:
            await cancel_everywhere(scenario)
        assert places.count(False) > 2


async def read(response: ClientResponse) -> None:
    await response.read()


async def text(response: ClientResponse) -> None:
    await response.text()


async def json_value(response: ClientResponse) -> None:
    await response.json(content_type=None)


async def typed_value(response: ClientResponse) -> None:
    await response.json(content_type=None, type=list[int])


async def iter_any(response: ClientResponse) -> None:
    async for _ in response.content.iter_any():
        pass


async def iter_chunked(response: ClientResponse) -> None:
    async for _ in response.content.iter_chunked(10):
        pass


async def iter_chunks(response: ClientResponse) -> None:
    async for _ in response.content.iter_chunks():
        pass


async def lines(response: ClientResponse) -> None:
    async for _ in response.content:
        pass


async def read_to_the_end(response: ClientResponse) -> None:
    await response.content.read()


async def readexactly(response: ClientResponse) -> None:
    await response.content.readexactly(1200)


WAYS = (
    read,
    text,
    json_value,
    typed_value,
    iter_any,
    iter_chunked,
    iter_chunks,
    lines,
    read_to_the_end,
    readexactly,
)


class TestMaxBodySize:
    @pytest.mark.parametrize("framing", ["length", "chunked", "eof"])
    @pytest.mark.parametrize("way", [pytest.param(w, id=f"DEC-09-{w.__name__}") for w in WAYS])
    async def test_on_every_path(
        self, way: Callable[[ClientResponse], Awaitable[None]], framing: str
    ) -> None:
        """Decoded bytes count, whichever way they are read, were sent and framed: one too many raises."""
        content = json.dumps(list(range(250))).encode().ljust(1200)
        for coding in ("", "identity", *CODINGS):
            encoded = (
                content if coding in ("", "identity") else ENCODE[ENCODING_OF[coding]][1](content)
            )
            fields = [f"Content-Encoding: {coding}"] if coding else []
            head, body = framed(encoded, framing, *fields)
            for later in (False, True):
                async with (
                    served(head, body, later=later, end=framing == "eof") as server,
                    ClientSession(max_body_size=1200) as session,
                    session.get(server.url(), max_body_size=1199) as response,
                ):
                    with pytest.raises(BodyTooLargeError, match="max_body_size=1199"):
                        await way(response)
                async with (
                    served(head, body, later=later, end=framing == "eof") as server,
                    ClientSession(max_body_size=1200) as session,
                    session.get(server.url()) as response,
                ):
                    await way(response)


class TestCharsets:
    @pytest.mark.parametrize(
        "charset",
        [
            pytest.param(name, id=f"DEC-10-{name}")
            for name in (
                "rot13",
                "idna",
                "punycode",
                "unicode_escape",
                "raw_unicode_escape",
                "undefined",
                "hex",
                "zip",
                "bz2",
                "base64",
                "quopri",
                "uu",
                "nonsense",
                "../../etc/passwd",
                "x" * 1000,
            )
        ],
    )
    async def test_only_charsets_decode(self, charset: str) -> None:
        """A charset that is none, or slow on a long text, is not used: the text is UTF-8 then."""
        content = "ä\\u0041.".encode() * 2**17
        head, body = framed(content, "length", f"Content-Type: text/plain; charset={charset}")
        async with (
            served(head, body) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            assert await response.text() == content.decode()
            assert response.get_encoding() == "utf-8"

    @pytest.mark.parametrize("encoding", [pytest.param("utf-8", id="DEC-10-strict")])
    async def test_what_does_not_fit_raises(self, encoding: str) -> None:
        """Bytes that are not in the charset the header names are an error unless errors= says otherwise."""
        head, body = framed(b"\xff", "length", f"Content-Type: text/plain; charset={encoding}")
        async with (
            served(head, body) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            with pytest.raises(UnicodeDecodeError):
                await response.text()
            assert await response.text(errors="replace") == "\ufffd"
