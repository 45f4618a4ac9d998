"""Connections and the pool."""

import asyncio

import pytest

import aioclient
from aioclient import ClientSession, ClientTimeout, TCPConnector
from aioclient.testing import RawConnection, RawServer, refused_port, turns

from ..loopback import OK, answer
from ..servers.certificates import Certificates
from .parts import cancelled, fetch, friendly, numbers, until

pytestmark = pytest.mark.both_loops
reports = pytest.mark.reports


@reports("aio-libs/aiohttp#253")
async def test_cancelled_requests_keep_no_socket() -> None:
    """Cancelled requests left sockets open that no timeout ever closed."""
    async with RawServer(friendly) as server, ClientSession(server.url()) as session:
        tasks = [asyncio.create_task(fetch(session, "/silent")) for _ in range(10)]
        await until(lambda: len(server.requests) == 10)
        for task in tasks:
            await cancelled(task)
        await until(lambda: not server.open_connections)
        assert numbers(session) == (0, 0, 0)
        assert await fetch(session, "/") == b"ok"


@reports(
    "encode/httpcore#1093",
    "encode/httpcore#658",
    "encode/httpcore#785",
    "encode/httpcore#149",
    "encode/httpx#1461",
)
@pytest.mark.parametrize("after", range(6))
async def test_cancelled_under_contention(after: int) -> None:
    """Requests cancelled while the pool was full, at any moment, took their slots along until every request failed."""
    async with (
        RawServer(friendly) as server,
        ClientSession(server.url(), connector=TCPConnector(limit=2)) as session,
    ):
        for _ in range(3):
            tasks = [asyncio.create_task(fetch(session, "/silent")) for _ in range(5)]
            await turns(after)
            for task in tasks:
                await cancelled(task)
        timeout = ClientTimeout(pool=5)
        got = await asyncio.gather(*(fetch(session, "/", timeout=timeout) for _ in range(5)))
        assert got == [b"ok"] * 5
        assert numbers(session)[0::2] == (0, 0)


@reports("encode/httpcore#830")
async def test_cancelled_while_it_waits() -> None:
    """A request cancelled in the queue of a full pool stayed there, and nobody behind it was served."""
    async with (
        RawServer(friendly) as server,
        ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
    ):
        holder = asyncio.create_task(fetch(session, "/silent"))
        await until(lambda: server.requests)
        first, second = (asyncio.create_task(fetch(session, "/")) for _ in range(2))
        await until(lambda: numbers(session)[2] == 2)
        await cancelled(first)
        await cancelled(holder)
        assert await second == b"ok"


@reports("aio-libs/aiohttp#9670")
async def test_cancelled_when_it_was_its_turn() -> None:
    """A waiter that timed out just as it was woken swallowed the wake-up; all others then timed out too."""
    async with (
        RawServer(friendly) as server,
        ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
    ):
        holder = await session.get("/")
        assert numbers(session) == (0, 1, 0)
        await holder.read()

        async def hold() -> None:
            await fetch(session, "/")
            # Its connection was passed on to the first waiter in this step, which is not awake yet.
            first.cancel()

        holding = asyncio.create_task(hold())
        await turns(1)
        first, second = (asyncio.create_task(fetch(session, "/")) for _ in range(2))
        await holding
        assert await second == b"ok"
        assert first.cancelled()
        assert numbers(session) == (0, 1, 0)


@reports("aio-libs/aiohttp#4936")
async def test_the_limit_holds() -> None:
    """A request that came between a release and the waking up of the waiter led to more connections than the limit."""
    most = 0

    async def counts(conn: RawConnection) -> None:
        nonlocal most
        while True:
            await conn.read_request()
            most = max(most, len(server.open_connections))
            conn.send(OK)

    async with (
        RawServer(counts) as server,
        ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
    ):

        async def again(times: int) -> None:
            for _ in range(times):
                assert await fetch(session, "/") == b"ok"

        await asyncio.gather(*(again(5) for _ in range(5)))
        assert (most, server.connections) == (1, 1)


@reports("aio-libs/aiohttp#2189", "aio-libs/aiohttp#861")
async def test_a_failed_connection_gives_its_slot_back() -> None:
    """A host that could not be reached kept the slot, and the next request waited for ever."""
    with refused_port() as port:
        async with ClientSession(connector=TCPConnector(limit=1)) as session:
            url = f"http://127.0.0.1:{port}/"
            results = await asyncio.gather(
                *(session.get(url) for _ in range(4)), return_exceptions=True
            )
            assert [type(result) for result in results] == [aioclient.ConnectError] * 4
            assert numbers(session) == (0, 0, 0)


@reports("aio-libs/aiohttp#1623", "encode/httpx#1171", "sonic182/aiosonic#377")
async def test_many_more_requests_than_slots() -> None:
    """With more requests than connections only the first few were made, the others timed out."""
    async with (
        RawServer(friendly) as server,
        ClientSession(server.url(), connector=TCPConnector(limit=2)) as session,
    ):
        got = await asyncio.gather(*(fetch(session, "/") for _ in range(200)))
        assert got == [b"ok"] * 200
        assert server.connections == 2


