"""MISC-07: no regular expression of the package takes more than linear time, whatever it is given."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from .regex_steps import METHODS, growth, worst_texts

ROOT = Path(__file__).parent.parent
SIZE = 150  # characters, and twice as many
LIMIT = 64 * 1024


@dataclass(frozen=True)
class Use:
    """A pattern of the package, and a method that is called with it."""

    place: str
    pattern: "re.Pattern[Any]"
    method: str


def uses() -> Iterator[Use]:
    """Find every regular expression in the package's source, and how it is used."""
    sources = {
        path: path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "aioclient").rglob("*.py"))
    }
    for path, source in sources.items():
        tree = ast.parse(source)
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.")):
                continue
            function = ast.unparse(node.func).removeprefix("re.")
            if function not in (*METHODS, "compile"):
                continue
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            pattern = compiled(node, function, module, place)
            if function != "compile":
                yield Use(place, pattern, function)
                continue
            for method in methods(node, parents, "\n".join(sources.values()), place):
                yield Use(place, pattern, method)


def compiled(call: ast.Call, function: str, module: str, place: str) -> "re.Pattern[Any]":
    """Return the pattern of a call to `re`, which must be made of what its module says."""
    try:
        flags = [ast.unparse(word.value) for word in call.keywords if word.arg == "flags"]
        if function == "compile" and len(call.args) > 1:
            flags = [ast.unparse(call.args[1])]
        names = vars(import_module(module.removesuffix(".__init__")))
        return re.compile(*(eval(text, names) for text in (ast.unparse(call.args[0]), *flags)))
    except NameError as error:
        raise AssertionError(f"{place}: a pattern that is put together cannot be judged") from error


def methods(call: ast.Call, parents: dict[ast.AST, ast.AST], source: str, place: str) -> list[str]:
    """Return the methods that are called with the pattern that *call* compiles."""
    parent = parents[call]
    if isinstance(parent, ast.Attribute):
        return [parent.attr]
    if isinstance(parent, ast.Assign):
        name = ast.unparse(parent.targets[0])
    elif isinstance(parent, ast.AnnAssign):
        name = ast.unparse(parent.target)
    else:
        raise AssertionError(f"{place}: give the pattern a name")
    called = set(re.findall(rf"\b{name}\.({'|'.join(METHODS)})\b", source))
    assert called, f"{place}: {name} is not used"
    return sorted(called)


USES = list(uses())


@pytest.mark.hang_limit(20)
@pytest.mark.parametrize(
    "use",
    [pytest.param(use, id=f"MISC-07-{number}-{use.method}") for number, use in enumerate(USES)],
)
def test_grows_linearly(use: Use) -> None:
    """Twice the text takes at most twice the steps; 64 KiB of the worst are matched in no time to speak of."""
    factor, for_each, _ = growth(use.pattern, use.method, SIZE)
    assert factor < 2.5, (use, factor)
    assert for_each < 100, (use, for_each)
    for text in worst_texts(use.pattern, LIMIT):
        if use.method in ("sub", "subn"):
            use.pattern.sub(b"" if isinstance(text, bytes) else "", text)
        else:
            getattr(use.pattern, use.method)(text)


def test_all_were_found() -> None:
    """The list is not empty, and holds those that judge what servers send."""
    places = {use.place.partition(":")[0] for use in USES}
    assert {
        "aioclient/middlewares/redirects/step.py",
        "aioclient/protocols/http1/response.py",
        "aioclient/cookies/dates.py",
        "aioclient/message/headers.py",
    } <= places


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"(a+)+$", "match"),
        (r"a*a*b", "match"),
        (r"(?:a|a)*b", "match"),
        (r"\s+$", "search"),
        (r"[^,]*,[^;]*;.*!", "search"),
        (r"(?:.*-)?secret", "search"),
        (rb"x*y", "findall"),
    ],
)
def test_a_gate_that_closes(pattern: Any, method: str) -> None:
    """The count finds what backtracks: exponentially, or only with the square of the length."""
    exponential = "+)+" in str(pattern) or "a|a" in str(pattern)
    factor, _, _ = growth(re.compile(pattern), method, 7 if exponential else 40)
    assert factor > 3
