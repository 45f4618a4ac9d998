"""Stores: what all of them hold, and what files do when processes come and go."""

import asyncio
import json
import logging
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL as Url

from aioclient import Cache, CacheStore, MemoryStore, RateLimit, RedisStore, SQLiteStore
from aioclient.message.cache_options import FOREVER
from aioclient.middlewares.cache import Entry
from aioclient.middlewares.cache import redis as redis_module
from aioclient.middlewares.cache.database import APPLICATION, MIGRATIONS, ORPHANED
from aioclient.middlewares.cache.keys import Key
from aioclient.middlewares.cache.sqlite import INLINE

from ...servers.redis import Redis
from ...servers.require import require_module
from .origin import URL, site

FRESH = "Cache-Control: max-age=100"
Make = Callable[..., Any]


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a server for this module's tests."""
    require_module("redis")
    with Redis() as server:
        yield server.url


@pytest.fixture(params=["memory", "sqlite", "redis"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """What makes a store with limits."""
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        return lambda **limits: RedisStore(url, prefix=f"{tmp_path}[*]:", timeout=30, **limits)

    def sqlite(**limits: Any) -> SQLiteStore:
        return SQLiteStore(tmp_path / "http.db", **limits)

    return {"memory": MemoryStore, "sqlite": sqlite}[request.param]


def entry_of(id: str = "1", uri: str = URL, space: str = "", **changes: Any) -> Entry:
    fields = CIMultiDictProxy(CIMultiDict([("A", "1"), ("a", "2"), ("B", "\udcff é")]))
    values: dict[str, Any] = {
        "vary": (("accept", None), ("x", "y")),
        "ttl": FOREVER,
        "requested": 1.5,
        "received": 2.5,
        **changes,
    }
    return Entry(uri, space, id, 200, "OK", (1, 1), fields, **values)


async def put(store: Any, entry: Entry, body: bytes, *replaced: str) -> None:
    writer = store.begin(entry, replaced)
    for at in range(0, len(body), 100_000):
        writer.write(body[at : at + 100_000])
    entry.size = len(body)
    waiting = writer.commit(entry)
    if waiting is not None:
        await waiting


async def body_of(store: Any, entry: Entry) -> bytes:
    return b"".join([piece async for piece in store.read(entry)])


def test_limits() -> None:
    """What stores hold, unless the user says otherwise."""
    memory, file = MemoryStore(), SQLiteStore("http.db")
    assert (memory.max_bytes, file.max_bytes) == (64 * 2**20, 2**30)
    assert memory.max_entry == file.max_entry == 10 * 2**20


class TestAll:
    @pytest.mark.parametrize("size", [0, 5, INLINE, INLINE + 1, 2_000_000])
    async def test_back_and_forth(self, make: Make, size: int) -> None:
        """What is stored is found, as it was."""
        store: CacheStore = make()
        body = os.urandom(size)
        entry = entry_of()
        await put(store, entry, body)
        (found,) = await store.find(Key(URL, ""))
        assert found.entry.to_dict() == entry.to_dict()
        assert found.body in (body, None)
        assert await body_of(store, found.entry) == body
        statistics = await store.statistics()
        assert statistics.entries == 1
        assert statistics.bytes > size
        await store.close()

    async def test_keys(self, make: Make) -> None:
        """Spaces are apart; a URI is deleted with all of them."""
        store = make()
        for id, uri, space in (("1", "a", ""), ("2", "a", "x"), ("3", "b", ""), ("4", "a", "")):
            await put(store, entry_of(id, uri, space), id.encode())

        async def ids(uri: str, space: str) -> list[str]:
            return sorted([found.entry.id for found in await store.find(Key(uri, space))])

        assert await ids("a", "") == ["1", "4"]
        assert await ids("a", "x") == ["2"]
        assert await ids("c", "") == []
        assert sorted([entry.id async for entry in store.entries()]) == ["1", "2", "3", "4"]
        assert await store.delete("a", "4") == 1
        assert await store.delete("a") == 2
        assert await ids("a", "") == []
        assert await ids("b", "") == ["3"]
        assert await store.clear() == 1
        assert (await store.statistics()).entries == 0
        await store.close()

    async def test_replace_and_update(self, make: Make) -> None:
        """One takes the place of others at once; an update changes fields and times alone."""
        store = make()
        await put(store, entry_of("1"), b"one")
        await put(store, entry_of("2"), b"two", "1")
        (found,) = await store.find(Key(URL, ""))
        assert (found.entry.id, found.body) == ("2", b"two")
        fields = CIMultiDictProxy(CIMultiDict({"New": "1"}))
        newer = entry_of("2", received=9.0)
        newer.fields, newer.size = fields, 3
        await store.update(newer)
        (found,) = await store.find(Key(URL, ""))
        assert (found.entry.fields, found.entry.received, found.body) == (fields, 9.0, b"two")
        await store.update(entry_of("gone"))
        assert (await store.statistics()).entries == 1
        before = (await store.statistics()).bytes
        longer = entry_of("2", size=3)
        longer.fields = CIMultiDictProxy(CIMultiDict({"New": "1" * 1000}))
        await store.update(longer)
        assert (await store.statistics()).bytes > before + 900
        await store.delete(URL)
        assert (await store.statistics()).bytes == 0
        await store.close()

    async def test_aborted(self, make: Make) -> None:
        """What is not committed is not there."""
        store = make()
        writer = store.begin(entry_of(), ())
        for _ in range(10):
            writer.write(bytes(100_000))
        assert await store.find(Key(URL, "")) in ((), [])
        writer.abort()
        assert await store.find(Key(URL, "")) in ((), [])
        await store.close()

    async def test_gone(self, make: Make) -> None:
        """To read what is gone raises LookupError; what is being read stays."""
        store = make()
        with pytest.raises(LookupError):
            await body_of(store, entry_of("gone"))
        entry = entry_of()
        body = os.urandom(1_000_000)
        await put(store, entry, body)
        pieces: AsyncIterator[bytes] = store.read(entry)
        received = await anext(pieces)
        await store.clear()
        async for piece in pieces:
            received += piece
        assert received == body
        await store.close()

    async def test_least_recently_used(self, make: Make, request: pytest.FixtureRequest) -> None:
        """Above its bytes a store forgets what was used least recently; Redis does so as its server is told."""
        if request.node.callspec.params["make"] == "redis":
            return
        store = make(max_bytes=60_000, max_entry=10_000)
        for number in range(20):
            await put(store, entry_of(str(number), f"u{number}"), bytes(10_000))
            if number > 2:
                assert await store.find(Key("u2", ""))
        assert (await store.statistics()).bytes <= 60_000
        assert await store.find(Key("u19", ""))
        assert not await store.find(Key("u3", ""))
        await store.close()

    async def test_in_a_session(self, make: Make) -> None:
        """A cache works the same on each."""
        store = make()
        body = os.urandom(300_000)
        async with site((body, FRESH), store=store) as it:
            assert await (await it.get()).read() == body
            for _ in range(2):
                response = await it.get()
                assert response.cache_status is not None
                assert response.cache_status.hit
                assert await response.read() == body
            response = await it.get(headers={"Range": "bytes=100000-299998"})
            assert await response.read() == body[100000:299999]
            assert it.origin.count == 1


def database(path: Path) -> Any:
    return closing(sqlite3.connect(path, isolation_level=None))


@pytest.mark.rows("CACHE-08")
class TestSQLite:
    async def test_beside_the_event_loop(self, tmp_path: Path) -> None:
        """All that SQLite does, it does in other threads; the file is in WAL mode, and what it holds is plain JSON."""
        store = SQLiteStore(tmp_path / "http.db")
        threads: set[int] = set()
        for handle in (store._reading, store._writing):
            handle.run(
                lambda connection: connection.set_trace_callback(
                    lambda statement: threads.add(get_ident())
                )
            )
        replies = [("one", FRESH, 'ETag: "1"'), (304, "", FRESH), (204, "")]
        async with site(*replies, store=store) as it:
            await it.get()
            it.clock.now += 200
            await it.get()
            assert [entry.uri async for entry in it.cache] == [URL]
            with database(store.path) as connection:
                assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
                (meta,) = connection.execute("SELECT meta FROM entries").fetchone()
                assert json.loads(meta)["uri"] == URL
            await it.get(method="POST")
            assert await it.cache.clear() == 0
        assert threads
        assert get_ident() not in threads

    async def test_names(self, tmp_path: Path) -> None:
        """A URL never becomes the name of a file."""
        async with site(("one", FRESH), store=SQLiteStore(tmp_path / "a" / "http.db")) as it:
            for path in ("../../x", "%2e%2e/%2e%2e/x", "a/../../../etc/x", "x%00y"):
                await it.get(Url(URL + path, encoded=True))
                await it.get(Url(URL + path, encoded=True))
            names = {each.name for each in tmp_path.rglob("*")}
            assert names == {"a", "http.db", "http.db-wal", "http.db-shm"}

    async def test_across_runs(self, tmp_path: Path) -> None:
        """What one session stored, the next one has, with another store object, in another process too."""
        path = tmp_path / "folder" / "http.db"
        for count in (1, 0):
            async with site(("one", FRESH, "Vary: Accept"), store=SQLiteStore(path)) as it:
                assert await it.text() == "one"
                assert it.origin.count == count

    async def test_permissions(self, tmp_path: Path) -> None:
        """Its files are for their owner alone."""
        store = SQLiteStore(tmp_path / "folder" / "http.db")
        await put(store, entry_of(), b"x")
        for path in (tmp_path / "folder").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
        await store.close()

    @pytest.mark.rows("CACHE-10")
    async def test_no_secrets(self, tmp_path: Path) -> None:
        """Nothing of a request's credentials and cookies is written down."""
        path = tmp_path / "http.db"
        async with site(
            ("one", FRESH, "Vary: Cookie, Authorization", "Set-Cookie: id=s3cret2"),
            store=SQLiteStore(path),
        ) as it:
            await it.get(headers={"Authorization": "Bearer s3cret", "Cookie": "id=s3cret"})
            await it.get(auth=("ada", "s3cret"))
            await it.get()
        assert path.stat().st_size
        for file in tmp_path.iterdir():
            assert b"s3cret" not in file.read_bytes()

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE entries SET meta = 'x'",
            "UPDATE entries SET meta = '{}'",
            "UPDATE entries SET meta = '[[[['",
            "UPDATE entries SET meta = x'80'",
            "UPDATE entries SET meta = json_set(meta, '$.status', 'x')",
            "UPDATE entries SET meta = json_set(meta, '$.size', -1)",
            "UPDATE entries SET meta = json_set(meta, '$.fields', json('[1]'))",
            "UPDATE entries SET meta = json_set(meta, '$.id', 'other')",
            "UPDATE entries SET body = x'00'",
            "UPDATE entries SET body = 'text'",
            "UPDATE entries SET body = NULL",
            f"UPDATE entries SET meta = '{'[' * 100000}'",
        ],
    )
    async def test_corrupt_entries(
        self, tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What cannot be read is dropped with one log line, and asked for anew."""
        path = tmp_path / "http.db"
        with caplog.at_level(logging.WARNING, "aioclient"):
            async with site(("one", FRESH), store=SQLiteStore(path)) as it:
                await it.get()
                await it.get()  # which waits until it is stored
                with database(path) as connection:
                    connection.execute(change)
                assert await it.text() == "one"
                assert it.origin.count == 2
                assert await it.text() == "one"
                assert it.origin.count == 2
        (record,) = caplog.records
        assert "dropped a stored response" in record.getMessage()

    async def test_foreign_file(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A file of another program is left as it is; requests go on without a cache."""
        path = tmp_path / "other.db"
        with database(path) as connection:
            connection.execute("CREATE TABLE mine (a)")
        before = path.read_bytes()
        for content in (before, b"no database at all" * 100):
            path.write_bytes(content)
            caplog.clear()
            with caplog.at_level(logging.WARNING, "aioclient"):
                async with site(("one", FRESH), store=SQLiteStore(path)) as it:
                    for _ in range(3):
                        assert await it.text() == "one"
                    assert it.origin.count == 3
            assert path.read_bytes() == content
            assert len(caplog.records) == 1

    async def test_no_folder(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A place where no file can be costs a log line."""
        (tmp_path / "file").write_text("x")
        store = SQLiteStore(tmp_path / "file" / "http.db")
        with caplog.at_level(logging.WARNING, "aioclient"):
            async with site(("one", FRESH), store=store) as it:
                assert [await it.text(), await it.text()] == ["one", "one"]
        assert len(caplog.records) == 1

    async def test_migration(self, tmp_path: Path) -> None:
        """A file of the first version is brought up to date, with what it holds."""
        path = tmp_path / "http.db"
        async with site(("one", FRESH), store=SQLiteStore(path)) as it:
            await it.get()
        with database(path) as connection:
            rows = connection.execute(
                "SELECT id, uri, space, meta, body, cost FROM entries"
            ).fetchall()
        path.unlink()
        with database(path) as connection:
            connection.executescript(MIGRATIONS[0])
            connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute("PRAGMA user_version = 1")
        async with site(("one", FRESH), store=SQLiteStore(path)) as it:
            assert await it.text() == "one"
            assert it.origin.count == 0
            assert (await it.cache.statistics()).store.entries == 1  # type: ignore[union-attr]
        with database(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
            connection.execute("PRAGMA user_version = 99")
        async with site(("one", FRESH), store=SQLiteStore(path)) as it:
            await it.get()
            await it.get()
            assert it.origin.count == 2

    async def test_orphaned_pieces(self, tmp_path: Path) -> None:
        """Pieces that a killed process left are removed after a while."""
        path = tmp_path / "http.db"
        store = SQLiteStore(path)
        await put(store, entry_of(), bytes(500_000))
        with database(path) as connection:
            for written in (0.0, 2.0**33):
                connection.execute("INSERT INTO pieces VALUES ('gone', 0, x'00', ?)", (written,))
        await store.close()
        await put(store, entry_of("2"), b"x")
        await store.close()
        assert ORPHANED
        with database(path) as connection:
            left = connection.execute("SELECT count(*) FROM pieces WHERE entry = 'gone'").fetchone()
            assert left == (1,)

    async def test_two_stores_on_a_file(self, tmp_path: Path) -> None:
        """Several write at the same time."""
        stores = [SQLiteStore(tmp_path / "http.db") for _ in range(3)]

        async def use(store: SQLiteStore, number: int) -> None:
            for turn in range(20):
                await put(store, entry_of(f"{number}-{turn}", f"u{turn}"), os.urandom(80_000))

        await asyncio.gather(*[use(store, number) for number, store in enumerate(stores)])
        for store in stores:
            assert (await store.statistics()).entries == 60
            assert len(await store.find(Key("u7", ""))) == 3
            await store.close()

    async def test_several_that_make_a_file(self, tmp_path: Path) -> None:
        """None of them takes the half that another one has made for another program's file."""
        for turn in range(20):
            stores = [SQLiteStore(tmp_path / f"{turn}.db") for _ in range(4)]
            found = await asyncio.gather(*[store.statistics() for store in stores])
            assert [each.entries for each in found] == [0, 0, 0, 0]
            for store in stores:
                await store.close()

    async def test_two_processes(self, tmp_path: Path) -> None:
        """Another process finds what this one stored."""
        path = tmp_path / "http.db"
        store = SQLiteStore(path)
        await put(store, entry_of(), b"one")
        program = (
            "import asyncio, sys\n"
            "from aioclient import SQLiteStore\n"
            "async def main():\n"
            "    store = SQLiteStore(sys.argv[1])\n"
            "    print([entry.uri async for entry in store.entries()])\n"
            "    print(await store.delete('http://a.example/'))\n"
            "    await store.close()\n"
            "asyncio.run(main())\n"
        )
        command = [sys.executable, "-W", "error", "-c", program, str(path)]
        loop = asyncio.get_running_loop()
        done = await loop.run_in_executor(
            None, lambda: subprocess.run(command, check=True, capture_output=True, text=True)
        )
        assert done.stdout == f"['{URL}']\n1\n"
        assert not await store.find(Key(URL, ""))
        await store.close()

    @pytest.mark.hang_limit(170)
    @pytest.mark.parametrize("part", range(4))
    def test_killed(self, tmp_path: Path, part: int) -> None:
        """A process that is killed in the middle of writing leaves each entry whole or gone: 200 times."""
        command = [sys.executable, "-W", "error", "-m", "tests.middlewares.cache.kill"]
        done = subprocess.run(
            [*command, str(tmp_path / "http.db"), "50"],
            check=False,
            capture_output=True,
            text=True,
            timeout=160,
        )
        assert done.stdout.startswith("ok "), done.stderr
        assert not done.returncode

    async def test_close_waits_for_what_is_written(self, tmp_path: Path) -> None:
        """What was read before the session closed is stored."""
        path = tmp_path / "http.db"
        for _ in range(3):
            store = SQLiteStore(path)
            async with site((os.urandom(3_000_000), FRESH), store=store) as it:
                await it.get()
            async with site(("other", FRESH), store=store) as it:
                assert len(await (await it.get()).read()) == 3_000_000
                await it.cache.clear()

    async def test_cache_of_a_path(self, tmp_path: Path) -> None:
        """A repr tells the file."""
        store = SQLiteStore(tmp_path / "http.db")
        assert repr(Cache(store)) == f"<Cache(<SQLiteStore '{tmp_path / 'http.db'}'>)>"


@pytest.mark.rows("CACHE-08")
class TestRedis:
    async def test_shared(self, redis_url: str, tmp_path: Path) -> None:
        """What one process stored, the next one has."""
        for count in (1, 0):
            store = RedisStore(redis_url, prefix=str(tmp_path), timeout=30)
            async with site(("one", FRESH), store=store) as it:
                assert await it.text() == "one"
                assert it.origin.count == count

    @pytest.mark.parametrize("field", [b"{}", b"[[[", b"\xff", b"null", b"[" * 100000])
    async def test_corrupt(
        self, redis_url: str, tmp_path: Path, field: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What cannot be read is dropped with one log line."""
        import redis.asyncio

        store = RedisStore(redis_url, prefix=str(tmp_path), timeout=30)
        with caplog.at_level(logging.WARNING, "aioclient"):
            async with (
                site(("one", FRESH), store=store) as it,
                redis.asyncio.Redis.from_url(redis_url) as client,
            ):
                await it.get()
                await it.get()
                (name,) = await client.keys(f"{tmp_path}*:entries:*")
                for key in await client.hkeys(name):
                    if key.startswith(b"m"):
                        await client.hset(name, key, field)
                assert await it.text() == "one"
                assert it.origin.count == 2
                assert await it.text() == "one"
                assert it.origin.count == 2
        assert len(caplog.records) == 1

    async def test_sent_while_it_is_read(self, redis_url: str, tmp_path: Path) -> None:
        """A large body goes to Redis piece by piece, and is never kept whole; given up, it leaves nothing."""
        import redis.asyncio

        store = RedisStore(redis_url, prefix=str(tmp_path), timeout=30)
        responses = store._responses
        body = os.urandom(2_000_000)
        async with redis.asyncio.Redis.from_url(redis_url) as client:

            async def sent() -> int:
                names = await client.keys(f"{tmp_path}*:write:*")
                return sum([await client.strlen(name) for name in names])

            for complete in (False, True):
                entry = entry_of()
                writer = store.begin(entry, ())
                for at in range(0, len(body), 100_000):
                    writer.write(body[at : at + 100_000])
                    while responses.waiting:
                        await asyncio.sleep(0)
                    assert await sent() > at - 300_000
                if not complete:
                    writer.abort()
                    await store.close()
                    assert not await client.keys(f"{tmp_path}*")
                else:
                    entry.size = len(body)
                    waiting = writer.commit(entry)
                    assert waiting is not None
                    await waiting
                    assert await body_of(store, entry) == body
                    assert not await sent()
        await store.close()

    async def test_backlog(
        self, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No more waits to be sent than there may; the rest is not stored, and nothing is left of it."""
        import redis.asyncio

        monkeypatch.setattr(redis_module, "BACKLOG", 600_000)
        store = RedisStore(redis_url, prefix=str(tmp_path), timeout=30)
        writer = store.begin(entry_of(), ())
        writer.write(bytes(300_000))
        writer.write(bytes(300_000))
        with pytest.raises(OSError, match="takes less than comes"):
            writer.write(bytes(300_000))
        writer.abort()
        await store.close()
        assert not store._responses.waiting
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            assert not await client.keys(f"{tmp_path}*")

    @pytest.mark.rows("CACHE-05")
    @pytest.mark.parametrize("size", [1_000, 500_000])
    async def test_truncated(
        self, redis_url: str, tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A body of which something is missing is asked for anew."""
        import redis.asyncio

        store = RedisStore(redis_url, prefix=str(tmp_path), timeout=30)
        body = os.urandom(size)
        async with (
            site((body, FRESH), store=store) as it,
            redis.asyncio.Redis.from_url(redis_url) as client,
        ):
            await it.get()
            await it.get()
            assert it.origin.count == 1
            if size > INLINE:
                (name,) = await client.keys(f"{tmp_path}*:body:*")
                await client.set(name, body[:-1])
            else:
                (name,) = await client.keys(f"{tmp_path}*:entries:*")
                (field,) = [key for key in await client.hkeys(name) if key.startswith(b"b")]
                await client.hset(name, field, body[:-1])
            for _ in range(2):
                assert await (await it.get()).read() == body
            assert it.origin.count == 2

    @pytest.mark.rows("CACHE-10")
    async def test_no_secrets(self, redis_url: str, tmp_path: Path) -> None:
        """Nothing of a request's credentials and cookies reaches Redis."""
        import redis.asyncio

        store = RedisStore(redis_url, prefix=str(tmp_path), timeout=30)
        async with (
            site(
                ("one", FRESH, "Vary: Cookie, Authorization", "Set-Cookie: id=s3cret2"), store=store
            ) as it,
            redis.asyncio.Redis.from_url(redis_url) as client,
        ):
            await it.get(headers={"Authorization": "Bearer s3cret", "Cookie": "id=s3cret"})
            await it.get(auth=("ada", "s3cret"))
            await it.get()
            await it.get()
            names = await client.keys(f"{tmp_path}*:entries:*")
            assert len(names) == 3
            for name in names:
                assert b"s3cret" not in name
                assert "s3cret" not in repr(await client.hgetall(name))

    async def test_confirmed(self, redis_url: str, tmp_path: Path) -> None:
        """What is confirmed lasts as long as what was just stored."""
        import redis.asyncio

        store = RedisStore(redis_url, prefix=str(tmp_path), max_age=500, timeout=30)
        entry = entry_of()
        await put(store, entry, bytes(500_000))
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            names = await client.keys(f"{tmp_path}*")
            assert len(names) == 3
            for name in names:
                await client.expire(name, 100)
            await store.update(entry)
            for name in names:
                assert 400 < await client.ttl(name) <= 500
        await store.close()

    async def test_not_asked_again_at_once(self) -> None:
        """A server that did not answer is left alone for a second: no request waits for it then."""
        require_module("redis")
        with Redis() as server:
            store = RedisStore(server.url)
        with pytest.raises(OSError, match="Redis does not answer"):
            await store.find(Key(URL, ""))
        with pytest.raises(OSError, match="did not answer a moment ago"):
            await store.find(Key(URL, ""))
        await store.close()

    async def test_expires(self, redis_url: str, tmp_path: Path) -> None:
        """Every key expires."""
        import redis.asyncio

        store = RedisStore(redis_url, prefix=str(tmp_path), max_age=50, timeout=30)
        await put(store, entry_of("1"), b"x")
        await put(store, entry_of("2"), bytes(500_000))
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            names = await client.keys(f"{tmp_path}*")
            assert len(names) == 3
            for name in names:
                assert 0 < await client.ttl(name) <= 50
        await store.close()

    async def test_gone(self, caplog: pytest.LogCaptureFixture) -> None:
        """A server that is gone costs a log line, and requests nothing; when it is back it is used again."""
        require_module("redis")
        with Redis() as server, caplog.at_level(logging.WARNING, "aioclient"):
            store = RedisStore(server.url, timeout=30)
            async with site(("one", FRESH), store=store) as it:
                await it.get()
                await it.get()
                assert it.origin.count == 1
                server.stop()
                for _ in range(3):
                    assert await it.text() == "one"
                assert it.origin.count == 4
                assert len(caplog.records) == 1

    async def test_limits_too(self, redis_url: str, tmp_path: Path) -> None:
        """One store serves a cache and a limit."""
        store = RedisStore(redis_url, prefix=str(tmp_path), timeout=30)
        limit = RateLimit(1000, store=store)
        async with site(("one", FRESH), store=store) as it:
            async with it.session.get(URL, rate_limit=limit) as response:
                await response.read()
            assert await it.text(rate_limit=limit) == "one"
            assert it.origin.count == 1
            statistics = await it.cache.statistics()
            assert statistics.store is not None
            assert statistics.store.entries == 1

    @pytest.mark.parametrize("limits", [{"max_age": 0}, {"max_entry": 0}, {"timeout": 0}])
    def test_mistakes(self, limits: dict[str, float]) -> None:
        """Limits that make no sense are refused."""
        require_module("redis")
        with pytest.raises(ValueError, match=next(iter(limits))):
            RedisStore("redis://127.0.0.1", **limits)  # type: ignore[arg-type]
