"""The chain: how the steps around a request are put together, and in which order."""

from collections.abc import Awaitable, Callable, Sequence

from .message.request import Request
from .message.response import ClientResponse

Handler = Callable[[Request], Awaitable[ClientResponse]]
Middleware = Callable[[Request, Handler], Awaitable[ClientResponse]]


class _Step:
    """One middleware bound to the handler that comes after it."""

    __slots__ = ("_handler", "_middleware")

    def __init__(self, middleware: Middleware, handler: Handler) -> None:
        self._middleware = middleware
        self._handler = handler

    def __call__(self, request: Request) -> Awaitable[ClientResponse]:
        return self._middleware(request, self._handler)

    def __repr__(self) -> str:
        return f"{name_of(self._middleware)} → {self._handler!r}"


def name_of(function: object) -> str:
    """Return the name of a user's function or object; its ``repr`` may hold a token that it was made with."""
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


async def release_what_is_dropped(request: Request, handler: Handler) -> ClientResponse:
    """Call *handler*, a user's middlewares, and release the response that they got and did not return.

    They raised, or returned another one. Its connection would be held as long as something knows the response; an
    exception's traceback does.
    """
    try:
        response = await handler(request)
    except BaseException:
        request.let_go()
        raise
    held = None if request.held is None else request.held()
    if held is not None and held is not getattr(response, "connection", held):
        request.let_go()
    return response


def compose(middlewares: Sequence[Middleware], handler: Handler) -> Handler:
    """Return *handler* with *middlewares* around it, the first one outermost."""
    for middleware in reversed(middlewares):
        handler = _Step(middleware, handler)
    return handler
