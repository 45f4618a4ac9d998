"""The cookies of a blocking session by name."""

import aiohttp
import pytest

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


def test_cookies_of_a_session_given_to_a_call(server: Server, session: Session) -> None:
    with Session() as other:
        other.cookies.set("a", "1", domain="elsewhere.test")
        got = sent(session.get(f"{server.url}/echo", cookies=other.cookies))
    assert got["cookies"] == {"a": "1"}


async def test_a_jar_of_aiohttp(server: Server) -> None:
    """It needs an event loop to be made; requests that are prepared get its cookies, too."""
    with Session(cookie_jar=aiohttp.CookieJar()) as session:
        session.cookies.set("a", "1")
        assert sent(session.get(f"{server.url}/echo"))["cookies"] == {"a": "1"}
        prepared = session.prepare_request(Request("GET", f"{server.url}/echo"))
        assert prepared.headers["Cookie"] == "a=1"
        assert sent(session.send(prepared))["cookies"] == {"a": "1"}
