"""HTTP/2 over a real socket, behind the seam: many exchanges on one connection, and how each of them ends."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import ref

import h2.settings
import pytest
from multidict import CIMultiDict
from yarl import URL

import aioclient
from aioclient import ClientResponse, ClientTimeout
from aioclient.body.iterable import AsyncIterableBody
from aioclient.body.make import MAKER
from aioclient.body.memory import BytesBody
from aioclient.exchange import ALL, NOTHING, Exchange, repeatable
from aioclient.message.headers import DefaultHeaders
from aioclient.message.origin import ConnectionKey
from aioclient.message.request import Request, RequestOptions
from aioclient.protocols.connection import HttpConnection
from aioclient.protocols.http2.connection import BufferedHttp2Connection, Http2Connection
from aioclient.protocols.http2.errors import StreamFailure
from aioclient.protocols.http2.flow import DEFAULT_WINDOW
from aioclient.protocols.http2.frames import settings_frame, window_frame
from aioclient.protocols.http2.settings import LocalSettings
from aioclient.testing import RawConnection, RawServer, turns

from .server import H2Server, Peer

pytestmark = pytest.mark.both_loops

DEFAULTS = DefaultHeaders(CIMultiDict({"User-Agent": "test", "Connection": "keep-alive"}))


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def connection_made(self, connection: HttpConnection) -> None:
        self.told.append("made")

    def connection_idle(self, connection: HttpConnection) -> None:
        self.told.append("idle")

    def room_changed(self, connection: HttpConnection) -> None:
        self.told.append(f"room {connection.room}")

    def connection_closed(self, connection: HttpConnection) -> None:
        self.told.append("closed")

    def connection_gone(self, connection: HttpConnection) -> None:
        self.told.append("gone")


@asynccontextmanager
async def connected(
    server: "H2Server | RawServer",
    local: LocalSettings | None = None,
) -> AsyncIterator[tuple[Http2Connection, Owner]]:
    loop, owner = asyncio.get_running_loop(), Owner()
    key = ConnectionKey("127.0.0.1", server.port, False, True)

    def make() -> Http2Connection:
        if isinstance(loop, asyncio.SelectorEventLoop):
            buffer = memoryview(bytearray(2**18))
            return BufferedHttp2Connection(owner, key, loop, buffer, local)
        return Http2Connection(owner, key, loop, local)

    _, connection = await loop.create_connection(make, "127.0.0.1", server.port)
    try:
        while not connection.codec.ready and isinstance(server, H2Server):
            await asyncio.sleep(0)
        owner.told.clear()
        yield connection, owner
    finally:
        connection.abort()
        while not connection.gone:
            await asyncio.sleep(0)


def exchange(
    path: str = "/",
    body: bytes | AsyncIterator[bytes] | None = None,
    *,
    deadline: float | None = None,
    sock_read: float | None = None,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> Exchange:
    content: Any = None
    if body is not None:
        content = BytesBody(body) if isinstance(body, bytes) else AsyncIterableBody(body)
    options.setdefault("response_class", ClientResponse)
    request = Request(
        "GET" if body is None else "POST",
        URL(f"http://a.test{path}"),
        DEFAULTS,
        CIMultiDict(headers) if headers else None,
        content,
        RequestOptions(bodies=MAKER, **options),
        ClientTimeout(total=1, sock_read=sock_read),
        deadline,
        None,
        None,
        ref(Request),
    )
    return Exchange(request, ConnectionKey("a.test", 80, False, True), 0.0)


async def test_one_request() -> None:
    """A small response comes whole; the connection is idle again and carries the next one."""
    async with H2Server() as server, connected(server) as (connection, owner):
        for number in (1, 2):
            asked = exchange(f"/{number}")
            response = await connection.begin(asked)
            assert (response.status, response.reason, response.version) == (200, "OK", (2, 0))
            assert await response.text() == f"/{number}"
            assert asked.sent is ALL
            assert asked.reused is (number == 2)
            assert asked.timings.total is not None
            assert connection.idle
            assert connection.exchanges == number
        assert owner.told == ["idle"] * 2  # nobody else needs its room
        assert server.peers[0].requests[1] == {
            ":method": "GET",
            ":scheme": "http",
            ":authority": "a.test",
            ":path": "/1",
            "user-agent": "test",
        }


async def test_many_at_a_time() -> None:
    """Hundreds of requests share the connection; each gets its own answer, and they go out in few writes."""
    async with H2Server() as server, connected(server) as (connection, owner):
        waiters = [connection.begin(exchange(f"/echo?{n}", b"%d" % n * 50)) for n in range(100)]
        assert connection.room == 0
        responses = await asyncio.gather(*waiters)
        for number, response in enumerate(responses):
            assert await response.read() == b"%d" % number * 50
        assert connection.room == 100
        assert owner.told[-1] == "idle"
        assert len(server.peers) == 1


async def test_more_than_the_limit() -> None:
    """Who finds no room waits for it, first come first served."""
    async with H2Server(max_streams=2) as server, connected(server) as (connection, _owner):
        waiters = [connection.begin(exchange(f"/{number}")) for number in range(6)]
        assert connection.room == 0
        for number, waiter in enumerate(waiters):
            assert await (await waiter).text() == f"/{number}"
        assert server.seen == [f"/{number}" for number in range(6)]
        assert connection.room == 2


async def test_cancelled_while_it_waits_for_room() -> None:
    """A request that is cancelled before it began leaves nothing behind."""
    async with H2Server(max_streams=1) as server, connected(server) as (connection, _owner):
        first, second, third = exchange("/silent"), exchange("/2"), exchange("/3")
        connection.begin(first)
        waiting = connection.begin(second)
        last = connection.begin(third)
        connection.cancel(second)
        assert waiting.cancelled()
        assert second.sent is NOTHING
        await turns(5)
        connection.cancel(first)
        assert await (await last).text() == "/3"
        assert connection.idle
        assert server.seen == ["/silent", "/3"]


async def test_nothing_is_kept_of_who_waited() -> None:
    """A request that was cancelled while it waited for room is forgotten."""
    async with H2Server(max_streams=1) as server, connected(server) as (connection, _owner):
        silent = exchange("/silent")
        connection.begin(silent)
        waited = exchange("/2")
        connection.begin(waited)
        connection.cancel(waited)
        request = ref(waited.request)
        del waited
        gc.collect()
        assert request() is None
        connection.cancel(silent)


async def test_reserved_room() -> None:
    """Room that is kept is not given away, and comes back when nothing begins."""
    async with H2Server(max_streams=3) as server, connected(server) as (connection, owner):
        connection.reserve()
        connection.reserve()
        assert connection.room == 1
        assert not connection.idle
        one, other = exchange("/1"), exchange("/2")
        connection.cancel(other)
        assert connection.room == 2
        assert await (await connection.begin(one)).text() == "/1"
        assert connection.room == 3
        assert owner.told == ["room 2", "idle"]


async def test_cancel_resets_the_stream() -> None:
    """A cancelled request resets its stream, and the others go on; a thousand leave the count right."""
    async with H2Server() as server, connected(server) as (connection, _owner):
        other = connection.begin(exchange("/silent"))
        for _ in range(20):
            asked = [exchange("/silent") for _ in range(50)]
            for one in asked:
                connection.begin(one)
            await turns(4)
            for one in asked:
                connection.cancel(one)
            assert len(connection.under_way) == 1
            assert connection.room == 99
        await turns(10)
        peer = server.peers[0]
        while len(peer.resets) < 1000:
            await asyncio.sleep(0)
        assert set(peer.resets.values()) == {8}
        peer.answer(1, b"alive")
        assert await (await other).read() == b"alive"


async def test_streamed_body() -> None:
    """A long body goes to a stream; a slow reader holds back its own stream alone."""

    def long(peer: Peer, stream_id: int) -> None:
        peer.answer(stream_id, b"x" * 16_000, end=False)

    local = LocalSettings(stream_window=DEFAULT_WINDOW)
    async with H2Server(long=long) as server, connected(server, local) as (connection, _owner):
        slow = await connection.begin(exchange("/long", read_bufsize=1000))
        peer = server.peers[0]
        peer.h2.send_data(1, b"y" * 16_000)
        peer.flush()
        while peer.h2.local_flow_control_window(1) > 30_000:
            peer.h2.send_data(1, b"z" * 1000)
        peer.flush()
        await turns(10)
        assert connection.codec.streams[1].paused
        for _ in range(20):
            assert await (await connection.begin(exchange("/fast"))).text() == "/fast"
        peer.h2.send_data(1, b"end", end_stream=True)
        peer.flush()
        data = await slow.read()
        assert data.startswith(b"x" * 16_000 + b"y" * 16_000 + b"z")
        assert data.endswith(b"zend")
        assert connection.idle


async def test_trailers() -> None:
    """Trailers are kept apart; those that would change the head are left out."""

    def trailers(peer: Peer, stream_id: int) -> None:
        peer.answer(stream_id, b"body", end=False)
        peer.h2.send_headers(
            stream_id, [("grpc-status", "0"), ("content-type", "x")], end_stream=True
        )

    async with H2Server(trailers=trailers) as server, connected(server) as (connection, _owner):
        response = await connection.begin(exchange("/trailers"))
        assert await response.read() == b"body"
        assert list(response.trailers.items()) == [("grpc-status", "0")]


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


async def test_upload_of_unknown_length() -> None:
    """A body that comes in pieces waits for the server's window, and arrives whole."""
    async with H2Server() as server, connected(server) as (connection, _owner):
        asked = exchange("/size", pieces(*[b"%05d" % number * 4000 for number in range(20)]))
        response = await connection.begin(asked)
        assert await response.text() == "/size"
        assert asked.sent is ALL
        assert len(server.peers[0].bodies[1]) == 400_000
        assert "transfer-encoding" not in server.peers[0].requests[1]
        assert asked.timings.send is not None


