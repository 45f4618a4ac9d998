"""The time limit that all actions have in common."""

import asyncio

from aioclient.onebot.implementation.limit import CommonLimit
from aioclient.testing import run_virtual


async def limited(limit: CommonLimit, seconds: float) -> float:
    """Sleep within the limit; return how long it took."""
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        async with asyncio.timeout(None) as scope:
            limit.begin(scope)
            try:
                await asyncio.sleep(seconds)
            finally:
                limit.end(scope)
    except TimeoutError:
        assert scope.expired()
    return round(clock() - began, 3)


class TestCommonLimit:
    def test_each_has_its_own_end(self) -> None:
        """Each ends after the limit, counted from its own beginning; those that end before are not touched."""
        limit = CommonLimit(10)

        async def main() -> list[float]:
            tasks = []
            for seconds in (99, 3, 99, 10.5, 9, 99):
                tasks.append(asyncio.create_task(limited(limit, seconds)))
                await asyncio.sleep(4)
            return await asyncio.gather(*tasks)

        assert run_virtual(main()) == [10, 3, 10, 10, 9, 10]

    def test_after_a_pause(self) -> None:
        """It works again when there was nothing for a while, and in another event loop."""
        limit = CommonLimit(10)

        async def main(pause: float) -> list[float]:
            first = await limited(limit, 1)
            await asyncio.sleep(pause)
            return [first, await limited(limit, 99)]

        for pause in (0, 5, 50):
            assert run_virtual(limited(limit, 1)) == 1  # and its timer is left in that loop
            assert run_virtual(main(pause)) == [1, 10]

    def test_cleared(self) -> None:
        """When it is cleared nothing is limited any more, and no timer is left."""
        limit = CommonLimit(10)

        async def main() -> float:
            task = asyncio.create_task(limited(limit, 99))
            await asyncio.sleep(1)
            limit.clear()
            return await task

        assert run_virtual(main()) == 99
