"""The exception of a call when the source of its body fails, in aiohttp's classes."""

from ..exceptions import ClientConnectionError, ClientError, ClientOSError
from ..message.headers import shown_text


def source_error(label: str, error: BaseException) -> Exception:
    """Return the exception of the request *label* for *error*, raised by its body's source; *error* becomes the cause.

    A client error, such as that of a forwarded response, and a ``TimeoutError`` are returned unchanged.
    """
    if isinstance(error, ClientError) or (isinstance(error, TimeoutError) and error.errno is None):
        return error
    text = f"{label}: the request body could not be read: {shown_text(error)}"
    failure = (
        ClientOSError(error.errno, text)
        if isinstance(error, OSError)
        else ClientConnectionError(text)
    )
    failure.__cause__ = error
    return failure
