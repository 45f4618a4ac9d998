"""The base of all connectors: settings, the path of a request, the end.

A connector is the last step of the chain. It gets each request a connection (an idle one, a new one, or a place in the
queue), runs the exchange on it, and takes the connection back when the response's body has ended. Its parts:

===============  =====================================================================
``pool``         which connection a request may use: bookkeeping only
``driver``       carries out the pool's decisions, and receives the reports of connections
``dialling``     makes connections, with TLS and within the time allowed
``shutdown``     what is open, and the wait until it is closed
``binding``      the event loop and the process
===============  =====================================================================
"""

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from inspect import signature
from ssl import CERT_REQUIRED, SSLContext
from types import TracebackType
from typing import Final, Never, Self, TypedDict, cast
from weakref import WeakSet, ref

from ..chain import note_unread
from ..exceptions import ClientOSError, ServerDisconnectedError
from ..exchange import NOTHING, Exchange, repeatable
from ..message.origin import ConnectionKey
from ..message.request import HTTP2Option, Request, check_lenient
from ..message.timings import Phases
from ..message.unknown_arguments import unknown_arguments
from ..message.unset import UNSET, Unset
from ..protocols.connection import HttpConnection, NotOfferedError
from ..protocols.http1.head import check_head
from ..response.client_response import ClientResponse
from ..response.trace import CallTrace
from ..warning import CreationSite, report_unclosed, warn_legacy
from .binding import Binding
from .dialling import Dial
from .driver import PoolDriver
from .http1_only import Http1OnlyKeys
from .http2 import check_connections, http2_settings, require_http2
from .other_origins import OtherOrigins
from .pool import Pool, PoolStatistics
from .private_names import ConnectorPrivateNames
from .shutdown import Closing, OpenSockets, closed_error
from .tls import Fingerprint, own_context_for

KEEPALIVE_TIMEOUT: Final = 15.0  # seconds, as in aiohttp

live_connectors: "WeakSet[BaseConnector]" = WeakSet()


class ConnectorArguments(TypedDict, total=False):
    """Arguments that a ``TCPConnector`` and a ``UnixConnector`` hand on to ``BaseConnector``, beside its limits."""

    keepalive_timeout: float | None
    """seconds for which an idle connection may be reused, 15 by default; None forever, 0 as ``force_close``. A shorter
    time announced by the server (``Keep-Alive: timeout=...``) is respected."""
    force_close: bool
    """close each connection after one response."""
    retry_stale: bool
    """repeat a request once whose reused connection the server had closed, if no byte of a response came and either the
    method is idempotent or nothing of the request was sent (RFC 9112, section 9.3.1); also, whatever its method, a
    request that an HTTP/2 server says it has not processed (RFC 9113, section 8.7). True by default."""
    lenient: bool
    """the default of sessions that use this connector."""
    http2: HTTP2Option
    """the default of sessions that use this connector."""
    http2_connections: int
    """HTTP/2 connections to one origin at a time, 1 by default; a request that finds no room on them waits as for any
    other connection."""
    http2_ping: float | None
    """seconds of silence after which a ping is sent to an HTTP/2 server; if it does not answer within 20 s, the
    connection is closed and its exchanges fail. None for never."""
    http2_stream_window: int
    """bytes of an HTTP/2 response that may come ahead of its reader, 1 MiB by default."""
    http2_connection_window: int
    """the same for all responses on one connection, 16 MiB by default (RFC 9113, section 5.2)."""
    enable_cleanup_closed: bool
    """does nothing (deprecated: the event loop does it now)."""
    loop: asyncio.AbstractEventLoop | None
    """must be the loop of the first session (deprecated: it always is)."""


