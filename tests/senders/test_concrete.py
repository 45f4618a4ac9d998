"""SyncSender and AsyncSender on real sockets: what goes out, what comes back, who closes."""

import asyncio
import gc
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import aioclient
from aioclient.senders import (
    AsyncSender,
    CachingSender,
    ExtendingSender,
    Request,
    Response,
    RetryingSender,
    Sender,
    SyncSender,
)
from aioclient.sync.portal import PORTAL
from tests.servers.proxies import LOGIN, Tinyproxy
from tests.sync.conftest import Server

from .scripted import Scripted, answer


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def both(request: Request, **arguments: Any) -> list[Response]:
    """Send *request* by either kind of sender; return what each got."""
    with SyncSender(**arguments) as blocking:
        first = blocking.send(request)

    async def main() -> Response:
        async with AsyncSender(**arguments) as sender:
            return await sender.send(request)

    return [first, asyncio.run(main())]


@pytest.mark.rows("S001-01", "S001-02", "S001-04", "S001-05")
def test_a_request_of_each_form(server: Server) -> None:
    url = f"{server.url}/echo"
    for request, kind, body in (
        (Request("GET", url, {"a": 1, "gone": None}, {"X": "y"}), None, ""),
        (Request("POST", url, data={"a": "b"}), "application/x-www-form-urlencoded", "a=b"),
        (Request("PUT", url, json=[1]), "application/json", "[1]"),
        (Request("POST", url, content="raw"), "text/plain; charset=utf-8", "raw"),
        (Request("POST", url, content=b"raw"), "application/octet-stream", "raw"),
        (Request("POST", url, headers={"content-type": "a/b"}, content="r"), "a/b", "r"),
    ):
        for response in both(request):
            got = response.content
            headers = {name.lower(): value for name, value in got["headers"].items()}
            assert got["method"] == request.method
            assert (headers.get("content-type"), got["body"]) == (kind, body)
            assert response.status_code == 200
            assert response.ok
            assert response.json() == got
            assert response.text == response.raw.decode()
            assert response.headers["CONTENT-TYPE"].startswith("application/json")
    for response in both(Request("GET", f"{url}?q=0", {"a": 1}, {"X": "y"})):
        assert response.url == f"{url}?q=0&a=1"
        assert response.content["headers"]["X"] == "y"
    for response in both(Request("GET", f"{url}?q=0", params={})):
        assert response.url == f"{url}?q=0"


def test_bodies_that_are_no_json(server: Server) -> None:
    for response in both(Request("GET", f"{server.url}/lines")):
        assert response.content is None
        assert response.text.startswith("one")
    for response in both(Request("GET", f"{server.url}/status?code=404")):
        assert response.status_code == 404
        assert not response.ok


def test_redirects_are_returned(server: Server) -> None:
    request = Request("HEAD", f"{server.url}/moved?status=307&to=/echo")
    for response in both(request):
        assert response.status_code == 307
        assert response.headers["location"] == "/echo"
    for response in both(Request("GET", request.url), follow_redirects=True):
        assert response.status_code == 200
        assert response.url == f"{server.url}/echo"


def test_two_bodies(server: Server) -> None:
    with pytest.raises(ValueError, match="one of data, json and content"):
        both(Request("POST", server.url, json={}, content="x"))


@pytest.mark.rows("S001-06")
def test_arguments_of_the_client(server: Server) -> None:
    url = f"{server.origin}/echo"
    for response in both(Request("GET", url), proxies={"http": None}, headers={"X": "y"}):
        assert response.content["headers"]["X"] == "y"
    for kind in (SyncSender, AsyncSender):
        with pytest.raises(TypeError, match="not both"):
            kind(object(), proxies={})
    with pytest.raises(TypeError, match="nonsense"):
        SyncSender(nonsense=1)


