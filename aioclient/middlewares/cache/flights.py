"""One flight for each key: if several calls ask for the same at the same time, only one asks the server.

The rules:

- The first call is the *leader*. The others wait until its response is stored, and then look it up again.
- If that response will not be stored, or the leader fails, all waiting calls ask the server, at the same time.
- If the leader is cancelled, or its body is given up, the first waiting call becomes the leader.
- While a call waits, the body that is being stored is read ahead, whether or not the leader reads it: no call waits for
  the leader's program to read its response.
- A flight for a URL that is invalidated ends: its response was perhaps made before the change. It is not stored.
"""

import asyncio
from collections import deque
from enum import Enum
from weakref import WeakKeyDictionary

from ...response.stream import StreamReader
from .keys import Key
from .vary import Variant

FlightKey = tuple[Key, Variant]


class Landing(Enum):
    """How a flight ended, for the calls that waited."""

    LOOK = "look again"
    ALONE = "ask for yourself"
    LEAD = "take the leader's place"


class Flight:
    """A request under way, and the calls that wait for its response to be stored."""

    __slots__ = ("_flights", "_key", "_limit", "_over", "_stream", "_waiters")

    def __init__(self, flights: "dict[FlightKey, Flight]", key: FlightKey, limit: int) -> None:
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
            asyncio.CancelledError: the waiter was cancelled; if it should have become leader, the next one does.
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
        """Note that the response has come and that its body will be stored while it is read."""
        self._stream = stream
        if self._waiters:
            self._read_ahead()

    def _read_ahead(self) -> None:
        if self._stream is not None:
            self._stream.read_ahead(self._limit)

    def land(self, landing: Landing) -> None:
        """End the flight."""
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

    @property
    def is_over(self) -> bool:
        """Whether it has landed."""
        return self._over

    def leave(self) -> None:
        """Make the first waiting call the leader; end the flight if no call waits."""
        self._stream = None
        while self._waiters and not self._over:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(Landing.LEAD)
                return
        self.land(Landing.ALONE)


class Flights:
    """The flights of a cache, separate for each event loop."""

    __slots__ = ("_loops",)

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[FlightKey, Flight]] = (
            WeakKeyDictionary()
        )

    def of(self, key: FlightKey) -> Flight | None:
        """Return the flight for *key* that is under way on this event loop."""
        flights = self._loops.get(asyncio.get_running_loop())
        return None if flights is None else flights.get(key)

    def end_for(self, uri: str) -> None:
        """End the flights for *uri*, which was invalidated: no further call gets their responses."""
        flights = self._loops.get(asyncio.get_running_loop(), {})
        for flight in [flight for key, flight in flights.items() if key[0].uri == uri]:
            flight.land(Landing.ALONE)

    def begin(self, key: FlightKey, limit: int) -> Flight:
        """Begin a flight; *limit* is how many bytes of a body are read ahead."""
        loop = asyncio.get_running_loop()
        flights = self._loops.get(loop)
        if flights is None:
            flights = self._loops[loop] = {}
        return Flight(flights, key, limit)
