"""A server in a thread of its own, for tests that block theirs."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from aioclient.sync import Session
from aioclient.sync.portal import PORTAL

ASKED = web.AppKey("asked", threading.Event)


async def echo(request: web.Request) -> web.Response:
    """Answer with what arrived, as JSON."""
    return web.json_response(
        {
            "method": request.method,
            "path": request.path,
            "query": list(request.query.items()),
            "headers": dict(request.headers),
            "cookies": dict(request.cookies),
            "body": (await request.read()).decode("latin-1"),
        }
    )


async def form(request: web.Request) -> web.Response:
    """Answer with the parts of a form."""
    parts = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            parts[name] = [value.filename, value.content_type, value.file.read().decode()]
        else:
            parts[name] = value
    return web.json_response(parts)


async def set_cookie(request: web.Request) -> web.Response:
    """Set the cookies of the query, and send the client on."""
    response = web.HTTPFound("/echo")
    for name, value in request.query.items():
        response.set_cookie(name, value)
    raise response


async def moved(request: web.Request) -> web.Response:
    """Redirect with ?status= to ?to=, when the request is here."""
    await request.read()
    return web.Response(
        status=int(request.query["status"]), headers={"Location": request.query["to"]}
    )


async def status(request: web.Request) -> web.Response:
    """Answer with ?code=."""
    return web.json_response({"why": "so"}, status=int(request.query["code"]))


async def lines(request: web.Request) -> web.StreamResponse:
    """Send lines, each in a chunk of its own, whose ends are cut in the middle."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await response.prepare(request)
    for piece in (b"one\r", b"\ntw", b"o\n", "dr\u00e9i".encode()):
        await response.write(piece)
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    """Send without an end."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65536)


async def repeating(request: web.Request) -> web.StreamResponse:
    """Send the head at once, and then each piece of the request's body as it comes."""
    response = web.StreamResponse()
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    return response


async def never(request: web.Request) -> web.Response:
    """Say that it was asked, and do not answer."""
    request.app[ASKED].set()
    await asyncio.Event().wait()
    raise AssertionError


async def zipped(request: web.Request) -> web.Response:
    """Answer compressed."""
    response = web.json_response({"a": 1})
    response.enable_compression(web.ContentCoding.gzip)
    return response


async def chat(request: web.Request) -> web.WebSocketResponse:
    """Repeat each message, and close after ``bye``."""
    ws = web.WebSocketResponse(protocols=("chat",))
    await ws.prepare(request)
    async for message in ws:
        if message.type is web.WSMsgType.BINARY:
            await ws.send_bytes(message.data)
        else:
            await ws.send_str(message.data)
        if message.data == "bye":
            await ws.close(code=4000)
    return ws


def application() -> web.Application:
    app = web.Application(client_max_size=2**26)
    app[ASKED] = threading.Event()
    for handler in (
        echo,
        form,
        set_cookie,
        moved,
        status,
        lines,
        endless,
        repeating,
        never,
        zipped,
        chat,
    ):
        app.router.add_route("*", f"/{handler.__name__}", handler)
    app.router.add_route("*", "/v1/{rest:.*}", echo)
    return app


class Server:
    """An aiohttp.web application in a thread; ``url`` is where it is, by the name localhost."""

    def __init__(self, ssl_context: Any = None) -> None:
        self.app = application()
        self.asked: threading.Event = self.app[ASKED]
        self._loop = asyncio.new_event_loop()
        self._runner = web.AppRunner(self.app, shutdown_timeout=0, handler_cancellation=True)
        port = self._loop.run_until_complete(self._start(ssl_context))
        self.origin = f"http{'s' if ssl_context else ''}://127.0.0.1:{port}"
        self.url = f"http{'s' if ssl_context else ''}://localhost:{port}"
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    async def _start(self, ssl_context: Any) -> int:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=ssl_context).start()
        return int(self._runner.addresses[0][1])

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._runner.server.connections)  # type: ignore[union-attr]

    async def _end(self) -> None:
        """Wait until the clients' ends were read, those of connections that were just accepted too, and stop."""
        for _ in range(20):
            await asyncio.sleep(0)
        while self._runner.server is not None and self._runner.server.connections:
            await asyncio.sleep(0)
        await self._runner.cleanup()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


@pytest.fixture(scope="package", autouse=True)
def portal() -> None:
    """Start the thread of all blocking sessions before a test looks for what is left."""
    Session().close()
    PORTAL.run(asyncio.sleep(0))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as session:
        yield session


def sent(response: Any) -> Any:
    """Return what the server says that it got."""
    return json.loads(response.content)
