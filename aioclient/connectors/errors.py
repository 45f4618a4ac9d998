"""Translate what the event loop raises while connecting: one table, the most specific first."""

import errno
import ssl
from collections.abc import Sequence
from typing import Any, Final

from ..exceptions import (
    AddressNotAllowedError,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientProxyConnectionError,
    UnixConnectError,
)
from ..message.origin import ConnectionKey
from ..protocols.alerts import ALERTS, advise
from .address_policy import Denial

_NOT_STRICT: Final = (
    "the certificate, or one of its authorities, breaks a rule of RFC 5280 that Python checks by default since 3.13; "
    "proxies that inspect TLS often send such ones: have it issued anew, or relax the check in an SSLContext and pass "
    "it as ssl=: context.verify_flags &= ~ssl.VERIFY_X509_STRICT"
)
# What to do, as a note below the traceback: by OpenSSL's code of a refused certificate …
_CERTIFICATE_ADVICE: Final = {
    9: "the certificate is not valid yet: are the clocks of both machines right?",
    10: "the certificate has expired: the server needs a new one",
    18: "the certificate is signed by itself: pin it with ssl=Fingerprint(sha256), or trust it in an SSLContext",
    19: "its authority is not trusted: load the authority into an SSLContext and pass it as ssl=",
    20: "its authority is not trusted: load the authority into an SSLContext and pass it as ssl=",
    26: "the certificate is for another purpose: the server needs one for server authentication",
    62: "the certificate is for another name: ask for that one, or pass it as server_hostname=",
    64: "the certificate is for another address: ask for a name, or pass one as server_hostname=",
    # The codes that OpenSSL has for its strict mode alone, from "Path length invalid for non-CA cert" to "Certificate
    # public key has explicit ECC parameters"; "Missing Authority Key Identifier" is 85.
    **dict.fromkeys(range(80, 95), _NOT_STRICT),
}
# … and by OpenSSL's reason for a failed handshake.
_TLS_ADVICE: Final = {
    **ALERTS,
    "WRONG_VERSION_NUMBER": "the port may not speak TLS: is the URL's scheme http?",
    "RECORD_LAYER_FAILURE": "the port may not speak TLS: is the URL's scheme http?",
    "UNSUPPORTED_PROTOCOL": "the server speaks no version of TLS that is allowed here",
    "HTTP_REQUEST": "the port speaks http, not https",
}


def dns_error(key: ConnectionKey, error: OSError) -> ClientConnectorDNSError:
    """Return the error that stands for *error* of a lookup for *key*."""
    told = _with_text(error, "the resolver gave up without a reason", None)
    return ClientConnectorDNSError(_as_aiohttp(key), told)


def unix_error(path: str, key: ConnectionKey, error: OSError) -> UnixConnectError:
    """Return the error that stands for *error* of an attempt to connect to the socket at *path*."""
    return UnixConnectError(path, _as_aiohttp(key), error)


def policy_error(key: ConnectionKey, denials: Sequence[Denial]) -> AddressNotAllowedError:
    """Return the error for a server of which nothing is allowed; *denials* has one entry at least."""
    rule = ", and ".join(str(denial) for denial in denials)
    error = PermissionError(errno.EACCES, rule)
    return AddressNotAllowedError(_as_aiohttp(key), error, denials[0].address, rule)


def proxy_error(
    proxy: ConnectionKey, error: OSError, key: ConnectionKey
) -> ClientProxyConnectionError:
    """Return the error that stands for *error* of an attempt to reach *proxy*, on the way to *key*."""
    found = ClientProxyConnectionError(_as_aiohttp(proxy), error)
    scheme = "https" if key.is_ssl else "http"
    found.add_note(f"this is the proxy on the way to {scheme}://{key.host}:{key.port}")
    advise(found, error.__cause__)
    return found


def connect_error(key: ConnectionKey, error: OSError) -> ClientConnectorError:
    """Return the error that stands for *error* of a connection attempt for *key*."""
    aiohttp_key = _as_aiohttp(key)
    found: ClientConnectorError
    advice: str | None = None
    if isinstance(error, ssl.CertificateError):
        found = ClientConnectorCertificateError(aiohttp_key, error)
        advice = _CERTIFICATE_ADVICE.get(error.verify_code)
    elif isinstance(error, ssl.SSLError):
        found = ClientConnectorSSLError(aiohttp_key, error)
        advice = _TLS_ADVICE.get(getattr(error, "reason", None) or "")  # of OpenSSL's errors only
    else:
        told = _with_text(
            error, "the server closed the connection within the TLS handshake", errno.ECONNRESET
        )
        found = ClientConnectorError(aiohttp_key, told)
    if advice is not None:
        found.add_note(advice)
    return found


def _with_text(error: OSError, otherwise: str, number: int | None) -> OSError:
    """Return *error* with text and number, those given where it has none: event loops and resolvers raise such ones."""
    if error.strerror:
        return error
    # Only of the standard library's it is known what they are made of.
    kind = type(error) if type(error).__module__ in ("builtins", "socket") else OSError
    return kind(error.errno or number, str(error) or otherwise)


def _as_aiohttp(key: ConnectionKey) -> Any:
    """Return *key* for aiohttp's annotations, which ask for its own; its code reads host, port and ssl of any."""
    return key
