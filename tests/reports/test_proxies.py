"""Proxies."""

import ssl
from pathlib import Path

import pytest

import aioclient
from aioclient import ClientSession, Proxy, TCPConnector
from aioclient.testing import RawConnection, RawServer

from ..connectors.proxies.parts import ESTABLISHED, WANTS_BASIC, numbered, refusal, tunnel
from ..loopback import OK, names
from ..servers.certificates import Certificates
from .parts import fetch, friendly, numbers

pytestmark = pytest.mark.both_loops
reports = pytest.mark.reports

SECRETS = {"Authorization": "Bearer secret", "Cookie": "c=secret", "X-Api-Key": "secret"}


@reports("aio-libs/aiohttp#617")
async def test_credentials_open_the_tunnel(certificates: Certificates) -> None:
    """Credentials for the proxy were left out of CONNECT, so that https alone failed with 407."""
    connector = TCPConnector(ssl=certificates.client_context())
    async with (
        RawServer(tunnel(certificates.server_context())) as proxy,
        ClientSession(connector=connector) as session,
    ):
        url = proxy.url().replace("//", "//user:p%40ss@")
        assert await fetch(session, "https://a.test/", proxy=url) == b"0.0"
        connect, get = proxy.requests
        assert connect.value("Proxy-Authorization") == "Basic dXNlcjpwQHNz"  # user:p@ss
        assert get.values("Proxy-Authorization") == []


@reports("aio-libs/aiohttp#617")
async def test_the_answer_to_connect_leaves_nothing(certificates: Certificates) -> None:
    """Each tunnel left an unclosed response behind, that of the CONNECT."""
    connector = TCPConnector(ssl=certificates.client_context(), force_close=True)
    async with (
        RawServer(tunnel(certificates.server_context(), friendly)) as proxy,
        ClientSession(connector=connector, proxy=proxy.url()) as session,
    ):
        for _ in range(3):
            assert await fetch(session, "https://a.test/") == b"ok"
        assert numbers(session) == (0, 0, 0)


@reports("urllib3/urllib3#799")
async def test_what_the_proxy_said() -> None:
    """A proxy that refused a tunnel left an error without its status and fields, so that nobody could answer it."""
    async with RawServer.replies([WANTS_BASIC]) as proxy, ClientSession() as session:
        with pytest.raises(aioclient.ProxyRefusedError) as caught:
            await session.get("https://a.test/", proxy=proxy.url())
        assert caught.value.status == 407
        assert caught.value.headers is not None
        assert caught.value.headers["Proxy-Authenticate"] == 'Basic realm="p"'
        assert numbers(session)[0] == 0


async def test_secrets_stay_out_of_connect(certificates: Certificates) -> None:
    """Headers for the server were shown to the proxy in CONNECT."""
    connector = TCPConnector(ssl=certificates.client_context())
    async with (
        RawServer(tunnel(certificates.server_context())) as proxy,
        ClientSession(connector=connector, headers=SECRETS) as session,
    ):
        await fetch(session, "https://a.test/", proxy=proxy.url())
        connect, get = proxy.requests
        assert b"secret" not in connect.head
        assert get.value("Authorization") == "Bearer secret"


async def test_a_tunnel_is_used_again(certificates: Certificates) -> None:
    """Each request by a proxy opened a tunnel of its own."""
    connector = TCPConnector(ssl=certificates.client_context())
    async with (
        RawServer(tunnel(certificates.server_context())) as proxy,
        ClientSession(connector=connector, proxy=proxy.url()) as session,
    ):
        got = [await fetch(session, "https://a.test/") for _ in range(3)]
        assert got == [b"0.0", b"0.1", b"0.2"]
        # Another host, other credentials: another tunnel.
        assert await fetch(session, "https://b.test/") == b"1.0"
        other = Proxy(proxy.url(), auth=("u", "p"))
        assert await fetch(session, "https://a.test/", proxy=other) == b"2.0"


