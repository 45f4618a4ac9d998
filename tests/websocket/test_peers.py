"""Real servers: aiohttp's, that of websockets, and picows'; and aiohttp's client, to compare with."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import picows
import pytest
import websockets
from aiohttp import WSMsgType, web

from aioclient import ClientSession
from aioclient.testing import RawConnection, RawServer

from ..servers.app import serve_application
from ..servers.certificates import Certificates
from .wire import BINARY, PING, PONG, TEXT, close, end, frame, switching

pytestmark = pytest.mark.both_loops


async def aiohttp_echo(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(protocols=("echo",), max_msg_size=0)
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            if message.data == "close":
                await ws.close(code=4000, message=b"as asked")
            else:
                await ws.send_str(message.data)
        else:
            await ws.send_bytes(message.data)
    return ws


@contextlib.asynccontextmanager
async def aiohttp_server(certificates: Certificates | None) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_get("/", aiohttp_echo)
    context = None if certificates is None else certificates.server_context()
    async with serve_application(application, ssl=context) as origin:
        yield origin.replace("http", "ws") + "/"


async def websockets_echo(connection: Any) -> None:
    async for message in connection:
        if message == "close":
            await connection.close(4000, "as asked")
        else:
            await connection.send(message)


@contextlib.asynccontextmanager
async def websockets_server(certificates: Certificates | None) -> AsyncIterator[str]:
    context = None if certificates is None else certificates.server_context()
    async with websockets.serve(
        websockets_echo,
        "127.0.0.1",
        0,
        subprotocols=[websockets.Subprotocol("echo")],
        max_size=None,
        ssl=context,
    ) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}/" if context is None else f"wss://localhost:{port}/"


class Echo(picows.WSListener):
    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.get_payload_as_bytes() == b"close":
            transport.send_close(4000, b"as asked")
        else:
            transport.send(frame.msg_type, frame.get_payload_as_bytes(), frame.fin)


@contextlib.asynccontextmanager
async def picows_server(certificates: Certificates | None) -> AsyncIterator[str]:
    context = None if certificates is None else certificates.server_context()
    server = await picows.ws_create_server(
        lambda request: Echo(), "127.0.0.1", 0, ssl=context, websocket_handshake_timeout=None
    )
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"ws://127.0.0.1:{port}/" if context is None else f"wss://localhost:{port}/"
    finally:
        server.close()
        await server.wait_closed()


SERVERS: dict[str, Any] = {
    "aiohttp": aiohttp_server,
    "websockets": websockets_server,
    "picows": picows_server,
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    ("server", "compress"),
    [
        ("aiohttp", 0),
        ("aiohttp", 9),
        ("aiohttp", 15),
        ("websockets", 0),
        ("websockets", 9),
        ("websockets", 15),
        ("picows", 0),  # its server knows no compression
    ],
)
async def test_messages_of_all_sizes(
    server: str, compress: int, tls: bool, certificates: Certificates
) -> None:
    """Messages of every size come back as they went, compressed where the server can, and close codes are told."""
    chance = random.Random(7)
    async with (
        SERVERS[server](certificates if tls else None) as url,
        ClientSession() as session,
        session.ws_connect(
            url,
            compress=compress,
            max_msg_size=0,
            ssl=certificates.client_context() if tls else True,
            protocols=["echo"] if server != "picows" else (),
        ) as ws,
    ):
        assert bool(ws.compress) == bool(compress)
        assert ws.protocol == (None if server == "picows" else "echo")
        for size in (0, 1, 125, 126, 1000, 65535, 65536, 200_000, 2**20):
            text = "é" * (size // 2) + "x" * (size % 2)
            await ws.send_str(text)
            assert await ws.receive_str() == text
            for data in (chance.randbytes(size), bytes(size)):
                await ws.send_bytes(data)
                assert await ws.receive_bytes() == data
        await ws.ping(b"are you there")
        texts = [f"message {n}" * (n % 50) or "-" for n in range(500)]

        async def send() -> None:
            for text in texts:
                await ws.send_str(text)

        sending = asyncio.ensure_future(send())
        assert [await ws.receive_str() for _ in texts] == texts
        await sending
        await ws.send_str("close")
        message = await ws.receive()
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 4000, "as asked")
        assert ws.close_code == 4000
        assert ws.exception() is None


@pytest.mark.parametrize(
    ("server", "answer"), [("aiohttp", 1000), ("websockets", 3333), ("picows", 3333)]
)
async def test_we_close(server: str, answer: int) -> None:
    """Each server answers our close frame, with our code or with one of its own."""
    async with SERVERS[server](None) as url, ClientSession() as session:
        ws = await session.ws_connect(url, protocols=[] if server == "picows" else ["echo"])
        await ws.send_str("a")
        assert await ws.receive_str() == "a"
        assert await ws.close(code=3333, message=b"enough")
        assert ws.close_code == answer
        assert ws.exception() is None


CONVERSATIONS = {
    "S003-99-messages": frame(TEXT, b"a") + frame(BINARY, b"b" * 300) + close(1001, b"bye"),
    "S003-99-fragments": frame(TEXT, b"a", fin=False) + frame(PING) + frame(0, b"b") + close(),
    "S003-99-pong": frame(PONG, b"x") + frame(TEXT, b"a") + close(),
    "WS-09-utf8": frame(TEXT, b"\xff"),
    "WS-09-continuation": frame(0, b"x"),
    "WS-09-long-ping": frame(PING, b"x" * 126),
    "WS-09-opcode": frame(3),
    "WS-04-too-large": frame(BINARY, bits=64, length=2**40),
    "WS-09-close-code": close(1005),
}


@pytest.mark.parametrize(
    "data", [pytest.param(data, id=name) for name, data in CONVERSATIONS.items()]
)
async def test_as_aiohttps_client(data: bytes) -> None:
    """What a server sends is told in the same messages and close codes as by aiohttp's client."""

    async def script(conn: RawConnection) -> None:
        conn.send(switching(await conn.read_request()) + data)
        await end(conn)

    told = []
    for library in (aiohttp.ClientSession, ClientSession):
        async with (
            RawServer(script) as server,
            library() as session,
            session.ws_connect(server.url()) as ws,
        ):
            messages = [await ws.receive()]
            while messages[-1].type not in (WSMsgType.CLOSED, WSMsgType.ERROR):
                messages.append(await ws.receive())
            told.append(
                (
                    [
                        (message.type, getattr(message.data, "code", message.data))
                        for message in messages
                    ],
                    ws.close_code,
                    ws.closed,
                )
            )
    assert told[0] == told[1]
