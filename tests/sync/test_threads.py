"""The blocking session among threads, processes, event loops and signals."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from aioclient.sync import Session, post
from aioclient.sync import portal as portal_module
from aioclient.sync.portal import PORTAL, Errands, Portal

from .conftest import Server, sent

ROOT = Path(__file__).parents[2]


def test_sixty_four_threads_on_one_session(server: Server, session: Session) -> None:
    begin = threading.Barrier(64)

    def ask(number: int) -> list[str]:
        begin.wait()
        return [
            sent(session.get(f"{server.url}/echo", params={"n": f"{number}-{turn}"}))["query"][0][1]
            for turn in range(5)
        ]

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(ask, range(64)))
    assert answers == [[f"{number}-{turn}" for turn in range(5)] for number in range(64)]


async def test_within_a_running_event_loop(server: Server) -> None:
    with Session() as session:
        assert session.get(f"{server.url}/echo").ok
        ran = asyncio.Event()
        asyncio.get_running_loop().call_soon(ran.set)
        assert session.get(f"{server.url}/echo").ok
        assert not ran.is_set()  # it holds this loop up, and no other
        await ran.wait()


def test_the_caller_s_context(server: Server) -> None:
    variable: ContextVar[str] = ContextVar("variable")
    seen = []

    async def look(request: Any, handler: Any) -> Any:
        seen.append(variable.get())
        return await handler(request)

    variable.set("here")
    with Session(middlewares=[look]) as session:
        session.get(f"{server.url}/echo")
    assert seen == ["here"]


def test_a_session_dropped_unclosed_closes_itself(server: Server) -> None:
    session = Session()
    assert session.get(f"{server.url}/echo").ok
    life = session._life
    del session

    async def closed() -> None:
        while not life.core.closed:
            await asyncio.sleep(0)

    PORTAL.run(closed())


def test_what_interrupts_the_wait_ends_the_request(server: Server, session: Session) -> None:
    """As Ctrl-C does, whose exception is raised in the main thread's wait."""
    import ctypes

    class Interrupted(BaseException):
        pass

    main = threading.get_ident()

    def interrupt() -> None:
        server.asked.wait()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(main), ctypes.py_object(Interrupted)
        )

    # The wait is for a lock, which only a signal interrupts: so an errand of this thread's is interrupted instead.
    helper = threading.Thread(target=interrupt)

    def pieces() -> Any:
        yield b"a"
        helper.start()
        while True:
            yield b"b"

    with pytest.raises(Interrupted):
        session.post(f"{server.url}/never", data=pieces())
    helper.join()
    assert session.get(f"{server.url}/echo").ok
    assert "in_use=0" in repr(session)


def test_a_session_dropped_while_a_body_or_a_websocket_is_open(server: Server) -> None:
    response = Session().get(f"{server.url}/endless", stream=True)
    pieces = response.iter_content(2**16)
    assert sum(len(next(pieces)) for _ in range(200)) == 200 * 2**16
    response.close()
    with Session().ws_connect(f"{server.url}/chat") as ws:
        ws.send_str("a")
        assert ws.receive_str() == "a"


def test_a_raw_body_that_is_dropped(server: Server, session: Session) -> None:
    """It gives up its response without waiting, since any thread may drop it, also that of the loop."""

    kept = [session.get(f"{server.url}/endless", stream=True).raw]

    async def drop() -> None:
        kept.clear()
        while "in_use=0" not in repr(session):
            await asyncio.sleep(0)

    PORTAL.run(drop())


@pytest.mark.parametrize(
    "read",
    [
        lambda response: response.content,
        lambda response: b"".join(response.iter_content(None)),
        lambda response: response.raw.read(),
    ],
)
def test_an_answer_before_the_upload_s_end(server: Server, read: Callable[[Any], bytes]) -> None:
    """Whoever reads the body runs the iterator meanwhile, also in one-shot calls."""
    pieces = (b"x" * 10 for _ in range(5))
    with post(f"{server.url}/repeating", data=pieces, stream=True) as response:
        assert read(response) == b"x" * 50


