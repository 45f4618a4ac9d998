"""Count the instructions of a request, by callgrind: the same number whatever else the machine does.

    python -m benchmarks.instructions [--scenario small] [--concurrency 1] [--loop asyncio] [--client aioclient …]

User code alone counts; what the kernel does, which for small requests is more than half of the time, does not, and
neither do start-up and end.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.clients import CLIENTS, load
from benchmarks.cores import choose_cores
from benchmarks.measure import environment, job_for
from benchmarks.scenarios import LOOPS, SCENARIOS
from benchmarks.server import ROOT, run_server
from benchmarks.worker import MEASURES, new_loop, setup_of

WARM = 50  # requests that open the connections and fill the caches


def child(client: str, job: dict[str, Any], loop: str) -> None:
    """Do a job in small, wait for a line on standard input, and do it: that is what callgrind counts."""
    scenario = SCENARIOS[job["scenario"]]
    measure = MEASURES[job["measure"]]

    async def run() -> None:
        async with load(client)(setup_of(job)) as opened:
            await measure(opened, scenario, job | {"requests": WARM})
            for word in ("ready", "done"):
                print(word, flush=True)
                sys.stdin.readline()
                if word == "ready":
                    await measure(opened, scenario, job)

    with asyncio.Runner(loop_factory=lambda: new_loop(loop)) as runner:
        runner.run(run())


def count(client: str, job: dict[str, Any], loop: str) -> int:
    """Return the instructions of *job*, without those of start-up and end."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
        command += [f"--callgrind-out-file={folder}/out", "--", sys.executable]
        command += ["-m", "benchmarks.instructions", "--child", client, loop, json.dumps(job)]
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
            for word, switch in ((b"ready", "on"), (b"done", "off")):
                if process.stdout.readline().strip() != word:
                    raise SystemExit(Path(folder, "errors").read_text()[-2000:])
                control = ["callgrind_control", f"--instr={switch}", str(process.pid)]
                subprocess.run(control, check=True, capture_output=True)
                process.stdin.write(b"\n")
                process.stdin.flush()
        found = re.search(r"^totals: (\d+)", Path(folder, "out").read_text(), re.M)
        if found is None:
            raise SystemExit(f"{client}: callgrind wrote no summary")
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
                    each = count(client, job, loop) / number
                    print(f"{name} {options.concurrency} {loop} {client}: {each:,.0f} instructions")


if __name__ == "__main__":
    main()
