"""Certificates signed by an authority that exists for one test run."""

import hashlib
import ssl
from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1", "::1", "a.test", "b.test")


class Certificates:
    """A test authority, a server certificate for `NAMES`, and TLS contexts for both sides.

    Attributes:
        ca_file: The authority's certificate (PEM).
        cert_file: The server's certificate chain (PEM).
        key_file: The server's private key (PEM).
    """

    def __init__(self, folder: Path) -> None:
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
        return context

    def fingerprint(self) -> bytes:
        """Return the SHA-256 digest of the server's certificate."""
        pem = self.cert_file.read_text()
        first = pem[: pem.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).digest()
