"""A connection is looked at before it is used again: what lies in its socket belongs to no request of ours.

RFC 9112, section 9.2: a client that receives data on a connection without outstanding requests closes it. The event
loop may not have read that data yet when the next request is about to be written.
"""

import asyncio
import io
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector
from aioclient.testing import RawConnection, RawServer, turns

from ..servers.blocking import OK, BlockingServer, Peer
from ..servers.certificates import Certificates
from ..servers.require import require
from .test_reuse import fetch, numbers

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"

pytestmark = [pytest.mark.both_loops, pytest.mark.rows("POOL-02")]


class Staged:
    """Answers the first request, and on `trigger()` does something more while the client's event loop stands still."""

    def __init__(self, more: str) -> None:
        self.more = more
        self.targets: list[str] = []
        self._go = threading.Event()
        self._done = threading.Event()

    def trigger(self) -> None:
        """Let it happen, and return when it has."""
        self._go.set()
        assert self._done.wait(10)

    def __call__(self, peer: Peer) -> None:
        while True:
            self.targets.append(peer.read_head().split()[1].decode())
            peer.send(OK)
            if peer.index == 0:
                assert self._go.wait(10)
                if self.more == "response":
                    peer.send(POISON)
                elif self.more == "byte":
                    peer.send(b"H")
                elif self.more == "end":
                    peer.end()
                else:
                    peer.reset()
                self._done.set()
                if self.more == "reset":
                    return


@pytest.fixture(params=["http", "https"])
def contexts(
    request: pytest.FixtureRequest, certificates: Certificates
) -> tuple[ssl.SSLContext | None, ssl.SSLContext | bool]:
    """The server's and the client's."""
    if request.param == "http":
        return None, True
    return certificates.server_context(), certificates.client_context()


Contexts = tuple[ssl.SSLContext | None, ssl.SSLContext | bool]


@pytest.mark.parametrize("more", ["response", "byte", "end", "reset"])
class TestLook:
    """The next request goes out on a connection of its own."""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("retry_stale", [True, False])
    async def test_reused(
        self, contexts: Contexts, more: str, method: str, retry_stale: bool
    ) -> None:
        """A POST too, and without a repeat: nothing was sent on the first connection."""
        staged = Staged(more)
        with BlockingServer(staged, contexts[0]) as server:
            connector = TCPConnector(ssl=contexts[1], retry_stale=retry_stale)
            async with ClientSession(server.url(), connector=connector) as session:
                assert await fetch(session, "/1") == b"ok"
                staged.trigger()
                assert await fetch(session, "/2", method) == b"ok"
                assert staged.targets == ["/1", "/2"]
                assert server.connections == 2
                assert numbers(session) == (0, 1, 0)

    async def test_granted(self, contexts: Contexts, more: str) -> None:
        """One that a waiting request is handed is looked at as well."""
        staged = Staged(more)
        with BlockingServer(staged, contexts[0]) as server:
            connector = TCPConnector(ssl=contexts[1], limit=1)
            async with ClientSession(server.url(), connector=connector) as session:

                async def first() -> bytes:
                    body = await fetch(session, "/1")
                    staged.trigger()  # before the one that waits goes on
                    return body

                assert await asyncio.gather(first(), fetch(session, "/2")) == [b"ok", b"ok"]
                assert staged.targets == ["/1", "/2"]
                assert server.connections == 2
                assert numbers(session) == (0, 1, 0)

    async def test_cancelled(self, contexts: Contexts, more: str) -> None:
        """Cancelled at any moment of the look, a request leaves no slot taken."""
        for moment in range(4):
            staged = Staged(more)
            with BlockingServer(staged, contexts[0]) as server:
                connector = TCPConnector(ssl=contexts[1], limit=1)
                async with ClientSession(server.url(), connector=connector) as session:
                    await fetch(session, "/1")
                    staged.trigger()
                    task = asyncio.create_task(fetch(session, "/2"))
                    await turns(moment)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    assert numbers(session)[0] == 0
                    assert await fetch(session, "/3") == b"ok"

    async def test_closed_meanwhile(self, contexts: Contexts, more: str) -> None:
        """A session that is closed while a request looks ends it."""
        staged = Staged(more)
        with BlockingServer(staged, contexts[0]) as server:
            session = ClientSession(server.url(), connector=TCPConnector(ssl=contexts[1]))
            await fetch(session, "/1")
            staged.trigger()
            task = asyncio.create_task(fetch(session, "/2"))
            await turns(1)
            await session.close()
            with pytest.raises(aioclient.ClientConnectionError, match="connector is closed"):
                await task


