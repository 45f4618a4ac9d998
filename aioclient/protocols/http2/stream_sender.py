"""Sending the body of a request on its stream."""

import asyncio
from typing import Final, Protocol

from ...exceptions import ClientConnectionResetError
from ...exchange import Exchange
from ..body_sender import BodySender
from .codec import Codec
from .states import CLOSED
from .streams import Stream

LOW: Final = 64 * 1024
"""Bytes that wait for the server's window before the body's source has to wait."""


class SendingExchange(Protocol):
    """The exchange whose body is sent."""

    exchange: Exchange
    stream: Stream | None
    last_activity: float

    @property
    def codec(self) -> Codec:
        """The codec that gets the body."""

    def flush(self) -> None:
        """Send what can be sent."""

    def fail(self, error: Exception) -> None:
        """End the exchange with *error*."""


class StreamSender(BodySender):
    """Sends the body of one exchange to the codec."""

    __slots__ = ("_sending",)

    def __init__(self, sending: SendingExchange, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._sending: SendingExchange | None = sending

    @property
    def waits(self) -> bool:
        """Whether it waits for the server: for its window, or ``100 Continue``."""
        return self._room is not None or self._continue is not None

    def drained(self) -> None:
        """Continue: everything that was handed over is sent."""
        if self._sending is not None:
            self._sending.last_activity = self._loop.time()
        self._wake()

    def close(self) -> None:
        """Stop sending, and forget the exchange."""
        self._sending = None
        super().close()

    @property
    def may_continue(self) -> bool | None:
        """Whether ``100 Continue`` came; False if a final response did, None if neither."""
        stream = None if self._sending is None else self._sending.stream
        if stream is None or stream.head is not None:
            return False
        return None

    def _finished(self, now: float) -> None:
        sending = self._sending
        if sending is not None and sending.stream is not None:
            sending.last_activity = now
            sending.codec.send(sending.stream, b"", end=True)
            sending.flush()

    def _fail_exchange(self, error: Exception) -> None:
        if self._sending is not None:
            self._sending.fail(error)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hand over a piece; wait while much of the earlier pieces is unsent.

        Raises:
            ClientConnectionResetError: the stream is closed.
        """
        sending = self._sending
        stream = None if sending is None else sending.stream
        if sending is None or stream is None or stream.state is CLOSED:
            raise ClientConnectionResetError(
                "the stream was closed while the request body was sent"
            )
        piece = bytes(data)  # a source may reuse its buffer
        sending.codec.send(stream, piece, end=False)
        sending.flush()
        upload = stream.upload
        await self._written(len(piece), upload is not None and upload.unsent > LOW)