async def test_large_body_in_memory() -> None:
    """A large body in memory goes out as the windows allow."""
    async with H2Server() as server, connected(server) as (connection, _owner):
        response = await connection.begin(exchange("/size", bytes(3_000_000)))
        assert response.status == 200
        assert len(server.peers[0].bodies[1]) == 3_000_000
        response.close()


async def test_source_that_fails() -> None:
    """A body that cannot be read resets its stream; others go on."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    async with H2Server() as server, connected(server) as (connection, _owner):
        with pytest.raises(aioclient.ClientConnectionError, match="ZeroDivisionError"):
            await connection.begin(exchange("/echo", broken()))
        assert await (await connection.begin(exchange("/1"))).text() == "/1"
        assert server.peers[0].resets == {1: 8}


async def test_expect_continue() -> None:
    """A body that waits for 100 Continue goes out when it came."""

    class Continuing(H2Server):
        def heard(self, peer: Peer, stream_id: int, what: str) -> None:
            if what == "head":
                assert peer.requests[stream_id]["expect"] == "100-continue"
                peer.h2.send_headers(stream_id, [(":status", "100")])
                peer.flush()
            super().heard(peer, stream_id, what)

    async with Continuing() as server, connected(server) as (connection, _owner):
        asked = exchange("/echo", b"body", expect100=True, expect100_timeout=None)
        assert await (await connection.begin(asked)).read() == b"body"


async def test_early_answer() -> None:
    """An answer within an upload ends the upload, and the connection goes on."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield bytes(1000)

    async with H2Server() as server, connected(server) as (connection, _owner):
        response = await connection.begin(exchange("/early", endless()))
        assert await response.text() == "/early"
        assert connection.idle
        assert await (await connection.begin(exchange("/1"))).text() == "/1"
        assert server.peers[0].resets == {1: 8}


