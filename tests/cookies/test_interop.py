"""Jars of aiohttp and of one's own, and jars that are shared, over real connections."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from http.cookies import BaseCookie, Morsel, SimpleCookie
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractCookieJar, ClearCookiePredicate
from aiohttp.typedefs import LooseCookies
from yarl import URL

from aioclient import ClientSession, CookieJar, TCPConnector
from aioclient.testing import RawConnection, RawRequest

from ..loopback import OK, answer, moved, names, open_jar
from ..servers.either import RawServer
from .parts import sent

pytestmark = pytest.mark.both_protocols

# As aiohttp stores and shows them; its jar leaves the letters of SameSite as they came.
FIELDS = [
    "a=1; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax",
    "b=2; Domain=site.example; Expires=Wed, 15 Nov 2090 22:13:20 GMT",
    'c="x y"; Path=/deep/',
    "d=val/ue; SameSite=Strict",
]


class Kept(AbstractCookieJar):
    """The least that a jar of one's own needs: one set of cookies for all hosts; it knows nothing of fields."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = SimpleCookie()
        self.updates: list[tuple[list[str], URL]] = []

    @property
    def unsafe(self) -> bool:
        return True

    @property
    def quote_cookie(self) -> bool:
        return True

    @property
    def cookies(self) -> "MappingProxyType[tuple[str, str], SimpleCookie]":
        return MappingProxyType({("", ""): self.kept})

    @property
    def host_only_cookies(self) -> frozenset[tuple[str, str, str]]:
        return frozenset()

    def clear(self, predicate: ClearCookiePredicate | None = None) -> None:
        self.kept.clear()

    def clear_domain(self, domain: str) -> None:
        self.kept.clear()

    def update_cookies(self, cookies: LooseCookies, response_url: URL = URL()) -> None:  # noqa: B008
        for name, value in dict(cookies).items():
            self.kept[name] = value
        self.updates.append((sorted(dict(cookies)), response_url))

    def filter_cookies(self, request_url: URL) -> "BaseCookie[str]":
        return SimpleCookie(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def __iter__(self) -> "Iterator[Morsel[str]]":
        return iter(self.kept.values())


def pairs(request: RawRequest) -> set[str]:
    """The cookies of a request, in no order."""
    return set((request.value("Cookie") or "").split("; ")) - {""}


@pytest.mark.rows("S003-09")
class TestAnyJar:
    @pytest.mark.parametrize(
        "make",
        [open_jar, lambda: aiohttp.CookieJar(unsafe=True), Kept],
        ids=["ours", "aiohttp's", "one's own"],
    )
    async def test_over_redirects(self, make: Callable[[], AbstractCookieJar]) -> None:
        """Each hop's cookies are stored for its URL and sent from the next hop on, those of the call to its origin."""
        replies = [
            moved("/b", "Set-Cookie: first=1; Path=/", "Set-Cookie: second=2; Path=/"),
            moved("/c", 'Set-Cookie: first="a b"; Path=/'),
            OK,
            OK,
        ]
        jar = make()
        async with RawServer.replies(replies) as server, ClientSession(cookie_jar=jar) as session:
            assert session.cookie_jar is jar
            await session.get(server.url("/a"), cookies={"call": "x"})
            session.cookie_jar.update_cookies({"given": "4"}, URL(server.url("/")))
            await session.get(server.url("/d"))
            assert {morsel.key for morsel in session.cookie_jar} == {"first", "second", "given"}
            if isinstance(jar, Kept):
                assert [url.path for _, url in jar.updates] == ["/a", "/b", "/"]
            jar.clear()
            assert len(session.cookie_jar) == 0
        assert [pairs(request) for request in server.requests] == [
            {"call=x"},
            {"call=x", "first=1", "second=2"},
            {"call=x", 'first="a b"', "second=2"},
            {'first="a b"', "second=2", "given=4"},
        ]

    @pytest.mark.parametrize("make", [CookieJar, aiohttp.CookieJar], ids=["ours", "aiohttp's"])
    async def test_to_a_subdomain(self, make: Callable[[], AbstractCookieJar]) -> None:
        """A redirect to a subdomain takes the domain's cookies along, and not the host's own."""

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            location = f"http://x.site.test:{server.port}/"
            conn.send(moved(location, "Set-Cookie: own=1", "Set-Cookie: all=1; Domain=site.test"))

        async with (
            RawServer.replies([redirect, OK, OK]) as server,
            ClientSession(cookie_jar=make(), connector=names()) as session,
        ):
            await session.get(server.url(host="site.test"))
            await session.get(server.url(host="site.test"))
        assert [pairs(request) for request in server.requests] == [
            set(),
            {"all=1"},
            {"own=1", "all=1"},
        ]

    async def test_dummy_of_aiohttp(self) -> None:
        """aiohttp.DummyCookieJar keeps nothing, over redirects too, and lets the call's cookies pass."""
        replies = [moved("/b", "Set-Cookie: a=1; Path=/"), OK, OK]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        ):
            await session.get(server.url("/a"), cookies={"call": "x"})
            await session.get(server.url("/c"))
            assert len(session.cookie_jar) == 0
        assert [pairs(request) for request in server.requests] == [{"call=x"}, {"call=x"}, set()]

    @pytest.mark.parametrize("base", [CookieJar, aiohttp.CookieJar], ids=["ours", "aiohttp's"])
    async def test_a_subclass(self, base: Any) -> None:
        """What a subclass overrides is asked, though it holds nothing: cookies may come from elsewhere."""

        class Signed(base):  # type: ignore[misc]
            def filter_cookies(self, request_url: URL = URL()) -> "BaseCookie[str]":  # noqa: B008
                cookies: BaseCookie[str] = super().filter_cookies(request_url)
                cookies["target"] = request_url.path.strip("/")
                return cookies

            def update_cookies_from_headers(
                self, headers: Sequence[str], response_url: URL
            ) -> None:
                kept = [field for field in headers if not field.startswith("tracker=")]
                super().update_cookies_from_headers(kept, response_url)

        reply = answer(b"", "Set-Cookie: tracker=1", "Set-Cookie: a=1")
        async with (
            RawServer.replies([reply, OK]) as server,
            ClientSession(cookie_jar=Signed(unsafe=True)) as session,
        ):
            await session.get(server.url("/x"))
            await session.get(server.url("/y"))
        assert [pairs(request) for request in server.requests] == [
            {"target=x"},
            {"a=1", "target=y"},
        ]

    async def test_plain_values(self) -> None:
        """Values that a jar of one's own gives as text are quoted as aiohttp quotes them: update() leaves them text."""

        class Plain(Kept):
            def filter_cookies(self, request_url: URL) -> "BaseCookie[str]":
                cookies: BaseCookie[str] = SimpleCookie()
                cookies.update({"a": "1", "b": "x; c=1"})  # type: ignore[arg-type]
                return cookies

        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(cookie_jar=Plain()) as ours,
            aiohttp.ClientSession(cookie_jar=Plain()) as theirs,
        ):
            await ours.get(server.url())
            async with theirs.get(server.url()):
                pass
        first, second = server.requests
        assert first.value("Cookie") == second.value("Cookie") == 'a=1; b="x\\073 c=1"'

    async def test_a_jar_that_fails(self) -> None:
        """The error of a jar that cannot store reaches the caller, and the connection is not kept for nobody."""

        class Full(aiohttp.DummyCookieJar):
            def update_cookies_from_headers(
                self, headers: Sequence[str], response_url: URL
            ) -> None:
                raise OSError("no space left")

        async def half(conn: RawConnection, request: RawRequest) -> None:
            conn.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 9\r\n\r\nhalf")

        connector = TCPConnector(limit=1)
        async with (
            RawServer.replies([half]) as server,
            ClientSession(cookie_jar=Full(), connector=connector) as session,
        ):
            with pytest.raises(OSError, match="no space left"):
                await session.get(server.url())
            assert "in_use=0" in repr(connector)

    async def test_what_ends_the_field(self) -> None:
        """A value of a jar of one's own that would end the field raises before anything is sent."""
        jar = Kept()
        morsel: Morsel[str] = Morsel()
        state = {"key": "a", "value": "x", "coded_value": "x\r\nX-Evil: 1"}
        morsel.__setstate__(state)  # type: ignore[attr-defined]
        dict.__setitem__(jar.kept, "a", morsel)
        jar.filter_cookies = lambda request_url: jar.kept  # type: ignore[method-assign]
        async with RawServer.replies([OK]) as server, ClientSession(cookie_jar=jar) as session:
            with pytest.raises(ValueError, match="control character"):
                await session.get(server.url())
            assert server.requests == []


