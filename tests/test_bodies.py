"""Every kind of body over a real socket: sent whole, and sent again whole or not at all."""

import asyncio
import contextlib
import io
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import payload as payloads
from aiohttp.base_protocol import BaseProtocol

import aioclient
from aioclient import ClientResponse, ClientSession, FormData, Handler, MultipartWriter, Request
from aioclient.testing import RawConnection, RawRequest, turns

from .loopback import OK, answer, moved
from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols(tls=True)

CONTENT = b"one two three"


class Again:
    """An object that can be iterated again and again."""

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"one ", b"two ", b"three"))


class AgainLater:
    """The same, asynchronously."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in Again():
            await asyncio.sleep(0)
            yield chunk


class Place:
    """Where a test's bodies come from: files, pipes and streams, closed at its end."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack

    def file(self, mode: str = "rb", skipped: bytes = b"", **options: Any) -> Any:
        """Return an open file that stands behind *skipped*."""
        path = self.folder / "one.txt"
        path.write_bytes(skipped + CONTENT)
        file = open(path, mode, **options)  # noqa: SIM115  (the stack closes it)
        file.seek(len(skipped))
        return self._stack.enter_context(file)

    def pipe(self) -> Any:
        """Return the end of a pipe that can be read once."""
        reading, writing = os.pipe()
        os.write(writing, CONTENT)
        os.close(writing)
        return self._stack.enter_context(open(reading, "rb"))

    def spooled(self) -> Any:
        """Return a file that is in memory as long as it is short."""
        file = tempfile.SpooledTemporaryFile()  # noqa: SIM115  (the stack closes it)
        file.write(CONTENT)
        file.seek(0)
        return self._stack.enter_context(file)


async def async_generator() -> AsyncIterator[bytes]:
    for chunk in Again():
        yield chunk


def generator() -> Iterator[bytes]:
    yield from Again()


def form_data(*fields: dict[str, Any]) -> FormData:
    form = FormData()
    for field in fields:
        form.add_field(**field)
    return form


def nested(leaf: Any) -> MultipartWriter:
    inner = MultipartWriter("alternative")
    inner.append(CONTENT)
    inner.append(leaf)
    outer = MultipartWriter("mixed")
    outer.append_json({"a": 1})
    outer.append_form({"b": "c"})
    outer.append(inner)
    return outer


def aiohttp_stream() -> aiohttp.StreamReader:
    loop = asyncio.get_running_loop()
    stream = aiohttp.StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    stream.feed_data(CONTENT)
    stream.feed_eof()
    return stream


def streamer() -> Any:
    """Return what aiohttp's deprecated decorator makes of a coroutine function that writes."""
    with pytest.warns(DeprecationWarning, match="@streamer is deprecated"):

        @aiohttp.streamer
        async def write(writer: Any, chunks: Any) -> None:
            for chunk in chunks:
                await writer.write(chunk)

    return write(Again())


@dataclass(frozen=True)
class Kind:
    """A kind of body: how one is made, whether it can be sent again, and what comes of it (None: no telling)."""

    make: Callable[[Place], Any]
    again: bool = True
    content: bytes | None = CONTENT
    media_type: str = "application/octet-stream"
    argument: str = "data"


TEXT = "text/plain; charset=utf-8"
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary="

