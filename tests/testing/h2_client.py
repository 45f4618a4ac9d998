"""A client of HTTP/2 on h2's state machine: independent of this project's codec and of its test server."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

Fields = Iterable[tuple[str, str]]


@dataclass
class Answer:
    """What came on a stream."""

    interim: list[dict[str, str]] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(dict(self.fields)[":status"])

    def value(self, name: str) -> str | None:
        return dict(self.fields).get(name)


class Client:
    """Sends requests, and reads until something is there."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.reader = reader
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.answers: dict[int, Answer] = {}
        self.events: list[Event] = []
        self.closed: int | None = None
        self.acknowledges = True
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def request(
        self,
        path: str = "/",
        *more: tuple[str, str],
        method: str = "GET",
        end: bool = True,
        protocol: str = "",
    ) -> int:
        """Send a request's head; return its stream."""
        stream_id = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "http"), (":authority", "a.test")]
        if protocol:
            fields.append((":protocol", protocol))
        self.h2.send_headers(stream_id, [*fields, (":path", path), *more], end_stream=end)
        self.answers[stream_id] = Answer()
        self.flush()
        return stream_id

    async def send(self, stream_id: int, data: bytes, *, end: bool = True) -> None:
        """Send a body as the windows allow."""
        while data:
            allowed = self.h2.local_flow_control_window(stream_id)
            if allowed:
                size = min(allowed, self.h2.max_outbound_frame_size, len(data))
                self.h2.send_data(stream_id, data[:size])
                data = data[size:]
                self.flush()
                await self.writer.drain()
            else:
                await self.read()
        if end:
            self.h2.end_stream(stream_id)
            self.flush()

    async def read(self) -> None:
        """Read a piece."""
        data = await self.reader.read(65_536)
        if not data:
            raise EOFError
        for event in self.h2.receive_data(data):
            self.events.append(event)
            self._take(event)
        self.flush()

    def _take(self, event: Any) -> None:
        match event:
            case InformationalResponseReceived():
                self.answers[event.stream_id].interim.append(dict(event.headers))
            case ResponseReceived():
                self.answers[event.stream_id].fields = list(event.headers)
            case DataReceived():
                self.answers[event.stream_id].body += event.data
                if self.acknowledges:
                    size = event.flow_controlled_length
                    self.h2.acknowledge_received_data(size, event.stream_id)
            case TrailersReceived():
                self.answers[event.stream_id].trailers = list(event.headers)
            case StreamEnded():
                self.answers[event.stream_id].ended = True
            case StreamReset():
                self.answers[event.stream_id].reset = event.error_code
            case ConnectionTerminated():
                self.closed = event.error_code

    async def answer(self, stream_id: int) -> Answer:
        """Read until the stream has ended."""
        answer = self.answers[stream_id]
        while not answer.ended and answer.reset is None:
            await self.read()
        return answer

    async def get(self, path: str = "/", *more: tuple[str, str], method: str = "GET") -> Answer:
        """Send a request without a body and return the answer."""
        return await self.answer(self.request(path, *more, method=method))


@contextlib.asynccontextmanager
async def connect(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    """Connect to a server on 127.0.0.1, aborted at the end."""
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
