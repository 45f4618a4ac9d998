"""The client's process: takes jobs as lines of JSON, answers each with a line of JSON.

Run as ``python -m benchmarks.worker CLIENT [CORE]``. Its first line is the client's version, or why
there is none. It is pinned before the client's library is imported, so that threads which the
library starts stay on the same core; their CPU time is part of the process's, and counts.

Each job is done in a fork of the process: all start from the same state, that of a process that has
imported the library and done nothing. How dear large blocks of memory are, for one, depends on what
the process did before.
"""

import asyncio
import ctypes
import gc
import importlib.metadata
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from benchmarks.clients import load
from benchmarks.clients.base import Client, Setup
from benchmarks.cores import pin
from benchmarks.scenarios import BIG_SIZE, EXTRA_HEADERS, GROWTH, SCENARIOS, Scenario

Perform = Callable[[str], Coroutine[Any, Any, Any]]


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    """Return a new event loop of one of `benchmarks.scenarios.LOOPS`."""
    if name == "uvloop":
        import uvloop  # optional: only its own rows need it

        return uvloop.Loop()
    return asyncio.new_event_loop()


def setup_of(job: dict[str, Any]) -> Setup:
    """Read what a job says about the client's set-up."""
    return Setup(
        concurrency=job["concurrency"],
        upload_path=Path(job["upload_path"]),
        output_path=Path(job["output_path"]),
        ca_file=Path(job["ca_file"]) if job["ca_file"] else None,
        unix_path=Path(job["unix_path"]) if job["unix_path"] else None,
        keepalive=job.get("keepalive"),
        session=job.get("session", "plain"),
        url=job["url"],
    )


def check_answer(scenario: Scenario, answer: object) -> None:
    """Raise RuntimeError when a client did not do the work it is measured at."""
    checks: dict[str, Callable[[], bool]] = {
        "get_json": lambda: answer["n"] == 7,  # type: ignore[index]
        "get_json_and_close": lambda: answer["n"] == 7,  # type: ignore[index]
        "post_json": lambda: answer["n"] == 7,  # type: ignore[index]
        "get_gzip": lambda: answer[7]["name"] == "user 7",  # type: ignore[index]
        "get_headers": lambda: len(answer) == 5 + EXTRA_HEADERS,  # type: ignore[arg-type]
        "download_four": lambda: answer >= 0.8 * BIG_SIZE,  # type: ignore[operator]
        # The framing of a chunked body counts.
        "upload": lambda: BIG_SIZE <= answer <= 1.01 * BIG_SIZE,  # type: ignore[operator]
    }
    right = checks.get(scenario.action, lambda: answer == BIG_SIZE)
    if not right():
        raise RuntimeError(f"{scenario.name}: unexpected answer {str(answer)[:200]}")


async def _repeat(perform: Perform, url: str, times: int) -> None:
    for _ in range(times):
        await perform(url)


async def _all_at_once(perform: Perform, url: str, concurrency: int) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(perform(url))


