"""Sessions that are forgotten; loops that end; threads, forks and signals."""

import asyncio
import concurrent.futures
import gc
import os
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest

from aioclient import ClientSession, TCPConnector
from aioclient.testing import turns

from .. import spoken
from ..servers.either import RawServer
from .parts import fetch, friendly, numbers, until

pytestmark = pytest.mark.both_protocols
reports = pytest.mark.reports
both_loops = pytest.mark.both_loops

ROOT = Path(__file__).parent.parent.parent

SERVER = """
import asyncio, concurrent.futures, contextlib, os, signal, sys, threading
import uvloop
import aioclient

async def answer(reader, writer):
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while await reader.readuntil(b"\\r\\n\\r\\n"):
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    writer.close()

def serve():
    async def main():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.set_result(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()
    asyncio.run(main())

port = concurrent.futures.Future()
threading.Thread(target=serve, daemon=True).start()
url = f"http://127.0.0.1:{port.result()}/"
new_loop = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[sys.argv[1]]

def run(coroutine):
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(coroutine)
"""


def script(loop_name: str, text: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run a script behind `SERVER`, whose server is a thread, and return how it ended."""
    return subprocess.run(
        [sys.executable, *options, "-c", SERVER + textwrap.dedent(text), loop_name],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


@both_loops
@reports("aio-libs/aiohttp#1175", "aio-libs/aiohttp#2523")
async def test_a_forgotten_session() -> None:
    """A session that was not closed left its sockets open, and a line in the log that did not tell whose it was."""
    async with RawServer(friendly) as server:
        session = ClientSession(server.url())
        assert await fetch(session, "/") == b"ok"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del session
            gc.collect()
            warned = [(warning.category, str(warning.message)) for warning in caught]
            caught.clear()  # a warning keeps the session that it is about
            gc.collect()
        await until(lambda: not server.open_connections)
    ((category, text),) = warned
    assert category is ResourceWarning
    assert "unclosed session" in text
    assert f"made at {__file__}" in text


@reports("aio-libs/aiohttp#497")
def test_forgotten_until_the_end(loop_name: str) -> None:
    """A session that still existed when the interpreter ended raised from its finalizer, whose modules were gone."""
    ended = script(
        loop_name,
        """
        async def main():
            global session
            session = aioclient.ClientSession()
            async with session.get(url) as response:
                print(await response.text())
        run(main())
        """,
    )
    assert (ended.returncode, ended.stdout) == (0, "ok\n")
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@reports("aio-libs/aiohttp#497")
def test_deleted_after_its_loop(loop: str) -> None:
    """A session deleted after its event loop had been closed raised "Event loop is closed"."""
    ended = script(
        loop,
        """
        async def main():
            session = aioclient.ClientSession()
            async with session.get(url) as response:
                print(await response.text())
            return session
        session = run(main())
        del session
        """,
        "-Wignore",
    )
    assert (ended.returncode, ended.stdout) == (0, "ok\n")
    assert "closed" not in ended.stderr.replace("Unclosed", "").replace("unclosed", "")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_two_runs(loop: str) -> None:
    """A session used again in a second event loop hung, or failed deep inside with a future of another loop."""
    ended = script(
        loop,
        """
        async def get(session):
            async with session.get(url) as response:
                return await response.text()
        async def first():
            session = aioclient.ClientSession()
            print(await get(session))
            return session
        session = run(first())
        try:
            run(get(session))
        except RuntimeError as error:
            print("loop" in str(error))
        """,
        "-Wignore",
    )
    assert (ended.returncode, ended.stdout) == (0, "ok\nTrue\n")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_interrupt(loop: str) -> None:
    """Ctrl-C during a request left tracebacks of unclosed sessions besides the KeyboardInterrupt."""
    ended = script(
        loop,
        """
        async def main():
            async with aioclient.ClientSession() as session:
                asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
                while True:
                    async with session.get(url) as response:
                        await response.text()
        try:
            run(main())
        except KeyboardInterrupt:
            print("interrupted")
        """,
        "-Werror",
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "interrupted\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_fork(loop: str) -> None:
    """A process forked after a request could make none: it shared sockets, resolver or threads with its parent."""
    ended = script(
        loop,
        """
        async def get():
            async with aioclient.ClientSession() as session, session.get(url) as response:
                return await response.text()
        print(run(get()), flush=True)
        if pid := os.fork():
            _, status = os.waitpid(pid, 0)
            print(run(get()), status)
        else:
            print(run(get()), flush=True)
            os._exit(0)
        """,
        "-Wignore",
    )
    assert (ended.returncode, ended.stdout) == (0, "ok\nok\nok 0\n")


@both_loops
async def test_another_thread() -> None:
    """A session used from another thread's event loop mixed up both threads' connections."""

    def elsewhere(session: ClientSession) -> str:
        async def main() -> str:
            with pytest.raises(RuntimeError, match="loop") as caught:
                await session.get("/")
            return str(caught.value)

        return asyncio.run(main())

    async with RawServer(friendly) as server, ClientSession(server.url()) as session:
        assert await fetch(session, "/") == b"ok"
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert await asyncio.get_running_loop().run_in_executor(pool, elsewhere, session)
        assert await fetch(session, "/") == b"ok"
        assert (server.connections, numbers(session)) == (1, (0, 1, 0))


@both_loops
async def test_no_loop_at_all() -> None:
    """A session made where no event loop runs belonged to a loop that never ran, and its requests hung."""

    def outside() -> None:
        with pytest.raises(RuntimeError, match="loop"):
            ClientSession()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, outside)


@both_loops
async def test_a_forgotten_response() -> None:
    """A response that was dropped unread kept its connection in use for ever."""
    async with (
        RawServer.replies([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"]) as server,
        ClientSession(server.url(), connector=TCPConnector(limit=1)) as session,
    ):
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda loop, context: None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            response = await session.get("/")
            assert numbers(session) == (1, 0, 0)
            del response
            gc.collect()
            await turns(5)
        loop.set_exception_handler(before)
        assert numbers(session) == (0, spoken.kept(), 0)


@both_loops
async def test_closed_twice_and_used_after() -> None:
    """close() failed when called again, and a request of a closed session failed inside the pool."""
    session = ClientSession()
    await session.close()
    await session.close()
    assert session.closed
    with pytest.raises(RuntimeError, match="closed"):
        await session.get("http://a.test/")


def test_signals_are_left_alone() -> None:
    """Importing or using the library changed a signal handler of the program."""
    assert signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) in (signal.SIG_DFL, signal.SIG_IGN)
