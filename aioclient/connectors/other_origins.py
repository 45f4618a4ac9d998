"""Connections of other origins that may carry a request as well (RFC 9113, section 9.1.1).

One may if it speaks HTTP/2, its key differs in nothing but the host, its server's verified certificate is valid for the
request's host too, and that host has the address to which it is connected. A server that answers 421 is asked again
on a connection of the request's own (RFC 9110, section 15.5.20), and so is the host for a while.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, cast

from ..exceptions import ClientConnectorDNSError
from ..exchange import Exchange
from ..message.origin import ConnectionKey, Origin
from ..message.request import Request
from ..protocols.connection import HttpConnection
from .driver import PoolDriver
from .http1_only import Http1OnlyKeys
from .pool import Pool
from .shutdown import OpenSockets

Addresses = Callable[[Request, ConnectionKey], Awaitable[Collection[str]]]


class OtherOrigins:
    """Finds connections of other origins.

    Args:
        pool: the bookkeeping of all connections.
        driver: shares those in use.
        sockets: the open ones.
        addresses: looks up the addresses of a request's host.
    """

    __slots__ = ("_addresses", "_driver", "_pool", "_refused", "_sockets")

    def __init__(
        self,
        pool: Pool[ConnectionKey, HttpConnection],
        driver: PoolDriver,
        sockets: OpenSockets,
        addresses: Addresses,
    ) -> None:
        self._pool = pool
        self._driver = driver
        self._sockets = sockets
        self._addresses = addresses
        self._refused: Http1OnlyKeys[ConnectionKey] = Http1OnlyKeys()

    def refuse(self, key: ConnectionKey, now: float) -> None:
        """Note that a server has answered 421 for *key*: it gets connections of its own for a while."""
        self._refused.learn(key, now)

    async def find(self, exchange: Exchange, now: float) -> HttpConnection | None:
        """Return a connection with room for *exchange*: reserved, or with its slot if it was idle; None for none.

        None, too, if the origin has a connection of its own.

        Raises:
            AddressNotAllowedError: the address policy denies the host or all of its addresses.
            ConnectTimeoutError, TotalTimeoutError: the host's addresses did not come in time.
        """
        request, key = exchange.request, exchange.key
        if key.server_hostname is not None or key.proxy is not None:
            return None
        if self._refused.knows(key, now) or any(
            each.key == key for each in self._sockets.connections
        ):
            return None
        if not any(_covers(each, request, key) for each in self._sockets.connections):
            return None
        try:
            addresses = await self._addresses(request, key)
        except ClientConnectorDNSError:
            return None  # whoever dials reports it
        others = {
            each.key
            for each in self._sockets.connections
            if _covers(each, request, key) and _address(each) in addresses
        }
        for other in others:
            found = self._pool.reuse(other, now) or self._driver.share(other)
            if found is None:
                continue
            if not (found.idle and found.has_input()) and _address(found) in addresses:
                return found
            found.cancel(exchange)
        return None


def _covers(connection: HttpConnection, request: Request, key: ConnectionKey) -> bool:
    """Tell whether *connection* may carry *request*, its address apart."""
    if not connection.carries_many or connection.broken or connection.key.host == key.host:
        return False
    transport = _transport(connection)
    tls = None if transport is None else transport.get_extra_info("ssl_object")
    return (
        tls is not None
        and connection.key._replace(host=key.host) == key
        and is_valid_for(tls.getpeercert() or {}, request.origin)
    )


def _transport(connection: HttpConnection) -> asyncio.Transport | None:
    return cast("asyncio.Transport | None", getattr(connection, "transport", None))


def _address(connection: HttpConnection) -> str:
    transport = _transport(connection)
    name = None if transport is None else transport.get_extra_info("peername")
    return name[0] if name else ""


def is_valid_for(certificate: Mapping[str, Any], origin: Origin) -> bool:
    """Tell whether a verified *certificate*, as ``getpeercert()`` returns it, is valid for *origin* (RFC 6125).

    A wildcard stands for one label, the first one. An address is never a name.
    """
    host = origin.host
    names = certificate.get("subjectAltName", ())
    if origin.is_ip:
        return ("IP Address", host) in names
    wild = "*." + host.partition(".")[2]
    accepted = (host, wild) if wild.count(".") > 1 else (host,)
    return any(kind == "DNS" and name.lower() in accepted for kind, name in names)
