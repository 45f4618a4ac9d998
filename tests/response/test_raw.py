"""Bodies as they came: read undecoded, and shown to others while they are read."""

import asyncio
import gc
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
from multidict import CIMultiDict

import aioclient
from aioclient import ClientResponse, ClientSession, Handler, Request
from aioclient.connectors.dialling import READ_SIZE
from aioclient.testing import RawConnection, turns

from .. import spoken
from ..loopback import OK, answer
from ..observe.signals import Log
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

TEXT = b"".join(b"%d lines\n" % number for number in range(200_000))
CODED = gzip.compress(TEXT, mtime=0)
GZIP = answer(CODED, "Content-Encoding: gzip")
SMALL = answer(gzip.compress(b"small", mtime=0), "Content-Encoding: gzip")
PLAIN = answer(TEXT)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\nTrailer: X-Sum\r\n\r\n"
    + b"".join(
        b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [CODED[:9], CODED[9:99], CODED[99:]]
    )
    + b"0\r\nX-Sum: 9\r\n\r\n"
)
ENCODED = pytest.mark.parametrize("reply", [GZIP, CHUNKED], ids=["length", "chunks"])


class Branch:
    """What `tee()` showed."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ends: list[BaseException | None] = []

    def look_at(self, response: ClientResponse) -> ClientResponse:
        response.tee(self.pieces.append, self.ends.append)
        return response

    @property
    def whole(self) -> bytes:
        """Return the body; it has ended well, and once."""
        assert self.ends == [None]
        return b"".join(self.pieces)


@pytest.mark.both_loops
class TestReadRaw:
    @ENCODED
    async def test_whole(self, reply: bytes) -> None:
        """read_raw() gives what came, chunks put together; afterwards it can be decoded, as often as asked."""
        async with (
            RawServer.replies([reply]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            assert await response.read_raw() == CODED
            assert await response.read_raw() == CODED
            assert response.closed
            assert await response.read() == TEXT
            assert await response.text() == TEXT.decode()

    @pytest.mark.parametrize("path", ["with the head", "later"])
    async def test_a_small_one(self, path: str) -> None:
        """The same for a body that came with its head, or is read from its stream in part."""
        async with (
            RawServer.replies([SMALL]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            if path == "later":
                assert await response.content.read(2) == b"sm"
            assert gzip.decompress(await response.read_raw()) == b"small"
            if path == "later":
                assert await response.content.read() == b"all"
            else:
                assert await response.read() == b"small"

    @ENCODED
    async def test_in_pieces(self, reply: bytes) -> None:
        """iter_raw() gives the pieces as they come."""
        async with (
            RawServer.replies([reply]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            pieces = [piece async for piece in response.content.iter_raw()]
            assert b"".join(pieces) == CODED
            assert all(pieces)
            assert [piece async for piece in response.content.iter_raw()] == []

    async def test_by_number(self) -> None:
        """read_raw(n) gives at most n bytes."""
        async with (
            RawServer.replies([GZIP]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            assert await response.content.read_raw(0) == b""
            assert await response.content.read_raw(3) == CODED[:3]
            assert await response.content.read_raw() == CODED[3:]
            assert await response.content.read_raw(3) == b""

    @pytest.mark.parametrize("reply", [PLAIN, OK])
    async def test_without_a_coding(self, reply: bytes) -> None:
        """A body in no coding is the same raw, and reading one way goes on where the other stopped."""
        body = reply.partition(b"\r\n\r\n")[2]
        async with RawServer.replies([reply], repeat=True) as server, ClientSession() as session:
            async with session.get(server.url()) as response:
                assert await response.read_raw() == body
                assert await response.read() == body
            async with session.get(server.url()) as response:
                assert await response.read() == body
                assert await response.read_raw() == body
            async with session.get(server.url()) as response:
                start = await response.content.read(2)
                assert start + await response.content.read_raw() == body

    async def test_after_decoding(self) -> None:
        """Bytes that were decoded cannot be had as they came; the decoded ones go on undisturbed."""
        async with RawServer.replies([GZIP, GZIP, SMALL]) as server, ClientSession() as session:
            async with session.get(server.url()) as response:
                start = await response.content.readline()
                for _ in range(2):
                    with pytest.raises(
                        RuntimeError, match="a part of the body was decoded already"
                    ):
                        await response.read_raw()
                with pytest.raises(RuntimeError, match="a part of the body was decoded already"):
                    _ = [piece async for piece in response.content.iter_raw()]
                assert start + await response.content.read() == TEXT
            for _ in range(2):
                async with session.get(server.url()) as response:
                    await response.read()
                    with pytest.raises(RuntimeError, match="was decoded already"):
                        await response.read_raw()

    @pytest.mark.parametrize("reply", [GZIP, SMALL], ids=["large", "small"])
    async def test_before_decoding(self, reply: bytes) -> None:
        """What is read raw in part cannot be decoded, in whichever way; the raw bytes go on undisturbed."""
        async with (
            RawServer.replies([reply]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            content = response.content
            start = await content.read_raw(1)
            for read in (
                response.read,
                response.text,
                content.read,
                content.readany,
                content.readline,
                content.readchunk,
                lambda: content.read(1),
                lambda: content.readexactly(1),
            ):
                with pytest.raises(RuntimeError, match="is being read undecoded"):
                    await read()
            with pytest.raises(RuntimeError, match="is being read undecoded"):
                content.read_nowait()
            assert content.peek(5) == b""
            response.status = 400
            with pytest.raises(aioclient.StatusError):
                response.raise_for_status()
            raw = start + await content.read_raw()
            assert raw == reply.partition(b"\r\n\r\n")[2]

    async def test_one_at_a_time(self) -> None:
        """A second reader is refused, as for every way of reading."""

        async def slow(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(GZIP[:200])
            await conn.closed()

        async with RawServer(slow) as server, ClientSession() as session:
            async with session.get(server.url()) as response:
                reading = asyncio.create_task(response.content.read_raw())
                await turns(5)
                with pytest.raises(RuntimeError, match="another call waits"):
                    await response.content.read_raw()
                with pytest.raises(RuntimeError, match="another call waits"):
                    response.tee(print, print)
            with pytest.raises(aioclient.ClientConnectionError):
                await reading

    async def test_memory(self) -> None:
        """While nobody reads, the server is held back; raw pieces are no larger than what is kept ahead."""
        sent = 0

        async def pour(conn: RawConnection) -> None:
            nonlocal sent
            await conn.read_request()
            conn.send(
                b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\nContent-Encoding: gzip\r\n\r\n"
            )
            for _ in range(100):
                conn.send(bytes(1_000_000))
                await conn.drain()
                sent += 1_000_000

        async with (
            RawServer(pour) as server,
            ClientSession(read_bufsize=2**16) as session,
            session.get(server.url()) as response,
        ):
            largest = total = 0
            async for piece in response.content.iter_raw():
                largest = max(largest, len(piece))
                total += len(piece)
            assert total == 100_000_000
            assert largest <= (2**20 if spoken.http2() else 2**17 + READ_SIZE)

    @pytest.mark.parametrize("reply", [GZIP, CHUNKED, SMALL])
    async def test_max_body_size(self, reply: bytes) -> None:
        """It bounds the bytes as they came."""
        async with RawServer.replies([reply], repeat=True) as server, ClientSession() as session:
            size = (
                len(SMALL if reply is SMALL else GZIP)
                - len((SMALL if reply is SMALL else GZIP).partition(b"\r\n\r\n")[0])
                - 4
            )
            async with session.get(server.url(), max_body_size=size) as response:
                assert len(await response.read_raw()) == size
            for _ in range(2):
                async with session.get(server.url(), max_body_size=size - 1) as response:
                    for _ in range(2):
                        with pytest.raises(aioclient.BodyTooLargeError):
                            await response.read_raw()
                async with session.get(server.url(), max_body_size=size - 1) as response:
                    await turns(10)
                    with pytest.raises(aioclient.BodyTooLargeError):
                        _ = [piece async for piece in response.content.iter_raw()]

    async def test_a_coding_that_cannot_be_undone(self) -> None:
        """It can be read as it came, and decoding says what is wrong."""
        codings = ", ".join(["gzip"] * 6)
        reply = answer(TEXT, f"Content-Encoding: {codings}")
        small = answer(b"small", f"Content-Encoding: {codings}")
        async with (
            RawServer.replies([reply, small, reply, small]) as server,
            ClientSession() as session,
        ):
            for body in (TEXT, b"small"):
                async with session.get(server.url()) as response:
                    raw = b"".join([piece async for piece in response.content.iter_raw()])
                    assert raw == body
            for _ in range(2):
                async with session.get(server.url()) as response:
                    with pytest.raises(aioclient.ContentDecodingError, match="6 codings"):
                        await response.read()

    @pytest.mark.parametrize("wait", range(1, 4))
    async def test_cancelled(self, wait: int) -> None:
        """A cancelled read_raw() closes the connection, as read() does."""

        async def slow(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(GZIP[:200])
            await conn.closed()

        async with RawServer(slow) as server, ClientSession() as session:
            response = await session.get(server.url())
            reading = asyncio.create_task(response.read_raw())
            await turns(wait)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert response.closed

    async def test_cut(self) -> None:
        """A body that ends early is an error, behind the bytes before it; read_raw() of all raises at once."""

        async def cut(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(GZIP[:-5])
            await conn.drain()

        async with RawServer(cut) as server, ClientSession() as session:
            async with session.get(server.url()) as response:
                with pytest.raises(aioclient.ClientPayloadError):
                    await response.read_raw()
            async with session.get(server.url()) as response:
                pieces = b""
                with pytest.raises(aioclient.ClientPayloadError):
                    async for piece in response.content.iter_raw():
                        pieces += piece
                assert pieces == CODED[:-5]

    async def test_signals(self) -> None:
        """What a middleware reads raw a trace does not hear; what the user reads then it hears as ever."""

        async def look(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            assert await response.read_raw()
            return response

        for reply, text in ((GZIP, TEXT), (PLAIN, TEXT), (SMALL, b"small"), (OK, b"ok")):
            log = Log()
            async with (
                RawServer.replies([reply]) as server,
                ClientSession(middlewares=[look], trace_configs=[log.config()]) as session,
                session.get(server.url()) as response,
            ):
                assert await response.read() == text
            chunks = [seen[3].chunk for seen in log.seen if seen[0] == "on_response_chunk_received"]
            assert chunks == [text]


@pytest.mark.both_loops
class TestTee:
    @ENCODED
    async def test_whole(self, reply: bytes) -> None:
        """The branch gets the body as it came, and its end; the reader decodes it as ever."""
        branch = Branch()
        async with (
            RawServer.replies([reply]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            branch.look_at(response)
            assert await response.read() == TEXT
            assert branch.whole == CODED

    async def test_trailers(self) -> None:
        """At the end the trailers are there."""
        trailers: list[Any] = []
        async with (
            RawServer.replies([CHUNKED]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            response.tee(len, lambda error: trailers.append(CIMultiDict(response.trailers)))
            await response.read()
        assert trailers == [CIMultiDict({"X-Sum": "9"})]

    @pytest.mark.parametrize("reply", [SMALL, OK, answer(b"")], ids=["coded", "plain", "empty"])
    async def test_a_body_that_is_here(self, reply: bytes) -> None:
        """What came with the head is shown at once, also when it was read already, as long as it is kept as it came."""
        first, second = Branch(), Branch()
        async with (
            RawServer.replies([reply]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            first.look_at(response)
            assert first.whole == reply.partition(b"\r\n\r\n")[2]
            await response.read()
            if reply is SMALL:
                with pytest.raises(RuntimeError, match="decoded already"):
                    second.look_at(response)
            else:
                assert second.look_at(response) is response
                assert second.whole == first.whole

    async def test_while_it_streams(self) -> None:
        """Each piece is shown when it comes; unread bytes that came before are shown first."""
        branch = Branch()
        goes_on = asyncio.Event()

        async def slow(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(answer(bytes(20))[:-10])
            await goes_on.wait()
            conn.send(bytes(10))
            await conn.closed()

        async with (
            RawServer(slow) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            await turns(5)
            branch.look_at(response)
            assert (b"".join(branch.pieces), branch.ends) == (bytes(10), [])
            assert await response.content.read(4) == bytes(4)
            goes_on.set()
            assert await response.content.readexactly(16) == bytes(16)
            assert branch.whole == bytes(20)

    async def test_several(self) -> None:
        """Several may look on, each with all of it."""
        branches = [Branch(), Branch()]
        async with (
            RawServer.replies([GZIP]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            for branch in branches:
                branch.look_at(response)
            await response.read()
        assert [branch.whole for branch in branches] == [CODED, CODED]

    async def test_tiny_chunks(self) -> None:
        """Chunks that are merged on their way to the reader are shown once."""
        branch = Branch()
        reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000
        async with (
            RawServer.replies([reply + b"0\r\n\r\n"]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            branch.look_at(response)
            assert await response.read() == b"x" * 50_000
        assert branch.whole == b"x" * 50_000

    @pytest.mark.parametrize("way", ["raw", "iter_raw", "lines", "prefetch", "unread"])
    async def test_every_way_to_read(self, way: str) -> None:
        """However the body is read, it is shown once."""
        branch = Branch()
        async with (
            RawServer.replies([PLAIN]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            branch.look_at(response)
            content = response.content
            if way == "raw":
                assert await response.read_raw() == TEXT
            elif way == "iter_raw":
                assert b"".join([piece async for piece in content.iter_raw()]) == TEXT
            elif way == "lines":
                assert len([line async for line in content]) == 200_000
            else:
                if way == "prefetch":
                    await content.prefetch(1000)
                else:
                    content.unread_data(await content.read(1000))
                assert await content.read() == TEXT
        assert branch.whole == TEXT

    @pytest.mark.parametrize("way", ["release", "close", "drop", "cancel"])
    async def test_the_reader_leaves(self, way: str) -> None:
        """The branch ends with an error when the reader leaves early; it is never taken for whole."""
        branch = Branch()

        async def slow(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(PLAIN[:1000])
            await conn.closed()

        async with RawServer(slow) as server, ClientSession() as session:
            response = branch.look_at(await session.get(server.url()))
            await response.content.read(10)
            if way == "release":
                _ = response.release()
            elif way == "close":
                response.close()
            elif way == "cancel":
                reading = asyncio.create_task(response.read())
                await turns(2)
                reading.cancel()
                await asyncio.wait([reading])
            else:
                with pytest.warns(ResourceWarning, match="unclosed response"):
                    del response
                    await turns(2)
                    gc.collect()
            await turns(5)
        assert [type(error) for error in branch.ends] == [aioclient.ClientConnectionError]

    async def test_the_server_fails(self) -> None:
        """The branch gets the body's error."""
        branch = Branch()

        async def cut(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(GZIP[:-5])
            await conn.drain()

        async with (
            RawServer(cut) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            branch.look_at(response)
            with pytest.raises(aioclient.ClientPayloadError) as caught:
                await response.read()
            assert branch.ends == [caught.value]
            late = Branch()
            with pytest.raises(RuntimeError, match="was read already"):
                late.look_at(response)

    async def test_a_body_that_cannot_be_decoded(self) -> None:
        """A decoder that fails while the body comes ends the branch."""
        branch = Branch()
        async with (
            RawServer.replies([answer(TEXT, "Content-Encoding: gzip")]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            branch.look_at(response)
            with pytest.raises(aioclient.ContentDecodingError) as caught:
                await response.read()
        assert branch.ends in (
            [caught.value],
            [None],
        )  # it may have come whole before it was looked at

    async def test_it_is_late(self) -> None:
        """A branch must begin before the body is read, or released."""
        async with RawServer.replies([GZIP, PLAIN, PLAIN]) as server, ClientSession() as session:
            for _ in range(2):
                async with session.get(server.url()) as response:
                    await response.content.readline()
                    with pytest.raises(RuntimeError, match="was read already"):
                        response.tee(print, print)
            response = await session.get(server.url())
            await response.release()
            with pytest.raises(aioclient.ClientConnectionError, match="released"):
                response.tee(print, print)

    async def test_a_part_was_read(self) -> None:
        """The rest of a body is never shown as the whole, whoever has read the beginning, and in whichever way."""
        async with RawServer.replies([GZIP, PLAIN, PLAIN]) as server, ClientSession() as session:
            async with session.get(server.url()) as response:
                start = await response.content.read_raw(5)
                assert start + await response.read_raw() == CODED
                with pytest.raises(RuntimeError, match="was read already"):
                    response.tee(print, print)
                with pytest.raises(RuntimeError, match="is being read undecoded"):
                    await response.read()
            for read in ("read", "read_raw"):
                async with session.get(server.url()) as response:
                    start = await response.content.read(5)
                    assert start + await getattr(response, read)() == TEXT
                    with pytest.raises(RuntimeError, match="was read already"):
                        response.tee(print, print)

    async def test_what_it_takes(self) -> None:
        """write and end are plain functions."""

        async def coroutine(piece: Any) -> None:
            """Never called."""

        nothing: Any = None
        async with (
            RawServer.replies([OK]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            with pytest.raises(TypeError, match="write must be a plain function"):
                response.tee(coroutine, print)
            with pytest.raises(TypeError, match="end must be a plain function"):
                response.tee(print, coroutine)
            with pytest.raises(TypeError, match="end must be a plain function, found None"):
                response.tee(print, nothing)

    @pytest.mark.parametrize("reply", [GZIP, SMALL, OK])
    async def test_write_raises(self, reply: bytes) -> None:
        """What write raises goes to end, once; the reader and other branches do not notice."""
        other = Branch()
        ends: list[Any] = []
        calls: list[bytes] = []

        def full(piece: bytes) -> None:
            calls.append(piece)
            raise MemoryError("full")

        async with (
            RawServer.replies([reply]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            response.tee(full, ends.append)
            other.look_at(response)
            assert await response.read()
        assert other.whole == reply.partition(b"\r\n\r\n")[2]
        assert [type(error) for error in ends] == [MemoryError]
        assert len(calls) == 1

    @pytest.mark.parametrize("reply", [GZIP, SMALL])
    async def test_end_raises(self, reply: bytes) -> None:
        """What end raises goes to the event loop's exception handler."""
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(context)
        )

        def fail(error: BaseException | None) -> None:
            raise KeyError("x")

        async with (
            RawServer.replies([reply]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            response.tee(len, fail)
            assert await response.read()
        assert ["The end of a tee() raised" in each["message"] for each in reported] == [True]

    async def test_made_from_parts(self) -> None:
        """A response from parts has branches, too."""
        whole, left, here = Branch(), Branch(), Branch()

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(CODED), 1000):
                yield CODED[at : at + 1000]

        async def make(request: Request, handler: Handler) -> ClientResponse:
            body = CODED if request.url.path == "/bytes" else pieces()
            return ClientResponse.from_parts(request, 200, {"Content-Encoding": "gzip"}, body)

        async with ClientSession("http://a.example/", middlewares=[make]) as session:
            async with session.get("pieces") as response:
                whole.look_at(response)
                assert await response.read() == TEXT
            async with session.get("pieces") as response:
                left.look_at(response)
                await response.content.readline()
            async with session.get("bytes") as response:
                here.look_at(response)
        assert whole.whole == here.whole == CODED
        assert [type(error) for error in left.ends] == [aioclient.ClientConnectionError]
