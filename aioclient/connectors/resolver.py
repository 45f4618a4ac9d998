"""Names to addresses: answers that need no lookup, and the cache in front of any resolver.

Any implementation of `aiohttp.abc.AbstractResolver` can be used.

The rules of `CachingResolver`:

1. Addresses given with `resolve=` are not looked up. An IP address needs no lookup; nor does `localhost`, or a name
   under it, which is always the loopback interface (RFC 6761, section 6.3).
2. Simultaneous requests for the same name share one lookup. A request that gives up does not affect the others; when
   the last one gives up the lookup is cancelled.
3. Each address of an answer is used once, and at most `MAX_ADDRESSES` of them. Answers are cached for the time of their
   records, between 1 s and 10 min, or for `ttl` seconds; failures are not cached. At most `max_size` answers are
   cached; the least recently used one is dropped first.
4. Repeated calls return the addresses of each family rotated, so that connections spread over them; the positions of
   the families stay as the resolver ordered them (RFC 6724).
5. After `close()`, calls raise, and so do calls that wait at that time.
"""

import asyncio
import errno
import ipaddress
import math
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Final, Literal, Protocol, cast, runtime_checkable

from aiohttp.abc import AbstractResolver, ResolveResult

from ..exceptions import ClientConnectionError
from .overrides import Overrides

__all__ = ("CachingResolver", "AddressSource", "TimedResult")

Key = tuple[str, int, int]  # host, port, family

# Seconds. The bounds for the time of records: with less, a name would be looked up for nearly each connection; with
# more, a change would not be noticed for long. And the time without records, as in aiohttp.
MIN_TTL: Final = 1.0
MAX_TTL: Final = 600.0
DEFAULT_TTL: Final = 10.0

# At most this many addresses of a name are dialled. Names of many machines have 8 to 16; a DNS answer has room for
# thousands, which would turn a request into a scan and make its error huge.
MAX_ADDRESSES: Final = 64

CLOSE_TIME: Final = 2.0  # seconds

# `getaddrinfo` flags: host and port are numeric.
NUMERIC: Final = int(socket.AI_NUMERICHOST | socket.AI_NUMERICSERV)

_MAX_PORT: Final = 65535

TTL = float | Literal["record"] | None


class TimedResult(ResolveResult, total=False):
    """An address of a resolver with the seconds for which it is valid; any resolver may return it."""

    ttl: float


@runtime_checkable
class Forgetful(Protocol):
    """A resolver with a cache of its own that can be cleared."""

    def clear(self) -> None:
        """Clear the cache."""


class _Answer:
    """The addresses of a host, and when they expire."""

    __slots__ = ("_addresses", "_turn", "expiry")

    def __init__(self, addresses: list[ResolveResult], expiry: float) -> None:
        self._addresses = addresses
        self._turn = 0
        self.expiry = expiry

    def next(self) -> list[ResolveResult]:
        """Return the addresses; each call starts each family with its next address."""
        families: dict[int, list[ResolveResult]] = {}
        for address in self._addresses:
            families.setdefault(address["family"], []).append(address)
        queues = {}
        for family, addresses in families.items():
            start = self._turn % len(addresses)
            queues[family] = iter(addresses[start:] + addresses[:start])
        self._turn += 1
        return [next(queues[address["family"]]) for address in self._addresses]

    def all(self) -> list[ResolveResult]:
        """Return the addresses as the resolver ordered them."""
        return list(self._addresses)


