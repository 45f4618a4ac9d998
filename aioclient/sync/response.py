"""The response of a blocking call."""

import codecs
import json as json_module
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from http.cookies import SimpleCookie
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar, cast

from aiohttp import HttpVersion
from multidict import CIMultiDictProxy, MultiDictProxy
from yarl import URL

from ..message.charsets import codec_of, detected_charset
from ..message.timings import Timings
from ..middlewares.redirects import REDIRECTS, next_hop
from ..response.client_response import ClientResponse
from .portal import PORTAL, Errands
from .raw import RawBody
from .request import PreparedRequest

T = TypeVar("T")

_PERMANENT: Final = frozenset((301, 308))


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what *coroutine*, which has nothing to wait for, returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    coroutine.close()
    raise RuntimeError("the body is not here yet")


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Close it."""


class ResponseCookies(dict[str, str]):
    """Names and values of the cookies that a response set."""

    def get_dict(self) -> dict[str, str]:
        """Return them as a plain dict."""
        return dict(self)


class Response:
    """What the server answered, for blocking code: its names are those of requests.

    The body is here already, unless the call said ``stream=True``: then ``iter_content()``, ``iter_lines()`` and
    ``raw`` give it in pieces, ``content``, ``text`` and ``json()`` read it whole, and leaving ``with`` or ``close()``
    gives up what was not read.

    ``response`` is the asynchronous session's. Hooks may set further attributes.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_encoding",
        "_errands",
        "_history",
        "_home",
        "_owns_session",
        "_raw",
        "_session",
        "response",
    )

    def __init__(
        self,
        response: ClientResponse,
        session: "Closable | None" = None,
        errands: Errands | None = None,
    ) -> None:
        self.response: ClientResponse = response
        self._session = session  # when it is dropped, its connections are closed
        self._owns_session = False
        self._errands = errands  # the server may answer first, and read the upload meanwhile
        self._home = PORTAL.loop  # in a forked process there is another one
        self._encoding: str | None = None
        self._raw: RawBody | None = None
        self._history: list[Response] | None = None

    # Status and fields

    @property
    def status_code(self) -> int:
        """The status."""
        return self.response.status

    @property
    def status(self) -> int:
        """The status, by the asynchronous session's name."""
        return self.response.status

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return self.response.reason

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.response.ok

    def __bool__(self) -> bool:
        return self.response.ok

    @property
    def url(self) -> str:
        """The URL that was answered."""
        return str(self.response.real_url)

    @property
    def version(self) -> HttpVersion:
        """The version of HTTP that was spoken."""
        return self.response.version

    @property
    def headers(self) -> "CIMultiDictProxy[str]":
        """The fields, as received."""
        return self.response.headers

    @property
    def cookies(self) -> ResponseCookies:
        """The cookies that this response set, by name."""
        cookies: SimpleCookie = self.response.cookies
        return ResponseCookies({name: morsel.value for name, morsel in cookies.items()})

    @property
    def links(self) -> "MultiDictProxy[MultiDictProxy[str | URL]]":
        """The links of the ``Link`` fields by their relation; their URLs are absolute (RFC 8288)."""
        return self.response.links

    @property
    def elapsed(self) -> timedelta:
        """The time from the request to the end of the response's head, of the last hop."""
        timings = self.response.timings
        phases = ("pool_wait", "dns", "connect", "tls", "send", "first_byte")
        return timedelta(seconds=sum(getattr(timings, phase) or 0.0 for phase in phases))

    @property
    def timings(self) -> Timings:
        """How long each phase took."""
        return self.response.timings

    @property
    def request(self) -> PreparedRequest:
        """The request that was answered, without its body and the fields that frame it, which are not kept."""
        info = self.response.request_info
        return PreparedRequest(info.method, str(info.real_url), info.headers, None)

    @property
    def history(self) -> "list[Response]":
        """The responses of the redirects before this one, oldest first."""
        if self._history is None:
            self._history = [Response(each) for each in self.response.history]
            for number, each in enumerate(self._history):
                each._history = self._history[:number]
        return self._history

    @property
    def next(self) -> PreparedRequest | None:
        """The request that this redirect, which was not followed, asks for; None if it is not a redirect.

        Raises:
            BodyConsumedError: it asks for the body, which cannot be sent twice.
            InvalidUrlRedirectClientError, UnsafeRedirectError: its ``Location`` cannot be followed.
        """
        request = self.response.request
        if not self.is_redirect or request.options.allow_redirects:
            return None
        hop = next_hop(request, self.response, request.method, request.content)
        body = None if hop.content is None else hop.content.data
        return PreparedRequest(hop.method, str(hop.real_url), hop.fields, body, auth=hop.auth)

    @property
    def is_redirect(self) -> bool:
        """Whether it is a redirect that can be followed."""
        return self.status_code in REDIRECTS and "Location" in self.headers

    @property
    def is_permanent_redirect(self) -> bool:
        """Whether it is a permanent redirect (301 or 308)."""
        return self.status_code in _PERMANENT and "Location" in self.headers

    def raise_for_status(self) -> None:
        """Raise ``StatusError`` if the status is 400 or more, with the status, fields and first 64 KiB of the body."""
        if not self.ok:
            PORTAL.run(_raise_for_status(self.response), home=self._home)

    # The body

    @property
    def content(self) -> bytes:
        """The body, with its content codings undone.

        Raises:
            ClientError, TimeoutError: it did not come to its end; with ``stream=True`` only.
        """
        body = self.response.read_nowait()
        if body is not None:
            return body
        return PORTAL.run(self.response.read(), self._errands, self._home)

    @property
    def encoding(self) -> str | None:
        """The charset that ``text`` uses; what is set here counts, else the header's, None if that names none."""
        if self._encoding is not None:
            return self._encoding
        charset = self.response.charset
        return None if charset is None else codec_of(charset)

    @encoding.setter
    def encoding(self, encoding: str | None) -> None:
        self._encoding = encoding

    @property
    def apparent_encoding(self) -> str:
        """The charset that the body seems to be in: UTF-8 if it is that, else what charset-normalizer detects."""
        body = self.content
        try:
            body.decode()
        except UnicodeDecodeError:
            return detected_charset(body)
        return "utf-8"

    @property
    def text(self) -> str:
        """The body as text, with U+FFFD for bytes that its charset cannot decode."""
        self.content  # noqa: B018  (reading it is what waits)
        return at_once(self.response.text(self._encoding, errors="replace"))

    def json(self, **arguments: Any) -> Any:
        """Return the body parsed as JSON.

        Args:
            arguments: *type*, *encoding*, *loads* as ``ClientResponse.json()`` has them, or those of ``json.loads``.

        Raises:
            InvalidJSONError: it is not JSON, or not text; a ``json.JSONDecodeError``.
        """
        self.content  # noqa: B018  (reading it is what waits)
        own = {
            name: arguments.pop(name) for name in ("type", "encoding", "loads") if name in arguments
        }
        if arguments:

            def loads(text: str) -> Any:
                return json_module.loads(text, **arguments)

            own["loads"] = loads
        own.setdefault("encoding", self._encoding)
        return at_once(self.response.json(content_type=None, **own))

    def iter_content(
        self, chunk_size: int | None = 1, decode_unicode: bool = False
    ) -> Iterator[Any]:
        """Yield the body in pieces of *chunk_size* bytes, the last one of fewer; None for pieces as they come.

        With *decode_unicode* they are text, if the encoding is known.
        """
        if chunk_size is not None and (
            isinstance(chunk_size, bool) or not isinstance(cast(object, chunk_size), int)
        ):
            raise TypeError(f"chunk_size must be an int, found {type(chunk_size).__name__}")
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"chunk_size={chunk_size}: give a number from 1 on, or None")
        pieces = pieces_of(self.response, self._errands, self._home)
        if chunk_size is not None:
            pieces = _cut(pieces, chunk_size)
        if decode_unicode and self.encoding is not None:
            return _decoded(pieces, self.encoding)
        return pieces

    def __iter__(self) -> Iterator[bytes]:
        return self.iter_content(128)

    def iter_lines(
        self,
        chunk_size: int | None = 512,
        decode_unicode: bool = False,
        delimiter: str | bytes | None = None,
    ) -> Iterator[Any]:
        """Yield the body's lines without their ends; *delimiter* ends them instead of the usual line ends."""
        rest: Any = None
        for piece in self.iter_content(chunk_size, decode_unicode):
            if rest is not None:
                piece = rest + piece
            if delimiter is not None:
                lines = piece.split(delimiter)
                rest = lines.pop()
                yield from lines
                continue
            lines = piece.splitlines(keepends=True)
            # The line may continue; and "\r" at the end may be the first half of "\r\n".
            last = lines[-1] if lines else None
            unfinished = last is not None and (_bare(last) == last or last[-1:] in ("\r", b"\r"))
            rest = lines.pop() if unfinished else None
            yield from map(_bare, lines)
        if rest:
            yield rest if delimiter is not None else _bare(rest)

    @property
    def raw(self) -> RawBody:
        """The body as a file, undecoded: for calls with ``stream=True``."""
        if self._raw is None:
            self._raw = RawBody(self.response, self._errands, self._home)
        return self._raw

    # The end

    def close(self) -> None:
        """Give up what was not read of the body."""
        if not self.response.closed and self._home is PORTAL.loop:
            PORTAL.run(_close(self.response))
        session, self._session = self._session, None
        if session is not None and self._owns_session:
            session.close()

    def _own(self, session: "Closable") -> None:
        """Close *session*, which was made for this response, with it."""
        self._session, self._owns_session = session, True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            # What else a response tells: attempts, cache_status, content_type, host …
            if name.startswith("_"):
                raise AttributeError(name)
            return getattr(self.response, name)

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"


def pieces_of(
    response: ClientResponse, errands: Errands | None, home: AbstractEventLoop | None
) -> Iterator[bytes]:
    """Yield the body as it comes; *errands* are run meanwhile; *home* is the event loop of *response*."""
    body = response.read_nowait()
    if body is not None:
        if body:
            yield body
        return
    content = response.content
    while piece := PORTAL.run(content.readany(), errands, home):
        yield piece


async def _raise_for_status(response: ClientResponse) -> None:
    response.raise_for_status()


async def _close(response: ClientResponse) -> None:
    response.close()


def _bare(line: Any) -> Any:
    """Return a line without its end."""
    return line.splitlines()[0]


def _cut(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield *pieces* joined and cut anew."""
    rest = b""
    for piece in pieces:
        piece = rest + piece if rest else piece
        whole = len(piece) - len(piece) % size
        for start in range(0, whole, size):
            yield piece[start : start + size]
        rest = piece[whole:]
    if rest:
        yield rest


def _decoded(pieces: Iterator[bytes], encoding: str) -> Iterator[str]:
    decode: Callable[..., str] = codecs.getincrementaldecoder(encoding)("replace").decode
    for piece in pieces:
        if text := decode(piece):
            yield text
    if text := decode(b"", True):
        yield text
