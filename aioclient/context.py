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
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final

from .middlewares.auth import AuthLike
from .session import ClientSession
from .session.of_each_loop import SessionOfEachLoop

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

# The blocks of use_session() that the context is in; one object may be entered by several tasks.
_blocks: ContextVar[tuple[tuple[Token[ClientSession | None], ClientSession], ...]] = ContextVar(
    "aioclient.context.blocks", default=()
)


def _made() -> ClientSession:
    _log.debug("make a session for the event loop")
    return ClientSession()


_defaults: Final = SessionOfEachLoop(_made)


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
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "get_session(): no session is set in this context, and no event loop runs that could have one; call it "
            "inside an async function, or set_session() before"
        ) from None
    return _defaults.current()


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
    else:
        await _defaults.close()


async def close_all_sessions() -> None:
    """Close the default sessions of all event loops: the running one's, and those of loops in other threads."""
    await _defaults.close_all()


class use_session:
    """Make *session* that of the context within ``async with`` or ``with``; afterwards the previous one is back.

    Args:
        session: None for a new one, which the end of the block closes.
        auth: other credentials: the block gets a session with the same connector, its own cookies, and without the
            ``Authorization`` and ``Cookie`` fields of *session*. In this way one program can serve many users at a
            time, each in its own task.

    Raises:
        TypeError: *session* is no ``ClientSession``, or *auth* no credentials.
        RuntimeError: the block ends in another context than it began in.
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

    def _enter(self, session: ClientSession) -> ClientSession:
        _blocks.set((*_blocks.get(), (_current.set(session), session)))
        return session

    def _leave(self) -> ClientSession:
        blocks = _blocks.get()
        if not blocks:
            raise RuntimeError(
                "the block of use_session() ends in another context than it began in; enter and leave it in one task"
            )
        *outer, (token, session) = blocks
        _current.reset(token)
        _blocks.set(tuple(outer))
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
