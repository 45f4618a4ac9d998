"""The progress of an upload: for a callback, and for a tracker that other tasks can read.

It counts the bytes of the body as the caller gave it, before compression and chunks. A byte counts as sent when it is
in the socket's buffer; a source waits while more than 64 KiB of sent bytes are there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from ..exceptions import UploadAbortedError
from ..message.body import Body, BodyWriter
from ..message.headers import shown_text
from .failure import source_error
from .source import PIECE
from .wrapper import BodyWrapper

Progress = Callable[[int, int | None], Awaitable[object] | object]


class UploadTracker:
    """The progress of one request's body; give a new tracker to each request as ``upload_tracker``.

    Create it inside a running event loop; any task of that loop can read it.

    Attributes:
        bytes_written: bytes of the body sent in the latest attempt, before compression.
        attempts: how often the request was sent: redirects, retries and auth rounds send it again, with or without a
            body.
        upload_complete: a future. Its result is None once the body was sent completely, or if there was none; its
            exception is the error of the last attempt, or ``UploadAbortedError`` if the response, or the end of the
            request, came before the end of the body.
    """

    __slots__ = (
        "_begun",
        "_bound",
        "_ended",
        "_error",
        "_finished",
        "_writing",
        "attempts",
        "bytes_written",
        "upload_complete",
    )

    def __init__(self) -> None:
        self.attempts: int = 0
        self.bytes_written: int = 0
        self.upload_complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._bound = False
        self._begun = False  # this attempt has begun to send the body
        self._writing = False
        self._finished = False
        self._error: BaseException | None = None
        self._ended = False  # the request was answered or has failed: no attempt follows

    def bind(self) -> None:
        """Assign it to a request.

        Raises:
            RuntimeError: it is assigned to another request.
        """
        if self._bound:
            raise RuntimeError(f"{self!r} is or was another request's; make one for each request")
        self._bound = True

    def attempt_started(self, has_body: bool) -> None:
        """Note that the request is about to be sent; without a body the upload is then complete."""
        self.attempts += 1
        self.bytes_written = 0
        self._begun = self._writing = False
        self._finished = not has_body
        self._error = None

    def writing_started(self) -> int:
        """Note that sending the body begins; return the attempt's number."""
        if self._begun or not self.attempts:
            self.attempt_started(
                has_body=True
            )  # a connector sends it again if a connection was stale
        self._begun = self._writing = True
        return self.attempts

    def attempt_ended(self, attempt: int, error: BaseException | None) -> None:
        """Note that *attempt* sent the body completely, or ended with *error*."""
        if attempt == self.attempts:
            self._writing = False
            self._finished = error is None
            self._error = error
            if self._ended:
                self._settle()

    def request_ended(self) -> None:
        """Note that no attempt will follow the current one, if there is one."""
        self._ended = True
        if not self._writing:
            self._settle()

    def _settle(self) -> None:
        future = self.upload_complete
        if future.done():
            return
        if self._finished:
            future.set_result(None)
            return
        error = self._error
        if error is None or isinstance(error, asyncio.CancelledError):
            error = UploadAbortedError(
                f"the request ended after {self.bytes_written} bytes of its body were sent"
            )
        future.set_exception(error)
        future.exception()  # mark it as retrieved: the user may never ask

    def __repr__(self) -> str:
        return f"<UploadTracker {self.bytes_written} bytes, attempt {self.attempts}>"


class WatchedBody(BodyWrapper):
    """Wraps a body and reports its progress; it is sent piece by piece."""

    __slots__ = ("_attempt", "_label", "_progress", "_tracker")

    def __init__(
        self, body: Body, progress: Progress | None, tracker: UploadTracker | None, label: str
    ) -> None:
        super().__init__(body, body.size, body.headers)
        self._label = label  # the request, for errors
        self._progress = progress
        self._tracker = tracker
        self._attempt = 0

    def around(self, body: Body) -> Body:
        """Return *body* watched in the same way."""
        return WatchedBody(self._body.around(body), self._progress, self._tracker, self._label)

    async def write(self, writer: BodyWriter) -> None:
        """Send the whole body, as ``Body.write``.

        Raises:
            UploadAbortedError: the callback raised; its exception is the cause.
        """
        self._attempt = attempt = self._attempt + 1
        tracker = self._tracker
        number = 0 if tracker is None else tracker.writing_started()
        error: BaseException | None = None
        try:
            await self.note(attempt, 0)
            await self._body.write(_WatchingWriter(writer, self, attempt))
        except Exception as failure:
            error = source_error(self._label, failure)
            if error is failure:
                raise
            raise error from failure
        except BaseException as failure:
            error = failure
            raise
        finally:
            if tracker is not None:
                tracker.attempt_ended(number, error)

    async def note(self, attempt: int, sent: int) -> None:
        """Report *sent* bytes, unless a later attempt has begun."""
        if attempt != self._attempt:
            return
        if self._tracker is not None:
            self._tracker.bytes_written = sent
        if self._progress is None:
            return
        try:
            waiting = self._progress(sent, self.size)
            if isawaitable(waiting):
                await waiting
        except Exception as error:
            of = "" if self.size is None else f" of {self.size}"
            raise UploadAbortedError(
                f"the upload ended after {sent}{of} bytes, because progress= raised {shown_text(error)}"
            ) from error


class _WatchingWriter:
    """Counts the bytes that it passes on, a piece at a time."""

    __slots__ = ("_attempt", "_body", "_sent", "_writer")

    def __init__(self, writer: BodyWriter, body: WatchedBody, attempt: int) -> None:
        self._writer = writer
        self._body = body
        self._attempt = attempt
        self._sent = 0

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Write *chunk* in pieces, and report each after it was sent."""
        view = memoryview(chunk)
        for start in range(0, view.nbytes, PIECE):
            piece = view[start : start + PIECE]
            await self._writer.write(chunk if piece.nbytes == view.nbytes else piece)
            self._sent += piece.nbytes
            await self._body.note(self._attempt, self._sent)
