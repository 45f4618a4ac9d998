"""Bots, segments, and the exceptions of actions."""

import copy
import pickle
from typing import Any

import pytest

from aioclient import ClientError, onebot
from aioclient.onebot import (
    Bot,
    BotSelf,
    OneBotError,
    Segment,
    errors,
    retcodes,
)
from aioclient.onebot.bots import checked_name
from aioclient.onebot.errors import error_of
from aioclient.onebot.segments import check_segment


class TestBots:
    @pytest.mark.parametrize("name", ["qq", "q", "a1", "a-b", "com.example.chat", "x.1"])
    def test_names(self, name: str) -> None:
        """Names of platforms are as the standard has them."""
        assert Bot(name, "1").platform == name
        assert checked_name("impl", name) == name

    @pytest.mark.parametrize(
        "name", ["", "QQ", "1a", "-a", ".a", "a.", "a..b", "a_b", "a b", "é", "a\n", None, 1]
    )
    def test_bad_names(self, name: Any) -> None:
        """Others are refused where the bot is made."""
        with pytest.raises(ValueError, match=r"platform .*lower-case letters"):
            Bot(name, "1")
        with pytest.raises(ValueError, match=r"impl .*lower-case letters"):
            checked_name("impl", name)

    @pytest.mark.parametrize("user_id", ["", None, 1])
    def test_bad_users(self, user_id: Any) -> None:
        """A user's name is a text that is not empty."""
        with pytest.raises(ValueError, match="non-empty str"):
            BotSelf("qq", user_id)

    def test_the_same_bot(self) -> None:
        """Bots are told apart by platform and user alone."""
        bot = Bot("qq", "1", online=False, extra={"level": 3})
        assert bot == Bot("qq", "1") == BotSelf("qq", "1") == bot.self
        assert len({bot, Bot("qq", "1"), bot.self, Bot("qq", "2"), Bot("kook", "1")}) == 3
        assert bot != ("qq", "1")

    def test_status(self) -> None:
        """Fields beyond the standard's have the platform's prefix."""
        bot = Bot("qq", "1", extra={"level": 3})
        assert (
            bot.status()
            == bot.dict_for_status()
            == {
                "self": {"platform": "qq", "user_id": "1"},
                "online": True,
                "qq.level": 3,
            }
        )
        assert bot.dict_for_self() == bot.to_dict() == {"platform": "qq", "user_id": "1"}
        bot.online = False
        assert bot.status()["online"] is False

    def test_repr(self) -> None:
        """The repr says whether it is online."""
        bot = Bot("qq", "1")
        assert repr(bot) == "<Bot qq/1 online>"
        bot.online = False
        assert repr(bot) == "<Bot qq/1 offline>"
        assert repr(bot.self) == "BotSelf(platform='qq', user_id='1')"

    def test_identity_is_fixed(self) -> None:
        """Platform and user cannot change, as sets hold bots by them."""
        with pytest.raises(AttributeError):
            Bot("qq", "1").user_id = "2"  # type: ignore[misc]

    def test_copies(self) -> None:
        """A bot can be copied and sent to other processes."""
        bot = Bot("qq", "1", False, {"level": 3})
        for other in (copy.copy(bot), copy.deepcopy(bot), pickle.loads(pickle.dumps(bot))):
            assert other == bot
            assert other.status() == bot.status()


class TestSegments:
    @pytest.mark.parametrize(
        ("segment", "data"),
        [
            (onebot.text("a"), {"text": "a"}),
            (onebot.mention("1"), {"user_id": "1"}),
            (onebot.mention_all(), {}),
            (onebot.image("f"), {"file_id": "f"}),
            (onebot.voice("f"), {"file_id": "f"}),
            (onebot.audio("f"), {"file_id": "f"}),
            (onebot.video("f"), {"file_id": "f"}),
            (onebot.file("f"), {"file_id": "f"}),
            (
                onebot.location(1.5, 2, "t", "c"),
                {"latitude": 1.5, "longitude": 2, "title": "t", "content": "c"},
            ),
            (onebot.reply("m", "u"), {"message_id": "m", "user_id": "u"}),
        ],
    )
    def test_standard_types(self, segment: Segment, data: object) -> None:
        """Each type of the standard has its data, and they pass their own check."""
        assert segment.data == data
        assert segment.to_dict() == {"type": segment.type, "data": data}
        assert getattr(onebot, segment.type)(**data) == segment  # type: ignore[arg-type]
        check_segment(segment, "x")

    def test_pylibobs_names(self) -> None:
        """Each has pylibob's name as well."""
        for name in ("text", "mention", "mention_all", "image", "voice", "audio", "video", "file"):
            theirs = "".join(part.title() for part in name.split("_"))
            assert getattr(onebot, theirs) is getattr(onebot, name)
        assert (onebot.Location, onebot.Reply) == (onebot.location, onebot.reply)

    def test_more_data(self) -> None:
        """Data beyond the standard's are given by name."""
        extra: dict[str, Any] = {"qq.font": b"x"}
        of_files = (onebot.image, onebot.voice, onebot.audio, onebot.video, onebot.file)
        for segment in (
            onebot.text("a", **extra),
            onebot.mention("1", **extra),
            onebot.mention_all(**extra),
            *(function("f", **extra) for function in of_files),
            onebot.location(1.0, 2.0, "", "", **extra),
            onebot.reply("m", "1", **extra),
        ):
            assert segment.data["qq.font"] == b"x"
            check_segment(segment, "x")
        assert onebot.text("a", **extra).data == {"text": "a", "qq.font": b"x"}

    @pytest.mark.parametrize(
        ("segment", "problem"),
        [
            (Segment("text", {}), "x.data.text: missing in a 'text'"),
            (Segment("text", {"text": 1}), "x.data.text: expected str, found int"),
            (Segment("mention", {"user_id": None}), "x.data.user_id: expected str, found NoneType"),
            (Segment("image", {"file": "f"}), "x.data.file_id: missing in a 'image'"),
            (
                Segment("location", {**onebot.location(1, 2, "", "").data, "latitude": True}),
                "x.data.latitude: expected float, found bool",
            ),
            (Segment("reply", {"user_id": "u"}), "x.data.message_id: missing in a 'reply'"),
        ],
    )
    def test_bad_data(self, segment: Segment, problem: str) -> None:
        """A segment of the standard without its data is 10006."""
        with pytest.raises(onebot.BadSegmentData) as caught:
            check_segment(segment, "x")
        assert (caught.value.retcode, caught.value.message) == (10006, problem)

    def test_other_types(self) -> None:
        """Segments of a platform have no rules."""
        check_segment(Segment("qq.face", {}), "x")


