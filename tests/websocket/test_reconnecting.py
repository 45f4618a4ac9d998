"""A WebSocket that is connected again: its waits, its hooks, its ends, and what it leaves behind."""

import asyncio
import itertools
import logging
import pickle
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import ClientWSTimeout, WSMessage, web
from multidict import CIMultiDict
from yarl import URL

from aioclient import (
    ClientSession,
    ClientWebSocketResponse,
    ReconnectingWebSocket,
    ReconnectPolicy,
    ReconnectState,
    ReconnectStatistics,
    TCPConnector,
)
from aioclient.exceptions import (
    ClientConnectionResetError,
    ClientConnectorError,
    HandshakeRefusedError,
    InvalidURL,
    ServerTimeoutError,
    TotalTimeoutError,
    WSClosedError,
    WSReceiveTimeoutError,
    WSReconnectError,
)
from aioclient.testing import (
    RawConnection,
    cancel_everywhere,
    refused_port,
    silent_port,
    turns,
)
from aioclient.testing.cancel import Moment

from .. import spoken
from ..servers.app import serve_application
from ..servers.certificates import Certificates
from ..servers.either import RawServer
from .wire import (
    CLOSE,
    PING,
    TEXT,
    close,
    end,
    frame,
    read_frame,
    switching,
    websocket_server,
)

pytestmark = pytest.mark.both_protocols

MOMENTS: tuple[Moment, ...] = ("suspended", "resumed", "soon")
EXACT = ReconnectPolicy(jitter="none")
# For what needs no clock: real time passes, too little to be noticed.
SOON = ReconnectPolicy(initial=1e-6, max_delay=1e-6)

Turn = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(*turns_: Turn) -> web.Application:
    """Return an application whose n-th request is answered by the n-th function, and all later ones by the last."""
    left = list(turns_)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(request)

    app = web.Application()
    app.router.add_get("/", answer)
    return app


def status(code: int, **fields: str) -> Turn:
    """Answer a handshake with this status."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=code, headers={name.replace("_", "-"): value for name, value in fields.items()}
        )

    return answer


def says(*texts: str, code: int | None = None, reason: bytes = b"") -> Turn:
    """Accept, send these texts, and close with *code*; None drops the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        for text in texts:
            await ws.send_str(text)
        if code is None:
            assert request.transport is not None
            request.transport.close()
        else:
            await ws.close(code=code, message=reason)
        return ws

    return answer


