"""The application that drives an implementation: bare aiohttp, of neither library.

It checks what it gets: each event once, and the answer to each action.
"""

import asyncio
import contextlib
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web

from benchmarks.onebot.scenarios import PACED, PAUSE, TEXT, Scenario, Transport

LIMIT = 60.0  # seconds for what an implementation is asked for
MESSAGE = {
    "detail_type": "private",
    "message": [{"type": "text", "data": {"text": TEXT}}],
    "user_id": "42",
}


class Application(ABC):
    """What calls actions, and counts events."""

    def __init__(self) -> None:
        self._wanted = 0
        self._got: set[str] = set()
        self._all_here = asyncio.Event()

    @abstractmethod
    async def call(self, action: str, params: dict[str, Any]) -> Any:
        """Call an action, and return the answer's data."""

    def take(self, event: dict[str, Any]) -> None:
        """Count an event."""
        if event["type"] != "message":
            return
        if event["message"] != MESSAGE["message"]:
            raise RuntimeError(f"received {event!r}")
        self._got.add(event["id"])
        if len(self._got) >= self._wanted:
            self._all_here.set()

    async def measure(self, scenario: Scenario, count: int) -> float:
        """Return the seconds of CPU that the implementation needs for each event or action."""
        async with asyncio.timeout(LIMIT):
            work = self._events if scenario.action == "events" else self._actions
            await work(scenario.at_a_time, max(scenario.at_a_time, PACED))  # opens the connections
            before = await self.call("cpu", {})
            await work(scenario.at_a_time, count)
            return float(await self.call("cpu", {}) - before) / count

    async def _events(self, at_a_time: int, count: int) -> None:
        batch, pause = (PACED, PAUSE) if at_a_time == 1 else (at_a_time, 0.0)
        for _ in range(count // batch):
            self._got.clear()
            self._all_here.clear()
            self._wanted = batch
            await self.call("push", {"count": batch, "pause": pause})
            await self._all_here.wait()

    async def _actions(self, at_a_time: int, count: int) -> None:
        async def some() -> None:
            for _ in range(count // at_a_time):
                data = await self.call("send_message", MESSAGE)
                if data["message_id"] != "private-42":
                    raise RuntimeError(f"received {data!r}")

        await asyncio.gather(*(some() for _ in range(at_a_time)))


def checked(answer: dict[str, Any]) -> Any:
    """Return the data of an answer.

    Raises:
        RuntimeError: the action failed.
    """
    if answer["status"] != "ok":
        raise RuntimeError(f"received {answer!r}")
    return answer["data"]


class ByHttp(Application):
    """Posts actions, and takes webhooks."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        super().__init__()
        self._session = session
        self._url = url

    async def call(self, action: str, params: dict[str, Any]) -> Any:
        """Post an action."""
        body = {"action": action, "params": params}
        async with self._session.post(self._url, json=body) as response:
            return checked(await response.json())

    async def hook(self, request: web.Request) -> web.Response:
        """Take an event."""
        self.take(await request.json())
        return web.Response(status=204)


class BySocket(Application):
    """Sends actions on a WebSocket, whoever opened it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_open = asyncio.Event()
        self._websocket: Any = None
        self._echoes = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def call(self, action: str, params: dict[str, Any]) -> Any:
        """Send an action."""
        echo = str(next(self._echoes))
        answer = self._waiting[echo] = asyncio.get_running_loop().create_future()
        body = {"action": action, "params": params, "echo": echo}
        await self._websocket.send_str(json.dumps(body))
        return checked(await answer)

    async def read(self, websocket: Any) -> None:
        """Read until the WebSocket is closed."""
        self._websocket = websocket
        self.is_open.set()
        async for message in websocket:
            data = json.loads(message.data)
            if "type" in data:
                self.take(data)
            else:
                self._waiting.pop(data["echo"]).set_result(data)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Read from a reverse WebSocket."""
        websocket = web.WebSocketResponse(protocols=("12.qq",))
        await websocket.prepare(request)
        await self.read(websocket)
        return websocket


@contextlib.asynccontextmanager
async def application(transport: Transport, port: int, own_port: int) -> AsyncIterator[Application]:
    """Talk to the implementation at *port*, or listen for it at *own_port*, for the time of the block."""
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        contextlib.AsyncExitStack() as stack,
    ):
        if transport == "websocket":
            by_socket = BySocket()
            websocket = await session.ws_connect(f"ws://127.0.0.1:{port}/")
            reading = asyncio.create_task(by_socket.read(websocket))
            stack.push_async_callback(asyncio.wait, [reading])
            stack.push_async_callback(websocket.close)
            await by_socket.is_open.wait()
            yield by_socket
        elif transport == "reverse":
            by_socket = BySocket()
            await stack.enter_async_context(_serving("GET", by_socket.serve, own_port))
            await by_socket.is_open.wait()
            yield by_socket
        else:
            by_http = ByHttp(session, f"http://127.0.0.1:{port}/")
            if transport == "webhook":
                await stack.enter_async_context(_serving("POST", by_http.hook, own_port))
            yield by_http


@contextlib.asynccontextmanager
async def _serving(method: str, handler: Any, port: int) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route(method, "/", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        yield
    finally:
        await runner.cleanup()
