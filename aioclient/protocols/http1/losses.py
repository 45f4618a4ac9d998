"""The errors for a connection that ended too early."""

from ...exceptions import (
    ClientError,
    ClientOSError,
    IncompleteBodyError,
    ServerDisconnectedError,
)
from ...exchange import Exchange
from ...message.headers import CONTENT_LENGTH
from ...message.request import Request
from ..alerts import advise
from .response import ResponseReader


def unsent_error(request: Request, error: Exception | None, *, used: bool) -> ClientError:
    """Return the error for a connection that ended before *request* was sent, with its cause *error* if that is known.

    *used*: it had carried another request before.
    """
    has = "has closed the connection" if used else "closed the connection"
    text = f"{request.label}: the server {has} before the request was sent"
    return ServerDisconnectedError(text) if error is None else _broken(text, error)


def lost_error(
    exchange: Exchange, reader: ResponseReader, remaining: int, error: Exception | None
) -> ClientError:
    """Return the error for a connection lost during an exchange: without the response, or within its head or body.

    *remaining*: missing bytes of a body of known length that bypasses the parser.
    """
    label = exchange.request.label
    if reader.head_done:
        incomplete = IncompleteBodyError(f"{label}: {_body_so_far(reader, remaining)}")
        incomplete.__cause__ = error
        return incomplete
    if error is not None:
        return _broken(f"{label}: the connection broke before a response", error)
    where = "within the head of its response" if exchange.got_bytes else "without a response"
    return ServerDisconnectedError(f"{label}: the server closed the connection {where}")


def _broken(text: str, error: Exception) -> ClientOSError:
    number = error.errno if isinstance(error, OSError) else None
    lost = ClientOSError(number, f"{text}: {error}")
    lost.__cause__ = error
    advise(lost, error)
    return lost


def _body_so_far(reader: ResponseReader, remaining: int) -> str:
    length = reader.fields.get(CONTENT_LENGTH)
    if reader.trailers is not None:
        return f"the chunked body ended after {reader.body_bytes} bytes, before its last chunk"
    if length is not None:
        received = int(length) - remaining if remaining else reader.body_bytes
        return f"the body ended after {received} of {length} bytes"
    return "the connection broke within a body that lasts as long as the connection"
