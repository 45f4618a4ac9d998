"""Responses in Redis or Valkey, for several machines.

The rules:

- All keys of one URI are on one node of a cluster: the names contain its hash in braces.
- An entry is written in one transaction: if the process is killed, the entry is complete or missing. A large body is
  sent before that, while it is read, under a name that belongs to no entry and expires.
- A large body is copied to a separate name while it is read, so that deleting the entry does not interrupt the reader.
- Everything expires. The server limits the total size: ``maxmemory``, with an ``allkeys`` policy.
- A server that does not answer in time is not used again for a second.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final, TypeVar
from uuid import uuid4
from weakref import WeakKeyDictionary

from ...exceptions import MissingExtraError
from .entry import Entry
from .keys import Key
from .memory import checked_bytes, cost_of
from .store import MAX_ENTRY, Stored, StoreStatistics

T = TypeVar("T")

INLINE: Final = 64 * 1024  # bytes; a body up to this size is kept in its entry
PIECE: Final = 256 * 1024  # bytes that are written or read at a time
BACKLOG: Final = 32 * 2**20  # bytes that wait to be sent; beyond that a body is not stored
READING: Final = (
    3600  # seconds until the copy of a body for a reader expires, or a body that is no entry's yet
)
AGAIN: Final = 1.0  # seconds
UPDATE: Final = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 0
"""

_log = logging.getLogger("aioclient.cache")


