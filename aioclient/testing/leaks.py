"""Find what a piece of code left behind: sockets, tasks, pool slots, exceptions, warnings.

Around anything asynchronous:

    async with no_leaks():
        async with aioclient.ClientSession() as session:
            ...

In a test runner, where the event loop is made and closed around the test, use a `LeakWatch`:

    with LeakWatch() as watch, asyncio.Runner() as runner:
        runner.run(watch.run(test()))

Both raise `LeakError`, which lists everything found.
"""

import asyncio
import contextlib
import gc
import os
import socket
import stat
import sys
import tracemalloc
import warnings
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar

from .tasks import describe_task

T = TypeVar("T")
ExceptionHandler: TypeAlias = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]
SocketId: TypeAlias = tuple[int, int]

# Where the process's open file descriptors can be listed; Windows has no such place, and
# there the check of sockets rests on the ResourceWarning of an unclosed socket.
FD_FOLDER = "/dev/fd"

# A closed transport lets go of its socket one round later, a TLS one after the peer's close_notify
# (some more rounds); a hundred rounds are far more than either and cost under a millisecond.
SETTLING_TURNS = 100


class LeakError(AssertionError):
    """Something was left behind; `problems` holds a text for each thing found."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        count = len(self.problems)
        return f"{count} leak{'s' if count > 1 else ''}:\n" + "\n".join(
            f"- {problem}" for problem in self.problems
        )


def open_sockets() -> dict[SocketId, int]:
    """Return this process's open sockets: identity (device, inode) to file descriptor.

    The identity tells a socket from another one that got the same descriptor later. Empty where
    the system offers no list of descriptors (Windows).
    """
    found: dict[SocketId, int] = {}
    try:
        names = os.listdir(FD_FOLDER)
    except OSError:
        return found
    for name in names:
        try:
            status = os.fstat(int(name))
        except OSError:  # the descriptor of the listing itself, closed by now
            continue
        if stat.S_ISSOCK(status.st_mode):
            found[status.st_dev, status.st_ino] = int(name)
    return found


def _describe_socket(fd: int) -> str:
    try:
        with socket.socket(fileno=os.dup(fd)) as sock:
            local: object = sock.getsockname()
            try:
                peer = f"connected to {sock.getpeername()}"
            except OSError:
                peer = "not connected"
        return f"socket {local} {peer} (fd {fd}) is open"
    except OSError as exc:
        return f"socket (fd {fd}) is open ({exc})"


def live_connectors() -> list[Any]:
    """Return the connectors that exist, or nothing when the engine was not imported."""
    module = sys.modules.get("aioclient.connectors.base")
    return list(getattr(module, "live_connectors", ()))


def describe_connector(connector: Any) -> str | None:
    """Return a text when the connector's pool has a slot in use or a waiter, else None."""
    statistics = connector.statistics()
    if not statistics.in_use and not statistics.waiting:
        return None
    return f"{connector!r}: {statistics.in_use} slots in use, {statistics.waiting} waiting"


class Snapshot:
    """What is open in the running loop now, to be compared with what is open later.

    >>> import asyncio
    >>> async def main() -> list[str]:
    ...     before = Snapshot()
    ...     return await before.settle()
    >>> asyncio.run(main())
    []
    """

    __slots__ = ("_connectors", "_sockets", "_tasks")

    def __init__(self) -> None:
        self._sockets = open_sockets()
        self._tasks = asyncio.all_tasks()
        self._connectors = weakref.WeakSet(live_connectors())

    def problems(self) -> list[str]:
        """Return a text for each task, socket and pool slot that is there now and was not then."""
        found = [
            f"{describe_task(task)}\n    is pending"
            for task in asyncio.all_tasks() - self._tasks
            if task is not asyncio.current_task()
        ]
        found += [
            _describe_socket(fd)
            for identity, fd in open_sockets().items()
            if identity not in self._sockets
        ]
        for connector in live_connectors():
            if connector not in self._connectors:
                found += filter(None, [describe_connector(connector)])
        return found

    async def settle(self, turns: int = SETTLING_TURNS) -> list[str]:
        """Return `problems()` once there are none, or the loop has run `turns` iterations.

        What is closed takes a round or more to be gone; what is leaked stays.
        """
        for _ in range(turns):
            if not self.problems():
                break
            await asyncio.sleep(0)
        return self.problems()


