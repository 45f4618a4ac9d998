"""Show which functions one client spends its time in."""

import asyncio
import cProfile
import pstats

from benchmarks.clients import load
from benchmarks.cores import choose_cores, pin
from benchmarks.measure import job_for
from benchmarks.scenarios import SCENARIOS
from benchmarks.server import run_server
from benchmarks.worker import MEASURES, new_loop, setup_of


def profile(
    client: str,
    scenario_name: str,
    concurrency: int,
    loop: str,
    requests: int,
    sort: str,
    lines: int,
) -> None:
    """Print a table of functions, the dearest first.

    Times are larger than without the profiler, most of all those of small Python functions: use
    the table to see what is called and how often, and the benchmark to see what it costs.
    """
    kind = load(client)
    scenario = SCENARIOS[scenario_name]
    cores = choose_cores()
    profiler = cProfile.Profile()
    with run_server(cores.server) as server:
        pin(cores.client)
        job = job_for(scenario, server, concurrency, loop, min(requests, scenario.requests))

        async def run() -> None:
            async with kind(setup_of(job)) as opened:
                measure = MEASURES[job["measure"]]
                await measure(opened, scenario, job)  # opens the connections, fills the caches
                profiler.enable()
                await measure(opened, scenario, job)
                profiler.disable()

        with asyncio.Runner(loop_factory=lambda: new_loop(loop)) as runner:
            runner.run(run())
    pstats.Stats(profiler).strip_dirs().sort_stats(sort).print_stats(lines)
