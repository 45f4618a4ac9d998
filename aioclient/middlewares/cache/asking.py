"""What a request asks of a cache: whether a stored response may be used, under which key, with which conditions."""

import hashlib
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, cast
from uuid import uuid4
from weakref import WeakKeyDictionary

from multidict import CIMultiDict
from yarl import URL

from ...message.cache_options import ASKS_NOTHING, CacheOptions
from ...message.headers import HOST, UPGRADE
from ...message.origin import SSLOption
from ...message.request import Request
from .directives import ASKS_NOTHING as ASKS_NO_DIRECTIVE
from .directives import Fields, RequestDirectives, request_directives
from .keys import Key, space_of, uri_of
from .rules import CacheRule
from .validation import CONDITIONS
from .vary import Variant, variant_of

RANGE: Final = "Range"
_READING: Final = frozenset(("GET", "HEAD"))
_CREDENTIALS: Final = frozenset(("authorization", "cookie"))

# The request fields that responses usually depend on, as long as their ``Vary`` is unknown.
NEGOTIATED: Final = ("accept", "accept-encoding", "accept-language")

# The names of TLS contexts. They last as long as this process: a context does not reveal what it trusts, and whose
# certificate it has.
_contexts: "WeakKeyDictionary[Any, str]" = WeakKeyDictionary()

PartitionFor = Callable[[Request], str]


def trust_of(ssl: SSLOption) -> str:
    """Return how *ssl* verifies the server and whose certificate it has, as a text; "" for the default.

    A response from an unverified connection must not be used for a call that requires verification, nor one that was
    got with a client's certificate for a call without it.
    """
    if isinstance(ssl, bool):
        return "" if ssl else "unverified"
    if isinstance(ssl, str):
        return ssl
    fingerprint = getattr(ssl, "fingerprint", None)
    if fingerprint is not None:
        return f"pinned {fingerprint.hex()}"
    return f"context {_contexts.setdefault(ssl, uuid4().hex)}"


# What the key of a request is made of, if it asks nothing special of a cache: its URL, its partition, the ``Cookie``
# field that the jar will set, and how the server is verified.
UsualKey = tuple[URL, str, str | None, str]


def space_for(who: str, cookie: str | None, digest: str, trust: str) -> str:
    """Return the space for what a key is made of; *digest* is that of the content."""
    if cookie is not None:
        hashed = hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest()
        who = f"{who} {hashed}"
    return space_of(who, digest, trust) if who or digest or trust else ""


class Treatment(Enum):
    """What a cache does with a request."""

    AROUND = "it is kept out"
    LOOK = "it looks what is stored"
    HEAD = "it looks what is stored, of which only the head is asked for"
    SEND = "the server is asked, and the response may be stored"


class Facts:
    """The fields of a request that matter to a cache; most requests of a session have the same fields."""

    __slots__ = (
        "_negotiated",
        "directives",
        "fields",
        "has_conditions",
        "host",
        "is_plain",
        "is_upgrade",
        "range",
    )

    def __init__(self, fields: Fields) -> None:
        self.fields: Fields = fields
        self.directives: RequestDirectives = request_directives(fields)
        self.range: str | None = fields.get(RANGE)
        self.has_conditions: bool = any(name in fields for name in CONDITIONS)
        self.is_upgrade: bool = UPGRADE in fields
        self.host: str | None = fields.get(HOST)
        self.is_plain: bool = (
            self.directives is ASKS_NO_DIRECTIVE
            and self.range is None
            and self.host is None
            and not self.has_conditions
            and not self.is_upgrade
        )
        self._negotiated: Variant | None = None

    @property
    def negotiated(self) -> Variant:
        """The values of the fields that responses usually depend on."""
        if self._negotiated is None:
            self._negotiated = variant_of(NEGOTIATED, self.fields)
        return self._negotiated