KINDS = {
    # in memory
    "bytes": Kind(lambda _: CONTENT),
    "bytearray": Kind(lambda _: bytearray(CONTENT)),
    "memoryview": Kind(lambda _: memoryview(CONTENT)),
    "str": Kind(lambda _: CONTENT.decode(), media_type=TEXT),
    "json": Kind(lambda _: [1], content=b"[1]", media_type="application/json", argument="json"),
    # forms
    "form-mapping": Kind(lambda _: {"a": "b c", "d": 1}, content=b"a=b+c&d=1", media_type=FORM),
    "form-pairs": Kind(lambda _: [("a", "b"), ("a", "c")], content=b"a=b&a=c", media_type=FORM),
    "form-with-bytes": Kind(lambda _: {"a": CONTENT}, content=None, media_type=PARTS),
    "form-with-file": Kind(lambda at: {"a": at.file()}, content=None, media_type=PARTS),
    "form-with-pipe": Kind(
        lambda at: {"a": at.pipe()}, again=False, content=None, media_type=PARTS
    ),
    # files
    "file": Kind(lambda at: at.file(), media_type="text/plain"),
    "file-offset": Kind(lambda at: at.file(skipped=b"zero "), media_type="text/plain"),
    "file-unbuffered": Kind(lambda at: at.file(buffering=0), media_type="text/plain"),
    "file-text": Kind(lambda at: at.file("r", encoding="utf-8"), media_type=TEXT),
    "BytesIO": Kind(lambda _: io.BytesIO(CONTENT)),
    "StringIO": Kind(lambda _: io.StringIO(CONTENT.decode()), media_type=TEXT),
    "SpooledTemporaryFile": Kind(lambda at: at.spooled()),
    "pipe": Kind(lambda at: at.pipe(), again=False),
    # iterables
    "generator": Kind(lambda _: generator(), again=False),
    "iterator": Kind(lambda _: iter((b"one ", b"two ", b"three")), again=False),
    "iterable": Kind(lambda _: Again()),
    "async-generator": Kind(lambda _: async_generator(), again=False),
    "async-iterable": Kind(lambda _: AgainLater()),
    "aiohttp-StreamReader": Kind(lambda _: aiohttp_stream(), again=False),
    # aiohttp's
    "FormData": Kind(
        lambda _: form_data({"name": "a", "value": "b"}), content=b"a=b", media_type=FORM
    ),
    "FormData-file": Kind(
        lambda at: form_data({"name": "a", "value": at.file(), "filename": "x"}),
        content=None,
        media_type=PARTS,
    ),
    "FormData-generator": Kind(
        lambda _: form_data({"name": "a", "value": async_generator(), "filename": "x"}),
        again=False,
        content=None,
        media_type=PARTS,
    ),
    "MultipartWriter": Kind(
        lambda at: nested(at.file()), content=None, media_type="multipart/mixed; boundary="
    ),
    "MultipartWriter-generator": Kind(
        lambda _: nested(async_generator()),
        again=False,
        content=None,
        media_type="multipart/mixed; boundary=",
    ),
    "BytesPayload": Kind(lambda _: payloads.BytesPayload(CONTENT)),
    "StringPayload": Kind(lambda _: payloads.StringPayload(CONTENT.decode()), media_type=TEXT),
    "StringIOPayload": Kind(
        lambda _: payloads.StringIOPayload(io.StringIO(CONTENT.decode())), media_type=TEXT
    ),
    "JsonPayload": Kind(
        lambda _: payloads.JsonPayload([1]), content=b"[1]", media_type="application/json"
    ),
    "BytesIOPayload": Kind(lambda _: payloads.BytesIOPayload(io.BytesIO(CONTENT))),
    "IOBasePayload": Kind(
        lambda at: payloads.IOBasePayload(at.file(buffering=0)), media_type="text/plain"
    ),
    "BufferedReaderPayload": Kind(
        lambda at: payloads.BufferedReaderPayload(at.file()), media_type="text/plain"
    ),
    "TextIOPayload": Kind(
        lambda at: payloads.TextIOPayload(at.file("r", encoding="utf-8")), media_type="text/plain"
    ),
    "AsyncIterablePayload": Kind(
        lambda _: payloads.AsyncIterablePayload(async_generator()), again=False
    ),
    "StreamReaderPayload": Kind(
        lambda _: payloads.StreamReaderPayload(aiohttp_stream()), again=False
    ),
    "streamer": Kind(lambda _: streamer(), again=False),
}


