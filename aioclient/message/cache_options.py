"""What a call asks of a cache."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

CacheMode = Literal["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"]
MODES: Final[tuple[str, ...]] = get_args(CacheMode)
FOREVER: Final = float("inf")
"""A ``cache_ttl`` that never ends."""


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """What ``cache_mode=``, ``cache_ttl=`` and ``cacheable=`` of a call say; None says nothing.

    ``ttl`` is in seconds, ``FOREVER`` for ever.
    """

    mode: CacheMode = "default"
    ttl: float | None = None
    cacheable: bool | None = None


ASKS_NOTHING: Final = CacheOptions()


def cache_options(mode: object, ttl: object, cacheable: object) -> CacheOptions:
    """Return what the arguments of a call say; None says nothing.

    Raises:
        TypeError, ValueError: one of them is not of its kind.
    """
    if mode is not None and mode not in MODES:
        kind = ValueError if isinstance(mode, str) else TypeError
        raise kind(f"cache_mode must be one of {', '.join(map(repr, MODES))}, found {mode!r}")
    if cacheable is not None and not isinstance(cacheable, bool):
        raise TypeError(
            f"cacheable must be True, False or None, found {type(cacheable).__name__} {cacheable!r}"
        )
    return CacheOptions(
        mode="default" if mode is None else mode,  # type: ignore[arg-type]
        ttl=checked_ttl("cache_ttl", ttl),
        cacheable=cacheable,
    )


def checked_ttl(argument: str, ttl: object) -> float | None:
    """Return *ttl*, seconds or None.

    Raises:
        TypeError, ValueError: it is neither, or less than 0.
    """
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)):
        raise TypeError(
            f"{argument} must be a number of seconds, FOREVER or None, found {type(ttl).__name__} {ttl!r}"
        )
    if not ttl >= 0:
        raise ValueError(f"{argument}={ttl!r}: give seconds from 0 on, or FOREVER")
    return float(ttl)
