"""What a type checker knows of senders: run by mypy in tests/senders/test_typing.py, never executed."""

from collections.abc import Coroutine
from typing import Any, assert_type

from aioclient.senders import (
    AsyncSender,
    CachingSender,
    Client,
    Request,
    Response,
    RetryingSender,
    SyncSender,
    send_and_process,
)

Later = Coroutine[Any, Any, Response]
request = Request("GET", "http://a.test/")

assert_type(SyncSender().send(request), Response)
assert_type(AsyncSender().send(request), Later)
assert_type(RetryingSender(3, SyncSender()).send(request), Response)
assert_type(RetryingSender(3, CachingSender(9, AsyncSender())).send(request), Later)
assert_type(RetryingSender(sender=AsyncSender()).send(request), Later)
assert_type(RetryingSender().send(request), Response)
assert_type(CachingSender().send(request), Response)
assert_type(Client(AsyncSender()).send(request), Later)
assert_type(Client().send(request), Response)
assert_type(Client(SyncSender(), asynchronous=True).send(request), Later)
assert_type(Client(None, asynchronous=True).send(request), Later)


def title(request: Request, response: Response) -> str:
    return str(response.content)


class Blocking(Client[Response]):
    @send_and_process(title)
    def track(self, number: int) -> tuple[Request, tuple[()]]:
        return Request("GET", f"tracks/{number}"), ()


class Awaiting(Client[Later]):
    @send_and_process(title)
    def track(self, number: int) -> tuple[Request, tuple[()]]:
        return Request("GET", f"tracks/{number}"), ()


assert_type(Blocking(SyncSender()).track(1), str)
assert_type(Awaiting(AsyncSender()).track(1), Coroutine[Any, Any, str])
Blocking(SyncSender()).track("1")  # refused
Blocking(AsyncSender())  # refused
