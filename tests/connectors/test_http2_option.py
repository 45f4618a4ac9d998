"""``http2=``: who asks for HTTP/2, what the handshake offers then, and what the pool's key says."""

import warnings

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector
from aioclient.connectors import http2 as option
from aioclient.testing import RawConnection, RawServer

from ..servers.certificates import Certificates
from .many import ManyConnection, maker
from .test_seam import lines

pytestmark = pytest.mark.both_loops


def many(connector: TCPConnector, name: str = "h2") -> list[ManyConnection]:
    """Let *connector* make connections of many exchanges where ALPN chooses *name*."""
    made: list[ManyConnection] = []
    connector._dialler.protocols[name] = maker(connector._driver._weak_self, made)
    return made


async def http1(conn: RawConnection) -> None:
    while True:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP1")


class Site:
    """Speaks what the handshake chose."""

    def __init__(self, *alpn: str) -> None:
        self.alpn = alpn
        self.chosen: list[str | None] = []

    async def __call__(self, conn: RawConnection) -> None:
        tls = conn.transport.get_extra_info("ssl_object")
        chosen = None if tls is None else tls.selected_alpn_protocol()
        self.chosen.append(chosen)
        await (lines if chosen == "h2" else http1)(conn)

    def server(self, certificates: Certificates) -> RawServer:
        side = certificates.server_context()
        side.set_alpn_protocols(list(self.alpn))
        return RawServer(self, ssl=side)