def test_settings_change_while_other_threads_send(server: Server, session: Session) -> None:
    ended = threading.Event()

    def ask() -> int:
        count = 0
        while not ended.is_set():
            assert session.get(f"{server.url}/echo").ok
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(ask) for _ in range(4)]
        for turn in range(100):
            session.trust_env = bool(turn % 2)
        ended.set()
        assert sum(call.result() for call in calls)


def interrupted_at(number: int, function: Callable[[], object]) -> bool:
    """Call *function*, and raise ``KeyboardInterrupt`` before one instruction of the portal; tell whether it came."""
    left = number

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        code = frame.f_code
        if code.co_filename != portal_module.__file__ or code.co_name == "abandon":
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("feeds", [False, True])
def test_an_interrupt_at_each_instruction_of_a_call(feeds: bool) -> None:
    """The call ends, before the exception is raised, wherever the signal's handler ran: also when it had ended."""
    portal = Portal()
    running = 0

    async def call(errands: Errands | None) -> None:
        nonlocal running
        running += 1
        try:
            if errands is not None:
                await errands.ask(list)
            await asyncio.sleep(0)
        finally:
            running -= 1

    def run() -> None:
        errands = Errands() if feeds else None
        coroutine = call(errands)
        try:
            portal.run(coroutine, errands)
        finally:
            coroutine.close()  # it has ended, or the interrupt came before the portal took it

    run()
    number = 1
    while interrupted_at(number, run):
        assert running == 0
        number += 1
    assert number > 50
    portal.close()


def test_a_result_that_nobody_gets_is_closed() -> None:
    """A response that came just before the interrupt does not keep its connection."""
    portal, errands = Portal(), Errands()
    ended = threading.Event()
    closed = []
    asking = []

    class Result:
        def close(self) -> None:
            closed.append(threading.current_thread())

    def interrupt() -> None:
        ended.wait()
        raise KeyboardInterrupt

    async def call() -> Result:
        asking.append(asyncio.create_task(errands.ask(interrupt)))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(ended.set)
        return Result()

    with pytest.raises(KeyboardInterrupt):
        portal.run(call(), errands)
    assert closed == [portal._thread]
    portal.close()


def run_in_a_process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-X",
            "faulthandler",
            "-c",
            textwrap.dedent(code),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


