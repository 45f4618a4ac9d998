"""Bodies that wait to be sent, in turns (RFC 9113, sections 5.2 and 6.1).

Each stream with something to send and a window sends one frame, then it is the next one's turn, so that all share the
connection's window. A stream without a window has no place in the turns until the server widens it. A body is not
copied: a frame is a view of it, copied once, when the bytes for the socket are joined.
"""

from collections import deque
from typing import Final

from .frames import DATA, END_STREAM, frame_head
from .streams import Stream, Upload

MAX_TURN: Final = (
    2**16
)  # bytes of a frame, even if the server accepts larger ones: other streams wait meanwhile


class Uploads:
    """The turns of one connection.

    Attributes:
        window: Bytes of DATA that may be sent on the connection.
        ready: Streams that have something to send and a window for it.
    """

    __slots__ = ("ready", "window")

    def __init__(self, window: int) -> None:
        self.window: int = window
        self.ready: deque[Stream] = deque()

    @property
    def waiting(self) -> bool:
        """Whether something can be sent now."""
        ready = self.ready
        return bool(ready) and (
            self.window > 0 or any(_only_end(stream.upload) for stream in ready)
        )

    def enqueue(self, stream: Stream) -> None:
        """Give *stream* a place in the turns, if it has something to send and may send."""
        upload = stream.upload
        if upload is None or upload.queued:
            return
        if (upload.unsent and stream.window > 0) or (upload.ended and not upload.unsent):
            upload.queued = True
            self.ready.append(stream)

    def drop(self, stream: Stream) -> None:
        """Drop the unsent bytes of *stream*."""
        upload = stream.upload
        stream.upload = None
        if upload is not None and upload.queued:
            self.ready.remove(stream)

    def take(self, out: list[bytes | memoryview], limit: int, max_size: int) -> list[Stream]:
        """Append frames to *out*, about *limit* bytes of data; return the streams that sent everything they had."""
        max_size = min(max_size, MAX_TURN)
        ready = self.ready
        sent_all: list[Stream] = []
        passed = 0  # streams in a row that could not send
        while limit > 0 and passed < len(ready):
            stream = ready.popleft()
            upload = stream.upload
            if upload is None:
                continue
            size = max(0, min(upload.unsent, stream.window, self.window, max_size))
            if not size and upload.unsent:
                if stream.window > 0:  # the connection's window is used up
                    ready.append(stream)
                    passed += 1
                else:
                    upload.queued = False
                continue
            passed = 0
            stream.window -= size
            self.window -= size
            limit -= max(size, 1)
            upload.unsent -= size
            ended = upload.ended and not upload.unsent
            out.append(frame_head(size, DATA, END_STREAM if ended else 0, stream.id))
            _cut(upload.pieces, size, out)
            if upload.unsent:
                ready.append(stream)
            else:
                upload.queued = False
                sent_all.append(stream)
        return sent_all


def _only_end(upload: Upload | None) -> bool:
    return upload is not None and not upload.unsent


def _cut(pieces: deque[memoryview], size: int, out: list[bytes | memoryview]) -> None:
    """Move the first *size* bytes of *pieces* to *out*."""
    while size:
        piece = pieces[0]
        length = len(piece)
        if length > size:
            out.append(piece[:size])
            pieces[0] = piece[size:]
            return
        out.append(piece)
        pieces.popleft()
        size -= length
