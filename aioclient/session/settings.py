"""The settings of a session: its arguments, checked and in one form.

They are immutable. Setting a property of the session replaces them as a whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self, cast

import aiohttp
from yarl import URL

from ..body import MAKER
from ..chain import Middleware, Transport
from ..connectors.http2 import require_http2
from ..message.origin import Origin, origin_of
from ..message.request import Auth, HTTP2Option, RequestOptions, check_lenient
from ..message.timeout import ClientTimeout
from ..middlewares.auth import (
    AuthLike,
    NetrcLike,
    NetrcStep,
    coerce_auth,
    coerce_netrc,
    credentials_in,
)
from ..response.client_response import ClientResponse
from ..websocket import ClientWebSocketResponse
from .arguments import (
    HTTP2,
    HTTP10,
    HTTP11,
    SessionOptions,
    asked_version,
    check_callable,
    check_counts,
    check_policies,
    check_truths,
    folded,
)
from .defaults import auto_fields
from .proxies import SessionProxies
from .status import RaiseForStatus, check_raise_for_status
from .urls import checked_base_url

AUTH_AND_URL: Final = (
    "Cannot combine AUTH argument with credentials encoded in URL; leave out one of them"
)


DEFAULT_HTTP2: HTTP2Option = False
"""Whether sessions with a connector of their own speak HTTP/2, unless they say so."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SessionSettings:
    """The arguments of a session, and values derived from them.

    ``base_url`` has no user and password. ``auth`` is sent only to the origin of ``base_url``, if there is one.
    ``authenticate`` is the step that adds credentials. ``options`` are those of a call that follows redirects,
    ``no_redirects`` those of one that does not; ``auto_fields`` are sent unless another value is set.
    """

    base_url: URL | None
    auth: Auth | None
    authenticate: Middleware
    timeout: ClientTimeout
    options: RequestOptions
    json_serialize: Callable[[Any], str | bytes]
    json_serialize_bytes: Callable[[Any], bytes] | None
    raise_for_status: RaiseForStatus
    trust_env: bool
    middlewares: tuple[Middleware, ...]
    proxies: SessionProxies
    ws_response_class: type[ClientWebSocketResponse]
    base_origin: Origin | None = field(init=False)
    no_redirects: RequestOptions = field(init=False)
    auto_fields: Mapping[str, str] = field(init=False)
    serialize: Callable[[Any], str | bytes] = field(init=False)

    def __post_init__(self) -> None:
        check_callable("json_serialize", self.json_serialize)
        check_callable("json_serialize_bytes", self.json_serialize_bytes)
        check_raise_for_status(self.raise_for_status)
        following: dict[str, object] = {
            "base_origin": None if self.base_url is None else origin_of(self.base_url),
            "no_redirects": replace(self.options, allow_redirects=False),
            "auto_fields": auto_fields(self.options.skip_auto_headers),
            "serialize": (
                self.json_serialize
                if self.json_serialize_bytes is None
                else self.json_serialize_bytes
            ),
        }
        for name, value in following.items():
            object.__setattr__(self, name, value)  # frozen from here on

    def with_auth(self, auth: AuthLike | None) -> Self:
        """Return the settings with other default credentials.

        Raises:
            TypeError, ValueError: they cannot be sent.
        """
        return replace(self, auth=None if auth is None else coerce_auth(auth))

    def with_requote_redirect_url(self, value: bool) -> Self:
        """Return the settings with redirects encoded again, or left as they came."""
        return replace(self, options=replace(self.options, requote_redirect_url=value))


def base_and_auth(
    base_url: str | URL | None, auth: AuthLike | None
) -> tuple[URL | None, Auth | None]:
    """Return the base URL without user and password, and the session's credentials, which may come from it.

    Raises:
        ValueError: both have credentials; the base URL does not end with ``/``.
        InvalidUrlClientError: the base URL is invalid or not absolute.
    """
    base = None if base_url is None else checked_base_url(base_url)
    credentials = None if auth is None else coerce_auth(auth)
    in_url = None if base is None else credentials_in(base)
    if base is None or in_url is None:
        return base, credentials
    if auth is not None:
        raise ValueError(AUTH_AND_URL)
    return base.with_user(None), in_url


def netrc_step(netrc: NetrcLike | None, *, trust_env: bool) -> NetrcStep | None:
    """Return the step that reads a netrc file; None if none is used."""
    file = coerce_netrc(netrc, trust_env)
    return None if file is None else NetrcStep(file)


def checked_options(
    connector: Transport | aiohttp.BaseConnector | None,
    proxies: SessionProxies,
    response_class: type[ClientResponse],
    given: SessionOptions,
) -> RequestOptions:
    """Return the default options of a session's calls, those *given* among them.

    Raises:
        TypeError, ValueError: an argument is invalid.
    """
    options = cast(dict[str, Any], given.copy())
    check_callable("fallback_charset_resolver", options.get("fallback_charset_resolver"))
    check_counts(options)
    check_policies(options)
    check_truths(options)
    lenient, http2 = options.pop("lenient", None), options.pop("http2", None)
    if lenient is None:
        lenient = getattr(connector, "lenient", False)
    asked = asked_version(options.pop("version", HTTP11))
    if http2 is None:
        http2 = True if asked is HTTP2 else getattr(connector, "http2", DEFAULT_HTTP2)
    for name in ("skip_auto_headers", "sensitive_headers"):
        options[name] = folded(name, options.get(name))
    return RequestOptions(
        response_class=response_class,
        bodies=MAKER,
        http10=asked is HTTP10,
        http2=require_http2(http2),
        lenient=check_lenient(lenient),
        proxies=proxies.table,
        **options,
    )