class RedisResponses:
    """Keeps the responses of a ``Cache`` in Redis; users create a ``RedisStore``.

    Args:
        redis: a URL, or a ``redis.asyncio.Redis``, which works on one event loop.
        prefix: of its keys.
        max_entry: bytes of the largest body that is stored.
        max_age: seconds after which an entry is deleted if it was neither stored again nor confirmed.
        timeout: seconds that Redis may take to answer.
    """

    def __init__(
        self,
        redis: Any,
        *,
        prefix: str,
        max_entry: int = MAX_ENTRY,
        max_age: float = 7 * 86400.0,
        timeout: float = 1.0,
    ) -> None:
        self.max_entry: int = checked_bytes("max_entry", max_entry)
        self._redis = redis
        self._prefix = prefix
        self._max_age = round(max_age * 1000)
        self._timeout = timeout
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self._lost_until: WeakKeyDictionary[asyncio.AbstractEventLoop, float] = WeakKeyDictionary()
        self._tasks: WeakKeyDictionary[asyncio.AbstractEventLoop, set[asyncio.Task[None]]] = (
            WeakKeyDictionary()
        )
        self.waiting: int = 0  # bytes of bodies that are not sent yet

    @property
    def _client(self) -> Any:
        if not isinstance(self._redis, str):
            return self._redis
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = _redis().Redis.from_url(self._redis)
        return client

    async def _ask(self, answer: Awaitable[T]) -> T:
        """Wait for an *answer* of Redis.

        Raises:
            OSError: it does not come in time, or another one within the last second did not.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._lost_until.get(loop, 0.0):
            close = getattr(answer, "close", None)
            if close is not None:
                close()
            raise OSError("Redis did not answer a moment ago")
        try:
            async with asyncio.timeout(self._timeout):
                return await answer
        except (TimeoutError, OSError, _redis().RedisError) as error:
            self._lost_until[loop] = loop.time() + AGAIN
            raise OSError(f"Redis does not answer: {error!r}") from error

    # Names of keys

    def _root(self, uri: str) -> str:
        return f"{self._prefix}{{{_hash(uri)}}}:"

    def _entries(self, uri: str, space: str) -> str:
        return f"{self._root(uri)}entries:{_hash(space)}"

    # The store

    async def find(self, key: Key) -> Sequence[Stored]:
        """Return what is stored under *key*."""
        name = self._entries(key.uri, key.space)
        values: dict[bytes, bytes] = await self._ask(self._client.hgetall(name))
        found = []
        for field, value in values.items():
            if field.startswith(b"m"):
                entry = await self._entry_of(name, field, value)
                if entry is not None and (entry.uri, entry.space) == key:
                    body = values.get(b"b" + field[1:])
                    if body is not None and len(body) != entry.size:
                        await self._drop(name, field, "its body is not whole")
                    else:
                        found.append(Stored(entry, body))
        return found

    async def _entry_of(self, name: str, field: bytes, value: bytes) -> Entry | None:
        """Return the entry in *value*; delete it if it is invalid."""
        try:
            entry = Entry.from_json(value)
            if entry.id.encode() != field[1:]:
                raise ValueError("it is another one")
        except ValueError as error:
            await self._drop(name, field, str(error))
            return None
        return entry

    async def _drop(self, name: str, field: bytes, why: str) -> None:
        _log.warning("Redis: dropped a stored response that cannot be read: %s", why)
        await self._ask(self._client.hdel(name, field, b"b" + field[1:]))

    async def read(self, entry: Entry) -> AsyncIterator[bytes]:
        """Return the body of *entry*, in pieces."""
        root, client = self._root(entry.uri), self._client
        body = await self._ask(client.hget(self._entries(entry.uri, entry.space), f"b{entry.id}"))
        if body is not None:
            yield body
            return
        name, copy = f"{root}body:{entry.id}", f"{root}read:{uuid4().hex}"
        pipeline = client.pipeline(transaction=True)
        pipeline.copy(name, copy)
        pipeline.expire(copy, READING)
        pipeline.strlen(copy)
        copied, _, size = await self._ask(pipeline.execute())
        if not copied or size != entry.size:
            await self.delete(entry.uri, entry.id)
            raise LookupError("the entry is gone")
        at = 0
        while at < size:
            piece: bytes = await self._ask(client.getrange(copy, at, at + PIECE - 1))
            if not piece:
                raise OSError("Redis has forgotten a body while it was read")
            at += len(piece)
            if at == size:
                await self._ask(client.delete(copy))
            yield piece

    def begin(self, entry: Entry, replaced: Sequence[str]) -> "_Writer":
        """Begin to store *entry*."""
        return _Writer(self, f"{self._root(entry.uri)}write:{entry.id}", replaced)

    def start(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run *coroutine* until the store is closed at the latest; return its task."""
        loop = asyncio.get_running_loop()
        tasks = self._tasks.setdefault(loop, set())
        task = loop.create_task(coroutine)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    async def append(self, written: str, piece: bytes) -> None:
        """Append *piece* to the body with the name *written*."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.append(written, piece)
        pipeline.expire(written, READING)
        await self._ask(pipeline.execute())

    async def unlink(self, written: str) -> None:
        """Delete the body with the name *written*."""
        await self._ask(self._client.unlink(written))

    async def put(self, entry: Entry, body: bytes | None, replaced: Sequence[str]) -> None:
        """Store *entry*, and delete those with the ids *replaced*; *body* is None if it was sent before."""
        root, name = self._root(entry.uri), self._entries(entry.uri, entry.space)
        values: dict[str, bytes | str] = {f"m{entry.id}": entry.to_json()}
        pipeline = self._client.pipeline(transaction=True)
        for id in replaced:
            pipeline.hdel(name, f"m{id}", f"b{id}")
            pipeline.unlink(f"{root}body:{id}")
        if body is not None:
            values[f"b{entry.id}"] = body
        else:
            pipeline.rename(f"{root}write:{entry.id}", f"{root}body:{entry.id}")
            pipeline.pexpire(f"{root}body:{entry.id}", self._max_age)
        pipeline.hset(name, mapping=values)
        pipeline.pexpire(name, self._max_age)
        pipeline.sadd(f"{root}spaces", name)
        pipeline.pexpire(f"{root}spaces", self._max_age)
        await self._ask(pipeline.execute())

    async def update(self, entry: Entry) -> None:
        """Replace the fields and times of the stored entry."""
        name = self._entries(entry.uri, entry.space)
        await self._ask(self._client.eval(UPDATE, 1, name, f"m{entry.id}", entry.to_json()))
        body = f"{self._root(entry.uri)}body:{entry.id}"
        pipeline = self._client.pipeline(transaction=False)
        for each in (name, body, f"{self._root(entry.uri)}spaces"):
            pipeline.pexpire(each, self._max_age)
        await self._ask(pipeline.execute())

    async def delete(self, uri: str, id: str | None = None) -> int:
        """Delete the responses that are stored for *uri*, or only the entry with *id*."""
        root, client = self._root(uri), self._client
        count = 0
        for name in await self._ask(client.smembers(f"{root}spaces")):
            fields = await self._ask(client.hkeys(name))
            ids = [field[1:].decode() for field in fields if field.startswith(b"m")]
            if id is not None:
                ids = [id] if id in ids else []
            if ids:
                pipeline = client.pipeline(transaction=True)
                pipeline.hdel(name, *[f"{kind}{each}" for each in ids for kind in "mb"])
                pipeline.unlink(*[f"{root}body:{each}" for each in ids])
                await self._ask(pipeline.execute())
                count += len(ids)
        return count

    async def clear(self) -> int:
        """Delete everything."""
        count, names = 0, []
        async for name in self._names("*"):
            if b"}:read:" not in name and b"}:write:" not in name:  # in use
                names.append(name)
        for name in names:
            if b"}:entries:" in name:
                fields = await self._ask(self._client.hkeys(name))
                count += sum(field.startswith(b"m") for field in fields)
            await self._ask(self._client.unlink(name))
        return count

    async def _names(self, pattern: str) -> AsyncIterator[bytes]:
        cursor = 0
        while True:
            prefix = "".join([f"[{char}]" if char in "*?[" else char for char in self._prefix])
            cursor, names = await self._ask(
                self._client.scan(cursor, match=f"{prefix}{pattern}", count=1000)
            )
            for name in names:
                yield name
            if not cursor:
                return

    async def entries(self) -> AsyncIterator[Entry]:
        """Return what is stored."""
        async for name in self._names("{*}:entries:*"):
            for field, value in (await self._ask(self._client.hgetall(name))).items():
                if field.startswith(b"m"):
                    entry = await self._entry_of(name.decode(), field, value)
                    if entry is not None:
                        yield entry

    async def statistics(self) -> StoreStatistics:
        """Return the current numbers; it reads every entry."""
        costs = [cost_of(entry) async for entry in self.entries()]
        return StoreStatistics(len(costs), sum(costs), None)

    async def close(self) -> None:
        """Close the connections of this event loop, unless the client was passed in."""
        loop = asyncio.get_running_loop()
        if tasks := self._tasks.get(loop):
            await asyncio.wait(tasks)
        client = self._clients.pop(loop, None)
        if client is not None:
            await client.aclose()

    def __repr__(self) -> str:
        return f"<RedisResponses {self._prefix!r}>"


class _Writer:
    """Sends a body: together with its entry, or in pieces before it if the body is larger."""

    __slots__ = (
        "_buffer",
        "_is_aborted",
        "_pieces",
        "_replaced",
        "_sending",
        "_size",
        "_store",
        "_written",
    )

    def __init__(self, store: RedisResponses, written: str, replaced: Sequence[str]) -> None:
        self._store = store
        self._written = written  # the name that a large body has until it is complete
        self._replaced = replaced
        self._buffer: list[bytes] = []
        self._size = 0
        self._pieces: deque[bytes] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._is_aborted = False

    def write(self, piece: bytes) -> None:
        """Take the next piece; send the collected ones if they are large enough."""
        self._buffer.append(piece)
        self._size += len(piece)
        if self._size >= PIECE:
            self._flush()

    def _flush(self) -> None:
        store, sending = self._store, self._sending
        if store.waiting + self._size > BACKLOG:
            raise OSError("Redis takes less than comes")
        store.waiting += self._size
        self._pieces.append(b"".join(self._buffer))
        self._buffer.clear()
        self._size = 0
        if sending is None or sending.done():
            if sending is not None:
                sending.result()  # raises what has failed
            self._sending = store.start(self._send())

    async def _send(self) -> None:
        store = self._store
        try:
            while self._pieces and not self._is_aborted:
                piece = self._pieces.popleft()
                try:
                    await store.append(self._written, piece)
                finally:
                    store.waiting -= len(piece)
        finally:
            store.waiting -= sum(map(len, self._pieces))
            self._pieces.clear()

    async def commit(self, entry: Entry) -> None:
        """Store the entry with its body."""
        try:
            if self._sending is None and self._size <= INLINE:
                await self._store.put(entry, b"".join(self._buffer), self._replaced)
                return
            if self._buffer:
                self._flush()
            if self._sending is not None:
                await self._sending
            await self._store.put(entry, None, self._replaced)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Discard the body."""
        self._buffer.clear()
        self._is_aborted = True
        if self._sending is not None:
            self._store.start(self._unlink(self._sending))

    async def _unlink(self, sending: "asyncio.Task[None]") -> None:
        with suppress(OSError):  # it expires
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.exception()
            await self._store.unlink(self._written)


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _redis() -> Any:
    try:
        import redis.asyncio
    except ImportError:
        raise MissingExtraError(
            "RedisStore needs redis; install it with: pip install 'aioclient[redis]'"
        ) from None
    return redis.asyncio
