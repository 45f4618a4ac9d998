"""Responses from parts: a middleware answers without a connection, and nobody can tell."""

import asyncio
import gc
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

import aioclient
from aioclient import ClientResponse, ClientSession, Handler, Middleware, Request, Timings
from aioclient.testing import turns

from ..loopback import OK, answer
from ..observe.signals import Log
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

URL = "http://a.example/path?q=1#f"
LARGE = bytes(range(256)) * 20_000


def answers(*parts: Any, **more: Any) -> Middleware:
    """Return a middleware that answers with a response from these parts."""

    async def middleware(request: Request, handler: Handler) -> ClientResponse:
        return ClientResponse.from_parts(request, *parts, **more)

    return middleware


@asynccontextmanager
async def answered(*parts: Any, **more: Any) -> AsyncIterator[ClientResponse]:
    """Give the response of a call with the arguments *call* that a middleware answers."""
    call = more.pop("call", {})
    async with (
        ClientSession(middlewares=[answers(*parts, **more)]) as session,
        session.get(URL, **call) as response,
    ):
        yield response


class Body:
    """A body in pieces that knows how far it was read, and how it ended."""

    def __init__(self, *pieces: Any, gate: asyncio.Event | None = None) -> None:
        self._pieces = pieces
        self._gate = gate
        self.begun = 0
        self.given = 0
        self.closed = False
        self.end: BaseException | None = None

    async def __aiter__(self) -> AsyncIterator[Any]:
        self.begun += 1
        try:
            for piece in self._pieces:
                if self._gate is not None:
                    await self._gate.wait()
                if isinstance(piece, BaseException):
                    raise piece
                self.given += 1
                yield piece
        except BaseException as error:
            self.end = error
            raise
        finally:
            await asyncio.sleep(0)
            self.closed = True


class Closable:
    """An iterator with a close of its own, which a body that was never read needs as well."""

    def __init__(self, raises: Exception | None = None) -> None:
        self.closed = 0
        self._raises = raises

    def __aiter__(self) -> "Closable":
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1
        if self._raises is not None:
            raise self._raises


