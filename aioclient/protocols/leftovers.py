"""Bytes in a socket that nobody has read yet.

They matter at two moments:

* Before a connection is reused. Bytes or an end in its socket belong to no request of ours; the next request must not
  be written, or they would be taken for its response (RFC 9112, section 9.2). ``input_poll()`` checks without reading.
* When a write has failed. A server that refuses an upload answers, closes, and the kernel resets the connection; the
  answer is still in our socket, but event loops close it without reading. ``read_leftovers()`` reads it; under TLS
  ``LeftoversProtocol`` does, between the socket's transport and the event loop's TLS protocol.
"""

import asyncio
import errno
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

# Bytes read at a time.
_READ_SIZE: Final = 64 * 1024
# The size of a kernel's buffer for one socket is of this order (Linux: net.ipv4.tcp_rmem, 6 MiB).
_MOST: Final = 16 * 1024 * 1024


def input_poll(transport: asyncio.BaseTransport) -> Callable[[float], object]:
    """Return a function that, called with 0, tells whether *transport*'s socket has bytes, an end or an error to read.

    Make it once for each connection: each call is then a single ``poll()``.
    """
    sock = transport.get_extra_info("socket")
    descriptor = -1 if sock is None else sock.fileno()
    if descriptor < 0:
        return _nothing
    if not hasattr(select, "poll"):  # Windows
        return lambda timeout: select.select((descriptor,), (), (), timeout)[0]
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return poll.poll


def _nothing(timeout: float) -> bool:
    return False


def read_leftovers(transport: asyncio.BaseTransport) -> Iterator[bytes]:
    """Read the rest in *transport*'s socket, from ``connection_lost()``: the event loop closes the socket
    afterwards.
    """
    shown = transport.get_extra_info("socket")
    descriptor = -1 if shown is None else shown.fileno()
    if descriptor < 0:
        return
    # The event loop's socket object has no recv().
    sock = socket.socket(fileno=descriptor)
    read = 0
    try:
        sock.setblocking(False)
        while read < _MOST:
            try:
                data = sock.recv(_READ_SIZE)
            except OSError:  # nothing is left, and how the connection ended is already known
                return
            if not data:
                return
            read += len(data)
            yield data
    finally:
        sock.detach()


class LeftoversProtocol(asyncio.BufferedProtocol):
    """Feeds the rest in the socket to the event loop's TLS protocol, before that learns that the connection is lost.

    Put it between the two with ``transport.set_protocol()`` after the handshake. Normal reads go to the TLS protocol
    directly.

    Args:
        transport: The transport of the socket.
        secured: The transport that the TLS protocol provides.
    """

    def __init__(self, transport: asyncio.Transport, secured: asyncio.Transport) -> None:
        tls: Any = transport.get_protocol()
        self._transport = transport
        self._secured = secured
        self._tls = tls
        # As attributes of the object they cost no further call for each read.
        own: Any = self
        own.get_buffer = tls.get_buffer
        own.buffer_updated = tls.buffer_updated
        own.eof_received = tls.eof_received
        own.pause_writing = tls.pause_writing
        own.resume_writing = tls.resume_writing

    def connection_lost(self, error: Exception | None) -> None:
        """Feed the rest, if the connection broke, and pass the call on (called by the event loop)."""
        try:
            if error is not None and not self._secured.is_closing():  # otherwise nobody reads
                self._feed()
        finally:
            self._tls.connection_lost(error)

    def _feed(self) -> None:
        tls = self._tls
        self._secured.resume_reading()  # while paused, TLS keeps data back
        for data in read_leftovers(self._transport):
            view = memoryview(data)
            while view:
                buffer = memoryview(tls.get_buffer(len(view)))
                size = min(len(view), len(buffer))
                buffer[:size] = view[:size]
                tls.buffer_updated(size)
                view = view[size:]


class BeforeTLS(asyncio.Protocol):
    """Holds the transport of a socket until ``start_tls()``; a server must not send anything before that."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._spoken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport, and pause reading (called by the event loop)."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Note that the server does not speak TLS (called by uvloop, which reads in spite of the pause)."""
        self._spoken = True

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the transport (called by the event loop)."""
        self._transport = None

    def take(self) -> asyncio.Transport:
        """Return the transport, for ``start_tls()`` at once.

        Raises:
            ssl.SSLError: the server sent something already.
            ConnectionResetError: it closed the connection.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError(
                errno.ECONNRESET, "the connection was closed before the TLS handshake"
            )
        if self._spoken:
            transport.abort()
            raise ssl.SSLError(0, "the server sent something else than a TLS handshake")
        return transport


class AwaitingALPN(asyncio.Protocol):
    """Stores the bytes after a TLS handshake until ALPN tells which protocol reads them."""

    def __init__(self) -> None:
        self._received: list[bytes] = []
        self._ended = False
        self._lost = False
        self._error: Exception | None = None

    def data_received(self, data: bytes) -> None:
        """Store a segment (called by the event loop)."""
        self._received.append(data)

    def eof_received(self) -> bool:
        """Note the end, and let the transport close itself (called by the event loop)."""
        self._ended = True
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Note it (called by the event loop)."""
        self._lost = True
        self._error = error

    def hand_over(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        """Let *protocol* read from *transport*, beginning with the stored bytes."""
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        for data in self._received:
            protocol.data_received(data)
        if self._ended:
            protocol.eof_received()
        if self._lost:
            protocol.connection_lost(self._error)
