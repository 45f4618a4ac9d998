"""One exchange on a stream: the received response, and the unsent part of the request."""

from collections import deque
from typing import Any

from .errors import StreamFailure
from .flow import ReceiveWindow
from .response_head import UNKNOWN, ResponseHead
from .states import HALF_CLOSED_LOCAL, HEAD, OPEN, WHOLE, ResponsePart, StreamState


class Upload:
    """The part of a request's body that was handed over.

    Attributes:
        pieces: The unsent pieces; only the first may be cut.
        unsent: Their size in bytes.
        ended: Nothing follows.
        queued: It has a place in the turns.
    """

    __slots__ = ("ended", "pieces", "queued", "unsent")

    def __init__(self) -> None:
        self.pieces: deque[memoryview] = deque()
        self.unsent: int = 0
        self.ended: bool = False
        self.queued: bool = False


class Stream(ReceiveWindow):
    """A stream, which is also the window for its response's body (``left``, ``low``, ``size``).

    ``Codec.receive()`` fills it; the reader takes ``interim`` and ``chunks`` out.

    Attributes:
        id: Its identifier: odd, as for all streams of clients.
        method: The method of its request.
        owner: Any object of the caller; None if it wants nothing more.
        state: Its state.
        part: The next part of the response; ``WHOLE`` when it is complete.
        interim: Heads of 1xx responses; None for none.
        head: The final head; None before it came.
        chunks: Pieces of the body that came and were not taken yet.
        received: Bytes of the body that came so far.
        trailers: Names and values of the fields after the body; None if there are none.
        failure: Why nothing more comes; None while something may. What came before is still valid.
        stopped: The code with which the server refused the rest of the request's body, after a complete response.
        window: Bytes of DATA that may be sent; negative if the server made it smaller than what was sent.
        upload: The part of the body that waits to be sent; None without a body.
        paused: Its reader has enough: its window is not given back.
        expected: Bytes of the body, as far as the head tells; else ``UNKNOWN``.
        interims: Number of interim responses that came.
    """

    __slots__ = (
        "chunks",
        "expected",
        "failure",
        "head",
        "id",
        "interim",
        "interims",
        "method",
        "owner",
        "part",
        "paused",
        "received",
        "state",
        "stopped",
        "trailers",
        "upload",
        "window",
    )

    def __init__(
        self, stream_id: int, method: str, owner: Any, room: int, window: int, ended: bool
    ) -> None:
        self.size: int = room
        self.left: int = room
        # With half of it, nginx on the same machine waited for its window more often.
        self.low: int = room * 3 // 4
        self.id: int = stream_id
        self.method: str = method
        self.owner: Any = owner
        self.state: StreamState = HALF_CLOSED_LOCAL if ended else OPEN
        self.part: ResponsePart = HEAD
        self.interim: list[ResponseHead] | None = None
        self.interims: int = 0
        self.head: ResponseHead | None = None
        self.chunks: list[bytes] = []
        self.received: int = 0
        self.expected: int = UNKNOWN
        self.trailers: list[tuple[str, str]] | None = None
        self.failure: StreamFailure | None = None
        self.stopped: int | None = None
        self.window: int = window
        self.upload: Upload | None = None
        self.paused: bool = False

    def keep_chunks(self) -> None:
        """Copy the chunks into one: they are views of a segment's buffer, which is used again."""
        if self.chunks:
            self.chunks = [b"".join(self.chunks)]

    @property
    def complete(self) -> bool:
        """Whether the response is complete."""
        return self.part is WHOLE

    def __repr__(self) -> str:
        status = "no response" if self.head is None else f"status {self.head.status}"
        return f"<Stream {self.id}: {self.state.value}, {status}, {self.received} bytes>"
