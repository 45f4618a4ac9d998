"""The bytes exchanged with a proxy before the connection to the server exists."""

import asyncio
import socket
from typing import Any, Final, Protocol, cast

READ_SIZE: Final = 16 * 1024  # bytes at a time; the answer of a proxy has a few hundred


class Wire(Protocol):
    """A byte stream to a proxy."""

    async def send(self, data: bytes) -> None:
        """Send all of *data*."""

    async def receive(self, most: int = READ_SIZE) -> bytes:
        """Return the next bytes, at least one and at most *most*; none at the end."""


class SocketWire:
    """A connected socket: unread bytes stay in it for its next user."""

    __slots__ = ("_loop", "_sock")

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._loop = loop
        self._sock = sock

    async def send(self, data: bytes) -> None:
        """Send all of *data*."""
        await self._loop.sock_sendall(self._sock, data)

    async def receive(self, most: int = READ_SIZE) -> bytes:
        """Return the next bytes, at least one and at most *most*; none at the end."""
        return await self._loop.sock_recv(self._sock, most)


class TransportWire(asyncio.Protocol):
    """A transport, for TLS to the proxy."""

    __slots__ = ("_data", "_ended", "_error", "_loop", "_waiter", "transport")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._data = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None

    @property
    def unread(self) -> bool:
        """Whether there are unread bytes."""
        return bool(self._data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (called by the event loop)."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Keep a segment (called by the event loop)."""
        self._data += data
        self._wake()

    def eof_received(self) -> None:
        """Note the end (called by the event loop)."""
        self._ended = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end (called by the event loop)."""
        self._ended = True
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def send(self, data: bytes) -> None:
        """Pass *data* to the transport: a request for a tunnel always fits its buffer."""
        cast(asyncio.Transport, self.transport).write(data)

    async def receive(self, most: int = READ_SIZE) -> bytes:
        """Return the next bytes, at least one and at most *most*; none at the end.

        Raises:
            OSError: the connection broke.
        """
        if not self._data and not self._ended:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if not self._data and self._error is not None:
            raise OSError(getattr(self._error, "errno", None), str(self._error)) from self._error
        data = bytes(self._data[:most])
        del self._data[:most]
        return data


class Nested(asyncio.Transport):
    """A TLS transport of asyncio that may carry TLS itself.

    asyncio uses its own class for that, and until Python 3.11.8 and 3.12.2 that fails when it has to close at once: a
    failed inner handshake ended only after its timeout of 60 s. Everything else is passed on.
    """

    _start_tls_compatible = True  # asyncio requires it of a transport

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport

    def _force_close(self, error: BaseException | None) -> None:
        self._transport.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return extra information about the connection."""
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Pass incoming data to *protocol*."""
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the current protocol."""
        return self._transport.get_protocol()

    def is_closing(self) -> bool:
        """Tell whether it is closed, or closing."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close it after everything is sent."""
        if not self._transport.is_closing():  # see Http1Connection.close()
            self._transport.close()

    def abort(self) -> None:
        """Close it now."""
        self._transport.abort()

    def is_reading(self) -> bool:
        """Tell whether it reads."""
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        """Stop reading."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*."""
        self._transport.write(data)

    def get_write_buffer_size(self) -> int:
        """Return the number of unsent bytes."""
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the limits of the write buffer."""
        self._transport.set_write_buffer_limits(high, low)
