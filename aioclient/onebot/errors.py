"""The failures of actions as exceptions, one class for each return code or family of codes.

A handler raises them to choose the answer; a call of an application raises them for the answer it got.
"""

from typing import ClassVar, Protocol

from ..exceptions import ClientError
from ..message.excerpt import beginning
from . import retcodes

__all__ = (
    "BadHandler",
    "BadParam",
    "BadRequest",
    "BadSegmentData",
    "DatabaseError",
    "FilesystemError",
    "IAmTired",
    "InternalHandlerError",
    "LogicError",
    "NetworkError",
    "OneBotError",
    "OneBotImplError",
    "PlatformError",
    "UnknownSelf",
    "UnsupportedAction",
    "UnsupportedParam",
    "UnsupportedSegment",
    "UnsupportedSegmentData",
    "WhoAmI",
    "error_of",
)


class OneBotError(ClientError):
    """An action failed, or shall fail when a handler raises this.

    ``retcode``, ``data`` and ``message`` are those of the answer. ``action`` is the name of the action where it is
    known, and ``echo`` the request's, as far as it could be read.
    """

    retcode: int
    data: object
    message: str
    action: str | None
    echo: str | None

    def __init__(self, retcode: int, data: object = None, message: str = "") -> None:
        super().__init__(retcode, data, message)
        self.retcode = retcode
        self.data = data
        self.message = message
        self.action = None
        self.echo = None

    def __str__(self) -> str:
        asked = f"{self.action}: " if self.action else ""
        # A peer may have written it: in a log it must be one line, and not a long one.
        message = beginning(str(self.message)) or type(self).__name__
        return f"{asked}{message} (retcode {self.retcode})"


OneBotImplError = OneBotError
"""pylibob's name."""


class _OneCode(OneBotError):
    """The base of the classes that stand for one code."""

    code: ClassVar[int]

    def __init__(self, data: object = None, message: str = "") -> None:
        super().__init__(self.code, data, message)
        self.args: tuple[object, str] = (data, message)


class BadRequest(_OneCode):
    """10001: the request is no action, or is in a format that is not supported."""

    code = retcodes.BAD_REQUEST


class UnsupportedAction(_OneCode):
    """10002: the implementation has no such action."""

    code = retcodes.UNSUPPORTED_ACTION


class BadParam(_OneCode):
    """10003: a parameter is missing, or of the wrong type."""

    code = retcodes.BAD_PARAM


class UnsupportedParam(_OneCode):
    """10004: the action has no such parameter."""

    code = retcodes.UNSUPPORTED_PARAM


class UnsupportedSegment(_OneCode):
    """10005: the implementation has no segments of that type."""

    code = retcodes.UNSUPPORTED_SEGMENT


class BadSegmentData(_OneCode):
    """10006: data of a segment are missing, or of the wrong type."""

    code = retcodes.BAD_SEGMENT_DATA


class UnsupportedSegmentData(_OneCode):
    """10007: the implementation has no such data in segments of that type."""

    code = retcodes.UNSUPPORTED_SEGMENT_DATA


class WhoAmI(_OneCode):
    """10101: several bots are possible, and the request has no ``self``."""

    code = retcodes.WHO_AM_I


class UnknownSelf(_OneCode):
    """10102: the request's ``self`` is no bot of this connection."""

    code = retcodes.UNKNOWN_SELF


class BadHandler(_OneCode):
    """20001: the handler's result cannot be an answer."""

    code = retcodes.BAD_HANDLER


class InternalHandlerError(_OneCode):
    """20002: the handler raised an exception that it did not expect."""

    code = retcodes.INTERNAL_HANDLER_ERROR


class _Family(OneBotError):
    """The base of the classes that stand for a thousand codes."""

    first: ClassVar[int]

    def __init__(self, retcode: int, data: object = None, message: str = "") -> None:
        if not self.first <= retcode <= self.first + 999:
            raise ValueError(
                f"{type(self).__name__}: the retcode is {retcode}, and has to be"
                f" from {self.first} to {self.first + 999}"
            )
        super().__init__(retcode, data, message)


class DatabaseError(_Family):
    """31000 to 31999: the implementation's database failed."""

    first = retcodes.DATABASE_ERROR


class FilesystemError(_Family):
    """32000 to 32999: the implementation's files failed."""

    first = retcodes.FILESYSTEM_ERROR


class NetworkError(_Family):
    """33000 to 33999: the implementation's network failed."""

    first = retcodes.NETWORK_ERROR


class PlatformError(_Family):
    """34000 to 34999: the chat platform refused."""

    first = retcodes.PLATFORM_ERROR


class LogicError(_Family):
    """35000 to 35999: what was asked makes no sense, such as a message to nobody."""

    first = retcodes.LOGIC_ERROR


class IAmTired(_Family):
    """36000 to 36999: the implementation is on strike."""

    first = retcodes.I_AM_TIRED


_ONE_CODE: dict[int, type[_OneCode]] = {
    kind.code: kind
    for kind in (
        BadRequest,
        UnsupportedAction,
        BadParam,
        UnsupportedParam,
        UnsupportedSegment,
        BadSegmentData,
        UnsupportedSegmentData,
        WhoAmI,
        UnknownSelf,
        BadHandler,
        InternalHandlerError,
    )
}
_FAMILIES: dict[int, type[_Family]] = {
    kind.first // 1000: kind
    for kind in (
        DatabaseError,
        FilesystemError,
        NetworkError,
        PlatformError,
        LogicError,
        IAmTired,
    )
}


class Failure(Protocol):
    """What an exception needs of an answer."""

    @property
    def retcode(self) -> int:
        """The return code."""

    @property
    def data(self) -> object:
        """The data."""

    @property
    def message(self) -> str:
        """The text."""

    @property
    def echo(self) -> str | None:
        """The request's echo."""


def error_of(response: Failure, action: str | None = None) -> OneBotError:
    """Return the exception for a failed *response*: that of its code, else that of its family, else OneBotError."""
    error: OneBotError
    if response.retcode in _ONE_CODE:
        error = _ONE_CODE[response.retcode](response.data, response.message)
    elif response.retcode // 1000 in _FAMILIES:
        error = _FAMILIES[response.retcode // 1000](
            response.retcode, response.data, response.message
        )
    else:
        error = OneBotError(response.retcode, response.data, response.message)
    error.action = action
    error.echo = response.echo
    return error
