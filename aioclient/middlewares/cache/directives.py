"""Cache directives (RFC 9111, section 5.2), those of targeted fields (RFC 9213) too, as values.

The rules, each the cautious reading where the RFC leaves a choice:

- Names ignore case. An argument may be a token or a quoted string (section 5.2).
- A number is digits alone; whatever else stands there, a sign or a fraction, counts as 0: a response is stale then, and
  a request accepts nothing older (section 4.2.1). More than 2**31 counts as 2**31 (section 1.2.2).
- A directive that is there twice with two values has the smaller one.
- ``no-cache`` and ``private`` with names of fields concern these fields; without names, or with an empty list, the
  whole response, and so they do with what is no list of names. If both forms are there, the whole response counts.
- What cannot be read ends the element that it stands in, up to the next comma; the others count.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

Fields = CIMultiDict[str] | CIMultiDictProxy[str]

MAX_SECONDS: Final = 2**31

_ELEMENT: Final = re.compile(
    r"""[ \t,]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)  # a name
        (?:=(?:"((?:[^"\\]|\\.)*)"|([^",]*)))?  # quoted, or up to the next comma
        ([^,]*)""",  # and what does not belong there
    re.VERBOSE | re.DOTALL,
).match
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL).sub
_NO_ELEMENT: Final = re.compile(r"[^,]*,?").match


def parse_directives(text: str) -> Mapping[str, list[str | None]]:
    """Return the directives that *text*, all lines of a field joined by commas, lists: each with its arguments.

    None is a directive without an argument.
    """
    found: dict[str, list[str | None]] = {}
    at, size = 0, len(text)
    while at < size:
        element = _ELEMENT(text, at)
        if element is None:
            skipped = _NO_ELEMENT(text, at)
            at = size if skipped is None or skipped.end() == at else skipped.end()
            continue
        at = element.end()
        name, quoted, token, junk = element.groups()
        if quoted is not None:
            argument: str | None = _QUOTED_PAIR(r"\1", quoted)
            if junk.strip(" \t"):
                argument = f'"{argument}"{junk}'  # neither a number nor names
        elif token is not None:
            argument = (token + junk).strip(" \t")
        else:
            argument = junk.strip(" \t") or None
        found.setdefault(name.lower(), []).append(argument)
    return found


def _seconds(found: Mapping[str, list[str | None]], name: str) -> int | None:
    """Return the smallest number of a directive; None if it is not there."""
    arguments = found.get(name)
    return None if arguments is None else min(map(_number, arguments))


def _number(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit()):
        return 0
    return min(int(text), MAX_SECONDS) if len(text) <= 20 else MAX_SECONDS


def _names(found: Mapping[str, list[str | None]], name: str) -> tuple[bool, frozenset[str]]:
    """Return whether a directive is there for the whole response, and else the fields that it names."""
    named: set[str] = set()
    for argument in found.get(name, ()):
        names = {each.strip(" \t").lower() for each in (argument or "").split(",")} - {""}
        if not names or not all(map(_TOKEN, names)):
            return True, frozenset()
        named |= names
    return False, frozenset(named)


@dataclass(frozen=True, slots=True)
class ResponseDirectives:
    """What a response allows caches to do (RFC 9111, section 5.2.2; RFC 5861; RFC 8246); seconds, None for nothing."""

    no_store: bool = False
    no_cache: bool = False
    no_cache_fields: frozenset[str] = frozenset()
    private: bool = False
    private_fields: frozenset[str] = frozenset()
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    immutable: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None


@dataclass(frozen=True, slots=True)
class RequestDirectives:
    """What a request accepts from caches (RFC 9111, section 5.2.1; RFC 5861); seconds, None for nothing.

    ``max_stale`` is ``MAX_SECONDS`` for any staleness.
    """

    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    min_fresh: int | None = None
    max_stale: int | None = None
    stale_if_error: int | None = None


ASKS_NOTHING: Final = RequestDirectives()
SAYS_NOTHING: Final = ResponseDirectives()


def response_directives(fields: Fields, targets: Iterable[str] = ()) -> ResponseDirectives:
    """Return the directives of a response with these *fields*.

    Args:
        fields: its header fields.
        targets: names of targeted fields, the first one there that is valid and not empty counts in place of
            ``Cache-Control`` and ``Expires`` (RFC 9213, section 2.1).
    """
    targeted = targeted_directives(fields, targets)
    if targeted is not None:
        return targeted
    lines = fields.getall("Cache-Control", None)
    return SAYS_NOTHING if lines is None else _of_response(",".join(lines))


def targeted_directives(fields: Fields, targets: Iterable[str]) -> ResponseDirectives | None:
    """Return the directives of the first of *targets* that counts (RFC 9213, section 2.2); None if none does."""
    for name in targets:
        lines = fields.getall(name, None)
        if lines is not None and (found := _dictionary(",".join(lines))):
            return _made(found)
    return None


@lru_cache(maxsize=512)
def _of_response(text: str) -> ResponseDirectives:
    return _made(parse_directives(text))


def _made(found: Mapping[str, list[str | None]]) -> ResponseDirectives:
    no_cache, no_cache_fields = _names(found, "no-cache")
    private, private_fields = _names(found, "private")
    return ResponseDirectives(
        no_store="no-store" in found,
        no_cache=no_cache,
        no_cache_fields=no_cache_fields,
        private=private,
        private_fields=private_fields,
        public="public" in found,
        must_revalidate="must-revalidate" in found,
        proxy_revalidate="proxy-revalidate" in found,
        must_understand="must-understand" in found,
        immutable="immutable" in found,
        max_age=_seconds(found, "max-age"),
        s_maxage=_seconds(found, "s-maxage"),
        stale_while_revalidate=_seconds(found, "stale-while-revalidate"),
        stale_if_error=_seconds(found, "stale-if-error"),
    )


def request_directives(fields: Fields) -> RequestDirectives:
    """Return the directives of a request with these *fields*; ``Pragma: no-cache`` counts where they name no others."""
    lines = fields.getall("Cache-Control", None)
    if lines is not None:
        return _of_request(",".join(lines))
    pragma = fields.getall("Pragma", None)
    if pragma is not None and "no-cache" in parse_directives(",".join(pragma)):
        return RequestDirectives(no_cache=True)  # RFC 9111, section 5.4
    return ASKS_NOTHING


@lru_cache(maxsize=512)
def _of_request(text: str) -> RequestDirectives:
    found = parse_directives(text)
    max_stale = found.get("max-stale")
    return RequestDirectives(
        no_store="no-store" in found,
        no_cache="no-cache" in found,
        only_if_cached="only-if-cached" in found,
        max_age=_seconds(found, "max-age"),
        min_fresh=(
            None
            if "min-fresh" not in found
            # What cannot be read is more than any response has.
            else max(
                _number(each) if _is_number(each) else MAX_SECONDS for each in found["min-fresh"]
            )
        ),
        max_stale=(
            None
            if max_stale is None
            else min(MAX_SECONDS if each is None else _number(each) for each in max_stale)
        ),
        stale_if_error=_seconds(found, "stale-if-error"),
    )


def _is_number(text: str | None) -> bool:
    return text is not None and text.isascii() and text.isdigit()


# Structured fields (RFC 9651, section 4.2.2): of a dictionary only what directives need is told apart.
_KEY: Final = re.compile(r"[a-z*][a-z0-9_\-.*]*").match
_ITEM: Final = re.compile(
    r"""(?P<integer>-?[0-9]{1,15}(?![0-9.]))
      | (?P<decimal>-?[0-9]{1,12}\.[0-9]{1,3})
      | "(?P<string>(?:[ !#-\[\]-~]|\\["\\])*)"
      | (?P<token>[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*)
      | \?(?P<boolean>[01])
      | :(?P<bytes>[A-Za-z0-9+/=]*):""",
    re.VERBOSE,
).match
_OWS: Final = re.compile(r"[ \t]*").match
_PARAMETER: Final = re.compile(
    r""";[ ]*[a-z*][a-z0-9_\-.*]*
        (?:=(?:-?[0-9.]+
            | "(?:[ !#-\[\]-~]|\\["\\])*"
            | [A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*
            | \?[01]
            | :[A-Za-z0-9+/=]*:))?""",
    re.VERBOSE,
).match


def _dictionary(text: str) -> Mapping[str, list[str | None]]:
    """Return a structured dictionary as directives; empty if it is none.

    The last one of a name counts. One whose value is of another type than its directive's is left out: a number must
    be an integer, all others true (RFC 9213, section 2.1).
    """
    found: dict[str, list[str | None]] = {}
    at, size = _skip(text, 0), len(text)
    while at < size:
        key = _KEY(text, at)
        if key is None:
            return {}
        at, name = key.end(), key[0]
        value: list[str | None] | None = [None]
        if at < size and text[at] == "=":
            item = _ITEM(text, at + 1)
            if item is None:
                return {}
            at = item.end()
            value = _argument(name, item)
        elif name in _NUMBERS:
            value = None
        while (parameter := _PARAMETER(text, at)) is not None:
            at = parameter.end()
        found.pop(name, None)
        if value is not None:
            found[name] = value
        at = _skip(text, at)
        if at < size:
            if text[at] != ",":
                return {}
            at = _skip(text, at + 1)
            if at == size:
                return {}
    return found


_NUMBERS: Final = frozenset(("max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"))


def _argument(name: str, item: "re.Match[str]") -> list[str | None] | None:
    if name in _NUMBERS:
        return None if item["integer"] is None else [item["integer"]]
    if item["boolean"] is not None:
        return [None] if item["boolean"] == "1" else None
    if item["string"] is not None and name in ("no-cache", "private"):
        return [_QUOTED_PAIR(r"\1", item["string"])]
    return [None]  # restricting all the same


def _skip(text: str, at: int) -> int:
    space = _OWS(text, at)
    return at if space is None else space.end()
