"""What a type checker knows of senders: whether ``send()`` returns a response or a coroutine."""

from collections.abc import Coroutine
from typing import Any

from aioclient.senders import (
    AsyncSender,
    CachingSender,
    Client,
    ExtendingSender,
    Request,
    Response,
    RetryingSender,
    Sender,
    SyncSender,
    send_and_process,
)

Later = Coroutine[Any, Any, Response]
request = Request("GET", "http://a.test/")

result1: Response = SyncSender().send(request)
result2: Later = AsyncSender().send(request)
result3: Response = RetryingSender(3, SyncSender()).send(request)
result4: Later = RetryingSender(3, CachingSender(9, AsyncSender())).send(request)
result5: Later = RetryingSender(sender=AsyncSender()).send(request)
result6: Response = RetryingSender().send(request)
result7: Response = CachingSender().send(request)
result8: Later = Client(AsyncSender()).send(request)
result9: Response = Client().send(request)
result10: Later = Client(SyncSender(), asynchronous=True).send(request)
result11: Later = Client(None, asynchronous=True).send(request)
result14: Later = ExtendingSender(AsyncSender()).send(request)
result15: Response = ExtendingSender().send(request)
result16: Response = RetryingSender(3, AsyncSender()).as_sync().send(request)
result17: Later = RetryingSender(3, SyncSender()).as_async().send(request)

with SyncSender() as entered:
    result18: Response = entered.send(request)


class Counting(ExtendingSender[Response]):
    """A sender of a user's, of one kind."""

    def send(self, request: Request) -> Response:
        return self.sender.send(request)


def of_either_kind(sender: Sender[Response]) -> Response:
    return sender.send(request)


result19: Response = of_either_kind(Counting(SyncSender()))
of_either_kind(AsyncSender())  # refused
Counting(AsyncSender())  # refused


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


result12: str = Blocking(SyncSender()).track(1)
result13: Coroutine[Any, Any, str] = Awaiting(AsyncSender()).track(1)
Blocking(SyncSender()).track("1")  # refused
Blocking(AsyncSender())  # refused

mixed: Response = AsyncSender().send(request)  # refused
others: Later = RetryingSender(3, SyncSender()).send(request)  # refused
