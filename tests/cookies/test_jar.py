"""The jar: what is sent, what the program puts in and takes out, and what it costs."""

import asyncio
import logging
import sys
import threading
import time
from http.cookies import BaseCookie, Morsel, SimpleCookie
from pathlib import Path
from types import FrameType

import aiohttp
import pytest
from aiohttp.abc import AbstractCookieJar
from yarl import URL

from aioclient import ClientSession
from aioclient.cookies import CookieJar, DummyCookieJar
from aioclient.cookies.cookie import Cookie
from aioclient.cookies.matching import path_matches
from aioclient.testing import RawConnection, RawRequest

from ..opcodes import opcodes
from ..servers.either import RawServer
from .parts import NOW, Clock, held, jar_of, receive, row, sent

pytestmark = pytest.mark.both_protocols

A = URL("https://a.example/")


@pytest.mark.rows("S003-105")
class TestSending:
    def test_order(self) -> None:
        """Longer paths come first, then what was created earlier (section 5.8.3)."""
        jar = jar_of(
            ["a=1; Path=/", "b=1; Path=/x", "c=1; Path=/x/y", "d=1; Path=/x", "e=1; Path=/x/y/z"]
        )
        receive(jar, ["b=2; Path=/x", "a=2; Path=/"], "https://a.example/")
        assert sent(jar, "https://a.example/x/y?q") == "c=1; b=2; d=1; a=2"

    def test_one_name_twice(self) -> None:
        """Cookies of one name are all sent; by name there is the longest path's, then the closest domain's."""
        jar = jar_of(
            ["a=parent; Domain=site.example; Path=/", "a=own; Path=/", "a=deep; Path=/x"],
            "https://www.site.example/",
        )
        assert sent(jar, "https://www.site.example/x") == "a=deep; a=parent; a=own"
        assert jar.filter_cookies(URL("https://www.site.example/x"))["a"].value == "deep"
        assert jar.filter_cookies(URL("https://www.site.example/"))["a"].value == "own"

    def test_nothing_to_send(self) -> None:
        """Without cookies there is no field."""
        assert CookieJar().header_for(A) is None
        assert jar_of("a=1").header_for(URL("https://b.example/")) is None
        assert CookieJar().filter_cookies(A) == BaseCookie()

    def test_further_cookies(self) -> None:
        """Cookies of the request replace the jar's of the same names, come last and are not stored."""
        jar = jar_of(["a=1", "b=2"])
        assert jar.header_for(A, {"b": "3", "c": "4"}) == "a=1; b=3; c=4"
        assert jar.header_for(A, {}) == "a=1; b=2"
        assert CookieJar().header_for(A, {"b": "3"}) == "b=3"
        assert CookieJar().header_for(A, {}) is None
        assert sent(jar, "https://a.example/") == "a=1; b=2"

    @row("CK-15")
    def test_further_cookies_of_an_address(self, row: str) -> None:
        """A request's own cookies go to an address whatever the jar says of addresses."""
        assert jar_of("a=1").header_for(URL("http://127.0.0.1/"), {"b": "3"}) == "b=3"

    def test_what_is_remembered_follows_every_change(self) -> None:
        """A field sent once is made anew when a cookie comes, goes, changes or expires."""
        clock = Clock()
        jar = jar_of(["a=1", "b=1; Max-Age=10"], clock=clock)
        assert sent(jar, "https://a.example/") == "a=1; b=1"
        receive(jar, "c=1; Max-Age=20", "https://a.example/")
        assert sent(jar, "https://a.example/") == "a=1; b=1; c=1"
        receive(jar, "a=2", "https://a.example/")
        assert sent(jar, "https://a.example/") == "a=2; b=1; c=1"
        receive(jar, "d=1; Path=/x", "https://a.example/")
        assert sent(jar, "https://a.example/x") == "d=1; a=2; b=1; c=1"
        assert sent(jar, "https://a.example/") == "a=2; b=1; c=1"
        clock.now += 10
        assert sent(jar, "https://a.example/") == "a=2; c=1"
        receive(jar, "c=1; Max-Age=20", "https://a.example/")
        clock.now += 15
        assert sent(jar, "https://a.example/") == "a=2; c=1"
        clock.now += 5
        assert sent(jar, "https://a.example/") == "a=2"
        receive(jar, "a=; Max-Age=0", "https://a.example/")
        assert sent(jar, "https://a.example/") is None
        jar.update_cookies({"e": "1"})
        assert sent(jar, "https://a.example/") == "e=1"
        jar.clear()
        assert sent(jar, "https://a.example/") is None

    def test_many_paths(self) -> None:
        """More kinds of requests than are remembered make no difference."""
        jar = jar_of(["a=1; Path=/x", "b=1; Path=/x/7"])
        for number in range(2000):
            expected = "b=1; a=1" if number == 7 else "a=1"
            assert jar.header_for(URL(f"https://a.example/x/{number}")) == expected

    def test_a_cookie_that_is_prolonged(self) -> None:
        """A lifetime set again a thousand times counts from the last; a shorter one counts as well."""
        clock = Clock()
        jar = jar_of([], clock=clock)
        for _ in range(1000):
            receive(jar, ["a=1; Max-Age=60", "b=x; Max-Age=60"], "https://a.example/")
            clock.now += 30
        assert sent(jar, "https://a.example/") == "a=1; b=x"
        receive(jar, "a=1; Max-Age=5", "https://a.example/")
        clock.now += 5
        assert sent(jar, "https://a.example/") == "b=x"
        clock.now += 25
        assert sent(jar, "https://a.example/") is None

    def test_a_refused_cookie_lets_expired_ones_go(self) -> None:
        """A cookie that finds no room in its domain brings no expired one of another back."""
        clock = Clock()
        jar = jar_of(["s=1; Secure", "t=1; Secure"], clock=clock, max_cookies_per_domain=2)
        receive(jar, "b=1; Max-Age=5", "https://b.example/")
        assert sent(jar, "https://b.example/") == "b=1"
        clock.now += 5
        receive(jar, "n=1", "https://a.example/")
        assert sent(jar, "https://b.example/") is None
        assert sent(jar, "https://a.example/") == "s=1; t=1"

    def test_many_deadlines(self) -> None:
        """Of a thousand cookies each goes at its own time."""
        clock = Clock()
        jar = jar_of([], clock=clock)
        for number in range(1000):
            receive(
                jar, f"a={number}; Max-Age={1 + number * 7 % 1000}", f"https://h{number}.example/"
            )
        for second in range(1, 1001):
            clock.now = NOW + second
            assert len(list(jar)) == 1000 - second


