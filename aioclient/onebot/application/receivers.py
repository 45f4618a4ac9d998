"""Receivers: an application that implementations connect to, by webhook or reverse WebSocket.

A request is refused before its body is read or the WebSocket is opened, if its token is wrong.
"""

import asyncio
import contextlib
import ssl as ssl_module
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self, cast

from aiohttp import WSCloseCode, WSMessage, WSMsgType, hdrs, web
from yarl import URL

from ...exceptions import shown
from ...message.unset import UNSET, Unset
from ...session import ClientSession
from ..actions import ActionRequest
from ..authorization import check_token
from ..bots import BotSelf
from ..encoding import Encoding, decode, encode, encoding_of
from ..events import Event, parse_event
from ..server import (
    BodyError,
    Endpoint,
    Listening,
    Method,
    check_port,
    listen,
    mount,
    read_body,
)
from .bots import KnownBots, RemoteBot
from .calls import META_ACTIONS, ActionCaller, Limit
from .client import CALL_LIMIT, checked_limit, checked_url
from .errors import CallTimeoutError, NotConnectedError
from .events import EventIterator, EventStream
from .handlers import HandlerT
from .http import HttpCalls
from .intake import Intake
from .websocket import CLOSE_LIMIT, MAX_MESSAGE, ImplementationSocket

ONEBOT_VERSION: Final = "12"
FIRST_EVENT_LIMIT: Final = 10.0  # seconds for meta.connect
PING_INTERVAL: Final = 20.0  # seconds of silence, as of a client's WebSocket
ANSWER_LIMIT: Final = 4.0
"""Seconds for the handlers of a webhook's event: implementations wait 5 s for the answer by default."""
MOST_SOURCES: Final = 1_000
"""Names of implementations whose bots are remembered."""
MOST_QUEUED: Final = 1_000
"""Actions that wait for the next event of an implementation."""


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

    async def _start_mounted(self, app: web.Application) -> None:
        await self._open()
        self._endpoint.is_open = True

    async def _stop_mounted(self, app: web.Application) -> None:
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


# --- webhook --------------------------------------------------------------------------------------


class _Source:
    """An implementation that sends webhooks: its bots, and the actions that its next answer takes along."""

    __slots__ = ("bots", "queue")

    def __init__(self, caller: ActionCaller) -> None:
        self.bots = KnownBots(caller)
        self.queue: deque[ActionRequest] = deque(maxlen=MOST_QUEUED)


