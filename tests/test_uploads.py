"""What a call asks of its upload: `compress`, `expect100_timeout`, `progress` and `upload_tracker`."""

import asyncio
import builtins
import gzip
import io
import json
import random
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import brotli
import pytest
from aiohttp import web
from backports import zstd

import aioclient
from aioclient import ClientResponse, ClientSession, Handler, Request, UploadTracker
from aioclient.body import compressed
from aioclient.message import codings
from aioclient.testing import RawConnection, RawRequest, turns
from aioclient.threads import Threads

from . import spoken
from .loopback import OK, answer, moved
from .servers.app import serve_application
from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols(tls=True)

PIECE = 256 * 1024
TEXT = b"".join(b"line %d of a text that compresses well\n" % number for number in range(40_000))

UNDO: dict[str, Callable[[bytes], bytes]] = {
    "deflate": zlib.decompress,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}


def plain(request: RawRequest) -> bytes:
    """The body of a request before it was compressed, as its fields say."""
    (coding,) = request.values("Content-Encoding")
    return UNDO[coding](request.body)


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def sync_pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def posted(data: object = None, **arguments: Any) -> RawRequest:
    """The request that a server gets."""
    async with RawServer.replies([OK]) as server, ClientSession() as session:
        response = await session.post(server.url(), data=data, **arguments)
        assert await response.read() == b"ok"
    (request,) = server.requests
    return request


async def refused(kind: type[Exception], match: str, **arguments: Any) -> None:
    """A call that raises before a connection is made."""
    async with RawServer.replies([OK]) as server, ClientSession() as session:
        with pytest.raises(kind, match=match):
            await session.post(server.url(), **{"data": b"hello", **arguments})
        assert server.connections == 0


