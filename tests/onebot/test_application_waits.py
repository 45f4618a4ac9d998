"""How long an application waits, on a clock that jumps."""

import asyncio
import itertools
from typing import Any

import pytest
from aiohttp import web

from aioclient import ClientSession
from aioclient.onebot import CallTimeoutError, OneBotClient, WebhookReceiver, WebSocketReceiver
from aioclient.testing import refused_port, silent_port, turns

from .peers import (
    Peer,
    Plain,
    bot,
    connect,
    event,
    failed,
    http,
    ok,
    private,
    status_update,
    websocket,
)

pytestmark = pytest.mark.virtual_clock


def now() -> float:
    return asyncio.get_running_loop().time()


async def silent(peer: Peer) -> None:
    await peer.hello()
    await peer.until_closed()


async def never(request: Plain) -> Plain:
    await asyncio.Event().wait()
    return request


class TestCalls:
    """No call waits for ever."""

    async def test_websocket(self) -> None:
        """A call without an answer ends after 30 s; the socket stays open."""
        async with websocket(silent) as server, OneBotClient(server.url) as app:
            await anext(app.events())
            begin = now()
            with pytest.raises(CallTimeoutError) as caught:
                await app.call("a")
            assert now() - begin == pytest.approx(30, abs=0.1)
            assert str(caught.value) == f"{server.url}: a: no answer came within timeout=30 s"
            assert isinstance(caught.value, TimeoutError)
            assert app.is_connected
            assert len(server.requests) == 1

    async def test_a_limit_for_one_call(self) -> None:
        """``timeout=`` of a call takes the place of the client's; None is no limit."""
        async with websocket(silent) as server, OneBotClient(server.url, timeout=5) as app:
            await anext(app.events())
            for given, seconds in (({}, 5), ({"timeout": 2}, 2)):
                begin = now()
                with pytest.raises(CallTimeoutError):
                    await app.call("a", **given)  # type: ignore[arg-type]
                assert now() - begin == pytest.approx(seconds, abs=0.1)
            begin = now()
            with pytest.raises(CallTimeoutError):
                await app.get_status(timeout=3)
            assert now() - begin == pytest.approx(3, abs=0.1)
            (known,) = app.bots
            with pytest.raises(CallTimeoutError):
                await known.call("a", timeout=4)
            assert now() - begin == pytest.approx(7, abs=0.1)
            task = asyncio.ensure_future(app.call("a", timeout=None))
            await asyncio.sleep(10_000)
            assert not task.done()
            task.cancel()

    async def test_no_connection(self) -> None:
        """The wait for a connection counts, and its error is the cause."""
        with refused_port() as port:
            async with OneBotClient(f"ws://127.0.0.1:{port}/", timeout=100) as app:
                begin = now()
                with pytest.raises(
                    CallTimeoutError, match="there was no connection within"
                ) as caught:
                    await app.call("a")
                assert now() - begin == pytest.approx(100, abs=0.1)
                assert isinstance(caught.value.__cause__, ConnectionRefusedError | OSError)

    async def test_a_silent_handshake(self) -> None:
        """A handshake has the same limit."""
        with silent_port() as port:
            async with OneBotClient(f"ws://127.0.0.1:{port}/", timeout=3) as app:
                with pytest.raises(CallTimeoutError):
                    await app.call("a")

    async def test_http(self) -> None:
        """So does a call by HTTP."""
        async with http(never) as server, OneBotClient(server.url) as app:
            begin = now()
            with pytest.raises(CallTimeoutError, match="a: no answer came within timeout=30 s"):
                await app.call("a")
            assert now() - begin == pytest.approx(30, abs=0.1)

    async def test_a_late_answer(self) -> None:
        """An answer that comes after the limit is left out."""

        async def script(peer: Peer) -> None:
            request = await peer.request()
            second = await peer.request()
            await peer.send(ok(request, "late"), ok(second, "right"))
            await peer.until_closed()

        async with websocket(script) as server, OneBotClient(server.url, timeout=1) as app:
            with pytest.raises(CallTimeoutError):
                await app.call("a")
            assert await app.call("b") == "right"


