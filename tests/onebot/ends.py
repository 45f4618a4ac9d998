"""Both ends of each transport: an implementation of ours, and an application of ours."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, TypeAlias

from aioclient import ReconnectPolicy, Retry
from aioclient.onebot import (
    HTTP,
    Connection,
    Encoding,
    HTTPWebhook,
    OneBotClient,
    OneBotImpl,
    WebhookReceiver,
    WebSocket,
    WebSocketReceiver,
    WebSocketReverse,
)
from aioclient.onebot.application.client import RECONNECT

from ..libraries.onebot.processes import free_port
from .applications import HOST

Transport: TypeAlias = Literal["http", "webhook", "websocket", "reverse"]
TRANSPORTS: tuple[Transport, ...] = ("http", "webhook", "websocket", "reverse")
RECEIVED: tuple[Transport, ...] = ("webhook", "reverse")
Application: TypeAlias = OneBotClient | WebhookReceiver | WebSocketReceiver

TOKEN = "s3cret"
AT_ONCE = ReconnectPolicy(
    initial=1e-6,
    max_delay=1e-6,
    close_codes=RECONNECT.close_codes,
    statuses=RECONNECT.statuses,
    errors=RECONNECT.errors,
)


class Ends:
    """How an implementation and an application reach each other; both can be made again, at the same addresses.

    For a webhook the application calls actions by HTTP.
    """

    def __init__(
        self, transport: Transport, encoding: Encoding, implementation_port: int, receiver_port: int
    ) -> None:
        self.transport = transport
        self._encoding = encoding
        self._where = {"host": HOST, "port": implementation_port}
        self._at = f"{HOST}:{implementation_port}"
        self._receiver_port = receiver_port
        self._receiver_at = f"{HOST}:{receiver_port}"

    @property
    def api(self) -> str:
        """Where the implementation takes actions by HTTP."""
        return f"http://{self._at}/"

    def connections(self, token: str = TOKEN, **options: Any) -> list[Connection]:
        """Return the connections of an implementation, the one that pushes last; *options* are for that one."""
        match self.transport:
            case "http":
                options = {"event_buffer_size": 0} | options
                return [HTTP(access_token=token, **self._where, **options)]
            case "websocket":
                options = {"enable_heartbeat": False} | options
                return [WebSocket(access_token=token, **self._where, **options)]
            case "webhook":
                http = HTTP(access_token=token, event_enabled=False, **self._where)
                return [http, self.pushing(token, **options)]
            case "reverse":
                return [self.pushing(token, **options)]

    def pushing(self, token: str = TOKEN, **options: Any) -> HTTPWebhook | WebSocketReverse:
        """Return a connection to the receiver."""
        if self.transport == "webhook":
            options = {"retry": again_at_once(), "timeout": 0} | options
            return HTTPWebhook(f"http://{self._receiver_at}/", access_token=token, **options)
        options = {"enable_heartbeat": False, "reconnect_interval": 1} | options
        return WebSocketReverse(f"ws://{self._receiver_at}/", access_token=token, **options)

    def application(self, token: str = TOKEN, **options: Any) -> Application:
        """Return an application."""
        options = {"access_token": token, "encoding": self._encoding, "timeout": None} | options
        match self.transport:
            case "http":
                return OneBotClient(self.api, reconnect=AT_ONCE, **options)
            case "websocket":
                return OneBotClient(f"ws://{self._at}/", reconnect=AT_ONCE, **options)
            case "webhook":
                options = {"api": self.api} | options
                return WebhookReceiver(host=HOST, port=self._receiver_port, **options)
            case "reverse":
                return WebSocketReceiver(host=HOST, port=self._receiver_port, **options)


async def met(app: Application, *impls: OneBotImpl) -> None:
    """Wait until *app* has the bots of *impls*, and they have its WebSockets; over HTTP nobody meets before a call."""
    for impl in impls:
        for connection in impl.conns:
            if isinstance(connection, HTTP):
                continue
            while isinstance(connection, WebSocket | WebSocketReverse) and not connection.peers:
                await asyncio.sleep(0)
            while {bot.self for bot in impl.bots.values()} - {bot.self for bot in app.bots}:
                await asyncio.sleep(0)


def again_at_once() -> Retry:
    """Return the policy of a webhook that waits hardly at all, and does not give up."""
    return Retry(
        100_000,
        backoff=1e-6,
        max_backoff=1e-3,
        statuses=range(500, 600),
        methods=("POST",),
        read_body=True,
        budget=None,
    )


@contextmanager
def ends(transport: Transport, encoding: Encoding = Encoding.JSON) -> Iterator[Ends]:
    """Give the ends of *transport*, with ports that nothing else gets meanwhile."""
    with ExitStack() as stack:
        ports = [stack.enter_context(free_port()) for _ in range(2)]
        yield Ends(transport, encoding, *ports)
