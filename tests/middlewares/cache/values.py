"""Values that the tests of the rules are about."""

from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from aioclient.message.http_date import http_date
from aioclient.middlewares.cache.entry import Entry

NOW = 1_000_000_000.0  # Sun, 09 Sep 2001 01:46:40 GMT


def fields_of(*lines: str) -> "CIMultiDictProxy[str]":
    """Return header fields from their lines."""
    pairs = [line.partition(":") for line in lines]
    return CIMultiDictProxy(CIMultiDict([(name, value.strip()) for name, _, value in pairs]))


def entry_of(*lines: str, **changes: Any) -> Entry:
    """Return a stored response with these fields, which came NOW."""
    values: dict[str, Any] = {
        "uri": "http://a.example/",
        "space": "",
        "id": "1",
        "status": 200,
        "reason": "OK",
        "version": (1, 1),
        "fields": fields_of(*lines),
        "vary": (),
        "requested": NOW,
        "received": NOW,
    }
    return Entry(**{**values, **changes})


def date(name: str, seconds: float) -> str:
    """Return a field with the date that lies so many seconds after NOW."""
    return f"{name}: {http_date(NOW + seconds)}"
