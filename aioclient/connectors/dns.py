"""The default resolver: DNS by aiodns, and the system where DNS cannot answer.

c-ares, the library below aiodns, caches answers itself: for their time to live or an hour, failures too, and this
cannot be turned off. With two caches the limits of neither would apply. So a *channel*, which contains the cache, is
used for one second and then replaced; that costs 0.1 ms. It is closed when its last lookup has ended: each channel has
a thread, an inotify instance and four more descriptors. While `MAX_CHANNELS` channels wait for name servers that do not
answer, the newest one is not replaced.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any, Final, cast

import aiodns
import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from ..threads import LOOKUPS
from .resolver import NUMERIC, TimedResult

__all__ = ("DefaultResolver", "ThreadedResolver")

CHANNEL_TIME: Final = 1.0  # seconds; it is also the shortest time for which an answer is cached
MAX_CHANNELS: Final = 4  # 24 descriptors; an unanswered lookup takes up to a quarter of a minute

# Only addresses of families that this machine has; macOS accepts some flags only if AI_MASK has them.
_CONFIGURED_FAMILIES: Final = socket.AI_ADDRCONFIG & getattr(socket, "AI_MASK", -1)

_LONGEST_TTL: Final = 2**31 - 1  # seconds (RFC 2181, section 8)

# Errors of c-ares after which asking the system would bring nothing new, or not soon. All others, such as no reachable
# name server, are about c-ares itself.
_NO_SUCH_NAME = (aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA)
_GAVE_UP = (
    aiodns.error.ARES_ETIMEOUT,
    aiodns.error.ARES_ESERVFAIL,
    aiodns.error.ARES_EREFUSED,
    aiodns.error.ARES_ECANCELLED,
    aiodns.error.ARES_EDESTRUCTION,
)


class ThreadedResolver(aiohttp.ThreadedResolver):
    """Ask the system for addresses, as every program does, in the library's own threads.

    aiohttp's class of this name uses the event loop's default executor, whose threads may all wait for requests.

    Args:
        loop: Not needed: the running event loop is used.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of *host*.

        Raises:
            OSError: There are none, or *host* is not a name that can be looked up.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(LOOKUPS, _ask_system, host, port, family)


class _Channel:
    """An aiodns resolver, its expiry, and the number of its running lookups."""

    __slots__ = ("dns", "end", "running")

    def __init__(self, dns: aiodns.DNSResolver, end: float) -> None:
        self.dns = dns
        self.end = end
        self.running = 0


