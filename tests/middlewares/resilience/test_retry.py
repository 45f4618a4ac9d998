"""Further attempts on real sockets: what is sent, what is handed over, what stays free."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import aioclient
from aioclient import (
    Attempt,
    ClientResponse,
    ClientSession,
    Handler,
    Request,
    Retried,
    Retry,
    RetryBudget,
    TCPConnector,
)
from aioclient.testing import RawConnection, RawRequest, no_waiting, refused_port, turns

from ...loopback import OK, answer, moved
from ...servers.app import serve_application
from ...servers.either import RawServer

pytestmark = pytest.mark.both_protocols

# It closes, so that the engine has no used connection, on which it would repeat a request by itself.
BUSY = answer(b"busy", "Connection: close", status="503 Busy")
LARGE = answer(bytes(5_000_000), status="503 Busy")


async def hang_up(conn: RawConnection, request: RawRequest) -> None:
    """Close without an answer."""
    conn.transport.abort()
    await conn.wait_lost()


async def no_answer(conn: RawConnection, request: RawRequest) -> None:
    """Say nothing."""
    await conn.wait_lost()


def statuses(response: ClientResponse) -> list[int | None]:
    return [attempt.status for attempt in response.attempts]


@pytest.mark.both_loops
class TestAttempts:
    async def test_until_it_works(self) -> None:
        """What failed is sent again, and the response tells of each attempt."""
        seen: list[Retried] = []
        retry = Retry(on_change=seen.append)
        with no_waiting():
            async with (
                RawServer.replies([BUSY, hang_up, OK]) as server,
                ClientSession(middlewares=[retry]) as session,
                session.get(server.url()) as response,
            ):
                assert await response.text() == "ok"
        first, second, third = response.attempts
        assert first.status == 503
        assert 0 <= first.waited < 0.1
        assert second.status is None
        assert "ServerDisconnectedError" in (second.error or "")
        assert (third.status, third.error, third.waited) == (200, None, 0.0)
        assert [(event.number, event.attempt) for event in seen] == [(1, first), (2, second)]
        assert retry.statistics() == aioclient.RetryStatistics(1, 2, 1, 0)

    async def test_the_last_response(self) -> None:
        """After the last attempt its response is returned as it is, and can be read."""
        with no_waiting():
            async with (
                RawServer.replies([BUSY] * 3) as server,
                ClientSession(middlewares=[Retry()]) as session,
                session.get(server.url()) as response,
            ):
                assert statuses(response) == [503, 503, 503]
                assert await response.text() == "busy"

    async def test_the_last_exception(self) -> None:
        """It is raised itself, with the attempts and one note."""
        with no_waiting():
            async with (
                RawServer.replies([BUSY, hang_up, hang_up]) as server,
                ClientSession(middlewares=[Retry()]) as session,
            ):
                with pytest.raises(aioclient.ServerDisconnectedError) as caught:
                    await session.get(server.url())
        error: Any = caught.value
        assert [attempt.status for attempt in error.attempts] == [503, None, None]
        (note,) = error.__notes__
        assert note.startswith("3 attempts: 1. status 503 after ")
        assert note.endswith("no further one: attempts=3")

    async def test_without_one(self) -> None:
        """A response without a Retry has one attempt, its own."""
        async with (
            RawServer.replies([OK]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            (attempt,) = response.attempts
        assert (attempt.status, attempt.error, attempt.waited) == (200, None, 0.0)
        made = ClientResponse.from_parts(response.request, 204)
        assert made.attempts == (Attempt(204),)

    async def test_what_nobody_repeats(self) -> None:
        """An error that would come again is raised at once, without a note."""
        retry = Retry()
        async with ClientSession(middlewares=[retry]) as session:

            async def broken(request: Request, handler: Handler) -> ClientResponse:
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError) as caught:
                await session.get("http://127.0.0.1/", middlewares=[retry, broken])
        assert not hasattr(caught.value, "__notes__")
        assert len(caught.value.attempts) == 1  # type: ignore[attr-defined]


@pytest.mark.both_loops
class TestConnections:
    @pytest.mark.parametrize("watched", [False, True], ids=["alone", "beside others"])
    async def test_a_pool_of_one(self, watched: bool) -> None:
        """A discarded response gives its connection back before the next attempt, however long its body."""

        async def passes_on(request: Request, handler: Handler) -> ClientResponse:
            return await handler(request)

        steps: list[Any] = [passes_on, Retry(), passes_on] if watched else [Retry()]
        connector = TCPConnector(limit=1)
        with no_waiting():
            async with (
                RawServer.replies([LARGE, LARGE, OK]) as server,
                ClientSession(connector=connector, middlewares=steps) as session,
                session.get(server.url()) as response,
            ):
                assert statuses(response) == [503, 503, 200]
                assert await response.text() == "ok"
        assert connector.statistics().in_use == 0

    async def test_a_body_that_ends_slowly(self) -> None:
        """What gives a discarded response its body has ended before the next attempt begins."""
        ended: list[bool] = []

        async def body() -> AsyncIterator[bytes]:
            try:
                yield b"busy"
                await asyncio.sleep(1000)
            finally:
                await turns(20)
                ended.append(True)

        async def end(request: Request, handler: Handler) -> ClientResponse:
            if ended:
                return ClientResponse.from_parts(request, 200)
            response = ClientResponse.from_parts(request, 503, {}, body())
            await response.content.read(1)
            return response

        async with ClientSession(middlewares=[Retry(2, backoff=0), end]) as session:
            response = await session.get("http://a.test/")
            assert (response.status, statuses(response)) == (200, [503, 200])

    async def test_a_failing_function(self) -> None:
        """What the inspecting function raises is raised, and the connection is free."""

        def inspect(response: ClientResponse) -> bool:
            raise ZeroDivisionError

        connector = TCPConnector(limit=1)
        async with (
            RawServer.replies([LARGE]) as server,
            ClientSession(connector=connector, middlewares=[Retry(inspect=inspect)]) as session,
        ):
            with pytest.raises(ZeroDivisionError):
                await session.get(server.url())
            assert connector.statistics().in_use == 0

    async def test_cancelled(self) -> None:
        """A cancelled call makes no further attempt."""
        connector = TCPConnector(limit=1)
        async with (
            RawServer.replies([no_answer]) as server,
            ClientSession(connector=connector, middlewares=[Retry()]) as session,
        ):
            task = asyncio.create_task(session._request("GET", server.url()))
            while not server.requests:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert connector.statistics().in_use == 0
            assert len(server.requests) == 1


@pytest.mark.both_loops
class TestBodies:
    @pytest.mark.parametrize(
        "data",
        [bytes, bytes.decode, io.BytesIO],
        ids=["bytes", "str", "file"],
    )
    async def test_sent_again(self, data: Any) -> None:
        """A body that can be sent again is sent whole with each attempt."""
        with no_waiting():
            async with (
                RawServer.replies([BUSY, OK]) as server,
                ClientSession(middlewares=[Retry()]) as session,
            ):
                await session.put(server.url(), data=data(b"abc"))
        assert [request.body for request in server.requests] == [b"abc", b"abc"]

    async def test_not_sent_again(self) -> None:
        """A generator cannot be sent again: the response is handed over."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"abc"

        async with (
            RawServer.replies([BUSY]) as server,
            ClientSession(middlewares=[Retry()]) as session,
            session.put(server.url(), data=pieces()) as response,
        ):
            assert statuses(response) == [503]

    async def test_a_generator_that_never_left(self) -> None:
        """It is sent, once, after attempts that had no connection."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"abc"

        with refused_port() as port:
            async with RawServer.replies([OK]) as server:

                async def elsewhere(request: Request, handler: Handler) -> ClientResponse:
                    nonlocal tried
                    tried += 1
                    url = request.url
                    request.url = url.with_port(port if tried == 1 else server.port)
                    return await handler(request)

                tried = 0
                with no_waiting():
                    async with ClientSession(middlewares=[Retry(), elsewhere]) as session:
                        await session.post(server.url(), data=pieces())
        assert [request.body for request in server.requests] == [b"abc"]


@pytest.mark.both_loops
class TestKeys:
    async def test_a_post(self) -> None:
        """A POST is not repeated after it left; the error says what would make it repeatable."""
        async with (
            RawServer.replies([hang_up]) as server,
            ClientSession(middlewares=[Retry()]) as session,
        ):
            with pytest.raises(aioclient.ServerDisconnectedError) as caught:
                await session.post(server.url(), data=b"x")
        assert "idempotency_key=True" in caught.value.__notes__[0]

    async def test_one_for_each_call(self) -> None:
        """All attempts of a call have the same key, its hops too; another call has another."""
        with no_waiting():
            async with (
                RawServer.replies([BUSY, moved("/next", status=307), hang_up, OK, OK]) as server,
                ClientSession(middlewares=[Retry(idempotency_key=True)]) as session,
            ):
                await session.post(server.url(), data=b"x")
                await session.post(server.url(), data=b"x")
        keys = [request.value("Idempotency-Key") for request in server.requests]
        assert None not in keys
        assert len(set(keys[:4])) == 1
        assert keys[4] != keys[0]

    async def test_the_users_own(self) -> None:
        """A key that the call gives stays, and makes a POST repeatable; a GET gets none."""
        with no_waiting():
            async with (
                RawServer.replies([BUSY, OK, OK]) as server,
                ClientSession(middlewares=[Retry(idempotency_key=lambda: "mine")]) as session,
            ):
                await session.post(server.url(), headers={"Idempotency-Key": "k"})
                await session.get(server.url())
        keys = [request.value("Idempotency-Key") for request in server.requests]
        assert keys == ["k", "k", None]

    async def test_a_function(self) -> None:
        """A function makes them."""
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(middlewares=[Retry(idempotency_key=lambda: "mine")]) as session,
        ):
            await session.post(server.url())
        assert server.requests[0].value("Idempotency-Key") == "mine"


@pytest.mark.virtual_clock
class TestTime:
    async def test_the_wait_of_a_retry_inside(self) -> None:
        """It is not part of an attempt's limit, as no wait of a middleware is."""
        answers = [BUSY, OK]

        async with (
            RawServer.replies(answers) as server,
            ClientSession(
                middlewares=[Retry(1, timeout=3), Retry(2, backoff=20, jitter="none")]
            ) as session,
            session.get(server.url()) as response,
        ):
            assert response.status == 200

    async def test_retry_after(self) -> None:
        """It waits for as long as the server asks, by seconds or by date, and no longer than the cap."""
        loop = asyncio.get_running_loop()
        date = "Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun, 06 Nov 1994 08:49:57 GMT"
        replies = [
            answer(b"", "Retry-After: 7", status="429 Slow"),
            answer(b"", *date, status="503 Busy"),
            answer(b"", "Retry-After: 61", status="503 Busy"),
        ]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(middlewares=[Retry(5)]) as session,
        ):
            began = loop.time()
            async with session.get(server.url()) as response:
                assert [attempt.waited for attempt in response.attempts] == [7.0, 20.0, 0.0]
            assert loop.time() - began == pytest.approx(27.0)

    async def test_the_deadline(self) -> None:
        """No attempt begins after the deadline: the response is handed over while there is time to read it."""
        async with (
            RawServer.replies([answer(b"later", "Retry-After: 7", status="503 Busy")]) as server,
            ClientSession(middlewares=[Retry()]) as session,
        ):
            began = asyncio.get_running_loop().time()
            async with session.get(server.url(), timeout=5) as response:
                assert await response.text() == "later"
            assert asyncio.get_running_loop().time() == began

    async def test_the_limit_of_an_attempt(self) -> None:
        """A silent server costs the attempt's limit, and then it is tried again."""
        async with (
            RawServer.replies([no_answer, no_answer, OK]) as server,
            ClientSession(middlewares=[Retry(timeout=2)]) as session,
            session.get(server.url()) as response,
        ):
            first, second, _ = response.attempts
            assert first.took == pytest.approx(2)
            assert "AttemptTimeoutError" in str(second.error)
            assert "within Retry(timeout=2)" in str(second.error)

    async def test_the_limit_of_the_call(self) -> None:
        """The call's deadline ends an attempt whose own limit is longer, and is not tried again."""
        async with (
            RawServer.replies([no_answer]) as server,
            ClientSession(middlewares=[Retry(timeout=20)]) as session,
        ):
            with pytest.raises(aioclient.TotalTimeoutError):
                await session.get(server.url(), timeout=5)
        assert len(server.requests) == 1

    async def test_a_body_that_drips(self) -> None:
        """With read_body the body is part of the attempt, its time too."""

        async def half(conn: RawConnection, request: RawRequest) -> None:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
            await conn.wait_lost()

        async def cut(conn: RawConnection, request: RawRequest) -> None:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
            conn.transport.close()
            await conn.wait_lost()

        async with (
            RawServer.replies([half, cut, OK]) as server,
            ClientSession(middlewares=[Retry(read_body=True, timeout=3)]) as session,
            session.get(server.url()) as response,
        ):
            assert await response.text() == "ok"
            first, second, _ = response.attempts
            assert "AttemptTimeoutError" in str(first.error)
            assert "IncompleteBodyError" in str(second.error)


