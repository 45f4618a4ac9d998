"""The chain: how the steps around a request are composed, in which order, and what sends the request at its end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import ClassVar, Final, Protocol, TypeVar, cast, runtime_checkable
from weakref import ref

from .exceptions import TotalTimeoutError
from .exchange import Lease
from .message.request import Request
from .response.client_response import ClientResponse, is_synthetic, release_with

Handler = Callable[[Request], Awaitable[ClientResponse]]
Middleware = Callable[[Request, Handler], Awaitable[ClientResponse]]


class Transport(Protocol):
    """What a session sends requests with, given as ``connector=``: a connector, an application, a recorder, another
    engine.

    It may have three more attributes: ``takes_proxies`` is whether it uses the proxy that a request names (without it,
    a session with a proxy raises); ``lenient`` and ``http2`` are the defaults of its sessions.
    """

    @property
    def closed(self) -> bool:
        """Whether it was closed; its sessions are then closed too."""

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bind it to *loop*, the loop of a session that will use it; called once by each such session.

        Raises:
            RuntimeError: it is bound to another loop already.
        """

    def send(self, request: Request) -> Awaitable[ClientResponse]:
        """Send one attempt of *request*, which has its credentials and cookies; return the response.

        The request's ``full_info.headers`` are the fields. ``content`` is the body, None for none; its ``write()``
        passes it to a writer piece by piece. The session follows redirects, keeps cookies and stops waiting at the
        call's total limit; all other limits are up to the transport.
        """

    def close(self) -> Awaitable[None]:
        """Close it; the session that owns it awaits the result."""

    def statistics(self) -> object:
        """Return its counts as an immutable value; None if it has none."""


TRANSPORT_PARTS: Final = ("bind", "close", "closed", "send", "statistics")


def sending_by(transport: Transport) -> Handler:
    """Return the step that sends with a user's *transport* and checks its response."""

    async def send(request: Request) -> ClientResponse:
        response = await transport.send(request)
        if not isinstance(cast(object, response), ClientResponse):
            raise TypeError(
                f"{request.label}: {name_of(type(transport))}.send() returned {type(response).__name__}, "
                "not an aioclient.ClientResponse; make one with ClientResponse.from_parts()"
            )
        if request.content is not None and is_synthetic(response):
            await request.content.close()  # as a connection does once the request was sent
        return response

    return send


def _bound(middleware: Middleware, handler: Handler) -> Handler:
    """Return *middleware* as a handler that is bound to the next one."""

    def step(request: Request) -> Awaitable[ClientResponse]:
        return middleware(request, handler)

    return step


def name_of(function: object) -> str:
    """Return the name of a user's function or object; its ``repr`` may contain a token that it was made with."""
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


_UNKNOWN: Final = object()


