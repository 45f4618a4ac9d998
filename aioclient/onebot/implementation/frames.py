"""Messages to the peer of a WebSocket, as many in one write as wait: most of what one costs is its system call."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeAlias

from aiohttp import WSMsgType, web

from ...websocket import ClientWebSocketResponse
from .steps import rest_of

FIN: Final = 0x80  # the bit of a frame that is the last of its message; RFC 6455, section 5.2
BATCH: Final = 64 * 1024
"""Bytes of messages in one write: as many as the event loop lets wait in a transport."""


class BinaryMessage(bytes):
    """A message that is sent as binary; others are sent as text."""

    __slots__ = ()


Send: TypeAlias = Callable[[Sequence[bytes]], Callable[[], Awaitable[None]] | None]
"""Writes messages in order. While the peer does not read, it returns a function: await its result before the next ones.
Either raises OSError or ClientError when the peer has gone."""


def send_by_client(ws: ClientWebSocketResponse) -> Send:
    """Return what sends to the server of *ws*."""

    def send(messages: Sequence[bytes]) -> Callable[[], Awaitable[None]] | None:
        sending = ws.send_frames([(message, _opcode(message)) for message in messages])
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return None
        return partial(rest_of, sending, waits_for)  # nothing else waits for the same

    return send


def send_by_server(ws: web.WebSocketResponse, request: web.BaseRequest) -> Send:
    """Return what sends to the client of *ws*, the answer to *request*; whole frames, beside those of *ws* itself."""

    def send(messages: Sequence[bytes]) -> Callable[[], Awaitable[None]] | None:
        transport = request.transport
        if ws.closed or transport is None or transport.is_closing():
            raise ConnectionResetError("the WebSocket is closed")
        transport.write(
            b"".join([part for message in messages for part in (frame_head(message), message)])
        )
        # Pongs of *ws* may wait for the same: a wait begins in the task that goes on with it.
        return request.writer.drain if request.protocol.writing_paused else None

    return send


def _opcode(message: bytes) -> WSMsgType:
    return WSMsgType.BINARY if type(message) is BinaryMessage else WSMsgType.TEXT


def frame_head(message: bytes) -> bytes:
    """Return the first bytes of an unmasked frame with *message*: RFC 6455, section 5.2."""
    first, size = FIN | _opcode(message), len(message)
    if size < 126:
        return bytes((first, size))
    if size < 2**16:
        return bytes((first, 126, size >> 8, size & 0xFF))
    return bytes((first, 127)) + size.to_bytes(8, "big")
