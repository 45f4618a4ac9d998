"""A connection of HTTP/2 from its first SETTINGS to its last stream, and what a connector shows of it."""

import asyncio
from typing import Any

import pytest

from aioclient import (
    ClientSession,
    ClientTimeout,
    ConnectTimeoutError,
    ReadTimeoutError,
    ServerDisconnectedError,
    TCPConnector,
)
from aioclient.connectors.http1_only import KNOWN_FOR, Http1OnlyKeys
from aioclient.protocols.http2.flow import DEFAULT_WINDOW, MAX_WINDOW
from aioclient.protocols.http2.frames import SETTINGS_ACK, settings_frame, window_frame
from aioclient.protocols.http2.open_streams import LAST_ID
from aioclient.testing import H2Connection, H2Kind, H2Server, RawConnection, RawServer

KNOWN = "prior-knowledge"
OK = (":status", "200")
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


async def answers(conn: H2Connection) -> None:
    while True:
        request = await conn.read_request()
        conn.send_headers(request.stream_id, [OK])
        conn.send_data(request.stream_id, request.target.encode(), end=True)


async def text(session: ClientSession, server: H2Server, path: str) -> str:
    async with session.get(server.url(path)) as response:
        return await response.text()


@pytest.mark.rows("H2-07")
@pytest.mark.virtual_clock
class TestSettings:
    @pytest.mark.parametrize(
        ("said", "missing"),
        [(b"", "no SETTINGS of HTTP/2"), (SETTINGS, "no acknowledgement of our SETTINGS")],
    )
    async def test_that_do_not_come(self, said: bytes, missing: str) -> None:
        """A server that says nothing, or does not acknowledge ours, is given up within ``sock_connect``."""
        heard = bytearray()
        gone = asyncio.Event()

        async def silent(conn: RawConnection) -> None:
            conn.send(said)
            heard.extend(await conn.closed())
            gone.set()

        connector = TCPConnector()
        async with (
            RawServer(silent) as server,
            ClientSession(
                connector=connector, http2=KNOWN, timeout=ClientTimeout(sock_connect=5)
            ) as session,
        ):
            loop = asyncio.get_running_loop()
            start = loop.time()
            results = await asyncio.gather(
                *(session.get(server.url()) for _ in range(3)), return_exceptions=True
            )
            assert 5 <= loop.time() - start < 6
            for error in results:
                assert isinstance(error, ConnectTimeoutError)
                assert f"{missing} within sock_connect=5 s" in str(error)
            assert connector.statistics().in_use == 0
            await gone.wait()
        assert heard.endswith(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(7) + b"\x04")

    async def test_that_came(self) -> None:
        """The limit is over when both have come: a response may take longer."""

        async def slow(conn: H2Connection) -> None:
            request = await conn.read_request()
            await asyncio.sleep(60)
            conn.send_headers(request.stream_id, [OK], end=True)
            await conn.closed()

        limits = ClientTimeout(sock_connect=5)
        async with (
            H2Server(slow) as server,
            ClientSession(http2=KNOWN, timeout=limits) as session,
            session.get(server.url()) as response,
        ):
            assert response.status == 200


