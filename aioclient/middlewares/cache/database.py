"""The SQLite file of a store: its schema, and the connections to it.

There is one connection for reading and one for writing. Readers of a file in WAL mode wait for no writer, so that hits
go on while another process holds the file for long; writes then fail after ``BUSY`` seconds, and for ``AGAIN`` seconds
no further one is tried.
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ...threads import Threads

if TYPE_CHECKING:
    import sqlite3  # some builds of Python lack it; it is imported when a file is opened

T = TypeVar("T")

APPLICATION: Final = 0x61696F63  # "aioc": what SQLite notes in the file's header
BUSY: Final = 5.0  # seconds to wait for another process that writes
AGAIN: Final = 1.0  # seconds
ORPHANED: Final = 3600.0  # seconds; older pieces without an entry are those of a killed process

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


_creating: Final = Lock()


class Handle:
    """A connection to the file at *path*, for one thread at a time; it is opened when it is first needed.

    *threads* do the work that must not block the event loop.
    """

    def __init__(self, path: Path, threads: Threads) -> None:
        self._path = path
        self._threads = threads
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0  # a forked process must not use the connection, and not close it either
        self._locked_until = 0.0

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        """Let a thread call *work* with the connection and *arguments*."""
        return self._threads.submit(self.run, work, *arguments)

    async def ask(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do the same, and wait for the result."""
        return await asyncio.wrap_future(self.submit(work, *arguments))

    def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Call *work* with the connection and *arguments*, in this thread.

        Raises:
            OSError: another process held the file for too long a moment ago.
        """
        import sqlite3

        with self._lock:
            if time.monotonic() < self._locked_until:
                raise OSError(f"another process holds {self._path}")
            try:
                if self._connection is None or self._pid != os.getpid():
                    self._connection, self._pid = opened(self._path), os.getpid()
                return work(self._connection, *arguments)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                    self._locked_until = time.monotonic() + AGAIN
                raise

    def close(self, last: "Callable[[sqlite3.Connection], None] | None" = None) -> None:
        """Close the connection, after calling *last* with it; later use opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is None or self._pid != os.getpid():
                return
            try:
                if last is not None:
                    last(connection)
            finally:
                connection.close()

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None and self._pid == os.getpid():
            connection.close()


class transaction:
    """A write transaction; it waits for other processes first, and an exception rolls it back."""

    __slots__ = ("_connection",)

    def __init__(self, connection: "sqlite3.Connection") -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            # SQLite may have done so itself, as on a full disk.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def execute(connection: "sqlite3.Connection", statement: str, *values: object) -> int:
    """Execute one *statement* in a transaction; return how many rows it has changed."""
    with transaction(connection):
        return connection.execute(statement, values).rowcount


def opened(path: Path) -> "sqlite3.Connection":
    """Return a new connection to the file at *path*, which is made a cache of this version if it is none.

    Raises:
        ValueError: it is another kind of file, or of a later version.
        OSError, sqlite3.Error: it cannot be opened.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite would let others read it. An existing file is not opened here: to close it would end the locks that this
    # process's other connections have on it (https://sqlite.org/howtocorrupt.html, section 2.2).
    with _creating, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection = connected(path)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connected(path: Path) -> "sqlite3.Connection":
    """Return a new connection to the file at *path*, which SQLite does not create: others could read it then."""
    import sqlite3

    return sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY,
        isolation_level=None,
        check_same_thread=False,
    )


def _prepare(connection: "sqlite3.Connection") -> None:
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
    # REPLACE is to count as a deletion, too.
    connection.execute("PRAGMA recursive_triggers = ON")
    if version < len(MIGRATIONS):
        with transaction(connection):
            # Another process may have done it already.
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            for statements in MIGRATIONS[version:]:
                for statement in statements.split("\n\n"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {max(version, len(MIGRATIONS))}")
