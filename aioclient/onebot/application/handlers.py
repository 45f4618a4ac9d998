"""Functions that are called for events.

The rules:

* Each handler of each event runs on its own: one that raises or takes long concerns no other. They begin in the order
  of the events.
* At most ``MOST_RUNNING`` run at a time; further ones wait, and then reading from the implementation does.
* What a handler raises is logged, with its place. What it returns are actions, which are carried out.
"""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar, cast

from ...message.excerpt import beginning
from ..actions import ActionRequest
from ..errors import OneBotError
from ..events import Event
from ..faults import is_fault, place_of
from .bots import RemoteBot

MOST_RUNNING: Final = 100
"""Handlers that run at a time, as many as an implementation runs actions of one socket."""

EventHandler: TypeAlias = Callable[[Any, RemoteBot | None], object]
HandlerT = TypeVar("HandlerT", bound=EventHandler)
CarryOut: TypeAlias = Callable[[RemoteBot | None, ActionRequest], Coroutine[Any, Any, object]]

_log = logging.getLogger("aioclient.onebot.application")


def names_of(event: Event) -> tuple[str, ...]:
    """Return the names under which *event* is listened to, beside the empty one."""
    kind = f"{event.type}.{event.detail_type}"
    return (event.type, kind, f"{kind}.{event.sub_type}") if event.sub_type else (event.type, kind)


def checked_names(names: Iterable[str]) -> frozenset[str]:
    """Return the names of events as a set.

    Raises:
        TypeError: one is not a str.
        ValueError: one cannot be the name of an event.
    """
    wanted = frozenset(names)
    for name in wanted:
        if not isinstance(cast(object, name), str):
            raise TypeError(
                f"{name!r} is not the name of an event; give 'message.private' or alike"
            )
        if not all(name.split(".")):
            raise ValueError(
                f"{name!r} is not the name of an event; give its type, 'message', with or without its detail_type, "
                "'message.private', and sub_type"
            )
    return wanted


@dataclass(frozen=True, slots=True)
class _Handler:
    names: frozenset[str]
    function: EventHandler

    def wants(self, event: Event) -> bool:
        return not self.names or not self.names.isdisjoint(names_of(event))

    def __str__(self) -> str:
        function = inspect.unwrap(self.function)
        name = getattr(function, "__qualname__", None) or repr(function)
        return f"{getattr(function, '__module__', '?')}.{name}"


@dataclass(frozen=True, slots=True)
class _Job:
    """A handler that shall run for an event; *answer* gets the actions, if somebody waits for them."""

    handler: _Handler
    event: Event
    bot: RemoteBot | None
    size: int
    answer: "asyncio.Future[list[ActionRequest]] | None"