@reports(
    "httplib2/httplib2#95",
    "curl/curl#9773",
    "psf/requests#7586",
)
@pytest.mark.parametrize(
    ("rules", "host", "direct"),
    [
        ("bar", "foobar", False),
        ("bar", "foo.bar", True),
        (".a.test", "x.a.test", True),
        ("a.test", "nota.test", False),
        ("127.0.0.0/8", "127.0.0.1", True),
        ("10.0.0.0/8", "127.0.0.1", False),
        ("127.0.0.1:PORT", "127.0.0.1", True),
        ("127.0.0.1:1", "127.0.0.1", False),
        ("x.test, 127.0.0.1", "127.0.0.1", True),
        ("*", "a.test", True),
        ("[::1]", "127.0.0.1", False),
        ("", "127.0.0.1", False),
    ],
)
async def test_no_proxy(
    monkeypatch: pytest.MonkeyPatch, rules: str, host: str, direct: bool
) -> None:
    """NO_PROXY matched the ends of longer names, and knew neither networks nor ports."""
    async with RawServer.replies([OK]) as server, RawServer(numbered) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv("http_proxy", proxy.url())
        monkeypatch.setenv("NO_PROXY", rules.replace("PORT", str(server.port)))
        async with ClientSession(connector=names(), env_proxies=True) as session:
            body = await fetch(session, server.url(host=host))
        assert body == (b"ok" if direct else b"0.0")


@reports("encode/httpcore#934")
async def test_the_name_for_tls_behind_a_proxy(certificates: Certificates) -> None:
    """A server name given for TLS was not used for a connection by a proxy."""
    seen: list[str | None] = []
    context = certificates.server_context()
    context.sni_callback = lambda sock, name, of: seen.append(name)
    connector = TCPConnector(ssl=certificates.client_context())
    async with (
        RawServer(tunnel(context)) as proxy,
        ClientSession(connector=connector, proxy=proxy.url()) as session,
    ):
        assert await fetch(session, "https://1.2.3.4/", server_hostname="b.test") == b"0.0"
    assert seen == ["b.test"]
    assert proxy.requests[0].target == "1.2.3.4:443"


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"nonsense\r\n\r\n",
        refusal("502 Bad Gateway"),
        refusal("301 Moved", "Location: http://evil.test/"),
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)
async def test_a_tunnel_that_fails(certificates: Certificates, reply: bytes) -> None:
    """A proxy that answered CONNECT wrongly raised odd errors, hung, or had its answer taken for the server's."""

    async def script(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(reply)

    connector = TCPConnector(limit=1, ssl=certificates.client_context())
    async with RawServer(script) as proxy, ClientSession(connector=connector) as session:
        for _ in range(2):
            with pytest.raises(aioclient.ClientError):
                await session.get("https://a.test/", proxy=proxy.url())
            assert numbers(session)[0::2] == (0, 0)


async def test_tls_in_tls(certificates: Certificates) -> None:
    """An https server could not be reached by a proxy that is itself reached by TLS."""
    connector = TCPConnector(ssl=certificates.client_context())
    async with (
        RawServer(
            tunnel(certificates.server_context()), ssl=certificates.server_context()
        ) as proxy,
        ClientSession(connector=connector, proxy_ssl=certificates.client_context()) as session,
    ):
        got = [await fetch(session, "https://a.test/", proxy=proxy.url()) for _ in range(2)]
        assert got == [b"0.0", b"0.1"]


async def test_the_certificate_behind_a_proxy(certificates: Certificates) -> None:
    """Behind a proxy the server's certificate was checked against the proxy's name, or not at all."""
    connector = TCPConnector(ssl=certificates.client_context())
    async with (
        RawServer(tunnel(certificates.server_context("127.0.0.1"))) as proxy,
        ClientSession(connector=connector, proxy=proxy.url()) as session,
    ):
        with pytest.raises(aioclient.ClientConnectorCertificateError) as caught:
            await session.get("https://a.test/")
        assert isinstance(caught.value.certificate_error, ssl.SSLError)


@reports("aio-libs/aiohttp#2584")
async def test_netrc_for_the_proxy(tmp_path: Path) -> None:
    """A netrc file's login for the proxy was not used."""
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login user password pass\n")
    file.chmod(0o600)
    async with (
        RawServer(numbered) as proxy,
        ClientSession(proxy=proxy.url(), netrc=file) as session,
    ):
        await fetch(session, "http://a.test/")
        assert proxy.requests[0].value("Proxy-Authorization") == "Basic dXNlcjpwYXNz"
        assert proxy.requests[0].value("Authorization") is None


@reports("aio-libs/aiohttp#617")
async def test_connect_with_a_length(certificates: Certificates) -> None:
    """A proxy that puts Content-Length or chunks into its 200 to CONNECT had the handshake taken for a body."""

    async def script(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(ESTABLISHED.replace(b"\r\n\r\n", b"\r\nContent-Length: 10\r\n\r\n"))
        await conn.start_tls(certificates.server_context())
        await friendly(conn)

    connector = TCPConnector(ssl=certificates.client_context())
    async with RawServer(script) as proxy, ClientSession(connector=connector) as session:
        assert await fetch(session, "https://a.test/", proxy=proxy.url()) == b"ok"
