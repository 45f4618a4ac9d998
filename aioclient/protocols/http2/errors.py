"""Error codes (RFC 9113, section 7), and what fails with them: a connection, or one stream of it."""

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
    """Return the name of *code*; codes that nobody registered are numbers (section 7)."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error code {code:#x}"


class Failure(Exception):
    """Something that the server did, or told.

    Attributes:
        code: The error code, which may be an unknown one if the server sent it.
        found: What was found.
        section: Where the rule stands that was broken, such as ``RFC 9113, section 6.5``; empty if none was.
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
    """A connection error (section 5.4.1): no stream goes on, and the connection is of no more use."""


class StreamFailure(Failure):
    """A stream error (section 5.4.2), or what a connection's failure is for each of its streams.

    Attributes:
        by_server: The server reset the stream or closed the connection; else it was refused here.
        unprocessed: The server did nothing with the request, whatever its method (section 8.7).
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
