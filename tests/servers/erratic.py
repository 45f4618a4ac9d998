"""A server that answers each request with its target, and at random moments sends what nobody asked for.

`python -m tests.servers.erratic` prints its port and serves until its standard input ends. A process of its own: the
client's event loop may stand still without it.

What is sent while a request is on its way answers that request, and no client can tell. So the server looks at its
own socket before it sends a stray response, and leaves it if a request is there. A client that looks likewise can
still be stopped between its look and its write, on a busy machine for some milliseconds: the answer to `/crossed`
names the requests that came within `CROSSING` of a stray response.
"""

import asyncio
import contextlib
import random
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import cast


def answer(text: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)


STRAY = answer(b"STRAY")
CROSSING = 0.05  # seconds
crossed: list[bytes] = []
strays = 0


class Erratic(asyncio.Protocol):
    """One connection."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._data = b""
        self._strayed = -1.0
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sock = transport.get_extra_info("socket")
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        self._poll = poll.poll

    def data_received(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            self._serve(head.split(b" ", 2)[1])

    def _serve(self, target: bytes) -> None:
        if self._ended:
            return
        if target == b"/crossed":
            self._transport.write(answer(b"%d %b" % (strays, b" ".join(crossed))))
            return
        if time.monotonic() < self._strayed + CROSSING:
            crossed.append(target)
        fate = self._chance.random()
        if fate < 0.01:
            self._transport.write(answer(target) + STRAY)
            return
        self._transport.write(answer(target))
        if fate < 0.02:
            self._stray()
        elif fate < 0.03:
            delay = self._chance.random() * 0.003
            asyncio.get_running_loop().call_later(delay, self._stray)
        elif fate < 0.035:
            self._ended = True
            self._transport.write_eof()
        elif fate < 0.04:
            linger = struct.pack("ii", 1, 0)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._ended = True
            self._transport.abort()

    def _stray(self) -> None:
        global strays
        if self._ended or self._transport.is_closing() or self._data or self._poll(0):
            return
        self._transport.write(STRAY)
        strays += 1
        self._strayed = time.monotonic()


async def serve() -> None:
    loop = asyncio.get_running_loop()
    seeds = iter(range(1_000_000))
    server = await loop.create_server(lambda: Erratic(next(seeds)), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


@contextlib.contextmanager
def erratic_server() -> Iterator[str]:
    """Run it; return its URL without a path."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.servers.erratic"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait(10)


if __name__ == "__main__":
    asyncio.run(serve())
