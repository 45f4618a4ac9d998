"""Where responses are kept: the protocol of a store.

A store keeps entries with their bodies, undecoded, and forgets the ones least recently found when they are too many
bytes. It decides nothing. What it raises costs a log line, and the request goes on as if nothing was stored.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from .entry import Entry
from .keys import Key

MAX_ENTRY: Final = 10 * 2**20  # bytes


class Stored(NamedTuple):
    """An *entry*, and its *body* if the store gives it at once; None if it is to be read in pieces."""

    entry: Entry
    body: bytes | None


class Writer(Protocol):
    """The writing of one entry. Until ``commit()`` nobody finds it."""

    def write(self, piece: bytes) -> None:
        """Take the next *piece* of the body. It must not wait."""

    def commit(self, entry: Entry) -> Awaitable[None] | None:
        """Store what was written as the body of *entry*; return what is to be awaited for that, None if it is done."""

    def abort(self) -> None:
        """Forget what was written."""


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """What a store holds: ``entries``, ``bytes`` of them, and how many ``bytes`` it may hold at most."""

    entries: int
    bytes: int
    max_bytes: int | None


class CacheStore(Protocol):
    """What keeps the responses of a ``Cache``.

    Attributes:
        max_entry: Bytes of the largest body that it takes.
    """

    max_entry: int

    async def find(self, key: Key) -> Sequence[Stored]:
        """Return what is stored under *key*."""

    def read(self, entry: Entry) -> AsyncIterator[bytes]:
        """Return the body of *entry* in pieces, which stay there while they are read.

        Raises:
            LookupError: the entry is gone; raised before the first piece.
        """

    def begin(self, entry: Entry, replaced: Sequence[str]) -> Writer:
        """Begin to store *entry*; those with the ids *replaced*, under the same key, go when it is committed."""

    async def update(self, entry: Entry) -> None:
        """Replace the fields and times of the stored entry with the id of *entry*, if it is still there."""

    async def delete(self, uri: str, id: str | None = None) -> int:
        """Forget what is stored for *uri*, in all its spaces, or the entry with *id* alone; return how many."""

    async def clear(self) -> int:
        """Forget everything; return how many entries there were."""

    def entries(self) -> AsyncIterator[Entry]:
        """Return what is stored, in no order."""

    async def statistics(self) -> StoreStatistics:
        """Return what is held now."""

    async def close(self) -> None:
        """Let go of files and connections. What is used afterwards opens it again."""
