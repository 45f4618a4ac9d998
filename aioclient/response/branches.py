"""Branches of a body: functions that get each piece as it comes, and the outcome at the end."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable


class Branch:
    """The functions given to ``tee()``: *write* gets the pieces, then *end* gets the error that ended them, or None.

    An exception of *write* ends only this branch; an exception of *end* goes to the event loop's exception handler.
    """

    __slots__ = ("_end", "_loop", "_write")

    def __init__(
        self,
        write: Callable[[bytes], object],
        end: Callable[[BaseException | None], object],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._write = write
        self._end: Callable[[BaseException | None], object] | None = end
        self._loop = loop

    def write(self, piece: bytes) -> None:
        """Pass on the next piece."""
        if self._end is None:
            return
        try:
            self._write(piece)
        except Exception as error:  # noqa: BLE001  (the body goes on without it, whatever it is)
            self.end(error)

    def end(self, error: BaseException | None) -> None:
        """Report, once, that nothing more comes."""
        end, self._end = self._end, None
        if end is None:
            return
        try:
            end(error)
        except Exception as raised:  # noqa: BLE001  (as in write)
            self._loop.call_exception_handler(
                {"message": f"The end of a tee() raised {raised!r}", "exception": raised}
            )


class WatchedPieces(deque[bytes]):
    """The unread pieces of a body; each is passed to the branches when it is appended."""

    __slots__ = ("branches",)

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__(pieces)
        self.branches: list[Branch] = []

    def append(self, piece: bytes) -> None:
        """Append *piece*."""
        super().append(piece)
        for branch in self.branches:
            branch.write(piece)

    def end(self, error: BaseException | None) -> None:
        """End the branches."""
        for branch in self.branches:
            branch.end(error)
