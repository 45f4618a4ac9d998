"""Applications as peers of an implementation: what they get, and how they answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientConnectionResetError, WSMsgType, web

from aioclient import ClientSession
from aioclient.onebot import Bot
from aioclient.onebot.implementation import HTTP, Connection, OneBotImpl, WebSocket

HOST = "127.0.0.1"
BOT = Bot("qq", "1")
MESSAGE = {
    "type": "message",
    "detail_type": "private",
    "message_id": "1",
    "message": [],
    "user_id": "2",
    "alt_message": "",
}

Answer = web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]


def no_content() -> web.Response:
    return web.Response(status=204)


class Application:
    """An application that listens: for webhooks at /hook, for reverse WebSockets at /ws.

    Attributes:
        posts: headers and decoded body of each webhook.
        answers: how the next webhooks are answered; 204 when it is empty.
        sockets: the WebSockets, each with the headers of its handshake.
        refuse: the status with which handshakes are refused.
        cookies: what handshakes are answered with.
    """

    def __init__(self) -> None:
        self.posts: list[tuple[Any, Any]] = []
        self.answers: list[Answer] = []
        self.sockets: asyncio.Queue[tuple[Any, web.WebSocketResponse]] = asyncio.Queue()
        self.frames: asyncio.Queue[Any] = asyncio.Queue()
        self.refuse: int | None = None
        self.handshakes = 0
        self.protocols: tuple[str, ...] = ("12.qq",)
        self.cookies: dict[str, str] = {}
        self.port = 0
        self.posted = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._open: set[web.WebSocketResponse] = set()

    @property
    def hook(self) -> str:
        return f"http://{HOST}:{self.port}/hook"

    @property
    def ws(self) -> str:
        return f"ws://{HOST}:{self.port}/ws"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/hook", self._hook)
        app.router.add_get("/ws", self._ws)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.port)
        await site.start()
        self.port = site.port

    async def stop(self) -> None:
        for ws in tuple(self._open):
            await ws.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def wait_posts(self, count: int) -> None:
        while len(self.posts) < count:
            self.posted.clear()
            await self.posted.wait()

    async def _hook(self, request: web.Request) -> web.StreamResponse:
        self.posts.append((request.headers, await request.json()))
        self.posted.set()
        if not self.answers:
            return no_content()
        answer = self.answers.pop(0)
        return answer if isinstance(answer, web.Response) else await answer(request)

    async def _ws(self, request: web.Request) -> web.StreamResponse:
        self.handshakes += 1
        if self.refuse is not None:
            return web.Response(status=self.refuse)
        ws = web.WebSocketResponse(protocols=self.protocols)
        for name, value in self.cookies.items():
            ws.set_cookie(name, value)
        await ws.prepare(request)
        self._open.add(ws)
        self.sockets.put_nowait((request.headers, ws))
        try:
            async for message in ws:
                self.frames.put_nowait(
                    message.json() if message.type is WSMsgType.TEXT else message.data
                )
        except ClientConnectionResetError:
            pass
        finally:
            self._open.discard(ws)
        return ws

    async def next_frame(self) -> Any:
        return await self.frames.get()


@asynccontextmanager
async def application() -> AsyncIterator[Application]:
    app = Application()
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


def make(*conns: Connection, bots: tuple[Bot, ...] = (BOT,), **more: Any) -> OneBotImpl:
    """Return an implementation with the actions echo(text) and fail()."""
    impl = OneBotImpl("qq", "1.0.0", conns, *bots, **more)

    @impl.action("echo")
    async def echo(text: str, bot: Bot) -> dict[str, str]:
        return {"text": text, "bot": bot.user_id}

    return impl


def http(**more: Any) -> HTTP:
    return HTTP(host=HOST, port=0, **more)


def websocket(**more: Any) -> WebSocket:
    return WebSocket(host=HOST, port=0, **{"enable_heartbeat": False, **more})


async def call(
    session: ClientSession, connection: HTTP, action: str, params: Any = None, **more: Any
) -> Any:
    """Post an action as JSON, and return the answer."""
    body = {"action": action, "params": params if params is not None else {}, **more}
    url = f"http://{HOST}:{connection.port}{connection.path}"
    async with session.post(url, json=body) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        return await response.json()
