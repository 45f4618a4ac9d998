"""What waits for a poller, and for a peer."""

import asyncio
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclient.onebot.implementation.buffer import EventBuffer
from aioclient.onebot.implementation.outbox import Outbox


class TestEventBuffer:
    @pytest.mark.rows("S002-13")
    def test_the_oldest_make_room(self) -> None:
        """A full buffer drops the oldest event for a new one, and counts it."""
        buffer: EventBuffer[int] = EventBuffer(2)
        for number in range(5):
            buffer.put(number)
        assert (buffer.take(), buffer.dropped, len(buffer)) == ([3, 4], 3, 0)

    @pytest.mark.rows("S002-13")
    def test_no_limit(self) -> None:
        """Size 0 is no limit."""
        buffer: EventBuffer[int] = EventBuffer(0)
        for number in range(5000):
            buffer.put(number)
        assert (buffer.take(), buffer.dropped) == (list(range(5000)), 0)

    def test_size(self) -> None:
        """A negative size makes no sense."""
        with pytest.raises(ValueError, match="event_buffer_size=-1; give 1 or more, or 0"):
            EventBuffer(-1)

    @pytest.mark.rows("S002-11")
    def test_the_oldest_first(self) -> None:
        """At most *limit* are taken, the oldest first; 0 takes all."""
        buffer: EventBuffer[int] = EventBuffer(0)
        for number in range(5):
            buffer.put(number)
        assert [buffer.take(2), buffer.take(2), buffer.take(2), buffer.take(2)] == [
            [0, 1],
            [2, 3],
            [4],
            [],
        ]

    def test_put_back(self) -> None:
        """What was taken and not delivered comes first again, if there is room."""
        buffer: EventBuffer[int] = EventBuffer(3)
        for number in range(3):
            buffer.put(number)
        taken = buffer.take(2)
        buffer.put(3)
        buffer.put_back(taken)
        assert (buffer.take(), buffer.dropped) == ([1, 2, 3], 1)

    @given(
        st.integers(0, 4),
        st.lists(st.one_of(st.just("put"), st.integers(0, 3), st.tuples(st.integers(0, 3)))),
    )
    def test_any_use(self, size: int, steps: list[str | int | tuple[int]]) -> None:
        """Whatever is done, the events are in order, and each is taken, waiting or counted as dropped."""
        buffer: EventBuffer[int] = EventBuffer(size)
        made, delivered = 0, []
        for step in steps:
            if step == "put":
                buffer.put(made)
                made += 1
            elif isinstance(step, int):
                delivered += buffer.take(step)
            elif isinstance(step, tuple):
                buffer.put_back(buffer.take(step[0]))
            assert not size or len(buffer) <= size
        delivered += buffer.take()
        assert delivered == sorted(set(delivered))
        assert len(delivered) + buffer.dropped == made


class Number(int):
    """An item of one byte."""

    def __len__(self) -> int:
        return 1


async def running(outbox: Outbox[Number], item: int) -> "asyncio.Task[None]":
    task = asyncio.create_task(outbox.put(Number(item)))
    await asyncio.sleep(0)
    return task