class DefaultResolver(AbstractResolver):
    """Ask DNS by aiodns, without a thread for each name, and the system where aiodns cannot answer.

    The system is asked in a thread if aiodns cannot be set up or finds no name server, and for names that it may know
    from other sources than DNS: names without a dot, and names that end in `.local` (mDNS, RFC 6762). It is not asked
    again if DNS has answered, or has failed to answer in time: lookups of missing names would pile up in the threads.

    Each result has a `ttl`, the seconds for which it is valid in DNS.

    Args:
        nameservers: IP addresses of the servers to ask, with or without a port: "10.0.0.53", "127.0.0.1:5353". None
            asks the system's configured servers. With this argument the system is never asked.
        timeout: Seconds for the first attempt at each server; None leaves it to c-ares, which begins with 2 s or an
            estimate from earlier answers.
        tries: Attempts at each server; None is 3.

    Raises:
        ValueError: *nameservers* is empty.
    """

    def __init__(
        self,
        nameservers: Sequence[str] | None = None,
        *,
        timeout: float | None = None,
        tries: int | None = None,
    ) -> None:
        if nameservers is not None and (isinstance(nameservers, str) or not nameservers):
            raise ValueError(f"nameservers={nameservers!r}: give a list of IP addresses, or None")
        self._nameservers = nameservers
        self._timeout = timeout
        self._tries = tries
        self._threaded: ThreadedResolver | None = None
        self._channel: _Channel | None = None
        self._channels: set[_Channel] = set()
        self._unavailable = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of *host*.

        Raises:
            OSError: There are none, or no server answered.
        """
        channel = await self._current_channel()
        if channel is not None:
            try:
                return await self._ask(channel, host, port, family)
            except OSError as error:
                if self._nameservers is not None or not _system_may_know(host, error):
                    raise
        if self._threaded is None:
            self._threaded = ThreadedResolver()
        return await self._threaded.resolve(host, port, family)

    def clear(self) -> None:
        """Drop the cache of c-ares: the next lookup asks."""
        self._channel = None

    async def close(self) -> None:
        """Cancel running lookups, and free the resources of aiodns."""
        self._channel = None
        while self._channels:
            await self._channels.pop().dns.close()

    async def _current_channel(self) -> _Channel | None:
        """Return the channel for new lookups; None if aiodns does not work."""
        if self._unavailable:
            return None
        loop = asyncio.get_running_loop()
        now = loop.time()
        channel = self._channel
        if channel is None or (channel.end <= now and len(self._channels) < MAX_CHANNELS):
            self._channel = channel = self._new_channel(loop)
            await self._close_unused()
        return channel

    def _new_channel(self, loop: asyncio.AbstractEventLoop) -> _Channel | None:
        options = {} if self._tries is None else {"tries": self._tries}
        try:
            dns = aiodns.DNSResolver(self._nameservers, loop=loop, timeout=self._timeout, **options)
        except Exception as error:
            if self._nameservers is not None:
                raise OSError(
                    None, f"the name servers {self._nameservers!r} cannot be asked: {error}"
                ) from error
            # aiodns does not work on some event loops, such as Windows' proactor loop, or at the end of the
            # interpreter.
            self._unavailable = True
            return None
        channel = _Channel(dns, loop.time() + CHANNEL_TIME)
        self._channels.add(channel)
        return channel

    async def _close_unused(self) -> None:
        """Close the replaced channels whose lookups have ended; it does not suspend."""
        unused = [each for each in self._channels if each is not self._channel and not each.running]
        self._channels.difference_update(unused)
        for channel in unused:
            # Dropping the last reference would do the same, but the tracebacks of failed lookups contain references.
            await channel.dns.close()

    async def _ask(
        self, channel: _Channel, host: str, port: int, family: int
    ) -> list[ResolveResult]:
        channel.running += 1
        try:
            answer = await channel.dns.getaddrinfo(
                host, port=port, type=socket.SOCK_STREAM, family=socket.AddressFamily(family)
            )
        except aiodns.error.DNSError as error:
            text = error.args[1] if len(error.args) > 1 else "no answer"
            raise OSError(None, text) from error
        except (ValueError, RuntimeError) as error:  # pycares refuses the name
            raise _unknown_name(error) from error
        finally:
            channel.running -= 1
            if not channel.running and channel is not self._channel:
                await self._close_unused()
        # A name is valid no longer than any alias that led to it.
        led = min((cname.ttl for cname in answer.cnames), default=_LONGEST_TTL)
        return [
            TimedResult(
                hostname=host,
                host=_with_scope(node.addr[0].decode("ascii"), *node.addr[1:]),
                port=port,
                family=node.family,
                proto=0,
                flags=NUMERIC,
                ttl=min(node.ttl, led),
            )
            for node in answer.nodes
        ]


def _ask_system(host: str, port: int, family: int) -> list[ResolveResult]:
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, _CONFIGURED_FAMILIES)
    except ValueError as error:
        raise _unknown_name(error) from error
    return [
        ResolveResult(
            hostname=host,
            host=_with_scope(*address),
            port=address[1],
            family=its,
            proto=proto,
            flags=NUMERIC,
        )
        for its, _, proto, _, address in cast(
            "list[Any]", found
        )  # its type allows Pythons without IPv6
    ]


def _unknown_name(error: Exception) -> OSError:
    """Return the error for an invalid name: an empty label, one of more than 63 characters, or worse."""
    return OSError(None, f"no name that can be looked up: {error}")


def _with_scope(host: str, port: int, flow: int = 0, scope: int = 0) -> str:
    """Return the address; a link-local one is useless without its scope."""
    return f"{host}%{scope}" if scope else host


def _system_may_know(host: str, error: OSError) -> bool:
    """Tell whether the system may find *host*, for which c-ares failed with *error*."""
    cause = error.__cause__
    code = cause.args[0] if isinstance(cause, aiodns.error.DNSError) and cause.args else None
    if code is None or code in _NO_SUCH_NAME:
        name = host.rstrip(".").lower()
        return "." not in name or name.endswith(".local")
    return code not in _GAVE_UP
