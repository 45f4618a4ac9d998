"""Exchanges on a connection: reuse, unread bodies, back-pressure, upgrades, and what goes wrong inside."""

import asyncio
import ssl
import traceback
from typing import Any, ClassVar

import pytest

import aioclient
from aioclient.connectors.dialling import READ_SIZE
from aioclient.protocols.http1.response import ResponseReader
from aioclient.testing import RawConnection, RawServer, cancel_everywhere, turns

from ..servers.certificates import Certificates
from .corpus import CHUNKED, END, OK
from .exchange import fetch

pytestmark = pytest.mark.both_loops


class TestUnread:
    @pytest.mark.parametrize(
        ("rest", "kept"),
        [
            pytest.param(1, True, id="POOL-04-byte"),
            pytest.param(64 * 1024, True, id="POOL-04-at"),
            pytest.param(64 * 1024 + 1, False, id="POOL-04-above"),
        ],
    )
    @pytest.mark.parametrize("framing", ["length", "chunked"])
    async def test_drain(self, framing: str, rest: int, kept: bool) -> None:
        """Up to 64 KiB that nobody reads are drained to keep the connection; for more it is closed."""
        released = asyncio.Event()

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request()
            if request.target != "/own":
                if framing == "length":
                    conn.send(OK + b"Content-Length: %d\r\n\r\nok" % (rest + 2))
                else:
                    conn.send(CHUNKED + b"2\r\nok\r\n")
                await released.wait()
                conn.send(
                    b"x" * rest
                    if framing == "length"
                    else b"%x\r\n" % rest + b"x" * rest + b"\r\n0\r\n\r\n"
                )
                if not kept:
                    await conn.closed()
                    return
                await conn.read_request()
            conn.send(OK + b"Content-Length: 3\r\n\r\nown")
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            async with session.get(server.url()) as response:
                assert await response.content.readany() == b"ok"
            released.set()
            for _ in range(50):
                await turns(10)
            assert (await fetch(session, server.url("/own"))).body == b"own"
            assert (server.connections == 1) is kept

    async def test_reader_of_a_released_body(self) -> None:
        """Who still waits for the body of a response that was released gets an error."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK + b"Content-Length: 5\r\n\r\nok")
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            response = await session.get(server.url())
            task = asyncio.create_task(response.content.read())
            await turns()
            response.release()
            with pytest.raises(aioclient.ClientConnectionError, match="released"):
                await task

    async def test_last_response_is_not_drained(self) -> None:
        """The rest of a body whose connection closes anyway is not waited for."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nok")
            assert await conn.closed() == b""

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            async with session.get(server.url()):
                pass
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0


class TestBackPressure:
    @pytest.mark.parametrize("framing", ["length", "chunked", "until-eof"])
    async def test_unread_stream(self, framing: str) -> None:
        """A body that nobody reads stalls the server; read later it is whole."""
        piece = b"x" * 2**18
        count = 256
        sent = 0

        async def serve(conn: RawConnection) -> None:
            nonlocal sent
            await conn.read_request()
            conn.send(
                {
                    "length": OK + b"Content-Length: %d\r\n\r\n" % (count * 2**18),
                    "chunked": CHUNKED,
                    "until-eof": OK + b"\r\n",
                }[framing]
            )
            for _ in range(count):
                if framing == "chunked":
                    conn.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                else:
                    conn.send(piece)
                sent += 1
                await conn.drain()
            if framing == "chunked":
                conn.send(b"0\r\n\r\n")

        async with (
            RawServer(serve) as server,
            aioclient.ClientSession() as session,
            session.get(server.url(), read_bufsize=2**16) as response,
        ):
            before = -1
            while before != sent:
                before = sent
                await turns(200)
            assert sent < count
            # Two limits, and the read that exceeded them.
            assert len(response.content.read_nowait()) <= 2 * 2**16 + READ_SIZE
            got = before = 0
            async for chunk in response.content.iter_any():
                got += len(chunk)
            assert got > 0
            assert response.content.total_bytes == count * 2**18

    async def test_read_bufsize_counts(self) -> None:
        """A smaller `read_bufsize` keeps less of a body ahead of its reader."""
        ahead: dict[int, int] = {}

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK + b"\r\n")
            try:
                while True:
                    conn.send(b"x" * 2**16)
                    await conn.drain()
            except ConnectionError:
                pass

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            for size in (2**12, 2**22):
                async with session.get(server.url(), read_bufsize=size) as response:
                    before = -1
                    while before != response.content.total_bytes:
                        before = response.content.total_bytes
                        await turns(100)
                    ahead[size] = before
        assert ahead[2**12] <= 2**13 + READ_SIZE < 2**23 < ahead[2**22]

    async def test_paused_when_complete(self) -> None:
        """A body whose last segment fills the buffer leaves a connection that reads."""
        body = b"x" * 10_000

        async def serve(conn: RawConnection) -> None:
            for _ in range(2):
                await conn.read_request()
                conn.send(OK + b"Content-Length: %d\r\n\r\nxx" % len(body))
                await turns(5)
                conn.send(body[2:])
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession(read_bufsize=1) as session:
            for _ in range(2):
                async with session.get(server.url()) as response:
                    await turns(20)
                    assert await response.read() == body
            assert server.connections == 1


