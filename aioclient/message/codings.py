"""Content codings (RFC 9110, section 8.4): compressed bodies are decoded in bounded steps.

The rules:

- One step returns at most as many bytes as its caller asks for, however well the input was compressed. While
  ``pending`` is true, the caller asks again with no input.
- A body is complete when its coding says so: a truncated stream is an error, and so are bytes after its end, which only
  a lenient decoder ignores. An empty body is an empty body in every coding.
- Several gzip members (RFC 1952, section 2.2) and zstd frames (RFC 8878, section 3.1) may follow each other; all are
  decoded.
- ``deflate`` is the zlib format (RFC 9110, section 8.4.1.2) or raw deflate, as some servers send it.
- ``Accept-Encoding`` lists only codings that can be decoded here. A coding with an unknown name leaves the body
  undecoded; ``br`` or ``zstd`` without its package is an error that names the pip command.

The packages that decode ``br`` and ``zstd`` are imported when they are first needed.
"""

import re
import sys
import zlib
from functools import cache, lru_cache
from typing import Any, Protocol

from ..exceptions import BodyTooLargeError, ContentDecodingError

__all__ = (
    "LENIENT_HINT",
    "STEP",
    "Decoder",
    "accept_encoding",
    "body_too_large",
    "decode_all",
    "make_decoder",
)

LENIENT_HINT = "; lenient=True accepts it"
"""The end of an error text about a fault that lenient mode accepts."""

STEP = 2**18
"""The largest number of decoded bytes from one step: 256 KiB, as in aiohttp."""

MAX_CODINGS = 5  # as curl and urllib3: each coding may multiply the size by a thousand

# zlib and brotli copy the unused input at every step: input is passed in windows, so that the cost stays linear.
# After the end of a member the first window is small, because the input behind the member's end is copied too, and a
# stream may have thousands of members.
_WINDOW = 2**16
_FIRST_WINDOW = 2**10

_MAGIC = 4  # bytes needed to recognize a member

# A member of 20 bytes costs 3 µs with gzip and 15 µs with zstd, even if it decodes to nothing.
_MEMBERS_PER_STEP = 64

_GZIP_WBITS = 31
_ZLIB_WBITS = 15
_RAW_WBITS = -15
_ZSTD_WINDOW_LOG = 23  # 8 MiB: RFC 9659 requires no more of a decoder of HTTP content
_BROTLI_BLOCK = 2**15 - 16  # brotli fills whole blocks: for another size it exceeds the limit


class Decoder(Protocol):
    """Decodes the content codings of one body. Do not use it again after an error."""

    @property
    def pending(self) -> bool:
        """Whether it can continue without new input."""

    def decode(self, data: bytes, max_length: int) -> bytes:
        """Take *data*, which must be empty while ``pending``, and return the next decoded bytes.

        There are at most *max_length* of them (32 KiB if *max_length* is smaller), possibly none: continue while
        ``pending``.

        Raises:
            ContentDecodingError: the input is not valid in this coding, or something follows its end.
        """

    def finish(self) -> None:
        """Confirm that the decoded input was complete.

        Raises:
            ContentDecodingError: it ends too early.
        """


