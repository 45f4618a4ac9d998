"""Typed values to plain data, and plain data to typed values.

Plain data are what a message can carry: ``None``, ``bool``, ``int`` of 64 bits, finite ``float``, ``str``, ``bytes``,
lists, and dicts with ``str`` keys.

- :func:`to_plain` takes these, tuples, mappings, dataclasses, named tuples, members of enums, and whatever has a
  ``to_dict()``, such as events and segments;
- :func:`from_plain` takes a type hint, and checks as it converts. An ``int`` is accepted where a ``float`` is expected,
  and base64 text where ``bytes`` are; a ``bool`` is no number. Where a list of segments is expected, one segment or a
  text will do.

A field ``Annotated[T, "qq.nickname"]`` of a dataclass is called ``qq.nickname`` in plain data.
"""

import base64
import binascii
import dataclasses
import enum
import math
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from collections.abc import Sequence as AbstractSequence
from functools import cache
from typing import Any, Final, Protocol, cast

from .bots import BotSelf
from .segments import Segment

MAX_DEPTH: Final = 100
"""Lists and dicts within each other; chat messages have fewer than ten, and parsers give up at some hundreds."""
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
UINT64_MAX: Final = 2**64 - 1
"""What MessagePack can carry; the integers of OneBot's own fields are signed."""

Converter = Callable[[object], object]


# --- to plain data --------------------------------------------------------------------------------


class _HasToDict(Protocol):
    def to_dict(self) -> Mapping[str, object]: ...


class _HasPlainFields(Protocol):
    def plain_fields(self) -> Mapping[str, object]: ...


_AS_THEY_ARE: Final = frozenset({str, bytes, bool, types.NoneType})


def to_plain(value: object) -> object:
    """Return *value* as plain data; what is plain already is copied.

    Raises:
        TypeError: part of it cannot be sent, such as a set.
        ValueError: a number is outside of 64 bits or not finite, or it is nested more than 100 deep.
    """
    return _plain(value, MAX_DEPTH)


def _plain(value: object, depth: int) -> object:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is dict:
        return _plain_items(cast("dict[object, object]", value).items(), depth)
    if kind is list or kind is tuple:
        return _plain_list(cast("list[object]", value), depth)
    if kind is int or kind is float:
        return _checked_number(cast(float, value))
    return _plain_other(value, depth)


def _plain_items(items: Iterable[tuple[object, object]], depth: int) -> dict[str, object]:
    if not depth:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    plain = {}
    for name, value in items:
        if not isinstance(name, str):
            raise TypeError(f"the key {name!r} is not a str")
        plain[name] = value if type(value) in _AS_THEY_ARE else _plain(value, depth - 1)
    return plain


def _plain_list(items: Iterable[object], depth: int) -> list[object]:
    if not depth:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    return [_plain(item, depth - 1) for item in items]


def _checked_number(value: float) -> float:
    if isinstance(value, int):
        if not INT64_MIN <= value <= UINT64_MAX:
            raise ValueError("an integer needs more than 64 bits")
    elif not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return value


def _plain_other(value: object, depth: int) -> object:
    if isinstance(value, enum.Enum):
        return _plain(value.value, depth)
    kind = type(value)
    if hasattr(kind, "plain_fields"):
        return _plain_items(cast("_HasPlainFields", value).plain_fields().items(), depth)
    if hasattr(kind, "to_dict"):
        return _plain_items(cast("_HasToDict", value).to_dict().items(), depth)
    if dataclasses.is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        return _plain_items(
            ((wire, getattr(value, name)) for name, wire in wire_names(kind)), depth
        )
    if isinstance(value, Mapping):
        return _plain_items(value.items(), depth)
    if isinstance(value, list | tuple):
        return _plain_list(value, depth)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    of_subclass = next((kind for kind in (str, bytes, int, float) if isinstance(value, kind)), None)
    if of_subclass is not None:
        return _plain(cast("Callable[[object], object]", of_subclass)(value), depth)
    raise TypeError(f"a value of type {type(value).__name__} cannot be sent")


@cache
def wire_names(kind: Any) -> tuple[tuple[str, str], ...]:
    """Return the fields of a dataclass or named tuple, each with its name in plain data."""
    return tuple((field.name, field.wire) for field in _fields(kind))


