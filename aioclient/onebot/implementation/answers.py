"""Responses as messages."""

from ..actions import ActionResponse
from ..convert import MAX_DEPTH, to_plain
from ..encoding import MAX_MESSAGE, Encoding, encode, encode_plain
from ..errors import BadHandler
from ..faults import is_fault, place_of
from .dispatcher import log


def encoded(
    response: ActionResponse,
    encoding: Encoding,
    action: object = None,
    limit: int | None = MAX_MESSAGE,
) -> bytes:
    """Return *response* as a message; if its data cannot be sent, one that says so (20001), and a line in the log.

    Args:
        action: the name of the action, for the log.
        limit: bytes of the message; None for any number.
    """
    try:
        plain: object
        if response.ok:  # only its data are of the handler
            plain = {**response.to_dict(), "data": to_plain(response.data, MAX_DEPTH - 1)}
        else:
            plain = to_plain(response.to_dict())
        message = encode_plain(plain, encoding)
        if limit is None or len(message) <= limit:
            return message
        log.error(
            "the result of action %.100r cannot be sent: it has %d bytes, and peers take %d",
            action,
            len(message),
            limit,
        )
    except BaseException as error:  # data may be values with methods of the user
        if not is_fault(error):
            raise
        log.error(
            "the result of action %.100r cannot be sent: %r, at %s", action, error, place_of(error)
        )
    failure = BadHandler(message="the handler's result cannot be sent")
    return encode(ActionResponse.failed(failure, response.echo).to_dict(), encoding)
