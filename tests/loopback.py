"""Host names of one's own: each leads to 127.0.0.1; and responses, written out."""

import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from aioclient import CookieJar, TCPConnector


class Loopback(AbstractResolver):
    """Every name is 127.0.0.1; `asked` tells which were looked up."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


def names(**more: Any) -> TCPConnector:
    """Return a connector for which every name is 127.0.0.1."""
    return TCPConnector(resolver=Loopback(), **more)


def open_jar() -> CookieJar:
    """Return a jar that takes cookies of IP addresses too."""
    return CookieJar(unsafe=True)


def answer(body: bytes = b"ok", *fields: str, status: str = "200 OK") -> bytes:
    """Return a response with these header lines, its length said."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def moved(location: str, *fields: str, status: int = 302) -> bytes:
    """Return a redirect."""
    return answer(b"", f"Location: {location}", *fields, status=f"{status} Moved")


OK = answer()
