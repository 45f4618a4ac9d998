"""An implementation's process: ``python -m benchmarks.onebot.implementation LIBRARY TRANSPORT PORT URL LOOP [CORE]``.

The same code for both libraries, which have the same names; ``limit`` has its own. It has a connection of one kind,
which listens at PORT or connects to URL, and the actions ``send_message``, ``push`` and ``cpu``. For a webhook
it takes its actions at PORT.
"""

import asyncio
import importlib
import itertools
import logging
import sys
import time
from typing import Any

from benchmarks.cores import pin
from benchmarks.onebot.scenarios import LIMIT, OURS, TEXT, THEIRS

MODULES = {OURS: "aioclient.onebot", THEIRS: "pylibob"}


def connections(library: Any, transport: str, port: int, url: str) -> list[Any]:
    """Return the connections."""
    where: dict[str, Any] = {"host": "127.0.0.1", "port": port}
    match transport:
        case "websocket":
            return [library.WebSocket(enable_heartbeat=False, **where)]
        case "reverse":
            return [library.WebSocketReverse(url, enable_heartbeat=False, reconnect_interval=100)]
        case "webhook":
            return [library.HTTP(event_enabled=False, **where), library.HTTPWebhook(url)]
        case _:
            return [library.HTTP(event_enabled=False, **where)]


def implementation(library: Any, transport: str, port: int, url: str) -> Any:
    """Return the implementation."""
    bot = library.Bot("qq", "10001", True)
    impl = library.OneBotImpl("qq", "1.0.0", connections(library, transport, port, url), bot)
    numbers = itertools.count(1)

    @impl.action("send_message")
    async def send_message(
        detail_type: str, message: list[library.Segment], user_id: str
    ) -> dict[str, Any]:
        return {"message_id": f"{detail_type}-{user_id}", "time": time.time()}

    @impl.action("push")
    async def push(count: int, pause: float) -> None:
        for _ in range(count):
            number = str(next(numbers))
            event = library.PrivateMessageEvent(
                id=number,
                time=time.time(),
                self=bot,
                message_id=number,
                message=[library.Text(TEXT)],
                alt_message=TEXT,
                user_id="42",
            )
            await impl.emit(event)
            if pause:
                await asyncio.sleep(pause)

    @impl.action("cpu")
    async def cpu() -> float:
        return time.process_time()

    return impl


def main(library: str, transport: str, port: str, url: str, loop: str, core: str = "") -> None:
    """Run until SIGTERM."""
    pin(int(core) if core else None)
    logging.disable(logging.CRITICAL)  # uvicorn's access log, for one
    if loop == "uvloop":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    if library == LIMIT:
        from benchmarks.onebot.limit import Limit

        asyncio.run(Limit(transport, int(port), url).run())
        return
    module = importlib.import_module(MODULES[library])
    implementation(module, transport, int(port), url).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
