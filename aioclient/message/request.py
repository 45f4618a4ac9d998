"""A request: one hop of one call, the value that the steps of the chain pass down.

Middlewares see it in aiohttp's form, and may change it; the call's own values stay unchanged for the next hop.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol, runtime_checkable
from weakref import ref

from aiohttp import FormData, HttpVersion, HttpVersion10, HttpVersion11
from aiohttp import RequestInfo as AiohttpRequestInfo
from aiohttp.payload import Payload
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ..exceptions import public, shown
from ..warning import CreationSite
from .body import Body, BodyMaker, Data
from .cache_options import CacheOptions
from .headers import (
    AUTHORIZATION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    HOST,
    PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
    DefaultHeaders,
    is_secret,
)
from .origin import ConnectionKey, Origin, SSLOption, canonical_host, origin_of
from .proxy import ProxyTable
from .timeout import ClientTimeout
from .trace import Trace


class PastResponse(Protocol):
    """A response of an earlier hop of the same call."""

    status: int
    headers: CIMultiDictProxy[str]

    @property
    def url(self) -> URL:
        """The URL that was answered."""


@runtime_checkable
class Auth(Protocol):
    """Credentials that write themselves into a request, once for each attempt.

    Three more members count where an object has them:

    * ``async answer(request, response) -> bool`` is asked about each response, whose body it leaves alone. True asks
      for one more round: the response is given up, ``authorize()`` is called again, and the request sent again. What
      that brings is returned as it is. A request whose body cannot be sent twice has no second round.
    * ``identity``, a str, names who asks: equal for credentials that may share an answer, the same after a token was
      renewed. It is hashed, and need not be secret.
    * ``offer(request)``, plain, sets what ``authorize()`` would set as far as that is known without I/O. Without it a
      plain ``authorize()`` is called for that, with a copy of the request.
    """

    def authorize(self, request: "Request") -> Awaitable[None] | None:
        """Set ``request.authorization``, or change ``request.headers``; plain, or a coroutine function."""


class Offers(Protocol):
    """What a session, which stands above this module, tells its requests and does for them."""

    def partition(self, request: "Request", /) -> str:
        """Return who asks with *request*."""

    def offered(self, request: "Request", /) -> "CIMultiDict[str]":
        """Return the fields that credentials and jar would set."""

    def cookie(self, request: "Request", /) -> str | None:
        """Return the ``Cookie`` field that the jar would set."""

    def send(self, request: "Request", /) -> Awaitable[Any]:
        """Send *request* by the transport alone."""


HTTP2Option = bool | Literal["prior-knowledge"]


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """Options that most calls do not set; calls without them share one value.

    Sizes are in bytes. ``ssl`` is True (verify), False (do not), an ``SSLContext`` or a fingerprint. ``proxies`` is
    None if no proxy is configured. ``bodies`` makes the bodies that a middleware sets.
    """

    response_class: type[Any]
    bodies: BodyMaker
    allow_redirects: bool = True
    max_redirects: int = 10
    on_too_many: Literal["raise", "return"] = "raise"
    requote_redirect_url: bool = True
    http10: bool = False
    http2: HTTP2Option = False
    websocket: bool = False  # it opens one
    chunked: bool | None = None
    expect100: bool = False
    expect100_timeout: float | None = 1.0  # seconds; as in curl
    read_until_eof: bool = True
    lenient: bool = False
    ssl: SSLOption = True
    server_hostname: str | None = None
    auto_decompress: bool = True
    read_bufsize: int = 2**18
    max_line_size: int = 8190
    max_field_size: int = 8190
    max_headers: int = 128
    max_body_size: int | None = None
    fallback_charset_resolver: Callable[[Any, bytes], str] | None = None
    creation_site: CreationSite | None = field(default=None, compare=False)
    skip_auto_headers: frozenset[str] = field(default=frozenset())
    sensitive_headers: frozenset[str] = field(default=frozenset())
    proxies: ProxyTable | None = None
    redirect_policy: Any = (
        None  # a RedirectPolicy, which stands above this module; None for the strict one
    )
    signer: Any = None
    cache: CacheOptions | None = None


def check_http2(value: object) -> HTTP2Option:
    """Return *value*, an ``http2=`` argument.

    Raises:
        TypeError, ValueError: it is not valid.
    """
    if isinstance(value, bool):
        return value
    if value == "prior-knowledge":
        return "prior-knowledge"
    text = f"http2 must be True, False or 'prior-knowledge', found {value!r}"
    raise ValueError(text) if isinstance(value, str) else TypeError(text)


def speaks_http2(option: HTTP2Option, scheme: str, websocket: bool = False) -> bool:
    """Tell whether *option* means that HTTP/2 is offered, or spoken, for URLs of *scheme*; *websocket*: to open one.

    Without TLS no handshake negotiates it (RFC 9113, section 3.3): it is spoken only to servers that are known to speak
    it.
    """
    if websocket:
        scheme = _SCHEMES.get(scheme, scheme)
    return scheme == "https" if option is True else bool(option) and scheme in ("http", "https")


_SCHEMES: Final = {"wss": "https", "ws": "http"}


def check_lenient(lenient: object) -> bool:
    """Return *lenient*; only a bool is accepted, because it loosens checks."""
    if not isinstance(lenient, bool):
        raise TypeError(f"lenient must be a bool, found {type(lenient).__name__} {lenient!r}")
    return lenient


class RequestInfo(AiohttpRequestInfo):
    """The request as messages show it: ``url``, ``method``, ``headers``, ``real_url``. Its ``repr`` hides
    credentials.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<RequestInfo {self.method} {shown(self.real_url)}>"


