"""Real proxies: squid, tinyproxy with and without TLS, dante and microsocks, in front of nginx."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import aioclient
from aioclient import BasicAuth, ClientSession, ProxyDigestAuth, TCPConnector

from .servers.app import serve_application
from .servers.certificates import Certificates
from .servers.nginx import JSON, Nginx
from .servers.proxies import LOGIN, Dante, Microsocks, Squid, Stunnel, Tinyproxy

pytestmark = pytest.mark.both_loops

USER = ":".join(LOGIN)


class Ways:
    """URLs of the proxies."""

    def __init__(
        self,
        squid: Squid,
        tinyproxy: Tinyproxy,
        https_proxy: Stunnel,
        dante: Dante,
        microsocks: Microsocks,
    ) -> None:
        self.urls = {
            "squid": f"http://127.0.0.1:{squid.ports['open']}",
            "squid-basic": f"http://{USER}@127.0.0.1:{squid.ports['closed']}",
            "squid-closed": f"http://127.0.0.1:{squid.ports['closed']}",
            "tinyproxy-basic": f"http://{USER}@127.0.0.1:{tinyproxy.ports['port']}",
            "tinyproxy-closed": f"http://127.0.0.1:{tinyproxy.ports['port']}",
            "https-basic": f"https://{USER}@localhost:{https_proxy.ports['port']}",
            "https-closed": f"https://localhost:{https_proxy.ports['port']}",
            "dante-socks4": f"socks4://127.0.0.1:{dante.ports['port']}",
            "dante-socks4a": f"socks4a://127.0.0.1:{dante.ports['port']}",
            "dante-socks5": f"socks5://127.0.0.1:{dante.ports['port']}",
            "dante-socks5h": f"socks5h://127.0.0.1:{dante.ports['port']}",
            "microsocks-login": f"socks5h://{USER}@127.0.0.1:{microsocks.ports['port']}",
            "microsocks-closed": f"socks5h://127.0.0.1:{microsocks.ports['port']}",
        }

    def __getitem__(self, name: str) -> str:
        return self.urls[name]


@pytest.fixture
def ways(
    squid: Squid, tinyproxy: Tinyproxy, https_proxy: Stunnel, dante: Dante, microsocks: Microsocks
) -> Ways:
    """URLs of the proxies."""
    return Ways(squid, tinyproxy, https_proxy, dante, microsocks)


@pytest.fixture
def make(certificates: Certificates) -> Callable[..., ClientSession]:
    """Make a session that trusts the test's certificates, of proxies and of nginx."""

    def session(*, force_close: bool = False, **more: Any) -> ClientSession:
        context = certificates.client_context()
        connector = TCPConnector(ssl=context, force_close=force_close)
        return ClientSession(connector=connector, proxy_ssl=context, **more)

    return session


async def fetch(session: ClientSession, url: str, **more: Any) -> bytes:
    method = more.pop("method", "GET")
    async with session.request(method, url, **more) as response:
        assert response.status == 200, await response.text()
        return await response.read()


def _by_address(url: Callable[[str], str]) -> Callable[[str], str]:
    return lambda path: url(path).replace("localhost", "127.0.0.1")


OPEN = [
    pytest.param("squid", id="S003-37-squid"),
    pytest.param("squid-basic", id="S003-38-squid"),
    pytest.param("tinyproxy-basic", id="S003-38-tinyproxy"),
    pytest.param("https-basic", id="S003-38-https"),
    pytest.param("dante-socks4", id="S003-37-socks4"),
    pytest.param("dante-socks4a", id="S003-37-socks4a"),
    pytest.param("dante-socks5", id="S003-37-socks5"),
    pytest.param("dante-socks5h", id="S003-37-socks5h"),
    pytest.param("microsocks-login", id="S003-38-socks5h"),
]


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("name", OPEN)
async def test_requests(
    ways: Ways, nginx: Nginx, make: Callable[..., ClientSession], name: str, tls: bool
) -> None:
    """Small and large, one after the other and at the same time, down and up: all arrives."""
    url = nginx.tls_url if tls else nginx.url
    if name == "dante-socks4a":
        # To dante localhost is ::1 first, for which SOCKS4 has no room.
        url = _by_address(url)
    # tinyproxy closes each connection on which it has forwarded, without a word.
    brief = not tls and name in ("tinyproxy-basic", "https-basic")
    async with make(proxy=ways[name], force_close=brief) as session:
        assert await fetch(session, url("/json")) == JSON
        assert await fetch(session, url("/gzip-static")) != b""
        found = await asyncio.gather(*(fetch(session, url("/file/1k")) for _ in range(20)))
        assert set(found) == {nginx.file("1k")}
        assert await fetch(session, url("/file/20m")) == nginx.file("20m")
        body = nginx.file("1m")
        assert await fetch(session, url("/upload"), method="POST", data=body) == b"%d" % len(body)
        assert await fetch(session, url("/json")) == JSON
        assert session.connector is not None
        numbers = session.connector.statistics()
        assert (numbers.in_use, numbers.waiting) == (0, 0)
        assert brief or numbers.reused > 0


