"""Error codes (RFC 9113, section 7), and failures of a connection or of one stream."""

from enum import IntEnum


class ErrorCode(IntEnum):
    """Why a stream or a connection ends."""

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


def code_name(code: int) -> str:
    """Return the name of *code*; unregistered codes are shown as numbers (section 7)."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error code {code:#x}"


class Failure(Exception):
    """A fault of the server, or an error that it reported.

    Attributes:
        code: The error code, which may be an unknown one if the server sent it.
        found: What was found.
        section: The broken rule, such as ``RFC 9113, section 6.5``; empty if there is none.
    """

    def __init__(self, code: int, found: str, section: str = "") -> None:
        super().__init__(code, found, section)
        self.code = code
        self.found = found
        self.section = section

    def __str__(self) -> str:
        where = f" ({self.section})" if self.section else ""
        return f"{code_name(self.code)}: {self.found}{where}"


class ConnectionFailure(Failure):
    """A connection error (section 5.4.1): all streams end, and the connection is unusable."""


class StreamFailure(Failure):
    """A stream error (section 5.4.2), or a connection's failure as one of its streams gets it.

    Attributes:
        by_server: The server reset the stream or closed the connection; otherwise it was refused here.
        unprocessed: The server has not processed the request, whatever its method (section 8.7).
    """

    def __init__(
        self,
        code: int,
        found: str,
        section: str = "",
        *,
        by_server: bool = False,
        unprocessed: bool = False,
    ) -> None:
        super().__init__(code, found, section)
        self.by_server = by_server
        self.unprocessed = unprocessed
