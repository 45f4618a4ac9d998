"""Identical requests: which are, what they share, and who disturbs whom."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yarl

import aioclient
from aioclient import (
    ClientResponse,
    ClientSession,
    Coalesce,
    Coalesced,
    CoalesceStatistics,
    Request,
)
from aioclient.testing import RawConnection, RawRequest, turns

from ...loopback import OK, answer, open_jar
from ...servers.either import RawServer
from .parts import URL, End, after, call, calls, kinds


@pytest.mark.virtual_clock
class TestSharing:
    async def test_one_exchange(self) -> None:
        """Those who ask for the same at the same time get one answer; later ones another."""
        events: list[Coalesced] = []
        end, coalesce = End(after(1)), Coalesce(on_change=events.append)
        async with ClientSession(middlewares=[coalesce, end]) as session:
            assert kinds(await calls(session, 10)) == {"200": 10}
            assert len(end.times) == 1
            assert await call(session) == 200
        assert len(end.times) == 2
        assert events == [Coalesced("GET http://a.example/", 10)]
        assert coalesce.statistics() == CoalesceStatistics(11, 9, 0, 0)

    @pytest.mark.parametrize(
        ("one", "other", "sent"),
        [
            ({}, {}, 1),
            ({"method": "HEAD"}, {"method": "HEAD"}, 1),
            ({"method": "HEAD"}, {}, 2),
            ({"method": "POST"}, {"method": "POST"}, 2),
            ({"data": b"x"}, {"data": b"x"}, 2),
            ({"params": {"a": 1}}, {}, 2),
            ({"headers": {"Accept": "text/html"}}, {}, 2),
            ({"auth": ("a", "b")}, {}, 2),
            ({"auth": ("a", "b")}, {"auth": ("a", "b")}, 1),
            ({"auth": ("a", "b")}, {"auth": ("c", "d")}, 2),
            ({"cookies": {"a": "1"}}, {}, 2),
            ({"timeout": 5}, {}, 2),
            ({"headers": {"Range": "bytes=0-1"}}, {}, 2),
            ({"auto_decompress": False}, {}, 2),
            ({"coalesce": None}, {}, 2),
        ],
        ids=str,
    )
    async def test_what_is_identical(self, one: Any, other: Any, sent: int) -> None:
        """Method, URL, fields, credentials, cookies and timeouts; only GET and HEAD without a body."""
        end = End(after(1))
        async with ClientSession(middlewares=[Coalesce(), end]) as session:
            await asyncio.gather(call(session, **one), call(session, **other))
        assert len(end.times) == sent

    async def test_the_jar(self) -> None:
        """What the jar would send counts."""
        end, jar = End(after(1)), open_jar()
        async with ClientSession(middlewares=[Coalesce(), end], cookie_jar=jar) as session:
            first = asyncio.create_task(call(session))
            await asyncio.sleep(0.5)
            jar.update_cookies({"a": "1"}, yarl.URL(URL))
            await asyncio.gather(first, call(session))
        assert len(end.times) == 2

    async def test_errors(self) -> None:
        """All get the error, each one of its own."""
        lost = aioclient.ServerDisconnectedError("gone")
        async with ClientSession(middlewares=[Coalesce(), End(after(1, lost))]) as session:
            results = await calls(session, 3)
        assert kinds(results) == {"ServerDisconnectedError": 3}
        assert len({id(result) for result in results}) == 3

    async def test_an_error_that_cannot_be_copied(self) -> None:
        """All get it, although its class needs other arguments than it passes on."""

        class Refused(Exception):
            def __init__(self, code: int, text: str) -> None:
                super().__init__(f"{code} {text}")

        end = End(after(1, Refused(7, "busy")))
        async with ClientSession(middlewares=[Coalesce(), end]) as session:
            assert kinds(await calls(session, 3)) == {"Refused": 3}

    async def test_no_response(self) -> None:
        """All get the error of a middleware that returns something else."""

        async def wrong(request: Request, handler: Any) -> Any:
            await asyncio.sleep(1)
            return "hello"

        async with ClientSession(middlewares=[Coalesce(), wrong]) as session:
            assert kinds(await calls(session, 3)) == {"AttributeError": 3}

    async def test_a_class_that_raises(self) -> None:
        """All get what the session's class of responses raises when it is made for one of them."""
        made = 0

        class Once(ClientResponse):
            def __init__(self, *arguments: Any) -> None:
                nonlocal made
                made += 1
                if made > 2:
                    raise LookupError("no more")
                super().__init__(*arguments)

        steps = [Coalesce(), End(after(1))]
        async with ClientSession(middlewares=steps, response_class=Once) as session:
            assert kinds(await calls(session, 3)) == {"200": 1, "LookupError": 2}

    async def test_debug_mode(self) -> None:
        """It shares, although it is known where each call was made."""
        asyncio.get_running_loop().set_debug(True)
        end = End(after(1))
        async with ClientSession(middlewares=[Coalesce(), end]) as session:
            assert await calls(session, 3) == [200] * 3
        assert len(end.times) == 1

    @pytest.mark.parametrize("who", [0, 1, 2])
    async def test_one_who_leaves(self, who: int) -> None:
        """One who is cancelled hurts no other, the first one neither."""
        end = End(after(2))
        async with ClientSession(middlewares=[Coalesce(), end]) as session:
            tasks = [asyncio.create_task(call(session)) for _ in range(3)]
            await asyncio.sleep(1)
            tasks[who].cancel()
            await asyncio.wait(tasks)
        assert len(end.times) == 1
        assert tasks[who].cancelled()
        assert [task.result() for task in tasks if not task.cancelled()] == [200, 200]

    @pytest.mark.parametrize("late", range(6))
    async def test_leaving_as_it_answers(self, late: int) -> None:
        """A response that comes in the moment in which its only caller leaves is closed."""
        made: list[ClientResponse] = []
        answered = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"a"
            await asyncio.sleep(1000)

        async def end(request: Request, handler: Any) -> ClientResponse:
            await answered.wait()
            made.append(ClientResponse.from_parts(request, 200, {}, body()))
            return made[0]

        async with ClientSession(middlewares=[Coalesce(), end]) as session:
            task = asyncio.create_task(session.get(URL))
            await asyncio.sleep(1)
            answered.set()
            for _ in range(late):
                await asyncio.sleep(0)
            if not task.done():
                task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result().close()
            await turns()
            assert [each.closed for each in made] == [True] * len(made)

    async def test_all_leave(self) -> None:
        """The exchange ends when nobody waits for it any more."""
        end, coalesce = End(after(60)), Coalesce()
        async with ClientSession(middlewares=[coalesce, end]) as session:
            tasks = [asyncio.create_task(call(session)) for _ in range(3)]
            await asyncio.sleep(1)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await asyncio.sleep(0)
            assert end.under_way == 0
        assert coalesce.statistics().under_way == 0

    async def test_the_time_of_each(self) -> None:
        """Each has its own deadline; when the first one's is over, the others go on."""
        limit = aioclient.ClientTimeout(total=5)
        end = End(after(7))
        async with ClientSession(middlewares=[Coalesce(), end], timeout=limit) as session:
            first = asyncio.create_task(call(session))
            await asyncio.sleep(3)
            results = await asyncio.gather(first, call(session), call(session))
        assert [type(result).__name__ for result in results] == ["TotalTimeoutError", "int", "int"]
        assert len(end.times) == 1

    @pytest.mark.both_protocols
    async def test_the_time_of_the_first(self) -> None:
        """When the exchange ends since the first one's time is over, the others share another one."""

        async def silent(conn: RawConnection, request: RawRequest) -> None:
            await conn.wait_lost()

        async with (
            RawServer.replies([silent, OK]) as server,
            ClientSession(middlewares=[Coalesce()], timeout=5) as session,
        ):
            first = asyncio.create_task(call(session, server.url()))
            await asyncio.sleep(3)
            others = (call(session, server.url()) for _ in range(2))
            results = await asyncio.gather(first, *others)
        assert isinstance(results[0], aioclient.TotalTimeoutError)
        assert results[1:] == [200, 200]
        assert len(server.requests) == 2

    async def test_a_listener_inside(self) -> None:
        """Attempts of a Retry inside are told to all."""
        retry = aioclient.Retry(backoff=0)
        steps = [Coalesce(), retry, End(after(1, 503), 200)]
        async with ClientSession(middlewares=steps) as session:
            responses = await asyncio.gather(*(session.get(URL) for _ in range(2)))
        for response in responses:
            assert [attempt.status for attempt in response.attempts] == [503, 200]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"max_body": -1}, ValueError), ({"max_body": 1.5}, TypeError), ({"on_change": 3}, TypeError)],
)
def test_nonsense_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    """An argument that makes no sense raises at construction, and its name is in the text."""
    with pytest.raises(error, match=next(iter(arguments))):
        Coalesce(**arguments)


