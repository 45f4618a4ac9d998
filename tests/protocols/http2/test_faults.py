"""What clients of HTTP/2 in use have got wrong, and what hostile servers do: staged on a wire, met by a session.

Each bug has a test with its name. The server is strict (see `aioclient.testing.H2Server`): whatever a test is about, a
frame of the client that RFC 9113 does not allow fails it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector
from aioclient.testing import H2Code, H2Connection, H2Kind, H2Server, H2Setting, turns

pytestmark = pytest.mark.both_loops

OK = (":status", "200")
LIMIT = H2Setting.MAX_CONCURRENT_STREAMS
WINDOW = H2Setting.INITIAL_WINDOW_SIZE
MIB = 2**20

Script = Callable[[H2Connection], Awaitable[None]]


@contextlib.asynccontextmanager
async def talk(
    script: Script, settings: dict[int, int] | None = None, **more: Any
) -> AsyncIterator[tuple[ClientSession, H2Server]]:
    """A session that knows that the server speaks HTTP/2."""
    async with (
        H2Server(script, settings=settings or {}) as server,
        ClientSession(http2="prior-knowledge", connector=TCPConnector(), **more) as session,
    ):
        yield session, server


async def fetch(session: ClientSession, server: H2Server, path: str = "/", **more: Any) -> bytes:
    method = more.pop("method", "GET")
    async with session.request(method, server.url(path), **more) as response:
        assert response.status == 200
        return await response.read()


async def answers(conn: H2Connection) -> None:
    """Answer each request with its path and the size of its body."""
    while True:
        request = await conn.read_request()
        await conn.respond(request.stream_id, body=f"{request.target} {len(request.body)}".encode())


async def heads(conn: H2Connection, count: int) -> list[int]:
    return [(await conn.read_request(body=False)).stream_id for _ in range(count)]


async def answer_first(conn: H2Connection) -> None:
    """Answer the request by which the client gets to know the server's SETTINGS."""
    request = await conn.read_request()
    await conn.respond(request.stream_id)


async def cancelled(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, asyncio.CancelledError)


async def uploaded(session: ClientSession, server: H2Server, size: int) -> bytes:
    return await fetch(session, server, method="POST", data=bytes(size))


