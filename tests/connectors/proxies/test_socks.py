"""SOCKS proxies, seen from the wire: which bytes they get, and what they may answer (RFC 1928, RFC 1929)."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

import aioclient
from aioclient import AddressPolicy, ClientSession, ClientTimeout, TCPConnector
from aioclient.testing import RawConnection, RawServer, refused_port, turns

from ...loopback import Loopback
from ...servers.certificates import Certificates
from ...test_cancellation import cancelled_everywhere
from .parts import OK, fetch, numbered

both_loops = pytest.mark.both_loops

GRANTED5 = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"
GRANTED4 = b"\x00\x5a\x12\x34\x7f\x00\x00\x01"


class Socks:
    """A SOCKS proxy that plays the server too: with TLS by *context*, or without.

    Attributes:
        asked: The messages of each connection, in order.
    """

    def __init__(
        self,
        context: Any = None,
        *,
        method: bytes = b"\x05\x00",
        login: bytes = b"\x01\x00",
        granted: bytes | None = None,
        behind: Callable[[RawConnection], Any] = numbered,
    ) -> None:
        self.asked: list[list[bytes]] = []
        self._context = context
        self._method = method
        self._login = login
        self._granted = granted
        self._behind = behind

    async def __call__(self, conn: RawConnection) -> None:
        messages: list[bytes] = []
        self.asked.append(messages)
        first = await conn.read_exactly(2)
        if first[0] == 4:
            message = first + await conn.read_exactly(6)
            message += await conn.read_until(b"\x00")
            if message[4:7] == b"\x00\x00\x00" and message[7]:
                message += await conn.read_until(b"\x00")
            messages.append(message)
            conn.send(GRANTED4 if self._granted is None else self._granted)
        else:
            messages.append(first + await conn.read_exactly(first[1]))
            conn.send(self._method)
            if self._method[1:] == b"\x02":
                head = await conn.read_exactly(2)
                login = await conn.read_exactly(head[1])
                size = await conn.read_exactly(1)
                messages.append(head + login + size + await conn.read_exactly(size[0]))
                conn.send(self._login)
            head = await conn.read_exactly(5)
            size = {1: 3, 3: head[4], 4: 15}[head[3]]
            messages.append(head + await conn.read_exactly(size + 2))
            conn.send(GRANTED5 if self._granted is None else self._granted)
        if self._context is not None:
            await conn.start_tls(self._context)
        await self._behind(conn)


def socks(server: RawServer, scheme: str, login: str = "") -> str:
    return f"{scheme}://{login}127.0.0.1:{server.port}"


@both_loops
class TestMessages:
    @pytest.mark.parametrize(
        ("scheme", "host", "message", "lookups"),
        [
            pytest.param(
                "socks5h", "a.test", b"\x05\x01\x00\x03\x06a.test\x00\x50", 0, id="PRX-09-socks5h"
            ),
            pytest.param(
                "socks5",
                "a.test",
                b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50",
                1,
                id="PRX-09-socks5",
            ),
            pytest.param(
                "socks4a",
                "a.test",
                b"\x04\x01\x00\x50\x00\x00\x00\x01\x00a.test\x00",
                0,
                id="PRX-09-socks4a",
            ),
            pytest.param(
                "socks4", "a.test", b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", 1, id="PRX-09-socks4"
            ),
            pytest.param(
                "socks5h",
                "192.0.2.7",
                b"\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x50",
                0,
                id="PRX-09-address",
            ),
            pytest.param(
                "socks5h",
                "[2001:db8::7]",
                b"\x05\x01\x00\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x07\x00\x50",
                0,
                id="PRX-09-ipv6",
            ),
            pytest.param(
                "socks4a",
                "192.0.2.7",
                b"\x04\x01\x00\x50\xc0\x00\x02\x07\x00",
                0,
                id="PRX-09-4a-ipv4",
            ),
            pytest.param(
                "socks5h",
                "faß.test.",
                b"\x05\x01\x00\x03\x0fxn--fa-hia.test\x00\x50",
                0,
                id="PRX-09-idna",
            ),
        ],
    )
    async def test_what_is_asked(
        self, scheme: str, host: str, message: bytes, lookups: int
    ) -> None:
        """socks5h and socks4a send the name, and look nothing up; the other two look it up and send an address."""
        names = Loopback()
        proxy = Socks()
        async with (
            RawServer(proxy) as server,
            ClientSession(
                proxy=socks(server, scheme), connector=TCPConnector(resolver=names)
            ) as session,
        ):
            assert await fetch(session, f"http://{host}/x") == b"0.0"
            assert await fetch(session, f"http://{host}/y") == b"0.1"
        assert [messages[-1] for messages in proxy.asked] == [message]
        assert len(names.asked) == lookups
        # The server gets the request as it would without a proxy.
        assert [request.target for request in server.requests] == ["/x", "/y"]

    @pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
    @pytest.mark.parametrize((), [pytest.param(id="PRX-04")])
    async def test_tls(self, certificates: Certificates, scheme: str) -> None:
        """TLS goes through the tunnel: verified as without a proxy, by context, name and pin."""
        proxy = Socks(certificates.server_context("a.test"))
        context = certificates.client_context()
        connector = TCPConnector(resolver=Loopback())
        async with (
            RawServer(proxy) as server,
            ClientSession(proxy=socks(server, scheme), connector=connector) as session,
        ):
            assert await fetch(session, "https://a.test/", ssl=context) == b"0.0"
            for url, more in (
                ("https://a.test/", {}),
                ("https://b.test/", {"ssl": context}),
                ("https://a.test/", {"ssl": context, "server_hostname": "b.test"}),
            ):
                with pytest.raises(aioclient.ClientConnectorCertificateError):
                    await fetch(session, url, **more)
            with pytest.raises(aioclient.ServerFingerprintMismatch):
                await fetch(session, "https://a.test/", ssl=aioclient.Fingerprint(bytes(32)))
            assert await fetch(session, "https://a.test/", ssl=context) == b"0.1"

    @pytest.mark.rows("S003-38")
    async def test_credentials(self) -> None:
        """SOCKS5 is shown login and password when it asks for them, SOCKS4 the login."""
        wanting = Socks(method=b"\x05\x02")
        async with RawServer(wanting) as server, ClientSession() as session:
            for proxy, auth in (
                (socks(server, "socks5h", "us:p%41w@"), None),
                (socks(server, "socks5h"), ("us", "pAw")),
            ):
                assert await fetch(session, "http://a.test/", proxy=proxy, proxy_auth=auth)
            four = socks(server, "socks4a", "us@")
            assert await fetch(session, "http://a.test/", proxy=four)
        first, second = wanting.asked  # the first two are the same proxy, however it is spelled
        assert first[:2] == [b"\x05\x02\x00\x02", b"\x01\x02us\x03pAw"]
        assert second == [b"\x04\x01\x00\x50\x00\x00\x00\x01us\x00a.test\x00"]

    @pytest.mark.rows("S003-38")
    async def test_any_credentials(self) -> None:
        """They go as they are, in UTF-8: colons and all (RFC 1929, section 2)."""
        wanting = Socks(method=b"\x05\x02")
        login, password = "a:ŵ", "ü" * 127 + ":"
        async with RawServer(wanting) as server, ClientSession() as session:
            for proxy, auth in (
                (socks(server, "socks5h"), (login, password)),
                (socks(server, "socks5h", f"a%3A%C5%B5:{'%C3%BC' * 127}:@"), None),
                (socks(server, "socks4a"), (login, "")),
            ):
                assert await fetch(session, "http://a.test/", proxy=proxy, proxy_auth=auth)
        first, second = wanting.asked  # the first two are the same proxy
        assert first[1] == b"\x01\x04a:\xc5\xb5\xff" + password.encode()
        assert second == [b"\x04\x01\x00\x50\x00\x00\x00\x01a:\xc5\xb5\x00a.test\x00"]

    @pytest.mark.rows("POOL-06")
    async def test_pool(self) -> None:
        """A connection through SOCKS is for one server and one login."""
        proxy = Socks(method=b"\x05\x02")
        async with RawServer(proxy) as server, ClientSession() as session:
            for number, (host, login) in enumerate(
                [("a.test", "u1:p@"), ("b.test", "u1:p@"), ("a.test", "u2:p@"), ("a.test", "u1:q@")]
            ):
                url = socks(server, "socks5h", login)
                assert await fetch(session, f"http://{host}/", proxy=url) == b"%d.0" % number
            url = socks(server, "socks5h", "u1:p@")
            assert await fetch(session, "http://a.test/", proxy=url) == b"0.1"
        assert [messages[-1][5:11] for messages in proxy.asked] == [
            b"a.test",
            b"b.test",
            b"a.test",
            b"a.test",
        ]

    @pytest.mark.rows("PRX-01")
    async def test_no_fields(self) -> None:
        """SOCKS has no fields: what is for an HTTP proxy goes nowhere."""
        async with RawServer(Socks()) as server, ClientSession() as session:
            more = {
                "proxy_headers": {"X-Proxy": "1"},
                "headers": {"Proxy-Authorization": "Basic secret"},
            }
            assert await fetch(session, "http://a.test/", proxy=socks(server, "socks5h"), **more)
            (request,) = server.requests
            assert request.values("X-Proxy") == request.values("Proxy-Authorization") == []


@both_loops
class TestAnswers:
    @pytest.mark.parametrize(
        ("scheme", "how", "reason"),
        [
            pytest.param(
                "socks5h",
                {"granted": b"\x05\x05" + bytes(8)},
                "refused by destination",
                id="PRX-09-refused",
            ),
            pytest.param(
                "socks5h", {"granted": b"\x05\x02" + bytes(8)}, "not allowed", id="PRX-09-ruleset"
            ),
            pytest.param(
                "socks5h", {"granted": b"\x05\x77" + bytes(8)}, "0X77|0x77", id="PRX-09-code"
            ),
            pytest.param("socks5h", {"granted": b"HTTP/1.1 400"}, "version", id="PRX-09-http"),
            pytest.param(
                "socks5h",
                {"granted": b"\x05\x00\x00\x09" + bytes(8)},
                "address type",
                id="PRX-09-type",
            ),
            pytest.param(
                "socks5h",
                {"granted": b"\x05\x00\x00\x03\x02\xff\xff\x00\x50"},
                "broken",
                id="PRX-09-name",
            ),
            pytest.param("socks5h", {"method": b"\x05\xff"}, "acceptable", id="PRX-09-no-method"),
            pytest.param(
                "socks5h", {"method": b"\x05\x02"}, "authentication method", id="PRX-09-unoffered"
            ),
            pytest.param(
                "socks5h", {"method": b"\x05\x01"}, "authentication method", id="PRX-09-gssapi"
            ),
            pytest.param("socks5h", {"method": b"HT"}, "version", id="PRX-09-not-socks"),
            pytest.param(
                "socks4a", {"granted": b"\x00\x5b" + bytes(6)}, "rejected", id="PRX-09-4-rejected"
            ),
            pytest.param(
                "socks4a", {"granted": b"\x05\x5a" + bytes(6)}, "version", id="PRX-09-4-version"
            ),
        ],
    )
    async def test_refused(self, scheme: str, how: dict[str, bytes], reason: str) -> None:
        """What is no grant raises, with the proxy's words; no byte of a request was sent."""
        if how.get("method", b"")[1:] in (b"\x02", b"\x01"):
            how = {**how, "login": b""}
        seen: list[bytes] = []

        async def behind(conn: RawConnection) -> None:
            seen.append(await conn.closed())

        async def script(conn: RawConnection) -> None:
            try:
                await Socks(behind=behind, **how)(conn)
            finally:
                await conn.closed()

        async with RawServer(script) as server:
            url = socks(server, scheme)
            async with ClientSession(proxy=url) as session:
                with pytest.raises(
                    aioclient.ClientProxyConnectionError, match=rf"(?i){reason}"
                ) as caught:
                    await session.get("http://a.test/")
                error = caught.value
                assert (error.host, error.port) == ("127.0.0.1", server.port)
                assert session.connector is not None
                assert session.connector.statistics().in_use == 0
            await turns(3)
            assert server.requests == []
        assert b"GET" not in b"".join(seen)

    @pytest.mark.rows("PRX-09", "PRX-11")
    async def test_wrong_password(self) -> None:
        """A wrong password is said to be one, and is not shown."""
        async with (
            RawServer(Socks(method=b"\x05\x02", login=b"\x01\x01")) as server,
            ClientSession(proxy=socks(server, "socks5", "u:secret@")) as session,
        ):
            with pytest.raises(
                aioclient.ClientProxyConnectionError, match=r"(?i)password"
            ) as caught:
                await session.get("http://127.0.0.1/")
            assert "secret" not in f"{caught.value!r} {caught.value}"

    @pytest.mark.rows("PRX-09")
    async def test_login_not_wanted(self) -> None:
        """A proxy that wants no login gets none, though one was given."""
        proxy = Socks()
        async with (
            RawServer(proxy) as server,
            ClientSession(proxy=socks(server, "socks5h", "u:secret@")) as session,
        ):
            assert await fetch(session, "http://a.test/") == b"0.0"
        assert len(proxy.asked[0]) == 2
        assert b"secret" not in b"".join(proxy.asked[0])

    @pytest.mark.parametrize(
        "granted",
        [
            pytest.param(b"\x05\x00\x00\x04" + bytes(16) + b"\x12\x34", id="PRX-09-ipv6-tail"),
            pytest.param(b"\x05\x00\x00\x03\x04name\x12\x34", id="PRX-09-name-tail"),
            pytest.param(b"\x05\x00\x00\x03\x00\x12\x34", id="PRX-09-empty-tail"),
        ],
    )
    async def test_the_whole_answer_is_read(self, granted: bytes) -> None:
        """The address in the answer is read to its end, of whatever kind: the rest is the server's."""
        async with (
            RawServer(Socks(granted=granted)) as server,
            ClientSession(proxy=socks(server, "socks5h")) as session,
        ):
            assert await fetch(session, "http://a.test/") == b"0.0"

    @pytest.mark.rows("PRX-09")
    async def test_something_behind_the_answer(self) -> None:
        """What comes behind the answer in plain text breaks the TLS handshake: it is no response to anything."""
        async with (
            RawServer(Socks(granted=GRANTED5 + OK)) as server,
            ClientSession(proxy=socks(server, "socks5h")) as session,
        ):
            with pytest.raises(aioclient.ClientConnectorSSLError):
                await fetch(session, "https://a.test/")

    @pytest.mark.parametrize("answer", [b"", b"\x05", b"\x05\x00\x05\x00\x00\x01\x7f"])
    @pytest.mark.parametrize((), [pytest.param(id="PRX-09-short")])
    async def test_short_answers(self, answer: bytes) -> None:
        """An answer that ends early is an error."""

        async def script(conn: RawConnection) -> None:
            await conn.read_exactly(3)
            conn.send(answer)
            if len(answer) > 2:
                await conn.read_exactly(13)

        async with (
            RawServer(script) as server,
            ClientSession(proxy=socks(server, "socks5h")) as session,
        ):
            with pytest.raises(aioclient.ClientProxyConnectionError, match=r"(?i)closed"):
                await session.get("http://a.test/")


