"""The signals of trace configs: the same ones as from aiohttp, at the same moments."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from yarl import URL

import aioclient
from aioclient.testing import RawConnection, turns

from .. import spoken
from ..loopback import Loopback, answer, moved, open_jar
from ..servers.either import RawServer
from .signals import SIGNALS, Deliberate, Log

pytestmark = pytest.mark.both_protocols

OK = answer()

HELD: list[asyncio.Event] = []  # what is set when a request to /holds came


async def site(conn: RawConnection) -> None:
    """Answer each path in its own way."""
    while True:
        request = await conn.read_request()
        path = request.target.partition("?")[0]
        if path == "/moved":
            conn.send(moved("/there"))
        elif path == "/loop":
            conn.send(moved("/loop"))
        elif path == "/empty":
            conn.send(answer(b""))
        elif path == "/missing":
            conn.send(answer(b"no", status="404 Not Found"))
        elif path == "/long":
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in (b"one", b"two"):
                conn.send(b"3\r\n%b\r\n" % piece)
            conn.send(b"0\r\n\r\n")
        elif path == "/closes":
            return
        elif path == "/half-moved":
            conn.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 4\r\n\r\nha")
        elif path == "/half":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        elif path == "/holds":
            HELD[0].set()
            await conn.closed()
        else:
            conn.send(OK)


class Nowhere(Loopback):
    """Knows no name."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
        raise OSError(None, f"{host} is unknown")


Scenario = Callable[[Any, str], Awaitable[None]]


async def two_gets(session: Any, url: str) -> None:
    for path in ("/?a=1#fragment", "/"):
        async with session.get(url + path, params={"b": "2"}) as response:
            assert await response.text() == "ok"
            assert await response.read() == b"ok"


async def empty(session: Any, url: str) -> None:
    async with session.get(url + "/empty") as response:
        assert await response.read() == b""


async def unread(session: Any, url: str) -> None:
    async with session.get(url + "/"):
        pass


async def head(session: Any, url: str) -> None:
    async with session.head(url + "/empty") as response:
        assert await response.read() == b""


async def post_json(session: Any, url: str) -> None:
    async with session.post(url + "/", json={"a": 1}) as response:
        assert await response.text() == "ok"


