"""Reading frames (RFC 6455, section 5): from bytes to messages. No I/O, no clock.

The rules, each with the close code for its violation:

* A server's frames are not masked, use no reserved bit that was not negotiated, write their length in the fewest bytes
  and have a known opcode: 1002.
* A control frame is not fragmented and has at most 125 bytes: 1002. It may come between the frames of a message, and is
  never compressed.
* A message begins with a text or binary frame and continues with continuation frames: 1002.
* A message has at most ``max_size`` bytes, compressed or not: 1009. A frame that announces more is refused as soon as
  its length is known, and a message is not inflated past the limit.
* Text is UTF-8: 1007. It is decoded as it comes, so that a fault is found before the rest of its frame comes.

After a violation, and after a close frame, nothing more is read.

``queue`` holds the messages: text as ``str`` and binary data as ``bytes``, everything else as a ``WSMessage``. A
message object for each of them would cost as much as the rest of the reading, and many callers only want the data.
"""

import zlib
from collections import deque
from struct import Struct
from typing import Final, cast

from aiohttp import WebSocketError, WSMessage, WSMsgType
from aiohttp.http import WSMessageTextBytes

from .deflate import Decompressor, TooLarge
from .frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    INVALID_DATA,
    MASKED,
    MAX_CONTROL,
    NO_STATUS,
    PING,
    PONG,
    PROTOCOL_ERROR,
    RSV1,
    TEXT,
    TOO_BIG,
    is_close_code,
)
from .message_parts import BinaryParts, TextParts, not_utf8

Item = str | bytes | WSMessage | WSMessageTextBytes

QUEUE_LIMIT: Final = (
    256 * 1024
)  # bytes of messages kept ahead of their reader, like the read_bufsize of a body
MESSAGE_COST: Final = 64  # bytes that a message takes besides its data
# Frames of one message. Their data is assembled as it comes, so a frame only costs time; still nobody needs so many.
# Autobahn's longest message has 65,537.
MAX_FRAMES: Final = 2**17
MAX_PINGS: Final = 256  # unanswered ones: 42 KB at most

_FINAL_TEXT: Final = FIN | TEXT
_FINAL_BINARY: Final = FIN | BINARY
_OPCODES: Final = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_length_16 = Struct("!H").unpack_from
_length_64 = Struct("!Q").unpack_from