@reports("aio-libs/aiohttp#7297", "aio-libs/aiohttp#3609", "aio-libs/aiohttp#2867")
async def test_keep_alive_and_closed() -> None:
    """A server that said keep-alive and closed all the same made the next request fail."""
    reply = answer(b"ok", "Connection: keep-alive", "Keep-Alive: timeout=60")
    async with (
        RawServer.replies([reply], close=True, repeat=True) as server,
        ClientSession(server.url()) as session,
    ):
        for _ in range(5):
            assert await fetch(session, "/") == b"ok"
        assert server.connections == 5


@reports("aio-libs/aiohttp#3507")
@pytest.mark.parametrize("tls", [False, True])
async def test_204_and_closed(certificates: Certificates, tls: bool) -> None:
    """A 204 with keep-alive, after which the server closed, made the next request fail."""
    reply = b"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n"
    context = certificates.server_context() if tls else None
    connector = TCPConnector(ssl=certificates.client_context())
    async with (
        RawServer.replies([reply], close=True, repeat=True, ssl=context) as server,
        ClientSession(server.url(), connector=connector) as session,
    ):
        for _ in range(5):
            async with session.get("/") as response:
                assert (response.status, await response.read()) == (204, b"")


@reports("aio-libs/aiohttp#7599")
async def test_after_an_upload_that_was_cut_short() -> None:
    """The rest of an upload that the server did not want was taken for the next request, which timed out."""

    async def refuses(conn: RawConnection) -> None:
        request = await conn.read_request(body=conn.index > 0)
        conn.send(OK if request.method == "GET" else answer(b"no", status="413 Too Large"))
        await conn.closed()

    async with RawServer(refuses) as server, ClientSession(server.url()) as session:
        async with session.post("/", data=bytes(2**24)) as response:
            assert (response.status, await response.read()) == (413, b"no")
        assert await fetch(session, "/") == b"ok"
        assert server.connections == 2


@reports("aio-libs/aiohttp#5584")
async def test_bodies_that_nobody_reads() -> None:
    """Requests whose responses were awaited and never read used the pool up; later ones timed out."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"

    async def slow_end(conn: RawConnection) -> None:
        while True:
            await conn.read_request()
            conn.send(chunked)
            await turns(3)
            conn.send(b"0\r\n\r\n")

    async with (
        RawServer(slow_end) as server,
        ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
    ):
        responses = [await session.post("/", json={}) for _ in range(10)]
        await until(lambda: numbers(session) == (0, 1, 0))
        assert server.connections == 1
        assert [await response.read() for response in responses] == [b"ok"] * 10


@reports("sonic182/aiosonic#456")
async def test_errors_give_their_slots_back() -> None:
    """Connections did not come back to the pool after errors, until nothing could be acquired."""
    wrong = [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
        b"",
    ]
    async with (
        RawServer.replies([*wrong * 2, OK], close=True) as server,
        ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
    ):
        for _ in wrong * 2:
            with pytest.raises(aioclient.ClientError):
                await fetch(session, "/")
            assert numbers(session)[0::2] == (0, 0)
        assert await fetch(session, "/") == b"ok"


@reports("aio-libs/aiohttp#3181")
async def test_close_with_a_connector_of_ones_own() -> None:
    """close() hung when the session had been given its connector."""
    async with RawServer(friendly) as server:
        connector = TCPConnector(limit=1)
        session = ClientSession(server.url(), connector=connector, connector_owner=True)
        pending = asyncio.create_task(fetch(session, "/silent"))
        waiting = asyncio.create_task(fetch(session, "/"))
        await until(lambda: server.requests)
        await session.close()
        assert connector.closed
        for task in (pending, waiting):
            with pytest.raises(aioclient.ClientConnectionError):
                await task


@reports("aio-libs/aiohttp#1925", "aio-libs/aiohttp#3736", "aio-libs/aiohttp#6071")
async def test_close_waits_for_tls(certificates: Certificates) -> None:
    """close() returned before TLS connections were closed; the loop's end then left unclosed transports."""
    async with RawServer(friendly, ssl=certificates.server_context()) as server:
        connector = TCPConnector(ssl=certificates.client_context())
        async with ClientSession(server.url(), connector=connector) as session:
            await asyncio.gather(*(fetch(session, "/") for _ in range(5)))
            (*connections,) = server.open_connections
            assert connections
        await until(lambda: all(conn.lost for conn in connections))


@reports("aio-libs/aiohttp#4703")
async def test_an_idle_tls_connection_is_closed_by_the_server(certificates: Certificates) -> None:
    """A TLS connection that the server closed while it was idle left an unclosed transport behind."""
    async with (
        RawServer.replies(
            [OK], close=True, repeat=True, ssl=certificates.server_context()
        ) as server,
        ClientSession(
            server.url(), connector=TCPConnector(ssl=certificates.client_context())
        ) as session,
    ):
        assert await fetch(session, "/") == b"ok"
        await until(lambda: not server.open_connections)
        await until(lambda: numbers(session) == (0, 0, 0))
        assert await fetch(session, "/") == b"ok"
