"""The values of `ssl=`, and their TLS contexts.

===================  ==========================================================================
`True`, `None`       OpenSSL verifies the certificate against the authorities it finds, and its name
`"system"`           the system verifies it, as its browsers do, and its name
`False`              nothing is verified: anyone on the network path can read and change the connection
an `SSLContext`      the context decides, and it is used as it is
a `Fingerprint`      the server's certificate is the pinned one
===================  ==========================================================================

`coerce_ssl()` converts each of them to the form in a connection key. Equal forms have the same effect, so a connection
made with one setting never serves a request with another.

Our own contexts are made once in a process, when they are first needed, and never on the event loop: loading the
authorities takes 20 to 40 ms, during which no other request would progress.
"""

import asyncio
import errno
import ssl
import sys
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.util import find_spec
from typing import Any, Final, Literal, cast
from weakref import WeakKeyDictionary

import aiohttp

from ..exceptions import MissingExtraError, ServerFingerprintMismatch
from ..threads import SETTINGS
from ..warning import warn_legacy

__all__ = (
    "Fingerprint",
    "TLSPlan",
    "coerce_ssl",
    "merge_ssl",
    "own_context_for",
    "plan_tls",
    "ssl_context_for",
)

# Systems whose authorities are not in files that OpenSSL reads. Elsewhere truststore would read the same files as
# OpenSSL, but again for each connection: 20 ms.
_OTHER_STORES: Final = ("darwin", "win32")

HTTP1: Final = "http/1.1"
"""The name of HTTP/1.1 in ALPN (RFC 7301, section 6)."""
HTTP2: Final = "h2"
"""The name of HTTP/2 over TLS in ALPN (RFC 9113, section 3.1)."""

_TOO_OLD_FOR_HTTP2: Final = ("TLSv1", "TLSv1.1")

_SHA256_SIZE = sha256().digest_size
_MD5_AND_SHA1_SIZES = (16, 20)


class Fingerprint:
    """The SHA-256 digest that the server's certificate (DER) must have.

    Args:
        sha256_digest: 32 bytes, or 64 hexadecimal digits with or without colons.
        verify: Also verify the certificate against the system's authorities, and its name. By default only the digest
            is checked, which suits self-signed certificates.

    Raises:
        ValueError: It is not a SHA-256 digest.
    """

    __slots__ = ("_digest", "_verify")

    def __init__(self, sha256_digest: bytes | str, *, verify: bool = False) -> None:
        self._digest = _read_digest(sha256_digest)
        self._verify = verify

    @property
    def fingerprint(self) -> bytes:
        """The digest, 32 bytes."""
        return self._digest

    @property
    def verify(self) -> bool:
        """Whether the certificate is verified as well."""
        return self._verify

    def check(self, transport: asyncio.BaseTransport) -> None:
        """Check the certificate of a TLS connection; call it before the first request byte.

        The caller must close the connection when this raises.

        Raises:
            ServerFingerprintMismatch: The digest differs. `got` is empty if the server sent no certificate, or the
                connection has no TLS.
        """
        tls = transport.get_extra_info("ssl_object")
        certificate = None if tls is None else tls.getpeercert(binary_form=True)
        got = b"" if certificate is None else sha256(certificate).digest()
        if got != self._digest:
            peer = transport.get_extra_info("peername")
            # The peer name of a Unix socket is a path.
            host, port = peer[:2] if isinstance(peer, tuple) else (str(peer or ""), 0)
            raise ServerFingerprintMismatch(self._digest, got, host, port)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fingerprint):
            return NotImplemented
        return self._digest == other._digest and self._verify == other._verify

    def __hash__(self) -> int:
        return hash((self._digest, self._verify))

    def __repr__(self) -> str:
        verify = ", verify=True" if self._verify else ""
        return f"Fingerprint({self._digest.hex()!r}{verify})"


def _read_digest(value: object) -> bytes:
    if isinstance(value, str):
        try:
            digest = bytes.fromhex(value.replace(":", ""))
        except ValueError:
            raise ValueError(
                f"sha256_digest={value!r}: give 32 bytes, or 64 hexadecimal digits"
            ) from None
    elif isinstance(value, bytes | bytearray | memoryview):
        digest = bytes(value)
    else:
        raise TypeError(f"sha256_digest must be bytes or str, found {type(value).__name__}")
    if len(digest) in _MD5_AND_SHA1_SIZES:
        raise ValueError("md5 and sha1 are insecure and not supported. Use sha256.")
    if len(digest) != _SHA256_SIZE:
        raise ValueError(f"a SHA-256 digest has 32 bytes, found {len(digest)}")
    return digest


Setting = bool | ssl.SSLContext | Fingerprint | Literal["system"]


