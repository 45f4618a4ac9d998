"""NoneBot 2 is the application, over all four transports."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from aiohttp import WSMsgType

from aioclient import ClientSession
from aioclient.onebot import (
    HTTP,
    Bot,
    ChannelMessage,
    Connection,
    GroupMemberIncreaseEvent,
    GroupMessage,
    HTTPWebhook,
    WebSocket,
    WebSocketReverse,
    text,
)

from .platform import BOTS, FORWARD, POSTED, REVERSE, Platform, log_of_the_platform
from .processes import HOST, Process, free_port, running

TOKEN = "s3cret"
PROGRAM = "nonebot_application"
MANY = 10_000


class Places:
    """Where NoneBot and the implementation listen, and the implementation's connections.

    Each transport of events has a bot of its own. NoneBot needs ``http`` for the actions of the webhook's bot.
    """

    def __init__(self, application: int, implementation: int) -> None:
        self.application = application
        self.implementation = implementation

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return NoneBot's settings."""
        address = f"{HOST}:{self.implementation}/"
        return {
            "port": self.application,
            "onebot_v12_access_token": TOKEN,
            "onebot_v12_ws_urls": [f"ws://{address}"],
            "onebot_v12_api_roots": {POSTED.user_id: f"http://{address}"},
            **more,
        }

    def http(self, token: str = TOKEN) -> HTTP:
        return HTTP(access_token=token, host=HOST, port=self.implementation)

    def webhook(self, token: str = TOKEN, **more: Any) -> HTTPWebhook:
        url = f"http://{HOST}:{self.application}/onebot/v12/http"
        return HTTPWebhook(url, access_token=token, bots=[POSTED], **more)

    def forward(self, token: str = TOKEN, **more: Any) -> WebSocket:
        return WebSocket(
            access_token=token, host=HOST, port=self.implementation, bots=[FORWARD], **more
        )

    def reverse(self, token: str = TOKEN, **more: Any) -> WebSocketReverse:
        url = f"ws://{HOST}:{self.application}/onebot/v12/ws"
        return WebSocketReverse(
            url, access_token=token, reconnect_interval=100, bots=[REVERSE], **more
        )

    def all(self, token: str = TOKEN, **more: Any) -> list[Connection]:
        """Return a connection of each kind."""
        events = (self.webhook, self.forward, self.reverse)
        return [self.http(token), *(make(token, **more) for make in events)]


@pytest.fixture
def places() -> Iterator[Places]:
    with free_port() as application, free_port() as implementation:
        yield Places(application, implementation)


async def wait_connected(nonebot: Process, *bots: Bot) -> None:
    for bot in bots:
        report = await nonebot.report("connected", bot=bot.user_id)
        assert (report["impl"], report["platform"]) == ("demo.platform", "qq")


async def check_exchange(platform: Platform, nonebot: Process, *bots: Bot) -> None:
    """Push a message to each bot, and check that its answer is sent, and the result comes back."""
    for bot in bots:
        said = f"hello {bot.user_id} ☀ {len(platform.sent)}"
        await platform.ask(bot, f"say {said}")
        report = await nonebot.report("result", bot=bot.user_id)
        assert report["event"] == "PrivateMessageEvent"
        assert report["result"] == {"message_id": said, "time": 1.5}
        assert platform.sent[-1] == (bot.user_id, "private/42", said)


