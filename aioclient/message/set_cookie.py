"""``Set-Cookie`` as a morsel, for ``response.cookies``; what the jar keeps of it is decided there, not here."""

from http.cookies import CookieError, Morsel, SimpleCookie
from typing import Final

_DECODE: Final = SimpleCookie().value_decode


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
        morsel.set(name.strip(" \t"), _DECODE(value)[0], value)
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
