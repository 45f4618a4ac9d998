"""How the tests themselves are run: the gates that every other test rests on are seen to close."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STAGED = """
import asyncio, socket, warnings
import pytest

kept = []

async def test_passes(): await asyncio.sleep(0)

async def test_arguments(tmp_path, loop_name):
    assert (tmp_path.is_dir(), loop_name) == (True, "asyncio")

class TestMethods:
    async def test_method(self): await asyncio.sleep(0)

@pytest.mark.both_loops
async def test_loops(): print("ran on", type(asyncio.get_running_loop()).__module__)

@pytest.mark.virtual_clock
async def test_virtual(): await asyncio.sleep(10**6)

async def test_fails(): assert False

async def test_leaves_task(): kept.append(asyncio.create_task(asyncio.Event().wait()))

async def test_leaves_socket(): kept.append(socket.socket())

def test_sync_leaves_socket(): kept.append(socket.socket())

async def test_leaves_exception():
    asyncio.get_running_loop().create_future().set_exception(LookupError("unseen"))

async def test_warns(): warnings.warn("old", DeprecationWarning)

@pytest.mark.hang_limit(0.2)
async def test_hangs(): await asyncio.Event().wait()

@pytest.mark.hang_limit(0.2)
@pytest.mark.virtual_clock
async def test_hangs_virtually():
    while True:
        await asyncio.sleep(1)
"""

GOOD = ["passes", "arguments", "method", "loops[asyncio]", "loops[uvloop]", "virtual"]
FAILING = {
    "fails": "assert False",
    "warns": "DeprecationWarning: old",
    "hangs": "HangError: not done after 0.2 s",
    "hangs_virtually": "HangError: not done after 0.2 s",
}
LEAKING = {
    "leaves_task": "LeakError: 1 leak",
    "leaves_socket": "LeakError: 1 leak",
    "sync_leaves_socket": "LeakError: 1 leak",
    "leaves_exception": "Future exception was never retrieved",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says about the staged tests."""
    file = tmp_path_factory.mktemp("staged") / "test_staged.py"
    file.write_text(STAGED)
    command = [sys.executable, "-m", "pytest", "-rA", "--tb=short", "--color=no", "-W", "error"]
    command += ["-c", "/dev/null", "-p", "no:cacheprovider", "-p", "tests.conftest", str(file)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


def outcomes(report: str, name: str) -> list[str]:
    """The outcomes of a staged test in pytest's summary."""
    return re.findall(rf"^([A-Z]+) \S+::test_{re.escape(name)}(?: |$)", report, re.MULTILINE)


@pytest.mark.parametrize("name", GOOD)
def test_passes(report: str, name: str) -> None:
    """Async functions and methods run, on the loop their mark asks for."""
    assert outcomes(report, name) == ["PASSED"], report


@pytest.mark.parametrize("name", FAILING)
def test_fails(report: str, name: str) -> None:
    """Failures, warnings and hangs fail the test, once."""
    assert outcomes(report, name) == ["FAILED"], report
    assert FAILING[name] in report


@pytest.mark.rows("MISC-11")
@pytest.mark.parametrize("name", LEAKING)
def test_leaks(report: str, name: str) -> None:
    """What is left behind is an error of the test that left it."""
    assert outcomes(report, name) == ["PASSED", "ERROR"], report
    assert LEAKING[name] in report


def test_nothing_else(report: str) -> None:
    """No other test failed."""
    assert f"{len(FAILING)} failed, {len(GOOD) + len(LEAKING)} passed" in report, report
    assert f"{len(LEAKING)} errors" in report, report


@pytest.mark.parametrize("name", ["leaks", "raw_server", "tasks", "watchdog", "clock", "cancel"])
def test_examples(name: str) -> None:
    """The examples of the kit's docstrings do what they say."""
    module = importlib.import_module(f"aioclient.testing.{name}")
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
