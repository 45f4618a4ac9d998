"""An application that connects to an implementation by WebSocket: calls, events, and what peers do wrong."""

import asyncio
import logging
import pickle
from typing import Any

import aiohttp
import pytest

from aioclient import ClientSession, ReconnectPolicy, WSReconnectError
from aioclient.exceptions import InvalidURL
from aioclient.onebot import (
    Bot,
    BotSelf,
    DisconnectedError,
    Encoding,
    Event,
    InvalidAnswerError,
    NotConnectedError,
    OneBotClient,
    OneBotError,
    PrivateMessageEvent,
    TokenRefusedError,
    UnknownSelf,
    UnsupportedAction,
    WhoAmI,
    decode,
    encode,
    text,
)
from aioclient.onebot.application.client import RECONNECT
from aioclient.testing import cancel_everywhere, refused_port, turns

from .peers import (
    Peer,
    Plain,
    bot,
    connect,
    event,
    failed,
    ok,
    private,
    status_update,
    websocket,
)

pytestmark = [pytest.mark.both_loops, pytest.mark.rows("S002-18")]

SOON = ReconnectPolicy(
    initial=1e-6,
    max_delay=1e-6,
    close_codes=RECONNECT.close_codes,
    statuses=RECONNECT.statuses,
    errors=RECONNECT.errors,
)


def client(url: str, **options: Any) -> OneBotClient:
    return OneBotClient(url, **({"reconnect": SOON} | options))


async def answering(peer: Peer) -> None:
    """A peer without fault."""
    await peer.hello()
    await peer.answering(lambda request: ok(request, {"message_id": "m1", **request["params"]}))


