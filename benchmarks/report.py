"""Turn results into Markdown and JSON."""

import json
import platform
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.clients import BASELINE, CLIENTS
from benchmarks.jars import OPERATIONS, SIZES, THEIRS, Jars
from benchmarks.jars import SMALL as SMALL_JAR
from benchmarks.measure import Memory, Row, as_json
from benchmarks.scenarios import GROWTH, SCENARIOS

BEGIN = "<!-- results: written by python -m benchmarks --write -->"
END = "<!-- end of results -->"


@dataclass(slots=True)
class Results:
    """Everything that one run gave."""

    versions: dict[str, str]
    separate_cores: bool
    rows: list[Row] = field(default_factory=list)
    growth: list[Row] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    imports: list[dict[str, float]] = field(default_factory=list)
    jars: Jars = field(default_factory=Jars)

    def as_json(self) -> dict[str, Any]:
        """Return all raw numbers, with what is needed to understand them."""
        return {
            "date": time.strftime("%Y-%m-%d"),
            "python": sys.version.split()[0],
            "machine": f"{platform.system()} {platform.machine()}",
            "separate_cores": self.separate_cores,
            "versions": self.versions,
            "unit": "CPU seconds for each request, by client, one mapping for each round",
            "requests": as_json(self.rows),
            "growth": as_json(self.growth),
            "memory": as_json(self.memory),
            "imports": self.imports,
            "jars": self.jars.rounds,
        }


def as_markdown(results: Results) -> str:
    """Return all tables."""
    parts = [_versions(results)]
    if results.rows:
        parts.append(_requests(results.rows))
    if results.growth:
        parts.append(_growth(results.growth))
    if results.memory:
        parts.append(_memory(results.memory))
    if results.imports:
        parts.append(_imports(results.imports))
    if results.jars.rounds:
        parts.append(_jars(results.jars))
    return "\n\n".join(parts)


def write_readme(readme: Path, results: Results) -> None:
    """Replace what stands between the two marks in the README."""
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n\n{as_markdown(results)}\n\n{END}{after}")


def write_json(path: Path, results: Results) -> None:
    """Write all raw numbers."""
    path.write_text(json.dumps(results.as_json(), indent=1) + "\n")


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    align = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, align, *lines))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _clients_in(rows: Sequence[Row]) -> list[str]:
    return [
        name for name in CLIENTS if any(name in values for row in rows for values in row.rounds)
    ]


def _versions(results: Results) -> str:
    names = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    cores = "a core each for client and server" if results.separate_cores else "one core for both"
    date = time.strftime("%Y-%m-%d")
    return f"Measured {date}, {platform.system()} {platform.machine()}, {cores}: {names}."


def _requests(rows: Sequence[Row]) -> str:
    clients = [name for name in _clients_in(rows) if name != BASELINE]
    with_limit = {"aioclient", "limit"} <= set(clients)
    head = ["scenario", "at a time", "loop", *clients]
    head += ["aioclient ÷ limit"] if with_limit else []
    head += [f"{BASELINE}, ms"]
    lines = []
    for row in rows:
        title = GROWTH.title if row.scenario == GROWTH.name else SCENARIOS[row.scenario].title
        cells = [title, str(row.concurrency), row.loop]
        cells += [_number(row.ratio(client)) for client in clients]
        cells += [_number(row.ratio("aioclient", "limit"))] if with_limit else []
        baseline = [values[BASELINE] for values in row.rounds if BASELINE in values]
        cells.append(f"{statistics.median(baseline) * 1e3:.3g}" if baseline else "–")
        lines.append(cells)
    return (
        f"CPU time of a request, {BASELINE} = 1.00; medians over the rounds.\n\n"
        f"{_table(head, lines)}"
    )


def _growth(rows: Sequence[Row]) -> str:
    """Compare the most requests in flight with the fewest, for each client, within each round."""
    clients = _clients_in(rows)
    lines = []
    for loop in dict.fromkeys(row.loop for row in rows):
        few, *_, many = [row for row in rows if row.loop == loop]
        cells = [loop]
        for client in clients:
            ratios = [
                high[client] / low[client]
                for low, high in zip(few.rounds, many.rounds, strict=True)
                if client in low and client in high
            ]
            cells.append(_number(statistics.median(ratios) if ratios else None))
        lines.append(cells)
    low, high = min(GROWTH.concurrency), max(GROWTH.concurrency)
    return (
        f"CPU time of a request with {high:,} in flight over that with {low}, small JSON.\n\n"
        f"{_table(['loop', *clients], lines)}"
    )


def _memory(memory: Sequence[Memory]) -> str:
    clients = [name for name in CLIENTS if any(each.client == name for each in memory)]
    found = {(each.what, each.loop, each.client): each.bytes for each in memory}
    lines = []
    for what, loop in dict.fromkeys((each.what, each.loop) for each in memory):
        idle = what == "idle"
        cells = [
            "an idle connection, KB" if idle else f"{SCENARIOS[what].title}, growth in MB",
            loop,
        ]
        for client in clients:
            size = found.get((what, loop, client))
            cells.append("–" if size is None else f"{size / (1e3 if idle else 1e6):.1f}")
        lines.append(cells)
    return (
        "Resident memory: of each idle connection, and by how much one request makes the process"
        f" grow.\n\n{_table(['memory', 'loop', *clients], lines)}"
    )


def _imports(rounds: Sequence[dict[str, float]]) -> str:
    lines = []
    for module in rounds[0]:
        ratio = statistics.median(values[module] / values[BASELINE] for values in rounds)
        middle = statistics.median(values[module] for values in rounds)
        lines.append([f"`import {module}`", _number(ratio), f"{middle * 1e3:.0f}"])
    return f"CPU time of importing.\n\n{_table(['import', 'ratio', 'ms'], lines)}"


def _jars(jars: Jars) -> str:
    lines = []
    for name, title in OPERATIONS.items():
        for size in SIZES:
            cells = [title, size, _number(jars.ratio(size, name))]
            cells += [_number(jars.growth(library, size, name)) for library in jars.rounds]
            microseconds = statistics.median(jars.rounds[THEIRS][size][name]) * 1e6
            lines.append([*cells, f"{microseconds:.3g}"])
    head = ["jar", "cookies held", f"aioclient ÷ {BASELINE}"]
    head += [f"{library} ÷ its own with {SMALL_JAR}" for library in jars.rounds]
    return (
        "CPU time of a cookie jar, ten cookies of which go with the request.\n\n"
        f"{_table([*head, f'{BASELINE}, µs'], lines)}"
    )
