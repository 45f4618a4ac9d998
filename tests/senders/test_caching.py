"""CachingSender: what tekore's keeps, and what it should have kept."""

import asyncio
import threading
from typing import Any

import pytest

from aioclient.senders import CachingSender, Request, Response

from .scripted import Scripted, Time, answer

URL = "http://a.test/x"


def get(url: str = URL, **more: Any) -> Request:
    return Request("GET", url, **more)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class Cache:
    """A sender in front of a script, and its clock."""

    def __init__(
        self, *answers: Any, is_async: bool = False, max_size: int | None = None, **options: Any
    ) -> None:
        self.time = Time()
        self.inner = Scripted(*answers, is_async=is_async)
        self.sender: Any = CachingSender(max_size, self.inner, clock=self.time, **options)

    def send(self, request: Request | None = None) -> Response:
        result = self.sender.send(get() if request is None else request)
        return asyncio.run(result) if self.sender.is_async else result

    @property
    def count(self) -> int:
        return len(self.inner.asked)


def fresh(number: int = 1, **fields: str) -> Response:
    return answer(200, {"number": number}, URL, Cache_Control="public, max-age=10", **fields)


def test_a_hit(is_async: bool) -> None:
    cache = Cache(fresh(), is_async=is_async)
    first, second = cache.send(), cache.send()
    assert cache.count == 1
    assert first == second
    second.content["number"] = 2
    second.headers["X"] = "changed"  # type: ignore[index]
    assert cache.send() == first
    cache.time.now += 10
    cache.send()
    assert cache.count == 2


def test_only_get_is_kept(is_async: bool) -> None:
    cache = Cache(fresh(), is_async=is_async)
    for method in ("POST", "HEAD", "get"):
        cache.send(Request(method, URL))
        cache.send(Request(method, URL))
    assert cache.count == 5


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"ETag": '"a"'},
        {"Cache_Control": "private, max-age=10"},
        {"Cache_Control": "no-store, max-age=10"},
        {"Cache_Control": "max-age=10", "Vary": "*"},
        {"Cache_Control": "max-age=10", "Vary": "A, *"},
        {"Cache_Control": "max-age=0"},
        {"Cache_Control": "max-age=nonsense"},
        {"Cache_Control": "max-age=10", "Age": "10"},
        {"Expires": "0"},
    ],
    ids=str,
)
def test_what_is_not_kept(fields: Any) -> None:
    cache = Cache(answer(200, **fields))
    cache.send()
    cache.send()
    assert cache.count == 2


@pytest.mark.parametrize("status", [206, 302, 307, 400, 404, 410, 500, 503])
def test_statuses_that_are_not_kept(status: int) -> None:
    told = {} if status in (302, 307) else {"Cache_Control": "public, max-age=10"}
    cache = Cache(answer(status, **told))
    cache.send()
    cache.send()
    assert cache.count == 2


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 302, 303, 307, 308])
def test_statuses_that_are_kept_when_told(status: int) -> None:
    cache = Cache(answer(status, Cache_Control="max-age=10"))
    cache.send()
    assert cache.send().status_code == status
    assert cache.count == 1


def test_s_maxage_expires_and_age() -> None:
    for fields in (
        {"Cache_Control": "max-age=0, s-maxage=10"},
        {"Date": "Mon, 12 Jan 1970 13:46:40 GMT", "Expires": "Mon, 12 Jan 1970 13:46:50 GMT"},
        {"Cache_Control": "max-age=20", "Age": "10"},
    ):
        cache = Cache(answer(200, **fields))
        cache.send()
        cache.time.now += 9
        cache.send()
        assert cache.count == 1
        cache.time.now += 1
        cache.send()
        assert cache.count == 2


def test_a_cache_of_one_s_own() -> None:
    cache = Cache(answer(200, Cache_Control="private, max-age=10"), shared=False)
    cache.send()
    cache.send()
    assert cache.count == 1


def test_heuristics() -> None:
    changed = {
        "Last_Modified": "Sun, 11 Jan 1970 13:46:40 GMT",
        "Date": "Mon, 12 Jan 1970 13:46:40 GMT",
    }
    cache = Cache(answer(200, **changed), heuristic=True)
    cache.send()
    cache.time.now += 8639
    cache.send()
    assert cache.count == 1
    cache.time.now += 2
    cache.send()
    assert cache.count == 2
    cache = Cache(answer(200, ETag='"a"'), answer(304, ETag='"a"'), heuristic=True)
    cache.send()
    assert cache.send().status_code == 200


