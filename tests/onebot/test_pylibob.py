"""What a program that is written for pylibob 0.1.1 names and calls: rows S002-01 to S002-18."""

import asyncio
import inspect
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from aioclient import ClientSession, onebot
from aioclient.onebot import (
    HTTP,
    Bot,
    BotSelf,
    ClientConnection,
    Connection,
    HTTPWebhook,
    OneBotImpl,
    ServerConnection,
    WebSocket,
    WebSocketReverse,
)

from ..servers.certificates import Certificates
from .applications import HOST, MESSAGE, application, call, http, make, websocket

EMPTY = inspect.Parameter.empty

# What pylibob's package and its module of connections have; events, segments and errors have their own tests.
NAMES = """
    HTTP HTTPWebhook WebSocket WebSocketReverse Connection ClientConnection ServerConnection OneBotImpl Bot BotSelf
    ChannelCreateEvent ChannelDeleteEvent ChannelMemberDecreaseEvent ChannelMemberIncreaseEvent
    ChannelMessageDeleteEvent ChannelMessageEvent Event FriendDecreaseEvent FriendIncreaseEvent
    GroupMemberDecreaseEvent GroupMemberIncreaseEvent GroupMessageDeleteEvent GroupMessageEvent
    GuildMemberDecreaseEvent GuildMemberIncreaseEvent MessageEvent MetaConnectEvent MetaEvent MetaHeartbeatEvent
    MetaStatusUpdateEvent NoticeEvent PrivateMessageEvent RequestEvent
    Audio File Image Location Mention MentionAll Reply Segment Text Video Voice
    OneBotImplError BadRequest UnsupportedAction BadParam UnsupportedParam UnsupportedSegment BadSegmentData
    UnsupportedSegmentData WhoAmI UnknownSelf BadHandler InternalHandlerError
    ActionResponse Status
"""
SERVER = {"access_token": None, "host": "0.0.0.0", "port": 8080}
HEARTBEAT = {"enable_heartbeat": True, "heartbeat_interval": 5000}

# By position, then by keyword, each with its default.
SIGNATURES: list[tuple[Callable[..., Any], dict[str, Any], dict[str, Any]]] = [
    (Connection, {}, {"access_token": None}),
    (ClientConnection, {"url": EMPTY}, {"access_token": None}),
    (ServerConnection, {}, SERVER),
    (HTTP, {}, {**SERVER, "event_enabled": True, "event_buffer_size": 20}),
    (HTTPWebhook, {"url": EMPTY}, {"access_token": None, "timeout": 5000}),
    (WebSocket, {}, {**SERVER, **HEARTBEAT}),
    (
        WebSocketReverse,
        {"url": EMPTY},
        {"access_token": None, "reconnect_interval": 5000, **HEARTBEAT},
    ),
    (Bot, {"platform": EMPTY, "user_id": EMPTY, "online": True, "extra": None}, {}),
    (BotSelf, {"platform": EMPTY, "user_id": EMPTY}, {}),
    (Connection.run_action, {"self": EMPTY, "data": EMPTY}, {}),
    (Connection.init_connection, {"self": EMPTY}, {}),
    (Connection.emit_event, {"self": EMPTY, "event": EMPTY}, {}),
    (HTTP.action_get_latest_events, {"self": EMPTY, "limit": 0, "timeout": 0}, {}),
    (OneBotImpl.action, {"self": EMPTY, "action": EMPTY}, {}),
    (OneBotImpl.register_action_handler, {"self": EMPTY, "action": EMPTY, "func": EMPTY}, {}),
    (
        OneBotImpl.handle_action,
        {"self": EMPTY, "action": EMPTY, "params": EMPTY, "bot_self": None, "echo": None},
        {},
    ),
    (OneBotImpl.emit, {"self": EMPTY, "event": EMPTY, "conns": None}, {}),
    (OneBotImpl.update_status, {"self": EMPTY}, {}),
    (OneBotImpl.run, {"self": EMPTY}, {}),
    (onebot.OneBotImplError, {"retcode": EMPTY, "data": None, "message": ""}, {}),
    (onebot.BadParam, {"data": None, "message": ""}, {}),
]


