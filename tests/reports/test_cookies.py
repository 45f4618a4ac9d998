"""Cookies."""

import pytest

from aioclient import ClientSession, CookieJar

from ..loopback import OK, answer, names, open_jar
from ..servers.either import RawServer
from .parts import fetch

pytestmark = [pytest.mark.both_protocols, pytest.mark.both_loops]
reports = pytest.mark.reports


@reports(
    "aio-libs/aiohttp#2571",
    "aio-libs/aiohttp#928",
    "aio-libs/aiohttp#802",
    "aio-libs/aiohttp#7478",
)
@pytest.mark.parametrize(
    "value",
    [
        "42kHBlGFz/k=",
        "currencyid=2&topcatid=9057",
        "asdf+somestring/anotherstring=",
        "a:b{c}[d]",
    ],
)
@pytest.mark.parametrize("source", ["call", "session", "server"])
async def test_values_are_sent_as_they_are(value: str, source: str) -> None:
    """Cookie values with =, /, & and the like were put into quotation marks, which servers did not understand."""
    reply = answer(b"ok", f"Set-Cookie: c={value}")
    async with RawServer.replies([reply, OK]) as server:
        given = {"c": value}
        of_session = given if source == "session" else None
        of_call = given if source == "call" else None
        async with ClientSession(
            server.url(), cookie_jar=open_jar(), cookies=of_session
        ) as session:
            for _ in range(2):
                await fetch(session, "/", cookies=of_call)
        assert server.requests[1].value("Cookie") == f"c={value}"


@reports("aio-libs/aiohttp#7398")
async def test_a_quotation_mark_in_a_value() -> None:
    """A value with a quotation mark in it was changed on its way."""
    value = 'M5ylFD"/**/aNd/**/1=1--/**/-'
    async with (
        RawServer.replies([answer(b"ok", f"Set-Cookie: c={value}"), OK]) as server,
        ClientSession(cookie_jar=open_jar()) as session,
    ):
        for _ in range(2):
            await fetch(session, server.url())
        assert server.requests[1].value("Cookie") == f"c={value}"
        # Who makes one is told that servers read it in different ways.
        with pytest.raises(ValueError, match="encode it first"):
            await session.get(server.url(), cookies={"c": value})


async def test_quoted_values_come_back_quoted() -> None:
    """A value that the server had put into quotation marks was sent back without, or with more of them."""
    reply = answer(b"ok", 'Set-Cookie: c="a b"')
    async with (
        RawServer.replies([reply, OK]) as server,
        ClientSession(cookie_jar=open_jar()) as session,
    ):
        for _ in range(2):
            await fetch(session, server.url())
        assert server.requests[1].value("Cookie") == 'c="a b"'


@reports("aio-libs/aiohttp#792")
async def test_hosts_do_not_share_cookies() -> None:
    """A cookie of one host was sent to all others."""
    async with (
        RawServer.replies([answer(b"ok", "Set-Cookie: c=1; Path=/"), OK, OK, OK]) as server,
        ClientSession(connector=names()) as session,
    ):
        for host in ("a.test", "a.test", "b.test", "sub.a.test"):
            await fetch(session, server.url(host=host))
        assert [r.value("Cookie") for r in server.requests] == [None, "c=1", None, None]


@reports("aio-libs/aiohttp#2846", "aio-libs/aiohttp#968")
@pytest.mark.parametrize("unsafe", [False, True])
async def test_cookies_of_addresses(unsafe: bool) -> None:
    """Cookies of a server at an IP address vanished even where the jar had been told to take them."""
    async with (
        RawServer.replies([answer(b"ok", "Set-Cookie: c=1"), OK]) as server,
        ClientSession(cookie_jar=CookieJar(unsafe=unsafe)) as session,
    ):
        for _ in range(2):
            await fetch(session, server.url())
        assert server.requests[1].value("Cookie") == ("c=1" if unsafe else None)


@reports("aio-libs/aiohttp#1758")
async def test_one_name_for_two_domains() -> None:
    """Of two cookies with one name for different domains in one response only the last was kept."""
    reply = answer(
        b"ok",
        "Set-Cookie: uin=wide; Domain=a.test; Path=/",
        "Set-Cookie: uin=narrow; Domain=web.a.test; Path=/",
        "Set-Cookie: gone=; Domain=a.test; Expires=Fri, 02-Jan-1970 00:00:00 GMT",
    )
    async with (
        RawServer.replies([reply, OK, OK]) as server,
        ClientSession(connector=names()) as session,
    ):
        for host in ("web.a.test", "web.a.test", "x.a.test"):
            await fetch(session, server.url(host=host))
        sent = [r.value("Cookie") for r in server.requests]
        assert sent[0] is None
        assert sent[1] is not None
        assert set(sent[1].split("; ")) == {"uin=wide", "uin=narrow"}
        assert sent[2] == "uin=wide"


