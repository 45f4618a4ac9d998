"""What each phase of an exchange took, on a clock that stands still unless somebody sleeps."""

import asyncio
import contextlib
import dataclasses
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp.abc import ResolveResult

from aioclient import ClientResponse, ClientSession, TCPConnector, Timings, UnixConnector
from aioclient.testing import RawConnection, VirtualClockLoop

from ..loopback import Loopback, answer, moved
from ..servers.certificates import Certificates
from ..servers.either import RawServer

pytestmark = [pytest.mark.both_protocols, pytest.mark.virtual_clock]

OK = answer()
QUICK = Timings(send=0.0, first_byte=1.0, body=0.0, total=1.0)


class Slow(Loopback):
    """Takes half a second for each answer, which is these addresses."""

    def __init__(self, *addresses: str) -> None:
        super().__init__()
        self.addresses = addresses or ("127.0.0.1",)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await asyncio.sleep(0.5)
        [found] = await super().resolve(host, port, family)
        return [{**found, "host": address} for address in self.addresses]


async def after_a_second(conn: RawConnection) -> None:
    """Answer each request a second later."""
    while True:
        await conn.read_request()
        await asyncio.sleep(1)
        conn.send(OK)


async def timings_of(session: ClientSession, url: str, **more: Any) -> Timings:
    async with session.request(more.pop("method", "GET"), url, **more) as response:
        await response.read()
        return response.timings


async def pieces(*waits: float) -> AsyncIterator[bytes]:
    for wait in waits:
        await asyncio.sleep(wait)
        yield b"piece"


