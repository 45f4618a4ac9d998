"""What a request makes invalid (RFC 9111, section 4.4)."""

from typing import Final

from yarl import URL

from ...message.origin import Origin, origin_of
from ...message.urls import resolved
from .directives import Fields

SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))  # RFC 9110, section 9.2.1


def invalidated(method: str, url: URL, origin: Origin, status: int, fields: Fields) -> list[URL]:
    """Return the URLs whose stored responses become invalid after the response to a request for *url*.

    They are *url*, and those in ``Location`` and ``Content-Location`` if they have the same origin: a server must not
    invalidate responses of other origins. A safe method, or an error, invalidates nothing.
    """
    if method in SAFE or not 200 <= status < 400:
        return []
    result = [url]
    for name in ("Location", "Content-Location"):
        text = fields.get(name)
        if text is None:
            continue
        try:
            other = resolved(url, text)
            same = origin_of(other) == origin
        except ValueError:
            continue
        if same and other not in result:
            result.append(other)
    return result
