"""Request bodies and forms."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

import aioclient
from aioclient import ClientSession, FormData
from aioclient.testing import RawConnection, RawRequest, turns

from .. import spoken
from ..loopback import OK, answer
from ..servers.app import serve_application
from ..servers.either import RawServer
from .parts import cancelled, fetch, numbers, until

pytestmark = [pytest.mark.both_protocols, pytest.mark.both_loops]
reports = pytest.mark.reports


async def posted(**arguments: Any) -> RawRequest:
    """Return what a server gets of a POST."""
    async with RawServer.replies([OK]) as server, ClientSession() as session:
        assert await fetch(session, server.url(), "POST", **arguments) == b"ok"
    return server.requests[0]


@reports("aio-libs/aiohttp#4012", "aio-libs/aiohttp#916")
@pytest.mark.parametrize("name", ["files[]", "emails[0]", "a.b", "naïve", "名前", "a b"])
async def test_names_of_form_fields(name: str) -> None:
    """Names of form fields with brackets were percent-encoded, and the server did not know them."""
    form = FormData(quote_fields=False)
    form.add_field(name, b"value", filename="f.txt")
    request = await posted(data=form)
    assert f'name="{name}"'.encode() in request.body


@reports(
    "aio-libs/aiohttp#4075",
    "encode/httpx#164",
    "psf/requests#3446",
)
async def test_names_of_files() -> None:
    """A file whose name is not ASCII arrived under a percent-encoded name, or not at all."""
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        field = (await request.post())["file"]
        assert isinstance(field, web.FileField)
        seen.append(field.filename)
        return web.Response()

    application = web.Application()
    application.router.add_post("/", handler)
    given = ["中文.md", "Снимок экрана.png", 'quo"te.txt', "back\\slash", "semi;colon"]
    async with serve_application(application) as origin, ClientSession() as session:
        for name in given:
            form = FormData(quote_fields=False)
            form.add_field("file", b"x", filename=name)
            await fetch(session, origin, "POST", data=form)
    assert seen == given


@reports("aio-libs/aiohttp#818")
async def test_text_files_with_any_character() -> None:
    """A text file with characters that are not ASCII failed in the middle of the upload."""
    request = await posted(data=io.StringIO("snow ☃"))
    assert request.body == "snow ☃".encode()
    form = FormData(quote_fields=False)
    form.add_field("file", io.StringIO("snow ☃"), filename="s.txt")
    assert "snow ☃".encode() in (await posted(data=form)).body


@reports("aio-libs/aiohttp#267")
async def test_a_server_that_does_not_know_expect() -> None:
    """With Expect: 100-continue a request to a server that sends no 100 hung for ever."""

    async def plain(conn: RawConnection) -> None:
        await conn.read_request()  # as if there were no such field
        conn.send(OK)
        await conn.closed()

    async with RawServer(plain) as server, ClientSession() as session:
        got = await fetch(
            session, server.url(), "POST", data=b"x", expect100=True, expect100_timeout=0.01
        )
        assert got == b"ok"
        assert server.requests[0].body == b"x"


@reports("psf/requests#3614")
async def test_a_refusal_instead_of_100() -> None:
    """The body was sent though the server had refused it instead of answering 100."""

    async def refuses(conn: RawConnection) -> None:
        await conn.read_request(body=False)
        conn.send(answer(b"no", status="403 Forbidden"))
        assert await conn.closed() == b""

    async with RawServer(refuses) as server, ClientSession() as session:
        async with session.post(server.url(), data=bytes(2**20), expect100=True) as response:
            assert (response.status, await response.read()) == (403, b"no")
        # What the server waits for now is unknown, so the connection is not used again.
        assert numbers(session) == (0, spoken.kept(), 0)


@reports("aio-libs/aiohttp#7599")
@pytest.mark.parametrize("kind", ["bytes", "generator"])
async def test_an_early_answer(kind: str) -> None:
    """The answer of a server that did not wait for the body was lost behind the broken upload."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield bytes(2**16)

    async def refuses(conn: RawConnection) -> None:
        await conn.read_request(body=False)
        conn.send(answer(b"too large", status="413 Content Too Large"))
        await conn.closed()

    async with RawServer(refuses) as server, ClientSession() as session:
        data = bytes(2**24) if kind == "bytes" else pieces()
        async with session.post(server.url(), data=data) as response:
            assert (response.status, await response.read()) == (413, b"too large")
        await until(lambda: len(server.open_connections) == spoken.kept())
        assert numbers(session) == (0, spoken.kept(), 0)


