"""WebSockets to implementations: one socket, whoever opened it, and the one that a client opens again and again.

The rules:

* Answers are matched by ``echo``, which is a number of this socket: no other socket's calls can be answered here.
* When the socket ends, the calls that wait for answers fail at once.
* A message that is neither an event nor an answer is logged and left out; after ``MOST_UNREADABLE`` of them in a row
  the socket is closed.
* One task reads. It pauses while events wait for their listeners, unless a call waits for its answer.
"""

import asyncio
import itertools
import logging
from contextlib import aclosing
from typing import Any, Final, TypeAlias, cast

from aiohttp import ClientWSTimeout, WSCloseCode, WSMessage, WSMsgType, web

from ...exceptions import ClientError, HandshakeRefusedError, WSReconnectError
from ...reconnecting import ReconnectingWebSocket, ReconnectPolicy
from ...session import ClientSession
from ...websocket import ClientWebSocketResponse
from ..actions import ActionRequest, ActionResponse
from ..authorization import authorization
from ..encoding import MAX_MESSAGE, Encoding, decode, encode
from .answers import result_of
from .bots import KnownBots
from .errors import (
    CallTimeoutError,
    DisconnectedError,
    InvalidAnswerError,
    NotConnectedError,
    TokenRefusedError,
)
from .intake import Intake

MOST_UNREADABLE: Final = 10
CLOSE_LIMIT: Final = 5.0  # seconds for the peer's close frame
REFUSALS: Final = (401, 403)

WebSocketLike: TypeAlias = "ClientWebSocketResponse | web.WebSocketResponse"

_log = logging.getLogger("aioclient.onebot.application")


class ImplementationSocket:
    """An open WebSocket with an implementation.

    Args:
        ws: the WebSocket.
        label: the peer, for messages.
        encoding: of actions; JSON is sent as text, MessagePack as binary messages.
        intake: takes the events.
        bots: those of this socket.
    """

    def __init__(
        self,
        ws: WebSocketLike,
        label: str,
        encoding: Encoding,
        intake: Intake,
        bots: KnownBots,
    ) -> None:
        self.label = label
        self.source = ""
        self.bots = bots
        self._ws = ws
        self._encoding = encoding
        self._intake = intake
        self._echoes = itertools.count(1)
        self._pending: dict[str, asyncio.Future[ActionResponse]] = {}
        self._ended: str | None = None
        self._unreadable = 0
        self._is_left = False

    # Calls

    async def perform(self, request: ActionRequest) -> object:
        """Send *request*, and return the data of its answer; see ``ActionCaller.perform()``.

        Raises:
            SocketEndedError: the socket had ended before.
        """
        request = self.bots.fill_in(request)
        echo = str(next(self._echoes))
        message = encoded(
            ActionRequest(request.action, request.params, request.self, echo), self._encoding
        )
        if self._ended is not None or self._ws.closed or self._ws.close_code is not None:
            self._is_left = True
            self._intake.stream.changed()  # the reader may wait for room, and not know that it has ended
            raise SocketEndedError(
                f"{self.label}: {request.action}: {self._reason()}; nothing was sent"
            )
        answer = asyncio.get_running_loop().create_future()
        self._pending[echo] = answer
        self._intake.stream.changed()  # the reader may wait for room
        try:
            await self._send(message, request.action)
            return result_of(await answer, request.action)
        except _LostError as lost:
            raise DisconnectedError(self.label, request.action, str(lost)) from None
        finally:
            del self._pending[echo]
            if answer.done() and not answer.cancelled():
                answer.exception()

    async def _send(self, message: bytes, action: str) -> None:
        try:
            if self._encoding is Encoding.JSON:
                await self._ws.send_str(message.decode())
            else:
                await self._ws.send_bytes(message)
        except ConnectionError as error:
            raise DisconnectedError(self.label, action, "it could not be sent") from error

    def _has_to_read(self) -> bool:
        return bool(self._pending) or self._is_left

    # Reading

    async def serve(self) -> None:
        """Read until the socket ends; then fail the calls that wait."""
        stream = self._intake.stream
        try:
            while True:
                await stream.wait_room(self._has_to_read)
                message = await self._ws.receive()
                if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
                    await self.take(message)
                elif message.type in _ENDS:
                    return
        finally:
            self.end(self._reason())

    def _reason(self) -> str:
        if self._ended is not None:
            return self._ended
        code = self._ws.close_code
        return "the WebSocket was closed" if code is None else f"the WebSocket ended with {code}"

    async def take(self, message: WSMessage) -> None:
        """Take in a message."""
        problem = self._read(message)
        if problem is None:
            self._unreadable = 0
            return
        _log.warning("%s: %s", self.label, problem)
        self._unreadable += 1
        if self._unreadable >= MOST_UNREADABLE:
            await self._ws.close(
                code=WSCloseCode.POLICY_VIOLATION, message=b"neither events nor answers"
            )

    def _read(self, message: WSMessage) -> str | None:
        """Take in a message; return what is wrong with it."""
        encoding = Encoding.JSON if message.type is WSMsgType.TEXT else Encoding.MSGPACK
        try:
            data = decode(message.data, encoding)
        except (ValueError, ClientError) as error:
            return f"received a message that cannot be read: {error}"
        if not isinstance(data, dict):
            return f"received {type(data).__name__}, which is neither an event nor an answer"
        if "type" not in data:
            return self._answer(data)
        return self._intake.take(data, len(message.data), source=self.source, bots=self.bots)

    def _answer(self, data: dict[str, Any]) -> str | None:
        """Give an answer to who waits for it; return what is wrong with it."""
        echo = data.get("echo")
        answer = self._pending.get(echo) if isinstance(echo, str) else None
        try:
            response = ActionResponse.parse(data)
        except ValueError as error:
            if answer is None or answer.done():
                return f"received what is neither an event nor an answer: {error}"
            answer.set_exception(InvalidAnswerError(f"{self.label}: {error}"))
            return None
        if answer is None or answer.done():
            # After a timeout that is nobody's fault.
            _log.info("%s: received an answer that nobody waits for", self.label)
        else:
            answer.set_result(response)
        return None

    # The end

    def end(self, reason: str) -> None:
        """Fail the calls that wait, and all further ones."""
        if self._ended is None:
            self._ended = reason
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(_LostError(self._ended))

    async def close(self, code: int = WSCloseCode.OK, reason: str = "closed by this side") -> None:
        """Close the socket; calls that wait fail."""
        self.end(reason)
        await self._ws.close(code=code)


