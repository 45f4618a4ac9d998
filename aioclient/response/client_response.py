"""The response: status, fields, and a body that is either here already or still coming."""

import asyncio
import json as json_module
from collections.abc import AsyncIterable, Awaitable, Callable, Generator
from http.client import responses
from http.cookies import SimpleCookie
from inspect import iscoroutinefunction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast, overload
from weakref import WeakKeyDictionary, ref

import aiohttp
from aiohttp import HttpVersion, HttpVersion11
from multidict import CIMultiDictProxy, MultiDictProxy
from yarl import URL

from ..exceptions import (
    CALL_ERRORS,
    BodyTooLargeError,
    ClientConnectionError,
    InvalidJSONError,
    StatusError,
    StreamConsumedError,
    UnexpectedContentTypeError,
    shown,
)
from ..exchange import ALL, Exchange, Lease
from ..message.attempt import Attempt
from ..message.charsets import codec_of, decode_text, detected_charset
from ..message.codings import body_too_large, decode_all
from ..message.disposition import ContentDisposition, parse_disposition
from ..message.excerpt import excerpt, is_textual
from ..message.headers import (
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    LINK,
    SET_COOKIE,
    LooseHeaders,
    shown_text,
)
from ..message.links import parse_links
from ..message.media_type import (
    DEFAULT_CONTENT_TYPE,
    judge_content_type,
    parse_content_type,
)
from ..message.request import Request, RequestInfo
from ..message.set_cookie import morsel_of
from ..message.timings import Timings
from ..warning import warn_legacy
from .body_stream import stream_of
from .branches import Branch
from .foreign_names import FOREIGN_NAMES, ForeignName
from .json_body import decode_json, decode_json_as, text_of, typed_decoder
from .lease import Connection
from .stream import StreamReader
from .synthetic import Puller, SyntheticExchange, response_fields, synthetic_body, wait_for_end

# Bytes that are decoded without a turn for the event loop, and bytes that they may become: 2 to 4 ms of its time.
DECODE_AT_ONCE: Final = 64 * 1024
DECODED_AT_ONCE: Final = 2**20
ERROR_BODY: Final = 64 * 1024  # bytes of a body, decoded, that an error for its status carries
ERROR_BODY_TIME: Final = (
    5.0  # seconds to wait for them: a body that drips must not hold back what its status says
)


T = TypeVar("T")

_ANY: Final = object()  # stands for 'no type given': None is one


