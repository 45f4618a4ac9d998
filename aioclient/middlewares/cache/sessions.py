"""The background tasks of a cache's sessions, and which session closes a store."""

import asyncio
import logging
from collections.abc import Coroutine
from threading import Lock
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary, WeakSet

CLOSING: Final = 30.0  # seconds that the end of a session waits for its store

_log: Final = logging.getLogger("aioclient.cache")


class Closable(Protocol):
    """An object that the last session closes."""

    async def close(self) -> None:
        """Close files and connections."""


_users: Final[WeakKeyDictionary[Any, WeakSet[Any]]] = WeakKeyDictionary()
_lock: Final = Lock()


def begin_use(store: Closable, session: object) -> None:
    """Note that *session* uses *store*."""
    with _lock:
        _users.setdefault(store, WeakSet()).add(session)


def end_use(store: Closable, session: object) -> bool:
    """Note that *session* no longer uses *store*; return whether it was the last one."""
    with _lock:
        users = _users.get(store)
        if users is None or session not in users:
            return False
        users.discard(session)
        return not users


class Work:
    """Background tasks of sessions: revalidations, which may be cancelled, and writes, which may not."""

    __slots__ = ("_behind", "_writing")

    def __init__(self) -> None:
        self._behind: dict[asyncio.Task[None], int] = {}
        self._writing: dict[asyncio.Task[None], int] = {}

    @property
    def behind(self) -> int:
        """How many revalidations are under way."""
        return len(self._behind)

    def revalidate(
        self, session: object, coroutine: Coroutine[Any, Any, None]
    ) -> "asyncio.Task[None]":
        """Run a revalidation for *session*; return its task."""
        return self._start(self._behind, session, coroutine)

    def write(self, session: object, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run a coroutine that changes the store for *session*; return its task."""
        return self._start(self._writing, session, coroutine)

    @staticmethod
    def _start(
        tasks: "dict[asyncio.Task[None], int]",
        session: object,
        coroutine: Coroutine[Any, Any, None],
    ) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(coroutine)
        tasks[task] = id(session)
        task.add_done_callback(tasks.pop)
        return task

    async def end(self, session: object) -> None:
        """Cancel the revalidations of *session*, and wait until its responses are stored, for ``CLOSING`` seconds."""
        mine = id(session)
        behind = [task for task, owner in tuple(self._behind.items()) if owner == mine]
        for task in behind:
            task.cancel()
        writing = [task for task, owner in tuple(self._writing.items()) if owner == mine]
        if not behind and not writing:
            return
        _, late = await asyncio.wait([*behind, *writing], timeout=CLOSING)
        if late:
            _log.warning("%d responses were not stored within %g s", len(late), CLOSING)
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=1.0)
