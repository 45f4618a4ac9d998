"""One request over a real socket, and all that a caller can see of it."""

import asyncio
from typing import Any

import aioclient
from aioclient.testing import RawConnection, RawServer

from .corpus import Message
from .reading import Reading


async def fetch(
    session: aioclient.ClientSession, url: str, method: str = "GET", **arguments: Any
) -> Reading:
    """Send a request, read its response to the end; errors of the client become values, others escape."""
    head: Reading | None = None
    try:
        async with session.request(method, url, **arguments) as response:
            head = Reading("", response.status, response.reason, tuple(response.headers.items()))
            body = await response.read()
            return Reading(
                "",
                response.status,
                response.reason,
                tuple(response.headers.items()),
                body,
                tuple(response.trailers.items()),
            )
    except aioclient.CALL_ERRORS as error:
        text = str(error)
        assert text.isprintable(), text
        # What the stream finds in a body does not know the request.
        of_stream = isinstance(error, (aioclient.ContentDecodingError, aioclient.BodyTooLargeError))
        assert of_stream or url.rstrip("/") in text, text
        name = type(error).__name__
        return (
            Reading(name) if head is None else Reading(name, head.status, head.reason, head.fields)
        )


def answering(
    first: bytes, *, step: int = 0, close: bool = False, sent: asyncio.Event | None = None
) -> RawServer:
    """Return a server whose first connection gives *first* as its first answer, and plain ones from then on."""

    async def script(conn: RawConnection) -> None:
        while True:
            request = await conn.read_request()
            if conn.index == 0 and len(conn.requests) == 1:
                if step:
                    await conn.send_slowly(first, step)
                else:
                    conn.send(first)
                if sent is not None:
                    sent.set()
                if close:
                    return
            else:
                assert request.target == "/own"
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown")

    return RawServer(script)


async def replay(message: Message, *, step: int = 0) -> tuple[Reading, bool]:
    """Get *message* from a server, then a second response; tell what came, and whether on one connection."""
    closes = message.ends_with_connection
    sent = asyncio.Event()
    async with (
        answering(message.data, step=step, close=closes, sent=sent) as server,
        aioclient.ClientSession(timeout=20) as session,
    ):
        reading = await fetch(
            session, server.url(), message.method, headers=message.headers, **message.options
        )
        await sent.wait()
        second = await fetch(session, server.url("/own"))
        assert (second.error, second.body) == ("", b"own")
        return reading, server.connections == 1
