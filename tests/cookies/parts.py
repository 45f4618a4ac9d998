"""What the tests of this folder share."""

from collections.abc import Iterable
from typing import Any

import pytest
from yarl import URL

from aioclient.cookies import CookieJar

NOW = 1_700_000_000.0


def row(name: str) -> Any:
    """Give a test the id of a row of the threat model."""
    return pytest.mark.parametrize("row", [pytest.param("", id=name)])


class Clock:
    """The time, as the test wants it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def jar_of(
    fields: str | Iterable[str], url: str = "https://a.example/", **options: Any
) -> CookieJar:
    """A jar that got one response from *url* with these Set-Cookie fields."""
    jar = CookieJar(**{"clock": Clock(), **options})
    receive(jar, fields, url)
    return jar


def receive(jar: CookieJar, fields: str | Iterable[str], url: str) -> None:
    jar.update_cookies_from_headers([fields] if isinstance(fields, str) else list(fields), URL(url))


def sent(jar: CookieJar, url: str) -> str | None:
    """The Cookie field of a request to *url*; `filter_cookies` agrees with it on every name."""
    header = jar.header_for(URL(url))
    names = {pair.partition("=")[0] for pair in (header or "").split("; ") if "=" in pair}
    assert set(jar.filter_cookies(URL(url))) == names
    return header


def held(jar: CookieJar) -> set[tuple[str, str, str]]:
    """Name, value and domain of what is in the jar."""
    return {(morsel.key, morsel.value, morsel["domain"]) for morsel in jar}
