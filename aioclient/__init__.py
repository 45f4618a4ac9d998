"""HTTP client toolkit for asyncio: the aiohttp client API on an engine of its own.

A map of the library:

* ``request()``, ``get()``, ``post()`` …: one-shot calls                                        (``api``)
* ``ClientSession``: many calls with common defaults, a pool and a cookie jar                   (``session``)
* ``Session``, and ``get()`` … in ``aioclient.sync``: the same for code that blocks             (``sync``)
* ``get_session()``, ``use_session()`` …: the session of the current context                    (``context``)
* ``ClientResponse``, ``StreamReader``, ``ClientTimeout``, ``UploadTracker``: the values        (``message``)
* ``ClientWebSocketResponse``, ``WSMsgType``, ``WSMessage``: an open WebSocket                  (``websocket``)
* ``ReconnectingWebSocket``, ``ReconnectPolicy``: a WebSocket that reconnects when it ends      (``reconnecting``)
* ``TCPConnector``, ``UnixConnector``, ``PoolStatistics``, ``Fingerprint``: connection pools     (``connectors``)
* ``Proxy``, ``ProxyDigestAuth``, ``DIRECT``: proxies                                           (``message``)
* ``AddressPolicy``: where a connector may connect to                                           (``connectors``)
* ``CookieJar``, ``DummyCookieJar``: cookies by RFC 6265bis, kept in memory and in files        (``cookies``)
* ``Handler``, ``Middleware``, ``Transport``: the chain of a request, for steps of your own     (``chain``)
* ``BasicAuth``, ``BearerAuth``, ``DigestAuth``, ``OAuth2ClientCredentials`` …: credentials     (``middlewares``)
* ``HMACSigner``, ``HTTPMessageSigner``, ``SigV4Signer``: signatures over what goes out         (``middlewares``)
* ``RedirectPolicy``: what redirects may take along                                             (``middlewares``)
* ``resilience()``, ``Retry``, ``RateLimit``, ``CircuitBreaker`` …: for servers on bad days    (``middlewares``)
* ``TraceConfig``, ``Timings``: callbacks during a request, and how long its phases took        (``observe``)
* ``ClientError`` and its tree                                                                  (``exceptions``)
* ``LegacyParameterWarning``: the warning about old spellings                                   (``warning``)
* a raw byte server, a leak check, a virtual clock, for your tests                              (``testing``)

``FormData``, ``MultipartWriter``, the payloads, ``HttpVersion``, ``TraceConfig``, ``DigestAuthMiddleware`` and
``AsyncResolver`` are aiohttp's, and so are ``abc``, ``hdrs`` and ``payload``.
"""

from typing import TYPE_CHECKING

from aiohttp import (
    AsyncResolver,
    BodyPartReader,
    ClientWSTimeout,
    DigestAuthMiddleware,
    ETag,
    FormData,
    HttpVersion,
    HttpVersion10,
    HttpVersion11,
    MultipartReader,
    MultipartWriter,
    WSCloseCode,
    WSMessage,
    WSMsgType,
    abc,
    encode_basic_auth,
    hdrs,
    payload,
)
from aiohttp.payload import *  # noqa: F403
from aiohttp.payload import __all__ as _payloads
from aiohttp.tracing import *  # noqa: F403
from aiohttp.tracing import __all__ as _tracing

from . import aiohttp_names
from ._version import __version__
from .api import delete, get, head, options, patch, post, put, request
from .body import UploadTracker
from .chain import Handler, Middleware, Transport
from .connectors.address_policy import AddressPolicy
from .connectors.base import BaseConnector
from .connectors.dns import DefaultResolver, ThreadedResolver
from .connectors.pool import PoolStatistics
from .connectors.tcp import TCPConnector
from .connectors.tls import Fingerprint
from .connectors.unix import UnixConnector
from .context import (
    clear_session,
    close_all_sessions,
    close_session,
    get_session,
    set_session,
    use_session,
)
from .cookies import CookieJar, DummyCookieJar
from .doh import DoHResolver
from .exceptions import *  # noqa: F403
from .exceptions import __all__ as _exceptions
from .message.attempt import Attempt
from .message.cache_options import FOREVER
from .message.cache_status import CacheStatus
from .message.disposition import ContentDisposition
from .message.priority import Priority
from .message.proxy import DIRECT, Proxy, ProxyDigestAuth
from .message.request import Auth, Request, RequestInfo
from .message.retry_budget import RetryBudget, RetryBudgetStatistics
from .message.timeout import ClientTimeout
from .message.timings import Timings
from .middlewares.auth import (
    NO_AUTH,
    BasicAuth,
    BearerAuth,
    Credential,
    CredentialAuth,
    DigestAuth,
    Netrc,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2RefreshToken,
    OAuth2Token,
    TokenFile,
    TokenMemory,
    TokenStore,
)
from .middlewares.cache import (
    Cache,
    CacheRule,
    CacheStatistics,
    CacheStore,
    MemoryStore,
    SQLiteStore,
    StoreStatistics,
)
from .middlewares.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerStatistics,
    CircuitChange,
    CircuitState,
)
from .middlewares.coalescing import Coalesce, Coalesced, CoalesceStatistics
from .middlewares.concurrency_limit import (
    AdaptiveLimit,
    ConcurrencyChange,
    ConcurrencyLimit,
    ConcurrencyStatistics,
)
from .middlewares.hedging import Hedge, Hedged, HedgeStatistics
from .middlewares.rate_limit import (
    LimitMemory,
    LimitStore,
    RateLimit,
    RateLimitChange,
    RateLimitStatistics,
)
from .middlewares.redirects import Redirect, RedirectPolicy
from .middlewares.retry import Retried, Retry, RetryStatistics
from .middlewares.signing import HMACSigner, HTTPMessageSigner, Signer, SigV4Signer, UnsignedRequest
from .reconnecting import (
    ReconnectingWebSocket,
    ReconnectPolicy,
    ReconnectState,
    ReconnectStatistics,
)
from .redis_store import RedisStore
from .resilience import resilience
from .response.client_response import ClientResponse
from .response.lease import Connection
from .response.stream import StreamReader
from .session import ClientSession
from .sync import Session
from .warning import (
    HTTP2Warning,
    InvalidJSONWarning,
    LegacyParameterWarning,
    NetrcWarning,
    PatchedAiohttpWarning,
    SharedCookiesWarning,
    UnprotectedServerWarning,
)
from .websocket import ClientWebSocketResponse

