"""A server that knows which session its requests came by."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from ...servers.app import serve_application

# Fields of our sessions in these tests; a session that a library made for itself has none of them.
OURS = {"X-Sent-By": "aioclient"}


@asynccontextmanager
async def serving(
    application: web.Application, *, unix_path: Path | None = None
) -> AsyncIterator[str]:
    """Serve *application* and give its origin; assert at the end that all requests came by sessions of ours."""
    strangers: list[str] = []
    ours = 0

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal ours
        if request.headers.get("X-Sent-By") == "aioclient":
            ours += 1
        else:
            strangers.append(f"{request.method} {request.path_qs}")
        return await handler(request)

    application.middlewares.append(note)
    async with serve_application(application, unix_path=unix_path) as origin:
        yield origin
    assert not strangers
    assert ours
