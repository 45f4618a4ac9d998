"""Our implementation and our application, over each transport: what one sends is what the other gets."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aioclient import ClientError
from aioclient.onebot import (
    BadHandler,
    BadParam,
    BadSegmentData,
    Bot,
    Encoding,
    Event,
    EventIterator,
    FileDigestError,
    FriendIncreaseEvent,
    GroupMessageEvent,
    InternalHandlerError,
    MetaStatusUpdateEvent,
    NoticeEvent,
    OneBotError,
    OneBotImpl,
    PlatformError,
    PrivateMessageEvent,
    Segment,
    TokenRefusedError,
    UnknownSelf,
    UnsupportedAction,
    UnsupportedParam,
    WhoAmI,
    image,
    mention,
    text,
)
from aioclient.waiting import no_waiting

from .applications import BOT
from .ends import RECEIVED, TRANSPORTS, Application, Ends, Transport, ends, met

pytestmark = pytest.mark.both_loops

over_each = pytest.mark.parametrize("transport", TRANSPORTS)
over_received = pytest.mark.parametrize("transport", RECEIVED)
in_both = pytest.mark.parametrize("encoding", Encoding)


def make(*connections: Any, name: str = "qq", bots: tuple[Bot, ...] = (BOT,), **more: Any) -> Any:
    """Return an implementation with the action echo(data), which says for which bot it was."""
    impl = OneBotImpl(name, "1.0.0", connections, *bots, **more)

    @impl.action("echo")
    async def echo(data: object, bot: Bot) -> dict[str, object]:
        await asyncio.sleep(0)
        return {"data": data, "bot": bot.user_id, "of": name}

    return impl


@asynccontextmanager
async def linked(
    ends: Ends, **more: Any
) -> AsyncIterator[tuple[OneBotImpl, Application, EventIterator]]:
    """Run both ends; give them, and an iterator over all events but meta events."""
    async with ends.application() as app, make(*ends.connections(), **more) as impl:
        events = app.events("message", "notice", "request")
        await met(app, impl)
        yield impl, app, events


def message(number: int) -> PrivateMessageEvent:
    return PrivateMessageEvent(
        self=BOT.self, message_id=str(number), user_id="2", message=[text("hi")], alt_message="hi"
    )


async def taken(events: EventIterator, count: int) -> list[Event]:
    return [await anext(events) for _ in range(count)]


def numbers(events: list[Event]) -> list[int]:
    return [int(event.message_id) for event in events if isinstance(event, PrivateMessageEvent)]


class TestEvents:
    @over_each
    async def test_of_all_kinds(self, transport: Transport) -> None:
        """Events arrive as they were emitted, field for field: typed ones, those of extensions, plain ones."""
        emitted = [
            PrivateMessageEvent(
                self=BOT.self,
                user_id="42",
                message=[
                    text("é 你好 \U0001f600: "),
                    mention("7"),
                    Segment("qq.face", {"id": 1.5}),
                ],
                alt_message="hi",
                extra={"qq.nickname": "Ann", "qq.tags": [1, None, {"a": True}]},
            ),
            GroupMessageEvent(
                self=BOT.self, group_id="g", user_id="42", message=[image("f")], sub_type="x"
            ),
            FriendIncreaseEvent(self=BOT.self, user_id="42"),
            NoticeEvent(self=BOT.self, detail_type="qq.poke", extra={"qq.target": "42"}),
        ]
        with ends(transport) as both:
            async with linked(both) as (impl, app, events):
                for event in emitted:
                    await impl.emit(event)
                plain = {"type": "request", "detail_type": "qq.join", "sub_type": "", "qq.of": "g"}
                await impl.emit(plain)
                *typed, last = await taken(events, len(emitted) + 1)
                assert typed == emitted
                assert [type(event) for event in typed] == [type(event) for event in emitted]
                assert plain.items() <= last.to_dict().items()
                assert last.self == BOT.self
                found = app.bot_of(last)
                assert found is not None and found.self == BOT.self

    @over_each
    async def test_handlers(self, transport: Transport) -> None:
        """A handler's calls for the event's bot, and the actions that it returns, are carried out."""
        done: asyncio.Queue[Any] = asyncio.Queue()
        with ends(transport) as both:
            async with linked(both) as (impl, app, _):

                @impl.action("done")
                def note(what: str, bot: Bot) -> None:
                    done.put_nowait((what, bot.user_id))

                @app.on("message.private")
                async def handle(event: Any, bot: Any) -> Any:
                    await bot.call("done", what="called")
                    return {"action": "done", "params": {"what": "returned"}}

                await impl.emit(message(1))
                assert await done.get() == ("called", "1")
                assert await done.get() == ("returned", "1")

    @pytest.mark.parametrize("transport", ["webhook", "websocket", "reverse"])
    async def test_a_status_that_changes(self, transport: Transport) -> None:
        """The application knows the bots from the start, and what becomes of them."""
        bots = (Bot("qq", "1"), Bot("qq", "2", online=False, extra={"level": 3}))
        with ends(transport) as both:
            async with both.application() as app:
                statuses = app.events("meta.status_update")
                async with make(*both.connections(), bots=bots) as impl:
                    await anext(statuses)
                    assert {bot.user_id: bot.online for bot in app.bots} == {"1": True, "2": False}
                    assert [bot.extra for bot in app.bots] == [{}, {"level": 3}]
                    bots[1].online = True
                    impl.is_good = False
                    await impl.update_status()
                    changed = await anext(statuses)
                    assert isinstance(changed, MetaStatusUpdateEvent)
                    assert changed.status["good"] is False
                    assert all(bot.online for bot in app.bots)


class TestActions:
    @in_both
    @over_each
    async def test_data(self, transport: Transport, encoding: Encoding) -> None:
        """Parameters and results pass as they are, bytes where a hint asks for them, in either encoding."""
        data = {"é": [1, -(2**63), 1.5, True, None, "\U0001f600", {"": []}]}
        with ends(transport, encoding) as both:
            async with linked(both) as (impl, app, _):

                @impl.action("digest")
                def digest(content: bytes) -> dict[str, Any]:
                    return {"sha256": hashlib.sha256(content).hexdigest(), "content": content}

                answer = await app.call("echo", data=data)
                assert answer == {"data": data, "bot": "1", "of": "qq"}
                content = bytes(range(256))
                found = await app.call("digest", content=content)
                assert found["sha256"] == hashlib.sha256(content).hexdigest()
                assert encoding is Encoding.JSON or found["content"] == content
                assert (await app.call("get_version"))["impl"] == "qq"

    @in_both
    @over_each
    async def test_failures(self, transport: Transport, encoding: Encoding) -> None:
        """What an implementation raises is raised in the application, by code, with text and data."""
        with ends(transport, encoding) as both:
            async with linked(both) as (impl, app, _):

                @impl.action("fail")
                async def fail(how: str) -> object:
                    match how:
                        case "platform":
                            raise PlatformError(34001, {"who": ["42"]}, "blocked")
                        case "own":
                            raise OneBotError(61234, message="own")
                        case "result":
                            return {1, 2}
                    raise KeyError(how)

                @impl.action("say")
                def say(message: list[Segment]) -> None:
                    pass

                for error, action, params in (
                    (UnsupportedAction, "nothing", {}),
                    (BadParam, "echo", {}),
                    (UnsupportedParam, "echo", {"data": 1, "more": 2}),
                    (BadParam, "say", {"message": 1}),
                    (BadSegmentData, "say", {"message": [{"type": "text", "data": {}}]}),
                    (BadHandler, "fail", {"how": "result"}),
                    (InternalHandlerError, "fail", {"how": "at all"}),
                ):
                    with pytest.raises(error):
                        await app.call(action, **params)
                with pytest.raises(PlatformError, match="blocked") as caught:
                    await app.call("fail", how="platform")
                assert (caught.value.retcode, caught.value.data) == (34001, {"who": ["42"]})
                with pytest.raises(OneBotError, match="own") as other:
                    await app.call("fail", how="own")
                assert other.value.retcode == 61234
                assert (await app.call("echo", data=1))["data"] == 1

    @over_each
    async def test_they_run_side_by_side(self, transport: Transport) -> None:
        """An action that waits holds up no other: one lets the other go on."""
        with ends(transport) as both:
            async with linked(both) as (impl, app, _):
                turn = asyncio.Event()

                @impl.action("wait")
                async def wait() -> str:
                    await turn.wait()
                    return "waited"

                @impl.action("go")
                def go() -> str:
                    turn.set()
                    return "gone"

                answers = await asyncio.gather(app.call("wait"), app.call("go"))
                assert answers == ["waited", "gone"]


class Files:
    """The file actions of an implementation."""

    def __init__(self, impl: OneBotImpl) -> None:
        self.files: dict[str, tuple[str, bytes]] = {}
        self.transfers = 0
        self.is_broken = False
        self._parts: dict[str, bytearray] = {}
        self._ids = itertools.count(1)
        for action in (self.upload_file, self.upload_file_fragmented, self.get_file_fragmented):
            impl.register_action_handler(action.__name__, action)

    def _keep(self, name: str, data: bytes, sha256: str | None) -> dict[str, str]:
        if hashlib.sha256(data).hexdigest() != sha256:
            raise BadParam(message="sha256: it is of something else")
        file_id = f"f{next(self._ids)}"
        self.files[file_id] = (name, data)
        return {"file_id": file_id}

    def upload_file(self, type: str, name: str, data: bytes, sha256: str) -> dict[str, str]:
        return self._keep(name, data, sha256)

    def upload_file_fragmented(
        self,
        stage: str,
        name: str = "",
        total_size: int = 0,
        file_id: str = "",
        offset: int = 0,
        data: bytes = b"",
        sha256: str = "",
    ) -> dict[str, str] | None:
        if stage == "prepare":
            self._parts[name] = bytearray(total_size)
            return {"file_id": name}
        part = self._parts[file_id]
        if stage == "finish":
            return self._keep(file_id, bytes(part), sha256)
        self.transfers += 1
        part[offset : offset + len(data)] = data
        return None

    def get_file_fragmented(
        self, stage: str, file_id: str, offset: int = 0, size: int = 0
    ) -> dict[str, object]:
        name, data = self.files[file_id]
        if stage == "prepare":
            digest = hashlib.sha256(data).hexdigest()
            return {"name": name, "total_size": len(data), "sha256": digest}
        return {"data": bytes(size) if self.is_broken else data[offset : offset + size]}


class TestFiles:
    @in_both
    @over_each
    async def test_there_and_back(
        self, transport: Transport, encoding: Encoding, tmp_path: Path
    ) -> None:
        """A file goes up in fragments and down again, and its digest is checked at both ends."""
        content = bytes(range(256)) * 10_000
        source = tmp_path / "a.bin"
        source.write_bytes(content)
        with ends(transport, encoding) as both:
            async with linked(both) as (impl, app, _):
                files = Files(impl)
                file_id = await app.upload_file(source)
                assert files.files == {"f1": ("a.bin", content)}
                assert files.transfers == 3
                small = await app.upload_file(b"abc", name="b.txt")
                assert files.files[small] == ("b.txt", b"abc")
                target = tmp_path / "b.bin"
                found = await app.download_file(file_id, target)
                assert (found.name, found.size) == ("a.bin", len(content))
                assert target.read_bytes() == content
                files.is_broken = True
                with pytest.raises(FileDigestError, match="SHA-256"):
                    await app.download_file(file_id, tmp_path / "c.bin")
                assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "b.bin"]


class TestTokens:
    @pytest.mark.parametrize("transport", ["http", "websocket"])
    async def test_a_wrong_one_of_the_application(self, transport: Transport) -> None:
        """The implementation refuses it; calls and events fail with that, and nothing is carried out."""
        with ends(transport) as both:
            async with make(*both.connections()), both.application("wr0ng") as app:
                events = app.events()
                with pytest.raises(TokenRefusedError, match="refused with 401") as caught:
                    await anext(events)
                with pytest.raises(TokenRefusedError):
                    await app.call("get_version")
                assert "wr0ng" not in str(caught.value)

    @over_received
    async def test_a_wrong_one_of_the_implementation(
        self, transport: Transport, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The application refuses it, and gets nothing; the implementation's log has the reason, not the token."""
        with ends(transport) as both:
            async with both.application() as app, make(*both.connections("wr0ng")) as impl:
                await impl.emit(message(1))
                while "is the access_token right?" not in caplog.text:
                    await asyncio.sleep(0)
                assert app.bots == ()
                assert "wr0ng" not in caplog.text and "s3cret" not in caplog.text

    @over_each
    async def test_none(self, transport: Transport) -> None:
        """Two that need none understand each other."""
        with ends(transport) as both:
            async with both.application("") as app, make(*both.connections("")) as impl:
                events = app.events("message")
                await met(app, impl)
                await impl.emit(message(1))
                assert numbers(await taken(events, 1)) == [1]
                assert (await app.call("echo", data=2))["data"] == 2


