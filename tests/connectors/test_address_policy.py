"""The address policy: what it decides, on plain values; and that it decides before anything is dialled."""

import pickle
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

import aioclient
from aioclient import (
    AddressNotAllowedError,
    AddressPolicy,
    ClientConnectorDNSError,
    ClientSession,
    TCPConnector,
)
from aioclient.connectors.sockets import open_socket
from aioclient.testing import RawServer

from ..loopback import OK, moved

PUBLIC = AddressPolicy.public_only()

DENIED = {
    "0.0.0.0": "this host",
    "0.1.2.3": "this host",
    "10.0.0.1": "private",
    "100.64.0.1": "carrier's NAT",
    "100.127.255.255": "carrier's NAT",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "169.254.0.1": "link-local",
    "169.254.169.254": "metadata",
    "169.254.170.2": "metadata",
    "100.100.100.200": "metadata",
    "192.0.0.192": "metadata",
    "168.63.129.16": "metadata",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.8": "protocols",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmarks",
    "198.51.100.7": "documentation",
    "203.0.113.7": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "stands for 127.0.0.1, which is loopback",
    "::8.8.8.8": "IPv4-compatible",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:a9fe:a9fe": "metadata",
    "::ffff:0:127.0.0.1": "stands for 127.0.0.1",
    "::ffff:0:8.8.8.8": "IPv4-translated",
    "64:ff9b::127.0.0.1": "stands for 127.0.0.1",
    "64:ff9b::a9fe:a9fe": "stands for 169.254.169.254, which is a cloud's metadata service",
    "64:ff9b:1::8.8.8.8": "NAT64 of a local network",
    "64:ff9b:1:a00:0:100::": "NAT64 of a local network",
    "100::1": "discarded",
    "2001::1": "stands for",
    "2001:0:7f00:1::f7f7:f7f7": "stands for 127.0.0.1",
    "2001:0:808:808::f5ff:fffe": "stands for 10.0.0.1",
    "2001:2::1": "protocols",
    "2001:10::1": "protocols",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "stands for 127.0.0.1",
    "2002:c0a8:101::1": "stands for 192.168.1.1",
    "2606:4700::5efe:10.0.0.1": "stands for 10.0.0.1",
    "2606:4700::200:5efe:10.0.0.1": "stands for 10.0.0.1",
    "2620:4f:8000::1": "AS112",
    "3fff::1": "documentation",
    "4000::1": "not global unicast",
    "5f00::1": "segment routing",
    "fc00::1": "unique local",
    "fd12:3456::1": "unique local",
    "fd00:ec2::254": "metadata",
    "fd20:ce::254": "metadata",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
}
ALLOWED = [
    "1.1.1.1",
    "8.8.8.8",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "198.20.0.0",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2001:0:808:808::f7f7:f7f7",
    "2606:4700::5efe:8.8.8.8",
]


class TestPublicOnly:
    @pytest.mark.parametrize(
        ("address", "rule"),
        [pytest.param(*pair, id=f"URL-08-{pair[0]}") for pair in DENIED.items()],
    )
    def test_denied(self, address: str, rule: str) -> None:
        """An address that is not of the public internet, or stands for one, is denied by a rule with a name."""
        denial = PUBLIC.judge_address("a.test", address)
        assert denial is not None
        assert denial.address == address
        assert str(denial).startswith(f"the address {address} ")
        assert rule in denial.rule

    @pytest.mark.parametrize("address", ALLOWED)
    def test_allowed(self, address: str) -> None:
        """An address of the public internet is allowed, and one that stands for such a one."""
        assert PUBLIC.judge_address("a.test", address) is None

    @pytest.mark.parametrize(
        "text", ["a.test", "localhost", "127.1", "0x7f.1", "2130706433", "", "8.8.8.8%a.test"]
    )
    def test_no_address(self, text: str) -> None:
        """What a resolver returns and is no address would be looked up again: it is denied."""
        denial = PUBLIC.judge_address("a.test", text)
        assert denial is not None
        assert "not an IP address" in denial.rule


