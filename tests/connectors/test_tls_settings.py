"""TLS settings where users give them: on connectors and on calls, in today's and in older spellings."""

import asyncio
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import aioclient
from aioclient import ClientSession, Fingerprint, TCPConnector, UnixConnector
from aioclient.connectors import tls
from aioclient.testing import RawConnection, RawServer, cancel_everywhere

from ..loopback import OK, names
from ..servers.certificates import Certificates
from ..servers.require import require_module


async def ok(conn: RawConnection) -> None:
    while True:
        await conn.read_request()
        conn.send(OK)


async def fetch(session: ClientSession, url: str, **more: Any) -> bytes:
    async with session.get(url, **more) as response:
        return await response.read()


def spellings(certificates: Certificates) -> list[tuple[str, dict[str, Any], bool]]:
    """Return each way to say that this server is trusted: its arguments, and whether it is an older one."""
    return [
        ("ssl", {"ssl": certificates.client_context()}, False),
        ("ssl", {"ssl": False}, False),
        ("ssl", {"ssl": Fingerprint(certificates.fingerprint())}, False),
        ("verify_ssl", {"verify_ssl": False}, True),
        ("ssl_context", {"ssl_context": certificates.client_context()}, True),
        ("fingerprint", {"fingerprint": certificates.fingerprint()}, True),
        ("fingerprint", {"fingerprint": certificates.fingerprint().hex()}, True),
    ]


@pytest.mark.both_loops
class TestSpellings:
    @pytest.mark.rows("S003-40", "S003-41", "S003-42")
    async def test_of_a_call(self, certificates: Certificates) -> None:
        """A call takes each spelling; the older ones warn once, with their name."""
        async with (
            RawServer(ok, ssl=certificates.server_context()) as server,
            ClientSession() as session,
        ):
            for name, arguments, older in spellings(certificates):
                if older:
                    with pytest.warns(DeprecationWarning, match=f"^{name} is deprecated") as caught:
                        assert await fetch(session, server.url(), **arguments) == b"ok"
                    assert len(caught) == 1
                else:
                    assert await fetch(session, server.url(), **arguments) == b"ok"
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await fetch(session, server.url(), verify_ssl=True)

    @pytest.mark.rows("S003-74")
    async def test_of_a_connector(self, certificates: Certificates) -> None:
        """A connector takes each spelling, for all calls that say nothing."""
        async with RawServer(ok, ssl=certificates.server_context()) as server:
            for name, arguments, older in spellings(certificates):
                if older:
                    with pytest.warns(DeprecationWarning, match=f"^{name} is deprecated") as caught:
                        connector = TCPConnector(**arguments)
                    assert len(caught) == 1
                else:
                    connector = TCPConnector(**arguments)
                async with ClientSession(connector=connector) as session:
                    assert await fetch(session, server.url()) == b"ok"

    async def test_of_a_unix_connector(self, tmp_path: Path, certificates: Certificates) -> None:
        """https over a unix socket takes each spelling, and verifies when nothing is said."""
        path = tmp_path / "socket"
        async with RawServer(ok, unix_path=path, ssl=certificates.server_context()) as server:
            for name, arguments, older in spellings(certificates):
                if older:
                    with pytest.warns(DeprecationWarning, match=f"^{name} is deprecated"):
                        connector = UnixConnector(path, **arguments)
                else:
                    connector = UnixConnector(path, **arguments)
                async with ClientSession(connector=connector) as session:
                    assert await fetch(session, server.url()) == b"ok"
            async with ClientSession(connector=UnixConnector(path)) as session:
                with pytest.raises(aioclient.ClientConnectorCertificateError):
                    await fetch(session, server.url())

    async def test_a_call_before_the_connector(self, certificates: Certificates) -> None:
        """What a call says comes before what the connector says."""
        connector = TCPConnector(ssl=Fingerprint(bytes(32)))
        async with (
            RawServer(ok, ssl=certificates.server_context()) as server,
            ClientSession(connector=connector) as session,
        ):
            assert await fetch(session, server.url(), ssl=certificates.client_context()) == b"ok"
            with pytest.raises(aioclient.ServerFingerprintMismatch):
                await fetch(session, server.url())

    async def test_contradictions(self) -> None:
        """Two of them contradict each other, on a call and on a connector, before anything is sent."""
        two: dict[str, Any] = {"ssl_context": ssl.create_default_context(), "verify_ssl": False}
        for kind in (TCPConnector, lambda **more: UnixConnector("/nowhere", **more)):
            with pytest.raises(ValueError, match="mutually exclusive"):
                kind(**two)
        async with RawServer(ok) as server, ClientSession() as session:
            with pytest.raises(ValueError, match="mutually exclusive"):
                await fetch(session, server.url(), **two)
            assert server.connections == 0

    @pytest.mark.rows("S003-41", "S003-79")
    @pytest.mark.parametrize("size", [16, 20])
    async def test_weak_digests(self, size: int) -> None:
        """MD5 and SHA-1 digests are refused, on a call and on a connector."""
        with pytest.raises(ValueError, match="md5 and sha1 are insecure and not supported"):
            TCPConnector(fingerprint=bytes(size))
        async with ClientSession() as session:
            with pytest.raises(ValueError, match="md5 and sha1 are insecure and not supported"):
                await fetch(session, "https://a.test/", fingerprint=bytes(size))


