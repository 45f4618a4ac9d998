"""A time limit that much work has in common: one timer for all, that of the oldest.

Most work ends long before. A timer for each would be set and cancelled for nothing, which is a tenth of what an action
costs.
"""

import asyncio


class CommonLimit:
    """A time limit for many, always of the same length.

    Args:
        seconds: after which a scope ends.
    """

    __slots__ = ("_ends", "_loop", "_timer", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends: dict[asyncio.Timeout, float] = {}  # in the order in which they end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, scope: asyncio.Timeout) -> None:
        """End *scope*, an ``asyncio.timeout(None)`` that was entered, after the limit, unless ``end()`` is called."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the one before does not run any more
            self.clear()
            self._loop = loop
        self._ends[scope] = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._look)

    def end(self, scope: asyncio.Timeout) -> None:
        """Limit *scope* no more."""
        self._ends.pop(scope, None)

    def clear(self) -> None:
        """Limit nothing more."""
        self._ends.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """End what has reached its limit, and look again when the next one does."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for scope, end in tuple(self._ends.items()):
            if end > now:
                self._timer = loop.call_at(end, self._look)
                return
            del self._ends[scope]
            scope.reschedule(now)
