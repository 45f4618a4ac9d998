"""Bodies with a content coding (RFC 9110, section 8.4), compressed while they are sent.

The rules:

- Nothing is compressed ahead: a piece is taken from its source, compressed and written before the next one is taken, so
  an upload of any length keeps one or two pieces in memory.
- The length is known only at the end, so the body is sent in chunks.
- Each send begins a new stream of its coding, so that a body that is sent again is complete and the same.
- Up to ``INLINE`` bytes are compressed on the event loop, which takes half a millisecond; longer pieces in a thread,
  which costs a tenth of a millisecond and does not block the loop.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ..exceptions import MissingExtraError
from ..message.body import Body, BodyWriter
from ..message.codings import brotli_module, zstd_module
from ..message.headers import CONTENT_ENCODING, shown_text
from ..threads import BODIES
from .source import PIECE
from .wrapper import BodyWrapper

INLINE: Final = 2**14  # bytes

_BROTLI_QUALITY: Final = (
    5  # the usual level for dynamic content; 11, its default, is a hundred times slower
)


class Coder(NamedTuple):
    """One stream of a coding: the function for pieces, and the function for the end."""

    compress: Callable[[Any], bytes]
    finish: Callable[[], bytes]


class CompressedBody(BodyWrapper):
    """Another body in a content coding, which is in its ``headers``."""

    __slots__ = ("_coding", "_make_coder")

    def __init__(self, body: Body, coding: str) -> None:
        """Wrap *body* to send it in *coding*, a name from ``check_coding()``.

        Raises:
            ValueError: *body* already has a content coding.
        """
        if any(name.lower() == "content-encoding" for name in body.headers or ()):
            raise ValueError(
                f"compress={coding!r}: the body {body!r} has a Content-Encoding of its own; leave out one of them"
            )
        super().__init__(body, None, {**(body.headers or {}), CONTENT_ENCODING: coding})
        self._coding = coding
        self._make_coder = _CODERS[coding]

    @property
    def uncompressed(self) -> Body:
        """The body that is compressed."""
        return self._body

    @property
    def coding(self) -> str | None:
        """The content coding."""
        return self._coding

    def around(self, body: Body) -> Body:
        """Return *body* with the same coding; an empty one is not compressed."""
        body = self._body.around(body)
        return body if body.size == 0 else CompressedBody(body, self._coding)

    async def write(self, writer: BodyWriter) -> None:
        """Send the whole body, as ``Body.write``."""
        compressing = self.compressing(writer)
        await self._body.write(compressing)
        await compressing.finish()

    def compressing(self, writer: BodyWriter) -> "CompressingWriter":
        """Return a writer that compresses and writes to *writer*; call its ``finish()`` at the end."""
        return CompressingWriter(writer, self._make_coder())


def recoded(body: Body, coding: str | None) -> Body:
    """Return *body* in another coding, or (None) uncoded; an empty one is not compressed."""
    if isinstance(body, CompressedBody):
        body = body.uncompressed
    return body if coding is None or body.size == 0 else CompressedBody(body, coding)


class CompressingWriter:
    """Compresses its input, and passes the output on."""

    __slots__ = ("_coder", "_in_thread", "_writer")

    def __init__(self, writer: BodyWriter, coder: Coder) -> None:
        self._writer = writer
        self._coder = coder
        self._in_thread = False  # whether a long piece came: the coder may keep much of it back

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Compress *chunk*, a piece at a time; bytes that the coder keeps back come with a later chunk."""
        view = memoryview(chunk)
        for start in range(0, view.nbytes, PIECE):
            piece = view[start : start + PIECE]
            if piece.nbytes <= INLINE:
                out = self._coder.compress(piece)
            else:
                self._in_thread = True
                out = await _in_thread(self._coder.compress, piece)
            if out:
                await self._writer.write(out)

    async def finish(self) -> None:
        """End the stream of the coding."""
        finish = self._coder.finish
        out = await _in_thread(finish) if self._in_thread else finish()
        if out:
            await self._writer.write(out)


async def _in_thread(work: Callable[..., bytes], *arguments: object) -> bytes:
    # If this is cancelled, the thread finishes its piece unnoticed: the coder belongs to this send only.
    return await asyncio.get_running_loop().run_in_executor(BODIES, work, *arguments)


def check_coding(compress: object) -> str | None:
    """Return the name of the coding for ``compress=``; None for None, False and "".

    Raises:
        TypeError: it is neither a bool, a str nor None.
        ValueError: it names no supported coding.
        MissingExtraError: the coding needs a package that is missing.
    """
    if not compress:
        return None
    if compress is True:
        return "deflate"
    if not isinstance(compress, str):
        raise TypeError(
            f"compress must be a bool, None or a coding's name, found {type(compress).__name__} {shown_text(compress)}"
        )
    coding = compress.lower()
    if coding not in _CODERS:
        raise ValueError(f"compress={shown_text(compress)}; it can be {', '.join(_CODERS)}")
    if (coding == "br" and brotli_module() is None) or (coding == "zstd" and zstd_module() is None):
        raise MissingExtraError(
            f"compress={coding!r} needs a package that is not installed: pip install aioclient[speedups]"
        )
    return coding


def _deflate() -> Coder:
    coder = zlib.compressobj()  # the zlib format, the meaning of "deflate" (section 8.4.1.2)
    return Coder(coder.compress, coder.flush)


def _gzip() -> Coder:
    coder = zlib.compressobj(wbits=31)
    return Coder(coder.compress, coder.flush)


def _brotli() -> Coder:
    coder = brotli_module().Compressor(quality=_BROTLI_QUALITY)
    return Coder(coder.process, coder.finish)


def _zstd() -> Coder:
    coder = zstd_module().ZstdCompressor()
    return Coder(coder.compress, coder.flush)


_CODERS: Final[dict[str, Callable[[], Coder]]] = {
    "deflate": _deflate,
    "gzip": _gzip,
    "br": _brotli,
    "zstd": _zstd,
}
