"""The arguments of a session and its calls: their types, and their conversion to one form."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from ssl import SSLContext
from typing import Any, Final, Literal, TypedDict, cast

import aiohttp
from aiohttp import HttpVersion
from aiohttp.abc import AbstractCookieJar
from aiohttp.typedefs import LooseCookies
from yarl import Query

from ..body import Progress, UploadTracker
from ..chain import TRANSPORT_PARTS, Middleware, is_tidy, name_of
from ..connectors.base import BaseConnector
from ..connectors.http2 import require_http2
from ..connectors.proxies.decide import ProxyOrNone
from ..connectors.tls import merge_ssl
from ..message.body import Data
from ..message.cache_options import CacheMode, cache_options
from ..message.headers import LooseHeaders, check_name, shown_text
from ..message.origin import SSLOption
from ..message.priority import Priority
from ..message.proxy import ProxyAuthLike
from ..message.request import HTTP2Option, RequestOptions, check_lenient
from ..message.timeout import ClientTimeout, seconds
from ..message.unknown_arguments import unknown_arguments
from ..middlewares.auth.basic import AuthLike
from ..middlewares.redirects import RedirectPolicy
from ..middlewares.signing import Signer, check_signer
from ..response.client_response import ClientResponse
from ..warning import CreationSite
from ..websocket import ClientWebSocketResponse
from .status import RaiseForStatus
from .steps import EXAMPLES, STEPS, StepArguments
from .urls import host_name

TimeoutLike = (
    float | tuple[float | None, float | None] | ClientTimeout | aiohttp.ClientTimeout | None
)

OF_THE_BODY: Final = frozenset(("compress", "progress", "upload_tracker"))  # handled by ``uploads``
# Handled by ``proxies``.
OF_PROXIES: Final = frozenset(("proxies", "proxy", "proxy_auth", "proxy_headers", "proxy_ssl"))


# None for one of these is the same as leaving it out.
_AS_THE_SESSION: Final = frozenset(
    (
        "auto_decompress",
        "http2",
        "lenient",
        "max_redirects",
        "read_bufsize",
        "max_line_size",
        "max_field_size",
        "max_headers",
        "redirect_policy",
    )
)
_TRUTHS: Final = frozenset(
    (
        "allow_redirects",
        "auto_decompress",
        "connector_owner",
        "env_proxies",
        "expect100",
        "read_until_eof",
        "requote_redirect_url",
        "trust_env",
    )
)
_COUNTS: Final = (
    "max_redirects",
    "read_bufsize",
    "max_line_size",
    "max_field_size",
    "max_headers",
    "max_body_size",
)


# Arguments of a connector, and how they are written there.
_OF_A_CONNECTOR: Final = {
    "cert": "ssl=...",
    "verify": "ssl=...",
    **{
        name: f"{name}=..."
        for name in (
            "family",
            "fingerprint",
            "force_close",
            "keepalive_timeout",
            "limit",
            "limit_per_host",
            "local_addr",
            "resolver",
            "ssl",
            "ssl_context",
            "use_dns_cache",
            "verify_ssl",
        )
    },
}
_OF_CACHES: Final = frozenset(("cache_mode", "cache_ttl", "cacheable"))
_SSL_ARGUMENTS: Final = frozenset(("ssl", "verify_ssl", "ssl_context", "fingerprint"))


class CommonArguments(TypedDict, total=False):
    """The common arguments of a call, the most common ones first: editors show them in this order."""

    params: Query
    """appended to the URL's query: mapping, pairs, or a string that is encoded already."""
    data: Data
    """body: bytes, str, form fields (mapping or pairs), file object, (async) iterable of bytes, ``FormData``,
    ``MultipartWriter`` or another aiohttp payload."""
    json: object
    """body: any value that ``json_serialize`` takes; not together with *data*."""
    headers: LooseHeaders | None
    """laid over the session's: mapping or pairs; None as a value removes a field."""
    cookies: LooseCookies | None
    """sent with this request (not to another origin), not stored; a ``Morsel`` only where its attributes let it go: a
    Secure one by TLS alone."""
    auth: AuthLike | None
    """credentials: ``BasicAuth``, ``BearerAuth`` …, (login, password), or a function that takes the request, instead of
    the session's; ``NO_AUTH`` for none."""
    timeout: TimeoutLike
    """seconds in total, (connect, read), None for no limit, or a ``ClientTimeout``; instead of the session's."""
    allow_redirects: bool
    """whether redirects are followed."""
    raise_for_status: RaiseForStatus | None
    """whether a status of 400 or more raises ``StatusError``, or a coroutine function that checks the response; instead
    of the session's."""
    middlewares: Sequence[Middleware] | None
    """``async (request, handler) -> response`` steps, the first one outermost, instead of the session's."""