class TestParts:
    async def test_the_least(self) -> None:
        """A request and a status are enough: the usual reason, HTTP/1.1, no fields, no body, no phases."""
        async with answered(404) as response:
            assert (response.status, response.reason, response.ok) == (404, "Not Found", False)
            assert response.version == aioclient.HttpVersion11
            assert not response.headers
            assert not response.trailers
            assert response.timings == Timings()
            assert await response.read() == b""
            assert response.connection is None
            assert response.closed

    async def test_every_part(self) -> None:
        """Each part is where a response has it."""
        took = Timings(first_byte=0.25, total=0.5)
        async with answered(
            299,
            [("X-A", "1"), ("x-a", "2"), ("Set-Cookie", "a=b")],
            b"text",
            reason="Made Up",
            version=aioclient.HttpVersion10,
            trailers={"X-Sum": "9"},
            timings=took,
        ) as response:
            assert (response.status, response.reason) == (299, "Made Up")
            assert response.version == aioclient.HttpVersion10
            assert response.headers.getall("X-A") == ["1", "2"]
            assert response.raw_headers[0] == (b"X-A", b"1")
            assert response.cookies["a"].value == "b"
            assert response.trailers == CIMultiDict({"X-Sum": "9"})
            assert response.timings is took
            assert await response.text() == "text"
            assert repr(response) == f"<ClientResponse({URL}) [299 Made Up]>"

    async def test_what_was_asked(self) -> None:
        """URL, method, request_info and history are those of the request."""
        async with answered(200) as response:
            assert str(response.real_url) == URL
            assert str(response.url) == URL.removesuffix("#f")
            assert (response.host, response.method) == ("a.example", "GET")
            assert response.request_info.headers["Host"] == "a.example"
            assert response.history == ()

    async def test_fields_of_another_response(self) -> None:
        """The fields of a response are taken as they are, though they could not be sent."""
        odd = CIMultiDictProxy(CIMultiDict({"X-Odd": "a\x01b"}))
        async with answered(200, odd) as response:
            assert response.headers is odd

    @pytest.mark.parametrize("body", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
    async def test_bytes_of_any_kind(self, body: Any) -> None:
        """The body is a copy of what could change."""
        async with answered(200, None, body) as response:
            read = await response.read()
            assert (type(read), read) == (bytes, b"abc")

    @pytest.mark.parametrize(
        ("parts", "more", "error", "text"),
        [
            (("200",), {}, TypeError, "status must be an int, found str '200'"),
            ((True,), {}, TypeError, "status must be an int"),
            ((99,), {}, ValueError, "from 100 to 999"),
            ((1000,), {}, ValueError, "from 100 to 999"),
            ((200, {"a b": "c"}), {}, ValueError, "not a token"),
            ((200, {"a": "c\n"}), {}, ValueError, "control character"),
            ((200, {"a": 1}), {}, TypeError, "must be a str, found int"),
            ((200, None, "text"), {}, TypeError, "found str; encode it"),
            ((200, None, [b"a"]), {}, TypeError, "bytes or an async iterable of bytes, found list"),
            ((200, None, b""), {"trailers": {"a b": "c"}}, ValueError, "not a token"),
            ((200, None, Body()), {"trailers": {"a b": "c"}}, ValueError, "not a token"),
        ],
    )
    async def test_what_is_refused(
        self, parts: Any, more: Any, error: type[Exception], text: str
    ) -> None:
        """What a response cannot have raises where it is given."""
        with pytest.raises(error, match=text):
            async with answered(*parts, **more):
                pass

    async def test_it_needs_a_request(self) -> None:
        """What it answers must be a request."""
        nothing: Any = URL
        with pytest.raises(TypeError, match="needs the Request that it answers, found str"):
            ClientResponse.from_parts(nothing, 200)

    async def test_response_class(self) -> None:
        """It is of the session's class, or of the class that makes it."""

        class OfSession(ClientResponse):
            pass

        class OfMiddleware(ClientResponse):
            pass

        async def middleware(request: Request, handler: Handler) -> ClientResponse:
            return OfMiddleware.from_parts(request, 200)

        async with ClientSession(response_class=OfSession) as session:
            assert type(await session.get(URL, middlewares=[answers(200)])) is OfSession
            assert type(await session.get(URL, middlewares=[middleware])) is OfMiddleware


BODIES: list[Callable[[bytes], Any]] = [
    lambda body: body,
    lambda body: Body(*[body[at : at + 1000] for at in range(0, len(body), 1000)]),
]


@pytest.mark.parametrize("made", BODIES, ids=["bytes", "pieces"])
class TestBody:
    async def test_read(self, made: Any) -> None:
        """read() gives all of it, as often as asked; text() and json() what is in it."""
        body = json.dumps({"key": "é" * 3000}, ensure_ascii=False).encode()
        async with answered(200, {"Content-Type": "application/json"}, made(body)) as response:
            assert await response.read() == body
            assert await response.read() == body
            assert await response.text() == body.decode()
            assert await response.json() == json.loads(body)

    async def test_pieces(self, made: Any) -> None:
        """The stream has every way of reading."""
        async with answered(200, None, made(b"line\nanother\nrest")) as response:
            assert await response.content.readline() == b"line\n"
            assert await response.content.readexactly(3) == b"ano"
            assert await response.content.readuntil(b"\n") == b"ther\n"
            assert [piece async for piece in response.content.iter_chunked(3)] == [b"res", b"t"]
            assert response.content.at_eof()

    async def test_content_encoding(self, made: Any) -> None:
        """It is decoded as if it had come from the wire."""
        coded = gzip.compress(LARGE)
        async with answered(200, {"Content-Encoding": "gzip"}, made(coded)) as response:
            assert await response.read() == LARGE

    async def test_auto_decompress(self, made: Any) -> None:
        """A call that wants it as it came gets it so."""
        coded = gzip.compress(b"text" * 1000)
        more = {"call": {"auto_decompress": False}}
        async with answered(200, {"Content-Encoding": "gzip"}, made(coded), **more) as response:
            assert await response.read() == coded

    async def test_decoded(self, made: Any) -> None:
        """With decoded=True nothing is undone, and raw is what was given."""
        parts = 200, {"Content-Encoding": "gzip"}
        async with answered(*parts, made(LARGE), decoded=True) as response:
            assert await response.read() == LARGE
            assert await response.read_raw() == LARGE
        async with answered(*parts, made(LARGE), decoded=True) as response:
            assert await response.read_raw() == LARGE
            assert await response.read() == LARGE

    async def test_truncated(self, made: Any) -> None:
        """A coded body that ends early is an error."""
        coded = gzip.compress(LARGE)[:-9]
        async with answered(200, {"Content-Encoding": "gzip"}, made(coded)) as response:
            with pytest.raises(aioclient.ContentDecodingError, match="truncated"):
                await response.read()

    @pytest.mark.parametrize("decoded", [True, False])
    async def test_max_body_size(self, made: Any, decoded: bool) -> None:
        """A body that is too large is an error."""
        more = {"call": {"max_body_size": 5000}, "decoded": decoded}
        async with answered(200, None, made(bytes(5001)), **more) as response:
            with pytest.raises(aioclient.BodyTooLargeError, match="max_body_size=5000"):
                await response.read()
        async with answered(200, None, made(bytes(5000)), **more) as response:
            assert len(await response.read()) == 5000

    async def test_status_error(self, made: Any) -> None:
        """raise_for_status carries the body, of a session or of the response."""
        async with ClientSession(
            middlewares=[answers(500, None, made(b"why"))], raise_for_status=True
        ) as session:
            with pytest.raises(aioclient.StatusError) as caught:
                await session.get(URL)
            assert (caught.value.status, caught.value.text) == (500, "why")
        async with answered(400, None, made(b"why")) as response:
            with pytest.raises(aioclient.StatusError) as caught:
                await response.check_status()
            assert caught.value.text == "why"

    async def test_trailers(self, made: Any) -> None:
        """Trailers are there when the body was read."""
        async with answered(200, None, made(b"text"), trailers={"X-Sum": "9"}) as response:
            await response.read()
            assert response.trailers["X-Sum"] == "9"

    async def test_released(self, made: Any) -> None:
        """A response that was released cannot be read."""
        async with answered(200, None, made(b"text")) as response:
            await response.release()
            assert response.closed
            with pytest.raises(aioclient.ClientConnectionError, match="released"):
                await response.read()
            with pytest.raises(aioclient.ClientConnectionError, match="released"):
                await response.read_raw()

    async def test_signals(self, made: Any) -> None:
        """A trace hears of what is read, and of the end of the call."""
        log = Log()
        async with (
            ClientSession(
                middlewares=[answers(200, None, made(b"text"))], trace_configs=[log.config()]
            ) as session,
            session.get(URL) as response,
        ):
            assert await response.read() == b"text"
        names = [name for name, *_ in log.seen]
        assert names == ["on_request_start", "on_request_end", "on_response_chunk_received"]
        assert log.seen[-1][3].chunk == b"text"

    async def test_history_and_cookies(self, made: Any) -> None:
        """A redirect from parts is followed, the next hop may be on the wire, and cookies go into the jar."""

        async def redirect(request: Request, handler: Handler) -> ClientResponse:
            if request.url.path != "/first":
                return await handler(request)
            fields = {"Location": "/second", "Set-Cookie": "a=b"}
            return ClientResponse.from_parts(request, 302, fields, made(b"moved"))

        async with (
            RawServer.replies([OK]) as server,
            ClientSession(
                middlewares=[redirect], cookie_jar=aioclient.CookieJar(unsafe=True)
            ) as session,
            session.get(server.url("/first")) as response,
        ):
            assert await response.text() == "ok"
            assert [past.status for past in response.history] == [302]
            assert response.url.path == "/second"


@pytest.mark.both_loops
class TestPulling:
    async def test_only_as_the_reader_reads(self) -> None:
        """Nothing is asked for before somebody reads, and nothing ahead of what is read."""
        body = Body(b"ab", b"cd", b"ef", b"gh")
        async with answered(200, None, body) as response:
            await turns(5)
            assert (body.begun, body.given) == (0, 0)
            assert await response.content.read(1) == b"a"
            await turns(5)
            assert body.given == 1
            assert await response.content.read(1) == b"b"
            await turns(5)
            assert body.given == 1
            assert await response.content.readexactly(3) == b"cde"
            await turns(5)
            assert body.given == 3
            assert await response.read() == b"fgh"
            assert (body.given, body.closed, body.end) == (4, True, None)
            assert response.closed

    async def test_coded_pieces_too(self) -> None:
        """Of a coded body no more is asked for than what is decoded needs."""
        coded = gzip.compress(LARGE, compresslevel=0)
        body = Body(*[coded[at : at + 1000] for at in range(0, len(coded), 1000)])
        async with answered(200, {"Content-Encoding": "gzip"}, body) as response:
            await response.content.readexactly(2500)
            await turns(5)
            assert body.given < 6
            assert len(await response.content.read()) == len(LARGE) - 2500

    async def test_lines(self) -> None:
        """A line may be as long as elsewhere, and no longer."""
        body = Body(b"x" * 1000, b"\n", b"y" * 600_000, b"\n")
        async with answered(200, None, body) as response:
            assert len(await response.content.readline()) == 1001
            with pytest.raises(aioclient.ClientPayloadError, match="no line end within"):
                await response.content.readline()

    async def test_a_task_waits_for_it(self) -> None:
        """A reader waits as long as the iterator does, and others run meanwhile."""
        gate = asyncio.Event()
        body = Body(b"ab", b"cd", gate=gate)
        async with answered(200, None, body) as response:
            reading = asyncio.create_task(response.read())
            await turns(5)
            assert not reading.done()
            gate.set()
            assert await reading == b"abcd"

    async def test_a_cancelled_read_of_pieces(self) -> None:
        """A cancelled call takes nothing, and does not disturb the iterator."""
        gate = asyncio.Event()
        body = Body(b"ab", b"cd", gate=gate)
        async with answered(200, None, body) as response:
            reading = asyncio.create_task(response.content.read(1))
            await turns(5)
            reading.cancel()
            await turns(5)
            assert body.end is None
            gate.set()
            assert [piece async for piece in response.content.iter_any()] == [b"ab", b"cd"]

    @pytest.mark.parametrize("wait", range(1, 7))
    async def test_a_cancelled_read_of_everything(self, wait: int) -> None:
        """It closes the response, as on the wire, and the iterator with it; at whichever moment it comes."""
        body = Body(b"ab", b"cd", gate=asyncio.Event())
        async with answered(200, None, body) as response:
            reading = asyncio.create_task(response.read())
            await turns(wait)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert response.closed
            await turns(5)
            assert body.closed or not body.begun

    async def test_one_task_runs_it(self) -> None:
        """Every step of the iterator is one of the same task, so that timeouts around a yield work."""
        tasks = set()

        async def pieces() -> AsyncIterator[bytes]:
            async with asyncio.timeout(60):
                for _ in range(3):
                    tasks.add(asyncio.current_task())
                    yield b"x"
            tasks.add(asyncio.current_task())

        async with answered(200, None, pieces()) as response:
            for _ in range(3):
                await asyncio.create_task(response.content.read(1))
            assert await response.content.read() == b""
        assert len(tasks) == 1

    async def test_the_loop_gets_its_turns(self) -> None:
        """An iterator that never waits does not hold the event loop: a piece is at most 1 MiB away from a turn."""
        rounds = 0

        def count() -> None:
            nonlocal rounds
            rounds += 1
            ticking = asyncio.get_running_loop().call_soon(count)
            ticks[:] = [ticking]

        ticks: list[asyncio.Handle] = []

        async def large() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield bytes(2**18)

        async def many() -> AsyncIterator[bytes]:
            for number in range(2560):
                yield b"x" if number % 2 else b""

        for pieces in (large(), many()):
            async with answered(200, None, pieces) as response:
                rounds = 0
                count()
                await response.read()
                ticks[0].cancel()
                assert 10 <= rounds <= 20

    async def test_trailers_that_the_iterator_knows(self) -> None:
        """The iterator may fill them in until its end; before it there are none."""
        trailers: CIMultiDict[str] = CIMultiDict({"X-Early": "1"})

        async def pieces() -> AsyncIterator[bytes]:
            yield b"a"
            trailers["X-Sum"] = "9"

        async with answered(200, None, pieces(), trailers=trailers) as response:
            assert await response.content.read(1) == b"a"
            assert not response.trailers
            await response.read()
            assert response.trailers == CIMultiDict({"X-Early": "1", "X-Sum": "9"})


@pytest.mark.both_loops
class TestEnds:
    async def test_leaving_early(self) -> None:
        """Leaving the block closes the iterator, and waits for that."""
        body = Body(b"ab", b"cd")
        async with answered(200, None, body) as response:
            assert await response.content.read(1) == b"a"
            assert not response.closed
        assert body.closed
        assert isinstance(body.end, GeneratorExit)

    async def test_leaving_while_a_reader_waits(self) -> None:
        """The reader gets the error of a response that was released."""
        body = Body(b"ab", gate=asyncio.Event())
        async with answered(200, None, body) as response:
            reading = asyncio.create_task(response.content.read())
            await turns(5)
        assert body.closed
        with pytest.raises(aioclient.ClientConnectionError, match="was released"):
            await reading

    async def test_leaving_before_it_began(self) -> None:
        """An iterator that a reader has asked for, and that did not get its first turn yet, is not begun any more."""
        body = Body(b"ab")
        async with answered(200, None, body) as response:
            reading = asyncio.create_task(response.content.read())
            await turns(1)
            await response.release()
            assert body.begun == 0
            with pytest.raises(aioclient.ClientConnectionError, match="was released"):
                await reading

    @pytest.mark.parametrize("way", ["release", "close", "await release", "wait_for_close", "with"])
    async def test_every_way_to_leave(self, way: str) -> None:
        """Each way closes an iterator, one that was never read too."""
        body = Closable()
        async with ClientSession(middlewares=[answers(200, None, body)]) as session:
            response = await session.get(URL)
            if way == "release":
                _ = response.release()
            elif way == "close":
                response.close()
            elif way == "await release":
                await response.release()
                assert body.closed == 1
            elif way == "wait_for_close":
                await response.wait_for_close()
                assert body.closed == 1
            else:
                async with response:
                    pass
                assert body.closed == 1
            assert response.closed
            await turns(5)
            assert body.closed == 1
            await response.release()
            response.close()
            await turns(5)
            assert body.closed == 1

    async def test_it_is_closed_after_its_end(self) -> None:
        """An iterator that has ended is closed before the reader hears of the end."""
        body = Closable()
        async with answered(200, None, body) as response:
            assert await response.read() == b""
            assert body.closed == 1
        assert body.closed == 1

    async def test_dropping(self) -> None:
        """A response that is forgotten closes its iterator, without a warning: no connection is lost."""
        read, unread = Body(b"ab", b"cd"), Closable()
        async with ClientSession() as session:
            response = await session.get(URL, middlewares=[answers(200, None, read)])
            await response.content.read(1)
            await session.get(URL, middlewares=[answers(200, None, unread)])
            del response
            gc.collect()
            await turns(10)
            assert read.closed
            assert unread.closed == 1

    @pytest.mark.parametrize(
        "error",
        [KeyError("x"), aioclient.ClientPayloadError("x"), TimeoutError("x"), OSError("x")],
    )
    async def test_what_it_raises(self, error: Exception) -> None:
        """The reader gets the very error, behind what came before it, and again when it asks again."""
        body = Body(b"ab", error)
        async with answered(200, None, body) as response:
            assert await response.content.read(2) == b"ab"
            for _ in range(2):
                with pytest.raises(type(error)) as caught:
                    await response.content.read(2)
                assert caught.value is error
            assert response.closed
            assert body.closed

    async def test_what_is_no_piece(self) -> None:
        """A piece must be bytes."""
        async with answered(200, None, Body("text")) as response:
            with pytest.raises(TypeError, match="the iterator of the body gave str, not bytes"):
                await response.read()

    async def test_somebody_cancels_it(self) -> None:
        """An iterator that is cancelled by somebody else breaks the body."""
        async with answered(200, None, Body(asyncio.CancelledError())) as response:
            with pytest.raises(aioclient.ClientPayloadError, match=r"iterator .* was cancelled"):
                await response.read()

    @pytest.mark.parametrize("reads", [True, False])
    async def test_a_close_that_raises(self, reads: bool) -> None:
        """The reader gets it at the end; when nobody reads, the event loop's exception handler does."""
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(context)
        )
        async with answered(200, None, Closable(KeyError("x"))) as response:
            if reads:
                with pytest.raises(KeyError):
                    await response.read()
        assert len(reported) == (0 if reads else 1)

    async def test_its_close_is_cancelled(self) -> None:
        """Who cancels every task cancels the close of an iterator, too; its reader gets the end all the same."""

        class Slow(Closable):
            async def aclose(self) -> None:
                await asyncio.get_running_loop().create_future()

        async with answered(200, None, Slow()) as response:
            others = asyncio.all_tasks()
            reading = asyncio.create_task(response.read())
            await turns(5)
            (closing,) = asyncio.all_tasks() - others - {reading}
            closing.cancel()
            assert await reading == b""
            assert response.closed

    async def test_too_much_of_it(self) -> None:
        """An iterator of a body that is too large is closed undisturbed."""
        body = Body(bytes(4000), bytes(4000), bytes(4000))
        async with answered(200, None, body, call={"max_body_size": 5000}) as response:
            with pytest.raises(aioclient.BodyTooLargeError):
                await response.read()
        assert (body.given, body.closed) == (2, True)
        assert isinstance(body.end, GeneratorExit)

    async def test_it_releases_its_own_response(self) -> None:
        """An iterator may release the response that it is the body of."""
        responses: list[ClientResponse] = []

        async def pieces() -> AsyncIterator[bytes]:
            yield b"a"
            await responses[0].release()
            yield b"b"

        async with ClientSession(middlewares=[answers(200, None, pieces())]) as session:
            responses.append(await session.get(URL))
            with pytest.raises(aioclient.ClientConnectionError, match="released"):
                await responses[0].read()
            await turns(5)


