"""Redirects: where they lead, and what goes along."""

import io
from collections.abc import AsyncIterator

import pytest
from multidict import CIMultiDict

import aioclient
from aioclient import ClientSession, FormData
from aioclient.testing import RawConnection, RawRequest

from ..loopback import OK, answer, moved, names, open_jar
from ..servers.either import RawServer
from .parts import fetch, numbers

pytestmark = [pytest.mark.both_protocols, pytest.mark.both_loops]
reports = pytest.mark.reports


@reports("aio-libs/aiohttp#499")
async def test_the_query_of_a_location() -> None:
    """The query of a Location was lost."""
    async with (
        RawServer.replies([moved("/b?x=1&y=2#top"), OK]) as server,
        ClientSession() as session,
    ):
        assert await fetch(session, server.url("/a?z=0")) == b"ok"
        assert server.requests[1].target == "/b?x=1&y=2"


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/target?next=http%3A//a.test/", marks=reports("aio-libs/aiohttp#1466")),
        pytest.param(
            "/wiki/Spider-Man_%26_Silk:_The_Spider(fly)_Effect",
            marks=reports("aio-libs/aiohttp#6626"),
        ),
        pytest.param(
            "/f?d=attachment%3Bfilename%3D%22x.gz%22&p=a%2Fb%3Fc&s=1%2B1%25",
            marks=reports("aio-libs/aiohttp#5319"),
        ),
    ],
)
async def test_a_location_is_not_encoded_anew(target: str) -> None:
    """A Location with percent-encoded characters was followed in another spelling: 404, broken signatures, loops."""
    async with RawServer.replies([moved(target), OK]) as server, ClientSession() as session:
        assert await fetch(session, server.url()) == b"ok"
        assert server.requests[1].target == target


@reports("psf/requests#4443")
async def test_the_fragment_is_inherited() -> None:
    """The fragment of the first URL was missing from the final one, though Location had none of its own."""
    async with (
        RawServer.replies([moved("/b"), OK, moved("/b#own"), OK]) as server,
        ClientSession() as session,
    ):
        async with session.get(server.url("/a#mine")) as response:
            assert response.real_url.fragment == "mine"
        async with session.get(server.url("/a#mine")) as response:
            assert response.real_url.fragment == "own"
        assert {request.target for request in server.requests} == {"/a", "/b"}


@reports("aio-libs/aiohttp#5659", "aio-libs/aiohttp#56", "aio-libs/aiohttp#2502")
async def test_a_cookie_of_a_redirect() -> None:
    """A cookie set by a redirect was not sent to where it led, which redirected back for want of it, for ever."""

    async def wants_it(conn: RawConnection, request: RawRequest) -> None:
        conn.send(OK if request.value("Cookie") == "session=1234" else moved("/first"))

    first = moved("/second", "Set-Cookie: session=1234")
    async with (
        RawServer.replies([first, wants_it]) as server,
        ClientSession(cookie_jar=open_jar()) as session,
    ):
        assert await fetch(session, server.url("/first")) == b"ok"


@reports("aio-libs/aiohttp#3700")
async def test_a_redirect_changes_cookies() -> None:
    """A redirect that replaced or cleared a cookie was followed with the old value."""
    replaced = moved("/b", "Set-Cookie: c=new")
    cleared = moved("/b", "Set-Cookie: c=; Max-Age=0")
    async with (
        RawServer.replies(
            [answer(b"ok", "Set-Cookie: c=old"), replaced, OK, cleared, OK]
        ) as server,
        ClientSession(cookie_jar=open_jar()) as session,
    ):
        for _ in range(3):
            assert await fetch(session, server.url()) == b"ok"
        assert [request.value("Cookie") for request in server.requests] == [
            None,
            "c=old",
            "c=new",
            "c=new",
            None,
        ]


@reports("aio-libs/aiohttp#12275", "aio-libs/aiohttp#5783")
async def test_credentials_for_another_port() -> None:
    """A redirect to another port of the same host took the credentials along."""
    async with (
        RawServer.replies([OK]) as other,
        RawServer.replies([moved(other.url())]) as server,
        ClientSession() as session,
    ):
        assert await fetch(session, server.url(), auth=("user", "secret")) == b"ok"
        assert server.requests[0].value("Authorization") is not None
        assert other.requests[0].value("Authorization") is None


@reports("aio-libs/aiohttp#13180")
async def test_every_copy_of_a_credential() -> None:
    """Of a credential header given twice only the first copy was left out of a redirect to another host."""
    headers = CIMultiDict([("Authorization", "one"), ("Authorization", "two"), ("X-Kept", "1")])
    async with (
        RawServer.replies([OK]) as other,
        RawServer.replies([moved(other.url(host="b.test"))]) as server,
        ClientSession(connector=names()) as session,
    ):
        assert await fetch(session, server.url(host="a.test"), headers=headers) == b"ok"
        assert other.requests[0].values("Authorization") == []
        assert other.requests[0].values("X-Kept") == ["1"]