@reports("aio-libs/aiohttp#6638")
async def test_one_name_for_two_paths() -> None:
    """A cookie replaced another one of the same name that belonged to another path, or deleted it."""
    reply = answer(b"ok", "Set-Cookie: c=root; Path=/", "Set-Cookie: c=sub; Path=/sub")
    gone = answer(b"ok", "Set-Cookie: c=; Path=/sub; Max-Age=0")
    async with (
        RawServer.replies([reply, gone, OK]) as server,
        ClientSession(cookie_jar=open_jar()) as session,
    ):
        for _ in range(3):
            await fetch(session, server.url("/sub/x"))
        # The longer path goes first (RFC 6265, section 5.4).
        assert [r.value("Cookie") for r in server.requests] == [None, "c=sub; c=root", "c=root"]


@reports("aio-libs/aiohttp#4063", "python/cpython#108931")
@pytest.mark.parametrize("domain", ["", "; Domain=a.test", "; Domain=.a.test"])
async def test_a_date_in_the_past_deletes(domain: str) -> None:
    """A cookie that the server let expire was sent on and on."""
    reply = answer(b"ok", f"Set-Cookie: c=1; Path=/{domain}")
    gone = answer(b"ok", f"Set-Cookie: c=1; Path=/{domain}; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    async with (
        RawServer.replies([reply, gone, OK]) as server,
        ClientSession(connector=names()) as session,
    ):
        for _ in range(3):
            await fetch(session, server.url(host="a.test"))
        assert [r.value("Cookie") for r in server.requests] == [None, "c=1", None]


@reports("aio-libs/aiohttp#8274")
async def test_an_expired_cookie_can_be_seen() -> None:
    """A cookie that a response lets expire was missing from that response's cookies."""
    reply = answer(b"ok", "Set-Cookie: c=old; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    async with (
        RawServer.replies([reply]) as server,
        ClientSession(cookie_jar=open_jar()) as session,
    ):
        async with session.get(server.url()) as response:
            assert response.cookies["c"].value == "old"
        assert len(session.cookie_jar) == 0


@reports("aio-libs/aiohttp#11112")
@pytest.mark.parametrize(
    "field", ["a{b}=1; Path=/", "a[b]=1", "a(b)=1", "a@b=1", 'a="x{y}"', "a:b=1", "a,b=1"]
)
async def test_odd_names_cost_nobody_else(field: str) -> None:
    """A cookie with unusual characters in its name made all others of the response disappear."""
    reply = answer(b"ok", "Set-Cookie: first=1", f"Set-Cookie: {field}", "Set-Cookie: last=2")
    async with (
        RawServer.replies([reply, OK]) as server,
        ClientSession(cookie_jar=open_jar()) as session,
    ):
        async with session.get(server.url()) as response:
            assert {"first", "last"} <= set(response.cookies)
        await fetch(session, server.url())
        sent = server.requests[1].value("Cookie")
        assert sent is not None
        assert sent.split("; ") == ["first=1", field.partition(";")[0], "last=2"]


@reports("aio-libs/aiohttp#13124")
@pytest.mark.parametrize("date", ["Thu, 30 Feb 2043 12:00:00 GMT", "Wed, 31 Apr 2043 12:00:00 GMT"])
async def test_dates_that_do_not_exist(date: str) -> None:
    """The 30th of February counted as the 2nd of March."""
    reply = answer(b"ok", f"Set-Cookie: c=1; Expires={date}")
    async with (
        RawServer.replies([reply]) as server,
        ClientSession(cookie_jar=open_jar()) as session,
    ):
        await fetch(session, server.url())
        # The attribute is ignored (RFC 6265, section 5.2.1): the cookie lives as long as the session.
        (cookie,) = session.cookie_jar
        assert cookie["expires"] == cookie["max-age"] == ""


async def test_max_age_beats_expires() -> None:
    """Expires went before Max-Age, so that a cookie meant to live was dropped."""
    reply = answer(b"ok", "Set-Cookie: c=1; Max-Age=1000; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    async with (
        RawServer.replies([reply, OK]) as server,
        ClientSession(cookie_jar=open_jar()) as session,
    ):
        for _ in range(2):
            await fetch(session, server.url())
        assert server.requests[1].value("Cookie") == "c=1"