@contextlib.contextmanager
def silent(host: str, port: int) -> Iterator[None]:
    """Make connecting there neither succeed nor fail."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((host, port))
        yield


class TestConnection:
    """The way to a connection, phase by phase; a phase that did not happen is None."""

    @pytest.mark.http1_only("the server closes a connection as asked for by Connection")
    async def test_new_then_reused(self) -> None:
        """A new connection takes its lookup and its connecting; a reused one neither, a known address no lookup."""
        async with (
            RawServer(after_a_second) as server,
            ClientSession(connector=TCPConnector(resolver=Slow(), ttl_dns_cache=None)) as session,
        ):
            url = server.url("/", host="a.example")
            assert await timings_of(session, url) == Timings(
                dns=0.5, connect=0.0, send=0.0, first_byte=1.0, body=0.0, total=1.5
            )
            assert await timings_of(session, url) == QUICK
            closing = await timings_of(session, url, headers={"Connection": "close"})
            assert closing == QUICK
            assert await timings_of(session, url) == dataclasses.replace(QUICK, connect=0.0)
            assert await timings_of(session, server.url()) == dataclasses.replace(
                QUICK, connect=0.0
            )

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_a_lookup_that_another_request_began(self) -> None:
        """Who joins a lookup waits for the rest of it alone."""
        async with (
            RawServer(after_a_second) as server,
            ClientSession(connector=TCPConnector(resolver=Slow())) as session,
        ):
            url = server.url("/", host="a.example")
            first = asyncio.create_task(timings_of(session, url))
            await asyncio.sleep(0.125)
            assert (await timings_of(session, url)).dns == 0.375
            assert (await first).dns == 0.5

    async def test_attempts(self) -> None:
        """Connecting lasts from the first attempt to the one that succeeds."""
        async with (
            RawServer(after_a_second) as server,
            ClientSession(
                connector=TCPConnector(resolver=Slow("127.0.0.2", "127.0.0.1"))
            ) as session,
        ):
            url = server.url("/", host="a.example")
            with silent("127.0.0.2", int(url.rpartition(":")[2].rstrip("/"))):
                assert await timings_of(session, url) == Timings(
                    dns=0.5, connect=0.25, send=0.0, first_byte=1.0, body=0.0, total=1.75
                )

    async def test_tls(self, certificates: Certificates) -> None:
        """The handshake is a phase of its own."""
        loop = cast(VirtualClockLoop, asyncio.get_running_loop())
        context = certificates.server_context()

        def slow(tls: ssl.SSLObject, name: str, context: ssl.SSLContext) -> None:
            loop.advance(0.25)

        context.sni_callback = slow
        async with (
            RawServer(after_a_second, ssl=context) as server,
            ClientSession(
                connector=TCPConnector(resolver=Loopback(), ssl=certificates.client_context())
            ) as session,
        ):
            assert await timings_of(session, server.url("/", host="a.test")) == Timings(
                dns=0.0, connect=0.0, tls=0.25, send=0.0, first_byte=1.0, body=0.0, total=1.25
            )

    async def test_unix_socket(self, tmp_path: Path) -> None:
        """A unix socket is connected to, too."""
        async with (
            RawServer(after_a_second, unix_path=tmp_path / "s") as server,
            ClientSession(connector=UnixConnector(tmp_path / "s")) as session,
        ):
            assert await timings_of(session, server.url()) == dataclasses.replace(
                QUICK, connect=0.0
            )

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_pool(self) -> None:
        """The wait for a slot counts, whether it ends with a connection or with a place for a new one."""
        async with (
            RawServer(after_a_second) as server,
            ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
        ):
            first, second = await asyncio.gather(
                timings_of(session, "/"),
                timings_of(session, "/", headers={"Connection": "close"}),
            )
            assert first == dataclasses.replace(QUICK, connect=0.0)
            assert second == dataclasses.replace(QUICK, pool_wait=1.0, total=2.0)
            third, fourth = await asyncio.gather(
                timings_of(session, "/", headers={"Connection": "close"}),
                timings_of(session, "/"),
            )
            assert third == dataclasses.replace(QUICK, connect=0.0)
            assert fourth == dataclasses.replace(QUICK, pool_wait=1.0, connect=0.0, total=2.0)


class TestMessage:
    """What is sent and what comes back."""

    async def test_upload(self) -> None:
        """Sending lasts until the last byte of the body; the wait for the answer begins there."""
        async with RawServer(after_a_second) as server, ClientSession(server.url()) as session:
            whole = await timings_of(session, "/", method="POST", data=b"body")
            assert whole == dataclasses.replace(QUICK, connect=0.0)
            assert await timings_of(session, "/", method="POST", data=pieces(0.25, 0.5)) == Timings(
                send=0.75, first_byte=1.0, body=0.0, total=1.75
            )

    async def test_answer_before_the_end_of_the_upload(self) -> None:
        """While the upload goes on its time is not known, and nothing was waited for behind it."""

        async def hasty(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            await asyncio.sleep(1)
            conn.send(OK)
            await conn.closed()

        async with RawServer(hasty) as server, ClientSession(server.url()) as session:
            never = asyncio.Event()

            async def endless() -> AsyncIterator[bytes]:
                yield b"piece"
                await never.wait()

            assert await timings_of(session, "/", method="POST", data=endless()) == Timings(
                connect=0.0, first_byte=0.0, body=0.0, total=1.0
            )

    async def test_interim_responses(self) -> None:
        """The wait for ``100 Continue`` belongs to sending, and the first byte is the final response's."""

        async def polite(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            await asyncio.sleep(0.25)
            conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            await conn.read_exactly(4)
            await asyncio.sleep(0.5)
            conn.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await asyncio.sleep(0.5)
            conn.send(OK)
            await conn.closed()

        async with RawServer(polite) as server, ClientSession(server.url()) as session:
            assert await timings_of(
                session, "/", method="POST", data=b"body", expect100=True
            ) == Timings(connect=0.0, send=0.25, first_byte=1.0, body=0.0, total=1.25)

    @pytest.mark.http1_only("its head comes in pieces")
    async def test_body(self) -> None:
        """A body lasts from the first byte of the response to its own last one; until then it is not known."""

        async def drip(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\n")
            await asyncio.sleep(0.5)
            conn.send(b"Content-Length: 2\r\n\r\no")
            await asyncio.sleep(0.25)
            conn.send(b"k")
            await conn.closed()

        async with (
            RawServer(drip) as server,
            ClientSession(server.url()) as session,
            session.get("/") as response,
        ):
            started = Timings(connect=0.0, send=0.0, first_byte=0.0)
            assert response.timings == started
            assert await response.content.read(1) == b"o"
            assert response.timings == started
            assert await response.read() == b"k"
            assert response.timings == dataclasses.replace(started, body=0.75, total=0.75)

    async def test_body_that_ends_with_the_connection(self) -> None:
        """The end of the connection is the end of such a body."""

        async def until_eof(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\n\r\nok")
            await asyncio.sleep(0.5)

        async with RawServer(until_eof) as server, ClientSession(server.url()) as session:
            assert await timings_of(session, "/") == Timings(
                connect=0.0, send=0.0, first_byte=0.0, body=0.5, total=0.5
            )

    async def test_body_that_breaks_off(self) -> None:
        """A body that never came to its end has no time."""

        async def broken(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok")

        async with (
            RawServer(broken) as server,
            ClientSession(server.url()) as session,
            session.get("/") as response,
        ):
            with pytest.raises(Exception, match="after 2 of 3 bytes"):
                await response.read()
            assert response.timings == Timings(connect=0.0, send=0.0, first_byte=0.0)


class TestCall:
    """One call, many exchanges: each response has its own times."""

    async def test_redirect(self) -> None:
        """Each hop has its times; the last one's are the response's."""

        async def site(conn: RawConnection) -> None:
            for reply, wait in ((moved("/two"), 0.25), (OK, 0.5)):
                await conn.read_request()
                await asyncio.sleep(wait)
                conn.send(reply)
            await conn.closed()

        async with (
            RawServer(site) as server,
            ClientSession(server.url()) as session,
            session.get("/") as response,
        ):
            assert response.timings == Timings(send=0.0, first_byte=0.5, body=0.0, total=0.5)
            [first] = response.history
            assert first.timings == Timings(
                connect=0.0, send=0.0, first_byte=0.25, body=0.0, total=0.25
            )

    async def test_repeated_request(self) -> None:
        """A middleware that sends a request again changes nothing of the first response, and what it waits for
        belongs to neither."""
        seen: list[ClientResponse] = []

        async def twice(request: Any, handler: Any) -> ClientResponse:
            seen.append(await handler(request))
            await asyncio.sleep(10)
            return cast(ClientResponse, await handler(request))

        async with (
            RawServer(after_a_second) as server,
            ClientSession(server.url(), middlewares=[twice]) as session,
        ):
            assert await timings_of(session, "/") == QUICK
            assert seen[0].timings == dataclasses.replace(QUICK, connect=0.0)

    async def test_stale_connection(self) -> None:
        """A repetition on a new connection is one exchange, from its first attempt on."""

        async def one_only(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            await conn.read_request()
            await asyncio.sleep(0.25)

        async def script(conn: RawConnection) -> None:
            await (one_only if conn.index == 0 else after_a_second)(conn)

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            await timings_of(session, "/")
            assert await timings_of(session, "/") == Timings(
                connect=0.0, send=0.0, first_byte=1.0, body=0.0, total=1.25
            )

    async def test_value(self) -> None:
        """The times are a value of their own: they cannot be changed, and do not change."""
        async with (
            RawServer(after_a_second) as server,
            ClientSession(server.url()) as session,
            session.get("/") as response,
        ):
            with pytest.raises(dataclasses.FrozenInstanceError):
                response.timings.total = 0.0  # type: ignore[misc]