class TestCalls:
    """Actions go out with an echo, and their answers come back to who asked."""

    async def test_a_call_returns_the_data(self) -> None:
        """``call()`` returns the data of the answer, and the params go out as they are."""
        async with websocket(answering) as server, client(server.url) as app:
            data = await app.call("send_message", detail_type="private", **{"qq.x": 1})
            assert data == {"message_id": "m1", "detail_type": "private", "qq.x": 1}

    async def test_segments_are_sent_as_data(self) -> None:
        """Typed values may be parameters."""
        async with websocket(answering) as server, client(server.url) as app:
            data = await app.call("send_message", message=[text("hi")], file=b"\x00\xff")
            assert data["message"] == [{"type": "text", "data": {"text": "hi"}}]
            assert data["file"] == "AP8="

    async def test_send_message(self) -> None:
        """``send_message()`` takes a text, a segment or several, and returns the id."""
        async with websocket(answering) as server, client(server.url) as app:
            for message in ("hi", text("hi"), [text("hi")]):
                assert await app.send_message("private", message, user_id="42") == "m1"

    async def test_an_answer_without_the_id(self) -> None:
        """``send_message()`` raises if the answer has no message_id."""

        async def script(peer: Peer) -> None:
            await peer.answering()

        async with websocket(script) as server, client(server.url) as app:
            with pytest.raises(InvalidAnswerError, match=r"send_message: .*'message_id'"):
                await app.send_message("private", "hi", user_id="42")

    async def test_answers_in_any_order(self) -> None:
        """Each call gets its own answer, whatever the order."""

        async def script(peer: Peer) -> None:
            await peer.hello()
            requests = [await peer.request() for _ in range(5)]
            for request in reversed(requests):
                await peer.send(ok(request, request["params"]["n"]))
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            calls = [app.call("a", n=number) for number in range(5)]
            assert await asyncio.gather(*calls) == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("retcode", "kind"),
        [
            pytest.param(10002, UnsupportedAction, id="S002-17-10002"),
            pytest.param(10101, WhoAmI, id="S002-17-10101"),
            pytest.param(10102, UnknownSelf, id="S002-17-10102"),
            pytest.param(65000, OneBotError, id="S002-17-65000"),
        ],
    )
    async def test_failed_actions(self, retcode: int, kind: type[OneBotError]) -> None:
        """A failed action raises the class of its retcode."""

        async def script(peer: Peer) -> None:
            await peer.answering(lambda request: failed(request, retcode, "not so"))

        async with websocket(script) as server, client(server.url) as app:
            with pytest.raises(kind, match="do_it: not so") as caught:
                await app.call("do_it")
            assert (caught.value.retcode, caught.value.action) == (retcode, "do_it")

    async def test_messagepack(self) -> None:
        """With MessagePack actions are binary messages, and so are their answers."""

        async def script(peer: Peer) -> None:
            message = await peer.ws.receive()
            assert message.type is aiohttp.WSMsgType.BINARY
            request: Any = decode(message.data, Encoding.MSGPACK)
            answer = encode(ok(request, request["params"]["data"]), Encoding.MSGPACK)
            await peer.ws.send_bytes(answer)
            await peer.until_closed()

        async with (
            websocket(script) as server,
            client(server.url, encoding=Encoding.MSGPACK) as app,
        ):
            assert await app.call("a", data=b"\x00\xff") == b"\x00\xff"

    async def test_self_is_filled_in(self) -> None:
        """Where one bot is known it is the ``self``; not in meta actions, and not where there are two."""
        seen: list[Plain] = []

        def answer(request: Plain) -> Plain:
            seen.append(request)
            return ok(request)

        async def script(peer: Peer) -> None:
            await peer.hello(bot("1"))
            await peer.answering(answer)

        async with websocket(script) as server, client(server.url) as app:
            await anext(app.events("meta.status_update"))
            await app.call("a")
            await app.call("get_version")
            await app.call("a", BotSelf("qq", "2"))
            await app.call("a", self=Bot("qq", "3"))
            assert [request.get("self") for request in seen] == [bot("1"), None, bot("2"), bot("3")]
            with pytest.raises(TypeError, match="self='1'; give a Bot"):
                await app.call("a", "1")  # type: ignore[arg-type]

    async def test_two_bots_need_a_self(self) -> None:
        """With two bots nothing is filled in, and each bot calls for itself."""
        seen: list[Plain] = []

        def answer(request: Plain) -> Plain:
            seen.append(request)
            return ok(request) if "self" in request else failed(request, 10101)

        async def script(peer: Peer) -> None:
            await peer.hello(bot("1"), bot("2"))
            await peer.answering(answer)

        async with websocket(script) as server, client(server.url) as app:
            await anext(app.events("meta.status_update"))
            with pytest.raises(WhoAmI):
                await app.call("a")
            for each in app.bots:
                await each.call("a")
            assert [request.get("self") for request in seen] == [None, bot("1"), bot("2")]

    async def test_a_call_waits_for_the_connection(self) -> None:
        """A call that is made before there is a connection is sent on the first one."""
        async with websocket(answering, statuses={0: 503, 1: 503}) as server:
            async with client(server.url) as app:
                assert not app.is_connected
                await app.call("a")
                assert app.is_connected
            assert len(server.requests) == 3

    async def test_params_that_cannot_be_sent(self) -> None:
        """They raise at once, and the connection goes on."""
        async with websocket(answering) as server, client(server.url) as app:
            with pytest.raises(TypeError):
                await app.call("a", value={1, 2})
            with pytest.raises(ValueError, match="peers take 4194304; upload_file"):
                await app.call("a", value="x" * 2**22)
            await app.call("a")

    async def test_not_open(self) -> None:
        """A client that was not entered, or was closed, sends nothing."""
        app = client("ws://127.0.0.1:1/")
        with pytest.raises(RuntimeError, match="is not open; use it as 'async with"):
            await app.call("a")
        await app.close()
        with pytest.raises(
            NotConnectedError, match=r"ws://127\.0\.0\.1:1/: a: the client is closed"
        ):
            await app.call("a")
        with pytest.raises(RuntimeError, match="can be entered once"):
            await app.__aenter__()

    async def test_get_status(self) -> None:
        """``get_status()`` returns the status, and its bots are the known ones from then on."""
        status = {"good": True, "bots": [{"self": bot("7"), "online": False, "qq.level": 3}]}

        async def script(peer: Peer) -> None:
            await peer.hello()
            await peer.answering(lambda request: ok(request, status))

        async with websocket(script) as server, client(server.url) as app:
            assert await app.get_status() == status
            (only,) = app.bots
            assert (only.user_id, only.online, only.extra) == ("7", False, {"level": 3})
            assert only.status() == status["bots"][0]


