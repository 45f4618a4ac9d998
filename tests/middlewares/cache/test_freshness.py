"""Is a stored response fresh? RFC 9111, sections 4.2.1 to 4.2.3."""

from typing import Any

import pytest

from aioclient.message.cache_options import FOREVER
from aioclient.middlewares.cache.directives import response_directives
from aioclient.middlewares.cache.entry import Entry
from aioclient.middlewares.cache.freshness import age_of, freshness_of, said_age
from aioclient.middlewares.cache.settings import CacheSettings

from .values import NOW, date, entry_of, fields_of

PRIVATE = CacheSettings()
SHARED = CacheSettings(shared=True)


def lifetime(entry: Entry, settings: CacheSettings = PRIVATE) -> float:
    directives = response_directives(entry.fields, settings.targets)
    return freshness_of(entry, directives, settings).lifetime


class TestLifetime:
    """Section 4.2.1."""

    @pytest.mark.parametrize(
        ("lines", "alone", "shared"),
        [
            (["Cache-Control: max-age=9, s-maxage=5", date("Expires", 7)], 9, 5),
            (["Cache-Control: max-age=9", date("Expires", 7)], 9, 9),
            (["Cache-Control: max-age=0", date("Expires", 7)], 0, 0),
            (["Cache-Control: max-age=9", "Expires: 0"], 9, 9),
            (["Cache-Control: s-maxage=5"], 0, 5),
            ([date("Expires", 7)], 7, 7),
            ([date("Expires", 7), date("Date", 3)], 4, 4),
            ([date("Expires", 7), date("Date", 30)], 0, 0),
            ([date("Expires", -7)], 0, 0),
            (["Expires: 0"], 0, 0),
            (["Expires: tomorrow"], 0, 0),
            ([date("Expires", 7), date("Expires", 7)], 7, 7),
            ([date("Expires", 7), date("Expires", 9)], 0, 0),
            ([date("Expires", 7), "Expires: 0"], 0, 0),
            ([], 0, 0),
        ],
    )
    def test_first_there_is(self, lines: list[str], alone: int, shared: int) -> None:
        """The first of s-maxage (shared), max-age, Expires less Date; what cannot be read ends it."""
        assert lifetime(entry_of(*lines)) == alone
        assert lifetime(entry_of(*lines), SHARED) == shared

    @pytest.mark.parametrize(
        ("status", "lines", "expected"),
        [
            (200, [], 10),
            (404, [], 10),
            (501, [], 10),
            (201, [], 0),
            (302, [], 0),
            (503, [], 0),
            (599, ["Cache-Control: public"], 10),
            (200, ["Cache-Control: max-age=3"], 3),
            (200, ["Expires: 0"], 0),
        ],
    )
    def test_guessed(self, status: int, lines: list[str], expected: int) -> None:
        """Section 4.2.2: a tenth of the time since the last change, where nothing is said and the status allows it."""
        entry = entry_of(date("Date", 0), date("Last-Modified", -100), *lines, status=status)
        assert lifetime(entry) == expected
        assert lifetime(entry, CacheSettings(heuristic_limit=2)) == min(
            expected, 2 if expected == 10 else 9
        )
        assert lifetime(entry, CacheSettings(heuristic_limit=0)) == (
            expected if expected == 3 else 0
        )

    def test_users_word(self) -> None:
        """A lifetime that the user gave goes before all of them."""
        entry = entry_of("Cache-Control: max-age=3", ttl=FOREVER)
        assert lifetime(entry) == FOREVER

    def test_targeted(self) -> None:
        """RFC 9213: with a targeted field Expires does not count, whatever that field says of time."""
        entry = entry_of(date("Expires", 7), "CDN-Cache-Control: public")
        assert lifetime(entry, CacheSettings(targets=("CDN-Cache-Control",))) == 0
        assert lifetime(entry) == 7


class TestAge:
    """Section 4.2.3."""

    @pytest.mark.parametrize(
        ("lines", "times", "expected"),
        [
            ([], {}, 0),
            ([date("Date", -30)], {}, 30),
            ([date("Date", 30)], {}, 0),
            (["Age: 20"], {}, 20),
            (["Age: 20", date("Date", -30)], {}, 30),
            (["Age: 20"], {"requested": NOW - 3}, 23),
            (["Age: 20", date("Date", -30)], {"requested": NOW - 15}, 35),
            ([], {"requested": NOW - 3}, 3),
            ([], {"requested": NOW + 3}, 0),
        ],
    )
    def test_when_it_came(self, lines: list[str], times: dict[str, Any], expected: float) -> None:
        """The greater one of what Date and what Age say, with the time that the request took."""
        entry = entry_of(*lines, **times)
        freshness = freshness_of(entry, response_directives(entry.fields), PRIVATE)
        assert freshness.initial_age == expected
        assert age_of(entry, freshness, NOW + 5) == expected + 5
        assert age_of(entry, freshness, NOW - 5) == expected + 5

    @pytest.mark.rows("CACHE-04")
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            (["Age: 0"], 0),
            (["Age: 7"], 7),
            (["Age: 2147483649"], 2147483649),
            ([f"Age: {'9' * 5000}"], float("inf")),
            (["Age: -7"], float("inf")),
            (["Age: 7.0"], float("inf")),
            (["Age: 7, 0"], float("inf")),
            (["Age: 0, 7"], float("inf")),
            (["Age: 0", "Age: 0"], float("inf")),
            (["Age: old"], float("inf")),
            (["Age: 7;a=b"], float("inf")),
            (["Age:"], float("inf")),
        ],
    )
    def test_said(self, lines: list[str], expected: float) -> None:
        """An Age that is not one number is one that nobody knows: no response with it is fresh."""
        assert said_age(fields_of(*lines)) == expected