@pytest.mark.rows("S003-103")
class TestQuoting:
    @pytest.mark.parametrize(
        ("field", "quoted", "plain"),
        [
            ("a=b", "a=b", "a=b"),
            ("a=val/one==", "a=val/one==", "a=val/one=="),
            ('a="b c"', 'a="b c"', "a=b c"),
            ('a="b\\"c"', 'a="b\\"c"', 'a=b"c'),
            ('a="b', 'a="b', 'a="b'),
            ('a="b\\073 __Host-c=1"', 'a="b\\073 __Host-c=1"', 'a="b\\073 __Host-c=1"'),
        ],
    )
    def test_received(self, field: str, quoted: str, plain: str) -> None:
        """What a server set goes back as it came; quote_cookie=False takes quotes off, unless that made two of one."""
        assert sent(jar_of(field), "https://a.example/") == quoted
        assert sent(jar_of(field, quote_cookie=False), "https://a.example/") == plain

    @pytest.mark.parametrize(
        ("value", "quoted"),
        [
            ("b", "b"),
            ("val/one", '"val/one"'),
            ("b c", '"b c"'),
            ("b;c", '"b\\073c"'),
            ("ü", '"\\374"'),
        ],
    )
    def test_given(self, value: str, quoted: str) -> None:
        """A value the program gives is quoted when it needs it, and what it stands for is the value."""
        jar = CookieJar()
        jar.update_cookies({"a": value})
        assert sent(jar, "https://a.example/") == f"a={quoted}"
        assert jar.filter_cookies(A)["a"].value == value

    @pytest.mark.parametrize(
        ("cookies", "expected", "quote"),
        [
            ('a="second"; Domain=127.0.0.1;', 'Cookie: a="second"', True),
            ("a=value/one;", 'Cookie: a="value/one"', True),
            ("a=value1;", "Cookie: a=value1", True),
            ("a=value/one;", "Cookie: a=value/one", False),
        ],
    )
    def test_simple_cookie(self, cookies: str, expected: str, quote: bool) -> None:
        """A SimpleCookie's values are quoted as aiohttp's jar quotes them."""
        jar = CookieJar(unsafe=True, quote_cookie=quote)
        jar.update_cookies(SimpleCookie(cookies))
        assert jar.quote_cookie is quote
        output = jar.filter_cookies(URL("http://127.0.0.1/")).output(header="Cookie:")
        assert output == expected


