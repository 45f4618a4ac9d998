"""Threads of the library's own: bounded, gone when idle, and not needed; no request waits for the user's."""

import asyncio
import io
import os
import signal
import socket
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

import aioclient
from aioclient import ClientSession, TCPConnector, ThreadedResolver, threads
from aioclient.connectors import tls
from aioclient.testing import RawConnection, RawServer
from aioclient.threads import Threads

from .servers.certificates import Certificates


@pytest.fixture
def lane() -> Iterator[Threads]:
    """Two threads; they are gone at the end."""
    lane = Threads("tested", 2)
    yield lane
    until(lambda: not lane.count)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread without work ends at once."""
    monkeypatch.setattr(threads, "IDLE", 0.0)


def until(condition: Callable[[], object]) -> None:
    """Let the other threads run until the condition holds."""
    ended = threading.Event()
    for _ in range(3000):
        if condition():
            return
        ended.wait(0.01)
    raise AssertionError("the condition did not come true")


def here() -> threading.Thread:
    return threading.current_thread()


@contextmanager
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        yield


class TestThreads:
    def test_a_daemon_thread(self, lane: Threads) -> None:
        """The work is done in a thread that does not keep the interpreter from its end, and has a name."""
        thread = lane.submit(here).result()
        assert thread is not here()
        assert thread.daemon
        assert thread.name == "aioclient-tested"

    def test_arguments_and_errors(self, lane: Threads) -> None:
        """Arguments reach the function; what it raises is raised where the result is awaited."""
        assert lane.submit(int, "11", base=2).result() == 3
        with pytest.raises(ValueError, match="ten"):
            lane.submit(int, "ten").result()

    def test_bounds(self, lane: Threads) -> None:
        """There are never more than allowed, and the other jobs wait in order."""
        gate = threading.Event()
        done: list[int] = []

        def job(number: int) -> None:
            gate.wait()
            done.append(number)

        held = [lane.submit(gate.wait) for _ in range(2)]
        jobs = [lane.submit(job, number) for number in range(20)]
        assert lane.count == 2
        gate.set()
        for future in (*held, *jobs):
            future.result()
        assert sorted(done) == list(range(20))

    def test_one_job_after_the_other_takes_one_thread(
        self, lane: Threads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A thread that has done its work takes the next one."""
        monkeypatch.setattr(threads, "IDLE", 30.0)
        assert (
            len(
                {
                    lane.submit(here).result()
                    for _ in range(20)
                    if until(lambda: lane._idle == lane.count) is None
                }
            )
            == 1
        )
        monkeypatch.setattr(threads, "IDLE", 0.0)
        assert lane.submit(here).result() is not None

    def test_cancelled(self, lane: Threads) -> None:
        """A job that is cancelled before a thread takes it is not done."""
        gate = threading.Event()
        for _ in range(2):
            lane.submit(gate.wait)
        done: list[int] = []
        job = lane.submit(done.append, 1)
        assert job.cancel()
        gate.set()
        until(lambda: not lane.count)
        assert done == []

    def test_no_thread_can_start(self, lane: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then the caller does the work, and a later one starts threads again."""
        with no_more_threads(monkeypatch):
            assert lane.submit(here).result() is here()
            assert lane.count == 0
        assert lane.submit(here).result() is not here()

    def test_no_other_thread_can_start(
        self, lane: Threads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Then the work waits for the one that there is."""
        gate = threading.Event()
        held = lane.submit(gate.wait)
        with no_more_threads(monkeypatch):
            job = lane.submit(here)
        assert not job.done()
        gate.set()
        held.result()
        assert job.result().name == "aioclient-tested"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    @pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
    def test_fork(self, lane: Threads) -> None:
        """A forked process, which has no copy of the threads, starts its own."""
        gate = threading.Event()
        held = [lane.submit(gate.wait) for _ in range(3)]
        child = os.fork()
        if not child:
            signal.alarm(20)
            os._exit(lane.submit(int, "7").result() if lane.count == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        gate.set()
        for each in held:
            each.result()


@asynccontextmanager
async def busy_executor() -> AsyncIterator[None]:
    """The loop's default executor has one thread, and somebody else has it."""
    loop = asyncio.get_running_loop()
    gate = threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    held = loop.run_in_executor(None, gate.wait)
    try:
        yield
    finally:
        gate.set()
        await held


async def echo(conn: RawConnection) -> None:
    """Answer each request with its ``Authorization`` field and the length of its body."""
    while True:
        request = await conn.read_request()
        told = f"{request.value('Authorization')} {len(request.body)}".encode()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))


