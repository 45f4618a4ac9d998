"""What the errors of connecting say: for which request, what was dialled, what was found."""

import pickle
import re
from typing import Any

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector
from aioclient.connectors.tls import own_context_for
from aioclient.testing import RawConnection, RawServer

from ..loopback import answer, names
from ..servers.certificates import Certificates, Forge

pytestmark = pytest.mark.both_loops


async def test_expired(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a context of the library's own, the error says on which day the certificate expired."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    context = own_context_for(True)
    expired = Forge(certificates).context("a.test", days=(-9, -2))
    async with (
        RawServer(lambda conn: conn.wait_lost(), ssl=expired) as server,
        ClientSession(connector=names(ssl=context)) as session,
    ):
        with pytest.raises(aioclient.CertificateError) as caught:
            await session.get(f"https://a.test:{server.port}/x?token=geheim")
    assert re.fullmatch(
        rf"GET https://a\.test:{server.port}/x\?token=\*\*\*: Cannot connect to host a\.test:{server.port}: "
        r"the certificate expired on 20\d\d-\d\d-\d\d",
        str(caught.value),
    )
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)


async def test_no_tls() -> None:
    """A server that does not speak TLS is said to, with the URL that may be meant."""

    async def script(conn: RawConnection) -> None:
        await conn.read_exactly(1)
        conn.send(answer(b"", status="400 Bad Request"))

    async with RawServer(script) as server, ClientSession() as session:
        with pytest.raises(aioclient.TLSError) as caught:
            await session.get(f"https://127.0.0.1:{server.port}/")
    assert f"the server does not speak TLS: http://127.0.0.1:{server.port}?" in str(caught.value)


@pytest.mark.parametrize("target", ["http://a.test/", "https://a.test/"])
async def test_the_proxy(target: str) -> None:
    """A proxy that cannot be reached is said to be one, and on the way where."""
    async with ClientSession(connector=names(), proxy="http://u:geheim@p.test:1") as session:
        with pytest.raises(aioclient.ProxyConnectError) as caught:
            await session.get(target)
    assert str(caught.value).startswith(
        f"GET {target}: Cannot connect to the proxy at host p.test:1 (127.0.0.1) on the way to {target[:-1]}:"
    )


async def test_tls_with_the_proxy(certificates: Certificates) -> None:
    """So is one whose certificate is refused."""
    async with (
        RawServer(lambda conn: conn.wait_lost(), ssl=certificates.server_context()) as proxy,
        ClientSession(proxy=proxy.url()) as session,
    ):
        with pytest.raises(aioclient.CertificateError, match=r"the proxy at host .* on the way to"):
            await session.get("https://a.test/")


async def test_several_addresses() -> None:
    """Several addresses that refuse are one line."""
    connector = TCPConnector(resolve={"*:1": ["127.0.0.1", "127.0.0.2"]})
    async with ClientSession(connector=connector) as session:
        with pytest.raises(aioclient.ConnectError) as caught:
            await session.get("http://a.test:1/")
    error: Any = caught.value
    assert str(error) == (
        "GET http://a.test:1/: Cannot connect to host a.test:1 (127.0.0.1, 127.0.0.2): Connection refused; "
        "is the port right, and does a server listen on it?"
    )
    assert error.dialled == ("127.0.0.1", "127.0.0.2")