class _Lookup:
    """A running lookup, and the requests that wait for it, in their order."""

    __slots__ = ("task", "waiters")

    def __init__(self, task: "asyncio.Task[_Answer]") -> None:
        self.task = task
        self.waiters: dict[asyncio.Future[_Answer], None] = {}

    def fail(self, error: BaseException) -> None:
        """Raise *error* in all waiting requests."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(error)


class AddressSource(Enum):
    """Where the addresses of a name come from."""

    NAME = "the name itself: an IP address, the loopback's name, or one whose addresses are given"
    CACHE = "an answer that was kept"
    LOOKUP = "a lookup that another request began"
    RESOLVER = "the resolver, as the cache has no answer"
    UNCACHED = "the resolver, as there is no cache"

    @property
    def takes_time(self) -> bool:
        """Whether an answer has to be waited for."""
        return self not in (AddressSource.NAME, AddressSource.CACHE)


class CachingResolver(AbstractResolver):
    """Answers from the cache if possible, and otherwise asks another resolver.

    Args:
        resolver: The resolver to ask.
        owns_resolver: Whether `close()` closes it.
        ttl: Seconds for which an answer is cached; None forever. "record": the time of its records, at least `MIN_TTL`
            and at most `MAX_TTL`, or `DEFAULT_TTL` if they have none.
        overrides: Given addresses, which are not looked up.
        max_size: Largest number of cached answers; 0 turns the cache off. Rule 2 still applies.
        clock: The time in seconds.

    Raises:
        ValueError: `ttl` or `max_size` is negative or not a number.
    """

    def __init__(
        self,
        resolver: AbstractResolver,
        *,
        owns_resolver: bool = False,
        ttl: TTL = "record",
        overrides: Overrides | None = None,
        max_size: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if ttl is not None and ttl != "record" and not ttl >= 0:
            raise ValueError(f'ttl={ttl!r}: give seconds from 0 on, None for ever, or "record"')
        if max_size < 0:
            raise ValueError(f"max_size={max_size!r}: give a number from 0 on")
        self._resolver = resolver
        self._owns_resolver = owns_resolver
        self._ttl = math.inf if ttl is None else ttl
        self._overrides = overrides
        self._max_size = max_size
        self._clock = clock
        self._answers: OrderedDict[Key, _Answer] = OrderedDict()
        self._lookups: dict[Key, _Lookup] = {}
        self._tasks: set[asyncio.Task[_Answer]] = set()  # including abandoned ones that still run
        self._closed = False

    def cached(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult] | None:
        """Return the addresses of *host* if no lookup is needed; otherwise None.

        Raises:
            OSError: *host* is an IP address of another family, or its given addresses are.
        """
        if self._overrides:
            given = self._overrides.find(host, port)
            if given is not None:
                return _given(host, port, family, given)
        answer = self._answers.get((host, port, family))
        if answer is None:
            own = _own_addresses(host)
            return None if own is None else _given(host, port, family, own)
        if answer.expiry <= self._clock():
            del self._answers[host, port, family]
            return None
        self._answers.move_to_end((host, port, family))
        return answer.next()

    def source(self, host: str, port: int = 0, family: int = 0) -> AddressSource:
        """Return where `resolve()` would get the addresses of *host* at this moment."""
        key = host, port, family
        if self._overrides and self._overrides.find(host, port) is not None:
            return AddressSource.NAME
        answer = self._answers.get(key)
        if answer is not None and answer.expiry > self._clock():
            return AddressSource.CACHE
        if _own_addresses(host) is not None:
            return AddressSource.NAME
        if not self._max_size:
            return AddressSource.UNCACHED
        return AddressSource.LOOKUP if key in self._lookups else AddressSource.RESOLVER

    async def resolve(
        self, host: str, port: int = 0, family: int = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of *host*: at least one.

        Raises:
            OSError: There are none, no server answered, or the answer is not a list of addresses; any other exception
                of a user's resolver is passed on.
            ClientConnectionError: The resolver is closed, or was closed meanwhile.
        """
        if self._closed:
            raise _closed_error(host)
        known = self.cached(host, port, family)
        if known is not None:
            return known
        key = host, port, family
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._begin(key)
        # One future each, separate from the task: cancelling one of them cancels no other.
        waiter: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        lookup.waiters[waiter] = None
        try:
            answer = await waiter
        finally:
            del lookup.waiters[waiter]
            if not lookup.waiters and self._lookups.get(key) is lookup:
                lookup.task.cancel()
                del self._lookups[key]
        return answer.next()

    def clear(self, host: str | None = None, port: int | None = None) -> None:
        """Drop the answers for *host* and *port*, or all if neither is given.

        Raises:
            ValueError: Only one of them is given.
        """
        if host is None and port is None:
            self._answers.clear()
        elif host is None or port is None:
            raise ValueError("either both host and port or none of them are allowed")
        else:
            for family in (socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6):
                self._answers.pop((host, port, family), None)
        if isinstance(self._resolver, Forgetful):
            self._resolver.clear()

    @property
    def cached_hosts(self) -> Mapping[tuple[str, int], list[ResolveResult]]:
        """A snapshot of the cached answers, by host and port."""
        return MappingProxyType({key[:2]: answer.all() for key, answer in self._answers.items()})

    def shut(self) -> None:
        """Fail waiting calls and cancel the lookups; ``close()`` waits for their end."""
        self._closed = True
        self._answers.clear()
        for (host, *_), lookup in self._lookups.items():
            lookup.fail(_closed_error(host))
        self._lookups.clear()
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Fail waiting calls, cancel the lookups, and close the default resolver.

        A user's resolver that ignores its cancellation is abandoned after `CLOSE_TIME`.
        """
        self.shut()
        tasks = list(self._tasks)
        try:
            if tasks:
                # The resolver is closed only when none of its lookups runs any more.
                await asyncio.wait(tasks, timeout=CLOSE_TIME)
        finally:
            if self._owns_resolver:
                await self._resolver.close()

    def _begin(self, key: Key) -> _Lookup:
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._ask(key), name=f"resolve {key[0]}")
        lookup = self._lookups[key] = _Lookup(task)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, key, lookup))
        return lookup

    async def _ask(self, key: Key) -> _Answer:
        host, port, family = key
        found = await self._resolver.resolve(host, port, socket.AddressFamily(family))
        addresses = _distinct(found or ())
        if not addresses:
            raise OSError(None, f"{host} has no address")
        ttl = _ttl_of(addresses) if self._ttl == "record" else self._ttl
        return _Answer(addresses, self._clock() + ttl)

    def _ended(self, key: Key, lookup: _Lookup, task: "asyncio.Task[_Answer]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if self._lookups.get(key) is not lookup:
            return  # closed, or nothing waits any more
        del self._lookups[key]
        if task.cancelled():
            lookup.fail(OSError(None, f"the resolver gave up the lookup of {key[0]}"))
        elif error is not None:
            lookup.fail(error)
        else:
            answer = task.result()
            self._keep(key, answer)
            for waiter in lookup.waiters:
                if not waiter.done():
                    waiter.set_result(answer)

    def _keep(self, key: Key, answer: _Answer) -> None:
        if not self._max_size:
            return
        self._answers[key] = answer
        self._answers.move_to_end(key)
        if len(self._answers) > self._max_size:
            self._answers.popitem(last=False)


def _distinct(found: Iterable[ResolveResult]) -> list[ResolveResult]:
    """Return each address and port once, `MAX_ADDRESSES` at most.

    Raises:
        OSError: One of them is not an IP address with a port; the event loop would look up a name.
    """
    known: dict[tuple[str, int], ResolveResult] = {}
    try:
        for address in found:
            host, port = address["host"], address["port"]
            _check_address(host, port)
            known.setdefault((host, port), address)
            if len(known) == MAX_ADDRESSES:
                break
    except (LookupError, TypeError, ValueError) as error:
        raise OSError(None, f"the resolver's answer cannot be used: {error}") from error
    return list(known.values())


def _check_address(host: object, port: object) -> None:
    if not (isinstance(host, str) and isinstance(port, int) and 0 <= port <= _MAX_PORT):
        raise ValueError(f"{host!r} with port {port!r} is not an address")
    ipaddress.ip_address(host)


def _ttl_of(addresses: Iterable[ResolveResult]) -> float:
    """Return for how many seconds all of *addresses* are valid, within the bounds."""
    ttls = [cast(TimedResult, address).get("ttl") for address in addresses]
    known = [float(ttl) for ttl in ttls if ttl is not None]
    # In this order no result is below the minimum, not even for NaN.
    return max(MIN_TTL, min(MAX_TTL, *known)) if known else DEFAULT_TTL


@lru_cache(maxsize=1024)
def _own_addresses(host: str) -> tuple[str, ...] | None:
    """Return the addresses that *host* itself means: an IP address, or a loopback name; None for others."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return "::1", "127.0.0.1"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return (host,)


def _given(host: str, port: int, family: int, addresses: Iterable[str]) -> list[ResolveResult]:
    """Return *addresses* of the family in the form of a resolver."""
    found = [
        ResolveResult(
            hostname=host,
            host=address,
            port=port,
            family=address_family,
            proto=socket.IPPROTO_TCP,
            flags=NUMERIC,
        )
        for address in addresses
        if family in (0, address_family := socket.AF_INET6 if ":" in address else socket.AF_INET)
    ]
    if not found:
        wanted = socket.AddressFamily(family).name
        text = f"{', '.join(addresses)} is not an address of the family {wanted}"
        raise OSError(errno.EAFNOSUPPORT, text)
    return found


def _closed_error(host: str) -> ClientConnectionError:
    return ClientConnectionError(f"{host} was not looked up: the connector is closed")
