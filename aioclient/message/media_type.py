"""What ``Content-Type`` says of a body (RFC 9110, section 8.3): its media type and its charset."""

import codecs
from email.message import Message
from functools import lru_cache
from typing import Final

DEFAULT_CONTENT_TYPE: Final = "application/octet-stream"  # RFC 9110, section 8.3
# Python codecs between bytes and str that are no character encodings, or slow on hostile input.
_NOT_CHARSETS: Final = frozenset(
    ("idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape")
)


@lru_cache(maxsize=256)
def parse_content_type(value: str) -> tuple[str, str | None]:
    """Return media type and charset of a ``Content-Type`` value (RFC 9110, section 8.3.1)."""
    message = Message()
    message["Content-Type"] = value
    charset = message.get_param("charset")
    if isinstance(charset, tuple):
        charset = charset[2]
    media_type = value.partition(";")[0].strip().lower()
    return (media_type if "/" in media_type else DEFAULT_CONTENT_TYPE), charset


@lru_cache(maxsize=256)
def judge_content_type(found: str, expected: str | None) -> tuple[bool, str]:
    """Tell whether *found* is the media type that is *expected*, and which charset to read it with."""
    media_type, charset = parse_content_type(found)
    if charset is None or not is_text_codec(charset):
        charset = "utf-8"
    if not expected:
        return True, charset
    if expected == "application/json":
        kind, _, subtype = media_type.partition("/")
        return kind == "application" and (subtype == "json" or subtype.endswith("+json")), charset
    return expected.lower() in media_type, charset


@lru_cache(maxsize=64)
def is_text_codec(charset: str) -> bool:
    """Tell whether *charset* names a codec between bytes and text (``rot13`` and ``zip`` are none)."""
    try:
        # Not b"": Python decodes that without a look at the codec.
        b"abcd".decode(charset, "replace")
        return codecs.lookup(charset).name.replace("-", "_") not in _NOT_CHARSETS
    except (LookupError, ValueError):
        return False


def detected_charset(body: bytes) -> str:
    """Return the charset that *body* seems to be in; UTF-8 without charset-normalizer, or when it cannot tell."""
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return "utf-8"
    best = from_bytes(body).best()
    return "utf-8" if best is None else best.encoding
