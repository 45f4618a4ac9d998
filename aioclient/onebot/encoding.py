"""How messages are encoded: JSON (RFC 8259), and MessagePack with the extra ``onebot``.

What is not exact is refused, in both directions and alike for both encodings: numbers that are not finite or outside of
64 bits, a name twice in one object, names that are not text, data after the end, and more than 100 levels. So are
messages with more than half a million values, which would take much time and memory.

Where msgspec is installed it reads and writes the JSON, with the results of the standard library. What it refuses, and
what it might read differently, is read again by the standard library, which decides.
"""

import base64
import enum
import json
import math
import re
import types
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NoReturn, cast

from ..exceptions import MissingExtraError
from .convert import INT64_MIN, MAX_DEPTH, UINT64_MAX, to_plain

MAX_MESSAGE: Final = 4 * 2**20
"""Bytes of a message; aiohttp's default for WebSockets, and so that of many peers."""
MAX_VALUES: Final = 500_000
"""Of one message: its lists, dicts, texts, numbers and so on. One of 4 MiB that says something has fewer."""
_TOO_MANY: Final = "more values than a message may have"


class Encoding(enum.Enum):
    """An encoding of messages; the value is its media type."""

    JSON = "application/json"
    MSGPACK = "application/msgpack"

    @property
    def content_type(self) -> str:
        """The media type, for a ``Content-Type`` field."""
        return self.value


def encoding_of(content_type: str | None) -> Encoding | None:
    """Return the encoding that a ``Content-Type`` field names, or None; parameters and case do not matter."""
    media_type = (content_type or "").partition(";")[0].strip(" \t").lower()
    return _BY_MEDIA_TYPE.get(media_type)


_BY_MEDIA_TYPE: Final = {encoding.value: encoding for encoding in Encoding}


def encode(value: object, encoding: Encoding) -> bytes:
    """Return *value*, plain or typed, as a message; ``bytes`` are base64 text in JSON.

    Raises:
        TypeError: part of it cannot be sent, such as a set.
        ValueError: a number is outside of 64 bits or not finite, a text contains a lone surrogate, or it is nested more
            than 100 deep.
        MissingExtraError: msgpack is not installed.
    """
    return encode_plain(to_plain(value), encoding)


def encode_plain(plain: object, encoding: Encoding) -> bytes:
    """As ``encode()``, of what ``to_plain()`` returned."""
    if encoding is Encoding.JSON:
        return _json_encoder()(plain)
    packed: bytes = _msgpack().packb(plain)
    return packed


def decode(data: bytes | str, encoding: Encoding) -> object:
    """Return the plain data of a message; what was ``bytes`` in JSON is base64 text.

    Raises:
        ValueError: *data* are not such a message; the text begins with ``invalid JSON`` or ``invalid MessagePack``.
        MissingExtraError: msgpack is not installed.
    """
    if encoding is Encoding.MSGPACK:
        return _from_msgpack(data.encode() if isinstance(data, str) else data)
    return _from_json(data)


# --- JSON -----------------------------------------------------------------------------------------


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"a value of type {type(value).__name__} cannot be sent")


_to_json: Final = json.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,
    allow_nan=False,
    separators=(",", ":"),
    default=_base64,
).encode


@cache
def _json_encoder() -> Callable[[object], bytes]:
    """Return what writes plain data as JSON: no blanks, UTF-8, and bytes as base64."""
    try:
        import msgspec
    except ImportError:
        return lambda plain: _to_json(plain).encode()
    encode_json: Callable[[object], bytes] = msgspec.json.Encoder().encode
    return encode_json


@cache
def _json_decoder() -> Callable[[bytes | str], object]:
    """Return what reads JSON fast: it raises for some that is valid, and keeps the last of two values of one name."""
    try:
        import msgspec
    except ImportError:
        return _decode_text
    decode_json: Callable[[bytes | str], object] = msgspec.json.Decoder().decode
    return decode_json


def _decode_text(data: bytes | str) -> object:
    text = data if isinstance(data, str) else data.decode()
    if "\\u" in text:
        raise ValueError("there may be a lone surrogate")
    text.encode()  # fails for one
    value: object = _parse_json(text)
    return value


_parse_json: Final = json.JSONDecoder().decode


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    items = dict(pairs)
    if len(items) != len(pairs):
        raise ValueError("a name occurs twice in an object")
    return items


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


_parse_json_strictly: Final = json.JSONDecoder(
    object_pairs_hook=_without_duplicates, parse_constant=_no_constant
).decode


# A string that does not end goes to the end of the text: tried again from each quotation mark in it, it would take
# quadratic time.
_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)  # also one without end: linear