class TestRestarts:
    @over_each
    async def test_of_the_implementation(self, transport: Transport) -> None:
        """A call that waits fails; after the restart the same iterator has the new events, and calls are answered."""
        with ends(transport) as both, no_waiting():
            impl = make(*both.connections(), shutdown_timeout=0.05)
            runs = asyncio.Event()

            @impl.action("wait")
            async def wait() -> None:
                runs.set()
                await asyncio.Event().wait()

            async with both.application() as app:
                events = app.events("message")
                for number in range(3):
                    async with impl:
                        await met(app, impl)
                        for place in range(10):
                            await impl.emit(message(10 * number + place))
                        got = numbers(await taken(events, 10))
                        assert got == list(range(10 * number, 10 * number + 10))
                        assert (await app.call("echo", data=number))["data"] == number
                        waiting = asyncio.create_task(app.call("wait"))
                        await runs.wait()
                        runs.clear()
                    with pytest.raises(ClientError):
                        await waiting

    @over_each
    async def test_of_the_application(self, transport: Transport) -> None:
        """The next one has what is emitted from its connection on; a webhook's events wait for it, too."""
        with ends(transport) as both, no_waiting():
            async with make(*both.connections()) as impl:
                for number in range(3):
                    async with both.application() as app:
                        events = app.events("message")
                        if transport != "webhook":  # the next one meets the bot in its first event
                            await met(app, impl)
                        await impl.emit(message(number))
                        assert numbers(await taken(events, 1)) == [number]
                        assert (await app.call("echo", data=number))["data"] == number
                    for connection in impl.conns:
                        while getattr(connection, "peers", ()):
                            await asyncio.sleep(0)
                if transport == "webhook":
                    for number in range(100):
                        await impl.emit(message(number))
                    async with both.application() as app:
                        got = numbers(await taken(app.events("message"), 100))
                        assert got == list(range(100))


