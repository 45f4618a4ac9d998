"""What other clients call the parts of a response, and what they are here."""

from collections.abc import Mapping
from typing import Final

_PIECES: Final = "async for piece in response.content.iter_chunked(65536)"
_LINES: Final = "async for line in response.content"

ELSEWHERE: Final[Mapping[str, str]] = {
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
"""By the name in requests, httpx and others; what is to be written here."""
