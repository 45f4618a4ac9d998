"""What a cache counts."""

from dataclasses import dataclass

from .store import StoreStatistics


@dataclass(slots=True)
class Counts:
    """The counts of a cache so far."""

    hits: int = 0
    stale: int = 0
    revalidated: int = 0
    misses: int = 0
    stored: int = 0
    collapsed: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a ``Cache`` has done since it was made, and what its store holds.

    ``hits`` were answered without the server, ``stale`` of them with a response that was not fresh; ``revalidated``
    were confirmed by the server; ``misses`` were sent to it. ``stored`` is how many responses were given to the store,
    ``collapsed`` how many calls waited for another one, ``errors`` how many exceptions the store raised. ``store`` is a
    ``StoreStatistics``, None if the store raises.
    """

    hits: int
    stale: int
    revalidated: int
    misses: int
    stored: int
    collapsed: int
    errors: int
    store: StoreStatistics | None