@pytest.fixture
def trusted(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let contexts of ours trust the authority of this run."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    monkeypatch.setattr("aioclient.connectors.tls._contexts", {})


class TestOffer:
    @pytest.mark.rows("S000-10")
    @pytest.mark.parametrize("where", ["session", "call", "connector", "version", "call version"])
    async def test_who_asks(self, certificates: Certificates, trusted: None, where: str) -> None:
        """A session, a call or a connector asks; the server's choice is spoken."""
        site = Site("h2", "http/1.1")
        connector = TCPConnector(http2=where == "connector")
        made = many(connector)
        of_session = {"session": {"http2": True}, "version": {"version": "2"}}.get(where, {})
        of_call = {"call": {"http2": True}, "call version": {"version": "2"}}.get(where, {})
        async with (
            site.server(certificates) as server,
            ClientSession(connector=connector, **of_session) as session,  # type: ignore[arg-type]
            session.get(server.url("/a"), **of_call) as response,  # type: ignore[arg-type]
        ):
            assert await response.text() == "/a"
            assert len(made) == 1
            assert site.chosen == ["h2"]

    @pytest.mark.parametrize(
        ("session_says", "call_says"),
        [({}, {}), ({"http2": False}, {}), ({"http2": True}, {"http2": False}),
         ({"http2": True}, {"version": "1.1"}), ({"http2": True}, {"version": "1.0"}),
         ({"version": "1.0", "http2": True}, {})],
    )  # fmt: skip
    async def test_who_does_not(
        self,
        certificates: Certificates,
        trusted: None,
        session_says: dict[str, object],
        call_says: dict[str, object],
    ) -> None:
        """Nobody asks, or who is nearer to the call takes it back: it is not offered."""
        site = Site("h2", "http/1.1")
        connector = TCPConnector(http2=bool(session_says))
        made = many(connector)
        async with (
            site.server(certificates) as server,
            ClientSession(connector=connector, **session_says) as session,  # type: ignore[arg-type]
            session.get(server.url("/a"), **call_says) as response,  # type: ignore[arg-type]
        ):
            assert await response.text() == "HTTP1"
            assert not made
            assert site.chosen == ["http/1.1"]

    @pytest.mark.rows("S000-10")
    async def test_a_server_without(self, certificates: Certificates, trusted: None) -> None:
        """HTTP/1.1 is spoken where the server does not choose HTTP/2."""
        site = Site("http/1.1")
        connector = TCPConnector(http2=True)
        made = many(connector)
        async with (
            site.server(certificates) as server,
            ClientSession(connector=connector) as session,
            session.get(server.url("/a")) as response,
        ):
            assert await response.text() == "HTTP1"
            assert not made

    async def test_apart_in_the_pool(self, certificates: Certificates, trusted: None) -> None:
        """A connection that was made without the offer serves no request that asks for it, and the other way round."""
        site = Site("h2", "http/1.1")
        connector = TCPConnector()
        many(connector)
        async with (
            site.server(certificates) as server,
            ClientSession(connector=connector) as session,
        ):
            for asked in (False, True, False, True):
                async with session.get(server.url("/a"), http2=asked) as response:
                    assert await response.text() == ("/a" if asked else "HTTP1")
            assert server.connections == 2


class TestWithoutTLS:
    @pytest.mark.rows("S000-10")
    async def test_true_is_http1(self) -> None:
        """Without TLS there is no handshake to agree on HTTP/2: ``True`` asks nobody (RFC 9113, section 3.3)."""
        connector = TCPConnector(http2=True)
        made = many(connector)
        async with (
            RawServer(http1) as server,
            ClientSession(connector=connector) as session,
            session.get(server.url("/a")) as response,
        ):
            assert await response.text() == "HTTP1"
            assert not made

    async def test_prior_knowledge(self) -> None:
        """With prior knowledge it is spoken at once."""
        connector = TCPConnector(http2="prior-knowledge")
        made = many(connector)
        async with (
            RawServer(lines) as server,
            ClientSession(connector=connector) as session,
            session.get(server.url("/a")) as response,
        ):
            assert await response.text() == "/a"
            assert len(made) == 1


class TestUsersContext:
    async def test_that_offers_it(self, certificates: Certificates) -> None:
        """A context of the user's that offers it is used as it is."""
        site = Site("h2")
        context = certificates.client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        connector = TCPConnector(http2=True)
        made = many(connector)
        async with (
            site.server(certificates) as server,
            ClientSession(connector=connector) as session,
            session.get(server.url("/a"), ssl=context) as response,
        ):
            assert await response.text() == "/a"
            assert len(made) == 1

    async def test_that_does_not(self, certificates: Certificates) -> None:
        """It is not changed: HTTP/1.1 is spoken, and one warning says what to call."""
        site = Site("h2", "http/1.1")
        context = certificates.client_context()
        async with (
            site.server(certificates) as server,
            ClientSession(connector=TCPConnector(force_close=True), http2=True) as session,
        ):
            with pytest.warns(
                aioclient.HTTP2Warning, match=r"set_alpn_protocols\(\['h2', 'http/1.1'\]\)"
            ):
                async with session.get(server.url("/a"), ssl=context) as response:
                    assert await response.text() == "HTTP1"
            async with session.get(server.url("/a"), ssl=context) as response:
                assert await response.text() == "HTTP1"
            assert site.chosen == [None, None]

    async def test_a_warning_that_is_an_error(self, certificates: Certificates) -> None:
        """It ends the request, and leaves no socket behind."""
        site = Site("http/1.1")
        context = certificates.client_context()
        async with site.server(certificates) as server, ClientSession(http2=True) as session:
            with warnings.catch_warnings():
                warnings.simplefilter("error", aioclient.HTTP2Warning)
                with pytest.raises(aioclient.HTTP2Warning):
                    await session.get(server.url("/a"), ssl=context)
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    async def test_the_connectors_own(self, certificates: Certificates, trusted: None) -> None:
        """A context that ``connector.ssl_context`` gave out may have been changed: it is the user's from then on."""
        site = Site("h2", "http/1.1")
        connector = TCPConnector(http2=True)
        connector.ssl_context.set_alpn_protocols(["http/1.1"])
        async with (
            site.server(certificates) as server,
            ClientSession(connector=connector) as session,
        ):
            with pytest.warns(aioclient.HTTP2Warning):
                await (await session.get(server.url("/a"))).read()
            assert site.chosen == ["http/1.1"]


class TestValues:
    @pytest.mark.parametrize("value", ["yes", "h2", 1, 2.0, object()])
    async def test_none_of_these(self, value: object) -> None:
        """What is none of its values is refused, wherever it is given."""
        wanted = "http2 must be True, False or 'prior-knowledge'"
        with pytest.raises((TypeError, ValueError), match=wanted):
            ClientSession(http2=value)  # type: ignore[arg-type]
        with pytest.raises((TypeError, ValueError), match=wanted):
            TCPConnector(http2=value)  # type: ignore[arg-type]
        async with ClientSession() as session:
            with pytest.raises((TypeError, ValueError), match=wanted):
                await session.get("http://127.0.0.1:1/", http2=value)  # type: ignore[arg-type]

    @pytest.mark.rows("S000-10")
    async def test_without_its_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without hpack it is refused when it is asked for, with what to install."""
        monkeypatch.setattr(option, "find_spec", lambda name: None)
        with pytest.raises(aioclient.MissingExtraError, match=r"pip install 'aioclient\[http2\]'"):
            ClientSession(http2=True)
        with pytest.raises(aioclient.MissingExtraError, match=r"pip install 'aioclient\[http2\]'"):
            TCPConnector(http2="prior-knowledge")

    async def test_what_it_says(self) -> None:
        """Session and connector tell what they were given."""
        connector = TCPConnector(http2="prior-knowledge")
        async with ClientSession(connector=connector) as session:
            assert connector.http2 == session.http2 == "prior-knowledge"
        async with ClientSession() as session:
            assert session.http2 is False
