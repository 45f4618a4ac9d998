"""A protocol of our own that carries many exchanges on one socket, as HTTP/2 will: a second user of the seam.

A request is the line ``number target``. What comes back are lines ``number head``, ``number data text``,
``number end`` and ``number reset``, of all exchanges mixed.
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar, cast
from weakref import ref

from aiohttp import HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy

from aioclient import (
    ClientConnectionError,
    ClientError,
    ClientResponse,
    Request,
    ServerDisconnectedError,
)
from aioclient.exchange import ALL, NOTHING, Exchange
from aioclient.message.origin import ConnectionKey
from aioclient.protocols.connection import HttpConnection, Owner
from aioclient.response.lease import Connection
from aioclient.response.stream import StreamReader

NO_FIELDS: "CIMultiDictProxy[str]" = CIMultiDictProxy(CIMultiDict())


class _Carried:
    """One exchange: the wait for its response, then the stream of its body. It is paused alone."""

    def __init__(
        self,
        connection: "ManyConnection",
        exchange: Exchange,
        waiter: "asyncio.Future[ClientResponse]",
    ) -> None:
        self.connection = connection
        self.exchange = exchange
        self.waiter = waiter
        self.stream: StreamReader | None = None
        self.lease: ref[Connection] | None = None
        self.paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        self.connection.cancel(self.exchange)


class ManyConnection(asyncio.Protocol):
    """An ``HttpConnection`` with room for *most* exchanges."""

    carries_many: ClassVar[bool] = True

    def __init__(self, owner: Owner, key: ConnectionKey, most: int = 100) -> None:
        self.key = key
        self.opened = False
        self.exchanges = 0
        self.most = most
        self.transport: asyncio.Transport | None = None
        self.sent: list[str] = []
        self._owner = owner
        self._carried: dict[int, _Carried] = {}
        self._numbers = 0
        self._reserved = 0
        self._rest = b""
        self._retired = False
        self._ended = False
        self._heard = 0.0

    # The seam

    @property
    def room(self) -> int:
        if self._retired or self.broken:
            return 0
        return max(0, self.most - len(self._carried) - self._reserved)

    def reserve(self) -> None:
        assert self.room
        self._reserved += 1

    def outgoing(self, exchange: Exchange) -> "CIMultiDict[str]":
        return CIMultiDict(exchange.request.headers)

    def begin(self, exchange: Exchange) -> "asyncio.Future[ClientResponse]":
        assert self._reserved or not self._carried
        self._reserved = max(0, self._reserved - 1)
        if self.broken:
            raise self.early_end(exchange.request)
        was_idle = not self._carried
        exchange.reused = self._numbers != 0
        exchange.sent = ALL
        self._numbers += 1
        waiter: asyncio.Future[ClientResponse] = asyncio.get_running_loop().create_future()
        self._carried[self._numbers] = _Carried(self, exchange, waiter)
        self._write(f"{self._numbers} {exchange.request.url.path}")
        if was_idle:
            self._owner.room_changed(self)
        return waiter

    def cancel(self, exchange: Exchange) -> None:
        if exchange.sent is NOTHING:
            self._reserved = max(0, self._reserved - 1)
            self._settle()
            return
        for number, carried in self._carried.items():
            if carried.exchange is exchange:
                self._write(f"{number} reset")
                carried.waiter.cancel()
                self._drop(number, ClientConnectionError("reset"))
                return

    def release(self, exchange: Exchange) -> None:
        self.cancel(exchange)

    async def wait_sent(self, exchange: Exchange) -> None:
        return

    @property
    def idle(self) -> bool:
        return not self._carried and not self._reserved

    @property
    def under_way(self) -> tuple[Exchange, ...]:
        return tuple(carried.exchange for carried in self._carried.values())

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def broken(self) -> bool:
        return self._ended or self.transport is None or self.transport.is_closing()

    @property
    def gone(self) -> bool:
        return self.transport is None

    def has_input(self) -> bool:
        return self.broken

    def retire(self) -> None:
        self._retired = True
        self._owner.connection_closed(self)
        self.opened = False
        self._settle()

    def close(self) -> None:
        self._end(ClientConnectionError("closed"))
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        self._end(ClientConnectionError("aborted"))
        if self.transport is not None:
            self.transport.abort()

    def early_end(self, request: Request) -> ClientError:
        return ServerDisconnectedError("it ended before")

    def take_over(self, exchange: Exchange) -> None:
        return None

    @property
    def last_activity(self) -> float:
        return self._heard

    @property
    def idle_time(self) -> int | None:
        return None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    # What arrives

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._owner.connection_made(self)

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            number, kind, text = (line.decode() + " ").split(" ", 2)
            self._take(int(number), kind, text.rstrip(" "))

    def _take(self, number: int, kind: str, text: str) -> None:
        if kind == "most":
            self.most = int(text)
            self._owner.room_changed(self)
            return
        carried = self._carried.get(number)
        if carried is None:
            return  # it was reset here
        exchange = carried.exchange
        exchange.got_bytes = True
        if kind == "head":
            exchange.answered = self._heard
            stream = carried.stream = StreamReader(carried, loop=self.loop, limit=1024)
            lease = Connection(self, exchange)
            carried.lease = ref(lease)
            exchange.lease = ref(lease)
            response = exchange.request.options.response_class(
                exchange, HttpVersion11, 200, "OK", NO_FIELDS, NO_FIELDS, None, stream, lease
            )
            if not carried.waiter.done():
                carried.waiter.set_result(response)
        elif kind == "data":
            assert carried.stream is not None
            carried.stream.feed_data(text.encode())
        elif kind == "reset":
            self._drop(number, ServerDisconnectedError("reset by the server"))
        else:
            assert carried.stream is not None
            exchange.ended = self._heard
            carried.stream.feed_eof()
            self._drop(number, None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(ServerDisconnectedError("the connection was lost"))
        self.transport = None
        self._owner.connection_gone(self)

    # Ends

    def _drop(self, number: int, error: Exception | None) -> None:
        carried = self._carried.pop(number)
        lease = None if carried.lease is None else carried.lease()
        if lease is not None:
            lease.end()
        if error is not None:
            if not carried.waiter.done():
                carried.waiter.set_exception(error)
            elif carried.stream is not None:
                carried.stream.set_exception(error)
        self.exchanges += 1
        self._settle()

    def _settle(self) -> None:
        if self._ended:
            return
        if not self.idle:
            self._owner.room_changed(self)
        elif self._retired:
            self.close()
        else:
            self._owner.connection_idle(self)

    def _end(self, error: Exception) -> None:
        if self._ended:
            return
        self._ended = True
        for number in tuple(self._carried):
            self._drop(number, error)
        self._owner.connection_closed(self)

    def _write(self, line: str) -> None:
        self.sent.append(line)
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(line.encode() + b"\n")


# What a connector's dialler takes for a protocol; mypy holds the class against the seam here.
Make = Callable[[ConnectionKey], HttpConnection]


def maker(owner: Owner, made: list[ManyConnection], most: int = 100) -> Make:
    """Return what makes connections that report to *owner*, and notes them in *made*."""

    def make(key: ConnectionKey) -> HttpConnection:
        connection = ManyConnection(owner, key, most)
        made.append(connection)
        return connection

    return make
