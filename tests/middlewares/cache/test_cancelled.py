"""Calls of a cache are cancelled at every moment: nobody waits for them, nothing stays behind, the next call works."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import combinations
from typing import Any

import pytest

from aioclient import (
    Cache,
    ClientConnectionError,
    ClientSession,
    MemoryStore,
    Request,
)
from aioclient.testing import turns

from .origin import URL, Clock, Origin

BODY = b"0123456789"
TAG = '"1"'


class _Writer:
    """Stores when some iterations of the loop are over."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, piece: bytes) -> None:
        self._writer.write(piece)

    async def commit(self, entry: Any) -> None:
        await turns(2)
        self._writer.commit(entry)

    def abort(self) -> None:
        self._writer.abort()


class Slow(MemoryStore):
    """A store of which each answer takes some iterations of the loop, and bodies come in pieces."""

    async def find(self, key: Any) -> Any:
        await turns(2)
        return [stored._replace(body=None) for stored in await super().find(key)]

    async def read(self, entry: Any) -> AsyncIterator[bytes]:
        async for body in super().read(entry):
            for at in range(0, len(body), 4):
                await asyncio.sleep(0)
                yield body[at : at + 4]

    def begin(self, entry: Any, replaced: Any) -> Any:
        return _Writer(super().begin(entry, replaced))

    async def update(self, entry: Any) -> None:
        await turns(2)
        await super().update(entry)

    async def delete(self, uri: str, id: str | None = None) -> int:
        await turns(2)
        return await super().delete(uri, id)


class Story:
    """What is stored, how old it is, and what the origin says then."""

    stored = "max-age=100"
    later = 0
    says = "max-age=100"
    tagged = True
    changed = False
    fails = False
    calls: Sequence[tuple[str, dict[str, str]]] = (("GET", {}), ("GET", {}), ("GET", {}))

    def __init__(self, **changes: Any) -> None:
        vars(self).update(changes)


STORIES = {
    "nothing is stored": Story(stored=""),
    "nothing may be stored": Story(stored="", says="no-store"),
    "hits": Story(),
    "ranges": Story(calls=[("GET", {"Range": "bytes=2-7"}), ("GET", {}), ("HEAD", {})]),
    "confirmed": Story(later=200),
    "confirmed, and not to be stored": Story(later=200, says="no-store"),
    "changed": Story(later=200, changed=True),
    "behind": Story(stored="max-age=100, stale-while-revalidate=900", later=200),
    "behind, changed": Story(
        stored="max-age=100, stale-while-revalidate=900", later=200, changed=True
    ),
    "instead of an error": Story(stored="max-age=100, stale-if-error=900", later=200, fails=True),
    "made invalid": Story(calls=[("GET", {}), ("POST", {}), ("GET", {})]),
    "made invalid meanwhile": Story(stored="", calls=[("GET", {}), ("POST", {}), ("GET", {})]),
    "HEAD": Story(later=200, calls=[("HEAD", {}), ("GET", {}), ("HEAD", {})]),
}


class Place:
    """An origin that takes some iterations of the loop for a response, and for each piece of its body."""

    def __init__(self, story: Story, store: MemoryStore) -> None:
        self.story = story
        self.began = False
        self.clock = Clock()
        self.cache = Cache(store, clock=self.clock)
        self.origin = Origin(self.answer)

    async def answer(self, request: Request, number: int) -> Any:
        await turns(2)
        story = self.story
        if self.began and story.fails:
            raise ClientConnectionError("down")
        if request.method == "POST":
            return 204, [], b""
        says = story.says if self.began else story.stored
        fields = [("Cache-Control", says), ("Content-Length", "10"), ("ETag", TAG)]
        if TAG in request.headers.get("If-None-Match", "") and not story.changed:
            return 304, fields, b""
        if self.began and story.changed:
            fields[-1] = "ETag", '"2"'
        return 200, fields, b"" if request.method == "HEAD" else self.body()

    async def body(self) -> AsyncIterator[bytes]:
        for at in range(0, 10, 3):
            await asyncio.sleep(0)
            yield BODY[at : at + 3]


async def call(session: ClientSession, method: str, headers: dict[str, str]) -> tuple[int, bytes]:
    async with session.request(method, URL, headers=headers) as response:
        await turns(1)
        return response.status, await response.read()


def is_right(method: str, headers: dict[str, str], result: tuple[int, bytes]) -> bool:
    status, body = result
    if method != "GET":
        return status in (200, 204) and not body
    if "Range" in headers:
        return (status, body) in ((206, BODY[2:8]), (200, BODY))
    return (status, body) == (200, BODY)


@pytest.mark.parametrize("kind", [MemoryStore, Slow])
@pytest.mark.parametrize("name", STORIES)
async def test_cancelled_everywhere(name: str, kind: type[MemoryStore]) -> None:
    """Some or all of three calls that share a flight may be cancelled after any iteration of the loop."""
    story = STORIES[name]

    async def run(who: tuple[int, ...], moment: int) -> bool:
        """Cancel *who* after so many iterations; tell whether all had ended before."""
        place = Place(story, kind())
        tasks_before = asyncio.all_tasks()
        async with ClientSession(connector=place.origin, middlewares=[place.cache]) as session:
            if story.stored:
                assert await call(session, "GET", {}) == (200, BODY)
                await turns(10)
            place.began = True
            place.clock.now += story.later
            tasks = [asyncio.create_task(call(session, *each)) for each in story.calls]
            await turns(moment)
            ended = all(task.done() for task in tasks)
            for number in who:
                tasks[number].cancel()
            async with asyncio.timeout(20):
                await asyncio.wait(tasks)
            for number, task in enumerate(tasks):
                if not (task.cancelled() and number in who):
                    method, headers = story.calls[number]
                    assert is_right(method, headers, task.result()), (who, moment, number)
            async with asyncio.timeout(20):
                assert await call(session, "GET", {}) == (200, BODY)
            await turns(40)
            assert asyncio.all_tasks() == tasks_before, (who, moment)
            here = place.cache._flights._here()
            assert not here.flights and not here.looks, (who, moment)
        return ended

    for count in (1, 2, 3):
        for who in combinations(range(3), count):
            moment = 0
            while not await run(who, moment):
                moment += 1
            assert moment
