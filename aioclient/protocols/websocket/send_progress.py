"""Whether a peer receives what was sent: a pong cannot come while the ping is queued behind megabytes on a slow
link.
"""

import asyncio
import socket
import sys
from struct import Struct
from typing import Final, NamedTuple

# Of Linux's struct tcp_info: tcpi_unacked (segments), tcpi_bytes_acked, tcpi_notsent_bytes.
_TCP_INFO: Final = Struct("=24xI92xQ16xI")


class SendProgress(NamedTuple):
    """How much of the sent data the peer has received.

    Attributes:
        taken: a number that grows as the peer receives data.
        waiting: whether some data is not received yet.
    """

    taken: int
    waiting: bool


def send_progress(transport: asyncio.Transport) -> SendProgress:
    """Return how much of the data sent on *transport* the peer has received.

    Linux reports what the peer has acknowledged. Elsewhere only the transport's own buffer is known, and not the
    system's, which may hold some megabytes.
    """
    buffered = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sys.platform == "linux" and sock is not None:
        try:
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        except OSError:  # a Unix socket
            info = b""
        if len(info) == _TCP_INFO.size:
            unacknowledged, acknowledged, unsent = _TCP_INFO.unpack(info)
            return SendProgress(acknowledged, bool(buffered or unacknowledged or unsent))
    return SendProgress(-buffered, buffered > 0)
