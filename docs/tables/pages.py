"""The pages, as reStructuredText."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from collect import Shown
from parameters import Parameter
from reports import Report

NOTICE = ".. Made by docs/tables from the tests, docstrings and texts; change those, then run `make tables`."
TOGETHER = 3  # functions of one class from which on the class is named


def page(title: str, intro: str, *parts: Iterable[str]) -> str:
    """Return a whole page."""
    lines = [NOTICE, "", title, "=" * len(title), "", intro.strip(), ""]
    for part in parts:
        lines.extend(part)
    return "\n".join(lines).rstrip() + "\n"


def section(title: str) -> Iterator[str]:
    """Give a heading."""
    yield from (title, "-" * len(title), "")


def table(header: Iterable[str], widths: str, rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Give a list-table; a cell may have several lines."""
    yield from (".. list-table::", "    :header-rows: 1", f"    :widths: {widths}", "")
    for row in (header, *rows):
        mark = "*"
        for cell in row:
            lines = cell.splitlines() or [""]
            yield f"    {mark} - {lines[0]}".rstrip()
            yield from (f"        {line}".rstrip() for line in lines[1:])
            mark = " "
    yield ""


def tests(found: Counter[str]) -> str:
    """Return the tests of a row: each function, or their class where there are many; with the number of cases."""
    classes: Counter[str] = Counter(function.rpartition("::")[0] for function in found)
    places: Counter[str] = Counter()
    for function, cases in found.items():
        place, _, _ = function.rpartition("::")
        many = "::" in place and classes[place] >= TOGETHER
        places[place if many else function] += cases
    return "\n".join(
        f"| ``{place.removeprefix('tests/')}``" + (f" ({cases})" if cases > 1 else "")
        for place, cases in sorted(places.items())
    )


def rows(texts: Mapping[str, str], shown: Shown) -> Iterator[list[str]]:
    """Give a line for each row: its id, what it is about, the tests that show it."""
    for row, text in texts.items():
        found = shown.get(row)
        yield [row, text, "none yet" if found is None else tests(found)]


def reports(found: Iterable[Report]) -> Iterator[list[str]]:
    """Give a line for each report: the symptom, links to its threads, the test."""
    for report in found:
        threads = [f"| {_link(thread)}" for thread in report.threads]
        yield [report.symptom.replace("*", r"\*"), "\n".join(threads), f"``{report.test}``"]


def _link(thread: str) -> str:
    """Return a link to a thread; GitHub leads from an issue's address to a pull request's."""
    repository, _, number = thread.partition("#")
    return f"`{thread} <https://github.com/{repository}/issues/{number}>`__"


def parameters(found: Iterable[Parameter], defaults: Mapping[str, str]) -> Iterator[list[str]]:
    """Give a line for each parameter: its names, their defaults, what it does."""
    for parameter in found:
        names = "\n".join(f"| ``{name}``" for name in parameter.names)
        written = [defaults[name] for name in parameter.names]
        text = "\n".join(f"| ``{default}``" if default else "| " for default in written)
        yield [names, text if any(written) else "", parameter.text[:1].upper() + parameter.text[1:]]