class WebhookReceiver(Receiver):
    """Receives the events of HTTP webhooks, from any number of implementations.

    Use it as ``async with WebhookReceiver(port=8080)``, or ``mount()`` it.

    An event is answered when its handlers have returned, after 4 s at the latest. The answer is 204, or 200 with the
    actions that they returned and that ``queue()`` got. The implementation carries these out and tells nobody how they
    ended; to call actions and get their answers, give *api*. An event that came before is answered and dropped. While
    1,000 events wait for their listeners the answer is 503, after 4 s, and an event may be sent again.

    Args:
        access_token: what implementations must send; None for nothing.
        host: the address to listen on.
        port: the port; 0 for any free one.
        path: where it is served.
        ssl_context: for TLS.
        api: where the implementation takes actions by HTTP, with the same token; or ``{user_id: url}``, if there are
            several.
        encoding: of actions to *api*.
        timeout: seconds for each of them.
        session: what sends them; by default one that belongs to the receiver.
    """

    def __init__(
        self,
        *,
        access_token: str | None = None,
        host: str = "127.0.0.1",
        port: int = 8080,
        path: str = "/",
        ssl_context: ssl_module.SSLContext | None = None,
        api: str | URL | Mapping[str, str | URL] | None = None,
        encoding: Encoding = Encoding.JSON,
        timeout: float | None = CALL_LIMIT,
        session: ClientSession | None = None,
    ) -> None:
        super().__init__(
            "POST",
            access_token=access_token,
            host=host,
            port=port,
            path=path,
            ssl_context=ssl_context,
            timeout=timeout,
        )
        schemes = ("http", "https")
        self._api: URL | dict[str, URL] | None = None
        if isinstance(api, Mapping):
            self._api = {user: checked_url(url, schemes) for user, url in api.items()}
        elif api is not None:
            self._api = checked_url(api, schemes)
        encode({}, encoding)  # raises if the package is missing
        self._encoding = encoding
        self._token = access_token
        self._given_session = session
        self._session: ClientSession | None = None
        self._calls: dict[URL, HttpCalls] = {}
        self._sources: dict[str, _Source] = {}

    def _known(self) -> Iterator[KnownBots]:
        return (source.bots for source in self._sources.values())

    # Events

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        name = request.headers.get("X-Impl", "")
        if not name:
            return _refused(400, "the X-Impl field is missing: it names the implementation")
        version = request.headers.get("X-OneBot-Version")
        if version != ONEBOT_VERSION:
            return _refused(400, f"the X-OneBot-Version field must be {ONEBOT_VERSION}")
        if encoding_of(request.headers.get(hdrs.CONTENT_TYPE)) is not Encoding.JSON:
            return _refused(415, f"an event is {Encoding.JSON.content_type}")
        try:
            body = await read_body(request)
            event = parse_event(decode(body, Encoding.JSON))
        except (BodyError, ValueError) as error:
            return _refused(400, str(error))
        return await self._taken(name, event, len(body))

    async def _taken(self, name: str, event: Event, size: int) -> web.StreamResponse:
        """Hand *event* to the listeners, and return the answer to it."""
        loop, stream = asyncio.get_running_loop(), self._stream
        until = loop.time() + ANSWER_LIMIT
        if not self._intake.came_before(name, event):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await stream.wait_until(lambda: stream.has_room or stream.ended)
        if self._intake.came_before(name, event):
            return web.Response(status=204)
        if stream.ended or not stream.has_room:
            reason = "closing" if stream.ended else "too many events wait"
            return _refused(503, reason, {hdrs.RETRY_AFTER: "1"})
        self._intake.is_new(name, event)
        source = self._source(name)
        bot = source.bots.learn(event)
        answers = stream.handlers.ask(event, bot, size)
        stream.put_to_iterators(event, bot, size)
        try:
            if answers:
                await asyncio.wait(answers, timeout=until - loop.time())
        finally:
            for answer in answers:
                if not answer.cancel():  # those that run on carry out what they return
                    source.queue.extend(_for_bot(action, bot) for action in answer.result())
        return _with_actions(source)

    def _source(self, name: str) -> _Source:
        source = self._sources.pop(name, None) or _Source(self)
        self._sources[name] = source  # now the newest
        if len(self._sources) > MOST_SOURCES:
            del self._sources[next(iter(self._sources))]
        return source

    # Actions

    def queue(self, request: ActionRequest) -> None:
        """Let the answer to the next event of the implementation carry *request*, which nobody answers.

        At most 1,000 wait for each implementation; then the oldest is dropped.

        Raises:
            NotConnectedError: no implementation has reported its bot; or it has none, and there are several.
        """
        request = self._filled_in(request)
        sources = [
            source
            for source in self._sources.values()
            if request.self is None or request.self in source.bots
        ]
        if not sources or (request.self is None and len(sources) > 1):
            raise self._not_connected(request)
        sources[-1].queue.append(request)

    async def _perform(self, request: ActionRequest, limit: float | None) -> object:
        url = self._api
        if isinstance(url, dict):
            url = None if request.self is None else url.get(request.self.user_id)
        if url is None:
            raise NotConnectedError(
                f"{self._label}: {request.action}: a webhook carries no answers, and api= has no address"
                f"{_of(request.self)}; give one, or return the action from a handler"
            )
        return await self._calls_to(url).perform(request, limit)

    def _calls_to(self, url: URL) -> HttpCalls:
        if self._session is None:
            raise RuntimeError(f"{self!r} is not open; enter it with 'async with', or mount it")
        if url not in self._calls:
            self._calls[url] = HttpCalls(
                self._session,
                str(url),
                shown(url),
                access_token=self._token,
                encoding=self._encoding,
            )
        return self._calls[url]

    async def _carry_out(self, bot: RemoteBot | None, request: ActionRequest) -> object:
        """Carry out what a handler returned too late for the answer to its event."""
        if self._api is not None:
            return await super()._carry_out(bot, request)
        self.queue(_for_bot(request, bot))
        return None

    def _not_connected(self, request: ActionRequest) -> NotConnectedError:
        return NotConnectedError(
            f"{self._label}: {request.action}: no implementation has reported a bot{_of(request.self)}"
        )

    # From the beginning to the end

    async def _open(self) -> None:
        if self._api is not None:
            self._session = self._given_session or ClientSession()

    async def _release(self) -> None:
        if self._session is not None and self._given_session is None:
            await self._session.close()


def _with_actions(source: _Source) -> web.Response:
    """Return the answer with the actions that wait: as many as one message may have."""
    if not source.queue:
        return web.Response(status=204)
    parts: list[bytes] = []
    size = 2
    while source.queue:
        part = encode(source.queue[0].to_dict(), Encoding.JSON)
        size += len(part) + 1
        if size > MAX_MESSAGE and parts:
            break
        source.queue.popleft()
        parts.append(part)
    return web.Response(
        body=b"[" + b",".join(parts) + b"]", content_type=Encoding.JSON.content_type
    )


