"""Validation, updates and parts: RFC 9111, sections 3.2 and 4.3; RFC 9110, sections 13 and 14."""

import pytest

from aioclient.middlewares.cache.ranges import Part, content_range, part_for
from aioclient.middlewares.cache.settings import CacheSettings
from aioclient.middlewares.cache.updating import agrees, updated
from aioclient.middlewares.cache.validation import (
    allows_range,
    conditions_for,
    confirms,
    is_unchanged,
)

from .values import NOW, date, entry_of, fields_of

PRIVATE = CacheSettings()
SHARED = CacheSettings(shared=True)


def test_conditions() -> None:
    """Section 4.3.1: both validators are sent, as they came."""
    modified = date("Last-Modified", -9)
    entry = entry_of('ETag: W/"1"', modified)
    assert conditions_for(entry) == {
        "If-None-Match": 'W/"1"',
        "If-Modified-Since": modified.partition(": ")[2],
    }
    assert conditions_for(entry_of()) == {}


@pytest.mark.parametrize(
    ("stored", "newer", "expected"),
    [
        (['ETag: "1"'], [], True),
        (['ETag: "1"'], ['ETag: "1"'], True),
        (['ETag: "1"'], ['ETag: "2"'], False),
        (['ETag: W/"1"'], ['ETag: "1"'], False),
        (['ETag: "1"'], ['ETag: W/"1"'], True),
        (['ETag: "1"', date("Last-Modified", -9)], [date("Last-Modified", -5)], True),
        ([date("Last-Modified", -9)], [date("Last-Modified", -9)], True),
        ([date("Last-Modified", -9)], [date("Last-Modified", -5)], False),
        ([date("Last-Modified", -9)], ['ETag: "1"'], True),
    ],
)
def test_confirms(stored: list[str], newer: list[str], expected: bool) -> None:
    """Section 4.3.4: a 304 is about what is stored if its validators are."""
    assert confirms(entry_of(*stored), fields_of(*newer)) is expected


@pytest.mark.rows("CACHE-05")
class TestUpdating:
    def test_fields(self) -> None:
        """Section 3.2: fields of the newer response take the place of those stored, but for those about the bytes."""
        entry = entry_of(
            "A: 1",
            "A: 2",
            "B: 1",
            "Content-Length: 5",
            "Content-Encoding: gzip",
            "Age: 9",
            'ETag: "1"',
        )
        newer = fields_of(
            "a: 3",
            "C: 1",
            "Content-Length: 0",
            "Content-Encoding: br",
            "Content-Range: bytes 0-1/2",
            "Set-Cookie: a=b",
            "Connection: x",
            "X: 1",
            "Cache-Control: max-age=9",
        )
        result = updated(entry, newer, NOW + 1, NOW + 2, PRIVATE)
        assert result is not None
        assert sorted(result.fields.items()) == [
            ("B", "1"),
            ("C", "1"),
            ("Cache-Control", "max-age=9"),
            ("Content-Encoding", "gzip"),
            ("Content-Length", "5"),
            date("Date", 2).partition(": ")[::2],
            ("ETag", '"1"'),
            ("a", "3"),
        ]
        assert (result.requested, result.received) == (NOW + 1, NOW + 2)

    def test_forbidden(self) -> None:
        """A 304 may end the permission to store."""
        assert updated(entry_of(), fields_of("Cache-Control: no-store"), NOW, NOW, PRIVATE) is None
        private = fields_of("Cache-Control: private")
        assert updated(entry_of(), private, NOW, NOW, SHARED) is None
        assert updated(entry_of(), private, NOW, NOW, PRIVATE) is not None

    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ([], True),
            (["Content-Length: 5", 'ETag: "1"'], True),
            (["Content-Length: 6", 'ETag: "1"'], False),
            (['ETag: "2"'], False),
        ],
    )
    def test_head(self, lines: list[str], expected: bool) -> None:
        """Section 4.3.5: the answer to HEAD is about what is stored if validators and length are."""
        assert agrees(entry_of('ETag: "1"', size=5), fields_of(*lines)) is expected


