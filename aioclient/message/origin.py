"""Origins and connection keys: which server a request is for, and which connections may carry it.

An origin is scheme, host and port (RFC 6454, section 4). Its host is canonical; ``host_of()`` makes it once. DNS, SNI,
certificate check, ``Host`` field, cookies and the pool all take it from here.
"""

import ipaddress
import re
from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Protocol, Self, cast

from yarl import URL

from ..exceptions import InvalidUrlClientError, NonHttpUrlClientError, bad_url, shown, shown_bad
from .urls import MAX_HOST, ends_with_a_number, host_of, url_of

_SECURE_SCHEMES = frozenset(("https", "wss"))
_SCHEMES = frozenset(("http", "https", "ws", "wss"))
_REG_NAME = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=\-]+")


class Pin(Protocol):
    """A pinned certificate: what the pool's key needs of a ``Fingerprint``."""

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 digest of the certificate."""


class TLSContext(Protocol):
    """What the pool's key needs of an ``ssl.SSLContext``: its identity."""

    check_hostname: bool

    def set_alpn_protocols(self, alpn_protocols: Iterable[str], /) -> None:
        """Set the protocols that the handshake offers."""


SSLOption = bool | TLSContext | Pin | Literal["system"]


class ConnectionKey(NamedTuple):
    """Everything that makes two connections different: only requests with equal keys share a connection.

    ``host``, ``port``, ``is_ssl`` and ``ssl`` are what ``ClientConnectorError`` reads. ``proxy`` is a ``Proxy`` with
    its credentials and fields; ``tunnel`` is whether the proxy passes bytes on, rather than requests. ``http2``: over
    TLS HTTP/2 is offered, without TLS it is spoken.
    """

    host: str
    port: int
    is_ssl: bool
    ssl: SSLOption
    server_hostname: str | None = None
    proxy: Hashable | None = None
    tunnel: bool = False
    http2: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickled error includes its key: a TLS context cannot be pickled, and a login should not be. The error's
        # message has the same as text.
        trust = self.ssl if isinstance(self.ssl, (bool, str)) else repr(self.ssl)
        return ConnectionKey, (self.host, self.port, self.is_ssl, trust, self.server_hostname)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<ConnectionKey {'https' if self.is_ssl else 'http'}://{self.host}:{self.port}>"


class Origin:
    """Scheme, host and port of a URL, with the forms that the wire needs, made once.

    ``host`` has no trailing dot and no brackets; ``dns_name`` keeps the dot of a name, which makes it absolute.
    ``host_field`` is the value of the ``Host`` header field: brackets around IPv6, no default port, no zone.
    ``key`` and ``http2_key`` are those of its connections, the second where HTTP/2 is asked for.
    """

    __slots__ = (
        "dns_name",
        "host",
        "host_field",
        "http2_key",
        "is_ip",
        "is_tls",
        "key",
        "port",
        "scheme",
    )

    def __init__(self, scheme: str, host: str, port: int) -> None:
        self.scheme: str = scheme
        self.port: int = port
        self.is_tls: bool = scheme in _SECURE_SCHEMES
        if not host.islower():
            # As yarl has it, unless the URL was marked as encoded; names of network interfaces have case.
            name, percent, zone = host.partition("%")
            host = f"{name.lower()}{percent}{zone}"
        # A zone of an IPv6 address is written "%25eth0" in a URL (RFC 6874, section 2).
        self.dns_name: str = host.replace("%25", "%", 1) if ":" in host else host
        self.host: str = host.removesuffix(".")
        self.is_ip: bool = _is_ip(self.host)
        if self.is_ip:
            self.dns_name = self.dns_name.removesuffix(".")
        bare = self.host.partition("%")[0]
        field = f"[{bare}]" if ":" in bare else bare
        default_port = 443 if self.is_tls else 80
        self.host_field: str = field if port == default_port else f"{field}:{port}"
        self.key: ConnectionKey = ConnectionKey(host, port, self.is_tls, True)
        self.http2_key: ConnectionKey = self.key._replace(http2=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Origin):
            return NotImplemented
        return self is other or (
            self.is_tls == other.is_tls and self.host == other.host and self.port == other.port
        )

    def __hash__(self) -> int:
        return hash((self.is_tls, self.host, self.port))

    def __str__(self) -> str:
        return f"{'https' if self.is_tls else 'http'}://{self.host_field}"

    def __repr__(self) -> str:
        return f"<Origin {self.scheme}://{self.host_field}>"


@lru_cache(maxsize=1024)
def _make_origin(scheme: str, host: str, port: int) -> Origin:
    return Origin(scheme, host, port)


def origin_of(url: URL) -> Origin:
    """Return the origin of *url*; the same object for the same scheme, host and port as long as it is cached.

    Raises:
        InvalidUrlClientError: the URL has no host, an invalid port or an invalid host.
        NonHttpUrlClientError: its scheme is not http, https, ws or wss.
    """
    try:
        host = url.raw_host
        port = url.port
    except ValueError:
        raise unreadable(url) from None
    if not host or not port or url.scheme not in _SCHEMES:
        raise _refusal(url)
    try:
        return _make_origin(url.scheme, host, port)
    except ValueError as error:
        raise InvalidUrlClientError(shown(url), str(error)) from error


