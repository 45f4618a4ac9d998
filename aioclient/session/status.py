"""``raise_for_status``: a bool, or a user's function that checks each response."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable

from ..chain import name_of
from ..response.client_response import ClientResponse

RaiseForStatus = bool | Callable[[ClientResponse], Awaitable[None]]


def check_raise_for_status(value: object) -> None:
    """Refuse a value that is neither a bool nor a function now, not only when a status is checked."""
    if not isinstance(value, bool) and not callable(value):
        raise TypeError(
            f"raise_for_status must be a bool or a coroutine function that takes the response, "
            f"found {type(value).__name__} {value!r}"
        )


def chosen_check(of_call: RaiseForStatus | None, of_session: RaiseForStatus) -> RaiseForStatus:
    """Return the setting of the call, or that of its session if the call has none.

    Raises:
        TypeError: it is neither a bool nor a function.
    """
    if of_call is None:
        return of_session
    check_raise_for_status(of_call)
    return of_call


async def check_response(response: ClientResponse, check: RaiseForStatus) -> None:
    """Check *response* as *check* demands; the response is closed if this raises.

    Raises:
        StatusError: *check* is True, and the status is 400 or more.
        TypeError: *check* is not a coroutine function.
    """
    if check is True:
        await response.check_status()
    elif check is not False:
        await _ask(response, check)


async def _ask(
    response: ClientResponse, check: Callable[[ClientResponse], Awaitable[None]]
) -> None:
    try:
        checking: object = check(response)
        if not isawaitable(checking):
            raise TypeError(
                f"raise_for_status={name_of(check)} must be a coroutine function, "
                f"it returned {type(checking).__name__}"
            )
        await checking
    except BaseException:
        response.close()
        raise
