"""The user's rules, for servers that send no caching fields."""

from collections.abc import Iterable

from ...message.cache_options import checked_ttl
from ...message.headers import check_method
from .storing import KEPT_ON_REQUEST


class CacheRule:
    """How long responses are fresh that do not say so themselves.

    The first rule that matches is used. It never causes a ``no-store`` response to be stored.

    Args:
        ttl: seconds for which the responses are fresh; ``FOREVER`` for no end.
        url: the requests that it applies to: their whole URL, with ``*`` for any text; None for all.
        methods: the methods that it applies to. A response to another method than GET is stored for requests with the
            same body, and such a request invalidates nothing.
        statuses: the statuses that it applies to.
        override: whether it also applies to responses that say how long they are fresh.

    Raises:
        TypeError, ValueError: an argument has the wrong type or value.

    >>> from aioclient import CacheRule
    >>> CacheRule(60, url="https://api.example.com/v1/*")
    CacheRule(60, url='https://api.example.com/v1/*')
    """

    __slots__ = ("_parts", "methods", "override", "statuses", "ttl", "url")

    def __init__(
        self,
        ttl: float,
        *,
        url: str | None = None,
        methods: Iterable[str] = ("GET",),
        statuses: Iterable[int] = tuple(sorted(KEPT_ON_REQUEST)),
        override: bool = False,
    ) -> None:
        checked = checked_ttl("ttl", ttl)
        if checked is None:
            raise TypeError("ttl must be a number of seconds or FOREVER, found None")
        if url is not None and not isinstance(url, str):
            raise TypeError(f"url must be a str with * for any text, found {type(url).__name__}")
        if isinstance(methods, str):
            raise TypeError(f"methods must be an iterable of methods, found the str {methods!r}")
        self.ttl: float = checked
        self.url: str | None = url
        self.methods: frozenset[str] = frozenset(map(check_method, methods))
        self.statuses: frozenset[int] = frozenset(statuses)
        self.override: bool = override
        self._parts = ("*" if url is None else url).split("*")

    def fits(self, method: str, url: str) -> bool:
        """Tell whether the rule applies to requests with *method* for *url*."""
        return method in self.methods and self._matches(url)

    def _matches(self, url: str) -> bool:
        first, *others = self._parts
        if not others:
            return url == first
        *between, last = others
        at, end = len(first), len(url) - len(last)
        if end < at or not (url.startswith(first) and url.endswith(last)):
            return False
        for part in between:
            found = url.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    def __repr__(self) -> str:
        parts = [f"{self.ttl:g}"]
        if self.url is not None:
            parts.append(f"url={self.url!r}")
        if self.methods != {"GET"}:
            parts.append(f"methods={sorted(self.methods)}")
        if self.statuses != KEPT_ON_REQUEST:
            parts.append(f"statuses={sorted(self.statuses)}")
        if self.override:
            parts.append("override=True")
        return f"CacheRule({', '.join(parts)})"
