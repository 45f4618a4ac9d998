"""pylibob is the implementation; the client copes with what is not as the specification has it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aioclient import ClientConnectionError
from aioclient.onebot import (
    BadParam,
    CallTimeoutError,
    DisconnectedError,
    Encoding,
    InternalHandlerError,
    OneBotClient,
    OneBotError,
    PlatformError,
    PrivateMessageEvent,
    TokenRefusedError,
    UnsupportedAction,
    UnsupportedParam,
)

from .processes import HOST, Process, free_port, running

pytestmark = [
    pytest.mark.skipif(sys.version_info >= (3, 13), reason="pylibob 0.1.1 needs Python 3.12"),
    pytest.mark.parametrize(
        ("encoding", "loop_name"),
        [(Encoding.JSON, "asyncio"), (Encoding.MSGPACK, "uvloop")],
        ids=["json", "msgpack"],
        indirect=["loop_name"],
    ),
]
TOKEN = "s3cret"


@asynccontextmanager
async def pylibob(port: int) -> AsyncIterator[Process]:
    async with running("pylibob_implementation", port=port, token=TOKEN) as process:
        await process.report("listening")
        yield process


def text_of(event: object) -> object:
    assert isinstance(event, PrivateMessageEvent)
    return event.message[0].data["text"]


async def test_http(encoding: Encoding) -> None:
    """Actions, their errors, and events by get_latest_events, whose time limit pylibob ignores."""
    with free_port() as port:
        url = f"http://{HOST}:{port}/"
        async with (
            pylibob(port),
            OneBotClient(url, access_token=TOKEN, encoding=encoding) as client,
        ):
            assert await client.call("echo", text="hello ☀") == {"text": "hello ☀"}
            assert await client.call("get_version") == {
                "impl": "old",
                "version": "0.1.1",
                "onebot_version": "12",
            }
            status = await client.get_status()
            assert status["good"]
            (bot,) = client.bots
            assert await bot.call("echo", text="mine") == {"text": "mine"}

            failures: list[tuple[str, dict[str, object], type[OneBotError]]] = [
                ("fly", {}, UnsupportedAction),
                ("echo", {"text": 1}, BadParam),
                ("echo", {"text": "", "more": 1}, UnsupportedParam),
                ("break_down", {}, InternalHandlerError),
                ("refuse", {}, PlatformError),
            ]
            for action, params, error in failures:
                with pytest.raises(error) as caught:
                    await client.call(action, **params)
            assert (caught.value.retcode, caught.value.data) == (34001, {"why": "blocked"})
            assert caught.value.message == "the user has blocked this bot"

            events = client.events("message")
            texts = [f"text {number} ☀" for number in range(300)]  # more than one request fetches
            for sent in (texts, ["later"]):
                await client.call("tell", texts=sent)
                assert [text_of(await anext(events)) for _ in sent] == sent
            async with OneBotClient(url, access_token="wrong", encoding=encoding) as other:
                with pytest.raises(TokenRefusedError, match="refused with 401"):
                    await other.call("echo", text="")


async def test_websocket(encoding: Encoding) -> None:
    """Actions and events by WebSocket: an answer without echo is nobody's, and the socket goes on."""
    with free_port() as port:
        url = f"ws://{HOST}:{port}/"
        async with pylibob(port), OneBotClient(url, encoding=encoding) as client:
            events = client.events("message", "meta.connect", "meta.heartbeat")
            assert await client.call("echo", text="hello ☀") == {"text": "hello ☀"}
            with pytest.raises(PlatformError):
                await client.call("refuse")
            with pytest.raises(CallTimeoutError):
                await client.call("echo", text=1, timeout=0.2)
            await client.call("tell", texts=["one", "two"])

            names, texts = set(), []
            while len(texts) < 2 or len(names) < 3:
                event = await anext(events)
                names.add(f"{event.type}.{event.detail_type}")
                if event.type == "message":
                    texts.append(text_of(event))
            assert names == {"meta.connect", "meta.heartbeat", "message.private"}
            assert texts == ["one", "two"]
            (bot,) = client.bots
            assert bot.user_id == "10001"


async def test_restarts(encoding: Encoding) -> None:
    """pylibob is killed and started again: the call that waits fails, later ones and events come through."""
    with free_port() as port:
        address = f"{HOST}:{port}/"
        async with (
            OneBotClient(f"ws://{address}", encoding=encoding) as by_websocket,
            OneBotClient(f"http://{address}", access_token=TOKEN, encoding=encoding) as by_http,
        ):
            clients = (by_websocket, by_http)
            events = [client.events("message") for client in clients]
            async with pylibob(port) as process:
                calls = []
                for client in clients:
                    calls.append(asyncio.create_task(client.call("hang")))
                    await process.report("hanging")
                await process.kill()
                for call, error in zip(
                    calls, (DisconnectedError, ClientConnectionError), strict=True
                ):
                    with pytest.raises(error):
                        await call
            async with pylibob(port):
                assert await by_websocket.call("echo", text="again") == {"text": "again"}
                await by_http.call("tell", texts=["hello"])
                for iterator in events:
                    assert text_of(await anext(iterator)) == "hello"
