"""The event loop behind the blocking front: one for the process, in a thread of its own.

A call from any other thread hands a coroutine over and waits for its end. The loop is made when it is first needed, and
ends with the interpreter. A process that was forked off has no copy of the thread: it gets a loop of its own.
"""

import asyncio
import atexit
import contextlib
import os
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from queue import Empty, SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any, Final, Generic, Protocol, TypeVar

from .loop import new_loop

T = TypeVar("T")

CLOSE_TIME: Final = 3.0  # seconds that the end of the interpreter waits for goodbyes
# Seconds after which a waiting thread looks for signals: one that comes just before a wait does not end it.
LOOK_AGAIN: Final = 1.0


class Member(Protocol):
    """Something that lives in the loop, and is closed with it."""

    async def close(self) -> None:
        """Close it, in the loop."""

    def forked(self) -> None:
        """Forget, in a forked process, what belongs to the parent."""


class Errands:
    """What the loop asks the waiting thread to do meanwhile: to run code of the caller's, such as an iterator.

    ``failure`` is what that code raised last.
    """

    __slots__ = ("_queue", "failure")

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self._queue: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = (
            SimpleQueue()
        )

    async def ask(self, function: Callable[[], T]) -> T:
        """Let the waiting thread call *function*, and return what it returns (called in the loop)."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((function, future))
        return await future

    def end(self) -> None:
        """Wake the waiting thread."""
        self._queue.put(None)

    def _next(self) -> "tuple[Callable[[], Any], asyncio.Future[Any]] | None":
        while True:
            try:
                return self._queue.get(timeout=LOOK_AGAIN)
            except Empty:
                continue

    def run(self) -> None:
        """Do what is asked until the end (called by the waiting thread)."""
        while (asked := self._next()) is not None:
            function, future = asked
            try:
                result = function()
            except Exception as error:  # noqa: BLE001  (it is raised where it is awaited)
                self.failure = error
                _settle(future, future.set_exception, error)
            else:
                _settle(future, future.set_result, result)


def _settle(
    future: "asyncio.Future[Any]", settle: Callable[[Any], object], outcome: object
) -> None:
    def act() -> None:
        if not future.done():
            settle(outcome)

    future.get_loop().call_soon_threadsafe(act)


class _Call(Generic[T]):
    """A coroutine that a thread waits for: its result, or what it raised."""

    __slots__ = ("_coroutine", "_errands", "_error", "_result", "_task", "ended")

    def __init__(self, coroutine: Coroutine[Any, Any, T], errands: Errands | None) -> None:
        self._coroutine = coroutine
        self._errands = errands
        self._task: asyncio.Task[T] | None = None
        self._result: T | None = None
        self._error: BaseException | None = None
        self.ended = Lock()  # half the cost of an Event
        self.ended.acquire()

    def begin(self, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        """Start it (called in the loop)."""
        self._task = task = loop.create_task(self._coroutine, context=context)
        task.add_done_callback(self._end)

    def _end(self, task: "asyncio.Task[T]") -> None:
        try:
            self._result = task.result()
        except BaseException as error:  # noqa: BLE001  (it is raised where the call waits)
            self._error = error
        self.ended.release()
        if self._errands is not None:
            self._errands.end()

    def abandon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel it, whether or not it has begun or ended, and wait until it has ended."""
        gone = Lock()
        gone.acquire()
        try:
            loop.call_soon_threadsafe(self._cancel, gone)
        except RuntimeError:  # the loop was closed: it has not begun, and never will
            self._coroutine.close()
        else:
            gone.acquire()

    def _cancel(self, gone: Lock) -> None:
        # Callbacks run in the order in which threads handed them over: a call that was handed over has begun by now.
        def end(task: "asyncio.Task[T]") -> None:
            close = getattr(self._result, "close", None)  # nobody will get it
            if close is not None:
                close()
            gone.release()

        if self._task is None:
            self._coroutine.close()
            gone.release()
        else:
            self._task.cancel()
            self._task.add_done_callback(end)

    def wait(self) -> None:
        """Wait for the end, and run errands meanwhile; a signal's exception ends the wait."""
        if self._errands is not None:
            self._errands.run()
        while not self.ended.acquire(True, LOOK_AGAIN):
            pass

    def result(self) -> T:
        """Return the result, or raise."""
        error, self._error = self._error, None
        if error is None:
            return self._result  # type: ignore[return-value]
        try:
            raise error
        finally:
            del error  # its traceback holds this frame


class Portal:
    """The way into the loop for all other threads."""

    def __init__(self) -> None:
        self.members: set[Member] = set()
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def _reset(self) -> None:
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    def _start(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = new_loop()
                thread = Thread(target=_run, args=(loop,), name="aioclient-loop", daemon=True)
                try:
                    thread.start()
                except BaseException:
                    loop.close()
                    raise
                self._thread = thread
                self._loop = loop
                atexit.register(self.close)
            return self._loop

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop; None before the first call, and in a forked process before its first call."""
        return self._loop

    def run(
        self,
        coroutine: Coroutine[Any, Any, T],
        errands: Errands | None = None,
        home: asyncio.AbstractEventLoop | None = None,
    ) -> T:
        """Run *coroutine* in the loop, with the caller's context, and wait for its end.

        The caller runs *errands* meanwhile. What interrupts the wait, such as ``KeyboardInterrupt``, cancels the
        coroutine, and is raised when that has ended. *home* is the loop of what the coroutine uses.

        Raises:
            RuntimeError: the caller is the loop's own thread, which would wait for itself; or the interpreter ends,
                and no thread can start; or *home* is another loop, that of a parent process.
        """
        try:
            if home is not None and home is not self._loop:
                raise RuntimeError(
                    "the event loop of this response or WebSocket is not here: it was opened before a fork, or the "
                    "interpreter ends; open another one"
                )
            loop = self._loop or self._start()
            self._check_thread()
            call = _Call(coroutine, errands)
        except BaseException:
            coroutine.close()
            raise
        try:
            loop.call_soon_threadsafe(call.begin, loop, copy_context())
            call.wait()
        except BaseException:
            call.abandon(loop)
            raise
        return call.result()

    def start(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run what *function* returns in the loop, and do not wait; nothing happens once the loop has ended."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(spawn, function)

    def _check_thread(self) -> None:
        if self._thread is not None and self._thread.ident == get_ident():
            raise RuntimeError(
                "a blocking call by the thread that does all of them, as from a middleware or a callback, would wait "
                "for itself; await request.session there"
            )

    def close(self) -> None:
        """Close what lives in the loop, then the loop; called when the interpreter ends."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        atexit.unregister(self.close)
        ended = asyncio.run_coroutine_threadsafe(self._end(), loop)
        with contextlib.suppress(TimeoutError):
            ended.result(CLOSE_TIME)
        self._reset()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_TIME)
        if not thread.is_alive():
            loop.close()

    async def _end(self) -> None:
        members, self.members = self.members, set()
        await asyncio.gather(*(each.close() for each in members), return_exceptions=True)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_asyncgens()

    def _forked(self) -> None:
        loop = self._loop
        self._reset()
        members, self.members = self.members, set()
        for member in members:
            member.forked()
        if loop is not None:
            _inherited.append((loop, members))


# Objects of the parent process, kept after a fork: collecting one would close it.
_inherited: list[object] = []


_tasks: "set[asyncio.Task[None]]" = set()  # the loop itself holds them weakly


def spawn(function: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run what *function* returns in a task that nobody waits for (called in the loop)."""
    task = asyncio.get_running_loop().create_task(function())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


PORTAL: Final = Portal()
"""The portal of the process."""
