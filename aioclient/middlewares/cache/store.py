"""Where responses are kept: the protocol of a store.

A store keeps entries with their bodies, undecoded. When it becomes too large, it deletes the entries that were least
recently found. It makes no decisions about caching. If it raises, that is logged, and the request goes on without it.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from .entry import Entry
from .keys import Key

MAX_ENTRY: Final = 10 * 2**20  # bytes


class Stored(NamedTuple):
    """An *entry*, and its *body* if the store returns it at once; None if it must be read in pieces."""

    entry: Entry
    body: bytes | None


class Writer(Protocol):
    """The writing of one entry. Before ``commit()``, ``find()`` does not return it."""

    def write(self, piece: bytes) -> None:
        """Take the next *piece* of the body. It must not wait."""

    def commit(self, entry: Entry) -> Awaitable[None] | None:
        """Store *entry* with the body that was written; return an awaitable for that, None if it is already done."""

    def abort(self) -> None:
        """Discard what was written."""


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """What a store holds: ``entries``, ``bytes`` of them, and how many ``bytes`` it may hold at most."""

    entries: int
    bytes: int
    max_bytes: int | None


class CacheStore(Protocol):
    """The store of the responses of a ``Cache``.

    Attributes:
        max_entry: Bytes of the largest body that it takes.
    """

    max_entry: int

    async def find(self, key: Key) -> Sequence[Stored]:
        """Return what is stored under *key*."""

    def read(self, entry: Entry) -> AsyncIterator[bytes]:
        """Return the body of *entry* in pieces; deleting the entry meanwhile must not affect the reader.

        Raises:
            LookupError: the entry no longer exists; raised before the first piece.
        """

    def begin(self, entry: Entry, replaced: Sequence[str]) -> Writer:
        """Begin to store *entry*; ``commit()`` also deletes the entries with the ids *replaced*, under the same key."""

    async def update(self, entry: Entry) -> None:
        """Replace the fields and times of the stored entry with the id of *entry*, if it is still there."""

    async def delete(self, uri: str, id: str | None = None) -> int:
        """Delete what is stored for *uri*, in all its spaces, or only the entry with *id*; return how many entries."""

    async def clear(self) -> int:
        """Delete everything; return how many entries there were."""

    def entries(self) -> AsyncIterator[Entry]:
        """Return all stored entries, in any order."""

    async def statistics(self) -> StoreStatistics:
        """Return the current numbers."""

    async def close(self) -> None:
        """Close files and connections. Later use opens them again."""


_PARTS: Final = (
    "begin",
    "clear",
    "close",
    "delete",
    "entries",
    "find",
    "max_entry",
    "read",
    "statistics",
    "update",
)


def checked_store(store: object) -> Any:
    """Return *store* if it has all parts of a ``CacheStore``.

    Raises:
        TypeError: it has not.
    """
    missing = [name for name in _PARTS if not hasattr(store, name)]
    if isinstance(store, type) or missing:
        found = store.__name__ if isinstance(store, type) else type(store).__name__
        fault = (
            "the class itself" if isinstance(store, type) else f"which lacks {', '.join(missing)}"
        )
        raise TypeError(f"store must be a CacheStore, found {found}, {fault}")
    return store
