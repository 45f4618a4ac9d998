"""TLS: names, certificates, ends."""

import ssl

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector
from aioclient.testing import RawConnection, RawServer

from ..loopback import Loopback, answer, names
from ..servers.certificates import Certificates, Forge
from .parts import fetch, friendly, numbers

pytestmark = pytest.mark.both_loops
reports = pytest.mark.reports


def watched(certificates: Certificates, *hosts: str) -> tuple[ssl.SSLContext, list[str | None]]:
    """Return a server's context, and the list of names that clients will ask it for."""
    seen: list[str | None] = []
    context = certificates.server_context(*hosts)
    context.sni_callback = lambda sock, name, of: seen.append(name)
    return context, seen


@reports("aio-libs/aiohttp#3636", "aio-libs/aiohttp#7601", "pydantic/httpx2#1007")
async def test_a_name_with_a_dot_at_its_end(certificates: Certificates) -> None:
    """A host with a trailing dot failed, because certificates have none."""
    context, seen = watched(certificates, "a.test")
    resolver = Loopback()
    connector = TCPConnector(resolver=resolver, ssl=certificates.client_context())
    async with (
        RawServer(friendly, ssl=context) as server,
        ClientSession(connector=connector) as session,
    ):
        assert await fetch(session, server.url(host="a.test.")) == b"ok"
        assert server.requests[0].value("Host") == f"a.test:{server.port}"
    assert seen == ["a.test"]
    assert resolver.asked == ["a.test."]


@reports("aio-libs/aiohttp#7114")
async def test_a_name_of_ones_own(certificates: Certificates) -> None:
    """A server behind a balancer could not be asked for by the name in its certificate."""
    context, seen = watched(certificates, "balancer.test")
    connector = names(ssl=certificates.client_context())
    async with (
        RawServer(friendly, ssl=context) as server,
        ClientSession(connector=connector) as session,
    ):
        url = server.url(host="s1.test")
        assert await fetch(session, url, server_hostname="balancer.test") == b"ok"
        with pytest.raises(aioclient.ClientConnectorCertificateError):
            await session.get(url)
    assert seen == ["balancer.test", "s1.test"]


@reports("ecog-io/iso15118#459")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::1%1"])
async def test_no_name_for_an_address(certificates: Certificates, host: str) -> None:
    """An IP address was sent as a server name, which strict servers refuse."""
    context, seen = watched(certificates)
    connector = TCPConnector(ssl=certificates.client_context())
    async with (
        RawServer(friendly, ssl=context, host=host.partition("%")[0]) as server,
        ClientSession(connector=connector) as session,
    ):
        assert await fetch(session, server.url(host=host)) == b"ok"
    assert seen == [None]


@reports("ouspg/trytls#252")
@pytest.mark.parametrize("fault", ["name", "expired", "self-signed", "unknown"])
async def test_wrong_certificates(certificates: Certificates, fault: str) -> None:
    """A wrong certificate raised in a callback of the event loop, and the call did not end."""
    forge = Forge(certificates)
    context = {
        "name": lambda: forge.context("other.test"),
        "expired": lambda: forge.context("localhost", days=(-3, -2)),
        "self-signed": lambda: forge.context("localhost", self_signed=True),
        "unknown": certificates.server_context,
    }[fault]()
    trusted = True if fault == "unknown" else certificates.client_context()
    connector = TCPConnector(ssl=trusted, limit=1)
    async with (
        RawServer(friendly, ssl=context) as server,
        ClientSession(connector=connector) as session,
    ):
        for _ in range(2):
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await session.get(server.url(host="localhost"))
        assert numbers(session) == (0, 0, 0)
        assert not server.requests


async def test_settings_do_not_share_connections(certificates: Certificates) -> None:
    """A connection made without verification was used again for a request that wanted it."""
    connector = names(ssl=certificates.client_context())
    async with (
        RawServer(friendly, ssl=certificates.server_context("other.test")) as server,
        ClientSession(connector=connector) as session,
    ):
        url = server.url(host="a.test")
        assert await fetch(session, url, ssl=False) == b"ok"
        with pytest.raises(aioclient.ClientConnectorCertificateError):
            await session.get(url)
        assert await fetch(session, url, ssl=False) == b"ok"
        assert len(server.requests) == 2


async def test_http_on_an_https_port() -> None:
    """A plain server behind an https URL left an error of the ssl module, or a hang."""

    async def plain(conn: RawConnection) -> None:
        await conn.read_exactly(1)
        conn.send(answer(b"", status="400 Bad Request"))

    async with RawServer(plain) as server, ClientSession() as session:
        with pytest.raises(aioclient.ClientConnectorSSLError):
            await session.get(server.url().replace("http:", "https:"))
        assert numbers(session) == (0, 0, 0)
