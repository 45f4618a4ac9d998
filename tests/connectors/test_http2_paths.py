"""HTTP/2 by way of tunnels and unix sockets, and what its TLS must be."""

import asyncio
import ssl
from pathlib import Path

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector, UnixConnector
from aioclient.testing import H2Connection, H2Server, RawConnection, RawServer

from ..servers.certificates import Certificates
from .proxies.parts import tunnel

pytestmark = pytest.mark.both_loops


async def answers(conn: H2Connection) -> None:
    """Answer each request with its target."""
    while True:
        request = await conn.read_request()
        await conn.respond(request.stream_id, body=request.target.encode())


async def fetch_many(session: ClientSession, base: str, tls: ssl.SSLContext | bool = True) -> None:
    """Let twenty requests at a time have HTTP/2, and one connection."""

    async def fetch(number: int) -> None:
        async with session.get(f"{base}{number}", ssl=tls) as response:
            assert response.version == (2, 0)
            assert await response.text() == f"/{number}"

    await asyncio.gather(*map(fetch, range(20)))
    assert isinstance(session.connector, TCPConnector | UnixConnector)
    assert session.connector.statistics().opened == 1


class TestProxies:
    @pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
    async def test_within_a_tunnel(self, certificates: Certificates, tls: bool) -> None:
        """HTTP/2 is for the origin, within the tunnel; the proxy gets no offer of it."""
        context = certificates.server_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        chosen: list[str | None] = []

        async def proxy(conn: RawConnection) -> None:
            if tls:
                leg = conn.transport.get_extra_info("ssl_object")
                chosen.append(leg.selected_alpn_protocol())
            await tunnel(context, lambda within: answers(H2Connection(within, {})))(conn)

        ours = certificates.client_context()
        ours.set_alpn_protocols(["h2", "http/1.1"])
        for_proxy = certificates.client_context()
        async with (
            RawServer(proxy, ssl=context if tls else None) as server,
            ClientSession(http2=True, proxy=server.url(), proxy_ssl=for_proxy) as session,
        ):
            await fetch_many(session, "https://localhost/", ours)
            assert [request.method for request in server.requests] == ["CONNECT"]
            assert chosen == ([None] if tls else [])

    async def test_a_context_that_offers_it_to_the_proxy(self, certificates: Certificates) -> None:
        """A user's context with which a proxy chooses HTTP/2 is refused, and what to call is said."""
        context = certificates.server_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        ours = certificates.client_context()
        ours.set_alpn_protocols(["h2", "http/1.1"])
        async with (
            RawServer(tunnel(context), ssl=context) as server,
            ClientSession(http2=True, proxy=server.url(), proxy_ssl=ours) as session,
        ):
            with pytest.raises(aioclient.ClientConnectorError, match="set_alpn_protocols"):
                await session.get("https://localhost/")
            assert server.requests == []

    @pytest.mark.parametrize("known", [True, "prior-knowledge"])
    async def test_a_forwarded_url(self, known: "bool | str") -> None:
        """What an HTTP proxy forwards goes to it in HTTP/1.1, with prior knowledge of the origin too."""
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        async with (
            RawServer.replies([reply]) as server,
            ClientSession(http2=known, proxy=server.url()) as session,
            session.get("http://a.test/") as response,
        ):
            assert response.version == (1, 1)
            assert server.requests[0].target == "http://a.test/"


class TestUnix:
    @pytest.mark.parametrize("tls", [False, True])
    async def test_requests(self, tmp_path: Path, certificates: Certificates, tls: bool) -> None:
        """Over a unix socket HTTP/2 is known beforehand, or chosen by the TLS handshake."""
        context = certificates.server_context()
        context.set_alpn_protocols(["h2"])
        ours = certificates.client_context()
        ours.set_alpn_protocols(["h2"])
        path = tmp_path / "socket"
        async with (
            H2Server(answers, unix_path=path, ssl=context if tls else None),
            ClientSession(
                connector=UnixConnector(str(path)), http2=True if tls else "prior-knowledge"
            ) as session,
        ):
            await fetch_many(session, "https://localhost/" if tls else "http://localhost/", ours)


async def test_old_tls(certificates: Certificates) -> None:
    """HTTP/2 is not spoken over a TLS that is older than 1.2, which a user's context allows (RFC 9113, section 9.2)."""
    contexts = certificates.server_context(), certificates.client_context()
    for context in contexts:
        with pytest.warns(DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.set_alpn_protocols(["h2", "http/1.1"])
    theirs, ours = contexts
    async with (
        H2Server(answers, ssl=theirs) as server,
        ClientSession(connector=TCPConnector(ssl=ours), http2=True) as session,
    ):
        with pytest.raises(aioclient.ClientConnectorError, match=r"TLS 1\.2.*TLSv1\.1"):
            await session.get(server.url())
        assert server.requests == []
