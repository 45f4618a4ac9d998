"""Sending the body of a request that does not go out with its head, beside the wait for the response."""

import asyncio
from typing import Final, Protocol

from ...body.failure import source_error
from ...exceptions import (
    ClientConnectionResetError,
    ClientError,
    UploadAbortedError,
)
from ...exchange import ALL, Exchange
from ...message.body import Body
from ...message.request import Request
from ...message.timings import Phases
from ..request_fields import expects_continue
from ..send_queue import unsent_bytes
from ..watch import Watch
from .upload import ChunkWriter, CountingWriter, write_traced

# What an upload may write before the event loop gets a turn, although the socket takes all of it: a body whose source
# never waits would keep everybody else from running, and the connection from hearing of an answer or of its loss.
TURN_BYTES: Final = 1024 * 1024
# Bytes that each write counts for besides its own, so that small ones count, too.
TURN_WRITE: Final = 4 * 1024


class SendingConnection(Protocol):
    """The connection, as far as it is sent on."""

    transport: asyncio.Transport | None

    @property
    def ended(self) -> bool:
        """Whether it is closed."""

    @property
    def may_continue(self) -> bool | None:
        """Whether ``100 Continue`` came; False when a final response did, None when neither."""

    def fail(self, error: Exception) -> None:
        """End the exchange with *error*."""


class Sender:
    """Sends the bodies of one connection's requests, one after the other.

    ``uploaded``: bytes of the body of this exchange that were written so far.
    """

    __slots__ = (
        "_congested",
        "_connection",
        "_continue",
        "_loop",
        "_phases",
        "_room",
        "_task",
        "_turn",
        "_unsent",
        "_watch",
        "uploaded",
    )

    def __init__(
        self, connection: SendingConnection, loop: asyncio.AbstractEventLoop, watch: Watch
    ) -> None:
        self._connection: SendingConnection | None = connection
        self._loop = loop
        self._watch = watch
        self._task: asyncio.Task[None] | None = None
        self._continue: asyncio.Future[bool] | None = None  # the wait for 100 Continue
        self._room: asyncio.Future[None] | None = (
            None  # the wait for room in the transport's buffer
        )
        self._congested = False
        self._unsent = 0  # bytes, at the last look
        self._turn = 0  # bytes since the event loop's last turn
        self.uploaded = 0
        self._phases = Phases()  # of the exchange whose body is sent

    def begin(self, exchange: Exchange, body: Body, chunked: bool) -> None:
        """Send *body* in a task of its own."""
        self.uploaded = 0
        exchange.phases = self._phases = exchange.phases or Phases()
        self._task = self._loop.create_task(self._send(exchange, body, chunked))

    def answered(self, continued: bool) -> None:
        """Go on, or not, because ``100 Continue`` or a final response came."""
        if self._continue is not None and not self._continue.done():
            self._continue.set_result(continued)

    def close(self) -> None:
        """Give up what is being sent, and forget the connection."""
        self._connection = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self._wake()

    async def wait_sent(self) -> None:
        """Wait until the body was sent, or given up."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    # Flow control

    def pause(self) -> None:
        """Make ``write()`` wait: the transport's buffer is full."""
        self._congested = True

    def resume(self) -> None:
        """Let ``write()`` go on."""
        self._congested = False
        self._wake()

    def _wake(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def is_moving(self, transport: asyncio.Transport | None) -> bool:
        """Tell whether the request is still on its way, and moves."""
        if self._task is not None and self._continue is None and not self._congested:
            return True  # it is the turn of the body's source
        unsent = 0 if transport is None else unsent_bytes(transport)
        moves = unsent != 0 and unsent != self._unsent
        self._unsent = unsent
        return moves

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write to the socket; wait while its buffer is full.

        Raises:
            ClientConnectionResetError: the connection is closed.
        """
        connection = self._connection
        transport = None if connection is None else connection.transport
        if connection is None or connection.ended or transport is None:
            raise _closed()
        if transport.is_closing():
            # It broke at the last write: the event loop reports it soon, and the answer first if there is one.
            await self._wait_for_room()
            raise _closed()
        transport.write(data)
        self._watch.moved()
        self.uploaded += len(data)
        self._phases.uploaded = self.uploaded
        self._turn += len(data) + TURN_WRITE
        if self._congested:
            self._unsent = unsent_bytes(transport)
            self._turn = 0
            await self._wait_for_room()
        elif self._turn > TURN_BYTES:
            self._turn = 0
            await asyncio.sleep(0)

    async def _wait_for_room(self) -> None:
        """Wait until the transport has room, or the connection is closed."""
        self._room = self._loop.create_future()
        await self._room

    # The body

    async def _send(self, exchange: Exchange, body: Body, chunked: bool) -> None:
        request, phases = exchange.request, exchange.phases
        trace = request.trace
        try:
            if not expects_continue(request) or await self._may_continue(request):
                writer = ChunkWriter(self) if chunked else CountingWriter(self, request, body)
                if trace is None:
                    await body.write(writer)
                else:
                    await write_traced(body, writer, request, trace)
                await writer.finish()
                exchange.sent = ALL
                self._watch.last_activity = now = self._loop.time()
                if phases is not None and phases.sending is not None:
                    phases.send = now - phases.sending
        except UploadAbortedError as error:
            aborted = UploadAbortedError(f"{request.label}: {error}")
            aborted.__cause__ = error.__cause__
            self._fail(aborted)
        except ClientError as error:
            self._fail(error)
        except asyncio.CancelledError as error:
            if self._task is not None:  # it was not the connection that cancelled it
                self._fail(source_error(request.label, error))
            raise
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  (a user's iterable may raise anything)
            # Whatever it is: nobody waits for this task, and the caller would wait for ever.
            if isinstance(error, Exception) and trace is not None and error is trace.raised:
                self._fail(error)
            else:
                self._fail(source_error(request.label, error))
        finally:
            self._task = None
            await body.close()

    def _fail(self, error: Exception) -> None:
        """End the exchange with an error of the body's source."""
        self._task = None  # which is the task that runs here, and shall not be cancelled
        if self._connection is not None:
            self._connection.fail(error)

    async def _may_continue(self, request: Request) -> bool:
        """Wait for ``100 Continue``, or long enough; False when the final response came instead."""
        connection = self._connection
        if connection is None:
            return False
        if (known := connection.may_continue) is not None:
            return known  # the server was faster than the start of this task
        self._continue = self._loop.create_future()
        limit = request.options.expect100_timeout
        timer = None if limit is None else self._loop.call_later(limit, self.answered, True)
        try:
            return await self._continue
        finally:
            if timer is not None:
                timer.cancel()
            self._continue = None


def _closed() -> ClientConnectionResetError:
    return ClientConnectionResetError("the connection was closed while the request body was sent")
