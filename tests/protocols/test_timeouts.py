"""Limits of time at each phase of an exchange, on a virtual clock."""

import asyncio
import gzip
import random
from collections.abc import AsyncIterator

import pytest

import aioclient
from aioclient.testing import RawConnection, turns

from ..servers.either import RawServer
from .corpus import CHUNKED, END, OK
from .exchange import fetch

pytestmark = [pytest.mark.both_protocols, pytest.mark.virtual_clock]

BIG = b"x" * (64 * 2**20)  # far more than two sockets buffer

PHASES = {
    "nothing": b"",
    "status line": b"HTTP/1.1 2",
    "head": OK + b"Content-Le",
    "interim": b"HTTP/1.1 103 X\r\n\r\n",
    "length": OK + b"Content-Length: 5\r\n\r\nok",
    "chunk": CHUNKED + b"5\r\nok",
    "trailers": CHUNKED + b"2\r\nok\r\n0\r\nX",
    "until EOF": OK + b"\r\nok",
}


@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_a_slow_reader(coding: str) -> None:
    """A reader that takes its time gets the total limit when it is over, not after what is buffered."""
    body = gzip.compress(random.Random(1).randbytes(300_000), 0) if coding else BIG

    async def serve(conn: RawConnection) -> None:
        await conn.read_request()
        fields = b"Content-Encoding: gzip\r\n" if coding else b""
        conn.send(OK + fields + b"Content-Length: %d\r\n\r\n" % (len(body) + 1) + body)
        await conn.closed()

    loop = asyncio.get_running_loop()
    limits = aioclient.ClientTimeout(total=7)
    async with RawServer(serve) as server, aioclient.ClientSession(timeout=limits) as session:
        begin = loop.time()
        async with session.get(server.url()) as response:
            with pytest.raises(aioclient.TotalTimeoutError):
                async for _ in response.content.iter_chunked(1):
                    await asyncio.sleep(0.5)
        assert loop.time() - begin == pytest.approx(7, abs=0.6)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", ["total", "sock_read"])
