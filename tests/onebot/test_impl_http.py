"""HTTP of the implementation side: OneBot 12, connect, communication, "HTTP"."""

import asyncio
import json
import socket
import sys
from typing import Any

import msgpack
import pytest

from aioclient import ClientSession
from aioclient.onebot import Bot
from aioclient.onebot import server as server_module
from aioclient.onebot.implementation import HTTP, OneBotImpl
from aioclient.onebot.server import MAX_MESSAGE

from .applications import BOT, HOST, MESSAGE, call, http, make

JSON, MSGPACK = "application/json", "application/msgpack"
VERSION = {"action": "get_version", "params": {}}

pytestmark = pytest.mark.both_loops


async def post(
    connection: HTTP, body: bytes, content_type: str | None = JSON, path: str = "/", **headers: str
) -> tuple[int, str | None, bytes]:
    """Post *body*, and return status, Content-Type and body of the answer."""
    if content_type is not None:
        headers["Content-Type"] = content_type
    async with (
        ClientSession() as session,
        session.post(
            f"http://{HOST}:{connection.port}{path}",
            data=body,
            headers=headers,
            skip_auto_headers=["Content-Type"],
        ) as response,
    ):
        return response.status, response.headers.get("Content-Type"), await response.read()


def packed(value: object) -> bytes:
    body: bytes = msgpack.packb(value)
    return body


