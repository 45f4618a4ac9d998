"""What ``tests/reports`` stages: the symptom that users met, where they told of it, and the test."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MARK = "reports"


class Report(NamedTuple):
    """A test that stages a reported fault; *threads* are ``owner/repository#number``."""

    symptom: str
    threads: list[str]
    test: str


class Kind(NamedTuple):
    """The reports of one module."""

    title: str
    reports: list[Report]


def kinds(folder: Path) -> list[Kind]:
    """Return the reports of each test module in *folder*."""
    return [_kind(path) for path in sorted(folder.glob("test_*.py"))]


def _kind(path: Path) -> Kind:
    module = ast.parse(path.read_text())
    found = [
        Report(_first_line(node, path), sorted(set(_threads(node)), key=_order), node.name)
        for node in module.body
        if isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef))
        and node.name.startswith("test_")
    ]
    return Kind(_first_line(module, path).rstrip("."), found)


def _first_line(node: ast.Module | ast.AsyncFunctionDef | ast.FunctionDef, path: Path) -> str:
    text = ast.get_docstring(node)
    if text is None:
        raise SystemExit(f"{path}: {getattr(node, 'name', 'the module')} has no docstring")
    return text.partition("\n")[0]


def _threads(test: ast.AsyncFunctionDef | ast.FunctionDef) -> Iterator[str]:
    """Find the arguments of the mark, on the test itself or on a parameter."""
    for decorator in test.decorator_list:
        for node in ast.walk(decorator):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == MARK
            ):
                yield from (ast.literal_eval(argument) for argument in node.args)


def _order(thread: str) -> tuple[str, int]:
    repository, _, number = thread.partition("#")
    return repository, int(number)
