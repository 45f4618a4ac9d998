"""OneBotImpl.run(): until a signal."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import uvloop

from aioclient.onebot import HTTP, Bot, OneBotImpl

from .applications import HOST, application, http, make

ROOT = Path(__file__).parent.parent.parent

PROGRAM = """
import asyncio, sys
from aioclient.onebot import HTTP, Bot, HTTPWebhook, OneBotImpl

connection = HTTP(host="127.0.0.1", port=0)
conns = [connection, *(HTTPWebhook(url) for url in sys.argv[2:])]
impl = OneBotImpl("qq", "1", conns, Bot("qq", "1"))

@impl.action("slow")
async def slow() -> str:
    print("slow", flush=True)
    await asyncio.sleep(float(sys.argv[1]))
    return "done"

async def main() -> None:
    print(connection.port, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        for number in range(20):
            await impl.emit({"type": "notice", "detail_type": "qq.n", "number": number})
        print("main ended", flush=True)

impl.run(main)
print("ended", impl, flush=True)
"""


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def line(program: "subprocess.Popen[str]") -> str:
    assert program.stdout is not None
    found = program.stdout.readline().strip()
    assert found, program.stderr.read() if program.stderr else ""
    return found


def ask(port: str) -> Any:
    body = json.dumps({"action": "slow", "params": {}}).encode()
    request = urllib.request.Request(
        f"http://{HOST}:{port}/", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    async def test_one(self, number: signal.Signals) -> None:
        """It ends in order: main ends, what it emits then is delivered, an action that runs is answered."""
        async with application() as app:
            with start("0.5", app.hook) as program:
                port = await asyncio.to_thread(line, program)
                asked = asyncio.create_task(asyncio.to_thread(ask, port))
                assert await asyncio.to_thread(line, program) == "slow"
                program.send_signal(number)
                assert (await asked)["data"] == "done"
                rest = [await asyncio.to_thread(line, program) for _ in range(2)]
                assert await asyncio.to_thread(program.wait) == 0
                assert rest == ["main ended", "ended <OneBotImpl qq 1 not running>"]
                assert program.stderr is not None
                assert program.stderr.read() == ""
            numbers = [body["number"] for _, body in app.posts if body["type"] == "notice"]
            assert numbers == list(range(20))

    def test_a_second_one(self) -> None:
        """A second signal does not wait: it has its usual effect."""
        with start("60") as program:
            port = line(program)

            def asking() -> None:
                with pytest.raises(OSError):
                    ask(port)

            thread = threading.Thread(target=asking)
            thread.start()
            assert line(program) == "slow"
            program.send_signal(signal.SIGTERM)
            assert line(program) == "main ended"
            program.send_signal(signal.SIGTERM)
            assert program.wait() == -signal.SIGTERM
            thread.join()


class TestRun:
    def test_main_raises(self) -> None:
        """What main raises ends the run; the handlers of signals are as before, and nothing is left."""
        impl = make(http())
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

        async def main() -> None:
            loops.append(type(asyncio.get_running_loop()))
            await asyncio.sleep(0)
            raise LookupError("mine")

        loops: list[type] = []
        for loop_factory in (None, uvloop.new_event_loop):
            with pytest.raises(LookupError, match="mine"):
                impl.run(main, loop_factory=loop_factory)
            assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
            assert repr(impl) == "<OneBotImpl qq 1.0.0 not running>"
        assert issubclass(loops[0], asyncio.SelectorEventLoop)
        assert issubclass(loops[1], uvloop.Loop)

    def test_main_returns(self) -> None:
        """When main returns it goes on, until the signal."""
        impl = make(http())
        ran: list[str] = []

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(0.01, ran.append, "still running")
            loop.call_later(0.02, os.kill, os.getpid(), signal.SIGTERM)

        impl.run(main)
        assert ran == ["still running"]

    def test_another_thread(self) -> None:
        """In another thread signals are left alone; main ends it."""
        impl = make(http())

        class Done(Exception):
            pass

        async def main() -> None:
            raise Done

        found: list[BaseException] = []

        def target() -> None:
            try:
                impl.run(main)
            except Done as error:
                found.append(error)

        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
        assert len(found) == 1

    def test_it_cannot_start(self) -> None:
        """What cannot be started raises."""
        impl = OneBotImpl("qq", "1", [HTTP(host="192.0.2.1", port=1)], Bot("qq", "1"))
        with (
            pytest.warns(UserWarning, match="needs no token"),
            pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:1"),
        ):
            impl.run()

    async def test_in_a_loop(self) -> None:
        """Within a running loop it says so."""
        impl = make(http())
        with pytest.raises(RuntimeError, match="here one is running: `async with impl`"):
            impl.run()
