"""aiohttp, and what has its API."""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import os
from pathlib import Path
from typing import Any

from benchmarks.websocket.clock import Clock
from benchmarks.websocket.scenarios import Scenario


class AiohttpLike:
    """One of them."""

    def __init__(self, library: Any) -> None:
        self.library = library

    async def round_trips(self, scenario: Scenario, url: str, count: int) -> float:
        """Send the payload and receive the same, again and again."""
        payload = scenario.payload
        async with (
            self.library.ClientSession() as session,
            session.ws_connect(url, compress=scenario.compress) as websocket,
        ):
            if bool(websocket.compress) != bool(scenario.compress):
                raise RuntimeError(f"compress={websocket.compress}")
            send = websocket.send_str if isinstance(payload, str) else websocket.send_bytes
            for _ in range(50):
                await send(payload)
                await websocket.receive()
            clock = Clock()
            for _ in range(count):
                await send(payload)
                message = await websocket.receive()
            result = clock.each(count)
            if message.data != payload:
                raise RuntimeError(f"received {message!r}")
            return result

    async def flood(self, scenario: Scenario, url: str, count: int) -> float:
        """Receive what the server sends unasked."""
        async with self.library.ClientSession() as session, session.ws_connect(url) as websocket:
            clock = Clock()
            await websocket.send_str(f"flood {count}")
            for _ in range(count):
                await websocket.receive()
            return clock.each(count)

    async def idle(self, scenario: Scenario, url: str, count: int) -> float:
        """Measure the memory of an open WebSocket on which nothing happens, in bytes."""
        connector = self.library.TCPConnector(limit=0)
        async with (
            self.library.ClientSession(connector=connector) as session,
            contextlib.AsyncExitStack() as stack,
        ):
            for _ in range(20):
                await stack.enter_async_context(session.ws_connect(url))
            before = settled_memory()
            for _ in range(count // 50):
                opened = await asyncio.gather(*[session.ws_connect(url) for _ in range(50)])
                for websocket in opened:
                    stack.push_async_callback(websocket.close)
            return (settled_memory() - before) / (count // 50 * 50)


def settled_memory() -> int:
    """Return the resident memory in bytes."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def make(name: str) -> AiohttpLike:
    """Return the client of that name."""
    return AiohttpLike(importlib.import_module(name))
