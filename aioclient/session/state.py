"""What a session tells about itself."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aiohttp import TraceConfig
from aiohttp.abc import AbstractCookieJar
from multidict import CIMultiDict
from yarl import URL

from ..connectors.base import BaseConnector
from ..message.headers import DefaultHeaders
from ..message.request import Auth, RequestOptions
from ..message.timeout import ClientTimeout
from ..middlewares.auth import AuthLike, coerce_auth
from ..warning import warn_legacy
from .private_names import PrivateNames
from .status import RaiseForStatus


class State(PrivateNames):
    """The properties of a session; all but ``auth`` and ``requote_redirect_url`` are to be read."""

    __slots__ = (
        "_auth",
        "_base_url",
        "_closed",
        "_connector",
        "_connector_owner",
        "_cookie_jar",
        "_defaults",
        "_json_serialize",
        "_loop",
        "_no_redirects",
        "_options",
        "_raise_for_status",
        "_timeout",
        "_trust_env",
    )

    _auth: Auth | None
    _base_url: URL | None
    _closed: bool
    _connector: BaseConnector | None
    _connector_owner: bool
    _cookie_jar: AbstractCookieJar
    _defaults: DefaultHeaders
    _json_serialize: Callable[[Any], str | bytes]
    _loop: asyncio.AbstractEventLoop
    _no_redirects: RequestOptions
    _options: RequestOptions
    _raise_for_status: RaiseForStatus
    _timeout: ClientTimeout
    _trust_env: bool
    _trace_configs: list[TraceConfig]

    @property
    def closed(self) -> bool:
        """Whether the session was closed."""
        return self._closed

    @property
    def connector(self) -> BaseConnector | None:
        """The pool of connections; None after ``detach()`` or ``close()``."""
        return self._connector

    @property
    def connector_owner(self) -> bool:
        """Whether closing the session closes the connector."""
        return self._connector_owner

    @property
    def base_url(self) -> URL | None:
        """What relative URLs are joined to, without user and password; None if there is none."""
        return self._base_url

    @property
    def cookie_jar(self) -> AbstractCookieJar:
        """The session's cookies."""
        return self._cookie_jar

    @property
    def headers(self) -> "CIMultiDict[str]":
        """The fields that every request carries; changes count from the next request on."""
        return self._defaults.fields

    @property
    def skip_auto_headers(self) -> frozenset[str]:
        """The names, in lower case, of default fields that are not sent."""
        return self._options.skip_auto_headers

    @property
    def auth(self) -> Auth | None:
        """The default credentials; what is set here, in any spelling, counts from the next request on."""
        return self._auth

    @auth.setter
    def auth(self, auth: AuthLike | None) -> None:
        self._auth = None if auth is None else coerce_auth(auth)

    @property
    def trust_env(self) -> bool:
        """Whether the environment may say which proxies and credentials to use."""
        return self._trust_env

    @property
    def timeout(self) -> ClientTimeout:
        """The default timeouts."""
        return self._timeout

    @property
    def json_serialize(self) -> Callable[[Any], str | bytes]:
        """What makes text or bytes of ``json=``."""
        return self._json_serialize

    @property
    def raise_for_status(self) -> RaiseForStatus:
        """Whether, or how, responses are checked."""
        return self._raise_for_status

    @property
    def trace_configs(self) -> list[TraceConfig]:
        """The trace configs whose callbacks follow each call."""
        return self._trace_configs

    @property
    def lenient(self) -> bool:
        """Whether responses are read leniently."""
        return self._options.lenient

    @property
    def auto_decompress(self) -> bool:
        """Whether content codings are undone."""
        return self._options.auto_decompress

    @property
    def requote_redirect_url(self) -> bool:
        """Whether the URL of a redirect is percent-encoded anew; setting it counts from the next request on."""
        return self._options.requote_redirect_url

    @requote_redirect_url.setter
    def requote_redirect_url(self, value: bool) -> None:
        warn_legacy("setting session.requote_redirect_url", "give it to ClientSession()")
        self._options = replace(self._options, requote_redirect_url=value)
        self._no_redirects = replace(self._no_redirects, requote_redirect_url=value)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the session belongs to (deprecated: it is the running one)."""
        warn_legacy("session.loop", "use asyncio.get_running_loop()")
        return self._loop
