"""Plain data to typed values."""

import base64
import binascii
import dataclasses
import enum
import math
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from collections.abc import Sequence as AbstractSequence
from typing import Any, Final, cast

from ..bots import BotSelf
from ..segments import Segment
from .fields import Field, fields_of
from .limits import INT64_MAX, INT64_MIN

Converter = Callable[[object], object]


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
    if not isinstance(data, (float, int)) or isinstance(data, bool):
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
    kind, values = data.get("type"), data.get("data")
    if isinstance(kind, str) and isinstance(values, dict):
        return Segment(kind, values)
    for name in ("type", "data"):
        if name not in data:
            raise _MismatchError("missing").within(f".{name}")
    if not isinstance(kind, str):
        raise _wrong("str", kind).within(".type")
    raise _wrong("dict", values).within(".data")


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
            if of_segments and not isinstance(data, (list, tuple)):
                if isinstance(data, str):
                    return [Segment("text", {"text": data})]
                return [item_converter(data)]
            if not isinstance(data, (list, tuple)):
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
            if not isinstance(data, (list, tuple)):
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
            fields = fields_of(kind)
        except NameError as error:
            raise TypeError(f"a type hint of {kind.__qualname__}: {error}") from error
        members = [(field, self.compile(field.hint)) for field in fields]
        self._classes[kind] = (
            _typed_dict(members) if typing.is_typeddict(kind) else _instance(kind, members)
        )
        return self._classes[kind]


def _values(members: list[tuple[Field, Converter]], data: object) -> Iterator[tuple[Field, Any]]:
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


def _typed_dict(members: list[tuple[Field, Converter]]) -> Converter:
    """Return a converter to a TypedDict, in which fields that it does not name stay."""

    def convert(data: object) -> object:
        values = {field.wire: value for field, value in _values(members, data)}
        return {**cast("dict[str, object]", data), **values}

    return convert


def _instance(kind: type, members: list[tuple[Field, Converter]]) -> Converter:
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
            found = repr(data) if isinstance(data, (str, int)) else _found(data)
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
