"""Functions that are too complex stand in a list with their reason, and nothing else does."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_MARKED = re.compile(r"^ *(?:async )?def (\w+)\(.*# noqa: C901", re.MULTILINE)
_LISTED = re.compile(r"^    \* - ``(\S+\.py)``, ``(\w+)``\n      - \S", re.MULTILINE)


def test_the_list() -> None:
    """The page for developers lists each function that is excused from the limit, and no other."""
    package = ROOT / "aioclient"
    marked = [
        (path.relative_to(package).as_posix(), name)
        for path in package.rglob("*.py")
        for name in _MARKED.findall(path.read_text(encoding="utf-8"))
    ]
    page = (ROOT / "docs" / "how-to" / "develop.rst").read_text(encoding="utf-8")
    assert sorted(marked) == sorted(_LISTED.findall(page))