class Asking:
    """A request, as the cache sees it.

    ``method`` is the method whose rules apply: GET for a method that the user lets count as GET. ``rule`` is the user's
    first rule that matches. ``facts`` come from its fields: ``directives``, ``has_conditions`` (whether it has a
    condition that the user set) and ``range`` are taken from there. ``ttl`` is the lifetime that the user gives the
    response; None to use its fields.

    *usual* are the facts of an earlier request, *usual_key* what its key is made of, if it asks nothing special.
    """

    __slots__ = (
        "_all_fields",
        "collapsed",
        "directives",
        "facts",
        "fields",
        "has_conditions",
        "key",
        "method",
        "options",
        "range",
        "request",
        "rule",
        "treatment",
        "ttl",
        "usual_key",
    )

    def __init__(
        self,
        request: Request,
        rules: Sequence[CacheRule],
        partition: PartitionFor | None,
        shared: bool,
        usual: Facts | None = None,
        usual_key: UsualKey | None = None,
    ) -> None:
        self.request: Request = request
        self.options: CacheOptions = request.options.cache or ASKS_NOTHING
        self.ttl: float | None = self.options.ttl
        self.fields: Fields = request.fields
        facts = Facts(self.fields) if usual is None or usual.fields is not self.fields else usual
        self.facts: Facts = facts
        self.directives: RequestDirectives = facts.directives
        self.has_conditions: bool = facts.has_conditions
        self.range: str | None = facts.range
        self._all_fields: Fields | None = None
        self.method: str = request.method
        self.rule: CacheRule | None = None
        self.usual_key: UsualKey | None = usual_key
        self.collapsed: bool = False
        self.treatment: Treatment = Treatment.LOOK
        if usual_key is not None:
            url, who, cookie, trust = usual_key
            self.key: Key = Key(uri_of(url), space_for(who, cookie, "", trust))
            return
        digest = ""
        if (
            rules
            or self.method != "GET"
            or self.options is not ASKS_NOTHING
            or request.content is not None
            or facts.is_upgrade
        ):
            self.treatment, digest = self._choose(rules)
        uri = uri_of(request.url, self._other_host() if facts.host is not None else None)
        self.key = Key(
            uri,
            "" if self.treatment is Treatment.AROUND else self._space(partition, shared, digest),
        )

    def _choose(self, rules: Sequence[CacheRule]) -> tuple[Treatment, str]:
        """Return how to treat the request, and a digest of its content if that is a part of its key."""
        request, options = self.request, self.options
        if options.cacheable is False or self.facts.is_upgrade:
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
        host = self.facts.host
        return None if host == self.request.origin.host_field else host

    def _space(self, partition: PartitionFor | None, shared: bool, digest: str) -> str:
        request, cookie = self.request, None
        if partition is not None:
            who = partition(request)
            if not isinstance(cast(object, who), str):
                raise TypeError(
                    f"{request.label}: partition must return a str, found {type(who).__name__}"
                )
        elif shared:
            who = ""
        else:
            who, cookie = request.partition(), request.offered_cookie()
        options = request.options
        trust = "" if options.ssl is True else trust_of(options.ssl)
        if options.server_hostname is not None:
            trust = f"{trust} {options.server_hostname}"
        return space_for(who, cookie, digest, trust)

    def as_reading(self, partition: PartitionFor | None, shared: bool) -> None:
        """Treat POST as a request whose response is stored for GET."""
        self.key = self.key._replace(space=self._space(partition, shared, ""))

    def all_fields(self, names: Sequence[str] = ()) -> Fields:
        """Return its fields; those of credentials and the jar are included if one of *names* is among them."""
        if _CREDENTIALS.isdisjoint(names):
            return self.fields
        if self._all_fields is None:
            fields: CIMultiDict[str] = CIMultiDict(self.fields)
            for name, value in self.request.offered().items():
                fields.setdefault(name, value)
            self._all_fields = fields
        return self._all_fields


class Requests:
    """What the requests of a cache ask for, by its *rules* and *partition*.

    The facts of a request whose fields are the session's own are used again for the next one.
    """

    __slots__ = ("_partition", "_rules", "_shared", "_usual")

    def __init__(
        self, rules: Sequence[CacheRule], partition: PartitionFor | None, shared: bool
    ) -> None:
        self._rules = rules
        self._partition = partition
        self._shared = shared
        self._usual: Facts | None = None

    def asking(self, request: Request, usual_key: UsualKey | None = None) -> Asking:
        """Return *request* as the cache sees it; *usual_key* is its own, if it is known."""
        asking = Asking(request, self._rules, self._partition, self._shared, self._usual, usual_key)
        if usual_key is None:
            if request.own_headers is None:
                self._usual = asking.facts
            asking.usual_key = self.usual_key(request)
        return asking

    def as_reading(self, asking: Asking) -> None:
        """Treat POST as a request whose response is stored for GET."""
        asking.as_reading(self._partition, self._shared)

    def usual_key(self, request: Request) -> UsualKey | None:
        """Return what the key of *request* is made of; None if it asks something special of a cache."""
        usual, options = self._usual, request.options
        if (
            usual is None
            or not usual.is_plain
            or request.fields is not usual.fields
            or request.method != "GET"
            or options.cache is not None
            or request.content is not None
            or self._rules
            or self._partition is not None
            or options.server_hostname is not None
        ):
            return None
        trust = "" if options.ssl is True else trust_of(options.ssl)
        if self._shared:
            return request.url, "", None, trust
        return request.url, request.partition(), request.offered_cookie(), trust
