"""A session for each event loop that asks for one, which ends with its loop."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from .client import ClientSession

LOOK_AGAIN: Final = (
    0.1  # seconds after which a loop that does not answer is looked at: it may have been closed
)


class KeptSession:
    """A session that the event loop closes at its end, together with its asynchronous generators.

    ``asyncio.run()`` does this, and so does ``loop.shutdown_asyncgens()``.
    """

    __slots__ = ("_keeper", "session")

    def __init__(self, session: ClientSession) -> None:
        self.session: ClientSession = session
        self._keeper = self._keep()
        with suppress(StopIteration):
            self._keeper.__anext__().send(None)  # from now on the loop knows the generator

    async def _keep(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self.session.close()

    async def close(self) -> None:
        """Close the session now."""
        await self._keeper.aclose()


class SessionOfEachLoop:
    """The sessions that *make* made, one for each event loop; loops may run in several threads."""

    __slots__ = ("_kept", "_make")

    def __init__(self, make: Callable[[], ClientSession]) -> None:
        self._make: Final = make
        self._kept: Final[dict[asyncio.AbstractEventLoop, KeptSession]] = {}

    def current(self) -> ClientSession:
        """Return the session of the running loop; make it if there is none yet, or if it was closed."""
        session = self.existing()
        if session is not None:
            return session
        for loop, kept in tuple(self._kept.items()):
            if kept.session.closed or loop.is_closed():
                self._kept.pop(loop, None)  # if its loop was closed without ending it, it warns
        kept = self._kept[asyncio.get_running_loop()] = KeptSession(self._make())
        return kept.session

    def existing(self) -> ClientSession | None:
        """Return the open session of the running loop, if there is one."""
        kept = self._kept.get(asyncio.get_running_loop())
        return None if kept is None or kept.session.closed else kept.session

    def open(self) -> list[ClientSession]:
        """Return the open sessions of all loops."""
        sessions = [kept.session for kept in tuple(self._kept.values())]
        return [session for session in sessions if not session.closed]

    async def close(self) -> None:
        """Close the session of the running loop, if there is one."""
        kept = self._kept.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept.close()

    async def close_all(self) -> None:
        """Close the sessions of all loops: of the running one, and of those that run in other threads."""
        running = asyncio.get_running_loop()
        for loop, kept in tuple(self._kept.items()):
            if loop is running:
                await kept.close()
            elif loop.is_running():
                await _run_in_loop(kept.close(), loop)
            elif not loop.is_closed():
                continue  # nobody can close it from here; the end of its loop does
            self._kept.pop(loop, None)


async def _run_in_loop(
    coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop
) -> None:
    """Run *coroutine* in the *loop* of another thread, and wait for its end, or for the loop's."""
    try:
        ended = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))
    except RuntimeError:  # it was closed meanwhile
        coroutine.close()
        return
    while not ended.done() and not loop.is_closed():
        await asyncio.wait((ended,), timeout=LOOK_AGAIN)
    if ended.done():
        ended.result()
