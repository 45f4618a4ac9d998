"""Incoming frames about the connection, or the end of a stream: all except HEADERS, CONTINUATION and DATA."""

from collections.abc import Callable
from typing import Final

from .budget import FLOOD, PER_FRAME, Budget
from .encoding import FieldEncoder
from .errors import ConnectionFailure, ErrorCode, StreamFailure
from .flow import widened
from .frames import (
    ACK,
    GOAWAY,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    SETTINGS_ACK,
    STREAM_ID,
    WINDOW_UPDATE,
    kind_name,
    ping_frame,
    wrong_size,
)
from .open_streams import OpenStreams, wrong_stream
from .settings import PeerSettings
from .states import WHOLE
from .streams import Stream
from .uploads import Uploads

MAX_ANSWERS: Final = 2**16  # bytes of answers to PING and SETTINGS that the server has not read

FrameHandler = Callable[["Control", int, int, bytes, float], None]


class Control:
    """The state of the connection according to the server.

    Attributes:
        peer: Its settings.
        ready: Its first SETTINGS came.
        acknowledged: It has acknowledged our settings.
        goaway: The last stream that it may have processed, from its GOAWAY; None before.
        goaway_code: Why it closes the connection.
        pong: The payload of the last PING that it answered.
        answers: Bytes of answers that were not taken for sending yet.
    """

    __slots__ = (
        "_budget",
        "_encoder",
        "_out",
        "_streams",
        "_uploads",
        "acknowledged",
        "answers",
        "goaway",
        "goaway_code",
        "peer",
        "pong",
        "ready",
    )

    def __init__(
        self,
        streams: OpenStreams,
        uploads: Uploads,
        encoder: FieldEncoder,
        budget: Budget,
        out: list[bytes | memoryview],
    ) -> None:
        self._streams = streams
        self._uploads = uploads
        self._encoder = encoder
        self._budget = budget
        self._out = out
        self.peer: PeerSettings = PeerSettings()
        self.ready: bool = False
        self.acknowledged: bool = False
        self.goaway: int | None = None
        self.goaway_code: int = 0
        self.pong: bytes | None = None
        self.answers: int = 0

    def take(self, kind: int, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Process a frame.

        Raises:
            ConnectionFailure: it breaks a rule, or exceeds the budget.
        """
        self._budget.spend(now, kind_name(kind))
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, stream_id, flags, payload, now)

    def _take_window(self, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Process WINDOW_UPDATE (section 6.9)."""
        if len(payload) != 4:
            raise wrong_size("WINDOW_UPDATE", len(payload), "section 6.9")
        increment = int.from_bytes(payload, "big") & STREAM_ID
        stream = self._streams.by_id.get(stream_id)
        if stream is not None:
            self._widen(stream, increment)
        elif not stream_id:
            window = widened(self._uploads.window, increment)
            if not increment or window is None:
                raise ConnectionFailure(*_wrong_increment(increment))
            self._uploads.window = window
        elif self._streams.is_idle(stream_id):
            raise wrong_stream("WINDOW_UPDATE", stream_id)

    def _widen(self, stream: Stream, increment: int) -> None:
        window = widened(stream.window, increment)
        if not increment or window is None:
            self._streams.refuse(stream, *_wrong_increment(increment))
        else:
            stream.window = window
            self._uploads.enqueue(stream)

    def _take_reset(self, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Process RST_STREAM (section 6.4)."""
        if len(payload) != 4:
            raise wrong_size("RST_STREAM", len(payload), "section 6.4")
        stream = self._streams.by_id.get(stream_id)
        if stream is None:
            if self._streams.is_idle(stream_id):
                raise wrong_stream("RST_STREAM", stream_id)
            return
        code = int.from_bytes(payload, "big")
        if stream.head is None:
            # A request without a response justifies no frames: else no number of resets would exceed the budget.
            self._budget.spend(now, "RST_STREAM before any response", PER_FRAME)
        if stream.part is WHOLE:
            # Its response is complete; the server does not want the rest of the request (section 8.1).
            stream.stopped = code
        else:
            stream.failure = StreamFailure(
                code,
                "the server reset the stream",
                by_server=True,
                unprocessed=code == ErrorCode.REFUSED_STREAM and stream.head is None,
            )
        self._streams.touched[stream] = None
        self._streams.close_reset(stream)

    def _take_settings(self, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Process SETTINGS (section 6.5)."""
        if stream_id:
            raise wrong_stream("SETTINGS", stream_id, "section 6.5")
        self._streams.has_events = True
        if flags & ACK:
            if payload:
                raise wrong_size("SETTINGS with ACK", len(payload), "section 6.5")
            self.acknowledged = True
            return
        peer = self.peer
        initial = peer.initial_window
        peer.apply(payload)
        if peer.initial_window != initial:
            self._change_windows(peer.initial_window - initial)
        self._encoder.resize(peer.table_size)
        self._encoder.limit(peer.field_list_size)
        self.ready = True
        self._answer(SETTINGS_ACK)

    def _change_windows(self, change: int) -> None:
        """Change the window of each stream, which may become negative (section 6.9.2)."""
        for stream in self._streams.by_id.values():
            window = widened(stream.window, change)
            if window is None:
                raise ConnectionFailure(
                    ErrorCode.FLOW_CONTROL_ERROR,
                    f"SETTINGS_INITIAL_WINDOW_SIZE makes the window of stream {stream.id} larger than 2^31-1",
                    "RFC 9113, section 6.9.2",
                )
            stream.window = window
            self._uploads.enqueue(stream)

    def _take_ping(self, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Process PING (section 6.7)."""
        if stream_id:
            raise wrong_stream("PING", stream_id, "section 6.7")
        if len(payload) != 8:
            raise wrong_size("PING", len(payload), "section 6.7")
        if flags & ACK:
            self.pong = payload
            self._streams.has_events = True
        else:
            self._answer(ping_frame(payload, ACK))

    def _take_goaway(self, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Process GOAWAY: streams above the last one were not processed, the others continue (section 6.8)."""
        if stream_id:
            raise wrong_stream("GOAWAY", stream_id, "section 6.8")
        if len(payload) < 8:
            raise wrong_size("GOAWAY", len(payload), "section 6.8")
        last_id = int.from_bytes(payload[:4], "big") & STREAM_ID
        if self.goaway is not None and last_id > self.goaway:
            raise ConnectionFailure(
                ErrorCode.PROTOCOL_ERROR,
                f"GOAWAY raises the last stream from {self.goaway} to {last_id}",
                "RFC 9113, section 6.8",
            )
        self.goaway = last_id
        self.goaway_code = int.from_bytes(payload[4:8], "big")
        streams = self._streams
        streams.exhausted = streams.has_events = True
        for stream in [stream for stream in streams.by_id.values() if stream.id > last_id]:
            stream.failure = StreamFailure(
                self.goaway_code,
                "the server closes the connection and has not processed the request",
                by_server=True,
                unprocessed=True,
            )
            streams.touched[stream] = None
            streams.close_reset(stream)

    def _take_priority(self, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Process PRIORITY, which is deprecated and has no effect on a client (section 6.3)."""
        if not stream_id:
            raise wrong_stream("PRIORITY", 0, "section 6.3")
        stream = self._streams.by_id.get(stream_id)
        if len(payload) != 5 and stream is not None:
            self._streams.refuse(
                stream,
                ErrorCode.FRAME_SIZE_ERROR,
                f"PRIORITY has {len(payload)} bytes",
                "RFC 9113, section 6.3",
            )

    def _take_promise(self, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Refuse PUSH_PROMISE (sections 6.6 and 8.4)."""
        raise ConnectionFailure(
            ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE, though push is off", "RFC 9113, section 8.4"
        )

    def _answer(self, answer: bytes) -> None:
        self._out.append(answer)
        self.answers += len(answer)
        if self.answers > MAX_ANSWERS:
            raise ConnectionFailure(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"the server does not read {MAX_ANSWERS} bytes of answers that it asked for",
                FLOOD,
            )


def _wrong_increment(increment: int) -> tuple[int, str, str]:
    """Return the code, text and section of the error for a WINDOW_UPDATE."""
    if not increment:
        return ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0", "RFC 9113, section 6.9"
    return (
        ErrorCode.FLOW_CONTROL_ERROR,
        f"WINDOW_UPDATE by {increment} makes the window larger than 2^31-1",
        "RFC 9113, section 6.9.1",
    )


_HANDLERS: Final[dict[int, FrameHandler]] = {
    WINDOW_UPDATE: Control._take_window,
    RST_STREAM: Control._take_reset,
    SETTINGS: Control._take_settings,
    PING: Control._take_ping,
    GOAWAY: Control._take_goaway,
    PRIORITY: Control._take_priority,
    PUSH_PROMISE: Control._take_promise,
}
