"""How a connection or an attempt ended, as a value for the policy."""

from ..exceptions import (
    ClientError,
    ClientResponseError,
    ServerProtocolError,
    WSClosedError,
    WSMessageTypeError,
)
from ..message.retry_after import retry_after
from ..websocket import ClientWebSocketResponse
from .policy import Closed, Failed, Left, Outcome, Refused


def outcome_of_error(error: Exception, now: float) -> Outcome:
    """Return the outcome for *error* of an attempt; *now* is in seconds since the epoch."""
    if isinstance(error, ClientResponseError) and not isinstance(error, ServerProtocolError):
        headers = error.headers
        return Refused(error.status, None if headers is None else retry_after(headers, now))
    return Failed(error)


def outcome_of_connection(ws: ClientWebSocketResponse) -> tuple[Outcome, Exception | None]:
    """Return the outcome for *ws*, which is closed, and the corresponding error."""
    code = ws.close_code
    if ws.closed_by_us or code is None:
        return Left(), None
    error = WSClosedError(ws.response.request.label, code, ws.close_reason or "")
    error.__cause__ = ws.exception()
    return Closed(code), error


def described(outcome: Outcome) -> str:
    """Return *outcome* for a log line: for an error only its class, because user code may have raised it."""
    match outcome:
        case Closed(code):
            return f"closed with {code}"
        case Left():
            return "left"
        case Refused(status):
            return f"refused with {status}"
        case Failed(error):
            return type(error).__name__


def is_explained_by_end(error: Exception) -> bool:
    """Tell whether *error*, raised by using a connection that has ended, only says that it has ended."""
    return isinstance(error, (ClientError, OSError, WSMessageTypeError))