class _Coding:
    """One coding: a series of members, each decoded by a new object of the codec's library.

    A *lenient* one ignores the bytes after a member and does not start another one.
    """

    __slots__ = (
        "_ended",
        "_held",
        "_holding",
        "_ignoring",
        "_input",
        "_lenient",
        "_member",
        "_members",
        "_position",
        "_window",
        "errors",
        "pending",
    )

    name = ""
    least_room = 1  # bytes: the library may return as many when it is asked for fewer
    # The first bytes of another member, complete or partial; by default there is none.
    more = re.compile(rb"(?!)")
    knows_end = True  # the library reports where its data end

    def __init__(self, *, lenient: bool) -> None:
        self.errors: tuple[type[Exception], ...] = ()  # exceptions of its library for bad data
        self._lenient = lenient
        self._ignoring = False  # the input is not part of a member any more
        self._held = b""  # a possible beginning of a member
        self._input = b""
        self._position = 0  # in the input: everything before it was passed to the member
        self._window = _WINDOW
        self._member: Any = None
        self._members = 0
        self._ended = True  # the member has ended
        self._holding = False  # the member has more output without new input
        self.pending = False

    def decode(self, data: bytes, max_length: int) -> bytes:
        if data:
            self._input = self._held + data if self._held else data
            self._held = b""
            self._position = 0
            if self._ignoring:
                self._position = len(self._input)
        pieces: list[bytes] = []
        room = max_length
        last_member = self._members + _MEMBERS_PER_STEP
        while (room >= self.least_room or not pieces) and (
            self._holding or self._position < len(self._input)
        ):
            try:
                if self._ended:
                    if self._members == last_member:
                        break
                    if self._members and not self._is_member():
                        break
                    self._next_member()
                piece = self._step(b"" if self._holding else self._next_window(), room)
            except self.errors as error:
                raise ContentDecodingError(self._describe(error)) from error
            if piece:
                pieces.append(piece)
                room -= len(piece)
        self.pending = self._holding or self._position < len(self._input)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def finish(self) -> None:
        if not self._ended or (self._held and not self._lenient):
            raise ContentDecodingError(
                f"Content-Encoding {self.name}: the body ends within its {self.name} data; "
                "it is truncated, request it again"
            )

    def _next_member(self) -> None:
        if self._members:
            self._window = _FIRST_WINDOW
        self._member = self._open(self._input[self._position])
        self._members += 1
        self._ended = False

    def _next_window(self) -> bytes:
        start = self._position
        end = start + self._window
        self._window = min(self._window * 2, _WINDOW)
        if end >= len(self._input):
            self._position = len(self._input)
            return self._input[start:] if start else self._input
        self._position = end
        return self._input[start:end]

    def _open(self, first_byte: int) -> Any:
        """Return the library's object for a member that begins with *first_byte*."""
        raise NotImplementedError

    def _step(self, window: bytes, room: int) -> bytes:
        """Decode at most *room* bytes.

        Set ``_ended`` and ``_holding``, and move ``_position`` back over unused input.
        """
        raise NotImplementedError

    def _is_member(self) -> bool:
        """Tell whether another member follows; if more input is needed to decide, keep what is here for the next call.

        Raises:
            ContentDecodingError: none follows, and this decoder is not lenient.
        """
        start = self._input[self._position : self._position + _MAGIC]
        if self.more.fullmatch(start):
            if len(start) == _MAGIC:
                return True
            self._held = start
        elif self._lenient and self.knows_end:
            self._ignoring = True
        else:
            start = self._input[self._position : self._position + 16]
            raise ContentDecodingError(
                f"Content-Encoding {self.name}: after the end of the {self.name} data comes {start!r}"
                f"{LENIENT_HINT if self.knows_end else ''}"
            )
        self._position = len(self._input)
        return False

    def _describe(self, error: Exception) -> str:
        where = "the body" if self._members < 2 else f"what follows member {self._members - 1}"
        return f"Content-Encoding {self.name}: {where} is not valid {self.name}: {error}"


class _Gzip(_Coding):
    __slots__ = ()

    name = "gzip"
    more = re.compile(rb"\x1f(?:\x8b(?:\x08[\x00-\xff]?)?)?")

    def __init__(self, *, lenient: bool) -> None:
        super().__init__(lenient=lenient)
        self.errors = (zlib.error,)

    def _open(self, first_byte: int) -> Any:
        return zlib.decompressobj(_GZIP_WBITS)

    def _step(self, window: bytes, room: int) -> bytes:
        member = self._member
        piece: bytes = member.decompress(window, room)
        if member.eof:
            self._ended = True
            self._holding = False
            self._position -= len(member.unused_data)
        else:
            unused = len(member.unconsumed_tail)
            self._position -= unused
            self._holding = not unused and len(piece) == room
        return piece


class _Deflate(_Gzip):
    __slots__ = ()

    name = "deflate"
    more = _Coding.more

    def _open(self, first_byte: int) -> Any:
        # A zlib header begins with method 8 (RFC 1950, section 2.2). As raw deflate that would be a stored block with
        # non-zero padding (RFC 1951, section 3.2.4), which no encoder writes.
        return zlib.decompressobj(_ZLIB_WBITS if first_byte & 0x0F == 8 else _RAW_WBITS)


class _Brotli(_Coding):
    __slots__ = ("_library",)

    name = "br"
    least_room = _BROTLI_BLOCK
    knows_end = False  # an error after the end, in the same input, does not report a position

    def __init__(self, *, lenient: bool) -> None:
        super().__init__(lenient=lenient)
        self._library = _required(self.name, brotli_module())
        self.errors = (self._library.error,)

    def _open(self, first_byte: int) -> Any:
        return self._library.Decompressor()

    def _step(self, window: bytes, room: int) -> bytes:
        member = self._member
        limit = min(room, _BROTLI_BLOCK)
        piece: bytes = member.process(window, output_buffer_limit=limit)
        self._ended = member.is_finished()
        # can_accept_more_data() is about input: at the limit there may still be output.
        self._holding = not self._ended and (
            len(piece) >= limit or not member.can_accept_more_data()
        )
        return piece


