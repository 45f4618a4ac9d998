"""Support for response classes that derive from aiohttp's: their additions are grafted onto our class.

Libraries pass such classes to the session that they create. The functions of the class are copied to a subclass of
ours, so that ``super()`` in them reaches our class. The instances pass as instances of the given class.
"""

from collections.abc import Iterator
from functools import lru_cache
from types import CellType, FunctionType
from typing import Any, Final, TypeVar

import aiohttp

T = TypeVar("T")

# Names that nothing here calls, or that are called differently.
_NEVER_CALLED: Final = frozenset(("__del__", "__init__", "__new__", "start"))
# Names that every class has.
_OF_THE_CLASS: Final = frozenset(
    (
        *(
            "__class__",
            "__dict__",
            "__firstlineno__",
            "__module__",
            "__orig_bases__",
            "__qualname__",
        ),
        *("__parameters__", "__slots__", "__static_attributes__", "__weakref__"),
    )
)
_BASES: Final = (aiohttp.ClientResponse, aiohttp.ClientWebSocketResponse)


def is_of_aiohttp(kind: object) -> bool:
    """Tell whether *kind* is a subclass of aiohttp's response or WebSocket class."""
    return isinstance(kind, type) and issubclass(kind, _BASES)


@lru_cache(maxsize=64)
def grafted(argument: str, kind: type, ours: type[T]) -> type[T]:
    """Return a subclass of *ours* with what *kind* adds to aiohttp's class.

    *argument* is the name for the message.

    Raises:
        TypeError: *kind* overrides something that is never called here.
    """
    base = next(base for base in _BASES if issubclass(kind, base))
    above = kind.__mro__[: kind.__mro__.index(base)]
    if useless := sorted({name for each in above for name in _never_called(each, base)}):
        raise TypeError(
            f"{argument} is {kind.__module__}.{kind.__qualname__}, which overrides {', '.join(useless)} of aiohttp's "
            f"{base.__name__}; that would never be called here: override public methods, "
            f"or derive from aioclient.{ours.__name__}"
        )
    made: type[T] = ours
    for each in reversed(above):
        if issubclass(each, base):
            made = _copied(each, made)
        else:
            made = type(each.__name__, (each, made), {})
    return made


def _never_called(each: type, base: type) -> Iterator[str]:
    for name in vars(each):
        is_private = name[0] == "_" and not name.startswith("__") and hasattr(base, name)
        if issubclass(each, base) and (is_private or name in _NEVER_CALLED):
            yield name


def _copied(kind: type, parent: type[T]) -> type[T]:
    """Return a subclass of *parent* with the members of *kind*."""
    cell = CellType()
    members = {
        name: _rebound(value, cell)
        for name, value in vars(kind).items()
        if name not in _OF_THE_CLASS
    }
    # For isinstance() with the given class; type() stays this one.
    members["__class__"] = property(lambda self: kind)
    members["__module__"] = kind.__module__
    made = type(kind.__name__, (parent,), members)
    cell.cell_contents = made
    return made


def _rebound(value: Any, cell: CellType) -> Any:
    """Return a copy of *value*, a member of a class, whose bare ``super()`` starts at the class in *cell*."""
    if isinstance(value, (staticmethod, classmethod)):
        return type(value)(_rebound(value.__func__, cell))
    if isinstance(value, property):
        get, set, delete = (_rebound(part, cell) for part in (value.fget, value.fset, value.fdel))
        return property(get, set, delete, value.__doc__)
    if not isinstance(value, FunctionType) or "__class__" not in value.__code__.co_freevars:
        return value
    closure = tuple(
        cell if name == "__class__" else known
        for name, known in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
    )
    copy = FunctionType(
        value.__code__, value.__globals__, value.__name__, value.__defaults__, closure
    )
    copy.__kwdefaults__ = value.__kwdefaults__
    copy.__dict__.update(value.__dict__)
    copy.__doc__ = value.__doc__
    copy.__qualname__ = value.__qualname__
    copy.__annotations__ = value.__annotations__
    return copy