@pytest.mark.parametrize("seconds", [11, -11, -1e6])
def test_a_clock_that_is_set(seconds: float) -> None:
    """What was fresh for 10 s is not fresh for longer because the clock was set back."""
    cache = Cache(fresh())
    cache.send()
    cache.time.now += seconds
    cache.send()
    assert cache.count == 2


class TestKeys:
    def test_params_and_query_are_one(self) -> None:
        cache = Cache(fresh())
        cache.send(get(params={"a": 1, "b": None}))
        cache.send(get(f"{URL}?a=1"))
        cache.send(get(f"{URL}?a=1", params={}))
        assert cache.count == 1
        cache.send(get(params={"a": 2}))
        assert cache.count == 2

    def test_vary(self, is_async: bool) -> None:
        cache = Cache(fresh(Vary="Accept-Language,  X-A"), is_async=is_async)
        for fields in (
            {"X-a": "1"},
            {"x-A": "1"},
            {"X-A": "1", "X-B": "2"},
            {"X-A": "2"},
            {},
            None,
            {"X-A": ""},
        ):
            cache.send(get(headers=fields))
        assert cache.count == 4  # 1, 2, none, empty
        cache.send(get(headers={"X-A": "1"}))
        assert cache.count == 4

    def test_logins_are_apart(self) -> None:
        cache = Cache(fresh())
        for token in ("a", "b", "a", "b"):
            cache.send(get(headers={"Authorization": f"Bearer {token}"}))
        assert cache.count == 2
        cache.send()
        assert cache.count == 3


class TestValidation:
    def test_with_an_etag(self, is_async: bool) -> None:
        newer = answer(304, ETag='"a"', Cache_Control="max-age=20", X_New="1")
        cache = Cache(fresh(ETag='"a"'), newer, is_async=is_async)
        request = get(headers={"A": "b"})
        cache.send(request)
        cache.time.now += 11
        second = cache.send(request)
        assert (second.status_code, second.content) == (200, {"number": 1})
        assert second.headers["x-new"] == "1"
        assert cache.inner.asked[1].headers == {"A": "b", "If-None-Match": '"a"'}
        assert request.headers == {"A": "b"}
        cache.time.now += 19
        assert cache.send(request).content == {"number": 1}
        assert cache.count == 2

    def test_with_a_date(self) -> None:
        date = "Mon, 12 Jan 1970 13:00:00 GMT"
        cache = Cache(fresh(Last_Modified=date), answer(304))
        cache.send()
        cache.time.now += 11
        assert cache.send().status_code == 200
        assert cache.inner.asked[1].headers == {"If-Modified-Since": date}

    def test_something_new(self) -> None:
        cache = Cache(fresh(1, ETag='"a"'), fresh(2, ETag='"b"'))
        cache.send()
        cache.time.now += 11
        assert cache.send().content == {"number": 2}
        assert cache.send().content == {"number": 2}
        assert cache.count == 2

    def test_something_new_that_is_not_kept(self) -> None:
        """It takes the place of what was kept, which is not asked for any more."""
        newer = answer(200, {"number": 2}, URL, Cache_Control="no-store")
        cache = Cache(fresh(1, ETag='"a"'), newer)
        cache.send()
        cache.time.now += 11
        assert cache.send().content == {"number": 2}
        cache.send()
        assert cache.inner.asked[2].headers is None

    def test_a_304_about_something_else(self) -> None:
        cache = Cache(fresh(1, ETag='"a"'), answer(304, ETag='"z"'), fresh(2, ETag='"z"'))
        cache.send()
        cache.time.now += 11
        assert cache.send().content == {"number": 2}
        assert cache.inner.asked[2].headers is None

    def test_no_cache_is_asked_for_each_time(self) -> None:
        kept = answer(200, {"number": 1}, URL, Cache_Control="no-cache, max-age=10", ETag='"a"')
        cache = Cache(kept, answer(304))
        cache.send()
        assert cache.send().content == {"number": 1}
        assert cache.send().content == {"number": 1}
        assert cache.count == 3

    def test_a_condition_of_the_caller_s(self) -> None:
        cache = Cache(fresh(ETag='"a"'), answer(304))
        cache.send()
        assert cache.send(get(headers={"If-None-Match": '"a"'})).status_code == 304

    def test_an_error_keeps_what_is_there(self) -> None:
        cache = Cache(fresh(ETag='"a"'), answer(500), answer(304))
        cache.send()
        cache.time.now += 11
        assert cache.send().status_code == 500
        assert cache.send().status_code == 200


