"""The session of the current context, for code that is handed no session.

=====================  ===================================================  ========================
session                who has it                                           who closes it
=====================  ===================================================  ========================
``set_session(s)``     the current context, and tasks that start in it      whoever made it
``use_session(s)``     the same, within the block                           whoever made it
``use_session()``      the same, within the block                           the end of the block
``use_session(s,       the same: *s* with other credentials                 nobody: it has nothing
auth=...)``                                                                 of its own
none of them           all of an event loop: one session for each           the end of the event loop
=====================  ===================================================  ========================

A task starts with a copy of the context that it was started in: it sees what was set there before. What the task sets
itself, others do not see. A new thread starts with an empty context.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final

from .middlewares.auth import AuthLike
from .session import ClientSession

__all__ = (
    "clear_session",
    "close_all_sessions",
    "close_session",
    "get_session",
    "set_session",
    "use_session",
)

_log = logging.getLogger("aioclient.context")

_current: ContextVar[ClientSession | None] = ContextVar("aioclient.context.session", default=None)


class KeptSession:
    """A session that the event loop closes at its end, together with its asynchronous generators.

    ``asyncio.run()`` does this, and so does ``loop.shutdown_asyncgens()``.
    """

    __slots__ = ("_keeper", "loop", "session")

    def __init__(self, session: ClientSession) -> None:
        self.session: ClientSession = session
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
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


_defaults: Final[dict[asyncio.AbstractEventLoop, KeptSession]] = {}


def get_session() -> ClientSession:
    """Return the session of the current context; if it has none, the session of the running event loop.

    The session of the loop is made at the first call, with default settings. It is closed when the loop ends (by
    ``asyncio.run()`` or ``loop.shutdown_asyncgens()``).

    Raises:
        RuntimeError: the context has no session, and no event loop runs.
    """
    session = _current.get()
    if session is not None:
        return session
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "get_session(): no session is set in this context, and no event loop runs that could have one; call it "
            "inside an async function, or set_session() before"
        ) from None
    default = _defaults.get(loop)
    if default is None or default.session.closed:
        for other in [
            each for each, kept in _defaults.items() if kept.session.closed or each.is_closed()
        ]:
            del _defaults[other]  # if its loop was closed without ending it, the session warns
        default = _defaults[loop] = KeptSession(ClientSession())
        _log.debug("made a session for the event loop")
    return default.session


def set_session(session: ClientSession) -> "Token[ClientSession | None]":
    """Make *session* the session of the current context and of tasks that start in it.

    ``Token.var.reset(token)`` undoes it. Whoever made the session closes it.

    Raises:
        TypeError: it is no ``ClientSession``.
    """
    if not issubclass(type(session), ClientSession):
        raise TypeError(
            f"set_session() takes an aioclient.ClientSession, found {type(session).__name__}"
        )
    return _current.set(session)


def clear_session() -> None:
    """Remove the session from the current context, without closing it."""
    _current.set(None)


async def close_session() -> None:
    """Close and forget the session that ``get_session()`` would return; do nothing if there is none yet."""
    session = _current.get()
    if session is not None:
        _current.set(None)
        await session.close()
        return
    default = _defaults.pop(asyncio.get_running_loop(), None)
    if default is not None:
        await default.close()


async def close_all_sessions() -> None:
    """Close the default sessions of all event loops: the running one's, and those of loops in other threads."""
    running = asyncio.get_running_loop()
    for loop, default in tuple(_defaults.items()):
        if loop is running:
            await default.close()
        elif loop.is_running():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(default.close(), loop))
        elif not loop.is_closed():
            continue  # nobody can close it from here; the end of its loop does
        _defaults.pop(loop, None)


class use_session:
    """Make *session* that of the context within ``async with`` or ``with``; afterwards the previous one is back.

    Args:
        session: None for a new one, which the end of the block closes.
        auth: other credentials: the block gets a session with the same connector, its own cookies, and without the
            ``Authorization`` and ``Cookie`` fields of *session*. In this way one program can serve many users at a
            time, each in its own task.

    Raises:
        TypeError: *session* is no ``ClientSession``, or *auth* no credentials.
    """

    def __init__(
        self, session: ClientSession | None = None, *, auth: AuthLike | None = None
    ) -> None:
        if session is not None and not issubclass(type(session), ClientSession):
            raise TypeError(
                f"use_session() takes an aioclient.ClientSession, found {type(session).__name__}"
            )
        self._given = session
        self._auth = auth
        self._entered: list[tuple[Token[ClientSession | None], ClientSession]] = []

    def _enter(self, session: ClientSession) -> ClientSession:
        self._entered.append((_current.set(session), session))
        return session

    def _leave(self) -> ClientSession:
        token, session = self._entered.pop()
        _current.reset(token)
        return session

    def __enter__(self) -> ClientSession:
        if self._given is None:
            raise TypeError("use_session() without a session makes one: use 'async with'")
        return self._enter(self._given if self._auth is None else self._given.with_auth(self._auth))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session = self._leave()
        if session is not self._given:
            session.detach()

    async def __aenter__(self) -> ClientSession:
        if self._given is None:
            return self._enter(ClientSession(auth=self._auth))
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session = self._leave()
        if session is not self._given:
            await session.close()
