"""Names and values of cookies to send, in any accepted form."""

import re
from collections.abc import Iterable, Mapping
from http.cookies import Morsel
from typing import Any

from aiohttp.typedefs import LooseCookies

from .headers import shown_text
from .pairs import checked_pairs

# More than a token: servers use names such as "cart[id]" and "user/name", and read non-ASCII text as UTF-8.
_COOKIE_NAME = re.compile(r'[^\x00-\x20"\x7f,;=]+')
# cookie-octet, with or without double quotes, and non-ASCII text, which servers read as UTF-8.
_COOKIE_VALUE = re.compile(r'"?[^\x00-\x20"\x7f,;\\]*"?')


def cookie_pairs(cookies: LooseCookies | object) -> dict[str, str]:
    """Return the names and values of cookies in any form: mapping, pairs, ``SimpleCookie``.

    A ``Morsel`` has a name of its own, which is used.

    Raises:
        TypeError: they are a str or bytes, or a name or value is of an invalid type.
        ValueError: a name or value would be read as more than one cookie (RFC 6265, section 4.1.1).
    """
    if isinstance(cookies, (str, bytes)):
        raise TypeError(
            f"cookies must be a mapping or (name, value) pairs, found {type(cookies).__name__}"
        )
    if not isinstance(cookies, Iterable):
        raise TypeError(
            f"cookies must be a mapping or (name, value) pairs, found {type(cookies).__name__}"
        )
    pairs: Any = (
        cookies.items() if isinstance(cookies, Mapping) else checked_pairs("cookies", cookies)
    )
    result: dict[str, str] = {}
    for name, value in pairs:
        if not isinstance(name, str) or not isinstance(value, (str, int, float, Morsel)):
            raise TypeError(
                f"a cookie is a name and a str or a number, found {type(name).__name__} {shown_text(name)} "
                f"with a value of type {type(value).__name__}"
            )
        if isinstance(value, Morsel):
            name, text = value.key or name, value.coded_value
        else:
            text = str(value)
        if _COOKIE_NAME.fullmatch(name) is None:
            raise ValueError(
                f"the cookie name {shown_text(name)} is empty, or holds a control character, space, quote, comma, "
                "semicolon or equals sign"
            )
        if _COOKIE_VALUE.fullmatch(text) is None:
            raise ValueError(
                f"the value of cookie {name} holds a control character, space, quote, comma, semicolon or "
                "backslash; encode it first"
            )
        result[name] = text
    return result
