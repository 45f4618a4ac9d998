"""Parsing of URLs: the only place where text from outside becomes a ``yarl.URL``.

``yarl.URL(text)`` decodes percent-encodings, encodes a whole host by IDNA 2003 when one of its labels fails IDNA 2008,
accepts any Unicode digits in a port, and raises ``IndexError`` for some texts. Here

* a percent-encoding stays as it was written, byte for byte (RFC 3986, section 2.2: ``%2F`` is not ``/``); only
  characters that a URL cannot contain are encoded, as UTF-8;
* a host is encoded label by label, by IDNA 2008 (RFC 5891) after the mapping of UTS 46, and refused if a label fails;
* dot segments are removed, and references resolved, by RFC 3986, section 5.2;
* every fault is a ``ValueError`` whose text repeats nothing of the URL, which may contain a password.
"""

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus

import idna
from yarl import URL

MAX_URL: Final = 64 * 1024  # characters; servers accept 8 KiB, few 64
MAX_HOST: Final = 253  # characters (RFC 1035, section 2.3.4)
_REMEMBERED: Final = 128  # cached texts, as in yarl
_NEEDS_HOST: Final = frozenset(("", "http", "https", "ws", "wss"))

_PARTS = re.compile(  # RFC 3986, appendix B; the scheme as in yarl, so that "127.0.0.1:80/x" is not a path
    r"(?:([A-Za-z0-9+.\-]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL
).fullmatch
# Where yarl makes the same URL in half the time: an ASCII host, and no percent-encoding.
_PLAIN = re.compile(
    r"(?:http|ws)s?://[A-Za-z0-9.\-]+(?::[1-5]?[0-9]{1,4})?(?:/[!-$&-~]*)?"
).fullmatch
_PLACE = re.compile(r"(?:\[([^\[\]]*:[^\[\]]*)\]|([^:\[\]]*))(?::(.*))?", re.DOTALL).fullmatch
_PORT = re.compile(r"0*([0-9]{1,5})").fullmatch
_ZONE = re.compile(r"[A-Za-z0-9._~\-]+").fullmatch  # RFC 6874, section 2
_DOT = re.compile("[.\u3002\uff0e\uff61]")  # UTS 46, section 2.3
ends_with_a_number: Final = re.compile(r"(?:.*\.)?(?:0[xX][0-9A-Fa-f]*|[0-9]+)\.?").fullmatch
_UNDECODED_BYTE = re.compile(r"[\udc80-\udcff]").sub
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]").search

# Characters that are not allowed (RFC 3986, appendix A): runs of them, or a "%" that begins no percent-encoding.
_NOT_ALLOWED: Final = r"%(?![0-9A-Fa-f]{{2}})|[^A-Za-z0-9\-._~!$&'()*+,;=:%{}]+"
_NOT_IN_USERINFO = re.compile(_NOT_ALLOWED.format("")).sub
_NOT_IN_PATH = re.compile(_NOT_ALLOWED.format("@/")).sub
_NOT_IN_QUERY = re.compile(_NOT_ALLOWED.format("@/?")).sub


class _Reference(NamedTuple):
    """A URI reference; a component that is None is undefined (RFC 3986, section 5.2.1)."""

    scheme: str
    authority: str | None
    path: str
    query: str | None
    fragment: str | None

    def url(self) -> URL:
        return URL.build(
            scheme=self.scheme,
            authority=self.authority or "",
            path=self.path,
            query_string=self.query or "",
            fragment=self.fragment or "",
            encoded=True,
        )


@lru_cache(_REMEMBERED)
def url_of(text: str) -> URL:
    """Return *text* as a URL; it may be relative.

    Raises:
        ValueError: it is not a URL, is longer than 64 Ki characters, contains a control character, or its host or port
            is invalid.
    """
    if len(text) <= MAX_URL and _PLAIN(text) is not None:
        return URL(text)
    return _read(text, encode=True).url()


def resolved(base: URL, text: str, *, encode: bool = True) -> URL:
    """Return the URL of the reference *text* relative to *base* (RFC 3986, section 5.2.2), which is absolute.

    *text* comes from a server: bytes of it that were not UTF-8 are percent-encoded as they are. Without *encode* path,
    query and fragment stay unchanged, even invalid characters. A scheme without an authority, ``http:/path``, is
    ignored if it equals the base's scheme (the same section, "not strict").

    Raises:
        ValueError: as for ``url_of()``.
    """
    given = _read(_UNDECODED_BYTE(_percent_encoded, text), encode=encode)
    if given.scheme and (given.authority is not None or given.scheme != base.scheme):
        return given.url()
    if given.authority is not None:
        return given._replace(scheme=base.scheme).url()
    path, query = given.path, given.query
    if not path:
        path = base.raw_path
        query = base.raw_query_string if query is None else query
    else:
        if path[0] != "/":
            path = base.raw_path[: base.raw_path.rfind("/") + 1] + path
        path = _without_dot_segments(path)
    return _Reference(base.scheme, base.raw_authority, path, query, given.fragment).url()


