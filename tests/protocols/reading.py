"""Read a response with the reader alone: no socket, no event loop."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from weakref import ref

from multidict import CIMultiDict
from yarl import URL

from aioclient import ClientResponse, ClientTimeout
from aioclient.body import MAKER
from aioclient.message.headers import DefaultHeaders
from aioclient.message.request import Request, RequestOptions
from aioclient.protocols.http1.head import ends_connection
from aioclient.protocols.http1.response import ResponseReader

from .corpus import Message


@dataclass(frozen=True)
class Reading:
    """What became of a response: all that a caller can see, and whether its connection may be reused."""

    error: str
    status: int | None = None
    reason: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    trailers: tuple[tuple[str, str], ...] = ()
    reusable: bool = False


def asked(method: str = "GET", headers: dict[str, str] | None = None, **options: Any) -> Request:
    """Return the request that the response answers."""
    return Request(
        method,
        URL("http://a.test/"),
        DefaultHeaders(CIMultiDict()),
        CIMultiDict(headers) if headers else None,
        None,
        RequestOptions(ClientResponse, MAKER, **options),
        ClientTimeout(),
        None,
        None,
        None,
        ref(Request),  # any object: nobody asks for the session
    )


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cut *data* into segments of *size* bytes."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def read(
    segments: Iterable[bytes], request: Request | None = None, reader: ResponseReader | None = None
) -> Reading:
    """Feed the segments as a connection does, and close it behind them."""
    reader = reader or ResponseReader()
    request = request or asked()
    reader.begin(request, ends_connection(request.fields))
    late = False
    for segment in segments:
        if reader.complete or reader.error is not None or reader.upgrade is not None:
            late = True
            break
        if segment:
            reader.feed(segment)
    error = ""
    if reader.error is not None:
        error = type(reader.error).__name__
    elif not (reader.complete or reader.until_eof):
        error = "ended early"
    if not reader.head_done:
        return Reading(error)
    return Reading(
        error,
        reader.status,
        reader.reason,
        tuple(reader.fields.items()),
        b"".join(reader.chunks),
        tuple((reader.trailers or {}).items()),
        not error and reader.keep and not reader.extra and not late,
    )


def read_message(message: Message, segments: Iterable[bytes]) -> Reading:
    return read(segments, asked(message.method, message.headers, **message.options))
