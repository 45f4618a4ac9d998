"""Is a stored response fresh? RFC 9111, section 4.2.

    response_is_fresh = (freshness_lifetime > current_age)

- The lifetime is the first of these that exists: the user's (``cache_ttl``, a ``CacheRule``), ``s-maxage`` in a shared
  cache, ``max-age``, ``Expires`` minus ``Date``, and a tenth of the time since ``Last-Modified`` (section 4.2.2).
- An invalid value makes the response stale: an ``Expires`` that is not a date, or two different ones (section 4.2.1).
- A response is at least as old as its ``Date`` and its ``Age`` say, and ages while it is stored (section 4.2.3).
- An ``Age`` that is not one number shows that a cache has stored the response for an unknown time: it counts as
  infinitely old. Section 5.1 says to ignore such a field, and to use the first of several numbers. The cautious
  reading costs one request; the other one may serve a stale response.
"""

from typing import Final, NamedTuple

from ...message.http_date import timestamp_of
from .directives import Fields, ResponseDirectives, targeted_directives
from .entry import Entry
from .settings import CacheSettings

# RFC 9110, section 15.1: responses with these statuses may be stored without an explicit lifetime.
HEURISTIC_STATUSES: Final = frozenset((200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501))
HEURISTIC_FRACTION: Final = 0.1  # RFC 9111, section 4.2.2
INFINITELY_OLD: Final = float("inf")


class Freshness(NamedTuple):
    """How long a stored response is fresh, and how old it was when it came, in seconds.

    ``explicit`` is whether the lifetime was set by the server or the user, not guessed.
    """

    lifetime: float
    initial_age: float
    explicit: bool


def freshness_of(
    entry: Entry, directives: ResponseDirectives, settings: CacheSettings
) -> Freshness:
    """Return how long *entry* is fresh."""
    lifetime, explicit = _lifetime(entry, directives, settings)
    return Freshness(lifetime, initial_age(entry), explicit)


def _lifetime(
    entry: Entry, directives: ResponseDirectives, settings: CacheSettings
) -> tuple[float, bool]:
    if entry.ttl is not None:
        return entry.ttl, True
    lifetime = explicit_lifetime(entry.fields, directives, settings, entry.received)
    if lifetime is not None:
        return lifetime, True
    if entry.status not in HEURISTIC_STATUSES and not directives.public:
        return 0.0, False
    return _guessed(entry, settings), False


def explicit_lifetime(
    fields: Fields, directives: ResponseDirectives, settings: CacheSettings, received: float
) -> float | None:
    """Return the lifetime in the fields of a response (RFC 9111, section 4.2.1); None if there is none."""
    if settings.shared and directives.s_maxage is not None:
        return directives.s_maxage
    if directives.max_age is not None:
        return directives.max_age
    lines = fields.getall("Expires", None)
    if lines is None or targeted_directives(fields, settings.targets) is not None:
        return None
    dates = {timestamp_of(line, received) for line in lines}
    expires = dates.pop()
    if expires is None or dates:
        return 0.0
    return max(0.0, expires - date_of(fields, received))


def _guessed(entry: Entry, settings: CacheSettings) -> float:
    """Return a tenth of the time for which the response had not changed (RFC 9111, section 4.2.2)."""
    modified = timestamp_of(entry.fields.get("Last-Modified", ""), entry.received)
    if modified is None or not settings.heuristic_limit:
        return 0.0
    unchanged = date_of(entry.fields, entry.received) - modified
    return min(max(0.0, unchanged * HEURISTIC_FRACTION), settings.heuristic_limit)


def date_of(fields: Fields, received: float) -> float:
    """Return when a response was made: its ``Date``, else when it was received (RFC 9110, section 6.6.1)."""
    date = timestamp_of(fields.get("Date", ""), received)
    return received if date is None else date


def initial_age(entry: Entry) -> float:
    """Return how old a response was when it came: ``corrected_initial_age`` (RFC 9111, section 4.2.3)."""
    received = entry.received
    apparent_age = max(0.0, received - date_of(entry.fields, received))
    response_delay = max(0.0, received - entry.requested)
    return max(apparent_age, said_age(entry.fields) + response_delay)


def said_age(fields: Fields) -> float:
    """Return the seconds of an ``Age`` field, 0 without one; infinity if it is not one number."""
    lines = fields.getall("Age", None)
    if lines is None:
        return 0.0
    text = lines[0].strip(" \t")
    if len(lines) > 1 or not (text.isascii() and text.isdigit()):
        return INFINITELY_OLD
    return float(text) if len(text) <= 20 else INFINITELY_OLD


def age_of(entry: Entry, freshness: Freshness, now: float) -> float:
    """Return how old *entry* is *now*: ``current_age``.

    If *now* is before it was received, the clock was set back, and its real age is unknown. It ages by the difference:
    what was received when the clock was a year ahead is not fresh for that year.
    """
    return freshness.initial_age + abs(now - entry.received)
