"""`RawServer` for tests that run over both protocols: the same script answers HTTP/2 where that is spoken.

A script sees connections of HTTP/1.1, each with one request at a time; over HTTP/2 these are made up, and a stream
takes one that is free, as a request does. What a script closes or resets is the stream, and before it has answered the
connection below. `connections` counts those.
"""

import asyncio
import logging
from typing import Any

from aioclient.testing import RawConnection
from aioclient.testing import RawServer as Http1Server
from aioclient.testing.h2_frames import PREFACE
from aioclient.testing.h2_streams import SETTINGS, Streams, StreamTransport
from aioclient.testing.raw_server import Script

from .. import spoken

logging.getLogger("hpack").setLevel(
    logging.INFO
)  # it logs what the server decodes, secrets included


class RawServer(Http1Server):
    """The same, for HTTP/2 too."""

    def __init__(self, script: Script, **more: Any) -> None:
        if more.get("ssl") is not None:
            if spoken.http2():
                more["ssl"].set_alpn_protocols(["h2", "http/1.1"])
        elif more.get("unix_path") is None:
            more["ssl"] = spoken.server_context()
        super().__init__(self._answer_either if spoken.http2() else script, **more)
        self.made_up = 0  # connections, over all of HTTP/2
        self._either = script
        self._both: set[_Scripted] = set()

    async def _answer_either(self, raw: RawConnection) -> None:
        if await _begins(raw, PREFACE):
            scripted = _Scripted(self, raw, self._either)
            self._both.add(scripted)
            try:
                await scripted.serve()
            finally:
                self._both.discard(scripted)
        else:
            await self._either(raw)

    @property
    def scripted_connections(self) -> list[RawConnection]:
        """The connections as the running scripts see them."""
        made_up = [conn for each in self._both for conn in each.connections]
        return made_up if spoken.http2() else self.open_connections

    def failed(self, failure: BaseException) -> None:
        """Note what a script raised."""
        self._failures.append(failure)


async def _begins(raw: RawConnection, begin: bytes) -> bool:
    """Tell whether that comes first."""
    first = raw._buffer
    while len(first) < len(begin) and begin.startswith(first):
        await raw._more()
    return first.startswith(begin)


class _MadeUp(RawConnection):
    """A connection as a script sees it, whose requests come on streams of *below*.

    Attributes:
        stream: The one that it answers; None between two.
    """

    def __init__(self, server: RawServer, streams: "_Scripted") -> None:
        super().__init__(server, server.made_up)
        server.made_up += 1
        self.begun = True
        self.stream: StreamTransport | None = None
        self._begins = True  # the next that is sent begins a response
        self._streams = streams
        self._below = streams.raw

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the next request."""
        super().connection_made(transport)
        assert isinstance(transport, StreamTransport)
        self.stream = transport
        self._begins = True

    @property
    def _unanswered(self) -> bool:
        return self.stream is not None and not self.stream.begun and not self.lost

    def send(self, data: bytes) -> None:
        if self._streams.ending:
            return
        begins, self._begins = self._begins, False
        if begins and self._unanswered and not b"HTTP/1".startswith(data[:6]):
            self._below.send(data)  # no response of HTTP/1.1: nonsense in either protocol
            return
        super().send(data)
        if self.stream is not None:
            self.stream.send_small()

    def close(self) -> None:
        if self._unanswered and self._below.transport.can_write_eof():
            self._streams.ending = True
            self._below.send_eof()  # what the client sends meanwhile would reset the connection otherwise
        elif self._unanswered:
            self._below.close()
        elif self.stream is not None:
            super().close()
        elif not self.lost:
            self.connection_lost(None)

    def abort(self) -> None:
        if self.stream is not None:
            super().abort()
        elif not self.lost:
            self.connection_lost(None)

    def reset(self) -> None:
        if self._unanswered:
            self._below.reset()
        else:
            self.abort()

    def send_eof(self) -> None:
        self.close()


class _Scripted(Streams):
    """One connection, and those that are made up on it, each with a script of its own."""

    def __init__(self, server: RawServer, raw: RawConnection, script: Script) -> None:
        super().__init__(raw, SETTINGS, self._next_free)
        self._server = server
        self._script = script
        self.ending = False  # nothing more is sent
        self._scripts: dict[asyncio.Task[None], _MadeUp] = {}

    @property
    def connections(self) -> list[_MadeUp]:
        """Those whose scripts run."""
        return list(self._scripts.values())

    def _next_free(self) -> _MadeUp:
        for conn in reversed(self._scripts.values()):
            if conn.stream is None and not conn.lost:
                return conn
        conn = _MadeUp(self._server, self)
        task = asyncio.get_running_loop().create_task(self._run(conn))
        self._scripts[task] = conn
        task.add_done_callback(self._scripts.pop)
        return conn

    async def _run(self, conn: RawConnection) -> None:
        try:
            await self._script(conn)
            conn.close()
            await conn.wait_lost()
        except (EOFError, ConnectionError):
            pass
        except Exception as failure:  # noqa: BLE001  (whatever it is, it fails the test)
            self._server.failed(failure)
        finally:
            conn.abort()

    def on_whole(self, exchange: StreamTransport) -> None:
        """Let the script's connection take another request."""
        conn = exchange.get_protocol()
        if isinstance(conn, _MadeUp) and conn.stream is exchange and not exchange.is_closing():
            conn.stream = None
            self.forget(exchange.stream_id)

    async def serve(self) -> None:
        """Serve until the client closes the connection; no script outlives it."""
        try:
            await super().serve()
        finally:
            for task, conn in self._scripts.items():
                if conn.stream is None and not conn.lost:
                    conn.connection_lost(None)
                task.cancel()
            if self._scripts:
                await asyncio.wait(self._scripts)
