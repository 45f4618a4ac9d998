"""What a socket holds that nobody has read yet.

Two moments need to know:

* Before a connection is used again. Bytes or an end that already lie in its socket belong to no request of ours; the
  next request must not be written, or they would be taken for its answer (RFC 9112, section 9.2). ``input_poll()``
  looks, without reading.
* When a write has failed. A server that refuses an upload answers, closes, and the kernel resets the connection; the
  answer is still in our socket, and event loops close that without a look. ``read_leftovers()`` reads it, and under
  TLS ``LeftoversProtocol`` does, which stands between the socket's transport and the event loop's TLS protocol.
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
# What a kernel may hold for one socket is of this order (Linux: net.ipv4.tcp_rmem, 6 MiB).
_MOST: Final = 16 * 1024 * 1024


def input_poll(transport: asyncio.BaseTransport) -> Callable[[float], object]:
    """Return a function that, called with 0, tells whether *transport*'s socket has bytes, an end or an error to read.

    What it returns is true or false. Make it once for each connection: the call is then a single ``poll()``.
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
    """Read what *transport*'s socket still holds, for ``connection_lost()``: the event loop closes it behind that."""
    shown = transport.get_extra_info("socket")
    descriptor = -1 if shown is None else shown.fileno()
    if descriptor < 0:
        return
    # The event loop shows its socket without recv().
    sock = socket.socket(fileno=descriptor)
    read = 0
    try:
        sock.setblocking(False)
        while read < _MOST:
            try:
                data = sock.recv(_READ_SIZE)
            except OSError:  # nothing is left, and how the connection ended is known already
                return
            if not data:
                return
            read += len(data)
            yield data
    finally:
        sock.detach()


class LeftoversProtocol(asyncio.BufferedProtocol):
    """Feeds the event loop's TLS protocol what its socket holds, before it hears that the connection is lost.

    Put it between the two with ``transport.set_protocol()`` once the handshake is done. What is read in the normal
    course goes to the TLS protocol directly.

    Args:
        transport: The one of the socket.
        secured: The one that the TLS protocol offers.
    """

    def __init__(self, transport: asyncio.Transport, secured: asyncio.Transport) -> None:
        tls: Any = transport.get_protocol()
        self._transport = transport
        self._secured = secured
        self._tls = tls
        # As attributes of the object they cost no call more for each read.
        own: Any = self
        own.get_buffer = tls.get_buffer
        own.buffer_updated = tls.buffer_updated
        own.eof_received = tls.eof_received
        own.pause_writing = tls.pause_writing
        own.resume_writing = tls.resume_writing

    def connection_lost(self, error: Exception | None) -> None:
        """Feed what is left, if the connection broke, and pass it on (called by the event loop)."""
        try:
            if error is not None and not self._secured.is_closing():  # else nobody listens
                self._feed()
        finally:
            self._tls.connection_lost(error)

    def _feed(self) -> None:
        tls = self._tls
        self._secured.resume_reading()  # TLS keeps back what a reader who is behind has not asked for
        for data in read_leftovers(self._transport):
            view = memoryview(data)
            while view:
                buffer = memoryview(tls.get_buffer(len(view)))
                size = min(len(view), len(buffer))
                buffer[:size] = view[:size]
                tls.buffer_updated(size)
                view = view[size:]


class BeforeTLS(asyncio.Protocol):
    """Holds the transport of a socket until ``start_tls()``; a server has nothing to say before that."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._spoken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and read nothing yet (called by the event loop)."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Note that the server does not speak TLS (called by uvloop, which reads all the same)."""
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
    """Keeps what comes behind a TLS handshake until it is known who reads it: ALPN says which protocol is spoken."""

    def __init__(self) -> None:
        self._received: list[bytes] = []
        self._ended = False
        self._lost = False
        self._error: Exception | None = None

    def data_received(self, data: bytes) -> None:
        """Keep a segment (called by the event loop)."""
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
        """Let *protocol* read from *transport*, first what came so far."""
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        for data in self._received:
            protocol.data_received(data)
        if self._ended:
            protocol.eof_received()
        if self._lost:
            protocol.connection_lost(self._error)
