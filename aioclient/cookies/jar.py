"""The cookie jar of a session."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http.cookies import BaseCookie, Morsel, SimpleCookie
from types import MappingProxyType
from typing import Final, cast

from aiohttp.abc import AbstractCookieJar, ClearCookiePredicate
from aiohttp.typedefs import LooseCookies, PathLike, StrOrURL
from yarl import URL

from ..message.set_cookie import unquote
from ..message.urls import url_of
from ..warning import warn_legacy
from . import cookies_txt, json_file
from .acceptance import accept, accept_shared, prefix_of
from .cookie import Cookie, find_fault, quote
from .dates import format_cookie_date
from .files import read_text, write_private
from .json_file import JarFormat
from .matching import cookie_host, default_path, domain_matches, is_address
from .parsing import SetCookie, parse_set_cookie
from .store import CookieStore

_log = logging.getLogger("aioclient.cookies")

_SECURE_SCHEMES: Final = frozenset(("https", "wss"))
_NO_URL: Final = URL()
_FORBIDDEN_IN_NAME: Final = frozenset(' \t;=,"')

# The limit of curl and aiohttp for one response.
MAX_PER_RESPONSE: Final = 50
# Firefox's limits.
MAX_PER_DOMAIN: Final = 180
MAX_TOTAL: Final = 3300
# The limit of curl, aiohttp and Apache: servers refuse a longer field line.
MAX_SENT: Final = 150
MAX_FIELD: Final = 8190
_FIELD_NAME: Final = len("Cookie: ")

# Cached selections, one for each host or, if paths differ, each path; all are dropped when a cookie changes.
_MAX_SELECTIONS: Final = 512


class _Selection:
    """The cookies for one kind of request, in the order of sending, and the resulting field value."""

    __slots__ = ("cookies", "header")

    def __init__(self, cookies: list[Cookie]) -> None:
        self.cookies = cookies
        self.header = "; ".join([cookie.pair for cookie in cookies]) or None


class _View(Mapping[tuple[str, str], SimpleCookie]):
    """A mapping that is made again at each access."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], dict[tuple[str, str], SimpleCookie]]) -> None:
        self._make = make

    def __getitem__(self, place: tuple[str, str]) -> SimpleCookie:
        return self._make()[place]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._make())

    def __len__(self) -> int:
        return len(self._make())

    def __repr__(self) -> str:
        return f"<cookies of {len(self)} domains and paths>"


