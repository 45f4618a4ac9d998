"""``Set-Cookie`` as a morsel, for ``response.cookies``; what the jar keeps of it is decided there, not here."""

import re
from http.cookies import CookieError, Morsel

_ESCAPED = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))").sub


def unquote(coded: str) -> str:
    """Return the value that *coded* stands for: without its double quotes and escapes, if it has quotes around it.

    In one pass: ``http.cookies`` of Python before 3.11.10 needs the square of the length.
    """
    if len(coded) < 2 or coded[0] != '"' or coded[-1] != '"':
        return coded
    inner = coded[1:-1]
    if "\\" not in inner:
        return inner
    return _ESCAPED(lambda found: chr(int(found[1], 8)) if found[1] else found[2], inner)


def morsel_of(field: str) -> "Morsel[str] | None":
    """Return the one cookie that *field* sets, with its attributes; None if its name is none for ``http.cookies``.

    Split at ``;`` and the first ``=`` (RFC 6265bis, section 5.6); unknown attributes are left out.
    """
    pair, *attributes = field.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        return None
    morsel: Morsel[str] = Morsel()
    value = value.strip(" \t")
    try:
        morsel.set(name.strip(" \t"), unquote(value), value)
    except CookieError:
        return None
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
