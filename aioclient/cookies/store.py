"""The stored cookies: found by domain and path, removed when they expire, evicted when there are too many.

Bookkeeping only: no clock, no URL, no file. The cost of a lookup does not depend on other domains' cookies.
"""

import heapq
import itertools
import math
from collections.abc import Callable

from .cookie import Cookie
from .matching import domain_matches, domains_for, path_matches, paths_for

Identity = tuple[str, str, str, bool]
_Group = dict[tuple[str, bool], Cookie]

# With fewer entries the heap of deadlines is not cleaned up.
_SMALL_HEAP = 64
# A domain with more cookies than this loses its own before others lose theirs: every client that follows RFC 6265bis,
# section 6.1, stores at least as many.
_FAIR_SHARE = 50
# A host name can have 127 labels. Secure cookies are listed under the last few of them: real sites have four or five,
# and a list for each of 127 would multiply the size of a flood of cookies by twenty.
_LISTED_LABELS = 8


class _Bucket:
    """The cookies of one domain by path, then by name and host-only flag."""

    __slots__ = ("count", "paths")

    def __init__(self) -> None:
        self.paths: dict[str, _Group] = {}
        self.count = 0

    def groups(self, path: str) -> list[_Group]:
        """Return the cookies whose path matches a request for *path*."""
        paths = self.paths
        # The shorter way: over the stored paths, or over the prefixes of the requested one.
        if len(paths) <= 2 * path.count("/"):
            return [group for stored, group in paths.items() if path_matches(path, stored)]
        return [paths[candidate] for candidate in paths_for(path) if candidate in paths]


