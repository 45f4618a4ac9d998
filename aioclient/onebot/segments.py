"""Message segments: the parts of a message.

A message is a list of segments. Senders may also write one segment, or a text, in its place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from .errors import BadSegmentData


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a message: its type, and data that depend on the type.

    Data may contain ``bytes``. Types and data beyond the standard have a prefix, such as ``qq.face``.
    """

    type: str
    data: Mapping[str, object]

    def to_dict(self) -> dict[str, object]:
        """Return it as it is sent."""
        return {"type": self.type, "data": dict(self.data)}

    def plain_fields(self) -> dict[str, object]:
        """As :meth:`to_dict`, without a copy of the data."""
        return {"type": self.type, "data": self.data}


def text(text: str, **extra: object) -> Segment:
    """Return a text."""
    return Segment("text", {"text": text, **extra})


def mention(user_id: str, **extra: object) -> Segment:
    """Return a mention of a user."""
    return Segment("mention", {"user_id": user_id, **extra})


def mention_all(**extra: object) -> Segment:
    """Return a mention of everybody."""
    return Segment("mention_all", extra)


def image(file_id: str, **extra: object) -> Segment:
    """Return an image, which was uploaded as *file_id*."""
    return Segment("image", {"file_id": file_id, **extra})


def voice(file_id: str, **extra: object) -> Segment:
    """Return a voice message, which was uploaded as *file_id*."""
    return Segment("voice", {"file_id": file_id, **extra})


def audio(file_id: str, **extra: object) -> Segment:
    """Return a sound file, which was uploaded as *file_id*."""
    return Segment("audio", {"file_id": file_id, **extra})


def video(file_id: str, **extra: object) -> Segment:
    """Return a video, which was uploaded as *file_id*."""
    return Segment("video", {"file_id": file_id, **extra})


def file(file_id: str, **extra: object) -> Segment:
    """Return a file, which was uploaded as *file_id*."""
    return Segment("file", {"file_id": file_id, **extra})


def location(
    latitude: float, longitude: float, title: str, content: str, **extra: object
) -> Segment:
    """Return a place, in degrees, with a title and a description."""
    data = {"latitude": latitude, "longitude": longitude, "title": title, "content": content}
    return Segment("location", {**data, **extra})


def reply(message_id: str, user_id: str, **extra: object) -> Segment:
    """Return a reference to the message that is replied to, and its sender."""
    return Segment("reply", {"message_id": message_id, "user_id": user_id, **extra})


# pylibob's names.
Text: Callable[..., Segment] = text
Mention: Callable[..., Segment] = mention
MentionAll: Callable[..., Segment] = mention_all
Image: Callable[..., Segment] = image
Voice: Callable[..., Segment] = voice
Audio: Callable[..., Segment] = audio
Video: Callable[..., Segment] = video
File: Callable[..., Segment] = file
Location: Callable[..., Segment] = location
Reply: Callable[..., Segment] = reply

_MISSING: Final = object()
_Kinds = tuple[type, ...]
_FILE: Final[dict[str, _Kinds]] = {"file_id": (str,)}
# What a segment of a standard type has at least; reply's user may be left out.
_STANDARD: Final[dict[str, dict[str, _Kinds]]] = {
    "text": {"text": (str,)},
    "mention": {"user_id": (str,)},
    "mention_all": {},
    "image": _FILE,
    "voice": _FILE,
    "audio": _FILE,
    "video": _FILE,
    "file": _FILE,
    "location": {
        "latitude": (float, int),
        "longitude": (float, int),
        "title": (str,),
        "content": (str,),
    },
    "reply": {"message_id": (str,)},
}


def check_segment(segment: Segment, where: str, place: int | None = None) -> None:
    """Check the data of a segment of a standard type; other types have no rules.

    Args:
        where: the parameter, for the message.
        place: the segment's index there, if it is a list.

    Raises:
        BadSegmentData: data are missing, or of the wrong type.
    """
    rules = _STANDARD.get(segment.type)
    if not rules:
        return
    data = segment.data
    for name, kinds in rules.items():
        value = data.get(name, _MISSING)
        if isinstance(value, kinds) and not isinstance(value, bool):
            continue
        if place is not None:
            where = f"{where}[{place}]"
        if value is _MISSING:
            raise BadSegmentData(message=f"{where}.data.{name}: missing in a {segment.type!r}")
        raise BadSegmentData(
            message=f"{where}.data.{name}: expected {kinds[0].__name__}, found {type(value).__name__}"
        )
