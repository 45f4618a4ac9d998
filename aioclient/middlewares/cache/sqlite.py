"""A store in a file, for several processes: SQLite.

The rules:

- All of SQLite runs in threads of the library, never in the event loop's thread.
- An entry exists once the transaction that inserts its row has ended: if the process is killed, each entry is complete
  or missing. The pieces of a large body are written before that, and belong to no entry until then.
- A body is read in one transaction, so that deleting the entry does not interrupt the reader.
- The times of use are written from time to time, not with each hit.
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
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ...threads import CACHES
from .entry import Entry
from .keys import Key
from .memory import checked_bytes, cost_of
from .store import MAX_ENTRY, Stored, StoreStatistics

if TYPE_CHECKING:
    import sqlite3  # some builds of Python lack it; it is imported when a file is opened

T = TypeVar("T")

APPLICATION: Final = 0x61696F63  # "aioc": what SQLite notes in the file's header
INLINE: Final = 64 * 1024  # bytes; a body up to this size is kept in its entry's row
PIECE: Final = 256 * 1024  # bytes of a piece of a larger one
BACKLOG: Final = 8 * 2**20  # bytes that wait to be written; beyond that a body is not stored
BUSY: Final = 5.0  # seconds to wait for another process that writes
ORPHANED: Final = 3600.0  # seconds; older pieces without an entry are those of a killed process
TOUCHED: Final = 256  # entries; after so many were found, their times of use are written
EVICTED: Final = 64  # entries that are deleted at a time

# The statements that upgrade the schema to the n-th version; an empty line ends a statement.
MIGRATIONS: Final = (
    """
    CREATE TABLE entries (
        id TEXT PRIMARY KEY, uri TEXT NOT NULL, space TEXT NOT NULL, meta TEXT NOT NULL, body BLOB,
        cost INTEGER NOT NULL
    );

    CREATE INDEX entries_by_key ON entries (uri, space);

    CREATE TABLE pieces (
        entry TEXT NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL, written REAL NOT NULL
    );

    CREATE INDEX pieces_by_entry ON pieces (entry, number);
    """,
    """
    ALTER TABLE entries ADD COLUMN used REAL NOT NULL DEFAULT 0;

    CREATE INDEX entries_by_use ON entries (used);

    CREATE TABLE total (bytes INTEGER NOT NULL, entries INTEGER NOT NULL);

    INSERT INTO total SELECT coalesce(sum(cost), 0), count(*) FROM entries;

    CREATE TRIGGER entry_came AFTER INSERT ON entries BEGIN
        UPDATE total SET bytes = bytes + new.cost, entries = entries + 1; END;

    CREATE TRIGGER entry_changed AFTER UPDATE OF cost ON entries BEGIN
        UPDATE total SET bytes = bytes + new.cost - old.cost; END;

    CREATE TRIGGER entry_went AFTER DELETE ON entries BEGIN
        UPDATE total SET bytes = bytes - old.cost, entries = entries - 1;
        DELETE FROM pieces WHERE entry = old.id; END;
    """,
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
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._touched: dict[str, float] = {}

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Call *work* in a thread, with the connection and *arguments*."""
        return await asyncio.wrap_future(self._submit(work, *arguments))

    def _submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        return CACHES.submit(self._with_connection, work, *arguments)

    def _with_connection(self, work: Callable[..., T], *arguments: Any) -> T:
        with self._lock:
            if self._connection is None or self._pid != os.getpid():
                self._connection, self._pid = self._open(), os.getpid()
            return work(self._connection, *arguments)

    def _open(self) -> "sqlite3.Connection":
        import sqlite3

        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            self.path, timeout=BUSY, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    # The store

    async def find(self, key: Key) -> Sequence[Stored]:
        """Return what is stored under *key*."""
        return await self._run(self._find, key)

    def _find(self, connection: "sqlite3.Connection", key: Key) -> list[Stored]:
        rows = connection.execute(
            "SELECT id, meta, body FROM entries WHERE uri = ? AND space = ?", key
        ).fetchall()
        found = []
        for id, meta, body in rows:
            entry = self._entry_of(connection, id, meta, body)
            if entry is not None:
                found.append(Stored(entry, body))
                self._touched[id] = time.time()
        if len(self._touched) >= TOUCHED:
            with _transaction(connection):
                self._write_touched(connection)
        return found

    def _entry_of(
        self, connection: "sqlite3.Connection", id: str, meta: object, body: object
    ) -> Entry | None:
        """Return the entry of a row; delete the row if it is invalid."""
        try:
            entry = _parsed(meta)
            if entry.id != id or not (
                body is None or (isinstance(body, bytes) and len(body) == entry.size)
            ):
                raise ValueError("its body is not the one that it tells of")
        except ValueError as error:
            _log.warning("%s: dropped a stored response that cannot be read: %s", self.path, error)
            with _transaction(connection):
                connection.execute("DELETE FROM entries WHERE id = ?", (id,))
            return None
        return entry

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

    def begin(self, entry: Entry, replaced: Sequence[str]) -> "_Writer":
        """Begin to store *entry*."""
        return _Writer(self, entry.id, replaced)

    def _insert(
        self,
        connection: "sqlite3.Connection",
        entry: Entry,
        body: bytes | None,
        replaced: Sequence[str],
    ) -> None:
        meta = entry.to_json()
        with _transaction(connection):
            self._write_touched(connection)
            if replaced:
                connection.executemany(
                    "DELETE FROM entries WHERE id = ?", [(id,) for id in replaced]
                )
            connection.execute(
                "INSERT OR REPLACE INTO entries (id, uri, space, meta, body, cost, used)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (entry.id, entry.uri, entry.space, meta, body, cost_of(entry), time.time()),
            )
            self._evict(connection)

    def _evict(self, connection: "sqlite3.Connection") -> None:
        while connection.execute("SELECT bytes FROM total").fetchone()[0] > self.max_bytes:
            connection.execute(
                "DELETE FROM entries WHERE id IN (SELECT id FROM entries ORDER BY used LIMIT ?)",
                (EVICTED if self.max_bytes > EVICTED * self.max_entry else 1,),
            )

    def _write_touched(self, connection: "sqlite3.Connection") -> None:
        if not self._touched:
            return
        touched, self._touched = self._touched, {}
        connection.executemany(
            "UPDATE entries SET used = ? WHERE id = ?", [(used, id) for id, used in touched.items()]
        )

    def _write_piece(
        self, connection: "sqlite3.Connection", id: str, number: int, data: bytes
    ) -> None:
        with _transaction(connection):
            connection.execute(
                "INSERT INTO pieces (entry, number, data, written) VALUES (?, ?, ?, ?)",
                (id, number, data, time.time()),
            )

    def _drop_pieces(self, connection: "sqlite3.Connection", id: str) -> None:
        with _transaction(connection):
            connection.execute(
                "DELETE FROM pieces WHERE entry = ? AND entry NOT IN (SELECT id FROM entries)",
                (id,),
            )

    async def update(self, entry: Entry) -> None:
        """Replace the fields and times of the stored entry."""
        await self._run(self._update, entry)

    def _update(self, connection: "sqlite3.Connection", entry: Entry) -> None:
        meta = entry.to_json()
        with _transaction(connection):
            connection.execute(
                "UPDATE entries SET meta = ?, cost = ? WHERE id = ?",
                (meta, cost_of(entry), entry.id),
            )

    async def delete(self, uri: str, id: str | None = None) -> int:
        """Delete the responses that are stored for *uri*, or only the entry with *id*."""
        if id is not None:
            return await self._run(_execute, "DELETE FROM entries WHERE id = ?", id)
        return await self._run(_execute, "DELETE FROM entries WHERE uri = ?", uri)

    async def clear(self) -> int:
        """Delete everything."""
        return await self._run(self._clear)

    def _clear(self, connection: "sqlite3.Connection") -> int:
        import sqlite3

        count = _execute(connection, "DELETE FROM entries")
        _execute(connection, "DELETE FROM pieces")
        with suppress(sqlite3.OperationalError):  # another reader is active: the file shrinks later
            connection.execute("VACUUM")
        return count

    async def entries(self) -> AsyncIterator[Entry]:
        """Return what is stored."""
        last = ""
        while True:
            rows = await self._run(
                lambda connection, last: connection.execute(
                    "SELECT id, meta FROM entries WHERE id > ? ORDER BY id LIMIT 100", (last,)
                ).fetchall(),
                last,
            )
            for id, meta in rows:
                last = id
                entry = await self._run(self._entry_of, id, meta, None)
                if entry is not None:
                    yield entry
            if not rows:
                return

    async def statistics(self) -> StoreStatistics:
        """Return the current numbers."""
        bytes_, entries = await self._run(
            lambda connection: connection.execute("SELECT bytes, entries FROM total").fetchone()
        )
        return StoreStatistics(entries, bytes_, self.max_bytes)

    async def close(self) -> None:
        """Close the file. Later use opens it again."""
        await asyncio.wrap_future(CACHES.submit(self._close))

    def _close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is None or self._pid != os.getpid():
                return
            try:
                with _transaction(connection):
                    self._write_touched(connection)
            finally:
                connection.close()

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None and self._pid == os.getpid():
            connection.close()

    def __repr__(self) -> str:
        return f"<SQLiteStore {str(self.path)!r}>"