@pytest.mark.parametrize(
    "name", ["squid", "https-basic", "dante-socks4a", "dante-socks5h", "microsocks-login"]
)
async def test_http2(ways: Ways, nginx: Nginx, certificates: Certificates, name: str) -> None:
    """Within a tunnel, many requests share one connection of HTTP/2; the proxy notices nothing."""
    context = certificates.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    connector = TCPConnector(ssl=context)
    url = f"https://{'127.0.0.1' if name == 'dante-socks4a' else 'localhost'}:{nginx.http2_port}"
    proxy_ssl = certificates.client_context()
    async with ClientSession(
        url, connector=connector, http2=True, proxy=ways[name], proxy_ssl=proxy_ssl
    ) as session:

        async def fetch_file() -> bytes:
            async with session.get("/file/20m") as response:
                assert response.version == (2, 0)
                return await response.read()

        found = await asyncio.gather(*(fetch(session, "/file/1k") for _ in range(50)))
        assert set(found) == {nginx.file("1k")}
        assert await fetch_file() == nginx.file("20m")
        body = nginx.file("1m")
        assert await fetch(session, "/upload", method="POST", data=body) == b"%d" % len(body)
        assert connector.statistics().opened == 1


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_one_connection(
    ways: Ways, nginx: Nginx, make: Callable[..., ClientSession], tls: bool
) -> None:
    """A tunnel is kept alive as a connection is: nginx sees one connection and many requests."""
    url = nginx.tls_url if tls else nginx.url
    async with make(proxy=ways["dante-socks5h"]) as session:
        seen = [await fetch(session, url("/connection")) for _ in range(5)]
    connections, requests = zip(*(found.split() for found in seen), strict=True)
    assert len(set(connections)) == 1
    assert requests == (b"1", b"2", b"3", b"4", b"5")


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("squid-basic", id="S003-62-http"),
        pytest.param("https-basic", id="S003-62-https"),
        pytest.param("dante-socks5", id="S003-62-socks5"),
        pytest.param("microsocks-login", id="S003-62-login"),
    ],
)
async def test_websockets(
    ways: Ways, certificates: Certificates, make: Callable[..., ClientSession], name: str, tls: bool
) -> None:
    """A WebSocket goes through the tunnel of any proxy."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    application = web.Application()
    application.router.add_get("/", echo)
    context = certificates.server_context() if tls else None
    async with serve_application(application, ssl=context) as origin, make() as session:
        url = origin.replace("http", "ws", 1)
        async with session.ws_connect(url, proxy=ways[name]) as socket:
            for text in ("one", "x" * 100_000):
                await socket.send_str(text)
                assert await socket.receive_str() == text


class TestCredentials:
    @pytest.mark.parametrize(
        ("name", "auth"),
        [
            pytest.param("squid-closed", LOGIN, id="S003-38-tuple"),
            pytest.param("squid-closed", BasicAuth(*LOGIN), id="S003-38-BasicAuth"),
            pytest.param("squid-closed", ProxyDigestAuth(*LOGIN), id="S003-38-digest"),
            pytest.param("tinyproxy-closed", LOGIN, id="S003-38-tinyproxy"),
            pytest.param("https-closed", LOGIN, id="S003-38-https"),
            pytest.param("microsocks-closed", LOGIN, id="S003-38-socks"),
        ],
    )
    @pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
    async def test_right(
        self,
        ways: Ways,
        nginx: Nginx,
        make: Callable[..., ClientSession],
        name: str,
        auth: Any,
        tls: bool,
    ) -> None:
        """The right credentials are taken, in each spelling, for one request and for many."""
        url = nginx.tls_url if tls else nginx.url
        brief = not tls and name in ("tinyproxy-closed", "https-closed")
        async with make(proxy=ways[name], proxy_auth=auth, force_close=brief) as session:
            assert await fetch(session, url("/json")) == JSON
            found = await asyncio.gather(*(fetch(session, url("/file/1k")) for _ in range(10)))
            assert set(found) == {nginx.file("1k")}
            body = b"x" * 100_000
            assert await fetch(session, url("/upload"), method="POST", data=body) == b"100000"

    async def test_uploads_after_a_challenge(
        self, ways: Ways, nginx: Nginx, make: Callable[..., ClientSession]
    ) -> None:
        """squid challenges by the head alone, and on a connection with a body unread it may answer nothing more."""
        login = ProxyDigestAuth(*LOGIN)
        for _ in range(100):
            async with make(proxy=ways["squid-closed"], proxy_auth=login) as session:
                async with session.get(nginx.url("/json")) as response:
                    assert await response.read() == JSON
                async with session.post(nginx.url("/upload"), data=bytes(100_000)) as response:
                    assert response.status == 200

    @pytest.mark.parametrize(
        ("name", "auth"),
        [
            pytest.param("squid-closed", None, id="S003-38-none"),
            pytest.param("squid-closed", ("user", "secret"), id="S003-38-wrong"),
            pytest.param(
                "squid-closed", ProxyDigestAuth("user", "secret"), id="S003-38-wrong-digest"
            ),
            pytest.param("https-closed", ("user", "secret"), id="S003-38-wrong-https"),
        ],
    )
    @pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
    async def test_wrong(
        self,
        ways: Ways,
        nginx: Nginx,
        make: Callable[..., ClientSession],
        name: str,
        auth: Any,
        tls: bool,
    ) -> None:
        """Without the right ones the proxy's 407 raises, with its challenge and without the password."""
        url = nginx.tls_url if tls else nginx.url
        async with make(proxy=ways[name], proxy_auth=auth) as session:
            if name == "https-closed" and not tls:
                # Before its release 1.11.2 tinyproxy answers 401, which might be a server's.
                async with session.get(url("/json")) as response:
                    assert response.status in (401, 407)
                return
            with pytest.raises(aioclient.ClientHttpProxyError) as caught:
                await session.get(url("/json"))
            error = caught.value
            assert error.status in (401, 407)
            assert error.headers is not None
            if name == "squid-closed":
                assert 'realm="squid"' in error.headers["Proxy-Authenticate"]
            assert "secret" not in f"{error!r} {error}"
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    @pytest.mark.rows("S003-38")
    async def test_wrong_socks_login(
        self, ways: Ways, nginx: Nginx, make: Callable[..., ClientSession]
    ) -> None:
        """A SOCKS proxy's refusal raises too."""
        for auth in (None, ("user", "secret")):
            async with make(proxy=ways["microsocks-closed"], proxy_auth=auth) as session:
                with pytest.raises(aioclient.ClientProxyConnectionError):
                    await session.get(nginx.url("/json"))


