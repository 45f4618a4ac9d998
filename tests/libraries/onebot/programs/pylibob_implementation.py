"""An implementation of pylibob, by HTTP and WebSocket on one port."""

import asyncio
import contextlib
import json
import sys
import time
from typing import Any
from uuid import uuid4

from pylibob import HTTP, Bot, OneBotImpl, PrivateMessageEvent, Text, WebSocket
from pylibob.asgi import asgi_lifespan_manager
from pylibob.exception import OneBotImplError

settings: dict[str, Any] = json.loads(sys.argv[1])
HOST, PORT = "127.0.0.1", settings["port"]
BOT = Bot("qq", "10001", online=True)

impl = OneBotImpl(
    "old",
    "0.1.1",
    [
        HTTP(access_token=settings["token"], host=HOST, port=PORT, event_buffer_size=1000),
        WebSocket(host=HOST, port=PORT, heartbeat_interval=100),
    ],
    BOT,
)
tasks: list[asyncio.Task[None]] = []


@impl.action("echo")
async def echo(text: str) -> dict[str, str]:
    return {"text": text}


@impl.action("tell")
async def tell(texts: list[str]) -> None:
    for text in texts:
        await impl.emit(
            PrivateMessageEvent(
                id=str(uuid4()),
                time=time.time(),
                self=BOT,
                message_id=str(uuid4()),
                message=[Text(text)],
                user_id="42",
            )
        )


@impl.action("refuse")
async def refuse() -> None:
    raise OneBotImplError(34001, data={"why": "blocked"}, message="the user has blocked this bot")


@impl.action("break_down")
async def break_down() -> None:
    raise LookupError


@impl.action("hang")
async def hang() -> None:
    print('@["hanging", {}]', flush=True)
    await asyncio.Event().wait()


async def report_listening() -> None:
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(HOST, PORT)
            writer.close()
            print('@["listening", {}]', flush=True)
            return
        await asyncio.sleep(0.01)


@asgi_lifespan_manager.on_startup
async def begin() -> None:
    tasks.append(asyncio.create_task(report_listening()))


impl.run()