class TestHttp:
    """The chapter "HTTP"."""

    @pytest.mark.rows("S002-09")
    def test_configuration(self) -> None:
        """Events are enabled with a buffer of 20, unless it is said otherwise."""
        connection = HTTP()
        assert (connection.event_enabled, connection.event_buffer_size) == (True, 20)
        assert connection.event_queue is not None and connection.event_queue.size == 20
        assert HTTP(event_enabled=False).event_queue is None
        with pytest.raises(ValueError, match="event_buffer_size=-1"):
            HTTP(event_buffer_size=-1)

    @pytest.mark.rows("S002-10")
    async def test_the_order_of_refusals(self) -> None:
        """405 for a method, 404 for a path, 401 for the token, 415 for the type; each before the next."""
        connection = http(access_token="t")
        async with make(connection), ClientSession(f"http://{HOST}:{connection.port}/") as session:
            for method in ("GET", "PUT", "HEAD", "OPTIONS", "DELETE"):
                async with session.request(method, "x") as response:
                    assert response.status == 405
            async with session.post("x") as response:
                assert response.status == 404
            assert (await post(connection, b"{}", "text/plain"))[0] == 401
            assert (await post(connection, b"{}", "text/plain", Authorization="Bearer t"))[0] == 415

    @pytest.mark.rows("S002-10")
    @pytest.mark.parametrize(
        ("content_type", "status"),
        [
            (JSON, 200),
            ("application/json; charset=utf-8", 200),
            ("Application/JSON;charset=UTF-8", 200),
            (MSGPACK, 200),
            ("application/msgpack; x=y", 200),
            (None, 415),
            ("", 415),
            ("application/jsonx", 415),
            ("text/json", 415),
            ("application/x-www-form-urlencoded", 415),
            ("application/json, text/plain", 415),
        ],
    )
    async def test_types(self, content_type: str | None, status: int) -> None:
        """JSON and MessagePack are taken, with parameters too; anything else is 415."""
        connection = http()
        async with make(connection):
            encode = packed if content_type and "msgpack" in content_type else _json
            found, kind, body = await post(connection, encode(VERSION), content_type)
            assert found == status
            if status == 200:
                # The answer is encoded as the request.
                assert content_type is not None and kind is not None
                assert kind == content_type.partition(";")[0].lower()
                data = msgpack.unpackb(body) if kind == MSGPACK else json.loads(body)
                assert data["data"]["impl"] == "qq"

    @pytest.mark.rows("S002-10", "S002-03")
    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"", JSON),
            (b"{", JSON),
            (b"\xff", JSON),
            (b"NaN", JSON),
            (b"[" * 100_000, JSON),
            (b"1", JSON),
            (b"[]", JSON),
            (b"null", JSON),
            (b'{"action":"get_version"}', JSON),
            (b'{"action":"get_version","params":[]}', JSON),
            (b'{"action":"","params":{}}', JSON),
            (b"", MSGPACK),
            (packed(VERSION)[:-3], MSGPACK),
            (packed(VERSION) + b"x", MSGPACK),
            (b"\xc1", MSGPACK),
            (b"\xdd\xff\xff\xff\xff", MSGPACK),
            (b"\x91" * 100_000, MSGPACK),
            (packed([]), MSGPACK),
            (packed({1: 2}), MSGPACK),
        ],
    )
    async def test_bad_bodies(self, body: bytes, content_type: str) -> None:
        """Once the body is read the status is 200: what is no action is 10001, in the same encoding."""
        connection = http()
        async with make(connection):
            status, kind, answer = await post(connection, body, content_type)
            data = msgpack.unpackb(answer) if content_type == MSGPACK else json.loads(answer)
            assert (status, kind, data["status"], data["retcode"]) == (
                200,
                content_type,
                "failed",
                10001,
            )
            assert data["message"]
            assert "echo" not in data

    @pytest.mark.rows("SRV-01")
    async def test_a_large_body(self) -> None:
        """A body of 4 MiB is taken; more is 10001, and the connection goes on."""
        connection = http()
        async with make(connection), ClientSession() as session:
            fitting = "x" * (MAX_MESSAGE - 70)
            answer = await call(session, connection, "get_version", {"more": fitting})
            assert answer["retcode"] == 10004
            answer = await call(session, connection, "echo", {"text": "x" * 10 * 2**20})
            assert answer["retcode"] == 10001
            assert "larger than 4194304 bytes" in answer["message"]
            assert (await call(session, connection, "get_version"))["retcode"] == 0

    async def test_a_slow_body(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body that does not come is 10001."""
        monkeypatch.setattr(server_module, "BODY_LIMIT", 0.01)
        connection = http()
        async with make(connection):
            reader, writer = await asyncio.open_connection(HOST, connection.port)
            writer.write(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                b"Content-Length: 5\r\n\r\n{"
            )
            assert b'"retcode":10001' in await reader.readuntil(b"}")
            writer.close()
            await writer.wait_closed()

    @pytest.mark.rows("S002-12")
    async def test_a_path(self) -> None:
        """With path= it is served there, and nowhere else."""
        connection = http(path="/onebot/v12")
        async with make(connection):
            assert (await post(connection, _json(VERSION), path="/onebot/v12"))[0] == 200
            for path in ("/", "/onebot/v12/", "/onebot"):
                assert (await post(connection, _json(VERSION), path=path))[0] == 404

    async def test_no_msgpack(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the package MessagePack is answered with 10001, in JSON."""
        from aioclient.onebot import encoding

        monkeypatch.setitem(sys.modules, "msgpack", None)
        encoding._msgpack.cache_clear()
        connection = http()
        async with make(connection):
            status, kind, body = await post(connection, packed(VERSION), MSGPACK)
        encoding._msgpack.cache_clear()
        assert (status, kind, json.loads(body)["retcode"]) == (200, JSON, 10001)

    @pytest.mark.rows("S002-03")
    async def test_echo(self) -> None:
        """echo comes back as it was, with any outcome; without one there is none."""
        connection = http()
        impl = make(connection)

        @impl.action("odd")
        def odd() -> object:
            return {1, 2}

        async with impl, ClientSession() as session:
            for echo in ("x", "令牌", " "):
                for action in ("get_version", "none", "echo", "odd"):
                    answer = await call(session, connection, action, echo=echo)
                    assert answer["echo"] == echo
            for more in ({}, {"echo": ""}, {"echo": None}):
                assert "echo" not in await call(session, connection, "get_version", **more)

    async def test_odd_results(self) -> None:
        """A result that cannot be sent is 20001; bytes are base64 in JSON, and bytes in MessagePack."""
        connection = http()
        impl = make(connection)
        results: dict[str, Any] = {
            "set": {1},
            "nan": float("nan"),
            "big": 2**70,
            "surrogate": "\ud800",
            "function": len,
        }
        circle: list[Any] = []
        circle.append(circle)
        results["circle"] = circle
        results["bytes"] = b"\x00\xff"

        @impl.action("give")
        def give(what: str) -> object:
            return results[what]

        async with impl, ClientSession() as session:
            for name in [*results][:-1]:
                answer = await call(session, connection, "give", {"what": name}, echo="e")
                assert (name, answer["retcode"], answer["data"]) == (name, 20001, None)
                assert answer["echo"] == "e"
            answer = await call(session, connection, "give", {"what": "bytes"})
            assert answer["data"] == "AP8="
            asked = packed({"action": "give", "params": {"what": "bytes"}})
            _, _, body = await post(connection, asked, MSGPACK)
            assert msgpack.unpackb(body)["data"] == b"\x00\xff"

    async def test_garbage(self) -> None:
        """What is not HTTP is answered with 400; others are not affected."""
        connection = http()
        async with make(connection), ClientSession() as session:
            for garbage in (
                b"\x00" * 100 + b"\r\n\r\n",
                b"hello\r\n\r\n",
                b"POST / HTTP/9\r\n\r\n",
            ):
                reader, writer = await asyncio.open_connection(HOST, connection.port)
                writer.write(garbage)
                assert b" 400 " in (await reader.read())[:20]
                writer.close()
                await writer.wait_closed()
            assert (await call(session, connection, "get_version"))["retcode"] == 0


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


async def poll(session: ClientSession, connection: HTTP, **params: Any) -> Any:
    return await call(session, connection, "get_latest_events", params)


def ids(answer: Any) -> list[str]:
    return [event["message_id"] for event in answer["data"]]


async def emit(impl: OneBotImpl, *numbers: int) -> None:
    for number in numbers:
        await impl.emit({**MESSAGE, "message_id": str(number)})


class TestGetLatestEvents:
    """The action get_latest_events (interface, meta, actions)."""

    @pytest.mark.rows("S002-11")
    async def test_what_waits(self) -> None:
        """The events come oldest first, at most *limit* of them, and each once."""
        connection = http()
        impl = make(connection)
        async with impl, ClientSession() as session:
            assert (await poll(session, connection))["data"] == []
            await emit(impl, 0, 1, 2, 3, 4)
            assert ids(await poll(session, connection, limit=2)) == ["0", "1"]
            assert ids(await poll(session, connection, limit=0, timeout=0)) == ["2", "3", "4"]
            assert ids(await poll(session, connection, limit=5)) == []

    @pytest.mark.rows("S002-13")
    async def test_the_buffer(self) -> None:
        """It keeps the newest; 0 is no limit; meta events are not kept."""
        small, large = http(event_buffer_size=2), http(event_buffer_size=0)
        impl = make(small, large)
        async with impl, ClientSession() as session:
            await emit(impl, *range(50))
            await impl.emit({"type": "meta", "detail_type": "heartbeat", "interval": 5})
            await impl.update_status()
            assert ids(await poll(session, small)) == ["48", "49"]
            assert ids(await poll(session, large)) == [str(number) for number in range(50)]

    @pytest.mark.rows("S002-11")
    async def test_only_there(self) -> None:
        """It belongs to one connection: not to others, nor to one without events."""
        one, other, without = http(), http(), http(event_enabled=False)
        impl = make(one, other, without)
        async with impl, ClientSession() as session:
            await emit(impl, 1)
            assert ids(await poll(session, one)) == ["1"]
            assert ids(await poll(session, other)) == ["1"]
            assert (await poll(session, without))["retcode"] == 10002
            for connection, there in ((one, True), (without, False)):
                answer = await call(session, connection, "get_supported_actions")
                assert ("get_latest_events" in answer["data"]) == there
            assert (await impl.handle_action("get_latest_events", {})).retcode == 10002

    @pytest.mark.parametrize(
        ("params", "retcode"),
        [
            ({"limit": -1}, 10003),
            ({"timeout": -1}, 10003),
            ({"limit": "1"}, 10003),
            ({"limit": True}, 10003),
            ({"timeout": 0.5}, 10003),
            ({"limit": 2**63}, 10003),
            ({"more": 1}, 10004),
            ({"limit": 2**63 - 1}, 0),
        ],
    )
    async def test_parameters(self, params: dict[str, Any], retcode: int) -> None:
        """Numbers that are negative or none are 10003, unknown parameters 10004; and no event is lost."""
        connection = http()
        impl = make(connection)
        async with impl, ClientSession() as session:
            await emit(impl, 1)
            answer = await call(session, connection, "get_latest_events", params, echo="e")
            assert (answer["retcode"], answer["echo"]) == (retcode, "e")
            assert len((await poll(session, connection))["data"]) == (retcode != 0)

    async def test_several_bots(self) -> None:
        """It needs no self, and gives the events of all bots of the connection."""
        connection = http(bots=[BOT])
        impl = make(connection, bots=(BOT, Bot("qq", "2")))
        async with impl, ClientSession() as session:
            await impl.emit({**MESSAGE, "self": {"platform": "qq", "user_id": "2"}})
            await impl.emit({**MESSAGE, "self": BOT.to_dict(), "message_id": "mine"})
            assert ids(await poll(session, connection)) == ["mine"]

    @pytest.mark.rows("S002-11")
    async def test_it_waits(self) -> None:
        """With a timeout it waits for the first event, and is answered at once then."""
        connection = http()
        impl = make(connection)
        async with impl, ClientSession() as session:
            asked = asyncio.create_task(poll(session, connection, timeout=30))
            await waiting(connection, 1)
            await emit(impl, 1)
            assert ids(await asked) == ["1"]

    async def test_one_of_several(self) -> None:
        """Of several that wait one gets the events, the one that came first; the others go on waiting."""
        connection = http()
        impl = make(connection)
        async with impl, ClientSession() as session:
            asked = []
            for number in range(3):
                asked.append(asyncio.create_task(poll(session, connection, limit=2, timeout=30)))
                await waiting(connection, number + 1)
            await emit(impl, 1, 2, 3)
            assert [ids(await asked[0]), ids(await asked[1])] == [["1", "2"], ["3"]]
            assert not asked[2].done()
            await emit(impl, 4)
            assert ids(await asked[2]) == ["4"]

    async def test_a_poller_that_goes(self) -> None:
        """Events are not lost to a poller that has gone: the next one gets them."""
        connection = http()
        impl = make(connection)
        async with impl, ClientSession() as session:
            gone = asyncio.create_task(poll(session, connection, timeout=30))
            await waiting(connection, 1)
            left = asyncio.create_task(poll(session, connection, timeout=30))
            await waiting(connection, 2)
            gone.cancel()
            await asyncio.wait([gone])
            await emit(impl, 1)
            assert ids(await left) == ["1"]

    async def test_all_pollers_go(self, caplog: pytest.LogCaptureFixture) -> None:
        """If nobody is left, they wait for the next poll."""
        connection = http()
        impl = make(connection)
        async with impl, ClientSession() as session:
            gone = []
            for number in range(3):
                gone.append(asyncio.create_task(poll(session, connection, timeout=30)))
                await waiting(connection, number + 1)
            for task in gone:
                task.cancel()
            await asyncio.wait(gone)
            await emit(impl, 0, 1, 2)
            await asyncio.sleep(0)
            assert ids(await poll(session, connection)) == ["0", "1", "2"]
        assert not caplog.records

    async def test_a_poller_that_has_just_gone(self) -> None:
        """Nor are they if it went so lately that the event loop has not noticed."""
        connection = http()
        impl = make(connection)
        body = _json({"action": "get_latest_events", "params": {"timeout": 30}})
        async with impl, ClientSession() as session:
            with socket.create_connection((HOST, connection.port)) as gone:
                gone.sendall(
                    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
                )
                await waiting(connection, 1)
            await emit(impl, 1)
            assert ids(await poll(session, connection)) == ["1"]

    async def test_a_poller_that_is_cancelled(self) -> None:
        """A turn that a caller within the program does not take is the next one's."""
        connection = http()
        async with make(connection) as impl:
            polls = [
                asyncio.create_task(connection.action_get_latest_events(0, 30)) for _ in range(2)
            ]
            await waiting(connection, 2)
            await emit(impl, 1)
            polls[0].cancel()
            for _ in range(20):
                await asyncio.sleep(0)
            assert polls[1].done()  # and not when it looks by itself
            (event,) = polls[1].result()
            assert event["message_id"] == "1"
            await asyncio.wait(polls)

    async def test_it_goes_while_it_is_answered(self, caplog: pytest.LogCaptureFixture) -> None:
        """An answer that the client did not read before it went is not lost, however large."""
        connection = http(event_buffer_size=0)
        impl = make(connection)
        async with impl, ClientSession() as session:
            for number in range(40):
                await impl.emit({**MESSAGE, "message_id": str(number), "alt_message": "x" * 2**20})
            reader, writer = await asyncio.open_connection(HOST, connection.port)
            body = _json({"action": "get_latest_events", "params": {}})
            writer.write(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            del reader
            assert connection.event_queue is not None
            while len(connection.event_queue) < 40:
                await asyncio.sleep(0)
            assert ids(await poll(session, connection)) == [str(number) for number in range(40)]
        assert not caplog.records

    async def test_a_body_that_ends(self, caplog: pytest.LogCaptureFixture) -> None:
        """A client that goes before its body has come is no error of ours."""
        connection = http()
        async with make(connection), ClientSession() as session:
            _, writer = await asyncio.open_connection(HOST, connection.port)
            writer.write(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                b"Content-Length: 5\r\n\r\n{"
            )
            await poll(session, connection)
            writer.transport.abort()
            await poll(session, connection)
            await poll(session, connection)
        assert not caplog.records

    async def test_the_end(self) -> None:
        """At the end those that wait are answered."""
        connection = http()
        impl = make(connection)
        async with ClientSession() as session:
            async with impl:
                asked = asyncio.create_task(poll(session, connection, timeout=30))
                await waiting(connection, 1)
            assert ids(await asked) == []


async def waiting(connection: HTTP, count: int) -> None:
    while len(connection._pollers) < count:
        await asyncio.sleep(0)


class TestTime:
    @pytest.mark.rows("S002-11")
    @pytest.mark.parametrize("seconds", [1, 44])
    def test_it_ends(self, seconds: int) -> None:
        """The timeout is in seconds; a poll may last longer than any other action."""
        from aioclient.testing import run_virtual

        async def main() -> None:
            connection = http()
            async with make(connection, action_timeout=0.5), ClientSession() as session:
                clock = asyncio.get_running_loop().time
                began = clock()
                assert (await poll(session, connection, timeout=seconds))["data"] == []
                assert clock() - began == pytest.approx(seconds, abs=0.1)

        run_virtual(main())

    def test_a_poller_that_goes_is_forgotten(self) -> None:
        """A poll whose client has gone ends within 15 s, also if no event comes."""
        from aioclient.testing import run_virtual

        async def main() -> None:
            connection = http()
            async with make(connection), ClientSession() as session:
                gone = asyncio.create_task(poll(session, connection, timeout=3600))
                await waiting(connection, 1)
                gone.cancel()
                await asyncio.wait([gone])
                await asyncio.sleep(16)
                assert not connection._pollers

        run_virtual(main())

    def test_at_most_an_hour(self) -> None:
        """A poll that asks for more than an hour is answered after an hour."""
        from aioclient.testing import run_virtual

        async def main() -> None:
            connection = http()
            async with make(connection), ClientSession(timeout=0) as session:
                clock = asyncio.get_running_loop().time
                began = clock()
                assert (await poll(session, connection, timeout=2**62))["data"] == []
                assert clock() - began == pytest.approx(3600, abs=1)

        run_virtual(main())
