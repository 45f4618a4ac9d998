"""A sender that keeps responses, by the library's rules of caches (RFC 9111)."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from hashlib import blake2b
from threading import RLock
from typing import Any, Final, NamedTuple, TypedDict, Unpack, overload

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ..message.headers import is_secret
from ..message.origin import origin_of
from ..middlewares.cache.directives import request_directives, response_directives
from ..middlewares.cache.entry import Entry
from ..middlewares.cache.freshness import age_of, explicit_lifetime, freshness_of
from ..middlewares.cache.invalidation import SAFE, invalidated
from ..middlewares.cache.keys import uri_of
from ..middlewares.cache.reuse import Use, use_of
from ..middlewares.cache.settings import CacheSettings
from ..middlewares.cache.storing import Asked, stored_fields, why_not
from ..middlewares.cache.updating import updated
from ..middlewares.cache.validation import CONDITIONS, conditions_for, confirms
from ..middlewares.cache.vary import Variant, names_of, variant_of
from ..session.urls import with_params
from .base import R_co, Sender
from .stepping import Send, SteppingSender, Steps, WaitFor
from .values import Request, Response, copy_of, own_response

# Statuses that are kept, and those that are kept if the server says how long.
KEPT: Final = frozenset((200, 203, 204, 300, 301, 308))
KEPT_WHEN_TOLD: Final = frozenset((302, 303, 307))
NOT_MODIFIED: Final = 304
DAY: Final = 86400.0  # seconds: the longest heuristic lifetime


class CachingOptions(TypedDict, total=False):
    """Arguments of a ``CachingSender`` beside tekore's."""

    shared: bool
    heuristic: bool
    clock: Callable[[], float]


class _Place(NamedTuple):
    """The key of the variants of a response: its URI, and the login it belongs to."""

    uri: str
    space: str


class _Stored(NamedTuple):
    entry: Entry
    response: Response


class _Fetch:
    """A response that is under way; not *current* if it was made invalid meanwhile."""

    __slots__ = ("current", "uri")

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.current = True