@both_loops
class TestAddresses:
    FIRST, SECOND, THIRD = (bytes((192, 0, 2, last)) for last in (1, 2, 3))
    SIXTH = b"\x20\x01\x0d\xb8" + bytes(11) + b"\x06"
    GIVEN = ("2001:db8::6", "192.0.2.1", "192.0.2.2", "192.0.2.3")

    def proxy(
        self,
        asked: list[bytes],
        answers: dict[bytes, int],
        behind: Callable[[RawConnection], Any] = numbered,
    ) -> Any:
        """A proxy that answers *answers* of the addresses, and all other ones with success."""

        async def script(conn: RawConnection) -> None:
            if (await conn.read_exactly(1))[0] == 4:
                asked.append((await conn.read_exactly(7))[3:])
                await conn.read_until(b"\x00")
                conn.send(bytes((0, answers.get(asked[-1], 90))) + bytes(6))
            else:
                await conn.read_exactly(2)
                conn.send(b"\x05\x00")
                head = await conn.read_exactly(4)
                asked.append(await conn.read_exactly({1: 4, 4: 16}[head[3]]))
                await conn.read_exactly(2)
                conn.send(bytes((5, answers.get(asked[-1], 0), 0, 1)) + bytes(6))
            await behind(conn)

        return script

    @pytest.mark.rows("PRX-09")
    @pytest.mark.parametrize("code", [1, 3, 4, 5, 6, 8])
    async def test_the_next_one(self, code: int) -> None:
        """A proxy that cannot reach one address of a host is asked for the next, on a connection of its own."""
        asked: list[bytes] = []
        script = self.proxy(asked, {self.FIRST: code, self.SECOND: code})
        connector = TCPConnector(resolve={"a.test:80": self.GIVEN})
        async with (
            RawServer(script) as server,
            ClientSession(proxy=socks(server, "socks5"), connector=connector) as session,
        ):
            assert await fetch(session, "http://a.test/") == b"2.0"
            assert connector.statistics().opened == 1
        assert asked == [self.FIRST, self.SECOND, self.THIRD]

    @pytest.mark.rows("PRX-10")
    async def test_cancelled(self) -> None:
        """A request may be cancelled at any await, that for the second address too."""

        async def ok(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                conn.send(OK)

        async with RawServer(self.proxy([], {self.FIRST: 5}, ok)) as server:
            await cancelled_everywhere(
                lambda session: fetch(session, "/"),
                lambda: ClientSession(
                    "http://a.test/",
                    proxy=socks(server, "socks5"),
                    connector=TCPConnector(resolve={"a.test:80": self.GIVEN}),
                ),
                least=4,
            )

    @pytest.mark.rows("URL-08")
    async def test_policy(self) -> None:
        """A proxy is asked for no address that the policy denies, and when it reaches no other one that is the end."""
        asked: list[bytes] = []
        policy = AddressPolicy(denied_networks=["192.0.2.1/32", "2001:db8::/32", "192.0.2.3/32"])
        connector = TCPConnector(resolve={"a.test:80": self.GIVEN}, address_policy=policy)
        async with (
            RawServer(self.proxy(asked, {self.SECOND: 4})) as server,
            ClientSession(proxy=socks(server, "socks5"), connector=connector) as session,
        ):
            with pytest.raises(aioclient.ClientProxyConnectionError):
                await session.get("http://a.test/")
        assert asked == [self.SECOND]

    @pytest.mark.rows("PRX-09")
    async def test_socks4(self) -> None:
        """SOCKS4 has one answer for all that fails, and no IPv6."""
        asked: list[bytes] = []
        script = self.proxy(asked, {self.FIRST: 91})
        connector = TCPConnector(resolve={"a.test:80": self.GIVEN[:3]})
        async with (
            RawServer(script) as server,
            ClientSession(proxy=socks(server, "socks4"), connector=connector) as session,
        ):
            assert await fetch(session, "http://a.test/") == b"1.0"
        assert asked == [self.FIRST, self.SECOND]

    @pytest.mark.rows("PRX-09")
    async def test_the_last_one(self) -> None:
        """When none is reached, the error tells what was answered for the first, and no slot stays in use."""
        asked: list[bytes] = []
        script = self.proxy(asked, {self.FIRST: 5, self.SIXTH: 8})
        connector = TCPConnector(resolve={"a.test:80": self.GIVEN[:2]})
        async with (
            RawServer(script) as server,
            ClientSession(proxy=socks(server, "socks5"), connector=connector) as session,
        ):
            with pytest.raises(aioclient.ClientProxyConnectionError, match=r"(?i)refused by dest"):
                await session.get("http://a.test/")
            assert connector.statistics().in_use == 0
        assert asked == [self.FIRST, self.SIXTH]

    @pytest.mark.rows("PRX-09")
    async def test_not_allowed(self) -> None:
        """What the proxy's rules forbid is not tried by another address."""
        asked: list[bytes] = []
        script = self.proxy(asked, {self.FIRST: 2})
        connector = TCPConnector(resolve={"a.test:80": self.GIVEN})
        async with (
            RawServer(script) as server,
            ClientSession(proxy=socks(server, "socks5"), connector=connector) as session,
        ):
            with pytest.raises(aioclient.ClientProxyConnectionError, match=r"(?i)not allowed"):
                await session.get("http://a.test/")
        assert asked == [self.FIRST]


class TestHosts:
    @pytest.mark.parametrize(
        ("scheme", "host", "error", "reason"),
        [
            pytest.param(
                "socks5h", f"{'a.' * 128}b", ValueError, "253 characters", id="PRX-09-256-bytes"
            ),
            pytest.param(
                "socks5h",
                f"{'a' * 64}.test",
                aioclient.ClientProxyConnectionError,
                "too long",
                id="PRX-09-label",
            ),
            pytest.param(
                "socks5h", "[::ffff:127.0.0.1]", ValueError, "IPv4-mapped", id="PRX-09-mapped"
            ),
            pytest.param(
                "socks4a",
                "[::1]",
                aioclient.ClientProxyConnectionError,
                "no IPv4",
                id="PRX-09-4-ipv6",
            ),
            pytest.param(
                "socks4",
                "[::1]",
                aioclient.ClientProxyConnectionError,
                "no IPv4",
                id="PRX-09-4a-ipv6",
            ),
        ],
    )
    async def test_what_no_proxy_can_carry(
        self, scheme: str, host: str, error: type[Exception], reason: str
    ) -> None:
        """A host for which there is no room in a message is an error, and nothing is asked for."""
        proxy = Socks()
        async with (
            RawServer(proxy) as server,
            ClientSession(proxy=socks(server, scheme)) as session,
        ):
            with pytest.raises(error, match=reason):
                await session.get(f"http://{host}/")
        assert [messages for messages in proxy.asked if messages] == []

    async def test_unknown(self) -> None:
        """A name that is looked up here and that nobody knows is the server's, not the proxy's."""

        class Nobody(Loopback):
            async def resolve(self, *arguments: Any) -> Any:
                raise OSError(None, "unknown")

        async with (
            RawServer(Socks()) as server,
            ClientSession(
                proxy=socks(server, "socks5"), connector=TCPConnector(resolver=Nobody())
            ) as session,
        ):
            with pytest.raises(aioclient.ClientConnectorDNSError, match=r"a\.test"):
                await session.get("http://a.test/")

    async def test_no_proxy(self) -> None:
        """Where no SOCKS proxy listens the error says so."""
        with refused_port() as port:
            async with ClientSession(proxy=f"socks5h://u:secret@127.0.0.1:{port}") as session:
                with pytest.raises(aioclient.ClientProxyConnectionError) as caught:
                    await session.get("http://a.test/")
        assert (caught.value.host, caught.value.port) == ("127.0.0.1", port)


@pytest.mark.parametrize("phase", ["connect", "sock_read"])
@pytest.mark.virtual_clock
async def test_no_answer(phase: str) -> None:
    """A SOCKS proxy that says nothing is named, with the limit and without credentials."""

    async def mute(conn: RawConnection) -> None:
        await conn.closed()

    async with (
        RawServer(mute) as server,
        ClientSession(
            proxy=socks(server, "socks5h", "u:secret@"), timeout=ClientTimeout(**{phase: 3.0})
        ) as session,
    ):
        with pytest.raises(aioclient.ConnectTimeoutError) as caught:
            await session.get("http://a.test/")
    assert str(caught.value) == (
        f"GET http://a.test/: no answer from the proxy socks5h://127.0.0.1:{server.port} within {phase}=3.0 s"
    )


@both_loops
@pytest.mark.parametrize("scheme", ["socks4a", "socks5"])
@pytest.mark.parametrize((), [pytest.param(id="PRX-10")])
async def test_cancelled(certificates: Certificates, scheme: str) -> None:
    """A request may be cancelled at any await on its way through SOCKS."""

    async def ok(conn: RawConnection) -> None:
        while True:
            await conn.read_request()
            conn.send(OK)

    async with RawServer(
        Socks(certificates.server_context("a.test"), method=b"\x05\x02", behind=ok)
    ) as server:
        login = "u:p@" if scheme == "socks5" else ""
        await cancelled_everywhere(
            lambda session: fetch(session, "/"),
            lambda: ClientSession(
                "https://a.test/",
                proxy=socks(server, scheme, login),
                connector=TCPConnector(resolver=Loopback(), ssl=certificates.client_context()),
            ),
            least=4,
        )


@pytest.mark.parametrize("how", ["session", "mapping", "call", "environment"])
async def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Without python-socks a SOCKS proxy is an error that names the command, before anything is dialled."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "python_socks"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "python_socks", None)
    async with RawServer(Socks()) as server:
        url = socks(server, "socks5h")
        monkeypatch.setenv("ALL_PROXY", url)
        with pytest.raises(aioclient.MissingExtraError, match=r"pip install 'aioclient\[socks\]'"):
            async with ClientSession(
                proxy=url if how == "session" else None,
                proxies={"all": url} if how == "mapping" else None,
                trust_env=how == "environment",
            ) as session:
                await session.get("http://a.test/", proxy=url if how == "call" else None)
        assert server.connections == 0
