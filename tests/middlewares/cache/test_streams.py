"""Bodies that are stored while they are read, calls that ask the same at the same time, and what runs behind them."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import TraceConfig

from aioclient import (
    Cache,
    ClientPayloadError,
    ClientSession,
    MemoryStore,
    Request,
    TCPConnector,
    TotalTimeoutError,
)
from aioclient.testing import RawConnection, turns

from ...servers.either import RawServer
from .origin import URL, Clock, Origin, answers, site

FRESH = "Cache-Control: max-age=100"
TAG = 'ETag: "1"'


class Pieces:
    """A body that comes in pieces, each when the test lets it."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self.pieces = pieces
        self.error = error
        self.gate = asyncio.Semaphore(0)
        self.taken = 0

    def let(self, count: int = 1) -> None:
        for _ in range(count):
            self.gate.release()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await self.gate.acquire()
            self.taken += 1
            yield piece
        if self.error is not None:
            raise self.error


async def entries(it: Any) -> int:
    statistics = await it.cache.statistics()
    return int(statistics.store.entries)


class TestStreams:
    async def test_streamed(self) -> None:
        """A body reaches its reader while it is stored, and is stored when it is whole."""
        body = Pieces(b"on", b"e")
        async with site((body, FRESH)) as it:
            async with it.session.get(URL) as response:
                body.let()
                assert await response.content.readany() == b"on"
                assert await entries(it) == 0
                body.let()
                assert await response.content.read() == b"e"
                await turns()
            assert await entries(it) == 1
            assert await it.text() == "one"
            assert it.origin.count == 1

    @pytest.mark.rows("CACHE-05")
    async def test_left_early(self) -> None:
        """What its reader left is not stored."""
        body = Pieces(b"on", b"e")
        async with site((body, FRESH), ("two", FRESH)) as it:
            async with it.session.get(URL) as response:
                body.let()
                await response.content.readany()
            assert await entries(it) == 0
            assert await it.text() == "two"

    @pytest.mark.rows("CACHE-05")
    async def test_broken(self) -> None:
        """What ended with an error is not stored."""
        body = Pieces(b"on", error=ClientPayloadError("cut"))
        async with site((body, FRESH), ("two", FRESH)) as it:
            body.let(2)
            with pytest.raises(ClientPayloadError):
                await it.get()
            assert await entries(it) == 0
            assert await it.text() == "two"

    async def test_too_large(self) -> None:
        """A body that is larger than an entry may be is read as ever, and not stored; no more of it is kept."""
        store = MemoryStore(100_000, max_entry=10)
        async with site(("x" * 11, FRESH), (Pieces(), FRESH), store=store) as it:
            assert len(await it.text()) == 11
            assert await entries(it) == 0
        body = Pieces(b"123456", b"123456")
        async with site((body, FRESH), ("two", FRESH), store=store) as it:
            body.let(2)
            assert len(await it.text()) == 12
            assert await entries(it) == 0
        async with site(("x" * 11, FRESH, "Content-Length: 11"), store=store) as it:
            response = await it.get()
            assert response.cache_status.detail == "too large"  # type: ignore[union-attr]

    @pytest.mark.both_protocols
    @pytest.mark.both_loops
    async def test_over_a_socket(self) -> None:
        """Five megabytes over a connection, chunked, cut and whole."""
        data = bytes(range(256)) * 20000

        async def serve(conn: RawConnection) -> None:
            while True:
                request = await conn.read_request()
                conn.send(
                    b"HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                for at in range(0, len(data), 65536):
                    piece = data[at : at + 65536]
                    conn.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                    if request.target == "/cut" and at > 100000:
                        return
                conn.send(b"0\r\n\r\n")

        cache = Cache()
        async with RawServer(serve) as server, ClientSession(middlewares=[cache]) as session:
            for path in ("/cut", "/cut"):
                with pytest.raises(ClientPayloadError):
                    async with session.get(server.url(path)) as response:
                        await response.read()
            for hit in (False, True):
                received = bytearray()
                async with session.get(server.url("/whole")) as response:
                    async for chunk in response.content.iter_chunked(50000):
                        received += chunk
                assert received == data
                assert response.cache_status is not None
                assert response.cache_status.hit is hit


class TestMemory:
    async def test_least_recently_used(self) -> None:
        """Above its bytes the store forgets what was used least recently."""
        store = MemoryStore(10 * (2048 + 1000), max_entry=1000)
        async with site(("x" * 1000, FRESH), store=store) as it:
            for number in range(8):
                await it.get(f"{URL}{number}")
            for number in range(8, 16):
                await it.get(f"{URL}0")
                await it.get(f"{URL}{number}")
            assert (await it.get(f"{URL}0")).cache_status.hit  # type: ignore[union-attr]
            assert not (await it.get(f"{URL}1")).cache_status.hit  # type: ignore[union-attr]
            statistics = (await it.cache.statistics()).store
            assert statistics is not None
            assert statistics.bytes <= store.max_bytes
            removed = await it.cache.delete(f"{URL}0")
            assert removed == 1
            urls = sorted([entry.uri async for entry in it.cache])
            assert f"{URL}0" not in urls
            assert await it.cache.clear() == len(urls)
            statistics = (await it.cache.statistics()).store
            assert statistics is not None
            assert (statistics.entries, statistics.bytes) == (0, 0)

    async def test_bodies_that_are_being_read(self, caplog: pytest.LogCaptureFixture) -> None:
        """Bodies that are being read take no more than the store may hold; beyond that they are read and not stored."""
        store = MemoryStore(100_000, max_entry=50_000)
        bodies = [Pieces(*[b"x" * 10_000] * 4) for _ in range(10)]
        with caplog.at_level(logging.WARNING, "aioclient"):
            async with site(*[(body, FRESH) for body in bodies], store=store) as it:
                responses = [await it.session.get(f"{URL}{number}") for number in range(10)]
                tasks = [asyncio.create_task(response.read()) for response in responses]
                for _ in range(3):
                    for body in bodies:
                        body.let()
                    await turns()
                    assert store._written <= 100_000
                await responses[0].release()
                for body in bodies:
                    body.let()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                assert [len(result) for result in results[1:]] == [40_000] * 9  # type: ignore[arg-type]
                assert store._written == 0
                assert await entries(it) == 2
                bodies[0].let(4)
                it.origin.answer = answers(("one", FRESH))
                await it.get()
                assert (await it.get()).cache_status.hit  # type: ignore[union-attr]
        (record,) = caplog.records
        assert "more than 100000 bytes of bodies are being read" in record.getMessage()


class TestFlights:
    async def test_one_flight(self) -> None:
        """Of many calls that ask the same one asks the server."""
        gate = asyncio.Event()

        async def slow(request: Request, number: int) -> Any:
            await gate.wait()
            return 200, [("Cache-Control", "max-age=100")], b"one"

        async with site(slow) as it:
            tasks = [asyncio.create_task(it.get()) for _ in range(20)]
            await turns()
            gate.set()
            responses = await asyncio.gather(*tasks)
            assert [await response.text() for response in responses] == ["one"] * 20
            assert it.origin.count == 1
            collapsed = [response.cache_status.collapsed for response in responses]  # type: ignore[union-attr]
            assert collapsed == [False] + [True] * 19

    async def test_others_do_not_wait(self) -> None:
        """Other languages, other logins and ranges are flights of their own."""
        gate = asyncio.Event()

        async def slow(request: Request, number: int) -> Any:
            await gate.wait()
            return 200, [("Cache-Control", "max-age=100"), ("Vary", "Accept-Language")], b"one"

        async with site(slow) as it:
            asked: list[dict[str, Any]] = [
                {"headers": {"Accept-Language": "de"}},
                {"headers": {"Accept-Language": "en"}},
                {"auth": ("a", "b")},
                {"headers": {"Range": "bytes=0-1"}},
                {"headers": {"Range": "bytes=1-2"}},
            ]
            tasks = [asyncio.create_task(it.get(**arguments)) for arguments in asked]
            await turns()
            assert it.origin.count == 5
            gate.set()
            await asyncio.gather(*tasks)

    async def test_known_variants_do_not_wait(self) -> None:
        """Requests for other variants than those stored are flights of their own; those for the same one share it."""
        gate = asyncio.Event()

        async def slow(request: Request, number: int) -> Any:
            if number > 1:
                await gate.wait()
            fields = [("Cache-Control", "max-age=100"), ("Vary", "X-A")]
            return 200, fields, request.headers["X-A"].encode()

        async with site(slow) as it:
            await it.get(headers={"X-A": "1"})
            tasks = [asyncio.create_task(it.text(headers={"X-A": text})) for text in "2323"]
            await turns()
            assert it.origin.count == 3
            gate.set()
            assert await asyncio.gather(*tasks) == ["2", "3", "2", "3"]
            assert it.origin.count == 3

    async def test_hand_over(self) -> None:
        """A leader that is cancelled hands over; one that waits and is cancelled disturbs nobody."""
        gates = [asyncio.Event() for _ in range(3)]

        async def slow(request: Request, number: int) -> Any:
            await gates[number - 1].wait()
            return 200, [("Cache-Control", "max-age=100")], b"%d" % number

        async with site(slow) as it:
            tasks = [asyncio.create_task(it.get()) for _ in range(4)]
            await turns()
            tasks[1].cancel()
            tasks[0].cancel()
            await turns()
            assert it.origin.count == 2
            gates[1].set()
            responses = await asyncio.gather(*tasks[2:])
            assert [await response.text() for response in responses] == ["2", "2"]
            assert it.origin.count == 2

    async def test_next_leader_cancelled_too(self) -> None:
        """Whoever is to lead, and is cancelled at that moment, hands over as well."""
        gate = asyncio.Event()

        async def slow(request: Request, number: int) -> Any:
            await gate.wait()
            return 200, [("Cache-Control", "max-age=100")], b"one"

        async with site(slow) as it:
            for moment in range(4):  # one of them is when it has been chosen, and does not know yet
                tasks = [asyncio.create_task(it.get()) for _ in range(3)]
                await turns()
                tasks[0].cancel()
                await turns(moment)
                tasks[1].cancel()
                await turns()
                gate.set()
                async with asyncio.timeout(20):
                    assert await (await tasks[2]).text() == "one"
                await it.cache.clear()
                gate.clear()

    async def test_not_stored(self) -> None:
        """If the response may not be stored, all that waited ask at once, and nobody waits the next time."""
        gates = [asyncio.Event(), asyncio.Event()]

        async def slow(request: Request, number: int) -> Any:
            await gates[number > 1].wait()
            return 200, [("Cache-Control", "no-store")], b"one"

        async with site(slow) as it:
            tasks = [asyncio.create_task(it.get()) for _ in range(5)]
            await turns()
            assert it.origin.count == 1
            gates[0].set()
            await turns()
            assert it.origin.count == 5
            tasks += [asyncio.create_task(it.get()) for _ in range(3)]
            await turns()
            assert it.origin.count == 8
            gates[1].set()
            await asyncio.gather(*tasks)

    async def test_leader_fails(self) -> None:
        """If the leader fails, each of the others has its own error."""
        gates = [asyncio.Event(), asyncio.Event()]

        async def slow(request: Request, number: int) -> Any:
            await gates[number > 1].wait()
            raise ClientPayloadError(str(number))

        async with site(slow) as it:
            tasks = [asyncio.create_task(it.get()) for _ in range(3)]
            await turns()
            gates[0].set()
            gates[1].set()
            errors = await asyncio.gather(*tasks, return_exceptions=True)
            assert sorted(map(str, errors)) == ["1", "2", "3"]

    async def test_unread_leader(self) -> None:
        """Nobody waits for a program that does not read: its body is read ahead while somebody waits."""
        body = Pieces(*[b"x" * 1000] * 10)
        async with site((body, FRESH), ("two", FRESH)) as it:
            response = await it.session.get(URL)
            body.let(10)
            await turns()
            assert body.taken <= 1
            assert await it.text() == "x" * 10000  # in the task that holds the first one unread
            assert it.origin.count == 1
            assert len(await response.read()) == 10000

    async def test_unread_leader_that_came_later(self) -> None:
        """Nor if they waited before the response came."""
        gate = asyncio.Event()
        body = Pieces(*[b"x" * 1000] * 10)

        async def slow(request: Request, number: int) -> Any:
            await gate.wait()
            return 200, [("Cache-Control", "max-age=100")], body

        async with site(slow) as it:
            leader = asyncio.create_task(it.session.get(URL).__aenter__())
            waiting = asyncio.create_task(it.text())
            await turns()
            gate.set()
            body.let(10)
            async with asyncio.timeout(20):
                assert await waiting == "x" * 10000
            assert len(await (await leader).read()) == 10000
            assert it.origin.count == 1

    async def test_deleted_meanwhile(self) -> None:
        """What is deleted while it is asked for is not stored, and no later call waits for it."""
        gates = [asyncio.Event(), asyncio.Event()]

        async def slow(request: Request, number: int) -> Any:
            await gates[number - 1].wait()
            return 200, [("Cache-Control", "max-age=100")], b"%d" % number

        async with site(slow) as it:
            early = asyncio.create_task(it.text())
            await turns()
            assert await it.cache.delete(URL) == 0
            late = asyncio.create_task(it.text())
            await turns()
            assert it.origin.count == 2
            gates[0].set()
            assert await early == "1"
            assert [entry async for entry in it.cache] == []
            gates[1].set()
            assert [await late, await it.text()] == ["2", "2"]

    async def test_stored_while_somebody_looks(self) -> None:
        """A call that looked just before a response was stored looks again, and does not ask the server, too."""
        gate = asyncio.Event()

        class Slow(MemoryStore):
            looked = 0

            async def find(self, key: Any) -> Any:
                found = await super().find(key)
                self.looked += 1
                if self.looked == 2:
                    await gate.wait()  # what it found is outdated by then
                return found

        body = Pieces(b"one")
        async with site((body, FRESH), ("two", FRESH), store=Slow()) as it:
            response = await it.session.get(URL)
            task = asyncio.create_task(it.get())
            await turns()
            body.let()
            assert await response.text() == "one"
            await turns()
            gate.set()
            second = await task
            assert await second.text() == "one"
            assert second.cache_status is not None
            assert second.cache_status.hit
            assert it.origin.count == 1

    async def test_left_with_others_waiting(self) -> None:
        """A leader that leaves its body hands over to one of those that wait."""
        body, gate = Pieces(b"on", b"e"), asyncio.Event()

        async def slow(request: Request, number: int) -> Any:
            await gate.wait()
            return 200, [("Cache-Control", "max-age=100")], b"two"

        async with site((body, FRESH), slow) as it:
            response = await it.session.get(URL)
            task = asyncio.create_task(it.text())
            await turns()
            others = [asyncio.create_task(it.text()) for _ in range(3)]
            await turns()
            await response.release()
            await turns()
            assert it.origin.count == 2
            gate.set()
            assert await asyncio.gather(task, *others) == ["two"] * 4
            assert it.origin.count == 2

    @pytest.mark.virtual_clock
    async def test_deadline(self) -> None:
        """Who waits keeps to its own total limit."""
        gate = asyncio.Event()

        async def slow(request: Request, number: int) -> Any:
            await gate.wait()
            return 200, [("Cache-Control", "max-age=100")], b"one"

        async with site(slow) as it:
            leader = asyncio.create_task(it.text())
            await turns()
            with pytest.raises(TotalTimeoutError):
                await it.get(timeout=5)
            gate.set()
            assert await leader == "one"

    @pytest.mark.virtual_clock
    async def test_deadline_before_a_connector(self) -> None:
        """So does who waits in a session that leaves limits to its connector."""

        async def serve(conn: RawConnection) -> None:
            await conn.read_request()
            await asyncio.Event().wait()

        async with RawServer(serve) as server, ClientSession(middlewares=[Cache()]) as session:

            async def get(total: float) -> None:
                async with session.get(server.url(), timeout=total) as response:
                    await response.read()

            leader = asyncio.create_task(get(1000))
            await turns()
            with pytest.raises(TotalTimeoutError):
                await get(5)
            assert not leader.done()
            leader.cancel()
            await asyncio.wait([leader])

    @pytest.mark.both_protocols
    @pytest.mark.both_loops
    async def test_over_sockets(self) -> None:
        """Fifty calls over connections: one request, for a body that comes in pieces too."""
        count = 0

        async def serve(conn: RawConnection) -> None:
            nonlocal count
            while True:
                await conn.read_request()
                count += 1
                conn.send(
                    b"HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\nContent-Length: 1000000\r\n\r\n"
                )
                for _ in range(10):
                    conn.send(b"x" * 100000)
                    await asyncio.sleep(0)

        async def get(session: ClientSession, url: Any) -> int:
            async with session.get(url) as response:
                return len(await response.read())

        async with RawServer(serve) as server, ClientSession(middlewares=[Cache()]) as session:
            sizes = await asyncio.gather(*[get(session, server.url()) for _ in range(50)])
            assert sizes == [1000000] * 50
            assert count == 1


class TestBehind:
    SAID = "Cache-Control: max-age=100, stale-while-revalidate=50"

    async def test_stale_while_revalidate(self) -> None:
        """RFC 5861, section 3: answered at once, validated behind, once at a time."""
        gate = asyncio.Event()

        async def slow(request: Request, number: int) -> Any:
            await gate.wait()
            return 304, [("Cache-Control", "max-age=100"), ("A", "2")], b""

        async with site(("one", self.SAID, TAG, "A: 1"), slow) as it:
            await it.get()
            it.clock.now += 120
            for _ in range(3):
                response = await it.get()
                assert response.headers["A"] == "1"
                assert response.cache_status.hit  # type: ignore[union-attr]
                assert response.cache_status.ttl == -20  # type: ignore[union-attr]
                await turns()
            assert it.origin.count == 2
            assert it.origin.seen[1][1]["If-None-Match"] == '"1"'
            gate.set()
            await turns()
            response = await it.get()
            assert response.headers["A"] == "2"
            assert response.cache_status.ttl == 100  # type: ignore[union-attr]
            assert it.origin.count == 2

    async def test_a_new_body(self) -> None:
        """What came behind is stored, read to its end or not at all."""
        async with site(("one", self.SAID), (Pieces(), self.SAID)) as it:
            await it.get()
            it.clock.now += 120
            body = Pieces(b"tw", b"o")
            it.origin.answer = answers((body, self.SAID))
            assert await it.text() == "one"
            await turns()
            body.let(2)
            await turns(20)
            assert await it.text() == "two"

    async def test_bounded(self) -> None:
        """No more of them run at a time than there may be."""
        gate = asyncio.Event()

        async def slow(request: Request, number: int) -> Any:
            if number > 5:
                await gate.wait()
            return 200, [("Cache-Control", "max-age=100, stale-while-revalidate=50")], b"one"

        async with site(slow, max_background=2) as it:
            for number in range(5):
                await it.get(f"{URL}{number}")
            it.clock.now += 120
            for number in range(5):
                await it.get(f"{URL}{number}")
            await turns()
            assert it.origin.count == 7
            gate.set()
            await turns()

    async def test_ended_by_close(self) -> None:
        """The end of the session ends them."""
        cancelled = False

        async def slow(request: Request, number: int) -> Any:
            nonlocal cancelled
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled = True
                raise

        async with site(("one", self.SAID), slow) as it:
            await it.get()
            it.clock.now += 120
            await it.get()
            await turns()
        assert cancelled

    async def test_end_of_another_session(self) -> None:
        """The end of one session does not end the revalidations of another one."""
        gate = asyncio.Event()

        async def slow(request: Request, number: int) -> Any:
            await gate.wait()
            return 200, [("Cache-Control", self.SAID.partition(": ")[2])], b"two"

        async with site(("one", self.SAID), slow) as it:
            await it.get()
            it.clock.now += 120
            await it.get()
            other = ClientSession(
                connector=it.origin, connector_owner=False, middlewares=[it.cache]
            )
            async with other.get("http://b.example/", cache_mode="only-if-cached") as response:
                assert response.status == 504
            await other.close()
            gate.set()
            await turns()
            assert await it.text() == "two"
            assert it.origin.count == 2

    async def test_fails(self, caplog: pytest.LogCaptureFixture) -> None:
        """What goes wrong behind a call is not the call's, and is tried again by the next one."""

        def fail(request: Request, number: int) -> Any:
            raise ClientPayloadError("down")

        async with site(("one", self.SAID), fail) as it:
            await it.get()
            it.clock.now += 120
            for _ in range(2):
                assert await it.text() == "one"
                await turns()
            assert it.origin.count == 3

    @pytest.mark.both_loops
    async def test_an_error_behind(self) -> None:
        """An error in whose place the stored response stays is given up: its connection is free again."""
        count = 0

        async def serve(conn: RawConnection) -> None:
            nonlocal count
            while True:
                await conn.read_request()
                count += 1
                if count == 1:
                    said = b"max-age=100, stale-while-revalidate=900, stale-if-error=900"
                    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nCache-Control: %b\r\n\r\none"
                    conn.send(head % said)
                else:
                    conn.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000))

        clock, connector = Clock(), TCPConnector(limit=1)
        cache = Cache(clock=clock)
        async with (
            RawServer(serve) as server,
            ClientSession(connector=connector, middlewares=[cache]) as session,
        ):
            for _ in range(3):
                async with session.get(server.url()) as response:
                    assert await response.text() == "one"
                clock.now += 200
                async with asyncio.timeout(20):
                    while cache._work.behind or connector.statistics().in_use:
                        await asyncio.sleep(0)
            assert count == 3

    async def test_traced(self) -> None:
        """A trace sees it as a call of its own."""
        seen: list[str] = []
        config = TraceConfig()

        async def start(session: Any, context: Any, params: Any) -> None:
            seen.append("start")

        async def end(session: Any, context: Any, params: Any) -> None:
            seen.append(f"end {params.response.status} {params.response.cache_status.reason}")

        config.on_request_start.append(start)
        config.on_request_end.append(end)
        replies = [("one", self.SAID, TAG), (304, "", self.SAID)]
        async with site(*replies, session={"trace_configs": [config]}) as it:
            await it.get()
            it.clock.now += 120
            await it.get()
            await turns()
        assert seen == [
            "start",
            "end 200 uri-miss",
            "start",
            "end 200 None",
            "start",
            "end 200 stale",
        ]

    async def test_a_failure_is_traced(self) -> None:
        """A trace sees the exception that nobody else gets."""
        seen: list[str] = []
        config = TraceConfig()

        async def failed(session: Any, context: Any, params: Any) -> None:
            seen.append(f"{params.method} {params.exception!r}")

        def fail(request: Request, number: int) -> Any:
            raise ClientPayloadError("down")

        config.on_request_exception.append(failed)
        async with site(("one", self.SAID), fail, session={"trace_configs": [config]}) as it:
            await it.get()
            it.clock.now += 120
            assert await it.text() == "one"
            await turns()
        assert seen == ["GET ClientPayloadError('down')"]

    @pytest.mark.virtual_clock
    async def test_time(self) -> None:
        """It has the whole time of a call, and no more."""
        times: list[float] = []

        async def slow(request: Request, number: int) -> Any:
            loop = asyncio.get_running_loop()
            assert request.deadline is not None
            times.append(request.deadline - loop.time())
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                times.append(loop.time())
                raise

        async with site(("one", self.SAID), slow) as it:
            await it.get()
            it.clock.now += 120
            begin = asyncio.get_running_loop().time()
            await it.get(timeout=30)
            await asyncio.sleep(60)
            assert times == [30, begin + 30]


