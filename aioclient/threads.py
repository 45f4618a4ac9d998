"""The library's own threads, for work that would block the event loop.

A request never waits for the event loop's default executor. Its threads belong to the user: each of them may wait for a
request, which would then wait for a thread forever. And it accepts no work while the interpreter exits, when programs
still send requests to log out.

`Threads` are daemon threads. They start when there is work, and end after `IDLE` idle seconds. If no thread can start
(Python 3.12 and later allow none once the main thread has ended; a system has limits), the caller does the work itself:
the event loop is blocked meanwhile, but the request continues.
"""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from threading import Condition, Thread
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

__all__ = ("BODIES", "CACHES", "CACHE_WRITES", "LOOKUPS", "SETTINGS", "Threads")

T = TypeVar("T")
P = ParamSpec("P")

IDLE: Final = 2.0  # seconds; starting a thread costs 0.1 ms, so consecutive jobs should find one


class _Job(NamedTuple):
    """A job, and the future of its result."""

    future: "Future[Any]"
    work: Callable[[], Any]

    def run(self) -> None:
        """Do the work, unless it was cancelled."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.work()
        except BaseException as error:  # noqa: BLE001  (it is raised where the result is awaited)
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Threads(Executor):
    """At most *most* daemon threads, for ``loop.run_in_executor()``; further jobs wait in order.

    Args:
        name: the prefix of the threads' names.
        most: the largest number of threads at a time.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._begin()
        if hasattr(os, "register_at_fork"):  # a forked process has no copy of the threads
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._changed = Condition()
        self._jobs: deque[_Job] = deque()
        self._count = 0
        self._idle = 0

    @property
    def count(self) -> int:
        """The number of existing threads."""
        return self._count

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Let a thread call *fn*; call it right here if there is no thread and none can start."""
        job = _Job(Future(), partial(fn, *args, **kwargs))
        with self._changed:
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
                return job.future
            if self._count == self._most:
                return job.future
            self._count += 1
        try:
            Thread(target=self._work, name=f"aioclient-{self._name}", daemon=True).start()
        except RuntimeError:  # none can start
            for left in self._left_over():
                left.run()
        return job.future

    def _left_over(self) -> list[_Job]:
        """Uncount a thread that did not start, and take back the jobs that no other thread will do."""
        with self._changed:
            self._count -= 1
            if self._count:
                return []
            jobs = list(self._jobs)
            self._jobs.clear()
            return jobs

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._jobs:
                    self._idle += 1
                    self._changed.wait_for(self._has_jobs, IDLE)
                    self._idle -= 1
                    if not self._jobs:
                        self._count -= 1
                        return
                job = self._jobs.popleft()
            job.run()
            del job  # its references must not live as long as this thread waits

    def _has_jobs(self) -> bool:
        return bool(self._jobs)


# Separate pools, so that no kind of work starves another: a lookup may take half a minute, a file read forever.
SETTINGS: Final = Threads("settings", 4)
"""For TLS contexts and netrc files: some milliseconds each."""
LOOKUPS: Final = Threads("lookup", 16)
"""For lookups of names by the system."""
BODIES: Final = Threads("body", 32)
"""For sending files and for their compression; as many threads as a default executor has at most."""
CACHES: Final = Threads("cache", 8)
"""For reading files of stored responses: a millisecond or less each."""
CACHE_WRITES: Final = Threads("cache-write", 8)
"""For writing them, which waits for other processes that write."""
