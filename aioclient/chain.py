"""The chain: how the steps around a request are put together, and in which order."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import cast
from weakref import ref

from .message.request import Request
from .response.client_response import ClientResponse

Handler = Callable[[Request], Awaitable[ClientResponse]]
Middleware = Callable[[Request, Handler], Awaitable[ClientResponse]]


def _bound(middleware: Middleware, handler: Handler) -> Handler:
    """Return *middleware* as a handler, with the one that comes after it."""

    def step(request: Request) -> Awaitable[ClientResponse]:
        return middleware(request, handler)

    return step


def name_of(function: object) -> str:
    """Return the name of a user's function or object; its ``repr`` may hold a token that it was made with."""
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


# Weak, since timers and tasks copy the context, and an idle connection has a timer.
_Place = tuple["ref[Request]", "ref[asyncio.Task[object]] | None"]
_around: ContextVar[tuple[_Place, ...]] = ContextVar("aioclient.chain.around", default=())


def requests_around() -> list[Request]:
    """Return the requests within whose middlewares the current task is, the outermost first."""
    around = _around.get()
    if not around:
        return []
    task = asyncio.current_task()
    # A task that a middleware started has a copy of its context, but does not keep it from going on.
    found = [place() for place, owner in around if owner is not None and owner() is task]
    return [request for request in found if request is not None]


async def release_what_is_dropped(request: Request, handler: Handler) -> ClientResponse:
    """Call *handler*, a user's middlewares, and release the response that they got and did not return.

    They raised, or returned another one. Its connection would be held as long as something knows the response; an
    exception's traceback does.
    """
    before, task = _around.get(), asyncio.current_task()
    _around.set((*before, (ref(request), None if task is None else ref(task))))
    try:
        response = await handler(request)
    except BaseException:
        request.let_go()
        raise
    finally:
        _around.set(before)
    if cast(object, response) is None:
        request.let_go()
        raise TypeError(
            f"{request.what}: the middlewares returned None, not a response; "
            "each ends with: return await handler(request)"
        )
    held = None if request.held is None else request.held()
    if held is not None and held is not getattr(response, "connection", held):
        request.let_go()
    return response


def compose(middlewares: Sequence[Middleware], handler: Handler) -> Handler:
    """Return *handler* with *middlewares* around it, the first one outermost."""
    for middleware in reversed(middlewares):
        handler = _bound(middleware, handler)
    return handler
