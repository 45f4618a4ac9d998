"""Support for aiohttp's connectors: their settings are used, the connections are made by a connector of ours.

The aiohttp connector itself never gets a connection. All sessions that use it share one replacement, which is closed
with the last of them. A session that owns its connector also closes aiohttp's, as aiohttp's session does.

A subclass may add to aiohttp's class and set other defaults. An overridden method would never be called here, so it is
refused, unless it is only for proxies: then the session accepts no proxies.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, Final, cast
from weakref import ReferenceType, WeakKeyDictionary, ref

import aiohttp

from .base import BaseConnector
from .shutdown import Closing
from .tcp import TCPConnector
from .unix import UnixConnector

# aiohttp calls these only for requests through a proxy.
_FOR_PROXIES: Final = frozenset(
    ("_create_proxy_connection", "_update_proxy_auth_header_and_build_proxy_req")
)

_KNOWN: Final = (aiohttp.TCPConnector, aiohttp.UnixConnector)


class ConnectorReplacement:
    """An aiohttp connector, and the connector of ours that replaces it."""

    __slots__ = ("__weakref__", "_original", "_sessions", "connector")

    def __init__(self, original: aiohttp.BaseConnector) -> None:
        self._original = original
        self._sessions = 0
        self.connector: BaseConnector = _like(original)

    @property
    def is_closed(self) -> bool:
        """Whether aiohttp's connector was closed."""
        return self._original.closed

    def enter(self) -> None:
        """Note that one more session uses it."""
        self._sessions += 1

    def leave(self, *, owner: bool) -> Coroutine[Any, Any, None]:
        """Note that a session no longer uses it; close it after the last session, or when the session was the *owner*.

        Raises:
            RuntimeError: its event loop runs in another thread.
        """
        closing = self.connector.close() if owner or self._sessions == 1 else None
        self._sessions -= 1
        return self._end(closing, owner)

    async def _end(self, closing: Closing | None, owner: bool) -> None:
        if closing is not None:
            await closing
        if owner:
            await self._original.close()

    def leave_nowait(self) -> None:
        """As ``leave()``, where nothing can be awaited."""
        self._sessions -= 1
        if not self._sessions:
            self.connector.close().close()


_replacements: "WeakKeyDictionary[aiohttp.BaseConnector, ReferenceType[ConnectorReplacement]]" = (
    WeakKeyDictionary()
)


def replacement_for(
    original: aiohttp.BaseConnector, loop: asyncio.AbstractEventLoop
) -> ConnectorReplacement:
    """Return the replacement for *original*, the same one for all sessions that use it now.

    Raises:
        TypeError: it is not aiohttp's TCP or Unix connector, or overrides methods of it.
        RuntimeError: it is closed, or belongs to another event loop than *loop*.
    """
    if original.closed:
        raise RuntimeError(f"{original!r} is closed")
    if original._loop is not loop:
        raise RuntimeError(f"{original!r} belongs to another event loop")
    known = _replacements.get(original)
    replacement = None if known is None else known()
    if replacement is None or replacement.connector.closed:
        _check_kind(original)
        replacement = ConnectorReplacement(original)
        _replacements[original] = ref(replacement)
    return replacement


def _check_kind(original: aiohttp.BaseConnector) -> None:
    kind = type(original)
    shown = f"{kind.__module__}.{kind.__qualname__}"
    base = next((known for known in _KNOWN if isinstance(original, known)), None)
    if base is None:
        raise TypeError(
            f"connector is {shown}; of aiohttp's connectors TCPConnector and UnixConnector are taken over"
        )
    overridden = sorted(set(_overridden(original, base)) - _FOR_PROXIES)
    if overridden:
        raise TypeError(
            f"connector is {shown}, which overrides {', '.join(overridden)} of aiohttp's {base.__name__}; "
            f"that would never be called here, where connections are made by aioclient.{base.__name__}"
        )


def takes_proxies(original: aiohttp.BaseConnector) -> bool:
    """Tell whether requests may use a proxy: over TCP, if the connector overrides nothing for that."""
    return isinstance(original, aiohttp.TCPConnector) and _FOR_PROXIES.isdisjoint(
        _overridden(original, aiohttp.TCPConnector)
    )


def _overridden(original: aiohttp.BaseConnector, base: type) -> Iterator[str]:
    """Yield the names that a subclass of *base*, or the object itself, overrides."""
    kind = type(original)
    for each in kind.__mro__[: kind.__mro__.index(base)]:
        for name in vars(each):
            if hasattr(base, name) and not name.startswith("__"):
                yield name
    for name in vars(original):
        if callable(getattr(base, name, None)):
            yield name


def _like(original: aiohttp.BaseConnector) -> BaseConnector:
    """Return a connector of ours with the settings of *original*, most of which have no public names."""
    private = cast(Any, original)
    pool: dict[str, Any] = {
        "limit": original.limit,
        "limit_per_host": original.limit_per_host,
        "force_close": original.force_close,
        "keepalive_timeout": private._keepalive_timeout,
    }
    if isinstance(original, aiohttp.UnixConnector):
        return UnixConnector(original.path, **pool)
    return TCPConnector(
        **pool,
        ssl=private._ssl,
        family=private._family,
        local_addr=_address(private._local_addr_infos),
        resolver=None if private._resolver_owner else private._resolver,
        use_dns_cache=private._use_dns_cache,
        ttl_dns_cache=private._cached_hosts._ttl,
        dns_cache_max_size=private._cached_hosts._max_size,
        happy_eyeballs_delay=private._happy_eyeballs_delay,
        interleave=private._interleave,
        socket_factory=private._socket_factory,
        ssl_shutdown_timeout=private._ssl_shutdown_timeout or None,  # 0 is its default
    )


def _address(infos: Any) -> tuple[str, int] | None:
    """Return the local address, which aiohttp keeps as a result of ``getaddrinfo()``."""
    return None if not infos else infos[0][4][:2]
