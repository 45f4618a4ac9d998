"""Transports: what a session sends by, where that is no connector."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

import aioclient
from aioclient import ClientResponse, ClientSession, Handler, Request, TCPConnector, Transport
from aioclient.body.memory import BytesBody
from aioclient.message.body import CollectingWriter
from aioclient.testing import RawConnection, RawRequest, RawServer, cancel_everywhere, turns

from .loopback import OK, answer

Answer = Callable[[Request], Awaitable[ClientResponse]]


class InProcess:
    """Answers from a function."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.closed = False
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.requests: list[Request] = []

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loops.append(loop)

    async def send(self, request: Request) -> ClientResponse:
        self.requests.append(request)
        return await self._answer(request)

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed = True

    def statistics(self) -> int:
        return len(self.requests)


class Recorder:
    """Sends by another transport, and keeps what came."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.bind = inner.bind
        self.close = inner.close
        self.statistics = inner.statistics
        self.takes_proxies = getattr(inner, "takes_proxies", False)
        self.lenient = getattr(inner, "lenient", False)
        self.records: list[tuple[str, int, bytes]] = []
        self.broken: list[BaseException] = []

    @property
    def closed(self) -> bool:
        return self._inner.closed

    async def send(self, request: Request) -> ClientResponse:
        response = await self._inner.send(request)
        pieces: list[bytes] = []

        def end(error: BaseException | None) -> None:
            if error is None:
                what = f"{request.method} {request.url.path}"
                self.records.append((what, response.status, b"".join(pieces)))
            else:
                self.broken.append(error)

        response.tee(pieces.append, end)
        return response


async def echo(request: Request) -> ClientResponse:
    """Answer with what was asked."""
    fields = request.full_info.headers
    sent = CollectingWriter()
    if request.content is not None:
        await request.content.write(sent)
    lines = [f"{request.method} {request.url.path_qs}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return ClientResponse.from_parts(
        request, 200, None, "\n".join(lines).encode() + b"\n\n" + b"".join(sent.written)
    )


async def site(request: Request) -> ClientResponse:
    """Redirect from /old, set a cookie at /login, refuse at /secret, wait for ever at /slow, else echo."""
    path = request.url.path
    if path == "/old":
        return ClientResponse.from_parts(request, 302, {"Location": "/new"})
    if path == "/login":
        return ClientResponse.from_parts(request, 200, {"Set-Cookie": "id=7"})
    if path == "/secret":
        return ClientResponse.from_parts(request, 401, None, b"not for you")
    if path == "/slow":
        await asyncio.get_running_loop().create_future()
    return await echo(request)


URL = "http://app.example/"


@pytest.mark.both_loops
class TestInProcess:
    async def test_one_request(self) -> None:
        """It gets the request with all of its fields and its body; the session gets its response."""
        app = InProcess(site)
        async with (
            ClientSession(connector=app, headers={"X-A": "1"}) as session,
            session.post(f"{URL}p?q=1", json={"a": 1}) as response,
        ):
            text = await response.text()
        head, _, body = text.partition("\n\n")
        first, *fields = head.split("\n")
        assert (first, body) == ("POST /p?q=1", '{"a": 1}')
        assert {"Host: app.example", "X-A: 1", "Content-Type: application/json"} <= set(fields)

    async def test_the_body_of_the_request_is_closed(self) -> None:
        """What was opened for the body is closed when a made answer has come, and not before."""
        closed: list[str] = []

        class Noted(BytesBody):
            async def close(self) -> None:
                closed.append("closed")

        async def answered(request: Request) -> ClientResponse:
            assert not closed
            return await echo(request)

        async with (
            ClientSession(connector=InProcess(answered)) as session,
            session.post(URL, data=Noted(b"abc")) as response,
        ):
            assert closed == ["closed"]
            assert (await response.text()).endswith("abc")

    async def test_its_life(self) -> None:
        """It is bound to the session's loop, closed with the session that owns it, and named by the session."""
        app = InProcess(site)
        session = ClientSession(connector=app)
        assert app.loops == [asyncio.get_running_loop()]
        connector: Any = session.connector
        assert connector is app
        assert connector.statistics() == 0
        assert "InProcess" in repr(session)
        await session.close()
        assert app.closed
        assert session.connector is None
        with pytest.raises(RuntimeError, match="closed"):
            await session.get(URL)
        shared = InProcess(site)
        async with ClientSession(connector=shared, connector_owner=False) as session:
            assert (await session.get(URL)).status == 200
        assert not shared.closed
        session = ClientSession(connector=shared)
        session.detach()
        assert not shared.closed

    async def test_it_is_closed_before_the_session(self) -> None:
        """A session whose transport was closed is closed."""
        app = InProcess(site)
        session = ClientSession(connector=app)
        await app.close()
        assert session.closed
        await session.close()

    async def test_it_belongs_elsewhere(self) -> None:
        """What bind() raises the session raises."""

        class Elsewhere(InProcess):
            def bind(self, loop: asyncio.AbstractEventLoop) -> None:
                raise RuntimeError("another loop")

        with pytest.raises(RuntimeError, match="another loop"):
            ClientSession(connector=Elsewhere(site))

    async def test_redirects(self) -> None:
        """Redirects are followed, and base_url counts."""
        async with (
            ClientSession(URL, connector=InProcess(site)) as session,
            session.get("old") as response,
        ):
            assert response.url.path == "/new"
            assert [past.status for past in response.history] == [302]
            assert (await response.text()).startswith("GET /new\n")

    async def test_cookies(self) -> None:
        """Cookies are kept, and sent."""
        async with ClientSession(URL, connector=InProcess(site)) as session:
            (await session.get("login")).release()
            async with session.get("after") as response:
                assert "\nCookie: id=7" in await response.text()

    async def test_credentials(self) -> None:
        """Credentials go to their origin, over redirects too."""
        async with ClientSession(URL, connector=InProcess(site), auth=("me", "pw")) as session:
            async with session.get("old") as response:
                assert "\nAuthorization: Basic bWU6cHc=" in await response.text()
            async with session.get("http://other.example/") as response:
                assert "Authorization" not in await response.text()

    async def test_middlewares(self) -> None:
        """Middlewares stand around it, of the session or of a call."""

        async def sign(request: Request, handler: Handler) -> ClientResponse:
            request.headers["X-Signed"] = "yes"
            return await handler(request)

        async with ClientSession(connector=InProcess(site)) as session:
            async with session.get(URL, middlewares=[sign]) as response:
                assert "\nX-Signed: yes" in await response.text()
            async with session.get(URL) as response:
                assert "X-Signed" not in await response.text()

    async def test_raise_for_status(self) -> None:
        """A status is an error where it is asked for."""
        async with ClientSession(URL, connector=InProcess(site), raise_for_status=True) as session:
            with pytest.raises(aioclient.StatusError, match="401") as caught:
                await session.get("secret")
            assert caught.value.text == "not for you"

    async def test_one_shot_call(self) -> None:
        """aioclient.get() takes a transport as well, and leaves it open."""
        app = InProcess(site)
        async with aioclient.get(URL, connector=app) as response:
            assert (await response.text()).startswith("GET /\n")
        assert not app.closed

    async def test_a_body_that_it_need_not_read(self) -> None:
        """A generator that the transport does not read is not read."""
        begun = []

        async def pieces() -> AsyncIterator[bytes]:
            begun.append(1)
            yield b"x"

        async with ClientSession(URL, connector=InProcess(site)) as session:
            (await session.post("login", data=pieces())).release()
            assert not begun
            async with session.post("", data=pieces(), compress="gzip") as response:
                text = await response.read()
                assert b"Content-Encoding: gzip" in text
                assert b"\n\n\x1f\x8b" in text

    async def test_an_error(self) -> None:
        """What it raises is the call's error."""

        async def fail(request: Request) -> ClientResponse:
            raise KeyError("x")

        async with ClientSession(connector=InProcess(fail)) as session:
            with pytest.raises(KeyError):
                await session.get(URL)

    @pytest.mark.parametrize("result", [None, "text", 7])
    async def test_no_response(self, result: Any) -> None:
        """What is no response of this library is refused, with what to do."""

        async def wrong(request: Request) -> Any:
            return result

        async with ClientSession(connector=InProcess(wrong)) as session:
            with pytest.raises(TypeError, match=r"InProcess.send\(\) returned .*from_parts\(\)"):
                await session.get(URL)

    @pytest.mark.parametrize("wait", range(1, 5))
    async def test_cancelled(self, wait: int) -> None:
        """A call that is cancelled cancels it; nothing is left."""
        app = InProcess(site)
        async with ClientSession(URL, connector=app) as session:
            call = asyncio.ensure_future(session.get("slow"))
            await turns(wait)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    async def test_a_stream_within_a_retry(self) -> None:
        """A middleware may drop what it streams, and try again."""
        closed = []

        async def busy(request: Request) -> ClientResponse:
            async def pieces() -> AsyncIterator[bytes]:
                try:
                    yield b"busy"
                    yield b"!"
                finally:
                    closed.append(len(app.requests))

            status = 503 if len(app.requests) < 3 else 200
            return ClientResponse.from_parts(request, status, None, pieces())

        async def retry(request: Request, handler: Handler) -> ClientResponse:
            while True:
                response = await handler(request)
                assert await response.content.read(4) == b"busy"
                if response.ok:
                    return response

        app = InProcess(busy)
        async with ClientSession(connector=app, middlewares=[retry]) as session:
            async with session.get(URL) as response:
                assert await response.read() == b"!"
            gc.collect()
            await turns(5)
        assert len(closed) == 3

    async def test_websocket(self) -> None:
        """A WebSocket needs a connection, and says so: whatever the transport answers."""

        async def switch(request: Request) -> ClientResponse:
            return ClientResponse.from_parts(request, 101, {"Upgrade": "websocket"})

        for app in (InProcess(site), InProcess(switch)):
            async with ClientSession(connector=app) as session:
                with pytest.raises(
                    aioclient.HandshakeRefusedError, match="came without a connection"
                ):
                    await session.ws_connect(URL)


