"""The event loop and the process of a connector's sockets."""

import asyncio
import os
from typing import cast


class Binding:
    """The owner of a connector's sockets: *loop*, or with None the loop of the first session."""

    __slots__ = ("_pid", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self.loop = loop
        self._pid = os.getpid()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bind it to *loop* and to the current process."""
        self.loop = loop
        self._pid = os.getpid()

    @property
    def bound_loop(self) -> asyncio.AbstractEventLoop:
        """The loop, once it is known: nothing is sent before."""
        return cast(asyncio.AbstractEventLoop, self.loop)

    @property
    def is_forked(self) -> bool:
        """Whether this is a copy in a forked process, which does not own the sockets."""
        return os.getpid() != self._pid

    @property
    def is_elsewhere(self) -> bool:
        """Whether the event loop runs in another thread."""
        loop = self.loop
        if loop is None or self.is_forked or not loop.is_running():
            return False
        try:
            return asyncio.get_running_loop() is not loop
        except RuntimeError:
            return True

    @property
    def is_usable(self) -> bool:
        """Whether the event loop can still close sockets, and this process owns them."""
        return self.loop is not None and not self.loop.is_closed() and not self.is_forked
