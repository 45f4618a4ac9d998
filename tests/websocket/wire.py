"""The server's side of RFC 6455, byte by byte: frames written out, a handshake answered, a client's frames read."""

import asyncio
import base64
import hashlib
import re
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aioclient import ClientSession
from aioclient.testing import H2Kind, H2Setting, RawConnection, RawRequest, turns
from aioclient.testing.h2_frames import (
    END_HEADERS,
    FRAME_SIZE,
    HEAD_SIZE,
    PREFACE,
    frame_bytes,
    settings_payload,
)

from .. import spoken
from ..servers.either import RawServer

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10

FIRST_STREAM = 1  # of a client
STATUS_200 = b"\x88"  # a field block with nothing else (RFC 7541, appendix A)


class Frame(NamedTuple):
    """A frame that the client sent."""

    first: int
    payload: bytes
    mask: bytes

    @property
    def opcode(self) -> int:
        return self.first & 0x0F


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = None,
    bits: int | None = None,
    length: int | None = None,
) -> bytes:
    """Return a frame as a server sends it.

    *mask*, *bits* (7, 16 or 64, of the length field) and *length* (what it says) are for frames no server may send.
    """
    said = len(payload) if length is None else length
    if bits is None:
        bits = 7 if said < 126 else 16 if said < 2**16 else 64
    head = bytes(((FIN if fin else 0) | rsv | opcode,))
    masked = 0x80 if mask is not None else 0
    if bits == 7:
        head += bytes((masked | said,))
    elif bits == 16:
        head += struct.pack("!BH", masked | 126, said)
    else:
        head += struct.pack("!BQ", masked | 127, said)
    if mask is not None:
        head += mask
        payload = unmasked(payload, mask)
    return head + payload


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """Return a close frame."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def deflated(data: bytes, bits: int = 15) -> bytes:
    """Return a message's payload, compressed on its own."""
    stream = zlib.compressobj(6, zlib.DEFLATED, -bits)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """Return *payload* with *mask* laid over it."""
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size])
    return (int.from_bytes(payload) ^ key).to_bytes(size)


def accept_for(request: RawRequest) -> str:
    """Return the right ``Sec-WebSocket-Accept``."""
    key = request.value("Sec-WebSocket-Key")
    assert key is not None
    return _accept_for(key)


def _accept_for(key: str) -> str:
    text = f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


def switching(request: RawRequest, *fields: str) -> bytes:
    """Return the answer that switches to WebSocket, with these fields more."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_for(request)}",
        *fields,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def read_frame(conn: RawConnection) -> Frame:
    """Read one frame of the client, which must be masked and say its length in the fewest bytes."""
    first, length = await conn.read_exactly(2)
    assert length & 0x80, "a client masks its frames"
    length &= 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", await conn.read_exactly(2))
        assert length > 125
    elif length == 127:
        (length,) = struct.unpack("!Q", await conn.read_exactly(8))
        assert length >= 2**16
    mask = await conn.read_exactly(4)
    return Frame(first, unmasked(await conn.read_exactly(length), mask), mask)


async def shake_hands(listener: socket.socket) -> socket.socket:
    """Accept a connection and answer its handshake; return its socket, to be used without the event loop."""
    loop = asyncio.get_running_loop()
    sock, _ = await loop.sock_accept(listener)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)  # a reset drops what is kept back
    if spoken.http2():
        await _shake_hands_of_http2(loop, sock)
        return sock
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await _received(loop, sock)
    key = re.search(r"(?i)sec-websocket-key: (\S+)", head.decode())
    assert key is not None
    answer = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {_accept_for(key[1])}",
    ]
    await loop.sock_sendall(sock, "\r\n".join([*answer, "", ""]).encode())
    return sock


async def _shake_hands_of_http2(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    settings = settings_payload({H2Setting.ENABLE_CONNECT_PROTOCOL: 1})
    await loop.sock_sendall(sock, frame_bytes(H2Kind.SETTINGS, payload=settings))
    came = b""
    kind = None
    while kind != H2Kind.HEADERS:
        came += await _received(loop, sock)
        at = len(PREFACE)
        while kind != H2Kind.HEADERS and len(came) > at + HEAD_SIZE:
            kind = came[at + 3]
            at += HEAD_SIZE + int.from_bytes(came[at : at + 3], "big")
    head = frame_bytes(H2Kind.HEADERS, END_HEADERS, FIRST_STREAM, STATUS_200)
    await loop.sock_sendall(sock, head)


async def _received(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bytes:
    data = await loop.sock_recv(sock, 4096)
    assert data, "the client closed the connection during the handshake"
    return data


def opened_by() -> int:
    """Return the status of an answer that opens a WebSocket (RFC 8441, section 5)."""
    return 200 if spoken.http2() else 101


async def gone(conn: RawConnection) -> bytes:
    """Wait until the client has closed the connection; return the unread bytes.

    Over HTTP/2 it leaves that to the server, which has to end its stream first (RFC 6455, section 7.1.1).
    """
    if spoken.http2():
        conn.close()
    return await conn.closed()


async def no_connection_in_use(session: ClientSession) -> None:
    """Check that none is; over HTTP/2 once the server has ended the stream."""
    assert session.connector is not None
    while spoken.http2() and session.connector.statistics().in_use:
        await turns()
    assert session.connector.statistics().in_use == 0


def send_and_reset(sock: socket.socket, data: bytes = b"") -> None:
    """Send *data* and reset the connection, before the event loop of the client can read any of it."""
    if spoken.http2():
        pieces = (data[at : at + FRAME_SIZE] for at in range(0, len(data), FRAME_SIZE))
        data = b"".join(frame_bytes(H2Kind.DATA, 0, FIRST_STREAM, piece) for piece in pieces)
    sock.setblocking(True)
    sock.sendall(data)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def end(conn: RawConnection) -> int | None:
    """Read to the client's close frame, answer it and return its code."""
    while True:
        got = await read_frame(conn)
        if got.opcode == CLOSE:
            conn.send(frame(CLOSE, got.payload))
            return int.from_bytes(got.payload[:2], "big") if got.payload else None


Talk = Callable[[RawConnection], Awaitable[object]]


def websocket_server(talk: Talk, *fields: str, behind: bytes = b"") -> RawServer:
    """Return a server that shakes hands (with these fields, and *behind* in the same segment) and then talks."""

    async def script(conn: RawConnection) -> None:
        request = await conn.read_request()
        conn.send(switching(request, *fields) + behind)
        await talk(conn)

    return RawServer(script)


def sends(*pieces: bytes, fields: tuple[str, ...] = ()) -> RawServer:
    """Return a server that sends these pieces, reads to the client's close frame and answers it."""

    async def talk(conn: RawConnection) -> None:
        for piece in pieces:
            conn.send(piece)
            await conn.drain()
        await end(conn)

    return websocket_server(talk, *fields)


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
