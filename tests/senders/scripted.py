"""A sender that answers from a list, and notes what it was asked."""

from collections.abc import Callable, Mapping
from typing import Any

from aioclient.senders import Request, Response, Sender


def answer(
    status: int = 200, content: Any = None, url: str = "http://a.test/", **fields: str
) -> Response:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return Response(url, headers, status, content)


class Scripted(Sender[Any]):
    """Gives *answers* in turn, the last one for ever; raises those that are exceptions."""

    def __init__(self, *answers: Any, is_async: bool = False) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []
        self._is_async = is_async
        self.closed = False

    @property
    def is_async(self) -> bool:
        return self._is_async

    def _next(self, request: Request) -> Response:
        self.asked.append(request)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        response: Response = found(request) if callable(found) else found
        return response

    async def _later(self, request: Request) -> Response:
        return self._next(request)

    def send(self, request: Request) -> Any:
        return self._later(request) if self._is_async else self._next(request)

    def close(self) -> Any:
        self.closed = True
        return self._nothing() if self._is_async else None

    async def _nothing(self) -> None:
        pass


class Time:
    """A clock that goes on when somebody sleeps."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


Answer = Response | Exception | Callable[[Request], Response]
Fields = Mapping[str, str]
