"""How middlewares wait: not at all where a test says so, and outside the time that an attempt may take.

The limit of an attempt is about a server that does not answer. While a request waits for a rate limit or for a free
place, that limit stands still; the deadline of the whole call does not.
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
    """Let no middleware wait, in the whole process, for tests.

    A ``Retry`` tries again at once, though ``Attempt.waited`` has the seconds that it would have waited; a
    ``RateLimit`` lets pass what would wait; a ``Hedge`` sends no second request. Decisions stay the same. What waits
    for an answer, or for another request to end, still does.
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
    """Wait, outside the limit of the attempt that this is a part of."""
    if _switched_off:
        await asyncio.sleep(0)
        return
    with not_counted():
        await asyncio.sleep(seconds)


class AttemptLimit:
    """The time that an attempt may take: ``async with`` around it; then it raises ``TimeoutError``.

    Args:
        seconds: of time that counts.
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
        """Whether the attempt was ended by it."""
        return self._timeout.expired()

    def pause(self) -> "list[tuple[AttemptLimit, float]]":
        """Stop the clock, and that of the limits around it; return what each has left."""
        paused: list[tuple[AttemptLimit, float]] = []
        limit: AttemptLimit | None = self
        task = asyncio.current_task()
        while limit is not None:
            end = limit._timeout.when()
            # Another task's goes on: it waits for more than this.
            if limit._task is task and end is not None and not limit.expired:
                limit._timeout.reschedule(None)
                paused.append((limit, end - limit._loop.time()))
            limit = limit._outer
        return paused

    def go_on(self, left: float) -> None:
        """Let it run again."""
        if not self.expired:
            self._timeout.reschedule(self._loop.time() + left)


_limit: ContextVar[AttemptLimit | None] = ContextVar("aioclient.waiting.limit", default=None)


@contextmanager
def not_counted() -> Iterator[None]:
    """Stop the clock of the attempt that this is a part of, for what waits inside."""
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


def ran_out_of_time(deadline: float | None) -> bool:
    """Tell whether what was cancelled now was so because its time is over: an attempt's, or that of the call."""
    limit = _limit.get()
    while limit is not None:
        if limit.expired:
            return True
        limit = limit._outer
    return deadline is not None and asyncio.get_running_loop().time() >= deadline
