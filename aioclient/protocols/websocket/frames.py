"""Outgoing frames (RFC 6455, section 5): opcodes, close codes, headers, masks."""

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import chain, repeat
from struct import Struct
from typing import Final, cast

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FIN: Final = 0x80
RSV1: Final = (
    0x40  # the message is compressed, if permessage-deflate was negotiated (RFC 7692, section 6)
)
MASKED: Final = 0x80
MAX_CONTROL: Final = 125  # bytes of a control frame's payload (section 5.5)

# Close codes (section 7.4).
NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009

_MASKS_AT_ONCE: Final = (
    64  # one system call for each mask would cost as much as the rest of a small frame
)
_split_block = Struct("4s" * _MASKS_AT_ONCE).unpack

_SMALL: Final = Struct("!BB4s").pack
_MEDIUM: Final = Struct("!BBH4s").pack
_LARGE: Final = Struct("!2xBBQ4s").pack_into
_LARGE_ROOM: Final = bytes(16)  # for that header, with 2 unsent bytes before it

Buffer = bytes | bytearray | memoryview


def is_close_code(code: int) -> bool:
    """Tell whether *code* is valid in a close frame: registered, or 3000 to 4999 for private use."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def masks() -> Iterator[bytes]:
    """Return an endless supply of masks: 4 bytes each from the system's random source (section 5.3)."""
    blocks = map(os.urandom, repeat(4 * _MASKS_AT_ONCE))
    return chain.from_iterable(map(_split_block, blocks))


def mask_with_integers(mask: bytes, data: bytearray) -> None:
    """Mask *data* in place."""
    size = len(data)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    data[:] = (int.from_bytes(data, "little") ^ key).to_bytes(size, "little")


def _find_mask() -> Callable[[bytes, bytearray], None]:
    """Return aiohttp's compiled function, which is private, or else ours: ten times slower at 64 KiB."""
    try:
        found = import_module("aiohttp._websocket.mask")._websocket_mask_cython
    except (ImportError, AttributeError):
        return mask_with_integers
    return cast(Callable[[bytes, bytearray], None], found)


apply_mask: Final = _find_mask()


def encode_frame(first: int, payload: Buffer, mask: bytes) -> Buffer:
    """Return a masked frame whose first byte (FIN, RSV and opcode) is *first*."""
    if type(payload) is memoryview:
        payload = bytes(payload)  # its items may be larger than a byte, or have gaps between them
    size = len(payload)
    if size < 2**16:
        data = bytearray(payload)
        apply_mask(mask, data)
        if size < 126:
            return _SMALL(first, MASKED | size, mask) + data
        return _MEDIUM(first, MASKED | 126, size, mask) + data
    # One copy instead of two: the header is written over the masked bytes in its place. 16 is a multiple of 4.
    data = bytearray(_LARGE_ROOM) + payload
    apply_mask(mask, data)
    _LARGE(data, 0, first, MASKED | 127, size, mask)
    return memoryview(data)[2:]


def close_payload(code: int, reason: bytes) -> bytes:
    """Return the payload of a close frame.

    Raises:
        ValueError: the code must not be sent (section 7.4), or the reason has more than 123 bytes.
    """
    if not is_close_code(code):
        raise ValueError(
            f"the close code {code} must not be sent (RFC 6455, section 7.4); use 1000, or 3000 to 4999"
        )
    if len(reason) > MAX_CONTROL - 2:
        raise ValueError(
            f"the close message has {len(reason)} bytes; at most {MAX_CONTROL - 2} fit a close frame"
        )
    return code.to_bytes(2, "big") + reason