def origins_of(argument: str, urls: "Iterable[str | URL]") -> frozenset[Origin]:
    """Return the origins that *urls* name; *argument* is for the message if they are no URLs of origins.

    Raises:
        TypeError: they are one URL, or none.
        ValueError: one has a path, a query or a user.
        InvalidUrlClientError: one is no URL with scheme and host.
    """
    if isinstance(urls, (str, URL)) or not isinstance(cast(object, urls), Iterable):
        raise TypeError(f"{argument} must be a list of origins, found {type(urls).__name__}")
    found = set()
    for each in urls:
        url = url_of(each) if isinstance(each, str) else each
        if not isinstance(cast(object, url), URL):
            raise TypeError(f"{argument} must hold URLs, found {type(each).__name__}")
        origin = origin_of(url)
        if (
            url.raw_path not in ("", "/")
            or url.raw_query_string
            or url.raw_fragment
            or url.raw_user
        ):
            raise ValueError(
                f"{argument}: {shown(url)} is more than an origin; write {origin.scheme}://{origin.host_field}"
            )
        found.add(origin)
    return frozenset(found)


def unreadable(url: URL) -> InvalidUrlClientError:
    """Return the error for a ``URL(..., encoded=True)`` whose authority yarl could not parse when it was accessed."""
    return InvalidUrlClientError(
        bad_url(f"//{url.raw_authority}"), "its port is not a number from 1 to 65535"
    )


def canonical_host(name: str) -> str:
    """Return a host name or address in the form of ``Origin.host``: lower case, A-labels, no trailing dot.

    Raises:
        InvalidUrlClientError: it is not a valid host.
    """
    try:
        return _make_origin("https", host_of(name), 443).host
    except ValueError as error:
        raise InvalidUrlClientError(bad_url(name), str(error)) from None


def _refusal(url: URL) -> Exception:
    if url.scheme and url.scheme not in _SCHEMES:
        # "localhost:8080/path" has a scheme too.
        is_host = not url.raw_host and url.raw_path[:1].isdigit() and "@" not in url.raw_path
        hint = f"; if it is a host, write https://{bad_url(shown(url))}" if is_host else ""
        return NonHttpUrlClientError(
            f"{shown_bad(shown(url))}: the scheme {url.scheme!r} is not supported; use http, https, ws or wss{hint}"
        )
    if not url.scheme:
        return InvalidUrlClientError(
            bad_url(shown(url)),
            "the URL is relative; give a full one, or a base_url to the session" + _host_hint(url),
        )
    return InvalidUrlClientError(shown(url), "the URL has no host, or no port that exists")


def _host_hint(url: URL) -> str:
    """Return a hint if a relative URL begins with what looks like a host, and not like a login."""
    first = url.raw_path.partition("/")[0]
    is_host = "." in first.strip(".") and "@" not in first
    return f"; did you mean https://{bad_url(shown(url))}?" if is_host else ""


def _is_ip(host: str) -> bool:
    """Tell whether *host* is an IP address.

    Raises:
        ValueError: it is neither an address nor a valid name, or is a spelling of an IPv4 address that resolvers read
            differently (octal, hexadecimal, fewer than four parts: RFC 6943, section 3.1.1).
    """
    if not host:
        raise ValueError("the host is empty")
    if len(host) > MAX_HOST and ":" not in host:
        raise ValueError("the host has more than 253 characters (RFC 1035, section 2.3.4)")
    try:
        # A zone is written after "%25"; an empty zone is invalid.
        address = ipaddress.ip_address(host.replace("%25", "%", 1) if ":" in host else host)
    except ValueError:
        pass
    else:
        if address.version == 6 and address.ipv4_mapped is not None:
            raise ValueError(
                f"the host {host} is an IPv4-mapped IPv6 address; write {address.ipv4_mapped}"
            )
        return True
    if _REG_NAME.fullmatch(host) is None:
        raise ValueError(
            f"the host {host!r} contains a character that is not allowed in a host name"
        )
    if "" in host.split("."):
        raise ValueError(f"the host {host!r} has an empty label (RFC 1034, section 3.1)")
    if ends_with_a_number(host) is not None:
        raise ValueError(f"the host {host!r} is not an IPv4 address of four decimal numbers")
    if "xn--" in host:
        _check_a_labels(host)
    return False


def _check_a_labels(host: str) -> None:
    """Raise ValueError if *host* has an invalid A-label (RFC 5891, section 5.4)."""
    try:
        URL.build(scheme="http", host=host).host  # noqa: B018  (decoding is what checks)
    except UnicodeError as error:
        raise ValueError(
            f"the host {host!r} contains an invalid internationalized label"
        ) from error
