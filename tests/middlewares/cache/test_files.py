"""Files of stored responses that are locked, full, read-only, or wrong: a log line, and no request."""

import asyncio
import logging
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aioclient import ClientPayloadError, SQLiteStore
from aioclient.middlewares.cache import database, sqlite
from aioclient.middlewares.cache.keys import Key
from aioclient.testing import turns

from .origin import URL, Site, site
from .test_stores import body_of, entry_of, put

FRESH = "Cache-Control: max-age=100"
TAG = 'ETag: "1"'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "http.db"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for another process, and what was locked is tried again at once."""
    monkeypatch.setattr(database, "BUSY", 0.0)
    monkeypatch.setattr(database, "AGAIN", 0.0)


def other(path: Path) -> Any:
    """Another program's connection to the file."""
    return closing(sqlite3.connect(path, timeout=30, isolation_level=None))


def pieces_in(path: Path) -> int:
    with other(path) as connection:
        return int(connection.execute("SELECT count(*) FROM pieces").fetchone()[0])


async def is_hit(it: Site, url: str = URL) -> bool:
    status = (await it.get(url)).cache_status
    assert status is not None
    return status.hit


@pytest.mark.rows("CACHE-08")
@pytest.mark.usefixtures("impatient")
class TestLocked:
    async def test_hits_go_on(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """What is stored is found while another process writes; what is not stored costs one log line."""
        replies = [("one", FRESH, TAG), ("new", FRESH)]
        async with site(*replies, store=SQLiteStore(path)) as it:
            await it.get()
            assert await is_hit(it)
            with caplog.at_level(logging.WARNING, "aioclient"), other(path) as connection:
                connection.execute("BEGIN IMMEDIATE")
                for number in range(300):  # their times of use are to be written, too
                    assert await is_hit(it), number
                for _ in range(3):
                    assert await it.text(f"{URL}new") == "new"
                assert it.origin.count == 4
                (record,) = caplog.records
                assert "SQLiteStore failed, and requests go on without it" in record.getMessage()
                assert "locked" in record.getMessage()
                connection.execute("ROLLBACK")
            await it.get(f"{URL}new")
            assert await is_hit(it, f"{URL}new")

    async def test_validated(self, path: Path) -> None:
        """A response that the server confirms answers, though its new times cannot be written."""
        async with site(("one", FRESH, TAG), (304, "", FRESH), store=SQLiteStore(path)) as it:
            await it.get()
            assert await is_hit(it)
            it.clock.now += 200
            with other(path) as connection:
                connection.execute("BEGIN IMMEDIATE")
                assert await it.text() == "one"
                connection.execute("ROLLBACK")
            assert await it.text() == "one"
            assert it.origin.count == 3
            assert await is_hit(it)

    async def test_not_tried_again_at_once(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After a wait in vain no write waits for a while: what is queued does not wait one after the other."""
        monkeypatch.setattr(database, "AGAIN", 3600.0)
        store = SQLiteStore(path)
        await put(store, entry_of("1"), b"x")
        with other(path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                await put(store, entry_of("2"), b"x")
            connection.execute("ROLLBACK")
        with pytest.raises(OSError, match="another process holds"):
            await put(store, entry_of("3"), b"x")
        assert await store.find(Key(URL, ""))
        await store.close()

    async def test_closed(self, path: Path) -> None:
        """A file that another process holds can be closed."""
        store = SQLiteStore(path)
        await put(store, entry_of("1"), b"x")
        assert await store.find(Key(URL, ""))
        with other(path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            await store.close()


@pytest.mark.rows("CACHE-08")
async def test_locks_last(path: Path) -> None:
    """A store that opens a file keeps the locks that another store of this process has on it.

    Without them another process, which ends, would take itself for the last one and delete what is not written back.
    """
    stores = [SQLiteStore(path) for _ in range(2)]
    await put(stores[0], entry_of("1"), b"x")
    assert await stores[1].find(Key(URL, ""))
    program = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('PRAGMA journal_mode = DELETE')"
    command = [sys.executable, "-c", program, str(path)]
    loop = asyncio.get_running_loop()
    done = await loop.run_in_executor(
        None, lambda: subprocess.run(command, check=False, capture_output=True, text=True)
    )
    assert "database is locked" in done.stderr
    for store in stores:
        await store.close()


# In another process, whose files must not grow beyond 400 KB until it is told otherwise.
FULL = """
import asyncio, logging, os, resource, sys
from aioclient import SQLiteStore
from tests.middlewares.cache.origin import URL, site

logging.basicConfig(level=logging.WARNING, format="%(message)s")

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main(size):
    body = os.urandom(size)
    async with site((body, "Cache-Control: max-age=100"), store=SQLiteStore(sys.argv[1])) as it:
        async def get(number):
            response = await it.get(f"{URL}{number}")
            assert await response.read() == body
            return response.cache_status.hit
        for number in range(3):
            await get(number)
            assert await get(number)
        limit(400_000)
        for number in range(3, 30):
            await get(number)
        hits = sum([await get(number) for number in range(30)])
        assert 3 <= hits < 30, hits
        limit(resource.RLIM_INFINITY)
        await get(50)
        assert await get(50)
        assert (await it.cache.statistics()).errors

asyncio.run(main(int(sys.argv[2])))
"""


@pytest.mark.rows("CACHE-08")
@pytest.mark.parametrize("size", [30_000, 100_000])
async def test_full(path: Path, size: int) -> None:
    """A disk that is full costs one log line; what is stored answers, and what comes when there is room is stored."""
    command = [sys.executable, "-W", "error", "-c", FULL, str(path), str(size)]
    loop = asyncio.get_running_loop()
    done = await loop.run_in_executor(
        None, lambda: subprocess.run(command, check=False, capture_output=True, text=True)
    )
    assert not done.returncode, done.stderr
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) < 10  # again only after a write that had room meanwhile
    assert all("SQLiteStore failed, and requests go on without it" in line for line in lines)
    with other(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        left = "SELECT count(*) FROM pieces WHERE entry NOT IN (SELECT id FROM entries)"
        assert connection.execute(left).fetchone() == (0,)


@pytest.mark.rows("CACHE-08")
async def test_no_room(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What SQLite has undone itself is not undone once more: the error that is told is its own."""
    store = SQLiteStore(path)
    with caplog.at_level(logging.WARNING, "aioclient"):
        async with site((os.urandom(40_000), FRESH), store=store) as it:
            await it.get()
            assert await is_hit(it)
            store._writing.run(lambda connection: connection.execute("PRAGMA max_page_count = 30"))
            for number in range(20):
                await it.get(f"{URL}{number}")
            assert await is_hit(it)
            store._writing.run(
                lambda connection: connection.execute("PRAGMA max_page_count = 9999")
            )
            await it.get(f"{URL}20")
            assert await is_hit(it, f"{URL}20")
    assert [record.getMessage() for record in caplog.records] == [
        "SQLiteStore failed, and requests go on without it: OperationalError('database or disk is full')"
    ]


READ_ONLY = """
import asyncio, logging, os, sqlite3, sys
from aioclient import SQLiteStore
from tests.middlewares.cache.origin import site

if os.getuid() == 0:
    os.setuid(65534)  # root may write everything
logging.basicConfig(level=logging.WARNING, format="%(message)s")

async def main():
    async with site(("one", "Cache-Control: max-age=100"), store=SQLiteStore(sys.argv[1])) as it:
        for _ in range(3):
            assert await it.text() == "one"
        assert it.origin.count == 3

asyncio.run(main())
"""


@pytest.mark.rows("CACHE-08")
async def test_read_only(path: Path) -> None:
    """A file that must not be written costs one log line, and is left as it is."""
    store = SQLiteStore(path)
    await put(store, entry_of(), b"x")
    await store.close()
    before = path.read_bytes()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    for parent in path.parents:
        if parent.name.startswith(("pytest", "popen")):
            parent.chmod(0o755)
    command = [sys.executable, "-c", READ_ONLY, str(path)]
    loop = asyncio.get_running_loop()
    done = await loop.run_in_executor(
        None, lambda: subprocess.run(command, check=False, capture_output=True, text=True)
    )
    path.parent.chmod(0o755)
    assert not done.returncode, done.stderr
    (line,) = done.stderr.splitlines()
    assert "SQLiteStore failed, and requests go on without it" in line
    assert path.read_bytes() == before


class TestLimits:
    async def test_clock_set_back(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was used last stays, also if the clock was a year ahead before."""
        now = 2e9
        monkeypatch.setattr(sqlite.time, "time", lambda: now)
        for turn in range(2):
            store = SQLiteStore(path, 60_000, max_entry=10_000)
            for number in range(20):
                id = f"{turn}-{number}"
                await put(store, entry_of(id, id), bytes(10_000))
                assert await store.find(Key(id, ""))
                if number > 2:
                    assert await store.find(Key(f"{turn}-2", "")), id
            assert (await store.statistics()).bytes <= 60_000
            await store.close()
            now -= 365 * 86400

    async def test_wrong_total(self, path: Path) -> None:
        """A file whose total is wrong loses entries, and has the right total then."""
        store = SQLiteStore(path)
        await put(store, entry_of("1"), b"x")
        with other(path) as connection:
            connection.execute("UPDATE total SET bytes = 1000000000000")
        async with asyncio.timeout(20):
            await put(store, entry_of("2"), b"x")
            await put(store, entry_of("3", "u3"), b"x")
        statistics = await store.statistics()
        assert statistics.entries == len([entry async for entry in store.entries()])
        assert await store.find(Key("u3", ""))
        await store.close()

    async def test_replaced_by_itself(self, path: Path) -> None:
        """An entry that is stored once more counts once."""
        store = SQLiteStore(path)
        for _ in range(2):
            await put(store, entry_of("1"), bytes(200_000))
        statistics = await store.statistics()
        assert statistics.entries == 1
        assert statistics.bytes < 300_000
        await store.close()

    async def test_backlog(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No more waits to be written than there may: what comes faster is not stored, and read all the same."""
        monkeypatch.setattr(sqlite, "BACKLOG", 600_000)
        store = SQLiteStore(path)

        async def body() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield bytes(100_000)

        def reply(request: Any, number: int) -> Any:
            return 200, [("Cache-Control", "max-age=100")], body()

        await put(store, entry_of("1", "u"), b"x")
        with caplog.at_level(logging.WARNING, "aioclient"):
            async with site(reply, store=store) as it:
                with store._writing._lock:  # as if another process held the file
                    response = await it.get()
                    assert len(await response.read()) == 2_000_000
                    assert store._waiting <= 600_000
        assert "takes less than comes" in caplog.text
        async with asyncio.timeout(20):  # its pieces are deleted in the background
            while store._waiting or pieces_in(path):
                await turns()


@pytest.mark.rows("CACHE-05", "CACHE-08")
class TestTruncated:
    @pytest.mark.parametrize(
        "change",
        [
            "DELETE FROM pieces",
            "DELETE FROM pieces WHERE number = 1",
            "UPDATE pieces SET data = x'00' WHERE number = 1",
            "UPDATE pieces SET data = data || x'00'",
        ],
    )
    async def test_large(self, path: Path, change: str, caplog: pytest.LogCaptureFixture) -> None:
        """A large body of which something is missing is dropped with one log line, and asked for anew."""
        body = os.urandom(700_000)

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 100_000):
                yield body[at : at + 100_000]

        def reply(request: Any, number: int) -> Any:
            return 200, [("Cache-Control", "max-age=100")], pieces()

        with caplog.at_level(logging.WARNING, "aioclient"):
            async with site(reply, store=SQLiteStore(path)) as it:
                await it.get()
                assert await is_hit(it)
                with other(path) as connection:
                    connection.execute(change)
                assert await (await it.get()).read() == body
                assert it.origin.count == 2
                assert await is_hit(it)
        (record,) = caplog.records
        assert "dropped a stored response" in record.getMessage()

    async def test_while_it_is_read(self, path: Path) -> None:
        """A body is read from one moment, whatever happens to the file meanwhile."""
        body = os.urandom(700_000)
        store = SQLiteStore(path)
        entry = entry_of()
        await put(store, entry, body)
        pieces = store.read(entry)
        received = await anext(pieces)
        with other(path) as connection:
            connection.execute("DELETE FROM pieces")
        async for piece in pieces:
            received += piece
        assert received == body
        with pytest.raises(LookupError):
            await body_of(store, entry)
        await store.close()

    async def test_file_gone_while_it_is_read(self, path: Path) -> None:
        """A file that is removed while a body is read breaks that body or not, and never shortens it."""
        body = os.urandom(3_000_000)
        async with site((body, FRESH), store=SQLiteStore(path)) as it:
            await it.get()
            async with it.session.get(URL) as response:
                assert response.cache_status is not None
                assert response.cache_status.hit
                received = await response.content.readany()
                for each in path.parent.iterdir():
                    each.unlink()
                try:
                    received += await response.content.read()
                except ClientPayloadError:
                    return
                assert received == body

    async def test_file_gone(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A file that was removed is not made anew by who reads it, and so not in a way that others may read it."""
        path = tmp_path / "a? b#%41" / "http.db"
        body = os.urandom(700_000)
        store = SQLiteStore(path)
        async with site((body, FRESH), store=store) as it:
            await it.get()
            assert await is_hit(it)
            for each in path.parent.iterdir():
                each.unlink()
            with caplog.at_level(logging.WARNING, "aioclient"):
                assert await (await it.get()).read() == body
            assert "SQLiteStore failed" in caplog.text
            assert it.origin.count == 2
        async with site((body, FRESH), store=store) as it:
            await it.get()
            assert await is_hit(it)
            assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
