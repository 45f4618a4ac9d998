"""An origin in the same process, a clock that is set by hand, and a session with a cache between them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from multidict import CIMultiDict
from yarl import URL as Url

from aioclient import Cache, ClientResponse, ClientSession, Request
from aioclient.message.http_date import http_date

from .values import NOW

URL = "http://a.example/"


class Clock:
    """Seconds since the epoch; they pass when the test says so."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now

    def date(self, seconds: float = 0) -> str:
        """Return the date that lies so many seconds ahead."""
        return http_date(self.now + seconds)


Reply = tuple[int, Sequence[tuple[str, str]], Any]
Answering = Callable[[Request, int], Any]


class Origin:
    """A transport that answers by a function, which gets the request and its number, from 1 on.

    ``seen`` are the methods and fields of the requests.
    """

    closed = False

    def __init__(self, answer: Answering) -> None:
        self.answer = answer
        self.seen: list[tuple[str, CIMultiDict[str]]] = []

    def bind(self, loop: object) -> None: ...

    async def send(self, request: Request) -> ClientResponse:
        self.seen.append((request.method, CIMultiDict(request.full_info.headers)))
        result = self.answer(request, len(self.seen))
        if asyncio.iscoroutine(result):
            result = await result
        if isinstance(result, ClientResponse):
            return result
        status, fields, body = result
        return ClientResponse.from_parts(request, status, CIMultiDict(fields), body)

    async def close(self) -> None:
        self.closed = True

    def statistics(self) -> None: ...

    @property
    def count(self) -> int:
        """How many requests came."""
        return len(self.seen)


class Site:
    """A session with a cache, its origin and its clock."""

    def __init__(self, session: ClientSession, cache: Cache, origin: Origin, clock: Clock) -> None:
        self.session = session
        self.cache = cache
        self.origin = origin
        self.clock = clock

    async def get(
        self, url: str | Url = URL, method: str = "GET", **arguments: Any
    ) -> ClientResponse:
        """Send a request and read the response."""
        async with self.session.request(method, url, **arguments) as response:
            await response.read()
            return response

    async def text(self, url: str = URL, **arguments: Any) -> str:
        """Return the body."""
        return await (await self.get(url, **arguments)).text()


def answers(*replies: Any) -> Answering:
    """Return a function that gives these answers one after the other, the last one for ever.

    Each is a body with header lines: ``("one", "Cache-Control: max-age=9")``; a status may stand before them.
    """

    def answer(request: Request, number: int) -> Any:
        reply = replies[min(number, len(replies)) - 1]
        if callable(reply):
            return reply(request, number)
        status, rest = (reply[0], reply[1:]) if isinstance(reply[0], int) else (200, reply)
        body, *lines = rest
        pairs = [line.partition(":") for line in lines]
        fields = [(name, value.strip()) for name, _, value in pairs]
        return status, fields, body.encode() if isinstance(body, str) else body

    return answer


@asynccontextmanager
async def site(
    *replies: Any, cache: Cache | None = None, session: Any = None, **arguments: Any
) -> AsyncIterator[Site]:
    """Give a session whose cache has these *arguments*, before an origin that gives these *replies*."""
    clock = Clock()
    origin = Origin(answers(*replies))
    if cache is None:
        cache = Cache(clock=clock, **arguments)
    async with ClientSession(connector=origin, middlewares=[cache], **(session or {})) as client:
        yield Site(client, cache, origin, clock)
