"""A proxy as a value: its address, its credentials, the fields for it, and how its certificate is verified.

Everything that makes two proxied connections different is compared: a tunnel that was opened with one user's
credentials never serves another user's request.
"""

import codecs
from base64 import b64encode
from collections.abc import Sequence
from enum import Enum
from typing import Any, Final, Protocol

from yarl import URL

from ..exceptions import InvalidUrlClientError, shown_bad
from .headers import (
    PROXY_AUTHORIZATION,
    LooseHeaders,
    check_name,
    check_value,
    to_multidict,
)
from .origin import ConnectionKey, Origin, SSLOption, unreadable
from .urls import url_of

HTTP_SCHEMES: Final = frozenset(("http", "https"))
# These get the host as a name; the other two get an address, which is resolved here.
REMOTE_DNS_SCHEMES: Final = frozenset(("socks4a", "socks5h"))
_DEFAULT_PORTS: Final = {
    "http": 80,
    "https": 443,
    "socks4": 1080,
    "socks4a": 1080,
    "socks5": 1080,
    "socks5h": 1080,
}
# A proxy acts on these; wrong values would change where the request ends (RFC 9112, section 6).
_FRAMING_NAMES: Final = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "upgrade")
)


class Direct(Enum):
    """The type of ``DIRECT``."""

    DIRECT = "direct"

    def __repr__(self) -> str:
        return "DIRECT"


DIRECT: Final = Direct.DIRECT
"""As ``proxy=``: no proxy for this call, whatever the session or the environment configures."""


class ProxyLogin:
    """Login and password for a proxy.

    ``digest`` is whether they are sent only as digests (RFC 7616); otherwise as Basic in *encoding*, or to SOCKS in
    UTF-8. Which characters are allowed depends on the protocol of the proxy.
    """

    __slots__ = ("digest", "encoding", "login", "password")

    def __init__(
        self, login: str, password: str = "", encoding: str = "latin1", *, digest: bool = False
    ) -> None:
        for name, value in (("login", login), ("password", password)):
            if not isinstance(value, str):
                raise ValueError(
                    f"the {name} for a proxy must be a str, found {type(value).__name__}"
                )
        try:
            codecs.lookup(encoding)
        except (LookupError, TypeError):
            raise TypeError(
                "the credentials for a proxy are (login, password); the third entry is an encoding, "
                "and the one found is unknown"
            ) from None
        self.login: str = login
        self.password: str = password
        self.encoding: str = encoding
        self.digest: bool = digest

    def basic(self) -> str:
        """Return the value of ``Proxy-Authorization`` for Basic."""
        pair = f"{self.login}:{self.password}".encode(self.encoding)
        return f"Basic {b64encode(pair).decode('ascii')}"

    def _identity(self) -> tuple[object, ...]:
        # The bytes on the wire: one text in two encodings may be the same bytes.
        login, password = (
            text.encode(self.encoding, "backslashreplace") for text in (self.login, self.password)
        )
        return login, password, self.digest

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProxyLogin):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.login!r}, password='***'>"


class ProxyDigestAuth(ProxyLogin):
    """Login and password for a proxy, sent only as a digest (RFC 7616).

    The first request to the proxy gets its challenge and is then sent again; from then on each request carries an
    answer. A proxy that asks for Basic instead gets no credentials.

    Args:
        login: in UTF-8 on the wire.
        password: never on the wire.
    """

    __slots__ = ()

    def __init__(self, login: str, password: str) -> None:
        super().__init__(login, password, "utf-8", digest=True)

    def __repr__(self) -> str:
        return f"ProxyDigestAuth(login={self.login!r}, password='***')"


ProxyAuthLike = ProxyLogin | Sequence[str]  # BasicAuth and aiohttp.BasicAuth are tuples
ProxyLike = "str | URL | Proxy"


