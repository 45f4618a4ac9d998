"""What a request asks of a cache: whether it may answer, under which key, and with which conditions."""

import hashlib
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from multidict import CIMultiDict

from ...message.cache_options import ASKS_NOTHING, CacheOptions
from ...message.headers import AUTHORIZATION, COOKIE, HOST, UPGRADE
from ...message.request import Request
from .directives import Fields, RequestDirectives, request_directives
from .keys import Key, space_of, uri_of
from .rules import CacheRule
from .validation import CONDITIONS

RANGE: Final = "Range"
_READING: Final = frozenset(("GET", "HEAD"))
_CREDENTIALS: Final = frozenset(("authorization", "cookie"))

PartitionFor = Callable[[Request], str]


class Treatment(Enum):
    """What a cache does with a request."""

    AROUND = "it is kept out"
    LOOK = "it looks what is stored"
    HEAD = "it looks what is stored, of which only the head is asked for"
    SEND = "the server is asked, and the response may be stored"


class Asking:
    """A request, as the cache sees it.

    ``method`` is the one whose rules count: GET for what the user lets count as such. ``rule`` is the first of the
    user's that fits. ``range`` is what ``Range`` says.
    """

    __slots__ = (
        "_all_fields",
        "collapsed",
        "directives",
        "fields",
        "has_conditions",
        "key",
        "method",
        "options",
        "range",
        "request",
        "rule",
        "treatment",
    )

    def __init__(
        self,
        request: Request,
        rules: Sequence[CacheRule],
        partition: PartitionFor | None,
        shared: bool,
    ) -> None:
        self.request: Request = request
        self.options: CacheOptions = request.options.cache or ASKS_NOTHING
        self.fields: Fields = request.fields
        self._all_fields: Fields | None = None
        self.method: str = request.method
        self.rule: CacheRule | None = None
        self.range: str | None = None
        self.has_conditions: bool = False
        self.collapsed: bool = False
        self.directives: RequestDirectives
        self.treatment: Treatment
        self.treatment, digest = self._choose(rules)
        self.key: Key = Key(
            uri_of(request.url, self._other_host()),
            "" if self.treatment is Treatment.AROUND else self._space(partition, shared, digest),
        )
        if self.treatment is not Treatment.AROUND:
            self.directives = request_directives(self.fields)
            self.range = self.fields.get(RANGE)
            self.has_conditions = not self.fields.keys().isdisjoint(CONDITIONS)

    def _choose(self, rules: Sequence[CacheRule]) -> tuple[Treatment, str]:
        """Return what is done with it, and a digest of its content if that is a part of its key."""
        request, options = self.request, self.options
        if options.cacheable is False or UPGRADE in self.fields:
            return Treatment.AROUND, ""
        if rules:
            url = str(request.url)
            self.rule = next((rule for rule in rules if rule.fits(self.method, url)), None)
        content = request.content
        if self.method not in _READING or content is not None:
            safe = options.cacheable is True or self.rule is not None
            if not safe or (content is not None and content.data is None):
                return Treatment.AROUND, ""
            data = b"" if content is None else content.data or b""
            digest = f"{self.method} {hashlib.sha256(data).hexdigest()}"
            self.method = "GET"
        else:
            digest = ""
        if options.mode in ("no-store", "reload"):
            return (Treatment.AROUND if options.mode == "no-store" else Treatment.SEND), digest
        return (Treatment.HEAD if self.method == "HEAD" else Treatment.LOOK), digest

    def _other_host(self) -> str | None:
        host = self.fields.get(HOST)
        return None if host is None or host == self.request.origin.host_field else host

    def _space(self, partition: PartitionFor | None, shared: bool, digest: str) -> str:
        request = self.request
        if partition is not None:
            who = partition(request)
        elif shared:
            who = ""
        else:
            who = request.partition()
            cookie = request.offered().get(COOKIE)
            if cookie is not None:
                cookie = hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest()
                who = f"{who} {cookie}"
        # What came over TLS that nobody has verified is not for a call that wants it verified.
        trust = "unverified" if request.options.ssl is False else ""
        return space_of(who, digest, trust)

    def as_reading(self, partition: PartitionFor | None, shared: bool) -> None:
        """Count as what stores its response for GET, though it is POST."""
        self.key = self.key._replace(space=self._space(partition, shared, ""))
        self.directives = request_directives(self.fields)

    @property
    def ttl(self) -> float | None:
        """The lifetime that the user gives the response of this call; None for what its fields say."""
        return self.options.ttl

    def all_fields(self, names: Sequence[str] = ()) -> Fields:
        """Return its fields, with those of credentials and jar if one of *names* is about them."""
        if _CREDENTIALS.isdisjoint(names):
            return self.fields
        if self._all_fields is None:
            fields: CIMultiDict[str] = CIMultiDict(self.fields)
            for name, value in self.request.offered().items():
                fields.setdefault(name, value)
            self._all_fields = fields
        return self._all_fields

    @property
    def is_authorized(self) -> bool:
        """Whether it goes out with ``Authorization``."""
        return AUTHORIZATION in self.fields or self.request.auth is not None