def _has_too_many(data: bytes | str) -> bool:
    """Tell whether JSON has more than ``MAX_VALUES`` values; an empty list or dict counts twice."""
    if len(data) <= MAX_VALUES or _marks(data) <= MAX_VALUES:
        return False
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    return _marks(_STRING.sub("", text)) > MAX_VALUES


def _marks(data: bytes | str) -> int:
    """Return how many values JSON has at most: each but the outermost follows one of these."""
    if isinstance(data, str):
        return data.count(",") + data.count("[") + data.count("{")
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _from_json(data: bytes | str) -> object:
    if _has_too_many(data):
        raise ValueError(f"invalid JSON: {_TOO_MANY}")
    try:
        value = _json_decoder()(data)
        names = _check(value)
    except (ValueError, RecursionError):  # of msgspec, too
        return _from_json_strictly(data)
    # Each name is followed by a colon: if there are no others, no name was lost because it occurred twice.
    colons = data.count(":") if isinstance(data, str) else data.count(b":")
    return value if names == colons else _from_json_strictly(data)


def _from_json_strictly(data: bytes | str) -> object:
    try:
        text = data if isinstance(data, str) else data.decode()
        value: object = _parse_json_strictly(text)
        _check(value)
        if "\\u" in text or (isinstance(data, str) and not data.isascii()):
            _to_json(value).encode()  # fails for a lone surrogate
    except RecursionError:
        raise ValueError(f"invalid JSON: nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise ValueError(f"invalid JSON: {_reason(error)}") from None
    return value


# --- MessagePack ----------------------------------------------------------------------------------


@cache
def _msgpack() -> Any:
    try:
        import msgpack
    except ImportError:
        raise MissingExtraError(
            "MessagePack needs msgpack, which is not installed: pip install 'aioclient[onebot]'"
        ) from None
    return msgpack


def supports(encoding: Encoding) -> bool:
    """Return whether the encoding's package is installed."""
    if encoding is Encoding.JSON:
        return True
    try:
        _msgpack()
    except MissingExtraError:
        return False
    return True


class _Counting:
    """Checks the lists and dicts of one message as they are made."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def list_of(self, items: list[Any]) -> list[Any]:
        self._count(len(items))
        return items

    def dict_of(self, pairs: list[tuple[object, Any]]) -> dict[str, Any]:
        self._count(len(pairs))
        for name, _ in pairs:
            if type(name) is not str:
                raise ValueError("a name that is not text")
        return _without_duplicates(cast("list[tuple[str, Any]]", pairs))

    def _count(self, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise ValueError(_TOO_MANY)


def _no_extension(code: int, _: bytes) -> NoReturn:
    raise ValueError(f"an extension type, {code}")


def _from_msgpack(data: bytes) -> object:
    msgpack, counting = _msgpack(), _Counting()
    try:
        value = msgpack.unpackb(
            data,
            strict_map_key=True,
            max_array_len=min(len(data), MAX_VALUES),
            max_map_len=min(len(data) // 2, MAX_VALUES),
            list_hook=counting.list_of,
            object_pairs_hook=counting.dict_of,
            ext_hook=_no_extension,
        )
        _check(value)
    except msgpack.StackError:
        raise ValueError(f"invalid MessagePack: nested more than {MAX_DEPTH} deep") from None
    except msgpack.ExtraData:
        raise ValueError("invalid MessagePack: data after the end") from None
    except msgpack.FormatError:
        raise ValueError("invalid MessagePack: a byte that begins no value") from None
    except RecursionError:
        raise ValueError(f"invalid MessagePack: nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise ValueError(f"invalid MessagePack: {_reason(error)}") from None
    return value


# --- both -----------------------------------------------------------------------------------------

_NO_RULES: Final = frozenset({bool, bytes, types.NoneType})


def _check(value: object) -> int:
    """Check decoded data, and return how many names they have; without recursion, so that depth costs no stack.

    Raises:
        ValueError: they are nested too deeply, or contain a number or a type that is not allowed.
    """
    names = 0
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        is_last = True
        for item in level:
            kind = type(item)
            if kind is str:
                continue
            if kind is dict:
                is_last = False
                names += len(item)
                inner.extend(item.values())
            elif kind is list:
                is_last = False
                inner.extend(item)
            elif kind not in _NO_RULES:
                _check_number(item)
        if is_last:
            return names
        level = inner
    raise ValueError(f"nested more than {MAX_DEPTH} deep")


def _check_number(value: object) -> None:
    if isinstance(value, int):
        if not INT64_MIN <= value <= UINT64_MAX:
            raise ValueError("an integer needs more than 64 bits")
    elif not isinstance(value, float):
        raise ValueError("an extension type")
    elif not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, UnicodeEncodeError):
        return "a lone surrogate"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return str(error)