async def test_released() -> None:
    """A response that is released, closed or dropped resets its stream and leaves the connection alive."""

    def long(peer: Peer, stream_id: int) -> None:
        peer.answer(stream_id, b"x", end=False)

    async with H2Server(long=long) as server, connected(server) as (connection, _owner):
        released = await connection.begin(exchange("/long"))
        released.release()
        closed = await connection.begin(exchange("/long"))
        closed.close()
        with pytest.raises(aioclient.ClientConnectionError):
            await closed.read()
        dropped = exchange("/long")
        response = await connection.begin(dropped)
        response._lease.warns = False  # type: ignore[union-attr]
        del response
        gc.collect()
        await turns(5)
        assert connection.idle
        while len(server.peers[0].resets) < 3:
            await asyncio.sleep(0)
        assert await (await connection.begin(exchange("/1"))).text() == "/1"


async def test_reset_by_the_server() -> None:
    """RST_STREAM before a response is a disconnect, within one an incomplete body; REFUSED_STREAM can be told."""

    def refused(peer: Peer, stream_id: int) -> None:
        peer.h2.reset_stream(stream_id, 7)
        peer.flush()

    def half(peer: Peer, stream_id: int) -> None:
        peer.answer(stream_id, b"half", end=False)
        peer.h2.reset_stream(stream_id, 2)
        peer.flush()

    async with H2Server(refused=refused, half=half) as server, connected(server) as (connection, _):
        with pytest.raises(aioclient.ServerDisconnectedError, match="REFUSED_STREAM") as caught:
            await connection.begin(exchange("/refused"))
        cause = caught.value.__cause__
        assert isinstance(cause, StreamFailure)
        assert cause.unprocessed
        response = await connection.begin(exchange("/half"))
        with pytest.raises(aioclient.IncompleteBodyError, match="after 4 bytes"):
            await response.read()
        assert await (await connection.begin(exchange("/1"))).text() == "/1"


