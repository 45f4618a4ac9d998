"""From making a session to its end: what is warned of, what is refused, and that nothing is left."""

import asyncio
import contextlib
import gc
import os
import re
import sys
import threading
import warnings
import weakref
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

import aioclient
from aioclient import ClientSession, TCPConnector, UnixConnector
from aioclient.testing import RawConnection, VirtualClockLoop, silent_port, turns
from aioclient.testing.leaks import open_sockets

from . import spoken
from .servers.certificates import Certificates
from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

both_loops = pytest.mark.both_loops


async def site(conn: RawConnection) -> None:
    """Hold /hold, take nothing of the body of /upload, answer the rest."""
    while True:
        request = await conn.read_request(body=False)
        if request.target == "/hold":
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n.\r\n")
        elif request.target == "/upload":
            conn.stop_reading()
            await conn.wait_lost()
        else:
            conn.send(OK)


async def fetch(session: ClientSession, path: str = "/", **more: Any) -> bytes:
    async with session.get(path, **more) as response:
        return await response.read()


@contextlib.contextmanager
def warned(*texts: str, exactly: bool = True) -> Iterator[list[str]]:
    """Expect these ResourceWarnings, in any order, and no more if *exactly*; give what they say."""
    found: list[str] = []

    def note(message: Warning | str, category: type[Warning], *_: Any) -> None:
        # Not recorded by catch_warnings(): that keeps the source of the warning, and what it holds.
        if category is ResourceWarning:
            found.append(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        yield found
        gc.collect()
    assert not exactly or len(found) == len(texts), found
    for text in texts:
        assert any(text in message for message in found), found


@contextlib.contextmanager
def reported() -> Iterator[list[dict[str, Any]]]:
    """Give the contexts that the loop's exception handler gets, with types for objects, which stay free to go."""
    found: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        found.append(
            {
                key: value if key in ("message", "source_traceback") else type(value)
                for key, value in context.items()
            }
        )

    loop.set_exception_handler(note)
    try:
        yield found
    finally:
        loop.set_exception_handler(before)


def client_sockets(server: RawServer) -> int:
    """How many of the server's connections are open."""
    return len(server.open_connections)


@both_loops
class TestUnclosed:
    """What was forgotten warns, says what to do, and lets go of what it held."""

    async def test_session(self) -> None:
        """A session that was not closed warns and closes its idle connections."""
        async with RawServer(site) as server:
            session = ClientSession(server.url())
            await fetch(session)
            assert client_sockets(server) == 1
            with warned("unclosed session <ClientSession", "unclosed connector <TCPConnector"):
                del session
            await turns(20)
            assert client_sockets(server) == 0

    async def test_session_without_a_connection(self) -> None:
        """A session that was never used warns all the same: it should be closed."""
        with warned("unclosed session <ClientSession"):
            ClientSession()

    async def test_the_loop_is_told(self) -> None:
        """The loop's exception handler gets aiohttp's keys, and the line that made what was forgotten."""
        async with RawServer(site) as server:
            session = ClientSession(server.url())
            await fetch(session)
            with reported() as found, warned(exactly=False):
                del session
                gc.collect()
            await turns(20)
        told = {context["message"]: context for context in found}
        assert set(told) == {"Unclosed client session", "Unclosed connector"}
        context = told["Unclosed client session"]
        assert set(context) == {"message", "client_session", "source_traceback"}
        assert context["client_session"] is ClientSession
        assert [frame.filename for frame in context["source_traceback"]] == [__file__]
        assert told["Unclosed connector"]["connector"] is TCPConnector

    async def test_the_loop_is_told_on_its_own_thread(self) -> None:
        """Where another thread collects the garbage, the handler runs on the loop's."""
        threads: list[threading.Thread] = []
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda *_: threads.append(threading.current_thread()))
        made = [ClientSession()]
        with warned("unclosed session"):
            await loop.run_in_executor(None, made.clear)
        await turns(2)
        loop.set_exception_handler(before)
        assert threads == [threading.main_thread()]

    async def test_a_session_whose_connector_was_closed(self) -> None:
        """It is closed: nothing is left to warn of, or to call."""
        connector = TCPConnector()
        session = ClientSession(connector=connector)
        assert not session.closed
        await connector.close()
        assert session.closed
        with reported() as found, warned():
            del session
        assert found == []

    async def test_a_session_whose_connector_of_aiohttp_was_closed(self) -> None:
        """The same with a connector of aiohttp's."""
        connector = aiohttp.TCPConnector()
        session = ClientSession(connector=connector)
        assert not session.closed
        await connector.close()
        assert session.closed
        await session.close()

    async def test_session_with_the_connector_of_another(self) -> None:
        """A session that does not own its connector holds nothing, and says nothing."""
        async with TCPConnector() as connector:
            with warned():
                ClientSession(connector=connector, connector_owner=False)

    async def test_connector(self) -> None:
        """A connector that was not closed warns when it had connections, and closes the idle ones."""
        async with RawServer(site) as server:
            connector = TCPConnector(keepalive_timeout=1000)
            async with ClientSession(
                server.url(), connector=connector, connector_owner=False
            ) as session:
                await fetch(session)
            with warned("unclosed connector <TCPConnector <Pool in_use=0 idle=1"):
                del session, connector
            await turns(20)
            assert client_sockets(server) == 0

    async def test_nothing_keeps_a_connector_alive(self) -> None:
        """Neither idle connections nor timers keep a connector that nobody knows any more."""
        async with RawServer(site) as server:
            session = ClientSession(server.url())
            await fetch(session)
            assert session.connector is not None
            gone = weakref.ref(session.connector)
            with warned("unclosed session", "unclosed connector"):
                del session
            assert gone() is None
            await turns(20)

    async def test_response(self) -> None:
        """A response that was dropped with its body unread warns and gives its slot back."""
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            response = await session.get("/hold")
            await turns(1)
            with (
                reported() as found,
                warned(f"unclosed response to GET {server.url('/hold')}: use 'async with'"),
            ):
                del response
            assert [context["message"] for context in found] == ["Unclosed connection"]
            await turns(20)
            assert client_sockets(server) == spoken.kept()
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    @pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
    async def test_response_collected_in_a_thread(self, *, debug: bool) -> None:
        """One that a collection in another thread finds is closed in the thread of its event loop."""
        asyncio.get_running_loop().set_debug(debug)
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            assert session.connector is not None
            cycle: list[object] = [await session.get("/hold")]
            cycle.append(cycle)
            await turns(1)
            with warned("unclosed response to GET"):
                del cycle
                thread = threading.Thread(target=gc.collect)
                thread.start()
                thread.join()
            assert session.connector.statistics().in_use == 1
            await turns(20)
            assert session.connector.statistics().in_use == 0
            assert client_sockets(server) == spoken.kept()

    @pytest.mark.http1_only("it feeds the protocol with HTTP/1.1")
    async def test_response_that_ends_while_it_is_dropped(self) -> None:
        """A connection that carries another request by the time the event loop hears of it stays open."""
        bodies = asyncio.Queue[bytes]()

        async def script(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
                conn.send(await bodies.get())

        async with RawServer(script) as server, ClientSession(server.url()) as session:
            first = await session.get("/")
            held = first.connection
            assert held is not None
            leased = held.leased
            assert isinstance(leased, asyncio.Protocol)
            del held
            await turns(1)
            with warned("unclosed response to GET"):
                del first
                leased.data_received(b"k")  # as if the event loop had read it in this iteration
            second = asyncio.create_task(fetch(session))
            bodies.put_nowait(b"")
            bodies.put_nowait(b"k")
            assert await second == b"ok"
            assert server.connections == 1

    async def test_a_whole_response(self) -> None:
        """A response that came whole holds nothing, and may be dropped."""
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            with warned():
                assert (await session.get("/")).status == 200
            assert client_sockets(server) == 1

    async def test_a_body_outlives_its_session(self) -> None:
        """A response that is still read when its session was dropped can be read to its end."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
            await conn.read_until(b"never") if conn.index else await turns(10)
            conn.send(b"k")
            await conn.closed()

        async with RawServer(script) as server:
            session = ClientSession(server.url())
            response = await session.get("/")
            with warned("unclosed session", "unclosed connector"):
                del session
            assert await response.read() == b"ok"
            await turns(20)
            assert client_sockets(server) == 0

    async def test_a_request_that_was_never_awaited(self) -> None:
        """A call that nobody awaits sends nothing, and Python warns of it."""
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            call = session.get("/")
            with pytest.warns(RuntimeWarning, match="was never awaited"):
                del call
                gc.collect()
            await turns()
            assert server.connections == 0


async def test_the_timer_of_a_forgotten_connector(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer for idle connections ends with a connector that was not closed."""
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []
    call_at = loop.call_at

    def noted(*arguments: Any, **more: Any) -> asyncio.TimerHandle:
        timers.append(call_at(*arguments, **more))
        return timers[-1]

    monkeypatch.setattr(loop, "call_at", noted)
    async with RawServer(site) as server:
        session = ClientSession(server.url(), timeout=None)
        assert await fetch(session) == b"ok"
        assert [timer.cancelled() for timer in timers] == [False]
        with warned("unclosed session", "unclosed connector"):
            del session
        assert [timer.cancelled() for timer in timers] == [True]
        await turns(20)


@pytest.mark.virtual_clock
async def test_a_dial_that_ends_while_the_connector_closes(
    monkeypatch: pytest.MonkeyPatch, certificates: Certificates
) -> None:
    """Its connection is aborted, which close() does not wait for, and its request is not sent."""
    loop = asyncio.get_running_loop()
    connector = TCPConnector(ssl=certificates.client_context())
    ends: list[Awaitable[None]] = []
    start_tls = loop.start_tls

    async def closing_meanwhile(*arguments: Any, **more: Any) -> Any:
        secured = await start_tls(*arguments, **more)
        ends.append(connector.close())
        return secured

    monkeypatch.setattr(loop, "start_tls", closing_meanwhile)
    async with (
        RawServer(site, ssl=certificates.server_context()) as server,
        ClientSession(server.url(), connector=connector) as session,
    ):
        with pytest.raises(aioclient.ClientConnectionError, match="the connector is closed"):
            await fetch(session)
        begin = loop.time()
        for end in ends:
            await end
        assert loop.time() == begin
        assert (len(ends), server.requests) == (1, [])


@both_loops
class TestPlace:
    """What was forgotten says where it was made."""

    async def test_session_and_connector(self) -> None:
        """They name the line that made them, as file and number, outside of debug mode too."""
        async with RawServer(site) as server:
            session = ClientSession(server.url(), connector=TCPConnector())
            place = f"{__file__}:{sys._getframe().f_lineno - 1}"
            await fetch(session)
            with warned(
                f"or await its close(): made at {place}", f"await its close(): made at {place}"
            ):
                del session
            await turns(20)

    async def test_the_way_there(self) -> None:
        """In asyncio's debug mode each of them, and a response, tells the calls that led to it."""

        async def make() -> ClientSession:
            return ClientSession(server.url())

        async def ask(session: ClientSession) -> aioclient.ClientResponse:
            return await asyncio.create_task(session.get("/hold"))

        asyncio.get_running_loop().set_debug(True)
        async with RawServer(site) as server:
            session = await make()
            response = await ask(session)
            await turns(1)
            text = rf"asked for at {__file__}:\d+ \(most recent call last\):\n(.*\n)*.* in ask\n"
            with warned(exactly=False) as found:
                del response
            with warned(exactly=False) as more:
                del session
            await turns(20)
        (asked,) = found
        assert re.search(text, asked), asked
        assert "aioclient/session" not in asked
        made = [message for message in more if "unclosed" in message]
        assert len(made) == 2
        for message in made:
            assert re.search(r"made at .* \(most recent call last\):\n(.*\n)*.* in make\n", message)

    async def test_a_response_without_debug_mode(self) -> None:
        """Without debug mode a response names its request alone: a place for each would cost too much."""
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            response = await session.get("/hold")
            await turns(1)
            with warned(exactly=False) as found:
                del response
            assert found[0].endswith("or release it")
            await turns(20)


@both_loops
class TestAfterwards:
    """What is closed refuses work and says so."""

    async def test_session(self) -> None:
        """A closed session refuses requests; closing it again does nothing."""
        session = ClientSession()
        await session.close()
        await session.close()
        assert session.closed
        assert session.connector is None
        with pytest.raises(RuntimeError, match="Session is closed"):
            await session.get("http://a.test/")

    async def test_connector(self) -> None:
        """A closed connector refuses requests of a session that is still open."""
        connector = TCPConnector()
        async with ClientSession(connector=connector) as session:
            await connector.close()
            await connector.close()
            with pytest.raises(
                aioclient.ClientConnectionError,
                match=r"GET http://a.test/: not sent, the connector is closed",
            ):
                await session.get("http://a.test/")

    async def test_response(self) -> None:
        """The body of a response that was released before it was read cannot be read."""
        async with RawServer(site) as server, ClientSession(server.url()) as session:
            async with session.get("/") as response:
                pass
            with pytest.raises(aioclient.ClientConnectionError, match="released before"):
                await response.read()

    async def test_a_body_that_was_not_read_in_time(self) -> None:
        """A body whose session was closed meanwhile raises, and does not wait."""
        async with RawServer(site) as server:
            async with ClientSession(server.url()) as session:
                response = await session.get("/hold")
            with pytest.raises(aioclient.ClientConnectionError):
                await response.read()
            assert response.closed


class TestOtherPlaces:
    def test_another_loop(self) -> None:
        """A session is used in the loop it was made in; elsewhere it says so."""
        session: ClientSession | None = None

        async def make() -> None:
            nonlocal session
            session = ClientSession()

        async def use() -> None:
            assert session is not None
            with pytest.raises(RuntimeError, match="belongs to another event loop"):
                await session.get("http://a.test/")
            await session.close()

        asyncio.run(make())
        asyncio.run(use())

    def test_a_connector_in_another_loop(self) -> None:
        """A connector belongs to the loop of its first request."""
        connector = TCPConnector()

        async def use() -> None:
            async with (
                RawServer(site) as server,
                ClientSession(server.url(), connector=connector, connector_owner=False) as session,
            ):
                assert await fetch(session) == b"ok"
                for each in list(connector._sockets.connections):
                    each.close()
                await turns(5)

        async def use_again() -> None:
            with pytest.raises(RuntimeError, match=r"TCPConnector .* another event loop"):
                ClientSession(connector=connector)

        asyncio.run(use())
        asyncio.run(use_again())

    def test_closing_when_the_loop_is_gone(self) -> None:
        """Closing after the loop of the connections was closed raises nothing."""

        async def use() -> ClientSession:
            async with RawServer(site) as server:
                session = ClientSession(server.url())
                assert await fetch(session) == b"ok"
                await turns(5)
            await turns(5)
            return session

        session = asyncio.run(use())
        asyncio.run(session.close())
        assert session.closed

    async def test_a_thread(self) -> None:
        """A thread with a loop of its own is refused, request and close() alike; one without a loop as well."""
        async with RawServer(site) as server:
            session = ClientSession(server.url())
            assert await fetch(session) == b"ok"

            async def use() -> list[str]:
                said = []
                for call in (session.get("/"), session.close()):
                    try:
                        await call
                    except RuntimeError as error:
                        said.append(str(error))
                return said

            def make() -> str:
                try:
                    ClientSession()
                except RuntimeError as error:
                    return str(error)
                raise AssertionError

            used, closed = await asyncio.to_thread(lambda: asyncio.run(use()))
            assert "the session belongs to another event loop" in used
            assert "belongs to the event loop of another thread; close it there" in closed
            assert "create it inside an async function" in await asyncio.to_thread(make)
            assert not session.closed
            future = asyncio.run_coroutine_threadsafe
            loop = asyncio.get_running_loop()
            # What the text advises.
            assert await asyncio.to_thread(lambda: future(fetch(session), loop).result()) == b"ok"
            await asyncio.to_thread(lambda: future(session.close(), loop).result())
            assert session.closed

    def test_no_loop(self) -> None:
        """A session needs a running event loop, and says where to make it."""
        with pytest.raises(RuntimeError, match="create it inside an async function"):
            ClientSession()

    def test_a_connector_is_made_anywhere(self) -> None:
        """A connector may be made before the loop runs."""
        connector = TCPConnector(limit=1)

        async def use() -> bytes:
            async with (
                RawServer(site) as server,
                ClientSession(server.url(), connector=connector) as session,
            ):
                return await fetch(session)

        assert asyncio.run(use()) == b"ok"
        assert connector.closed

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    async def test_fork(self, tls: bool, certificates: Certificates) -> None:
        """A child process cannot use the session, and its end does not touch the parent's connections."""
        context = certificates.server_context() if tls else None
        async with (
            RawServer(site, ssl=context) as server,
            ClientSession(
                server.url(), connector=TCPConnector(ssl=certificates.client_context())
            ) as session,
        ):
            assert await fetch(session) == b"ok"
            sys.stdout.flush()
            pid = os.fork()
            if not pid:
                code = 1
                try:
                    code = _in_child(session)
                finally:
                    os._exit(code)
            _, status = await asyncio.to_thread(os.waitpid, pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            await turns(5)
            assert await fetch(session) == b"ok"
            assert server.connections == 1


def _in_child(session: ClientSession) -> int:
    """Use and close the session in the forked process; return 0 when that goes as it should."""
    asyncio._set_running_loop(None)
    call = session.get("/")
    try:
        call.send(None)
    except RuntimeError as error:
        if "running event loop" not in str(error) and "before a fork" not in str(error):
            return 2
    else:
        return 3
    if not asyncio.run(_refuses(session.connector)):
        return 5
    asyncio.run(session.close())
    return 0 if session.closed else 4


async def _refuses(connector: Any) -> bool:
    """Tell whether a session of the child's cannot be made with the parent's connector, and says why."""
    try:
        ClientSession(connector=connector)
    except RuntimeError as error:
        return "was made before a fork; make a new one in this process" in str(error)
    return False


@pytest.mark.rows("S003-66")
@both_loops
class TestClosing:
    """close() returns when no socket is left: nobody has to sleep."""

    async def closed_completely(self, session: ClientSession) -> None:
        """Close; without a round of the loop more, none of the client's sockets is open."""
        connector = session.connector
        assert connector is not None
        await session.close()
        assert connector.closed
        assert connector._sockets.connections == set()
        numbers = connector.statistics()
        assert (numbers.in_use, numbers.idle, numbers.waiting) == (0, 0, 0)

    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_idle_connections(self, tls: bool, certificates: Certificates) -> None:
        """Idle connections are closed, TLS ones with a goodbye."""
        context = certificates.server_context() if tls else None
        async with RawServer(site, ssl=context) as server:
            before = open_sockets()
            session = ClientSession(
                server.url(), connector=TCPConnector(ssl=certificates.client_context())
            )
            await asyncio.gather(*(fetch(session) for _ in range(5)))
            peers = {conn.transport.get_extra_info("peername") for conn in server.open_connections}
            assert len(peers) == 5
            await self.closed_completely(session)
            # What is open now belongs to the server, which has not seen the end yet.
            left = len(open_sockets()) - len(before)
            assert left <= 5
            await turns(20)
            assert client_sockets(server) == 0
            assert server.handshake_errors == []

    @pytest.mark.parametrize("stage", ["name", "tcp", "tls"])
    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_dials(self, stage: str, certificates: Certificates) -> None:
        """Connections that are being made are given up, and their requests say why."""

        async def never(*_: Any) -> Any:
            await asyncio.Event().wait()

        async def silent(conn: RawConnection) -> None:
            await conn.closed()

        connector = TCPConnector(limit=3)
        with silent_port() as port:
            async with RawServer(silent) as server:
                before = open_sockets()
                url = {
                    "name": "http://a.test/",
                    "tcp": f"http://127.0.0.1:{port}/",
                    "tls": server.url().replace("http:", "https:"),
                }[stage]
                if stage == "name":
                    connector._resolver._resolver.resolve = never  # type: ignore[method-assign]
                session = ClientSession(connector=connector)
                tasks = [asyncio.create_task(fetch(session, url)) for _ in range(5)]
                await turns(10)
                numbers = connector.statistics()
                assert (numbers.in_use, numbers.waiting) == (3, 2)
                await session.close()
                mine = len(open_sockets()) - len(before) - server.connections
                assert mine <= 0
                for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                    assert isinstance(outcome, aioclient.ClientConnectionError)
                    assert str(outcome) == f"GET {url}: not sent, the connector is closed"
                numbers = connector.statistics()
                assert (numbers.in_use, numbers.waiting) == (0, 0)

    async def test_after_a_cancelled_handshake(self) -> None:
        """The socket of a handshake that was cancelled just before is gone when close() returns."""

        async def silent(conn: RawConnection) -> None:
            await conn.wait_lost()

        async with RawServer(silent) as server:
            before = open_sockets()
            left: list[int] = []

            async def give_up() -> None:
                session = ClientSession()
                try:
                    await fetch(session, server.url().replace("http:", "https:"))
                finally:
                    await session.close()
                    left.append(len(open_sockets()) - len(before) - server.connections)

            task = asyncio.create_task(give_up())
            while not server.connections:
                await asyncio.sleep(0)
            await turns(3)
            task.cancel()
            await asyncio.wait([task])
            assert left == [0]

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_everything_at_once(self, certificates: Certificates) -> None:
        """Bodies, uploads, waiters: each call under way ends with an error."""

        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 2**16

        async with RawServer(site, ssl=certificates.server_context()) as server:
            session = ClientSession(
                server.url(), connector=TCPConnector(limit=3, ssl=certificates.client_context())
            )
            await fetch(session)
            body = await session.get("/hold")
            tasks = [
                asyncio.create_task(body.read()),
                asyncio.create_task(fetch(session, "/hold")),
                asyncio.create_task(session.post("/upload", data=pieces())),  # type: ignore[arg-type]
            ]
            await turns(30)
            tasks.append(asyncio.create_task(fetch(session)))
            await turns(2)
            assert session.connector is not None
            numbers = session.connector.statistics()
            assert (numbers.in_use, numbers.waiting) == (3, 1)
            await self.closed_completely(session)
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(outcome, aioclient.ClientConnectionError), outcome

    async def test_twice_at_once(self, certificates: Certificates) -> None:
        """Two who close the same connector at the same time both return."""
        async with RawServer(site, ssl=certificates.server_context()) as server:
            connector = TCPConnector(ssl=certificates.client_context())
            session = ClientSession(server.url(), connector=connector, connector_owner=False)
            await asyncio.gather(fetch(session), fetch(session))
            await asyncio.gather(connector.close(), connector.close(), connector.close())
            assert connector._sockets.connections == set()
            await session.close()

    @pytest.mark.parametrize("kind", ["tcp", "unix"])
    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_a_granted_slot_dials_no_more(self, kind: str, tmp_path: Path) -> None:
        """A waiter that was told to dial in the moment of closing makes no connection."""
        path = tmp_path / "socket" if kind == "unix" else None
        async with RawServer(site, unix_path=path) as server:
            connector = TCPConnector(limit=1) if path is None else UnixConnector(path, limit=1)
            session = ClientSession(server.url(), connector=connector)
            hold = await session.get("/hold")
            waiter = asyncio.create_task(fetch(session))
            await turns(2)
            hold.close()  # the slot is granted here, and its owner not awake
            await session.close()
            with pytest.raises(aioclient.ClientConnectionError, match="connector is closed"):
                await waiter
            await turns(5)
            assert server.connections == 1
            assert connector.statistics().in_use == 0

    async def test_a_request_that_would_be_repeated(self) -> None:
        """A request whose connection was closed by close() is not sent on a new one."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            await conn.closed()

        async with RawServer(script) as server:
            session = ClientSession(server.url())
            await fetch(session)
            task = asyncio.create_task(fetch(session))
            await turns(3)
            await session.close()
            with pytest.raises(aioclient.ClientConnectionError):
                await task
            assert server.connections == 1


@pytest.mark.virtual_clock
class TestClosingInTime:
    @pytest.mark.http1_only("the server reads on, for the whole connection")
    async def test_a_peer_that_does_not_say_goodbye(self, certificates: Certificates) -> None:
        """A TLS peer that does not answer the goodbye holds close() up for two seconds at most."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            conn.stop_reading()
            await conn.wait_lost()

        async with RawServer(script, ssl=certificates.server_context()) as server:
            session = ClientSession(
                server.url(), connector=TCPConnector(ssl=certificates.client_context())
            )
            await fetch(session)
            loop = asyncio.get_running_loop()
            start = loop.time()
            await session.close()
            assert loop.time() - start == 2

    @pytest.mark.parametrize(("said", "seconds"), [(7, 7), (0, 0), (None, 2), (0.5, 0.5)])
    @pytest.mark.parametrize("whose", ["ours", "aiohttp's"])
    @pytest.mark.http1_only("the server reads on, for the whole connection")
    async def test_its_time(
        self, certificates: Certificates, said: float | None, seconds: float, whose: str
    ) -> None:
        """ssl_shutdown_timeout is for how long the goodbye's answer is waited for, and by close()."""
        over = asyncio.Event()

        async def script(conn: RawConnection) -> None:
            request = await conn.read_request()
            conn.stop_reading()
            field = b"Connection: close\r\n" if request.target == "/end" else b""
            conn.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\nok" % field)
            await over.wait()

        context = certificates.client_context()
        connector: Any
        if whose == "ours":
            connector = TCPConnector(ssl=context, ssl_shutdown_timeout=said)
        elif said:
            with pytest.warns(DeprecationWarning):
                connector = aiohttp.TCPConnector(ssl=context, ssl_shutdown_timeout=said)
        else:  # its default, of which we know nothing better
            connector, seconds = aiohttp.TCPConnector(ssl=context), 2
        loop = asyncio.get_running_loop()
        async with RawServer(script, ssl=certificates.server_context()) as server:
            session = ClientSession(server.url(), connector=connector)
            own = session.connector
            assert own is not None
            await fetch(session, "/end")
            start = loop.time()
            while own._sockets.connections:
                await asyncio.sleep(0.1)
            assert loop.time() - start == pytest.approx(seconds, abs=0.11)
            await fetch(session)
            start = loop.time()
            await session.close()
            assert loop.time() - start == pytest.approx(seconds, abs=0.01)
            over.set()

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
    async def test_no_time(self, seconds: float) -> None:
        """What is no time is refused."""
        with pytest.raises(ValueError, match="ssl_shutdown_timeout"):
            TCPConnector(ssl_shutdown_timeout=seconds)

    async def test_without_a_goodbye(self, certificates: Certificates) -> None:
        """connector.close(abort_ssl=True) waits for no answer of a TLS peer."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            conn.stop_reading()
            await conn.wait_lost()

        async with RawServer(script, ssl=certificates.server_context()) as server:
            connector = TCPConnector(ssl=certificates.client_context())
            async with ClientSession(server.url(), connector=connector) as session:
                await fetch(session)
                start = asyncio.get_running_loop().time()
                await connector.close(abort_ssl=True)
                assert asyncio.get_running_loop().time() == start
            assert connector._sockets.connections == set()

    @pytest.mark.http1_only("the server reads on, for the whole connection")
    async def test_closing_is_cancelled(self, certificates: Certificates) -> None:
        """When close() is cancelled it waits for no goodbye any more: the sockets are closed at once."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(OK)
            conn.stop_reading()
            await conn.wait_lost()

        async with RawServer(script, ssl=certificates.server_context()) as server:
            connector = TCPConnector(ssl=certificates.client_context())
            session = ClientSession(server.url(), connector=connector)
            await fetch(session)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await session.close()
            await turns(5)
            assert connector._sockets.connections == set()

    async def test_a_dial_whose_time_is_over(self) -> None:
        """Closing while a connect timeout is being carried out is no error."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualClockLoop)
        with silent_port() as port:
            connector = TCPConnector()
            session = ClientSession(connector=connector)
            task = asyncio.create_task(fetch(session, f"http://127.0.0.1:{port}/"))
            await turns(5)
            loop.advance(30)
            await turns(2)
            (limit,) = connector._sockets.dials
            assert limit.expired()
            await session.close()
            with pytest.raises(aioclient.ClientConnectionError, match="connector is closed"):
                await task

    async def test_a_dial_that_does_not_end(self) -> None:
        """A resolver that takes its time to be cancelled does not hold up close() for ever."""

        class Stubborn(AbstractResolver):
            async def resolve(self, *_: Any, **__: Any) -> list[ResolveResult]:
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(100)
                raise AssertionError

            async def close(self) -> None:
                """Nothing is held."""

        session = ClientSession(connector=TCPConnector(resolver=Stubborn()))
        task = asyncio.create_task(fetch(session, "http://a.test/"))
        await turns(5)
        loop = asyncio.get_running_loop()
        start = loop.time()
        await session.close()
        assert loop.time() - start <= 4
        with pytest.raises(aioclient.ClientConnectionError):
            await task
        await asyncio.sleep(100)


@both_loops
class TestSharing:
    """A connector may serve several sessions."""

    @pytest.mark.rows("S003-13")
    async def test_two_sessions(self) -> None:
        """Two sessions share one pool; closing one leaves the other at work."""
        async with RawServer(site) as server, TCPConnector() as connector:
            one, two = (
                ClientSession(server.url(), connector=connector, connector_owner=False)
                for _ in range(2)
            )
            assert await fetch(one) == await fetch(two) == b"ok"
            assert server.connections == 1
            await one.close()
            assert not connector.closed
            assert await fetch(two) == b"ok"
            assert server.connections == 1
            await two.close()
            assert connector.statistics().idle == 1

    @pytest.mark.rows("S003-67")
    async def test_detach(self) -> None:
        """A session that lets go of its connector is closed; the connector is not."""
        async with RawServer(site) as server, TCPConnector() as connector:
            session = ClientSession(server.url(), connector=connector)
            await fetch(session)
            session.detach()
            assert session.closed
            assert session.connector is None
            with pytest.raises(RuntimeError, match="Session is closed"):
                await session.get("/")
            async with ClientSession(server.url(), connector=connector) as another:
                assert await fetch(another) == b"ok"
            assert server.connections == 1

    async def test_unix(self, tmp_path: Path) -> None:
        """A unix connector is closed with its session as well."""
        async with RawServer(site, unix_path=tmp_path / "socket") as server:
            connector = UnixConnector(tmp_path / "socket")
            session = ClientSession(server.url(), connector=connector)
            assert await fetch(session) == b"ok"
            await session.close()
            assert connector.closed
            assert connector._sockets.connections == set()
