"""WebSockets."""

import asyncio

import pytest

import aioclient
from aioclient import ClientSession, ClientWSTimeout, WSMsgType
from aioclient.testing import RawConnection, turns

from .. import spoken
from ..loopback import answer
from ..servers.either import RawServer
from ..websocket.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    DEFLATE,
    PING,
    PONG,
    RSV1,
    TEXT,
    close,
    deflated,
    end,
    frame,
    read_frame,
    sends,
    websocket_server,
)
from .parts import cancelled, numbers, until

reports = pytest.mark.reports
pytestmark = pytest.mark.both_protocols

both_loops = pytest.mark.both_loops
virtual = pytest.mark.virtual_clock


@both_loops
@reports("aio-libs/aiohttp#7306", "aio-libs/aiohttp#7680")
async def test_the_code_when_one_receives_and_one_closes() -> None:
    """When one task closed while another received there was no close code."""
    async with sends() as server, ClientSession() as session:
        ws = await session.ws_connect(server.url())
        receiving = asyncio.create_task(ws.receive())
        await turns(2)
        await ws.close(code=4000)
        assert (await receiving).type in (WSMsgType.CLOSING, WSMsgType.CLOSED)
        assert ws.close_code == 4000


@virtual
@reports("aio-libs/aiohttp#1002")
async def test_close_and_a_peer_that_talks() -> None:
    """close() waited for ever for a peer that kept sending messages."""

    async def talks(conn: RawConnection) -> None:
        while not conn.lost:
            conn.send(frame(TEXT, b"more"))
            await asyncio.sleep(1)

    loop = asyncio.get_running_loop()
    async with websocket_server(talks) as server, ClientSession() as session:
        ws = await session.ws_connect(server.url(), timeout=ClientWSTimeout(ws_close=5))
        start = loop.time()
        await ws.close()
        assert loop.time() - start == pytest.approx(5)
        assert numbers(session) == (0, spoken.kept(), 0)


@both_loops
@reports("python-websockets/websockets#506")
@pytest.mark.parametrize("after", range(4))
async def test_a_cancelled_receive_loses_nothing(after: int) -> None:
    """A message that came just as receive() was cancelled was lost."""
    messages = asyncio.Event()

    async def script(conn: RawConnection) -> None:
        await messages.wait()
        for number in range(3):
            conn.send(frame(TEXT, b"%d" % number))
        await end(conn)

    async with (
        websocket_server(script) as server,
        ClientSession() as session,
        session.ws_connect(server.url()) as ws,
    ):
        receiving = asyncio.create_task(ws.receive_str())
        await turns(2)
        messages.set()
        await turns(after)
        receiving.cancel()
        await asyncio.wait([receiving])
        got = [] if receiving.cancelled() else [receiving.result()]
        while len(got) < 3:
            got.append(await ws.receive_str())
        assert got == ["0", "1", "2"]


@both_loops
@reports("aio-libs/aiohttp#13274")
async def test_compression_after_a_control_frame() -> None:
    """A compressed message behind a ping or pong was refused for its reserved bit."""
    for control in (frame(PONG), frame(PING, b"x"), frame(PONG) + frame(PING)):
        message = frame(TEXT, deflated(b"hello"), rsv=RSV1)
        async with (
            sends(control + message, fields=(DEFLATE,)) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), compress=15) as ws,
        ):
            assert await ws.receive_str() == "hello"


@both_loops
@reports("aio-libs/aiohttp#13139", "aio-libs/aiohttp#13138")
async def test_a_ping_within_a_compressed_message() -> None:
    """A ping between the fragments of a compressed message spoiled it."""
    data = deflated(b"hello, hello, hello")
    pieces = [
        frame(TEXT, data[:4], fin=False, rsv=RSV1),
        frame(PING, b"1"),
        frame(CONTINUATION, data[4:6], fin=False),
        frame(PING, b"2"),
        frame(CONTINUATION, data[6:]),
    ]
    for sent in (pieces, [b"".join(pieces)]):
        async with (
            sends(*sent, fields=(DEFLATE,)) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), compress=15) as ws,
        ):
            assert await ws.receive_str() == "hello, hello, hello"


@virtual
@reports("aio-libs/aiohttp#12029", "aio-libs/aiohttp#12074")
async def test_a_large_message_is_a_sign_of_life() -> None:
    """A connection that was busy with one large message was closed, because no pong came in between."""
    message = frame(BINARY, bytes(300))

    async def slow(conn: RawConnection) -> None:
        for start in range(0, len(message), 30):
            conn.send(message[start : start + 30])
            await asyncio.sleep(2)
        await end(conn)

    async with (
        websocket_server(slow) as server,
        ClientSession() as session,
        session.ws_connect(server.url(), heartbeat=4) as ws,
    ):
        assert await ws.receive_bytes() == bytes(300)