class Proxy:
    """A proxy, and the credentials and fields that it gets.

    Args:
        url: ``http``, ``https``, ``socks4``, ``socks4a``, ``socks5`` or ``socks5h``, host, optional port, login and
            password. The default port is 80, 443 or 1080.
        auth: (login, password), ``BasicAuth`` or ``ProxyDigestAuth``; not together with credentials in the URL.
        headers: sent to an HTTP proxy: with ``CONNECT``, or in the forwarded request.
        ssl: how an ``https`` proxy is verified, under its own name: True against the system's authorities, False not at
            all, an ``SSLContext`` or a ``Fingerprint``. It does not affect the server behind the proxy.

    Raises:
        InvalidUrlClientError: it is not a proxy's URL.
        ValueError: two of the arguments contradict each other, or cannot be sent.
    """

    __slots__ = ("_hash", "auth", "headers", "origin", "scheme", "ssl")

    def __init__(
        self,
        url: str | URL,
        *,
        auth: ProxyAuthLike | None = None,
        headers: LooseHeaders | None = None,
        ssl: SSLOption | None = True,
    ) -> None:
        parsed = _parsed(url)
        login = None
        if parsed.user is not None or parsed.password is not None:
            # As UTF-8 they are the bytes of the URL's percent-encoding.
            login = ProxyLogin(parsed.user or "", parsed.password or "", "utf-8")
            if auth is not None:
                raise ValueError(
                    f"the proxy {_spelled(parsed)} has credentials in its URL and in auth; leave out one of them"
                )
        elif auth is not None:
            login = coerce_proxy_auth(auth)
        self.scheme: str = parsed.scheme
        try:
            self.origin: Origin = Origin(
                parsed.scheme, parsed.raw_host or "", parsed.port or _DEFAULT_PORTS[parsed.scheme]
            )
        except ValueError as error:
            raise InvalidUrlClientError(_spelled(parsed), str(error)) from error
        self.auth = login
        self.headers: tuple[tuple[str, str], ...] = proxy_fields(headers)
        self.ssl: SSLOption = True if ssl is None else ssl
        self._check()

    @property
    def host(self) -> str:
        """The proxy's host."""
        return self.origin.host

    @property
    def port(self) -> int:
        """The proxy's port."""
        return self.origin.port

    @property
    def is_http(self) -> bool:
        """Whether it is an HTTP proxy, with TLS or without."""
        return self.scheme in HTTP_SCHEMES

    @property
    def is_told_who_asks(self) -> bool:
        """Whether it has credentials: a login, or a ``Proxy-Authorization`` among its fields."""
        return self.auth is not None or any(map(_is_authorization, self.headers))

    @property
    def is_socks4(self) -> bool:
        """Whether it speaks SOCKS4, which has neither passwords nor IPv6."""
        return self.scheme in ("socks4", "socks4a")

    @property
    def address(self) -> ConnectionKey:
        """Host, port and TLS of the proxy itself, for errors."""
        return ConnectionKey(self.host, self.port, self.scheme == "https", self.ssl)

    def fields(self) -> list[tuple[str, str]]:
        """Return the fields for the proxy, without a digest."""
        fields = list(self.headers)
        if self.auth is not None and not self.auth.digest:
            fields.append((PROXY_AUTHORIZATION, self.auth.basic()))
        return fields

    def changed(
        self,
        auth: ProxyAuthLike | None = None,
        headers: LooseHeaders | None = None,
        ssl: SSLOption | None = None,
    ) -> "Proxy":
        """Return the same proxy with the given values in place of its own: new credentials replace the old ones.

        Raises:
            ValueError: *auth* and a ``Proxy-Authorization`` in *headers* contradict each other.
        """
        proxy = object.__new__(Proxy)
        proxy.scheme = self.scheme
        proxy.origin = self.origin
        proxy.auth = self.auth if auth is None else coerce_proxy_auth(auth)
        proxy.headers = self.headers if headers is None else proxy_fields(headers)
        proxy.ssl = self.ssl if ssl is None else ssl
        if auth is not None and headers is None:
            proxy.headers = tuple(pair for pair in self.headers if not _is_authorization(pair))
        elif auth is None and any(map(_is_authorization, proxy.headers)):
            proxy.auth = None
        proxy._check()
        return proxy

    def authorized(self, value: str) -> "Proxy":
        """Return the same proxy with *value* as ``Proxy-Authorization`` in place of its own credentials."""
        kept = [pair for pair in self.headers if not _is_authorization(pair)]
        return self.changed(headers=[*kept, (PROXY_AUTHORIZATION, value)])

    def _check(self) -> None:
        login = self.auth
        if login is not None:
            if any(map(_is_authorization, self.headers)):
                raise ValueError(
                    f"the proxy {self} has credentials and a Proxy-Authorization field; leave out one of them"
                )
            if self.is_http:
                _check_http_login(login)
            else:
                _check_socks_login(self, login)
                # The encoding is that of Basic.
                self.auth = ProxyLogin(login.login, login.password, "utf-8")
        self._hash = hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return self.scheme, self.host, self.port, self.auth, self.headers, self.ssl

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Proxy):
            return NotImplemented
        return self is other or (
            self._hash == other._hash and self._identity() == other._identity()
        )

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"<Proxy {self}>"


class ProxyTable(Protocol):
    """Chooses the proxy for the requests to an origin."""

    def choose(self, origin: Origin) -> Proxy | None:
        """Return the proxy for *origin*; None to connect directly."""