class _transaction:
    """A write transaction; it waits for other processes first, and an exception rolls it back."""

    __slots__ = ("_connection",)

    def __init__(self, connection: "sqlite3.Connection") -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _execute(connection: "sqlite3.Connection", statement: str, *values: object) -> int:
    with _transaction(connection):
        return connection.execute(statement, values).rowcount


def _prepare(connection: "sqlite3.Connection") -> None:
    """Make the file a cache of this version.

    Raises:
        ValueError: it is another kind of file, or of a later version.
    """
    import sqlite3

    connection.execute("BEGIN")  # another process may be making it: all three are of one moment
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    connection.execute("COMMIT")
    if application != APPLICATION and (application or version or tables):
        raise ValueError("the file is a database of another program; name another file")
    if version > len(MIGRATIONS):
        raise ValueError(
            f"the file was made by a later version (schema {version}); name another file"
        )
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        with suppress(sqlite3.OperationalError):  # another process does the same
            connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if version < len(MIGRATIONS):
        with _transaction(connection):
            # Another process may have done it already.
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            for statements in MIGRATIONS[version:]:
                for statement in statements.split("\n\n"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {max(version, len(MIGRATIONS))}")
    with _transaction(connection):
        connection.execute(
            "DELETE FROM pieces WHERE written < ? AND entry NOT IN (SELECT id FROM entries)",
            (time.time() - ORPHANED,),
        )


@lru_cache(maxsize=1024)
def _parsed(meta: object) -> Entry:
    """Return the entry in a row's text; the same object again for the same text.

    Raises:
        ValueError: the text is invalid.
    """
    if not isinstance(meta, str):
        raise ValueError("it is no text")
    return Entry.from_json(meta)


class _Writer:
    """Writes a body: together with its entry, or in pieces before it if the body is larger."""

    __slots__ = ("_buffer", "_id", "_jobs", "_number", "_replaced", "_size", "_store", "_waiting")

    def __init__(self, store: SQLiteStore, id: str, replaced: Sequence[str]) -> None:
        self._store = store
        self._id = id
        self._replaced = replaced
        self._buffer: list[bytes] = []
        self._size = 0
        self._number = 0
        self._waiting = 0
        self._jobs: list[Future[None]] = []

    def write(self, piece: bytes) -> None:
        """Take the next piece; write the collected ones if they are large enough."""
        self._buffer.append(piece)
        self._size += len(piece)
        if self._size >= PIECE:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._buffer)
        self._buffer.clear()
        self._size = 0
        self._jobs = [job for job in self._jobs if not job.done() or job.exception() is not None]
        if len(self._jobs) * PIECE > BACKLOG:
            raise OSError("the file takes less than comes")
        store = self._store
        self._jobs.append(store._submit(store._write_piece, self._id, self._number, data))
        self._number += 1

    async def commit(self, entry: Entry) -> None:
        """Store the entry with its body."""
        store, body = self._store, None
        if self._number or self._size > INLINE:
            if self._buffer:
                self._flush()
            for job in self._jobs:
                await asyncio.wrap_future(job)
        else:
            body = b"".join(self._buffer)
        await store._run(store._insert, entry, body, self._replaced)

    def abort(self) -> None:
        """Discard the body."""
        self._buffer.clear()
        if self._number:
            CACHES.submit(self._drop)

    def _drop(self) -> None:
        for job in self._jobs:
            job.exception()  # these jobs were started earlier, and end soon
        self._store._with_connection(self._store._drop_pieces, self._id)


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
        import sqlite3

        self._store._with_connection(bool)  # makes the file a cache first
        self._connection = connection = sqlite3.connect(
            self._store.path, timeout=BUSY, isolation_level=None, check_same_thread=False
        )
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