@pytest.mark.rows("S003-13", "CK-16")
class TestShared:
    @pytest.mark.parametrize("make", [open_jar, lambda: aiohttp.CookieJar(unsafe=True)])
    async def test_with_a_session_of_aiohttp(self, make: Callable[[], AbstractCookieJar]) -> None:
        """A session of aiohttp and one of ours share a jar: what either is given the other sends."""
        replies = [answer(b"", f"Set-Cookie: c{number}=v/{number}") for number in range(4)]
        jar = make()
        async with (
            RawServer.replies([*replies, OK], repeat=True) as server,
            ClientSession(cookie_jar=jar) as ours,
            aiohttp.ClientSession(cookie_jar=jar) as theirs,
        ):
            sessions: list[Any] = [ours, theirs]
            for number in range(4):
                async with sessions[number % 2].get(server.url()) as response:
                    assert response.cookies[f"c{number}"].value == f"v/{number}"
        assert [len(pairs(request)) for request in server.requests] == [0, 1, 2, 3]
        # aiohttp's jar puts a value like this in quotes.
        assert {pair.replace('"', "") for pair in pairs(server.requests[3])} == {
            f"c{number}=v/{number}" for number in range(3)
        }

    async def test_by_two_loops(self) -> None:
        """Two sessions on two loops in two threads share a jar: each sends what it has just been given."""
        jar = open_jar()
        rounds = 60

        async def count(conn: RawConnection, request: RawRequest) -> None:
            _, who, number = request.target.split("/")
            fields = [f"Set-Cookie: {who}={number}; Path=/", f"Set-Cookie: {who}{number}=1; Path=/"]
            conn.send(answer(b"", *fields))

        async def work(who: str) -> None:
            async with ClientSession(cookie_jar=jar) as session:
                for number in range(rounds):
                    await session.get(server.url(f"/{who}/{number}"))

        start = threading.Barrier(2)

        def run(who: str) -> None:
            start.wait()
            asyncio.run(work(who))

        async with RawServer.replies([count], repeat=True) as server:
            await asyncio.gather(*[asyncio.to_thread(run, who) for who in "ab"])
        for request in server.requests:
            _, who, number = request.target.split("/")
            if number != "0":
                assert f"{who}={int(number) - 1}" in pairs(request)
        assert len(jar) == 2 + 2 * rounds
        final = sent(jar, server.url("/"))
        assert final is not None
        assert {f"a={rounds - 1}", f"b={rounds - 1}"} <= set(final.split("; "))

    async def test_it_outlives_the_session(self) -> None:
        """Closing a session does not touch its jar: the next session goes on with it."""
        jar = open_jar()
        async with RawServer.replies([answer(b"", "Set-Cookie: a=1"), OK]) as server:
            for _ in range(2):
                async with ClientSession(cookie_jar=jar) as session:
                    await session.get(server.url())
        assert server.requests[1].value("Cookie") == "a=1"


