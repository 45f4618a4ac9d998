"""The total limit of a call whose middlewares may wait."""

from asyncio import timeout_at

from ..chain import Handler
from ..exceptions import TotalTimeoutError
from ..message.request import Request
from ..response.client_response import ClientResponse


async def within_total(request: Request, handler: Handler) -> ClientResponse:
    """Call *handler*, which includes users' middlewares, within the request's deadline.

    Raises:
        TotalTimeoutError: the deadline has passed.
    """
    limit = timeout_at(request.deadline)
    try:
        async with limit:
            return await handler(request)
    except TimeoutError as error:
        if limit.expired() and not isinstance(error, TotalTimeoutError):
            raise TotalTimeoutError(
                request.method, request.url, request.timeout.total, "no response"
            ) from error
        raise
