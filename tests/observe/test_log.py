"""What is logged, where, and what is left out of it."""

import ast
import logging
import re
import sys
from pathlib import Path
from types import FrameType

import pytest

import aioclient
from aioclient import ClientSession, Request
from aioclient.testing import refused_port

from .. import spoken
from ..loopback import OK, answer, moved
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

ROOT = Path(aioclient.__file__).parent


def lines_of(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    """Return the lines of one logger, with their levels; times are left out, which differ each time."""
    return [
        f"{record.levelname} {re.sub(r'[0-9.]+ s', 'TIME', record.getMessage())}"
        for record in caplog.records
        if record.name == name
    ]


def spoken_version() -> str:
    """Return what a line calls the version of HTTP."""
    return "HTTP/2.0" if spoken.http2() else "HTTP/1.1"


@pytest.mark.both_loops
class TestRequests:
    @pytest.mark.http1_only("it names two versions of HTTP/1")
    async def test_a_request(self, caplog: pytest.LogCaptureFixture) -> None:
        """Each call is one line at DEBUG: what was asked for, what came, after how many seconds."""
        caplog.set_level(logging.DEBUG, "aioclient.client")
        unknown = b"HTTP/1.0 404 No\r\n\r\nbody"
        async with (
            RawServer.replies([answer(b"hello"), unknown], close=True) as server,
            ClientSession() as session,
        ):
            await (await session.get(server.url("/a"))).read()
            await (await session.post(server.url("/b"), data=b"x")).read()
        assert lines_of(caplog, "aioclient.client") == [
            f"DEBUG GET {server.url('/a')}: 200 by HTTP/1.1 after TIME, 5 bytes",
            f"DEBUG POST {server.url('/b')}: 404 by HTTP/1.0 after TIME",
        ]

    async def test_redirects(self, caplog: pytest.LogCaptureFixture) -> None:
        """Each redirect is a line at INFO, and the call one at DEBUG."""
        caplog.set_level(logging.DEBUG, "aioclient")
        async with (
            RawServer.replies([moved("/b"), moved("/c", status=307), OK]) as server,
            ClientSession() as session,
        ):
            await session.post(server.url("/a"))
        assert lines_of(caplog, "aioclient.redirects") == [
            f"INFO POST {server.url('/a')}: 302 to GET {server.url('/b')}",
            f"INFO GET {server.url('/b')}: 307 to GET {server.url('/c')}",
        ]
        assert lines_of(caplog, "aioclient.client") == [
            f"DEBUG POST {server.url('/a')}: 200 by {spoken_version()} after TIME, 2 bytes, 2 redirects"
        ]

    async def test_a_failure(self, caplog: pytest.LogCaptureFixture) -> None:
        """A call that brings no response is one line too; a status error is the response's."""
        caplog.set_level(logging.DEBUG, "aioclient.client")
        with refused_port() as port:
            url = f"http://127.0.0.1:{port}/"
            async with ClientSession() as session:
                with pytest.raises(aioclient.ClientConnectorError):
                    await session.get(url)
        async with (
            RawServer.replies([answer(status="503 Busy")]) as server,
            ClientSession(raise_for_status=True, timeout=None) as session,
        ):
            with pytest.raises(aioclient.ClientResponseError):
                await session.get(server.url())
        assert lines_of(caplog, "aioclient.client") == [
            f"DEBUG GET {url}: ConnectError after TIME",
            f"DEBUG GET {server.url()}: 503 by {spoken_version()} after TIME, 2 bytes",
        ]

    @pytest.mark.parametrize("row", [pytest.param("", id="AUTH-12")])
    async def test_secrets(self, row: str, caplog: pytest.LogCaptureFixture) -> None:
        """Userinfo is never in a line, and no value of a query or fragment that may be a secret."""
        caplog.set_level(logging.DEBUG, "aioclient")
        location = "//user:geheim@127.0.0.1:1/?token=geheim#access_token=geheim"
        async with (
            RawServer.replies([moved(location)] * 2) as server,
            ClientSession() as session,
        ):
            url = server.url("/?api_key=geheim&q=1").replace("//", "//user:geheim@")
            await session.get(url, allow_redirects=False)
            with pytest.raises(aioclient.ClientConnectorError):
                await session.get(url)
        assert len(lines_of(caplog, "aioclient.client")) == 2
        assert len(lines_of(caplog, "aioclient.redirects")) == 1
        assert "geheim" not in caplog.text
        assert "user" not in caplog.text

    async def test_while_it_runs(self, caplog: pytest.LogCaptureFixture) -> None:
        """A level counts from the next call on, whichever way it is set."""
        logger = logging.getLogger("aioclient.client")
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            for number, on in enumerate((False, True, False, True, False, True, False, True)):
                if number == 4:
                    logging.disable(logging.DEBUG)
                elif number == 5:
                    logging.disable(logging.NOTSET)
                elif number in (6, 7):
                    logger.disabled = number == 6
                else:
                    caplog.set_level(logging.DEBUG if on else logging.INFO, "aioclient")
                await session.get(server.url(f"/{number}"))
        lines = lines_of(caplog, "aioclient.client")
        assert [line.partition(":")[0] for line in lines] == ["DEBUG GET http"] * 4
        assert [number for number in range(8) if f"/{number}: 200" in "".join(lines)] == [
            1,
            3,
            5,
            7,
        ]

    @pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
    async def test_off(self, level: int, caplog: pytest.LogCaptureFixture) -> None:
        """Above its level nothing is logged."""
        caplog.set_level(level, "aioclient")
        async with (
            RawServer.replies([moved("/b"), OK]) as server,
            ClientSession() as session,
        ):
            await session.get(server.url())
        assert [record.name for record in caplog.records] == (
            ["aioclient.redirects"] if level == logging.INFO else []
        )

    @pytest.mark.http1_only("over HTTP/2 the server logs as well")
    async def test_cost_while_off(self) -> None:
        """Off, a line costs one isEnabledFor: one for the call, one for its redirect, and no text is made."""
        asked: list[str] = []
        is_enabled, label = logging.Logger.isEnabledFor.__code__, Request.label.fget.__code__

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_code is is_enabled:
                asked.append(frame.f_locals["self"].name)
            elif event == "call" and frame.f_code is label:
                asked.append("label")

        async with (
            RawServer.replies([moved("/b"), OK]) as server,
            ClientSession() as session,
        ):
            sys.setprofile(note)
            try:
                await session.get(server.url())
            finally:
                sys.setprofile(None)
        assert asked == ["aioclient.client", "aioclient.redirects"]


def names() -> set[str]:
    """Return the names of the loggers in the source."""
    found = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "getLogger"
            ):
                found.add(ast.unparse(node.args[0]).strip("'"))
    return found


def test_documented() -> None:
    """Each logger has a name of its own, not that of its module, and a line on the page, which names no other."""
    page = (ROOT.parent / "docs/how-to/log.rst").read_text(encoding="utf-8")
    described = {*re.findall(r"^    \* - ``(aioclient\.[\w.]+)``", page, re.M)}
    assert described == names(), (
        'write logging.getLogger("aioclient.<what it is about>"), and a line on docs/how-to/log.rst'
    )