async def test_malformed_response() -> None:
    """A malformed response fails its request, and no other."""

    def bad(peer: Peer, stream_id: int) -> None:
        peer.h2.config.validate_outbound_headers = False
        peer.h2.config.normalize_outbound_headers = False
        peer.h2.send_headers(
            stream_id, [(":status", "200"), ("connection", "close")], end_stream=True
        )
        peer.flush()

    async with H2Server(bad=bad) as server, connected(server) as (connection, _owner):
        with pytest.raises(aioclient.ServerProtocolError, match=r"connection.*section 8\.2\.2"):
            await connection.begin(exchange("/bad"))
        assert await (await connection.begin(exchange("/1"))).text() == "/1"


async def test_goaway() -> None:
    """After GOAWAY those below its last stream end well, those above it are told, and the connection closes."""

    def leaving(peer: Peer, stream_id: int) -> None:
        peer.answer(1, b"begin ", end=False)
        peer.transport.write(bytes((0, 0, 8, 7, 0, 0, 0, 0, 0)) + bytes((0, 0, 0, 1)) + bytes(4))

    async with H2Server(leaving=leaving) as server, connected(server) as (connection, owner):
        first, second = (
            connection.begin(exchange("/silent")),
            connection.begin(exchange("/leaving")),
        )
        with pytest.raises(aioclient.ServerDisconnectedError) as caught:
            await second
        assert isinstance(caught.value.__cause__, StreamFailure)
        assert caught.value.__cause__.unprocessed
        assert connection.ended
        assert connection.room == 0
        late = exchange("/1")
        with pytest.raises(aioclient.ServerDisconnectedError, match="before the request was sent"):
            connection.begin(late)
        assert late.reused  # it may be repeated
        response = await first
        server.peers[0].h2.send_data(1, b"end", end_stream=True)
        server.peers[0].flush()
        assert await response.read() == b"begin end"
        while not connection.gone:
            await asyncio.sleep(0)
        assert owner.told.count("closed") == owner.told.count("gone") == 1
        assert "idle" not in owner.told


async def test_server_closes() -> None:
    """A connection that ends fails what is under way on it, whether it waits, reads or sends."""

    def long(peer: Peer, stream_id: int) -> None:
        peer.answer(stream_id, b"half", end=False, content_length="8")

    async with H2Server(long=long) as server, connected(server) as (connection, owner):
        waiting = connection.begin(exchange("/silent"))
        response = await connection.begin(exchange("/long"))
        server.peers[0].transport.close()
        with pytest.raises(aioclient.ServerDisconnectedError, match="without a response"):
            await waiting
        with pytest.raises(aioclient.IncompleteBodyError, match="4 of 8 bytes"):
            await response.read()
        while not connection.gone:
            await asyncio.sleep(0)
        assert owner.told[-2:] == ["closed", "gone"]
        assert connection.idle
        assert connection.broken


async def test_broken_by_the_server_while_one_waits() -> None:
    """Who waits for room when the server breaks a rule was not sent, and may be repeated."""

    def wrong(peer: Peer, stream_id: int) -> None:
        peer.transport.write(b"\x00\x00\x00\x01\x04\x00\x00\x00\x00")  # HEADERS on stream 0

    async with (
        H2Server(max_streams=1, wrong=wrong) as server,
        connected(server) as (connection, _owner),
    ):
        first = connection.begin(exchange("/wrong"))
        asked = exchange("/2")
        waiting = connection.begin(asked)
        with pytest.raises(aioclient.ServerProtocolError):
            await first
        with pytest.raises(aioclient.ClientOSError, match=r"before the request was sent.*stream 0"):
            await waiting
        assert repeatable(asked)


async def test_not_http2() -> None:
    """A server that answers in HTTP/1.1 is told at once."""

    async def http1(conn: RawConnection) -> None:
        conn.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await conn.closed()

    async with RawServer(http1) as server, connected(server) as (connection, _owner):
        with pytest.raises(aioclient.ServerProtocolError, match=r"answers in HTTP/1\.1"):
            await connection.begin(exchange("/1"))
        assert connection.broken


