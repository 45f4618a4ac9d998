"""Autobahn|Testsuite against the client: ``python -m tests.conformance.autobahn [--cases 2.* 9.3.1]``.

The public suite's fuzzing server runs each of its cases against an echo client of ours, on asyncio and on uvloop. Every
case must be OK or INFORMATIONAL. It takes some minutes a loop.

The suite runs on Python 2.7 only. One is looked for on ``PATH`` and among pyenv's; the suite is installed next to this
project's builds, in ``build/autobahn``, with the versions of ``autobahn.txt``. Without one nothing is tested, and the
exit code is 0: the cases' kinds are tests in ``tests/websocket``, too. Exit code 1: a case failed.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvloop

from aioclient import ClientConnectionResetError, ClientConnectorError, ClientSession, WSMsgType

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "build" / "autobahn"
REQUIREMENTS = Path(__file__).with_name("autobahn.txt")
VIRTUALENV = "virtualenv==20.15.1"  # the last one for Python 2.7
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
GOOD = frozenset(("OK", "INFORMATIONAL"))
CASE_LIMIT = 600.0  # seconds; the longest cases take 10 on an idle machine
HOW_TO_INSTALL = (
    "Skipped: Autobahn|Testsuite needs Python 2.7, and none was found. "
    "Install one (`pyenv install 2.7.18`), or name it: --python /path/to/python2.7"
)


def find_python() -> str | None:
    """Return a Python 2.7: on ``PATH``, or pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = ["python2.7", *map(str, sorted(pyenv.glob("2.7*/bin/python2.7"), reverse=True))]
    for candidate in candidates:
        found = shutil.which(candidate)
        if (
            found is not None
            and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode
        ):
            return found  # and not one of pyenv's programs that only say where there is one
    return None


def install(python: str) -> Path:
    """Return the suite's program; install it first if that was not done yet."""
    program = ENVIRONMENT / "bin" / "wstest"
    installed = ENVIRONMENT / "installed.txt"
    if installed.exists() and installed.read_bytes() == REQUIREMENTS.read_bytes():
        return program
    print(f"installing Autobahn|Testsuite into {ENVIRONMENT}", flush=True)
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    with tempfile.TemporaryDirectory() as tools:
        pip = [python, "-m", "pip", "install", "-qqq", "--target", tools, VIRTUALENV]
        subprocess.run(pip, check=True)
        subprocess.run(
            [python, "-m", "virtualenv", "--quiet", str(ENVIRONMENT)],
            env={**os.environ, "PYTHONPATH": tools},
            check=True,
        )
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "-qqq"]
    subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)
    shutil.copy(REQUIREMENTS, installed)
    return program


@contextmanager
def fuzzing_server(program: Path, cases: Sequence[str], reports: Path) -> Iterator[str]:
    """Run the suite's server for the time of the block; give its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"ws://127.0.0.1:{port}"
    specification = reports / "fuzzingserver.json"
    specification.write_text(
        json.dumps(
            {
                "url": url,
                "outdir": str(reports),
                "cases": list(cases),
                "exclude-cases": [],
                "exclude-agent-cases": {},
            }
        )
    )
    process = subprocess.Popen(
        [program, "--mode", "fuzzingserver", "--webport", "0", "--spec", specification],
        cwd=reports,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield url
    finally:
        process.terminate()
        process.wait()


async def wait_until_up(session: ClientSession, url: str) -> int:
    """Wait for the server; return how many cases it has."""
    for _ in range(100):
        try:
            async with session.ws_connect(f"{url}/getCaseCount") as ws:
                return int(await ws.receive_str())
        except ClientConnectorError:
            await asyncio.sleep(0.2)
    raise RuntimeError(f"Autobahn's server did not begin to listen on {url} within 20 s")


async def echo(session: ClientSession, url: str) -> None:
    """Send back what comes, until the server closes."""
    async with session.ws_connect(url, compress=15, max_msg_size=64 * 2**20) as ws:
        with suppress(ClientConnectionResetError):  # the case went wrong before its answer was sent
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    await ws.send_str(message.data)
                elif message.type is WSMsgType.BINARY:
                    await ws.send_bytes(message.data)


async def run_cases(url: str, agent: str) -> None:
    """Run all cases of the server."""
    async with ClientSession() as session:
        count = await wait_until_up(session, url)
        for number in range(1, count + 1):
            try:
                async with asyncio.timeout(CASE_LIMIT):
                    await echo(session, f"{url}/runCase?case={number}&agent={agent}")
            except TimeoutError:
                print(f"\r{agent}: case number {number} did not end within {CASE_LIMIT} s")
            if sys.stdout.isatty():
                print(f"\r{agent}: {number} of {count}", end="", flush=True)
        async with session.ws_connect(f"{url}/updateReports?agent={agent}") as ws:
            await ws.receive()


def summarize(agent: str, report: dict[str, Any]) -> bool:
    """Print how the cases of a loop ended; tell whether all are as they must be."""
    behavior = Counter(case["behavior"] for case in report.values())
    closing = Counter(case["behaviorClose"] for case in report.values())
    print(f"\r{agent}: {len(report)} cases: {dict(behavior)}; how they closed: {dict(closing)}")
    bad = {
        name: (case["behavior"], case["behaviorClose"])
        for name, case in report.items()
        if not GOOD.issuperset((case["behavior"], case["behaviorClose"]))
    }
    for name in sorted(bad, key=lambda name: [int(part) for part in name.split(".")]):
        print(f"  {name}: {bad[name][0]}, closed {bad[name][1]}")
    return not bad


def main(arguments: Sequence[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.autobahn",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", nargs="+", default=["*"], help='default: all, "*"')
    parser.add_argument("--loop", nargs="+", choices=list(LOOPS), default=list(LOOPS))
    parser.add_argument("--python", default=find_python(), help="a Python 2.7")
    parser.add_argument("--reports", type=Path, help="a folder to keep the suite's own reports in")
    options = parser.parse_args(arguments)
    if options.python is None:
        print(HOW_TO_INSTALL)
        return 0
    program = install(options.python)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        reports = Path(options.reports or folder).absolute()
        reports.mkdir(parents=True, exist_ok=True)
        with fuzzing_server(program, options.cases, reports) as url:
            for agent in options.loop:
                with asyncio.Runner(loop_factory=LOOPS[agent]) as runner:
                    runner.run(run_cases(url, agent))
        index = json.loads((reports / "index.json").read_text())
        for agent in options.loop:
            good &= summarize(agent, index[agent])
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