class _Call:
    """One call of a user's middlewares: its request, and the responses that they have not read yet.

    The references are weak, because timers and tasks copy the context, and an idle connection has a timer.
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
        """Release the unread responses: those of *pool* (None for all), except the one with the lease *kept*."""
        for known, its_pool in self.unread:
            lease = known()
            if lease is not None and lease is not kept and (pool is None or its_pool is pool):
                lease.release()
        self.unread = [each for each in self.unread if pool is not None and each[1] is not pool]

    def end(self, kept: object) -> None:
        """Release the unread responses except the one that is returned: the one with *kept*, or any for _UNKNOWN."""
        for known, _ in self.unread:
            lease = known()
            if lease is not None:
                lease.warns = True
        if kept is not _UNKNOWN:
            self.release(kept=kept)


_call: ContextVar[_Call | None] = ContextVar("aioclient.chain.call", default=None)


def note_unread(request: Request, lease: "ref[Lease]", pool: object) -> None:
    """Note the *lease* of a response whose body is incomplete, if the current task runs middlewares of *request*.

    Its connection belongs to *pool*. A copy of a request counts as that request. A request that a middleware makes with
    its session does not: the middleware must release that response itself.
    """
    call = _call.get()
    if (
        call is not None
        and call.request() is request.original
        and call.is_of(asyncio.current_task())
    ):
        call.unread.append((lease, pool))
        if (known := lease()) is not None:
            known.warns = False  # a middleware that tries again drops earlier responses


def release_unread(pool: object) -> None:
    """Release the responses that the current task's middlewares have not read, because the task will wait for *pool*.

    They may occupy the connection that it waits for. A task started by a middleware is separate: it does not keep the
    middleware from continuing.
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
    """Call *handler*, a user's middlewares, and release the responses that they received and did not return.

    They raised, or returned another response. A dropped response would occupy its connection as long as something
    refers to it, such as an exception's traceback.
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
    if call.unread and not release_with(response, [lease for lease, _ in call.unread]):
        call.end(getattr(response, "connection", _UNKNOWN))
    return response


class Step(Protocol):
    """A middleware of this library.

    Attributes:
        argument: The argument of a call that replaces it, or leaves it out.
        tidy: Whether it releases the responses that it drops, and never waits past the deadline.
    """

    argument: ClassVar[str]
    tidy: ClassVar[bool]

    def __call__(self, request: Request, handler: Handler, /) -> Awaitable[ClientResponse]:
        """Process *request*."""


@runtime_checkable
class Lasting(Protocol):
    """A middleware that has something which lasts as long as its sessions: a store, or tasks of its own."""

    def attach(self, session: object) -> None:
        """Note that *session* was made with it."""

    def detach(self, session: object) -> Awaitable[None]:
        """End what runs for *session*, which is closed, and what no other session needs."""


def is_tidy(middleware: Middleware) -> bool:
    """Tell whether *middleware* follows the rules for responses and deadlines by itself."""
    return bool(getattr(middleware, "tidy", False))


def returning_a_response(middleware: Middleware) -> Middleware:
    """Return *middleware* with a check of what it returns, for the steps around it; one of this library as it is."""
    if is_tidy(middleware):
        return middleware

    async def step(request: Request, handler: Handler) -> ClientResponse:
        response = await middleware(request, handler)
        if cast(object, response) is None:
            raise TypeError(
                f"{request.label}: the middleware {name_of(middleware)} returned None, not a response; "
                "it must end with: return await handler(request)"
            )
        return response

    return step


EventT = TypeVar("EventT")


def check_listener(listener: object) -> None:
    """Refuse an ``on_change=`` that ``tell()`` could not call.

    Raises:
        TypeError: *listener* is neither None nor a plain function.
    """
    if listener is not None and not callable(listener):
        raise TypeError(f"on_change must be a function, found {type(listener).__name__}")
    if iscoroutinefunction(listener):
        raise TypeError(
            "on_change must be a plain function, found a coroutine function; it may start a task"
        )


def tell(listener: Callable[[EventT], object] | None, event: EventT) -> None:
    """Pass *event* to a user's *listener*; an exception goes to the event loop's exception handler."""
    if listener is None:
        return
    try:
        listener(event)
    # The request goes on, whatever it is. A CancelledError is that of another task, whose result was asked for.
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"{name_of(listener)} raised {error!r}", "exception": error}
        )


def compose(middlewares: Sequence[Middleware], handler: Handler) -> Handler:
    """Return *handler* wrapped in *middlewares*, the first one outermost."""
    for middleware in reversed(middlewares):
        handler = _bound(middleware, handler)
    return handler


T = TypeVar("T")


async def in_time(request: Request, pending: Awaitable[T], lacking: str) -> T:
    """Return the result of *pending*, a user's function that a step waits for, within the deadline of *request*.

    Raises:
        TotalTimeoutError: the deadline has passed; *lacking* is what the message says was missing.
    """
    if request.deadline is None:
        return await pending
    limit = asyncio.timeout_at(request.deadline)
    try:
        async with limit:
            return await pending
    except TimeoutError as error:
        if limit.expired() and not isinstance(error, TotalTimeoutError):
            raise TotalTimeoutError(
                request.method, request.url, request.timeout.total, lacking
            ) from error
        raise
