"""The step that lets credentials write themselves into a request.

Most credentials need one plain function call. Those that wait for something, or look at the response, get a copy of the
request for each attempt, so that the fields that they set are on that copy only.
"""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final

from ...chain import Handler, in_time
from ...message.request import Auth, Request
from ...response.client_response import ClientResponse

_LACKING: Final = "no credentials"

Answer = Callable[[Request, ClientResponse], Awaitable[bool]]


def authenticate(request: Request, handler: Handler) -> Awaitable[ClientResponse]:
    """Authorize *request* anew, then send it. Redirects remove ``auth`` if the origin changes."""
    request.authorization = None
    return handler(request) if request.auth is None else send_with(request.auth, request, handler)


def send_with(auth: Auth, request: Request, handler: Handler) -> Awaitable[ClientResponse]:
    """Send *request* with the credentials *auth*, and a second time if they ask for it."""
    answer: Answer | None = getattr(auth, "answer", None)
    if answer is not None:
        return _rounds(auth, answer, request, handler)
    pending = auth.authorize(request)
    if pending is not None and isawaitable(pending):
        return _after(pending, request, handler)
    return handler(request)


async def _after(pending: Awaitable[None], request: Request, handler: Handler) -> ClientResponse:
    await in_time(request, pending, _LACKING)
    return await handler(request)


async def _rounds(auth: Auth, answer: Answer, request: Request, handler: Handler) -> ClientResponse:
    """Send *request*, and once more if *answer* asks for it and the body can be sent again."""
    attempt = await _authorized(auth, request)
    response = await handler(attempt)
    try:
        again = await in_time(request, answer(attempt, response), _LACKING)
    except BaseException:
        response.close()  # nobody else will close it
        raise
    content = request.content
    if not again or (content is not None and content.consumed):
        return response
    response.release()
    if content is not None:
        content.rewind()
    return await handler(await _authorized(auth, request))


async def _authorized(auth: Auth, request: Request) -> Request:
    attempt = request.copy()
    pending = auth.authorize(attempt)
    if pending is not None and isawaitable(pending):
        await in_time(request, pending, _LACKING)
    return attempt
