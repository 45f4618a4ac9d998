"""Outgoing header fields: validation, merging and serialization.

All protocols use the same validator. A method and a field name are tokens (RFC 9110, sections 5.1 and 9.1); a field
value has no control character except HTAB (section 5.5); a request target has no space, no control character and no
byte outside ASCII (RFC 9112, section 3.2). A violation raises before a byte is sent.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from multidict import CIMultiDict, MultiMapping, getversion, istr

from .._version import __version__
from .pairs import checked_pairs

type_Pairs = Iterable[tuple[str, str | None]]
LooseHeaders = Mapping[str, str | None] | MultiMapping[str] | type_Pairs

USER_AGENT = f"Python/{sys.version_info[0]}.{sys.version_info[1]} aioclient/{__version__}"

MAX_TARGET: Final = 64 * 1024  # characters; servers accept 8 KiB, few 64

_METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")
)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_FORBIDDEN_IN_TARGET = re.compile(r"[^\x21-\x7e]").search


def shown_text(text: object) -> str:
    """Return *text* for an error message: escaped, and at most 100 characters."""
    shown = repr(text)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


@lru_cache(maxsize=64)
def check_method(method: str) -> str:
    """Return *method* in upper case.

    Raises:
        ValueError: it is not a token (RFC 9110, section 9.1).
    """
    if not isinstance(method, str):
        raise TypeError(f"the method must be a str, found {type(method).__name__}")
    if method in _METHODS:
        return method
    # Before upper(), which turns some letters outside ASCII into ASCII ones, such as U+017F and U+0131.
    if _TOKEN.fullmatch(method) is None:
        raise ValueError(
            f"the method {shown_text(method)} is not a token: it may only contain letters, digits and !#$%&'*+-.^_`|~"
        )
    return method.upper()


def check_target(target: str) -> str:
    """Return *target*, the path and query of a request line.

    Raises:
        ValueError: it contains a space, a control character or a character outside ASCII, or is longer than 64 KiB.
    """
    if len(target) > MAX_TARGET:
        raise ValueError(
            f"the request target {shown_text(target)} has {len(target)} characters, more than the {MAX_TARGET} allowed"
        )
    if (found := _FORBIDDEN_IN_TARGET(target)) is not None:
        raise ValueError(
            f"the request target {shown_text(target)} holds {found.group()!r} at position {found.start()}; "
            "percent-encode it"
        )
    return target


@lru_cache(maxsize=512)
def check_name(name: str) -> str:
    """Return a field name that is valid on the wire.

    Raises:
        TypeError: it is not a str.
        ValueError: it is not a token (RFC 9110, section 5.1).
    """
    if not isinstance(name, str):
        raise TypeError(
            f"a header name must be a str, found {type(name).__name__} {shown_text(name)}"
        )
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(
            f"the header name {shown_text(name)} is not a token: "
            "it may only contain letters, digits and !#$%&'*+-.^_`|~"
        )
    return name


def check_value(name: str, value: str) -> str:
    """Return a field value that is valid on the wire; *name* is for the message.

    Raises:
        TypeError: it is not a str.
        ValueError: it contains a control character other than HTAB (RFC 9110, section 5.5).
    """
    if not isinstance(value, str):
        raise TypeError(
            f"the value of header {name} must be a str, found {type(value).__name__}; convert it first"
        )
    if (found := _FORBIDDEN_IN_VALUE(value)) is not None:
        raise ValueError(
            f"the value of header {name} contains the control character {found.group()!r} at position {found.start()}"
        )
    return value


def checked_field(name: str, value: str) -> tuple[str, str]:
    """Return a field that is valid on the wire.

    Raises:
        ValueError: its name or value is not valid.
    """
    return check_name(name), check_value(name, value)


def serialize_fields(headers: MultiMapping[str]) -> bytes:
    """Return the field lines of *headers*, each with its CRLF, as UTF-8 bytes (obs-text for characters outside
    ASCII).
    """
    return "".join(
        [f"{check_name(name)}: {check_value(name, value)}\r\n" for name, value in headers.items()]
    ).encode("utf-8", "surrogateescape")


def pairs_of(headers: LooseHeaders | None) -> Iterable[tuple[str, str | None]]:
    """Return the (name, value) pairs of headers in any accepted form.

    Raises:
        TypeError: it is a str or bytes, or has no pairs.
    """
    if headers is None:
        return ()
    if isinstance(headers, (Mapping, MultiMapping)):
        return headers.items()
    if isinstance(cast(object, headers), (str, bytes)):
        raise TypeError(
            f"headers must be a mapping or (name, value) pairs, found {type(headers).__name__}"
        )
    if not isinstance(cast(object, headers), Iterable):
        raise TypeError(
            f"headers must be a mapping or (name, value) pairs, found {type(headers).__name__}"
        )
    return checked_pairs("headers", headers)


def to_multidict(headers: LooseHeaders | None) -> "CIMultiDict[str]":
    """Return *headers* as a new ``CIMultiDict``, without names whose value is None."""
    result: CIMultiDict[str] = CIMultiDict()
    for name, value in pairs_of(headers):
        if value is not None:
            result.add(name, value)
    return result


def merge_into(headers: "CIMultiDict[str]", more: LooseHeaders) -> None:
    """Merge *more* into *headers*, in place.

    A name in *more* replaces all fields of that name; a name repeated within *more* stays repeated; None removes it.
    """
    added: set[str] = set()
    for name, value in pairs_of(more):
        folded = check_name(name).lower()
        if folded not in added:
            added.add(folded)
            headers.popall(name, None)
        if value is not None:
            headers.add(name, value)


_SECRET_NAMES = frozenset(
    (
        "authorization",
        "cookie",
        "cookie2",
        "proxy-authorization",
        "set-cookie",
        "www-authenticate",
    )
)
# Custom names; cookies, sessions and authorization have many variants.
_SECRET_IN_NAME = re.compile(
    r"token|secret|passw(?:or)?d|passphrase|passcode|jwt|credential|cookie|session|authorization|authentication"
    r"|api[-_]?key\Z|[-_]key\Z|\Ax-auth|\Aauth\Z|\Akey\Z"
).search
# Browsers' own fields and CORS's are not secret, whatever their names; a repeated request needs its key.
_NO_SECRETS = ("sec-", "access-control-", "idempotency-key", "x-idempotency-key")


def is_secret(name: str, more: frozenset[str] = frozenset()) -> bool:
    """Tell whether a field of this name carries a secret: it must not reach another origin, nor a message.

    *more* are further secret names, in lower case.
    """
    folded = name.lower()
    return folded in more or _is_known_secret(folded)


@lru_cache(maxsize=1024)
def _is_known_secret(folded: str) -> bool:
    return folded in _SECRET_NAMES or (
        _SECRET_IN_NAME(folded) is not None and not folded.startswith(_NO_SECRETS)
    )


def without_secrets(
    headers: "CIMultiDict[str]", more: frozenset[str] = frozenset()
) -> "CIMultiDict[str]":
    """Return a copy of *headers* without the fields that carry secrets."""
    return CIMultiDict([pair for pair in headers.items() if not is_secret(pair[0], more)])


def lists_token(fields: "CIMultiDict[str]", token: str) -> bool:
    """Tell whether ``Connection`` lists *token* (RFC 9110, section 7.6.1)."""
    listed = ",".join(fields.getall(CONNECTION, ())).lower()
    return token in listed and token in [word.strip(" \t") for word in listed.split(",")]


_FRAMING_NAMES = (
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Cookie",
    "Authorization",
    "Expect",
    "Proxy-Authorization",
)


# Its annotation names a base class that multidict's classes do not have.
_version_of: Callable[["CIMultiDict[str]"], int] = cast(Any, getversion)


class DefaultHeaders:
    """A session's header fields and their serialized bytes, which are rebuilt only when the fields change.

    ``given`` is the live ``CIMultiDict`` of the user's fields, which may change at any time. ``auto`` fields are sent
    too, unless the user gave a field of the same name.
    """

    __slots__ = ("_auto", "_block", "_fields", "_plain", "_version", "given")

    def __init__(self, given: "CIMultiDict[str]", auto: Mapping[str, str] | None = None) -> None:
        self.given: CIMultiDict[str] = given
        self._auto: Mapping[str, str] = {} if auto is None else auto
        self._version = -1
        self._fields = given
        self._block = b""
        self._plain = True

    @property
    def fields(self) -> "CIMultiDict[str]":
        """The fields that are sent; do not change them."""
        if _version_of(self.given) != self._version:
            self._refresh()
        return self._fields

    def _refresh(self) -> None:
        """Rebuild what is sent, because the given fields have changed."""
        version = _version_of(self.given)
        fields = CIMultiDict(self._auto)
        merge_into(fields, self.given)
        self._block = serialize_fields(fields)
        self._plain = not any(name in fields for name in _FRAMING_NAMES)
        self._fields = fields
        self._version = version

    def block(self) -> bytes:
        """Return the serialized fields."""
        if _version_of(self.given) != self._version:
            self._refresh()
        return self._block

    def plain_block(self) -> bytes | None:
        """Return the serialized fields if none affects routing, framing or credentials, else None."""
        if _version_of(self.given) != self._version:
            self._refresh()
        return self._block if self._plain else None


AUTHORIZATION = istr("Authorization")
CONTENT_DISPOSITION = istr("Content-Disposition")
CONTENT_ENCODING = istr("Content-Encoding")
CONTENT_LENGTH = istr("Content-Length")
CONTENT_TYPE = istr("Content-Type")
CONNECTION = istr("Connection")
COOKIE = istr("Cookie")
EXPECT = istr("Expect")
HOST = istr("Host")
KEEP_ALIVE = istr("Keep-Alive")
LINK = istr("Link")
LOCATION = istr("Location")
PROXY_AUTHORIZATION = istr("Proxy-Authorization")
SEC_WEBSOCKET_KEY = istr("Sec-WebSocket-Key")
SET_COOKIE = istr("Set-Cookie")
TRANSFER_ENCODING = istr("Transfer-Encoding")
UPGRADE = istr("Upgrade")


class Names(dict[bytes, str]):
    """Names of received fields by their bytes, as ``istr``, which a ``CIMultiDict`` accepts without folding its case.

    It learns names of a usual length, and starts over when it is full. So no server can make it grow, or keep other
    servers' names out for long.
    """

    def __missing__(self, name: bytes) -> str:
        text = istr(name.decode())
        if len(name) <= MAX_KNOWN_NAME:
            if len(self) >= MAX_KNOWN_NAMES:
                self.clear()
            self[name] = text
        return text


MAX_KNOWN_NAMES: Final = 512  # of real servers; spellings count
MAX_KNOWN_NAME: Final = 64  # bytes
NAMES: Final = Names()
