"""Makes the stream of a body as the options of the call demand: decoded or not, bounded, and observed by its trace."""

import asyncio

from ..message.request import Request
from .decoders import decoder_for
from .stream import BodySource, StreamReader


def open_stream(
    request: Request,
    content_encoding: str | None,
    source: BodySource,
    loop: asyncio.AbstractEventLoop,
) -> StreamReader:
    """Return the stream of a body that *source* will feed: the body of the response to *request*.

    *content_encoding*: the codings to decode; None for none. Faults in them are raised when the body is read.
    """
    options, trace = request.options, request.trace
    stream = (StreamReader if trace is None else trace.stream_class)(
        source,
        loop=loop,
        limit=options.read_bufsize,
        decoder=(
            None if content_encoding is None else decoder_for(content_encoding, options.lenient)
        ),
        max_size=options.max_body_size,
    )
    if trace is not None:
        trace.watch(request, stream)
    return stream


def stream_of(request: Request, raw: bytes, content_encoding: str | None) -> StreamReader:
    """Return the stream of a body that is already here: the body of the response to *request*."""
    options, trace = request.options, request.trace
    stream = (StreamReader if trace is None else trace.stream_class).from_bytes(
        raw,
        content_encoding=content_encoding,
        lenient=options.lenient,
        max_size=options.max_body_size,
        limit=options.read_bufsize,
    )
    if trace is not None:
        trace.watch(request, stream)
    return stream
