"""The servers that the mistakes meet, and what comes of each."""

import asyncio
import contextlib
import io
import json
import socket
import ssl
import textwrap
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

import aioclient
from aioclient.testing import RawConnection, RawServer

from ..loopback import answer, moved
from ..servers.certificates import Certificates, Forge

LIKELY = Path(__file__).with_name("likely.txt")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is done wrong, in one line and as code, and the chapter that it stands in."""

    chapter: str
    title: str
    code: str


def likely() -> list[Mistake]:
    """Return the mistakes of ``likely.txt``."""
    found = []
    for part in LIKELY.read_text().split("\n# "):
        chapter, *mistakes = part.removeprefix("# ").split("\n## ")
        for mistake in mistakes:
            title, _, code = mistake.partition("\n")
            found.append(Mistake(chapter.strip(), title.strip(), code.strip()))
    return found


PAGES = {
    "/": answer(b"ok", "Content-Type: text/plain"),
    "/json": answer(b'{"name": "x"}', "Content-Type: application/json"),
    "/html": answer(
        b"<!doctype html>\n<title>Sign in</title>", "Content-Type: text/html; charset=utf-8"
    ),
    "/broken": answer(b'{"name": x}', "Content-Type: application/json"),
    "/missing": answer(
        b'{"error": "no such item", "token": "geheim"}',
        "Content-Type: application/json",
        status="404 Not Found",
    ),
    "/large": answer(b"x" * 500_000, "Content-Type: text/plain"),
    "/brotli": answer(b"\x0b\x01\x80ok\x03", "Content-Encoding: br"),
    "/gzip": answer(b"ok", "Content-Encoding: gzip"),
    "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
    "/ascii": answer("é".encode(), "Content-Type: text/plain; charset=ascii"),
    "/loop": moved("/loop"),
}


async def site(connection: RawConnection) -> None:
    """Answer each path with its page; 404 for others, and for tunnels."""
    while True:
        request = await connection.read_request()
        page = PAGES.get(request.target)
        if request.method == "CONNECT":
            connection.send(answer(b"", status="403 Forbidden"))
            return
        connection.send(answer(b"", status="404 Not Found") if page is None else page)
        if request.target == "/short":
            return


async def plain(connection: RawConnection) -> None:
    """Answer whatever comes as a server does that expects HTTP."""
    await connection.read_exactly(1)
    connection.send(answer(b"", "Connection: close", status="400 Bad Request"))


async def leaving(connection: RawConnection) -> None:
    """Close the connection once the request is here."""
    await connection.read_request()


async def silent(connection: RawConnection) -> None:
    """Say nothing."""
    await connection.closed()


async def other(connection: RawConnection) -> None:
    """Greet as a mail server does."""
    connection.send(b"220 mail.example ESMTP\r\n")
    await connection.closed()


class Names(AbstractResolver):
    """Knows ``localhost`` alone."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != "localhost":
            raise OSError(None, "Domain name not found")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address, kind in (("::1", socket.AF_INET6), ("127.0.0.1", socket.AF_INET))
        ]

    async def close(self) -> None:
        """Nothing is held."""


class Stage:
    """Runs mistakes; the ports in their code are those of the real servers, and the other way round in messages."""

    def __init__(self, ports: dict[str, str], trusting: ssl.SSLContext) -> None:
        self._ports = ports
        self._trusting = trusting

    async def outcome(self, code: str) -> str:
        """Return what *code* says: the error, else the warning."""
        for name, real in self._ports.items():
            code = code.replace(f":{name}/", f":{real}/").replace(f':{name}"', f':{real}"')
        names: dict[str, Any] = {
            "aioclient": aioclient,
            "io": io,
            "json": json,
            "trusting": self._trusting,
        }
        exec(f"async def mistake(session):\n{textwrap.indent(code, '    ')}\n", names)
        said = ""
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda *_: None)  # some mistakes leave a session unclosed, too
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            connector = aioclient.TCPConnector(resolver=Names())
            async with aioclient.ClientSession(connector=connector) as session:
                try:
                    await names["mistake"](session)
                except Exception as error:  # noqa: BLE001  (whichever it is)
                    notes = getattr(error, "__notes__", ())
                    said = "\n".join((f"{type(error).__name__}: {error}", *notes))
        loop.set_exception_handler(before)
        if not said:
            said = "\n".join(
                f"{found.category.__name__}: {found.message}"
                for found in warned
                if issubclass(found.category, UserWarning)
            )
        for name, real in self._ports.items():
            said = said.replace(f":{real}", f":{name}").replace(real, name)
        return said


@contextlib.asynccontextmanager
async def staged(certificates: Certificates) -> AsyncIterator[Stage]:
    """Start the servers."""
    forge = Forge(certificates)
    tls = {
        "8443": certificates.server_context(),
        "8444": forge.context("a.test", addresses=["127.0.0.1"], days=(-3, -1)),
        "8445": forge.context("b.test"),
    }
    scripts = {"8080": site, "8081": plain, "8446": leaving, "8447": silent, "8448": other}
    async with contextlib.AsyncExitStack() as stack:
        ports = {}
        for name, script in scripts.items():
            ports[name] = await stack.enter_async_context(RawServer(script))
        for name, context in tls.items():
            ports[name] = await stack.enter_async_context(RawServer(site, ssl=context))
        yield Stage(
            {name: str(server.port) for name, server in ports.items()},
            certificates.client_context(),
        )