@pytest.mark.rows("S002-10", "S002-15", "S002-16", "S002-18")
@pytest.mark.parametrize(
    ("use_msgpack", "loop_name"),
    [(False, "asyncio"), (True, "uvloop")],
    ids=["json", "msgpack"],
    indirect=["loop_name"],
)
async def test_exchange(places: Places, use_msgpack: bool) -> None:
    """Events reach the bot by each transport, and its actions come back, with results, errors and bytes."""
    settings = places.settings(onebot_v12_use_msgpack=use_msgpack)
    async with (
        Platform(*places.all()) as platform,
        running(PROGRAM, **settings) as nonebot,
    ):
        await wait_connected(nonebot, *BOTS)
        await check_exchange(platform, nonebot, *BOTS)
        for bot in BOTS:
            user = bot.user_id
            # Many actions run at a time; each answer goes to whom it is for.
            for number in range(50):
                await platform.ask(bot, f"say {number}")
            reports = [await nonebot.report("result", bot=user) for _ in range(50)]
            assert len({report["asked"] for report in reports}) == 50
            for report in reports:
                assert report["asked"] == f"say {report['result']['message_id']}"

            await platform.ask(bot, "upload 100000")
            found = await nonebot.report("result", bot=user)
            assert found["result"] == {"file_id": sha256(bytes(100_000)).hexdigest()}

            await platform.ask(bot, 'call get_version {"_timeout": 20}')
            assert (await nonebot.report("result", bot=user))["result"] == platform.impl_ver
            await platform.ask(bot, "call get_status")
            status = (await nonebot.report("result", bot=user))["result"]
            assert status["good"]
            assert bot.status() in status["bots"]

            for asked, error, retcode in FAILURES:
                await platform.ask(bot, f"call {asked}")
                found = await nonebot.report("failed", bot=user)
                assert (found["error"], found["retcode"]) == (error, retcode)
                assert found["text"]


FAILURES = [
    ("break_down", "DatabaseError", 31001),
    ("fly", "UnsupportedAction", 10002),
    ('send_message {"detail_type": "private", "message": 1}', "BadParam", 10003),
    ('break_down {"how": "soon"}', "UnsupportedParam", 10004),
]


async def test_events(places: Places) -> None:
    """The bot gets events of all types, with what they extend, heartbeats, and changes of the bots' status."""
    conns = places.all(enable_heartbeat=True, heartbeat_interval=300)
    async with Platform(*conns) as platform, running(PROGRAM, **places.settings()) as nonebot:
        await wait_connected(nonebot, *BOTS)
        for bot in BOTS:
            user = bot.user_id
            group = GroupMessage(
                self=bot.self, user_id="42", group_id="g", message=[text("say to all")]
            )
            channel = ChannelMessage(
                self=bot.self, user_id="42", guild_id="h", channel_id="c", message=[text("say it")]
            )
            for event in (group, channel):
                await platform.emit(event)
                report = await nonebot.report("result", bot=user)
                assert report["event"] == type(event).__name__
            assert platform.sent[-2:] == [
                (user, "group/g/42", "to all"),
                (user, "channel/h/c/42", "it"),
            ]

            notice = GroupMemberIncreaseEvent(
                self=bot.self,
                user_id="42",
                group_id="g",
                operator_id="o",
                sub_type="join",
                extra={"qq.nickname": "Ann"},
            )
            poke = {"type": "notice", "detail_type": "qq.poke", "self": bot.to_dict(), "qq.n": 1}
            for event, name, extra in (
                (notice, "GroupMemberIncreaseEvent", {"nickname": "Ann"}),
                (poke, "NoticeEvent", {"n": 1}),
            ):
                await platform.emit(event)
                report = await nonebot.report("event", bot=user, event=name)
                assert report["fields"]["qq"] == extra

            report = await nonebot.report("event", bot=user, event="HeartbeatMetaEvent")
            assert report["fields"]["interval"] == 300

            known = platform.bots[f"qq.{user}"]
            for known.online, expected in ((False, "disconnected"), (True, "connected")):
                await platform.update_status()
                await nonebot.report(expected, bot=user)
        await check_exchange(platform, nonebot, *BOTS)


async def test_wrong_tokens(places: Places) -> None:
    """A wrong token is refused on each transport, by either side, and logged; the rest goes on."""
    async with running(PROGRAM, **places.settings()) as nonebot:
        with log_of_the_platform() as log:
            async with Platform(*places.all("wrong")):
                # Each line says what to look at.
                await log.line("/onebot/v12/http", "answered with 403; is the access_token right?")
                await log.line("/onebot/v12/ws", "403", "is the access_token right?")
                await nonebot.logged("WSServerHandshakeError: 401")
            async with Platform(places.http("wrong"), places.webhook()) as platform:
                await wait_connected(nonebot, POSTED)
                await platform.ask(POSTED, "say hello")
                report = await nonebot.report("failed", bot=POSTED.user_id)
                assert report["error"] == "NetworkError"
                assert "401" in report["text"]
                assert not platform.sent
        async with Platform(*places.all()) as platform:
            await wait_connected(nonebot, REVERSE, FORWARD)
            await check_exchange(platform, nonebot, *BOTS)


