"""One request's wait in the pool, and the limit of time that ends it."""

import asyncio
from typing import Any

from .limits import Limit
from .tickets import Ticket, TicketState


class Expired(Exception):
    """The time of a request in the queue is over: *limit* was reached."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit


class PoolWait:
    """A wait for the grant of *ticket*.

    Args:
        loop: the event loop.
        ticket: the place in the pool.
        limit: what ends the wait whatever it is for; None for nothing.
        pool: seconds for the wait for a slot, which is over while the request waits for another one's dial; None for no
            limit. ``begin_pool_limit()`` tells when it begins.

    Attributes:
        future: It is done when the grant came, or with the error that ends the wait.
    """

    __slots__ = ("_limit", "_loop", "_pool", "_ticket", "_timer", "future")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ticket: Ticket[Any, Any],
        limit: Limit | None,
        pool: float | None,
    ) -> None:
        self._loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self._ticket = ticket
        self._limit = limit
        self._pool = pool
        self._timer: asyncio.TimerHandle | None = None
        self._arm(limit)

    def begin_pool_limit(self, start: float) -> None:
        """Note that the wait for a slot began at *start*."""
        if self._pool is None:
            return
        end, limit = start + self._pool, self._limit
        if limit is None or end < limit.end or (end == limit.end and limit.phase != "total"):
            self._arm(Limit("pool", self._pool, end))

    def grant(self) -> None:
        """End the wait: the grant came."""
        if not self.future.done():
            self.future.set_result(None)

    def fail(self, error: Exception) -> None:
        """End the wait with *error*."""
        if not self.future.done():
            self.future.set_exception(error)

    def close(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, limit: Limit | None) -> None:
        self.close()
        if limit is not None:
            self._timer = self._loop.call_at(limit.end, self._expire, limit)

    def _expire(self, limit: Limit) -> None:
        if limit.phase == "pool" and self._ticket.state is TicketState.JOINED:
            self._arm(self._limit)
        else:
            self.fail(Expired(limit))
