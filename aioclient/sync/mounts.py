"""Transports for URL prefixes: the longest prefix wins; it must end where a host or a path segment ends."""

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple

from yarl import URL

from ..chain import Transport
from ..connectors.base import BaseConnector
from ..message.request import Request
from ..response.client_response import ClientResponse


class Prefix(NamedTuple):
    """A prefix of URLs, such as ``https://``, ``http://a.example``, ``https://a.example/v1/``."""

    scheme: str
    host: str | None
    port: int | None
    path: str

    def covers(self, url: URL) -> bool:
        """Tell whether *url* begins with this prefix."""
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
        """The precedence: of two prefixes that cover a URL, the one with the greater rank wins."""
        return self.host is not None, len(self.path)


def prefix_of(text: str) -> Prefix:
    """Parse a prefix; the case of its scheme and host does not matter.

    Raises:
        ValueError: *text* does not begin with ``http://`` or ``https://``.
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
    """A transport that passes each request to the one that is mounted at the longest matching prefix."""

    takes_proxies = True

    def __init__(self, default: Transport) -> None:
        self.default = default
        self._table: list[tuple[Prefix, Transport]] = []

    def mount(self, prefix: Prefix, transport: Transport) -> None:
        """Send requests to *prefix* through *transport*; it replaces the one that was mounted there."""
        self._table = [each for each in self._table if each[0] != prefix] + [(prefix, transport)]
        self._table.sort(key=lambda each: each[0].rank, reverse=True)

    def for_url(self, url: URL) -> Transport:
        """Return the transport that sends requests to *url*."""
        for prefix, transport in self._table:
            if prefix.covers(url):
                return transport
        return self.default

    @property
    def transports(self) -> list[Transport]:
        """All transports, each once, the default one first."""
        return list(
            {id(each): each for each in (self.default, *(each for _, each in self._table))}.values()
        )

    @property
    def closed(self) -> bool:
        """Whether the default transport is closed."""
        return self.default.closed

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bind all transports to *loop*."""
        for transport in self.transports:
            transport.bind(loop)

    def send(self, request: Request) -> Awaitable[ClientResponse]:
        """Send *request* through the transport for its URL."""
        return self.for_url(request.url).send(request)

    async def close(self) -> None:
        """Close all transports."""
        for transport in self.transports:
            await transport.close()

    def disown(self) -> None:
        """Drop all connections, in a forked process: they belong to the parent process."""
        for transport in self.transports:
            if isinstance(transport, BaseConnector):
                transport.disown()

    def statistics(self) -> object:
        """Return the statistics of each transport, those of the default one first."""
        return tuple(transport.statistics() for transport in self.transports)
