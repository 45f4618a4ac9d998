"""Reading HTTP/1.1 responses (RFC 9112): bytes in, status, fields and body out. No I/O, no clock.

httptools finds the parts; what it leaves open is decided here:

* Limits. It has none: a head, its lines and fields, interim responses, chunk lines and trailers are counted.
* The beginning of a message. It skips empty lines and takes RTSP; a response begins with ``HTTP/``.
* The end of a message. It knows nothing of HEAD, of 204 and 304, of CONNECT, and it reads on after the end, past
  empty lines without a word: what comes then is noted as ``extra`` and belongs to no response.
* Framing. Only ``Transfer-Encoding: chunked``, once; only HTTP/1.0 and 1.1; only statuses from 100 to 599.
* The reason phrase. It lets control characters through.
* Trailers stay apart from the fields of the head.

What is found wrong in a head is a ``ServerProtocolError``, in a body a ``ClientPayloadError``. The outcome does not
depend on how the bytes were cut into segments. (Chunk lines of hostile length are the exception: they are weighed
against the data when a segment ends.)
"""

import re
from collections.abc import Callable
from typing import Any, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

from ..exceptions import ClientError, ClientPayloadError, HeadTooLargeError, ServerProtocolError
from ..message.headers import CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE, shown_text
from ..message.request import Request

# aiohttp allows 128 fields of 8,190 bytes each; real heads stay far below what all of them may take together.
MAX_HEAD: Final = 64 * 1024
MAX_INTERIM: Final = (
    16  # 1xx responses before the final one; Go's and curl's limits are of this order
)
# What chunk lines may take beside the data: one line's limit, 16 KiB for each MiB of data, and many short lines.
CHUNK_OVERHEAD: Final = 8190
CHUNK_LINE: Final = 24
MAX_TRAILERS: Final = 64 * 1024

