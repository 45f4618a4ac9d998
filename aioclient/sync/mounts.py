"""Transports for URLs by their beginning: the longest one counts, and it ends where a host or a path segment ends."""

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple

from yarl import URL

from ..chain import Transport
from ..message.request import Request
from ..response.client_response import ClientResponse


class Prefix(NamedTuple):
    """The beginning of URLs: ``https://``, ``http://a.example``, ``https://a.example/v1/``."""

    scheme: str
    host: str | None
    port: int | None
    path: str

    def covers(self, url: URL) -> bool:
        """Tell whether *url* begins so."""
        if url.scheme != self.scheme:
            return False
        if self.host is None:
            return True
        if url.raw_host != self.host or url.port != self.port:
            return False
        path = url.raw_path
        return path == self.path or path.startswith(self.path.rstrip("/") + "/")

    @property
    def rank(self) -> tuple[bool, int]:
        """Sort by precedence: the greater one wins."""
        return self.host is not None, len(self.path)


def prefix_of(text: str) -> Prefix:
    """Return the prefix in *text*; the case of its scheme and host does not matter.

    Raises:
        ValueError: it does not begin with ``http://`` or ``https://``.
    """
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("http", "https"):
        raise ValueError(f"a transport is mounted at http:// or https://, found {text[:100]!r}")
    if not rest:
        return Prefix(scheme, None, None, "/")
    url = URL(text)
    return Prefix(scheme, url.raw_host, url.port, url.raw_path or "/")


class Mounts:
    """The transport of a session that has several: each request goes to the one whose prefix fits best."""

    takes_proxies = True

    def __init__(self, default: Transport) -> None:
        self.default = default
        self._table: list[tuple[Prefix, Transport]] = []

    def mount(self, prefix: Prefix, transport: Transport) -> None:
        """Send what begins with *prefix* to *transport*, in place of the one before."""
        self._table = [each for each in self._table if each[0] != prefix] + [(prefix, transport)]
        self._table.sort(key=lambda each: each[0].rank, reverse=True)

    def for_url(self, url: URL) -> Transport:
        """Return the transport for *url*."""
        for prefix, transport in self._table:
            if prefix.covers(url):
                return transport
        return self.default

    @property
    def transports(self) -> list[Transport]:
        """Each of them once, the default one first."""
        return list(
            {id(each): each for each in (self.default, *(each for _, each in self._table))}.values()
        )

    @property
    def closed(self) -> bool:
        """Whether the default one was closed."""
        return self.default.closed

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to *loop*."""
        for transport in self.transports:
            transport.bind(loop)

    def send(self, request: Request) -> Awaitable[ClientResponse]:
        """Send by the transport for the URL."""
        return self.for_url(request.url).send(request)

    async def close(self) -> None:
        """Close all of them."""
        for transport in self.transports:
            await transport.close()

    def statistics(self) -> object:
        """Return those of each transport, the default one's first."""
        return tuple(transport.statistics() for transport in self.transports)
