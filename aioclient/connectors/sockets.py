"""From addresses to a connected socket, by staggered attempts (Happy Eyeballs, RFC 8305), and to its transport.

A socket is always either returned or closed, even if the caller is cancelled.
"""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

from aiohappyeyeballs import AddrInfoType, addr_to_addr_infos, start_connection
from aiohttp.abc import ResolveResult

__all__ = (
    "AddrInfoType",
    "Create",
    "SocketFactory",
    "addr_infos_of",
    "make_transport",
    "open_socket",
)

SocketFactory = Callable[[AddrInfoType], socket.socket]
"""Makes the socket for an address: (family, kind, protocol, name, address), as returned by ``socket.getaddrinfo()``."""

Create = Callable[..., Awaitable[object]]
"""``create_connection`` or ``create_unix_connection`` of an event loop."""


def addr_infos_of(addresses: Iterable[ResolveResult]) -> list[AddrInfoType]:
    """Return a resolver's answer in the form that `open_socket()` takes.

    Raises:
        OSError: All of them have a zone (RFC 4007) that is not an interface of this machine.
    """
    infos: list[AddrInfoType] = []
    unknown: OSError | None = None
    for address in addresses:
        host, port = address["host"], address["port"]
        # The address decides its family; some resolvers return the requested one, which may be AF_UNSPEC.
        if ":" in host:
            host, _, zone = host.partition("%")
            try:
                ipv6 = (host, port, 0, _scope_id(zone))
            except OSError:  # it has no error number
                unknown = OSError(errno.ENODEV, f"{zone!r} is not an interface of this machine")
                continue
            infos.append((socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ipv6))
        else:
            ipv4 = (host, port)
            infos.append((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ipv4))
    if unknown is not None and not infos:
        raise unknown
    return infos


def _scope_id(zone: str) -> int:
    """Return the number of an interface; an event loop would look it up in its default executor."""
    if not zone:
        return 0
    return int(zone) if zone.isascii() and zone.isdigit() else socket.if_nametoindex(zone)


async def open_socket(
    addr_infos: Sequence[AddrInfoType],
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    happy_eyeballs_delay: float | None = 0.25,
    interleave: int | None = None,
    local_addr: tuple[str, int] | None = None,
    socket_factory: SocketFactory | None = None,
) -> socket.socket:
    """Return a socket connected to the first of *addr_infos* that answers.

    It is non-blocking, sends small writes at once (TCP_NODELAY) and probes a silent peer (SO_KEEPALIVE).

    Args:
        addr_infos: The result of `addr_infos_of()` or `loop.getaddrinfo()`; at least one.
        loop: The running event loop; None looks it up.
        happy_eyeballs_delay: Seconds after which the next address is tried in parallel; RFC 8305, section 5 recommends
            0.25. None tries the next one only after the previous one has failed.
        interleave: How many addresses of the first family come before one of the other. None is 1 with a delay; without
            a delay the given order is kept.
        local_addr: The IP address and port to connect from; port 0 is any.
        socket_factory: Makes each socket; None for an ordinary one.

    Raises:
        OSError: No address answered. The text describes each attempt if they failed differently.
        ValueError: *addr_infos* is empty.
    """
    task = asyncio.current_task(loop)
    cancels = 0 if task is None else task.cancelling()
    try:
        sock = await start_connection(
            addr_infos,
            local_addr_infos=addr_to_addr_infos(local_addr),
            happy_eyeballs_delay=happy_eyeballs_delay,
            interleave=interleave,
            loop=loop,
            socket_factory=socket_factory,
        )
    except (OSError, RuntimeError) as error:
        if task is not None and task.cancelling() > cancels:
            raise asyncio.CancelledError from None
        if isinstance(error, RuntimeError):
            # uvloop raises it for some invalid addresses.
            raise OSError(None, str(error)) from error
        raise
    try:
        if task is not None and task.cancelling() > cancels:
            # A cancellation is lost if it comes while start_connection() ends its other attempts: it is mistaken for
            # theirs.
            raise asyncio.CancelledError
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    except BaseException:
        sock.close()
        raise
    return sock


async def make_transport(
    create: Create, sock: socket.socket, protocol: asyncio.BaseProtocol
) -> None:
    """Make a transport from a connected socket, without TLS; the socket is closed if that fails.

    TLS is added by ``start_tls()``: if an event loop gets both at once and ``ssl`` refuses its arguments, asyncio
    leaves the socket open, and uvloop later closes its number, which may then belong to another file.

    Raises:
        OSError, ValueError, TypeError: The event loop does not accept it.
    """
    try:
        await create(lambda: protocol, sock=sock)
    except Exception:  # no transport exists that would close it; after a cancellation one exists
        sock.close()
        raise