async def test_what_nonebot_refuses(places: Places) -> None:
    """NoneBot wants X-Impl (400), the token (403), and the connect event first (1008): ours send them."""
    origin = f"{HOST}:{places.application}/onebot/v12/"
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with running(PROGRAM, **places.settings()) as nonebot, ClientSession() as session:
        await nonebot.report("listening")
        for headers, status, why in (
            (bearer, 400, "Missing X-Impl Header"),
            ({"X-Impl": "qq"}, 403, "Missing Authorization Header"),
            ({"X-Impl": "qq", "Authorization": "Bearer x"}, 403, "Authorization Header is invalid"),
        ):
            async with session.post(f"http://{origin}http", json={}, headers=headers) as response:
                assert (response.status, await response.text()) == (status, why)
        async with session.ws_connect(f"ws://{origin}ws", headers=bearer) as ws:
            await ws.send_json({"id": "1", "type": "notice"})
            message = await ws.receive()
            assert (message.type, message.data, message.extra) == (
                WSMsgType.CLOSE,
                1008,
                "Missing connect meta event",
            )


@pytest.mark.parametrize("loop_name", ["uvloop"], indirect=True)
async def test_nonebot_restarts(places: Places) -> None:
    """NoneBot is killed and started again: the sockets come back, and the events that were posted meanwhile arrive."""
    async with Platform(*places.all()) as platform:
        async with running(PROGRAM, **places.settings()) as nonebot:
            await wait_connected(nonebot, *BOTS)
            await check_exchange(platform, nonebot, *BOTS)
        with log_of_the_platform() as log:
            for number in range(3):
                await platform.ask(POSTED, f"say {number}")
            await log.line("/onebot/v12/http", "trying again")
        async with running(PROGRAM, **places.settings()) as nonebot:
            await wait_connected(nonebot, *BOTS)
            results = [await nonebot.report("result", bot=POSTED.user_id) for _ in range(3)]
            # The bot's handlers run beside each other.
            assert {found["result"]["message_id"] for found in results} == {"0", "1", "2"}
            await check_exchange(platform, nonebot, *BOTS)


async def test_the_implementation_restarts(places: Places) -> None:
    """The implementation ends and starts again: NoneBot is connected again, and its actions arrive."""
    async with running(PROGRAM, **places.settings()) as nonebot:
        async with Platform(*places.all()) as platform:
            await wait_connected(nonebot, *BOTS)
            await check_exchange(platform, nonebot, *BOTS)
        for bot in (REVERSE, FORWARD):
            await nonebot.report("disconnected", bot=bot.user_id)
        async with Platform(*places.all()) as platform:
            await check_exchange(platform, nonebot, POSTED)
            await wait_connected(nonebot, REVERSE, FORWARD)  # NoneBot waits for 3 s
            await check_exchange(platform, nonebot, *BOTS)


@pytest.mark.hang_limit(150)
@pytest.mark.parametrize(
    ("bot", "loop_name"),
    [(POSTED, "asyncio"), (REVERSE, "uvloop"), (FORWARD, "asyncio")],
    ids=["webhook", "reverse", "forward"],
    indirect=["loop_name"],
)
async def test_many_events(places: Places, bot: Bot) -> None:
    """10,000 events at full speed all arrive, in order: emit() returns when there is room."""
    settings = places.settings(quiet=True)
    async with Platform(*places.all()) as platform, running(PROGRAM, **settings) as nonebot:
        await wait_connected(nonebot, bot)
        for number in range(MANY):
            await platform.ask(bot, f"number {number}")
        # Its handler runs later than what the bot does first with the events before.
        await platform.ask(bot, "numbers")
        report = await nonebot.report("result", bot=bot.user_id)
        assert report["result"] == [MANY, True]
