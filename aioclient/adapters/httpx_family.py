"""Transports for httpx and httpx2: their interfaces are the same, but in modules of their own."""

import sys
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any, ClassVar, NoReturn, Unpack

from yarl import URL

from ..response.client_response import ClientResponse
from ..session import ClientSession
from ..session.of_each_loop import SessionOfEachLoop
from ..sync.portal import PORTAL, Errands
from ..sync.response import pieces_of
from ..sync.uploads import body_of
from .errors import HTTPX, name_for
from .settings import (
    AdapterArguments,
    AdapterSettings,
    BlockingSession,
    timeout_of,
)
from .tracing import traced

# Fields about one connection: the engine sets them.
_OF_THE_WIRE = frozenset((b"connection", b"keep-alive", b"transfer-encoding"))


class Family:
    """What the transports of one library have in common.

    Attributes:
        library: the module whose classes they use.
    """

    library: ClassVar[Any]

    def _arguments(self, request: Any) -> dict[str, Any]:
        """Return the arguments of a session's call that sends *request*, without its body."""
        extensions = request.extensions
        if "target" in extensions:
            raise self.library.LocalProtocolError(
                "the extension 'target' is not known here; the target is that of the URL"
            )
        limits = extensions.get("timeout", {})
        arguments: dict[str, Any] = {
            "headers": _fields(request),
            "allow_redirects": False,
            "timeout": timeout_of(limits.get("connect"), limits.get("read"), limits.get("pool")),
        }
        if (name := extensions.get("sni_hostname")) is not None:
            arguments["server_hostname"] = name if isinstance(name, str) else name.decode("ascii")
        if (trace := extensions.get("trace")) is not None:
            arguments["trace_request_ctx"] = trace
        return arguments

    def _url(self, request: Any) -> URL:
        url = request.url
        if not url.scheme or not url.host:
            raise self.library.UnsupportedProtocol(
                f"{url}: a URL needs a scheme, http or https, and a host"
            )
        target = url.raw_scheme + b"://" + url.netloc + url.raw_path
        return URL(target.decode("ascii"), encoded=True)

    def _raise(self, error: Exception, upload: "Upload | Errands | None" = None) -> NoReturn:
        """Raise the exception that the iterator of *upload* raised, else the library's own exception for *error*."""
        if upload is not None and upload.failure is not None:
            raise upload.failure
        name = name_for(error, HTTPX)
        if name is None:
            raise error
        raise getattr(self.library, name)(str(error)) from error

    def _response(self, response: ClientResponse, stream: Any) -> Any:
        version = response.version
        return self.library.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=stream,
            extensions={
                "http_version": b"HTTP/2"
                if version.major == 2
                else f"HTTP/{version.major}.{version.minor}".encode(),
                "reason_phrase": response.reason.encode("latin-1", "replace"),
                "network_stream": NetworkStream(response),
                "aioclient_response": response,
            },
        )

    def _warn_of_bypass(self) -> None:
        """Warn if the client that enters or closes this transport does not use it, because it has a proxy of its own.

        Nothing else can be seen here: a client forgets verify=, cert=, limits= and http2= when it has a transport.
        """
        client = sys._getframe(2).f_locals.get("self")
        mounts = getattr(client, "_mounts", None)
        if not isinstance(mounts, dict):
            return
        own = (self.library.HTTPTransport, self.library.AsyncHTTPTransport)
        if any(
            isinstance(transport, own) and getattr(pattern, "pattern", None) == "all://"
            for pattern, transport in mounts.items()
        ):
            warnings.warn(
                f"the proxy of this {type(client).__name__} takes its requests past the transport; give proxy= to "
                f"{type(self).__module__}.{type(self).__name__}() instead",
                UserWarning,
                stacklevel=4,
            )


class NetworkStream:
    """Information about a response's connection, as long as it has one: ``get_extra_info()``."""

    _NAMES: ClassVar = {"client_addr": "sockname", "server_addr": "peername"}

    def __init__(self, response: ClientResponse) -> None:
        connection = response.connection
        self._transport = None if connection is None else connection.transport

    def get_extra_info(self, info: str) -> Any:
        """Return ``client_addr``, ``server_addr``, ``ssl_object`` or ``socket``; None if it is not known."""
        if self._transport is None:
            return None
        return self._transport.get_extra_info(self._NAMES.get(info, info))


