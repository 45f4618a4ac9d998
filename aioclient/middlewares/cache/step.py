"""The middleware that answers with stored responses, and stores new ones."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from typing import Any, ClassVar, Final, NamedTuple, TypeVar
from uuid import uuid4

from multidict import CIMultiDictProxy, istr
from yarl import URL

from ...chain import Handler
from ...exceptions import CALL_ERRORS, TotalTimeoutError
from ...message.cache_status import CacheStatus, Reason
from ...message.http_date import http_date
from ...message.request import Request
from ...message.timeout import seconds
from ...message.urls import resolved, url_of
from ...response.client_response import ClientResponse, note_cache_status, whole_body
from ...response.synthetic import wait_for_end
from .answers import answer, content_of, not_cached, not_modified
from .asking import Asking, Facts, PartitionFor, Treatment
from .directives import Fields, ResponseDirectives, response_directives
from .entry import Entry
from .flights import Flight, Flights, Landing
from .freshness import Freshness, age_of, explicit_lifetime, freshness_of
from .invalidation import invalidated
from .keys import Ignored, Key, ignored_by, uri_of
from .memory import MemoryStore
from .ranges import content_range, part_for
from .recording import Recorder
from .reuse import ERRORS, Use, stands_in, use_of
from .rules import CacheRule
from .sessions import Work, begin_use, end_use
from .settings import CacheSettings
from .store import CacheStore, Stored, StoreStatistics, Writer
from .storing import KEPT_ON_REQUEST, Asked, stored_fields, why_not
from .updating import agrees, updated
from .validation import allows_range, conditions_for, confirms, is_unchanged
from .vary import matches, names_of, variant_of

T = TypeVar("T")

MAX_VARIANTS: Final = 64  # responses for one key; beyond that the oldest are deleted
MAX_PATHS: Final = 1024  # paths whose No-Vary-Search is remembered
MAX_IGNORED: Final = 8  # rules of one path
MAX_UNSTORED: Final = 4096  # keys whose responses were not stored, so that no call waits for them

NO_CONDITIONS: Final[dict[str, str]] = {}
CACHE_CONTROL: Final = istr("Cache-Control")

_log = logging.getLogger("aioclient.cache")


class Known(NamedTuple):
    """What was computed from an entry with these *settings*."""

    settings: CacheSettings
    directives: ResponseDirectives
    freshness: Freshness


class Found(NamedTuple):
    """What is stored for a request: the response that answers it, if there is one, and all under its key."""

    chosen: Stored | None
    all: Sequence[Stored]


NOTHING: Final = Found(None, ())


@dataclass(slots=True)
class _Counts:
    hits: int = 0
    stale: int = 0
    revalidated: int = 0
    misses: int = 0
    stored: int = 0
    collapsed: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a ``Cache`` has done since it was made, and what its store holds.

    ``hits`` were answered without the server, ``stale`` of them with a response that was not fresh; ``revalidated``
    were confirmed by the server; ``misses`` were sent to it. ``stored`` is how many responses were given to the store,
    ``collapsed`` how many calls waited for another one, ``errors`` how many exceptions the store raised. ``store`` is a
    ``StoreStatistics``, None if the store raises.
    """

    hits: int
    stale: int
    revalidated: int
    misses: int
    stored: int
    collapsed: int
    errors: int
    store: StoreStatistics | None