class TestNames:
    @pytest.mark.rows("S002-17")
    def test_they_are_there(self) -> None:
        """Each name of pylibob is one of ours."""
        assert set(NAMES.split()) <= set(onebot.__all__)

    @pytest.mark.rows(*(f"S002-{number:02}" for number in range(1, 19)))
    @pytest.mark.parametrize(("function", "positional", "keywords"), SIGNATURES)
    def test_signatures(
        self, function: Callable[..., Any], positional: dict[str, Any], keywords: dict[str, Any]
    ) -> None:
        """pylibob's arguments are taken as there, with its defaults; further ones are optional."""
        ours = inspect.signature(function).parameters
        named = list(ours)
        assert named[: len(positional)] == list(positional)
        for name, default in {**positional, **keywords}.items():
            assert ours[name].default == default
        assert all(ours[name].kind is inspect.Parameter.KEYWORD_ONLY for name in keywords)
        for name in named:
            if name not in {**positional, **keywords}:
                assert ours[name].default is not EMPTY

    @pytest.mark.rows("S002-17")
    def test_of_the_implementation(self) -> None:
        """The bots are positional, the version of the specification is 12."""
        ours = inspect.signature(OneBotImpl).parameters
        assert list(ours)[:5] == ["name", "version", "conns", "bots", "onebot_version"]
        assert ours["bots"].kind is inspect.Parameter.VAR_POSITIONAL
        assert ours["onebot_version"].default == "12"

    @pytest.mark.rows("S002-01", "S002-09", "S002-14", "S002-18")
    def test_attributes(self) -> None:
        """What was given is found again."""
        given: list[tuple[Connection, dict[str, Any]]] = [
            (Connection(access_token="t"), {"access_token": "t"}),
            (
                HTTP(access_token="t", host="::1", port=81, event_buffer_size=5),
                {"access_token": "t", "host": "::1", "port": 81},
            ),
            (HTTPWebhook("http://a/", timeout=7), {"url": "http://a/", "timeout": 7}),
            (
                WebSocket(host="::1", port=81, enable_heartbeat=False, heartbeat_interval=7),
                {"host": "::1", "port": 81, "enable_heartbeat": False, "heartbeat_interval": 7},
            ),
            (
                WebSocketReverse(
                    "ws://a/", reconnect_interval=8, enable_heartbeat=False, heartbeat_interval=7
                ),
                {"reconnect_interval": 8, "enable_heartbeat": False, "heartbeat_interval": 7},
            ),
        ]
        for connection, attributes in given:
            assert {name: getattr(connection, name) for name in attributes} == attributes
        assert HTTP(event_enabled=False).event_queue is None


