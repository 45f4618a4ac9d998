"""A stored cookie: the fields of the storage model (RFC 6265bis, section 5.7), and its text in a ``Cookie`` field."""

import re
from http.cookies import Morsel, SimpleCookie

from ..message.set_cookie import make_morsel
from .dates import format_cookie_date

CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
# Characters without a UTF-8 form, except the raw bytes of surrogateescape.
_UNENCODABLE = re.compile(r"[\ud800-\udc7f\udd00-\udfff]").search
_value_encode = SimpleCookie().value_encode


def quote(value: str) -> str:
    """Return *value* in double quotes, escaped as in RFC 2109, if it needs that; `unquote` is the inverse."""
    return _value_encode(value)[1]


def find_fault(name: str, value: str, coded_value: str) -> str | None:
    """Return why no cookie can have this name and value, or None.

    Tabs are refused along with the other control characters: a ``cookies.txt`` file cannot contain them.
    """
    if CONTROL(name) or CONTROL(coded_value) or (value is not coded_value and CONTROL(value)):
        return "it contains a control character"
    if ";" in name or "=" in name or ";" in coded_value:
        return "it would read as more than one cookie"
    if not name and "=" in coded_value:
        return "it has no name, and would be sent as if it had one"
    if not name and not coded_value:
        return "it is empty"
    if not (name.isascii() and coded_value.isascii()) and _UNENCODABLE(name + coded_value):
        return "it contains text that has no UTF-8 form"
    return None


def encoded_length(text: str) -> int:
    """Return how many bytes *text* has on the wire, or a few more if some bytes are not UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class Cookie:
    """One cookie in the jar.

    ``coded_value`` is the value as the server wrote it and expects it back, ``value`` the decoded one, ``pair`` the
    text to send and ``size`` its bytes. ``deadline`` is POSIX time; None means until the jar is cleared. ``created``
    and ``used`` are counters, not times: only their order matters. ``domain`` is empty for a cookie that is sent to
    every host. ``max_age`` and ``expires`` are the attributes' texts.
    """

    __slots__ = (
        "_morsel",
        "_sent",
        "coded_value",
        "created",
        "deadline",
        "domain",
        "expires",
        "host_only",
        "http_only",
        "max_age",
        "name",
        "pair",
        "path",
        "same_site",
        "secure",
        "size",
        "used",
        "value",
    )

    def __init__(
        self,
        name: str,
        value: str,
        coded_value: str,
        *,
        domain: str,
        path: str,
        host_only: bool,
        secure: bool = False,
        http_only: bool = False,
        same_site: str = "",
        deadline: float | None = None,
        max_age: str = "",
        expires: str = "",
        quoted: bool = True,
    ) -> None:
        self.name: str = name
        self.value: str = value
        self.coded_value: str = coded_value
        self.domain: str = domain
        self.path: str = path
        self.host_only: bool = host_only
        self.secure: bool = secure
        self.http_only: bool = http_only
        self.same_site: str = same_site
        self.deadline = deadline
        self.max_age: str = max_age
        self.expires: str = expires
        # Without its quotes this value would be two cookies, the second one unchecked.
        sent = coded_value if quoted or ";" in value else value
        self.pair: str = f"{name}={sent}" if name else sent
        self.size: int = encoded_length(self.pair)
        self.created: int = 0
        self.used: int = 0
        self._morsel: Morsel[str] | None = None
        self._sent: Morsel[str] | None = None

    @property
    def identity(self) -> tuple[str, str, str, bool]:
        """Domain, path, name and host-only flag: the jar stores one cookie for each."""
        return (self.domain, self.path, self.name, self.host_only)

    def says_the_same_as(self, other: "Cookie") -> bool:
        """Tell whether *other*, of the same identity, differs at most in its dates."""
        return (
            self.coded_value == other.coded_value
            and self.secure == other.secure
            and self.http_only == other.http_only
            and self.same_site == other.same_site
        )

    def take_dates(self, other: "Cookie") -> None:
        """Copy the dates of *other*."""
        self.deadline = other.deadline
        self.max_age = other.max_age
        self.expires = other.expires
        self._morsel = None

    @property
    def morsel(self) -> "Morsel[str]":
        """This cookie for users, with its attributes; ``domain`` is set for host-only cookies too, as in aiohttp."""
        if self._morsel is None:
            morsel = make_morsel(self.name, self.value, self.coded_value)
            morsel["domain"] = self.domain
            morsel["path"] = self.path
            if self.secure:
                morsel["secure"] = True
            if self.http_only:
                morsel["httponly"] = True
            if self.same_site:
                morsel["samesite"] = self.same_site
            if self.max_age:
                morsel["max-age"] = self.max_age
            if self.expires:
                morsel["expires"] = self.expires
            elif self.deadline is not None and not self.max_age:
                morsel["expires"] = format_cookie_date(self.deadline)
            self._morsel = morsel
        return self._morsel

    @property
    def sent_morsel(self) -> "Morsel[str] | None":
        """Name and value as they are sent, without attributes; None if they do not fit a mapping of text by name."""
        if self._sent is None and self.name and not has_raw_bytes(self.pair):
            sent = self.pair[len(self.name) + 1 :]
            self._sent = make_morsel(self.name, self.value, sent)
        return self._sent

    def __repr__(self) -> str:
        flags = [
            flag
            for flag, on in (
                ("host-only", self.host_only),
                ("secure", self.secure),
                ("http-only", self.http_only),
            )
            if on
        ]
        return f"<Cookie {self.name} of {self.domain or 'every host'}{self.path}{' '.join(['', *flags])}>"


def has_raw_bytes(text: str) -> bool:
    """Tell whether *text* contains bytes that are not UTF-8 (surrogateescape)."""
    return not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text)
