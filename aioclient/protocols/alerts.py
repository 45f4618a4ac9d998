"""What to do about an alert by which the peer ends TLS (RFC 8446, section 6.2), as a note below the traceback.

A client's handshake of TLS 1.3 is over before the server has judged its certificate: the alert that refuses it comes in
place of a response. So those who connect need this, and those who read.
"""

from typing import Final

__all__ = ("ALERTS", "advise")

_ANOTHER_CERTIFICATE: Final = (
    "the server wants a client certificate, or another one: load_cert_chain() of an SSLContext"
)

ALERTS: Final = {
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server may want a client certificate: load_cert_chain() of an SSLContext",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server wants a client certificate: load_cert_chain() of an SSLContext",
    # Some servers, as those in Go and Java, say these when there is no certificate at all.
    "SSLV3_ALERT_BAD_CERTIFICATE": _ANOTHER_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _ANOTHER_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _ANOTHER_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _ANOTHER_CERTIFICATE,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _ANOTHER_CERTIFICATE,
    "TLSV1_ALERT_ACCESS_DENIED": _ANOTHER_CERTIFICATE,
    "TLSV1_ALERT_UNKNOWN_CA": _ANOTHER_CERTIFICATE,
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server speaks no version of TLS that is allowed here",
    "TLSV1_UNRECOGNIZED_NAME": "the server knows no host of this name",
}
"""What to do, by OpenSSL's reason."""


def advise(error: BaseException, cause: BaseException | None) -> None:
    """Add a note to *error* if *cause* is an alert about which something can be done."""
    advice = ALERTS.get(getattr(cause, "reason", None) or "")
    if advice is not None:
        error.add_note(advice)
