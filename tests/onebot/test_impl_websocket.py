"""Both WebSockets of the implementation side: OneBot 12, connect, "WebSocket" and "reverse WebSocket"."""

import asyncio
import gc
import json
import logging
import sys
import weakref
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from itertools import pairwise
from typing import Any

import msgpack
import pytest
from aiohttp import ClientConnectionResetError, WSMsgType, web

from aioclient import ClientSession, ClientWebSocketResponse, HandshakeRefusedError
from aioclient.onebot import ActionResponse, Bot
from aioclient.onebot.implementation import (
    Connection,
    OneBotImpl,
    Peer,
    WebSocket,
    WebSocketReverse,
)
from aioclient.onebot.implementation.dispatcher import log
from aioclient.testing import run_virtual

from ..conftest import LOOPS
from ..servers.certificates import Certificates
from .applications import BOT, HOST, MESSAGE, application, make, websocket
from .values import nested

pytestmark = pytest.mark.both_loops


class Client:
    """An application on a forward WebSocket."""

    def __init__(self, ws: ClientWebSocketResponse) -> None:
        self.ws = ws

    async def frame(self) -> Any:
        message = await self.ws.receive()
        if message.type is WSMsgType.BINARY:
            return msgpack.unpackb(message.data)
        assert message.type is WSMsgType.TEXT, message
        return json.loads(message.data)

    async def greeting(self) -> list[str]:
        return [(await self.frame())["detail_type"] for _ in range(2)]

    async def send(self, action: str, params: Any = None, **more: Any) -> None:
        asked = {"action": action, "params": params if params is not None else {}, **more}
        await self.ws.send_str(json.dumps(asked))

    async def call(self, action: str, params: Any = None, **more: Any) -> Any:
        await self.send(action, params, **more)
        return await self.frame()


@asynccontextmanager
async def connected(connection: WebSocket, **more: Any) -> AsyncIterator[Client]:
    """Yield a client of *connection*, after its greeting."""
    url = f"ws://{HOST}:{connection.port}{connection.path}"
    async with ClientSession() as session, session.ws_connect(url, **more) as ws:
        client = Client(ws)
        assert await client.greeting() == ["connect", "status_update"]
        yield client


async def emit(impl: OneBotImpl, *ids: int) -> None:
    for number in ids:
        await impl.emit({**MESSAGE, "message_id": str(number)})


