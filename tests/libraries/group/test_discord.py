"""discord.py makes its session itself: it is imported where the name aiohttp means aioclient."""

import asyncio
import io
import json
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

import aioclient
from aioclient import ClientSession

from ...servers.app import serve_application
from ...servers.certificates import Certificates
from .serving import OURS, serving

pytestmark = [
    pytest.mark.both_loops,
    pytest.mark.filterwarnings("ignore:'audioop' is deprecated:DeprecationWarning"),
]

USER = {"id": "1", "username": "bot", "discriminator": "0", "avatar": None}
APPLICATION = {
    "id": "2",
    "name": "a",
    "description": "",
    "icon": None,
    "verify_key": "",
    "bot_public": True,
    "bot_require_code_grant": False,
    "owner": USER,
    "flags": 0,
}
MESSAGE = {
    "id": "8",
    "channel_id": "7",
    "author": USER,
    "content": "hello",
    "type": 0,
    "timestamp": "2026-01-01T00:00:00+00:00",
    "edited_timestamp": None,
    "attachments": [],
    "embeds": [],
    "mentions": [],
    "mention_roles": [],
    "mention_everyone": False,
    "pinned": False,
    "tts": False,
}


def answered(value: object, **more: Any) -> web.Response:
    """Return JSON whose media type has no parameter, as the service's has none."""
    body = json.dumps(value).encode()
    return web.Response(body=body, content_type="application/json", **more)


class Service:
    """As much of Discord's API as a bot needs that says hello."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.posted: dict[str, bytes] = {}
        self.gone = asyncio.Event()
        self.close_code: int | None = None

    def application(self) -> web.Application:
        application = web.Application()
        route = application.router.add_route
        route("GET", "/api/v10/users/@me", self.me)
        route("GET", "/api/v10/oauth2/applications/@me", self.about)
        route("POST", "/api/v10/channels/7/messages", self.post)
        route("GET", "/", self.gateway)
        return application

    async def me(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bot hush":
            return answered({"message": "401: Unauthorized", "code": 0}, status=401)
        return answered(USER, headers={"X-Ratelimit-Bucket": "b"})

    async def about(self, request: web.Request) -> web.Response:
        return answered(APPLICATION)

    async def post(self, request: web.Request) -> web.Response:
        form = await request.post()
        upload = form["files[0]"]
        assert isinstance(upload, web.FileField)
        self.posted[upload.filename] = upload.file.read()
        return answered(MESSAGE)

    async def gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 45_000}})
        ready = {"user": USER, "guilds": [], "session_id": "s", "resume_gateway_url": "ws://none"}
        async for message in socket:
            told = message.json()
            if told["op"] == 1:
                await socket.send_json({"op": 11})
            elif told["op"] == 2:
                self.tokens.append(told["d"]["token"])
                await socket.send_json({"op": 0, "t": "READY", "s": 1, "d": ready})
        self.close_code = socket.close_code
        self.gone.set()
        return socket


class Address(AbstractResolver):
    """Each name leads to one port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.asked: set[str] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.add(host)
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def fresh_imports() -> Iterator[None]:
    """Forget what a test imported, so that the next one imports it over its own aiohttp."""
    aiohttps = sys.modules["aiohttp"]
    yield
    sys.modules["aiohttp"] = aiohttps
    for name in [name for name in sys.modules if name.partition(".")[0] == "discord"]:
        del sys.modules[name]


async def test_bot(certificates: Certificates, fresh_imports: None) -> None:
    """A bot logs in, gets ready at the gateway, sends a file, and says goodbye with its code."""
    sys.modules["aiohttp"] = aioclient
    import discord

    ready = asyncio.Event()

    class Bot(discord.Client):
        async def on_ready(self) -> None:
            ready.set()

    service = Service()
    tls = certificates.server_context("discord.com", "gateway.discord.gg")
    async with serve_application(service.application(), ssl=tls) as origin:
        port = URL(origin).port
        assert port
        address = Address(port)
        context = certificates.client_context()
        stranger = aioclient.TCPConnector(resolver=Address(port), ssl=context)
        async with discord.Client(intents=discord.Intents.none(), connector=stranger) as client:
            with pytest.raises(discord.LoginFailure):
                await client.login("wrong")
        connector = aioclient.TCPConnector(resolver=address, ssl=context)
        bot = Bot(intents=discord.Intents.none(), connector=connector)
        await bot.login("hush")
        running = asyncio.create_task(bot.connect())
        await ready.wait()
        assert bot.user is not None
        assert bot.user.name == "bot"
        sent = await bot.get_partial_messageable(7).send(
            "hello", file=discord.File(io.BytesIO(b"f" * 300_000), "[1].bin")
        )
        assert sent.id == 8
        await bot.close()
        await running
        await service.gone.wait()
    assert service.posted == {"[1].bin": b"f" * 300_000}
    assert service.tokens == ["hush"]
    assert service.close_code == 1000
    # The bot's session used our connector.
    assert address.asked == {"discord.com", "gateway.discord.gg"}
    assert connector.closed


async def test_websockets(fresh_imports: None) -> None:
    """Its class of WebSockets, which derives from aiohttp's, closes with its own code in a session of ours."""
    from discord.gateway import DiscordClientWebSocketResponse, DiscordWebSocket

    service = Service()
    async with (
        serving(service.application()) as origin,
        ClientSession(headers=OURS, ws_response_class=DiscordClientWebSocketResponse) as session,
    ):
        socket = await session.ws_connect(f"{origin}/", max_msg_size=0, autoclose=False)
        assert isinstance(socket, DiscordClientWebSocketResponse)
        gateway = DiscordWebSocket(socket, loop=asyncio.get_running_loop())
        assert (await socket.receive_json())["op"] == gateway.HELLO
        await gateway.send('{"op": 2, "d": {"token": "hush"}}')
        assert (await socket.receive_json())["t"] == "READY"
        await socket.close()
        await service.gone.wait()
    assert service.tokens == ["hush"]
    assert service.close_code == 4000