def coerce_ssl(value: object) -> Setting:
    """Return *value*, an `ssl=` argument, in the form for connection keys.

    `None` becomes True, and an `aiohttp.Fingerprint` ours.

    Raises:
        TypeError: It is none of the values in the module's docstring.
        MissingExtraError: It is "system", and this system needs a package that is missing.
    """
    if value is None:
        return True
    if value == "system":
        _require_truststore()
        return "system"
    if isinstance(value, bool | ssl.SSLContext | Fingerprint):
        return value
    if isinstance(value, aiohttp.Fingerprint):
        return Fingerprint(value.fingerprint)
    raise TypeError(
        f'ssl must be a bool, an SSLContext, a Fingerprint, "system" or None, found {value!r}'
    )


def _require_truststore() -> None:
    if sys.platform in _OTHER_STORES and find_spec("truststore") is None:
        raise MissingExtraError(
            'ssl="system" needs the package truststore on this system: pip install "aioclient[truststore]"'
        )


def merge_ssl(
    ssl: object = True,
    verify_ssl: bool | None = None,
    ssl_context: ssl.SSLContext | None = None,
    fingerprint: bytes | str | None = None,
) -> Setting:
    """Return the one setting given by `ssl=` and its three older spellings.

    Each older spelling warns with LegacyParameterWarning, at the line that called the library; `verify_ssl=True` has no
    effect and does not warn.

    Args:
        ssl: As for `coerce_ssl()`.
        verify_ssl: False for `ssl=False`.
        ssl_context: A context for `ssl=context`.
        fingerprint: A digest for `ssl=Fingerprint(digest)`.

    Raises:
        ValueError: More than one of them is set, or the fingerprint is not a SHA-256 one.
        TypeError: As for `coerce_ssl()`.
    """
    result = coerce_ssl(ssl)
    older: list[tuple[str, str, bool | _Context | Fingerprint]] = []
    if verify_ssl is not None and not verify_ssl:
        older.append(("verify_ssl", "ssl=False", False))
    if ssl_context is not None:
        older.append(("ssl_context", "ssl=context", ssl_context))
    if fingerprint is not None:
        older.append(("fingerprint", "ssl=Fingerprint(digest)", Fingerprint(fingerprint)))
    if len(older) + (result is not True) > 1:
        raise ValueError(
            "verify_ssl, ssl_context, fingerprint and ssl parameters are mutually exclusive"
        )
    for name, instead, setting in older:
        warn_legacy(name, f"use {instead}")
        result = setting
    return result


_Context = ssl.SSLContext  # where a parameter is called ssl

# Who verifies, and whether HTTP/2 is offered. All contexts load authorities, except those with False, which verify
# nothing and are made in 0.2 ms.
_Kind = tuple[bool | Literal["system"], bool]
_contexts: dict[_Kind, ssl.SSLContext] = {}
# One thread for all waiting requests of an event loop.
_being_made: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Kind, asyncio.Future[_Context]]]" = WeakKeyDictionary()


def ssl_context_for(option: object) -> ssl.SSLContext:
    """Return the context to connect with for *option*, an `ssl=` argument; do not change it.

    The first call may take 40 ms: use `plan_tls()` where that is too long.

    Raises:
        TypeError, MissingExtraError: As for `coerce_ssl()`.
    """
    setting = coerce_ssl(option)
    return setting if isinstance(setting, ssl.SSLContext) else _make(_kind(setting, False))


def own_context_for(setting: Setting, *, http2: bool = False) -> ssl.SSLContext:
    """Return a new context, which may be changed; making it takes 20 to 40 ms.

    *http2*: offer HTTP/2 too.
    """
    return setting if isinstance(setting, ssl.SSLContext) else _new_context(_kind(setting, http2))


def _kind(setting: "bool | Fingerprint | Literal['system']", http2: bool) -> _Kind:
    return setting.verify if isinstance(setting, Fingerprint) else setting, http2


def _make(kind: _Kind) -> ssl.SSLContext:
    context = _contexts.get(kind)
    if context is None:
        # Without a lock, which a fork at the wrong time would leave locked: at worst two threads make the same context.
        context = _contexts.setdefault(kind, _new_context(kind))
    return context


def _new_context(kind: _Kind) -> ssl.SSLContext:
    verifier, http2 = kind
    if verifier == "system" and sys.platform in _OTHER_STORES:
        import truststore  # an extra, only needed here

        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    elif verifier:
        context = ssl.create_default_context()
        # A name in the subject's CN is ignored (RFC 9525, section 2); OpenSSL would still accept it.
        context.hostname_checks_common_name = False
        context.sslobject_class = _Handshake
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Debian's Python leaves it to OpenSSL's settings (RFC 9325, section 3.1.1).
    if context.minimum_version < ssl.TLSVersion.TLSv1_2:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols((HTTP2, HTTP1) if http2 else (HTTP1,))
    return context


