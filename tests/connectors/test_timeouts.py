"""How long each phase may take: pool, connecting, and the deadline that goes with the whole call."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

import aioclient
from aioclient import ClientSession, ClientTimeout, TCPConnector, UnixConnector
from aioclient.testing import RawConnection, RawServer, silent_port, turns

pytestmark = pytest.mark.virtual_clock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Mute(AbstractResolver):
    """Never answers."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        """Nothing is held."""


async def mute(conn: RawConnection) -> None:
    """Take a request and say nothing."""
    await conn.read_request()
    await conn.closed()


async def silent(conn: RawConnection) -> None:
    """Say nothing, not even in a TLS handshake."""
    await conn.closed()


async def site(conn: RawConnection) -> None:
    """Hold /hold, drip /drip, redirect /hop every 4 s, and answer the rest after 4 s."""
    while True:
        request = await conn.read_request()
        if request.target == "/hold":
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n.\r\n")
        elif request.target == "/drip":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            for _ in range(100):
                await asyncio.sleep(1)
                await conn.drain()
                conn.send(b"x")
        elif request.target == "/hop":
            await asyncio.sleep(4)
            conn.send(b"HTTP/1.1 302 Found\r\nLocation: /hop\r\nContent-Length: 0\r\n\r\n")
        else:
            await asyncio.sleep(4)
            conn.send(OK)


async def fetch(session: ClientSession, url: str = "/", **more: Any) -> bytes:
    async with session.get(url, **more) as response:
        return await response.read()


class Stopwatch:
    """Virtual seconds since it was made."""

    def __init__(self) -> None:
        self.start = asyncio.get_running_loop().time()

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() - self.start


def check(error: Exception, phase: str, limit: float, found: str, session: ClientSession) -> None:
    """Whatever the phase, the error is a TimeoutError that says what it knows; but for the total one a ClientError."""
    assert isinstance(error, asyncio.TimeoutError)
    assert isinstance(error, aiohttp.ServerTimeoutError) == (phase != "total")
    text = str(error)
    assert text.startswith("GET http")
    assert found in text
    assert text.endswith(f" within {phase}={limit} s")
    assert session.connector is not None
    numbers = session.connector.statistics()
    assert numbers.waiting == 0


class TestPool:
    @pytest.mark.parametrize("limits", [{"limit": 1}, {"limit_per_host": 1}], ids=["total", "host"])
    @pytest.mark.parametrize(
        ("phase", "kind"),
        [
            ("pool", aioclient.PoolTimeoutError),
            ("connect", aioclient.PoolTimeoutError),
            ("total", aioclient.TotalTimeoutError),
        ],
    )
    async def test_no_free_connection(
        self, limits: dict[str, int], phase: str, kind: type[aioclient.ClientError]
    ) -> None:
        """A wait for a free connection ends at pool, connect or total, and tells the pool's state."""
        async with (
            RawServer(site) as server,
            ClientSession(server.url(), connector=TCPConnector(**limits)) as session,
        ):
            hold = await session.get("/hold")
            clock = Stopwatch()
            with pytest.raises(kind) as caught:
                await fetch(session, timeout=ClientTimeout(**{phase: 5}))
            assert clock() == 5
            found = "no free connection (1 in use, 0 waiting, limit="
            check(caught.value, phase, 5, found, session)
            unread = f"it has not read: GET {server.url('/hold')}; read or release them first"
            assert unread in str(caught.value)
            if phase != "total":
                assert isinstance(caught.value, aiohttp.ConnectionTimeoutError)
            hold.close()
            assert await fetch(session) == b"ok"

    async def test_what_other_tasks_hold(self) -> None:
        """What another task has not read is none of this one's mistakes: it is not named."""
        async with (
            RawServer(site) as server,
            ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
        ):
            hold = await asyncio.ensure_future(session.get("/hold"))
            with pytest.raises(aioclient.PoolTimeoutError) as caught:
                await fetch(session, timeout=ClientTimeout(pool=5))
            assert "not read" not in str(caught.value)
            hold.close()

    async def test_the_earliest_counts(self) -> None:
        """Of several limits the one that ends first is named."""
        async with (
            RawServer(site) as server,
            ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
        ):
            hold = await session.get("/hold")
            with pytest.raises(aioclient.PoolTimeoutError, match=r"within connect=3 s$"):
                await fetch(session, timeout=ClientTimeout(total=4, connect=3, pool=5))
            with pytest.raises(aioclient.TotalTimeoutError, match=r"within total=2 s$"):
                await fetch(session, timeout=ClientTimeout(total=2, connect=3, pool=5))
            hold.close()

    async def test_others_keep_their_place(self) -> None:
        """Who waits behind one that gave up is served all the same."""
        async with (
            RawServer(site) as server,
            ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
        ):
            hold = await session.get("/hold")
            impatient = asyncio.create_task(fetch(session, timeout=ClientTimeout(pool=1)))
            patient = asyncio.create_task(fetch(session, timeout=ClientTimeout(pool=10)))
            await asyncio.wait([impatient])
            assert isinstance(impatient.exception(), aioclient.PoolTimeoutError)
            hold.close()
            assert await patient == b"ok"

    async def test_the_limit_ends_with_the_wait(self) -> None:
        """Once a connection is there, pool and connect limit nothing any more."""
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            assert await fetch(session, timeout=ClientTimeout(pool=1, connect=1)) == b"ok"


