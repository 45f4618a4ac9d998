"""A bot of AliceBot: it answers messages, and reports what came of it."""

import json
import sys
from typing import Any

from alicebot import Bot, Plugin
from alicebot.adapter.onebot import OneBotAdapter
from alicebot.adapter.onebot.event import MessageEvent

settings: dict[str, Any] = json.loads(sys.argv[1])


def report(name: str, **values: Any) -> None:
    print("@" + json.dumps([name, values], default=str), flush=True)


class Answer(Plugin[MessageEvent, None, None]):
    async def rule(self) -> bool:
        return True

    async def handle(self) -> None:
        event = self.event
        report("event", event=type(event).__name__, text=event.get_plain_text())
        for call in (self.reply, self.call):
            try:
                result = await call()
            except (TypeError, KeyError) as error:
                report("failed", call=call.__name__, error=repr(error))
            else:
                report("result", call=call.__name__, result=result)

    async def reply(self) -> Any:
        return await self.event.reply("reply")

    async def call(self) -> Any:
        return await self.event.adapter.call_api(
            "send_message",
            bot_self=self.event.self,
            detail_type="private",
            user_id=self.event.user_id,
            message=[{"type": "text", "data": {"text": "call"}}],
        )


bot = Bot(config_file=None, config_dict={"adapter": {"onebot": settings}})
bot.load_adapters(OneBotAdapter)
bot.load_plugins(Answer)
bot.run()
