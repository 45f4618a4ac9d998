"""OneBotImpl: its connections, its actions, its events, and its lifecycle (rows S002)."""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from typing import Annotated, Any

import pytest
from aiohttp import web

from aioclient import ClientSession
from aioclient.onebot import Bot, BotSelf, Event, PrivateMessageEvent, Segment, Text
from aioclient.onebot.errors import OneBotError, PlatformError
from aioclient.onebot.implementation import (
    HTTP,
    ClientConnection,
    Connection,
    HTTPWebhook,
    OneBotImpl,
    ServerConnection,
    WebSocket,
    WebSocketReverse,
)
from aioclient.onebot.implementation.outgoing import Outgoing
from aioclient.onebot.implementation.websocket import WebSocketConnection
from aioclient.testing import cancel_everywhere
from aioclient.testing.leaks import Snapshot

from .applications import BOT, HOST, MESSAGE, application, call, http, make, websocket


class Recording(Connection):
    """A transport of one's own: keeps the events."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.events: list[Event] = []
        self.steps: list[str] = []

    def init_connection(self) -> None:
        self.steps.append(f"init {self.impl.name}")

    async def start(self) -> None:
        self.steps.append("start")

    async def stop(self, limit: float) -> None:
        self.steps.append(f"stop {limit}")

    async def emit_event(self, event: Event) -> None:
        self.events.append(event)


class TestConnection:
    """S002-01 to S002-08: the bases."""

    @pytest.mark.rows("S002-01", "S002-04")
    async def test_order(self) -> None:
        """The constructor, then the implementation is known, then init_connection()."""
        connection = Recording(access_token="t")
        assert (connection.access_token, connection.steps) == ("t", [])
        async with make(connection):
            assert connection.steps == ["init qq", "start"]
        assert connection.steps == ["init qq", "start", "stop 10.0"]
        Connection().init_connection()  # does nothing by itself

    @pytest.mark.rows("S002-02")
    def test_no_implementation(self) -> None:
        """Without an implementation .impl raises ValueError."""
        connection = Connection()
        with pytest.raises(ValueError, match="<Connection> belongs to no OneBotImpl yet"):
            _ = connection.impl
        impl = make(connection)
        assert connection.impl is impl
        with pytest.raises(ValueError, match="belongs to a OneBotImpl already"):
            make(connection)

    @pytest.mark.rows("S002-03")
    @pytest.mark.parametrize(
        ("data", "echo"),
        [
            ([], None),
            ("x", None),
            (None, None),
            (b"", None),
            ({}, None),
            ({"params": {}, "echo": "e"}, "e"),
            ({"action": "", "params": {}, "echo": "e"}, "e"),
            ({"action": "echo", "echo": "e"}, "e"),
            ({"action": "echo", "params": None, "echo": "e"}, "e"),
            ({"action": "echo", "params": [], "echo": "e"}, "e"),
            ({"action": 1, "params": {}, "echo": "e"}, "e"),
            ({"action": "echo", "params": {"text": ""}, "echo": 5}, None),
            ({"action": "echo", "params": {"text": ""}, "self": "me", "echo": "e"}, "e"),
        ],
    )
    async def test_no_action(self, data: object, echo: str | None) -> None:
        """What is no action is answered with 10001, and with its echo."""
        connection = Recording()
        make(connection)
        response = await connection.run_action(data)
        assert (response.status, response.retcode, response.echo) == ("failed", 10001, echo)
        assert response.message

    @pytest.mark.rows("S002-03")
    async def test_an_action(self) -> None:
        """action, params, self and echo reach the handler; the echo comes back, also in a failure."""
        connection = Recording()
        make(connection)
        asked = {"action": "echo", "params": {"text": "a"}, "self": BOT.to_dict(), "echo": "7"}
        response = await connection.run_action(asked)
        assert response.to_dict() == {
            "status": "ok",
            "retcode": 0,
            "data": {"text": "a", "bot": "1"},
            "message": "",
            "echo": "7",
        }
        for wrong, retcode in (
            ({"action": "none"}, 10002),
            ({"params": {"text": 1}}, 10003),
            ({"params": {}}, 10003),
            ({"params": {"text": "a", "more": 1}}, 10004),
            ({"self": {"platform": "qq", "user_id": "9"}}, 10102),
        ):
            response = await connection.run_action({**asked, **wrong})
            assert (response.retcode, response.echo, response.data) == (retcode, "7", None)

    @pytest.mark.rows("S002-05")
    async def test_no_way_to_push(self) -> None:
        """emit_event() of the base raises NotImplementedError."""
        with pytest.raises(NotImplementedError, match="Connection does not say how events are"):
            await Connection().emit_event(PrivateMessageEvent(user_id="1", message=[]))

    @pytest.mark.rows("S002-06")
    @pytest.mark.parametrize(
        ("kind", "good", "bad"),
        [
            (
                ClientConnection,
                ["http://a/", "https://a", "ws://a:1/x", "wss://a"],
                ["ftp://a/", "a"],
            ),
            (HTTPWebhook, ["http://a/", "https://a/"], ["ws://a/", "wss://a/", "//a/", "http://"]),
            (WebSocketReverse, ["ws://a/", "wss://a/"], ["http://a/", "https://a/", "/a"]),
        ],
    )
    def test_urls(self, kind: type[ClientConnection], good: list[str], bad: list[str]) -> None:
        """A connection to a URL takes only its own schemes."""
        for url in good:
            assert kind(url, access_token="t").url == url
        for url in bad:
            with pytest.raises(ValueError, match="give an absolute URL that begins with"):
                kind(url)

    @pytest.mark.rows("S002-06", "SRV-01")
    def test_no_secret_in_a_repr(self) -> None:
        """Neither the token nor a secret in the URL is shown."""
        connections: list[Connection] = [
            HTTPWebhook("http://user:s3cret@a/?access_token=s3cret", access_token="s3cret"),
            WebSocketReverse("ws://a/?access_token=s3cret", access_token="s3cret"),
            HTTP(access_token="s3cret"),
            WebSocket(access_token="s3cret", path="/onebot"),
            Connection(access_token="s3cret"),
        ]
        texts = [repr(connection) for connection in connections]
        assert not [text for text in texts if "s3cret" in text]
        assert texts[2:4] == ["<HTTP 0.0.0.0:8080/>", "<WebSocket 0.0.0.0:8080/onebot>"]
        with pytest.raises(ValueError, match="give an absolute URL") as caught:
            HTTPWebhook("ftp://user:s3cret@a/?access_token=s3cret")
        assert "s3cret" not in str(caught.value)

    @pytest.mark.rows("S002-07")
    def test_user_agent(self) -> None:
        """It names OneBot, the implementation, and this library."""
        connection = HTTPWebhook("http://a/")
        make(connection)
        from aioclient import __version__

        assert connection.ua == f"OneBot/12 (qq) aioclient/{__version__}"

    @pytest.mark.rows("S002-08")
    def test_servers(self) -> None:
        """Host and port have pylibob's defaults; what is no port or path is refused."""
        for kind in (ServerConnection, HTTP, WebSocket):
            connection = kind()
            assert (connection.host, connection.port, connection.path) == ("0.0.0.0", 8080, "/")
        with pytest.raises(ValueError, match="port=65536"):
            HTTP(port=65536)
        with pytest.raises(ValueError, match="path='x'"):
            WebSocket(path="x")
        with pytest.raises(TypeError, match="access_token must be a str"):
            HTTP(access_token=1)  # type: ignore[arg-type]

    @pytest.mark.rows("S002-08")
    async def test_no_answer(self) -> None:
        """A server connection that does not say how it answers says so."""
        connection = ServerConnection()
        with pytest.raises(NotImplementedError, match="ServerConnection does not say"):
            await connection._answer(None)  # type: ignore[arg-type]

    def test_bots_of_a_connection(self) -> None:
        """bots= must be bots of the implementation."""
        with pytest.raises(ValueError, match=r"user_id='9'.* is no bot of the OneBotImpl"):
            make(HTTP(bots=[BotSelf("qq", "9")]))


