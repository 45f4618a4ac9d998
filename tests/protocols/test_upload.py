"""Requests with bodies: what the server sees, early answers, `Expect`, and sources that fail."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

import aioclient
from aioclient.testing import RawConnection, turns

from ..servers.either import RawServer
from .corpus import CHUNKED, END, OK
from .exchange import fetch

pytestmark = pytest.mark.both_protocols

BIG = b"x" * (8 * 2**20)  # more than two sockets buffer
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


class TestExpect:
    @pytest.mark.both_loops
    @pytest.mark.parametrize("data", [b"hello", in_pieces], ids=["bytes", "generator"])
    async def test_continue(self, data: object) -> None:
        """H1-12: the body is sent after 100 Continue, and the connection is reused."""

        async def serve(conn: RawConnection) -> None:
            for _ in range(2):
                request = await conn.read_request(body=False)
                assert request.value("Expect") == "100-continue"
                await turns(10)
                assert conn.received == len(request.head) * len(conn.requests) + 5 * (
                    len(conn.requests) - 1
                )
                conn.send(CONTINUE)
                assert (await conn.read_exactly(5)) == b"hello"
                conn.send(OK + END)

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            for _ in range(2):
                body = data if isinstance(data, bytes) else in_pieces(b"hello")
                reading = await fetch(
                    session,
                    server.url(),
                    "POST",
                    data=body,
                    expect100=True,
                    headers={"Content-Length": "5"},
                )
                assert reading.body == b"ok"
            assert server.connections == 1

    @pytest.mark.http1_only("over HTTP/2 the stream ends, and the connection goes on")
    @pytest.mark.both_loops
    @pytest.mark.parametrize("reply", [b"HTTP/1.1 417 X\r\n" + END, OK + END])
    async def test_final_response_instead(self, reply: bytes) -> None:
        """H1-12: after a final answer the body is not sent, and the connection carries no other request."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.send(reply)
            assert await conn.closed() == b""

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            for number in (1, 2):
                reading = await fetch(session, server.url(), "POST", data=b"hello", expect100=True)
                assert reading.body == b"ok"
                assert server.connections == number

    @pytest.mark.virtual_clock
    async def test_silence(self) -> None:
        """H1-12: a server that does not say 100 Continue gets the body after one second."""
        loop = asyncio.get_running_loop()
        waited: list[float] = []

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            begin = loop.time()
            await conn.read_body(request)
            waited.append(loop.time() - begin)
            conn.send(OK + END)
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            assert (
                await fetch(session, server.url(), "PUT", data=b"a", expect100=True)
            ).body == b"ok"
        assert waited == [pytest.approx(1.0)]

    @pytest.mark.virtual_clock
    async def test_late_continue(self) -> None:
        """100 Continue after the body has begun changes nothing."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(CONTINUE)
            await turns()
            conn.send(CONTINUE + OK + END)
            await conn.read_request()
            conn.send(OK + END)
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            for _ in range(2):
                assert (
                    await fetch(session, server.url(), "PUT", data=b"a", expect100=True)
                ).body == b"ok"
            assert server.connections == 1

    @pytest.mark.http1_only("over HTTP/2 the stream is over: tests/protocols/http2/test_rules.py")
    @pytest.mark.both_loops
    async def test_continue_after_final_response(self) -> None:
        """100 Continue behind the final response belongs to nothing: the connection is closed."""
        async with (
            RawServer.replies([OK + END + CONTINUE], repeat=True) as server,
            aioclient.ClientSession() as session,
        ):
            for number in (1, 2):
                assert (await fetch(session, server.url())).body == b"ok"
                assert server.connections == number

    @pytest.mark.both_loops
    async def test_continue_with_head_of_final_response(self) -> None:
        """The body is sent when 100 Continue comes in one segment with the final response's head."""

        async def echo(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            conn.send(CONTINUE + OK + b"Content-Length: 5\r\n\r\n")
            conn.send((await conn.read_body(request)).body)
            await conn.closed()

        async with RawServer(echo) as server, aioclient.ClientSession() as session:
            reading = await fetch(session, server.url(), "PUT", data=b"hello", expect100=True)
            assert reading.body == b"hello"

    async def test_server_goes_away(self) -> None:
        """A connection that ends while 100 Continue is awaited ends the request, and leaves no timer's work."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            reading = await fetch(session, server.url(), "PUT", data=b"a", expect100=True)
            assert reading.error == "ServerDisconnectedError"

    async def test_http10(self) -> None:
        """HTTP/1.0 knows no expectation, so none is sent and none waited for."""
        async with (
            RawServer.replies([b"HTTP/1.0 200 OK\r\n" + END], close=True) as server,
            aioclient.ClientSession(timeout=0.5) as session,
        ):
            reading = await fetch(
                session, server.url(), "PUT", data=b"a", expect100=True, version="1.0"
            )
            assert reading.body == b"ok"
            assert server.requests[0].values("Expect") == []


class TestEarlyAnswers:
    @pytest.mark.both_loops
    @pytest.mark.parametrize("data", [BIG, in_pieces], ids=["bytes", "generator"])
    async def test_refused_upload(self, data: object) -> None:
        """An answer in the middle of an upload reaches the caller, ends the upload and closes the connection."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\n" + END)
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            body = data if isinstance(data, bytes) else in_pieces(*[b"x" * 2**18] * 32)
            reading = await fetch(session, server.url(), "POST", data=body)
            assert (reading.status, reading.body) == (413, b"ok")
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    @pytest.mark.http1_only(
        "over HTTP/2 a server says so by RST_STREAM: tests/protocols/http2/test_flow.py"
    )
    @pytest.mark.both_loops
    async def test_server_that_reads_no_more(self) -> None:
        """A server that ends its half and never reads the rest ends the request at once."""

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            conn.stop_reading()
            if request.target == "/answer":
                conn.send(b"HTTP/1.1 413 Too Large\r\n" + END)
            conn.send_eof()
            await done.wait()

        done = asyncio.Event()
        async with RawServer(serve) as server, aioclient.ClientSession(timeout=None) as session:
            reading = await fetch(session, server.url("/answer"), "POST", data=BIG)
            assert (reading.status, reading.body) == (413, b"ok")
            reading = await fetch(session, server.url(), "POST", data=BIG)
            assert reading.error == "ServerDisconnectedError"
            done.set()

    @pytest.mark.virtual_clock
    async def test_rest_of_an_upload_is_dropped(self) -> None:
        """After a complete answer nothing waits for the server to take the rest of the body."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.stop_reading()
            conn.send(OK + END)
            await done.wait()

        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with RawServer(serve) as server:
            async with aioclient.ClientSession() as session:
                assert (await fetch(session, server.url(), "POST", data=BIG)).body == b"ok"
                begin = loop.time()
            assert loop.time() == begin
            done.set()

    @pytest.mark.both_loops
    async def test_both_ways_at_once(self) -> None:
        """A body may be made of what the response to it brings; the connection is reused."""
        questions: asyncio.Queue[bytes] = asyncio.Queue()

        async def ask() -> AsyncIterator[bytes]:
            while question := await questions.get():
                yield question

        async def echo(conn: RawConnection) -> None:
            for _ in range(2):
                await conn.read_request(body=False)
                conn.send(CHUNKED)
                while size := int(await conn.read_until(b"\r\n"), 16):
                    chunk = await conn.read_exactly(size + 2)
                    conn.send(b"%x\r\n%b" % (size, chunk))
                await conn.read_exactly(2)
                conn.send(b"0\r\n\r\n")

        async with RawServer(echo) as server, aioclient.ClientSession() as session:
            for _ in range(2):
                async with session.post(server.url(), data=ask()) as response:
                    for word in (b"one", b"two", b"three"):
                        questions.put_nowait(word)
                        assert await response.content.readany() == word
                    questions.put_nowait(b"")
                    assert await response.read() == b""
            assert server.connections == 1

    @pytest.mark.both_loops
    async def test_answer_complete_while_the_source_waits(self) -> None:
        """A complete answer ends an upload whose source still waits; its clean-up runs."""
        ended = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            try:
                yield b"a"
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.send(OK + END)
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            assert (await fetch(session, server.url(), "POST", data=endless())).body == b"ok"
            await ended.wait()


@pytest.mark.both_loops
class TestSources:
    async def refuse(
        self, data: object, **arguments: object
    ) -> tuple[str, bytes, BaseException | None]:
        """Send a body that fails; return the error, and what followed the head at the server."""
        seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            seen.set_result(await conn.closed())

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            with pytest.raises(aioclient.ClientError) as caught:
                await session.post(server.url(), data=data, **arguments)  # type: ignore[arg-type]
            return type(caught.value).__name__, await seen, caught.value.__cause__

    async def test_raises(self) -> None:
        """An error of the source is the cause of the error raised; the server sees no end of the body."""

        async def source() -> AsyncIterator[bytes]:
            yield b"hello"
            raise LookupError("no more")

        error, seen, cause = await self.refuse(source())
        assert error == "ClientConnectionError"
        assert repr(cause) == "LookupError('no more')"
        assert seen in (b"", b"5\r\nhello\r\n")

    @pytest.mark.parametrize(
        ("raised", "kind"),
        [
            (OSError(5, "no disk"), aioclient.ClientOSError),
            (LookupError("no more"), aioclient.ClientConnectionError),
            (TimeoutError("slow"), TimeoutError),
            (aioclient.ClientPayloadError("of another response"), aioclient.ClientPayloadError),
        ],
        ids=repr,
    )
    async def test_in_the_classes_of_aiohttp(
        self, raised: Exception, kind: type[Exception]
    ) -> None:
        """What the source raised decides the class; a timeout, and an error of a client, stay themselves."""

        async def source() -> AsyncIterator[bytes]:
            yield b"hello"
            raise raised

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            with pytest.raises(kind) as caught:
                await session.post(server.url(), data=source())
        assert type(caught.value) is kind
        assert caught.value is raised or caught.value.__cause__ is raised
        assert getattr(caught.value, "errno", None) == getattr(raised, "errno", None)

    async def test_sync_source_raises(self) -> None:
        """The same holds for a generator that is not asynchronous."""

        def source() -> Iterator[bytes]:
            yield b"hello"
            raise LookupError("no more")

        error, seen, cause = await self.refuse(source())
        assert (error, repr(cause)) == ("ClientConnectionError", "LookupError('no more')")
        assert b"0\r\n\r\n" not in seen

    async def test_is_cancelled(self) -> None:
        """A source that ends with a cancellation of its own ends the request: nobody waits for the rest."""

        async def source() -> AsyncIterator[bytes]:
            yield b"hello"
            task = asyncio.ensure_future(asyncio.Event().wait())
            task.cancel()
            await task

        error, seen, cause = await self.refuse(source())
        assert error == "ClientConnectionError"
        assert isinstance(cause, asyncio.CancelledError)
        assert b"0\r\n\r\n" not in seen

    @pytest.mark.parametrize(
        ("pieces", "sent"),
        [
            pytest.param((b"hel", b"lo"), b"hel", id="INJ-08-longer"),
            pytest.param((b"h", b"e"), b"he", id="INJ-08-shorter"),
            pytest.param((), b"", id="INJ-08-empty"),
        ],
    )
    async def test_of_another_length(self, pieces: tuple[bytes, ...], sent: bytes) -> None:
        """INJ-08: a source that gives more or less than announced ends the connection within the body."""
        error, seen, _ = await self.refuse(in_pieces(*pieces), headers={"Content-Length": "4"})
        assert error == "BodySizeError"
        assert sent.startswith(seen)
        assert len(seen) < 4

    async def test_fails_after_the_response_began(self) -> None:
        """An error of the source reaches the reader of a response that has begun."""
        fail = asyncio.Event()

        async def source() -> AsyncIterator[bytes]:
            yield b"hello"
            await fail.wait()
            raise LookupError("no more")

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.send(OK + b"Content-Length: 5\r\n\r\nok")
            await conn.closed()

        async with (
            RawServer(serve) as server,
            aioclient.ClientSession() as session,
            session.post(server.url(), data=source()) as response,
        ):
            assert await response.content.readany() == b"ok"
            fail.set()
            with pytest.raises(aioclient.ClientConnectionError, match="no more"):
                await response.read()

    async def test_failed_payload_is_closed(self) -> None:
        """The clean-up of a payload that failed runs to its end."""
        closed: list[bool] = []

        class Failing(aiohttp.BytesPayload):
            async def write_with_length(self, writer: object, length: int | None) -> None:
                raise LookupError("no more")

            async def write(self, writer: object) -> None:
                raise LookupError("no more")

            async def close(self) -> None:
                await asyncio.sleep(0)
                closed.append(True)

        error, _, _ = await self.refuse(Failing(b"hello"), chunked=True)
        assert error == "ClientConnectionError"
        await turns()
        assert closed == [True]

    async def test_goes_on_after_the_end(self) -> None:
        """A source that ignores its cancellation finds the connection closed."""
        found: list[str] = []

        class Stubborn:
            def __init__(self) -> None:
                self.count = 0

            def __aiter__(self) -> "Stubborn":
                return self

            async def __anext__(self) -> bytes:
                self.count += 1
                if self.count == 2:
                    try:
                        await asyncio.Event().wait()
                    except asyncio.CancelledError:
                        found.append("cancelled")
                if self.count > 2:
                    raise AssertionError("the second piece was taken")
                return b"hello"

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.send(OK + END)
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            assert (await fetch(session, server.url(), "POST", data=Stubborn())).body == b"ok"
            await turns()
        assert found == ["cancelled"]


@pytest.mark.both_loops
class TestBackPressure:
    async def test_source_waits_for_the_server(self) -> None:
        """A source is asked for no more than the socket takes, and the server gets every byte."""
        given = 0
        total = 256
        stalled = asyncio.Event()

        async def source() -> AsyncIterator[bytes]:
            nonlocal given
            for _ in range(total):
                given += 1
                yield b"x" * 2**18

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            conn.stop_reading()
            before = -1
            while before != given:
                before = given
                await turns(200)
            stalled.set()
            assert given < total
            conn.start_reading()
            request = await conn.read_body(request)
            conn.send(OK + b"Content-Length: 8\r\n\r\n%08d" % (len(request.body) // 2**18))
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            reading = await fetch(session, server.url(), "POST", data=source())
        assert stalled.is_set()
        assert reading.body == b"%08d" % total

    async def test_cancelled_while_stalled(self) -> None:
        """A request cancelled while its upload stalls lets go of the connection and of the source."""
        closed = asyncio.Event()
        asked = asyncio.Event()

        async def source() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 2**18
            finally:
                closed.set()

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.stop_reading()
            asked.set()
            await closed.wait()
            conn.start_reading()
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            task = asyncio.create_task(fetch(session, server.url(), "POST", data=source()))
            await asked.wait()
            await turns(50)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await closed.wait()
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
