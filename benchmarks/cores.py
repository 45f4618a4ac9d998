"""Which core the client runs on and which the server runs on."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """Core numbers to pin to; None means that this machine cannot pin, or has one core only."""

    client: int | None
    server: int | None

    @property
    def separate(self) -> bool:
        """Whether client and server have a core each."""
        return self.client is not None and self.client != self.server


def choose_cores() -> Cores:
    """Take the first two cores this process may use, the last one for the server."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None)
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return Cores(None, None)
    return Cores(client=usable[0], server=usable[1])


def pin(core: int | None) -> None:
    """Keep this process, and the threads and processes it starts from now on, on one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Pin for the time of the block, for the processes that are started in it."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    pin(core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