class TestRefusals:
    async def test_another_machine(self, ways: Ways, make: Callable[..., ClientSession]) -> None:
        """What a proxy does not let through raises for a tunnel, and is the proxy's response for http."""
        async with make(proxy=ways["squid"]) as session:
            with pytest.raises(aioclient.ClientHttpProxyError) as caught:
                await session.get("https://192.0.2.1/")
            assert caught.value.status == 403
            async with session.get("http://192.0.2.1/") as response:
                assert response.status == 403
        async with make(proxy=ways["dante-socks5h"]) as session:
            with pytest.raises(aioclient.ClientProxyConnectionError, match="not allowed"):
                await session.get("http://192.0.2.1/")

    @pytest.mark.parametrize(
        "name", ["squid", "tinyproxy-basic", "dante-socks5", "microsocks-login"]
    )
    async def test_nothing_behind(
        self, ways: Ways, make: Callable[..., ClientSession], name: str
    ) -> None:
        """A server that the proxy cannot reach is an error of the proxy's."""
        with aioclient.testing.refused_port() as port:
            async with make(proxy=ways[name]) as session:
                with pytest.raises(
                    (aioclient.ClientHttpProxyError, aioclient.ClientProxyConnectionError)
                ):
                    await session.get(f"https://127.0.0.1:{port}/")

    @pytest.mark.parametrize("name", ["squid", "https-basic", "dante-socks4", "dante-socks5h"])
    @pytest.mark.parametrize((), [pytest.param(id="PRX-04")])
    async def test_the_certificate_behind(
        self, ways: Ways, nginx: Nginx, certificates: Certificates, name: str
    ) -> None:
        """Behind every proxy the server's certificate is verified."""
        async with ClientSession(
            proxy=ways[name], proxy_ssl=certificates.client_context()
        ) as session:
            with pytest.raises(aioclient.ClientConnectorCertificateError) as caught:
                await session.get(nginx.tls_url("/json"))
            assert (caught.value.host, caught.value.port) == ("localhost", nginx.tls_port)
            assert await fetch(session, nginx.tls_url("/json"), ssl=False) == JSON


