"""A store in a file, for several processes: SQLite.

The rules:

- All of SQLite runs in threads of the library, never in the event loop's thread.
- An entry exists once the transaction that inserts its row has ended: if the process is killed, each entry is complete
  or missing. The pieces of a large body are written before that, and belong to no entry until then.
- A body is read in one transaction, so that deleting the entry does not interrupt the reader.
- What is found waits for no write. The times of use are written from time to time, not with each hit.
- A file that is not a cache, or is of a later version, is not changed.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from ...threads import CACHE_WRITES, CACHES
from .database import ORPHANED, Handle, connected, execute, transaction
from .entry import Entry
from .keys import Key
from .memory import checked_bytes, cost_of
from .store import MAX_ENTRY, Stored, StoreStatistics

if TYPE_CHECKING:
    import sqlite3

INLINE: Final = 64 * 1024  # bytes; a body up to this size is kept in its entry's row
PIECE: Final = 256 * 1024  # bytes of a piece of a larger one
BACKLOG: Final = 32 * 2**20  # bytes that wait to be written; beyond that a body is not stored
TOUCHED: Final = 256  # entries; after so many were found, their times of use are written
EVICTED: Final = 64  # entries that are deleted at a time
REMEMBERED: Final = (
    4096  # characters; larger entries are parsed each time, so that they take no memory
)

_log = logging.getLogger("aioclient.cache")


class SQLiteStore:
    """Keeps responses in a file, for several sessions and processes at the same time.

    Only its owner can read the file. It contains what servers sent, and URLs, but neither credentials nor cookies.

    Args:
        path: of the file; it is created when it is first needed. SQLite creates ``-wal`` and ``-shm`` beside it.
        max_bytes: of all entries; above it the least recently used ones are deleted.
        max_entry: bytes of the largest body that is stored.

    Raises:
        ValueError, TypeError: a limit is not a number of bytes.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_bytes: int = 2**30,
        *,
        max_entry: int = MAX_ENTRY,
    ) -> None:
        self.path: Path = Path(path).expanduser().absolute()
        self.max_bytes: int = checked_bytes("max_bytes", max_bytes)
        self.max_entry: int = min(checked_bytes("max_entry", max_entry), max_bytes)
        self._reading = Handle(self.path, CACHES)
        self._writing = Handle(self.path, CACHE_WRITES)
        self._lock = Lock()
        self._waiting = 0
        self._touched: dict[str, float] = {}
        self._latest = 0.0
        self._is_clean = False

    # Finding

    async def find(self, key: Key) -> Sequence[Stored]:
        """Return what is stored under *key*."""
        found, invalid = await self._reading.ask(self._find, key)
        if len(self._touched) >= TOUCHED:
            self._writing.submit(self._write_touched)  # nobody waits for it, and it may fail
        if invalid:
            await self._writing.ask(_delete, invalid)
        return found

    def _find(self, connection: "sqlite3.Connection", key: Key) -> tuple[list[Stored], list[str]]:
        """Return what is stored under *key*, and the ids of invalid rows."""
        found, invalid = [], []
        for id, meta, body in connection.execute(
            "SELECT id, meta, body FROM entries WHERE uri = ? AND space = ?", key
        ):
            entry = self._entry_of(id, meta, body)
            if entry is None:
                invalid.append(id)
            else:
                found.append(Stored(entry, body))
        with self._lock:
            for stored in found:
                self._touched[stored.entry.id] = self._now()
        return found, invalid

    def _entry_of(self, id: str, meta: object, body: object) -> Entry | None:
        """Return the entry of a row; None if the row is invalid."""
        try:
            entry = _parsed(meta)
            if entry.id != id or not (
                body is None or (isinstance(body, bytes) and len(body) == entry.size)
            ):
                raise ValueError("its body is not the one that it tells of")
        except ValueError as error:
            _log.warning("%s: dropped a stored response that cannot be read: %s", self.path, error)
            return None
        return entry

    def _now(self) -> float:
        """Return the time of a use, which is later than those before, even if the clock was set back."""
        self._latest = max(time.time(), self._latest + 1e-6)
        return self._latest

    def _write_touched(self, connection: "sqlite3.Connection") -> None:
        with transaction(connection):
            self._note_touched(connection)

    def _note_touched(self, connection: "sqlite3.Connection") -> None:
        with self._lock:
            touched, self._touched = self._touched, {}
        if touched:
            connection.executemany(
                "UPDATE entries SET used = ? WHERE id = ?",
                [(used, id) for id, used in touched.items()],
            )

    async def read(self, entry: Entry) -> AsyncIterator[bytes]:
        """Return the body of *entry*, in pieces."""
        reader = _Reader(self, entry)
        try:
            piece = await asyncio.wrap_future(CACHES.submit(reader.begin))
            while piece:
                yield piece
                piece = await asyncio.wrap_future(CACHES.submit(reader.next))
        except LookupError:
            await self.delete(entry.uri, entry.id)
            raise
        finally:
            # Not awaited: this may run when the event loop closes unfinished generators.
            CACHES.submit(reader.close)

    # Writing

    def begin(self, entry: Entry, replaced: Sequence[str]) -> "_Writer":
        """Begin to store *entry*."""
        return _Writer(self, entry.id, replaced)

    def _write(self, size: int, work: Callable[..., None], *arguments: Any) -> "Future[None]":
        """Let a thread write so many bytes of a body.

        Raises:
            OSError: too many bytes wait already.
        """
        with self._lock:
            if self._waiting + size > BACKLOG:
                raise OSError(f"{self.path} takes less than comes")
            self._waiting += size
        job = self._writing.submit(work, *arguments)
        job.add_done_callback(lambda _: self._written(size))
        return job

    def _written(self, size: int) -> None:
        with self._lock:
            self._waiting -= size

    def _insert(
        self,
        connection: "sqlite3.Connection",
        entry: Entry,
        body: bytes | None,
        replaced: Sequence[str],
    ) -> None:
        meta = entry.to_json()
        if not self._is_clean:
            self._clean(connection)
        with self._lock:
            used = self._now()
        with transaction(connection):
            self._note_touched(connection)
            if replaced:
                _delete_in(connection, replaced)
            connection.execute(
                "INSERT OR REPLACE INTO entries (id, uri, space, meta, body, cost, used)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (entry.id, entry.uri, entry.space, meta, body, cost_of(entry), used),
            )
            self._evict(connection)

    def _clean(self, connection: "sqlite3.Connection") -> None:
        """Delete what killed processes left, and take over the time of the latest use."""
        execute(
            connection,
            "DELETE FROM pieces WHERE written < ? AND entry NOT IN (SELECT id FROM entries)",
            time.time() - ORPHANED,
        )
        latest = connection.execute("SELECT max(used) FROM entries").fetchone()[0] or 0.0
        with self._lock:
            self._latest = max(self._latest, latest)
        self._is_clean = True

    def _evict(self, connection: "sqlite3.Connection") -> None:
        count = EVICTED if self.max_bytes > EVICTED * self.max_entry else 1
        while connection.execute("SELECT bytes FROM total").fetchone()[0] > self.max_bytes:
            deleted = connection.execute(
                "DELETE FROM entries WHERE id IN (SELECT id FROM entries ORDER BY used LIMIT ?)",
                (count,),
            ).rowcount
            if not deleted:  # the total is wrong
                connection.execute("UPDATE total SET bytes = 0, entries = 0")

    def _write_piece(
        self, connection: "sqlite3.Connection", id: str, number: int, data: bytes
    ) -> None:
        execute(
            connection,
            "INSERT INTO pieces (entry, number, data, written) VALUES (?, ?, ?, ?)",
            id,
            number,
            data,
            time.time(),
        )

    async def update(self, entry: Entry) -> None:
        """Replace the fields and times of the stored entry."""
        await self._writing.ask(
            execute,
            "UPDATE entries SET meta = ?, cost = ? WHERE id = ?",
            entry.to_json(),
            cost_of(entry),
            entry.id,
        )

    # Deleting

    async def delete(self, uri: str, id: str | None = None) -> int:
        """Delete the responses that are stored for *uri*, or only the entry with *id*."""
        if id is not None:
            return await self._writing.ask(execute, "DELETE FROM entries WHERE id = ?", id)
        return await self._writing.ask(execute, "DELETE FROM entries WHERE uri = ?", uri)

    async def clear(self) -> int:
        """Delete everything."""
        return await self._writing.ask(_clear)

    # All of it

    async def entries(self) -> AsyncIterator[Entry]:
        """Return what is stored."""
        last = ""
        while True:
            rows = await self._reading.ask(
                lambda connection, last: connection.execute(
                    "SELECT id, meta FROM entries WHERE id > ? ORDER BY id LIMIT 100", (last,)
                ).fetchall(),
                last,
            )
            for id, meta in rows:
                last = id
                entry = self._entry_of(id, meta, None)
                if entry is None:
                    await self._writing.ask(_delete, [id])
                else:
                    yield entry
            if not rows:
                return

    async def statistics(self) -> StoreStatistics:
        """Return the current numbers."""
        bytes_, entries = await self._reading.ask(
            lambda connection: connection.execute("SELECT bytes, entries FROM total").fetchone()
        )
        return StoreStatistics(entries, bytes_, self.max_bytes)

    async def close(self) -> None:
        """Close the file. Later use opens it again."""
        await asyncio.wrap_future(CACHE_WRITES.submit(self._close))

    def _close(self) -> None:
        import sqlite3

        self._is_clean = False
        self._reading.close()
        with suppress(sqlite3.OperationalError):  # the times of use are not worth an error
            self._writing.close(self._write_touched)

    def __repr__(self) -> str:
        return f"<SQLiteStore {str(self.path)!r}>"


