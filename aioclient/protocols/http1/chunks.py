"""Bodies in chunks (RFC 9112, section 7.1): the data, their end, and the trailers.

=========  ====================================================  ==================
state      what comes                                            then
=========  ====================================================  ==================
SIZE       a line: the size in hex digits, blanks, extensions    DATA; TRAILERS if 0
DATA       that many bytes                                       DATA_END
DATA_END   a line end                                            SIZE
TRAILERS   field lines up to an empty one                        DONE
=========  ====================================================  ==================

A line is checked when it is complete, or when it can no longer become valid. So the result does not depend on how the
bytes were split into segments.
"""

import re
from typing import Final

# Limits on chunk lines besides the data: on one line, on 16 KiB for each MiB of data, and on many short lines.
CHUNK_OVERHEAD: Final = 8190
CHUNK_LINE: Final = 24
MAX_TRAILERS: Final = 64 * 1024
MAX_CHUNK: Final = 2**64 - 1  # bytes; the largest C integer, a common limit

_AFTER_LAST: Final = (
    b"\r\n0\r\n\r\n"  # the bytes after the last chunk's data if there are no trailers
)
_PLAIN_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]++)[ \t]*+"
    rb"(?:;[ \t]*+[!#$%&'*+\-.^_`|~0-9A-Za-z]*+[ \t]*+"
    rb"(?:=[ \t]*+(?:\"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+\"|[!#$%&'*+\-.^_`|~0-9A-Za-z]*+)[ \t]*+)?+"
    rb")*+\r\n"
)
_LENIENT_LINE: Final = re.compile(rb"([0-9A-Fa-f]++)[ \t]*+(?:;[^\n]*+)?+\r?+\n")
_START_OF_LINE: Final = re.compile(rb"[0-9A-Fa-f]++[ \t]*+(?:;[^\n]*+)?+\r?+")
_EMPTY_LINE: Final = re.compile(rb"\n\r?+\n")


def only_chunk(body: bytes) -> bytes | None:
    """Return the data of a complete body in one chunk, as small bodies are sent; None for any other *body*.

    A ``ChunkReader`` returns the same, with 25,000 instructions more.
    """
    if not body.endswith(_AFTER_LAST):
        return None
    line = _PLAIN_LINE.match(body)
    if line is None:
        return None
    start = line.end()
    size = int(line[1], 16)
    if not size or start + size + len(_AFTER_LAST) != len(body):
        return None
    return body[start : start + size]


class BadChunksError(Exception):
    """The framing of the body is broken; the text says where.

    ``lenient``: whether ``lenient=True`` accepts it.
    """

    def __init__(self, found: str, *, lenient: bool = False) -> None:
        super().__init__(found)
        self.lenient = lenient


# The states. Not an Enum: until Python 3.12 accessing a member costs as much as a method call.
_SIZE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILERS: Final = 3
_DONE: Final = 4


class ChunkReader:
    """Extracts the data of one body.

    ``trailers`` is None until the end; then it is the trailer section with its final empty line, and ``rest`` has the
    bytes after it. ``size`` is the number of bytes of data so far.
    """

    __slots__ = (
        "_count",
        "_held",
        "_left",
        "_lenient",
        "_overhead",
        "_state",
        "rest",
        "size",
        "trailers",
    )

    def __init__(self, *, lenient: bool) -> None:
        self._lenient = lenient
        self._state = _SIZE
        self._held = (
            b""  # the beginning of a line, or of the trailer section with the line end before it
        )
        self._left = 0  # missing bytes of the chunk
        self._count = 0
        self._overhead = 0  # bytes of chunk lines so far
        self.size: int = 0
        self.trailers: bytes | None = None
        self.rest: bytes = b""

    def feed(self, data: bytes, pieces: list[bytes]) -> None:  # noqa: C901
        """Append the data in this segment to *pieces*, and after each chunk an empty piece.

        Raises:
            BadChunksError: the framing is broken.
        """
        at = 0
        searched = len(self._held)  # bytes without a line end
        if searched:
            data = self._held + data
            self._held = b""
        end = len(data)
        state = self._state
        while at < end:
            if state == _SIZE:
                line = _PLAIN_LINE.match(data, at) or self._line(data, at, searched)
                if line is None:
                    break
                at = line.end()
                self._count_line(at - line.start())
                self._left = size = int(line[1], 16)
                if size > MAX_CHUNK:
                    raise BadChunksError("a chunk's size is larger than 64 bits")
                if size:
                    state = _DATA
                else:
                    state = _TRAILERS
                    at -= 1  # an empty line is recognized by the line end before it
            elif state == _DATA:
                missing = self._left
                piece = data[at : at + missing]
                pieces.append(piece)
                taken = len(piece)
                at += taken
                self.size += taken
                self._left = missing - taken
                if taken == missing:
                    pieces.append(b"")
                    state = _DATA_END
            elif state == _DATA_END:
                if data.startswith(b"\r\n", at):
                    at += 2
                elif self._lenient and data[at] == 10:
                    at += 1
                elif end - at == 1 and data[at] == 13:
                    break
                else:
                    lenient = data[at] == 10
                    raise BadChunksError("no CRLF follows a chunk's data", lenient=lenient)
                self._overhead += 2
                state = _SIZE
            elif self._end_of_trailers(data, at, searched):
                state = _DONE
                at = end
            else:
                break
            searched = 0
        self._state = state
        if at < end:
            self._held = data[at:]

    def _line(self, data: bytes, at: int, searched: int) -> "re.Match[bytes] | None":
        """Return the line at *at*, which is not a plain one; None if its end has not come."""
        stop = data.find(b"\n", at + searched) + 1
        longest = (
            CHUNK_OVERHEAD + CHUNK_LINE * (self._count + 1) + (self.size >> 6) - self._overhead
        )
        if (stop or len(data)) - at > longest:
            raise BadChunksError("its chunk lines are longer than allowed")
        if not stop:
            if _START_OF_LINE.fullmatch(data, at) is None:
                raise self._bad_line(data, at, len(data))
            return None
        if self._lenient:
            line = _LENIENT_LINE.fullmatch(data, at, stop)
        else:
            line = _LINE.fullmatch(data, at, stop)
        if line is None:
            raise self._bad_line(data, at, stop)
        return line

    @staticmethod
    def _bad_line(data: bytes, at: int, stop: int) -> BadChunksError:
        return BadChunksError(
            f"{data[at : min(stop, at + 60)]!r} is not a chunk's size",
            lenient=_LENIENT_LINE.fullmatch(data, at, stop) is not None,
        )

    def _count_line(self, size: int) -> None:
        self._count += 1
        self._overhead += size
        if self._overhead > CHUNK_OVERHEAD + CHUNK_LINE * self._count + (self.size >> 6):
            raise BadChunksError("its chunk lines are longer than allowed")

    def _end_of_trailers(self, data: bytes, at: int, searched: int) -> bool:
        """Take the trailer section after the line end at *at*; return False if it is incomplete."""
        empty = _EMPTY_LINE.search(data, at + max(searched - 2, 0))
        stop = len(data) - 1 if empty is None else empty.start() + 1
        if stop - (at + 1) > MAX_TRAILERS:
            raise BadChunksError(f"its trailer section has more than {MAX_TRAILERS} bytes")
        if empty is None:
            return False
        self.trailers = data[at + 1 : empty.end()]
        self.rest = data[empty.end() :]
        return True
