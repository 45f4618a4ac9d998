"""What a response holds of its connection while the body still comes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import DigestAuthMiddleware

from aioclient import (
    ClientConnectionError,
    ClientResponse,
    ClientSession,
    Handler,
    Request,
    TCPConnector,
)
from aioclient.exchange import Exchange
from aioclient.response.lease import Connection
from aioclient.testing import RawConnection, turns

from ..loopback import OK
from ..servers.either import RawServer
from ..test_exchange import request

pytestmark = [pytest.mark.both_protocols, pytest.mark.rows("S003-82")]


async def half(conn: RawConnection) -> None:
    """Send a body of 10 bytes, 2 of them; and the rest when another request line comes."""
    while True:
        await conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
        assert await conn.read_exactly(4) == b"more"
        conn.send(b"12345678")


class TestConnection:
    @pytest.mark.http1_only("it writes to the connection's transport")
    async def test_while_the_body_comes(self) -> None:
        """It is there with its transport and loop until the body is complete; then it is None."""
        async with RawServer(half) as server, ClientSession() as session:
            response = await session.get(server.url())
            held = response.connection
            assert held is not None
            assert not held.closed
            assert held.loop is asyncio.get_running_loop()
            assert held.transport is not None
            assert held.transport.get_extra_info("peername")[1] == server.port
            assert repr(held) == f"<Connection open, GET {server.url()}>"
            held.transport.write(b"more")
            assert await response.read() == b"ok12345678"
            assert response.connection is None
            assert response.closed
            assert (held.closed, held.transport, held.loop) == (True, None, None)
            assert repr(held).startswith("<Connection closed, GET ")
            held.release()
            held.close()
            held.detach()
            assert session.connector is not None
            assert session.connector.statistics().idle == 1

    async def test_a_body_that_came_with_its_head(self) -> None:
        """There is none then: the connection is in the pool already."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            response = await session.get(server.url())
            assert response.connection is None
            assert response.closed
            assert await response.read() == b"ok"

    @pytest.mark.parametrize("end", ["release", "close"])
    @pytest.mark.http1_only("it writes to the connection's transport")
    async def test_ends(self, end: str) -> None:
        """release() drains what is missing and keeps the connection, close() closes it; the response knows."""
        async with RawServer(half) as server, ClientSession() as session:
            assert session.connector is not None
            response = await session.get(server.url())
            held = response.connection
            assert held is not None
            transport = held.transport
            assert transport is not None
            getattr(held, end)()
            assert response.connection is None
            assert response.closed
            if end == "release":
                transport.write(b"more")
            while session.connector.statistics().in_use:
                await turns(1)
            assert session.connector.statistics().idle == (1 if end == "release" else 0)

    @pytest.mark.http1_only("it writes to the connection's transport")
    async def test_detach(self) -> None:
        """detach() frees the slot; the body can be read to its end, behind which the connection is closed."""
        connector = TCPConnector(limit=1)
        async with RawServer(half) as server, ClientSession(connector=connector) as session:
            response = await session.get(server.url())
            held = response.connection
            assert held is not None
            held.detach()
            assert connector.statistics().in_use == 0
            other = await session.get(server.url())  # the only slot is free
            assert server.connections == 2
            assert held.transport is not None
            held.transport.write(b"more")
            assert await response.read() == b"ok12345678"
            assert (connector.statistics().in_use, connector.statistics().idle) == (1, 0)
            other.close()
            assert connector.statistics().in_use == 0

    async def test_detached_and_released(self) -> None:
        """What was detached is closed with its response, and with the connector."""
        async with RawServer(half) as server, ClientSession() as session:
            assert session.connector is not None
            for _ in range(2):
                response = await session.get(server.url())
                assert response.connection is not None
                response.connection.detach()
                response.release()
            response = await session.get(server.url())
            assert response.connection is not None
            response.connection.detach()
            assert session.connector.statistics().in_use == 0
            assert session.connector.statistics().idle == 0
            await session.close()
            assert response.closed


@pytest.mark.rows("S003-88")
async def test_wait_for_close() -> None:
    """wait_for_close() waits until the request was sent, however early the response came, and releases it."""
    go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        await go_on.wait()
        yield b"two"

    async def early(conn: RawConnection) -> None:
        request = await conn.read_request(body=False)
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
        await conn.read_body(request)
        conn.send(b"12345678")
        await conn.read_request()
        conn.send(OK)

    async with RawServer(early) as server, ClientSession() as session:
        assert session.connector is not None
        response = await session.post(server.url(), data=body())
        waiting = asyncio.create_task(response.wait_for_close())
        await turns(5)
        assert not waiting.done()
        go_on.set()
        await waiting
        assert response.closed
        while session.connector.statistics().in_use:
            await turns(1)
        await (await session.get(server.url())).read()
        assert server.connections == 1
        await response.wait_for_close()


