"""The server's side of HTTP/2 on one connection, for scripts and applications; it is strict with the client.

It shares no code with the client's codec, so that neither hides the other's faults: frames are made by hand, and field
blocks with hpack. Sections are those of RFC 9113.
"""

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .h2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    FRAME_SIZE,
    HEAD_SIZE,
    LARGEST_WINDOW,
    PREFACE,
    STREAM_ID,
    WINDOW,
    H2Frame,
    H2Kind,
    H2Setting,
    HeaderFields,
    frame_bytes,
    padded,
    settings_payload,
)
from .h2_requests import check_fields, request_of
from .raw_server import RawConnection

with contextlib.suppress(ImportError):  # without it, `require_hpack()` says what to do
    import hpack

Fields = Iterable[tuple[str | bytes, str | bytes]]

# Frames that a client may send on a stream that it has ended: they may cross with frames of the server (section 5.1).
LATE = frozenset((H2Kind.PRIORITY, H2Kind.WINDOW_UPDATE, H2Kind.RST_STREAM))


FIELD_LIST = 2**20  # bytes of a request's fields; no test sends more


def require_hpack() -> None:
    """Check that the package hpack is installed.

    Raises:
        RuntimeError: It is not.
    """
    if "hpack" not in globals():
        raise RuntimeError("HTTP/2 needs the package hpack: pip install 'aioclient[http2]'")


@dataclass(slots=True)
class WireStream:
    """A stream that has not ended on both sides.

    Attributes:
        send_window: How many bytes of DATA the client accepts on it now.
        receive_window: How many bytes of DATA the client may send on it now.
        expected: The Content-Length of the request, None if there was none.
        received: How many bytes of its body have arrived.
        client_ended: Whether the client has sent END_STREAM.
        server_ended: Whether this side has sent END_STREAM.
        server_reset: Whether this side has sent RST_STREAM; frames that the client sent before may still arrive.
    """

    send_window: int
    receive_window: int
    expected: int | None = None
    received: int = 0
    client_ended: bool = False
    server_ended: bool = False
    server_reset: bool = False


