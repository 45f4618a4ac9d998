"""HTTP servers, each shared by all that listen on the same host and port.

An ``Endpoint`` is one method at one path: POST for actions and webhooks, GET for WebSockets. ``listen()`` serves it by
a server of its own, or by the one that already listens there; ``mount()`` serves it by an ``aiohttp.web`` application.

A request is answered with 405 if no endpoint of the server has its method, then with 404 if none has its path, with
401 or 403 if it may not be made, and only then reaches the endpoint's handler.
"""

import asyncio
import contextlib
import ipaddress
import logging
import ssl as ssl_module
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias, cast
from weakref import WeakKeyDictionary

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiDict, MultiMapping

from ..warning import UnprotectedServerWarning, warn_caller
from .authorization import refusal
from .encoding import MAX_MESSAGE

BODY_LIMIT: Final = 60.0  # seconds for a body to arrive
TLS_LIMIT: Final = 10.0  # seconds for a TLS handshake
DROP_LIMIT: Final = 10.0  # seconds for the rest of a body that is not wanted; aiohttp's default
IDLE_LIMIT: Final = 75.0  # seconds without a request; nginx's default

_NO_QUERY: Final[MultiMapping[str]] = (
    MultiDict()
)  # to parse one costs as much as the rest of a refusal

Method: TypeAlias = Literal["GET", "POST"]
Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_log = logging.getLogger("aioclient.onebot.server")


class BodyError(ValueError):
    """The body of a request is too large, too slow, or broken."""


