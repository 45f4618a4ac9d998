"""The tests of requests and of httpx over aioclient: ``python -m tests.conformance.clients [--suite adapter]``.

Three times: those of requests with ``aioclient.adapters.requests.Adapter`` in each of its sessions, those of requests
with :class:`aioclient.Session` in the place of its own, and those of httpx that reach a server with the transports of
``aioclient.adapters.httpx`` in each of its clients. They come from the source archives on PyPI, and run in an
environment of their own in ``build/clients``, which takes some minutes to set up. The tests take some minutes, too:
many of them wait for a server that does not answer.

It prints how many passed. ``clients.txt`` has the tests that fail, each under the reason why it does. Exit code 1: one
that is not there failed, or one that is there passed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
ENVIRONMENT: Final = ROOT / "build" / "clients"
KNOWN: Final = Path(__file__).with_name("clients.txt")
PLUGINS: Final = Path(__file__).with_name("plugins")
ARCHIVES: Final = ("requests==2.34.2", "httpx==0.28.1")
REQUIREMENTS: Final = (
    "requests[socks]==2.34.2",
    "pytest-httpbin==2.1.0",
    "httpbin~=0.10.0",
    "httpx[brotli,cli,http2,socks,zstd]==0.28.1",
    "click<8.2",  # later ones warn of what httpx's tests do
    "chardet==5.2.0",
    "cryptography",
    "pytest",
    "pytest-mock",
    "trio",
    "trustme",
    "uvicorn",
    "uvloop",
)


class Suite(NamedTuple):
    """The tests of a library, and how they run."""

    title: str
    archive: str
    arguments: tuple[str, ...]


OF_REQUESTS: Final = (
    "tests/test_requests.py",
    "tests/test_lowlevel.py",
    # They need the network: an address that does not answer, and a name that exists.
    "--deselect=tests/test_requests.py::TestTimeout::test_connect_timeout",
    "--deselect=tests/test_requests.py::TestTimeout::test_total_timeout_connect",
    "--deselect=tests/test_lowlevel.py::test_use_proxy_from_environment",
)
SUITES: Final = {
    "adapter": Suite("requests over the adapter", "requests-2.34.2", OF_REQUESTS),
    "session": Suite("requests, with aioclient.Session", "requests-2.34.2", OF_REQUESTS),
    "transports": Suite(
        "httpx over the transports",
        "httpx-0.28.1",
        (
            *("tests/client", "tests/test_api.py", "tests/test_exceptions.py"),
            *("tests/test_main.py", "tests/test_timeouts.py"),
            *("-m", "not network", "-k", "not trio"),
        ),
    ),
}


def install() -> None:
    """Make the environment, unless it is there."""
    wanted = "\n".join((*ARCHIVES, *REQUIREMENTS))
    stamp = ENVIRONMENT / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"setting up {ENVIRONMENT}", flush=True)
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip"]
    project = f"{ROOT}[requests,httpx,socks,http2]"
    subprocess.run([*pip, "install", "-qqq", "--editable", project, *REQUIREMENTS], check=True)
    with tempfile.TemporaryDirectory() as folder:
        download = [*pip, "download", "-qqq", "--no-deps", "--no-binary=:all:", "--dest", folder]
        subprocess.run([*download, *ARCHIVES], check=True)
        for archive in Path(folder).iterdir():
            shutil.unpack_archive(archive, ENVIRONMENT)
    stamp.write_text(wanted)


def run(name: str, more: Sequence[str]) -> dict[str, bool]:
    """Run a suite; return for each test whether it passed."""
    suite = SUITES[name]
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        environment = {
            **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            "CLIENTS_SUITE": name,
            "CLIENTS_RESULTS": str(results),
            "PYTHONPATH": str(PLUGINS),
        }
        pytest = [str(ENVIRONMENT / "bin" / "python"), "-m", "pytest", "-p", "over_aioclient"]
        process = subprocess.run(
            [*pytest, "-q", *suite.arguments, *more],
            cwd=ENVIRONMENT / suite.archive,
            env=environment,
            capture_output=not more,
            text=True,
            check=False,
        )
        if not results.exists():
            raise SystemExit(f"{suite.title}: pytest did not run\n{process.stdout}{process.stderr}")
        outcomes: dict[str, bool] = json.loads(results.read_text())
        return outcomes


def known_failures(name: str) -> dict[str, str]:
    """Return the names of the tests of a suite that fail, without their parameters, each with the reason."""
    found: dict[str, str] = {}
    section = reason = ""
    for line in KNOWN.read_text().splitlines():
        if line.startswith("#"):
            section = line.removeprefix("#").strip()
        elif line.startswith(" "):
            if section == SUITES[name].title:
                found.update(dict.fromkeys(line.split(), reason))
        elif line:
            reason = line
    return found


def summarize(name: str, outcomes: dict[str, bool]) -> bool:
    """Print how the tests of a suite ended; tell whether it is as it must be."""
    known = known_failures(name)
    passed = sum(outcomes.values())
    print(f"{SUITES[name].title}: {passed} of {len(outcomes)} tests passed")
    failed: dict[str, list[str]] = defaultdict(list)
    for test, good in outcomes.items():
        if not good:
            failed[test.partition("[")[0]].append(test)
    for test in failed.keys() - known.keys():
        print(f"  {', '.join(failed[test])} failed, and {KNOWN.name} does not have it")
    run_ = {test.partition("[")[0] for test in outcomes}
    passes = [
        test
        for test, reason in known.items()
        if test in run_ and test not in failed and not reason.startswith("Sometimes: ")
    ]
    for test in passes:
        print(f"  {test} passed, and {KNOWN.name} says that it fails")
    return failed.keys() <= known.keys() and not passes


def main(arguments: Sequence[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.clients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--suite", nargs="+", choices=list(SUITES), default=list(SUITES))
    parser.add_argument(
        "pytest", nargs="*", help="arguments for pytest, whose output is shown then"
    )
    options = parser.parse_args(arguments)
    install()
    results = [summarize(name, run(name, options.pytest)) for name in options.suite]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
