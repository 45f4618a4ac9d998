"""One host: in the URL, looked up, connected to, verified and said."""

import aiohttp
import pytest
from yarl import URL

import aioclient
from aioclient import ClientSession
from aioclient.message.origin import origin_of
from aioclient.testing import RawServer

from ..loopback import OK, Loopback, answer, names
from ..servers.certificates import Certificates
from ..test_session import refuses


class TestAuthorities:
    """URL-01, 03, 04, 05: the host of the URL is the one connected to and the one said."""

    VECTORS = (
        "http://a.test:{port}\\@b.test/",
        "http://a.test:{port}@b.test:{port}/",
        "http://a.test@b.test@c.test:{port}/",
        "http://a.test:{port}#@b.test/",
        "http://a.test:{port}?@b.test/",
        "http://a.test:{port}/@b.test/",
        "http:////a.test:{port}/",
        "http:/a.test:{port}/",
        "http:a.test:{port}/",
        "////a.test:{port}/",
        "http://a.test%2f.b.test:{port}/",
        "http://a.test%00.b.test:{port}/",
        "http://a.test%2eb.test:{port}/",
        "http://a.test%40b.test:{port}/",
        "http://a.test%23b.test:{port}/",
        "http://a.test%5c.b.test:{port}/",
        "http://a.test;b.test:{port}/",
        "http://a.test,b.test:{port}/",
        "http://a.test&b.test:{port}/",
        "http://a.test|b.test:{port}/",
        "http://a.test^b.test:{port}/",
        "http://a.test`b.test:{port}/",
        "http://a.test<b.test>:{port}/",
        'http://a.test"b.test:{port}/',
        "http://a.test{{b.test}}:{port}/",
        "http://a.test b.test:{port}/",
        "http://a.test\tb.test:{port}/",
        "http://a.test\n.b.test:{port}/",
        "http://a.test\x00.b.test:{port}/",
        "http://a.test\xa0b.test:{port}/",
        "http://a.test\xad.b.test:{port}/",
        "http://a.test\u200b.b.test:{port}/",
        "http://a.test\u3002b.test:{port}/",
        "http://a.com\uff0fb.test:{port}/",
        "http://a.com℀b.test:{port}/",
        "http://a.com\uff20b.test:{port}/",
        "http://a.com\uff1a80.b.test:{port}/",
        "http://straße.test:{port}/",
        "http://STRASSE.test:{port}/",
        "http://xn--strae-oqa.test:{port}/",
        "http://xn--example-.test:{port}/",
        "http://xn--.test:{port}/",
        "http://xn--a.test:{port}/",
        "http://ⓐ.test:{port}/",
        "http://A.TEST:{port}/",
        "http://a.test.:{port}/",
        "http://a.test..:{port}/",
        "http://.a.test:{port}/",
        "http://a..test:{port}/",
        "http://-a.test:{port}/",
        "http://a_b.test:{port}/",
        "http://a.test:+{port}/",
        "http://a.test: {port}/",
        "http://a.test:{port}x/",
        "http://a.test:{port}.0/",
        "http://a.test:{port}:{port}/",
        "http://a.test:99999/",
        "http://a.test:65536/",
        "http://a.test:\uff10/",
        "http://user:pass@a.test:{port}/",
        "http://@a.test:{port}/",
        "http://a.test:{port}/..//b.test/",
        "//a.test:{port}/",
        "http://[a.test]:{port}/",
        "http://[v1.x]:{port}/",
        "http://[::1",
        "http://[::1]x:{port}/",
        "http://::1]:{port}/",
        "http://[::1]]:{port}/",
        "http://[[::1]]:{port}/",
        "http://[:::1]:{port}/",
        "http://[::g]:{port}/",
        "http://[1::2::3]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[::ffff:7f00:1]:{port}/",
        "http://2130706433:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://0177.1:{port}/",
        "http://127.1:{port}/",
        "http://127.0.1:{port}/",
        "http://0x7f.1:{port}/",
        "http://0x7f000001:{port}/",
        "http://127.0.0.0x1:{port}/",
        "http://127.0.0.1.:{port}/",
        "http://127.0.0.1.1:{port}/",
        "http://127.0.0.256:{port}/",
        "http://\uff11\uff12\uff17.0.0.1:{port}/",
        "http://127.0.0.१:{port}/",
        "http://0:{port}/",
    )

    @pytest.mark.parametrize(
        "vector", [pytest.param(v, id=f"URL-01-URL-03-URL-04-URL-05-{v!a}") for v in VECTORS]
    )
    async def test_one_host(self, vector: str) -> None:
        """A URL is refused, or its host is the one looked up, connected to, said in Host and shown."""
        resolver = Loopback()
        connector = aioclient.TCPConnector(resolver=resolver)
        async with RawServer.replies([OK]) as server, ClientSession(connector=connector) as session:
            try:
                response = await session.get(vector.format(port=server.port))
            except aiohttp.InvalidURL:
                assert server.connections == 0
                assert resolver.asked == []
                return
            host = response.url.raw_host
            assert host is not None
            assert host.isascii()
            assert resolver.asked in ([host], []), "an address needs no look-up"
            assert resolver.asked == [host] or host.rstrip(".") == "127.0.0.1"
            assert server.requests[0].value("Host") == f"{host.rstrip('.')}:{server.port}"
            assert host in vector.lower() or not vector.isascii()
            assert response.host == response.url.host

    @pytest.mark.parametrize(
        "host",
        [
            pytest.param(host, id=f"URL-03-{host}")
            for host in (
                "2130706433",
                "0177.1",
                "127.1",
                "0x7f.1",
                "0x7f000001",
                "[::ffff:127.0.0.1]",
                "[::ffff:7f00:1]",
                "127.0.0.256",
                "0",
            )
        ],
    )
    async def test_spellings_of_addresses_that_resolvers_read_differently(self, host: str) -> None:
        """Only four decimal numbers are an IPv4 address."""
        async with RawServer.replies([OK]) as server, ClientSession(connector=names()) as session:
            with pytest.raises(aiohttp.InvalidURL):
                await session.get(f"http://{host}:{server.port}/")
            assert server.connections == 0

    @pytest.mark.parametrize(
        "rest",
        [pytest.param(rest, id=f"URL-04-{rest}") for rest in ("[::1", "[::1]x", "::1]", "[::g]")],
    )
    async def test_brackets(self, rest: str) -> None:
        """A bracket that does not close, or closes no address, is InvalidURL."""
        await refuses(aiohttp.InvalidURL, url=f"http://{rest}/")

    @pytest.mark.parametrize("row", [pytest.param("", id="URL-04")])
    async def test_ipv6(self, row: str) -> None:
        """An IPv6 address stands in brackets in Host, without its zone."""
        origin = origin_of(URL("http://[fe80::1%25lo]:8080/"))
        assert (origin.host_field, origin.dns_name) == ("[fe80::1]:8080", "fe80::1%lo")
        assert origin_of(URL("http://[FE80::1%25Eth0]/")).dns_name == "fe80::1%Eth0"
        async with RawServer.replies([OK], host="::1") as server, ClientSession() as session:
            await session.get(server.url())
        assert server.requests[0].value("Host") == f"[::1]:{server.port}"

    @pytest.mark.parametrize("row", [pytest.param("", id="URL-05")])
    async def test_one_a_label(self, row: str, certificates: Certificates) -> None:
        """A name outside ASCII has one A-label (UTS 46), for DNS, SNI, certificate, Host and cookies."""
        label = "xn--strae-oqa.test"
        context = certificates.server_context(label)
        sni: list[str | None] = []
        context.sni_callback = lambda ssl, name, ctx: sni.append(name)
        resolver = Loopback()
        connector = aioclient.TCPConnector(resolver=resolver, ssl=certificates.client_context())
        async with (
            RawServer.replies([answer(b"", "Set-Cookie: a=1"), OK], ssl=context) as server,
            ClientSession(connector=connector) as session,
        ):
            await session.get(server.url(host="straße.test"))
            (cookie,) = session.cookie_jar
            assert cookie["domain"] == label
            await session.get(server.url(host=label))
        assert resolver.asked == sni == [label]
        assert [request.value("Host") for request in server.requests] == [
            f"{label}:{server.port}"
        ] * 2
        assert server.requests[1].value("Cookie") == "a=1"
