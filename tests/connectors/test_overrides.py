"""`resolve=`: addresses that are given and not looked up."""

import socket
from typing import Any

import pytest

import aioclient
from aioclient import AddressPolicy, ClientSession, TCPConnector
from aioclient.connectors.overrides import Overrides
from aioclient.testing import RawServer

from ..loopback import OK, Loopback
from ..servers.certificates import Certificates


class TestFinding:
    @pytest.mark.parametrize(
        ("host", "port", "found"),
        [
            ("a.test", 443, ("127.0.0.1",)),
            ("a.test.", 443, ("127.0.0.1",)),
            ("a.test", 80, None),
            ("b.test", 443, ("::1", "127.0.0.1")),
            ("xn--strae-oqa.de", 443, ("127.0.0.3",)),
            ("strasse.de", 443, None),
            ("::1", 443, ("127.0.0.4",)),
            ("a.test", 8080, ("127.0.0.5",)),
            ("c.test", 8080, ("127.0.0.6",)),
            ("c.test", 443, None),
        ],
    )
    def test_find(self, host: str, port: int, found: tuple[str, ...] | None) -> None:
        """A host and port are found however they are spelled; the star stands for hosts without an entry."""
        overrides = Overrides(
            {
                "A.test:443": "127.0.0.1",
                "b.test.:443": ["::1", "127.0.0.1"],
                "straße.de:443": "127.0.0.3",
                "[::1]:443": "127.0.0.4",
                "a.test:8080": "127.0.0.5",
                "*:8080": "127.0.0.6",
            }
        )
        assert overrides.find(host, port) == found

    @pytest.mark.parametrize(
        "resolve",
        [
            {"a.test": "127.0.0.1"},
            {"a.test:": "127.0.0.1"},
            {"a.test:x": "127.0.0.1"},
            {"a.test:0": "127.0.0.1"},
            {"a.test:65536": "127.0.0.1"},
            {":443": "127.0.0.1"},
            {"a b:443": "127.0.0.1"},
            {"127.1:443": "127.0.0.1"},
            {"a.test:443": "b.test"},
            {"a.test:443": "127.1"},
            {"a.test:443": []},
            {"a.test:443": ["127.0.0.1", ""]},
        ],
        ids=repr,
    )
    def test_nonsense(self, resolve: dict[str, Any]) -> None:
        """What is no host and port, or no address, is refused at construction with its text."""
        with pytest.raises(ValueError, match=r"^resolve: "):
            TCPConnector(resolve=resolve)


@pytest.mark.both_loops
class TestConnecting:
    async def test_without_a_lookup(self, certificates: Certificates) -> None:
        """The given address is dialled; Host, SNI and certificate are the URL's."""
        resolver = Loopback()
        async with RawServer.replies(
            [OK], ssl=certificates.server_context("a.test"), repeat=True
        ) as server:
            connector = TCPConnector(
                resolver=resolver,
                resolve={f"a.test:{server.port}": "127.0.0.1"},
                ssl=certificates.client_context(),
            )
            async with ClientSession(connector=connector) as session:
                async with session.get(server.url(host="a.test")) as response:
                    assert await response.read() == b"ok"
                assert server.requests[0].value("Host") == f"a.test:{server.port}"
                assert resolver.asked == []
                with pytest.raises(aioclient.ClientConnectorCertificateError):
                    await session.get(server.url(host="b.test"))
                assert resolver.asked == ["b.test"]

    async def test_several(self) -> None:
        """Several addresses are tried in the order given, each time."""
        async with RawServer.replies([OK], repeat=True, host="127.0.0.2") as server:
            connector = TCPConnector(
                resolve={f"*:{server.port}": ["127.0.0.3", "127.0.0.2"]}, force_close=True
            )
            async with ClientSession(connector=connector) as session:
                for host in ("a.test", "b.test"):
                    async with session.get(server.url(host=host)) as response:
                        assert await response.read() == b"ok"

    async def test_family(self) -> None:
        """Addresses of another family than the connector's are left out; none left is an error."""
        connector = TCPConnector(resolve={"a.test:80": "::1"}, family=socket.AF_INET)
        async with ClientSession(connector=connector) as session:
            with pytest.raises(
                aioclient.ClientConnectorDNSError, match="::1 is not an address of the family"
            ):
                await session.get("http://a.test/")

    async def test_policy(self) -> None:
        """A given address is judged by the address policy as any other is."""
        connector = TCPConnector(
            resolve={"a.test:80": "127.0.0.1"}, address_policy=AddressPolicy.public_only()
        )
        async with ClientSession(connector=connector) as session:
            with pytest.raises(aioclient.AddressNotAllowedError):
                await session.get("http://a.test/")
