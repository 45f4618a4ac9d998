"""Incoming responses: field blocks and DATA (RFC 9113, sections 4.3, 6.1, 6.2, 6.10 and 8.1).

All field blocks are decoded in their order, whatever their stream, because they share a table. DATA is passed on as it
comes, as slices of the segment, whether or not its frame is complete.
"""

from typing import Final

from .budget import FLOOD, Budget
from .decoding import FieldDecoder, FieldList
from .errors import ConnectionFailure, ErrorCode
from .flow import ReceiveWindow
from .frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    NAMES,
    PADDED,
    WITH_PRIORITY,
    window_frame,
    wrong_size,
)
from .open_streams import OpenStreams, wrong_stream
from .response_head import BODILESS, UNKNOWN, ResponseHead, response_head, trailers_problem
from .settings import LocalSettings
from .states import BODY, CLOSED, HEAD
from .streams import Stream

MAX_INTERIM: Final = 16  # 1xx responses to a request, as in HTTP/1.1
MAX_CONTINUATIONS: Final = 32  # frames of a field block
MAX_BLOCK: Final = 2**16  # bytes of a field block, unless a longer list may be decoded


class Responses:
    """The incoming responses of a connection.

    Attributes:
        block_id: The stream whose field block continues in CONTINUATION frames; 0 for none.
        missing: Missing bytes of a DATA frame, without its padding.
    """

    __slots__ = (
        "_block",
        "_block_flags",
        "_block_size",
        "_budget",
        "_decoder",
        "_max_block",
        "_max_list",
        "_out",
        "_partial",
        "_partial_flags",
        "_streams",
        "_window",
        "block_id",
        "missing",
    )

    def __init__(
        self,
        streams: OpenStreams,
        local: LocalSettings,
        budget: Budget,
        out: list[bytes | memoryview],
    ) -> None:
        self._streams = streams
        self._budget = budget
        self._out = out
        self._decoder = FieldDecoder(local.field_list_size)
        self._window = ReceiveWindow(local.connection_window)
        self._max_list = local.field_list_size
        self._max_block = max(MAX_BLOCK, local.field_list_size)
        self._block: list[bytes] = []
        self._block_flags = 0
        self._block_size = 0
        self.block_id: int = 0
        # The stream for the missing bytes of a DATA frame; None if nobody wants them.
        self._partial: Stream | None = None
        self._partial_flags = 0
        self.missing: int = 0

    # DATA

    def take_data(
        self,
        stream_id: int,
        flags: int,
        data: bytes,
        start: int,
        end: int,
        now: float,
        padding: int = 0,
    ) -> None:
        """Process the DATA frame with the data from *start* to *end*, which may be beyond the end of the segment.

        *padding*: bytes of the frame besides, which count for the windows like data.
        """
        size = end - start
        window = self._window
        window.left -= size + padding
        if window.left < window.low:
            self._widen_connection()
        if not size and not flags & END_STREAM:
            self._budget.spend(now, "empty DATA")
        streams = self._streams
        stream = streams.by_id.get(stream_id)
        if stream is None:
            streams.check_closed(stream_id, "DATA")
        elif stream.part is not BODY:
            self._refuse_data(stream)
            stream = None
        else:
            stream.left -= size + padding
            stream.received += size
            if stream.left < stream.low and not self._widen(stream, flags):
                stream = None
            elif stream.received > stream.expected:
                self._refuse_length(stream)
                stream = None
        if end > len(data):
            self._partial, self._partial_flags = stream, flags
            self.missing = end - len(data)
            size -= self.missing
            flags = 0
        if stream is not None and (size or flags & END_STREAM):
            streams.touched[stream] = None
            if size:
                stream.chunks.append(data[start:end])
            if flags & END_STREAM:
                self._end(stream)

    def continue_data(self, data: bytes) -> int:
        """Process the missing bytes of a DATA frame at the beginning of *data*; return where they end."""
        missing = self.missing
        stream = self._partial
        if stream is not None and stream.state is not CLOSED:
            self._streams.touched[stream] = None
            stream.chunks.append(data[:missing])
        else:
            stream = None
        if len(data) < missing:
            self.missing = missing - len(data)
            return len(data)
        self.missing = 0
        self._partial = None
        if stream is not None and self._partial_flags & END_STREAM:
            self._end(stream)
        return missing

    def take_padded(self, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Process a DATA frame with padding, which counts for the windows like data."""
        data = _unpadded(payload, DATA)
        size = len(data)
        self.take_data(stream_id, flags, data, 0, size, now, len(payload) - size)

    def resume(self, stream: Stream) -> None:
        """Give back the window of *stream*, whose reader continues."""
        due = stream.give_back()
        if due:
            self._out.append(window_frame(stream.id, due))

    def _widen_connection(self) -> None:
        """Give back the connection's window, half of which is used, or raise if the server exceeded it."""
        if self._window.left < 0:
            raise ConnectionFailure(
                ErrorCode.FLOW_CONTROL_ERROR,
                "the server sends more than the connection's window",
                "RFC 9113, section 6.9.1",
            )
        self._out.append(window_frame(0, self._window.give_back()))

    def _widen(self, stream: Stream, flags: int) -> bool:
        """Give back a stream's window, a quarter of which is used, if its reader continues; return False if it was
        exceeded.
        """
        if stream.left < 0:
            self._streams.refuse(
                stream,
                ErrorCode.FLOW_CONTROL_ERROR,
                "the server sends more than the stream's window",
                "RFC 9113, section 6.9.1",
            )
            return False
        if not (stream.paused or flags & END_STREAM):
            self._out.append(window_frame(stream.id, stream.give_back()))
        return True

    # Field blocks

    def begin_block(self, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Process a HEADERS frame with padding, a priority, or a continuation in CONTINUATION frames."""
        if not stream_id:
            raise wrong_stream("HEADERS", 0, "section 6.2")
        block = _unpadded(payload, HEADERS) if flags & PADDED else payload
        if flags & WITH_PRIORITY:
            if len(block) < 5:
                raise wrong_size("HEADERS", len(payload), "section 6.2")
            block = block[5:]  # deprecated, and without effect on a client (section 5.3.2)
        if flags & END_HEADERS:
            self.take_block(stream_id, flags, block, now)
            return
        self._block = [block]
        self._block_flags = flags
        self._block_size = len(block)
        self.block_id = stream_id

    def continue_block(self, stream_id: int, flags: int, payload: bytes, now: float) -> None:
        """Process a CONTINUATION frame."""
        if stream_id != self.block_id or not stream_id:
            raise ConnectionFailure(
                ErrorCode.PROTOCOL_ERROR,
                f"CONTINUATION on stream {stream_id} has no field block to continue",
                "RFC 9113, section 6.10",
            )
        self._block.append(payload)
        self._block_size += len(payload)
        if len(self._block) > MAX_CONTINUATIONS + 1 or self._block_size > self._max_block:
            raise ConnectionFailure(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"a field block has more than {MAX_CONTINUATIONS} CONTINUATION frames or {self._max_block} bytes",
                FLOOD,
            )
        if flags & END_HEADERS:
            block = b"".join(self._block)
            self._block = []
            self.block_id = 0
            self.take_block(stream_id, self._block_flags, block, now)

    def take_block(self, stream_id: int, flags: int, block: bytes, now: float) -> None:
        """Process a complete field block: a head, interim or final, or trailers."""
        found = self._decoder.decode(block)
        streams = self._streams
        stream = streams.by_id.get(stream_id)
        if stream is None:
            streams.check_closed(stream_id, "HEADERS")
            self._budget.spend(now, "HEADERS on closed streams")
            return
        streams.touched[stream] = None
        head = found.head or response_head(found)
        if stream.part is not HEAD or not head.is_final:
            self._take_other_block(stream, flags, found, head)
            return
        stream.head = head
        stream.part = BODY
        method = stream.method
        if method == "HEAD":
            stream.expected = 0
        elif method != "CONNECT":
            stream.expected = head.length
        if flags & END_STREAM:
            self._end(stream)

    def _take_other_block(
        self, stream: Stream, flags: int, found: FieldList, head: ResponseHead
    ) -> None:
        """Process a block that is not the final head of a response, or is malformed."""
        if found.size > self._max_list:
            self._streams.refuse(
                stream,
                ErrorCode.ENHANCE_YOUR_CALM,
                f"a field list has {found.size} bytes, more than {self._max_list}",
                "RFC 9113, section 10.5.1",
            )
        elif stream.part is BODY:
            self._take_trailers(stream, flags, found)
        elif stream.part is not HEAD:
            self._refuse_late(stream, "HEADERS")
        elif head.problem is not None:
            self._streams.refuse_message(stream, *head.problem)
        else:
            self._take_interim(stream, flags, head)

    def _take_interim(self, stream: Stream, flags: int, head: ResponseHead) -> None:
        stream.interims += 1
        if flags & END_STREAM:
            self._streams.refuse_message(
                stream, f"a {head.status} response ends the stream", "section 8.1"
            )
        elif head.status == 101:
            self._streams.refuse_message(stream, "101 does not exist in HTTP/2", "section 8.6")
        elif stream.interims > MAX_INTERIM:
            self._streams.refuse(
                stream,
                ErrorCode.ENHANCE_YOUR_CALM,
                f"more than {MAX_INTERIM} interim (1xx) responses came first",
                FLOOD,
            )
        else:
            stream.interim = [*(stream.interim or ()), head]

    def _take_trailers(self, stream: Stream, flags: int, found: FieldList) -> None:
        problem = trailers_problem(found)
        if not flags & END_STREAM:
            problem = "its trailers do not end the stream", "section 8.1"
        if problem is not None:
            self._streams.refuse_message(stream, *problem)
        else:
            stream.trailers = found.fields
            self._end(stream)

    # Ends

    def _end(self, stream: Stream) -> None:
        """Complete the response, if it has the announced length (section 8.1.1)."""
        if stream.received != stream.expected != UNKNOWN:
            self._refuse_length(stream)
        else:
            self._streams.end_response(stream)

    def _refuse_length(self, stream: Stream) -> None:
        head = stream.head
        if stream.method == "HEAD" or (head is not None and head.status in BODILESS):
            found = "DATA comes with a response that has no body"
        else:
            found = f"its content-length is {stream.expected}, found {stream.received} bytes"
        self._streams.refuse_message(stream, found, "section 8.1.1")

    def _refuse_data(self, stream: Stream) -> None:
        if stream.part is HEAD:
            self._streams.refuse_message(stream, "DATA comes before HEADERS", "section 8.1")
        else:
            self._refuse_late(stream, "DATA")

    def _refuse_late(self, stream: Stream, subject: str) -> None:
        self._streams.refuse(
            stream,
            ErrorCode.STREAM_CLOSED,
            f"{subject} comes after the end of the response",
            "RFC 9113, section 5.1",
        )


def _unpadded(payload: bytes, kind: int) -> bytes:
    """Return *payload* without its padding, which must be shorter."""
    section = f"section 6.{1 if kind == DATA else 2}"
    if not payload:
        raise wrong_size(NAMES[kind], 0, section)
    padding = payload[0]
    if padding >= len(payload):
        raise ConnectionFailure(
            ErrorCode.PROTOCOL_ERROR,
            f"the padding of {NAMES[kind]} is longer than the frame",
            f"RFC 9113, {section}",
        )
    return payload[1 : len(payload) - padding]