class TestWebSocket:
    """The chapter "WebSocket"."""

    @pytest.mark.rows("S002-18")
    @pytest.mark.parametrize("kind", ["forward", "reverse"])
    def test_configuration(self, kind: str) -> None:
        """Heartbeats are enabled, every 5,000 ms; an interval is more than 0."""

        def new(**more: Any) -> Any:
            return WebSocket(**more) if kind == "forward" else WebSocketReverse("ws://a/", **more)

        assert (new().enable_heartbeat, new().heartbeat_interval) == (True, 5000)
        for wrong in (0, -1):
            with pytest.raises(ValueError, match=f"heartbeat_interval={wrong}; give milliseconds"):
                new(heartbeat_interval=wrong)
            with pytest.raises(ValueError, match="heartbeat_interval"):
                new(enable_heartbeat=False, heartbeat_interval=wrong)
        with pytest.raises(TypeError, match="on_connect must be a function, found str"):
            new(on_connect="f")

    @pytest.mark.rows("S002-18", "SRV-01")
    async def test_the_token(self) -> None:
        """The token is checked before the upgrade: 401, and 403 for a browser where none is needed."""
        open_one, guarded = websocket(), websocket(access_token="t")
        async with make(open_one, guarded), ClientSession() as session:

            async def status(connection: WebSocket, query: str = "", **headers: str) -> int:
                url = f"ws://{HOST}:{connection.port}/{query}"
                try:
                    async with session.ws_connect(url, headers=headers) as ws:
                        assert (await ws.receive_json())["detail_type"] == "connect"
                        return 101
                except HandshakeRefusedError as error:
                    return error.status

            assert await status(guarded) == 401
            assert await status(guarded, Authorization="Bearer x") == 401
            assert await status(guarded, "?access_token=t", Authorization="Bearer x") == 401
            assert await status(guarded, Authorization="Bearer t") == 101
            assert await status(guarded, "?access_token=t") == 101
            assert await status(guarded, "?access_token=t", Origin="https://a.example") == 101
            assert await status(open_one, Origin="https://a.example") == 403
            assert await status(open_one) == 101

    async def test_other_requests(self) -> None:
        """405 for other methods, 404 for other paths, 426 for what is no WebSocket, 400 for half of one."""
        connection = websocket(path="/ws")
        async with make(connection), ClientSession(f"http://{HOST}:{connection.port}/") as session:
            for method, path, headers, status in (
                ("POST", "ws", {}, 405),
                ("POST", "x", {}, 405),
                ("GET", "x", {}, 404),
                ("GET", "ws", {}, 426),
                ("GET", "ws", {"Upgrade": "h2c", "Connection": "Upgrade"}, 426),
                ("GET", "ws", {"Upgrade": "websocket", "Connection": "Upgrade"}, 400),
            ):
                async with session.request(method, path, headers=headers) as response:
                    assert response.status == status
                    assert (response.headers.get("Upgrade") == "websocket") == (status == 426)

    @pytest.mark.rows("S002-18")
    async def test_the_first_frames(self) -> None:
        """meta.connect with the version is the very first one, then the status with all bots of the connection."""
        connection = websocket(bots=[BOT])
        impl = make(connection, bots=(BOT, Bot("qq", "2")))
        url = "ws://{}:{}/"
        async with (
            impl,
            ClientSession() as session,
            session.ws_connect(url.format(HOST, connection.port)) as ws,
        ):
            first, second = await ws.receive_json(), await ws.receive_json()
        assert {name: first[name] for name in ("type", "detail_type", "sub_type", "version")} == {
            "type": "meta",
            "detail_type": "connect",
            "sub_type": "",
            "version": {"impl": "qq", "version": "1.0.0", "onebot_version": "12"},
        }
        assert isinstance(first["id"], str) and isinstance(first["time"], float)
        assert "self" not in first
        assert second["status"] == {"good": True, "bots": [BOT.status()]}

    async def test_events(self) -> None:
        """Each socket gets each event, in order, as text; the events of its bots."""
        everyone, one = websocket(), websocket(bots=[BOT])
        impl = make(everyone, one, bots=(BOT, Bot("qq", "2")))
        async with (
            impl,
            connected(everyone) as first,
            connected(everyone) as second,
            connected(one) as third,
        ):
            for number in range(20):
                bot = {"platform": "qq", "user_id": str(number % 2 + 1)}
                await impl.emit({**MESSAGE, "message_id": str(number), "self": bot})
            for client in (first, second):
                got = [(await client.frame())["message_id"] for _ in range(20)]
                assert got == [str(number) for number in range(20)]
            got = [(await third.frame())["message_id"] for _ in range(10)]
            assert got == [str(number) for number in range(0, 20, 2)]

    async def test_status(self) -> None:
        """update_status() tells each socket."""
        connection = websocket()
        impl = make(connection)
        async with impl, connected(connection) as one, connected(connection) as other:
            impl.is_good = False
            await impl.update_status()
            for client in (one, other):
                frame = await client.frame()
                assert (frame["detail_type"], frame["status"]["good"]) == ("status_update", False)

    @pytest.mark.rows("S002-18")
    async def test_encodings(self) -> None:
        """An action in text is JSON and in binary MessagePack; the answer is of the same kind."""
        connection = websocket()
        async with make(connection), connected(connection) as client:
            asked = {"action": "echo", "params": {"text": "令"}, "echo": "1"}
            answer = {
                "status": "ok",
                "retcode": 0,
                "data": {"text": "令", "bot": "1"},
                "message": "",
                "echo": "1",
            }
            await client.ws.send_json(asked)
            message = await client.ws.receive()
            assert (message.type, json.loads(message.data)) == (WSMsgType.TEXT, answer)
            await client.ws.send_bytes(msgpack.packb(asked))
            message = await client.ws.receive()
            assert (message.type, msgpack.unpackb(message.data)) == (WSMsgType.BINARY, answer)

    @pytest.mark.rows("S002-18", "S002-03")
    async def test_bad_actions(self) -> None:
        """What is no action is answered with 10001, and the socket goes on."""
        connection = websocket()
        async with make(connection), connected(connection) as client:
            for text in (
                "",
                "{",
                "[]",
                "null",
                "NaN",
                "[" * 100_000,
                '{"action": 1}',
                '{"params": {}}',
            ):
                await client.ws.send_str(text)
                answer = await client.frame()
                assert (answer["status"], answer["retcode"]) == ("failed", 10001)
            for data in (b"", b"\xc1", b"\x91" * 1000, msgpack.packb([1]), msgpack.packb({})[:-1]):
                await client.ws.send_bytes(data)
                assert (await client.frame())["retcode"] == 10001
            for action, retcode in (("none", 10002), ("echo", 10003)):
                answer = await client.call(action, echo="e")
                assert (answer["retcode"], answer["echo"]) == (retcode, "e")
            assert (await client.call("echo", {"text": "a"}))["retcode"] == 0

    async def test_only_its_own_actions(self) -> None:
        """get_latest_events is no action of a WebSocket."""
        connection = websocket()
        async with make(connection), connected(connection) as client:
            assert (await client.call("get_latest_events"))["retcode"] == 10002
            supported = (await client.call("get_supported_actions"))["data"]
            assert supported == ["echo", "get_status", "get_supported_actions", "get_version"]

    async def test_any_order(self) -> None:
        """Actions of one socket run at the same time, and are answered as they end."""
        connection = websocket()
        impl = make(connection)
        gates = [asyncio.Event() for _ in range(3)]

        @impl.action("wait")
        async def wait(number: int) -> int:
            await gates[number].wait()
            return number

        async with impl, connected(connection) as client:
            for number in range(3):
                await client.send("wait", {"number": number}, echo=str(number))
            for number in (2, 0, 1):
                gates[number].set()
                answer = await client.frame()
                assert (answer["data"], answer["echo"]) == (number, str(number))

    async def test_tasks(self) -> None:
        """Actions that do not wait are carried out by the task that reads; one that does gets it, and another reads."""
        connection = websocket()
        impl = make(connection)
        gate = asyncio.Event()
        tasks = []

        @impl.action("wait")
        async def wait() -> None:
            tasks.append(asyncio.current_task())
            await gate.wait()
            tasks.append(asyncio.current_task())

        @impl.action("go")
        async def go() -> None:
            tasks.append(asyncio.current_task())

        async with impl, connected(connection) as client:
            await client.call("go")
            await client.send("wait", echo="wait")
            await client.call("go")
            await client.call("go")
            gate.set()
            assert (await client.frame())["echo"] == "wait"
        first, waiting, second, third, waited = tasks
        assert first is waiting is waited
        assert second is third is not first

    async def test_contexts(self) -> None:
        """What an action sets in its context, others do not see."""
        connection = websocket()
        impl = make(connection)
        variable: ContextVar[str] = ContextVar("variable", default="")

        @impl.action("set")
        async def set_it(wait: bool) -> list[str]:
            before = variable.get()
            variable.set("mine")
            if wait:
                await asyncio.sleep(0)
            return [before, variable.get()]

        async with impl, connected(connection) as client:
            for wait in (True, False, True, False):
                answer = await client.call("set", {"wait": wait})
                assert answer["data"] == ["", "mine"]

    async def test_deep_results(self) -> None:
        """A result is as deep as applications read messages: 100 with the answer around it."""
        connection = websocket()
        impl = make(connection)

        @impl.action("nest")
        async def nest(depth: int) -> object:
            return nested(depth)

        async with impl, connected(connection) as client:
            assert (await client.call("nest", {"depth": 99}))["data"] == nested(99)
            assert (await client.call("nest", {"depth": 100}))["retcode"] == 20001

    async def test_a_derived_class(self) -> None:
        """Its run_action() is asked for each action."""
        ran = []

        class Watched(WebSocket):
            async def run_action(self, data: object) -> ActionResponse:
                ran.append(data)
                return await super().run_action(data)

        connection = Watched(host=HOST, port=0, enable_heartbeat=False)
        async with make(connection), connected(connection) as client:
            assert (await client.call("echo", {"text": "a"}))["retcode"] == 0
            assert (await client.call("echo", [1]))["retcode"] == 10001
        assert ran == [
            {"action": "echo", "params": {"text": "a"}},
            {"action": "echo", "params": [1]},
        ]

    async def test_one_that_cancels_itself(self) -> None:
        """It is answered, and so are the others: its task was the one that reads."""
        connection = websocket()
        impl = make(connection)

        @impl.action("cancel")
        async def cancel(wait: bool) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            if wait:
                await asyncio.sleep(0)

        async with impl, connected(connection) as client:
            await client.send("cancel", {"wait": True})  # nobody is left to answer
            assert (await client.call("cancel", {"wait": False}, echo="a"))["echo"] == "a"
            assert (await client.call("echo", {"text": "a"}, echo="b"))["echo"] == "b"

    async def test_one_that_cancels_itself_and_raises(self) -> None:
        """It gets no answer, and the others get theirs."""
        connection = websocket()
        impl = make(connection)

        @impl.action("cancel")
        async def cancel() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            raise asyncio.CancelledError

        async with impl, connected(connection) as client:
            await client.send("cancel")
            assert (await client.call("echo", {"text": "a"}, echo="a"))["echo"] == "a"

    async def test_one_that_is_cancelled_too_late(self) -> None:
        """Who cancels the task of an action that has ended does not end the socket, which the task reads."""
        connection = websocket()
        impl = make(connection)
        tasks: list[asyncio.Task[Any] | None] = []

        @impl.action("note")
        async def note() -> None:
            tasks.append(asyncio.current_task())

        async with impl, connected(connection) as client:
            for number in range(3):
                await client.call("note")
                task = tasks[number]
                assert task is not None
                task.cancel()
            assert (await client.call("echo", {"text": "a"}, echo="a"))["echo"] == "a"

    @pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
    def test_one_that_ends_the_program(self, kind: type[BaseException], loop_name: str) -> None:
        """The event loop raises it once; the end is in order then."""
        connection = websocket()
        impl = make(connection)

        @impl.action("leave")
        async def leave() -> None:
            raise kind("now")

        async def ask() -> None:
            await impl.start()
            try:
                async with connected(connection) as client:
                    await client.send("leave")
                    assert (await client.ws.receive()).type is WSMsgType.CLOSE
            finally:
                await impl.stop()

        with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
            loop = runner.get_loop()
            asking = loop.create_task(ask())
            with pytest.raises(kind, match="now"):
                loop.run_until_complete(asking)
            loop.run_until_complete(impl.stop())
            loop.run_until_complete(asking)

    @pytest.mark.parametrize("waits", [0, 1])
    async def test_what_a_failure_keeps(self, waits: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """What an action had is freed with its answer, and not by the garbage collector, if what it waits for fails."""
        monkeypatch.setattr(log, "disabled", True)  # the tests keep what is logged
        connection = websocket()
        impl = make(connection)
        kept: list[weakref.ref[object]] = []

        def failing() -> asyncio.Future[None]:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            loop.call_soon(future.set_exception, LookupError())
            return future

        @impl.action("fail_later")
        async def fail_later() -> None:
            data = {1}
            kept.append(weakref.ref(data))
            for _ in range(waits):
                await asyncio.sleep(0)
            await failing()

        async with impl, connected(connection) as client:
            gc.disable()
            try:
                assert (await client.call("fail_later"))["retcode"] == 20002
                assert kept[0]() is None
            finally:
                gc.enable()

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 has eager tasks")
    async def test_eager_tasks(self) -> None:
        """A task factory that runs tasks at once changes nothing, also for actions that wait for the same future."""
        connection = websocket()
        impl = make(connection)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        waiting = asyncio.Semaphore(0)

        @impl.action("wait")
        async def wait() -> str:
            waiting.release()
            return await future

        async with impl, connected(connection) as client:
            loop.set_task_factory(asyncio.eager_task_factory)
            asked = json.dumps({"action": "wait", "params": {}}).encode()
            await client.ws.send_frames([(asked, WSMsgType.TEXT)] * 5)
            for _ in range(5):
                await waiting.acquire()
            assert (await client.call("echo", {"text": "a"}, echo="a"))["echo"] == "a"
            future.set_result("done")
            assert [(await client.frame())["data"] for _ in range(5)] == ["done"] * 5
            assert (await client.call("echo", {"text": "a"}, echo="b"))["echo"] == "b"
            loop.set_task_factory(None)

    async def test_turns(self) -> None:
        """After 100 actions others have their turn, however many have arrived."""
        connection = websocket()
        impl = make(connection)
        turn = 0
        turns = []

        @impl.action("note")
        async def note() -> None:
            turns.append(turn)

        async def count_turns() -> None:
            nonlocal turn
            while True:
                turn += 1
                await asyncio.sleep(0)

        async with impl, connected(connection) as client:
            counting = asyncio.create_task(count_turns())
            asked = json.dumps({"action": "note", "params": {}}).encode()
            await client.ws.send_frames([(asked, WSMsgType.TEXT)] * 350)
            for _ in range(350):
                assert (await client.frame())["retcode"] == 0
            counting.cancel()
        assert len(turns) == 350
        assert max(Counter(turns).values()) <= 100

    async def test_at_most_100(self) -> None:
        """While 100 actions run nothing is read; then it goes on."""
        connection = websocket()
        impl = make(connection)
        running, most = 0, 0
        gate = asyncio.Event()
        full = asyncio.Event()

        @impl.action("wait")
        async def wait() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            if running == 100:
                full.set()
            await gate.wait()
            running -= 1

        async with impl, connected(connection) as client:
            for number in range(250):
                await client.send("wait", echo=str(number))
            await full.wait()
            await impl.emit(MESSAGE)
            assert (await client.frame())["type"] == "message"
            gate.set()
            echoes = {(await client.frame())["echo"] for _ in range(250)}
            assert (len(echoes), most) == (250, 100)

    def test_a_time_limit_each(self) -> None:
        """An action that does not end is answered after its limit; others are not affected."""

        async def main() -> None:
            connection = websocket()
            impl = make(connection)

            @impl.action("never")
            async def never() -> None:
                await asyncio.Event().wait()

            async with impl, connected(connection) as client:
                for _ in range(99):
                    await client.send("never")
                assert (await client.call("echo", {"text": "a"}))["retcode"] == 0
                clock = asyncio.get_running_loop().time
                began = clock()
                codes = [(await client.frame())["retcode"] for _ in range(99)]
                assert codes == [20002] * 99
                assert clock() - began == pytest.approx(30, abs=1)
                assert (await client.call("echo", {"text": "a"}))["retcode"] == 0

        run_virtual(main())

    def test_heartbeats(self) -> None:
        """meta.heartbeat comes every interval after the start of the socket, and tells it in milliseconds."""

        async def main() -> list[tuple[float, Any]]:
            connection = websocket(enable_heartbeat=True, heartbeat_interval=2000)
            clock = asyncio.get_running_loop().time
            async with make(connection), connected(connection) as client:
                began = clock()
                return [(clock() - began, await client.frame()) for _ in range(5)]

        beats = run_virtual(main())
        assert [frame["detail_type"] for _, frame in beats] == ["heartbeat"] * 5
        assert [frame["interval"] for _, frame in beats] == [2000] * 5
        assert [when for when, _ in beats] == pytest.approx([0, 2, 4, 6, 8], abs=0.1)

    async def test_a_large_message(self) -> None:
        """A message of 4 MiB is taken; a larger one ends its socket, and no other one."""
        connection = websocket()
        async with make(connection), connected(connection) as client:
            # Another parameter than the action's: the answer is short.
            start, end = '{"action":"get_version","params":{"', '":1}}'
            text = "x" * (4 * 2**20 - len(start) - len(end))
            await client.ws.send_str(start + text + end)
            assert (await client.frame())["retcode"] == 10004
            async with connected(connection) as large:
                # Its close frame may be lost with a connection that has unread bytes.
                with suppress(ClientConnectionResetError):
                    await large.ws.send_str("x" * (4 * 2**20 + 1))
                message = await large.ws.receive()
                assert message.type is not WSMsgType.CLOSE or message.data == 1009
                assert large.ws.closed or large.ws.close_code in (1006, 1009)
            assert (await client.call("echo", {"text": "a"}))["retcode"] == 0

    @pytest.mark.rows("S002-08")
    async def test_tls(self, certificates: Certificates) -> None:
        """With ssl_context= it is wss."""
        ours, theirs = certificates.server_context(), certificates.client_context()
        connection = WebSocket(host="localhost", port=0, ssl_context=ours, enable_heartbeat=False)
        async with make(connection), ClientSession() as session:
            url = f"wss://localhost:{connection.port}/"
            async with session.ws_connect(url, ssl=theirs) as ws:
                assert await Client(ws).greeting() == ["connect", "status_update"]

    async def test_injection(self) -> None:
        """A handler gets the bot and the connection."""
        connection = websocket()
        impl = make(connection)

        @impl.action("who")
        def who(bot: Bot, connection: Connection) -> list[str]:
            return [repr(bot), type(connection).__name__]

        async with impl, connected(connection) as client:
            assert (await client.call("who"))["data"] == ["<Bot qq/1 online>", "WebSocket"]


class TestHooks:
    async def test_forward(self) -> None:
        """on_connect and on_disconnect get the peer; in between it is among the peers."""
        seen: list[tuple[str, Peer]] = []
        gone = asyncio.Event()

        async def joined(peer: Peer) -> None:
            seen.append(("connect", peer))
            await impl.emit(MESSAGE)  # reaches it

        def left(peer: Peer) -> None:
            seen.append(("disconnect", peer))
            gone.set()

        connection = websocket(on_connect=joined, on_disconnect=left)
        impl = make(connection)
        async with impl:
            async with connected(connection, headers={"User-Agent": "bot/1"}) as client:
                assert (await client.frame())["type"] == "message"
                peer = Peer(connection, HOST, "bot/1")
                assert seen == [("connect", peer)]
                assert connection.peers == (peer,)
            await gone.wait()
            assert seen[1:] == [("disconnect", peer)]
            assert connection.peers == ()

    @pytest.mark.parametrize("is_async", [True, False])
    async def test_one_that_raises(self, is_async: bool, caplog: pytest.LogCaptureFixture) -> None:
        """If on_connect raises, the socket is closed with 1011; what either raises is logged with its place."""

        def refuse(peer: Peer) -> Any:
            if is_async:
                return refuse_later()
            raise LookupError("who?")

        async def refuse_later() -> None:
            raise LookupError("who?")

        connection = websocket(on_connect=refuse, on_disconnect=refuse)
        async with make(connection), ClientSession() as session:
            async with session.ws_connect(f"ws://{HOST}:{connection.port}/") as ws:
                assert await Client(ws).greeting() == ["connect", "status_update"]
                message = await ws.receive()
                assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)
            while "on_disconnect" not in caplog.text:
                await asyncio.sleep(0)
        for name in ("on_connect", "on_disconnect"):
            assert f"{HOST}: {name} raised LookupError at {__file__}:" in caplog.text

    def test_one_that_does_not_end(self) -> None:
        """A hook has the time limit of an action."""

        async def main() -> None:
            async def never(peer: Peer) -> None:
                await asyncio.Event().wait()

            connection = websocket(on_connect=never)
            async with make(connection), connected(connection) as client:
                message = await client.ws.receive()
                assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)

        run_virtual(main())

    async def test_reverse(self) -> None:
        """The peer of a reverse WebSocket is its URL, without secrets."""
        seen: list[str] = []
        async with application() as app:
            connection = WebSocketReverse(
                f"{app.ws}?access_token=s3cret",
                on_connect=lambda peer: seen.append(f"connect {peer.address}"),
                on_disconnect=lambda peer: seen.append(f"disconnect {peer.address}"),
            )
            async with make(connection):
                await app.next_frame()
                await app.next_frame()
        url = f"{app.ws}?access_token=***"
        assert seen == [f"connect {url}", f"disconnect {url}"]


