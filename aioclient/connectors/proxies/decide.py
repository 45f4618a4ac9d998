"""Which proxy a request uses: a decision on values, for each hop, cached by origin.

The rules are asked in turn: those of the session, then those of the environment. The first with an entry for the origin
decides, by its most specific key:

1. ``https://a.test:8443``, ``all://a.test:8443``
2. ``https://a.test``, ``all://a.test``
3. ``https``, ``all``

For ``ws`` and ``wss`` these keys come first, then ``http`` and ``https``. A host in the ``no_proxy`` of rules is
reached directly, whatever other rules are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from yarl import URL

from ...message.headers import LooseHeaders
from ...message.origin import Origin, SSLOption
from ...message.proxy import DIRECT, Direct, Proxy, ProxyAuthLike, ProxyLogin, ProxyTable
from ...message.urls import url_of
from .bypass import Bypass, canonical_name

SCHEMES: Final = ("http", "https", "ws", "wss", "all")
_ALSO: Final = {"ws": "http", "wss": "https"}
_REMEMBERED: Final = 1024  # origins; with more of them some decisions are repeated

ProxyOrNone = str | URL | Proxy | Direct | None
LoginOf = Callable[[str], ProxyAuthLike | None]
"""Returns the login for a proxy on a canonical host."""


class ProxyOptions(NamedTuple):
    """Settings of proxies besides their URLs; None is not set."""

    auth: ProxyLogin | None = None
    headers: LooseHeaders | None = None
    ssl: SSLOption | None = None

    def complete(self, proxy: Proxy) -> Proxy:
        """Return *proxy* with these settings for those that it lacks."""
        return proxy.changed(
            self.auth if proxy.auth is None else None,
            None if proxy.headers else self.headers,
            self.ssl if proxy.ssl is True else None,
        )


class ProxyRules(NamedTuple):
    """Proxies by key, and the hosts that need none.

    A proxy that is a str was not parsed yet: an invalid one in the environment only affects requests that would use it.
    """

    table: Mapping[str, Proxy | str | None]
    bypass: Bypass
    settings: ProxyOptions = ProxyOptions()


class Proxies:
    """The rules of a session, in the order in which they are asked."""

    __slots__ = ("_chosen", "_sources")

    def __init__(self, sources: Sequence[ProxyRules]) -> None:
        self._sources = tuple(sources)
        self._chosen: dict[tuple[str, str, int], Proxy | None] = {}

    def choose(self, origin: Origin) -> Proxy | None:
        """Return the proxy for *origin*; None to go there directly.

        Raises:
            InvalidUrlClientError: the environment's URL of the proxy is invalid.
        """
        asked = origin.scheme, origin.host, origin.port
        try:
            return self._chosen[asked]
        except KeyError:
            pass
        proxy = decide(self._sources, *asked)
        if len(self._chosen) >= _REMEMBERED:
            self._chosen.clear()
        self._chosen[asked] = proxy
        return proxy

    def __repr__(self) -> str:
        return f"<Proxies {[sorted(source.table) for source in self._sources]}>"


class Always:
    """One proxy for every origin, or none."""

    __slots__ = ("_proxy",)

    def __init__(self, proxy: Proxy | None) -> None:
        self._proxy = proxy

    def choose(self, origin: Origin) -> Proxy | None:
        """Return the proxy."""
        return self._proxy


class OverridingTable:
    """The proxies of a session; the one for *origin* gets further settings from a call.

    The call's settings are for that proxy only: a redirect that uses another proxy does not apply them.
    """

    __slots__ = ("_changed", "_first", "_table")

    def __init__(self, table: ProxyTable, origin: Origin, settings: ProxyOptions) -> None:
        self._table = table
        self._first = first = table.choose(origin)
        self._changed = None if first is None else first.changed(*settings)

    def choose(self, origin: Origin) -> Proxy | None:
        """Return the proxy for *origin*."""
        proxy = self._table.choose(origin)
        return self._changed if proxy == self._first else proxy


class WithLogins:
    """A table that adds a login, by host, to HTTP proxies without one."""

    __slots__ = ("_login_of", "_table")

    def __init__(self, table: ProxyTable, login_of: LoginOf) -> None:
        self._table = table
        self._login_of = login_of

    def choose(self, origin: Origin) -> Proxy | None:
        """Return the proxy for *origin*."""
        proxy = self._table.choose(origin)
        if proxy is None or not proxy.is_http or proxy.is_told_who_asks:
            return proxy
        login = self._login_of(proxy.host)
        return proxy if login is None else proxy.changed(login)


def decide(sources: Iterable[ProxyRules], scheme: str, host: str, port: int) -> Proxy | None:
    """Return the proxy for an origin; None to go there directly."""
    for source in sources:
        if source.bypass.covers(host, port):
            return None
        for key in keys_for(scheme, host, port):
            if key not in source.table:
                continue
            proxy = source.table[key]
            if isinstance(proxy, str):
                proxy = source.settings.complete(Proxy(proxy))
            return proxy
    return None


def keys_for(scheme: str, host: str, port: int) -> list[str]:
    """Return the keys for a proxy of an origin, the most specific first."""
    schemes = [scheme, _ALSO[scheme], "all"] if scheme in _ALSO else [scheme, "all"]
    bare = host.partition("%")[0]
    places = (f"://{bare}:{port}", f"://{bare}", "")
    return [f"{name}{place}" for place in places for name in schemes]


def proxy_rules(proxies: Mapping[str, ProxyOrNone], settings: ProxyOptions) -> ProxyRules:
    """Return the rules of a ``proxies=`` mapping.

    Raises:
        ValueError: a key or a proxy is invalid.
        TypeError: *proxies* is not a mapping with str keys.
    """
    if not isinstance(proxies, Mapping):
        raise TypeError(
            'proxies must be a mapping such as {"https": "http://proxy.example:3128"}, '
            f"found {type(proxies).__name__}"
        )
    table: dict[str, Proxy | str | None] = {}
    bypass = Bypass()
    for key, value in proxies.items():
        if key == "no_proxy":
            bypass = Bypass(value if isinstance(value, str) else _joined(value))
            continue
        table[_checked_key(key)] = read_proxy(value, settings)
    return ProxyRules(table, bypass)


def read_proxy(value: ProxyOrNone, settings: ProxyOptions) -> Proxy | None:
    """Return a proxy given in any form, completed by *settings*; None for ``DIRECT``, None and ""."""
    if not value or value is DIRECT:
        return None
    proxy = value if isinstance(value, Proxy) else Proxy(value)
    return settings.complete(proxy)


def _joined(names: object) -> str:
    if names is None:
        return ""
    if not isinstance(names, Iterable) or isinstance(names, URL):
        raise TypeError(f"no_proxy must be a str or names, found {type(names).__name__}")
    return ",".join(map(str, names))


def _checked_key(key: object) -> str:
    """Return a key of ``proxies=`` in the form of ``keys_for()``."""
    if not isinstance(key, str):
        raise TypeError(f"a key of proxies must be a str, found {type(key).__name__}")
    scheme, separator, place = key.partition("://")
    scheme = scheme.lower()
    if scheme in SCHEMES:
        place = place.removesuffix("/")
        if not place:
            return scheme
        try:
            url = url_of(f"http://{place}")
        except ValueError:
            url = URL()
        host = canonical_name((url.raw_host or "").partition("%")[0])
        if separator and host is not None and url.raw_user is None and url.path == "/":
            port = "" if url.explicit_port is None else f":{url.explicit_port}"
            return f"{scheme}://{host}{port}"
    raise ValueError(
        f"proxies has a key {key[:100]!r}; a key is one of {', '.join(SCHEMES)} and no_proxy, or such as "
        "'https://a.example', 'all://a.example:8443'"
    )