@reports("aio-libs/aiohttp#12550", "aio-libs/aiohttp#792")
async def test_cookies_of_a_call_stay() -> None:
    """Cookies given with a call went along to another host."""
    async with (
        RawServer.replies([OK]) as other,
        RawServer.replies([moved(other.url(host="b.test"))]) as server,
        ClientSession(connector=names()) as session,
    ):
        assert await fetch(session, server.url(host="a.test"), cookies={"c": "secret"}) == b"ok"
        assert server.requests[0].value("Cookie") == "c=secret"
        assert other.requests[0].value("Cookie") is None


@reports("encode/httpx#771", "encode/httpx#738")
@pytest.mark.parametrize(
    "location", ["https://:443/", "http://", "http:///x", "http://[::1", "http://a.test:port/"]
)
async def test_a_location_without_host(location: str) -> None:
    """A Location without a host, or that is no URL, raised an error of the URL library that nobody expected."""
    async with RawServer.replies([moved(location)]) as server, ClientSession() as session:
        with pytest.raises(aioclient.InvalidUrlRedirectClientError):
            await session.get(server.url())
        assert numbers(session)[0] == 0


async def test_a_blank_location() -> None:
    """A redirect without a Location, or with a blank one, raised instead of being returned."""
    async with (
        RawServer.replies([answer(b"a", status="302 Found"), moved("")]) as server,
        ClientSession() as session,
    ):
        for body in (b"a", b""):
            async with session.get(server.url(), max_redirects=1) as response:
                assert (response.status, await response.read()) == (302, body)


@reports("psf/requests#3915", "psf/requests#4773")
@pytest.mark.parametrize("method", ["PUT", "PATCH", "PROPFIND"])
async def test_the_body_stays_with_its_method(method: str) -> None:
    """After a 301 the method stayed and the body was gone."""
    async with (
        RawServer.replies([moved("/b", status=301), OK]) as server,
        ClientSession() as session,
    ):
        assert await fetch(session, server.url(), method, data=b"body") == b"ok"
        assert [(r.method, r.body) for r in server.requests] == [(method, b"body")] * 2


@reports("urllib3/urllib3#5161", "psf/requests#4515")
@pytest.mark.parametrize("chunked", [None, True])
async def test_a_303_leaves_nothing_of_the_body(chunked: bool | None) -> None:
    """After a 303 the GET still announced a body, or failed because its file could not be rewound."""
    async with (
        RawServer.replies([moved("/b", status=303), OK]) as server,
        ClientSession() as session,
    ):
        file = io.BytesIO(b"payload")
        assert await fetch(session, server.url(), "POST", data=file, chunked=chunked) == b"ok"
        second = server.requests[1]
        assert (second.method, second.body) == ("GET", b"")
        for name in ("Content-Length", "Content-Type", "Transfer-Encoding"):
            assert second.values(name) == []


@reports("aio-libs/aiohttp#5530", "aio-libs/aiohttp#11270")
@pytest.mark.parametrize("form", [False, True])
async def test_a_file_is_sent_again(form: bool) -> None:
    """A file or multipart form that was redirected was sent empty, or failed because the file was closed."""
    file = io.BytesIO(b"contents of the file")
    data: object = file
    if form:
        data = FormData()
        data.add_field("file", file, filename="f.txt")
    async with (
        RawServer.replies([moved("/b", status=307), OK]) as server,
        ClientSession() as session,
    ):
        assert await fetch(session, server.url(), "PUT", data=data) == b"ok"
        first, second = server.requests
        assert first.body == second.body
        assert b"contents of the file" in second.body


@reports("aio-libs/aiohttp#12195", "aio-libs/aiohttp#12217")
async def test_a_generator_cannot_be_sent_again() -> None:
    """The body of a generator was empty at the place where a redirect led, and nobody was told."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"body"

    async with (
        RawServer.replies([moved("/b", status=307)]) as server,
        ClientSession() as session,
    ):
        with pytest.raises(aioclient.BodyConsumedError):
            await session.post(server.url(), data=pieces())
        assert len(server.requests) == 1


@reports("encode/httpx#646")
async def test_the_port_of_a_location() -> None:
    """The port of the first URL, or none, was used instead of the one that Location names."""
    async with (
        RawServer.replies([OK]) as other,
        RawServer.replies([moved(f"//b.test:{other.port}/x")]) as server,
        ClientSession(connector=names()) as session,
    ):
        async with session.get(server.url(host="a.test")) as response:
            assert (response.url.host, response.url.port) == ("b.test", other.port)
        assert other.requests[0].value("Host") == f"b.test:{other.port}"


async def test_a_loop_ends_and_keeps_nothing() -> None:
    """A redirect loop ended in an error that kept the last connection in use."""
    async with (
        RawServer.replies([moved("/", "X-Long: " + "x" * 4000)], repeat=True) as server,
        ClientSession() as session,
    ):
        with pytest.raises(aioclient.TooManyRedirects) as caught:
            await session.get(server.url(), max_redirects=3)
        assert len(caught.value.history) == 4
        assert numbers(session) == (0, 1, 0)
        assert server.connections == 1
