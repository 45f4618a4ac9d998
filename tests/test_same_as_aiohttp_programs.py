"""Programs in the habit of aiohttp's documentation, run with both libraries: they say the same.

Each is a function of the module that it knows as ``aiohttp``. What is different on purpose is left out of what they
say, and stands on the page about moving from aiohttp.
"""

# ruff: noqa: SIM117 (contexts are nested where the documentation nests them)

import asyncio
import io
import json
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import aiohttp as original
import pytest
from aiohttp import web
from yarl import URL

import aioclient

from .servers.app import App, serve_application
from .servers.certificates import Certificates


class Here(NamedTuple):
    """What a program is given beside the library."""

    url: str
    folder: Path
    say: Callable[..., None]
    certificates: Certificates


Program = Callable[[Any, Here], Awaitable[None]]


async def sockets(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=("second", "first"))
    await socket.prepare(request)
    async for message in socket:
        if message.data == "close":
            await socket.close(code=4001, message=b"bye")
        elif isinstance(message.data, str):
            await socket.send_str(f"heard {message.data}")
        else:
            await socket.send_bytes(message.data)
    return socket


async def parts(request: web.Request) -> web.Response:
    with original.MultipartWriter("mixed") as writer:
        writer.append("hello", {"X-Kind": "text"})
        writer.append_json({"a": 1})
        writer.append_form([("a", "b")])
        writer.append(b"bytes").set_content_disposition("attachment", filename="f.bin")
    return web.Response(headers=writer.headers, body=writer)


async def described(request: web.Request) -> web.Response:
    headers = {
        "Link": '<http://a.test/next>; rel="next"; title="t"',
        "Content-Disposition": 'attachment; filename="na me.txt"',
        "Content-Type": "text/plain; charset=windows-1251",
    }
    return web.Response(body="Привет".encode("cp1251"), headers=headers)


def application() -> web.Application:
    made = App().application()
    made.router.add_get("/ws", sockets)
    made.router.add_get("/parts", parts)
    made.router.add_get("/described", described)
    return made


def fields(told: Any, *names: str) -> list[list[str]]:
    """Return the fields that a server was sent, in any order, but for those that name the library."""
    left_out = ("User-Agent", "Host")
    return sorted(
        pair
        for pair in told["headers"]
        if pair[0] in names or (not names and pair[0] not in left_out)
    )


async def make_requests(aiohttp: Any, here: Here) -> None:
    async with aiohttp.ClientSession() as session:
        for verb in ("get", "post", "put", "options", "patch"):
            data = None if verb in ("get", "options") else b"data"
            async with getattr(session, verb)(f"{here.url}/anything", data=data) as response:
                told = await response.json()
                here.say(verb, response.status, told["method"], told["data"], fields(told))
        async with session.head(f"{here.url}/get") as response:
            here.say(response.status, await response.text(), response.headers["Content-Type"])
        async with session.request("PROPFIND", f"{here.url}/anything") as response:
            here.say((await response.json())["method"])
    async with aiohttp.request("GET", f"{here.url}/get", params={"a": "b"}) as response:
        here.say((await response.json())["path"])


async def pass_parameters(aiohttp: Any, here: Here) -> None:
    async with aiohttp.ClientSession(f"{here.url}/") as session:
        for params in (
            {"key1": "value1", "key2": "value2"},
            [("key", "value1"), ("key", "value2")],
            "key=value+1",
            {"a": 1, "b": 1.5},
            {"a": ["x", "y"]},
            {"ä": "☀ &"},
        ):
            async with session.get("get?x=y", params=params) as response:
                here.say(response.url, (await response.json())["path"])
        async with session.get(URL(f"{here.url}/get?key=%30", encoded=True)) as response:
            here.say((await response.json())["path"])


async def read_the_response(aiohttp: Any, here: Here) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{here.url}/described") as response:
            here.say(await response.text(), await response.text(encoding="latin-1"))
            here.say(response.charset, response.content_type, response.content_length)
            here.say(response.links["next"], response.content_disposition.filename)
            here.say(response.method, response.reason, response.ok, response.version, response.host)
            here.say(response.real_url, [name for name, _ in response.raw_headers])
            here.say(response.closed, response.connection, await response.read())
        async with session.get(f"{here.url}/gzip") as response:
            here.say(response.headers["Content-Encoding"], await response.json())
        async with session.get(f"{here.url}/gzip", auto_decompress=False) as response:
            here.say((await response.read())[:2])
        response = await session.get(f"{here.url}/bytes/1000000")
        here.say(response.closed, response.connection is None)
        response.close()
        here.say(response.closed)