class TestStreams:
    async def test_limit_lowered_below_what_is_in_flight(self) -> None:
        """The server lowers its limit while more streams are open: the others wait, and all are answered."""

        async def script(conn: H2Connection) -> None:
            await answer_first(conn)
            first = await heads(conn, 10)
            conn.send_settings({LIMIT: 2})
            for stream_id in first:
                await conn.respond(stream_id, body=b"/ 0")
            await answers(conn)

        async with talk(script, {LIMIT: 10}) as (session, server):
            await fetch(session, server)
            bodies = await asyncio.gather(*(fetch(session, server) for _ in range(30)))
            assert bodies == [b"/ 0"] * 30 and server.connections == 1

    async def test_limit_raised_in_flight(self) -> None:
        """Those that wait go on as soon as the server allows more."""

        async def script(conn: H2Connection) -> None:
            await answer_first(conn)
            first = await heads(conn, 1)
            conn.send_settings({LIMIT: 5})
            for stream_id in first + await heads(conn, 4):
                await conn.respond(stream_id)
            await conn.closed()

        async with talk(script, {LIMIT: 1}) as (session, server):
            await fetch(session, server)
            await asyncio.gather(*(fetch(session, server) for _ in range(5)))
            assert server.connections == 1

    async def test_cancelled_requests_leave_the_count_right(self) -> None:
        """A thousand requests cancelled before END_STREAM give their places back: no '5 of 5 streams open'."""
        seen: asyncio.Queue[int] = asyncio.Queue()

        async def script(conn: H2Connection) -> None:
            await answer_first(conn)
            for _ in range(1000):
                seen.put_nowait((await conn.read_request()).stream_id)
            for stream_id in await heads(conn, 5):
                await conn.respond(stream_id)
            await conn.closed()

        async with talk(script, {LIMIT: 5}) as (session, server):
            await fetch(session, server)
            for _ in range(200):
                tasks = [asyncio.create_task(fetch(session, server)) for _ in range(5)]
                for _ in tasks:
                    await seen.get()
                await cancelled(*tasks)
            await asyncio.gather(*(fetch(session, server) for _ in range(5)))
            assert server.connections == 1

    async def test_a_cancelled_request_is_reset(self) -> None:
        """The server is told at once, and what it had sent does not starve live streams."""
        rounds = 20  # of 1 MiB each, the window of a stream; that of the connection has 16
        sent = asyncio.Event()

        async def script(conn: H2Connection) -> None:
            for _ in range(rounds):
                (stream_id,) = await heads(conn, 1)
                conn.send_headers(stream_id, [OK])
                await fill(conn, stream_id)
                sent.set()
                reset = await conn.read_frame(H2Kind.RST_STREAM)
                assert (reset.stream_id, reset.code) == (stream_id, H2Code.CANCEL)
            await answers(conn)

        async with talk(script) as (session, server):
            for _ in range(rounds):
                async with session.get(server.url("/")):
                    await sent.wait()
                    sent.clear()
            assert await fetch(session, server) == b"/ 0"
            assert server.connections == 1

    async def test_the_pool_recovers_from_the_limit(self) -> None:
        """Requests that waited at the limit and gave up leave the connection as it was."""
        release = asyncio.Event()

        async def script(conn: H2Connection) -> None:
            await answer_first(conn)
            (first,) = await heads(conn, 1)
            await release.wait()
            await conn.respond(first)
            await answers(conn)

        async with talk(script, {LIMIT: 1}) as (session, server):
            await fetch(session, server)
            tasks = [asyncio.create_task(fetch(session, server)) for _ in range(10)]
            await turns(10)
            await cancelled(*tasks[1:])
            release.set()
            await tasks[0]
            bodies = await asyncio.gather(*(fetch(session, server) for _ in range(10)))
            assert bodies == [b"/ 0"] * 10 and server.connections == 1

    async def test_requests_in_a_row(self) -> None:
        """No second request is a protocol error: each has the next stream, whatever its fields."""
        async with talk(answers) as (session, server):
            for number in range(20):
                fields = {f"X-{number}": str(number), "X-Same": "same"}
                body = await fetch(session, server, f"/{number}", headers=fields)
                assert body == f"/{number} 0".encode()
            assert [request.stream_id for request in server.requests] == list(range(1, 40, 2))
            assert server.requests[7].value("x-7") == "7"

    async def test_the_real_error(self) -> None:
        """When a connection fails, each of its requests says why; frames for unknown streams hide nothing."""

        async def script(conn: H2Connection) -> None:
            streams = await heads(conn, 3)
            conn.send_headers(streams[0], [OK])
            conn.send_data(streams[0], b"some")
            await conn.respond(streams[1])
            conn.window_update(streams[1], 10)
            conn.reset_stream(streams[1], H2Code.NO_ERROR)
            conn.send_frame(H2Kind.DATA, 0, 0, b"on the connection")
            await conn.closed()

        async with talk(script) as (session, server):
            results = await asyncio.gather(
                *(fetch(session, server) for _ in range(3)), return_exceptions=True
            )
            assert results[1] == b""
            for result in (results[0], results[2]):
                assert isinstance(result, aioclient.ClientError)
                assert "DATA" in str(result) and "PROTOCOL_ERROR" in str(result)


async def fill(conn: H2Connection, stream_id: int) -> None:
    """Send as much of a body as the client takes."""
    while (allowed := conn.allowed(stream_id)) > 0:
        conn.send_data(stream_id, bytes(allowed))
        await conn.raw.drain()


