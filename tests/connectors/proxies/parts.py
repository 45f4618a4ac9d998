"""Proxies made of bytes: each also plays the server behind it, so that both sides of a tunnel are seen."""

import ssl as ssl_module
from collections.abc import Awaitable, Callable
from typing import Any

from aioclient import ClientSession
from aioclient.testing import RawConnection

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Script = Callable[[RawConnection], Awaitable[None]]


def refusal(status: str, *fields: str) -> bytes:
    """Return a response of a proxy that opens no tunnel."""
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "Content-Length: 2", "", "no"]).encode()


WANTS_BASIC = refusal(
    "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="p"', "Set-Cookie: a=b"
)


async def numbered(conn: RawConnection) -> None:
    """Answer each request with the number of the connection and of the request on it."""
    count = 0
    while True:
        await conn.read_request()
        body = b"%d.%d" % (conn.index, count)
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        count += 1


def tunnel(context: ssl_module.SSLContext | None, behind: Script = numbered) -> Script:
    """Return a proxy that opens each tunnel, and what is *behind* it: with TLS by *context*, or without."""

    async def script(conn: RawConnection) -> None:
        request = await conn.read_request()
        assert request.method == "CONNECT", request
        conn.send(ESTABLISHED)
        if context is not None:
            await conn.start_tls(context)
        await behind(conn)

    return script


async def fetch(session: ClientSession, url: str, **more: Any) -> bytes:
    """Return the body of a GET."""
    method = more.pop("method", "GET")
    async with session.request(method, url, **more) as response:
        return await response.read()
