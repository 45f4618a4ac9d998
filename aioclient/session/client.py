"""The session: defaults, and one method for each verb."""

import json as json_module
import warnings
from asyncio import get_running_loop
from collections.abc import Callable, Mapping, Sequence
from logging import DEBUG
from types import TracebackType
from typing import TYPE_CHECKING, Any, Never, Self, Unpack, cast
from weakref import ref

import aiohttp
from aiohttp import TraceConfig
from aiohttp.abc import AbstractCookieJar
from aiohttp.typedefs import LooseCookies
from yarl import URL

from ..body import UploadTracker
from ..chain import (
    Handler,
    Middleware,
    Transport,
    compose,
    is_tidy,
    release_dropped_responses,
    returning_a_response,
    sending_by,
)
from ..connectors.base import BaseConnector
from ..connectors.overrides import ResolveLike
from ..connectors.proxies.decide import ProxyOrNone
from ..connectors.unix import UnixConnector
from ..cookies import CookieJar, DummyCookieJar
from ..exceptions import NonHttpUrlClientError, shown
from ..message.headers import AUTHORIZATION, COOKIE, LooseHeaders
from ..message.origin import SSLOption
from ..message.proxy import ProxyAuthLike
from ..message.timeout import DEFAULT_TIMEOUT, coerce_timeout
from ..message.unset import UNSET, Unset
from ..middlewares.auth import AuthLike, NetrcLike, authenticate
from ..middlewares.cookies import Cookies
from ..middlewares.redirects import follow_redirects
from ..middlewares.signing import Signer, sign
from ..observe.configs import TraceConfigs
from ..observe.log import log_failure, log_response, logs_requests
from ..observe.tracing import RequestTrace
from ..reconnecting import ReconnectingWebSocket, ReconnectPolicy
from ..reconnecting.policy import DEFAULT_POLICY
from ..reconnecting.websocket import OnConnect
from ..response.client_response import ClientResponse
from ..warning import CreationSite, report_unclosed
from ..websocket import ClientWebSocketResponse
from .arguments import (
    OF_THE_BODY,
    PLAIN,
    CallArguments,
    RequestArguments,
    TimeoutLike,
    by_position,
    check_callable,
    check_parts,
    check_truths,
    checked_middlewares,
)
from .building import RequestBuilder
from .defaults import default_headers, put_cookies
from .grafts import grafted, is_of_aiohttp
from .legacy import LOOKED_AT, FurtherSessionArguments, modern, split_further, take_old
from .lifecycle import Lifecycle
from .offers import SessionOffers
from .patches import warn_of_patches
from .pending import RequestContextManager, WebSocketContextManager
from .private_names import SessionPrivateNames
from .properties import SessionProperties
from .proxies import SessionProxies
from .reconnecting import FreshHeaders, FreshUrl, Opener
from .settings import SessionSettings, base_and_auth, checked_options, netrc_step
from .status import RaiseForStatus, check_response, chosen_check
from .steps import STEPS, attach, changed, detach
from .total import within_total
from .uploads import CountAttempts, give_up, prepare_upload, settle
from .urls import over_http
from .websocket import OpeningArguments, WebSocketArguments, open_websocket


