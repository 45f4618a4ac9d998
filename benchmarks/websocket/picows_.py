"""picows: its bare callback, which is the limit, and the same with a queue to await."""

import asyncio
from collections import deque
from typing import Any

import picows
from aiohttp import WSMessage, WSMsgType

from benchmarks.websocket.clock import Clock
from benchmarks.websocket.scenarios import Scenario


class RoundTrips(picows.WSListener):
    """Sends the payload again when it comes back."""

    def __init__(self, kind: picows.WSMsgType, payload: bytes, count: int) -> None:
        self._kind = kind
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._payload = payload
        self._count = count
        self._left = 50
        self._clock: Clock | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Begin."""
        transport.send(self._kind, self._payload)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Go on."""
        frame.get_payload_as_bytes()
        self._left -= 1
        if not self._left:
            if self._clock is None:
                self._clock = Clock()
                self._left = self._count
            else:
                self.done.set_result(self._clock.each(self._count))
                return
        transport.send(self._kind, self._payload)


class Flood(picows.WSListener):
    """Counts what comes."""

    def __init__(self, count: int) -> None:
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._count = self._left = count
        self._clock = Clock()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Ask for it."""
        transport.send(picows.WSMsgType.TEXT, f"flood {self._count}".encode())

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Take one."""
        frame.get_payload_as_utf8_text()
        self._left -= 1
        if not self._left:
            self.done.set_result(self._clock.each(self._count))


class Queue(picows.WSListener):
    """A queue to await, as a library's ``receive()`` needs it."""

    def __init__(self) -> None:
        self._messages: deque[WSMessage] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Keep a message."""
        if frame.msg_type == picows.WSMsgType.TEXT:
            message = WSMessage(WSMsgType.TEXT, frame.get_payload_as_utf8_text(), "")
        else:
            message = WSMessage(WSMsgType.BINARY, frame.get_payload_as_bytes(), "")
        self._messages.append(message)
        if self._waiter is not None:
            self._waiter.set_result(None)
            self._waiter = None

    async def receive(self) -> WSMessage:
        """Return the next message."""
        if not self._messages:
            self._waiter = waiter = self._loop.create_future()
            await waiter
        return self._messages.popleft()


def frame_of(payload: bytes | str) -> tuple[picows.WSMsgType, bytes]:
    """Return how a payload is sent."""
    if isinstance(payload, str):
        return picows.WSMsgType.TEXT, payload.encode()
    return picows.WSMsgType.BINARY, payload


class Bare:
    """The bare callback."""

    async def round_trips(self, scenario: Scenario, url: str, count: int) -> float:
        """Send the payload again from the callback."""
        kind, payload = frame_of(scenario.payload)
        return await self._result(lambda: RoundTrips(kind, payload, count), url)

    async def flood(self, scenario: Scenario, url: str, count: int) -> float:
        """Count what comes in the callback."""
        return await self._result(lambda: Flood(count), url)

    @staticmethod
    async def _result(make_listener: Any, url: str) -> float:
        transport, listener = await picows.ws_connect(make_listener, url)
        try:
            return float(await listener.done)
        finally:
            transport.disconnect()
            await transport.wait_disconnected()


class Queued:
    """The same with a queue."""

    async def round_trips(self, scenario: Scenario, url: str, count: int) -> float:
        """Send the payload and receive the same, again and again."""
        kind, payload = frame_of(scenario.payload)
        transport, queue = await picows.ws_connect(Queue, url)
        for _ in range(50):
            transport.send(kind, payload)
            await queue.receive()
        clock = Clock()
        for _ in range(count):
            transport.send(kind, payload)
            await queue.receive()
        result = clock.each(count)
        transport.disconnect()
        await transport.wait_disconnected()
        return result

    async def flood(self, scenario: Scenario, url: str, count: int) -> float:
        """Receive what the server sends unasked."""
        transport, queue = await picows.ws_connect(Queue, url)
        clock = Clock()
        transport.send(picows.WSMsgType.TEXT, f"flood {count}".encode())
        for _ in range(count):
            await queue.receive()
        result = clock.each(count)
        transport.disconnect()
        await transport.wait_disconnected()
        return result


def make(name: str) -> Bare | Queued:
    """Return the client of that name."""
    return Bare() if name == "limit" else Queued()
