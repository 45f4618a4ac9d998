"""The streams of a connection: which are open, how they end, and which frames may come afterwards.

Frames for a stream that was reset were already on their way: they are decoded, counted and dropped. Frames for a stream
that both sides have ended, or that was never opened, are an error of the server (RFC 9113, section 5.1).
"""

from typing import Final

from .errors import ConnectionFailure, ErrorCode, StreamFailure
from .frames import reset_frame
from .states import CLOSED, HALF_CLOSED_LOCAL, HALF_CLOSED_REMOTE, OPEN, WHOLE
from .streams import Stream
from .uploads import Uploads

MAX_RESETS: Final = 1024  # reset streams that are remembered
LAST_ID: Final = 2**31 - 1  # section 5.1.1


class OpenStreams:
    """All streams of one connection.

    Attributes:
        by_id: The open streams.
        next_id: The identifier of the next stream.
        touched: The streams with news in the current segment, in their order.
        has_events: Something happened that the connection's owner should check.
        exhausted: No stream can be opened ever again.
    """

    __slots__ = (
        "_forgotten",
        "_out",
        "_reset",
        "_uploads",
        "by_id",
        "exhausted",
        "has_events",
        "next_id",
        "touched",
    )

    def __init__(self, out: list[bytes | memoryview], uploads: Uploads) -> None:
        self._out = out
        self._uploads = uploads
        self.by_id: dict[int, Stream] = {}
        self.next_id: int = 1
        self.touched: dict[Stream, None] = {}
        self.has_events: bool = False
        self.exhausted: bool = False
        # Recently reset streams, and the identifier below which they are not remembered.
        self._reset: dict[int, None] = {}
        self._forgotten = 0

    def take_touched(self) -> list[Stream]:
        """Return the streams with news in the segment, and begin the next one."""
        touched, self.touched = self.touched, {}
        return list(touched)

    def open(self, stream: Stream) -> None:
        """Add *stream*, whose identifier is ``next_id``."""
        self.by_id[stream.id] = stream
        self.next_id = stream.id + 2
        if self.next_id > LAST_ID:
            self.exhausted = self.has_events = True

    def end_request(self, stream: Stream) -> None:
        """Note that the request was completely sent."""
        if stream.state is OPEN:
            stream.state = HALF_CLOSED_LOCAL
        elif stream.state is HALF_CLOSED_REMOTE:
            self._close(stream)

    def end_response(self, stream: Stream) -> None:
        """Note that the response of *stream*, which is among the touched, is complete."""
        stream.part = WHOLE
        if stream.state is HALF_CLOSED_LOCAL:
            stream.state = CLOSED
            del self.by_id[stream.id]
        else:
            stream.state = HALF_CLOSED_REMOTE

    def reset(self, stream: Stream, code: int) -> None:
        """End *stream* with RST_STREAM, unless it is closed (section 6.4)."""
        if stream.state is not CLOSED:
            self._out.append(reset_frame(stream.id, code))
            self.close_reset(stream)

    def close_reset(self, stream: Stream) -> None:
        """End *stream*, which one side has reset."""
        known = self._reset
        known[stream.id] = None
        if len(known) > MAX_RESETS:
            oldest = next(iter(known))
            del known[oldest]
            self._forgotten = max(self._forgotten, oldest + 1)
        self._close(stream)

    def refuse(self, stream: Stream, code: int, found: str, section: str) -> None:
        """Reset *stream* because of a fault on it."""
        stream.failure = StreamFailure(code, found, section)
        self.touched[stream] = None
        self.reset(stream, code)

    def refuse_message(self, stream: Stream, found: str, section: str) -> None:
        """Reset *stream*, whose response is malformed (section 8.1.1)."""
        self.refuse(stream, ErrorCode.PROTOCOL_ERROR, found, f"RFC 9113, {section}")

    def lose(self, failure: ConnectionFailure) -> None:
        """End all streams: the connection is over."""
        for stream in list(self.by_id.values()):
            if stream.part is not WHOLE:
                stream.failure = StreamFailure(failure.code, failure.found, failure.section)
                stream.failure.__cause__ = failure
            self.touched[stream] = None
            self._close(stream)
        self.exhausted = self.has_events = True

    def is_idle(self, stream_id: int) -> bool:
        """Tell whether the stream was never opened; a server's streams never are."""
        return stream_id >= self.next_id or not stream_id & 1

    def check_closed(self, stream_id: int, subject: str) -> None:
        """Accept *subject* on a stream that was reset; refuse it on every other stream that is not open.

        Raises:
            ConnectionFailure: both sides had ended the stream, or it was never opened.
        """
        if stream_id in self._reset or (stream_id & 1 and stream_id < self._forgotten):
            return
        if self.is_idle(stream_id):
            raise wrong_stream(subject, stream_id)
        raise ConnectionFailure(
            ErrorCode.STREAM_CLOSED,
            f"{subject} on stream {stream_id}, which both sides have ended",
            "RFC 9113, section 5.1",
        )

    def _close(self, stream: Stream) -> None:
        stream.state = CLOSED
        del self.by_id[stream.id]
        if stream.upload is not None:
            self._uploads.drop(stream)
        self.has_events = True


def wrong_stream(subject: str, stream_id: int, section: str = "") -> ConnectionFailure:
    """Return the error for a frame on a wrong stream; *section* has the rule."""
    found = f"{subject} on stream {stream_id}"
    if stream_id and not section:
        found += ", which was never opened"
    return ConnectionFailure(
        ErrorCode.PROTOCOL_ERROR, found, f"RFC 9113, {section or 'section 5.1'}"
    )