class TestArguments:
    """Each argument has an effect."""

    @pytest.mark.rows("S002-17", "S002-15", "S002-18")
    async def test_the_version_of_the_specification(self) -> None:
        """onebot_version= is in get_version, in meta.connect, in the fields and in the subprotocol."""
        async with application() as app:
            app.protocols = ("13.qq",)
            poll = http()
            impl = make(poll, HTTPWebhook(app.hook), WebSocketReverse(app.ws), onebot_version="13")
            async with impl, ClientSession() as session:
                answer = await call(session, poll, "get_version")
                assert answer["data"]["onebot_version"] == "13"
                await app.wait_posts(1)
                assert app.posts[0][0]["X-OneBot-Version"] == "13"
                assert app.posts[0][0]["User-Agent"].startswith("OneBot/13 (qq) ")
                headers, ws = await app.sockets.get()
                assert headers["Sec-WebSocket-Protocol"] == ws.ws_protocol == "13.qq"
                assert (await app.next_frame())["version"]["onebot_version"] == "13"

    @pytest.mark.parametrize("wrong", ["", "1 2", "12\r\nX: y", 12, None])
    def test_versions_that_are_none(self, wrong: Any) -> None:
        """A version is a text that a field can have."""
        with pytest.raises((TypeError, ValueError), match="onebot_version"):
            OneBotImpl("qq", "1", [HTTP()], Bot("qq", "1"), onebot_version=wrong)
        with pytest.raises(TypeError, match="version must be a str, found int"):
            OneBotImpl("qq", 1, [HTTP()], Bot("qq", "1"))  # type: ignore[arg-type]

    @pytest.mark.rows("S002-11")
    async def test_a_poll_by_hand(self) -> None:
        """action_get_latest_events() takes *limit*, for programs that call it themselves."""
        poll = http()
        async with make(poll) as impl:
            for number in range(3):
                await impl.emit({**MESSAGE, "message_id": str(number)})
            found = await poll.action_get_latest_events(2)
            assert [event["message_id"] for event in found] == ["0", "1"]
            found = await poll.action_get_latest_events(0, 5)
            assert [event["message_id"] for event in found] == ["2"]
            with pytest.raises(onebot.BadParam, match="limit: expected 0 or more"):
                await poll.action_get_latest_events(-1)

    @pytest.mark.virtual_clock
    @pytest.mark.rows("S002-11")
    async def test_a_poll_by_hand_waits(self) -> None:
        """Without an event it returns none after *timeout* seconds."""
        poll = http()
        async with make(poll):
            clock = asyncio.get_running_loop().time
            began = clock()
            assert await poll.action_get_latest_events(timeout=7) == []
            assert clock() - began == pytest.approx(7, abs=0.1)

    @pytest.mark.rows("S002-08")
    async def test_tls_of_actions(self, certificates: Certificates) -> None:
        """ssl_context= of HTTP serves by TLS."""
        context = certificates.server_context()
        connection = HTTP(host="localhost", port=0, ssl_context=context)
        async with make(connection), ClientSession() as session:
            url = f"https://localhost:{connection.port}/"
            body = {"action": "get_version", "params": {}}
            async with session.post(url, json=body, ssl=certificates.client_context()) as response:
                assert (await response.json())["retcode"] == 0

    async def test_tls_of_a_reverse_socket(self, certificates: Certificates) -> None:
        """ssl_context= of WebSocketReverse verifies the application."""
        async with onebot.WebSocketReceiver(
            host="localhost", port=0, ssl_context=certificates.server_context()
        ) as receiver:
            url = f"wss://localhost:{receiver.port}/"
            good = WebSocketReverse(url, ssl_context=certificates.client_context())
            async with make(good):
                assert (await anext(receiver.events())).detail_type == "connect"

    async def test_a_certificate_that_is_replaced(
        self, certificates: Certificates, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An application whose certificate does not verify is tried again, too."""
        async with onebot.WebSocketReceiver(
            host="localhost", port=0, ssl_context=certificates.server_context()
        ) as receiver:
            context = ssl.create_default_context()
            url = f"wss://localhost:{receiver.port}/"
            reverse = WebSocketReverse(url, ssl_context=context, reconnect_interval=1)
            async with make(reverse):
                while "trying again every 0.001 s" not in caplog.text:
                    await asyncio.sleep(0)
                context.load_verify_locations(certificates.ca_file)
                assert (await anext(receiver.events())).detail_type == "connect"

    @pytest.mark.parametrize("kind", ["webhook", "reverse", "forward", "http"])
    async def test_bots_of_a_connection(self, kind: str) -> None:
        """With bots= a connection has these alone: their events, their status, their actions."""
        one, two = Bot("qq", "1"), Bot("qq", "2")
        async with application() as app, ClientSession() as session:
            connection: Any = {
                "webhook": lambda: HTTPWebhook(app.hook, bots=[two]),
                "reverse": lambda: WebSocketReverse(app.ws, bots=[two], enable_heartbeat=False),
                "forward": lambda: websocket(bots=[two]),
                "http": lambda: http(bots=[two]),
            }[kind]()
            async with make(connection, bots=(one, two)) as impl:
                frames: list[Any] = []
                if kind == "forward":
                    ws = await session.ws_connect(f"ws://{HOST}:{connection.port}/")
                    frames += [await ws.receive_json(), await ws.receive_json()]
                elif kind == "reverse":
                    frames += [await app.next_frame(), await app.next_frame()]
                for bot in (one, two):
                    await impl.emit({**MESSAGE, "message_id": bot.user_id, "self": bot.to_dict()})
                if kind == "forward":
                    frames.append(await ws.receive_json())
                    await ws.close()
                elif kind == "reverse":
                    frames.append(await app.next_frame())
                elif kind == "http":
                    frames += await connection.action_get_latest_events()
            frames += [body for _, body in app.posts]
            messages = [frame["message_id"] for frame in frames if frame["type"] == "message"]
            assert messages == ["2"]
            for frame in frames:
                if frame["detail_type"] == "status_update":
                    assert [bot["self"]["user_id"] for bot in frame["status"]["bots"]] == ["2"]
            asked = {"action": "echo", "params": {"text": ""}}
            assert (await connection.run_action(asked)).data == {"text": "", "bot": "2"}

    @pytest.mark.virtual_clock
    @pytest.mark.rows("S002-18")
    @pytest.mark.parametrize("enabled", [False, True])
    async def test_heartbeats_of_a_reverse_socket(self, enabled: bool) -> None:
        """enable_heartbeat= and heartbeat_interval= are those of a reverse WebSocket, too."""
        async with application() as app:
            connection = WebSocketReverse(app.ws, enable_heartbeat=enabled, heartbeat_interval=2000)
            async with make(connection):
                await asyncio.sleep(5)
        kinds = [frame["detail_type"] for frame in list(app.frames._queue)]  # type: ignore[attr-defined]
        assert kinds == ["connect", "status_update", *(["heartbeat"] * 2 if enabled else [])]
