"""The end of a WebSocket (RFC 6455, section 7): close frames, time limits, heartbeats, back-pressure, cancellation."""

import asyncio
import socket
import warnings
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientWSTimeout, WSMessage, WSMsgType

import aioclient
from aioclient import ClientSession, ClientWebSocketResponse
from aioclient.connectors.dialling import READ_SIZE
from aioclient.exceptions import (
    ClientConnectionResetError,
    ServerTimeoutError,
    WSClosedError,
    WSReconnectError,
)
from aioclient.protocols.websocket.reader import QUEUE_LIMIT
from aioclient.protocols.websocket.send_progress import send_progress
from aioclient.testing import RawConnection, cancel_everywhere, turns
from aioclient.testing.cancel import Moment

from ..servers.certificates import Certificates
from ..servers.either import RawServer
from .wire import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    close,
    end,
    frame,
    gone,
    no_connection_in_use,
    read_frame,
    send_and_reset,
    sends,
    shake_hands,
    switching,
    websocket_server,
)

pytestmark = pytest.mark.both_protocols

MOMENTS: tuple[Moment, ...] = ("suspended", "resumed", "soon")


async def silent(conn: RawConnection) -> None:
    """Read, and say nothing."""
    await conn.closed()


@pytest.mark.rows("S003-98")
class TestClose:
    @pytest.mark.both_loops
    async def test_we_close(self) -> None:
        """close() sends code and reason, drops what still comes, waits for the answer, and closes the connection."""
        got: list[bytes] = []

        async def talk(conn: RawConnection) -> None:
            got.append((await read_frame(conn)).payload)
            conn.send(frame(TEXT, b"too late") + frame(PING, b"x") + close(4001, b"well"))
            assert await gone(conn) == b""

        async with websocket_server(talk) as server, ClientSession() as session:
            ws = await session.ws_connect(server.url())
            assert await ws.close(code=4000, message=b"bye") is True
            assert got == [b"\x0f\xa0bye"]
            assert ws.close_code == 4001
            assert ws.closed_by_us
            assert ws.exception() is None
            assert (await ws.receive()).type is WSMsgType.CLOSED
            assert await ws.close() is False
            await no_connection_in_use(session)

    async def test_reason_as_text(self) -> None:
        """The reason may be text."""
        got: list[bytes] = []

        async def talk(conn: RawConnection) -> None:
            got.append((await read_frame(conn)).payload)
            conn.send(close())

        async with websocket_server(talk) as server, ClientSession() as session:
            ws = await session.ws_connect(server.url())
            await ws.close(message="tschüß")
        assert got == [b"\x03\xe8" + "tschüß".encode()]

    @pytest.mark.rows("S003-58")
    @pytest.mark.both_loops
    @pytest.mark.parametrize(
        ("code", "answered"), [(1000, 1000), (1001, 1001), (4999, 4999), (None, 1000)]
    )
    async def test_the_server_closes(self, code: int | None, answered: int) -> None:
        """A close frame that is received is answered with its code, and the connection closed."""
        answers: list[bytes] = []

        async def talk(conn: RawConnection) -> None:
            conn.send(close(code, b"" if code is None else b"why"))
            answers.append((await read_frame(conn)).payload)
            assert await gone(conn) == b""

        async with websocket_server(talk) as server, ClientSession() as session:
            async with session.ws_connect(server.url()) as ws:
                message = await ws.receive()
                assert (message.type, message.data) == (WSMsgType.CLOSE, code or 1005)
                assert ws.closed
                assert ws.close_code == (code or 1005)
                assert ws.close_reason == ("" if code is None else "why")
                assert not ws.closed_by_us
                assert ws.exception() is None
            while not answers:
                await turns()
        assert answers == [answered.to_bytes(2, "big")]

    @pytest.mark.both_loops
    async def test_without_a_wait(self) -> None:
        """close_nowait() sends what close() sends, and closes the connection without an answer."""
        got: list[bytes] = []

        async def talk(conn: RawConnection) -> None:
            while (received := await read_frame(conn)).opcode != CLOSE:
                pass
            got.append(received.payload)
            assert await gone(conn) == b""

        async with websocket_server(talk) as server, ClientSession() as session:
            ws = await session.ws_connect(server.url())
            await ws.send_bytes(bytes(2**20))
            receiving = asyncio.ensure_future(ws.receive())
            await turns()
            ws.close_nowait(code=4000, message="bye")
            assert (ws.closed, ws.closed_by_us, ws.close_code) == (True, True, 1006)
            assert (await receiving).type is WSMsgType.CLOSING
            ws.close_nowait()
            assert await ws.close() is False
            while not got:
                await turns()
            assert got == [b"\x0f\xa0bye"]
            with pytest.raises(ValueError, match="1005"):
                (await session.ws_connect(server.url())).close_nowait(code=1005)

    @pytest.mark.both_loops
    async def test_who_closed_first(self) -> None:
        """closed_by_us tells a close() of ours from one that comes when the peer has closed, or is gone."""

        async def talk(conn: RawConnection) -> None:
            if conn.index == 0:
                conn.send(close(4001, b"unread"))
            elif conn.index == 1:
                conn.abort()
            await conn.closed()

        async with websocket_server(talk) as server, ClientSession() as session:
            for code in (4001, 1006):
                ws = await session.ws_connect(server.url())
                while ws.close_code is None:
                    await turns()
                await ws.close()
                assert (ws.closed_by_us, ws.close_code, ws.close_reason) == (False, code, None)
            ws = await session.ws_connect(
                server.url(), timeout=aiohttp.ClientWSTimeout(ws_close=0.01)
            )
            assert (ws.closed_by_us, ws.close_reason) == (False, None)
            await ws.close()
            assert (ws.closed_by_us, ws.close_code) == (True, 1006)

    @pytest.mark.rows("S003-58")
    async def test_without_autoclose(self) -> None:
        """With autoclose=False the close frame is answered by close(), and until then one may send."""
        got: list[tuple[int, bytes]] = []

        async def talk(conn: RawConnection) -> None:
            conn.send(close(1001))
            while not got or got[-1][0] != CLOSE:
                received = await read_frame(conn)
                got.append((received.opcode, received.payload))

        async with websocket_server(talk) as server, ClientSession() as session:
            for last in ("close", "receive"):
                got.clear()
                async with session.ws_connect(server.url(), autoclose=False) as ws:
                    assert (await ws.receive()).type is WSMsgType.CLOSE
                    assert not ws.closed
                    await ws.send_str("last words")
                    if last == "close":
                        await ws.close(code=4000)
                    else:
                        assert (await ws.receive()).type is WSMsgType.CLOSED
                    assert ws.closed
                while len(got) < 2:
                    await turns()
                code = b"\x0f\xa0" if last == "close" else b"\x03\xe8"
                assert got == [(TEXT, b"last words"), (CLOSE, code)]

    @pytest.mark.both_loops
    async def test_who_receives_is_told(self) -> None:
        """close() ends a receive in another task with CLOSING, and an iteration."""
        async with sends() as server, ClientSession() as session:
            ws = await session.ws_connect(server.url())
            receiving = asyncio.ensure_future(ws.receive())
            await turns()
            await ws.close()
            assert await receiving == WSMessage(WSMsgType.CLOSING, None, None)
            ws = await session.ws_connect(server.url())

            async def iterate() -> int:
                return len([message async for message in ws])

            iterating = asyncio.ensure_future(iterate())
            await turns()
            assert await asyncio.gather(ws.close(), ws.close()) == [True, False]
            assert await iterating == 0

    @pytest.mark.virtual_clock
    @pytest.mark.rows("WS-13")
    @pytest.mark.parametrize(
        ("arguments", "seconds"),
        [
            pytest.param({}, 10, id="S003-55-default"),
            pytest.param({"timeout": ClientWSTimeout(ws_close=3)}, 3, id="S003-55-new"),
            pytest.param({"timeout": 4}, 4, id="S003-55-old"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:timeout as a number:aioclient.LegacyParameterWarning")
    async def test_no_answer(self, arguments: dict[str, Any], seconds: float) -> None:
        """A server that does not answer is waited for as long as ws_close says, whatever else it sends."""
        loop = asyncio.get_running_loop()

        async def chatters(conn: RawConnection) -> None:
            while not conn.lost:
                conn.send(frame(TEXT, b"x" * 1000) * 100)
                await asyncio.sleep(1)

        for talk in (silent, chatters):
            async with websocket_server(talk) as server, ClientSession() as session:
                ws = await session.ws_connect(server.url(), **arguments)
                start = loop.time()
                assert await ws.close()
                assert loop.time() - start == pytest.approx(seconds)
                assert ws.close_code == 1006
                error = ws.exception()
                assert isinstance(error, ServerTimeoutError)
                assert f"ws_close={seconds}" in str(error)

    @pytest.mark.rows("S003-55")
    async def test_older_spelling_of_the_timeout(self) -> None:
        """A number as timeout= warns at the line that calls; a ClientWSTimeout does not."""
        async with sends() as server, ClientSession() as session:
            with pytest.warns(aioclient.LegacyParameterWarning, match="ws_close=10.0") as caught:
                ws = await session.ws_connect(server.url(), timeout=10.0)
            assert caught[0].filename == __file__
            await ws.close()
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                async with session.ws_connect(server.url(), timeout=ClientWSTimeout()):
                    pass

    @pytest.mark.virtual_clock
    @pytest.mark.rows("WS-13")
    async def test_a_peer_that_does_not_read(self) -> None:
        """A close frame that cannot leave holds nobody up for longer than ws_close, and no socket after it."""

        async def talk(conn: RawConnection) -> None:
            conn.stop_reading()
            conn.send(close())
            await conn.wait_lost()

        async with websocket_server(talk) as server, ClientSession() as session:
            async with session.ws_connect(server.url()) as ws:
                sending = asyncio.ensure_future(ws.send_bytes(bytes(2**24)))
                await turns()
                assert not sending.done()
                assert (await ws.receive()).type is WSMsgType.CLOSE
                assert ws.closed
                with pytest.raises(ClientConnectionResetError):
                    await sending
                carrier = ws._connection._taken
                assert carrier.transport is not None
            await asyncio.sleep(11)
            assert carrier.transport is None


@pytest.mark.virtual_clock
@pytest.mark.rows("S003-60")
class TestHeartbeat:
    async def test_pings_in_silence(self) -> None:
        """After heartbeat seconds of silence a ping goes out; whatever comes is an answer."""
        loop = asyncio.get_running_loop()
        pinged: list[float] = []

        async def talk(conn: RawConnection) -> None:
            start = loop.time()
            for answer in (frame(PONG), frame(TEXT, b"a"), frame(PONG)):
                got = await read_frame(conn)
                assert (got.opcode, got.payload) == (PING, b"")
                pinged.append(round(loop.time() - start, 3))
                await asyncio.sleep(1)
                conn.send(answer)
            await asyncio.sleep(5)
            conn.send(frame(TEXT, b"b"))  # no silence of 10 s: no ping
            await asyncio.sleep(9)
            conn.send(close())
            assert (await read_frame(conn)).opcode == CLOSE

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), heartbeat=10) as ws,
        ):
            assert [message.data async for message in ws] == ["a", "b"]
            assert ws.close_code == 1000
        assert pinged == [10, 21, 32]

    @pytest.mark.parametrize(("pong_timeout", "seconds"), [(None, 15), (3, 13), (30, 40)])
    async def test_no_answer(self, pong_timeout: float | None, seconds: float) -> None:
        """Without an answer in half the time, or pong_timeout, the connection is given up."""
        loop = asyncio.get_running_loop()
        for waits in (True, False):
            async with (
                websocket_server(silent) as server,
                ClientSession() as session,
                session.ws_connect(server.url(), heartbeat=10, pong_timeout=pong_timeout) as ws,
            ):
                start = loop.time()
                if not waits:
                    await asyncio.sleep(100)
                message = await ws.receive()
                if waits:
                    assert loop.time() - start == pytest.approx(seconds)
                assert message.type is WSMsgType.ERROR
                assert isinstance(message.data, ServerTimeoutError)
                assert "heartbeat=10" in str(message.data)
                assert ws.exception() is message.data
                assert ws.close_code == 1006
                assert (await ws.receive()).type is WSMsgType.CLOSED
                assert ws.closed

    async def test_off_by_default(self) -> None:
        """Without heartbeat, or with 0, no ping is sent, and no timer runs."""
        for arguments in ({}, {"heartbeat": None}, {"heartbeat": 0}):
            received = []

            async def talk(conn: RawConnection, received: list[int] = received) -> None:
                await asyncio.sleep(1000)
                conn.send(close())
                received.append((await read_frame(conn)).opcode)

            async with websocket_server(talk) as server, ClientSession() as session:
                async with session.ws_connect(server.url(), **arguments) as ws:
                    assert ws._connection._timer is None
                    await ws.receive()
                while not received:
                    await turns()
            assert received == [CLOSE]

    async def test_a_slow_reader_is_no_dead_peer(self) -> None:
        """While we do not read, for want of a receiver, the peer's silence is not held against it."""

        async def talk(conn: RawConnection) -> None:
            for _ in range(40):
                conn.send(frame(BINARY, bytes(2**16)))
            await asyncio.sleep(105)
            conn.send(close())
            await end(conn)

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), heartbeat=10) as ws,
        ):
            await asyncio.sleep(100)
            count = 0
            async for message in ws:
                assert message.type is WSMsgType.BINARY
                count += 1
            assert count == 40
            assert ws.close_code == 1000

    @pytest.mark.parametrize("tls", [False, True])
    async def test_a_slow_upload(self, tls: bool, certificates: Certificates) -> None:
        """A peer that still takes what was sent before a ping is not given up, however long that lasts."""
        loop = asyncio.get_running_loop()
        size = 2**25
        opened: asyncio.Future[ClientWebSocketResponse] = loop.create_future()

        async def talk(conn: RawConnection) -> None:
            request = await conn.read_request()
            conn.send(switching(request))
            transport = (await opened)._connection._transport
            for _ in range(6):
                conn.stop_reading()
                await asyncio.sleep(4)
                before = send_progress(transport).taken
                conn.start_reading()
                while send_progress(transport).taken == before:
                    await turns()
            assert len((await read_frame(conn)).payload) == size
            assert (await read_frame(conn)).opcode == PING
            conn.send(close())
            await end(conn)

        context = certificates.server_context() if tls else None
        async with RawServer(talk, ssl=context) as server, ClientSession() as session:
            start = loop.time()
            ws = await session.ws_connect(
                server.url(), heartbeat=10, ssl=certificates.client_context() if tls else True
            )
            opened.set_result(ws)
            await ws.send_bytes(bytes(size))
            message = await ws.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1000)
            assert loop.time() - start >= 24

    async def test_an_upload_that_stands_still(self) -> None:
        """A peer that takes nothing of what was sent is given up as one that says nothing."""
        loop = asyncio.get_running_loop()

        async def talk(conn: RawConnection) -> None:
            conn.stop_reading()
            await conn.wait_lost()

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), heartbeat=10) as ws,
        ):
            start = loop.time()
            sending = asyncio.ensure_future(ws.send_bytes(bytes(2**24)))
            message = await ws.receive()
            assert message.type is WSMsgType.ERROR
            # In 15 s, and 5 more for each look that found the systems still filling their buffers.
            assert 15 <= loop.time() - start <= 50
            with pytest.raises(ClientConnectionResetError):
                await sending

    async def test_one_timer(self) -> None:
        """A socket has one timer at most, and it is cancelled with the connection."""
        async with sends() as server, ClientSession() as session:
            async with session.ws_connect(server.url(), heartbeat=10) as ws:
                timer = ws._connection._timer
                assert timer is not None
            assert timer.cancelled()