class TestConstructor:
    @pytest.mark.rows("S002-17")
    def test_arguments(self) -> None:
        """Bots and connections are needed, each once; the name is as OneBot has names."""
        one, two = Bot("qq", "1"), Bot("qq", "2", False)
        impl = OneBotImpl("qq", "1.0.0", [HTTP(), HTTP()], one, two)
        assert (impl.name, impl.version, impl.onebot_version) == ("qq", "1.0.0", "12")
        assert impl.bots == {"qq.1": one, "qq.2": two}
        assert len(impl.conns) == 2
        assert impl.is_good
        with pytest.raises(ValueError, match="needs a bot"):
            OneBotImpl("qq", "1.0.0", [HTTP()])
        with pytest.raises(ValueError, match="needs a connection"):
            OneBotImpl("qq", "1.0.0", [], one)
        with pytest.raises(ValueError, match="listed twice"):
            OneBotImpl("qq", "1.0.0", [HTTP()], one, Bot("qq", "1"))
        connection = HTTP()
        with pytest.raises(ValueError, match="belongs to a OneBotImpl already"):
            OneBotImpl("qq", "1.0.0", [connection, connection], one)
        with pytest.raises(ValueError, match="name 'QQ'"):
            OneBotImpl("QQ", "1.0.0", [HTTP()], one)
        with pytest.raises(ValueError, match="action_timeout=0"):
            make(HTTP(), action_timeout=0)
        with pytest.raises(ValueError, match="shutdown_timeout=-1"):
            make(HTTP(), shutdown_timeout=-1)

    def test_it_cannot_be_made(self) -> None:
        """Connections of an implementation that could not be made may be given to another one."""

        class Failing(Recording):
            def init_connection(self) -> None:
                raise LookupError

        first, failing = Recording(), Failing()
        for last, error in ((HTTP(bots=[BotSelf("qq", "9")]), ValueError), (failing, LookupError)):
            with pytest.raises(error):
                make(first, last)
            with pytest.raises(ValueError, match="belongs to no OneBotImpl yet"):
                _ = first.impl
        with pytest.raises(ValueError, match="belongs to no OneBotImpl yet"):
            _ = failing.impl
        impl = make(first)
        with pytest.raises(ValueError, match="belongs to a OneBotImpl already"):
            make(first)
        assert first.impl is impl

    @pytest.mark.rows("S002-17")
    def test_state(self) -> None:
        """status and impl_ver are what get_status and get_version answer."""
        impl = make(Recording(), bots=(BOT, Bot("qq", "2", False, {"level": 3})))
        impl.is_good = False
        assert impl.status == {
            "good": False,
            "bots": [
                {"self": {"platform": "qq", "user_id": "1"}, "online": True},
                {"self": {"platform": "qq", "user_id": "2"}, "online": False, "qq.level": 3},
            ],
        }
        assert impl.impl_ver == {"impl": "qq", "version": "1.0.0", "onebot_version": "12"}
        assert repr(impl) == "<OneBotImpl qq 1.0.0 not running>"