def _delete(connection: "sqlite3.Connection", ids: Sequence[str]) -> None:
    with transaction(connection):
        _delete_in(connection, ids)


def _delete_in(connection: "sqlite3.Connection", ids: Sequence[str]) -> None:
    connection.executemany("DELETE FROM entries WHERE id = ?", [(id,) for id in ids])


def _drop_pieces(connection: "sqlite3.Connection", id: str) -> None:
    execute(
        connection,
        "DELETE FROM pieces WHERE entry = ? AND entry NOT IN (SELECT id FROM entries)",
        id,
    )


def _clear(connection: "sqlite3.Connection") -> int:
    import sqlite3

    count = execute(connection, "DELETE FROM entries")
    execute(connection, "DELETE FROM pieces")
    with suppress(sqlite3.OperationalError):  # another reader is active: the file shrinks later
        connection.execute("VACUUM")
    return count


def _parsed(meta: object) -> Entry:
    """Return the entry in a row's text.

    Raises:
        ValueError: the text is invalid.
    """
    if not isinstance(meta, str):
        raise ValueError("it is no text")
    return _remembered(meta) if len(meta) <= REMEMBERED else Entry.from_json(meta)


@lru_cache(maxsize=1024)
def _remembered(meta: str) -> Entry:
    """Return the entry in *meta*; the same object again for the same text."""
    return Entry.from_json(meta)