class BaseConnector(ConnectorPrivateNames):
    """A pool of connections, and the code that opens them.

    Args:
        limit: connections at a time, idle ones included; 0 or None for no limit.
        limit_per_host: connections at a time to one host, port and TLS setting; 0 for no limit.
        keepalive_timeout: seconds for which an idle connection may be reused, 15 by default; None forever, 0 as
            ``force_close``. A shorter time announced by the server (``Keep-Alive: timeout=...``) is respected.
        force_close: close each connection after one response.
        retry_stale: repeat a request once whose reused connection the server had closed, if no byte of a response came
            and either the method is idempotent or nothing of the request was sent (RFC 9112, section 9.3.1); also,
            whatever its method, a request that an HTTP/2 server says it has not processed (RFC 9113, section 8.7). True
            by default.
        lenient: the default of sessions that use this connector.
        http2: the default of sessions that use this connector.
        http2_connections: HTTP/2 connections to one origin at a time, 1 by default; a request that finds no room on
            them waits as for any other connection.
        http2_ping: seconds of silence after which a ping is sent to an HTTP/2 server; if it does not answer within 20
            s, the connection is closed and its exchanges fail. None for never.
        http2_stream_window: bytes of an HTTP/2 response that may come ahead of its reader, 1 MiB by default.
        http2_connection_window: the same for all responses on one connection, 16 MiB by default (RFC 9113, section
            5.2).
        enable_cleanup_closed: does nothing (deprecated: the event loop does it now).
        loop: must be the loop of the first session (deprecated: it always is).

    Raises:
        ValueError: ``force_close`` and a ``keepalive_timeout`` are both given.
    """

    takes_proxies = False
    """Whether requests may use a proxy; a connector to a single place has no use for one."""

    def __init__(
        self,
        *,
        limit: int | None = 100,
        limit_per_host: int | None = 0,
        keepalive_timeout: float | Unset | None = UNSET,
        force_close: bool = False,
        retry_stale: bool = True,
        lenient: bool = False,
        http2: HTTP2Option = False,
        http2_connections: int = 1,
        http2_ping: float | None = None,
        http2_stream_window: int = 2**20,
        http2_connection_window: int = 2**24,
        enable_cleanup_closed: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        **unknown: Never,
    ) -> None:
        if unknown:
            kind = type(self)
            known = (*signature(kind).parameters, *ConnectorArguments.__annotations__)
            raise unknown_arguments(f"{kind.__name__}()", unknown, known)
        if isinstance(keepalive_timeout, Unset):
            keepalive_timeout = KEEPALIVE_TIMEOUT
        elif force_close and keepalive_timeout:
            raise ValueError(
                f"keepalive_timeout={keepalive_timeout} and force_close=True contradict each other; leave out one"
            )
        if enable_cleanup_closed:
            warn_legacy("enable_cleanup_closed", "leave it out: the event loop closes them itself")
        if loop is not None:
            warn_legacy("loop=", "leave it out: it is the loop of the first session")
        self._force_close = force_close or keepalive_timeout == 0
        self._retry_stale = retry_stale
        self._lenient = check_lenient(lenient)
        self._http2 = require_http2(http2)
        speaking = http2_settings(http2_ping, http2_stream_window, http2_connection_window)
        self._pool: Pool[ConnectionKey, HttpConnection] = Pool(
            limit=limit or 0,
            limit_per_host=limit_per_host or 0,
            keepalive_timeout=keepalive_timeout,
            shared_connections=check_connections(http2_connections),
        )
        self._binding = Binding(loop)
        self._sockets = OpenSockets()
        self._http1_websockets: Http1OnlyKeys[ConnectionKey] = Http1OnlyKeys()
        self._creation_site = CreationSite(loop or asyncio._get_running_loop())
        self._driver = PoolDriver(
            self._pool, self._sockets, self._binding, force_close=self._force_close
        )
        self._dialler = self._driver.dialler
        self._other_origins: OtherOrigins | None = None
        self._dialler.http2 = speaking
        live_connectors.add(self)

    # Settings and state

    @property
    def closed(self) -> bool:
        """Whether the connector was closed."""
        return self._sockets.closed

    @property
    def force_close(self) -> bool:
        """Whether each connection is closed after one response."""
        return self._force_close

    @property
    def lenient(self) -> bool:
        """The default of ``lenient`` for sessions that use it."""
        return self._lenient

    @property
    def http2(self) -> HTTP2Option:
        """The default of ``http2`` for sessions that use it."""
        return self._http2

    @property
    def limit(self) -> int:
        """Connections at a time; 0 for no limit."""
        return self._pool.statistics().limit

    @property
    def limit_per_host(self) -> int:
        """Connections at a time to one host; 0 for no limit."""
        return self._pool.statistics().limit_per_host

    @property
    def verify_ssl(self) -> bool:
        """Whether certificates are verified against authorities, for requests that set no ``ssl=``."""
        setting = self._dialler.ssl
        if isinstance(setting, SSLContext):
            return setting.verify_mode == CERT_REQUIRED
        return setting.verify if isinstance(setting, Fingerprint) else bool(setting)

    @property
    def ssl_context(self) -> SSLContext:
        """The context for requests that set no ``ssl=``; unless it was given, it is made now, on this thread.

        Only this connector uses it. Connections that were made before stay in use when it is changed.
        """
        if self._dialler.own_context is None:
            self._dialler.own_context = own_context_for(self._dialler.ssl)
        return self._dialler.own_context

    @property
    def fingerprint(self) -> bytes | None:
        """The SHA-256 digest of the pinned certificate; None if none is pinned."""
        return self._dialler.ssl.fingerprint if isinstance(self._dialler.ssl, Fingerprint) else None

    def statistics(self) -> PoolStatistics:
        """Return what the pool holds now and has counted so far."""
        return replace(self._pool.statistics(), streams=self._sockets.streams)

    # One request

    def send(self, request: Request) -> Awaitable[ClientResponse]:
        """Send *request* on a connection of the pool; return the response when its head is here."""
        if self._sockets.closed:
            raise closed_error(request)
        key = request.key
        if key.http2:
            if request.options.websocket:
                return self._open_websocket(request, key)
            if self._other_origins is not None:
                return self._exchange_coalesced(request, key, self._other_origins)
        elif key.proxy is not None and not key.tunnel:
            return self._send_to_proxy(request, key)
        return self._exchange(request, key)

    async def _send_to_proxy(self, request: Request, key: ConnectionKey) -> ClientResponse:
        """Send *request* to an HTTP proxy that forwards it; implemented by the subclass."""
        raise NotImplementedError

    async def _open_websocket(self, request: Request, key: ConnectionKey) -> ClientResponse:
        """Ask for a WebSocket over HTTP/2 where the server offers that (RFC 8441), else over HTTP/1.1, beside it."""
        now = self._binding.bound_loop.time()
        if not self._http1_websockets.knows(key, now):
            try:
                return await self._exchange(request, key)
            except NotOfferedError:
                self._http1_websockets.learn(key, now)
        return await self._exchange(request, key._replace(http2=False))

    async def _exchange(
        self,
        request: Request,
        key: ConnectionKey,
        proxy_fields: Sequence[tuple[str, str]] | None = None,
    ) -> ClientResponse:
        """Send *request* on a connection of the pool, and again if the connection was stale.

        *proxy_fields* are for a proxy that forwards it.
        """
        loop = self._binding.loop
        if loop is None:
            raise RuntimeError(f"{self!r} belongs to no event loop yet: give it to a session")
        now = loop.time()
        exchange = Exchange(request, key, now, proxy_fields)
        connection = self._pool.reuse(key, now)
        if connection is None:
            connection = self._driver.share(key)
            if connection is None:
                check_head(exchange)  # before a connection is dialled for it
                connection = await self._driver.obtain(exchange, self._connect)
        elif connection.has_input():
            connection = await self._driver.obtain(exchange, self._connect, connection)
        if request.trace is not None:
            await self._tell(exchange, connection, request.trace)
        try:
            response = await connection.begin(exchange)
        except BaseException as error:
            connection.cancel(exchange)
            if not self._may_repeat(exchange, error):
                raise
            if exchange.sent is not NOTHING and request.content is not None:
                request.content.rewind()
            exchange = Exchange(request, key, now, proxy_fields)
            connection = await self._driver.obtain(exchange, self._connect, fresh=True)
            if request.trace is not None:
                await self._tell(exchange, connection, request.trace)
            try:
                response = await connection.begin(exchange)
            except BaseException:
                connection.cancel(exchange)
                raise
        if exchange.lease is not None:
            self._note_response(exchange)
        return response

    async def _exchange_coalesced(
        self, request: Request, key: ConnectionKey, others: OtherOrigins
    ) -> ClientResponse:
        """Send *request* on a connection of another origin that may carry it, else on one of its own."""
        now = self._binding.bound_loop.time()
        exchange = Exchange(request, key, now)
        connection = await others.find(exchange, now)
        if connection is None:
            return await self._exchange(request, key)
        if request.trace is not None:
            await self._tell(exchange, connection, request.trace)
        try:
            response = await connection.begin(exchange)
        except BaseException as error:
            connection.cancel(exchange)
            if not self._may_repeat(exchange, error):
                raise
        else:
            if response.status != 421 or (request.content is not None and request.content.consumed):
                self._note_response(exchange)
                return response
            others.refuse(key, now)
            response.close()
        if exchange.sent is not NOTHING and request.content is not None:
            request.content.rewind()
        return await self._exchange(request, key)

    def _may_repeat(self, exchange: Exchange, error: BaseException) -> bool:
        """Tell whether *exchange*, which failed with *error*, is repeated."""
        return (
            isinstance(error, (ServerDisconnectedError, ClientOSError))
            and self._retry_stale
            and repeatable(exchange)
        )

    def _note_response(self, exchange: Exchange) -> None:
        """Note which task has the response of *exchange*, if its body is still coming."""
        if exchange.lease is not None:
            exchange.task = ref(cast("asyncio.Task[object]", asyncio.current_task()))
            note_unread(exchange.request, exchange.lease, self._pool)

    async def _tell(self, exchange: Exchange, connection: HttpConnection, trace: CallTrace) -> None:
        """Report to *trace* the connection of *exchange*, and the fields that are sent next."""
        try:
            phases = exchange.phases
            if (
                phases is None or phases.connect is None
            ):  # the connection was not dialled for this exchange
                await trace.connection_reuseconn()
            if trace.wants_headers:
                fields = connection.outgoing(exchange)
                await trace.request_headers_sent(exchange.request, fields)
        except BaseException:
            connection.cancel(exchange)
            raise
        exchange.phases = phases = phases or Phases()
        phases.sending = self._binding.bound_loop.time()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bind it to *loop*, the loop of the first session.

        Raises:
            RuntimeError: the connector is already bound to another loop.
        """
        if self._binding.loop is loop:
            return
        if self._binding.loop is not None:
            if self._binding.is_forked:
                raise RuntimeError(
                    f"{self!r} was made before a fork; make a new one in this process"
                )
            raise RuntimeError(
                f"{self!r} belongs to another event loop; make one inside the loop that uses it"
            )
        self._binding.bind(loop)

    async def _connect(self, request: Request, key: ConnectionKey, dial: Dial) -> HttpConnection:
        """Make a connection for *key*; implemented by the subclass.

        Raises:
            ClientConnectorError: it could not be made.
        """
        raise NotImplementedError

    # The end

    def close(self, *, abort_ssl: bool = False) -> Closing:
        """Close all connections, and fail all waiting requests and dials; await it for the end of the last socket.

        Args:
            abort_ssl: close TLS connections without close_notify.

        Raises:
            RuntimeError: the connector's event loop runs in another thread.
        """
        if not self._sockets.closed or self._sockets.draining:
            self._check_loop()
            self._shut()
        if abort_ssl:
            self._sockets.abort_tls()
        return Closing(self._wait_closed())

    async def drain(self) -> None:
        """Close idle connections now and each other one when its response was read; return when the last is closed.

        No further request is sent, and those that wait for a connection fail. ``close()`` ends this at any time.

        Raises:
            RuntimeError: the connector's event loop runs in another thread.
        """
        if not self._sockets.closed:
            self._check_loop()
            self._driver.drain()
        if self._sockets.draining:
            await self._sockets.wait_drained()
        await self.close()

    def _check_loop(self) -> None:
        if self._binding.is_elsewhere:
            raise RuntimeError(
                f"{self!r} belongs to the event loop of another thread; close it there, "
                "as with asyncio.run_coroutine_threadsafe()"
            )

    def _shut(self) -> None:
        """Begin to close; a subclass closes more."""
        self._driver.shut()

    async def _wait_closed(self) -> None:
        """Return when the last socket is closed."""
        loop = asyncio.get_running_loop()
        if self._binding.loop is loop and not self._binding.is_forked:
            await self._sockets.wait_closed(loop, self._dialler.close_time)

    def disown(self) -> None:
        """Drop all connections, in a forked process: they belong to the parent process."""
        self._sockets.disown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        driver = getattr(self, "_driver", None)
        if driver is None:  # the constructor failed
            return
        sockets = self._sockets
        if sockets.closed or not sockets.connections or self._binding.is_forked:
            return
        _warn(
            f"unclosed connector {self!r}; await its close(): made at {self._creation_site}",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )
        loop = self._binding.loop
        if loop is not None:
            report_unclosed(loop, self._creation_site, message="Unclosed connector", connector=self)
        driver.abandon()

    def __repr__(self) -> str:
        state = "closed" if self._sockets.closed else repr(self._pool)
        if streams := self._sockets.streams:
            state += f" streams={streams}"
        return f"<{type(self).__name__} {state}>"
