"""The parameters of a class or function: names and defaults from its signature, their meaning from its docstring."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_NAMES = re.compile(r"(\w+(?:, \w+)*): (.*)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One or more that share a text."""

    names: tuple[str, ...]
    text: str


def described(thing: object) -> list[Parameter]:
    """Return what stands under ``Args:`` in the docstring of *thing*, in its order."""
    lines = inspect.getdoc(thing).splitlines()  # type: ignore[union-attr]
    found: list[Parameter] = []
    start = lines.index("Args:") + 1
    for line in lines[start:]:
        if line and not line.startswith("    "):
            break
        text = line.strip()
        head = _NAMES.fullmatch(text)
        if head is not None and line.startswith("    ") and line[4] != " ":
            found.append(Parameter(tuple(head[1].split(", ")), head[2]))
        elif text:
            found[-1] = Parameter(found[-1].names, f"{found[-1].text} {text}")
    return found


def defaults_of(function: Callable[..., Any], more: Mapping[str, object]) -> dict[str, str]:
    """Return the parameters of *function*, and those that *more* names, with their defaults as they are written."""
    found = {
        name: "" if parameter.default is parameter.empty else shown(parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD and name != "self"
    }
    return found | {
        name: "" if value is inspect.Parameter.empty else shown(value)
        for name, value in more.items()
        if name not in found
    }


def shown(value: object) -> str:
    """Return a default as it may stand in a table."""
    if isinstance(value, type) or inspect.isfunction(value):
        return str(value.__name__)
    return "" if repr(value) == "<default>" else repr(value)


def check(where: str, parameters: list[Parameter], defaults: Mapping[str, str]) -> None:
    """Refuse a docstring that lacks a parameter, or has one that does not exist."""
    told = [name for parameter in parameters for name in parameter.names]
    for text, names in (
        ("not in its docstring", set(defaults) - set(told)),
        ("in its docstring, but not its own", set(told) - set(defaults)),
        ("twice in its docstring", {name for name in told if told.count(name) > 1}),
    ):
        if names:
            raise SystemExit(f"parameters of {where} that are {text}: {', '.join(sorted(names))}")