class TestWindows:
    async def test_a_window_that_another_task_read(self) -> None:
        """Uploads that wait for the connection's window go on, whichever read the update."""

        async def script(conn: H2Connection) -> None:
            conn.gives_windows = False
            requests = [await conn.read_request(body=False) for _ in range(3)]
            for _ in range(3):  # what the connection's first window allows, shared
                await conn.read_frame(H2Kind.DATA)
            for request in requests:
                conn.window_update(request.stream_id, 200_000)
            conn.window_update(0, 600_000)
            for request in requests:
                body = (await conn.read_body(request)).body
                await conn.respond(request.stream_id, body=str(len(body)).encode())
            await conn.closed()

        async with talk(script) as (session, server):
            bodies = await asyncio.gather(*(uploaded(session, server, 150_000) for _ in range(3)))
            assert bodies == [b"150000"] * 3

    async def test_negative_window(self) -> None:
        """A window that SETTINGS made negative is waited for, until updates make it positive."""

        async def script(conn: H2Connection) -> None:
            conn.gives_windows = False
            head = await conn.read_request(body=False)
            conn.window_update(0, MIB)
            left = 65_535
            while left:
                left -= len((await conn.read_frame(H2Kind.DATA)).payload)
            conn.send_settings({WINDOW: 1000})
            await conn.read_frame(H2Kind.SETTINGS)  # the client's own, and
            await conn.read_frame(H2Kind.SETTINGS)  # its acknowledgements of the first
            await conn.read_frame(H2Kind.SETTINGS)  # and of the second
            assert conn.streams[head.stream_id].receive_window == 1000 - 65_535
            conn.window_update(head.stream_id, 64_535)
            conn.ping()
            await conn.read_frame(H2Kind.PING)
            assert conn.streams[head.stream_id].receive_window == 0
            conn.window_update(head.stream_id, 1)
            assert len((await conn.read_frame(H2Kind.DATA)).payload) == 1
            conn.send_settings({WINDOW: 100_000})
            body = (await conn.read_body(head)).body
            await conn.respond(head.stream_id, body=str(len(body)).encode())
            await conn.closed()

        async with talk(script) as (session, server):
            assert await uploaded(session, server, 150_000) == b"150000"

    async def test_a_window_that_changes_as_a_request_ends(self) -> None:
        """INITIAL_WINDOW changes while the last piece goes out, and after it: no request waits for ever."""

        async def script(conn: H2Connection) -> None:
            while True:
                head = await conn.read_request(body=False)
                conn.send_settings({WINDOW: 0})
                conn.send_settings({WINDOW: 20_000})
                body = (await conn.read_body(head)).body
                conn.send_settings({WINDOW: 1})
                await conn.respond(head.stream_id, body=str(len(body)).encode())
                conn.send_settings({WINDOW: 65_535})

        async with talk(script) as (session, server):
            for size in (1, 20_000, 65_535, 65_536, 300_000) * 3:
                assert await uploaded(session, server, size) == str(size).encode()
            bodies = await asyncio.gather(*(uploaded(session, server, 70_000) for _ in range(10)))
            assert bodies == [b"70000"] * 10

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_a_body_larger_than_the_window(self, streamed: bool) -> None:
        """It goes out as the server gives its window back."""

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield bytes(100_000)

        data = pieces() if streamed else bytes(3_000_000)
        async with talk(answers) as (session, server):
            assert await fetch(session, server, method="POST", data=data) == b"/ 3000000"

    async def test_a_large_body_is_not_copied_again_and_again(self) -> None:
        """Thousands of windows cost as much as so many times one: the square of that would not end in time."""
        size = 256 * MIB
        received = 0

        async def script(conn: H2Connection) -> None:
            nonlocal received
            head = await conn.read_request(body=False)
            body = await conn.read_body(head)
            received = len(body.body)
            await conn.respond(head.stream_id)
            await conn.closed()

        async with talk(script) as (session, server):
            await uploaded(session, server, size)
            assert received == size

    async def test_a_slow_reader_does_not_starve_a_fast_one(self) -> None:
        """A response that nobody reads holds its own window, and no other's."""

        async def script(conn: H2Connection) -> None:
            (slow,) = await heads(conn, 1)
            conn.send_headers(slow, [OK])
            await fill(conn, slow)
            for _ in range(20):
                (fast,) = await heads(conn, 1)
                await conn.respond(fast, body=bytes(MIB))
            await conn.send_body(slow, b"end")
            await conn.closed()

        async with talk(script) as (session, server):
            async with session.get(server.url("/slow")) as slow:
                for _ in range(20):
                    assert len(await fetch(session, server)) == MIB
                body = await slow.read()
            assert body.endswith(b"\0end") and len(body) == MIB + 3

    async def test_reading_one_stream_does_not_starve_the_loop(self) -> None:
        """While a response comes without end, other tasks run, and send their requests."""

        async def script(conn: H2Connection) -> None:
            (endless,) = await heads(conn, 1)
            conn.send_headers(endless, [OK])

            async def send() -> None:
                with contextlib.suppress(ConnectionError):
                    while True:
                        await conn.send_body(endless, bytes(10_000), end=False)
                        await asyncio.sleep(0)

            sending = asyncio.create_task(send())
            (quick,) = await heads(conn, 1)
            await conn.respond(quick)
            await sending

        async def read(session: ClientSession, server: H2Server) -> None:
            async with session.get(server.url("/endless")) as response:
                async for _ in response.content.iter_any():
                    pass

        async with talk(script) as (session, server):
            reading = asyncio.create_task(read(session, server))
            await turns(20)
            await fetch(session, server)
            assert not reading.done()
            await cancelled(reading)


