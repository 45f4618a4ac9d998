"""Code of users that mypy and basedpyright accept, both at their strictest. It is never run."""

import asyncio
import datetime
import io
import pathlib
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any, Unpack

from multidict import CIMultiDict, MultiDict
from yarl import URL

import aioclient
from aioclient.session import RequestArguments


async def verbs(session: aioclient.ClientSession) -> None:
    async with session.get("https://a.example/", params={"page": 1, "tag": ["a", "b"]}) as response:
        status: int = response.status
        text: str = await response.text()
        body: bytes = await response.read()
        content: Any = await response.json()
        header: str | None = response.headers.get("ETag")
        print(status, text, body, content, header, response.ok, response.url, response.reason)
    response = await session.post(URL("https://a.example/"), json={"a": [1, None]})
    response.raise_for_status()
    await session.put("/b", data=b"x", headers={"A": "1", "User-Agent": None})
    await session.patch("/b", data="x", headers=[("A", "1")])
    await session.delete("/b", auth=("login", "password"), timeout=5)
    await session.head("/b", timeout=aioclient.ClientTimeout(total=5), allow_redirects=True)
    await session.options("/b", timeout=None, ssl=False)
    await session.request("REPORT", "/b", cookies={"a": "b"}, raise_for_status=True)
    await aioclient.get("https://a.example/")
    async with aioclient.post("https://a.example/", json=1) as response:
        print(response.method)


def produce() -> Iterator[bytes]:
    yield b"x"


async def produce_slowly() -> AsyncIterator[bytes]:
    yield b"x"


class Source:
    def read(self, size: int = -1) -> bytes:
        return b""


async def bodies(session: aioclient.ClientSession, path: pathlib.Path) -> None:
    form = aioclient.FormData()
    form.add_field("a", b"x", filename="a.bin")
    today = datetime.date(2024, 2, 29)
    writer = aioclient.MultipartWriter("mixed")
    with path.open("rb") as file, path.open() as text:
        await session.post("/", data=file)
        await session.post("/", data=text)
        await session.post("/", data={"file": file, "when": today, "tags": ["a", "b"], "n": 1})
    await session.post("/", data=None)
    await session.post("/", data=bytearray(b"x"))
    await session.post("/", data=memoryview(b"x"))
    await session.post("/", data=[("a", "1"), ("a", "2")])
    await session.post("/", data=(("a", 1), ("b", b"x")))
    await session.post("/", data=MultiDict({"a": "1"}))
    await session.post("/", data=form)
    await session.post("/", data=writer)
    await session.post("/", data=aioclient.JsonPayload({"a": 1}))
    await session.post("/", data=io.BytesIO(b"x"))
    await session.post("/", data=io.StringIO("x"))
    await session.post("/", data=Source())
    await session.post("/", data=produce(), chunked=True)
    await session.post("/", data=produce_slowly(), compress="gzip")
    async with session.get("/") as response:
        await session.post("/", data=response.content)
    tracker = aioclient.UploadTracker()
    await session.post("/", data=b"x", upload_tracker=tracker, progress=print)


async def pieces(session: aioclient.ClientSession) -> None:
    async with session.get("/") as response:
        async for line in response.content:
            print(line.decode())
        async for chunk in response.content.iter_chunked(1024):
            print(len(chunk))


def wrapped(
    session: aioclient.ClientSession, path: str, **arguments: Unpack[RequestArguments]
) -> Any:
    arguments.setdefault("timeout", 5)
    return session.get(path, **arguments)


async def middleware(
    request: aioclient.Request, handler: aioclient.Handler
) -> aioclient.ClientResponse:
    request.headers["A"] = "1"
    await request.update_body({"a": "b"})
    return await handler(request)


class Response(aioclient.ClientResponse):
    async def words(self) -> list[str]:
        return (await self.text()).split()


def credentials(request: aioclient.Request) -> None:
    request.headers["Authorization"] = "x"


