"""Certificates that must be refused, servers that do not speak TLS as they should: over real handshakes."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from cryptography.x509.oid import ExtendedKeyUsageOID

import aioclient
from aioclient import ClientSession, ClientTimeout, Fingerprint, TCPConnector, UnixConnector
from aioclient.testing import RawConnection, RawServer

from ..loopback import OK, moved, names
from ..servers.certificates import Certificates, Forge

REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "another-name": ("a.test", {"names": ["b.test"]}),
    "a-longer-name": ("a.test", {"names": ["xa.test"]}),
    "a-name-below": ("a.b.test", {"names": ["b.test"]}),
    "a-wildcard-for-two-labels": ("a.b.c.test", {"names": ["*.c.test"]}),
    "a-wildcard-for-no-label": ("c.test", {"names": ["*.c.test"]}),
    "a-wildcard-of-a-top-level": ("a.test", {"names": ["*.test"]}),
    "a-star-alone": ("a.test", {"names": ["*"]}),
    "a-partial-wildcard": ("abc.b.test", {"names": ["a*.b.test"]}),
    "a-partial-wildcard-at-the-end": ("abc.b.test", {"names": ["*c.b.test"]}),
    "a-wildcard-inside": ("a.b.c.test", {"names": ["a.*.c.test"]}),
    "a-wildcard-in-an-a-label": ("xn--strae-oqa.b.test", {"names": ["xn--*.b.test"]}),
    "an-address-in-a-name": ("127.0.0.1", {"names": ["127.0.0.1"]}),
    "a-wildcard-for-an-address": ("127.0.0.1", {"names": ["*.0.0.1"]}),
    "another-address": ("127.0.0.1", {"addresses": ["127.0.0.2"]}),
    "an-address-in-the-common-name": ("127.0.0.1", {"common_name": "127.0.0.1"}),
    "the-common-name-alone": ("a.test", {"common_name": "a.test"}),
    "the-common-name-besides": ("a.test", {"names": ["b.test"], "common_name": "a.test"}),
    "expired": ("a.test", {"names": ["a.test"], "days": (-3, -1)}),
    "not-valid-yet": ("a.test", {"names": ["a.test"], "days": (1, 3)}),
    "self-signed": ("a.test", {"names": ["a.test"], "self_signed": True}),
    "for-clients": ("a.test", {"names": ["a.test"], "usage": ExtendedKeyUsageOID.CLIENT_AUTH}),
    "idna-2003-strasse": ("straße.de", {"names": ["strasse.de"]}),
    "idna-2003-fass": ("faß.example", {"names": ["fass.example"]}),
}
ACCEPTED: dict[str, tuple[str, dict[str, Any]]] = {
    "the-name": ("a.test", {"names": ["a.test"]}),
    "the-name-in-capitals": ("a.test", {"names": ["A.TEST"]}),
    "one-of-many": ("a.test", {"names": ["b.test", "a.test"]}),
    "a-wildcard-for-one-label": ("a.c.test", {"names": ["*.c.test"]}),
    "an-address": ("127.0.0.1", {"addresses": ["127.0.0.1"]}),
    "idna-2008-strasse": ("straße.de", {"names": ["xn--strae-oqa.de"]}),
    "idna-2008-fass": ("faß.example", {"names": ["xn--fa-hia.example"]}),
}


def forge(certificates: Certificates, *, names: Sequence[str] = (), **more: Any) -> ssl.SSLContext:
    return Forge(certificates).context(*names, **more)


@contextlib.asynccontextmanager
async def session_to(
    way: str, context: ssl.SSLContext, folder: Path, connector: dict[str, Any]
) -> AsyncIterator[tuple[ClientSession, RawServer, str]]:
    """A session whose every host is this server, by TCP or by a unix socket; and the URLs' port."""
    path = folder / "socket"
    unix: dict[str, Any] = {"unix_path": path} if way == "unix" else {}
    async with RawServer.replies([OK], repeat=True, ssl=context, **unix) as server:
        made = UnixConnector(path, **connector) if unix else names(**connector)
        async with ClientSession(connector=made) as session:
            yield session, server, "" if unix else f":{server.port}"


