"""Our engine under ``httpx.AsyncClient`` and ``httpx.Client``: ``httpx.AsyncClient(transport=AsyncTransport())``."""

from typing import Any, ClassVar

from ..exceptions import MissingExtraError
from .httpx_family import AwaitedFamily, AwaitedStream, BlockingFamily, BlockingStream

try:
    import httpx
except ImportError:
    raise MissingExtraError(
        "aioclient.adapters.httpx needs httpx, which is not installed: pip install 'aioclient[httpx]'"
    ) from None

__all__ = ("AsyncTransport", "Transport")


class _AsyncStream(AwaitedStream, httpx.AsyncByteStream):
    """A response's body."""


class _Stream(BlockingStream, httpx.SyncByteStream):
    """A response's body."""


class AsyncTransport(AwaitedFamily, httpx.AsyncBaseTransport):
    """Sends for an ``httpx.AsyncClient``, in any event loop."""

    library: ClassVar[Any] = httpx
    stream_class: ClassVar[Any] = _AsyncStream


class Transport(BlockingFamily, httpx.BaseTransport):
    """Sends for an ``httpx.Client``, by the event loop of blocking calls."""

    library: ClassVar[Any] = httpx
    stream_class: ClassVar[Any] = _Stream
