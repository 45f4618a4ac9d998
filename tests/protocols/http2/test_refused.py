"""What the server says it has not worked on is repeated once, whatever its method (RFC 9113, section 8.7)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from aioclient import ClientConnectionError, ClientError, ClientSession, TCPConnector
from aioclient.testing import H2Code, H2Connection, H2Server

pytestmark = [pytest.mark.both_loops, pytest.mark.rows("H2-12")]

KNOWN = "prior-knowledge"


class Refusing:
    """Refuses the first *times* requests, by RST_STREAM or by GOAWAY, and answers the others with their bodies."""

    def __init__(self, by: str, times: int = 1) -> None:
        self.by = by
        self.left = times
        self.bodies: list[bytes] = []

    async def __call__(self, conn: H2Connection) -> None:
        while True:
            request = await conn.read_request()
            self.bodies.append(request.body)
            if self.left:
                self.left -= 1
                if self.by == "reset":
                    conn.reset_stream(request.stream_id, H2Code.REFUSED_STREAM)
                else:
                    conn.goaway(request.stream_id - 2 if request.stream_id > 1 else 0)
                continue
            conn.send_headers(request.stream_id, [(":status", "200")])
            conn.send_data(request.stream_id, request.body or b"none", end=True)


@pytest.mark.parametrize("by", ["reset", "goaway"])
@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_repeated(by: str, used: bool, method: str) -> None:
    """On a fresh connection and on a used one, with a body and without."""
    site = Refusing(by, 0)
    data = b"body" if method == "POST" else None
    async with H2Server(site) as server, ClientSession(http2=KNOWN) as session:
        if used:
            await (await session.get(server.url())).read()
        site.left = 1
        async with session.request(method, server.url(), data=data) as response:
            assert await response.read() == (data or b"none")
        assert site.bodies[-2:] == [data or b""] * 2
        assert server.connections == 2


@pytest.mark.rows("H2-05")
@pytest.mark.parametrize("by", ["reset", "goaway"])
async def test_once(by: str) -> None:
    """What is refused twice fails."""
    site = Refusing(by, 2)
    async with H2Server(site) as server, ClientSession(http2=KNOWN) as session:
        with pytest.raises(ClientConnectionError):
            await session.get(server.url())
        assert len(site.bodies) == 2


@pytest.mark.rows("H2-05")
async def test_storm() -> None:
    """A server that refuses every stream gets each request twice at most, on few connections, none of which lasts."""
    site = Refusing("reset", 10_000)
    connector = TCPConnector()
    async with H2Server(site) as server, ClientSession(connector=connector, http2=KNOWN) as session:

        async def post(number: int) -> None:
            with pytest.raises(ClientError, match=r"REFUSED_STREAM|RST_STREAM before any response"):
                await session.post(server.url(), data=b"%d" % number)

        for _ in range(10):
            await asyncio.gather(*map(post, range(100)))
        assert 1000 <= len(site.bodies) <= 2000
        assert 1 < server.connections <= 10
        now = connector.statistics()
        assert (now.in_use, now.waiting, now.streams) == (0, 0, 0)
        site.left = 0
        async with session.get(server.url()) as response:
            assert await response.read() == b"none"


async def test_turned_off() -> None:
    """``retry_stale=False`` leaves it to the caller."""
    site = Refusing("reset", 1)
    connector = TCPConnector(retry_stale=False)
    async with H2Server(site) as server, ClientSession(connector=connector, http2=KNOWN) as session:
        with pytest.raises(ClientConnectionError):
            await session.get(server.url())
        assert len(site.bodies) == 1


async def test_a_body_that_can_be_sent_once() -> None:
    """It fails: nobody could send it again."""

    async def once() -> AsyncIterator[bytes]:
        yield b"once"

    site = Refusing("reset", 1)
    async with H2Server(site) as server, ClientSession(http2=KNOWN) as session:
        with pytest.raises(ClientConnectionError):
            await session.post(server.url(), data=once())
        assert site.bodies == [b"once"]


async def test_another_code_is_no_refusal() -> None:
    """A POST that was reset for another reason may have been worked on: it is not repeated."""

    async def reset(conn: H2Connection) -> None:
        while True:
            request = await conn.read_request()
            conn.reset_stream(request.stream_id, H2Code.INTERNAL_ERROR)

    async with H2Server(reset) as server, ClientSession(http2=KNOWN) as session:
        with pytest.raises(ClientConnectionError):
            await session.post(server.url(), data=b"body")
        assert len(server.requests) == 1


async def test_many_at_a_time() -> None:
    """GOAWAY with ten under way: those above its last stream go to another connection, each is worked on once."""

    async def site(conn: H2Connection) -> None:
        if conn.index:
            while True:
                request = await conn.read_request()
                conn.send_headers(request.stream_id, [(":status", "200")])
                conn.send_data(request.stream_id, request.target.encode(), end=True)
        requests = [await conn.read_request() for _ in range(10)]
        conn.goaway(requests[4].stream_id)
        for request in requests[:5]:
            conn.send_headers(request.stream_id, [(":status", "200")])
            conn.send_data(request.stream_id, request.target.encode(), end=True)
        await conn.closed()

    async with H2Server(site) as server, ClientSession(http2=KNOWN) as session:

        async def post(path: str) -> str:
            async with session.post(server.url(path)) as response:
                return await response.text()

        paths = [f"/{number}" for number in range(10)]
        assert await asyncio.gather(*map(post, paths)) == paths
        assert server.connections == 2
        assert len(server.requests) == 15