def _refused(
    status: int, reason: str, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    return web.Response(status=status, text=f"{reason}\n", headers=headers)


def _for_bot(request: ActionRequest, bot: RemoteBot | None) -> ActionRequest:
    if bot is None or request.self is not None or request.action in META_ACTIONS:
        return request
    return ActionRequest(request.action, request.params, bot.self, request.echo)


def _of(identity: BotSelf | None) -> str:
    return "" if identity is None else f" for {identity.platform}/{identity.user_id}"


# --- reverse WebSocket ----------------------------------------------------------------------------


class WebSocketReceiver(Receiver):
    """Receives the reverse WebSockets of any number of implementations.

    Use it as ``async with WebSocketReceiver(port=8080)``, or ``mount()`` it. The first message of a WebSocket must be
    the event ``meta.connect``, else it is closed with 1008. An action goes to the newest connection that has reported
    its bot; ``NotConnectedError`` is raised at once if there is none.

    Args:
        access_token: what implementations must send; None for nothing.
        host: the address to listen on.
        port: the port; 0 for any free one.
        path: where it is served.
        ssl_context: for TLS.
        encoding: of actions; ``Encoding.MSGPACK`` needs ``aioclient[onebot]``, and the implementations' support.
        timeout: seconds for each call; None for no limit.
    """

    def __init__(
        self,
        *,
        access_token: str | None = None,
        host: str = "127.0.0.1",
        port: int = 8080,
        path: str = "/",
        ssl_context: ssl_module.SSLContext | None = None,
        encoding: Encoding = Encoding.JSON,
        timeout: float | None = CALL_LIMIT,
    ) -> None:
        super().__init__(
            "GET",
            access_token=access_token,
            host=host,
            port=port,
            path=path,
            ssl_context=ssl_context,
            timeout=timeout,
        )
        encode({}, encoding)  # raises if the package is missing
        self._encoding = encoding
        self._sockets: list[ImplementationSocket] = []
        self._open_ones: set[web.WebSocketResponse] = set()

    def _known(self) -> Iterator[KnownBots]:
        return (socket.bots for socket in self._sockets)

    @property
    def connections(self) -> int:
        """How many implementations are connected."""
        return len(self._sockets)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        offered = [
            name.strip()
            for field in request.headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, [])
            for name in field.split(",")
        ]
        chosen = [name for name in offered if name.startswith(f"{ONEBOT_VERSION}.")][:1]
        if offered and not chosen:
            return _refused(400, f"the subprotocol must begin with {ONEBOT_VERSION}.")
        ws = web.WebSocketResponse(
            protocols=chosen,
            heartbeat=PING_INTERVAL,
            timeout=CLOSE_LIMIT,
            compress=False,
            max_msg_size=MAX_MESSAGE,
        )
        await ws.prepare(request)
        self._open_ones.add(ws)
        try:
            await self._serve(ws, request.remote or "?")
        finally:
            self._open_ones.discard(ws)
        return ws

    async def _serve(self, ws: web.WebSocketResponse, remote: str) -> None:
        first = await self._first(ws)
        if first is None:
            await ws.close(
                code=WSCloseCode.POLICY_VIOLATION, message=b"the first event must be meta.connect"
            )
            return
        message, connect = first
        version = connect.to_dict().get("version")
        name = version.get("impl") if isinstance(version, dict) else None
        source = name if isinstance(name, str) else ""
        socket = ImplementationSocket(
            ws,
            f"{source[:100]!r} at {remote}",
            self._encoding,
            self._intake,
            KnownBots(self),
        )
        socket.source = source
        self._sockets.append(socket)
        try:
            await socket.take(message)
            await socket.serve()
        finally:
            self._sockets.remove(socket)
            socket.bots.clear()

    async def _first(self, ws: web.WebSocketResponse) -> tuple[WSMessage, Event] | None:
        """Return the first message and its event, if that is meta.connect."""
        try:
            message: WSMessage = await ws.receive(FIRST_EVENT_LIMIT)
        except TimeoutError:
            return None
        if message.type is not WSMsgType.TEXT:
            return None
        try:
            event = parse_event(decode(message.data, Encoding.JSON))
        except ValueError:
            return None
        return (message, event) if (event.type, event.detail_type) == ("meta", "connect") else None

    # Actions

    async def _perform(self, request: ActionRequest, limit: float | None) -> object:
        socket = self._socket_for(request)
        try:
            async with asyncio.timeout(limit) as scope:
                return await socket.perform(request)
        except TimeoutError:
            if not scope.expired():
                raise
            raise CallTimeoutError(
                socket.label, request.action, cast(float, limit), "no answer came"
            ) from None

    def _socket_for(self, request: ActionRequest) -> ImplementationSocket:
        if request.self is not None:
            for socket in reversed(self._sockets):
                if request.self in socket.bots:
                    return socket
        if len(self._sockets) == 1:
            return self._sockets[0]  # it may have bots that it did not report
        if not self._sockets:
            raise NotConnectedError(
                f"{self._label}: {request.action}: no implementation is connected"
            )
        found = ", ".join(f"{bot.platform}/{bot.user_id}" for bot in self.bots) or "none"
        raise NotConnectedError(
            f"{self._label}: {request.action}: no implementation has a bot{_of(request.self)}; "
            f"give self= a bot of these: {found}"
        )

    # The end

    async def _disconnect(self) -> None:
        for socket in self._sockets:
            socket.end("the receiver was closed")
        if self._open_ones:
            closing = [
                asyncio.ensure_future(ws.close(code=WSCloseCode.GOING_AWAY))
                for ws in self._open_ones
            ]
            try:
                await asyncio.wait(closing)
            finally:
                for task in closing:
                    task.cancel()
