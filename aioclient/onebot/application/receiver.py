"""What the receivers have in common: implementations connect to them, by webhook or reverse WebSocket.

A request is refused before its body is read or the WebSocket is opened, if its token is wrong.
"""

import ssl as ssl_module
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from ...message.unset import UNSET, Unset
from ..actions import ActionRequest
from ..authorization import check_token
from ..bots import BotSelf
from ..events import Event
from ..server import Endpoint, Listening, Method, check_port, listen, mount
from .bots import KnownBots, RemoteBot
from .calls import META_ACTIONS, ActionCaller, Limit
from .client import checked_limit
from .events import EventIterator, EventStream
from .handlers import HandlerT
from .intake import Intake
from .websocket import CLOSE_LIMIT

ONEBOT_VERSION: Final = "12"


class Receiver(ActionCaller):
    """The base of ``WebhookReceiver`` and ``WebSocketReceiver``: listeners, bots, and the server."""

    def __init__(
        self,
        method: Method,
        *,
        access_token: str | None,
        host: str,
        port: int,
        path: str,
        ssl_context: ssl_module.SSLContext | None,
        timeout: float | None,
    ) -> None:
        self._host = host
        self._port = check_port(port)
        self._ssl_context = ssl_context
        self._limit = checked_limit(timeout)
        self._endpoint = Endpoint(
            method, path, self._answer, access_token=check_token(access_token)
        )
        self._stream = EventStream(lambda: self._label, self._carry_out)
        self._intake = Intake(self._stream)
        self._listening: Listening | None = None
        self._begun = False
        self._closed = False

    @property
    def _label(self) -> str:
        return f"{self._endpoint.method} {self._endpoint.path}"

    # State

    @property
    def port(self) -> int:
        """The port that it listens on, also if 0 was asked for; the given one if it does not listen by itself."""
        return self._port if self._listening is None else self._listening.port

    @property
    def bots(self) -> tuple[RemoteBot, ...]:
        """The bots that implementations have reported, or that events were about."""
        found: dict[BotSelf, RemoteBot] = {}
        for known in self._known():
            for bot in known:
                found[bot.self] = bot
        return tuple(found.values())

    def bot_of(self, event: Event) -> RemoteBot | None:
        """Return the bot that *event* is about; None if it is about none, or that is not known."""
        if event.self is None:
            bots = () if event.type == "meta" else self.bots
            return bots[0] if len(bots) == 1 else None
        return next((bot for bot in self.bots if bot.self == event.self), None)

    @abstractmethod
    def _known(self) -> Iterator[KnownBots]:
        """Return the bots of each implementation; the newest connection last."""

    # Listeners

    def events(self, *names: str) -> EventIterator:
        """Return an async iterator over the events from now on; see ``OneBotClient.events()``."""
        return self._stream.events(names)

    def on(self, *names: str) -> Callable[[HandlerT], HandlerT]:
        """Register a function that is called with each event and the bot it is about; see ``OneBotClient.on()``."""

        def register(function: HandlerT) -> HandlerT:
            return self._stream.on(names, function)

        return register

    async def wait_closed(self) -> None:
        """Wait until it is closed."""
        await self._stream.wait_until(lambda: self._stream.ended)

    # Actions

    async def perform(self, request: ActionRequest, *, timeout: Limit = UNSET) -> object:
        """Send *request* to the implementation of its bot, and return the data of the answer.

        See ``ActionCaller.perform()``; ``NotConnectedError`` is raised at once if no implementation has the bot.
        """
        limit = self._limit if isinstance(timeout, Unset) else checked_limit(timeout)
        return await self._perform(self._filled_in(request), limit)

    def _filled_in(self, request: ActionRequest) -> ActionRequest:
        if request.self is not None or request.action in META_ACTIONS:
            return request
        bots = self.bots
        if len(bots) != 1:
            return request
        return ActionRequest(request.action, request.params, bots[0].self, request.echo)

    @abstractmethod
    async def _perform(self, request: ActionRequest, limit: float | None) -> object:
        """Send *request*, and return the data of the answer."""

    async def _carry_out(self, bot: RemoteBot | None, request: ActionRequest) -> object:
        return await (self if bot is None else bot).perform(request)

    # From the beginning to the end

    def mount(self, app: web.Application) -> None:
        """Let *app* serve it at ``path``, from the application's start to its shutdown.

        Raises:
            RuntimeError: the application is running, or has a route there; or the receiver is in use.
        """
        self._begin_once()
        mount(app, self._endpoint)
        app.on_startup.append(self._start_mounted)
        app.on_shutdown.append(self._stop_mounted)
        # The only end that an application has which fails to start.
        app.cleanup_ctx.append(self._stop_at_last)

    async def _start_mounted(self, app: web.Application) -> None:
        await self._open()
        self._endpoint.is_open = True

    async def _stop_mounted(self, app: web.Application) -> None:
        await self.close()

    async def _stop_at_last(self, app: web.Application) -> AsyncIterator[None]:
        yield
        await self.close()

    async def __aenter__(self) -> Self:
        """Listen at ``host`` and ``port``.

        Raises:
            OSError: the address cannot be listened on.
            ValueError: something else is served there at this path.
        """
        self._begin_once()
        try:
            await self._open()
            self._listening = await listen(
                self._endpoint, self._host, self._port, ssl_context=self._ssl_context
            )
        except BaseException:
            await self.close()
            raise
        return self

    def _begin_once(self) -> None:
        if self._begun:
            raise RuntimeError(f"{self!r} can be entered or mounted once; make another one")
        self._begun = True

    async def _open(self) -> None:
        """Make what calls need."""

    async def close(self) -> None:
        """End the connections, fail the calls that wait, and cancel the handlers that run."""
        if self._closed:
            return
        self._closed = True
        self._endpoint.is_open = False
        async with AsyncExitStack() as stack:  # from the last one to the first
            stack.push_async_callback(self._release)
            if self._listening is not None:
                stack.push_async_callback(self._listening.close)
            else:
                stack.push_async_callback(self._endpoint.stop, CLOSE_LIMIT)
            stack.push_async_callback(self._stream.close)
            stack.push_async_callback(self._disconnect)

    async def _disconnect(self) -> None:
        """Close the connections."""

    async def _release(self) -> None:
        """Give up what ``_open()`` made."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @abstractmethod
    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request that may be made."""

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._endpoint.is_open else "not open"
        return f"<{type(self).__name__} {self._endpoint.path} {state}>"


def refused(
    status: int, reason: str, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Return the answer to a request that is refused for *reason*."""
    return web.Response(status=status, text=f"{reason}\n", headers=headers)


def of_bot(identity: BotSelf | None) -> str:
    """Return *identity* for the middle of a message."""
    return "" if identity is None else f" for {identity.platform}/{identity.user_id}"