class TestUpgrade:
    HEADERS: ClassVar = {"Upgrade": "x", "Connection": "upgrade"}
    HEAD = b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"

    @pytest.mark.parametrize("rest", [b"", b"frames"])
    async def test_asked_for(self, rest: bytes) -> None:
        """A 101 that was asked for is a response without a body, whose release closes the connection."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(self.HEAD + rest)
            assert await conn.closed() == b""

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            async with session.get(server.url(), headers=self.HEADERS) as response:
                assert response.status == 101
                assert await response.read() == b""
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    async def test_server_closes(self) -> None:
        """The server's end of a switched connection ends it."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(self.HEAD)

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            response = await session.get(server.url(), headers=self.HEADERS)
            await turns(20)
            response.close()

    async def test_cancelled(self) -> None:
        """A request for an upgrade can be cancelled at each await."""
        async with RawServer.replies([self.HEAD], repeat=True) as server:

            async def scenario() -> None:
                async with (
                    aioclient.ClientSession() as session,
                    session.get(server.url(), headers=self.HEADERS) as response,
                ):
                    await response.read()

            assert await cancel_everywhere(scenario) > 1

    async def test_cancelled_in_a_session_that_goes_on(self) -> None:
        """A switched connection whose response never reached its caller is closed, and its slot is free."""
        async with (
            RawServer.replies([self.HEAD], repeat=True) as server,
            aioclient.ClientSession() as session,
        ):
            held: list[BaseException] = []

            async def scenario() -> None:
                try:
                    response = await session.get(server.url(), headers=self.HEADERS)
                except BaseException as error:
                    held.append(
                        error
                    )  # with its frames, so that nothing is closed by being dropped
                    raise
                response.close()

            def check() -> None:
                assert session.connector is not None
                assert session.connector.statistics().in_use == 0

            assert await cancel_everywhere(scenario, check, leaks=False) > 1
            held.clear()


