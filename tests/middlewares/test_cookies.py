"""The step between a session's jar and its requests."""

from http.cookies import Morsel, SimpleCookie
from typing import Any

import aiohttp
import pytest

from aioclient import (
    ClientResponse,
    ClientSession,
    CookieJar,
    Handler,
    Request,
    SharedCookiesWarning,
)
from aioclient.message.cookie_pairs import cookie_pairs

from ..loopback import OK, answer, names, open_jar
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols


def morsel() -> "Morsel[str]":
    return SimpleCookie('a="b c"')["a"]


class TestPairs:
    @pytest.mark.parametrize(
        ("cookies", "pairs"),
        [
            ({"a": "1"}, {"a": "1"}),
            ([("a", "1"), ("b", 2), ("c", 1.5)], {"a": "1", "b": "2", "c": "1.5"}),
            (SimpleCookie("a=1; b=2"), {"a": "1", "b": "2"}),
            ({"a": morsel()["path"] or "1"}, {"a": "1"}),
            ({}, {}),
            (
                {"cart[id]": "1", "user/name": 2, "é": "ü"},
                {"cart[id]": "1", "user/name": "2", "é": "ü"},
            ),
        ],
    )
    def test_spellings(self, cookies: Any, pairs: dict[str, str]) -> None:
        """A mapping, pairs and a SimpleCookie become names and values."""
        assert cookie_pairs(cookies) == pairs

    @pytest.mark.parametrize("name", ["", "a b", "a;b", "a=b", "a,b", 'a"', "a\n", "a\x7f", "\t"])
    def test_names_that_are_none(self, name: str) -> None:
        """A name that would read as something else is refused."""
        with pytest.raises(ValueError, match="the cookie name"):
            cookie_pairs({name: "1"})

    def test_a_quoted_value(self) -> None:
        """A value that its cookie had to quote in a way that ends it is refused."""
        with pytest.raises(ValueError, match="the value of cookie a"):
            cookie_pairs({"a": morsel()})


class TestSending:
    async def test_an_explicit_field_wins(self) -> None:
        """With a Cookie field of the call or the session the jar stays out; cookies= of the call join it."""
        async with (
            RawServer.replies([answer(b"", "Set-Cookie: jar=1"), OK, OK, OK, OK]) as server,
            ClientSession(cookie_jar=open_jar()) as session,
        ):
            await session.get(server.url())
            await session.get(server.url(), headers={"cookie": "own=1"}, cookies={"c": "1"})
            session.headers["Cookie"] = "session=1"
            response = await session.get(server.url())
            assert response.request_info.headers["Cookie"] == "session=1"
            await session.get(server.url(), cookies={"a": "2", "session": "3"})
            await session.get(server.url(), headers={"Cookie": None})
        assert [request.values("Cookie") for request in server.requests] == [
            [],
            ["c=1; own=1"],
            ["session=1"],
            ["a=2; session=3"],
            ["jar=1"],
        ]

    async def test_a_call_goes_before_the_jar(self) -> None:
        """A cookie of the call replaces the jar's of that name, for this call."""
        async with (
            RawServer.replies([answer(b"", "Set-Cookie: a=jar"), OK, OK]) as server,
            ClientSession(cookie_jar=open_jar()) as session,
        ):
            await session.get(server.url())
            await session.get(server.url(), cookies={"a": "call"})
            await session.get(server.url())
        assert [request.value("Cookie") for request in server.requests[1:]] == ["a=call", "a=jar"]

    async def test_each_attempt_asks_the_jar(self) -> None:
        """A second attempt of a middleware carries what the first one's response set, or cleared."""

        async def twice(request: Request, handler: Handler) -> ClientResponse:
            (await handler(request)).release()
            return await handler(request)

        replies = [
            answer(b"", "Set-Cookie: a=1"),
            answer(b"", "Set-Cookie: a=; Max-Age=0"),
            OK,
            OK,
        ]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(cookie_jar=open_jar(), middlewares=[twice]) as session,
        ):
            await session.get(server.url())
            await session.get(server.url())
        assert [request.value("Cookie") for request in server.requests] == [None, "a=1", None, None]

    async def test_they_belong_to_their_host(self) -> None:
        """A cookie goes to the host that set it, and to no other."""
        async with (
            RawServer.replies([answer(b"", "Set-Cookie: a=1"), OK, OK]) as server,
            ClientSession(connector=names()) as session,
        ):
            for host in ("a.test", "b.test", "a.test"):
                await session.get(server.url(host=host))
        assert [request.value("Cookie") for request in server.requests] == [None, None, "a=1"]

    async def test_every_field_counts(self) -> None:
        """Each Set-Cookie field of a response is stored, of an error too."""
        reply = answer(b"", "Set-Cookie: a=1", "Set-Cookie: b=2; Path=/x", status="500 Oh")
        async with (
            RawServer.replies([reply, OK]) as server,
            ClientSession(cookie_jar=open_jar()) as session,
        ):
            response = await session.get(server.url())
            assert {name: m.value for name, m in response.cookies.items()} == {
                "a": "1",
                "b": "2",
            }
            await session.get(server.url("/x"))
        assert server.requests[1].value("Cookie") in ("a=1; b=2", "b=2; a=1")

    async def test_trailers_set_none(self) -> None:
        """A Set-Cookie in a trailer section is not stored."""
        reply = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
            b"Set-Cookie: a=1\r\n\r\n"
        )
        async with (
            RawServer.replies([reply]) as server,
            ClientSession(cookie_jar=open_jar()) as session,
        ):
            await (await session.get(server.url())).read()
            assert len(session.cookie_jar) == 0


