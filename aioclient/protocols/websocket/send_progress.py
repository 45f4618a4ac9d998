"""Whether a peer takes what was sent: a pong cannot come while the ping stands behind megabytes on a slow link."""

import asyncio
import socket
import sys
from struct import Struct
from typing import Final, NamedTuple

# Of Linux's struct tcp_info: tcpi_unacked (segments), tcpi_bytes_acked, tcpi_notsent_bytes.
_TCP_INFO: Final = Struct("=24xI92xQ16xI")


class SendProgress(NamedTuple):
    """What has become of what was sent.

    Attributes:
        taken: a number that grows as the peer takes it.
        waiting: whether some of it is not taken yet.
    """

    taken: int
    waiting: bool


def send_progress(transport: asyncio.Transport) -> SendProgress:
    """Return what has become of what *transport* sent.

    Linux tells what the peer has acknowledged. Elsewhere only the transport's own buffer is known, and not the
    system's, which holds up to some megabytes.
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
