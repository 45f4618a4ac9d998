"""Peers that mean no good, and loads that are too much: they harm only themselves."""

import asyncio
import base64
import json
import logging
import os
import socket as socket_module
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

import pytest
from aiohttp import WSMsgType, web

from aioclient import ClientSession, ClientWebSocketResponse
from aioclient.onebot import HTTPWebhook, OneBotImpl, WebSocket, WebSocketReverse
from aioclient.onebot.implementation import socket as module
from aioclient.testing import run_virtual

from .applications import HOST, MESSAGE, application, call, http, make, websocket

pytestmark = pytest.mark.both_loops


async def emit(impl: OneBotImpl, first: int, last: int, **more: Any) -> None:
    for number in range(first, last):
        await impl.emit({**MESSAGE, "message_id": str(number), **more})


@asynccontextmanager
async def connected(connection: WebSocket, **more: Any) -> AsyncIterator[ClientWebSocketResponse]:
    """Yield a socket to *connection*, after its greeting."""
    url = f"ws://{HOST}:{connection.port}/"
    async with ClientSession() as session, session.ws_connect(url, **more) as ws:
        yield await greeted(ws)


async def greeted(ws: ClientWebSocketResponse) -> ClientWebSocketResponse:
    assert (await ws.receive_json())["detail_type"] == "connect"
    assert (await ws.receive_json())["detail_type"] == "status_update"
    return ws