@pytest.mark.rows("S003-75")
class TestProperties:
    async def test_of_the_default(self) -> None:
        """By default certificates are verified, by a context made when somebody looks."""
        async with TCPConnector() as connector:
            assert connector.verify_ssl is True
            assert connector.fingerprint is None
            assert connector.ssl_context.verify_mode == ssl.CERT_REQUIRED

    async def test_of_each_setting(self) -> None:
        """The properties tell what is in force, whichever spelling said it."""
        context = ssl.create_default_context()
        lax = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        lax.check_hostname = False
        lax.verify_mode = ssl.CERT_NONE
        for setting, verifies, digest in (
            (False, False, None),
            ("system", True, None),
            (context, True, None),
            (lax, False, None),
            (Fingerprint(bytes(32)), False, bytes(32)),
            (Fingerprint(bytes(32), verify=True), True, bytes(32)),
        ):
            for connector in (TCPConnector(ssl=setting), UnixConnector("/nowhere", ssl=setting)):  # type: ignore[arg-type]
                assert connector.verify_ssl is verifies
                assert connector.fingerprint == digest
                verify_mode = connector.ssl_context.verify_mode
                assert verify_mode == (ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE)
        assert TCPConnector(ssl=context).ssl_context is context

    @pytest.mark.rows("TLS-02")
    @pytest.mark.parametrize("way", ["tcp", "unix"])
    async def test_a_changed_context(
        self, certificates: Certificates, tmp_path: Path, way: str
    ) -> None:
        """Who changes a connector's context changes it for this connector, and for no other one."""
        path = tmp_path / "socket"

        def connector() -> TCPConnector | UnixConnector:
            return names() if way == "tcp" else UnixConnector(path)

        async with (
            RawServer(
                ok,
                ssl=certificates.server_context("a.test"),
                unix_path=None if way == "tcp" else path,
            ) as server,
            ClientSession(connector=connector()) as changed,
            ClientSession(connector=connector()) as other,
        ):
            url = server.url(host="a.test") if way == "tcp" else "https://a.test/"
            assert changed.connector is not None
            context = changed.connector.ssl_context
            assert changed.connector.ssl_context is context
            context.load_verify_locations(certificates.ca_file)
            assert await fetch(changed, url) == b"ok"
            for _ in range(2):
                with pytest.raises(aioclient.ClientConnectorCertificateError):
                    await fetch(other, url)
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await fetch(changed, url.replace("a.test", "b.test"))


