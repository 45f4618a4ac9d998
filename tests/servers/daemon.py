"""A server program as a process of its own: on free ports, never as root, ended with the test run."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from .require import require

STARTS = 5  # another process may take a free port before the program does
END_TIME = 5.0  # seconds from the polite signal to the other one


class Daemon:
    """Runs a program during `with`; a subclass says which, and writes its files.

    Attributes:
        ports: The free port of each name in `port_names`.
        folder: Where its files are; readable for all, and its user's own.
    """

    command = ""
    package = ""
    port_names: Sequence[str] = ("port",)
    end_signal = signal.SIGTERM

    def __init__(self) -> None:
        self._path = require(self.command, self.package)
        self._process: subprocess.Popen[bytes] | None = None
        self.ports: Mapping[str, int] = {}
        self.folder = Path()

    def arguments(self) -> Sequence[str | os.PathLike[str]]:
        """Write the files, and return the program's arguments."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        # Not below pytest's own folder, which is for its user alone.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.command}-"))
        self.folder.chmod(0o755)
        try:
            for _ in range(STARTS):
                self._start()
                if self._wait_ready():
                    return self
            raise RuntimeError(f"{self.command} did not start:\n{self._output()}")
        except BaseException:
            self._end()
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _start(self) -> None:
        self.ports = dict(zip(self.port_names, free_ports(len(self.port_names)), strict=True))
        self._launch()

    def _launch(self) -> None:
        arguments = self.arguments()
        user = group = None
        if os.getuid() == 0:
            # Some refuse to run as root, and none needs to.
            nobody = pwd.getpwnam("nobody")
            user, group = nobody.pw_uid, nobody.pw_gid
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, user, group)
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [self._path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=user,
                group=group,
                extra_groups=None if user is None else (),
                cwd=self.folder,
            )

    def _wait_ready(self) -> bool:
        """Return True when every port accepts connections, False when the program ended."""
        assert self._process is not None
        while True:
            if all(map(_accepts, self.ports.values())):
                return True
            try:
                self._process.wait(timeout=0.01)
            except subprocess.TimeoutExpired:
                continue
            return False

    def _end(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.end_signal)
            try:
                self._process.wait(END_TIME)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder)

    def _output(self) -> str:
        return "\n".join(
            path.read_text(errors="replace")[-2000:]
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.suffix in ("", ".log")
        )


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that were free just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def _accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
