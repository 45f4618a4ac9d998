"""WebSockets over HTTP/2 (RFC 8441): an extended CONNECT, and a stream in place of a socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web

import aioclient
from aioclient import ClientSession, ClientTimeout, ClientWebSocketResponse, TCPConnector
from aioclient.protocols.http2.tunnel import LINGER
from aioclient.testing import (
    H2Code,
    H2Connection,
    H2Kind,
    H2Request,
    H2Server,
    H2Setting,
    RawConnection,
    RawServer,
    serve_h2,
    turns,
)

from ..servers.certificates import Certificates
from .wire import BINARY, CLOSE, PING, TEXT, Frame, close, frame, switching, unmasked

both_loops = pytest.mark.both_loops
virtual = pytest.mark.virtual_clock

OFFERED = {H2Setting.ENABLE_CONNECT_PROTOCOL: 1}
OPEN = [(":status", "200")]

Talk = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The server's side of one WebSocket on a stream."""

    def __init__(self, conn: H2Connection, request: H2Request) -> None:
        self.conn = conn
        self.request = request
        self.stream_id = request.stream_id
        self._unread = b""
        self.ended = False

    async def more(self) -> None:
        """Read the next DATA frame."""
        if self.ended:
            raise EOFError
        data = await self.conn.read_frame(H2Kind.DATA, self.stream_id)
        self._unread += data.content
        self.ended = data.ends_stream

    async def read(self) -> Frame:
        """Read the next frame of the client."""
        while True:
            size = self._unread[1:2]
            if size:
                length, at = size[0] & 0x7F, 2
                if length > 125:
                    at += 2 if length == 126 else 8
                    length = int.from_bytes(self._unread[2:at], "big")
                if len(self._unread) >= at + 4 + length:
                    mask = self._unread[at : at + 4]
                    payload = self._unread[at + 4 : at + 4 + length]
                    first, self._unread = self._unread[0], self._unread[at + 4 + length :]
                    return Frame(first, unmasked(payload, mask), mask)
            await self.more()

    def send(self, data: bytes, *, end: bool = False) -> None:
        self.conn.send_data(self.stream_id, data, end=end)


def sockets(talk: Talk, *fields: tuple[str, str]) -> H2Server:
    """Return a server that opens each WebSocket that it is asked for, and answers every other request."""

    async def script(conn: H2Connection) -> None:
        talking: set[asyncio.Task[None]] = set()
        try:
            while True:
                request = await conn.read_request(body=False)
                if not request.protocol:
                    await conn.respond(request.stream_id, body=b"ok")
                    continue
                conn.send_headers(request.stream_id, [*OPEN, *fields])
                task = asyncio.ensure_future(talk(Peer(conn, request)))
                talking.add(task)
        finally:
            for task in talking:
                task.cancel()
            for outcome in await asyncio.gather(*talking, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, EOFError):
                    raise outcome

    return H2Server(script, settings=OFFERED)


@contextlib.asynccontextmanager
async def opened(
    talk: Talk, *fields: tuple[str, str], **more: Any
) -> AsyncIterator[tuple[ClientWebSocketResponse, ClientSession, H2Server]]:
    """An open WebSocket, its session, and the server."""
    async with (
        sockets(talk, *fields) as server,
        ClientSession(http2="prior-knowledge") as session,
        session.ws_connect(server.url("/chat?a=b"), **more) as ws,
    ):
        yield ws, session, server


async def echo(peer: Peer) -> None:
    """Send everything back, the close frame included, and end with it."""
    while True:
        got = await peer.read()
        if got.opcode == CLOSE:
            peer.send(frame(CLOSE, got.payload), end=True)
            return
        data = frame(got.opcode, got.payload)
        await peer.conn.send_body(peer.stream_id, data, end=False)


async def fetch(session: ClientSession, server: H2Server) -> bytes:
    async with session.get(server.url("/")) as response:
        return await response.read()


def in_use(session: ClientSession) -> int:
    assert isinstance(session.connector, TCPConnector)
    return session.connector.statistics().in_use


