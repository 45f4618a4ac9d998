"""Serve an aiohttp.web application over HTTP/2: the same handlers that are served over HTTP/1.1.

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async with serve_h2(hello) as server:
        ...  # GET server.url("/") with prior knowledge

aiohttp.web speaks HTTP/1.1 alone: each stream is a connection of its own to it, see `h2_streams.py`.
"""

import contextlib
import os
import ssl as ssl_module
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from .h2_server import NO_SETTINGS
from .h2_streams import SETTINGS, Streams
from .h2_wire import require_hpack
from .raw_server import RawConnection, RawServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SHUTDOWN_TIMEOUT: Final = 0.1  # seconds that handlers have at the end before they are cancelled


@contextlib.asynccontextmanager
async def serve_h2(
    application: web.Application | Handler,
    *,
    settings: Mapping[int, int] = NO_SETTINGS,
    unix_path: str | os.PathLike[str] | None = None,
    ssl: ssl_module.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[RawServer]:
    """Serve an aiohttp.web application, or a handler for all requests, over HTTP/2 during the block.

    A handler sees the requests as HTTP/1.1, with the cookie crumbs joined. `Expect`, HEAD, responses of unknown length,
    informational responses and WebSockets (RFC 8441) work as they do there; trailers of a request are dropped. A
    handler that closes `request.transport` resets its stream, and is cancelled when the client resets it.
    `web.FileResponse` is not served.

    Args:
        application: What is served.
        settings: Added to the server's SETTINGS: 100 streams at a time, and extended CONNECT.
        unix_path: Listen on this path instead of a TCP port.
        ssl: Secure each connection with this context, which offers `h2` itself (`set_alpn_protocols`).
        host: The address to listen on.

    Raises:
        RuntimeError: The package hpack is not installed.
    """
    require_hpack()
    if not isinstance(application, web.Application):
        handler, application = application, web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(
        application,
        handler_cancellation=True,
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        keepalive_timeout=0,  # a connection that aiohttp sees ends with its request,
        lingering_time=0,  # whether or not that was read
    )

    async def script(raw: RawConnection) -> None:
        if runner.server is not None:
            await Streams(raw, {**SETTINGS, **settings}, runner.server).serve()

    async with RawServer(script, unix_path=unix_path, ssl=ssl, host=host) as server:
        await runner.setup()
        try:
            yield server
        finally:
            await runner.cleanup()  # before their clients go: handlers that run may end