async def send_bodies(aiohttp: Any, here: Here) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"piece %d" % number

    async with aiohttp.ClientSession() as session:
        compressed = {"Content-Encoding": "deflate"}
        for given in (
            {"data": "text"},
            {"data": b"\x00bytes"},
            {"data": bytearray(b"more")},
            {"data": io.StringIO("of text")},
            {"data": io.BytesIO(b"of bytes")},
            {"data": {"key": "värde"}},
            {"data": [("a", "1"), ("a", "2")]},
            {"data": aiohttp.FormData({"a": "b"})},
            {"data": pieces()},
            {"data": zlib.compress(b"my data"), "headers": compressed},
            {"data": b"my data", "compress": "gzip"},
            {"json": {"test": "object", "ä": None}},
            {"data": b"in chunks", "chunked": True},
            {"data": b"after 100", "expect100": True},
            {"data": {"name": io.BytesIO(b"a file")}},
        ):
            async with session.post(f"{here.url}/anything", **given) as response:
                told = await response.json()
                kinds = ("Content-Type", "Content-Encoding", "Transfer-Encoding", "Expect")
                told_fields = [
                    (name, value.partition("; boundary")[0]) for name, value in fields(told, *kinds)
                ]
                here.say(told["data"], told["form"], told["json"], told_fields)
    async with aiohttp.ClientSession(json_serialize=lambda value: f'["{value}"]') as session:
        async with session.post(f"{here.url}/anything", json="x") as response:
            here.say((await response.json())["data"])


async def send_files(aiohttp: Any, here: Here) -> None:
    path = here.folder / "report.xls"
    path.write_bytes(b"content" * 10)
    async with aiohttp.ClientSession() as session:
        with path.open("rb") as file:
            async with session.post(f"{here.url}/anything", data=file) as response:
                told = await response.json()
                here.say(told["data"], fields(told))
        with path.open("rb") as file:
            form = aiohttp.FormData()
            form.add_field("file", file, filename="r.xls", content_type="application/vnd.ms-excel")
            form.add_field("other", "value")
            async with session.post(f"{here.url}/anything", data=form) as response:
                here.say((await response.json())["form"])
        download = await session.get(f"{here.url}/bytes/200000")
        async with session.post(f"{here.url}/anything", data=download.content) as response:
            told = await response.json()
            here.say(len(told["data"]), fields(told, "Content-Length", "Transfer-Encoding"))
        with path.open("wb") as file:
            async with session.get(f"{here.url}/bytes/200000") as response:
                async for chunk in response.content.iter_chunked(1000):
                    file.write(chunk)
        here.say(path.stat().st_size)


async def stream(aiohttp: Any, here: Here) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{here.url}/stream/3") as response:
            here.say([line async for line in response.content])
        async with session.get(f"{here.url}/stream/3") as response:
            content = response.content
            here.say(await content.read(3), await content.readline(), await content.readexactly(2))
            here.say(await content.readuntil(b"}"), content.at_eof())
            try:
                await content.readexactly(1000)
            except asyncio.IncompleteReadError as error:
                here.say(error.partial, error.expected)
            here.say(content.at_eof(), content.is_eof(), content.exception())
            here.say(await content.read(), await content.readany(), await content.readline())
        for method in ("iter_any", "iter_chunks"):
            async with session.get(f"{here.url}/bytes/200000") as response:
                total = 0
                async for chunk in getattr(response.content, method)():
                    total += len(chunk[0] if method == "iter_chunks" else chunk)
                here.say(total)


async def keep_cookies(aiohttp: Any, here: Here) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(
        here.url, cookies={"session's": "1"}, cookie_jar=jar
    ) as session:

        async def sent(**more: Any) -> dict[str, str]:
            async with session.get("/cookies", **more) as response:
                cookies: dict[str, str] = (await response.json())["cookies"]
                return dict(sorted(cookies.items()))

        def left() -> list[tuple[str, str, str]]:
            # The session's own cookies have no domain in aiohttp's jar.
            found = [(cookie.key, cookie["domain"], cookie["path"]) for cookie in jar]
            return sorted(one for one in found if one[0] != "session's")

        here.say(await sent())
        async with session.get("/cookies/set?a=1&b=2") as response:
            here.say(response.history[0].cookies["a"].value)
        here.say(await sent(), await sent(cookies={"a": "call's", "z": "9"}))
        here.say(jar.filter_cookies(URL(here.url))["b"].value, len(jar))
        here.say(left())
        jar.update_cookies({"shared": "v"})
        jar.update_cookies({"its": "v"}, URL(here.url))
        here.say(await sent())
        jar.clear(lambda cookie: cookie.key == "a")
        here.say(left())
        jar.save(here.folder / "jar")
        jar.clear_domain("127.0.0.1")
        here.say(left())
        jar.clear()
        jar.load(here.folder / "jar")
        here.say(left())
    for other in (aiohttp.CookieJar(), aiohttp.DummyCookieJar()):
        async with aiohttp.ClientSession(cookie_jar=other) as session:
            async with session.get(f"{here.url}/cookies/set?a=1") as response:
                here.say(await response.json(), len(other))


