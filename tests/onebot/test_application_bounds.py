"""What an application remembers and holds is bounded, whatever implementations send."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import WSMsgType

from aioclient import ClientSession, ReconnectPolicy
from aioclient.onebot import (
    BotSelf,
    DisconnectedError,
    Event,
    OneBotClient,
    WebhookReceiver,
    WebSocketReceiver,
)
from aioclient.onebot.application import bots as bots_module
from aioclient.onebot.application import events as events_module
from aioclient.onebot.application import handlers as handlers_module
from aioclient.onebot.application import webhook as webhook_module
from aioclient.onebot.application.bots import KnownBots
from aioclient.onebot.application.events import Bounds, EventStream
from aioclient.onebot.application.seen import SeenEvents
from aioclient.onebot.events import parse_event

from .peers import Peer, bot, connect, private, status_update, websocket

pytestmark = pytest.mark.both_loops


class TestIds:
    def test_the_oldest_are_forgotten(self) -> None:
        """As many ids are remembered as it says, the newest."""
        seen = SeenEvents(3)
        events = [parse_event(private(id=str(number))) for number in range(5)]
        for event in events:
            assert not seen.has("a", event)
            seen.add("a", event)
        assert [seen.has("a", event) for event in events] == [False, False, True, True, True]
        assert not seen.has("b", events[-1])

    def test_long_ones(self) -> None:
        """An id of any length takes the memory of a short one."""
        seen = SeenEvents()
        long, other = (parse_event(private(id="x" * 10**6 + end)) for end in "ab")
        seen.add("a", long)
        assert seen.has("a", long)
        assert not seen.has("a", other)
        assert [len(name) for _, _, name in seen._keys] == [32]


class TestBots:
    def test_how_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of one connection at most 10,000 are remembered, from events and from statuses."""
        assert bots_module.MOST_BOTS == 10_000
        monkeypatch.setattr(bots_module, "MOST_BOTS", 3)
        known = KnownBots(OneBotClient("ws://127.0.0.1/"))
        for number in range(5):
            learned = known.learn(parse_event(private(self=bot(str(number)))))
            assert (learned is None) == (number >= 3)
        assert [each.user_id for each in known] == ["0", "1", "2"]
        known.learn(parse_event(status_update(*(bot(str(number)) for number in range(5, 10)))))
        assert [each.user_id for each in known] == ["5", "6", "7"]

    async def test_sources_of_webhooks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of many implementations the bots of those that sent last are known."""
        assert webhook_module.MOST_SOURCES == 1_000
        monkeypatch.setattr(webhook_module, "MOST_SOURCES", 2)
        async with WebhookReceiver(port=0) as receiver, ClientSession() as session:
            for name in ("a", "b", "a", "c"):
                headers = {
                    "X-Impl": name,
                    "X-OneBot-Version": "12",
                    "Content-Type": "application/json",
                }
                body = json.dumps(private(self=bot(name)))
                url = f"http://127.0.0.1:{receiver.port}/"
                async with session.post(url, data=body, headers=headers) as response:
                    assert response.status == 204
            assert [each.user_id for each in receiver.bots] == ["a", "c"]


class TestHandlers:
    async def test_how_many_wait(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Of events that wait for handlers the oldest are dropped beyond the bound, with a line in the log."""
        assert events_module.MOST == (10_000, 64 * 2**20)
        monkeypatch.setattr(events_module, "MOST", Bounds(3, 1000))
        monkeypatch.setattr(handlers_module, "MOST_RUNNING", 1)
        release, ran = asyncio.Event(), []

        async def carry_out(bot: Any, request: Any) -> object:
            raise AssertionError

        async def handler(event: Event, bot: Any) -> None:
            await release.wait()
            ran.append(event.id)

        stream = EventStream(lambda: "peer", carry_out)
        stream.on((), handler)
        for number in range(10):
            stream.put(parse_event(private(id=str(number))), None, 10)
        assert stream.handlers.waiting == 3
        stream.put(parse_event(private(id="large")), None, 995)
        assert (stream.handlers.waiting, stream.handlers.waiting_bytes) == (1, 995)
        assert "peer: 3 events wait for a slow reader; the oldest are dropped" in caplog.text
        release.set()
        while len(ran) < 2:
            await asyncio.sleep(0)
        assert ran == ["0", "large"]
        await stream.close()


class TestPauses:
    @pytest.mark.virtual_clock
    async def test_each_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Reading pauses for ten seconds when a queue is full, once; and again when there was room meanwhile."""
        monkeypatch.setattr(events_module, "ROOM", Bounds(2, 1000))

        async def carry_out(bot: Any, request: Any) -> object:
            raise AssertionError

        stream = EventStream(lambda: "peer", carry_out)
        events = stream.events(())
        clock = asyncio.get_running_loop().time
        for _ in range(3):
            for _ in range(2):
                stream.put(parse_event(private()), None, 10)
            for seconds in (10, 0, 0):
                began = clock()
                await stream.wait_room()
                assert clock() - began == pytest.approx(seconds, abs=0.1)
            for _ in range(2):
                await anext(events)
            await stream.wait_room()
        await events.aclose()
        await stream.close()


class TestSockets:
    async def test_garbage_now_and_then(self) -> None:
        """Only ten messages in a row that cannot be read end a socket."""

        async def script(peer: Peer) -> None:
            await peer.hello()
            for number in range(5):
                for _ in range(9):
                    await peer.ws.send_str("garbage")
                await peer.send(private(id=str(number)))
            await peer.answering()

        async with websocket(script) as server, OneBotClient(server.url) as app:
            events = app.events("message")
            assert [(await anext(events)).id for _ in range(5)] == list("01234")
            await app.call("a")
            assert len(server.requests) == 1

    async def test_bots_of_the_last_connection(self) -> None:
        """The bots of a connection are forgotten with it."""

        async def first(peer: Peer) -> None:
            await peer.hello()
            await peer.request()

        async def second(peer: Peer) -> None:
            await peer.send(connect())
            await peer.answering()

        soon = ReconnectPolicy(initial=1e-6, max_delay=1e-6, close_codes=range(1000, 5000))
        async with (
            websocket(first, second) as server,
            OneBotClient(server.url, reconnect=soon) as app,
        ):
            await anext(app.events("meta.status_update"))
            assert [each.user_id for each in app.bots] == ["10001"]
            with pytest.raises(DisconnectedError):
                await app.call("a")
            await app.call("b")
            assert app.bots == ()

    @pytest.mark.virtual_clock
    async def test_an_implementation_that_is_gone(self) -> None:
        """A reverse WebSocket whose peer answers no pings for 30 s is given up, and its bots are gone."""
        async with WebSocketReceiver(port=0) as receiver, ClientSession() as session:
            url = f"ws://127.0.0.1:{receiver.port}/"
            ws = await session.ws_connect(url, autoping=False)
            await ws.send_json(connect())
            await ws.send_json(status_update(bot("1")))
            await anext(receiver.events("meta.status_update"))
            assert receiver.bots == (BotSelf("qq", "1"),)
            clock = asyncio.get_running_loop().time
            began = clock()
            while (await ws.receive()).type in (WSMsgType.PING, WSMsgType.PONG):
                pass
            while receiver.connections:
                await asyncio.sleep(0)
            assert clock() - began <= 31
            assert receiver.bots == ()
            await ws.close()
