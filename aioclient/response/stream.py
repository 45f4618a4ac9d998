"""The incoming body as a stream, with back-pressure.

The connection feeds raw pieces; a reader takes decoded bytes. The rules:

- Bytes are copied only if necessary: a piece that is read whole is the object that came in, and ``read()`` of
  everything joins once.
- Unread undecoded bytes are bounded: above twice the limit the connection stops reading its socket, below the limit it
  continues. It also reads while a reader waits for more bytes than there are.
- Content codings are decoded on the reader's side, only as far as the reader asks, in steps of at most 256 KiB. After
  about a mebibyte of uninterrupted decoding the event loop gets a turn.
- Bytes that arrived before an error are delivered first; then the error is raised, by every later call too. But an
  incomplete body is never returned as a complete one: ``read()`` of everything raises at once, ``readexactly()`` and
  ``readline()`` raise if the error comes before their end. The error of the call's total limit is always raised at
  once.
- A cancelled call takes nothing: the bytes are there for the next call.
- A body is read either decoded or raw: decoded bytes are not kept in their raw form.
"""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, Self

from aiohttp.http_exceptions import LineTooLong

from ..exceptions import ClientPayloadError, TotalTimeoutError
from ..message.codings import STEP, Decoder, body_too_large
from .branches import Branch, WatchedPieces
from .decoders import RAW, decoder_for
from .piece_queue import PieceQueue

__all__ = ("BodySource", "LineTooLongError", "StreamReader")

_log = logging.getLogger("aioclient.response")

DEFAULT_LIMIT = 2**18  # as aiohttp's read_bufsize

_EVERYTHING = sys.maxsize
_TURN = 2**20  # bytes that are decoded without interruption: 2 to 4 ms of the event loop's time
_STEP_COST = 2**14  # the cost of a step with no output, in bytes of decoding
_MERGE_COUNT = 2**10  # pieces that are merged into one when they are tiny ...
_MERGE_SIZE = 2**19  # ... of less than half a kilobyte on average


class BodySource(Protocol):
    """The connection as the stream of its body uses it."""

    def pause_reading(self) -> None:
        """Stop reading from the socket."""

    def resume_reading(self) -> None:
        """Continue reading from the socket."""

    def abort(self) -> None:
        """Close the socket: the rest of the body is useless."""


class LineTooLongError(ClientPayloadError, LineTooLong):
    """A line of the body is longer than allowed; the body can still be read in another way."""

    def __init__(self, start: bytes, limit: int) -> None:
        super().__init__(start, limit)
        self.start = start
        self.limit = limit

    def __reduce__(self) -> tuple[Any, ...]:
        # aiohttp's constructor makes other arguments of these.
        return type(self), (self.start, self.limit), self.__dict__

    def __str__(self) -> str:
        return (
            f"no line end within {self.limit} bytes of {self.start!r}: "
            "allow more with max_line_length, or read by chunks"
        )