async def follow_redirects(aiohttp: Any, here: Here) -> None:
    async with aiohttp.ClientSession(here.url) as session:
        async with session.get("/redirect/3", headers={"X-A": "b"}) as response:
            here.say(response.status, response.url, [past.url for past in response.history])
            here.say([past.status for past in response.history])
            here.say(response.request_info.url, response.request_info.method)
            here.say(fields(await response.json(), "X-A"))
        async with session.get("/redirect/1", allow_redirects=False) as response:
            here.say(response.status, response.headers["Location"], response.history)
        for status in (301, 302, 303, 307, 308):
            where = f"/redirect-to?url=/anything&status={status}"
            async with session.post(where, data=b"body") as response:
                told = await response.json()
                here.say(status, told["method"], told["data"])
        try:
            await session.get("/redirect/9", max_redirects=3)
        except aiohttp.TooManyRedirects:
            here.say("too many")


async def see_errors(aiohttp: Any, here: Here) -> None:
    kinds = [kind for kind in vars(original).values() if isinstance(kind, type)]
    of_aiohttp = [kind for kind in kinds if issubclass(kind, Exception)]

    async def tell(what: str, call: Awaitable[Any]) -> None:
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
        if isinstance(outcome, BaseException):
            caught = sorted(kind.__name__ for kind in of_aiohttp if isinstance(outcome, kind))
            built_in = [isinstance(outcome, kind) for kind in (OSError, TimeoutError, ValueError)]
            here.say(what, caught, built_in)
        else:
            here.say(what, getattr(outcome, "status", outcome))

    async with aiohttp.ClientSession() as session:

        async def load(path: str, **more: Any) -> Any:
            async with session.get(here.url + path) as response:
                return await response.json(**more)

        await tell("no JSON", load("/bytes/10"))
        await tell("of any type", load("/get", content_type=None, loads=lambda text: text[:1]))
        await tell("refused", session.get("http://127.0.0.1:1/"))
        await tell("no host", session.get("http://"))
        await tell("relative", session.get("/relative"))
        await tell("another scheme", session.get("httpx://a.test/"))
        await tell("no TLS", session.get(here.url.replace("http:", "https:")))
        await tell("no WebSocket", session.ws_connect(f"{here.url}/get"))
        await tell("two bodies", session.post(here.url, data=b"a", json={}))
        await tell("a line end", session.get(here.url, headers={"A": "b\r\nc"}))
        await tell("a status", session.get(f"{here.url}/status/404", raise_for_status=True))
        for given in ({"total": 0.05}, {"sock_read": 0.05}):
            timeout = aiohttp.ClientTimeout(**given)
            await tell(str(given), session.get(f"{here.url}/wait", timeout=timeout))
        for path in ("/status/404", "/status/500"):
            async with session.get(here.url + path) as response:
                try:
                    response.raise_for_status()
                except aiohttp.ClientResponseError as error:
                    here.say(error.status, error.message, error.request_info.real_url)
                    here.say(len(error.history), error.headers["Content-Length"])
                here.say(response.ok, await response.text())
    await tell("closed", session.get(here.url))
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        await tell("the session's check", session.get(f"{here.url}/status/503"))

    async def check(response: Any) -> None:
        if response.status >= 400:
            raise LookupError(response.status)

    async with aiohttp.ClientSession(raise_for_status=check) as session:
        await tell("a check of one's own", session.get(f"{here.url}/status/503"))


