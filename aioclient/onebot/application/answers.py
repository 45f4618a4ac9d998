"""What the answers to actions have to contain."""

from typing import Any

from ..actions import ActionResponse
from ..convert import from_plain
from ..errors import error_of
from .errors import InvalidAnswerError


def result_of(response: ActionResponse, action: str) -> object:
    """Return the data of *response*.

    Raises:
        OneBotError: the action failed.
    """
    if not response.ok:
        raise error_of(response, action)
    return response.data


def answered(data: object, name: str, hint: Any, action: str) -> Any:
    """Return the field *name* of the *data* of an answer to *action*, as a value of the type *hint*.

    Raises:
        InvalidAnswerError: it is missing, or of another type.
    """
    if not isinstance(data, dict) or name not in data:
        raise InvalidAnswerError(f"{action}: the answer's data have no {name!r}")
    try:
        return from_plain(data[name], hint, where=f"{action}: data.{name}")
    except ValueError as error:
        raise InvalidAnswerError(str(error)) from None