@pytest.mark.rows("S003-33")
class TestCompress:
    @pytest.mark.both_loops
    @pytest.mark.parametrize("data", [b"hello", TEXT], ids=["short", "long"])
    @pytest.mark.parametrize(
        ("compress", "coding"),
        [
            pytest.param(True, "deflate", id="S003-33-True"),
            pytest.param("deflate", "deflate", id="S003-33-deflate"),
            pytest.param("gzip", "gzip", id="S003-33-gzip"),
            pytest.param("br", "br", id="S003-33-br"),
            pytest.param("zstd", "zstd", id="S003-33-zstd"),
            pytest.param("GZIP", "gzip", id="S003-33-upper-case"),
        ],
    )
    async def test_codings(self, compress: bool | str, coding: str, data: bytes) -> None:
        """The body goes out in the coding asked for, with its name in Content-Encoding, and in chunks."""
        request = await posted(data, compress=compress)
        assert request.value("Content-Encoding") == coding
        assert request.value("Transfer-Encoding") == "chunked"
        assert request.value("Content-Length") is None
        assert request.value("Content-Type") == "application/octet-stream"
        assert plain(request) == data
        if data is TEXT:
            assert len(request.body) < len(data) / 5

    @pytest.mark.parametrize("kind", ["json", "form", "multipart", "file", "iterable", "async"])
    async def test_kinds_of_bodies(self, kind: str, tmp_path: Path) -> None:
        """Every kind of body can be compressed, and keeps its media type."""
        path = tmp_path / "text.txt"
        path.write_bytes(TEXT)
        with open(path, "rb") as file:
            arguments: dict[str, dict[str, Any]] = {
                "json": {"json": {"a": 1}},
                "form": {"data": {"a": "b"}},
                "multipart": {"data": {"a": b"b"}},
                "file": {"data": file},
                "iterable": {"data": sync_pieces(TEXT, 10_000)},
                "async": {"data": in_pieces(TEXT, 300_000)},
            }
            request = await posted(compress="gzip", **arguments[kind])
        media_type, body = {
            "json": ("application/json", b'{"a": 1}'),
            "form": ("application/x-www-form-urlencoded", b"a=b"),
            "multipart": ("multipart/form-data; boundary=", None),
            "file": ("text/plain", TEXT),
        }.get(kind, ("application/octet-stream", TEXT))
        assert (request.value("Content-Type") or "").startswith(media_type)
        if body is None:
            assert plain(request).endswith(b"\r\n\r\nb\r\n--%b--\r\n" % plain(request)[2:34])
        else:
            assert plain(request) == body

    async def test_a_real_server_undoes_it(self) -> None:
        """`aiohttp.web` reads what was sent."""

        async def echo(request: web.Request) -> web.Response:
            return web.json_response([request.headers["Content-Encoding"], await request.json()])

        app = web.Application()
        app.router.add_post("/", echo)
        async with serve_application(app) as origin, ClientSession() as session:
            for coding in ("deflate", "gzip", "br", "zstd"):
                async with session.post(origin, json={"a": "b"}, compress=coding) as response:
                    assert await response.json() == [coding, {"a": "b"}]

    @pytest.mark.parametrize("compress", [False, None])
    async def test_off(self, compress: bool | None) -> None:
        """False and None leave the body as it is."""
        request = await posted(b"hello", compress=compress)
        assert request.value("Content-Encoding") is None
        assert request.value("Content-Length") == "5"

    async def test_nothing_to_compress(self) -> None:
        """An empty body is not compressed, and neither is none."""
        for data in (b"", None):
            request = await posted(data, compress=True)
            assert request.value("Content-Encoding") is None
            assert request.value("Content-Length") == "0"

    @pytest.mark.parametrize(
        ("arguments", "kind", "match"),
        [
            ({"headers": {"content-encoding": "gzip"}}, ValueError, "Content-Encoding contradict"),
            ({"headers": {"Content-Length": "5"}}, ValueError, "Content-Length contradict"),
            ({"compress": "lzma"}, ValueError, "'lzma'; it can be deflate, gzip, br, zstd"),
            ({"compress": 5}, TypeError, "must be a bool, None or a coding's name, found int 5"),
            ({"version": "1.0"}, ValueError, "HTTP/1.0 has no chunked coding"),
        ],
        ids=["coding", "length", "unknown", "number", "HTTP/1.0"],
    )
    async def test_contradictions(
        self, arguments: dict[str, Any], kind: type[Exception], match: str
    ) -> None:
        """What contradicts `compress`, or is no coding, raises before anything is sent."""
        await refused(kind, match, **{"compress": True, **arguments})

    async def test_a_session_that_sets_the_coding(self) -> None:
        """Content-Encoding among the session's fields contradicts it too."""
        async with ClientSession(headers={"Content-Encoding": "gzip"}) as session:
            with pytest.raises(ValueError, match="Content-Encoding contradict"):
                await session.post("http://127.0.0.1:1/", data=b"x", compress=True)

    async def test_a_payload_that_is_compressed(self) -> None:
        """So does Content-Encoding among the fields of a payload."""
        payload = aiohttp.BytesPayload(b"x", headers={"Content-Encoding": "gzip"})
        await refused(ValueError, "has a Content-Encoding of its own", data=payload, compress="br")

    @pytest.mark.parametrize(
        ("coding", "modules"),
        [("br", ["brotli", "brotlicffi"]), ("zstd", ["backports", "compression"])],
    )
    async def test_a_missing_package(
        self, coding: str, modules: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the package for a coding the error names the pip command."""
        importing = builtins.__import__

        def without(name: str, *arguments: Any, **named: Any) -> Any:
            if name.partition(".")[0] in modules:
                raise ImportError(name)
            return importing(name, *arguments, **named)

        cached = codings.brotli_module if coding == "br" else codings.zstd_module
        cached.cache_clear()
        try:
            with monkeypatch.context() as patch:
                patch.setattr(builtins, "__import__", without)
                await refused(
                    aioclient.MissingExtraError,
                    rf"compress='{coding}' needs .* pip install aioclient\[speedups\]",
                    compress=coding,
                )
        finally:
            cached.cache_clear()

    async def test_pieces_are_taken_one_by_one(self) -> None:
        """A source is asked for more only when what was made of its last piece is at the socket."""
        given = 0
        stalled = asyncio.Event()

        async def source() -> AsyncIterator[bytes]:
            nonlocal given
            for _ in range(200):
                given += 1
                yield random.randbytes(PIECE)  # which nothing makes shorter

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            conn.stop_reading()
            before = -1
            while before != given:
                before = given
                await turns(500)
            stalled.set()
            conn.start_reading()
            await conn.read_body(request)
            conn.send(OK)

        async with RawServer(serve) as server, ClientSession() as session:
            response = await session.post(server.url(), data=source(), compress="zstd")
            assert response.status == 200
        assert stalled.is_set()

    @pytest.mark.parametrize(
        ("size", "in_thread"), [(16 * 1024, 0), (16 * 1024 + 1, 4)], ids=["16 KiB", "more"]
    )
    async def test_long_pieces_hold_up_nobody(
        self, monkeypatch: pytest.MonkeyPatch, size: int, in_thread: int
    ) -> None:
        """Pieces longer than 16 KiB, and the end behind them, are compressed in another thread."""
        submitted = 0

        class Counting(Threads):
            def submit(self, *arguments: Any, **named: Any) -> Any:
                nonlocal submitted
                submitted += 1
                return super().submit(*arguments, **named)

        monkeypatch.setattr(compressed, "BODIES", Counting("counted", 1))
        request = await posted(in_pieces(TEXT[: size * 3], size), compress="gzip")
        assert plain(request) == TEXT[: size * 3]
        assert submitted == in_thread

    @pytest.mark.both_loops
    async def test_cancelled_while_a_piece_is_compressed(self) -> None:
        """A call cancelled in the middle of an upload lets go of everything."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            asked.set()
            await conn.closed()

        asked = asyncio.Event()

        def endless() -> Iterator[bytes]:
            while True:
                yield TEXT[:PIECE]

        async with RawServer(serve) as server, ClientSession() as session:
            task = asyncio.ensure_future(
                session.post(server.url(), data=endless(), compress="gzip")
            )
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0


class TestCompressedAgain:
    """A body that is sent again is compressed anew: each request has the whole stream."""

    @pytest.mark.parametrize("coding", ["deflate", "gzip", "br", "zstd"])
    @pytest.mark.rows("S003-33", "RED-09")
    async def test_redirect(self, coding: str) -> None:
        """A 307 repeats body and coding, on a connection of its own too."""
        async with (
            RawServer.replies([moved("/b", status=307), OK], repeat=True) as server,
            ClientSession() as session,
        ):
            response = await session.post(server.url(), data=io.BytesIO(TEXT), compress=coding)
            assert response.status == 200
        first, second = server.requests
        assert second.target == "/b"
        assert plain(first) == plain(second) == TEXT
        assert first.body == second.body

    @pytest.mark.rows("S003-33", "RED-08")
    async def test_redirect_without_body(self) -> None:
        """A 303 drops the coding with the body."""
        async with (
            RawServer.replies([moved("/b", status=303), OK]) as server,
            ClientSession() as session,
        ):
            await session.post(server.url(), data=b"hello", compress=True)
        first, second = server.requests
        assert plain(first) == b"hello"
        assert second.method == "GET"
        for name in ("Content-Encoding", "Transfer-Encoding", "Content-Type", "Content-Length"):
            assert second.values(name) == [], name

    @pytest.mark.rows("S003-33", "RED-09")
    async def test_redirect_of_a_generator(self) -> None:
        """What cannot be read again is not sent again, compressed or not."""
        async with (
            RawServer.replies([moved("/b", status=307)]) as server,
            ClientSession() as session,
        ):
            with pytest.raises(aioclient.BodyConsumedError):
                await session.post(server.url(), data=in_pieces(b"hello", 2), compress=True)
        assert len(server.requests) == 1

    @pytest.mark.rows("S003-33")
    @pytest.mark.without_tls("the server closes without a goodbye")
    async def test_stale_connection(self) -> None:
        """So does the retry on a connection that the server had closed."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            if conn.index == 0:
                await conn.read_request()  # and closes without an answer

        async with RawServer(serve) as server, ClientSession() as session:
            await (await session.get(server.url())).read()
            response = await session.put(server.url(), data=io.BytesIO(TEXT), compress="gzip")
            assert response.status == 200
            assert server.connections == 2
        _, first, second = server.requests
        assert plain(first) == plain(second) == TEXT


@pytest.mark.rows("S003-35")
class TestExpect:
    @pytest.mark.virtual_clock
    @pytest.mark.parametrize("limit", [0.25, 3.0])
    async def test_own_timeout(self, limit: float) -> None:
        """A server that says nothing gets the body after `expect100_timeout` seconds."""
        loop = asyncio.get_running_loop()
        waited: list[float] = []

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            begin = loop.time()
            assert (await conn.read_body(request)).body == b"hello"
            waited.append(loop.time() - begin)
            conn.send(OK)

        async with RawServer(serve) as server, ClientSession() as session:
            await session.put(server.url(), data=b"hello", expect100=True, expect100_timeout=limit)
        assert waited == [pytest.approx(limit)]

    @pytest.mark.virtual_clock
    async def test_no_limit(self) -> None:
        """Without a limit it waits until the call's own time is over."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            assert await conn.closed() == b""

        loop = asyncio.get_running_loop()
        async with RawServer(serve) as server, ClientSession() as session:
            begin = loop.time()
            with pytest.raises(aioclient.TotalTimeoutError):
                await session.put(
                    server.url(), data=b"x", expect100=True, expect100_timeout=None, timeout=100
                )
            assert loop.time() - begin == pytest.approx(100)

    @pytest.mark.parametrize(
        ("limit", "kind"), [(-1, ValueError), (float("nan"), ValueError), ("1", TypeError)]
    )
    async def test_limits_are_checked(self, limit: Any, kind: type[Exception]) -> None:
        """What is no number of seconds raises before anything is sent."""
        await refused(kind, "expect100_timeout", expect100=True, expect100_timeout=limit)

    @pytest.mark.both_loops
    async def test_field_of_the_callers_own(self) -> None:
        """`Expect: 100-continue` among the call's fields waits as `expect100=True` does."""

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            assert request.values("Expect") == ["100-Continue"]
            await turns(10)
            assert conn.received == len(request.head)
            conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert (await conn.read_body(request)).body == b"hello"
            conn.send(OK)

        async with RawServer(serve) as server, ClientSession() as session:
            response = await session.put(
                server.url(), data=b"hello", headers={"Expect": "100-Continue"}
            )
            assert await response.read() == b"ok"

    async def test_refused_generator_can_be_sent_elsewhere(self) -> None:
        """After 417 nothing of the body was taken: a middleware may send it again without the expectation."""
        taken = 0

        async def source() -> AsyncIterator[bytes]:
            nonlocal taken
            taken += 1
            yield b"hello"

        async def without_expectation(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            if response.status == 417:
                assert taken == 0
                response.release()
                request.headers.popall("Expect", None)
                response = await handler(request)
            return response

        async def refuse(conn: RawConnection) -> None:
            first = not server.requests
            await conn.read_request(body=not first)
            conn.send(answer(b"", status="417 No") if first else OK)

        async with (
            RawServer(refuse) as server,
            ClientSession(middlewares=[without_expectation]) as session,
        ):
            response = await session.post(
                server.url(), data=source(), headers={"Expect": "100-continue"}
            )
            assert response.status == 200
        assert server.requests[1].body == b"hello"
        assert taken == 1


class Progress:
    """A callback that keeps what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int | None]] = []

    def __call__(self, sent: int, total: int | None) -> None:
        self.calls.append((sent, total))


@pytest.mark.rows("S003-26")
class TestProgress:
    @pytest.mark.both_loops
    @pytest.mark.parametrize("kind", ["short", "bytes", "file", "iterable", "async", "one chunk"])
    async def test_kinds_of_bodies(self, kind: str, tmp_path: Path) -> None:
        """It is told 0 first, then each piece of at most 256 KiB that was sent, and the size if it is known."""
        data = b"x" * (PIECE * 2 + 10)
        path = tmp_path / "file"
        path.write_bytes(data)
        known = [(sent, len(data)) for sent in (0, PIECE, PIECE * 2, len(data))]
        unknown = [(sent, None) for sent, _ in known]
        with open(path, "rb") as file:
            body, expected = {
                "short": (b"hello", [(0, 5), (5, 5)]),
                "bytes": (data, known),
                "file": (file, known),
                "iterable": (sync_pieces(data, PIECE), unknown),
                "async": (in_pieces(data, PIECE), unknown),
                "one chunk": (iter([data]), unknown),
            }[kind]
            progress = Progress()
            request = await posted(body, progress=progress)
        assert progress.calls == expected
        assert len(request.body) == expected[-1][0]
        if expected[-1][1] is not None:
            assert request.value("Content-Length") == str(len(request.body))

    async def test_multipart(self) -> None:
        """The size of a form with files counts its heads and boundaries."""
        progress = Progress()
        request = await posted({"a": io.BytesIO(b"x" * 1000), "b": "text"}, progress=progress)
        assert progress.calls[-1] == (len(request.body), len(request.body))
        assert progress.calls == sorted(progress.calls)

    async def test_before_compression(self) -> None:
        """With `compress` the bytes before compression count, so that the total is known."""
        progress = Progress()
        request = await posted(TEXT, progress=progress, compress="gzip")
        assert progress.calls[-1] == (len(TEXT), len(TEXT))
        assert len(request.body) < len(TEXT)

    async def test_coroutine_function(self) -> None:
        """It may be a coroutine function: the upload waits for it."""
        order: list[str] = []

        async def progress(sent: int, total: int | None) -> None:
            order.append(f"begin {sent}")
            await turns(3)
            order.append(f"end {sent}")

        def source() -> Iterator[bytes]:
            for number in (1, 2):
                order.append(f"take {number}")
                yield b"x"

        await posted(source(), progress=progress)
        assert order == [
            *("begin 0", "end 0"),
            *("take 1", "begin 1", "end 1"),
            *("take 2", "begin 2", "end 2"),
        ]

    async def test_back_pressure(self) -> None:
        """What a stalled server does not take is not told as sent."""
        total = 64 * PIECE
        progress = Progress()

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            conn.stop_reading()
            before = -1
            while before != len(progress.calls):
                before = len(progress.calls)
                await turns(200)
            assert (-1 if spoken.http2() else 0) < progress.calls[-1][0] < total
            conn.start_reading()
            await conn.read_body(request)
            conn.send(OK)

        async with RawServer(serve) as server, ClientSession() as session:
            await session.post(server.url(), data=b"x" * total, progress=progress)
        assert progress.calls[-1] == (total, total)

    async def test_sent_again(self) -> None:
        """When a redirect sends the body again, it begins at 0 again."""
        progress = Progress()
        async with (
            RawServer.replies([moved("/b", status=307), OK]) as server,
            ClientSession() as session,
        ):
            await session.post(server.url(), data=b"hello", progress=progress)
        assert progress.calls == [(0, 5), (5, 5), (0, 5), (5, 5)]
        assert [request.body for request in server.requests] == [b"hello", b"hello"]

    async def test_no_body(self) -> None:
        """Without a body it is never called, with an empty one once."""
        progress = Progress()
        await posted(None, progress=progress)
        assert progress.calls == []
        await posted(b"", progress=progress)
        assert progress.calls == [(0, 0)]

    @pytest.mark.both_loops
    @pytest.mark.parametrize("after", [0, PIECE], ids=["at once", "in the middle"])
    @pytest.mark.parametrize("coroutine", [False, True], ids=["function", "coroutine"])
    @pytest.mark.rows("MISC-10")
    async def test_exceptions(self, coroutine: bool, after: int) -> None:
        """An exception in it ends the request: UploadAbortedError, its cause, and nothing left open."""

        def progress(sent: int, total: int | None) -> None:
            if sent == after:
                raise LookupError("enough")

        async def slow_progress(sent: int, total: int | None) -> None:
            await asyncio.sleep(0)
            progress(sent, total)

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            await conn.closed()

        async with RawServer(serve) as server, ClientSession() as session:
            with pytest.raises(aioclient.UploadAbortedError) as caught:
                await session.post(
                    server.url(),
                    data=b"x" * (PIECE * 3),
                    progress=slow_progress if coroutine else progress,
                )
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
        assert str(caught.value) == (
            f"POST {server.url()}: the upload ended after {after} of {PIECE * 3} bytes, "
            "because progress= raised LookupError('enough')"
        )
        assert isinstance(caught.value.__cause__, LookupError)
        assert isinstance(caught.value, aioclient.ClientError)

    @pytest.mark.both_loops
    async def test_cancelled_while_it_waits(self) -> None:
        """A call cancelled while a callback waits ends the callback, the upload and the tracker's future."""
        ended = asyncio.Event()
        waiting = asyncio.Event()
        tracker = UploadTracker()

        async def progress(sent: int, total: int | None) -> None:
            waiting.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with RawServer.replies([OK]) as server, ClientSession() as session:
            call = session.post(server.url(), data=b"x", progress=progress, upload_tracker=tracker)
            task = asyncio.ensure_future(call)
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await ended.wait()
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
        with pytest.raises(aioclient.UploadAbortedError, match="after 0 bytes"):
            await tracker.upload_complete

    async def test_must_be_callable(self) -> None:
        """What cannot be called raises TypeError before anything is sent."""
        await refused(TypeError, "progress must be a callable", progress=5)


@pytest.mark.rows("S003-26")
class TestUploadTracker:
    @pytest.mark.both_loops
    async def test_a_whole_upload(self) -> None:
        """It counts bytes and attempts, and its future ends with the upload."""
        tracker = UploadTracker()
        assert (tracker.bytes_written, tracker.attempts) == (0, 0)
        assert not tracker.upload_complete.done()
        await posted(b"hello", upload_tracker=tracker)
        assert (tracker.bytes_written, tracker.attempts) == (5, 1)
        assert await tracker.upload_complete is None  # type: ignore[func-returns-value]
        assert repr(tracker) == "<UploadTracker 5 bytes, attempt 1>"

    async def test_looked_at_meanwhile(self) -> None:
        """While a server stalls it tells how far the upload has got."""
        total = 64 * PIECE
        tracker = UploadTracker()

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            conn.stop_reading()
            before = -1
            while before != tracker.bytes_written:
                before = tracker.bytes_written
                await turns(200)
            assert (-1 if spoken.http2() else 0) < tracker.bytes_written < total
            assert not tracker.upload_complete.done()
            conn.start_reading()
            await conn.read_body(request)
            conn.send(OK)

        async with RawServer(serve) as server, ClientSession() as session:
            await session.post(server.url(), data=b"x" * total, upload_tracker=tracker)
        assert tracker.bytes_written == total

    async def test_attempts(self) -> None:
        """Each time the request is sent is an attempt, without its body after a redirect that drops it."""
        for status, sent in ((307, 5), (303, 0)):
            tracker = UploadTracker()
            async with (
                RawServer.replies([moved("/b", status=status), OK]) as server,
                ClientSession() as session,
            ):
                await session.post(server.url(), data=b"hello", upload_tracker=tracker)
            assert (tracker.bytes_written, tracker.attempts) == (sent, 2)
            assert tracker.upload_complete.result() is None  # type: ignore[func-returns-value]

    async def test_no_body(self) -> None:
        """A request without a body is complete with an attempt of no bytes."""
        tracker = UploadTracker()
        await posted(None, upload_tracker=tracker)
        assert (tracker.bytes_written, tracker.attempts) == (0, 1)
        assert tracker.upload_complete.result() is None  # type: ignore[func-returns-value]

    async def test_early_answer(self) -> None:
        """An answer that ends the upload makes it UploadAbortedError, which nobody has to look at."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.send(answer(b"", status="413 Too Large"))
            await conn.closed()

        for looks in (True, False):
            tracker = UploadTracker()
            async with RawServer(serve) as server, ClientSession() as session:
                response = await session.post(
                    server.url(), data=b"x" * (64 * PIECE), upload_tracker=tracker
                )
                assert response.status == 413
                await turns()
            assert tracker.upload_complete.done()
            if looks:
                with pytest.raises(aioclient.UploadAbortedError, match=r"after \d+ bytes"):
                    await tracker.upload_complete

    async def test_never_sent(self) -> None:
        """A request that failed before its body settles it too."""
        tracker = UploadTracker()
        async with ClientSession() as session:
            with pytest.raises(aioclient.ClientConnectorError):
                await session.post("http://127.0.0.1:1/", data=b"x", upload_tracker=tracker)
        assert tracker.attempts == 1
        with pytest.raises(aioclient.UploadAbortedError):
            tracker.upload_complete.result()

    @pytest.mark.parametrize(
        "wrong",
        [{"ssl": 5}, {"data": b"x", "json": 1}, {"json": {1}}, {"proxy": "http://[x"}, {"no": 1}],
        ids=str,
    )
    async def test_refused(self, wrong: dict[str, Any]) -> None:
        """A call that is refused before it begins settles it."""
        tracker = UploadTracker()
        async with ClientSession() as session:
            with pytest.raises((TypeError, ValueError)):
                await session.post("http://127.0.0.1:1/", upload_tracker=tracker, **wrong)
        assert tracker.attempts == 0
        assert isinstance(tracker.upload_complete.exception(), aioclient.UploadAbortedError)

    async def test_of_a_closed_session(self) -> None:
        """So does one of a session that was closed."""
        tracker = UploadTracker()
        async with ClientSession() as session:
            pass
        with pytest.raises(RuntimeError, match="closed"):
            await session.get("http://127.0.0.1:1/", upload_tracker=tracker)
        assert isinstance(tracker.upload_complete.exception(), aioclient.UploadAbortedError)

    async def test_failed_source(self) -> None:
        """The error of the call, whose cause is what the source raised, is the future's exception."""

        def source() -> Iterator[bytes]:
            yield b"x"
            raise LookupError("no more")

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            await conn.closed()

        tracker = UploadTracker()
        async with RawServer(serve) as server, ClientSession() as session:
            with pytest.raises(aioclient.ClientConnectionError) as caught:
                await session.post(server.url(), data=source(), upload_tracker=tracker)
        assert tracker.upload_complete.exception() is caught.value
        assert isinstance(caught.value.__cause__, LookupError)

    async def test_full_duplex(self) -> None:
        """When the answer begins before the upload ends, the end of the upload settles it."""
        questions: asyncio.Queue[bytes] = asyncio.Queue()

        async def ask() -> AsyncIterator[bytes]:
            while question := await questions.get():
                yield question

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
            await conn.read_body(request)
            conn.send(b"k")

        tracker = UploadTracker()
        async with (
            RawServer(serve) as server,
            ClientSession() as session,
            session.post(server.url(), data=ask(), upload_tracker=tracker) as response,
        ):
            assert not tracker.upload_complete.done()
            questions.put_nowait(b"one")
            questions.put_nowait(b"")
            await tracker.upload_complete
            assert tracker.bytes_written == 3
            assert await response.read() == b"ok"

    async def test_one_request_each(self) -> None:
        """A tracker observes one request: a second one raises RuntimeError, and leaves it alone."""
        tracker = UploadTracker()
        await posted(b"hello", upload_tracker=tracker)
        await refused(RuntimeError, "another request's", upload_tracker=tracker)
        assert tracker.upload_complete.result() is None  # type: ignore[func-returns-value]

    @pytest.mark.parametrize("make", [object, aiohttp.UploadTracker])
    async def test_other_kinds(self, make: Callable[[], object]) -> None:
        """What is none of ours raises TypeError that names ours; aiohttp's is driven by its own private parts."""
        await refused(TypeError, "must be an aioclient.UploadTracker", upload_tracker=make())


@pytest.mark.rows("S003-34")
class TestChunked:
    async def test_on(self) -> None:
        """True sends the body in chunks though its length is known."""
        request = await posted(b"hello", chunked=True)
        assert request.value("Transfer-Encoding") == "chunked"
        assert request.value("Content-Length") is None
        assert request.body == b"hello"

    @pytest.mark.parametrize("chunked", [False, None])
    async def test_off(self, chunked: Any) -> None:
        """Without it a body of known length has a Content-Length, and only one of unknown length goes in chunks."""
        request = await posted(b"hello", chunked=chunked)
        assert (request.value("Transfer-Encoding"), request.value("Content-Length")) == (None, "5")
        request = await posted(in_pieces(b"hello", 2), chunked=chunked)
        assert request.value("Transfer-Encoding") == "chunked"
        assert request.body == b"hello"

    async def test_other_types(self) -> None:
        """Anything else raises TypeError."""
        await refused(TypeError, "chunked must be a bool or None, found str 'yes'", chunked="yes")


@pytest.mark.rows("S003-27")
async def test_json() -> None:
    """`json` is serialized by the session's function, and excludes `data`."""
    request = await posted(json={"a": [1, None, "é"]})
    assert json.loads(request.body) == {"a": [1, None, "é"]}
    assert request.value("Content-Type") == "application/json"
    await refused(ValueError, "data and json parameters can not be used at the same time", json=1)
    async with (
        RawServer.replies([OK]) as server,
        ClientSession(json_serialize=lambda value: f"<{value}>") as session,
    ):
        await session.post(server.url(), json="x")
    assert server.requests[0].body == b"<x>"


class NoException(BaseException):
    """What ``except Exception`` lets pass, as the outcomes of test frameworks."""


@pytest.mark.both_loops
@pytest.mark.rows("S003-26")
@pytest.mark.parametrize("where", ["iterable", "async", "progress"])
async def test_no_exception(where: str) -> None:
    """Whatever a body's source or the callback raises ends the call, and is not left to its timeout."""

    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise NoException(where)

    async def async_pieces() -> AsyncIterator[bytes]:
        yield b"a"
        raise NoException(where)

    def progress(sent: int, total: int | None) -> None:
        if where == "progress":
            raise NoException(where)

    data = {"iterable": pieces(), "async": async_pieces(), "progress": b"a"}[where]
    async with RawServer.replies([OK]) as server, ClientSession() as session:
        with pytest.raises(aioclient.ClientConnectionError, match="could not be read") as caught:
            await session.post(server.url(), data=data, progress=progress)
    assert isinstance(caught.value.__cause__, NoException)
