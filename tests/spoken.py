"""The protocol that the sessions and servers of the current test speak: the mark `both_protocols` sets it.

The default of sessions and connectors is another one then, and nothing else: what a test gives itself counts as ever.
"""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from ssl import SSLContext
from typing import Any, NamedTuple

from aioclient import TCPConnector
from aioclient.connectors.base import BaseConnector
from aioclient.session import settings

HTTP1 = "http1"
HTTP2 = "http2"
HTTP2_BY_TLS = "http2-tls"


class Contexts(NamedTuple):
    """What TLS is spoken with: by servers that are given no context, and by connectors likewise."""

    server: SSLContext
    client: SSLContext


_current = HTTP1
_contexts: Contexts | None = None


def http2() -> bool:
    """Tell whether it is HTTP/2."""
    return _current != HTTP1


def server_context() -> SSLContext | None:
    """Return the context of servers that are given none; None if they speak without TLS."""
    return None if _contexts is None else _contexts.server


def kept() -> int:
    """How many connections stay behind an exchange that was cut short: that of HTTP/2, which carries others."""
    return int(http2())


def phrase(status: int, text: str) -> str:
    """The reason that a response has which was sent with *text*: over HTTP/2 none is sent."""
    if not http2():
        return text
    return next((known.phrase for known in HTTPStatus if known == status), "")


@contextlib.contextmanager
def speaking(protocol: str, contexts: Contexts | None = None) -> Iterator[None]:
    """Speak *protocol* during the block: HTTP/2 as ALPN chooses with *contexts*, with prior knowledge without them."""
    global _current, _contexts
    before = _current, _contexts
    _current, _contexts = protocol, contexts
    try:
        with _defaults(_option(protocol, contexts), None if contexts is None else contexts.client):
            yield
    finally:
        _current, _contexts = before


def _option(protocol: str, contexts: Contexts | None) -> bool | str:
    if protocol == HTTP1:
        return False
    return "prior-knowledge" if contexts is None else True


@contextlib.contextmanager
def _defaults(http2: Any, tls: SSLContext | None) -> Iterator[None]:
    """Let these be the defaults of ``http2`` and ``ssl`` during the block."""
    of_all: dict[str, Any] = BaseConnector.__init__.__kwdefaults__ or {}
    of_tcp: dict[str, Any] = TCPConnector.__init__.__kwdefaults__ or {}
    before = of_all["http2"], of_tcp["ssl"]
    of_all["http2"] = settings.DEFAULT_HTTP2 = http2
    if tls is not None:
        of_tcp["ssl"] = tls
    try:
        yield
    finally:
        of_all["http2"], of_tcp["ssl"] = before
        settings.DEFAULT_HTTP2 = before[0]