class StreamReader:
    """A body that is still coming, or still being decoded.

    Read it with one call at a time, from one task::

        async for chunk in response.content.iter_chunked(65536):
            ...
        async for line in response.content:
            ...
        everything = await response.content.read()

    Args:
        source: the connection to pause and resume; None if the body is complete.
        loop: the event loop to wait on; None means the running one at the first wait.
        limit: undecoded bytes; above twice as many the connection is paused.
        decoder: decodes the content coding; None if there is none.
        max_size: the largest number of decoded bytes; None means any number.

    Every reading method raises ``BodyTooLargeError`` for more than *max_size* bytes, ``ContentDecodingError`` if the
    coding cannot be decoded, the error of the connection, and RuntimeError while another call waits.
    """

    __slots__ = (
        "__weakref__",
        "_chunk_ends",
        "_decoded",
        "_decoder",
        "_encoded_ends",
        "_end_waiter",
        "_eof",
        "_eof_callbacks",
        "_exception",
        "_high",
        "_idle_mark",
        "_incoming",
        "_is_coded",
        "_last_chunk_end",
        "_last_decoded_end",
        "_limit",
        "_loop",
        "_mark",
        "_max_chunk_ends",
        "_max_decoded",
        "_max_raw",
        "_merging",
        "_paused",
        "_ready",
        "_source",
        "_unmerged",
        "_unmerged_from",
        "_waiter",
        "_wants_chunk_end",
        "total_raw_bytes",
    )

    def __init__(
        self,
        source: BodySource | None,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        limit: int = DEFAULT_LIMIT,
        decoder: Decoder | None = None,
        max_size: int | None = None,
    ) -> None:
        self._source = source
        self._loop = loop
        self._limit = limit
        self._high = 2 * limit
        self._decoder = decoder
        self._is_coded = decoder is not None
        self._ready = PieceQueue()
        # The input: already the result when there is nothing to decode.
        self._incoming = self._ready if decoder is None else PieceQueue()
        self._max_decoded = _EVERYTHING if max_size is None else max_size
        self._max_raw = self._max_decoded if decoder is None else _EVERYTHING
        self._decoded = 0
        self.total_raw_bytes: int = 0
        """Bytes received from the connection, before decoding."""
        """When the last byte came, in the event loop's time; None before, and for a body that came with its head."""
        self._waiter: asyncio.Future[None] | None = None
        self._end_waiter: asyncio.Future[None] | None = None
        self._eof_callbacks: list[Callable[[], None]] | None = None
        # The number of incoming bytes from which on feeding does more than append: it wakes the reader, or pauses the
        # connection. 0 if no bytes are allowed now.
        self._idle_mark = self._high + 1
        self._mark = self._idle_mark
        self._paused = False
        self._eof = False
        self._exception: BaseException | None = None
        # The ends of HTTP chunks: positions in the decoded body, and in the raw one before decoding. They take memory
        # too, so that many of them also pause the connection, as in aiohttp.
        self._max_chunk_ends = max(4, limit // 16)
        self._chunk_ends: deque[int] = deque()
        self._encoded_ends: deque[int] = deque()
        self._last_chunk_end = 0
        self._last_decoded_end = 0
        self._wants_chunk_end = False
        self._merging = False
        self._unmerged = 0
        self._unmerged_from = 0

    @classmethod
    def from_bytes(
        cls,
        body: bytes,
        *,
        content_encoding: str | None = None,
        lenient: bool = False,
        max_size: int | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Self:
        """Return a stream over a complete *body*.

        *lenient*: bytes after the data of its *content_encoding* are ignored.

        Faults in *content_encoding* or the size are raised by the reading methods.
        """
        decoder = None if content_encoding is None else decoder_for(content_encoding, lenient)
        stream = cls(None, limit=limit, decoder=decoder, max_size=max_size)
        stream.feed_data(body)
        stream.feed_eof()
        return stream

    def pull(self) -> None:
        """Keep the source paused unless a reader waits for more; call it before anything comes."""
        self._limit = 0
        self._mark = self._idle_mark = 1
        self._paused = True

    def read_ahead(self, n: int) -> None:
        """Let up to *n* undecoded bytes come before somebody reads them, now too if nobody does."""
        if n <= self._limit:
            return
        self._limit = n
        self._max_chunk_ends = max(self._max_chunk_ends, n // 16)
        if self._idle_mark:
            idle = self._mark == self._idle_mark
            self._idle_mark = n + 1
            if idle:
                self._mark = self._idle_mark
            if self._paused:
                self._resume_if_low()

    # For the connection

    def feed_data(self, data: bytes) -> None:
        """Take a piece of the raw body; it must not change afterwards."""
        size = len(data)
        if not size:
            return
        total = self.total_raw_bytes + size
        if total > self._max_raw:
            self.feed_data(data[: self._max_raw - self.total_raw_bytes])
            self._fail(body_too_large(self._max_raw))
            return
        self.total_raw_bytes = total
        incoming = self._incoming
        incoming.pieces.append(data)
        incoming.size += size
        if incoming.size >= self._mark:
            self._reach_mark()

    def feed_chunk_end(self) -> None:
        """Note the end of an HTTP chunk (RFC 9112, section 7.1); empty chunks are ignored."""
        if self._merging:
            self._merge_tiny_pieces()
            return
        position = self.total_raw_bytes
        if position == self._last_chunk_end or not self._idle_mark:
            return
        self._last_chunk_end = position
        ends = self._encoded_ends if self._is_coded else self._chunk_ends
        ends.append(position)
        waiter = self._waiter
        if waiter is None or waiter.done():
            if len(ends) > self._max_chunk_ends:
                self._pause()
        elif self._wants_chunk_end:
            self._wake()

    def feed_eof(self) -> None:
        """Note that the body is complete; the connection may continue with other exchanges."""
        if self._idle_mark:
            self._eof = True
            if self._paused:
                self._resume()
            self._end()
            for callback in self._eof_callbacks or ():
                _call(callback)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """End the body with an error, and *exc_cause* as its cause; readers get it after the bytes before it.

        They get a ``TotalTimeoutError`` at once: the time for the bytes is over as well. The error is ignored if the
        body is complete, or has ended with another error.
        """
        if self._idle_mark:
            if exc_cause is not None:
                exc.__cause__ = exc_cause
            self._exception = exc
            if isinstance(exc, TotalTimeoutError):
                self._broken()
            self._end()

    def _fail(self, exc: BaseException) -> None:
        """End the body with an error found while decoding."""
        if self._exception is None:
            self._exception = exc
            source = self._source
            self._end()
            if source is not None:
                source.abort()

    def _end(self) -> None:
        self._source = None
        self._mark = self._idle_mark = 0
        if isinstance(self._incoming.pieces, WatchedPieces):
            self._incoming.pieces.end(self._exception)
        self._wake()
        if self._end_waiter is not None and not self._end_waiter.done():
            self._end_waiter.set_result(None)

    def _reach_mark(self) -> None:
        if not self._idle_mark:
            dropped = self._incoming.drop_last()  # bytes after an error are useless
            self.total_raw_bytes -= len(dropped)
            if self._eof:
                raise RuntimeError("feed_data() after feed_eof(): the body was complete")
            return
        self._wake()
        if self._incoming.size >= self._idle_mark:
            self._pause()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
            self._mark = self._idle_mark

    def _pause(self) -> None:
        if not self._paused and self._source is not None:
            self._paused = True
            self._source.pause_reading()

    def _resume(self) -> None:
        self._paused = False
        if self._source is not None:
            self._source.resume_reading()

    def _resume_if_low(self) -> None:
        ends = len(self._chunk_ends) + len(self._encoded_ends)
        if self._incoming.size < self._limit and ends <= self._max_chunk_ends // 2:
            self._resume()

    def _merge_tiny_pieces(self) -> None:
        self._unmerged += 1
        if self._unmerged >= _MERGE_COUNT:
            if self.total_raw_bytes - self._unmerged_from < _MERGE_SIZE:
                self._incoming.merge_last(_MERGE_COUNT)
            self._unmerged = 0
            self._unmerged_from = self.total_raw_bytes

    # For readers

    @property
    def total_bytes(self) -> int:
        """Decoded bytes that readers could have taken so far."""
        return self._decoded if self._is_coded else self.total_raw_bytes

    @property
    def is_coded(self) -> bool:
        """Whether reading decodes a content coding."""
        return self._is_coded

    def exception(self) -> BaseException | None:
        """Return the error that ended the body, or None."""
        return self._exception

    def is_eof(self) -> bool:
        """Tell whether the whole raw body has arrived; it may not be read or decoded yet."""
        return self._eof

    def on_eof(self, callback: Callable[[], None]) -> None:
        """Call *callback* when the whole raw body has arrived, at once if it has; never if the body fails.

        Its exceptions are logged.
        """
        if self._eof:
            _call(callback)
        elif self._exception is None:
            self._eof_callbacks = [*(self._eof_callbacks or ()), callback]

    def get_read_buffer_limits(self) -> tuple[int, int]:
        """Return below how many undecoded bytes the connection continues, and above how many it pauses."""
        return self._limit, self._high

    def at_eof(self) -> bool:
        """Tell whether the body is complete and everything was read.

        If the body has a content coding, the end is confirmed by the last read, which returns nothing.
        """
        return (
            self._eof and not self._ready.size and self._decoder is None and self._exception is None
        )

    async def read(self, n: int = -1) -> bytes:
        """Return up to *n* bytes, at least one unless the body has ended; -1: all the rest."""
        if n == 0:
            return b""
        if n < 0:
            return await self._read_everything()
        if not self._ready.size or self._waiter is not None:
            await self._fill(1, "read")
        return self._take(n)

    async def readany(self) -> bytes:
        """Return the available bytes, waiting only if there are none; empty at the body's end."""
        if not self._ready.size or self._waiter is not None:
            await self._fill(1, "readany")
        return self._take(_EVERYTHING)

    async def readexactly(self, n: int) -> bytes:
        """Return *n* bytes.

        Raises:
            asyncio.IncompleteReadError: the body ends earlier; ``partial`` has the bytes up to its end, which count as
            read.
        """
        if self._ready.size < n or self._waiter is not None:
            await self._fill(n, "readexactly")
        data = self._take(n) if n > 0 else b""
        if len(data) < n:
            raise asyncio.IncompleteReadError(data, n)
        return data

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        """Return a line with its line feed; at the body's end, the rest.

        Raises:
            LineTooLongError: there is no line feed within *max_line_length* bytes (None: twice the limit of the
                buffer). Nothing was taken.
        """
        limit = max_line_length or self._high
        return self._line_of_first_piece(limit) or await self._read_until(b"\n", limit, "readline")

    async def readuntil(self, separator: bytes = b"\n", *, max_size: int | None = None) -> bytes:
        """Return the bytes up to and including *separator*; at the body's end, the rest.

        Raises:
            LineTooLongError: there is no *separator* within *max_size* bytes (None: twice the limit of the buffer).
                Nothing was taken.
            ValueError: *separator* is empty.
        """
        if not separator:
            raise ValueError("the separator must have at least one byte")
        return await self._read_until(separator, max_size or self._high, "readuntil")

    async def readchunk(self) -> tuple[bytes, bool]:
        """Return the next bytes and whether an HTTP chunk ends after them.

        A body that is not chunked returns its bytes as they come, with False. ``(b"", False)`` is the body's end,
        ``(b"", True)`` the end of a chunk whose bytes were returned before.
        """
        if (not self._ready.size and not self._chunk_ends) or self._waiter is not None:
            self._wants_chunk_end = True
            try:
                await self._fill(1, "readchunk")
            finally:
                self._wants_chunk_end = False
        if self._chunk_ends:
            end = self._chunk_ends.popleft()
            length = end - (self.total_bytes - self._ready.size)
            return (self._take(length) if length > 0 else b"", True)
        data = self._ready.take_piece()
        if self._paused:
            self._resume_if_low()
        return (data, False)

    def read_nowait(self, n: int = -1) -> bytes:
        """Return up to *n* of the available bytes, possibly none; -1: all of them.

        If the body has a content coding, at most the bytes of one turn of decoding are returned.
        """
        if self._waiter is not None:
            raise self._occupied("read_nowait")
        if n < 0:
            n = _EVERYTHING
        if self._decoder is not None:
            self._decode(n)
        if self._exception is not None and not self._ready.size:
            raise self._broken()
        return self._take(n)

    def unread_data(self, data: bytes) -> None:
        """Put *data*, read before, back in front.

        This is for parsers that read too far, such as ``aiohttp.MultipartReader``.
        """
        if self._waiter is not None:
            raise self._occupied("unread_data")
        if data:
            self._ready.put_back(bytes(data))

    async def prefetch(self, n: int) -> None:
        """Wait until *n* bytes can be read without waiting, or the body has ended.

        An error is raised; the bytes before it stay readable.
        """
        pieces: list[bytes] = []
        try:
            while n > 0 and (data := await self.read(n)):
                pieces.append(data)
                n -= len(data)
        finally:
            self.unread_data(b"".join(pieces))

    def peek(self, n: int) -> bytes:
        """Return up to *n* of the available bytes without taking them; empty too where a read would raise."""
        if self._decoder is not None and self._waiter is None and self._decoder is not RAW:
            self._decode(n)
        return self._ready.peek(n)

    # Undecoded

    async def read_raw(self, n: int = -1) -> bytes:
        """Return up to *n* undecoded bytes, as they came; -1: all the rest.

        They count towards *max_size*, and traces do not see them.

        Raises:
            RuntimeError: a part of the body was already decoded. After this call, every decoding method raises it.
        """
        if n == 0:
            return b""
        self._begin_raw("read_raw")
        if not self._is_coded:
            return await StreamReader.read(self, n)
        await self._fill_raw(_EVERYTHING if n < 0 else 1)
        self._encoded_ends.clear()
        data = self._incoming.take(_EVERYTHING if n < 0 else n)
        if self._paused:
            self._resume_if_low()
        return data

    def iter_raw(self) -> "_Iterator":
        """Iterate over the undecoded body as it comes; see ``read_raw()``."""
        return _Iterator(self.read_raw, _EVERYTHING)

    def tee(
        self, write: Callable[[bytes], object], end: Callable[[BaseException | None], object]
    ) -> None:
        """Pass each undecoded piece to *write* as it comes; see ``ClientResponse.tee()``.

        Raises:
            RuntimeError: a part of the body was already read.
        """
        if self._waiter is not None:
            raise self._occupied("tee")
        incoming = self._incoming
        if incoming.size != self.total_raw_bytes:
            raise RuntimeError("tee(): a part of the body was read already; call it before")
        branch = Branch(write, end, self._loop or asyncio.get_running_loop())
        for piece in incoming.pieces:
            branch.write(piece)
        if not self._idle_mark:
            branch.end(self._exception)
            return
        if not isinstance(incoming.pieces, WatchedPieces):
            incoming.pieces = WatchedPieces(incoming.pieces)
        incoming.pieces.branches.append(branch)

    async def wait_eof(self) -> None:
        """Wait until the whole raw body has arrived, while another task reads it, or until it fails.

        The connection is paused as usual: an unread body may never arrive completely.
        """
        if self._idle_mark:
            if self._end_waiter is not None:
                raise self._occupied("wait_eof")
            loop = self._loop or asyncio.get_running_loop()
            self._end_waiter = loop.create_future()
            try:
                await self._end_waiter
            finally:
                self._end_waiter = None
        if self._exception is not None:
            raise self._exception

    def iter_chunked(self, n: int) -> "_Iterator":
        """Iterate over the body in pieces of at most *n* bytes."""
        if n < 1:
            raise ValueError(f"iter_chunked({n}): a chunk must have at least one byte")
        return _Iterator(self.read, n)

    def iter_any(self) -> "_Iterator":
        """Iterate over the body as it comes."""
        return _Iterator(self.readany)

    def iter_chunks(self) -> "_ChunkIterator":
        """Iterate over the results of ``readchunk()``."""
        return _ChunkIterator(self)

    def __aiter__(self) -> "_Iterator":
        return _Iterator(self.readline)

    if not TYPE_CHECKING:
        # "for" uses it when there is no __iter__; with an __iter__ the stream would count as an iterable.
        def __getitem__(self, index: object) -> object:
            raise TypeError(
                "use 'async for' with response.content, which comes while it is read: lines as it is, "
                "pieces with iter_chunked(65536); response.read() has it all"
            )

    def __repr__(self) -> str:
        if self._exception is not None:
            state = f"failed with {type(self._exception).__name__}"
        elif self.at_eof():
            state = "read to its end"
        elif self._eof:
            state = "complete"
        else:
            state = "paused" if self._paused else "open"
        words = [state, f"{self.total_raw_bytes} bytes received"]
        if self._is_coded:
            words.append(f"{self._incoming.size} to decode")
            words.append(f"{self._decoded} decoded")
        words.append(f"{self._ready.size} to read")
        if self._waiter is not None:
            words.append("a reader waits")
        return f"<StreamReader {', '.join(words)}>"

    # Implementation

    async def _read_everything(self) -> bytes:
        if self._waiter is not None:
            raise self._occupied("read")
        if not self._eof or self._decoder is not None or self._exception is not None:
            # Nobody asks for chunk ends any more: a million tiny chunks must not stay separate.
            self._chunk_ends.clear()
            self._encoded_ends.clear()
            self._unmerged = 0
            self._unmerged_from = self.total_raw_bytes
            self._merging = True
            try:
                await self._fill(_EVERYTHING, "read")
            finally:
                self._merging = False
        return self._take(_EVERYTHING)

    def _line_of_first_piece(self, limit: int) -> bytes:
        """Take a line that is complete in the first piece, as most are; empty if it is not."""
        ready = self._ready
        if not ready.size or self._waiter is not None:
            return b""
        offset = ready.offset
        length = ready.pieces[0].find(b"\n", offset, offset + limit) - offset + 1
        return self._take(length) if length > 0 else b""

    async def _read_until(self, separator: bytes, limit: int, caller: str) -> bytes:
        if self._waiter is not None:
            raise self._occupied(caller)
        ready = self._ready
        pieces = ready.pieces
        overlap = len(separator) - 1
        tail = b""  # the searched bytes that may begin a separator, cut between pieces
        index = searched = 0  # pieces, and their bytes: none is searched twice
        while True:
            end = 0
            while index < len(pieces):
                piece = pieces[index]
                start = ready.offset if index == 0 else 0
                if tail:
                    found = (tail + piece[start : start + overlap]).find(separator)
                    if found >= 0:
                        end = searched - len(tail) + found + overlap + 1
                        break
                found = piece.find(separator, start)
                if found >= 0:
                    end = searched + found - start + overlap + 1
                    break
                if overlap:
                    tail = (tail + piece[max(start, len(piece) - overlap) :])[-overlap:]
                searched += len(piece) - start
                index += 1
            if max(end, searched) > limit:
                raise LineTooLongError(ready.peek(100), limit)
            if end:
                return self._take(end)
            known = ready.size
            await self._fill(known + 1, caller)
            if ready.size == known:
                return self._take(_EVERYTHING)

    def _take(self, n: int) -> bytes:
        data = self._ready.take(n)
        ends = self._chunk_ends
        if ends:
            position = self.total_bytes - self._ready.size
            while ends and ends[0] < position:
                ends.popleft()
        if self._paused:
            self._resume_if_low()
        return data

    async def _fill(self, wanted: int, caller: str) -> None:  # noqa: C901
        """Wait until *wanted* bytes are ready, or the body has ended; raise its error if there are fewer."""
        if self._waiter is not None:
            raise self._occupied(caller)
        ready = self._ready
        while ready.size < wanted:
            if self._exception is not None and wanted == _EVERYTHING:
                raise self._broken()
            mark: int | None = wanted
            if self._decoder is not None:
                turn_is_over = self._decode(wanted)
                if ready.size >= wanted:
                    return
                if turn_is_over:
                    if self._exception is not None and not ready.size:
                        raise self._broken()  # the bytes before it decode to nothing
                    mark = None
                elif self._decoder is not None:
                    # Little input may give enough bytes, but all of it may come at once.
                    mark = max(self._limit, 1) if wanted == _EVERYTHING else 1
            if mark is not None:
                if self._wants_chunk_end and self._chunk_ends:
                    return
                if self._exception is not None:
                    raise self._broken()
                if self._eof:
                    return
            waiter = self._begin_to_wait(mark)
            try:
                await waiter
            finally:
                self._waiter = None
                self._mark = self._idle_mark

    def _begin_raw(self, caller: str) -> None:
        """Stop decoding from here on."""
        if self._waiter is not None:
            raise self._occupied(caller)
        if not self._is_coded or self._decoder is RAW:
            return
        if self._incoming.size != self.total_raw_bytes:
            raise self._exception or RuntimeError(
                f"{caller}(): a part of the body was decoded already; read it undecoded from its beginning"
            )
        self._decoder = RAW
        self._max_raw = self._max_decoded
        if self.total_raw_bytes > self._max_raw:
            self._incoming.clear()
            self._fail(body_too_large(self._max_raw))

    async def _fill_raw(self, wanted: int) -> None:
        """Wait until *wanted* undecoded bytes are here, or the body has ended; raise its error if there are fewer."""
        incoming = self._incoming
        self._merging = wanted == _EVERYTHING
        try:
            while incoming.size < wanted:
                if self._exception is not None:
                    raise self._broken()
                if self._eof:
                    return
                waiter = self._begin_to_wait(wanted)
                try:
                    await waiter
                finally:
                    self._waiter = None
                    self._mark = self._idle_mark
        finally:
            self._merging = False

    def _begin_to_wait(self, mark: int | None) -> "asyncio.Future[None]":
        """Return a future for *mark* incoming bytes, or the end; None: for the loop's next iteration."""
        loop = self._loop or asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        if mark is None:
            loop.call_soon(self._wake)
        else:
            self._mark = mark
            if self._paused:
                self._resume()
        return waiter

    def _decode(self, wanted: int) -> bool:  # noqa: C901
        """Decode until *wanted* bytes are ready, all input is used, or the turn is over.

        Return whether the turn is over. A fault in the body becomes its error.
        """
        decoder = self._decoder
        encoded = self._incoming
        ready = self._ready
        work = 0
        while decoder is not None:
            if self._encoded_ends and not decoder.pending:
                self._pass_chunk_ends()
            if ready.size >= wanted:
                break
            if work >= _TURN:
                return True
            try:
                if decoder.pending:
                    data = b""
                elif encoded.size:
                    data = encoded.take_piece()
                    if self._paused:
                        self._resume_if_low()
                elif self._eof:
                    decoder.finish()
                    self._decoder = None
                    break
                else:
                    break
                piece = decoder.decode(data, STEP)
                if (room := self._max_decoded - self._decoded) < len(piece):
                    if room:
                        self._decoded = self._max_decoded
                        ready.append(piece[:room])
                    raise body_too_large(self._max_decoded)
            except (ClientPayloadError, MemoryError) as error:
                self._decoder = None  # its state is undefined
                encoded.clear()
                self._fail(error)
                break
            if piece:
                self._decoded += len(piece)
                ready.append(piece)
            work += len(data) + len(piece) + _STEP_COST
        return False

    def _pass_chunk_ends(self) -> None:
        """Convert the ends of decoded chunks into positions in the decoded body."""
        raw = self.total_raw_bytes - self._incoming.size
        ends = self._encoded_ends
        while ends and ends[0] <= raw:
            ends.popleft()
            position = self._decoded
            if position > self._last_decoded_end:
                self._last_decoded_end = position
                self._chunk_ends.append(position)

    def _broken(self) -> BaseException:
        """Return the body's error, to be raised now and by all later calls: the rest is useless."""
        self._ready.clear()
        self._chunk_ends.clear()
        if self._decoder is not None:
            self._decoder = None
            self._incoming.clear()
        return self._exception or RuntimeError("there is no error")

    @staticmethod
    def _occupied(caller: str) -> RuntimeError:
        return RuntimeError(
            f"{caller}() while another call waits for bytes of the same body: "
            "read it from one task, one call at a time"
        )


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:  # noqa: BLE001  (it is no reader's fault)
        _log.exception("a callback given to on_eof() raised")


class _Iterator:
    """The results of one reading method, call by call, until the body's end."""

    __slots__ = ("_arguments", "_read")

    def __init__(self, read: Callable[..., Awaitable[bytes]], *arguments: int) -> None:
        self._read = read
        self._arguments = arguments

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data = await self._read(*self._arguments)
        if not data:
            raise StopAsyncIteration
        return data


class _ChunkIterator:
    """The results of ``readchunk()``, until the body's end."""

    __slots__ = ("_stream",)

    def __init__(self, stream: StreamReader) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[bytes, bool]:
        chunk = await self._stream.readchunk()
        if chunk == (b"", False):
            raise StopAsyncIteration
        return chunk
