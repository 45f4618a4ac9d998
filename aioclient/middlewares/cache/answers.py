"""Responses made from stored ones (RFC 9111, section 4)."""

from collections.abc import AsyncIterator

from aiohttp import HttpVersion
from multidict import CIMultiDict, CIMultiDictProxy

from ...exceptions import ClientPayloadError
from ...message.request import Request
from ...response.client_response import ClientResponse
from .entry import Entry
from .ranges import Part, part_fields
from .unfailing import UnfailingStore

Content = bytes | AsyncIterator[bytes]

# Fields of a stored response that a 304 has as well (RFC 9110, section 15.4.5).
_OF_NOT_MODIFIED = frozenset(
    ("age", "cache-control", "content-location", "date", "etag", "expires", "last-modified", "vary")
)


def answer(
    request: Request, entry: Entry, age: float, body: Content, part: Part | None
) -> ClientResponse:
    """Return the response to *request* from *entry*, *age* seconds old; only *part* of it if that is requested."""
    fields = _aged(entry, int(min(age, 2**31)))
    status, reason = entry.status, entry.reason
    if part is not None:
        changed: CIMultiDict[str] = CIMultiDict(fields)
        part_fields(changed, part)
        fields = _proxy(changed)
        status, reason = 206, "Partial Content"
    return ClientResponse.from_parts(
        request, status, fields, body, reason=reason, version=_VERSIONS[entry.version]
    )


class _Versions(dict[tuple[int, int], HttpVersion]):
    def __missing__(self, version: tuple[int, int]) -> HttpVersion:
        return HttpVersion(*version)


_VERSIONS = _Versions({each: HttpVersion(*each) for each in ((1, 0), (1, 1), (2, 0))})


def _aged(entry: Entry, age: int) -> "CIMultiDictProxy[str]":
    """Return the fields of *entry* with its ``Age``; hits within the same second share them."""
    if entry.aged is not None and entry.aged[0] == age:
        return entry.aged[1]
    fields: CIMultiDict[str] = CIMultiDict(entry.fields)
    fields["Age"] = str(age)
    entry.aged = age, _proxy(fields)
    return entry.aged[1]


def not_modified(request: Request, entry: Entry, age: float) -> ClientResponse:
    """Return the 304 for a client that already has the stored response."""
    pairs = [pair for pair in entry.fields.items() if pair[0].lower() in _OF_NOT_MODIFIED]
    fields: CIMultiDict[str] = CIMultiDict([*pairs, ("Age", str(int(min(age, 2**31))))])
    return ClientResponse.from_parts(request, 304, _proxy(fields))


def not_cached(request: Request) -> ClientResponse:
    """Return the answer to ``only-if-cached`` when no stored response can be used (RFC 9111, section 5.2.1.7)."""
    return ClientResponse.from_parts(request, 504, {"Content-Length": "0"})


def _proxy(fields: "CIMultiDict[str]") -> "CIMultiDictProxy[str]":
    return CIMultiDictProxy(fields)


def part_of(entry: Entry, body: bytes, part: Part | None) -> bytes:
    """Return the *part* of the *body* of *entry*."""
    return body if part is None else body[part.start - entry.start : part.stop - entry.start]


async def content_of(
    store: UnfailingStore, entry: Entry, part: Part | None
) -> AsyncIterator[bytes] | None:
    """Return the body of *entry*, or the *part* of it, as the store reads it; None if it no longer exists."""
    start = 0 if part is None else part.start - entry.start
    stop = entry.size if part is None else part.stop - entry.start
    pieces = store.store.read(entry)
    try:
        first = await anext(pieces, b"")
    except LookupError:
        return None
    if not first and start < stop:
        return None
    return _cut(store, first, pieces, start, stop)


async def _next(store: UnfailingStore, pieces: AsyncIterator[bytes]) -> bytes:
    try:
        return await anext(pieces, b"")
    except Exception as error:
        store.failed("read", error)
        raise ClientPayloadError(f"the store failed while a body was read: {error!r}") from error


async def _cut(
    store: UnfailingStore, first: bytes, others: AsyncIterator[bytes], start: int, stop: int
) -> AsyncIterator[bytes]:
    """Yield the bytes from *start* to *stop* of *first* and the *others*, and close *others* at the end.

    Raises:
        ClientPayloadError: the store raised, or has fewer bytes.
    """
    try:
        at, piece = 0, first
        while piece and at < stop:
            wanted = piece[max(0, start - at) : stop - at]
            if wanted:
                yield wanted
            at += len(piece)
            if at < stop:
                piece = await _next(store, others)
        if at < stop:
            raise ClientPayloadError(
                f"a stored body ended after {at} bytes; {stop} were stored, or more"
            )
        store.works("read")
    finally:
        close = getattr(others, "aclose", None)
        if close is not None:
            await close()