# --- from plain data ------------------------------------------------------------------------------


class _MismatchError(Exception):
    """Data are not of the type asked for; *path* leads to the place."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = ""

    def within(self, step: str) -> "_MismatchError":
        self.path = step + self.path
        return self


def from_plain(data: object, hint: Any, *, where: str) -> Any:
    """Return *data* as a value of the type *hint*; of a union, the first type that fits.

    What converts often keeps the :func:`converter` of its hint.

    Raises:
        ValueError: they are not of that type; the text begins with *where* and the path from there.
        TypeError: *hint* is not a type that data can be converted to.
    """
    return checked(converter(hint), data, where)


def checked(convert: Converter, data: object, where: str) -> object:
    """Return *data* as *convert* converts them; it is one that :func:`converter` returned.

    Raises:
        ValueError: they are not of its type; the text begins with *where* and the path from there.
    """
    try:
        return convert(data)
    except _MismatchError as mismatch:
        raise ValueError(f"{where}{mismatch.path}: {mismatch.problem}") from None


Members = Mapping[str, tuple[Converter, bool]]
"""The fields of a message: how each is converted, and whether it must be there."""


def checked_members(members: Members, data: object, where: str) -> dict[str, Any]:
    """Return those fields of *data* that *members* names, converted; others are ignored.

    Raises:
        ValueError: *data* are no dict, or a field is missing or of the wrong type; the text begins with *where*.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected dict, found {_found(data)}")
    values: dict[str, Any] = {}
    for name, (convert, required) in members.items():
        if name in data:
            values[name] = checked(convert, data[name], f"{where}.{name}")
        elif required:
            raise ValueError(f"{where}.{name}: missing")
    return values


def converter(hint: Any) -> Converter:
    """Return what converts to *hint*, for :func:`checked`.

    Raises:
        TypeError: *hint* is not a type that data can be converted to.
    """
    return _Compiler().compile(hint)


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    wire: str
    hint: Any
    required: bool


def _fields(kind: type) -> list[_Field]:
    """Return the fields of a dataclass, a named tuple or a TypedDict that its constructor takes."""
    hints = typing.get_type_hints(kind, include_extras=True)
    if dataclasses.is_dataclass(kind):
        missing = dataclasses.MISSING
        required = {
            field.name: field.default is missing and field.default_factory is missing
            for field in dataclasses.fields(kind)
            if field.init
        }
    elif typing.is_typeddict(kind):
        needed: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
        required = {name: name in needed for name in hints}
    else:
        defaults: dict[str, object] = getattr(kind, "_field_defaults", {})
        names: tuple[str, ...] = getattr(kind, "_fields", ())
        required = {name: name not in defaults for name in names}
    return [
        _Field(name, wire_name(name, hints.get(name, Any)), hints.get(name, Any), is_required)
        for name, is_required in required.items()
    ]


def wire_name(name: str, hint: Any) -> str:
    """Return the name in plain data: that of ``Annotated[T, "qq.nickname"]``, else *name*."""
    if typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        (hint,) = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Annotated:
        for extra in hint.__metadata__:
            if isinstance(extra, str):
                return extra
    return name


def _found(data: object) -> str:
    return "None" if data is None else type(data).__name__


def _wrong(expected: str, data: object) -> _MismatchError:
    return _MismatchError(f"expected {expected}, found {_found(data)}")


def _any(data: object) -> object:
    return data


def _none(data: object) -> object:
    if data is not None:
        raise _wrong("None", data)
    return None


def _bool(data: object) -> object:
    if not isinstance(data, bool):
        raise _wrong("bool", data)
    return data


def _int(data: object) -> object:
    if not isinstance(data, int) or isinstance(data, bool):
        raise _wrong("int", data)
    if not INT64_MIN <= data <= INT64_MAX:
        raise _MismatchError("an integer needs more than 64 bits")
    return data


def _float(data: object) -> object:
    if not isinstance(data, float | int) or isinstance(data, bool):
        raise _wrong("float", data)
    try:
        number = float(data)
    except OverflowError:
        raise _MismatchError("an integer needs more than 64 bits") from None
    if not math.isfinite(number):
        raise _MismatchError(f"{number} is not a finite number")
    return number


