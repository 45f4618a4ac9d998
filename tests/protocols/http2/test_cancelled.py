"""A request over HTTP/2 may be cancelled at any await, and cut at any byte: the connection's others do not notice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector, TraceConfig
from aioclient.testing import (
    H2Connection,
    H2Server,
    H2Setting,
    RawConnection,
    RawServer,
    cancel_everywhere,
    turns,
)
from aioclient.testing.cancel import Moment

pytestmark = [pytest.mark.both_loops, pytest.mark.rows("POOL-11")]

MOMENTS: tuple[Moment, ...] = ("suspended", "resumed", "soon")
OK = (":status", "200")

Act = Callable[[ClientSession, H2Server], Awaitable[object]]


async def site(conn: H2Connection) -> None:
    """Answer each request but those for ``/hold``, of which the head is answered."""
    while True:
        request = await conn.read_request()
        conn.send_headers(request.stream_id, [OK])
        if request.target == "/hold":
            conn.send_data(request.stream_id, b"held")
        else:
            await turns(2)
            conn.send_data(request.stream_id, b"a")
            conn.send_data(request.stream_id, b"b" + request.body, end=True)


async def pieces() -> AsyncIterator[bytes]:
    for number in range(3):
        await asyncio.sleep(0)
        yield b"%d" % number


async def get(session: ClientSession, server: H2Server) -> None:
    async with session.get(server.url()) as response:
        assert await response.content.readexactly(1) == b"a"
        assert await response.read() == b"b"


async def post(session: ClientSession, server: H2Server) -> None:
    async with session.post(server.url(), data=pieces()) as response:
        assert await response.read() == b"ab012"


async def several(session: ClientSession, server: H2Server) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(get(session, server))


def traced() -> TraceConfig:
    """Return a config whose callbacks all wait for a turn of the event loop."""

    async def wait(*_: object) -> None:
        await asyncio.sleep(0)

    config = TraceConfig()
    for name in vars(TraceConfig):
        if name.startswith("on_"):
            getattr(config, name).append(wait)
    return config


@pytest.mark.rows("H2-13")
@pytest.mark.parametrize("act", [get, post, several])
@pytest.mark.parametrize("traces", [False, True])
async def test_at_each_await(act: Act, traces: bool) -> None:
    """Its neighbour on the connection goes on, its stream comes back, and the next request works."""
    settings = {H2Setting.MAX_CONCURRENT_STREAMS: 3}
    connector = TCPConnector(limit=1)
    async with (
        H2Server(site, settings=settings) as server,
        ClientSession(
            connector=connector,
            http2="prior-knowledge",
            trace_configs=[traced()] if traces else [],
        ) as session,
    ):
        neighbour = await session.get(server.url("/hold"))

        async def check() -> None:
            assert await neighbour.content.readexactly(0) == b""
            await get(session, server)
            now = connector.statistics()
            assert (now.in_use, now.idle, now.waiting, now.joining) == (1, 0, 0, 0)
            (connection,) = connector._sockets.connections
            assert connection.room == 2
            assert len(connection.under_way) == 1

        await cancel_everywhere(lambda: act(session, server), check, moments=MOMENTS, leaks=False)
        assert await neighbour.content.readexactly(4) == b"held"
        neighbour.close()
        assert server.connections == 1


@pytest.mark.parametrize("act", [get, several])
async def test_at_each_await_of_a_dial(act: Act) -> None:
    """One that dials, or has joined a dial, leaves no slot taken."""
    async with H2Server(site) as server:

        async def alone() -> None:
            async with ClientSession(http2="prior-knowledge", trace_configs=[traced()]) as session:
                await act(session, server)

        await cancel_everywhere(alone, moments=MOMENTS)


RESPONSE = (
    b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"  # SETTINGS
    b"\x00\x00\x00\x04\x01\x00\x00\x00\x00"  # SETTINGS, acknowledged
    b"\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88"  # HEADERS
    b"\x00\x00\x04\x00\x00\x00\x00\x00\x01body"  # DATA
    b"\x00\x00\x06\x01\x05\x00\x00\x00\x01\x00\x01a\x02bc"  # trailers
)


@pytest.mark.parametrize("reset", [False, True])
async def test_cut_at_each_byte(reset: bool) -> None:
    """A connection that ends within a response is an error of the caller, never a hang or a short body."""

    async def cut(conn: RawConnection) -> None:
        await conn.read_until(b"\x00\x00\x00\x01")  # some of the request
        conn.send(RESPONSE[: conn.index])
        await conn.drain()
        if reset:
            conn.reset()
        else:
            conn.close()

    async with (
        RawServer(cut) as server,
        ClientSession(
            http2="prior-knowledge", connector=TCPConnector(retry_stale=False)
        ) as session,
    ):
        for size in range(len(RESPONSE)):
            with pytest.raises(aioclient.ClientError) as caught:
                async with session.get(server.url()) as response:
                    assert size >= 34
                    await response.read()
            assert isinstance(
                caught.value, (aioclient.ClientConnectionError, aioclient.ClientPayloadError)
            )
        async with session.get(server.url()) as response:
            assert await response.read() == b"body"
            assert response.trailers == {"a": "bc"}
