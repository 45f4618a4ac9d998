"""How a stored response is validated (RFC 9111, section 4.3), and how a client's own conditions are answered."""

from typing import Final

from ...message.http_date import timestamp_of
from .directives import Fields
from .entry import Entry
from .freshness import date_of

IF_MODIFIED_SINCE: Final = "If-Modified-Since"
IF_NONE_MATCH: Final = "If-None-Match"
# The fields of conditions that the user sets (RFC 9110, section 13.1).
CONDITIONS: Final = (
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    "If-Match",
    "If-Unmodified-Since",
    "If-Range",
)


def conditions_for(entry: Entry) -> dict[str, str]:
    """Return the fields that ask whether *entry* is still valid (section 4.3.1); empty if it has no validator."""
    result = {}
    if (tag := entry.fields.get("ETag")) is not None:
        result[IF_NONE_MATCH] = tag
    if (modified := entry.fields.get("Last-Modified")) is not None:
        result[IF_MODIFIED_SINCE] = modified
    return result


def confirms(entry: Entry, fields: Fields, *, asked: bool = True) -> bool:
    """Tell whether a 304 with these *fields* is about *entry*, and may update it (section 4.3.4).

    *asked* is whether the request named the validators of *entry*; otherwise the 304 must do so.
    """
    tag = fields.get("ETag")
    if tag is not None and "ETag" in entry.fields:
        stored = entry.fields["ETag"]
        return tag == stored if _is_strong(tag) else _opaque(tag) == _opaque(stored)
    modified = fields.get("Last-Modified")
    if modified is not None and "Last-Modified" in entry.fields and "ETag" not in entry.fields:
        return _same_time(modified, entry.fields["Last-Modified"], entry.received)
    return asked or not ("ETag" in entry.fields or "Last-Modified" in entry.fields)


def names_only(fields: Fields, entry: Entry) -> bool:
    """Tell whether the conditions in the *fields* of a request name the validator of *entry* and no other."""
    lines = fields.getall(IF_NONE_MATCH, None)
    if lines is not None:
        tag = entry.fields.get("ETag")
        return tag is not None and {*map(_opaque, _tags(",".join(lines)))} == {_opaque(tag)}
    since = fields.get(IF_MODIFIED_SINCE)
    return since is not None and since == entry.fields.get("Last-Modified")


def _same_time(first: str, second: str, now: float) -> bool:
    return first == second or (
        (time := timestamp_of(first, now)) is not None and time == timestamp_of(second, now)
    )


def is_unchanged(fields: Fields, entry: Entry) -> bool | None:
    """Tell whether the conditions in the *fields* of a request mean that 304 answers it (section 4.3.2).

    None is for conditions that only the server can judge.
    """
    if "If-Match" in fields or "If-Unmodified-Since" in fields:
        return None
    lines = fields.getall(IF_NONE_MATCH, None)
    if lines is not None:  # it takes precedence over If-Modified-Since
        tags = _tags(",".join(lines))
        if tags == ["*"]:
            return True
        stored = entry.fields.get("ETag")
        return stored is not None and _opaque(stored) in map(_opaque, tags)
    since = timestamp_of(fields.get(IF_MODIFIED_SINCE, ""), entry.received)
    if since is None:
        return False
    modified = timestamp_of(entry.fields.get("Last-Modified", ""), entry.received)
    if modified is None:
        modified = date_of(entry.fields, entry.received)
    return modified <= since


def allows_range(fields: Fields, entry: Entry) -> bool:
    """Tell whether ``If-Range`` of a request, if it has one, matches the stored response (RFC 9110, section 13.1.5)."""
    condition = fields.get("If-Range")
    if condition is None:
        return True
    condition = condition.strip(" \t")
    if '"' in condition:
        return _is_strong(condition) and condition == entry.fields.get("ETag")
    return bool(condition) and condition == entry.fields.get("Last-Modified")


def _is_strong(tag: str) -> bool:
    return not tag.startswith("W/")


def _opaque(tag: str) -> str:
    """Return the part of a tag for weak comparison (RFC 9110, section 8.8.3.2)."""
    return tag.strip(" \t").removeprefix("W/")


def _tags(text: str) -> list[str]:
    """Return the entity tags of a list; a comma within quotes belongs to its tag."""
    tags, start, quoted = [], 0, False
    for at, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            tags.append(text[start:at].strip(" \t"))
            start = at + 1
    tags.append(text[start:].strip(" \t"))
    return [tag for tag in tags if tag]
