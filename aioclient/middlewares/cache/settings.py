"""The settings of a cache that its rules need."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """The settings that the rules depend on.

    Attributes:
        shared: whether several users are served from one store (RFC 9111, section 1.1).
        heuristic_limit: the longest guessed lifetime, in seconds; 0 to guess none.
        stale_if_error: seconds after the end of its lifetime in which a response may replace an error, even without
            ``stale-if-error``; 0 for none.
        always_revalidate: whether the server must confirm each use.
        targets: names of targeted fields, the most important first (RFC 9213).
    """

    shared: bool = False
    heuristic_limit: float = 86400.0
    stale_if_error: float = 0.0
    always_revalidate: bool = False
    targets: tuple[str, ...] = ()
