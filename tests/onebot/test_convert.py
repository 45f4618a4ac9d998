"""Plain data and typed values."""

import enum
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)

import pytest
from hypothesis import given

from aioclient.onebot import Bot, BotSelf, Segment, text
from aioclient.onebot.convert import from_plain, to_plain

from . import values

UserId = NewType("UserId", str)
T = TypeVar("T")


class Sex(enum.Enum):
    FEMALE = "female"
    MALE = "male"
    NUMBER = 1


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: float = 0.5


@dataclass
class User:
    user_id: UserId
    nickname: Annotated[str, "qq.nickname"] = ""
    tags: tuple[str, ...] = ()
    points: list[Point] = field(default_factory=list)
    count: int = field(default=0, init=False)


@dataclass
class Tree:
    name: str
    children: "list[Tree]" = field(default_factory=list)


@dataclass
class Positive:
    number: int

    def __post_init__(self) -> None:
        if self.number <= 0:
            raise ValueError("number has to be positive")


class Profile(TypedDict):
    user_id: str
    age: NotRequired[int]
    sex: NotRequired[Annotated[Sex, "qq.sex"]]


class TestToPlain:
    @given(values.data)
    def test_plain_data(self, data: object) -> None:
        """Plain data stay as they are."""
        assert repr(to_plain(data)) == repr(data)

    @pytest.mark.parametrize(
        ("value", "plain"),
        [
            ((1, "a"), [1, "a"]),
            (Sex.FEMALE, "female"),
            (Level.LOW, 1),
            (Point(1), {"x": 1, "y": 0.5}),
            (Bot("qq", "1", extra={"level": 3}), {"platform": "qq", "user_id": "1"}),
            (text("hi"), {"type": "text", "data": {"text": "hi"}}),
            (
                User(UserId("1"), "Ann", ("a",), [Point(1, 2.0)]),
                {
                    "user_id": "1",
                    "qq.nickname": "Ann",
                    "tags": ["a"],
                    "points": [{"x": 1, "y": 2.0}],
                },
            ),
            (Tree("a", [Tree("b")]), {"name": "a", "children": [{"name": "b", "children": []}]}),
            (OrderedDict(a=1), {"a": 1}),
            (MappingProxyType({"a": (b"b",)}), {"a": [b"b"]}),
            (bytearray(b"a"), b"a"),
            (memoryview(b"a"), b"a"),
            (type("Text", (str,), {})("a"), "a"),
            (type("Number", (int,), {})(5), 5),
        ],
    )
    def test_typed_values(self, value: object, plain: object) -> None:
        """Typed values become what is sent, at any depth, and nothing but plain types is left."""
        for outer, expected in ((value, plain), ([value], [plain]), ({"a": value}, {"a": plain})):
            found = to_plain(outer)
            assert found == expected
            assert repr(found) == repr(expected)


