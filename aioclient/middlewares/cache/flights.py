"""One flight for each key: if several calls ask for the same at the same time, only one asks the server.

The rules:

- The first call is the *leader*. The others wait until its response is stored, and then look it up again.
- If that response will not be stored, or the leader fails, all waiting calls ask the server, at the same time.
- If the leader is cancelled, or its body is given up, the first waiting call becomes the leader.
- While a call waits, the body that is being stored is read ahead, whether or not the leader reads it: no call waits for
  the leader's program to read its response.
- A flight for a URL that is invalidated ends: its response was perhaps made before the change. It is not stored.
- A call that looked while a flight for its key ended looks again: it may have looked just before the response was
  stored.
"""

import asyncio
from collections import deque
from enum import Enum
from typing import Self
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


class Look:
    """A look at what is stored for a key; ``is_outdated`` is whether a flight for it has stored something since."""

    __slots__ = ("_key", "_looks", "is_outdated")

    def __init__(self, looks: "dict[Key, set[Look]]", key: Key) -> None:
        self._looks = looks
        self._key = key
        self.is_outdated: bool = False

    def __enter__(self) -> Self:
        self._looks.setdefault(self._key, set()).add(self)
        return self

    def __exit__(self, *_: object) -> None:
        others = self._looks[self._key]
        others.discard(self)
        if not others:
            del self._looks[self._key]


class _Loop:
    """The flights and looks of an event loop."""

    __slots__ = ("__weakref__", "flights", "looks")

    def __init__(self) -> None:
        self.flights: dict[FlightKey, Flight] = {}
        self.looks: dict[Key, set[Look]] = {}


class Flight:
    """A request under way, and the calls that wait for its response to be stored."""

    __slots__ = ("_key", "_limit", "_loop", "_over", "_stream", "_waiters")

    def __init__(self, loop: _Loop, key: FlightKey, limit: int) -> None:
        self._loop = loop
        self._key = key
        self._limit = limit
        self._waiters: deque[asyncio.Future[Landing]] = deque()
        self._stream: StreamReader | None = None
        self._over = False
        loop.flights[key] = self

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
        if self._loop.flights.get(self._key) is self:
            del self._loop.flights[self._key]
        if landing is Landing.LOOK:
            for look in self._loop.looks.get(self._key[0], ()):
                look.is_outdated = True
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
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()

    def _here(self) -> _Loop:
        loop = asyncio.get_running_loop()
        here = self._loops.get(loop)
        if here is None:
            here = self._loops[loop] = _Loop()
        return here

    def look(self, key: Key) -> Look:
        """Return a look at what is stored for *key*, which begins and ends with its ``with`` block."""
        return Look(self._here().looks, key)

    def of(self, key: FlightKey) -> Flight | None:
        """Return the flight for *key* that is under way on this event loop."""
        return self._here().flights.get(key)

    def begin(self, key: FlightKey, limit: int) -> Flight:
        """Begin a flight; *limit* is how many bytes of a body are read ahead."""
        return Flight(self._here(), key, limit)

    def end_for(self, uri: str) -> None:
        """End the flights for *uri*, which was invalidated: no further call gets their responses."""
        flights = self._here().flights
        for flight in [flight for key, flight in flights.items() if key[0].uri == uri]:
            flight.land(Landing.ALONE)
