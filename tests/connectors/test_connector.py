"""Making connections: what keeps them apart, and what is said when they cannot be made."""

import asyncio
import errno
import hashlib
import socket
import ssl
import traceback
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

import aioclient
from aioclient import ClientSession, TCPConnector, UnixConnector
from aioclient.message.origin import ConnectionKey, origin_of
from aioclient.testing import RawConnection, RawServer, Snapshot, refused_port, turns

from ..servers.certificates import Certificates

pytestmark = pytest.mark.both_loops

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Odd(OSError):
    """An error whose constructor takes something else than OSError's."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class Names(AbstractResolver):
    """Knows some names; counts what it is asked."""

    def __init__(self, **names: str) -> None:
        self.names = {name.replace("_", "."): address for name, address in names.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError(None, f"{host} is unknown")
        return [
            ResolveResult(
                hostname=host, host=self.names[host], port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


def local() -> Names:
    return Names(a_test="127.0.0.1", b_test="127.0.0.1", c_test="127.0.0.1")


async def numbered(conn: RawConnection) -> None:
    """Answer each request with the number of the connection."""
    while True:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % conn.index)


async def fetch(session: ClientSession, url: str | URL, **more: Any) -> bytes:
    async with session.get(url, **more) as response:
        return await response.read()


def shown(error: BaseException) -> str:
    """The error as a traceback shows it, notes included."""
    return "".join(traceback.format_exception_only(error))


class TestKeys:
    """A connection carries only requests that ask for one just like it."""

    @pytest.mark.parametrize(
        "difference",
        [
            pytest.param({"host": "b.test"}, id="POOL-05-host"),
            pytest.param({"port": 81}, id="POOL-05-port"),
            pytest.param({"is_ssl": False}, id="POOL-05-scheme"),
            pytest.param({"ssl": False}, id="POOL-05-verify"),
            pytest.param({"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}, id="POOL-05-context"),
            pytest.param({"ssl": aioclient.Fingerprint(bytes(32))}, id="POOL-05-fingerprint"),
            pytest.param({"server_hostname": "b.test"}, id="TLS-09"),
            pytest.param({"proxy": "http://p.test"}, id="POOL-06"),
        ],
    )
    async def test_any_difference(self, difference: dict[str, Any]) -> None:
        """Keys that differ in anything are not equal."""
        key = ConnectionKey("a.test", 443, True, True)
        assert key._replace(**difference) != key
        assert set(difference) <= set(key._fields)

    @pytest.mark.parametrize((), [pytest.param(id="POOL-07")])
    async def test_zones(self) -> None:
        """The zone of an IPv6 address is part of the key, and stays off the wire (RFC 6874)."""
        one, two = (origin_of(URL(f"http://[fe80::1%25{zone}]/")) for zone in ("eth0", "eth1"))
        assert one.key != two.key
        assert one.host_field == two.host_field == "[fe80::1]"

    @pytest.mark.parametrize((), [pytest.param(id="POOL-05")])
    async def test_verified_after_unverified(self, certificates: Certificates) -> None:
        """A connection made without verification carries no request that asks for it."""
        async with (
            RawServer(numbered, ssl=certificates.server_context()) as server,
            ClientSession() as session,
        ):
            assert await fetch(session, server.url(), ssl=False) == b"0"
            for _ in range(2):
                with pytest.raises(aioclient.ClientConnectorCertificateError):
                    await fetch(session, server.url())
            assert await fetch(session, server.url(), ssl=False) == b"0"
            trusting = certificates.client_context()
            assert await fetch(session, server.url(), ssl=trusting) == b"3"
            other = certificates.client_context()
            assert await fetch(session, server.url(), ssl=other) == b"4"
            pin = aioclient.Fingerprint(certificates.fingerprint())
            assert await fetch(session, server.url(), ssl=pin) == b"5"
            same = aioclient.Fingerprint(certificates.fingerprint().hex())
            assert await fetch(session, server.url(), ssl=same) == b"5"
            assert await fetch(session, server.url(), ssl=trusting) == b"3"
            assert [len(conn.requests) for conn in server.open_connections] == [2, 2, 1, 2]

    @pytest.mark.parametrize((), [pytest.param(id="TLS-09")])
    async def test_server_hostname(self, certificates: Certificates) -> None:
        """A connection verified for one name carries no request for another one."""
        context = certificates.client_context()
        async with (
            RawServer(numbered, ssl=certificates.server_context("a.test")) as server,
            ClientSession() as session,
        ):
            url = server.url()
            assert await fetch(session, url, ssl=context, server_hostname="a.test") == b"0"
            for more in ({}, {"server_hostname": "b.test"}):
                with pytest.raises(aioclient.ClientConnectorCertificateError):
                    await fetch(session, url, ssl=context, **more)
            assert await fetch(session, url, ssl=context, server_hostname="a.test") == b"0"

    @pytest.mark.parametrize((), [pytest.param(id="POOL-08-TLS-08")])
    async def test_no_session_is_resumed(self, certificates: Certificates) -> None:
        """Each connection does a full handshake: what one did not verify, another does not inherit."""
        resumed: list[bool] = []

        async def script(conn: RawConnection) -> None:
            resumed.append(conn.transport.get_extra_info("ssl_object").session_reused)
            await conn.read_request()
            conn.send(OK)

        async with (
            RawServer(script, ssl=certificates.server_context()) as server,
            ClientSession(connector=TCPConnector(force_close=True)) as session,
        ):
            for _ in range(2):
                assert await fetch(session, server.url(), ssl=False) == b"ok"
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await fetch(session, server.url())
            assert await fetch(session, server.url(), ssl=certificates.client_context()) == b"ok"
            assert resumed == [False] * 3

    async def test_hosts_with_one_address(self) -> None:
        """Two names are two hosts, though they have the same address."""
        async with (
            RawServer(numbered) as server,
            ClientSession(connector=TCPConnector(resolver=local())) as session,
        ):
            urls = [server.url(host=name) for name in ("a.test", "b.test", "A.TEST")]
            assert [await fetch(session, url) for url in urls] == [b"0", b"1", b"0"]


class TestRefusals:
    """Every failure to connect is a ClientConnectorError that says what was asked and what was found."""

    async def test_refused(self) -> None:
        """A refused connection tells host, port and the system's error."""
        with refused_port() as port:
            async with ClientSession() as session:
                with pytest.raises(aioclient.ClientConnectorError) as caught:
                    await fetch(session, f"http://127.0.0.1:{port}/")
        error = caught.value
        assert (error.host, error.port, error.ssl) == ("127.0.0.1", port, True)
        assert error.os_error.errno == error.errno == errno.ECONNREFUSED
        assert isinstance(error, aiohttp.ClientConnectorError)
        assert isinstance(error, OSError)
        assert f"127.0.0.1:{port}" in str(error)
        assert isinstance(error.__cause__, ConnectionRefusedError)

    async def test_refused_at_each_address(self) -> None:
        """When localhost refuses at both of its addresses, the error names both."""
        with refused_port() as port:
            async with ClientSession() as session:
                with pytest.raises(aioclient.ClientConnectorError) as caught:
                    await fetch(session, f"http://localhost:{port}/")
        assert caught.value.host == "localhost"
        assert f"localhost:{port}" in str(caught.value)

    async def test_unknown_name(self) -> None:
        """A name without an address tells the name, and what the resolver found."""
        async with ClientSession(connector=TCPConnector(resolver=Names())) as session:
            with pytest.raises(aioclient.ClientConnectorDNSError) as caught:
                await fetch(session, "http://nowhere.test/")
        error = caught.value
        assert (error.host, error.port) == ("nowhere.test", 80)
        assert "nowhere.test:80" in str(error)
        assert "nowhere.test is unknown" in str(error)
        assert isinstance(error, aioclient.ClientConnectorError)

    @pytest.mark.parametrize(
        "error",
        [
            KeyError("no such name"),
            ValueError("empty label"),
            UnicodeEncodeError("idna", "a", 0, 1, "no such name"),
            RuntimeError("the executor is closed"),
            Odd("a name"),
            OSError(),
            TimeoutError(),
        ],
        ids=lambda error: type(error).__name__,
    )
    async def test_whatever_a_resolver_raises(self, error: Exception) -> None:
        """It is an error of the lookup with its cause, as the name may come from a server; it costs no slot."""

        class Broken(Names):
            async def resolve(self, *_: Any) -> list[ResolveResult]:
                raise error

        async with ClientSession(connector=TCPConnector(resolver=Broken())) as session:
            with pytest.raises(aioclient.ClientConnectorDNSError, match=r"nowhere\.test") as caught:
                await fetch(session, "http://nowhere.test/")
            assert caught.value.__cause__ is error
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    @pytest.mark.parametrize(
        "answer",
        [
            [{}],
            [None],
            "127.0.0.1",
            7,
            [{"host": "b.test", "port": 80}],
            [{"host": b"127.0.0.1", "port": 80}],
            [{"host": 2130706433, "port": 80}],
            [{"host": "", "port": 80}],
            [{"host": "127.0.0.1\0", "port": 80}],
            [{"host": "127.0.0.1%lo", "port": 80}],
            [{"host": "fe80::1%no-such-interface", "port": 80}],
            [{"host": "fe80::1%99999999999999999999", "port": 80}],
            [{"host": "127.0.0.1", "port": 70000}],
            [{"host": "127.0.0.1", "port": -1}],
            [{"host": "127.0.0.1", "port": "http"}],
            [{"host": "127.0.0.1", "port": 80.0}],
            [{"host": "127.0.0.1", "port": None}],
        ],
        ids=repr,
    )
    async def test_whatever_a_resolver_answers(self, answer: Any) -> None:
        """What is not a list of addresses and ports is an error of the connection, and is not kept."""

        class Odd(Names):
            async def resolve(self, *_: Any) -> list[ResolveResult]:
                return answer  # type: ignore[no-any-return]

        async with ClientSession(connector=TCPConnector(resolver=Odd())) as session:
            for _ in range(2):
                with pytest.raises(aioclient.ClientConnectorError, match=r"nowhere\.test"):
                    await fetch(session, "http://nowhere.test/")
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    async def test_a_name_that_nobody_can_look_up(self) -> None:
        """A label that is too long for DNS is an error of the lookup, whatever Python's resolver raises."""
        for resolver in (aiohttp.ThreadedResolver(), None):
            async with ClientSession(connector=TCPConnector(resolver=resolver)) as session:
                with pytest.raises(aioclient.ClientConnectorDNSError, match="aaa"):
                    await fetch(session, f"http://{'a' * 64}.test/")

    @pytest.mark.parametrize("way", ["direct", "tunnel", "proxy", "server_hostname"])
    async def test_a_name_that_tls_cannot_ask_for(self, way: str) -> None:
        """It is an error of the connection, before anybody is connected to."""
        label = "a" * 64
        call: dict[str, Any] = {}
        url = f"https://{label}.test:1/"
        async with (
            RawServer(numbered) as server,
            ClientSession(connector=TCPConnector(resolver=local())) as session,
        ):
            if way == "tunnel":
                call["proxy"] = server.url()
            elif way == "proxy":
                url, call["proxy"] = "http://a.test/", f"https://{label}.test:{server.port}/"
            elif way == "server_hostname":
                url, call["server_hostname"] = f"https://a.test:{server.port}/", label
            with pytest.raises(aioclient.ClientConnectorError, match=f"TLS cannot .* '{label}"):
                await session.get(url, **call)
            assert server.connections == 0
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    @pytest.mark.parametrize(
        ("names", "trusted", "found", "advice"),
        [
            (("b.test",), True, "a.test", "server_hostname="),
            (("a.test",), False, "the certificate is refused", "load the authority"),
        ],
        ids=["wrong-name", "unknown-authority"],
    )
    async def test_certificates(
        self,
        certificates: Certificates,
        names: tuple[str, ...],
        trusted: bool,
        found: str,
        advice: str,
    ) -> None:
        """A certificate that does not hold is refused before a byte of the request; it says how to go on."""
        connector = TCPConnector(
            resolver=local(), ssl=certificates.client_context() if trusted else True
        )
        async with (
            RawServer(numbered, ssl=certificates.server_context(*names)) as server,
            ClientSession(connector=connector) as session,
        ):
            with pytest.raises(aioclient.ClientConnectorCertificateError) as caught:
                await fetch(session, server.url(host="a.test"))
            assert server.requests == []
        error = caught.value
        assert (error.host, error.port, error.ssl) == ("a.test", server.port, True)
        assert isinstance(error.certificate_error, ssl.SSLCertVerificationError)
        assert isinstance(error, ssl.CertificateError)
        assert f"a.test:{server.port}" in str(error)
        assert found in str(error)
        assert advice in shown(error)

    async def test_self_signed(self, tmp_path: Path) -> None:
        """A self-signed certificate is refused by default; pinned, it is accepted."""
        trustme = pytest.importorskip("trustme")
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = tmp_path / "own.pem"
        authority.private_key_pem.write_to_path(pem)
        authority.cert_pem.write_to_path(pem, append=True)
        context.load_cert_chain(pem)
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode()))
        async with RawServer(numbered, ssl=context) as server, ClientSession() as session:
            with pytest.raises(aioclient.ClientConnectorCertificateError) as caught:
                await fetch(session, server.url())
            assert "ssl=Fingerprint(sha256)" in shown(caught.value)
            pin = aioclient.Fingerprint(digest.digest())
            assert await fetch(session, server.url(), ssl=pin) == b"1"

    async def test_no_tls(self) -> None:
        """https to a server that speaks plain HTTP says that it may not speak TLS."""

        async def plain(conn: RawConnection) -> None:
            await conn.read_exactly(1)
            conn.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await turns(3)

        async with RawServer(plain) as server, ClientSession() as session:
            with pytest.raises(aioclient.ClientConnectorSSLError) as caught:
                await fetch(session, server.url().replace("http:", "https:"))
        error = caught.value
        assert isinstance(error, ssl.SSLError)
        assert f"127.0.0.1:{server.port}" in str(error)
        assert "may not speak TLS" in shown(error)

    async def test_closed_within_the_handshake(self) -> None:
        """A server that closes during the TLS handshake leaves an error that names it."""

        async def closes(conn: RawConnection) -> None:
            await conn.read_exactly(1)

        async with RawServer(closes) as server, ClientSession() as session:
            with pytest.raises(aioclient.ClientConnectorError, match=f"127.0.0.1:{server.port}"):
                await fetch(session, server.url().replace("http:", "https:"))

    @pytest.mark.parametrize((), [pytest.param(id="TLS-07")])
    async def test_another_pin(self, certificates: Certificates) -> None:
        """A certificate that is not the pinned one ends the connection before a byte of the request."""
        seen: list[RawConnection] = []

        async def script(conn: RawConnection) -> None:
            seen.append(conn)
            await conn.closed()

        pin = aioclient.Fingerprint(bytes(32))
        async with (
            RawServer(script, ssl=certificates.server_context()) as server,
            ClientSession() as session,
        ):
            with pytest.raises(aioclient.ServerFingerprintMismatch) as caught:
                await fetch(session, server.url(), ssl=pin)
            await turns(5)
            assert sum(conn.received for conn in seen) == 0
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
        error = caught.value
        assert (error.expected, error.got) == (bytes(32), certificates.fingerprint())
        assert (error.host, error.port) == ("127.0.0.1", server.port)

    @pytest.mark.parametrize("tls", ["none", "TLSv1_2", "TLSv1_3"])
    async def test_closed_before_the_request(self, certificates: Certificates, tls: str) -> None:
        """A server that accepts and closes, or speaks first, leaves an error and no slot in use."""

        async def rude(conn: RawConnection) -> None:
            if conn.index:
                conn.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
                await turns(3)

        # With TLS 1.2 the server has the last word of the handshake, and speaks on in the same breath.
        context = None if tls == "none" else certificates.server_context()
        if context is not None:
            context.maximum_version = ssl.TLSVersion[tls]
        async with (
            RawServer(rude, ssl=context) as server,
            ClientSession(connector=TCPConnector(limit=1, ssl=False)) as session,
        ):
            for _ in range(4):
                try:
                    assert await fetch(session, server.url()) == b""
                except aioclient.ClientConnectionError as error:
                    assert str(server.port) in str(error)
            await turns(5)
            assert session.connector is not None
            numbers = session.connector.statistics()
            assert (numbers.in_use, numbers.idle) == (0, 0)

    @pytest.mark.parametrize((), [pytest.param(id="POOL-12")])
    async def test_failed_handshakes_leave_nothing(self, certificates: Certificates) -> None:
        """A thousand handshakes that fail leave no socket behind."""
        async with (
            RawServer(numbered, ssl=certificates.server_context()) as server,
            ClientSession(connector=TCPConnector(limit=10)) as session,
        ):
            before = Snapshot()
            for _ in range(20):
                errors = await asyncio.gather(
                    *(fetch(session, server.url()) for _ in range(50)), return_exceptions=True
                )
                for error in errors:
                    assert isinstance(error, aioclient.ClientConnectorCertificateError)
                assert await before.settle() == []
            assert server.connections == 1000
            assert session.connector is not None
            numbers = session.connector.statistics()
            assert (numbers.in_use, numbers.opened, numbers.hosts) == (0, 0, 0)