@contextlib.asynccontextmanager
async def alerting(
    context: ssl.SSLContext, ended: asyncio.Event | None = None
) -> AsyncIterator[int]:
    """The port of a server that says by an alert why a handshake fails; the event loops' servers do not.

    It waits for the client to close its side, and sets *ended* then.
    """

    def serve() -> None:
        connection, _ = listener.accept()
        tls = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with contextlib.suppress(ssl.SSLError):
            tls.do_handshake()
        with socket.socket(fileno=tls.detach()) as plain, contextlib.suppress(ConnectionError):
            while plain.recv(
                4096
            ):  # to close with something unread would reset, and the alert be lost
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = asyncio.get_running_loop().run_in_executor(None, serve)
        if ended is not None:
            served.add_done_callback(lambda _: ended.set())
        yield listener.getsockname()[1]
        await served


@pytest.mark.parametrize("way", ["tcp", "unix"])
@pytest.mark.both_loops
class TestVerification:
    @pytest.mark.parametrize(
        ("host", "forged"),
        [pytest.param(*pair, id=f"TLS-01-{what}") for what, pair in REFUSED.items()],
    )
    async def test_refused(
        self, trusted: Certificates, tmp_path: Path, way: str, host: str, forged: dict[str, Any]
    ) -> None:
        """A certificate that is not for this server is refused, each time anew, before a byte of a request."""
        context = forge(trusted, **forged)
        async with session_to(way, context, tmp_path, {}) as (session, server, port):
            for _ in range(2):
                with pytest.raises(aioclient.ClientConnectorCertificateError) as caught:
                    await session.get(f"https://{host}{port}/")
            assert server.requests == []
        assert caught.value.__notes__, "it says what to do"

    @pytest.mark.parametrize(
        ("host", "issued"),
        [pytest.param(*pair, id=f"TLS-01-{what}") for what, pair in ACCEPTED.items()],
    )
    async def test_accepted(
        self, trusted: Certificates, tmp_path: Path, way: str, host: str, issued: dict[str, Any]
    ) -> None:
        """A certificate that is for this server is accepted."""
        context = forge(trusted, **issued)
        async with (
            session_to(way, context, tmp_path, {}) as (session, _, port),
            session.get(f"https://{host}{port}/") as response,
        ):
            assert await response.read() == b"ok"

    async def test_strict(self, certificates: Certificates, tmp_path: Path, way: str) -> None:
        """What Python checks since 3.13 is said, with the line that relaxes it; with that line it is accepted."""
        served = forge(certificates, names=["a.test"], authority_key=False)
        context = certificates.client_context()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        async with session_to(way, served, tmp_path, {}) as (session, server, port):
            with pytest.raises(
                aioclient.ClientConnectorCertificateError, match="Missing Authority Key Identifier"
            ) as caught:
                await session.get(f"https://a.test{port}/", ssl=context)
            assert server.requests == []
            (note,) = caught.value.__notes__
            relax = "context.verify_flags &= ~ssl.VERIFY_X509_STRICT"
            assert note.endswith(relax)
            context = certificates.client_context()
            exec(relax, {"context": context, "ssl": ssl})
            async with session.get(f"https://a.test{port}/", ssl=context) as response:
                assert await response.read() == b"ok"

    @pytest.mark.rows("URL-05")
    @pytest.mark.parametrize(
        ("host", "label"),
        [("straße.de", "xn--strae-oqa.de"), ("faß.example", "xn--fa-hia.example")],
    )
    async def test_sni(
        self, trusted: Certificates, tmp_path: Path, way: str, host: str, label: str
    ) -> None:
        """The server is asked for the IDNA 2008 label."""
        context = Forge(trusted).context(label)
        asked: list[str | None] = []
        context.sni_callback = lambda tls, name, ctx: asked.append(name)
        async with (
            session_to(way, context, tmp_path, {}) as (session, _, port),
            session.get(f"https://{host}{port}/") as response,
        ):
            assert await response.read() == b"ok"
        assert asked == [label]

    @pytest.mark.parametrize((), [pytest.param(id="TLS-03")])
    async def test_an_authority_of_ones_own(
        self, trusted: Certificates, tmp_path: Path, way: str
    ) -> None:
        """With an authority of one's own only that one is trusted, not the system's besides."""
        own = Certificates(tmp_path)
        context = trusted.server_context("a.test")
        settings = {"ssl": ssl.create_default_context(cafile=own.ca_file)}
        async with session_to(way, context, tmp_path, settings) as (session, _, port):
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await session.get(f"https://a.test{port}/")
        async with (
            session_to(way, context, tmp_path, {}) as (session, _, port),
            session.get(f"https://a.test{port}/") as response,
        ):
            assert await response.read() == b"ok"

    @pytest.mark.parametrize((), [pytest.param(id="TLS-02")])
    async def test_no_memory(self, trusted: Certificates, tmp_path: Path, way: str) -> None:
        """A request that verified nothing makes no later one do the same, nor the other way round."""
        context = trusted.server_context("b.test")
        async with session_to(way, context, tmp_path, {}) as (session, _, port):
            for _ in range(2):
                async with session.get(f"https://a.test{port}/", ssl=False) as response:
                    assert await response.read() == b"ok"
                with pytest.raises(aioclient.ClientConnectorCertificateError):
                    await session.get(f"https://a.test{port}/")

    async def test_server_hostname(self, trusted: Certificates, tmp_path: Path, way: str) -> None:
        """server_hostname= is what is asked for and verified in place of the URL's host."""
        context = trusted.server_context("b.test")
        asked: list[str | None] = []
        context.sni_callback = lambda tls, name, ctx: asked.append(name)
        async with session_to(way, context, tmp_path, {}) as (session, server, port):
            async with session.get(f"https://a.test{port}/", server_hostname="B.test.") as response:
                assert await response.read() == b"ok"
            assert asked == ["b.test"]
            assert server.requests[0].value("Host") == f"a.test{port}"


