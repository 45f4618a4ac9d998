"""What we show runs: the demo, the README's code, the practice server."""

import asyncio
import contextlib
import io
import re
import runpy
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path

import pytest

from aioclient.cli import main
from aioclient.onebot import (
    OneBotClient,
    PrivateMessage,
    WebhookReceiver,
    WebSocketReceiver,
    text,
)

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ELSEWHERE = "https://www.python.org/"


@pytest.fixture
def server() -> Iterator[str]:
    """The practice server of the examples."""
    running = runpy.run_path(str(ROOT / "examples" / "server.py"))["running"]
    with running() as url:
        yield url


def test_demo() -> None:
    """The demo shows each of its steps with what came of it, and ends without a warning."""
    command = [sys.executable, "-X", "dev", "-W", "error", str(ROOT / "examples" / "demo.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    # On a busy machine the event loop's debug mode remarks on callbacks that took long.
    said = re.sub(r"^Executing <.*> took [\d.]+ seconds\n", "", done.stderr, flags=re.MULTILINE)
    assert (done.returncode, said) == (0, "")
    for line in (
        r"GET visit  → 200 {'visits': 3}",
        r"POST echo  → 200 {'you_sent': {'name': 'aioclient', 'numbers': \[1, 2, 3\]}}",
        r"GET moved  → 302 /moved → 200 /echo-page: 'here you are'",
        r"█{40}\] 20 MiB",
        r"GET never  → TotalTimeoutError",
        r"no response within total=0.2 s",
        r"\d+ connections were opened and used again \d+ times",
        r"GET http://localhost/echo-page  → 200 'here you are'",
        r"All sockets are closed",
    ):
        assert re.search(line, done.stdout), line
    steps = done.stdout.count("\n── ")
    assert steps == 7
    assert len(re.findall(r"^   [\d.]+ ms$", done.stdout, re.MULTILINE)) == steps


async def test_onebot_echo() -> None:
    """The echo implementation echoes over all four transports, and ends on SIGTERM without a word."""
    async with (
        WebhookReceiver(port=0, access_token="t") as hook,
        WebSocketReceiver(port=0, access_token="t") as socket,
    ):
        iterators = [hook.events("message"), socket.events("message")]
        program = str(ROOT / "examples" / "onebot_echo.py")
        arguments = ["--http", "0", "--websocket", "0", "--token", "t"]
        arguments += ["--webhook", f"http://127.0.0.1:{hook.port}/"]
        arguments += ["--reverse", f"ws://127.0.0.1:{socket.port}/"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", program, *arguments, stdout=PIPE, stderr=PIPE
        )
        try:
            assert process.stdout is not None
            lines = [(await process.stdout.readline()).decode() for _ in range(4)]
            http, _, ws, _ = (re.findall("(127.*)>", line)[0] for line in lines)
            assert [line.split()[0] for line in lines] == [
                "<HTTP",
                "<HTTPWebhook",
                "<WebSocket",
                "<WebSocketReverse",
            ]
            async with (
                OneBotClient(f"http://{http}", access_token="t") as polling,
                OneBotClient(f"ws://{ws}", access_token="t") as connected,
            ):
                await connected.call("get_version")
                while not socket.bots:
                    await asyncio.sleep(0)
                iterators += [polling.events("message"), connected.events("message")]
                for number, caller in enumerate((polling, connected, socket)):
                    sent = await caller.send_message("private", f"hi {number}", user_id="42")
                    assert sent
                    for events in iterators:
                        event = await anext(events)
                        assert isinstance(event, PrivateMessage)
                        assert (event.user_id, event.message) == ("42", [text(f"hi {number}")])
        finally:
            process.terminate()
            output = await process.communicate()
        assert (process.returncode, output) == (0, (b"", b""))


def test_readme(server: str) -> None:
    """Each block of Python in the README runs; its address is replaced by the practice server's."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 1
    assert ELSEWHERE in blocks[0]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(blocks[0].replace(ELSEWHERE, f"{server}/hello"), "README.md", "exec"), {})
    assert printed.getvalue() == "200 text/plain; charset=utf-8\nHello, stranger\n"


def test_readmes_command(server: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The README's command line runs."""
    (arguments,) = re.findall(r"`\.venv/bin/python -m aioclient (.*?)`", README)
    assert (
        main([argument.replace(ELSEWHERE, f"{server}/hello") for argument in arguments.split()])
        == 0
    )
    assert capfd.readouterr().out == "Hello, stranger!"


def test_readmes_links() -> None:
    """Each file that the README points to exists, by an address that works on other pages, too."""
    at = "https://github.com/aioclient/aioclient/blob/main/"
    found = re.findall(r"\]\((.+?)\)|\]\[(.+?)\]", README)
    addresses = dict(re.findall(r"^\[(.+?)\]: (\S+)$", README, re.MULTILINE))
    assert {name for _, name in found} - {""} == set(addresses)
    targets = [address or addresses[name] for address, name in found]
    assert targets
    for target in targets:
        assert target.startswith(at), target
        assert (ROOT / target.removeprefix(at)).is_file(), target
