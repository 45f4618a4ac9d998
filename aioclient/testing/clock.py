"""An event loop with a clock that jumps: timers fire at once, sockets and threads are real.

    async def main() -> None:
        async with RawServer(silent) as server:  # answers nothing
            ...  # a read timeout of 300 s ends after a millisecond

    run_virtual(main())

How it knows that nothing more will happen: whatever the loop waits for comes from a callback that
is ready to run, from a socket, from a thread, or from a timer. With client and server in this
loop, bytes are readable on one side the moment the other side has sent them. So when no callback is
ready, the selector finds no socket ready for `settle` seconds, and no executor function is running,
the next thing to happen is a timer: the clock is set to it.

Two things this cannot see: other processes (give them time with a larger `settle`, or use an
ordinary loop) and threads started by other means than `run_in_executor`.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Not zero: code that takes a time of 0 for "no time" must not pass its tests by that.
START = 1000.0


class _JumpingSelector(selectors.BaseSelector):
    """Wraps the system's selector; turns waiting for a timer into a jump of the clock."""

    def __init__(self, settle: float) -> None:
        self.now = START
        self.threads = 0  # functions running in executors
        self._settle = settle
        self._selector = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self._selector.select(0)
        if timeout is None or self.threads:
            # No timer to jump to, or a thread will wake the loop through its self-pipe.
            return self._selector.select(None)
        events = self._selector.select(0) or self._selector.select(self._settle)
        if not events:
            self.now += timeout
        return events

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._selector.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._selector.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._selector.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._selector.get_map()

    def close(self) -> None:
        self._selector.close()


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` stands still, and jumps to the next timer when all is quiet.

    Args:
        settle: Real seconds that sockets must be quiet before a jump; a millisecond is plenty
            within one process.

    >>> import asyncio
    >>> async def main() -> float:
    ...     loop = asyncio.get_running_loop()
    ...     begin = loop.time()
    ...     await asyncio.sleep(3600)
    ...     return loop.time() - begin
    >>> with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
    ...     runner.run(main())
    3600.0
    """

    def __init__(self, *, settle: float = 0.001) -> None:
        self._jumping = _JumpingSelector(settle)
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._jumping.now

    def advance(self, seconds: float) -> None:
        """Set the clock forward; timers that became due fire in the next round of the loop.

        All of them at once, as after a process was stopped for a while. `await asyncio.sleep(n)`
        lets them fire one after the other.
        """
        if seconds < 0:
            raise ValueError(f"the clock goes forward only, got {seconds!r} s")
        self._jumping.now += seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> "asyncio.Future[T]":
        """Run the function in a thread, and hold the clock until it returned."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, future: "asyncio.Future[Any]") -> None:
        self._jumping.threads -= 1

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Join the executor's threads; the clock stands meanwhile, so that no limit passes."""
        self._jumping.threads += 1
        try:
            await super().shutdown_default_executor(*args, **kwargs)
        finally:
            self._jumping.threads -= 1


def run_virtual(coro: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine in a new `VirtualClockLoop`, as `asyncio.run()` does in an ordinary one.

    >>> import asyncio
    >>> run_virtual(asyncio.sleep(3600, "an hour later"))
    'an hour later'
    """
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(coro)