@virtual
@reports("aio-libs/aiohttp#9568")
async def test_pings_of_the_server_are_enough() -> None:
    """A client sent its own pings though the server's came often enough."""
    got: list[int] = []

    async def pings(conn: RawConnection) -> None:
        for _ in range(10):
            await asyncio.sleep(3)
            conn.send(frame(PING))
            got.append((await read_frame(conn)).opcode)
        conn.send(close())
        got.append((await read_frame(conn)).opcode)

    async with websocket_server(pings) as server, ClientSession() as session:
        async with session.ws_connect(server.url(), heartbeat=4) as ws:
            assert [message async for message in ws] == []
        await until(lambda: len(got) == 11)
    assert got == [PONG] * 10 + [CLOSE]


@both_loops
@reports("aio-libs/aiohttp#9880")
async def test_a_cancelled_task_with_a_websocket() -> None:
    """Cancelling a task that held a WebSocket raised in a finalizer, and the connection stayed."""

    async def hold(url: str) -> None:
        async with ClientSession() as own, own.ws_connect(url) as ws:
            connected.set()
            await ws.receive()

    connected = asyncio.Event()
    async with sends() as server:
        task = asyncio.create_task(hold(server.url()))
        await connected.wait()
        await turns(2)
        await cancelled(task)
        await until(lambda: not server.scripted_connections)


@both_loops
@reports("python-websockets/websockets#877", "python-websockets/websockets#368")
async def test_a_message_that_is_too_large() -> None:
    """After a message larger than allowed the close code was 1006, and nothing told why."""
    codes: list[int | None] = []

    async def script(conn: RawConnection) -> None:
        conn.send(frame(BINARY, bytes(100)))
        codes.append(await end(conn))

    async with websocket_server(script) as server, ClientSession() as session:
        async with session.ws_connect(server.url(), max_msg_size=50) as ws:
            message = await ws.receive()
            assert message.type is WSMsgType.ERROR
            assert ws.close_code == 1009
            assert "50" in str(ws.exception())
        await until(lambda: codes)
    assert codes == [1009]


@both_loops
@reports("python-websockets/websockets#687", "python-websockets/websockets#167")
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_messages_before_the_loss(how: str) -> None:
    """When the connection was lost the messages that had arrived before were lost too."""

    async def script(conn: RawConnection) -> None:
        for number in range(20):
            conn.send(frame(TEXT, b"%d" % number))
        await turns(10)
        if how == "reset":
            conn.reset()

    async with (
        websocket_server(script) as server,
        ClientSession() as session,
        session.ws_connect(server.url()) as ws,
    ):
        await until(lambda: not server.scripted_connections)
        got = [message.data async for message in ws]
        assert got == [str(number) for number in range(20)]
        assert ws.close_code == 1006


@both_loops
@reports("python-websockets/websockets#465")
@pytest.mark.parametrize(
    "wrong", [b"\xff\xff", frame(TEXT, b"\xff"), frame(3), frame(TEXT, rsv=0x20)]
)
async def test_a_violation_while_one_receives(wrong: bytes) -> None:
    """A receive() that ran while the peer broke the protocol failed with an assertion, or hung."""
    async with (
        sends(wrong) as server,
        ClientSession() as session,
        session.ws_connect(server.url()) as ws,
    ):
        messages = [await ws.receive() for _ in range(2)]
        assert messages[0].type is WSMsgType.ERROR
        assert messages[1].type is WSMsgType.CLOSED
        assert ws.close_code in (1002, 1007)


@both_loops
async def test_a_flood_of_pings() -> None:
    """Pings faster than the peer read the pongs filled the memory."""

    async def floods(conn: RawConnection) -> None:
        for _ in range(100):
            conn.send(frame(PING, bytes(125)) * 1000)
            await conn.drain()
        conn.send(frame(TEXT, b"done"))
        await end(conn)

    async with (
        websocket_server(floods) as server,
        ClientSession() as session,
        session.ws_connect(server.url()) as ws,
    ):
        assert await ws.receive_str() == "done"


@both_loops
async def test_a_refused_handshake_leaves_nothing() -> None:
    """A refused handshake kept the connection, and the reason in its body could not be read."""
    reply = answer(b"not for you", status="403 Forbidden")
    async with RawServer.replies([reply], repeat=True) as server, ClientSession() as session:
        for _ in range(3):
            with pytest.raises(aioclient.HandshakeRefusedError) as caught:
                await session.ws_connect(server.url())
            assert (caught.value.status, caught.value.body) == (403, b"not for you")
            assert numbers(session)[0] == 0