ONE_CODE = [
    (onebot.BadRequest, 10001),
    (onebot.UnsupportedAction, 10002),
    (onebot.BadParam, 10003),
    (onebot.UnsupportedParam, 10004),
    (onebot.UnsupportedSegment, 10005),
    (onebot.BadSegmentData, 10006),
    (onebot.UnsupportedSegmentData, 10007),
    (onebot.WhoAmI, 10101),
    (onebot.UnknownSelf, 10102),
    (onebot.BadHandler, 20001),
    (onebot.InternalHandlerError, 20002),
]
FAMILIES = [
    (onebot.DatabaseError, 31000),
    (onebot.FilesystemError, 32000),
    (onebot.NetworkError, 33000),
    (onebot.PlatformError, 34000),
    (onebot.LogicError, 35000),
    (onebot.IAmTired, 36000),
]


@pytest.mark.rows("S002-17")
class TestErrors:
    """Chapter "action responses": the return codes."""

    @pytest.mark.parametrize(("kind", "code"), ONE_CODE)
    def test_one_code(self, kind: type[Any], code: int) -> None:
        """A class of one code has pylibob's signature."""
        error = kind([1], "why")
        assert isinstance(error, ClientError)
        assert (error.retcode, error.data, error.message) == (code, [1], "why")
        assert (kind().data, kind(message="m").message) == (None, "m")
        assert str(error) == f"why (retcode {code})"
        assert str(kind()) == f"{kind.__name__} (retcode {code})"

    @pytest.mark.parametrize(("kind", "first"), FAMILIES)
    def test_families(self, kind: type[Any], first: int) -> None:
        """A class of a family has any of its thousand codes, and no others."""
        for code in (first, first + 999):
            assert kind(code, message="m").retcode == code
        for code in (first - 1, first + 1000):
            with pytest.raises(ValueError, match=f"has to be from {first} to {first + 999}"):
                kind(code)

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            *((code, kind) for kind, code in ONE_CODE),
            *((code + 7, kind) for kind, code in FAMILIES),
            (10000, OneBotError),
            (10103, OneBotError),
            (20000, OneBotError),
            (30000, OneBotError),
            (37000, OneBotError),
            (61234, OneBotError),
            (0, OneBotError),
            (-1, OneBotError),
            (310001, OneBotError),
            (31, OneBotError),
        ],
    )
    def test_of_an_answer(self, code: int, kind: type[OneBotError]) -> None:
        """The exception of an answer is of the class of its code, else of that of its family."""
        response = onebot.ActionResponse("failed", code, {"a": 1}, "why", "e")
        error = error_of(response, "send_message")
        assert type(error) is kind
        assert (error.retcode, error.data, error.message) == (code, {"a": 1}, "why")
        assert (error.action, error.echo) == ("send_message", "e")
        assert str(error) == f"send_message: why (retcode {code})"
        for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert type(other) is kind
            assert vars(other) == vars(error)

    def test_copies_of_keywords(self) -> None:
        """An error that was made by keywords can be copied, too."""
        for error in (
            OneBotError(retcode=61000, message="m"),
            onebot.LogicError(retcode=35001, data=1),
            onebot.BadParam(message="m"),
        ):
            other = pickle.loads(pickle.dumps(error))
            assert vars(other) == vars(error)

    def test_names(self) -> None:
        """pylibob's name is the same class; all codes have a name."""
        assert onebot.OneBotImplError is OneBotError
        named = {value for name, value in vars(retcodes).items() if name.isupper()}
        assert named == {0, *(code for _, code in ONE_CODE), *(first for _, first in FAMILIES)}
        assert set(errors.__all__) - {"error_of"} <= set(onebot.__all__)