class _Writer:
    """Writes a body: together with its entry, or in pieces before it if the body is larger."""

    __slots__ = ("_buffer", "_id", "_jobs", "_number", "_replaced", "_size", "_store")

    def __init__(self, store: SQLiteStore, id: str, replaced: Sequence[str]) -> None:
        self._store = store
        self._id = id
        self._replaced = replaced
        self._buffer: list[bytes] = []
        self._size = 0
        self._number = 0
        self._jobs: list[Future[None]] = []

    def write(self, piece: bytes) -> None:
        """Take the next piece; write the collected ones if they are large enough."""
        self._buffer.append(piece)
        self._size += len(piece)
        if self._size >= PIECE:
            self._flush()

    def _flush(self) -> None:
        data, store = b"".join(self._buffer), self._store
        self._buffer.clear()
        self._size = 0
        self._jobs = [job for job in self._jobs if not job.done() or job.exception() is not None]
        job = store._write(len(data), store._write_piece, self._id, self._number, data)
        self._jobs.append(job)
        self._number += 1

    async def commit(self, entry: Entry) -> None:
        """Store the entry with its body."""
        store, body = self._store, None
        try:
            if self._number or self._size > INLINE:
                if self._buffer:
                    self._flush()
                for job in self._jobs:
                    await asyncio.wrap_future(job)
            else:
                body = b"".join(self._buffer)
            size = 0 if body is None else len(body)
            await asyncio.wrap_future(
                store._write(size, store._insert, entry, body, self._replaced)
            )
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Discard the body."""
        self._buffer.clear()
        if self._number:
            CACHE_WRITES.submit(self._drop)

    def _drop(self) -> None:
        for job in self._jobs:
            if not job.cancelled():
                job.exception()  # these jobs were started earlier, and end soon
        self._store._writing.run(_drop_pieces, self._id)


class _Reader:
    """Reads a body in a separate transaction."""

    __slots__ = ("_connection", "_entry", "_rows", "_store")

    def __init__(self, store: SQLiteStore, entry: Entry) -> None:
        self._store = store
        self._entry = entry
        self._connection: sqlite3.Connection | None = None
        self._rows: sqlite3.Cursor | None = None

    def begin(self) -> bytes:
        """Return the first piece.

        Raises:
            LookupError: the entry no longer exists, or its body is incomplete.
        """
        self._store._reading.run(bool)  # makes the file a cache first
        self._connection = connection = connected(self._store.path)
        connection.execute("BEGIN")
        row = connection.execute(
            "SELECT body FROM entries WHERE id = ?", (self._entry.id,)
        ).fetchone()
        if row is None:
            raise LookupError("the entry is gone")
        if row[0] is not None:
            return bytes(row[0])
        size = connection.execute(
            "SELECT coalesce(sum(length(data)), 0) FROM pieces WHERE entry = ?", (self._entry.id,)
        ).fetchone()[0]
        if size != self._entry.size:
            _log.warning("%s: dropped a stored response whose body is not whole", self._store.path)
            raise LookupError("the body is not whole")
        self._rows = connection.execute(
            "SELECT data FROM pieces WHERE entry = ? ORDER BY number", (self._entry.id,)
        )
        return self.next()

    def next(self) -> bytes:
        """Return the next piece; empty at the end."""
        row = None if self._rows is None else self._rows.fetchone()
        return b"" if row is None else bytes(row[0])

    def close(self) -> None:
        """End the transaction."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
