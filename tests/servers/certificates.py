"""Certificates signed by an authority that exists for one test run."""

import hashlib
import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .. import spoken

NAMES = ("localhost", "127.0.0.1", "::1", "a.test", "b.test")


class Certificates:
    """A test authority, a server certificate for `NAMES`, and TLS contexts for both sides.

    Attributes:
        ca_file: The authority's certificate (PEM).
        cert_file: The server's certificate chain (PEM).
        key_file: The server's private key (PEM).
    """

    def __init__(self, folder: Path) -> None:
        self._contexts: spoken.Contexts | None = None
        self.authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.cert_file = folder / "cert.pem"
        self.key_file = folder / "key.pem"
        issued = self.authority.issue_cert(*NAMES)
        self.authority.cert_pem.write_to_path(self.ca_file)
        issued.private_key_pem.write_to_path(self.key_file)
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(self.cert_file, append=number > 0)

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Return a server's context, with a certificate for these names instead of `NAMES`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if names:
            self.authority.issue_cert(*names).configure_cert(context)
        else:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a verifying context that trusts this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        if spoken.http2():
            context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    def contexts(self) -> spoken.Contexts:
        """Return contexts of both sides that offer HTTP/2; the same ones each time."""
        if self._contexts is None:
            contexts = spoken.Contexts(self.server_context(), self.client_context())
            for context in contexts:
                context.set_alpn_protocols(["h2", "http/1.1"])
            self._contexts = contexts
        return self._contexts

    def fingerprint(self) -> bytes:
        """Return the SHA-256 digest of the server's certificate."""
        pem = self.cert_file.read_text()
        first = pem[: pem.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).digest()


class Forge:
    """Issues what `trustme` would not: certificates that a client must refuse.

    They are signed by the same authority, so that nothing but what is named is wrong with them.
    """

    def __init__(self, certificates: Certificates) -> None:
        authority = certificates.authority
        key = load_pem_private_key(authority.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())

    def context(self, *names: str, **more: Any) -> ssl.SSLContext:
        """Return the context of a server with a certificate that `pem()` makes."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.pem(*names, **more))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def pem(
        self,
        *names: str,
        common_name: str = "forged",
        addresses: Sequence[str] = (),
        days: tuple[int, int] = (-1, 1),
        self_signed: bool = False,
        authority_key: bool = True,
        usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
        chain: int = 0,
    ) -> bytes:
        """Return a server's private key and chain of certificates (PEM).

        Args:
            names: DNS names in subjectAltName, taken as they are; none and no addresses: no such field.
            common_name: The subject's.
            addresses: IP addresses in subjectAltName.
            days: From when to when it is valid, counted from now.
            self_signed: Signed with its own key.
            authority_key: Whether it names the key that signed it (RFC 5280, section 4.2.1.1), without which
                Python 3.13 refuses it.
            usage: What the key may be used for.
            chain: How many copies of the authority's certificate the server sends besides.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        signer = key if self_signed else self._key
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if self_signed else self._issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        if authority_key:
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ip_address(address)) for address in addresses]
        if alternatives:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=False
            )
        certificate = builder.sign(signer, hashes.SHA256())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem += certificate.public_bytes(Encoding.PEM)
        return pem + self._issuer.public_bytes(Encoding.PEM) * chain
