"""hypercorn, an ASGI server with HTTP/2 and its WebSockets, in the test's own event loop.

`/small` and `/large` are answered with those bodies, a POST with its body, a WebSocket with its messages.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from .certificates import Certificates
from .http2 import Http2Daemon
from .require import require_module

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one request, or talk on one WebSocket."""
    if scope["type"] == "http":
        body = b""
        more = True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            body += event.get("body", b"")
            more = event.get("more_body", False)
        answer = body if scope["method"] == "POST" else Http2Daemon.files[scope["path"][1:]]
        fields = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": answer})
    elif scope["type"] == "websocket":
        await receive()
        offered = scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": offered[0] if offered else None})
        while (event := await receive())["type"] == "websocket.receive":
            if event.get("text") == "close":
                await send({"type": "websocket.close", "code": 4000, "reason": "as asked"})
                return
            data = {name: event[name] for name in ("bytes", "text") if event.get(name) is not None}
            await send({"type": "websocket.send", **data})


@contextlib.asynccontextmanager
async def hypercorn(certificates: Certificates) -> AsyncIterator[str]:
    """Serve it over TLS during the block; give its origin. It needs the package."""
    serve = require_module("hypercorn.asyncio").serve
    config = require_module("hypercorn.config").Config()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config.bind = [f"fd://{listener.detach()}"]
    config.certfile, config.keyfile = str(certificates.cert_file), str(certificates.key_file)
    config.graceful_timeout = 5.0  # for connections that have just been closed
    config.websocket_max_message_size = 2**24
    config.errorlog = logging.getLogger("hypercorn")
    end = asyncio.Event()
    serving = asyncio.ensure_future(serve(application, config, shutdown_trigger=end.wait))
    try:
        yield f"https://localhost:{port}"
    finally:
        end.set()
        await serving
