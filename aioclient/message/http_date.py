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
    found = _parsed(text)
    if isinstance(found, float):
        return found
    if found is None:
        return None
    digits, *others = found
    this = datetime.fromtimestamp(min(max(now, 0.0), 2.0**37), UTC).year
    year = digits + this - this % 100
    return _seconds(year - 100 if year > this + 50 else year, *others)


@lru_cache(maxsize=512)
def _parsed(text: str) -> float | tuple[int, ...] | None:
    """Return the seconds since the epoch; if the year has two digits, year, month, day, hour, minute and second."""
    if (found := _IMF(text)) is not None or (found := _RFC850(text)) is not None:
        day, name, digits, *time = found.groups()
    elif (found := _ASCTIME(text)) is not None:
        name, day, *time, digits = found.groups()
    else:
        return None
    month = _MONTHS.get(name.lower())
    if month is None or int(time[2]) > 60:
        return None
    parts = int(digits), month, int(day), *map(int, time)
    return _seconds(*parts) if len(digits) == 4 else parts


def _seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float | None:
    try:
        # A leap second is not one of Python's.
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC).timestamp()
    except ValueError:
        return None


def http_date(timestamp: float) -> str:
    """Return seconds since the epoch as an HTTP date."""
    return formatdate(timestamp, usegmt=True)