class SocketEndedError(NotConnectedError):
    """A socket has ended before an action was sent on it; another one may do."""


class _LostError(Exception):
    """The socket has ended; the text says how."""


_ENDS: Final = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


def encoded(request: ActionRequest, encoding: Encoding) -> bytes:
    """Return *request* as a message.

    Raises:
        TypeError, ValueError: its parameters cannot be encoded, or it is longer than peers accept.
    """
    message = encode(request.to_dict(), encoding)
    if len(message) > MAX_MESSAGE:
        raise ValueError(
            f"{request.action}: the request has {len(message)} bytes, and peers take {MAX_MESSAGE}; "
            "upload_file() sends files in fragments"
        )
    return message


class ForwardWebSocket:
    """The WebSocket of a client, which is opened again when it ends.

    Args:
        session: what opens it.
        url: of the implementation.
        label: the same without secrets.
    """

    def __init__(
        self,
        session: ClientSession,
        url: str,
        label: str,
        *,
        access_token: str | None,
        encoding: Encoding,
        handshake_timeout: float | None,
        policy: ReconnectPolicy,
        intake: Intake,
        bots: KnownBots,
    ) -> None:
        self.label = label
        self._encoding = encoding
        self._intake = intake
        self._bots = bots
        self._socket: ImplementationSocket | None = None
        self._reconnecting: ReconnectingWebSocket = session.ws_reconnecting(
            url,
            policy=policy,
            headers=authorization(access_token),
            allow_redirects=False,
            max_msg_size=MAX_MESSAGE,
            handshake_timeout=handshake_timeout,
            timeout=ClientWSTimeout(ws_close=CLOSE_LIMIT),
        )

    @property
    def is_connected(self) -> bool:
        """Whether a WebSocket is open."""
        return self._socket is not None

    async def run(self) -> None:
        """Keep a WebSocket open until ``close()``.

        Raises:
            TokenRefusedError: the token was refused.
            WSReconnectError: the policy allows no further attempt.
        """
        try:
            async with aclosing(cast(Any, aiter(self._reconnecting))) as sockets:
                async for ws in sockets:
                    await self._serve(ws)
        except WSReconnectError as error:
            cause = error.__cause__
            if isinstance(cause, HandshakeRefusedError) and cause.status in REFUSALS:
                raise TokenRefusedError(self.label, cause.status) from cause
            raise

    async def _serve(self, ws: ClientWebSocketResponse) -> None:
        socket = ImplementationSocket(ws, self.label, self._encoding, self._intake, self._bots)
        self._socket = socket
        self._intake.stream.changed()  # calls may wait for it
        try:
            await socket.serve()
        finally:
            self._socket = None
            self._bots.clear()

    async def perform(self, request: ActionRequest, limit: float | None) -> object:
        """Send *request* on the socket, or on the next one if there is none, and return the answer's data."""
        socket: ImplementationSocket | None = None
        try:
            async with asyncio.timeout(limit) as scope:
                while True:
                    socket = await self._wait_socket(request.action, socket)
                    try:
                        return await socket.perform(request)
                    except SocketEndedError:
                        continue
        except TimeoutError:
            if not scope.expired():
                raise
            found = "there was no connection" if socket is None else "no answer came"
            raise CallTimeoutError(
                self.label, request.action, cast(float, limit), found
            ) from self._reconnecting.last_error

    async def _wait_socket(
        self, action: str, ended: ImplementationSocket | None
    ) -> ImplementationSocket:
        """Return the socket, which is not the one that has ended."""
        stream = self._intake.stream
        await stream.wait_until(lambda: self._socket not in (None, ended) or stream.ended)
        if self._socket is not None and self._socket is not ended:
            return self._socket
        failure = stream.failure()
        if isinstance(failure, TokenRefusedError):
            raise failure
        raise NotConnectedError(f"{self.label}: {action}: there will be no connection") from failure

    async def close(self) -> None:
        """Close the WebSocket, and open it no more; calls that wait fail."""
        if self._socket is not None:
            self._socket.end("the client was closed")
        await self._reconnecting.close()