class Handlers:
    """The handlers of one client or receiver, and those that run.

    Args:
        carry_out: carries out an action that a handler returned for an event of that bot.
        changed: called when there may be room for more.
    """

    __slots__ = ("_carry_out", "_changed", "_handlers", "_running", "_waiting", "waiting_bytes")

    def __init__(self, carry_out: CarryOut, changed: Callable[[], None]) -> None:
        self._carry_out = carry_out
        self._changed = changed
        self._handlers: list[_Handler] = []
        self._running: set[asyncio.Task[None]] = set()
        self._waiting: deque[_Job] = deque()
        self.waiting_bytes: int = 0
        """Of the messages of those that wait."""

    def __bool__(self) -> bool:
        return bool(self._handlers)

    @property
    def waiting(self) -> int:
        """How many wait to run."""
        return len(self._waiting)

    def add(self, names: Iterable[str], function: HandlerT) -> HandlerT:
        """Call *function* for the events of these names, of all if there are none.

        Raises:
            TypeError: it cannot be called with an event and a bot.
        """
        try:
            inspect.signature(function).bind(None, None)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{function!r} cannot be called with an event and a bot: {error}"
            ) from None
        self._handlers.append(_Handler(checked_names(names), function))
        return function

    def put(self, event: Event, bot: RemoteBot | None, size: int) -> None:
        """Let the handlers of *event*, whose message has *size* bytes, run, now or when there is room."""
        for handler in self._handlers:
            if handler.wants(event):
                self._begin(_Job(handler, event, bot, size, None))

    def ask(
        self, event: Event, bot: RemoteBot | None, size: int
    ) -> "list[asyncio.Future[list[ActionRequest]]]":
        """Let the handlers of *event* run; return a future of the actions of each.

        The actions of a future that was cancelled are carried out as if nobody had asked.
        """
        loop = asyncio.get_running_loop()
        answers = []
        for handler in self._handlers:
            if handler.wants(event):
                answer: asyncio.Future[list[ActionRequest]] = loop.create_future()
                answers.append(answer)
                self._begin(_Job(handler, event, bot, size, answer))
        return answers

    def drop_oldest(self) -> None:
        """Drop the handler that waits for longest."""
        job = self._next()
        if job.answer is not None and not job.answer.done():
            job.answer.set_result([])

    async def close(self) -> None:
        """Cancel those that run, except the calling one, and drop those that wait."""
        while self._waiting:
            self.drop_oldest()
        running = self._running - {cast("asyncio.Task[None]", asyncio.current_task())}
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    # Running

    def _begin(self, job: _Job) -> None:
        if len(self._running) >= MOST_RUNNING:
            self._waiting.append(job)
            self.waiting_bytes += job.size
        else:
            self._run(job)

    def _next(self) -> _Job:
        job = self._waiting.popleft()
        self.waiting_bytes -= job.size
        return job

    def _run(self, job: _Job) -> None:
        try:
            result = job.handler.function(job.event, job.bot)
        except BaseException as error:
            if not is_fault(error):
                raise
            _log_failure(job, error)
            result = None
        if result is None:
            self._settle(job, [])
            return
        task = asyncio.get_running_loop().create_task(self._finish(job, result))
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def _finish(self, job: _Job, result: object) -> None:
        actions: list[ActionRequest] = []
        try:
            if inspect.isawaitable(result):
                result = await cast(Awaitable[object], result)
            actions = actions_of(result)
        except BaseException as error:
            if not is_fault(error):
                raise
            _log_failure(job, error)
        finally:
            delivered = self._settle(job, actions)
        if delivered:
            return
        for action in actions:
            try:
                await self._carry_out(job.bot, action)
            except Exception as error:  # noqa: BLE001  (it is logged)
                _log.error(
                    "%s returned the action %r for %s, which failed: %s",
                    job.handler,
                    action.action,
                    beginning(names_of(job.event)[-1]),
                    error,
                )

    def _settle(self, job: _Job, actions: list[ActionRequest]) -> bool:
        """Hand *actions* to who waits for them; return False if nobody does."""
        if job.answer is None or job.answer.done():
            return False
        job.answer.set_result(actions)
        return True

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Not an Exception: those are logged where they are raised.
            task.get_loop().call_exception_handler(
                {"message": "a handler of OneBot events ended", "exception": error, "task": task}
            )
        while self._waiting and len(self._running) < MOST_RUNNING:
            self._run(self._next())
        self._changed()


def actions_of(result: object) -> list[ActionRequest]:
    """Return what a handler returned as actions: none, one, or several; typed or plain.

    Raises:
        TypeError: it is neither.
        BadRequest: an action is incomplete.
    """
    if result is None:
        return []
    if isinstance(result, ActionRequest | dict):
        result = [result]
    if not isinstance(result, list | tuple):
        raise TypeError(
            f"a handler returns None, an ActionRequest, or a list of them; it returned {type(result).__name__}"
        )
    return [
        action if isinstance(action, ActionRequest) else ActionRequest.parse(action)
        for action in result
    ]


def _log_failure(job: _Job, error: BaseException) -> None:
    """Log what a handler raised; a failed action needs no traceback beyond its place."""
    _log.error(
        "%s failed for %s: %s: %s, at %s",
        job.handler,
        beginning(names_of(job.event)[-1]),
        type(error).__name__,
        error,
        place_of(error),
        exc_info=None if isinstance(error, OneBotError) else error,
    )
