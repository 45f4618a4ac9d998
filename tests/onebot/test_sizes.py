"""Messages have at most 4 MiB, over each transport and in both directions."""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aioclient.onebot import (
    ActionCaller,
    ActionRequest,
    Bot,
    Encoding,
    Event,
    OneBotClient,
    OneBotImpl,
    PrivateMessageEvent,
    RemoteBot,
    WebhookReceiver,
    WebSocketReceiver,
    encode,
)
from aioclient.onebot.encoding import MAX_MESSAGE
from aioclient.onebot.errors import BadHandler
from aioclient.onebot.implementation import Connection, HTTPWebhook, WebSocketReverse

from .applications import BOT, HOST, application, http, make, websocket

pytestmark = [pytest.mark.both_loops, pytest.mark.rows("S002-10", "S002-18", "SRV-01")]

KINDS = ["http", "webhook", "forward", "reverse"]


def event_of(size: int) -> PrivateMessageEvent:
    """Return an event that has *size* bytes as JSON."""
    event = PrivateMessageEvent(
        id="1", time=1.0, self=BOT.self, message_id="1", message=[], user_id="2"
    )
    rest = size - len(encode(event, Encoding.JSON))
    return PrivateMessageEvent(
        id="1",
        time=1.0,
        self=BOT.self,
        message_id="1",
        message=[],
        user_id="2",
        alt_message="x" * rest,
    )


def made(connection: Connection) -> OneBotImpl:
    """Return an implementation with the actions length(text) and give(size)."""
    impl = make(connection)

    @impl.action("length")
    def length(text: str) -> int:
        return len(text)

    @impl.action("give")
    def give(size: int) -> str:
        return "x" * size

    return impl


@asynccontextmanager
async def joined(kind: str) -> AsyncIterator[tuple[OneBotImpl, Any]]:
    """Yield an implementation and its application, which is called by the same transport (a webhook's by HTTP)."""
    server = http() if kind in ("http", "webhook") else websocket()
    if kind in ("http", "forward"):
        async with made(server) as impl:
            scheme = "http" if kind == "http" else "ws"
            async with OneBotClient(f"{scheme}://{HOST}:{server.port}/") as client:
                if kind == "forward":
                    await anext(client.events("meta.status_update"))
                yield impl, client
        return
    if kind == "webhook":
        # The server's port is only known when it listens.
        async with (
            made(server),
            WebhookReceiver(port=0, api=f"http://{HOST}:{server.port}/") as receiver,
        ):
            hook = HTTPWebhook(f"http://{HOST}:{receiver.port}/")
            async with make(hook) as impl:
                yield impl, receiver
        return
    async with WebSocketReceiver(port=0) as receiver:
        reverse = WebSocketReverse(f"ws://{HOST}:{receiver.port}/", enable_heartbeat=False)
        async with made(reverse) as impl:
            await anext(receiver.events("meta.status_update"))
            yield impl, receiver


class TestEvents:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_the_largest(self, kind: str) -> None:
        """An event of 4 MiB arrives; a larger one is refused where it is emitted."""
        async with joined(kind) as (impl, app):
            events = app.events("message")
            with pytest.raises(ValueError, match=f"has {MAX_MESSAGE + 1} bytes, and peers take"):
                await impl.emit(event_of(MAX_MESSAGE + 1))
            await impl.emit(event_of(MAX_MESSAGE))
            assert await anext(events) == event_of(MAX_MESSAGE)


class TestActions:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_requests(self, kind: str) -> None:
        """A request of 4 MiB is carried out; a larger one is refused where it is sent."""
        async with joined(kind) as (_, app):
            caller: ActionCaller = app
            await caller.call("length", self=BOT, text="")
            with pytest.raises(ValueError, match="the request has ") as caught:
                await caller.call("length", self=BOT, text="x" * MAX_MESSAGE)
            (size,) = re.findall(r"the request has (\d+) bytes", str(caught.value))
            fitting = MAX_MESSAGE - (int(size) - MAX_MESSAGE)
            assert await caller.call("length", self=BOT, text="x" * fitting) == fitting
            with pytest.raises(ValueError, match=f"the request has {MAX_MESSAGE + 1} bytes"):
                await caller.call("length", self=BOT, text="x" * (fitting + 1))

    @pytest.mark.parametrize("kind", KINDS)
    async def test_answers(self, kind: str, caplog: pytest.LogCaptureFixture) -> None:
        """A larger answer than 4 MiB is 20001 and a line in the log, and loses no socket."""
        async with joined(kind) as (_, app):
            caller: ActionCaller = app
            with pytest.raises(BadHandler, match="the handler's result cannot be sent"):
                await caller.call("give", size=MAX_MESSAGE)
            (line,) = (r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING)
            (size,) = re.findall(
                rf"^the result of action 'give' cannot be sent: it has (\d+) bytes, and peers take {MAX_MESSAGE}$",
                line,
            )
            fitting = MAX_MESSAGE - (int(size) - MAX_MESSAGE)
            assert len(await caller.call("give", size=fitting)) == fitting
            with pytest.raises(BadHandler):
                await caller.call("give", size=fitting + 1)


class TestAnswersOfWebhooks:
    async def test_what_cannot_be_sent(self, caplog: pytest.LogCaptureFixture) -> None:
        """An action that cannot be sent is refused by queue(), or logged; the events go on, and so do other actions."""
        ran: list[str] = []
        async with WebhookReceiver(port=0) as receiver:
            impl = make(HTTPWebhook(f"http://{HOST}:{receiver.port}/"))

            @impl.action("note")
            def note(text: str) -> None:
                ran.append(text)

            @receiver.on("message")
            def answer(event: Event, bot: RemoteBot | None) -> list[ActionRequest]:
                return [
                    ActionRequest("note", {"text": {1}}),
                    ActionRequest("note", {"text": "x" * MAX_MESSAGE}),
                    ActionRequest("note", {"text": "a"}),
                ]

            async with impl:
                await anext(receiver.events("meta"))
                with pytest.raises(TypeError, match="set cannot be sent"):
                    receiver.queue(ActionRequest("note", {"text": {1}}))
                with pytest.raises(ValueError, match="the request has"):
                    receiver.queue(ActionRequest("note", {"text": "x" * MAX_MESSAGE}))
                for number in range(2):
                    await impl.emit(
                        PrivateMessageEvent(user_id=str(number), message=[], message_id="1")
                    )
        assert ran == ["a", "a"]
        lines = [record.getMessage() for record in caplog.records]
        assert [line[:54] for line in lines] == [
            "the action 'note' of a handler cannot be sent: TypeErr",
            "the action 'note' of a handler cannot be sent: ValueEr",
        ] * 2


async def test_a_status() -> None:
    """A status that is too large is refused where it is made."""
    connection, bot = websocket(), Bot("qq", "1", extra={"x": "x" * MAX_MESSAGE})
    async with application() as app:
        impl = make(connection, HTTPWebhook(app.hook), bots=(bot,))
        with pytest.raises(ValueError, match=r"meta\.status_update: it has"):
            await impl.start()
