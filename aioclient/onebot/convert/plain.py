"""Typed values to plain data."""

import dataclasses
import enum
import math
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, cast

from .fields import wire_names
from .limits import INT64_MIN, MAX_DEPTH, UINT64_MAX


class _HasToDict(Protocol):
    def to_dict(self) -> Mapping[str, object]: ...


class _HasPlainFields(Protocol):
    def plain_fields(self) -> Mapping[str, object]: ...


_AS_THEY_ARE: Final = frozenset({str, bytes, bool, types.NoneType})


def to_plain(value: object, depth: int = MAX_DEPTH) -> object:
    """Return *value* as plain data; what is plain already is copied.

    Raises:
        TypeError: part of it cannot be sent, such as a set.
        ValueError: a number is outside of 64 bits or not finite, or it is nested more than *depth* deep.
    """
    return _plain(value, depth)


def _plain(value: Any, depth: int) -> object:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is dict:
        return _plain_items(value.items(), depth)
    if kind is list or kind is tuple:
        return _plain_list(value, depth)
    if kind is int:
        if INT64_MIN <= value <= UINT64_MAX:
            return value
        raise ValueError("an integer needs more than 64 bits")
    if kind is float:
        if math.isfinite(value):
            return value
        raise ValueError(f"{value} is not a finite number")
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


def _plain_other(value: object, depth: int) -> object:
    kind = type(value)
    if hasattr(kind, "plain_fields"):
        return _plain_items(cast("_HasPlainFields", value).plain_fields().items(), depth)
    if isinstance(value, enum.Enum):
        return _plain(value.value, depth)
    if hasattr(kind, "to_dict"):
        return _plain_items(cast("_HasToDict", value).to_dict().items(), depth)
    if dataclasses.is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        return _plain_items(
            ((wire, getattr(value, name)) for name, wire in wire_names(kind)), depth
        )
    if isinstance(value, Mapping):
        return _plain_items(value.items(), depth)
    if isinstance(value, (list, tuple)):
        return _plain_list(value, depth)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    of_subclass = next((kind for kind in (str, bytes, int, float) if isinstance(value, kind)), None)
    if of_subclass is not None:
        return _plain(cast("Callable[[object], object]", of_subclass)(value), depth)
    raise TypeError(f"a value of type {type(value).__name__} cannot be sent")