async def trace(aiohttp: Any, here: Here) -> None:
    seen: list[str] = []
    config = aiohttp.TraceConfig(
        trace_config_ctx_factory=lambda trace_request_ctx=None: SimpleNamespace(
            given=trace_request_ctx
        )
    )
    names = [name for name in dir(config) if name.startswith("on_")]
    for name in names:

        async def callback(session: Any, context: Any, params: Any, name: str = name) -> None:
            members = [member for member in dir(params) if not member.startswith("_")]
            seen.append(f"{name} {context.given} {type(params).__name__} {members}")

        getattr(config, name).append(callback)
    async with aiohttp.ClientSession(trace_configs=[config]) as session:
        async with session.get(f"{here.url}/redirect/1", trace_request_ctx={"a": 1}) as response:
            await response.read()
        async with session.post(f"{here.url}/post", data=b"x") as response:
            await response.read()
        try:
            await session.get("http://127.0.0.1:1/")
        except aiohttp.ClientError:
            here.say("refused")
    for line in seen:
        here.say(line)

    async def add(session: Any, context: Any, params: Any) -> None:
        params.headers["X-Trace"] = "t"

    config = aiohttp.TraceConfig()
    config.on_request_start.append(add)
    async with aiohttp.ClientSession(trace_configs=[config]) as session:
        async with session.get(f"{here.url}/get") as response:
            here.say(fields(await response.json(), "X-Trace"))


async def share_connectors(aiohttp: Any, here: Here) -> None:
    connector = aiohttp.TCPConnector(
        limit=30, limit_per_host=3, ttl_dns_cache=300, keepalive_timeout=15, ssl=False
    )
    here.say(connector.limit, connector.limit_per_host, connector.force_close, connector.closed)
    async with aiohttp.ClientSession(connector=connector) as session:
        calls = [session.get(f"{here.url}/get") for _ in range(10)]
        responses = await asyncio.gather(*calls)
        here.say([response.status for response in responses])
        here.say(session.connector is connector, session.closed)
    here.say(connector.closed, session.closed, session.connector)
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    for _ in range(2):
        async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
            async with session.get(f"{here.url}/get") as response:
                here.say(response.status, session.connector_owner)
    here.say(connector.closed)
    await connector.close()
    here.say(connector.closed)


async def talk(aiohttp: Any, here: Here) -> None:
    kinds = aiohttp.WSMsgType
    async with aiohttp.ClientSession(here.url) as session:
        async with session.ws_connect("/ws", protocols=("first", "third"), heartbeat=30) as socket:
            here.say(socket.protocol, socket.closed, socket.get_extra_info("peername")[0])
            await socket.send_str("hello")
            here.say(await socket.receive_str())
            await socket.send_json({"a": 1})
            message = await socket.receive()
            here.say(message.type is kinds.TEXT, message.data, message.extra)
            await socket.send_bytes(b"bytes")
            here.say(await socket.receive_bytes(), socket.exception())
            try:
                await socket.receive(timeout=0.01)
            except TimeoutError:
                here.say("nothing came")
        here.say(socket.closed)
        async with session.ws_connect("/ws") as socket:
            await socket.send_str("close")
            async for message in socket:
                here.say("not reached", message)
            here.say(socket.closed, int(socket.close_code), socket.exception())
            here.say((await socket.receive()).type)
            try:
                await socket.send_str("too late")
            except ConnectionResetError:
                here.say("too late")
            here.say(await socket.close())
        async with session.ws_connect("/ws", autoclose=False) as socket:
            await socket.send_str("close")
            message = await socket.receive()
            here.say(message.type, message.data, message.extra, socket.closed)
        async with session.ws_connect("/ws") as socket:
            await socket.send_bytes(b"bytes")
            try:
                await socket.receive_str()
            except TypeError as error:
                here.say("no text", isinstance(error, aiohttp.WSMessageTypeError))
            here.say(await socket.close(), await socket.close())


