"""permessage-deflate (RFC 7692): the offer, the agreement, and the compression itself.

A message is compressed as one run of DEFLATE data, flushed to a byte boundary, without the four bytes that end every
such flush (section 7.2.1). With context takeover the next message may refer to this one.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .frames import Buffer

NAME: Final = "permessage-deflate"
TAIL: Final = b"\x00\x00\xff\xff"
# As in aiohttp and most servers: messages are small and many, and higher levels cost twice as much for a few percent.
LEVEL: Final = 1
# Ends of a DEFLATE stream (BFINAL) within one message; each needs a new decompressor. Real peers write at most one.
MAX_STREAMS: Final = 16

_PARAMETER: Final = re.compile(
    r'\s*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)\s*(?:=\s*(?:"([0-9A-Za-z]+)"|([0-9A-Za-z]+))\s*)?'
)
_BITS: Final = frozenset(str(bits) for bits in range(8, 16))


class TooLarge(Exception):
    """A message inflates to more bytes than allowed."""


@dataclass(frozen=True, slots=True)
class Deflate:
    """The agreement (section 7.1): the windows in bits, and whose context ends with each message."""

    server_bits: int = 15
    client_bits: int = 15
    server_no_takeover: bool = False
    client_no_takeover: bool = False


def offer(bits: int) -> str:
    """Return the value of ``Sec-WebSocket-Extensions`` that offers windows of at most *bits*, both ways."""
    if bits == 15:
        return f"{NAME}; client_max_window_bits"
    return f"{NAME}; client_max_window_bits={bits}; server_max_window_bits={bits}"


def agreed_deflate(extensions: Sequence[str], bits: int) -> Deflate:
    """Return the agreement in the server's answer to ``offer(bits)``; it names at least one extension.

    Raises:
        ValueError: it names another extension, or one twice, or a parameter that is unknown, repeated, out of range or
            more than was offered. The connection must then fail (section 7.1).
    """
    if len(extensions) > 1:
        raise ValueError("more than one extension")
    name, *parameters = extensions[0].split(";")
    if name.strip().lower() != NAME:
        raise ValueError(f"the extension {name.strip()!r}, which was not offered")
    found: dict[str, str | None] = {}
    for parameter in parameters:
        if not parameter.strip():
            continue  # RFC 9110, section 5.6.6
        match = _PARAMETER.fullmatch(parameter)
        if match is None:
            raise ValueError(f"the parameter {parameter.strip()!r}")
        key = match[1].lower()
        if key in found:
            raise ValueError(f"the parameter {key} twice")
        found[key] = match[2] or match[3]
    for key, value in found.items():
        if key in ("server_no_context_takeover", "client_no_context_takeover"):
            right = value is None
        elif key in ("server_max_window_bits", "client_max_window_bits"):
            right = value in _BITS
        else:
            right = False
        if not right:
            raise ValueError(f"the parameter {key}{'' if value is None else f'={value}'}")
    server_bits = int(found.get("server_max_window_bits") or 15)
    if server_bits > bits:
        raise ValueError(
            f"a window of {server_bits} bits, when server_max_window_bits={bits} was asked for"
        )
    return Deflate(
        server_bits,
        min(bits, int(found.get("client_max_window_bits") or 15)),
        "server_no_context_takeover" in found,
        "client_no_context_takeover" in found,
    )


class Compressor:
    """Compresses the messages of one connection.

    ``bits`` is its window; 0 if it cannot compress at all: zlib has no window of 8 bits, and a message may always be
    sent uncompressed.
    """

    __slots__ = ("_stream", "bits", "no_takeover")

    def __init__(self, agreed: Deflate) -> None:
        self.bits: int = agreed.client_bits if agreed.client_bits > 8 else 0
        self.no_takeover: bool = agreed.client_no_takeover
        self._stream: zlib._Compress | None = None

    def compress(self, data: Buffer, bits: int = 0) -> bytes:
        """Return *data*, a whole message, compressed; *bits* sets a window for this message only."""
        if bits:
            # This message moves the peer's window, so the stream's context is not valid any more.
            self._stream = None
            stream = _new_stream(min(bits, self.bits))
        elif self._stream is None:
            stream = _new_stream(self.bits)
            if not self.no_takeover:
                self._stream = stream
        else:
            stream = self._stream
        return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def _new_stream(bits: int) -> "zlib._Compress":
    return zlib.compressobj(LEVEL, zlib.DEFLATED, -bits)


class Decompressor:
    """Decompresses the messages of one connection, piece by piece."""

    __slots__ = ("_agreed", "_stream", "_streams")

    def __init__(self, agreed: Deflate) -> None:
        self._agreed = agreed
        self._stream: zlib._Decompress | None = None
        self._streams = 0

    def feed(self, data: bytes, room: int | None, final: bool) -> bytes:
        """Return the inflated *data*, the next piece of a message: at most *room* bytes, None for any number.

        With *final* it is the last piece, and the next piece begins another message.

        Raises:
            TooLarge: it has more than *room* bytes; at most one byte more was inflated.
            zlib.error: it is not DEFLATE data.
        """
        stream = self._stream
        if stream is None:
            self._stream = stream = self._new_stream()
        most = 0 if room is None else room + 1  # 0 means no limit in zlib
        result = stream.decompress(data + TAIL if final else data, most)
        while stream.eof:
            # The stream has ended within the message (section 7.2.3.4); a new one follows.
            rest = stream.unused_data
            self._streams += 1
            if self._streams > MAX_STREAMS:
                raise zlib.error(f"a message of more than {MAX_STREAMS} DEFLATE streams")
            self._stream = stream = self._new_stream()
            if rest:
                result += stream.decompress(rest, max(most - len(result), 1) if most else 0)
        if most and len(result) >= most:
            raise TooLarge
        if final:
            self._streams = 0
            if self._agreed.server_no_takeover:
                self._stream = None
        return result

    def _new_stream(self) -> "zlib._Decompress":
        return zlib.decompressobj(-max(self._agreed.server_bits, 9))
