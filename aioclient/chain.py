"""The chain: how the steps around a request are put together, in which order, and what stands at its end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import ClassVar, Final, Protocol, TypeVar, cast
from weakref import ref

from .exchange import Lease
from .message.request import Request
from .response.client_response import ClientResponse, is_synthetic, release_with

Handler = Callable[[Request], Awaitable[ClientResponse]]
Middleware = Callable[[Request, Handler], Awaitable[ClientResponse]]


class Transport(Protocol):
    """What a session sends by, given to it as ``connector=``: a connector, an application, a recorder, another engine.

    Three more attributes count where it has them: ``takes_proxies``, whether it sends by the proxy that the request
    names (without it, a session that is given a proxy raises), and ``lenient`` and ``http2``, what its sessions take
    for theirs.
    """

    @property
    def closed(self) -> bool:
        """Whether it was closed; its sessions are closed then, too."""

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to *loop*, that of a session that will use it; called once by each such session.

        Raises:
            RuntimeError: it belongs to another loop already.
        """

    def send(self, request: Request) -> Awaitable[ClientResponse]:
        """Send one attempt of *request*, after credentials and cookies were put on; return its response.

        The request's ``full_info.headers`` are the fields. ``content`` is the body, None for none; its ``write()``
        gives it to a writer piece by piece, as it goes out. The session follows redirects, keeps cookies and ends the
        wait when the call's total limit is over; all other limits are the transport's.
        """

    def close(self) -> Awaitable[None]:
        """Close it; what is returned is awaited by the session that owns it."""

    def statistics(self) -> object:
        """Return what it counts, as a value that does not change; None for nothing."""


TRANSPORT_PARTS: Final = ("bind", "close", "closed", "send", "statistics")


def sending_by(transport: Transport) -> Handler:
    """Return the step that sends by a *transport* of the user's, and checks what comes back."""

    async def send(request: Request) -> ClientResponse:
        response = await transport.send(request)
        if not isinstance(cast(object, response), ClientResponse):
            raise TypeError(
                f"{request.label}: {name_of(type(transport))}.send() returned {type(response).__name__}, "
                "not an aioclient.ClientResponse; make one with ClientResponse.from_parts()"
            )
        if request.content is not None and is_synthetic(response):
            await (
                request.content.close()
            )  # as whoever sends it on a connection does, when it was sent
        return response

    return send


def _bound(middleware: Middleware, handler: Handler) -> Handler:
    """Return *middleware* as a handler, with the one that comes after it."""

    def step(request: Request) -> Awaitable[ClientResponse]:
        return middleware(request, handler)

    return step


def name_of(function: object) -> str:
    """Return the name of a user's function or object; its ``repr`` may hold a token that it was made with."""
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


_UNKNOWN: Final = object()


class _Call:
    """One call of a user's middlewares: what it is about, and the responses to that which it has not read yet.

    Weak, since timers and tasks copy the context, and an idle connection has a timer.
    """

    __slots__ = ("outer", "request", "task", "unread")

    def __init__(self, request: Request, outer: "_Call | None") -> None:
        task = asyncio.current_task()
        self.outer = outer
        self.request = ref(request.original)
        self.task = None if task is None else ref(task)
        self.unread: list[tuple[ref[Lease], object]] = []  # each with its pool

    def is_of(self, task: "asyncio.Task[object] | None") -> bool:
        """Tell whether *task* is the one that runs this call."""
        return task is not None and self.task is not None and self.task() is task

    def release(self, pool: object = None, kept: object = None) -> None:
        """Release the responses that are not read yet: those of *pool* (None for all), but for the one with *kept*."""
        for known, its_pool in self.unread:
            lease = known()
            if lease is not None and lease is not kept and (pool is None or its_pool is pool):
                lease.release()
        self.unread = [each for each in self.unread if pool is not None and each[1] is not pool]

    def end(self, kept: object) -> None:
        """Release what is not read yet, but for the response that goes on: the one with *kept*, any for _UNKNOWN."""
        for known, _ in self.unread:
            lease = known()
            if lease is not None:
                lease.warns = True
        if kept is not _UNKNOWN:
            self.release(kept=kept)


_call: ContextVar[_Call | None] = ContextVar("aioclient.chain.call", default=None)


def note_unread(request: Request, lease: "ref[Lease]", pool: object) -> None:
    """Note the *lease* of a response whose body is still coming, if the current task runs middlewares of *request*.

    Its connection is one of *pool*. A copy of a request counts as that request; one that a middleware makes with its
    session does not: what that call returns is the middleware's own to release.
    """
    call = _call.get()
    if (
        call is not None
        and call.request() is request.original
        and call.is_of(asyncio.current_task())
    ):
        call.unread.append((lease, pool))
        if (known := lease()) is not None:
            known.warns = False  # a middleware that tries again drops what came before


def release_unread(pool: object) -> None:
    """Release what the middlewares of the current task have got and not read, since the task will wait for *pool*.

    They may hold the connection that it waits for. A task that a middleware has started is another one: it does not
    keep the middleware from going on.
    """
    call = _call.get()
    if call is None:
        return
    task = asyncio.current_task()
    while call is not None:
        if call.is_of(task):
            call.release(pool)
        call = call.outer


async def release_dropped_responses(request: Request, handler: Handler) -> ClientResponse:
    """Call *handler*, a user's middlewares, and release the responses that they got and did not return.

    They raised, or returned another one. Its connection would be held as long as something knows the response; an
    exception's traceback does.
    """
    outer = _call.get()
    call = _Call(request, outer)
    _call.set(call)
    try:
        response = await handler(request)
    except BaseException:
        call.release()
        raise
    finally:
        _call.set(outer)
    if cast(object, response) is None:
        call.release()
        raise TypeError(
            f"{request.label}: the middlewares returned None, not a response; "
            "each ends with: return await handler(request)"
        )
    if call.unread and not release_with(response, [lease for lease, _ in call.unread]):
        call.end(getattr(response, "connection", _UNKNOWN))
    return response


class Step(Protocol):
    """A middleware of this library.

    Attributes:
        argument: The argument of a call that takes its place, or leaves it out.
        tidy: Whether it releases what it drops, and waits no longer than the deadline: nobody needs to watch it.
    """

    argument: ClassVar[str]
    tidy: ClassVar[bool]

    def __call__(self, request: Request, handler: Handler, /) -> Awaitable[ClientResponse]:
        """Do its part for *request*."""


def is_tidy(middleware: Middleware) -> bool:
    """Tell whether *middleware* keeps the rules for responses and deadlines by itself."""
    return bool(getattr(middleware, "tidy", False))


EventT = TypeVar("EventT")


def tell(listener: Callable[[EventT], object] | None, event: EventT) -> None:
    """Give *event* to a *listener* of the user's; what it raises goes to the event loop's exception handler."""
    if listener is None:
        return
    try:
        listener(event)
    except Exception as error:  # noqa: BLE001  (the request goes on without it, whatever it is)
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"{name_of(listener)} raised {error!r}", "exception": error}
        )


def compose(middlewares: Sequence[Middleware], handler: Handler) -> Handler:
    """Return *handler* with *middlewares* around it, the first one outermost."""
    for middleware in reversed(middlewares):
        handler = _bound(middleware, handler)
    return handler