class _Zstd(_Coding):
    __slots__ = ("_library",)

    name = "zstd"
    more = re.compile(  # a frame, or a skippable frame (RFC 8878, section 3.1)
        rb"\x28(?:\xb5(?:\x2f\xfd?)?)?|[\x50-\x5f](?:\x2a(?:\x4d\x18?)?)?"
    )

    def __init__(self, *, lenient: bool) -> None:
        super().__init__(lenient=lenient)
        self._library = _required(self.name, zstd_module())
        self.errors = (self._library.ZstdError,)

    def _open(self, first_byte: int) -> Any:
        library = self._library
        limit = {library.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        return library.ZstdDecompressor(options=limit)

    def _step(self, window: bytes, room: int) -> bytes:
        member = self._member
        piece: bytes = member.decompress(window, room)
        if member.eof:
            self._ended = True
            self._holding = False
            self._position -= len(member.unused_data)
        else:
            self._holding = not member.needs_input
        return piece


class _Chain:
    """Several codings; the one applied last is decoded first. One call is one pass, so its cost is bounded too."""

    __slots__ = ("_stages", "pending")

    def __init__(self, stages: list[_Coding]) -> None:
        self._stages = stages
        self.pending = False

    def decode(self, data: bytes, max_length: int) -> bytes:
        stages = self._stages
        first = 0
        if not data:
            # The last stage goes first: the stages before it wait until it needs input.
            first = max((i for i, stage in enumerate(stages) if stage.pending), default=0)
        piece = data
        for stage in stages[first:]:
            piece = stage.decode(piece, max_length)
            if not piece:
                break
        self.pending = any(stage.pending for stage in stages)
        return piece

    def finish(self) -> None:
        for stage in self._stages:
            stage.finish()


_CODINGS: dict[str, type[_Coding]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,  # RFC 9110, section 8.4.1.3
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


@lru_cache(maxsize=64)
def _parse(content_encoding: str) -> tuple[str, ...]:
    """Return the codings in the order they were applied, without ``identity``."""
    names = (name.strip(" \t").lower() for name in content_encoding.split(","))
    return tuple(name for name in names if name and name != "identity")


def make_decoder(content_encoding: str, *, lenient: bool = False) -> Decoder | None:
    """Return the decoder for *content_encoding*, the values of all its header lines joined by commas.

    A *lenient* one ignores bytes after the compressed data.

    Returns None when there is nothing to decode, or when a coding is unknown: the body stays as it is.

    Raises:
        ContentDecodingError: there are more than 5 codings, or one needs a package that is not installed.
    """
    names = _parse(content_encoding)
    if not names:
        return None
    if len(names) > MAX_CODINGS:
        raise ContentDecodingError(
            f"Content-Encoding lists {len(names)} codings, at most {MAX_CODINGS} are undone: "
            "such a body is not decoded, read it with auto_decompress=False"
        )
    if any(name not in _CODINGS for name in names):
        return None
    stages = [_CODINGS[name](lenient=lenient) for name in reversed(names)]
    return stages[0] if len(stages) == 1 else _Chain(stages)


def decode_all(
    body: bytes, content_encoding: str, max_size: int | None = None, *, lenient: bool = False
) -> bytes:
    """Return the whole *body* decoded; *lenient* ignores bytes after the compressed data.

    *max_size* is the number of decoded bytes allowed; None means any number. The event loop does not run meanwhile:
    read large bodies as a stream.

    Raises:
        ContentDecodingError: as for ``make_decoder()`` and its decoder.
        BodyTooLargeError: there are more than *max_size* bytes.
    """
    if content_encoding == "gzip":
        # Nearly every server sends one complete member; everything else is left to the steps.
        member = zlib.decompressobj(_GZIP_WBITS)
        try:
            whole = member.decompress(body, 0 if max_size is None else max_size + 1)
        except zlib.error:
            pass
        else:
            if member.eof and not member.unused_data:
                if max_size is not None and len(whole) > max_size:
                    raise body_too_large(max_size)
                return whole
    decoder = make_decoder(content_encoding, lenient=lenient)
    if decoder is None:
        if max_size is not None and len(body) > max_size:
            raise body_too_large(max_size)
        return body
    pieces = [decoder.decode(body, STEP)]
    size = len(pieces[0])
    while decoder.pending and (max_size is None or size <= max_size):
        piece = decoder.decode(b"", STEP)
        pieces.append(piece)
        size += len(piece)
    if max_size is not None and size > max_size:
        raise body_too_large(max_size)
    decoder.finish()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def body_too_large(max_size: int) -> BodyTooLargeError:
    """Return the error for a body of more than *max_size* bytes."""
    return BodyTooLargeError(
        f"the body has more than max_body_size={max_size} bytes (decoded); "
        "allow more, or read what you need of it as a stream"
    )


@cache
def accept_encoding() -> str:
    """Return the value of ``Accept-Encoding``: the codings that can be decoded here in bounded steps."""
    names = ["gzip", "deflate"]
    if brotli_module() is not None:
        names.append("br")
    if zstd_module() is not None:
        names.append("zstd")
    return ", ".join(names)


def _required(coding: str, library: Any) -> Any:
    if library is None:
        raise ContentDecodingError(
            f"Content-Encoding {coding}: nothing that decodes it is installed, or not as new as it must be: "
            "pip install -U 'aioclient[speedups]'"
        )
    return library


@cache
def brotli_module() -> Any:
    """Return the module for brotli, or None. Before version 1.2 neither package could bound a step."""
    for name in ("brotli", "brotlicffi"):
        try:
            module: Any = __import__(name)
        except ImportError:
            continue
        if hasattr(module.Decompressor, "can_accept_more_data"):
            return module
    return None


@cache
def zstd_module() -> Any:
    """Return the module for zstd, or None.

    The package ``zstandard`` does not count: its streaming interface cannot bound a step.
    """
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        return None
    return zstd
