"""One exchange on a stream: what came of its response, and what is left to send of its request."""

from collections import deque
from typing import Any

from .errors import StreamFailure
from .flow import ReceiveWindow
from .response_head import UNKNOWN, ResponseHead
from .states import HALF_CLOSED_LOCAL, HEAD, OPEN, WHOLE, ResponsePart, StreamState


class Upload:
    """A request's body as far as it was handed over.

    Attributes:
        pieces: What was not sent, uncut but for the first one.
        unsent: The bytes of it.
        ended: Nothing follows.
        queued: It has its place in the turns.
    """

    __slots__ = ("ended", "pieces", "queued", "unsent")

    def __init__(self) -> None:
        self.pieces: deque[memoryview] = deque()
        self.unsent: int = 0
        self.ended: bool = False
        self.queued: bool = False


class Stream(ReceiveWindow):
    """A stream, which is a window for its response's body as well (``left``, ``low``, ``size``).

    What ``Codec.receive()`` found is in it; who reads takes ``interim`` and ``chunks`` out.

    Attributes:
        id: Its identifier: odd, as those of all streams of clients.
        method: That of its request.
        owner: Whatever the caller wants to find again; None if it wants nothing more.
        state: How far it is.
        part: What comes next of the response; ``WHOLE`` when it is complete.
        interim: Heads of 1xx responses that came, None for none.
        head: The final head; None before it came.
        chunks: Pieces of the body.
        received: Bytes of the body that came so far.
        trailers: Names and values of the fields behind the body; None if there are none.
        failure: Why nothing more comes; None while something may. What came before is still good.
        stopped: The code with which the server, its response complete, wants no more of the request's body.
        window: Bytes of DATA that may be sent; negative when the server made it smaller than what was sent.
        upload: What of the body waits to be sent; None without a body.
        paused: Its reader has enough: nothing is given back of its window.
        bodiless: Its response has no body, whatever its fields say; known with its head.
        expected: Bytes of the body that the head announced, or ``UNKNOWN``.
        interims: How many interim responses came.
        segment: The number of the segment that brought something last.
    """

    __slots__ = (
        "bodiless",
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
        "segment",
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
        self.low: int = room // 2
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
        self.bodiless: bool = False
        self.trailers: list[tuple[str, str]] | None = None
        self.failure: StreamFailure | None = None
        self.stopped: int | None = None
        self.window: int = window
        self.upload: Upload | None = None
        self.paused: bool = False
        self.segment: int = 0

    @property
    def complete(self) -> bool:
        """Whether the response is here to its end."""
        return self.part is WHOLE

    def __repr__(self) -> str:
        status = "no response" if self.head is None else f"status {self.head.status}"
        return f"<Stream {self.id}: {self.state.value}, {status}, {self.received} bytes>"
