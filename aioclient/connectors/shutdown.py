"""The end of a connector: the open sockets, the wait for them, and the result of ``close()``."""

import asyncio
import os
import socket
from collections.abc import Coroutine, Generator
from typing import Any, Final
from weakref import WeakSet

from ..exceptions import ClientConnectionError
from ..message.request import Request
from ..protocols.connection import HttpConnection
from ..warning import warn_legacy

# Seconds for close_notify of TLS, of one connection and in close(); then it is aborted.
CLOSE_TIME: Final = 2.0
# The socket of a failed handshake is closed one or a few iterations of the event loop later; this is more than enough.
CLOSE_TURNS: Final = 100


class OpenSockets:
    """Everything that must end before a connector is closed.

    Attributes:
        closed: Whether the connector was closed: no more connections are made.
        draining: Whether responses may be read to their end although it was closed.
        connections: The connections with an open socket.
        dials: The time limits of connections being made; expiring one ends its dial.
        handshakes: Sockets that have no connection yet, including those of failed handshakes, until they are collected.
    """

    __slots__ = ("_all_gone", "closed", "connections", "dials", "draining", "handshakes")

    def __init__(self) -> None:
        self.closed: bool = False
        self.draining: bool = False
        self.connections: set[HttpConnection] = set()
        self.dials: set[asyncio.Timeout] = set()
        self.handshakes: WeakSet[socket.socket] = WeakSet()
        self._all_gone = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether requests that were accepted before may not be sent any more."""
        return self.closed and not self.draining

    @property
    def streams(self) -> int:
        """The exchanges on connections that carry several at a time."""
        return sum(len(each.under_way) for each in self.connections if each.carries_many)

    def check_open(self, request: Request) -> None:
        """Refuse *request* if the connector is closed, and does not drain.

        Raises:
            ClientConnectionError: it is.
        """
        if self.ended:
            raise closed_error(request)

    def discard(self, connection: HttpConnection) -> None:
        """Remove a connection whose socket is closed."""
        self.connections.discard(connection)
        self._note_end()

    def discard_dial(self, limit: asyncio.Timeout) -> None:
        """Remove a dial that has ended, by its time limit."""
        self.dials.discard(limit)
        self._note_end()

    def end_dials(self) -> None:
        """Let every dial fail now."""
        for limit in self.dials:
            if not limit.expired():
                limit.reschedule(-1)

    def end_connections(self) -> None:
        """Close idle connections and abort the others."""
        for connection in tuple(self.connections):
            connection.close() if connection.idle else connection.abort()

    def abort_tls(self) -> None:
        """Abort the connections with TLS."""
        for connection in tuple(self.connections):
            if connection.key.is_ssl:
                connection.abort()

    def abort(self) -> None:
        """Abort all connections, and stop waiting for dials that do not end."""
        for connection in tuple(self.connections):
            connection.abort()
        self.dials.clear()
        self._note_end()

    async def wait_drained(self) -> None:
        """Return when the last socket is closed, however long its response takes."""
        if self.connections or self.dials:
            await self._all_gone.wait()

    async def wait_closed(self, loop: asyncio.AbstractEventLoop, close_time: float) -> None:
        """Return when the last socket is closed; abort what is still open after *close_time* seconds."""
        timer = loop.call_later(close_time, self.abort)
        try:
            if self.connections or self.dials:
                await self._all_gone.wait()
            for _ in range(CLOSE_TURNS):
                if all(sock.fileno() < 0 for sock in self.handshakes):
                    break
                await asyncio.sleep(0)
        except BaseException:
            self.abort()
            raise
        finally:
            timer.cancel()

    def disown(self) -> None:
        """Close the file descriptors, in a forked process, and nothing else.

        The connections belong to the parent process, which still uses them: close_notify would end them there, and both
        share the event loop's selector. The numbers stay in use, so that no other file is closed by mistake. Responses
        that are not read are the parent's, too.
        """
        for connection in self.connections:
            connection.disown()
        nothing = os.open(os.devnull, os.O_RDWR)
        open_sockets = [
            each.transport.get_extra_info("socket") for each in self.connections if each.transport
        ]
        for sock in (*open_sockets, *self.handshakes):
            if sock is not None and sock.fileno() >= 0:
                os.dup2(nothing, sock.fileno(), inheritable=False)
        os.close(nothing)

    def _note_end(self) -> None:
        if self.closed and not self.connections and not self.dials:
            self._all_gone.set()


def closed_error(request: Request) -> ClientConnectionError:
    """Return the error for a request that a closed connector did not send."""
    return ClientConnectionError(f"{request.label}: not sent, the connector is closed")


# Tasks that nothing awaits; the event loop itself references tasks weakly.
_ends: "set[asyncio.Task[None]]" = set()


class Closing(Coroutine[Any, Any, None]):
    """The wait for the last socket of a connector that was closed.

    ``close()`` was not a coroutine in aiohttp 2. Code that does not await it also closes the connector, and gets a
    warning; the rest of the wait then runs in a task.
    """

    __slots__ = ("_begun", "_end")

    def __init__(self, end: Coroutine[Any, Any, None]) -> None:
        self._end = end
        self._begun = False

    def send(self, value: Any) -> Any:
        """Resume it (coroutine protocol)."""
        self._begun = True
        return self._end.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise inside it (coroutine protocol)."""
        self._begun = True
        return self._end.throw(*error)

    def close(self) -> None:
        """Stop waiting (coroutine protocol)."""
        self._begun = True
        self._end.close()

    def __await__(self) -> Generator[Any, None, None]:
        self._begun = True
        return self._end.__await__()

    def __del__(self) -> None:
        if self._begun:
            return
        try:
            task = asyncio.get_running_loop().create_task(self._end)
        except RuntimeError:
            self._end.close()
        else:
            _ends.add(task)
            task.add_done_callback(_ends.discard)
        warn_legacy("connector.close() without await", "write 'await connector.close()'")