async def echo(request: web.Request) -> web.StreamResponse:
    """Accept and send back what comes, until the client closes."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(message.data)
    return ws


async def texts_of(feed: ReconnectingWebSocket) -> list[str]:
    """Return the texts of all connections."""
    return [message.data async for message in feed.messages()]


class TestLife:
    """From the first attempt to the end, connection by connection."""

    @pytest.mark.both_loops
    async def test_connections(self) -> None:
        """The loop gets one connection after the other; state, last error and counts tell of it all the while."""
        app = application(
            status(503),
            says("a", code=1012, reason=b"restart"),
            says("b"),
            says("c", code=1000),
        )
        async with serve_application(app) as origin, ClientSession() as session:
            feed = session.ws_reconnecting(origin + "/", policy=SOON)
            assert feed.state is ReconnectState.IDLE
            assert feed.statistics() == ReconnectStatistics(0, 0, 0)
            assert feed.last_error is None
            seen: list[tuple[list[str], str]] = []
            async for ws in feed:
                assert isinstance(ws, ClientWebSocketResponse)
                assert feed.ws is ws
                assert feed.state is ReconnectState.OPEN
                assert feed.next_attempt_in is None
                error = feed.last_error
                seen.append(([message.data async for message in ws], f"{type(error).__name__}"))
                if len(seen) == 1:
                    assert isinstance(error, HandshakeRefusedError)
                    assert error.status == 503
                if len(seen) == 2:
                    assert isinstance(error, WSClosedError)
                    assert (error.code, error.reason) == (1012, "restart")
                if len(seen) == 3:
                    assert isinstance(error, WSClosedError)
                    assert (error.code, error.reason) == (1006, "")
                    assert isinstance(error.__cause__, aiohttp.ServerDisconnectedError)
            assert [texts for texts, _ in seen] == [["a"], ["b"], ["c"]]
            assert feed.state is ReconnectState.CLOSED
            assert feed.ws is None
            assert feed.statistics() == ReconnectStatistics(4, 3, 3)
            assert isinstance(feed.last_error, WSClosedError)
            assert feed.last_error.code == 1000

    @pytest.mark.both_loops
    async def test_log_lines(self, caplog: pytest.LogCaptureFixture) -> None:
        """Each end that another attempt follows is a line at INFO, and so is each later connection."""
        caplog.set_level(logging.INFO, "aioclient.reconnecting")
        app = application(says("a", code=1012), status(503), says("b"), says("c", code=1000))
        async with serve_application(app) as origin, ClientSession() as session:
            url = f"{origin}/?token=geheim"
            assert await texts_of(session.ws_reconnecting(url, policy=SOON)) == ["a", "b", "c"]
        assert [f"{record.levelname} {record.getMessage()}" for record in caplog.records] == [
            f"INFO {origin}/?token=***: {line}"
            for line in (
                "closed with 1012; connecting again in 0.000 s",
                "refused with 503; connecting again in 0.000 s",
                "connected, attempt 3",
                "closed with 1006; connecting again in 0.000 s",
                "connected, attempt 4",
            )
        ]

    @pytest.mark.both_loops
    async def test_messages(self) -> None:
        """messages() tells the messages of all connections, and no ends."""

        async def pings(conn: RawConnection) -> None:
            conn.send(frame(TEXT, b"%d" % conn.index))
            if conn.index < 2:
                conn.send(close(1001))
            else:
                conn.send(close(1000))
            await end(conn)

        async with websocket_server(pings) as server, ClientSession() as session:
            feed = session.ws_reconnecting(server.url(), policy=SOON)
            assert await texts_of(feed) == ["0", "1", "2"]
            assert feed.state is ReconnectState.CLOSED

    async def test_a_violation(self) -> None:
        """A server that breaks the protocol ends it; the violation is the cause of the cause, and no message."""

        async def lies(conn: RawConnection) -> None:
            conn.send(frame(TEXT, b"x", mask=b"1234"))
            await conn.closed()

        async with websocket_server(lies) as server, ClientSession() as session:
            feed = session.ws_reconnecting(server.url(), policy=SOON)
            with pytest.raises(WSReconnectError, match="1002") as caught:
                await texts_of(feed)
            cause = caught.value.__cause__
            assert isinstance(cause, WSClosedError)
            assert "masked" in str(cause.__cause__)

    async def test_once(self) -> None:
        """It can be iterated over once, and one that was closed before gives nothing."""
        async with (
            serve_application(application(says(code=1000))) as origin,
            ClientSession() as session,
        ):
            feed = session.ws_reconnecting(origin + "/")
            assert await texts_of(feed) == []
            with pytest.raises(RuntimeError, match="once"):
                await texts_of(feed)
            feed = session.ws_reconnecting(origin + "/")
            await feed.close()
            assert feed.state is ReconnectState.CLOSED
            assert await texts_of(feed) == []
            assert feed.statistics().attempts == 0

    async def test_repr(self) -> None:
        """repr tells state and URL, without what may be secret."""
        async with ClientSession() as session:
            feed = session.ws_reconnecting("wss://ada:secret@a.example/feed?token=secret")
            assert repr(feed) == "<ReconnectingWebSocket wss://a.example/feed?token=*** idle>"
            assert "secret" not in repr(session.ws_reconnecting(lambda: "wss://secret"))
        async with ClientSession("http://a.example/api/") as session:
            assert "http://a.example/api/feed idle" in repr(session.ws_reconnecting("feed"))


@pytest.mark.virtual_clock
class TestWaits:
    """When the next attempt is made, by the clock."""

    async def test_a_server_that_drops_at_once(self) -> None:
        """A server that accepts and drops at once is asked less and less often; one that held on is asked at once."""
        clock = asyncio.get_running_loop().time
        opened: list[float] = []

        async def drops(conn: RawConnection) -> None:
            opened.append(clock())
            if conn.index == 7:
                await asyncio.sleep(10)
            conn.abort()

        policy = ReconnectPolicy(jitter="none", max_delay=20)
        async with websocket_server(drops) as server, ClientSession() as session:
            feed = session.ws_reconnecting(server.url(), policy=policy)
            async for ws in feed:
                async for _ in ws:
                    pass
                if len(opened) == 10:
                    break
        waits = [later - earlier for earlier, later in itertools.pairwise(opened)]
        assert waits == [1, 2, 4, 8, 16, 20, 20, 11, 1]

    async def test_while_it_waits(self) -> None:
        """The time of the next attempt can be seen, and the state."""
        clock = asyncio.get_running_loop().time
        with refused_port() as port:
            async with ClientSession() as session:
                feed = session.ws_reconnecting(f"ws://127.0.0.1:{port}/", policy=EXACT)
                task = asyncio.create_task(texts_of(feed))
                start = clock()
                await asyncio.sleep(1.5)
                assert feed.state is ReconnectState.WAITING
                assert feed.next_attempt_in == 1.5
                assert "waiting, next attempt in 1.5 s" in repr(feed)
                assert isinstance(feed.last_error, ClientConnectorError)
                assert feed.statistics() == ReconnectStatistics(2, 0, 2)
                await feed.close()
                assert await task == []
                assert clock() - start == 1.5
                assert feed.state is ReconnectState.CLOSED
                assert feed.next_attempt_in is None

    @pytest.mark.parametrize(
        ("fields", "waited"),
        [
            ({"Retry_After": "30"}, 30),
            ({"Retry_After": "3000"}, 100),
            ({"Retry_After": "0"}, 1),
            (
                {
                    "Retry_After": "Sun, 09 Sep 2001 01:46:55 GMT",
                    "Date": "Sun, 09 Sep 2001 01:46:40 GMT",
                },
                15,
            ),
        ],
    )
    async def test_retry_after(self, fields: dict[str, str], waited: float) -> None:
        """A refusal's Retry-After is waited for, up to the policy's limit."""
        clock = asyncio.get_running_loop().time
        app = application(status(503, **fields), says(code=1000))
        policy = ReconnectPolicy(jitter="none", max_retry_after=100)
        async with serve_application(app) as origin, ClientSession() as session:
            start = clock()
            assert await texts_of(session.ws_reconnecting(origin + "/", policy=policy)) == []
            assert clock() - start == waited

    async def test_jitter(self) -> None:
        """By default a part of each wait is left out, at most its half."""
        clock = asyncio.get_running_loop().time
        waits = set()
        for _ in range(5):
            app = application(status(503), says(code=1000))
            async with serve_application(app) as origin, ClientSession() as session:
                start = clock()
                await texts_of(session.ws_reconnecting(origin + "/"))
                waits.add(clock() - start)
        assert len(waits) > 1
        assert all(0.5 <= wait < 1 for wait in waits)

    async def test_a_dead_connection(self) -> None:
        """A peer that says nothing is asked after 20 s, and given up after 10 more."""
        clock = asyncio.get_running_loop().time
        opened: list[float] = []

        async def silent(conn: RawConnection) -> None:
            opened.append(clock())
            if conn.index:
                conn.send(close(1000))
            await conn.closed()

        async with websocket_server(silent) as server, ClientSession() as session:
            feed = session.ws_reconnecting(server.url(), policy=EXACT)
            assert await texts_of(feed) == []
            assert opened[1] - opened[0] == 20 + 10 + 1

    async def test_without_heartbeat(self) -> None:
        """heartbeat=None asks for no sign of life; other arguments of ws_connect() are passed on, too."""
        frames: list[int] = []

        async def talk(conn: RawConnection) -> None:
            reading = asyncio.create_task(read_frame(conn))
            await asyncio.sleep(1000)
            frames.append(0)
            conn.send(close(1000))
            frames.append((await reading).opcode)

        async with (
            websocket_server(talk, "Sec-WebSocket-Protocol: b") as server,
            ClientSession() as session,
        ):
            feed = session.ws_reconnecting(server.url(), heartbeat=None, protocols=("a", "b"))
            async for ws in feed:
                assert ws.protocol == "b"
                assert [message async for message in ws] == []
            while len(frames) < 2:
                await turns()
        assert frames == [0, CLOSE]

    async def test_a_silent_feed(self) -> None:
        """messages() gives up a connection on which no message comes within ws_receive."""
        clock = asyncio.get_running_loop().time
        codes: list[int | None] = []

        async def talk(conn: RawConnection) -> None:
            conn.send(frame(TEXT, b"%d" % conn.index))
            if conn.index:
                conn.send(close(1000))
            codes.append(await end(conn))

        async with websocket_server(talk) as server, ClientSession() as session:
            feed = session.ws_reconnecting(
                server.url(), policy=EXACT, timeout=ClientWSTimeout(ws_receive=7.0), heartbeat=None
            )
            start = clock()
            errors = [feed.last_error async for _ in feed.messages()]
            assert clock() - start == 8
            assert errors[0] is None
            assert isinstance(errors[1], WSReceiveTimeoutError)
            while len(codes) < 2:
                await turns()
            assert codes == [1000, 1000]

    async def test_handshake_timeout(self) -> None:
        """A handshake that takes too long is a failed attempt."""
        with silent_port() as port:
            async with ClientSession() as session:
                feed = session.ws_reconnecting(
                    f"ws://127.0.0.1:{port}/",
                    policy=ReconnectPolicy(jitter="none", max_attempts=2),
                    handshake_timeout=5,
                )
                clock = asyncio.get_running_loop().time
                start = clock()
                with pytest.raises(WSReconnectError, match="max_attempts=2") as caught:
                    await texts_of(feed)
                assert isinstance(caught.value.__cause__, TotalTimeoutError)
                assert clock() - start == 11


class TestFresh:
    """What is made anew for each attempt."""

    @pytest.mark.parametrize("kind", ["plain", "coroutine"])
    @pytest.mark.both_loops
    async def test_url_and_headers(self, kind: str) -> None:
        """Functions and coroutine functions that make the URL and the headers are called for each attempt."""
        got: list[tuple[str, str | None]] = []

        async def note(request: web.Request) -> web.StreamResponse:
            got.append((request.query["n"], request.headers.get("Authorization")))
            code = [503, 1001, 1000][len(got) - 1]
            return await (status(code) if code < 1000 else says(code=code))(request)

        numbers = iter(range(10))
        tokens = iter("abc")

        def url() -> URL:
            return URL(f"{origin}/?n={next(numbers)}")

        def headers() -> dict[str, str]:
            return {"Authorization": f"Bearer {next(tokens)}"}

        async def later_url() -> URL:
            await asyncio.sleep(0)
            return url()

        async def later_headers() -> dict[str, str]:
            await asyncio.sleep(0)
            return headers()

        async with serve_application(application(note)) as origin, ClientSession() as session:
            feed = (
                session.ws_reconnecting(url, headers=headers, policy=SOON)
                if kind == "plain"
                else session.ws_reconnecting(later_url, headers=later_headers, policy=SOON)
            )
            assert await texts_of(feed) == []
        assert got == [("0", "Bearer a"), ("1", "Bearer b"), ("2", "Bearer c")]

    async def test_plain_values(self) -> None:
        """Headers may be given as for ws_connect(), and go out each time; relative URLs are joined to base_url."""
        got: list[str] = []

        async def note(request: web.Request) -> web.StreamResponse:
            got.append(request.headers["X-One"])
            return await says(code=1000 if len(got) == 2 else 1001)(request)

        async with (
            serve_application(application(note)) as origin,
            ClientSession(origin + "/") as session,
        ):
            headers = CIMultiDict({"X-One": "1"})
            feed = session.ws_reconnecting("", headers=headers, policy=SOON)
            assert await texts_of(feed) == []
        assert got == ["1", "1"]

    async def test_what_they_raise(self) -> None:
        """An error of the network counts as a failed attempt; another one comes as it is."""
        with refused_port() as port:
            async with ClientSession() as session:
                calls = 0

                async def token() -> dict[str, str]:
                    nonlocal calls
                    calls += 1
                    if calls == 3:
                        raise KeyError("token")
                    async with session.get(f"http://127.0.0.1:{port}/token") as response:
                        return {"Authorization": await response.text()}

                feed = session.ws_reconnecting("ws://a.example/", headers=token, policy=SOON)
                with pytest.raises(KeyError, match="token"):
                    await texts_of(feed)
                assert calls == 3
                assert feed.statistics() == ReconnectStatistics(3, 0, 2)
                assert feed.state is ReconnectState.CLOSED

    async def test_an_url_that_is_none(self) -> None:
        """A URL that is none raises at the call; one that a function makes ends it."""
        async with ClientSession() as session:
            with pytest.raises(InvalidURL):
                session.ws_reconnecting("http://[")
            with pytest.raises(WSReconnectError, match="InvalidUrl") as caught:
                await texts_of(session.ws_reconnecting(lambda: "http://["))
            assert isinstance(caught.value.__cause__, InvalidURL)


class TestHook:
    """on_connect, which makes a connection ready."""

    @pytest.mark.both_loops
    async def test_before_the_connection_is_handed_over(self) -> None:
        """It gets each connection first, to log in and to subscribe, and may be a plain function."""
        app = application(echo)
        async with serve_application(app) as origin, ClientSession() as session:

            async def subscribe(ws: ClientWebSocketResponse) -> None:
                assert feed.state is ReconnectState.CONNECTING
                assert feed.ws is None
                await ws.send_str("subscribe")

            feed = session.ws_reconnecting(origin + "/", policy=SOON, on_connect=subscribe)
            rounds = 0
            async for ws in feed:
                assert await ws.receive_str() == "subscribe"
                rounds += 1
                if rounds == 2:
                    break
            given: list[ClientWebSocketResponse] = []
            feed = session.ws_reconnecting(origin + "/", on_connect=given.append)
            async with feed:
                async for ws in feed:
                    assert given == [ws]
                    break

    @pytest.mark.parametrize("failure", ["timeout", "refused by the server", "lost"])
    async def test_failures(self, failure: str) -> None:
        """A failure of the network within it is a failed attempt: its connection is closed, and another one made."""
        codes: list[int | None] = []

        async def talk(conn: RawConnection) -> None:
            if conn.index < 2:
                if failure == "lost":
                    conn.abort()
                    return
                if failure != "timeout":
                    conn.send(close(1013, b"busy"))
            else:
                conn.send(frame(TEXT, b"welcome") + close(1000))
            codes.append(await end(conn))

        async def welcome(ws: ClientWebSocketResponse) -> None:
            async with asyncio.timeout(0.01 if failure == "timeout" else 60):
                assert await ws.receive_str() == "welcome"

        async with websocket_server(talk) as server, ClientSession() as session:
            feed = session.ws_reconnecting(server.url(), policy=SOON, on_connect=welcome)
            errors = [feed.last_error async for _ in feed]
            (error,) = errors
            if failure == "timeout":
                assert isinstance(error, TimeoutError)
                while len(codes) < 3:
                    await turns()
                assert codes == [1000, 1000, 1000]
            else:
                assert isinstance(error, WSClosedError)
                assert isinstance(error.__cause__, aiohttp.WSMessageTypeError)
                assert error.code == (1006 if failure == "lost" else 1013)
            assert feed.statistics() == ReconnectStatistics(3, 1, 2)

    async def test_a_login_that_is_refused(self) -> None:
        """What the server closes with within it is what the policy looks at."""

        async def talk(conn: RawConnection) -> None:
            conn.send(close(4004, b"wrong token"))
            await end(conn)

        async def login(ws: ClientWebSocketResponse) -> None:
            await ws.receive_json()

        async with websocket_server(talk) as server, ClientSession() as session:
            feed = session.ws_reconnecting(server.url(), policy=SOON, on_connect=login)
            with pytest.raises(WSReconnectError, match="ended with 4004 'wrong token'"):
                await texts_of(feed)

    async def test_an_error_of_ones_own(self) -> None:
        """Another error of it comes as it is, and the connection is closed."""

        async def fails(ws: ClientWebSocketResponse) -> None:
            kept.append(ws)
            raise LookupError("mine")

        kept: list[ClientWebSocketResponse] = []
        async with serve_application(application(echo)) as origin, ClientSession() as session:
            feed = session.ws_reconnecting(origin + "/", policy=SOON, on_connect=fails)
            with pytest.raises(LookupError, match="mine"):
                await texts_of(feed)
            assert kept[0].closed
            assert feed.statistics() == ReconnectStatistics(1, 0, 0)
            policy = ReconnectPolicy(initial=1e-6, errors=(LookupError,), max_attempts=3)
            feed = session.ws_reconnecting(origin + "/", policy=policy, on_connect=fails)
            with pytest.raises(WSReconnectError, match=r"max_attempts=3\): mine") as caught:
                await texts_of(feed)
            assert isinstance(caught.value.__cause__, LookupError)
            assert all(ws.closed for ws in kept)

    async def test_what_cannot_be_called(self) -> None:
        """What is no function raises at the call, and so does an argument that does not exist."""
        async with ClientSession() as session:
            with pytest.raises(TypeError, match="on_connect must be callable"):
                session.ws_reconnecting("ws://a.example", on_connect="x")  # type: ignore[arg-type]
            with pytest.raises(TypeError, match=r"hearbeat.*did you mean heartbeat"):
                session.ws_reconnecting("ws://a.example", hearbeat=3)  # type: ignore[call-arg]


class TestEnds:
    """What ends it, and how that is told."""

    async def test_a_status(self) -> None:
        """A status that the policy does not have ends it; the error says why, after how many attempts, and for what."""
        app = application(status(503), status(401))
        async with serve_application(app) as origin, ClientSession() as session:
            feed = session.ws_reconnecting(origin + "/", policy=SOON)
            with pytest.raises(WSReconnectError) as caught:
                await texts_of(feed)
            error = caught.value
            assert isinstance(error, aiohttp.ClientError)
            assert isinstance(error.__cause__, HandshakeRefusedError)
            assert error.__cause__.status == 401
            assert error.attempts == 2
            assert error.reason == "the policy's statuses do not have 401"
            expected = "2xx" if spoken.http2() else "101"
            assert str(error) == (
                f"{origin}/: not connected again after 2 attempts, {error.reason}: "
                f"GET {origin}/: the server answered with status 401, not {expected}"
            )
            assert feed.last_error is error.__cause__
            assert feed.state is ReconnectState.CLOSED
            assert not session._lifecycle.reconnecting

    async def test_a_close_code(self) -> None:
        """A close code that the policy does not have ends it, with the server's reason."""
        app = application(says(code=4004, reason=b"no such feed"))
        async with serve_application(app) as origin, ClientSession() as session:
            with pytest.raises(WSReconnectError, match=r"after 1 attempt, .*4004 'no such feed'"):
                await texts_of(session.ws_reconnecting(origin + "/"))

    async def test_a_certificate(self, certificates: Certificates) -> None:
        """A certificate that is not trusted ends it at once."""
        app = application(echo)
        context = certificates.server_context()
        async with serve_application(app, ssl=context) as origin, ClientSession() as session:
            feed = session.ws_reconnecting(origin + "/", policy=SOON)
            with pytest.raises(WSReconnectError, match="after 1 attempt") as caught:
                await texts_of(feed)
            assert isinstance(caught.value.__cause__, aiohttp.ClientConnectorCertificateError)

    async def test_what_is_not_http(self) -> None:
        """A server that does not speak HTTP ends it, by the name of the error."""
        async with RawServer.replies([b"SSH-2.0-x\r\n\r\n"]) as server, ClientSession() as session:
            with pytest.raises(WSReconnectError, match="errors do not have ServerProtocolError"):
                await texts_of(session.ws_reconnecting(server.url()))

    @pytest.mark.parametrize(("status", "attempts"), [(407, 1), (502, 3)])
    async def test_a_proxy(self, status: int, attempts: int) -> None:
        """A proxy that opens no tunnel is looked at by its status, as a server is."""
        reply = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status
        async with RawServer.replies([reply], repeat=True) as server, ClientSession() as session:
            policy = ReconnectPolicy(initial=1e-6, max_attempts=3)
            feed = session.ws_reconnecting("wss://a.example", policy=policy, proxy=server.url())
            with pytest.raises(WSReconnectError) as caught:
                await texts_of(feed)
            assert isinstance(caught.value.__cause__, aiohttp.ClientHttpProxyError)
            assert caught.value.attempts == attempts

    async def test_pickle(self) -> None:
        """Its errors can be pickled."""
        for error in (WSReconnectError("x", "why", 2), WSClosedError("x", 1006, "")):
            copy = pickle.loads(pickle.dumps(error))
            assert type(copy) is type(error)
            assert str(copy) == str(error)


