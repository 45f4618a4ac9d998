"""The fields of classes, and their names in plain data."""

import dataclasses
import typing
from functools import cache
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field: its name, that in plain data, its type hint, and whether it must be given."""

    name: str
    wire: str
    hint: Any
    required: bool


def fields_of(kind: type) -> list[Field]:
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
        Field(name, wire_name(name, hints.get(name, Any)), hints.get(name, Any), is_required)
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


@cache
def wire_names(kind: Any) -> tuple[tuple[str, str], ...]:
    """Return the fields of a dataclass or named tuple, each with its name in plain data."""
    return tuple((field.name, field.wire) for field in fields_of(kind))
