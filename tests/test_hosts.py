"""One host, however it is spelled: what is looked up, dialled, said in SNI and Host, verified and in cookies agree."""

import socket
from typing import NamedTuple

import pytest
from aiohttp.abc import ResolveResult
from yarl import URL

import aioclient
from aioclient import ClientSession, CookieJar, TCPConnector
from aioclient.message.origin import origin_of

from .loopback import OK, Loopback, answer
from .servers.certificates import Certificates
from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols


class Spelling(NamedTuple):
    """A host as a user writes it, and what each part of the way should see; *sni* is None for addresses."""

    written: str
    looked_up: str | None
    host_field: str
    sni: str | None
    cookie_domain: str


def named(written: str, name: str, looked_up: str | None = None) -> Spelling:
    return Spelling(written, looked_up or name, name, name, name)


SPELLINGS = [
    named("a.test", "a.test"),
    named("A.TEST", "a.test"),
    named("a.test.", "a.test", "a.test."),
    named("user:pass@a.test", "a.test"),
    named("us%40er@a.test", "a.test"),
    named("straße.test", "xn--strae-oqa.test"),
    named("xn--strae-oqa.test", "xn--strae-oqa.test"),
    named("XN--STRAE-OQA.test", "xn--strae-oqa.test"),
    named("BÜCHER.test", "xn--bcher-kva.test"),
    named("bu\u0308cher.test", "xn--bcher-kva.test"),
    named("b\u3002a.test", "b.a.test"),
    named("\uff41.test", "a.test"),
    Spelling("127.0.0.1", None, "127.0.0.1", None, "127.0.0.1"),
    Spelling("[::1]", None, "[::1]", None, "::1"),
    Spelling("[0:0:0:0:0:0:0:1]", None, "[::1]", None, "::1"),
]
REFUSED = [
    "%61.test",
    "stra%C3%9Fe.test",
    "a b.test",
    "a%20b.test",
    "a%2Fb.test",
    "a%00.test",
    "a%0d%0aX.test",
    "a.test:99999",
    "a.test:-1",
    "a.test:http",
    "b\uff0fa.test",
    "a.test\\@b.test",
    "\u2100.test",
    "xn--a\u00e4.test",
    "xn--.test",
    "[::1",
    "[::1%25]",
    "::1",
    "127.1",
    "0x7f.0.0.1",
    "a..test",
    "a.test..",
    "127.0.0.1..",
    ".test",
]


class Watched(Loopback):
    """Every name is this machine, by the family of the server."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        found[0]["host"] = self.address
        return found


@pytest.mark.both_loops
@pytest.mark.rows("URL-04", "URL-05")
class TestSpellings:
    @pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: ascii(spelling.written))
    async def test_one_host(self, spelling: Spelling, certificates: Certificates) -> None:
        """Lookup, SNI, certificate, Host, cookies and the second request's connection are of one host."""
        name = spelling.sni or spelling.cookie_domain
        context = certificates.server_context(name)
        asked: list[str | None] = []
        context.sni_callback = lambda tls, sni, ctx: asked.append(sni)
        address = "::1" if "[" in spelling.written else "127.0.0.1"
        resolver = Watched(address)
        connector = TCPConnector(resolver=resolver, ssl=certificates.client_context())
        jar = CookieJar(unsafe=True)
        async with (
            RawServer.replies(
                [answer(b"ok", "Set-Cookie: a=1"), OK], ssl=context, host=address
            ) as server,
            ClientSession(connector=connector, cookie_jar=jar) as session,
        ):
            for path in ("x", "y"):
                async with session.get(
                    f"https://{spelling.written}:{server.port}/{path}"
                ) as response:
                    assert await response.read() == b"ok"
            assert server.connections == 1
            assert resolver.asked == ([spelling.looked_up] if spelling.looked_up else [])
            assert asked == [spelling.sni]
            assert {request.value("Host") for request in server.requests} == {
                f"{spelling.host_field}:{server.port}"
            }
            assert [cookie["domain"] for cookie in jar] == [spelling.cookie_domain]
            assert server.requests[1].value("Cookie") == "a=1"

    @pytest.mark.parametrize("written", REFUSED, ids=ascii)
    async def test_refused(self, written: str) -> None:
        """What is no host is refused before anything is looked up."""
        resolver = Loopback()
        async with ClientSession(connector=TCPConnector(resolver=resolver)) as session:
            with pytest.raises(aioclient.InvalidURL):
                await session.get(f"http://{written}/")
        assert resolver.asked == []

    async def test_a_zone(self, certificates: Certificates) -> None:
        """The zone of an IPv6 address is dialled, and neither sent nor verified (RFC 6874, section 4)."""
        context = certificates.server_context("::1")
        connector = TCPConnector(ssl=certificates.client_context())
        jar = CookieJar(unsafe=True)
        async with (
            RawServer.replies(
                [answer(b"ok", "Set-Cookie: a=1"), OK], ssl=context, host="::1"
            ) as server,
            ClientSession(connector=connector, cookie_jar=jar) as session,
        ):
            # A number: names of interfaces are for link-local addresses, of which the loopback has none.
            for _ in range(2):
                async with session.get(f"https://[::1%251]:{server.port}/") as response:
                    assert await response.read() == b"ok"
            assert server.connections == 1
            assert server.requests[0].value("Host") == f"[::1]:{server.port}"
            assert server.requests[1].value("Cookie") == "a=1"

    @pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
    async def test_the_default_port(self, scheme: str, port: int) -> None:
        """The scheme's own port is left out of Host, written or not."""
        for written in ("a.test", f"a.test:{port}", "a.test:"):
            assert origin_of(URL(f"{scheme}://{written}/")).host_field == "a.test"
