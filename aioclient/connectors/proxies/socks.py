"""Asking a SOCKS proxy for a connection: SOCKS4, SOCKS4a and SOCKS5 (RFC 1928, RFC 1929).

python-socks speaks the protocol on a socket that we have connected, so addresses, deadlines and cancellation work as
everywhere. It reads exactly the answer; the bytes after that are the server's.
"""

import asyncio
import errno
import socket
from typing import Any, Final, Self

from ...exceptions import MissingExtraError
from ...message.proxy import Proxy

# python-socks requires a limit; ours are those of the call, which may have none.
_NO_LIMIT: Final = 365 * 86400.0


# Answers of a proxy that cannot reach this address; another address of the host may work.
_UNREACHABLE5: Final = frozenset((1, 3, 4, 5, 6, 8))  # RFC 1928, section 6
_UNREACHABLE4: Final = frozenset((91,))  # the only answer for failures


class UnreachableError(OSError):
    """A SOCKS proxy cannot reach an address."""


class _Connected:
    """What python-socks uses to connect to its proxy: here the connection exists already."""

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def connect(self, *_: Any, **__: Any) -> socket.socket:
        """Return the connected socket."""
        return self._sock


class _Octets(str):
    """A str that is encoded as UTF-8: python-socks counts characters and encodes them as ASCII, and does nothing
    else.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        return super().__new__(cls, text.encode().decode("latin-1"))

    def encode(self, encoding: str = "latin-1", errors: str = "strict") -> bytes:
        """Return the bytes, whatever the encoding."""
        return super().encode("latin-1")


def require_socks() -> tuple[Any, Any]:
    """Return the package that speaks SOCKS, and its proxy class for asyncio.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import python_socks
        from python_socks.async_.asyncio import Proxy as AsyncioProxy
    except ImportError as error:
        raise MissingExtraError(
            "SOCKS proxies need python-socks: pip install 'aioclient[socks]'"
        ) from error
    return python_socks, AsyncioProxy


async def ask_for_connection(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, proxy: Proxy, host: str, port: int
) -> None:
    """Let *proxy*, at the other end of *sock*, connect to *host* (a name or an address) and *port*.

    Raises:
        UnreachableError: it cannot reach *host*, and might reach another address.
        OSError: it refused, broke the protocol or the connection, or cannot carry the host.
        MissingExtraError: python-socks is not installed.
    """
    package, make = require_socks()
    _check_name(host)
    login = proxy.auth
    version = package.ProxyType.SOCKS4 if proxy.is_socks4 else package.ProxyType.SOCKS5
    way = make(
        version,
        proxy.host,
        proxy.port,
        None if login is None else _Octets(login.login),
        None if login is None else _Octets(login.password),
        rdns=True,  # a name is sent as it is: whether to resolve it was decided before
        forward=_Connected(sock),
        loop=loop,
    )
    try:
        await way.connect(host, port, timeout=_NO_LIMIT)
    except package.ProxyError as error:
        unreachable = _UNREACHABLE4 if proxy.is_socks4 else _UNREACHABLE5
        kind = UnreachableError if error.error_code in unreachable else OSError
        raise kind(errno.ECONNREFUSED, f"the SOCKS proxy answered: {error}") from error
    except ValueError as error:  # the address in the answer is invalid
        raise OSError(errno.EPROTO, f"the SOCKS proxy's answer is broken: {error}") from error


def _check_name(host: str) -> None:
    """Raise OSError if *host* is too long for a SOCKS message: its length has one byte, like that of a DNS label."""
    if len(host) > 255 or (":" not in host and any(len(label) > 63 for label in host.split("."))):
        raise OSError(
            errno.ENAMETOOLONG,
            "the name is too long for SOCKS: 255 characters, 63 between two dots",
        )
