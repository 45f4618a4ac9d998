"""Redis as a process of its own, on a free port, with nothing written to disk."""

import os
from collections.abc import Sequence

from .daemon import Daemon


class Redis(Daemon):
    """A server without a password, for one test."""

    command = "redis-server"
    package = "redis-server"

    def arguments(self) -> Sequence[str | os.PathLike[str]]:
        port = str(self.ports["port"])
        return ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.ports['port']}/0"

    def stop(self) -> None:
        """End it, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Start it on the same port."""
        self._launch()
        assert self._wait_ready()