@reports("aio-libs/aiohttp#13330")
async def test_a_file_after_a_stale_connection() -> None:
    """A file sent again because the connection was stale began where the first attempt had stopped."""

    async def closes_once(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(OK)
        if not conn.index:
            await conn.read_request(body=False)
            conn.reset()
        else:
            await conn.closed()

    async with RawServer(closes_once) as server, ClientSession() as session:
        assert await fetch(session, server.url()) == b"ok"
        file = io.BytesIO(b"x" * 2**20)
        assert await fetch(session, server.url(), "PUT", data=file) == b"ok"
        assert server.requests[-1].body == b"x" * 2**20
        assert server.connections == 2


@reports("aio-libs/aiohttp#13330")
async def test_a_generator_after_a_stale_connection() -> None:
    """A generator that had given its first pieces to a stale connection sent only the others again."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"piece"

    async def closes_once(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(OK)
        if not conn.index:
            await conn.read_request(body=False)
        conn.reset()

    async with RawServer(closes_once) as server, ClientSession() as session:
        assert await fetch(session, server.url()) == b"ok"
        with pytest.raises(aioclient.ClientError):
            await fetch(session, server.url(), "PUT", data=pieces())
        assert server.connections == 1


async def test_a_source_that_fails() -> None:
    """A generator that raised while it was sent left the call hanging, or hid its own error."""

    class OwnError(Exception):
        pass

    async def pieces() -> AsyncIterator[bytes]:
        yield b"piece"
        raise OwnError

    async def waits(conn: RawConnection) -> None:
        await conn.closed()

    async with RawServer(waits) as server, ClientSession() as session:
        with pytest.raises((OwnError, aioclient.ClientError)) as caught:
            await session.post(server.url(), data=pieces())
        error: BaseException | None = caught.value
        while error is not None and not isinstance(error, OwnError):
            error = error.__cause__
        assert error is not None
        await turns(5)
        assert numbers(session) == (0, spoken.kept(), 0)


async def test_an_empty_piece() -> None:
    """An empty piece of a generator ended the body, because it looked like the last chunk."""

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"", b"one", b"", b"two", b""):
            yield piece

    assert (await posted(data=pieces())).body == b"onetwo"


async def test_a_file_from_where_it_stands() -> None:
    """A file was sent from its beginning, or with a length that counted what had been read of it."""
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    request = await posted(data=file)
    assert (request.body, request.value("Content-Length")) == (b"456789", "6")


async def test_a_cancelled_upload_ends_its_source() -> None:
    """The source of an upload that was cancelled went on in a task that nobody saw."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                begun.set()
                yield b"piece"
                await asyncio.sleep(0)
        finally:
            ended.set()

    async def waits(conn: RawConnection) -> None:
        await conn.closed()

    async with RawServer(waits) as server, ClientSession() as session:
        posting = asyncio.create_task(fetch(session, server.url(), "POST", data=pieces()))
        await begun.wait()
        await cancelled(posting)
        await ended.wait()
        assert numbers(session) == (0, spoken.kept(), 0)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "GET", "DELETE"])
async def test_no_body(method: str) -> None:
    """A POST without a body had no Content-Length: 0, and servers answered 411 or waited."""
    async with RawServer.replies([OK]) as server, ClientSession() as session:
        assert await fetch(session, server.url(), method) == b"ok"
        expected = "0" if method in ("POST", "PUT", "PATCH") else None
        assert server.requests[0].value("Content-Length") == expected
