"""The receiver of reverse WebSockets."""

import asyncio
import ssl as ssl_module
from collections.abc import Iterator
from typing import Final, cast

from aiohttp import WSCloseCode, WSMessage, WSMsgType, hdrs, web

from ..actions import ActionRequest
from ..encoding import MAX_MESSAGE, Encoding, decode, encode
from ..events import Event, parse_event
from .bots import KnownBots
from .client import CALL_LIMIT
from .errors import CallTimeoutError, NotConnectedError
from .receiver import ONEBOT_VERSION, Receiver, of_bot, refused
from .websocket import CLOSE_LIMIT, ImplementationSocket

FIRST_EVENT_LIMIT: Final = 10.0  # seconds for meta.connect
PING_INTERVAL: Final = 20.0  # seconds of silence, as of a client's WebSocket


class WebSocketReceiver(Receiver):
    """Receives the reverse WebSockets of any number of implementations.

    Use it as ``async with WebSocketReceiver(port=8080)``, or ``mount()`` it. The first message of a WebSocket must be
    the event ``meta.connect``, else it is closed with 1008. An action goes to the newest connection that has reported
    its bot; ``NotConnectedError`` is raised at once if there is none.

    Args:
        access_token: what implementations must send; None for nothing.
        host: the address to listen on.
        port: the port; 0 for any free one.
        path: where it is served.
        ssl_context: for TLS.
        encoding: of actions; ``Encoding.MSGPACK`` needs ``aioclient[onebot]``, and the implementations' support.
        timeout: seconds for each call; None for no limit.
    """

    def __init__(
        self,
        *,
        access_token: str | None = None,
        host: str = "127.0.0.1",
        port: int = 8080,
        path: str = "/",
        ssl_context: ssl_module.SSLContext | None = None,
        encoding: Encoding = Encoding.JSON,
        timeout: float | None = CALL_LIMIT,
    ) -> None:
        super().__init__(
            "GET",
            access_token=access_token,
            host=host,
            port=port,
            path=path,
            ssl_context=ssl_context,
            timeout=timeout,
        )
        encode({}, encoding)  # raises if the package is missing
        self._encoding = encoding
        self._sockets: list[ImplementationSocket] = []
        self._open_ones: set[web.WebSocketResponse] = set()

    def _known(self) -> Iterator[KnownBots]:
        return (socket.bots for socket in self._sockets)

    @property
    def connections(self) -> int:
        """How many implementations are connected."""
        return len(self._sockets)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        offered = [
            name.strip()
            for field in request.headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, [])
            for name in field.split(",")
        ]
        chosen = [name for name in offered if name.startswith(f"{ONEBOT_VERSION}.")][:1]
        if offered and not chosen:
            return refused(400, f"the subprotocol must begin with {ONEBOT_VERSION}.")
        ws = web.WebSocketResponse(
            protocols=chosen,
            heartbeat=PING_INTERVAL,
            timeout=CLOSE_LIMIT,
            compress=False,
            max_msg_size=MAX_MESSAGE + 1,  # aiohttp refuses messages of this size
        )
        await ws.prepare(request)
        self._open_ones.add(ws)
        try:
            await self._serve(ws, request.remote or "?")
        finally:
            self._open_ones.discard(ws)
        return ws

    async def _serve(self, ws: web.WebSocketResponse, remote: str) -> None:
        first = await self._first(ws)
        if first is None:
            await ws.close(
                code=WSCloseCode.POLICY_VIOLATION, message=b"the first event must be meta.connect"
            )
            return
        message, connect = first
        version = connect.to_dict().get("version")
        name = version.get("impl") if isinstance(version, dict) else None
        source = name if isinstance(name, str) else ""
        socket = ImplementationSocket(
            ws,
            f"{source[:100]!r} at {remote}",
            self._encoding,
            self._intake,
            KnownBots(self),
        )
        socket.source = source
        self._sockets.append(socket)
        try:
            await socket.take(message)
            await socket.serve()
        finally:
            self._sockets.remove(socket)
            socket.bots.clear()

    async def _first(self, ws: web.WebSocketResponse) -> tuple[WSMessage, Event] | None:
        """Return the first message and its event, if that is meta.connect."""
        try:
            message: WSMessage = await ws.receive(FIRST_EVENT_LIMIT)
        except TimeoutError:
            return None
        if message.type is not WSMsgType.TEXT:
            return None
        try:
            event = parse_event(decode(message.data, Encoding.JSON))
        except ValueError:
            return None
        return (message, event) if (event.type, event.detail_type) == ("meta", "connect") else None

    # Actions

    async def _perform(self, request: ActionRequest, limit: float | None) -> object:
        socket = self._socket_for(request)
        try:
            async with asyncio.timeout(limit) as scope:
                return await socket.perform(request)
        except TimeoutError:
            if not scope.expired():
                raise
            raise CallTimeoutError(
                socket.label, request.action, cast(float, limit), "no answer came"
            ) from None

    def _socket_for(self, request: ActionRequest) -> ImplementationSocket:
        if request.self is not None:
            for socket in reversed(self._sockets):
                if request.self in socket.bots:
                    return socket
        if len(self._sockets) == 1:
            return self._sockets[0]  # it may have bots that it did not report
        if not self._sockets:
            raise NotConnectedError(
                f"{self._label}: {request.action}: no implementation is connected"
            )
        found = ", ".join(f"{bot.platform}/{bot.user_id}" for bot in self.bots) or "none"
        raise NotConnectedError(
            f"{self._label}: {request.action}: no implementation has a bot{of_bot(request.self)}; "
            f"give self= a bot of these: {found}"
        )

    # The end

    async def _disconnect(self) -> None:
        for socket in self._sockets:
            socket.end("the receiver was closed")
        if self._open_ones:
            closing = [
                asyncio.ensure_future(ws.close(code=WSCloseCode.GOING_AWAY))
                for ws in self._open_ones
            ]
            try:
                await asyncio.wait(closing)
            finally:
                for task in closing:
                    task.cancel()
