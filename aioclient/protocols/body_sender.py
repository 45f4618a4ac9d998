"""Sending a request's body that is not sent together with its head, while waiting for the response.

All protocols share the task, ``100 Continue``, the turns of the event loop, and the handling of errors of the body's
source. Each protocol adds the destination of the bytes, and how long to wait before more may follow.
"""

import asyncio
from typing import Final, Protocol

from ..body.failure import source_error
from ..exceptions import ClientError, UploadAbortedError
from ..exchange import ALL, Exchange
from ..message.body import Body, BodyWriter
from ..message.request import Request
from ..message.timings import Phases
from .body_writers import write_traced
from .request_fields import expects_continue

# Bytes that an upload may write before the event loop gets a turn, even if the socket accepts more: a body whose source
# never waits would block all other tasks, and the connection would not notice a response or its loss.
TURN_BYTES: Final = 1024 * 1024
# Bytes that each write counts in addition, so that small writes count too.
TURN_WRITE: Final = 4 * 1024


class FinishingWriter(BodyWriter, Protocol):
    """A writer that also writes the end."""

    async def finish(self) -> None:
        """Write the end of the body, or check that it is complete."""


class BodySender:
    """Sends the bodies of requests, one after the other, each in a task of its own; the base for each protocol.

    Attributes:
        uploaded: Bytes of the body that were written so far.
    """

    __slots__ = ("_continue", "_loop", "_phases", "_room", "_task", "_turn", "uploaded")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._continue: asyncio.Future[bool] | None = None  # the wait for 100 Continue
        self._room: asyncio.Future[None] | None = None  # the wait until more may be written
        self._turn = 0  # bytes since the event loop's last turn
        self.uploaded: int = 0
        self._phases = Phases()  # of the current exchange

    def begin(self, exchange: Exchange, body: Body, writer: FinishingWriter) -> None:
        """Send *body* with *writer*, which writes to this object."""
        self.uploaded = 0
        exchange.phases = self._phases = phases = exchange.phases or Phases()
        phases.sending = self._loop.time()
        phases.send = None
        self._task = self._loop.create_task(self._send(exchange, body, writer))

    def answered(self, continued: bool) -> None:
        """Continue, or stop, because ``100 Continue`` or a final response came."""
        if self._continue is not None and not self._continue.done():
            self._continue.set_result(continued)

    def close(self) -> None:
        """Stop sending."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self._wake()

    async def wait_sent(self) -> None:
        """Wait until the body was sent, or given up."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write a piece of the body; wait until more may be written."""
        raise NotImplementedError

    # What a protocol adds

    @property
    def may_continue(self) -> bool | None:
        """Whether ``100 Continue`` came; False if a final response did, None if neither."""
        raise NotImplementedError

    def _finished(self, now: float) -> None:
        """Note that the whole body is written."""
        raise NotImplementedError

    def _fail_exchange(self, error: Exception) -> None:
        """End the exchange with *error*."""
        raise NotImplementedError

    # For its writes

    async def _written(self, size: int, full: bool) -> None:
        """Count *size* written bytes; if the buffer is *full*, wait until more may be written."""
        self.uploaded += size
        self._phases.uploaded = self.uploaded
        self._turn += size + TURN_WRITE
        if full:
            self._turn = 0
            await self._wait_for_room()
        elif self._turn > TURN_BYTES:
            self._turn = 0
            await asyncio.sleep(0)

    async def _wait_for_room(self) -> None:
        """Wait until more may be written, or the exchange has ended."""
        self._room = self._loop.create_future()
        await self._room

    def _wake(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # The body

    async def _send(self, exchange: Exchange, body: Body, writer: FinishingWriter) -> None:
        request, phases = exchange.request, self._phases
        trace = request.trace
        try:
            if not expects_continue(request) or await self._wait_for_continue(request):
                if trace is None:
                    await body.write(writer)
                else:
                    await write_traced(body, writer, request, trace)
                await writer.finish()
                exchange.sent = ALL
                now = self._loop.time()
                self._finished(now)
                if phases.sending is not None:
                    phases.send = now - phases.sending
        except UploadAbortedError as error:
            aborted = UploadAbortedError(f"{request.label}: {error}")
            aborted.__cause__ = error.__cause__
            self._fail(aborted)
        except ClientError as error:
            self._fail(error)
        except asyncio.CancelledError as error:
            if self._task is not None:  # the protocol did not cancel it
                self._fail(source_error(request.label, error))
            raise
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  (a user's iterable may raise anything)
            # Any exception: nothing awaits this task, and the caller would wait forever.
            if isinstance(error, Exception) and trace is not None and error is trace.raised:
                self._fail(error)
            else:
                self._fail(source_error(request.label, error))
        finally:
            self._task = None
            await body.close()

    def _fail(self, error: Exception) -> None:
        """End the exchange with an error of the body's source."""
        self._task = None  # the running task, which must not be cancelled
        self._fail_exchange(error)

    async def _wait_for_continue(self, request: Request) -> bool:
        """Wait for ``100 Continue``, or its time limit; return False if the final response came instead."""
        if (known := self.may_continue) is not None:
            return known  # the server answered before this task started
        self._continue = self._loop.create_future()
        limit = request.options.expect100_timeout
        timer = None if limit is None else self._loop.call_later(limit, self.answered, True)
        try:
            return await self._continue
        finally:
            if timer is not None:
                timer.cancel()
            self._continue = None
