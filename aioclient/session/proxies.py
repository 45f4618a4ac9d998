"""The proxies of a session and of its calls: parsed once; without proxies there is no table at all."""

import os
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from ..chain import Transport
from ..connectors.aiohttp_connector import takes_proxies
from ..connectors.proxies.decide import (
    Always,
    LoginOf,
    OverridingTable,
    Proxies,
    ProxyOptions,
    ProxyOrNone,
    ProxyRules,
    WithLogins,
    proxy_rules,
)
from ..connectors.proxies.environment import rules_of_environment
from ..connectors.proxies.socks import require_socks
from ..connectors.tls import coerce_ssl
from ..message.headers import LooseHeaders
from ..message.origin import Origin, SSLOption
from ..message.proxy import (
    DIRECT,
    Proxy,
    ProxyAuthLike,
    ProxyTable,
    coerce_proxy_auth,
    proxy_fields,
)

BOTH: Final = 'proxy= and proxies= are both given; write proxy= as proxies={"all": ...}'


class SessionProxies:
    """The proxy settings of a session.

    ``table`` chooses the proxy for an origin; None when no proxy is configured.
    """

    __slots__ = (
        "_given",
        "_has_own",
        "_login_of",
        "_of_environment",
        "_settings",
        "_takes_proxies",
        "table",
    )

    def __init__(
        self,
        connector: Transport | aiohttp.BaseConnector | None,
        proxy: ProxyOrNone,
        auth: ProxyAuthLike | None,
        headers: LooseHeaders | None,
        ssl: SSLOption | None,
        proxies: Mapping[str, ProxyOrNone] | None,
        environment: bool,
        login_of: LoginOf | None,
    ) -> None:
        proxy = proxy or None  # from an empty environment variable
        if proxy is not None and proxies is not None:
            raise ValueError(BOTH)
        self._takes_proxies = _takes_proxies(connector)
        self._settings = settings = _settings(auth, headers, ssl)
        self._has_own = proxy is not None or proxies is not None
        self._login_of = login_of
        self._given: ProxyTable | None = None
        self._of_environment: tuple[ProxyRules, ...] = ()
        self.table: ProxyTable | None = None
        if self._has_own:
            self._check_connector()
        if proxy is not None:
            self._take(Always(_one(proxy, settings)))
            return
        sources = [] if proxies is None else [self._rules(proxies, settings)]
        if environment and self._takes_proxies:
            named = rules_of_environment(os.environ, None if self._has_own else settings)
            if named is not None:
                self._of_environment = (named,)
                sources.append(named)
        if sources:
            self._take(Proxies(sources))

    def _rules(self, proxies: Mapping[str, ProxyOrNone], settings: ProxyOptions) -> ProxyRules:
        """Return what a ``proxies=`` mapping says, if the connector and what is installed allow it."""
        self._check_connector()
        rules = proxy_rules(proxies, settings)
        for value in rules.table.values():
            _check_installed(value)
        return rules

    def _take(self, table: ProxyTable) -> None:
        self._given = table
        self.table = self._with_logins(table)

    def _with_logins(self, table: ProxyTable) -> ProxyTable:
        return table if self._login_of is None else WithLogins(table, self._login_of)

    def for_call(self, arguments: Mapping[str, Any], origin: Origin) -> ProxyTable | None:
        """Return the table for a call to *origin* with *arguments*, of which ``OF_PROXIES`` are used.

        Raises:
            ValueError, TypeError: an argument is invalid.
            MissingExtraError: a SOCKS proxy needs a package that is missing.
        """
        settings = _settings(
            arguments.get("proxy_auth"), arguments.get("proxy_headers"), arguments.get("proxy_ssl")
        )
        proxy: ProxyOrNone = arguments.get("proxy") or None
        if arguments.get("proxies") is not None:
            if proxy is not None:
                raise ValueError(BOTH)
            rules = self._rules(arguments["proxies"], settings)
            return self._with_logins(Proxies([rules, *self._of_environment]))
        if proxy is None:
            if self._given is None or settings == ProxyOptions():
                return self.table
            return self._with_logins(OverridingTable(self._given, origin, settings))
        chosen = _one(proxy, settings)
        if chosen is None:
            return None
        self._check_connector()
        return self._with_logins(
            Always(chosen if self._has_own else self._settings.complete(chosen))
        )

    def _check_connector(self) -> None:
        if not self._takes_proxies:
            raise ValueError(
                "the session's connector supports no proxy: it reaches one place only, is a transport of its own, "
                "or is one of aiohttp's that overrides how aiohttp uses proxies"
            )


def _takes_proxies(connector: Transport | aiohttp.BaseConnector | None) -> bool:
    if isinstance(connector, aiohttp.BaseConnector):
        return takes_proxies(connector)
    return connector is None or bool(getattr(connector, "takes_proxies", False))


def _settings(
    auth: ProxyAuthLike | None, headers: LooseHeaders | None, ssl: SSLOption | None
) -> ProxyOptions:
    return ProxyOptions(
        None if auth is None else coerce_proxy_auth(auth),
        None if headers is None else proxy_fields(headers),
        None if ssl is None else coerce_ssl(ssl),
    )


def _one(proxy: ProxyOrNone, settings: ProxyOptions) -> Proxy | None:
    """Return the one proxy, given in any form, with *settings*, which are for it alone."""
    if proxy is None or proxy is DIRECT:
        return None
    if isinstance(proxy, Proxy):
        proxy = proxy.changed(*settings)
    else:
        proxy = Proxy(proxy, auth=settings.auth, headers=settings.headers, ssl=settings.ssl)
    _check_installed(proxy)
    return proxy


def _check_installed(proxy: Proxy | str | None) -> None:
    if isinstance(proxy, Proxy) and not proxy.is_http:
        require_socks()