class TestClients:
    def test_of_this_library(self, server: Server) -> None:
        with aioclient.Session(headers={"X": "y"}) as session:
            sender = SyncSender(session)
            assert sender.client is session
            with sender:
                response = sender.send(Request("GET", f"{server.url}/echo"))
                assert response.content["headers"]["X"] == "y"
            assert not session.closed
            sender.close()
            assert session.closed

        async def main() -> None:
            async with aioclient.ClientSession(headers={"X": "y"}) as session:
                sender = AsyncSender(session)
                assert sender.client is session
                async with sender:
                    response = await sender.send(Request("GET", f"{server.url}/echo"))
                    assert response.content["headers"]["X"] == "y"
                assert not session.closed
                await sender.close()
                assert session.closed

        asyncio.run(main())

    def test_of_httpx(self, server: Server) -> None:
        request = Request("POST", f"{server.url}/echo", {"a": 1}, {"X": "y"}, content="raw")
        sender = SyncSender(httpx.Client())
        response = sender.send(request)
        assert (
            response.content["headers"]["x" if "x" in response.content["headers"] else "X"] == "y"
        )
        assert response.content["body"] == "raw"
        assert response.url == f"{server.url}/echo?a=1"
        sender.close()
        assert sender.client.is_closed

        async def main() -> None:
            sender = AsyncSender(httpx.AsyncClient())
            response = await sender.send(request)
            assert response.content["body"] == "raw"
            await sender.close()
            assert sender.client.is_closed

        asyncio.run(main())

    def test_of_requests(self, server: Server) -> None:
        import requests

        sender = SyncSender(requests.Session())
        response = sender.send(Request("POST", f"{server.url}/echo", content="raw"))
        assert response.content["body"] == "raw"
        response = sender.send(Request("GET", f"{server.url}/moved?status=302&to=/echo"))
        assert response.status_code == 302
        sender.close()

    def test_of_httpx_with_arguments_of_its_own(self, server: Server) -> None:
        """A subclass may hand on what it does not name."""

        class Mine(httpx.Client):
            def request(self, method: str, url: Any, **more: Any) -> httpx.Response:  # type: ignore[override]
                return super().request(method, url, **more)

        sender = SyncSender(Mine())
        response = sender.send(Request("POST", f"{server.url}/echo", content="raw"))
        assert response.content["body"] == "raw"
        sender.close()

    @pytest.mark.parametrize("client", ["text", 3, object(), httpx.Client, aioclient.Session])
    def test_that_are_none(self, client: Any) -> None:
        for kind in (SyncSender, AsyncSender):
            with pytest.raises(TypeError, match=r"with a request\(\) method"):
                kind(client)

    async def test_of_the_other_kind(self) -> None:
        async with httpx.AsyncClient() as client, aioclient.ClientSession() as session:
            for each in (client, session):
                with pytest.raises(TypeError, match="give it to AsyncSender"):
                    SyncSender(each)
        with httpx.Client() as blocking, aioclient.Session() as session_too:
            for other in (blocking, session_too):
                with pytest.raises(TypeError, match="give it to SyncSender"):
                    AsyncSender(other)

    def test_that_return_something_else(self) -> None:
        class Wrong:
            def request(self, **arguments: Any) -> int:
                return 3

        with pytest.raises(TypeError, match="returned int"):
            SyncSender(Wrong()).send(Request("GET", "http://a.test/"))


@pytest.mark.rows("S001-06")
def test_proxies(server: Server, tinyproxy: Tinyproxy) -> None:
    """As tekore's documentation has them, by scheme."""
    proxy = f"http://{LOGIN[0]}:{LOGIN[1]}@127.0.0.1:{tinyproxy.ports['port']}"
    request = Request("GET", f"{server.origin}/echo")
    for response in both(request, proxies={"http": proxy, "https": proxy}):
        assert "Via" in response.content["headers"]
    for response in both(request):
        assert "Via" not in response.content["headers"]


async def test_within_a_running_event_loop(server: Server) -> None:
    """It blocks that loop, and says so, once."""
    with SyncSender() as sender:
        with pytest.warns(RuntimeWarning, match=r"SyncSender\(\) blocks the event loop") as caught:
            assert sender.send(Request("GET", f"{server.url}/echo")).ok
        assert caught[0].filename == __file__
        assert sender.send(Request("GET", f"{server.url}/echo")).ok


