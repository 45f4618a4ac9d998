"""The bytes of frames (RFC 9113, sections 4.1 and 6).

A frame is a head of nine bytes (24 bits of length, 8 of type, 8 of flags, a reserved bit and 31 bits of stream
identifier), and a payload of that length.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Final

from .errors import ConnectionFailure, ErrorCode

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

NAMES: Final = (
    "DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE",
    "CONTINUATION",
)  # fmt: skip

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

HEAD_SIZE: Final = 9
STREAM_ID: Final = 0x7FFFFFFF  # without the reserved bit, which is ignored (section 4.1)
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # section 3.4

# Length and type are read as one number, because there is no format for 24 bits.
read_head: Final = Struct("!IBI").unpack_from
read_setting: Final = Struct("!HI").iter_unpack
_head: Final = Struct("!IBI").pack
_number: Final = Struct("!I").pack
_setting: Final = Struct("!HI").pack


def frame_head(length: int, kind: int, flags: int, stream_id: int) -> bytes:
    """Return the nine bytes before a payload of *length* bytes."""
    return _head(length << 8 | kind, flags, stream_id)


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Return a whole frame."""
    return _head(len(payload) << 8 | kind, flags, stream_id) + payload


def settings_frame(settings: Iterable[tuple[int, int]]) -> bytes:
    """Return a SETTINGS frame (section 6.5)."""
    return frame(SETTINGS, 0, 0, b"".join([_setting(*setting) for setting in settings]))


SETTINGS_ACK: Final = frame(SETTINGS, ACK, 0, b"")


def reset_frame(stream_id: int, code: int) -> bytes:
    """Return a RST_STREAM frame (section 6.4)."""
    return frame(RST_STREAM, 0, stream_id, _number(code))


def window_frame(stream_id: int, size: int) -> bytes:
    """Return a WINDOW_UPDATE frame (section 6.9)."""
    return frame(WINDOW_UPDATE, 0, stream_id, _number(size))


def ping_frame(payload: bytes, flags: int = 0) -> bytes:
    """Return a PING frame with 8 bytes of payload (section 6.7)."""
    return frame(PING, flags, 0, payload)


def goaway_frame(last_id: int, code: int) -> bytes:
    """Return a GOAWAY frame (section 6.8)."""
    return frame(GOAWAY, 0, 0, _number(last_id) + _number(code))


def block_frames(stream_id: int, block: bytes, end_stream: int, max_size: int) -> bytes:
    """Return a field block as HEADERS, and CONTINUATION past *max_size* bytes (sections 6.2 and 6.10)."""
    size = len(block)
    if size <= max_size:
        return _head(size << 8 | HEADERS, END_HEADERS | end_stream, stream_id) + block
    parts = [frame(HEADERS, end_stream, stream_id, block[:max_size])]
    for start in range(max_size, size, max_size):
        flags = END_HEADERS if start + max_size >= size else 0
        parts.append(frame(CONTINUATION, flags, stream_id, block[start : start + max_size]))
    return b"".join(parts)


def kind_name(kind: int) -> str:
    """Return the name of a frame's type."""
    return NAMES[kind] if kind < len(NAMES) else f"a frame of the unknown type {kind:#x}"


def wrong_size(subject: str, size: int, section: str) -> ConnectionFailure:
    """Return the error for a frame of an invalid size (section 4.2)."""
    return ConnectionFailure(
        ErrorCode.FRAME_SIZE_ERROR, f"{subject} has {size} bytes", f"RFC 9113, {section}"
    )
