"""``Content-Type`` (RFC 9110, section 8.3): the media type and charset of a body."""

import re
from functools import lru_cache
from typing import Final

from .charsets import codec_of
from .parameters import read_parameters

# Characters around a wrongly quoted charset; and doubled quotes.
_NOT_IN_CHARSET: Final = "\"'\\ \t;\u201c\u201d\u2018\u2019"
_DOUBLED: Final = re.compile(r'charset=""([^"\s;,]+)', re.IGNORECASE).search
DEFAULT_CONTENT_TYPE: Final = "application/octet-stream"  # RFC 9110, section 8.3


@lru_cache(maxsize=256)
def parse_content_type(value: str) -> tuple[str, str | None]:
    """Return media type and charset of a ``Content-Type`` value (RFC 9110, section 8.3.1).

    Quotes of any kind around the charset are removed, also unbalanced ones.
    """
    head, _, rest = value.partition(";")
    media_type = head.strip().lower()
    found: dict[str, str] = {}
    for name, text in read_parameters(rest, 0, in_list=False)[0]:
        found.setdefault(name, text)
    charset = found.get("charset", found.get("charset*"))
    if charset is not None:
        charset = charset.partition(",")[0].strip(_NOT_IN_CHARSET)
    if charset == "" and (doubled := _DOUBLED(rest)) is not None:
        charset = doubled[1]
    return (media_type if "/" in media_type else DEFAULT_CONTENT_TYPE), charset


@lru_cache(maxsize=256)
def judge_content_type(found: str, expected: str | None) -> tuple[bool, str]:
    """Tell whether *found* is the *expected* media type, and which charset to read it with."""
    media_type, charset = parse_content_type(found)
    codec = (None if charset is None else codec_of(charset)) or "utf-8"
    if not expected:
        return True, codec
    if expected == "application/json":
        kind, _, subtype = media_type.partition("/")
        return kind == "application" and (subtype == "json" or subtype.endswith("+json")), codec
    return expected.lower() in media_type, codec
