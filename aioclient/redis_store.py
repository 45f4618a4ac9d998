"""One store in Redis for all middlewares that share something: limits, and responses."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from .middlewares.cache import Entry, StoreStatistics
from .middlewares.cache.keys import Key
from .middlewares.cache.redis import RedisResponses
from .middlewares.cache.store import MAX_ENTRY, Stored, Writer
from .middlewares.rate_limit.store import RedisStore as RedisLimits
from .middlewares.rate_limit.store import WhenGone


class RedisStore(RedisLimits):
    """Limits and responses of several processes and machines, in Redis or Valkey (extra ``redis``).

    Pass it to a ``RateLimit``, to a ``Cache``, or to both.

    For limits: each permit is one call of a script, which Redis runs atomically, by the clock of Redis. A process that
    is killed leaves only its reserved permit behind. When Redis cannot be reached, this is logged and reported to the
    limit's ``on_change``, and Redis is not asked again for one second. Meanwhile *when_gone* decides.

    For responses: an entry is written in one transaction, and expires. The server limits the total size (``maxmemory``
    with the policy ``allkeys-lru``). When Redis cannot be reached, requests are sent without a cache.

    Args:
        redis: a URL (``redis://``, ``rediss://``, ``unix://``), or your own ``redis.asyncio.Redis``.
        prefix: of the keys in Redis; stores with the same prefix share limits and responses.
        when_gone: "local" keeps to this process's share of the limit, by the last known number of processes; "open"
            lets everything pass; "closed" lets nothing pass and raises ``RateLimitedError``.
        timeout: seconds that Redis may take to answer.
        max_entry: bytes of the largest body that is stored.
        max_age: seconds after which a response is deleted if it was neither stored again nor confirmed.

    Raises:
        MissingExtraError: redis is not installed.
        ValueError: *when_gone*, *timeout* or a limit makes no sense.
    """

    def __init__(
        self,
        redis: Any,
        *,
        prefix: str = "aioclient:",
        when_gone: WhenGone = "local",
        timeout: float = 1.0,
        max_entry: int = MAX_ENTRY,
        max_age: float = 7 * 86400.0,
    ) -> None:
        super().__init__(redis, prefix=f"{prefix}limit:", when_gone=when_gone, timeout=timeout)
        if not max_age > 0:
            raise ValueError(f"max_age={max_age!r}; give seconds, more than 0")
        self._responses = RedisResponses(
            redis, prefix=f"{prefix}cache:", max_entry=max_entry, max_age=max_age, timeout=timeout
        )
        self.max_entry: int = self._responses.max_entry

    async def find(self, key: Key) -> Sequence[Stored]:
        """Return the responses that are stored under *key*."""
        return await self._responses.find(key)

    def read(self, entry: Entry) -> AsyncIterator[bytes]:
        """Return the body of *entry*, in pieces."""
        return self._responses.read(entry)

    def begin(self, entry: Entry, replaced: Sequence[str]) -> Writer:
        """Begin to store *entry*."""
        return self._responses.begin(entry, replaced)

    async def update(self, entry: Entry) -> None:
        """Replace the fields and times of the stored entry."""
        await self._responses.update(entry)

    async def delete(self, uri: str, id: str | None = None) -> int:
        """Delete the responses that are stored for *uri*, or only the entry with *id*."""
        return await self._responses.delete(uri, id)

    async def clear(self) -> int:
        """Delete all responses."""
        return await self._responses.clear()

    def entries(self) -> AsyncIterator[Entry]:
        """Return the stored responses."""
        return self._responses.entries()

    async def statistics(self) -> StoreStatistics:
        """Return how many responses there are; it reads every entry."""
        return await self._responses.statistics()

    async def close(self) -> None:
        """Close the connections to Redis, unless the client was passed in."""
        await self._responses.close()
        await super().close()
