"""Parameters of header fields: ``; name=value; name="value"; name*=UTF-8''value`` (RFC 9110, section 5.6.6; RFC 8187).

Servers write them in many ways: everything intelligible is used, and nothing raises. The time is linear in the length
of the text.
"""

import re
from typing import Final
from urllib.parse import unquote

from .charsets import codec_of

_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"?', re.DOTALL).match
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL).sub
_SPACE: Final = re.compile(r"[ \t;]*").match
# Up to the end of a name or value: in a list, such as Link, a comma also ends the parameters.
_NAME: Final = {True: re.compile(r"[^=;,]*").match, False: re.compile(r"[^=;]*").match}
_VALUE: Final = {True: re.compile(r"[^;,]*").match, False: re.compile(r"[^;]*").match}


def read_parameters(text: str, at: int, *, in_list: bool) -> tuple[list[tuple[str, str]], int]:
    """Return the parameters from *at* on, names in lower case, and their end: the end of text, or (*in_list*) a comma.

    A parameter without ``=`` has an empty value. The value of a name that ends with ``*`` is decoded (RFC 8187); if
    that fails the parameter is left out.
    """
    found: list[tuple[str, str]] = []
    size = len(text)
    while True:
        at = _end(_SPACE(text, at))
        if at >= size or (in_list and text[at] == ","):
            return found, at
        start, at = at, _end(_NAME[in_list](text, at))
        name = text[start:at].strip(" \t").lower()
        value: str | None = ""
        if at < size and text[at] == "=":
            at += 1
            while at < size and text[at] in " \t":
                at += 1
            if (quoted := _QUOTED(text, at)) is not None:
                value = _QUOTED_PAIR(r"\1", quoted[1])
                at = _end(_VALUE[in_list](text, quoted.end()))
            else:
                start, at = at, _end(_VALUE[in_list](text, at))
                value = text[start:at].strip(" \t")
            if name.endswith("*"):
                value = decode_extended(value)
        if name and value is not None:
            found.append((name, value))


def decode_extended(value: str) -> str | None:
    """Return the decoded ``charset'language'percent-encoded`` (RFC 8187, section 3.2); None if it is invalid."""
    parts = value.split("'", 2)
    codec = codec_of(parts[0]) if len(parts) == 3 else None
    if codec is None:
        return None
    try:
        return unquote(parts[2], codec, "strict")
    except UnicodeDecodeError:
        return None


def _end(match: "re.Match[str] | None") -> int:
    return 0 if match is None else match.end()
