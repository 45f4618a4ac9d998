"""The methods that call actions, over a way of one's own; and where receivers listen."""

import asyncio
import io
import socket
from pathlib import Path
from typing import Any

import pytest

from aioclient import ClientSession
from aioclient.message.unset import UNSET
from aioclient.onebot import (
    ActionCaller,
    ActionRequest,
    Bot,
    BotSelf,
    CallTimeoutError,
    Encoding,
    Event,
    NotConnectedError,
    WebhookReceiver,
    WebSocketReceiver,
)
from aioclient.onebot.implementation import WebSocketReverse

from .applications import MESSAGE, make
from .applications import http as implementation_http
from .peers import http, ok

pytestmark = pytest.mark.both_loops

ANSWERS: dict[str, Any] = {
    "send_message": {"message_id": "m"},
    "upload_file": {"file_id": "f"},
    "upload_file_fragmented": {"file_id": "f"},
    "get_file": {"name": "n", "data": b"ab"},
    "get_file_fragmented": {"name": "n", "total_size": 1, "sha256": "", "data": b"a"},
}


class Recorder(ActionCaller):
    """A way to an implementation that a user has made."""

    def __init__(self) -> None:
        self.seen: list[tuple[ActionRequest, Any]] = []

    async def perform(self, request: ActionRequest, *, timeout: Any = UNSET) -> object:
        self.seen.append((request, timeout))
        return ANSWERS.get(request.action)


class TestActionCaller:
    async def test_bot_and_limit(self, tmp_path: Path) -> None:
        """Each method sends all its actions for the bot of ``self=``, with the limit of ``timeout=``."""
        caller, bot = Recorder(), Bot("qq", "1")
        await caller.call("a", self=bot, timeout=7, x=1)
        await caller.send_message("private", "hi", self=bot, timeout=7, user_id="2")
        await caller.upload_file(b"ab", self=bot, timeout=7, name="n")
        await caller.upload_file(b"ab", self=bot, timeout=7, name="n", fragment_size=1)
        await caller.download_file("f", tmp_path / "a", self=bot, timeout=7, by="data")
        with pytest.raises(Exception, match="SHA-256"):
            await caller.download_file("f", tmp_path / "a", self=bot, timeout=7)
        assert all(request.self == bot for request, _ in caller.seen)
        assert {limit for _, limit in caller.seen} == {7}
        assert [request.action for request, _ in caller.seen] == [
            "a",
            "send_message",
            "upload_file",
            *["upload_file_fragmented"] * 4,
            "get_file",
            *["get_file_fragmented"] * 2,
        ]

    async def test_without_them(self) -> None:
        """Without them the request names no bot, and the limit is that of the caller."""
        caller = Recorder()
        await caller.call("a")
        await caller.upload_file(io.BytesIO(b"ab"), name="n")
        assert [(request.self, limit) for request, limit in caller.seen] == [(None, UNSET)] * 2
        with pytest.raises(TypeError, match="self='1'; give a Bot or a BotSelf"):
            await caller.call("a", self="1")  # type: ignore[arg-type]


class TestReceivers:
    @pytest.mark.parametrize("kind", [WebhookReceiver, WebSocketReceiver])
    async def test_where_they_listen(self, kind: Any) -> None:
        """At *host* and *port*, and at *path* only."""
        host = "127.0.0.2"
        with socket.create_server((host, 0)) as free:
            port = free.getsockname()[1]
        async with kind(host=host, port=port, path="/x") as receiver, ClientSession() as session:
            assert receiver.port == port
            for path, status in (("/x", 400), ("/", 404)):
                url = f"http://{host}:{port}{path}"
                method = "GET" if kind is WebSocketReceiver else "POST"
                async with session.request(method, url) as response:
                    assert response.status == status

    async def test_names_of_handlers(self) -> None:
        """on() of a receiver takes names, as that of a client does."""
        found: list[str] = []
        async with WebSocketReceiver(port=0) as receiver:

            @receiver.on("message.private")
            def private_ones(event: Event, bot: Any) -> None:
                found.append(event.detail_type)

            @receiver.on("notice", "message.group")
            def others(event: Event, bot: Any) -> None:
                raise AssertionError

            reverse = WebSocketReverse(f"ws://127.0.0.1:{receiver.port}/", enable_heartbeat=False)
            events = receiver.events("message")
            async with make(reverse) as impl:
                while not reverse.peers:
                    await asyncio.sleep(0)
                await impl.emit(MESSAGE)
                await anext(events)
        assert found == ["private"]

    @pytest.mark.virtual_clock
    async def test_a_limit_for_one_call(self) -> None:
        """``timeout=`` of a call takes the place of the receiver's."""

        async def silent(request: Any) -> Any:
            await asyncio.sleep(1000)
            return ok(request)

        async with (
            http(silent) as server,
            WebhookReceiver(port=0, api=server.url, timeout=5) as receiver,
        ):
            clock = asyncio.get_running_loop().time
            for given, seconds in (({}, 5), ({"timeout": 2}, 2)):
                began = clock()
                with pytest.raises(CallTimeoutError):
                    await receiver.call("a", **given)
                assert clock() - began == pytest.approx(seconds, abs=0.1)

    @pytest.mark.virtual_clock
    async def test_the_limit_of_a_call(self) -> None:
        """``timeout=`` of WebSocketReceiver is that of its calls."""

        async with WebSocketReceiver(port=0, timeout=7) as receiver:
            reverse = WebSocketReverse(f"ws://127.0.0.1:{receiver.port}/")
            impl = make(reverse, shutdown_timeout=0.0)

            @impl.action("never")
            async def never() -> None:
                await asyncio.Event().wait()

            async with impl:
                await anext(receiver.events("meta.status_update"))
                clock = asyncio.get_running_loop().time
                began = clock()
                with pytest.raises(CallTimeoutError, match="within timeout=7 s"):
                    await receiver.call("never")
                assert clock() - began == pytest.approx(7, abs=0.1)

    async def test_how_a_webhook_receiver_calls(self) -> None:
        """By ``session=``, which is not closed, and in ``encoding=``."""
        server = implementation_http()
        async with make(server):
            seen: list[Any] = []

            async def note(request: Any, handler: Any) -> Any:
                seen.append((request.headers["Content-Type"], request.headers["X-Mine"]))
                return await handler(request)

            async with ClientSession(headers={"X-Mine": "1"}, middlewares=[note]) as given:
                url = f"http://127.0.0.1:{server.port}/"
                receiver = WebhookReceiver(
                    port=0, api=url, encoding=Encoding.MSGPACK, session=given
                )
                async with receiver:
                    assert (await receiver.call("echo", text="a"))["text"] == "a"
                assert not given.closed
            assert seen == [("application/msgpack", "1")]

    async def test_actions_for_nobody(self) -> None:
        """A bot that nobody has reported is an error that names it."""
        async with WebSocketReceiver(port=0) as receiver:
            with pytest.raises(NotConnectedError, match="no implementation is connected"):
                await receiver.call("a", self=BotSelf("qq", "9"))
