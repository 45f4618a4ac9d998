"""Bodies read from file objects: on disk, in memory, pipes, text and decompressing readers."""

import asyncio
import codecs
import io
import mimetypes
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import PurePath
from typing import IO, Any

from ..exceptions import BodySizeError
from ..message.body import BodyWriter
from ..threads import BODIES
from .memory import text_type
from .source import OCTET_STREAM, PIECE, SourceBody

if sys.version_info >= (3, 13):
    _guess_type = mimetypes.guess_file_type
else:
    _guess_type = mimetypes.guess_type


class FileBody(SourceBody):
    """The contents of a file object from its present position on; the file is never closed.

    The size is known for files of the operating system, ``BytesIO`` and ``SpooledTemporaryFile``; a file that grows is
    cut there, a file that shrinks is an error. The size is unknown for a text file (its bytes exist only once it is
    encoded), a pipe or device, a reader that decompresses, and a file that is generated while it is read (``/proc``).
    Only a file that can seek can be sent twice.
    """

    __slots__ = ("_encoding", "_file", "_in_memory", "_start")

    def __init__(self, file: IO[Any], encoding: str = "utf-8") -> None:
        """Use *file* from its present position; *encoding* is for text files.

        Raises:
            ValueError: it is closed, or was not opened for reading.
        """
        readable = getattr(file, "readable", None)
        if readable is not None and not readable():
            raise ValueError(f"the file {file!r} was not opened for reading")
        self._file = file
        self._in_memory = isinstance(file, io.BytesIO)
        self._encoding = encoding if _is_text(file) else None
        self._start = _position(file)
        super().__init__(
            size=None if self._encoding else file_size(file, self._start),
            content_type=text_type(encoding) if self._encoding else _media_type(file),
            replayable=self._start is not None,
        )

    async def _send(self, writer: BodyWriter) -> None:
        loop = asyncio.get_running_loop()
        # Incremental: UTF-16 needs its byte order mark once, not once for each piece.
        encoder = codecs.getincrementalencoder(self._encoding or "utf-8")()
        left = self.size
        read: Callable[[int], Any] = self._read_first
        while left is None or left > 0:
            count = PIECE if left is None else min(PIECE, left)
            if self._in_memory:
                piece = read(count)
            else:
                piece = await self._read_in_thread(loop.run_in_executor(BODIES, read, count))
            read = self._file.read
            if not isinstance(piece, (bytes, bytearray, memoryview, str)):
                raise TypeError(
                    f"{self._file!r}: read() returned {type(piece).__name__}, not bytes"
                )
            if not piece:
                break
            # bytes() copies data that may change while the socket still uses it; bytes objects are not copied.
            chunk = encoder.encode(piece) if isinstance(piece, str) else bytes(piece)
            if left is not None:
                left -= len(chunk)
            if chunk:
                await writer.write(chunk)
        if tail := encoder.encode("", True):
            await writer.write(tail)
        if left is not None and left > 0:
            raise BodySizeError(
                f"{self._file!r} shrank: it ended {left} bytes before the {self.size} announced"
            )

    async def _read_in_thread(self, reading: "asyncio.Future[Any]") -> Any:
        """Return the result of the thread; if cancelled, wait for the thread if the file may be read again from its
        start.

        Otherwise the thread would move the position during the next send.
        """
        if not self.replayable:
            return await reading
        guarded = asyncio.shield(reading)
        try:
            return await guarded
        except asyncio.CancelledError:
            guarded.add_done_callback(_look_at)
            reading.add_done_callback(_look_at)
            if not reading.done():
                await asyncio.wait((reading,))
            raise

    def _read_first(self, count: int) -> Any:
        if self._start is not None:
            self._file.seek(self._start)
        return self._file.read(count)


def _look_at(reading: "asyncio.Future[Any]") -> None:
    """Retrieve the result of a read that nobody awaits, so that asyncio does not report it as lost."""
    if not reading.cancelled():
        reading.exception()


def file_size(file: IO[Any], start: int | None) -> int | None:
    """Return how many bytes *file* has from *start* on; None if only reading it can tell.

    ``fileno()`` alone is not enough: that of a ``GzipFile`` belongs to the compressed file.
    """
    if start is None:
        return None
    if isinstance(file, io.BytesIO):
        return max(0, file.getbuffer().nbytes - start)
    if isinstance(file, tempfile.SpooledTemporaryFile):
        # Its fileno() would move it to disk.
        end = file.seek(0, os.SEEK_END)
        file.seek(start)
        return max(0, end - start)
    if isinstance(getattr(file, "raw", file), io.FileIO):
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and not _is_made_when_read(file, status):
            return max(0, status.st_size - start)
    return None


def _is_made_when_read(file: IO[Any], status: os.stat_result) -> bool:
    """Tell whether a file's size differs from the system's number, as in ``/proc`` (0) and ``/sys`` (a page).

    Such files occupy no blocks; for a file without blocks, the last byte is read, and the byte after it.
    """
    if status.st_size and getattr(status, "st_blocks", 1):
        return False
    look = getattr(os, "pread", None)  # Windows has no such files
    if look is None:
        return False
    before = max(0, status.st_size - 1)
    try:
        return len(look(file.fileno(), 2, before)) != status.st_size - before
    except OSError:
        return True


def file_name(file: object) -> str | None:
    """Return the last part of the path that *file* was opened with, or None if it has no name."""
    name = getattr(file, "name", None)
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    # "<stdin>", "<fdopen>": not names; an int is a file descriptor.
    if isinstance(name, str) and name and name[0] != "<" and name[-1] != ">":
        return PurePath(name).name
    return None


def _media_type(file: object) -> str:
    name = file_name(file)
    return (_guess_type(name)[0] if name else None) or OCTET_STREAM


def _is_text(file: object) -> bool:
    # The second test is for wrappers (NamedTemporaryFile) that forward a text file's attributes.
    return isinstance(file, io.TextIOBase) or isinstance(getattr(file, "encoding", None), str)


def _position(file: IO[Any]) -> int | None:
    try:
        seekable = getattr(file, "seekable", None)
        if seekable is not None and not seekable():
            return None
        file.seek(start := file.tell())
    except (AttributeError, OSError):
        return None
    return start