def _fields(request: Any) -> list[tuple[str, str]]:
    netloc: bytes = request.url.netloc
    return [
        (name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
        for name, value in request.headers.raw
        if name.lower() not in _OF_THE_WIRE and not (name.lower() == b"host" and value == netloc)
    ]


def _whole(request: Any) -> bytes | None:
    """Return the body if it is in memory; None if it has to be iterated."""
    content = getattr(request, "_content", None)
    return content if isinstance(content, bytes) else None


class AwaitedFamily(Family):
    """The part of an ``AsyncTransport`` that sends."""

    stream_class: ClassVar[Any]

    def __init__(self, **settings: Unpack[AdapterArguments]) -> None:
        self._sessions = SessionOfEachLoop(AdapterSettings(**settings).session)

    async def handle_async_request(self, request: Any) -> Any:
        """Send *request*; the response's body is still to be read.

        Raises:
            TransportError: of the library, as its own transports raise it.
        """
        upload: Upload | None = None
        try:
            arguments = self._arguments(request)
            body = _whole(request)
            if body is None:
                upload = Upload(request.stream)
                arguments["data"] = upload.pieces()
            elif body:
                arguments["data"] = body
            session = self._sessions.current()
            if "trace_request_ctx" in arguments:
                session = traced(session)
            response = await session.request(request.method, self._url(request), **arguments)
        except Exception as error:  # noqa: BLE001
            self._raise(error, upload)
        return self._response(response, self.stream_class(response, self))

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._sessions.close()
        self._warn_of_bypass()

    async def __aenter__(self) -> Any:
        self._warn_of_bypass()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Upload:
    """The pieces of a request's stream; ``failure`` is what it raised."""

    __slots__ = ("_stream", "failure")

    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream
        self.failure: Exception | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield them."""
        try:
            async for piece in self._stream:
                yield piece
        except Exception as error:
            self.failure = error
            raise


class AwaitedStream:
    """The part of an ``AsyncByteStream`` that reads a response's body, undecoded."""

    def __init__(self, response: ClientResponse, family: Family) -> None:
        self._response = response
        self._family = family

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except Exception as error:  # noqa: BLE001
            self._family._raise(error)

    async def aclose(self) -> None:
        """Give up the unread rest of the body."""
        await self._response.release()


class BlockingFamily(Family):
    """The part of a ``Transport`` that sends."""

    stream_class: ClassVar[Any]

    def __init__(self, **settings: Unpack[AdapterArguments]) -> None:
        self._blocking = BlockingSession(AdapterSettings(**settings))

    def handle_request(self, request: Any) -> Any:
        """Send *request*; the response's body is still to be read.

        Raises:
            TransportError: of the library, as its own transports raise it.
        """
        errands: Errands | None = None
        try:
            arguments = self._arguments(request)
            body = _whole(request)
            if body is None:
                arguments["data"], errands = body_of(iter(request.stream), None)
            elif body:
                arguments["data"] = body
            response = PORTAL.run(
                self._send(request.method, self._url(request), arguments), errands
            )
        except Exception as error:  # noqa: BLE001
            self._raise(error, errands)
        return self._response(response, self.stream_class(response, self, errands))

    async def _send(self, method: str, url: URL, arguments: dict[str, Any]) -> ClientResponse:
        session: ClientSession = self._blocking.current()
        if "trace_request_ctx" in arguments:
            session = traced(session)
        return await session.request(method, url, **arguments)

    def close(self) -> None:
        """Close the connections."""
        self._blocking.close_and_wait()
        self._warn_of_bypass()

    def __enter__(self) -> Any:
        self._warn_of_bypass()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BlockingStream:
    """The part of a ``SyncByteStream`` that reads a response's body, undecoded."""

    def __init__(self, response: ClientResponse, family: Family, errands: Errands | None) -> None:
        self._response = response
        self._family = family
        self._errands = errands
        self._home = PORTAL.loop

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from pieces_of(self._response, self._errands, self._home)
        except Exception as error:  # noqa: BLE001
            self._family._raise(error, self._errands)

    def close(self) -> None:
        """Give up the unread rest of the body."""
        if not self._response.closed and self._home is PORTAL.loop:
            PORTAL.run(self._release())

    async def _release(self) -> None:
        await self._response.release()