class MessageReader:
    """Reads the messages of one connection.

    Args:
        max_size: bytes of a message; 0 for any number.
        decode_text: whether text becomes ``str``; otherwise it stays bytes, and is not checked to be UTF-8.
        answer_pings: whether the caller answers pings, so that they are not delivered.
        decompressor: None if permessage-deflate was not negotiated.

    Attributes:
        queue: the messages that were read and not taken yet.
        size: bytes added to the queue since it was last empty (the caller resets it then).
        pings: the payloads of unanswered pings; of a flood, only the latest ones (section 5.5.3).
        has_events: one of the attributes below is new, or the queue is full (the caller resets it).
        stalled: the queue was too full to continue; ``feed(b"")`` does.
        closed: the code of the close frame, once it came.
        error: the violation that was found.
    """

    __slots__ = (
        "_answer_pings",
        "_compressed",
        "_decode_text",
        "_decompressor",
        "_final",
        "_frames",
        "_large",
        "_max_size",
        "_medium",
        "_message",
        "_midway",
        "_missing",
        "_opcode",
        "_rest",
        "_size",
        "_small",
        "closed",
        "error",
        "has_events",
        "pings",
        "queue",
        "size",
        "stalled",
    )

    def __init__(
        self,
        max_size: int,
        *,
        decode_text: bool = True,
        answer_pings: bool = True,
        decompressor: Decompressor | None = None,
    ) -> None:
        self.queue: deque[Item] = deque()
        self.size: int = 0
        self.pings: deque[bytes] = deque(maxlen=MAX_PINGS)
        self.has_events: bool = False
        self.stalled: bool = False
        self.closed: int | None = None
        self.error: WebSocketError | None = None
        self._max_size = max_size
        self._decode_text = decode_text
        self._answer_pings = answer_pings
        self._decompressor = decompressor
        self._midway = False  # something below is incomplete, or nothing is read any more
        self._small = min(125, max_size or 125)
        self._medium = min(2**16 - 1, max_size or 2**16 - 1)
        self._large = max_size or 2**63 - 1
        self._rest = b""  # an incomplete frame header, or bytes that wait for space in the queue
        # An incomplete message: its parts, its size, and the missing bytes of its current frame.
        self._message: BinaryParts | TextParts | None = None
        self._opcode = 0
        self._compressed = False
        self._frames = 0
        self._size = 0
        self._final = False
        self._missing = 0

    def feed(self, data: bytes) -> None:
        """Read *data*; a violation is left in ``error``."""
        position = 0
        end = len(data)
        try:
            if not self._midway:
                # A segment that is one small frame, as most are, is worth a path without a loop.
                if 2 <= end <= self._small and data[1] == end - 2:
                    first = data[0]
                    if first == _FINAL_BINARY:
                        self.queue.append(data[2:])
                        position = end
                    elif first == _FINAL_TEXT and self._decode_text:
                        self.queue.append(data[2:].decode())
                        position = end
                    if position:
                        self.size += end + MESSAGE_COST
                        if self.size > QUEUE_LIMIT:
                            self.has_events = True
                        return
                position = self._take_whole(data, 0, end)
                if position == end:
                    return
            self._read(data, position)
        except WebSocketError as error:
            self._refuse(error)
        except UnicodeDecodeError as error:
            refusal = not_utf8(error)
            refusal.__cause__ = error
            self._refuse(refusal)

    def _refuse(self, error: WebSocketError) -> None:
        self.error = error
        self.has_events = self._midway = True

    def _read(self, data: bytes, position: int) -> None:
        """Read *data* from *position* on: other frames than small messages, or the rest of a frame."""
        if self.closed is not None or self.error is not None:
            return
        self.stalled = False
        self._midway = True
        message = self._message
        if self._missing and message is not None:
            position = self._take_payload(message, data, 0, len(data))
            if self._missing:
                return
        elif self._rest:
            data = self._rest + data
            self._rest = b""
        position = self._take_frames(data, position, len(data))
        if position < 0:
            return
        if position < len(data) and not self._missing:
            self._rest = data[position:]
        self._midway = (self._missing, self._rest, self._message) != (0, b"", None)
        if self.size > QUEUE_LIMIT:
            self.has_events = True

    def _take_frames(self, data: bytes, position: int, end: int) -> int:
        """Read frames of all kinds while the queue has space; return where the rest begins, -1 after a close frame."""
        while end - position > 1:
            if self._message is None:
                position = self._take_whole(data, position, end)
                if end - position < 2:
                    break
            if self.size > QUEUE_LIMIT:
                self.stalled = self.has_events = True
                break
            stop = self._take_frame(data, position, end)
            if not stop:
                break
            if self.closed is not None:
                return -1
            position = stop
        return position

    def _take_whole(self, data: bytes, position: int, end: int) -> int:
        """Read complete messages of one frame each; return where they end.

        They are the bulk of most traffic. Anything else, or any fault, stops it.
        """
        queue = self.queue
        append = queue.append
        small, medium = self._small, self._medium
        decode = self._decode_text
        before = len(queue)
        begin = position
        while end - position > 1:
            size = data[position + 1]
            start = position + 2
            if size > small:
                if size == 126 and end - position > 4:
                    size = data[start] << 8 | data[start + 1]
                    if not 125 < size <= medium:
                        break
                    start += 2
                elif size == 127 and end - position > 10:
                    (size,) = _length_64(data, start)
                    if not 2**16 <= size <= self._large:
                        break
                    start += 8
                else:
                    break
            stop = start + size
            if stop > end:
                break
            first = data[position]
            if first == _FINAL_TEXT and decode:
                append(data[start:stop].decode())
            elif first == _FINAL_BINARY:
                append(data[start:stop])
            elif first == _FINAL_TEXT:
                append(WSMessageTextBytes(WSMsgType.TEXT, data[start:stop], ""))
            else:
                break
            position = stop
        self.size += position - begin + MESSAGE_COST * (len(queue) - before)
        if self.size > QUEUE_LIMIT:
            self.has_events = True
        return position

    # One frame

    def _take_frame(self, data: bytes, position: int, end: int) -> int:
        """Read one frame at *position*; return where it ends, or 0 if its header is incomplete."""
        first = data[position]
        length = data[position + 1]
        opcode = first & 0x0F
        self._check_head(first, length)
        start = position + 2
        if length > MAX_CONTROL:
            start += 2 if length == 126 else 8
            if start > end:
                return 0
            length = _long_length(data, position)
        stop = start + length
        if opcode >= CLOSE:
            if stop > end:
                return 0
            self._take_control(opcode, data[start:stop])
            return stop
        self._check_size(first, length)
        message = self._message
        if message is None:
            if first & FIN and stop <= end:
                self._take_message(first, data[start:stop])
                return stop
            message = self._begin_message(first)
        self._frames += 1
        if self._frames > MAX_FRAMES:
            raise WebSocketError(TOO_BIG, f"a message has more than {MAX_FRAMES} frames")
        self._final = bool(first & FIN)
        self._missing = length
        return self._take_payload(message, data, start, end)

    def _check_head(self, first: int, length: int) -> None:
        """Check the first two bytes of a frame (sections 5.2 and 5.5)."""
        opcode = first & 0x0F
        if length & MASKED:
            raise _violation("a masked frame came from the server")
        if opcode not in _OPCODES:
            raise _violation(f"a frame has the opcode {opcode:#x}, which is reserved")
        if first & 0x30 or (first & RSV1 and self._decompressor is None):
            raise _violation("a frame sets a reserved bit that no agreed extension uses")
        if opcode < CLOSE:
            self._check_sequence(first, opcode)
        elif not first & FIN:
            raise _violation("a control frame is fragmented")
        elif first & RSV1:
            raise _violation("a control frame is marked as compressed")
        elif length > MAX_CONTROL:
            raise _violation("a control frame has more than 125 bytes")

    def _check_sequence(self, first: int, opcode: int) -> None:
        """Check that a data frame is allowed now (section 5.4)."""
        if self._message is None:
            if opcode == CONTINUATION:
                raise _violation("a continuation frame came without a message to continue")
        elif opcode != CONTINUATION:
            raise _violation("a new message came before the last frame of the one before")
        elif first & RSV1:
            raise _violation("a continuation frame is marked as compressed")

    def _check_size(self, first: int, length: int) -> None:
        """Check a data frame's announced length before any of its payload is stored."""
        limit = self._max_size
        if not limit:
            return
        if first & RSV1 or (self._compressed and self._message is not None):
            limit += (limit >> 10) + 128  # incompressible data grows by a few bytes for each block
        elif self._message is not None:
            limit -= self._size
        if length > limit:
            raise self._too_big()

    def _take_message(self, first: int, payload: bytes) -> None:
        """Add a complete message of one frame."""
        if first & RSV1:
            payload = self._inflate(payload, 0, True)
        opcode = first & 0x0F
        is_text = opcode == TEXT and self._decode_text
        self._add_message(opcode, payload.decode() if is_text else payload, len(payload))

    def _begin_message(self, first: int) -> BinaryParts | TextParts:
        """Begin an incomplete message."""
        self._opcode = opcode = first & 0x0F
        is_text = opcode == TEXT and self._decode_text
        self._message = message = TextParts() if is_text else BinaryParts()
        self._compressed = bool(first & RSV1)
        self._frames = self._size = 0
        return message

    def _take_payload(
        self, message: BinaryParts | TextParts, data: bytes, start: int, end: int
    ) -> int:
        """Take the part of the current frame in *data*; return where it ends."""
        missing = self._missing
        stop = end if end - start <= missing else start + missing
        payload = data[start:stop]
        self._missing = missing = missing - (stop - start)
        whole = self._final and not missing
        if self._compressed:
            payload = self._inflate(payload, self._size, whole)
        message.add(payload)
        self._size += len(payload)
        if whole:
            self._message = None
            self._add_message(self._opcode, message.finish(), self._size)
        return stop

    def _inflate(self, payload: bytes, size: int, final: bool) -> bytes:
        """Decompress a part of a message, which has *size* bytes so far."""
        decompressor = cast(Decompressor, self._decompressor)
        limit = self._max_size
        try:
            return decompressor.feed(payload, limit - size if limit else None, final)
        except TooLarge:
            raise self._too_big() from None
        except zlib.error as error:
            raise WebSocketError(
                INVALID_DATA, f"a compressed message cannot be decompressed: {error}"
            ) from error

    def _add_message(self, opcode: int, message: str | bytes, size: int) -> None:
        self.size += size + MESSAGE_COST
        if opcode == TEXT and not self._decode_text:
            self.queue.append(WSMessageTextBytes(WSMsgType.TEXT, cast(bytes, message), ""))
        else:
            self.queue.append(message)

    def _take_control(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self.closed = code = self._close_code(payload)
            self.has_events = True
            try:
                reason = payload[2:].decode()
            except UnicodeDecodeError as error:
                self.closed = None
                raise WebSocketError(
                    INVALID_DATA, f"the reason in a close frame is not UTF-8: {error}"
                ) from error
            self.queue.append(WSMessage(WSMsgType.CLOSE, code, reason))
        elif not self._answer_pings:
            self.size += len(payload) + MESSAGE_COST
            self.queue.append(WSMessage(WSMsgType(opcode), payload, ""))
        elif opcode == PING:
            self.pings.append(payload)
            self.has_events = True

    @staticmethod
    def _close_code(payload: bytes) -> int:
        if not payload:
            return NO_STATUS
        if len(payload) == 1:
            raise _violation("a close frame has a payload of one byte")
        code = int.from_bytes(payload[:2], "big")
        if not is_close_code(code):
            raise _violation(f"a close frame has the code {code}, which must not be sent")
        return code

    def _too_big(self) -> WebSocketError:
        return WebSocketError(
            TOO_BIG,
            f"a message has more than max_msg_size={self._max_size} bytes",
        )


def _violation(found: str) -> WebSocketError:
    return WebSocketError(PROTOCOL_ERROR, f"{found} (RFC 6455, section 5)")


def _long_length(data: bytes, position: int) -> int:
    """Return the length of the payload at *position*, written in 16 or 64 bits according to the second byte."""
    length: int
    if data[position + 1] == 126:
        (length,) = _length_16(data, position + 2)
        if length < 126:
            raise _violation(f"a length of {length} is written in 16 bits")
    else:
        (length,) = _length_64(data, position + 2)
        if length < 2**16:
            raise _violation(f"a length of {length} is written in 64 bits")
        if length >= 2**63:
            raise _violation("the highest bit of a 64-bit length is set")
    return length
