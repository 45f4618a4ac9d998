"""Bodies that are whole in memory: bytes, text, JSON."""

import codecs
import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from ..message.body import Body, BodyWriter
from ..message.headers import shown_text
from ..warning import InvalidJSONWarning, warn_caller
from .source import OCTET_STREAM, PIECE

JSON = "application/json"

_TEXT = "text/plain; charset=utf-8"


class BytesBody(Body):
    """Bytes: without other state, so that requests may share it, at the same time too."""

    __slots__ = ("content_type", "data", "size")

    headers: Mapping[str, str] | None = None
    replayable = True

    data: bytes
    size: int

    def __init__(self, data: bytes, content_type: str | None = OCTET_STREAM) -> None:
        self.data = data
        self.size = len(data)
        self.content_type: str | None = content_type

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
    try:
        text = serialize(value)
    except TypeError as error:
        raise _explained(error, value, serialize) from error
    if isinstance(text, str):
        if ("NaN" in text or "Infinity" in text) and serialize is json.dumps:
            _warn_of_nan(value)
        return BytesBody(text.encode(), JSON)
    if isinstance(text, bytes):
        return BytesBody(text, JSON)
    raise TypeError(
        f"json_serialize must return str or bytes, {serialize!r} returned {type(text).__name__}"
    )


def _explained(
    error: TypeError, value: object, serialize: Callable[[Any], str | bytes]
) -> TypeError:
    """Return the error that says which part of *value* is the one that *serialize* cannot take.

    One of a class of its own, which callers may catch, stays as it is and gets a note.
    """
    path = "json"
    while (found := _culprit(value, serialize)) is not None:
        key, value = found
        path += f"[{shown_text(key)}]"
    if path == "json":
        return error
    if type(error) is TypeError:
        return TypeError(f"{path} cannot be sent as JSON: {error}")
    error.add_note(f"it is {path} that cannot be sent as JSON")
    return error


def _culprit(
    value: object, serialize: Callable[[Any], str | bytes]
) -> tuple[object, object] | None:
    """Return the first entry of *value* that *serialize* cannot take, and its key; None if each is fine."""
    entries: Iterable[tuple[object, object]] = ()
    if isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, (list, tuple)):
        entries = enumerate(value)
    for key, entry in entries:
        try:
            serialize(entry)
        except TypeError:
            return key, entry
    return None


def _warn_of_nan(value: object) -> None:
    """Warn if *value* holds a number that JSON has not; the text may also hold the word."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        warn_caller(
            "json= contains NaN or an infinite number, which is not JSON (RFC 8259, section 6); it is sent as Python "
            "writes it, and many servers refuse it: send None, or give json_serialize= to the session",
            InvalidJSONWarning,
        )