class TestReconnecting:
    """The waits between attempts."""

    async def test_backoff(self) -> None:
        """They grow from 1 s to 30 s, less up to a half."""
        statuses = dict.fromkeys(range(8), 503)
        async with websocket(silent, statuses=statuses) as server:
            async with OneBotClient(server.url) as app:
                begin = now()
                await anext(app.events())
                assert 45 < now() - begin <= 1 + 2 + 4 + 8 + 16 + 30 + 30 + 30
            assert len(server.requests) == 9

    async def test_a_dead_peer(self) -> None:
        """A connection without a sign of life for 30 s is given up, and made again."""

        async def script(peer: Peer) -> None:
            if peer.index == 0:
                await peer.send(private())
                # Nobody reads here, so that pings are not answered.
                await asyncio.sleep(1000)
                return
            await silent(peer)

        async with websocket(script) as server, OneBotClient(server.url) as app:
            events = app.events()
            await anext(events)
            begin = now()
            assert (await anext(events)).detail_type == "connect"
            assert 30 <= now() - begin < 33


class TestPolling:
    """When events are fetched by HTTP."""

    async def test_the_limit_of_a_request(self) -> None:
        """A request has the seconds of the poll and those of a call; then the next one is sent."""
        async with (
            http(never, lambda request: ok(request, [private()]), never) as server,
            OneBotClient(server.url, timeout=5, poll_seconds=20) as app,
        ):
            begin = now()
            await anext(app.events())
            assert 25.5 <= now() - begin <= 26.1

    async def test_implementations_that_do_not_wait(self) -> None:
        """One that answers at once without events is asked once a second."""
        async with http(lambda request: ok(request, [])) as server, OneBotClient(server.url) as app:
            events = app.events()
            await asyncio.sleep(10.5)
            assert 10 <= len(server.requests) <= 12
            await events.aclose()

    async def test_backoff(self) -> None:
        """After a failure the next request waits 1 to 30 s, and 1 s again after a success."""
        times: list[float] = []

        def answer(request: Plain) -> Any:
            times.append(now())
            if len(times) == 6:
                return ok(request, [private()])
            kinds: list[Any] = [
                web.Response(status=503),
                failed(request, 20002),
                web.Response(text="{", content_type="application/json"),
                ok(request, {}),
                ok(request, None),
            ]
            return kinds[len(times) % 5]

        async with http(answer) as server, OneBotClient(server.url) as app:
            events = app.events()
            await anext(events)
            await asyncio.sleep(2)
            waits = [later - earlier for earlier, later in itertools.pairwise(times)]
            for wait, longest in zip(waits[:5], (1, 2, 4, 8, 16), strict=True):
                assert longest / 2 <= wait <= longest + 0.1
            assert waits[5] < 1.1

    async def test_a_server_that_is_gone(self) -> None:
        """A refused connection is tried again, for ever."""
        with refused_port() as port:
            async with OneBotClient(f"http://127.0.0.1:{port}/") as app:
                task = asyncio.ensure_future(anext(app.events()))
                await asyncio.sleep(3600)
                assert not task.done()
                task.cancel()

    async def test_it_pauses_while_nobody_listens(self) -> None:
        """When the last iterator is closed no more events are fetched, until there is one again."""
        async with http(lambda request: ok(request, [])) as server, OneBotClient(server.url) as app:
            async with app.events():
                await asyncio.sleep(3.5)
            count = len(server.requests)
            await asyncio.sleep(100)
            assert len(server.requests) <= count + 1
            async with app.events():
                await asyncio.sleep(3.5)
                assert len(server.requests) >= count + 3


