"""What is stored for a request, and the answer that it gives."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from ...message.cache_status import CacheStatus, Reason
from ...response.client_response import ClientResponse, note_cache_status
from .answers import answer, content_of, not_modified, part_of
from .asking import Asking, Treatment
from .directives import Fields, ResponseDirectives, response_directives
from .entry import Entry
from .flights import FlightKey
from .freshness import Freshness, age_of, freshness_of
from .keys import Ignored, ignored_by
from .ranges import part_for
from .reuse import Use, stands_in, use_of
from .settings import CacheSettings
from .statistics import Counts
from .store import Stored
from .storing import KEPT_ON_REQUEST
from .unfailing import UnfailingStore
from .validation import allows_range, is_unchanged
from .vary import matches, variant_of

MAX_PATHS: Final = 1024  # paths whose No-Vary-Search is remembered
MAX_IGNORED: Final = 8  # rules of one path


class Known(NamedTuple):
    """What was computed from an entry with these *settings*."""

    settings: CacheSettings
    directives: ResponseDirectives
    freshness: Freshness


class Found(NamedTuple):
    """What is stored for a request: the response that answers it, if there is one, and all under its key.

    ``is_outdated`` is whether a response for the key was stored while it was looked for.
    """

    chosen: Stored | None
    all: Sequence[Stored]
    is_outdated: bool = False


NOTHING: Final = Found(None, ())


class Decision(NamedTuple):
    """How a stored response may be used for a request: None if there is none.

    It is *age* seconds old, and fresh for another *ttl* seconds.
    """

    use: Use | None
    age: float = 0.0
    ttl: float = 0.0


NO_DECISION: Final = Decision(None)


class Lookup:
    """Finds the stored response for a request, decides how it may be used, and answers with it."""

    __slots__ = ("_clock", "_counts", "_searches", "_settings", "_store")

    def __init__(
        self,
        store: UnfailingStore,
        counts: Counts,
        settings: CacheSettings,
        clock: Callable[[], float],
        *,
        no_vary_search: bool,
    ) -> None:
        self._store = store
        self._counts = counts
        self._settings = settings
        self._clock = clock
        self._searches: dict[str, dict[Ignored, None]] | None = {} if no_vary_search else None

    async def find(self, asking: Asking) -> Found:
        """Return what is stored for the request."""
        memory = self._store.memory
        stored = (
            await self._store.find(asking.key) if memory is None else memory.find_nowait(asking.key)
        )
        found = self._choose(asking, stored) if stored else NOTHING
        if found.chosen is None and self._searches:
            uri = asking.key.uri
            for ignored in self._searches.get(uri.partition("?")[0], ()):
                more = await self._store.find(asking.key._replace(uri=ignored.applied(uri)))
                if (other := self._choose(asking, more)).chosen is not None:
                    return other
        return found

    @staticmethod
    def _choose(asking: Asking, all_: Sequence[Stored]) -> Found:
        """Return the response that answers the request: the newest one that matches (section 4.1)."""
        chosen: Stored | None = None
        for stored in all_:
            entry = stored.entry
            if entry.is_partial and (
                asking.range is None
                or part_for(asking.range, entry) is None
                or not allows_range(asking.fields, entry)
            ):
                continue
            if entry.vary:
                names = [name for name, _ in entry.vary]
                if not matches(entry.vary, entry.fields, asking.all_fields(names)):
                    continue
            if chosen is None or (chosen.entry.is_partial, -chosen.entry.received) >= (
                entry.is_partial,
                -entry.received,
            ):
                chosen = stored
        return Found(chosen, all_)

    def _known(self, entry: Entry, directives: ResponseDirectives | None = None) -> Known:
        known: Known | None = entry.known
        if known is None or known.settings is not self._settings:
            if directives is None:
                directives = response_directives(entry.fields, self._settings.targets)
            known = Known(
                self._settings, directives, freshness_of(entry, directives, self._settings)
            )
            entry.known = known
        return known

    def freshness(
        self, asking: Asking, entry: Entry, directives: ResponseDirectives | None = None
    ) -> Freshness:
        """Return how long *entry*, which has these *directives*, is fresh for this call."""
        return _for_call(asking, entry, self._known(entry, directives).freshness)

    def decide(self, asking: Asking, found: Found) -> Decision:
        """Return how the stored response may be used for the request."""
        if found.chosen is None:
            return NO_DECISION
        entry = found.chosen.entry
        _, directives, freshness = self._known(entry)
        freshness = _for_call(asking, entry, freshness)
        age = age_of(entry, freshness, self._clock())
        use = self._use(asking, entry, directives, freshness, age)
        return Decision(use, age, freshness.lifetime - age)

    def _use(
        self,
        asking: Asking,
        entry: Entry,
        directives: ResponseDirectives,
        freshness: Freshness,
        age: float,
    ) -> Use:
        mode, asked = asking.options.mode, asking.directives
        if mode != "default":
            if mode == "reload":
                return Use.ASK_ON_REQUEST
            if mode in ("force-cache", "only-if-cached"):
                return Use.FRESH if freshness.lifetime > age else Use.STALE
            if mode == "no-cache":
                asked = replace(asked, max_age=-1, max_stale=None)
        if asking.has_conditions and is_unchanged(asking.fields, entry) is None:
            return Use.ASK_ON_REQUEST
        use = use_of(directives, freshness, age, asked, self._settings)
        if asking.range is not None and (part_for(asking.range, entry) is None or use is Use.ASK):
            return Use.ASK
        return use

    @staticmethod
    def why(asking: Asking, found: Found, use: Use | None) -> Reason:
        """Return why the server is asked, in the words of RFC 9211, section 2.2."""
        if found.chosen is None:
            return "vary-miss" if found.all else "uri-miss"
        if use is Use.ASK_ON_REQUEST:
            return "request"
        if asking.range is not None and part_for(asking.range, found.chosen.entry) is None:
            return "partial"
        return "stale"

    async def hit(
        self, asking: Asking, stored: Stored, decision: Decision, detail: str | None = None
    ) -> ClientResponse | None:
        """Return the stored response; None if its body no longer exists."""
        response = await self.respond(asking, stored, decision.age)
        if response is None:
            return None
        self._counts.hits += 1
        if decision.use is not Use.FRESH:
            self._counts.stale += 1
        status = CacheStatus(hit=True, ttl=decision.ttl, collapsed=asking.collapsed, detail=detail)
        note_cache_status(response, status)
        return response

    async def respond(self, asking: Asking, stored: Stored, age: float) -> ClientResponse | None:
        """Return the stored response, or the part or the 304 that the request asks for."""
        entry, request, part = stored.entry, asking.request, None
        if asking.has_conditions and is_unchanged(asking.fields, entry):
            return not_modified(request, entry, age)
        if asking.range is not None and allows_range(asking.fields, entry):
            part = part_for(asking.range, entry)
        if asking.treatment is Treatment.HEAD:
            return answer(request, entry, age, b"", None)
        if stored.body is not None:
            return answer(request, entry, age, part_of(entry, stored.body, part), part)
        try:
            body = await content_of(self._store, entry, part)
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self._store.failed("read", error)
            return None
        return None if body is None else answer(request, entry, age, body, part)

    async def instead(self, asking: Asking, found: Found, detail: str) -> ClientResponse | None:
        """Return the stored response that replaces an error of the server; None if none may."""
        chosen = found.chosen
        if chosen is None:
            return None
        _, directives, freshness = self._known(chosen.entry)
        freshness = _for_call(asking, chosen.entry, freshness)
        age = age_of(chosen.entry, freshness, self._clock())
        if not stands_in(directives, freshness, age, asking.directives, self._settings):
            return None
        decision = Decision(Use.STALE, age, freshness.lifetime - age)
        return await self.hit(asking, chosen, decision, detail)

    def stored_uri(self, uri: str, fields: Fields) -> str:
        """Return the URI under which a response for *uri* with these *fields* is stored, and remember it."""
        if self._searches is None or (ignored := ignored_by(fields)) is None:
            return uri
        if len(self._searches) >= MAX_PATHS:
            self._searches.clear()
        known = self._searches.setdefault(uri.partition("?")[0], {})
        if len(known) < MAX_IGNORED:
            known[ignored] = None
        return ignored.applied(uri)

    async def delete(self, uri: str) -> int:
        """Delete what is stored for *uri*, also under the shorter URIs of ``No-Vary-Search``; return how many."""
        uris = [uri]
        if self._searches:
            known = self._searches.get(uri.partition("?")[0], ())
            uris += [ignored.applied(uri) for ignored in known]
        store = self._store
        return sum([await store.tell(store.store.delete(each)) or 0 for each in uris])


def _for_call(asking: Asking, entry: Entry, freshness: Freshness) -> Freshness:
    """Return how long *entry* is fresh if the user sets its lifetime for this call."""
    if asking.ttl is None or entry.status not in KEPT_ON_REQUEST:
        return freshness
    return freshness._replace(lifetime=asking.ttl)


def flight_key(asking: Asking, found: Found) -> FlightKey:
    """Return what is equal in requests that wait for each other: the key, and the fields that matter."""
    names = {name for stored in found.all for name, _ in stored.entry.vary}
    if not names:
        return asking.key, asking.facts.negotiated
    ordered = tuple(sorted(names))
    return asking.key, variant_of(ordered, asking.all_fields(ordered))
