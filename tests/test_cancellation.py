"""A request may be cancelled at any await: no slot, socket or task is lost, and the next one works.

Row POOL-11 of the threat model. Every scenario runs once for each of its awaits and each moment of
it, on a session of its own; afterwards the pool, the sockets and a next request are looked at.
"""

import asyncio
import contextlib
import io
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

import aioclient
from aioclient import ClientSession, TCPConnector
from aioclient.testing import RawConnection, Snapshot, cancel_everywhere, turns
from aioclient.testing.cancel import Moment

from .servers.certificates import Certificates
from .servers.either import RawServer

pytestmark = [
    pytest.mark.both_protocols,
    pytest.mark.both_loops,
    pytest.mark.parametrize((), [pytest.param(id="POOL-11")]),
]

Act = Callable[[ClientSession], Awaitable[object]]

MOMENTS: tuple[Moment, ...] = ("suspended", "resumed", "soon")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BIG = 3 * 2**18


class SlowResolver(AbstractResolver):
    """Every name is 127.0.0.1, and it takes some rounds of the loop to find out."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await turns(2)
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


async def site(conn: RawConnection) -> None:
    """What the scenarios need of a server."""
    while True:
        request = await conn.read_request(body=False)
        path = request.target
        if request.value("Expect"):
            await turns(2)
            await conn.drain()
            conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await conn.read_body(request)
        if path.startswith("/hop/"):
            left = int(path.removeprefix("/hop/"))
            target = f"/hop/{left - 1}" if left else "/"
            conn.send(
                f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 3\r\n\r\nhop".encode()
            )
        elif path == "/big":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
            for _ in range(3):
                conn.send(b"x" * (BIG // 3))
                await conn.drain()
        elif path == "/slow":
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n")
            await turns(4)
            await conn.drain()  # ends the script when the client has gone
            conn.send(b"ok\r\n0\r\n\r\n")
        elif path == "/last":
            conn.send(OK)
            await turns()
            return
        else:
            conn.send(OK)


async def fetch(session: ClientSession, path: str = "/", **arguments: Any) -> bytes:
    async with session.request(arguments.pop("method", "GET"), path, **arguments) as response:
        return await response.read()


async def cancelled_everywhere(
    act: Act,
    make: Callable[[], ClientSession],
    prepare: Act | None = None,
    *,
    least: int = 1,
    moments: tuple[Moment, ...] = MOMENTS,
) -> None:
    """Cancel *act* at each await; *make* and *prepare* give each run its own session."""
    session: ClientSession
    before: Snapshot

    async def begin() -> None:
        nonlocal session, before
        before = Snapshot()
        session = make()
        if prepare is not None:
            await prepare(session)

    async def check() -> None:
        connector = session.connector
        assert connector is not None
        for _ in range(100):
            if not connector.statistics().in_use:
                break
            await asyncio.sleep(0)
        numbers = connector.statistics()
        assert (numbers.in_use, numbers.waiting) == (0, 0), repr(connector)
        assert await fetch(session) == b"ok"
        await session.close()
        await before.settle()
        for _ in range(1000):
            if not before.problems():
                break
            # For a thread that reads a file: it ends when the system lets it run.
            await asyncio.sleep(0.001)
        assert await before.settle() == []
        await begin()

    await begin()
    points = await cancel_everywhere(lambda: act(session), check, moments=moments, leaks=False)
    assert points >= least
    await session.close()


async def test_first_request(certificates: Certificates) -> None:
    """At every await of a first request: name lookup, connecting, TLS handshake, head."""
    for tls in (None, certificates.server_context("a.test")):
        async with RawServer(site, ssl=tls) as server:

            def make(server: RawServer = server) -> ClientSession:
                return ClientSession(
                    server.url(host="a.test"),
                    connector=TCPConnector(
                        resolver=SlowResolver(), ssl=certificates.client_context()
                    ),
                )

            await cancelled_everywhere(fetch, make, least=4)


async def test_pinned_certificate(certificates: Certificates) -> None:
    """At every await of a connection whose certificate is pinned."""
    pin = aioclient.Fingerprint(certificates.fingerprint())
    async with RawServer(site, ssl=certificates.server_context()) as server:
        await cancelled_everywhere(
            fetch, lambda: ClientSession(server.url(), connector=TCPConnector(ssl=pin)), least=3
        )


async def test_unix_socket(tmp_path: Path) -> None:
    """At every await of a first request over a unix socket."""
    path = tmp_path / "socket"
    async with RawServer(site, unix_path=path) as server:
        await cancelled_everywhere(
            fetch,
            lambda: ClientSession(server.url(), connector=aioclient.UnixConnector(str(path))),
            least=2,
        )


async def test_several_addresses() -> None:
    """At every await of a connection that is tried at two addresses."""

    class Two(SlowResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            (answer,) = await super().resolve(host, port, family)
            refusing: ResolveResult = {**answer, "host": "127.0.0.2"}
            return [refusing, answer]

    async with RawServer(site) as server:
        await cancelled_everywhere(
            fetch,
            lambda: ClientSession(
                server.url(host="a.test"), connector=TCPConnector(resolver=Two())
            ),
            least=4,
        )


async def test_reused_connection() -> None:
    """At every await of a request on a connection that was used before."""
    async with RawServer(site) as server:
        await cancelled_everywhere(fetch, lambda: ClientSession(server.url()), fetch)


@pytest.mark.parametrize("path", ["/big", "/slow"])
async def test_streamed_body(path: str) -> None:
    """At every await of a body that is read in pieces."""

    async def act(session: ClientSession) -> None:
        async with session.get(path) as response:
            async for _ in response.content.iter_chunked(2**16):
                pass

    async with RawServer(site) as server:
        await cancelled_everywhere(act, lambda: ClientSession(server.url()), least=3)


async def test_whole_body() -> None:
    """At every await of a large body that is read at once."""

    async def act(session: ClientSession) -> None:
        assert len(await fetch(session, "/big")) == BIG

    async with RawServer(site) as server:
        await cancelled_everywhere(act, lambda: ClientSession(server.url()), least=3)


@pytest.mark.parametrize("limits", [{"limit": 1}, {"limit_per_host": 1}], ids=["total", "host"])
@pytest.mark.parametrize("keep", [True, False], ids=["gets_connection", "dials"])
async def test_waiting_for_a_slot(limits: dict[str, int], keep: bool) -> None:
    """At every await of the queue: while waiting, when granted a connection, when told to dial."""

    async def act(session: ClientSession) -> None:
        first = await session.get("/slow")
        try:
            waiting = asyncio.create_task(fetch(session))
            asyncio.get_running_loop().call_soon(first.release if keep else first.close)
            behind = asyncio.create_task(fetch(session))
            try:
                assert await fetch(session) == b"ok"
            finally:
                waiting.cancel()
                behind.cancel()
                await asyncio.wait([waiting, behind])
        finally:
            first.close()

    async with RawServer(site) as server:
        await cancelled_everywhere(
            act, lambda: ClientSession(server.url(), connector=TCPConnector(**limits)), least=3
        )


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_slot_of_a_cancelled_waiter_goes_on(moment: Moment) -> None:
    """A waiter that is cancelled when it has just been granted the slot hands it to the next one."""
    async with (
        RawServer(site) as server,
        ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
    ):
        first = await session.get("/slow")
        waiters = [asyncio.create_task(fetch(session)) for _ in range(3)]
        await turns(1)
        if moment == "suspended":
            waiters[0].cancel()
            await first.read()
        elif moment == "resumed":
            await first.read()  # the grant is made in this step, and the waiter did not see it
            waiters[0].cancel()
        else:
            asyncio.get_running_loop().call_soon(waiters[0].cancel)
            first.close()
        results = await asyncio.gather(*waiters, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1:] == [b"ok", b"ok"]


@pytest.mark.parametrize("kind", ["file", "generator", "chunks"])
async def test_upload(kind: str, tmp_path: Path) -> None:
    """At every await of an upload: of a file, of an async generator, of a large body in memory."""
    (tmp_path / "file").write_bytes(b"x" * BIG)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield b"x" * (BIG // 3)

    async def act(session: ClientSession) -> None:
        with contextlib.ExitStack() as stack:
            body: Any = {
                "file": lambda: stack.enter_context((tmp_path / "file").open("rb")),
                "generator": pieces,
                "chunks": lambda: io.BytesIO(b"x" * BIG),
            }[kind]()
            assert await fetch(session, method="POST", data=body) == b"ok"

    async with RawServer(site) as server:
        await cancelled_everywhere(act, lambda: ClientSession(server.url()), least=2)


async def test_redirects() -> None:
    """At every await of a chain of redirects."""

    async def act(session: ClientSession) -> None:
        assert await fetch(session, "/hop/3") == b"ok"

    async with RawServer(site) as server:
        await cancelled_everywhere(act, lambda: ClientSession(server.url()), least=5)


async def test_expect_continue() -> None:
    """At every await of a request that waits for 100 Continue."""

    async def act(session: ClientSession) -> None:
        assert await fetch(session, method="POST", data=b"x" * 1000, expect100=True) == b"ok"

    async with RawServer(site) as server:
        await cancelled_everywhere(act, lambda: ClientSession(server.url()), least=2)


async def test_stale_connection() -> None:
    """At every await of a request that is repeated because its connection was closed meanwhile."""

    async def closes_second(conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(OK)
        await conn.read_request()

    async with RawServer(closes_second) as server:
        await cancelled_everywhere(fetch, lambda: ClientSession(server.url()), fetch, least=3)


async def test_middlewares() -> None:
    """At every await of a request whose middleware sends it twice."""

    async def twice(request: Any, handler: Any) -> Any:
        first = await handler(request)
        first.release()
        return await handler(request)

    async with RawServer(site) as server:
        await cancelled_everywhere(
            lambda session: fetch(session, "/slow"),
            lambda: ClientSession(server.url(), middlewares=[twice]),
            least=3,
        )


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.http1_only("about the pool of connections for one exchange")
async def test_closing_the_session(tls: bool, certificates: Certificates) -> None:
    """At every await of session.close(): idle and busy connections, dials and waiters all end."""
    context = certificates.server_context() if tls else None
    async with RawServer(site, ssl=context) as server:

        async def scenario() -> None:
            connector = TCPConnector(
                limit=3, ssl=certificates.client_context(), resolver=SlowResolver()
            )
            session = ClientSession(server.url(), connector=connector)
            tasks: list[asyncio.Task[bytes]] = []
            try:
                await fetch(session)
                busy = await session.get("/slow")
                far = server.url(host="b.test")
                tasks += [asyncio.create_task(fetch(session, far)) for _ in range(4)]
                await turns(3)
                assert connector.statistics().waiting == 2
                await session.close()
            finally:
                connector.closed or await asyncio.shield(connector.close())
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                for outcome in outcomes:
                    assert isinstance(outcome, aioclient.ClientConnectionError), outcome
                assert connector.statistics().in_use == connector.statistics().waiting == 0
            with pytest.raises(aioclient.ClientConnectionError):
                await busy.read()

        await scenario()
        # Closing alone is gone through at each moment; what comes before it is shown above.
        sessions: list[ClientSession] = []

        async def prepare() -> None:
            session = ClientSession(
                server.url(), connector=TCPConnector(ssl=certificates.client_context())
            )
            await asyncio.gather(fetch(session), fetch(session))
            sessions.append(session)

        await prepare()

        async def closing() -> None:
            await sessions[-1].close()

        async def check() -> None:
            assert sessions.pop().closed
            await turns(20)
            assert server.open_connections == []
            await prepare()

        await cancel_everywhere(closing, check, moments=MOMENTS, leaks=False)
        await sessions[-1].close()
