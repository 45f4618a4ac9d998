"""Reading HTTP/1.1 responses (RFC 9112): from bytes to status, fields and body. No I/O, no clock.

httptools parses heads and trailer sections, and nothing else; what it does not check is checked here:

* Limits. It has none: the sizes of heads, lines, fields and trailers and the number of interim responses are limited.
* The beginning of a head. It skips empty lines and accepts RTSP; a response must begin with ``HTTP/``.
* The end of a message (section 6.3): it does not handle HEAD, 204, 304 and CONNECT. Bytes after the end set ``extra``
  and belong to no response.
* Framing. Only ``Transfer-Encoding: chunked``, once; only HTTP/1.x; only statuses from 100 to 999.
* The reason phrase. It accepts control characters.
* Trailers stay apart from the fields of the head.
* Faults that the RFC lets a client repair (folds, equal lengths) are repaired, and the head is parsed again; faults
  that only some devices send are accepted with ``lenient=True``.

A fault in a head is a ``ServerProtocolError``, in a body a ``ClientPayloadError``. A head is checked when it is
complete, and an incomplete body is checked only where further bytes cannot change the result: the result does not
depend on how the bytes were split into segments.
"""

import re
from collections.abc import Callable
from typing import Any, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict, CIMultiDictProxy

from ...exceptions import ClientError, ClientPayloadError, HeadTooLargeError, ServerProtocolError
from ...message.codings import LENIENT_HINT
from ...message.headers import (
    CONTENT_LENGTH,
    KEEP_ALIVE,
    NAMES,
    TRANSFER_ENCODING,
    UPGRADE,
    lists_token,
    shown_text,
)
from ...message.request import Request
from .chunks import MAX_TRAILERS, BadChunksError, ChunkReader, only_chunk
from .repair import lenient, lenient_fields, repaired, unfolded, without_padding

# aiohttp allows 128 fields of 8,190 bytes each; the total size of real heads stays far below.
MAX_HEAD: Final = 64 * 1024
MAX_INTERIM: Final = 16  # 1xx responses before the final one; Go's and curl's limits are similar

# Fields that are forbidden in a trailer section: framing, routing, authentication, cookies, control, and the form of
# the content (RFC 9110, section 6.5.1).
FORBIDDEN_TRAILERS: Final = frozenset(
    (
        "age",
        "authentication-info",
        "authorization",
        "cache-control",
        "connection",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-range",
        "content-type",
        "cookie",
        "date",
        "expires",
        "host",
        "keep-alive",
        "location",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "retry-after",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "vary",
        "www-authenticate",
    )
)
_HEAD_END: Final = b"\r\n\r\n"
_TAB: Final = 9
_LAST_CHUNK: Final = b"0\r\n\r\n"
_FORBIDDEN_IN_REASON = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_EMPTY_LINE: Final = re.compile(rb"\n\r?+\n")
_IDLE_TIME: Final = re.compile(
    r"(?:^|,)[ \t]*+timeout[ \t]*+=[ \t]*+([0-9]{1,9})(?![0-9])", re.IGNORECASE
)


