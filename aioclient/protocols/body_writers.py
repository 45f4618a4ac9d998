"""Writers for request bodies: one that counts, and one that reports to a trace."""

from typing import Protocol

from ..body import CompressedBody
from ..exceptions import BodySizeError
from ..message.body import Body, BodyWriter
from ..message.headers import CONTENT_LENGTH
from ..message.request import Request
from ..response.trace import CallTrace


class Sink(Protocol):
    """The destination of the bytes: the connection, which waits while its buffer is full."""

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write *data*."""


class CountingWriter:
    """Writes a body of announced length, and checks the length."""

    __slots__ = ("_request", "_sink", "_size", "_written")

    def __init__(self, sink: Sink, request: Request, body: Body) -> None:
        self._sink = sink
        self._request = request
        announced = request.fields.get(CONTENT_LENGTH)
        self._size = body.size if announced is None else int(announced)
        self._written = 0

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Write a piece of the body.

        Raises:
            BodySizeError: it would exceed the announced length; nothing of this piece is written.
        """
        self._written += chunk.nbytes if isinstance(chunk, memoryview) else len(chunk)
        if self._size is not None and self._written > self._size:
            raise BodySizeError(
                f"{self._request.label}: the request body has more than the {self._size} bytes announced"
            )
        await self._sink.write(chunk)

    async def finish(self) -> None:
        """Check that the body is complete.

        Raises:
            BodySizeError: it is shorter than announced.
        """
        if self._size is not None and self._written < self._size:
            raise BodySizeError(
                f"{self._request.label}: the request body ended after {self._written} "
                f"of the {self._size} bytes announced"
            )


async def write_traced(body: Body, writer: BodyWriter, request: Request, trace: CallTrace) -> None:
    """Send *body*, and report each piece to *trace* before: as its source gave it, not compressed yet."""
    if not isinstance(body, CompressedBody):
        await body.write(_TracedWriter(writer, request, trace))
        return
    compressing = body.compressing(writer)
    await body.uncompressed.write(_TracedWriter(compressing, request, trace))
    await compressing.finish()


class _TracedWriter:
    """Reports each piece of the body before another writer writes it."""

    __slots__ = ("_request", "_trace", "_writer")

    def __init__(self, writer: BodyWriter, request: Request, trace: CallTrace) -> None:
        self._writer = writer
        self._request = request
        self._trace = trace

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Write a piece of the body after it was reported."""
        await self._trace.request_chunk_sent(self._request, chunk)
        await self._writer.write(chunk)