class TestMorsels:
    """A morsel among the cookies of a call goes under its own name, to where its attributes let it go."""

    @pytest.mark.parametrize(
        ("attributes", "goes"),
        [
            ({}, True),
            ({"httponly": True, "max-age": 9, "path": "/a"}, True),
            ({"secure": True}, False),
            ({"path": "/b"}, False),
            ({"domain": "b.test"}, False),
            ({"max-age": "0"}, False),
        ],
        ids=str,
    )
    async def test_where_it_goes(self, attributes: dict[str, Any], goes: bool) -> None:
        """Secure ones go by TLS alone, others as their domain, path and time say."""
        cookie = named("own", "1", **attributes)
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            await session.get(server.url("/a"), cookies={"key": cookie, "plain": "2"})
        sent = "own=1; plain=2" if goes else "plain=2"
        assert server.requests[0].value("Cookie") == sent

    async def test_an_origin_that_the_jar_trusts(self) -> None:
        """It gets Secure ones too."""
        async with RawServer.replies([OK]) as server:
            jar = CookieJar(treat_as_secure_origin=server.url())
            async with ClientSession(cookie_jar=jar) as session:
                await session.get(server.url(), cookies=[("key", named("own", "1", secure=True))])
        assert server.requests[0].value("Cookie") == "own=1"

    @pytest.mark.parametrize("jar", [CookieJar, aiohttp.CookieJar])
    async def test_of_a_session(self, jar: Any) -> None:
        """So does one among the session's cookies, whoever's jar they are in."""
        cookies = {"key": named("own", "1"), "not": named("s", "2", secure=True)}
        with pytest.warns(SharedCookiesWarning):
            session = ClientSession(cookie_jar=jar(unsafe=True), cookies=cookies)
        async with RawServer.replies([OK]) as server, session:
            await session.get(server.url())
        assert server.requests[0].value("Cookie") == "own=1"


def named(name: str, value: str, **attributes: Any) -> "Morsel[str]":
    morsel: Morsel[str] = Morsel()
    morsel.set(name, value, value)
    morsel.update({key.replace("_", "-"): value for key, value in attributes.items()})
    return morsel
