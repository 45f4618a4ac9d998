"""A small server for what nginx cannot do: swallow uploads cheaply, and answer many at once.

``POST`` reads the body and answers how many bytes came. ``GET /hold/N`` answers when N of them wait
on the same local address, so that a client must open N connections. Any other ``GET`` is answered
at once. Run as ``python -m benchmarks.sink PORT``.
"""

import asyncio
import re
import resource
import sys
from collections import defaultdict
from typing import ClassVar

from benchmarks.scenarios import SMALL

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"


def _answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


class SinkProtocol(asyncio.BufferedProtocol):
    """One connection; a read is consumed at once, so all connections share the buffer."""

    __slots__ = ("_address", "_expected", "_head", "_received", "_tail", "transport")

    _buffer: ClassVar = memoryview(bytearray(1 << 20))
    _held: ClassVar[defaultdict[str, list["SinkProtocol"]]] = defaultdict(list)

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._address: str = transport.get_extra_info("sockname")[0]
        self._head = self._tail = b""
        self._expected: int | None = None  # bytes of the body; None: chunked
        self._received = -1  # body bytes so far; -1: reading the head

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        new = self._buffer[:nbytes]
        if self._received < 0:
            self._head += bytes(new)
            head, separator, body = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            self._head = self._tail = b""
            new = memoryview(body)
            if not head.startswith(b"POST"):
                self._get(head.split(b" ", 2)[1])
                return
            length = _LENGTH.search(head)
            self._expected = int(length[1]) if length else None
            self._received = 0
            if b"100-continue" in head:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._received += len(new)
        if self._expected is not None:
            complete = self._received >= self._expected
        else:
            self._tail = (self._tail + bytes(new[-len(_LAST_CHUNK) :]))[-len(_LAST_CHUNK) :]
            complete = self._tail == _LAST_CHUNK
        if complete:
            self.transport.write(_answer(b'{"received": %d}' % self._received))
            self._received = -1

    def _get(self, path: bytes) -> None:
        if not path.startswith(b"/hold/"):
            self.transport.write(_answer(SMALL))
            return
        held = self._held[self._address]
        held.append(self)
        if len(held) >= int(path.removeprefix(b"/hold/")):
            for connection in held:
                connection.transport.write(_answer(SMALL))
            held.clear()


async def serve(port: int) -> None:
    """Serve on every loopback address until killed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(SinkProtocol, "0.0.0.0", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