async def post_generator(session: Any, url: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(0)
        yield b"two"

    async with session.post(url + "/", data=pieces()) as response:
        assert await response.read() == b"ok"


async def post_form(session: Any, url: str) -> None:
    async with session.post(url + "/", data={"name": "value"}) as response:
        assert await response.read() == b"ok"


async def post_compressed(session: Any, url: str) -> None:
    async with session.post(url + "/", data=b"body" * 100, compress="gzip") as response:
        assert await response.read() == b"ok"


async def redirect(session: Any, url: str) -> None:
    async with session.get(url + "/moved", params={"a": "1"}) as response:
        assert await response.read() == b"ok"


async def redirect_of_post(session: Any, url: str) -> None:
    async with session.post(url + "/moved", data=b"body") as response:
        assert await response.read() == b"ok"


async def redirect_not_followed(session: Any, url: str) -> None:
    async with session.get(url + "/moved", allow_redirects=False) as response:
        assert await response.read() == b""


async def status_raises(session: Any, url: str) -> None:
    with pytest.raises(aiohttp.ClientResponseError):
        await session.get(url + "/missing", raise_for_status=True)


async def disconnected(session: Any, url: str) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await session.post(url + "/closes")


async def refused(session: Any, url: str) -> None:
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get("http://a.example:1/")


async def middleware_repeats(session: Any, url: str) -> None:
    async def twice(request: Any, handler: Any) -> Any:
        response = await handler(request)
        await response.read()
        return await handler(request)

    async with session.get(url + "/", middlewares=[twice]) as response:
        assert await response.read() == b"ok"


async def cancelled(session: Any, url: str) -> None:
    reached = asyncio.Event()
    HELD[:] = [reached]
    task = asyncio.ensure_future(session.get(url + "/holds"))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


SCENARIOS: list[Scenario] = [
    two_gets,
    empty,
    unread,
    head,
    post_json,
    post_generator,
    post_form,
    post_compressed,
    redirect,
    redirect_of_post,
    redirect_not_followed,
    status_raises,
    disconnected,
    refused,
    middleware_repeats,
    cancelled,
]


async def run(
    library: Any, scenario: Scenario, server: RawServer, *, log: Log | None = None, **options: Any
) -> list[str]:
    """Return what is signalled while *library* runs the scenario."""
    log = Log() if log is None else log
    options.setdefault("resolver", Loopback())
    async with library.ClientSession(
        connector=library.TCPConnector(**options), trace_configs=[log.config()]
    ) as session:
        await scenario(session, server.url("", host="a.example"))
    return list(log)


@pytest.mark.both_loops
class TestSameAsAiohttp:
    """The same calls, to the same server, are signalled by both in the same way."""

    @pytest.mark.parametrize("scenario", SCENARIOS)
    async def test_sequence(self, scenario: Scenario) -> None:
        """Both signal the same things in the same order."""
        async with RawServer(site) as server:
            ours = await run(aioclient, scenario, server)
            assert ours == await run(aiohttp, scenario, server)
        assert ours[0].startswith("request_start")

    @pytest.mark.parametrize(
        "options",
        [
            pytest.param({"use_dns_cache": False}, id="no-dns-cache"),
            pytest.param({"ttl_dns_cache": None, "force_close": True}, id="dns-cache-hit"),
            pytest.param({"resolver": Nowhere()}, id="no-such-name"),
        ],
    )
    async def test_lookups(self, options: dict[str, Any]) -> None:
        """A lookup is signalled as what it was: a hit, a miss and its answer, or a question without a cache."""

        async def two(session: Any, url: str) -> None:
            for _ in range(2):
                try:
                    async with session.get(url + "/") as response:
                        await response.read()
                except aiohttp.ClientConnectorDNSError:
                    pass

        async with RawServer(site) as server:
            ours = await run(aioclient, two, server, **options)
            assert ours == await run(aiohttp, two, server, **options)
        assert any("dns" in line for line in ours)

    async def test_wait_for_the_pool(self) -> None:
        """Who waits for a slot hears of the wait, and then of the connection it gets."""

        async def two_at_once(session: Any, url: str) -> None:
            async def get() -> None:
                async with session.get(url + "/") as response:
                    await response.read()

            await asyncio.gather(get(), get())

        async with RawServer(site) as server:
            ours = await run(aioclient, two_at_once, server, limit=1)
            assert sorted(ours) == sorted(await run(aiohttp, two_at_once, server, limit=1))
        assert "connection_queued_end" in ours


# What else it takes to make a signal: arguments of the call, and of the connector.
MAKING: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "on_request_chunk_sent": ({"method": "POST", "data": b"body"}, {}),
    "on_request_redirect": ({"path": "/moved"}, {}),
    "on_request_exception": ({"method": "POST", "path": "/closes"}, {}),
    "on_dns_cache_hit": ({}, {"force_close": True, "ttl_dns_cache": None}),
    "on_connection_queued_start": ({}, {"limit": 1}),
    "on_connection_queued_end": ({}, {"limit": 1}),
}


async def call_with(
    library: Any, name: str, server: RawServer, expected: type[BaseException]
) -> list[str]:
    """Return what is signalled of a call whose callback for *name* raises."""
    arguments, options = MAKING.get(name, ({}, {}))
    log = Log()
    url = server.url("", host="a.example")
    async with library.ClientSession(
        connector=library.TCPConnector(resolver=Loopback(), **options),
        trace_configs=[log.config()],
    ) as session:
        holder = None
        if name in ("on_connection_reuseconn", "on_dns_cache_hit"):
            await two_gets(session, url)
        elif "queued" in name:
            holder = await session.get(url + "/half")
        before = len(log)
        log.raising = name
        task = asyncio.ensure_future(read(session, url, **arguments))
        if holder is not None:
            await turns(20)
            holder.close()
        with pytest.raises(expected):
            await task
        log.raising = None
        lines = log[before:]
        if library is aioclient:
            found = session.connector.statistics()
            assert (found.in_use, found.waiting) == (0, 0), found
            await two_gets(session, url)  # on the only slot there may be
    return lines


