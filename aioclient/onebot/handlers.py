"""Handlers of actions: functions whose parameters are those of the action."""

import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .convert import Converter, checked, converter, wire_name
from .errors import BadParam, UnsupportedParam
from .segments import Segment, check_segment

_MISSING: Final = inspect.Parameter.empty
_STRAY: Final = "_timeout"
"""NoneBot's own time limit of a call, which it sends with the parameters of the action."""


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    wire: str
    convert: Converter
    required: bool
    exact: type | None
    """A type whose values need no conversion."""


class ActionHandler:
    """A function that carries out an action, plain or async.

    Its parameters have type hints, which the action's parameters are checked by. ``Annotated[str, "qq.nickname"]`` is
    the parameter ``qq.nickname`` of the action. A parameter of one of the types *injected*, or of one or None, is given
    by the caller and not by the action. ``**rest`` takes what has no name of its own. ``_timeout``, which NoneBot sends
    with the parameters, is left out unless the function has a parameter of that name.

    Raises:
        TypeError: a parameter has no hint, or one that data cannot be converted to; or is ``*args`` or positional-only.
    """

    name: Final[str]
    function: Final[Callable[..., Any]]
    injects: Final[frozenset[type]]
    """The types of which the function has a parameter that is not from the action."""

    def __init__(
        self, name: str, function: Callable[..., Any], injected: Collection[type] = ()
    ) -> None:
        self.name = name
        self.function = function
        self._parameters: dict[str, _Parameter] = {}
        self._injected: dict[str, type] = {}
        self._rest: Converter | None = None
        for parameter in _signature(name, function).parameters.values():
            self._add(parameter, injected)
        self.injects = frozenset(self._injected.values())

    def _add(self, parameter: inspect.Parameter, injected: Collection[type]) -> None:
        place = f"action {self.name!r}: the parameter {parameter.name!r}"
        hint = parameter.annotation
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise TypeError(f"{place} has to be a parameter by name")
        if hint is _MISSING:
            raise TypeError(f"{place} has no type hint")
        kind = _injected_type(hint, injected)
        if kind is not None:
            self._injected[parameter.name] = kind
            return
        try:
            convert = converter(hint)
        except TypeError as error:
            raise TypeError(f"{place}: {error}") from None
        if parameter.kind is parameter.VAR_KEYWORD:
            self._rest = convert
            return
        wire = wire_name(parameter.name, hint)
        if wire in self._parameters:
            raise TypeError(f"{place} is called {wire!r}, as another one is")
        self._parameters[wire] = _Parameter(
            parameter.name,
            wire,
            convert,
            required=parameter.default is _MISSING,
            exact=str if convert is converter(str) else None,
        )

    async def __call__(
        self, params: Mapping[str, object], injected: Mapping[type, object] | None = None
    ) -> object:
        """Run the function with the action's *params* and the values of the types in *injected*; return its result.

        Raises:
            BadParam: a parameter is missing, or of the wrong type.
            UnsupportedParam: the function has no parameter of that name.
            BadSegmentData: a segment of a standard type lacks data, or has some of the wrong type.
        """
        arguments = self.arguments(params)
        for name, kind in self._injected.items():
            arguments[name] = (injected or {}).get(kind)
        result = self.function(**arguments)
        if isinstance(result, (types.CoroutineType, Awaitable)):
            return await result
        return result

    def arguments(self, params: Mapping[str, object]) -> dict[str, object]:
        """Return the action's *params* as arguments of the function, checked; see :meth:`__call__`."""
        arguments: dict[str, object] = {}
        for wire, parameter in self._parameters.items():
            value = params.get(wire, _MISSING)
            if type(value) is parameter.exact:
                arguments[parameter.name] = value
            elif value is not _MISSING:
                arguments[parameter.name] = _converted(parameter.convert, value, wire)
            elif parameter.required:
                raise BadParam(message=f"{wire}: missing")
        if len(params) == len(arguments):
            return arguments
        unknown = [name for name in params if name not in self._parameters and name != _STRAY]
        if not unknown:
            return arguments
        taken = {*arguments, *self._injected}
        if self._rest is None or not taken.isdisjoint(unknown):
            raise UnsupportedParam(message=f"no such parameter: {', '.join(sorted(unknown)):.300}")
        for name in unknown:
            arguments[name] = _converted(self._rest, params[name], name)
        return arguments

    def __repr__(self) -> str:
        return f"<ActionHandler {self.name!r} {getattr(self.function, '__qualname__', '')}>"


def _signature(name: str, function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except (NameError, SyntaxError, ValueError) as error:
        raise TypeError(f"action {name!r}: the parameters are not known: {error}") from error


def _injected_type(hint: Any, injected: Collection[type]) -> type | None:
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    hints = [hint]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hints = [part for part in typing.get_args(hint) if part is not types.NoneType]
    return next((kind for kind in injected if hints == [kind]), None)


def _converted(convert: Converter, value: object, wire: str) -> object:
    try:
        converted = checked(convert, value, wire)
    except ValueError as error:
        raise BadParam(message=str(error)) from None
    if isinstance(converted, Segment):
        check_segment(converted, wire)
    elif isinstance(converted, (list, tuple)):
        for place, item in enumerate(converted):
            if isinstance(item, Segment):
                check_segment(item, wire, place)
    return converted