class TestHandshake:
    async def test_fields(self) -> None:
        """It is an extended CONNECT, with what a handshake says, and without what is of a connection (section 5)."""
        async with opened(echo, protocols=["chat"], compress=15, origin="http://o.test") as (
            ws,
            _,
            server,
        ):
            assert (ws.response.status, ws.response.version) == (200, (2, 0))
            assert ws.protocol is None and ws.compress == 0
        [request] = server.requests
        assert (request.method, request.protocol, request.scheme) == (
            "CONNECT",
            "websocket",
            "http",
        )
        assert (request.target, request.authority) == ("/chat?a=b", f"127.0.0.1:{server.port}")
        assert request.value("Sec-WebSocket-Version") == "13"
        assert request.value("Sec-WebSocket-Protocol") == "chat"
        assert (request.value("Sec-WebSocket-Extensions") or "").startswith("permessage-deflate")
        assert request.value("Origin") == "http://o.test"
        for name in ("Connection", "Upgrade", "Sec-WebSocket-Key", "Content-Length"):
            assert request.value(name) is None

    async def test_what_is_agreed(self) -> None:
        """Subprotocol and extension count as they do over HTTP/1.1."""
        agreed = (
            ("sec-websocket-protocol", "chat"),
            ("sec-websocket-extensions", "permessage-deflate"),
        )
        async with opened(echo, *agreed, protocols=["chat"], compress=15) as (ws, _, _):
            assert (ws.protocol, ws.compress) == ("chat", 15)

    @pytest.mark.parametrize("name", ["sec-websocket-protocol", "sec-websocket-extensions"])
    async def test_what_was_not_asked_for(self, name: str) -> None:
        """A subprotocol or an extension that nobody asked for is refused, and the stream is reset."""
        async with (
            sockets(echo, (name, "other")) as server,
            ClientSession(http2="prior-knowledge") as session,
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(server.url())
            assert in_use(session) == 0
            assert await fetch(session, server) == b"ok"
            assert server.connections == 1

    async def test_a_refusal(self) -> None:
        """Any other status is an error with the beginning of the body; the connection goes on."""

        async def script(conn: H2Connection) -> None:
            request = await conn.read_request(body=False)
            await conn.respond(request.stream_id, 403, body=b"not you")
            await conn.respond((await conn.read_request()).stream_id, body=b"ok")
            await conn.closed()

        async with (
            H2Server(script, settings=OFFERED) as server,
            ClientSession(http2="prior-knowledge") as session,
        ):
            with pytest.raises(aioclient.HandshakeRefusedError) as caught:
                await session.ws_connect(server.url())
            assert (caught.value.status, caught.value.body) == (403, b"not you")
            assert await fetch(session, server) == b"ok"
            assert server.connections == 1

    @both_loops
    async def test_cancelled(self) -> None:
        """Whoever stops waiting for the answer resets the stream; the connection goes on."""
        reset = asyncio.get_running_loop().create_future()

        async def script(conn: H2Connection) -> None:
            request = await conn.read_request(body=False)
            reset.set_result((await conn.read_frame(H2Kind.RST_STREAM, request.stream_id)).code)
            await conn.respond((await conn.read_request()).stream_id, body=b"ok")
            await conn.closed()

        async with (
            H2Server(script, settings=OFFERED) as server,
            ClientSession(http2="prior-knowledge") as session,
        ):
            task = asyncio.ensure_future(session.ws_connect(server.url()))
            while not server.requests:
                await turns(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await reset == H2Code.CANCEL
            assert await fetch(session, server) == b"ok"

    @both_loops
    async def test_lost_meanwhile(self) -> None:
        """A stream that is reset while a middleware has the answer is a lost connection, and not a refusal."""

        async def resets(peer: Peer) -> None:
            peer.conn.reset_stream(peer.stream_id, H2Code.CANCEL)

        async def wait(request: aioclient.Request, handler: aioclient.Handler) -> Any:
            response = await handler(request)
            while response.connection is not None:
                await turns(1)
            return response

        async with (
            sockets(resets) as server,
            ClientSession(http2="prior-knowledge", middlewares=[wait]) as session,
        ):
            with pytest.raises(aioclient.ServerDisconnectedError, match="lost right after"):
                await session.ws_connect(server.url())
            policy = aioclient.ReconnectPolicy(initial=1e-6, max_attempts=3)
            feed = session.ws_reconnecting(server.url(), policy=policy)
            with pytest.raises(aioclient.WSReconnectError, match="max_attempts=3"):
                await anext(feed.messages())
            assert in_use(session) == 0

    @virtual
    async def test_without_settings(self) -> None:
        """As long as the server's SETTINGS are not here nothing is sent; the handshake has its time limit."""

        async def script(conn: H2Connection) -> None:
            conn.answers_settings = False
            await conn.read_request(body=False)

        async with (
            H2Server(script, settings=None) as server,
            ClientSession(http2="prior-knowledge") as session,
        ):
            with pytest.raises(aioclient.TotalTimeoutError, match="total=5"):
                await session.ws_connect(server.url(), handshake_timeout=5)
            assert server.requests == []


class TestServersWithout:
    @both_loops
    @pytest.mark.parametrize("chosen", ["h2", "http/1.1"])
    async def test_http1_beside(self, certificates: Certificates, chosen: str) -> None:
        """A server that does not offer it gets a connection of HTTP/1.1; so it is known when the next one is opened."""
        spoken: list[str] = []

        async def script(raw: RawConnection) -> None:
            protocol = raw.transport.get_extra_info("ssl_object").selected_alpn_protocol()
            spoken.append(protocol)
            if protocol == "h2":
                conn = H2Connection(raw, {})
                while True:
                    await conn.respond((await conn.read_request()).stream_id, body=b"ok")
            raw.send(switching(await raw.read_request()))
            raw.send(frame(TEXT, b"hello"))
            await raw.closed()

        context = certificates.server_context()
        context.set_alpn_protocols(["h2", "http/1.1"] if chosen == "h2" else ["http/1.1"])
        async with (
            RawServer(script, ssl=context) as server,
            ClientSession(
                http2=True, connector=TCPConnector(ssl=await trusting(certificates))
            ) as session,
        ):
            for _ in range(2):
                async with session.ws_connect(server.url(), timeout=NO_WAIT) as ws:
                    assert (await ws.receive()).data == "hello"
                    assert ws.response.status == 101
        first = ["h2"] if chosen == "h2" else []
        assert spoken == [*first, "http/1.1", "http/1.1"]

    async def test_the_call_says_so(self) -> None:
        """``http2=`` of a call goes before the session's."""
        async with (
            sockets(echo) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), http2="prior-knowledge") as ws,
        ):
            assert ws.response.version == (2, 0)