class TestEvents:
    """What the implementation tells arrives, typed, once."""

    async def test_typed_events(self) -> None:
        """Known events are of their classes; the iterator begins with what came before it."""

        async def script(peer: Peer) -> None:
            await peer.hello()
            await peer.send(private("hello"))
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            found = [each async for each in first(app, 3)]
            message = found[2]
            assert [each.detail_type for each in found] == ["connect", "status_update", "private"]
            assert isinstance(message, PrivateMessageEvent)
            assert message.message == [text("hello")]
            assert app.bot_of(message) is app.bots[0]
            assert app.bot_of(found[0]) is None

    async def test_unknown_events_are_raw(self) -> None:
        """An event that the standard does not have arrives with all its fields."""

        async def script(peer: Peer) -> None:
            await peer.send(event("qq.poke", self=bot(), **{"qq.strength": [1, {"a": None}]}))
            await peer.send(event("message.private", self=bot(), message="no list"))
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            poke, odd = [each async for each in first(app, 2)]
            assert (type(poke), poke.type, poke.detail_type) == (Event, "qq", "poke")
            assert poke.extra == {"qq.strength": [1, {"a": None}]}
            assert (odd.type, odd.detail_type) == ("message", "private")
            assert odd.to_dict()["message"] == "no list"

    async def test_bots_of_status_updates(self) -> None:
        """The bots are those of the last status_update, and those that events are about."""

        async def script(peer: Peer) -> None:
            await peer.hello(bot("1"), bot("2"))
            await peer.send(private(self=bot("3")))
            await peer.request()
            update = status_update(bot("2"), bot("4", "tg"))
            update["status"]["bots"][0]["online"] = False
            update["status"]["bots"] += [None, {"online": True}, {"self": {"platform": "?"}}]
            await peer.send(update)
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            events = app.events("message", "meta.status_update")
            await anext(events)
            await anext(events)
            two = app.bots[1]
            assert [each.user_id for each in app.bots] == ["1", "2", "3"]
            call = asyncio.ensure_future(app.call("go_on"))
            await anext(events)
            call.cancel()
            assert [(each.platform, each.user_id, each.online) for each in app.bots] == [
                ("qq", "2", False),
                ("tg", "4", True),
            ]
            assert app.bots[0] is two

    async def test_each_iterator_gets_all(self) -> None:
        """Two iterators get the same events; one may choose by name."""
        sub = event("notice.group_member_increase", sub_type="join", self=bot())

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(private(), sub, event("request.x", self=bot()))
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            every, some = app.events(), app.events("notice.group_member_increase.join", "request")
            assert repr(some).startswith("<EventIterator of notice.group_member_increase.join or")
            call = asyncio.ensure_future(app.call("begin"))
            assert [(await anext(every)).type for _ in range(3)] == ["message", "notice", "request"]
            assert [(await anext(some)).type for _ in range(2)] == ["notice", "request"]
            call.cancel()

    async def test_two_tasks_share_an_iterator(self) -> None:
        """Each event of an iterator goes to one of its tasks."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(private("a"), private("b"))
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            events = app.events()
            tasks = [asyncio.ensure_future(anext(events)) for _ in range(2)]
            call = asyncio.ensure_future(app.call("begin"))
            both = await asyncio.gather(*tasks)
            assert sorted(each.to_dict()["alt_message"] for each in both) == ["a", "b"]
            call.cancel()

    async def test_iterators_end_with_the_client(self) -> None:
        """An iteration gives what is left, and ends when the client is closed."""

        async def script(peer: Peer) -> None:
            await peer.hello()
            await peer.until_closed()

        async with websocket(script) as server:
            async with client(server.url) as app:
                events, waiting = app.events(), app.events("notice")
                task = asyncio.ensure_future(anext(waiting, None))
                await anext(app.events("meta.status_update"))
            assert [each.detail_type async for each in events] == ["connect", "status_update"]
            assert await task is None
            await app.wait_closed()

    async def test_a_closed_iterator(self) -> None:
        """``aclose()`` ends an iteration, also one that waits."""
        async with websocket(answering) as server, client(server.url) as app:
            async with app.events("notice") as events:
                task = asyncio.ensure_future(anext(events, None))
                await turns()
            assert await task is None
            assert await anext(events, None) is None

    async def test_duplicates_are_dropped(self) -> None:
        """An event that comes again, also after a reconnect, is dropped; meta events never are."""
        again = private("again")

        async def script(peer: Peer) -> None:
            await peer.send(connect() | {"id": "same"}, again, again)
            await peer.send(again | {"self": bot("2")}, private("new", id=f"n{peer.index}"))
            if peer.index == 2:
                await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            found = [each async for each in first(app, 3 + 3 + 1)]
            told = [each.to_dict().get("alt_message", "connect") for each in found]
            assert told == ["connect", "again", "again", "new", "connect", "new", "connect"]

    async def test_names_of_events(self) -> None:
        """A name that no event can have is refused."""
        app = client("ws://127.0.0.1:1/")
        with pytest.raises(ValueError, match=r"'message\.' is not the name of an event"):
            app.events("message.")
        with pytest.raises(TypeError, match="1 is not the name of an event"):
            app.events(1)  # type: ignore[arg-type]


async def first(app: OneBotClient, count: int) -> Any:
    """Yield the first events."""
    events = app.events()
    for _ in range(count):
        yield await anext(events)


class TestHandlers:
    """Functions that are called for events."""

    async def test_plain_and_async_handlers(self) -> None:
        """Both are called with the event and its bot, beside an iterator."""
        found: list[tuple[str, str, object]] = []
        done = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.hello()
            await peer.send(private("hello"))
            await peer.answering(lambda request: ok(request, request["self"]["user_id"]))

        async with websocket(script) as server:
            app = client(server.url)

            @app.on("message.private")
            async def in_private(event: PrivateMessageEvent, bot: Any) -> None:
                found.append(("private", event.alt_message, await bot.call("who")))
                done.set()

            @app.on("message")
            def on_message(event: Event, bot: Any) -> None:
                found.append(("message", event.type, bot.user_id))

            @app.on("notice")
            def never(event: Event, bot: Any) -> None:
                raise AssertionError

            async with app:
                events = app.events("message")
                await done.wait()
                assert (await anext(events)).detail_type == "private"
            assert found == [("message", "message", "10001"), ("private", "hello", "10001")]

    async def test_what_handlers_raise(self, caplog: pytest.LogCaptureFixture) -> None:
        """It is logged with its place, and neither the event nor later ones are lost to anybody."""
        found: list[str] = []
        done = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.hello()
            await peer.send(private("one"), private("two"))
            await peer.answering(lambda request: failed(request, 35001))

        async with websocket(script) as server, client(server.url) as app:
            app.on("message")(raising)
            app.on("message")(raising_later)
            app.on("message")(calling_in_vain)

            @app.on("message")
            def last(event: Any, bot: object) -> None:
                found.append(event.alt_message)
                if len(found) == 2:
                    done.set()

            events = app.events("message")
            await done.wait()
            assert [(await anext(events)).to_dict()["alt_message"] for _ in range(2)] == found
            while len(caplog.records) < 6:
                await asyncio.sleep(0)
        lines = [record.getMessage() for record in caplog.records]
        name = "tests.onebot.test_application_websocket"
        for told in (
            f"{name}.raising failed for message.private: ZeroDivisionError: division by zero, at {__file__}:",
            f"{name}.raising_later failed for message.private: KeyError: 'x', at {__file__}:",
            f"{name}.calling_in_vain failed for message.private: LogicError: a: no (retcode 35001), at ",
        ):
            assert len([line for line in lines if line.startswith(told)]) == 2, lines

    async def test_returned_actions(self, caplog: pytest.LogCaptureFixture) -> None:
        """Actions that a handler returns are carried out for its bot; failures are logged."""
        seen: list[Plain] = []
        done = asyncio.Event()

        def answer(request: Plain) -> Plain:
            seen.append(request)
            if len(seen) == 3:
                done.set()
            return failed(request, 34001) if request["action"] == "b" else ok(request)

        async def script(peer: Peer) -> None:
            await peer.send(connect(), status_update(bot("1"), bot("2")), private(self=bot("2")))
            await peer.answering(answer)

        async with websocket(script) as server, client(server.url) as app:

            @app.on("message")
            async def several(event: Event, bot: object) -> object:
                return [{"action": "a", "params": {}}, {"action": "b", "params": {"x": 1}}]

            @app.on("message")
            def wrong(event: Event, bot: object) -> object:
                return "a text"

            @app.on("message")
            def one(event: Event, bot: object) -> object:
                return {"action": "c", "params": {}}

            await done.wait()
            while len(caplog.records) < 2:
                await asyncio.sleep(0)
        assert sorted(request["action"] for request in seen) == ["a", "b", "c"]
        assert all(request["self"] == bot("2") for request in seen)
        lines = "\n".join(record.getMessage() for record in caplog.records)
        assert "several returned the action 'b' for message.private, which failed: b: no" in lines
        assert (
            "a handler returns None, an ActionRequest, or a list of them; it returned str" in lines
        )

    async def test_functions_that_cannot_be_called(self) -> None:
        """A function that does not take an event and a bot is refused when it is registered."""
        app = client("ws://127.0.0.1:1/")
        with pytest.raises(TypeError, match="cannot be called with an event and a bot"):
            app.on()(lambda event: None)  # type: ignore[misc,arg-type]

    async def test_at_most_a_hundred_at_a_time(self) -> None:
        """Of 150 handlers 100 run, and the others when those end."""
        running, most, done = 0, 0, 0
        release, all_done = asyncio.Event(), asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.send(*(private() for _ in range(150)))
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:

            @app.on()
            async def busy(event: Event, bot: object) -> None:
                nonlocal running, most, done
                running += 1
                most = max(most, running)
                await release.wait()
                running -= 1
                done += 1
                if done == 150:
                    all_done.set()

            while running < 100:
                await asyncio.sleep(0)
            await turns(10)
            release.set()
            await all_done.wait()
            assert most == 100

    async def test_closing_cancels_handlers(self) -> None:
        """A handler that runs when the client is closed is cancelled; one may close the client itself."""
        ends: list[str] = []
        begun = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.send(private())
            await peer.until_closed()

        async with websocket(script) as server:
            app = client(server.url)

            @app.on()
            async def waits(event: Event, bot: object) -> None:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    ends.append("cancelled")
                    raise

            @app.on()
            async def closes(event: Event, bot: object) -> None:
                await app.close()
                ends.append("closed")
                begun.set()

            async with app:
                await begun.wait()
            assert ends == ["cancelled", "closed"]


def raising(event: Event, bot: object) -> None:
    print(1 / 0)


async def raising_later(event: Event, bot: object) -> None:
    await asyncio.sleep(0)
    raise KeyError("x")


async def calling_in_vain(event: Event, bot: Any) -> None:
    await bot.call("a")


class TestReconnecting:
    """The connection comes back, and what waited for an answer knows."""

    async def test_pending_calls_fail_at_once(self) -> None:
        """When the socket ends, calls without an answer raise an error that says so."""

        async def script(peer: Peer) -> None:
            if peer.index == 0:
                await peer.request()
                await peer.request()
                peer.lose()
                return
            await peer.answering()

        async with websocket(script) as server, client(server.url) as app:
            calls = [app.call("a"), app.call("b")]
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(error) for error in found] == [DisconnectedError] * 2
            assert str(found[1]) == (
                f"{server.url}: b: disconnected before the answer: the WebSocket ended with 1006; "
                "whether the action was carried out is not known"
            )
            copied = pickle.loads(pickle.dumps(found[1]))
            assert (str(copied), copied.action) == (str(found[1]), "b")
            await app.call("c")
            assert len(server.requests) == 2

    @pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 4000])
    async def test_every_close_code(self, code: int) -> None:
        """Whatever code the implementation closes with, the client comes back."""

        async def script(peer: Peer) -> None:
            if peer.index == 0:
                await peer.ws.close(code=code)
            await peer.answering()

        async with websocket(script) as server, client(server.url) as app:
            await anext_or_call(app)
            assert len(server.requests) == 2

    @pytest.mark.parametrize("status", [404, 429, 500, 502, 307, 200])
    async def test_statuses(self, status: int) -> None:
        """A refused handshake is tried again, whatever its status; a redirect is not followed."""
        async with websocket(answering, statuses={0: status}) as server:
            async with client(server.url) as app:
                await app.call("a")
            assert len(server.requests) == 2

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    async def test_no_redirect(self, status: int) -> None:
        """A redirect is not followed: the token must not travel."""
        async with websocket(answering) as other:
            async with websocket(answering, statuses={0: status}) as server:
                server.location = other.url
                async with client(server.url, access_token="t") as app:
                    await app.call("a")
                assert len(server.requests) == 2
            assert other.requests == []

    @pytest.mark.parametrize("status", [401, 403])
    async def test_a_refused_token(self, status: int, caplog: pytest.LogCaptureFixture) -> None:
        """401 and 403 are final: calls, iterators and ``wait_closed()`` raise it, and a line is logged."""
        async with websocket(answering, statuses={0: status}) as server:
            async with client(server.url, access_token="wrong") as app:
                events = app.events()
                with pytest.raises(
                    TokenRefusedError, match=f"refused with {status}; give access_tok"
                ):
                    await app.call("a")
                with pytest.raises(TokenRefusedError):
                    await anext(events)
                assert await anext(events, None) is None
                with pytest.raises(TokenRefusedError):
                    await app.wait_closed()
                with pytest.raises(TokenRefusedError) as caught:
                    await app.call("b")
            assert caught.value.status == status
            assert pickle.loads(pickle.dumps(caught.value)).status == status
            assert server.requests[0].headers["Authorization"] == "Bearer wrong"
        assert "no more events" in caplog.text
        assert "wrong" not in caplog.text + repr(app) + str(caught.value)

    async def test_a_policy_that_gives_up(self) -> None:
        """``reconnect=`` decides; calls then raise NotConnectedError with what ended it."""
        policy = ReconnectPolicy(initial=1e-6, max_delay=1e-6, max_attempts=2)
        with refused_port() as port:
            async with client(f"ws://127.0.0.1:{port}/", reconnect=policy) as app:
                with pytest.raises(
                    NotConnectedError, match="a: there will be no connection"
                ) as caught:
                    await app.call("a")
                assert isinstance(caught.value.__cause__, WSReconnectError)
                with pytest.raises(WSReconnectError):
                    await app.wait_closed()

    async def test_close_fails_pending_calls(self) -> None:
        """Closing the client fails the calls that wait, connected or not."""

        async def script(peer: Peer) -> None:
            await peer.until_closed()

        async with websocket(script) as server:
            async with client(server.url) as app:
                task = asyncio.ensure_future(app.call("a"))
                while not app.is_connected:
                    await asyncio.sleep(0)
                await turns()
            with pytest.raises(DisconnectedError, match="the client was closed"):
                await task
        with refused_port() as port:
            async with client(f"ws://127.0.0.1:{port}/") as app:
                task = asyncio.ensure_future(app.call("a"))
                await turns()
            with pytest.raises(NotConnectedError):
                await task

    async def test_a_session_of_the_user(self) -> None:
        """``session=`` is used, and not closed; the token goes in the field alone."""
        async with websocket(answering) as server, ClientSession() as session:
            async with client(server.url, session=session, access_token="t") as app:
                await app.call("a")
            assert not session.closed
            request = server.requests[0]
            assert request.headers["Authorization"] == "Bearer t"
            assert "Origin" not in request.headers
            assert not request.query_string


async def anext_or_call(app: OneBotClient) -> None:
    """Call, also if the first connection is closed while the call is sent."""
    try:
        await app.call("a")
    except DisconnectedError:
        await app.call("a")


class TestHostilePeers:
    """A peer that does not keep to the protocol loses nothing but itself."""

    async def test_strange_answers(self, caplog: pytest.LogCaptureFixture) -> None:
        """Answers without an echo, twice, for nobody, or that are none, are left out."""

        async def script(peer: Peer) -> None:
            request = await peer.request()
            answer = ok(request, 1)
            await peer.send(ok({}), ok({"echo": "77"}), ok({"echo": 1}), ok({"echo": ""}))
            await peer.send(answer, answer | {"data": 2}, answer)
            await peer.answering(lambda request: ok(request, 3))

        async with websocket(script) as server, client(server.url) as app:
            assert await app.call("a") == 1
            assert await app.call("a") == 3
        assert (
            "received what is neither an event nor an answer: action response.echo" in caplog.text
        )

    async def test_an_answer_that_is_none(self) -> None:
        """An answer with the echo of a call that is no answer fails that call at once."""

        async def script(peer: Peer) -> None:
            await peer.answering(lambda request: {"echo": request["echo"], "status": "maybe"})

        async with websocket(script) as server, client(server.url) as app:
            with pytest.raises(InvalidAnswerError, match="action response"):
                await app.call("a")

    async def test_answers_of_another_socket(self) -> None:
        """A socket cannot answer the calls of another one: each has its own echoes."""

        async def script(peer: Peer) -> None:
            request = await peer.request()
            if peer.index == 0:
                other["echo"] = request["echo"]
                both.set()
                await peer.until_closed()
            await both.wait()
            await peer.send(ok({"echo": other["echo"]}, "stolen") | {"echo": "2"})
            await peer.send(ok(request, "own"))
            await peer.until_closed()

        other: Plain = {}
        both = asyncio.Event()
        async with websocket(script) as server, client(server.url) as one:
            task = asyncio.ensure_future(one.call("a"))
            await both.wait()
            async with client(server.url) as two:
                assert await two.call("a") == "own"
            assert not task.done()
            task.cancel()

    @pytest.mark.parametrize(
        "garbage",
        [
            "",
            "{",
            "[]",
            "null",
            '"type"',
            '{"type": 1}',
            '{"type": "message"}',
            '{"type": "a", "type": "b"}',
            '{"a": NaN}',
            '{"echo": {}}',
            "{}",
            "[" * 200,
        ],
    )
    async def test_garbage(self, garbage: str, caplog: pytest.LogCaptureFixture) -> None:
        """A message that is neither an event nor an answer is logged, and the socket stays."""

        async def script(peer: Peer) -> None:
            await peer.ws.send_str(garbage)
            await peer.answering()

        async with websocket(script) as server, client(server.url) as app:
            await app.call("a")
            assert len(server.requests) == 1
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert record.getMessage().startswith(f"{server.url}: received ")
        assert record.name == "aioclient.onebot.application"

    async def test_much_garbage(self) -> None:
        """After ten such messages in a row the socket is closed with 1008, and opened again."""

        async def script(peer: Peer) -> None:
            await peer.hello()
            for _ in range(11):
                await peer.send("garbage")
            if peer.index:
                await peer.send(private())
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            while len(server.codes) < 2:
                await anext(app.events("meta.connect"))
            assert server.codes[:2] == [1008, 1008]

    async def test_binary_garbage(self) -> None:
        """Neither does a binary message that is no MessagePack end the socket."""

        async def script(peer: Peer) -> None:
            await peer.ws.send_bytes(b"\xc1")
            await peer.ws.send_bytes(b"\x93\x01")
            await peer.answering()

        async with websocket(script) as server, client(server.url) as app:
            await app.call("a")
            assert len(server.requests) == 1

    async def test_a_message_that_is_too_large(self) -> None:
        """A message of more than 4 MiB ends that socket; calls that wait fail, and the next socket is used."""

        async def script(peer: Peer) -> None:
            request = await peer.request()
            if peer.index == 0:
                await peer.send(ok(request, "x" * 2**22))
                await peer.until_closed()
            await peer.send(ok(request))
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            with pytest.raises(DisconnectedError, match="ended with 1009"):
                await app.call("a")
            await app.call("a")

    async def test_a_large_message(self) -> None:
        """A message of nearly 4 MiB arrives."""
        large = "x" * (2**22 - 1000)

        async def script(peer: Peer) -> None:
            await peer.answering(lambda request: ok(request, large))

        async with websocket(script) as server, client(server.url) as app:
            assert await app.call("a") == large

    async def test_a_flood_with_a_slow_reader(self) -> None:
        """While 1,000 events wait no more are read, and none is lost when the reader goes on."""
        count = 5_000

        async def script(peer: Peer) -> None:
            for number in range(count):
                await peer.send(private("x" * 2_000, id=f"f{number}"))
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            events = app.events("message")
            await anext(events)
            while "1000 waiting" not in repr(events):
                await asyncio.sleep(0)
            await turns(1_000)
            assert "1000 waiting" in repr(events)
            for number in range(1, count):
                assert (await anext(events)).id == f"f{number}"

    async def test_large_events_with_a_slow_reader(self) -> None:
        """So it is while 16 MiB of events wait, here of 4 MB each."""

        async def script(peer: Peer) -> None:
            for number in range(10):
                await peer.send(private("x" * 2_000_000, id=f"f{number}"))
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            events = app.events("message")
            await anext(events)
            while "5 waiting" not in repr(events):
                await asyncio.sleep(0)
            await turns(1_000)
            assert "5 waiting" in repr(events)
            for number in range(1, 10):
                assert (await anext(events)).id == f"f{number}"

    async def test_calls_are_answered_behind_a_flood(self) -> None:
        """A reader that calls an action for each event gets its answers, although events are before them."""

        async def flood(peer: Peer) -> None:
            for number in range(5_000):
                await peer.send(private(id=f"f{number}"))

        async def script(peer: Peer) -> None:
            task = asyncio.ensure_future(flood(peer))
            try:
                await peer.answering()
            finally:
                task.cancel()
                await asyncio.wait((task,))

        async with websocket(script) as server, client(server.url) as app:
            events = app.events("message")
            for number in range(100):
                assert (await anext(events)).id == f"f{number}"
                await app.call("a")

    async def test_nobody_listens(self) -> None:
        """The newest 1,000 events are kept for the first listener; calls go on meanwhile."""

        async def script(peer: Peer) -> None:
            for number in range(3_000):
                await peer.send(private(id=f"f{number}"))
            await peer.answering()

        async with websocket(script) as server, client(server.url) as app:
            await app.call("a")
            events = app.events()
            assert [(await anext(events)).id for _ in range(1000)] == [
                f"f{number}" for number in range(2000, 3000)
            ]
            others = app.events()
            await app.call("a")
            assert "0 waiting" in repr(others)

    @pytest.mark.parametrize("step", range(6))
    async def test_a_disconnect_at_each_point(self, step: int) -> None:
        """Wherever the implementation drops the first connection, the second one works."""

        async def script(peer: Peer) -> None:
            if peer.index:
                await answering(peer)
            steps: list[Any] = [
                lambda: peer.send(connect()),
                lambda: peer.send(status_update(bot())),
                peer.request,
                lambda: peer.send(private()),
                lambda: peer.ws._writer.send_frame(b"half of", 1),
            ]
            for number, each in enumerate(steps):
                if number == step:
                    break
                await each()
            peer.lose()

        async with websocket(script) as server, client(server.url) as app:
            await anext_or_call(app)
            await app.call("a")
            assert len(server.requests) == 2
            assert [each.user_id for each in app.bots] == ["10001"]


class TestCancellation:
    """Cancelled at any await, nothing is left behind."""

    async def test_everywhere(self) -> None:
        """A client that is opened, used and closed may be cancelled at each of its awaits."""

        async def script(peer: Peer) -> None:
            await peer.hello()
            await peer.send(private())
            await peer.answering()

        async with websocket(script) as server:

            async def scenario() -> None:
                async with client(server.url) as app:
                    events = app.events()
                    await app.call("a")
                    await anext(events)

            await cancel_everywhere(scenario)

    async def test_a_cancelled_call(self) -> None:
        """The answer to a call that was cancelled is left out, and the socket goes on."""
        got = asyncio.Event()

        async def script(peer: Peer) -> None:
            request = await peer.request()
            got.set()
            second = await peer.request()
            await peer.send(ok(request, 1), ok(second, 2))
            await peer.until_closed()

        async with websocket(script) as server, client(server.url) as app:
            task = asyncio.ensure_future(app.call("a"))
            await got.wait()
            task.cancel()
            assert await app.call("a") == 2


class TestArguments:
    """What a client cannot work with is refused when it is made."""

    @pytest.mark.parametrize("url", ["ftp://a/", "ws:///x", "localhost:80", "", "http:/x"])
    async def test_urls(self, url: str) -> None:
        """A URL of another scheme, or without a host."""
        with pytest.raises(InvalidURL):
            OneBotClient(url)

    async def test_numbers(self) -> None:
        """Limits below 0, and poll_seconds that are not whole."""
        with pytest.raises(ValueError, match="timeout=-1"):
            OneBotClient("ws://a/", timeout=-1)
        with pytest.raises(ValueError, match="poll_seconds=-1"):
            OneBotClient("ws://a/", poll_seconds=-1)
        with pytest.raises(TypeError, match=r"poll_seconds=1\.5"):
            OneBotClient("ws://a/", poll_seconds=1.5)  # type: ignore[arg-type]

    async def test_repr(self) -> None:
        """``repr()`` shows the URL without secrets, and the state."""
        app = OneBotClient("ws://user:pw@a/?access_token=secret", access_token="token")
        assert repr(app) == "<OneBotClient ws://a/?access_token=*** not connected>"
        await app.close()
        assert app.closed
        assert "closed" in repr(app)
