"""The protocol that the sessions and servers of the current test speak: the mark `both_protocols` sets it.

The default of sessions and connectors is another one then, and nothing else: what a test gives itself counts as ever.
"""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from aioclient.connectors.base import BaseConnector
from aioclient.session import settings

HTTP1, HTTP2 = "http1", "http2"

_current = HTTP1


def http2() -> bool:
    """Tell whether it is HTTP/2."""
    return _current == HTTP2


def kept() -> int:
    """How many connections stay behind an exchange that was cut short: that of HTTP/2, which carries others."""
    return int(http2())


def phrase(status: int, text: str) -> str:
    """The reason that a response has which was sent with *text*: over HTTP/2 none is sent."""
    if not http2():
        return text
    return next((known.phrase for known in HTTPStatus if known == status), "")


@contextlib.contextmanager
def speaking(protocol: str) -> Iterator[None]:
    """Speak *protocol* during the block."""
    global _current
    before, _current = _current, protocol
    try:
        with _defaults("prior-knowledge" if protocol == HTTP2 else False):
            yield
    finally:
        _current = before


@contextlib.contextmanager
def _defaults(http2: Any) -> Iterator[None]:
    """Let this be the default of ``http2`` during the block."""
    of_connectors: dict[str, Any] = BaseConnector.__init__.__kwdefaults__ or {}
    before = of_connectors["http2"]
    of_connectors["http2"] = settings.DEFAULT_HTTP2 = http2
    try:
        yield
    finally:
        of_connectors["http2"] = settings.DEFAULT_HTTP2 = before
