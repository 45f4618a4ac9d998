"""What functions of the user raise is the failure of one action, one event or one peer, whatever it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import WSMsgType

from aioclient import ClientSession
from aioclient.onebot import Bot, Event, OneBotClient, OneBotError, Peer, PlatformError
from aioclient.onebot.faults import described, is_fault, place_of
from aioclient.onebot.implementation import WebSocketReverse

from .applications import HOST, application, call, http, make, websocket
from .peers import connect, ok, private
from .peers import websocket as implementation

pytestmark = pytest.mark.both_loops


class OwnError(BaseException):
    """Not an Exception."""


FAULTS = [OwnError(), asyncio.CancelledError(), BaseExceptionGroup("several", [OwnError()])]


class Unsendable:
    """A value that cannot become data."""

    def to_dict(self) -> Any:
        raise KeyError("s3cret")


class TestDecision:
    async def test_faults(self) -> None:
        """All but what ends the program, a coroutine, or the running task."""
        for error in (*FAULTS, ValueError(), MemoryError(), StopAsyncIteration()):
            assert is_fault(error)
        for error in (SystemExit(), KeyboardInterrupt(), GeneratorExit()):
            assert not is_fault(error)

        async def cancelled() -> bool:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                return is_fault(error)
            return True

        task = asyncio.create_task(cancelled())
        await asyncio.sleep(0)
        task.cancel()
        assert not await task

    async def test_outside_of_a_task(self) -> None:
        """In a callback of the loop no task can be meant."""
        loop = asyncio.get_running_loop()
        found = loop.create_future()
        loop.call_soon(lambda: found.set_result(is_fault(asyncio.CancelledError())))
        assert await found

    def test_texts(self) -> None:
        """The class is named, and the line of the first frame that is not ours."""
        assert described(OwnError()) == "raised OwnError"
        assert described(asyncio.CancelledError()) == "was cancelled from within"
        assert place_of(OwnError()) == "an unknown place"
        with pytest.raises(KeyError) as caught:
            Unsendable().to_dict()
        assert place_of(caught.value).startswith(f"{__file__}:")


class TestActions:
    """Handlers of an implementation."""

    @pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
    async def test_what_is_no_exception(
        self, error: BaseException, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is answered with 20002 like any other error, on both transports, and logged with its place."""
        connection, other = websocket(), http()
        impl = make(connection, other)

        @impl.action("fail")
        async def fail() -> None:
            raise error

        @impl.action("fail_at_once")
        def fail_at_once() -> None:
            raise error

        async with (
            impl,
            ClientSession() as session,
            session.ws_connect(f"ws://{HOST}:{connection.port}/") as ws,
        ):
            await ws.receive()
            await ws.receive()
            for action in ("fail", "fail_at_once"):
                await ws.send_json({"action": action, "params": {}, "echo": "e"})
                answer = await ws.receive_json()
                assert (answer["retcode"], answer["echo"]) == (20002, "e")
                assert (await call(session, other, action))["retcode"] == 20002
        lines = [record.getMessage() for record in caplog.records]
        assert len(lines) == 4
        assert all(f"{described(error)} at {__file__}:" in line for line in lines)

    async def test_the_end_of_the_program(self) -> None:
        """SystemExit is passed on."""
        impl = make(http())

        @impl.action("exit")
        def leave() -> None:
            raise SystemExit(3)

        with pytest.raises(SystemExit):
            await impl.handle_action("exit", {})

    async def test_a_result_that_cannot_be_sent(self, caplog: pytest.LogCaptureFixture) -> None:
        """It is 20001; what is wrong is in the log only, with the action and the place."""
        connection, other = websocket(), http()
        impl = make(connection, other)

        @impl.action("give")
        def give() -> object:
            return [Unsendable()]

        @impl.action("refuse")
        def refuse() -> object:
            raise PlatformError(34001, {"why": {1}}, "no")

        async with (
            impl,
            ClientSession() as session,
            session.ws_connect(f"ws://{HOST}:{connection.port}/") as ws,
        ):
            await ws.receive()
            await ws.receive()
            for action in ("give", "refuse"):
                await ws.send_json({"action": action, "params": {}, "echo": "e"})
                for answer in (
                    await ws.receive_json(),
                    await call(session, other, action, echo="e"),
                ):
                    assert answer == {
                        "status": "failed",
                        "retcode": 20001,
                        "data": None,
                        "message": "the handler's result cannot be sent",
                        "echo": "e",
                    }
        lines = [record.getMessage() for record in caplog.records]
        for line in lines[:2]:
            assert "the result of action 'give' cannot be sent: KeyError('s3cret')" in line
            assert f", at {__file__}:" in line
        for line in lines[2:]:
            assert "the result of action 'refuse' cannot be sent: TypeError(" in line

    @pytest.mark.parametrize("retcode", [0, 40000, 59999, 2**63, "34001", None, True, 3.0])
    async def test_a_retcode_that_is_none(
        self, retcode: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """0, reserved codes and what is no integer are 20001, and a line in the log with the place."""
        impl = make(http())

        @impl.action("fail")
        def fail() -> None:
            raise OneBotError(retcode)

        response = await impl.handle_action("fail", {}, None, "e")
        assert (response.status, response.retcode, response.echo) == ("failed", 20001, "e")
        assert f"action 'fail' raised OneBotError with the retcode {retcode!r}," in caplog.text
        assert f"at {__file__}:" in caplog.text

    @pytest.mark.parametrize("retcode", [10003, 39999, 60000, 99999])
    async def test_a_retcode_that_is_one(self, retcode: int) -> None:
        """Others are the answer's."""
        impl = make(http())

        @impl.action("fail")
        def fail() -> None:
            raise OneBotError(retcode)

        assert (await impl.handle_action("fail", {})).retcode == retcode


class TestHooks:
    """on_connect and on_disconnect."""

    @pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
    async def test_a_reverse_socket(
        self, error: BaseException, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever they raise, the socket is opened again."""

        def fail(peer: Peer) -> None:
            raise error

        async with application() as app:
            connection = WebSocketReverse(
                app.ws, reconnect_interval=1, on_connect=fail, on_disconnect=fail
            )
            async with make(connection):
                while app.handshakes < 3:
                    await asyncio.sleep(0)
        for name in ("on_connect", "on_disconnect"):
            assert f"{name} {described(error)} at {__file__}:" in caplog.text

    @pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
    async def test_a_forward_socket(self, error: BaseException) -> None:
        """Whatever they raise, the socket is closed with 1011, and there is no other line in the log."""

        def fail(peer: Peer) -> None:
            raise error

        connection = websocket(on_connect=fail, on_disconnect=fail)
        async with (
            make(connection),
            ClientSession() as session,
            session.ws_connect(f"ws://{HOST}:{connection.port}/") as ws,
        ):
            await ws.receive()
            await ws.receive()
            message = await ws.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)


class TestBots:
    """Fields that the user gave a bot."""

    async def test_what_cannot_be_sent(self, caplog: pytest.LogCaptureFixture) -> None:
        """The socket is closed with 1011, and a reverse one comes back; get_status is 20001; update_status() raises."""
        bot = Bot("qq", "1")
        ended: list[Peer] = []
        connection, other = websocket(on_disconnect=ended.append), http()
        async with application() as app:
            reverse = WebSocketReverse(app.ws, reconnect_interval=1, enable_heartbeat=False)
            impl = make(connection, other, reverse, bots=(bot,))
            async with impl, ClientSession() as session:
                await app.next_frame()
                bot.extra = {"friends": {1}}
                with pytest.raises(TypeError, match="a value of type set cannot be sent"):
                    await impl.update_status()
                assert (await call(session, other, "get_status"))["retcode"] == 20001
                async with session.ws_connect(f"ws://{HOST}:{connection.port}/") as ws:
                    message = await ws.receive()
                    assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)
                _, open_one = await app.sockets.get()
                await open_one.close()
                while app.handshakes < 3:
                    await asyncio.sleep(0)
                bot.extra = None
                while not reverse.peers:
                    await asyncio.sleep(0)
        assert f"{HOST}: the status cannot be sent, the socket is closed: TypeError(" in caplog.text
        assert ended == []


class TestEvents:
    """Handlers of an application."""

    @pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
    @pytest.mark.parametrize("waits", [False, True])
    async def test_what_is_no_exception(
        self, error: BaseException, waits: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is logged with its place; the connection goes on, and so do the other handlers."""

        async def script(peer: Any) -> None:
            await peer.hello()
            await peer.send(private("one"), private("two"))
            await peer.answering()

        found: list[str] = []
        async with implementation(script) as server, OneBotClient(server.url) as app:
            app.on("message")(_failing(error, waits))

            @app.on("message")
            def last(event: Any, bot: object) -> None:
                found.append(event.alt_message)

            events = app.events("message")
            for _ in range(2):
                await anext(events)
            await app.call("a")
            while len(caplog.records) < 2:
                await asyncio.sleep(0)
        assert found == ["one", "two"]
        lines = [record.getMessage() for record in caplog.records]
        assert len(lines) == 2
        assert all(type(error).__name__ in line and f"at {__file__}:" in line for line in lines)

    async def test_the_line_of_the_handler(self, caplog: pytest.LogCaptureFixture) -> None:
        """The place of an action that failed is the line that called it, not one of this library."""

        async def script(peer: Any) -> None:
            await peer.hello()
            await peer.send(private("one"))
            await peer.answering(
                lambda request: ok(request) | {"status": "failed", "retcode": 35001}
            )

        async with implementation(script) as server, OneBotClient(server.url) as app:

            @app.on("message")
            async def ask(event: Event, bot: Any) -> None:
                await bot.call("a")

            while not caplog.records:
                await asyncio.sleep(0)
        assert f"(retcode 35001), at {__file__}:" in caplog.text

    async def test_waiting_ones(self) -> None:
        """One that raises when it is its turn does not keep those behind it from running."""
        release = asyncio.Event()
        ran: list[str] = []

        async def script(peer: Any) -> None:
            await peer.send(connect(), *(private(str(number)) for number in range(110)))
            await peer.until_closed()

        async with implementation(script) as server, OneBotClient(server.url) as app:

            @app.on("message")
            def one(event: Any, bot: object) -> object:
                if int(event.alt_message) < 100:
                    return release.wait()
                ran.append(event.alt_message)
                raise asyncio.CancelledError

            events = app.events("message")
            for _ in range(110):
                await anext(events)
            assert ran == []
            release.set()
            while len(ran) < 10:
                await asyncio.sleep(0)


def _failing(error: BaseException, waits: bool) -> Callable[[Event, object], object]:
    """Return a handler that raises *error*, at once or when it is awaited."""

    async def fail_later() -> None:
        await asyncio.sleep(0)
        raise error

    def fail(event: Event, bot: object) -> Awaitable[None]:
        if waits:
            return fail_later()
        raise error

    return fail
