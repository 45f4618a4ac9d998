"""Sessions that only send: the other library follows redirects, keeps cookies, adds default fields and decodes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypedDict, cast

from ..chain import Middleware, Transport
from ..connectors.base import BaseConnector
from ..connectors.tcp import TCPConnector
from ..connectors.unix import UnixConnector
from ..cookies import DummyCookieJar
from ..message.proxy import Proxy
from ..message.request import HTTP2Option
from ..message.timeout import ClientTimeout
from ..session import ClientSession
from ..session.arguments import check_transport
from ..sync.portal import PORTAL, spawn
from ..sync.session import disown
from ..sync.tls import Cert, Verify, tls_setting

# Fields that the other library adds itself.
SKIPPED: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class AdapterArguments(TypedDict, total=False):
    """The arguments of a transport."""

    verify: Verify
    """whether certificates are verified; or a file or folder of certificate authorities, or an ``SSLContext``."""
    cert: Cert
    """the client's certificate: the path of a file, or a pair of paths, (certificate, key)."""
    http2: HTTP2Option
    """whether HTTP/2 is offered, as for ``ClientSession``."""
    limits: Any
    """an object with ``max_connections`` and ``keepalive_expiry``, like ``httpx.Limits``; None for the defaults."""
    proxy: Any
    """a URL, a ``Proxy``, or an ``httpx.Proxy``."""
    trust_env: bool
    """whether the proxies that the environment names are used."""
    uds: str | None
    """the path of a unix socket."""
    local_address: str | None
    """the local address from which to connect."""
    middlewares: Sequence[Middleware]
    """as for ``ClientSession``; they see each request that is sent."""
    connector: Transport | None
    """the transport to use instead of a new connector; closing the adapter does not close it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """The arguments of a transport, checked; ``ssl`` is made of *verify* and *cert*."""

    verify: Verify = True
    cert: Cert = None
    http2: HTTP2Option = False
    limits: Any = None
    proxy: Any = None
    trust_env: bool = False
    uds: str | None = None
    local_address: str | None = None
    middlewares: Sequence[Middleware] = ()
    connector: Transport | None = None
    ssl: Any = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ssl", tls_setting(self.verify, self.cert))
        object.__setattr__(self, "proxy", _proxy(self.proxy))
        if self.connector is not None:
            check_transport("connector", self.connector)
        for name in ("max_connections", "keepalive_expiry"):
            if self.limits is not None and not hasattr(self.limits, name):
                raise TypeError(
                    f"limits must have {name}, as httpx.Limits has, found {type(self.limits).__name__}"
                )
        if self.uds is not None and self.local_address is not None:
            raise ValueError("uds= and local_address= contradict each other; leave out one of them")

    def session(self, *, owns_connector: bool = True) -> ClientSession:
        """Return a new session with these settings, for the running loop.

        With *owns_connector* it closes a connector that is made for it; never one that was given.
        """
        return ClientSession(
            connector=self._connector() if self.connector is None else self.connector,
            connector_owner=owns_connector and self.connector is None,
            cookie_jar=DummyCookieJar(),
            skip_auto_headers=SKIPPED,
            auto_decompress=False,
            timeout=None,
            proxy=self.proxy,
            env_proxies=self.trust_env,
            http2=self.http2,
            middlewares=self.middlewares,
        )

    def _connector(self) -> Transport:
        more: dict[str, Any] = {}
        limits = self.limits
        if limits is not None:
            more["limit"] = limits.max_connections or 0
            more["keepalive_timeout"] = limits.keepalive_expiry
        if self.uds is not None:
            return UnixConnector(self.uds, **more)
        if self.local_address is not None:
            more["local_addr"] = (self.local_address, 0)
        return TCPConnector(ssl=self.ssl, **more)


def _proxy(proxy: Any) -> Any:
    """Convert *proxy* to what a session takes; httpx has its own class for proxies."""
    if proxy is None or isinstance(proxy, (str, Proxy)) or not hasattr(proxy, "raw_auth"):
        return None if proxy is None else proxy if isinstance(proxy, Proxy) else str(proxy)
    auth = proxy.raw_auth
    return Proxy(
        str(proxy.url),
        auth=None if auth is None else (auth[0].decode(), auth[1].decode()),
        headers=dict(proxy.headers.items()) or None,
        ssl=True if proxy.ssl_context is None else proxy.ssl_context,
    )


@lru_cache(256)
def timeout_of(connect: float | None, read: float | None, pool: float | None) -> ClientTimeout:
    """Return the timeouts of one request; all in seconds, None for no limit."""
    return ClientTimeout(total=None, sock_connect=connect, sock_read=read, pool=pool)


class BlockingSession:
    """One session in the event loop of blocking calls, created when it is first needed.

    Args:
        settings: the session's.
        drains: whether responses that are still read when it is closed may be read to their end.
    """

    def __init__(self, settings: AdapterSettings, *, drains: bool = False) -> None:
        self._settings = settings
        self._drains = drains
        self._session: ClientSession | None = None

    def current(self) -> ClientSession:
        """Return the session (called in the loop)."""
        if self._session is None or self._session.closed:
            self._session = self._settings.session(owns_connector=False)
            PORTAL.members.add(self)
        return self._session

    def close_and_wait(self) -> None:
        """Close the session from another thread, and wait until it is closed."""
        if self._session is not None:
            PORTAL.run(self._end())

    async def _end(self) -> None:
        connector = await self._close_session()
        if connector is not None:
            if self._drains and connector.statistics().in_use:
                spawn(Draining(connector).run)
                await asyncio.sleep(0)  # it begins: idle connections are closed
            else:
                await connector.close()

    async def _close_session(self) -> BaseConnector | None:
        """Close the session; return its connector, which is still open, unless that was given."""
        PORTAL.members.discard(self)
        session, self._session = self._session, None
        if session is None:
            return None
        connector = session.connector
        await session.close()
        return None if self._settings.connector is not None else cast(BaseConnector, connector)

    async def close(self) -> None:
        """Close the session and its connections (called in the loop)."""
        connector = await self._close_session()
        if connector is not None:
            await connector.close()

    def forked(self) -> None:
        """Forget the session, in a forked process."""
        session, self._session = self._session, None
        if session is not None:
            disown(session)


class Draining:
    """The connector of a session that was closed while responses were read."""

    def __init__(self, connector: BaseConnector) -> None:
        self._connector = connector

    async def run(self) -> None:
        """Wait until the responses were read (called in the loop)."""
        PORTAL.members.add(self)
        try:
            await self._connector.drain()
        finally:
            PORTAL.members.discard(self)

    async def close(self) -> None:
        """Close the connections now (called in the loop)."""
        await self._connector.close()

    def forked(self) -> None:
        """Leave the connections to the parent process."""
        self._connector.disown()