def attributes(jar: AbstractCookieJar) -> dict[str, dict[str, Any]]:
    """What users of aiohttp read of each Morsel that a jar yields."""
    return {
        morsel.key: {"value": morsel.value, "coded": morsel.coded_value, **morsel} for morsel in jar
    }


class TestSameAsAiohttp:
    URL = URL("https://site.example/p/q")

    @pytest.mark.rows("S003-108")
    def test_morsels(self) -> None:
        """A jar's Morsels have the attributes that aiohttp's have, host-only ones their host as domain."""
        ours, theirs = CookieJar(), aiohttp_jar()
        for jar in (ours, theirs):
            jar.update_cookies_from_headers(FIELDS, self.URL)
        assert attributes(ours) == attributes(theirs)
        assert attributes(ours)["a"] == {
            "value": "1",
            "coded": "1",
            "domain": "site.example",
            "path": "/",
            "max-age": "600",
            "expires": "",
            "secure": True,
            "httponly": True,
            "samesite": "Lax",
            "comment": "",
            "version": "",
            **({"partitioned": ""} if "partitioned" in Morsel() else {}),
        }

    @pytest.mark.rows("S003-103", "S003-105")
    @pytest.mark.parametrize(
        "url", ["/p/q", "/deep/x", "http://site.example/p", "//x.site.example"]
    )
    def test_what_is_chosen(self, url: str) -> None:
        """filter_cookies(), cookies and host_only_cookies are what aiohttp's jar gives."""
        ours, theirs = CookieJar(), aiohttp_jar()
        for jar in (ours, theirs):
            jar.update_cookies_from_headers(FIELDS, self.URL)
        asked = self.URL.join(URL(url))
        for one, other in (
            (ours.filter_cookies(asked), theirs.filter_cookies(asked)),
            *((ours.cookies[key], theirs.cookies[key]) for key in theirs.cookies),
        ):
            assert {key: morsel.value for key, morsel in one.items()} == {
                key: morsel.value for key, morsel in other.items()
            }
        assert set(ours.cookies) == set(theirs.cookies)
        assert ours.host_only_cookies == theirs.host_only_cookies

    @pytest.mark.rows("S003-106", "CK-05")
    def test_files(self, tmp_path: Path) -> None:
        """A jar loads what aiohttp's jar saved, and aiohttp's jar goes on with the Morsels of ours."""
        theirs = aiohttp_jar()
        theirs.update_cookies_from_headers(FIELDS, self.URL)
        theirs.update_cookies({"all": "x y"})
        theirs.save(tmp_path / "jar.json")
        ours = CookieJar()
        ours.load(tmp_path / "jar.json")
        assert ours.host_only_cookies == theirs.host_only_cookies
        flags = ("value", "coded", "domain", "path", "secure", "httponly", "samesite")
        loaded, saved = attributes(ours), attributes(theirs)
        for name, morsel in saved.items():
            assert {key: loaded[name][key] for key in flags} == {key: morsel[key] for key in flags}
        # Max-Age and Expires have become the time that they stood for, as after aiohttp's own load().
        assert loaded["a"]["expires"].endswith("GMT")
        assert loaded["d"]["expires"] == loaded["a"]["max-age"] == ""
        again = aiohttp_jar()
        again.update_cookies([(morsel.key, morsel) for morsel in ours])
        assert {morsel.key for morsel in again} == set(saved)

    def test_files_for_aiohttp(self, tmp_path: Path) -> None:
        """aiohttp's jar loads what ours saved in its format, and ours loads that too."""
        ours = CookieJar()
        ours.update_cookies_from_headers(FIELDS, self.URL)
        ours.update_cookies({"all": "x y"})
        ours.save(tmp_path / "jar.json", format="aiohttp")
        theirs, again = aiohttp_jar(), CookieJar()
        theirs.load(tmp_path / "jar.json")
        again.load(tmp_path / "jar.json")
        flags = ("value", "coded", "path", "secure", "httponly", "samesite")
        for jar in (theirs, again):
            assert jar.host_only_cookies == ours.host_only_cookies
            assert set(jar.cookies) == set(ours.cookies)
            loaded, saved = attributes(jar), attributes(ours)
            assert set(loaded) == set(saved)
            for name, morsel in saved.items():
                assert {key: loaded[name][key] for key in flags} == {
                    key: morsel[key] for key in flags
                }
        with pytest.raises(ValueError, match="format='pickle'; it can be aioclient, aiohttp"):
            ours.save(tmp_path / "jar.json", format="pickle")  # type: ignore[arg-type]


def aiohttp_jar() -> aiohttp.CookieJar:
    """A jar of aiohttp's; it asks for a loop and does not use it."""
    loop = asyncio.new_event_loop()
    loop.close()
    return aiohttp.CookieJar(loop=loop)
