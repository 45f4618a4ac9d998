"""How a stored response is updated: by a 304, and by the answer to HEAD (RFC 9111, sections 3.2, 4.3.4 and 4.3.5)."""

from dataclasses import replace
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from ...message.http_date import http_date
from .directives import response_directives
from .entry import Entry
from .settings import CacheSettings
from .storing import stored_fields
from .validation import confirms

# These describe the stored bytes, which do not change (section 3.2).
_OF_THE_BYTES: Final = frozenset(
    (
        "content-encoding",
        "content-length",
        "content-md5",
        "content-range",
        "content-digest",
        "repr-digest",
    )
)


def updated(
    entry: Entry,
    fields: "CIMultiDictProxy[str]",
    requested: float,
    received: float,
    settings: CacheSettings,
) -> Entry | None:
    """Return *entry* with the newer *fields* in place of its own; None if they forbid storing it.

    *requested* and *received* are the times of the newer response. The old ``Age`` is removed.
    """
    directives = response_directives(fields, settings.targets)
    if (directives.no_store and not directives.must_understand) or (
        settings.shared and directives.private
    ):
        return None
    newer = stored_fields(fields, directives, settings)
    result: CIMultiDict[str] = CIMultiDict(entry.fields)
    result.popall("Age", None)
    for name in {name.lower() for name in newer} - _OF_THE_BYTES:
        result.popall(name, None)
    for name, value in newer.items():
        if name.lower() not in _OF_THE_BYTES:
            result.add(name, value)
    if "Date" not in newer:
        result["Date"] = http_date(received)  # RFC 9110, section 6.6.1: the old one is outdated
    return replace(
        entry,
        fields=CIMultiDictProxy(result),
        requested=requested,
        received=received,
        known=None,
        aged=None,
    )


def agrees(entry: Entry, fields: "CIMultiDictProxy[str]") -> bool:
    """Tell whether the answer to HEAD with these *fields* matches the stored response (section 4.3.5).

    If not, the stored response is not what the server has now.
    """
    length = fields.get("Content-Length")
    stored = entry.size if entry.complete is None else entry.complete
    return (length is None or length == str(stored)) and confirms(entry, fields)
