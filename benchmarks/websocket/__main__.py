"""Command line: ``python -m benchmarks.websocket [options]``.

CPU time of the client's process for each round trip, or each message, as a ratio to aiohttp's in the same round; the
server runs on another core. ``limit`` is picows with a bare callback: compiled, without tasks, queues or message
objects. ``picows+queue`` is the same with a queue to await.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cores import Cores, choose_cores, pinned
from benchmarks.measure import Row, environment
from benchmarks.scenarios import LOOPS
from benchmarks.server import ROOT, free_ports, stop, wait_for_port
from benchmarks.websocket.scenarios import CLIENTS, SCENARIOS


@contextlib.contextmanager
def run_server(core: int | None) -> Iterator[dict[str, str]]:
    """Run the servers for the time of the block; give their URLs."""
    ports = free_ports(2)
    command = [sys.executable, "-m", "benchmarks.websocket.server", *map(str, ports)]
    with pinned(core):
        process = subprocess.Popen(command, cwd=ROOT)
    try:
        for port in ports:
            wait_for_port(port, Path(os.devnull))
        yield {
            name: f"ws://127.0.0.1:{port}/"
            for name, port in zip(("plain", "deflate"), ports, strict=True)
        }
    finally:
        stop(process)


class Worker:
    """A client's process; see ``benchmarks.websocket.worker``."""

    def __init__(self, client: str, core: int | None) -> None:
        self._client = client
        command = [sys.executable, "-m", "benchmarks.websocket.worker", client]
        self._process = subprocess.Popen(
            command + ([] if core is None else [str(core)]),
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, job: dict[str, Any]) -> float:
        """Have a job done.

        Raises:
            RuntimeError: it failed.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "the process has ended"}')
        if "error" in answer:
            raise RuntimeError(f"{self._client}, {job['scenario']}: {answer['error']}")
        return float(answer["value"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=10)


@contextlib.contextmanager
def start_workers(cores: Cores) -> Iterator[dict[str, Worker]]:
    """Start a process for each client."""
    workers = {client: Worker(client, cores.client) for client in CLIENTS}
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.close()


def measure(
    name: str,
    loop: str,
    workers: dict[str, Worker],
    urls: dict[str, str],
    rounds: int,
    scale: float,
) -> Row:
    """Measure a scenario on one loop: in each round every client once, in another order each time."""
    scenario = SCENARIOS[name]
    row = Row(name, 1, loop)
    order = random.Random(2)
    for _ in range(1 if scenario.action == "idle" else rounds):
        turns = list(scenario.clients)
        order.shuffle(turns)
        count = scenario.count if scenario.action == "idle" else round(scenario.count * scale)
        job = {"scenario": name, "loop": loop, "url": urls[scenario.server], "count": count}
        measured = {client: workers[client].ask(job) for client in turns}
        row.rounds.append({client: measured[client] for client in scenario.clients})
    return row


def describe(row: Row) -> str:
    """Return a row as a line of a Markdown table."""
    unit, name = (1e-3, "KB") if SCENARIOS[row.scenario].action == "idle" else (1e6, "µs")
    cells = [row.scenario, row.loop]
    for client in CLIENTS[:-1]:
        ratios = row.ratios(client)
        cells.append(
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            if ratios
            else "–"
        )
    to_limit = row.ratio("aioclient", "limit")
    cells.append("–" if to_limit is None else f"{to_limit:.2f}")
    baseline = statistics.median(values["aiohttp"] for values in row.rounds) * unit
    cells.append(f"{baseline:.3g} {name}")
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.websocket", description=__doc__)
    parser.add_argument("--scenario", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--loop", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="messages in a round")
    options = parser.parse_args(arguments)
    cores = choose_cores()
    print(f"| scenario | loop | {' | '.join(CLIENTS[:-1])} | aioclient ÷ limit | aiohttp |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    with run_server(cores.server) as urls, start_workers(cores) as workers:
        for name in options.scenario:
            for loop in options.loop:
                row = measure(name, loop, workers, urls, options.rounds, options.scale)
                print(describe(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
