"""Sending the body of a request on its stream, beside the wait for the response."""

import asyncio
from typing import Final, Protocol

from ...exceptions import (
    ClientConnectionResetError,
    ClientError,
    ClientPayloadError,
    UploadAbortedError,
)
from ...exchange import ALL, Exchange
from ...message.body import Body
from ...message.headers import shown_text
from ...message.request import Request
from ...message.timings import Phases
from ..http1.upload import CountingWriter, write_traced
from ..request_fields import expects_continue
from .codec import Codec
from .states import CLOSED
from .streams import Stream

LOW: Final = (
    64 * 1024
)  # bytes that wait for the server's window before the body's source has to wait
# What an upload may hand over before the event loop gets a turn, as over HTTP/1.1.
TURN_BYTES: Final = 1024 * 1024
TURN_WRITE: Final = 4 * 1024


class SendingExchange(Protocol):
    """The exchange whose body is sent."""

    exchange: Exchange
    stream: Stream | None
    last_activity: float

    @property
    def codec(self) -> Codec:
        """What the body is handed over to."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it is sent on."""

    def flush(self) -> None:
        """Send what can be sent."""

    def fail(self, error: Exception) -> None:
        """End the exchange with *error*."""


class BodySender:
    """Sends one body in a task of its own.

    Attributes:
        waits: The server is asked for something: its window, or ``100 Continue``.
    """

    __slots__ = ("_continue", "_room", "_sending", "_task", "_turn", "_uploaded", "waits")

    def __init__(self, sending: SendingExchange, body: Body) -> None:
        self._sending: SendingExchange | None = sending
        self._room: asyncio.Future[None] | None = None
        self._continue: asyncio.Future[bool] | None = None
        self._turn = 0
        self._uploaded = 0
        self.waits = False
        exchange = sending.exchange
        exchange.phases = exchange.phases or Phases()
        self._task: asyncio.Task[None] | None = sending.loop.create_task(self._send(sending, body))

    def drained(self) -> None:
        """Go on: what was handed over is sent."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def answered(self, continued: bool) -> None:
        """Go on, or not, because ``100 Continue`` or a final response came."""
        if self._continue is not None and not self._continue.done():
            self._continue.set_result(continued)

    def close(self) -> None:
        """Give up what is being sent."""
        self._sending = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self.drained()

    async def wait_sent(self) -> None:
        """Wait until the body was sent, or given up."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hand over a piece; wait while much of what was handed over has not left.

        Raises:
            ClientConnectionResetError: the stream is closed.
        """
        sending = self._sending
        stream = None if sending is None else sending.stream
        if sending is None or stream is None or stream.state is CLOSED:
            raise ClientConnectionResetError(
                "the stream was closed while the request body was sent"
            )
        piece = bytes(data)  # a source may use its buffer again
        sending.codec.send(stream, piece, end=False)
        sending.flush()
        self._uploaded += len(piece)
        if sending.exchange.phases is not None:
            sending.exchange.phases.uploaded = self._uploaded
        self._turn += len(piece) + TURN_WRITE
        upload = stream.upload
        if upload is not None and upload.unsent > LOW:
            self._turn = 0
            self._room = sending.loop.create_future()
            self.waits = True
            try:
                await self._room
            finally:
                self.waits = False
            sending.last_activity = sending.loop.time()
        elif self._turn > TURN_BYTES:
            self._turn = 0
            await asyncio.sleep(0)

    async def _send(self, sending: SendingExchange, body: Body) -> None:
        exchange = sending.exchange
        request, phases, trace = exchange.request, exchange.phases, exchange.trace
        try:
            if expects_continue(request) and not await self._may_continue(sending, request):
                return
            writer = CountingWriter(self, request, body)
            if trace is None:
                await body.write(writer)
            else:
                await write_traced(body, writer, request, trace)
            await writer.finish()
            if sending.stream is not None:
                sending.codec.send(sending.stream, b"", end=True)
                sending.flush()
            exchange.sent = ALL
            sending.last_activity = now = sending.loop.time()
            if phases is not None and phases.sending is not None:
                phases.send = now - phases.sending
        except UploadAbortedError as error:
            aborted = UploadAbortedError(f"{request.label}: {error}")
            aborted.__cause__ = error.__cause__
            self._fail(aborted)
        except ClientError as error:
            self._fail(error)
        except asyncio.CancelledError as error:
            if self._task is not None:  # it was not the exchange that cancelled it
                self._fail(_unreadable(request, error))
            raise
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  (a user's iterable may raise anything)
            # Whatever it is: nobody waits for this task, and the caller would wait for ever.
            if isinstance(error, Exception) and trace is not None and error is trace.raised:
                self._fail(error)
            else:
                self._fail(_unreadable(request, error))
        finally:
            self._task = None
            await body.close()

    def _fail(self, error: Exception) -> None:
        """End the exchange with an error of the body's source."""
        self._task = None  # which is the task that runs here, and shall not be cancelled
        if self._sending is not None:
            self._sending.fail(error)

    async def _may_continue(self, sending: SendingExchange, request: Request) -> bool:
        """Wait for ``100 Continue``, or long enough; False when the final response came instead."""
        stream = sending.stream
        if stream is None or stream.head is not None:
            return False
        self._continue = sending.loop.create_future()
        limit = request.options.expect100_timeout
        timer = None if limit is None else sending.loop.call_later(limit, self.answered, True)
        self.waits = True
        try:
            return await self._continue
        finally:
            self.waits = False
            if timer is not None:
                timer.cancel()
            self._continue = None


def _unreadable(request: Request, error: BaseException) -> ClientPayloadError:
    failure = ClientPayloadError(
        f"{request.label}: the request body could not be read: {shown_text(error)}"
    )
    failure.__cause__ = error
    return failure