class TestEnds:
    async def test_goaway_leaves_earlier_streams_whole(self) -> None:
        """Streams up to the last one are read to their end, what was buffered included."""

        async def script(conn: H2Connection) -> None:
            if conn.index:
                await answers(conn)
            streams = await heads(conn, 2)
            for stream_id in streams:
                conn.send_headers(stream_id, [OK])
                conn.send_data(stream_id, b"before ")
            conn.goaway(streams[-1], H2Code.NO_ERROR)
            for stream_id in streams:
                conn.send_data(stream_id, b"after", end=True)
            conn.raw.close()

        async with talk(script) as (session, server):
            one, two = await asyncio.gather(session.get(server.url()), session.get(server.url()))
            await turns(20)
            assert (await one.read(), await two.read()) == (b"before after", b"before after")
            assert await fetch(session, server) == b"/ 0"
            assert server.connections == 2

    async def test_closed_between_requests(self) -> None:
        """A server that closes an idle connection: the next request goes by a new one, with no error."""

        async def script(conn: H2Connection) -> None:
            await answer_first(conn)
            if conn.index % 2:
                conn.goaway(1)
            conn.raw.close()

        async with talk(script) as (session, server):
            for _ in range(10):
                await fetch(session, server)
                await turns(10)
            assert server.connections == 10

    async def test_pings_while_idle(self) -> None:
        """PINGs of the server are answered while nothing else happens, and the connection is used again."""
        idle = asyncio.Event()

        async def script(conn: H2Connection) -> None:
            await answer_first(conn)
            for number in range(50):
                conn.ping(number.to_bytes(8, "big"))
                answer = await conn.read_frame(H2Kind.PING)
                assert (answer.flags, answer.payload) == (1, number.to_bytes(8, "big"))
            idle.set()
            await answers(conn)

        async with talk(script) as (session, server):
            await fetch(session, server)
            await idle.wait()
            assert await fetch(session, server) == b"/ 0" and server.connections == 1

    async def test_leaving_early(self) -> None:
        """To leave a response that does not end takes no time, and the server is told to stop."""

        async def script(conn: H2Connection) -> None:
            for _ in range(3):
                (stream_id,) = await heads(conn, 1)
                conn.send_headers(stream_id, [OK])
                conn.send_data(stream_id, b"first")
                reset = await conn.read_frame(H2Kind.RST_STREAM)
                assert (reset.stream_id, reset.code) == (stream_id, H2Code.CANCEL)
            await answers(conn)

        async with talk(script) as (session, server):
            for _ in range(2):
                async with session.get(server.url("/")) as response:
                    assert await response.content.readany() == b"first"
            response = await session.get(server.url("/"))
            response.close()
            assert await fetch(session, server) == b"/ 0" and server.connections == 1

    async def test_dropped_while_a_response_is_to_be_read(self) -> None:
        """A response that came whole is read whole, although its connection has gone meanwhile."""

        async def script(conn: H2Connection) -> None:
            (stream_id,) = await heads(conn, 1)
            await conn.respond(stream_id, body=bytes(300_000))
            await turns(20)
            conn.raw.reset()

        async with talk(script) as (session, server), session.get(server.url("/")) as response:
            await server.served[0].raw.wait_lost()
            await turns(10)
            assert len(await response.read()) == 300_000

    async def test_goaway_has_no_stream_of_ours(self) -> None:
        """The client's GOAWAY names the last stream that the server began, and so none."""
        ended = asyncio.Event()

        async def script(conn: H2Connection) -> None:
            await answer_first(conn)
            await answer_first(conn)
            goaway = await conn.read_frame(H2Kind.GOAWAY)
            assert (goaway.last_stream_id, goaway.code) == (0, H2Code.NO_ERROR)
            ended.set()

        async with talk(script) as (session, server):
            await fetch(session, server)
            await fetch(session, server)
            await session.close()
            await ended.wait()

    async def test_data_after_a_reset(self) -> None:
        """What was under way when the client reset a stream is dropped, and the connection goes on."""

        async def script(conn: H2Connection) -> None:
            (stream_id,) = await heads(conn, 1)
            conn.send_headers(stream_id, [OK])
            await conn.read_frame(H2Kind.RST_STREAM)
            conn.send_data(stream_id, b"late")
            conn.window_update(stream_id, 100)
            conn.send_headers(stream_id, [("x-trailer", "1")], end=True)
            conn.reset_stream(stream_id, H2Code.NO_ERROR)
            await answers(conn)

        async with talk(script) as (session, server):
            async with session.get(server.url("/")):
                pass
            for _ in range(3):
                assert await fetch(session, server) == b"/ 0"
            assert server.connections == 1

    async def test_cancelled_while_late_data_comes(self) -> None:
        """A request that is cancelled while what a reset stream had under way is read leaves the connection alive."""
        reset = asyncio.Event()

        async def script(conn: H2Connection) -> None:
            if conn.index:
                await answers(conn)
            (stream_id,) = await heads(conn, 1)
            conn.send_headers(stream_id, [OK])
            await conn.read_frame(H2Kind.RST_STREAM)
            reset.set()
            await answers(conn)

        async with talk(script) as (session, server):
            async with session.get(server.url("/")):
                pass
            await reset.wait()
            server.served[0].send_data(1, b"late")
            task = asyncio.create_task(fetch(session, server))
            await asyncio.sleep(0)
            await cancelled(task)
            assert await fetch(session, server) == b"/ 0" and server.connections == 1


