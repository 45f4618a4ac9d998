"""How a connector speaks HTTP/2: ``http2_ping``, ``http2_stream_window``, ``http2_connection_window``."""

import asyncio
from typing import Final

import pytest

from aioclient import ClientSession, ServerTimeoutError, TCPConnector, UnixConnector
from aioclient.testing import H2Connection, H2Kind, H2Server, RawConnection, RawServer

KNOWN: Final = "prior-knowledge"


class TestPing:
    @pytest.mark.rows("H2-15")
    @pytest.mark.virtual_clock
    async def test_a_server_that_is_gone(self) -> None:
        """What does not answer a ping is given up, with all that is under way; nobody waits for the total."""

        async def silent(conn: RawConnection) -> None:
            conn.send(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")  # SETTINGS
            await conn.closed()

        connector = TCPConnector(http2_ping=30)
        async with (
            RawServer(silent) as server,
            ClientSession(connector=connector, http2=KNOWN, timeout=None) as session,
        ):
            results = await asyncio.gather(
                *(session.get(server.url()) for _ in range(3)), return_exceptions=True
            )
            for error in results:
                assert isinstance(error, ServerTimeoutError)
                assert "nothing came within 20 s of a ping (http2_ping=30)" in str(error)
            assert connector.statistics().in_use == 0

    @pytest.mark.both_loops
    async def test_a_server_that_is_slow(self) -> None:
        """One that answers pings may take its time."""

        async def slow(conn: H2Connection) -> None:
            request = await conn.read_request()
            pings = 0
            while pings < 3:
                frame = await conn.read_frame()
                pings += frame.kind == H2Kind.PING
            conn.send_headers(request.stream_id, [(":status", "200")])
            conn.send_data(request.stream_id, b"late", end=True)
            await conn.closed()

        connector = TCPConnector(http2_ping=0.01)
        async with (
            H2Server(slow) as server,
            ClientSession(connector=connector, http2=KNOWN) as session,
            session.get(server.url()) as response,
        ):
            assert await response.text() == "late"

    @pytest.mark.both_loops
    async def test_while_idle(self) -> None:
        """An idle connection is asked, too."""
        pinged = asyncio.Event()

        async def site(conn: H2Connection) -> None:
            request = await conn.read_request()
            conn.send_headers(request.stream_id, [(":status", "204")], end=True)
            while (await conn.read_frame()).kind != H2Kind.PING:
                pass
            pinged.set()
            await conn.closed()

        connector = TCPConnector(http2_ping=0.01)
        async with (
            H2Server(site) as server,
            ClientSession(connector=connector, http2=KNOWN) as session,
        ):
            await (await session.get(server.url())).read()
            assert connector.statistics().idle == 1
            await pinged.wait()


@pytest.mark.both_loops
class TestWindows:
    async def test_what_the_server_is_told(self) -> None:
        """The first SETTINGS and WINDOW_UPDATE say both windows."""
        told: list[tuple[int, int]] = []

        async def site(conn: H2Connection) -> None:
            request = await conn.read_request()
            told.append((conn.send_window, conn.client_settings[4]))
            conn.send_headers(request.stream_id, [(":status", "204")], end=True)
            await conn.closed()

        connector = TCPConnector(http2_stream_window=100_000, http2_connection_window=70_000)
        async with (
            H2Server(site) as server,
            ClientSession(connector=connector, http2=KNOWN) as session,
        ):
            await (await session.get(server.url())).read()
        assert told == [(70_000, 100_000)]


class TestValues:
    @pytest.mark.parametrize(
        ("argument", "value"),
        [
            ("http2_connections", 0),
            ("http2_connections", 1.0),
            ("http2_connections", True),
            ("http2_ping", -1),
            ("http2_ping", "x"),
            ("http2_stream_window", 65_534),
            ("http2_stream_window", 2**31),
            ("http2_stream_window", 1e6),
            ("http2_connection_window", 65_534),
            ("http2_connection_window", True),
        ],
    )
    async def test_none_of_these(self, argument: str, value: object) -> None:
        """What cannot be is refused when the connector is made, by the argument's name."""
        for make in (TCPConnector, lambda **more: UnixConnector("/nowhere", **more)):
            with pytest.raises((TypeError, ValueError), match=argument):
                make(**{argument: value})  # type: ignore[arg-type]
