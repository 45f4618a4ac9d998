"""Handlers of actions: their parameters are those of the action."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclient.onebot import (
    BadParam,
    BadSegmentData,
    Bot,
    OneBotError,
    Segment,
    UnsupportedParam,
    text,
)
from aioclient.onebot.handlers import ActionHandler

from . import values

BOT = Bot("qq", "1")


class Connection:
    """Stands for what else is injected."""


@dataclass
class Place:
    title: str
    latitude: float = 0.0


async def send_message(
    detail_type: Literal["private", "group"],
    message: list[Segment],
    bot: Bot,
    user_id: str | None = None,
    nickname: Annotated[str, "qq.nickname"] = "nobody",
    *,
    place: Place | None = None,
) -> object:
    return detail_type, message, bot, user_id, nickname, place


@pytest.mark.rows("S002-17")
class TestArguments:
    """Parameters are checked by their hints, before the function is called."""

    async def test_all_of_them(self) -> None:
        """Each becomes a value of its hint; those with a default may be missing."""
        handler = ActionHandler("send_message", send_message, [Bot])
        params: dict[str, object] = {"detail_type": "private", "message": "hi"}
        assert await handler(params, {Bot: BOT}) == (
            "private",
            [text("hi")],
            BOT,
            None,
            "nobody",
            None,
        )
        params |= {"user_id": "42", "qq.nickname": "Ann", "place": {"title": "here", "latitude": 2}}
        assert await handler(params, {Bot: BOT}) == (
            "private",
            [text("hi")],
            BOT,
            "42",
            "Ann",
            Place("here", 2.0),
        )

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            ({"detail_type": ...}, BadParam, "detail_type: missing"),
            (
                {"detail_type": "x"},
                BadParam,
                "detail_type: expected 'private' or 'group', found 'x'",
            ),
            ({"message": 5}, BadParam, "message: expected a segment, found int"),
            ({"message": [{"type": "text"}]}, BadParam, "message[0].data: missing"),
            (
                {"message": [text("a"), {"type": "image", "data": {}}]},
                BadSegmentData,
                "message[1].data.file_id: missing in a 'image'",
            ),
            (
                {"message": {"type": "text", "data": {"text": 1}}},
                BadSegmentData,
                "message[0].data.text: expected str, found int",
            ),
            ({"user_id": 42}, BadParam, "user_id: expected str, found int"),
            ({"qq.nickname": None}, BadParam, "qq.nickname: expected str, found None"),
            ({"nickname": "Ann"}, UnsupportedParam, "no such parameter: nickname"),
            ({"bot": BOT.to_dict()}, UnsupportedParam, "no such parameter: bot"),
            ({"z": 1, "a": 2}, UnsupportedParam, "no such parameter: a, z"),
            ({"place": {"latitude": 1}}, BadParam, "place.title: missing"),
        ],
    )
    async def test_what_is_wrong(
        self, changes: Mapping[str, object], error: type[OneBotError], message: str
    ) -> None:
        """The error has the code of the standard, and says where and what was found."""
        handler = ActionHandler("send_message", send_message, [Bot])
        params = {"detail_type": "private", "message": [], **changes}
        with pytest.raises(error) as caught:
            await handler(
                {name: value for name, value in params.items() if value is not ...}, {Bot: BOT}
            )
        assert type(caught.value) is error
        assert caught.value.message == message

    async def test_one_segment(self) -> None:
        """A parameter that is one segment is checked like those of a message."""

        def show(segment: Segment) -> object:
            return segment

        handler = ActionHandler("show", show)
        assert await handler({"segment": text("a").to_dict()}) == text("a")
        with pytest.raises(BadSegmentData, match=r"segment.data.text: missing"):
            await handler({"segment": {"type": "text", "data": {}}})

    async def test_the_rest(self) -> None:
        """``**rest`` takes what has no name, but nothing that would collide with another argument."""

        def call(bot: Bot, name: Annotated[str, "qq.name"] = "", **rest: int) -> object:
            return name, rest

        handler = ActionHandler("call", call, [Bot])
        assert await handler({"qq.name": "n", "a": 1, "qq.b": 2}) == ("n", {"a": 1, "qq.b": 2})
        with pytest.raises(BadParam, match=r"a: expected int, found str"):
            await handler({"a": "b"})
        for taken in ("bot", "name"):
            with pytest.raises(UnsupportedParam):
                await handler({"qq.name": "n", taken: 1})

    async def test_a_time_limit(self) -> None:
        """``_timeout``, which NoneBot sends with the parameters, is left out, unless it is asked for."""

        def plain(name: str = "") -> object:
            return name

        def all_of_them(**rest: int) -> object:
            return rest

        def asking(_timeout: int) -> object:
            return _timeout

        limit: dict[str, object] = {"_timeout": 5}
        assert await ActionHandler("plain", plain)({"name": "n", **limit}) == "n"
        assert await ActionHandler("all", all_of_them)({"a": 1, **limit}) == {"a": 1}
        assert await ActionHandler("asking", asking)(limit) == 5
        with pytest.raises(UnsupportedParam, match=r"no such parameter: other \("):
            await ActionHandler("plain", plain)({"other": 1, **limit})

    @given(
        st.dictionaries(
            st.sampled_from(
                ["detail_type", "message", "user_id", "qq.nickname", "place", "bot", "x"]
            ),
            values.data | st.sampled_from(["private"]),
        )
    )
    def test_anything(self, params: dict[str, object]) -> None:
        """Any parameters fit, or raise an error of the standard."""
        handler = ActionHandler("send_message", send_message, [Bot])
        try:
            handler.arguments(params)
        except (BadParam, UnsupportedParam, BadSegmentData) as error:
            assert error.message


class TestInjected:
    async def test_bot_and_connection(self) -> None:
        """They come from the caller, also where they may be None."""

        async def who(
            bot: Bot,
            connection: Connection | None,
            other: Annotated[Optional[Bot], "x"],  # noqa: UP045
        ) -> object:
            return bot, connection, other

        handler = ActionHandler("who", who, [Bot, Connection])
        connection = Connection()
        assert handler.injects == {Bot, Connection}
        assert await handler({}, {Bot: BOT, Connection: connection}) == (BOT, connection, BOT)
        assert await handler({}, {Bot: BOT}) == (BOT, None, BOT)

    def test_nothing(self) -> None:
        """A handler says of which types it has parameters."""
        assert ActionHandler("f", lambda: None, [Bot]).injects == frozenset()


class TestFunctions:
    async def test_kinds(self) -> None:
        """Plain and async functions, methods, partials and objects with ``__call__`` will do."""

        class Things:
            def __init__(self) -> None:
                self.seen: list[str] = []

            def method(self, name: str) -> str:
                return name

            async def coroutine(self, name: str) -> str:
                return name

            def __call__(self, name: str) -> str:
                return name

        def two(prefix: str, name: str) -> str:
            return name

        things = Things()
        for function in (
            things.method,
            things.coroutine,
            things,
            functools.partial(two, "x"),
        ):
            handler = ActionHandler("f", function)
            params = {"name": "n"}
            assert await handler(params) == "n"
            assert params == {"name": "n"}

    async def test_what_it_raises(self) -> None:
        """What the function raises is not touched."""

        def broken(name: str) -> None:
            raise KeyError(name)

        with pytest.raises(KeyError):
            await ActionHandler("f", broken)({"name": "n"})

    @pytest.mark.parametrize(
        ("function", "problem"),
        [
            (lambda a: a, "the parameter 'a' has no type hint"),
            (lambda *a: a, "the parameter 'a' has to be a parameter by name"),
            (5, "not a callable object"),
        ],
    )
    def test_what_is_refused(self, function: Any, problem: str) -> None:
        """A function without the hints that are needed is refused where it is registered."""
        with pytest.raises(TypeError, match=problem):
            ActionHandler("f", function)

    def test_more_that_is_refused(self) -> None:
        """So is one whose hints mean nothing, or that names a parameter twice."""

        def positional(a: int, /) -> None: ...
        def a_set(a: set[int]) -> None: ...
        def unknown(a: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
        def no_bot(a: Bot) -> None: ...
        def twice(a: Annotated[int, "b"], b: int) -> None: ...
        def rest(**rest: set[int]) -> None: ...

        for function, problem in (
            (positional, "'a' has to be a parameter by name"),
            (a_set, "'a': set"),
            (unknown, "name 'Nowhere' is not defined"),
            (no_bot, "Bot"),
            (twice, "'b' is called 'b', as another one is"),
            (rest, "'rest': set"),
        ):
            with pytest.raises(TypeError, match=f"action 'f': .*{problem}"):
                ActionHandler("f", function)

    def test_repr(self) -> None:
        """The repr names the action and the function."""
        assert repr(ActionHandler("f", send_message, [Bot])) == "<ActionHandler 'f' send_message>"