async def texts(session: ClientSession, url: str, count: int = 3) -> list[bytes]:
    async def one() -> bytes:
        async with session.get(url) as response:
            return await response.read()

    return list(await asyncio.gather(*(one() for _ in range(count))))


@pytest.mark.both_loops
class TestBodies:
    @pytest.mark.both_protocols
    @pytest.mark.parametrize("size", [0, 2, 100_000, 400_000])
    async def test_each_gets_all_of_it(self, size: int) -> None:
        """A body that may be shared is read once and given to each."""
        body = bytes(range(250)) * (size // 250)
        async with (
            RawServer.replies([answer(body)]) as server,
            ClientSession(middlewares=[Coalesce()]) as session,
        ):
            assert await texts(session, server.url()) == [body] * 3
        assert len(server.requests) == 1

    @pytest.mark.both_protocols
    async def test_a_coded_one(self) -> None:
        """Its coding is undone for each."""
        body = gzip.compress(b"hello" * 100)
        async with (
            RawServer.replies([answer(body, "Content-Encoding: gzip")]) as server,
            ClientSession(middlewares=[Coalesce()]) as session,
        ):
            assert await texts(session, server.url()) == [b"hello" * 100] * 3

    @pytest.mark.both_protocols
    async def test_a_large_one(self) -> None:
        """Of a body that is too large the first gets the stream, the others ask by themselves."""
        body = bytes(range(250)) * 8_000
        coalesce = Coalesce(max_body=1000)
        async with (
            RawServer.replies([answer(body)] * 3) as server,
            ClientSession(middlewares=[coalesce]) as session,
        ):
            assert await texts(session, server.url()) == [body] * 3
        assert len(server.requests) == 3
        assert coalesce.statistics().alone == 2

    @pytest.mark.both_protocols
    async def test_a_large_one_that_nobody_reads(self) -> None:
        """The stream's connection is released with the response."""
        async with (
            RawServer.replies([answer(bytes(2_000_000))] * 2) as server,
            ClientSession(middlewares=[Coalesce(max_body=1000)]) as session,
        ):

            async def status() -> int:
                async with session.get(server.url()) as response:
                    return response.status

            assert await asyncio.gather(status(), status()) == [200, 200]

    @pytest.mark.both_protocols
    async def test_one_alone(self) -> None:
        """Who shares with nobody gets the response as it is, its body still coming."""
        body = bytes(3_000_000)
        async with (
            RawServer.replies([answer(body)]) as server,
            ClientSession(middlewares=[Coalesce()]) as session,
            session.get(server.url()) as response,
        ):
            assert response.connection is not None
            assert await response.read() == body

    @pytest.mark.both_protocols
    async def test_one_that_is_cut_off(self) -> None:
        """All get the error of a body that ends early."""

        async def cut(conn: RawConnection, request: RawRequest) -> None:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
            conn.transport.close()
            await conn.wait_lost()

        async with (
            RawServer.replies([cut]) as server,
            ClientSession(middlewares=[Coalesce()]) as session,
        ):
            results = await asyncio.gather(
                *(session.get(server.url()) for _ in range(2)), return_exceptions=True
            )
        assert [type(result).__name__ for result in results] == ["IncompleteBodyError"] * 2

    async def test_one_that_was_decoded(self) -> None:
        """A body that a middleware gives decoded, in spite of its fields, is not decoded again."""

        async def end(request: Request, handler: Any) -> ClientResponse:
            await asyncio.sleep(0)
            fields = {"Content-Encoding": "gzip"}
            return ClientResponse.from_parts(request, 200, fields, b"plain", decoded=True)

        async with ClientSession(middlewares=[Coalesce(), end]) as session:
            responses = await asyncio.gather(*(session.get(URL) for _ in range(2)))
            assert [await response.text() for response in responses] == ["plain"] * 2

    async def test_one_made_by_a_middleware(self) -> None:
        """A body from an iterator is shared, too."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        async def made(request: Request, handler: Any) -> ClientResponse:
            await asyncio.sleep(0)
            return ClientResponse.from_parts(request, 200, None, pieces())

        async with ClientSession(middlewares=[Coalesce(), made]) as session:
            assert await texts(session, URL) == [b"ab"] * 3

    @pytest.mark.both_protocols
    async def test_a_redirect(self) -> None:
        """Each hop is a request of its own."""
        replies = [answer(b"", "Location: /next", status="302 Found"), OK]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(middlewares=[Coalesce()]) as session,
        ):
            assert await texts(session, server.url()) == [b"ok"] * 3
        assert len(server.requests) == 2

    @pytest.mark.both_protocols
    async def test_websockets(self) -> None:
        """A handshake is never shared."""
        async with (
            RawServer.replies([answer(status="403 No")] * 2) as server,
            ClientSession(middlewares=[Coalesce()]) as session,
        ):
            results = await asyncio.gather(
                *(session.ws_connect(server.url()) for _ in range(2)), return_exceptions=True
            )
        assert [type(result).__name__ for result in results] == ["HandshakeRefusedError"] * 2
        assert len(server.requests) == 2
