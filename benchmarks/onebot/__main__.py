"""Command line: ``python -m benchmarks.onebot PYTHON_WITH_PYLIBOB [ROUNDS]``.

CPU time of the process that runs an implementation, for each event that it pushes and each action that it carries out:
pylibob's as a ratio to ours in the same round. A round measures both, and ``limit``, in another order each time. The
application that drives them is bare aiohttp on another core, the same for all. ``limit`` is the least that can be done
on aiohttp's server and a session of ours: it checks nothing, and writes each message by itself.

pylibob 0.1.1 needs ``starlette<1``, so it has an environment of its own, whose Python is named:

    python -m venv /tmp/pylibob && /tmp/pylibob/bin/pip install pylibob==0.1.1 'starlette<1'
    python -m benchmarks.onebot /tmp/pylibob/bin/python
"""

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.cores import Cores, choose_cores, pin, pinned
from benchmarks.measure import Row, environment
from benchmarks.onebot.application import application
from benchmarks.onebot.scenarios import LIBRARIES, LIMIT, OURS, PACED, SCENARIOS, THEIRS, Transport
from benchmarks.scenarios import LOOPS
from benchmarks.server import ROOT, free_ports, stop, wait_for_port


@contextlib.contextmanager
def run_implementation(
    library: str, python: str, transport: Transport, loop: str, cores: Cores
) -> Iterator[tuple[int, int]]:
    """Run an implementation for the time of the block; give its port, and the one that it connects to."""
    port, own_port = free_ports(2)
    scheme = "http" if transport == "webhook" else "ws"
    url = f"{scheme}://127.0.0.1:{own_port}/"
    command = [
        python,
        "-m",
        "benchmarks.onebot.implementation",
        library,
        transport,
        str(port),
        url,
        loop,
    ]
    with pinned(cores.client):
        process = subprocess.Popen(
            command + ([] if cores.client is None else [str(cores.client)]),
            cwd=ROOT,
            env=environment(),
        )
    try:
        if transport != "reverse":
            wait_for_port(port, Path(os.devnull))
        yield port, own_port
    finally:
        stop(process)


async def measure_once(name: str, ports: tuple[int, int], count: int) -> float:
    """Return the seconds of CPU for each event or action."""
    scenario = SCENARIOS[name]
    async with application(scenario.transport, *ports) as driver:
        return await driver.measure(scenario, count)


def measure(
    name: str, loop: str, pythons: dict[str, str], cores: Cores, rounds: int, scale: float
) -> Row:
    """Measure a scenario on one loop: in each round both libraries, in another order each time."""
    scenario = SCENARIOS[name]
    row = Row(name, scenario.at_a_time, loop)
    order = random.Random(2)
    count = max(scenario.at_a_time, PACED, round(scenario.count * scale))
    with contextlib.ExitStack() as stack:
        ports = {
            library: stack.enter_context(
                run_implementation(library, pythons[library], scenario.transport, loop, cores)
            )
            for library in LIBRARIES
        }
        for _ in range(rounds):
            turns = list(LIBRARIES)
            order.shuffle(turns)
            measured = {
                library: asyncio.run(measure_once(name, ports[library], count)) for library in turns
            }
            row.rounds.append(measured)
    return row


def describe(row: Row) -> str:
    """Return a row as a line of a Markdown table."""
    scenario = SCENARIOS[row.scenario]
    ratios = [each[THEIRS] / each[OURS] for each in row.rounds]
    to_limit = statistics.median(each[THEIRS] / each[LIMIT] for each in row.rounds)
    ours, theirs, _ = (
        statistics.median(each[library] for each in row.rounds) * 1e6 for library in LIBRARIES
    )
    cells = [
        scenario.title,
        str(scenario.at_a_time),
        row.loop,
        f"{ours:.0f}",
        f"{theirs:.0f}",
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        f"{to_limit:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.onebot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("python", help="an interpreter that has pylibob 0.1.1")
    parser.add_argument("rounds", nargs="?", type=int, default=7)
    parser.add_argument("--scenario", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--loop", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--scale", type=float, default=1.0, help="events or actions in a round")
    options = parser.parse_args(arguments)
    pythons = {OURS: sys.executable, LIMIT: sys.executable, THEIRS: options.python}
    cores = choose_cores()
    pin(cores.server)
    heads = ("", "at a time", "loop", f"{OURS}, µs", f"{THEIRS}, µs")
    print(f"| {' | '.join(heads)} | {THEIRS} ÷ {OURS} | {THEIRS} ÷ {LIMIT} |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |", flush=True)
    for name in options.scenario:
        for loop in options.loop:
            row = measure(name, loop, pythons, cores, options.rounds, options.scale)
            print(describe(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