class TestActions:
    @pytest.mark.rows("S002-17")
    async def test_handlers(self) -> None:
        """Parameters are checked by hint; Annotated names them; the bot and the connection are given."""
        connection = Recording()
        impl = make(connection)
        seen: list[object] = []

        @impl.action("qq.hello")
        def hello(
            a: str, b: Annotated[int, "qq.count"], c: Bot, d: Connection, e: float = 5.0
        ) -> list[Segment]:
            seen.extend([a, b, c, d, e])
            return [Text(a)]

        asked = {"action": "qq.hello", "params": {"a": "x", "qq.count": 2}}
        response = await connection.run_action(asked)
        assert (response.ok, response.data) == (True, [Text("x")])
        assert seen == ["x", 2, BOT, connection, 5.0]
        response = await connection.run_action({"action": "qq.hello", "params": {"a": "x", "b": 2}})
        assert response.retcode == 10003
        response = await impl.handle_action("qq.hello", {"a": "x", "qq.count": 2}, None, "e")
        assert (response.ok, response.echo, seen[-2]) == (True, "e", None)

    @pytest.mark.rows("S002-17")
    def test_registering(self) -> None:
        """The decorator returns the function; a second handler, and one without hints, are refused."""
        impl = make(Recording())

        async def handler(text: str) -> str:
            return text

        assert impl.action("a")(handler) is handler
        assert impl.register_action_handler("b", handler) is handler
        with pytest.raises(ValueError, match="'a' has a handler already"):
            impl.action("a")(handler)
        with pytest.raises(TypeError, match="'text' has no type hint"):
            impl.action("c")(lambda text: text)
        with pytest.raises(ValueError, match="give a name"):
            impl.action("")(handler)

    async def test_which_bot(self) -> None:
        """With several bots an action needs self (10101); unknown ones are 10102; meta actions need none."""
        connection, one = Recording(), Recording(bots=[Bot("qq", "2")])
        make(connection, one, bots=(BOT, Bot("qq", "2"), Bot("b.c", "1")))
        asked = {"action": "echo", "params": {"text": "a"}}

        async def retcode(to: Connection, **more: object) -> int:
            return (await to.run_action({**asked, **more})).retcode

        assert await retcode(connection) == 10101
        assert await retcode(connection, self={"platform": "qq", "user_id": "3"}) == 10102
        assert await retcode(connection, self={"platform": "b", "user_id": "c.1"}) == 10102
        assert await retcode(connection, self={"platform": "b.c", "user_id": "1"}) == 0
        # A connection for one bot needs no self, and does not know the others.
        assert await retcode(one) == 0
        assert await retcode(one, self={"platform": "qq", "user_id": "1"}) == 10102
        for action in ("get_status", "get_version", "get_supported_actions"):
            for self in (None, {"platform": "qq", "user_id": "3"}):
                assert await retcode(connection, action=action, params={}, self=self) == 0

    async def test_handle_action(self) -> None:
        """self may be a BotSelf, a Bot or a mapping."""
        impl = make(Recording(), bots=(BOT, Bot("qq", "2")))
        bots: list[Any] = [BotSelf("qq", "2"), Bot("qq", "2"), {"platform": "qq", "user_id": "2"}]
        for bot in bots:
            response = await impl.handle_action("echo", {"text": ""}, bot)
            assert response.data == {"text": "", "bot": "2"}
        assert (await impl.handle_action("echo", {"text": ""}, {})).retcode == 10102

    async def test_meta_actions(self) -> None:
        """The three are there from the start, tell what the connection has, and can be replaced."""
        connection, one = Recording(), Recording(bots=[BOT])
        impl = make(connection, one, bots=(BOT, Bot("qq", "2")))

        async def ask(to: Connection, action: str, **params: object) -> Any:
            response = await to.run_action({"action": action, "params": params})
            return response.data if response.ok else response.retcode

        assert await ask(connection, "get_version") == impl.impl_ver
        assert await ask(connection, "get_status") == impl.status
        assert [bot["self"] for bot in (await ask(one, "get_status"))["bots"]] == [BOT.to_dict()]
        expected = ["echo", "get_status", "get_supported_actions", "get_version"]
        assert await ask(connection, "get_supported_actions") == expected
        assert await ask(connection, "get_version", more=1) == 10004
        impl.register_action_handler("get_version", lambda: {"impl": "mine"})
        assert await ask(connection, "get_version") == {"impl": "mine"}

    async def test_errors(self) -> None:
        """A OneBotError that a handler raises chooses the answer."""
        impl = make(Recording())

        @impl.action("fail")
        async def fail(retcode: int) -> None:
            raise OneBotError(retcode, {"why": 1}, "no")

        @impl.action("refuse")
        def refuse() -> None:
            raise PlatformError(34001, message="gone")

        response = await impl.handle_action("fail", {"retcode": 60001}, None, "e")
        assert response.to_dict() == {
            "status": "failed",
            "retcode": 60001,
            "data": {"why": 1},
            "message": "no",
            "echo": "e",
        }
        assert (await impl.handle_action("refuse", {})).retcode == 34001

    async def test_what_else_it_raises(self, caplog: pytest.LogCaptureFixture) -> None:
        """Any other exception is 20002, and a line in the log with the place; the application learns only its class."""
        impl = make(Recording())

        class OwnError(Exception):
            pass

        @impl.action("a")
        async def a() -> None:
            await asyncio.sleep(0)
            raise OwnError("s3cret")

        @impl.action("b")
        def b() -> None:
            raise asyncio.CancelledError

        @impl.action("c")
        async def c() -> None:
            raise TimeoutError

        @impl.action("d")
        def d() -> None:
            raise ExceptionGroup("some", [ValueError("x"), OwnError()])

        for action, how in (
            ("a", "raised OwnError"),
            ("b", "was cancelled from within"),
            ("c", "raised TimeoutError"),
            ("d", "raised ExceptionGroup"),
        ):
            caplog.clear()
            response = await impl.handle_action(action, {}, None, "e")
            assert (response.retcode, response.message) == (20002, f"the handler {how}")
            assert response.echo == "e"
            (record,) = caplog.records
            assert record.name == "aioclient.onebot.implementation"
            assert record.levelno == logging.ERROR
            assert record.getMessage().startswith(f"action {action!r} {how} at {__file__}:")
            assert record.exc_info

    @pytest.mark.virtual_clock
    async def test_it_does_not_end(self, caplog: pytest.LogCaptureFixture) -> None:
        """An action has a time limit of its own, 30 s; the log says where it waited."""
        impl = make(Recording())

        @impl.action("never")
        async def never() -> None:
            await asyncio.Event().wait()

        clock = asyncio.get_running_loop().time
        began = clock()
        response = await impl.handle_action("never", {})
        assert (response.retcode, response.message) == (
            20002,
            "the handler did not end within 30 s",
        )
        assert clock() - began == pytest.approx(30.0)
        assert f"at {__file__}:" in caplog.text
        assert "Event().wait()" in caplog.text

    async def test_a_caller_that_is_cancelled(self) -> None:
        """The cancellation of the caller is passed on, and is no answer."""
        impl = make(Recording())
        entered = asyncio.Event()

        @impl.action("never")
        async def never() -> None:
            entered.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(impl.handle_action("never", {}))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class TestEmit:
    async def test_typed_and_plain(self) -> None:
        """An event may be typed or a mapping; what is missing there is added."""
        connection = Recording()
        impl = make(connection)
        event = PrivateMessageEvent(self=BOT.self, user_id="2", message=[Text("hi")])
        async with impl:
            await impl.emit(event)
            await impl.emit({**MESSAGE, "qq.more": 1})
            await impl.emit({"type": "meta", "detail_type": "qq.own"})
        assert connection.events[0] is event
        plain = connection.events[1].to_dict()
        assert plain["self"] == BOT.to_dict()
        assert isinstance(connection.events[1], PrivateMessageEvent)
        assert {**plain, **MESSAGE} == plain
        assert plain["qq.more"] == 1
        assert plain["id"] and plain["time"] and plain["sub_type"] == ""
        assert "self" not in connection.events[2].to_dict()

    async def test_what_is_refused(self) -> None:
        """What is no event, has a wrong self, or cannot be sent is an error of the caller; nothing is pushed."""
        connection = Recording()
        two = make(connection, Recording(bots=[BOT]), bots=(BOT, Bot("qq", "2")))
        async with two:
            for event, text in (
                ({}, "event.type: missing"),
                ({"type": "message"}, "event.detail_type: missing"),
                (MESSAGE, "message.private: self is missing, and there are 2 bots"),
                ({**MESSAGE, "self": {"platform": "qq", "user_id": "9"}}, "is none of the bots"),
                ({**MESSAGE, "self": BOT.to_dict(), "x": float("nan")}, "not a finite number"),
                ({**MESSAGE, "self": BOT.to_dict(), "x": "\ud800"}, "surrogates"),
            ):
                with pytest.raises(ValueError, match=text):
                    await two.emit(event)
            with pytest.raises(TypeError, match="set"):
                await two.emit({**MESSAGE, "self": BOT.to_dict(), "x": {1}})
            with pytest.raises(ValueError, match="is none of the implementation's connections"):
                await two.emit({**MESSAGE, "self": BOT.to_dict()}, [Recording()])
        assert connection.events == []

    async def test_by_which_connections(self) -> None:
        """An event goes by the connections of its bot; conns= chooses among them; meta events go by all."""
        everyone, one, two = Recording(), Recording(bots=[BOT]), Recording(bots=[Bot("qq", "2")])
        impl = make(everyone, one, two, bots=(BOT, Bot("qq", "2")))
        async with impl:
            await impl.emit({**MESSAGE, "self": BOT.to_dict()})
            assert [len(c.events) for c in (everyone, one, two)] == [1, 1, 0]
            await impl.emit({**MESSAGE, "self": BOT.to_dict()}, [two, everyone])
            assert [len(c.events) for c in (everyone, one, two)] == [2, 1, 0]
            await impl.emit({"type": "meta", "detail_type": "qq.x"})
            assert [len(c.events) for c in (everyone, one, two)] == [3, 2, 1]

    async def test_not_running(self) -> None:
        """Before the start and after the end it is an error that says what to do."""
        impl = make(Recording())
        calls: list[Coroutine[Any, Any, None]] = [impl.emit(MESSAGE), impl.update_status()]
        async with impl:
            pass
        for one in [*calls, impl.emit(MESSAGE)]:
            with pytest.raises(RuntimeError, match=r"<OneBotImpl .*> is not running; enter it"):
                await one

    async def test_another_loop(self) -> None:
        """An implementation belongs to the loop in which it runs."""
        impl = make(Recording())
        async with impl:
            with pytest.raises(RuntimeError, match="runs in another event loop"):
                await asyncio.to_thread(asyncio.run, impl.emit(MESSAGE))

    async def test_a_snapshot(self) -> None:
        """Later changes of what was emitted are not sent."""
        event = PrivateMessageEvent(self=BOT.self, user_id="2", message=[], extra={"x": [1]})
        outgoing = Outgoing(event)
        assert outgoing.plain["x"] == [1]
        event.extra["x"].append(2)  # type: ignore[attr-defined]
        assert outgoing.plain["x"] == [1]
        assert b'"x":[1]' in outgoing.body