class Flag(int):
    """A bool that can also be called: ``is_ssl`` is an attribute in aiohttp's documentation, and a method in its
    code.
    """

    __slots__ = ()

    def __call__(self) -> bool:
        """Return the value."""
        return bool(self)

    def __repr__(self) -> str:
        return repr(bool(self))


class Request:
    """One hop: method, URL, fields, body, and the options of the call.

    Middlewares may change ``method``, ``url``, ``headers``, ``auth`` and the body (with ``update_body()``) before the
    request is sent. ``content`` is the body that is sent, None for none; ``body`` is the same in aiohttp's form.
    ``deadline`` is in the event loop's time; None means no total limit. ``authorization`` and ``cookie`` are the
    credential fields; the steps next to the connector set them again on every attempt. ``trace`` observes the call,
    None if nothing does.

    It does not know how it is sent: it may be sent several times, and copies of it at the same time.
    """

    __slots__ = (
        "__weakref__",
        "_headers",
        "_original",
        "_original_url",
        "_session",
        "_url",
        "auth",
        "authorization",
        "content",
        "cookie",
        "cookies",
        "deadline",
        "defaults",
        "given",
        "history",
        "method",
        "options",
        "origin",
        "timeout",
        "trace",
    )

    _original: "Request"  # only copies have it

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
        session: "ref[Any]",  # weak, so that a response does not keep a forgotten session alive
        origin: Origin | None = None,  # of *url*, if it is known
    ) -> None:
        self.method: str = method
        self._url = url
        self.origin: Origin = origin_of(url) if origin is None else origin
        self.defaults: DefaultHeaders = defaults
        self.given: CIMultiDict[str] | None = (
            headers  # merged over the session's; None for no difference
        )
        self._headers: CIMultiDict[str] | None = None  # a step may have changed them
        self.content = content
        self.options: RequestOptions = options
        self.timeout: ClientTimeout = timeout
        self.deadline: float | None = deadline
        self.auth: Auth | None = auth
        self.cookies: Mapping[str, str] | None = cookies
        self._session = session
        self.history: tuple[PastResponse, ...] = ()
        self.authorization: str | None = None
        self.cookie: str | None = None
        self.trace: Trace[Request, Any] | None = None

    @property
    def session(self) -> Any:  # a ClientSession, which stands above this module
        """The session that was called; None if it no longer exists. A middleware may make requests with it."""
        return self._session()

    @property
    def original(self) -> "Request":
        """The request that this one was copied from, directly or not; itself if it is not a copy."""
        try:
            return self._original
        except AttributeError:
            return self

    @property
    def url(self) -> URL:
        """The target of the request, without a fragment; a middleware may set another URL."""
        url = self._url
        return url.with_fragment(None) if url.raw_fragment else url

    @url.setter
    def url(self, url: URL) -> None:
        origin = origin_of(url)
        if url.raw_user is not None or url.raw_password is not None:
            url = url.with_user(None)  # no server and no message may see them; auth is what is sent
        if self._headers is not None and self._headers.get(HOST) == self.origin.host_field:
            self._headers[HOST] = origin.host_field
        self._original_url = self.original_url
        self.origin = origin
        self._url = url

    @property
    def real_url(self) -> URL:
        """The target of the request, with the fragment."""
        return self._url

    @property
    def original_url(self) -> URL:
        """The URL of the call, or of the redirect, with the fragment, whatever a middleware changed."""
        try:
            return self._original_url
        except AttributeError:
            return self._url

    @property
    def host(self) -> str:
        """The host of the URL, as ``url.raw_host``."""
        return self._url.raw_host or ""

    @property
    def port(self) -> int | None:
        """The port of the URL; the scheme's default if it names none."""
        return self._url.port

    @property
    def request_info(self) -> RequestInfo:
        """The request as ``response.request_info`` has it, credentials included: for exceptions of aiohttp's."""
        return self.full_info

    @property
    def skip_auto_headers(self) -> "CIMultiDict[None]":
        """The names of default fields that are not sent, by session and call; changes have no effect."""
        return CIMultiDict((name, None) for name in sorted(self.options.skip_auto_headers))

    @property
    def headers(self) -> "CIMultiDict[str]":
        """The fields that are sent, including ``Host`` and those that describe the body; changes to them are sent.

        ``Content-Length``, ``auth`` and the jar's cookies are not included; each attempt adds them afterwards. A field
        set here takes precedence.
        """
        if self._headers is None:
            self._headers = headers = self.fields.copy()
            headers.setdefault(HOST, self.origin.host_field)
            for name, value in self._description().items():
                headers.setdefault(name, value)
        return self._headers

    def _description(self) -> "CIMultiDict[str]":
        """Return the fields that describe the body."""
        result: CIMultiDict[str] = CIMultiDict()
        body = self.content
        if body is not None:
            result.extend(body.headers or ())
            if (
                body.content_type is not None
                and "content-type" not in self.options.skip_auto_headers
            ):
                result[CONTENT_TYPE] = body.content_type
        return result

    @property
    def described(self) -> bool:
        """Whether ``headers`` was accessed, so that it contains the fields that describe the body."""
        return self._headers is not None

    @property
    def own_headers(self) -> "CIMultiDict[str] | None":
        """The fields if they differ from the session's defaults, else None."""
        return self.given if self._headers is None else self._headers

    @property
    def fields(self) -> "CIMultiDict[str]":
        """The request's own fields or the session's defaults; do not change them."""
        own = self.given if self._headers is None else self._headers
        return self.defaults.fields if own is None else own

    # The body, as aiohttp's middlewares know it

    @property
    def body(self) -> Payload | bytes:
        """The body as an aiohttp payload, ``b""`` if there is none.

        ``await request.body.as_bytes()`` reads it; it can always be sent afterwards.
        """
        content = self.content
        return b"" if content is None else self.options.bodies.payload_of(content.source)

    @body.setter
    def body(self, data: Data) -> None:
        # Text or bytes alone most likely have the media type of the previous content.
        keep_type = data is not None and not isinstance(
            data, (Body, FormData, Payload, Mapping, list, tuple)
        )
        body = self.options.bodies.body_of(data)
        if body is not None and self.content is not None and body is not self.content:
            body = self.content.around(body)
        self._replace_content(body, keep_type)

    def _replace_content(self, body: Body | None, keep_type: bool) -> None:
        """Send *body* instead, and describe it in ``headers`` instead of the previous one."""
        headers, old = self.headers, self._description()
        self.content = body
        headers.popall(CONTENT_LENGTH, None)
        for name, value in old.items():
            if headers.get(name) == value and not (keep_type and name == CONTENT_TYPE):
                del headers[name]
        for name, value in self._description().items():
            headers.setdefault(name, value)
        if body is None:
            headers.popall(TRANSFER_ENCODING, None)
            self.chunked = None

    async def update_body(self, body: Data) -> None:
        """Send another body, of any kind that ``data=`` accepts; None for no body.

        The media type stays when *body* is text, bytes, a file or an iterable; forms and payloads bring their own.
        ``Content-Length`` is set to the new body's length.

        Raises:
            TypeError: it cannot be sent.
        """
        old = self.content
        self.body = body
        if old is not None and (self.content is None or old.source is not self.content.source):
            await old.close()

    # The options of the call, under aiohttp's names

    @property
    def chunked(self) -> bool | None:
        """Whether the body is sent in chunks although its length is known; None and False for no."""
        return self.options.chunked

    @chunked.setter
    def chunked(self, chunked: bool | None) -> None:
        self.options = replace(self.options, chunked=chunked)

    @property
    def compress(self) -> str | None:
        """The content coding that is applied to the body when it is sent; None for none."""
        return None if self.content is None else self.content.coding

    @compress.setter
    def compress(self, compress: str | bool | None) -> None:
        body = self.options.bodies.recoded(self.content, compress)
        if body is not None:
            self._replace_content(body, keep_type=True)

    @property
    def is_ssl(self) -> Flag:
        """Whether the scheme is https or wss; also as ``is_ssl()``."""
        return Flag(self.origin.is_tls)

    @property
    def ssl(self) -> SSLOption:
        """True to verify certificates, False not to; an ``SSLContext`` or a fingerprint."""
        return self.options.ssl

    @property
    def server_hostname(self) -> str | None:
        """The name to verify instead of the URL's host; None for the URL's host."""
        return self.options.server_hostname

    @server_hostname.setter
    def server_hostname(self, name: str | None) -> None:
        if name is not None:
            name = canonical_host(name)
        self.options = replace(self.options, server_hostname=name)

    @property
    def response_class(self) -> type[Any]:  # of ClientResponse, which stands above this module
        """The class of the response."""
        return self.options.response_class

    @response_class.setter
    def response_class(self, response_class: type[Any]) -> None:
        self.options = replace(self.options, response_class=response_class)

    @property
    def version(self) -> HttpVersion:
        """The HTTP version that is spoken."""
        return HttpVersion10 if self.options.http10 else HttpVersion11

    @version.setter
    def version(self, version: HttpVersion) -> None:
        http2 = tuple(version) == (2, 0)
        self.options = replace(self.options, http10=version == HttpVersion10, http2=http2)

    @property
    def proxy(self) -> URL | None:
        """The proxy for the request, without credentials; None if it goes directly."""
        proxy = None if self.options.proxies is None else self.options.proxies.choose(self.origin)
        return None if proxy is None else URL(str(proxy))

    @property
    def proxy_headers(self) -> "CIMultiDictProxy[str] | None":
        """The fields that this proxy gets; do not change them. None if there is no proxy.

        A ``Proxy-Authorization`` that a middleware sets in ``headers`` goes to the proxy too, and never to a server.
        """
        proxy = None if self.options.proxies is None else self.options.proxies.choose(self.origin)
        return None if proxy is None else CIMultiDictProxy(CIMultiDict(proxy.headers))

    # For the engine

    @property
    def key(self) -> ConnectionKey:
        """The key of the connections that may carry this request."""
        options, origin = self.options, self.origin
        key = origin.key
        if (
            options.http2
            and speaks_http2(options.http2, origin.scheme, options.websocket)
            and not options.http10
        ):
            key = origin.http2_key
        if options.ssl is not True or options.server_hostname is not None:
            key = key._replace(ssl=options.ssl, server_hostname=options.server_hostname)
        if options.proxies is None:
            return key
        proxy = options.proxies.choose(origin)
        if proxy is None:
            return key
        if proxy.is_http and (login := self.fields.get(PROXY_AUTHORIZATION)) is not None:
            proxy = proxy.authorized(login)
        # An HTTP proxy forwards requests for http; for everything else it passes bytes on.
        tunnel = not proxy.is_http or origin.scheme != "http"
        return key._replace(proxy=proxy, tunnel=tunnel, http2=key.http2 and tunnel)

    # Credentials, and what the session alone knows of them

    def partition(self) -> str:
        """Return who asks: the same text for requests that go out with the same credentials; "" for none.

        It is a hash of ``auth``'s identity, or of the fields that it sets; of the request's own fields that carry
        secrets; of the call's cookies; and of ``signer``. A renewed token does not change it. What the jar holds does
        not count: ``offered()`` has it. Nothing is sent, read or waited for.

        Raises:
            RuntimeError: its session is no more.
        """
        return self._offers().partition(self)

    def offered(self) -> "CIMultiDict[str]":
        """Return the fields that credentials and jar would set now (``Authorization``, ``Cookie`` and others).

        They are those that are known without I/O: no token that is to be fetched, no digest. Nothing is changed.

        Raises:
            RuntimeError: its session is no more.
        """
        return self._offers().offered(self)

    def offered_cookie(self) -> str | None:
        """Return the ``Cookie`` field that ``offered()`` has, None for none; it costs less.

        Raises:
            RuntimeError: its session is no more.
        """
        return self._offers().cookie(self)

    def send_apart(self, request: "Request") -> Awaitable[Any]:
        """Send another *request* by the session's transport alone, and return its response.

        No credentials, cookies, middlewares or redirects act on it: it is for what credentials ask for themselves.

        Raises:
            RuntimeError: this one's session is no more.
        """
        return self._offers().send(request)

    def _offers(self) -> "Offers":
        session = self._session()
        if session is None:
            raise RuntimeError(f"{self.label}: the session of this request no longer exists")
        offers: Offers = session._offers
        return offers

    @property
    def label(self) -> str:
        """Method and URL, without secrets: how messages begin."""
        return f"{self.method} {shown(self._url)}"

    what = label  # its earlier name

    @property
    def full_info(self) -> RequestInfo:
        """The whole request, including ``Host``, the fields of the body and credentials."""
        headers = self.fields.copy()
        headers.setdefault(HOST, self.origin.host_field)
        if not self.described:
            for name, value in self._description().items():
                headers.setdefault(name, value)
        if self.authorization is not None:
            headers.setdefault(AUTHORIZATION, self.authorization)
        if self.cookie is not None:
            headers.setdefault(COOKIE, self.cookie)
        return RequestInfo(
            self._url.with_fragment(None), self.method, CIMultiDictProxy(headers), self._url
        )

    @property
    def info(self) -> RequestInfo:
        """The request for exceptions, without secrets, so that logging an exception logs no secret."""
        more = self.options.sensitive_headers
        headers = CIMultiDict(
            [
                (name, "***" if is_secret(name, more) else value)
                for name, value in self.full_info.headers.items()
            ]
        )
        url = public(self._url)
        return RequestInfo(url.with_fragment(None), self.method, CIMultiDictProxy(headers), url)

    def copy(self) -> "Request":
        """Return an independent copy of the request, which can be changed and sent on its own.

        Both send the same body: at the same time only if it can be sent twice, as bytes, text, JSON and forms can.
        """
        copy = Request.__new__(Request)
        for name in _COPIED:
            setattr(copy, name, getattr(self, name))
        copy._headers = None if self._headers is None else self._headers.copy()
        copy._original = self.original
        original_url = self.original_url
        if original_url is not self._url:
            copy._original_url = original_url
        return copy

    __copy__ = copy

    def beside(self, now: float) -> "Request":
        """Return a copy for a call of its own, which nobody waits for.

        It has all the time that a call has, from *now* on, in the event loop's time; and a trace of its own.
        """
        copy = self.copy()
        total = self.timeout.total
        copy.deadline = None if total is None else now + total
        copy.history = ()
        copy.trace = None if self.trace is None else self.trace.beside(copy)
        return copy

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
        """Return the next request of the same call, with the same timeouts and deadline."""
        request = Request(
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
            self._session,
        )
        request.trace = self.trace
        return request

    def __repr__(self) -> str:
        return f"<Request {self.label}>"


_COPIED = tuple(set(Request.__slots__) - {"__weakref__", "_headers", "_original", "_original_url"})