def test_what_a_request_allows() -> None:
    cache = Cache(fresh())
    cache.send()
    cache.send(get(headers={"Cache-Control": "no-cache"}))
    assert cache.count == 2
    cache.time.now += 12
    cache.send(get(headers={"Cache-Control": "max-stale=5"}))
    assert cache.count == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_change_makes_it_invalid(method: str) -> None:
    cache = Cache(fresh(), fresh(), answer(201, Location="/y"), fresh())
    cache.send()
    cache.send(get("http://a.test/y"))
    cache.send(Request(method, URL))
    cache.send()
    cache.send(get("http://a.test/y"))
    assert cache.count == 5


def test_a_change_that_failed() -> None:
    cache = Cache(fresh(), answer(500))
    cache.send()
    cache.send(Request("POST", URL))
    cache.send()
    assert cache.count == 2


def test_a_change_by_a_client_within() -> None:
    """What counts is the URL that was asked for, not what becomes of it further in."""

    class Api(Scripted):
        def _next(self, request: Request) -> Response:
            request.url = "http://b.test/" + request.url
            return super()._next(request)

    inner = Api(fresh(), answer(204), fresh())
    sender: Any = CachingSender(sender=inner, clock=Time())
    sender.send(get("x"))
    sender.send(Request("DELETE", "x"))
    sender.send(get("x"))
    assert len(inner.asked) == 3


@pytest.mark.parametrize("how", ["clear", "other", "DELETE", "failed"])
def test_what_is_under_way_while_it_changes(how: str) -> None:
    """A response of before is returned to its caller, and not kept."""
    acts: list[Any] = [lambda: None]

    class Slow(Scripted):
        def _next(self, request: Request) -> Response:
            if request.method == "GET":
                acts.pop()()
            return super()._next(request)

    changed = answer(500 if how == "failed" else 204)
    inner = Slow(*(() if how == "clear" else (changed,)), fresh())
    sender: Any = CachingSender(sender=inner, clock=Time())
    url = "http://a.test/other" if how == "other" else URL
    acts.append(sender.clear if how == "clear" else lambda: sender.send(Request("DELETE", url)))
    assert sender.send(get()).content == {"number": 1}
    before = len(inner.asked)
    assert sender.send(get()).content == {"number": 1}
    assert len(inner.asked) - before == (0 if how in ("other", "failed") else 1)
    assert sender._fetches == set()


class TestSize:
    def send_all(self, cache: Cache, paths: str) -> list[str]:
        """Send requests for these paths; return those that reached the server."""
        before = cache.count
        for path in paths:
            cache.send(get(f"http://a.test/{path}"))
        return [request.url[-1] for request in cache.inner.asked[before:]]

    @pytest.mark.rows("S001-12")
    def test_the_least_recently_used_goes(self) -> None:
        cache = Cache(fresh(), max_size=2)
        assert cache.sender.max_size == 2
        assert self.send_all(cache, "abacb") == ["a", "b", "c", "b"]

    def test_a_stale_one_goes_first(self) -> None:
        cache = Cache(fresh(), max_size=2)
        self.send_all(cache, "ab")
        cache.time.now += 11
        self.send_all(cache, "b")  # fresh again, and used before a was
        assert self.send_all(cache, "cb") == ["c"]

    def test_one_that_can_be_asked_for_stays(self) -> None:
        cache = Cache(fresh(ETag='"a"'), fresh(), fresh(), answer(304), max_size=2)
        self.send_all(cache, "ab")
        cache.time.now += 11
        self.send_all(cache, "c")
        cache.send(get("http://a.test/a"))
        assert cache.inner.asked[-1].headers == {"If-None-Match": '"a"'}

    def test_none(self) -> None:
        cache = Cache(fresh(), max_size=0)
        assert self.send_all(cache, "aa") == ["a", "a"]

    def test_kept_again_after_a_304(self) -> None:
        cache = Cache(fresh(ETag='"a"'), answer(304), fresh(), max_size=1)
        cache.send()
        for _ in range(3):
            cache.time.now += 11
            cache.send()
        assert self.send_all(cache, "bcb") == ["b", "c", "b"]

    @pytest.mark.rows("S001-11")
    def test_clear(self, is_async: bool) -> None:
        cache = Cache(fresh(), is_async=is_async)
        cache.send()
        cache.sender.clear()
        cache.send()
        assert cache.count == 2