class TestRules:
    def test_nothing_said(self) -> None:
        """A policy that says nothing allows everything."""
        policy = AddressPolicy()
        assert policy.judge_target("http", "127.0.0.1", 80) is None
        assert policy.judge_address("a.test", "169.254.169.254") is None

    def test_networks_besides(self) -> None:
        """Networks are allowed besides the public internet, in whatever form an address is written."""
        policy = AddressPolicy.public_only(networks=["10.1.0.0/16", "fd00:1::/32"])
        for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5", "8.8.8.8"):
            assert policy.judge_address("a.test", address) is None
        for address in ("10.2.0.1", "fd00:2::5", "127.0.0.1", "64:ff9b::10.1.2.3"):
            assert policy.judge_address("a.test", address) is not None

    def test_networks_alone(self) -> None:
        """Without public=True only the networks are allowed."""
        policy = AddressPolicy(networks=["10.1.0.0/16"])
        assert policy.judge_address("a.test", "10.1.2.3") is None
        denial = policy.judge_address("a.test", "8.8.8.8")
        assert str(denial) == "the address 8.8.8.8 is not in networks=['10.1.0.0/16']"

    def test_denied_networks(self) -> None:
        """Denied networks are denied whatever else is said, also as what an address stands for."""
        policy = AddressPolicy(networks=["0.0.0.0/0", "::/0"], denied_networks=["192.168.7.0/24"])
        assert policy.judge_address("a.test", "192.168.8.1") is None
        for address in (
            "192.168.7.1",
            "::ffff:192.168.7.1",
            "64:ff9b::192.168.7.1",
            "2002:c0a8:701::",
        ):
            denial = policy.judge_address("a.test", address)
            assert denial is not None
            assert denial.rule == "is in denied_networks: 192.168.7.0/24"

    @pytest.mark.parametrize(
        ("host", "allowed"),
        [
            ("example.com", True),
            ("example.com.", True),
            ("api.example.org", True),
            ("a.b.example.org", True),
            ("example.org", False),
            ("notexample.com", False),
            ("badexample.org", False),
            ("xn--strae-oqa.de", True),
            ("strasse.de", False),
            ("8.8.8.8", False),
            ("127.0.0.1", True),
        ],
    )
    def test_hosts(self, host: str, allowed: bool) -> None:
        """Only the named hosts are allowed, and names below those that begin with a star."""
        policy = AddressPolicy(hosts=["Example.com", "*.example.org", "straße.de", "127.0.0.1"])
        assert (policy.judge_target("http", host, 80) is None) is allowed

    def test_trusted_hosts(self) -> None:
        """The addresses of trusted hosts are not judged, those of other ones are."""
        policy = AddressPolicy.public_only(trusted_hosts=["db.internal", "localhost", "127.0.0.2"])
        assert policy.judge_address("db.internal", "10.0.0.1") is None
        assert policy.judge_target("http", "127.0.0.2", 80) is None
        assert policy.judge_target("http", "localhost", 80) is None
        assert policy.judge_address("a.test", "10.0.0.1") is not None

    def test_ports_and_schemes(self) -> None:
        """Only the named ports and schemes are allowed; ws counts as http, wss as https."""
        policy = AddressPolicy(ports=[80, 443], schemes=["https"])
        assert policy.judge_target("https", "a.test", 443) is None
        assert policy.judge_target("wss", "a.test", 443) is None
        denial = policy.judge_target("https", "a.test", 22)
        assert str(denial) == "the port 22 is not in ports=[80, 443]"
        for scheme in ("http", "ws"):
            denial = policy.judge_target(scheme, "a.test", 80)
            assert str(denial) == f"the scheme {scheme} is not in schemes=['https']"

    @pytest.mark.parametrize(
        "host", ["localhost", "app.localhost", "127.0.0.1", "::1", "fe80::1%25eth0"]
    )
    def test_targets_that_need_no_lookup(self, host: str) -> None:
        """A host that is an address, or always the loopback, is judged before anybody looks it up."""
        assert PUBLIC.judge_target("http", host, 80) is not None
        assert PUBLIC.judge_target("http", "a.test", 80) is None
        assert PUBLIC.judge_target("http", "8.8.8.8", 80) is None

    @pytest.mark.parametrize(
        "arguments",
        [
            {"networks": ["10.0.0.1/8"]},
            {"networks": ["a.test"]},
            {"networks": "10.0.0.0/8"},
            {"denied_networks": [""]},
            {"denied_networks": ["::ffff:10.0.0.0/104"]},
            {"networks": ["::ffff:0:0/96"]},
            {"hosts": ["a b"]},
            {"hosts": "a.test"},
            {"hosts": ["127.1"]},
            {"trusted_hosts": ["*"]},
            {"ports": [0]},
            {"ports": [65536]},
            {"schemes": ["ftp"]},
            {"schemes": "http"},
        ],
        ids=repr,
    )
    def test_nonsense(self, arguments: dict[str, Any]) -> None:
        """What is no network, host, port or scheme is refused at construction, by its argument's name."""
        with pytest.raises(ValueError, match=next(iter(arguments))):
            AddressPolicy(**arguments)

    def test_a_value(self) -> None:
        """Policies compare by what they say, cannot be changed, and their repr makes an equal one."""
        policy = AddressPolicy.public_only(networks=["10.0.0.0/8"], hosts=["*.a.test"], ports=[443])
        assert eval(repr(policy)) == policy
        assert hash(eval(repr(policy))) == hash(policy)
        assert policy != PUBLIC
        assert repr(AddressPolicy()) == "AddressPolicy()"
        with pytest.raises(AttributeError):
            policy.public = False  # type: ignore[misc]


