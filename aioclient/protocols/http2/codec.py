"""HTTP/2 on one connection, the client side, without I/O: no socket, no clock (RFC 9113).

Bytes go in with ``receive()``, which returns the streams with news. A stream is returned once for a segment, with the
news in its attributes, so a small response is seen once, complete. Rare events of the connection set
``open_streams.has_events``. ``take()`` returns the bytes to send.

The rules:

* The server's first frame is SETTINGS (section 3.4). A frame that is too large is refused as soon as its head is known,
  and so is an answer in HTTP/1.1.
* A fault in one message resets its stream (section 5.4.2); a fault in the connection's state ends the connection with
  GOAWAY (section 5.4.1), and every stream gets the reason in its ``failure``.
* Frames for streams that were reset are decoded, counted and dropped: they were already on their way (section 5.1).
* Frames that cost us more than the server are limited by a budget, and so are answers that it does not read (section
  10.5).
"""

from typing import Any, Final, cast

from .budget import BYTES_PER_FRAME, PER_FRAME, Budget
from .control import Control
from .encoding import FieldEncoder
from .errors import ConnectionFailure, ErrorCode
from .flow import DEFAULT_WINDOW
from .frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEAD_SIZE,
    HEADERS,
    PADDED,
    PREFACE,
    SETTINGS,
    STREAM_ID,
    WITH_PRIORITY,
    block_frames,
    frame,
    goaway_frame,
    kind_name,
    ping_frame,
    read_head,
    settings_frame,
    window_frame,
)
from .open_streams import LAST_ID, OpenStreams
from .request_head import RequestHead
from .responses import Responses
from .settings import LocalSettings, PeerSettings
from .states import CLOSED, HALF_CLOSED_REMOTE, OPEN, WHOLE
from .streams import Stream, Upload
from .uploads import Uploads

TAKEN_AT_ONCE: Final = 2**18  # bytes of bodies
SMALL_SEGMENT: Final = 2**14
"""Bytes that are copied as one: cutting frames out of ``bytes`` is cheaper, copying a large body twice is not."""

_BLOCK_FLAGS: Final = END_HEADERS | PADDED | WITH_PRIORITY  # they determine how a block is read


