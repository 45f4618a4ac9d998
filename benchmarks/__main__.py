"""Command line: ``python -m benchmarks [options]``, ``python -m benchmarks profile [options]``."""

import argparse
import importlib.metadata
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.clients import BASELINE, CLIENTS
from benchmarks.cores import choose_cores
from benchmarks.jars import measure_jars
from benchmarks.measure import (
    Row,
    Worker,
    measure_idle,
    measure_imports,
    measure_peak,
    measure_rows,
    start_workers,
)
from benchmarks.profiling import profile
from benchmarks.report import Results, as_markdown, write_json, write_readme
from benchmarks.scenarios import GROWTH, LOOPS, SCENARIOS, Scenario
from benchmarks.server import Server, find_nginx, run_server

HERE = Path(__file__).resolve().parent
OURS = ("limit", "aioclient", "aiohttp")
OTHER_MEASURES = ("growth", "idle", "peak", "import", "jar")
NOT_QUICK = ("chunks-steady", "file-steady", "peak")
PEAK_SCENARIOS = ("chunks", "file", "memory", "upload")


def parse_run(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the options of a measuring run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the CPU time of a request, as a ratio to aiohttp's in the same round.",
        epilog="'python -m benchmarks profile --help': where one client spends its time.",
    )
    parser.add_argument(
        "--scenario", nargs="+", choices=[*SCENARIOS, *OTHER_MEASURES], metavar="NAME",
        help=f"what to measure: {', '.join([*SCENARIOS, *OTHER_MEASURES])} (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--peers", nargs="+", choices=list(CLIENTS), metavar="NAME",
        help=f"which clients, besides aiohttp: {', '.join(CLIENTS)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--concurrency", nargs="+", type=int, help="requests at a time")
    parser.add_argument("--loop", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--rounds", type=int, help="rounds for each row (default: 5, quick: 3)")
    parser.add_argument(
        "--scale", type=float, help="requests in a round, relative to the usual (quick: 0.3)"
    )
    parser.add_argument("--connections", type=int, help="idle connections (10,000; quick: 2,000)")
    parser.add_argument(
        "--quick", action="store_true", help="limit, aioclient and aiohttp only; a minute or two"
    )
    parser.add_argument(
        "--write", action="store_true", help="put the tables in README.md, and keep results.json"
    )
    parser.add_argument("--json", type=Path, help="write the raw rounds to this file")
    options = parser.parse_args(arguments)
    quick = options.quick
    options.rounds = options.rounds or (3 if quick else 5)
    options.scale = options.scale or (0.3 if quick else 1.0)
    options.connections = options.connections or (2_000 if quick else 10_000)
    chosen = options.peers or (OURS if quick else list(CLIENTS))
    options.clients = [name for name in CLIENTS if name in chosen or name == BASELINE]
    options.scenario = options.scenario or [
        name for name in (*SCENARIOS, *OTHER_MEASURES) if not (quick and name in NOT_QUICK)
    ]
    return options


def run(options: argparse.Namespace) -> Results:
    """Measure all that the options ask for."""
    cores = choose_cores()
    if not cores.separate:
        note("one core only: client and server share it")
    with (
        run_server(cores.server) as server,
        start_workers(options.clients, cores) as workers,
    ):
        found = list(workers)
        ours = {name: worker for name, worker in workers.items() if name in OURS}
        results = Results(versions(workers), cores.separate)
        chosen = [SCENARIOS[name] for name in options.scenario if name in SCENARIOS]
        with start_workers(
            list(ours) if any(scenario.steady_malloc for scenario in chosen) else [],
            cores,
            steady_malloc=True,
        ) as steady_workers:
            for scenario in chosen:
                results.rows += measure_scenario(
                    scenario, steady_workers if scenario.steady_malloc else workers, server, options
                )
        if "growth" in options.scenario:
            results.growth += measure_scenario(GROWTH, ours, server, options)
        for loop in options.loop:
            if "idle" in options.scenario:
                note(f"memory of idle connections, {loop}")
                results.memory += measure_idle(list(ours), loop, server, cores, options.connections)
            if "peak" in options.scenario:
                note(f"memory of large bodies, {loop}")
                for name in PEAK_SCENARIOS:
                    results.memory += measure_peak(SCENARIOS[name], list(ours), loop, server, cores)
    for each in results.memory:
        if each.error:
            note(f"{each.what} {each.client} {each.loop} failed: {each.error}")
    if "import" in options.scenario:
        modules = [name for name in ("aioclient", "aiohttp") if name in found]
        results.imports = measure_imports(modules, cores, options.rounds * 2 + 1)
    if "jar" in options.scenario and {"aioclient", "aiohttp"} <= set(found):
        note("cookie jars")
        results.jars = measure_jars(cores, options.rounds * 2 + 1)
    return results


def measure_scenario(
    scenario: Scenario, workers: Mapping[str, Worker], server: Server, options: argparse.Namespace
) -> list[Row]:
    """Measure a scenario on every loop, and tell what came out."""
    fixed = scenario.bulk or scenario is GROWTH
    concurrencies = scenario.concurrency if fixed else options.concurrency or scenario.concurrency
    measured = []
    for loop in options.loop:
        rows = measure_rows(
            scenario, loop, concurrencies, workers, server, options.rounds, options.scale
        )
        for row in rows:
            note(row.describe(list(workers)))
        measured += rows
    return measured


def note(text: str) -> None:
    """Tell how far the run is."""
    print(text, file=sys.stderr, flush=True)


def versions(workers: Mapping[str, Worker]) -> dict[str, str]:
    """Return the versions of all that takes part."""
    banner = subprocess.run([find_nginx(), "-v"], capture_output=True, text=True, check=True).stderr
    clients = {
        "httptools" if name == "limit" else name: worker.version or ""
        for name, worker in workers.items()
    }
    return {
        "Python": platform.python_version(),
        "nginx": banner.strip().rpartition("/")[2],
        "uvloop": importlib.metadata.version("uvloop"),
        **clients,
    }


def parse_profile(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the options of a profile."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks profile",
        description="Run one client under cProfile and print its dearest functions.",
    )
    parser.add_argument("--client", choices=list(CLIENTS), default="aioclient")
    parser.add_argument("--scenario", choices=list(SCENARIOS), default="small")
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--sort", default="tottime", help="a key of pstats, e.g. cumtime")
    parser.add_argument("--lines", type=int, default=40)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Run the command line."""
    if arguments[:1] == ["profile"]:
        asked = parse_profile(arguments[1:])
        profile(
            asked.client,
            asked.scenario,
            asked.concurrency,
            asked.loop,
            asked.requests,
            asked.sort,
            asked.lines,
        )
        return
    options = parse_run(arguments)
    # As after Ctrl-C: the servers are stopped and their files removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    started = time.monotonic()
    results = run(options)
    print(as_markdown(results))
    if options.json:
        write_json(options.json, results)
    if options.write:
        write_readme(HERE / "README.md", results)
        write_json(HERE / "results.json", results)
    note(f"done in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