@pytest.mark.virtual_clock
async def test_total() -> None:
    """The call's total limit ends the wait for it."""
    async with ClientSession(URL, connector=InProcess(site)) as session:
        with pytest.raises(aioclient.TotalTimeoutError, match="no response within total=5"):
            await session.get("slow", timeout=aioclient.ClientTimeout(total=5))


@pytest.mark.both_loops
class TestRecorder:
    async def test_it_records(self) -> None:
        """A recorder around a connector sees what came, while everything works as ever."""
        large = bytes(3_000_000)

        async def script(conn: RawConnection) -> None:
            while True:
                request = await conn.read_request()
                conn.send(answer(large) if request.target == "/large" else OK)

        recorder = Recorder(TCPConnector(limit=1))
        async with RawServer(script) as server, ClientSession(connector=recorder) as session:
            async with session.get(server.url("/small")) as response:
                assert await response.text() == "ok"
                assert response.connection is None
            async with session.get(server.url("/large")) as response:
                assert await response.read() == large
            async with session.get(server.url("/large")) as response:
                await response.content.read(10)
        assert recorder.records == [
            ("GET /small", 200, b"ok"),
            ("GET /large", 200, large),
        ]
        assert [type(error) for error in recorder.broken] == [aioclient.ClientConnectionError]
        assert recorder.closed

    async def test_an_upload_that_goes_on(self) -> None:
        """A body that is still being sent when the answer is here is sent to its end."""

        async def early(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.send(OK)
            await conn.closed()

        closed = []

        async def pieces() -> AsyncIterator[bytes]:
            try:
                for _ in range(3):
                    yield b"x"
                    await asyncio.sleep(0)
            finally:
                closed.append(1)

        recorder = Recorder(TCPConnector())
        async with RawServer(early) as server, ClientSession(connector=recorder) as session:
            async with session.post(server.url(), data=pieces()) as response:
                assert await response.text() == "ok"
            await turns(10)
        assert closed

    async def test_websocket(self) -> None:
        """A WebSocket is opened through it."""

        async def handler(request: web.Request) -> web.WebSocketResponse:
            websocket = web.WebSocketResponse()
            await websocket.prepare(request)
            await websocket.send_str("hello")
            await websocket.close()
            return websocket

        app = web.Application()
        app.router.add_get("/", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        place = web.TCPSite(runner, "127.0.0.1", 0)
        await place.start()
        port = runner.addresses[0][1]
        async with (
            ClientSession(connector=Recorder(TCPConnector())) as session,
            session.ws_connect(f"ws://127.0.0.1:{port}/") as websocket,
        ):
            assert await websocket.receive_str() == "hello"
            await websocket.receive()
        await runner.cleanup()

    async def test_a_pool_of_one(self) -> None:
        """What middlewares leave unread is released as without it."""

        async def twice(request: Request, handler: Handler) -> ClientResponse:
            kept.append(await handler(request))
            return await handler(request)

        kept: list[ClientResponse] = []
        large = answer(bytes(3_000_000))
        recorder = Recorder(TCPConnector(limit=1))
        async with (
            RawServer.replies([large, large]) as server,
            ClientSession(connector=recorder, middlewares=[twice]) as session,
            session.get(server.url()) as response,
        ):
            assert len(await response.read()) == 3_000_000

    async def test_it_replays(self) -> None:
        """What was recorded can be answered without the server."""
        recorder = Recorder(TCPConnector())
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(connector=recorder) as session,
            session.get(server.url("/a")) as response,
        ):
            assert await response.text() == "ok"

        async def replay(request: Request) -> ClientResponse:
            for what, status, body in recorder.records:
                if what == f"{request.method} {request.url.path}":
                    return ClientResponse.from_parts(request, status, None, body)
            raise LookupError(request.label)

        async with (
            ClientSession(URL, connector=InProcess(replay)) as session,
            session.get("a") as response,
        ):
            assert await response.text() == "ok"


class TestShape:
    @pytest.mark.parametrize("missing", ["bind", "close", "closed", "send", "statistics"])
    async def test_what_it_lacks(self, missing: str) -> None:
        """What lacks a part is refused, and the part is named."""
        parts = {name: getattr(InProcess, name) for name in ("bind", "close", "send", "statistics")}
        parts["closed"] = False
        del parts[missing]
        lame: Any = type("Lame", (), parts)()
        shown = missing if missing == "closed" else f"{missing}\\(\\)"
        with pytest.raises(
            TypeError, match=rf"aioclient\.Transport; found .*Lame, which lacks {shown}$"
        ):
            ClientSession(connector=lame)

    async def test_what_it_is_not(self) -> None:
        """A part that cannot be called is no part, and a class is no transport."""
        app: Any = InProcess(site)
        app.send = None
        with pytest.raises(TypeError, match=r"lacks send\(\)$"):
            ClientSession(connector=app)
        kind: Any = InProcess
        with pytest.raises(TypeError, match="must be an object, found the class InProcess"):
            ClientSession(connector=kind)
        nothing: Any = 7
        with pytest.raises(
            TypeError, match=r"lacks bind\(\), close\(\), closed, send\(\), statistics"
        ):
            ClientSession(connector=nothing)

    async def test_proxies(self) -> None:
        """A transport that says nothing of proxies is not used with one; one that takes them gets the request's."""
        with pytest.raises(ValueError, match="supports no proxy"):
            ClientSession(connector=InProcess(site), proxy="http://proxy.example:3128")
        app: Any = InProcess(site)
        app.takes_proxies = True
        async with ClientSession(connector=app, proxy="http://proxy.example:3128") as session:
            (await session.get(URL)).release()
        assert str(app.requests[0].proxy) == "http://proxy.example:3128"

    async def test_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The environment's proxies are for what takes them."""
        monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
        app = InProcess(site)
        async with ClientSession(connector=app, trust_env=True) as session:
            (await session.get(URL)).release()
        assert app.requests[0].proxy is None

    async def test_lenient(self) -> None:
        """It may say that its sessions read leniently."""
        app: Any = InProcess(site)
        async with ClientSession(connector=app) as session:
            assert session.lenient is False
        lenient: Any = InProcess(site)
        lenient.lenient = True
        async with ClientSession(connector=lenient) as session:
            assert session.lenient is True

    async def test_resolve(self) -> None:
        """Addresses are a connector's own to know."""
        with pytest.raises(ValueError, match="resolve="):
            ClientSession(connector=InProcess(site), resolve={"a.example:80": "127.0.0.1"})

    def test_types(self) -> None:
        """Connectors have the shape, for type checkers too."""
        kinds: list[type[Transport]] = [TCPConnector, aioclient.UnixConnector, InProcess, Recorder]
        assert len(kinds) == 4


@pytest.mark.both_loops
async def test_it_is_told_what_was_asked() -> None:
    """A RawServer and a transport are asked for the same fields, but for those of the connection."""

    async def script(conn: RawConnection, request: RawRequest) -> None:
        seen.append({name.decode().lower() for name, _ in request.headers})
        conn.send(OK)

    seen: list[set[str]] = []
    arguments: dict[str, Any] = {"json": [1], "auth": ("a", "b"), "cookies": {"c": "d"}}
    app = InProcess(echo)
    async with RawServer.replies([script]) as server, ClientSession() as session:
        (await session.post(server.url(), **arguments)).release()
        async with ClientSession(connector=app) as other:
            (await other.post(server.url(), **arguments)).release()
    fields = {name.lower() for name in app.requests[0].full_info.headers}
    assert seen[0] - {"content-length"} == fields


@pytest.mark.both_loops
class TestCancelled:
    """Calls over transports may be cancelled at any await: nothing is lost, and each iterator is closed."""

    async def test_a_made_body(self) -> None:
        """Whatever was begun of the iterator is closed."""
        begun: list[int] = []
        closed: list[int] = []

        async def stream(request: Request) -> ClientResponse:
            async def pieces() -> AsyncIterator[bytes]:
                begun.append(1)
                try:
                    for _ in range(3):
                        await asyncio.sleep(0)
                        yield b"line\n"
                finally:
                    await asyncio.sleep(0)
                    closed.append(1)

            await asyncio.sleep(0)
            return ClientResponse.from_parts(request, 200, None, pieces())

        async def scenario() -> None:
            async with ClientSession(connector=InProcess(stream)) as session:
                async with session.get(URL) as response:
                    await response.content.readline()
                    await response.read()
                async with session.get(URL) as response:
                    await response.content.readline()

        async def check() -> None:
            await turns(10)
            assert len(begun) == len(closed)

        points = await cancel_everywhere(scenario, moments=("suspended", "resumed"), check=check)
        assert points > 5
        assert begun

    async def test_a_body_around_another(self) -> None:
        """The connection of the inner response is free again, in a pool of one."""
        large = bytes(700_000)

        async def script(conn: RawConnection) -> None:
            while True:
                request = await conn.read_request()
                conn.send(answer(large) if request.target == "/large" else OK)

        async def around(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            inner.append(response)

            async def pieces() -> AsyncIterator[bytes]:
                async for piece in response.content.iter_any():
                    yield piece

            return ClientResponse.from_parts(request, 200, None, pieces())

        inner: list[ClientResponse] = []
        async with RawServer(script) as server:
            connectors: list[TCPConnector] = []

            async def scenario() -> None:
                connectors.append(TCPConnector(limit=1))
                recorder = Recorder(connectors[-1])
                async with ClientSession(connector=recorder, middlewares=[around]) as session:
                    async with session.get(server.url("/large")) as response:
                        await response.content.read(10)
                        await response.read()
                    async with session.get(server.url()) as response:
                        await response.read()

            async def check() -> None:
                await turns(10)
                assert connectors[-1].statistics().in_use == 0

            points = await cancel_everywhere(
                scenario, moments=("suspended", "resumed"), check=check
            )
            assert points > 5