@pytest.mark.virtual_clock
class TestSlowServers:
    @pytest.mark.parametrize("stalls", [False, True])
    async def test_what_the_kernel_holds_moves(self, stalls: bool) -> None:
        """A server that takes a piece now and then is not silent, though all windows are open; one that stalls is."""
        ended = asyncio.Event()

        async def serve(conn: RawConnection) -> None:
            wide = settings_frame([(0x4, MAX_WINDOW)]) + window_frame(
                0, MAX_WINDOW - DEFAULT_WINDOW
            )
            conn.send(wide + SETTINGS_ACK)
            if stalls:
                await conn.read_exactly(100)
                conn.stop_reading()
                await ended.wait()
                return
            request = asyncio.create_task(conn.read_exactly(2**24))
            for _ in range(5):
                conn.stop_reading()
                await asyncio.sleep(4)
                conn.start_reading()
                enough = conn.received + 2**20
                while conn.received < enough:
                    await asyncio.sleep(0)
            await request
            conn.send(b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88")
            await conn.closed()

        async with (
            RawServer(serve) as server,
            ClientSession(http2=KNOWN, timeout=ClientTimeout(sock_read=5)) as session,
        ):
            if stalls:
                with pytest.raises(ReadTimeoutError):
                    await session.post(server.url(), data=bytes(2**24))
            else:
                async with session.post(server.url(), data=bytes(2**24)) as response:
                    assert response.status == 200
            ended.set()


@pytest.mark.virtual_clock
class TestLongCalls:
    """A router between cuts connections on which nothing went for a minute; the answer takes ten."""

    @staticmethod
    async def slow(conn: H2Connection) -> None:
        loop = asyncio.get_running_loop()
        request = await conn.read_request()
        begin = loop.time()
        while loop.time() < begin + 600:
            try:
                async with asyncio.timeout(60):
                    while (await conn.read_frame()).kind != H2Kind.PING:
                        pass
            except TimeoutError:
                conn.raw.close()
                return
        conn.send_headers(request.stream_id, [OK])
        conn.send_data(request.stream_id, b"late", end=True)
        await conn.closed()

    async def test_cut_without_ping(self) -> None:
        """Without a ping the call is lost, and told so."""
        async with (
            H2Server(self.slow) as server,
            ClientSession(http2=KNOWN, timeout=None) as session,
        ):
            with pytest.raises(ServerDisconnectedError):
                await session.get(server.url())

    async def test_kept_by_ping(self) -> None:
        """With one every half minute it is not."""
        connector = TCPConnector(http2_ping=30)
        async with (
            H2Server(self.slow) as server,
            ClientSession(connector=connector, http2=KNOWN, timeout=None) as session,
        ):
            assert await text(session, server, "/") == "late"


@pytest.mark.both_loops
class TestStreams:
    async def test_ids_run_out(self) -> None:
        """Requests go on with a new connection, those at the same time, too."""
        connector = TCPConnector()
        async with (
            H2Server(answers) as server,
            ClientSession(connector=connector, http2=KNOWN) as session,
        ):
            assert await text(session, server, "/0") == "/0"
            (connection,) = connector._sockets.connections
            connection.codec.open_streams.next_id = LAST_ID - 2  # type: ignore[attr-defined]
            for number in range(1, 5):
                assert await text(session, server, f"/{number}") == f"/{number}"
            assert server.connections == 2
            (connection,) = connector._sockets.connections
            connection.codec.open_streams.next_id = LAST_ID - 4  # type: ignore[attr-defined]
            paths = [f"/{number}" for number in range(10)]
            assert await asyncio.gather(*(text(session, server, path) for path in paths)) == paths
            assert server.connections == 3
            now = connector.statistics()
            assert (now.in_use, now.idle, now.waiting) == (0, 1, 0)

    async def test_shown(self) -> None:
        """A connector counts the exchanges on connections that carry several, and shows them."""
        heads = asyncio.Event()

        async def holds(conn: H2Connection) -> None:
            for _ in range(3):
                request = await conn.read_request()
                conn.send_headers(request.stream_id, [OK])
            heads.set()
            await conn.closed()

        connector = TCPConnector()
        async with (
            H2Server(holds) as server,
            ClientSession(connector=connector, http2=KNOWN) as session,
        ):
            responses = [await session.get(server.url()) for _ in range(3)]
            assert connector.statistics().streams == 3
            assert repr(connector).endswith("streams=3>")
            for response in responses:
                response.close()
            assert connector.statistics().streams == 0
            assert "streams" not in repr(connector)

    async def test_early_hints(self) -> None:
        """The fields of 103 responses are the response's ``early_hints``; other interim ones leave nothing."""

        async def hints(conn: H2Connection) -> None:
            request = await conn.read_request()
            for status, link in (("103", "</a.css>"), ("102", "none"), ("103", "</b.js>")):
                conn.send_headers(request.stream_id, [(":status", status), ("link", link)])
            conn.send_headers(request.stream_id, [OK], end=True)
            second = await conn.read_request()
            conn.send_headers(second.stream_id, [OK], end=True)
            await conn.closed()

        async with H2Server(hints) as server, ClientSession(http2=KNOWN) as session:
            async with session.get(server.url()) as response:
                assert [each["Link"] for each in response.early_hints] == ["</a.css>", "</b.js>"]
                assert "Link" not in response.headers
            async with session.get(server.url()) as response:
                assert response.early_hints == ()

    async def test_early_hints_of_http1(self) -> None:
        """The same over HTTP/1.1."""

        async def hints(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(
                b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 P\r\nLink: x\r\n\r\n"
            )
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await conn.closed()

        async with RawServer(hints) as server, ClientSession() as session:
            async with session.get(server.url()) as response:
                assert [dict(each) for each in response.early_hints] == [{"Link": "</a.css>"}]
            async with session.get(server.url()) as response:
                assert response.early_hints == ()


class TestOneExchange:
    """What is known of servers that chose HTTP/1.1."""

    def test_for_a_while(self) -> None:
        """It is known for five minutes, or until a connection says otherwise."""
        known: Http1OnlyKeys[str] = Http1OnlyKeys()
        known.learn("a", 0.0)
        known.learn("b", 0.0)
        assert known.knows("a", KNOWN_FOR - 1)
        assert not known.knows("a", KNOWN_FOR)
        known.forget("b")
        assert not known.knows("b", 1.0)

    def test_bounded(self) -> None:
        """A thousand are known, those that were learned last."""
        known: Http1OnlyKeys[Any] = Http1OnlyKeys()
        for key in range(3000):
            known.learn(key, 0.0)
        assert sum(known.knows(key, 1.0) for key in range(3000)) == 1000
        assert known.knows(2999, 1.0)