class OptionArguments(TypedDict, total=False):
    """The less common arguments of a call; each overrides an option of the session."""

    max_redirects: int | None
    """how many redirects are followed; None as the session says."""
    on_too_many: Literal["raise", "return"]
    """"raise" ``TooManyRedirects`` after that many, or "return" the redirect that would be next."""
    redirect_policy: RedirectPolicy | None
    """a ``RedirectPolicy``: what redirects may take along to another origin; None as the session says."""
    signer: Signer | None
    """signs each attempt last: ``HMACSigner``, ``HTTPMessageSigner``, ``SigV4Signer``, or a function that takes an
    ``UnsignedRequest``, instead of the session's; None for none."""
    ssl: SSLOption
    """True verifies certificates, False does not; an ``SSLContext``, a ``Fingerprint`` or ``"system"``."""
    server_hostname: str | None
    """the name to verify, and to send as SNI, instead of the URL's host."""
    proxy: ProxyOrNone
    """a URL or ``Proxy`` to go by, all redirects included; ``DIRECT`` for none; None as the session says."""
    proxies: Mapping[str, ProxyOrNone] | None
    """proxies by scheme and host, as the session takes them, instead of the session's own."""
    proxy_auth: ProxyAuthLike | None
    """(login, password), ``BasicAuth`` or ``ProxyDigestAuth`` for *proxy*; without it, for the one that the session
    chooses for this URL, in place of what the session says. A redirect to where another proxy serves leaves it
    behind."""
    proxy_headers: LooseHeaders | None
    """fields that the proxy gets, and no server; for *proxy* or the chosen one, as *proxy_auth*."""
    proxy_ssl: SSLOption | None
    """as *ssl*, for TLS with an ``https`` proxy; for *proxy* or the chosen one, as *proxy_auth*."""
    compress: bool | str | None
    """send the body in a content coding: "gzip", "br", "zstd", "deflate", or True for the last one."""
    chunked: bool | None
    """True sends the body in chunks though its length is known."""
    progress: Progress | None
    """called with (bytes sent, bytes in all or None) while the body is sent; a function or coroutine function."""
    upload_tracker: UploadTracker | None
    """an ``UploadTracker`` to look at meanwhile."""
    expect100: bool
    """wait for ``100 Continue`` before the body is sent."""
    expect100_timeout: float | None
    """after so many seconds without an answer the body is sent all the same; None for no limit."""
    version: HttpVersion | str
    """"2" (as *http2*), "1.1" or "1.0"."""
    http2: HTTP2Option | None
    """True speaks HTTP/2 with servers that offer it over TLS, ``"prior-knowledge"`` without TLS too; None as the
    session says."""
    skip_auto_headers: Iterable[str]
    """names of default fields that are not sent, beside the session's."""
    auto_decompress: bool | None
    """whether the content coding of the response is undone; None as the session says."""
    max_body_size: int | None
    """bytes of a decoded response body, after which ``BodyTooLargeError`` is raised; None for no limit."""
    read_bufsize: int | None
    """bytes of a body kept ahead of the reader; None as the session says."""
    read_until_eof: bool
    """whether a response without length ends with the connection; False: it has no body."""
    cache_mode: CacheMode | None
    """what a ``Cache`` of the session does: "default", "no-store" (nothing), "reload" (the server is asked, and the
    response stored), "no-cache" (the server is asked whether what is stored is still good), "force-cache" (whatever is
    stored answers, stale too), "only-if-cached" (so, or 504)."""
    cache_ttl: float | None
    """seconds for which a ``Cache`` takes the response for fresh, ``FOREVER`` for ever; None for what it says
    itself."""
    cacheable: bool | None
    """False keeps a ``Cache`` out; True lets it answer a request of any method, by its body."""
    lenient: bool | None
    """whether a response is read that breaks the rules of HTTP as some old devices do; None as the session says."""
    max_line_size: int | None
    """a limit on the response's head: bytes, bytes, number of fields; None as the session says."""
    max_field_size: int | None
    """a limit on the response's head: bytes, bytes, number of fields; None as the session says."""
    max_headers: int | None
    """a limit on the response's head: bytes, bytes, number of fields; None as the session says."""
    verify_ssl: bool | None
    """an older spelling of *ssl*."""
    ssl_context: SSLContext | None
    """an older spelling of *ssl*."""
    fingerprint: bytes | str | None
    """an older spelling of *ssl*."""