@pytest.mark.both_loops
class TestPinning:
    @pytest.mark.rows("S003-41")
    @pytest.mark.parametrize((), [pytest.param(id="TLS-07")])
    async def test_pinned_and_verified(self, trusted: Certificates) -> None:
        """With verify=True the certificate must be the pinned one, and hold besides."""
        pin = Fingerprint(trusted.fingerprint(), verify=True)
        async with (
            RawServer.replies([OK], repeat=True, ssl=trusted.server_context()) as server,
            ClientSession(connector=names()) as session,
        ):
            async with session.get(server.url(host="a.test"), ssl=pin) as response:
                assert await response.read() == b"ok"
            with pytest.raises(aioclient.ServerFingerprintMismatch):
                await session.get(
                    server.url(host="a.test"), ssl=Fingerprint(bytes(32), verify=True)
                )
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await session.get(server.url(host="c.test"), ssl=pin)
            async with session.get(
                server.url(host="c.test"), ssl=Fingerprint(trusted.fingerprint())
            ) as response:
                assert await response.read() == b"ok"

    @pytest.mark.rows("TLS-07")
    async def test_pinned_and_redirected(self, trusted: Certificates) -> None:
        """A call's pin holds for all of its hops: where it is redirected to gets no byte with another certificate."""
        other = forge(trusted, names=["b.test"])
        async with (
            RawServer.replies([OK], repeat=True, ssl=other) as second,
            RawServer.replies(
                [moved(second.url(host="b.test"))], repeat=True, ssl=trusted.server_context()
            ) as first,
            ClientSession(connector=names()) as session,
        ):
            async with session.get(second.url(host="b.test")) as response:
                assert await response.read() == b"ok"
            pin = Fingerprint(trusted.fingerprint())
            for _ in range(2):  # nor on a connection that was made without the pin
                with pytest.raises(aioclient.ServerFingerprintMismatch):
                    await session.get(first.url(host="a.test"), ssl=pin)
            assert len(second.requests) == 1


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.both_loops
class TestClientCertificates:
    async def test_shown(self, certificates: Certificates, version: str) -> None:
        """A server that wants a client certificate gets the context's."""
        server_context = self.wanting(certificates, version)
        context = certificates.client_context()
        certificates.authority.issue_cert("client@a.test").configure_cert(context)
        seen: list[Any] = []

        async def script(conn: RawConnection) -> None:
            seen.append(conn.transport.get_extra_info("peercert")["subjectAltName"])
            await conn.read_request()
            conn.send(OK)

        async with (
            RawServer(script, ssl=server_context) as server,
            ClientSession(connector=TCPConnector(ssl=context)) as session,
            session.get(server.url()) as response,
        ):
            assert await response.read() == b"ok"
        assert seen == [(("email", "client@a.test"),)]

    async def test_missing(self, certificates: Certificates, version: str) -> None:
        """Without one the error says that the server wants it."""
        async with (
            alerting(self.wanting(certificates, version)) as port,
            ClientSession(connector=TCPConnector(ssl=certificates.client_context())) as session,
        ):
            with pytest.raises(aioclient.ClientConnectionError) as caught:
                await session.get(f"https://127.0.0.1:{port}/")
        assert f"127.0.0.1:{port}" in str(caught.value)
        assert "client certificate: load_cert_chain()" in caught.value.__notes__[0]

    async def test_of_another_authority(self, certificates: Certificates, version: str) -> None:
        """With one that the server does not accept the error says that it wants another one."""
        context = certificates.client_context()
        trustme.CA().issue_cert("client@a.test").configure_cert(context)
        async with (
            alerting(self.wanting(certificates, version)) as port,
            ClientSession(connector=TCPConnector(ssl=context)) as session,
        ):
            with pytest.raises(aioclient.ClientConnectionError) as caught:
                await session.get(f"https://127.0.0.1:{port}/")
        assert "wants a client certificate, or another one" in caught.value.__notes__[0]

    async def test_missing_for_a_proxy(self, certificates: Certificates, version: str) -> None:
        """A proxy that wants one is named, and what to do about it."""
        async with (
            alerting(self.wanting(certificates, version)) as port,
            ClientSession(
                proxy=f"https://127.0.0.1:{port}", proxy_ssl=certificates.client_context()
            ) as session,
        ):
            with pytest.raises(aioclient.ClientConnectorError) as caught:
                await session.get("https://a.test/")
        assert (caught.value.host, caught.value.port) == ("127.0.0.1", port)
        assert "client certificate: load_cert_chain()" in " ".join(caught.value.__notes__)

    async def test_missing_before_the_request(
        self, certificates: Certificates, version: str
    ) -> None:
        """The error says so when the alert comes before the request is sent, too.

        The client's part of a handshake of TLS 1.3 is done before the server has judged its certificate.
        """
        ended = asyncio.Event()

        async def wait(*_: object) -> None:
            await ended.wait()

        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(wait)
        async with (
            alerting(self.wanting(certificates, version), ended) as port,
            ClientSession(
                connector=TCPConnector(ssl=certificates.client_context()), trace_configs=[trace]
            ) as session,
        ):
            with pytest.raises(aioclient.ClientConnectionError, match=r"(?i)certificate") as caught:
                await session.get(f"https://127.0.0.1:{port}/")
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
        assert "client certificate: load_cert_chain()" in caught.value.__notes__[0]
        if version == "TLSv1_3":
            assert "before the request was sent" in str(caught.value)

    @staticmethod
    def wanting(certificates: Certificates, version: str) -> ssl.SSLContext:
        context = certificates.server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.ca_file)
        context.maximum_version = ssl.TLSVersion[version]
        return context


