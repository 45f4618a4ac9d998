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

# They tell how the stored bytes are to be read, or what they are, and these stay as they are (section 3.2).
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
    """Return *entry* with the *fields* of a newer response laid over its own; None if they forbid to keep it.

    The newer one was asked for, and came, at those times. ``Age`` of the older one does not outlive it.
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
        result["Date"] = http_date(
            received
        )  # RFC 9110, section 6.6.1: the older one says too little
    return replace(
        entry,
        fields=CIMultiDictProxy(result),
        requested=requested,
        received=received,
        known=None,
        aged=None,
    )


def agrees(entry: Entry, fields: "CIMultiDictProxy[str]") -> bool:
    """Tell whether the answer to HEAD with these *fields* is about what is stored (section 4.3.5).

    If not, what is stored is not what the server has now.
    """
    length = fields.get("Content-Length")
    stored = entry.size if entry.complete is None else entry.complete
    return (length is None or length == str(stored)) and confirms(entry, fields)
