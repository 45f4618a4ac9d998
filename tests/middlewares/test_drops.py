"""What a middleware drops, raises or forgets costs no connection, with a pool of one."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import copy
from typing import Any, cast
from weakref import ref

import pytest

import aioclient
from aioclient import ClientResponse, ClientSession, Handler, Request, TCPConnector
from aioclient.testing import RawConnection, RawRequest, turns

from ..loopback import OK, answer, moved
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

LARGE = bytes(5_000_000)


class Oops(Exception):
    """What the middlewares here raise."""


async def site(conn: RawConnection) -> None:
    """Answer /large with a body that nobody will read, everything else with ok."""
    while True:
        request = await conn.read_request()
        conn.send(answer(LARGE) if request.target == "/large" else OK)


@asynccontextmanager
async def pool_of_one() -> AsyncIterator[tuple[RawServer, ClientSession]]:
    """Give a server and a session; at the end the session's only connection must be free."""
    connector = TCPConnector(limit=1)
    async with RawServer(site) as server, ClientSession(connector=connector) as session:
        yield server, session
        assert connector.statistics().in_use == 0
        async with session.get(server.url()) as response:
            assert await response.text() == "ok"


async def raises_before(request: Request, handler: Handler) -> ClientResponse:
    raise Oops


async def raises_after(request: Request, handler: Handler) -> ClientResponse:
    response = await handler(request)
    raise Oops(response)


async def raises_after_two(request: Request, handler: Handler) -> ClientResponse:
    kept = [await handler(request), await handler(request)]
    raise Oops(kept)


async def raises_while_reading(request: Request, handler: Handler) -> ClientResponse:
    response = await handler(request)
    await response.content.readany()
    raise Oops(response)


async def is_cancelled(request: Request, handler: Handler) -> ClientResponse:
    kept = await handler(request)
    raise asyncio.CancelledError(kept)


async def passes_on(request: Request, handler: Handler) -> ClientResponse:
    return await handler(request)


@pytest.mark.rows("MISC-10")
class TestRaising:
    @pytest.mark.parametrize(
        "middleware",
        [raises_before, raises_after, raises_after_two, raises_while_reading, is_cancelled],
    )
    @pytest.mark.parametrize("around", [[], [passes_on, passes_on]], ids=["alone", "within others"])
    @pytest.mark.parametrize("path", ["/", "/large"])
    async def test_the_connection_is_free_at_once(
        self, middleware: aioclient.Middleware, around: list[aioclient.Middleware], path: str
    ) -> None:
        """It is free while the exception, and with it the response, is still in somebody's hand."""
        async with pool_of_one() as (server, session):
            with pytest.raises((Oops, asyncio.CancelledError)) as caught:
                await session.get(server.url(path), middlewares=[*around, middleware])
            async with session.get(server.url()) as response:
                assert await response.text() == "ok"
            assert caught.value is not None

    async def test_it_can_be_tried_again_where_it_is_caught(self) -> None:
        """The next request of an except block gets the connection."""
        async with pool_of_one() as (server, session):
            try:
                await session.get(server.url("/large"), middlewares=[raises_after])
            except Oops:
                assert (await session.get(server.url())).status == 200


async def asks_meanwhile(request: Request, handler: Handler) -> ClientResponse:
    """Get the response, and ask for something else before anybody reads it."""
    response = await handler(request)
    async with request.session.get(request.url.with_path("/"), middlewares=()) as other:
        assert await other.text() == "ok"
    return response


