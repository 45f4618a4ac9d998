"""The date of an ``Expires`` attribute, parsed as browsers parse it (RFC 6265bis, section 5.1.1)."""

import re
from datetime import UTC, datetime

# Everything but the delimiters of section 5.1.1. A single repeated class: no backtracking.
_TOKENS = re.compile(r"[^\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+").findall
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])").match
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])").match
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])").match
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}


def parse_cookie_date(text: str) -> float | None:
    """Return the POSIX time of *text*, or None when it is not a date.

    The parts may come in any order; the first token that fits a part is used for it. The time is UTC, whatever zone the
    text names. A day that the calendar does not have (30 February) is not a date.
    """
    time = day = month = year = None
    for token in _TOKENS(text):
        if time is None and (found := _TIME(token)):
            time = found
        elif day is None and (found := _DAY(token)):
            day = int(found[1])
        elif month is None and (number := _MONTHS.get(token[:3].lower())):
            month = number
        elif year is None and (found := _YEAR(token)):
            year = int(found[1])
    if time is None or day is None or month is None or year is None:
        return None
    if 70 <= year <= 99:
        year += 1900
    elif year <= 69:
        year += 2000
    if year < 1601:
        return None
    try:
        moment = datetime(year, month, day, int(time[1]), int(time[2]), int(time[3]), tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp()


def format_cookie_date(when: float) -> str:
    """Return POSIX time *when* in the form of an ``Expires`` attribute (IMF-fixdate); times out of range are
    clamped.
    """
    moment = datetime.fromtimestamp(min(max(when, 0), _LAST_REPRESENTABLE), UTC)
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTH_NAMES[moment.month - 1]} "
        f"{moment.year:04d} {moment:%H:%M:%S} GMT"
    )


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH_NAMES = [name.capitalize() for name in _MONTHS]
_LAST_REPRESENTABLE = 253402300799  # 9999-12-31T23:59:59Z
