"""What ``close()`` of a connector returns: to be awaited, but done already where it was not."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from ..warning import warn_legacy

# Those that nobody awaits; the event loop itself holds tasks weakly.
_ends: "set[asyncio.Task[None]]" = set()


class Closing(Coroutine[Any, Any, None]):
    """The wait for the last socket of a connector that was told to close.

    ``close()`` was no coroutine in aiohttp 2. Code that does not await it closes the connector all the same, and is
    warned; what is left to wait for then goes on in a task.
    """

    __slots__ = ("_begun", "_end")

    def __init__(self, end: Coroutine[Any, Any, None]) -> None:
        self._end = end
        self._begun = False

    def send(self, value: Any) -> Any:
        """Go on (what a coroutine has)."""
        self._begun = True
        return self._end.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise inside (what a coroutine has)."""
        self._begun = True
        return self._end.throw(*error)

    def close(self) -> None:
        """Wait for nothing (what a coroutine has)."""
        self._begun = True
        self._end.close()

    def __await__(self) -> Generator[Any, None, None]:
        self._begun = True
        return self._end.__await__()

    def __del__(self) -> None:
        if self._begun:
            return
        try:
            task = asyncio.get_running_loop().create_task(self._end)
        except RuntimeError:
            self._end.close()
        else:
            _ends.add(task)
            task.add_done_callback(_ends.discard)
        warn_legacy("connector.close() without await", "write 'await connector.close()'")
