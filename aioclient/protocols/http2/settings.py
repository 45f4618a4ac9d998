"""The settings of both sides (RFC 9113, section 6.5)."""

from dataclasses import dataclass
from typing import Final

from .errors import ConnectionFailure, ErrorCode
from .flow import DEFAULT_WINDOW, MAX_WINDOW
from .frames import read_setting

HEADER_TABLE_SIZE: Final = 0x1
ENABLE_PUSH: Final = 0x2
MAX_CONCURRENT_STREAMS: Final = 0x3
INITIAL_WINDOW_SIZE: Final = 0x4
MAX_FRAME_SIZE: Final = 0x5
MAX_HEADER_LIST_SIZE: Final = 0x6
ENABLE_CONNECT_PROTOCOL: Final = 0x8  # RFC 8441, section 3
NO_RFC7540_PRIORITIES: Final = 0x9  # RFC 9218, section 2.1

DEFAULT_TABLE_SIZE: Final = 4096  # section 6.5.2
MIN_FRAME_SIZE: Final = 2**14
MAX_FRAME_SIZE_LIMIT: Final = 2**24 - 1
ASSUMED_STREAMS: Final = 100  # before the server's SETTINGS came; section 6.5.2 recommends no less
MAX_SETTINGS: Final = 64  # in a frame; fewer than ten are registered


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Our settings for the server.

    Args:
        stream_window: the largest number of bytes that wait for the reader of one response.
        connection_window: the largest number of bytes on their way on the connection.
        frame_size: the largest frame of the server; larger frames make a download cheaper.
        field_list_size: bytes of a response's head or trailers: names, values and 32 for each field.

    Raises:
        ValueError: one of them is smaller than servers may assume, or larger than HTTP/2 allows.
    """

    stream_window: int = 2**20
    connection_window: int = 2**24
    frame_size: int = 2**16
    field_list_size: int = 2**16

    def __post_init__(self) -> None:
        for name, lowest, highest in (
            ("stream_window", DEFAULT_WINDOW, MAX_WINDOW),
            ("connection_window", DEFAULT_WINDOW, MAX_WINDOW),
            ("frame_size", MIN_FRAME_SIZE, MAX_FRAME_SIZE_LIMIT),
            ("field_list_size", 1, 2**32 - 1),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise ValueError(
                    f"{name} must be between {lowest} and {highest} bytes, found {value}"
                )

    def pairs(self) -> list[tuple[int, int]]:
        """Return the contents of the first SETTINGS frame."""
        return [
            (ENABLE_PUSH, 0),
            (INITIAL_WINDOW_SIZE, self.stream_window),
            (MAX_FRAME_SIZE, self.frame_size),
            (MAX_HEADER_LIST_SIZE, self.field_list_size),
            (NO_RFC7540_PRIORITIES, 1),
        ]


class PeerSettings:
    """The latest settings of the server, or their defaults.

    Attributes:
        table_size: Bytes of the dynamic table that our encoder may use.
        max_streams: Streams that may be open at a time.
        initial_window: Bytes that may be sent on a new stream.
        frame_size: The largest frame that we may send, in bytes.
        field_list_size: The largest field list that we may send, in bytes; None for any size.
        extended_connect: 1 if CONNECT accepts ``:protocol`` (RFC 8441).
    """

    __slots__ = (
        "extended_connect",
        "field_list_size",
        "frame_size",
        "initial_window",
        "max_streams",
        "table_size",
    )

    def __init__(self) -> None:
        self.table_size: int = DEFAULT_TABLE_SIZE
        self.max_streams: int = ASSUMED_STREAMS
        self.initial_window: int = DEFAULT_WINDOW
        self.frame_size: int = MIN_FRAME_SIZE
        self.field_list_size: int | None = None
        self.extended_connect: int = 0

    def apply(self, payload: bytes) -> None:
        """Apply the settings of a SETTINGS frame, in their order; unknown settings are ignored.

        Raises:
            ConnectionFailure: a value is invalid for its setting.
        """
        if len(payload) % 6:
            raise ConnectionFailure(
                ErrorCode.FRAME_SIZE_ERROR,
                f"a SETTINGS frame has {len(payload)} bytes, not a multiple of 6",
                "RFC 9113, section 6.5",
            )
        if len(payload) > 6 * MAX_SETTINGS:
            raise ConnectionFailure(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"a SETTINGS frame has {len(payload) // 6} settings, more than {MAX_SETTINGS}",
                "RFC 9113, section 10.5",
            )
        for setting, value in read_setting(payload):
            if setting in _RANGES:
                self._check(setting, value)
                name = _ATTRIBUTES.get(setting)
                if name is not None:
                    setattr(self, name, value)

    def _check(self, setting: int, value: int) -> None:
        lowest, highest, code = _RANGES[setting]
        if not lowest <= value <= highest:
            raise ConnectionFailure(
                code,
                f"setting {setting:#x} is {value}, not between {lowest} and {highest}",
                "RFC 9113, section 6.5.2",
            )
        if setting == ENABLE_CONNECT_PROTOCOL and self.extended_connect and not value:
            raise ConnectionFailure(
                ErrorCode.PROTOCOL_ERROR,
                "SETTINGS_ENABLE_CONNECT_PROTOCOL was 1 and is 0 now",
                "RFC 8441, section 3",
            )


_ANY: Final = 2**32 - 1
_PROTOCOL: Final = ErrorCode.PROTOCOL_ERROR
_RANGES: Final = {
    HEADER_TABLE_SIZE: (0, _ANY, _PROTOCOL),
    ENABLE_PUSH: (0, 0, _PROTOCOL),  # a server's can only be 0
    MAX_CONCURRENT_STREAMS: (0, _ANY, _PROTOCOL),
    INITIAL_WINDOW_SIZE: (0, MAX_WINDOW, ErrorCode.FLOW_CONTROL_ERROR),
    MAX_FRAME_SIZE: (MIN_FRAME_SIZE, MAX_FRAME_SIZE_LIMIT, _PROTOCOL),
    MAX_HEADER_LIST_SIZE: (0, _ANY, _PROTOCOL),
    ENABLE_CONNECT_PROTOCOL: (0, 1, _PROTOCOL),
    NO_RFC7540_PRIORITIES: (0, 1, _PROTOCOL),
}
_ATTRIBUTES: Final = {
    HEADER_TABLE_SIZE: "table_size",
    MAX_CONCURRENT_STREAMS: "max_streams",
    INITIAL_WINDOW_SIZE: "initial_window",
    MAX_FRAME_SIZE: "frame_size",
    MAX_HEADER_LIST_SIZE: "field_list_size",
    ENABLE_CONNECT_PROTOCOL: "extended_connect",
}