async def read(session: Any, url: str, method: str = "GET", path: str = "/", **more: Any) -> None:
    async with session.request(method, path if url == "/" else url + path, **more) as response:
        await response.read()


@pytest.mark.both_loops
class TestRaising:
    """A callback that raises ends its call, and nothing else: no slot, no connection, no task is lost."""

    @pytest.mark.parametrize("name", [pytest.param(name, id=f"MISC-10-{name}") for name in SIGNALS])
    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_any_signal(self, name: str) -> None:
        """The call raises what the callback raised, the config hears of its end, the pool is whole."""
        async with RawServer(site) as server:
            lines = await call_with(aioclient, name, server, Deliberate)
        assert any(line.startswith(name.removeprefix("on_")) for line in lines)
        if name == "on_request_start":
            assert len(lines) == 1  # of a call that did not begin there is no end
        elif name == "on_response_chunk_received":
            assert lines[-1].startswith("response_chunk_received")  # the call had ended before
        else:
            assert lines[-1].startswith("request_exception")

    @pytest.mark.parametrize("name", SIGNALS)
    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_same_as_aiohttp(self, name: str) -> None:
        """What is signalled of such a call is the same as from aiohttp."""
        async with RawServer(site) as server:
            ours = await call_with(aioclient, name, server, Exception)
            theirs = await call_with(aiohttp, name, server, Exception)
        if name == "on_request_chunk_sent":
            # aiohttp makes a failure of the connection of it; ours is what the callback raised.
            assert ours.pop().endswith("exception=Deliberate")
            assert theirs.pop().endswith("exception=ClientConnectionError")
        assert ours == theirs

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_while_the_slot_is_granted(self) -> None:
        """A waiter whose callback raises passes on the connection it was granted meanwhile."""
        log = Log(raising="on_connection_queued_start")
        async with (
            RawServer(site) as server,
            aioclient.ClientSession(
                server.url(),
                connector=aioclient.TCPConnector(limit=1),
                trace_configs=[log.config()],
            ) as session,
        ):
            holder = await session.get("/half")
            granted = asyncio.Event()

            async def wait_in_callback(name: str) -> None:
                if name == "on_connection_queued_start":
                    await granted.wait()

            log.before = wait_in_callback
            first = asyncio.ensure_future(read(session, "/"))
            await turns(5)
            holder.close()
            await turns(5)
            granted.set()
            with pytest.raises(Deliberate):
                await first
            log.raising = None
            await read(session, "/")

    async def test_reading_a_stream(self) -> None:
        """A body whose callback raises is over: its connection is closed, each further read raises the same."""
        log = Log(raising="on_response_chunk_received")
        async with (
            RawServer(site) as server,
            aioclient.ClientSession(server.url(), trace_configs=[log.config()]) as session,
        ):
            response = await session.get("/half")
            for _ in range(2):
                with pytest.raises(Deliberate):
                    await response.content.read(2)
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
            response.release()

    async def test_new_connection(self) -> None:
        """A connection that was just made is closed."""
        log = Log(raising="on_connection_create_end")
        async with (
            RawServer(site) as server,
            aioclient.ClientSession(server.url(), trace_configs=[log.config()]) as session,
        ):
            with pytest.raises(Deliberate):
                await session.get("/")
            await turns(20)
            assert server.connections == 1
            assert server.open_connections == []

    @pytest.mark.parametrize(
        ("name", "path"), [("on_request_end", "/half"), ("on_request_redirect", "/half-moved")]
    )
    async def test_response_that_nobody_gets(self, name: str, path: str) -> None:
        """A response whose body still comes lets go of its connection when the call ends with a callback's error."""
        log = Log(raising=name)
        async with (
            RawServer(site) as server,
            aioclient.ClientSession(server.url(), trace_configs=[log.config()]) as session,
        ):
            with pytest.raises(Deliberate) as caught:
                await session.get(path)
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
            assert caught.value.args == (name,)  # held here, and with it the response

    async def test_second_config(self) -> None:
        """A config that does not get to begin hears nothing more; those before it hear of the end."""
        first, second, third = Log(), Log(raising="on_request_start"), Log()
        async with aioclient.ClientSession(
            trace_configs=[first.config(), second.config(), third.config()]
        ) as session:
            with pytest.raises(Deliberate):
                await session.get("http://127.0.0.1:1/")
        assert [line.split()[0] for line in first] == ["request_start", "request_exception"]
        assert [line.split()[0] for line in second] == ["request_start"]
        assert third == []

    async def test_what_the_callback_of_an_exception_raises(self) -> None:
        """It takes the place of the error it was told of, which stays as its context."""
        log = Log(raising="on_request_exception")
        async with aioclient.ClientSession(trace_configs=[log.config()]) as session:
            with pytest.raises(Deliberate) as caught:
                await session.get("http://127.0.0.1:1/")
        assert isinstance(caught.value.__context__, aioclient.ClientConnectorError)


