"""Storing a response while it is read."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import count
from typing import Any, Final
from uuid import uuid4

from multidict import CIMultiDictProxy

from ...exceptions import ClientConnectionError
from ...message.cache_status import CacheStatus, Reason
from ...message.http_date import http_date
from ...response.client_response import (
    ClientResponse,
    is_given_decoded,
    note_cache_status,
    whole_body,
)
from .asking import Asking
from .directives import Fields, ResponseDirectives, response_directives
from .entry import Entry
from .flights import Flight, Landing
from .freshness import explicit_lifetime
from .lookup import Found, Lookup
from .memory import MemoryStore
from .ranges import content_range
from .sessions import Work
from .settings import CacheSettings
from .statistics import Counts
from .store import Stored, Writer
from .storing import KEPT_ON_REQUEST, Asked, stored_fields, why_not
from .unfailing import UnfailingStore
from .vary import names_of, variant_of

MAX_VARIANTS: Final = 64  # responses for one key; beyond that the oldest are deleted
MAX_UNSTORED: Final = 4096  # keys whose responses were not stored, so that no call waits for them

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class NotStoredError(Exception):
    """A body is larger than the store takes, or the store has failed."""


class BodyRecorder:
    """Stores a body while it is read; ``ClientResponse.tee()`` calls it with each piece.

    A body is not stored if it ends with an error, if it is larger than the store takes, or if its URL was invalidated
    meanwhile. *spawn* runs the coroutines that must be waited for.
    """

    __slots__ = ("_entry", "_flight", "_size", "_spawn", "_store", "_writer", "is_done")

    def __init__(
        self,
        store: UnfailingStore,
        entry: Entry,
        writer: Writer,
        flight: Flight | None,
        spawn: Spawn,
    ) -> None:
        self._store = store
        self._entry = entry
        self._writer = writer
        self._flight = flight
        self._spawn = spawn
        self._size = 0
        self.is_done: bool = False  # whether the body has ended, with or without an error

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._size += len(piece)
        if self._size > self._store.store.max_entry:
            raise NotStoredError
        try:
            self._writer.write(piece)
        except Exception as error:
            self._store.failed("write", error)
            raise NotStoredError from error

    def end(self, error: BaseException | None) -> None:
        """Store the body, unless it is incomplete."""
        self.is_done = True
        if error is None and (self._flight is None or not self._flight.is_over):
            self._commit()
            return
        try:
            self._writer.abort()
        except Exception as failure:  # noqa: BLE001  (a store may raise anything)
            self._store.failed("write", failure)
        if error is None or isinstance(error, NotStoredError):
            self._land(Landing.ALONE)
        elif self._flight is not None:
            self._flight.leave()  # the waiting calls may read the whole body

    def _commit(self) -> None:
        try:
            self._entry.size = self._size
            waiting = self._writer.commit(self._entry)
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self._store.failed("write", error)
            self._land(Landing.ALONE)
            return
        if waiting is None:
            self._store.works("write")
            self._land(Landing.LOOK)
        else:
            self._spawn(self._wait(waiting))

    async def _wait(self, waiting: Awaitable[None]) -> None:
        landing = Landing.ALONE
        try:
            await waiting
            self._store.works("write")
            landing = Landing.LOOK
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  (as above)
            self._store.failed("write", error)
        finally:
            self._land(landing)

    def _land(self, landing: Landing) -> None:
        if self._flight is not None:
            self._flight.land(landing)


class ResponseRecorder:
    """Stores responses while they are read, if the rules and the user allow it."""

    def __init__(
        self,
        store: UnfailingStore,
        counts: Counts,
        settings: CacheSettings,
        lookup: Lookup,
        work: Work,
    ) -> None:
        self._store = store
        self._counts = counts
        self._settings = settings
        self._lookup = lookup
        self._work = work
        self._name = f"{uuid4().hex[:20]}."
        self._numbers = count()
        self._unstored: dict[object, None] = {}

    def store(
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
        directives = response_directives(response.headers, self._settings.targets)
        entry, why = self._entry_for(asking, response, directives, sent, received)
        if entry is None:
            if flight is not None:
                flight.land(Landing.ALONE)
            if not found.all and asking.usual_key is not None:
                self._note_unstored(asking.usual_key)
            status = CacheStatus(False, reason, response.status, None, False, asking.collapsed, why)
            note_cache_status(response, status)
            return response
        replaced = _replaced(found.all, entry) if found.all else ()
        stored = self._record(response, entry, replaced, asking, flight)
        freshness = self._lookup.freshness(asking, entry, directives)
        status = CacheStatus(
            reason=reason,
            status=response.status,
            ttl=freshness.lifetime - freshness.initial_age if stored else None,
            stored=stored,
            collapsed=asking.collapsed,
        )
        note_cache_status(response, status)
        return response

    def _entry_for(
        self,
        asking: Asking,
        response: ClientResponse,
        directives: ResponseDirectives,
        sent: float,
        received: float,
    ) -> tuple[Entry | None, str | None]:
        """Return the entry for *response*, or the reason why it is not stored."""
        fields, status = response.headers, response.status
        ttl = self._ttl(asking, status, fields, directives, received)
        asked = Asked(
            asking.method,
            asking.directives,
            self._settings.shared and "Authorization" in asking.all_fields(("authorization",)),
            ttl,
            asking.method == "POST",
        )
        why = why_not(asked, status, fields, directives, self._settings, received)
        if why is None and (response.content_length or 0) > self._store.store.max_entry:
            why = "too large"
        if why is not None:
            return None, why
        kept = stored_fields(fields, directives, self._settings)
        if "Date" not in kept:
            kept["Date"] = http_date(received)
        names = names_of(fields)
        part = content_range(fields) if status == 206 else None
        return (
            Entry(
                uri=self._lookup.stored_uri(asking.key.uri, fields),
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
        if is_given_decoded(response):  # it would be decoded again where it is read
            if flight is not None:
                flight.land(Landing.ALONE)
            return False
        raw, memory = whole_body(response), self._store.memory
        if raw is not None and memory is not None:
            return self._put(memory, entry, raw, replaced, asking, flight)
        try:
            writer = self._store.store.begin(entry, replaced)
        except Exception as error:  # noqa: BLE001  (a store may raise anything)
            self._store.failed("write", error)
            if flight is not None:
                flight.land(Landing.ALONE)
            return False
        session = asking.request.session
        recorder = BodyRecorder(
            self._store,
            entry,
            writer,
            flight,
            lambda coroutine: self._work.write(session, coroutine),
        )
        try:
            response.tee(recorder.write, recorder.end)
        except (RuntimeError, ClientConnectionError):  # an inner middleware has read or released it
            recorder.end(NotStoredError())
            return False
        self._counts.stored += 1
        if asking.usual_key is not None:
            self._unstored.pop(asking.usual_key, None)
        if flight is not None and not recorder.is_done:
            flight.carry(response.content)
        return True

    def _put(
        self,
        memory: MemoryStore,
        entry: Entry,
        body: bytes,
        replaced: Sequence[str],
        asking: Asking,
        flight: Flight | None,
    ) -> bool:
        """Store a *body* that is already in memory."""
        entry.size = len(body)
        is_stored = entry.size <= memory.max_entry and (flight is None or not flight.is_over)
        if is_stored:
            memory.put(entry, body, replaced)
            self._counts.stored += 1
            if asking.usual_key is not None:
                self._unstored.pop(asking.usual_key, None)
        if flight is not None:
            flight.land(Landing.LOOK if is_stored else Landing.ALONE)
        return is_stored

    def was_not_stored(self, usual_key: object) -> bool:
        """Tell whether the last response for this key could not be stored."""
        return usual_key in self._unstored

    def _note_unstored(self, key: object) -> None:
        if len(self._unstored) >= MAX_UNSTORED:
            self._unstored.clear()
        self._unstored[key] = None


def _replaced(stored: Sequence[Stored], entry: Entry) -> list[str]:
    """Return the ids of what *entry* replaces: the same variant, and the oldest if there are too many."""
    same = [
        each.entry.id
        for each in stored
        if each.entry.vary == entry.vary and each.entry.range == entry.range
    ]
    return same + [each.entry.id for each in stored[: -MAX_VARIANTS + 1]]