async def test_silence(kind: str, phase: str) -> None:
    """A server that falls silent, at whichever point, ends the request after the limit, with its name."""

    async def serve(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(PHASES[phase])
        await conn.closed()

    loop = asyncio.get_running_loop()
    limits = aioclient.ClientTimeout(**{kind: 7.0})
    async with RawServer(serve) as server, aioclient.ClientSession(timeout=limits) as session:
        begin = loop.time()
        with pytest.raises(TimeoutError) as caught:
            async with session.get(server.url()) as response:
                await response.read()
        assert loop.time() - begin == pytest.approx(7.0)
        expected = {"total": aioclient.TotalTimeoutError, "sock_read": aioclient.ReadTimeoutError}
        assert type(caught.value) is expected[kind]
        assert str(caught.value).startswith(f"GET {server.url()}: ")
        assert str(caught.value).endswith(f"within {kind}=7.0 s")
        assert session.connector is not None
        assert session.connector.statistics().in_use == 0


async def test_drip_ends_by_total_only() -> None:
    """A server that sends a byte in time keeps `sock_read` from ending the request, and not `total`."""

    async def serve(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(OK + b"\r\n")
        while not conn.lost:
            conn.send(b"x")
            await asyncio.sleep(4)

    async with RawServer(serve) as server, aioclient.ClientSession() as session:
        limits = aioclient.ClientTimeout(total=100, sock_read=5)
        assert (await fetch(session, server.url(), timeout=limits)).error == "TotalTimeoutError"


async def test_idle_connection_has_no_limit() -> None:
    """POOL-10: the limits of a request end with it: its connection idles, and carries one without limits."""

    async def serve(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(OK + END)
        await conn.read_request()
        await asyncio.sleep(60)
        conn.send(OK + END)
        await conn.closed()

    async with RawServer(serve) as server, aioclient.ClientSession() as session:
        limits = aioclient.ClientTimeout(total=5, sock_read=2)
        assert (await fetch(session, server.url(), timeout=limits)).body == b"ok"
        await asyncio.sleep(10)
        assert (await fetch(session, server.url(), timeout=None)).body == b"ok"
        assert server.connections == 1


async def test_reader_that_rests() -> None:
    """Time in which the reader does not read is not the server's silence, which counts from then on."""
    loop = asyncio.get_running_loop()

    async def serve(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(OK + b"Content-Length: 5000\r\n\r\n" + b"x" * 4000)
        await resumed.wait()
        await asyncio.sleep(4)
        conn.send(b"x" * 10)
        await conn.closed()

    resumed = asyncio.Event()
    limits = aioclient.ClientTimeout(sock_read=5)
    async with (
        RawServer(serve) as server,
        aioclient.ClientSession(timeout=limits, read_bufsize=1024) as session,
        session.get(server.url()) as response,
    ):
        await asyncio.sleep(24.9)
        resumed.set()
        assert len(await response.content.readexactly(4010)) == 4010
        begin = loop.time()
        with pytest.raises(aioclient.ReadTimeoutError):
            await response.content.readany()
        assert loop.time() - begin == pytest.approx(5)


class TestUploads:
    async def test_slow_source(self) -> None:
        """A source that takes its time is not the server's silence."""

        async def source() -> AsyncIterator[bytes]:
            for _ in range(5):
                await asyncio.sleep(8)
                yield b"x"
            await asyncio.sleep(8)

        async def serve(conn: RawConnection) -> None:
            while True:
                request = await conn.read_request()
                # With a length the body is complete here eight seconds before its source ends.
                await asyncio.sleep(12 if request.values("Content-Length") else 4)
                conn.send(OK + END)

        limits = aioclient.ClientTimeout(sock_read=5)
        async with RawServer(serve) as server, aioclient.ClientSession(timeout=limits) as session:
            assert (await fetch(session, server.url(), "POST", data=source())).body == b"ok"
            told = {"Content-Length": "5"}
            assert (
                await fetch(session, server.url(), "POST", data=source(), headers=told)
            ).body == b"ok"

    @pytest.mark.parametrize("size", [len(BIG), 2**18], ids=["pieces", "at-once"])
    async def test_server_that_reads_slowly(self, size: int) -> None:
        """An upload that moves, however slowly, is no silence; one that stalls is."""

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            if request.target == "/stalls":
                conn.stop_reading()
                await ended.wait()
                return
            for _ in range(4):
                conn.stop_reading()
                await asyncio.sleep(4)
                conn.start_reading()
                await turns(40)
            await conn.read_body(request)
            conn.send(OK + END)
            await conn.closed()

        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        limits = aioclient.ClientTimeout(sock_read=5)
        async with RawServer(serve) as server, aioclient.ClientSession(timeout=limits) as session:
            reading = await fetch(session, server.url(), "POST", data=b"x" * size)
            if size == len(BIG):
                assert reading.body == b"ok"
            begin = loop.time()
            reading = await fetch(session, server.url("/stalls"), "POST", data=b"x" * size)
            assert reading.error == "ReadTimeoutError"
            assert loop.time() - begin <= 10
            ended.set()

    async def test_server_that_stops_reading(self) -> None:
        """A source that always has more does not hide that the server takes no more of it."""

        async def source() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 2**16

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.stop_reading()
            await ended.wait()

        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        limits = aioclient.ClientTimeout(total=1000, sock_read=5)
        async with RawServer(serve) as server, aioclient.ClientSession(timeout=limits) as session:
            begin = loop.time()
            reading = await fetch(session, server.url(), "POST", data=source())
            assert reading.error == "ReadTimeoutError"
            assert loop.time() - begin <= 20
            ended.set()

    async def test_what_the_kernel_holds_moves(self) -> None:
        """A server that takes a piece now and then is not silent, although the kernel's buffers hide it from ours."""

        async def serve(conn: RawConnection) -> None:
            request = asyncio.create_task(conn.read_request())
            for _ in range(4):
                conn.stop_reading()
                await asyncio.sleep(4)
                conn.start_reading()
                enough = conn.received + 2**20
                while conn.received < enough:
                    await asyncio.sleep(0)
            await request
            conn.send(OK + END)
            await conn.closed()

        limits = aioclient.ClientTimeout(sock_read=5)
        async with RawServer(serve) as server, aioclient.ClientSession(timeout=limits) as session:
            assert (await fetch(session, server.url(), "POST", data=bytes(2**24))).body == b"ok"

    async def test_one_large_piece(self) -> None:
        """A piece that takes longer than `sock_read` to send is no silence while the server takes it."""

        async def source() -> AsyncIterator[bytes]:
            yield BIG

        async def serve(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            for _ in range(4):
                conn.stop_reading()
                await asyncio.sleep(4)
                conn.start_reading()
                await turns(40)
            await conn.read_body(request)
            conn.send(OK + END)
            await conn.closed()

        limits = aioclient.ClientTimeout(sock_read=5)
        async with RawServer(serve) as server, aioclient.ClientSession(timeout=limits) as session:
            assert (await fetch(session, server.url(), "POST", data=source())).body == b"ok"

    @pytest.mark.rows("S003-26")
    async def test_slow_source_and_callback(self) -> None:
        """A source, or a callback, that takes longer than `sock_read` is no silence of the server; `total` counts."""

        async def source() -> AsyncIterator[bytes]:
            for _ in range(3):
                await asyncio.sleep(12)
                yield b"x"

        async def progress(sent: int, total: int | None) -> None:
            await asyncio.sleep(12)

        async def serve(conn: RawConnection) -> None:
            while True:
                request = await conn.read_request()
                if request.target == "/":
                    conn.send(OK + END)

        limits = aioclient.ClientTimeout(sock_read=5)
        loop = asyncio.get_running_loop()
        async with RawServer(serve) as server, aioclient.ClientSession(timeout=limits) as session:
            assert (await fetch(session, server.url(), "POST", data=source())).body == b"ok"
            reading = await fetch(session, server.url(), "POST", data=b"x", progress=progress)
            assert reading.body == b"ok"
            begin = loop.time()
            reading = await fetch(session, server.url("/silent"), "POST", data=source())
            assert reading.error == "ReadTimeoutError"
            assert loop.time() - begin == pytest.approx(36 + 5)
            limits = aioclient.ClientTimeout(sock_read=5, total=20)
            reading = await fetch(session, server.url(), "POST", data=source(), timeout=limits)
            assert reading.error == "TotalTimeoutError"

    async def test_waits_for_continue(self) -> None:
        """The second for 100 Continue counts towards `total`."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            await conn.closed()

        async with RawServer(serve) as server, aioclient.ClientSession(timeout=0.5) as session:
            reading = await fetch(session, server.url(), "PUT", data=b"a", expect100=True)
            assert reading.error == "TotalTimeoutError"


@pytest.mark.http1_only("over HTTP/2 nothing is drained: the stream is reset")
async def test_drain_time() -> None:
    """The rest of an unread body has 50 ms to come; then the connection is closed."""

    async def serve(conn: RawConnection) -> None:
        while True:
            request = await conn.read_request()
            conn.send(OK + b"Content-Length: 5\r\n\r\nok")
            await asyncio.sleep(float(request.target[1:]))
            conn.send(b"abc")

    async with RawServer(serve) as server, aioclient.ClientSession() as session:
        for wait, connections in (("0.04", 1), ("0.04", 1), ("0.06", 1), ("0.04", 2)):
            async with session.get(server.url(f"/{wait}")) as response:
                assert response.status == 200
            await asyncio.sleep(0.1)
            assert server.connections == connections


@pytest.mark.http1_only("over HTTP/2 nothing is drained: the stream is reset")
async def test_drain_ends_the_limits_of_the_request() -> None:
    """A connection saved by draining has neither the drain's limit nor the old request's."""

    async def serve(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(OK + b"Content-Length: 5\r\n\r\nok")
        await turns(10)
        conn.send(b"abc")
        await conn.read_request()
        await asyncio.sleep(30)
        conn.send(OK + END)
        await conn.closed()

    async with RawServer(serve) as server, aioclient.ClientSession() as session:
        async with session.get(server.url(), timeout=2):
            pass
        await turns(30)
        assert (await fetch(session, server.url(), timeout=None)).body == b"ok"
        assert server.connections == 1
