"""Code of users that mypy and basedpyright refuse, in each line that is marked and in no other. It is never run."""

from typing import Any

import aioclient


async def calls(session: aioclient.ClientSession) -> None:
    await session.post("/", data=1)  # refused
    await session.post("/", data=1.5)  # refused
    await session.post("/", data=["a=b"])  # refused
    await session.post("/", data={1: "a"})  # refused
    await session.post("/", data=object())  # refused
    await session.get("/", {"page": 1})  # refused
    await session.get("/", param={"page": 1})  # refused
    await session.get("/", params=["page"])  # refused
    await session.get("/", headers={"A": 1})  # refused
    await session.get("/", timeout="5")  # refused
    await session.get("/", auth="token")  # refused
    await session.get("/", auth=("login", "password", "utf-8"))  # refused
    await session.get("/", allow_redirects="no")  # refused
    await session.get("/", ssl="yes")  # refused
    await session.get("/", on_too_many="stop")  # refused
    await session.get(None)  # refused
    await session.fetch("/")  # refused


async def responses(session: aioclient.ClientSession) -> None:
    with session.get("/"):  # refused
        pass
    print(session.get("/").status)  # refused
    async with session.get("/") as response:
        print(response.status_code)  # refused
        print(response.text.upper())  # refused
        for _ in response.content:  # refused
            pass


async def sessions() -> None:
    with aioclient.ClientSession():  # refused
        pass
    aioclient.ClientSession(verify=False)  # refused
    aioclient.ClientSession(middlewares=print)  # refused
    aioclient.ClientSession(response_class=dict)  # refused
    aioclient.TCPConnector(limit="10")  # refused
    aioclient.TCPConnector(force_close="yes")  # refused
    aioclient.TCPConnector(limits=10)  # refused
    aioclient.BaseConnector(limits=10)  # refused
    aioclient.ClientTimeout(total="5")  # refused


async def middleware(request: Any) -> None: ...


async def steps(session: aioclient.ClientSession) -> None:
    await session.get("/", middlewares=[middleware])  # refused
