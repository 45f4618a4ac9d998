"""May a stored response answer this request? RFC 9111, sections 4, 4.2.4 and 5.2; RFC 5861; RFC 8246."""

from typing import Any

import pytest

from aioclient.middlewares.cache.directives import request_directives, response_directives
from aioclient.middlewares.cache.freshness import Freshness
from aioclient.middlewares.cache.reuse import Use, stands_in, use_of
from aioclient.middlewares.cache.settings import CacheSettings

from .values import fields_of

FRESH, STALE, BEHIND, ASK = Use.FRESH, Use.STALE, Use.BEHIND, Use.ASK
WANTED = Use.ASK_ON_REQUEST


def use(said: str, asked: str, age: float, **settings: Any) -> Use:
    directives = response_directives(fields_of(f"Cache-Control: {said}"))
    wanted = request_directives(fields_of(*([f"Cache-Control: {asked}"] if asked else [])))
    freshness = Freshness(100, 0, True)
    return use_of(directives, freshness, age, wanted, CacheSettings(**settings))


@pytest.mark.parametrize(
    ("said", "asked", "age", "expected"),
    [
        ("", "", 0, FRESH),
        ("", "", 99, FRESH),
        ("", "", 100, ASK),  # fresh while lifetime > age
        ("no-cache", "", 0, ASK),
        ("must-revalidate", "", 99, FRESH),
        ("must-revalidate", "", 100, ASK),
        # Section 5.2.1.1
        ("", "max-age=50", 50, FRESH),
        ("", "max-age=50", 51, WANTED),
        ("", "max-age=0", 1, WANTED),
        ("", "max-age=50, max-stale=10", 60, FRESH),
        ("", "max-age=50, max-stale=10", 61, WANTED),
        # Section 5.2.1.2
        ("", "max-stale", 100000, STALE),
        ("", "max-stale=10", 110, STALE),
        ("", "max-stale=10", 111, ASK),
        ("must-revalidate", "max-stale", 101, ASK),
        ("no-cache", "max-stale", 101, ASK),
        ("proxy-revalidate", "max-stale", 101, STALE),
        # Section 5.2.1.3
        ("", "min-fresh=20", 80, FRESH),
        ("", "min-fresh=20", 81, WANTED),
        ("stale-while-revalidate=99", "min-fresh=1", 120, WANTED),
        # Section 5.2.1.4
        ("", "no-cache", 0, WANTED),
        ("immutable", "no-cache", 0, WANTED),
        # RFC 8246, section 2
        ("immutable", "max-age=0", 99, FRESH),
        ("immutable", "max-age=0", 100, WANTED),
        # RFC 5861, section 3
        ("stale-while-revalidate=10", "", 109, BEHIND),
        ("stale-while-revalidate=10", "", 110, ASK),
        ("stale-while-revalidate=10, must-revalidate", "", 105, ASK),
        ("stale-while-revalidate=10", "max-age=50", 105, WANTED),
    ],
)
def test_one_user(said: str, asked: str, age: float, expected: Use) -> None:
    """A response with a lifetime of 100 s, in a cache of one user's."""
    assert use(said, asked, age) is expected


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("proxy-revalidate", "max-stale"),
        ("s-maxage=100", "max-stale"),
        ("s-maxage=100, stale-while-revalidate=99", ""),
    ],
)
def test_shared(said: str, asked: str) -> None:
    """Sections 5.2.2.8 and 5.2.2.10: a shared cache serves these never stale."""
    assert use(said, asked, 101, shared=True) is ASK


def test_always_revalidate() -> None:
    """The user may want each use to be confirmed."""
    assert use("immutable", "", 0, always_revalidate=True) is WANTED


@pytest.mark.parametrize(
    ("said", "asked", "mine", "age", "expected"),
    [
        ("", "", 0, 101, False),
        ("stale-if-error=10", "", 0, 109, True),
        ("stale-if-error=10", "", 0, 110, False),
        ("", "stale-if-error=10", 0, 109, True),
        ("", "", 10, 109, True),
        ("stale-if-error=5", "", 10, 109, True),
        ("stale-if-error=10, must-revalidate", "", 10, 101, False),
        ("stale-if-error=10, no-cache", "", 10, 101, False),
        ("stale-if-error=10", "no-cache", 10, 101, False),
    ],
)
def test_stands_in(said: str, asked: str, mine: float, age: float, expected: bool) -> None:
    """RFC 5861, section 4: what may stand in for an error, and for how long."""
    directives = response_directives(fields_of(f"Cache-Control: {said}"))
    wanted = request_directives(fields_of(f"Cache-Control: {asked}"))
    settings = CacheSettings(stale_if_error=mine)
    assert stands_in(directives, Freshness(100, 0, True), age, wanted, settings) is expected
