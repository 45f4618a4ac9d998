"""May a response be stored, and which of its fields? RFC 9111, sections 3 and 3.1."""

from http import HTTPStatus
from typing import Final, NamedTuple

from multidict import CIMultiDict

from .directives import Fields, RequestDirectives, ResponseDirectives
from .freshness import HEURISTIC_STATUSES, explicit_lifetime
from .ranges import content_range
from .settings import CacheSettings
from .vary import MAX_NAMES, names_of

# Statuses that this cache understands: ``must-understand`` (RFC 9111, section 5.2.2.3).
UNDERSTOOD: Final = frozenset(map(int, HTTPStatus))
# Statuses that the user's own lifetime applies to: errors are not kept.
KEPT_ON_REQUEST: Final = frozenset((200, 203, 204, 300, 301, 308))
# Fields of one connection or of a proxy (RFC 9111, section 3.1; RFC 9110, section 7.6.1), and cookies, which are set
# once, when the response comes.
NEVER_STORED: Final = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "set-cookie",
        "te",
        "transfer-encoding",
        "upgrade",
    )
)
# Fields that tell how a response may be used. They count even if ``Connection`` or ``no-cache`` names them, so that no
# response is used for longer than it says. A sender must not name them (RFC 9110, section 7.6.1).
ALWAYS_STORED: Final = frozenset(("age", "cache-control", "date", "expires"))


class Asked(NamedTuple):
    """The facts of a request that the rules for storing need.

    ``authorized`` is whether it carries ``Authorization``. ``ttl`` is the lifetime that the user sets for its response;
    None also if that does not apply to its status.
    ``same_uri`` is whether ``Content-Location`` of the response names the URI of the request.
    """

    method: str
    directives: RequestDirectives
    authorized: bool
    ttl: float | None = None
    same_uri: bool = False


def why_not(
    asked: Asked,
    status: int,
    fields: Fields,
    directives: ResponseDirectives,
    settings: CacheSettings,
    received: float,
) -> str | None:
    """Return why a response must not be stored; None if it may be."""
    if status < 200 or status == 304:
        return "not a final response"
    if asked.directives.no_store:
        return "the request says no-store"
    understood = status in UNDERSTOOD
    if directives.must_understand:
        # Section 5.2.2.3: it replaces no-store in a cache that understands the status.
        if not understood:
            return "must-understand"
    elif directives.no_store:
        return "no-store"
    if (names := names_of(fields)) and ("*" in names or len(names) > MAX_NAMES):
        return "it varies by everything" if "*" in names else "it varies by too much"
    if settings.shared and (reason := _not_for_all(asked, fields, directives)) is not None:
        return reason
    if status == 206 and content_range(fields) is None:
        return "a part that says not which"
    lifetime = _lifetime(asked, fields, directives, settings, received)
    if asked.method == "POST" and asked.ttl is None:
        # RFC 9110, section 9.3.3
        return None if lifetime is not None and asked.same_uri else "an answer to POST"
    if lifetime is None and status not in HEURISTIC_STATUSES and not directives.public:
        return "nothing says how long it lasts"
    if not lifetime and not _has_validator(fields) and not settings.stale_if_error:
        return "it would never be used"
    return None


def _not_for_all(asked: Asked, fields: Fields, directives: ResponseDirectives) -> str | None:
    """Return why a shared cache must not store a response; None if it may."""
    if directives.private:
        return "private"
    if asked.authorized and not (
        directives.public or directives.must_revalidate or directives.s_maxage is not None
    ):
        return "an answer to Authorization"  # section 3.5
    if "Set-Cookie" in fields:
        return "it sets cookies"
    return None


def _lifetime(
    asked: Asked,
    fields: Fields,
    directives: ResponseDirectives,
    settings: CacheSettings,
    received: float,
) -> float | None:
    if asked.ttl is not None:
        return asked.ttl
    return explicit_lifetime(fields, directives, settings, received)


def _has_validator(fields: Fields) -> bool:
    return "ETag" in fields or "Last-Modified" in fields


def stored_fields(
    fields: Fields, directives: ResponseDirectives, settings: CacheSettings
) -> "CIMultiDict[str]":
    """Return a copy of *fields* without those that are not stored (RFC 9111, section 3.1).

    The fields that ``no-cache`` names are removed too: they must not be used again without asking (section 5.2.2.4). A
    shared cache also removes the fields that ``private`` names (section 5.2.2.7). The fields of ``ALWAYS_STORED`` stay.
    """
    dropped = NEVER_STORED | directives.no_cache_fields
    if settings.shared:
        dropped |= directives.private_fields
    lines = fields.getall("Connection", None)
    if lines is not None:
        dropped |= {name.strip(" \t").lower() for line in lines for name in line.split(",")}
    if len(dropped) > len(NEVER_STORED):
        dropped -= ALWAYS_STORED.union(map(str.lower, settings.targets))
    if dropped.isdisjoint(map(str.lower, fields)):
        return CIMultiDict(fields)
    return CIMultiDict([pair for pair in fields.items() if pair[0].lower() not in dropped])
