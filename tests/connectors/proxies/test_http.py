"""HTTP and HTTPS proxies, seen from the wire: what they get to see, what they may do wrong, what stays in the pool."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest

import aioclient
from aioclient import ClientSession, ClientTimeout, Proxy, TCPConnector
from aioclient.testing import RawConnection, RawRequest, RawServer, refused_port, turns

from ...loopback import Loopback
from ...servers.certificates import Certificates
from ...test_cancellation import cancelled_everywhere
from .parts import ESTABLISHED, OK, WANTS_BASIC, fetch, numbered, refusal, tunnel

both_loops = pytest.mark.both_loops

SECRETS = {"Authorization": "Bearer secret", "Cookie": "a=secret", "X-Api-Key": "secret"}


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go round until the condition holds."""
    for _ in range(200):
        if condition():
            return
        await turns(1)
    raise AssertionError


def names_of(request: RawRequest) -> set[str]:
    """The names of a request's fields, in lower case."""
    return {name.decode().lower() for name, _ in request.headers}


@both_loops
class TestForwarding:
    """An http URL is asked of the proxy itself (RFC 9112, section 3.2.2)."""

    @pytest.mark.rows("S003-37")
    async def test_absolute_form(self) -> None:
        """The request line has all of the URL but its fragment; Host is the server's."""
        async with (
            RawServer(numbered) as proxy,
            ClientSession(proxy=proxy.url(), headers={"X-Own": "1"}) as session,
        ):
            assert await fetch(session, "http://a.test/x?y=1#z", params={"n": "2"}) == b"0.0"
            assert await fetch(session, "http://a.test", method="POST", data=b"body") == b"0.1"
            assert await fetch(session, "http://[::1]:8080/") == b"1.0"
            assert await fetch(session, "http://faß.test/ü") == b"2.0"
        assert [(request.target, request.value("Host")) for request in proxy.requests] == [
            ("http://a.test/x?y=1&n=2", "a.test"),
            ("http://a.test/", "a.test"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("http://xn--fa-hia.test/%C3%BC", "xn--fa-hia.test"),
        ]
        assert proxy.requests[0].value("X-Own") == "1"
        assert proxy.requests[1].body == b"body"

    @pytest.mark.parametrize("tls", [False, True], ids=["S003-43-http", "S003-43-https"])
    async def test_fields_for_the_proxy(self, certificates: Certificates, tls: bool) -> None:
        """Credentials and fields for the proxy go into the one head that there is; the request's own come first."""
        context = certificates.server_context() if tls else None
        async with (
            RawServer(numbered, ssl=context) as proxy,
            ClientSession(
                proxy=proxy.url(),
                proxy_auth=("u", "p"),
                proxy_headers={"X-Proxy": "1", "X-Own": "proxy"},
                proxy_ssl=certificates.client_context(),
                headers={"X-Own": "mine"},
            ) as session,
        ):
            assert await fetch(session, "http://a.test/") == b"0.0"
        (request,) = proxy.requests
        assert request.value("Proxy-Authorization") == "Basic dTpw"
        assert (request.value("X-Proxy"), request.value("X-Own")) == ("1", "mine")

    @pytest.mark.rows("S003-43")
    async def test_a_field_of_the_request(self) -> None:
        """A Proxy-Authorization among headers is for the proxy, and comes before what else is known."""
        async with (
            RawServer(numbered) as proxy,
            ClientSession(proxy=proxy.url(), proxy_auth=("u", "p")) as session,
        ):
            own = {"Proxy-Authorization": "Basic own"}
            assert await fetch(session, "http://a.test/", headers=own) == b"0.0"
            assert await fetch(session, "http://a.test/") == b"1.0"
            assert await fetch(session, "http://a.test/", headers=own) == b"0.1"
        assert [request.values("Proxy-Authorization") for request in proxy.requests] == [
            ["Basic own"],
            ["Basic dTpw"],
            ["Basic own"],
        ]

    @pytest.mark.rows("CK-14")
    async def test_refused(self) -> None:
        """407 is the proxy's word and raises; what it sets as a cookie is not the server's."""
        async with (
            RawServer.replies([WANTS_BASIC, OK]) as proxy,
            ClientSession(proxy=proxy.url().replace("//", "//u:secret@")) as session,
        ):
            with pytest.raises(aioclient.ClientHttpProxyError) as caught:
                await session.get("http://a.test/?token=secret")
            error = caught.value
            assert isinstance(error, aioclient.ProxyRefusedError)
            assert (error.status, error.message) == (407, "Proxy Authentication Required")
            assert error.headers is not None
            assert error.headers["Proxy-Authenticate"] == 'Basic realm="p"'
            assert error.proxy == f"http://127.0.0.1:{proxy.port}"
            assert str(error) == (
                f"GET http://a.test/?token=***: the proxy {error.proxy} answered 407 Proxy Authentication Required; "
                "give it other credentials in proxy_auth"
            )
            assert "secret" not in repr(error)
            assert len(session.cookie_jar) == 0
            # The refusal was read to its end, so the connection is good for the next request.
            assert await fetch(session, "http://a.test/") == b"ok"
        assert proxy.connections == 1


@both_loops
class TestTunnels:
    """An https URL is asked of its server, through a tunnel (RFC 9110, section 9.3.6)."""

    @pytest.mark.parametrize("tls", [False, True], ids=["S003-04-http", "S003-04-https"])
    async def test_what_the_proxy_sees(self, certificates: Certificates, tls: bool) -> None:
        """It sees host, port and what is for it alone; nothing for it goes through the tunnel."""
        script = tunnel(certificates.server_context("a.test"))
        near = certificates.server_context() if tls else None
        async with (
            RawServer(script, ssl=near) as proxy,
            ClientSession(
                "https://a.test/",
                connector=TCPConnector(ssl=certificates.client_context()),
                headers={**SECRETS, "Proxy-Authorization": "Basic x", "X-Own": "1"},
                cookies={"jar": "secret"},
                proxy=proxy.url(),
                proxy_headers={"X-Proxy": "1"},
                proxy_ssl=certificates.client_context(),
            ) as session,
        ):
            assert await fetch(session, "x?secret") == b"0.0"
            assert await fetch(session, "y") == b"0.1"
        connect, first, second = proxy.requests
        assert (connect.method, connect.target) == ("CONNECT", "a.test:443")
        assert dict(connect.headers) == {
            b"Host": b"a.test:443",
            b"X-Proxy": b"1",
            b"Proxy-Authorization": b"Basic x",
        }
        assert b"secret" not in connect.head
        assert first.target == "/x?secret"
        assert first.value("Authorization") == SECRETS["Authorization"]
        assert first.value("Host") == "a.test"
        for request in (first, second):
            assert names_of(request).isdisjoint(("proxy-authorization", "x-proxy"))

    @pytest.mark.parametrize(
        "how",
        [
            pytest.param({"proxy_auth": ("u", "p")}, id="PRX-01-argument"),
            pytest.param(
                {"proxy_headers": {"Proxy-Authorization": "Basic dTpw"}}, id="PRX-01-field"
            ),
            pytest.param({"headers": {"Proxy-Authorization": "Basic dTpw"}}, id="PRX-01-own-field"),
            pytest.param(None, id="PRX-01-url"),
        ],
    )
    @pytest.mark.parametrize("of_session", [True, False], ids=["session", "call"])
    async def test_credentials(
        self, certificates: Certificates, how: dict[str, Any] | None, of_session: bool
    ) -> None:
        """Credentials for the proxy stand in the CONNECT, and in no request that goes through the tunnel."""
        script = tunnel(certificates.server_context("a.test"))
        async with RawServer(script) as proxy:
            url = proxy.url()
            more = {"proxy": url, **how} if how else {"proxy": url.replace("//", "//u:p@")}
            connector = TCPConnector(ssl=certificates.client_context())
            async with ClientSession(
                connector=connector, **(more if of_session else {})
            ) as session:
                call = {} if of_session else more
                assert await fetch(session, "https://a.test/", **call) == b"0.0"
                assert await fetch(session, "https://a.test/", **call) == b"0.1"
        connect, *others = proxy.requests
        assert connect.value("Proxy-Authorization") == "Basic dTpw"
        assert len(others) == 2
        for request in others:
            assert "proxy-authorization" not in names_of(request)

    @pytest.mark.rows("PRX-01")
    async def test_no_proxy_at_all(self) -> None:
        """Without a proxy nobody gets what is for one."""
        own = {"Proxy-Authorization": "Basic secret"}
        async with RawServer(numbered) as server:
            async with ClientSession(server.url(), headers=own, trust_env=True) as session:
                assert await fetch(session, "/", proxy_auth=("u", "p")) == b"0.0"
            async with ClientSession(server.url()) as session:
                assert await fetch(session, "/", headers=own, proxy_headers={"X": "1"}) == b"1.0"
            for request in server.requests:
                assert names_of(request).isdisjoint(("proxy-authorization", "x"))

    @pytest.mark.parametrize(
        ("url", "target"),
        [
            pytest.param("https://a.test./", "a.test:443", id="S003-37-dot"),
            pytest.param("https://A.test:8443/", "a.test:8443", id="S003-37-port"),
            pytest.param("https://[::1]/", "[::1]:443", id="S003-37-ipv6"),
            pytest.param("https://[fe80::1%25eth0]/", "[fe80::1]:443", id="S003-37-zone"),
            pytest.param("https://faß.test/", "xn--fa-hia.test:443", id="S003-37-idna"),
            pytest.param("https://u:p@a.test/", "a.test:443", id="AUTH-16"),
        ],
    )
    async def test_targets(self, certificates: Certificates, url: str, target: str) -> None:
        """The tunnel leads to the URL's host, in the one form that it has everywhere, and port."""
        async with (
            RawServer(tunnel(certificates.server_context())) as proxy,
            ClientSession(proxy=proxy.url()) as session,
        ):
            assert await fetch(session, url, ssl=False) == b"0.0"
        assert (proxy.requests[0].target, proxy.requests[0].value("Host")) == (target, target)

    @pytest.mark.rows("S003-62")
    @pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
    async def test_ws(self, certificates: Certificates, tls: bool) -> None:
        """A ws URL goes through a tunnel too: no proxy may take part in what is not http."""
        near = certificates.server_context() if tls else None
        async with (
            RawServer(tunnel(None), ssl=near) as proxy,
            ClientSession(proxy=proxy.url(), proxy_ssl=certificates.client_context()) as session,
        ):
            assert await fetch(session, "ws://a.test/x") == b"0.0"
            assert await fetch(session, "ws://a.test/x") == b"0.1"
        assert [request.target for request in proxy.requests] == ["a.test:80", "/x", "/x"]

    @pytest.mark.rows("S003-09", "CK-14")
    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_cookies(self, certificates: Certificates, scheme: str) -> None:
        """Cookies go between jar and server as without a proxy; what the proxy's answer sets is nobody's."""

        async def script(conn: RawConnection) -> None:
            request = await conn.read_request()
            if request.method == "CONNECT":
                conn.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: proxy=1\r\n\r\n")
                await conn.start_tls(certificates.server_context("a.test"))
                await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: own=1\r\n\r\n")
            await conn.read_request()
            conn.send(OK)

        context = certificates.client_context()
        async with RawServer(script) as proxy, ClientSession(proxy=proxy.url()) as session:
            for _ in range(2):
                await fetch(session, f"{scheme}://a.test/", ssl=context)
            assert [cookie.key for cookie in session.cookie_jar] == ["own"]
        assert proxy.requests[-1].value("Cookie") == "own=1"
        assert proxy.requests[0].values("Cookie") == []

    async def test_large(self, certificates: Certificates) -> None:
        """Large bodies go through TLS in TLS in both directions, under back-pressure."""
        size = 3 * 2**20

        async def behind(conn: RawConnection) -> None:
            request = await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(request.body))
            for start in range(0, size, 2**16):
                conn.send(request.body[start : start + 2**16])
                await conn.drain()
            await conn.closed()

        script = tunnel(certificates.server_context("a.test"), behind)
        context = certificates.client_context()
        body = bytes(range(256)) * (size // 256)
        async with (
            RawServer(script, ssl=certificates.server_context()) as proxy,
            ClientSession(proxy=proxy.url(), proxy_ssl=context) as session,
        ):
            assert (
                await fetch(session, "https://a.test/", method="POST", data=body, ssl=context)
                == body
            )

    @pytest.mark.rows("INJ-05")
    async def test_nothing_is_sent(self, certificates: Certificates) -> None:
        """What would break the head of the CONNECT raises before the proxy is even dialled."""
        async with RawServer(numbered) as proxy, ClientSession() as session:
            for more in (
                {"proxy_headers": {"X": "a\r\nb"}},
                {"proxy_headers": {"X\r\nY": "a"}},
                {"headers": {"Proxy-Authorization": "a\r\nb"}},
            ):
                with pytest.raises(ValueError, match=r"control character|not a token"):
                    await session.get("https://a.test/", proxy=proxy.url(), **more)
            for host in ("a%0d%0ab.test", "a%0ab.test", "a%00.test", "a b.test"):
                with pytest.raises(ValueError, match=r"host|URL|character"):
                    await session.get(f"https://{host}/", proxy=proxy.url())
        assert proxy.connections == 0


class TestPool:
    """A connection carries only requests that ask for one just like it."""

    @pytest.mark.rows("POOL-06")
    async def test_tunnels(self, certificates: Certificates) -> None:
        """A tunnel is for one proxy, one login, one set of fields and one server."""
        context = certificates.client_context()
        script = tunnel(certificates.server_context("a.test", "b.test"))
        async with (
            RawServer(script) as one,
            RawServer(script) as other,
            ClientSession(connector=TCPConnector(ssl=context)) as session,
        ):
            calls: list[dict[str, Any]] = [
                {"proxy": one.url()},
                {"proxy": one.url(), "proxy_auth": ("u1", "p")},
                {"proxy": one.url(), "proxy_auth": ("u2", "p")},
                {"proxy": one.url(), "proxy_headers": {"X": "1"}},
                {"proxy": one.url(), "headers": {"Proxy-Authorization": "Basic x"}},
            ]
            for number, call in enumerate(calls):
                assert await fetch(session, "https://a.test/", **call) == b"%d.0" % number
            assert await fetch(session, "https://a.test/", proxy=other.url()) == b"0.0"
            assert await fetch(session, "https://b.test/", **calls[0]) == b"5.0"
            for number, call in enumerate(calls):
                assert await fetch(session, "https://a.test/", **call) == b"%d.1" % number
            assert one.connections == 6

    @pytest.mark.rows("POOL-06")
    async def test_forwarding(self) -> None:
        """A connection to a proxy that forwards is for one proxy, one login and one server."""
        async with (
            RawServer(numbered) as one,
            RawServer(numbered) as other,
            ClientSession() as session,
        ):
            assert await fetch(session, "http://a.test/", proxy=one.url()) == b"0.0"
            assert await fetch(session, "http://b.test/", proxy=one.url()) == b"1.0"
            assert await fetch(session, "http://a.test/", proxy=other.url()) == b"0.0"
            auth = ("u", "p")
            assert (
                await fetch(session, "http://a.test/", proxy=one.url(), proxy_auth=auth) == b"2.0"
            )
            assert await fetch(session, "http://a.test/", proxy=one.url()) == b"0.1"
            # Neither does it serve the proxy's own pages, nor a tunnel to the same place.
            assert await fetch(session, one.url()) == b"3.0"

    @pytest.mark.rows("POOL-05", "TLS-09")
    async def test_settings_of_the_server(self, certificates: Certificates) -> None:
        """Through a tunnel as without one: what was not verified serves no request that asks for it."""
        context = certificates.client_context()
        script = tunnel(certificates.server_context("a.test"))
        async with RawServer(script) as proxy, ClientSession(proxy=proxy.url()) as session:
            assert await fetch(session, "https://a.test/", ssl=False) == b"0.0"
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await fetch(session, "https://a.test/")
            assert await fetch(session, "https://a.test/", ssl=context) == b"2.0"
            other = {"ssl": context, "server_hostname": "a.test"}
            assert await fetch(session, "https://b.test/", **other) == b"3.0"
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await fetch(session, "https://b.test/", ssl=context)
            assert await fetch(session, "https://b.test/", **other) == b"3.1"

    @pytest.mark.rows("POOL-08")
    async def test_settings_of_the_proxy(self, certificates: Certificates) -> None:
        """A connection to a proxy that was not verified serves no request that wants it verified."""
        near = certificates.server_context()
        async with (
            RawServer(numbered, ssl=near) as proxy,
            ClientSession(proxy=proxy.url()) as session,
        ):
            assert await fetch(session, "http://a.test/", proxy_ssl=False) == b"0.0"
            for _ in range(2):
                with pytest.raises(aioclient.ClientConnectorCertificateError):
                    await fetch(session, "http://a.test/")
            context = certificates.client_context()
            assert await fetch(session, "http://a.test/", proxy_ssl=context) == b"3.0"
            assert await fetch(session, "http://a.test/", proxy_ssl=False) == b"0.1"

    @pytest.mark.rows("POOL-08")
    async def test_no_session_is_resumed(self, certificates: Certificates) -> None:
        """No TLS session made without verification is resumed with it, with the proxy or behind it."""
        reused: list[bool] = []

        async def behind(conn: RawConnection) -> None:
            reused.append(conn.transport.get_extra_info("ssl_object").session_reused)
            await numbered(conn)

        script = tunnel(certificates.server_context("a.test"), behind)
        near = certificates.server_context()
        async with (
            RawServer(script, ssl=near) as proxy,
            ClientSession(proxy=proxy.url()) as session,
        ):
            unverified = {"ssl": False, "proxy_ssl": False}
            assert await fetch(session, "https://a.test/", **unverified) == b"0.0"
            for more in ({}, {"ssl": False}, {"proxy_ssl": False}):
                with pytest.raises(aioclient.ClientConnectorCertificateError):
                    await fetch(session, "https://a.test/", **more)
            context = certificates.client_context()
            verified = {"ssl": context, "proxy_ssl": context}
            assert await fetch(session, "https://a.test/", **verified) == b"4.0"
        assert reused == [False, False]


@both_loops
class TestTLS:
    """Two handshakes, each verified for itself."""

    @pytest.mark.parametrize(
        ("url", "row"),
        [
            pytest.param("https://a.test/", "tunnel", id="PRX-03-tunnel"),
            pytest.param("http://a.test/", "forward", id="PRX-03-forward"),
        ],
    )
    async def test_the_proxy_is_verified(
        self, certificates: Certificates, url: str, row: str
    ) -> None:
        """An https proxy shows a certificate for its own name; one for the server's name does not do."""
        context = certificates.client_context()
        for names in (("a.test",), ("other.test",)):
            async with RawServer(numbered, ssl=certificates.server_context(*names)) as proxy:
                async with ClientSession(
                    proxy=proxy.url(), proxy_ssl=context, connector=TCPConnector(ssl=False)
                ) as session:
                    with pytest.raises(aioclient.ClientConnectorCertificateError) as caught:
                        await fetch(session, url)
                    assert (caught.value.host, caught.value.port) == ("127.0.0.1", proxy.port)
                assert proxy.requests == []

    @pytest.mark.rows("PRX-03")
    async def test_settings_are_apart(self, certificates: Certificates) -> None:
        """ssl= is for the server, proxy_ssl= for the proxy: neither turns off the other's verification."""
        script = tunnel(certificates.server_context("a.test"))
        context = certificates.client_context()
        near = certificates.server_context()
        async with (
            RawServer(script, ssl=near) as proxy,
            ClientSession(proxy=proxy.url()) as session,
        ):
            for more in ({"ssl": False}, {"ssl": context}):
                with pytest.raises(aioclient.ClientConnectorCertificateError) as caught:
                    await fetch(session, "https://a.test/", **more)
                assert caught.value.port == proxy.port
            with pytest.raises(aioclient.ClientConnectorCertificateError) as caught:
                await fetch(session, "https://a.test/", proxy_ssl=context)
            assert caught.value.host == "a.test"
            pin = aioclient.Fingerprint(certificates.fingerprint())
            both = {"ssl": context, "proxy_ssl": pin}
            assert await fetch(session, "https://a.test/", **both) == b"3.0"
            other = aioclient.Fingerprint(bytes(32))
            for more in ({**both, "proxy_ssl": other}, {**both, "ssl": other}):
                with pytest.raises(aioclient.ServerFingerprintMismatch):
                    await fetch(session, "https://a.test/", **more)

    @pytest.mark.parametrize("tls", [False, True], ids=["PRX-04-http", "PRX-04-https"])
    async def test_the_server_is_verified(self, certificates: Certificates, tls: bool) -> None:
        """Behind a proxy the server is verified as without one, under its own name or server_hostname."""
        context = certificates.client_context()
        near = certificates.server_context() if tls else None
        script = tunnel(certificates.server_context("a.test"))
        async with (
            RawServer(script, ssl=near) as proxy,
            ClientSession(proxy=proxy.url(), proxy_ssl=context) as session,
        ):
            for url, more in (
                ("https://a.test/", {}),
                ("https://b.test/", {"ssl": context}),
                ("https://a.test/", {"ssl": context, "server_hostname": "b.test"}),
            ):
                with pytest.raises(aioclient.ClientConnectorCertificateError) as caught:
                    await fetch(session, url, **more)
                assert (caught.value.host, caught.value.port) == (url[8:14], 443)
            named = {"ssl": context, "server_hostname": "a.test"}
            assert await fetch(session, "https://b.test/", **named) == b"3.0"
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    @pytest.mark.parametrize("url", ["https://a.test/", "http://a.test/"])
    @pytest.mark.parametrize((), [pytest.param(id="PRX-05")])
    async def test_no_downgrade(self, url: str) -> None:
        """An https proxy that speaks no TLS gets a greeting of TLS, and not one byte of a request."""
        seen: list[bytes] = []

        async def plain(conn: RawConnection) -> None:
            seen.append(await conn.read_exactly(5))
            conn.send(ESTABLISHED)
            seen.append(await conn.closed())

        async with RawServer(plain) as proxy, ClientSession() as session:
            https = proxy.url().replace("http:", "https:")
            with pytest.raises(aioclient.ClientConnectorSSLError) as caught:
                await fetch(session, url, proxy=https, proxy_auth=("u", "p"))
            assert caught.value.port == proxy.port
            await turns(3)
        assert seen[0].startswith(b"\x16\x03")
        assert b"CONNECT" not in b"".join(seen)
        assert b"GET" not in b"".join(seen)


@both_loops
class TestAnswers:
    """What a proxy may answer to CONNECT, and what not."""

    @pytest.mark.parametrize(
        ("answer", "status", "reason"),
        [
            pytest.param(WANTS_BASIC, 407, "Proxy Authentication Required", id="PRX-08-407"),
            pytest.param(refusal("403 Forbidden"), 403, "Forbidden", id="PRX-08-403"),
            pytest.param(refusal("502 Bad Gateway"), 502, "Bad Gateway", id="PRX-08-502"),
            pytest.param(
                refusal("302 Found", "Location: http://evil.test/"), 302, "Found", id="PRX-08-302"
            ),
            pytest.param(
                b"HTTP/1.1 407 No\r\nContent-Length: 99999999\r\n\r\n", 407, "No", id="PRX-08-body"
            ),
            pytest.param(b"HTTP/1.0 500 \r\n\r\n", 500, "", id="PRX-08-500"),
        ],
    )
    async def test_refused(self, answer: bytes, status: int, reason: str) -> None:
        """Anything but 2xx raises with status, reason and fields; no redirect is followed, no cookie kept."""
        async with (
            RawServer.replies([answer], repeat=True) as proxy,
            ClientSession(proxy=proxy.url().replace("//", "//u:secret@")) as session,
        ):
            with pytest.raises(aioclient.ClientHttpProxyError) as caught:
                await session.get("https://a.test/x?secret", headers=SECRETS)
            error = caught.value
            assert isinstance(error, aioclient.ProxyRefusedError)
            assert (error.status, error.message) == (status, reason)
            text = f"CONNECT https://a.test: the proxy {error.proxy} answered {status} {reason}"
            assert str(error).startswith(text)
            assert error.request_info.method == "CONNECT"
            assert "secret" not in f"{error!r} {error} {error.request_info!r}"
            assert len(session.cookie_jar) == 0
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
        assert proxy.connections == 1

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", id="PRX-08-length"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", id="PRX-08-chunked"
            ),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", id="PRX-08-coding"
            ),
            pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", id="PRX-08-204"),
            pytest.param(b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n", id="PRX-08-1.0"),
            pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + ESTABLISHED, id="PRX-08-1xx"),
        ],
    )
    @pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
    @pytest.mark.parametrize("step", [1, 100], ids=["slowly", "at-once"])
    async def test_open(
        self, certificates: Certificates, answer: bytes, tls: bool, step: int
    ) -> None:
        """After a 2xx the bytes are the server's, whatever the head says of a body; interim answers are skipped."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            if step == 1:
                await conn.send_slowly(answer[:-1])
            conn.send(answer[-1:] if step == 1 else answer)
            await conn.start_tls(certificates.server_context("a.test"))
            await numbered(conn)

        context = certificates.client_context()
        near = certificates.server_context() if tls else None
        async with (
            RawServer(script, ssl=near) as proxy,
            ClientSession(proxy=proxy.url(), proxy_ssl=context) as session,
        ):
            assert await fetch(session, "https://a.test/", ssl=context) == b"0.0"

    @pytest.mark.parametrize(
        ("answer", "error", "reason"),
        [
            pytest.param(
                ESTABLISHED + OK,
                aioclient.ServerProtocolError,
                "after its head",
                id="PRX-08-response-behind",
            ),
            pytest.param(
                ESTABLISHED + b"\r\n",
                aioclient.ServerProtocolError,
                "after its head",
                id="PRX-08-newline-behind",
            ),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
                aioclient.HeadTooLargeError,
                "more than",
                id="PRX-08-huge-head",
            ),
            pytest.param(
                b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
                aioclient.HeadTooLargeError,
                "max_headers",
                id="PRX-08-many-fields",
            ),
            pytest.param(
                b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
                aioclient.ServerProtocolError,
                "interim",
                id="PRX-08-many-1xx",
            ),
            pytest.param(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                aioclient.ServerProtocolError,
                "not requested",
                id="PRX-08-101",
            ),
            pytest.param(
                b"SSH-2.0-OpenSSH\r\n",
                aioclient.ServerProtocolError,
                "not HTTP/1.1",
                id="PRX-08-junk",
            ),
            pytest.param(
                b"HTTP/2.0 200 OK\r\n\r\n",
                aioclient.ServerProtocolError,
                "HTTP/2.0",
                id="PRX-08-version",
            ),
            pytest.param(
                b"", aioclient.ClientProxyConnectionError, "before an answer", id="PRX-08-nothing"
            ),
            pytest.param(
                b"HTTP/1.1 200 OK\r\n",
                aioclient.ClientProxyConnectionError,
                "before an answer",
                id="PRX-08-half-a-head",
            ),
        ],
    )
    @pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
    async def test_broken(
        self,
        certificates: Certificates,
        answer: bytes,
        error: type[Exception],
        reason: str,
        tls: bool,
    ) -> None:
        """A broken answer ends the connection; nothing of it counts as the server's."""
        seen: list[bytes] = []

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(answer)
            if reason == "before an answer":
                conn.close()
            seen.append(await conn.closed())

        near = certificates.server_context() if tls else None
        async with (
            RawServer(script, ssl=near) as proxy,
            ClientSession(proxy=proxy.url(), proxy_ssl=certificates.client_context()) as session,
        ):
            with pytest.raises(error, match=reason):
                await session.get("https://a.test/")
            assert session.connector is not None
            numbers = session.connector.statistics()
            assert (numbers.in_use, numbers.idle) == (0, 0)
            await turns(3)
        assert b"".join(seen) == b""

    @pytest.mark.rows("PRX-08")
    @pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
    async def test_behind_in_a_segment_of_its_own(
        self, certificates: Certificates, tls: bool
    ) -> None:
        """What comes after the answer in plain text breaks the handshake: it is never the server's response."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(ESTABLISHED)
            await turns(2)
            conn.send(OK)
            await conn.closed()

        near = certificates.server_context() if tls else None
        async with (
            RawServer(script, ssl=near) as proxy,
            ClientSession(proxy=proxy.url(), proxy_ssl=certificates.client_context()) as session,
        ):
            with pytest.raises(aioclient.ClientConnectorError):
                await session.get("https://a.test/")

    async def test_limits_of_the_call(self) -> None:
        """The limits on heads that a session or call sets are those for the proxy's answer too."""
        answer = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200 + b"\r\n\r\n"
        async with (
            RawServer.replies([answer]) as proxy,
            ClientSession(proxy=proxy.url(), max_field_size=100) as session,
        ):
            with pytest.raises(aioclient.HeadTooLargeError, match="max_field_size=100"):
                await session.get("https://a.test/")


