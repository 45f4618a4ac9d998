"""Implementations that play what a test scripts, on ``aiohttp.web``: correct ones, and hostile ones."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from ..servers.app import serve_application

Script = Callable[["Peer"], Awaitable[None]]
Plain = dict[str, Any]

_ids = itertools.count(1)


def bot(user_id: str = "10001", platform: str = "qq") -> Plain:
    """Return ``self`` of an event."""
    return {"platform": platform, "user_id": user_id}


def event(kind: str, **fields: Any) -> Plain:
    """Return an event, plain; *kind* is its type and detail_type."""
    type_, _, detail_type = kind.partition(".")
    plain = {"id": f"e{next(_ids)}", "time": 1.5, "type": type_, "detail_type": detail_type}
    return {**plain, "sub_type": "", **fields}


def private(text: str = "hi", **fields: Any) -> Plain:
    """Return a private message, plain."""
    fields = {"self": bot(), "user_id": "42", "message_id": "m1", "alt_message": text} | fields
    return event("message.private", message=[{"type": "text", "data": {"text": text}}], **fields)


def connect(impl: str = "peer") -> Plain:
    """Return the first event of a WebSocket, plain."""
    return event("meta.connect", version={"impl": impl, "version": "1.0", "onebot_version": "12"})


def status_update(*bots: Plain, good: bool = True) -> Plain:
    """Return a status_update with these bots online, plain."""
    states = [{"self": each, "online": True} for each in bots]
    return event("meta.status_update", status={"good": good, "bots": states})


def ok(request: Plain, data: Any = None) -> Plain:
    """Return the answer of an action that succeeded, plain."""
    answer = {"status": "ok", "retcode": 0, "data": data, "message": ""}
    return answer | ({"echo": request["echo"]} if "echo" in request else {})


def failed(request: Plain, retcode: int, message: str = "no") -> Plain:
    """Return the answer of an action that failed, plain."""
    return ok(request) | {"status": "failed", "retcode": retcode, "message": message}


class Peer:
    """One WebSocket, as the implementation sees it."""

    def __init__(self, ws: Any, index: int) -> None:
        self.ws = ws
        self.index = index

    async def send(self, *plain: Any) -> None:
        """Send these as JSON text."""
        for each in plain:
            await self.ws.send_str(json.dumps(each))

    async def hello(self, *bots: Plain) -> None:
        """Send what every WebSocket begins with."""
        await self.send(connect(), status_update(*(bots or (bot(),))))

    async def request(self) -> Plain:
        """Return the next action; end the script when the WebSocket is closed."""
        message = await self.ws.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise PeerGoneError
        plain: Plain = json.loads(message.data)
        return plain

    async def until_closed(self) -> None:
        """Read until the WebSocket is closed, and drop what comes."""
        while True:
            await self.request()

    async def answering(self, answer: Callable[[Plain], Plain] = ok) -> None:
        """Answer all actions."""
        while True:
            await self.send(answer(await self.request()))

    def lose(self) -> None:
        """Drop the connection."""
        self.ws._req.transport.abort()


class PeerGoneError(Exception):
    """The application closed the WebSocket."""


class WebSocketServer:
    """A forward-WebSocket implementation: its n-th connection runs the n-th script, all later ones the last."""

    def __init__(self, *scripts: Script, statuses: dict[int, int] | None = None) -> None:
        self.scripts = scripts
        self.statuses = statuses or {}
        self.requests: list[web.Request] = []
        self.codes: list[int | None] = []
        self.location = ""  # of the handshakes that are refused
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        index = len(self.requests)
        self.requests.append(request)
        if index in self.statuses:
            headers = {"Location": self.location} if self.location else None
            return web.Response(status=self.statuses[index], headers=headers)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        try:
            await self.scripts[min(index, len(self.scripts) - 1)](Peer(ws, index))
        except (PeerGoneError, ConnectionError):
            pass
        if not ws.closed:
            await ws.close()
        self.codes.append(ws.close_code)
        return ws

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["WebSocketServer"]:
        application = web.Application()
        application.router.add_get("/", self.handle)
        async with serve_application(application) as origin:
            self.url = f"{origin.replace('http', 'ws', 1)}/"
            yield self


@asynccontextmanager
async def websocket(*scripts: Script, **options: Any) -> AsyncIterator[WebSocketServer]:
    """Serve an implementation of these scripts."""
    async with WebSocketServer(*scripts, **options).serving() as server:
        yield server


class HttpServer:
    """An HTTP implementation: each request is answered by what ``answers`` gives, a value or a function."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[Plain] = []
        self.headers: list[Any] = []
        self.cancelled = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        plain: Plain = await request.json()
        self.requests.append(plain)
        self.headers.append(request.headers)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        try:
            if callable(answer):
                answer = answer(plain)
            if asyncio.iscoroutine(answer):
                answer = await answer
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.json_response(answer)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["HttpServer"]:
        application = web.Application(client_max_size=2**24)
        application.router.add_post("/", self.handle)
        async with serve_application(application) as origin:
            self.url = f"{origin}/"
            yield self


@asynccontextmanager
async def http(*answers: Any) -> AsyncIterator[HttpServer]:
    """Serve an implementation of these answers."""
    async with HttpServer(*answers).serving() as server:
        yield server
