"""Our engine under ``httpx2.AsyncClient`` and ``httpx2.Client``: ``httpx2.AsyncClient(transport=AsyncTransport())``."""

from typing import Any, ClassVar

from ..exceptions import MissingExtraError
from .httpx_family import AwaitedFamily, AwaitedStream, BlockingFamily, BlockingStream

try:
    import httpx2
except ImportError:
    raise MissingExtraError(
        "aioclient.adapters.httpx2 needs httpx2, which is not installed: pip install 'aioclient[httpx2]'"
    ) from None

__all__ = ("AsyncTransport", "Transport")


class _AsyncStream(AwaitedStream, httpx2.AsyncByteStream):
    """A response's body."""


class _Stream(BlockingStream, httpx2.SyncByteStream):
    """A response's body."""


class AsyncTransport(AwaitedFamily, httpx2.AsyncBaseTransport):
    """Sends for an ``httpx2.AsyncClient``, in any event loop."""

    library: ClassVar[Any] = httpx2
    stream_class: ClassVar[Any] = _AsyncStream


class Transport(BlockingFamily, httpx2.BaseTransport):
    """Sends for an ``httpx2.Client``, by the event loop of blocking calls."""

    library: ClassVar[Any] = httpx2
    stream_class: ClassVar[Any] = _Stream
