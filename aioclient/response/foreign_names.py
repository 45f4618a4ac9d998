"""The names that other clients use for parts of a response, and what they are here."""

from collections.abc import Mapping
from typing import Final, Never

_PIECES: Final = "async for piece in response.content.iter_chunked(65536)"
_LINES: Final = "async for line in response.content"

FOREIGN_NAMES: Final[Mapping[str, str]] = {
    "aclose": "await response.release()",
    "aiter_bytes": _PIECES,
    "aiter_lines": _LINES,
    "aiter_raw": "async for piece in response.content.iter_raw()",
    "aiter_text": _LINES,
    "apparent_encoding": "response.get_encoding()",
    "aread": "await response.read()",
    "body": "await response.read()",
    "data": "await response.read()",
    "elapsed": "response.timings",
    "encoding": "response.get_encoding()",
    "http_version": "response.version",
    "is_error": "not response.ok",
    "is_redirect": "response.history, or response.status with allow_redirects=False",
    "is_success": "response.ok",
    "iter_any": "async for piece in response.content.iter_any()",
    "iter_bytes": _PIECES,
    "iter_chunked": _PIECES,
    "iter_content": _PIECES,
    "iter_lines": _LINES,
    "iter_text": _LINES,
    "raw": "response.content, or await response.read_raw()",
    "reason_phrase": "response.reason",
    "status_code": "response.status",
}
"""By the name in requests, httpx and others: what to write here."""


class ForeignName:
    """A name that a response does not have; its ``AttributeError`` says what to write.

    A ``__getattr__`` of the class would slow down every attribute lookup.
    """

    __slots__ = ("_hint", "_name")

    def __init__(self, name: str, hint: str) -> None:
        self._name = name
        self._hint = hint

    def __get__(self, response: object, kind: type) -> Never:
        raise AttributeError(
            f"{kind.__name__!r} object has no attribute {self._name!r}; here it is {self._hint}",
            name=self._name,
            obj=response,
        )