class CurrentArguments(CommonArguments, OptionArguments, StepArguments, total=False):
    """The arguments of a call without old spellings."""

    priority: Priority | None
    """a ``Priority``: how urgent the response is (RFC 9218)."""
    trace_request_ctx: object
    """any object; the callbacks of a trace config find it in their context."""


class RequestArguments(CurrentArguments, total=False):
    """The arguments of ``ClientSession.request()`` and of every verb; those named here are old spellings."""

    encoding: str | None
    """the charset of text and forms in *data* (deprecated: encode them yourself)."""


class CallArguments(CurrentArguments, total=False):
    """The arguments of a call as they are sent.

    ``creation_site`` is where the call was made, in debug mode; ``websocket``: it opens one.
    """

    creation_site: CreationSite
    websocket: bool


# The common arguments besides the URL; one test tells whether a call has others.
PLAIN: Final = frozenset(("auth", "cookies", "data", "headers", "json", "params", "timeout"))
APART_FROM_OPTIONS: Final = frozenset(
    CallArguments.__annotations__.keys() - OptionArguments.__annotations__.keys()
)
_NOT_OPTIONS: Final = APART_FROM_OPTIONS | OF_THE_BODY | OF_PROXIES


class SessionOptions(TypedDict, total=False):
    """Arguments of ``ClientSession()`` that few sessions need: how requests are sent, and responses read."""

    version: HttpVersion | str
    """"1.1", "2" (as *http2*) or "1.0", or an ``HttpVersion``."""
    http2: HTTP2Option | None
    """True speaks HTTP/2 with servers that offer it over TLS, and HTTP/1.1 with all others; ``"prior-knowledge"``
    speaks it with ``http://`` URLs, too, whose servers must know it (RFC 9113, section 3.3); None for what the
    connector says, which is False by default."""
    max_redirects: int
    """after which ``TooManyRedirects`` is raised, 10 by default; 0 follows none."""
    redirect_policy: RedirectPolicy | None
    """a ``RedirectPolicy``: what redirects may take along to another origin; by default nothing."""
    signer: Signer | None
    """signs each attempt last: ``HMACSigner``, ``HTTPMessageSigner``, ``SigV4Signer``, or a function that takes an
    ``UnsignedRequest``; with *base_url* for its origin only."""
    requote_redirect_url: bool
    """whether what no URL may hold is encoded in a ``Location``, as it is by default; False sends it as it came."""
    skip_auto_headers: Iterable[str] | None
    """names of default fields that are not sent."""
    sensitive_headers: Iterable[str] | None
    """names of further header fields that carry secrets, beside the usual ones (Authorization, Cookie, X-Api-Key …):
    they follow no redirect to another origin."""
    auto_decompress: bool
    """whether content codings of responses are undone, as they are by default."""
    fallback_charset_resolver: Callable[[ClientResponse, bytes], str] | None
    """``(response, body) -> charset``, asked for the text of a body whose charset no header names."""
    max_body_size: int | None
    """bytes of a decoded response body, after which ``BodyTooLargeError`` is raised; None for any, as by default."""
    read_bufsize: int
    """bytes of a body kept ahead of the reader, 256 KiB by default."""
    max_line_size: int
    """a limit on a response's head: bytes of its first line, 8190 by default."""
    max_field_size: int
    """a limit on a response's head: bytes of a field, 8190 by default."""
    max_headers: int
    """a limit on a response's head: the number of fields, 128 by default."""
    lenient: bool | None
    """whether responses are read that break the rules of HTTP in ways that some old devices do, as the page "Lenient
    reading" lists them; None for what the connector says, which is False by default."""


def check_parts(
    connector: object, cookie_jar: object, response_class: object, ws_response_class: object
) -> None:
    """Refuse an object that is not a connector, cookie jar or class of responses."""
    if connector is not None and not isinstance(connector, (BaseConnector, aiohttp.BaseConnector)):
        check_transport("connector", connector)
    if cookie_jar is not None and not isinstance(cookie_jar, AbstractCookieJar):
        raise TypeError(
            f"cookie_jar must be an aiohttp.abc.AbstractCookieJar, found {type(cookie_jar).__name__}"
        )
    if response_class is not None and not (
        isinstance(response_class, type) and issubclass(response_class, ClientResponse)
    ):
        raise TypeError(
            f"response_class must be a subclass of aioclient.ClientResponse, which knows this library's "
            f"connections; found {response_class!r}"
        )
    if ws_response_class is not None and not (
        isinstance(ws_response_class, type)
        and issubclass(ws_response_class, ClientWebSocketResponse)
    ):
        raise TypeError(
            f"ws_response_class must be a subclass of aioclient.ClientWebSocketResponse, found {ws_response_class!r}"
        )


