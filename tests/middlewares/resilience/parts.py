"""An end of the chain without sockets, and what goes through it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aioclient import ClientResponse, ClientSession, Handler, Request

URL = "http://a.example/"


class End:
    """Answers in the server's place, and notes when it was asked.

    *answers* are taken one after the other, the last one again and again: a status, (status, fields), an exception, or
    a function of the request that returns or raises what is to happen.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers) or [200]
        self.times: list[float] = []
        self.urls: list[str] = []
        self.under_way = 0
        self.most_under_way = 0

    async def __call__(self, request: Request, handler: Handler) -> ClientResponse:
        self.times.append(asyncio.get_running_loop().time())
        self.urls.append(str(request.url))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if callable(answer):
                answer = answer(request)
                if isinstance(answer, Awaitable):
                    answer = await answer
        finally:
            self.under_way -= 1
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, ClientResponse):
            return answer
        status, fields = answer if isinstance(answer, tuple) else (answer, {})
        return ClientResponse.from_parts(request, status, fields)


def after(seconds: float, answer: Any = 200) -> Callable[[Request], Awaitable[Any]]:
    """Return an answer that takes so many seconds."""

    async def wait(request: Request) -> Any:
        await asyncio.sleep(seconds)
        return answer

    return wait


async def call(
    session: ClientSession, url: str = URL, method: str = "GET", **more: Any
) -> "int | BaseException":
    """Return the status of a response, or what was raised."""
    try:
        async with session.request(method, url, **more) as response:
            return response.status
    except Exception as error:  # noqa: BLE001  (it is looked at)
        return error


async def calls(session: ClientSession, count: int, **more: Any) -> list["int | BaseException"]:
    """Make so many calls at once."""
    return list(await asyncio.gather(*(call(session, **more) for _ in range(count))))


def kinds(results: list["int | BaseException"]) -> Mapping[str, int]:
    """Count statuses and classes of errors."""
    counted: dict[str, int] = {}
    for result in results:
        name = str(result) if isinstance(result, int) else type(result).__name__
        counted[name] = counted.get(name, 0) + 1
    return counted