# Keys of the exception handler's context that report an unclosed session, connector or connection, ours or aiohttp's.
_UNCLOSED: Final = frozenset(("client_session", "connector", "client_connection"))


class LeakWatch:
    """Watch from `with` to its end; raise `LeakError` there when something is left.

    Found anywhere between: exceptions nobody retrieved and whatever else reaches a loop's exception
    handler, ResourceWarning, coroutines never awaited, sockets still open at the end. Found for
    what is run by `run()`: pending tasks, open sockets and pool slots in use when it returns.

    When the block raises, nothing is checked: that error matters more, and its traceback keeps
    half of the block's objects alive.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._sockets: dict[SocketId, int] = {}
        self._handlers: list[tuple[asyncio.AbstractEventLoop, ExceptionHandler | None]] = []
        self._catcher = warnings.catch_warnings(record=True)
        self._caught: list[warnings.WarningMessage] = []
        self._checks = True

    def skip(self) -> None:
        """Check nothing at the end, as when the block raised: the test has failed already."""
        self._checks = False

    def __enter__(self) -> Self:
        self._sockets = open_sockets()
        self._caught = self._catcher.__enter__()
        # Other categories keep the filters in force, so that an "error" stays one.
        warnings.filterwarnings("always", category=ResourceWarning)
        warnings.filterwarnings("always", "coroutine .* was never awaited", RuntimeWarning)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Unclosed transports and failed tasks warn when they are finalised.
        gc.collect()
        for loop, handler in self._handlers:
            loop.set_exception_handler(handler)
        self._catcher.__exit__(exc_type, exc, traceback)
        self.problems += _texts_of_warnings(self._caught)
        if exc is not None or not self._checks:
            return
        self.problems += [
            _describe_socket(fd)
            for identity, fd in open_sockets().items()
            if identity not in self._sockets
        ]
        if self.problems:
            raise LeakError(list(dict.fromkeys(self.problems)))

    async def run(self, awaitable: Awaitable[T]) -> T:
        """Return what the awaitable returns, then note what it left in the running loop."""
        before = self.attach()
        result = await awaitable
        self.problems += await before.settle()
        return result

    def attach(self) -> Snapshot:
        """Note what reaches the running loop's exception handler; return what is open now."""
        loop = asyncio.get_running_loop()
        self._handlers.append((loop, loop.get_exception_handler()))
        loop.set_exception_handler(self._note_context)
        return Snapshot()

    def _note_context(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not _UNCLOSED.isdisjoint(context):
            return  # a ResourceWarning says the same
        details = [
            f"{name}: {value!r}"
            for name, value in context.items()
            if name not in ("message", "source_traceback")
        ]
        self.problems.append("; ".join([str(context.get("message")), *details]))


def _texts_of_warnings(caught: Iterable[warnings.WarningMessage]) -> list[str]:
    texts = []
    for warning in caught:
        unawaited = "was never awaited" in str(warning.message)
        if not issubclass(warning.category, ResourceWarning) and not unawaited:
            # Not about a leak: pass it on.
            warnings.showwarning(
                warning.message, warning.category, warning.filename, warning.lineno
            )
            continue
        text = f"{warning.category.__name__}: {warning.message}"
        if warning.source is not None and tracemalloc.is_tracing():
            origin = tracemalloc.get_object_traceback(warning.source)
            text += "\n    " + "\n    ".join(origin.format() if origin else ["made at: unknown"])
        texts.append(text)
    return texts


@contextlib.asynccontextmanager
async def no_leaks() -> AsyncIterator[LeakWatch]:
    """Raise `LeakError` at the block's end when it left something behind.

    >>> import asyncio
    >>> async def main() -> None:
    ...     async with no_leaks():
    ...         task = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    >>> try:
    ...     asyncio.run(main())
    ... except LeakError as exc:
    ...     print(exc.problems[0].splitlines()[0])
    task 'forgotten'
    """
    with LeakWatch() as watch:
        before = watch.attach()
        yield watch
        watch.problems += await before.settle()
