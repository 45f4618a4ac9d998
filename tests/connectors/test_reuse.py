"""Which connection a request gets, and what may be done with it afterwards."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import aioclient
from aioclient import ClientSession, ClientTimeout, TCPConnector
from aioclient.testing import RawConnection, RawRequest, RawServer, turns

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"

both_loops = pytest.mark.both_loops


async def fetch(session: ClientSession, path: str = "/", method: str = "GET", **more: Any) -> bytes:
    async with session.request(method, path, **more) as response:
        return await response.read()


async def until_idle(session: ClientSession) -> None:
    """Let the loop go round until no slot is in use."""
    assert session.connector is not None
    for _ in range(100):
        if not session.connector.statistics().in_use:
            return
        await asyncio.sleep(0)
    raise AssertionError(repr(session))


def numbers(session: ClientSession) -> tuple[int, int, int]:
    """In use, idle, waiting."""
    assert session.connector is not None
    found = session.connector.statistics()
    return found.in_use, found.idle, found.waiting


async def numbered(conn: RawConnection) -> None:
    """Answer each request with the number of the connection."""
    while True:
        await conn.read_request()
        number = b"%d" % conn.index
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(number), number))


async def held(conn: RawConnection) -> None:
    """Answer /hold with a body that never ends, all else with the connection's number."""
    while True:
        request = await conn.read_request()
        if request.target == "/hold":
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")
            conn.send(b"Server: %d\r\n\r\n1\r\n.\r\n" % conn.index)
        else:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % conn.index)


