"""A bot of NoneBot 2: it does what messages say, and reports what came of it.

The messages:

* ``say TEXT``: answer with TEXT.
* ``call ACTION PARAMS``: call an action; PARAMS are JSON.
* ``upload SIZE``: call ``upload_file`` with so many bytes.
* ``number N``: remember N.
* ``numbers``: report how many were remembered, and whether they came in order.

Any other event is reported.
"""

import asyncio
import contextlib
import json
import sys
from typing import Any

import nonebot
from nonebot.adapters.onebot.v12 import Adapter, Bot, Event, MessageEvent
from nonebot.adapters.onebot.v12.exception import ActionFailedWithRetcode, NetworkError
from nonebot.exception import IgnoredException
from nonebot.message import event_preprocessor

settings: dict[str, Any] = json.loads(sys.argv[1])
if settings.pop("quiet", False):
    # NoneBot formats a line for each event, whatever the level of its own handler.
    nonebot.logger.remove()
    nonebot.logger.add(sys.stdout, level="WARNING")
nonebot.init(driver="~fastapi+~aiohttp", host="127.0.0.1", **settings)
driver = nonebot.get_driver()
driver.register_adapter(Adapter)

tasks: list[asyncio.Task[None]] = []
numbers: list[int] = []


def report(name: str, **values: Any) -> None:
    print("@" + json.dumps([name, values], default=str), flush=True)


@driver.on_startup
async def begin() -> None:
    tasks.append(asyncio.create_task(report_listening()))


async def report_listening() -> None:
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", settings["port"])
            writer.close()
            report("listening")
            return
        await asyncio.sleep(0.01)


@driver.on_bot_connect
async def connected(bot: Bot) -> None:
    report("connected", bot=bot.self_id, impl=bot.impl, platform=bot.platform)


@driver.on_bot_disconnect
async def disconnected(bot: Bot) -> None:
    report("disconnected", bot=bot.self_id)


@event_preprocessor
async def remember(event: Event) -> None:
    if isinstance(event, MessageEvent):
        command, _, number = event.get_plaintext().partition(" ")
        if command == "number":
            numbers.append(int(number))
            raise IgnoredException("it is remembered")


async def obey(bot: Bot, event: MessageEvent) -> Any:
    command, _, rest = event.get_plaintext().partition(" ")
    if command == "say":
        return await bot.send(event, rest)
    if command == "numbers":
        return len(numbers), numbers == list(range(len(numbers)))
    if command == "upload":
        return await bot.upload_file(type="data", name="file", data=bytes(int(rest)))
    action, _, params = rest.partition(" ")
    return await bot.call_api(action, **json.loads(params or "{}"))


@nonebot.on_message(priority=1, block=True).handle()
async def on_message(bot: Bot, event: MessageEvent) -> None:
    try:
        result = await obey(bot, event)
    except (ActionFailedWithRetcode, NetworkError) as error:
        # Over HTTP, NoneBot makes any failure a NetworkError.
        cause = error.__cause__ if isinstance(error.__cause__, ActionFailedWithRetcode) else error
        failure = (
            {"retcode": cause.retcode, "text": cause.message}
            if isinstance(cause, ActionFailedWithRetcode)
            else {"retcode": None, "text": cause.msg}
        )
        report("failed", bot=bot.self_id, error=type(cause).__name__, **failure)
    else:
        asked, kind = event.get_plaintext(), type(event).__name__
        report("result", bot=bot.self_id, event=kind, asked=asked, result=result)


@nonebot.on(priority=2).handle()
async def on_other(bot: Bot, event: Event) -> None:
    report("event", bot=bot.self_id, event=type(event).__name__, fields=event.model_dump())


nonebot.run()