class TestEnvironment:
    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Start without any of the variables."""
        for name in list(os.environ):
            if name.lower().endswith("_proxy") or name == "REQUEST_METHOD":
                monkeypatch.delenv(name)

    @pytest.mark.parametrize(
        ("how", "used"),
        [
            pytest.param({"trust_env": True}, True, id="S003-16-trust_env"),
            pytest.param({"env_proxies": True}, True, id="S003-16-env_proxies"),
            pytest.param({}, False, id="S003-16-neither"),
            pytest.param(
                {"trust_env": True, "env_proxies": False, "netrc": False}, False, id="S003-16-but"
            ),
        ],
    )
    async def test_used(
        self,
        monkeypatch: pytest.MonkeyPatch,
        ways: Ways,
        nginx: Nginx,
        make: Callable[..., ClientSession],
        how: dict[str, bool],
        used: bool,
        tmp_path: Path,
    ) -> None:
        """The environment's proxies are used where that is asked for, and not otherwise."""
        (tmp_path / "netrc").touch(mode=0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.setenv("HTTP_PROXY", ways["squid-closed"])
        monkeypatch.setenv("https_proxy", ways["squid-basic"])
        async with make(**how) as session:
            assert session.trust_env is how.get("trust_env", False)
            assert await fetch(session, nginx.tls_url("/json")) == JSON
            if used:
                with pytest.raises(aioclient.ClientHttpProxyError, match="407"):
                    await session.get(nginx.url("/json"))
            else:
                assert await fetch(session, nginx.url("/json")) == JSON

    @pytest.mark.rows("S003-16", "PRX-06")
    async def test_no_proxy(
        self,
        monkeypatch: pytest.MonkeyPatch,
        ways: Ways,
        nginx: Nginx,
        make: Callable[..., ClientSession],
    ) -> None:
        """NO_PROXY leaves hosts out."""
        monkeypatch.setenv("ALL_PROXY", ways["squid-closed"])
        monkeypatch.setenv(
            "NO_PROXY", f"other.test, 127.0.0.0/8:{nginx.port}, 127.0.0.1:{nginx.port}"
        )
        async with make(env_proxies=True) as session:
            assert await fetch(session, nginx.url("/json")) == JSON
            with pytest.raises(aioclient.ClientHttpProxyError, match="407"):
                await session.get(f"http://127.0.0.1:{nginx.brief_port}/json")

    @pytest.mark.rows("PRX-07")
    async def test_cgi(
        self,
        monkeypatch: pytest.MonkeyPatch,
        ways: Ways,
        nginx: Nginx,
        make: Callable[..., ClientSession],
    ) -> None:
        """In a CGI program HTTP_PROXY is not believed."""
        monkeypatch.setenv("HTTP_PROXY", ways["squid-closed"])
        monkeypatch.setenv("REQUEST_METHOD", "GET")
        async with make(env_proxies=True) as session:
            assert await fetch(session, nginx.url("/json")) == JSON

    @pytest.mark.rows("PRX-11")
    async def test_bad_proxies(
        self, monkeypatch: pytest.MonkeyPatch, nginx: Nginx, make: Callable[..., ClientSession]
    ) -> None:
        """A bad value fails the requests that would go by it, and its error shows no credentials."""
        monkeypatch.setenv("HTTPS_PROXY", "http://u:secret@p.test:port")
        async with make(env_proxies=True) as session:
            assert await fetch(session, nginx.url("/json")) == JSON
            with pytest.raises(aioclient.InvalidUrlClientError) as caught:
                await session.get(nginx.tls_url("/json"))
            assert "secret" not in f"{caught.value!r} {caught.value}"


class TestChoice:
    @pytest.mark.rows("S003-15", "S003-37")
    async def test_precedence(
        self,
        monkeypatch: pytest.MonkeyPatch,
        ways: Ways,
        nginx: Nginx,
        make: Callable[..., ClientSession],
    ) -> None:
        """The call comes before the session, the session before the environment; DIRECT means none."""
        closed = ways["squid-closed"]  # refuses, which tells that it was asked
        monkeypatch.setenv("ALL_PROXY", closed)
        url, refused = nginx.url("/json"), aioclient.ClientHttpProxyError
        async with make(trust_env=True, netrc=False) as session:
            with pytest.raises(refused):
                await session.get(url)
            assert await fetch(session, url, proxy=aioclient.DIRECT) == JSON
            assert await fetch(session, url, proxy=ways["squid"]) == JSON
        async with make(trust_env=True, netrc=False, proxy=ways["squid"]) as session:
            assert await fetch(session, url) == JSON
            assert await fetch(session, url, proxy=None) == JSON
            with pytest.raises(refused):
                await session.get(url, proxy=closed)
        async with make(trust_env=True, netrc=False, proxy=aioclient.DIRECT) as session:
            assert await fetch(session, url) == JSON
        proxies = {"http": ways["squid"], f"http://127.0.0.1:{nginx.brief_port}": closed}
        async with make(trust_env=True, netrc=False, proxies=proxies) as session:
            assert await fetch(session, url) == JSON
            with pytest.raises(refused):
                await session.get(f"http://127.0.0.1:{nginx.brief_port}/json")
            with pytest.raises(refused):  # of which the mapping says nothing
                await session.get(nginx.tls_url("/json"))
            # A call's mapping takes the place of the session's; the environment still counts.
            assert await fetch(session, url, proxies={"http": None}) == JSON
            with pytest.raises(refused):
                await session.get(url, proxies={"http": closed})
            with pytest.raises(refused):
                await session.get(url, proxies={"https": ways["squid"]})

    @pytest.mark.rows("S003-15")
    async def test_contradictions(self) -> None:
        """Two answers to one question, and answers for a connector that asks none, are refused."""
        with pytest.raises(ValueError, match="both given"):
            ClientSession(proxy="http://p.test", proxies={"all": "http://p.test"})
        for more in ({"proxy": "http://p.test"}, {"proxies": {"all": "http://p.test"}}):
            connector = aioclient.UnixConnector("/nowhere")
            with pytest.raises(ValueError, match="supports no proxy"):
                ClientSession(connector=connector, **more)  # type: ignore[arg-type]
        connector = aioclient.UnixConnector("/nowhere")
        async with ClientSession(connector=connector, trust_env=True) as session:
            with pytest.raises(ValueError, match="supports no proxy"):
                await session.get("http://a.test/", proxy="http://p.test")
            with pytest.raises(ValueError, match="supports no proxy"):
                await session.get("http://a.test/", proxies={"all": "http://p.test"})
            with pytest.raises(ValueError, match="both given"):
                await session.get("http://a.test/", proxy="http://p.test", proxies={})
            with pytest.raises(aioclient.UnixClientConnectorError):
                await session.get("http://a.test/", proxy=aioclient.DIRECT)

    @pytest.mark.rows("S003-37")
    async def test_middlewares_see_it(
        self, ways: Ways, nginx: Nginx, make: Callable[..., ClientSession]
    ) -> None:
        """A middleware sees the proxy of its request, without credentials."""
        seen: list[str] = []

        async def look(
            request: aioclient.Request, handler: aioclient.Handler
        ) -> aioclient.ClientResponse:
            seen.append(str(request.proxy))
            return await handler(request)

        async with make(proxy=ways["squid-basic"], middlewares=[look]) as session:
            assert await fetch(session, nginx.url("/json")) == JSON
            assert await fetch(session, nginx.url("/json"), proxy=aioclient.DIRECT) == JSON
        assert seen == [ways["squid-closed"], "None"]

    @pytest.mark.rows("S003-37")
    async def test_one_shot(self, ways: Ways, nginx: Nginx) -> None:
        """A one-shot call takes the same arguments."""
        response = await aioclient.get(
            nginx.url("/json"), proxy=ways["squid-closed"], proxy_auth=LOGIN
        )
        assert await response.read() == JSON
