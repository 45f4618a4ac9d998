"""Parsing of a ``Set-Cookie`` field (RFC 6265bis, section 5.6).

It is split at ``;`` and at the first ``=``, so the time is linear in the length; ``acceptance`` decides later what a
server may set.
"""

import re

from .cookie import CONTROL, encoded_length
from .dates import parse_cookie_date

# Octets of name and value, and of an attribute's value: section 5.6.
_MAX_PAIR = 4096
_MAX_ATTRIBUTE = 1024
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_NUMBER = re.compile(r"-?[0-9]+").fullmatch
SAME_SITE = {"none": "None", "lax": "Lax", "strict": "Strict"}
_WHITESPACE = " \t"


class SetCookie:
    """Name, value and attributes as received.

    ``domain`` and ``path`` are empty if absent; ``delta`` is Max-Age in seconds and ``deadline`` Expires as POSIX time,
    None if absent or invalid.
    """

    __slots__ = (
        "coded_value",
        "deadline",
        "delta",
        "domain",
        "expires",
        "http_only",
        "max_age",
        "name",
        "path",
        "same_site",
        "secure",
    )

    def __init__(self, name: str, coded_value: str) -> None:
        self.name: str = name
        self.coded_value: str = coded_value
        self.domain: str = ""
        self.path: str = ""
        self.secure: bool = False
        self.http_only: bool = False
        self.same_site: str = ""
        self.max_age: str = ""
        self.expires: str = ""
        self.delta: int | None = None
        self.deadline: float | None = None

    def set_attribute(self, name: str, value: str) -> None:
        """Store one attribute; unknown attributes and invalid values are ignored.

        If an attribute is repeated, the last one counts.
        """
        name = name.lower()
        # These two are flags, whatever their value and its length.
        if name == "secure":
            self.secure = True
        elif name == "httponly":
            self.http_only = True
        elif encoded_length(value) > _MAX_ATTRIBUTE:
            return
        elif name == "path":
            # A tab is the only control character that a field may contain; no request has it in its path.
            self.path = value if value.startswith("/") and CONTROL(value) is None else ""
        elif name == "domain":
            self.domain = value
        elif name == "samesite":
            # An unknown value means Default, as if the attribute were absent (section 5.6.7).
            self.same_site = SAME_SITE.get(value.lower(), "")
        elif name == "max-age":
            if (delta := _parse_delta(value)) is not None:
                self.delta = delta
                self.max_age = value
        elif name == "expires" and (deadline := parse_cookie_date(value)) is not None:
            self.deadline = deadline
            # Morsel refuses the tab, which is a delimiter in a date.
            self.expires = value.replace("\t", " ")


def parse_set_cookie(field: str) -> SetCookie | str:
    """Return the parsed value of a ``Set-Cookie`` field, or the reason why it is invalid."""
    if _FORBIDDEN(field) is not None:
        return "it contains a control character"
    pair, *attributes = field.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", pair
    parsed = SetCookie(name.strip(_WHITESPACE), value.strip(_WHITESPACE))
    if encoded_length(parsed.name) + encoded_length(parsed.coded_value) > _MAX_PAIR:
        return f"its name and value have more than {_MAX_PAIR} bytes"
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        parsed.set_attribute(name.strip(_WHITESPACE), value.strip(_WHITESPACE))
    return parsed


def _parse_delta(text: str) -> int | None:
    """Return the seconds of a Max-Age (section 5.6.2), 0 if it is over."""
    return None if _NUMBER(text) is None else max(int(text), 0)
