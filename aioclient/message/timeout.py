"""Timeouts: the limits of each phase of a call, in seconds."""

from dataclasses import dataclass, field
from functools import lru_cache

from aiohttp import ClientTimeout as AiohttpClientTimeout


@dataclass(frozen=True, slots=True, eq=False)
class ClientTimeout:
    """The limits of one call, in seconds; None, 0 and infinity mean no limit (then it is None).

    Attributes:
        total: the whole call: waits, redirects, retries, and the body to its last byte.
        connect: from the start of the wait for a slot of the pool until a connection is ready, TLS included.
        sock_read: silence: the longest wait for the next bytes of the response, or for a proxy to open a tunnel.
        sock_connect: one new connection, without the wait for a slot; over HTTP/2 it limits the server's first SETTINGS
            as well, and its acknowledgement of ours.
        ceil_threshold: accepted because aiohttp has it; nothing is rounded here.
        pool: the wait for a slot of the pool alone.

    It equals an ``aiohttp.ClientTimeout`` with the same limits.

    Raises:
        TypeError: a limit is not a number.
        ValueError: a limit is negative or NaN.
    """

    total: float | None = None
    connect: float | None = None
    sock_read: float | None = None
    sock_connect: float | None = None
    ceil_threshold: float = 5.0
    pool: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in _LIMITS:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, seconds(f"timeout.{name}", value))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AiohttpClientTimeout):
            return self.pool is None and _shared(self) == _shared(other)
        if not isinstance(other, ClientTimeout):
            return NotImplemented
        return _shared(self) == _shared(other) and self.pool == other.pool

    def __hash__(self) -> int:
        # The hash of aiohttp's class, which may be equal.
        total, connect, sock_read, sock_connect, threshold = _shared(self)
        return hash(AiohttpClientTimeout(total, connect, sock_read, sock_connect, threshold))


Shared = tuple[float | None, float | None, float | None, float | None, float]


def _shared(limits: ClientTimeout | AiohttpClientTimeout) -> Shared:
    """Return the limits that aiohttp's class has too, in its order."""
    return (
        limits.total,
        limits.connect,
        limits.sock_read,
        limits.sock_connect,
        limits.ceil_threshold,
    )


# 31 years; event loops cannot count much further.
_FOREVER = 1e9

_LIMITS = ("total", "connect", "sock_read", "sock_connect", "pool")


def seconds(name: str, value: object) -> float | None:
    """Return *value*, the number of seconds of the limit *name*; None if it means no limit.

    Raises:
        TypeError: it is not a number.
        ValueError: it is negative or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(
            f"{name} is {type(value).__name__} {value!r}; give seconds, or None for no limit"
        )
    if not value >= 0:  # also refuses NaN
        raise ValueError(f"{name}={value!r}; give seconds, or None for no limit")
    return None if value == 0 or value > _FOREVER else value


NO_TIMEOUT = ClientTimeout()
DEFAULT_TIMEOUT = ClientTimeout(total=300, sock_connect=30)  # as aiohttp's

_ACCEPTED = (
    "a timeout is a number of seconds, None or 0 for no limit, a (connect, read) tuple, "
    "or a ClientTimeout of aioclient or aiohttp"
)


def coerce_timeout(value: object) -> ClientTimeout:
    """Return *value*, in any accepted spelling, as a ``ClientTimeout``.

    A number limits the whole call, ``(connect, read)`` sets ``connect`` and ``sock_read``, None and 0 remove every
    limit.

    Raises:
        TypeError: it is none of these.
        ValueError: a number is negative or NaN, or a tuple does not have two entries.
    """
    if isinstance(value, ClientTimeout):
        return value
    if value is None:
        return NO_TIMEOUT
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _of_total(value)
    if isinstance(value, AiohttpClientTimeout):
        return _of_aiohttp(value)
    if isinstance(value, tuple):
        if len(value) != 2:
            raise ValueError(f"timeout={value!r} has {len(value)} entries; {_ACCEPTED}")
        return ClientTimeout(connect=value[0], sock_read=value[1])
    raise TypeError(f"timeout is {type(value).__name__} {value!r}; {_ACCEPTED}")


# Calls repeat their timeouts, and one value can serve any number of calls.
@lru_cache(maxsize=64)
def _of_total(total: float) -> ClientTimeout:
    return ClientTimeout(total=seconds("timeout", total))


@lru_cache(maxsize=64)
def _of_aiohttp(timeout: AiohttpClientTimeout) -> ClientTimeout:
    return ClientTimeout(
        total=timeout.total,
        connect=timeout.connect,
        sock_read=timeout.sock_read,
        sock_connect=timeout.sock_connect,
        ceil_threshold=timeout.ceil_threshold,
    )
