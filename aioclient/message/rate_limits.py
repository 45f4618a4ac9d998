"""What a server says of its rate limits, in any of the spellings that are in use.

* ``RateLimit: "default";r=50;t=30`` and ``RateLimit-Policy: "default";q=100;w=60``
  (draft-ietf-httpapi-ratelimit-headers, from its eighth version on): *r* requests are left for *t* seconds; *q* are
  allowed in *w* seconds.
* ``RateLimit: limit=100, remaining=50, reset=30`` and ``RateLimit-Limit``, ``RateLimit-Remaining``,
  ``RateLimit-Reset``: its earlier versions.
* ``X-RateLimit-Limit``, ``X-RateLimit-Remaining``, ``X-RateLimit-Reset``: what most servers send. The reset is in
  seconds, or a time since the epoch, in seconds or milliseconds.

Of several limits the one with the fewest requests left counts, and of several policies the slowest. What cannot be read
is no advice.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from multidict import istr

LONGEST: Final = 6 * 3600.0  # seconds; a server cannot stop its clients for longer
_EPOCH: Final = 10**9  # what is greater is no number of seconds to wait: it is 31 years
_MILLISECONDS: Final = 10**11
# These fold their case once; each response is asked for them.
_LIMIT: Final = istr("RateLimit")
_POLICY: Final = istr("RateLimit-Policy")
_REMAINING: Final = (
    istr("RateLimit-Remaining"),
    istr("X-RateLimit-Remaining"),
    istr("X-Rate-Limit-Remaining"),
)

_NAMED_NUMBER: Final = re.compile(
    r"(?<=[;,\s])(q|w|r|t|limit|remaining|reset)\s*=\s*\"?(\d{1,15})\b", re.I
)
_NUMBER: Final = re.compile(r"\s*(\d{1,15})(?:\.\d*)?\s*(?:[,;].*)?")


@dataclass(frozen=True, slots=True)
class Advice:
    """What a response says: *left* requests for the next *reset* seconds, and *quota* requests in *window* seconds."""

    left: int | None = None
    reset: float | None = None
    quota: int | None = None
    window: float | None = None


NONE: Final = Advice()


def speaks_of_limits(headers: Mapping[str, str]) -> bool:
    """Tell whether the *headers* of a response may have advice."""
    return (
        _LIMIT in headers
        or _POLICY in headers
        or _REMAINING[0] in headers
        or _REMAINING[1] in headers
        or _REMAINING[2] in headers
    )


def advice(headers: Mapping[str, str], now: float) -> Advice:
    """Return the rate limits that a response names.

    Args:
        headers: those of the response; names ignore case.
        now: seconds since the epoch.
    """
    left, reset = _left(headers, now)
    quota, window = _policy(headers.get(_POLICY, ""))
    if left is None and quota is None:
        return NONE
    return Advice(left, reset, quota, window)


def _left(headers: Mapping[str, str], now: float) -> tuple[int | None, float | None]:
    text = headers.get(_LIMIT)
    if text is not None:
        found = [
            (values.get("r", values.get("remaining")), values.get("t", values.get("reset")))
            for values in map(_parameters, _items(text))
        ]
        known = [(left, reset) for left, reset in found if left is not None]
        if known:
            least, reset = min(known, key=lambda each: (each[0], -(each[1] or 0)))
            return least, None if reset is None else min(float(reset), LONGEST)
    for remaining in _REMAINING:
        left = _number(headers.get(remaining))
        if left is not None:
            resets = remaining.removesuffix("Remaining") + "Reset"
            return left, _seconds(_number(headers.get(resets)), now)
    return None, None


def _items(text: str) -> list[str]:
    """Return the limits in a field: each begins with its name. The older spelling has only one limit."""
    return [text] if "=" in text.partition(";")[0] else text.split(",")


def _parameters(text: str) -> dict[str, int]:
    return {name.lower(): int(value) for name, value in _NAMED_NUMBER.findall(f" {text}")}


def _number(text: str | None) -> int | None:
    found = None if text is None else _NUMBER.fullmatch(text)
    return None if found is None else int(found[1])


def _seconds(reset: int | None, now: float) -> float | None:
    if reset is None:
        return None
    if reset >= _MILLISECONDS:
        wait = reset / 1000 - now
    else:
        wait = reset - now if reset >= _EPOCH else float(reset)
    return min(max(wait, 0.0), LONGEST)


def _policy(text: str) -> tuple[int | None, float | None]:
    slowest: tuple[int | None, float | None] = (None, None)
    for item in text.split(","):
        values = _parameters(item)
        quota, window = values.get("q"), values.get("w")
        if not quota or not window:
            continue
        if slowest[0] is None or slowest[1] is None or quota / window < slowest[0] / slowest[1]:
            slowest = quota, min(float(window), LONGEST)
    return slowest
