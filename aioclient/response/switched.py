"""A connection after ``101 Switching Protocols``, as aiohttp's protocol lets others drive it.

Libraries that speak a protocol of their own then, such as aiodocker, read ``response.connection.protocol`` and use
some of the methods that aiohttp's has; these are here. The socket goes on being read by the HTTP connection, which
keeps what comes, until ``set_parser()``.
"""

import asyncio
from typing import Protocol

from ..exceptions import ClientConnectionResetError


class TakenOver(Protocol):
    """A connection after the server switched protocols (101), or a stream after it did (RFC 8441).

    Attributes:
        transport: The transport for the new protocol, after its ``set_protocol()``; None once it is lost.
        buffer: The buffer that the event loop reads into, for a protocol without its own; None to receive bytes.
    """

    transport: asyncio.Transport | None
    buffer: memoryview | None

    def take_rest(self) -> bytes:
        """Return the bytes after the head of the response; call it once."""

    def pause_reading(self) -> None:
        """Stop receiving."""

    def resume_reading(self) -> None:
        """Receive again."""

    def close(self) -> None:
        """Close it after everything that was written is sent."""

    def abort(self) -> None:
        """Close it now."""

    def lost(self, error: Exception | None) -> None:
        """Note that the transport was closed: the new protocol passes on its ``connection_lost()``."""


class Parser(Protocol):
    """What is fed with the bytes that come."""

    def feed_data(self, data: bytes) -> object:
        """Take more."""

    def feed_eof(self) -> None:
        """Take the end."""


class SwitchedProtocol(asyncio.Protocol):
    """The methods of aiohttp's protocol that a protocol of one's own needs.

    Attributes:
        transport: the event loop's transport; None once the connection is lost.
    """

    __slots__ = ("_can_write", "_loop", "_parser", "_reading_paused", "_taken", "transport")

    def __init__(
        self, taken: TakenOver, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._taken = taken
        self._loop = loop
        self._parser: Parser | None = None
        self._can_write: asyncio.Future[None] | None = (
            None  # there while the socket's buffer is full
        )
        self._reading_paused = False
        self.transport: asyncio.Transport | None = transport

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        return self.transport is not None

    def set_parser(self, parser: Parser, payload: object) -> None:
        """Feed *parser* with all that came after the head of the response, and with what comes.

        *payload*, where the parser puts what it has read, is the parser's own.
        """
        first = self._parser is None
        self._parser = parser
        if not first or self.transport is None:
            return
        rest = self._taken.take_rest()
        self.transport.set_protocol(self)
        if rest:
            parser.feed_data(rest)
        if not self._reading_paused:
            self._taken.resume_reading()

    def force_close(self) -> None:
        """Do nothing: a connection that has switched is never used again."""

    def pause_reading(self) -> None:
        """Stop reading from the socket."""
        self._reading_paused = True
        self._taken.pause_reading()

    def resume_reading(self) -> None:
        """Continue to read from it."""
        self._reading_paused = False
        self._taken.resume_reading()

    async def _drain_helper(self) -> None:
        """Wait until the socket's buffer has room.

        Raises:
            ClientConnectionResetError: the connection is lost.
        """
        if self.transport is None:
            raise ClientConnectionResetError("Connection lost")
        if self._can_write is not None:
            await asyncio.shield(self._can_write)

    # What the event loop calls

    def data_received(self, data: bytes) -> None:
        """Pass it to the parser."""
        if self._parser is not None:
            self._parser.feed_data(data)

    def pause_writing(self) -> None:
        """Let writers wait."""
        self._can_write = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let them go on."""
        waiter, self._can_write = self._can_write, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Pass the end to the parser, and to the HTTP connection."""
        self.transport = None
        self.resume_writing()
        if self._parser is not None:
            self._parser.feed_eof()
        self._taken.lost(error)
