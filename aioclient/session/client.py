"""The session: defaults, and one method for each verb."""

import asyncio
import json as json_module
from collections.abc import (
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import replace
from typing import Any, Final, Unpack, cast
from weakref import ref

import aiohttp
from aiohttp import HttpVersion, TraceConfig
from aiohttp.abc import AbstractCookieJar
from aiohttp.typedefs import LooseCookies
from multidict import CIMultiDict
from yarl import URL, Query

from ..chain import Handler, Middleware, compose, release_what_is_dropped
from ..connectors.base import BaseConnector
from ..connectors.overrides import ResolveLike
from ..connectors.proxies.decide import ProxyOrNone
from ..cookies import CookieJar
from ..message.body import make_body
from ..message.headers import (
    AUTHORIZATION,
    COOKIE,
    LooseHeaders,
    check_method,
    merge_into,
    without_secrets,
)
from ..message.origin import SSLOption, origin_of
from ..message.proxy import ProxyAuthLike
from ..message.request import Auth, Request, RequestOptions, check_lenient
from ..message.timeout import DEFAULT_TIMEOUT, coerce_timeout
from ..message.unset import UNSET, Unset
from ..middlewares.auth import (
    NO_AUTH,
    AuthLike,
    NetrcLike,
    NetrcStep,
    authenticate,
    coerce_auth,
    coerce_netrc,
    credentials_in,
)
from ..middlewares.cookies import Cookies, cookie_pairs, with_cookies
from ..middlewares.redirects import follow_redirects
from ..observe.configs import TraceConfigs
from ..observe.tracing import RequestTrace
from ..reconnecting import ReconnectingWebSocket, ReconnectPolicy
from ..reconnecting.policy import DEFAULT_POLICY
from ..reconnecting.websocket import OnConnect
from ..response.client_response import ClientResponse
from ..warning import Birthplace
from ..websocket import ClientWebSocketResponse
from .arguments import (
    OF_PROXIES,
    CurrentArguments,
    RareOptions,
    RequestArguments,
    TimeoutLike,
    check_callable,
    check_counts,
    check_parts,
    checked_middlewares,
    folded,
    is_http10,
    laid_over,
)
from .defaults import auto_fields, default_headers, put_cookies
from .legacy import OLD_ARGUMENTS, OldSessionArguments, modern, take_old
from .lifecycle import Lifecycle
from .pending import RequestContextManager, WebSocketContextManager
from .proxies import SessionProxies
from .reconnecting import FreshHeaders, FreshUrl, Opener
from .status import RaiseForStatus, check_raise_for_status, check_response
from .total import within_total
from .uploads import prepare_upload
from .urls import checked_base_url, parsed, with_params
from .verbs import Verbs
from .websocket import OpeningArguments, WebSocketArguments, open_websocket


class ClientSession(Verbs, Lifecycle):
    """Requests with common defaults, a pool of connections and a cookie jar.

    Use it as ``async with ClientSession() as session``; make one for each program, not one for each request.

    Args:
        base_url: relative URLs are joined to it; it must end with ``/``. The session's credentials (``auth``,
            header fields that carry secrets, a user and password in this URL) then go to its origin only, and its
            ``cookies`` to its host.
        connector: the pool; by default a ``TCPConnector`` of its own. The settings of an ``aiohttp.TCPConnector`` or
            ``aiohttp.UnixConnector`` are taken over.
        resolve: addresses that are not looked up, as ``TCPConnector(resolve=...)`` takes them: ``{"a.example:443":
            "127.0.0.1"}``. With *connector* they are given there.
        cookies: into the jar at the start: mapping or pairs; with *base_url* for its host, by TLS alone if it is
            ``https``, else for every host, which ``SharedCookiesWarning`` tells.
        headers: sent with every request; ``session.headers`` stays live.
        skip_auto_headers: names of default fields that are not sent.
        auth: default credentials: ``BasicAuth``, (login, password), or a callable that takes the request.
        json_serialize: makes text or bytes of ``json=``.
        json_serialize_bytes: makes bytes of ``json=``, in place of *json_serialize*.
        version: "1.1" or "1.0", or an ``HttpVersion``.
        cookie_jar: an ``aiohttp.abc.AbstractCookieJar``.
        connector_owner: whether closing the session closes the connector.
        raise_for_status: raise ``StatusError`` for every status of 400 or more, with the first 64 KiB of the body; or a
            coroutine function that checks the response.
        timeout: seconds in total, (connect, read), None, or a ``ClientTimeout``; by default 300 s in total and 30 s
            to connect.
        middlewares: ``async (request, handler) -> response`` steps, the first one outermost.
        sensitive_headers: names of further header fields that carry secrets, beside the usual ones (Authorization,
            Cookie, X-Api-Key …): they follow no redirect to another origin.
        auto_decompress: whether content codings of responses are undone.
        lenient: whether responses are read that break the rules of HTTP in ways that some old devices do, as the page
            "Lenient reading" lists them; None for what the connector says, which is False by default.
        max_redirects: after which ``TooManyRedirects`` is raised; 0 follows none.
        requote_redirect_url: whether what no URL may hold is encoded in a ``Location``; False sends it as it came.
        max_body_size: bytes of a decoded response body, after which ``BodyTooLargeError`` is raised; None for any.
        read_bufsize: bytes of a body kept ahead of the reader.
        max_line_size, max_field_size, max_headers: limits on a response's head: bytes, bytes, number of fields.
        fallback_charset_resolver: ``(response, body) -> charset``, asked for the text of a body whose charset no
            header names.
        response_class: a subclass of ``ClientResponse``.
        proxy: a URL or ``Proxy`` by which every request goes.
        proxies: the same by scheme and host: ``{"https": ..., "all": ..., "http://a.example": ...}``, the most
            specific key first; None as a value for no proxy; ``"no_proxy"`` for hosts that need none.
        proxy_auth: (login, password), ``BasicAuth`` or ``ProxyDigestAuth`` for the proxies that the session is given;
            if it is given none, for those of the environment and of calls.
        proxy_headers: fields that these proxies get, and no server.
        proxy_ssl: as *ssl*, for TLS with ``https`` proxies.
        env_proxies: whether the proxies that the environment names are used; None for what *trust_env* says.
        ws_response_class: a subclass of ``ClientWebSocketResponse``.
        trace_configs: ``aiohttp.TraceConfig`` objects whose callbacks follow each call; they are frozen here.
        trust_env: whether the environment's proxies (``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``), as
            they are when the session is made, and its netrc file are used.
        netrc: the same for netrc alone: True or False, the path of a file, or a ``Netrc``. Its credentials go to the
            hosts that it names, where no others are given.
        read_timeout, conn_timeout: old spellings of ``timeout=ClientTimeout(total=..., connect=...)``.
        loop: must be the running loop (deprecated).

    Raises:
        RuntimeError: no event loop runs, or the connector belongs to another one.
        TypeError, ValueError: an argument that cannot be used, that does not exist, or that contradicts another.
    """

    __slots__ = (
        "__weakref__",
        "_authenticate",
        "_auto",
        "_base_origin",
        "_chain",
        "_cookies",
        "_middlewares",
        "_proxies",
        "_serialize",
        "_trace_configs",
        "_weak_self",
        "_ws_response_class",
    )

    def __init__(
        self,
        base_url: str | URL | None = None,
        *,
        connector: BaseConnector | aiohttp.BaseConnector | None = None,
        resolve: ResolveLike | None = None,
        cookies: LooseCookies | None = None,
        headers: LooseHeaders | None = None,
        skip_auto_headers: Iterable[str] | None = None,
        auth: AuthLike | None = None,
        json_serialize: Callable[[Any], str | bytes] = json_module.dumps,
        json_serialize_bytes: Callable[[Any], bytes] | None = None,
        version: HttpVersion | str = "1.1",
        cookie_jar: AbstractCookieJar | None = None,
        connector_owner: bool = True,
        raise_for_status: RaiseForStatus = False,
        timeout: TimeoutLike | Unset = UNSET,
        auto_decompress: bool = True,
        lenient: bool | None = None,
        middlewares: Sequence[Middleware] = (),
        sensitive_headers: Iterable[str] | None = None,
        max_redirects: int = 10,
        requote_redirect_url: bool = True,
        max_body_size: int | None = None,
        read_bufsize: int = 2**18,
        max_line_size: int = 8190,
        max_field_size: int = 8190,
        max_headers: int = 128,
        fallback_charset_resolver: Callable[[ClientResponse, bytes], str] | None = None,
        response_class: type[ClientResponse] = ClientResponse,
        proxy: ProxyOrNone = None,
        proxies: Mapping[str, ProxyOrNone] | None = None,
        proxy_auth: ProxyAuthLike | None = None,
        proxy_headers: LooseHeaders | None = None,
        proxy_ssl: SSLOption | None = None,
        env_proxies: bool | None = None,
        ws_response_class: type[ClientWebSocketResponse] = ClientWebSocketResponse,
        trace_configs: Sequence[TraceConfig] | None = None,
        trust_env: bool = False,
        netrc: NetrcLike | None = None,
        **old: Unpack[OldSessionArguments],
    ) -> None:
        self._begin()
        self._weak_self = ref(self)
        check_parts(connector, cookie_jar, response_class, ws_response_class)
        check_callable("json_serialize", json_serialize)
        check_callable("json_serialize_bytes", json_serialize_bytes)
        check_callable("fallback_charset_resolver", fallback_charset_resolver)
        check_counts(
            {
                "max_redirects": max_redirects,
                "read_bufsize": read_bufsize,
                "max_line_size": max_line_size,
                "max_field_size": max_field_size,
                "max_headers": max_headers,
                "max_body_size": max_body_size,
            }
        )
        check_raise_for_status(raise_for_status)
        if old:
            timeout = take_old(old, timeout, ClientSession)
        self._base_url = None if base_url is None else checked_base_url(base_url)
        self._base_origin = None if self._base_url is None else origin_of(self._base_url)
        self._timeout = DEFAULT_TIMEOUT if isinstance(timeout, Unset) else coerce_timeout(timeout)
        self._auth = None if auth is None else coerce_auth(auth)
        if self._base_url is not None and (in_url := credentials_in(self._base_url)) is not None:
            if auth is not None:
                raise ValueError(_AUTH_AND_URL)
            self._auth = in_url
            self._base_url = self._base_url.with_user(None)
        self._trust_env = trust_env = bool(trust_env)
        netrc = coerce_netrc(netrc, trust_env)
        netrc_step = None if netrc is None else NetrcStep(netrc)
        self._authenticate: Middleware = authenticate if netrc_step is None else netrc_step
        self._json_serialize = json_serialize
        self._serialize = json_serialize if json_serialize_bytes is None else json_serialize_bytes
        self._raise_for_status = raise_for_status
        self._connector_owner = connector_owner
        self._ws_response_class = ws_response_class
        self._trace_configs = TraceConfigs(trace_configs)
        self._proxies = SessionProxies(
            connector,
            proxy,
            proxy_auth,
            proxy_headers,
            proxy_ssl,
            proxies,
            trust_env if env_proxies is None else env_proxies,
            None if netrc_step is None else netrc_step.login_of,
        )
        self._options = RequestOptions(
            response_class=response_class,
            max_redirects=max_redirects,
            requote_redirect_url=requote_redirect_url,
            http10=is_http10(version),
            auto_decompress=auto_decompress,
            lenient=(
                check_lenient(lenient)
                if lenient is not None
                else isinstance(connector, BaseConnector) and connector.lenient
            ),
            read_bufsize=read_bufsize,
            max_line_size=max_line_size,
            max_field_size=max_field_size,
            max_headers=max_headers,
            max_body_size=max_body_size,
            fallback_charset_resolver=fallback_charset_resolver,
            skip_auto_headers=folded("skip_auto_headers", skip_auto_headers),
            sensitive_headers=folded("sensitive_headers", sensitive_headers),
            proxies=self._proxies.table,
        )
        self._no_redirects = replace(self._options, allow_redirects=False)
        self._auto = auto_fields(self._options.skip_auto_headers)
        self._defaults = default_headers(self._auto, headers)
        self._cookie_jar = CookieJar() if cookie_jar is None else cookie_jar
        if cookies is not None:
            put_cookies(self._cookie_jar, cookies, self._base_url)
        self._cookies = Cookies(self._cookie_jar)
        self._connector = self._connect(connector, resolve)
        self._middlewares = checked_middlewares(middlewares)
        self._chain = self._compose(self._middlewares)
        self._open()

    def _compose(self, middlewares: Sequence[Middleware]) -> Handler:
        """Put the steps of a request together; this list is the order in which they act."""
        return compose(
            [
                follow_redirects,
                *((release_what_is_dropped, *middlewares) if middlewares else ()),
                self._authenticate,
                self._cookies.exchange,
            ],
            cast(BaseConnector, self._connector).send,
        )

    # Requests

    def request(
        self, method: str, url: str | URL, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send a request; await the result for the response, or enter it with ``async with``.

        Args:
            method: a token; sent in upper case.
            url: absolute, or relative to ``base_url``.
            params: appended to the URL's query: mapping, pairs, or a string that is encoded already.
            data: body: bytes, str, form fields (mapping or pairs), file object, (async) iterable of bytes,
                ``FormData``, ``MultipartWriter`` or another aiohttp payload.
            json: body: any value that ``json_serialize`` takes; not together with *data*.
            cookies: sent with this request (not to another origin), not stored.
            headers: laid over the session's; None as a value removes a field.
            auth: instead of the session's; ``NO_AUTH`` for none.
            allow_redirects: whether redirects are followed.
            max_redirects: how many.
            on_too_many: "raise" ``TooManyRedirects`` after that many, or "return" the redirect that would be next.
            timeout: instead of the session's.
            raise_for_status: instead of the session's.
            middlewares: instead of the session's.
            compress: send the body in a content coding: "gzip", "br", "zstd", "deflate", or True for the last one.
            chunked: True sends the body in chunks though its length is known.
            expect100: wait for ``100 Continue`` before the body is sent.
            expect100_timeout: after so many seconds without an answer it is sent all the same; None for no limit.
            progress: called with (bytes sent, bytes in all or None) while the body is sent; a function or coroutine
                function.
            upload_tracker: an ``UploadTracker`` to look at meanwhile.
            read_until_eof: whether a response without length ends with the connection; False: it has no body.
            ssl: True verifies certificates, False does not; an ``SSLContext``, a ``Fingerprint`` or ``"system"``.
            verify_ssl, ssl_context, fingerprint: the older spellings of *ssl*.
            server_hostname: the name to verify, and to send as SNI, instead of the URL's host.
            proxy: a URL or ``Proxy`` to go by, all redirects included; ``DIRECT`` for none; None as the session says.
            proxy_auth, proxy_headers, proxy_ssl: for *proxy*; without it for the one that the session chooses for this
                URL, in place of what the session says. A redirect to where another proxy serves leaves them behind.
            skip_auto_headers: names of default fields that are not sent, beside the session's.
            version: "1.1" or "1.0".
            trace_request_ctx: any object; the callbacks of a trace config find it in their context.
            encoding: the charset of text and forms in *data* (deprecated: encode them yourself).
            auto_decompress, lenient, read_bufsize, max_line_size, max_field_size, max_headers: instead of the
                session's; None for those.
            max_body_size: instead of the session's; None for no limit.

        Raises:
            ValueError, TypeError: before anything is sent, for what cannot be sent.
            ClientError: everything that goes wrong from then on; see ``aioclient.exceptions``.
        """
        return self._call(method, url, arguments)

    def _call(
        self, method: str, url: str | URL, arguments: RequestArguments
    ) -> RequestContextManager:
        current: CurrentArguments = arguments
        if arguments and not OLD_ARGUMENTS.isdisjoint(arguments):
            current = modern(arguments)
        if not (current or self._debug):
            return RequestContextManager(self._request(method, url))
        if self._debug:
            return RequestContextManager(
                self._request(method, url, **current, made_at=Birthplace(self._loop))
            )
        return RequestContextManager(self._request(method, url, **current))

    def ws_connect(
        self, url: str | URL, **arguments: Unpack[WebSocketArguments]
    ) -> WebSocketContextManager:
        """Open a WebSocket; await the result, or enter it with ``async with``.

        The handshake is a request of this session: its headers, cookies, credentials, TLS settings, redirects,
        middlewares and traces act on it, and the arguments of ``request()`` for them are taken too. An open WebSocket
        holds a connection of the pool.

        Args:
            url: ``ws://``, ``wss://``, ``http://`` or ``https://``, absolute or relative to ``base_url``.
            method: of the handshake.
            headers: laid over the session's.
            protocols: subprotocols to offer, best first; ``protocol`` tells which one the server chose.
            origin: the ``Origin`` field, for servers that ask for one.
            timeout: a ``ClientWSTimeout``: ``ws_receive`` limits the wait for a message (None: no limit), ``ws_close``
                that for the server's close frame (10 s). A number is an older spelling of ``ws_close``.
            receive_timeout: an older spelling of ``ws_receive``.
            handshake_timeout: of the handshake, as a request's ``timeout``; by default the session's.
            autoclose: answer the server's close frame when it is received.
            autoping: answer pings; with False they are received as messages, and pongs too.
            heartbeat: seconds of silence after which a ping is sent; None for none.
            pong_timeout: seconds within which something must come after that; half of *heartbeat* by default.
            compress: offer permessage-deflate: True, or a window of 9 to 15 bits; 0 for not.
            max_msg_size: bytes of a message, decompressed; 0 for no limit.
            decode_text: whether text is ``str``; with False it is bytes, which are not checked to be UTF-8.

        Raises:
            HandshakeRefusedError: the server did not switch protocols as it must, with ``status``, ``headers`` and
                the first 64 KiB of the ``body``.
            ValueError, TypeError: before anything is sent, for what cannot be sent.
            ClientError: as a request.
        """
        return WebSocketContextManager(
            open_websocket(self._request, self._ws_response_class, url, **arguments)
        )

    def ws_reconnecting(
        self,
        url: FreshUrl,
        *,
        policy: ReconnectPolicy = DEFAULT_POLICY,
        on_connect: OnConnect | None = None,
        headers: FreshHeaders = None,
        **arguments: Unpack[OpeningArguments],
    ) -> ReconnectingWebSocket:
        """Return a WebSocket that is connected again when it ends: iterate over its connections or its messages.

        The arguments of ``ws_connect()`` are taken too; ``heartbeat`` is 20 s here if it is left out.

        Args:
            url: as for ``ws_connect()``, or a function or coroutine function that returns one for each attempt.
            policy: what is followed by another connection, and when.
            on_connect: a function or coroutine function that gets each connection before it is handed over: the
                place to log in and to subscribe. What it raises counts as a failed attempt.
            headers: laid over the session's; or a function or coroutine function that returns them for each attempt,
                for tokens that expire.

        Raises:
            InvalidURL: the URL is none.
            TypeError: an argument that does not exist, or *on_connect* cannot be called.
        """
        check_callable("on_connect", on_connect)
        opener = Opener(self, self.ws_connect, url, headers, arguments)
        return ReconnectingWebSocket(self._guests, opener.what, opener, policy, on_connect)

    async def _request(
        self,
        method: str,
        url: str | URL,
        *,
        params: Query = None,
        data: object = None,
        json: object = None,
        cookies: LooseCookies | None = None,
        headers: LooseHeaders | None = None,
        auth: AuthLike | None = None,
        allow_redirects: bool = True,
        timeout: TimeoutLike | Unset = UNSET,
        raise_for_status: RaiseForStatus | None = None,
        middlewares: Sequence[Middleware] | None = None,
        trace_request_ctx: object = None,
        made_at: Birthplace | None = None,
        **rare: Unpack[RareOptions],
    ) -> ClientResponse:
        loop = self._loop
        if self._closed or asyncio.get_running_loop() is not loop:
            raise self._unusable()
        target = parsed(url)
        credentials = self._auth
        own: CIMultiDict[str] | None = None
        if self._base_url is not None:
            target = self._base_url.join(target)
            if origin_of(target) != self._base_origin:
                credentials = None
                own = without_secrets(self._defaults.fields, self._options.sensitive_headers)
        if params:
            target = with_params(target, params)
        options = self._options if allow_redirects else self._no_redirects
        if rare:
            options = laid_over(options, rare)
            if options.skip_auto_headers is not self._options.skip_auto_headers:
                own = self._without_auto(own, options.skip_auto_headers)
            if not OF_PROXIES.isdisjoint(rare):
                table = self._proxies.for_call(rare, origin_of(target))
                options = replace(options, proxies=table)
        if made_at is not None:
            options = replace(options, made_at=made_at)
        if headers is not None:
            if own is None:
                own = self._defaults.fields.copy()
            merge_into(own, headers)
        if auth is not None or target.raw_user is not None or target.raw_password is not None:
            target, credentials = self._take_credentials(target, auth, own)
        limits = self._timeout if isinstance(timeout, Unset) else coerce_timeout(timeout)
        total = limits.total
        pairs = None
        if cookies is not None:
            pairs = cookie_pairs(cookies)
            fields = self._defaults.fields if own is None else own
            if pairs and COOKIE in fields:
                own = with_cookies(fields, pairs)
        request = Request(
            check_method(method),
            target,
            self._defaults,
            own,
            None
            if data is None and json is None
            else make_body(data, json, json_serialize=self._serialize),
            options,
            limits,
            None if total is None else loop.time() + total,
            credentials,
            pairs,
            self._weak_self,
        )
        check = self._raise_for_status
        if raise_for_status is not None:
            check_raise_for_status(raise_for_status)
            check = raise_for_status
        handler = self._chain
        if middlewares is not None:
            handler = self._compose(checked_middlewares(middlewares))
        trace: RequestTrace | None = None
        response: ClientResponse | None = None
        try:
            if self._trace_configs:
                request.trace = trace = RequestTrace(request, self._trace_configs)
                await trace.request_start(trace_request_ctx)
            if rare:
                handler = prepare_upload(request, rare, handler)
            if middlewares is None and not self._middlewares:
                response = await handler(request)
            else:
                response = await within_total(request, handler)
            if check:
                await check_response(response, check)
            if trace is not None:
                await trace.request_end(response)
        except BaseException as error:
            if trace is not None:
                if response is not None:
                    response.close()
                await trace.request_exception(error)
            raise
        return response

    def _take_credentials(
        self, target: URL, auth: AuthLike | None, own: "CIMultiDict[str] | None"
    ) -> tuple[URL, Auth]:
        """Take userinfo out of the URL; refuse credentials that contradict each other."""
        in_url = credentials_in(target)
        if auth is not None and in_url is not None:
            raise ValueError(_AUTH_AND_URL)
        if auth is not NO_AUTH and AUTHORIZATION in (self._defaults.fields if own is None else own):
            raise ValueError(
                "Cannot combine AUTHORIZATION header with AUTH argument or credentials encoded in URL; "
                'headers={"Authorization": None} leaves out the session\'s'
            )
        return target.with_user(None), coerce_auth(cast(AuthLike, in_url if auth is None else auth))

    def _without_auto(
        self, own: "CIMultiDict[str] | None", skipped: frozenset[str]
    ) -> "CIMultiDict[str]":
        """Drop the default fields that a call skips; those that the user gave stay."""
        if own is None:
            own = self._defaults.fields.copy()
        for name, value in self._auto.items():
            if name.lower() in skipped and own.get(name) == value:
                del own[name]
        return own


_AUTH_AND_URL: Final = (
    "Cannot combine AUTH argument with credentials encoded in URL; leave out one of them"
)
