"""Events: what an implementation tells applications.

The classes are those of OneBot 12, by pylibob's names. An event of another kind, or one whose fields are not as the
standard has them, is a plain :class:`Event` with its fields in ``extra``.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from operator import attrgetter
from typing import Any, Final, Literal, TypedDict, cast, get_type_hints

from .bots import BotSelf
from .convert import Members, checked_members, converter, to_plain, wire_names
from .segments import Segment

_Plain = dict[str, object]


class Version(TypedDict):
    """What ``get_version`` answers."""

    impl: str
    version: str
    onebot_version: str


class Status(TypedDict):
    """What ``get_status`` answers: whether all is well, and ``self`` and ``online`` of each bot."""

    good: bool
    bots: list[dict[str, object]]


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event.

    ``id`` is a new UUID, and ``time`` the current one in seconds since 1970, unless they are given. ``self`` is the bot
    that it happened to; meta events have none. *extra* are fields beyond those of the class, and sent beside them by
    the names they have there: ``{"qq.nickname": "Ann"}``.

    Raises:
        ValueError: *extra* contains one of the class's own fields.
    """

    id: str = field(default_factory=_new_id)
    time: float = field(default_factory=time.time)
    type: str
    detail_type: str
    sub_type: str = ""
    self: BotSelf | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.extra:
            return
        own, _ = _own_fields(type(self))
        for name in self.extra:
            if name in own:
                raise ValueError(f"extra: {name!r} is a field of {type(self).__name__}")

    def to_dict(self) -> _Plain:
        """Return the event as plain data, as it is sent; fields that are None are left out."""
        return cast("_Plain", to_plain(self))

    def plain_fields(self) -> _Plain:
        """Return the fields by the names they have when sent, with their values as they are."""
        wires, values = _own_fields(type(self))
        plain = {
            wire: value
            for wire, value in zip(wires, values(self), strict=True)
            if value is not None
        }
        if self.extra:
            plain.update(self.extra)
        return plain

    def dict(self) -> _Plain:
        """Return :meth:`to_dict`, by pylibob's name."""
        return self.to_dict()


_OwnFields = tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]
_fields_of_kinds: Final[dict[type[Event], _OwnFields]] = {}


def _own_fields(kind: type[Event]) -> _OwnFields:
    """Return the names that the fields of an event have when sent, without ``extra``, and what gets their values."""
    own = _fields_of_kinds.get(kind)
    if own is None:
        names: Callable[[Any], tuple[tuple[str, str], ...]] = wire_names
        pairs = [(name, wire) for name, wire in names(kind) if name != "extra"]
        own = tuple(wire for _, wire in pairs), attrgetter(*(name for name, _ in pairs))
        _fields_of_kinds[kind] = own
    return own


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaEvent(Event):
    """An event of the implementation itself."""

    type: Literal["meta"] = "meta"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaConnectEvent(MetaEvent):
    """``meta.connect``: the first event of a WebSocket."""

    detail_type: Literal["connect"] = "connect"
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaHeartbeatEvent(MetaEvent):
    """``meta.heartbeat``: the implementation is alive; the next one follows in ``interval`` milliseconds."""

    detail_type: Literal["heartbeat"] = "heartbeat"
    interval: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaStatusUpdateEvent(MetaEvent):
    """``meta.status_update``: the status of the implementation and its bots, when it changed."""

    detail_type: Literal["status_update"] = "status_update"
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEvent(Event):
    """A message. ``alt_message`` is a text for those that cannot show its segments."""

    type: Literal["message"] = "message"
    message_id: str = field(default_factory=_new_id)
    message: list[Segment]
    alt_message: str = ""
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateMessageEvent(MessageEvent):
    """``message.private``: a message from a user to the bot."""

    detail_type: Literal["private"] = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMessageEvent(MessageEvent):
    """``message.group``: a message in a group."""

    detail_type: Literal["group"] = "group"
    group_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMessageEvent(MessageEvent):
    """``message.channel``: a message in a channel of a guild."""

    detail_type: Literal["channel"] = "channel"
    guild_id: str
    channel_id: str


