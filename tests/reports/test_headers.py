"""Header fields."""

from typing import Any

import pytest
from multidict import CIMultiDict

from aioclient import ClientSession
from aioclient.testing import RawRequest

from ..loopback import OK, answer
from ..servers.either import RawServer
from .parts import fetch

pytestmark = [pytest.mark.both_protocols, pytest.mark.both_loops]
reports = pytest.mark.reports


async def sent(headers: Any, session_headers: Any = None) -> RawRequest:
    """Return what a server gets of a GET with these headers."""
    async with (
        RawServer.replies([OK]) as server,
        ClientSession(headers=session_headers) as session,
    ):
        assert await fetch(session, server.url(), headers=headers) == b"ok"
    return server.requests[0]


@reports(
    "aio-libs/aiohttp#6724",
    "aio-libs/aiohttp#5838",
    "aio-libs/aiohttp#5452",
    "aio-libs/aiohttp#12213",
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "with newline\n"),
        ("X-A", "a\r\nX-Injected: b"),
        ("X-A", "\r"),
        ("X-A", "nul\0"),
        ("X-A\nX-Injected", "b"),
        ("X-A: b\r\nX-Injected", "c"),
        ("", "x"),
    ],
)
async def test_line_ends_are_refused(name: str, value: str) -> None:
    """A line end or NUL in a header went out, ended the head early and let values become headers."""
    async with RawServer.replies([OK]) as server, ClientSession(server.url()) as session:
        with pytest.raises(ValueError, match=r"header|field|name"):
            await session.get("/", headers={name: value})
        with pytest.raises(ValueError, match=r"header|field|name"):
            await session.ws_connect("/", headers={name: value})
        assert server.connections == 0
        assert await fetch(session, "/") == b"ok"


@reports("aio-libs/aiohttp#7943", "aio-libs/aiohttp#3279", "karpetrosyan/httpx-aiohttp#28")
async def test_values_that_are_not_ascii() -> None:
    """A header value that was not ASCII came with lone surrogates that no later step could encode."""
    for raw in ("für".encode("latin-1"), "für".encode()):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: %b\r\n\r\nok"
        async with (
            RawServer.replies([head % raw]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            value = response.headers["X-Name"]
            # Sent on, it is the same bytes again.
            assert raw in dict(response.raw_headers).values()
            assert value.encode("utf-8", "surrogateescape") == raw


async def test_several_of_a_name() -> None:
    """Of several header fields of one name only the last was left, going out or coming in."""
    request = await sent(CIMultiDict([("X-A", "1"), ("x-a", "2")]))
    assert request.values("X-A") == ["1", "2"]
    reply = answer(b"ok", "X-A: 1", "x-a: 2", "Link: </1>", "Link: </2>")
    async with (
        RawServer.replies([reply]) as server,
        ClientSession() as session,
        session.get(server.url()) as response,
    ):
        assert response.headers.getall("X-A") == ["1", "2"]
        assert response.headers.getall("link") == ["</1>", "</2>"]


async def test_none_removes() -> None:
    """A header set to None was sent as the text None."""
    request = await sent({"X-A": None, "User-Agent": None, "x-b": "own"}, {"X-A": "1", "X-B": "2"})
    assert request.values("X-A") == request.values("User-Agent") == []
    assert request.values("X-B") == ["own"]


async def test_names_in_any_case_replace_defaults() -> None:
    """A default header was sent besides the given one, because that was written in another case."""
    request = await sent({"host": "other.test", "user-agent": "mine", "ACCEPT": "text/plain"})
    assert request.values("Host") == ["other.test"]
    assert request.values("User-Agent") == ["mine"]
    assert request.values("Accept") == ["text/plain"]


@pytest.mark.http1_only("over HTTP/2 names have none")
async def test_the_case_of_names() -> None:
    """The names of headers were sent in another case than they were written, which old servers do not know."""
    assert b"\r\nsOAPAction: x\r\n" in (await sent({"sOAPAction": "x"})).head


@pytest.mark.parametrize("value", [1, 1.5, True, b"bytes", ["a"]])
async def test_values_of_other_types(value: object) -> None:
    """A number as a header value failed deep inside, after a connection had been taken."""
    async with RawServer.replies([OK]) as server, ClientSession(server.url()) as session:
        with pytest.raises(TypeError, match="X-A"):
            await session.get("/", headers={"X-A": value})  # type: ignore[dict-item]
        assert server.connections == 0
        assert await fetch(session, "/") == b"ok"