async def use_middlewares(aiohttp: Any, here: Here) -> None:
    async def log(request: Any, handler: Any) -> Any:
        here.say(request.method, request.url, request.host, request.port, request.is_ssl())
        here.say(request.version, request.proxy, request.original_url, request.chunked)
        response = await handler(request)
        here.say(response.status)
        return response

    async def again(request: Any, handler: Any) -> Any:
        for _ in range(2):
            response = await handler(request)
        return response

    async def sign(request: Any, handler: Any) -> Any:
        body = await request.body.as_bytes() if request.body else b""
        request.headers["X-Signature"] = body.hex()
        await request.update_body(b" " + body if request.body else b"1")
        return await handler(request)

    async def ask(request: Any, handler: Any) -> Any:
        async with request.session.get(f"{here.url}/get", middlewares=()) as response:
            here.say("asked", response.status)
        return await handler(request)

    async def refuse(request: Any, handler: Any) -> Any:
        raise aiohttp.ClientError("refused")

    async with aiohttp.ClientSession(middlewares=(log, again)) as session:
        async with session.get(f"{here.url}/redirect/1") as response:
            here.say(response.status)
        for given in ({"data": b"bytes"}, {"json": {"a": 1}}, {"data": {"a": "b"}}, {"data": "t"}):
            async with session.post(
                f"{here.url}/headers", middlewares=(ask, sign), **given
            ) as response:
                names = ("X-Signature", "Content-Type", "Content-Length")
                here.say(fields(await response.json(), *names))
        try:
            await session.get(here.url, middlewares=[refuse])
        except aiohttp.ClientError as error:
            here.say(error)


async def read_parts(aiohttp: Any, here: Here) -> None:
    async with aiohttp.request("GET", f"{here.url}/parts") as response:
        reader = aiohttp.MultipartReader.from_response(response)
        while (part := await reader.next()) is not None:
            kind = part.headers[aiohttp.hdrs.CONTENT_TYPE]
            if kind == "application/json":
                here.say(await part.json())
            elif kind == "application/x-www-form-urlencoded":
                here.say(await part.form())
            else:
                here.say(kind, part.filename, await part.read(decode=True))
    with aiohttp.MultipartWriter("form-data") as writer:
        writer.append("value").set_content_disposition("form-data", name="name")
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{here.url}/anything", data=writer) as response:
                here.say((await response.json())["form"])


async def do_many_things(aiohttp: Any, here: Here) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=5)) as session:

        async def fetch(number: int) -> str:
            async with session.get(f"{here.url}/get", params={"n": number}) as response:
                path: str = (await response.json())["path"]
                return path

        here.say(await asyncio.gather(*map(fetch, range(30))))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch(number)) for number in range(3)]
        here.say([task.result() for task in tasks])
        for later in asyncio.as_completed([fetch(7)]):
            here.say(await later)
        for cut in (asyncio.wait_for(session.get(f"{here.url}/wait"), 0.05),):
            try:
                await cut
            except TimeoutError:
                here.say("waited")
        task = asyncio.ensure_future(session.get(f"{here.url}/wait"))
        await asyncio.sleep(0)
        task.cancel()
        outcome = await asyncio.gather(task, return_exceptions=True)
        here.say(type(outcome[0]).__name__)
        calls = (session.get(f"{here.url}/get"), session.get("http://127.0.0.1:1/"))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        here.say(outcomes[0].status, isinstance(outcomes[1], aiohttp.ClientError))


