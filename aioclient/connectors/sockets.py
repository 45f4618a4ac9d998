"""From addresses to a connected socket, by attempts staggered as RFC 8305 (Happy Eyeballs) says, and to its transport.

A socket is either returned or closed, whatever happens and whenever the caller is cancelled.
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
"""Makes the socket for an address: (family, kind, protocol, name, address), as ``socket.getaddrinfo()`` has it."""

Create = Callable[..., Awaitable[object]]
"""``create_connection`` or ``create_unix_connection`` of an event loop."""


def addr_infos_of(addresses: Iterable[ResolveResult]) -> list[AddrInfoType]:
    """Return what a resolver found in the form that `open_socket()` takes.

    Raises:
        OSError: All of them are of a zone (RFC 4007) that is not an interface of this machine.
    """
    infos: list[AddrInfoType] = []
    unknown: OSError | None = None
    for address in addresses:
        host, port = address["host"], address["port"]
        # The address says its family; some resolvers tell the one that was asked for, which may be
        # AF_UNSPEC.
        if ":" in host:
            host, _, zone = host.partition("%")
            try:
                ipv6 = (host, port, 0, _scope_id(zone))
            except OSError:  # which has no number of its own
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
    """Return the number of an interface; an event loop would ask for it in its default executor."""
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

    It is non-blocking, sends small writes at once (TCP_NODELAY) and probes a silent peer
    (SO_KEEPALIVE).

    Args:
        addr_infos: What `addr_infos_of()` or `loop.getaddrinfo()` returned; at least one.
        loop: The running event loop; None asks for it.
        happy_eyeballs_delay: Seconds after which the next address is tried besides; RFC 8305,
            section 5 recommends 0.25. None tries one only when the one before has failed.
        interleave: How many addresses of the first family come before one of the other. None is 1
            with a delay, and the order given without.
        local_addr: The IP address and port to connect from; port 0 is any.
        socket_factory: Makes each socket; None for an ordinary one.

    Raises:
        OSError: No address answered. The text tells of each attempt if they failed differently.
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
            # What uvloop raises for some addresses it cannot use.
            raise OSError(None, str(error)) from error
        raise
    try:
        if task is not None and task.cancelling() > cancels:
            # A cancellation that comes while start_connection() ends its other attempts is lost
            # there: it takes it for theirs.
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
    """Make a transport of a connected socket, without TLS; the socket is closed if that fails.

    TLS comes by ``start_tls()``: when an event loop is given both at once and ``ssl`` refuses its arguments, asyncio
    leaves the socket open, and uvloop closes its number, which may be another one's when the object is collected.

    Raises:
        OSError, ValueError, TypeError: The event loop does not take it.
    """
    try:
        await create(lambda: protocol, sock=sock)
    except Exception:  # there is no transport that would close it; cancelled, there is one
        sock.close()
        raise