async def sessions() -> None:
    connector = aioclient.TCPConnector(limit=10, ssl=ssl.create_default_context())
    async with aioclient.ClientSession(
        "https://a.example/",
        connector=connector,
        headers=CIMultiDict({"A": "1"}),
        cookies={"a": "b"},
        timeout=(1, None),
        auth=credentials,
        middlewares=[middleware],
        response_class=Response,
        proxies={"https": "http://proxy.example:3128", "no_proxy": None},
    ) as session:
        await verbs(session)
        print(session.connector.limit, session.closed, session.headers["A"])
        session.cookie_jar.clear()


async def websockets(session: aioclient.ClientSession) -> None:
    async with session.ws_connect("wss://a.example/", heartbeat=20, protocols=["chat"]) as ws:
        await ws.send_str("x")
        await ws.send_json({"a": 1})
        async for message in ws:
            if message.type is aioclient.WSMsgType.TEXT:
                print(message.data)
    again = session.ws_reconnecting("wss://a.example/", policy=aioclient.ReconnectPolicy())
    async with again:
        async for ws in again:
            await ws.close()


async def errors(session: aioclient.ClientSession) -> None:
    try:
        await session.get("/")
    except aioclient.ClientResponseError as error:
        print(error.status, error.message)
    except aioclient.CALL_ERRORS as error:
        print(error)


async def tasks(session: aioclient.ClientSession) -> list[aioclient.ClientResponse]:
    return await asyncio.gather(*(session.get(f"/{number}") for number in range(3)))


class Hotp:
    """Credentials of one's own."""

    async def next(self) -> str:
        return "1"

    async def authorize(self, request: aioclient.Request) -> None:
        request.headers["X-Otp"] = await self.next()

    async def answer(self, request: aioclient.Request, response: aioclient.ClientResponse) -> bool:
        return response.status == 401


async def fetch_token() -> str:
    return "token"


def sign_plainly(request: aioclient.UnsignedRequest) -> dict[str, str]:
    return {"X-Length": str(len(request.body or b""))}


async def sign_slowly(request: aioclient.UnsignedRequest) -> None:
    request.headers["X-Method"] = request.method


class Login(aioclient.Credential):
    def headers(self) -> dict[str, str]:
        return {"X-User": "1"}


async def all_credentials(session: aioclient.ClientSession) -> None:
    await session.get("/", auth=Hotp())
    await session.get("/", auth=aioclient.BearerAuth("token", origins=["https://a.example"]))
    await session.get("/", auth=aioclient.BearerAuth(fetch_token))
    await session.get("/", auth=aioclient.BearerAuth(lambda: "token"))
    await session.get("/", auth=aioclient.DigestAuth("login", "password"))
    await session.get("/", auth=aioclient.CredentialAuth(Login()))
    file = aioclient.TokenFile("~/tokens.json")
    client = aioclient.OAuth2ClientCredentials(
        "https://a.example/token", "id", "secret", store=file
    )
    refreshing = aioclient.OAuth2RefreshToken(
        "https://a.example/token", "id", refresh_token="r", scope=["a", "b"]
    )
    login = aioclient.OAuth2AuthorizationCode(
        "https://a.example/authorize", "https://a.example/token", "id", open_browser=print
    )
    for auth in (client, refreshing, login):
        await session.get("/", auth=auth)
    await session.get("/", signer=sign_plainly)
    await session.get("/", signer=sign_slowly)
    await session.get("/", signer=None)
    policy = aioclient.RedirectPolicy(send_body=["https://b.example"], decide=lambda redirect: None)
    signers: list[aioclient.Signer] = [
        aioclient.HMACSigner(b"key"),
        aioclient.HTTPMessageSigner("id", b"key", covered=("@method",)),
        aioclient.SigV4Signer("id", "key", region="r", service="s3", payload="streamed"),
    ]
    for signer in signers:
        async with aioclient.ClientSession(signer=signer, auth=Hotp(), redirect_policy=policy):
            pass