class TestConnecting:
    @pytest.mark.parametrize(
        ("phase", "kind"),
        [
            ("connect", aioclient.ConnectTimeoutError),
            ("sock_connect", aioclient.ConnectTimeoutError),
            ("total", aioclient.TotalTimeoutError),
        ],
    )
    @pytest.mark.parametrize("stage", ["name", "tcp", "tls"])
    async def test_no_connection(
        self, phase: str, kind: type[aioclient.ClientError], stage: str
    ) -> None:
        """Connecting ends at connect, sock_connect or total; the error tells how far it came."""
        connector = TCPConnector(resolver=Mute())
        with silent_port() as port:
            async with RawServer(silent) as server, ClientSession(connector=connector) as session:
                url, found = {
                    "name": ("http://a.test/", "no address of a.test"),
                    "tcp": (f"http://127.0.0.1:{port}/", f"no connection to 127.0.0.1:{port}"),
                    "tls": (
                        f"https://127.0.0.1:{server.port}/",
                        f"no TLS handshake with 127.0.0.1:{server.port}",
                    ),
                }[stage]
                clock = Stopwatch()
                with pytest.raises(kind) as caught:
                    await fetch(session, url, timeout=ClientTimeout(**{phase: 5}))
                assert clock() == 5
                check(caught.value, phase, 5, found, session)
                if phase != "total":
                    assert isinstance(caught.value, aiohttp.ConnectionTimeoutError)
                assert connector.statistics().in_use == 0

    async def test_default(self) -> None:
        """By default connecting may take 30 s."""
        with silent_port() as port:
            async with ClientSession() as session:
                clock = Stopwatch()
                with pytest.raises(aioclient.ConnectTimeoutError, match=r"within sock_connect=30"):
                    await fetch(session, f"http://127.0.0.1:{port}/")
                assert clock() == 30

    async def test_connect_counts_the_wait_for_a_slot(self) -> None:
        """connect runs from the wait for a slot on; sock_connect begins with the new connection."""
        with silent_port() as port:
            async with (
                RawServer(site) as server,
                ClientSession(connector=TCPConnector(limit=1)) as session,
            ):
                for limits, seconds in (
                    (ClientTimeout(connect=6), 6),
                    (ClientTimeout(sock_connect=6), 10),
                    (ClientTimeout(connect=20, sock_connect=3), 7),
                ):
                    hold = await session.get(server.url("/hold"))
                    asyncio.get_running_loop().call_later(4, hold.close)
                    clock = Stopwatch()
                    with pytest.raises(aioclient.ConnectTimeoutError, match="no connection to"):
                        await fetch(session, f"http://127.0.0.1:{port}/", timeout=limits)
                    assert clock() == seconds

    async def test_an_address_after_a_silent_one(self) -> None:
        """A silent address costs the delay of happy eyeballs, not the limit."""

        class Two(Mute):
            async def resolve(
                self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
            ) -> list[ResolveResult]:
                return [
                    ResolveResult(
                        hostname=host, host=address, port=at, family=family, proto=0, flags=0
                    )
                    for address, at in (("127.0.0.1", silent_at), ("127.0.0.1", server.port))
                ]

        with silent_port() as silent_at:
            async with (
                RawServer(site) as server,
                ClientSession(connector=TCPConnector(resolver=Two())) as session,
            ):
                clock = Stopwatch()
                assert await fetch(session, "http://a.test/") == b"ok"
                assert clock() == 4.25

    async def test_a_slow_name_leaves_less_for_the_rest(self) -> None:
        """Name lookup, TCP and TLS share sock_connect."""

        class Slow(Mute):
            async def resolve(
                self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
            ) -> list[ResolveResult]:
                await asyncio.sleep(3)
                return [
                    ResolveResult(
                        hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0
                    )
                ]

        async with (
            RawServer(silent) as server,
            ClientSession(connector=TCPConnector(resolver=Slow())) as session,
        ):
            clock = Stopwatch()
            with pytest.raises(
                aioclient.ConnectTimeoutError, match=r"no TLS handshake with a\.test:"
            ):
                await fetch(
                    session,
                    server.url(host="a.test").replace("http:", "https:"),
                    timeout=ClientTimeout(sock_connect=5),
                )
            assert clock() == 5

    async def test_unix(self, tmp_path: Any) -> None:
        """A unix socket has the same limits."""
        path = str(tmp_path / "socket")
        async with (
            RawServer(silent, unix_path=path),
            ClientSession(connector=UnixConnector(path)) as session,
        ):
            with pytest.raises(
                aioclient.ConnectTimeoutError, match=r"no TLS handshake with a\.test:"
            ):
                await fetch(session, "https://a.test/", timeout=ClientTimeout(connect=5))