class TestLifecycle:
    async def test_twice(self) -> None:
        """It cannot be started twice, but again after its end."""
        connection = http()
        impl = make(connection)
        async with impl, ClientSession() as session:
            with pytest.raises(RuntimeError, match="is running already"):
                await impl.start()
            with pytest.raises(RuntimeError, match="is running already"):
                async with impl:
                    pass
            assert (await call(session, connection, "get_version"))["retcode"] == 0
        await impl.stop()  # nothing happens
        async with impl, ClientSession() as session:
            assert (await call(session, connection, "get_version"))["retcode"] == 0

    def test_two_loops(self) -> None:
        """It can run in one loop after another."""
        connection, other = http(), websocket()
        impl = make(connection, other, HTTPWebhook("http://127.0.0.1:9/", timeout=1))

        async def main() -> None:
            async with impl, ClientSession() as session:
                assert (await call(session, connection, "get_version"))["retcode"] == 0
                async with session.ws_connect(f"ws://{HOST}:{other.port}/") as ws:
                    assert (await ws.receive_json())["detail_type"] == "connect"

        impl._shutdown_timeout = 0.0
        asyncio.run(main())
        asyncio.run(main())

    async def test_a_port_that_is_taken(self) -> None:
        """The error is clear, and what had started is stopped."""
        with socket.create_server((HOST, 0)) as taken:
            port = taken.getsockname()[1]
            first, last = Recording(), websocket()
            impl = make(first, last, http(), HTTP(host=HOST, port=port), Recording())
            with pytest.raises(OSError, match=f"cannot listen on {HOST}:{port}"):
                await impl.start()
            assert first.steps == ["init qq", "start", "stop 0.0"]
        impl = make(HTTP(host=HOST, port=port), HTTP(host=HOST, port=port))
        with pytest.raises(
            ValueError, match="is served already; give another path or another port"
        ):
            await impl.start()

    async def test_several_on_one_port(self) -> None:
        """Several connections of several kinds share a port; so do two implementations."""
        async with make(http()) as impl:
            port = impl.conns[0].port  # type: ignore[attr-defined]
        ones = HTTP(host=HOST, port=port), WebSocket(host=HOST, port=port)
        twos = HTTP(host=HOST, port=port, path="/two"), WebSocket(host=HOST, port=port, path="/two")
        async with make(*ones), ClientSession() as session:
            async with make(*twos, bots=(Bot("qq", "2"),)):
                for connection, bot in ((ones[0], "1"), (twos[0], "2")):
                    answer = await call(session, connection, "echo", {"text": "a"})
                    assert answer["data"] == {"text": "a", "bot": bot}
                for path, bot in (("/", "1"), ("/two", "2")):
                    async with session.ws_connect(f"ws://{HOST}:{port}{path}") as ws:
                        await ws.receive_json()
                        status = (await ws.receive_json())["status"]
                        assert status["bots"][0]["self"]["user_id"] == bot
            async with session.post(f"http://{HOST}:{port}/two", json={}) as response:
                assert response.status == 404

    async def test_a_connection_that_fails_to_stop(self, caplog: pytest.LogCaptureFixture) -> None:
        """The others are stopped all the same, and the log has it."""

        class Failing(Recording):
            async def stop(self, limit: float) -> None:
                raise ValueError("stuck")

        last = Recording()
        async with make(Failing(), last):
            pass
        assert last.steps[-1] == "stop 10.0"
        assert "<Failing>: it did not stop in order" in caplog.text

    @pytest.mark.hang_limit(300)
    async def test_cancelled(self) -> None:
        """Cancelled at any await, nothing is left: with all transports, peers, actions and events."""
        async with application() as app:

            async def scenario() -> None:
                server, poll = websocket(), http()
                hook = HTTPWebhook(app.hook)
                reverse = WebSocketReverse(app.ws, enable_heartbeat=False, reconnect_interval=1)
                impl = make(server, poll, hook, reverse)
                async with impl, ClientSession() as session:
                    async with session.ws_connect(f"ws://{HOST}:{server.port}/") as ws:
                        await ws.send_json({"action": "echo", "params": {"text": "a"}})
                        await impl.emit(MESSAGE)
                        for _ in range(4):
                            await ws.receive()
                    await call(session, poll, "get_latest_events", {"timeout": 1})

            before = Snapshot()

            async def nothing_left() -> None:
                # The application's side takes some iterations more.
                assert await before.settle(2000) == []

            points = await cancel_everywhere(scenario, nothing_left, leaks=False)
            assert points > 10


