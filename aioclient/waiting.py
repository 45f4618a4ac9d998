"""How middlewares wait, without using up the time limit of an attempt; tests can switch all waiting off.

The limit of an attempt is there for servers that do not answer. While a request waits for a rate limit or for a free
place, the clock of that limit stops. The clock of the whole call's deadline runs on.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

_switched_off = 0


@contextmanager
def no_waiting() -> Iterator[None]:
    """Within the block, no middleware of the process waits; for tests.

    A ``Retry`` tries again at once; ``Attempt.waited`` still says how many seconds it would have waited. A
    ``RateLimit`` lets every request pass. A ``Hedge`` sends no second request. Decisions stay the same. Waiting for an
    answer, or for another request to end, is not affected.
    """
    global _switched_off  # noqa: PLW0603  (one switch for all is what is asked for)
    _switched_off += 1
    try:
        yield
    finally:
        _switched_off -= 1


def waits() -> bool:
    """Tell whether middlewares wait."""
    return not _switched_off


async def wait(seconds: float) -> None:
    """Wait *seconds* that do not count against the limit of the current attempt."""
    if _switched_off:
        await asyncio.sleep(0)
        return
    with not_counted():
        await asyncio.sleep(seconds)


class AttemptLimit:
    """The time limit of an attempt: ``async with`` it; after *seconds* it raises ``TimeoutError``.

    Args:
        seconds: how long the attempt may take, without the time that does not count.
    """

    __slots__ = ("_loop", "_outer", "_seconds", "_task", "_timeout", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __aenter__(self) -> Self:
        self._outer = _limit.get()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._timeout = asyncio.timeout(self._seconds)
        await self._timeout.__aenter__()
        self._token: Token[AttemptLimit | None] = _limit.set(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _limit.reset(self._token)
        await self._timeout.__aexit__(kind, error, traceback)

    @property
    def expired(self) -> bool:
        """Whether this limit ended the attempt."""
        return self._timeout.expired()

    def pause(self) -> "list[tuple[AttemptLimit, float]]":
        """Stop the clock of this limit and of the limits around it; return how many seconds each has left."""
        paused: list[tuple[AttemptLimit, float]] = []
        limit: AttemptLimit | None = self
        task = asyncio.current_task()
        while limit is not None:
            end = limit._timeout.when()
            # The clock of another task's limit runs on: that task waits for more than this.
            if limit._task is task and end is not None and not limit.expired:
                limit._timeout.reschedule(None)
                paused.append((limit, end - limit._loop.time()))
            limit = limit._outer
        return paused

    def go_on(self, left: float) -> None:
        """Start the clock again, with *left* seconds."""
        if not self.expired:
            self._timeout.reschedule(self._loop.time() + left)


_limit: ContextVar[AttemptLimit | None] = ContextVar("aioclient.waiting.limit", default=None)


@contextmanager
def not_counted() -> Iterator[None]:
    """Within the block, stop the clock of the current attempt's limit."""
    limit = _limit.get()
    if limit is None:
        yield
        return
    paused = limit.pause()
    try:
        yield
    finally:
        for each, left in paused:
            each.go_on(left)


def take_over(
    middleware: object,
    before: asyncio.AbstractEventLoop | None,
    loop: asyncio.AbstractEventLoop,
    *,
    in_use: bool,
) -> asyncio.AbstractEventLoop:
    """Return *loop*, whose requests *middleware* wakes from now on; those of the loop *before* it woke until now.

    Raises:
        RuntimeError: it is *in_use* on the loop *before*, whose requests only that loop's thread may wake.
    """
    if in_use and before is not None and not before.is_closed():
        raise RuntimeError(
            f"this {type(middleware).__name__} has requests under way on another event loop, and belongs to one at a "
            "time; give the sessions of each loop one of their own"
        )
    return loop


def ran_out_of_time(deadline: float | None) -> bool:
    """Tell whether the current cancellation comes from a time limit: of an attempt, or the call's *deadline*."""
    limit = _limit.get()
    while limit is not None:
        if limit.expired:
            return True
        limit = limit._outer
    return deadline is not None and asyncio.get_running_loop().time() >= deadline
