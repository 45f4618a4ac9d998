"""AliceBot is the application, as far as its adapter 0.11 can be one.

It does not run with what keeps to OneBot 12, for four reasons:

* It takes a message for an event only if it has ``post_type``, of OneBot 11.
* Its actions have an ``echo`` that is a number, which is answered with 10001, and without echo: it raises KeyError.
* ``event.reply()`` and ``adapter.send()`` raise TypeError before they send anything: they leave out ``bot_self``.
* As a server it looks for the token in its own response, and closes each WebSocket if it has one.

An implementation may add ``post_type``; then events arrive. What fails, fails in AliceBot: its socket goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from aioclient.onebot import PrivateMessage, WebSocket, WebSocketReverse, text

from .platform import FORWARD, Platform, log_of_the_platform
from .processes import HOST, Process, free_port, running

TOKEN = "s3cret"


@pytest.fixture
def port() -> Iterator[int]:
    with free_port() as port:
        yield port


@asynccontextmanager
async def alicebot(port: int, kind: str, token: str = "") -> AsyncIterator[Process]:
    settings = {"adapter_type": kind, "host": HOST, "port": port, "access_token": token}
    async with running("alicebot_application", **settings) as process:
        yield process


async def check(platform: Platform, bot: Process) -> None:
    """Push events, and check which of them arrive, and what becomes of the actions."""
    for said in ("first", "second"):
        await platform.ask(FORWARD, "nobody hears it")
        await platform.emit(
            PrivateMessage(
                self=FORWARD.self,
                user_id="42",
                message=[text(said)],
                extra={"post_type": "message", "message_type": "private"},
            )
        )
        report = await bot.report("event")
        assert report == {"event": "PrivateMessageEvent", "text": said}
        assert "bot_self" in (await bot.report("failed", call="reply"))["error"]
        assert (await bot.report("failed", call="call"))["error"] == "KeyError('echo')"
    assert not platform.sent


async def test_it_connects(port: int) -> None:
    """By WebSocket it shows the token, and events arrive."""
    connected = asyncio.Event()
    connection = WebSocket(
        access_token=TOKEN, host=HOST, port=port, on_connect=lambda peer: connected.set()
    )
    async with Platform(connection) as platform, alicebot(port, "ws", TOKEN) as bot:
        await connected.wait()
        await check(platform, bot)


async def test_a_wrong_token(port: int) -> None:
    """A wrong token is refused before the upgrade."""
    connection = WebSocket(access_token=TOKEN, host=HOST, port=port)
    async with Platform(connection), alicebot(port, "ws", "wrong") as bot:
        await bot.logged("WSServerHandshakeError", "401")
        assert connection.peers == ()


@pytest.mark.parametrize("loop_name", ["uvloop"], indirect=True)
async def test_it_listens(port: int) -> None:
    """By reverse WebSocket events arrive, without a token."""
    connected = asyncio.Event()
    connection = WebSocketReverse(
        f"ws://{HOST}:{port}/onebot/ws",
        reconnect_interval=100,
        on_connect=lambda peer: connected.set(),
    )
    async with Platform(connection) as platform, alicebot(port, "reverse-ws") as bot:
        await connected.wait()
        await check(platform, bot)


@pytest.mark.parametrize("loop_name", ["uvloop"], indirect=True)
async def test_it_refuses_every_token(port: int) -> None:
    """With a token it closes each WebSocket; the log says so."""
    connection = WebSocketReverse(
        f"ws://{HOST}:{port}/onebot/ws", access_token=TOKEN, reconnect_interval=100
    )
    with log_of_the_platform() as log:
        async with Platform(connection), alicebot(port, "reverse-ws", TOKEN):
            await log.line("the WebSocket ended with 1000", "trying again every 0.1 s")