# aiohttp's names for classes that have other names here, for annotations in code that was written for it.
ClientHandlerType = Handler
ClientMiddlewareType = Middleware
ClientRequest = Request

__all__ = (
    "AdaptiveLimit",
    "AddressPolicy",
    "AsyncResolver",
    "Attempt",
    "Auth",
    "BaseConnector",
    "BasicAuth",
    "BearerAuth",
    "BodyPartReader",
    "Cache",
    "CacheRule",
    "CacheStatistics",
    "CacheStatus",
    "CacheStore",
    "CircuitBreaker",
    "CircuitBreakerStatistics",
    "CircuitChange",
    "CircuitState",
    "ClientHandlerType",
    "ClientMiddlewareType",
    "ClientRequest",
    "ClientResponse",
    "ClientSession",
    "ClientTimeout",
    "ClientWSTimeout",
    "ClientWebSocketResponse",
    "Coalesce",
    "CoalesceStatistics",
    "Coalesced",
    "ConcurrencyChange",
    "ConcurrencyLimit",
    "ConcurrencyStatistics",
    "Connection",
    "ContentDisposition",
    "CookieJar",
    "DIRECT",
    "Credential",
    "CredentialAuth",
    "DefaultResolver",
    "DigestAuth",
    "DigestAuthMiddleware",
    "DoHResolver",
    "DummyCookieJar",
    "ETag",
    "FOREVER",
    "Fingerprint",
    "FormData",
    "HMACSigner",
    "HTTP2Warning",
    "HTTPMessageSigner",
    "Handler",
    "Hedge",
    "HedgeStatistics",
    "Hedged",
    "HttpVersion",
    "HttpVersion10",
    "HttpVersion11",
    "InvalidJSONWarning",
    "LegacyParameterWarning",
    "Middleware",
    "LimitMemory",
    "LimitStore",
    "MemoryStore",
    "MultipartReader",
    "MultipartWriter",
    "NO_AUTH",
    "Netrc",
    "NetrcWarning",
    "OAuth2AuthorizationCode",
    "OAuth2ClientCredentials",
    "OAuth2RefreshToken",
    "OAuth2Token",
    "PatchedAiohttpWarning",
    "PoolStatistics",
    "Priority",
    "Proxy",
    "ProxyDigestAuth",
    "RateLimit",
    "RateLimitChange",
    "RateLimitStatistics",
    "ReconnectPolicy",
    "ReconnectState",
    "ReconnectStatistics",
    "ReconnectingWebSocket",
    "RedisStore",
    "Redirect",
    "RedirectPolicy",
    "Request",
    "RequestInfo",
    "Retried",
    "Retry",
    "RetryBudget",
    "RetryBudgetStatistics",
    "RetryStatistics",
    "SQLiteStore",
    "Session",
    "SharedCookiesWarning",
    "StoreStatistics",
    "SigV4Signer",
    "Signer",
    "StreamReader",
    "TCPConnector",
    "ThreadedResolver",
    "Timings",
    "TokenFile",
    "TokenMemory",
    "TokenStore",
    "Transport",
    "UnixConnector",
    "UnprotectedServerWarning",
    "UnsignedRequest",
    "UploadTracker",
    "WSCloseCode",
    "WSMessage",
    "WSMsgType",
    "__version__",
    "abc",
    "clear_session",
    "close_all_sessions",
    "close_session",
    "delete",
    "encode_basic_auth",
    "get",
    "get_session",
    "hdrs",
    "head",
    "options",
    "patch",
    "payload",
    "post",
    "put",
    "request",
    "resilience",
    "set_session",
    "use_session",
    *_exceptions,
    *_payloads,
    *_tracing,
)


if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> object:
        # More names that code with ``import aioclient as aiohttp`` uses.
        return aiohttp_names.alias_of(name)