class TestTCP:
    @pytest.mark.parametrize((), [pytest.param(id="POOL-13")])
    async def test_the_cache_of_names_is_bounded(self) -> None:
        """10,000 names leave at most 1,024 answers behind, and no lookup."""
        names = Names(**{f"n{number}_test": "127.0.0.1" for number in range(10_000)})
        async with TCPConnector(resolver=names) as connector:
            resolver = connector._resolver
            for number in range(0, 10_000, 100):
                await asyncio.gather(
                    *(resolver.resolve(f"n{number + step}.test", 80, 0) for step in range(100))
                )
            assert len(names.asked) == 10_000
            assert len(resolver.cached_hosts) <= 1024

    async def test_a_name_is_looked_up_once(self) -> None:
        """Many connections to one name take one lookup; without the cache each takes its own."""
        for cached, lookups in ((True, 1), (False, 4)):
            names = local()
            connector = TCPConnector(resolver=names, use_dns_cache=cached, force_close=True)
            async with (
                RawServer(numbered) as server,
                ClientSession(server.url(host="a.test"), connector=connector) as session,
            ):
                for _ in range(4):
                    await fetch(session, "/")
                assert len(names.asked) == lookups

    async def test_the_trailing_dot(self, certificates: Certificates) -> None:
        """A dot makes a name absolute for DNS, and stays out of Host, SNI and the certificate's check."""
        names = Names(a_test_="127.0.0.1")
        connector = TCPConnector(resolver=names, ssl=certificates.client_context())
        async with (
            RawServer(numbered, ssl=certificates.server_context("a.test")) as server,
            ClientSession(connector=connector) as session,
        ):
            assert await fetch(session, server.url(host="a.test.")) == b"0"
            assert names.asked == ["a.test."]
            assert server.requests[0].value("Host") == f"a.test:{server.port}"

    @pytest.mark.rows("URL-03")
    async def test_an_address_with_a_dot(self) -> None:
        """An address is one with a dot at its end, too, and is not looked up."""
        resolver = Names()
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(connector=TCPConnector(resolver=resolver)) as session,
        ):
            assert await fetch(session, f"http://127.0.0.1.:{server.port}/") == b"ok"
            assert server.requests[0].value("Host") == f"127.0.0.1:{server.port}"
        assert resolver.asked == []

    async def test_ipv6(self) -> None:
        """An IPv6 address is connected to, and stands in brackets in Host."""
        async with RawServer(numbered, host="::1") as server, ClientSession() as session:
            assert await fetch(session, server.url()) == b"0"
            assert server.requests[0].value("Host") == f"[::1]:{server.port}"

    async def test_local_addr(self) -> None:
        """Connections come from local_addr."""
        peers: list[str] = []

        async def script(conn: RawConnection) -> None:
            peers.append(conn.transport.get_extra_info("peername")[0])
            await conn.read_request()
            conn.send(OK)

        connector = TCPConnector(local_addr=("127.0.0.3", 0))
        async with RawServer(script) as server, ClientSession(connector=connector) as session:
            assert await fetch(session, server.url()) == b"ok"
            assert peers == ["127.0.0.3"]

    async def test_socket_factory(self) -> None:
        """Sockets are made by it: for the server, and for a proxy."""
        made: list[socket.socket] = []

        def factory(address: Any) -> socket.socket:
            family, kind, protocol, _, (host, port, *_) = address
            assert host == "127.0.0.1"
            assert port == server.port
            made.append(socket.socket(family, kind, protocol))
            made[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 7000)
            return made[-1]

        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(connector=TCPConnector(socket_factory=factory)) as session,
        ):
            async with session.get(server.url()) as response:
                assert await response.read() == b"ok"
            async with session.get("http://a.test/", proxy=server.url()) as response:
                assert await response.read() == b"ok"
            assert len(made) == 2

    @pytest.mark.parametrize("error", [OSError(None, "no more"), ValueError("a bug")], ids=repr)
    async def test_a_socket_factory_that_raises(self, error: Exception) -> None:
        """An OSError of it is one of the connection; anything else is passed on. No slot stays in use."""

        def factory(address: Any) -> socket.socket:
            raise error

        connector = TCPConnector(socket_factory=factory)
        expected = aioclient.ClientConnectorError if isinstance(error, OSError) else ValueError
        async with ClientSession(connector=connector) as session:
            with pytest.raises(expected, match=r"no more|a bug"):
                await session.get("http://127.0.0.1:1/")
            assert connector.statistics().in_use == 0

    async def test_arguments(self) -> None:
        """A factory that cannot be called is refused at once; the threshold of rounding says nothing."""
        with pytest.raises(TypeError, match="socket_factory"):
            TCPConnector(socket_factory=("127.0.0.1", 0))  # type: ignore[arg-type]
        await TCPConnector(timeout_ceil_threshold=7).close()

    async def test_family(self) -> None:
        """A family that the address has not is an error, not a connection of another one."""
        connector = TCPConnector(family=socket.AF_INET6)
        async with RawServer(numbered) as server, ClientSession(connector=connector) as session:
            with pytest.raises(aioclient.ClientConnectorDNSError, match="AF_INET6"):
                await fetch(session, server.url())

    async def test_happy_eyeballs(self) -> None:
        """localhost is reached though the server listens at one of its addresses only."""
        async with RawServer(numbered) as server, ClientSession() as session:
            assert await fetch(session, server.url(host="localhost")) == b"0"