class TestSlowReaders:
    """What happens when nobody takes the events of an iterator."""

    async def test_reading_pauses_for_ten_seconds(self, caplog: pytest.LogCaptureFixture) -> None:
        """Then it continues, so that the peer's pings are answered; past 10,000 the oldest is dropped, and logged."""

        async def script(peer: Peer) -> None:
            for number in range(12_000):
                await peer.send(
                    event("notice.x", id=f"f{number}", self={"platform": "qq", "user_id": "1"})
                )
            await peer.answering()

        async with websocket(script) as server, OneBotClient(server.url) as app:
            slow = app.events()
            begin = now()
            await asyncio.sleep(9)
            assert "1000 waiting" in repr(slow)
            await asyncio.sleep(2)
            await turns(1000)
            while "10000 waiting" not in repr(slow):
                await asyncio.sleep(0.001)
            await app.call("a")
            assert now() - begin < 30
            assert (await anext(slow)).id == "f2000"
            for _ in range(9_999):
                last = await anext(slow)
            assert last.id == "f11999"
            await app.call("a")
            lines = [record.getMessage().partition(": ")[2] for record in caplog.records]
            assert lines == [
                "no event was taken for 10 s, and 1000 wait; reading continues",
                "10000 events wait for a slow reader; the oldest are dropped",
                "2000 events were dropped",
            ]


class TestReceivers:
    """The limits of those that implementations connect to."""

    async def test_a_missing_connect_event(self) -> None:
        """A reverse WebSocket that sends nothing is closed with 1008 after 10 s."""
        async with WebSocketReceiver(port=0) as receiver, ClientSession() as session:
            begin = now()
            async with session.ws_connect(f"ws://127.0.0.1:{receiver.port}/") as ws:
                await ws.receive()
                assert (ws.close_code, ws.close_reason) == (
                    1008,
                    "the first event must be meta.connect",
                )
                assert now() - begin == pytest.approx(10, abs=0.1)

    async def test_a_call(self) -> None:
        """A call of a receiver has a limit of 30 s, too."""
        async with (
            WebSocketReceiver(port=0) as receiver,
            ClientSession() as session,
            session.ws_connect(f"ws://127.0.0.1:{receiver.port}/") as ws,
        ):
            events = receiver.events()
            await ws.send_json(connect())
            await ws.send_json(status_update(bot("1")))
            await anext(events)
            await anext(events)
            begin = now()
            with pytest.raises(
                CallTimeoutError, match=r"'peer' at 127\.0\.0\.1: a: no answer came"
            ):
                await receiver.bots[0].call("a")
            assert now() - begin == pytest.approx(30, abs=0.1)

    async def test_a_slow_handler_of_a_webhook(self) -> None:
        """The answer is sent after 4 s without it; what it returns then is in the answer to the next event."""
        fields = {"X-Impl": "peer", "X-OneBot-Version": "12"}
        async with WebhookReceiver(port=0) as receiver, ClientSession(headers=fields) as session:
            url = f"http://127.0.0.1:{receiver.port}/"

            @receiver.on("message")
            async def slow(event: object, bot: object) -> object:
                await asyncio.sleep(10)
                return {"action": "a", "params": {}}

            begin = now()
            async with session.post(url, json=private()) as response:
                assert response.status == 204
            assert now() - begin == pytest.approx(4, abs=0.1)
            await asyncio.sleep(7)
            async with session.post(url, json=event("meta.heartbeat", interval=5)) as response:
                assert response.status == 200
                assert [action["action"] for action in await response.json()] == ["a"]

    async def test_a_full_webhook(self) -> None:
        """While 1,000 events wait an event is answered with 503 after 4 s, and taken when it comes again."""
        fields = {"X-Impl": "peer", "X-OneBot-Version": "12"}
        async with WebhookReceiver(port=0) as receiver, ClientSession(headers=fields) as session:
            url = f"http://127.0.0.1:{receiver.port}/"
            events = receiver.events()
            for _ in range(1000):
                async with session.post(url, json=private()) as response:
                    assert response.status == 204
            begin, more = now(), private(id="more")
            async with session.post(url, json=more) as response:
                assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert now() - begin == pytest.approx(4, abs=0.1)
            waiting = asyncio.ensure_future(session.post(url, json=more))
            await asyncio.sleep(1)
            await anext(events)
            response = await waiting
            assert response.status == 204
            for _ in range(1000):
                last = await anext(events)
            assert last.id == "more"