@pytest.mark.rows("MISC-10")
class TestWaitingForOneself:
    """A middleware that holds what its own request waits for."""

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_the_pool_of_one(self) -> None:
        """The request gets the connection; the response that had it cannot be read any more, and says so."""
        async with pool_of_one() as (server, session):
            response = await session.get(server.url("/large"), middlewares=[asks_meanwhile])
            with pytest.raises(aioclient.ClientConnectionError, match="closed"):
                await response.read()

    async def test_several_levels(self) -> None:
        """The same for responses that are held at several levels, up to the limit."""
        held: list[ClientResponse] = []

        async def nested(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            if len(held) < 3:
                held.append(response)
                (await request.session.get(request.url)).release()
            return response

        async with RawServer(site) as server:
            connector = TCPConnector(limit=3)
            async with ClientSession(connector=connector, middlewares=[nested]) as session:
                (await session.get(server.url("/large"))).release()
                assert connector.statistics().in_use == 0
        assert len(held) == 3

    @pytest.mark.virtual_clock
    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_after_the_middlewares(self) -> None:
        """A request that the caller makes afterwards, while they hold a response, waits, and takes it from nobody."""
        async with pool_of_one() as (server, session):
            response = await session.get(server.url("/large"), middlewares=[passes_on])
            limits = aioclient.ClientTimeout(pool=10)
            with pytest.raises(aioclient.PoolTimeoutError):
                await session.get(server.url(), timeout=limits)
            assert await response.read() == LARGE

    @pytest.mark.parametrize("limit", [2, 100])
    async def test_where_there_is_room(self, limit: int) -> None:
        """With room for both, both are good."""
        async with (
            RawServer(site) as server,
            ClientSession(connector=TCPConnector(limit=limit)) as session,
        ):
            response = await session.get(server.url("/large"), middlewares=[asks_meanwhile])
            assert await response.read() == LARGE

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_where_others_hold_the_rest(self) -> None:
        """It gives up its own and does not wait for others, who may wait for it: what is given up hangs on no pool."""
        async with (
            RawServer(site) as server,
            ClientSession(connector=TCPConnector(limit=2)) as session,
        ):
            other = await session.get(server.url("/large"))
            response = await session.get(server.url("/large"), middlewares=[asks_meanwhile])
            with pytest.raises(aioclient.ClientConnectionError, match="closed"):
                await response.read()
            assert await other.read() == LARGE

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_an_idle_connection_keeps_no_request(self) -> None:
        """What a middleware saw is not kept by the timer of a connection that is idle again."""
        seen: list[ref[Request]] = []

        async def note(request: Request, handler: Handler) -> ClientResponse:
            seen.append(ref(request))
            return await handler(request)

        async with RawServer(site) as server, ClientSession(middlewares=[note]) as session:
            async with session.post(server.url(), data=LARGE) as response:
                assert await response.text() == "ok"
            del response
            # The event loop itself keeps the future that it has just woken us with.
            await asyncio.sleep(0)
            gc.collect()
            assert session.connector is not None
            assert session.connector.statistics().idle == 1
            assert seen[0]() is None

    async def test_another_pool(self) -> None:
        """What another connector's request waits for has nothing to do with it."""
        async with (
            RawServer(site) as server,
            ClientSession(connector=TCPConnector(limit=1)) as other,
            ClientSession(connector=TCPConnector(limit=1)) as session,
        ):

            async def ask_the_other(request: Request, handler: Handler) -> ClientResponse:
                response = await handler(request)
                (await other.get(request.url)).release()
                return response

            busy = await other.get(server.url("/large"))
            task = asyncio.ensure_future(
                session.get(server.url("/large"), middlewares=[ask_the_other])
            )
            for _ in range(100):
                await asyncio.sleep(0)
            assert await busy.read() == LARGE
            assert await (await task).read() == LARGE

    async def test_a_task_of_the_middlewares(self) -> None:
        """A task that a middleware started waits as everybody: meanwhile the response is read."""
        tasks: list[asyncio.Task[ClientResponse]] = []

        async def start(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            get = request.session.get(request.url.with_path("/"), middlewares=())
            tasks.append(asyncio.create_task(get))
            await asyncio.sleep(0)
            return response

        async with pool_of_one() as (server, session):
            response = await session.get(server.url("/large"), middlewares=[start])
            assert await response.read() == LARGE
            assert (await tasks[0]).status == 200


async def another(request: Request, handler: Handler) -> ClientResponse:
    """Get /large, drop it, and answer with something else."""
    dropped = await handler(request)
    dropped.release()
    response: ClientResponse = await request.session.get(request.url.with_path("/"), middlewares=())
    return response


def made_up() -> Callable[..., Any]:
    """Return a middleware that answers from its memory, without the server from the second time on."""
    memory: list[ClientResponse] = []

    async def remember(request: Request, handler: Handler) -> ClientResponse:
        if not memory:
            response = await handler(request)
            await response.read()
            memory.append(response)
        return memory[0]

    return remember


@pytest.mark.rows("MISC-10")
class TestCopies:
    """A middleware may send copies of its request, one after the other or at the same time."""

    async def test_two_at_a_time(self) -> None:
        """Each is a request of its own; neither response is given up for the other's sake."""

        async def race(request: Request, handler: Handler) -> ClientResponse:
            copies = [request.copy() for _ in range(3)]
            for number, each in enumerate(copies):
                each.headers["X-Number"] = str(number)
            responses = await asyncio.gather(*(handler(each) for each in copies))
            bodies = [await response.read() for response in responses]
            assert bodies == [LARGE] * 3
            return responses[0]

        async with RawServer(site) as server, ClientSession(middlewares=[race]) as session:
            response = await session.get(server.url("/large"))
            assert await response.read() == LARGE
            numbers = sorted(request.value("X-Number") or "" for request in server.requests)
            assert numbers == ["0", "1", "2"]

    async def test_what_was_answered_stays(self) -> None:
        """What a middleware makes of its request afterwards changes no response."""

        async def twice(request: Request, handler: Handler) -> ClientResponse:
            firsts.append(await handler(request))
            request.url, request.method = request.url.with_path("/other"), "POST"
            return await handler(request)

        firsts: list[ClientResponse] = []
        async with RawServer(site) as server, ClientSession(middlewares=[twice]) as session:
            second = await session.get(server.url("/first"))
            first = firsts[0]
            assert (first.method, first.url.path, second.method) == ("GET", "/first", "POST")
            assert second.url.path == second.real_url.path == "/other"
            assert first.host == "127.0.0.1"
            assert "/first" in repr(first)


@pytest.mark.rows("MISC-10")
class TestCallsOfTheirOwn:
    """A plain call that a middleware makes with its session is its own, and nobody else releases its response."""

    async def test_it_can_be_read_later(self) -> None:
        """What a middleware fetches for itself and reads after its end stays readable."""
        fetched: list[ClientResponse] = []

        async def fetch(request: Request, handler: Handler) -> ClientResponse:
            get = request.session.get(request.url.with_path("/large"), middlewares=())
            fetched.append(await get)
            return await handler(request)

        async with RawServer(site) as server, ClientSession(middlewares=[fetch]) as session:
            async with session.get(server.url()) as response:
                assert await response.text() == "ok"
            assert await fetched[0].read() == LARGE

    async def test_it_warns_when_it_is_dropped(self) -> None:
        """Who drops such a response is warned as anywhere else."""

        async def fetch(request: Request, handler: Handler) -> ClientResponse:
            await request.session.get(request.url.with_path("/large"), middlewares=())
            gc.collect()
            return await handler(request)

        async with RawServer(site) as server, ClientSession(middlewares=[fetch]) as session:
            with pytest.warns(ResourceWarning, match="unclosed response"):
                await session.get(server.url())

    async def test_copies_are_the_same_call(self) -> None:
        """What a handler returns for a copy of a copy is released at the end, as for the request itself."""

        async def twice(request: Request, handler: Handler) -> ClientResponse:
            dropped.append(await handler(copy(request.copy())))
            return old

        dropped: list[ClientResponse] = []
        async with pool_of_one() as (server, session):
            old = await session.get(server.url())
            assert await session.get(server.url("/large"), middlewares=[twice]) is old
            assert dropped[0].closed

    async def test_a_hop_is_a_call_of_its_own(self) -> None:
        """After a redirect the middlewares run anew, and what they drop of the next hop is released as well."""

        async def replace(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            if not request.history:
                return response
            dropped.append(response)
            return old

        async def redirecting(conn: RawConnection) -> None:
            while True:
                request = await conn.read_request()
                conn.send(moved("/large") if request.target == "/moved" else answer(LARGE))

        dropped: list[ClientResponse] = []
        async with (
            RawServer.replies([OK]) as first,
            RawServer(redirecting) as server,
            ClientSession() as session,
        ):
            old = await session.get(first.url())
            assert await session.get(server.url("/moved"), middlewares=[replace]) is old
            assert dropped[0].closed


class TestReturning:
    async def test_another_response(self) -> None:
        """A middleware may answer with the response to another request."""
        async with pool_of_one() as (server, session):
            response = await session.get(server.url("/large"), middlewares=[another])
            assert await response.text() == "ok"

    async def test_a_response_of_before(self) -> None:
        """A middleware may answer without the handler: nothing is sent."""
        memory = made_up()
        async with pool_of_one() as (server, session):
            for _ in range(3):
                response = await session.get(server.url(), middlewares=[memory])
                assert await response.text() == "ok"
            assert len(server.requests) == 1

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_the_last_of_two(self) -> None:
        """The response to the first attempt is released when the second one begins; the second one is good."""
        firsts: list[ClientResponse] = []

        async def twice(request: Request, handler: Handler) -> ClientResponse:
            firsts.append(await handler(request))
            return await handler(request)

        async with pool_of_one() as (server, session):
            response = await session.get(server.url("/large"), middlewares=[twice])
            assert await response.read() == LARGE
            with pytest.raises(aioclient.ClientConnectionError, match="closed"):
                await firsts[0].read()

    async def test_what_is_dropped_to_try_again(self) -> None:
        """Who tries again drops what came before, which is no mistake: nothing warns, and no connection is lost."""

        async def thrice(request: Request, handler: Handler) -> ClientResponse:
            for _ in range(3):
                response = await handler(request)
            return response

        async with RawServer(site) as server, ClientSession(middlewares=[thrice]) as session:
            response = await session.get(server.url("/large"))
            assert await response.read() == LARGE

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_the_first_of_two(self) -> None:
        """Whoever sends twice and returns the first response returns one that was given up; no connection is lost."""

        async def first(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            await handler(request)
            return response

        async with pool_of_one() as (server, session):
            response = await session.get(server.url("/large"), middlewares=[first])
            with pytest.raises(aioclient.ClientConnectionError, match="closed"):
                await response.read()

    async def test_one_that_it_has_read(self) -> None:
        """A first response that was read is as good as any."""

        async def first(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            await response.read()
            await handler(request)
            return response

        async with pool_of_one() as (server, session):
            response = await session.get(server.url("/large"), middlewares=[first])
            assert await response.read() == LARGE

    async def test_a_wrapper(self) -> None:
        """What is returned around a response leaves that response alone."""

        class Wrapper:
            def __init__(self, response: ClientResponse) -> None:
                self._response = response

            def __getattr__(self, name: str) -> Any:
                return getattr(self._response, name)

        class Opaque:
            status, headers = 200, {}

            def __init__(self, response: ClientResponse) -> None:
                self.inner = response

        async def wrap(request: Request, handler: Handler) -> Any:
            return Wrapper(await handler(request))

        async def hide(request: Request, handler: Handler) -> Any:
            return Opaque(await handler(request))

        async with pool_of_one() as (server, session):
            response = await session.get(server.url("/large"), middlewares=[wrap])
            assert await response.read() == LARGE
            opaque: Any = await session.get(server.url("/large"), middlewares=[hide])
            assert await opaque.inner.read() == LARGE

    async def test_a_dropped_one(self) -> None:
        """A large response that a middleware gets, forgets and replaces is released without a warning."""

        async def replace(request: Request, handler: Handler) -> ClientResponse:
            kept.append(await handler(request))
            return old

        kept: list[ClientResponse] = []
        async with pool_of_one() as (server, session):
            old = await session.get(server.url())
            assert await session.get(server.url("/large"), middlewares=[replace]) is old
            assert kept[0].closed


@pytest.mark.parametrize("step", [None, aioclient.Retry(), aioclient.CircuitBreaker()])
async def test_a_forgotten_return(step: Any) -> None:
    """A middleware that returns None is named, also inside of others, and the response that it had is let go."""

    async def forgetful(request: Request, handler: Handler) -> ClientResponse:
        await handler(request)
        nothing: Any = None
        return cast(ClientResponse, nothing)

    async def slow(conn: RawConnection, _: RawRequest) -> None:
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\nabc")
        await conn.closed()

    async with (
        RawServer.replies([slow]) as server,
        ClientSession(middlewares=[*([step] if step else []), forgetful]) as session,
    ):
        with pytest.raises(
            TypeError, match=r"middleware .*forgetful returned None, not a response"
        ):
            await session.get(server.url())
        await turns()
        assert session.connector is not None
        assert session.connector.statistics().in_use == 0