class Endpoint:
    """What one method at one path of a server does.

    Args:
        method: GET or POST.
        path: where it is served, beginning with a slash.
        handler: answers a request that may be made.
        access_token: what a request must carry; None or empty for nothing.

    Raises:
        ValueError: *path* is not a path.
    """

    __slots__ = ("_handler", "_idle", "_running", "_token", "is_open", "method", "path")

    def __init__(
        self, method: Method, path: str, handler: Handler, *, access_token: str | None = None
    ) -> None:
        self.method = method
        self.path: str = check_path(path)
        self.is_open: bool = False
        self._handler = handler
        self._token = access_token or None
        self._running: set[asyncio.Task[Any]] = set()
        self._idle: asyncio.Future[None] | None = None

    @property
    def is_protected(self) -> bool:
        """Whether a request needs a token."""
        return self._token is not None

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer *request*, whose method and path are these."""
        if (refused := self.refused(request)) is not None:
            _log.warning(
                "%s %s from %s: refused with %d",
                self.method,
                self.path,
                request.remote,
                refused.status,
            )
            if hdrs.EXPECT not in request.headers:
                await _drop_body(request)
            return refused
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._running.add(task)
        try:
            return await self._handler(request)
        except ConnectionError:
            transport = request.transport
            if transport is not None and not transport.is_closing():
                raise
            return web.Response()  # for nobody
        finally:
            self._running.discard(task)
            if self._idle is not None and not self._running and not self._idle.done():
                self._idle.set_result(None)

    def refused(self, request: web.BaseRequest) -> web.Response | None:
        """Return the answer to a request that may not be made; None if it may."""
        if not self.is_open:
            return web.Response(status=503, text="not running\n")
        query = _NO_QUERY if self._token is None else request.query
        match refusal(self._token, request.headers, query):
            case 401:
                return web.Response(
                    status=401,
                    headers={hdrs.WWW_AUTHENTICATE: "Bearer"},
                    text="the access token is missing or wrong\n",
                )
            case 403:
                return web.Response(
                    status=403, text="pages in browsers are refused without an access token\n"
                )
            case _:
                return None

    async def stop(self, limit: float) -> None:
        """Accept no more requests, and wait until the running ones are answered.

        After *limit* seconds they are cancelled, which closes their connections.
        """
        self.is_open = False
        try:
            if self._running:
                self._idle = asyncio.get_running_loop().create_future()
                async with asyncio.timeout(limit):
                    await self._idle
        except TimeoutError:
            _log.warning(
                "%s %s: %d requests were not answered within %g s of the shutdown",
                self.method,
                self.path,
                len(self._running),
                limit,
            )
        finally:
            self._idle = None
            for task in self._running:
                task.cancel()


def check_path(path: str) -> str:
    """Return *path*, which must be the path of a URL.

    Raises:
        ValueError: it does not begin with a slash, or contains a query or fragment.
    """
    if not path.startswith("/") or "?" in path or "#" in path:
        raise ValueError(f"path={path!r}; give the path of a URL, such as '/onebot/v12'")
    return path


def check_port(port: int) -> int:
    """Return *port*, from 0 (any free one) to 65535.

    Raises:
        TypeError, ValueError: it is not.
    """
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"port must be an int, found {type(port).__name__}")
    if not 0 <= port <= 65535:
        raise ValueError(f"port={port}; give 1 to 65535, or 0 for any free one")
    return port


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server at *host*."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def read_body(request: web.BaseRequest) -> bytes:
    """Return the body of *request*.

    Raises:
        BodyError: it is larger than 4 MiB, takes longer than 60 s, or its coding is broken.
    """
    content = request.content
    if content.is_eof() and content.exception() is None:  # it came with the head, as most do
        body = content.read_nowait()
        if len(body) > MAX_MESSAGE:
            raise BodyError(f"the body is larger than {MAX_MESSAGE} bytes")
        return body
    pieces, size = [], 0
    try:
        async with asyncio.timeout(BODY_LIMIT):
            while piece := await content.readany():
                pieces.append(piece)
                size += len(piece)
                if size > MAX_MESSAGE:
                    pieces.clear()
                    await _drop_body(request)
                    raise BodyError(f"the body is larger than {MAX_MESSAGE} bytes")
    except TimeoutError:
        raise BodyError(f"the body took longer than {BODY_LIMIT:g} s") from None
    except web.RequestPayloadError as error:
        raise BodyError("the body is broken") from error
    return b"".join(pieces)


async def _drop_body(request: web.BaseRequest) -> None:
    """Read the rest of a body, for a while: a client that is still sending would not see the answer."""
    with contextlib.suppress(TimeoutError, web.RequestPayloadError):
        async with asyncio.timeout(DROP_LIMIT):
            while await request.content.readany():
                pass


def mount(app: web.Application, endpoint: Endpoint) -> None:
    """Serve *endpoint* by *app*, which is not running yet.

    Raises:
        RuntimeError: *app* is running, or has a route for that method and path.
    """
    app.router.add_route(endpoint.method, endpoint.path, endpoint.serve)


class Listening:
    """An endpoint that is served until ``close()``; made by ``listen()``."""

    __slots__ = ("_endpoint", "_server")

    def __init__(self, server: "_Server", endpoint: Endpoint) -> None:
        self._server = server
        self._endpoint = endpoint

    @property
    def port(self) -> int:
        """The port of the server, also if 0 was asked for."""
        return self._server.port

    async def close(self, limit: float = 10.0) -> None:
        """Stop serving the endpoint; the last one of a server closes the server.

        Requests that are being answered have *limit* seconds to end.
        """
        try:
            await self._endpoint.stop(limit)
        finally:
            await self._server.remove(self._endpoint)


async def listen(
    endpoint: Endpoint,
    host: str,
    port: int,
    *,
    ssl_context: ssl_module.SSLContext | None = None,
) -> Listening:
    """Serve *endpoint* at *host* and *port* of the running loop; warn if anybody could use it.

    Args:
        port: 0 for any free one, with a server of its own.
        ssl_context: for TLS.

    Raises:
        ValueError: another endpoint has that method and path there, or another *ssl_context*.
        OSError: the address cannot be listened on.
    """
    if not endpoint.is_protected and not is_loopback(host):
        warn_caller(
            f"the OneBot server at {host}:{port} needs no token and can be reached from other machines: give it an "
            'access_token, or host="127.0.0.1"',
            UnprotectedServerWarning,
        )
    servers = _servers.setdefault(asyncio.get_running_loop(), {})
    server = servers.get((host, port))
    if server is None:
        server = _Server(servers, host, port, ssl_context)
    server.add(endpoint, ssl_context)
    try:
        await server.start()
    except BaseException:
        await server.remove(endpoint)
        raise
    endpoint.is_open = True
    return Listening(server, endpoint)


_Servers: TypeAlias = dict[tuple[str, int], "_Server"]
_servers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Servers] = WeakKeyDictionary()


class _Server:
    """One listening socket and the endpoints behind it."""

    def __init__(
        self,
        servers: _Servers,
        host: str,
        port: int,
        ssl_context: ssl_module.SSLContext | None,
    ) -> None:
        self.port: int = port
        self._servers = servers
        self._host = host
        self._ssl_context = ssl_context
        self._endpoints: dict[str, dict[str, Endpoint]] = {}  # by path, then by method
        self._starting = asyncio.Lock()
        self._web: _WebServer | None = None
        self._listener: asyncio.Server | None = None
        if port:
            servers[host, port] = self

    # Endpoints

    def add(self, endpoint: Endpoint, ssl_context: ssl_module.SSLContext | None) -> None:
        if ssl_context is not self._ssl_context:
            raise ValueError(
                f"{self._host}:{self.port} is served with another ssl_context; give the same one, or another port"
            )
        at_path = self._endpoints.setdefault(endpoint.path, {})
        if endpoint.method in at_path:
            raise ValueError(
                f"{endpoint.method} {endpoint.path} of {self._host}:{self.port} is served already; give another path "
                "or another port"
            )
        at_path[endpoint.method] = endpoint

    async def remove(self, endpoint: Endpoint) -> None:
        at_path = self._endpoints.get(endpoint.path, {})
        if at_path.get(endpoint.method) is endpoint:
            del at_path[endpoint.method]
            if not at_path:
                del self._endpoints[endpoint.path]
        if not self._endpoints:
            if self._servers.get((self._host, self.port)) is self:
                del self._servers[self._host, self.port]
            await self._close()

    # The socket

    async def start(self) -> None:
        """Listen; without an effect if it does already."""
        async with self._starting:
            if self._listener is not None:
                return
            loop = asyncio.get_running_loop()
            self._web = _WebServer(
                self._handle,
                access_log=None,  # it would show tokens in queries
                logger=cast(logging.Logger, _QuietLog(_log, {})),
                keepalive_timeout=IDLE_LIMIT,
                # aiohttp's own dropping of bodies lasts on when the client has gone.
                lingering_time=0.0,
            )
            try:
                # Not serving yet: a cancellation could lose a server that is.
                self._listener = listener = await loop.create_server(
                    self._web,
                    self._host,
                    self.port,
                    ssl=self._ssl_context,
                    ssl_handshake_timeout=None if self._ssl_context is None else TLS_LIMIT,
                    start_serving=False,
                )
            except OSError as error:
                raise OSError(
                    error.errno,
                    f"cannot listen on {self._host}:{self.port}: {error.strerror or error}; give another host or port",
                ) from error
            self.port = listener.sockets[0].getsockname()[1]
            self._servers.setdefault((self._host, self.port), self)
            await listener.start_serving()

    async def _close(self) -> None:
        listener, server = self._listener, self._web
        self._listener = self._web = None
        if server is None:
            return
        server.is_closing = True
        try:
            if listener is not None:
                await _stop_accepting(listener)
            server.pre_shutdown()
            await server.shutdown(1.0)  # seconds; no handler of an endpoint runs any more
        finally:
            for connection in server.connections:
                connection.force_close()

    # Requests

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        method = request.method
        at_path = self._endpoints.get(request.path)
        endpoint = None if at_path is None else at_path.get(method)
        if endpoint is None:
            return self._not_found(method, at_path)
        if hdrs.EXPECT in request.headers and request.version >= HttpVersion11:
            if request.headers[hdrs.EXPECT].lower() != "100-continue":
                return web.Response(status=417)
            if endpoint.refused(request) is None:
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0  # the response has not begun
        return await endpoint.serve(request)

    def _not_found(self, method: str, at_path: dict[str, Endpoint] | None) -> web.Response:
        offered = set().union(*self._endpoints.values()) if at_path is None else set(at_path)
        if method in offered:
            return web.Response(status=404, text="nothing is served at this path\n")
        return web.Response(
            status=405,
            headers={hdrs.ALLOW: ", ".join(sorted(offered))},
            text=f"{method} is not served here\n",
        )


async def _stop_accepting(listener: asyncio.Server) -> None:
    """Close the listening sockets, and no earlier than connections that were accepted are made.

    asyncio's own loop would lose the socket of a connection that is accepted but not made yet (CPython 3.11).
    """
    loop = asyncio.get_running_loop()
    try:
        for sock in listener.sockets:
            with contextlib.suppress(NotImplementedError):  # Windows
                loop.remove_reader(sock.fileno())
        for _ in range(2):
            await asyncio.sleep(0)
    finally:
        listener.close()


class _WebServer(web.Server):
    """Closes connections that were accepted before its end, and are only made after it."""

    is_closing = False

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if self.is_closing:
            # Not at once: aiohttp's task for the connection has to begin first.
            asyncio.get_running_loop().call_soon(transport.abort)


class _QuietLog(logging.LoggerAdapter[logging.Logger]):
    """Leaves out what was received in place of HTTP: it may contain a token."""

    def debug(self, msg: object, *args: object, **more: Any) -> None:
        more.pop("exc_info", None)
        super().debug(msg, *args, **more)

    def exception(self, msg: object, *args: object, **more: Any) -> None:
        if isinstance(more.get("exc_info"), (HttpProcessingError, web.RequestPayloadError)):
            self.debug(msg, *args)
        else:
            super().exception(msg, *args, **more)
