"""Which tests show which rows: pytest collects them, nothing runs."""

import contextlib
import io
import re
from collections import Counter
from collections.abc import Iterator

import pytest

# A row's id within the id of a parametrised test, as in test_x[asyncio-RED-07-cookie].
ROW = re.compile(r"(?<![A-Za-z0-9])([A-Z][A-Z0-9]*-\d{2,3})(?![A-Za-z0-9])")

Shown = dict[str, Counter[str]]  # row → test function → cases


class _Collector:
    def __init__(self) -> None:
        self.shown: Shown = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            function = item.nodeid.partition("[")[0]
            for row in rows_of(item):
                self.shown.setdefault(row, Counter())[function] += 1


def rows_of(item: pytest.Item) -> Iterator[str]:
    """Tell the rows that a test says it shows: by its id, or by a mark on it, its class or its module."""
    found = {row for mark in item.iter_markers("rows") for row in mark.args}
    callspec = getattr(item, "callspec", None)
    # The tests of these tables have rows in their ids that they do not show.
    if callspec is not None and item.path.name != "test_tables.py":
        found.update(ROW.findall(callspec.id))
    return iter(sorted(found))


def collect() -> Shown:
    """Return the tests of every row.

    Raises:
        SystemExit: a test module cannot be imported; pytest's words say which.
    """
    collector = _Collector()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = pytest.main(
            ["--collect-only", "-qq", "-p", "no:cacheprovider", "tests"], plugins=[collector]
        )
    if status:
        raise SystemExit(f"{said.getvalue()}\npytest could not collect the tests: {status!r}")
    return collector.shown
