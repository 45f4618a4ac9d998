"""The raw server stages every misbehaviour, and leaves nothing behind."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aioclient.testing import (
    RawConnection,
    RawRequest,
    RawServer,
    Snapshot,
    refused_port,
    silent_port,
    turns,
)
from tests.servers.certificates import Certificates

pytestmark = pytest.mark.both_loops

REQUEST = b"GET /x?y HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@contextlib.asynccontextmanager
async def client(
    server: RawServer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client of streams, aborted at the end."""
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection(
        server.host, server.port, ssl=tls, server_hostname=name
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


class Pieces(asyncio.Protocol):
    """Keeps what came, piece by piece, and how the connection ended."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(exc)


async def connect(server: RawServer) -> tuple[asyncio.Transport, Pieces]:
    loop = asyncio.get_running_loop()
    return await loop.create_connection(Pieces, server.host, server.port)


class TestRequests:
    async def test_is_parsed(self) -> None:
        """A request comes with the client's bytes and in parts."""
        async with RawServer.replies([NO_CONTENT]) as server, client(server) as (reader, writer):
            writer.write(REQUEST)
            assert await reader.readexactly(len(NO_CONTENT)) == NO_CONTENT
        (request,) = server.requests
        assert (request.method, request.target, request.version) == ("GET", "/x?y", "HTTP/1.1")
        assert request.headers == [(b"Host", b"a"), (b"X-A", b"1"), (b"x-a", b"2")]
        assert request.head == REQUEST and request.body == b""
        assert request.value("HOST") == "a" and request.value("other") is None
        assert request.values("x-a") == ["1", "2"]
        with pytest.raises(ValueError, match="came 2 times"):
            request.value("x-a")

    @pytest.mark.parametrize(
        "wire, body, trailers",
        [
            (b"Content-Length: 5\r\n\r\nhello", b"hello", []),
            (
                b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: 1\r\n\r\n",
                b"hello",
                [(b"T", b"1")],
            ),
        ],
    )
    async def test_bodies(
        self, wire: bytes, body: bytes, trailers: list[tuple[bytes, bytes]]
    ) -> None:
        """A body comes by its length or in chunks, and the next request after it."""
        async with (
            RawServer.replies([NO_CONTENT], repeat=True) as server,
            client(server) as (reader, writer),
        ):
            writer.write((b"POST / HTTP/1.1\r\n" + wire) * 2)
            await reader.readexactly(2 * len(NO_CONTENT))
        assert [(each.body, each.trailers) for each in server.requests] == [(body, trailers)] * 2

    @pytest.mark.parametrize(
        "wire",
        [
            b"GET /\r\n\r\n",
            b"GET /  HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\nA: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxxx",
        ],
    )
    async def test_bad_ones_fail_the_test(self, wire: bytes) -> None:
        """What is no request of RFC 9112 is an error at the server's end, not a guess."""
        with pytest.raises(ValueError):
            async with (
                RawServer.replies([NO_CONTENT]) as server,
                client(server) as (
                    reader,
                    writer,
                ),
            ):
                writer.write(wire)
                await reader.read()

    async def test_more_requests_than_replies(self) -> None:
        """A request too many fails the test."""
        with pytest.raises(AssertionError, match=r"request 2 came \(GET /x\?y\), 1 replies"):
            async with (
                RawServer.replies([NO_CONTENT]) as server,
                client(server) as (
                    reader,
                    writer,
                ),
            ):
                writer.write(REQUEST * 2)
                await reader.read()

    async def test_the_tests_own_error_comes_first(self) -> None:
        """When the block failed already, the script's error is a note on that failure."""
        with pytest.raises(KeyError) as info:
            async with (
                RawServer.replies([NO_CONTENT]) as server,
                client(server) as (
                    reader,
                    writer,
                ),
            ):
                writer.write(REQUEST * 2)
                await reader.read()
                raise KeyError
        assert "request 2 came" in info.value.__notes__[0]

    async def test_a_body_can_be_left(self) -> None:
        """A script may answer before it reads the body, as for Expect: 100-continue."""

        async def script(conn: RawConnection) -> None:
            request = await conn.read_request(body=False)
            assert request.value("Expect") == "100-continue"
            conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            conn.send((await conn.read_body(request)).body)

        async with RawServer(script) as server, client(server) as (reader, writer):
            writer.write(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"ok")
            assert await reader.read() == b"ok"

    async def test_replies_may_be_functions(self) -> None:
        """A reply that is no bytes is called with the connection and the request."""

        async def echo(conn: RawConnection, request: RawRequest) -> None:
            conn.send(request.target.encode())
            conn.close()

        async with RawServer.replies([echo]) as server, client(server) as (reader, writer):
            writer.write(REQUEST)
            assert await reader.read() == b"/x?y"

    async def test_counts_connections(self) -> None:
        """Connections are counted, those that sent nothing too, and replies go on over them."""
        async with RawServer.replies([b"1", b"2"], close=True) as server:
            async with client(server):
                pass
            for expected in (b"1", b"2"):
                async with client(server) as (reader, writer):
                    writer.write(REQUEST)
                    assert await reader.read() == expected
            assert (server.connections, len(server.requests)) == (3, 2)
            assert server.open_connections == []


class TestMisbehaviour:
    async def test_drips(self) -> None:
        """Bytes sent slowly reach the client one by one."""

        async def script(conn: RawConnection) -> None:
            await conn.send_slowly(b"hello")
            await conn.send_slowly(b"worlds", step=4)

        async with RawServer(script) as server:
            _, pieces = await connect(server)
            assert await pieces.ended is None
        assert pieces.pieces == [b"h", b"e", b"l", b"l", b"o", b"worl", b"ds"]

    async def test_drips_to_nobody(self) -> None:
        """Sending slowly stops when the client has gone."""
        begun = asyncio.Event()

        async def script(conn: RawConnection) -> None:
            begun.set()
            await conn.send_slowly(b"x" * 10_000_000)

        async with RawServer(script) as server:
            transport, pieces = await connect(server)
            await begun.wait()
            transport.abort()
            await pieces.ended

    async def test_resets(self) -> None:
        """A reset reaches the client as ConnectionResetError, after what it has read."""

        async def script(conn: RawConnection) -> None:
            conn.send(b"half")
            await turns()
            conn.reset()

        async with RawServer(script) as server:
            _, pieces = await connect(server)
            assert isinstance(await pieces.ended, ConnectionResetError)
        assert pieces.pieces == [b"half"]

    async def test_closes_one_half(self) -> None:
        """After the end of its half the server still reads."""
        got: list[bytes] = []

        async def script(conn: RawConnection) -> None:
            conn.send_eof()
            got.append(await conn.closed())

        async with RawServer(script) as server, client(server) as (reader, writer):
            assert await reader.read() == b""
            writer.write(b"late")
            writer.write_eof()
            await turns()
        assert got == [b"late"]

    async def test_answers_twice_and_floods(self) -> None:
        """What is sent goes out whole, whatever it is, before the connection closes."""
        flood = NO_CONTENT * 2 + b"x" * 4_000_000

        async def script(conn: RawConnection) -> None:
            conn.send(flood)

        async with RawServer(script) as server, client(server) as (reader, _):
            assert await reader.read() == flood

    async def test_drain_waits_for_the_client(self) -> None:
        """A script can send no faster than the client reads, and is told when it has gone."""
        outcome: list[Exception] = []

        async def script(conn: RawConnection) -> None:
            try:
                while True:
                    conn.send(b"x" * 100_000)
                    await conn.drain()
            except ConnectionError as exc:
                outcome.append(exc)

        async with RawServer(script) as server:
            async with client(server) as (reader, _):
                await reader.readexactly(1_000_000)
            await turns(10)
        assert len(outcome) == 1

    async def test_drain_sees_that_the_connection_has_just_ended(self) -> None:
        """A loop that sends and drains ends, too, when the transport has failed and has not said so yet."""
        outcome: list[Exception] = []

        async def script(conn: RawConnection) -> None:
            conn.transport.abort()
            try:
                while True:
                    conn.send(b"x")
                    await conn.drain()
            except ConnectionError as exc:
                outcome.append(exc)

        async with RawServer(script) as server, client(server) as (reader, _):
            with contextlib.suppress(ConnectionError):
                await reader.read()
        assert len(outcome) == 1

    async def test_does_not_read(self) -> None:
        """A server that stops reading lets the client's buffers fill up."""
        filled = asyncio.Event()

        async def script(conn: RawConnection) -> None:
            conn.stop_reading()
            await filled.wait()
            assert conn.received < 1_000_000
            conn.start_reading()
            await conn.read_exactly(50_000_000)

        async with RawServer(script) as server, client(server) as (_, writer):
            writer.write(b"x" * 50_000_000)
            await turns(10)
            assert writer.transport.get_write_buffer_size() > 0
            filled.set()
            await writer.drain()

    async def test_sees_the_client_close(self) -> None:
        """`closed()` waits for the client, and gives what it sent before."""
        seen: list[bytes] = []

        async def script(conn: RawConnection) -> None:
            seen.append(await conn.closed())
            with pytest.raises(EOFError):
                await conn.read_request()

        async with RawServer(script) as server:
            async with client(server) as (_, writer):
                writer.write(b"unasked")
                writer.close()
                await writer.wait_closed()
            await turns()
        assert seen == [b"unasked"]

    async def test_refuses(self) -> None:
        """A refused port refuses."""
        with refused_port() as port, pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


class TestTls:
    async def test_serves(self, certificates: Certificates) -> None:
        """With a context every connection is secured first."""
        tls = certificates.client_context()
        async with (
            RawServer.replies([NO_CONTENT], ssl=certificates.server_context()) as server,
            client(server, tls) as (reader, writer),
        ):
            writer.write(REQUEST)
            assert await reader.readexactly(len(NO_CONTENT)) == NO_CONTENT
            assert server.url("/a", host="localhost") == f"https://localhost:{server.port}/a"

    async def test_close_and_abort(self, certificates: Certificates) -> None:
        """`close()` ends TLS by close_notify; `reset()` and `abort()` do not."""

        async def script(conn: RawConnection) -> None:
            conn.send(b"x")
            await turns(5)
            if conn.index:
                conn.reset()

        tls = certificates.client_context()
        async with RawServer(script, ssl=certificates.server_context()) as server:
            async with client(server, tls) as (reader, _):
                assert await reader.read() == b"x"
            async with client(server, tls) as (reader, _):
                with pytest.raises((ConnectionError, ssl.SSLError)):
                    await reader.read()

    async def test_notes_failed_handshakes(self, certificates: Certificates) -> None:
        """A client that refuses the certificate, or speaks no TLS, is noted; no script runs."""

        async def script(conn: RawConnection) -> None:
            raise AssertionError("called")

        tls = certificates.client_context()
        async with RawServer(script, ssl=certificates.server_context("other.test")) as server:
            with pytest.raises(ssl.SSLCertVerificationError):
                async with client(server, tls):
                    pass
            async with client(server) as (reader, writer):
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
                await reader.read()
            await turns(10)
            assert server.connections == 2
            assert len(server.handshake_errors) == 2
            assert server.open_connections == []

    async def test_a_handshake_may_hang(self, certificates: Certificates) -> None:
        """A client that says nothing does not keep the server from ending."""
        async with RawServer.replies([b""], ssl=certificates.server_context()) as server:
            _, pieces = await connect(server)
            await turns()
            assert len(server.open_connections) == 1
        await pieces.ended

    async def test_behind_connect(self, certificates: Certificates) -> None:
        """A script can turn to TLS later, as a proxy does behind CONNECT."""

        async def script(conn: RawConnection) -> None:
            assert (await conn.read_request()).method == "CONNECT"
            conn.send(b"HTTP/1.1 200 OK\r\n\r\n")
            await conn.start_tls(certificates.server_context())
            conn.send((await conn.read_request()).head)

        async with RawServer(script) as server, client(server) as (reader, writer):
            writer.write(b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await writer.start_tls(certificates.client_context(), server_hostname="localhost")
            writer.write(REQUEST)
            assert await reader.read() == REQUEST


class TestEnd:
    async def test_listens_on_a_unix_path(self, tmp_path: Path) -> None:
        """A unix path is served and gone afterwards."""
        path = tmp_path / "s"
        async with RawServer.replies([NO_CONTENT], close=True, unix_path=path) as server:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(REQUEST)
            assert await reader.read() == NO_CONTENT
            writer.close()
            assert server.url("/a") == "http://localhost/a"
        assert not path.exists()

    async def test_cuts_what_is_open(self) -> None:
        """The end cancels scripts and closes their connections; nothing of the server is left."""
        cancelled: list[int] = []

        async def script(conn: RawConnection) -> None:
            try:
                conn.send(b"x" * 50_000_000)
                await conn.closed()
            finally:
                cancelled.append(conn.index)

        before = Snapshot()
        async with RawServer(script) as server:
            ends = [(await connect(server))[1].ended for _ in range(3)]
            await turns()
        assert sorted(cancelled) == [0, 1, 2]
        await asyncio.gather(*ends, return_exceptions=True)
        assert await before.settle() == []

    async def test_a_late_connection_is_refused(self) -> None:
        """A connection that is on its way when the server ends is closed."""
        async with RawServer.replies([NO_CONTENT]) as server:
            arriving = asyncio.create_task(connect(server))
            await asyncio.sleep(0)
        try:
            _, pieces = await arriving
        except OSError:
            return
        await pieces.ended

    @pytest.mark.parametrize("rounds", range(4))
    @pytest.mark.parametrize("secured", [False, True])
    async def test_ends_while_a_connection_begins(
        self, certificates: Certificates, rounds: int, secured: bool
    ) -> None:
        """However far a connection has come when the server ends, its socket is closed."""
        context = certificates.server_context() if secured else None
        with socket.socket() as sock:
            async with RawServer.replies([NO_CONTENT], ssl=context) as server:
                sock.connect((server.host, server.port))
                while not server.connections:
                    await asyncio.sleep(0)
                await turns(rounds)
            sock.setblocking(False)
            assert sock.recv(1) == b""


class TestSilentPort:
    async def test_neither_succeeds_nor_fails(self) -> None:
        """Connecting to a silent port stays pending."""
        with silent_port() as port:
            attempt = asyncio.create_task(asyncio.open_connection("127.0.0.1", port))
            await turns(50)
            assert not attempt.done()
            attempt.cancel()
            await asyncio.wait([attempt])