class TestTheUserEndsIt:
    """break, errors, close(), and going on without the end of a connection."""

    @pytest.mark.both_loops
    @pytest.mark.parametrize("how", ["break", "raise"])
    @pytest.mark.parametrize("entered", [True, False], ids=["entered", "bare"])
    @pytest.mark.parametrize("what", ["connections", "messages"])
    async def test_leaving_the_loop(self, how: str, entered: bool, what: str) -> None:
        """break, or an error of one's own, closes the connection with 1000."""
        codes: list[int | None] = []

        async def talk(conn: RawConnection) -> None:
            conn.send(frame(TEXT, b"a"))
            codes.append(await end(conn))

        async with websocket_server(talk) as server, ClientSession() as session:
            feed = session.ws_reconnecting(server.url())

            async def leave() -> None:
                async for _ in feed if what == "connections" else feed.messages():
                    if how == "raise":
                        raise LookupError("mine")
                    break

            try:
                if entered:
                    async with feed:
                        await leave()
                else:
                    await leave()
            except LookupError as error:
                assert how == "raise"
                assert str(error) == "mine"
            else:
                assert how == "break"
            if entered:
                assert feed.state is ReconnectState.CLOSED
                assert codes == [1000]
            while feed.state is not ReconnectState.CLOSED or not codes:
                await turns()
            assert codes == [1000]
            assert feed.statistics().attempts == 1
            assert feed.ws is None or feed.ws.closed

    @pytest.mark.parametrize("closes", [True, False])
    async def test_going_on(self, closes: bool) -> None:
        """Who goes on to the next connection, having closed this one or not, gets it, after a wait."""
        codes: list[int | None] = []

        async def talk(conn: RawConnection) -> None:
            codes.append(await end(conn))

        async with websocket_server(talk) as server, ClientSession() as session:
            feed = session.ws_reconnecting(server.url(), policy=SOON)
            kept: list[ClientWebSocketResponse] = []
            async for ws in feed:
                kept.append(ws)
                if len(kept) == 3:
                    await feed.close()
                elif closes:
                    await ws.close(code=4000)
            assert codes == ([4000, 4000, 1000] if closes else [1000, 1000, 1000])
            assert feed.last_error is None
            assert feed.statistics() == ReconnectStatistics(3, 3, 2)
            assert all(ws.closed for ws in kept)

    @pytest.mark.both_loops
    async def test_close_while_open(self) -> None:
        """close() by another task ends a receive and the loop, without an error."""
        async with serve_application(application(echo)) as origin, ClientSession() as session:
            feed = session.ws_reconnecting(origin + "/")
            task = asyncio.create_task(texts_of(feed))
            await feed.wait_open()
            await feed.close()
            assert feed.state is ReconnectState.CLOSED
            assert await task == []
            await feed.close()

    @pytest.mark.parametrize("where", ["handshake", "headers", "on_connect"])
    async def test_close_while_connecting(self, where: str) -> None:
        """close() ends an attempt at once, wherever it is."""
        codes: list[int | None] = []
        there = asyncio.Event()

        async def script(conn: RawConnection) -> None:
            request = await conn.read_request()
            if where == "handshake":
                there.set()
                await conn.closed()
            else:
                conn.send(switching(request))
                codes.append(await end(conn))

        async def hang(*_: object) -> dict[str, str]:
            there.set()
            await asyncio.Event().wait()
            return {}

        async with RawServer(script) as server, ClientSession() as session:
            feed = session.ws_reconnecting(
                server.url(),
                headers=hang if where == "headers" else None,
                on_connect=hang if where == "on_connect" else None,
            )
            task = asyncio.create_task(texts_of(feed))
            await there.wait()
            assert feed.state is ReconnectState.CONNECTING
            await feed.close()
            assert await task == []
            assert feed.state is ReconnectState.CLOSED
            assert codes == ([1000] if where == "on_connect" else [])

    async def test_close_within_the_hook(self) -> None:
        """on_connect may close: the connection is not handed over."""
        async with serve_application(application(echo)) as origin, ClientSession() as session:

            async def hook(ws: ClientWebSocketResponse) -> None:
                kept.append(ws)
                await feed.close()

            kept: list[ClientWebSocketResponse] = []
            feed = session.ws_reconnecting(origin + "/", on_connect=hook)
            assert [ws async for ws in feed] == []
            assert kept[0].closed

    @pytest.mark.virtual_clock
    @pytest.mark.parametrize("how", ["close", "detach", "connector"])
    async def test_the_session_is_closed_meanwhile(self, how: str) -> None:
        """A session that is closed ends a wait at once; with a connector that is closed the next attempt ends it."""
        clock = asyncio.get_running_loop().time
        with refused_port() as port:
            connector = TCPConnector()
            session = ClientSession(connector=connector)
            feed = session.ws_reconnecting(f"ws://127.0.0.1:{port}/", policy=EXACT)
            task = asyncio.create_task(texts_of(feed))
            await asyncio.sleep(0.5)
            assert feed.state is ReconnectState.WAITING
            start = clock()
            if how == "connector":
                await connector.close()
                with pytest.raises(RuntimeError, match="connector is closed"):
                    await task
            else:
                if how == "close":
                    await session.close()
                else:
                    session.detach()
                with pytest.raises(WSReconnectError, match="the session is closed") as caught:
                    await task
                assert isinstance(caught.value.__cause__, ClientConnectorError)
                assert clock() == start
            await session.close()
            await connector.close()

    @pytest.mark.both_loops
    @pytest.mark.parametrize("what", ["connections", "messages"])
    async def test_leaving_the_loop_and_the_session(self, what: str) -> None:
        """A session that is closed right behind break tells the server that it goes away."""
        codes: list[int | None] = []

        async def talk(conn: RawConnection) -> None:
            conn.send(frame(TEXT, b"a"))
            codes.append(await end(conn))

        async with websocket_server(talk) as server:
            async with ClientSession() as session:
                feed = session.ws_reconnecting(server.url())
                async for _ in feed if what == "connections" else feed.messages():
                    break
            while not codes or feed.state is not ReconnectState.CLOSED:
                await turns()
            assert codes == [1001]

    @pytest.mark.parametrize("how", ["connector_owner", "detach"])
    async def test_a_connector_that_is_anothers(self, how: str) -> None:
        """A connection lives on when its session is closed without its connector; it is the last one."""
        async with serve_application(application(echo)) as origin, TCPConnector() as connector:
            session = ClientSession(connector=connector, connector_owner=how == "detach")
            feed = session.ws_reconnecting(origin + "/", policy=SOON)
            with pytest.raises(WSReconnectError, match="the session is closed"):
                async for ws in feed:
                    if how == "detach":
                        session.detach()
                    else:
                        await session.close()
                    await ws.send_str("x")
                    assert await ws.receive_str() == "x"
            assert feed.statistics().attempts == 1

    @pytest.mark.both_loops
    async def test_the_session_is_closed_while_open(self) -> None:
        """A session that is closed takes its connections along, and no other one is made."""
        async with serve_application(application(echo)) as origin:
            session = ClientSession()
            feed = session.ws_reconnecting(origin + "/", policy=SOON)
            task = asyncio.create_task(texts_of(feed))
            await feed.wait_open()
            await session.close()
            with pytest.raises(WSReconnectError, match="the session is closed"):
                await task
            with pytest.raises(RuntimeError, match="Session is closed"):
                await texts_of(session.ws_reconnecting(origin + "/"))


