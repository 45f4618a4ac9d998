"""The key under which a response is stored (RFC 9111, section 2): a URI, and a space of that URI.

- The URI is complete, in one spelling: no user, no password, no fragment; scheme and host in lower case, without the
  scheme's default port. If a ``Host`` field names another host than the URL, it is a part of the URI.
- The space separates what must not be mixed: logins, keys of the user's, and bodies of requests. Each of its parts is
  written with its length, so that two different lists of parts never give the same text.
- With the option ``no_vary_search``, query parameters are ignored that the origin lists in ``No-Vary-Search``.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from yarl import URL

from .directives import Fields


class Key(NamedTuple):
    """The *uri* and the *space* under which a response is stored."""

    uri: str
    space: str


def uri_of(url: URL, host: str | None = None) -> str:
    """Return *url* in the spelling of keys; *host* is the ``Host`` field, if it differs from the URL."""
    text = _uri_of(url)
    return text if host is None else f"{text} {len(host)}:{host.lower()}"


@lru_cache(maxsize=512)
def _uri_of(url: URL) -> str:
    path = url.raw_path or "/"
    query = url.raw_query_string
    default = {"http": 80, "https": 443}.get(url.scheme)
    host = (url.raw_host or "").lower()
    if ":" in host:
        host = f"[{host}]"
    port = "" if url.port is None or url.port == default else f":{url.port}"
    mark = "?" if query else ""
    return f"{url.scheme.lower()}://{host}{port}{path}{mark}{query}"


def space_of(*parts: str) -> str:
    """Return *parts* as one text, different for every list of parts; if all parts are empty, return ""."""
    if not any(parts):
        return ""
    return "".join([f"{len(part)}:{part}" for part in parts])


# No-Vary-Search (RFC 9998 in the making: draft-ietf-httpbis-no-vary-search)

_ITEM: Final = re.compile(
    r"""[ \t,]*([a-z][a-z0-9_\-]*)(?:=(\?[01]|\([^()]*\)))?[ \t]*(?=,|\Z)""", re.VERBOSE
).match
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"?').findall


@dataclass(frozen=True, slots=True)
class Ignored:
    """The parts of a query that are ignored: the order, all parameters except some, or some."""

    order: bool = False
    every: bool = False
    names: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    def applied(self, uri: str) -> str:
        """Return *uri* without the ignored parts of its query."""
        path, mark, query = uri.partition("?")
        if not mark:
            return uri
        pairs = [pair for pair in query.split("&") if pair]
        left = [pair for pair in pairs if self._counts(unquote_plus(pair.partition("=")[0]))]
        if self.order:
            left.sort(key=lambda pair: pair.partition("=")[0])
        # A mark that no URL's query has, so that shortened URIs have separate keys.
        return f"{path}?{'&'.join(left)} *"

    def _counts(self, name: str) -> bool:
        return name in self.kept if self.every else name not in self.names


def ignored_by(fields: Fields) -> Ignored | None:
    """Return the rules of a response's ``No-Vary-Search``; None if there are none, or they are invalid."""
    lines = fields.getall("No-Vary-Search", None)
    if lines is None:
        return None
    text, at = ",".join(lines), 0
    found: dict[str, str | None] = {}
    while at < len(text):
        item = _ITEM(text, at)
        if item is None:
            return None
        found[item[1]] = item[2]
        at = item.end()
    params = found.get("params", "?0")
    every = params in (None, "?1")
    result = Ignored(
        order=found.get("key-order", "?0") in (None, "?1"),
        every=every,
        names=frozenset() if params is None else frozenset(_STRING(params)),
        kept=frozenset(_STRING(found.get("except") or "")) if every else frozenset(),
    )
    return None if result == Ignored() else result
