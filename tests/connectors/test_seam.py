"""The seam of protocols: what a connector asks of a connection does not depend on what is spoken on it."""

import asyncio

import pytest
from yarl import URL

from aioclient import ClientConnectorSSLError, ClientSession, ServerDisconnectedError, TCPConnector
from aioclient.exchange import Exchange
from aioclient.testing import RawConnection, RawServer, turns

from ..servers.certificates import Certificates
from .many import ManyConnection, maker

pytestmark = pytest.mark.both_loops


async def lines(conn: RawConnection) -> None:
    """Answer ``number target``: what ends with ``/hold`` gets a head and one piece, ``/never`` nothing."""
    while True:
        number, target = (await conn.read_until(b"\n")).decode().split()
        if target == "reset" or target.endswith("/never"):
            continue
        conn.send(f"{number} head\n{number} data {target}\n".encode())
        if target == "/gone":
            conn.reset()
            return
        if not target.endswith("/hold"):
            conn.send(f"{number} end\n".encode())


def connector_for(made: list[ManyConnection], name: str = "http/1.1") -> TCPConnector:
    connector = TCPConnector()
    connector._dialler.protocols[name] = maker(connector._driver._weak_self, made)
    return connector


class TestSeam:
    async def test_one_at_a_time(self) -> None:
        """A session sends on it as on HTTP/1.1: the pool takes it back when it is idle, and uses it again."""
        made: list[ManyConnection] = []
        async with (
            RawServer(lines) as server,
            ClientSession(connector=connector_for(made)) as session,
        ):
            for target in ("/a", "/b"):
                async with session.get(server.url(target)) as response:
                    assert await response.text() == target
            assert session.connector is not None
            assert session.connector.statistics().idle == 1
            assert server.connections == len(made) == 1
            assert made[0].sent == ["1 /a", "2 /b"]

    async def test_many_at_a_time(self) -> None:
        """A hundred exchanges on one socket; those that are cancelled, let go or dropped leave the others alone."""
        made: list[ManyConnection] = []
        async with (
            RawServer(lines) as server,
            ClientSession(connector=connector_for(made)) as session,
        ):
            response = await session.get(server.url("/hold"))
            (connection,) = made
            assert connection.under_way[0].is_unread_by(asyncio.current_task())
            request = response.request

            def begin(path: str) -> "tuple[Exchange, asyncio.Future[object]]":
                copied = request.copy()
                copied.url = URL(server.url(path))
                exchange = Exchange(copied, connection.key, 0.0)
                connection.reserve()
                return exchange, connection.begin(exchange)  # type: ignore[return-value]

            begun = [
                begin(f"/{number}/{'hold' if number % 2 else 'never'}") for number in range(98)
            ]
            assert connection.room == 1
            for exchange, future in begun[::2]:
                connection.cancel(exchange)
                assert future.done()
            answers = [await future for _, future in begun[1::2]]
            last, future = begin("/whole")
            whole = await future
            assert await whole.read() == b"/whole"  # type: ignore[attr-defined]
            assert connection.room == 50
            assert last.ended is not None
            for answer in answers[:-1]:
                answer.release()  # type: ignore[attr-defined]
            assert [each.request.url.path for each in connection.under_way] == ["/hold", "/97/hold"]
            assert sum(line.endswith("reset") for line in connection.sent) == 97
            answers[-1].close()  # type: ignore[attr-defined]
            response.close()
            assert connection.idle
            assert server.connections == 1

    async def test_the_end_of_all(self) -> None:
        """A connection that is lost ends all of its exchanges, each with an error of its own."""
        made: list[ManyConnection] = []
        async with (
            RawServer(lines) as server,
            ClientSession(connector=connector_for(made)) as session,
        ):
            response = await session.get(server.url("/hold"))
            (connection,) = made
            copied = response.request.copy()
            copied.url = URL(server.url("/gone"))
            connection.reserve()
            future = connection.begin(Exchange(copied, connection.key, 0.0))
            other = await future
            for each in (response, other):
                with pytest.raises(ServerDisconnectedError):
                    await each.read()
            assert connection.ended
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    async def test_retired(self) -> None:
        """It carries no other exchange, leaves its slot at once, and closes behind the last of those under way."""
        made: list[ManyConnection] = []
        async with (
            RawServer(lines) as server,
            ClientSession(connector=connector_for(made)) as session,
        ):
            response = await session.get(server.url("/hold"))
            assert response.connection is not None
            response.connection.detach()
            assert made[0].room == 0
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
            ended = [made[0].ended]
            response.close()
            ended.append(made[0].ended)
            assert ended == [False, True]
            async with session.get(server.url("/a")) as again:
                assert await again.text() == "/a"
            assert len(made) == 2

    async def test_closed_with_its_connector(self) -> None:
        """The connector aborts what carries exchanges."""
        made: list[ManyConnection] = []
        async with RawServer(lines) as server:
            session = ClientSession(connector=connector_for(made))
            response = await session.get(server.url("/hold"))
            await session.close()
            assert made[0].ended
            assert response.closed


