"""Dates of Expires (RFC 6265bis, section 5.1.1)."""

import calendar
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclient.cookies.dates import format_cookie_date, parse_cookie_date

JUNE_2021 = float(calendar.timegm((2021, 6, 9, 10, 18, 14)))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Wed, 09 Jun 2021 10:18:14 GMT", id="IMF-fixdate"),
        pytest.param("Wednesday, 09-Jun-21 10:18:14 GMT", id="RFC 850"),
        pytest.param("Wed Jun  9 10:18:14 2021", id="asctime"),
        pytest.param("2021 Jun 9 10:18:14", id="year first"),
        pytest.param("10:18:14 9 june 2021", id="long month, lower case"),
        pytest.param("9-JUN-2021,10:18:14", id="any delimiter"),
        pytest.param("Wed, 09\tJun\t2021 10:18:14 +0500", id="tab; the zone is ignored"),
        pytest.param("09th Jun 2021AD 10:18:14.123", id="letters after digits"),
        pytest.param("Jun 9 2021 11 10:18:14 12:00:00 2022 Jul", id="the first of each part"),
    ],
)
def test_date_is_read(text: str) -> None:
    """The parts of a date may come in any order, and the first token that fits a part is taken."""
    assert parse_cookie_date(text) == JUNE_2021


@pytest.mark.parametrize(
    ("year", "full"), [("70", 1970), ("99", 1999), ("00", 2000), ("69", 2069), ("1601", 1601)]
)
def test_year_of_two_digits(year: str, full: int) -> None:
    """A year of two digits is in 1970 … 2069."""
    expected = calendar.timegm((full, 1, 1, 0, 0, 0))
    assert parse_cookie_date(f"1 Jan {year} 0:0:0") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "09 Jun 2021",
        "Jun 2021 10:18:14",
        "09 2021 10:18:14",
        "09 Jun 10:18:14",
        "00 Jun 2021 10:18:14",
        "32 Jun 2021 10:18:14",
        "09 Jun 1600 10:18:14",
        "09 Jun 20211 10:18:14",
        "009 Jun 2021 10:18:14",
        "09 Jun 2021 24:00:00",
        "09 Jun 2021 10:60:00",
        "09 Jun 2021 10:00:60",
        "09 Jun 2021 10:18:145",
        pytest.param("30 Feb 2024 00:00:00", id="CK-11: 30 February"),
        pytest.param("29 Feb 2023 00:00:00", id="CK-11: 29 February of no leap year"),
        pytest.param(
            "\u0660\u0669 Jun \u0662\u0660\u0662\u0661 10:18:14",
            id="CK-11: digits that are not ASCII",
        ),
    ],
)
def test_no_date(text: str) -> None:
    """What lacks a part, or names a time that does not exist, is no date."""
    assert parse_cookie_date(text) is None


@given(st.floats(0, 253402300799).map(float.__floor__))
def test_written_dates_are_read_back(when: int) -> None:
    """A date that is written is read back as the same second."""
    assert parse_cookie_date(format_cookie_date(when)) == when


@given(st.text(string.printable + "\xff\u0661"))
def test_any_text_is_a_date_or_none(text: str) -> None:
    """No text raises."""
    parse_cookie_date(text)
