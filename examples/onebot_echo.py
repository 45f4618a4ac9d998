"""An OneBot implementation of a small chat platform: whoever the bot writes to answers with the same words.

$ python examples/onebot_echo.py --http 8080 --websocket 8081 --token t
$ python examples/onebot_echo.py --webhook http://127.0.0.1:9000/hook --reverse ws://127.0.0.1:9000/ws
"""

import argparse
import time
import uuid
from typing import Any, Literal

from aioclient import onebot


def implementation(connections: list[onebot.Connection]) -> onebot.OneBotImpl:
    """Return the implementation, with its bot and its action."""
    bot = onebot.Bot("echo", "bot")
    impl = onebot.OneBotImpl("echo", "1.0.0", connections, bot)

    @impl.action("send_message")
    async def send_message(
        detail_type: Literal["private"], user_id: str, message: list[onebot.Segment]
    ) -> dict[str, Any]:
        await impl.emit(onebot.PrivateMessage(self=bot.self, user_id=user_id, message=message))
        return {"message_id": str(uuid.uuid4()), "time": time.time()}

    return impl


def main() -> None:
    """Run the implementation until Ctrl+C."""
    parser = argparse.ArgumentParser(description="An OneBot implementation that echoes.")
    parser.add_argument("--http", type=int, metavar="PORT", help="listen there for actions")
    parser.add_argument("--webhook", metavar="URL", help="post events there")
    parser.add_argument("--websocket", type=int, metavar="PORT", help="listen there for sockets")
    parser.add_argument("--reverse", metavar="URL", help="open a socket to this ws:// address")
    parser.add_argument("--token", help="what applications show, or are shown")
    options = parser.parse_args()
    connections: list[onebot.Connection] = []
    here: dict[str, Any] = {"host": "127.0.0.1", "access_token": options.token}
    if options.http is not None:
        connections.append(onebot.HTTP(port=options.http, **here))
    if options.webhook:
        connections.append(onebot.HTTPWebhook(options.webhook, access_token=options.token))
    if options.websocket is not None:
        connections.append(onebot.WebSocket(port=options.websocket, **here))
    if options.reverse:
        connections.append(onebot.WebSocketReverse(options.reverse, access_token=options.token))
    impl = implementation(connections or [onebot.HTTP(port=8080, **here)])

    async def show() -> None:
        print(*impl.conns, sep="\n", flush=True)

    impl.run(show)


if __name__ == "__main__":
    main()