class TestOutbox:
    async def test_bytes(self) -> None:
        """It is also full when the items have too many bytes, however few they are; one has always room."""
        outbox: Outbox[bytes] = Outbox(10, 100)
        assert outbox.put_nowait(bytes(60))
        assert outbox.put_nowait(bytes(500))
        assert not outbox.put_nowait(b"")
        await outbox.get()
        assert not outbox.put_nowait(b"")
        await outbox.get()
        assert outbox.put_nowait(bytes(100))
        outbox.drops = True
        assert outbox.put_nowait(bytes(99))
        assert outbox.put_nowait(b"x")
        assert (len(outbox), outbox.dropped) == (2, 1)

    async def test_room(self) -> None:
        """A full one has room again when half of it has gone; those that wait get it in order."""
        outbox: Outbox[Number] = Outbox(4)
        assert all(outbox.put_nowait(Number(number)) for number in range(4))
        assert not outbox.put_nowait(Number(99))
        waiting = [await running(outbox, number) for number in range(4, 8)]
        assert await outbox.get() == 0
        assert not outbox.put_nowait(Number(99))
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        assert await outbox.get() == 1
        await asyncio.sleep(0)
        assert [task.done() for task in waiting] == [True, True, False, False]
        assert [await outbox.get() for _ in range(6)] == [2, 3, 4, 5, 6, 7]
        await asyncio.gather(*waiting)
        assert len(outbox) == 0

    async def test_nobody_overtakes(self) -> None:
        """While one waits, another one has no room either."""
        outbox: Outbox[Number] = Outbox(2)
        outbox.put_nowait(Number(0))
        outbox.put_nowait(Number(1))
        waiting = await running(outbox, 2)
        await outbox.get()
        assert not outbox.put_nowait(Number(3))
        await waiting
        assert [await outbox.get(), await outbox.get()] == [1, 2]

    async def test_it_drops(self) -> None:
        """While it drops, nobody waits: the oldest make room."""
        outbox: Outbox[Number] = Outbox(2)
        outbox.put_nowait(Number(0))
        outbox.put_nowait(Number(1))
        waiting = await running(outbox, 2)
        outbox.drops = True
        await waiting
        assert outbox.put_nowait(Number(3))
        assert outbox.dropped == 2
        outbox.drops = False
        assert not outbox.put_nowait(Number(4))
        assert [await outbox.get(), await outbox.get()] == [2, 3]

    async def test_the_end(self) -> None:
        """A closed one is emptied; what comes later is dropped, and nobody waits."""
        outbox: Outbox[Number] = Outbox(2)
        outbox.put_nowait(Number(0))
        outbox.put_nowait(Number(1))
        waiting = await running(outbox, 2)
        outbox.close()
        await waiting
        await outbox.put(Number(3))
        assert [await outbox.get(), await outbox.get(), await outbox.get()] == [0, 1, None]
        assert outbox.dropped == 2

    def test_many(self) -> None:
        """Several are taken at once, as many as fit into so many bytes, but at least one; none if there is none."""
        outbox: Outbox[bytes] = Outbox(4)
        for size in (50, 30, 30, 200):
            assert outbox.put_nowait(bytes(size))
        assert not outbox.put_nowait(b"")
        assert [len(item) for item in outbox.take_many(80)] == [50, 30]
        assert outbox.put_nowait(bytes(20))
        assert [len(item) for item in outbox.take_many(100)] == [30]
        assert [len(item) for item in outbox.take_many(100)] == [200]
        assert [len(item) for item in outbox.take_many(100)] == [20]
        assert outbox.take_many(100) == []

    async def test_the_consumer_waits(self) -> None:
        """It gets the next item, or the end."""
        outbox: Outbox[Number] = Outbox(2)
        getting = asyncio.create_task(outbox.get())
        await asyncio.sleep(0)
        outbox.put_nowait(Number(1))
        outbox.put_nowait(Number(2))
        assert await getting == 1
        assert outbox.clear() == 1
        getting = asyncio.create_task(outbox.get())
        await asyncio.sleep(0)
        outbox.close()
        assert await getting is None

    async def test_cancelled(self) -> None:
        """A producer that is cancelled leaves nothing, and takes nobody's room."""
        outbox: Outbox[Number] = Outbox(2)
        outbox.put_nowait(Number(0))
        outbox.put_nowait(Number(1))
        first, second, third = [await running(outbox, number) for number in (2, 3, 4)]
        second.cancel()
        assert [await outbox.get(), await outbox.get()] == [0, 1]
        third.cancel()  # it has room already
        await asyncio.wait([first, second, third])
        assert [first.cancelled(), second.cancelled(), third.cancelled()] == [False, True, True]
        assert [await outbox.get(), await outbox.get(), len(outbox)] == [2, 4, 0]

    async def test_a_cancelled_consumer(self) -> None:
        """A consumer that is cancelled takes nothing along."""
        outbox: Outbox[Number] = Outbox(2)
        getting = asyncio.create_task(outbox.get())
        await asyncio.sleep(0)
        outbox.put_nowait(Number(1))
        getting.cancel()
        await asyncio.wait([getting])
        assert getting.cancelled()
        assert await outbox.get() == 1


def test_pure() -> None:
    """The buffer does no I/O."""
    source = inspect.getsource(inspect.getmodule(EventBuffer))  # type: ignore[arg-type]
    assert "asyncio" not in source
