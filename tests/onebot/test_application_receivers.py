"""An application that implementations connect to: webhooks and reverse WebSockets."""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from aioclient import (
    ClientSession,
    ClientWebSocketResponse,
    HandshakeRefusedError,
    UnprotectedServerWarning,
)
from aioclient.onebot import (
    ActionRequest,
    BotSelf,
    DisconnectedError,
    Encoding,
    Event,
    NotConnectedError,
    PrivateMessageEvent,
    UnknownSelf,
    WebhookReceiver,
    WebSocketReceiver,
    WhoAmI,
    decode,
    encode,
)
from aioclient.testing import cancel_everywhere

from ..servers.app import serve_application
from ..servers.certificates import Certificates
from .peers import Plain, bot, connect, event, failed, http, ok, private, status_update

pytestmark = pytest.mark.both_loops

FIELDS = {"X-Impl": "peer", "X-OneBot-Version": "12"}


class Webhook:
    """An implementation that sends webhooks to a receiver."""

    def __init__(self, session: ClientSession, url: str, impl: str = "peer") -> None:
        self.session = session
        self.url = url
        self.fields = FIELDS | {"X-Impl": impl, "Content-Type": "application/json"}

    async def send(self, body: Any, **fields: str) -> tuple[int, Any]:
        """Send an event; return the status of the answer, and the actions in it."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        async with self.session.post(
            self.url, data=data, headers={**self.fields, **headers}
        ) as response:
            text = await response.text()
            return response.status, json.loads(text) if response.status == 200 else text


@asynccontextmanager
async def webhook(**options: Any) -> AsyncIterator[tuple[WebhookReceiver, Webhook]]:
    async with WebhookReceiver(port=0, **options) as receiver, ClientSession() as session:
        yield receiver, Webhook(session, f"http://127.0.0.1:{receiver.port}/")


@pytest.mark.rows("S002-14", "S002-15", "S002-16")
class TestWebhook:
    """Events that come in requests."""

    async def test_an_event(self) -> None:
        """It is answered with 204, and goes to iterators and handlers with its bot."""
        found: list[tuple[str, str]] = []
        async with webhook() as (receiver, peer):

            @receiver.on("message.private")
            async def handler(event: PrivateMessageEvent, bot: Any) -> None:
                found.append((event.alt_message, bot.user_id))

            events = receiver.events()
            assert await peer.send(private("hi")) == (204, "")
            assert found == [("hi", "10001")]
            message = await anext(events)
            assert isinstance(message, PrivateMessageEvent)
            assert receiver.bot_of(message) is receiver.bots[0]
            assert (await peer.send(event("qq.poke", self=bot("2"), x=1)))[0] == 204
            poke = await anext(events)
            assert (type(poke), poke.extra) == (Event, {"x": 1})

    async def test_bots(self) -> None:
        """The bots of several implementations are known by their status_update."""
        async with webhook() as (receiver, peer):
            other = Webhook(peer.session, peer.url, "other")
            await peer.send(status_update(bot("1"), bot("2")))
            await other.send(status_update(bot("3")))
            await peer.send(status_update(bot("2")))
            assert [each.user_id for each in receiver.bots] == ["3", "2"]

    async def test_returned_actions(self) -> None:
        """What handlers return is the list in the answer, for the bot of the event."""
        async with webhook() as (receiver, peer):

            @receiver.on("message")
            def one(event: Event, bot: object) -> ActionRequest:
                return ActionRequest("a", {"data": b"\x00"})

            @receiver.on("message")
            async def two(event: Event, bot: object) -> list[object]:
                await asyncio.sleep(0)
                return [{"action": "get_status", "params": {}}, {"action": "b", "params": {}}]

            assert await peer.send(private()) == (
                200,
                [
                    {"action": "a", "params": {"data": "AA=="}, "self": bot()},
                    {"action": "get_status", "params": {}},
                    {"action": "b", "params": {}, "self": bot()},
                ],
            )

    async def test_what_a_handler_raises(self, caplog: pytest.LogCaptureFixture) -> None:
        """It is logged, and the event is answered with what the others returned."""
        async with webhook() as (receiver, peer):

            @receiver.on("message")
            def wrong(event: Event, bot: object) -> None:
                raise ZeroDivisionError

            @receiver.on("message")
            def right(event: Event, bot: object) -> ActionRequest:
                return ActionRequest("a", {})

            status, actions = await peer.send(private())
            assert (status, [action["action"] for action in actions]) == (200, ["a"])
        assert f"ZeroDivisionError: , at {__file__}:" in caplog.text

    async def test_queued_actions(self) -> None:
        """What was queued goes with the answer to the next event of the implementation that has the bot."""
        async with webhook() as (receiver, peer):
            with pytest.raises(NotConnectedError, match="a: no implementation has reported a bot"):
                receiver.queue(ActionRequest("a", {}))
            other = Webhook(peer.session, peer.url, "other")
            await peer.send(status_update(bot("1")))
            receiver.queue(ActionRequest("a", {}))
            await other.send(status_update(bot("2")))
            receiver.queue(ActionRequest("b", {}, BotSelf("qq", "1")))
            receiver.queue(ActionRequest("c", {}, BotSelf("qq", "2")))
            with pytest.raises(NotConnectedError):
                receiver.queue(ActionRequest("d", {}))
            with pytest.raises(NotConnectedError, match="a bot for qq/3"):
                receiver.queue(ActionRequest("d", {}, BotSelf("qq", "3")))
            _, actions = await peer.send(event("meta.heartbeat", interval=1))
            assert [(each["action"], each["self"]["user_id"]) for each in actions] == [
                ("a", "1"),
                ("b", "1"),
            ]
            assert (await peer.send(event("meta.heartbeat", interval=1)))[0] == 204
            _status, actions = await other.send(event("meta.heartbeat", interval=1))
            assert [each["action"] for each in actions] == ["c"]

    async def test_the_queue_is_bounded(self) -> None:
        """At most 1,000 wait; an answer has at most 4 MiB, and the rest goes with the next one."""
        async with webhook() as (receiver, peer):
            await peer.send(status_update(bot("1")))
            for number in range(1002):
                receiver.queue(ActionRequest(f"a{number}", {}))
            _, actions = await peer.send(event("meta.heartbeat", interval=1))
            assert [each["action"] for each in actions] == [f"a{n}" for n in range(2, 1002)]
            for number in range(3):
                receiver.queue(ActionRequest(f"a{number}", {"x": "x" * 2**21}))
            for number in range(3):
                _, (action,) = await peer.send(event("meta.heartbeat", interval=1))
                assert action["action"] == f"a{number}"

    async def test_duplicates(self) -> None:
        """An event that is sent again is answered with 204 and dropped; one of another implementation is another."""
        async with webhook() as (receiver, peer):
            seen: list[str] = []

            @receiver.on("message")
            def handler(event: Event, bot: object) -> ActionRequest:
                seen.append(event.id)
                return ActionRequest("a", {})

            assert (await peer.send(private(id="x")))[0] == 200
            assert (await peer.send(private(id="x")))[0] == 204
            assert (await peer.send(private(id="x", self=bot("2"))))[0] == 200
            other = Webhook(peer.session, peer.url, "other")
            assert (await other.send(private(id="x")))[0] == 200
            assert seen == ["x"] * 3

    @pytest.mark.parametrize(
        ("token", "fields", "status"),
        [
            pytest.param("t", {}, 401, id="AUTH-11-missing"),
            pytest.param("t", {"Authorization": "Bearer x"}, 401, id="AUTH-11-wrong"),
            pytest.param("t", {"Authorization": "Bearer t "}, 204, id="AUTH-11-blank"),
            pytest.param("t", {"Authorization": "bearer t"}, 401, id="AUTH-11-case"),
            pytest.param("t", {"Authorization": "Bearer t"}, 204, id="AUTH-11-right"),
            pytest.param(None, {"Origin": "https://evil.example"}, 403, id="SRV-01-origin"),
        ],
    )
    async def test_tokens(self, token: str | None, fields: dict[str, str], status: int) -> None:
        """The token is checked before anything else of the request is looked at."""
        async with webhook(access_token=token) as (receiver, peer):
            assert (await peer.send(private(), **fields))[0] == status
            if status != 204:
                assert (await peer.send(b"garbage", X_Impl="", **fields))[0] == status
            assert len(receiver.bots) == (status == 204)

    @pytest.mark.parametrize(
        ("body", "fields", "status", "told"),
        [
            (private(), {"X_Impl": ""}, 400, "the X-Impl field is missing"),
            (private(), {"X_OneBot_Version": "11"}, 400, "X-OneBot-Version field must be 12"),
            (private(), {"Content_Type": "application/msgpack"}, 415, "application/json"),
            (private(), {"Content_Type": "Application/JSON; charset=utf-8"}, 204, ""),
            (b"{", {}, 400, "invalid JSON"),
            (b"\xff", {}, 400, "invalid JSON"),
            (b"[]", {}, 400, "event: expected dict, found list"),
            (b"{}", {}, 400, r"event\.id: missing"),
            (b"", {}, 400, "invalid JSON"),
            (b" " * 2**22 + b"{}", {}, 400, "larger than 4194304 bytes"),
        ],
    )
    async def test_requests_that_are_none(
        self, body: Any, fields: dict[str, str], status: int, told: str
    ) -> None:
        """A request that carries no event is answered with what is wrong, and changes nothing."""
        async with webhook() as (_receiver, peer):
            answered = await peer.send(body, **fields)
            assert answered[0] == status
            assert re.search(told, answered[1])
            assert (await peer.send(private()))[0] == 204

    async def test_other_methods_and_paths(self) -> None:
        """405 and 404."""
        async with webhook(path="/onebot/v12") as (_receiver, peer):
            async with peer.session.get(f"{peer.url}onebot/v12") as response:
                assert response.status == 405
            assert (await peer.send(private()))[0] == 404
            peer.url += "onebot/v12"
            assert (await peer.send(private()))[0] == 204

    async def test_calls_without_an_address(self) -> None:
        """Without ``api=`` nothing can be called, and the error says what to do."""
        async with webhook() as (receiver, peer):
            await peer.send(private())
            with pytest.raises(
                NotConnectedError, match="api= has no address for qq/10001; give one"
            ):
                await receiver.bots[0].call("a")

    async def test_calls_by_http(self) -> None:
        """With ``api=`` actions are requests there, with the token."""
        async with http(lambda request: ok(request, 5)) as server:
            async with webhook(api=server.url, access_token="t") as (receiver, peer):
                await peer.send(private(), Authorization="Bearer t")
                assert await receiver.call("a") == 5
                assert await receiver.bots[0].call("b") == 5
            assert [request["self"] for request in server.requests] == [bot()] * 2
            assert server.headers[0]["Authorization"] == "Bearer t"

    async def test_addresses_of_several_bots(self) -> None:
        """``api=`` may have an address for each bot."""
        async with (
            http(lambda request: ok(request, 5)) as server,
            webhook(api={"1": server.url}) as (receiver, peer),
        ):
            await peer.send(status_update(bot("1"), bot("2")))
            one, two = receiver.bots
            assert await receiver.call("a", one) == 5
            with pytest.raises(NotConnectedError, match="for qq/2"):
                await receiver.call("a", two)
            with pytest.raises(NotConnectedError, match="api= has no address; give"):
                await receiver.call("a")

    async def test_mounted(self) -> None:
        """An application serves it from its start to its end, and more than one."""
        first, second = WebhookReceiver(path="/a"), WebhookReceiver(path="/b", access_token="t")
        application = web.Application()
        first.mount(application)
        second.mount(application)
        with pytest.raises(RuntimeError, match="can be entered or mounted once"):
            first.mount(application)
        assert repr(first) == "<WebhookReceiver /a not open>"
        async with serve_application(application) as origin, ClientSession() as session:
            assert (await Webhook(session, f"{origin}/a").send(private()))[0] == 204
            assert (await Webhook(session, f"{origin}/b").send(private()))[0] == 401
            assert len(first.bots) == 1
            assert repr(first) == "<WebhookReceiver /a open>"
        assert await anext(second.events(), None) is None
        await first.wait_closed()
        assert repr(first) == "<WebhookReceiver /a closed>"

    async def test_an_application_that_cannot_start(self) -> None:
        """If another part of the application fails to start, it is closed with the application's cleanup."""
        receiver = WebhookReceiver(api="http://127.0.0.1:1/")
        app = web.Application()
        receiver.mount(app)

        async def fail(app: web.Application) -> None:
            raise LookupError("no database")

        app.on_startup.append(fail)
        runner = web.AppRunner(app)
        with pytest.raises(LookupError):
            await runner.setup()
        await runner.cleanup()
        assert repr(receiver) == "<WebhookReceiver / closed>"

    async def test_two_receivers_at_one_port(self) -> None:
        """A webhook and a WebSocket may share a port and a path."""
        async with (
            WebhookReceiver(port=0) as one,
            WebSocketReceiver(port=one.port) as two,
            ClientSession() as session,
        ):
            assert one.port == two.port
            assert (await Webhook(session, f"http://127.0.0.1:{one.port}/").send(private()))[
                0
            ] == 204
            async with session.ws_connect(f"ws://127.0.0.1:{two.port}/") as ws:
                await ws.send_json(connect())
                await anext(two.events())

    async def test_tls(self, certificates: Certificates) -> None:
        """``ssl_context=`` serves by TLS."""
        server, client = certificates.server_context(), certificates.client_context()
        async with (
            WebhookReceiver(port=0, ssl_context=server) as receiver,
            ClientSession() as session,
        ):
            url = f"https://localhost:{receiver.port}/"
            async with session.post(url, json=private(), headers=FIELDS, ssl=client) as response:
                assert response.status == 204

    async def test_beyond_loopback(self) -> None:
        """Listening beyond loopback without a token warns."""
        with pytest.warns(UnprotectedServerWarning):
            async with WebhookReceiver(host="0.0.0.0", port=0):
                pass

    async def test_closing_cancels_handlers(self) -> None:
        """A handler that runs when the receiver is closed is cancelled, and its event answered."""
        begun = asyncio.Event()
        async with webhook() as (receiver, peer):

            @receiver.on("message")
            async def endless(event: Event, bot: object) -> None:
                begun.set()
                await asyncio.Event().wait()

            task = asyncio.ensure_future(peer.send(private()))
            await begun.wait()
            await receiver.close()
            assert (await task)[0] == 204

    async def test_cancelled_everywhere(self) -> None:
        """A receiver may be cancelled at each of its awaits."""

        async def scenario() -> None:
            async with webhook() as (receiver, peer):
                events = receiver.events()
                await peer.send(private())
                await anext(events)

        await cancel_everywhere(scenario)


