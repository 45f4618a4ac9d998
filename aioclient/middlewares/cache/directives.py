"""Cache directives (RFC 9111, section 5.2), also of targeted fields (RFC 9213), as values.

The rules; where the RFC leaves a choice, they take the cautious reading:

- Names ignore case. An argument may be a token or a quoted string (section 5.2).
- A number consists of digits only; any other text, such as a sign or a fraction, counts as 0: then a response is stale,
  and a request accepts nothing older (section 4.2.1). More than 2**31 counts as 2**31 (section 1.2.2).
- A directive that is there twice with different values has the smaller value.
- ``no-cache`` and ``private`` with names of fields apply to these fields. Without names, with an empty list or with an
  invalid list, they apply to the whole response. If both forms are there, the whole response counts.
- Invalid text invalidates its element, up to the next comma; the other elements count.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

Fields = CIMultiDict[str] | CIMultiDictProxy[str]

MAX_SECONDS: Final = 2**31
REMEMBERED: Final = (
    256  # characters; the directives of longer texts are not cached, so that these take no memory
)

_ELEMENT: Final = re.compile(
    r"""([!#$%&'*+\-.^_`|~0-9A-Za-z]+)  # a name
        (?:=(?:"((?:[^"\\]|\\.)*)"|([^",]*)))?  # quoted, or up to the next comma
        ([^,]*)""",  # and invalid text after it
    re.VERBOSE | re.DOTALL,
).match
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL).sub
_SEPARATORS: Final = re.compile(r"[ \t,]*").match
_NO_ELEMENT: Final = re.compile(r"[^,]*,?").match


def parse_directives(text: str) -> Mapping[str, list[str | None]]:
    """Return the directives in *text*, which is all lines of a field joined by commas: each with its arguments.

    None stands for a directive without an argument.
    """
    found: dict[str, list[str | None]] = {}
    at, size = _end(_SEPARATORS(text)), len(text)
    while at < size:
        element = _ELEMENT(text, at)
        if element is None:
            at = _end(_SEPARATORS(text, _end(_NO_ELEMENT(text, at))))
            continue
        at = _end(_SEPARATORS(text, element.end()))
        name, quoted, token, junk = element.groups()
        if quoted is not None:
            argument: str | None = _QUOTED_PAIR(r"\1", quoted)
            if junk.strip(" \t"):
                argument = f'"{argument}"{junk}'  # neither a valid number nor names
        elif token is not None:
            argument = (token + junk).strip(" \t")
        else:
            argument = junk.strip(" \t") or None
        found.setdefault(name.lower(), []).append(argument)
    return found


def _end(match: "re.Match[str] | None") -> int:
    """Return the end of a match of a pattern that matches everywhere."""
    return 0 if match is None else match.end()


def _seconds(found: Mapping[str, list[str | None]], name: str) -> int | None:
    """Return the smallest number of a directive; None if the directive is missing."""
    arguments = found.get(name)
    return None if arguments is None else min(map(_number, arguments))


def _number(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit()):
        return 0
    return min(int(text), MAX_SECONDS) if len(text) <= 20 else MAX_SECONDS


def _names(found: Mapping[str, list[str | None]], name: str) -> tuple[bool, frozenset[str]]:
    """Return whether a directive applies to the whole response, and the fields that it names otherwise."""
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

    ``max_stale`` is ``MAX_SECONDS`` if any staleness is accepted.
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


def response_directives(fields: Fields, targets: Sequence[str] = ()) -> ResponseDirectives:
    """Return the directives of a response with these *fields*.

    Args:
        fields: its header fields.
        targets: names of targeted fields; the first one that is there, valid and not empty replaces ``Cache-Control``
            and ``Expires`` (RFC 9213, section 2.1).
    """
    if targets and (targeted := targeted_directives(fields, targets)) is not None:
        return targeted
    lines = fields.getall("Cache-Control", None)
    if lines is None:
        return SAYS_NOTHING
    text = ",".join(lines)
    return _of_response(text) if len(text) <= REMEMBERED else _made(parse_directives(text))


def targeted_directives(fields: Fields, targets: Iterable[str]) -> ResponseDirectives | None:
    """Return the directives of the first valid field of *targets* (RFC 9213, section 2.2); None if there is none."""
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
    """Return the directives of a request with these *fields*; ``Pragma`` counts if there is no ``Cache-Control``."""
    lines = fields.getall("Cache-Control", None)
    if lines is not None:
        text = ",".join(lines)
        return _of_request(text) if len(text) <= REMEMBERED else _wanted(parse_directives(text))
    pragma = fields.getall("Pragma", None)
    if pragma is not None and "no-cache" in parse_directives(",".join(pragma)):
        return RequestDirectives(no_cache=True)  # RFC 9111, section 5.4
    return ASKS_NOTHING


@lru_cache(maxsize=512)
def _of_request(text: str) -> RequestDirectives:
    return _wanted(parse_directives(text))


def _wanted(found: Mapping[str, list[str | None]]) -> RequestDirectives:
    max_stale = found.get("max-stale")
    return RequestDirectives(
        no_store="no-store" in found,
        no_cache="no-cache" in found,
        only_if_cached="only-if-cached" in found,
        max_age=_seconds(found, "max-age"),
        min_fresh=(
            None
            if "min-fresh" not in found
            # An invalid number counts as more than any response has.
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


# Structured fields (RFC 9651, section 4.2.2); of dictionaries only the parts that directives need.
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
    """Return a structured dictionary as directives; empty if it is invalid.

    If a name is there several times, the last one counts. A member with the wrong type for its directive is skipped: a
    number must be an integer, and every other value must be true (RFC 9213, section 2.1).
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
    return [None]  # it restricts all the same


def _skip(text: str, at: int) -> int:
    space = _OWS(text, at)
    return at if space is None else space.end()