class TestWebSocketReverse:
    """The chapter "reverse WebSocket"."""

    @pytest.mark.rows("S002-18")
    def test_configuration(self) -> None:
        """The interval is in milliseconds, 5,000 unless it is given, and more than 0."""
        assert WebSocketReverse("ws://a/").reconnect_interval == 5000
        for wrong in (0, -1):
            with pytest.raises(ValueError, match=f"reconnect_interval={wrong}; give milliseconds"):
                WebSocketReverse("ws://a/", reconnect_interval=wrong)

    @pytest.mark.rows("S002-18", "S002-07")
    @pytest.mark.parametrize("token", [None, "", "t"])
    @pytest.mark.parametrize("protocols", [(), ("12.qq",)])
    async def test_the_handshake(self, token: str | None, protocols: tuple[str, ...]) -> None:
        """It has User-Agent, the subprotocol, and the token if there is one; the peer need not choose a subprotocol."""
        async with application() as app:
            app.protocols = protocols
            async with make(WebSocketReverse(app.ws, access_token=token)):
                headers, _ = await app.sockets.get()
                assert (await app.next_frame())["detail_type"] == "connect"
            assert headers["User-Agent"].startswith("OneBot/12 (qq) aioclient/")
            assert headers["Sec-WebSocket-Protocol"] == "12.qq"
            assert headers.get("Authorization") == ("Bearer t" if token else None)

    @pytest.mark.rows("S002-18")
    async def test_frames(self) -> None:
        """connect, status and events go out, actions in text and binary are answered in kind."""
        async with application() as app:
            impl = make(WebSocketReverse(app.ws))
            async with impl:
                _, ws = await app.sockets.get()
                kinds = [(await app.next_frame())["detail_type"] for _ in range(2)]
                assert kinds == ["connect", "status_update"]
                await impl.emit(MESSAGE)
                assert (await app.next_frame())["type"] == "message"
                asked = {"action": "echo", "params": {"text": "a"}, "echo": "1"}
                await ws.send_json(asked)
                assert (await app.next_frame())["echo"] == "1"
                await ws.send_bytes(msgpack.packb(asked))
                assert msgpack.unpackb(await app.next_frame())["data"]["text"] == "a"
                await ws.send_str("{")
                assert (await app.next_frame())["retcode"] == 10001

    @pytest.mark.rows("S002-18")
    @pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 4000])
    async def test_it_comes_back(self, code: int) -> None:
        """However a socket ends, it is opened again, with connect and status first; events go to the new one."""
        async with application() as app:
            impl = make(WebSocketReverse(app.ws, reconnect_interval=1, enable_heartbeat=False))
            async with impl:
                for number in range(3):
                    _, ws = await app.sockets.get()
                    kinds = [(await app.next_frame())["detail_type"] for _ in range(2)]
                    assert kinds == ["connect", "status_update"]
                    await emit(impl, number)
                    assert (await app.next_frame())["message_id"] == str(number)
                    await ws.close(code=code)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
    async def test_refused(self, status: int, caplog: pytest.LogCaptureFixture) -> None:
        """A refused handshake is tried again, whatever the status; one line in the log hints at the token."""
        async with application() as app:
            app.refuse = status
            connection = WebSocketReverse(
                app.ws, access_token="s3cret", reconnect_interval=1, enable_heartbeat=False
            )
            async with make(connection):
                while app.handshakes < 5:
                    await asyncio.sleep(0)
                app.refuse = None
                await app.sockets.get()
        texts = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
        assert len(texts) == 1
        assert f"{status}" in texts[0] and "trying again every 0.001 s" in texts[0]
        assert ("is the access_token right?" in texts[0]) == (status in (401, 403))
        assert "s3cret" not in caplog.text

    async def test_another_failure(self, caplog: pytest.LogCaptureFixture) -> None:
        """Each kind of failure has its line in the log: a wrong token is seen also if nothing listened before."""
        async with application() as app:
            await app.stop()
            connection = WebSocketReverse(app.ws, reconnect_interval=1, enable_heartbeat=False)
            async with make(connection):
                while not caplog.records:
                    await asyncio.sleep(0)
                app.refuse = 403
                await app.start()
                while app.handshakes < 5:
                    await asyncio.sleep(0)
                await app.stop()
                app.refuse = None
                await app.start()
                await app.sockets.get()
        texts = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
        assert len(texts) == 2
        assert "Connection refused" in texts[0]
        assert "403" in texts[1] and "is the access_token right?" in texts[1]

    @pytest.mark.rows("S002-18")
    def test_the_interval(self) -> None:
        """The attempts are *reconnect_interval* apart, for ever, also if nothing listens."""

        async def main() -> list[float]:
            async with application() as app:
                app.refuse = 503
                clock = asyncio.get_running_loop().time
                times: list[float] = []
                async with make(WebSocketReverse(app.ws, reconnect_interval=3000)):
                    for number in range(200):
                        while app.handshakes <= number:
                            await asyncio.sleep(0.5)
                        times.append(clock())
                return times

        times = run_virtual(main())
        gaps = [later - sooner for sooner, later in pairwise(times)]
        assert gaps == pytest.approx([3.0] * 199, abs=0.6)
        assert times[-1] - times[0] == pytest.approx(597, abs=1)

    async def test_no_redirect(self) -> None:
        """A redirect is not followed: the token must not travel."""
        async with application() as app, application() as other:

            async def redirect(request: web.Request) -> web.Response:
                nonlocal asked
                asked += 1
                return web.Response(status=302, headers={"Location": other.ws})

            asked = 0
            runner = web.ServerRunner(web.Server(redirect, access_log=None))  # type: ignore[arg-type]
            await runner.setup()
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            url = f"ws://{HOST}:{site.port}/"
            async with make(WebSocketReverse(url, access_token="t", reconnect_interval=1)):
                while asked < 3:
                    await asyncio.sleep(0)
            await runner.cleanup()
            assert other.handshakes == app.handshakes == 0

    async def test_no_cookies(self) -> None:
        """Cookies of the application are not sent back to it."""
        async with application() as app:
            app.cookies = {"a": "b"}
            connection = WebSocketReverse(app.ws, reconnect_interval=1, enable_heartbeat=False)
            async with make(connection):
                for _ in range(2):
                    headers, ws = await app.sockets.get()
                    assert "Cookie" not in headers
                    await ws.close()

    async def test_a_large_message(self) -> None:
        """A message of more than 4 MiB ends its socket; the next one takes messages again."""
        async with application() as app:
            connection = WebSocketReverse(app.ws, reconnect_interval=1, enable_heartbeat=False)
            async with make(connection):
                _, large = await app.sockets.get()
                with suppress(ClientConnectionResetError):
                    await large.send_str("x" * (4 * 2**20 + 1))
                _, ws = await app.sockets.get()
                await ws.send_str('{"action":"get_version","params":{},"echo":"1"}')
                while (await app.next_frame()).get("echo") != "1":
                    pass

    async def test_a_socket_that_opens_at_the_end(self) -> None:
        """While actions of the last socket still run, a new one is closed with 1001 at once, and gets no frame."""
        async with application() as app:
            impl = make(WebSocketReverse(app.ws, reconnect_interval=1, enable_heartbeat=False))
            entered, gate = asyncio.Event(), asyncio.Event()

            @impl.action("slow")
            async def slow() -> None:
                entered.set()
                await gate.wait()

            await impl.start()
            _, ws = await app.sockets.get()
            assert [(await app.next_frame())["type"] for _ in range(2)] == ["meta", "meta"]
            await ws.send_str('{"action":"slow","params":{}}')
            await entered.wait()
            await ws.close()
            stopping = asyncio.create_task(impl.stop())
            _, late = await app.sockets.get()
            while not late.closed:
                await asyncio.sleep(0)
            assert late.close_code == 1001
            assert app.frames.empty()
            gate.set()
            await stopping

    async def test_a_restart(self) -> None:
        """It comes back to an application that was away."""
        async with application() as app:
            impl = make(WebSocketReverse(app.ws, reconnect_interval=1, enable_heartbeat=False))
            async with impl:
                await app.sockets.get()
                await app.stop()
                for _ in range(20):
                    await asyncio.sleep(0)
                await emit(impl, 0)  # to nobody
                await app.start()
                await app.sockets.get()

    async def test_before_the_server(self) -> None:
        """The implementation may start before the application."""
        async with application() as app:
            await app.stop()
            async with make(WebSocketReverse(app.ws, reconnect_interval=1)):
                for _ in range(20):
                    await asyncio.sleep(0)
                await app.start()
                await app.sockets.get()

    async def test_several(self) -> None:
        """Several reverse WebSockets, also to one URL, each get the events."""
        async with application() as app:
            impl = make(*(WebSocketReverse(app.ws, enable_heartbeat=False) for _ in range(3)))
            async with impl:
                for _ in range(6):
                    await app.next_frame()
                await emit(impl, 1)
                assert [(await app.next_frame())["message_id"] for _ in range(3)] == ["1"] * 3

    async def test_it_does_not_wait_at_the_end(self) -> None:
        """The end interrupts an attempt, and the wait between attempts."""
        async with application() as app:
            await app.stop()
            async with make(WebSocketReverse(app.ws, reconnect_interval=3_600_000)):
                for _ in range(20):
                    await asyncio.sleep(0)


