"""Under which key a response is stored (RFC 9111, section 2): the URI, and the space of that URI's responses.

- The URI is the whole one, in one spelling: no user, no password, no fragment; scheme and host in lower case, without
  the scheme's own port. A ``Host`` field that names another host than the URL is a part of it.
- The space keeps apart what must not be mixed: logins, keys of the user's, and bodies of requests. Its parts are
  written with their lengths, so that no two lists of parts read the same.
- With ``No-Vary-Search`` parameters of the query do not count that the origin says do not (option ``no_vary_search``).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from yarl import URL

from .directives import Fields


class Key(NamedTuple):
    """Under which *uri* and in which *space* of it a response is stored."""

    uri: str
    space: str


def uri_of(url: URL, host: str | None = None) -> str:
    """Return *url* as keys have it; *host* is what ``Host`` says, where that differs from it."""
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
    """Return *parts* as one text; another list of parts gives another text. Parts that are empty throughout give ""."""
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
    """What of a query does not count: the order, all parameters but some, or some."""

    order: bool = False
    every: bool = False
    names: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    def applied(self, uri: str) -> str:
        """Return *uri* without what does not count in its query."""
        path, mark, query = uri.partition("?")
        if not mark:
            return uri
        pairs = [pair for pair in query.split("&") if pair]
        left = [pair for pair in pairs if self._counts(unquote_plus(pair.partition("=")[0]))]
        if self.order:
            left.sort(key=lambda pair: pair.partition("=")[0])
        # A mark that no URL's query has: what was shortened is in a key of its own.
        return f"{path}?{'&'.join(left)} *"

    def _counts(self, name: str) -> bool:
        return name in self.kept if self.every else name not in self.names


def ignored_by(fields: Fields) -> Ignored | None:
    """Return what ``No-Vary-Search`` of a response says; None if it says nothing, or nothing that can be read."""
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
