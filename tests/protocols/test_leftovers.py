"""What a server sent before the connection broke is read before anybody hears that it broke."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector
from aioclient.testing import RawConnection, RawServer

from ..servers.blocking import BlockingServer, Peer
from ..servers.certificates import Certificates

pytestmark = pytest.mark.both_loops

REFUSAL = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"
ROUNDS = 10


@pytest.fixture(params=["http", "https"])
def contexts(
    request: pytest.FixtureRequest, certificates: Certificates
) -> "tuple[ssl.SSLContext | None, ssl.SSLContext | bool]":
    """The server's and the client's."""
    if request.param == "http":
        return None, True
    return certificates.server_context(), certificates.client_context()


Contexts = tuple[ssl.SSLContext | None, ssl.SSLContext | bool]


async def endless() -> AsyncIterator[bytes]:
    """A source that never waits."""
    while True:
        yield bytes(65536)


async def crumbs() -> AsyncIterator[bytes]:
    while True:
        yield b"x"


def plain() -> Iterator[bytes]:
    while True:
        yield bytes(65536)


SOURCES = {"async": endless, "crumbs": crumbs, "iterator": plain}


class TestUploads:
    """The connection breaks while a body is sent."""

    @pytest.mark.parametrize("source", ["bytes", "async"])
    @pytest.mark.parametrize("long", [False, True], ids=["short", "long"])
    async def test_an_answer_before_the_reset(
        self, contexts: Contexts, source: str, long: bool
    ) -> None:
        """A server answers, and closes with the body unread, so that its kernel sends an RST behind the answer."""
        body = (
            bytes(40_000) if long else b"big"
        )  # what a first window takes: the rest the reset throws away
        answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

        def script(peer: Peer) -> None:
            peer.read_head()
            peer.send(answer)

        with BlockingServer(script, contexts[0]) as server:
            async with ClientSession(connector=TCPConnector(ssl=contexts[1])) as session:
                for _ in range(ROUNDS):
                    data = bytes(8_000_000) if source == "bytes" else endless()
                    async with session.post(server.url(), data=data) as response:
                        assert response.status == 413
                        assert await response.read() == body

    @pytest.mark.parametrize("source", SOURCES)
    @pytest.mark.parametrize("answered", [True, False])
    async def test_a_source_that_never_waits(
        self, contexts: Contexts, source: str, answered: bool
    ) -> None:
        """It is stopped by an answer, and by a reset; the event loop gets its turns meanwhile."""

        def script(peer: Peer) -> None:
            peer.read_head()
            if answered:
                peer.send(REFUSAL)
            else:
                peer.reset()

        with BlockingServer(script, contexts[0]) as server:
            async with ClientSession(connector=TCPConnector(ssl=contexts[1])) as session:
                if answered:
                    async with session.post(server.url(), data=SOURCES[source]()) as response:
                        assert (response.status, await response.read()) == (413, b"big")
                else:
                    with pytest.raises(aioclient.ClientConnectionError):
                        await session.post(server.url(), data=SOURCES[source]())

    @pytest.mark.parametrize("source", SOURCES)
    async def test_the_loop_has_its_turns(self, source: str) -> None:
        """A server that takes all does not keep other tasks from running."""

        async def script(conn: RawConnection) -> None:
            while True:
                await conn._more()
                conn._buffer.clear()

        async with RawServer(script) as server, ClientSession() as session:
            upload = asyncio.create_task(session.post(server.url(), data=SOURCES[source]()))
            for _ in range(50):
                await asyncio.sleep(0)
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload


class TestWebSockets:
    """The connection breaks while messages are sent."""

    async def test_a_close_frame_before_the_reset(self, contexts: Contexts) -> None:
        """The code of a close frame is what the program gets, although the next write failed first."""
        from base64 import b64encode
        from hashlib import sha1

        def script(peer: Peer) -> None:
            head = peer.read_head()
            line = next(
                line
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"sec-websocket-key")
            )
            key = line.partition(b":")[2].strip()
            accept = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            peer.send(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            peer.read_body(200_000)
            peer.send(b"\x88\x07\x0f\xa1quota")

        with BlockingServer(script, contexts[0]) as server:
            async with ClientSession(connector=TCPConnector(ssl=contexts[1])) as session:
                for _ in range(ROUNDS):
                    async with session.ws_connect(server.url()) as ws:

                        async def drain(ws: aioclient.ClientWebSocketResponse = ws) -> None:
                            async for _ in ws:
                                pass

                        reader = asyncio.create_task(drain())
                        with pytest.raises(aioclient.ClientError):
                            while True:
                                await ws.send_bytes(bytes(20_000))
                                await asyncio.sleep(0)
                        await reader
                        assert ws.close_code == 4001
