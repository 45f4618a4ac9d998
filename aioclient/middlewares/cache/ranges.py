"""Parts of a stored response (RFC 9110, section 14): one range of bytes, answered from what is stored."""

import re
from typing import Final, NamedTuple

from multidict import CIMultiDict

from .directives import Fields
from .entry import Entry

_RANGE: Final = re.compile(
    r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE
).fullmatch
_CONTENT_RANGE: Final = re.compile(
    r"bytes[ \t]+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE
).fullmatch


class Part(NamedTuple):
    """Bytes from *start* up to but not including *stop*, of a representation with *complete* bytes."""

    start: int
    stop: int
    complete: int


def content_range(fields: Fields) -> Part | None:
    """Return the part in a 206 with these *fields*; None if it names none, or several."""
    found = _CONTENT_RANGE(fields.get("Content-Range", "").strip(" \t"))
    if found is None:
        return None
    first, last, complete = map(int, found.groups())
    return Part(first, last + 1, complete) if first <= last < complete else None


def part_for(text: str, entry: Entry) -> Part | None:
    """Return the part of *entry* that a ``Range`` field asks for; None if *entry* does not hold all of it.

    A stored part answers the same ``Range`` that it was the response to, even if the server sent fewer bytes. Several
    ranges, other units and ranges that begin after the end are left to the server, and so is a range of another status
    than 200 (RFC 9110, section 14.2).
    """
    if text == entry.range and entry.complete is not None:
        return Part(entry.start, entry.start + entry.size, entry.complete)
    found = _RANGE(text)
    if entry.status not in (200, 206) or found is None or not (found[1] or found[2]):
        return None
    complete = entry.size if entry.complete is None else entry.complete
    if found[1]:
        start = int(found[1])
        stop = min(int(found[2]) + 1, complete) if found[2] else complete
    else:
        start, stop = max(0, complete - int(found[2])), complete
    if not entry.start <= start < stop <= entry.start + entry.size:
        return None
    return Part(start, stop, complete)


def part_fields(fields: "CIMultiDict[str]", part: Part) -> None:
    """Change the *fields* of a stored response to those of a 206 with *part* of it (RFC 9110, section 15.3.7)."""
    fields["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{part.complete}"
    fields["Content-Length"] = str(part.stop - part.start)