class Clock:
    """CPU time, user and system, of all threads of this process, and time on the wall."""

    def __init__(self) -> None:
        gc.collect()
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def per_request(self, count: int) -> dict[str, Any]:
        """Return what one of *count* requests took since the start, in seconds."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        return {"cpu": cpu / count, "wall": wall / count, "requests": count}


async def run_requests(client: Client, scenario: Scenario, job: dict[str, Any]) -> dict[str, Any]:
    """Measure a request, performed by as many long-lived tasks as the concurrency says.

    All connections are open, all tasks are started, and an answer was checked, before the clock
    starts.
    """
    perform: Perform = getattr(client, scenario.action)
    url, concurrency = job["url"], job["concurrency"]
    each = max(1, round(job["requests"] / concurrency))
    check_answer(scenario, await perform(url))
    ready, all_ready, start = 0, asyncio.Event(), asyncio.Event()

    async def work() -> None:
        nonlocal ready
        await _repeat(perform, url, 20 if concurrency == 1 else 2)
        ready += 1
        if ready == concurrency:
            all_ready.set()
        await start.wait()
        await _repeat(perform, url, each)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
        await all_ready.wait()
        clock = Clock()
        start.set()
    return clock.per_request(each * concurrency)


async def run_bulk(client: Client, scenario: Scenario, job: dict[str, Any]) -> dict[str, Any]:
    """Measure a request that moves `BIG_SIZE` bytes, over a connection that is open already."""
    perform: Perform = getattr(client, scenario.action)
    await client.get_json(job["small_url"])
    clock = Clock()
    for _ in range(job["requests"]):
        check_answer(scenario, await perform(job["url"]))
    return clock.per_request(job["requests"])


async def measure_idle(client: Client, scenario: Scenario, job: dict[str, Any]) -> dict[str, Any]:
    """Measure the memory of an idle connection, in bytes of resident memory.

    The connections are opened host by host, so that the many requests needed to open them are
    never in flight together: what they leave behind would be counted too.
    """
    warm, *urls = job["urls"]

    await _all_at_once(client.get_json, warm, job["concurrency"])
    before, sockets = _settled_memory(), _open_sockets()
    for url in urls:
        await _all_at_once(client.get_json, url, job["concurrency"])
    opened = _open_sockets() - sockets
    expected = len(urls) * job["concurrency"]
    if opened != expected:
        raise RuntimeError(f"{opened} connections are open, expected {expected}")
    return {"bytes": (_settled_memory() - before) / opened, "connections": opened}


async def measure_peak(client: Client, scenario: Scenario, job: dict[str, Any]) -> dict[str, Any]:
    """Measure by how many bytes one 100 MB request makes the idle process grow at most."""
    await client.get_json(job["small_url"])
    before = _settled_memory()
    Path("/proc/self/clear_refs").write_text("5")  # start VmHWM anew
    check_answer(scenario, await getattr(client, scenario.action)(job["url"]))
    return {"bytes": _status("VmHWM") - before}


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def _settled_memory() -> int:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _status("VmRSS")


def _open_sockets() -> int:
    return sum(
        os.readlink(entry).startswith("socket:")
        for entry in Path("/proc/self/fd").iterdir()
        if entry.is_symlink()
    )


MEASURES = {"requests": run_requests, "bulk": run_bulk, "idle": measure_idle, "peak": measure_peak}


def run_job(kind: type[Client], job: dict[str, Any]) -> dict[str, Any]:
    """Run one job on a loop of its own, with a client of its own."""
    scenario = GROWTH if job["scenario"] == GROWTH.name else SCENARIOS[job["scenario"]]
    if scenario.name in kind.lacks or scenario.session not in kind.sessions:
        return {"missing": f"{kind.distribution} cannot do {scenario.name}"}

    async def run() -> dict[str, Any]:
        async with kind(setup_of(job)) as client:
            return await MEASURES[job["measure"]](client, scenario, job)

    with asyncio.Runner(loop_factory=lambda: new_loop(job["loop"])) as runner:
        return runner.run(run())


def main() -> None:
    """Answer jobs until standard input ends."""
    name, *cores = sys.argv[1:]
    pin(int(cores[0]) if cores else None)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        kind = load(name)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers)
        return
    try:
        version = importlib.metadata.version(kind.distribution)
    except importlib.metadata.PackageNotFoundError:
        version = "from this folder"
    print(json.dumps({"version": version}), file=answers)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            print(json.dumps(answer(kind, line)), file=answers)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            print(json.dumps({"error": f"the job's process ended: {status}"}), file=answers)


def answer(kind: type[Client], line: str) -> dict[str, Any]:
    """Run the job that a line describes; a failure is an answer too, and the run goes on."""
    try:
        return run_job(kind, json.loads(line))
    except Exception as error:  # noqa: BLE001
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
