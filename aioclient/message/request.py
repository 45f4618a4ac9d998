"""A request: one hop of one call, as the value that the steps of the chain pass down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable
from weakref import ref

from aiohttp import RequestInfo as AiohttpRequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ..exceptions import public, shown
from .body import Body
from .connection import Connection
from .headers import AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, DefaultHeaders, is_secret
from .origin import ConnectionKey, SSLOption, origin_of
from .proxy import ProxyTable
from .timeout import ClientTimeout


class PastResponse(Protocol):
    """A response of an earlier hop of the same call."""

    status: int
    headers: CIMultiDictProxy[str]

    @property
    def url(self) -> URL:
        """The URL that was answered."""


@runtime_checkable
class Auth(Protocol):
    """Credentials that write themselves into a request, once for each attempt."""

    def authorize(self, request: "Request") -> None:
        """Set ``request.authorization``, or change ``request.headers``."""


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What a call may ask for that most calls leave alone; one value is shared by all calls that do.

    Sizes are in bytes. ``ssl`` is True (verify), False (do not), an ``SSLContext`` or a fingerprint. ``proxies`` is
    None where no proxy is configured at all.
    """

    response_class: type[Any]
    allow_redirects: bool = True
    max_redirects: int = 10
    http10: bool = False
    chunked: bool | None = None
    expect100: bool = False
    expect100_timeout: float | None = 1.0  # seconds; as curl
    read_until_eof: bool = True
    ssl: SSLOption = True
    server_hostname: str | None = None
    auto_decompress: bool = True
    read_bufsize: int = 2**18
    max_line_size: int = 8190
    max_field_size: int = 8190
    max_headers: int = 128
    max_body_size: int | None = None
    skip_auto_headers: frozenset[str] = field(default=frozenset())
    sensitive_headers: frozenset[str] = field(default=frozenset())
    proxies: ProxyTable | None = None


class RequestInfo(AiohttpRequestInfo):
    """What was asked, for messages: ``url``, ``method``, ``headers``, ``real_url``. Its ``repr`` hides credentials."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<RequestInfo {self.method} {shown(self.real_url)}>"


class Request:
    """One hop: method, URL, fields, body, and what the call asked for.

    Middlewares may change ``method``, ``url``, ``headers`` and the body before the request is sent. ``content`` is
    the body that is sent, None for none. ``session`` is the session that was called. ``deadline`` is in the event
    loop's time; None means no total limit. ``authorization`` and ``cookie`` are the credential fields that the steps
    next to the connector set anew on every attempt.
    """

    __slots__ = (
        "_headers",
        "_url",
        "auth",
        "authorization",
        "content",
        "cookie",
        "cookies",
        "deadline",
        "defaults",
        "held",
        "history",
        "method",
        "options",
        "origin",
        "session",
        "timeout",
    )

    def __init__(
        self,
        method: str,
        url: URL,
        defaults: DefaultHeaders,
        headers: "CIMultiDict[str] | None",
        content: Body | None,
        options: RequestOptions,
        timeout: ClientTimeout,
        deadline: float | None,
        auth: Auth | None,
        cookies: Mapping[str, str] | None,
        session: Any,  # a ClientSession, which is made of requests and so cannot be named here
    ) -> None:
        self.method = method
        self._url = url
        self.origin = origin_of(url)
        self.defaults = defaults
        self._headers = headers
        self.content = content
        self.options = options
        self.timeout = timeout
        self.deadline = deadline
        self.auth = auth
        self.cookies = cookies
        self.session = session
        self.history: tuple[PastResponse, ...] = ()
        # What a response to it still holds, if its body did not come with its head. Weak: the response alone keeps it.
        self.held: ref[Connection] | None = None
        self.authorization: str | None = None
        self.cookie: str | None = None

    @property
    def url(self) -> URL:
        """Where the request goes; a middleware may set another one."""
        return self._url

    @url.setter
    def url(self, url: URL) -> None:
        self.origin = origin_of(url)
        self._url = url

    @property
    def headers(self) -> "CIMultiDict[str]":
        """The request's own fields, the session's defaults included; changes to it are sent."""
        if self._headers is None:
            self._headers = self.defaults.fields.copy()
        return self._headers

    @property
    def own_headers(self) -> "CIMultiDict[str] | None":
        """The fields if they differ from the session's defaults, else None."""
        return self._headers

    @property
    def fields(self) -> "CIMultiDict[str]":
        """The request's own fields or the session's defaults, to look at and not to change."""
        return self.defaults.fields if self._headers is None else self._headers

    @property
    def key(self) -> ConnectionKey:
        """Which connections may carry this request."""
        options = self.options
        if options.ssl is True and options.server_hostname is None and options.proxies is None:
            return self.origin.key
        key = self.origin.key._replace(ssl=options.ssl, server_hostname=options.server_hostname)
        proxy = None if options.proxies is None else options.proxies.choose(self.origin)
        if proxy is None:
            return key
        if proxy.is_http and (said := self.fields.get(PROXY_AUTHORIZATION)) is not None:
            proxy = proxy.authorized(said)
        # An HTTP proxy is asked for http itself, and to pass the bytes of everything else on.
        return key._replace(proxy=proxy, tunnel=not proxy.is_http or self.origin.scheme != "http")

    @property
    def what(self) -> str:
        """Method and URL, as messages begin."""
        return f"{self.method} {shown(self._url)}"

    @property
    def full_info(self) -> RequestInfo:
        """What was asked, credentials included."""
        headers = self.fields.copy()
        if self.authorization is not None:
            headers.setdefault(AUTHORIZATION, self.authorization)
        if self.cookie is not None:
            headers.setdefault(COOKIE, self.cookie)
        return RequestInfo(
            self._url.with_fragment(None), self.method, CIMultiDictProxy(headers), self._url
        )

    @property
    def info(self) -> RequestInfo:
        """What was asked, for exceptions: whoever logs them, or what they hold, logs no secret."""
        more = self.options.sensitive_headers
        headers = CIMultiDict(
            [
                (name, "***" if is_secret(name, more) else value)
                for name, value in self.full_info.headers.items()
            ]
        )
        url = public(self._url)
        return RequestInfo(url.with_fragment(None), self.method, CIMultiDictProxy(headers), url)

    def let_go(self) -> None:
        """Release the response to an earlier attempt, of which nobody will read the rest.

        A middleware that sends its request again holds that response, and with it perhaps the only connection of the
        pool, for which the new attempt would wait.
        """
        held = None if self.held is None else self.held()
        self.held = None
        if held is not None:
            held.release()

    def hop(
        self,
        method: str,
        url: URL,
        headers: "CIMultiDict[str] | None",
        content: Body | None,
        options: RequestOptions,
        auth: Auth | None,
        cookies: Mapping[str, str] | None,
    ) -> "Request":
        """Return the next request of the same call: same timeouts, same deadline."""
        return Request(
            method,
            url,
            self.defaults,
            headers,
            content,
            options,
            self.timeout,
            self.deadline,
            auth,
            cookies,
            self.session,
        )

    def __repr__(self) -> str:
        return f"<Request {self.what}>"
