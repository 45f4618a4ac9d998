"""What a cache did for a response, in the words of the ``Cache-Status`` field (RFC 9211)."""

from math import ceil
from typing import Final, Literal, NamedTuple

LARGEST: Final = 10.0**15 - 1  # of the integers in a structured field (RFC 9651, section 3.3.1)

Reason = Literal["bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"]


class CacheStatus(NamedTuple):
    """What a ``Cache`` did for a response: ``response.cache_status``. Its text is that of a ``Cache-Status`` field.

    Attributes:
        hit: whether the cache answered without asking the server.
        reason: why the server was asked: "uri-miss" (nothing is stored for the URL), "vary-miss" (not for such a
            request), "stale", "request" (the request, or the user, wants that), "partial" (not all that is asked
            for is stored), "method", "bypass" (the cache was kept out); None for a hit.
        status: what the server answered to the cache: 304 says that what was stored is still good; None for a hit.
        ttl: seconds for which the response stays fresh, below 0 if it is stale; None if it is not stored.
        stored: whether the response is stored now, or will be when its body was read.
        collapsed: whether another call was waited for, which asked the same.
        detail: more about it, such as why a response was not stored.
    """

    hit: bool = False
    reason: Reason | None = None
    status: int | None = None
    ttl: float | None = None
    stored: bool = False
    collapsed: bool = False
    detail: str | None = None

    @property
    def revalidated(self) -> bool:
        """Whether the server confirmed what was stored."""
        return self.status == 304 and not self.hit

    @property
    def stale(self) -> bool:
        """Whether what was stored answered though it is not fresh any more."""
        return self.ttl is not None and self.ttl <= 0 and self.status is None

    def __str__(self) -> str:
        parts = ["aioclient"]
        if self.hit:
            parts.append("hit")
        if self.reason is not None:
            parts.append(f"fwd={self.reason}")
        if self.status is not None:
            parts.append(f"fwd-status={self.status}")
        if self.ttl is not None:
            parts.append(f"ttl={ceil(max(min(self.ttl, LARGEST), -LARGEST))}")
        if self.stored:
            parts.append("stored")
        if self.collapsed:
            parts.append("collapsed")
        if self.detail is not None:
            parts.append(f'detail="{self.detail}"')
        return "; ".join(parts)
