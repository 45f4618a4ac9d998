"""Count the instructions of a request, by callgrind: the same number whatever else the machine does.

    python -m benchmarks.instructions [--scenario small] [--concurrency 1] [--loop asyncio] [--client aioclient …]

User code alone counts; what the kernel does, which for small requests is more than half of the time, does not. Two
measurements in one process differ in nothing but the number of requests, and the difference is what is printed:
start-up, the opening of connections and the end are in neither. What is in memory by then is frozen, so that a garbage
collection of everything, which comes once in many requests, does not fall on a few.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.clients import CLIENTS, load
from benchmarks.cores import choose_cores
from benchmarks.measure import environment, job_for
from benchmarks.scenarios import LOOPS, SCENARIOS
from benchmarks.server import ROOT, run_server
from benchmarks.worker import MEASURES, new_loop, setup_of

FEW = 50  # requests that are taken off: they open the connections and fill the caches


async def counted(measure: Callable[[int], Awaitable[int]], requests: int) -> None:
    """Let *measure* do a few requests, and *requests* more of them; it returns how many it has done.

    Before each, and at the end, that number is printed, and a line is awaited on standard input: see `count_of`.
    """
    few = min(FEW, requests)
    done = await measure(few)
    gc.collect()
    gc.freeze()
    for number in (few, few + requests):
        print(done, flush=True)
        sys.stdin.readline()
        done = await measure(number)
    print(done, flush=True)
    sys.stdin.readline()


def child(client: str, job: dict[str, Any], loop: str) -> None:
    """Do *job* as `counted` says."""
    scenario = SCENARIOS[job["scenario"]]

    async def run() -> None:
        async with load(client)(setup_of(job)) as opened:

            async def measure(requests: int) -> int:
                done = await MEASURES[job["measure"]](
                    opened, scenario, job | {"requests": requests}
                )
                return int(done["requests"])

            await counted(measure, job["requests"])

    with asyncio.Runner(loop_factory=lambda: new_loop(loop)) as runner:
        runner.run(run())


def count(client: str, job: dict[str, Any], loop: str) -> float:
    """Return the instructions of one request of *job*."""
    return count_of(["-m", "benchmarks.instructions", "--child", client, loop, json.dumps(job)])


def count_of(arguments: Sequence[str]) -> float:
    """Return the instructions of one request of the Python process with these *arguments*, which calls `counted`."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
        command += [f"--callgrind-out-file={folder}/out", "--", sys.executable, *arguments]
        requests = []
        with (
            Path(folder, "errors").open("wb") as errors,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment() | {"PYTHONHASHSEED": "0"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            ) as process,
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            for action in ("--instr=on", "--dump=few", "--instr=off"):
                line = process.stdout.readline()
                if not line:
                    raise SystemExit(Path(folder, "errors").read_text()[-2000:])
                requests.append(int(line))
                control = ["callgrind_control", action, str(process.pid)]
                subprocess.run(control, check=True, capture_output=True)
                process.stdin.write(b"\n")
                process.stdin.flush()
        few, many = (_total(Path(folder, name)) for name in ("out.1", "out"))
        return (many - few) / (requests[2] - requests[1])


def _total(written: Path) -> int:
    """Return the instructions that callgrind has *written* down."""
    found = re.search(r"^totals: (\d+)", written.read_text(), re.M)
    if found is None:
        raise SystemExit(f"callgrind wrote no summary into {written}")
    return int(found[1])


def main() -> None:
    """Print the instructions of a request, for each client."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], json.loads(sys.argv[4]), sys.argv[3])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions")
    parser.add_argument("--scenario", nargs="+", choices=SCENARIOS, default=["small"])
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--loop", nargs="+", choices=LOOPS, default=["asyncio"])
    parser.add_argument("--client", nargs="+", choices=CLIENTS, default=["aioclient"])
    parser.add_argument("--requests", type=int, default=500, help="that are counted")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    with run_server(choose_cores().server) as server:
        for name in options.scenario:
            for loop in options.loop:
                for client in options.client:
                    scenario, number = SCENARIOS[name], options.requests
                    job = job_for(scenario, server, options.concurrency, loop, number)
                    each = count(client, job, loop)
                    print(f"{name} {options.concurrency} {loop} {client}: {each:,.0f} instructions")


if __name__ == "__main__":
    main()