class RawSocket:
    """A WebSocket client made of bytes."""

    def __init__(self, connection: WebSocket, receive_buffer: int | None = None) -> None:
        self._connection = connection
        self._receive_buffer = receive_buffer

    async def __aenter__(self) -> Self:
        sock = socket_module.socket()
        if self._receive_buffer is not None:
            sock.setsockopt(socket_module.SOL_SOCKET, socket_module.SO_RCVBUF, self._receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (HOST, self._connection.port))
        self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write(
            f"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self.reader.readexactly(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()
        await asyncio.sleep(0)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def rest(self) -> bytes:
        """Return what comes until the end."""
        with suppress(ConnectionError):
            return await self.reader.read()
        return b""


def masked(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    head = bytes([opcode | (0x80 if final else 0)])
    size = len(payload)
    if size < 126:
        head += bytes([size | 0x80])
    elif size < 2**16:
        head += bytes([126 | 0x80]) + struct.pack("!H", size)
    else:
        head += bytes([127 | 0x80]) + struct.pack("!Q", size)
    return head + bytes(4) + payload


class TestFrames:
    @pytest.mark.parametrize(
        "frames",
        [
            b"\x00" * 100,
            b"\xff" * 100,
            os.urandom(200).replace(b"\x88", b"\x89"),
            masked(0x83, b"x"),
            masked(0x00, b"x"),
            masked(0x01, b"x", final=False) + masked(0x01, b"x"),
            masked(0x81, b"\xff\xfe"),
            masked(0x08, b"\x03"),
            masked(0x08, b"\x00\x00"),
            masked(0x09, b"x" * 126),
            b"\x81\xff" + struct.pack("!Q", 2**63 - 1) + bytes(4),
            b"\x81\xff" + struct.pack("!Q", 2**64 - 1) + bytes(4),
            masked(0x01, bytes(2**20), final=False) * 5,
        ],
    )
    async def test_garbage(self, frames: bytes) -> None:
        """What is no frame, or too large, ends its own socket; the other one and events go on."""
        connection = websocket()
        impl = make(connection)
        async with (
            impl,
            ClientSession() as session,
            session.ws_connect(f"ws://{HOST}:{connection.port}/") as ws,
        ):
            await greeted(ws)
            async with RawSocket(connection) as raw:
                raw.send(frames)
                await raw.rest()
            while len(connection.peers) > 1:
                await asyncio.sleep(0)
            await emit(impl, 0, 3)
            assert [(await ws.receive_json())["message_id"] for _ in range(3)] == ["0", "1", "2"]

    async def test_it_goes_without_a_word(self) -> None:
        """A peer that resets the connection, or goes in the middle of a frame, is gone; nothing is left."""
        connection = websocket()
        impl = make(connection)
        async with impl:
            for data in (
                b"",
                b"\x81",
                masked(0x81, b"x" * 100)[:50],
                masked(0x01, b"{", final=False),
            ):
                async with RawSocket(connection) as raw:
                    raw.send(data)
                await emit(impl, 0, 3)
            while connection.peers:
                await asyncio.sleep(0)

    async def test_many_pings(self) -> None:
        """Pings are answered while actions and events go on."""
        connection = websocket()
        impl = make(connection)
        async with impl, RawSocket(connection) as raw:
            raw.send(masked(0x89, b"x") * 1000 + masked(0x88, struct.pack("!H", 1000)))
            assert (await raw.rest()).count(b"\x8a\x01x") == 1000


class TestLoad:
    async def test_10000_actions(self) -> None:
        """10,000 actions on one socket are all answered, 100 at a time, while another socket works as ever."""
        connection = websocket()
        impl = make(connection)
        most = running = 0

        @impl.action("work")
        async def work(number: int) -> int:
            nonlocal most, running
            running += 1
            most = max(most, running)
            for _ in range(number % 3):
                await asyncio.sleep(0)
            running -= 1
            return number

        async with impl, connected(connection) as busy, connected(connection) as other:

            async def ask() -> None:
                for number in range(10_000):
                    asked = {"action": "work", "params": {"number": number}, "echo": str(number)}
                    await busy.send_str(json.dumps(asked))

            asking = asyncio.create_task(ask())
            for _ in range(20):
                asked = {"action": "echo", "params": {"text": "a"}}
                await other.send_str(json.dumps(asked))
                assert (await other.receive_json())["retcode"] == 0
            answers = [await busy.receive_json() for _ in range(10_000)]
            await asking
        assert {answer["echo"] for answer in answers} == {str(number) for number in range(10_000)}
        assert all(answer["echo"] == str(answer["data"]) for answer in answers)
        assert most <= 100

    async def test_actions_that_never_end(self) -> None:
        """A socket whose actions never end can wait; others, and the end, do not."""
        connection = websocket()
        impl = make(connection, shutdown_timeout=0.05)
        started = 0

        @impl.action("never")
        async def never() -> None:
            nonlocal started
            started += 1
            await asyncio.Event().wait()

        async with impl, connected(connection) as stuck, connected(connection) as other:
            for _ in range(1000):
                await stuck.send_str('{"action":"never","params":{}}')
            while started < 100:
                await asyncio.sleep(0)
            await other.send_str('{"action":"get_version","params":{}}')
            assert (await other.receive_json())["retcode"] == 0
            await emit(impl, 0, 1)
            assert (await stuck.receive_json())["message_id"] == "0"
            assert started == 100
            await impl.stop()

    @pytest.mark.parametrize("kind", ["forward", "reverse", "webhook"])
    @pytest.mark.hang_limit(240)
    async def test_10000_events(self, kind: str) -> None:
        """10,000 events at full speed arrive, each once and in order, with 20 tasks that emit as well as with one."""
        async with application() as app, ClientSession() as session:
            connections = {
                "forward": websocket(),
                "reverse": WebSocketReverse(app.ws, enable_heartbeat=False),
                "webhook": HTTPWebhook(app.hook, timeout=0),
            }
            connection = connections[kind]
            impl = make(connection)
            got: list[Any] = []
            async with impl:
                ws: ClientWebSocketResponse | None = None
                if isinstance(connection, WebSocket):
                    ws = await session.ws_connect(f"ws://{HOST}:{connection.port}/")
                    await greeted(ws)
                elif kind == "reverse":
                    await app.next_frame()
                    await app.next_frame()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(emit(impl, 0, 5000, user_id="one"))
                    for number in range(20):
                        tasks.create_task(
                            emit(impl, number * 250, number * 250 + 250, user_id=f"{number}")
                        )
                    while len(got) < 10_000:
                        if ws is not None:
                            got.append(await ws.receive_json())
                        elif kind == "reverse":
                            got.append(await app.next_frame())
                        else:
                            await app.wait_posts(10_001)
                            got = [body for _, body in app.posts[1:]]
                if ws is not None:
                    await ws.close()
            assert len(got) == 10_000
            for user in ["one", *map(str, range(20))]:
                numbers = [int(body["message_id"]) for body in got if body["user_id"] == user]
                assert numbers == sorted(set(numbers))


class TestSlowReaders:
    async def test_events(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A peer that does not read is cut off after a while; until then and after, others get everything."""
        monkeypatch.setattr(module, "PATIENCE", 0.5)
        connection = websocket()
        impl = make(connection)
        async with (
            impl,
            ClientSession() as session,
            session.ws_connect(f"ws://{HOST}:{connection.port}/") as ws,
            RawSocket(connection, 4096),
        ):
            await greeted(ws)
            got: list[str] = []

            async def read() -> None:
                while len(got) < 5000:
                    got.append((await ws.receive_json())["message_id"])

            reading = asyncio.create_task(read())
            # Enough for the buffers of the system, and for the queue; never too much for the one that reads.
            for first in range(0, 5000, 500):
                await emit(impl, first, first + 500, alt_message="x" * 5000)
                while len(got) < first + 500:
                    await asyncio.sleep(0)
            await reading
            assert got == [str(number) for number in range(5000)]
            while len(connection.peers) > 1:
                await asyncio.sleep(0)
        assert caplog.text.count("did not take 500 messages within 0.5 s, it is cut off") == 1

    async def test_pongs(self) -> None:
        """A peer that pings and does not read: pongs and events wait for room at once, then it gets them all."""
        connection = websocket()
        impl = make(connection)
        ping = masked(0x89, b"x" * 125)
        many = 2**18 // 127 - 10  # after 256 KiB of pongs aiohttp has one wait for room
        async with impl, RawSocket(connection, 4096) as raw:

            async def read_until(end: bytes) -> None:
                tail = b""
                while end not in tail:
                    data = await raw.reader.read(2**16)
                    assert data
                    tail = tail[-len(end) :] + data

            # The event is sent shortly before or after the pong that waits, or in the same turn.
            for turns in range(5):
                raw.send(ping * many + masked(0x89, b"many"))
                await read_until(b"many")
                raw.send(ping * 11 + masked(0x89, b"more"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                await impl.emit({**MESSAGE, "alt_message": "y" * 4_000_000})
                for _ in range(10):
                    await asyncio.sleep(0)
                await read_until(b"more")
            assert connection.peers

    async def test_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A peer that asks and does not read the answers is no longer read from."""
        connection = websocket()
        impl = make(connection, shutdown_timeout=0.05)
        ran = 0

        @impl.action("large")
        def large() -> str:
            nonlocal ran
            ran += 1
            return "x" * 2**20

        async with impl:
            async with RawSocket(connection, 4096) as raw:
                raw.send(masked(0x81, b'{"action":"large","params":{}}') * 5000)
                last = -1
                while last != ran:
                    last = ran
                    for _ in range(200):
                        await asyncio.sleep(0)
                # 64 MiB of answers, those that wait for room, and some in the buffers.
                assert ran < 200
            while connection.peers:
                await asyncio.sleep(0)

    async def test_the_end(self) -> None:
        """A peer that does not read does not hold up the end for longer than its limit."""
        connection = websocket()
        impl = make(connection, shutdown_timeout=0.05)
        async with impl, RawSocket(connection, 4096):
            while not connection.peers:
                await asyncio.sleep(0)
            await emit(impl, 0, 900, alt_message="x" * 50_000)

    async def test_a_reverse_one(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An application that does not read is cut off, and connected to again."""
        monkeypatch.setattr(module, "PATIENCE", 0.05)
        handshakes = 0
        release = asyncio.Event()

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            nonlocal handshakes
            handshakes += 1
            ws = web.WebSocketResponse()
            await ws.prepare(request)
            if handshakes > 1:
                release.set()
            await release.wait()
            return ws

        runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        connection = WebSocketReverse(f"ws://{HOST}:{site.port}/", reconnect_interval=1)
        impl = make(connection, shutdown_timeout=0.05)
        async with impl:
            while not connection.peers:
                await asyncio.sleep(0)
            await emit(impl, 0, 5000, alt_message="x" * 20_000)
            await release.wait()
        await runner.cleanup()
        assert "it is cut off" in caplog.text


class TestHalfOpen:
    def test_a_forward_socket(self) -> None:
        """A peer that answers no pings is given up."""

        async def main() -> None:
            connection = websocket()
            async with make(connection), RawSocket(connection):
                while not connection.peers:
                    await asyncio.sleep(0)
                clock = asyncio.get_running_loop().time
                began = clock()
                while connection.peers:
                    await asyncio.sleep(1)
                assert clock() - began <= 50

        run_virtual(main())

    def test_a_reverse_socket(self) -> None:
        """An application that answers no pings is given up, and connected to again."""

        async def main() -> None:
            count = 0

            async def handle(request: web.BaseRequest) -> web.StreamResponse:
                nonlocal count
                count += 1
                ws = web.WebSocketResponse(autoping=False)
                await ws.prepare(request)
                while (await ws.receive()).type in (WSMsgType.TEXT, WSMsgType.PING):
                    pass
                return ws

            runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=1)
            await runner.setup()
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            url = f"ws://{HOST}:{site.port}/"
            async with make(WebSocketReverse(url, enable_heartbeat=False)):
                clock = asyncio.get_running_loop().time
                began = clock()
                while count < 2:
                    await asyncio.sleep(1)
                # The clock jumps: the system may acknowledge what was sent first only after the ping, which is
                # then waited for once more.
                assert clock() - began <= 75
            await runner.cleanup()

        run_virtual(main())

    def test_a_silent_connection(self) -> None:
        """A connection on which no request comes, or half of one, is closed after 75 s."""

        async def main() -> None:
            connection = http()
            async with make(connection):
                clock = asyncio.get_running_loop().time
                for data in (b"", b"POST / HTTP/1.1\r\nHost:"):
                    reader, writer = await asyncio.open_connection(HOST, connection.port)
                    writer.write(data)
                    began = clock()
                    assert await reader.read() == b""
                    assert clock() - began == pytest.approx(75, abs=2)
                    writer.close()
                    await writer.wait_closed()

        run_virtual(main())


class TestHandlers:
    async def test_nonsense(self, caplog: pytest.LogCaptureFixture) -> None:
        """Whatever a handler returns or raises, the socket and the program go on."""
        connection, other = websocket(), http()
        impl = make(connection, other)

        class Odd:
            def to_dict(self) -> Any:
                raise ValueError("odd")

        outcomes: dict[str, Any] = {
            "odd": Odd(),
            "class": Odd,
            "lambda": lambda: 0,
            "generator": (number for number in range(3)),
            "bad_keys": {1: 2},
            "inf": float("inf"),
            "deep": None,
            "error": ValueError("x"),
            "group": BaseExceptionGroup("x", [ValueError("y")]),
            "stop": StopAsyncIteration(),
            "memory": MemoryError(),
            "recursion": RecursionError(),
            "big": "x" * (5 * 2**20),
        }
        deep: list[Any] = []
        for _ in range(5000):
            deep = [deep]
        outcomes["deep"] = deep

        @impl.action("give")
        async def give(name: str) -> object:
            value = outcomes[name]
            if isinstance(value, BaseException):
                raise value
            return value

        async with (
            impl,
            ClientSession() as session,
            connected(connection) as ws,
        ):
            for name in outcomes:
                asked = {"action": "give", "params": {"name": name}, "echo": name}
                await ws.send_str(json.dumps(asked))
                answers = [await ws.receive_json(), await call(session, other, **asked)]  # type: ignore[arg-type]
                for answer in answers:
                    assert answer["echo"] == name
                    assert answer["retcode"] in (20001, 20002)
            assert not [
                r for r in caplog.records if r.name == "asyncio" and r.levelno > logging.INFO
            ]
