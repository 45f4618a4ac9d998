"""An aiohttp.web application that tells what it got, as httpbin does, in the test's own loop.

    async with serve() as app:
        ...  # GET app.url("/get")

Routes: `/get`, `/headers`, `/anything` and `/post` (any method) tell the request as JSON;
`/cookies`, `/cookies/set?name=value`, `/redirect/{n}`, `/redirect-to?url=…&status=…`,
`/status/{n}`, `/stream/{n}` (n JSON lines), `/bytes/{n}`, `/gzip`, `/basic-auth/{user}/{password}`,
and `/wait`, which answers when the test sets `app.release`.
"""

import asyncio
import base64
import contextlib
import ssl as ssl_module
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from aioclient.testing import serve_h2

from .. import spoken


class App:
    """The application while it is served.

    Attributes:
        entered: Set when a request to `/wait` came in.
        release: Set it to let `/wait` answer.
        requests: `"METHOD /path"` of each request so far.
    """

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.requests: list[str] = []
        self.origin = ""

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return self.origin + path

    def application(self) -> web.Application:
        """Return the routes."""
        application = web.Application(middlewares=[self._note], client_max_size=2**30)
        route = application.router.add_route
        for path in ("/get", "/post", "/anything", "/headers"):
            route("*", path, tell)
        route("GET", "/cookies", cookies)
        route("GET", "/cookies/set", set_cookies)
        route("*", "/redirect/{count}", redirect)
        route("*", "/redirect-to", redirect_to)
        route("*", "/status/{code}", status)
        route("GET", "/stream/{count}", stream)
        route("GET", "/bytes/{count}", some_bytes)
        route("GET", "/gzip", compressed)
        route("GET", "/basic-auth/{user}/{password}", basic_auth)
        route("*", "/wait", self._wait)
        return application

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        return await handler(request)

    async def _wait(self, request: web.Request) -> web.Response:
        self.entered.set()
        await self.release.wait()
        return web.json_response({"waited": True})


async def tell(request: web.Request) -> web.Response:
    """Answer with what came in; the body as text in Latin-1, so that any byte can be told.

    A multipart body is told as `form` alone.
    """
    multipart = request.content_type == "multipart/form-data"
    body = b"" if multipart else await request.read()
    form: dict[str, str] = {}
    if multipart or request.content_type == "application/x-www-form-urlencoded":
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                form[name] = value.file.read().decode("latin-1")
            else:
                form[name] = value if isinstance(value, str) else value.decode("latin-1")
    return web.json_response(
        {
            "method": request.method,
            "path": request.path_qs,
            "args": dict(request.query),
            "headers": [[name, value] for name, value in request.headers.items()],
            "data": body.decode("latin-1"),
            "form": form,
            "json": await request.json() if request.content_type == "application/json" else None,
        }
    )


async def cookies(request: web.Request) -> web.Response:
    """Answer with the cookies that came."""
    return web.json_response({"cookies": dict(request.cookies)})


async def set_cookies(request: web.Request) -> web.Response:
    """Set each query parameter as a cookie and redirect to `/cookies`."""
    response = web.Response(status=302, headers={"Location": "/cookies"})
    for name, value in request.query.items():
        response.set_cookie(name, value)
    return response


async def redirect(request: web.Request) -> web.Response:
    """Redirect that many times, the last time to `/get`."""
    left = int(request.match_info["count"]) - 1
    return web.Response(
        status=302, headers={"Location": f"/redirect/{left}" if left > 0 else "/get"}
    )


async def redirect_to(request: web.Request) -> web.Response:
    """Redirect to `url` with `status` (302)."""
    code = int(request.query.get("status", "302"))
    return web.Response(status=code, headers={"Location": request.query["url"]})


async def status(request: web.Request) -> web.Response:
    """Answer with that status and no body."""
    return web.Response(status=int(request.match_info["code"]))


async def stream(request: web.Request) -> web.StreamResponse:
    """Send that many lines of JSON, each in a chunk of its own."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    for number in range(int(request.match_info["count"])):
        await response.write(b'{"id": %d}\n' % number)
    return response


async def some_bytes(request: web.Request) -> web.Response:
    """Answer with that many bytes."""
    count = int(request.match_info["count"])
    return web.Response(body=(b"0123456789abcdef" * (count // 16 + 1))[:count])


async def compressed(request: web.Request) -> web.Response:
    """Answer with gzip-compressed JSON."""
    response = web.json_response({"gzipped": True})
    response.enable_compression(web.ContentCoding.gzip)
    return response


async def basic_auth(request: web.Request) -> web.Response:
    """Answer 200 to the right user and password, 401 with a challenge to anything else."""
    user, password = request.match_info["user"], request.match_info["password"]
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if request.headers.get("Authorization") != expected:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="test"'})
    return web.json_response({"authenticated": True, "user": user})


@contextlib.asynccontextmanager
async def serve_application(
    application: web.Application,
    *,
    unix_path: Path | None = None,
    ssl: ssl_module.SSLContext | None = None,
) -> AsyncIterator[str]:
    """Serve any application on a free port, or a unix path; give its origin.

    A handler is cancelled when its client goes away, so that none outlives the block. A test of both protocols is
    answered in the one that it speaks.
    """
    if spoken.http2():
        if ssl is not None:
            ssl.set_alpn_protocols(["h2"])
        elif unix_path is None:
            ssl = spoken.server_context()
        async with serve_h2(application, unix_path=unix_path, ssl=ssl) as server:
            yield server.url("", host="localhost" if ssl else None)
        return
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    scheme = "https" if ssl else "http"
    try:
        if unix_path is not None:
            await web.UnixSite(runner, str(unix_path), ssl_context=ssl).start()
            yield f"{scheme}://localhost"
        else:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl).start()
            host = "localhost" if ssl else "127.0.0.1"
            yield f"{scheme}://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def serve(
    *, unix_path: Path | None = None, ssl: ssl_module.SSLContext | None = None
) -> AsyncIterator[App]:
    """Serve `App` during the block."""
    app = App()
    async with serve_application(app.application(), unix_path=unix_path, ssl=ssl) as app.origin:
        yield app
