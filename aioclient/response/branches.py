"""Branches of a body: who is shown each piece as it comes, and told how the body ended."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable


class Branch:
    """What ``tee()`` was given: *write* gets the pieces, then *end* the error that ended them, None for none.

    What *write* raises ends the branch, and nothing else; what *end* raises goes to the event loop's exception handler.
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
        """Show the next piece."""
        if self._end is None:
            return
        try:
            self._write(piece)
        except Exception as error:  # noqa: BLE001  (the body goes on without it, whatever it is)
            self.end(error)

    def end(self, error: BaseException | None) -> None:
        """Tell, once, that nothing more comes."""
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
    """The pieces of a body that have come and were not read, each shown to the branches when it is appended."""

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