class CookieJar(AbstractCookieJar):
    """Cookies as browsers keep them (RFC 6265bis).

    A jar may be shared by sessions, event loops and threads. It needs no running loop.

    Args:
        unsafe: accept and send cookies of hosts that are IP addresses.
        quote_cookie: put a value of yours that contains other characters than a token in double quotes (RFC 2109), and
            send quoted values back with their quotes. A value that came without quotes is always sent back unchanged.
        treat_as_secure_origin: origins that get and set Secure cookies although their scheme is not https or wss.
        loop: not used (deprecated).
        clock: returns the POSIX time; by default ``time.time``, looked up at each call.
        max_cookies: in all; beyond it the least recently used are removed, from domains with more than 50 first.
        max_cookies_per_domain: beyond it the domain's least recently used are removed, Secure ones last.

    Every request counts as same-site: ``SameSite`` is recorded and has no effect.
    """

    def __init__(
        self,
        *,
        unsafe: bool = False,
        quote_cookie: bool = True,
        treat_as_secure_origin: StrOrURL | Iterable[StrOrURL] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        clock: Callable[[], float] | None = None,
        max_cookies: int = MAX_TOTAL,
        max_cookies_per_domain: int = MAX_PER_DOMAIN,
    ) -> None:
        # The base class's constructor is not called, because it requires a running loop.
        if loop is not None:
            warn_legacy("loop=", "leave it out: a jar needs no loop")
        if max_cookies < 1 or max_cookies_per_domain < 1:
            raise ValueError(
                "max_cookies and max_cookies_per_domain must be at least 1, "
                f"found {max_cookies} and {max_cookies_per_domain}"
            )
        self._unsafe = unsafe
        self._quote_cookie = quote_cookie
        self._secure_urls = _origins(treat_as_secure_origin)
        self._secure_origins = frozenset([_origin_of(url) for url in self._secure_urls])
        self._clock = _now if clock is None else clock
        self._store = CookieStore(max_cookies, max_cookies_per_domain)
        self._selections: dict[tuple[str, bool] | tuple[str, bool, str], _Selection] = {}
        # Held while tables change or are iterated over; a cached selection needs no lock.
        self._lock = threading.RLock()

    @property
    def unsafe(self) -> bool:
        """Whether hosts that are IP addresses have cookies."""
        return self._unsafe

    @property
    def quote_cookie(self) -> bool:
        """Whether values are sent in double quotes where they need them."""
        return self._quote_cookie

    @property
    def treat_as_secure_origin(self) -> frozenset[URL]:
        """The origins that count as secure whatever their scheme."""
        return self._secure_urls

    @property
    def cookies(self) -> "MappingProxyType[tuple[str, str], SimpleCookie]":
        """The cookies by domain and path (without a trailing slash), a live view: it shows later changes, also of
        `load`.
        """
        return MappingProxyType(_View(self._by_place))

    def _by_place(self) -> dict[tuple[str, str], SimpleCookie]:
        result: dict[tuple[str, str], SimpleCookie] = {}
        for cookie in self._held():
            of_path = result.setdefault((cookie.domain, cookie.path.rstrip("/")), SimpleCookie())
            dict.__setitem__(of_path, cookie.name, cookie.morsel)
        return result

    @property
    def host_only_cookies(self) -> frozenset[tuple[str, str, str]]:
        """Domain, path (without a trailing slash) and name of the cookies that no subdomain gets."""
        return frozenset(
            (cookie.domain, cookie.path.rstrip("/"), cookie.name)
            for cookie in self._held()
            if cookie.host_only
        )

    def __len__(self) -> int:
        """Return the number of cookies; expired ones count until the jar is used."""
        return len(self._store.held)

    def __iter__(self) -> "Iterator[Morsel[str]]":
        """Yield the cookies present at the start, in the order of creation."""
        return iter([cookie.morsel for cookie in self._held()])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._store)} cookies{', unsafe' if self._unsafe else ''}>"

    # Sending.

    def header_for(self, url: URL, cookies: Mapping[str, str] | None = None) -> str | None:
        """Return the value of the ``Cookie`` field of a request to *url*, None if there is none to send.

        Cookies with longer paths come first, then those created earlier (RFC 6265bis, section 5.8.3). Two cookies of
        one name with different paths or domains are both sent, as browsers do.

        Args:
            url: of the request.
            cookies: name and coded value of further cookies, which replace the jar's cookies of the same names.
        """
        if not len(self._store):
            return None if cookies is None else _joined(cookies)
        selection = self._select(url)
        if not cookies:
            return selection.header
        own = [cookie.pair for cookie in selection.cookies if cookie.name not in cookies]
        return "; ".join([*own, *[f"{name}={value}" for name, value in cookies.items()]])

    def filter_cookies(self, request_url: StrOrURL = _NO_URL) -> "BaseCookie[str]":
        """Return the cookies for a request to *request_url* by name, in the order of sending.

        If several cookies have one name, the one with the longest path is returned, then the one of the closest domain.
        Cookies that do not fit a mapping of text by name are left out: those without a name, and those with bytes that
        are not UTF-8. `header_for` returns all.
        """
        filtered: BaseCookie[str] = BaseCookie()
        if not len(self._store):
            return filtered
        closest: dict[str, Cookie] = {}
        for cookie in self._select(_url(request_url)).cookies:
            known = closest.get(cookie.name)
            if known is None or (
                len(known.path) == len(cookie.path) and len(known.domain) < len(cookie.domain)
            ):
                closest[cookie.name] = cookie
        for name, cookie in closest.items():
            if (morsel := cookie.sent_morsel) is not None:
                # BaseCookie's own __setitem__ would check the name by older rules.
                dict.__setitem__(filtered, name, morsel)
        return filtered

    def _select(self, url: URL) -> _Selection:
        if self._clock() >= self._store.next_expiry:
            self._expire()
        host = url.raw_host or ""
        is_secure = self._is_secure(url)
        selections = self._selections
        selection = selections.get((host, is_secure))
        if selection is None:
            path = url.raw_path or "/"
            selection = selections.get((host, is_secure, path))
            if selection is None:
                selection = self._make_selection(host, is_secure, path)
        used = self._store.serial()
        for cookie in selection.cookies:
            cookie.used = used
        return selection

    def _make_selection(self, raw_host: str, is_secure: bool, path: str) -> _Selection:
        host = cookie_host(raw_host)
        with self._lock:
            store = self._store
            found: list[Cookie] = []
            if host and (self._unsafe or not is_address(host)):
                found = store.matching(host, path)
            if shared := store.shared(path):
                # A cookie for every host is a default: a site's cookie replaces it there.
                names = {cookie.name for cookie in found if is_secure or not cookie.secure}
                found += [cookie for cookie in shared if cookie.name not in names]
            if not is_secure:
                found = [cookie for cookie in found if not cookie.secure]
            selection = _Selection(_in_order(_within_limits(found)))
            if len(self._selections) >= _MAX_SELECTIONS:
                self._selections.clear()
            if store.has_paths(host):
                self._selections[raw_host, is_secure, path] = selection
            else:
                self._selections[raw_host, is_secure] = selection
        return selection

    def _is_secure(self, url: URL) -> bool:
        if url.scheme in _SECURE_SCHEMES:
            return True
        origins = self._secure_origins
        return bool(origins) and url.absolute and _origin_of(url) in origins

    # Receiving.

    def update_cookies_from_headers(self, headers: Sequence[str], response_url: URL) -> None:
        """Store the cookies of a response's ``Set-Cookie`` fields, at most 50; those that may not be stored are left
        out.
        """
        host = cookie_host(response_url.raw_host or "")
        if not host or (not self._unsafe and is_address(host)):
            return
        path = response_url.raw_path
        is_secure = self._is_secure(response_url)
        now = self._clock()
        taken = 0
        with self._lock:
            for field in headers:
                parsed = parse_set_cookie(field)
                if isinstance(parsed, str):
                    _log.debug("a cookie from %s was left out: %s", host, parsed)
                    continue
                taken += 1
                if taken > MAX_PER_RESPONSE:
                    _log.debug("%s set more than %d cookies at once", host, MAX_PER_RESPONSE)
                    break
                verdict = accept(
                    parsed,
                    unquote(parsed.coded_value),
                    host=host,
                    path=path,
                    is_secure=is_secure,
                    now=now,
                    quoted=self._quote_cookie,
                )
                self._put(parsed.name, verdict, host, is_secure, now)

    def update_cookies(self, cookies: LooseCookies, response_url: StrOrURL = _NO_URL) -> None:
        """Store *cookies*: a mapping or pairs of names and values, a ``SimpleCookie``.

        With *response_url* they are stored as if that response had set them; a plain value is for its host and
        directory. Without it a plain value is sent to every host, and a ``Morsel`` to its domain, or to every host if
        it has none. A ``Morsel`` that may not be stored is left out.

        Raises:
            TypeError: *cookies* is a str.
            ValueError: a name or a plain value is invalid in a ``Cookie`` field; nothing is stored then.
        """
        if isinstance(cast(object, cookies), str):
            raise TypeError("cookies must be a mapping or (name, value) pairs, found str")
        url = _url(response_url)
        host = cookie_host(url.raw_host or "")
        if host and not self._unsafe and is_address(host):
            return
        is_secure = not host or self._is_secure(url)
        now = self._clock()
        pairs = cookies.items() if isinstance(cookies, Mapping) else cookies
        verdicts: list[tuple[str, Cookie | str, bool]] = []
        for name, value in pairs:
            if isinstance(value, Morsel):
                verdict = self._accept_morsel(name, value, host, url.raw_path, is_secure, now)
                verdicts.append((name, verdict, is_secure))
            else:
                # A cookie of the program itself may replace a Secure cookie anywhere.
                verdicts.append(
                    (name, self._own_cookie(name, str(value), host, url.raw_path), True)
                )
        with self._lock:
            for name, made, may_replace in verdicts:
                self._put(name, made, host, may_replace, now)

    def _accept_morsel(
        self, name: str, morsel: "Morsel[str]", host: str, path: str, is_secure: bool, now: float
    ) -> Cookie | str:
        sent = morsel.coded_value or ""
        value = unquote(sent)
        if sent[:1] != '"':
            value = sent = str(morsel.value)
            if self._quote_cookie and find_fault(name, value, "") is None:
                sent = quote(value)
        parsed = SetCookie(name, sent)
        for attribute, setting in morsel.items():
            if setting in ("", False, None):
                continue
            if attribute == "expires" and isinstance(setting, int):
                # http.cookies treats a number as seconds from now.
                setting = format_cookie_date(now + setting)
            parsed.set_attribute(attribute, str(setting))
        if not host:
            if not parsed.domain:
                return accept_shared(parsed, value, now=now, quoted=self._quote_cookie)
            # The named domain takes the place of the host that sent it.
            host = cookie_host(parsed.domain.removeprefix("."))
            if not host:
                return "its domain is empty"
        return accept(
            parsed,
            value,
            host=host,
            path=path,
            is_secure=is_secure,
            now=now,
            quoted=self._quote_cookie,
        )

    def _own_cookie(self, name: str, value: str, host: str, path: str) -> Cookie:
        """Return the cookie of a plain value from the program: it is trusted, and an invalid one raises."""
        coded = value
        fault = find_fault(name, value, "") if name else "it has no name"
        if fault is None and self._quote_cookie:
            coded = quote(value)
        fault = fault or find_fault(name, value, coded)
        if fault is None and not _FORBIDDEN_IN_NAME.isdisjoint(name):
            fault = "its name contains a space, quote, comma or semicolon"
        if fault is not None:
            raise ValueError(f"the cookie {name[:100]!r} cannot be stored: {fault}")
        return Cookie(
            name,
            value,
            coded,
            domain=host,
            path=default_path(path),
            host_only=bool(host),
            # A plain value has no attributes; the name requires this one.
            secure=bool(prefix_of(name, coded)),
            quoted=self._quote_cookie,
        )

    def _put(
        self, name: str, verdict: Cookie | str, host: str, may_replace: bool, now: float
    ) -> None:
        if isinstance(verdict, str):
            _log.debug("cookie %r from %s was left out: %s", name, host, verdict)
        elif not may_replace and self._store.protects(verdict):
            _log.debug("cookie %r from %s was left out: a Secure one has its place", name, host)
        else:
            self._store_changed(verdict, now)

    def _store_changed(self, cookie: Cookie, now: float) -> None:
        if self._store.put(cookie, now):
            self._selections.clear()

    # Removing.

    def clear(self, predicate: ClearCookiePredicate | None = None) -> None:
        """Remove all cookies, or those for which *predicate*, given a ``Morsel``, is true; also the expired ones."""
        if predicate is None:
            with self._lock:
                self._store.clear()
                self._selections.clear()
            return
        self._remove([cookie for cookie in self._held() if predicate(cookie.morsel)])

    def clear_domain(self, domain: str) -> None:
        """Remove the cookies of *domain* and its subdomains."""
        wanted = cookie_host(domain.removeprefix("."))
        self._remove([held for held in self._held() if domain_matches(held.domain, wanted)])

    def _remove(self, cookies: list[Cookie]) -> None:
        with self._lock:
            for cookie in cookies:
                self._store.remove(cookie)
            self._selections.clear()

    def _expire(self) -> None:
        with self._lock:
            if self._store.expire(self._clock()):
                self._selections.clear()

    def _held(self) -> list[Cookie]:
        self._expire()
        with self._lock:
            return self._store.all()

    # Files.

    def save(self, file_path: PathLike, *, format: JarFormat = "aioclient") -> None:
        """Write all cookies, including session cookies, to a JSON file that only its owner can read.

        The file is replaced as a whole, or not at all. This blocks: from a coroutine,
        ``await asyncio.to_thread(jar.save, path)``.

        Args:
            file_path: the file.
            format: "aiohttp" for a file that aiohttp 3.14 and later can load. It cannot contain two cookies with the
                same name, domain and path that differ in whether subdomains get them.

        Raises:
            ValueError: the *format* does not exist.
        """
        write_private(file_path, json_file.dump(self._held(), format))

    def load(self, file_path: PathLike) -> None:
        """Replace the cookies by those of a file written by `save`, or by aiohttp from 3.14 on.

        Expired cookies, those that no response could have set, and invalid entries are left out. Nothing is ever
        unpickled. Files of aiohttp before 3.14.1 do not mark host-only cookies: all cookies are sent to subdomains, as
        in aiohttp.

        Raises:
            ValueError: the file has another format, or contains no valid cookie; the jar is unchanged then.
            OSError: it cannot be read.
        """
        text = read_text(file_path)
        self._replace(json_file.parse(text, str(file_path), self._quote_cookie, self._clock()))

    def save_cookies_txt(self, file_path: PathLike) -> None:
        """Write the cookies as ``cookies.txt``, for curl, wget and browser tools; only the owner can read the file.

        Cookies for every host, and SameSite, are left out: the format has no place for them.
        """
        write_private(file_path, cookies_txt.dump(self._held()))

    def load_cookies_txt(self, file_path: PathLike) -> None:
        """Replace the cookies by those of a ``cookies.txt`` in Netscape's format.

        An invalid line is left out, and logged.

        Raises:
            ValueError: no line is valid; the jar is unchanged then.
            OSError: the file cannot be read.
        """
        self._replace(cookies_txt.parse(read_text(file_path), str(file_path), self._quote_cookie))

    def _replace(self, cookies: list[Cookie]) -> None:
        now = self._clock()
        store = CookieStore(self._store.max_total, self._store.max_per_domain)
        for cookie in cookies:
            store.put(cookie, now)
        with self._lock:
            self._store = store
            self._selections.clear()


