"""Connections over TCP, with or without TLS."""

import asyncio
import math
import socket
from collections.abc import Mapping
from ssl import SSLContext
from typing import Final, Unpack, cast

from aiohttp.abc import AbstractResolver, ResolveResult

from ..exceptions import ClientError
from ..message.origin import ConnectionKey, Origin, SSLOption
from ..message.proxy import Proxy
from ..message.request import Request
from ..message.timings import Phases
from ..protocols.connection import HttpConnection
from ..response.trace import CallTrace
from ..warning import warn_legacy
from .address_policy import AddressPolicy
from .base import ConnectorArguments
from .dialling import Dial, dial_error
from .dns import DefaultResolver
from .errors import connect_error, dns_error, policy_error
from .http2 import check_flag
from .other_origins import OtherOrigins
from .overrides import Overrides, ResolveLike
from .proxied import ProxiedConnector
from .proxies.logins import Logins
from .resolver import TTL, AddressSource, CachingResolver
from .shutdown import CLOSE_TIME
from .sockets import SocketFactory, addr_infos_of, open_socket
from .tls import merge_ssl

NO_TIME: Final = 1e-9  # event loops do not accept 0
# The sources for which the resolver's answer is traced.
_ASKED: Final = (AddressSource.RESOLVER, AddressSource.UNCACHED)


