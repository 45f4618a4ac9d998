"""An event loop with a clock that jumps: timers fire at once, while sockets and threads are real.

    async def main() -> None:
        async with RawServer(silent) as server:  # answers nothing
            ...  # a read timeout of 300 s ends after a millisecond

    run_virtual(main())

How it knows when to jump: a loop can wait for a callback that is ready, a socket, a thread or a
timer. If client and server run in this loop, bytes are readable on one side as soon as the other
side has sent them. So if no callback is ready, the selector finds no ready socket for `settle`
seconds, and no executor function is running, a timer is the next event: the clock is set to it.

Two things it cannot see: other processes (give them time with a larger `settle`, or use an ordinary
loop), and threads that were not started by `run_in_executor`.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Not zero: code that mistakes the time 0 for "no time" would pass its tests.
START = 1000.0


class _JumpingSelector(selectors.BaseSelector):
    """Wraps the system's selector, and lets the clock jump instead of waiting for a timer."""

    def __init__(self, settle: float) -> None:
        self.now = START
        self.threads = 0  # functions running in executors
        self._settle = settle
        self._selector = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self._selector.select(0)
        if timeout is None or self.threads:
            # There is no timer to jump to, or a thread will wake the loop through its self-pipe.
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
    """An event loop whose `time()` stands still until nothing is ready, then jumps to the next timer.

    Args:
        settle: Real seconds without a ready socket before a jump; a millisecond is enough within
            one process.

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
        """Set the clock forward; the timers that are due then fire in the next iteration of the loop.

        They fire all at once, as after a process was suspended. `await asyncio.sleep(n)` lets them
        fire one after the other.
        """
        if seconds < 0:
            raise ValueError(f"the clock goes forward only, got {seconds!r} s")
        self._jumping.now += seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> "asyncio.Future[T]":
        """Run the function in a thread, and stop the clock until it returns."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, future: "asyncio.Future[Any]") -> None:
        self._jumping.threads -= 1

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Join the executor's threads; the clock is stopped meanwhile, so that no time limit is reached."""
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
