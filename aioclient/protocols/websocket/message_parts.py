"""Messages in several frames or segments, assembled as they come. No I/O.

The memory stays close to the size of the message, whatever the size of the pieces: small ones are copied into a buffer.
"""

from codecs import utf_8_decode
from io import StringIO
from typing import Final

from aiohttp import WebSocketError

from .frames import INVALID_DATA

# Bytes, or characters; a smaller piece is copied into a buffer. A separate object costs about 60 bytes; copying each
# network packet would cost time.
SMALL_PIECE: Final = 256


def not_utf8(error: UnicodeDecodeError, before: int = 0) -> WebSocketError:
    """Return the error for an invalid text message; *before* bytes of it came before those of *error*."""
    return WebSocketError(
        INVALID_DATA,
        f"a text message is not UTF-8: {error.reason} at byte {before + error.start}",
    )


class BinaryParts:
    """A binary message."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []

    def add(self, data: bytes) -> None:
        """Add the next piece."""
        pieces = self._pieces
        if len(data) >= SMALL_PIECE:
            pieces.append(data)
        elif pieces and type(pieces[-1]) is bytearray:
            pieces[-1] += data
        else:
            pieces.append(bytearray(data))

    def finish(self) -> bytes:
        """Return the message."""
        return b"".join(self._pieces)


class TextParts:
    """A text message; each piece is decoded once, when it comes (RFC 6455, section 8.1)."""

    __slots__ = ("_cut", "_pieces", "_position")

    def __init__(self) -> None:
        self._pieces: list[str | StringIO] = []
        self._cut = b""  # the first bytes of an incomplete character
        self._position = 0  # of the first byte that is not decoded

    def add(self, data: bytes) -> None:
        """Add the next piece.

        Raises:
            WebSocketError: it is invalid UTF-8 at this position.
        """
        if self._cut:
            data = self._cut + data
        try:
            text, used = utf_8_decode(data, "strict", False)
        except UnicodeDecodeError as error:
            raise not_utf8(error, self._position) from error
        self._position += used
        self._cut = b"" if used == len(data) else data[used:]
        if len(self._cut) == 2 and self._cut[0] == 0xED and self._cut[1] > 0x9F:
            self._check_end()  # a surrogate: Python would wait for its third byte
        pieces = self._pieces
        if len(text) >= SMALL_PIECE:
            pieces.append(text)
            return
        last = pieces[-1] if pieces else ""
        if isinstance(last, str):
            last = StringIO()
            pieces.append(last)
        last.write(text)

    def finish(self) -> str:
        """Return the message.

        Raises:
            WebSocketError: it ends within a character.
        """
        self._check_end()
        return "".join(
            [piece if isinstance(piece, str) else piece.getvalue() for piece in self._pieces]
        )

    def _check_end(self) -> None:
        try:
            self._cut.decode()
        except UnicodeDecodeError as error:
            raise not_utf8(error, self._position) from error