async def test_limit_lowered_in_flight() -> None:
    """A limit that is lowered below what is in flight makes the next ones wait, and no deadlock."""

    def lowering(peer: Peer, stream_id: int) -> None:
        peer.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        peer.answer(stream_id)

    async with H2Server(lowering=lowering) as server, connected(server) as (connection, owner):
        silent = [exchange("/silent") for _ in range(3)]
        for one in silent:
            connection.begin(one)
        assert await (await connection.begin(exchange("/lowering"))).text() == "ok"
        assert connection.room == 0
        assert owner.told[-1] == "room 0"
        waiting = connection.begin(exchange("/1"))
        for one in silent:
            assert not waiting.done()
            connection.cancel(one)
        assert await (await waiting).text() == "/1"
        assert connection.room == 1


async def test_nothing_is_taken_while_the_server_does_not_read() -> None:
    """While the transport's buffer is full, bodies stay what they are, and are sent when there is room."""

    async def deaf(conn: RawConnection) -> None:
        conn.send(settings_frame([(0x4, 2**30), (0x5, 2**14)]) + window_frame(0, 2**30))
        await conn.read_exactly(100)
        conn.stop_reading()
        await asyncio.Event().wait()

    async with RawServer(deaf) as server, connected(server) as (connection, _owner):
        asked = exchange("/", bytes(50_000_000))
        waiter = connection.begin(asked)
        while not connection.codec.ready:
            await asyncio.sleep(0)
        await turns(50)
        upload = connection.codec.streams[1].upload
        assert upload is not None
        assert upload.unsent > 20_000_000
        assert connection.transport is not None
        assert connection.transport.get_write_buffer_size() < 2**20
        connection.cancel(asked)
        assert waiter.cancelled()


async def test_retired() -> None:
    """A retired connection carries what is under way to its end, takes nothing more, and closes."""
    async with H2Server() as server, connected(server) as (connection, owner):
        waiter = connection.begin(exchange("/silent"))
        connection.retire()
        assert owner.told[-1] == "closed"
        assert connection.room == 0
        await turns(5)
        server.peers[0].answer(1, b"late")
        assert await (await waiter).read() == b"late"
        while not connection.gone:
            await asyncio.sleep(0)
        assert owner.told.count("closed") == 1


async def test_closed_by_us() -> None:
    """Closing says GOAWAY, and fails what is under way."""
    async with H2Server() as server, connected(server) as (connection, owner):
        waiter = connection.begin(exchange("/silent"))
        await turns(3)
        connection.close()
        with pytest.raises(aioclient.ClientConnectionError, match="the connection was closed"):
            await waiter
        await server.gone.wait()
        assert owner.told[-1] in ("closed", "gone")


class Refusing(ClientResponse):
    def __init__(self, *arguments: Any) -> None:
        raise LookupError("not me")


async def test_response_class_that_raises() -> None:
    """What a response class raises is the caller's, and nobody else's."""
    async with H2Server() as server, connected(server) as (connection, _owner):
        other = connection.begin(exchange("/other"))
        with pytest.raises(LookupError, match="not me"):
            await connection.begin(exchange("/1", response_class=Refusing))
        assert await (await other).text() == "/other"
        assert connection.idle


async def test_refused_before_it_is_sent() -> None:
    """What cannot be sent raises, leaves the room as it was, and does so too while there is no room."""
    async with H2Server(max_streams=1) as server, connected(server) as (connection, _owner):
        silent = exchange("/silent")
        for full in (False, True):
            if full:
                connection.begin(silent)
            connection.reserve()
            asked = exchange("/", headers={"Upgrade": "h2c"})
            with pytest.raises(ValueError, match="upgrade"):
                connection.begin(asked)
            connection.cancel(asked)
            assert connection.room == (0 if full else 1)
        with pytest.raises(ValueError, match="http10"):
            connection.begin(exchange("/", http10=True))
        assert connection.under_way == (silent,)
        connection.cancel(silent)
        assert connection.idle


@pytest.mark.virtual_clock
class TestTime:
    async def test_limits(self) -> None:
        """Each exchange has its own limits, and one timer looks after all of them."""
        async with H2Server() as server, connected(server) as (connection, _owner):
            now = asyncio.get_running_loop().time()
            late = connection.begin(exchange("/silent", deadline=now + 30))
            silent = connection.begin(exchange("/silent", sock_read=5))
            total = connection.begin(exchange("/silent", deadline=now + 10))
            with pytest.raises(aioclient.ReadTimeoutError, match="no response"):
                await silent
            with pytest.raises(aioclient.TotalTimeoutError, match="no response"):
                await total
            assert len(connection.under_way) == 1
            with pytest.raises(aioclient.TotalTimeoutError):
                await late
            assert connection.idle
