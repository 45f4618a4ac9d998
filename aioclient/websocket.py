"""A WebSocket as its user sees it: messages in, messages out."""

import asyncio
import json as json_module
from collections import deque
from collections.abc import Callable, Iterable
from types import GenericAlias, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from aiohttp import WSMessage, WSMsgType

from .exceptions import ServerTimeoutError, WSMessageTypeError, WSReceiveTimeoutError
from .protocols.websocket.connection import WebSocketConnection
from .protocols.websocket.frames import BINARY, NORMAL, TEXT, is_close_code
from .response.client_response import ClientResponse

_CLOSED: Final = WSMessage(WSMsgType.CLOSED, None, None)
_CLOSING: Final = WSMessage(WSMsgType.CLOSING, None, None)
_ENDS: Final = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)
_TEXT: Final = WSMsgType.TEXT
_BINARY: Final = WSMsgType.BINARY
# WSMessage(...) would run a Python function first.
_new: Final = cast(Callable[[type[WSMessage], tuple[object, ...]], WSMessage], tuple.__new__)


class ClientWebSocketResponse:
    """An open WebSocket.

    Use it as ``async with session.ws_connect(url) as ws``, and receive with ``async for message in ws``. Messages are
    ``aiohttp.WSMessage`` with a ``type``, ``data`` and ``extra``.

    Any number of tasks may send at a time; one may receive. Pings are answered and pongs are checked whether or not a
    task receives.
    """

    __slots__ = (
        "__weakref__",
        "_autoclose",
        "_close_limit",
        "_close_reason",
        "_closed",
        "_closed_by_us",
        "_closing",
        "_connection",
        "_protocol",
        "_queue",
        "_receive_limit",
        "_response",
    )

    if not TYPE_CHECKING:
        # aiohttp's is generic, and annotations such as ClientWebSocketResponse[bool] are evaluated.
        __class_getitem__ = classmethod(GenericAlias)

    def __init__(
        self,
        response: ClientResponse,
        connection: WebSocketConnection,
        *,
        protocol: str | None,
        autoclose: bool,
        receive_limit: float | None,
        close_limit: float | None,
    ) -> None:
        self._response = (
            response  # its lease of the connection warns if this object is dropped unclosed
        )
        self._connection = connection
        self._queue = connection.reader.queue
        self._protocol = protocol
        self._autoclose = autoclose
        self._receive_limit = receive_limit
        self._close_limit = close_limit
        self._closing = False  # a close frame was received
        self._closed = False
        self._closed_by_us = False
        self._close_reason: str | None = None

    # State

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent or received any more."""
        return self._closed or (self._connection.ended and not self._queue)

    @property
    def close_code(self) -> int | None:
        """The code of the peer's close frame (1005 without one); 1006 if the connection was lost; None while open."""
        return self._connection.code

    @property
    def close_reason(self) -> str | None:
        """The text of the peer's close frame; None before it was received, and without such a frame."""
        return self._close_reason

    @property
    def closed_by_us(self) -> bool:
        """Whether ``close()`` was called before the peer closed and before the connection was lost."""
        return self._closed_by_us

    @property
    def protocol(self) -> str | None:
        """The subprotocol the server chose, None if it chose none."""
        return self._protocol

    @property
    def compress(self) -> int:
        """The window in bits for compressed messages; 0 without compression."""
        compressor = self._connection.compressor
        return 0 if compressor is None else compressor.bits

    @property
    def client_notakeover(self) -> bool:
        """Whether each message is compressed on its own."""
        compressor = self._connection.compressor
        return compressor is not None and compressor.no_takeover

    @property
    def response(self) -> ClientResponse:
        """The answer to the handshake: its headers, cookies and history."""
        return self._response

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return extra information of the transport: ``peername``, ``ssl_object`` …; *default* if missing, or when
        closed.
        """
        return self._connection.get_extra_info(name, default)

    def exception(self) -> BaseException | None:
        """Return the exception that ended the connection; None if it was a close frame."""
        return self._connection.error

    # Sending

    async def send_str(self, data: str, compress: int | None = None) -> None:
        """Send a text message; wait while the peer does not read.

        Args:
            compress: None as negotiated, 0 not at all, 9 to 15 with a window of so many bits for this message.

        Raises:
            TypeError: *data* is not a str.
            ClientConnectionResetError: the WebSocket is closed.
            ValueError: *compress* is none of these, or compression was not negotiated.
        """
        if not isinstance(cast(object, data), str):
            raise TypeError(f"data must be a str, found {type(data).__name__}")
        connection = self._connection
        if connection.send(TEXT, data.encode(), compress):
            await connection.drain()

    async def send_bytes(
        self, data: bytes | bytearray | memoryview, compress: int | None = None
    ) -> None:
        """Send a binary message; see ``send_str()``."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(
                f"data must be bytes, bytearray or memoryview, found {type(data).__name__}"
            )
        connection = self._connection
        if connection.send(BINARY, data, compress):
            await connection.drain()

    async def send_json(
        self,
        data: Any,
        compress: int | None = None,
        *,
        dumps: Callable[[Any], str] = json_module.dumps,
    ) -> None:
        """Send *data* as JSON text; raise what *dumps* raises, and ``TypeError`` if its result is not a str."""
        await self.send_str(dumps(data), compress)

    async def send_json_bytes(
        self,
        data: Any,
        compress: int | None = None,
        *,
        dumps: Callable[[Any], bytes],
    ) -> None:
        """Send *data* as JSON in a binary message, for a *dumps* that returns bytes."""
        await self.send_bytes(dumps(data), compress)

    async def send_frame(
        self,
        message: bytes | bytearray | memoryview,
        opcode: WSMsgType,
        compress: int | None = None,
    ) -> None:
        """Send one whole message or control frame of any kind except ``CLOSE``, which has ``close()``."""
        if opcode not in _SENDABLE:
            raise _not_sendable(opcode)
        connection = self._connection
        if connection.send(int(opcode), message, compress):
            await connection.drain()

    async def send_frames(
        self, frames: Iterable[tuple[bytes | bytearray | memoryview, WSMsgType]]
    ) -> None:
        """Send several messages or control frames in one write; see ``send_frame()``.

        One write for many small ones costs a fraction of one for each. Wait while the peer does not read.

        Args:
            frames: each message with its opcode, in the order in which they are sent.
        """
        batch = list(frames)
        for _, opcode in batch:
            if opcode not in _SENDABLE:
                raise _not_sendable(opcode)
        connection = self._connection
        if connection.send_all([(int(opcode), message) for message, opcode in batch]):
            await connection.drain()

    async def ping(self, message: bytes = b"") -> None:
        """Send a ping, with at most 125 bytes that the peer returns."""
        await self.send_frame(_control_payload(message), WSMsgType.PING)

    async def pong(self, message: bytes = b"") -> None:
        """Send an unsolicited pong; pings are answered without it."""
        await self.send_frame(_control_payload(message), WSMsgType.PONG)

    # Receiving

    async def receive(self, timeout: float | None = None) -> WSMessage:
        """Return the next message.

        After the last one its type tells the end: ``CLOSE`` with the peer's code, ``ERROR`` with the exception,
            ``CLOSING`` if ``close()`` was called meanwhile, and ``CLOSED`` from then on. A cancelled call loses no
            message.

        Args:
            timeout: seconds; None for ``ClientWSTimeout.ws_receive``.

        Raises:
            WSReceiveTimeoutError: no message came within the timeout; the WebSocket stays open.
            RuntimeError: another call is waiting.
        """
        connection = self._connection
        if connection.waiter.future is not None:
            raise RuntimeError(
                f"{connection.label}: another task is receiving already; let one receive, and share what came"
            )
        queue = self._queue
        if not queue:
            if self._closed or self._closing or connection.ended:
                return await self._after_end()
            limit = self._receive_limit if timeout is None else timeout
            waiter = connection.waiter
            try:
                if limit:
                    await self._wait_within(limit)
                else:
                    await waiter.expect()
            finally:
                waiter.future = None
            queue = self._queue
            if not queue:
                return await self._after_wait()
        item = queue.popleft()
        if connection.paused and not queue:
            connection.resume()
        kind = type(item)
        if kind is str:
            return _new(WSMessage, (_TEXT, item, ""))
        if kind is bytes:
            return _new(WSMessage, (_BINARY, item, ""))
        message = cast(WSMessage, item)
        if message.type is WSMsgType.CLOSE:
            self._closing = True
            self._close_reason = message.extra or ""
            if self._autoclose:
                await self.close(code=message.data if is_close_code(message.data) else NORMAL)
        return message

    async def _wait_within(self, limit: float) -> None:
        try:
            async with asyncio.timeout(limit):
                await self._connection.waiter.expect()
        except TimeoutError:
            request = self._response.request
            raise WSReceiveTimeoutError(request.method, request.url, limit, "no message") from None

    async def _after_wait(self) -> WSMessage:
        """Return the next message after a wait that ended without one."""
        return _CLOSING if self._closed else await self._after_end()

    async def _after_end(self) -> WSMessage:
        """Return the next message when nothing more can come."""
        await self.close()
        return _CLOSED

    async def receive_str(self, *, timeout: float | None = None) -> str:
        """Return the data of the next message, which must be text (bytes with ``decode_text=False``).

        Raises:
            WSMessageTypeError: it is of another type, or the end.
            WSReceiveTimeoutError, RuntimeError: as for ``receive()``.
        """
        queue = self._queue
        if queue and type(queue[0]) is str and self._connection.waiter.future is None:
            # Without a message object, if the data are already here.
            text = cast(str, queue.popleft())
            if not queue and self._connection.paused:
                self._connection.resume()
            return text
        message = await self.receive(timeout)
        if message.type is not WSMsgType.TEXT:
            raise self._wrong_type(message, WSMsgType.TEXT)
        return cast(str, message.data)

    async def receive_bytes(self, *, timeout: float | None = None) -> bytes:
        """Return the data of the next message, which must be binary; see ``receive_str()``."""
        message = await self.receive(timeout)
        if message.type is not WSMsgType.BINARY:
            raise self._wrong_type(message, WSMsgType.BINARY)
        return cast(bytes, message.data)

    async def receive_json(
        self,
        *,
        loads: Callable[[Any], Any] = json_module.loads,
        timeout: float | None = None,
    ) -> Any:
        """Return what *loads* returns for the next message, which must be text; see ``receive_str()``."""
        return loads(await self.receive_str(timeout=timeout))

    def _wrong_type(self, message: WSMessage, wanted: WSMsgType) -> WSMessageTypeError:
        data = message.data
        found = f"{type(data).__name__} of {len(data)}" if isinstance(data, (str, bytes)) else data
        return WSMessageTypeError(
            f"{self._connection.label}: received {message.type.name} ({found}), not {wanted.name}"
        )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WSMessage:
        queue = self._queue
        if len(queue) > 1 and self._connection.waiter.future is None:
            # As receive(), without a call for each message that is already here.
            kind = type(queue[0])
            if kind is str:
                return _new(WSMessage, (_TEXT, queue.popleft(), ""))
            if kind is bytes:
                return _new(WSMessage, (_BINARY, queue.popleft(), ""))
        message = await self.receive()
        if message.type in _ENDS:
            raise StopAsyncIteration
        return message

    # The end

    async def close(self, *, code: int = NORMAL, message: bytes | str = b"") -> bool:
        """Send a close frame, wait for the peer's for ``ClientWSTimeout.ws_close`` seconds, and close the connection.

        A task that receives meanwhile gets ``CLOSING``; unread messages are dropped.

        Args:
            code: 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455, section 7.4).
            message: a reason of at most 123 bytes.

        Returns:
            False if it was already closed.

        Raises:
            ValueError: *code* or *message* cannot be sent; the WebSocket stays open.
        """
        if not self._begin_close(code, message):
            return False
        connection = self._connection
        try:
            in_time = await connection.wait_closed(self._close_limit)
        except BaseException:
            connection.abort()
            raise
        if in_time:
            connection.finish(self._close_limit)
        else:
            connection.error = ServerTimeoutError(
                f"{connection.label}: no close frame came within ws_close={self._close_limit} s"
            )
            connection.abort()
        return True

    def close_nowait(self, *, code: int = NORMAL, message: bytes | str = b"") -> None:
        """Send a close frame and close the connection, without waiting for the peer's.

        Use it where nothing can be awaited. What is not sent within ``ClientWSTimeout.ws_close`` seconds is dropped.

        Raises:
            ValueError: as for ``close()``.
        """
        if self._begin_close(code, message):
            self._connection.finish(self._close_limit)

    def _begin_close(self, code: int, message: bytes | str) -> bool:
        """Send a close frame and end all receiving; return False if that was done already."""
        if self._closed:
            return False
        connection = self._connection
        connection.send_close(code, message.encode() if isinstance(message, str) else message)
        self._closed = True
        self._closed_by_us = connection.code is None
        self._queue.clear()
        self._queue = deque()
        connection.waiter.wake_soon()
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        if not self.closed:
            state = "open"
        elif self._connection.code is None:
            state = "closing"
        else:
            state = f"closed, code {self._connection.code}"
        return f"<ClientWebSocketResponse {self._connection.label} {state}>"


_SENDABLE: Final = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)


def _not_sendable(opcode: WSMsgType) -> ValueError:
    return ValueError(
        f"opcode {opcode!r} cannot be sent; give TEXT, BINARY, PING or PONG, or call close()"
    )


def _control_payload(message: bytes | str) -> bytes:
    return message.encode() if isinstance(message, str) else message
