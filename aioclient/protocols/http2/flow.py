"""Flow control (RFC 9113, sections 5.2 and 6.9): how many bytes of DATA frames may be sent, including padding.

It bounds memory: each stream has a window, which is given back only as its reader reads. So at most a stream's window
of bytes waits for a slow reader. The connection's window is given back for all received bytes, whether read or not, and
for closed streams: it limits the bytes on the network, and an unread stream cannot block the others. A connection holds
at most its open streams times a stream's window.
"""

from typing import Final

MAX_WINDOW: Final = 2**31 - 1  # section 6.9.1
DEFAULT_WINDOW: Final = 2**16 - 1  # of a connection and a stream at the beginning (section 6.9.2)


class ReceiveWindow:
    """The window for the server.

    Attributes:
        size: The largest number of bytes that it may send.
        low: While more is left, nothing is given back: half of it, or three quarters for a stream.
        left: Bytes that it may send now; the receiver counts it down. Negative: it has sent too many.
    """

    __slots__ = ("left", "low", "size")

    def __init__(self, size: int) -> None:
        self.size: int = size
        self.left: int = size
        self.low: int = size // 2

    def give_back(self) -> int:
        """Return by how much to widen the window now: 0 while more than ``low`` is left."""
        if self.left > self.low:
            return 0
        due = self.size - self.left
        self.left = self.size
        return due


def widened(window: int, increment: int) -> int | None:
    """Return a window for sending after *increment*, which may be negative; None if it gets too large."""
    window += increment
    return window if window <= MAX_WINDOW else None
