"""RetryingSender: tekore's numbers, without its faults."""

import asyncio
import io
import socket
from typing import Any

import pytest

from aioclient import ClientConnectionError, ClientError
from aioclient.senders import Request, Response, RetryingSender, SyncSender

from .scripted import Scripted, Time, answer

GET = Request("GET", "http://a.test/")


def send(sender: Any, request: Request = GET) -> Response:
    if not sender.is_async:
        return sender.send(request)  # type: ignore[no-any-return]
    return asyncio.run(sender.send(request))


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def statuses(*codes: int | Response | Exception) -> list[Any]:
    return [answer(code) if isinstance(code, int) else code for code in codes]


@pytest.mark.rows("S001-09")
def test_tekore_s_waits(is_async: bool) -> None:
    time = Time()
    inner = Scripted(
        *statuses(500, answer(429, Retry_After="7"), 503, 500, 500, 500), is_async=is_async
    )
    sender = RetryingSender(4, inner, sleep=time.sleep)
    assert send(sender).status_code == 500
    assert time.sleeps == [1, 8, 2, 4, 8]
    assert len(inner.asked) == 6


@pytest.mark.rows("S001-09")
def test_without_retries_429_is_waited_for(is_async: bool) -> None:
    time = Time()
    inner = Scripted(*statuses(429, 429, 200), is_async=is_async)
    assert send(RetryingSender(sender=inner, sleep=time.sleep)).status_code == 200
    assert time.sleeps == [2, 2]
    inner = Scripted(*statuses(500, 200), is_async=is_async)
    assert send(RetryingSender(-1, inner, sleep=time.sleep)).status_code == 500


def test_retry_after_as_a_date_and_on_503() -> None:
    time = Time(784111777.0)  # Sun, 06 Nov 1994 08:49:37 GMT
    date = "Sun, 06 Nov 1994 08:49:47 GMT"
    inner = Scripted(*statuses(answer(429, retry_after=date), answer(503, Retry_After="30"), 200))
    sender = RetryingSender(1, inner, sleep=time.sleep, clock=time)
    assert send(sender).status_code == 200
    assert time.sleeps == [11, 30]


@pytest.mark.parametrize("text", ["soon", "-1", "1.5", "\u0664"])
def test_retry_after_that_says_nothing(text: str) -> None:
    time = Time()
    inner = Scripted(*statuses(answer(429, Retry_After=text), 200))
    assert send(RetryingSender(0, inner, sleep=time.sleep)).status_code == 200
    assert time.sleeps == [2]


@pytest.mark.parametrize("method", ["POST", "patch"])
def test_methods_that_may_do_harm(method: str, is_async: bool) -> None:
    time = Time()
    request = Request(method, "http://a.test/", json={})
    for code in (500, 429):
        inner = Scripted(*statuses(code, 200), is_async=is_async)
        assert send(RetryingSender(3, inner, sleep=time.sleep), request).status_code == code
        inner = Scripted(*statuses(code, 200), is_async=is_async)
        sender = RetryingSender(3, inner, retry_all_methods=True, sleep=time.sleep)
        assert send(sender, request).status_code == 200
        inner = Scripted(*statuses(code, 200), is_async=is_async)
        sender = RetryingSender(3, inner, methods=["GET", "POST", "PATCH"], sleep=time.sleep)
        assert send(sender, request).status_code == 200
        keyed = Request(method, "http://a.test/", headers={"idempotency-key": "k"})
        inner = Scripted(*statuses(code, 200), is_async=is_async)
        assert send(RetryingSender(3, inner, sleep=time.sleep), keyed).status_code == 200


def test_errors_of_the_network(is_async: bool) -> None:
    time = Time()
    lost = ClientConnectionError("lost")
    inner = Scripted(*statuses(lost, lost, 200), is_async=is_async)
    assert send(RetryingSender(2, inner, sleep=time.sleep)).status_code == 200
    assert time.sleeps == [1, 2]
    with pytest.raises(ClientConnectionError):
        send(RetryingSender(1, Scripted(lost, is_async=is_async), sleep=time.sleep))
    with pytest.raises(ClientError):
        send(RetryingSender(1, Scripted(ClientError("no"), is_async=is_async), sleep=time.sleep))
    inner = Scripted(*statuses(LookupError(), 200), is_async=is_async)
    sender = RetryingSender(1, inner, retry_on=(LookupError,), sleep=time.sleep)
    assert send(sender).status_code == 200
    posted = Request("POST", "http://a.test/")
    with pytest.raises(ClientConnectionError):
        send(RetryingSender(3, Scripted(lost, is_async=is_async), sleep=time.sleep), posted)


