"""Stores that raise, hang or lie, clocks that are set, calls that end at a bad moment."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aioclient import (
    FOREVER,
    Cache,
    ClientConnectionError,
    ClientPayloadError,
    ClientSession,
    MemoryStore,
    Request,
    TotalTimeoutError,
)
from aioclient.testing import turns

from .origin import URL, Origin, site

FRESH = "Cache-Control: max-age=100"
TAG = 'ETag: "1"'


class Pieces(MemoryStore):
    """A store whose bodies come in pieces; *read* may end early or fail."""

    error: Exception | None = None
    size = 2

    async def find(self, key: Any) -> Any:
        return [stored._replace(body=None) for stored in await super().find(key)]

    async def read(self, entry: Any) -> AsyncIterator[bytes]:
        async for body in super().read(entry):
            yield body[: self.size]
            if self.error is not None:
                raise self.error


class Writes(MemoryStore):
    """A store whose writers raise."""

    failing = frozenset({"write"})

    def begin(self, entry: Any, replaced: Any) -> Any:
        return _Writer(super().begin(entry, replaced), self.failing)


class _Writer:
    def __init__(self, writer: Any, failing: frozenset[str]) -> None:
        self.writer = writer
        self.failing = failing

    def __getattr__(self, name: str) -> Any:
        if name in self.failing:
            raise OSError(f"{name} fails")
        return getattr(self.writer, name)


class Hangs(MemoryStore):
    """A store that answers never when it is asked for what is stored."""

    hanging: frozenset[str] = frozenset()

    async def _hang(self, name: str) -> None:
        if name in self.hanging:
            await asyncio.Event().wait()

    async def find(self, key: Any) -> Any:
        await self._hang("find")
        return await super().find(key)

    async def update(self, entry: Any) -> None:
        await self._hang("update")
        await super().update(entry)

    async def delete(self, uri: str, id: str | None = None) -> int:
        await self._hang("delete")
        return await super().delete(uri, id)

    def begin(self, entry: Any, replaced: Any) -> Any:
        return _HangingWriter(super().begin(entry, replaced), self)

    async def close(self) -> None:
        await self._hang("close")


class _HangingWriter(_Writer):
    def __init__(self, writer: Any, store: Hangs) -> None:
        super().__init__(writer, frozenset())
        self.store = store

    async def commit(self, entry: Any) -> None:
        await self.store._hang("commit")
        self.writer.commit(entry)


class TestStores:
    @pytest.mark.parametrize("failing", [{"write"}, {"write", "abort"}, {"commit"}, {"abort"}])
    async def test_writing_fails(self, failing: set[str], caplog: pytest.LogCaptureFixture) -> None:
        """A body that cannot be written costs a log line; the calls that wait for it ask at once."""
        store = Writes()
        store.failing = frozenset(failing)
        gate = asyncio.Event()

        async def body(number: int) -> AsyncIterator[bytes]:
            yield b"on"
            await gate.wait()
            if number == 1 and failing == {"abort"}:
                raise ClientPayloadError("cut")
            yield b"e"

        def reply(request: Request, number: int) -> Any:
            return 200, [("Cache-Control", "max-age=100")], body(number)

        with caplog.at_level(logging.WARNING, "aioclient"):
            async with site(reply, store=store) as it:
                tasks = [asyncio.create_task(it.text()) for _ in range(4)]
                await turns(20)
                gate.set()
                async with asyncio.timeout(5):
                    texts = await asyncio.gather(*tasks, return_exceptions=True)
                cut = 1 if failing == {"abort"} else 0
                assert texts[cut:] == ["one"] * (4 - cut)
                assert (await it.cache.statistics()).errors >= 1
        assert len(caplog.records) == 1
        assert "requests go on without it" in caplog.text

    @pytest.mark.virtual_clock
    @pytest.mark.parametrize("hanging", ["find", "update", "delete"])
    async def test_hangs(self, hanging: str) -> None:
        """A store that never answers is waited for until the call's total limit."""
        store = Hangs()
        replies = [("one", FRESH, TAG), (304, "", FRESH, TAG)]
        async with site(*replies, store=store) as it:
            await it.get()
            it.clock.now += 100
            store.hanging = frozenset({hanging})
            method = "POST" if hanging == "delete" else "GET"
            with pytest.raises(TotalTimeoutError):
                await it.get(method=method, timeout=5)

    @pytest.mark.virtual_clock
    async def test_hangs_before_a_connector(self) -> None:
        """So it is if nothing but the cache has to be waited for."""
        store = Hangs()
        store.hanging = frozenset({"find"})
        async with ClientSession(middlewares=[Cache(store)]) as session:
            with pytest.raises(TotalTimeoutError):
                await session.get("http://127.0.0.1:9/", timeout=5)

    @pytest.mark.virtual_clock
    @pytest.mark.parametrize("hanging", ["commit", "close"])
    async def test_hangs_at_the_end(self, hanging: str, caplog: pytest.LogCaptureFixture) -> None:
        """The end of a session waits half a minute for its store; then it costs one log line."""
        store = Hangs()
        store.hanging = frozenset({hanging})
        loop = asyncio.get_running_loop()
        with caplog.at_level(logging.WARNING, "aioclient"):
            async with site(("one", FRESH), store=store) as it:
                assert await it.text() == "one"
                begin = loop.time()
            assert loop.time() - begin == pytest.approx(30)
        (record,) = caplog.records
        expected = {
            "commit": "1 responses were not stored within 30 s",
            "close": "Hangs failed, and requests go on without it: TimeoutError()",
        }
        assert record.getMessage() == expected[hanging]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    @pytest.mark.parametrize("error", [OSError("gone"), None])
    async def test_reading_fails(self, error: Exception | None) -> None:
        """A body of which the store does not have all is an error of the body, and never a short one."""
        store = Pieces()
        store.error = error
        async with site(("one", FRESH), store=store) as it:
            await it.get()
            with pytest.raises(ClientPayloadError):
                await it.get()

    async def test_nothing_to_read(self) -> None:
        """A body of which the store has nothing is asked for anew."""
        store = Pieces()
        store.size = 0
        async with site(("one", FRESH), store=store) as it:
            assert [await it.text(), await it.text()] == ["one", "one"]
            assert it.origin.count == 2

    async def test_released_meanwhile(self, caplog: pytest.LogCaptureFixture) -> None:
        """A response that an inner middleware gave up is no failure of the store."""

        async def release(request: Request, handler: Any) -> Any:
            response = await handler(request)
            await response.release()
            return response

        async def body() -> AsyncIterator[bytes]:
            yield b"one"

        cache = Cache()
        origin = Origin(lambda request, number: (200, [("Cache-Control", "max-age=9")], body()))
        async with ClientSession(connector=origin, middlewares=[cache, release]) as session:
            response = await session.get(URL)
            with pytest.raises(ClientConnectionError):
                await response.read()
        assert (await cache.statistics()).errors == 0
        assert not caplog.records


