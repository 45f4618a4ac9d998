"""Messages that come in pieces: put together as the pieces come. No I/O.

Neither costs much more memory than its message, whatever the size of the pieces: small ones are copied into a buffer.
"""

from codecs import utf_8_decode
from io import StringIO
from typing import Final

from aiohttp import WebSocketError

from .frames import INVALID_DATA

# Bytes, or characters; what has less is copied into a buffer. An object of its own costs some 60 bytes more; a copy of
# each network packet would cost time.
SMALL_PIECE: Final = 256


def not_utf8(error: UnicodeDecodeError, before: int = 0) -> WebSocketError:
    """Return the refusal of a text message, of which *before* bytes came before those of *error*."""
    return WebSocketError(
        INVALID_DATA,
        f"a text message is not UTF-8: {error.reason} at byte {before + error.start}",
    )


class BinaryParts:
    """A message of bytes."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []

    def add(self, data: bytes) -> None:
        """Take the next piece."""
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
    """A message in UTF-8, each piece of which is decoded once, when it comes (RFC 6455, section 8.1)."""

    __slots__ = ("_cut", "_pieces", "_position")

    def __init__(self) -> None:
        self._pieces: list[str | StringIO] = []
        self._cut = b""  # the first bytes of a character whose others are not here yet
        self._position = 0  # of the first byte that is not decoded

    def add(self, data: bytes) -> None:
        """Take the next piece.

        Raises:
            WebSocketError: it cannot be a part of UTF-8 text where it stands.
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
            self._check_end()  # a surrogate, whose third byte Python would wait for
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
