"""What the log, errors and reprs of OneBot show: no secret, and no line that a peer has written."""

import asyncio
import logging
from typing import Any

import pytest

from aioclient import ClientSession
from aioclient.onebot import (
    Event,
    OneBotClient,
    PlatformError,
    TokenRefusedError,
    UnsupportedAction,
    WebhookReceiver,
    WebSocketReceiver,
)
from aioclient.onebot.implementation import HTTPWebhook, WebSocketReverse
from aioclient.testing import refused_port

from .applications import HOST, MESSAGE, application, call, http, make, websocket
from .peers import connect, event, failed, ok, private, status_update
from .peers import http as http_implementation
from .peers import websocket as implementation

pytestmark = [pytest.mark.both_loops, pytest.mark.rows("SRV-01")]

FORGED = "x\nCRITICAL forged\r\x1b[31m\u2028\x00"
SECRET = "s3cr3t"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def is_one_line(text: str) -> bool:
    return text.isprintable()


class TestForgedLines:
    """A text of a peer is escaped, and cut, wherever it is logged."""

    async def test_an_application(self, caplog: pytest.LogCaptureFixture) -> None:
        """Kinds of events, names, and messages of answers, as an implementation sends them."""
        caplog.set_level(logging.DEBUG)
        asked = 0

        async def script(peer: Any) -> None:
            nonlocal asked
            bad = {"platform": FORGED, "user_id": FORGED}
            await peer.send(
                connect(FORGED),
                status_update(bad),
                event(f"message.{FORGED}", sub_type=FORGED, message=FORGED, user_id="1"),
                event(f"{FORGED}.{FORGED}"),
                event("notice.x", self=bad),
                {FORGED: 1, "type": FORGED},
                {"status": FORGED, "retcode": FORGED, "message": FORGED, "echo": "1" + FORGED},
                private(FORGED),
            )
            while True:
                request = await peer.request()
                asked += 1
                await peer.send(failed(request, 34001, FORGED * 1000))

        async with implementation(script) as server, OneBotClient(server.url) as app:

            @app.on()
            async def raise_it(event: Event, bot: Any) -> None:
                await app.call("a")

            @app.on()
            def return_it(event: Event, bot: Any) -> object:
                return {"action": "b", "params": {}}

            events = app.events("message.private")
            await anext(events)
            while asked < 10:
                await asyncio.sleep(0)
            with pytest.raises(PlatformError) as caught:
                await app.call("c")
            assert caught.value.message == FORGED * 1000
            assert is_one_line(str(caught.value))
            assert len(str(caught.value)) < 300
            while sum("failed" in line for line in lines(caplog)) < 10:
                await asyncio.sleep(0)
        assert all(is_one_line(line) and len(line) < 1000 for line in lines(caplog))

    async def test_polling(self, caplog: pytest.LogCaptureFixture) -> None:
        """The refusal of get_latest_events."""
        caplog.set_level(logging.DEBUG)
        async with (
            http_implementation(lambda asked: failed(asked, 10002, FORGED)) as server,
            OneBotClient(server.url) as app,
        ):
            events = app.events()
            with pytest.raises(UnsupportedAction, match="forged"):
                await anext(events)
        assert any("forged" in line for line in lines(caplog))
        assert all(map(is_one_line, lines(caplog)))

    async def test_a_webhook(self, caplog: pytest.LogCaptureFixture) -> None:
        """Names of actions, parameters and echoes, as an application answers; and its reason phrase."""
        caplog.set_level(logging.DEBUG)
        async with application() as app:

            async def answer(request: Any) -> Any:
                from aiohttp import web

                return web.json_response(
                    [
                        {"action": FORGED, "params": {}, "echo": FORGED},
                        {"action": "echo", "params": {FORGED: 1}},
                        {"action": "echo", "params": {"text": {FORGED: 1}}},
                        {FORGED: 1},
                    ]
                )

            app.answers = [answer]
            async with make(HTTPWebhook(app.hook)):
                await app.wait_posts(1)
                while sum("failed" in line for line in lines(caplog)) < 4:
                    await asyncio.sleep(0)
        assert all(map(is_one_line, lines(caplog)))

    async def test_servers(self, caplog: pytest.LogCaptureFixture) -> None:
        """Actions over HTTP and WebSocket, and what fails of them."""
        caplog.set_level(logging.DEBUG)
        connection, other = websocket(), http()
        impl = make(connection, other)

        @impl.action("give")
        def give(text: str) -> object:
            return {text, 1}

        async with (
            impl,
            ClientSession() as session,
            session.ws_connect(f"ws://{HOST}:{connection.port}/") as ws,
        ):
            await ws.receive()
            await ws.receive()
            for action, params in (("give", {"text": FORGED}), (FORGED, {}), ("give", {FORGED: 1})):
                answer = await call(session, other, action, params, echo=FORGED)
                assert answer["status"] == "failed"
                await ws.send_json({"action": action, "params": params, "echo": FORGED})
                assert (await ws.receive_json())["echo"] == FORGED
        assert len(lines(caplog)) >= 2
        assert all(map(is_one_line, lines(caplog)))


