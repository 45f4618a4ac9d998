"""Threads of the library's own, for work that would hold up the event loop.

Nothing that a request needs waits for the event loop's default executor. That one is the user's: each of its threads
may wait for a request, which would then wait for a thread for ever. And it takes no work any more once the interpreter
exits, where programs still log out by a request.

`Threads` are daemon threads. They start when there is work, and end after `IDLE` seconds without. Where no thread can
start (Python 3.12 and later allow none once the main thread has ended; a system has limits), the caller does the work
itself: the event loop stands still meanwhile, but the request goes on.
"""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from threading import Condition, Thread
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

__all__ = ("BODIES", "LOOKUPS", "SETTINGS", "Threads")

T = TypeVar("T")
P = ParamSpec("P")

IDLE: Final = 2.0  # seconds; to start a thread costs 0.1 ms, so what comes in a row should find one


class _Job(NamedTuple):
    """Work, and where its result goes."""

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
    """At most *most* daemon threads, for ``loop.run_in_executor()``; jobs beyond that wait in order.

    Args:
        name: what the threads are called.
        most: how many there are at a time.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._begin()
        if hasattr(os, "register_at_fork"):  # a copy of the process has no copy of the threads
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._changed = Condition()
        self._jobs: deque[_Job] = deque()
        self._count = 0
        self._idle = 0

    @property
    def count(self) -> int:
        """Threads that exist now."""
        return self._count

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Let a thread call *fn*; call it here and now if there is no thread and none can start."""
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
        """Count a thread less that did not start, and take back the jobs that no other one will come to."""
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
            del job  # what it holds must not live as long as this thread waits

    def _has_jobs(self) -> bool:
        return bool(self._jobs)


# One cannot take the threads of another: a lookup may take half a minute, a read from a file for ever.
SETTINGS: Final = Threads("settings", 4)
"""For TLS contexts and netrc files: some milliseconds each."""
LOOKUPS: Final = Threads("lookup", 16)
"""For names that the system is asked for."""
BODIES: Final = Threads("body", 32)
"""For files that are sent, and for their compression; as many as an event loop's own executor has at most."""