class TestAtTheSameTime:
    async def test_one_flight(self) -> None:
        go = asyncio.Event()
        asked = []

        class Slow(Scripted):
            async def _later(self, request: Request) -> Response:
                asked.append(request.url)
                await go.wait()
                return fresh()

        sender: Any = CachingSender(sender=Slow(fresh(), is_async=True))
        calls = [asyncio.create_task(sender.send(get())) for _ in range(20)]
        other = asyncio.create_task(sender.send(get("http://a.test/y")))
        while len(asked) < 2:
            await asyncio.sleep(0)
        go.set()
        answers = await asyncio.gather(*calls, other)
        assert sorted(asked) == [URL, "http://a.test/y"]
        assert len({id(each) for each in answers}) == 21

    async def test_a_leader_that_is_cancelled(self) -> None:
        go = asyncio.Event()
        asked = []

        class Slow(Scripted):
            async def _later(self, request: Request) -> Response:
                asked.append(request.url)
                await go.wait()
                return fresh()

        sender: Any = CachingSender(sender=Slow(fresh(), is_async=True))
        leader = asyncio.create_task(sender.send(get()))
        await asyncio.sleep(0)
        follower = asyncio.create_task(sender.send(get()))
        await asyncio.sleep(0)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        go.set()
        assert (await follower).content == {"number": 1}
        assert len(asked) == 2
        assert sender._flights == {}

    async def test_a_follower_that_is_cancelled(self) -> None:
        """It disturbs neither the leader nor the other followers."""
        go = asyncio.Event()

        class Slow(Scripted):
            async def _later(self, request: Request) -> Response:
                await go.wait()
                return fresh()

        sender: Any = CachingSender(sender=Slow(fresh(), is_async=True))
        calls = [asyncio.create_task(sender.send(get())) for _ in range(3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await calls[1]
        await asyncio.sleep(0)
        go.set()
        assert (await calls[0]).content == (await calls[2]).content == {"number": 1}
        assert sender._flights == {}

    def test_threads(self) -> None:
        begun, go = threading.Event(), threading.Event()
        asked = []

        class Slow(Scripted):
            def _next(self, request: Request) -> Response:
                asked.append(request.url)
                begun.set()
                go.wait()
                return fresh()

        sender: Any = CachingSender(sender=Slow(fresh()))
        answers: list[Response] = []
        threads = [
            threading.Thread(target=lambda: answers.append(sender.send(get()))) for _ in range(8)
        ]
        threads[0].start()
        begun.wait()
        for thread in threads[1:]:
            thread.start()
        go.set()
        for thread in threads:
            thread.join()
        assert len(asked) == 1
        assert len(answers) == 8

    async def test_a_copy_of_the_other_kind(self) -> None:
        """It has what is kept, and does not wait for a flight, which would never land: it blocks this event loop."""
        begun, go = asyncio.Event(), asyncio.Event()

        class Both(Scripted):
            async def _later(self, request: Request) -> Response:
                begun.set()
                await go.wait()
                return fresh(1)

            def as_sync(self) -> Any:
                return Scripted(fresh(2))

        sender: Any = CachingSender(sender=Both(fresh(), is_async=True), clock=Time())
        flight = asyncio.create_task(sender.send(get()))
        await begun.wait()
        blocking = sender.as_sync()
        assert blocking.send(get()).content == {"number": 2}
        go.set()
        assert (await flight).content == {"number": 1}

    @pytest.mark.rows("S001-15")
    def test_several_runs_of_event_loops(self) -> None:
        cache = Cache(fresh(), is_async=True)
        for _ in range(3):
            cache.send()
        assert cache.count == 1


@pytest.mark.rows("S001-10")
def test_repr() -> None:
    assert (
        repr(CachingSender(10, Scripted(answer())))
        == "CachingSender(max_size=10, sender=Scripted())"
    )
    assert (
        repr(CachingSender(sender=Scripted(answer())))
        == "CachingSender(max_size=None, sender=Scripted())"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_size": "3"}, "max_size must be an int"),
        ({"max_size": -1}, "max_size=-1"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_arguments_that_are_none(arguments: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        CachingSender(sender=Scripted(answer()), **arguments)
