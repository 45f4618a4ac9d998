"""Names to addresses: what is known without asking, and the cache in front of any resolver.

`aiohttp.abc.AbstractResolver` is the seam: what implements it can be plugged in.

The rules of `CachingResolver`:

1. What `resolve=` gives is not looked up. An IP address needs no lookup; nor does `localhost`, or a
   name under it, which is always the loopback interface (RFC 6761, section 6.3).
2. One lookup for all who ask for the same at the same time. Who gives up leaves the others alone;
   when the last one gives up the lookup is cancelled.
3. Of an answer each address counts once, and `MAX_ADDRESSES` of them. Answers are kept for as long
   as their records say, between 1 s and 10 min, or for `ttl` seconds; failures are not kept. At most
   `max_size` answers are kept; the least recently used one goes first.
4. Who asks again gets the addresses of each family in turn, so that connections spread over them;
   which family stands where stays as the resolver ordered it (RFC 6724).
5. After `close()`, and for those who wait when it is called, asking raises.
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

# Seconds. The bounds of what records say: below, a name would be looked up for nearly each connection, above, a change
# would not be noticed for long. And what is kept when they say nothing, as aiohttp does.
MIN_TTL: Final = 1.0
MAX_TTL: Final = 600.0
DEFAULT_TTL: Final = 10.0

# Of a name; they are dialled until one answers. Names of many machines have 8 to 16; an answer of DNS has room for
# thousands, which would make a request a scan, and its error a book.
MAX_ADDRESSES: Final = 64

CLOSE_TIME: Final = 2.0  # seconds

# What addresses are told to be: neither host nor port needs to be looked up.
NUMERIC: Final = int(socket.AI_NUMERICHOST | socket.AI_NUMERICSERV)

_MAX_PORT: Final = 65535

TTL = float | Literal["record"] | None


class TimedResult(ResolveResult, total=False):
    """What a resolver found, and for how many seconds it holds; any resolver may say so."""

    ttl: float


@runtime_checkable
class Forgetful(Protocol):
    """A resolver that remembers answers itself, and can forget them."""

    def clear(self) -> None:
        """Forget them."""


class _Answer:
    """The addresses of a host, and when they are too old."""

    __slots__ = ("_addresses", "_turn", "expiry")

    def __init__(self, addresses: list[ResolveResult], expiry: float) -> None:
        self._addresses = addresses
        self._turn = 0
        self.expiry = expiry

    def next(self) -> list[ResolveResult]:
        """Return the addresses; each time those of a family begin with the next one."""
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
    """One lookup that runs, and who waits for its end, in the order of coming."""

    __slots__ = ("task", "waiters")

    def __init__(self, task: "asyncio.Task[_Answer]") -> None:
        self.task = task
        self.waiters: dict[asyncio.Future[_Answer], None] = {}

    def fail(self, error: BaseException) -> None:
        """Raise *error* in all who wait."""
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
        """Whether there is an answer to wait for."""
        return self not in (AddressSource.NAME, AddressSource.CACHE)


class CachingResolver(AbstractResolver):
    """Answers from the cache where it can, and asks the resolver behind it where not.

    Args:
        resolver: Whom to ask.
        owns_resolver: Whether `close()` closes it.
        ttl: Seconds an answer is kept; None for ever. "record": as its records say, at least
            `MIN_TTL` and at most `MAX_TTL`, and `DEFAULT_TTL` if they say nothing.
        overrides: What is given and not looked up.
        max_size: Most answers kept; 0 turns the cache off. Rule 2 stays.
        clock: The time in seconds.

    Raises:
        ValueError: `ttl` or `max_size` is negative or no number.
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
        self._tasks: set[asyncio.Task[_Answer]] = set()  # those given up and not yet over, too
        self._closed = False

    def cached(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult] | None:
        """Return what is known of *host* without a lookup; None when it takes one.

        Raises:
            OSError: *host* is an IP address of another family, or given none of this one.
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
        """Return where `resolve()` would take the addresses of *host* from at this moment."""
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
            OSError: There are none, nobody answered, or the answer is not a list of addresses;
                whatever else a resolver of the user's raises is passed on.
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
        # One for each, apart from the task: to cancel any of them cancels no other one.
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
        """Forget the answers for *host* and *port*, or all when neither is given.

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
        """A snapshot of the answers kept, by host and port."""
        return MappingProxyType({key[:2]: answer.all() for key, answer in self._answers.items()})

    def shut(self) -> None:
        """Fail those who wait and cancel the lookups; ``close()`` waits for their end."""
        self._closed = True
        self._answers.clear()
        for (host, *_), lookup in self._lookups.items():
            lookup.fail(_closed_error(host))
        self._lookups.clear()
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Fail those who wait, cancel the lookups, and close the default resolver.

        A resolver of the user's that does not let itself be cancelled is left alone after `CLOSE_TIME`.
        """
        self.shut()
        tasks = list(self._tasks)
        try:
            if tasks:
                # The resolver is closed when nothing of it runs any more, not under its feet.
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
            return  # closed, or nobody waits any more
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
        OSError: One of them is not an IP address with a port; a name would be looked up by the event loop.
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
    """Return for how many seconds all of *addresses* hold, within the bounds."""
    ttls = [cast(TimedResult, address).get("ttl") for address in addresses]
    known = [float(ttl) for ttl in ttls if ttl is not None]
    # In this order no number is below the least, not even NaN.
    return max(MIN_TTL, min(MAX_TTL, *known)) if known else DEFAULT_TTL


@lru_cache(maxsize=1024)
def _own_addresses(host: str) -> tuple[str, ...] | None:
    """Return the addresses that *host* says itself: an IP address, or a name of the loopback; None for others."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return "::1", "127.0.0.1"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return (host,)


def _given(host: str, port: int, family: int, addresses: Iterable[str]) -> list[ResolveResult]:
    """Return *addresses* of the family as a resolver would."""
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
        text = f"{', '.join(addresses)} is no address of the family {wanted}"
        raise OSError(errno.EAFNOSUPPORT, text)
    return found


def _closed_error(host: str) -> ClientConnectionError:
    return ClientConnectionError(f"{host} was not looked up: the connector is closed")
