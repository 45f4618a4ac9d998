"""A jar that stores nothing."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from http.cookies import BaseCookie, Morsel, SimpleCookie
from types import MappingProxyType

from aiohttp.abc import AbstractCookieJar, ClearCookiePredicate
from aiohttp.typedefs import LooseCookies, StrOrURL
from yarl import URL

from ..warning import warn_legacy


class DummyCookieJar(AbstractCookieJar):
    """A jar that ignores every cookie; needs no running loop.

    Args:
        loop: not used (deprecated).
    """

    def __init__(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        # The base class's constructor is not called, because it requires a running loop.
        if loop is not None:
            warn_legacy("loop=", "leave it out: a jar needs no loop")

    @property
    def unsafe(self) -> bool:
        """False."""
        return False

    @property
    def quote_cookie(self) -> bool:
        """True."""
        return True

    @property
    def cookies(self) -> "MappingProxyType[tuple[str, str], SimpleCookie]":
        """Always empty."""
        return MappingProxyType({})

    @property
    def host_only_cookies(self) -> frozenset[tuple[str, str, str]]:
        """Always empty."""
        return frozenset()

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> "Iterator[Morsel[str]]":
        return iter(())

    def clear(self, predicate: ClearCookiePredicate | None = None) -> None:
        """Do nothing."""

    def clear_domain(self, domain: str) -> None:
        """Do nothing."""

    def update_cookies(self, cookies: LooseCookies, response_url: StrOrURL = "") -> None:
        """Do nothing."""

    def update_cookies_from_headers(self, headers: Sequence[str], response_url: URL) -> None:
        """Do nothing: the fields are not even parsed."""

    def filter_cookies(self, request_url: StrOrURL) -> "BaseCookie[str]":
        """Return no cookie."""
        return SimpleCookie()

    def header_for(self, url: URL, cookies: Mapping[str, str] | None = None) -> str | None:
        """Return the value of a ``Cookie`` field with only *cookies*, None if there are none."""
        if not cookies:
            return None
        return "; ".join([f"{name}={value}" for name, value in cookies.items()])
