"""What surrounds a server: proxies' fields, a clock that is set, and many peers of which one is bad."""

import asyncio
import itertools
import json
from typing import Any

import pytest

from aioclient import ClientSession, HandshakeRefusedError
from aioclient.onebot import OneBotClient, Peer, WebhookReceiver, WebSocketReceiver
from aioclient.onebot.implementation import HTTPWebhook, WebSocketReverse

from .applications import HOST, MESSAGE, http, make, websocket

pytestmark = [pytest.mark.both_loops, pytest.mark.rows("SRV-01")]

FORGED = {
    "X-Forwarded-For": "192.0.2.1",
    "X-Real-IP": "192.0.2.1",
    "Forwarded": "for=192.0.2.1;host=other.example;proto=https",
    "X-Forwarded-Host": "other.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/onebot",
    "X-HTTP-Method-Override": "DELETE",
    "X-Original-URL": "/other",
    "Host": "other.example",
}


class TestFieldsOfProxies:
    """Anybody can write them: they decide nothing."""

    async def test_the_address_of_a_peer(self) -> None:
        """It is the one that the socket has."""
        seen: list[Peer] = []
        connection = websocket(on_connect=seen.append)
        async with (
            make(connection),
            ClientSession(headers=FORGED) as session,
            session.ws_connect(f"ws://{HOST}:{connection.port}/") as ws,
        ):
            await ws.receive()
            while not seen:
                await asyncio.sleep(0)
        assert seen[0].address == HOST

    @pytest.mark.parametrize("origin", ["https://a.example", "null", f"http://{HOST}", ""])
    async def test_a_page_behind_one(self, origin: str) -> None:
        """A page in a browser is refused without a token, wherever it says to come from; so is a wrong token."""
        open_one, guarded, poll = websocket(), websocket(access_token="t"), http()
        async with make(open_one, guarded, poll), ClientSession(headers=FORGED) as session:
            refused = {
                open_one: {"Origin": origin},
                guarded: {"X-Access-Token": "t", "Cookie": "access_token=t", "Origin": origin},
            }
            for connection, headers in refused.items():
                with pytest.raises(HandshakeRefusedError) as caught:
                    await session.ws_connect(f"ws://{HOST}:{connection.port}/", headers=headers)
                assert caught.value.status == (403 if connection is open_one else 401)
            url = f"http://{HOST}:{poll.port}/"
            body = {"action": "get_version", "params": {}}
            async with session.post(url, json=body, headers={"Origin": origin}) as response:
                assert response.status == 403
            async with session.post(url, json=body) as response:
                assert response.status == 200

    @pytest.mark.parametrize("receiver", [WebhookReceiver, WebSocketReceiver])
    async def test_receivers(self, receiver: Any) -> None:
        """So it is with receivers of an application."""
        async with receiver(port=0) as app, ClientSession(headers=FORGED) as session:
            method = "POST" if receiver is WebhookReceiver else "GET"
            url = f"http://{HOST}:{app.port}/"
            async with session.request(method, url, headers={"Origin": "null"}) as response:
                assert response.status == 403


class TestClock:
    @pytest.mark.parametrize("step", [-3600.0, 3600.0, float(2**40)])
    async def test_it_is_set(self, step: float, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever sets the clock of the machine, meanwhile or again and again, delays no event and no answer."""
        times = itertools.count(1_700_000_000.0, step)
        monkeypatch.setattr("time.time", lambda: next(times))
        async with WebSocketReceiver(port=0) as sockets, WebhookReceiver(port=0) as hooks:
            server, poll = websocket(heartbeat_interval=1, enable_heartbeat=True), http()
            conns = [
                server,
                poll,
                HTTPWebhook(f"http://{HOST}:{hooks.port}/"),
                WebSocketReverse(f"ws://{HOST}:{sockets.port}/", reconnect_interval=1),
            ]
            async with (
                make(*conns) as impl,
                OneBotClient(f"ws://{HOST}:{server.port}/") as by_socket,
                OneBotClient(f"http://{HOST}:{poll.port}/") as by_poll,
            ):
                listening = [app.events("message") for app in (by_socket, by_poll, hooks, sockets)]
                await anext(by_socket.events("meta.heartbeat"))
                while not sockets.bots:
                    await asyncio.sleep(0)
                for number in range(3):
                    await impl.emit({**MESSAGE, "message_id": str(number)})
                    for events in listening:
                        assert (await anext(events)).to_dict()["message_id"] == str(number)
                assert (await by_poll.call("echo", text="a"))["text"] == "a"


class TestOthers:
    async def test_peers_that_go_at_any_time(self) -> None:
        """A hundred peers that disconnect while they are served take nothing from one that stays."""
        connection = websocket()
        impl = make(connection)
        entered = 0

        @impl.action("wait")
        async def wait() -> None:
            nonlocal entered
            entered += 1
            for _ in range(entered % 7):
                await asyncio.sleep(0)

        async with impl, ClientSession() as session:
            url = f"ws://{HOST}:{connection.port}/"
            async with session.ws_connect(url) as stays:
                await stays.receive()
                await stays.receive()

                async def come_and_go(number: int) -> None:
                    ws = await session.ws_connect(url)
                    for _ in range(number % 5):
                        await ws.send_str('{"action":"wait","params":{}}')
                    for _ in range(number % 3):
                        await ws.receive()
                    if number % 2:
                        ws.close_nowait()
                    else:
                        await ws.close()

                async with asyncio.TaskGroup() as tasks:
                    for number in range(100):
                        tasks.create_task(come_and_go(number))
                        await impl.emit({**MESSAGE, "message_id": str(number)})
                        await stays.send_str(
                            json.dumps({"action": "wait", "params": {}, "echo": str(number)})
                        )
                frames = [await stays.receive_json() for _ in range(200)]
            while connection.peers:
                await asyncio.sleep(0)
        messages = [frame["message_id"] for frame in frames if "message_id" in frame]
        assert messages == [str(number) for number in range(100)]
        assert {frame["echo"] for frame in frames if "echo" in frame} == set(messages)
