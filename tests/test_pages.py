"""The reference prints signatures as the source has them."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never, TypedDict, Unpack

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TimeoutLike = float | tuple[float, float] | None
_SECRET = object()
MOST = 10


class Arguments(TypedDict, total=False):
    timeout: TimeoutLike


class MoreArguments(Arguments, total=False):
    headers: dict[str, str]


class Sample:
    """A class.

    Args:
        url: where to.
    """

    def __init__(self, url: str, timeout: TimeoutLike = None, *, most: int = MOST) -> None: ...

    def call(self, url: "str | None", /, hidden: object = _SECRET) -> "Sample": ...

    def get(self, url: str, **arguments: Unpack[MoreArguments]) -> None:
        """Get.

        Args:
            url: where to.
            timeout, headers: as ever.
        """

    def put(self, url: str, *misplaced: Never, **more: int) -> None: ...

    def head(self, url: str, *misplaced: Never, fast: bool = False, **unknown: Never) -> None: ...


@dataclass
class Value:
    name: str
    most: int = 3


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module docs/signatures.py, which is of no package."""
    monkeypatch.syspath_prepend(str(DOCS))
    yield __import__("signatures")
    del sys.modules["signatures"]


def shown(signatures: Any, what: str, owner: object) -> tuple[str, str | None]:
    return signatures.on_signature(None, what, "x", owner, None, "()", "")  # type: ignore[no-any-return]


def test_names_of_types_stay(signatures: Any) -> None:
    """A type keeps its name, a constant's value is shown, and a described parameter has its type beside its text."""
    assert shown(signatures, "class", Sample) == (
        "(url, timeout: TimeoutLike = None, *, most: int = 10)",
        None,
    )


def test_methods(signatures: Any) -> None:
    """Quotes and private defaults are not shown, and neither is self."""
    assert shown(signatures, "method", Sample.call) == (
        "(url: str | None, /, hidden: object = ...)",
        "Sample",
    )


def test_keywords_of_a_typed_dict(signatures: Any) -> None:
    """Keywords that a TypedDict describes have their types beside their text."""
    assert shown(signatures, "method", Sample.get) == ("(url, **arguments)", "None")
    lines = [":param url: where to.", ":param timeout: as ever.", ":param headers: as ever."]
    signatures.on_docstring(None, "method", "x", Sample.get, None, lines)
    assert lines[2] == ":type timeout: TimeoutLike"
    assert lines[4] == ":type headers: dict[str, str]"


def test_what_takes_nothing(signatures: Any) -> None:
    """A parameter that is there for an error message is not shown."""
    assert shown(signatures, "method", Sample.put) == ("(url: str, **more: int)", "None")
    assert shown(signatures, "method", Sample.head) == ("(url: str, *, fast: bool = False)", "None")


def test_dataclasses(signatures: Any) -> None:
    """A class without a constructor in the source has its fields."""
    assert shown(signatures, "class", Value) == ("(name: str, most: int = 3)", None)


def source(folder: str) -> str:
    """Return all modules of a folder as one text, in which a string that goes on in the next line is whole."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).rglob("*.py"))
    )
    return re.sub(r'"\n *r?f?"', "", text)


def test_errors_page() -> None:
    """The page that lists errors by their messages has today's words: those of the source, or that a test expects."""
    page = (DOCS / "how-to" / "errors.rst").read_text(encoding="utf-8")
    cells = re.findall(r"^    \* - (.*(?:\n      (?! *- ).*)*)", page, re.M)[1:]
    mistakes = (DOCS / "reference" / "mistakes.rst").read_text(encoding="utf-8")
    found = source("aioclient") + source("tests") + " ".join(mistakes.split())
    words = {
        part
        for cell in cells
        for phrase in re.findall("``(.+?)``", cell)
        for part in re.split(r" *(?:…|\.\.\.|[:=.'\[\]]) *", phrase)
        if " " in part
    }
    assert len(words) > 25
    assert not [part for part in sorted(words) if part not in found]