class TestFromPlain:
    @pytest.mark.parametrize(
        ("hint", "data", "value"),
        [
            (Any, [1, {"a": b"b"}], [1, {"a": b"b"}]),
            (object, None, None),
            (None, None, None),
            (bool, True, True),
            (int, 5, 5),
            (int, -(2**63), -(2**63)),
            (float, 1.5, 1.5),
            (float, 2, 2.0),
            (str, "", ""),
            (bytes, b"\x00", b"\x00"),
            (bytes, "AP8=", b"\x00\xff"),
            (bytes, "", b""),
            (UserId, "1", "1"),
            (Optional[int], None, None),  # noqa: UP045
            (int | None, 5, 5),
            (Union[int, str], "a", "a"),  # noqa: UP007
            (int | float, 5, 5),
            (float | int, 5, 5.0),
            (str | bytes, "AP8=", "AP8="),
            (bytes | str, "AP8=", b"\x00\xff"),
            (bytes | str, "AP8", "AP8"),
            (Literal["a", 1], 1, 1),
            (Sex, "female", Sex.FEMALE),
            (Sex, 1, Sex.NUMBER),
            (list, [1], [1]),
            (list[int], [1, 2], [1, 2]),
            (Sequence[str], ["a"], ["a"]),
            (Iterable[float], [1], [1.0]),
            (tuple, [1, "a"], (1, "a")),
            (tuple[int, str], [1, "a"], (1, "a")),
            (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
            (tuple[()], [], ()),
            (dict, {"a": 1}, {"a": 1}),
            (dict[str, float], {"a": 1}, {"a": 1.0}),
            (Mapping[str, list[int]], {"a": [1]}, {"a": [1]}),
            (MutableMapping[str, Any], {}, {}),
            (Point, {"x": 1}, Point(1)),
            (
                User,
                {"user_id": "1", "qq.nickname": "Ann", "points": [{"x": 1, "y": 2}], "more": 1},
                User(UserId("1"), "Ann", points=[Point(1, 2.0)]),
            ),
            (Tree, {"name": "a", "children": [{"name": "b"}]}, Tree("a", [Tree("b")])),
            (Profile, {"user_id": "1", "qq.x": 1}, {"user_id": "1", "qq.x": 1}),
            (
                Profile,
                {"user_id": "1", "qq.sex": "male"},
                {"user_id": "1", "qq.sex": Sex.MALE},
            ),
            (BotSelf, {"platform": "qq", "user_id": "1"}, BotSelf("qq", "1")),
            (Segment, {"type": "text", "data": {"text": "a"}}, text("a")),
            # A message may be one segment, or a text.
            (list[Segment], [{"type": "x.y", "data": {}}], [Segment("x.y", {})]),
            (list[Segment], {"type": "text", "data": {"text": "a"}}, [text("a")]),
            (Sequence[Segment], "a", [text("a")]),
            (tuple[Segment, ...], "a", (text("a"),)),
            # What is typed already, as within one program.
            (list[Segment], [text("a")], [text("a")]),
            (list[Segment], text("a"), [text("a")]),
            (Tree, Tree("a"), Tree("a")),
            (BotSelf, BotSelf("qq", "1"), BotSelf("qq", "1")),
        ],
    )
    def test_what_fits(self, hint: Any, data: object, value: object) -> None:
        """Data that fit the hint become a value of it."""
        found = from_plain(data, hint, where="x")
        assert found == value
        assert type(found) is type(value)

    @pytest.mark.parametrize(
        ("hint", "data", "problem"),
        [
            (None, 0, "x: expected None, found int"),
            (bool, 1, "x: expected bool, found int"),
            (int, True, "x: expected int, found bool"),
            (int, 5.0, "x: expected int, found float"),
            (int, 2**63, "x: an integer needs more than 64 bits"),
            (float, True, "x: expected float, found bool"),
            (float, "1", "x: expected float, found str"),
            (float, math.nan, "x: nan is not a finite number"),
            (float, 10**400, "x: an integer needs more than 64 bits"),
            (str, None, "x: expected str, found None"),
            (str, b"a", "x: expected str, found bytes"),
            (bytes, "AP8", "x: expected bytes, found text that is not base64"),
            (bytes, "é", "x: expected bytes, found text that is not base64"),
            (bytes, "AP8=\n", "x: expected bytes, found text that is not base64"),
            (bytes, 1, "x: expected bytes, found int"),
            (int | None, "a", "x: expected int, found str"),
            (int | str, [], "x: expected int or str, found list"),
            (int | str | None, [], "x: expected int or str or None, found list"),
            (Literal["a", "b"], "c", "x: expected 'a' or 'b', found 'c'"),
            (Literal["a"], "c" * 1000, "x: expected 'a', found '" + "c" * 99),
            (Literal[1], True, "x: expected 1, found True"),
            (Literal["a"], [], "x: expected 'a', found list"),
            (Sex, "x", "x: expected 'female' or 'male' or 1, found 'x'"),
            (Sex, True, "x: expected 'female' or 'male' or 1, found True"),
            (list[int], {"a": 1}, "x: expected list, found dict"),
            (list[int], "a", "x: expected list, found str"),
            (list[int], [1, "a"], "x[1]: expected int, found str"),
            (tuple[int, str], [1], "x: expected 2 items, found 1"),
            (tuple[int, str], [1, 2], "x[1]: expected str, found int"),
            (tuple[int, str], {}, "x: expected list, found dict"),
            (dict[str, int], [], "x: expected dict, found list"),
            (dict[str, int], {"a": "b"}, "x.a: expected int, found str"),
            (dict[str, int], {1: 1}, "x: the key 1 is not a str"),
            (dict[str, list[int]], {"a": [1, None]}, "x.a[1]: expected int, found None"),
            (User, {}, "x.user_id: missing"),
            (User, [], "x: expected dict, found list"),
            (User, {"user_id": 1}, "x.user_id: expected str, found int"),
            (
                User,
                {"user_id": "1", "points": [{"x": 1}, {"x": "a"}]},
                "x.points[1].x: expected int, found str",
            ),
            (
                User,
                {"user_id": "1", "qq.nickname": None},
                "x.qq.nickname: expected str, found None",
            ),
            (Tree, {"name": "a", "children": [{"name": 1}]}, "x.children[0].name: expected str"),
            (Positive, {"number": 0}, "x: number has to be positive"),
            (Profile, {}, "x.user_id: missing"),
            (Profile, {"user_id": "1", "age": "2"}, "x.age: expected int, found str"),
            (BotSelf, {}, "x.platform: missing"),
            (BotSelf, {"platform": "qq"}, "x.user_id: missing"),
            (BotSelf, {"platform": "QQ", "user_id": "1"}, "x: platform 'QQ': lower-case"),
            (BotSelf, {"platform": 1, "user_id": "1"}, "x.platform: expected str, found int"),
            (BotSelf, "qq", "x: expected dict, found str"),
            (Segment, {"type": "text"}, "x.data: missing"),
            (Segment, {"data": {}}, "x.type: missing"),
            (Segment, {"type": 1, "data": {}}, "x.type: expected str, found int"),
            (Segment, {"type": "text", "data": []}, "x.data: expected dict, found list"),
            (Segment, "a", "x: expected a segment, found str"),
            (list[Segment], [1], "x[0]: expected a segment, found int"),
            (list[Segment], 1, "x: expected a segment, found int"),
            (list[Segment], None, "x: expected a segment, found None"),
        ],
    )
    def test_what_does_not(self, hint: Any, data: object, problem: str) -> None:
        """Data that do not fit raise ValueError, with the place and what was found there."""
        with pytest.raises(ValueError) as caught:
            from_plain(data, hint, where="x")
        assert str(caught.value).startswith(problem)

    @pytest.mark.parametrize(
        "hint",
        [
            set[int],
            Bot,
            complex,
            T,
            dict[int, str],
            list[set[int]],
            type,
            "str",
            User | set[str],
            5,
        ],
    )
    def test_hints_without_a_meaning(self, hint: Any) -> None:
        """A hint that data cannot become is refused, whatever the data."""
        with pytest.raises(TypeError):
            from_plain(None, hint, where="x")

    def test_hints_that_name_nothing(self) -> None:
        """A class whose hints cannot be evaluated is refused, too."""
        with pytest.raises(TypeError, match="Unknown: name 'Nowhere' is not defined"):
            from_plain({}, Unknown, where="x")

    @given(values.data)
    @pytest.mark.parametrize(
        "hint", [User, Profile, Tree, list[Segment], BotSelf, dict[str, int], tuple[int, str], Sex]
    )
    def test_anything(self, hint: Any, data: object) -> None:
        """Any data fit, or raise ValueError."""
        try:
            from_plain(data, hint, where="x")
        except ValueError as error:
            assert str(error).startswith("x")

    @given(values.data)
    def test_there_and_back(self, data: object) -> None:
        """What fits a hint becomes the same value after it was plain."""
        for value in (
            User(UserId("1"), "Ann", ("a", "b"), [Point(1)]),
            Tree("a", [Tree("b", [Tree("c")]), Tree("d")]),
            [Segment("x", {"data": data})],
        ):
            hint = list[Segment] if isinstance(value, list) else type(value)
            assert from_plain(to_plain(value), hint, where="x") == value


@dataclass
class Unknown:
    a: "Nowhere"  # type: ignore[name-defined]  # noqa: F821
