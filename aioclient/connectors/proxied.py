"""Requests through a proxy: forwarded by it, or in a tunnel that it opens.

=================  =======================  ==============================================================
the proxy is       the URL is               what it is asked for
=================  =======================  ==============================================================
``http(s)``        ``http``                 the request itself, with all of its URL (RFC 9112, section 3.2.2)
``http(s)``        ``https``, ``ws(s)``     ``CONNECT`` host and port; the request goes through the tunnel
``socks5(h)``      any                      host and port; the request goes through the tunnel
``socks4(a)``      any                      the same
=================  =======================  ==============================================================

If a request goes through a tunnel, the proxy learns its host and port, and nothing else.
"""

import asyncio
import errno
import socket
from typing import Final, cast

from aiohttp.abc import ResolveResult
from multidict import CIMultiDictProxy

from ..exceptions import (
    AddressNotAllowedError,
    ClientConnectorError,
    ClientProxyConnectionError,
    ConnectTimeoutError,
    ProxyRefusedError,
)
from ..message.origin import ConnectionKey
from ..message.proxy import REMOTE_DNS_SCHEMES, Proxy
from ..message.request import Request
from ..protocols.connection import HttpConnection
from ..protocols.http1.head import absolute_form
from ..protocols.leftovers import BeforeTLS
from ..response.client_response import ClientResponse
from .base import BaseConnector
from .dialling import Dial
from .errors import connect_error, proxy_error
from .proxies.connect import ask_for_tunnel, authority, refusal
from .proxies.logins import Logins
from .proxies.socks import UnreachableError, ask_for_connection, require_socks
from .proxies.wire import Nested, SocketWire, TransportWire, Wire
from .sockets import make_transport
from .tls import TLSPlan, plan_tls

_AUTHENTICATION_REQUIRED: Final = 407  # Proxy Authentication Required (RFC 9110, section 15.5.8)


