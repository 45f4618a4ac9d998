"""Bodies that are whole in memory: bytes, text, JSON."""

import codecs
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ..message.body import Body, BodyWriter
from .source import OCTET_STREAM, PIECE

JSON = "application/json"

_TEXT = "text/plain; charset=utf-8"


class BytesBody(Body):
    """Bytes: without other state, so that requests may share it, at the same time too."""

    __slots__ = ("content_type", "data", "size")

    headers = None
    replayable = True

    data: bytes
    size: int

    def __init__(self, data: bytes, content_type: str | None = OCTET_STREAM) -> None:
        self.data = data
        self.size = len(data)
        self.content_type = content_type

    async def write(self, writer: BodyWriter) -> None:
        """Send all of it."""
        if self.size <= PIECE:
            if self.data:
                await writer.write(self.data)
            return
        # In pieces, so that the transport never holds a copy of all that the socket did not take.
        view = memoryview(self.data)
        for start in range(0, self.size, PIECE):
            await writer.write(view[start : start + PIECE])


@lru_cache(maxsize=32)
def text_type(encoding: str) -> str:
    """Return the media type of plain text in *encoding*.

    Raises:
        LookupError: Python knows no such encoding.
    """
    codecs.lookup(encoding)
    return f"text/plain; charset={encoding}"


def text_body(text: str, encoding: str = "utf-8") -> BytesBody:
    """Return *text* as ``text/plain`` in *encoding*.

    Raises:
        UnicodeEncodeError: *encoding* cannot carry it.
    """
    if encoding == "utf-8":
        return BytesBody(text.encode(), _TEXT)
    return BytesBody(text.encode(encoding), text_type(encoding))


def json_body(value: object, serialize: Callable[[Any], str | bytes]) -> BytesBody:
    """Return *value* as JSON made by *serialize*; text is sent as UTF-8 (RFC 8259, section 8.1).

    Raises:
        TypeError: *serialize* returned neither str nor bytes.
    """
    text = serialize(value)
    if isinstance(text, str):
        return BytesBody(text.encode(), JSON)
    if isinstance(text, bytes):
        return BytesBody(text, JSON)
    raise TypeError(
        f"json_serialize must return str or bytes, {serialize!r} returned {type(text).__name__}"
    )
