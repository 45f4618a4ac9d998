"""The middleware that lets identical requests share one exchange."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, TypeAlias

from ...chain import Handler, check_listener, tell
from ...exceptions import TotalTimeoutError, copy_of
from ...message.request import Request
from ...response.client_response import ClientResponse, is_given_decoded, note_attempts
from .policy import key_of


@dataclass(frozen=True, slots=True)
class Coalesced:
    """The argument of ``on_change`` of a ``Coalesce``: request *label*, and how many *callers* share its response."""

    label: str
    callers: int


@dataclass(frozen=True, slots=True)
class CoalesceStatistics:
    """What a ``Coalesce`` has counted since it was made, or since ``reset()``.

    ``calls`` are requests that could share, ``joined`` those that joined another one's exchange, ``alone`` those of
    them that had to be sent after all because the body was too large to share; ``under_way`` are exchanges now.
    """

    calls: int
    joined: int
    alone: int
    under_way: int


class _Else(Enum):
    """What a caller does if it gets no shared response."""

    ALONE = "alone"  # send its own request
    AGAIN = "again"  # join another exchange, or begin one


_Result: TypeAlias = ClientResponse | _Else


class Coalesce:
    """A middleware that lets identical GET or HEAD requests at the same time share one exchange.

    If a request comes while an identical one is under way, both get the same response, each as a separate copy.
    Requests are identical if they have the same URL, fields, credentials and cookies, so nobody gets a response that
    was meant for somebody else. A caller that is cancelled or times out does not affect the others: the exchange goes
    on as long as somebody waits for it.

    A shared response is read before it is returned, if its body has at most *max_body* bytes. If the body is larger,
    the first caller gets the stream, and the others send their own requests.

    Args:
        max_body: bytes of a body, as received (not decompressed).
        on_change: a function that gets a ``Coalesced``.

    Raises:
        ValueError, TypeError: an argument makes no sense.
    """

    argument: ClassVar[str] = "coalesce"
    tidy: ClassVar[bool] = True

    def __init__(
        self,
        *,
        max_body: int = 2**20,
        on_change: Callable[[Coalesced], object] | None = None,
    ) -> None:
        if isinstance(max_body, bool) or not isinstance(max_body, int):
            raise TypeError(f"max_body must be an int, found {type(max_body).__name__}")
        if max_body < 0:
            raise ValueError(f"max_body={max_body}; give bytes, 0 or more")
        check_listener(on_change)
        self._max_body = max_body
        self._on_change = on_change
        self._shared: dict[Hashable, _Shared] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.reset()

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        """Send *request*, or wait for the response to an identical one that is under way."""
        key = key_of(request)
        if key is None:
            return await handler(request)
        self._calls += 1
        result: _Result = _Else.AGAIN
        while result is _Else.AGAIN:
            shared = self._shared.get(key)
            if shared is None:
                shared = self._start(key, request, handler)
            elif shared.leader.options != request.options:
                result = _Else.ALONE
                break
            else:
                self._joined += 1
            result = await shared.wait(request)
        if isinstance(result, _Else):
            self._alone += 1
            return await handler(request)
        return result

    def _start(self, key: Hashable, request: Request, handler: Handler) -> "_Shared":
        self._shared[key] = shared = _Shared(request, key)
        fetching = self._fetch(shared, request, handler)
        shared.task = task = asyncio.get_running_loop().create_task(fetching)
        self._tasks.add(task)
        return shared

    async def _fetch(self, shared: "_Shared", request: Request, handler: Handler) -> None:
        """Get the response for all waiting callers; nobody joins after its head has come."""
        response: ClientResponse | None = None
        try:
            try:
                response = await handler(request)
            finally:
                del self._shared[shared.key]
            callers = len(shared.callers)
            if not shared.hand_over(response):
                tell(self._on_change, Coalesced(request.label, callers))
                pieces, whole = await self._read(response)
                shared.share(response, pieces, whole)
        except BaseException as error:
            shared.fail(error)
            if isinstance(response, ClientResponse):
                response.close()
            if not isinstance(error, Exception):
                raise
        finally:
            self._tasks.discard(shared.task)

    async def _read(self, response: ClientResponse) -> tuple[list[bytes], bool]:
        """Return the body as received, in pieces, and whether it is complete."""
        pieces: list[bytes] = []
        size = 0
        content = response.content
        while size <= self._max_body:
            piece = await content.read_raw(self._max_body + 1 - size)
            if not piece:
                return pieces, True
            pieces.append(piece)
            size += len(piece)
        return pieces, False

    def statistics(self) -> CoalesceStatistics:
        """Return the counts, as an immutable value."""
        return CoalesceStatistics(self._calls, self._joined, self._alone, len(self._shared))

    def reset(self) -> None:
        """Reset the counts; exchanges under way stay shared."""
        self._calls = self._joined = self._alone = 0

    def __repr__(self) -> str:
        return f"<Coalesce {self._joined} of {self._calls} joined, {len(self._shared)} under way>"


class _Shared:
    """An exchange, and the callers that wait for its response."""

    __slots__ = ("callers", "key", "leader", "task")

    task: "asyncio.Task[None]"

    def __init__(self, leader: Request, key: Hashable) -> None:
        self.key = key
        self.leader = leader
        self.callers: dict[asyncio.Future[_Result], Request] = {}

    async def wait(self, request: Request) -> _Result:
        """Return the response for *request*, or what the caller must do instead.

        Raises:
            TotalTimeoutError: the deadline of *request* came first.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[_Result] = loop.create_future()
        timer = None
        if (
            request.deadline is not None and request is not self.leader
        ):  # the leader's deadline is that of the exchange
            timer = loop.call_at(request.deadline, _expire, waiter, request)
        self.callers[waiter] = request
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                result = waiter.result()  # it came at the moment of the cancellation
                if isinstance(result, ClientResponse):
                    result.close()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            del self.callers[waiter]
            if not self.callers and not self.task.done():
                self.task.cancel()

    def fail(self, error: BaseException) -> None:
        """Raise *error* in all callers, a copy in each; if only the leader's time is over, the others go on."""
        first = True
        for waiter, request in self.callers.items():
            if waiter.done():
                continue
            if isinstance(error, asyncio.CancelledError):
                waiter.cancel()
            elif isinstance(error, TotalTimeoutError) and request is not self.leader:
                waiter.set_result(_Else.AGAIN)
            else:
                waiter.set_exception(error if first else copy_of(error))
                first = False

    def hand_over(self, response: ClientResponse) -> bool:
        """Give *response* as it is to the leader if nobody else waits; return whether that is all."""
        waiting = [waiter for waiter in self.callers if not waiter.done()]
        if not waiting:
            response.close()
        elif len(waiting) == 1 and self.callers[waiting[0]] is self.leader:
            waiting[0].set_result(response)
        else:
            return False
        return True

    def share(self, response: ClientResponse, pieces: list[bytes], whole: bool) -> None:
        """Give each caller a response with the body in *pieces*; if the body is not *whole*, only the first caller."""
        first = True
        for waiter, request in self.callers.items():
            if waiter.done():
                continue
            if whole:
                waiter.set_result(_copy_for(request, response, b"".join(pieces)))
            elif first:
                waiter.set_result(_copy_for(request, response, _Stream(pieces, response)))
            else:
                waiter.set_result(_Else.ALONE)
            first = False
        if whole or first:
            response.release()


def _copy_for(
    request: Request, response: ClientResponse, body: bytes | AsyncIterable[bytes]
) -> ClientResponse:
    made = ClientResponse.from_parts(
        request,
        response.status,
        response.headers,
        body,
        reason=response.reason,
        version=response.version,
        trailers=response.trailers,
        timings=response.timings,
        decoded=is_given_decoded(response),
    )
    note_attempts(made, response.attempts)
    return made


class _Stream:
    """The body of *response*, of which *pieces* have come already; closing it releases the response."""

    def __init__(self, pieces: list[bytes], response: ClientResponse) -> None:
        self._pieces = pieces
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            for piece in self._pieces:
                yield piece
            async for piece in self._response.content.iter_raw():
                yield piece
        finally:
            self._response.release()

    async def aclose(self) -> None:
        """Release the response of a body that nobody has begun to read."""
        self._response.release()


def _expire(waiter: "asyncio.Future[_Result]", request: Request) -> None:
    if not waiter.done():
        waiter.set_exception(
            TotalTimeoutError(
                request.method,
                request.url,
                request.timeout.total,
                "no response to a shared request",
            )
        )
