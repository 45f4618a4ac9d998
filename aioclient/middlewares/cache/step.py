"""The middleware that answers with stored responses, and stores new ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import ClassVar

from yarl import URL

from ...chain import Handler
from ...exceptions import TotalTimeoutError
from ...message.cache_options import FOREVER
from ...message.cache_status import CacheStatus
from ...message.request import Request
from ...message.timeout import seconds
from ...message.urls import url_of
from ...response.client_response import ClientResponse, note_cache_status
from .answers import not_cached
from .asking import Asking, PartitionFor, Requests, Treatment
from .behind import Behind
from .entry import Entry
from .flights import Flight, Flights, Landing
from .keys import uri_of
from .lookup import Found, Lookup, flight_key
from .memory import MemoryStore
from .recording import ResponseRecorder
from .reuse import Use
from .rules import CacheRule
from .sending import Sending
from .sessions import CLOSING, Work, begin_use, end_use
from .settings import CacheSettings
from .statistics import CacheStatistics, Counts
from .store import CacheStore, checked_store
from .unfailing import UnfailingStore


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
        self.store: CacheStore = MemoryStore() if store is None else checked_store(store)
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
        settings = CacheSettings(
            shared=bool(shared),
            heuristic_limit=_seconds("heuristic_limit", heuristic_limit),
            stale_if_error=_seconds("stale_if_error", stale_if_error),
            always_revalidate=bool(always_revalidate),
            targets=tuple(targets),
        )
        self._shared = settings.shared
        self._counts = Counts()
        self._store = UnfailingStore(self.store, self._counts)
        # A store that must be waited for might hang: then the session keeps to the call's deadline.
        self.tidy: bool = self._store.memory is not None
        self._work = Work()
        self._flights = Flights()
        self._requests = Requests(self.rules, partition, settings.shared)
        self._lookup = Lookup(
            self._store, self._counts, settings, clock, no_vary_search=no_vary_search
        )
        self._find = self._lookup.find if self.tidy else self._find_in_time
        self._recorder = ResponseRecorder(
            self._store, self._counts, settings, self._lookup, self._work
        )
        self._sending = Sending(
            self._store,
            self._counts,
            settings,
            clock,
            self._requests,
            self._flights,
            self._lookup,
            self._recorder,
            self._work,
        )
        self._behind = Behind(
            self._requests, self._sending, self._flights, self._work, max_background
        )

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        """Answer *request* with a stored response, or send it and store the response."""
        requests, lookup, sending = self._requests, self._lookup, self._sending
        usual = requests.usual_key(request)
        if usual is not None and self._recorder.was_not_stored(usual):
            return await sending.send_plainly(request, usual, handler)
        asking = requests.asking(request, usual)
        treatment = asking.treatment
        if treatment is Treatment.AROUND:
            return await sending.send_around(asking, handler)
        waited = looked_again = False
        while True:
            found = await self._find(asking)
            decision = lookup.decide(asking, found)
            use = decision.use
            if found.chosen is not None and use is not Use.ASK and use is not Use.ASK_ON_REQUEST:
                response = await lookup.hit(asking, found.chosen, decision)
                if response is not None:
                    if use is Use.BEHIND:
                        self._behind.begin(asking, found, handler, self.store.max_entry)
                    return response
                found = Found(None, found.all)  # its body no longer exists
            if asking.directives.only_if_cached or asking.options.mode == "only-if-cached":
                response = not_cached(request)
                note_cache_status(response, CacheStatus(reason=lookup.why(asking, found, use)))
                return response
            if (
                waited
                or treatment is not Treatment.LOOK
                or asking.range is not None
                or asking.has_conditions
            ):
                return await sending.send(asking, found, handler, use, None)
            key = flight_key(asking, found)
            flight = self._flights.of(key)
            if flight is None:
                if found.is_outdated and not looked_again:
                    looked_again = True
                    continue
                flight = self._flights.begin(key, self.store.max_entry)
                return await sending.send(asking, found, handler, use, flight)
            landing = await self._wait(asking, flight)
            asking.collapsed = True
            if landing is Landing.LEAD:
                return await sending.send(asking, found, handler, use, flight)
            waited = True

    async def _find_in_time(self, asking: Asking) -> Found:
        """Return what is stored for the request, in a store that takes time for it."""
        with self._flights.look(asking.key) as look:
            found = await self._lookup.find(asking)
        return found._replace(is_outdated=look.is_outdated)

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

    # What users call

    async def delete(self, url: str | URL) -> int:
        """Delete the responses that are stored for *url*; return how many there were.

        Raises:
            ValueError: *url* is not a URL.
        """
        uri = uri_of(url_of(url) if isinstance(url, str) else url)
        self._flights.end_for(uri)
        return await self._lookup.delete(uri)

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
            await self._store.tell(self.store.statistics()),
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
            await self._store.tell(asyncio.wait_for(self.store.close(), CLOSING))

    def __repr__(self) -> str:
        shared = ", shared=True" if self._shared else ""
        return f"<Cache({self.store!r}{shared})>"


def _seconds(argument: str, value: float) -> float:
    return FOREVER if value == FOREVER else seconds(argument, value) or 0.0 if value else 0.0
