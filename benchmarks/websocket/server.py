"""A WebSocket server to measure against: ``python -m benchmarks.websocket_server PLAIN_PORT DEFLATE_PORT``.

The plain one is picows', whose work is small enough to keep a client's core busy. It sends every message back; after
``flood N`` it sends N text messages of 32 bytes instead, as many in one write as a busy feed would. The other one is
aiohttp's, which agrees to permessage-deflate.
"""

import asyncio
import sys

import picows
import uvloop
from aiohttp import web

FLOOD_SIZE = 32
FLOOD_BATCH = 1000  # messages in one write


class Echo(picows.WSListener):
    """One connection of the plain server."""

    _writable: "asyncio.Future[None] | None" = None
    _flood: "asyncio.Task[None] | None" = None

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Send a message back, or do what it asks."""
        payload = frame.get_payload_as_bytes()
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(picows.WSCloseCode.OK)
            transport.disconnect()
        elif payload.startswith(b"flood "):
            count = int(payload.split()[1])
            self._flood = asyncio.get_running_loop().create_task(self.flood(transport, count))
        else:
            transport.send(frame.msg_type, payload)

    async def flood(self, transport: picows.WSTransport, count: int) -> None:
        """Send *count* messages."""
        batch = (bytes((0x81, FLOOD_SIZE)) + b"x" * FLOOD_SIZE) * FLOOD_BATCH
        for _ in range(count // FLOOD_BATCH):
            transport.underlying_transport.write(batch)
            if self._writable is not None:
                await self._writable
            else:
                await asyncio.sleep(0)

    def pause_writing(self) -> None:
        """Wait."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Go on."""
        writable, self._writable = self._writable, None
        if writable is not None:
            writable.set_result(None)


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send every message back, compressed as agreed."""
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    async for message in websocket:
        await websocket.send_str(message.data)
    return websocket


async def serve(plain_port: int, deflate_port: int) -> None:
    """Run both servers for ever."""
    application = web.Application()
    application.router.add_get("/", echo)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", deflate_port).start()
    server = await picows.ws_create_server(
        lambda request: Echo(), "127.0.0.1", plain_port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
