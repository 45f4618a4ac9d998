"""How far an upload has got: for a callback, and for a tracker that is looked at from outside.

What counts are the bytes of the body as the caller gave it, before compression and chunks. A byte is sent when the
socket's buffer has taken it; of what was sent at most 64 KiB wait there, where a source waits too.
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
    """How far the body of one request has got; give a new one to each request as ``upload_tracker``.

    It is made inside a running event loop, and can be looked at from any task of that loop.

    Attributes:
        bytes_written: bytes of the body sent in the latest attempt, before compression.
        attempts: how often the request was sent: redirects, retries and auth rounds send it again, with a body or not.
        upload_complete: a future. Its result is None once the body was sent to its end, or there was none to send;
            its exception is what ended the last attempt, or ``UploadAbortedError`` when the response, or the end of
            the request, came before the end of the body.
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
        self._begun = False  # the body of this attempt was begun to be sent
        self._writing = False
        self._finished = False
        self._error: BaseException | None = None
        self._ended = False  # the request was answered or failed: no attempt follows

    def bind(self) -> None:
        """Take it for a request.

        Raises:
            RuntimeError: another request has it.
        """
        if self._bound:
            raise RuntimeError(f"{self!r} is or was another request's; make one for each request")
        self._bound = True

    def attempt_started(self, has_body: bool) -> None:
        """Note that the request is about to be sent; without a body nothing of that is left to do."""
        self.attempts += 1
        self.bytes_written = 0
        self._begun = self._writing = False
        self._finished = not has_body
        self._error = None

    def writing_started(self) -> int:
        """Note that the body begins to be sent; return the attempt's number."""
        if self._begun or not self.attempts:
            self.attempt_started(
                has_body=True
            )  # a connector sends it again where a connection was stale
        self._begun = self._writing = True
        return self.attempts

    def attempt_ended(self, attempt: int, error: BaseException | None) -> None:
        """Note that *attempt* sent the body to its end, or was ended by *error*."""
        if attempt == self.attempts:
            self._writing = False
            self._finished = error is None
            self._error = error
            if self._ended:
                self._settle()

    def request_ended(self) -> None:
        """Note that no attempt will follow the one that may be under way."""
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
        future.exception()  # who does not ask shall not be told at the future's end

    def __repr__(self) -> str:
        return f"<UploadTracker {self.bytes_written} bytes, attempt {self.attempts}>"


class WatchedBody(BodyWrapper):
    """Another body, which tells how far it has got: it goes out piece by piece."""

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
        """Return *body* watched as well."""
        return WatchedBody(self._body.around(body), self._progress, self._tracker, self._label)

    async def write(self, writer: BodyWriter) -> None:
        """Send all of it, as ``Body.write`` says.

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
        """Tell that *sent* bytes were sent, unless a later attempt has begun."""
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
    """Counts what it passes on, a piece at a time."""

    __slots__ = ("_attempt", "_body", "_sent", "_writer")

    def __init__(self, writer: BodyWriter, body: WatchedBody, attempt: int) -> None:
        self._writer = writer
        self._body = body
        self._attempt = attempt
        self._sent = 0

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Write *chunk* in pieces, and tell of each one when it was sent."""
        view = memoryview(chunk)
        for start in range(0, view.nbytes, PIECE):
            piece = view[start : start + PIECE]
            await self._writer.write(chunk if piece.nbytes == view.nbytes else piece)
            self._sent += piece.nbytes
            await self._body.note(self._attempt, self._sent)
