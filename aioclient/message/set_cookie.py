"""``Set-Cookie`` as a morsel, for ``response.cookies``. What the jar keeps is decided elsewhere."""

import re
from http.cookies import CookieError, Morsel

_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
_ESCAPED = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))").sub


def unquote(coded: str) -> str:
    """Return the value of *coded*: without double quotes and escapes, if it is quoted.

    In one pass: ``http.cookies`` before Python 3.11.10 takes quadratic time.
    """
    if len(coded) < 2 or coded[0] != '"' or coded[-1] != '"':
        return coded
    inner = coded[1:-1]
    if "\\" not in inner:
        return inner
    return _ESCAPED(lambda found: chr(int(found[1], 8)) if found[1] else found[2], inner)


def make_morsel(name: str, value: str, coded_value: str) -> "Morsel[str]":
    """Return a ``Morsel`` of text that has been checked.

    ``Morsel.set()`` would refuse names that servers use: ``path``, ``cart[id]``.
    """
    morsel: Morsel[str] = Morsel()
    morsel.__setstate__({"key": name, "value": value, "coded_value": coded_value})  # type: ignore[attr-defined]
    return morsel


def morsel_of(field: str) -> "Morsel[str] | None":
    """Return the cookie that *field* sets, with its attributes; None if it has no name, or a control character.

    Split at ``;`` and the first ``=`` (RFC 6265bis, section 5.6); unknown attributes are left out.
    """
    pair, *attributes = field.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        return None
    name, coded = name.strip(" \t"), value.strip(" \t")
    value = unquote(coded)
    if not name or _CONTROL(name + coded + value) is not None:
        return None
    morsel = make_morsel(name, value, coded)
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        key = key.strip(" \t").lower()
        if key in ("secure", "httponly"):
            morsel[key] = True
        elif morsel.isReservedKey(key):
            try:
                morsel[key] = value.strip(" \t").strip('"')
            except CookieError:
                continue  # a control character
    return morsel