def coerce_proxy_auth(auth: Any) -> ProxyLogin:
    """Return *auth*, a login and password in any accepted form, as a ``ProxyLogin``.

    Raises:
        TypeError: it is not (login, password), ``BasicAuth`` or ``ProxyDigestAuth``.
        ValueError: it cannot be sent.
    """
    if isinstance(auth, ProxyLogin):
        return auth
    if isinstance(auth, tuple) and 2 <= len(auth) <= 3:
        return ProxyLogin(*auth)
    raise TypeError(
        "proxy_auth must be a (login, password) tuple, BasicAuth or ProxyDigestAuth, "
        f"found {type(auth).__name__}"
    )


def _parsed(url: str | URL) -> URL:
    """Return *url*, which must name a proxy.

    Messages repeat only what follows its userinfo.
    """
    if isinstance(url, str):
        if "://" not in url:
            raise InvalidUrlClientError(
                shown_bad(url), "the URL of a proxy needs a scheme, as in http://proxy.example:3128"
            )
        try:
            parsed = url_of(url)
        except ValueError as error:
            raise InvalidUrlClientError(shown_bad(url), f"no URL of a proxy: {error}") from None
    elif isinstance(url, URL):
        parsed = url
        try:
            parsed.raw_host  # noqa: B018  (reading it is what checks)
        except ValueError:
            raise unreadable(parsed) from None
    else:
        raise TypeError(f"a proxy must be a str, a URL or a Proxy, found {type(url).__name__}")
    if parsed.scheme not in _DEFAULT_PORTS:
        raise InvalidUrlClientError(
            _spelled(parsed),
            f"the scheme {parsed.scheme!r} of a proxy is not supported; use {', '.join(_DEFAULT_PORTS)}",
        )
    if not parsed.raw_host:
        raise InvalidUrlClientError(_spelled(parsed), "the URL of a proxy has no host")
    if parsed.explicit_port == 0:
        raise InvalidUrlClientError(
            _spelled(parsed), "the URL of a proxy has port 0, which is not a valid port"
        )
    return parsed


def _spelled(url: URL) -> str:
    """Return scheme, host and port: the rest of a proxy's URL has no meaning, and may be a secret."""
    host = url.raw_host or ""
    port = "" if url.explicit_port is None else f":{url.explicit_port}"
    return f"{url.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def proxy_fields(headers: LooseHeaders | None) -> tuple[tuple[str, str], ...]:
    """Return headers in any accepted form as fields that may be sent to a proxy.

    Raises:
        TypeError, ValueError: a field may not be sent to a proxy.
    """
    pairs = tuple(
        (check_name(name), check_value(name, value))
        for name, value in to_multidict(headers).items()
    )
    for name, _ in pairs:
        if name.lower() in _FRAMING_NAMES:
            raise ValueError(f"the field {name} cannot be set for a proxy")
    return pairs


def _is_authorization(pair: tuple[str, str]) -> bool:
    return pair[0].lower() == "proxy-authorization"


def _check_http_login(login: ProxyLogin) -> None:
    """Raise ValueError if Basic (RFC 7617, section 2), or UTF-8 for a digest, cannot carry the credentials."""
    for name, value in (("login", login.login), ("password", login.password)):
        try:
            value.encode(login.encoding)
        except UnicodeEncodeError:
            # Not chained: the text of the error contains the value.
            raise ValueError(
                f"the {name} for a proxy contains a character that {login.encoding} cannot carry; "
                'give BasicAuth(..., encoding="utf-8")'
            ) from None
    if ":" in login.login and not login.digest:
        raise ValueError("the login for a proxy contains a ':' (RFC 7617, section 2)")


def _check_socks_login(proxy: Proxy, login: ProxyLogin) -> None:
    """Raise ValueError if SOCKS cannot carry the credentials: any bytes are allowed (RFC 1929, section 2)."""
    if login.digest:
        raise ValueError(f"the proxy {proxy} cannot be shown a digest; give (login, password)")
    try:
        user, password = login.login.encode(), login.password.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"login and password for the proxy {proxy} must be text that UTF-8 can carry"
        ) from None
    if proxy.is_socks4:
        if password:
            raise ValueError(
                f"the proxy {proxy} takes a login and no password: SOCKS4 has no passwords"
            )
        if b"\x00" in user:
            raise ValueError(f"the login for the proxy {proxy} contains a zero byte")
    elif not 1 <= len(user) <= 255 or not 1 <= len(password) <= 255:
        raise ValueError(
            f"login and password for the proxy {proxy} must have 1 to 255 bytes each (RFC 1929, section 2)"
        )
