"""A stream that carries another protocol both ways, as the transport of that one: a WebSocket (RFC 8441, section 5).

The rules:

* Data that comes while nobody reads waits here, at most one window of the stream: the window is not enlarged
  meanwhile.
* What is written waits for the server's windows; past ``HIGH_WATER`` the writer waits until all of it is sent.
* The server's END_STREAM acts like the end of a socket, and its RST_STREAM like a reset. Data that it sent before is
  read first.
* The server ends first, as it closes a socket first (RFC 6455, section 7.1.1); then the stream is reset. It has
  ``LINGER`` seconds for that. An END_STREAM of ours would be orderly, too; hypercorn 0.18 loses its connection by it.
"""

import asyncio
from collections import deque
from typing import Any, Final, Protocol, cast

from ...response.stream import BodySource
from .codec import Codec
from .streams import Stream

HIGH_WATER: Final = 64 * 1024  # bytes, as the buffer of a socket's transport
LINGER: Final = 2.0  # seconds, as for the goodbye of TLS


class TunnelExchange(BodySource, Protocol):
    """The exchange whose stream it is."""

    @property
    def codec(self) -> Codec:
        """The object that frames are handed to."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""

    @property
    def below(self) -> asyncio.Transport | None:
        """The connection's transport."""

    def flush(self) -> None:
        """Send what can be sent."""

    def end_lease(self) -> None:
        """Let go of the response."""

    def end(self) -> None:
        """End the exchange, and reset its stream if it is open."""


class StreamTunnel(asyncio.Transport):
    """What is left of an exchange whose server agreed to another protocol: a ``TakenOver``, and its transport.

    The exchange feeds it as it feeds the reader of a body: ``feed_data()``, ``feed_eof()``, ``set_exception()``.
    """

    buffer: memoryview | None = None

    def __init__(self, exchange: TunnelExchange, stream: Stream) -> None:
        super().__init__()
        self.transport: asyncio.Transport | None = self
        self._exchange = exchange
        self._stream = stream
        self._protocol: asyncio.Protocol | None = None
        self._unread: deque[bytes] = deque()
        self._reading = False
        self._ended = False  # the server has sent its end
        self._closing = False
        self._congested = False  # the protocol was paused
        self._timer: asyncio.TimerHandle | None = None
        exchange.pause_reading()

    @property
    def is_unclaimed(self) -> bool:
        """Whether no protocol has taken it over yet."""
        return self._protocol is None

    # What comes

    def feed_data(self, data: bytes) -> None:
        """Take a piece (called by the exchange)."""
        if self._closing:
            return
        self._unread.append(data)
        if self._reading:
            self._deliver()

    def feed_eof(self) -> None:
        """Take the server's end (called by the exchange)."""
        self._ended = True
        if self._closing:
            self._lose(None)
        elif self._reading:
            self._deliver()

    def set_exception(self, error: BaseException) -> None:
        """Note that the stream was reset, or lost with its connection (called by the exchange)."""
        self._lose(cast(Exception | None, error.__cause__))

    def _deliver(self) -> None:
        """Hand on what came, as long as somebody reads."""
        protocol, unread = self._protocol, self._unread
        while unread and self._reading and protocol is not None:
            protocol.data_received(unread.popleft())
        if self._ended and self._reading and not self._closing and protocol is not None:
            protocol.eof_received()
            self.close()

    def take_rest(self) -> bytes:
        """Return the data that came after the head of the response."""
        rest = b"".join(self._unread)
        self._unread.clear()
        return rest

    def pause_reading(self) -> None:
        """Stop the data, except what is already under way."""
        if self._reading:
            self._reading = False
            self._exchange.pause_reading()

    def resume_reading(self) -> None:
        """Let data come again, in the next iteration of the event loop."""
        if not self._reading and not self._closing:
            self._reading = True
            self._exchange.resume_reading()
            self._exchange.loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        """Return whether incoming data is handed on."""
        return self._reading

    # What is sent

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*, which must not change, as the server's windows allow."""
        if self._closing:
            return
        exchange = self._exchange
        exchange.codec.send(self._stream, data, end=False)
        exchange.flush()
        if not self._congested and self.get_write_buffer_size() > HIGH_WATER:
            self._congested = True
            if self._protocol is not None:
                self._protocol.pause_writing()

    def drained(self) -> None:
        """Let the writer go on: all that was written is sent (called by the exchange)."""
        if self._congested:
            self._congested = False
            if self._protocol is not None:
                self._protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        """Return the bytes that wait for the server's windows."""
        upload = self._stream.upload
        return 0 if upload is None else upload.unsent

    # Ends

    def close(self) -> None:
        """Give the server some time for its end; what was written is sent meanwhile."""
        if self._closing:
            return
        exchange = self._exchange
        self._closing = True
        exchange.end_lease()
        self._unread.clear()
        exchange.resume_reading()  # what still comes is dropped, and must not stand in the way of the end
        if self._ended:
            self._lose(None)
        else:
            self._timer = exchange.loop.call_later(LINGER, self.abort)

    def abort(self) -> None:
        """Reset the stream."""
        self._closing = True
        self._lose(None)

    def lost(self, error: Exception | None) -> None:
        """Do nothing: the stream has ended already (called by the protocol that took it over)."""

    def _lose(self, error: Exception | None) -> None:
        """End the exchange; tell the protocol, of all that came before as well."""
        if self.transport is None:
            return
        self.transport = None
        by_us, self._closing = self._closing, True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        rest = [] if by_us else list(self._unread)
        self._unread.clear()
        exchange = self._exchange
        if self._protocol is not None:
            exchange.loop.call_soon(_tell_loss, self._protocol, rest, error)
        exchange.end()

    def is_closing(self) -> bool:
        """Tell whether nothing can be written any more."""
        return self._closing

    # The protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give incoming data to *protocol*."""
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that gets the incoming data."""
        return cast(asyncio.BaseProtocol, self._protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the connection's transport knows, but for its socket, which others use as well."""
        below = self._exchange.below
        return default if name == "socket" or below is None else below.get_extra_info(name, default)


def _tell_loss(protocol: asyncio.Protocol, rest: list[bytes], error: Exception | None) -> None:
    for data in rest:
        protocol.data_received(data)
    protocol.connection_lost(error)
