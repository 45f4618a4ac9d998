"""Validating a response that was just used, in the background (RFC 5861, section 3)."""

import asyncio
import logging
from typing import Final

from ...chain import Handler
from .asking import Asking, Requests
from .flights import Flight, Flights, Landing
from .lookup import Found, flight_key
from .reuse import Use
from .sending import Sending
from .sessions import Work

_log: Final = logging.getLogger("aioclient.cache")


class Behind:
    """Validates responses in the background: at most *limit* at a time, and one for each key."""

    def __init__(
        self, requests: Requests, sending: Sending, flights: Flights, work: Work, limit: int
    ) -> None:
        self._requests = requests
        self._sending = sending
        self._flights = flights
        self._work = work
        self._limit = limit

    def begin(self, asking: Asking, found: Found, handler: Handler, max_entry: int) -> None:
        """Validate the response that was just used; read at most *max_entry* bytes of a new one ahead."""
        key = flight_key(asking, found)
        if self._flights.of(key) is not None or self._work.behind >= self._limit:
            return
        flight = self._flights.begin(key, max_entry)
        task = self._work.revalidate(
            asking.request.session, self._revalidate(asking, found, handler, flight)
        )
        # Not in the task: it may be cancelled before it has begun.
        task.add_done_callback(lambda task: flight.leave() if task.cancelled() else None)

    async def _revalidate(
        self, asking: Asking, found: Found, handler: Handler, flight: Flight
    ) -> None:
        request = asking.request.beside(asyncio.get_running_loop().time())
        trace = request.trace
        try:
            asking = self._requests.asking(request)
            async with asyncio.timeout_at(request.deadline):
                if trace is not None:
                    await trace.request_start(None)
                response = await self._sending.send(asking, found, handler, Use.ASK, flight)
                async for _ in response.content.iter_raw():
                    pass  # reading the body stores it
                if trace is not None:
                    await trace.request_end(response)
        except Exception as error:  # noqa: BLE001  (nobody waits for it)
            _log.debug("%s: revalidation behind a response failed: %r", request.label, error)
            flight.land(Landing.ALONE)
            if trace is not None:
                await trace.request_exception(error)
