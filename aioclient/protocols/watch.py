"""The time limits of a connection's exchanges: a deadline, and the longest silence of the server.

A connection has one timer. When it fires, it checks whether a limit has moved meanwhile. So a request needs no timer of
its own, and a received segment only stores the time.
"""

import asyncio
from typing import Protocol


class WatchedConnection(Protocol):
    """The connection, as its watch uses it."""

    def is_at_work(self) -> bool:
        """Tell whether the server's silence is expected: the request makes progress, or nobody reads the response."""

    def deadline_passed(self) -> None:
        """Note that the deadline has passed."""

    def silence_passed(self, seconds: float) -> None:
        """Note that nothing came for so many *seconds*."""


class Watch:
    """A deadline and a limit of silence, until ``end()``.

    ``last_activity`` is the event loop's time when bytes last came or moved. The connection writes it.
    """

    __slots__ = ("_deadline", "_loop", "_silence", "_timer", "_watched", "_when", "last_activity")

    def __init__(self, loop: asyncio.AbstractEventLoop, watched: WatchedConnection) -> None:
        self._loop = loop
        self._watched: WatchedConnection | None = watched
        self._deadline: float | None = None
        self._silence: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._when = 0.0
        self.last_activity: float = 0.0

    def begin(self, deadline: float | None, silence: float | None) -> None:
        """Watch until *deadline* (loop time), and for silences of *silence* seconds; None for no limit."""
        self._deadline = deadline
        self._silence = silence
        when = deadline
        if silence is not None:
            self.last_activity = self._loop.time()
            until = self.last_activity + silence
            when = until if when is None else min(when, until)
        if when is not None and (self._timer is None or when < self._when):
            self._arm(when)

    def end(self) -> None:
        """Stop watching. The timer stays for the next exchange."""
        self._deadline = None
        self._silence = None

    def close(self) -> None:
        """Cancel the timer, and forget the connection."""
        self._watched = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def moved(self) -> None:
        """Record progress, if silences count."""
        if self._silence is not None:
            self.last_activity = self._loop.time()

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._on_timer)
        self._when = when

    def _on_timer(self) -> None:
        """Check whether a limit is reached; otherwise start the timer again."""
        self._timer = None
        watched, deadline, silence = self._watched, self._deadline, self._silence
        if watched is None:
            return
        now = self._loop.time()
        if deadline is not None and now >= deadline:
            watched.deadline_passed()
            return
        when = deadline
        if silence is not None:
            if watched.is_at_work():
                self.last_activity = now
            until = self.last_activity + silence
            if now >= until:
                watched.silence_passed(silence)
                return
            when = until if when is None else min(when, until)
        if when is not None:
            self._arm(when)
