"""Read the HTTP/1.1 that aiohttp.web writes, to send it in another protocol."""

from collections.abc import Callable
from typing import Final

from .h2_frames import HeaderFields
from .h2_requests import CONNECTION_SPECIFIC

BODILESS: Final = (204, 304)


class Http1Answer:
    """One response, the interim ones before it included (RFC 9112, section 6).

    Attributes:
        body: Bytes of the body that were read; the caller removes what it takes.
        trailers: The fields behind the body.
        ended: The response is complete.
    """

    def __init__(self, method: str, head: Callable[[int, HeaderFields], None]) -> None:
        self.body: bytearray = bytearray()
        self.trailers: HeaderFields = []
        self.ended: bool = False
        self._method = method
        self._on_head = head
        self._buffer = bytearray()
        self._read: Callable[[], bool] = self._read_head
        self._left = 0  # of the body, or of a chunk

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Read a piece; `head` is called with the status and the fields of each head."""
        self._buffer += data
        while not self.ended and self._read():
            pass

    def close(self) -> None:
        """Note that nothing more comes, which ends a body without a length."""
        self.ended |= self._read == self._read_rest

    def _line(self) -> bytes | None:
        at = self._buffer.find(b"\r\n")
        if at < 0:
            return None
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 2]
        return line

    def _read_head(self) -> bool:
        at = self._buffer.find(b"\r\n\r\n")
        if at < 0:
            return False
        first, *lines = bytes(self._buffer[:at]).split(b"\r\n")
        del self._buffer[: at + 4]
        status = int(first.split(b" ")[1])
        fields: HeaderFields = []
        self._read = self._read_rest
        for line in lines:
            name, value = _field(line)
            if name == b"transfer-encoding":
                self._read = self._read_size
            elif name == b"content-length":
                self._left = int(value)
                self._read = self._read_length
            if name not in CONNECTION_SPECIFIC:
                fields.append((name, value))
        if 100 <= status < 200 and status != 101:
            self._read = self._read_head
        elif status != 101:
            self.ended = self._method == "HEAD" or status in BODILESS
            self.ended |= self._read == self._read_length and not self._left
        self._on_head(status, fields)
        return True

    def _read_length(self) -> bool:
        self.ended = self._take()
        return False

    def _read_rest(self) -> bool:
        self.body += self._buffer
        self._buffer.clear()
        return False

    def _read_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self._left = int(line.split(b";")[0], 16)
        self._read = self._read_chunk if self._left else self._read_trailers
        return True

    def _read_chunk(self) -> bool:
        if whole := self._take():
            self._read = self._read_chunk_end
        return whole

    def _read_chunk_end(self) -> bool:
        if self._line() is None:
            return False
        self._read = self._read_size
        return True

    def _read_trailers(self) -> bool:
        line = self._line()
        self.ended = line == b""
        if line:
            self.trailers.append(_field(line))
        return line is not None

    def _take(self) -> bool:
        """Take what is here of a piece of known length; tell whether that is all of it."""
        piece = self._buffer[: self._left]
        del self._buffer[: len(piece)]
        self.body += piece
        self._left -= len(piece)
        return not self._left


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.lower(), value.strip(b" \t")
