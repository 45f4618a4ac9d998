"""What a session tells about itself."""

from collections.abc import Callable
from typing import Any

from aiohttp import TraceConfig
from aiohttp.abc import AbstractCookieJar
from multidict import CIMultiDict

from ..connectors.base import BaseConnector
from ..message.headers import DefaultHeaders
from ..message.request import Auth, RequestOptions
from ..message.timeout import ClientTimeout
from .arguments import RaiseForStatus


class State:
    """The properties of a session, to be read."""

    __slots__ = ()

    _auth: Auth | None
    _closed: bool
    _connector: BaseConnector | None
    _cookie_jar: AbstractCookieJar
    _defaults: DefaultHeaders
    _json_serialize: Callable[[Any], str | bytes]
    _options: RequestOptions
    _raise_for_status: RaiseForStatus
    _timeout: ClientTimeout
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
    def cookie_jar(self) -> AbstractCookieJar:
        """The session's cookies."""
        return self._cookie_jar

    @property
    def headers(self) -> "CIMultiDict[str]":
        """The fields that every request carries; changes count from the next request on."""
        return self._defaults.fields

    @property
    def auth(self) -> Auth | None:
        """The default credentials."""
        return self._auth

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
    def auto_decompress(self) -> bool:
        """Whether content codings are undone."""
        return self._options.auto_decompress
