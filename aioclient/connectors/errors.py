"""Translates exceptions of the event loop while connecting: one table, the most specific first."""

import errno
import os
import re
import ssl
from collections.abc import Sequence
from typing import Any, Final, cast

from ..exceptions import (
    AddressNotAllowedError,
    CertificateError,
    ClientConnectorError,
    ConnectError,
    ConnectingError,
    LookupFailedError,
    ProxyConnectError,
    TLSError,
    UnixConnectError,
    public,
)
from ..message.origin import ConnectionKey
from ..message.proxy import Proxy
from ..message.request import Request
from ..protocols.alerts import ALERTS, advise
from .address_policy import Denial

_NOT_STRICT: Final = (
    "the certificate, or one of its authorities, breaks a rule of RFC 5280 that Python checks by default since 3.13; "
    "proxies that inspect TLS often send such ones: have it issued anew, or relax the check in an SSLContext and pass "
    "it as ssl=: context.verify_flags &= ~ssl.VERIFY_X509_STRICT"
)
# Advice, as a note below the traceback: by OpenSSL's code for a refused certificate …
_CERTIFICATE_ADVICE: Final = {
    9: "the certificate is not valid yet: are the clocks of both machines right?",
    10: "the certificate has expired: the server needs a new one",
    18: "the certificate is signed by itself: pin it with ssl=Fingerprint(sha256), or trust it in an SSLContext",
    19: "its authority is not trusted: load the authority into an SSLContext and pass it as ssl=",
    20: "its authority is not trusted: load the authority into an SSLContext and pass it as ssl=",
    26: "the certificate is for another purpose: the server needs one for server authentication",
    62: "the certificate is for another name: ask for that one, or pass it as server_hostname=",
    64: "the certificate is for another address: ask for a name, or pass one as server_hostname=",
    # OpenSSL's codes for its strict mode, from "Path length invalid for non-CA cert" to "Certificate public key has
    # explicit ECC parameters"; "Missing Authority Key Identifier" is 85.
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


# OpenSSL's reasons when a server answers without TLS.
_NOT_TLS: Final = frozenset(("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"))
_EXPIRED: Final = 10  # OpenSSL's code
_PLACE_IN_SSL: Final = re.compile(r" ?\(_ssl\.c:[0-9]+\)").sub
_NUMBERS: Final = re.compile(r"\[Errno ([0-9]+)\]").findall


def add_request(error: ClientConnectorError, request: Request, key: ConnectionKey) -> None:
    """Note in *error* for which *request* it is, and whether it is about the proxy of *key*."""
    if not isinstance(error, ConnectingError):
        return
    error.method, error.url = request.method, public(request.url)
    proxy = None if key.proxy is None else cast(Proxy, key.proxy).address
    if proxy is not None and (error.host, error.port) == (proxy.host, proxy.port):
        scheme = "https" if key.is_ssl else "http"
        error.on_the_way_to = f"{scheme}://{key.host}:{key.port}"


def dns_error(key: ConnectionKey, error: OSError) -> LookupFailedError:
    """Return our error for *error* of a lookup for *key*."""
    cause = _with_text(error, "the resolver gave up without a reason", None)
    found = LookupFailedError(_as_aiohttp(key), cause)
    found.found = f"no address of {key.host} was found: {cause.strerror}"
    return found


def unix_error(path: str, key: ConnectionKey, error: OSError) -> UnixConnectError:
    """Return our error for *error* of an attempt to connect to the socket at *path*."""
    found = UnixConnectError(path, _as_aiohttp(key), error)
    found.found = _in_words(error, key)
    return found


def policy_error(key: ConnectionKey, denials: Sequence[Denial]) -> AddressNotAllowedError:
    """Return the error for a server without an allowed address; *denials* has at least one entry."""
    rule = ", and ".join(str(denial) for denial in denials)
    error = PermissionError(errno.EACCES, rule)
    return AddressNotAllowedError(_as_aiohttp(key), error, denials[0].address, rule)


def proxy_error(
    proxy: ConnectionKey, error: OSError, key: ConnectionKey, dialled: tuple[str, ...] = ()
) -> ProxyConnectError:
    """Return our error for *error* of an attempt to reach *proxy*, on the way to *key*."""
    found = ProxyConnectError(_as_aiohttp(proxy), error)
    found.found = _in_words(error, proxy)
    found.dialled = dialled
    scheme = "https" if key.is_ssl else "http"
    found.on_the_way_to = f"{scheme}://{key.host}:{key.port}"
    advise(found, error.__cause__)
    return found


def connect_error(
    key: ConnectionKey, error: OSError, dialled: tuple[str, ...] = ()
) -> ConnectError | TLSError | CertificateError:
    """Return our error for *error* of a connection attempt for *key*; *dialled* are the addresses tried."""
    aiohttp_key = _as_aiohttp(key)
    found: ConnectError | TLSError | CertificateError
    advice: str | None = None
    if isinstance(error, ssl.CertificateError):
        found = CertificateError(aiohttp_key, error)
        advice = _CERTIFICATE_ADVICE.get(error.verify_code)
    elif isinstance(error, ssl.SSLError):
        found = TLSError(aiohttp_key, error)
        advice = _TLS_ADVICE.get(getattr(error, "reason", None) or "")  # OpenSSL's errors have it
    else:
        cause = _with_text(
            error, "the server closed the connection within the TLS handshake", errno.ECONNRESET
        )
        found = ConnectError(aiohttp_key, cause)
        error = cause
    found.found = _in_words(error, key)
    found.dialled = dialled
    if advice is not None:
        found.add_note(advice)
    return found


def _in_words(error: OSError, key: ConnectionKey) -> str:
    """Return what happened, in one line, without internals of the event loop or OpenSSL."""
    text = _PLACE_IN_SSL("", error.strerror or str(error))
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code != _EXPIRED:
            return f"the certificate is refused: {error.verify_message}"
        expired = getattr(error, "not_after", None)
        return f"the certificate expired{'' if expired is None else f' on {expired}'}"
    if isinstance(error, ssl.SSLError):
        if getattr(error, "reason", None) in _NOT_TLS:
            return f"the server does not speak TLS: http://{key.host}:{key.port}? ({text})"
        return f"no TLS: {text}"
    numbers = [error.errno] if error.errno else [int(number) for number in _NUMBERS(text)]
    if text.startswith(("Connect call failed", "Multiple exceptions")) and numbers:
        text = ", ".join(dict.fromkeys(map(os.strerror, numbers)))
    if numbers == [errno.ECONNREFUSED]:
        text = f"{text}; is the port right, and does a server listen on it?"
    return text


def _with_text(error: OSError, otherwise: str, number: int | None) -> OSError:
    """Return *error* with a text and number, by default the given ones: event loops and resolvers leave them out."""
    if error.strerror:
        return error
    # Only for classes of the standard library the constructor's arguments are known.
    kind = type(error) if type(error).__module__ in ("builtins", "socket") else OSError
    return kind(error.errno or number, str(error) or otherwise)


def _as_aiohttp(key: ConnectionKey) -> Any:
    """Return *key* for aiohttp's annotations, which require its own class; its code only reads host, port and ssl."""
    return key
