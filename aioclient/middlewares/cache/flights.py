"""One flight for each key: of several calls that ask the same at the same time, one asks the server.

The rules:

- The first one is the *leader*. The others wait until its response is stored, and then look again.
- If that response will not be stored, or the leader fails, they all ask for themselves, at the same time.
- If the leader is cancelled, or its body is given up, the first one that waits takes its place.
- While somebody waits, the body of the response that is being stored is read ahead, whether the leader reads it or not:
  nobody waits for what a program does with its response.
"""

import asyncio
from collections import deque
from collections.abc import Hashable
from enum import Enum
from weakref import WeakKeyDictionary

from ...response.stream import StreamReader


class Landing(Enum):
    """How a flight ended, for those who waited."""

    LOOK = "look again"
    ALONE = "ask for yourself"
    LEAD = "take the leader's place"


class Flight:
    """One request under way, and who waits for what it will store."""

    __slots__ = ("_flights", "_key", "_limit", "_over", "_stream", "_waiters")

    def __init__(self, flights: "dict[Hashable, Flight]", key: Hashable, limit: int) -> None:
        self._flights = flights
        self._key = key
        self._limit = limit
        self._waiters: deque[asyncio.Future[Landing]] = deque()
        self._stream: StreamReader | None = None
        self._over = False
        flights[key] = self

    async def wait(self) -> Landing:
        """Wait for its end.

        Raises:
            asyncio.CancelledError: the waiter was cancelled; if it was to lead, the next one will.
        """
        waiter: asyncio.Future[Landing] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._read_ahead()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result() is Landing.LEAD:
                self.leave()
            raise

    def carry(self, stream: StreamReader) -> None:
        """Note that the response is here, and its body, which will be stored, still coming."""
        self._stream = stream
        if self._waiters:
            self._read_ahead()

    def _read_ahead(self) -> None:
        if self._stream is not None:
            self._stream.read_ahead(self._limit)

    def land(self, landing: Landing) -> None:
        """End it."""
        if self._over:
            return
        self._over = True
        self._stream = None
        if self._flights.get(self._key) is self:
            del self._flights[self._key]
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(landing)
        self._waiters.clear()

    def leave(self) -> None:
        """Let the first one that waits take the leader's place; end it if nobody waits."""
        self._stream = None
        while self._waiters and not self._over:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(Landing.LEAD)
                return
        self.land(Landing.ALONE)


class Flights:
    """The flights of a cache: those of each event loop apart."""

    __slots__ = ("_loops",)

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, Flight]] = (
            WeakKeyDictionary()
        )

    def of(self, key: Hashable) -> Flight | None:
        """Return the flight with *key* that is under way on this event loop."""
        flights = self._loops.get(asyncio.get_running_loop())
        return None if flights is None else flights.get(key)

    def begin(self, key: Hashable, limit: int) -> Flight:
        """Begin one; *limit* is how many bytes of a body are read ahead."""
        loop = asyncio.get_running_loop()
        flights = self._loops.get(loop)
        if flights is None:
            flights = self._loops[loop] = {}
        return Flight(flights, key, limit)