NO_WAIT = aiohttp.ClientWSTimeout(ws_close=0.01)


async def trusting(certificates: Certificates) -> Any:
    """Return the fingerprint of the server: contexts of our own offer HTTP/2 as they are asked to."""
    return aioclient.Fingerprint(certificates.fingerprint())


@both_loops
class TestMessages:
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 65_536, 3_000_000])
    @pytest.mark.parametrize("compress", [0, 15])
    async def test_of_all_sizes(self, size: int, compress: int) -> None:
        """Messages go both ways, larger than every window too; aiohttp's server is at the other end."""

        async def handler(request: web.Request) -> web.WebSocketResponse:
            peer = web.WebSocketResponse(max_msg_size=0)
            await peer.prepare(request)
            async for message in peer:
                await peer.send_bytes(message.data)
            return peer

        data = bytes(range(251)) * (size // 251 + 1)
        async with (
            serve_h2(handler) as server,
            ClientSession(http2="prior-knowledge") as session,
            session.ws_connect(server.url(), compress=compress) as ws,
        ):
            assert (ws.response.version, ws.compress) == ((2, 0), compress)
            for _ in range(3):
                await ws.send_bytes(data[:size])
                assert await ws.receive_bytes() == data[:size]
            assert server.connections == 1
        assert ws.close_code == 1000

    async def test_behind_the_head(self) -> None:
        """What comes in one segment with the head of the answer is not lost, an end included."""

        async def script(conn: H2Connection) -> None:
            request = await conn.read_request(body=False)
            conn.send_headers(request.stream_id, OPEN)
            conn.send_data(request.stream_id, frame(TEXT, b"hello") + close(4001), end=True)
            await conn.closed()

        async with (
            H2Server(script, settings=OFFERED) as server,
            ClientSession(http2="prior-knowledge") as session,
        ):
            ws = await session.ws_connect(server.url())
            assert [message.data async for message in ws] == ["hello"]
            assert ws.close_code == 4001
            await ws.close()

    async def test_a_reset_behind_the_head(self) -> None:
        """A close frame that comes in one segment with the head and a reset is received."""

        async def script(conn: H2Connection) -> None:
            request = await conn.read_request(body=False)
            conn.send_headers(request.stream_id, OPEN)
            conn.send_data(request.stream_id, frame(TEXT, b"hello") + close(4001))
            conn.reset_stream(request.stream_id, H2Code.CANCEL)
            await conn.closed()

        async with (
            H2Server(script, settings=OFFERED) as server,
            ClientSession(http2="prior-knowledge") as session,
        ):
            ws = await session.ws_connect(server.url())
            assert [message.data async for message in ws] == ["hello"]
            assert ws.close_code == 4001
            with pytest.raises(aioclient.ClientConnectionResetError):
                await ws.send_str("x")
            while in_use(session):
                await turns(1)

    async def test_many_and_requests_beside(self) -> None:
        """Ten WebSockets and their requests share one connection."""

        async def talk(session: ClientSession, server: H2Server, number: int) -> None:
            async with session.ws_connect(server.url()) as ws:
                for turn in range(20):
                    await ws.send_str(f"{number} {turn}")
                    assert await ws.receive_str() == f"{number} {turn}"
                    assert await fetch(session, server) == b"ok"

        async with sockets(echo) as server, ClientSession(http2="prior-knowledge") as session:
            await asyncio.gather(*(talk(session, server, number) for number in range(10)))
            assert server.connections == 1

    async def test_reconnecting(self) -> None:
        """``ws_reconnecting()`` opens its connections like that, too."""
        versions: list[object] = []

        async def drops(peer: Peer) -> None:
            peer.send(frame(TEXT, b"hello"))
            await peer.read()
            peer.conn.reset_stream(peer.stream_id, H2Code.INTERNAL_ERROR)

        policy = aioclient.ReconnectPolicy(initial=0.001)
        async with sockets(drops) as server, ClientSession(http2="prior-knowledge") as session:
            reconnecting = session.ws_reconnecting(server.url(), policy=policy)
            async for ws in reconnecting:
                versions.append(ws.response.version)
                await ws.receive()
                if len(versions) == 3:
                    break
                await ws.send_str("drop")
                await ws.receive()
        assert versions == [(2, 0)] * 3


@both_loops
class TestBackPressure:
    async def test_of_a_reader(self) -> None:
        """Who does not receive stops the server after a window, and nobody else."""
        sent = 0

        async def floods(peer: Peer) -> None:
            nonlocal sent
            message = frame(BINARY, bytes(60_000))
            while sent < 200:
                await peer.conn.send_body(peer.stream_id, message, end=False)
                sent += 1
            await echo(peer)

        async with opened(floods) as (ws, session, server):
            before = -1
            while before != sent:
                before = sent
                await turns(100)
            assert await fetch(session, server) == b"ok"
            assert sent * 60_000 < 2**21
            for _ in range(200):
                assert len(await ws.receive_bytes()) == 60_000

    async def test_of_a_writer(self) -> None:
        """Who sends waits while the server gives no window; other streams go on."""
        go = asyncio.Event()
        read = 0

        async def script(conn: H2Connection) -> None:
            nonlocal read
            conn.gives_windows = False
            request = await conn.read_request(body=False)
            conn.send_headers(request.stream_id, OPEN)
            await conn.respond((await conn.read_request()).stream_id, body=b"ok")
            await go.wait()
            conn.gives_windows = True
            conn.window_update(0, 2**20)
            conn.window_update(request.stream_id, 2**20)
            peer = Peer(conn, request)
            while (await peer.read()).opcode != CLOSE:
                read += 1
            peer.send(close(), end=True)
            await conn.closed()

        async with (
            H2Server(script, settings=OFFERED) as server,
            ClientSession(http2="prior-knowledge") as session,
            session.ws_connect(server.url()) as ws,
        ):
            sent = 0

            async def sends() -> None:
                nonlocal sent
                for _ in range(100):
                    await ws.send_bytes(bytes(10_000))
                    sent += 1

            task = asyncio.ensure_future(sends())
            assert await fetch(session, server) == b"ok"
            await turns(50)
            assert 0 < sent < 20
            go.set()
            await task
        assert read == 100


@both_loops
class TestEnds:
    async def test_we_close(self) -> None:
        """Both close frames go, then the server ends the stream: it is over, and there is room for another one."""
        ended = asyncio.Event()

        async def talk(peer: Peer) -> None:
            assert (await peer.read()).opcode == CLOSE
            peer.send(close(1000))
            await turns(5)
            peer.send(b"", end=True)
            await peer.conn.read_frame(H2Kind.RST_STREAM, peer.stream_id)
            ended.set()

        async with opened(talk) as (ws, session, server):
            assert await ws.close(code=1000)
            assert ws.close_code == 1000
            await ended.wait()
            while in_use(session):
                await turns(1)
            assert await fetch(session, server) == b"ok"
            assert server.connections == 1

    async def test_the_server_closes(self) -> None:
        """Its code and reason are told, ours is sent back."""
        answered = asyncio.get_running_loop().create_future()

        async def talk(peer: Peer) -> None:
            peer.send(close(4000, b"enough"))
            answered.set_result((await peer.read()).payload[:2])
            peer.send(b"", end=True)

        async with opened(talk) as (ws, _, _):
            message = await ws.receive()
            assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 4000, "enough")
            assert int.from_bytes(await answered, "big") == 4000

    @pytest.mark.parametrize("code", [H2Code.CANCEL, H2Code.INTERNAL_ERROR, H2Code.NO_ERROR])
    async def test_reset_by_the_server(self, code: int) -> None:
        """RST_STREAM is a loss: 1006, with its code in the error; what came before it is received."""

        async def talk(peer: Peer) -> None:
            await peer.read()
            peer.send(frame(TEXT, b"last"))
            peer.conn.reset_stream(peer.stream_id, code)

        async with opened(talk) as (ws, session, server):
            await ws.send_str("x")
            assert await ws.receive_str() == "last"
            assert (await ws.receive()).type is WSMsgType.CLOSED
            assert ws.close_code == 1006
            error = ws.exception()
            assert isinstance(error, aioclient.ClientOSError) and H2Code(code).name in str(error)
            with pytest.raises(aioclient.ClientConnectionResetError):
                await ws.send_str("x")
            assert await fetch(session, server) == b"ok"
            assert server.connections == 1

    async def test_an_end_without_a_close_frame(self) -> None:
        """END_STREAM alone is 1006 as well."""

        async def talk(peer: Peer) -> None:
            peer.send(frame(TEXT, b"last"), end=True)

        async with opened(talk) as (ws, session, _):
            assert await ws.receive_str() == "last"
            assert (await ws.receive()).type is WSMsgType.CLOSED
            assert ws.close_code == 1006
            assert isinstance(ws.exception(), aioclient.ServerDisconnectedError)
            while in_use(session):
                await turns(1)

    async def test_the_connection_is_lost(self) -> None:
        """With the connection all its WebSockets are lost."""

        async def talk(peer: Peer) -> None:
            await peer.read()
            peer.conn.raw.reset()

        async with opened(talk) as (ws, session, _):
            await ws.send_str("x")
            assert (await ws.receive()).type is WSMsgType.CLOSED
            assert ws.close_code == 1006
            assert in_use(session) == 0

    async def test_the_session_is_closed(self) -> None:
        """Closing the session ends it."""
        async with opened(echo) as (ws, session, _):
            await session.close()
            assert (await ws.receive()).type is WSMsgType.CLOSED
            assert ws.close_code == 1006

    async def test_without_a_wait(self) -> None:
        """The close frame of ``close_nowait()`` goes out, though the session is closed right behind it."""
        code = asyncio.get_running_loop().create_future()

        async def talk(peer: Peer) -> None:
            code.set_result(int.from_bytes((await peer.read()).payload[:2], "big"))

        async with sockets(talk) as server:
            async with ClientSession(http2="prior-knowledge") as session:
                ws = await session.ws_connect(server.url())
                ws.close_nowait(code=4001)
            assert await code == 4001

    async def test_dropped(self) -> None:
        """One that is dropped unclosed warns, and its stream is reset."""
        reset = asyncio.get_running_loop().create_future()

        async def talk(peer: Peer) -> None:
            frames = await peer.conn.read_frame(H2Kind.RST_STREAM, peer.stream_id)
            reset.set_result(frames.code)

        async with sockets(talk) as server, ClientSession(http2="prior-knowledge") as session:
            ws = await session.ws_connect(server.url())
            await turns(1)
            with pytest.warns(ResourceWarning):
                del ws
            assert await reset == H2Code.CANCEL
            assert in_use(session) == 0

    async def test_goaway(self) -> None:
        """Of a connection that the server retires it is the last one: it goes on."""

        async def talk(peer: Peer) -> None:
            await peer.read()
            peer.conn.goaway(peer.stream_id)
            await echo(peer)

        async with opened(talk) as (ws, session, server):
            await ws.send_str("x")
            for number in range(3):
                await ws.send_str(str(number))
                assert await ws.receive_str() == str(number)
            assert await fetch(session, server) == b"ok"
            assert server.connections == 2


