"""Transports by URL, proxies, and WebSockets of the blocking session."""

import asyncio
from typing import Any

import pytest
import requests.adapters
from aiohttp import WSMsgType
from yarl import URL

import aioclient
from aioclient.sync import Session
from aioclient.sync.mounts import prefix_of
from tests.servers.proxies import LOGIN, Tinyproxy

from .conftest import Server, sent


class Canned:
    """A transport that answers by itself."""

    closed = False

    def __init__(self, name: str) -> None:
        self.name = name

    def bind(self, loop: Any) -> None:
        """Belong to any."""

    async def send(self, request: Any) -> Any:
        return aioclient.ClientResponse.from_parts(request, 200, body=self.name.encode())

    async def close(self) -> None:
        self.closed = True

    def statistics(self) -> object:
        return self.name


@pytest.mark.parametrize(
    ("prefix", "url", "covered"),
    [
        ("https://", "https://a.test/x", True),
        ("https://", "http://a.test/x", False),
        ("HTTP://A.test", "http://a.test/x", True),
        ("http://a.test", "http://a.test.evil/x", False),
        ("http://a.test", "http://a.test:81/x", False),
        ("http://a.test:80", "http://a.test/", True),
        ("http://a.test", "http://a.test@evil.test/", False),
        ("http://a.test/v1", "http://a.test/v1", True),
        ("http://a.test/v1", "http://a.test/v1/x", True),
        ("http://a.test/v1", "http://a.test/v10", False),
        ("http://a.test/v1/", "http://a.test/v1/x", True),
    ],
)
def test_a_prefix_ends_at_a_boundary(prefix: str, url: str, covered: bool) -> None:
    assert prefix_of(prefix).covers(URL(url)) is covered


@pytest.mark.parametrize("prefix", ["ftp://a.test", "a.test", "", "https:a"])
def test_prefixes_that_are_none(prefix: str) -> None:
    with pytest.raises(ValueError, match="mounted at http"):
        prefix_of(prefix)


def test_the_longest_prefix_counts(server: Server, session: Session) -> None:
    session.headers["x"] = "kept"
    assert session.get(f"{server.url}/echo").ok
    session.mount("http://a.test", Canned("host"))
    session.mount("http://", Canned("scheme"))
    session.mount("http://a.test/v1", lambda: Canned("path"))
    session.mount(server.url, aioclient.TCPConnector())
    assert session.get("http://a.test/v1/x").text == "path"
    assert session.get("http://a.test/v2").text == "host"
    assert session.get("http://b.test/").text == "scheme"
    assert sent(session.get(f"{server.url}/echo"))["headers"]["x"] == "kept"
    replaced = Canned("other")
    session.mount("http://a.test", replaced)
    assert session.get("http://a.test/v2").text == "other"
    session.close()
    assert replaced.closed


def test_what_is_mounted_is_made_by_its_class(server: Server, session: Session) -> None:
    session.mount("http://", aioclient.TCPConnector)
    assert session.get(f"{server.url}/echo").ok


def test_a_transport_is_closed_when_it_is_replaced(session: Session) -> None:
    """But not while it is mounted at another prefix."""
    first, second = Canned("first"), Canned("second")
    session.mount("http://a.test", first)
    session.mount("http://b.test", first)
    session.mount("http://a.test", second)
    assert session.get("http://b.test").text == "first"
    session.mount("http://b.test", second)
    assert first.closed
    assert session.get("http://b.test").text == "second"


@pytest.mark.parametrize("given", [requests.adapters.HTTPAdapter(), 5, None, lambda: 5])
def test_what_is_no_transport_is_not_mounted(server: Server, session: Session, given: Any) -> None:
    with pytest.raises(TypeError, match="transport must be one of aioclient's, such as"):
        session.mount("http://", given)
    assert session.get(f"{server.url}/echo").ok


def test_a_transport_of_another_loop_is_not_mounted(server: Server, session: Session) -> None:
    """The session stays as it was."""
    connector = aioclient.TCPConnector()

    async def use() -> None:
        async with aioclient.ClientSession(connector=connector, connector_owner=False) as other:
            await other.get(f"{server.url}/echo")
            with pytest.raises(RuntimeError, match="another event loop"):
                session.mount("http://", connector)
        await connector.close()

    asyncio.run(use())
    session.mount("http://a.test", Canned("there"))
    assert session.get("http://a.test").text == "there"
    assert session.get(f"{server.url}/echo").ok


def test_a_redirect_goes_by_the_transport_of_its_target(server: Server, session: Session) -> None:
    session.mount("http://a.test", Canned("there"))
    response = session.get(f"{server.url}/moved?status=302&to=http://a.test/")
    assert response.text == "there"


def _url(proxy: Tinyproxy) -> str:
    return f"http://{LOGIN[0]}:{LOGIN[1]}@127.0.0.1:{proxy.ports['port']}"


def test_proxies_of_session_and_call(
    server: Server, session: Session, tinyproxy: Tinyproxy
) -> None:
    by = _url(tinyproxy)
    assert "Via" not in sent(session.get(f"{server.origin}/echo"))["headers"]
    got = sent(session.get(f"{server.origin}/echo", proxies={"http": by}))
    assert "Via" in got["headers"]
    session.proxies["http"] = by
    assert "Via" in sent(session.get(f"{server.origin}/echo"))["headers"]
    others = {"https": "http://127.0.0.1:1"}  # the session's counts for what they do not name
    assert "Via" in sent(session.get(f"{server.origin}/echo", proxies=others))["headers"]
    got = sent(session.get(f"{server.origin}/echo", proxies={"no_proxy": "127.0.0.1"}))
    assert "Via" not in got["headers"]


def test_the_environment_s_proxies(
    server: Server, tinyproxy: Tinyproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", _url(tinyproxy))
    monkeypatch.setenv("http_proxy", _url(tinyproxy))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Session() as session:
        assert "Via" not in sent(session.get(f"{server.origin}/echo"))["headers"]
        session.trust_env = True
        assert session.trust_env
        assert "Via" in sent(session.get(f"{server.origin}/echo"))["headers"]


class TestWebSockets:
    def test_messages(self, server: Server, session: Session) -> None:
        with session.ws_connect(f"{server.url}/chat", protocols=("chat",)) as ws:
            assert ws.protocol == "chat"
            ws.send_str("a")
            assert ws.receive_str() == "a"
            ws.send_bytes(b"b")
            assert ws.receive_bytes() == b"b"
            ws.send_json([1])
            assert ws.receive_json() == [1]
            ws.ping()
            assert not ws.closed
        assert ws.closed
        assert ws.close_code == 1000

    def test_until_the_server_closes(self, server: Server, session: Session) -> None:
        with session.ws_connect(f"{server.url}/chat") as ws:
            ws.send_str("hi")
            ws.send_str("bye")
            assert [message.data for message in ws] == ["hi", "bye"]
            assert ws.receive().type is WSMsgType.CLOSED
        assert ws.close_code == 4000

    def test_a_limit_to_the_wait(self, server: Server, session: Session) -> None:
        with session.ws_connect(f"{server.url}/chat") as ws:
            with pytest.raises(aioclient.WSReceiveTimeoutError):
                ws.receive(timeout=1e-9)
            ws.send_str("still open")
            assert ws.receive_str() == "still open"

    def test_a_refusal(self, server: Server, session: Session) -> None:
        with pytest.raises(aioclient.HandshakeRefusedError):
            session.ws_connect(f"{server.url}/echo")
