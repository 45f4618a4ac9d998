"""Credentials and netrc files."""

from pathlib import Path

import pytest

from aioclient import BasicAuth, ClientSession

from ..loopback import OK, moved, names
from ..servers.either import RawServer
from .parts import fetch

pytestmark = [pytest.mark.both_protocols, pytest.mark.both_loops]
reports = pytest.mark.reports

OF_NETRC = "Basic dXNlcjpwYXNz"  # user:pass
NETRC = "machine a.test login user password pass\n"


@pytest.fixture
def netrc(tmp_path: Path) -> Path:
    """A netrc file for a.test."""
    file = tmp_path / "netrc"
    file.write_text(NETRC)
    file.chmod(0o600)
    return file


@reports("aio-libs/aiohttp#2581", "aio-libs/aiohttp#7131", "aio-libs/aiohttp#7249")
async def test_trust_env_and_netrc(netrc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With trust_env the netrc file was used for proxies alone, or not at all."""
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        RawServer.replies([OK] * 3) as server,
        ClientSession(connector=names(), trust_env=True) as session,
    ):
        await fetch(session, server.url(host="a.test"))
        await fetch(session, server.url(host="b.test"))
        await fetch(session, server.url(host="a.test"), auth=BasicAuth("x", "y"))
        sent = [request.value("Authorization") for request in server.requests]
        assert sent == [OF_NETRC, None, BasicAuth("x", "y").encode()]


async def test_netrc_and_a_header_of_ones_own(netrc: Path) -> None:
    """A netrc entry replaced an Authorization header that the program had set."""
    async with (
        RawServer.replies([OK]) as server,
        ClientSession(
            connector=names(), netrc=netrc, headers={"Authorization": "Bearer own"}
        ) as session,
    ):
        await fetch(session, server.url(host="a.test"))
        assert server.requests[0].values("Authorization") == ["Bearer own"]


async def test_netrc_and_a_redirect(netrc: Path) -> None:
    """A netrc login followed a redirect to another host."""
    async with (
        RawServer.replies([OK]) as other,
        RawServer.replies([moved(other.url(host="b.test"))]) as server,
        ClientSession(connector=names(), netrc=netrc) as session,
    ):
        await fetch(session, server.url(host="a.test"))
        assert server.requests[0].value("Authorization") == OF_NETRC
        assert other.requests[0].value("Authorization") is None


@reports("aio-libs/aiohttp#9443")
async def test_credentials_in_a_location() -> None:
    """Credentials in the URL of a redirect failed beside those that were given, or were ignored."""
    async with RawServer.replies([OK]) as other:
        location = other.url("/x", host="b.test").replace("//", "//user:pass@")
        async with (
            RawServer.replies([moved(location)]) as server,
            ClientSession(connector=names()) as session,
        ):
            await fetch(session, server.url(host="a.test"), auth=("mine", "secret"))
        request = other.requests[0]
        assert request.value("Authorization") in (OF_NETRC, None)
        assert b"user:pass" not in request.head


async def test_credentials_in_a_url() -> None:
    """Credentials in a URL with percent-encoded characters were sent encoded, or stayed in the Host header."""
    async with RawServer.replies([OK]) as server, ClientSession() as session:
        url = server.url().replace("//", "//us%40er:p%3Ass@")
        async with session.get(url) as response:
            assert "p%3Ass" not in str(response.url)
        request = server.requests[0]
        assert request.value("Authorization") == BasicAuth("us@er", "p:ss").encode()
        assert request.value("Host") == f"127.0.0.1:{server.port}"