def check(kind: Kind, *requests: RawRequest) -> None:
    """Every request has the whole body, with the fields that describe it."""
    first = requests[0]
    assert first.body
    for request in requests:
        assert request.body == first.body
        for name in ("Content-Type", "Content-Length", "Transfer-Encoding"):
            assert request.value(name) == first.value(name)
    if kind.content is not None:
        assert first.body == kind.content
    assert (first.value("Content-Type") or "").startswith(kind.media_type)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with contextlib.ExitStack() as stack:
        yield Place(tmp_path, stack)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=f"S003-26-{name}") for name, kind in KINDS.items()]
)
class TestKinds:
    """S003-26 and RED-09: no kind of body is ever sent in part, or empty, in place of whole."""

    async def test_is_sent(self, kind: Kind, place: Place) -> None:
        """It arrives, with a media type, and a length if one is known; a file given stays open."""
        data = kind.make(place)
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            response = await session.post(server.url(), **{kind.argument: data})
            assert await response.read() == b"ok"
        check(kind, *server.requests)
        if isinstance(data, io.IOBase):
            assert not data.closed

    @pytest.mark.rows("RED-09")
    @pytest.mark.parametrize("status", [307, 308])
    async def test_redirect(self, kind: Kind, status: int, place: Place) -> None:
        """A redirect that keeps the body gets all of it, or the call raises BodyConsumedError."""
        async with (
            RawServer.replies([moved("/b", status=status), OK]) as server,
            ClientSession() as session,
        ):
            call = session.post(server.url(), **{kind.argument: kind.make(place)})
            if kind.again:
                assert (await call).status == 200
                assert len(server.requests) == 2
            else:
                with pytest.raises(aioclient.BodyConsumedError):
                    await call
                assert len(server.requests) == 1
        check(kind, *server.requests)

    @pytest.mark.without_tls("the server closes without a goodbye")
    async def test_stale_connection(self, kind: Kind, place: Place) -> None:
        """On a new connection in place of a stale one all of it goes out, or the call fails."""
        bodies: list[RawRequest] = []

        async def serve(conn: RawConnection) -> None:
            if conn.index == 0:
                await conn.read_request()
                conn.send(OK)
            bodies.append(await conn.read_request())
            if conn.index:
                conn.send(OK)

        async with RawServer(serve) as server, ClientSession() as session:
            await (await session.get(server.url())).read()
            call = session.put(server.url(), **{kind.argument: kind.make(place)})
            if kind.again:
                assert (await call).status == 200
                assert len(bodies) == server.connections == 2
            else:
                with pytest.raises(aioclient.ServerDisconnectedError):
                    await call
                assert len(bodies) == server.connections == 1
        check(kind, *bodies)

    async def test_resent_by_a_middleware(self, kind: Kind, place: Place) -> None:
        """A middleware that calls its handler again sends all of it again, or gets BodyConsumedError."""

        async def insist(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            while response.status == 503:
                response.release()
                response = await handler(request)
            return response

        busy = answer(b"", status="503 Busy")
        async with (
            RawServer.replies([busy, busy, OK]) as server,
            ClientSession(middlewares=[insist]) as session,
        ):
            call = session.post(server.url(), **{kind.argument: kind.make(place)})
            if kind.again:
                assert (await call).status == 200
                assert len(server.requests) == 3
            else:
                with pytest.raises(aioclient.BodyConsumedError):
                    await call
                assert len(server.requests) == 1
        check(kind, *server.requests)

    @pytest.mark.rows("S003-33")
    async def test_compressed_and_watched(self, kind: Kind, place: Place) -> None:
        """It can be compressed and watched, and a redirect gets all of it anew."""
        told: list[tuple[int, int | None]] = []
        async with (
            RawServer.replies([moved("/b", status=307), OK]) as server,
            ClientSession() as session,
        ):
            call = session.post(
                server.url(),
                compress=True,
                progress=lambda *sent: told.append(sent),
                **{kind.argument: kind.make(place)},
            )
            if kind.again:
                assert (await call).status == 200
            else:
                with pytest.raises(aioclient.BodyConsumedError):
                    await call
        assert {request.value("Content-Encoding") for request in server.requests} == {"deflate"}
        assert len({request.body for request in server.requests}) == 1
        assert [sent for sent, _ in told].count(0) == len(server.requests) == 1 + kind.again
        sent, total = told[-1]
        assert sent > 0
        assert total in (sent, None)


@pytest.mark.rows("S003-26")
class TestProxying:
    """A response's stream as the body of another request."""

    @pytest.mark.both_loops
    @pytest.mark.without_tls("it measures memory, of which TLS takes some")
    async def test_without_holding_it(self) -> None:
        """A download goes on into an upload as fast as that is taken: what waits in between is bounded."""
        size = 64 * 2**20
        sent = 0
        arrived = 0
        stalled = asyncio.Event()

        async def source(conn: RawConnection) -> None:
            nonlocal sent
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size // 2**18):
                conn.send(b"x" * 2**18)
                await conn.drain()
                sent += 2**18
            await conn.closed()

        async def target(conn: RawConnection) -> None:
            nonlocal arrived
            request = await conn.read_request(body=False)
            conn.stop_reading()
            before = -1
            while before != sent:
                before = sent
                await turns(500)
            assert 0 < sent < size
            stalled.set()
            conn.start_reading()
            arrived = len((await conn.read_body(request)).body)
            conn.send(OK)

        async with (
            RawServer(source) as first,
            RawServer(target) as second,
            ClientSession() as session,
            session.get(first.url()) as download,
        ):
            response = await session.post(second.url(), data=download.content)
            assert response.status == 200
        assert stalled.is_set()
        assert arrived == size

    async def test_a_download_that_breaks(self) -> None:
        """When the download breaks the upload ends without its end, and the error says why."""

        async def source(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            await taken.wait()

        async def target(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            seen.append(await conn.read_until(b"half\r\n"))
            taken.set()
            seen.append(await conn.closed())
            gone.set()

        taken, gone = asyncio.Event(), asyncio.Event()
        seen: list[bytes] = []
        async with (
            RawServer(source) as first,
            RawServer(target) as second,
            ClientSession() as session,
            session.get(first.url()) as download,
        ):
            with pytest.raises(aioclient.IncompleteBodyError, match="after 4 of 10 bytes"):
                await session.post(second.url(), data=download.content)
            await gone.wait()
        assert seen == [b"4\r\nhalf\r\n", b""]

    async def test_cannot_be_sent_again(self) -> None:
        """It is gone after one attempt."""
        async with (
            RawServer.replies([answer(CONTENT)]) as first,
            RawServer.replies([moved("/b", status=307)]) as second,
            ClientSession() as session,
            session.get(first.url()) as download,
        ):
            with pytest.raises(aioclient.BodyConsumedError):
                await session.post(second.url(), data=download.content)
        assert [request.body for request in second.requests] == [CONTENT]


@pytest.mark.rows("S003-26")
async def test_files_opened_by_the_caller_stay_open(place: Place) -> None:
    """No file that the caller opened is closed, whatever carries it, and whether the call succeeds or not."""
    files = [place.file(), place.file(), place.file()]
    bodies = [
        files[0],
        {"a": files[1]},
        form_data({"name": "a", "value": files[2], "filename": "x"}),
    ]
    async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
        for body in bodies:
            await session.post(server.url(), data=body)
        url = server.url()
    async with ClientSession() as session:
        for file in files:
            assert not file.closed
            with pytest.raises(aioclient.ClientConnectorError):
                await session.post(url, data=file)
            assert not file.closed


@pytest.mark.rows("S003-26")
@pytest.mark.parametrize("data", [5, 1.5, True, object(), {1}, async_generator, print])
async def test_what_is_no_body(data: Any) -> None:
    """Anything else raises TypeError before a connection is made."""
    async with RawServer.replies([OK]) as server, ClientSession() as session:
        with pytest.raises(TypeError, match="data is"):
            await session.post(server.url(), data=data)
        assert server.connections == 0


@pytest.mark.rows("S003-26")
async def test_a_coroutine_is_no_body() -> None:
    """A coroutine raises TypeError: who wants its result awaits it."""

    async def produce() -> bytes:
        return CONTENT

    async with ClientSession() as session:
        waiting = produce()
        with pytest.raises(TypeError, match="data is coroutine"):
            await session.post("http://127.0.0.1:1/", data=waiting)
        waiting.close()
