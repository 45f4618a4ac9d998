"""Programs of others, each in a process of its own, and what they report."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
PROGRAMS = Path(__file__).parent / "programs"


class Process:
    """A program that runs.

    It reports by lines on its standard output: ``@`` and a list in JSON, of a name and an object. All other lines are
    its log.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.log: list[str] = []
        self._process = process
        self._reports: list[tuple[str, dict[str, Any]]] = []
        self._news = asyncio.Event()
        self._ended = False

    async def report(self, name: str, **expected: Any) -> dict[str, Any]:
        """Remove the next report of this name that has these values, and return it; wait for it."""

        def find() -> dict[str, Any] | None:
            for index, (found, values) in enumerate(self._reports):
                if found == name and expected.items() <= values.items():
                    del self._reports[index]
                    return values
            return None

        found: dict[str, Any] = await self._wait(find)
        return found

    async def logged(self, *texts: str) -> None:
        """Wait for a line of the log that contains all of *texts*."""
        await self._wait(
            lambda: next((line for line in self.log if all(text in line for text in texts)), None)
        )

    async def _wait(self, find: Callable[[], Any]) -> Any:
        while (found := find()) is None:
            assert not self._ended, "the program ended"
            self._news.clear()
            await self._news.wait()
        return found

    async def read(self) -> None:
        """Take the program's output in, until it ends."""
        assert self._process.stdout is not None
        try:
            async for line in self._process.stdout:
                text = line.decode().rstrip()
                if text.startswith("@"):
                    self._reports.append(json.loads(text[1:]))
                else:
                    self.log.append(text)
                self._news.set()
        finally:
            self._ended = True
            self._news.set()

    async def kill(self) -> None:
        """End the program at once; its connections are reset or closed by the system."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def __str__(self) -> str:
        return "\n".join((*self.log, *(f"{name} {values}" for name, values in self._reports)))


@asynccontextmanager
async def running(program: str, **settings: Any) -> AsyncIterator[Process]:
    """Run a program with these settings, and kill it after the block; print its output if the block fails."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAMS / f"{program}.py"),
        json.dumps(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=2**20,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    process = Process(started)
    reader = asyncio.create_task(process.read(), name=f"read the output of {program}")
    try:
        yield process
    except BaseException:
        print(f"--- {program}, process {started.pid} ---\n{process}")
        raise
    finally:
        await process.kill()
        await reader


@contextmanager
def free_port() -> Iterator[int]:
    """Give a port on which programs can listen, and that nothing else gets while the block runs."""
    with socket.socket() as sock:
        # Bound, but not listening: others with the same option can listen, if they ask for just this port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, 0))
        yield sock.getsockname()[1]
