"""The upload options of a call: a content coding and progress reports."""

from collections.abc import Awaitable, Callable, Mapping

from yarl import URL

from ..body import CompressedBody, UploadTracker, WatchedBody, check_coding
from ..chain import Handler
from ..message.headers import CONTENT_ENCODING, CONTENT_LENGTH
from ..message.request import Request
from ..response.client_response import ClientResponse
from .arguments import CallArguments


def prepare_upload(request: Request, arguments: CallArguments) -> None:
    """Wrap the request's body as the call's upload options demand.

    An empty body is not compressed.

    Raises:
        ValueError: ``compress`` names an unknown coding, or contradicts a Content-Encoding or Content-Length.
        TypeError: an argument is invalid.
        MissingExtraError: the coding needs a package that is missing.
    """
    progress = arguments.get("progress")
    if progress is not None and not callable(progress):
        raise TypeError(
            f"progress must be a callable that takes (sent, total), found {type(progress).__name__}"
        )
    tracker = arguments.get("upload_tracker")
    coding = check_coding(arguments.get("compress"))
    body = request.content
    if coding is not None and body is not None:
        for name in (CONTENT_ENCODING, CONTENT_LENGTH):
            if name in request.fields:
                raise ValueError(
                    f"compress={coding!r} and the field {name} contradict each other; leave out one"
                )
    if body is not None:
        empty = body.size == 0
        if progress is not None or tracker is not None:
            body = WatchedBody(body, progress, tracker, request.label)
        if coding is not None and not empty:
            body = CompressedBody(body, coding)
        request.content = body


async def settle(
    tracker: object,
    send: Callable[..., Awaitable[ClientResponse]],
    method: str,
    url: str | URL,
    arguments: Mapping[str, object],
) -> ClientResponse:
    """Send a request and settle its *tracker* at the end, whatever the outcome.

    Raises:
        TypeError: it is not a tracker.
        RuntimeError: it belongs to another request.
    """
    if not isinstance(tracker, UploadTracker):
        kind = type(tracker)
        raise TypeError(
            f"upload_tracker must be an aioclient.UploadTracker, found {kind.__module__}.{kind.__qualname__}"
        )
    tracker.bind()
    try:
        return await send(method, url, **arguments)
    finally:
        tracker.request_ended()


def give_up(tracker: object) -> None:
    """Settle the *tracker* of a refused call, if it is one."""
    if isinstance(tracker, UploadTracker):
        tracker.bind()
        tracker.request_ended()


class CountAttempts:
    """The innermost step of a call with a tracker, before *send*: it counts attempts."""

    __slots__ = ("_send", "_tracker")

    def __init__(self, tracker: UploadTracker, send: Handler) -> None:
        self._tracker = tracker
        self._send = send

    def __call__(self, request: Request) -> Awaitable[ClientResponse]:
        """Count an attempt, and send it."""
        self._tracker.attempt_started(request.content is not None)
        return self._send(request)