# Fields that a trailer section must not carry: framing, routing, authentication, cookies, control, and the content's
# form (RFC 9110, section 6.5.1).
_FORBIDDEN_TRAILERS: Final = frozenset(
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
_H: Final = ord("H")
_LINE_ENDS: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_TAIL: Final = 5  # bytes that tell whether something comes after an empty line
_FORBIDDEN_IN_REASON = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search


class ResponseReader:
    """Reads one response after the other from the bytes of a connection.

    Call ``begin()`` for each request, then ``feed()`` with what arrives, and look at what is known:

    ``head_done``: status, reason and fields are here.
    ``chunks``: pieces of the body that came since they were last taken out; an empty one ends an HTTP chunk.
    ``complete``: the response is whole. ``keep``: the connection may carry another one. ``extra``: something came
    after the end.
    ``continued``: 100 Continue came.
    ``error``: what was found wrong; nothing is read any more.
    ``upgrade``: after a 101 that was asked for, the bytes that follow its head.
    """

    __slots__ = (
        "_add_field",
        "_begins_11",
        "_chunk_count",
        "_head_bytes",
        "_interim",
        "_interim_count",
        "_line_only",
        "_parser",
        "_raw_reason",
        "_request",
        "_tail",
        "_trailer_bytes",
        "_trailer_count",
        "body_bytes",
        "chunks",
        "complete",
        "continued",
        "error",
        "extra",
        "fields",
        "head_done",
        "keep",
        "overhead",
        "status",
        "trailers",
        "until_eof",
        "upgrade",
        "version_11",
    )

    def __init__(self) -> None:
        self._parser: HttpResponseParser | None = None
        self._request: Request | None = None

    def begin(self, request: Request) -> None:
        """Forget the last response; the next one answers *request*."""
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        self._request = request
        self.fields: CIMultiDict[str] = CIMultiDict()
        self._add_field: Callable[[str, str], None] = self.fields.add
        self.trailers: CIMultiDict[str] | None = None
        self.status = 0
        self._raw_reason = b""
        self.version_11 = True
        self.chunks: list[bytes] = []
        self.error: ClientError | None = None
        self.head_done = False
        self.complete = False
        self.continued = False
        self.extra = False
        self.keep = False
        self.until_eof = False
        self.upgrade: bytes | None = None
        self.body_bytes = 0
        self.overhead = 0
        self._begins_11 = False  # what a look at the first bytes tells; asking httptools costs more
        self._head_bytes = 0
        self._interim = False
        self._interim_count = 0
        self._chunk_count = 0
        self._tail = b""

    def rest(self) -> None:
        """Let go of the request and the body: an idle connection keeps neither in memory."""
        self._request = None
        self.chunks.clear()

    def end(self) -> None:
        """Let go of the parser, which refers to this reader; the connection is closed."""
        self._parser = None

    def skip_parser(self) -> int:
        """Return how many bytes of a body of known length are still missing, and parse it no further.

        The caller takes the rest of the body as it comes. The number is 0 when the length is not known beforehand.
        """
        length = self.fields.get(CONTENT_LENGTH)
        if length is None or self.trailers is not None:
            return 0
        self._parser = None
        return int(length) - self.body_bytes

    @property
    def only_interim(self) -> bool:
        """Whether interim responses are all that came so far."""
        return self._interim_count > 0 and not self.head_done and not self.fields

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return self._raw_reason.decode("utf-8", "surrogateescape")

    def feed(self, data: bytes) -> None:
        """Read *data*, a segment of any size but 0."""
        parser = self._parser
        if parser is None:
            self.extra = True
            return
        in_body = self.head_done
        interims = self._interim_count
        before = self.body_bytes
        try:
            if in_body:
                parser.feed_data(data)
            else:
                if not self._head_bytes:
                    self._begins_11 = data.startswith(b"HTTP/1.1 ")
                    if data[0] != _H:
                        self._refuse(f"it is not HTTP/1.1: it begins {shown_text(data[:60])}")
                        return
                if self._head_bytes + len(data) <= MAX_HEAD:
                    self._head_bytes += len(data)
                    parser.feed_data(data)
                else:
                    self._feed_large(parser, data)
        except HttpParserUpgrade as upgrade:
            self.upgrade = data[upgrade.args[0] :]
        except HttpParserError as error:
            if self.complete:
                self.extra = True
            elif self.error is None:
                self.error = self._translated(error, data)
        if self.trailers is not None:
            if self.complete and not self.extra:
                # The parser skips empty lines: the message ends with one, and not with a second one.
                tail = data[-_TAIL:] if len(data) >= _TAIL else (self._tail + data)[-_TAIL:]
                self.extra = not tail.endswith(_HEAD_END) or tail[0] in _LINE_ENDS
            if not self.extra:
                start = 0 if in_body else self._body_start(data, interims)
                self._weigh_chunk_lines(len(data) - start)
                if self.error is not None:
                    self.trailers.clear()  # which of them came before the error depends on the segments
        elif self.complete and (self._parser is None or data[-1] in _LINE_ENDS):
            # Without a body whatever follows the head is too much; behind a body the parser skips line ends.
            start = 0 if in_body else self._body_start(data, interims)
            size = 0 if self._parser is None else self.body_bytes - before
            self.extra = len(data) > start + size
        if not self.complete:
            self._tail = data[-_TAIL:] if len(data) >= _TAIL else (self._tail + data)[-_TAIL:]

    def _feed_large(self, parser: HttpResponseParser, data: bytes) -> None:
        """Feed a segment that is larger than what the head may still take."""
        options = self._asked.options
        limit = max(MAX_HEAD, options.max_line_size + options.max_field_size)
        room = limit - self._head_bytes
        if len(data) <= room:
            self._head_bytes += len(data)
            parser.feed_data(data)
            return
        view = memoryview(data)
        self._head_bytes = limit
        if room:
            parser.feed_data(view[:room])
        if self.head_done:
            parser.feed_data(view[room:])
        else:
            self.error = self._head_error(
                HeadTooLargeError, f"its head has more than {limit} bytes"
            )

    def _body_start(self, data: bytes, interims: int) -> int:
        """Return where in *data* the head ends, of which *interims* interim ones ended in earlier segments."""
        tail = self._tail
        joined = tail + data if tail else data
        at = max(len(tail) - len(_HEAD_END) + 1, 0)
        for _ in range(self._interim_count - interims + 1):
            at = joined.find(_HEAD_END, at) + len(_HEAD_END)
        return at - len(tail)

    def _weigh_chunk_lines(self, size: int) -> None:
        """Count the *size* bytes of a chunked body that came, and see what they have beside the data."""
        self.overhead += size
        limit = CHUNK_OVERHEAD + CHUNK_LINE * self._chunk_count + (self.body_bytes >> 6)
        # After a chunk line without data the trailer section may have begun.
        limit += MAX_TRAILERS if self._line_only else self._trailer_bytes
        if self.overhead - self.body_bytes > limit and self.error is None:
            self.error = ClientPayloadError(
                f"{self._what}: its chunk lines take more bytes than allowed"
            )

    # httptools' callbacks. What they raise, httptools replaces; so errors are kept in ``error`` first.

    def on_message_begin(self) -> None:
        """Note that something comes after the end."""
        if self.complete:
            self.extra = True
            self._add_field = _ignore_field

    def on_status(self, reason: bytes) -> None:
        """Take a piece of the reason phrase."""
        if not self.complete:
            self._raw_reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head, or of the trailer section."""
        self._add_field(name.decode(), value.decode("utf-8", "surrogateescape"))

    def on_headers_complete(self) -> None:
        """Judge the head, and say where the message ends (section 6.3)."""
        parser = self._parser
        request = self._request
        if self.head_done or parser is None or request is None:
            return
        status = self.status = parser.get_status_code()
        fields = self.fields
        if not self._begins_11 or self._interim_count:
            version = parser.get_http_version()
            if version != "1.1":
                self.version_11 = False
                if version != "1.0":
                    raise self._refuse(f"it speaks HTTP/{version}, not HTTP/1.1")
        options = request.options
        size = self._head_bytes
        if (
            size > options.max_field_size
            or size > options.max_line_size
            or len(fields) > options.max_headers
        ):
            self._check_sizes()
        reason = self._raw_reason
        if reason != b"OK" and _FORBIDDEN_IN_REASON(reason) is not None:
            raise self._refuse("a control character stands in its reason phrase")
        if status < 200:
            self._take_interim(status)
            return
        if status > 599:
            raise self._refuse(f"its status {status} is none (RFC 9110, section 15)")
        method = request.method
        chunked = TRANSFER_ENCODING in fields
        # Of a tunnel's answer it is ignored, whatever it says (RFC 9110, section 9.3.6).
        if chunked and not (method == "CONNECT" and status < 300):
            self._check_transfer_coding()
        self.head_done = True
        if method == "HEAD" or status in (204, 304):
            self.keep = self._says_keep_alive()
            self._end_without_body()
            return
        if method == "CONNECT" and status < 300:
            # What follows is a tunnel: the connection carries no other request.
            self._end_without_body()
            return
        self.keep = parser.should_keep_alive() and not (
            CONNECTION in request.fields and _ends_connection(request.fields)
        )
        if chunked:
            self.keep = self.keep and self.version_11
            # Fields from here on are trailers: kept apart, never merged (RFC 9110, section 6.5.1).
            self.trailers = CIMultiDict()
            self._add_field = self._add_trailer
            self._line_only = False
            self._trailer_bytes = 0
            self._trailer_count = 0
        elif CONTENT_LENGTH not in fields:
            if options.read_until_eof:
                self.until_eof = True
            else:
                self._end_without_body()

    def _end_without_body(self) -> None:
        """Complete the message, whatever the fields say of a body. The parser does not know and is used no more."""
        self.complete = True
        self._parser = None
        self._add_field = _ignore_field

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self.complete:
            self.extra = True
            return
        self.chunks.append(body)
        self.body_bytes += len(body)
        self._line_only = False

    def on_chunk_header(self) -> None:
        """Count a chunk."""
        self._chunk_count += 1
        self._line_only = True

    def on_chunk_complete(self) -> None:
        """Mark the end of a chunk."""
        self._line_only = False
        if not self.complete:
            self.chunks.append(b"")

    def on_message_complete(self) -> None:
        """Note the end of the message, or of an interim one."""
        if self._interim:
            self._interim = False
            self.fields = CIMultiDict()
            self._add_field = self.fields.add
            self._raw_reason = b""
            self.version_11 = True
        else:
            self.complete = True

    def _add_trailer(self, name: str, value: str) -> None:
        options = self._asked.options
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
            self.error = error = ClientPayloadError(f"{self._what}: {found}")
            raise error
        if name.lower() not in _FORBIDDEN_TRAILERS:
            cast("CIMultiDict[str]", self.trailers).add(name, value)

    def _take_interim(self, status: int) -> None:
        """Note a 1xx response, which is dropped unless it switches protocols."""
        if status < 100:
            raise self._refuse(f"its status {status} is none (RFC 9110, section 15)")
        if status == 101:
            if UPGRADE not in self._asked.fields:
                raise self._refuse("it switches protocols (101) unasked")
            if UPGRADE not in self.fields or not _has_token(self.fields, "upgrade"):
                raise self._refuse("it switches protocols (101) and does not say to which")
            self.head_done = True
            return
        self._interim = True
        self._interim_count += 1
        if status == 100:
            self.continued = True
        if self._interim_count > MAX_INTERIM:
            raise self._refuse(f"more than {MAX_INTERIM} interim (1xx) responses came first")

    def _check_sizes(self) -> None:
        """Check the limits on lines and fields; only a head that could break one comes here."""
        options = self._asked.options
        if len(self._raw_reason) + len("HTTP/1.1 200 ") > options.max_line_size:
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
        """Accept ``chunked`` alone (section 6.1); every other coding, or a second one, is refused."""
        codings = self.fields.getall(TRANSFER_ENCODING)
        if len(codings) > 1 or codings[0].strip().lower() != "chunked":
            raise self._refuse(
                f"its Transfer-Encoding is {shown_text(', '.join(codings))}, not 'chunked'"
            )

    def _says_keep_alive(self) -> bool:
        """Tell what the parser cannot tell of a response without a body (section 9.3)."""
        if _has_token(self.fields, "close") or _ends_connection(self._asked.fields):
            return False
        return self.version_11 or _has_token(self.fields, "keep-alive")

    # Errors

    @property
    def _asked(self) -> Request:
        return cast(Request, self._request)

    @property
    def _what(self) -> str:
        return self._asked.what

    def _refuse(self, found: str) -> ClientError:
        self.error = error = self._head_error(ServerProtocolError, found)
        return error

    def _refuse_size(self, found: str) -> ClientError:
        self.error = error = self._head_error(HeadTooLargeError, found)
        return error

    def _head_error(self, kind: type[ServerProtocolError], found: str) -> ClientError:
        request = self._asked
        return kind(
            request.info,
            cast(Any, request.history),
            status=self.status,
            message=f"the response is refused: {found}",
        )

    def _translated(self, error: HttpParserError, data: bytes) -> ClientError:
        """Return what httptools found as the error of the part it was found in."""
        if self.head_done:
            failure: ClientError = ClientPayloadError(
                f"{self._what}: the body's framing is broken: {error}"
            )
        else:
            failure = self._head_error(
                ServerProtocolError,
                f"it is not HTTP/1.1: {error}; it begins {shown_text(data[:60])}",
            )
        failure.__cause__ = error
        return failure


def _ignore_field(name: str, value: str) -> None:
    """Drop a field of what came after the message's end."""


def _has_token(fields: "CIMultiDict[str]", token: str) -> bool:
    """Tell whether ``Connection`` lists *token*."""
    said = ",".join(fields.getall(CONNECTION, ())).lower()
    return token in said and token in [word.strip(" \t") for word in said.split(",")]


def _ends_connection(fields: "CIMultiDict[str]") -> bool:
    """Tell whether a request with these fields is the last on its connection.

    One that asked for another protocol in vain is, too: a server that had begun to switch would read the next
    request as something else.
    """
    return _has_token(fields, "close") or _has_token(fields, "upgrade")


def _size(name: str, value: str) -> int:
    """Return the bytes of a field's name and value."""
    if value.isascii():
        return len(name) + len(value)
    return len(name) + len(value.encode("utf-8", "surrogateescape"))