@pytest.mark.both_loops
class TestMore:
    async def test_a_long_body(self) -> None:
        """A body of more than 1 MiB is handed over while it comes, whole."""
        body = bytes(range(256)) * 8192
        async with (
            RawServer.replies([answer(body)]) as server,
            ClientSession(middlewares=[Retry(read_body=True)]) as session,
            session.get(server.url()) as response,
        ):
            assert await response.read() == body

    async def test_inspecting(self) -> None:
        """A function, or a coroutine function that reads the body, says which response will do."""

        async def says_wait(response: ClientResponse) -> bool | None:
            return True if await response.text() == "wait" else None

        with no_waiting():
            async with (
                RawServer.replies([answer(b"wait"), BUSY, OK]) as server,
                ClientSession(middlewares=[Retry(inspect=says_wait)]) as session,
                session.get(server.url()) as response,
            ):
                assert statuses(response) == [200, 503, 200]
                assert await response.text() == "ok"

    async def test_the_budget(self) -> None:
        """Without room in the budget nothing is repeated; one may be shared by sessions."""
        budget = RetryBudget(0, minimum=1)
        with no_waiting():
            async with (
                RawServer.replies([BUSY, OK, BUSY]) as server,
                ClientSession(middlewares=[Retry(budget=budget)]) as one,
                ClientSession(middlewares=[Retry(budget=budget)]) as other,
            ):
                async with one.get(server.url()) as response:
                    assert response.status == 200
                async with other.get(server.url()) as response:
                    assert statuses(response) == [503]
        assert budget.statistics().refused == 1

    async def test_log_lines(self, caplog: pytest.LogCaptureFixture) -> None:
        """Each attempt of a call that needed several is a line; others are silent."""
        caplog.set_level(logging.INFO, "aioclient")
        with no_waiting():
            async with (
                RawServer.replies([OK, BUSY, hang_up, OK]) as server,
                ClientSession(middlewares=[Retry()]) as session,
            ):
                await session.get(server.url("/quiet"))
                await session.get(server.url("/loud?token=t"))
        lines = [record.getMessage() for record in caplog.records]
        assert len(lines) == 3
        assert all("/loud?token=***: attempt " in line for line in lines)
        assert "status 503" in lines[0]

    async def test_tracing(self) -> None:
        """A trace config hears of each attempt, and once of the call."""
        heard: list[str] = []
        config = aiohttp.TraceConfig()

        def note(name: str) -> Any:
            async def hear(*_: object) -> None:
                heard.append(name)

            return hear

        config.on_request_start.append(note("start"))
        config.on_request_headers_sent.append(note("sent"))
        config.on_request_end.append(note("end"))
        with no_waiting():
            async with (
                RawServer.replies([BUSY, OK]) as server,
                ClientSession(middlewares=[Retry()], trace_configs=[config]) as session,
            ):
                await session.get(server.url())
        assert heard == ["start", "sent", "sent", "end"]

    async def test_a_failing_listener(self) -> None:
        """What a listener raises goes to the event loop's handler; the call goes on."""
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, about: told.append(about))

        def raises(event: Retried) -> None:
            raise ZeroDivisionError

        with no_waiting():
            async with (
                RawServer.replies([BUSY, OK]) as server,
                ClientSession(middlewares=[Retry(on_change=raises)]) as session,
            ):
                assert (await session.get(server.url())).status == 200
        assert "ZeroDivisionError" in told[0]["message"]

    async def test_a_websocket(self) -> None:
        """The handshake is tried again; a connection that was open and ended is not."""
        with no_waiting():
            async with (
                RawServer.replies([BUSY, BUSY, BUSY]) as server,
                ClientSession(middlewares=[Retry()]) as session,
            ):
                with pytest.raises(aioclient.WSServerHandshakeError) as caught:
                    await session.ws_connect(server.url())
        assert caught.value.status == 503
        assert len(server.requests) == 3
        opened = 0

        async def hello(request: web.Request) -> web.WebSocketResponse:
            nonlocal opened
            opened += 1
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str("hello")
            await socket.close(code=1011)
            return socket

        application = web.Application()
        application.router.add_get("/", hello)
        async with (
            serve_application(application) as origin,
            ClientSession(middlewares=[Retry(read_body=True)]) as session,
            session.ws_connect(origin, timeout=aioclient.ClientWSTimeout(ws_close=5)) as socket,
        ):
            assert await socket.receive_str() == "hello"
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert opened == 1