@lru_cache(1024)
def host_of(text: str) -> str:
    """Return the host *text*, without brackets, in the form of URLs: lower case, A-labels, IPv6 in its short form.

    Whether an ASCII name is a valid host is for ``Origin`` to decide.

    Raises:
        ValueError: it has a colon and is not an IPv6 address, or a label of it is invalid in IDNA 2008.
    """
    if not text.isascii():
        return _a_labels(text)
    if ":" not in text:
        return text.lower()
    address, percent, zone = text.partition("%25" if "%25" in text else "%")
    try:
        short = IPv6Address(address).compressed
    except ValueError:
        raise ValueError("its host is not an IPv6 address") from None
    if percent and _ZONE(zone) is None:
        raise ValueError("its host has an invalid zone (RFC 6874, section 2)")
    return f"{short}{percent}{zone}"


def port_of(text: str) -> int | None:
    """Return the number that *text* is in ASCII digits, 0 to 65535; None if it is invalid."""
    digits = _PORT(text)
    if digits is None or (number := int(digits[1])) > 65535:
        return None
    return number


def _read(text: str, *, encode: bool) -> _Reference:
    if len(text) > MAX_URL:
        raise ValueError(f"it has {len(text)} characters, more than the {MAX_URL} allowed")
    if _CONTROL_CHARACTER(text) is not None:
        raise ValueError("it contains a control character; percent-encode it")
    parts = _PARTS(text.lstrip(" "))
    if parts is None:  # every text matches; this is for the type checker
        raise ValueError("it cannot be parsed")
    scheme, authority, path, query, fragment = parts.groups()
    scheme = "" if scheme is None else scheme.lower()
    if authority is not None:
        authority = _authority(authority, scheme)
    if encode:
        try:
            path = _NOT_IN_PATH(_quoted, path)
            query = query and _NOT_IN_QUERY(_quoted_plus, query)
            fragment = fragment and _NOT_IN_QUERY(_quoted, fragment)
        except UnicodeEncodeError:
            raise ValueError("it contains a surrogate, which is not a character") from None
        if authority:
            path = _without_dot_segments(path)
    return _Reference(scheme, authority, path, query, fragment)


def _authority(text: str, scheme: str) -> str:
    """Return an authority (RFC 3986, section 3.2), with a valid host and port."""
    if "\\" in text:
        raise ValueError("it has a backslash before its path, which programs read in two ways")
    userinfo, _, place = text.rpartition("@")
    parts = _PLACE(place)
    if parts is None:
        raise ValueError("its host is invalid, or has no IPv6 address between the brackets")
    address, name, port = parts.groups()
    if not (address or name):
        if text or scheme in _NEEDS_HOST:
            raise ValueError("it names no host")
        return ""
    host = host_of(name) if address is None else f"[{host_of(address)}]"
    if port:
        # Without its text: if a user's password contains a "/", the password is here.
        number = port_of(port)
        if number is None:
            raise ValueError("its port is not a number from 1 to 65535")
        host = f"{host}:{number}"
    if not userinfo:
        return host
    try:
        return f"{_NOT_IN_USERINFO(_quoted, userinfo)}@{host}"
    except UnicodeEncodeError:
        raise ValueError("it contains a surrogate, which is not a character") from None


def _a_labels(host: str) -> str:
    # One character may be mapped to eighteen: 64 Ki of them would take five seconds.
    if len(host) > MAX_HOST:
        raise ValueError(f"its host has more than {MAX_HOST} characters")
    labels = _DOT.split(host)
    name = ".".join([label.lower() if label.isascii() else _a_label(label) for label in labels])
    if ends_with_a_number(name) is not None:
        raise ValueError("its host is an address in other digits than 0 to 9")
    return name


def _a_label(label: str) -> str:
    try:
        # UTS 46 drops some invisible characters: "e<U+200B>vil" would be "evil".
        if all(map(idna.uts46_remap, label)):
            encoded = idna.encode(label, uts46=True).decode("ascii")
            if "." not in encoded:
                return encoded
    except UnicodeError:
        pass
    raise ValueError(
        "its host has a label that IDNA 2008 does not allow; if it is meant, write it as an A-label (xn--...)"
    )


def _without_dot_segments(path: str) -> str:
    """Return an absolute path without "." and ".." (RFC 3986, section 5.2.4)."""
    if "/." not in path:
        return path
    segments = path.split("/")
    kept: list[str] = []
    for segment in segments[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _percent_encoded(byte: "re.Match[str]") -> str:
    return f"%{ord(byte[0]) - 0xDC00:02X}"


def _quoted(run: "re.Match[str]") -> str:
    return quote(run[0], safe="")


def _quoted_plus(run: "re.Match[str]") -> str:
    return quote_plus(run[0], safe="")
