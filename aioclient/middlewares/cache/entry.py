"""A stored response, without its body: what the rules use, and what stores keep."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from multidict import CIMultiDict, CIMultiDictProxy

from ...message.cache_options import FOREVER

_encoded: Final = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(slots=True, eq=False)
class Entry:
    """A stored response to GET (or to a method that a rule lets count as GET), without its body.

    Attributes:
        uri: the URI that it belongs to, as ``uri_of()`` writes it.
        space: the space of that URI: there is one for each login, key of the user's and content of a request.
        id: the name of its body in the store.
        status: of the response.
        reason: its reason phrase.
        version: of HTTP, as (1, 1).
        fields: its header fields, without those that are not stored.
        vary: names of the request fields that it depends on, in lower case, each with the normalised value of the
            request; None if the field was missing. Secret values are replaced by a hash.
        requested: when its request was sent, in seconds since the epoch.
        received: when it was received.
        size: bytes of its body, undecoded.
        ttl: the freshness lifetime that the user set, in seconds; None to use the fields.
        start: position of the first byte; more than 0 only if it is a part.
        complete: bytes of the whole, if it is a part; None if it is whole.
        range: the ``Range`` field that a part answers; None if it is whole.
        known: what a cache has computed from it; not stored.
        aged: its fields with the last computed ``Age``; not stored.
    """

    uri: str
    space: str
    id: str
    status: int
    reason: str
    version: tuple[int, int]
    fields: "CIMultiDictProxy[str]"
    vary: tuple[tuple[str, str | None], ...]
    requested: float
    received: float
    size: int = 0
    ttl: float | None = None
    start: int = 0
    complete: int | None = None
    range: str | None = None
    known: Any = field(default=None, repr=False)
    aged: "tuple[int, CIMultiDictProxy[str]] | None" = field(default=None, repr=False)

    @property
    def is_partial(self) -> bool:
        """Whether it is a part of a representation (status 206)."""
        return self.complete is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the stored values, in a form that JSON can encode."""
        return {
            "uri": self.uri,
            "space": self.space,
            "id": self.id,
            "status": self.status,
            "reason": self.reason,
            "version": list(self.version),
            "fields": [[name, value] for name, value in self.fields.items()],
            "vary": [[name, value] for name, value in self.vary],
            "requested": self.requested,
            "received": self.received,
            "size": self.size,
            "ttl": "forever" if self.ttl == FOREVER else self.ttl,
            "start": self.start,
            "complete": self.complete,
            "range": self.range,
        }

    def to_json(self) -> str:
        """Return the stored values as JSON."""
        return _encoded(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> "Entry":
        """Return the entry from the result of ``to_json()``.

        Raises:
            ValueError: it is not such a result.
        """
        try:
            return cls.from_dict(json.loads(text))
        except RecursionError:
            raise ValueError("it is no entry of a cache: it is nested too deeply") from None

    @classmethod
    def from_dict(cls, value: Any) -> "Entry":
        """Return the entry from the result of ``to_dict()``.

        Raises:
            ValueError: it is not such a result: a part is missing, or has the wrong type.
        """
        try:
            entry = cls(
                uri=_of(str, value["uri"]),
                space=_of(str, value["space"]),
                id=_of(str, value["id"]),
                status=_of(int, value["status"]),
                reason=_of(str, value["reason"]),
                version=_version(value["version"]),
                fields=CIMultiDictProxy(
                    CIMultiDict(
                        [(_of(str, name), _of(str, text)) for name, text in value["fields"]]
                    )
                ),
                vary=tuple(
                    (_of(str, name), None if text is None else _of(str, text))
                    for name, text in value["vary"]
                ),
                requested=_number(value["requested"]),
                received=_number(value["received"]),
                size=_of(int, value["size"]),
                ttl=_ttl(value["ttl"]),
                start=_of(int, value["start"]),
                complete=None if value["complete"] is None else _of(int, value["complete"]),
                range=None if value["range"] is None else _of(str, value["range"]),
            )
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"it is no entry of a cache: {error!r}") from error
        if not 200 <= entry.status <= 999 or entry.size < 0 or entry.start < 0:
            raise ValueError("it is no entry of a cache: a number is out of its range")
        return entry


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"expected {kind.__name__}, found {type(value).__name__}")
    return value


def _number(value: Any) -> float:
    number = float(_of((int, float), value))  # type: ignore[arg-type]
    if number != number or number in (FOREVER, -FOREVER):
        raise ValueError("it is no entry of a cache: a time is none")
    return number


def _ttl(value: Any) -> float | None:
    if value is None:
        return None
    return FOREVER if value == "forever" else _number(value)


def _version(value: Any) -> tuple[int, int]:
    major, minor = value
    return _of(int, major), _of(int, minor)