class CookieStore:
    """Cookies by identity, with limits.

    Args:
        max_total: cookies in all.
        max_per_domain: cookies that share a domain.

    Attributes:
        next_expiry: POSIX time before which nothing expires; infinity if nothing does.
        serial: the next value of the counter for ``created`` and ``used``.
    """

    __slots__ = (
        "_buckets",
        "_heap",
        "_secure",
        "held",
        "max_per_domain",
        "max_total",
        "next_expiry",
        "serial",
    )

    def __init__(self, max_total: int, max_per_domain: int) -> None:
        self.max_total: int = max_total
        self.max_per_domain: int = max_per_domain
        # In the order of creation: a replacement keeps the position.
        self.held: dict[Identity, Cookie] = {}
        self._buckets: dict[str, _Bucket] = {}
        # Secure cookies by name and by each domain that their domain matches, cut to its last labels.
        self._secure: dict[tuple[str, str], dict[Identity, Cookie]] = {}
        self._heap: list[tuple[float, int, Cookie]] = []
        self.next_expiry: float = math.inf
        self.serial: Callable[[], int] = itertools.count(1).__next__

    def __len__(self) -> int:
        return len(self.held)

    def all(self) -> list[Cookie]:
        """Return every cookie, in the order of creation."""
        return list(self.held.values())

    # Finding.

    def matching(self, host: str, path: str) -> list[Cookie]:
        """Return the cookies that a request for *path* on *host* may carry, including Secure ones (section 5.8.3)."""
        return [
            cookie
            for domain in domains_for(host)
            if (bucket := self._buckets.get(domain)) is not None
            for group in bucket.groups(path)
            for cookie in group.values()
            if not cookie.host_only or domain == host
        ]

    def shared(self, path: str) -> list[Cookie]:
        """Return the cookies for every host that a request for *path* carries."""
        bucket = self._buckets.get("")
        if bucket is None:
            return []
        return [cookie for group in bucket.groups(path) for cookie in group.values()]

    def has_paths(self, host: str) -> bool:
        """Tell whether the path of a request to *host* matters: not all cookies that may be sent there are for all
        paths.
        """
        for domain in (*domains_for(host), ""):
            bucket = self._buckets.get(domain)
            if bucket is not None and (len(bucket.paths) > 1 or "/" not in bucket.paths):
                return True
        return False

    def protects(self, cookie: Cookie) -> bool:
        """Tell whether *cookie*, set by an insecure origin, would hide or replace a Secure cookie.

        "Leave Secure cookies alone": the same name, a domain that matches either way, a path that the new cookie's path
        matches (section 5.7).
        """
        domain = cookie.domain
        below = self._secure.get((cookie.name, ".".join(domain.split(".")[-_LISTED_LABELS:])), {})
        if any(
            path_matches(cookie.path, other.path) and domain_matches(other.domain, domain)
            for other in below.values()
        ):
            return True
        return any(
            other.secure and other.name == cookie.name
            for domain in domains_for(cookie.domain)
            if (bucket := self._buckets.get(domain)) is not None
            for group in bucket.groups(cookie.path)
            for other in group.values()
        )

    # Changing.

    def put(self, cookie: Cookie, now: float) -> bool:
        """Store *cookie* in place of the one with its identity; if its deadline has passed, only remove that one.

        Returns whether the cookies of requests may have changed.
        """
        old = self.held.get(cookie.identity)
        if cookie.deadline is not None and cookie.deadline <= now:
            if old is not None:
                self.remove(old)
            return old is not None
        if old is None:
            if not self._make_room(cookie, now):
                return True  # expired cookies were removed
            cookie.created = self.serial()
        elif old.says_the_same_as(cookie):
            prolonged = old.deadline != cookie.deadline
            old.take_dates(cookie)
            old.used = self.serial()
            if prolonged:
                self._schedule(old)
            return False
        else:
            cookie.created = old.created
            self._unlink(old)
        cookie.used = self.serial()
        self._link(cookie)
        self._schedule(cookie)
        return True

    def remove(self, cookie: Cookie) -> None:
        """Remove *cookie*; this does nothing if it is not stored."""
        if self.held.get(cookie.identity) is cookie:
            del self.held[cookie.identity]
            self._unlink(cookie)

    def clear(self) -> None:
        """Remove every cookie."""
        self.held.clear()
        self._buckets.clear()
        self._secure.clear()
        self._heap.clear()
        self.next_expiry = math.inf

    def expire(self, now: float) -> bool:
        """Remove cookies that have expired by *now*; return whether there were any."""
        removed = False
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, cookie = heapq.heappop(heap)
            # Entries of removed cookies, or with an old deadline, are skipped.
            if cookie.deadline == when and self.held.get(cookie.identity) is cookie:
                self.remove(cookie)
                removed = True
        self.next_expiry = heap[0][0] if heap else math.inf
        return removed

    def _link(self, cookie: Cookie) -> None:
        self.held[cookie.identity] = cookie
        bucket = self._buckets.get(cookie.domain)
        if bucket is None:
            bucket = self._buckets[cookie.domain] = _Bucket()
        bucket.paths.setdefault(cookie.path, {})[cookie.name, cookie.host_only] = cookie
        bucket.count += 1
        if cookie.secure:
            for domain in _listed_domains(cookie.domain):
                self._secure.setdefault((cookie.name, domain), {})[cookie.identity] = cookie

    def _unlink(self, cookie: Cookie) -> None:
        bucket = self._buckets[cookie.domain]
        group = bucket.paths[cookie.path]
        del group[cookie.name, cookie.host_only]
        bucket.count -= 1
        if not group:
            del bucket.paths[cookie.path]
            if not bucket.count:
                del self._buckets[cookie.domain]
        if cookie.secure:
            for domain in _listed_domains(cookie.domain):
                holders = self._secure[cookie.name, domain]
                del holders[cookie.identity]
                if not holders:
                    del self._secure[cookie.name, domain]

    def _schedule(self, cookie: Cookie) -> None:
        if cookie.deadline is None:
            return
        heapq.heappush(self._heap, (cookie.deadline, self.serial(), cookie))
        if len(self._heap) > 2 * len(self.held) + _SMALL_HEAP:
            self._heap = [
                entry
                for entry in self._heap
                if entry[2].deadline == entry[0] and self.held.get(entry[2].identity) is entry[2]
            ]
            heapq.heapify(self._heap)
        self.next_expiry = self._heap[0][0] if self._heap else math.inf

    # Evicting (section 5.7, "remove excess cookies").

    def _make_room(self, cookie: Cookie, now: float) -> bool:
        """Make room for one more cookie; return False if only Secure ones could be evicted for one that is not.

        Several are evicted at once, so that a flood does not sort the cookies for each new one.
        """
        bucket = self._buckets.get(cookie.domain)
        if bucket is not None and bucket.count >= self.max_per_domain:
            self.expire(now)
            if bucket.count >= self.max_per_domain and not self._shrink_domain(bucket, cookie):
                return False
        if len(self.held) >= self.max_total:
            self.expire(now)
            if len(self.held) >= self.max_total:
                self._shrink()
        return True

    def _shrink_domain(self, bucket: _Bucket, cookie: Cookie) -> bool:
        limit = self.max_per_domain
        excess = bucket.count + 1 - max(limit - limit // 6, 1)
        held = sorted(_cookies_of(bucket), key=lambda other: other.used)
        # Secure cookies are evicted if there are no others, and for a Secure one.
        losers = [other for other in held if not other.secure] or (held if cookie.secure else [])
        for loser in losers[:excess]:
            self.remove(loser)
        return bool(losers)

    def _shrink(self) -> None:
        """Evict in the order of section 5.7: a domain's cookies beyond its share, insecure ones first, then the
        rest.
        """
        limit = self.max_total
        ranks: dict[Identity, int] = {}
        for bucket in self._buckets.values():
            if bucket.count > _FAIR_SHARE:
                beyond = sorted(_cookies_of(bucket), key=_secure_last)[: bucket.count - _FAIR_SHARE]
                ranks |= {cookie.identity: int(cookie.secure) for cookie in beyond}
        held = sorted(
            self.held.values(), key=lambda cookie: (ranks.get(cookie.identity, 2), cookie.used)
        )
        for loser in held[: len(held) - min(limit - 1, limit - limit // 11)]:
            self.remove(loser)


def _listed_domains(domain: str) -> list[str]:
    """Return the domains that *domain* domain-matches, as far as they have few labels."""
    return [each for each in domains_for(domain) if each.count(".") < _LISTED_LABELS]


def _cookies_of(bucket: _Bucket) -> list[Cookie]:
    return [cookie for group in bucket.paths.values() for cookie in group.values()]


def _secure_last(cookie: Cookie) -> tuple[bool, int]:
    return (cookie.secure, cookie.used)