@pytest.mark.virtual_clock
class TestTime:
    """The call waits for its callbacks, and its limits count on."""

    @pytest.mark.parametrize(
        "name",
        ["on_connection_create_start", "on_request_headers_sent", "on_request_end"],
    )
    async def test_slow_callback(self, name: str) -> None:
        """A callback that never ends is cancelled with the call's total limit; the end tells of that."""
        log = Log()

        async def hang(signal: str) -> None:
            if signal == name:
                await asyncio.Event().wait()

        log.before = hang
        async with (
            RawServer(site) as server,
            aioclient.ClientSession(
                server.url(), trace_configs=[log.config()], timeout=5
            ) as session,
        ):
            with pytest.raises(aioclient.TotalTimeoutError):
                await session.get("/")
            assert log[-1].startswith("request_exception")
            assert isinstance(log.seen[-1][3].exception, aioclient.TotalTimeoutError)

    async def test_slow_callback_of_the_start(self) -> None:
        """Nor does a call last for ever because its start is told to somebody who never comes back."""
        log = Log()

        async def hang(signal: str) -> None:
            await asyncio.Event().wait()

        log.before = hang
        async with aioclient.ClientSession(trace_configs=[log.config()], timeout=5) as session:
            with pytest.raises(aioclient.TotalTimeoutError, match="a callback of a trace config"):
                await session.get("http://a.example/")

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_wait_that_expires_in_a_callback(self) -> None:
        """A limit of the pool that passes while a callback runs ends the call when the callback has."""
        log = Log()

        async def dawdle(signal: str) -> None:
            if signal == "on_connection_queued_start":
                await asyncio.sleep(3)

        log.before = dawdle
        async with (
            RawServer(site) as server,
            aioclient.ClientSession(
                server.url(),
                connector=aioclient.TCPConnector(limit=1),
                trace_configs=[log.config()],
            ) as session,
            session.get("/half"),
        ):
            with pytest.raises(aioclient.PoolTimeoutError):
                await session.get("/", timeout=aioclient.ClientTimeout(pool=1))
            log.raising = "on_connection_queued_start"
            with pytest.raises(Deliberate):
                await session.get("/", timeout=aioclient.ClientTimeout(pool=1))


Way = Callable[[Any], AsyncIterator[bytes]]


async def by_read(content: Any) -> AsyncIterator[bytes]:
    yield await content.read()


async def by_read_of_three(content: Any) -> AsyncIterator[bytes]:
    yield await content.read(3)


async def by_readany(content: Any) -> AsyncIterator[bytes]:
    yield await content.readany()


async def by_readexactly(content: Any) -> AsyncIterator[bytes]:
    yield await content.readexactly(5)
    yield await content.readexactly(3)


async def by_readline(content: Any) -> AsyncIterator[bytes]:
    yield await content.readline()