class TestFields:
    async def test_authority(self) -> None:
        """`:authority` is always sent, with the port; a `Host` of the caller takes its place."""
        async with talk(answers) as (session, server):
            await fetch(session, server, "/a?b=%20#c")
            await fetch(session, server, headers={"Host": "other.test"})
            first, second = server.requests
        assert (first.scheme, first.target) == ("http", "/a?b=%20")
        assert first.authority == f"127.0.0.1:{server.port}"
        assert (second.authority, second.values("host")) == ("other.test", [])

    async def test_connection_field(self) -> None:
        """What is about a connection of HTTP/1.1 is not sent."""
        fields = {"Connection": "close", "Keep-Alive": "1", "Accept": "*/*", "TE": "trailers"}
        async with talk(answers) as (session, server):
            await fetch(session, server, headers=fields)
            (request,) = server.requests
        names = {name for name, _ in request.headers}
        assert not names & {b"connection", b"keep-alive", b"host"} and b"accept" in names

    async def test_cookies_come_in_crumbs_or_whole(self) -> None:
        """Cookies are all sent; a server joins crumbs by `; `."""
        async with talk(answers) as (session, server):
            await fetch(session, server, cookies={"a": "1", "b": "2"})
            (request,) = server.requests
        assert "; ".join(request.values("cookie")) == "a=1; b=2"


Attack = Callable[[H2Connection, int], Awaitable[None]]


def flood(send: Callable[[H2Connection, int], None]) -> Attack:
    """Send such frames for as long as the client takes them."""

    async def attack(conn: H2Connection, stream_id: int) -> None:
        conn.answers_settings = conn.answers_pings = False
        while not conn.raw.lost:
            for _ in range(100):
                send(conn, stream_id)
            await turns(1)

    return attack


