"""What `ssl=` may be, and pinned certificates on real handshakes."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings, strategies

from aioclient import LegacyParameterWarning
from aioclient.connectors.tls import (
    Fingerprint,
    check_server_name,
    coerce_ssl,
    merge_ssl,
    plan_tls,
    ssl_context_for,
)
from aioclient.exceptions import ClientError, ServerFingerprintMismatch

from ..servers.certificates import Certificates

DIGEST = hashlib.sha256(b"a certificate").digest()
HEX = DIGEST.hex()
OTHER = hashlib.sha256(b"another certificate").digest()


class TestFingerprint:
    @pytest.mark.parametrize(
        "value",
        [
            DIGEST,
            bytearray(DIGEST),
            HEX,
            HEX.upper(),
            ":".join(HEX[i : i + 2] for i in range(0, 64, 2)),
        ],
    )
    def test_spellings(self, value: Any) -> None:
        """A digest may be bytes, or hexadecimal digits with or without colons."""
        assert Fingerprint(value).fingerprint == DIGEST

    @pytest.mark.parametrize("size", [16, 20])
    def test_weak_digests(self, size: int) -> None:
        """MD5 and SHA-1 digests are refused, as bytes and as digits."""
        for value in (bytes(size), bytes(size).hex()):
            with pytest.raises(ValueError, match="md5 and sha1 are insecure and not supported"):
                Fingerprint(value)

    @pytest.mark.parametrize("value", [b"", bytes(31), bytes(64), "", "xyz", HEX[:-1]])
    def test_no_digests(self, value: bytes | str) -> None:
        """What is no SHA-256 digest is refused at construction."""
        with pytest.raises(ValueError, match="32 bytes"):
            Fingerprint(value)

    def test_wrong_type(self) -> None:
        """A digest is bytes or str."""
        with pytest.raises(TypeError, match="found int"):
            Fingerprint(32)  # type: ignore[arg-type]

    def test_equal_ones_ask_for_the_same(self) -> None:
        """Fingerprints are equal when digest and verify are: connections may be shared then."""
        assert Fingerprint(DIGEST) == Fingerprint(HEX)
        assert hash(Fingerprint(DIGEST)) == hash(Fingerprint(HEX))
        assert Fingerprint(DIGEST) != Fingerprint(OTHER)
        assert Fingerprint(DIGEST) != Fingerprint(DIGEST, verify=True)
        assert Fingerprint(DIGEST) != DIGEST

    def test_repr_can_be_pasted(self) -> None:
        """The repr is the expression that makes an equal one."""
        for pin in (Fingerprint(DIGEST), Fingerprint(DIGEST, verify=True)):
            assert eval(repr(pin)) == pin


@asynccontextmanager
async def tls_connection(
    certificates: Certificates, context: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.BaseTransport, list[bytes]]]:
    """A client's transport to a server, and what the server receives."""
    received: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            received.append(await reader.read())
        finally:
            writer.close()
            over.set()

    server_context = certificates.server_context() if context else None
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context)
    port = server.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        yield writer.transport, received
    finally:
        writer.close()
        await writer.wait_closed()
        await over.wait()
        server.close()
        await server.wait_closed()


@pytest.mark.both_loops
class TestPinning:
    async def test_the_pinned_certificate(self, certificates: Certificates) -> None:
        """The pinned certificate is accepted although no authority vouches for it."""
        pin = Fingerprint(certificates.fingerprint())
        async with tls_connection(certificates, ssl_context_for(pin)) as (transport, _):
            pin.check(transport)

    async def test_another_certificate(self, certificates: Certificates) -> None:
        """Another certificate than the pinned one raises, with both digests and the address."""
        pin = Fingerprint(OTHER)
        async with tls_connection(certificates, ssl_context_for(pin)) as (transport, received):
            with pytest.raises(ServerFingerprintMismatch) as caught:
                pin.check(transport)
        assert isinstance(caught.value, ClientError)
        assert caught.value.expected == OTHER
        assert caught.value.got == certificates.fingerprint()
        assert caught.value.host == "127.0.0.1"
        assert caught.value.port > 0
        assert received in ([], [b""])

    async def test_no_tls(self, certificates: Certificates) -> None:
        """A connection without TLS does not pass the check."""
        async with tls_connection(certificates, None) as (transport, _):
            with pytest.raises(ServerFingerprintMismatch) as caught:
                Fingerprint(DIGEST).check(transport)
        assert caught.value.got == b""


class TestOptions:
    def test_none_is_the_default(self) -> None:
        """None verifies, as True does."""
        assert coerce_ssl(None) is True
        assert coerce_ssl(True) is True
        assert coerce_ssl(False) is False

    def test_a_context_is_itself(self) -> None:
        """A user's context is used as it is, and is equal to no other one."""
        one, two = ssl.create_default_context(), ssl.create_default_context()
        assert coerce_ssl(one) is one
        assert ssl_context_for(one) is one
        assert coerce_ssl(one) != coerce_ssl(two)

    def test_aiohttps_fingerprint(self) -> None:
        """aiohttp's Fingerprint becomes ours."""
        assert coerce_ssl(aiohttp.Fingerprint(DIGEST)) == Fingerprint(DIGEST)

    @pytest.mark.parametrize("value", [0, 1, "yes", DIGEST, object()])
    def test_anything_else(self, value: object) -> None:
        """Whatever is no setting raises, and says what is one."""
        with pytest.raises(
            TypeError, match='ssl must be a bool, an SSLContext, a Fingerprint, "system"'
        ):
            coerce_ssl(value)
        with pytest.raises(TypeError, match="ssl must be a bool"):
            ssl_context_for(value)

    def test_no_two_settings_are_equal(self) -> None:
        """Settings that ask for different things are different keys (security.md POOL-05)."""
        settings = [
            True,
            False,
            ssl.create_default_context(),
            ssl.create_default_context(),
            Fingerprint(DIGEST),
            Fingerprint(OTHER),
            Fingerprint(DIGEST, verify=True),
        ]
        assert len({coerce_ssl(setting) for setting in settings}) == len(settings)