class TestMounting:
    async def test_an_application(self) -> None:
        """Server connections are routes of an application, beside its own; they start and end with it."""
        connection, sockets = HTTP(path="/bot"), WebSocket(path="/bot", enable_heartbeat=False)
        impl = make(connection, sockets)
        app = web.Application()

        async def mine(request: web.Request) -> web.Response:
            return web.Response(text="mine")

        app.router.add_get("/", mine)
        impl.mount(app)
        with pytest.raises(RuntimeError, match="mounted: it runs when its application does"):
            async with impl:
                pass
        with pytest.raises(RuntimeError, match="mounted already"):
            impl.mount(web.Application())
        assert repr(connection) == "<HTTP mounted/bot>"
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        url = f"http://{HOST}:{site.port}/"
        async with ClientSession(url) as session:
            async with session.get("") as response:
                assert await response.text() == "mine"
            async with session.post(
                "bot", json={"action": "get_version", "params": {}}
            ) as response:
                assert (await response.json())["data"]["impl"] == "qq"
            async with session.ws_connect("bot") as ws:
                assert (await ws.receive_json())["detail_type"] == "connect"
                await impl.emit(MESSAGE)
                await ws.receive_json()
                assert (await ws.receive_json())["type"] == "message"
                cleaning = asyncio.create_task(runner.cleanup())
                assert (await ws.receive()).data == 1001
            await cleaning
        with pytest.raises(RuntimeError, match="not running"):
            await impl.emit(MESSAGE)

    async def test_a_running_one(self) -> None:
        """It cannot be mounted while it runs."""
        impl = make(http())
        async with impl:
            with pytest.raises(RuntimeError, match="running already"):
                impl.mount(web.Application())

    async def test_an_application_that_cannot_start(self) -> None:
        """If another part of the application fails to start, it is stopped with the application's cleanup."""
        connection = Recording()
        app = web.Application()
        impl = make(connection)
        impl.mount(app)

        async def fail(app: web.Application) -> None:
            raise LookupError("no database")

        app.on_startup.append(fail)
        runner = web.AppRunner(app)
        with pytest.raises(LookupError):
            await runner.setup()
        await runner.cleanup()
        assert connection.steps == ["init qq", "start", "stop 10.0"]

    async def test_another_kind(self) -> None:
        """Connections that do not listen run with the application, too."""
        connection = Recording()
        app = web.Application()
        make(connection, WebSocketConnection()).mount(app)
        runner = web.AppRunner(app)
        await runner.setup()
        assert connection.steps == ["init qq", "start"]
        await runner.cleanup()
        assert connection.steps == ["init qq", "start", "stop 10.0"]