@both_loops
class TestUnreachable:
    @pytest.mark.parametrize("url", ["http://a.test/", "https://a.test/"])
    async def test_refused(self, url: str) -> None:
        """Where no proxy listens the error says so, with its address and without credentials."""
        with refused_port() as port:
            async with ClientSession(proxy=f"http://u:secret@127.0.0.1:{port}") as session:
                with pytest.raises(aioclient.ClientProxyConnectionError) as caught:
                    await session.get(url)
        error = caught.value
        assert (error.host, error.port) == ("127.0.0.1", port)
        assert f"127.0.0.1:{port}" in str(error)
        assert (
            f"Cannot connect to the proxy at host 127.0.0.1:{port} on the way to {url[:-1]}:"
            in str(error)
        )
        assert "secret" not in f"{error!r} {error}"

    async def test_unknown(self) -> None:
        """A proxy whose name nobody knows is one that cannot be reached."""

        class Nobody(Loopback):
            async def resolve(self, *arguments: Any) -> Any:
                raise OSError(None, "unknown")

        async with ClientSession(
            proxy="http://p.test:3128", connector=TCPConnector(resolver=Nobody())
        ) as session:
            with pytest.raises(aioclient.ClientProxyConnectionError, match=r"p\.test:3128"):
                await session.get("http://a.test/")

    async def test_the_server_is_not_looked_up(self, certificates: Certificates) -> None:
        """An HTTP proxy looks the server's name up; here only the proxy's own is."""
        names = Loopback()
        async with (
            RawServer(tunnel(certificates.server_context("a.test"))) as proxy,
            ClientSession(
                proxy=proxy.url(host="p.test"), connector=TCPConnector(resolver=names)
            ) as session,
        ):
            assert await fetch(session, "https://a.test/", ssl=False) == b"0.0"
        assert names.asked == ["p.test"]