async def by_readuntil(content: Any) -> AsyncIterator[bytes]:
    yield await content.readuntil(b"t")


async def by_iter_chunked(content: Any) -> AsyncIterator[bytes]:
    async for piece in content.iter_chunked(6):
        yield piece


async def by_iter_any(content: Any) -> AsyncIterator[bytes]:
    async for piece in content.iter_any():
        yield piece


async def by_iter_chunks(content: Any) -> AsyncIterator[bytes]:
    async for piece, _ in content.iter_chunks():
        if piece:
            yield piece


async def by_lines(content: Any) -> AsyncIterator[bytes]:
    async for line in content:
        yield line


WAYS: list[Way] = [
    by_read,
    by_read_of_three,
    by_readany,
    by_readexactly,
    by_readline,
    by_readuntil,
    by_iter_chunked,
    by_iter_any,
    by_iter_chunks,
    by_lines,
]


class TestStreams:
    """Bodies that come and go in pieces."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("coded", [False, True])
    @pytest.mark.parametrize("at_once", [False, True])
    async def test_each_way_to_read(self, way: Way, coded: bool, at_once: bool) -> None:
        """What was read is signalled as it was read: decoded, with the reader's pieces, not a byte twice."""
        log = Log()

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            pieces = [b"one\n", b"two\n"]
            if coded:
                pieces = [gzip.compress(piece) for piece in pieces]
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")
            conn.send(b"Content-Encoding: gzip\r\n\r\n" if coded else b"\r\n")
            for piece in pieces:
                conn.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                if not at_once:
                    await turns(10)
            conn.send(b"0\r\n\r\n")

        async with (
            RawServer(script) as server,
            aioclient.ClientSession(server.url(), trace_configs=[log.config()]) as session,
            session.get("/") as response,
        ):
            taken = [piece async for piece in way(response.content)]
        assert taken
        assert [
            params.chunk for name, _, _, params in log.seen if name == "on_response_chunk_received"
        ] == taken

    async def test_piece_by_piece(self) -> None:
        """A piece is signalled before the next one has come, a rest of the body by the read that takes it."""
        log = Log()
        async with (
            RawServer(site) as server,
            aioclient.ClientSession(server.url(), trace_configs=[log.config()]) as session,
            session.get("/half") as response,
        ):
            assert await response.content.readany() == b"ha"
            assert log[-1].endswith("chunk=b'ha'")
            response.close()

    async def test_body_that_breaks_off(self) -> None:
        """What came of it was read, too."""
        log = Log()
        async with (
            RawServer(site) as server,
            aioclient.ClientSession(server.url(), trace_configs=[log.config()]) as session,
            session.get("/") as response,
        ):
            with pytest.raises(asyncio.IncompleteReadError):
                await response.content.readexactly(5)
            assert log[-1].endswith("chunk=b'ok'")

    async def test_text_and_json(self) -> None:
        """The body is signalled once, however often and in whatever form it is asked for."""
        log = Log()
        async with (
            RawServer.replies([answer(b"1", "Content-Type: application/json")]) as server,
            aioclient.ClientSession(server.url(), trace_configs=[log.config()]) as session,
            session.get("/") as response,
        ):
            assert await response.json() == 1
            assert await response.text() == "1"
            assert await response.read() == b"1"
        assert [line for line in log if "chunk" in line] == [
            f"response_chunk_received method=GET url={server.url()} chunk=b'1'"
        ]

    async def test_large_upload(self) -> None:
        """An upload is signalled piece by piece, as bytes, before it is written."""
        log = Log()
        body = bytes(600_000)
        async with (
            RawServer.replies([OK]) as server,
            aioclient.ClientSession(server.url(), trace_configs=[log.config()]) as session,
            session.post("/", data=body) as response,
        ):
            await response.read()
        chunks = [
            params.chunk for name, _, _, params in log.seen if name == "on_request_chunk_sent"
        ]
        assert b"".join(chunks) == body
        assert len(chunks) > 1
        assert {type(chunk) for chunk in chunks} == {bytes}