class ResponseReader:
    """Reads responses one after the other from the bytes of a connection.

    Call ``begin()`` for each request, then ``feed()`` with the received bytes, and check the results:

    ``head_done``: status, reason and fields are known.
    ``chunks``: new pieces of the body, until the caller takes them; an empty one ends an HTTP chunk.
    ``complete``: the response is complete. ``keep``: the connection may carry another exchange, within ``idle_time``
    seconds if that is not None. ``extra``: bytes came after the end.
    ``continued``: 100 Continue came.
    ``error``: the fault that was found; nothing is read any more.
    ``upgrade``: after a requested 101, the bytes after its head.
    """

    __slots__ = (
        "_add_field",
        "_chunks",
        "_head",
        "_head_bytes",
        "_interim_count",
        "_last",
        "_lenient",
        "_missing",
        "_parser",
        "_request",
        "_trailer_bytes",
        "_trailer_count",
        "body_bytes",
        "chunks",
        "complete",
        "continued",
        "early_hints",
        "error",
        "extra",
        "fields",
        "head_done",
        "idle_time",
        "keep",
        "reason",
        "status",
        "trailers",
        "until_eof",
        "upgrade",
        "version_11",
    )

    def __init__(self) -> None:
        self._parser: Any = None  # None: a new one is needed
        self._request: Any = None  # None between two responses
        self._lenient = False
        self.idle_time: int | None = None
        # Set only by the last response of a connection:
        self.error: ClientError | None = None
        self.upgrade: bytes | None = None
        self.until_eof: bool = False
        self.extra: bool = False
        # Whoever takes the response takes them, and leaves none to the next one:
        self.early_hints: tuple[CIMultiDictProxy[str], ...] = ()
        self._head = b""  # the beginning of an incomplete head

    def begin(self, request: Request, last: bool = False) -> None:
        """Forget the previous response, which was complete; the next one answers *request*.

        *last*: the request's own fields make it the last one on the connection.
        """
        lenient = request.options.lenient
        if self._parser is None or lenient or self._lenient:
            self._lenient = lenient
            self._parser = self._new_parser()
        self._request = request
        self._last = last
        self.fields: CIMultiDict[str] = CIMultiDict()
        self._add_field: Callable[[str, str], None] = self.fields.add
        self.trailers: CIMultiDict[str] | None = None
        self.status: int = 0
        self.reason: str = ""
        self.version_11: bool = True
        self.chunks: list[bytes] = []
        self.head_done: bool = False
        self.complete: bool = False
        self.continued: bool = False
        self.keep: bool = False
        self.idle_time = None
        self.body_bytes: int = 0
        self._missing = 0
        self._chunks: ChunkReader | None = None
        self._head_bytes = 0  # of all heads, including interim ones
        self._interim_count = 0

    def _new_parser(self) -> HttpResponseParser:
        parser = HttpResponseParser(self)
        # Versions are checked here; the other leniency is for control characters; everything else is repaired before.
        parser.set_dangerous_leniencies(lenient_version=True, lenient_headers=self._lenient)
        return parser

    def rest(self) -> None:
        """Drop the request and the body: an idle connection keeps neither in memory."""
        self._request = None
        self.chunks.clear()
        self._chunks = None

    def end(self) -> None:
        """Drop the parser, which references this reader; the connection is closed."""
        self._parser = None

    def hand_over(self) -> int:
        """Return the number of missing bytes of a body of known length, and stop reading it.

        The caller receives the rest of the body. The number is 0 if the length is not known in advance.
        """
        if self._missing:
            self._parser = None  # it would wait for the body
        return self._missing

    @property
    def only_interim(self) -> bool:
        """Whether only interim responses came so far."""
        return self._interim_count > 0 and not self.head_done and not self._head

    def feed(self, data: bytes) -> None:
        """Read *data*, a segment of at least one byte."""
        while not self.head_done:
            if self._head or self._lenient:
                head, rest = self._split(data)
            else:
                head, end, rest = data.partition(_HEAD_END)  # cheaper than find() and slices
                if end:
                    head += end
                else:
                    head, rest = self._split(data)
            if not head:
                self._keep_head(rest)
                return
            self._read_head(head)
            if self.error is not None:
                self._hint(head)
                return
            if not rest:
                return
            data = rest
        size = len(data)
        if size == self._missing:  # nearly every response ends so
            self._missing = 0
            self.chunks.append(data)
            self.body_bytes += size
            self.complete = True
            if self._parser is not None:
                self._parser.feed_data(data)  # so that it expects the next head
        else:
            self._read_body(data)

    # The head

    def _split(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the head that *data* completes, and the bytes after it; if it is incomplete, b"" and the head so
        far.
        """
        held = len(self._head)
        if held:
            data = self._head + data
            self._head = b""
        start = max(held - len(_HEAD_END) + 1, 0)
        end = -1 if self._lenient else data.find(_HEAD_END, start)
        if end >= 0:
            end += len(_HEAD_END)
        else:
            # A head without CR also ends here: a strict parser then reports the fault at once.
            empty = _EMPTY_LINE.search(data, start)
            end = 0 if empty is None else empty.end()
        return data[:end], data[end:]

    def _keep_head(self, data: bytes) -> None:
        """Keep the beginning of a head."""
        if self._may_begin(data) and not self._exceeds(self._head_bytes + len(data)):
            self._head = data

    def _may_begin(self, head: bytes) -> bool:
        """Tell whether *head* may be the beginning of a response; otherwise refuse it."""
        beginnings: tuple[bytes, ...] = (b"HTTP/",)
        start = head[:5]
        if self._lenient:
            beginnings += (b"ICY ",)
            start = start.upper()
        for beginning in beginnings:
            if start[: len(beginning)] == beginning[: len(start)]:
                return True
        self._refuse(f"it is not HTTP/1.1: it begins {shown_text(head[:60])}")
        return False

    def _exceeds(self, size: int) -> bool:
        """Tell whether heads of *size* bytes, interim ones included, exceed the limit; then refuse the last one."""
        options = self._request.options
        limit = max(MAX_HEAD, options.max_line_size + options.max_field_size)
        if size <= limit:
            return False
        self._refuse_size(f"its head has more than {limit} bytes")
        return True

    def _read_head(self, head: bytes) -> None:
        """Read a complete head, of an interim response or of the final one."""
        # Checking the first bytes is cheaper than asking httptools.
        self.version_11 = head[:9] == b"HTTP/1.1 "
        if not (self.version_11 or self._may_begin(head)):
            return
        size = self._head_bytes + len(head)
        if size > MAX_HEAD and self._exceeds(size):
            return
        self._head_bytes = size
        if self._lenient:
            head = lenient(head)
            self.version_11 = head[:9] == b"HTTP/1.1 "
        # `replace()` returns the same object if there is nothing to replace, and is the cheapest check: `in` first
        # tries to convert its operand to a number, `find()` has slow arguments.
        elif _TAB in head or head.replace(b" \r\n", b"") is not head:
            head = without_padding(head)
        try:
            self._parser.feed_data(head)
        except HttpParserUpgrade:
            self.upgrade = b""
        except HttpParserError as error:
            if self.error is None:
                self._read_repaired(head, error)
        if not self.head_done and self.error is None:
            # After an interim response the parser may expect a body, or nothing at all.
            self._parser = self._new_parser()
            self.fields = CIMultiDict()
            self._add_field = self.fields.add
            self.reason = ""

    def _read_repaired(self, head: bytes, error: HttpParserError) -> None:
        """Repair a head that the parser refused with *error*, and read it again."""
        tunnel = self._request.method == "CONNECT" and head[9:10] == b"2"
        again = repaired(head, tunnel=tunnel)
        if again != head:
            self._parser = parser = self._new_parser()
            self.fields.clear()
            self.reason = ""
            try:
                parser.feed_data(again)
            except HttpParserUpgrade:
                self.upgrade = b""
            except HttpParserError as another:
                error = another
            else:
                return
        if self.error is None and self.upgrade is None:
            found = f"it is not HTTP/1.1: {error}; it begins {shown_text(head[:60])}"
            self._refuse(found).__cause__ = error

    # The body

    def _read_body(self, data: bytes) -> None:
        """Read the bytes after the final head."""
        if self.trailers is not None and not self.complete:
            self._read_chunks(data)
        elif self.until_eof:
            self.chunks.append(data)
            self.body_bytes += len(data)
        elif self.upgrade is not None:
            self.upgrade += data
        else:
            missing = self._missing
            size = len(data)
            if size > missing:
                self.extra = True
                size = missing
                data = data[:size]
            if size:
                self.chunks.append(data)
                self.body_bytes += size
                self._missing = missing - size
                self.complete = size == missing
                self._parser = None  # it would wait for the body

    def _read_chunks(self, data: bytes) -> None:
        """Read a segment of a body in chunks."""
        chunks = self._chunks
        if chunks is None:
            whole = only_chunk(data)
            if whole is not None:
                self.chunks += (whole, b"")
                self.body_bytes = len(whole)
                self.complete = True
                self._parser.feed_data(_LAST_CHUNK)
                return
            self._chunks = chunks = ChunkReader(lenient=self._lenient)
        try:
            chunks.feed(data, self.chunks)
        except BadChunksError as error:
            hint = LENIENT_HINT if error.lenient and not self._lenient else ""
            self._refuse_body(f"the body's framing is broken: {error}{hint}", error)
        self.body_bytes = chunks.size
        section = chunks.trailers
        if section is None:
            return
        if self._lenient:
            section = lenient_fields(section)
        elif len(section) > len(b"\r\n"):
            section = unfolded(section)
        # Fields from here on are trailers: kept separate, never merged (RFC 9110, section 6.5.1).
        self._add_field = self._add_trailer
        self._trailer_bytes = 0
        self._trailer_count = 0
        try:
            self._parser.feed_data(b"0\r\n" + section)
        except HttpParserError as error:
            if self.error is None:
                self._refuse_body(f"its trailer section is broken: {error}", error)
            cast("CIMultiDict[str]", self.trailers).clear()
        else:
            self.complete = True
            self.extra = bool(chunks.rest)

    # httptools' callbacks. httptools replaces their exceptions, so errors are stored in ``error`` first.

    def on_status(self, reason: bytes) -> None:
        """Store the reason phrase."""
        self.reason = "OK" if reason == b"OK" else reason.decode("utf-8", "surrogateescape")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a field of the head, or of the trailer section."""
        try:
            text = value.decode()  # costs half as much as with a charset argument
        except UnicodeDecodeError:
            text = value.decode("utf-8", "surrogateescape")
        self._add_field(NAMES[name], text)

    def on_headers_complete(self) -> None:
        """Check the head, and determine where the message ends (section 6.3)."""
        parser = self._parser
        request = self._request
        status = self.status = parser.get_status_code()
        fields = self.fields
        if not self.version_11:
            self._check_version(parser.get_http_version())
        options = request.options
        size = self._head_bytes
        if (
            size > options.max_field_size
            or size > options.max_line_size
            or len(fields) > options.max_headers
        ):
            self._check_sizes()
        reason = self.reason
        if reason != "OK" and _FORBIDDEN_IN_REASON(reason) is not None and not self._lenient:
            raise self._refuse("its reason phrase contains a control character")
        if status < 200:
            self._take_interim(status)
            return
        method = request.method
        if method == "CONNECT" and status < 300:
            # A tunnel follows, whatever the fields say about a body (RFC 9110, section 9.3.6).
            self._end_without_body()
            return
        chunked = TRANSFER_ENCODING in fields
        if chunked:
            self._check_transfer_coding()
        self.head_done = True
        if method == "HEAD" or status in (204, 304):
            self.keep = self._says_keep_alive()
            self._end_without_body()
        else:
            self.keep = not self._last and parser.should_keep_alive()
            if chunked:
                self.keep = self.keep and self.version_11
                self.trailers = CIMultiDict()
            elif CONTENT_LENGTH in fields:
                self._missing = int(fields[CONTENT_LENGTH])
                self.complete = not self._missing
            elif options.read_until_eof:
                self.until_eof = True
            else:
                self._end_without_body()
        if KEEP_ALIVE in fields:
            self.idle_time = _idle_time(fields[KEEP_ALIVE])

    def _end_without_body(self) -> None:
        """Complete the message, whatever its fields say about a body. The parser is replaced."""
        self.head_done = True
        self.complete = True
        self._parser = None

    def _check_version(self, version: str) -> None:
        """Treat higher minor versions as HTTP/1.1 (RFC 9110, section 2.5), and refuse other major versions."""
        self.version_11 = version != "1.0"
        if version[:2] != "1.":
            raise self._refuse(f"it speaks HTTP/{version}, not HTTP/1.1")

    def _add_trailer(self, name: str, value: str) -> None:
        options = self._request.options
        size = _size(name, value)
        self._trailer_count += 1
        self._trailer_bytes += size + len(": \r\n")
        found = None
        if self._trailer_count > options.max_headers:
            found = f"more than max_headers={options.max_headers} trailer fields"
        elif size > options.max_field_size:
            found = f"a trailer field of more than max_field_size={options.max_field_size} bytes"
        elif self._trailer_bytes > MAX_TRAILERS:
            found = f"its trailer section has more than {MAX_TRAILERS} bytes"
        if found is not None:
            self.error = error = ClientPayloadError(f"{self._label}: {found}")
            raise error
        if name.lower() not in FORBIDDEN_TRAILERS:
            cast("CIMultiDict[str]", self.trailers).add(name, value)

    def _take_interim(self, status: int) -> None:
        """Count a 1xx response, which is dropped unless it switches protocols."""
        if status < 100:
            raise self._refuse(f"{status} is not a status (RFC 9110, section 15)")
        if status == 101:
            if UPGRADE not in self._request.fields:
                raise self._refuse("it switches protocols (101) although that was not requested")
            if UPGRADE not in self.fields or not lists_token(self.fields, "upgrade"):
                raise self._refuse("it switches protocols (101) and does not say to which")
            self.head_done = True
            return
        self._interim_count += 1
        if status == 100:
            self.continued = True
        elif status == 103:
            self.early_hints = (*self.early_hints, CIMultiDictProxy(self.fields))
        if self._interim_count > MAX_INTERIM:
            raise self._refuse(f"more than {MAX_INTERIM} interim (1xx) responses came first")

    def _check_sizes(self) -> None:
        """Check the limits on lines and fields; called only for heads that could exceed one."""
        options = self._request.options
        if _size("HTTP/1.1 200 ", self.reason) > options.max_line_size:
            raise self._refuse_size(
                f"its status line exceeds max_line_size={options.max_line_size} bytes"
            )
        if len(self.fields) > options.max_headers:
            raise self._refuse_size(
                f"it has {len(self.fields)} fields, more than max_headers={options.max_headers}"
            )
        for name, value in self.fields.items():
            if _size(name, value) > options.max_field_size:
                raise self._refuse_size(
                    f"its field {shown_text(name)} exceeds max_field_size={options.max_field_size} bytes"
                )

    def _check_transfer_coding(self) -> None:
        """Accept only ``chunked`` (section 6.1); refuse every other or further coding."""
        codings = self.fields.getall(TRANSFER_ENCODING)
        if len(codings) > 1 or codings[0].strip().lower() != "chunked":
            raise self._refuse(
                f"its Transfer-Encoding is {shown_text(', '.join(codings))}, not 'chunked'"
            )

    def _says_keep_alive(self) -> bool:
        """Decide about keep-alive for a response without a body, where the parser cannot (section 9.3)."""
        if self._last or lists_token(self.fields, "close"):
            return False
        return self.version_11 or lists_token(self.fields, "keep-alive")

    # Errors

    @property
    def _label(self) -> str:
        return cast(Request, self._request).label

    def _refuse(self, found: str) -> ClientError:
        self.error = error = self._head_error(ServerProtocolError, found)
        return error

    def _hint(self, head: bytes) -> None:
        """Add to the error about *head* that ``lenient=True`` accepts it, if that is true."""
        error = self.error
        if self._lenient or type(error) is not ServerProtocolError:
            return
        probe = ResponseReader()
        probe.begin(self._request)
        probe._lenient = True
        probe._parser = probe._new_parser()
        probe._interim_count = min(self._interim_count, MAX_INTERIM)
        probe.feed(head)
        if probe.error is None and not probe._head:
            error.message += LENIENT_HINT

    def _refuse_size(self, found: str) -> ClientError:
        self.error = error = self._head_error(HeadTooLargeError, found)
        return error

    def _refuse_body(self, found: str, cause: Exception) -> None:
        self.error = ClientPayloadError(f"{self._label}: {found}")
        self.error.__cause__ = cause

    def _head_error(self, kind: type[ServerProtocolError], found: str) -> ClientError:
        request = self._request
        return kind(
            request.info,
            cast(Any, request.history),
            status=self.status,
            message=f"the response is refused: {found}",
        )


def _size(name: str, value: str) -> int:
    """Return the size of a field's name and value in bytes."""
    if value.isascii():
        return len(name) + len(value)
    return len(name) + len(value.encode("utf-8", "surrogateescape"))


def _idle_time(hint: str) -> int | None:
    """Return the idle seconds that a ``Keep-Alive`` field announces; None if it announces none."""
    found = _IDLE_TIME.search(hint)
    return None if found is None else int(found[1])