class Script(AbstractResolver):
    """Answers with the next list of addresses each time; the last one again and again."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=0, proto=0, flags=0)
            for address in answer
        ]

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The addresses that were dialled; those that are not of this machine refuse at once."""
    seen: list[str] = []

    async def dial(addr_infos: Any, **more: Any) -> socket.socket:
        seen.extend(info[4][0] for info in addr_infos)
        here = [info for info in addr_infos if info[4][0] in ("127.0.0.1", "127.0.0.2")]
        if not here:
            raise ConnectionRefusedError(111, "not dialled in a test")
        return await open_socket(here, **more)

    monkeypatch.setattr("aioclient.connectors.tcp.open_socket", dial)
    yield seen


async def fetch(session: ClientSession, url: str, **more: Any) -> bytes:
    async with session.get(url, **more) as response:
        return await response.read()


@pytest.mark.both_loops
@pytest.mark.rows("URL-08")
class TestConnecting:
    async def test_a_name_of_this_machine(self) -> None:
        """A name that resolves to a denied address is refused; the error names host, address and rule."""
        connector = TCPConnector(resolver=Script(["127.0.0.1"]), address_policy=PUBLIC)
        async with RawServer.replies([OK]) as server, ClientSession(connector=connector) as session:
            with pytest.raises(AddressNotAllowedError) as caught:
                await fetch(session, server.url(host="a.test"))
            assert server.connections == 0
            assert connector.statistics().in_use == 0
        error = caught.value
        assert (error.host, error.port, error.address) == ("a.test", server.port, "127.0.0.1")
        assert str(error).startswith(
            f"GET http://a.test:{server.port}/: No connection to a.test:{server.port}: "
            "the address 127.0.0.1 is loopback"
        )
        assert isinstance(error, aioclient.ClientConnectorError)
        assert isinstance(error.os_error, PermissionError)
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), copy.address, copy.rule) == (str(error), error.address, error.rule)

    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "localhost", "a.localhost", "[::1]", "[fe80::1%25lo]", "169.254.169.254"],
    )
    async def test_written_into_the_url(self, host: str, dialled: list[str]) -> None:
        """An address in the URL is judged like one that was looked up."""
        connector = TCPConnector(address_policy=PUBLIC)
        async with ClientSession(connector=connector) as session:
            with pytest.raises(AddressNotAllowedError):
                await fetch(session, f"http://{host}/")
        assert dialled == []

    async def test_some_are_allowed(self, dialled: list[str]) -> None:
        """Of several addresses the denied ones are left out, with and without a race between them."""
        policy = AddressPolicy.public_only(networks=["127.0.0.2/32"])
        for delay in (None, 0.25):
            connector = TCPConnector(
                resolver=Script(["10.0.0.1", "::1", "127.0.0.2", "127.0.0.1"]),
                address_policy=policy,
                happy_eyeballs_delay=delay,
            )
            async with (
                RawServer.replies([OK], host="127.0.0.2") as server,
                ClientSession(connector=connector) as session,
            ):
                assert await fetch(session, server.url(host="a.test")) == b"ok"
        assert dialled == ["127.0.0.2"] * 2

    async def test_none_is_left(self, dialled: list[str]) -> None:
        """When all addresses are denied the error names each of them and its rule."""
        connector = TCPConnector(resolver=Script(["10.0.0.1", "::1"]), address_policy=PUBLIC)
        async with ClientSession(connector=connector) as session:
            with pytest.raises(
                AddressNotAllowedError, match=r"10\.0\.0\.1 is private.*::1 is loopback"
            ):
                await fetch(session, "http://a.test/")
        assert dialled == []

    async def test_rebinding(self, dialled: list[str]) -> None:
        """A name that was public when it was first asked for, and is loopback now, is refused now."""
        resolver = Script(["8.8.8.8"], ["127.0.0.1"])
        connector = TCPConnector(
            resolver=resolver, address_policy=PUBLIC, use_dns_cache=False, force_close=True
        )
        async with RawServer.replies([OK]) as server, ClientSession(connector=connector) as session:
            url = server.url(host="a.test")
            with pytest.raises(aioclient.ClientConnectorError) as caught:
                await fetch(session, url)
            assert not isinstance(caught.value, AddressNotAllowedError)
            with pytest.raises(AddressNotAllowedError):
                await fetch(session, url)
            assert server.connections == 0
        assert dialled == ["8.8.8.8"]
        assert (
            resolver.asked == ["a.test"] * 2
        )  # one lookup for each dial: what was judged is what is dialled

    async def test_a_resolver_that_returns_a_name(self, dialled: list[str]) -> None:
        """A resolver's answer that is a name, which the system would look up once more, is refused."""
        connector = TCPConnector(resolver=Script(["localhost"]), address_policy=PUBLIC)
        async with ClientSession(connector=connector) as session:
            with pytest.raises(ClientConnectorDNSError, match="'localhost' does not appear to be"):
                await fetch(session, "http://a.test/")
        assert dialled == []

    @pytest.mark.parametrize(
        "location", ["http://169.254.169.254/latest/meta-data/", "http://b.test/", "http://[::1]/"]
    )
    async def test_redirects(self, location: str, dialled: list[str]) -> None:
        """Each hop is judged: a redirect does not lead where a request may not."""
        resolver = Script(["127.0.0.2"], ["10.0.0.1"])
        policy = AddressPolicy.public_only(networks=["127.0.0.2/32"])
        connector = TCPConnector(resolver=resolver, address_policy=policy)
        async with (
            RawServer.replies([moved(location)], host="127.0.0.2") as server,
            ClientSession(connector=connector) as session,
        ):
            with pytest.raises(AddressNotAllowedError):
                await fetch(session, server.url(host="a.test"))
        assert dialled == ["127.0.0.2"]

    @pytest.mark.parametrize(
        ("policy", "found"),
        [
            (AddressPolicy(hosts=["b.test"]), "the host a.test is not in hosts"),
            (AddressPolicy(ports=[443]), "the port 80 is not in ports"),
            (AddressPolicy(schemes=["https"]), "the scheme http is not in schemes"),
        ],
        ids=["hosts", "ports", "schemes"],
    )
    async def test_before_the_lookup(self, policy: AddressPolicy, found: str) -> None:
        """A host, port or scheme that is not allowed is not even looked up."""
        resolver = Script(["8.8.8.8"])
        async with ClientSession(
            connector=TCPConnector(resolver=resolver, address_policy=policy)
        ) as session:
            with pytest.raises(AddressNotAllowedError, match=found) as caught:
                await fetch(session, "http://a.test/")
        assert caught.value.address is None
        assert resolver.asked == []

    @pytest.mark.parametrize("url", ["http://8.8.8.8/", "https://8.8.8.8/"])
    async def test_a_proxy(self, url: str, dialled: list[str]) -> None:
        """A proxy's own address is judged too: trusted_hosts= is for one in a network of one's own."""
        connector = TCPConnector(resolver=Script(["127.0.0.1"]), address_policy=PUBLIC)
        async with ClientSession(connector=connector, proxy="http://p.test:3128") as session:
            with pytest.raises(AddressNotAllowedError) as caught:
                await fetch(session, url)
        assert caught.value.address == "127.0.0.1"
        assert dialled == []

    async def test_odd_spellings(self, dialled: list[str]) -> None:
        """Spellings of an address that resolvers read in different ways are no hosts at all (URL-03)."""
        async with ClientSession(connector=TCPConnector(address_policy=PUBLIC)) as session:
            for host in (
                "2130706433",
                "0177.1",
                "127.1",
                "0x7f.1",
                "[::ffff:127.0.0.1]",
                "127。0。0。1",
            ):
                with pytest.raises((aioclient.InvalidURL, AddressNotAllowedError)):
                    await fetch(session, f"http://{host}/")
        assert dialled == []

    async def test_allowed_ones_are_reused(self) -> None:
        """What was allowed is asked for as ever, over one connection."""
        connector = TCPConnector(
            resolver=Script(["127.0.0.1"]), address_policy=AddressPolicy(networks=["127.0.0.0/8"])
        )
        async with (
            RawServer.replies([OK, OK]) as server,
            ClientSession(connector=connector) as session,
        ):
            assert await fetch(session, server.url(host="a.test")) == b"ok"
            assert await fetch(session, server.url(host="a.test")) == b"ok"
            assert server.connections == 1
