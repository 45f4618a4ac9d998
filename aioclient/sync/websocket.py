"""A WebSocket for blocking code."""

import json as json_module
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from aiohttp import WSMessage, WSMsgType

from ..websocket import ClientWebSocketResponse
from .portal import PORTAL

T = TypeVar("T")

_ENDS: Final = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)


class WebSocket:
    """An open WebSocket: ``with session.ws_connect(url) as ws``, then ``ws.send_str()`` and ``for message in ws``.

    Pings are answered whether or not somebody receives. Several threads may send; one may receive.
    """

    __slots__ = ("__weakref__", "_home", "_session", "_ws")

    def __init__(self, ws: ClientWebSocketResponse, session: object) -> None:
        self._ws = ws
        self._home = PORTAL.loop
        self._session = session  # when it is dropped, its WebSockets are closed

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return PORTAL.run(coroutine, home=self._home)

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent or received any more."""
        return self._ws.closed

    @property
    def close_code(self) -> int | None:
        """The code of the peer's close frame; 1006 when the connection was lost; None while open."""
        return self._ws.close_code

    @property
    def protocol(self) -> str | None:
        """The subprotocol that the server chose."""
        return self._ws.protocol

    def send_str(self, data: str, compress: int | None = None) -> None:
        """Send a text message; wait while the peer does not read."""
        self._run(self._ws.send_str(data, compress))

    def send_bytes(self, data: bytes, compress: int | None = None) -> None:
        """Send a binary message."""
        self._run(self._ws.send_bytes(data, compress))

    def send_json(
        self,
        data: Any,
        compress: int | None = None,
        *,
        dumps: Callable[[Any], str] = json_module.dumps,
    ) -> None:
        """Send *data* as JSON text."""
        self._run(self._ws.send_str(dumps(data), compress))

    def ping(self, message: bytes = b"") -> None:
        """Send a ping."""
        self._run(self._ws.ping(message))

    def receive(self, timeout: float | None = None) -> WSMessage:
        """Return the next message; after the last one its type tells the end.

        Raises:
            WSReceiveTimeoutError: none came within *timeout* seconds; the WebSocket stays open.
        """
        return self._run(self._ws.receive(timeout))

    def receive_str(self, *, timeout: float | None = None) -> str:
        """Return the next message, which must be text."""
        return self._run(self._ws.receive_str(timeout=timeout))

    def receive_bytes(self, *, timeout: float | None = None) -> bytes:
        """Return the next message, which must be binary."""
        return self._run(self._ws.receive_bytes(timeout=timeout))

    def receive_json(
        self, *, loads: Callable[[Any], Any] = json_module.loads, timeout: float | None = None
    ) -> Any:
        """Return what *loads* makes of the next message, which must be text."""
        return loads(self.receive_str(timeout=timeout))

    def __iter__(self) -> Iterator[WSMessage]:
        while (message := self.receive()).type not in _ENDS:
            yield message

    def close(self, *, code: int = 1000, message: bytes = b"") -> bool:
        """Close it, and wait for the peer's close frame; return whether this call closed it."""
        if self._home is not PORTAL.loop:
            return False  # in a forked process: it is the parent's
        return self._run(self._ws.close(code=code, message=message))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<WebSocket {'closed' if self.closed else 'open'}>"
