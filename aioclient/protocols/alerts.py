"""Advice about an alert with which the peer ends TLS (RFC 8446, section 6.2), as a note below the traceback.

In TLS 1.3 the client's handshake ends before the server has checked its certificate: the alert that refuses it comes
instead of a response. So both the code that connects and the code that reads use this module.
"""

from typing import Final

__all__ = ("ALERTS", "advise")

_ANOTHER_CERTIFICATE: Final = (
    "the server wants a client certificate, or another one: load_cert_chain() of an SSLContext"
)

ALERTS: Final = {
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server may want a client certificate: load_cert_chain() of an SSLContext",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server wants a client certificate: load_cert_chain() of an SSLContext",
    # Some servers, such as those in Go and Java, send these if there is no certificate at all.
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
"""Advice by OpenSSL's reason."""


def advise(error: BaseException, cause: BaseException | None) -> None:
    """Add a note to *error* if *cause* is an alert with known advice."""
    advice = ALERTS.get(getattr(cause, "reason", None) or "")
    if advice is not None:
        error.add_note(advice)