class TestContexts:
    def test_verifying(self) -> None:
        """True verifies certificate and host name."""
        context = ssl_context_for(True)
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2

    def test_not_verifying(self) -> None:
        """False verifies nothing, and is as strict as ever about the protocol's version."""
        context = ssl_context_for(False)
        assert context.verify_mode == ssl.CERT_NONE
        assert not context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_COMPRESSION

    def test_made_once(self) -> None:
        """Our own contexts are made once, and never shared between verifying and not."""
        assert ssl_context_for(True) is ssl_context_for(None)
        assert ssl_context_for(False) is ssl_context_for(False)
        assert ssl_context_for(True) is not ssl_context_for(False)

    def test_of_a_fingerprint(self) -> None:
        """A fingerprint replaces verification, or comes on top of it."""
        assert ssl_context_for(Fingerprint(DIGEST)) is ssl_context_for(False)
        assert ssl_context_for(Fingerprint(DIGEST, verify=True)) is ssl_context_for(True)

    @pytest.mark.both_loops
    async def test_verifying_refuses_an_unknown_authority(self, certificates: Certificates) -> None:
        """True refuses a certificate whose authority the system does not know."""
        server = await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=certificates.server_context()
        )
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection(
                    "127.0.0.1", port, ssl=ssl_context_for(True), server_hostname="localhost"
                )

    @pytest.mark.parametrize("option", [True, False])
    async def test_alpn(self, certificates: Certificates, option: bool) -> None:
        """Our own contexts offer http/1.1."""
        offer = ssl_context_for(option)
        server = certificates.server_context()
        server.set_alpn_protocols(["h2", "http/1.1"])
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client_side = offer.wrap_bio(to_client, to_server, server_hostname="localhost")
        server_side = server.wrap_bio(to_server, to_client, server_side=True)
        for side in (client_side, server_side):
            with pytest.raises(ssl.SSLWantReadError):
                side.do_handshake()
        assert server_side.selected_alpn_protocol() == "http/1.1"


class TestNames:
    @settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
    @given(
        strategies.lists(
            strategies.one_of(
                strategies.text(max_size=4),
                strategies.sampled_from(
                    ["", "a" * 63, "a" * 64, "xn--a", "é" * 60, "\0", "\ud800"]
                ),
            ),
            max_size=5,
        ).map(".".join)
    )
    def test_any_text(self, name: str) -> None:
        """Of a name that TLS can ask for `ssl` raises nothing but its own errors; any other is an OSError."""
        try:
            check_server_name(name)
        except OSError:
            return
        with suppress(ssl.SSLError):  # OpenSSL takes 255 bytes
            ssl_context_for(False).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=name)

    @pytest.mark.parametrize("name", ["", ".a", "a..b", "a" * 64 + ".test", "a\0"])
    async def test_refused(self, name: str) -> None:
        """The error says what to pass instead."""
        with pytest.raises(OSError, match=r"TLS cannot ask for .* server_hostname="):
            await plan_tls(True, name)


class TestMergeSsl:
    def test_nothing_said(self) -> None:
        """Without any of them certificates are verified; verify_ssl=True says nothing."""
        assert merge_ssl() is True
        assert merge_ssl(None, None, None, None) is True
        assert merge_ssl(verify_ssl=True) is True
        assert merge_ssl(False, verify_ssl=True) is False

    def test_ssl_alone(self) -> None:
        """ssl= passes through without a warning."""
        assert merge_ssl(False) is False
        assert merge_ssl(Fingerprint(DIGEST)) == Fingerprint(DIGEST)

    def test_older_spellings(self) -> None:
        """Each older spelling means what ssl= can say, and its warning says how."""
        context = ssl.create_default_context()
        with pytest.warns(LegacyParameterWarning, match="verify_ssl is deprecated; use ssl=False"):
            assert merge_ssl(verify_ssl=False) is False
        with pytest.warns(
            LegacyParameterWarning, match="ssl_context is deprecated; use ssl=context"
        ):
            assert merge_ssl(ssl_context=context) is context
        with pytest.warns(LegacyParameterWarning, match="fingerprint is deprecated") as caught:
            assert merge_ssl(fingerprint=DIGEST) == Fingerprint(DIGEST)
        assert caught[0].filename == __file__

    @pytest.mark.parametrize(
        "arguments",
        [
            {"ssl": False, "verify_ssl": False},
            {"ssl": False, "fingerprint": DIGEST},
            {"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "verify_ssl": False},
            {"verify_ssl": False, "fingerprint": DIGEST},
            {"verify_ssl": False, "ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
            {"fingerprint": DIGEST, "ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
        ],
    )
    def test_two_of_them(self, arguments: dict[str, Any]) -> None:
        """Two that say something exclude each other, and nothing warns before that."""
        with pytest.raises(ValueError, match="parameters are mutually exclusive"):
            merge_ssl(**arguments)
