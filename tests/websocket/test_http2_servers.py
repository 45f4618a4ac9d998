"""WebSockets over HTTP/2 with servers of the field."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest
from aiohttp import WSMsgType, web

from aioclient import ClientSession, TCPConnector

from ..servers.app import serve_application
from ..servers.certificates import Certificates
from ..servers.http2 import HAProxy
from ..servers.hypercorn import hypercorn

pytestmark = pytest.mark.both_loops

Serve = Callable[[], AbstractAsyncContextManager[str]]


@pytest.fixture(scope="module")
def haproxy(certificates: Certificates) -> Iterator[HAProxy]:
    """One process for all tests."""
    with HAProxy(certificates) as daemon:
        yield daemon


@pytest.fixture(params=["hypercorn", "haproxy"])
def serve(request: pytest.FixtureRequest, certificates: Certificates, haproxy: HAProxy) -> Serve:
    """A server that echoes messages, and its URL."""

    @contextlib.asynccontextmanager
    async def by_haproxy() -> AsyncIterator[str]:
        application = web.Application()
        application.router.add_get("/ws", echo)
        async with serve_application(application, unix_path=haproxy.backend):
            haproxy.backend.chmod(0o777)  # it runs as another user
            yield haproxy.url("/ws")
        haproxy.backend.unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def by_hypercorn() -> AsyncIterator[str]:
        async with hypercorn(certificates) as origin:
            yield f"{origin}/ws"

    return by_haproxy if request.param == "haproxy" else by_hypercorn


@pytest.fixture
def tls(certificates: Certificates) -> ssl.SSLContext:
    """A context that offers HTTP/2."""
    context = certificates.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send messages back; close when asked to."""
    ws = web.WebSocketResponse(max_msg_size=0, protocols=("echo",))
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)
        elif message.data == "close":
            await ws.close(code=4000, message=b"as asked")
        else:
            await ws.send_str(message.data)
    return ws


def opens(tls: ssl.SSLContext) -> ClientSession:
    return ClientSession(http2=True, connector=TCPConnector(ssl=tls))


@pytest.mark.parametrize("compress", [0, 15])
async def test_messages(serve: Serve, tls: ssl.SSLContext, compress: int) -> None:
    """Messages of all sizes come back, beside requests on the same connection."""
    async with (
        serve() as url,
        opens(tls) as session,
        session.ws_connect(url, protocols=["echo"], compress=compress) as ws,
    ):
        assert (ws.response.version, ws.response.status) == ((2, 0), 200)
        assert (ws.protocol, ws.compress) == ("echo", compress)
        await ws.send_str("hello")
        assert await ws.receive_str() == "hello"
        for size in (1, 125, 126, 65_536, 2_000_000):
            await ws.send_bytes(bytes(size))
            assert await ws.receive_bytes() == bytes(size)
        async with session.get(url.replace("/ws", "/small")) as response:
            assert await response.read() == b"small"
        assert isinstance(session.connector, TCPConnector)
        assert session.connector.statistics().opened == 1


async def test_many(serve: Serve, tls: ssl.SSLContext) -> None:
    """Fifty at a time share a connection, and leave nothing on it."""

    async def talk(session: ClientSession, url: str, number: int) -> None:
        async with session.ws_connect(url) as ws:
            for turn in range(5):
                await ws.send_str(f"{number} {turn}")
                assert await ws.receive_str() == f"{number} {turn}"

    async with serve() as url, opens(tls) as session:
        for _ in range(2):
            await asyncio.gather(*(talk(session, url, number) for number in range(50)))
        assert isinstance(session.connector, TCPConnector)
        assert session.connector.statistics().opened == 1


# hypercorn 0.18 loses a connection whose client answers its close frame: it has dropped the stream by then.
@pytest.mark.parametrize("serve", ["haproxy"], indirect=True)
async def test_the_server_closes(serve: Serve, tls: ssl.SSLContext) -> None:
    """Code and reason of the server's close frame come through."""
    async with serve() as url, opens(tls) as session, session.ws_connect(url) as ws:
        await ws.send_str("close")
        message = await ws.receive()
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 4000, "as asked")


async def test_left(serve: Serve, tls: ssl.SSLContext) -> None:
    """One that is left in the middle of a message hurts no other."""
    async with serve() as url, opens(tls) as session:
        for _ in range(5):
            ws = await session.ws_connect(url)
            await ws.send_bytes(bytes(1_000_000))
            ws.close_nowait()
        async with session.ws_connect(url) as other:
            await other.send_str("hello")
            assert await other.receive_str() == "hello"