class H2Wire:
    """One connection after its TLS handshake. What arrives is passed to the `on_…` methods, for subclasses to override.

    Attributes:
        raw: The connection below: to send bytes that are not frames, and for `abort()`, `reset()`, `stop_reading()` …
        client_settings: The client's settings, from all SETTINGS frames that have arrived.
        gives_windows: Whether a window is enlarged again as soon as DATA has arrived.
        answers_settings: Whether SETTINGS of the client are acknowledged.
        answers_pings: Whether PINGs of the client are answered.
        send_window: How many bytes of DATA the client accepts now on all streams together.
    """

    def __init__(self, raw: RawConnection, settings: Mapping[int, int] | None) -> None:
        self.raw = raw
        self.client_settings: dict[int, int] = {}
        self.gives_windows = True
        self.answers_settings = True
        self.answers_pings = True
        self.send_window: int = WINDOW
        self.streams: dict[int, WireStream] = {}
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder(max_header_list_size=FIELD_LIST)
        self._receive_window = WINDOW
        self._last_id = 0
        self._begun = False  # the client's preface has arrived
        self._greeted = False  # its first SETTINGS have arrived
        self._promised: deque[dict[int, int]] = (
            deque()
        )  # SETTINGS that the client has not acknowledged
        self._agreed: dict[int, int] = {}  # settings that it has acknowledged
        self._block: tuple[H2Frame, bytearray] | None = None
        self._frames_read = 0
        self._reading = asyncio.Lock()
        self._takers: dict[int, Callable[[H2Frame], None]] = {
            H2Kind.DATA: self._take_data,
            H2Kind.HEADERS: self._take_headers,
            H2Kind.RST_STREAM: self._take_reset,
            H2Kind.SETTINGS: self._take_settings,
            H2Kind.PUSH_PROMISE: self._take_promise,
            H2Kind.PING: self._take_ping,
            H2Kind.WINDOW_UPDATE: self._take_window,
            H2Kind.CONTINUATION: self._take_continuation,
        }
        if settings is not None:
            self.send_settings(settings)

    # What arrives, for subclasses

    def on_frame(self, frame: H2Frame) -> None:
        """Note a frame of any kind, before it takes effect."""

    def on_head(self, stream_id: int, fields: HeaderFields, ended: bool) -> None:
        """Take a request's head."""

    def on_data(self, stream_id: int, data: bytes, size: int, ended: bool) -> None:
        """Take a piece of a request's body; *size* is how much of the windows it used."""

    def on_trailers(self, stream_id: int, fields: HeaderFields) -> None:
        """Take a request's trailers, which end it."""

    def on_reset(self, stream_id: int, code: int) -> None:
        """Take RST_STREAM."""

    def on_window(self) -> None:
        """Note that a window may have grown."""

    # Reading

    async def advance(self) -> None:
        """Read one more frame; several tasks may wait for it.

        Raises:
            EOFError: The client closed the connection.
            ValueError: The client sent what it may not send.
        """
        seen = self._frames_read
        async with self._reading:
            if self._frames_read == seen:
                await self._read_frame()

    async def _read_frame(self) -> None:
        if not self._begun:
            if (preface := await self.raw.read_exactly(len(PREFACE))) != PREFACE:
                raise ValueError(f"{preface!r} is not the preface of HTTP/2")
            self._begun = True
        head = await self.raw.read_exactly(HEAD_SIZE)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream_id = struct.unpack(">BBI", head[3:])
        limit = self._agreed.get(H2Setting.MAX_FRAME_SIZE, FRAME_SIZE)
        if length > limit:
            raise ValueError(f"a frame of {length} bytes came, {limit} are allowed")
        payload = await self.raw.read_exactly(length)
        self._frames_read += 1
        self._take(H2Frame(kind, flags, stream_id & STREAM_ID, payload))

    def _take(self, frame: H2Frame) -> None:
        if not self._greeted and (frame.kind != H2Kind.SETTINGS or frame.flags & ACK):
            raise ValueError(f"{frame} came first, not SETTINGS")
        self._greeted = True
        if self._block is not None and (
            frame.kind != H2Kind.CONTINUATION or frame.stream_id != self._block[0].stream_id
        ):
            raise ValueError(f"{frame} came within the field block of {self._block[0]}")
        self.on_frame(frame)
        if (take := self._takers.get(frame.kind)) is not None:
            take(frame)

    def _stream(self, frame: H2Frame) -> WireStream | None:
        """Return the stream of a frame; None if it has ended and the frame is late."""
        stream = self.streams.get(frame.stream_id)
        if stream is None or stream.client_ended:
            if frame.kind not in LATE or frame.stream_id > self._last_id:
                raise ValueError(f"{frame} came, and the stream is idle or ended")
            return stream
        return stream

    def _take_data(self, frame: H2Frame) -> None:
        stream = self._stream(frame)
        if stream is None:
            return
        size = len(frame.payload)
        self._receive_window -= size
        stream.receive_window -= size
        if self._receive_window < 0 or stream.receive_window < 0:
            raise ValueError(
                f"{frame}: it exceeds a window, that of the stream is now {stream.receive_window}, "
                f"that of the connection {self._receive_window}"
            )
        data = frame.content
        stream.received += len(data)
        if frame.ends_stream:
            self._end_request(frame.stream_id, stream)
        if stream.server_reset:
            self.give_back(0, size)
        else:
            self.on_data(frame.stream_id, data, size, frame.ends_stream)

    def give_back(self, stream_id: int, size: int) -> None:
        """Let the client send *size* bytes more, unless `gives_windows` is False or its stream has ended."""
        stream = self.streams.get(stream_id)
        if size and self.gives_windows and (stream_id == 0 or (stream and not stream.client_ended)):
            self.window_update(stream_id, size)

    def _end_request(self, stream_id: int, stream: WireStream) -> None:
        if stream.expected not in (None, stream.received):
            raise ValueError(
                f"stream {stream_id}: Content-Length is {stream.expected}, {stream.received} bytes came"
            )
        stream.client_ended = True
        if stream.server_ended or stream.server_reset:
            del self.streams[stream_id]

    def _take_headers(self, frame: H2Frame) -> None:
        self._block = frame, bytearray(frame.content)
        if frame.flags & END_HEADERS:
            self._end_block()

    def _take_continuation(self, frame: H2Frame) -> None:
        if self._block is None:
            raise ValueError(f"{frame} came, and no field block is open")
        self._block[1].extend(frame.payload)
        if frame.flags & END_HEADERS:
            self._end_block()

    def _end_block(self) -> None:
        if self._block is None:
            return
        frame, block = self._block
        self._block = None
        fields: HeaderFields = [
            (bytes(name), bytes(value))
            for name, value in self._decoder.decode(bytes(block), raw=True)
        ]
        if frame.stream_id > self._last_id:
            self._begin_stream(frame, fields)
        elif (stream := self._stream(frame)) is not None:
            check_fields(frame.stream_id, fields)
            if not frame.ends_stream:
                raise ValueError(f"{frame}: trailers that do not end the stream")
            self._end_request(frame.stream_id, stream)
            if not stream.server_reset:
                self.on_trailers(frame.stream_id, fields)

    def _begin_stream(self, frame: H2Frame, fields: HeaderFields) -> None:
        stream_id = frame.stream_id
        if not stream_id % 2:
            raise ValueError(f"{frame}: streams of clients have odd numbers")
        limit = self._agreed.get(H2Setting.MAX_CONCURRENT_STREAMS)
        # What was reset is closed (section 5.1), though frames that crossed the reset may still come.
        count = sum(not stream.server_reset for stream in self.streams.values())
        if limit is not None and count >= limit:
            raise ValueError(f"{frame}: {count} streams are open, {limit} are allowed")
        self._last_id = stream_id
        lengths = request_of(stream_id, fields).values("content-length")
        if len(lengths) > 1 or not all(map(str.isdecimal, lengths)):
            raise ValueError(f"stream {stream_id}: Content-Length is {lengths}")
        stream = WireStream(
            self.client_settings.get(H2Setting.INITIAL_WINDOW_SIZE, WINDOW),
            self._agreed.get(H2Setting.INITIAL_WINDOW_SIZE, WINDOW),
            int(lengths[0]) if lengths else None,
        )
        self.streams[stream_id] = stream
        if frame.ends_stream:
            self._end_request(stream_id, stream)
        self.on_head(stream_id, fields, frame.ends_stream)

    def _take_reset(self, frame: H2Frame) -> None:
        if self._stream(frame) is not None:
            del self.streams[frame.stream_id]
            self.on_reset(frame.stream_id, frame.code)

    def _take_settings(self, frame: H2Frame) -> None:
        if frame.flags & ACK:
            if not self._promised:
                raise ValueError("the client acknowledged SETTINGS that were not sent")
            self._agree(self._promised.popleft())
            return
        settings = frame.settings
        if settings.get(H2Setting.ENABLE_PUSH, 0) > 1:
            raise ValueError(f"{frame}: {settings}")
        added = self._change(self.client_settings, settings)
        for stream in self.streams.values():
            stream.send_window += added
        if (table := settings.get(H2Setting.HEADER_TABLE_SIZE)) is not None:
            self._encoder.header_table_size = min(table, 4096)
        if self.answers_settings:
            self.send_frame(H2Kind.SETTINGS, ACK)
        self.on_window()

    def _agree(self, settings: dict[int, int]) -> None:
        """Check the client by *settings* from now on, since it has acknowledged them (section 6.5.3)."""
        added = self._change(self._agreed, settings)
        for stream in self.streams.values():
            stream.receive_window += added
        if (table := settings.get(H2Setting.HEADER_TABLE_SIZE)) is not None:
            self._decoder.max_allowed_table_size = table

    @staticmethod
    def _change(known: dict[int, int], settings: Mapping[int, int]) -> int:
        """Update *known*; return how much the window of each open stream grows by that (section 6.9.2)."""
        before = known.get(H2Setting.INITIAL_WINDOW_SIZE, WINDOW)
        known.update(settings)
        return known.get(H2Setting.INITIAL_WINDOW_SIZE, WINDOW) - before

    def _take_promise(self, frame: H2Frame) -> None:
        raise ValueError(f"{frame} came from a client")

    def _take_ping(self, frame: H2Frame) -> None:
        if len(frame.payload) != 8 or frame.stream_id:
            raise ValueError(f"{frame} is not a PING")
        if self.answers_pings and not frame.flags & ACK:
            self.send_frame(H2Kind.PING, ACK, 0, frame.payload)

    def _take_window(self, frame: H2Frame) -> None:
        if len(frame.payload) != 4 or not frame.increment:
            raise ValueError(f"{frame}: a window grows by {frame.increment}")
        if frame.stream_id == 0:
            self.send_window += frame.increment
            window = self.send_window
        else:
            stream = self._stream(frame)
            if stream is None:
                return
            stream.send_window += frame.increment
            window = stream.send_window
        if window > LARGEST_WINDOW:
            raise ValueError(f"{frame}: the window is now {window}")
        self.on_window()

    # Sending

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.raw.send(data)

    def send_frame(
        self, kind: int, flags: int = 0, stream_id: int = 0, payload: bytes = b""
    ) -> None:
        """Send any frame, unchecked; its effect on streams and windows is noted."""
        self._note_sent(H2Frame(kind, flags, stream_id, payload))
        self.raw.send(frame_bytes(kind, flags, stream_id, payload))

    def _note_sent(self, frame: H2Frame) -> None:
        stream = self.streams.get(frame.stream_id)
        if frame.kind == H2Kind.WINDOW_UPDATE and len(frame.payload) == 4:
            if stream is not None:
                stream.receive_window += frame.increment
            elif frame.stream_id == 0:
                self._receive_window += frame.increment
        if stream is None:
            return
        if frame.kind == H2Kind.DATA:
            stream.send_window -= len(frame.payload)
            self.send_window -= len(frame.payload)
        stream.server_ended |= frame.ends_stream
        stream.server_reset |= frame.kind == H2Kind.RST_STREAM
        if stream.client_ended and (stream.server_ended or stream.server_reset):
            del self.streams[frame.stream_id]

    def send_settings(self, settings: Mapping[int, int]) -> None:
        """Send SETTINGS; the client must keep them once it has acknowledged them."""
        self._promised.append(dict(settings))
        self.send_frame(H2Kind.SETTINGS, 0, 0, settings_payload(settings))

    def encode(self, fields: Fields) -> bytes:
        """Return the field block of *fields*; it must be the next one to be sent (RFC 7541)."""
        fields = list(fields)
        # hpack's Huffman coder takes quadratic time: a second for 60 KB.
        short = all(len(value) < 2**12 for _, value in fields)
        return bytes(self._encoder.encode(fields, huffman=short))

    def send_headers(
        self,
        stream_id: int,
        fields: Fields | bytes,
        *,
        end: bool = False,
        pieces: int = 1,
        padding: int | None = None,
    ) -> None:
        """Send a head, or trailers: fields as they are, or the bytes of a field block.

        Args:
            stream_id: The stream to send them on.
            fields: The fields, unchecked.
            end: Whether END_STREAM is set.
            pieces: How many frames, HEADERS and CONTINUATION together.
            padding: Bytes of padding; None for a frame that is not padded.
        """
        block = fields if isinstance(fields, bytes) else self.encode(fields)
        step = -(-len(block) // pieces)
        flag, first = padded(block[:step], padding)
        flags = flag | (END_STREAM if end else 0)
        self.send_frame(
            H2Kind.HEADERS, flags | (END_HEADERS if pieces == 1 else 0), stream_id, first
        )
        for piece in range(1, pieces):
            last = END_HEADERS if piece == pieces - 1 else 0
            part = block[piece * step : (piece + 1) * step]
            self.send_frame(H2Kind.CONTINUATION, last, stream_id, part)

    def send_data(
        self, stream_id: int, data: bytes, *, end: bool = False, padding: int | None = None
    ) -> None:
        """Send a piece of a body in one frame, even if it exceeds the windows."""
        flag, payload = padded(data, padding)
        self.send_frame(H2Kind.DATA, flag | (END_STREAM if end else 0), stream_id, payload)

    def allowed(self, stream_id: int) -> int:
        """Return how many bytes of DATA may be sent in one frame now; 0 or less if the client accepts none."""
        stream = self.streams.get(stream_id)
        if stream is None:
            return 0
        size = self.client_settings.get(H2Setting.MAX_FRAME_SIZE, FRAME_SIZE)
        return min(stream.send_window, self.send_window, size)

    def reset_stream(self, stream_id: int, code: int) -> None:
        """Send RST_STREAM."""
        self.send_frame(H2Kind.RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))

    def goaway(self, last_stream_id: int, code: int = 0, debug: bytes = b"") -> None:
        """Send GOAWAY; the connection stays open."""
        self.send_frame(H2Kind.GOAWAY, 0, 0, struct.pack(">II", last_stream_id, code) + debug)

    def ping(self, payload: bytes = b"8 bytes.") -> None:
        """Send a PING; the answer arrives as a frame."""
        self.send_frame(H2Kind.PING, 0, 0, payload)

    def window_update(self, stream_id: int, increment: int) -> None:
        """Let the client send more, on a stream or (0) on the connection."""
        self.send_frame(H2Kind.WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))