class TestOfACall:
    async def count(self, steps: Any, **arguments: Any) -> int:
        """Return how many attempts a server that is always busy sees."""
        with no_waiting():
            async with (
                RawServer.replies([BUSY], repeat=True) as server,
                ClientSession(middlewares=steps) as session,
            ):
                await session.get(server.url(), **arguments)
        return len(server.requests)

    async def test_it_replaces_the_sessions(self) -> None:
        """retry= takes the place of the session's, None leaves it out, nothing keeps it."""
        assert await self.count([Retry(2)]) == 2
        assert await self.count([Retry(2)], retry=Retry(4)) == 4
        assert await self.count([Retry(2)], retry=None) == 1

    async def test_it_needs_none(self) -> None:
        """On a session without one it is the innermost; None has nothing to leave out."""
        order: list[str] = []

        async def outer(request: Request, handler: Handler) -> ClientResponse:
            order.append("outer")
            return await handler(request)

        assert await self.count([outer], retry=Retry(4)) == 4
        assert order == ["outer"]
        assert await self.count([], retry=None) == 1

    async def test_its_place(self) -> None:
        """It stands where the session's stands."""
        order: list[str] = []

        async def inner(request: Request, handler: Handler) -> ClientResponse:
            order.append("inner")
            return await handler(request)

        assert await self.count([Retry(2), inner], retry=Retry(3)) == 3
        assert order == ["inner"] * 3

    async def test_beside_middlewares(self) -> None:
        """It changes what middlewares= of the same call says."""
        assert await self.count([Retry(2)], middlewares=[], retry=Retry(3)) == 3

    async def test_what_is_none(self) -> None:
        """Anything else raises before something is sent, and says what would do."""
        with pytest.raises(TypeError, match=r"retry must be None.*Retry\(attempts=5\).*found int"):
            await self.count([], retry=5)
        with pytest.raises(TypeError, match=r"did you mean retry\?"):
            await self.count([], retri=None)
        with pytest.raises(TypeError, match=r"Retry\(attempts=5\); found the class Retry"):
            await self.count([], retry=Retry)
        with pytest.raises(TypeError, match="found the class Retry; make one of it"):
            ClientSession(middlewares=[Retry])  # type: ignore[list-item]
        with pytest.raises(TypeError, match=r"middlewares=\[Retry\(attempts=5\)\]"):
            ClientSession(retry=Retry())  # type: ignore[call-arg]

    async def test_of_a_websocket(self) -> None:
        """ws_connect() takes it too."""
        with no_waiting():
            async with (
                RawServer.replies([BUSY], repeat=True) as server,
                ClientSession(middlewares=[Retry()]) as session,
            ):
                with pytest.raises(aioclient.WSServerHandshakeError):
                    await session.ws_connect(server.url(), retry=None)
        assert len(server.requests) == 1