async def serve_a_proxy(aiohttp: Any, here: Here) -> None:
    async def forward(request: web.Request) -> web.StreamResponse:
        async with session.request(
            request.method,
            here.url + request.path_qs,
            headers=request.headers,
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as response:
            kept = {k: v for k, v in response.headers.items() if k in ("Content-Type", "Location")}
            answer = web.StreamResponse(status=response.status, headers=kept)
            await answer.prepare(request)
            async for chunk in response.content.iter_any():
                await answer.write(chunk)
            return answer

    async def pass_on(source: Any, target: Any) -> None:
        async for message in source:
            await target.send_str(message.data)
        await target.close(code=source.close_code)

    async def bridge(request: web.Request) -> web.WebSocketResponse:
        inner = web.WebSocketResponse()
        await inner.prepare(request)
        async with session.ws_connect(f"{here.url}/ws") as outer:
            await asyncio.gather(pass_on(inner, outer), pass_on(outer, inner))
        return inner

    async def keep_session(application: web.Application) -> AsyncIterator[None]:
        nonlocal session
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            yield

    session: Any = None
    proxy = web.Application(client_max_size=2**20)
    proxy.cleanup_ctx.append(keep_session)
    proxy.router.add_get("/ws", bridge)
    proxy.router.add_route("*", "/{path:.*}", forward)
    async with serve_application(proxy) as origin, aiohttp.ClientSession(origin) as client:
        async with client.get("/get?a=b", headers={"X-A": "b"}) as response:
            told = await response.json()
            here.say(response.status, told["path"], fields(told))
        async with client.post("/anything", data=b"x" * 200_000) as response:
            told = await response.json()
            here.say(len(told["data"]), fields(told))
        async with client.get("/redirect/2") as response:
            here.say(response.status, len(response.history))
        async with client.head("/get") as response:
            here.say(response.status)
        async with client.ws_connect("/ws") as socket:
            await socket.send_str("hello")
            here.say(await socket.receive_str())
            await socket.send_str("close")
            here.say((await socket.receive()).data)
    here.say(session.closed)


async def go_by_a_proxy(aiohttp: Any, here: Here) -> None:
    # A plain server gets what a proxy would: the whole URL, and fields for it.
    login = aiohttp.BasicAuth("user", "secret")
    async with aiohttp.ClientSession() as session:
        for given in (
            {"proxy": here.url},
            {"proxy": URL(here.url), "proxy_auth": login},
            {"proxy": here.url.replace("//", "//user:secret@")},
        ):
            async with session.get("http://a.test/get?x=1", **given) as response:
                told = await response.json()
                here.say(response.url, told["path"], fields(told))
    async with aiohttp.ClientSession(proxy=here.url, proxy_auth=login) as session:
        async with session.get("http://b.test/headers") as response:
            here.say(fields(await response.json()))


async def verify_certificates(aiohttp: Any, here: Here) -> None:
    tls = here.certificates.server_context()
    context = here.certificates.client_context()
    async with serve_application(application(), ssl=tls) as origin:
        async with aiohttp.ClientSession(f"{origin}/") as session:
            for option in (
                False,
                context,
                True,
                aiohttp.Fingerprint(here.certificates.fingerprint()),
            ):
                try:
                    async with session.get("get", ssl=option) as response:
                        here.say(response.status)
                except aiohttp.ClientConnectorCertificateError as error:
                    here.say(isinstance(error.certificate_error, ssl.SSLError), error.host)
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.ws_connect(f"{origin.replace('https', 'wss')}/ws") as socket:
                await socket.send_str("hello")
                here.say(await socket.receive_str())
                here.say(socket.get_extra_info("ssl_object") is None)


async def set_defaults(aiohttp: Any, here: Here) -> None:
    async with aiohttp.ClientSession(
        headers={"A": "1", "User-Agent": "me"},
        auth=aiohttp.BasicAuth("user", "secret"),
        timeout=aiohttp.ClientTimeout(total=60),
        skip_auto_headers=["Accept"],
    ) as session:
        here.say(dict(session.headers), session.auth.login, session.timeout.total)
        here.say(session.trust_env, session.auto_decompress, session.raise_for_status)
        here.say(session.json_serialize is json.dumps, session.requote_redirect_url)
        async with session.get(f"{here.url}/get", headers={"B": "2", "A": "call's"}) as response:
            here.say(fields(await response.json()))
        session.headers["C"] = "3"
        session.headers.update({"A": "4"})
        async with session.get(f"{here.url}/get", skip_auto_headers=["X"]) as response:
            here.say(fields(await response.json()))
    async with aiohttp.ClientSession() as session:
        async with session.get(here.url.replace("//", "//user:secret@") + "/get") as response:
            here.say(response.url, fields(await response.json()))
    timeout = aiohttp.ClientTimeout(total=5, sock_connect=1)
    here.say(timeout == aiohttp.ClientTimeout(total=5, sock_connect=1), timeout.sock_read)
    login = aiohttp.BasicAuth("user", "secret")
    here.say(login.encode(), aiohttp.BasicAuth.decode("Basic YTpi") == aiohttp.BasicAuth("a", "b"))


PROGRAMS = (
    make_requests,
    pass_parameters,
    read_the_response,
    send_bodies,
    send_files,
    stream,
    keep_cookies,
    follow_redirects,
    see_errors,
    trace,
    share_connectors,
    talk,
    use_middlewares,
    read_parts,
    do_many_things,
    serve_a_proxy,
    go_by_a_proxy,
    verify_certificates,
    set_defaults,
)


@pytest.mark.both_loops
@pytest.mark.filterwarnings("ignore:.*(will be removed in|is deprecated).*:DeprecationWarning")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
async def test_program(program: Program, tmp_path: Path, certificates: Certificates) -> None:
    """With ``import aioclient as aiohttp`` it says what it said before."""

    async def run(library: Any) -> list[str]:
        said: list[str] = []
        async with serve_application(application()) as origin:
            port = str(URL(origin).port)

            def say(*values: object) -> None:
                said.append(" ".join(map(str, values)).replace(port, "PORT"))

            folder = tmp_path / library.__name__
            folder.mkdir()
            await program(library, Here(origin, folder, say, certificates))
        return said

    assert await run(aioclient) == await run(original)
