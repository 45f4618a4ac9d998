"""Bodies of the chunks of an iterable: a generator, an async generator, a stream."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from ..exceptions import BodySizeError
from ..message.body import BodyWriter, CollectingWriter
from .memory import BytesBody
from .source import OCTET_STREAM, SourceBody


class _Chunks(SourceBody):
    """The base for sync and async sources, with one check of repeated sends."""

    __slots__ = ("_kept", "_most")

    def __init__(self, *, replayable: bool) -> None:
        super().__init__(size=None, content_type=OCTET_STREAM, replayable=replayable)
        # The bytes of the longest pass so far. A source that gives fewer when it is iterated again did not start again
        # (it reads from a used generator): a shorter body must not be sent.
        self._most = 0
        self._kept: bytes | None = None

    async def read(self) -> bytes:
        """Return the whole body, as ``Body.read``; it is kept, so that the source is read only once."""
        if self._kept is None:
            pieces = CollectingWriter()
            await self.write(pieces)
            self._kept = b"".join(pieces.written)
            self.size: int = len(self._kept)
            self.replayable = True
            self.rewind()
        return self._kept

    async def _send(self, writer: BodyWriter) -> None:
        if self._kept is None:
            await self._send_chunks(writer)
        else:
            await BytesBody(self._kept).write(writer)

    async def _send_chunks(self, writer: BodyWriter) -> None:
        raise NotImplementedError

    def _ended(self, sent: int) -> None:
        if sent < self._most:
            raise BodySizeError(
                f"the request body's source gave {sent} bytes when it was iterated again, after "
                f"{self._most} bytes before; pass one that starts anew each time, or bytes"
            )


class IterableBody(_Chunks):
    """The chunks of a sync iterable, each taken on the event loop after the previous one was sent.

    An iterator (such as a generator) can be sent once, an object that makes new iterators several times.
    """

    __slots__ = ("_iterator", "_source")

    def __init__(self, source: Iterable[object]) -> None:
        super().__init__(replayable=not isinstance(source, Iterator))
        self._source = source
        self._iterator: Iterator[object] | None = None

    async def _send_chunks(self, writer: BodyWriter) -> None:
        iterator = iter(self._source)
        if iterator is self._iterator:
            raise self._consumed()
        self._iterator = iterator
        sent = 0
        try:
            for item in iterator:
                chunk = _to_bytes(item)
                if chunk:
                    sent += len(chunk)
                    await writer.write(chunk)
            self._ended(sent)
        finally:
            self._most = max(self._most, sent)


class AsyncIterableBody(_Chunks):
    """The chunks of an async iterable, with the rules of ``IterableBody``.

    An async generator that is not sent to its end is closed, so that its ``finally`` blocks run at once.
    """

    __slots__ = ("_iterator", "_source")

    def __init__(self, source: AsyncIterable[object]) -> None:
        super().__init__(replayable=not isinstance(source, AsyncIterator))
        self._source = source
        self._iterator: AsyncIterator[object] | None = None

    async def _send_chunks(self, writer: BodyWriter) -> None:
        iterator = aiter(self._source)
        if iterator is self._iterator:
            raise self._consumed()
        self._iterator = iterator
        sent = 0
        try:
            async for item in iterator:
                chunk = _to_bytes(item)
                if chunk:
                    sent += len(chunk)
                    await writer.write(chunk)
            self._ended(sent)
        finally:
            self._most = max(self._most, sent)
            close = getattr(iterator, "aclose", None)
            if close is not None:
                await close()


def _to_bytes(chunk: object) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, (bytearray, memoryview)):
        # A copy: a source may reuse its buffer while the socket still uses it.
        return bytes(chunk)
    hint = "; encode it first" if isinstance(chunk, str) else ""
    raise TypeError(
        f"a request body that is iterated must give bytes, found {type(chunk).__name__}{hint}"
    )
