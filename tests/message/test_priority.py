"""``priority=``: how urgent a response is (RFC 9218)."""

import pytest

from aioclient import ClientSession, Priority
from aioclient.testing import H2Connection, H2Server, RawServer

from ..loopback import OK


class TestValue:
    @pytest.mark.parametrize(
        ("priority", "text"),
        [
            (Priority(), "u=3"),
            (Priority(urgency=0), "u=0"),
            (Priority(7, incremental=True), "u=7, i"),
            (Priority(incremental=True), "u=3, i"),
        ],
    )
    def test_text(self, priority: Priority, text: str) -> None:
        """Section 4: a dictionary of structured fields."""
        assert str(priority) == text

    @pytest.mark.parametrize("urgency", [-1, 8, True, 1.0, "1"])
    def test_none_of_these(self, urgency: object) -> None:
        """Section 4.1: 0 to 7."""
        with pytest.raises((TypeError, ValueError), match="urgency"):
            Priority(urgency)  # type: ignore[arg-type]


class TestSent:
    async def test_over_http1(self) -> None:
        """It is a field of the call, before one of the session's; None says nothing."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(headers={"Priority": "u=6"}) as session,
        ):
            await session.get(server.url(), priority=Priority(1))
            await session.get(server.url(), priority=None)
        assert [request.value("Priority") for request in server.requests] == ["u=1", "u=6"]

    async def test_over_http2(self) -> None:
        """The same."""

        async def site(conn: H2Connection) -> None:
            request = await conn.read_request()
            conn.send_headers(request.stream_id, [(":status", "204")], end=True)
            await conn.closed()

        async with H2Server(site) as server, ClientSession(http2="prior-knowledge") as session:
            await session.get(server.url(), priority=Priority(0, incremental=True))
        assert server.requests[0].value("Priority") == "u=0, i"

    async def test_no_priority(self) -> None:
        """Anything else is refused before it is sent."""
        async with ClientSession() as session:
            with pytest.raises(
                TypeError, match=r"priority must be an aioclient\.Priority, found str"
            ):
                await session.get("http://127.0.0.1:1/", priority="u=1")  # type: ignore[arg-type]