def check_transport(argument: str, transport: object) -> None:
    """Refuse an object that is not an ``aioclient.Transport``."""
    if isinstance(transport, type):
        raise TypeError(f"{argument} must be an object, found the class {name_of(transport)}")
    missing = [
        name if name == "closed" else f"{name}()"
        for name in TRANSPORT_PARTS
        if not hasattr(transport, name)
        or not (name == "closed" or callable(getattr(transport, name)))
    ]
    if missing:
        kind = type(transport)
        raise TypeError(
            f"{argument} must be one of aioclient's, such as aioclient.TCPConnector, or an aioclient.Transport; "
            f"found {kind.__module__}.{kind.__qualname__}, which lacks {', '.join(missing)}"
        )


def check_callable(argument: str, value: object) -> None:
    """Refuse a *value* that is not None and not callable."""
    if value is not None and not callable(value):
        raise TypeError(f"{argument} must be callable, found {type(value).__name__}")


def checked_middlewares(middlewares: object) -> tuple[Middleware, ...]:
    """Return *middlewares* as a tuple; refuse anything but an iterable of functions."""
    if isinstance(middlewares, Iterable) and not isinstance(middlewares, (str, bytes)):
        steps = tuple(middlewares)
        wrong = [step for step in steps if not callable(step)]
        # A class of this library can be called as well, with other arguments.
        classes = [step.__name__ for step in steps if isinstance(step, type) and is_tidy(step)]
        if not wrong and not classes:
            return steps
        found = (
            f"{type(wrong[0]).__name__} among them"
            if wrong
            else f"the class {classes[0]}; make one of it"
        )
    else:
        found = "one function" if callable(middlewares) else type(middlewares).__name__
    raise TypeError(
        f"middlewares must be a list of async (request, handler) -> response functions, found {found}"
    )


def unknown_of_session(names: Iterable[str], known: Iterable[str]) -> TypeError:
    """Return the error for arguments that ``ClientSession()`` does not have; some belong to its connector."""
    if steps := sorted(STEPS.intersection(names)):
        hint = f"a session takes them in a list, a call by this name: middlewares=[{EXAMPLES[steps[0]]}]"
        return unknown_arguments("ClientSession()", names, known, hint)
    meant = sorted({_OF_A_CONNECTOR[name] for name in names if name in _OF_A_CONNECTOR})
    hint = f"give it to the connector: connector=TCPConnector({', '.join(meant)})" if meant else ""
    return unknown_arguments("ClientSession()", names, known, hint)


def by_position(method: str, misplaced: Sequence[object]) -> TypeError:
    """Return the error for positional arguments of a call after its URL."""
    found = ", ".join(type(value).__name__ for value in misplaced)
    meant = "params={...}" if method in ("GET", "HEAD", "OPTIONS") else "json={...} or data={...}"
    return TypeError(
        f"after the URL of a {method} arguments are given by name, as {meant}; found by position: {found}"
    )


def folded(argument: str, names: Iterable[str] | None) -> frozenset[str]:
    """Return *names* in lower case; *argument* is for the message if they are a single str."""
    if isinstance(names, str):
        raise TypeError(f"{argument} must be an iterable of names, found the str {names!r}")
    if names is None:
        return frozenset()
    if not isinstance(cast(object, names), Iterable):
        raise TypeError(f"{argument} must be an iterable of names, found {type(names).__name__}")
    return frozenset(check_name(name).lower() for name in names)


def is_chunked(chunked: object) -> bool | None:
    """Return ``chunked`` as a bool, or None; a number, once the size of a chunk, counts as its truth value."""
    if chunked is None or isinstance(chunked, int):
        return None if chunked is None else bool(chunked)
    raise TypeError(f"chunked must be a bool or None, found {type(chunked).__name__} {chunked!r}")


