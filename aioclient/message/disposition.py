"""``Content-Disposition`` (RFC 6266): how a body is to be saved, and under which name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from .parameters import read_parameters

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_UNDECODED: Final = re.compile(r"[\udc80-\udcff]").search
_PATH: Final = re.compile(r"[/\\]")
# Control characters, and characters that change the display direction: they can hide that a name ends with ".exe".
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]").sub


@dataclass(frozen=True, slots=True)
class ContentDisposition:
    """The value of ``Content-Disposition``.

    ``type`` is ``inline``, ``attachment`` or another token in lower case, None if there is none. ``parameters`` are as
    sent, with names in lower case, those with ``*`` decoded. ``filename`` is the name to use, None if there is none:
    without directories and control characters, so that it cannot lead out of the folder it is joined to.
    """

    type: str | None
    parameters: Mapping[str, str]
    filename: str | None


def parse_disposition(field: str) -> ContentDisposition:
    """Return the parsed *field*; of a repeated parameter the first value counts."""
    kind, _, rest = field.partition(";")
    name: str | None = kind.strip(" \t").lower()
    if not _TOKEN(name or ""):
        name = None
        rest = field if "=" in kind else rest
    parameters: dict[str, str] = {}
    for key, value in read_parameters(rest, 0, in_list=False)[0]:
        parameters.setdefault(key, _as_text(value))
    filename = _file_name(parameters.get("filename*", "")) or _file_name(
        parameters.get("filename", "")
    )
    return ContentDisposition(name, MappingProxyType(parameters), filename)


def _as_text(value: str) -> str:
    """Return *value* as text: it is UTF-8, or Latin-1 if not all of its bytes were valid UTF-8."""
    if _UNDECODED(value) is None:
        return value
    return value.encode("utf-8", "surrogateescape").decode("latin-1")


def _file_name(path: str) -> str | None:
    """Return the last part of *path* that is a valid file name (RFC 6266, section 4.3)."""
    name = _CONTROL("", _PATH.split(path)[-1]).strip(" ")
    return None if name in ("", ".", "..") else name
