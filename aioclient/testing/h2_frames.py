"""Frames of HTTP/2 as they stand on the wire (RFC 9113, section 6): independent of the client's own codec."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_SIZE: Final = 9
FRAME_SIZE: Final = 16_384  # the largest payload, and
WINDOW: Final = 65_535  # the first window, unless SETTINGS say otherwise
LARGEST_WINDOW: Final = 2**31 - 1
STREAM_ID: Final = 2**31 - 1  # without the reserved bit

# Flags; the same bit means END_STREAM in DATA and HEADERS, ACK in SETTINGS and PING.
END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

HeaderFields: TypeAlias = list[tuple[bytes, bytes]]


class H2Kind(IntEnum):
    """The type of a frame (RFC 9113, section 6; the last two RFC 7838 and RFC 9218)."""

    DATA = 0x0
    HEADERS = 0x1
    PRIORITY = 0x2
    RST_STREAM = 0x3
    SETTINGS = 0x4
    PUSH_PROMISE = 0x5
    PING = 0x6
    GOAWAY = 0x7
    WINDOW_UPDATE = 0x8
    CONTINUATION = 0x9
    ALTSVC = 0xA
    PRIORITY_UPDATE = 0x10


class H2Setting(IntEnum):
    """What SETTINGS can say (RFC 9113, section 6.5.2; the last two RFC 8441 and RFC 9218)."""

    HEADER_TABLE_SIZE = 0x1
    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_FRAME_SIZE = 0x5
    MAX_HEADER_LIST_SIZE = 0x6
    ENABLE_CONNECT_PROTOCOL = 0x8
    NO_RFC7540_PRIORITIES = 0x9


class H2Code(IntEnum):
    """Why a stream or a connection ends (RFC 9113, section 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


@dataclass(frozen=True, slots=True)
class H2Frame:
    """A frame as it came.

    Attributes:
        kind: Its type: an `H2Kind`, or the number of an unknown one.
        flags: Its flags, as one number.
        stream_id: Its stream, 0 for the connection.
        payload: What came behind the 9 bytes of its head, padding included.
    """

    kind: int
    flags: int
    stream_id: int
    payload: bytes = field(repr=False)

    def __str__(self) -> str:
        name = H2Kind(self.kind).name if self.kind in set(H2Kind) else f"frame {self.kind:#x}"
        return (
            f"{name} on stream {self.stream_id}, flags {self.flags:#x}, {len(self.payload)} bytes"
        )

    @property
    def ends_stream(self) -> bool:
        """Whether it is DATA or HEADERS, the last of its stream."""
        return self.kind in (H2Kind.DATA, H2Kind.HEADERS) and bool(self.flags & END_STREAM)

    @property
    def content(self) -> bytes:
        """The payload without padding and priority.

        Raises:
            ValueError: The padding is longer than the payload (sections 6.1 and 6.2).
        """
        start, end = 0, len(self.payload)
        if self.flags & PADDED and self.kind in (H2Kind.DATA, H2Kind.HEADERS):
            start = 1
            end -= self.payload[0] if self.payload else 0
        if self.flags & WITH_PRIORITY and self.kind == H2Kind.HEADERS:
            start += 5
        if start > end:
            raise ValueError(f"{self}: the padding is longer than the payload")
        return self.payload[start:end]

    @property
    def code(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        at = 4 if self.kind == H2Kind.GOAWAY else 0
        return int.from_bytes(self.payload[at : at + 4], "big")

    @property
    def last_stream_id(self) -> int:
        """The last stream that the sender of a GOAWAY may have worked on."""
        return int.from_bytes(self.payload[:4], "big") & STREAM_ID

    @property
    def increment(self) -> int:
        """What a WINDOW_UPDATE adds."""
        return int.from_bytes(self.payload, "big") & STREAM_ID

    @property
    def settings(self) -> dict[int, int]:
        """What SETTINGS say."""
        return dict(struct.iter_unpack(">HI", self.payload))


def frame_bytes(kind: int, flags: int = 0, stream_id: int = 0, payload: bytes = b"") -> bytes:
    """Return a frame; nothing is checked, so that a test can send what no server should."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream_id) + payload


def settings_payload(settings: Mapping[int, int]) -> bytes:
    """Return the payload of SETTINGS."""
    return b"".join(struct.pack(">HI", name, value) for name, value in settings.items())


def padded(payload: bytes, padding: int | None) -> tuple[int, bytes]:
    """Return the flag for padding and the payload with as much of it; None is no padding at all."""
    if padding is None:
        return 0, payload
    return PADDED, bytes([padding]) + payload + bytes(padding)
