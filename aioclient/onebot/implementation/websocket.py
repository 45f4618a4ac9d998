"""WebSocket: applications connect, get events and ask for actions (OneBot 12, connect, "WebSocket")."""

import asyncio
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, ClassVar, TypeAlias

from aiohttp import WSCloseCode, hdrs, web

from ..bots import BotSelf
from ..encoding import MAX_MESSAGE
from ..events import Event
from ..faults import described, is_fault, place_of
from ..server import Method
from .connection import HEARTBEAT, Connection, ServerConnection
from .dispatcher import log
from .frames import Send, send_by_server
from .outgoing import Outgoing
from .socket import CLOSE_LIMIT, PING, AnyWebSocket, Peer, Socket

Hook: TypeAlias = Callable[[Peer], Awaitable[object] | object]


def check_heartbeat(enabled: bool, interval: int) -> float | None:
    """Return the seconds between heartbeats of *interval* milliseconds; None if they are not enabled.

    Raises:
        ValueError: *interval* is not more than 0.
    """
    if not interval > 0:
        raise ValueError(f"heartbeat_interval={interval}; give milliseconds, more than 0")
    return interval / 1000 if enabled else None


class WebSocketConnection(Connection):
    """The base of both kinds of WebSockets: it has any number of open ones.

    Args:
        enable_heartbeat: whether ``meta.heartbeat`` events are sent.
        heartbeat_interval: milliseconds between them.
        on_connect: a function or coroutine function that gets a ``Peer`` when a socket is open, before actions are
            read from it. If it raises, the socket is closed.
        on_disconnect: the same when a socket has ended for which ``on_connect`` was called.

    Raises:
        ValueError: *heartbeat_interval* is not more than 0.
        TypeError: a hook cannot be called.
    """

    def __init__(
        self,
        *,
        enable_heartbeat: bool = True,
        heartbeat_interval: int = HEARTBEAT,
        on_connect: Hook | None = None,
        on_disconnect: Hook | None = None,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.enable_heartbeat = enable_heartbeat
        self.heartbeat_interval = heartbeat_interval
        for name, hook in (("on_connect", on_connect), ("on_disconnect", on_disconnect)):
            if hook is not None and not callable(hook):
                raise TypeError(f"{name} must be a function, found {type(hook).__name__}")
        self._heartbeat = check_heartbeat(enable_heartbeat, heartbeat_interval)
        self._on_connect = on_connect
        self._on_disconnect = on_disconnect
        self._sockets: set[Socket] = set()
        self._left_over: set[asyncio.Task[None]] = set()  # actions whose socket has gone
        self._stopping = False

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The applications that are connected."""
        return tuple(socket.peer for socket in self._sockets)

    # Events

    def offer(self, outgoing: Outgoing) -> Coroutine[Any, Any, None] | None:
        """Push an event to each socket; see ``Connection.offer()``."""
        if not self._sockets:
            return None
        body = outgoing.body
        full = [socket for socket in self._sockets if not socket.offer(body)]
        return _push(full, body) if full else None

    async def emit_event(self, event: Event) -> None:
        """Push *event*; return when it has room in the queue of each socket."""
        waiting = self.offer(Outgoing(event))
        if waiting is not None:
            await waiting

    async def update_status(self) -> None:
        """Push the current status to each socket."""
        for socket in tuple(self._sockets):
            await socket.push_status()

    # Sockets

    async def _serve(
        self, ws: AnyWebSocket, send: Send, peer: Peer, abort: Callable[[], None]
    ) -> None:
        """Talk to *peer* until it goes, or the end."""
        if self._stopping:
            await ws.close(code=WSCloseCode.GOING_AWAY)
            return
        socket = Socket(self, ws, send, peer, abort, self._heartbeat)
        try:
            socket.greet()
        except BaseException as error:
            if not is_fault(error):
                raise
            log.error(
                "%s: the status cannot be sent, the socket is closed: %r", peer.address, error
            )
            await ws.close(code=WSCloseCode.INTERNAL_ERROR)
            return
        log.info("%s: connected", peer.address)
        try:
            await socket.serve(self._sockets.add, self._on_connect)
        finally:
            self._sockets.discard(socket)
            for task in socket.actions:
                self._left_over.add(task)
                task.add_done_callback(self._left_over.discard)
            log.info("%s: disconnected", peer.address)
            if self._on_disconnect is not None:
                await self._say_goodbye(self._on_disconnect, peer)

    async def _say_goodbye(self, hook: Hook, peer: Peer) -> None:
        try:
            await self.impl.call_hook(hook, peer)
        except BaseException as error:  # whatever the hook raises: the socket is gone
            if not is_fault(error):
                raise
            log.error(
                "%s: on_disconnect %s at %s",
                peer.address,
                described(error),
                place_of(error),
                exc_info=error,
            )

    async def _stop_sockets(self, limit: float) -> None:
        """Close the sockets within *limit* seconds; what does not end is cancelled."""
        self._stopping = True
        try:
            async with asyncio.timeout(limit):
                await asyncio.gather(*(socket.stop() for socket in self._sockets))
                while self._left_over:
                    await asyncio.wait(self._left_over)
        except TimeoutError:
            log.warning("%r: not everything was sent within %g s of the shutdown", self, limit)
        finally:
            for socket in self._sockets:
                socket.abort()
            tasks = {*self._left_over, *(task for s in self._sockets for task in s.actions)}
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)


async def _push(sockets: list[Socket], body: bytes) -> None:
    await asyncio.gather(*(socket.push(body) for socket in sockets))


class WebSocket(WebSocketConnection, ServerConnection):
    """A server of WebSockets (pylibob's ``WebSocket``, "forward WebSocket").

    Args:
        enable_heartbeat, heartbeat_interval, on_connect, on_disconnect: see ``WebSocketConnection``.
        access_token, host, port, path, ssl_context, bots: see ``ServerConnection``.
    """

    METHOD: ClassVar[Method] = "GET"

    def __init__(
        self,
        *,
        access_token: str | None = None,
        host: str = "0.0.0.0",
        port: int = 8080,
        enable_heartbeat: bool = True,
        heartbeat_interval: int = HEARTBEAT,
        path: str = "/",
        ssl_context: ssl_module.SSLContext | None = None,
        bots: Iterable[BotSelf] | None = None,
        on_connect: Hook | None = None,
        on_disconnect: Hook | None = None,
    ) -> None:
        super().__init__(
            access_token=access_token,
            host=host,
            port=port,
            path=path,
            ssl_context=ssl_context,
            bots=bots,
            enable_heartbeat=enable_heartbeat,
            heartbeat_interval=heartbeat_interval,
            on_connect=on_connect,
            on_disconnect=on_disconnect,
        )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            return web.Response(
                status=426, headers={hdrs.UPGRADE: "websocket"}, text="this is a WebSocket\n"
            )
        ws = web.WebSocketResponse(
            timeout=CLOSE_LIMIT,
            heartbeat=PING,
            compress=False,
            max_msg_size=MAX_MESSAGE + 1,  # aiohttp refuses messages of this size
        )
        await ws.prepare(request)
        transport = request.transport

        def abort() -> None:
            if transport is not None:
                transport.abort()

        peer = Peer(self, request.remote or "?", request.headers.get(hdrs.USER_AGENT))
        await self._serve(ws, send_by_server(ws, request), peer, abort)
        return ws

    async def start(self) -> None:
        """Listen."""
        self._stopping = False
        await super().start()

    async def stop(self, limit: float) -> None:
        """Answer the actions that run, send what waits and close the sockets, within *limit* seconds."""
        self._endpoint.is_open = False
        clock = asyncio.get_running_loop().time
        end = clock() + limit
        try:
            await self._stop_sockets(limit)
        finally:
            await super().stop(max(CLOSE_LIMIT / 10, end - clock()))
