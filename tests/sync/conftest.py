"""The server of tests that block their thread."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from aioclient.sync import Session
from aioclient.sync.portal import PORTAL
from tests.servers.threaded import ThreadedServer

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


async def silent(request: web.Request) -> web.StreamResponse:
    """Send the head and one byte, and no more."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"x")
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
        silent,
        zipped,
        chat,
    ):
        app.router.add_route("*", f"/{handler.__name__}", handler)
    app.router.add_route("*", "/v1/{rest:.*}", echo)
    return app


class Server(ThreadedServer):
    """The application of these tests; ``asked`` is set when ``/never`` is."""

    def __init__(self, ssl_context: Any = None) -> None:
        super().__init__(application(), ssl_context)
        self.asked: threading.Event = self.app[ASKED]


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
