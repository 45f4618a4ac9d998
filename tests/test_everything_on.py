"""Calls with every feature on at once: cancelled at each await, and cut off at each byte."""

import asyncio
import gzip
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

import aioclient
from aioclient import ClientResponse, ClientSession, Handler, Request, TCPConnector, UploadTracker
from aioclient.testing import RawConnection, RawRequest, cancel_everywhere, turns

from .loopback import OK, moved
from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols

SIGNALS = [name for name, _ in inspect.getmembers(aiohttp.TraceConfig) if name.startswith("on_")]
CODED = gzip.compress(b"hello " * 50)
FRAMED = (
    b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%x\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(CODED), CODED)
)


async def wait_a_turn(*_: object) -> None:
    """Let somebody else run, as a callback does that writes to a queue."""
    await asyncio.sleep(0)


def traces() -> list[aiohttp.TraceConfig]:
    """Return a config that listens to every signal."""
    config = aiohttp.TraceConfig()
    for signal in SIGNALS:
        getattr(config, signal).append(wait_a_turn)
    return [config]


async def twice(request: Request, handler: Handler) -> ClientResponse:
    """Send each request a second time."""
    await handler(request)
    return await handler(request)


def in_two(reply: bytes, cut: int) -> Callable[[RawConnection, RawRequest], Awaitable[None]]:
    """Send *reply*, its rest a few turns later."""

    async def send(conn: RawConnection, _: RawRequest) -> None:
        conn.send(reply[:cut])
        await turns(3)
        conn.send(reply[cut:])

    return send


def session_of_one() -> ClientSession:
    return ClientSession(trace_configs=traces(), connector=TCPConnector(limit=1))


@pytest.mark.both_loops
async def test_cancelled_at_each_await() -> None:
    """Whenever a call with everything on is cancelled, nothing of it is left."""
    good = in_two(b"HTTP/1.1 200 OK\r\n" + FRAMED, 90)
    bad = in_two(b"HTTP/1.1 500 No\r\n" + FRAMED, 90)
    again = moved("/b", status=307)

    async def scenario() -> None:
        async with (
            RawServer.replies([OK, OK, again, again, good, good, bad]) as server,
            session_of_one() as session,
        ):
            more: dict[str, Any] = {"progress": wait_a_turn, "compress": "gzip"}
            await session.put(server.url(), data=b"z" * 5000, middlewares=[twice], **more)
            tracker = UploadTracker()
            async with session.post(
                server.url(),
                data=b"z" * 5000,
                expect100=True,
                expect100_timeout=0.001,
                middlewares=[twice],
                upload_tracker=tracker,
                **more,
            ) as response:
                assert await response.read() == b"hello " * 50
            with pytest.raises(aioclient.StatusError) as caught:
                await session.get(server.url(), raise_for_status=True)
            assert caught.value.body == b"hello " * 50

    assert await cancel_everywhere(scenario) > 20


def cut_off(
    reply: bytes, cut: int, how: str
) -> Callable[[RawConnection, RawRequest], Awaitable[None]]:
    """Send *reply* up to *cut*, and end there in this way; OK for what a redirect leads to."""

    async def send(conn: RawConnection, request: RawRequest) -> None:
        if request.target == "/b":
            conn.send(OK)
            return
        conn.send(reply[:cut])
        await turns(2)
        if how == "in two":
            conn.send(reply[cut:])
            return
        conn.reset() if how == "reset" else conn.close()
        await conn.wait_lost()

    return send


@pytest.mark.parametrize("how", ["closed", "reset", "in two"])
@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\n" + FRAMED,
        b"HTTP/1.1 500 No\r\n" + FRAMED,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" + FRAMED,
        b"HTTP/1.1 307 Moved\r\nLocation: /b\r\nContent-Length: 5\r\n\r\nhello",
    ],
    ids=["200", "500", "100", "307"],
)
async def test_cut_at_each_byte(reply: bytes, how: str) -> None:
    """Wherever a response is cut off, the call ends at once, with an error of ours or all there is."""
    for cut in range(len(reply) + 1):
        async with (
            RawServer.replies([cut_off(reply, cut, how)], repeat=True) as server,
            session_of_one() as session,
        ):
            try:
                async with session.put(
                    server.url(),
                    data=b"q" * 100,
                    compress="gzip",
                    progress=wait_a_turn,
                    expect100=b"100 Continue" in reply,
                    expect100_timeout=0.001,
                    raise_for_status=True,
                ) as response:
                    body = await response.read()
            except aioclient.ClientError as error:
                assert how != "in two" or isinstance(error, aioclient.StatusError)
            else:
                assert body == (b"ok" if b"307" in reply else b"hello " * 50)
            await turns(6)
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0


class NoException(BaseException):
    """What ``except Exception`` lets pass."""


class Raising(ClientResponse):
    """A response class that fails."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        raise NoException("made wrongly")


@pytest.mark.both_loops
@pytest.mark.parametrize("length", [2, 100_000])
async def test_response_class_that_raises_no_exception(length: int) -> None:
    """It ends its call, not only the event loop's callback, and the session can be closed."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nok" % length
    async with (
        RawServer.replies([reply]) as server,
        ClientSession(response_class=Raising) as session,
    ):
        with pytest.raises(RuntimeError, match="the response class raised NoException") as caught:
            await session.get(server.url())
        assert isinstance(caught.value.__cause__, NoException)
