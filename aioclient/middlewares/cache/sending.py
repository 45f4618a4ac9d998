"""Asking the server: with the conditions of what is stored, and what becomes of the response."""

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from multidict import istr

from ...chain import Handler
from ...exceptions import CALL_ERRORS
from ...message.cache_status import CacheStatus, Reason
from ...message.request import Request
from ...message.urls import resolved
from ...response.client_response import ClientResponse, note_cache_status
from ...response.synthetic import wait_for_end
from .asking import Asking, Requests, Treatment, UsualKey
from .directives import Fields, response_directives
from .flights import Flight, Flights, Landing
from .freshness import age_of
from .invalidation import invalidated
from .keys import uri_of
from .lookup import NOTHING, Found, Lookup
from .recording import ResponseRecorder
from .reuse import ERRORS, Use
from .sessions import Work
from .settings import CacheSettings
from .statistics import Counts
from .store import Stored
from .unfailing import UnfailingStore
from .updating import agrees, updated
from .validation import conditions_for, confirms, names_only

NO_CONDITIONS: Final[dict[str, str]] = {}
CACHE_CONTROL: Final = istr("Cache-Control")


class Sending:
    """Sends the requests of a cache, and stores or updates what comes."""

    def __init__(
        self,
        store: UnfailingStore,
        counts: Counts,
        settings: CacheSettings,
        clock: Callable[[], float],
        requests: Requests,
        flights: Flights,
        lookup: Lookup,
        recorder: ResponseRecorder,
        work: Work,
    ) -> None:
        self._store = store
        self._counts = counts
        self._settings = settings
        self._clock = clock
        self._requests = requests
        self._flights = flights
        self._lookup = lookup
        self._recorder = recorder
        self._work = work

    async def send(
        self,
        asking: Asking,
        found: Found,
        handler: Handler,
        use: Use | None,
        flight: Flight | None,
    ) -> ClientResponse:
        """Ask the server, and store its response; report the result to the calls that wait in *flight*."""
        reason = self._lookup.why(asking, found, use)
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

    async def send_plainly(
        self, request: Request, usual: UsualKey, handler: Handler
    ) -> ClientResponse:
        """Send a request whose last response could not be stored: nothing is stored, and no call waits."""
        sent = self._clock()
        response = await handler(request)
        fields, why = response.headers, None
        if "Cache-Control" in fields:
            directives = response_directives(fields, self._settings.targets)
            if directives.no_store and not directives.must_understand:
                why = "no-store"
        elif not (self._settings.stale_if_error or self._settings.targets) and _says_nothing(
            fields
        ):
            why = "it would never be used"
        if why is not None:
            self._counts.misses += 1
            note_cache_status(response, _unstored_status(response.status, why))
            return response
        asking = self._requests.asking(request, usual)
        self._counts.misses += 1
        return self._recorder.store(
            asking, NOTHING, response, "uri-miss", sent, self._clock(), None
        )

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
            instead = await self._lookup.instead(asking, found, type(error).__name__)
            if instead is None:
                raise
            if flight is not None:
                flight.land(Landing.ALONE)
            return instead
        if response.status in ERRORS:
            instead = await self._lookup.instead(asking, found, f"status {response.status}")
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
            note_cache_status(response, CacheStatus(reason=reason, status=response.status))
            return response
        return self._recorder.store(asking, found, response, reason, sent, received, flight)

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
        asked = own or names_only(asking.fields, chosen.entry)
        if not confirms(chosen.entry, response.headers, asked=asked):
            return None
        entry = updated(chosen.entry, response.headers, sent, received, self._settings)
        kept = entry is not None
        if entry is None:
            entry = chosen.entry
        stored = Stored(entry, chosen.body)
        freshness = self._lookup.freshness(asking, entry)
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
            result = await self._lookup.respond(asking, stored, age)
        if kept:
            await self._store.tell(self._store.store.update(entry))
        else:
            await self._store.tell(self._store.store.delete(entry.uri, entry.id))
        if result is None:
            return None
        self._counts.revalidated += 1
        if own:
            await _drop(response)
        if flight is not None:
            flight.land(Landing.LOOK if kept else Landing.ALONE)
        note_cache_status(result, status)
        return result

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
            await self._store.tell(self._store.store.delete(entry.uri, entry.id))
        else:
            await self._store.tell(self._store.store.update(newer))

    async def send_around(self, asking: Asking, handler: Handler) -> ClientResponse:
        """Send a request that the cache does not answer, and delete what it invalidates (section 4.4)."""
        request = asking.request
        sent = self._clock()
        response = await handler(_outgoing(asking, {}))
        urls = invalidated(
            request.method, request.url, request.origin, response.status, response.headers
        )
        if urls:
            await self._invalidate(request, [uri_of(url) for url in urls])
        bypass = asking.method in ("GET", "HEAD") or asking.options.cacheable is False
        if not bypass and self._is_own_answer(asking, response):
            self._requests.as_reading(asking)
            return self._recorder.store(
                asking, NOTHING, response, "method", sent, self._clock(), None
            )
        reason: Reason = "bypass" if bypass else "method"
        note_cache_status(response, CacheStatus(reason=reason, status=response.status))
        return response

    async def _invalidate(self, request: Request, uris: Sequence[str]) -> None:
        """Delete what is stored for *uris*, even if the call is cancelled meanwhile: the server has made the change."""
        for uri in uris:
            self._flights.end_for(uri)
        if self._store.memory is not None:
            await self._delete(uris)
        else:
            await asyncio.shield(self._work.write(request.session, self._delete(uris)))

    async def _delete(self, uris: Sequence[str]) -> None:
        for uri in uris:
            await self._lookup.delete(uri)

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