class TCPConnector(ProxiedConnector):
    """Connections over TCP.

    Args:
        limit: connections at a time, idle ones included; 0 or None for no limit.
        limit_per_host: connections at a time to one host, port and TLS setting; 0 for no limit.
        ssl: for requests that set no ``ssl=``: True verifies certificates, False does not, an ``SSLContext`` or a
            ``Fingerprint`` decides for itself, ``"system"`` lets the system verify (macOS, Windows: an extra).
        family: ``socket.AF_INET``, ``AF_INET6``, or 0 or None for both.
        local_addr: (host, port) to bind to.
        resolver: an ``aiohttp.abc.AbstractResolver``; by default aiodns, or threads where it does not work.
        resolve: addresses that are not looked up: ``{"a.example:443": "127.0.0.1", "*:80": ["::1", "127.0.0.1"]}``.
        address_policy: which servers may be connected to; None for any. Programs that fetch URLs from others need
            ``AddressPolicy.public_only()``.
        use_dns_cache: whether addresses are cached.
        ttl_dns_cache: seconds for which addresses are cached; None forever. ``"record"``: the time in DNS, between 1 s
            and 10 min, or 10 s with a resolver that does not return it.
        dns_cache_max_size: number of cached hosts.
        happy_eyeballs_delay: seconds between two attempts at different addresses (RFC 8305); None tries one after the
            other.
        interleave: addresses of one family before the first of the other.
        socket_factory: makes the socket for an address, given as by ``socket.getaddrinfo()``; for options that must be
            set before it connects.
        ssl_shutdown_timeout: seconds for a server to answer the close_notify of a TLS connection, 2 by default; 0 waits
            for no answer. ``close()`` takes no longer either.
        http2_coalesce: whether an HTTP/2 connection also carries requests to other hosts that have its address and that
            its server's certificate is valid for (RFC 9113, section 9.1.1).
        verify_ssl, ssl_context, fingerprint: the older spellings of *ssl*.
        timeout_ceil_threshold: accepted because aiohttp has it; nothing is rounded here.

    All further arguments are those of ``BaseConnector``.
    """

    def __init__(
        self,
        *,
        limit: int | None = 100,
        limit_per_host: int | None = 0,
        ssl: SSLOption = True,
        family: int | None = 0,
        local_addr: tuple[str, int] | None = None,
        resolver: AbstractResolver | None = None,
        resolve: ResolveLike | None = None,
        address_policy: AddressPolicy | None = None,
        use_dns_cache: bool = True,
        ttl_dns_cache: TTL = "record",
        dns_cache_max_size: int = 1000,
        happy_eyeballs_delay: float | None = 0.25,
        interleave: int | None = None,
        socket_factory: SocketFactory | None = None,
        ssl_shutdown_timeout: float | None = CLOSE_TIME,
        http2_coalesce: bool = False,
        verify_ssl: bool | None = None,
        ssl_context: SSLContext | None = None,
        fingerprint: bytes | str | None = None,
        timeout_ceil_threshold: float = 5.0,
        **further: Unpack[ConnectorArguments],
    ) -> None:
        if socket_factory is not None and not callable(socket_factory):
            raise TypeError(
                "socket_factory must take an address and return a socket, "
                f"found {type(socket_factory).__name__} {socket_factory!r}"
            )
        if ssl_shutdown_timeout is None:
            ssl_shutdown_timeout = CLOSE_TIME
        elif not 0 <= ssl_shutdown_timeout < math.inf:
            raise ValueError(
                f"ssl_shutdown_timeout={ssl_shutdown_timeout!r}: give seconds from 0 on"
            )
        overrides = None if resolve is None else Overrides(resolve)
        setting = merge_ssl(ssl, verify_ssl, ssl_context, fingerprint)
        super().__init__(limit=limit, limit_per_host=limit_per_host, **further)
        self._dialler.ssl = setting
        self._dialler.close_time = max(ssl_shutdown_timeout, NO_TIME)
        self._family = 0 if family is None else family
        self._local_addr = local_addr
        self._resolver = CachingResolver(
            DefaultResolver() if resolver is None else resolver,
            owns_resolver=resolver is None,
            ttl=ttl_dns_cache,
            overrides=overrides,
            max_size=dns_cache_max_size if use_dns_cache else 0,
        )
        self._use_dns_cache = use_dns_cache
        self._address_policy = address_policy
        self._logins = Logins()
        self._happy_eyeballs_delay = happy_eyeballs_delay
        self._interleave = interleave
        self._socket_factory = socket_factory
        if check_flag("http2_coalesce", http2_coalesce):
            self._other_origins = OtherOrigins(
                self._pool, self._driver, self._sockets, self._known_addresses
            )

    async def _connect(self, request: Request, key: ConnectionKey, dial: Dial) -> HttpConnection:
        loop = asyncio.get_running_loop()
        origin = request.origin
        self._check_target(origin, key)
        plan = await self._dialler.plan(request, key)
        if key.proxy is not None:
            return await self._connect_by(cast(Proxy, key.proxy), request, key, plan, dial)
        sock = await self._dial(origin.dns_name, key, dial)
        try:
            return await self._dialler.establish(loop.create_connection, sock, key, plan, dial)
        except OSError as error:
            raise connect_error(key, error) from error

    def _check_target(self, origin: Origin, key: ConnectionKey) -> None:
        """Ask the address policy about a server, before its name is looked up.

        ``_addresses()`` checks the addresses that are looked up here. If a proxy looks them up, this is the only
        possible check. A connection to a proxy carries requests to one server only, so one check for each connection is
        enough.

        Raises:
            AddressNotAllowedError: the policy denies it.
        """
        policy = self._address_policy
        if policy is None:
            return
        denial = policy.judge_target(origin.scheme, origin.host, origin.port)
        if denial is not None:
            raise policy_error(key, (denial,))

    async def _addresses(
        self, dns_name: str, key: ConnectionKey, dial: Dial
    ) -> list[ResolveResult]:
        """Return the addresses of *dns_name*: every dialled address comes from here.

        Raises:
            ClientConnectorDNSError: it has none, or the lookup failed.
            AddressNotAllowedError: the address policy denies all of them.
        """
        dial.missing = f"no address of {dns_name}"
        resolver, port, family = self._resolver, key.port, self._family
        source = resolver.source(dns_name, port, family)
        if dial.trace is not None:
            await _tell_begin(dial.trace, dns_name, source)
        begin = asyncio.get_running_loop().time()
        try:
            addresses = await resolver.resolve(dns_name, port, family)
        except OSError as error:
            raise dns_error(key, error) from error
        except ClientError:  # closed meanwhile
            raise
        except Exception as error:
            unknown = OSError(None, f"the resolver raised {type(error).__name__}: {error}")
            raise dns_error(key, unknown) from error
        if source.takes_time:
            dial.phases.dns = asyncio.get_running_loop().time() - begin
        if dial.trace is not None and source in _ASKED:
            await dial.trace.dns_resolvehost_end(dns_name)
        if self._address_policy is None:
            return addresses
        return _allowed(addresses, dns_name, key, self._address_policy)

    async def _known_addresses(self, request: Request, key: ConnectionKey) -> set[str]:
        """Return the addresses of *request*'s host that may be connected to, within the limits of a dial.

        Raises:
            ClientConnectorDNSError, AddressNotAllowedError: as for ``_addresses()``.
            ConnectTimeoutError, TotalTimeoutError: the time was over.
        """
        self._check_target(request.origin, key)
        limit = self._dialler.limit(request, asyncio.get_running_loop().time())
        dial = Dial(None if limit is None else limit.end, "", Phases(), request.trace)
        try:
            async with dial.timeout:
                addresses = await self._addresses(request.origin.dns_name, key, dial)
        except TimeoutError as error:
            if limit is None or not dial.timeout.expired():
                raise
            raise dial_error(request, limit, dial) from error
        return {address["host"] for address in addresses}

    async def _dial(self, dns_name: str, key: ConnectionKey, dial: Dial) -> socket.socket:
        """Return a socket connected to *dns_name* at the key's port."""
        addresses = await self._addresses(dns_name, key, dial)
        dial.missing = f"no connection to {key.host}:{key.port}"
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            sock = await open_socket(
                addr_infos_of(addresses),
                loop=loop,
                happy_eyeballs_delay=self._happy_eyeballs_delay,
                interleave=self._interleave,
                local_addr=self._local_addr,
                socket_factory=self._socket_factory,
            )
        except OSError as error:
            dialled = tuple([address["host"] for address in addresses])
            raise connect_error(key, error, dialled) from error
        dial.phases.connect = loop.time() - begin
        return sock

    # Addresses

    @property
    def family(self) -> int:
        """``socket.AF_INET``, ``AF_INET6``, or 0 for both."""
        return self._family

    @property
    def use_dns_cache(self) -> bool:
        """Whether addresses are cached."""
        return self._use_dns_cache

    @property
    def dns_cache(self) -> bool:
        """Whether addresses are cached (deprecated: an earlier name of ``use_dns_cache``)."""
        warn_legacy("connector.dns_cache", "use connector.use_dns_cache")
        return self._use_dns_cache

    @property
    def cached_hosts(self) -> Mapping[tuple[str, int], list[ResolveResult]]:
        """A snapshot of the cached addresses, by host and port (deprecated, without replacement)."""
        warn_legacy("connector.cached_hosts", "there is no other way to see the cached addresses")
        return self._resolver.cached_hosts

    def clear_dns_cache(self, host: str | None = None, port: int | None = None) -> None:
        """Drop the cached addresses of *host* and *port*, or all if neither is given.

        Raises:
            ValueError: only one of them is given.
        """
        self._resolver.clear(host, port)

    # The end

    def _shut(self) -> None:
        super()._shut()
        self._resolver.shut()

    async def _wait_closed(self) -> None:
        try:
            await self._resolver.close()
        finally:
            await super()._wait_closed()


def _allowed(
    addresses: list[ResolveResult], host: str, key: ConnectionKey, policy: AddressPolicy
) -> list[ResolveResult]:
    """Return the addresses that *policy* allows; raise if none remains."""
    denials = [policy.judge_address(host, address["host"]) for address in addresses]
    allowed = [
        address for address, denial in zip(addresses, denials, strict=True) if denial is None
    ]
    if not allowed:
        raise policy_error(key, [denial for denial in denials if denial is not None])
    return allowed


async def _tell_begin(trace: CallTrace, host: str, source: AddressSource) -> None:
    """Report to *trace* where the addresses of *host* will come from; nothing if they need no lookup."""
    if source in (AddressSource.CACHE, AddressSource.LOOKUP):
        await trace.dns_cache_hit(host)
    elif source in _ASKED:
        if source is AddressSource.RESOLVER:
            await trace.dns_cache_miss(host)
        await trace.dns_resolvehost_start(host)
