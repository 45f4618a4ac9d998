"""Dates in header fields (RFC 9110, section 5.6.7): three forms, of which only the first is sent today."""

import re
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import Final

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
        1,
    )
}
_TIME: Final = r"([0-9]{2}):([0-9]{2}):([0-9]{2})"
_DAY: Final = r"(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAY: Final = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_IMF = re.compile(
    rf"{_DAY}, ([0-9]{{2}}) ([a-z]{{3}}) ([0-9]{{4}}) {_TIME} gmt", re.IGNORECASE | re.ASCII
).fullmatch
_RFC850 = re.compile(
    rf"{_LONG_DAY}, ([0-9]{{2}})-([a-z]{{3}})-([0-9]{{2}}) {_TIME} gmt", re.IGNORECASE | re.ASCII
).fullmatch
_ASCTIME = re.compile(
    rf"{_DAY} ([a-z]{{3}}) ((?: |[0-9])[0-9]) {_TIME} ([0-9]{{4}})", re.IGNORECASE | re.ASCII
).fullmatch
_LONGEST: Final = 40  # characters; no form has more


def timestamp_of(text: str, now: float) -> float | None:
    """Return an HTTP date in seconds since the epoch; None if *text* is not a date.

    Args:
        text: a date in any of the three forms, in upper or lower case. Nothing else is valid, ``0`` neither.
        now: seconds since the epoch: a year of two digits is the one that lies at most 50 years after it.
    """
    text = text.strip(" \t")
    if len(text) > _LONGEST:
        return None
    parts = _parts(text)
    if parts is None:
        return None
    year, month, day, hour, minute, second = parts
    if year < 0:  # two digits
        year = -year - 1
        this = datetime.fromtimestamp(min(max(now, 0.0), 2.0**37), UTC).year
        year += this - this % 100
        if year > this + 50:
            year -= 100
    try:
        # A leap second is not one of Python's.
        date = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    return date.timestamp()


@lru_cache(maxsize=512)
def _parts(text: str) -> tuple[int, int, int, int, int, int] | None:
    if (found := _IMF(text)) is not None or (found := _RFC850(text)) is not None:
        day, name, digits, *time = found.groups()
    elif (found := _ASCTIME(text)) is not None:
        name, day, *time, digits = found.groups()
    else:
        return None
    month = _MONTHS.get(name.lower())
    if month is None or int(time[2]) > 60:
        return None
    year = int(digits) if len(digits) == 4 else -int(digits) - 1
    return year, month, int(day), int(time[0]), int(time[1]), int(time[2])


def http_date(timestamp: float) -> str:
    """Return seconds since the epoch as an HTTP date."""
    return formatdate(timestamp, usegmt=True)