class TestEnd:
    @pytest.mark.parametrize("kind", ["forward", "reverse"])
    async def test_it_drains(self, kind: str) -> None:
        """At the end what waits is sent, actions that run are answered, and the socket is closed with 1001."""
        async with application() as app:
            connection = websocket() if kind == "forward" else WebSocketReverse(app.ws)
            impl = make(connection)
            entered, gate = asyncio.Event(), asyncio.Event()

            @impl.action("slow")
            async def slow() -> str:
                entered.set()
                await gate.wait()
                return "done"

            asked = json.dumps({"action": "slow", "params": {}, "echo": "1"})
            await impl.start()
            if isinstance(connection, WebSocket):
                async with connected(connection) as client:
                    await client.ws.send_str(asked)
                    await entered.wait()
                    await emit(impl, *range(300))
                    stopping = asyncio.create_task(impl.stop())
                    await asyncio.sleep(0)
                    gate.set()
                    got = [(await client.frame()) for _ in range(301)]
                    message = await client.ws.receive()
                    assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
            else:
                _, ws = await app.sockets.get()
                assert [(await app.next_frame())["type"] for _ in range(2)] == ["meta"] * 2
                await ws.send_str(asked)
                await entered.wait()
                await emit(impl, *range(300))
                stopping = asyncio.create_task(impl.stop())
                await asyncio.sleep(0)
                gate.set()
                got = [await app.next_frame() for _ in range(301)]
                while not ws.closed:
                    await asyncio.sleep(0)
                assert ws.close_code == 1001
            await stopping
        assert [frame["message_id"] for frame in got if "message_id" in frame] == [
            str(number) for number in range(300)
        ]
        assert [frame["data"] for frame in got if "echo" in frame] == ["done"]

    async def test_not_for_ever(self, caplog: pytest.LogCaptureFixture) -> None:
        """Actions that do not end are cancelled after the limit."""
        connection = websocket()
        impl = make(connection, shutdown_timeout=0.01)
        cancelled = asyncio.Event()
        entered = asyncio.Event()

        @impl.action("never")
        async def never() -> None:
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        async with impl, connected(connection) as client:
            await client.send("never")
            await entered.wait()
            await impl.stop()
            assert cancelled.is_set()
        assert "not everything was sent within 0.01 s of the shutdown" in caplog.text

    async def test_an_action_outlives_its_socket(self) -> None:
        """An action that was received is carried out, also if its peer has gone; the end waits for it."""
        done: list[str] = []
        gate, entered, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        connection = websocket(on_disconnect=lambda peer: gone.set())
        impl = make(connection)

        @impl.action("slow")
        async def slow() -> None:
            entered.set()
            await gate.wait()
            done.append("done")

        async with impl:
            async with connected(connection) as client:
                await client.send("slow")
                await entered.wait()
            await gone.wait()
            asyncio.get_running_loop().call_later(0, gate.set)
        assert done == ["done"]
