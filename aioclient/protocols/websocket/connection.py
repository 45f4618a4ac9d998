"""WebSocket on a connection that has switched protocols (RFC 6455, sections 5 to 7), as one ``asyncio.Protocol``.

The rules:

* The original connection keeps its place in the pool; this protocol gets the events of its socket.
* A frame is written in one piece: frames of concurrent senders never mix, and a cancelled sender leaves no partial
  frame.
* A sender waits while the socket's buffer is full. If nobody receives, the socket is paused past ``QUEUE_LIMIT``.
* Pings are answered when they come, even if nobody receives; while the peer does not read, only the latest one.
* A violation is answered with its close code, and ends the connection. Messages that came right before it can still be
  answered by a task that receives and answers at once.
* Everything that came before the connection broke is delivered before its end is reported.
* A task that keeps sending lets the event loop run in between.
* There is no task here, and at most one timer.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final, cast

from aiohttp import WSMessage, WSMsgType

from ...exceptions import (
    ClientConnectionResetError,
    ClientOSError,
    ServerDisconnectedError,
    ServerTimeoutError,
)
from ...response.switched import TakenOver
from ..leftovers import read_leftovers
from .deflate import Compressor
from .frames import (
    ABNORMAL,
    CLOSE,
    FIN,
    MAX_CONTROL,
    PING,
    PONG,
    RSV1,
    Buffer,
    close_payload,
    encode_frame,
    masks,
)
from .message_waiter import MessageWaiter
from .reader import QUEUE_LIMIT, MessageReader
from .send_progress import SendProgress, send_progress

# Consecutive messages before the event loop gets a turn: it has to read, to answer pings and to notice a reset. A turn
# costs as much as two or three small messages.
BURST: Final = 64
# From this message on a sender checks whether a write has failed: the event loop would report it only in its next turn.
# At the sixth write to a broken connection asyncio begins to log.
LOOK: Final = 3


class WebSocketConnection(asyncio.Protocol):
    """One WebSocket connection.

    Attributes:
        label: method and URL: how messages begin.
        reader: the reader; its queue holds the messages.
        waiter: the wait of the one receiving task.
        paused: whether the socket is paused because nobody receives.
        ended: nothing comes any more and nothing can be sent.
        closing: a close frame was sent.
        code: the close code, once one is known.
        error: the exception that ended the connection; None after a close frame.
        compressor: None if permessage-deflate was not negotiated.
        congested: the socket's buffer is full.
        burst: messages sent since the last input, or since a sender waited.
    """

    __slots__ = (
        "_heartbeat",
        "_last_activity",
        "_loop",
        "_masks",
        "_outgoing",
        "_peer_end",
        "_pinged",
        "_pong_limit",
        "_taken",
        "_timer",
        "_transport",
        "_write_waiters",
        "burst",
        "closing",
        "code",
        "compressor",
        "congested",
        "ended",
        "error",
        "label",
        "paused",
        "reader",
        "waiter",
    )

    def __init__(
        self,
        taken: TakenOver,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        label: str,
        reader: MessageReader,
        compressor: Compressor | None,
        heartbeat: float | None,
        pong_limit: float | None,
    ) -> None:
        self._taken = taken
        self._transport = transport
        self._loop = loop
        self.label: str = label
        self.reader: MessageReader = reader
        self.compressor: Compressor | None = compressor
        self.waiter: MessageWaiter = MessageWaiter(loop)
        self.paused: bool = False
        self.ended: bool = False
        self.closing: bool = False
        self.code: int | None = None
        self.error: Exception | None = None
        self._masks: Iterator[bytes] = masks()
        self.congested: bool = False
        self.burst: int = 0
        self._write_waiters: list[asyncio.Future[None]] = []
        self._peer_end: asyncio.Future[None] | None = None
        self._heartbeat = heartbeat
        self._pong_limit = pong_limit
        self._last_activity = 0.0
        self._pinged: float | None = None
        self._outgoing = SendProgress(0, False)  # at the last ping, or the last check after it
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Take over the socket, with the bytes after the head of the response."""
        rest = self._taken.take_rest()
        self._transport.set_protocol(self)
        if self._heartbeat is not None:
            self._last_activity = self._loop.time()
            self._timer = self._loop.call_later(self._heartbeat, self._on_timer)
        if rest:
            self.data_received(rest)
        if not self.paused and not self.ended:
            self._taken.resume_reading()

    # Input

    def data_received(self, data: bytes) -> None:
        """Process a segment (called by the event loop)."""
        if self._heartbeat is not None:
            self._last_activity = self._loop.time()
        self.burst = 0
        reader = self.reader
        queue = reader.queue
        if not queue:
            reader.size = 0
        reader.feed(data)
        if reader.has_events:
            self._handle_events()
        if queue:
            waiter = self.waiter
            if waiter.future is not None:
                waiter.wake()

    def _handle_events(self) -> None:
        """Handle the rare events of a segment: pings, a full queue, the end, a violation."""
        reader = self.reader
        reader.has_events = False
        if self.ended:
            self._take_late()
            return
        if reader.pings:
            self._answer_pings()
        if self.closing:
            # Nobody receives any more: only the close frame matters.
            reader.queue.clear()
            while reader.stalled:
                reader.size = 0
                reader.feed(b"")
                reader.queue.clear()
        if reader.closed is not None:
            if self.code is None:
                self.code = reader.closed
            self._settle_peer_end()
        elif reader.error is not None:
            if reader.queue:
                self._loop.call_soon(self._fail)
            else:
                self._fail()
        elif reader.size > QUEUE_LIMIT and not self.closing:
            self.pause()

    def _take_late(self) -> None:
        """Process the input that had to wait for space in the queue when the connection was lost."""
        reader = self.reader
        if reader.stalled:
            self.pause()
        elif reader.closed is not None:
            self.code, self.error = reader.closed, None
        elif reader.error is not None:
            self.code, self.error = int(reader.error.code), reader.error
            reader.queue.append(WSMessage(WSMsgType.ERROR, reader.error, None))

    def _answer_pings(self) -> None:
        """Answer the received pings, in their order and in one write."""
        pings = self.reader.pings
        if self.closing or self.ended:
            pings.clear()
        elif not self.congested and pings:
            frames = [encode_frame(FIN | PONG, ping, next(self._masks)) for ping in pings]
            pings.clear()
            self._write(b"".join(frames))

    def _fail(self) -> None:
        """End the connection because of a violation."""
        error = self.reader.error
        if self.ended or error is None:
            return
        self._end(int(error.code), error)
        if not self.closing:
            self.closing = True
            self.write(FIN | CLOSE, close_payload(int(error.code), b""))
        self._shut()

    def eof_received(self) -> bool:
        """End, and let the transport close itself (called by the event loop)."""
        self._lose(None)
        self._shut()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """End (called by the event loop)."""
        # The receiver continues later, when all input is known and nothing can be sent any more.
        self.waiter.wake_soon()
        if error is not None and not self.ended:
            for data in read_leftovers(self._transport):  # a close frame is better than the error
                self.data_received(data)
        self._lose(error)
        self._stop_timer()
        self._taken.lost(error)

    def _lose(self, error: Exception | None) -> None:
        """Note that the connection is lost."""
        if self.ended:
            return
        if self.reader.error is not None:
            self._fail()
            return
        if self.reader.closed is not None or self.closing:
            self._end(ABNORMAL, None)
            return
        lost: Exception
        if error is None:
            lost = ServerDisconnectedError(
                f"{self.label}: the server closed the connection without a close frame"
            )
        else:
            number = error.errno if isinstance(error, OSError) else None
            lost = ClientOSError(number, f"{self.label}: the connection broke: {error}")
            lost.__cause__ = error
        self._end(ABNORMAL, lost, report=False)

    def _end(self, code: int, error: Exception | None, *, report: bool = True) -> None:
        """Note that nothing can be received or sent any more; wake all waiting tasks.

        With *report* the receiver gets *error* as a message, after all messages that came before.
        """
        self.ended = True
        if self.code is None:
            self.code = code
        if error is not None:
            self.error = error
            if report:
                self.reader.queue.append(WSMessage(WSMsgType.ERROR, error, None))
        self._stop_timer()
        self._settle_peer_end()
        self._release_writers()
        self.waiter.wake_soon()

    def _settle_peer_end(self) -> None:
        if self._peer_end is not None and not self._peer_end.done():
            self._peer_end.set_result(None)

    # Back-pressure

    def pause(self) -> None:
        """Stop reading from the socket until the queue is empty."""
        if not self.paused:
            self.paused = True
            self._taken.pause_reading()

    def resume(self) -> None:
        """Continue reading; called when the last message was taken from the queue of a paused connection."""
        reader = self.reader
        reader.size = 0
        self.paused = False
        self.data_received(b"")
        if not self.paused and not self.ended:
            self._taken.resume_reading()

    def pause_writing(self) -> None:
        """Make senders wait (called by the event loop)."""
        self.congested = True

    def resume_writing(self) -> None:
        """Let senders continue (called by the event loop)."""
        self.congested = False
        self._release_writers()
        if self.reader.pings:
            self._answer_pings()

    def _release_writers(self) -> None:
        waiters, self._write_waiters = self._write_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # Output

    def write(self, first: int, payload: Buffer) -> None:
        """Write one frame, whose first byte is *first*."""
        self._write(encode_frame(first, payload, next(self._masks)))

    def _write(self, frames: Buffer) -> None:
        if not self._transport.is_closing():
            self._transport.write(frames)

    def send(self, opcode: int, payload: Buffer, compress: int | None = None) -> bool:
        """Write one message or control frame; return whether the sender has to wait with ``drain()``.

        Args:
            compress: None as negotiated, 0 not at all, 9 to 15 with a window of so many bits.

        Raises:
            ClientConnectionResetError: the connection is closed or closing.
            ValueError: a control frame of more than 125 bytes, or compression that was not negotiated.
        """
        if self.closing or self.ended:
            raise self.reset_error()
        self._transport.write(self._encoded(opcode, payload, compress))
        self.burst = burst = self.burst + 1
        if burst < LOOK:
            return self.congested
        return self.congested or burst >= BURST or self._transport.is_closing()

    def send_all(self, frames: Iterable[tuple[int, Buffer]]) -> bool:
        """Write several messages or control frames, each with its opcode, at once; see ``send()``."""
        if self.closing or self.ended:
            raise self.reset_error()
        batch = list(frames)
        for opcode, payload in batch:  # all of them first: compressing one changes the next
            _check_size(opcode, payload)
        encoded = [self._encoded(opcode, payload, None) for opcode, payload in batch]
        self._transport.write(b"".join(encoded))
        self.burst = burst = self.burst + len(encoded)
        return self.congested or burst >= BURST or self._transport.is_closing()

    def _encoded(self, opcode: int, payload: Buffer, compress: int | None) -> Buffer:
        """Return one message or control frame."""
        first = FIN | opcode
        if opcode >= CLOSE:
            _check_size(opcode, payload)
        elif compress is None:
            compressor = self.compressor
            if compressor is not None and compressor.bits:
                payload = compressor.compress(payload)
                first |= RSV1
        elif compress:
            payload = self._compress_with(compress, payload)
            first |= RSV1
        return encode_frame(first, payload, next(self._masks))

    def _compress_with(self, bits: int, payload: Buffer) -> bytes:
        if not 9 <= bits <= 15:
            raise ValueError(f"compress={bits!r}; give 0 for none, or a window of 9 to 15 bits")
        compressor = self.compressor
        if compressor is None or not compressor.bits:
            raise ValueError(
                f"compress={bits}: the server did not agree to compression; "
                "give compress=15 to ws_connect(), and look at ws.compress"
            )
        return compressor.compress(payload, bits)

    async def drain(self) -> None:
        """Wait until the socket accepts more, at least for one turn of the event loop.

        Raises:
            ClientConnectionResetError: the connection was closed meanwhile.
        """
        self.burst = 0
        if not self.congested:
            await asyncio.sleep(0)
        while self.congested and not self.ended:
            waiter = self._loop.create_future()
            self._write_waiters.append(waiter)
            await waiter
        if self.ended:
            raise self.reset_error()

    def reset_error(self) -> ClientConnectionResetError:
        """Return the error of a send on a closed connection."""
        state = "closing" if self.closing and not self.ended else "closed"
        error = ClientConnectionResetError(
            f"{self.label}: the WebSocket is {state}, nothing can be sent"
        )
        error.__cause__ = self.error
        return error

    # The end

    def send_close(self, code: int, reason: bytes) -> None:
        """Send a close frame, after which nothing else is sent (section 5.5.1).

        Raises:
            ValueError: the code or the reason cannot be sent.
        """
        payload = close_payload(code, reason)
        if not self.ended and not self.closing:
            self.closing = True
            self.write(FIN | CLOSE, payload)
            self._stop_timer()

    async def wait_closed(self, limit: float | None) -> bool:
        """Wait for the peer's close frame, at most *limit* seconds; return whether it, or the end, came."""
        reader = self.reader
        if reader.closed is None and not self.ended:
            reader.queue.clear()
            if self.paused:
                self.resume()
        if reader.closed is None and not self.ended:
            self._peer_end = waiter = self._loop.create_future()
            if limit is not None:
                self._timer = self._loop.call_later(limit, self._settle_peer_end)
            try:
                await waiter
            finally:
                self._stop_timer()
        return reader.closed is not None or self.ended

    def finish(self, limit: float | None) -> None:
        """Close the socket after everything that was written is sent, but at most *limit* seconds from now."""
        lost = self.ended
        self._end(ABNORMAL, None)
        if not lost and limit is not None and self._transport.get_write_buffer_size():
            self._timer = self._loop.call_later(limit, self._taken.abort)
        self._taken.close()

    def abort(self) -> None:
        """Close the socket now."""
        self._end(ABNORMAL, None)
        self._taken.abort()

    def _shut(self) -> None:
        """Close the socket without waiting for a peer that may never read the rest."""
        if self.congested:
            self._taken.abort()
        else:
            self._taken.close()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return extra information of the transport, while there is one."""
        transport = self._taken.transport
        if transport is None or transport.is_closing():
            return default
        return transport.get_extra_info(name, default)

    # The heartbeat

    def _on_timer(self) -> None:
        """Ping a silent peer; end the connection if it stays silent and receives nothing."""
        self._timer = None
        if self.ended or self.closing:
            return
        now = self._loop.time()
        if self.paused:
            self._last_activity = now  # we do not read
        interval = cast(float, self._heartbeat)
        pinged = self._pinged
        if pinged is not None and self._last_activity < pinged:
            limit = cast(float, self._pong_limit)
            before, self._outgoing = self._outgoing, send_progress(self._transport)
            if before.waiting and self._outgoing.taken > before.taken:
                # The ping is queued behind data that the peer is still receiving.
                self._timer = self._loop.call_at(now + limit, self._on_timer)
                return
            self._end(
                ABNORMAL,
                ServerTimeoutError(
                    f"{self.label}: nothing came within {limit} s of a ping (heartbeat={interval} s)"
                ),
            )
            self._taken.abort()
            return
        self._pinged = None
        until = self._last_activity + interval
        if now >= until:
            self._outgoing = send_progress(self._transport)
            self.write(FIN | PING, b"")
            self._pinged = now
            until = now + cast(float, self._pong_limit)
        self._timer = self._loop.call_at(until, self._on_timer)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class BufferedWebSocketConnection(WebSocketConnection, asyncio.BufferedProtocol):
    """The same, reading into the buffer of the original connection."""

    __slots__ = ("_buffer",)

    def start(self) -> None:
        """Take over the socket."""
        self._buffer = cast(memoryview, self._taken.buffer)
        super().start()

    def get_buffer(self, size_hint: int) -> memoryview:
        """Return the buffer to read into (called by the event loop)."""
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        """Process the bytes that were read (called by the event loop)."""
        self.data_received(bytes(self._buffer[:size]))


def _check_size(opcode: int, payload: Buffer) -> None:
    if opcode >= CLOSE and len(payload) > MAX_CONTROL:
        raise ValueError(f"a control frame takes at most {MAX_CONTROL} bytes, found {len(payload)}")
