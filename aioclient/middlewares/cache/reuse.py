"""May a stored response answer this request, and how? RFC 9111, section 4.

    fresh, and no further demand                        → it answers
    stale, and the request accepts that (max-stale)     → it answers
    stale, within stale-while-revalidate (RFC 5861)     → it answers, and is validated in the background
    everything else                                     → the server is asked first

``no-cache`` takes precedence over the request, and so does ``must-revalidate`` on a stale response (section 4.2.4), and
``proxy-revalidate`` and ``s-maxage`` in a shared cache. ``immutable`` does not extend the lifetime: while the response
is fresh, ``max-age`` of a request, which a reload sends, does not cause another request (RFC 8246).
"""

from enum import Enum
from typing import Final

from .directives import RequestDirectives, ResponseDirectives
from .freshness import Freshness
from .settings import CacheSettings

# RFC 5861, section 4
ERRORS: Final = frozenset((500, 502, 503, 504))


class Use(Enum):
    """How a stored response may be used."""

    FRESH = "fresh"
    STALE = "stale"
    BEHIND = "stale, validated behind"
    ASK = "the server is asked"
    ASK_ON_REQUEST = "the server is asked, since the request wants that"


def use_of(
    directives: ResponseDirectives,
    freshness: Freshness,
    age: float,
    asked: RequestDirectives,
    settings: CacheSettings,
) -> Use:
    """Return how a stored response that is *age* seconds old may be used for a request."""
    if directives.no_cache:
        return Use.ASK  # section 5.2.2.4
    if asked.no_cache or settings.always_revalidate:
        return Use.ASK_ON_REQUEST  # section 5.2.1.4
    left = freshness.lifetime - age
    if (
        asked.max_age is not None
        and age > asked.max_age
        and not (asked.max_stale is not None and age - asked.max_age <= asked.max_stale)
        and not (directives.immutable and left > 0)
    ):
        return Use.ASK_ON_REQUEST  # section 5.2.1.1
    if asked.min_fresh is not None and left < asked.min_fresh:
        return Use.ASK_ON_REQUEST  # section 5.2.1.3
    if left > 0:
        return Use.FRESH
    if forbids_stale(directives, settings):
        return Use.ASK
    if asked.max_stale is not None and -left <= asked.max_stale:
        return Use.STALE  # section 5.2.1.2
    if directives.stale_while_revalidate is not None and -left < directives.stale_while_revalidate:
        return Use.BEHIND
    return Use.ASK


def forbids_stale(directives: ResponseDirectives, settings: CacheSettings) -> bool:
    """Tell whether a response must never be used when it is stale (RFC 9111, section 4.2.4)."""
    return (
        directives.must_revalidate
        or directives.no_cache
        or (settings.shared and (directives.proxy_revalidate or directives.s_maxage is not None))
    )


def stands_in(
    directives: ResponseDirectives,
    freshness: Freshness,
    age: float,
    asked: RequestDirectives,
    settings: CacheSettings,
) -> bool:
    """Tell whether a stored response may replace an error of the server (RFC 5861, section 4).

    The response, the request or the user may allow it; the longest of their times counts.
    """
    if forbids_stale(directives, settings) or asked.no_cache:
        return False
    allowed = max(
        settings.stale_if_error, directives.stale_if_error or 0, asked.stale_if_error or 0
    )
    return allowed > 0 and age - freshness.lifetime < allowed
