"""Sending the bodies of an HTTP/1.1 connection's requests."""

import asyncio
from typing import Protocol

from ...exceptions import ClientConnectionResetError
from ..body_sender import BodySender
from ..send_queue import unsent_bytes
from ..watch import Watch


class SendingConnection(Protocol):
    """The connection, as its sender uses it."""

    transport: asyncio.Transport | None

    @property
    def ended(self) -> bool:
        """Whether it is closed."""

    @property
    def may_continue(self) -> bool | None:
        """Whether ``100 Continue`` came; False if a final response did, None if neither."""

    def fail(self, error: Exception) -> None:
        """End the exchange with *error*."""


class Sender(BodySender):
    """Sends the bodies of one connection's requests to its socket."""

    __slots__ = ("_congested", "_connection", "_unsent", "_watch")

    def __init__(
        self, connection: SendingConnection, loop: asyncio.AbstractEventLoop, watch: Watch
    ) -> None:
        super().__init__(loop)
        self._connection: SendingConnection | None = connection
        self._watch = watch
        self._congested = False
        self._unsent = 0  # bytes, at the last check

    def close(self) -> None:
        """Stop sending, and forget the connection."""
        self._connection = None
        super().close()

    @property
    def may_continue(self) -> bool | None:
        """Whether ``100 Continue`` came; False if a final response did, None if neither."""
        return False if self._connection is None else self._connection.may_continue

    def _finished(self, now: float) -> None:
        self._watch.last_activity = now

    def _fail_exchange(self, error: Exception) -> None:
        if self._connection is not None:
            self._connection.fail(error)

    # Flow control

    def pause(self) -> None:
        """Make ``write()`` wait: the transport's buffer is full."""
        self._congested = True

    def resume(self) -> None:
        """Let ``write()`` continue."""
        self._congested = False
        self._wake()

    def is_moving(self, transport: asyncio.Transport | None) -> bool:
        """Tell whether the request is still being sent, and makes progress."""
        if self._task is not None and self._continue is None and not self._congested:
            return True  # waiting for the body's source
        unsent = 0 if transport is None else unsent_bytes(transport)
        moves = unsent != 0 and unsent != self._unsent
        self._unsent = unsent
        return moves

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write to the socket; wait while its buffer is full.

        Raises:
            ClientConnectionResetError: the connection is closed.
        """
        connection = self._connection
        transport = None if connection is None else connection.transport
        if connection is None or connection.ended or transport is None:
            raise _closed()
        if transport.is_closing():
            # It broke at the last write: the event loop will report it soon, after the response if there is one.
            await self._wait_for_room()
            raise _closed()
        transport.write(data)
        self._watch.moved()
        if self._congested:
            self._unsent = unsent_bytes(transport)
        await self._written(len(data), self._congested)


def _closed() -> ClientConnectionResetError:
    return ClientConnectionResetError("the connection was closed while the request body was sent")
