"""Cookies as JSON: our own format, and aiohttp's.

Ours is an object with ``format``, ``version`` and ``cookies``, a list in the order of creation. aiohttp's (3.14
and later) is an object whose keys are ``domain|path``.
"""

import json
import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal

from .acceptance import deadline_of, restore
from .cookie import Cookie
from .parsing import SetCookie

JarFormat = Literal["aioclient", "aiohttp"]

FORMAT = "aioclient-cookies"
VERSION = 1

_log = logging.getLogger("aioclient.cookies")
_TEXTS = ("name", "value", "coded_value", "domain", "path", "same_site")
_FLAGS = ("host_only", "secure", "http_only")
# The exceptions for invalid entries.
_ODD = (KeyError, TypeError, AttributeError, ValueError, OverflowError)


def dump(cookies: list[Cookie], format: JarFormat = "aioclient") -> str:
    """Return *cookies* as the text of a file.

    Raises:
        ValueError: the *format* does not exist.
    """
    if format not in _DUMPS:
        raise ValueError(f"format={format!r}; it can be {', '.join(_DUMPS)}")
    return json.dumps(_DUMPS[format](cookies), indent=1) + "\n"


def _own_document(cookies: list[Cookie]) -> dict[str, Any]:
    records = [
        {key: getattr(cookie, key) for key in (*_TEXTS, *_FLAGS)} | {"expires": cookie.deadline}
        for cookie in cookies
    ]
    return {"format": FORMAT, "version": VERSION, "cookies": records}


def _aiohttp_document(cookies: list[Cookie]) -> dict[str, Any]:
    document: dict[str, dict[str, dict[str, object]]] = {}
    for cookie in cookies:
        record: dict[str, object] = {
            "key": cookie.name,
            "value": cookie.value,
            "coded_value": cookie.coded_value,
            "path": cookie.path,
        }
        facts = {
            "domain": cookie.domain,
            "secure": cookie.secure,
            "httponly": cookie.http_only,
            "samesite": cookie.same_site,
            "host_only": cookie.host_only,
        }
        record.update({key: value for key, value in facts.items() if value})
        if cookie.deadline is not None:
            record["expires_timestamp"] = cookie.deadline
        place = f"{cookie.domain}|{cookie.path.rstrip('/')}"
        document.setdefault(place, {})[cookie.name] = record
    return document


_DUMPS: Final[dict[str, Callable[[list[Cookie]], dict[str, Any]]]] = {
    "aioclient": _own_document,
    "aiohttp": _aiohttp_document,
}


def parse(text: str, source: str, quoted: bool, now: float) -> list[Cookie]:
    """Return the cookies of a file's *text*; *source* is for the message, *now* the start of an old Max-Age.

    An invalid entry is left out, and logged.

    Raises:
        ValueError: it is in neither format, or no entry is a valid cookie.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{source} is not JSON ({error}); a pickle of an older aiohttp is never loaded, for loading one can run "
            "any code: have that aiohttp write the cookies in another way"
        ) from error
    cookies = []
    found = False
    problem: Exception | None = None
    try:
        makers = _records(document, now)
    except _ODD as error:
        raise ValueError(f"{source} is not a file of cookies: {error!r}") from error
    for make in makers:
        try:
            record = make()
            verdict = restore(**record, quoted=quoted)
        except _ODD as error:
            problem = error
            continue
        found = True
        if isinstance(verdict, Cookie):
            cookies.append(verdict)
        else:
            _log.debug("cookie %r in %s was left out: %s", record["name"], source, verdict)
    if problem is not None:
        if not found:
            raise ValueError(f"{source} is not a file of cookies: {problem!r}") from problem
        # Without the reason, which may quote a value.
        _log.warning("%s: entries that are not cookies were left out", source)
    return cookies


def _records(document: Any, now: float) -> list[Callable[[], dict[str, Any]]]:
    """Return functions that make the records of *document*, each of which may raise by itself."""
    if not isinstance(document, dict):
        raise TypeError(f"an object was expected, found {type(document).__name__}")
    if "format" not in document:
        if document and not any("|" in place for place in document):
            raise ValueError("no key is a domain and a path")
        return [
            partial(_aiohttp_record, place, name, record, now)
            for place, named in document.items()
            for name, record in named.items()
        ]
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError(
            f"format {FORMAT!r}, version {VERSION} was expected, "
            f"found {document['format']!r}, version {document['version']!r}"
        )
    return [partial(_own_record, record) for record in document["cookies"]]


def _own_record(record: dict[str, Any]) -> dict[str, Any]:
    return {
        **{key: _text(record, key) for key in _TEXTS},
        **{key: _flag(record, key) for key in _FLAGS},
        "deadline": _time(record["expires"]),
    }


def _aiohttp_record(place: str, name: str, record: dict[str, Any], now: float) -> dict[str, Any]:
    domain, separator, path = place.partition("|")
    if not separator:
        raise ValueError(f"the key {place!r} is not a domain and a path")
    return {
        "name": name,
        "value": _text(record, "value"),
        "coded_value": _text(record, "coded_value"),
        "domain": domain,
        "path": _text({"path": "", **record}, "path") or path or "/",
        "host_only": bool(record.get("host_only")),
        "secure": bool(record.get("secure")),
        "http_only": bool(record.get("httponly")),
        "same_site": str(record.get("samesite") or "").capitalize(),
        "deadline": _aiohttp_time(record, now),
    }


def _aiohttp_time(record: dict[str, Any], now: float) -> float | None:
    if "expires_timestamp" in record:
        return _time(record["expires_timestamp"])
    # Before 3.14.1 the attributes were written as received.
    attributes = SetCookie("", "")
    for name in ("max-age", "expires"):
        attributes.set_attribute(name, str(record.get(name, "")))
    return deadline_of(attributes, now)


def _text(record: dict[str, Any], key: str) -> str:
    value = record[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} must be a string, found {value!r}")
    return value


def _flag(record: dict[str, Any], key: str) -> bool:
    value = record[key]
    if not isinstance(value, bool):
        raise TypeError(f"{key} must be true or false, found {value!r}")
    return value


def _time(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a time must be a number, found {value!r}")
    if not math.isfinite(when := float(value)):
        raise ValueError(f"a time must be finite, found {value!r}")
    return when
