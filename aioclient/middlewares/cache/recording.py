"""Storing a body while it is read."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from .entry import Entry
from .flights import Flight, Landing
from .store import Writer

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class TooLargeError(Exception):
    """A body is larger than the store takes."""


class Recorder:
    """Stores a body while it is read; ``ClientResponse.tee()`` calls it with each piece.

    A body that ends with an error, or that is larger than *limit*, is not stored. *failed* is called with the
    exceptions of the store; *spawn* runs the coroutines that it must wait for.
    """

    __slots__ = ("_entry", "_failed", "_flight", "_limit", "_size", "_spawn", "_writer", "is_done")

    def __init__(
        self,
        entry: Entry,
        writer: Writer,
        limit: int,
        flight: Flight | None,
        failed: Callable[[Exception], object],
        spawn: Spawn,
    ) -> None:
        self._entry = entry
        self._writer = writer
        self._limit = limit
        self._flight = flight
        self._failed = failed
        self._spawn = spawn
        self._size = 0
        self.is_done: bool = False  # whether the body has ended, with or without an error

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._size += len(piece)
        if self._size > self._limit:
            raise TooLargeError
        self._writer.write(piece)

    def end(self, error: BaseException | None) -> None:
        """Store the body, unless it is incomplete."""
        self.is_done = True
        if error is None:
            self._commit()
            return
        self._writer.abort()
        if isinstance(error, TooLargeError):
            self._land(Landing.ALONE)
        elif self._flight is not None:
            self._flight.leave()  # the waiting calls may read the whole body

    def _commit(self) -> None:
        try:
            self._entry.size = self._size
            waiting = self._writer.commit(self._entry)
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self._failed(error)
            self._land(Landing.ALONE)
            return
        if waiting is None:
            self._land(Landing.LOOK)
        else:
            self._spawn(self._wait(waiting))

    async def _wait(self, waiting: Awaitable[None]) -> None:
        landing = Landing.ALONE
        try:
            await waiting
            landing = Landing.LOOK
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  (as above)
            self._failed(error)
        finally:
            self._land(landing)

    def _land(self, landing: Landing) -> None:
        if self._flight is not None:
            self._flight.land(landing)