class Impl:
    """A reverse WebSocket of an implementation."""

    def __init__(self, ws: ClientWebSocketResponse) -> None:
        self.ws = ws

    async def send(self, *plain: Any) -> None:
        for each in plain:
            await self.ws.send_json(each)

    async def request(self) -> Plain:
        plain: Plain = await self.ws.receive_json()
        return plain

    async def answering(self, answer: Any = ok) -> None:
        while True:
            message = await self.ws.receive()
            if message.type is not WSMsgType.TEXT:
                return
            await self.send(answer(json.loads(message.data)))


@asynccontextmanager
async def reverse(
    receiver: WebSocketReceiver, *bots: Plain, impl: str = "peer", **options: Any
) -> AsyncIterator[Impl]:
    """Connect an implementation with these bots, which are known then."""
    events = receiver.events("meta.status_update")
    async with (
        ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{receiver.port}/", **options) as ws,
    ):
        peer = Impl(ws)
        await peer.send(connect(impl), status_update(*bots))
        await anext(events)
        await events.aclose()
        yield peer


@asynccontextmanager
async def task_of(coroutine: Any) -> AsyncIterator[None]:
    task = asyncio.ensure_future(coroutine)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


@pytest.mark.rows("S002-18")
class TestWebSocket:
    """Implementations that open WebSockets."""

    async def test_events_and_calls(self) -> None:
        """Events arrive, and actions go back on the same socket."""
        async with WebSocketReceiver(port=0) as receiver, reverse(receiver, bot("1")) as peer:
            events = receiver.events("message")
            await peer.send(private("hi", self=bot("1")))
            message = await anext(events)
            only = receiver.bot_of(message)
            assert only is receiver.bots[0]
            assert receiver.connections == 1
            async with task_of(peer.answering(lambda request: ok(request, request["self"]))):
                assert await receiver.call("a") == bot("1")
                assert await only.call("a") == bot("1")
                assert await receiver.call("a", self=BotSelf("qq", "9")) == bot("9")

    async def test_many_implementations(self) -> None:
        """Each action goes to the implementation that has the bot."""
        async with WebSocketReceiver(port=0) as receiver:
            with pytest.raises(NotConnectedError, match="a: no implementation is connected"):
                await receiver.call("a")
            async with (
                reverse(receiver, bot("1"), bot("2"), impl="one") as one,
                reverse(receiver, bot("3"), impl="two") as two,
                task_of(one.answering(lambda request: ok(request, "one"))),
                task_of(two.answering(lambda request: ok(request, "two"))),
            ):
                assert [await each.call("a") for each in receiver.bots] == ["one", "one", "two"]
                with pytest.raises(NotConnectedError, match="of these: qq/1, qq/2, qq/3"):
                    await receiver.call("a")
                with pytest.raises(NotConnectedError, match="has a bot for tg/1"):
                    await receiver.call("a", BotSelf("tg", "1"))
                await two.ws.close()
                while len(receiver.bots) > 2:
                    await asyncio.sleep(0)
                assert [each.user_id for each in receiver.bots] == ["1", "2"]

    async def test_the_newest_connection_of_a_bot(self) -> None:
        """If a bot comes again, its actions go to the new connection; its events are not taken twice."""
        again = private("again", self=bot("1"))
        async with WebSocketReceiver(port=0) as receiver:
            events = receiver.events("message")
            async with reverse(receiver, bot("1")) as old:
                await old.send(again)
                handle = receiver.bot_of(await anext(events))
                assert handle is not None
                async with (
                    reverse(receiver, bot("1")) as new,
                    task_of(new.answering(lambda request: ok(request, "new"))),
                ):
                    assert await handle.call("a") == "new"
                    await new.send(again, private("other", self=bot("1")))
                    assert (await anext(events)).to_dict()["alt_message"] == "other"

    async def test_failed_actions(self) -> None:
        """The implementation's retcodes are typed errors."""
        async with (
            WebSocketReceiver(port=0) as receiver,
            reverse(receiver, bot("1"), bot("2")) as peer,
        ):

            def answer(request):
                return failed(request, 10102 if "self" in request else 10101)

            async with task_of(peer.answering(answer)):
                with pytest.raises(WhoAmI):
                    await receiver.call("a")
                with pytest.raises(UnknownSelf):
                    await receiver.bots[0].call("a")

    async def test_messagepack(self) -> None:
        """With MessagePack actions are binary messages."""
        async with (
            WebSocketReceiver(port=0, encoding=Encoding.MSGPACK) as receiver,
            reverse(receiver, bot("1")) as peer,
        ):
            task = asyncio.ensure_future(receiver.call("a", data=b"\xff"))
            request: Any = decode(await peer.ws.receive_bytes(), Encoding.MSGPACK)
            await peer.ws.send_bytes(encode(ok(request, request["params"]), Encoding.MSGPACK))
            assert await task == {"data": b"\xff"}

    @pytest.mark.parametrize(
        ("token", "fields", "query", "status"),
        [
            pytest.param("t", {}, "", 401, id="AUTH-11-missing"),
            pytest.param("t", {"Authorization": "Bearer x"}, "", 401, id="AUTH-11-wrong"),
            pytest.param(
                "t", {"Authorization": "Bearer x"}, "?access_token=t", 401, id="AUTH-11-field-first"
            ),
            pytest.param("t", {}, "?access_token=t", None, id="AUTH-11-query"),
            pytest.param("t", {"Authorization": "Bearer t"}, "", None, id="AUTH-11-right"),
            pytest.param(None, {"Origin": "https://evil.example"}, "", 403, id="SRV-01-origin"),
        ],
    )
    async def test_tokens(
        self, token: str | None, fields: dict[str, str], query: str, status: int | None
    ) -> None:
        """The token is checked before the upgrade."""
        async with (
            WebSocketReceiver(port=0, access_token=token) as receiver,
            ClientSession() as session,
        ):
            url = f"ws://127.0.0.1:{receiver.port}/{query}"
            if status is None:
                async with session.ws_connect(url, headers=fields) as ws:
                    await ws.send_json(connect())
                    await anext(receiver.events())
            else:
                with pytest.raises(HandshakeRefusedError) as caught:
                    await session.ws_connect(url, headers=fields)
                assert caught.value.status == status

    @pytest.mark.parametrize(
        ("offered", "chosen"),
        [([], None), (["12.peer"], "12.peer"), (["other", "12.a", "12.b"], "12.a")],
    )
    async def test_subprotocols(self, offered: list[str], chosen: str | None) -> None:
        """``12.<impl>`` is chosen if it is offered."""
        async with (
            WebSocketReceiver(port=0) as receiver,
            reverse(receiver, bot("1"), protocols=offered) as peer,
        ):
            assert peer.ws.protocol == chosen

    async def test_another_version(self) -> None:
        """A subprotocol of another version is refused."""
        async with WebSocketReceiver(port=0) as receiver, ClientSession() as session:
            with pytest.raises(HandshakeRefusedError) as caught:
                await session.ws_connect(f"ws://127.0.0.1:{receiver.port}/", protocols=["11.peer"])
            assert caught.value.status == 400
            async with session.get(f"http://127.0.0.1:{receiver.port}/") as response:
                assert response.status == 400
            async with session.post(f"http://127.0.0.1:{receiver.port}/") as response:
                assert response.status == 405

    @pytest.mark.parametrize(
        "message",
        [
            json.dumps(private()),
            json.dumps(status_update()),
            json.dumps(ok({})),
            "{",
            "",
            b"\x80",
        ],
    )
    async def test_the_first_message(self, message: str | bytes) -> None:
        """If it is not meta.connect the socket is closed with 1008, and nothing of it is taken."""
        async with WebSocketReceiver(port=0) as receiver, ClientSession() as session:
            async with session.ws_connect(f"ws://127.0.0.1:{receiver.port}/") as ws:
                if isinstance(message, str):
                    await ws.send_str(message)
                else:
                    await ws.send_bytes(message)
                await ws.receive()
                assert ws.close_code == 1008
                assert ws.close_reason == "the first event must be meta.connect"
            assert receiver.bots == ()
            assert receiver.connections == 0

    async def test_a_disconnect_fails_its_calls_only(self) -> None:
        """Calls of the implementation that went fail at once; those of the other one go on."""
        async with (
            WebSocketReceiver(port=0) as receiver,
            reverse(receiver, bot("2"), impl="two") as two,
        ):
            async with reverse(receiver, bot("1"), impl="one") as one:
                tasks = [asyncio.ensure_future(each.call("a")) for each in receiver.bots]
                request = await two.request()
                await one.request()
            with pytest.raises(DisconnectedError, match=r"'one' at 127\.0\.0\.1: a: disconnected"):
                await tasks[1]
            await two.send(ok(request, "still here"))
            assert await tasks[0] == "still here"

    async def test_closing(self) -> None:
        """Closing the receiver closes the sockets with 1001, and fails the calls that wait."""
        async with WebSocketReceiver(port=0) as receiver, reverse(receiver, bot("1")) as peer:
            task = asyncio.ensure_future(receiver.call("a"))
            await peer.request()
            closing = asyncio.ensure_future(receiver.close())
            await peer.ws.receive()
            assert peer.ws.close_code == 1001
            await closing
            with pytest.raises(DisconnectedError, match="the receiver was closed"):
                await task
            with pytest.raises(NotConnectedError):
                await receiver.call("a")

    async def test_mounted(self) -> None:
        """An application serves it, and closes the sockets when it ends."""
        receiver = WebSocketReceiver(path="/onebot/v12/ws")
        application = web.Application()
        receiver.mount(application)
        async with ClientSession() as session:
            async with serve_application(application) as origin:
                ws = await session.ws_connect(f"{origin}/onebot/v12/ws".replace("http", "ws"))
                await ws.send_json(connect())
                await anext(receiver.events())
                reading = asyncio.ensure_future(ws.receive())
            await reading
            assert ws.close_code == 1001
        await receiver.wait_closed()

    async def test_hostile_peers(self, caplog: pytest.LogCaptureFixture) -> None:
        """Garbage, answers for others and messages that are too large lose only their own socket."""
        async with (
            WebSocketReceiver(port=0) as receiver,
            reverse(receiver, bot("1"), impl="good") as good,
            reverse(receiver, bot("2"), impl="bad") as bad,
        ):
            call = asyncio.ensure_future(receiver.bots[0].call("a"))
            request = await good.request()
            await bad.send(ok(request, "stolen"), [], "x", ok({}))
            with contextlib.suppress(ConnectionError):  # it is closed while it is sent
                await bad.ws.send_str("x" * (2**22 + 1))
            await bad.ws.receive()
            assert bad.ws.close_code == 1009
            while receiver.connections > 1:
                await asyncio.sleep(0)
            assert not call.done()
            await good.send(ok(request, "right"))
            assert await call == "right"
        assert {record.levelno for record in caplog.records} <= {logging.INFO, logging.WARNING}

    async def test_a_name_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        """A name that an implementation gives itself cannot write lines of the log."""
        async with (
            WebSocketReceiver(port=0) as receiver,
            reverse(receiver, bot("1"), impl="a\nCRITICAL: b") as peer,
        ):
            await peer.send(1, private())
            await anext(receiver.events("message"))
        assert "\nCRITICAL" not in caplog.text

    async def test_cancelled_everywhere(self) -> None:
        """A receiver with a connection may be cancelled at each of its awaits."""

        async def scenario() -> None:
            async with (
                WebSocketReceiver(port=0) as receiver,
                reverse(receiver, bot("1")) as peer,
                task_of(peer.answering()),
            ):
                await receiver.call("a")

        await cancel_everywhere(scenario)

    async def test_many_at_a_time(self) -> None:
        """A hundred implementations, each with its own bots and calls."""
        async with WebSocketReceiver(port=0) as receiver, ClientSession() as session:
            events = receiver.events("meta.status_update")
            peers = []
            for number in range(100):
                ws = await session.ws_connect(f"ws://127.0.0.1:{receiver.port}/")
                peer = Impl(ws)
                await peer.send(connect(f"i{number}"), status_update(bot(str(number))))
                await anext(events)
                peers.append(peer)
            tasks = [asyncio.ensure_future(each.call("a")) for each in receiver.bots]
            for number, peer in enumerate(peers):
                request = await peer.request()
                assert request["self"]["user_id"] == str(number)
                await peer.send(ok(request, number))
            assert await asyncio.gather(*tasks) == list(range(100))
            await asyncio.gather(*(peer.ws.close() for peer in peers))