class TestSentAgain:
    """A middleware that sends its request again holds the response to the first attempt."""

    @pytest.mark.both_loops
    @pytest.mark.parametrize("rest", [1, 60_000, 2**20], ids=["short", "drained", "long"])
    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_pool_of_one(self, rest: int) -> None:
        """The earlier response is released first, so that the only connection is free for the next attempt."""
        seen: list[ClientResponse] = []

        async def twice(request: Request, handler: Handler) -> ClientResponse:
            first = await handler(request)
            seen.append(first)
            return await handler(request)

        async def script(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                conn.send(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\nx" % (rest + 1))
                await turns(3)
                conn.send(bytes(rest))

        connector = TCPConnector(limit=1)
        async with (
            RawServer(script) as server,
            ClientSession(connector=connector, middlewares=[twice]) as session,
        ):
            response = await session.get(server.url(), timeout=20)
            assert seen[0].closed
            assert not response.closed
            assert await response.read() == b"x" + bytes(rest)
            assert server.connections == (1 if rest < 2**16 else 2)
            with pytest.raises(ClientConnectionError, match=r"released|closed"):
                await seen[0].read()

    @pytest.mark.parametrize("rest", [1, 2**20], ids=["short", "long"])
    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_digest_of_aiohttp(self, rest: int) -> None:
        """aiohttp's DigestAuthMiddleware, which drops the challenge unread, needs no second connection for it."""

        async def script(conn: RawConnection) -> None:
            while True:
                request = await conn.read_request()
                if request.value("Authorization"):
                    conn.send(OK)
                else:
                    challenge = b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
                    conn.send(b"HTTP/1.1 401 No\r\n%b\r\n" % challenge)
                    conn.send(b"Content-Length: %d\r\n\r\nx" % (rest + 1))
                    await turns(3)
                    conn.send(bytes(rest))

        digest = DigestAuthMiddleware("user", "password")
        async with (
            RawServer(script) as server,
            ClientSession(connector=TCPConnector(limit=1), middlewares=[digest]) as session,  # type: ignore[list-item]
        ):
            response = await session.get(server.url(), timeout=20)
            assert await response.read() == b"ok"
            assert server.connections == (1 if rest == 1 else 2)

    async def test_the_first_is_left_alone_when_it_was_read(self) -> None:
        """A response that was read stays readable when its request is sent again."""
        seen: list[ClientResponse] = []

        async def twice(request: Request, handler: Handler) -> ClientResponse:
            first = await handler(request)
            seen.append(first)
            await first.read()
            return await handler(request)

        async def script(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                conn.send(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n")
                await turns(3)
                conn.send(b"no")

        async with (
            RawServer(script) as server,
            ClientSession(connector=TCPConnector(limit=1), middlewares=[twice]) as session,
        ):
            response = await session.get(server.url())
            assert await response.read() == await seen[0].read() == b"no"
            assert server.connections == 1

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_a_response_that_nobody_references(self) -> None:
        """It gives its slot to the next request at once, without a collection of garbage, and warns."""
        connector = TCPConnector(limit=1)

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
            await conn.closed()

        async with RawServer(script) as server, ClientSession(connector=connector) as session:
            response = await session.get(server.url())
            next_one = asyncio.create_task(session.get(server.url(), timeout=20)._coroutine)
            await turns(3)
            assert connector.statistics().waiting == 1
            with pytest.warns(ResourceWarning, match="unclosed response"):
                del response
            (await next_one).close()
            assert server.connections == 2


class TestCollected:
    def test_a_response_that_outlives_its_loop(self) -> None:
        """It warns, and leaves the socket to the transport's own end."""

        class Gone:
            transport = None
            loop = asyncio.new_event_loop()

            def cancel(self, exchange: object) -> None:
                raise AssertionError("there is no loop to do it in")

            release = retire = wait_sent = take_over = cancel

        Gone.loop.close()
        asked = request(url="http://a.example/")
        held: Connection | None = Connection(cast(Any, Gone()), Exchange(asked, asked.key, 0.0))
        assert held is not None
        with pytest.warns(ResourceWarning, match="unclosed response to GET http://a.example/"):
            held = None
