"""What a cache was told: the part that its rules ask for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """How the rules are applied.

    Attributes:
        shared: whether several users are served from one store (RFC 9111, section 1.1).
        heuristic_limit: seconds of the longest lifetime that is guessed; 0 guesses none.
        stale_if_error: seconds after the end of its lifetime in which a response may stand in for an error, though
            nobody has sent ``stale-if-error``; 0 for none.
        always_revalidate: whether each use is confirmed by the server.
        targets: names of targeted fields, the most important first (RFC 9213).
    """

    shared: bool = False
    heuristic_limit: float = 86400.0
    stale_if_error: float = 0.0
    always_revalidate: bool = False
    targets: tuple[str, ...] = ()