class TestChoice:
    """What is spoken is chosen when the handshake is done, by ALPN (RFC 7301)."""

    @pytest.mark.parametrize("chosen", ["lines", "http/1.1", None])
    async def test_by_the_handshake(self, certificates: Certificates, chosen: str | None) -> None:
        """The class of the connection is that of the protocol that the server chose; HTTP/1.1 if it chose none."""
        made: list[ManyConnection] = []

        async def site(conn: RawConnection) -> None:
            if chosen == "lines":
                await lines(conn)
                return
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/a")

        side = certificates.server_context()
        if chosen is not None:
            side.set_alpn_protocols([chosen])
        context = certificates.client_context()
        context.set_alpn_protocols(["lines", "http/1.1"])
        async with (
            RawServer(site, ssl=side) as server,
            ClientSession(connector=connector_for(made, "lines")) as session,
            session.get(server.url("/a"), ssl=context) as response,
        ):
            assert await response.text() == "/a"
            assert len(made) == (1 if chosen == "lines" else 0)

    async def test_what_nobody_speaks(self, certificates: Certificates) -> None:
        """A protocol that ALPN chose and nobody here speaks is refused, and the connection closed."""
        side = certificates.server_context()
        side.set_alpn_protocols(["h2"])
        context = certificates.client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        async with RawServer(lines, ssl=side) as server, ClientSession() as session:
            with pytest.raises(ClientConnectorSSLError, match="ALPN chose 'h2'"):
                await session.get(server.url("/a"), ssl=context)

    async def test_what_comes_right_behind_the_handshake(self, certificates: Certificates) -> None:
        """Its first bytes are not lost, although nobody could know who reads them."""
        made: list[ManyConnection] = []

        async def eager(conn: RawConnection) -> None:
            conn.send(b"0 most 7\n")
            await lines(conn)

        side = certificates.server_context()
        side.set_alpn_protocols(["lines"])
        context = certificates.client_context()
        context.set_alpn_protocols(["lines"])
        async with (
            RawServer(eager, ssl=side) as server,
            ClientSession(connector=connector_for(made, "lines")) as session,
            session.get(server.url("/a"), ssl=context) as response,
        ):
            assert await response.text() == "/a"
            await turns(2)
            assert made[0].most == 7


class TestBadInput:
    async def test_before_a_dial(self) -> None:
        """What must not reach the wire is refused before a connection is made for it."""
        async with RawServer(lines) as server, ClientSession() as session:
            with pytest.raises(ValueError, match="Content-Length"):
                await session.get(server.url(), headers={"Content-Length": "5"})
            assert server.connections == 0

    async def test_on_a_connection_of_the_pool(self) -> None:
        """Nothing of it is sent, and the connection goes back to the pool."""

        async def ok(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        async with RawServer(ok) as server, ClientSession() as session:
            await (await session.get(server.url())).read()
            for _ in range(3):
                with pytest.raises(ValueError, match="Content-Length"):
                    await session.get(server.url(), headers={"Content-Length": "5"})
            assert session.connector is not None
            assert (session.connector.statistics().in_use, session.connector.statistics().idle) == (
                0,
                1,
            )
            await (await session.get(server.url())).read()
            assert server.connections == 1
            assert len(server.requests) == 2