class TestSending:
    """Other tasks send on whatever connection there is."""

    @pytest.mark.both_loops
    async def test_waits_for_a_connection(self) -> None:
        """A message for which there is no connection waits for the next one."""
        app = application(status(503), says("first", code=1012), echo)
        async with serve_application(app) as origin, ClientSession() as session:
            feed = session.ws_reconnecting(origin + "/", policy=SOON)
            got: asyncio.Queue[WSMessage] = asyncio.Queue()

            async def read() -> None:
                async for message in feed.messages():
                    await got.put(message)

            task = asyncio.create_task(read())
            assert (await got.get()).data == "first"
            first = feed.ws
            while feed.ws in (first, None):
                await turns()
            assert await feed.wait_open() is feed.ws
            await feed.send_str("a")
            await feed.send_json({"b": 1}, dumps=lambda data: f"dumped {data}")
            await feed.send_json([2])
            assert [(await got.get()).data for _ in range(3)] == ["a", "dumped {'b': 1}", "[2]"]
            await feed.close()
            await task
            with pytest.raises(ClientConnectionResetError, match="closed"):
                await feed.send_bytes(b"x")

    async def test_before_the_first_one(self) -> None:
        """It waits, and fails when there will be none."""
        got: list[tuple[int, bytes]] = []

        async def talk(conn: RawConnection) -> None:
            received = await read_frame(conn)
            got.append((received.opcode, received.payload))
            conn.send(close(4004))
            await end(conn)

        async with websocket_server(talk) as server, ClientSession() as session:
            feed = session.ws_reconnecting(server.url())
            sending = asyncio.create_task(feed.send_bytes(b"x"))
            await turns()
            assert not sending.done()
            with pytest.raises(WSReconnectError):
                await texts_of(feed)
            await sending
            assert got == [(2, b"x")]
            with pytest.raises(ClientConnectionResetError) as caught:
                await feed.wait_open()
            assert isinstance(caught.value.__cause__, WSClosedError)

    async def test_a_waiting_sender_is_told_the_end(self) -> None:
        """A sender that waits fails when it is closed."""
        with silent_port() as port:
            async with ClientSession() as session:
                feed = session.ws_reconnecting(f"ws://127.0.0.1:{port}/")
                task = asyncio.create_task(texts_of(feed))
                sending = asyncio.create_task(feed.send_str("x"))
                await turns()
                await feed.close()
                with pytest.raises(ClientConnectionResetError):
                    await sending
                assert await task == []

    async def test_a_connection_that_broke(self) -> None:
        """Within the body a send on a connection that broke fails at once, and does not wait for the loop itself."""
        async with (
            serve_application(application(says(), echo)) as origin,
            ClientSession() as session,
        ):
            feed = session.ws_reconnecting(origin + "/", policy=SOON)
            results: list[str] = []
            async for ws in feed:
                while not results and ws.close_code is None:
                    await turns()
                try:
                    await feed.send_str("x")
                except ClientConnectionResetError:
                    results.append("reset")
                else:
                    results.append(await ws.receive_str())
                    await feed.close()
            assert results == ["reset", "x"]


