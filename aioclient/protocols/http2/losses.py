"""The errors for a response over HTTP/2 that is missing or incomplete."""

from typing import Any, cast

from ...exceptions import (
    ClientError,
    ClientOSError,
    ClientPayloadError,
    HeadTooLargeError,
    IncompleteBodyError,
    ServerDisconnectedError,
    ServerProtocolError,
)
from ...exchange import Exchange
from ...message.headers import shown_text
from ..alerts import advise
from .errors import ErrorCode, StreamFailure, code_name
from .response_head import UNKNOWN, ResponseHead, field_size
from .streams import Stream


def stream_error(exchange: Exchange, stream: Stream, failure: StreamFailure) -> ClientError:
    """Return the error for a failed stream: the server reset it, or the response was invalid."""
    request = exchange.request
    error: ClientError
    if stream.head is not None:
        kind = IncompleteBodyError if failure.by_server else ClientPayloadError
        error = kind(
            f"{request.label}: {_ended(stream)}: {failure.found}, {code_name(failure.code)}"
        )
    elif failure.by_server:
        error = ServerDisconnectedError(
            f"{request.label}: {failure.found}, {code_name(failure.code)}"
        )
    else:
        refused = (
            HeadTooLargeError
            if failure.section.endswith("10.5.1") and failure.code == ErrorCode.ENHANCE_YOUR_CALM
            else ServerProtocolError
        )
        error = refused(
            request.info,
            cast(Any, request.history),
            status=0,
            message=f"the response is refused: {failure}",
        )
    error.__cause__ = failure
    return error


def size_error(exchange: Exchange, head: ResponseHead) -> HeadTooLargeError:
    """Name the limit of the request that *head* exceeds (``max_headers``, ``max_field_size``)."""
    request = exchange.request
    options = request.options
    if len(head.fields) > options.max_headers:
        found = f"it has {len(head.fields)} fields, more than max_headers={options.max_headers}"
    else:
        name = max(head.fields.items(), key=field_size)[0]
        found = (
            f"its field {shown_text(name)} exceeds max_field_size={options.max_field_size} bytes"
        )
    return HeadTooLargeError(
        request.info,
        cast(Any, request.history),
        status=head.status,
        message=f"the response is refused: {found}",
        headers=head.fields,
    )


def _ended(stream: Stream) -> str:
    of_all = f" of {stream.expected}" if stream.expected != UNKNOWN else ""
    return f"the body ended after {stream.received}{of_all} bytes"


def connection_error(
    exchange: Exchange, stream: Stream | None, error: Exception | None
) -> ClientError:
    """Return the error for a lost connection, which broke with *error*, or which the server closed."""
    label = exchange.request.label
    if stream is not None and stream.head is not None:
        incomplete = IncompleteBodyError(f"{label}: {_ended(stream)}")
        incomplete.__cause__ = error
        return incomplete
    if error is not None:
        return broken(f"{label}: the connection broke before a response", error)
    return ServerDisconnectedError(f"{label}: the server closed the connection without a response")


def unsent_error(label: str, error: Exception | None, *, used: bool) -> ClientError:
    """Return the error for a connection that ended before the request was sent, with its cause *error* if known."""
    has = "has closed the connection" if used else "closed the connection"
    text = f"{label}: the server {has} before the request was sent"
    return ServerDisconnectedError(text) if error is None else broken(text, error)


def broken(text: str, error: Exception) -> ClientOSError:
    """Return the error for a connection that broke with *error*."""
    number = error.errno if isinstance(error, OSError) else None
    lost = ClientOSError(number, f"{text}: {error}")
    lost.__cause__ = error
    advise(lost, error)
    return lost
