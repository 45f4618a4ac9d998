"""A server that is not there: a queue, workers, and what goes wrong with them."""

import asyncio
import heapq
from collections.abc import Callable

from aioclient import ClientResponse, Request

Service = Callable[[float], float]  # seconds of work for a request that is begun at this time


class SimulatedServer:
    """A transport to a server with so many *workers*, whose requests wait in one queue.

    What it has accepted it works on, whether or not anybody still waits for the answer: that is how load that was
    given up long ago keeps a server down. Without workers there is no queue.

    Attributes:
        arrivals: when each request came, in seconds from the start.
    """

    closed = False

    def __init__(self, service: Service, workers: int | None = None) -> None:
        self.arrivals: list[float] = []
        self._service = service
        self._free = None if workers is None else [0.0] * workers
        self._start: float | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to count seconds."""
        if self._start is None:
            self._start = loop.time()

    async def send(self, request: Request) -> ClientResponse:
        """Answer when it is this request's turn and the work is done."""
        assert self._start is not None
        now = asyncio.get_running_loop().time() - self._start
        self.arrivals.append(now)
        begin = now
        if self._free is not None:
            begin = max(now, heapq.heappop(self._free))
        done = begin + self._service(begin)
        if self._free is not None:
            heapq.heappush(self._free, done)
        await asyncio.sleep(done - now)
        return ClientResponse.from_parts(request, 200)

    async def close(self) -> None:
        """Nothing is held."""

    def statistics(self) -> None:
        """Nothing but `arrivals` is counted."""
