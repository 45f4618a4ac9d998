"""A store in memory."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from threading import Lock
from typing import Final

from .entry import Entry
from .keys import Key
from .store import MAX_ENTRY, Stored, StoreStatistics

OVERHEAD: Final = 1024  # bytes; the estimated size of an entry without its fields and body


class MemoryStore:
    """Keeps responses in memory; several event loops and threads may share it.

    Args:
        max_bytes: of all entries; above it the least recently used ones are deleted. Bodies that are still being read
            may take as much again; beyond that they are not stored.
        max_entry: bytes of the largest body that is stored.

    Raises:
        ValueError, TypeError: a limit is not a number of bytes.
    """

    def __init__(self, max_bytes: int = 64 * 2**20, *, max_entry: int = MAX_ENTRY) -> None:
        self.max_bytes: int = checked_bytes("max_bytes", max_bytes)
        self.max_entry: int = min(checked_bytes("max_entry", max_entry), max_bytes)
        self._lock = Lock()
        self._entries: OrderedDict[str, Stored] = OrderedDict()
        self._uris: dict[str, dict[str, list[str]]] = {}
        self._bytes = 0
        self._written = 0

    async def find(self, key: Key) -> Sequence[Stored]:
        """Return what is stored under *key*."""
        return self.find_nowait(key)

    def find_nowait(self, key: Key) -> Sequence[Stored]:
        """Do the same as ``find()``, without waiting."""
        spaces = self._uris.get(key.uri)
        if spaces is None:
            return ()
        with self._lock:
            found = []
            for id in spaces.get(key.space, ()):
                found.append(self._entries[id])
                self._entries.move_to_end(id)
            return found

    async def read(self, entry: Entry) -> AsyncIterator[bytes]:
        """Return the body of *entry*."""
        with self._lock:
            stored = self._entries[entry.id]
        yield stored.body or b""

    def begin(self, entry: Entry, replaced: Sequence[str]) -> "_Writer":
        """Begin to store *entry*."""
        return _Writer(self, replaced)

    def put(self, entry: Entry, body: bytes, replaced: Sequence[str]) -> None:
        """Store *entry*, and delete those with the ids *replaced*."""
        with self._lock:
            for id in (*replaced, entry.id):
                self._drop(id)
            self._entries[entry.id] = Stored(entry, body)
            self._uris.setdefault(entry.uri, {}).setdefault(entry.space, []).append(entry.id)
            self._bytes += cost_of(entry)
            while self._bytes > self.max_bytes:
                self._drop(next(iter(self._entries)))

    def reserve(self, size: int) -> None:
        """Count *size* more bytes of bodies that are being written; fewer, if it is negative.

        Raises:
            OSError: there are too many.
        """
        with self._lock:
            if size > 0 and self._written + size > self.max_bytes:
                raise OSError(f"more than {self.max_bytes} bytes of bodies are being read")
            self._written += size

    def _drop(self, id: str) -> int:
        stored = self._entries.pop(id, None)
        if stored is None:
            return 0
        entry = stored.entry
        self._bytes -= cost_of(entry)
        spaces = self._uris[entry.uri]
        ids = spaces[entry.space]
        ids.remove(id)
        if not ids:
            del spaces[entry.space]
            if not spaces:
                del self._uris[entry.uri]
        return 1

    async def update(self, entry: Entry) -> None:
        """Replace the fields and times of the stored entry."""
        with self._lock:
            stored = self._entries.get(entry.id)
            if stored is not None:
                self._bytes += cost_of(entry) - cost_of(stored.entry)
                self._entries[entry.id] = Stored(entry, stored.body)

    async def delete(self, uri: str, id: str | None = None) -> int:
        """Delete the responses that are stored for *uri*, or only the entry with *id*."""
        with self._lock:
            if id is not None:
                return self._drop(id)
            ids = [id for ids in self._uris.get(uri, {}).values() for id in ids]
            return sum(map(self._drop, ids))

    async def clear(self) -> int:
        """Delete everything."""
        with self._lock:
            count = len(self._entries)
            self._entries.clear()
            self._uris.clear()
            self._bytes = 0
            return count

    async def entries(self) -> AsyncIterator[Entry]:
        """Return what is stored."""
        with self._lock:
            entries = [stored.entry for stored in self._entries.values()]
        for entry in entries:
            yield entry

    async def statistics(self) -> StoreStatistics:
        """Return the current numbers."""
        with self._lock:
            return StoreStatistics(len(self._entries), self._bytes, self.max_bytes)

    async def close(self) -> None:
        """Do nothing: the responses are kept for the next session."""

    def __repr__(self) -> str:
        return (
            f"<MemoryStore {len(self._entries)} entries, {self._bytes} of {self.max_bytes} bytes>"
        )


class _Writer:
    """Collects a body; the caller writes at most ``max_entry`` bytes."""

    __slots__ = ("_pieces", "_replaced", "_size", "_store")

    def __init__(self, store: MemoryStore, replaced: Sequence[str]) -> None:
        self._store = store
        self._replaced = replaced
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._store.reserve(len(piece))
        self._size += len(piece)
        self._pieces.append(piece)

    def commit(self, entry: Entry) -> None:
        """Store the entry with its body."""
        pieces = self._pieces
        self._release()
        self._store.put(entry, pieces[0] if len(pieces) == 1 else b"".join(pieces), self._replaced)

    def abort(self) -> None:
        """Discard the body."""
        self._pieces = []
        self._release()

    def _release(self) -> None:
        self._store.reserve(-self._size)
        self._size = 0


def cost_of(entry: Entry) -> int:
    """Return how many bytes an entry counts as."""
    fields = sum(map(len, entry.fields.values()))
    return OVERHEAD + len(entry.uri) + len(entry.space) + 2 * fields + entry.size


def checked_bytes(argument: str, value: object) -> int:
    """Return *value* if it is a number of bytes.

    Raises:
        TypeError, ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} must be an int, found {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{argument}={value}: give a number of bytes from 1 on")
    return value
