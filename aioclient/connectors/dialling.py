"""Making connections: the time limits, the socket, TLS."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Collection
from ssl import SSLContext
from typing import Final, cast
from weakref import WeakSet

from ..exceptions import ClientConnectorError, ConnectTimeoutError, TotalTimeoutError
from ..exchange import Exchange
from ..message.origin import ConnectionKey
from ..message.request import Request
from ..message.timings import Phases
from ..protocols.connection import HttpConnection, Owner
from ..protocols.http1.connection import BufferedHttp1Connection, Http1Connection
from ..protocols.http2.settings import LocalSettings
from ..protocols.leftovers import AwaitingALPN, BeforeTLS, LeftoversProtocol
from ..response.trace import CallTrace
from ..warning import HTTP2Warning, warn_caller
from .binding import Binding
from .errors import add_request, connect_error
from .http2 import HTTP2Settings
from .limits import Limit, earliest, ends
from .shutdown import CLOSE_TIME, CLOSE_TURNS, OpenSockets, closed_error
from .sockets import Create, make_transport
from .tls import HTTP1, HTTP2, Setting, TLSPlan, plan_tls

# Bytes read at a time: 256 KiB from the socket, as in asyncio's own loops (fewer cost more system calls for large
# bodies), and up to one TLS record that began in the last read. A smaller buffer would be filled a second time.
READ_SIZE: Final = (256 + 32) * 1024


class Dial:
    """A connection being made: its time limit, and the missing part, for the error text.

    ``phases`` records the seconds of each phase; they are reported to ``trace``, if there is one.
    """

    __slots__ = ("missing", "phases", "timeout", "trace")

    def __init__(
        self, when: float | None, missing: str, phases: Phases, trace: CallTrace | None
    ) -> None:
        self.timeout: asyncio.Timeout = asyncio.timeout_at(when)
        self.missing: str = missing
        self.phases: Phases = phases
        self.trace: CallTrace | None = trace


Connect = Callable[[Request, ConnectionKey, Dial], Awaitable[HttpConnection]]
"""Makes a connection: the ``_connect()`` of a connector."""


class Dialler:
    """Makes connections that report to *owner*, and registers in *sockets* what must be closed at the end.

    Attributes:
        ssl: The TLS setting for requests that set no ``ssl=``.
        own_context: The context for that setting, once a user has asked for it and may have changed it.
        protocols: Constructors of connections for keys that allow more than HTTP/1.1, by the protocol's name in ALPN.
            Each connection is also an ``asyncio.Protocol``.
        http2: The settings of HTTP/2.
        conn_timeout: Seconds for one new connection; None for the request's own limit.
        close_time: Seconds for a server to answer the close_notify of TLS.
    """

    __slots__ = (
        "_binding",
        "_buffer",
        "_keep_alive",
        "_owner",
        "_sockets",
        "close_time",
        "conn_timeout",
        "http2",
        "own_context",
        "protocols",
        "ssl",
    )

    def __init__(
        self, owner: Owner, sockets: OpenSockets, binding: Binding, *, keep_alive: bool
    ) -> None:
        self.protocols: dict[str, Callable[[ConnectionKey], HttpConnection]] = {}
        self.http2: HTTP2Settings = HTTP2Settings(LocalSettings(), None)
        self.ssl: Setting = True
        self.own_context: SSLContext | None = None
        self.conn_timeout: float | None = None
        self.close_time: float = CLOSE_TIME
        self._owner = owner
        self._sockets = sockets
        self._binding = binding
        self._keep_alive = keep_alive
        self._buffer: memoryview | None = None

    def may_carry_many(self, key: ConnectionKey) -> bool:
        """Tell whether connections of *key* may carry several exchanges at a time, because another protocol may be
        spoken.

        Without TLS nothing is negotiated, and the protocol in HTTP/1.1's place is spoken.
        """
        return key.http2 or (bool(self.protocols) and (key.is_ssl or HTTP1 in self.protocols))

    async def dial(
        self, exchange: Exchange, start: float, phases: Phases, connect: Connect
    ) -> HttpConnection:
        """Make a connection for *exchange*, which has a slot, with *connect*; *start* is when it asked for one.

        Raises:
            ClientConnectorError: it could not be made.
            ClientConnectionError: the connector was closed, or the server closed the connection at once.
            ConnectTimeoutError, TotalTimeoutError: the time was over.
        """
        request, key = exchange.request, exchange.key
        limit = self.limit(request, start)
        dial = Dial(
            None if limit is None else limit.end,
            f"no connection to {key.host}:{key.port}",
            phases,
            request.trace,
        )
        self._sockets.dials.add(dial.timeout)
        try:
            self._sockets.check_open(request)
            async with dial.timeout:
                if dial.trace is None:
                    connection = await connect(request, key, dial)
                else:
                    connection = await _connect_traced(connect, request, key, dial, dial.trace)
            if self._sockets.ended:
                connection.abort()
                raise closed_error(request)
            if connection.broken:
                await _end_of(connection)
                raise connection.early_end(request)
            return connection
        except ClientConnectorError as error:
            add_request(error, request, key)
            raise
        except TimeoutError as error:
            if not dial.timeout.expired():
                raise
            if self._sockets.ended:
                raise closed_error(request) from None
            raise dial_error(request, cast(Limit, limit), dial) from error
        finally:
            self._sockets.discard_dial(dial.timeout)

    def limit(self, request: Request, start: float) -> Limit | None:
        """Return the limit of a dial that begins now for *request*, which asked for a connection at *start*."""
        timeout = request.timeout
        return earliest(
            (
                ("total", timeout.total, request.deadline),
                *ends(start, connect=timeout.connect),
                *ends(
                    self._binding.bound_loop.time(),
                    sock_connect=timeout.sock_connect,
                    conn_timeout=self.conn_timeout,
                ),
            )
        )

    async def plan(self, request: Request, key: ConnectionKey) -> TLSPlan | None:
        """Return the TLS plan for the key's host; None without TLS.

        Raises:
            ClientConnectorError: TLS is impossible with that name or setting.
        """
        if not key.is_ssl:
            return None
        name = key.server_hostname or request.origin.host
        try:
            if key.ssl is True:
                return await plan_tls(self.ssl, name, self.own_context, http2=key.http2)
            return await plan_tls(key.ssl, name, http2=key.http2)
        except OSError as error:
            raise connect_error(key, error) from error

    async def establish(
        self,
        create: Create,
        sock: socket.socket,
        key: ConnectionKey,
        plan: TLSPlan | None,
        dial: Dial,
        peer: ConnectionKey | None = None,
    ) -> HttpConnection:
        """Make a connection from a connected socket: with *create*, a method of the event loop, and TLS by *plan*.

        The handshake is with *peer* if that is not the key's host.

        Raises:
            OSError: the TLS handshake failed, or negotiated a protocol other than HTTP/1.1.
            ServerFingerprintMismatch: the certificate is not the pinned one; no byte of a request was sent.
        """
        self._sockets.handshakes.add(sock)
        if plan is None:
            connection = self._new_connection(HTTP2 if key.http2 else HTTP1, key)
            try:
                await make_transport(create, sock, cast(asyncio.Protocol, connection))
            except BaseException:
                # When it is cancelled at its end, uvloop has called connection_made() and will never call
                # connection_lost().
                self._sockets.discard(connection)
                raise
        else:
            plain = BeforeTLS()
            await make_transport(create, sock, plain)
            connection = await self.establish_within(plain.take(), key, plan, dial, peer)
        self._sockets.handshakes.discard(sock)
        return connection

    async def establish_within(
        self,
        outer: asyncio.Transport,
        key: ConnectionKey,
        plan: TLSPlan | None,
        dial: Dial,
        peer: ConnectionKey | None = None,
    ) -> HttpConnection:
        """Make a connection inside *outer*, which passes bytes on to the key's host; TLS by *plan*.

        *outer* is a transport that ``start_tls()`` accepts; it is closed if this fails.

        Raises:
            OSError, ServerFingerprintMismatch: as for ``establish()``.
        """
        if plan is None:
            connection = self._new_connection(HTTP2 if key.http2 else HTTP1, key)
            protocol = cast(asyncio.Protocol, connection)
            outer.set_protocol(protocol)
            protocol.connection_made(outer)
            return connection
        other = key if peer is None else peer
        dial.missing = f"no TLS handshake with {other.host}:{other.port}"
        begin = self._binding.bound_loop.time()
        first = AwaitingALPN()
        spoken = (HTTP1, *self.protocols, HTTP2) if key.http2 else (HTTP1, *self.protocols)
        secured, chosen = await self.secure(outer, first, plan, spoken)
        if key.http2 and plan.is_users and chosen != HTTP2:
            try:
                _warn_of_context(plan.context, key)
            except Warning:
                outer.abort()
                raise
        dial.phases.tls = self._binding.bound_loop.time() - begin
        if outer.get_extra_info("ssl_object") is None:
            outer.set_protocol(LeftoversProtocol(outer, secured))
        connection = self._new_connection(chosen, key)
        first.hand_over(secured, cast(asyncio.Protocol, connection))
        return connection

    async def secure(
        self,
        outer: asyncio.Transport,
        protocol: asyncio.Protocol,
        plan: TLSPlan,
        spoken: Collection[str] = (HTTP1,),
    ) -> tuple[asyncio.Transport, str]:
        """Start TLS inside *outer* by *plan*; return its transport, with *protocol*, and the protocol chosen by ALPN.

        Raises:
            OSError: the handshake failed, or negotiated a protocol that is not in *spoken*; *outer* is closed.
            ServerFingerprintMismatch: the certificate is not the pinned one; *outer* is closed.
        """
        try:
            secured = await self._binding.bound_loop.start_tls(
                outer,
                protocol,
                plan.context,
                server_hostname=plan.server_hostname,
                ssl_shutdown_timeout=self.close_time,
            )
            # uvloop does not report a loss during the handshake.
            if secured is None or outer.is_closing():
                raise OSError(errno.ECONNRESET, "the connection was closed within the handshake")
            return secured, plan.check(secured, spoken)
        except BaseException:
            outer.abort()
            raise

    def _new_connection(self, protocol: str, key: ConnectionKey) -> HttpConnection:
        make = self.protocols.get(protocol)
        if make is not None:
            return make(key)
        loop = self._binding.bound_loop
        has_buffer = not isinstance(loop, asyncio.BaseEventLoop)
        if self._buffer is None and not has_buffer:
            self._buffer = memoryview(bytearray(READ_SIZE))
        if protocol == HTTP2:
            from ..protocols.http2 import connection as http2  # needs an extra

            local, ping = self.http2.local, self.http2.ping
            if self._buffer is None:
                return http2.Http2Connection(self._owner, key, loop, local, ping)
            return http2.BufferedHttp2Connection(self._owner, key, loop, self._buffer, local, ping)
        if self._buffer is None:
            return Http1Connection(self._owner, key, loop, keep_alive=self._keep_alive)
        return BufferedHttp1Connection(
            self._owner, key, loop, self._buffer, keep_alive=self._keep_alive
        )


# A context that serves many requests causes one warning only.
_warned: "WeakSet[SSLContext]" = WeakSet()


def _warn_of_context(context: SSLContext, key: ConnectionKey) -> None:
    """Warn, once, that a handshake with a user's *context* did not choose HTTP/2; its offer cannot be read back."""
    if context in _warned:
        return
    _warned.add(context)
    warn_caller(
        f"http2=True, and HTTP/1.1 is spoken with {key.host}:{key.port}: the server does not speak HTTP/2, or your "
        "SSLContext does not offer it; call context.set_alpn_protocols(['h2', 'http/1.1'])",
        HTTP2Warning,
    )


async def _connect_traced(
    connect: Connect, request: Request, key: ConnectionKey, dial: Dial, trace: CallTrace
) -> HttpConnection:
    """Make a connection, and report to *trace* before and after."""
    await trace.connection_create_start()
    connection = await connect(request, key, dial)
    try:
        await trace.connection_create_end()
    except BaseException:
        connection.abort()
        raise
    return connection


def dial_error(request: Request, limit: Limit, dial: Dial) -> TimeoutError:
    """Return the error of *dial*, which reached its *limit*."""
    if limit.phase == "total":
        return TotalTimeoutError(request.method, request.url, limit.seconds, dial.missing)
    return ConnectTimeoutError(
        request.method, request.url, limit.seconds, dial.missing, limit.phase
    )


async def _end_of(connection: HttpConnection) -> None:
    """Close a connection that ends, and wait until the event loop has reported why, a few iterations later."""
    connection.abort()
    for _ in range(CLOSE_TURNS):
        if connection.gone:
            break
        await asyncio.sleep(0)
