"""pytest-aiohttp's client, told of a class that sends by a session of ours."""

import subprocess
import sys
from pathlib import Path

# What a project would have in its conftest.py, and a test of its application.
CONFTEST = """
import aioclient
import pytest
from aiohttp.test_utils import TestClient


class Client(TestClient):
    async def start_server(self):
        await super().start_server()
        await self._session.close()
        self._session = aioclient.ClientSession(cookie_jar=aioclient.CookieJar(unsafe=True))
        self._session._retry_connection = False


@pytest.fixture
def aiohttp_client_cls():
    return Client
"""
TESTS = """
import aioclient
import pytest
from aiohttp import ServerDisconnectedError, web


DROPS = web.AppKey("drops", list)


async def agent(request):
    response = web.json_response({"agent": request.headers["User-Agent"], "seen": dict(request.cookies)})
    response.set_cookie("a", "b")
    return response


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(f"heard: {message.data}")
    return socket


async def drops(request):
    request.app[DROPS].append(request.path)
    request.transport.close()


@pytest.fixture
def application():
    application = web.Application()
    application[DROPS] = []
    application.router.add_get("/", agent)
    application.router.add_get("/echo", echo)
    application.router.add_get("/drops", drops)
    return application


async def test_requests(aiohttp_client, application):
    client = await aiohttp_client(application)
    assert type(client.session) is aioclient.ClientSession
    for seen in ({}, {"a": "b"}):
        async with client.get("/") as response:
            answer = await response.json()
            assert "aioclient/" in answer["agent"]
            assert answer["seen"] == seen


async def test_websocket(aiohttp_client, application):
    client = await aiohttp_client(application)
    async with client.ws_connect("/echo") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "heard: hello"


async def test_it_does_not_try_again(aiohttp_client, aiohttp_server, application):
    server = await aiohttp_server(application)
    client = await aiohttp_client(server)
    await (await client.get("/")).read()
    with pytest.raises(ServerDisconnectedError):
        await client.get("/drops")
    assert application[DROPS] == ["/drops"]
"""


def test_clients(tmp_path: Path) -> None:
    """Requests, cookies and WebSockets go by our session, and one that fails is not sent a second time."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_application.py").write_text(TESTS)
    plugins = ("-p", "pytest_asyncio.plugin", "-p", "pytest_aiohttp.plugin")
    run = subprocess.run(
        (
            *(sys.executable, "-W", "error", "-m", "pytest", *plugins, "-p", "no:cacheprovider"),
            *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
            *("--rootdir", str(tmp_path), str(tmp_path)),
        ),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "3 passed" in run.stdout, run.stdout + run.stderr