class TestTotal:
    """One deadline goes with the call through all its phases."""

    async def test_redirects(self) -> None:
        """Each hop of a redirect has what the hops before it left."""
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            clock = Stopwatch()
            with pytest.raises(aioclient.TotalTimeoutError) as caught:
                await fetch(session, "/hop", timeout=10)
            assert clock() == 10
            check(caught.value, "total", 10, "/hop: no response", session)
            assert len(server.requests) == 3

    async def test_pool_connect_and_answer(self) -> None:
        """Waiting for a slot, connecting and the answer come out of one total."""
        async with (
            RawServer(site) as server,
            ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
        ):
            hold = await session.get("/hold", timeout=None)
            asyncio.get_running_loop().call_later(4, hold.close)
            clock = Stopwatch()
            with pytest.raises(aioclient.TotalTimeoutError, match=r"no response within total=7 s$"):
                await fetch(session, timeout=7)
            assert clock() == 7

    async def test_body(self) -> None:
        """The deadline ends a body that drips, however short its silences are."""
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            clock = Stopwatch()
            async with session.get("/drip", timeout=ClientTimeout(total=10.5, sock_read=5)) as got:
                assert clock() < 2
                with pytest.raises(aioclient.TotalTimeoutError) as caught:
                    await got.read()
            assert clock() == 10.5
            check(caught.value, "total", 10.5, "the rest of the body did not come", session)

    async def test_time_between_head_and_body_counts(self) -> None:
        """What the caller does between the head and the body is part of the call."""
        async with (
            RawServer(site) as server,
            ClientSession(server.url()) as session,
            session.get("/hold", timeout=5) as response,
        ):
            await asyncio.sleep(6)
            with pytest.raises(aioclient.TotalTimeoutError):
                await response.read()

    async def test_upload(self) -> None:
        """A source that never gives its next piece ends with the deadline, and is closed."""
        ended = []

        async def pieces() -> AsyncIterator[bytes]:
            try:
                yield b"x"
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        async with RawServer(mute) as server, ClientSession(server.url()) as session:
            with pytest.raises(aioclient.TotalTimeoutError, match="no response"):
                await session.post("/", data=pieces(), timeout=5)
            await turns()
            assert ended == [True]

    async def test_a_repeated_request(self) -> None:
        """The repetition on a fresh connection has what the first attempt left."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            if not conn.index:
                conn.send(OK)
                await conn.read_request()
                await asyncio.sleep(4)
            else:
                await conn.closed()

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            await fetch(session)
            clock = Stopwatch()
            with pytest.raises(aioclient.TotalTimeoutError):
                await fetch(session, timeout=6)
            assert clock() == 6
            assert server.connections == 2

    async def test_a_middleware_that_waits(self) -> None:
        """What a middleware does counts, too."""

        async def waits(request: Any, handler: Any) -> Any:
            await asyncio.sleep(100)
            return await handler(request)

        async with (
            RawServer(site) as server,
            ClientSession(server.url(), middlewares=[waits]) as session,
        ):
            clock = Stopwatch()
            with pytest.raises(aioclient.TotalTimeoutError, match="within total=6 s"):
                await fetch(session, timeout=6)
            assert clock() == 6

    async def test_none(self) -> None:
        """Without a limit a call takes what it takes."""
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            clock = Stopwatch()
            assert len(await fetch(session, "/drip", timeout=None)) == 100
            assert clock() == 100

    async def test_the_users_own_limit(self) -> None:
        """asyncio.timeout() around a call cancels it, and is not mistaken for a limit of ours."""
        async with RawServer(mute) as server, ClientSession(server.url()) as session:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(3):
                    await fetch(session, timeout=5)
            assert not isinstance(caught.value, aioclient.ClientError)
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0


class TestSockRead:
    async def test_no_answer(self) -> None:
        """A server that takes the request and says nothing is given sock_read seconds."""
        async with RawServer(mute) as server, ClientSession(server.url()) as session:
            clock = Stopwatch()
            with pytest.raises(aioclient.ReadTimeoutError) as caught:
                await fetch(session, timeout=ClientTimeout(sock_read=5))
            assert clock() == 5
            check(caught.value, "sock_read", 5, "no response", session)
            assert isinstance(caught.value, aiohttp.SocketTimeoutError)

    async def test_silence_within_the_body(self) -> None:
        """Each piece of the body is waited for anew."""
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            async with session.get("/hold", timeout=ClientTimeout(sock_read=5)) as response:
                with pytest.raises(aioclient.ReadTimeoutError, match="the rest of the body"):
                    await response.read()
            limits = ClientTimeout(sock_read=1.5)
            assert len(await fetch(session, "/drip", timeout=limits)) == 100
