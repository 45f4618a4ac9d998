"""How many written bytes have not reached the peer yet."""

import asyncio
from array import array

try:
    import fcntl
    from termios import TIOCOUTQ
except ImportError:  # Windows

    def _in_kernel(descriptor: int) -> int:
        return 0

else:

    def _in_kernel(descriptor: int) -> int:
        count = array("i", (0,))
        try:
            fcntl.ioctl(descriptor, TIOCOUTQ, count)
        except OSError:  # not supported for this kind of socket
            return 0
        return count[0]


def unsent_bytes(transport: asyncio.Transport) -> int:
    """Return how many bytes written to *transport* its peer's kernel has not received, as far as the system knows.

    A socket accepts megabytes, which are sent at the peer's pace; the transport's own buffer does not show them.
    """
    sock = transport.get_extra_info("socket")
    descriptor = -1 if sock is None else sock.fileno()
    queued = transport.get_write_buffer_size()
    return queued if descriptor < 0 else queued + _in_kernel(descriptor)