def override_options(options: RequestOptions, arguments: CallArguments) -> RequestOptions:
    """Return *options*, those of a session, overridden by the *arguments* of a call.

    Raises:
        TypeError, ValueError: an argument does not exist, or is invalid.
    """
    if unknown := arguments.keys() - CallArguments.__annotations__.keys():
        raise unknown_arguments("a request", unknown, RequestArguments.__annotations__)
    changes: dict[str, Any] = {
        name: value
        for name, value in arguments.items()
        if name not in _NOT_OPTIONS and not (value is None and name in _AS_THE_SESSION)
    }
    check_counts(changes)
    check_truths(changes)
    if changes.get("on_too_many", "raise") not in ("raise", "return"):
        raise ValueError(
            f"on_too_many must be 'raise' or 'return', found {changes['on_too_many']!r}"
        )
    if "chunked" in changes:
        changes["chunked"] = is_chunked(changes["chunked"])
    if "lenient" in changes:
        check_lenient(changes["lenient"])
    check_policies(changes)
    if (limit := changes.get("expect100_timeout")) is not None:
        changes["expect100_timeout"] = seconds("expect100_timeout", limit)
    if "version" in changes:
        asked = asked_version(changes.pop("version"))
        changes["http10"] = asked is HTTP10
        changes.setdefault("http2", asked is HTTP2)
    if "http2" in changes:
        changes["http2"] = require_http2(changes["http2"])
    if "skip_auto_headers" in changes:
        skipped = folded("skip_auto_headers", changes["skip_auto_headers"])
        changes["skip_auto_headers"] = options.skip_auto_headers | skipped
    if not _OF_CACHES.isdisjoint(changes):
        asked_of_cache = [
            changes.pop(name, None) for name in ("cache_mode", "cache_ttl", "cacheable")
        ]
        changes["cache"] = cache_options(*asked_of_cache)
    take_ssl(changes)
    if (name := changes.get("server_hostname")) is not None:
        # In the form of a URL's host: one spelling for SNI and verification, and only valid names.
        changes["server_hostname"] = None if name == "" else host_name(name)
    return replace(options, **changes) if changes else options


def take_ssl(changes: dict[str, Any]) -> None:
    """Replace ``ssl`` and its older spellings in the arguments of a call by one setting."""
    if _SSL_ARGUMENTS.isdisjoint(changes):
        return
    given = {name: changes.pop(name) for name in _SSL_ARGUMENTS & changes.keys()}
    changes["ssl"] = merge_ssl(**given)


def check_policies(arguments: Mapping[str, object]) -> None:
    """Refuse a ``redirect_policy`` or ``signer`` that is not None and cannot be one."""
    check_signer(arguments.get("signer"))
    policy = arguments.get("redirect_policy")
    if policy is not None and not isinstance(policy, RedirectPolicy):
        raise TypeError(
            f"redirect_policy must be an aioclient.RedirectPolicy, found {type(policy).__name__} {shown_text(policy)}"
        )


def check_counts(arguments: Mapping[str, object]) -> None:
    """Refuse counts and sizes that are not valid numbers; None means no limit for the size of a body."""
    for name in _COUNTS:
        if name in arguments and not (name == "max_body_size" and arguments[name] is None):
            _check_count(name, arguments[name])


def _check_count(argument: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} must be an int, found {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{argument}={value}: give a number from 0 on")


def check_truths(arguments: Mapping[str, object]) -> None:
    """Refuse values that are not bools: "no" would count as True. 1, 0 and None are accepted, as in aiohttp."""
    for name in _TRUTHS & arguments.keys():
        value = arguments[name]
        if value is not None and not isinstance(value, int):
            raise TypeError(
                f"{name} must be True or False, found {type(value).__name__} {shown_text(value)}"
            )


HTTP10: Final = "1.0"
HTTP11: Final = "1.1"
HTTP2: Final = "2"
_VERSIONS: Final = {"1.0": HTTP10, "1.1": HTTP11, "2": HTTP2, "2.0": HTTP2}


def asked_version(version: HttpVersion | str) -> str:
    """Return the version that ``version=`` asks for: ``HTTP10``, ``HTTP11`` or ``HTTP2``."""
    given: object = version
    if not isinstance(given, str) and not (isinstance(given, tuple) and len(given) == 2):
        raise TypeError(
            f"version must be '2', '1.1', '1.0' or an HttpVersion, found {type(version).__name__} {version!r}"
        )
    text = version if isinstance(version, str) else f"{version[0]}.{version[1]}"
    if text not in _VERSIONS:
        raise ValueError(f"version {version!r} is not supported; use '2', '1.1' or '1.0'")
    return _VERSIONS[text]