class Store(MemoryStore):
    """A store that tells when it is closed, and can be gone."""

    closed = 0
    gone = False

    async def close(self) -> None:
        self.closed += 1

    async def find(self, key: Any) -> Any:
        if self.gone:
            raise OSError("the store is gone")
        return await super().find(key)

    def begin(self, entry: Any, replaced: Any) -> Any:
        if self.gone:
            raise OSError("the store is gone")
        return super().begin(entry, replaced)


class TestSessions:
    async def test_two_sessions(self) -> None:
        """Two sessions share a cache, and the last one closes its store."""
        store = Store()
        cache = Cache(store)
        origin = Origin(answers(("one", FRESH)))
        first = ClientSession(connector=origin, middlewares=[cache])
        second = ClientSession(connector=origin, middlewares=[Cache(store), cache])
        async with first.get(URL) as response:
            await response.read()
        async with second.get(URL) as response:
            assert response.cache_status is not None
            assert response.cache_status.hit
        await first.close()
        assert store.closed == 0
        await second.close()
        assert store.closed == 1
        await second.close()
        assert store.closed == 1

    async def test_per_call(self) -> None:
        """A cache that is given to a call is the user's to close."""
        store = Store()
        cache = Cache(store)
        origin = Origin(answers(("one", FRESH)))
        async with (
            ClientSession(connector=origin) as session,
            session.get(URL, cache=cache) as response,
        ):
            await response.read()
        assert store.closed == 0
        await cache.close()
        assert store.closed == 1

    def test_two_loops(self) -> None:
        """One cache serves two event loops, at the same time too."""
        from threading import Thread

        cache = Cache()
        counts: list[int] = []

        async def use() -> None:
            async with site(("one", FRESH), cache=cache) as it:
                for number in range(300):
                    assert await it.text(f"{URL}{number % 30}") == "one"
                await asyncio.gather(*[it.get(f"{URL}{n}") for n in range(100, 120)])
                counts.append(it.origin.count)

        threads = [Thread(target=asyncio.run, args=(use(),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(counts) == 2
        assert 50 <= sum(counts) <= 100

    async def test_a_store_that_is_gone(self, caplog: pytest.LogCaptureFixture) -> None:
        """It costs a log line, and no request."""
        store = Store()
        with caplog.at_level(logging.WARNING, "aioclient"):
            async with site(("one", FRESH), store=store) as it:
                store.gone = True
                for _ in range(3):
                    assert await it.text() == "one"
                assert it.origin.count == 3
                assert [record.getMessage() for record in caplog.records] == [
                    "Store failed, and requests go on without it: OSError('the store is gone')"
                ]
                store.gone = False
                await it.get()
                assert (await it.get()).cache_status.hit  # type: ignore[union-attr]
                statistics = await it.cache.statistics()
                assert statistics.errors == 6

    @pytest.mark.both_protocols
    async def test_nothing_is_left(self) -> None:
        """A response that nobody read holds nothing."""
        connector = TCPConnector(limit=1)

        async def serve(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                conn.send(
                    b"HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\nContent-Length: 1000000\r\n\r\n"
                )
                conn.send(bytes(1000000))

        async with (
            RawServer(serve) as server,
            ClientSession(connector=connector, middlewares=[Cache()]) as session,
        ):
            for _ in range(3):
                response = await session.get(server.url())
                await response.release()
                del response
                gc.collect()
            async with session.get(server.url()) as response:
                assert len(await response.read()) == 1000000
            assert connector.statistics().in_use == 0


async def test_statistics() -> None:
    """What it has done is counted."""
    async with site(("one", FRESH, TAG), (304, "", FRESH)) as it:
        await it.get()
        await it.get()
        it.clock.now += 100
        await it.get()
        statistics = await it.cache.statistics()
        assert (statistics.hits, statistics.misses, statistics.revalidated, statistics.stored) == (
            1,
            1,
            1,
            1,
        )
        assert repr(it.cache).startswith("<Cache(<MemoryStore 1 entries")
        assert isinstance(it.clock, Clock)
