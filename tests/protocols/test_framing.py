"""Responses over real sockets: what is delivered, what is refused, and which connections are reused."""

import ast
import asyncio
import gzip
import tracemalloc
import zlib
from pathlib import Path

import pytest

import aioclient
from aioclient.testing import RawConnection, RawServer, turns

from .corpus import (
    BAD_BODIES,
    BAD_HEADS,
    CHUNKED,
    CORPUS,
    END,
    FOLLOWED,
    GOOD,
    KEPT,
    OK,
    Message,
    as_parameters,
)
from .exchange import answering, fetch, replay

pytestmark = pytest.mark.both_loops


@pytest.mark.parametrize("message", as_parameters(m for m in CORPUS if m.method != "CONNECT"))
async def test_outcome(message: Message) -> None:
    """Each message ends as is written beside it, and never in the next request's answer."""
    reading, kept = await replay(message)
    if message.delivered:
        assert (reading.error, reading.body) == ("", message.body)
        assert kept is (message.outcome == KEPT)
    else:
        assert isinstance(message.outcome, type)
        assert issubclass(getattr(aioclient, reading.error), message.outcome)
        assert not kept


@pytest.mark.parametrize(
    "message",
    as_parameters(
        message
        for message in (*GOOD, *FOLLOWED[::7], *BAD_HEADS[::5], *BAD_BODIES[::5])
        if message.method != "CONNECT" and len(message.data) < 200
    ),
)
async def test_drip(message: Message) -> None:
    """A response that comes byte by byte ends as it does when it comes at once (H1-18)."""
    whole, _ = await replay(message)
    dripped, kept = await replay(message, step=1)
    assert dripped == whole
    assert kept is (message.outcome == KEPT)