class TestClocks:
    async def test_set_back(self) -> None:
        """What was stored while the clock was a year ahead is not fresh for that year."""
        async with site(("one", FRESH), ("two", FRESH)) as it:
            it.clock.now += 365 * 86400
            await it.get()
            it.clock.now -= 365 * 86400
            assert [await it.text(), await it.text()] == ["two", "two"]

    async def test_for_ever(self) -> None:
        """A limit of FOREVER never ends."""

        def fails(request: Request, number: int) -> Any:
            raise ClientConnectionError("down")

        async with site(("one", FRESH), fails, stale_if_error=FOREVER) as it:
            await it.get()
            it.clock.now += 10**8
            assert await it.text() == "one"


class TestRanges:
    async def test_part_of_another_version(self) -> None:
        """If-Range of another version than the stored part's is for the server (RFC 9110, section 13.1.5)."""
        part = (206, "01", FRESH, TAG, "Content-Range: bytes 0-1/10")
        async with site(part, ("abcdefghij", FRESH, 'ETag: "2"')) as it:
            asked = {"Range": "bytes=0-1"}
            await it.get(headers=asked)
            assert (await it.get(headers={**asked, "If-Range": '"1"'})).status == 206
            assert it.origin.count == 1
            response = await it.get(headers={**asked, "If-Range": '"2"'})
            assert (response.status, await response.text()) == (200, "abcdefghij")

    async def test_of_an_error(self) -> None:
        """A stored error has no parts: a range is defined for 200 alone (RFC 9110, section 14.2)."""
        async with site((404, "not here", FRESH)) as it:
            await it.get()
            response = await it.get(headers={"Range": "bytes=0-2"})
            assert (response.status, await response.text()) == (404, "not here")


