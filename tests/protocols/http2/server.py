"""A server made of h2, with a socket: it says what a test wants, by path."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import h2.config
import h2.connection
import h2.events


class Peer(asyncio.Protocol):
    """One connection of the server."""

    def __init__(self, server: "H2Server") -> None:
        self.server = server
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self.h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: server.max_streams},
        )
        self.requests: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.resets: dict[int, int] = {}
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self.server.gone.set()

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self.requests[event.stream_id] = dict(event.headers)
                self.bodies[event.stream_id] = b""
                self.server.heard(self, event.stream_id, "head")
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.server.heard(self, event.stream_id, "end")
            elif isinstance(event, h2.events.StreamReset):
                self.resets[event.stream_id] = int(event.error_code)
        self.flush()

    def answer(
        self, stream_id: int, body: bytes = b"ok", *, end: bool = True, **fields: str
    ) -> None:
        more = [(name.replace("_", "-"), value) for name, value in fields.items()]
        self.h2.send_headers(stream_id, [(":status", "200"), *more])
        self.h2.send_data(stream_id, body, end_stream=end)
        self.flush()


class H2Server:
    """It answers `/echo` with the body it got, `/silent` never, and the rest as *paths* says."""

    def __init__(self, max_streams: int = 100, **paths: Callable[[Peer, int], None]) -> None:
        self.max_streams = max_streams
        self.paths = paths
        self.peers: list[Peer] = []
        self.seen: list[str] = []
        self.gone = asyncio.Event()

    def heard(self, peer: Peer, stream_id: int, what: str) -> None:
        path = peer.requests[stream_id][":path"]
        early = path.startswith("/early")
        if what == "head":
            self.seen.append(path)
        if (what == "head") is not early or path == "/silent":
            return
        name = path.strip("/").partition("?")[0].replace("-", "_")
        if name in self.paths:
            self.paths[name](peer, stream_id)
        else:
            peer.answer(
                stream_id, peer.bodies[stream_id] if path.startswith("/echo") else path.encode()
            )

    async def __aenter__(self) -> Self:
        def make() -> Peer:
            self.peers.append(Peer(self))
            return self.peers[-1]

        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(make, "127.0.0.1", 0)
        self.port: int = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.close()
        for peer in self.peers:
            peer.transport.abort()
        while not all(peer.closed for peer in self.peers):
            await asyncio.sleep(0)
