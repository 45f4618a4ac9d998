"""Run clients in turn, in interleaved rounds, and keep what each round gave."""

import contextlib
import json
import os
import random
import re
import select
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.clients import BASELINE, SPEED
from benchmarks.cores import Cores
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.server import ROOT, Server

STEADY_MALLOC = {"MALLOC_TRIM_THRESHOLD_": "67108864", "MALLOC_MMAP_THRESHOLD_": "67108864"}
SLOW_CLIENT_ROUNDS = 3  # enough to see a ratio of 4 or 15; more would take most of a run's time
ANSWER_TIMEOUT = 180.0  # seconds; a client that hangs must not take the run with it


def environment() -> dict[str, str]:
    """Return the environment for client processes: ours without proxies, certificates, uncompiled imports."""
    return {
        name: value
        for name, value in os.environ.items()
        if not re.search("proxy|ca_bundle|ssl_cert|PYTHONDONTWRITEBYTECODE", name, re.IGNORECASE)
    }


class Worker:
    """A client's process; see `benchmarks.worker`."""

    def __init__(self, client: str, core: int | None, *, steady_malloc: bool = False) -> None:
        self.client = client
        command = [sys.executable, "-m", "benchmarks.worker", client]
        self._process = subprocess.Popen(
            command + ([] if core is None else [str(core)]),
            cwd=ROOT,
            env=environment() | (STEADY_MALLOC if steady_malloc else {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        hello = self._read()
        self.version: str | None = hello.get("version")
        self.missing: str | None = hello.get("missing") or hello.get("error")

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Have a job done; the answer has "error" in it when that failed."""
        if self._process.poll() is not None:
            return {"error": "the client's process has ended"}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        # An answer is one short line written at once, so that it is there whole or not at all.
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_TIMEOUT)
        if not ready:
            os.killpg(self._process.pid, signal.SIGKILL)  # the fork that does the job, too
            return {"error": f"no answer within {ANSWER_TIMEOUT:g} s"}
        line = self._process.stdout.readline()
        if not line:
            return {"error": "the client's process has ended"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=10)


@contextlib.contextmanager
def start_workers(
    clients: Sequence[str], cores: Cores, *, steady_malloc: bool = False
) -> Iterator[dict[str, Worker]]:
    """Start a process for each client, without those whose library cannot be used."""
    workers = {
        client: Worker(client, cores.client, steady_malloc=steady_malloc) for client in clients
    }
    try:
        for worker in workers.values():
            if worker.missing:
                print(f"without {worker.client}: {worker.missing}", file=sys.stderr)
        yield {client: worker for client, worker in workers.items() if worker.version}
    finally:
        for worker in workers.values():
            worker.close()


@dataclass(slots=True)
class Row:
    """One line of the table: a scenario at a concurrency on a loop.

    *rounds* has CPU seconds for each request, by client, one mapping for each round.
    """

    scenario: str
    concurrency: int
    loop: str
    rounds: list[dict[str, float]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def ratios(self, client: str, to: str = BASELINE) -> list[float]:
        """Return the ratio of two clients in each round that has both."""
        return [
            values[client] / values[to]
            for values in self.rounds
            if client in values and to in values
        ]

    def ratio(self, client: str, to: str = BASELINE) -> float | None:
        """Return the median of `ratios`; None when no round has both."""
        ratios = self.ratios(client, to)
        return statistics.median(ratios) if ratios else None

    def describe(self, clients: Sequence[str]) -> str:
        """Return the row as a line of progress: each ratio with its range over the rounds."""
        parts = []
        for client in clients:
            if ratios := self.ratios(client):
                middle = statistics.median(ratios)
                parts.append(f"{client} {middle:.2f} [{min(ratios):.2f} to {max(ratios):.2f}]")
            elif client in self.errors:
                parts.append(f"{client} failed: {self.errors[client]}")
        return f"{self.scenario} {self.concurrency} {self.loop}: {', '.join(parts)}"


def job_for(
    scenario: Scenario, server: Server, concurrency: int, loop: str, requests: int = 1
) -> dict[str, Any]:
    """Describe a job to a worker, to measure CPU time unless its "measure" is changed."""
    base = server.base_url(scenario)
    return {
        "measure": "bulk" if scenario.bulk else "requests",
        "scenario": scenario.name,
        "session": scenario.session,
        "url": base + scenario.path,
        "small_url": f"{base}/small",
        "concurrency": concurrency,
        "requests": requests,
        "loop": loop,
        "upload_path": str(server.big_file),
        "output_path": str(server.folder / "output"),
        "ca_file": str(server.ca_file) if scenario.server in ("tls", "h2") else None,
        "unix_path": str(server.unix_path) if scenario.server == "unix" else None,
    }


def request_count(scenario: Scenario, client: str, scale: float) -> int:
    """Return how many requests a client performs in one round."""
    if scenario.bulk:
        return scenario.requests if SPEED.get(client, 1.0) >= 1 else 1
    return max(1, round(scenario.requests * SPEED.get(client, 1.0) * scale))


def measure_rows(
    scenario: Scenario,
    loop: str,
    concurrencies: Sequence[int],
    workers: Mapping[str, Worker],
    server: Server,
    rounds: int,
    scale: float = 1.0,
) -> list[Row]:
    """Measure a scenario on one loop: in each round every client once at each concurrency.

    The order of the clients is another in each round, but the same in each run.
    """
    rows = [Row(scenario.name, concurrency, loop) for concurrency in concurrencies]
    order = random.Random(2)
    for number in range(rounds):
        clients = [
            client
            for client in workers
            if number < SLOW_CLIENT_ROUNDS or SPEED.get(client, 1.0) >= 1
        ]
        turns = [(row, client) for row in rows for client in clients]
        order.shuffle(turns)
        for row in rows:
            row.rounds.append({})
        for row, client in turns:
            if client in row.errors:
                continue
            count = request_count(scenario, client, scale)
            answer = workers[client].ask(job_for(scenario, server, row.concurrency, loop, count))
            if "cpu" in answer:
                row.rounds[-1][client] = answer["cpu"]
            else:
                row.errors[client] = answer.get("error") or answer["missing"]
    return rows


@dataclass(frozen=True, slots=True)
class Memory:
    """A client's memory, in bytes; *what* is "idle" (for each connection) or a scenario's name."""

    what: str
    client: str
    loop: str
    bytes: float | None
    error: str | None = None


def _memory_in_fresh_process(
    what: str, client: str, loop: str, cores: Cores, job: dict[str, Any]
) -> Memory:
    worker = Worker(client, cores.client)
    answer: dict[str, Any]
    try:
        answer = {"error": worker.missing} if worker.missing else worker.ask(job)
    finally:
        worker.close()
    error = answer.get("error") or answer.get("missing")
    return Memory(what, client, loop, answer.get("bytes"), error)


def measure_idle(
    clients: Sequence[str], loop: str, server: Server, cores: Cores, connections: int
) -> list[Memory]:
    """Measure what each of many idle connections keeps in memory, each client in a new process."""
    for_each_host = 100
    hosts = connections // for_each_host + 1  # the first one only warms up
    urls = [
        f"http://127.0.{1 + n // 200}.{1 + n % 200}:{server.sink_port}/hold/{for_each_host}"
        for n in range(hosts)
    ]
    job = job_for(SCENARIOS["small"], server, for_each_host, loop)
    job |= {"measure": "idle", "urls": urls, "keepalive": 3600.0}
    return [_memory_in_fresh_process("idle", client, loop, cores, job) for client in clients]


def measure_peak(
    scenario: Scenario, clients: Sequence[str], loop: str, server: Server, cores: Cores
) -> list[Memory]:
    """Measure by how much a 100 MB request makes each client's process grow."""
    job = job_for(scenario, server, 1, loop) | {"measure": "peak"}
    return [_memory_in_fresh_process(scenario.name, client, loop, cores, job) for client in clients]


_IMPORT = """
import time
start = time.process_time()
import {module}
print(time.process_time() - start)
"""


def measure_imports(modules: Sequence[str], cores: Cores, rounds: int) -> list[dict[str, float]]:
    """Measure the CPU seconds of importing each module in a fresh interpreter, in each round."""
    pin_first = (
        "" if cores.client is None else f"import os; os.sched_setaffinity(0, {{{cores.client}}})"
    )

    def seconds(module: str) -> float:
        code = pin_first + _IMPORT.format(module=module)
        output = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environment())
        return float(output)

    for module in modules:
        seconds(module)  # once for nothing: it writes the compiled files
    results = []
    for turn in range(rounds):
        ordered = modules if turn % 2 else list(reversed(modules))
        results.append({module: seconds(module) for module in ordered})
    return results


def as_json(results: Sequence[Row | Memory]) -> list[dict[str, Any]]:
    """Return results as plain values."""
    return [asdict(result) for result in results]
