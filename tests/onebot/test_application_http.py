"""An application that sends actions by HTTP and fetches events by long polling."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from aioclient import ClientSession, StatusError
from aioclient.onebot import (
    BotSelf,
    Encoding,
    InvalidAnswerError,
    OneBotClient,
    TokenRefusedError,
    UnsupportedAction,
    WhoAmI,
    decode,
    encode,
)
from aioclient.testing import RawConnection, RawServer, cancel_everywhere, turns

from .peers import HttpServer, Plain, bot, event, failed, http, ok, private

pytestmark = [pytest.mark.both_loops, pytest.mark.rows("S002-10", "S002-11")]


async def never(request: Plain) -> Plain:
    await asyncio.Event().wait()
    return request


class TestCalls:
    """Each action is a request."""

    async def test_a_call(self) -> None:
        """The body is the action without an echo, and the token is in the field alone."""
        async with http(lambda request: ok(request, [1])) as server:
            async with OneBotClient(server.url, access_token="t") as app:
                assert app.is_connected
                assert await app.call("a", BotSelf("qq", "1"), x=None) == [1]
            assert not app.is_connected
        assert server.requests == [{"action": "a", "params": {"x": None}, "self": bot("1")}]
        (headers,) = server.headers
        assert headers["Authorization"] == "Bearer t"
        assert headers["Content-Type"] == "application/json"
        assert "Origin" not in headers

    async def test_a_failed_action(self) -> None:
        """It raises the class of its retcode."""
        async with (
            http(lambda request: failed(request, 10101)) as server,
            OneBotClient(server.url) as app,
        ):
            with pytest.raises(WhoAmI):
                await app.call("a")

    async def test_messagepack(self) -> None:
        """With MessagePack both bodies are that; an answer in JSON is read as such."""

        async def answer(request: web.Request) -> web.Response:
            assert request.content_type == "application/msgpack"
            plain: Any = decode(await request.read(), Encoding.MSGPACK)
            if plain["action"] == "json":
                return web.json_response(ok(plain, "text"))
            body = encode(ok(plain, plain["params"]["data"]), Encoding.MSGPACK)
            return web.Response(body=body, content_type="application/msgpack")

        server = HttpServer()
        server.handle = answer  # type: ignore[method-assign,assignment]
        async with server.serving(), OneBotClient(server.url, encoding=Encoding.MSGPACK) as app:
            assert await app.call("a", data=b"\xff") == b"\xff"
            assert await app.call("json") == "text"

    async def test_self_is_filled_in_after_get_status(self) -> None:
        """The bots are those that ``get_status()`` told."""
        status = {"good": True, "bots": [{"self": bot("1"), "online": True}]}
        async with (
            http(lambda request: ok(request, status)) as server,
            OneBotClient(server.url) as app,
        ):
            await app.call("a")
            await app.get_status()
            await app.call("a")
            assert [each.user_id for each in app.bots] == ["1"]
        assert [request.get("self") for request in server.requests] == [None, None, bot("1")]

    @pytest.mark.parametrize(
        "status", [pytest.param(401, id="AUTH-11-401"), pytest.param(403, id="AUTH-11-403")]
    )
    async def test_a_refused_token(self, status: int) -> None:
        """401 and 403 are one error, which does not show the token."""
        async with (
            http(web.Response(status=status)) as server,
            OneBotClient(server.url, access_token="wrong-one") as app,
        ):
            with pytest.raises(TokenRefusedError, match=f"refused with {status}") as caught:
                await app.call("a")
        assert "wrong-one" not in str(caught.value) + repr(caught.value) + repr(app)

    async def test_other_statuses(self) -> None:
        """They are errors with the status, and no redirect is followed: the token must not travel."""
        async with (
            http(
                web.Response(status=500, text="broken"),
                web.Response(status=415),
                web.Response(status=307, headers={"Location": "/"}),
                web.Response(status=204),
            ) as server,
            OneBotClient(server.url, access_token="t") as app,
        ):
            for code in (500, 415):
                with pytest.raises(StatusError) as caught:
                    await app.call("a")
                assert caught.value.status == code
            for code in (307, 204):
                with pytest.raises(InvalidAnswerError, match=f"has status {code}, not 200"):
                    await app.call("a")
        assert len(server.requests) == 4

    @pytest.mark.parametrize(
        ("body", "content_type", "told"),
        [
            (b"{", "application/json", "invalid JSON"),
            (b"\xc1", "application/msgpack", "invalid MessagePack"),
            (b"[]", "application/json", "expected dict, found list"),
            (b'{"status":"ok"}', "application/json", r"action response\.retcode: missing"),
            (b"<html>", "text/html", "the answer is 'text/html"),
        ],
    )
    async def test_answers_that_are_none(self, body: bytes, content_type: str, told: str) -> None:
        """A body that is no answer raises an error that says why."""
        response = web.Response(body=body, headers={"Content-Type": content_type})
        async with http(response) as server, OneBotClient(server.url) as app:
            with pytest.raises(InvalidAnswerError, match=told):
                await app.call("a")

    async def test_content_types_with_parameters(self) -> None:
        """Parameters and case of a media type do not matter; a missing one is that of the request."""
        body = json.dumps(ok({}, 5)).encode()
        heads = (b"Content-Type: Application/JSON; charset=UTF-8\r\n", b"")

        async def script(conn: RawConnection) -> None:
            for head in heads:
                await conn.read_request()
                length = b"Content-Length: %d\r\n" % len(body)
                conn.send(b"HTTP/1.1 200 OK\r\n" + head + length + b"\r\n" + body)

        async with RawServer(script) as raw, OneBotClient(raw.url()) as app:
            for _ in heads:
                assert await app.call("a") == 5

    async def test_an_answer_that_is_too_large(self) -> None:
        """An answer of more than 4 MiB is not read to its end."""
        async with (
            http(lambda request: ok(request, "x" * 2**22)) as server,
            OneBotClient(server.url) as app,
        ):
            with pytest.raises(Exception, match="max_body_size=4194304"):
                await app.call("a")

    async def test_nobody_is_asked_for_events(self) -> None:
        """While nobody listens no events are fetched, and there is no task."""
        async with http(ok) as server, OneBotClient(server.url) as app:
            tasks = len(asyncio.all_tasks())
            await app.call("a")
            await turns(10)
            assert [request["action"] for request in server.requests] == ["a"]
            assert len(asyncio.all_tasks()) <= tasks + 1  # the server's


class TestPolling:
    """Events are fetched while somebody listens."""

    async def test_events(self) -> None:
        """They come in order, each once, and the request waits for events at the implementation."""
        one, two, three = private("1"), private("2"), event("qq.poke", self=bot("2"))
        answers = [[one, two], [two, three], never]
        async with (
            http(*answers_of(answers)) as server,
            OneBotClient(server.url, poll_seconds=7) as app,
        ):
            events = app.events()
            found = [await anext(events) for _ in range(3)]
            assert [each.id for each in found] == [one["id"], two["id"], three["id"]]
            assert [each.user_id for each in app.bots] == ["10001", "2"]
        assert server.requests[0] == {
            "action": "get_latest_events",
            "params": {"limit": 100, "timeout": 7},
        }

    async def test_handlers(self) -> None:
        """A handler that is registered before the client is opened gets them, too."""
        done = asyncio.Event()
        async with http(*answers_of([[private()], never])) as server:
            app = OneBotClient(server.url)

            @app.on("message.private")
            def handler(event: object, bot: object) -> None:
                done.set()

            async with app:
                await done.wait()
        assert server.cancelled <= 1

    async def test_an_implementation_without_events(self) -> None:
        """An action that is not supported ends the events with that error; calls go on."""

        def answer(request: Plain) -> Plain:
            return failed(request, 10002) if "timeout" in request["params"] else ok(request)

        async with http(answer) as server, OneBotClient(server.url) as app:
            with pytest.raises(UnsupportedAction, match="get_latest_events: no"):
                await anext(app.events())
            with pytest.raises(UnsupportedAction):
                await app.wait_closed()
            await app.call("a")

    async def test_a_refused_token(self) -> None:
        """So does a refused token."""
        async with http(web.Response(status=403)) as server, OneBotClient(server.url) as app:
            with pytest.raises(TokenRefusedError):
                await anext(app.events())

    async def test_events_that_are_none(self, caplog: pytest.LogCaptureFixture) -> None:
        """They are logged and left out, the others arrive."""
        good = private()
        async with (
            http(*answers_of([[{}, 5, good], never])) as server,
            OneBotClient(server.url) as app,
        ):
            assert (await anext(app.events())).id == good["id"]
        assert caplog.text.count("received what is no event") == 2

    async def test_cancelled_everywhere(self) -> None:
        """A client may be cancelled at each of its awaits."""
        async with http(answer_or_events) as server:

            async def scenario() -> None:
                async with OneBotClient(server.url) as app:
                    await app.call("a")
                    await anext(app.events())

            await cancel_everywhere(scenario)

    async def test_a_session_of_the_user(self) -> None:
        """``session=`` is used, and not closed."""
        async with http(ok) as server, ClientSession(headers={"X-A": "b"}) as session:
            async with OneBotClient(server.url, session=session) as app:
                await app.call("a")
            assert not session.closed
        assert server.headers[0]["X-A"] == "b"


def answers_of(events: list[Any]) -> list[Any]:
    """Return answers to get_latest_events."""
    return [
        each if callable(each) else (lambda request, each=each: ok(request, each))
        for each in events
    ]


def answer_or_events(request: Plain) -> Plain:
    return ok(request, [private()] if request["action"] == "get_latest_events" else None)