class ProxiedConnector(BaseConnector):
    """A connector whose requests may use a proxy; the subclass implements how an address is reached.

    All arguments are those of ``BaseConnector``.
    """

    takes_proxies = True
    _logins: Logins

    async def _addresses(
        self, dns_name: str, key: ConnectionKey, dial: Dial
    ) -> list[ResolveResult]:
        """Return the addresses of *dns_name*."""
        raise NotImplementedError

    async def _dial(self, dns_name: str, key: ConnectionKey, dial: Dial) -> socket.socket:
        """Return a socket connected to *dns_name* at the key's port."""
        raise NotImplementedError

    async def _send_to_proxy(self, request: Request, key: ConnectionKey) -> ClientResponse:
        """Send *request* to an HTTP proxy that forwards it, and again if the proxy sends a challenge.

        Raises:
            ProxyRefusedError: it demands other credentials (407).
            BodyConsumedError: the request must be sent again, and its body cannot be.
        """
        proxy = cast(Proxy, key.proxy)
        target = absolute_form(request)
        again = False
        while True:
            fields = self._logins.fields(proxy, request.method, target)
            response = await self._exchange(request, key, fields)
            if response.status != _AUTHENTICATION_REQUIRED:
                return response
            response.release()
            if again or not self._logins.learn(proxy, response.headers):
                raise refusal(
                    request, proxy, response.status, response.reason or "", response.headers
                )
            again = True
            if request.content is not None:
                request.content.rewind()

    async def _connect_by(
        self, proxy: Proxy, request: Request, key: ConnectionKey, plan: TLSPlan | None, dial: Dial
    ) -> HttpConnection:
        """Make a connection for *key* to *proxy*, or through it; *plan* is for TLS with the key's host.

        Raises:
            ClientProxyConnectionError: the proxy cannot be reached, or breaks the connection.
            ProxyRefusedError: an HTTP proxy refuses the tunnel.
            MissingExtraError: SOCKS needs a package that is missing.
            ClientConnectorError: TLS with the proxy or the server failed.
        """
        loop = asyncio.get_running_loop()
        near = proxy.address
        near_plan = await self._near_plan(proxy)
        if not key.tunnel:
            sock = await self._dial_proxy(proxy, key, dial)
            try:
                return await self._dialler.establish(
                    loop.create_connection, sock, key, near_plan, dial, near
                )
            except OSError as error:
                raise connect_error(near, error) from error
        hosts = [None] if proxy.is_http else await self._hosts_for(proxy, request, key, dial)
        again = False
        unreached: ClientProxyConnectionError | None = None
        while True:
            try:
                wire, sock = await self._open_tunnel(proxy, near_plan, request, key, hosts[0], dial)
            except ClientProxyConnectionError as error:
                if not isinstance(error.os_error, UnreachableError):
                    raise
                unreached = unreached or error
                del hosts[0]
                if not hosts:
                    raise unreached from unreached.__cause__
                continue
            except ProxyRefusedError as error:
                # On a new connection: few proxies keep one open after a refusal.
                headers = cast("CIMultiDictProxy[str]", error.headers)
                wanted = error.status == _AUTHENTICATION_REQUIRED
                if again or not wanted or not self._logins.learn(proxy, headers):
                    raise
                again = True
                continue
            try:
                if wire is None:
                    return await self._dialler.establish(
                        loop.create_connection, sock, key, plan, dial
                    )
                outer = cast(asyncio.Transport, wire.transport)
                if plan is not None and isinstance(loop, asyncio.BaseEventLoop):
                    outer = Nested(outer)
                return await self._dialler.establish_within(outer, key, plan, dial)
            except OSError as error:
                raise connect_error(key, error) from error

    @staticmethod
    async def _near_plan(proxy: Proxy) -> TLSPlan | None:
        """Return the TLS plan for *proxy*; None without TLS."""
        if not proxy.address.is_ssl:
            return None
        try:
            return await plan_tls(proxy.ssl, proxy.host)
        except OSError as error:
            raise connect_error(proxy.address, error) from error

    async def _dial_proxy(self, proxy: Proxy, key: ConnectionKey, dial: Dial) -> socket.socket:
        try:
            return await self._dial(proxy.origin.dns_name, proxy.address, dial)
        except AddressNotAllowedError:
            raise
        except ClientConnectorError as error:
            dialled = getattr(error, "dialled", ())
            raise proxy_error(proxy.address, error.os_error, key, dialled) from error

    async def _hosts_for(
        self, proxy: Proxy, request: Request, key: ConnectionKey, dial: Dial
    ) -> list[str | None]:
        """Return the hosts to ask a SOCKS proxy for: a name if the proxy resolves names, else addresses, tried in
        turn.
        """
        require_socks()
        origin = request.origin
        if proxy.scheme in REMOTE_DNS_SCHEMES and not origin.is_ip:
            return [origin.host]
        found = await self._addresses(origin.dns_name, key, dial)
        addresses = [address["host"].partition("%")[0] for address in found]
        # It is unknown which of them the proxy can reach; every proxy has IPv4.
        addresses.sort(key=lambda address: ":" in address)
        if proxy.is_socks4:
            addresses = [address for address in addresses if ":" not in address]
            if not addresses:
                text = f"{origin.host} has no IPv4 address for SOCKS4"
                raise proxy_error(proxy.address, OSError(errno.EAFNOSUPPORT, text), key)
        return list(addresses)

    async def _open_tunnel(
        self,
        proxy: Proxy,
        near_plan: TLSPlan | None,
        request: Request,
        key: ConnectionKey,
        host: str | None,
        dial: Dial,
    ) -> tuple[TransportWire | None, socket.socket]:
        """Return the socket of an open tunnel; with TLS to the proxy, the wire of the tunnel.

        Raises:
            ConnectTimeoutError: the proxy does not answer completely within ``sock_read``, the limit for a silent
                server too.
        """
        loop = asyncio.get_running_loop()
        sock = await self._dial_proxy(proxy, key, dial)
        secured: TransportWire | None = None
        self._sockets.handshakes.add(sock)
        try:
            wire: Wire = SocketWire(loop, sock)
            if near_plan is not None:
                wire = secured = TransportWire(loop)
                await self._secure(secured, sock, proxy, near_plan, dial)
            silence = request.timeout.sock_read
            limit = asyncio.timeout(silence)
            try:
                async with limit:
                    if host is None:
                        dial.missing = f"no answer to CONNECT from the proxy {proxy}"
                        fields = self._logins.fields(proxy, "CONNECT", authority(request.origin))
                        await ask_for_tunnel(wire, request, proxy, fields)
                        if secured is not None and secured.unread:
                            raise OSError(errno.EPROTO, "the proxy sent bytes after its answer")
                    else:
                        dial.missing = f"no answer from the proxy {proxy}"
                        await ask_for_connection(loop, sock, proxy, host, key.port)
            except TimeoutError as error:
                if not limit.expired():  # it is the system's timeout of this connection
                    raise proxy_error(proxy.address, error, key) from error
                raise ConnectTimeoutError(
                    request.method, request.url, silence, dial.missing, "sock_read"
                ) from error
            except OSError as error:
                raise proxy_error(proxy.address, error, key) from error
        except BaseException:
            if secured is None:
                sock.close()
            elif secured.transport is not None:
                secured.transport.abort()
            raise
        if secured is None:
            self._sockets.handshakes.discard(sock)
        return secured, sock

    async def _secure(
        self, wire: TransportWire, sock: socket.socket, proxy: Proxy, plan: TLSPlan, dial: Dial
    ) -> None:
        """Start TLS with an ``https`` proxy; nothing is sent to a proxy without TLS."""
        dial.missing = f"no TLS handshake with the proxy {proxy}"
        loop = asyncio.get_running_loop()
        plain = BeforeTLS()
        try:
            await make_transport(loop.create_connection, sock, plain)
            secured, _ = await self._dialler.secure(plain.take(), wire, plan)
            wire.connection_made(secured)
        except OSError as error:
            raise connect_error(proxy.address, error) from error