class _Done:
    """What ``release()`` returns, so that ``await response.release()`` works as it did in aiohttp 2."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


DONE: Final = _Done()


# Those that were asked for.
_uploads: "WeakKeyDictionary[ClientResponse, asyncio.Future[None]]" = WeakKeyDictionary()


class ClientResponse:
    """What the server answered.

    Use it as ``async with session.get(url) as response``. A body that came whole with the head is kept as bytes and
    its connection is in the pool again already; a longer one is read from the connection by ``read()``, ``text()``,
    ``json()`` or through ``content``. Leaving the context gives up what was not read.

    ``headers`` are the fields as received, ``history`` the responses of the redirects before this one, oldest first,
    ``trailers`` the fields after a chunked body (empty until it was read; they are never merged into ``headers``).
    """

    __slots__ = (
        "__weakref__",
        "_attempts",
        "_body",
        "_content",
        "_cookies",
        "_exchange",
        "_in_context",
        "_lease",
        "_raw",
        "_real_url",
        "_released",
        "headers",
        "method",
        "reason",
        "request",
        "status",
        "trailers",
        "version",
    )

    _attempts: tuple[Attempt, ...]  # of one that a Retry has tried for more than once

    if not TYPE_CHECKING:
        # Libraries ask isinstance(response, aiohttp.ClientResponse); type() stays ours.
        __class__ = property(lambda self: aiohttp.ClientResponse)

    def __init__(
        self,
        exchange: Exchange,
        version: HttpVersion,
        status: int,
        reason: str,
        headers: "CIMultiDictProxy[str]",
        trailers: "CIMultiDictProxy[str]",
        raw: bytes | None,
        content: StreamReader | None,
        lease: Connection | None,
    ) -> None:
        self._exchange = exchange
        self.request = request = exchange.request
        self.method = request.method
        self._real_url = request.real_url
        self.version = version
        self.status = status
        self.reason = reason
        self.headers = headers
        self.trailers = trailers
        self._raw = raw
        self._content = content
        self._lease = lease
        self._body: bytes | None = None
        self._cookies: SimpleCookie | None = None
        self._released = False
        self._in_context = False

    @classmethod
    def from_parts(
        cls,
        request: Request,
        status: int,
        headers: LooseHeaders | None = None,
        body: bytes | bytearray | memoryview | AsyncIterable[bytes] | None = None,
        *,
        reason: str | None = None,
        version: HttpVersion = HttpVersion11,
        trailers: LooseHeaders | None = None,
        timings: Timings | None = None,
        decoded: bool = False,
    ) -> Self:
        """Return the response to *request* that a middleware or a transport has without a connection.

        Its class is the session's ``response_class``, if that is a subclass of this one. Nothing compares *headers*
        with *body*: ``Content-Length`` may say what it likes.

        Args:
            request: what it answers, with ``history``, limits and traces.
            status: from 100 to 999.
            headers: the fields: mapping or pairs; a ``CIMultiDictProxy`` is taken as it is, unchecked.
            body: as it would be on the wire: its ``Content-Encoding`` is undone as the call says. Bytes, or an async
                iterable of bytes. That is asked for a piece only when a reader waits for one, and closed with
                ``aclose()`` when it has ended or the response is left. What it raises, the reader gets. The call's
                total limit counts, ``sock_read`` does not.
            reason: the reason phrase; None for the usual one of *status*.
            version: what ``version`` says.
            trailers: the fields after the body, read when an iterable has ended; it may fill them in until then.
            timings: what ``timings`` says; None for no phase.
            decoded: whether *body* is free of the coding that ``Content-Encoding`` names.

        Raises:
            TypeError, ValueError: a part is not of its kind, or a field cannot be one.
        """
        if not isinstance(cast(object, request), Request):
            raise TypeError(
                f"from_parts() needs the Request that it answers, found {type(request).__name__}"
            )
        if isinstance(status, bool) or not isinstance(cast(object, status), int):
            raise TypeError(f"status must be an int, found {type(status).__name__} {status!r}")
        if not 100 <= status <= 999:
            raise ValueError(
                f"status={status}: give a number from 100 to 999 (RFC 9110, section 15)"
            )
        kind: type[Self] = request.response_class
        if not issubclass(kind, cls):
            kind = cls
        fields = response_fields(headers)
        coding = None
        if not decoded and request.options.auto_decompress and CONTENT_ENCODING in fields:
            coding = ",".join(fields.getall(CONTENT_ENCODING))
        exchange = SyntheticExchange(request, timings)
        raw, content, lease, after = synthetic_body(
            exchange, body, coding, trailers, decoded=decoded
        )
        if reason is None:
            reason = responses.get(status, "")
        return kind(exchange, version, status, reason, fields, after, raw, content, lease)

    # What was asked

    @property
    def url(self) -> URL:
        """The URL that was answered, without its fragment."""
        url = self._real_url
        return url.with_fragment(None) if url.raw_fragment else url

    @property
    def real_url(self) -> URL:
        """The URL that was answered, with its fragment."""
        return self._real_url

    @property
    def host(self) -> str | None:
        """The host of the URL that was answered."""
        return self._real_url.host

    @property
    def history(self) -> "tuple[ClientResponse, ...]":
        """The responses of the redirects before this one, oldest first."""
        return cast("tuple[ClientResponse, ...]", self.request.history)

    @property
    def request_info(self) -> RequestInfo:
        """URL, method and fields of the request, its credentials included; its ``repr`` hides them."""
        return self.request.full_info

    @property
    def timings(self) -> Timings:
        """How long each phase of the exchange took, as far as it is over; what is longer ago does not change."""
        return self._exchange.timings

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts that a ``Retry`` has made for this response, the last one is its own; one without a ``Retry``.

        After a redirect these are the last hop's alone; the responses in ``history`` have those of the others.
        """
        try:
            return self._attempts
        except AttributeError:
            exchange = self._exchange
            took = 0.0 if exchange.answered is None else exchange.answered - exchange.began
            return (Attempt(self.status, took=took),)

    @property
    def output_size(self) -> int:
        """Bytes of the request's body that were sent so far, its head not counted (deprecated: ``UploadTracker``)."""
        warn_legacy("response.output_size", "give upload_tracker= to the call")
        exchange = self._exchange
        if exchange.phases is not None and exchange.phases.uploaded:
            return exchange.phases.uploaded
        content = self.request.content
        return 0 if content is None or exchange.sent is not ALL else content.size or 0

    @property
    def upload_complete(self) -> "asyncio.Future[None]":
        """A future, done once the request's body was sent, or given up (deprecated: ``UploadTracker`` has one)."""
        warn_legacy("response.upload_complete", "give upload_tracker= to the call")
        future = _uploads.get(self)
        if future is None:
            if self._lease is None or self._exchange.sent is ALL:
                future = asyncio.get_running_loop().create_future()
                future.set_result(None)
            else:
                future = asyncio.ensure_future(self._lease.wait_sent())
            _uploads[self] = future
        return future

    # Status and fields

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The fields as pairs of bytes, spelled as received."""
        return tuple(
            (name.encode(), value.encode("utf-8", "surrogateescape"))
            for name, value in self.headers.items()
        )

    @property
    def content_type(self) -> str:
        """The media type, without parameters; ``application/octet-stream`` when there is none."""
        value = self.headers.get(CONTENT_TYPE)
        return DEFAULT_CONTENT_TYPE if value is None else parse_content_type(value)[0]

    @property
    def content_length(self) -> int | None:
        """The number that ``Content-Length`` says, before decoding; None without one."""
        value = self.headers.get(CONTENT_LENGTH)
        return int(value) if value is not None and value.isdecimal() else None

    @property
    def charset(self) -> str | None:
        """The ``charset`` parameter of ``Content-Type``, or None."""
        value = self.headers.get(CONTENT_TYPE)
        return None if value is None else parse_content_type(value)[1]

    @property
    def cookies(self) -> SimpleCookie:
        """The cookies that this response set; what cannot be parsed is left out."""
        if self._cookies is None:
            self._cookies = cookies = SimpleCookie()
            for field in self.headers.getall(SET_COOKIE, ()):
                morsel = morsel_of(field)
                if morsel is not None:
                    cookies[morsel.key] = morsel
        return self._cookies

    @property
    def links(self) -> "MultiDictProxy[MultiDictProxy[str | URL]]":
        """The links of the ``Link`` fields by their relation: ``response.links["next"]["url"]`` (RFC 8288).

        URLs are absolute. A link with several relations is under each of them, one without under its target; names of
        relations are the same in upper and lower case.
        """
        return parse_links(", ".join(self.headers.getall(LINK, ())), self.url)

    @property
    def content_disposition(self) -> ContentDisposition | None:
        """Type, parameters and file name of ``Content-Disposition``; None when there is none (RFC 6266)."""
        field = self.headers.get(CONTENT_DISPOSITION)
        return None if field is None else parse_disposition(field)

    def raise_for_status(self) -> None:
        """Raise if the status is 400 or more; the response is released unless ``async with`` will do it.

        Within ``async with`` the body can still be read. The error carries of the body what is here already, without
        waiting: all of it when it came with the head or was read before, up to 64 KiB. ``check_status()`` waits for it.

        Raises:
            StatusError: with ``status``, ``message`` (the reason), ``headers``, ``history``, ``body`` and ``text``.
        """
        if self.status >= 400:
            body = self._start_of_body()
            if not self._in_context:
                self.release()
            error = StatusError(
                self.request.info,
                cast(Any, self.history),
                status=self.status,
                message=self.reason,
                headers=self.headers,
                body=body,
                charset=self.get_encoding(),
            )
            if body and error.show_body and is_textual(self.content_type):
                error.excerpt = excerpt(error.text, self.request)
            raise error

    async def check_status(self) -> None:
        """Do as ``raise_for_status()``, and wait for the first 64 KiB of the body: within the deadline, 5 s at most.

        It is what ``raise_for_status=True`` of a session or a call does. When the body fails meanwhile, the error has
        what came of it, and the failure as its context.
        """
        if self.status >= 400 and self._raw is None and self._body is None and not self._released:
            try:
                async with asyncio.timeout(ERROR_BODY_TIME):
                    await self.content.prefetch(ERROR_BODY)
            except CALL_ERRORS:
                self.raise_for_status()
                return
            except BaseException:
                self.close()
                raise
        self.raise_for_status()

    def _start_of_body(self) -> bytes:
        """Return what is here of the body, decoded, at most as much as an error carries."""
        if self._body is not None:
            return self._body[:ERROR_BODY]
        if self._released:
            return b""
        return self.content.peek(ERROR_BODY)

    # The body

    @property
    def content(self) -> StreamReader:
        """The body as a stream; after ``release()`` it raises ``ClientConnectionError``."""
        return self._open_content() if self._content is None else self._content

    def _open_content(self) -> StreamReader:
        """Make a stream of a body that came with its head, or was given up."""
        request = self.request
        if self._released:
            self._content = content = StreamReader(None)
            content.set_exception(self._released_error())
            return content
        self._content = content = stream_of(request, self._raw or b"", self._content_encoding)
        return content

    async def read(self) -> bytes:
        """Return the whole body, decoded from its content codings; the same bytes again when called again.

        When it fails or is cancelled while the body still comes, the connection is closed.

        Raises:
            ClientPayloadError: it ended early, could not be decoded, or is larger than ``max_body_size``.
            ClientConnectionError: the response was released before it was read.
            ServerTimeoutError, TotalTimeoutError: it did not come in time.
        """
        body = self._body_at_hand()
        if body is None:
            try:
                self._body = body = await self._read_body()
            except asyncio.CancelledError:
                self.close()
                raise
            self._end_lease()
        return body

    async def read_raw(self) -> bytes:
        """Return the whole body as it came, before any content coding is undone.

        Afterwards ``read()``, ``text()`` and ``json()`` decode it, as if it had come with the head. It is not told to
        a trace. ``content.iter_raw()`` gives it in pieces.

        Raises:
            RuntimeError: it was decoded already, in part or whole.
            ClientPayloadError, ClientConnectionError, ServerTimeoutError, TotalTimeoutError: as ``read()``;
                ``max_body_size`` counts the bytes as they came.
        """
        raw = self._whole_raw("read_raw")
        if raw is not None:
            limit = self.request.options.max_body_size
            if limit is not None and len(raw) > limit:
                raise body_too_large(limit)
            return raw
        content = self.content
        try:
            raw = await content.read_raw()
        except asyncio.CancelledError:
            self.close()
            raise
        if len(raw) == content.total_raw_bytes:
            if content.is_coded or self._content_encoding is None:
                self._raw, self._content = raw, None
            else:
                self._body = raw  # it was given decoded, whatever its fields say
        elif not content.is_coded:
            self._body = raw
        self._end_lease()
        return raw

    def tee(
        self, write: Callable[[bytes], object], end: Callable[[BaseException | None], object]
    ) -> None:
        """Show the body to somebody else while it is read, as a cache or a recorder needs it.

        *write* is called with each piece as it came, undecoded, when it comes: as fast as the body is read, and not at
        all for one that nobody reads. *end* is called once, last: with None when the body is whole, else with the
        error that ended it, a ``ClientConnectionError`` when the reader left early. A body that is here already is
        shown at once. Several may look on; the response does not notice. Both are plain functions, and must not wait.

        What *write* raises goes to *end*, and ends the branch alone.

        Raises:
            RuntimeError: a part of the body was read already.
            ClientConnectionError: the response was released.
            TypeError: one of them is no plain function.
        """
        functions: tuple[tuple[str, object], ...] = (("write", write), ("end", end))
        for name, function in functions:
            if not callable(function) or iscoroutinefunction(function):
                raise TypeError(f"tee(): {name} must be a plain function, found {function!r}")
        raw = self._whole_raw("tee")
        if raw is None:
            self.content.tee(write, end)
            return
        branch = Branch(write, end, asyncio.get_running_loop())
        if raw:
            branch.write(raw)
        branch.end(None)

    def _whole_raw(self, caller: str) -> bytes | None:
        """Return the undecoded body if it is here; None if it is to be read from ``content``."""
        if self._raw is not None and not self._released:
            return self._raw
        if self._body is not None:
            content, body = self._content, self._body
            is_coded = self._content_encoding is not None if content is None else content.is_coded
            if is_coded:
                raise RuntimeError(
                    f"{caller}(): the body was decoded already, and is not kept as it came; call it before"
                )
            if content is not None and content.total_raw_bytes != len(body):
                raise RuntimeError(
                    f"{caller}(): a part of the body was read already; call it before"
                )
            return body
        if self._released:
            raise self._released_error()
        return None

    async def _read_body(self) -> bytes:
        trace = self.request.trace
        if (
            trace is not None
            and trace.wants_body
            and (body := self._body_at_hand(traced=True)) is not None
        ):
            await trace.response_chunk_received(self.request, body)
            return body
        return await self.content.read()

    def _body_at_hand(self, *, traced: bool = False) -> bytes | None:
        """Return the body if it was read already or came with the head; None if somebody has to be waited for.

        That may also be who follows the call, unless *traced*: the caller tells the trace itself.
        """
        if self._body is not None:
            return self._body
        if self._released:
            raise self._released_error()
        raw = self._raw
        trace = self.request.trace
        if (
            raw is None
            or self._content is not None
            or (trace is not None and trace.wants_body and not traced)
        ):
            return None
        coding = self._content_encoding
        limit = self.request.options.max_body_size
        if coding is not None:
            if len(raw) > DECODE_AT_ONCE:
                return None
            at_once = DECODED_AT_ONCE if limit is None else min(limit, DECODED_AT_ONCE)
            try:
                raw = decode_all(raw, coding, at_once, lenient=self.request.options.lenient)
            except BodyTooLargeError:
                self._open_content()  # which gives the event loop its turns, and raises if it is too large
                return None
        elif limit is not None and len(raw) > limit:
            raise body_too_large(limit)
        self._body = raw
        self._raw = None
        return raw

    @property
    def _content_encoding(self) -> str | None:
        """The content codings to undo, in the order of their header fields; None if there are none."""
        if CONTENT_ENCODING not in self.headers or not self.request.options.auto_decompress:
            return None
        return ",".join(self.headers.getall(CONTENT_ENCODING))

    def _released_error(self) -> ClientConnectionError:
        return ClientConnectionError(
            f"{self.request.label}: the response was released before its body was read"
        )

    def _end_lease(self) -> None:
        if self._lease is not None:
            self._lease.end()
            self._lease = None

    def get_encoding(self) -> str:
        """Return the codec that ``text()`` uses if the header names a charset that is known, else ``utf-8``.

        A label means what it means to browsers: ``iso-8859-1`` is ``cp1252``, ``gb2312`` is ``gb18030``.
        """
        return self._codec() or "utf-8"

    def _codec(self) -> str | None:
        charset = self.charset
        return None if charset is None else codec_of(charset)

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """Return the body as text.

        The charset is *encoding*, else the header's, whose label means what it means to browsers (``gb2312`` is GBK,
        ``shift_jis`` Windows' cp932, ``iso-8859-1`` windows-1252), else what the session's
        ``fallback_charset_resolver`` says.
        Without one it is UTF-8 if the body is valid UTF-8, else what charset-normalizer detects (without it: UTF-8,
        with U+FFFD for what is not).

        Raises:
            UnicodeDecodeError: the named charset does not fit and *errors* is ``strict``.
            StreamConsumedError: the body was read before, piece by piece.
        """
        body = self._body_at_hand() or await self._read_unless_consumed("text")
        if encoding is not None:
            return body.decode(encoding, errors)
        if (codec := self._codec()) is not None:
            return decode_text(body, codec, errors)
        if (resolve := self.request.options.fallback_charset_resolver) is not None:
            return body.decode(resolve(self, body), errors)
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            return body.decode(detected_charset(body), "replace")

    @overload
    async def json(
        self,
        *,
        encoding: str | None = None,
        loads: Callable[[str], Any] = json_module.loads,
        content_type: str | None = "application/json",
    ) -> Any: ...

    @overload
    async def json(
        self,
        *,
        type: type[T],
        encoding: str | None = None,
        content_type: str | None = "application/json",
    ) -> T: ...

    @overload
    async def json(
        self,
        *,
        type: Any,  # a union, for which there is no type yet (PEP 747)
        encoding: str | None = None,
        content_type: str | None = "application/json",
    ) -> Any: ...

    async def json(
        self,
        *,
        type: Any = _ANY,
        encoding: str | None = None,
        loads: Callable[[str], Any] = json_module.loads,
        content_type: str | None = "application/json",
    ) -> Any:
        """Return the body parsed as JSON; None for a blank one.

        The result is that of ``json.loads``; msgspec, where it is installed, makes it three times as fast.

        Args:
            type: what to decode into, and to check against: a dataclass, a TypedDict, a ``msgspec.Struct``, an attrs
                class, ``list[int]`` or another generic of such types, a union. It needs msgspec; a blank body then
                counts as null.
            encoding: the charset, instead of the header's, or else UTF-8.
            loads: what parses the text, instead.
            content_type: the media type that the response must have (``application/json`` also stands for
                ``application/*+json``); None accepts any.

        Raises:
            UnexpectedContentTypeError: the response has another media type.
            InvalidJSONError: the body is not JSON (with the default *loads*); a ``json.JSONDecodeError``.
            StreamConsumedError: the body was read before, piece by piece.
            UnexpectedJSONError: it is JSON, and not of this *type*.
            MissingExtraError: *type* is given and msgspec is not installed.
        """
        decoder = None
        if type is not _ANY:
            if loads is not json_module.loads:
                raise ValueError(
                    "json() takes type= or loads=, not both: msgspec decodes into types"
                )
            decoder = typed_decoder(type)
        body = self._body_at_hand() or await self._read_unless_consumed("json")
        found = self.headers.get(CONTENT_TYPE, "")
        expected, charset = judge_content_type(found, content_type)
        if not expected:
            raise UnexpectedContentTypeError(
                self.request.info,
                cast(Any, self.history),
                status=self.status,
                message=f"Attempt to decode JSON with unexpected mimetype: {found}",
                headers=self.headers,
            )
        charset = encoding or charset
        try:
            if decoder is not None:
                return decode_json_as(decoder, body, charset, self.request)
            if not body or body.isspace():
                return None
            if loads is json_module.loads:
                return decode_json(body, charset)
        except json_module.JSONDecodeError as error:
            raise self._invalid_json(error) from None
        return loads(text_of(body, charset))

    def _invalid_json(self, error: json_module.JSONDecodeError) -> InvalidJSONError:
        return InvalidJSONError(
            error.msg,
            error.doc,
            error.pos,
            request_info=self.request.info,
            status=self.status,
            content_type=self.headers.get(CONTENT_TYPE, ""),
            excerpt=excerpt(error.doc, self.request) if InvalidJSONError.show_body else "",
        )

    async def _read_unless_consumed(self, caller: str) -> bytes:
        """Read the body for *caller*; refuse one of which nothing is left because others read it from ``content``."""
        body = await self.read()
        if not body and self._content is not None and self._content.total_bytes:
            raise StreamConsumedError(
                f"{self.request.label}: {caller}() finds nothing, because the body was read from response.content "
                f"before, which keeps nothing; keep what you read there, or call read() first and {caller}() after it"
            )
        return body

    # The end

    @property
    def closed(self) -> bool:
        """Whether the response holds no connection any more."""
        return self._released or self._lease is None or self._lease.closed

    @property
    def connection(self) -> Connection | None:
        """The connection while it carries the body; None when the body is complete, or given up, or needs none."""
        lease = self._lease
        return None if lease is None or lease.transport is None else lease

    def release(self) -> Awaitable[None]:
        """Give up what was not read; the connection is kept if little is missing, else closed.

        Await the result, as ``async with`` does, to wait until the iterator of a body ``from_parts()`` is closed.
        """
        self._released = True
        lease = self._lease
        if lease is None:
            return DONE
        self._lease = None
        return lease.release() or DONE

    def close(self) -> None:
        """Close the connection if the body is still coming, else as ``release()``."""
        self._released = True
        if self._lease is not None:
            self._lease.close()
            self._lease = None

    async def wait_for_close(self) -> None:
        """Wait until the request was sent to its end, which a server need not wait for; then ``release()``."""
        if self._lease is not None:
            await self._lease.wait_sent()
        await self.release()

    async def __aenter__(self) -> Self:
        self._in_context = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ending: object = self.release()
        if ending is not DONE:
            await wait_for_end(ending)

    def __repr__(self) -> str:
        reason = shown_text(self.reason)[1:-1]
        return f"<ClientResponse({shown(self.real_url)}) [{self.status} {reason}]>"


for _name, _hint in FOREIGN_NAMES.items():
    setattr(ClientResponse, _name, ForeignName(_name, _hint))


def is_synthetic(response: object) -> bool:
    """Tell whether *response* was made of parts, without a connection."""
    return isinstance(response, ClientResponse) and isinstance(
        response._exchange, SyntheticExchange
    )


def note_attempts(response: object, attempts: tuple[Attempt, ...]) -> None:
    """Let *response* tell of the *attempts* that led to it."""
    if isinstance(response, ClientResponse):
        response._attempts = attempts


def release_with(response: object, leases: "list[ref[Lease]]") -> bool:
    """Release *leases* when the body of *response* ends, if it comes from an iterator, which may read from them.

    Return whether it does.
    """
    lease = response._lease if isinstance(response, ClientResponse) else None
    puller = None if lease is None else lease.leased
    if not isinstance(puller, Puller):
        return False
    puller.keep(leases)
    return True
