"""The life of a session: its connector, the loop and process that may use it, and its end."""

import asyncio
import os
from collections.abc import Awaitable

import aiohttp

from ..chain import Transport
from ..connectors.aiohttp_connector import ConnectorReplacement, replacement_for
from ..connectors.overrides import ResolveLike
from ..connectors.tcp import TCPConnector
from ..reconnecting import ReconnectingWebSocket
from ..warning import CreationSite


class Lifecycle:
    """The beginning and end of a session.

    ``connector`` is None before ``connect()`` and after the end. ``owner`` is whether the session closes it.
    ``reconnecting`` are WebSockets that wait to use the session again. ``debug`` is the event loop's debug mode.

    Raises:
        RuntimeError: no event loop runs, and no *loop* is given.
    """

    __slots__ = (
        "_pid",
        "_replacement",
        "closed",
        "connector",
        "creation_site",
        "debug",
        "loop",
        "owner",
        "reconnecting",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop | None, *, owner: bool) -> None:
        running = asyncio._get_running_loop() or loop
        if running is None:
            raise RuntimeError(
                "ClientSession() needs a running event loop: create it inside an async function"
            )
        self.loop: asyncio.AbstractEventLoop = running
        self.closed: bool = True  # until open()
        self.connector: Transport | None = None
        self.owner: bool = owner
        self.debug: bool = self.loop.get_debug()
        self.creation_site: CreationSite = CreationSite(self.loop)
        self.reconnecting: set[ReconnectingWebSocket] = set()
        self._replacement: ConnectorReplacement | None = None
        self._pid = os.getpid()

    def connect(
        self,
        connector: Transport | aiohttp.BaseConnector | None,
        resolve: ResolveLike | None,
        ssl_shutdown_timeout: float | None,
    ) -> Transport:
        """Return the connector that the session will use, bound to its loop.

        Raises:
            ValueError: *resolve* is given together with a connector, which resolves names itself.
            RuntimeError: the connector belongs to another event loop.
        """
        if resolve is not None and connector is not None:
            raise ValueError(
                "resolve= is for the session's own connector; with connector= give it there: TCPConnector(resolve=...)"
            )
        if isinstance(connector, aiohttp.BaseConnector):
            self._replacement = replacement_for(connector, self.loop)
            connector = self._replacement.connector
        elif connector is None:
            connector = TCPConnector(resolve=resolve, ssl_shutdown_timeout=ssl_shutdown_timeout)
        connector.bind(self.loop)
        self.connector = connector
        return connector

    def open(self) -> None:
        """Note that all arguments were accepted."""
        if self._replacement is not None:
            self._replacement.enter()
        self.closed = False

    @property
    def ended(self) -> bool:
        """Whether calls are impossible: the session was closed, or its connector."""
        connector, replacement = self.connector, self._replacement
        return (
            self.closed
            or connector is None
            or connector.closed
            or (replacement is not None and replacement.is_closed)
        )

    def unusable(self) -> RuntimeError:
        """Return the error for an impossible call: closed, or in another process or event loop."""
        if self.closed:
            return RuntimeError(
                "Session is closed; make its calls within 'async with', or before its close()"
            )
        if os.getpid() != self._pid:
            return RuntimeError(
                "the session was made before a fork; make a new one in this process"
            )
        return RuntimeError(
            "the session belongs to another event loop; make one inside the loop that uses it"
        )

    async def close(self) -> None:
        """Close the session, and its connector if it owns it.

        Raises:
            RuntimeError: the session's event loop runs in another thread.
        """
        if self.closed:
            return
        connector = self.connector
        self._end_reconnecting(going_away=self.owner)
        closing: Awaitable[None] | None = None
        if self._replacement is not None:
            closing = self._replacement.leave(owner=self.owner)
        elif connector is not None and self.owner:
            closing = connector.close()
        self.connector = None
        self.closed = True
        if closing is not None:
            await closing

    def detach(self) -> None:
        """Release the connector without closing it; the session is closed then."""
        if self._replacement is not None and not self.closed:
            self._replacement.leave_nowait()
        self.connector = None
        self.closed = True
        self._end_reconnecting(going_away=False)

    def _end_reconnecting(self, *, going_away: bool) -> None:
        """Wake WebSockets that wait to use the session again; with *going_away* their open connections are closed
        too.
        """
        try:
            here = asyncio.get_running_loop() is self.loop
        except RuntimeError:
            here = False
        for websocket in tuple(self.reconnecting) if here else ():
            websocket.session_closed(going_away=going_away)