PrivateMessage = PrivateMessageEvent
GroupMessage = GroupMessageEvent
ChannelMessage = ChannelMessageEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeEvent(Event):
    """Something happened on the platform."""

    type: Literal["notice"] = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class FriendIncreaseEvent(NoticeEvent):
    """``notice.friend_increase``: the bot has a new friend."""

    detail_type: Literal["friend_increase"] = "friend_increase"
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FriendDecreaseEvent(NoticeEvent):
    """``notice.friend_decrease``: the bot has lost a friend."""

    detail_type: Literal["friend_decrease"] = "friend_decrease"
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateMessageDeleteEvent(NoticeEvent):
    """``notice.private_message_delete``: a user has deleted a message to the bot."""

    detail_type: Literal["private_message_delete"] = "private_message_delete"
    message_id: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMemberIncreaseEvent(NoticeEvent):
    """``notice.group_member_increase``: a user is in a group (``join``, or ``invite`` by the operator)."""

    detail_type: Literal["group_member_increase"] = "group_member_increase"
    group_id: str
    user_id: str
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMemberDecreaseEvent(NoticeEvent):
    """``notice.group_member_decrease``: a user left a group (``leave``), or was removed (``kick``) by the operator."""

    detail_type: Literal["group_member_decrease"] = "group_member_decrease"
    group_id: str
    user_id: str
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMessageDeleteEvent(NoticeEvent):
    """``notice.group_message_delete``: a message was taken back (``recall``), or deleted (``delete``)."""

    detail_type: Literal["group_message_delete"] = "group_message_delete"
    group_id: str
    message_id: str
    user_id: str
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildMemberIncreaseEvent(NoticeEvent):
    """``notice.guild_member_increase``: a user is in a guild (``join``, ``invite``)."""

    detail_type: Literal["guild_member_increase"] = "guild_member_increase"
    guild_id: str
    user_id: str
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildMemberDecreaseEvent(NoticeEvent):
    """``notice.guild_member_decrease``: a user left a guild (``leave``), or was removed (``kick``)."""

    detail_type: Literal["guild_member_decrease"] = "guild_member_decrease"
    guild_id: str
    user_id: str
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMemberIncreaseEvent(NoticeEvent):
    """``notice.channel_member_increase``: a user is in a channel (``join``, ``invite``)."""

    detail_type: Literal["channel_member_increase"] = "channel_member_increase"
    guild_id: str
    channel_id: str
    user_id: str
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMemberDecreaseEvent(NoticeEvent):
    """``notice.channel_member_decrease``: a user left a channel (``leave``), or was removed (``kick``)."""

    detail_type: Literal["channel_member_decrease"] = "channel_member_decrease"
    guild_id: str
    channel_id: str
    user_id: str
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMessageDeleteEvent(NoticeEvent):
    """``notice.channel_message_delete``: a message was taken back (``recall``), or deleted (``delete``)."""

    detail_type: Literal["channel_message_delete"] = "channel_message_delete"
    guild_id: str
    channel_id: str
    message_id: str
    user_id: str
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCreateEvent(NoticeEvent):
    """``notice.channel_create``: a guild has a new channel."""

    detail_type: Literal["channel_create"] = "channel_create"
    guild_id: str
    channel_id: str
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDeleteEvent(NoticeEvent):
    """``notice.channel_delete``: a channel of a guild is gone."""

    detail_type: Literal["channel_delete"] = "channel_delete"
    guild_id: str
    channel_id: str
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEvent(Event):
    """Somebody asks the bot for something. OneBot 12 itself has none of these; platforms do."""

    type: Literal["request"] = "request"


# Although an event that is made here has defaults for them.
_REQUIRED: Final = frozenset({"id", "time", "type", "detail_type", "message_id"})
_BY_TYPE: Final[dict[str, type[Event]]] = {
    "meta": MetaEvent,
    "message": MessageEvent,
    "notice": NoticeEvent,
    "request": RequestEvent,
}
_STANDARD: Final[dict[tuple[str, str], type[Event]]] = {
    ("meta", "connect"): MetaConnectEvent,
    ("meta", "heartbeat"): MetaHeartbeatEvent,
    ("meta", "status_update"): MetaStatusUpdateEvent,
    ("message", "private"): PrivateMessageEvent,
    ("message", "group"): GroupMessageEvent,
    ("message", "channel"): ChannelMessageEvent,
    ("notice", "friend_increase"): FriendIncreaseEvent,
    ("notice", "friend_decrease"): FriendDecreaseEvent,
    ("notice", "private_message_delete"): PrivateMessageDeleteEvent,
    ("notice", "group_member_increase"): GroupMemberIncreaseEvent,
    ("notice", "group_member_decrease"): GroupMemberDecreaseEvent,
    ("notice", "group_message_delete"): GroupMessageDeleteEvent,
    ("notice", "guild_member_increase"): GuildMemberIncreaseEvent,
    ("notice", "guild_member_decrease"): GuildMemberDecreaseEvent,
    ("notice", "channel_member_increase"): ChannelMemberIncreaseEvent,
    ("notice", "channel_member_decrease"): ChannelMemberDecreaseEvent,
    ("notice", "channel_message_delete"): ChannelMessageDeleteEvent,
    ("notice", "channel_create"): ChannelCreateEvent,
    ("notice", "channel_delete"): ChannelDeleteEvent,
}


def parse_event(data: object) -> Event:
    """Return plain data as an event.

    Its class is the standard's for its types if the fields fit, else the class of its type, such as
    :class:`NoticeEvent`, else :class:`Event`. Fields that the class does not have are in ``extra``. ``sub_type`` and
    ``alt_message`` may be missing.

    Raises:
        ValueError: *data* are no event: a field that all events have is missing, or of the wrong type.
    """
    for kind in _narrower_kinds(data):
        try:
            return _made(kind, data)
        except ValueError:
            continue
    return _made(Event, data)


def _narrower_kinds(data: object) -> Iterator[type[Event]]:
    if not isinstance(data, dict):
        return
    main_type, detail_type = data.get("type"), data.get("detail_type")
    if isinstance(main_type, str) and isinstance(detail_type, str):
        if (main_type, detail_type) in _STANDARD:
            yield _STANDARD[main_type, detail_type]
        if main_type in _BY_TYPE:
            yield _BY_TYPE[main_type]


def _made(kind: type[Event], data: object) -> Event:
    values = checked_members(_members()[kind], data, "event")
    for name in ("id", "type", "detail_type"):
        if not values[name]:
            raise ValueError(f"event.{name}: empty")
    own = _members()[kind]
    rest = cast("dict[str, object]", data).items()
    return kind(**values, extra={name: value for name, value in rest if name not in own})


@cache
def _members() -> dict[type[Event], Members]:
    """Return each class's fields: how they are converted, and whether they must be there."""
    kinds: list[type[Event]] = [Event, *_BY_TYPE.values(), *_STANDARD.values()]
    return {
        kind: {
            member.name: (
                converter(hints[member.name]),
                member.name in _REQUIRED
                or (member.default is MISSING and member.default_factory is MISSING),
            )
            for member in fields(kind)
            if member.name != "extra"
        }
        for kind in kinds
        for hints in [get_type_hints(kind)]
    }