@pytest.mark.rows("S003-104")
class TestGiven:
    def test_shared(self) -> None:
        """Cookies given without a URL go to every host, addresses too, until the host sets its own."""
        jar = CookieJar()
        jar.update_cookies([("a", "1"), ("b", "2")])
        receive(jar, "a=site", "https://a.example/")
        assert sent(jar, "https://b.example/x") == "a=1; b=2"
        assert sent(jar, "http://127.0.0.1/") == "a=1; b=2"
        assert sent(jar, "https://a.example/") == "b=2; a=site"

    def test_for_a_host(self) -> None:
        """Cookies given with a URL are for its host alone and its directory."""
        jar = CookieJar()
        jar.update_cookies({"a": "1"}, URL("https://a.example/api/v1"))
        jar.update_cookies({"b": "1"}, "https://a.example/api/v1")
        assert sent(jar, "https://a.example/api/x") == "a=1; b=1"
        assert sent(jar, "https://a.example/") is None
        assert sent(jar, "https://x.a.example/api/") is None

    def test_address_needs_unsafe(self) -> None:
        """Cookies given for a host that is an address are stored by a jar with unsafe=True only."""
        for unsafe in (False, True):
            jar = CookieJar(unsafe=unsafe)
            jar.update_cookies({"a": "1"}, URL("http://127.0.0.1/"))
            assert jar.unsafe is unsafe
            assert len(jar) == unsafe

    def test_morsels(self) -> None:
        """A Morsel given without a URL is for the domain, path and time that it names."""
        clock = Clock()
        jar = CookieJar(clock=clock)
        jar.update_cookies(
            SimpleCookie(
                "a=1; Domain=site.example; Path=/x; Max-Age=9; Secure; HttpOnly; SameSite=Lax"
            )
        )
        assert sent(jar, "https://www.site.example/x") == "a=1"
        assert sent(jar, "http://www.site.example/x") is None
        assert sent(jar, "https://www.site.example/") is None
        morsel = next(iter(jar))
        assert (morsel["max-age"], morsel["samesite"], morsel["httponly"]) == ("9", "Lax", True)
        clock.now += 9
        assert len(list(jar)) == 0

    def test_the_view_is_live(self, tmp_path: Path) -> None:
        """What jar.cookies returned shows what came later, by load() too."""
        jar, saved = CookieJar(), CookieJar()
        saved.update_cookies({"saved": "1"}, URL("http://a.test/"))
        saved.save(tmp_path / "jar")
        view = jar.cookies
        assert (len(view), dict(view)) == (0, {})
        jar.update_cookies({"old": "1"}, URL("http://b.test/"))
        assert list(view) == [("b.test", "")]
        jar.load(tmp_path / "jar")
        assert view["a.test", ""]["saved"].value == "1"
        assert "1 domains" in repr(view)
        with pytest.raises(TypeError):
            view["a.test", ""] = SimpleCookie()  # type: ignore[index]

    def test_the_clock_is_looked_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a clock of its own the jar asks time.time as it is now, which tests replace."""
        jar = CookieJar()
        monkeypatch.setattr(time, "time", lambda: 1000.0)
        jar.update_cookies_from_headers(["a=1; Max-Age=10"], URL("http://a.test/"))
        assert jar.header_for(URL("http://a.test/")) == "a=1"
        monkeypatch.setattr(time, "time", lambda: 1010.0)
        assert jar.header_for(URL("http://a.test/")) is None

    def test_shared_cookies_without_a_url(self) -> None:
        """Those for every host are there when no URL is named."""
        jar = CookieJar()
        jar.update_cookies({"a": "1"})
        jar.update_cookies({"b": "2"}, URL("http://a.test/"))
        assert list(jar.filter_cookies()) == ["a"]

    def test_shared_morsel(self) -> None:
        """A Morsel without a domain goes to every host, below its path."""
        jar = CookieJar()
        jar.update_cookies(SimpleCookie("a=1; Path=/x"))
        assert sent(jar, "https://a.example/x/y") == "a=1"
        assert sent(jar, "https://a.example/") is None

    def test_relative_expires(self) -> None:
        """A number as the expires of a Morsel is seconds from now, as http.cookies has it."""
        cookie = SimpleCookie("a=1")
        cookie["a"]["expires"] = 60
        clock = Clock()
        jar = CookieJar(clock=clock)
        jar.update_cookies(cookie)
        clock.now += 59
        assert len(list(jar)) == 1
        clock.now += 1
        assert len(list(jar)) == 0

    @pytest.mark.parametrize(
        "cookie",
        [
            pytest.param("a=1; Domain=co.uk", id="CK-01"),
            pytest.param("a=1; Domain=.", id="CK-02"),
            pytest.param("a=1; Domain=..", id="CK-02"),
            pytest.param("a=1; Domain=x..example", id="CK-02"),
            pytest.param("a=1; Domain=a.example:443", id="CK-02"),
            pytest.param("a=1; Domain=127.0.0.1", id="CK-04"),
        ],
    )
    def test_morsel_of_a_domain_for_nobody(self, cookie: str) -> None:
        """A Morsel for a public suffix, an address or no domain at all goes to no other host."""
        jar = CookieJar()
        jar.update_cookies(SimpleCookie(cookie))
        for host in ("x.co.uk", "a.example", "a.127.0.0.1"):
            assert sent(jar, f"https://{host}/") is None
        assert all(morsel["domain"] in ("co.uk", "127.0.0.1") for morsel in jar)

    def test_morsels_of_a_response_follow_its_rules(self) -> None:
        """A Morsel given with a URL is judged as if that response had set it."""
        jar = CookieJar()
        jar.update_cookies(SimpleCookie("a=1; Secure"), URL("http://a.example/"))
        jar.update_cookies(SimpleCookie("a=1; Domain=b.example"), URL("https://a.example/"))
        jar.update_cookies(SimpleCookie("__Host-a=1; Secure"), URL("https://a.example/x/y"))
        assert len(jar) == 0

    @pytest.mark.parametrize("name", ["", "a b", "a;b", "a=b", 'a"b', "a,b", "a\n", "a\ud800"])
    def test_bad_names(self, name: str) -> None:
        """A name that would not be read back raises, and says which."""
        with pytest.raises(ValueError, match="cannot be stored"):
            CookieJar().update_cookies({name: "1"})

    @pytest.mark.parametrize(
        ("value", "quote"),
        [("a\r\nb", True), ("a\r\nb", False), ("a; b=1", False), ("a\x7fb", True)],
    )
    def test_bad_values(self, value: str, quote: bool) -> None:
        """A value that a Cookie field cannot carry raises, and leaves nothing."""
        jar = CookieJar(quote_cookie=quote)
        with pytest.raises(ValueError, match="'a' cannot be stored"):
            jar.update_cookies({"good": "1", "a": value})
        assert len(jar) == 0

    def test_over_a_secure_cookie(self) -> None:
        """What the program gives replaces a Secure cookie, for an http URL too; a Morsel does not."""
        jar = jar_of(["a=1; Secure; Path=/", "b=1; Secure; Path=/"])
        jar.update_cookies({"a": "2", "b": SimpleCookie("b=2; Path=/")["b"]}, "http://a.example/")
        assert sent(jar, "https://a.example/") == "a=2; b=1"

    def test_long_values(self) -> None:
        """A value that the program gives may be longer than one that a server may set."""
        jar = CookieJar()
        jar.update_cookies({"a": "x" * 5000})
        assert sent(jar, "https://a.example/") == "a=" + "x" * 5000

    @row("CK-12")
    def test_bad_morsels(self, row: str) -> None:
        """A Morsel that a Cookie field cannot carry is left out: a server may have made it."""
        bad: Morsel[str] = Morsel()
        bad.set("b", "x;y", '"x;y"')
        jar = CookieJar(quote_cookie=False)
        jar.update_cookies({"b": bad})
        assert len(jar) == 0

    def test_a_string(self) -> None:
        """A str is no set of cookies."""
        with pytest.raises(TypeError, match="found str"):
            CookieJar().update_cookies("a=1")  # type: ignore[arg-type]

    def test_prefix(self) -> None:
        """A value, plain or a Morsel, whose name promises Secure is sent to secure origins only."""
        for cookies in ({"__Host-a": "1"}, SimpleCookie("__Host-a=1")):
            jar = CookieJar()
            jar.update_cookies(cookies)
            assert sent(jar, "https://a.example/") == "__Host-a=1"
            assert sent(jar, "http://a.example/") is None


class TestContents:
    @pytest.mark.rows("S003-103", "S003-108")
    def test_iteration_and_length(self) -> None:
        """Iterating yields Morsels, oldest first; the length does not look at clocks."""
        clock = Clock()
        jar = jar_of(["a=1", "b=2; Max-Age=5"], clock=clock)
        clock.now += 5
        assert len(jar) == 2
        assert [(type(morsel), morsel.key) for morsel in jar] == [(Morsel, "a")]
        assert len(jar) == 1
        assert "1 cookies" in repr(jar)

    def test_morsel_has_the_dates_it_came_with(self) -> None:
        """A Morsel has Max-Age and Expires as they were received, and an empty text for what was not."""
        fields = ["a=1; Max-Age=60", "b=1; Expires=Fri, 01 Dec 2023 00:00:00 GMT", "c=1"]
        dates = [(morsel["max-age"], morsel["expires"]) for morsel in jar_of(fields)]
        assert dates == [("60", ""), ("", "Fri, 01 Dec 2023 00:00:00 GMT"), ("", "")]

    @pytest.mark.rows("S003-103")
    def test_properties(self) -> None:
        """The cookies by domain and path, and the host-only ones, read as aiohttp's jar shows them."""
        jar = jar_of(["a=1", "b=2; Domain=a.example; Path=/x/"])
        assert set(jar.cookies) == {("a.example", ""), ("a.example", "/x")}
        assert jar.cookies["a.example", ""]["a"].value == "1"
        assert jar.host_only_cookies == {("a.example", "", "a")}

    def test_values_are_secrets(self, caplog: pytest.LogCaptureFixture) -> None:
        """Neither a repr nor the log, which names what was left out and why, shows a value."""
        caplog.set_level(logging.DEBUG)
        fields = [
            "a=secret; Domain=co.uk",
            "b=secret\x07",
            "c=secret; Secure; HttpOnly",
            "__Host-d=secret",
        ]
        jar = jar_of([*fields, f"e=secret{'x' * 5000}"], "http://a.example/")
        receive(jar, "f=secret; Secure", "https://a.example/")
        receive(
            jar, [f"f{number}=secret" for number in range(60)] + ["f=secret"], "http://a.example/"
        )
        receive(jar, "f=secret", "http://a.example/")
        assert "cookie 'f' from a.example was left out: a Secure one has its place" in caplog.text
        assert "secret" not in caplog.text + repr(jar)
        cookie = Cookie(
            "a", "secret", "secret", domain="a.example", path="/x", host_only=True, secure=True
        )
        assert repr(cookie) == "<Cookie a of a.example/x host-only secure>"

    @pytest.mark.rows("S003-108")
    def test_clear(self) -> None:
        """Clearing takes all, or what a predicate picks; it may use the jar meanwhile."""
        jar = jar_of(["a=1", "b=2", "c=3"])
        jar.clear(lambda morsel: len(jar) == 3 and morsel.value > "1")
        assert held(jar) == {("a", "1", "a.example")}
        jar.clear()
        assert len(jar) == 0
        assert sent(jar, "https://a.example/") is None

    @pytest.mark.rows("S003-108")
    @pytest.mark.parametrize("domain", ["site.example", ".site.example", "SITE.example"])
    def test_clear_domain(self, domain: str) -> None:
        """Clearing a domain takes its cookies and its subdomains', and no others."""
        jar = jar_of("a=1", "https://site.example/")
        for host in ("www.site.example", "badsite.example", "example"):
            receive(jar, "a=1", f"https://{host}/")
        jar.update_cookies({"a": "1"})
        jar.clear_domain(domain)
        assert {morsel["domain"] for morsel in jar} == {"badsite.example", "example", ""}

    @row("CK-16")
    def test_changed_while_iterating(self, row: str) -> None:
        """An iteration goes over the cookies there were at its start, whatever happens meanwhile."""
        jar = jar_of([f"c{number}=1" for number in range(50)])
        seen = []
        for morsel in jar:
            seen.append(morsel.key)
            receive(jar, f"new{morsel.key}=1", "https://a.example/")
            jar.clear_domain("a.example")
        assert seen == [f"c{number}" for number in range(50)]

    @row("CK-16")
    def test_used_by_threads(self, row: str) -> None:
        """Threads that set, read, iterate, save and clear at once neither fail nor spoil the jar."""
        jar = CookieJar(max_cookies=200)
        failures: list[BaseException] = []
        start = threading.Barrier(4)

        def work(thread: int) -> None:
            try:
                start.wait()
                for number in range(1000):
                    url = f"https://h{number % 7}.example/{thread}"
                    receive(jar, f"c{number % 90}={thread}; Path=/; Max-Age={number}", url)
                    header = jar.header_for(URL(url))
                    assert header is None or "=" in header
                    jar.filter_cookies(URL(url))
                    if number % 50 == 0:
                        assert all(morsel.key for morsel in jar)
                        jar.clear_domain(f"h{number % 7}.example")
            except BaseException as error:  # noqa: BLE001 - reported below
                failures.append(error)

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(before)
        assert failures == []
        assert len(list(jar)) == len(jar) <= 200

    @row("CK-16")
    def test_chosen_at_one_moment(self, row: str) -> None:
        """A thread that sets a cookie while another one chooses among them comes after that one."""
        jar = jar_of(["a=1; Path=/", "b=1; Path=/x"])
        url = "https://a.example/x/y"
        other = threading.Thread(target=receive, args=(jar, "c=1; Path=/x/y", url))

        def profile(frame: FrameType, event: str, argument: object) -> None:
            if frame.f_code is path_matches.__code__ and other.ident is None:
                other.start()
                # It must not get far. Were it allowed to, it would be done long before.
                other.join(0.05)

        sys.setprofile(profile)
        try:
            header = jar.header_for(URL(url))
        finally:
            sys.setprofile(None)
        other.join()
        assert header == "b=1; a=1"
        assert sent(jar, url) == "c=1; b=1; a=1"