@pytest.mark.both_loops
class TestABusyDefaultExecutor:
    """No request waits for the threads that the program's own jobs have."""

    async def test_tls_contexts(
        self, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first https request makes its context elsewhere."""
        monkeypatch.setattr(tls, "_contexts", {})
        async with (
            RawServer(echo, ssl=certificates.server_context()) as server,
            busy_executor(),
            ClientSession() as session,
        ):
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await session.get(server.url())

    @pytest.mark.parametrize("host", ["printer", "printer.local"])
    async def test_names_that_the_system_knows(
        self, monkeypatch: pytest.MonkeyPatch, host: str
    ) -> None:
        """They are looked up elsewhere; so are those of a ``ThreadedResolver``."""
        asked: list[str] = []

        def getaddrinfo(name: str, port: int, *more: Any) -> list[Any]:
            asked.append(name)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        async with (
            RawServer(echo) as server,
            busy_executor(),
            ClientSession(connector=TCPConnector(resolver=ThreadedResolver())) as session,
            session.get(server.url(host=host)) as response,
        ):
            assert await response.read() == b"None 0"
        assert asked == [host]

    async def test_addresses_with_a_zone(self) -> None:
        """The number of an interface is not asked for in a thread (an event loop would)."""
        if not socket.has_ipv6:
            pytest.skip("no IPv6")

        class Zoned(AbstractResolver):
            async def resolve(self, host: str, port: int = 0, family: int = 0) -> Any:
                name = socket.if_indextoname(1)
                found: list[ResolveResult] = [
                    {
                        "hostname": host,
                        "host": f"::1%{name}",
                        "port": port,
                        "family": 10,
                        "proto": 6,
                        "flags": 0,
                    }
                ]
                return found

            async def close(self) -> None:
                pass

        async with (
            RawServer(echo, host="::1") as server,
            busy_executor(),
            ClientSession(connector=TCPConnector(resolver=Zoned())) as session,
            session.get(server.url(host="a.test")) as response,
        ):
            assert await response.read() == b"None 0"

    async def test_netrc(self, tmp_path: Path) -> None:
        """The file is read elsewhere."""
        path = tmp_path / "netrc"
        path.write_text("machine 127.0.0.1 login me password secret\n")
        path.chmod(0o600)
        async with (
            RawServer(echo) as server,
            busy_executor(),
            ClientSession(netrc=path) as session,
            session.get(server.url()) as response,
        ):
            assert await response.read() == b"Basic bWU6c2VjcmV0 0"

    async def test_files(self, tmp_path: Path) -> None:
        """A file is read, and compressed, elsewhere."""
        path = tmp_path / "file"
        path.write_bytes(bytes(300_000))
        async with RawServer(echo) as server, busy_executor(), ClientSession() as session:
            with path.open("rb") as file:
                async with session.post(server.url(), data=file) as response:
                    assert await response.read() == b"None 300000"
            async with session.post(
                server.url(), data=io.BytesIO(bytes(300_000)), compress="gzip"
            ) as response:
                assert response.status == 200


AT_THE_END = """
    import asyncio, atexit, io, sys, tempfile, threading, time
    import aioclient, uvloop

    async def main():
        tried = []
        connector = aioclient.TCPConnector(resolver={resolver})
        async with aioclient.ClientSession(connector=connector, netrc={netrc!r}) as session:
            with tempfile.TemporaryFile() as file:
                file.write(bytes(100_000))
                file.seek(0)
                async with session.post({http!r}, data=file) as response:
                    tried.append((await response.text()).replace(" ", "+"))
            async with session.post({http!r}, data=bytes(40_000), compress="gzip") as response:
                tried.append(response.status)
            for url in ({https!r}, "http://{label}.test/"):
                try:
                    await session.get(url)
                except aioclient.ClientError as error:
                    tried.append(type(error).__name__)
            found = await aioclient.DefaultResolver().resolve("localhost", 80)
            tried.append(found[0]["host"])
        print(*tried, flush=True)

    def run():
        if {loop!r} == "uvloop":
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main())
        else:
            asyncio.run(main())

    def late():
        threading.main_thread().join()
        run()

    {begin}
"""


@pytest.mark.both_loops
class TestTheEndOfTheInterpreter:
    """Programs that say goodbye by a request, when executors take no work and (3.12 and later) no thread starts."""

    @pytest.mark.parametrize("resolver", ["None", "aioclient.ThreadedResolver()"])
    @pytest.mark.parametrize(
        "begin",
        ["atexit.register(run)", "threading.Thread(target=late).start()"],
        ids=["atexit", "a thread that outlives the main one"],
    )
    async def test_requests(
        self,
        certificates: Certificates,
        tmp_path: Path,
        loop_name: str,
        begin: str,
        resolver: str,
    ) -> None:
        """Files, compression, netrc, TLS and names: they work, or fail with a ``ClientError``."""
        path = tmp_path / "netrc"
        path.write_text("machine 127.0.0.1 login me password secret\n")
        path.chmod(0o600)
        async with (
            RawServer(echo) as http,
            RawServer(echo, ssl=certificates.server_context()) as https,
        ):
            script = textwrap.dedent(AT_THE_END).format(
                http=str(http.url()),
                https=str(https.url()),
                netrc=str(path),
                label="a" * 64,
                loop=loop_name,
                begin=begin,
                resolver=resolver,
            )
            program = await asyncio.create_subprocess_exec(
                sys.executable, "-c", script, stdout=-1, stderr=-1
            )
            out, err = await program.communicate()
        assert out.split() == [
            b"Basic+bWU6c2VjcmV0+100000",
            b"200",
            b"CertificateError",
            b"LookupFailedError",
            b"127.0.0.1",
        ], err.decode()
        assert program.returncode == 0