class TestCallbacks:
    """What callbacks are given, and what they may change."""

    async def test_session_and_context(self) -> None:
        """Each gets our session, and a context of its config's own for each call, with what the call passed."""
        mine, other = Log(), Log()
        thing = object()

        class Context(SimpleNamespace):
            """A context of the user's."""

        config = mine.config(Context)
        async with (
            RawServer(site) as server,
            aioclient.ClientSession(
                server.url(), trace_configs=[config, other.config()]
            ) as session,
        ):
            await read(session, "/", trace_request_ctx=thing)
            await read(session, "/")
            seen = mine.seen
            assert {id(each) for _, each, _, _ in mine.seen + other.seen} == {id(session)}
        contexts = list(dict.fromkeys(id(context) for _, _, context, _ in seen))
        assert len(contexts) == 2
        assert [context.trace_request_ctx for _, _, context, _ in (seen[0], seen[-1])] == [
            thing,
            None,
        ]
        assert {type(context) for _, _, context, _ in seen} == {Context}
        assert {type(context) for _, _, context, _ in other.seen} == {SimpleNamespace}
        assert {id(context) for _, _, context, _ in other.seen}.isdisjoint(contexts)

    async def test_classes(self) -> None:
        """The parameters are aiohttp's, which are aioclient's."""
        log = Log()
        async with RawServer(site) as server:
            await run(aioclient, redirect_of_post, server, log=log)
            await run(aioclient, refused, server, log=log)
        for name, _, _, params in log.seen:
            words = name.removeprefix("on_").replace("resolvehost", "resolve_host").split("_")
            kind = "Trace" + "".join(word.capitalize() for word in words) + "Params"
            assert type(params) is getattr(aioclient, kind) is getattr(aiohttp, kind)

    async def test_order(self) -> None:
        """Callbacks run one after the other: a config's in their order, the configs in theirs."""
        order: list[str] = []

        def note(text: str) -> Any:
            async def callback(session: Any, context: Any, params: Any) -> None:
                order.append(text)
                await asyncio.sleep(0)
                order.append(text)

            return callback

        first, second = aiohttp.TraceConfig(), aiohttp.TraceConfig()
        first.on_request_end.extend([note("a"), note("b")])
        second.on_request_end.append(note("c"))
        async with (
            RawServer(site) as server,
            aioclient.ClientSession(server.url(), trace_configs=(first, second)) as session,
        ):
            assert session.trace_configs == [first, second]
            await read(session, "/")
        assert "".join(order) == "aabbcc"

    async def test_headers_may_be_changed_at_the_start(self) -> None:
        """What a callback puts into the headers of the start is sent, by the call's redirects too, and stays there."""
        config = aiohttp.TraceConfig()

        async def inject(session: Any, context: Any, params: Any) -> None:
            params.headers["traceparent"] = "00-1-2-01"
            params.headers.pop("Accept", None)

        config.on_request_start.append(inject)
        async with (
            RawServer.replies([moved("/there"), OK]) as server,
            aioclient.ClientSession(server.url(), trace_configs=[config]) as session,
        ):
            await read(session, "/")
            [first, second] = server.requests
            for request in (first, second):
                assert request.value("traceparent") == "00-1-2-01"
                assert request.value("accept") is None
            assert "traceparent" not in session.headers

    async def test_headers_as_sent(self) -> None:
        """The headers that are sent are told as they go out, credentials included, in a copy of their own."""
        config = aiohttp.TraceConfig()
        sent: list[tuple[tuple[str, str], ...]] = []

        async def note(session: Any, context: Any, params: Any) -> None:
            sent.append(tuple(params.headers.items()))
            params.headers.clear()

        config.on_request_headers_sent.append(note)
        async with (
            RawServer.replies([OK]) as server,
            aioclient.ClientSession(
                server.url(), trace_configs=[config], cookie_jar=open_jar(), cookies={"a": "b"}
            ) as session,
        ):
            await read(session, "/", "POST", auth=("user", "secret"), data="\xe9")
            [request] = server.requests
        [fields] = sent
        told = [(name.lower().encode(), value.encode()) for name, value in fields]
        went = [(name.lower(), value) for name, value in request.headers]
        assert sorted(told) == sorted(went) if spoken.http2() else told == went
        assert {"Host", "Cookie", "Authorization", "Content-Length", "User-Agent"} <= {
            name for name, _ in fields
        }

    async def test_no_more_secrets_than_aiohttp(self) -> None:
        """The URL that is told has no credentials, and the start has none of the fields made from them."""
        log = Log()
        async with (
            RawServer.replies([OK]) as server,
            aioclient.ClientSession(trace_configs=[log.config()], cookie_jar=open_jar()) as session,
        ):
            session.cookie_jar.update_cookies({"a": "secret"}, URL(server.url()))
            url = URL(server.url()).with_user("user").with_password("secret")
            await read(session, str(url), path="")
        for name, _, _, params in log.seen:
            assert "secret" not in str(getattr(params, "url", ""))
            if name == "on_request_start":
                assert "Authorization" not in params.headers
                assert "Cookie" not in params.headers

    async def test_stale_connection(self) -> None:
        """A repetition on a new connection is told of: what it takes and what it sends."""
        log = Log()

        async def closes_after_one(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            await conn.read_request()

        async with (
            RawServer(closes_after_one) as server,
            aioclient.ClientSession(server.url(), trace_configs=[log.config()]) as session,
        ):
            await read(session, "/")
            log.clear()
            await read(session, "/")
        assert [line.split()[0] for line in log] == [
            "request_start",
            "connection_reuseconn",
            "request_headers_sent",
            "connection_create_start",
            "connection_create_end",
            "request_headers_sent",
            "request_end",
            "response_chunk_received",
        ]

    async def test_redirect_of_headers(self) -> None:
        """A redirect is told of with the request that was redirected and with its response."""
        log = Log()
        async with RawServer(site) as server:
            await run(aioclient, redirect, server, log=log)
        [params] = [params for name, _, _, params in log.seen if name == "on_request_redirect"]
        assert (params.method, params.url.path, params.url.query_string) == ("GET", "/moved", "a=1")
        assert params.response.headers["Location"] == "/there"
        [end] = [params for name, _, _, params in log.seen if name == "on_request_end"]
        assert end.response.history == (params.response,)
        assert end.url.path == "/there"


class TestConfigs:
    """What a session takes."""

    async def test_frozen(self) -> None:
        """A config that a session has taken takes no further callbacks."""
        config = aiohttp.TraceConfig()
        async with aioclient.ClientSession(trace_configs=[config]):
            with pytest.raises(RuntimeError, match="frozen"):
                config.on_request_start.append(Log().config().on_request_end[0])

    async def test_none(self) -> None:
        """Without configs there is no trace; None and an empty list say so."""
        for nothing in (None, []):
            async with aioclient.ClientSession(trace_configs=nothing) as session:
                assert session.trace_configs == []

    async def test_something_else(self) -> None:
        """What is no trace config is refused at once, by the name of its type; nothing is frozen then."""
        config = aiohttp.TraceConfig()
        with pytest.raises(TypeError, match=r"trace_configs .* found dict"):
            aioclient.ClientSession(trace_configs=[config, {}])  # type: ignore[list-item]
        assert not config.on_request_start.frozen

    async def test_call_that_cannot_be_made(self) -> None:
        """Bad arguments raise before the start is signalled."""
        log = Log()
        async with aioclient.ClientSession(trace_configs=[log.config()]) as session:
            with pytest.raises(ValueError, match="decimal"):
                await session.get("http://1.2/")
        assert log == []

    async def test_nothing_is_done_for_nobody(self) -> None:
        """A config without callbacks changes nothing of what is sent."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            aioclient.ClientSession(trace_configs=[aiohttp.TraceConfig()]) as traced,
            aioclient.ClientSession() as plain,
        ):
            for session in (traced, plain):
                await read(session, server.url("/"), "POST", "", data=b"body")
            first, second = server.requests
            assert first == second
