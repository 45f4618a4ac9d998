"""The properties of a session."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import HttpVersion, HttpVersion10, HttpVersion11, TraceConfig
from aiohttp.abc import AbstractCookieJar
from multidict import CIMultiDict
from yarl import URL

from ..connectors.base import BaseConnector
from ..message.headers import DefaultHeaders
from ..message.request import Auth, HTTP2Option
from ..message.timeout import ClientTimeout
from ..middlewares.auth import AuthLike
from ..warning import warn_legacy
from .building import RequestBuilder
from .lifecycle import Lifecycle
from .settings import SessionSettings
from .status import RaiseForStatus


class SessionProperties:
    """The properties of a session, read-only except ``auth`` and ``requote_redirect_url``."""

    __slots__ = (
        "_builder",
        "_cookie_jar",
        "_defaults",
        "_lifecycle",
        "_settings",
        "_trace_configs",
    )

    _builder: RequestBuilder
    _cookie_jar: AbstractCookieJar
    _defaults: DefaultHeaders
    _lifecycle: Lifecycle
    _settings: SessionSettings
    _trace_configs: list[TraceConfig]

    def _replace_settings(self, settings: SessionSettings) -> None:
        """Use other settings from the next request on."""
        self._settings = self._builder.settings = settings

    @property
    def closed(self) -> bool:
        """Whether the session was closed, or its connector."""
        return self._lifecycle.ended

    @property
    def connector(self) -> BaseConnector | Any:
        """The pool of connections, or the given transport; None after ``detach()`` or ``close()``."""
        # Any: a user's transport, or None when the session was closed. None is not in the type, like in
        # re.Match.group(): every use of an open session's connector would need a check.
        return self._lifecycle.connector

    @property
    def connector_owner(self) -> bool:
        """Whether closing the session closes the connector."""
        return self._lifecycle.owner

    @property
    def base_url(self) -> URL | None:
        """The URL that relative URLs are joined to, without user and password; None if there is none."""
        return self._settings.base_url

    @property
    def cookie_jar(self) -> AbstractCookieJar:
        """The session's cookies."""
        return self._cookie_jar

    @property
    def headers(self) -> "CIMultiDict[str]":
        """The user's fields for every request; changes apply from the next request on.

        Default fields, such as ``User-Agent``, are not included: a field set here replaces the default one.
        """
        return self._defaults.given

    @property
    def skip_auto_headers(self) -> frozenset[str]:
        """The names, in lower case, of default fields that are not sent."""
        return self._settings.options.skip_auto_headers

    @property
    def auth(self) -> Auth | None:
        """The default credentials; set them, in any accepted form, for the next request on."""
        return self._settings.auth

    @auth.setter
    def auth(self, auth: AuthLike | None) -> None:
        self._replace_settings(self._settings.with_auth(auth))

    @property
    def version(self) -> HttpVersion:
        """The HTTP version that is asked for."""
        return HttpVersion10 if self._settings.options.http10 else HttpVersion11

    @property
    def trust_env(self) -> bool:
        """Whether proxies and credentials of the environment are used."""
        return self._settings.trust_env

    @property
    def timeout(self) -> ClientTimeout:
        """The default timeouts."""
        return self._settings.timeout

    @property
    def json_serialize(self) -> Callable[[Any], str | bytes]:
        """The function that makes text or bytes of ``json=``."""
        return self._settings.json_serialize

    @property
    def raise_for_status(self) -> RaiseForStatus:
        """Whether, or how, responses are checked."""
        return self._settings.raise_for_status

    @property
    def trace_configs(self) -> list[TraceConfig]:
        """The trace configs whose callbacks observe each call."""
        return self._trace_configs

    @property
    def lenient(self) -> bool:
        """Whether responses are read leniently."""
        return self._settings.options.lenient

    @property
    def http2(self) -> HTTP2Option:
        """Whether HTTP/2 is asked for."""
        return self._settings.options.http2

    @property
    def auto_decompress(self) -> bool:
        """Whether content codings are decoded."""
        return self._settings.options.auto_decompress

    @property
    def requote_redirect_url(self) -> bool:
        """Whether the URL of a redirect is percent-encoded again; setting it applies from the next request on."""
        return self._settings.options.requote_redirect_url

    @requote_redirect_url.setter
    def requote_redirect_url(self, value: bool) -> None:
        warn_legacy("setting session.requote_redirect_url", "give it to ClientSession()")
        self._replace_settings(self._settings.with_requote_redirect_url(value))

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the session belongs to (deprecated: it is the running one)."""
        warn_legacy("session.loop", "use asyncio.get_running_loop()")
        return self._lifecycle.loop
