"""The middleware that sends a second request when the first one is slow."""

import asyncio
from bisect import insort
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, cast

from ...chain import Handler, check_listener, tell
from ...exchange import IDEMPOTENT
from ...message.headers import SEC_WEBSOCKET_KEY, check_method
from ...message.request import Request
from ...message.retry_budget import RetryBudget
from ...message.scopes import By, scope_of
from ...message.unset import UNSET, Unset
from ...response.client_response import ClientResponse
from ...waiting import take_over, waits
from .policy import Delays, HedgeRule

MAX_KEYS: Final = 1024  # origins with delays; beyond that the oldest are forgotten


@dataclass(frozen=True, slots=True)
class Hedged:
    """The argument of ``on_change`` of a ``Hedge``: request *label*, sent again *after* some seconds, and who *won*."""

    label: str
    after: float
    won: Literal["first", "second"]


@dataclass(frozen=True, slots=True)
class HedgeStatistics:
    """What a ``Hedge`` has counted since it was made, or since ``reset()``.

    ``calls`` are requests, ``hedged`` those that were sent twice, ``won`` those of them that the second one answered,
    ``refused`` those that were not sent twice because the budget had no room.
    """

    calls: int
    hedged: int
    won: int
    refused: int


class Hedge:
    """A middleware that sends a request again when the response takes longer than usual; the first response is used.

    It shortens the slowest responses, such as those of a busy machine or after a lost packet, and sends few more
    requests: the second one is sent after the *quantile* of this origin's delays, so with 0.95 for one request in
    twenty. The slower request is cancelled; its connection is closed or its HTTP/2 stream reset. Only requests with an
    idempotent method and with no body or one in memory are sent twice, and only if the budget of retries has room.

    Args:
        quantile: of the last 200 delays of first requests.
        min_samples: number of delays that must be known first.
        after: a fixed number of seconds to wait instead; None uses the delays.
        methods: methods that may be sent twice.
        budget: the ``RetryBudget`` of a ``Retry``, which counts the requests; by default each ``Hedge`` has its own;
            None for no limit.
        by: what has delays of its own: "origin", "host", or a function that takes the request and returns a key.
        on_change: a function that gets a ``Hedged``.

    Raises:
        ValueError, TypeError: an argument makes no sense.
    """

    argument: ClassVar[str] = "hedge"
    tidy: ClassVar[bool] = True

    def __init__(
        self,
        quantile: float = 0.95,
        *,
        min_samples: int = 20,
        after: float | None = None,
        methods: Iterable[str] = IDEMPOTENT,
        budget: RetryBudget | Unset | None = UNSET,
        by: By = "origin",
        on_change: Callable[[Hedged], object] | None = None,
    ) -> None:
        self._rule = HedgeRule(quantile, min_samples, after)
        if isinstance(methods, str):
            raise TypeError(f"methods must be an iterable of names, found the str {methods!r}")
        self._methods = frozenset(map(check_method, methods))
        if not isinstance(budget, (RetryBudget, Unset)) and budget is not None:
            raise TypeError(f"budget must be a RetryBudget or None, found {type(budget).__name__}")
        check_listener(on_change)
        self._counts_requests = isinstance(budget, Unset)
        self.budget: RetryBudget | None = RetryBudget() if isinstance(budget, Unset) else budget
        self._key = scope_of(by)
        self._on_change = on_change
        self._delays: dict[str, Delays] = {}
        self._tasks: set[asyncio.Task[ClientResponse]] = set()
        self._races: deque[_Race] = deque()  # in the order in which they are due
        self._timer: asyncio.Handle | None = None
        self._timer_due = 0.0  # uvloop's handles do not tell, if they are due within a millisecond
        self._loop: asyncio.AbstractEventLoop | None = None  # of the timer
        self._calls = self._hedged = self._won = self._refused = 0

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        """Send *request*, twice if the response is slow."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._calls += 1
        key = self._key(request)
        delays = self._delays.get(key) or self._new(key)
        if self._counts_requests and self.budget is not None:
            self.budget.deposit(request.origin, began)
        wait = delays.wait
        if wait is not None and self._may_be_sent_twice(request) and waits():
            return await _Race(self, request, handler).run(loop, began, wait, delays)
        response = await handler(request)
        delays.add(loop.time() - began)
        return response

    def _may_be_sent_twice(self, request: Request) -> bool:
        content = request.content
        return (
            request.method in self._methods
            and (content is None or content.data is not None)
            and SEC_WEBSOCKET_KEY not in request.fields
        )

    def _new(self, key: str) -> Delays:
        if len(self._delays) >= MAX_KEYS:
            del self._delays[next(iter(self._delays))]
        self._delays[key] = delays = Delays(self._rule)
        return delays

    def note_begun(self, race: "_Race", loop: asyncio.AbstractEventLoop) -> None:
        """Schedule the second request of *race*; one timer serves all races."""
        races = self._races
        if self._loop is not loop:
            in_use = not all(other.is_over for other in races)
            self._loop = take_over(self, self._loop, loop, in_use=in_use)
            races.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        while races and races[0].is_over:
            races.popleft()
        if races and race.due < races[-1].due:
            insort(races, race, key=_due)
        else:
            races.append(race)
        timer = self._timer
        if timer is not None and race.due < self._timer_due:  # its origin is faster than others
            timer.cancel()
            timer = None
        if timer is None:
            self._set_timer(loop, race.due)

    def _set_timer(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._timer = loop.call_at(due, self._send_due)
        self._timer_due = due

    def _send_due(self) -> None:
        loop = asyncio.get_running_loop()
        races = self._races
        now = loop.time()
        self._timer = None
        while races:
            race = races[0]
            if race.due > now and not race.is_over:
                self._set_timer(loop, race.due)
                return
            races.popleft()
            if not race.is_over:
                race.start_second()

    def note_refused(self) -> None:
        """Count a second request for which the budget had no room."""
        self._refused += 1

    def note_ended(self, request: Request, after: float, *, second: bool) -> None:
        """Count a request that was sent twice, and report who won."""
        self._hedged += 1
        self._won += second
        won: Literal["first", "second"] = "second" if second else "first"
        tell(self._on_change, Hedged(request.label, after, won))

    def start(
        self, send: Coroutine[Any, Any, ClientResponse], context: Context
    ) -> "asyncio.Task[ClientResponse]":
        """Start a second request in *context*; keep a reference to its task until it has ended."""
        task = asyncio.get_running_loop().create_task(send, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def statistics(self) -> HedgeStatistics:
        """Return the counts, as an immutable value."""
        return HedgeStatistics(self._calls, self._hedged, self._won, self._refused)

    def reset(self) -> None:
        """Forget the delays, and reset the counts and the budget."""
        self._calls = self._hedged = self._won = self._refused = 0
        self._delays.clear()
        if self.budget is not None:
            self.budget.reset()

    def __repr__(self) -> str:
        return f"<Hedge {self._hedged} of {self._calls} sent twice, {self._won} won>"


class _Race:
    """A request, and perhaps a second one: the first answer wins."""

    __slots__ = (
        "_cancellations",
        "_context",
        "_first",
        "_handler",
        "_hedge",
        "_request",
        "_second",
        "_won",
        "due",
        "is_over",
    )

    due: float  # when the second one is sent

    def __init__(self, hedge: Hedge, request: Request, handler: Handler) -> None:
        self._hedge = hedge
        self._request = request
        self._handler = handler
        self._first: asyncio.Task[Any] | None = None  # the task that waits for the first response
        self._second: asyncio.Task[ClientResponse] | None = None
        self._won = False  # the second one
        self.is_over: bool = False

    async def run(
        self, loop: asyncio.AbstractEventLoop, began: float, wait: float, delays: Delays
    ) -> ClientResponse:
        """Send the first request now, the second one after *wait* seconds; return the first response."""
        self._first = task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._cancellations = task.cancelling()
        # The timer has the context of the request that set it, with another user's variables.
        self._context = copy_context()
        self.due = began + wait
        self._hedge.note_begun(self, loop)
        try:
            try:
                response = await self._handler(self._request)
            except Exception as error:  # noqa: BLE001  (raised there, unless the second one has an answer)
                self._first = None
                if self._won:
                    task.uncancel()  # the cancellation became *error*
                response = await self._of_second(error)
            except asyncio.CancelledError:
                # As in asyncio.timeout(): if others have cancelled the task as well, the cancellation must go on.
                if not self._won or task.uncancel() > self._cancellations:
                    self._won = False
                    raise
                response = cast("asyncio.Task[ClientResponse]", self._second).result()
            else:
                if self._won:  # a middleware has caught the cancellation, and returned this
                    task.uncancel()
                    self._won = False
            delays.add(loop.time() - began)
            return response
        finally:
            self._first = None
            self.is_over = True
            if self._second is not None:
                self._hedge.note_ended(self._request, wait, second=self._won)
                if not self._won:
                    self._second.cancel()
                    self._second.add_done_callback(_release)

    def start_second(self) -> None:
        """Send the second request, if the budget has room."""
        request, budget = self._request, self._hedge.budget
        now = asyncio.get_running_loop().time()
        if budget is not None and not budget.withdraw(request.origin, now):
            self._hedge.note_refused()
            return
        self._second = self._hedge.start(self._send(request.copy()), self._context)
        self._second.add_done_callback(self._second_ended)

    async def _send(self, request: Request) -> ClientResponse:
        return await self._handler(request)

    def _second_ended(self, second: "asyncio.Task[ClientResponse]") -> None:
        if self._first is not None and not second.cancelled() and second.exception() is None:
            self._won = True
            self._first.cancel()

    async def _of_second(self, error: Exception) -> ClientResponse:
        """Return the response of the second request, after the first has failed with *error*.

        Raises:
            Exception: *error*, if the second one failed too, or was not sent.
        """
        if self._second is None:
            raise error
        try:
            response = await self._second
        except Exception:  # noqa: BLE001  (the first one's error is raised)
            raise error from None
        self._won = True
        return response


def _due(race: _Race) -> float:
    return race.due


def _release(second: "asyncio.Task[ClientResponse]") -> None:
    if not second.cancelled() and second.exception() is None:
        second.result().release()