class TestProcesses:
    @pytest.mark.parametrize("loops", ["uvloop", "asyncio"])
    @pytest.mark.parametrize("within", ["head", "body", "lines", "websocket", "upload", "late"])
    def test_ctrl_c(self, server: Server, loops: str, within: str) -> None:
        """What waits is cancelled; the session goes on, and so does a WebSocket.

        A signal that comes just before the wait (late) does not interrupt it, as one that another thread gets.
        """
        result = run_in_a_process(
            """
            import asyncio, os, signal, sys
            if sys.argv[2] == "asyncio":
                sys.modules["uvloop"] = None
            from aioclient.sync import Session
            from aioclient.sync.portal import PORTAL
            url, within = sys.argv[1], sys.argv[3]
            session = Session()
            assert session.get(url + "/echo").ok
            ws = session.ws_connect(url + "/chat")

            async def interrupt():
                while len(asyncio.all_tasks()) < 2:  # this one, and that of the call
                    await asyncio.sleep(0)
                if within == "late":
                    signal.raise_signal(signal.SIGINT)
                else:
                    os.kill(os.getpid(), signal.SIGINT)

            def pieces():
                yield b"a"
                PORTAL.start(interrupt)
                yield b"b"

            streamed = session.post(url + "/silent", stream=True)
            if within != "upload":
                PORTAL.start(interrupt)
            try:
                if within in ("head", "late"):
                    session.get(url + "/never")
                elif within == "body":
                    streamed.content
                elif within == "lines":
                    list(streamed.iter_lines())
                elif within == "websocket":
                    ws.receive()
                else:
                    session.post(url + "/never", data=pieces())
            except KeyboardInterrupt:
                print("interrupted")
            streamed.close()
            ws.send_str("on")
            print(session.get(url + "/echo").status_code, ws.receive_str(), session)
            ws.close()
            session.close()
            """,
            server.url,
            loops,
            within,
        )
        assert result.stderr == ""
        assert result.stdout.splitlines()[0] == "interrupted"
        # One connection is in use: the WebSocket's.
        assert result.stdout.splitlines()[1].startswith(
            "200 on <Session <TCPConnector <Pool in_use=1"
        )
        assert result.returncode == 0

    @pytest.mark.parametrize("loops", ["uvloop", "asyncio"])
    @pytest.mark.parametrize("how", ["left open", "closed", "streaming"])
    def test_the_interpreter_s_end_without_a_warning(
        self, server: Server, loops: str, how: str
    ) -> None:
        result = run_in_a_process(
            """
            import sys
            if sys.argv[2] == "asyncio":
                sys.modules["uvloop"] = None
            from aioclient.sync import Session
            session = Session()
            response = session.get(sys.argv[1] + "/endless" if sys.argv[3] == "streaming" else sys.argv[1] + "/echo",
                                   stream=True)
            if sys.argv[3] == "closed":
                session.close()
            print(response.status_code)
            """,
            server.url,
            loops,
            how,
        )
        assert (result.stdout, result.stderr, result.returncode) == ("200\n", "", 0)

    @pytest.mark.parametrize("how", ["requests", "requests, closed", "httpx", "websocket"])
    def test_the_interpreter_s_end_while_others_read(self, server: Server, how: str) -> None:
        """Streams over adapters, and WebSockets, that nobody closes: no warning, and no wait."""
        result = run_in_a_process(
            """
            import sys
            url, how = sys.argv[1:]
            if how.startswith("requests"):
                import requests
                from aioclient.adapters.requests import Adapter
                session = requests.Session()
                session.trust_env = False
                session.mount("http://", Adapter())
                response = session.get(url + "/endless", stream=True)
                if how.endswith("closed"):
                    session.close()
            elif how == "httpx":
                import httpx
                from aioclient.adapters.httpx import Transport
                client = httpx.Client(transport=Transport())
                response = client.send(client.build_request("GET", url + "/endless"), stream=True)
            else:
                from aioclient.sync import Session
                websocket = Session().ws_connect(url + "/chat")
                websocket.send_str("a")
            print("end")
            """,
            server.url,
            how,
        )
        assert (result.stdout, result.stderr, result.returncode) == ("end\n", "", 0)

    @pytest.mark.parametrize("loops", ["uvloop", "asyncio"])
    def test_a_thread_of_its_own_at_the_end(self, server: Server, loops: str) -> None:
        result = run_in_a_process(
            """
            import sys, threading
            if sys.argv[2] == "asyncio":
                sys.modules["uvloop"] = None
            from aioclient.sync import Session
            session = Session()
            def late():
                threading.main_thread().join()
                print(session.get(sys.argv[1] + "/echo").status_code)
            session.get(sys.argv[1] + "/echo")
            threading.Thread(target=late).start()
            """,
            server.url,
            loops,
        )
        assert (result.stdout, result.stderr, result.returncode) == ("200\n", "", 0)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    @pytest.mark.parametrize("loops", ["uvloop", "asyncio"])
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_fork(self, certificates: Any, loops: str, scheme: str) -> None:
        """Both processes go on; the child's end says no goodbye on the parent's connection."""
        server = Server(certificates.server_context() if scheme == "https" else None)
        try:
            result = run_in_a_process(
                """
                import os, sys
                if sys.argv[2] == "asyncio":
                    sys.modules["uvloop"] = None
                from aioclient.sync import Session
                session = Session(headers={"x": "1"}, verify=sys.argv[3] or True)
                url = sys.argv[1] + "/echo"
                session.cookies.set("a", "b", domain="localhost")
                print(session.get(url).json()["headers"]["x"])
                child = os.fork()
                if child == 0:
                    answer = session.get(url).json()
                    print(answer["headers"]["x"], answer["cookies"], flush=True)
                    del answer
                    sys.exit(0)
                os.waitpid(child, 0)
                print(session.get(url).json()["cookies"])
                print(session._pool.statistics().opened)
                session.close()
                """,
                server.url,
                loops,
                str(certificates.ca_file) if scheme == "https" else "",
            )
        finally:
            server.close()
        assert result.stderr == ""
        lines = result.stdout.splitlines()
        assert sorted(lines[-3:]) == sorted(["1 {'a': 'b'}", "{'a': 'b'}", "1"])
        assert result.returncode == 0

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    @pytest.mark.parametrize("loops", ["uvloop", "asyncio"])
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_fork_while_bodies_are_read(self, certificates: Any, loops: str, scheme: str) -> None:
        """They stay the parent's: the child is told so, closes nothing of theirs, and ends without a word."""
        server = Server(certificates.server_context() if scheme == "https" else None)
        try:
            result = run_in_a_process(
                """
                import os, sys
                if sys.argv[2] == "asyncio":
                    sys.modules["uvloop"] = None
                from aioclient.sync import Session
                session = Session(verify=sys.argv[3] or True)
                left = session.get(sys.argv[1] + "/endless", stream=True)
                raw = session.get(sys.argv[1] + "/endless", stream=True).raw
                pieces = session.get(sys.argv[1] + "/endless", stream=True).iter_content(10)
                ws = session.ws_connect(sys.argv[1] + "/chat")
                assert len(next(pieces)) == len(raw.read(10)) == 10
                child = os.fork()
                if child == 0:
                    def content():
                        return left.content
                    for call in (lambda: next(pieces), raw.read, content, ws.receive):
                        try:
                            call()
                        except RuntimeError as error:
                            assert "it was opened before a fork" in str(error), error
                    left.close()
                    raw.close()
                    assert not ws.close()
                    print("child", flush=True)
                    sys.exit(0)
                print("ended", os.waitpid(child, 0)[1])
                assert len(next(pieces)) == len(raw.read(10)) == len(left.raw.read(10)) == 10
                ws.send_str("a")
                print(ws.receive_str())
                session.close()
                """,
                server.url,
                loops,
                str(certificates.ca_file) if scheme == "https" else "",
            )
        finally:
            server.close()
        assert (result.stderr, result.stdout) == ("", "child\nended 0\na\n")

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    @pytest.mark.parametrize("how", ["mounted", "adapter"])
    def test_a_fork_of_other_transports(self, server: Server, how: str) -> None:
        """The parent's connection outlives the child's end."""
        result = run_in_a_process(
            """
            import os, sys
            import aioclient
            url = sys.argv[1] + "/echo"
            if sys.argv[2] == "mounted":
                session = aioclient.Session()
                session.mount("http://", aioclient.TCPConnector)
                statistics = lambda: session._life.core.connector.statistics()[1]
            else:
                import requests
                from aioclient.adapters.requests import Adapter
                session, adapter = requests.Session(), Adapter()
                session.trust_env = False
                session.mount("http://", adapter)
                statistics = lambda: adapter._blocking._session.connector.statistics()
            assert session.get(url).ok
            if (child := os.fork()) == 0:
                session.trust_env = False
                assert session.get(url).ok
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert session.get(url).ok
            print(statistics().opened)
            session.close()
            """,
            server.url,
            how,
        )
        assert (result.stdout, result.stderr, result.returncode) == ("1\n", "", 0)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_threads_of_a_forked_process(self, server: Server) -> None:
        """The first call there begins again; the others go by the same pool."""
        result = run_in_a_process(
            """
            import os, sys, threading
            from concurrent.futures import ThreadPoolExecutor
            from aioclient.sync import Session
            from aioclient.sync.portal import PORTAL
            session = Session()
            url = sys.argv[1] + "/echo"
            assert session.get(url).ok
            if (child := os.fork()) == 0:
                begin = threading.Barrier(16)
                def ask(number):
                    begin.wait()
                    return session.get(url).status_code
                with ThreadPoolExecutor(16) as pool:
                    print({*pool.map(ask, range(16))}, len(PORTAL.members), flush=True)
                sys.exit(0)
            os.waitpid(child, 0)
            """,
            server.url,
        )
        assert (result.stdout, result.stderr, result.returncode) == ("{200} 1\n", "", 0)


def test_a_portal_that_was_closed_opens_again() -> None:
    portal = Portal()

    async def answer() -> int:
        return 42

    assert portal.run(answer()) == 42
    portal.close()
    portal.close()
    assert portal.run(answer()) == 42
    portal.close()
