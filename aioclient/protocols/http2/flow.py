"""Flow control (RFC 9113, sections 5.2 and 6.9): who may send how many bytes of DATA frames, padding included.

What bounds memory: each stream has a window, and what came on it is given back only while its reader reads. So no more
than a stream's window waits for a reader that does not. The connection's window is given back for all that came,
whether read or not, and for streams that are gone: it limits what is under way, and a stream nobody reads cannot stall
the others. What a connection holds is therefore at most its open streams times a stream's window.
"""

from typing import Final

MAX_WINDOW: Final = 2**31 - 1  # section 6.9.1
DEFAULT_WINDOW: Final = 2**16 - 1  # of a connection and a stream at first (section 6.9.2)


class ReceiveWindow:
    """What the server may send.

    Attributes:
        size: Bytes that it may send at most.
        low: Half of it: as long as more is left, nothing is given back.
        left: Bytes that it may send now; whoever takes what comes counts it down. Negative: it has sent too many.
    """

    __slots__ = ("left", "low", "size")

    def __init__(self, size: int) -> None:
        self.size: int = size
        self.left: int = size
        self.low: int = size // 2

    def give_back(self) -> int:
        """Return by how much to widen the window now: 0 as long as half of it is left."""
        if self.left > self.low:
            return 0
        due = self.size - self.left
        self.left = self.size
        return due


def widened(window: int, increment: int) -> int | None:
    """Return a window for sending after *increment*, which may make it negative; None if it gets too large."""
    window += increment
    return window if window <= MAX_WINDOW else None
