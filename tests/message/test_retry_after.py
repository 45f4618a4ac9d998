"""What Retry-After says (RFC 9110, section 10.2.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aioclient.message.retry_after import MAX_DELAY, retry_after

NOW = 1_000_000_000.0  # Sun, 09 Sep 2001 01:46:40 GMT


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120),
        ({"retry-after": " 0 "}, 0),
        ({"Retry-After": "9" * 400}, MAX_DELAY),
        ({"Retry-After": "9" * 8000}, MAX_DELAY),
        ({"Retry-After": "0" * 400 + "7"}, 7),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, MAX_DELAY),
        ({"Retry-After": f"Sun, 09 Sep {'9' * 400} 01:47:10 GMT"}, None),
        ({"Retry-After": f"Sun, 09 Sep 2001 01:47:10 +{'9' * 400}"}, None),
        ({"Retry-After": "Sun, 09 Sep 2001 01:٤7:10 GMT"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Sun, 09 Sep 2001 01:47:10 GMT"}, 30),
        ({"Retry-After": "Sunday, 09-Sep-01 01:47:10 GMT"}, 30),
        ({"Retry-After": "Sun Sep  9 01:47:10 2001"}, 30),
        ({"Retry-After": "Sun, 09 Sep 2001 01:00:00 GMT"}, 0),
        ({"Retry-After": "Sun, 99 Sep 2001 01:00:00 GMT"}, None),
        (
            {
                "Retry-After": "Sun, 09 Sep 2001 05:00:10 GMT",
                "Date": "Sun, 09 Sep 2001 05:00:00 GMT",
            },
            10,
        ),
        ({"Retry-After": "Sun, 09 Sep 2001 01:47:10 GMT", "Date": "today"}, 30),
    ],
)
def test_seconds_and_dates(fields: dict[str, str], seconds: float | None) -> None:
    """Seconds, or a date in any of HTTP's three formats, which counts from the response's own; else nothing."""
    assert retry_after(CIMultiDict(fields), NOW) == seconds


@given(st.text(), st.text())
def test_any_text(text: str, date: str) -> None:
    """Whatever a server writes raises nothing, and is never a time in the past."""
    found = retry_after(CIMultiDict({"Retry-After": text, "Date": date}), NOW)
    assert found is None or found >= 0