class TestSecrets:
    """Tokens are in no line of the log, at any level, in no error and in no repr."""

    async def test_that_are_accepted(self, caplog: pytest.LogCaptureFixture) -> None:
        """All four transports, with the token in the field and in the query."""
        caplog.set_level(logging.DEBUG)
        query = f"?access_token={SECRET}"
        async with (
            WebSocketReceiver(port=0, access_token=SECRET) as sockets,
            WebhookReceiver(port=0, access_token=SECRET) as hooks,
        ):
            server, poll = websocket(access_token=SECRET), http(access_token=SECRET)
            conns = [
                server,
                poll,
                WebSocketReverse(f"ws://{HOST}:{sockets.port}/", access_token=SECRET),
                WebSocketReverse(f"ws://{HOST}:{sockets.port}/{query}"),
                HTTPWebhook(f"http://{HOST}:{hooks.port}/", access_token=SECRET),
                HTTPWebhook(f"http://{HOST}:{hooks.port}/{query}"),
            ]
            async with make(*conns) as impl:
                while sockets.connections < 2:
                    await asyncio.sleep(0)
                for url in (f"http://{HOST}:{poll.port}/", f"ws://{HOST}:{server.port}/"):
                    for client in (
                        OneBotClient(url, access_token=SECRET),
                        OneBotClient(url + query),
                    ):
                        async with client:
                            assert (await client.call("get_version"))["impl"] == "qq"
                            assert SECRET not in repr(client)
                await impl.emit(MESSAGE)
                for receiver in (sockets, hooks):
                    await anext(receiver.events("message"))
                    assert SECRET not in repr(receiver)
        assert caplog.records
        assert SECRET not in caplog.text

    async def test_that_are_refused(self, caplog: pytest.LogCaptureFixture) -> None:
        """Wrong ones, and those for servers that do not listen, or whose URL has a password."""
        caplog.set_level(logging.DEBUG)
        with refused_port() as port:
            await self._refused(f"user:{SECRET}@{HOST}:{port}/?access_token={SECRET}", caplog)
        assert SECRET not in caplog.text

    async def _refused(self, there: str, caplog: pytest.LogCaptureFixture) -> None:
        async with (
            WebSocketReceiver(port=0, access_token="other") as sockets,
            WebhookReceiver(port=0, access_token="other") as hooks,
        ):
            server, poll = websocket(access_token="other"), http(access_token="other")
            conns = [
                server,
                poll,
                WebSocketReverse(f"ws://{HOST}:{sockets.port}/", access_token=SECRET),
                WebSocketReverse(f"ws://{there}", access_token=SECRET),
                HTTPWebhook(f"http://{HOST}:{hooks.port}/", access_token=SECRET),
                HTTPWebhook(f"http://{there}", access_token=SECRET),
            ]
            async with make(*conns, shutdown_timeout=0.0):
                for url in (f"http://{HOST}:{poll.port}/", f"ws://{HOST}:{server.port}/"):
                    async with OneBotClient(url, access_token=SECRET) as client:
                        with pytest.raises(TokenRefusedError) as caught:
                            await client.call("get_version")
                        assert SECRET not in f"{caught.value} {caught.value!r}"
                while sum("is the access_token right?" in line for line in lines(caplog)) < 2:
                    await asyncio.sleep(0)


def test_forged() -> None:
    """The text of these tests has what ends a line, and what controls a terminal."""
    assert not is_one_line(FORGED)
    assert ok({})["message"] == ""
