"""A session from its making to its end: its connector, where it may be used, and what is said when it is forgotten."""

import asyncio
import os
import warnings
from collections.abc import Awaitable
from types import TracebackType
from typing import Self

import aiohttp

from ..connectors.adopt import Adoption, adopt
from ..connectors.base import BaseConnector
from ..connectors.overrides import ResolveLike
from ..connectors.tcp import TCPConnector
from ..exceptions import shown
from ..reconnecting import ReconnectingWebSocket
from ..warning import Birthplace
from .state import State


class Lifecycle(State):
    """What begins and ends a session."""

    __slots__ = ("_adoption", "_debug", "_guests", "_made_at", "_pid")

    def _begin(self) -> None:
        """Note where the session is made; it is closed until ``_open()``.

        Raises:
            RuntimeError: no event loop runs.
        """
        self._closed = True
        self._connector = None
        self._adoption: Adoption | None = None
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "ClientSession() needs a running event loop: create it inside an async function"
            ) from None
        self._pid = os.getpid()
        self._made_at = Birthplace(self._loop)
        self._debug = self._loop.get_debug()
        self._guests: set[ReconnectingWebSocket] = set()

    def _connect(
        self,
        connector: BaseConnector | aiohttp.BaseConnector | None,
        resolve: ResolveLike | None,
    ) -> BaseConnector:
        """Return the connector that the session will use, bound to its loop.

        Raises:
            ValueError: *resolve* is given, and a connector that has addresses of its own.
        """
        if resolve is not None and connector is not None:
            raise ValueError(
                "resolve= is for the session's own connector; with connector= give it there: TCPConnector(resolve=...)"
            )
        if isinstance(connector, aiohttp.BaseConnector):
            self._adoption = adopt(connector, self._loop)
            connector = self._adoption.connector
        elif connector is None:
            connector = TCPConnector(resolve=resolve)
        connector.bind(self._loop)
        return connector

    def _open(self) -> None:
        """Note that all that was given was accepted."""
        if self._adoption is not None:
            self._adoption.enter()
        self._closed = False

    def _unusable(self) -> RuntimeError:
        if self._closed:
            return RuntimeError("Session is closed")
        if os.getpid() != self._pid:
            return RuntimeError(
                "the session was made before a fork; make a new one in this process"
            )
        return RuntimeError(
            "the session belongs to another event loop; make one inside the loop that uses it"
        )

    async def close(self) -> None:
        """Close the session, and its connector if it owns it; afterwards no socket is left.

        Raises:
            RuntimeError: the session's event loop runs in another thread.
        """
        if self._closed:
            return
        connector = self._connector
        self._tell_guests(going_away=self._connector_owner)
        closing: Awaitable[None] | None = None
        if self._adoption is not None:
            closing = self._adoption.leave(owner=self._connector_owner)
        elif connector is not None and self._connector_owner:
            closing = connector.close()
        self._connector = None
        self._closed = True
        if closing is not None:
            await closing

    def detach(self) -> None:
        """Let go of the connector without closing it; the session is closed then."""
        if self._adoption is not None and not self._closed:
            self._adoption.let_go()
        self._connector = None
        self._closed = True
        self._tell_guests(going_away=False)

    def _tell_guests(self, *, going_away: bool) -> None:
        """Wake who waits to use the session again; with *going_away* they lose what they have of it, too."""
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        for guest in tuple(self._guests) if here else ():
            guest.session_closed(going_away=going_away)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __enter__(self) -> None:
        raise TypeError("use 'async with' with a ClientSession")

    def __exit__(self, *_: object) -> None:
        """Never reached: ``__enter__`` raises."""

    def __del__(self) -> None:
        # Of a session whose construction failed early there is nothing.
        if not getattr(self, "_closed", True) and self._connector_owner:
            warnings.warn(
                f"unclosed session {self!r}; use 'async with', or await its close(): made at {self._made_at}",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        state = "closed" if self._closed else repr(self._connector)
        base = "" if self.base_url is None else f" {shown(self.base_url)}"
        return f"<ClientSession{base} {state}>"
