"""A small server to practise on; the tutorial and the other examples talk to it.

Run it, then open another terminal::

    $ python examples/server.py
    http://127.0.0.1:8080

"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

BASIC = "Basic YWRhOmxvdmVsYWNl"  # ada:lovelace
TIMES = web.AppKey("times", list[int])  # one entry for each time that /unsteady was asked


async def hello(request: web.Request) -> web.Response:
    """Greet ``?name=``."""
    return web.Response(text=f"Hello, {request.query.get('name', 'stranger')}!")


async def echo(request: web.Request) -> web.Response:
    """Answer with what arrived, as JSON."""
    return web.json_response(
        {
            "method": request.method,
            "query": dict(request.query),
            "type": request.headers.get("Content-Type"),
            "body": await request.text(),
        }
    )


async def login(request: web.Request) -> web.Response:
    """Set a cookie and send the client on to ``/whoami``."""
    response = web.HTTPSeeOther("/whoami")
    response.set_cookie("user", request.query.get("user", "nobody"))
    raise response


async def whoami(request: web.Request) -> web.Response:
    """Answer with the user that ``/login`` remembered."""
    return web.json_response({"user": request.cookies.get("user")})


async def private(request: web.Request) -> web.Response:
    """Greet whoever comes with the user name ``ada`` and the password ``lovelace``, or with the token ``t-2``."""
    welcome = {BASIC: "Ada", "Bearer t-2": "token t-2"}
    name = welcome.get(request.headers.get("Authorization", ""))
    if name is None:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="private"'})
    return web.Response(text=f"Welcome, {name}!")


async def lines(request: web.Request) -> web.StreamResponse:
    """Send ``?count=`` numbered lines, each in a chunk of its own."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await response.prepare(request)
    for number in range(int(request.query.get("count", "3"))):
        await response.write(f"line {number}\n".encode())
    return response


async def items(request: web.Request) -> web.Response:
    """Answer with a page of things, as JSON, and a link to the next one."""
    page = int(request.query.get("page", "1"))
    things = [{"id": number, "name": f"thing {number}"} for number in (page * 2 - 1, page * 2)]
    return web.json_response(things, headers={"Link": f'</items?page={page + 1}>; rel="next"'})


async def report(request: web.Request) -> web.Response:
    """Answer with a file to be saved."""
    disposition = "attachment; filename=\"report.csv\"; filename*=UTF-8''%E2%82%AC-report.csv"
    return web.Response(text="name,euro\n", headers={"Content-Disposition": disposition})


async def slow(request: web.Request) -> web.Response:
    """Wait ``?seconds=`` before answering."""
    await asyncio.sleep(float(request.query.get("seconds", "5")))
    return web.Response(text="sorry for the wait")


async def unsteady(request: web.Request) -> web.Response:
    """Be busy every other time."""
    request.app[TIMES].append(1)
    if len(request.app[TIMES]) % 2:
        return web.Response(status=503, text="busy")
    return web.Response(text="Hello, at last!")


async def prices(request: web.Request) -> web.Response:
    """Answer with prices that count for a minute, and can be asked for again by their tag."""
    fields = {"Cache-Control": "max-age=60", "ETag": '"p1"'}
    if request.headers.get("If-None-Match") == '"p1"':
        return web.Response(status=304, headers=fields)
    return web.json_response({"apple": 2, "pear": 3}, headers=fields)


async def chat(request: web.Request) -> web.WebSocketResponse:
    """Repeat each message of a WebSocket, and close after one with ``bye`` in it."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(f"you said: {message.data}")
        if "bye" in message.data:
            await ws.close(code=4000)
    return ws


async def feed(request: web.Request) -> web.WebSocketResponse:
    """Send the one piece of news behind ``?after=``, then close as a server that restarts; after the third for good."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.receive_str()  # what subscribes
    number = int(request.query.get("after", "0")) + 1
    await ws.send_json({"number": number})
    await ws.close(code=1012 if number < 3 else 1000)
    return ws


def application() -> web.Application:
    """Build the server's application."""
    app = web.Application()
    app[TIMES] = []
    app.router.add_get("/hello", hello)
    app.router.add_route("*", "/echo", echo)
    app.router.add_get("/login", login)
    app.router.add_get("/whoami", whoami)
    app.router.add_get("/private", private)
    app.router.add_get("/lines", lines)
    app.router.add_get("/items", items)
    app.router.add_get("/report", report)
    app.router.add_get("/slow", slow)
    app.router.add_get("/unsteady", unsteady)
    app.router.add_get("/prices", prices)
    app.router.add_get("/chat", chat)
    app.router.add_get("/feed", feed)
    return app


@contextmanager
def running() -> Iterator[str]:
    """Serve on a free port from a thread of its own and give the server's URL."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(application(), shutdown_timeout=0)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    url = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield url
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


if __name__ == "__main__":
    print("http://127.0.0.1:8080", flush=True)
    web.run_app(application(), host="127.0.0.1", port=8080, print=None)
