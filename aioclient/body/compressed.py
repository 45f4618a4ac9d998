"""Bodies sent in a content coding (RFC 9110, section 8.4), compressed as they go out.

The rules:

- Nothing is compressed ahead: a piece is taken from its source, compressed and written before the next one is taken,
  so an upload of any length holds a piece or two.
- The length is known only at the end: such a body goes out in chunks.
- Each send begins a new stream of its coding, so that a body sent again is whole and the same.
- Up to ``INLINE`` bytes are compressed on the event loop, which takes half a millisecond; longer pieces in a thread,
  which costs a tenth of one and holds up nobody.
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
    5  # what servers use for what they make on the fly; 11, its default, is a hundred times slower
)


class Coder(NamedTuple):
    """One stream of a coding: what takes pieces, and what ends it."""

    compress: Callable[[Any], bytes]
    finish: Callable[[], bytes]


class CompressedBody(BodyWrapper):
    """Another body in a content coding, which its ``headers`` name."""

    __slots__ = ("_coding", "_make_coder")

    def __init__(self, body: Body, coding: str) -> None:
        """Take *body* to send it in *coding*, one of ``check_coding()``'s names.

        Raises:
            ValueError: *body* is in a content coding already.
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
        """Return *body* compressed as well; an empty one is not."""
        body = self._body.around(body)
        return body if body.size == 0 else CompressedBody(body, self._coding)

    async def write(self, writer: BodyWriter) -> None:
        """Send all of it, as ``Body.write`` says."""
        compressing = self.compressing(writer)
        await self._body.write(compressing)
        await compressing.finish()

    def compressing(self, writer: BodyWriter) -> "CompressingWriter":
        """Return a writer for ``uncompressed`` whose output goes to *writer*; call its ``finish()`` at the end."""
        return CompressingWriter(writer, self._make_coder())


def recoded(body: Body, coding: str | None) -> Body:
    """Return *body* in another coding, or (None) in none; an empty one is not compressed."""
    if isinstance(body, CompressedBody):
        body = body.uncompressed
    return body if coding is None or body.size == 0 else CompressedBody(body, coding)


class CompressingWriter:
    """Compresses what it is given, and passes on what comes out."""

    __slots__ = ("_coder", "_in_thread", "_writer")

    def __init__(self, writer: BodyWriter, coder: Coder) -> None:
        self._writer = writer
        self._coder = coder
        self._in_thread = False  # whether a long piece was seen: the coder may hold much of it back

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Compress *chunk*, a piece at a time; what the coder holds back comes with a later one."""
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
    # Cancelled, the thread ends its piece and nobody sees it: the coder belongs to this send alone.
    return await asyncio.get_running_loop().run_in_executor(BODIES, work, *arguments)


def check_coding(compress: object) -> str | None:
    """Return the name of the coding that ``compress=`` asks for; None for None, False and "".

    Raises:
        TypeError: it is neither a bool, a str nor None.
        ValueError: it names no coding that is known here.
        MissingExtraError: a package is missing that the coding needs.
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
    coder = zlib.compressobj()  # the zlib format, which is what "deflate" means (section 8.4.1.2)
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