class ClientSession(SessionProperties, SessionPrivateNames):
    """Requests with common defaults, a pool of connections and a cookie jar.

    Use it as ``async with ClientSession() as session``; make one for each program, not one for each request.

    Args:
        base_url: relative URLs are joined to it; it must end with ``/``. The session's credentials (``auth``, header
            fields that carry secrets, a user and password in this URL) then go to its origin only, and its ``cookies``
            to its host.
        headers: sent with every request; ``session.headers`` stays live.
        cookies: into the jar at the start: mapping or pairs; with *base_url* for its host, by TLS alone if it is
            ``https``, else for every host, which ``SharedCookiesWarning`` tells.
        auth: default credentials: ``BasicAuth``, ``BearerAuth`` …, (login, password), or a function that takes the
            request.
        timeout: seconds in total, (connect, read), None, or a ``ClientTimeout``; by default 300 s in total and 30 s to
            connect.
        raise_for_status: raise ``StatusError`` for every status of 400 or more, with the first 64 KiB of the body; or a
            coroutine function that checks the response.
        middlewares: ``async (request, handler) -> response`` steps, the first one outermost.
        connector: the pool; by default a ``TCPConnector`` of its own. The settings of an ``aiohttp.TCPConnector`` or
            ``aiohttp.UnixConnector`` are taken over. Any other ``Transport`` will do as well.
        proxy: a URL or ``Proxy`` by which every request goes.
        trust_env: whether the environment's proxies (``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``), as
            they are when the session is made, and its netrc file are used.
        cookie_jar: an ``aiohttp.abc.AbstractCookieJar``.
        json_serialize: makes text or bytes of ``json=``.
        json_serialize_bytes: makes bytes of ``json=``, in place of *json_serialize*.
        response_class: a subclass of ``ClientResponse``, or of ``aiohttp.ClientResponse``, whose public methods it may
            override.
        ws_response_class: the same of ``ClientWebSocketResponse``.
        trace_configs: ``aiohttp.TraceConfig`` objects whose callbacks follow each call; they are frozen here.
        connector_owner: whether closing the session closes the connector.
        resolve: addresses that are not looked up, as ``TCPConnector(resolve=...)`` takes them: ``{"a.example:443":
            "127.0.0.1"}``. With *connector* they are given there.
        proxies: proxies by scheme and host: ``{"https": ..., "all": ..., "http://a.example": ...}``, the most specific
            key first; None as a value for no proxy; ``"no_proxy"`` for hosts that need none.
        proxy_auth: (login, password), ``BasicAuth`` or ``ProxyDigestAuth`` for the proxies that the session is given;
            if it is given none, for those of the environment and of calls.
        proxy_headers: fields that these proxies get, and no server.
        proxy_ssl: as *ssl*, for TLS with ``https`` proxies.
        env_proxies: whether the proxies that the environment names are used; None for what *trust_env* says.
        netrc: whether a netrc file is used: True or False, the path of one, or a ``Netrc``; None for what *trust_env*
            says. Its credentials go to the hosts that it names, where no others are given.
        version: "1.1", "2" (as *http2*) or "1.0", or an ``HttpVersion``.
        http2: True speaks HTTP/2 with servers that offer it over TLS, and HTTP/1.1 with all others;
            ``"prior-knowledge"`` speaks it with ``http://`` URLs, too, whose servers must know it (RFC 9113, section
            3.3); None for what the connector says, which is False by default.
        max_redirects: after which ``TooManyRedirects`` is raised, 10 by default; 0 follows none.
        redirect_policy: a ``RedirectPolicy``: what redirects may take along to another origin; by default nothing.
        signer: signs each attempt last: ``HMACSigner``, ``HTTPMessageSigner``, ``SigV4Signer``, or a function that
            takes an ``UnsignedRequest``; with *base_url* for its origin only.
        requote_redirect_url: whether what no URL may hold is encoded in a ``Location``, as it is by default; False
            sends it as it came.
        skip_auto_headers: names of default fields that are not sent.
        sensitive_headers: names of further header fields that carry secrets, beside the usual ones (Authorization,
            Cookie, X-Api-Key …): they follow no redirect to another origin.
        auto_decompress: whether content codings of responses are undone, as they are by default.
        fallback_charset_resolver: ``(response, body) -> charset``, asked for the text of a body whose charset no header
            names.
        max_body_size: bytes of a decoded response body, after which ``BodyTooLargeError`` is raised; None for any, as
            by default.
        read_bufsize: bytes of a body kept ahead of the reader, 256 KiB by default.
        max_line_size: a limit on a response's head: bytes of its first line, 8190 by default.
        max_field_size: a limit on a response's head: bytes of a field, 8190 by default.
        max_headers: a limit on a response's head: the number of fields, 128 by default.
        lenient: whether responses are read that break the rules of HTTP in ways that some old devices do, as the page
            "Lenient reading" lists them; None for what the connector says, which is False by default.
        read_timeout, conn_timeout: old spellings of ``timeout=ClientTimeout(total=..., connect=...)``.
        ssl_shutdown_timeout: of the session's own connector (deprecated: ``TCPConnector`` takes it).
        loop: must be the running loop; where none runs, the one that will (deprecated).

    Raises:
        RuntimeError: no event loop runs and no *loop* is given, or the connector belongs to another one.
        TypeError, ValueError: an argument that cannot be used, that does not exist, or that contradicts another.
    """

    __slots__ = ("__weakref__", "_chain", "_cookies", "_offers")

    if not TYPE_CHECKING:
        # Libraries check isinstance(session, aiohttp.ClientSession) before they use one; type() stays ours.
        __class__ = property(lambda self: aiohttp.ClientSession)

    def __init__(
        self,
        base_url: str | URL | None = None,
        *,
        headers: LooseHeaders | None = None,
        cookies: LooseCookies | None = None,
        auth: AuthLike | None = None,
        timeout: TimeoutLike | Unset = UNSET,
        raise_for_status: RaiseForStatus | None = False,
        middlewares: Sequence[Middleware] | None = (),
        connector: Transport | aiohttp.BaseConnector | None = None,
        proxy: ProxyOrNone = None,
        trust_env: bool = False,
        cookie_jar: AbstractCookieJar | None = None,
        json_serialize: Callable[[Any], str | bytes] = json_module.dumps,
        json_serialize_bytes: Callable[[Any], bytes] | None = None,
        response_class: type[ClientResponse] | type[aiohttp.ClientResponse] | None = None,
        ws_response_class: type[ClientWebSocketResponse]
        | type[aiohttp.ClientWebSocketResponse[Any]]
        | None = None,
        trace_configs: Sequence[TraceConfig] | None = None,
        connector_owner: bool = True,
        resolve: ResolveLike | None = None,
        proxies: Mapping[str, ProxyOrNone] | None = None,
        proxy_auth: ProxyAuthLike | None = None,
        proxy_headers: LooseHeaders | None = None,
        proxy_ssl: SSLOption | None = None,
        env_proxies: bool | None = None,
        netrc: NetrcLike | None = None,
        **further: Unpack[FurtherSessionArguments],
    ) -> None:
        options, old = split_further(further)
        self._lifecycle = lifecycle = Lifecycle(old.get("loop"), owner=connector_owner)
        warn_of_patches()
        if is_of_aiohttp(response_class):
            response_class = grafted("response_class", cast(type, response_class), ClientResponse)
        if is_of_aiohttp(ws_response_class):
            ws_response_class = grafted(
                "ws_response_class", cast(type, ws_response_class), ClientWebSocketResponse
            )
        check_parts(connector, cookie_jar, response_class, ws_response_class)
        if old:
            timeout = take_old(old, timeout, ClientSession)
        check_truths(
            {
                "connector_owner": connector_owner,
                "env_proxies": env_proxies,
                "trust_env": trust_env,
            }
        )
        trust_env = bool(trust_env)
        netrc_logins = netrc_step(netrc, trust_env=trust_env)
        url, credentials = base_and_auth(base_url, auth)
        session_proxies = SessionProxies(
            connector,
            proxy,
            proxy_auth,
            proxy_headers,
            proxy_ssl,
            proxies,
            trust_env if env_proxies is None else env_proxies,
            None if netrc_logins is None else netrc_logins.login_of,
        )
        self._settings = settings = SessionSettings(
            base_url=url,
            auth=credentials,
            authenticate=authenticate if netrc_logins is None else netrc_logins,
            timeout=DEFAULT_TIMEOUT if isinstance(timeout, Unset) else coerce_timeout(timeout),
            options=checked_options(
                connector,
                session_proxies,
                cast(type[ClientResponse], response_class or ClientResponse),
                options,
            ),
            json_serialize=json_serialize,
            json_serialize_bytes=json_serialize_bytes,
            raise_for_status=False if raise_for_status is None else raise_for_status,
            trust_env=trust_env,
            middlewares=() if middlewares is None else checked_middlewares(middlewares),
            proxies=session_proxies,
            ws_response_class=cast(
                type[ClientWebSocketResponse], ws_response_class or ClientWebSocketResponse
            ),
        )
        self._trace_configs = TraceConfigs(trace_configs)
        self._defaults = default_headers(settings.auto_fields, headers)
        jar = CookieJar() if cookie_jar is None else cookie_jar
        if cookies is not None:
            put_cookies(jar, cookies, settings.base_url)
        lifecycle.connect(connector, resolve, old.get("ssl_shutdown_timeout"))
        self._open(jar)

    def _open(self, jar: AbstractCookieJar) -> None:
        """Make the parts that follow from the others; from here on calls can be made."""
        lifecycle, settings = self._lifecycle, self._settings
        self._cookie_jar = jar
        self._cookies = Cookies(jar)
        self._builder = RequestBuilder(settings, self._defaults, jar, lifecycle.loop, ref(self))
        transport = cast(Transport, lifecycle.connector)
        self._offers = SessionOffers(
            settings.authenticate,
            self._cookies,
            transport.send if isinstance(transport, BaseConnector) else sending_by(transport),
        )
        self._chain = self._compose(settings.middlewares, settings.options.signer)
        attach(settings.middlewares, self)
        lifecycle.open()

    def with_auth(self, auth: AuthLike | None) -> "ClientSession":
        """Return a session for another user of the same service: with other credentials, over the same connector.

        It has this one's settings, middlewares, signer and fields, but for ``Authorization`` and ``Cookie``, and a
        cookie jar of its own. Closing it leaves the connector open, which this session closes.

        Args:
            auth: its default credentials; None for none.

        Raises:
            RuntimeError: this session is closed, or belongs to another event loop.
            TypeError, ValueError: the credentials cannot be sent.
        """
        lifecycle = self._lifecycle
        if lifecycle.ended or get_running_loop() is not lifecycle.loop:
            raise lifecycle.unusable()
        other = object.__new__(type(self))
        other._lifecycle = Lifecycle(None, owner=False)
        other._settings = settings = self._settings.with_auth(auth)
        other._trace_configs = TraceConfigs(self._trace_configs)
        given = self.headers.copy()
        for name in (AUTHORIZATION, COOKIE):
            given.popall(name, None)
        other._defaults = default_headers(settings.auto_fields, given)
        other._lifecycle.connect(lifecycle.connector, None, None)
        other._open(_empty_like(self._cookie_jar))
        return other

    def _compose(
        self,
        middlewares: Sequence[Middleware],
        signer: Signer | None,
        tracker: UploadTracker | None = None,
    ) -> Handler:
        """Compose the steps of a request; this list is the order in which they act."""
        connector = cast(Transport, self._lifecycle.connector)
        is_ours = isinstance(connector, BaseConnector)
        send = connector.send if is_ours else sending_by(connector)
        tidy = all(map(is_tidy, middlewares))
        return compose(
            [
                *(() if is_ours and tidy else (within_total,)),
                follow_redirects,
                *(() if tidy else (release_dropped_responses,)),
                *(middlewares if tidy else map(returning_a_response, middlewares)),
                self._settings.authenticate,
                self._cookies.exchange,
                *(() if signer is None else (sign,)),
            ],
            send if tracker is None else CountAttempts(tracker, send),
        )

    def _chain_with(self, arguments: CallArguments) -> Handler:
        """Return the chain of a call whose *arguments* may change the middlewares, or have a tracker."""
        middlewares, tracker = arguments.get("middlewares"), arguments.get("upload_tracker")
        steps = self._settings.middlewares
        if middlewares is not None:
            steps = checked_middlewares(middlewares)
        if not STEPS.isdisjoint(arguments):
            steps = changed(steps, arguments)
        of_session = self._settings.options.signer
        signer = arguments.get("signer", of_session)
        if steps is self._settings.middlewares and tracker is None and signer is of_session:
            return self._chain
        return self._compose(steps, signer, tracker)

    # Requests

    def request(
        self, method: str, url: str | URL, *misplaced: Never, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send a request; await the result for the response, or enter it with ``async with``.

        Args:
            method: a token; sent in upper case.
            url: absolute, or relative to ``base_url``; with a ``UnixConnector`` also ``unix://host/path``, which is
                ``http://host/path`` there.
            params: appended to the URL's query: mapping, pairs, or a string that is encoded already.
            data: body: bytes, str, form fields (mapping or pairs), file object, (async) iterable of bytes,
                ``FormData``, ``MultipartWriter`` or another aiohttp payload.
            json: body: any value that ``json_serialize`` takes; not together with *data*.
            headers: laid over the session's: mapping or pairs; None as a value removes a field.
            cookies: sent with this request (not to another origin), not stored; a ``Morsel`` only where its attributes
                let it go: a Secure one by TLS alone.
            auth: credentials: ``BasicAuth``, ``BearerAuth`` …, (login, password), or a function that takes the request,
                instead of the session's; ``NO_AUTH`` for none.
            timeout: seconds in total, (connect, read), None for no limit, or a ``ClientTimeout``; instead of the
                session's.
            allow_redirects: whether redirects are followed.
            raise_for_status: whether a status of 400 or more raises ``StatusError``, or a coroutine function that
                checks the response; instead of the session's.
            middlewares: ``async (request, handler) -> response`` steps, the first one outermost, instead of the
                session's.
            max_redirects: how many redirects are followed; None as the session says.
            on_too_many: "raise" ``TooManyRedirects`` after that many, or "return" the redirect that would be next.
            redirect_policy: a ``RedirectPolicy``: what redirects may take along to another origin; None as the session
                says.
            signer: signs each attempt last: ``HMACSigner``, ``HTTPMessageSigner``, ``SigV4Signer``, or a function that
                takes an ``UnsignedRequest``, instead of the session's; None for none.
            ssl: True verifies certificates, False does not; an ``SSLContext``, a ``Fingerprint`` or ``"system"``.
            server_hostname: the name to verify, and to send as SNI, instead of the URL's host.
            proxy: a URL or ``Proxy`` to go by, all redirects included; ``DIRECT`` for none; None as the session says.
            proxies: proxies by scheme and host, as the session takes them, instead of the session's own.
            proxy_auth: (login, password), ``BasicAuth`` or ``ProxyDigestAuth`` for *proxy*; without it, for the one
                that the session chooses for this URL, in place of what the session says. A redirect to where another
                proxy serves leaves it behind.
            proxy_headers: fields that the proxy gets, and no server; for *proxy* or the chosen one, as *proxy_auth*.
            proxy_ssl: as *ssl*, for TLS with an ``https`` proxy; for *proxy* or the chosen one, as *proxy_auth*.
            compress: send the body in a content coding: "gzip", "br", "zstd", "deflate", or True for the last one.
            chunked: True sends the body in chunks though its length is known.
            progress: called with (bytes sent, bytes in all or None) while the body is sent; a function or coroutine
                function.
            upload_tracker: an ``UploadTracker`` to look at meanwhile.
            expect100: wait for ``100 Continue`` before the body is sent.
            expect100_timeout: after so many seconds without an answer the body is sent all the same; None for no limit.
            version: "2" (as *http2*), "1.1" or "1.0".
            http2: True speaks HTTP/2 with servers that offer it over TLS, ``"prior-knowledge"`` without TLS too; None
                as the session says.
            skip_auto_headers: names of default fields that are not sent, beside the session's.
            auto_decompress: whether the content coding of the response is undone; None as the session says.
            max_body_size: bytes of a decoded response body, after which ``BodyTooLargeError`` is raised; None for no
                limit.
            read_bufsize: bytes of a body kept ahead of the reader; None as the session says.
            read_until_eof: whether a response without length ends with the connection; False: it has no body.
            cache_mode: what a ``Cache`` of the session does: "default", "no-store" (nothing), "reload" (the server is
                asked, and the response stored), "no-cache" (the server is asked whether what is stored is still good),
                "force-cache" (whatever is stored answers, stale too), "only-if-cached" (so, or 504).
            cache_ttl: seconds for which a ``Cache`` takes the response for fresh, ``FOREVER`` for ever; None for what
                it says itself.
            cacheable: False keeps a ``Cache`` out; True lets it answer a request of any method, by its body.
            lenient: whether a response is read that breaks the rules of HTTP as some old devices do; None as the
                session says.
            max_line_size, max_field_size, max_headers: a limit on the response's head: bytes, bytes, number of fields;
                None as the session says.
            verify_ssl, ssl_context, fingerprint: an older spelling of *ssl*.
            retry: a ``Retry`` in the place of the session's, or innermost where there is none; None for no further
                attempts.
            rate_limit: a ``RateLimit`` in the place of the session's, or innermost where there is none; None for no
                limit.
            cache: a ``Cache`` in the place of the session's, or innermost where there is none; None for no cache.
            circuit_breaker: a ``CircuitBreaker`` in the place of the session's, or innermost where there is none; None
                for none.
            coalesce: a ``Coalesce`` in the place of the session's, or innermost where there is none; None to share no
                response.
            concurrency_limit: a ``ConcurrencyLimit`` or ``AdaptiveLimit`` in the place of the session's, or innermost
                where there is none; None for none.
            hedge: a ``Hedge`` in the place of the session's, or innermost where there is none; None for no second
                request.
            priority: a ``Priority``: how urgent the response is (RFC 9218).
            trace_request_ctx: any object; the callbacks of a trace config find it in their context.
            encoding: the charset of text and forms in *data* (deprecated: encode them yourself).

        Raises:
            ValueError, TypeError: before anything is sent, for what cannot be sent.
            ClientError, TimeoutError: everything that goes wrong from then on, which ``CALL_ERRORS`` names together;
                see ``aioclient.exceptions``.
        """
        return self._call(method, url, arguments, misplaced)

    def get(
        self, url: str | URL, *misplaced: Never, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send a GET request; see ``request()``."""
        return self._call("GET", url, arguments, misplaced)

    def options(
        self, url: str | URL, *misplaced: Never, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send an OPTIONS request; see ``request()``."""
        return self._call("OPTIONS", url, arguments, misplaced)

    def head(
        self, url: str | URL, *misplaced: Never, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send a HEAD request, which follows no redirects by default; see ``request()``."""
        arguments.setdefault("allow_redirects", False)
        return self._call("HEAD", url, arguments, misplaced)

    def post(
        self, url: str | URL, *misplaced: Never, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send a POST request; see ``request()``."""
        return self._call("POST", url, arguments, misplaced)

    def put(
        self, url: str | URL, *misplaced: Never, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send a PUT request; see ``request()``."""
        return self._call("PUT", url, arguments, misplaced)

    def patch(
        self, url: str | URL, *misplaced: Never, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send a PATCH request; see ``request()``."""
        return self._call("PATCH", url, arguments, misplaced)

    def delete(
        self, url: str | URL, *misplaced: Never, **arguments: Unpack[RequestArguments]
    ) -> RequestContextManager:
        """Send a DELETE request; see ``request()``."""
        return self._call("DELETE", url, arguments, misplaced)

    def _call(
        self,
        method: str,
        url: str | URL,
        arguments: RequestArguments,
        misplaced: tuple[object, ...],
    ) -> RequestContextManager:
        if misplaced:
            raise by_position(method, misplaced)
        current: Any = arguments  # CallArguments, once old spellings are replaced
        tracker = None
        if arguments and not LOOKED_AT.isdisjoint(arguments):
            tracker = arguments.get("upload_tracker")
            try:
                current = modern(arguments)
            except BaseException:
                give_up(tracker)
                raise
        if self._lifecycle.debug:
            current = {**current, "creation_site": CreationSite(self._lifecycle.loop)}
        if tracker is not None:
            return RequestContextManager(settle(tracker, self._request, method, url, current))
        return RequestContextManager(self._request(method, url, **current))

    def ws_connect(
        self, url: str | URL, **arguments: Unpack[WebSocketArguments]
    ) -> WebSocketContextManager:
        """Open a WebSocket; await the result, or enter it with ``async with``.

        The handshake is a request of this session: its headers, cookies, credentials, TLS settings, redirects,
        middlewares and traces act on it, and the arguments of ``request()`` for them are taken too. An open WebSocket
        holds a connection of the pool, or a stream of an HTTP/2 connection where the server offers that (RFC 8441).

        Args:
            url: ``ws://``, ``wss://``, ``http://`` or ``https://``, absolute or relative to ``base_url``.
            headers: laid over the session's.
            protocols: subprotocols to offer, best first; ``protocol`` tells which one the server chose.
            heartbeat: seconds of silence after which a ping is sent; None for none.
            pong_timeout: seconds within which something must come after that; half of *heartbeat* by default.
            timeout: a ``ClientWSTimeout``: ``ws_receive`` limits the wait for a message (None: no limit), ``ws_close``
                that for the server's close frame (10 s). A number is an older spelling of ``ws_close``.
            handshake_timeout: of the handshake, as a request's ``timeout``; by default the session's.
            max_msg_size: bytes of a message, decompressed; 0 for no limit.
            compress: offer permessage-deflate: True, or a window of 9 to 15 bits; 0 for not.
            autoping: answer pings; with False they are received as messages, and pongs too.
            autoclose: answer the server's close frame when it is received.
            decode_text: whether text is ``str``; with False it is bytes, which are not checked to be UTF-8.
            origin: the ``Origin`` field, for servers that ask for one.
            method: of the handshake.
            receive_timeout: an older spelling of ``ws_receive``.

        Raises:
            HandshakeRefusedError: the server did not switch protocols as it must, with ``status``, ``headers`` and
                the first 64 KiB of the ``body``.
            ValueError, TypeError: before anything is sent, for what cannot be sent.
            ClientError: as a request.
        """
        return WebSocketContextManager(
            open_websocket(self.request, self._settings.ws_response_class, url, **arguments)
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
            InvalidURL: *url* is not a URL.
            TypeError: an argument does not exist, or *on_connect* cannot be called.
        """
        check_callable("on_connect", on_connect)
        opener = Opener(self, self.ws_connect, url, headers, arguments)
        return ReconnectingWebSocket(
            self._lifecycle.reconnecting, opener.label, opener, policy, on_connect
        )

    async def _request(
        self, method: str, url: str | URL, **arguments: Unpack[CallArguments]
    ) -> ClientResponse:
        # aiohttp's name and signature: caches override it.
        lifecycle = self._lifecycle
        if lifecycle.closed or get_running_loop() is not lifecycle.loop:
            raise lifecycle.unusable()
        began = lifecycle.loop.time() if logs_requests(DEBUG) else None
        plain = not arguments or PLAIN.issuperset(arguments)
        try:
            request = self._builder.build(method, url, arguments, plain)
        except NonHttpUrlClientError as error:
            url = self._unix_url(url, error)
            request = self._builder.build(method, url, arguments, plain)
        handler, check = self._chain, self._settings.raise_for_status
        if not plain:
            check = chosen_check(arguments.get("raise_for_status"), check)
            handler = self._chain_with(arguments)
        trace: RequestTrace | None = None
        response: ClientResponse | None = None
        try:
            if self._trace_configs:
                request.trace = trace = RequestTrace(request, self._trace_configs)
                await trace.request_start(arguments.get("trace_request_ctx"))
            if not plain and not OF_THE_BODY.isdisjoint(arguments):
                prepare_upload(request, arguments)
            response = await handler(request)
            if began is not None:
                log_response(request, response, lifecycle.loop.time() - began)
            if check:
                await check_response(response, check)
            if trace is not None:
                await trace.request_end(response)
        except BaseException as error:
            if began is not None and response is None:
                log_failure(request, error, lifecycle.loop.time() - began)
            if trace is not None:
                await _trace_failure(trace, response, error)
            raise
        return response

    def _unix_url(self, url: str | URL, error: NonHttpUrlClientError) -> str | URL:
        """Return ``unix://host/path`` as the URL that a ``UnixConnector`` takes; raise *error* for any other."""
        if not isinstance(self._lifecycle.connector, UnixConnector):
            raise error
        return over_http(url)

    # The end

    async def close(self) -> None:
        """Close the session, and its connector if it owns it; afterwards no socket is left.

        Raises:
            RuntimeError: the session's event loop runs in another thread.
        """
        lifecycle = self._lifecycle
        try:
            if not lifecycle.closed and get_running_loop() is lifecycle.loop:
                await detach(self._settings.middlewares, self)
        finally:
            await lifecycle.close()

    def detach(self) -> None:
        """Release the connector without closing it; the session is closed then."""
        self._lifecycle.detach()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    if not TYPE_CHECKING:  # a type checker would accept it as a context manager

        def __enter__(self) -> None:
            raise TypeError("use 'async with' with a ClientSession")

        def __exit__(self, *_: object) -> None:
            """Never reached: ``__enter__`` raises."""

    def __del__(self) -> None:
        # A session whose constructor failed early has no lifecycle.
        lifecycle: Lifecycle | None = getattr(self, "_lifecycle", None)
        if lifecycle is not None and not lifecycle.ended and lifecycle.owner:
            warnings.warn(
                f"unclosed session {self!r}; use 'async with', or await its close(): made at {lifecycle.creation_site}",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
            report_unclosed(
                lifecycle.loop,
                lifecycle.creation_site,
                message="Unclosed client session",
                client_session=self,
            )

    def __repr__(self) -> str:
        state = "closed" if self.closed else repr(self.connector)
        base = "" if self.base_url is None else f" {shown(self.base_url)}"
        return f"<ClientSession{base} {state}>"


async def _trace_failure(
    trace: RequestTrace, response: ClientResponse | None, error: BaseException
) -> None:
    """Tell *trace* of what ended a call; a *response* that came before is not handed over."""
    if response is not None:
        response.close()
    await trace.request_exception(error)


def _empty_like(jar: AbstractCookieJar) -> AbstractCookieJar:
    """Return a jar with the settings of *jar*, and none of its cookies."""
    if isinstance(jar, DummyCookieJar):
        return DummyCookieJar()
    return CookieJar(
        unsafe=jar.unsafe,
        quote_cookie=jar.quote_cookie,
        treat_as_secure_origin=jar.treat_as_secure_origin,
    )