class TestConnect:
    async def test_tunnel_is_not_reused(self) -> None:
        """After a 2xx to CONNECT the connection is a tunnel, and carries no other request."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK + b"Content-Length: 5\r\n\r\n")
            assert await conn.closed() == b""

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            for number in (1, 2):
                assert (await fetch(session, server.url(), "CONNECT")).body == b""
                assert server.connections == number


class TestFailuresInside:
    @pytest.mark.parametrize(
        "error",
        [LookupError("no"), StopIteration("no"), MemoryError(), aioclient.ClientPayloadError("no")],
    )
    @pytest.mark.parametrize(
        "data",
        [
            OK + END,
            OK + b"Content-Length: 5\r\n\r\nok",
            CHUNKED + b"2\r\nok\r\n",
            CHUNKED + b"2\r\nokX",
            b"HTTP/1.1 204 X\r\n\r\n",
        ],
        ids=["whole", "length", "chunked", "broken", "204"],
    )
    async def test_response_class_raises(self, data: bytes, error: Exception) -> None:
        """What a response class raises reaches the caller at once, and the connection is closed."""

        class Failing(aioclient.ClientResponse):
            __slots__ = ()

            def __init__(self, *arguments: Any) -> None:
                raise error

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(data)
            await conn.closed()

        async with (
            RawServer(serve) as server,
            aioclient.ClientSession(response_class=Failing, timeout=None) as session,
        ):
            with pytest.raises(Exception) as caught:
                await session.get(server.url())
            assert error in (caught.value, caught.value.__cause__)
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    async def test_response_class_raises_at_eof(self) -> None:
        """The same holds when the response is complete with the connection's end."""

        class Failing(aioclient.ClientResponse):
            __slots__ = ()

            def __init__(self, *arguments: Any) -> None:
                raise LookupError("no")

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK + b"\r\n")

        async with (
            RawServer(serve) as server,
            aioclient.ClientSession(response_class=Failing, timeout=None) as session,
        ):
            with pytest.raises(LookupError):
                await session.get(server.url())

    @pytest.mark.parametrize("ended", [False, True], ids=["segment", "end"])
    @pytest.mark.parametrize("whole", [False, True], ids=["before", "after"])
    async def test_our_own_faults(
        self, monkeypatch: pytest.MonkeyPatch, *, whole: bool, ended: bool
    ) -> None:
        """The event loop reports a fault of this library with its traceback; the request ends at once, with it.

        One behind a whole response spoils nothing but the connection.
        """
        found: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: found.append(context)
        )

        def broken(*arguments: Any) -> None:
            raise ZeroDivisionError("a fault of ours")

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            if whole:
                monkeypatch.setattr(ResponseReader, "rest", broken)
                conn.send(OK + (b"\r\nok" if ended else b"Content-Length: 2\r\n\r\nok"))
            elif ended:
                monkeypatch.setattr(aioclient.ServerDisconnectedError, "__init__", broken)
            else:
                monkeypatch.setattr(ResponseReader, "feed", broken)
                conn.send(OK + END)
            if not ended:
                await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession(timeout=None) as session:
            if whole:
                async with session.get(server.url()) as response:
                    assert await response.read() == b"ok"
            else:
                with pytest.raises(ZeroDivisionError, match="a fault of ours"):
                    await session.get(server.url())
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
        (context,) = found
        assert "Fault in aioclient" in context["message"]
        trace = traceback.extract_tb(context["exception"].__traceback__)
        assert trace[-1].name == "broken"

    async def test_stream_closes_within_a_segment(self) -> None:
        """A body that exceeds its limit within a segment of many chunks closes the connection once."""
        data = CHUNKED + b"2\r\nok\r\n"

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(data)
            await turns(5)
            conn.send(b"2\r\nok\r\n" * 1000 + b"0\r\n\r\n")
            await conn.closed()

        async with (
            RawServer(serve) as server,
            aioclient.ClientSession() as session,
            session.get(server.url(), max_body_size=5) as response,
        ):
            with pytest.raises(aioclient.BodyTooLargeError):
                await response.read()

    async def test_response_before_the_request(self) -> None:
        """A server that answers before it was asked is not listened to."""

        async def serve(conn: RawConnection) -> None:
            conn.send(OK + b"Content-Length: 6\r\n\r\nPOISON")
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            reading = await fetch(session, server.url())
            assert reading.error in {"ServerDisconnectedError", ""}
            assert reading.error or reading.body == b"POISON"


class TestReuse:
    async def test_server_closes_idle(self) -> None:
        """A connection that the server closes while it is idle leaves the pool at once."""
        gone = asyncio.Event()

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK + END)
            await turns(5)
            conn.close()
            gone.set()

        async with RawServer(serve) as server, aioclient.ClientSession() as session:
            assert (await fetch(session, server.url(), "POST")).body == b"ok"
            await gone.wait()
            await turns(5)
            assert session.connector is not None
            assert session.connector.statistics().idle == 0
            assert (await fetch(session, server.url(), "POST")).body == b"ok"

    async def test_truncated_tls(self, certificates: Certificates) -> None:
        """A body without length over TLS is complete only if the server said so (close_notify)."""

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request()
            conn.send(OK + b"\r\nhello")
            await turns(10)
            if request.target == "/cut":
                conn.abort()

        context = ssl.create_default_context(cafile=str(certificates.ca_file))
        async with (
            RawServer(serve, ssl=certificates.server_context()) as server,
            aioclient.ClientSession() as session,
        ):
            url = server.url(host="localhost")
            assert (await fetch(session, url, ssl=context)).body == b"hello"
            url = server.url("/cut", host="localhost")
            assert (await fetch(session, url, ssl=context)).error == "IncompleteBodyError"


class TestCancellation:
    @pytest.mark.parametrize(
        "reply",
        [
            OK + END,
            CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
            OK + b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000,
        ],
        ids=["length", "chunked", "stream"],
    )
    async def test_everywhere(self, reply: bytes) -> None:
        """A request with an upload and a response can be cancelled at each await."""

        async def serve(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                await conn.send_slowly(reply, 100_000)

        async with RawServer(serve) as server:

            async def scenario() -> None:
                async with (
                    aioclient.ClientSession() as session,
                    session.post(server.url(), data=b"x" * 300_000) as response,
                ):
                    async for _ in response.content.iter_any():
                        pass

            assert await cancel_everywhere(scenario) > 2