class TestTheEnd:
    @pytest.mark.rows("S001-07")
    def test_one_that_was_left_open(self) -> None:
        sender = SyncSender()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del sender
            gc.collect()
        assert [each.category for each in caught] == [ResourceWarning]
        assert "unclosed SyncSender()" in str(caught[0].message)

    def test_one_that_is_dropped_by_the_thread_of_the_loop(self) -> None:
        """Garbage is collected on any thread, and that one must not wait for itself."""

        async def collect() -> None:
            gc.collect()

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cycle: list[object] = [SyncSender()]
            cycle.append(cycle)
            del cycle
            PORTAL.run(collect())
        assert [each.category for each in caught] == [ResourceWarning]

    @pytest.mark.rows("S001-15")
    def test_one_asynchronous_sender_in_several_loops(self, server: Server) -> None:
        sender = AsyncSender()
        kept = []

        async def main() -> None:
            assert sender.client is None
            assert (await sender.send(Request("GET", f"{server.url}/echo"))).ok
            kept.append(sender.client)

        asyncio.run(main())
        asyncio.run(main())
        assert kept[0] is not kept[1]
        assert all(each.closed for each in kept)

    async def test_closed_twice_and_used_again(self, server: Server) -> None:
        sender = AsyncSender()
        await sender.close()
        async with sender:
            await sender.send(Request("GET", f"{server.url}/echo"))
        await sender.close()
        assert sender.client is None

    def test_blocks_of_the_other_kind(self) -> None:
        with pytest.raises(TypeError, match="use 'async with'"), AsyncSender():
            pass

        async def main() -> None:
            with SyncSender() as sender, pytest.raises(TypeError, match="use 'with'"):
                async with sender:
                    pass

        asyncio.run(main())

    def test_a_chain_leaves_open_what_it_was_given(self) -> None:
        with aioclient.Session() as session:
            with RetryingSender(1, CachingSender(1, SyncSender(session))):
                pass
            assert not session.closed


@pytest.mark.rows("S001-03")
def test_the_base_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Sender()  # type: ignore[abstract]
    with SyncSender() as sender:
        assert repr(sender) == "SyncSender()"
        assert not sender.is_async
    assert repr(AsyncSender()) == "AsyncSender()"
    assert AsyncSender().is_async


@pytest.mark.rows("S001-08", "S001-16")
def test_chains() -> None:
    sender = RetryingSender(3, CachingSender(10, SyncSender()))
    assert repr(sender) == (
        "RetryingSender(retries=3, sender=CachingSender(max_size=10, sender=SyncSender()))"
    )
    sender.close()
    for kind in (ExtendingSender, RetryingSender, CachingSender):
        with kind() as made:
            assert isinstance(made.sender, SyncSender)
            assert not made.is_async

    class Falsy(Scripted):
        def __bool__(self) -> bool:
            return False

    falsy = Falsy(answer())
    assert ExtendingSender(falsy).sender is falsy
    assert ExtendingSender(falsy).send(Request("GET", "http://a.test/")).ok


def test_a_chain_of_the_other_kind() -> None:
    chain = RetryingSender(3, CachingSender(10, AsyncSender(headers={"a": "b"})))
    blocking = chain.as_sync()
    assert repr(blocking) == (
        "RetryingSender(retries=3, sender=CachingSender(max_size=10, sender=SyncSender()))"
    )
    assert blocking.as_sync() is blocking
    assert chain.as_async() is chain
    back = blocking.as_async()
    assert back.is_async
    assert repr(back) == repr(chain)
    blocking.close()
    for wrong in (Scripted(answer()), Scripted(answer(), is_async=True)):
        with pytest.raises(TypeError, match="does not say"):
            (wrong.as_sync if wrong.is_async else wrong.as_async)()