class Codec:
    """The state of one connection.

    Attributes:
        open_streams: Its streams, and the data of all of them.
        failure: Why the connection is over; nothing more is read.
        drained: Streams that sent everything they got so far, and expect more (the caller clears it).
        out: Frames that ``take()`` returns before any DATA.
        peer: The settings of the server.
        uploads: The bodies that wait to be sent.
    """

    __slots__ = (
        "_budget",
        "_checked_from",
        "_control",
        "_encoder",
        "_largest",
        "_responses",
        "_rest",
        "_stream_window",
        "drained",
        "failure",
        "open_streams",
        "out",
        "peer",
        "uploads",
    )

    def __init__(self, local: LocalSettings | None = None) -> None:
        local = local or LocalSettings()
        self.failure: ConnectionFailure | None = None
        self.drained: list[Stream] = []
        self._largest = local.frame_size
        self._stream_window = local.stream_window
        self.out: list[bytes | memoryview] = [PREFACE, settings_frame(local.pairs())]
        if local.connection_window > DEFAULT_WINDOW:
            self.out.append(window_frame(0, local.connection_window - DEFAULT_WINDOW))
        self._budget = Budget()
        self._encoder = FieldEncoder()
        self.uploads: Uploads = Uploads(DEFAULT_WINDOW)
        self.open_streams: OpenStreams = OpenStreams(self.out, self.uploads)
        self._responses = Responses(self.open_streams, local, self._budget, self.out)
        self._control = Control(
            self.open_streams, self.uploads, self._encoder, self._budget, self.out
        )
        self.peer: PeerSettings = self._control.peer
        self._rest = b""  # the beginning of an incomplete frame
        # The head of a frame, read as a number, is checked from here on: 0 while the next frame is restricted, because
        # it is the first one or within a block.
        self._checked_from = 0

    # The state of the connection

    @property
    def streams(self) -> dict[int, Stream]:
        """The open streams, by their identifiers."""
        return self.open_streams.by_id

    @property
    def ready(self) -> bool:
        """Whether the server's first SETTINGS came."""
        return self._control.ready

    @property
    def acknowledged(self) -> bool:
        """Whether the server has acknowledged our SETTINGS (section 6.5.3)."""
        return self._control.acknowledged

    @property
    def goaway(self) -> tuple[int, int] | None:
        """The last stream that the server may have processed, and the error code, once it has closed the connection."""
        control = self._control
        return None if control.goaway is None else (control.goaway, control.goaway_code)

    @property
    def pong(self) -> bytes | None:
        """The payload of the last PING that the server answered."""
        return self._control.pong

    # Requests

    @property
    def room(self) -> int:
        """How many streams may be opened now."""
        streams = self.open_streams
        left = self.peer.max_streams - len(streams.by_id)
        if left <= 0 or streams.exhausted:
            return 0
        return min(left, (LAST_ID - streams.next_id) // 2 + 1)

    @property
    def exhausted(self) -> bool:
        """Whether no stream can be opened ever again."""
        return self.open_streams.exhausted

    def open(self, head: RequestHead, owner: Any = None, *, end: bool) -> Stream | None:
        """Begin a request on a new stream, for *owner*; *end*: it has no body. Return None if there is no ``room``.

        Raises:
            ValueError: something in *head* cannot be sent, or it is larger than the server accepts; nothing was sent.
        """
        streams = self.open_streams
        peer = self.peer
        if len(streams.by_id) >= peer.max_streams or streams.exhausted:
            return None
        block = self._encoder.encode_head(head)
        stream_id = streams.next_id
        self.out.append(block_frames(stream_id, block, end, peer.frame_size))
        self._budget.left += PER_FRAME
        stream = Stream(stream_id, head[0], owner, self._stream_window, peer.initial_window, end)
        streams.open(stream)
        return stream

    def send(self, stream: Stream, data: bytes | bytearray | memoryview, *, end: bool) -> None:
        """Hand over the next piece of a request's body, which must not change; *end*: it is the last one.

        Bytes that the windows do not allow yet wait. On a stream whose request is over nothing happens.
        """
        if stream.state is not OPEN and stream.state is not HALF_CLOSED_REMOTE:
            return
        size = len(data)
        upload = stream.upload
        uploads = self.uploads
        if upload is None:
            if (
                end
                and not uploads.ready
                and size <= min(stream.window, uploads.window, self.peer.frame_size)
            ):
                stream.window -= size
                uploads.window -= size
                self.out.append(frame(DATA, END_STREAM, stream.id, bytes(data)))
                self.open_streams.end_request(stream)
                return
            stream.upload = upload = Upload()
        if size:
            upload.pieces.append(memoryview(data))
            upload.unsent += size
        upload.ended = end
        uploads.enqueue(stream)

    def reset(self, stream: Stream, code: int = ErrorCode.CANCEL) -> None:
        """End *stream* with RST_STREAM (section 6.4), unless it is closed; later frames on it are dropped."""
        self.open_streams.reset(stream, code)

    # Reading a response

    def pause(self, stream: Stream) -> None:
        """Stop giving back the window of *stream*: its reader has enough."""
        stream.paused = True

    def resume(self, stream: Stream) -> None:
        """Give back the window of *stream* again."""
        stream.paused = False
        if stream.part is not WHOLE and stream.state is not CLOSED:
            self._responses.resume(stream)

    # The connection

    def ping(self, payload: bytes) -> None:
        """Send a PING with these 8 bytes; ``pong`` shows the answer (section 6.7)."""
        self.out.append(ping_frame(payload))

    def close(self, code: int = ErrorCode.NO_ERROR) -> None:
        """Send GOAWAY (section 6.8); the server never begins streams, so the last stream is 0."""
        if self.failure is None:
            self.out.append(goaway_frame(0, code))

    @property
    def pending(self) -> bool:
        """Whether ``take()`` has something to return."""
        return bool(self.out or (self.uploads.ready and self.uploads.waiting))

    def take(self, limit: int = TAKEN_AT_ONCE) -> bytes:
        """Return the next bytes to send: all frames except DATA, and about *limit* bytes of DATA; b"" for nothing."""
        out = self.out
        if self.uploads.ready:
            self._take_uploads(limit)
        elif not out:
            return b""
        taken = b"".join(out)
        out.clear()
        self._control.answers = 0
        return taken

    def _take_uploads(self, limit: int) -> None:
        uploads = self.uploads
        before = uploads.window
        for stream in uploads.take(self.out, limit, self.peer.frame_size):
            upload = stream.upload
            if upload is not None and upload.ended:
                stream.upload = None
                self.open_streams.end_request(stream)
            else:
                self.drained.append(stream)
        self._budget.left += PER_FRAME + (before - uploads.window) // BYTES_PER_FRAME

    # Input

    def receive(self, data: bytes | memoryview, now: float) -> list[Stream]:
        """Process a segment that came at *now*, in seconds of any clock; return the streams with news.

        What is kept of *data* is copied: it may be a view of a buffer that is used again.
        A closed stream is returned here for the last time.
        """
        if self.failure is not None:
            return []
        small = len(data) <= SMALL_SEGMENT
        # A view is cut without copying, and keep_chunks() copies; the others treat it as bytes.
        data = bytes(data) if small else cast(bytes, memoryview(data))
        try:
            position = 0
            if self._responses.missing:
                position = self._responses.continue_data(data)
            elif self._rest:
                data = self._rest + data
                self._rest = b""
            self._read(data, position, now)
        except ConnectionFailure as failure:
            self.out.append(goaway_frame(0, failure.code))
            self._lose(failure)
        touched = self.open_streams.take_touched()
        if not small:
            for stream in touched:
                stream.keep_chunks()
        return touched

    def lose(self, failure: ConnectionFailure) -> list[Stream]:
        """Note that the connection is lost, for the reason *failure*; return the streams that end with it."""
        if self.failure is None:
            self._lose(failure)
        self.out.clear()
        return self.open_streams.take_touched()

    def _lose(self, failure: ConnectionFailure) -> None:
        self.failure = failure
        self.open_streams.lose(failure)

    def _read(self, data: bytes, position: int, now: float) -> None:
        """Read the frames of *data*."""
        end = len(data)
        responses = self._responses
        while (start := position + HEAD_SIZE) <= end:
            word, flags, stream_id = read_head(data, position)
            kind = word & 0xFF
            stream_id &= STREAM_ID
            if word >= self._checked_from:
                self._check_head(bytes(data[position:start]), kind, flags, stream_id, word >> 8)
            stop = start + (word >> 8)
            if kind == DATA and not flags & PADDED:
                responses.take_data(stream_id, flags, data, start, stop, now)
            elif stop > end:
                break
            elif kind == HEADERS and flags & _BLOCK_FLAGS == END_HEADERS:
                responses.take_block(stream_id, flags, bytes(data[start:stop]), now)
            else:
                self._take_other(kind, stream_id, flags, bytes(data[start:stop]), now)
            position = stop
        if position < end:
            self._rest = bytes(data[position:])
            if not self._control.ready:
                _check_first_bytes(self._rest)

    def _take_other(
        self, kind: int, stream_id: int, flags: int, payload: bytes, now: float
    ) -> None:
        """Process a frame that is not plain DATA or a complete field block."""
        responses = self._responses
        if kind == HEADERS:
            responses.begin_block(stream_id, flags, payload, now)
        elif kind == CONTINUATION:
            responses.continue_block(stream_id, flags, payload, now)
        elif kind == DATA:
            responses.take_padded(stream_id, flags, payload, now)
        else:
            self._control.take(kind, stream_id, flags, payload, now)
        restricted = responses.block_id or not self._control.ready
        self._checked_from = 0 if restricted else (self._largest + 1) << 8

    def _check_head(self, head: bytes, kind: int, flags: int, stream_id: int, length: int) -> None:
        """Check the head of a frame that is too large, or the first one, or within a field block."""
        if not self._control.ready:
            _check_first_bytes(head)
            if kind != SETTINGS or flags & ACK:
                raise ConnectionFailure(
                    ErrorCode.PROTOCOL_ERROR,
                    f"the server's first frame is {kind_name(kind)}, not SETTINGS",
                    "RFC 9113, section 3.4",
                )
        if length > self._largest:
            raise ConnectionFailure(
                ErrorCode.FRAME_SIZE_ERROR,
                f"{kind_name(kind)} has {length} bytes, more than {self._largest}",
                "RFC 9113, section 4.2",
            )
        block_id = self._responses.block_id
        if block_id and (kind != CONTINUATION or stream_id != block_id):
            raise ConnectionFailure(
                ErrorCode.PROTOCOL_ERROR,
                f"{kind_name(kind)} on stream {stream_id} comes within the field block of stream {block_id}",
                "RFC 9113, section 6.10",
            )


def _check_first_bytes(data: bytes) -> None:
    """Refuse the answer of a server that does not speak HTTP/2 (section 3.4)."""
    if data.startswith(b"HTTP/"):
        raise ConnectionFailure(
            ErrorCode.PROTOCOL_ERROR,
            "the server answers in HTTP/1.1 where HTTP/2 was agreed",
            "RFC 9113, section 3.4",
        )
