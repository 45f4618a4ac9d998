"""What a call raises when the source of its body fails, in the classes that aiohttp has for it."""

from ..exceptions import ClientConnectionError, ClientError, ClientOSError
from ..message.headers import shown_text


def source_error(label: str, error: BaseException) -> Exception:
    """Return what the request *label* raises because the source of its body raised *error*, which is the cause.

    An error of a client, as of a response that is passed on, and a ``TimeoutError`` stay as they are.
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