@both_loops
class TestPoisoning:
    """Bytes that belong to no request never become the answer to one."""

    @pytest.mark.parametrize(
        ("method", "first"),
        [
            pytest.param("GET", OK, id="POOL-01-length"),
            pytest.param(
                "GET",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                id="POOL-01-chunked",
            ),
            pytest.param(
                "HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n", id="POOL-03-HEAD"
            ),
            pytest.param("GET", b"HTTP/1.1 204 No Content\r\n\r\n", id="POOL-03-204"),
            pytest.param("GET", b"HTTP/1.1 304 Not Modified\r\n\r\n", id="POOL-03-304"),
            pytest.param(
                "GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", id="POOL-03-empty"
            ),
        ],
    )
    @pytest.mark.parametrize("together", [True, False], ids=["one-segment", "own-segment"])
    async def test_after_the_end(self, method: str, first: bytes, together: bool) -> None:
        """What follows a response closes the connection; the next request gets its own answer."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            if conn.index:
                conn.send(OK)
            elif together:
                conn.send(first + POISON)
            else:
                conn.send(first)
                conn.send(POISON)
            await conn.closed()

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            await fetch(session, method=method)
            if not together:
                await turns(5)
            assert numbers(session) == (0, 0, 0)
            assert await fetch(session) == b"ok"
            assert server.connections == 2

    @pytest.mark.parametrize("what", [POISON, b"\r\n", b"x"], ids=["response", "newline", "byte"])
    @pytest.mark.parametrize((), [pytest.param(id="POOL-02")])
    async def test_while_idle(self, what: bytes) -> None:
        """What comes on an idle connection closes it."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            if not conn.index:
                await turns(5)
                conn.send(what)
            await conn.closed()

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            assert await fetch(session) == b"ok"
            assert numbers(session) == (0, 1, 0)
            await turns(10)
            assert numbers(session) == (0, 0, 0)
            assert session.connector is not None
            assert session.connector.statistics().lost == 1
            assert await fetch(session) == b"ok"

    @pytest.mark.parametrize("end", ["poison", "close", "abort", "lost"])
    @pytest.mark.parametrize((), [pytest.param(id="POOL-02")])
    async def test_between_grant_and_use(self, end: str) -> None:
        """A connection that ends after it was granted and before it is used is replaced, in its turn."""
        async with (
            RawServer(numbered) as server,
            ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
        ):
            connector = session.connector
            assert connector is not None

            async def first() -> None:
                await fetch(session, "/first")
                # Granted to the second in this step, which is not awake yet.
                (connection,) = connector._sockets.connections
                assert connection.transport is not None
                assert numbers(session) == (1, 0, 1)
                if end == "poison":
                    connection.data_received(POISON)
                elif end == "lost":
                    connection.transport.abort()
                else:
                    getattr(connection, end)()
                assert numbers(session) == (1, 0, 1)

            paths = ("/second", "/third")
            results = await asyncio.gather(first(), *(fetch(session, path) for path in paths))
            assert results[1:] == [b"1", b"1"]
            assert [request.target for request in server.requests] == ["/first", *paths]
            assert numbers(session) == (0, 1, 0)

    @pytest.mark.parametrize("way", ["release", "context", "close", "drop"])
    @pytest.mark.parametrize((), [pytest.param(id="POOL-04")])
    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    async def test_a_body_left_unread(self, way: str) -> None:
        """A large body nobody reads costs 64 KiB and the connection, never the next answer."""
        sent = 0

        async def script(conn: RawConnection) -> None:
            nonlocal sent
            await conn.read_request()
            if conn.index:
                conn.send(OK)
                await conn.closed()
                return
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                await conn.drain()
                conn.send(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
                sent += 0x2000
                await turns(2)

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            response = await session.get("/")
            assert await response.content.read(10) == b"x" * 10
            already = sent
            if way == "context":
                async with response:
                    pass
            elif way == "drop":
                response.close()
            else:
                getattr(response, way)()
            await until_idle(session)
            assert sent - already <= 2**16 + 3 * 0x2000
            assert numbers(session) == (0, 0, 0)
            assert await fetch(session) == b"ok"

    @pytest.mark.parametrize((), [pytest.param(id="POOL-04")])
    async def test_a_little_left_unread(self) -> None:
        """A small body nobody reads is drained, and the connection is used again."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nPOI")
            await turns(5)
            conn.send(b"SONED")
            await conn.read_request()
            conn.send(OK)
            await conn.closed()

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            async with session.get("/"):
                pass
            assert numbers(session) == (1, 0, 0)
            await until_idle(session)
            assert await fetch(session) == b"ok"
            assert server.connections == 1

    @pytest.mark.parametrize((), [pytest.param(id="POOL-04")])
    async def test_a_redirect_with_a_large_body(self) -> None:
        """The body of a redirect is not waited for."""

        async def script(conn: RawConnection) -> None:
            request = await conn.read_request()
            if request.target == "/":
                conn.send(
                    b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 99999999\r\n\r\nx"
                )
            else:
                conn.send(OK)
            await conn.closed()

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            assert await fetch(session) == b"ok"
            assert [request.target for request in server.requests] == ["/", "/next"]


class TestTimers:
    @pytest.mark.virtual_clock
    @pytest.mark.parametrize((), [pytest.param(id="POOL-10")])
    async def test_an_idle_connection_carries_no_timer(self) -> None:
        """A timeout of a request does not end with the connection in the pool, or in the next request."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            await conn.read_request()
            await asyncio.sleep(100)
            conn.send(OK)
            await conn.closed()

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            limits = ClientTimeout(total=1, sock_read=0.2)
            assert await fetch(session, timeout=limits) == b"ok"
            await asyncio.sleep(10)
            assert numbers(session) == (0, 1, 0)
            assert await fetch(session, timeout=None) == b"ok"
            assert server.connections == 1

    async def test_none_outlives_its_purpose(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each timer is cancelled when what it limits has ended: none keeps a connection or a request alive."""
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []
        call_at = loop.call_at

        def noted(*arguments: Any, **more: Any) -> asyncio.TimerHandle:
            timers.append(call_at(*arguments, **more))
            return timers[-1]

        def lasting() -> list[float]:
            return [
                round(timer.when() - loop.time(), -2) for timer in timers if not timer.cancelled()
            ]

        async def script(conn: RawConnection) -> None:
            while True:
                request = await conn.read_request(body=False)
                if request.value("Expect"):
                    conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                    await conn.read_body(request)
                if request.target != "/silent":
                    conn.send(OK)

        monkeypatch.setattr(loop, "call_at", noted)
        # The limits differ, so that what is left says which it was.
        connector = TCPConnector(limit=1, keepalive_timeout=9000)
        async with (
            RawServer(script) as server,
            ClientSession(server.url(), connector=connector, timeout=None) as session,
        ):
            assert (
                await fetch(
                    session, method="POST", data=b"ok", expect100=True, expect100_timeout=8000
                )
                == b"ok"
            )
            assert lasting() == [9000]  # that of the idle connection
            silent = asyncio.create_task(fetch(session, "/silent", timeout=7000))
            await turns(5)
            waits = ClientTimeout(total=None, pool=6000)
            queued = asyncio.create_task(fetch(session, timeout=waits))
            await turns(5)
            assert sorted(lasting()) == [6000, 7000, 9000]
            silent.cancel()
            assert await queued == b"ok"
            assert lasting() == [9000]
        assert lasting() == []


@both_loops
class TestOrder:
    async def test_the_most_recently_used_goes_first(self) -> None:
        """Of several idle connections the one used last is used next."""
        async with RawServer(held) as server, ClientSession(server.url()) as session:
            ended: list[bytes] = []

            async def one() -> None:
                ended.append(await fetch(session))

            await asyncio.gather(one(), one(), one())
            assert numbers(session) == (0, 3, 0)
            assert [await fetch(session) for _ in range(3)] == [ended[2]] * 3
            holds = []
            for _ in range(3):  # the next ones in the order of age
                holds.append(await session.get("/hold"))
            assert [hold.headers["Server"].encode() for hold in holds] == ended[::-1]
            for hold in holds:
                hold.close()

    @pytest.mark.parametrize("limits", [{"limit": 1}, {"limit_per_host": 1}], ids=["total", "host"])
    async def test_first_come_first_served(self, limits: dict[str, int]) -> None:
        """Who waits is served in the order of coming, and nobody overtakes."""
        done: list[int] = []

        async def one(session: ClientSession, number: int) -> None:
            await fetch(session, f"/{number}")
            done.append(number)
            if number < 3:  # a newcomer while others wait
                newcomers.append(asyncio.create_task(one(session, 100 + number)))

        newcomers: list[asyncio.Task[None]] = []
        async with (
            RawServer(numbered) as server,
            ClientSession(server.url(), connector=TCPConnector(**limits)) as session,
        ):
            await asyncio.gather(*(one(session, number) for number in range(8)))
            await asyncio.gather(*newcomers)
            targets = [int(request.target[1:]) for request in server.requests]
            assert targets == [*range(8), 100, 101, 102]
            assert server.connections == 1

    async def test_a_busy_host_does_not_starve_another(self) -> None:
        """A host with many requests waiting holds up another one no longer than its turn."""
        async with (
            RawServer(numbered) as busy,
            RawServer(numbered) as other,
            ClientSession(connector=TCPConnector(limit=1)) as session,
        ):
            order: list[str] = []

            async def one(name: str, url: str) -> None:
                await fetch(session, url)
                order.append(name)

            tasks = [asyncio.create_task(one("busy", busy.url())) for _ in range(5)]
            await turns(1)
            tasks.append(asyncio.create_task(one("other", other.url())))
            await turns(1)
            tasks += [asyncio.create_task(one("late", busy.url())) for _ in range(5)]
            await asyncio.gather(*tasks)
            assert order == ["busy"] * 5 + ["other"] + ["late"] * 5

    async def test_a_full_host_leaves_room_for_others(self) -> None:
        """Requests that wait for their host's limit do not use up the total one."""
        async with (
            RawServer(held) as busy,
            RawServer(numbered) as other,
            ClientSession(connector=TCPConnector(limit=3, limit_per_host=1)) as session,
        ):
            hold = await session.get(busy.url("/hold"))
            waiting = [asyncio.create_task(fetch(session, busy.url())) for _ in range(5)]
            await turns(1)
            assert numbers(session) == (1, 0, 5)
            assert await fetch(session, other.url()) == b"0"
            hold.close()
            assert await asyncio.gather(*waiting) == [b"1"] * 5

    async def test_many(self) -> None:
        """1,000 requests over 100 connections all finish, those that wait in the order of coming."""
        async with (
            RawServer(numbered) as server,
            ClientSession(server.url(), connector=TCPConnector(limit=100)) as session,
        ):
            sent: list[int] = []

            def body(number: int) -> Iterator[bytes]:
                sent.append(number)
                yield b"x"

            async def one(number: int) -> bytes:
                return await fetch(session, method="POST", data=body(number))

            tasks = [asyncio.create_task(one(number)) for number in range(1000)]
            await turns(1)
            assert numbers(session) == (100, 0, 900)
            assert len(await asyncio.gather(*tasks)) == 1000
            assert sorted(sent) == list(range(1000))
            # One that waited may overtake one that dials: its connection is another one, which is free earlier.
            assert [number for number in sent if number >= 100] == list(range(100, 1000))
            assert server.connections == 100
            assert session.connector is not None
            found = session.connector.statistics()
            assert (found.opened, found.reused, found.waited) == (100, 900, 900)


@both_loops
class TestLimits:
    async def test_an_idle_connection_makes_room(self) -> None:
        """When the limit is reached the connection idle for longest is closed for a new one."""
        async with (
            RawServer(numbered) as one,
            RawServer(numbered) as two,
            RawServer(numbered) as three,
            ClientSession(connector=TCPConnector(limit=2)) as session,
        ):
            for server in (one, two, three):
                assert await fetch(session, server.url()) == b"0"
            await turns(5)
            assert [len(server.open_connections) for server in (one, two, three)] == [0, 1, 1]
            assert numbers(session) == (0, 2, 0)
            assert session.connector is not None
            assert session.connector.statistics().evicted == 1

    async def test_statistics_and_repr(self) -> None:
        """The statistics and the repr tell what the pool holds."""
        async with (
            RawServer(held) as server,
            ClientSession(server.url(), connector=TCPConnector(limit=2)) as session,
        ):
            connector = session.connector
            assert connector is not None
            hold = await session.get("/hold")
            assert await fetch(session) == b"1"
            expected = "<TCPConnector <Pool in_use=1 idle=1 waiting=0 limit=2 limit_per_host=0>>"
            assert repr(connector) == expected
            assert repr(session) == f"<ClientSession {server.url()} {expected}>"
            another = await session.get("/hold")
            waiting = asyncio.create_task(fetch(session))
            await turns(1)
            assert numbers(session) == (2, 0, 1)
            hold.close()
            assert await waiting == b"2"
            found = connector.statistics()
            assert (found.limit, found.limit_per_host, found.hosts) == (2, 0, 1)
            assert (found.opened, found.reused, found.waited) == (3, 1, 1)
            another.close()
        assert repr(connector) == "<TCPConnector closed>"
        assert repr(session) == f"<ClientSession {server.url()} closed>"

    @pytest.mark.parametrize(
        "settings", [{"force_close": True}, {"keepalive_timeout": 0}], ids=["force", "zero"]
    )
    async def test_force_close(self, settings: dict[str, Any]) -> None:
        """Without keep-alive each connection says so, carries one request and is closed."""
        async with (
            RawServer(numbered) as server,
            ClientSession(server.url(), connector=TCPConnector(**settings)) as session,
        ):
            assert [await fetch(session) for _ in range(2)] == [b"0", b"1"]
            assert numbers(session) == (0, 0, 0)
            assert {request.value("Connection") for request in server.requests} == {"close"}
            await turns(5)
            assert server.open_connections == []

    async def test_a_failed_dial_gives_its_slot_back(self) -> None:
        """After a refused connection the next in the queue gets the slot."""
        with aioclient.testing.refused_port() as port:
            async with (
                RawServer(numbered) as server,
                ClientSession(connector=TCPConnector(limit=1)) as session,
            ):
                refused = [fetch(session, f"http://127.0.0.1:{port}/") for _ in range(3)]
                results = await asyncio.gather(
                    *refused, fetch(session, server.url()), return_exceptions=True
                )
                assert results[3] == b"0"
                for result in results[:3]:
                    assert isinstance(result, aioclient.ClientConnectorError)
                assert numbers(session) == (0, 1, 0)


@pytest.mark.virtual_clock
class TestKeepAlive:
    async def test_idle_for_too_long(self) -> None:
        """A connection that was idle for keepalive_timeout is closed at that time."""
        async with (
            RawServer(numbered) as server,
            ClientSession(server.url(), connector=TCPConnector(keepalive_timeout=10)) as session,
        ):
            await fetch(session)
            await asyncio.sleep(5)
            await fetch(session)
            await asyncio.sleep(9)
            assert numbers(session) == (0, 1, 0)
            await asyncio.sleep(1.5)
            assert numbers(session) == (0, 0, 0)
            assert server.open_connections == []
            assert await fetch(session) == b"1"
            assert session.connector is not None
            assert session.connector.statistics().expired == 1

    async def test_expired_and_not_closed_yet(self) -> None:
        """A connection that is too old is not used, though nobody had the time to close it."""
        async with (
            RawServer(numbered) as server,
            ClientSession(server.url(), connector=TCPConnector(keepalive_timeout=10)) as session,
        ):
            assert await fetch(session) == b"0"
            loop = asyncio.get_running_loop()
            assert isinstance(loop, aioclient.testing.VirtualClockLoop)
            loop.advance(10)
            assert await fetch(session) == b"1"

    async def test_no_timeout(self) -> None:
        """With keepalive_timeout=None an idle connection stays until somebody closes it."""
        async with (
            RawServer(numbered) as server,
            ClientSession(server.url(), connector=TCPConnector(keepalive_timeout=None)) as session,
        ):
            assert await fetch(session) == b"0"
            await asyncio.sleep(100_000)
            assert await fetch(session) == b"0"

    async def test_what_a_cancelled_waiter_gives_back_expires(self) -> None:
        """A connection that became idle because its waiter gave up is closed in its time, too."""
        async with (
            RawServer(held) as server,
            ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
        ):

            async def first() -> None:
                await fetch(session)
                waiter.cancel()  # granted in this step, and not awake yet

            busy = asyncio.create_task(first())
            waiter = asyncio.create_task(fetch(session))
            await asyncio.wait([busy, waiter])
            assert waiter.cancelled()
            assert len(server.requests) == 1
            assert numbers(session) == (0, 1, 0)
            await asyncio.sleep(16)
            assert numbers(session) == (0, 0, 0)


class Source:
    """An async iterable that starts anew each time, or gives up its only iterator."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.pieces()

    async def pieces(self) -> AsyncIterator[bytes]:
        yield b"first"
        await turns(1)
        yield b"second"


async def closes_second(conn: RawConnection) -> None:
    """Close each connection when the second request on it has come."""
    await conn.read_request()
    conn.send(OK)
    await conn.read_request()


@both_loops
class TestStaleConnections:
    """A request whose reused connection was closed is repeated where that is safe (RFC 9112, 9.3.1)."""

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_idempotent(self, method: str) -> None:
        """An idempotent request is sent once more, on a new connection."""
        async with RawServer(closes_second) as server, ClientSession(server.url()) as session:
            await fetch(session)
            assert await fetch(session, "/x", method) == (b"" if method == "HEAD" else b"ok")
            sent = [(request.method, request.target) for request in server.requests]
            assert sent == [("GET", "/"), (method, "/x"), (method, "/x")]

    @pytest.mark.parametrize("method", ["POST", "PATCH", "LINK"])
    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_not_idempotent(self, method: str) -> None:
        """A request that may have had an effect is not sent again, and the error says what happened."""
        async with RawServer(closes_second) as server, ClientSession(server.url()) as session:
            await fetch(session)
            with pytest.raises(
                aioclient.ServerDisconnectedError, match=f"{method} .*/x: .*without a response"
            ):
                await fetch(session, "/x", method, data=b"order")
            assert [request.target for request in server.requests] == ["/", "/x"]
            assert numbers(session) == (0, 0, 0)

    @pytest.mark.parametrize("retry", [True, False])
    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_provably_unsent(self, retry: bool) -> None:
        """A connection that was seen closed is not used: it takes no repeat to send a POST on a new one."""
        async with (
            RawServer(closes_second) as server,
            ClientSession(server.url(), connector=TCPConnector(retry_stale=retry)) as session,
        ):
            await fetch(session)
            assert session.connector is not None
            (connection,) = session.connector._sockets.connections
            assert connection.transport is not None
            connection.transport.close()  # what the event loop does when the server's FIN comes
            assert await fetch(session, "/x", "POST", data=iter([b"order"])) == b"ok"
            assert [request.target for request in server.requests] == ["/", "/x"]

    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_a_body_whose_first_send_ends_late(self) -> None:
        """The repeat waits until the first send of the body has ended, and then sends all of it."""
        ends = []

        class Slow:
            async def __aiter__(self) -> AsyncIterator[bytes]:
                try:
                    for _ in range(100):
                        yield bytes(100_000)
                finally:
                    await turns(50)
                    ends.append(True)

        async def site(conn: RawConnection) -> None:
            if conn.index == 0:
                await conn.read_request()
                conn.send(OK)
                await conn.read_request(body=False)
                conn.reset()
            else:
                request = await conn.read_request()
                assert len(request.body) == 10_000_000
                conn.send(OK)

        async with RawServer(site) as server, ClientSession(server.url()) as session:
            await fetch(session)
            assert await fetch(session, "/x", "PUT", data=Slow()) == b"ok"
            assert ends == [True, True]

    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_turned_off(self) -> None:
        """With retry_stale=False nothing is sent twice."""
        async with (
            RawServer(closes_second) as server,
            ClientSession(server.url(), connector=TCPConnector(retry_stale=False)) as session,
        ):
            await fetch(session)
            with pytest.raises(aioclient.ServerDisconnectedError):
                await fetch(session)
            assert len(server.requests) == 2

    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_not_on_a_new_connection(self) -> None:
        """A server that closes a new connection without an answer is not asked twice."""

        async def closes(conn: RawConnection) -> None:
            await conn.read_request()

        async with RawServer(closes) as server, ClientSession(server.url()) as session:
            with pytest.raises(aioclient.ServerDisconnectedError, match="without a response"):
                await fetch(session)
            assert server.connections == 1

    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_once(self) -> None:
        """The repetition is not repeated."""

        async def closes(conn: RawConnection) -> None:
            await conn.read_request()
            if not conn.index:
                conn.send(OK)
                await conn.read_request()

        async with RawServer(closes) as server, ClientSession(server.url()) as session:
            await fetch(session)
            with pytest.raises(aioclient.ServerDisconnectedError):
                await fetch(session)
            assert server.connections == 2
            assert len(server.requests) == 3

    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_a_repetition_takes_no_connection_that_may_be_stale(self) -> None:
        """The repetition dials even when it has to wait and is granted a connection used before."""

        async def script(conn: RawConnection) -> None:
            for number in range(3):
                request = await conn.read_request()
                if request.target == "/stale" and number:
                    return
                conn.send(OK)

        async with (
            RawServer(script) as server,
            ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
        ):
            await fetch(session)
            stale = [asyncio.create_task(fetch(session, "/stale"))]
            await turns(1)
            others = [asyncio.create_task(fetch(session, "/other")) for _ in range(2)]
            assert await asyncio.gather(*stale, *others) == [b"ok"] * 3

    async def test_a_repetition_that_is_cancelled(self) -> None:
        """Its connection is closed at once, like that of a first attempt."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            if not conn.index:
                conn.send(OK)
                await conn.read_request()
            else:
                await conn.closed()

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            await fetch(session)
            task = asyncio.create_task(fetch(session))
            while len(server.requests) < 3:
                await turns(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert numbers(session) == (0, 0, 0)
            await turns(20)
            assert server.open_connections == []

    @pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["byte", "100"])
    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_not_after_a_first_byte(self, begun: bytes) -> None:
        """When something of a response came, the connection was not stale."""

        async def begins(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            await conn.read_request()
            conn.send(begun)
            await turns(2)

        async with RawServer(begins) as server, ClientSession(server.url()) as session:
            await fetch(session)
            with pytest.raises(aioclient.ServerDisconnectedError, match="within the head"):
                await fetch(session)
            assert server.connections == 1

    @pytest.mark.parametrize(
        ("kind", "repeated"),
        [("bytes", True), ("file", True), ("source", True), ("generator", False)],
    )
    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_bodies(self, kind: str, repeated: bool) -> None:
        """A body is sent again whole, or the request fails: never an empty or a shorter one."""
        source = Source()
        body: Any = {
            "bytes": b"firstsecond",
            "file": io.BytesIO(b"firstsecond"),
            "source": source,
            "generator": source.pieces(),
        }[kind]
        async with RawServer(closes_second) as server, ClientSession(server.url()) as session:
            await fetch(session)
            if repeated:
                assert await fetch(session, method="PUT", data=body) == b"ok"
            else:
                with pytest.raises(aioclient.ServerDisconnectedError):
                    await fetch(session, method="PUT", data=body)
            sent = [request.body for request in server.requests[1:]]
            assert sent == [b"firstsecond"] * (2 if repeated else 1)

    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_during_the_upload(self) -> None:
        """A body whose sending is cut off by a reset is sent again from its beginning."""
        size = 2**22

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            if conn.index == 0:
                await conn.read_request(body=False)
                conn.reset()
            else:
                await conn.closed()

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            await fetch(session)
            body = io.BytesIO(bytes(range(256)) * (size // 256))
            assert await fetch(session, method="PUT", data=body) == b"ok"
            assert server.requests[-1].body == body.getvalue()

    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_reset(self) -> None:
        """A reset before the first byte counts as a stale connection."""

        async def resets(conn: RawConnection, request: RawRequest) -> None:
            conn.reset()

        async with (
            RawServer.replies([OK, resets, OK]) as server,
            ClientSession(server.url()) as session,
        ):
            await fetch(session)
            assert await fetch(session) == b"ok"
            assert server.connections == 2

    async def test_closed_by_the_server_while_idle(self) -> None:
        """A connection that the server closes leaves the pool at once."""
        async with (
            RawServer.replies([OK], close=True, repeat=True) as server,
            ClientSession(server.url()) as session,
        ):
            for _ in range(3):
                assert await fetch(session) == b"ok"
                await turns(10)
                assert numbers(session) == (0, 0, 0)
            assert session.connector is not None
            assert session.connector.statistics().lost == 3