class _Handshake(ssl.SSLObject):
    """Adds to the error for a refused certificate until when the chain was valid, as ``not_after``."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            cast(Any, error).not_after = _end_of_chain(self)
            raise


def _end_of_chain(tls: ssl.SSLObject) -> str | None:
    """Return the earliest expiry date in the peer's chain; None if Python does not report it."""
    ask = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)
    ends = [certificate.get_info()["notAfter"] for certificate in (ask and ask()) or ()]
    if not ends:
        return None
    return datetime.fromtimestamp(min(map(ssl.cert_time_to_seconds, ends)), UTC).date().isoformat()


async def _context(
    setting: "bool | Fingerprint | Literal['system'] | _Context", http2: bool
) -> ssl.SSLContext:
    if isinstance(setting, ssl.SSLContext):
        return setting
    kind = _kind(setting, http2)
    context = _contexts.get(kind)
    if context is not None:
        return context
    if kind[0] is False:
        return _make(kind)
    loop = asyncio.get_running_loop()
    making = _being_made.setdefault(loop, {})
    if kind not in making:
        making[kind] = loop.run_in_executor(SETTINGS, _make, kind)
        making[kind].add_done_callback(lambda done: _made(making, kind, done))
    return await asyncio.shield(making[kind])  # cancelling one waiter does not cancel the others


def _made(
    making: "dict[_Kind, asyncio.Future[_Context]]", kind: _Kind, done: "asyncio.Future[_Context]"
) -> None:
    del making[kind]
    if not done.cancelled():
        done.exception()  # mark it as retrieved: all waiters may be gone


@dataclass(frozen=True, slots=True)
class TLSPlan:
    """The parameters of a TLS handshake: the context, the name for SNI and verification, and a pin.

    ``is_users``: a user made the context, or may have changed it, so that its protocols are unknown.
    """

    context: ssl.SSLContext
    server_hostname: str
    pin: Fingerprint | None
    is_users: bool = False

    def check(self, transport: asyncio.BaseTransport, spoken: Collection[str] = (HTTP1,)) -> str:
        """Check the result of the handshake, and return the protocol to speak, one of *spoken* by its name in ALPN.

        Call it before the first request byte.

        Raises:
            ServerFingerprintMismatch: The certificate is not the pinned one.
            ssl.SSLError: ALPN chose another protocol, which a user's context offered, or HTTP/2 with a TLS that is too
                old for it.
        """
        if self.pin is not None:
            self.pin.check(transport)
        tls = transport.get_extra_info("ssl_object")
        chosen = None if tls is None else tls.selected_alpn_protocol()
        if chosen is None or chosen == "http/1.0":
            return HTTP1
        if chosen not in spoken:
            raise ssl.SSLError(
                0,
                f"ALPN chose {chosen!r}, and only HTTP/1.1 is spoken here; "
                "call set_alpn_protocols(['http/1.1']) on the SSLContext",
            )
        if chosen == HTTP2 and tls.version() in _TOO_OLD_FOR_HTTP2:
            raise ssl.SSLError(
                0, f"HTTP/2 needs TLS 1.2 or later (RFC 9113, section 9.2), found {tls.version()}"
            )
        return str(chosen)


async def plan_tls(
    option: object,
    server_hostname: str,
    context: ssl.SSLContext | None = None,
    *,
    http2: bool = False,
) -> TLSPlan:
    """Return the TLS plan for a connection to *server_hostname* with the `ssl=` setting *option*.

    *context*, if given, was made for that setting and replaces the shared one. *http2*: our own contexts offer HTTP/2
    too.

    The zone of an IPv6 address is local to this machine and is left out of the certificate check.

    Raises:
        OSError: *server_hostname* is impossible in a handshake, or the context cannot be made.
    """
    setting = coerce_ssl(option)
    name = server_hostname.partition("%")[0]
    check_server_name(name)
    return TLSPlan(
        await _context(setting, http2) if context is None else context,
        name,
        setting if isinstance(setting, Fingerprint) else None,
        context is not None or isinstance(setting, ssl.SSLContext),
    )


def check_server_name(name: str) -> None:
    """Raise OSError for a name that `ssl` would refuse, with ValueError, only after the connection is open."""
    try:
        encoded = name.encode("idna")  # as `ssl` does
        if not encoded or encoded.startswith(b".") or b"\0" in encoded:
            raise ValueError("it is empty, or begins with a dot, or has a NUL")
    except ValueError as error:
        raise OSError(
            errno.EINVAL,
            f"TLS cannot ask for the name {name!r}: {error}; pass another one as server_hostname=",
        ) from error
