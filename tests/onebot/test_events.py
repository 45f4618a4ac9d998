"""Events, as they are made, sent and read."""

import time
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclient import onebot
from aioclient.onebot import Encoding, Event, parse_event
from aioclient.onebot.convert import from_plain

from . import values

both = pytest.mark.parametrize("encoding", Encoding)
BOT = onebot.Bot("qq", "1")
USER = {"user_id": "42"}
MESSAGE = {"message": [onebot.text("hi"), onebot.location(1.5, 2, "here", "it is")], **USER}
MEMBER = {"operator_id": "3", **USER}
GUILD = {"guild_id": "8", **MEMBER}

# Each class of the standard, its types, and the fields that it has to be given.
STANDARD: list[tuple[type[Event], str, str, Mapping[str, Any]]] = [
    (
        onebot.MetaConnectEvent,
        "meta",
        "connect",
        {"version": {"impl": "qq", "version": "1.0", "onebot_version": "12"}},
    ),
    (onebot.MetaHeartbeatEvent, "meta", "heartbeat", {"interval": 5000}),
    (
        onebot.MetaStatusUpdateEvent,
        "meta",
        "status_update",
        {"status": {"good": True, "bots": [BOT.status()]}},
    ),
    (onebot.PrivateMessageEvent, "message", "private", MESSAGE),
    (onebot.GroupMessageEvent, "message", "group", {"group_id": "7", **MESSAGE}),
    (
        onebot.ChannelMessageEvent,
        "message",
        "channel",
        {"guild_id": "8", "channel_id": "9", **MESSAGE},
    ),
    (onebot.FriendIncreaseEvent, "notice", "friend_increase", USER),
    (onebot.FriendDecreaseEvent, "notice", "friend_decrease", USER),
    (
        onebot.PrivateMessageDeleteEvent,
        "notice",
        "private_message_delete",
        {"message_id": "6", **USER},
    ),
    (
        onebot.GroupMemberIncreaseEvent,
        "notice",
        "group_member_increase",
        {"group_id": "7", **MEMBER},
    ),
    (
        onebot.GroupMemberDecreaseEvent,
        "notice",
        "group_member_decrease",
        {"group_id": "7", **MEMBER},
    ),
    (
        onebot.GroupMessageDeleteEvent,
        "notice",
        "group_message_delete",
        {"group_id": "7", "message_id": "6", **MEMBER},
    ),
    (onebot.GuildMemberIncreaseEvent, "notice", "guild_member_increase", GUILD),
    (onebot.GuildMemberDecreaseEvent, "notice", "guild_member_decrease", GUILD),
    (
        onebot.ChannelMemberIncreaseEvent,
        "notice",
        "channel_member_increase",
        {"channel_id": "9", **GUILD},
    ),
    (
        onebot.ChannelMemberDecreaseEvent,
        "notice",
        "channel_member_decrease",
        {"channel_id": "9", **GUILD},
    ),
    (
        onebot.ChannelMessageDeleteEvent,
        "notice",
        "channel_message_delete",
        {"channel_id": "9", "message_id": "6", **GUILD},
    ),
    (
        onebot.ChannelCreateEvent,
        "notice",
        "channel_create",
        {"guild_id": "8", "channel_id": "9", "operator_id": "3"},
    ),
    (
        onebot.ChannelDeleteEvent,
        "notice",
        "channel_delete",
        {"guild_id": "8", "channel_id": "9", "operator_id": "3"},
    ),
]
standard = pytest.mark.parametrize(
    ("kind", "main_type", "detail_type", "own"), STANDARD, ids=[k.__name__ for k, *_ in STANDARD]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poke(onebot.NoticeEvent):
    """An event of a platform, as an implementation of it writes its own."""

    detail_type: Literal["qq.poke"] = "qq.poke"
    target: Annotated[str, "qq.target_id"]


class TestMade:
    @standard
    def test_types(
        self, kind: type[Event], main_type: str, detail_type: str, own: Mapping[str, Any]
    ) -> None:
        """Each class has its types; fields that all events have come from defaults."""
        before = time.time()
        event = kind(**own)
        assert (event.type, event.detail_type, event.sub_type) == (main_type, detail_type, "")
        assert before <= event.time <= time.time()
        assert UUID(event.id).version == 4
        assert event.id != kind(**own).id
        assert event.self is None

    def test_short_names(self) -> None:
        """Messages have a short name each."""
        assert onebot.PrivateMessage is onebot.PrivateMessageEvent
        assert onebot.GroupMessage is onebot.GroupMessageEvent
        assert onebot.ChannelMessage is onebot.ChannelMessageEvent

    def test_as_sent(self) -> None:
        """An event is sent flat, with its extra fields beside its own and without fields that are None."""
        event = onebot.PrivateMessageEvent(
            id="i",
            time=1.5,
            self=BOT,
            message_id="m",
            message=[onebot.text("hi")],
            user_id="42",
            extra={"qq.nickname": "Ann", "qq.photo": b"\x00"},
        )
        assert (
            event.to_dict()
            == event.dict()
            == {
                "id": "i",
                "time": 1.5,
                "type": "message",
                "detail_type": "private",
                "sub_type": "",
                "self": {"platform": "qq", "user_id": "1"},
                "message_id": "m",
                "message": [{"type": "text", "data": {"text": "hi"}}],
                "alt_message": "",
                "user_id": "42",
                "qq.nickname": "Ann",
                "qq.photo": b"\x00",
            }
        )
        assert "self" not in Event(type="x", detail_type="y").to_dict()

    def test_extra_fields(self) -> None:
        """They cannot take the place of the class's own."""
        with pytest.raises(ValueError, match="extra: 'user_id' is a field of FriendIncreaseEvent"):
            onebot.FriendIncreaseEvent(user_id="1", extra={"user_id": "2"})

    def test_nothing_changes(self) -> None:
        """An event is a value: a queue may hold it."""
        with pytest.raises(FrozenInstanceError):
            onebot.FriendIncreaseEvent(user_id="1").user_id = "2"  # type: ignore[misc]

    @both
    def test_an_event_of_a_platform(self, encoding: Encoding) -> None:
        """An implementation's own class is sent by the names of its annotations, and read with its fields in extra."""
        poke = Poke(self=BOT, target="42")
        plain = onebot.decode(onebot.encode(poke, encoding), encoding)
        assert isinstance(plain, dict)
        assert plain["qq.target_id"] == "42"
        found = parse_event(plain)
        assert type(found) is onebot.NoticeEvent
        assert (found.id, found.detail_type, found.extra) == (
            poke.id,
            "qq.poke",
            {"qq.target_id": "42"},
        )
        assert from_plain(plain, Poke, where="event") == poke


class TestRead:
    @standard
    @both
    def test_it_is_the_same_at_its_peer(
        self,
        encoding: Encoding,
        kind: type[Event],
        main_type: str,
        detail_type: str,
        own: Mapping[str, Any],
    ) -> None:
        """An event of the standard is read as its class, with what extra fields it has."""
        event = kind(
            self=BOT, sub_type="join", extra={"qq.x": [1, {"extra": 2}], "extra": 3}, **own
        )
        found = parse_event(onebot.decode(onebot.encode(event, encoding), encoding))
        assert type(found) is kind
        assert found == event
        assert found.to_dict() == event.to_dict()

    @standard
    def test_its_fields_do_not_fit(
        self, kind: type[Event], main_type: str, detail_type: str, own: Mapping[str, Any]
    ) -> None:
        """An event that lacks a field of its class, or has a wrong one, arrives raw."""
        whole = kind(**own).to_dict()
        for name in own:
            for plain in (
                {key: value for key, value in whole.items() if key != name},
                {**whole, name: 1.5},
            ):
                found = parse_event(plain)
                assert type(found) in (Event, *kind.__mro__[1:2], *kind.__mro__[2:3])
                assert found.to_dict() == plain

    @pytest.mark.parametrize(
        ("main_type", "kind"),
        [
            ("meta", onebot.MetaEvent),
            ("notice", onebot.NoticeEvent),
            ("request", onebot.RequestEvent),
            ("qq.other", Event),
        ],
    )
    def test_unknown_types(self, main_type: str, kind: type[Event]) -> None:
        """An event of a platform is of the class of its type, if that is one of the standard's."""
        plain = {"id": "i", "time": 1, "type": main_type, "detail_type": "qq.x", "a": [b"b"]}
        found = parse_event(plain)
        assert type(found) is kind
        assert found.extra == {"a": [b"b"]}
        assert found.to_dict() == {**plain, "sub_type": ""}

    def test_messages_of_a_platform(self) -> None:
        """A message of another kind is a MessageEvent."""
        plain = onebot.GroupMessageEvent(group_id="7", **MESSAGE).to_dict()
        found = parse_event({**plain, "detail_type": "qq.dm"})
        assert type(found) is onebot.MessageEvent
        assert found.message == MESSAGE["message"]
        assert found.extra == {"group_id": "7"}

    def test_a_message_in_other_spellings(self) -> None:
        """A text or one segment stands for a message; alt_message and sub_type may be missing."""
        plain = onebot.PrivateMessageEvent(**MESSAGE).to_dict()
        del plain["sub_type"], plain["alt_message"]
        for message in ("hi", {"type": "text", "data": {"text": "hi"}}):
            found = parse_event({**plain, "message": message})
            assert isinstance(found, onebot.PrivateMessageEvent)
            assert found.message == [onebot.text("hi")]

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"id": None}, "event.id: expected str, found None"),
            ({"id": ""}, "event.id: empty"),
            ({"time": "1"}, "event.time: expected float, found str"),
            ({"time": True}, "event.time: expected float, found bool"),
            ({"type": 1}, "event.type: expected str, found int"),
            ({"type": ""}, "event.type: empty"),
            ({"detail_type": []}, "event.detail_type: expected str, found list"),
            ({"detail_type": ""}, "event.detail_type: empty"),
            ({"sub_type": None}, "event.sub_type: expected str, found None"),
            ({"self": {}}, "event.self.platform: missing"),
            ({"self": {"platform": "qq", "user_id": 1}}, "event.self.user_id: expected str"),
            ({"self": {"platform": "q q", "user_id": "1"}}, "event.self: platform 'q q'"),
        ],
    )
    @pytest.mark.parametrize("main_type", ["notice", "qq.x"])
    def test_no_event(self, main_type: str, changes: Mapping[str, object], problem: str) -> None:
        """Data without the fields that all events have are no event."""
        plain = {
            "id": "i",
            "time": 1.0,
            "type": main_type,
            "detail_type": "friend_increase",
            **USER,
        }
        with pytest.raises(ValueError) as caught:
            parse_event({**plain, **changes})
        assert str(caught.value).startswith(problem)
        for name in {"id", "time", "type", "detail_type"} & set(changes):
            with pytest.raises(ValueError, match=f"^event.{name}: missing$"):
                parse_event({key: value for key, value in plain.items() if key != name})

    @given(values.data | st.dictionaries(st.sampled_from([*USER, "id", "self"]), values.data))
    def test_anything(self, data: object) -> None:
        """Any data are an event, or raise ValueError."""
        try:
            parse_event(data)
        except ValueError as error:
            assert str(error).startswith("event")

    @given(
        st.fixed_dictionaries(
            {
                "id": values.text.filter(bool),
                "time": st.floats(allow_nan=False, allow_infinity=False),
                "type": st.sampled_from(["meta", "message", "notice", "request", "x"]),
                "detail_type": st.sampled_from([row[2] for row in STANDARD] + ["x"]),
                "sub_type": values.text,
            },
            optional={
                "user_id": values.data,
                "message": values.data,
                "message_id": values.text,
                "group_id": values.data,
                "interval": values.data,
                "extra": values.data,
                "qq.x": values.data,
            },
        )
    )
    def test_nothing_is_lost(self, data: dict[str, object]) -> None:
        """Whatever class an event is read as, it has all that was sent."""
        sent = parse_event(data).to_dict()
        if isinstance(data.get("message"), str | dict):  # another spelling of a list
            sent.pop("message")
            data.pop("message")
        added = {name for name in sent if name not in data}
        assert added <= {"alt_message"}
        assert {name: sent[name] for name in data} == data
