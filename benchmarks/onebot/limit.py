"""The least that an implementation needs on what ours stands on: aiohttp's server, json, and a session of ours.

It checks nothing, keeps no order of its own, and knows three actions. Run like ``benchmarks.onebot.implementation``.
"""

import asyncio
import itertools
import json
import time
from typing import Any

from aiohttp import web

from benchmarks.onebot.scenarios import TEXT


class Limit:
    """An implementation on one transport."""

    def __init__(self, transport: str, port: int, url: str) -> None:
        self._transport = transport
        self._port = port
        self._url = url
        self._numbers = itertools.count(1)
        self._sockets: list[Any] = []
        self._session: Any = None

    async def run(self) -> None:
        """Run for ever."""
        from aioclient import ClientSession

        async with ClientSession(headers={"Content-Type": "application/json"}) as self._session:
            if self._transport == "reverse":
                while True:
                    try:
                        async with self._session.ws_connect(self._url) as websocket:
                            await self._read(websocket)
                    except OSError:
                        await asyncio.sleep(0.05)
            server = web.Server(self._answer, access_log=None)
            loop = asyncio.get_running_loop()
            async with await loop.create_server(server, "127.0.0.1", self._port):
                await asyncio.Event().wait()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._transport != "websocket":
            answer = await self._act(json.loads(await request.read()))
            return web.Response(body=answer.encode(), content_type="application/json")
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        await self._read(websocket)
        return websocket

    async def _read(self, websocket: Any) -> None:
        self._sockets.append(websocket)
        try:
            async for message in websocket:
                await websocket.send_str(await self._act(json.loads(message.data)))
        finally:
            self._sockets.remove(websocket)

    async def _act(self, asked: dict[str, Any]) -> str:
        params = asked["params"]
        data: Any = None
        if asked["action"] == "send_message":
            message_id = f"{params['detail_type']}-{params['user_id']}"
            data = {"message_id": message_id, "time": time.time()}
        elif asked["action"] == "cpu":
            data = time.process_time()
        else:
            await self._push(**params)
        answer = {"status": "ok", "retcode": 0, "data": data, "message": ""}
        return json.dumps(answer | ({"echo": asked["echo"]} if "echo" in asked else {}))

    async def _push(self, count: int, pause: float) -> None:
        for _ in range(count):
            number = str(next(self._numbers))
            event = {
                "id": number,
                "time": time.time(),
                "type": "message",
                "detail_type": "private",
                "sub_type": "",
                "self": {"platform": "qq", "user_id": "10001"},
                "message_id": number,
                "message": [{"type": "text", "data": {"text": TEXT}}],
                "alt_message": TEXT,
                "user_id": "42",
            }
            text = json.dumps(event)
            if self._transport == "webhook":
                async with self._session.post(self._url, data=text.encode()):
                    pass
            for websocket in self._sockets:
                await websocket.send_str(text)
            if pause:
                await asyncio.sleep(pause)
