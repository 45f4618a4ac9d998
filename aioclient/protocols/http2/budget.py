"""How many useless frames a server may send (RFC 9113, section 10.5).

PING and SETTINGS cost an answer; PRIORITY, unknown frames, empty DATA and the like cost time; and no window limits
them. A server may send some without a reason, and more in proportion to our requests.
"""

from typing import Final

from .errors import ConnectionFailure, ErrorCode

FLOOD: Final = "RFC 9113, section 10.5"

PERIOD: Final = 10.0  # seconds
FREE: Final = 1000  # frames in a period; well-behaved servers send a few PINGs and SETTINGS
PER_FRAME: Final = (
    10  # for each request and each turn of uploads: each may lead to PING and WINDOW_UPDATE frames
)
BYTES_PER_FRAME: Final = 512  # of a body sent: servers widen their windows by a kilobyte or more
MOST: Final = 20 * FREE  # the largest budget of a busy connection


class Budget:
    """The rest of the current period's budget.

    Attributes:
        left: Frames; sending something that justifies more frames adds to it.
    """

    __slots__ = ("_began", "left")

    def __init__(self) -> None:
        self.left: int = FREE
        self._began = 0.0

    def spend(self, now: float, kind: str, count: int = 1) -> None:
        """Count a frame that came at *now*, in seconds of any clock, as *count* frames.

        Raises:
            ConnectionFailure: it exceeds the budget.
        """
        self.left = left = min(self.left, MOST) - count
        if left >= 0:
            return
        if now - self._began < PERIOD:
            raise ConnectionFailure(
                ErrorCode.ENHANCE_YOUR_CALM, f"too many useless frames: {kind}", FLOOD
            )
        self._began = now
        self.left = FREE - 1
