"""Opens the connections of a reconnecting WebSocket, with arguments that are computed for each attempt."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Final

from yarl import URL

from ..exceptions import shown
from ..message.headers import LooseHeaders
from ..message.unknown_arguments import unknown_arguments
from ..websocket import ClientWebSocketResponse
from .properties import SessionProperties
from .urls import parsed
from .websocket import OpeningArguments, WebSocketArguments

FreshUrl = str | URL | Callable[[], str | URL | Awaitable[str | URL]]
FreshHeaders = LooseHeaders | Callable[[], LooseHeaders | Awaitable[LooseHeaders]] | None

HEARTBEAT: Final = 20.0
"""Seconds of silence after which a ping is sent; websockets has the same default.

Without it a silent loss of the connection, as when a router drops it, would never be noticed.
"""


class Opener:
    """Opens one WebSocket after another."""

    __slots__ = ("_arguments", "_connect", "_headers", "_session", "_url")

    def __init__(
        self,
        session: SessionProperties,
        connect: Callable[..., Awaitable[ClientWebSocketResponse]],
        url: FreshUrl,
        headers: FreshHeaders,
        arguments: OpeningArguments,
    ) -> None:
        known = WebSocketArguments.__annotations__
        if unknown := arguments.keys() - known.keys():
            raise unknown_arguments("ws_reconnecting()", unknown, known)
        self._session = session
        self._connect = connect
        self._url: FreshUrl = url if callable(url) else parsed(url)
        self._headers = headers
        self._arguments = arguments
        arguments.setdefault("heartbeat", HEARTBEAT)

    @property
    def label(self) -> str:
        """The URL: how messages begin."""
        if callable(self._url):
            return "the reconnecting WebSocket"
        base = self._session.base_url
        url = URL(self._url)
        return shown(url if base is None else base.join(url))

    async def __call__(self) -> ClientWebSocketResponse:
        """Open a WebSocket."""
        url = await _made(self._url)
        headers = await _made(self._headers)
        connector = self._session.connector
        if connector is not None and connector.closed:
            raise RuntimeError(f"{self.label}: the session's connector is closed")
        return await self._connect(url, headers=headers, **self._arguments)


async def _made(value: object) -> object:
    """Return *value*, or its result if it is a function."""
    if callable(value):
        value = value()
        if inspect.isawaitable(value):
            return await value
    return value
