"""What ``Retry-After`` says (RFC 9110, section 10.2.3)."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a response asks to wait, at least 0; None if it asks for none, or says no such thing.

    A date counts from the response's own ``Date``, which makes up for a clock that is wrong on either side.

    Args:
        headers: of the response; names ignore case.
        now: seconds since the epoch, for a date in a response that has no ``Date``.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = _timestamp(text)
    if until is None:
        return None
    sent = _timestamp(headers.get("Date", ""))
    return max(0.0, until - (now if sent is None else sent))


def _timestamp(text: str) -> float | None:
    """Return the seconds since the epoch of an HTTP date; None if it is none."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