def test_a_request_that_never_left_is_sent_again() -> None:
    time = Time()
    with SyncSender() as inner, socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
        with pytest.raises(ClientConnectionError):
            RetryingSender(2, inner, sleep=time.sleep).send(Request("POST", url))
    assert time.sleeps == [1, 2]


def test_each_attempt_begins_with_the_same_request(is_async: bool) -> None:
    """A client within changes what it gets, as tekore's do."""
    time = Time()
    seen = []

    class Api(Scripted):
        def _next(self, request: Request) -> Response:
            seen.append((request.url, dict(request.headers or {}), dict(request.params or {})))
            request.url = "http://b.test/v1/" + request.url
            assert request.headers is not None
            request.headers["Authorization"] = f"Bearer {len(seen)}"
            request.params = {**(request.params or {}), "n": len(seen)}
            return super()._next(request)

    lost = ClientConnectionError("lost")
    inner = Api(*statuses(500, 429, lost, 200), is_async=is_async)
    request = Request("GET", "tracks", {"a": 1}, {"X": "y"})
    assert send(RetryingSender(3, inner, sleep=time.sleep), request).status_code == 200
    assert seen == [("tracks", {"X": "y"}, {"a": 1})] * 4
    assert request.url == "http://b.test/v1/tracks"  # the first attempt is the caller's request


@pytest.mark.parametrize("failure", [500, 429, ClientConnectionError("lost")], ids=str)
def test_what_was_read_is_not_sent_again(failure: Any, is_async: bool) -> None:
    """An iterator would be empty, and a file at its end."""
    time = Time()
    for body in (iter([b"a"]), io.BytesIO(b"a")):
        inner = Scripted(*statuses(failure, 200), is_async=is_async)
        request = Request("PUT", "http://a.test/", content=body)  # type: ignore[arg-type]
        sender = RetryingSender(3, inner, retry_all_methods=True, sleep=time.sleep)
        if isinstance(failure, Exception):
            with pytest.raises(ClientConnectionError):
                send(sender, request)
        else:
            assert send(sender, request).status_code == failure
    assert time.sleeps == []


def test_limits() -> None:
    time = Time()
    sender = RetryingSender(9, Scripted(answer(429)), max_rate_limit_retries=3, sleep=time.sleep)
    assert send(sender).status_code == 429
    assert time.sleeps == [2, 2, 2]
    inner = Scripted(answer(429, Retry_After="99"))
    assert send(RetryingSender(9, inner, max_wait=60, sleep=time.sleep)).status_code == 429
    assert len(inner.asked) == 1
    time.sleeps.clear()
    send(RetryingSender(6, Scripted(answer(500)), max_wait=5, sleep=time.sleep))
    assert time.sleeps == [1, 2, 4, 5, 5, 5]


def test_jitter() -> None:
    time = Time()
    inner = Scripted(answer(500))
    send(RetryingSender(2, inner, jitter="full", random=lambda: 0.5, sleep=time.sleep))
    assert time.sleeps == [0.5, 1]
    time.sleeps.clear()
    send(RetryingSender(2, inner, jitter="equal", random=lambda: 0.5, sleep=time.sleep))
    assert time.sleeps == [0.75, 1.5]


def test_statuses_of_one_s_own() -> None:
    time = Time()
    inner = Scripted(*statuses(500, 200))
    sender = RetryingSender(3, inner, statuses=[418], sleep=time.sleep)
    assert send(sender).status_code == 500
    inner = Scripted(*statuses(418, 200))
    assert send(RetryingSender(3, inner, statuses=[418], sleep=time.sleep)).status_code == 200


def test_a_sleep_that_is_awaited() -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    inner = Scripted(*statuses(500, 200), is_async=True)
    assert send(RetryingSender(1, inner, sleep=sleep)).status_code == 200
    assert slept == [1]


@pytest.mark.rows("S001-09")
def test_repr_and_closing(is_async: bool) -> None:
    inner = Scripted(answer(), is_async=is_async)
    sender = RetryingSender(3, inner)
    assert repr(sender) == "RetryingSender(retries=3, sender=Scripted())"
    assert sender.is_async is is_async
    ending = sender.close()
    if ending is not None:
        asyncio.run(ending)  # type: ignore[arg-type]
    assert inner.closed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"retries": "3"}, "retries must be an int"),
        ({"retries": True}, "retries must be an int"),
        ({"max_rate_limit_retries": -1}, "max_rate_limit_retries=-1"),
        ({"jitter": "some"}, "jitter='some'"),
        ({"statuses": [1]}, "statuses"),
        ({"methods": "GET"}, "methods"),
        ({"max_wait": float("nan")}, "nan"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_arguments_that_are_none(arguments: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        RetryingSender(sender=Scripted(answer()), **arguments)