@pytest.mark.both_loops
class TestCancellation:
    """Whatever await is cancelled: no task, socket or slot is left."""

    @pytest.mark.parametrize("what", ["connections", "messages"])
    @pytest.mark.parametrize("entered", [True, False], ids=["entered", "bare"])
    async def test_everywhere(self, what: str, entered: bool) -> None:
        """A refusal, a wait, a hook, a drop, a wait, messages and a close, cancelled at each of their awaits."""
        attempt = 0

        async def script(conn: RawConnection) -> None:
            nonlocal attempt
            request = await conn.read_request()
            attempt += 1
            if attempt == 1:
                conn.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            conn.send(switching(request))
            if (await read_frame(conn)).opcode == CLOSE:
                conn.send(close(1000))
                return
            conn.send(frame(TEXT, b"a"))
            if attempt == 2:
                conn.abort()
                return
            await end(conn)

        async def hook(ws: ClientWebSocketResponse) -> None:
            await asyncio.sleep(0)
            await ws.send_str("subscribe")
            await asyncio.sleep(0)

        async def headers() -> dict[str, str]:
            await asyncio.sleep(0)
            return {}

        async def scenario() -> None:
            nonlocal attempt
            attempt = 0
            feed = session.ws_reconnecting(
                server.url(), policy=SOON, on_connect=hook, headers=headers
            )
            if entered:
                async with feed:
                    await use(feed)
            else:
                await use(feed)
                await (
                    turns()
                )  # a message wakes its receiver at once, before what was to come "soon"

        async def use(feed: ReconnectingWebSocket) -> None:
            if what == "messages":
                async for _ in feed.messages():
                    if feed.statistics().connections == 2:
                        return
                return
            async for ws in feed:
                await ws.receive()
                if feed.statistics().connections == 2:
                    return
                await ws.receive()

        # The session outlives the scenario: its end would close what was forgotten.
        async with RawServer(script) as server, ClientSession() as session:
            if spoken.http2():
                await scenario()  # its connection outlives what is cancelled
            points = await cancel_everywhere(scenario, moments=MOMENTS)
            assert points > 10
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
            assert not session._lifecycle.reconnecting


@pytest.mark.virtual_clock
async def test_heartbeat_of_ones_own() -> None:
    """heartbeat and pong_timeout are taken as ws_connect() takes them."""
    clock = asyncio.get_running_loop().time
    pings: list[float] = []

    async def talk(conn: RawConnection) -> None:
        if conn.index:
            conn.send(close(1000))
            await conn.closed()
            return
        assert (await read_frame(conn)).opcode == PING
        pings.append(clock())
        await conn.closed()
        pings.append(clock())

    async with websocket_server(talk) as server, ClientSession() as session:
        start = clock()
        feed = session.ws_reconnecting(server.url(), policy=EXACT, heartbeat=5, pong_timeout=3)
        async for ws in feed:
            async for _ in ws:
                pass
            if ws.close_code == 1006:
                assert isinstance(ws.exception(), ServerTimeoutError)
            while len(pings) < 2:
                await turns()
    assert pings == [start + 5, start + 8]
