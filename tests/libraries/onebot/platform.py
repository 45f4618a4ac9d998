"""A chat platform's implementation, as the tests run it, and its log."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from aioclient.onebot import (
    Bot,
    Connection,
    DatabaseError,
    OneBotImpl,
    PrivateMessage,
    Segment,
    text,
)

POSTED, REVERSE, FORWARD = Bot("qq", "30"), Bot("qq", "20"), Bot("qq", "21")
BOTS = (POSTED, REVERSE, FORWARD)


class Platform(OneBotImpl):
    """An implementation with a bot for each transport of events, and some actions.

    Attributes:
        sent: the messages of applications: which bot, to whom, what.
    """

    def __init__(self, *conns: Connection) -> None:
        super().__init__("demo.platform", "1.2.3", conns, *BOTS)
        self.sent: list[tuple[str, str, str]] = []
        self.register_action_handler("send_message", self.send_message)
        self.register_action_handler("upload_file", self.upload_file)
        self.register_action_handler("break_down", self.break_down)

    async def send_message(
        self,
        detail_type: str,
        message: list[Segment],
        bot: Bot,
        user_id: str | None = None,
        group_id: str | None = None,
        guild_id: str | None = None,
        channel_id: str | None = None,
    ) -> dict[str, object]:
        to = "/".join(filter(None, (detail_type, guild_id, channel_id, group_id, user_id)))
        said = "".join(str(segment.data["text"]) for segment in message)
        self.sent.append((bot.user_id, to, said))
        return {"message_id": said, "time": 1.5}

    async def upload_file(self, type: str, name: str, data: bytes) -> dict[str, str]:
        return {"file_id": sha256(data).hexdigest()}

    async def break_down(self) -> None:
        raise DatabaseError(31001, message="the disk is full")

    async def ask(self, bot: Bot, said: str) -> None:
        """Push a message to *bot*."""
        await self.emit(PrivateMessage(self=bot.self, user_id="42", message=[text(said)]))


class Log(logging.Handler):
    """The lines of a log, with which a test can wait for one."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._news = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
        self._news.set()

    async def line(self, *texts: str) -> str:
        """Return the first line that contains all of *texts*; wait for it."""
        while True:
            for line in self._lines:
                if all(text in line for text in texts):
                    return line
            self._news.clear()
            await self._news.wait()


@contextmanager
def log_of_the_platform() -> Iterator[Log]:
    logger, log = logging.getLogger("aioclient.onebot.implementation"), Log()
    logger.addHandler(log)
    try:
        yield log
    finally:
        logger.removeHandler(log)
