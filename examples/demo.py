"""The main job on an embedded server: what `make demo` shows.

Everything runs in this process: a server on a free loopback port and a unix socket, and one session that talks to
it. Each step prints what was asked, what came, and how long it took.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiohttp import web

import aioclient

FILE_SIZE = 20 * 2**20


async def visit(request: web.Request) -> web.Response:
    visits = int(request.cookies.get("visits", "0")) + 1
    response = web.json_response({"visits": visits})
    response.set_cookie("visits", str(visits))
    return response


async def echo(request: web.Request) -> web.Response:
    return web.json_response({"you_sent": await request.json()})


async def moved(request: web.Request) -> web.Response:
    raise web.HTTPFound("/echo-page")


async def page(request: web.Request) -> web.Response:
    return web.Response(text="here you are")


async def file(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(FILE_SIZE)})
    await response.prepare(request)
    piece = bytes(2**16)
    for _ in range(FILE_SIZE // len(piece)):
        await response.write(piece)
    return response


async def never(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@asynccontextmanager
async def server(unix_path: str) -> AsyncIterator[str]:
    """Serve on a free TCP port and on *unix_path*; yield the base URL."""
    app = web.Application()
    app.add_routes(
        [
            web.get("/visit", visit),
            web.post("/echo", echo),
            web.get("/moved", moved),
            web.get("/echo-page", page),
            web.get("/file", file),
            web.get("/never", never),
        ]
    )
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        tcp = web.TCPSite(runner, "localhost", 0)
        await tcp.start()
        await web.UnixSite(runner, unix_path).start()
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print *title*, and how long what follows took."""
    print(f"\n── {title}")
    start = time.perf_counter()
    yield
    print(f"   {(time.perf_counter() - start) * 1000:.1f} ms")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        unix_path = str(Path(folder) / "demo.sock")
        async with server(unix_path) as url, aioclient.ClientSession(url) as session:
            print(f"aioclient {aioclient.__version__} against a server at {url}")

            with step("Cookies: the session's jar keeps what the server sets"):
                for _ in range(3):
                    async with session.get("visit") as response:
                        print(f"   GET visit  → {response.status} {await response.json()}")

            with step("JSON, both ways"):
                async with session.post(
                    "echo", json={"name": "aioclient", "numbers": [1, 2, 3]}
                ) as response:
                    print(f"   POST echo  → {response.status} {await response.json()}")

            with step("A redirect, followed"):
                async with session.get("moved") as response:
                    hops = " → ".join(
                        f"{hop.status} {hop.url.path}" for hop in (*response.history, response)
                    )
                    print(f"   GET moved  → {hops}: {await response.text()!r}")

            with step(f"A download of {FILE_SIZE >> 20} MiB, streamed: memory stays flat"):
                await download(session)

            with step("A timeout, and what its error says"):
                try:
                    await session.get("never", timeout=0.2)
                except aioclient.CALL_ERRORS as error:
                    print(f"   GET never  → {type(error).__name__}")
                    print(f"   {error}")

            with step("1,000 requests, 10 at a time, over the pool"):
                await asyncio.gather(*[many(session, 100) for _ in range(10)])
                print(f"   {session.connector!r}")
                counted = session.connector.statistics()
                print(
                    f"   {counted.opened} connections were opened and used again {counted.reused} times"
                )

        async with (
            server(unix_path) as url,
            aioclient.ClientSession(connector=aioclient.UnixConnector(unix_path)) as session,
        ):
            with step("The same server over a unix socket"):
                async with session.get("http://localhost/echo-page") as response:
                    print(
                        f"   GET http://localhost/echo-page  → {response.status} {await response.text()!r}"
                    )

    print("\nAll sockets are closed. Next: README.md, docs/, and `python -m aioclient --help`.")


async def download(session: aioclient.ClientSession) -> None:
    """Stream a file and draw a progress bar."""
    received = 0
    async with session.get("file") as response:
        total = int(response.headers["Content-Length"])
        async for chunk in response.content.iter_chunked(2**16):
            received += len(chunk)
            if sys.stdout.isatty():
                filled = 40 * received // total
                print(
                    f"\r   [{'█' * filled}{' ' * (40 - filled)}] {received >> 20} MiB",
                    end="",
                    flush=True,
                )
    print(f"{chr(13) if sys.stdout.isatty() else ''}   [{'█' * 40}] {received >> 20} MiB")


async def many(session: aioclient.ClientSession, count: int) -> None:
    for _ in range(count):
        async with session.get("visit") as response:
            await response.read()


if __name__ == "__main__":
    asyncio.run(main())