class Made:
    """Counts the contexts that are made, and by which threads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[threading.Thread] = []
        self._make = tls._new_context
        monkeypatch.setattr(tls, "_new_context", self)

    def __call__(self, kind: Any) -> ssl.SSLContext:
        self.threads.append(threading.current_thread())
        return self._make(kind)


@pytest.mark.both_loops
class TestContexts:
    async def test_off_the_loop(
        self, trusted: Certificates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Many first requests share one context, which no event loop waited for."""
        made = Made(monkeypatch)
        async with (
            RawServer(ok, ssl=trusted.server_context()) as server,
            ClientSession(connector=names()) as session,
        ):
            url = server.url(host="a.test")
            assert await asyncio.gather(*(fetch(session, url) for _ in range(20))) == [b"ok"] * 20
            assert await fetch(session, url) == b"ok"
        (thread,) = made.threads
        assert thread is not threading.main_thread()

    async def test_a_failure(self, no_contexts: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """A context that cannot be made is an error for those who wait, and the next one tries anew."""
        monkeypatch.setattr(tls, "_new_context", lambda kind: 1 / 0)
        tasks = [asyncio.create_task(tls.plan_tls(True, "a.test")) for _ in range(3)]
        assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {
            ZeroDivisionError
        }
        monkeypatch.undo()
        plan = await tls.plan_tls(True, "a.test")
        assert plan.context.verify_mode == ssl.CERT_REQUIRED

    async def test_cancelled(self, no_contexts: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who gives up leaves the others alone; the context is there for who comes later."""
        made = Made(monkeypatch)
        first, second = (asyncio.create_task(tls.plan_tls(True, "a.test")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await second).context is (await tls.plan_tls(True, "b.test")).context
        assert len(made.threads) == 1

    async def test_cancelled_everywhere(self, trusted: Certificates) -> None:
        """A first request cancelled at any await leaves nothing, and the next one succeeds."""
        async with RawServer(ok, ssl=trusted.server_context()) as server:
            url = server.url(host="a.test")

            async def scenario() -> None:
                tls._contexts.clear()
                async with ClientSession(connector=names()) as session:
                    assert await fetch(session, url) == b"ok"

            assert await cancel_everywhere(scenario, scenario) > 3


@pytest.mark.both_loops
class TestSystemStore:
    async def test_files(self, trusted: Certificates) -> None:
        """Where the system's authorities are files, "system" verifies with them, and needs no package."""
        async with (
            RawServer(ok, ssl=trusted.server_context("a.test")) as server,
            ClientSession(connector=names()) as session,
        ):
            assert await fetch(session, server.url(host="a.test"), ssl="system") == b"ok"
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await fetch(session, server.url(host="b.test"), ssl="system")

    async def test_truststore(self, trusted: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
        """Elsewhere truststore verifies."""
        truststore = require_module("truststore")
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(sys, "platform", "darwin")
            context = tls.ssl_context_for("system")
        assert isinstance(context, truststore.SSLContext)
        connector = names(ssl="system")
        async with (
            RawServer(ok, ssl=trusted.server_context("a.test")) as server,
            ClientSession(connector=connector) as session,
        ):
            assert await fetch(session, server.url(host="a.test")) == b"ok"
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await fetch(session, server.url(host="b.test"))
            with monkeypatch.context() as elsewhere:
                elsewhere.setattr(sys, "platform", "darwin")
                own = connector.ssl_context
            assert isinstance(own, truststore.SSLContext)
            assert own is not context

    async def test_the_package_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the package the connector says which command installs it."""
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(tls, "find_spec", lambda name: None)
        with pytest.raises(
            aioclient.MissingExtraError, match=r'pip install "aioclient\[truststore\]"'
        ):
            TCPConnector(ssl="system")


@pytest.mark.both_loops
class TestAlpn:
    @pytest.mark.parametrize(
        "offered",
        [pytest.param(None, id="TLS-10-none"), pytest.param("http/1.1", id="TLS-10-http/1.1")],
    )
    async def test_what_the_server_selects(
        self, trusted: Certificates, offered: str | None
    ) -> None:
        """http/1.1 is offered; a server that selects it is served, and one that selects nothing."""
        selected: list[str | None] = []

        async def script(conn: RawConnection) -> None:
            tls_object = conn.transport.get_extra_info("ssl_object")
            selected.append(tls_object.selected_alpn_protocol())
            await ok(conn)

        context = trusted.server_context()
        if offered:
            context.set_alpn_protocols(["h2", offered])
        async with (
            RawServer(script, ssl=context) as server,
            ClientSession(connector=names()) as session,
        ):
            assert await fetch(session, server.url(host="a.test")) == b"ok"
        assert selected == [offered]

    @pytest.mark.parametrize((), [pytest.param(id="TLS-10")])
    async def test_another_protocol(self, certificates: Certificates) -> None:
        """When a user's context makes the server speak h2, that is said before anything is sent."""
        received: list[RawConnection] = []

        async def script(conn: RawConnection) -> None:
            received.append(conn)
            await conn.closed()

        server_context, context = certificates.server_context(), certificates.client_context()
        for side in (server_context, context):
            side.set_alpn_protocols(["h2", "http/1.1"])
        async with (
            RawServer(script, ssl=server_context) as server,
            ClientSession(connector=TCPConnector(ssl=context)) as session,
        ):
            with pytest.raises(aioclient.ClientConnectorSSLError, match="ALPN chose 'h2'"):
                await fetch(session, server.url())
            await session.close()
        assert [conn.received for conn in received] in ([], [0])