class TestConditions:
    @pytest.mark.parametrize(
        "condition",
        [{"If-None-Match": '"2"'}, {"If-Modified-Since": "Sun, 06 Nov 2044 08:49:37 GMT"}],
    )
    async def test_not_about_what_is_stored(self, condition: dict[str, str]) -> None:
        """A 304 that answers the user's own condition freshens only what it names (section 4.3.4)."""
        async with site(("one", FRESH, TAG), (304, "", FRESH), ("two", FRESH)) as it:
            await it.get()
            it.clock.now += 100
            assert (await it.get(headers=condition)).status == 304
            assert await it.text() == "two"


class TestEndings:
    SAID = "Cache-Control: max-age=100, stale-while-revalidate=50"

    async def test_revalidation_that_never_began(self) -> None:
        """A revalidation that the end of its session cancels before it begins keeps no other call waiting."""
        cache_site = site(("one", self.SAID), ("two", self.SAID))
        async with cache_site as it:
            await it.get()
            it.clock.now += 120
            other = ClientSession(
                connector=it.origin, connector_owner=False, middlewares=[it.cache]
            )
            async with other.get(URL) as response:
                assert response.cache_status is not None
                assert response.cache_status.stale
            await other.close()
            it.clock.now += 100
            async with asyncio.timeout(5):
                assert await it.text() == "two"

    async def test_write_while_it_is_read(self) -> None:
        """A body that is still being read when its URL is made invalid is not stored."""
        gate = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"ol"
            await gate.wait()
            yield b"d"

        replies = [(body(), FRESH), (204, ""), ("new", FRESH)]
        async with site(*replies) as it:
            early = asyncio.create_task(it.text())
            await turns()
            await it.get(method="DELETE")
            gate.set()
            assert await early == "old"
            assert await it.text() == "new"

    async def test_write_then_read(self) -> None:
        """Who has changed something does not get what was asked for before."""
        gates = [asyncio.Event(), asyncio.Event()]

        async def slow(request: Request, number: int) -> Any:
            if request.method == "POST":
                return 200, [], b""
            await gates[number > 1].wait()
            return 200, [("Cache-Control", "max-age=100")], b"old" if number == 1 else b"new"

        async with site(slow) as it:
            early = asyncio.create_task(it.text())
            await turns()
            await it.get(method="POST")
            late = asyncio.create_task(it.text())
            await turns()
            gates[1].set()
            async with asyncio.timeout(5):
                assert await late == "new"
            gates[0].set()
            assert await early == "old"
            assert await it.text() == "new"


@pytest.mark.rows("CACHE-06")
async def test_cancelled_while_it_makes_invalid() -> None:
    """What the server has changed is made invalid, even if the call that did so is cancelled meanwhile."""
    replies = [("one", FRESH), ("two", FRESH), (201, "", "Location: /b"), ("new", FRESH)]
    store = Hangs()
    async with site(*replies, store=store) as it:
        await it.get()
        await it.get(URL + "b")
        gate = asyncio.Event()
        deleting = store.delete

        async def slow(uri: str, id: str | None = None) -> int:
            await gate.wait()
            return await deleting(uri, id)

        store.delete = slow  # type: ignore[method-assign]
        task = asyncio.create_task(it.get(method="POST"))
        await turns()
        assert it.origin.count == 3
        task.cancel()
        await turns()
        assert task.cancelled()
        gate.set()
        await turns()
        assert [await it.text(), await it.text(URL + "b")] == ["new", "new"]


async def test_targeted_later() -> None:
    """A targeted field counts for a URL whose last response said nothing, too."""
    replies = [("one",), ("two", "CDN-Cache-Control: max-age=100"), ("three",)]
    async with site(*replies, targets=["CDN-Cache-Control"]) as it:
        assert [await it.text() for _ in range(3)] == ["one", "two", "two"]
