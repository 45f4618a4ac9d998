"""What the tests of this folder share."""

import asyncio
from collections.abc import Callable
from typing import Any

from yarl import URL

from aioclient import ClientSession
from aioclient.testing import RawConnection

from ..loopback import OK
from ..servers.either import RawServer


async def fetch(session: ClientSession, url: str | URL, method: str = "GET", **more: Any) -> bytes:
    """Return the body of a response."""
    async with session.request(method, url, **more) as response:
        return await response.read()


def numbers(session: ClientSession) -> tuple[int, int, int]:
    """Return how many connections are in use and idle, and how many requests wait."""
    assert session.connector is not None
    found = session.connector.statistics()
    return found.in_use, found.idle, found.waiting


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go round until the condition holds."""
    while not condition():
        await asyncio.sleep(0)


async def cancelled(task: "asyncio.Task[Any]") -> None:
    """Cancel the task and wait for its end."""
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def friendly(conn: RawConnection) -> None:
    """Answer /silent never, each other request with `ok`."""
    while True:
        if (await conn.read_request()).target == "/silent":
            await conn.closed()
        conn.send(OK)


def drops(*replies: bytes) -> RawServer:
    """Return a server that sends these replies, one for each connection, and closes it each time."""
    return RawServer.replies(replies, close=True)