def _now() -> float:
    return time.time()  # looked up at each call: tests replace it


def _in_order(cookies: list[Cookie]) -> list[Cookie]:
    return sorted(cookies, key=lambda cookie: (-len(cookie.path), cookie.created))


def _within_limits(cookies: list[Cookie]) -> list[Cookie]:
    """Return as many cookies as one request may carry, a host's own first: other hosts' cookies cannot displace
    them.
    """
    length = _FIELD_NAME + sum(cookie.size + 2 for cookie in cookies) - 2
    if len(cookies) <= MAX_SENT and length <= MAX_FIELD:
        return cookies
    kept: list[Cookie] = []
    left_out: set[str] = set()
    length = _FIELD_NAME - 2
    for cookie in sorted(
        cookies,
        key=lambda cookie: (
            -len(cookie.domain),
            not cookie.host_only,
            -len(cookie.path),
            cookie.created,
        ),
    ):
        if length + cookie.size + 2 > MAX_FIELD:
            # A cookie of the same name from a parent domain must not replace it either.
            left_out.add(cookie.name)
        elif cookie.name not in left_out:
            length += cookie.size + 2
            kept.append(cookie)
            if len(kept) == MAX_SENT:
                break
    _log.debug("%d cookies were not sent: there were too many", len(cookies) - len(kept))
    return kept


def _joined(cookies: Mapping[str, str]) -> str | None:
    return "; ".join([f"{name}={value}" for name, value in cookies.items()]) or None


def _origins(urls: StrOrURL | Iterable[StrOrURL] | None) -> frozenset[URL]:
    if urls is None:
        return frozenset()
    if isinstance(urls, (str, URL)):
        urls = (urls,)
    return frozenset(_url(url).origin() for url in urls)


def _url(url: StrOrURL) -> URL:
    return url if isinstance(url, URL) else url_of(url)


def _origin_of(url: URL) -> tuple[str, str, int | None]:
    """Return scheme, canonical host and port; an explicit default port makes no difference."""
    return url.scheme, cookie_host(url.raw_host or ""), url.port