@virtual
class TestTime:
    async def test_the_handshakes_limit(self) -> None:
        """The handshake's timeout ends with the handshake."""
        async with opened(echo, handshake_timeout=ClientTimeout(total=5, sock_read=1)) as (
            ws,
            _,
            _,
        ):
            await asyncio.sleep(60)
            await ws.send_str("x")
            assert await ws.receive_str() == "x"

    async def test_heartbeat(self) -> None:
        """A server that does not answer pings loses its WebSocket, and not its connection."""

        async def silent(peer: Peer) -> None:
            assert (await peer.read()).opcode == PING
            assert (
                await peer.conn.read_frame(H2Kind.RST_STREAM, peer.stream_id)
            ).code == H2Code.CANCEL

        async with opened(silent, heartbeat=10) as (ws, session, server):
            assert (await ws.receive()).type is WSMsgType.ERROR
            assert ws.close_code == 1006
            assert isinstance(ws.exception(), aioclient.ServerTimeoutError)
            assert await fetch(session, server) == b"ok"
            assert server.connections == 1

    async def test_a_server_that_does_not_end(self) -> None:
        """Behind both close frames the server has some time for its end; then the stream is reset."""
        reset = asyncio.get_running_loop().create_future()

        async def talk(peer: Peer) -> None:
            await peer.read()
            peer.send(close(1000))
            reset.set_result((await peer.conn.read_frame(H2Kind.RST_STREAM, peer.stream_id)).code)

        async with opened(talk) as (ws, session, _):
            await ws.close()
            start = asyncio.get_running_loop().time()
            assert await reset == H2Code.CANCEL
            assert asyncio.get_running_loop().time() - start == pytest.approx(LINGER, abs=0.1)
            assert in_use(session) == 0
