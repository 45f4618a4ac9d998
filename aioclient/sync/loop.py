"""The event loop of blocking calls: uvloop's where it is installed, which costs less."""

import asyncio
import socket
from functools import partial
from time import monotonic
from typing import Any


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop, in whose process ``os.fork()`` does no harm."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()

    class Loop(uvloop.Loop):
        """One with a clock of full resolution, which looks up names in threads of Python's.

        libuv's end would wait in a forked process for its threads, which that does not have: it crashes. uvloop takes
        one of them even for addresses, each time a socket is connected.
        """

        def time(self) -> float:
            """Return the time, for timings of calls: uvloop's stands still within an iteration of the loop."""
            return monotonic()

        async def getaddrinfo(
            self,
            host: Any,
            port: Any,
            *,
            family: int = 0,
            type: int = 0,
            proto: int = 0,
            flags: int = 0,
        ) -> Any:
            look_up = partial(socket.getaddrinfo, host, port, family, type, proto)
            try:
                return look_up(flags | socket.AI_NUMERICHOST)
            except socket.gaierror:  # it is a name
                return await self.run_in_executor(None, look_up, flags)

    return Loop()
