"""The cookies of a blocking session by name."""

import time
from http.cookiejar import Cookie
from http.cookiejar import CookieJar as CookieJarOfPython
from typing import Any

import aiohttp
import pytest
from yarl import URL

from aioclient import CookieJar
from aioclient.sync import CookieConflictError, Request, Session

from .conftest import Server, sent


def test_as_a_mapping(session: Session) -> None:
    cookies = session.cookies
    cookies.set("a", "1", domain="a.test")
    cookies["b"] = "2"
    assert dict(cookies) == {"a": "1", "b": "2"}
    assert cookies.get("a") == "1"
    assert cookies.get("none") is None
    assert cookies.get("none", "else") == "else"
    assert cookies.get_dict(domain="a.test") == {"a": "1"}
    assert cookies.list_domains() == ["a.test"]
    assert cookies.list_paths() == ["/"]
    assert len(cookies) == 2
    del cookies["a"]
    assert "a" not in cookies
    with pytest.raises(KeyError):
        del cookies["a"]
    with pytest.raises(KeyError):
        cookies["a"]
    cookies.set("b", None)
    assert dict(cookies) == {}


def test_two_of_one_name(session: Session) -> None:
    session.cookies.set("a", "1", domain="a.test")
    session.cookies.set("a", "2", domain="b.test", path="/x")
    with pytest.raises(CookieConflictError, match="say domain= or path="):
        session.cookies["a"]
    assert session.cookies.get("a", domain="b.test") == "2"
    assert session.cookies.get("a", path="/") == "1"


def test_replaced_and_updated(server: Server, session: Session) -> None:
    session.cookies = {"a": "1"}
    session.cookies.update({"b": "2"}, c="3")
    assert sent(session.get(f"{server.url}/echo"))["cookies"] == {"a": "1", "b": "2", "c": "3"}
    with Session() as other:
        other.cookies.set("d", "4", domain="localhost")
        other.cookies.update(session.cookies)
        assert dict(other.cookies) == {"a": "1", "b": "2", "c": "3", "d": "4"}
        other.cookies.clear()
        assert "no domain" in repr(other.cookies)


def test_a_jar_of_one_s_own(server: Server) -> None:
    jar = CookieJar(unsafe=True)
    with Session(cookie_jar=jar, cookies={"a": "1"}, base_url=server.origin + "/") as session:
        assert sent(session.get("echo"))["cookies"] == {"a": "1"}
        assert session.cookies.jar is jar


@pytest.mark.parametrize("kind", ["session's", "jar", "standard"])
def test_cookies_of_a_jar_given_to_a_call(server: Server, session: Session, kind: str) -> None:
    """Only those are sent that belong to the URL."""
    with Session() as other:
        for domain, name in (("other.test", "a"), ("localhost", "b")):
            other.cookies.set(name, "1", domain=domain)
        other.cookies["c"] = "2"
        given: Any = other.cookies if kind == "session's" else other.cookies.jar
        if kind == "standard":
            given = CookieJarOfPython()
            given.set_cookie(made("a", "1", "other.test"))
            given.set_cookie(made("b", "1", "localhost.local"))
            given.set_cookie(made("c", "2", ".localhost", domain_specified=True))
            given.set_cookie(made("d", "3", "localhost", path="/other"))
            given.set_cookie(made("e", "4", "localhost", expires=1))
        session.cookies["f"] = "5"
        expected = {"b": "1", "c": "2", "f": "5"}
        assert sent(session.get(f"{server.url}/echo", cookies=given))["cookies"] == expected
        request = Request("GET", f"{server.url}/echo", cookies=given)
        assert sent(session.send(session.prepare_request(request)))["cookies"] == expected
    assert dict(session.cookies) == {"f": "5"}


def test_a_jar_of_the_standard_library_is_taken_over(server: Server) -> None:
    """With hosts, paths, ends and the secure mark."""
    jar = CookieJarOfPython()
    end = int(time.time()) + 1000
    jar.set_cookie(made("a", "1", ".a.test", path="/x", expires=end, domain_specified=True))
    jar.set_cookie(made("b", "2", "a.test", secure=True))
    with Session(cookies=jar) as session:
        held = {morsel.key: morsel for morsel in session.cookies.jar}
        assert held["a"]["path"] == "/x"
        assert held["b"]["secure"]
        urls = ("http://sub.a.test/x", "https://a.test/", "https://sub.a.test/", "http://b.test/x")
        found = [sorted(session.cookies.jar.filter_cookies(URL(url))) for url in urls]
        assert found == [["a"], ["b"], [], []]


def made(name: str, value: str, domain: str, **settings: Any) -> Cookie:
    """Return a cookie of the standard library."""
    whole: dict[str, Any] = {
        "version": 0,
        "port": None,
        "port_specified": False,
        "domain_specified": False,
        "domain_initial_dot": domain.startswith("."),
        "path": "/",
        "path_specified": True,
        "secure": False,
        "expires": None,
        "discard": False,
        "comment": None,
        "comment_url": None,
        "rest": {},
        **settings,
    }
    return Cookie(name=name, value=value, domain=domain, **whole)


async def test_a_jar_of_aiohttp(server: Server) -> None:
    """It needs an event loop to be made; requests that are prepared get its cookies, too."""
    with Session(cookie_jar=aiohttp.CookieJar()) as session:
        session.cookies.set("a", "1")
        assert sent(session.get(f"{server.url}/echo"))["cookies"] == {"a": "1"}
        prepared = session.prepare_request(Request("GET", f"{server.url}/echo"))
        assert prepared.headers["Cookie"] == "a=1"
        assert sent(session.send(prepared))["cookies"] == {"a": "1"}