class TestUsersOwnConditions:
    """Section 4.3.2."""

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            (['If-None-Match: "1"'], True),
            (['If-None-Match: W/"1"'], True),
            (['If-None-Match: "0", "1", "2"'], True),
            (['If-None-Match: "0"', 'If-None-Match: "1"'], True),
            (['If-None-Match: "0,", "2"'], False),
            (["If-None-Match: *"], True),
            (['If-None-Match: "2"', date("If-Modified-Since", 9)], False),
            ([date("If-Modified-Since", -9)], True),
            ([date("If-Modified-Since", -8)], True),
            ([date("If-Modified-Since", -10)], False),
            (["If-Modified-Since: soon"], False),
            (['If-Match: "1"'], None),
            ([date("If-Unmodified-Since", 9)], None),
        ],
    )
    def test_unchanged(self, asked: list[str], expected: bool | None) -> None:
        """If-None-Match is compared weakly and goes before If-Modified-Since; others are for the server."""
        entry = entry_of('ETag: "1"', date("Last-Modified", -9))
        assert is_unchanged(fields_of(*asked), entry) is expected

    def test_without_validators(self) -> None:
        """Without Last-Modified the Date counts, else when it came."""
        assert is_unchanged(fields_of(date("If-Modified-Since", 0)), entry_of()) is True
        entry = entry_of(date("Date", 5))
        assert is_unchanged(fields_of(date("If-Modified-Since", 0)), entry) is False
        assert is_unchanged(fields_of('If-None-Match: "1"'), entry) is False

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ([], True),
            (['If-Range: "1"'], True),
            (['If-Range: W/"1"'], False),
            (['If-Range: "2"'], False),
            ([date("If-Range", -9)], True),
            ([date("If-Range", -8)], False),
            (["If-Range:"], False),
        ],
    )
    def test_if_range(self, asked: list[str], expected: bool) -> None:
        """RFC 9110, section 13.1.5: compared strongly, a date exactly."""
        entry = entry_of('ETag: "1"', date("Last-Modified", -9))
        assert allows_range(fields_of(*asked), entry) is expected


@pytest.mark.rows("CACHE-05")
class TestParts:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("bytes=0-1", (0, 2)),
            ("Bytes=0-1", (0, 2)),
            ("bytes=1-", (1, 10)),
            ("bytes=-1", (9, 10)),
            ("bytes=-100", (0, 10)),
            ("bytes=0-100", (0, 10)),
            ("bytes=10-", None),
            ("bytes=2-1", None),
            ("bytes=-0", None),
            ("bytes=-", None),
            ("bytes=0-1,4-5", None),
            ("lines=0-1", None),
            ("0-1", None),
            (f"bytes={'9' * 30}-", None),
        ],
    )
    def test_of_the_whole(self, text: str, expected: tuple[int, int] | None) -> None:
        """RFC 9110, section 14.1.2: one range of bytes that is there."""
        part = part_for(text, entry_of(size=10))
        assert part == (None if expected is None else Part(*expected, 10))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("bytes=-6", (4, 10)),
            ("bytes=6-8", (6, 9)),
            ("bytes=6-", (6, 10)),
            ("bytes=0-5", None),
            ("bytes=-7", None),
        ],
    )
    def test_of_a_part(self, text: str, expected: tuple[int, int] | None) -> None:
        """A part answers what lies in it."""
        part = part_for(text, entry_of(size=6, start=4, complete=10, status=206))
        assert part == (None if expected is None else Part(*expected, 10))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("bytes 0-1/4", Part(0, 2, 4)),
            ("bytes 0-3/4", Part(0, 4, 4)),
            ("bytes 0-4/4", None),
            ("bytes 2-1/4", None),
            ("bytes 0-1/*", None),
            ("bytes */4", None),
            ("", None),
        ],
    )
    def test_content_range(self, text: str, expected: Part | None) -> None:
        """RFC 9110, section 14.4: what says not which bytes, and of how many, is of no use."""
        assert content_range(fields_of(f"Content-Range: {text}")) == expected
