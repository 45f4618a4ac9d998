"""The defaults of a session: the header fields of every request, and its own cookies; also the cookies of a call."""

from collections.abc import Iterable, Mapping, Sequence
from http.cookies import Morsel
from typing import Any, cast

from aiohttp.abc import AbstractCookieJar
from aiohttp.typedefs import LooseCookies
from multidict import CIMultiDict
from yarl import URL

from ..cookies import CookieJar
from ..exceptions import shown
from ..message.codings import accept_encoding
from ..message.headers import USER_AGENT, DefaultHeaders, LooseHeaders, merge_into
from ..message.origin import origin_of
from ..message.pairs import checked_pairs
from ..warning import SharedCookiesWarning, warn_caller


def auto_fields(skipped: frozenset[str]) -> dict[str, str]:
    """Return the fields that are sent by default, without those that are *skipped*."""
    fields = {"Accept": "*/*", "Accept-Encoding": accept_encoding(), "User-Agent": USER_AGENT}
    return {name: value for name, value in fields.items() if name.lower() not in skipped}


def default_headers(auto: Mapping[str, str], headers: LooseHeaders | None) -> DefaultHeaders:
    """Return the fields of every request: *headers*, and those of *auto* whose names they lack.

    Raises:
        TypeError, ValueError: a field cannot be sent; this is checked before the first request.
    """
    given: CIMultiDict[str] = CIMultiDict()
    if headers is not None:
        merge_into(given, headers)
    defaults = DefaultHeaders(given, auto)
    defaults.block()
    return defaults


def put_cookies(jar: AbstractCookieJar, cookies: LooseCookies, base_url: URL | None) -> None:
    """Put the session's own cookies into its jar: for the host of *base_url*, or else for every host.

    Those for the host of an ``https`` URL are sent over TLS only.

    Raises:
        TypeError: they are a str.
        ValueError: the base URL's host is an IP address, and the jar accepts no cookies for those.
    """
    if isinstance(cast(object, cookies), (str, bytes)):
        raise TypeError(f"cookies must be a mapping or pairs, found {type(cookies).__name__}")
    pairs: Any = (
        cookies.items() if isinstance(cookies, Mapping) else checked_pairs("cookies", cookies)
    )
    # A morsel has a name of its own, which is used.
    named = [
        (value.key or name if isinstance(value, Morsel) else name, value) for name, value in pairs
    ]
    if not named:
        return
    # A jar of the user's own gets a mapping when one was given, unless two of its morsels have one name.
    by_name = dict(named)
    cookies = by_name if isinstance(cookies, Mapping) and len(by_name) == len(named) else named
    if base_url is None:
        warn_caller(
            "cookies= are sent to every host, because the session has no base_url to name one; "
            "give one, or put them into cookie_jar= for their URL",
            SharedCookiesWarning,
        )
        jar.update_cookies(cookies, URL())
        return
    if origin_of(base_url).is_ip and not jar.unsafe:
        raise ValueError(
            f"cookies= are for {shown(base_url)}, an IP address, for which this jar stores no cookies; "
            "give cookie_jar=CookieJar(unsafe=True), or a host name"
        )
    origin = base_url.origin()
    jar.update_cookies(cookies, origin)
    if origin_of(origin).is_tls:
        _make_secure(jar, cookies, origin)


def _make_secure(
    jar: AbstractCookieJar,
    cookies: "Mapping[str, Any] | Sequence[tuple[str, Any]]",
    origin: URL,
) -> None:
    """Mark plain *cookies*, just stored for *origin*, as Secure: a redirect to http must not expose them."""
    stored = jar.filter_cookies(origin)
    for name, value in cookies.items() if isinstance(cookies, Mapping) else cookies:
        if name in stored and not isinstance(value, Morsel):
            morsel = stored[name]
            morsel["secure"] = True
            jar.update_cookies({name: morsel}, origin)


def without_strays(cookies: LooseCookies, url: URL, jar: AbstractCookieJar) -> LooseCookies:
    """Return the *cookies* of a call without the morsels whose attributes exclude *url*.

    A Secure one is sent over TLS only, or to an origin that *jar* trusts; one with a domain or path is sent there only.
    """
    if isinstance(cast(object, cookies), (str, bytes)) or not isinstance(cookies, Iterable):
        return cookies  # refused later
    pairs: Any = (
        cookies.items() if isinstance(cookies, Mapping) else checked_pairs("cookies", cookies)
    )
    kept: list[tuple[str, Any]] = []
    for name, value in pairs:
        if isinstance(value, Morsel):
            judge = CookieJar(
                unsafe=jar.unsafe,
                quote_cookie=jar.quote_cookie,
                treat_as_secure_origin=jar.treat_as_secure_origin,
            )
            judge.update_cookies([(name, value)])
            if not judge.filter_cookies(url):
                continue
        kept.append((name, value))
    return kept