@pytest.mark.both_loops
class TestBeforeAReset:
    """What the peer sent before a reset is received, although a write of ours fails before it is read."""

    @pytest.mark.parametrize("waits", [True, False])
    @pytest.mark.parametrize("count", [0, 3, 10_000])
    async def test_a_close_frame(self, count: int, waits: bool) -> None:
        """Messages and close frame come in full, more of them than the queue takes, too; a sender gets its error."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            async with ClientSession() as session:
                opening = asyncio.ensure_future(session.ws_connect(address(listener)))
                peer = await shake_hands(listener)
                ws = await opening

                async def receive() -> list[str]:
                    return [message.data async for message in ws]

                receiving = asyncio.ensure_future(receive()) if waits else None
                await turns()
                send_and_reset(peer, frame(TEXT, b"x") * count + close(4001, b"quota"))
                with pytest.raises(ClientConnectionResetError):
                    for _ in range(10_000):
                        await ws.send_str("x")
                assert await (receiving or receive()) == ["x"] * count
                assert (ws.close_code, ws.close_reason, ws.exception()) == (4001, "quota", None)
                assert ws.closed
                assert not ws.closed_by_us

    @pytest.mark.parametrize("count", [0, 3, 10_000])
    async def test_a_violation(self, count: int) -> None:
        """So does a violation of the protocol behind them."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            async with ClientSession() as session:
                opening = asyncio.ensure_future(session.ws_connect(address(listener)))
                peer = await shake_hands(listener)
                ws = await opening
                send_and_reset(peer, frame(TEXT, b"x") * count + frame(3))
                with pytest.raises(ClientConnectionResetError):
                    for _ in range(10_000):
                        await ws.send_str("x")
                got = [message async for message in ws]
                assert [message.type for message in got] == [WSMsgType.TEXT] * count + [
                    WSMsgType.ERROR
                ]
                assert got[-1].data is ws.exception()
                assert ws.close_code == 1002

    async def test_the_policy_hears_of_the_code(self) -> None:
        """A reconnecting WebSocket that a private code ends does not connect again."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            async with ClientSession() as session:
                feed = session.ws_reconnecting(address(listener), heartbeat=None)

                async def iterate() -> None:
                    async for _ in feed.messages():
                        pass

                iterating = asyncio.ensure_future(iterate())
                peer = await shake_hands(listener)
                await feed.wait_open()
                send_and_reset(peer, close(4001))
                with pytest.raises(ClientConnectionResetError):
                    for _ in range(10_000):
                        await feed.send_str("x")
                with pytest.raises(WSReconnectError) as caught:
                    await iterating
                assert isinstance(caught.value.__cause__, WSClosedError)
                assert caught.value.__cause__.code == 4001
                assert feed.statistics().attempts == 1


def address(listener: socket.socket) -> str:
    return f"ws://127.0.0.1:{listener.getsockname()[1]}/"


class TestBackPressure:
    @pytest.mark.both_loops
    @pytest.mark.parametrize("size", [10, 1000, 100_000])
    async def test_a_slow_reader_pauses_the_socket(self, size: int) -> None:
        """What nobody receives stays with the server, but for a bounded queue; nothing is lost."""
        total = 40 * 2**20
        piece = frame(BINARY, bytes(size)) * (2**18 // size)
        count = 2**18 // size * (total // 2**18)
        written = 0

        async def talk(conn: RawConnection) -> None:
            nonlocal written
            for _ in range(total // 2**18):
                conn.send(piece)
                await conn.drain()
                written += len(piece)
            conn.send(close())
            await end(conn)

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            before = -1
            while written != before:
                before = written
                await turns(20)
            assert written < total // 2, "the rest waits in the server"
            queued = sum(len(item) + 64 for item in ws._queue if isinstance(item, bytes))
            assert queued < QUEUE_LIMIT + READ_SIZE * (size + 64) // size, (
                "one read beyond the limit"
            )
            received = 0
            async for message in ws:
                assert len(message.data) == size
                received += 1
                if size == 10 and received == 50_000:
                    ws.close_nowait()  # the other two million need not be seen
                    return
            assert received == count

    @pytest.mark.parametrize("receive", ["receive", "receive_str", "receive_json", "__anext__"])
    async def test_each_way_to_receive_reads_on(self, receive: str) -> None:
        """Whichever way the last message of a full queue is taken, the socket is read again."""

        async def talk(conn: RawConnection) -> None:
            for _ in range(100):
                conn.send(frame(TEXT, b"1" * 100) * 200)
                await conn.drain()
            await end(conn)

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            await turns(20)
            assert ws._connection.paused
            for _ in range(20_000):
                await getattr(ws, receive)()
            assert not ws._connection.paused

    @pytest.mark.both_loops
    async def test_a_slow_peer_suspends_senders(self) -> None:
        """send_*() waits while the peer does not read, and goes on when it does."""

        async def talk(conn: RawConnection) -> None:
            conn.stop_reading()
            await started.wait()
            conn.start_reading()
            await end(conn)

        started = asyncio.Event()
        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            transport = ws.response.connection.transport  # type: ignore[union-attr]
            assert transport is not None

            async def send() -> int:
                for _ in range(200):
                    await ws.send_bytes(bytes(2**16))
                return 200

            tasks = [asyncio.ensure_future(send()) for _ in range(3)]
            await turns(50)
            assert not any(task.done() for task in tasks)
            assert transport.get_write_buffer_size() < 2**19
            started.set()
            assert await asyncio.gather(*tasks) == [200] * 3

    @pytest.mark.both_loops
    async def test_concurrent_senders(self) -> None:
        """Frames of many senders never mix, while the peer reads slowly and senders are cancelled."""
        received: list[bytes] = []

        async def talk(conn: RawConnection) -> None:
            while (got := await read_frame(conn)).opcode != CLOSE:
                received.append(got.payload)
                if len(received) % 5 == 0:
                    conn.stop_reading()
                    await turns(2)
                    conn.start_reading()
            conn.send(close())

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):

            async def send(n: int) -> None:
                for k in range(10):
                    await ws.send_bytes(bytes([n]) * (1 + 7000 * k))

            tasks = [asyncio.ensure_future(send(n)) for n in range(30)]
            await turns(10)
            for task in tasks[::3]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await ws.send_bytes(b"last")
        assert received[-1] == b"last"
        assert all(len(set(payload)) == 1 for payload in received[:-1])
        for n in range(30):
            sizes = [len(payload) for payload in received[:-1] if payload[0] == n]
            assert sizes == [1 + 7000 * k for k in range(len(sizes))]
            assert n % 3 == 0 or len(sizes) == 10


@pytest.mark.both_loops
@pytest.mark.rows("WS-13")
class TestCancellation:
    """Whatever await is cancelled: no slot, socket or task is left, and what was sent is whole."""

    async def test_open_talk_close(self) -> None:
        """A whole life of a WebSocket, cancelled at each of its awaits."""
        problems: list[str] = []

        async def talk(conn: RawConnection) -> None:
            while True:
                got = await read_frame(conn)
                if got.opcode == CLOSE:
                    conn.send(frame(CLOSE, got.payload))
                    return
                if got.opcode not in (TEXT, PING) or set(got.payload) - {ord("x")}:
                    problems.append(repr(got)[:100])
                conn.send(frame(TEXT, got.payload))

        async with websocket_server(talk) as server:

            async def scenario() -> None:
                async with (
                    ClientSession() as session,
                    session.ws_connect(server.url(), heartbeat=10) as ws,
                ):
                    await ws.send_str("x" * 2**20)
                    await ws.receive()
                    await ws.ping(b"x")
                    await ws.receive_str(timeout=50)
                    await ws.close()

            points = await cancel_everywhere(scenario, moments=MOMENTS)
            assert points > 5
        assert not problems

    async def test_a_refused_handshake(self) -> None:
        """A refusal whose body is still coming, cancelled at each await."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nno")
            await turns()
            if not conn.lost:
                conn.send(b"no")
            await conn.closed()

        async with RawServer(script) as server:

            async def scenario() -> None:
                async with ClientSession() as session:
                    with pytest.raises(aiohttp.WSServerHandshakeError):
                        await session.ws_connect(server.url())

            await cancel_everywhere(scenario, moments=MOMENTS)

    async def test_a_send_that_waits(self) -> None:
        """A cancelled send has sent its frame whole, and the next send works."""
        received: list[int] = []
        reading = asyncio.Event()

        async def talk(conn: RawConnection) -> None:
            conn.stop_reading()
            await reading.wait()
            conn.start_reading()
            while (got := await read_frame(conn)).opcode != CLOSE:
                received.append(len(got.payload))
            conn.send(close())

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            sending = asyncio.ensure_future(ws.send_bytes(bytes(2**23)))
            await turns()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            reading.set()
            await ws.send_bytes(b"next")
        assert received == [2**23, 4]

    async def test_a_close_that_waits(self) -> None:
        """A cancelled close closes the connection."""
        async with websocket_server(silent) as server, ClientSession() as session:
            ws = await session.ws_connect(server.url())
            closing = asyncio.ensure_future(ws.close())
            await turns()
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert ws.closed
            assert ws.close_code == 1006
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
            assert await ws.close() is False

    async def test_timeouts_around(self) -> None:
        """asyncio.timeout() around a receive ends it, and takes nothing."""
        async with (
            sends() as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await ws.receive()
            (conn,) = server.scripted_connections
            conn.send(frame(TEXT, b"a"))
            assert await asyncio.wait_for(ws.receive_str(), 10) == "a"


class TestWaking:
    """The task that receives goes on when a message is here, in its own context."""

    @pytest.mark.both_loops
    async def test_in_the_tasks_own_context(self) -> None:
        """A task that is woken by a message sees its own context and is the current task."""
        import contextvars

        name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="none")
        async with (
            sends() as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):

            async def receive() -> tuple[str, str, bool]:
                name.set("receiver")
                text = await ws.receive_str()
                return text, name.get(), asyncio.current_task() is task

            task = asyncio.ensure_future(receive())
            await turns()
            (conn,) = server.scripted_connections
            conn.send(frame(TEXT, b"a"))
            assert await task == ("a", "receiver", True)
            assert name.get() == "none"

    async def test_from_within_a_task(self) -> None:
        """Bytes that are handed over while another task runs wake the receiver in the next round."""
        async with (
            sends() as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            receiving = asyncio.ensure_future(ws.receive_str())
            await turns()
            ws._connection.data_received(frame(TEXT, b"a"))
            assert not receiving.done()
            await turns()
            assert receiving.result() == "a"

    @pytest.mark.both_loops
    async def test_what_the_task_raises(self) -> None:
        """An error of the receiving task is its own, and disturbs nothing else."""
        async with (
            sends() as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):

            async def receive() -> None:
                await ws.receive()
                raise LookupError("mine")

            task = asyncio.ensure_future(receive())
            await turns()
            (conn,) = server.scripted_connections
            conn.send(frame(TEXT, b"a") + frame(TEXT, b"b"))
            with pytest.raises(LookupError, match="mine"):
                await task
            assert await ws.receive_str() == "b"


def test_exports() -> None:
    """The names users need are the package's, and aiohttp's are the same objects."""
    for name in ("ClientWSTimeout", "WSCloseCode", "WSMessage", "WSMsgType", "WSMessageTypeError"):
        assert getattr(aioclient, name) is getattr(aiohttp, name)
    assert aioclient.WSServerHandshakeError is aiohttp.WSServerHandshakeError
    assert aioclient.ClientWebSocketResponse is ClientWebSocketResponse