@pytest.mark.rows("S003-107")
class TestDummy:
    def test_keeps_nothing(self) -> None:
        """A dummy jar takes everything and holds nothing."""
        jar = DummyCookieJar(loop=None)
        jar.update_cookies({"a": "1"})
        jar.update_cookies_from_headers(["a=1"], A)
        jar.clear()
        jar.clear_domain("a.example")
        assert (len(jar), list(jar), dict(jar.cookies), jar.host_only_cookies) == (
            0,
            [],
            {},
            frozenset(),
        )
        assert jar.filter_cookies(A) == SimpleCookie()
        assert (jar.unsafe, jar.quote_cookie, jar.treat_as_secure_origin) == (
            False,
            True,
            frozenset(),
        )
        assert jar.header_for(A) is None
        assert jar.header_for(A, {"a": "1"}) == "a=1"


class TestCost:
    @staticmethod
    def costs(size: int, path: str) -> dict[str, int]:
        """Count the steps of each operation in a jar of *size* cookies, 10 of which are the host's."""
        jar = CookieJar(max_cookies=20_000, max_cookies_per_domain=20_000, clock=Clock())
        url = "https://api.site.example/v1/x"
        receive(jar, [f"c{number}=1; Path={path}; Max-Age=60" for number in range(10)], url)
        for number in range((size - 10) // 2):
            # Others of the same names: under the same parent, and on the same host below other paths.
            receive(
                jar, f"c{number % 10}=1; Secure; Max-Age=60", f"https://h{number}.site.example/"
            )
            receive(jar, f"c{number % 10}=1; Path=/p{number}; Max-Age=60", url)
        assert len(jar) == size
        assert len((sent(jar, url) or "").split("; ")) == 10
        asked = URL(url)
        same, fresh = [f"c1=1; Path={path}; Max-Age=60"], [f"c1=2; Path={path}; Max-Age=90"]
        insecure = URL("http://api.site.example/v1/x")
        counts = {
            "again": opcodes(lambda: jar.header_for(asked)),
            "by name": opcodes(lambda: jar.filter_cookies(asked)),
            "the same": opcodes(lambda: jar.update_cookies_from_headers(same, asked)),
            "another value": opcodes(lambda: jar.update_cookies_from_headers(fresh, asked)),
            "after a change": opcodes(lambda: jar.header_for(asked)),
            "insecure": opcodes(lambda: jar.update_cookies_from_headers(same, insecure)),
            "length": opcodes(lambda: len(jar)),
        }
        return counts

    @pytest.mark.parametrize("path", ["/", "/v1"])
    def test_size_does_not_matter(self, path: str) -> None:
        """Sending and setting take at most half as many steps more with 10,000 cookies than with 10."""
        small, large = self.costs(10, path), self.costs(10_000, path)
        for operation, count in small.items():
            assert large[operation] <= 1.5 * count, operation

    def test_expiry_takes_log_n(self) -> None:
        """Dropping one expired cookie of ten thousand takes a few steps more than of ten."""

        def cost(size: int) -> int:
            clock = Clock()
            jar = jar_of([], clock=clock, max_cookies=20_000)
            for number in range(size):
                receive(jar, f"a=1; Max-Age={60 + number}", f"https://h{number}.example/")
            clock.now += 60
            asked = URL("https://h1.example/")
            count = opcodes(lambda: jar.header_for(asked))
            assert len(jar) == size - 1
            return count

        assert cost(10_000) <= 1.5 * cost(10)


class TestInSessions:
    @row("CK-14")
    async def test_only_final_responses_of_the_origin_set_cookies(self, row: str) -> None:
        """Each hop's final head sets cookies; interim responses and trailers do not."""

        async def answer(conn: RawConnection, request: RawRequest) -> None:
            if request.target == "/first":
                conn.send(
                    b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: early=1\r\n\r\n"
                    b"HTTP/1.1 302 Found\r\nSet-Cookie: hop=1\r\nLocation: /second\r\n"
                    b"Content-Length: 0\r\n\r\n"
                )
            else:
                conn.send(
                    b"HTTP/1.1 200 OK\r\nSet-Cookie: final=1\r\nTransfer-Encoding: chunked\r\n"
                    b"Trailer: Set-Cookie\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: trailer=1\r\n\r\n"
                )

        jar = CookieJar(unsafe=True)
        async with (
            RawServer.replies([answer], repeat=True) as server,
            ClientSession(cookie_jar=jar) as session,
        ):
            async with session.get(server.url("/first")) as response:
                assert await response.text() == "ok"
            async with session.get(server.url("/third")) as response:
                await response.read()
            assert [request.value("Cookie") for request in server.requests] == [
                None,
                "hop=1",
                "hop=1; final=1",
            ]

    @row("CK-12")
    async def test_requests_go_on_after_bad_cookies(self, row: str) -> None:
        """Whatever a response tried to set, the next request is sent."""

        async def answer(conn: RawConnection, request: RawRequest) -> None:
            conn.send(
                b'HTTP/1.1 200 OK\r\nSet-Cookie: a="\\012"\r\nSet-Cookie: b=\xff\r\nSet-Cookie: c=1\r\n'
                b"Set-Cookie: nameless\r\nContent-Length: 0\r\n\r\n"
            )

        jar = CookieJar(unsafe=True)
        async with (
            RawServer.replies([answer], repeat=True) as server,
            ClientSession(cookie_jar=jar) as session,
        ):
            for _ in range(2):
                async with session.get(server.url("/")) as response:
                    assert response.status == 200
            assert "c=1" in (server.requests[1].value("Cookie") or "")

    async def test_in_a_session_of_aiohttp(self) -> None:
        """An aiohttp session takes the jar: it stores, sends and mixes in the request's own cookies."""

        async def answer(conn: RawConnection, request: RawRequest) -> None:
            conn.send(
                b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=\xff\r\nContent-Length: 0\r\n\r\n"
            )

        jar = CookieJar(unsafe=True)
        async with (
            RawServer.replies([answer], repeat=True) as server,
            aiohttp.ClientSession(cookie_jar=jar, cookies={"s": "1"}) as session,
        ):
            async with session.get(server.url("/")) as response:
                assert response.status == 200
            async with session.get(server.url("/"), cookies={"r": "1"}) as response:
                assert response.status == 200
            values = [request.value("Cookie") for request in server.requests]
            assert values[0] == "s=1"
            assert set((values[1] or "").split("; ")) == {"s=1", "a=1", "r=1"}

    @pytest.mark.rows("S003-103")
    async def test_no_loop_is_needed(self) -> None:
        """Jars are made with or without a running loop, and know no loop."""
        jars: list[AbstractCookieJar] = [CookieJar(), DummyCookieJar()]
        jars += await asyncio.to_thread(lambda: [CookieJar(loop=None), DummyCookieJar(loop=None)])
        assert all(isinstance(jar, AbstractCookieJar) for jar in jars)
