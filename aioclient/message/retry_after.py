"""``Retry-After`` (RFC 9110, section 10.2.3)."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

# Seconds: larger values count as this one (RFC 9111, section 1.2.2), which every clock and timer can add.
MAX_DELAY: Final = 2.0**31


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a response asks to wait, 0 to 2**31; None if it does not ask, or the value is invalid.

    A date is relative to the response's own ``Date``, so that wrong clocks do not matter.

    Args:
        headers: of the response; names ignore case.
        now: seconds since the epoch, for a date in a response that has no ``Date``.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_DELAY)
    until = _timestamp(text)
    if until is None:
        return None
    sent = _timestamp(headers.get("Date", ""))
    return min(max(0.0, until - (now if sent is None else sent)), MAX_DELAY)


def _timestamp(text: str) -> float | None:
    """Return the seconds since the epoch of an HTTP date; None if it is invalid."""
    if not text.isascii():
        return None  # int() would accept digits of every script
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
