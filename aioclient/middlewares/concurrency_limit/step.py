"""The middlewares that limit how many requests are under way."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, cast
from weakref import ref

from ...chain import Handler, check_listener, release_unread, tell
from ...exceptions import ClientConnectionError, NotSentError, QueueFullError, TotalTimeoutError
from ...message.numbers import check_count
from ...message.request import Request
from ...message.scopes import By, States, scope_of
from ...response.client_response import ClientResponse
from ...response.lease import Connection
from ...waiting import not_counted, ran_out_of_time, take_over
from .policy import AdaptiveRule, Gradient


@dataclass(frozen=True, slots=True)
class ConcurrencyChange:
    """The argument of ``on_change`` of a ``ConcurrencyLimit`` or ``AdaptiveLimit``.

    Attributes:
        key: the origin that it is about, or another key.
        state: "queueing" when the first request has to wait, "free" when no request waits any more; "moved" when an
            adaptive limit changed.
        limit: how many requests may be under way now.
    """

    key: str
    state: Literal["queueing", "free", "moved"]
    limit: int


@dataclass(frozen=True, slots=True)
class ConcurrencyStatistics:
    """What a ``ConcurrencyLimit`` or ``AdaptiveLimit`` has counted since it was made, or since ``reset()``.

    ``passed`` are requests that were sent, ``refused`` those that found the queue full; ``under_way`` and ``waiting``
    are the numbers now; ``limits`` has the limit of each key.
    """

    passed: int
    refused: int
    under_way: int
    waiting: int
    limits: dict[str, int]


class _Places:
    """The places of one key."""

    __slots__ = ("gradient", "is_queueing", "key", "limit", "under_way", "waiters")

    def __init__(self, key: str, limit: int, gradient: Gradient | None) -> None:
        self.key = key
        self.limit = limit
        self.gradient = gradient
        self.under_way = 0
        self.is_queueing = False
        self.waiters: deque[asyncio.Future[None]] = deque()

    def is_unused(self) -> bool:
        """Tell whether nothing is under way, and nothing waits."""
        return not (self.under_way or self.waiters)

    def let_in(self) -> None:
        """Give the free places to the waiting requests, in their order."""
        while self.waiters and self.under_way < self.limit:
            waiter = self.waiters.popleft()
            if not waiter.done():
                self.under_way += 1
                waiter.set_result(None)


class _Stay:
    """The place of a response whose body is incomplete: until the body ends, is given up, or is garbage-collected."""

    __slots__ = ("__weakref__", "_end", "_lease", "_places", "_stays")

    def __init__(
        self,
        places: _Places,
        lease: Connection,
        stays: "set[_Stay]",
        end: Callable[[_Places], None],
    ) -> None:
        self._places = places
        self._end = end
        self._stays = stays
        self._lease = ref(lease, self.end)  # it dies when the response drops it, or dies itself
        stays.add(self)

    def end(self, _: object) -> None:
        """Give the place up, once."""
        if self in self._stays:
            self._stays.discard(self)
            self._end(self._places)


def _nothing(piece: bytes) -> None:
    """Ignore a piece of a body."""


class _Limit:
    """The base of both limits: places for each key, and a queue for them."""

    argument: ClassVar[str] = "concurrency_limit"
    tidy: ClassVar[bool] = True

    def __init__(
        self, max_waiting: int, by: By, on_change: Callable[[ConcurrencyChange], object] | None
    ) -> None:
        check_count("max_waiting", max_waiting, 0)
        check_listener(on_change)
        self._max_waiting = max_waiting
        self._key = scope_of(by)
        self._on_change = on_change
        self._places: States[str, _Places] = States()
        self._stays: set[_Stay] = set()
        self._loop: asyncio.AbstractEventLoop | None = None  # of the requests that wait
        self._passed = self._refused = 0

    def _new_places(self, key: str) -> _Places:
        raise NotImplementedError

    def _places_of(self, request: Request) -> _Places:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            in_use = not all(places.is_unused() for places in self._places.values())
            self._loop = take_over(self, self._loop, loop, in_use=in_use)
            self._places.clear()  # what a closed loop has left there never ends
        key = self._key(request)
        places = self._places.get(key)
        if places is None:
            places = self._places.add(key, self._new_places(key), _Places.is_unused)
        return places

    async def _enter(self, places: _Places, request: Request) -> None:
        """Take a place, at once or after waiting in the queue.

        Raises:
            QueueFullError: too many requests wait already.
            TotalTimeoutError: the call's deadline passed first.
        """
        if places.under_way < places.limit and not places.waiters:
            places.under_way += 1
            self._passed += 1
            return
        if len(places.waiters) >= self._max_waiting:
            self._refused += 1
            raise QueueFullError(
                request.label,
                f"{places.under_way} requests to {places.key} are under way, and {len(places.waiters)} wait "
                f"(max_waiting={self._max_waiting})",
                None,
                None,
            )
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        places.waiters.append(waiter)
        if not places.is_queueing:
            places.is_queueing = True
            tell(self._on_change, ConcurrencyChange(places.key, "queueing", places.limit))
        release_unread(None)  # an unread response of this task may hold the place that it waits for
        limit = asyncio.timeout_at(request.deadline)
        try:
            with not_counted():
                async with limit:
                    await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._leave(places)
            elif waiter in places.waiters:
                places.waiters.remove(waiter)
            if isinstance(error, TimeoutError) and limit.expired():
                found = f"no free place among limit={places.limit} for {places.key}"
                raise TotalTimeoutError(
                    request.method, request.url, request.timeout.total, found
                ) from None
            raise
        finally:
            if places.is_queueing and not places.waiters:
                places.is_queueing = False
                tell(self._on_change, ConcurrencyChange(places.key, "free", places.limit))
        self._passed += 1

    def _leave(self, places: _Places) -> None:
        places.under_way -= 1
        if places.waiters:
            places.let_in()

    def _leave_after(self, places: _Places, response: ClientResponse) -> None:
        """Give the place up when the body of *response* has ended, or is given up."""
        # A user's middleware may return an object that is not a response of this library.
        is_ours = isinstance(cast(object, response), ClientResponse)
        lease = response.connection if is_ours else None
        if lease is None or response.status == 101:
            self._leave(places)
            return
        stay = _Stay(places, lease, self._stays, self._leave)
        try:
            response.tee(_nothing, stay.end)
        except RuntimeError:
            pass  # the body is being read: the place is free when the response is released

    def statistics(self) -> ConcurrencyStatistics:
        """Return the counts, as an immutable value."""
        each = self._places.values()
        return ConcurrencyStatistics(
            self._passed,
            self._refused,
            sum(places.under_way for places in each),
            sum(len(places.waiters) for places in each),
            {places.key: places.limit for places in each},
        )

    def reset(self) -> None:
        """Reset the counts; requests under way keep their places, and waiting ones go on waiting."""
        self._passed = self._refused = 0

    def __repr__(self) -> str:
        now = self.statistics()
        return f"<{type(self).__name__} {now.under_way} under way, {now.waiting} waiting>"


class ConcurrencyLimit(_Limit):
    """A middleware that limits how many requests to each origin are under way, from their start to the body's end.

    So one slow server cannot take all connections and memory of a program. Further requests wait, first come, first
    served, at most *max_waiting* of them; the time limit of an attempt does not include this wait.

    Args:
        limit: how many requests may be under way.
        max_waiting: how many requests may wait; one more raises ``QueueFullError``. 0 for none.
        by: what has a limit of its own: "origin", "host", or a function that takes the request and returns a key.
        on_change: a function that gets a ``ConcurrencyChange``.

    Raises:
        ValueError, TypeError: an argument makes no sense.
    """

    def __init__(
        self,
        limit: int,
        *,
        max_waiting: int = 1000,
        by: By = "origin",
        on_change: Callable[[ConcurrencyChange], object] | None = None,
    ) -> None:
        check_count("limit", limit, 1)
        super().__init__(max_waiting, by, on_change)
        self._limit = limit

    def _new_places(self, key: str) -> _Places:
        return _Places(key, self._limit, None)

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        """Let *request* pass when there is a free place.

        Raises:
            QueueFullError: too many requests wait already.
        """
        places = self._places_of(request)
        await self._enter(places, request)
        try:
            response = await handler(request)
        except BaseException:
            self._leave(places)
            raise
        self._leave_after(places, response)
        return response


def _tells_of_the_server(error: BaseException, request: Request) -> bool:
    """Tell whether *error* is the server's fault: it was too slow, or the connection failed."""
    if isinstance(error, asyncio.CancelledError):
        return ran_out_of_time(request.deadline)
    return isinstance(error, (ClientConnectionError, TimeoutError)) and not isinstance(
        error, NotSentError
    )