class TestMany:
    @pytest.mark.hang_limit(170)
    @over_each
    async def test_events(self, transport: Transport) -> None:
        """Ten thousand events at full speed arrive, all of them and in order."""
        count = 10_000
        with ends(transport) as both:
            async with linked(both) as (impl, _, events):

                async def emit() -> None:
                    for number in range(count):
                        await impl.emit(message(number))

                emitting = asyncio.create_task(emit())
                assert numbers(await taken(events, count)) == list(range(count))
                await emitting

    @pytest.mark.hang_limit(170)
    @in_both
    @pytest.mark.parametrize("transport", ["http", "websocket", "reverse"])
    async def test_actions(self, transport: Transport, encoding: Encoding) -> None:
        """Ten thousand actions at a time are answered, each with its own answer; a webhook's go by HTTP."""
        count = 10_000
        with ends(transport, encoding) as both:
            async with linked(both, action_timeout=None) as (_, app, _):
                answers = await asyncio.gather(*(app.call("echo", data=n) for n in range(count)))
                assert [answer["data"] for answer in answers] == list(range(count))

    @over_received
    async def test_bots_of_a_receiver(self, transport: Transport) -> None:
        """Each event names its bot, and an action reaches the implementation that has the bot."""
        bots = {name: (Bot(name, f"{name}1"), Bot(name, f"{name}2")) for name in ("qq", "wx")}
        every = [bot for of_one in bots.values() for bot in of_one]
        with ends(transport) as both, ends(transport) as others:
            more: dict[str, Any] = {}
            if transport == "webhook":
                apis = (both.api, others.api)
                more["api"] = {
                    bot.user_id: api
                    for api, of_one in zip(apis, bots.values(), strict=True)
                    for bot in of_one
                }
            async with both.application(**more) as app:
                events = app.events("message")
                connections = both.connections(), [*others.connections()[:-1], both.pushing()]
                (first, second) = (
                    make(*conns, name=name, bots=of_one)
                    for conns, (name, of_one) in zip(connections, bots.items(), strict=True)
                )
                async with first, second:
                    await met(app, first, second)
                    for impl in (first, second):
                        for bot in impl.bots.values():
                            event = PrivateMessageEvent(self=bot.self, user_id="2", message=[])
                            await impl.emit(event)
                    got = await taken(events, 4)
                    assert {event.self for event in got} == {bot.self for bot in every}
                    for event in got:
                        bot = app.bot_of(event)
                        assert bot is not None and bot.self == event.self
                        answer = await bot.call("echo", data=1)
                        assert answer == {"data": 1, "bot": bot.user_id, "of": bot.platform}
                        assert await app.call("echo", data=1, self=bot) == answer
                    with pytest.raises((WhoAmI, ClientError)):
                        await app.call("echo", data=1)
                    with pytest.raises((UnknownSelf, ClientError)):
                        await app.call("echo", data=1, self=Bot("qq", "nobody"))