@both_loops
class TestLosses:
    """TLS in TLS ends as any connection ends."""

    @pytest.mark.parametrize("how", ["abort", "close"])
    @pytest.mark.parametrize(
        ("when", "error"),
        [
            pytest.param("handshake", aioclient.ClientConnectorError, id="PRX-10-handshake"),
            pytest.param("request", aioclient.ServerDisconnectedError, id="PRX-10-request"),
            pytest.param("body", aioclient.ClientPayloadError, id="PRX-10-body"),
            pytest.param("idle", None, id="PRX-10-idle"),
        ],
    )
    async def test_lost(
        self, certificates: Certificates, how: str, when: str, error: type[Exception] | None
    ) -> None:
        """A connection that is lost is noticed at once, whenever that is, and leaves the pool."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(ESTABLISHED)
            if when == "handshake":
                await conn.read_exactly(5)
            else:
                await conn.start_tls(certificates.server_context("a.test"))
                await conn.read_request()
            if when == "body":
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
            if when == "idle":
                conn.send(OK)
            await turns(5)
            conn.abort() if how == "abort" else conn.close()

        context = certificates.client_context()
        async with (
            RawServer(script, ssl=certificates.server_context()) as proxy,
            ClientSession(proxy=proxy.url(), proxy_ssl=context) as session,
        ):
            if error is None:
                assert await fetch(session, "https://a.test/", ssl=context) == b"ok"
            else:
                with pytest.raises(error):
                    await fetch(session, "https://a.test/", ssl=context)
            assert session.connector is not None
            await until(lambda: session.connector.statistics().idle == 0)
            assert session.connector.statistics().in_use == 0


@pytest.mark.virtual_clock
class TestTimeouts:
    @pytest.mark.parametrize(
        ("timeout", "error", "phase"),
        [
            (ClientTimeout(total=5), aioclient.TotalTimeoutError, "total=5"),
            (ClientTimeout(connect=5), aioclient.ConnectTimeoutError, "connect=5"),
            (ClientTimeout(sock_connect=5), aioclient.ConnectTimeoutError, "sock_connect=5"),
            (ClientTimeout(sock_read=5), aioclient.ConnectTimeoutError, "sock_read=5"),
        ],
    )
    @pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
    async def test_no_answer(
        self,
        certificates: Certificates,
        timeout: ClientTimeout,
        error: type[TimeoutError],
        phase: str,
        tls: bool,
    ) -> None:
        """A proxy that says nothing to CONNECT is named, with the limit and without credentials."""

        async def mute(conn: RawConnection) -> None:
            await conn.read_request()
            await conn.closed()

        near = certificates.server_context() if tls else None
        async with RawServer(mute, ssl=near) as proxy:
            async with ClientSession(
                proxy=proxy.url().replace("//", "//u:secret@"),
                proxy_ssl=certificates.client_context(),
                timeout=timeout,
            ) as session:
                with pytest.raises(error) as caught:
                    await session.get("https://a.test/")
            assert str(caught.value) == (
                f"GET https://a.test/: no answer to CONNECT from the proxy {proxy.url()[:-1]} within {phase} s"
            )

    async def test_an_answer_without_an_end(self) -> None:
        """sock_read limits all of the answer to CONNECT, however its bytes come; and the proxy is let go of."""

        async def drip(conn: RawConnection) -> None:
            await conn.read_request()
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60:
                conn.send(bytes((byte,)))
                await asyncio.sleep(1)

        async with (
            RawServer(drip) as proxy,
            ClientSession(proxy=proxy.url(), timeout=ClientTimeout(sock_read=5)) as session,
        ):
            with pytest.raises(aioclient.ConnectTimeoutError, match="CONNECT from the proxy"):
                await session.get("https://a.test/")
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    async def test_no_handshake(self, certificates: Certificates) -> None:
        """The error tells which of two handshakes did not end."""

        async def mute(conn: RawConnection) -> None:
            await conn.closed()

        async def half(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(ESTABLISHED)
            await conn.closed()

        context = certificates.client_context()
        async with (
            RawServer(mute) as one,
            RawServer(half, ssl=certificates.server_context()) as other,
            ClientSession(timeout=ClientTimeout(total=5)) as session,
        ):
            https = one.url().replace("http:", "https:")
            with pytest.raises(
                aioclient.TotalTimeoutError, match="no TLS handshake with the proxy"
            ):
                await session.get("https://a.test/", proxy=https)
            with pytest.raises(aioclient.TotalTimeoutError, match=r"handshake with 127\.0\.0\.1"):
                await session.get("http://a.test/", proxy=https)
            with pytest.raises(aioclient.TotalTimeoutError, match=r"handshake with a\.test:443"):
                await session.get("https://a.test/", proxy=other.url(), proxy_ssl=context)


@both_loops
class TestCancellation:
    """A request may be cancelled at any await, through every kind of proxy."""

    @pytest.mark.parametrize("far", [False, True], ids=["PRX-10-http", "PRX-10-https"])
    @pytest.mark.parametrize("near", [False, True], ids=["to-http", "to-https"])
    async def test_everywhere(self, certificates: Certificates, far: bool, near: bool) -> None:
        """No half-open tunnel is kept, no slot lost, no socket left."""

        async def script(conn: RawConnection) -> None:
            request = await conn.read_request()
            if request.method == "CONNECT":
                conn.send(ESTABLISHED)
                await conn.start_tls(certificates.server_context("a.test"))
                await conn.read_request()
            while True:
                conn.send(OK)
                await conn.read_request()

        context = certificates.client_context()
        server = RawServer(script, ssl=certificates.server_context() if near else None)
        async with server as proxy:
            await cancelled_everywhere(
                fetch_root,
                lambda: ClientSession(
                    "https://a.test/" if far else "http://a.test/",
                    proxy=proxy.url(),
                    proxy_ssl=context,
                    connector=TCPConnector(ssl=context),
                ),
                least=2 + 2 * far + near,
            )

    @pytest.mark.rows("PRX-10")
    @pytest.mark.parametrize("near", [False, True], ids=["http", "https"])
    async def test_closed_meanwhile(self, certificates: Certificates, near: bool) -> None:
        """A connector that is closed while a tunnel is being asked for leaves no socket, and says why."""
        asked = asyncio.Event()

        async def mute(conn: RawConnection) -> None:
            await conn.read_request()
            asked.set()
            await conn.closed()

        async with (
            RawServer(mute, ssl=certificates.server_context() if near else None) as proxy,
            ClientSession(proxy=proxy.url(), proxy_ssl=certificates.client_context()) as session,
        ):
            call = asyncio.ensure_future(session.get("https://a.test/"))
            await asked.wait()
            await session.close()
            with pytest.raises(aioclient.ClientConnectionError, match="connector is closed"):
                await call


async def fetch_root(session: ClientSession) -> bytes:
    return await fetch(session, "/")


class TestRedirects:
    """Each hop's proxy is chosen anew, and told only what is for it."""

    async def hops(
        self, certificates: Certificates, call: dict[str, Any], **more: Any
    ) -> tuple[RawRequest, RawRequest]:
        """What a first proxy is asked for http, and a second one for https."""
        context = certificates.client_context()

        async def first(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(
                b"HTTP/1.1 302 Found\r\nLocation: https://a.test/\r\nContent-Length: 0\r\n\r\n"
            )
            await conn.closed()

        async with (
            RawServer(first) as one,
            RawServer(tunnel(certificates.server_context("a.test"))) as other,
        ):
            proxies = {
                "http": one.url().replace("//", more.get("one", "//")),
                "https": other.url().replace("//", more.get("other", "//")),
            }
            async with ClientSession(
                proxies=proxies, connector=TCPConnector(ssl=context)
            ) as session:
                assert await fetch(session, "http://a.test/", **call) == b"0.0"
            assert "proxy-authorization" not in names_of(other.requests[1])
            return one.requests[0], other.requests[0]

    @pytest.mark.parametrize(
        "call",
        [
            pytest.param({"proxy_auth": ("u", "p")}, id="PRX-02-argument"),
            pytest.param(
                {"proxy_headers": {"Proxy-Authorization": "Basic dTpw"}}, id="PRX-02-field"
            ),
            pytest.param({"headers": {"Proxy-Authorization": "Basic dTpw"}}, id="PRX-02-own-field"),
        ],
    )
    async def test_credentials_of_a_call(
        self, certificates: Certificates, call: dict[str, Any]
    ) -> None:
        """What a call says of the proxy of its first hop does not reach another one."""
        one, other = await self.hops(certificates, call)
        assert one.value("Proxy-Authorization") == "Basic dTpw"
        assert other.values("Proxy-Authorization") == []
        one, other = await self.hops(certificates, call, other="//v:q@")
        assert other.value("Proxy-Authorization") == "Basic djpx"

    @pytest.mark.rows("PRX-02")
    async def test_credentials_of_each(self, certificates: Certificates) -> None:
        """Each proxy gets its own."""
        one, other = await self.hops(certificates, {}, one="//u:p@", other="//v:q@")
        assert one.value("Proxy-Authorization") == "Basic dTpw"
        assert other.value("Proxy-Authorization") == "Basic djpx"

    @pytest.mark.rows("PRX-02")
    async def test_to_no_proxy(self) -> None:
        """A hop that needs no proxy goes directly, and takes nothing along that was for one."""
        async with RawServer(numbered) as server:
            location = f"Location: {server.url()}"
            async with (
                RawServer.replies([refusal("302 Found", location)]) as proxy,
                ClientSession(
                    proxies={"all": proxy.url(), "no_proxy": "127.0.0.1"}, proxy_auth=("u", "p")
                ) as session,
            ):
                assert await fetch(session, "http://a.test/") == b"0.0"
            assert proxy.requests[0].value("Proxy-Authorization") == "Basic dTpw"
            assert server.requests[0].target == "/"
            assert "proxy-authorization" not in names_of(server.requests[0])


class TestWhoseSettings:
    """Credentials, fields and TLS are for the proxies beside which they were given."""

    @pytest.mark.rows("S003-38", "S003-43")
    async def test_of_a_session_with_proxies(self) -> None:
        """Given beside the session's proxies they are for these, and not for a proxy of a call's own."""
        async with RawServer(numbered) as one, RawServer(numbered) as other:
            session = ClientSession(
                proxy=one.url(), proxy_auth=("u", "p"), proxy_headers={"X-Proxy": "1"}
            )
            async with session:
                await fetch(session, "http://a.test/")
                await fetch(session, "http://a.test/", proxy=other.url())
            assert one.requests[0].value("Proxy-Authorization") == "Basic dTpw"
            assert one.requests[0].value("X-Proxy") == "1"
            assert names_of(other.requests[0]).isdisjoint(("proxy-authorization", "x-proxy"))

    @pytest.mark.rows("S003-38", "S003-16")
    async def test_of_a_session_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A session without proxies of its own has them for those of its environment and its calls."""
        monkeypatch.delenv("no_proxy", raising=False)
        async with RawServer(numbered) as one, RawServer(numbered) as other:
            monkeypatch.setenv("http_proxy", one.url())
            async with ClientSession(env_proxies=True, proxy_auth=("u", "p")) as session:
                await fetch(session, "http://a.test/")
                await fetch(session, "http://a.test/", proxy=other.url())
                own = other.url().replace("//", "//v:q@")
                await fetch(session, "http://a.test/", proxy=own)
            assert one.requests[0].value("Proxy-Authorization") == "Basic dTpw"
            assert [found.value("Proxy-Authorization") for found in other.requests] == [
                "Basic dTpw",
                "Basic djpx",
            ]

    @pytest.mark.rows("PRX-02")
    async def test_not_for_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is given beside the session's proxies is not for those of the environment."""
        async with RawServer(numbered) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url())
            async with ClientSession(
                env_proxies=True, proxies={"https": "http://p.test"}, proxy_auth=("u", "p")
            ) as session:
                await fetch(session, "http://a.test/")
            assert proxy.requests[0].values("Proxy-Authorization") == []

    @pytest.mark.rows("S003-37")
    async def test_a_proxy_told_more(self) -> None:
        """A Proxy may be given where a URL may, and is told more by what stands beside it."""
        async with RawServer(numbered) as server, ClientSession() as session:
            proxy = Proxy(server.url(), auth=("u", "p"), headers={"X-Proxy": "1"})
            await fetch(session, "http://a.test/", proxy=proxy)
            await fetch(session, "http://a.test/", proxy=proxy, proxy_auth=("v", "q"))
            assert [found.value("Proxy-Authorization") for found in server.requests] == [
                "Basic dTpw",
                "Basic djpx",
            ]
            assert {found.value("X-Proxy") for found in server.requests} == {"1"}


class TestAddressPolicy:
    async def test_the_server_is_judged(self) -> None:
        """An address policy judges the server's address behind a proxy too, for each request."""
        policy = aioclient.AddressPolicy.public_only(trusted_hosts=["p.test"])
        async with (
            RawServer(numbered) as proxy,
            ClientSession(
                proxy=proxy.url(host="p.test"),
                connector=TCPConnector(resolver=Loopback(), address_policy=policy),
            ) as session,
        ):
            assert await fetch(session, "http://a.test/") == b"0.0"
            for url in ("http://127.0.0.1/", "https://127.0.0.1/", "http://169.254.169.254/"):
                with pytest.raises(aioclient.AddressNotAllowedError) as caught:
                    await session.get(url)
                assert caught.value.host in url
        assert [request.target for request in proxy.requests] == ["http://a.test/"]


def test_proxies_are_shown_without_secrets() -> None:
    """Neither proxies nor what is told of them shows a password."""
    proxy = Proxy(
        "https://u:secret@p.test", headers={"X": "secret"}, ssl=ssl.create_default_context()
    )
    assert repr(proxy) == "<Proxy https://p.test:443>"
    assert "secret" not in f"{proxy} {proxy.auth!r} {proxy.address!r}"