@pytest.mark.both_loops
class TestOldVersions:
    async def test_tls_1_1(self, certificates: Certificates) -> None:
        """A server that speaks nothing newer than TLS 1.1 is refused, with and without verification."""
        context = certificates.server_context()
        with pytest.warns(DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        for setting in (True, False):
            async with alerting(context) as port, ClientSession() as session:
                with pytest.raises(aioclient.ClientConnectorSSLError) as caught:
                    await session.get(f"https://127.0.0.1:{port}/", ssl=setting)
            assert "no version of TLS that is allowed here" in caught.value.__notes__[0]

    async def test_no_alert(self, certificates: Certificates) -> None:
        """A server that ends the handshake without a word leaves an error that says so."""
        context = certificates.server_context()
        context.set_ciphers("AES128-SHA256")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        async with RawServer.replies([OK], ssl=context) as server, ClientSession() as session:
            with pytest.raises(
                aioclient.ClientConnectorError, match="within the TLS handshake"
            ) as caught:
                await session.get(server.url(), ssl=False)
        assert caught.value.port == server.port


@pytest.mark.both_loops
class TestOtherThanTls:
    @pytest.mark.parametrize((), [pytest.param(id="TLS-04")])
    async def test_plain_http(self) -> None:
        """https to a server that speaks plain HTTP is an error, and the server gets no byte of a request."""
        received: list[bytes] = []

        async def plain(conn: RawConnection) -> None:
            received.append(await conn.read_exactly(3))
            conn.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            received.append(await conn.closed())

        async with RawServer(plain) as server:
            async with ClientSession() as session:
                with pytest.raises(
                    aioclient.ClientConnectorSSLError, match=f"127.0.0.1:{server.port}"
                ):
                    await session.get(server.url().replace("http:", "https:"))
            assert server.connections == 1  # no second attempt without TLS
        assert received[0] == b"\x16\x03\x01"  # a handshake begins
        assert b"GET" not in received[-1]

    @pytest.mark.parametrize((), [pytest.param(id="TLS-06-chain")])
    async def test_a_giant_chain(self, trusted: Certificates) -> None:
        """A chain of certificates that is larger than any honest one ends the handshake."""
        context = Forge(trusted).context("a.test", chain=400)
        async with (
            RawServer.replies([OK], ssl=context) as server,
            ClientSession(connector=names()) as session,
        ):
            with pytest.raises(aioclient.ClientConnectorSSLError, match="EXCESSIVE_MESSAGE_SIZE"):
                await session.get(server.url(host="a.test"))


class TestSlowHandshakes:
    @pytest.mark.virtual_clock
    @pytest.mark.parametrize((), [pytest.param(id="TLS-06")])
    async def test_a_drip(self) -> None:
        """A handshake that comes a byte a second ends with the time for a connection."""

        async def drip(conn: RawConnection) -> None:
            await conn.read_exactly(5)
            conn.send(b"\x16\x03\x03\x3f\xff")  # a record of 16 KiB
            while True:
                await asyncio.sleep(1)
                conn.send(b"\x02")

        loop = asyncio.get_running_loop()
        async with RawServer(drip) as server, ClientSession() as session:
            start = loop.time()
            with pytest.raises(
                aioclient.ConnectTimeoutError,
                match=rf"no TLS handshake with 127\.0\.0\.1:{server.port} within sock_connect=30",
            ):
                await session.get(
                    server.url().replace("http:", "https:"),
                    ssl=False,
                    timeout=ClientTimeout(sock_connect=30),
                )
            assert 30 <= loop.time() - start < 32

    @pytest.mark.virtual_clock
    async def test_a_goodbye_that_nobody_answers(self, certificates: Certificates) -> None:
        """A connection whose server does not answer close_notify is closed after 2 s, not after 30."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()

        async def stuck(conn: RawConnection) -> None:
            await conn.read_request()
            conn.stop_reading()
            conn.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
            await over.wait()

        connector = TCPConnector(ssl=certificates.client_context())
        async with (
            RawServer(stuck, ssl=certificates.server_context()) as server,
            ClientSession(connector=connector) as session,
        ):
            async with session.get(server.url()) as response:
                assert await response.read() == b"ok"
            start = loop.time()
            while connector._sockets.connections:
                await asyncio.sleep(0.1)
            assert 1.9 < loop.time() - start < 3
            over.set()


@pytest.mark.both_loops
class TestEnds:
    """Where a body ends with the connection, only TLS's own goodbye tells that it was not cut (RFC 9112, 9.8)."""

    HEAD = b"HTTP/1.1 200 OK\r\n%s\r\nwhole"

    @pytest.mark.parametrize("way", ["fin", "reset"])
    @pytest.mark.parametrize(
        ("fields", "complete"),
        [
            pytest.param(b"", False, id="TLS-05-until-eof"),
            pytest.param(b"Content-Length: 5\r\n", True, id="TLS-05-length"),
        ],
    )
    async def test_without_a_goodbye(
        self, certificates: Certificates, way: str, fields: bytes, complete: bool
    ) -> None:
        """A body without length that ends without close_notify is incomplete; one with a length is whole."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            whole = self.HEAD % fields
            await conn.send_slowly(whole, len(whole))
            conn.reset() if way == "reset" else conn.abort()

        async with (
            RawServer(script, ssl=certificates.server_context()) as server,
            ClientSession(connector=TCPConnector(ssl=certificates.client_context())) as session,
            session.get(server.url()) as response,
        ):
            if complete:
                assert await response.read() == b"whole"
            else:
                with pytest.raises(aioclient.ClientPayloadError):
                    await response.read()

    @pytest.mark.parametrize((), [pytest.param(id="TLS-05-goodbye")])
    async def test_with_a_goodbye(self, certificates: Certificates) -> None:
        """A body without length that ends with close_notify is whole."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(self.HEAD % b"")

        async with (
            RawServer(script, ssl=certificates.server_context()) as server,
            ClientSession(connector=TCPConnector(ssl=certificates.client_context())) as session,
            session.get(server.url()) as response,
        ):
            assert await response.read() == b"whole"
