"""The response: status, fields, and a body that is complete or still coming."""

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
    UndecodableJSONError,
    UnexpectedContentTypeError,
    shown,
)
from ..exchange import ALL, Exchange, Lease
from ..message.attempt import Attempt
from ..message.cache_status import CacheStatus
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
from .decoders import decoder_for
from .foreign_names import FOREIGN_NAMES, ForeignName
from .json_body import decode_json, decode_json_as, text_of, typed_decoder
from .lease import Connection
from .stream import StreamReader
from .synthetic import Puller, SyntheticExchange, response_fields, synthetic_body, wait_for_end

# The largest body that is decoded in one go, and its largest decoded size: 2 to 4 ms of the event loop's time.
DECODE_AT_ONCE: Final = 64 * 1024
DECODED_AT_ONCE: Final = 2**20
ERROR_BODY: Final = 64 * 1024  # bytes of a decoded body in the error for its status
ERROR_BODY_TIME: Final = 5.0  # seconds to wait for them: a slow body must not delay the error


T = TypeVar("T")

_ANY: Final = object()  # stands for 'no type given', because None is a type


class _Done:
    """The result of ``release()``, so that ``await response.release()`` works as in aiohttp 2."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


DONE: Final = _Done()


# Decoders that were used before.
_uploads: "WeakKeyDictionary[ClientResponse, asyncio.Future[None]]" = WeakKeyDictionary()


class ClientResponse:
    """The response of a server.

    Use it as ``async with session.get(url) as response``. A body that came completely with the head is kept as bytes,
    and its connection is already back in the pool; a longer body is read from the connection by ``read()``, ``text()``,
    ``json()`` or through ``content``. Leaving the context gives up the unread rest.

    ``headers`` are the fields as received, ``history`` the responses of the redirects before this one, oldest first,
    ``trailers`` the fields after a chunked body (empty until it was read; they are never merged into ``headers``).
    """

    __slots__ = (
        "__weakref__",
        "_attempts",
        "_body",
        "_cache_status",
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

    _attempts: tuple[Attempt, ...]  # set by a Retry that made more than one
    _cache_status: CacheStatus  # of one that a Cache has seen

    if not TYPE_CHECKING:
        # Libraries check isinstance(response, aiohttp.ClientResponse); type() stays ours.
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
        request = exchange.request
        self.request: Request = request
        self.method: str = request.method
        self._real_url = request.real_url
        self.version: HttpVersion = version
        self.status: int = status
        self.reason: str = reason
        self.headers: CIMultiDictProxy[str] = headers
        self.trailers: CIMultiDictProxy[str] = trailers
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
        """Return a response to *request* that a middleware or a transport makes without a connection.

        Its class is the session's ``response_class``, if that is a subclass of this one. *headers* are not compared
        with *body*: a wrong ``Content-Length`` has no effect.

        Args:
            request: the request that it answers; it has the ``history``, limits and traces.
            status: from 100 to 999.
            headers: the fields: mapping or pairs; a ``CIMultiDictProxy`` is used unchecked.
            body: as it would be on the wire: its ``Content-Encoding`` is decoded like any other. Bytes, or an async
                iterable of bytes. An iterable is asked for a piece only when a reader waits for one, and closed with
                ``aclose()`` when it has ended or the response is left. The reader gets its exceptions. The call's total
                limit applies, ``sock_read`` does not.
            reason: the reason phrase; None for the standard one of *status*.
            version: the value of ``version``.
            trailers: the fields after the body, read when an iterable has ended; they may be filled in until then.
            timings: the value of ``timings``; None for no phase.
            decoded: whether *body* is already decoded from the coding in ``Content-Encoding``.

        Raises:
            TypeError, ValueError: an argument or a field is invalid.
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

    # The request

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
        """How long each phase of the exchange took, as far as it has ended; earlier results do not change."""
        return self._exchange.timings

    @property
    def early_hints(self) -> "tuple[CIMultiDictProxy[str], ...]":
        """The fields of each 103 response that came before this one (RFC 8297): mostly ``Link`` fields."""
        phases = self._exchange.phases
        return () if phases is None else phases.early_hints

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts of a ``Retry`` for this response, its own last; a single one without a ``Retry``.

        After a redirect these are the last hop's alone; the responses in ``history`` have those of the other hops.
        """
        try:
            return self._attempts
        except AttributeError:
            exchange = self._exchange
            took = 0.0 if exchange.answered is None else exchange.answered - exchange.began
            return (Attempt(self.status, took=took),)

    @property
    def cache_status(self) -> CacheStatus | None:
        """What a ``Cache`` did for this response; None without one."""
        try:
            return self._cache_status
        except AttributeError:
            return None

    @property
    def output_size(self) -> int:
        """Bytes of the request's body sent so far, without the head (deprecated: ``UploadTracker``)."""
        warn_legacy("response.output_size", "give upload_tracker= to the call")
        exchange = self._exchange
        if exchange.phases is not None and exchange.phases.uploaded:
            return exchange.phases.uploaded
        content = self.request.content
        return 0 if content is None or exchange.sent is not ALL else content.size or 0

    @property
    def upload_complete(self) -> "asyncio.Future[None]":
        """A future that is done when the request's body was sent, or given up (deprecated: ``UploadTracker`` has
        one).
        """
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
        """The media type, without parameters; ``application/octet-stream`` if there is none."""
        value = self.headers.get(CONTENT_TYPE)
        return DEFAULT_CONTENT_TYPE if value is None else parse_content_type(value)[0]

    @property
    def content_length(self) -> int | None:
        """The number in ``Content-Length``, before decoding; None without one."""
        value = self.headers.get(CONTENT_LENGTH)
        return int(value) if value is not None and value.isdecimal() else None

    @property
    def charset(self) -> str | None:
        """The ``charset`` parameter of ``Content-Type``, or None."""
        value = self.headers.get(CONTENT_TYPE)
        return None if value is None else parse_content_type(value)[1]

    @property
    def cookies(self) -> SimpleCookie:
        """The cookies that this response set, without those that cannot be parsed."""
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

        URLs are absolute. A link with several relations is listed under each of them, a link without one under its
        target; names of relations ignore case.
        """
        return parse_links(", ".join(self.headers.getall(LINK, ())), self.url)

    @property
    def content_disposition(self) -> ContentDisposition | None:
        """Type, parameters and file name of ``Content-Disposition``; None if there is none (RFC 6266)."""
        field = self.headers.get(CONTENT_DISPOSITION)
        return None if field is None else parse_disposition(field)

    def raise_for_status(self) -> None:
        """Raise if the status is 400 or more; the response is released unless ``async with`` does it.

        Within ``async with`` the body can still be read. The error contains the part of the body that is already here:
        all of it if it came with the head or was read before, up to 64 KiB. ``check_status()`` waits for it.

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
        """Raise like ``raise_for_status()``, but wait for the first 64 KiB of the body: until the deadline, 5 s at
        most.

        ``raise_for_status=True`` of a session or a call calls it. If the body fails meanwhile, the error contains the
        received part, and has the failure as its context.
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
        """Return the received beginning of the body, decoded, at most as much as an error contains."""
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
        """Make a stream of a body that came with its head, or was released."""
        request = self.request
        if self._released:
            self._content = content = StreamReader(None)
            content.set_exception(self._released_error())
            return content
        self._content = content = stream_of(request, self._raw or b"", self._content_encoding)
        return content

    async def read(self) -> bytes:
        """Return the whole decoded body; a further call returns the same bytes.

        If the call fails or is cancelled while the body is coming, the connection is closed.

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

    def read_nowait(self) -> bytes | None:
        """Return the whole decoded body if it is here; None if ``read()`` would have to wait.

        Raises:
            ClientPayloadError: it could not be decoded, or is larger than ``max_body_size``.
            ClientConnectionError: the response was released before it was read.
        """
        return self._body_at_hand()

    async def read_raw(self) -> bytes:
        """Return the whole undecoded body, as it came.

        Afterwards ``read()``, ``text()`` and ``json()`` decode it, as if it had come with the head. Traces do not see
        it. ``content.iter_raw()`` returns it in pieces.

        Raises:
            RuntimeError: it was already decoded, in part or whole.
            ClientPayloadError, ClientConnectionError, ServerTimeoutError, TotalTimeoutError: as for ``read()``;
                ``max_body_size`` counts undecoded bytes.
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
                self._body = raw  # it was given decoded, in spite of its fields
        elif not content.is_coded:
            self._body = raw
        self._end_lease()
        return raw

    def tee(
        self, write: Callable[[bytes], object], end: Callable[[BaseException | None], object]
    ) -> None:
        """Copy the body to a function while it is read, for a cache or a recorder.

        *write* is called with each undecoded piece when it comes: as fast as the body is read, and not at all if nobody
        reads it. *end* is called once, last: with None if the body is complete, else with the error that ended it, a
        ``ClientConnectionError`` if the reader left early. Pieces that came before the call are passed at once. Several
        calls are allowed, and the response is not affected. Both are plain functions, and must not wait.

        An exception of *write* is passed to *end*, and ends only this branch.

        Raises:
            RuntimeError: a part of the body was read already.
            ClientConnectionError: the response was released.
            TypeError: one of them is not a plain function.
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
        """Return the undecoded body if it is here; None if it must be read from ``content``."""
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
        """Return the body if it was read already or came with the head; None if the caller has to wait.

        The wait may also be for the trace, unless *traced*: then the caller informs the trace itself.
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
                self._open_content()  # it lets the event loop run in between, and raises if the body is too large
                return None
        elif limit is not None and len(raw) > limit:
            raise body_too_large(limit)
        self._body = raw
        self._raw = None
        return raw

    @property
    def _content_encoding(self) -> str | None:
        """The content codings to decode, in the order of their header fields; None if there are none."""
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
        """Return the codec that ``text()`` uses if the header names a known charset, else ``utf-8``.

        A label means what it means in browsers: ``iso-8859-1`` is ``cp1252``, ``gb2312`` is ``gb18030``.
        """
        return self._codec() or "utf-8"

    def _codec(self) -> str | None:
        charset = self.charset
        return None if charset is None else codec_of(charset)

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """Return the body as text.

        The charset is *encoding*, else the one in the header, whose label means what it means in browsers (``gb2312``
        is GBK, ``shift_jis`` is Windows' cp932, ``iso-8859-1`` is windows-1252), else the result of the session's
        ``fallback_charset_resolver``. Without one it is UTF-8 if the body is valid UTF-8, else what charset-normalizer
        detects (if that is missing: UTF-8, with U+FFFD for invalid bytes).

        Raises:
            UnicodeDecodeError: the body is invalid in the named charset and *errors* is ``strict``.
            StreamConsumedError: the body was already read piece by piece.
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
        """Return the body parsed as JSON; None for a blank body.

        The result is that of ``json.loads``; with msgspec installed it is three times as fast.

        Args:
            type: the type to decode into, and to check against: a dataclass, a TypedDict, a ``msgspec.Struct``, an
                attrs class, ``list[int]`` or another generic of such types, a union. It needs msgspec; a blank body
                then counts as null.
            encoding: the charset; by default the header's, or else UTF-8.
            loads: a function that parses the text instead.
            content_type: the media type that the response must have (``application/json`` also stands for
                ``application/*+json``); None accepts any.

        Raises:
            UnexpectedContentTypeError: the response has another media type.
            InvalidJSONError: the body is not JSON (with the default *loads*); a ``json.JSONDecodeError``.
            UndecodableJSONError: nor is it text in its charset; a ``UnicodeDecodeError``, too.
            StreamConsumedError: the body was already read piece by piece.
            UnexpectedJSONError: it is JSON, but not of this *type*.
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
            text = text_of(body, charset)
        except json_module.JSONDecodeError as error:
            raise self._invalid_json(error) from None
        except UnicodeDecodeError as error:
            raise self._undecodable_json(error, charset) from None
        return loads(text)

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

    def _undecodable_json(self, error: UnicodeDecodeError, charset: str) -> UndecodableJSONError:
        text = error.object.decode(charset, "replace")
        return UndecodableJSONError(
            error,
            charset,
            request_info=self.request.info,
            status=self.status,
            content_type=self.headers.get(CONTENT_TYPE, ""),
            excerpt=excerpt(text, self.request) if InvalidJSONError.show_body else "",
        )

    async def _read_unless_consumed(self, caller: str) -> bytes:
        """Read the body for *caller*; refuse if nothing is left because it was read from ``content``."""
        body = await self.read()
        if not body and self._content is not None and self._content.total_bytes:
            raise StreamConsumedError(
                f"{self.request.label}: {caller}() has nothing to return, because the body was read from "
                f"response.content before, which keeps nothing; keep what you read there, "
                f"or call read() first and {caller}() after it"
            )
        return body

    # The end

    @property
    def closed(self) -> bool:
        """Whether the response no longer occupies a connection."""
        return self._released or self._lease is None or self._lease.closed

    @property
    def connection(self) -> Connection | None:
        """The connection while it carries the body; None when the body is complete or released, or needs no
        connection. After a 101 it is there until the response is closed.
        """
        lease = self._lease
        if lease is None or (lease.transport is None and self.status != 101):
            return None
        return lease

    def release(self) -> Awaitable[None]:
        """Give up the unread rest; the connection is kept if little is missing, else closed.

        Await the result, as ``async with`` does, to wait until the iterator of a ``from_parts()`` body is closed.
        """
        self._released = True
        lease = self._lease
        if lease is None:
            return DONE
        self._lease = None
        return lease.release() or DONE

    def close(self) -> None:
        """Close the connection if the body is incomplete; otherwise ``release()``."""
        self._released = True
        if self._lease is not None:
            self._lease.close()
            self._lease = None

    async def wait_for_close(self) -> None:
        """Wait until the request was completely sent, which may be after the response; then ``release()``."""
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


def was_lost(response: ClientResponse) -> bool:
    """Tell whether *response*, which nobody has closed, has no connection any more."""
    lease = response._lease
    return lease is not None and lease.transport is None


def note_attempts(response: object, attempts: tuple[Attempt, ...]) -> None:
    """Set the *attempts* of *response*."""
    if isinstance(response, ClientResponse):
        response._attempts = attempts


def is_given_decoded(response: ClientResponse) -> bool:
    """Tell whether the body of *response* was given decoded, in spite of its ``Content-Encoding``."""
    content, coding = response._content, response._content_encoding
    return (
        content is not None
        and coding is not None
        and not content.is_coded
        and decoder_for(coding, response.request.options.lenient) is not None
    )


def whole_body(response: ClientResponse) -> bytes | None:
    """Return the undecoded body of *response* if it came with the head and nobody has read it; else None."""
    return None if response._released else response._raw


def note_cache_status(response: object, status: CacheStatus) -> None:
    """Let *response* tell what a cache did for it."""
    if isinstance(response, ClientResponse):
        response._cache_status = status


def release_with(response: object, leases: "list[ref[Lease]]") -> bool:
    """Release *leases* when the body of *response* ends, if it comes from an iterator, which may read from them.

    Return whether it comes from an iterator.
    """
    lease = response._lease if isinstance(response, ClientResponse) else None
    puller = None if lease is None else lease.leased
    if not isinstance(puller, Puller):
        return False
    puller.keep(leases)
    return True