CUT = {
    "length": OK + b"Content-Length: 5\r\n\r\nhello",
    "chunked": CHUNKED + b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "interim": b"HTTP/1.1 103 X\r\n\r\n" + OK + END,
    "gzip-length": OK
    + b"Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n"
    + gzip.compress(b"hello", mtime=0),
    "gzip-chunked": OK
    + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n19\r\n"
    + gzip.compress(b"hello", mtime=0)
    + b"\r\n0\r\n\r\n",
    "gzip-until-eof": OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello", mtime=0),
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("name", [pytest.param(name, id=f"H1-13-{name}") for name in CUT])
async def test_cut_at_every_byte(name: str, how: str) -> None:
    """A connection that ends within a response ends it with an error, at whichever byte (H1-13)."""
    data = CUT[name]

    async def cut(conn: RawConnection) -> None:
        request = await conn.read_request()
        conn.send(data[: int(request.target[1:])])
        if how == "reset":
            await turns(5)
            conn.reset()

    async with RawServer(cut) as server, aioclient.ClientSession() as session:
        for at in range(len(data)):
            reading = await fetch(session, server.url(f"/{at}"), timeout=20)
            if how == "close" and data[:at].endswith(b"gzip\r\n\r\n"):
                assert (reading.error, reading.body) == (
                    "",
                    b"",
                )  # a body without a byte has no coding
                continue
            assert reading.error in {
                "ServerDisconnectedError",
                "ClientOSError",
                "IncompleteBodyError",
                "ContentDecodingError",
            }, at
            head_ends = data.index(b"\r\n\r\n", data.index(OK)) + 4
            assert (reading.status == 200) is (at >= head_ends), at
        if how == "close":
            whole = await fetch(session, server.url(f"/{len(data)}"))
            assert (whole.error, whole.body[:2]) == ("", b"he" if b"he" in whole.body else b"ok")


async def test_until_eof_ends_with_the_connection() -> None:
    """A body without length is what came before the connection's end, and only a proper end is one."""
    body = b"hello"

    async def serve(conn: RawConnection) -> None:
        request = await conn.read_request()
        conn.send(OK + b"\r\n" + body)
        if request.target == "/reset":
            await turns(5)
            conn.reset()

    async with RawServer(serve) as server, aioclient.ClientSession() as session:
        assert (await fetch(session, server.url())).body == body
        assert (await fetch(session, server.url("/reset"))).error == "IncompleteBodyError"


@pytest.mark.parametrize(
    ("coding", "encoded"),
    [
        pytest.param("gzip", gzip.compress(b"hello world" * 5, mtime=0), id="H1-14-gzip"),
        pytest.param("deflate", zlib.compress(b"hello world" * 5), id="H1-14-deflate"),
    ],
)
async def test_truncated_coding(coding: str, encoded: bytes) -> None:
    """H1-14: a compressed body that ends early is an error at every byte, though its length is as announced."""

    async def serve(conn: RawConnection) -> None:
        while True:
            request = await conn.read_request()
            cut = encoded[: int(request.target[1:])]
            conn.send(
                OK
                + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
                % (coding.encode(), len(cut))
                + cut
            )

    async with RawServer(serve) as server, aioclient.ClientSession() as session:
        for at in range(1, len(encoded)):
            assert (await fetch(session, server.url(f"/{at}"))).error == "ContentDecodingError", at
        assert (await fetch(session, server.url(f"/{len(encoded)}"))).body == b"hello world" * 5


@pytest.mark.rows("H1-08")
async def test_declared_length_allocates_nothing() -> None:
    """H1-08: a length of ten gigabytes and ten bytes of body are an error, and cost ten bytes."""
    async with (
        answering(OK + b"Content-Length: 9999999999\r\n\r\n0123456789", close=True) as server,
        aioclient.ClientSession() as session,
    ):
        await fetch(session, server.url("/own"))  # what is made once
        tracemalloc.start()
        try:
            async with answering(
                OK + b"Content-Length: 9999999999\r\n\r\n0123456789", close=True
            ) as other:
                assert (await fetch(session, other.url())).error == "IncompleteBodyError"
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize(
    ("limit", "reply", "error"),
    [
        pytest.param(
            {"max_line_size": 20},
            b"HTTP/1.1 200 Much too long\r\n" + END,
            "HeadTooLargeError",
            id="max_line_size",
        ),
        pytest.param(
            {"max_field_size": 20},
            OK + b"A: " + b"b" * 20 + b"\r\n" + END,
            "HeadTooLargeError",
            id="max_field_size",
        ),
        pytest.param(
            {"max_headers": 1}, OK + b"A: b\r\n" + END, "HeadTooLargeError", id="max_headers"
        ),
        pytest.param({"max_body_size": 1}, OK + END, "BodyTooLargeError", id="max_body_size"),
        pytest.param(
            {"max_body_size": 1},
            CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
            "BodyTooLargeError",
            id="max_body_size-chunked",
        ),
        pytest.param(
            {"max_body_size": 4},
            OK
            + b"Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n"
            + gzip.compress(b"hello", mtime=0),
            "BodyTooLargeError",
            id="max_body_size-gzip",
        ),
    ],
)
async def test_limit_parameters(limit: dict[str, int], reply: bytes, error: str) -> None:
    """H1-09: each limit holds when given to the session and when given to the call; the default allows the reply."""
    async with RawServer.replies([reply], repeat=True) as server:
        async with aioclient.ClientSession() as session:
            assert (await fetch(session, server.url())).error == ""
            assert (await fetch(session, server.url(), **limit)).error == error
        async with aioclient.ClientSession(**limit) as session:  # type: ignore[arg-type]
            assert (await fetch(session, server.url())).error == error


async def test_trailers_reach_the_response_alone() -> None:
    """H1-10: trailers are in `trailers`; the jar and the head's fields never see them."""
    async with (
        RawServer.replies(
            [CHUNKED + b"2\r\nok\r\n0\r\nSet-Cookie: a=1\r\nX-Sum: 9\r\nAuthorization: b\r\n\r\n"]
        ) as server,
        aioclient.ClientSession(cookie_jar=aioclient.CookieJar(unsafe=True)) as session,
        session.get(server.url()) as response,
    ):
        assert await response.read() == b"ok"
        assert dict(response.trailers) == {"X-Sum": "9"}
        assert list(response.headers) == ["Transfer-Encoding"]
        assert not response.cookies
        assert len(session.cookie_jar) == 0


async def test_trailers_of_a_streamed_body() -> None:
    """Trailers are there once a streamed body was read to its end."""
    go_on = asyncio.Event()

    async def serve(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(CHUNKED + b"2\r\nok\r\n")
        await go_on.wait()
        conn.send(b"0\r\nX-Sum: 9\r\n\r\n")
        await conn.closed()

    async with (
        RawServer(serve) as server,
        aioclient.ClientSession() as session,
        session.get(server.url()) as response,
    ):
        assert not response.trailers
        assert await response.content.readany() == b"ok"
        go_on.set()
        assert await response.content.read() == b""
        assert dict(response.trailers) == {"X-Sum": "9"}


@pytest.mark.rows("H1-11")
async def test_tiny_chunks_are_joined() -> None:
    """H1-11: a hundred thousand chunks of a byte each are read, whole or as a stream."""
    data = CHUNKED + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"
    async with (
        RawServer.replies([data], repeat=True) as server,
        aioclient.ClientSession() as session,
    ):
        assert (await fetch(session, server.url())).body == b"x" * 100_000
        async with session.get(server.url()) as response:
            count = 0
            async for chunk in response.content.iter_any():
                count += len(chunk)
        assert count == 100_000


@pytest.mark.rows("H1-15")
async def test_one_parser() -> None:
    """H1-15: there is one parser, httptools; no other one can disagree with it."""
    folder = Path(aioclient.__file__).parent
    importing = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
        if name.split(".")[0] in {"httptools", "h11", "http_parser"}
        or name.startswith(("aiohttp.http_parser", "aiohttp._http"))
    }
    assert importing == {"protocols/http1/response.py"}