def once(send: Callable[[H2Connection, int], None]) -> Attack:
    """Send that, and wait."""

    async def attack(conn: H2Connection, stream_id: int) -> None:
        send(conn, stream_id)
        await conn.closed()

    return attack


def within_body(attack: Attack) -> Attack:
    async def after_head(conn: H2Connection, stream_id: int) -> None:
        conn.send_headers(stream_id, [OK])
        await attack(conn, stream_id)

    return after_head


async def continuations(conn: H2Connection, stream_id: int) -> None:
    """Begin a field block that does not end."""
    conn.send_frame(H2Kind.HEADERS, 0, stream_id, conn.encode([OK]))
    await flood(lambda conn, stream_id: conn.send_frame(H2Kind.CONTINUATION, 0, stream_id))(
        conn, stream_id
    )


# A field of 3,000 bytes that goes into the table, and a hundred times its index.
BOMB = b"\x88\x40\x01a\x7f\xb9\x16" + b"x" * 3000 + b"\xbe" * 100

CONNECTION_FAULTS: dict[str, tuple[str, Attack]] = {
    "H2-01": ("ENHANCE_YOUR_CALM", continuations),
    "H2-03": (
        "ENHANCE_YOUR_CALM",
        within_body(flood(lambda conn, at: conn.send_data(at, b""))),
    ),
    "H2-03-padding": (
        "ENHANCE_YOUR_CALM",
        within_body(flood(lambda conn, at: conn.send_data(at, b"", padding=255))),
    ),
    "H2-04-settings": ("ENHANCE_YOUR_CALM", flood(lambda conn, at: conn.send_settings({}))),
    "H2-04-ping": ("ENHANCE_YOUR_CALM", flood(lambda conn, at: conn.ping())),
    "H2-04-priority": (
        "ENHANCE_YOUR_CALM",
        flood(lambda conn, at: conn.send_frame(H2Kind.PRIORITY, 0, at, bytes(5))),
    ),
    "H2-04-unknown": ("ENHANCE_YOUR_CALM", flood(lambda conn, at: conn.send_frame(0xFA, 0, 0))),
    "H2-06": ("PROTOCOL_ERROR", once(lambda conn, at: conn.push_promise(at, 2, [OK]))),
    "H2-07-frame-size": (
        "PROTOCOL_ERROR",
        once(lambda conn, at: conn.send_settings({H2Setting.MAX_FRAME_SIZE: 0})),
    ),
    "H2-07-window": (
        "FLOW_CONTROL_ERROR",
        once(lambda conn, at: conn.send_settings({WINDOW: 2**31})),
    ),
    "H2-08-overflow": (
        "FLOW_CONTROL_ERROR",
        once(lambda conn, at: conn.window_update(0, 2**31 - 1)),
    ),
    "H2-09-oversize": (
        "FRAME_SIZE_ERROR",
        once(lambda conn, at: conn.send(b"\xff\xff\xff\x00\x00\x00\x00\x00\x01")),
    ),
    "H2-16-idle-stream": ("PROTOCOL_ERROR", once(lambda conn, at: conn.send_data(at + 100, b"x"))),
    "hpack": ("COMPRESSION_ERROR", once(lambda conn, at: conn.send_headers(at, b"\xff" * 20))),
}

STREAM_FAULTS: dict[str, tuple[str, Attack]] = {
    "H2-02": ("ENHANCE_YOUR_CALM", once(lambda conn, at: conn.send_headers(at, BOMB))),
    "H2-04-interim": (
        "ENHANCE_YOUR_CALM",
        once(
            lambda conn, at: (
                [conn.send_headers(at, [(":status", "103")]) for _ in range(17)] and None
            )
        ),
    ),
    "H2-11-status": (
        "PROTOCOL_ERROR",
        once(lambda conn, at: conn.send_headers(at, [(":status", "20")])),
    ),
    "H2-11-line-break": (
        "PROTOCOL_ERROR",
        once(lambda conn, at: conn.send_headers(at, [OK, ("a", "b\r\nc: d")])),
    ),
    "H2-11-connection": (
        "PROTOCOL_ERROR",
        once(lambda conn, at: conn.send_headers(at, [OK, ("connection", "close")])),
    ),
    "H2-11-lengths": (
        "PROTOCOL_ERROR",
        once(
            lambda conn, at: conn.send_headers(
                at, [OK, ("content-length", "1"), ("content-length", "2")]
            )
        ),
    ),
    "H2-16-data-first": ("PROTOCOL_ERROR", once(lambda conn, at: conn.send_data(at, b"x"))),
}


