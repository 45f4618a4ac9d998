"""The docs' tables name the tests that show a row, and the parameters as they are."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TABLES = Path(__file__).parent.parent / "docs" / "tables"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The modules of docs/tables, which are not of a package."""
    monkeypatch.syspath_prepend(str(TABLES))
    names = ("collect", "parameters", "reports", "pages")
    yield {name: __import__(name) for name in names}
    for name in names:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("id", "rows"),
    [
        ("RED-07-x-api-key", ["RED-07"]),
        ("asyncio-RED-07-x", ["RED-07"]),
        ("S003-100", ["S003-100"]),
        ("S003-10-number", ["S003-10"]),
        ("H1-08-INJ-02", ["H1-08", "INJ-02"]),
        ("UTF-8", []),
        ("utf-16-x", []),
        ("XS003-10", ["XS003-10"]),
        ("S003-1000", []),
        ("GET-200-OK", ["GET-200"]),
    ],
)
def test_rows_in_ids(modules: dict[str, Any], id: str, rows: list[str]) -> None:
    """A row is found anywhere in a test's id; what only looks like one is a row that nobody lists."""
    assert modules["collect"].ROW.findall(id) == rows


def test_many_functions_are_one_class(modules: dict[str, Any]) -> None:
    """From three functions of a class on the class is named, with the number of all cases."""
    found = Counter(
        {
            "tests/test_a.py::TestA::test_1": 2,
            "tests/test_a.py::TestA::test_2": 1,
            "tests/test_a.py::TestA::test_3": 1,
            "tests/test_b.py::TestB::test_1": 5,
            "tests/test_b.py::TestB::test_2": 1,
            "tests/test_c.py::test_1": 1,
        }
    )
    assert modules["pages"].tests(found).splitlines() == [
        "| ``test_a.py::TestA`` (4)",
        "| ``test_b.py::TestB::test_1`` (5)",
        "| ``test_b.py::TestB::test_2``",
        "| ``test_c.py::test_1``",
    ]


def described(a: int, b: int, c: str = "x", d: type = dict) -> None:
    """Do something.

    Args:
        a, b: two
            numbers.
        c: text: any.
        d: what it makes.

    Raises:
        ValueError: never.
    """


def test_parameters(modules: dict[str, Any]) -> None:
    """Names and texts are the docstring's, defaults the signature's."""
    parameters = modules["parameters"]
    found = parameters.described(described)
    assert [(each.names, each.text) for each in found] == [
        (("a", "b"), "two numbers."),
        (("c",), "text: any."),
        (("d",), "what it makes."),
    ]
    defaults = parameters.defaults_of(described, {"more": 1})
    assert defaults == {"a": "", "b": "", "c": "'x'", "d": "dict", "more": "1"}
    with pytest.raises(SystemExit, match=r"of f that are not in its docstring: more"):
        parameters.check("f", found, defaults)
    del defaults["more"]
    parameters.check("f", found, defaults)
    with pytest.raises(SystemExit, match=r"in its docstring, but not its own: d"):
        parameters.check("f", found, {"a": "", "b": "", "c": ""})


def test_reports(modules: dict[str, Any], tmp_path: Path) -> None:
    """A test that stages a report is told with its symptom and threads, those of its parameters too, in order."""
    (tmp_path / "test_pool.py").write_text(
        """'''Connections and the pool.

Not this.
'''

@reports("b/b#2", "a/a#10", "a/a#9")
@pytest.mark.parametrize("x", [pytest.param(1, marks=reports("c/c#1"))])
async def test_leak(x):
    '''Sockets leaked.'''

def helper(): ...

def test_alone():
    '''Slots leaked.'''
"""
    )
    (kind,) = modules["reports"].kinds(tmp_path)
    assert kind.title == "Connections and the pool"
    assert list(modules["pages"].reports(kind.reports)) == [
        [
            "Sockets leaked.",
            "\n".join(
                f"| `{repository}#{number} <https://github.com/{repository}/issues/{number}>`__"
                for repository, number in [("a/a", 9), ("a/a", 10), ("b/b", 2), ("c/c", 1)]
            ),
            "``test_leak``",
        ],
        ["Slots leaked.", "", "``test_alone``"],
    ]
    (tmp_path / "test_silent.py").write_text("def test_x(): ...")
    with pytest.raises(SystemExit, match="docstring"):
        modules["reports"].kinds(tmp_path)