class Cache:
    """A middleware that stores responses, and answers with them when the server allows it (RFC 9111).

    It belongs to one user unless it is *shared*: a response to one login is never given to another one. Any number of
    sessions may use it, on several event loops too; the last one that is closed closes its store.

    Args:
        store: a ``MemoryStore``, ``SQLiteStore``, ``RedisStore`` or another ``CacheStore``; None for 64 MiB of memory.
        shared: whether it serves several users, as a proxy does: then only public responses are stored.
        rules: ``CacheRule`` objects for servers that send no caching fields; the first one that matches is used.
        partition: a function that gets the request and returns a text: only requests with the same text share
            responses. By default the text depends on the credentials and cookies of the request; in a *shared* cache it
            is the same for all.
        stale_if_error: seconds after the end of its lifetime in which a response replaces an error of the server,
            unless the server has forbidden that.
        always_revalidate: whether the server is asked each time whether the stored response is still valid.
        heuristic_limit: the longest lifetime, in seconds, that is guessed if the server sends none; 0 to guess none.
        targets: names of targeted fields, such as "CDN-Cache-Control", that replace ``Cache-Control``; the first one
            that a response has is used (RFC 9213).
        no_vary_search: whether ``No-Vary-Search`` is followed, by which a server names query parameters to ignore.
        max_background: how many responses are revalidated in the background at a time.
        clock: a function that returns the seconds since the epoch.

    Raises:
        TypeError, ValueError: an argument makes no sense.
    """

    argument: ClassVar[str] = "cache"
    tidy: ClassVar[bool] = True

    def __init__(
        self,
        store: CacheStore | None = None,
        *,
        shared: bool = False,
        rules: Iterable[CacheRule] = (),
        partition: PartitionFor | None = None,
        stale_if_error: float = 0.0,
        always_revalidate: bool = False,
        heuristic_limit: float = 86400.0,
        targets: Iterable[str] = (),
        no_vary_search: bool = False,
        max_background: int = 16,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store: CacheStore = MemoryStore() if store is None else _checked_store(store)
        self.rules: tuple[CacheRule, ...] = tuple(rules)
        for rule in self.rules:
            if not isinstance(rule, CacheRule):
                raise TypeError(f"rules must be CacheRule objects, found {type(rule).__name__}")
        if isinstance(targets, str):
            raise TypeError(f"targets must be an iterable of names, found the str {targets!r}")
        for name, function in (("partition", partition), ("clock", clock)):
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a function, found {type(function).__name__}")
        if isinstance(max_background, bool) or not isinstance(max_background, int):
            raise TypeError(f"max_background must be an int, found {type(max_background).__name__}")
        self._settings = CacheSettings(
            shared=bool(shared),
            heuristic_limit=_seconds("heuristic_limit", heuristic_limit),
            stale_if_error=_seconds("stale_if_error", stale_if_error),
            always_revalidate=bool(always_revalidate),
            targets=tuple(targets),
        )
        self._partition = partition
        self._clock = clock
        self._max_background = max_background
        self._searches: dict[str, dict[Ignored, None]] | None = {} if no_vary_search else None
        self._name = f"{uuid4().hex[:20]}."
        self._numbers = count()
        self._memory = self.store if type(self.store) is MemoryStore else None
        self._usual: Facts | None = None
        self._flights = Flights()
        self._unstored: dict[object, None] = {}
        self._work = Work()
        self._counts = _Counts()
        self._is_down = False

    # The request

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        """Answer *request* with a stored response, or send it and store the response."""
        usual = self._usual_key(request)
        if usual is not None and usual in self._unstored:
            return await self._send_plainly(request, usual, handler)
        asking = self._asking(request)
        asking.usual_key = usual or self._usual_key(request)
        treatment = asking.treatment
        if treatment is Treatment.AROUND:
            return await self._pass(asking, handler)
        waited = False
        while True:
            found = await self._find(asking)
            use = self._use(asking, found)
            if use is not None and use not in (Use.ASK, Use.ASK_ON_REQUEST):
                response = await self._hit(asking, found, use)
                if response is not None:
                    if use is Use.BEHIND:
                        self._revalidate_behind(asking, found, handler)
                    return response
                found = Found(None, found.all)  # its body no longer exists
            if asking.directives.only_if_cached or asking.options.mode == "only-if-cached":
                return self._noted(
                    not_cached(request), CacheStatus(reason=self._why(asking, found, use))
                )
            if (
                waited
                or treatment is not Treatment.LOOK
                or asking.range is not None
                or asking.has_conditions
            ):
                return await self._send(asking, found, handler, use, None)
            key = self._flight_key(asking, found)
            flight = self._flights.of(key)
            if flight is None:
                flight = self._flights.begin(key, self.store.max_entry)
                return await self._send(asking, found, handler, use, flight)
            landing = await self._wait(asking, flight)
            asking.collapsed = True
            if landing is Landing.LEAD:
                return await self._send(asking, found, handler, use, flight)
            waited = True

    def _asking(self, request: Request) -> Asking:
        asking = Asking(request, self.rules, self._partition, self._settings.shared, self._usual)
        if request.own_headers is None:
            self._usual = asking.facts
        return asking

    async def _wait(self, asking: Asking, flight: Flight) -> Landing:
        """Wait for the call that asks for the same, within the call's total limit."""
        self._counts.collapsed += 1
        request = asking.request
        limit = asyncio.timeout_at(request.deadline)
        try:
            async with limit:
                return await flight.wait()
        except TimeoutError as error:
            raise TotalTimeoutError(
                request.method, request.url, request.timeout.total, "no response"
            ) from error

    @staticmethod
    def _flight_key(asking: Asking, found: Found) -> object:
        """Return what is equal in requests that wait for each other: the key, and the fields that matter."""
        names = {name for stored in found.all for name, _ in stored.entry.vary}
        if not names:
            return asking.key, asking.facts.negotiated
        ordered = tuple(sorted(names))
        return asking.key, variant_of(ordered, asking.all_fields(ordered))

    # What is stored

    async def _find(self, asking: Asking) -> Found:
        memory = self._memory
        stored = await self._look(asking.key) if memory is None else memory.find_nowait(asking.key)
        found = self._choose(asking, stored) if stored else NOTHING
        if found.chosen is None and self._searches:
            uri = asking.key.uri
            for ignored in self._searches.get(uri.partition("?")[0], ()):
                more = await self._look(asking.key._replace(uri=ignored.applied(uri)))
                if (other := self._choose(asking, more)).chosen is not None:
                    return other
        return found

    async def _look(self, key: Key) -> Sequence[Stored]:
        if self._memory is not None:
            return self._memory.find_nowait(key)
        try:
            stored = await self.store.find(key)
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self._failed(error)
            return ()
        self._is_down = False
        return stored

    @staticmethod
    def _choose(asking: Asking, all_: Sequence[Stored]) -> Found:
        """Return the response that answers the request: the newest one that matches (section 4.1)."""
        chosen: Stored | None = None
        for stored in all_:
            entry = stored.entry
            if entry.is_partial and (asking.range is None or part_for(asking.range, entry) is None):
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

    def _known(self, entry: Entry) -> Known:
        known: Known | None = entry.known
        if known is None or known.settings is not self._settings:
            directives = response_directives(entry.fields, self._settings.targets)
            known = Known(
                self._settings, directives, freshness_of(entry, directives, self._settings)
            )
            entry.known = known
        return known

    def _freshness(self, asking: Asking, entry: Entry) -> Freshness:
        """Return how long *entry* is fresh for this call."""
        freshness = self._known(entry).freshness
        ttl = asking.ttl
        if ttl is not None and entry.status in KEPT_ON_REQUEST:
            return replace(freshness, lifetime=ttl)
        return freshness

    def _use(self, asking: Asking, found: Found) -> Use | None:
        """Return how the stored response may be used for the request; None if there is none."""
        if found.chosen is None:
            return None
        entry, mode = found.chosen.entry, asking.options.mode
        if mode == "reload":
            return Use.ASK_ON_REQUEST
        directives, freshness = self._known(entry).directives, self._freshness(asking, entry)
        age = age_of(entry, freshness, self._clock())
        if mode in ("force-cache", "only-if-cached"):
            return Use.FRESH if freshness.lifetime > age else Use.STALE
        if asking.has_conditions and is_unchanged(asking.fields, entry) is None:
            return Use.ASK_ON_REQUEST
        asked = asking.directives
        if mode == "no-cache":
            asked = replace(asked, max_age=-1, max_stale=None)
        use = use_of(directives, freshness, age, asked, self._settings)
        if asking.range is not None and (part_for(asking.range, entry) is None or use is Use.ASK):
            return Use.ASK
        return use

    @staticmethod
    def _why(asking: Asking, found: Found, use: Use | None) -> Reason:
        """Return why the server is asked, in the words of RFC 9211, section 2.2."""
        if found.chosen is None:
            return "vary-miss" if found.all else "uri-miss"
        if use is Use.ASK_ON_REQUEST:
            return "request"
        if asking.range is not None and part_for(asking.range, found.chosen.entry) is None:
            return "partial"
        return "stale"

    async def _hit(
        self, asking: Asking, found: Found, use: Use, detail: str | None = None
    ) -> ClientResponse | None:
        """Return the stored response; None if its body no longer exists."""
        stored = found.chosen
        if stored is None:
            return None
        entry = stored.entry
        freshness = self._freshness(asking, entry)
        age = age_of(entry, freshness, self._clock())
        response = await self._respond(asking, stored, age)
        if response is None:
            return None
        self._counts.hits += 1
        if use is not Use.FRESH:
            self._counts.stale += 1
        status = CacheStatus(
            hit=True, ttl=freshness.lifetime - age, collapsed=asking.collapsed, detail=detail
        )
        return self._noted(response, status)

    async def _respond(self, asking: Asking, stored: Stored, age: float) -> ClientResponse | None:
        """Return the stored response, or the part or the 304 that the request asks for."""
        entry, request, part = stored.entry, asking.request, None
        if asking.has_conditions and is_unchanged(asking.fields, entry):
            return not_modified(request, entry, age)
        if asking.range is not None and allows_range(asking.fields, entry):
            part = part_for(asking.range, entry)
        if asking.treatment is Treatment.HEAD:
            return answer(request, entry, age, b"", None)
        try:
            body = await content_of(self.store, stored, part)
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self._failed(error)
            return None
        return None if body is None else answer(request, entry, age, body, part)

    # The server

    async def _send(
        self,
        asking: Asking,
        found: Found,
        handler: Handler,
        use: Use | None,
        flight: Flight | None,
    ) -> ClientResponse:
        """Ask the server, and store its response; report the result to the calls that wait in *flight*."""
        reason = self._why(asking, found, use)
        try:
            response = await self._exchange(asking, found, handler, reason, flight)
        except asyncio.CancelledError:
            if flight is not None:
                flight.leave()
            raise
        except BaseException:
            if flight is not None:
                flight.land(Landing.ALONE)
            raise
        return response

    def _usual_key(self, request: Request) -> object:
        """Return a key for requests that ask nothing special of a cache; None if this one does."""
        usual, options = self._usual, request.options
        if (
            usual is None
            or not usual.is_plain
            or request.fields is not usual.fields
            or request.method != "GET"
            or options.cache is not None
            or request.content is not None
            or self.rules
            or self._partition is not None
        ):
            return None
        if self._settings.shared:
            return request.url, options.ssl is False
        return request.url, request.partition(), request.offered_cookie(), options.ssl is False

    async def _send_plainly(
        self, request: Request, usual: object, handler: Handler
    ) -> ClientResponse:
        """Send a request whose last response could not be stored: nothing is stored, and no call waits."""
        sent = self._clock()
        response = await handler(request)
        fields, why = response.headers, None
        if "Cache-Control" in fields:
            directives = response_directives(fields, self._settings.targets)
            if directives.no_store and not directives.must_understand:
                why = "no-store"
        elif not self._settings.stale_if_error and _says_nothing(fields):
            why = "it would never be used"
        if why is not None:
            self._counts.misses += 1
            note_cache_status(response, _unstored_status(response.status, why))
            return response
        asking = self._asking(request)
        asking.usual_key = usual or self._usual_key(request)
        self._counts.misses += 1
        return self._store(asking, NOTHING, response, "uri-miss", sent, self._clock(), None)

    async def _exchange(
        self, asking: Asking, found: Found, handler: Handler, reason: Reason, flight: Flight | None
    ) -> ClientResponse:
        chosen = found.chosen
        conditions = NO_CONDITIONS
        if (
            chosen is not None
            and asking.treatment is not Treatment.SEND
            and not (asking.has_conditions or asking.range is not None)
        ):
            conditions = conditions_for(chosen.entry)
        sent = self._clock()
        try:
            response = await handler(_outgoing(asking, conditions))
        except CALL_ERRORS as error:
            instead = await self._instead(asking, found, type(error).__name__)
            if instead is None:
                raise
            if flight is not None:
                flight.land(Landing.ALONE)
            return instead
        if response.status in ERRORS:
            instead = await self._instead(asking, found, f"status {response.status}")
            if instead is not None:
                await _drop(response)
                if flight is not None:
                    flight.land(Landing.ALONE)
                return instead
        received = self._clock()
        if response.status == 304 and chosen is not None:
            confirmed = await self._confirmed(
                asking, chosen, response, reason, sent, received, flight, own=bool(conditions)
            )
            if confirmed is not None:
                return confirmed
            if conditions:
                # The 304 is about another response than the stored one, or that one no longer exists: ask again.
                await _drop(response)
                return await self._exchange(asking, Found(None, found.all), handler, reason, flight)
        self._counts.misses += 1
        if asking.treatment is Treatment.HEAD:
            await self._updated_by_head(asking, found, response, sent, received)
            return self._noted(response, CacheStatus(reason=reason, status=response.status))
        return self._store(asking, found, response, reason, sent, received, flight)

    async def _instead(self, asking: Asking, found: Found, detail: str) -> ClientResponse | None:
        """Return the stored response that replaces an error of the server; None if none may."""
        chosen = found.chosen
        if chosen is None:
            return None
        known, freshness = self._known(chosen.entry), self._freshness(asking, chosen.entry)
        age = age_of(chosen.entry, freshness, self._clock())
        if not stands_in(known.directives, freshness, age, asking.directives, self._settings):
            return None
        return await self._hit(asking, found, Use.STALE, detail)

    async def _confirmed(
        self,
        asking: Asking,
        chosen: Stored,
        response: ClientResponse,
        reason: Reason,
        sent: float,
        received: float,
        flight: Flight | None,
        *,
        own: bool,
    ) -> ClientResponse | None:
        """Return the response after a 304; None if the 304 does not confirm the stored response.

        *own* is whether the condition was the cache's; otherwise the user gets the 304.
        """
        if not confirms(chosen.entry, response.headers):
            return None
        entry = updated(chosen.entry, response.headers, sent, received, self._settings)
        kept = entry is not None
        if entry is None:
            entry = chosen.entry
        stored = Stored(entry, chosen.body)
        freshness = self._freshness(asking, entry)
        age = age_of(entry, freshness, self._clock())
        status = CacheStatus(
            reason=reason,
            status=304,
            ttl=freshness.lifetime - age if kept else None,
            stored=kept,
            collapsed=asking.collapsed,
        )
        result: ClientResponse | None = response
        if own:
            result = await self._respond(asking, stored, age)
        if kept:
            await self._tell(self.store.update(entry))
        else:
            await self._tell(self.store.delete(entry.uri, entry.id))
        if result is None:
            return None
        self._counts.revalidated += 1
        if own:
            await _drop(response)
        if flight is not None:
            flight.land(Landing.LOOK if kept else Landing.ALONE)
        return self._noted(result, status)

    async def _updated_by_head(
        self,
        asking: Asking,
        found: Found,
        response: ClientResponse,
        sent: float,
        received: float,
    ) -> None:
        """Update the stored response by the answer to HEAD, or delete it if it has changed (section 4.3.5)."""
        if found.chosen is None or response.status != 200:
            return
        entry = found.chosen.entry
        newer = None
        if agrees(entry, response.headers):
            newer = updated(entry, response.headers, sent, received, self._settings)
        if newer is None:
            await self._tell(self.store.delete(entry.uri, entry.id))
        else:
            await self._tell(self.store.update(newer))

    def _store(
        self,
        asking: Asking,
        found: Found,
        response: ClientResponse,
        reason: Reason,
        sent: float,
        received: float,
        flight: Flight | None,
    ) -> ClientResponse:
        """Store *response* while it is read, if that is allowed; return it."""
        entry, why = self._entry_for(asking, response, sent, received)
        if entry is None:
            if flight is not None:
                flight.land(Landing.ALONE)
            if not found.all and asking.usual_key is not None:
                self._note_unstored(asking.usual_key)
            status = CacheStatus(False, reason, response.status, None, False, asking.collapsed, why)
            note_cache_status(response, status)
            return response
        same = [
            stored.entry.id
            for stored in found.all
            if stored.entry.vary == entry.vary and stored.entry.range == entry.range
        ]
        oldest = [stored.entry.id for stored in found.all[: -MAX_VARIANTS + 1]]
        stored = self._record(response, entry, [*same, *oldest], asking, flight)
        freshness = self._freshness(asking, entry)
        status = CacheStatus(
            reason=reason,
            status=response.status,
            ttl=freshness.lifetime - freshness.initial_age if stored else None,
            stored=stored,
            collapsed=asking.collapsed,
        )
        return self._noted(response, status)

    def _entry_for(
        self, asking: Asking, response: ClientResponse, sent: float, received: float
    ) -> tuple[Entry | None, str | None]:
        """Return the entry for *response*, or the reason why it is not stored."""
        fields, status = response.headers, response.status
        directives = response_directives(fields, self._settings.targets)
        ttl = self._ttl(asking, status, fields, directives, received)
        asked = Asked(
            asking.method,
            asking.directives,
            self._settings.shared and "Authorization" in asking.all_fields(("authorization",)),
            ttl,
            asking.method == "POST",
        )
        why = why_not(asked, status, fields, directives, self._settings, received)
        if why is None and (response.content_length or 0) > self.store.max_entry:
            why = "too large"
        if why is not None:
            return None, why
        kept = stored_fields(fields, directives, self._settings)
        if "Date" not in kept:
            kept["Date"] = http_date(received)
        names = names_of(fields)
        part = content_range(fields) if status == 206 else None
        uri = asking.key.uri
        if self._searches is not None and (ignored := ignored_by(fields)) is not None:
            self._note_search(uri, ignored)
            uri = ignored.applied(uri)
        return (
            Entry(
                uri=uri,
                space=asking.key.space,
                id=f"{self._name}{next(self._numbers):x}",
                status=status,
                reason=response.reason,
                version=(response.version.major, response.version.minor),
                fields=CIMultiDictProxy(kept),
                vary=variant_of(names, asking.all_fields(names)),
                requested=sent,
                received=received,
                ttl=ttl,
                start=0 if part is None else part.start,
                complete=None if part is None else part.complete,
                range=None if part is None else asking.range,
            ),
            None,
        )

    def _ttl(
        self,
        asking: Asking,
        status: int,
        fields: Fields,
        directives: ResponseDirectives,
        received: float,
    ) -> float | None:
        """Return the lifetime that the user sets for a response; None to use its fields."""
        if asking.ttl is not None:
            return asking.ttl if status in KEPT_ON_REQUEST else None
        rule = asking.rule
        if rule is None or status not in rule.statuses:
            return None
        explicit = explicit_lifetime(fields, directives, self._settings, received)
        return rule.ttl if explicit is None or rule.override else None

    def _record(
        self,
        response: ClientResponse,
        entry: Entry,
        replaced: Sequence[str],
        asking: Asking,
        flight: Flight | None,
    ) -> bool:
        """Store the body of *response* while it is read; return whether it will be stored."""
        session = asking.request.session
        try:
            writer = self.store.begin(entry, replaced)
            raw = whole_body(response)
            if raw is not None and self._memory is not None:
                return self._put(entry, writer, raw, asking, flight)
            recorder = Recorder(
                entry,
                writer,
                self.store.max_entry,
                flight,
                self._failed,
                lambda coroutine: self._work.write(session, coroutine),
            )
            response.tee(recorder.write, recorder.end)
        except Exception as error:  # noqa: BLE001  (a store may raise anything; who read a part of it has it)
            if not isinstance(error, RuntimeError):
                self._failed(error)
            if flight is not None:
                flight.land(Landing.ALONE)
            return False
        self._counts.stored += 1
        if asking.usual_key is not None:
            self._unstored.pop(asking.usual_key, None)
        if flight is not None and not recorder.is_done:
            flight.carry(response.content)
        return True

    def _put(
        self, entry: Entry, writer: Writer, body: bytes, asking: Asking, flight: Flight | None
    ) -> bool:
        """Store a *body* that is already in memory."""
        entry.size = len(body)
        is_stored = entry.size <= self.store.max_entry
        if is_stored:
            writer.write(body)
            writer.commit(entry)
            self._counts.stored += 1
            if asking.usual_key is not None:
                self._unstored.pop(asking.usual_key, None)
        if flight is not None:
            flight.land(Landing.LOOK if is_stored else Landing.ALONE)
        return is_stored

    # Behind

    def _revalidate_behind(self, asking: Asking, found: Found, handler: Handler) -> None:
        """Validate the response that was just used, in the background."""
        key = self._flight_key(asking, found)
        if self._flights.of(key) is not None or self._work.behind >= self._max_background:
            return
        flight = self._flights.begin(key, self.store.max_entry)
        self._work.revalidate(
            asking.request.session, self._revalidate(asking, found, handler, flight)
        )

    async def _revalidate(
        self, asking: Asking, found: Found, handler: Handler, flight: Flight
    ) -> None:
        request = asking.request.beside(asyncio.get_running_loop().time())
        asking = self._asking(request)
        trace = request.trace
        try:
            async with asyncio.timeout_at(request.deadline):
                if trace is not None:
                    await trace.request_start(None)
                response = await self._send(asking, found, handler, Use.ASK, flight)
                async for _ in response.content.iter_raw():
                    pass  # reading the body stores it
                if trace is not None:
                    await trace.request_end(response)
        except Exception as error:  # noqa: BLE001  (nobody waits for it)
            _log.debug("%s: revalidation behind a response failed: %r", request.label, error)
            flight.land(Landing.ALONE)
            if trace is not None:
                await trace.request_exception(error)
        except asyncio.CancelledError:
            flight.leave()
            raise

    # Around

    async def _pass(self, asking: Asking, handler: Handler) -> ClientResponse:
        """Send a request that the cache does not answer, and delete what it invalidates (section 4.4)."""
        request = asking.request
        sent = self._clock()
        response = await handler(_outgoing(asking, {}))
        urls = invalidated(
            request.method, request.url, request.origin, response.status, response.headers
        )
        for url in urls:
            await self.delete(url)
        bypass = asking.method in ("GET", "HEAD") or asking.options.cacheable is False
        if not bypass and self._is_own_answer(asking, response):
            asking.as_reading(self._partition, self._settings.shared)
            return self._store(
                asking, Found(None, ()), response, "method", sent, self._clock(), None
            )
        reason: Reason = "bypass" if bypass else "method"
        return self._noted(response, CacheStatus(reason=reason, status=response.status))

    @staticmethod
    def _is_own_answer(asking: Asking, response: ClientResponse) -> bool:
        """Tell whether the response to POST is the one that GET would get (RFC 9110, section 9.3.3)."""
        location = response.headers.get("Content-Location")
        if asking.request.method != "POST" or location is None or response.status != 200:
            return False
        try:
            return uri_of(resolved(asking.request.url, location)) == asking.key.uri
        except ValueError:
            return False

    # What users call

    async def delete(self, url: str | URL) -> int:
        """Delete the responses that are stored for *url*; return how many there were.

        Raises:
            ValueError: *url* is not a URL.
        """
        uri = uri_of(url_of(url) if isinstance(url, str) else url)
        uris = [uri]
        if self._searches:
            known = self._searches.get(uri.partition("?")[0], ())
            uris += [ignored.applied(uri) for ignored in known]
        return sum([await self._tell(self.store.delete(each)) or 0 for each in uris])

    async def clear(self) -> int:
        """Delete everything; return how many responses there were."""
        return await self.store.clear()

    def __aiter__(self) -> AsyncIterator[Entry]:
        return self.store.entries()

    async def statistics(self) -> CacheStatistics:
        """Return the counts, and those of the store."""
        counts = self._counts
        return CacheStatistics(
            counts.hits,
            counts.stale,
            counts.revalidated,
            counts.misses,
            counts.stored,
            counts.collapsed,
            counts.errors,
            await self._tell(self.store.statistics()),
        )

    async def close(self) -> None:
        """Close the store's files and connections, as the last session of the cache does."""
        await self.store.close()

    # Sessions

    def attach(self, session: object) -> None:
        """Begin to serve *session*."""
        begin_use(self.store, session)

    async def detach(self, session: object) -> None:
        """Stop the tasks of *session*, and close the store if no other session uses it."""
        last = end_use(self.store, session)
        await self._work.end(session)
        if last:
            await self._tell(self.store.close())

    # The rest

    async def _tell(self, action: Awaitable[T]) -> T | None:
        """Await the store; return None if it raises."""
        try:
            return await action
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        """Log an exception of the store, once until it works again."""
        self._counts.errors += 1
        if not self._is_down:
            self._is_down = True
            _log.warning(
                "%s failed, and requests go on without it: %r", type(self.store).__name__, error
            )

    def _note_unstored(self, key: object) -> None:
        if len(self._unstored) >= MAX_UNSTORED:
            self._unstored.clear()
        self._unstored[key] = None

    def _note_search(self, uri: str, ignored: Ignored) -> None:
        if self._searches is None:
            return
        if len(self._searches) >= MAX_PATHS:
            self._searches.clear()
        known = self._searches.setdefault(uri.partition("?")[0], {})
        if len(known) < MAX_IGNORED:
            known[ignored] = None

    @staticmethod
    def _noted(response: ClientResponse, status: CacheStatus) -> ClientResponse:
        note_cache_status(response, status)
        return response

    def __repr__(self) -> str:
        shared = ", shared=True" if self._settings.shared else ""
        return f"<Cache({self.store!r}{shared})>"


def _says_nothing(fields: Fields) -> bool:
    """Tell whether a response without ``Cache-Control`` has no other caching fields either."""
    return not ("ETag" in fields or "Last-Modified" in fields or "Expires" in fields)


@lru_cache(maxsize=64)
def _unstored_status(status: int, why: str) -> CacheStatus:
    return CacheStatus(reason="uri-miss", status=status, detail=why)


async def _drop(response: ClientResponse) -> None:
    """Give up a response that is not returned."""
    await wait_for_end(response.release())


def _outgoing(asking: Asking, conditions: dict[str, str]) -> Request:
    """Return the request as it is sent: with the conditions, and the directives of the mode for caches on the way."""
    request, mode = asking.request, asking.options.mode
    if mode == "default" and not conditions:
        return request
    added = dict(conditions)
    if mode == "no-cache" and CACHE_CONTROL not in request.fields:
        added[CACHE_CONTROL] = "max-age=0"
    elif mode in ("no-store", "reload") and CACHE_CONTROL not in request.fields:
        added[CACHE_CONTROL] = "no-cache"
        if "Pragma" not in request.fields:
            added["Pragma"] = "no-cache"
    if not added:
        return request
    result = request.copy()
    result.headers.update(added)
    return result


def _seconds(argument: str, value: float) -> float:
    return seconds(argument, value) or 0.0 if value else 0.0


def _checked_store(store: object) -> Any:
    """Return *store* if it has all parts of a ``CacheStore``; refuse others."""
    missing = [name for name in _PARTS if not hasattr(store, name)]
    if isinstance(store, type) or missing:
        found = store.__name__ if isinstance(store, type) else type(store).__name__
        fault = (
            "the class itself" if isinstance(store, type) else f"which lacks {', '.join(missing)}"
        )
        raise TypeError(f"store must be a CacheStore, found {found}, {fault}")
    return store


_PARTS: Final = (
    "begin",
    "clear",
    "close",
    "delete",
    "entries",
    "find",
    "max_entry",
    "read",
    "statistics",
    "update",
)
