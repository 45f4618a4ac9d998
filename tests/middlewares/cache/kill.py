"""Stores responses until it is killed, again and again: ``python -m tests.middlewares.cache.kill FILE N``.

It forks itself N times. Each child stores entries of all sizes as fast as it can, and reports each one begun and each
one stored by a byte. After a random number of these it is killed, and every entry in the file must be whole. At the end
it prints how many there were.
"""

import asyncio
import hashlib
import os
import random
import signal
import sqlite3
import sys

from multidict import CIMultiDict, CIMultiDictProxy

from aioclient import SQLiteStore
from aioclient.middlewares.cache import Entry
from aioclient.middlewares.cache.keys import Key

SIZES = (0, 100, 10_000, 70_000, 700_000)


def entry_of(number: int, body: bytes) -> Entry:
    digest = hashlib.sha256(body).hexdigest()
    fields = CIMultiDictProxy(CIMultiDict([("X-Digest", digest)]))
    return Entry(
        f"http://a.example/{number % 40}",
        "",
        os.urandom(8).hex(),
        200,
        "OK",
        (1, 1),
        fields,
        (),
        1.0,
        1.0,
        len(body),
    )


async def store_for_ever(path: str, report: int) -> None:
    store = SQLiteStore(path, 20_000_000)
    number = random.randrange(1000)
    while True:
        number += 1
        body = os.urandom(random.choice(SIZES))
        entry = entry_of(number, body)
        replaced = [stored.entry.id for stored in await store.find(Key(entry.uri, ""))]
        writer = store.begin(entry, replaced)
        for at in range(0, len(body), 50_000):
            writer.write(body[at : at + 50_000])
            os.write(report, b".")
        await writer.commit(entry)
        os.write(report, b".")


def check(path: str) -> int:
    """Return how many entries there are; each must be whole."""

    async def read() -> int:
        store = SQLiteStore(path)
        count = 0
        async for entry in store.entries():
            body = b"".join([piece async for piece in store.read(entry)])
            if hashlib.sha256(body).hexdigest() != entry.fields["X-Digest"]:
                raise SystemExit(f"{entry} is not whole")
            count += 1
        statistics = await store.statistics()
        if statistics.entries != count:
            raise SystemExit(f"{statistics} of {count} entries")
        await store.close()
        return count

    return asyncio.run(read())


def main(path: str, times: int) -> None:
    for _ in range(times):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            asyncio.run(store_for_ever(path, writing))
        os.close(writing)
        for _ in range(random.randrange(1, 30)):
            os.read(reading, 1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        checker = os.fork()  # in another process, whose threads and connections end with it
        if not checker:
            check(path)
            os._exit(0)
        if os.waitpid(checker, 0)[1]:
            raise SystemExit("an entry is not whole")
    connection = sqlite3.connect(path)
    print(connection.execute("PRAGMA integrity_check").fetchone()[0], check(path))
    connection.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