class CachingSender(SteppingSender[R_co]):
    """Keeps responses to GET, and returns them again as long as the server allows it.

    Responses that are not errors are kept (200, 203, 204, 300, 301, 308; 302, 303 and 307 with an explicit lifetime) if
    ``Cache-Control`` or ``Expires`` allows it and they are not ``private``. A stale response is revalidated with its
    validators, and a 304 makes it fresh again. Responses to different logins are kept apart. A method that changes
    something invalidates the responses of its URL. Each call gets a copy. If several calls want the same response at
    the same time, only one sends.

    Args:
        max_size: responses that are kept; beyond it those go that are stale and cannot be asked for, then the least
            recently used. None for any number, 0 for none.
        sender: the one within; a ``SyncSender`` by default.
        shared: whether ``private`` is obeyed: a cache of one user's own may keep those, too.
        heuristic: whether a response whose server says nothing is kept for a tenth of the time since it was changed
            (RFC 9111, section 4.2.2), and one with an ``ETag`` to be asked for.
        clock: tells the seconds since the epoch.

    Raises:
        TypeError, ValueError: an argument is not of its kind.
    """

    @overload
    def __init__(
        self: "CachingSender[Response]",
        max_size: int | None = None,
        sender: None = None,
        **options: Unpack[CachingOptions],
    ) -> None: ...

    @overload
    def __init__(
        self, max_size: int | None, sender: Sender[R_co], **options: Unpack[CachingOptions]
    ) -> None: ...

    @overload
    def __init__(
        self,
        max_size: int | None = None,
        *,
        sender: Sender[R_co],
        **options: Unpack[CachingOptions],
    ) -> None: ...

    def __init__(
        self,
        max_size: int | None = None,
        sender: Sender[R_co] | None = None,
        **options: Unpack[CachingOptions],
    ) -> None:
        if unknown := options.keys() - CachingOptions.__annotations__.keys():
            raise TypeError(f"CachingSender() has no arguments {sorted(unknown)}")
        if max_size is not None and (isinstance(max_size, bool) or not isinstance(max_size, int)):
            raise TypeError(f"max_size must be an int or None, found {type(max_size).__name__}")
        if max_size is not None and max_size < 0:
            raise ValueError(f"max_size={max_size}: give 0 or more, or None")
        self._max_size = max_size
        self._heuristic = options.get("heuristic", False)
        self._clock = options.get("clock", time.time)
        self._settings = CacheSettings(
            shared=options.get("shared", True),
            heuristic_limit=DAY if self._heuristic else 0.0,
        )
        self._lock = RLock()
        self._stored: OrderedDict[tuple[_Place, Variant], _Stored] = OrderedDict()
        self._names: dict[_Place, tuple[str, ...]] = {}  # those that the last response varies by
        self._flights: dict[_Place, Future[None]] = {}
        self._fetches: set[_Fetch] = set()
        super().__init__(sender)  # type: ignore[arg-type]

    @property
    def max_size(self) -> int | None:
        """Responses that are kept at most; None for any number."""
        return self._max_size

    def clear(self) -> None:
        """Forget all responses, also those that are under way."""
        with self._lock:
            self._stored.clear()
            self._names.clear()
            for fetch in self._fetches:
                fetch.current = False

    def _around(self, sender: Sender[Any]) -> Any:
        other = super()._around(sender)
        other._flights = {}  # one kind of sender cannot wait for the other
        return other

    def steps(self, request: Request) -> Steps:
        """Answer from what is kept, or send."""
        fields = CIMultiDict(request.headers or {})
        if request.method.upper() != "GET" or any(name in fields for name in CONDITIONS):
            url = _url_of(request)  # a sender within may change it
            response = own_response((yield Send(request)))
            self._invalidate(request.method.upper(), url, response)
            return response
        place = _place_of(request, fields)
        if (found := self._fresh(place, fields)) is not None:
            return found
        if (flight := self._flights.get(place)) is not None:
            yield WaitFor(flight)
            if (found := self._fresh(place, fields)) is not None:
                return found
        fetch = _Fetch(place.uri)
        with self._flight(place):
            with self._lock:
                self._fetches.add(fetch)
            try:
                return (yield from self._fetch(request, place, fields, fetch))
            finally:
                with self._lock:
                    self._fetches.discard(fetch)

    @contextmanager
    def _flight(self, place: _Place) -> Iterator[None]:
        """Let other calls wait for the response that is being fetched."""
        flight: Future[None] = Future()
        flight.set_running_or_notify_cancel()  # now no call that waits for it can cancel it
        mine = self._flights.setdefault(place, flight) is flight
        try:
            yield
        finally:
            if mine:
                del self._flights[place]
                flight.set_result(None)

    def _fetch(
        self, request: Request, place: _Place, fields: "CIMultiDict[str]", fetch: _Fetch
    ) -> Steps:
        stored = self._find(place, fields)
        asked = request
        if stored is not None and (conditions := conditions_for(stored.entry)):
            asked = copy_of(request)
            asked.headers = CIMultiDict(request.headers or {})
            asked.headers.update(conditions)
        sent = self._clock()
        response = own_response((yield Send(asked)))
        received = self._clock()
        answer = CIMultiDictProxy(CIMultiDict(response.headers))
        if response.status_code == NOT_MODIFIED and asked is not request and stored is not None:
            if not confirms(stored.entry, answer):
                response = own_response((yield Send(request)))
                self._keep(fetch, place, fields, response, sent, self._clock())
                return response
            return self._confirm(fetch, place, stored, answer, sent, received)
        self._keep(fetch, place, fields, response, sent, received)
        return response

    # What is kept

    def _find(self, place: _Place, fields: "CIMultiDict[str]") -> _Stored | None:
        with self._lock:
            key = place, variant_of(self._names.get(place, ()), fields)
            stored = self._stored.get(key)
            if stored is not None:
                self._stored.move_to_end(key)
            return stored

    def _fresh(self, place: _Place, fields: "CIMultiDict[str]") -> Response | None:
        """Return a copy of a response that may be used without revalidation."""
        stored = self._find(place, fields)
        if stored is None:
            return None
        use = self._use(stored.entry, self._clock(), fields)
        return stored.response.copy() if use in (Use.FRESH, Use.STALE) else None

    def _use(self, entry: Entry, now: float, fields: "CIMultiDict[str]") -> Use:
        directives = response_directives(entry.fields)
        freshness = freshness_of(entry, directives, self._settings)
        age = age_of(entry, freshness, now)
        return use_of(directives, freshness, age, request_directives(fields), self._settings)

    def _keep(
        self,
        fetch: _Fetch,
        place: _Place,
        fields: "CIMultiDict[str]",
        response: Response,
        sent: float,
        received: float,
    ) -> None:
        answer = CIMultiDictProxy(CIMultiDict(response.headers))
        names = names_of(answer)
        if not self._may_keep(fields, response, answer, received):
            if response.ok:
                self._forget(place, variant_of(self._names.get(place, ()), fields))
            return
        directives = response_directives(answer)
        variant = variant_of(names, fields)
        entry = Entry(
            uri=place.uri,
            space=place.space,
            id="",
            status=response.status_code,
            reason="",
            version=(1, 1),
            fields=CIMultiDictProxy(stored_fields(answer, directives, self._settings)),
            vary=variant,
            requested=sent,
            received=received,
            size=len(response.raw),
        )
        self._put(fetch, place, variant, _Stored(entry, response.copy()), received)

    def _may_keep(
        self,
        fields: "CIMultiDict[str]",
        response: Response,
        answer: "CIMultiDictProxy[str]",
        received: float,
    ) -> bool:
        status = response.status_code
        directives = response_directives(answer)
        if not self._heuristic and "Cache-Control" not in answer and "Expires" not in answer:
            return False
        if status in KEPT_WHEN_TOLD:
            lifetime = explicit_lifetime(answer, directives, self._settings, received)
            if lifetime is None:
                return False
        elif status not in KEPT:
            return False
        # Logins are kept apart by their place: no login's response is given to another.
        asked = Asked("GET", request_directives(fields), authorized=False)
        return why_not(asked, status, answer, directives, self._settings, received) is None

    def _put(
        self, fetch: _Fetch, place: _Place, variant: Variant, stored: _Stored, now: float
    ) -> None:
        if self._max_size == 0:
            return
        with self._lock:
            if not fetch.current:
                return
            self._names[place] = tuple(name for name, _ in variant)
            self._stored.pop((place, variant), None)
            if self._max_size is not None and len(self._stored) >= self._max_size:
                self._make_room(now)
            self._stored[place, variant] = stored

    def _make_room(self, now: float) -> None:
        """Drop what is stale and cannot be asked for, and, if there is nothing such, the least recently used."""
        nothing: CIMultiDict[str] = CIMultiDict()
        for place, variant in [
            key
            for key, stored in self._stored.items()
            if self._use(stored.entry, now, nothing) not in (Use.FRESH, Use.STALE)
            and not conditions_for(stored.entry)
        ]:
            self._forget(place, variant)
        while self._max_size is not None and len(self._stored) >= self._max_size:
            self._forget(*next(iter(self._stored)))

    def _confirm(
        self,
        fetch: _Fetch,
        place: _Place,
        stored: _Stored,
        answer: "CIMultiDictProxy[str]",
        sent: float,
        received: float,
    ) -> Response:
        """Make *stored* fresh again by a 304, and return it."""
        entry = updated(stored.entry, answer, sent, received, self._settings)
        response = stored.response.copy()
        if entry is None:
            self._forget(place, stored.entry.vary)
            return response
        response.headers = CIMultiDict(entry.fields)
        self._put(fetch, place, entry.vary, _Stored(entry, response.copy()), received)
        return response

    def _forget(self, place: _Place, variant: Variant) -> None:
        with self._lock:
            self._stored.pop((place, variant), None)
            if not any(key[0] == place for key in self._stored):
                self._names.pop(place, None)

    def _invalidate(self, method: str, url: URL, response: Response) -> None:
        """Forget what a method has changed (RFC 9111, section 4.4)."""
        if method in SAFE or not response.ok:
            return
        gone = {_uri_of(url)}
        with suppress(ValueError):  # an invalid URL
            changed = invalidated(
                method, url, origin_of(url), response.status_code, CIMultiDict(response.headers)
            )
            gone.update(map(_uri_of, changed))
        with self._lock:
            for place, variant in [key for key in self._stored if key[0].uri in gone]:
                self._forget(place, variant)
            for fetch in self._fetches:
                fetch.current = fetch.current and fetch.uri not in gone

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_size={self._max_size}, sender={self.sender!r})"


def _url_of(request: Request) -> URL:
    url = URL(request.url)
    params = {name: value for name, value in (request.params or {}).items() if value is not None}
    return with_params(url, params) if params else url


def _uri_of(url: URL) -> str:
    return uri_of(url) if url.absolute else str(url)


def _place_of(request: Request, fields: "CIMultiDict[str]") -> _Place:
    """Return the key of the response to *request*, which differs for each login."""
    secrets = sorted(f"{name.lower()}:{value}" for name, value in fields.items() if is_secret(name))
    space = blake2b("\n".join(secrets).encode(), digest_size=16).hexdigest() if secrets else ""
    return _Place(_uri_of(_url_of(request)), space)