class TestUnix:
    async def test_requests(self, tmp_path: Path) -> None:
        """Every host is reached over the socket; its name is in Host."""
        path = tmp_path / "socket"
        async with (
            RawServer(numbered, unix_path=path) as server,
            ClientSession(connector=UnixConnector(str(path))) as session,
        ):
            assert await fetch(session, "http://a.test/x") == b"0"
            assert await fetch(session, "http://a.test/y") == b"0"
            assert await fetch(session, "http://b.test/") == b"1"
            assert [request.value("Host") for request in server.requests] == [
                "a.test",
                "a.test",
                "b.test",
            ]

    async def test_a_path_object(self, tmp_path: Path) -> None:
        """The path may be a pathlib.Path."""
        path = tmp_path / "socket"
        async with (
            RawServer(numbered, unix_path=path) as server,
            ClientSession(server.url(), connector=UnixConnector(path)) as session,
        ):
            assert await fetch(session, "/") == b"0"

    async def test_tls(self, tmp_path: Path, certificates: Certificates) -> None:
        """https goes over the socket too, verified, and pinned."""
        path = tmp_path / "socket"
        async with (
            RawServer(
                numbered, unix_path=path, ssl=certificates.server_context("a.test")
            ) as server,
            ClientSession(connector=UnixConnector(str(path))) as session,
        ):
            url = server.url(host="a.test")
            context = certificates.client_context()
            assert await fetch(session, url, ssl=context) == b"0"
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await fetch(session, server.url(host="b.test"), ssl=context)
            with pytest.raises(aioclient.ServerFingerprintMismatch):
                await fetch(session, url, ssl=aioclient.Fingerprint(bytes(32)))

    @pytest.mark.parametrize("there", [False, True], ids=["missing", "refusing"])
    async def test_no_server(self, tmp_path: Path, there: bool) -> None:
        """Where no server listens the error names the path and the system's error."""
        path = tmp_path / "socket"
        if there:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(str(path))
        async with ClientSession(connector=UnixConnector(str(path))) as session:
            with pytest.raises(aioclient.UnixClientConnectorError) as caught:
                await fetch(session, "http://a.test/")
        error = caught.value
        assert error.path == str(path)
        assert error.errno == (errno.ECONNREFUSED if there else errno.ENOENT)
        assert str(path) in str(error)

    async def test_a_full_queue(self, tmp_path: Path) -> None:
        """While the server's queue is full a request waits for room, and then is sent."""
        path = str(tmp_path / "socket")
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as filler:
            listener.bind(path)
            listener.listen(0)
            filler.connect(path)
            async with ClientSession(connector=UnixConnector(path)) as session:
                with pytest.raises(aioclient.ConnectTimeoutError, match=f"no connection to {path}"):
                    await fetch(
                        session,
                        "http://a.test/",
                        timeout=aioclient.ClientTimeout(sock_connect=0.05),
                    )
                task = asyncio.create_task(fetch(session, "http://a.test/"))
                await turns(5)
                listener.accept()[0].close()
                accepted = await asyncio.to_thread(listener.accept)
                with accepted[0] as sock:
                    sock.sendall(OK)
                    assert await task == b"ok"
