"""Logins of proxies from a netrc file: by the proxy's host, and only where nothing else was said."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

import aioclient
from aioclient import DIRECT, ClientSession, Proxy
from aioclient.connectors.proxies.decide import Always, WithLogins
from aioclient.message.origin import origin_of
from aioclient.message.proxy import ProxyLogin
from aioclient.testing import RawServer

from ...loopback import names
from ...servers.certificates import Certificates
from .parts import OK, fetch, tunnel

pytestmark = [pytest.mark.both_loops, pytest.mark.rows("S003-16")]


def basic(pair: str) -> list[str]:
    return ["Basic " + base64.b64encode(pair.encode()).decode()]


@pytest.fixture
def netrc(tmp_path: Path) -> Path:
    """A file that knows a proxy and an origin."""
    path = tmp_path / "netrc"
    path.write_text(
        "machine p.test login ann password at-proxy\nmachine a.test login bob password at-origin\n"
    )
    path.chmod(0o600)
    return path


class TestLogins:
    async def test_forwarding(self, netrc: Path) -> None:
        """Each gets its own: the proxy its login, the server behind it the other."""
        async with (
            RawServer.replies([OK], repeat=True) as proxy,
            ClientSession(
                connector=names(), netrc=netrc, proxy=proxy.url(host="p.test")
            ) as session,
        ):
            await fetch(session, "http://a.test/")
            await fetch(session, "http://b.test/")
            first, second = proxy.requests
            assert first.values("Proxy-Authorization") == basic("ann:at-proxy")
            assert first.values("Authorization") == basic("bob:at-origin")
            assert second.values("Proxy-Authorization") == basic("ann:at-proxy")
            assert second.values("Authorization") == []

    async def test_tunnel(self, netrc: Path, certificates: Certificates) -> None:
        """The request for a tunnel has the login, what goes through it has not."""
        async with (
            RawServer(tunnel(certificates.server_context())) as proxy,
            ClientSession(
                connector=names(), netrc=netrc, proxy=proxy.url(host="p.test")
            ) as session,
        ):
            await fetch(session, "https://localhost/", ssl=certificates.client_context())
            asked, sent = proxy.requests
            assert asked.values("Proxy-Authorization") == basic("ann:at-proxy")
            assert sent.values("Proxy-Authorization") == []

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            pytest.param({"proxy_auth": ("cat", "own")}, basic("cat:own"), id="AUTH-01-proxy_auth"),
            pytest.param(
                {"headers": {"Proxy-Authorization": "Bearer x"}}, ["Bearer x"], id="AUTH-01-headers"
            ),
            pytest.param(
                {"proxy_headers": {"Proxy-Authorization": "Bearer y"}},
                ["Bearer y"],
                id="AUTH-01-proxy_headers",
            ),
            pytest.param({"proxy_headers": {"X-A": "b"}}, basic("ann:at-proxy"), id="PRX-01-other"),
        ],
    )
    async def test_what_is_said_goes_first(
        self, netrc: Path, more: dict[str, Any], expected: list[str]
    ) -> None:
        """A login of the call's own is not replaced, and other fields for the proxy go along with the file's."""
        async with (
            RawServer.replies([OK], repeat=True) as proxy,
            ClientSession(
                connector=names(), netrc=netrc, proxy=proxy.url(host="p.test")
            ) as session,
        ):
            await fetch(session, "http://c.test/", **more)
            (request,) = proxy.requests
            assert request.values("Proxy-Authorization") == expected
            if "X-A" in more.get("proxy_headers", ()):
                assert request.values("X-A") == ["b"]

    @pytest.mark.rows("AUTH-01")
    async def test_other_hosts(self, netrc: Path) -> None:
        """A proxy that the file does not name gets nothing, nor does a server reached directly."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(connector=names(), netrc=netrc) as session,
        ):
            await fetch(session, "http://c.test/", proxy=server.url(host="q.test"))
            await fetch(session, "http://c.test/", proxy=Proxy(server.url(host="ap.test")))
            await fetch(session, server.url(host="p.test"), proxy=DIRECT)
            requests = server.requests
            assert [request.values("Proxy-Authorization") for request in requests] == [[], [], []]

    async def test_a_request_with_credentials_of_its_own(self, netrc: Path) -> None:
        """They are for the server: the file is looked at for the proxy all the same."""
        async with (
            RawServer.replies([OK]) as proxy,
            ClientSession(
                connector=names(), netrc=netrc, proxy=proxy.url(host="p.test")
            ) as session,
        ):
            await fetch(session, "http://c.test/", auth=("dan", "own"))
            (request,) = proxy.requests
            assert request.values("Authorization") == basic("dan:own")
            assert request.values("Proxy-Authorization") == basic("ann:at-proxy")

    def test_other_kinds_of_proxies(self) -> None:
        """SOCKS has logins of another kind, which no netrc file holds."""
        origin = origin_of(URL("http://c.test/"))
        for url, login in (
            ("socks5h://p.test", None),
            ("http://p.test", ProxyLogin("ann", "at-proxy")),
        ):
            table = WithLogins(Always(Proxy(url)), lambda host: ("ann", "at-proxy"))
            chosen = table.choose(origin)
            assert chosen is not None
            assert chosen.auth == login

    async def test_environment(self, netrc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """trust_env has both: the proxy of the environment, and its login of the file."""
        async with RawServer.replies([OK], repeat=True) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url(host="p.test"))
            monkeypatch.setenv("NETRC", os.fspath(netrc))
            async with ClientSession(connector=names(), trust_env=True) as session:
                await fetch(session, "http://c.test/")
            async with ClientSession(connector=names(), env_proxies=True) as session:
                await fetch(session, "http://c.test/")
            requests = proxy.requests
            assert [request.values("Proxy-Authorization") for request in requests] == [
                basic("ann:at-proxy"),
                [],
            ]


async def test_resolve_of_a_session() -> None:
    """A session's own connector takes addresses that are not looked up; with another one they are refused."""
    async with RawServer.replies([OK]) as server:
        port = server.port
        async with ClientSession(resolve={f"nowhere.test:{port}": "127.0.0.1"}) as session:
            assert await fetch(session, f"http://nowhere.test:{port}/") == b"ok"
        with pytest.raises(ValueError, match="TCPConnector\\(resolve=\\.\\.\\.\\)"):
            aioclient.ClientSession(
                connector=names(), resolve={f"nowhere.test:{port}": "127.0.0.1"}
            )