@pytest.mark.parametrize("way", ["release", "close"])
def test_leaving_after_its_loop(way: str) -> None:
    """A response that outlives its event loop can be left; the iterator is beyond help, and no error is raised."""
    body = Closable()

    async def ask() -> ClientResponse:
        async with ClientSession(middlewares=[answers(200, None, body)]) as session:
            return await session.get(URL)

    response = asyncio.run(ask())
    getattr(response, way)()
    assert response.closed
    assert body.closed == 0


@pytest.mark.virtual_clock
class TestTime:
    @pytest.mark.parametrize("reads", [True, False])
    async def test_total(self, reads: bool) -> None:
        """The call's total limit ends the body, whether somebody waits for it or not."""
        body = Body(b"ab", b"cd", gate=asyncio.Event())
        more = {"call": {"timeout": aioclient.ClientTimeout(total=5)}}
        async with answered(200, None, body, **more) as response:
            if not reads:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(1):
                        await response.content.read(1)
                await asyncio.sleep(10)
            with pytest.raises(aioclient.TotalTimeoutError, match=r"rest of the body .* total=5"):
                await response.read()
            assert body.closed

    async def test_between_two_reads(self) -> None:
        """It counts while nobody reads, too."""
        body = Body(b"ab", b"cd")
        more = {"call": {"timeout": aioclient.ClientTimeout(total=5)}}
        async with answered(200, None, body, **more) as response:
            assert await response.content.read(2) == b"ab"
            await asyncio.sleep(10)
            assert body.closed
            with pytest.raises(aioclient.TotalTimeoutError):
                await response.content.read(2)

    async def test_sock_read(self) -> None:
        """sock_read is about sockets."""

        async def slow() -> AsyncIterator[bytes]:
            yield b"a"
            await asyncio.sleep(50)
            yield b"b"

        more = {"call": {"timeout": aioclient.ClientTimeout(sock_read=5)}}
        async with answered(200, None, slow(), **more) as response:
            assert await response.read() == b"ab"