def _str(data: object) -> object:
    if not isinstance(data, str):
        raise _wrong("str", data)
    return data


def _bytes(data: object) -> object:
    if isinstance(data, bytes):
        return data
    if not isinstance(data, str):
        raise _wrong("bytes", data)
    try:
        return base64.b64decode(data.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _MismatchError("expected bytes, found text that is not base64") from None


def _segment(data: object) -> object:
    if isinstance(data, Segment):
        return data
    if not isinstance(data, dict):
        raise _wrong("a segment", data)
    for name in ("type", "data"):
        if name not in data:
            raise _MismatchError("missing").within(f".{name}")
    if not isinstance(data["type"], str):
        raise _wrong("str", data["type"]).within(".type")
    if not isinstance(data["data"], dict):
        raise _wrong("dict", data["data"]).within(".data")
    return Segment(data["type"], data["data"])


def _bot_self(data: object) -> object:
    if isinstance(data, BotSelf):
        return data
    if not isinstance(data, dict):
        raise _wrong("dict", data)
    for name in ("platform", "user_id"):
        if name not in data:
            raise _MismatchError("missing").within(f".{name}")
        if not isinstance(data[name], str):
            raise _wrong("str", data[name]).within(f".{name}")
    try:
        return BotSelf(data["platform"], data["user_id"])
    except ValueError as error:
        raise _MismatchError(str(error)) from None


_SIMPLE: Final[Mapping[object, Converter]] = {
    Any: _any,
    object: _any,
    None: _none,
    types.NoneType: _none,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    Segment: _segment,
    BotSelf: _bot_self,
}
_LISTS: Final = (list, AbstractSequence, Collection, Iterable)
_DICTS: Final = (dict, Mapping, MutableMapping)


class _Compiler:
    """Makes the converter of one hint; classes that contain themselves are compiled once."""

    def __init__(self) -> None:
        self._classes: dict[type, Converter] = {}

    def compile(self, hint: Any) -> Converter:
        hint = _bare(hint)
        if (isinstance(hint, type | types.NoneType) or hint is Any) and hint in _SIMPLE:
            return _SIMPLE[hint]
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            return self._union(arguments)
        if origin is typing.Literal:
            return _choice(arguments, {(type(value), value): value for value in arguments})
        if hint in _LISTS or origin in _LISTS:
            return self._list(arguments[0] if arguments else Any)
        if hint is tuple or origin is tuple:
            return self._tuple(arguments or (Any, ...))
        if hint in _DICTS or origin in _DICTS:
            return self._dict(hint, *(arguments or (str, Any)))
        if isinstance(hint, type):
            if issubclass(hint, enum.Enum):
                values = [member.value for member in hint]
                return _choice(
                    values, {(type(member.value), member.value): member for member in hint}
                )
            if (
                dataclasses.is_dataclass(hint)
                or typing.is_typeddict(hint)
                or (issubclass(hint, tuple) and hasattr(hint, "_fields"))
            ):
                return self._class(hint)
        raise TypeError(f"{hint!r} is not a type that data can be converted to")

    def _union(self, hints: tuple[Any, ...]) -> Converter:
        optional = types.NoneType in hints
        choices = [self.compile(hint) for hint in hints if hint is not types.NoneType]
        expected = " or ".join(_name(hint) for hint in hints)

        def convert(data: object) -> object:
            if data is None and optional:
                return None
            if len(choices) == 1:
                return choices[0](data)
            for choice in choices:
                try:
                    return choice(data)
                except _MismatchError:
                    continue
            raise _wrong(expected, data)

        return convert

    def _list(self, hint: Any) -> Converter:
        item_converter = self.compile(hint)
        of_segments = _bare(hint) is Segment

        def convert(data: object) -> object:
            if of_segments and not isinstance(data, list | tuple):
                if isinstance(data, str):
                    return [Segment("text", {"text": data})]
                return [item_converter(data)]
            if not isinstance(data, list | tuple):
                raise _wrong("list", data)
            converted: list[object] = []
            for item in data:
                try:
                    converted.append(item_converter(item))
                except _MismatchError as mismatch:
                    raise mismatch.within(f"[{len(converted)}]") from None
            return converted

        return convert

    def _tuple(self, hints: tuple[Any, ...]) -> Converter:
        if len(hints) == 2 and hints[1] is ...:
            any_length = self._list(hints[0])
            return lambda data: tuple(cast("list[object]", any_length(data)))
        converters = [self.compile(hint) for hint in hints if hint != ()]

        def convert(data: object) -> object:
            if not isinstance(data, list | tuple):
                raise _wrong("list", data)
            if len(data) != len(converters):
                raise _MismatchError(f"expected {len(converters)} items, found {len(data)}")
            converted: list[object] = []
            for item_converter, item in zip(converters, data, strict=True):
                try:
                    converted.append(item_converter(item))
                except _MismatchError as mismatch:
                    raise mismatch.within(f"[{len(converted)}]") from None
            return tuple(converted)

        return convert

    def _dict(self, hint: Any, key: Any, value: Any) -> Converter:
        if key not in (str, Any, object):
            raise TypeError(f"{hint!r}: the keys of data are str")
        value_converter = self.compile(value)

        def convert(data: object) -> object:
            if not isinstance(data, Mapping):
                raise _wrong("dict", data)
            converted: dict[str, object] = {}
            for name, item in data.items():
                if not isinstance(name, str):
                    raise _MismatchError(f"the key {name!r} is not a str")
                try:
                    converted[name] = value_converter(item)
                except _MismatchError as mismatch:
                    raise mismatch.within(f".{name}") from None
            return converted

        return convert

    def _class(self, kind: type) -> Converter:
        if kind in self._classes:

            def of_class(data: object) -> object:
                return self._classes[kind](data)

            return of_class
        self._classes[kind] = _any  # until it is known
        try:
            fields = _fields(kind)
        except NameError as error:
            raise TypeError(f"a type hint of {kind.__qualname__}: {error}") from error
        members = [(field, self.compile(field.hint)) for field in fields]
        self._classes[kind] = (
            _typed_dict(members) if typing.is_typeddict(kind) else _instance(kind, members)
        )
        return self._classes[kind]


def _values(members: list[tuple[_Field, Converter]], data: object) -> Iterator[tuple[_Field, Any]]:
    if not isinstance(data, Mapping):
        raise _wrong("dict", data)
    for field, convert in members:
        if field.wire in data:
            try:
                yield field, convert(data[field.wire])
            except _MismatchError as mismatch:
                raise mismatch.within(f".{field.wire}") from None
        elif field.required:
            raise _MismatchError("missing").within(f".{field.wire}")


def _typed_dict(members: list[tuple[_Field, Converter]]) -> Converter:
    """Return a converter to a TypedDict, in which fields that it does not name stay."""

    def convert(data: object) -> object:
        values = {field.wire: value for field, value in _values(members, data)}
        return {**cast("dict[str, object]", data), **values}

    return convert


def _instance(kind: type, members: list[tuple[_Field, Converter]]) -> Converter:
    """Return a converter to a class, which leaves out fields that it does not name."""

    def convert(data: object) -> object:
        if isinstance(data, kind):
            return data
        values = {field.name: value for field, value in _values(members, data)}
        try:
            return kind(**values)
        except ValueError as error:
            raise _MismatchError(str(error)) from None

    return convert


def _choice(values: Collection[object], members: Mapping[tuple[type, object], object]) -> Converter:
    expected = " or ".join(repr(value) for value in values)

    def convert(data: object) -> object:
        try:
            return members[type(data), data]
        except (KeyError, TypeError):
            found = repr(data) if isinstance(data, str | int) else _found(data)
            raise _MismatchError(f"expected {expected}, found {found:.100}") from None

    return convert


def _bare(hint: Any) -> Any:
    """Return *hint* without what changes nothing of the type."""
    while True:
        if typing.get_origin(hint) in (typing.Annotated, typing.Required, typing.NotRequired):
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif hasattr(hint, "__value__") and type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint


def _name(hint: Any) -> str:
    return "None" if hint is types.NoneType else getattr(hint, "__name__", str(hint))