class AdaptiveLimit(_Limit):
    """A ``ConcurrencyLimit`` that finds its limit itself: as many requests as the server answers without slowing down.

    It compares the latency of responses with the latency when the server was not busy. While the ratio is within
    *tolerance* the limit grows, otherwise it shrinks; when the server fails, it shrinks at once. So it adapts to a
    server that becomes slower or gets more machines, and nobody has to choose a number.

    Args:
        initial: the limit at the start.
        minimum: the smallest limit.
        maximum: the largest limit.
        tolerance: how much longer than the best latency a response may take, as a factor.
        smoothing: which part of each computed change is applied at once.
        max_waiting: how many requests may wait; one more raises ``QueueFullError``. 0 for none.
        by: what has a limit of its own: "origin", "host", or a function that takes the request and returns a key.
        on_change: a function that gets a ``ConcurrencyChange``.

    Raises:
        ValueError, TypeError: an argument makes no sense.
    """

    def __init__(
        self,
        initial: int = 10,
        *,
        minimum: int = 1,
        maximum: int = 1000,
        tolerance: float = 1.25,
        smoothing: float = 0.3,
        max_waiting: int = 1000,
        by: By = "origin",
        on_change: Callable[[ConcurrencyChange], object] | None = None,
    ) -> None:
        self._rule = AdaptiveRule(initial, minimum, maximum, tolerance, smoothing)
        super().__init__(max_waiting, by, on_change)

    def _new_places(self, key: str) -> _Places:
        return _Places(key, self._rule.initial, Gradient(self._rule))

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        """Let *request* pass when there is a free place.

        Raises:
            QueueFullError: too many requests wait already.
        """
        places = self._places_of(request)
        await self._enter(places, request)
        loop = asyncio.get_running_loop()
        began = loop.time()
        under_way = places.under_way
        try:
            response = await handler(request)
            busy = response.status in (429, 503)
        except BaseException as error:
            self._leave(places)
            if _tells_of_the_server(error, request):
                self._note(places, None, under_way)
            raise
        self._note(places, None if busy else loop.time() - began, under_way)
        self._leave_after(places, response)
        return response

    def _note(self, places: _Places, took: float | None, under_way: int) -> None:
        """Count the time of a response, None for a failure, and change the limit if that is due."""
        gradient = cast(Gradient, places.gradient)
        if gradient.add(took, under_way):
            places.limit = gradient.limit
            tell(self._on_change, ConcurrencyChange(places.key, "moved", places.limit))
            places.let_in()

    def reset(self) -> None:
        """Forget the learned limits, and reset the counts; requests under way keep their places."""
        super().reset()
        for places in self._places.values():
            places.gradient = Gradient(self._rule)
            places.limit = self._rule.initial
            places.let_in()