async def upper(request: Request, handler: Handler) -> ClientResponse:
    """Answer with the handler's response in capitals."""
    response = await handler(request)

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in response.content.iter_any():
            yield piece.upper()

    fields = response.headers.copy()
    fields.pop("Content-Length", None)
    return ClientResponse.from_parts(request, response.status, fields, pieces(), decoded=True)


TEXT = b"abcdefghij" * 500_000


@pytest.mark.both_loops
class TestAround:
    """A body that a middleware makes of the one that its handler returned."""

    async def test_it_is_read_through(self) -> None:
        """The inner response stays readable after the end of the middlewares."""
        async with (
            RawServer.replies([answer(TEXT), OK]) as server,
            ClientSession(
                middlewares=[upper], connector=aioclient.TCPConnector(limit=1)
            ) as session,
        ):
            async with session.get(server.url()) as response:
                assert await response.read() == TEXT.upper()
            async with session.get(server.url()) as response:
                assert await response.text() == "OK"

    @pytest.mark.parametrize("reads", [0, 10])
    async def test_it_is_left_early(self, reads: int) -> None:
        """Leaving it, read in part or not at all, gives up the inner one; the pool has its connection back."""
        async with (
            RawServer.replies([answer(TEXT), OK]) as server,
            ClientSession(
                middlewares=[upper], connector=aioclient.TCPConnector(limit=1)
            ) as session,
        ):
            async with session.get(server.url()) as response:
                await response.content.read(reads)
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
            async with session.get(server.url()) as response:
                assert await response.text() == "OK"

    @pytest.mark.parametrize("reads", [0, 10])
    async def test_somebody_keeps_the_inner_one(self, reads: int) -> None:
        """It is released with the outer one, not only forgotten."""
        inner: list[ClientResponse] = []

        async def keep(request: Request, handler: Handler) -> ClientResponse:
            inner.append(await handler(request))
            return inner[-1]

        async with (
            RawServer.replies([answer(TEXT), OK]) as server,
            ClientSession(middlewares=[upper, keep]) as session,
        ):
            async with session.get(server.url()) as response:
                await response.content.read(reads)
            assert inner[0].closed
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    async def test_within_a_retry(self) -> None:
        """A retry that drops such responses loses nothing, in a pool of one."""
        dropped: list[ClientResponse] = []

        async def retry(request: Request, handler: Handler) -> ClientResponse:
            for _ in range(2):
                response = await handler(request)
                if response.status == 200:
                    break
                dropped.append(response)
            return response

        failed = answer(TEXT, status="503 Busy")
        async with (
            RawServer.replies([failed, OK]) as server,
            ClientSession(
                middlewares=[retry, upper], connector=aioclient.TCPConnector(limit=1)
            ) as session,
        ):
            async with session.get(server.url()) as response:
                assert await response.text() == "OK"
            with pytest.raises(aioclient.ClientConnectionError):
                await dropped[0].read()

    async def test_a_retry_of_made_ones(self) -> None:
        """A retry that drops responses from iterators closes these, and nothing warns."""
        bodies = [Closable(), Closable(), Closable()]
        left = iter(bodies)

        async def flaky(request: Request, handler: Handler) -> ClientResponse:
            return ClientResponse.from_parts(request, 503, None, next(left))

        async def thrice(request: Request, handler: Handler) -> ClientResponse:
            for _ in range(3):
                response = await handler(request)
            return response

        async with ClientSession(middlewares=[thrice, flaky]) as session:
            async with session.get(URL) as response:
                assert await response.read() == b""
            gc.collect()
            await turns(10)
        assert [body.closed for body in bodies] == [1, 1, 1]


async def test_aiohttps_shape() -> None:
    """Code that asks for aiohttp's class finds it."""
    async with answered(200) as response:
        assert isinstance(response, aiohttp.ClientResponse)