class TestHostile:
    async def attacked(self, attack: Attack, connections: int) -> str:
        """Return what the first request raised; the next one is answered, on that many connections in all."""

        async def script(conn: H2Connection) -> None:
            if not conn.index:
                (stream_id,) = await heads(conn, 1)
                waiting = asyncio.create_task(attack(conn, stream_id))
                if connections == 1:
                    await conn.read_frame(H2Kind.RST_STREAM)
                    await cancelled(waiting)
                else:
                    await waiting
            await answers(conn)

        async with talk(script) as (session, server):
            with pytest.raises(aioclient.ClientError) as caught:
                await fetch(session, server)
            assert await fetch(session, server) == b"/ 0"
            assert server.connections == connections
        return f"{caught.value} {caught.value.__cause__}"

    @pytest.mark.parametrize("row", CONNECTION_FAULTS)
    async def test_connection(self, row: str) -> None:
        """The connection is closed, its request says why, and the next one goes by another."""
        code, attack = CONNECTION_FAULTS[row]
        assert code in await self.attacked(attack, 2)

    @pytest.mark.parametrize("row", STREAM_FAULTS)
    async def test_stream(self, row: str) -> None:
        """The stream is reset, its request says why, and the connection goes on."""
        code, attack = STREAM_FAULTS[row]
        assert code in await self.attacked(attack, 1)

    @pytest.mark.parametrize(
        "first",
        [
            pytest.param(
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", id="H2-09-http1"
            ),
            pytest.param(b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + bytes(8), id="H2-09-ping"),
        ],
    )
    async def test_another_protocol(self, first: bytes) -> None:
        """What begins without SETTINGS is no HTTP/2, known from its first bytes."""

        async def script(conn: H2Connection) -> None:
            conn.send(first)
            await conn.closed()

        async with (
            H2Server(script, settings=None) as server,
            ClientSession(http2="prior-knowledge") as session,
        ):
            with pytest.raises(aioclient.ClientError, match=r"HTTP/1\.1|SETTINGS"):
                await fetch(session, server)

    @pytest.mark.rows("H2-07")
    async def test_no_stream_allowed(self) -> None:
        """With a limit of 0 requests wait, without work for the loop, until the server allows more."""
        go = asyncio.Event()

        async def script(conn: H2Connection) -> None:
            await answer_first(conn)
            await go.wait()
            conn.send_settings({LIMIT: 1})
            await answers(conn)

        async with talk(script) as (session, server):
            await fetch(session, server)
            server.served[0].send_settings({LIMIT: 0})
            await turns(20)
            waiting = asyncio.create_task(fetch(session, server))
            await turns(50)
            assert not waiting.done() and server.connections == 1
            go.set()
            assert await waiting == b"/ 0"

    @pytest.mark.rows("H2-13")
    async def test_cancel_one_of_ten(self) -> None:
        """The others are answered, on the same connection."""
        here = asyncio.Event()

        async def script(conn: H2Connection) -> None:
            streams = await heads(conn, 10)
            for stream_id in streams:
                conn.send_headers(stream_id, [OK])
                conn.send_data(stream_id, b"some ")
            here.set()
            reset = await conn.read_frame(H2Kind.RST_STREAM)
            for stream_id in streams:
                conn.send_data(stream_id, b"more", end=True)
            assert reset.code == H2Code.CANCEL
            await conn.closed()

        async with talk(script) as (session, server):
            tasks = [asyncio.create_task(fetch(session, server)) for _ in range(10)]
            await here.wait()
            await cancelled(tasks.pop(3))
            assert await asyncio.gather(*tasks) == [b"some more"] * 9
            assert server.connections == 1