class TestNoData:
    """What is readable in the socket and no data of the server's does not cost the connection."""

    async def test_key_update(self, certificates: Certificates) -> None:
        """A TLS KeyUpdate makes the socket readable, as session tickets do; the connection is used again."""
        command = require("openssl", "openssl")
        options = ["-accept", "127.0.0.1:0", "-cert", certificates.cert_file]
        with subprocess.Popen(
            [command, "s_server", *options, "-key", certificates.key_file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                while not (line := process.stdout.readline()).startswith(b"ACCEPT"):
                    assert line
                port = int(line.rpartition(b":")[2])
                connector = TCPConnector(ssl=certificates.client_context())
                async with ClientSession(connector=connector) as session:
                    for _ in range(3):
                        task = asyncio.create_task(fetch(session, f"https://127.0.0.1:{port}/"))
                        while b"User-Agent" not in line:
                            line = await asyncio.to_thread(process.stdout.readline)
                        line = b""
                        process.stdin.write(OK)
                        process.stdin.flush()
                        assert await task == b"ok"
                        (connection,) = connector._sockets.connections
                        process.stdin.write(b"k\n")
                        process.stdin.flush()
                        assert connection.transport is not None
                        sock = connection.transport.get_extra_info("socket")
                        # The event loop stands still until it is here.
                        assert select.select([sock.fileno()], [], [], 10)[0]
                        assert connection.has_input()
                    assert connector.statistics().opened == 1
            finally:
                process.kill()


def narrow(address: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
    """Return a socket whose send buffer takes next to nothing."""
    sock = socket.socket(address[0], address[1], address[2])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return sock


class TestUnflushed:
    """A request whose answer came before all of it had left is the last one on its connection."""

    @pytest.mark.parametrize("kind", ["bytes", "file"])
    async def test_answer_before_the_body(self, kind: str) -> None:
        """The body waits in a buffer of ours when the answer comes; the next request takes another connection.

        A server may have counted on reading the rest of the body, or on throwing it away, or on neither.
        """

        def script(peer: Peer) -> None:
            peer.read_head()
            peer.send(OK)
            if peer.index == 0:
                ended.wait(10)

        ended = threading.Event()
        with BlockingServer(script, receive_buffer=4096) as server:
            async with ClientSession(connector=TCPConnector(socket_factory=narrow)) as session:
                data = bytes(200_000) if kind == "bytes" else io.BytesIO(bytes(2_000_000))
                assert await fetch(session, server.url(), "POST", data=data) == b"ok"
                assert numbers(session) == (0, 0, 0)
                assert await fetch(session, server.url()) == b"ok"
                assert server.connections == 2
                ended.set()

    @pytest.mark.parametrize(
        ("status", "size", "connections"),
        [(413, 100_000, 2), (503, 100_000, 2), (404, 1_000, 1), (200, 100_000, 1)],
    )
    @pytest.mark.parametrize("streamed", [False, True], ids=["bytes", "stream"])
    async def test_an_error_for_a_large_body(
        self, status: int, size: int, connections: int, *, streamed: bool
    ) -> None:
        """An error status may be the answer to the head alone, and nobody knows what becomes of the body."""

        async def script(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                conn.send(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % status)

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(10):
                yield bytes(size // 10)

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            data = pieces() if streamed else bytes(size)
            assert await fetch(session, "/", "POST", data=data) == b"ok"
            assert await fetch(session) == b"ok"
            assert server.connections == connections
