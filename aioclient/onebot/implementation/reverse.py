"""Reverse WebSocket: the implementation connects (OneBot 12, connect, "reverse WebSocket")."""

import asyncio
import ssl as ssl_module
from collections.abc import Iterable
from typing import ClassVar, Final

from aiohttp import ClientWSTimeout

from ...cookies import DummyCookieJar
from ...exceptions import ClientError, ClientResponseError
from ...reconnecting import ReconnectingWebSocket, ReconnectPolicy
from ...session import ClientSession
from ..bots import BotSelf
from ..encoding import MAX_MESSAGE
from .connection import HEARTBEAT, ClientConnection
from .dispatcher import log
from .frames import send_by_client
from .socket import CLOSE_LIMIT, PING, Peer
from .websocket import Hook, WebSocketConnection

RECONNECT: Final = 5000  # milliseconds; pylibob's default


class WebSocketReverse(WebSocketConnection, ClientConnection):
    """A WebSocket to an application, which is opened again whenever it ends.

    Args:
        url: ``ws://`` or ``wss://``.
        reconnect_interval: milliseconds between the end of a socket, or a failed attempt, and the next attempt.
        enable_heartbeat, heartbeat_interval, on_connect, on_disconnect: see ``WebSocketConnection``.
        access_token, ssl_context, bots: see ``ClientConnection``. The token is sent in the ``Authorization`` field.

    Raises:
        ValueError: an interval is not more than 0, or *url* is no such URL.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("ws", "wss")

    def __init__(
        self,
        url: str,
        *,
        access_token: str | None = None,
        reconnect_interval: int = RECONNECT,
        enable_heartbeat: bool = True,
        heartbeat_interval: int = HEARTBEAT,
        ssl_context: ssl_module.SSLContext | None = None,
        bots: Iterable[BotSelf] | None = None,
        on_connect: Hook | None = None,
        on_disconnect: Hook | None = None,
    ) -> None:
        super().__init__(
            url=url,
            access_token=access_token,
            ssl_context=ssl_context,
            bots=bots,
            enable_heartbeat=enable_heartbeat,
            heartbeat_interval=heartbeat_interval,
            on_connect=on_connect,
            on_disconnect=on_disconnect,
        )
        if not reconnect_interval > 0:
            raise ValueError(
                f"reconnect_interval={reconnect_interval}; give milliseconds, more than 0"
            )
        self.reconnect_interval = reconnect_interval
        self._reconnecting: ReconnectingWebSocket | None = None
        self._task: asyncio.Task[None] | None = None
        self._reported: set[tuple[type, int | None]] = (
            set()
        )  # kinds of failures since the last socket

    async def start(self) -> None:
        """Begin to connect, in the background."""
        self._stopping = False
        self._reported.clear()
        self._task = asyncio.create_task(self._run(), name=f"onebot: {self.label}")

    async def _run(self) -> None:
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            self._reconnecting = sockets = session.ws_reconnecting(
                self.url,
                policy=_policy(self.reconnect_interval / 1000),
                headers=self._headers_of_attempt,
                protocols=(f"{self.impl.onebot_version}.{self.impl.name}",),
                allow_redirects=False,  # the token must not travel
                heartbeat=PING,
                max_msg_size=MAX_MESSAGE,
                timeout=ClientWSTimeout(ws_close=CLOSE_LIMIT),
                ssl=self._ssl,
            )
            async with sockets:
                async for ws in sockets:
                    self._reported.clear()
                    peer = Peer(self, self.label)
                    await self._serve(ws, send_by_client(ws), peer, ws.close_nowait)

    def _headers_of_attempt(self) -> dict[str, str]:
        """Return the fields of an attempt, after a word on the failure of the last one."""
        error = None if self._reconnecting is None else self._reconnecting.last_error
        if error is None:
            return self._headers()
        # A refusal is worth a line although nobody listened before.
        kind = (type(error), error.status if isinstance(error, ClientResponseError) else None)
        if kind not in self._reported:
            self._reported.add(kind)
            log.warning(
                "%s: %s; trying again every %g s%s",
                self.label,
                _described(error),
                self.reconnect_interval / 1000,
                "; is the access_token right?" if _is_refusal(error) else "",
            )
        return self._headers()

    async def stop(self, limit: float) -> None:
        """Answer the actions that run, send what waits, and close the socket, within *limit* seconds."""
        task, self._task = self._task, None
        if task is None:
            return
        clock = asyncio.get_running_loop().time
        end = clock() + limit
        try:
            await self._stop_sockets(limit)
            if self._reconnecting is not None:
                await self._reconnecting.close()
            await asyncio.wait([task], timeout=max(0.0, end - clock()))
        finally:
            self._reconnecting = None
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("%s: it ended early", self.label, exc_info=error)


def _policy(interval: float) -> ReconnectPolicy:
    """Return the policy of the specification: reconnect for ever, every *interval* seconds, whatever happened."""
    return ReconnectPolicy(
        initial=interval,
        factor=1.0,
        max_delay=interval,
        jitter="none",
        close_codes=range(1000, 5000),
        statuses=range(100, 600),
        max_retry_after=interval,
        errors=(Exception,),
        fatal_errors=(),
    )


def _described(error: Exception) -> str:
    return str(error) if isinstance(error, (ClientError, OSError)) else repr(error)


def _is_refusal(error: Exception) -> bool:
    # NoneBot answers 403 where the specification has 401.
    return isinstance(error, ClientResponseError) and error.status in (401, 403)
