"""What a call asks of its upload: a content coding, and to tell how far it has got."""

from ..body import CompressedBody, UploadTracker, WatchedBody, check_coding
from ..chain import Handler, compose
from ..message.headers import CONTENT_ENCODING, CONTENT_LENGTH
from ..message.request import Request
from ..response.client_response import ClientResponse
from .arguments import CallArguments


def prepare_upload(request: Request, arguments: CallArguments, handler: Handler) -> Handler:
    """Lay what the call asks of its upload around the request's body; return the handler that carries it out.

    An empty body is not compressed.

    Raises:
        ValueError: ``compress`` names no coding known here, or contradicts a Content-Encoding or Content-Length.
        TypeError: an argument is not of its kind.
        MissingExtraError: a package is missing that the coding needs.
        RuntimeError: the tracker is another request's.
    """
    progress = arguments.get("progress")
    if progress is not None and not callable(progress):
        raise TypeError(
            f"progress must be a callable that takes (sent, total), found {type(progress).__name__}"
        )
    tracker: object = arguments.get("upload_tracker")
    if tracker is not None and not isinstance(tracker, UploadTracker):
        kind = type(tracker)
        raise TypeError(
            f"upload_tracker must be an aioclient.UploadTracker, found {kind.__module__}.{kind.__qualname__}"
        )
    coding = check_coding(arguments.get("compress"))
    body = request.content
    if coding is not None and body is not None:
        for name in (CONTENT_ENCODING, CONTENT_LENGTH):
            if name in request.fields:
                raise ValueError(
                    f"compress={coding!r} and the field {name} contradict each other; leave out one"
                )
    if tracker is not None:
        tracker.bind()
        handler = compose([_Tracked(tracker)], handler)
    if body is not None:
        empty = body.size == 0
        if progress is not None or tracker is not None:
            body = WatchedBody(body, progress, tracker)
        if coding is not None and not empty:
            body = CompressedBody(body, coding)
        request.content = body
    return handler


class _Tracked:
    """The outermost step of a call with a tracker: it tells when no attempt can follow."""

    __slots__ = ("_tracker",)

    def __init__(self, tracker: UploadTracker) -> None:
        self._tracker = tracker

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        has_body = request.content is not None
        try:
            return await handler(request)
        finally:
            self._tracker.request_ended(has_body)
