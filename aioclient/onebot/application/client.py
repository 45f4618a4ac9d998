"""The client: an application that connects to an implementation, by HTTP or WebSocket."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self, cast

from yarl import URL

from ...exceptions import ClientError, InvalidURL, MissingExtraError, shown
from ...message.timeout import seconds
from ...message.unset import UNSET, Unset
from ...reconnecting import ReconnectPolicy
from ...session import ClientSession
from ..actions import ActionRequest
from ..authorization import check_token
from ..encoding import Encoding, encode
from ..events import Event, Status
from .answers import answered
from .bots import KnownBots, RemoteBot
from .calls import ActionCaller, Limit
from .errors import NotConnectedError
from .events import EventIterator, EventStream
from .handlers import HandlerT
from .http import HttpCalls, Polling
from .intake import Intake
from .websocket import REFUSALS, ForwardWebSocket

CALL_LIMIT: Final = 30.0  # seconds; NoneBot's
POLL_SECONDS: Final = 30

RECONNECT: Final = ReconnectPolicy(
    max_delay=30.0,
    close_codes=range(1000, 5000),
    statuses=frozenset(range(100, 600)).difference(REFUSALS),
    errors=(ClientError, ConnectionError, TimeoutError),
    fatal_errors=(*ReconnectPolicy.FATAL_ERRORS, InvalidURL, MissingExtraError),
)
"""An implementation may be restarted or replaced at any time: only a refused token, a certificate or an address that
is not allowed is final."""

_log = logging.getLogger("aioclient.onebot.application")


class OneBotClient(ActionCaller):
    """An application's connection to one implementation, which may have several bots.

    Use it as ``async with OneBotClient(url) as client``. The URL chooses the transport: with ``http`` and ``https``
    each action is a request, and events are fetched by long polling while somebody listens; with ``ws`` and ``wss``
    both go by one WebSocket, which is opened again whenever it ends. Entering does not wait for it; calls do.

    Args:
        url: where the implementation serves.
        access_token: the implementation's; sent in the ``Authorization`` field, and nowhere else.
        encoding: of actions; ``Encoding.MSGPACK`` needs ``aioclient[onebot]``, and the implementation's support.
        timeout: seconds for each call, the wait for a connection included; None for no limit.
        session: what sends requests and opens WebSockets; by default one that belongs to the client.
        reconnect: how long to wait for the next attempt after a failure, and which ones are final; by default all but
            a refused token, certificate or address are retried, after 1 to 30 s.
        poll_seconds: how long a request waits for events at the implementation, over HTTP; 0 to ask once a second.

    Raises:
        InvalidURL: *url* is not a URL of these schemes.
        MissingExtraError: the package for *encoding* is not installed.
        TypeError, ValueError: another argument is out of range.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        access_token: str | None = None,
        encoding: Encoding = Encoding.JSON,
        timeout: float | None = CALL_LIMIT,
        session: ClientSession | None = None,
        reconnect: ReconnectPolicy = RECONNECT,
        poll_seconds: int = POLL_SECONDS,
    ) -> None:
        self._url = checked_url(url, ("http", "https", "ws", "wss"))
        self._label = shown(self._url)
        self._token = check_token(access_token)
        encode({}, encoding)  # raises if the package is missing
        self._encoding = encoding
        self._limit = checked_limit(timeout)
        self._given_session = session
        self._policy = reconnect
        if isinstance(poll_seconds, bool) or not isinstance(cast(object, poll_seconds), int):
            raise TypeError(f"poll_seconds={poll_seconds!r}; the protocol has whole seconds")
        if poll_seconds < 0:
            raise ValueError(f"poll_seconds={poll_seconds}; give 0 or more")
        self._poll_seconds = poll_seconds
        self._known = KnownBots(self)
        self._stream = EventStream(lambda: self._label, self._carry_out)
        self._intake = Intake(self._stream)
        self._session: ClientSession | None = None
        self._http: HttpCalls | None = None
        self._ws: ForwardWebSocket | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    # State

    @property
    def bots(self) -> tuple[RemoteBot, ...]:
        """The bots that the implementation has reported, or that events were about.

        By WebSocket they are those of the current connection. By HTTP nothing is reported unasked: see
        ``get_status()``.
        """
        return tuple(self._known)

    def bot_of(self, event: Event) -> RemoteBot | None:
        """Return the bot that *event* is about; None if it is about none, or that is not known."""
        return None if event.type == "meta" else self._known.get(event.self)

    @property
    def is_connected(self) -> bool:
        """Whether a WebSocket is open; over HTTP, whether the client is."""
        if self._ws is not None:
            return self._ws.is_connected
        return self._http is not None and not self._closed

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    # Events

    def events(self, *names: str) -> EventIterator:
        """Return an async iterator over the events from now on.

        Each iterator gets all of them. Those that came before anybody listened are kept for the first listener, the
        newest 1,000. When 1,000 events wait in an iterator, no more are read, for at most 10 s at a time; then up to
        10,000 are kept, and the oldest dropped.

        Iterating raises what ended the events for good: ``TokenRefusedError``, or a ``WSReconnectError`` or other
        ``ClientError``.

        Args:
            names: ``"message"``, ``"message.private"``, or with a sub_type; none for all events.
        """
        iterator = self._stream.events(names)
        self._start_polling()
        return iterator

    def on(self, *names: str) -> Callable[[HandlerT], HandlerT]:
        """Register a function, plain or async, that is called with each event and the bot it is about.

        Handlers run beside each other, at most 100 at a time. What one raises is logged. It may return an
        ``ActionRequest`` or several, which are then carried out.

        Args:
            names: as for ``events()``.

        Raises:
            TypeError: the function does not take an event and a bot.
        """

        def register(function: HandlerT) -> HandlerT:
            self._stream.on(names, function)
            self._start_polling()
            return function

        return register

    async def wait_closed(self) -> None:
        """Wait until the client is closed, or has ended for good.

        Raises:
            TokenRefusedError, WSReconnectError, ClientError: what ended it, if it was not ``close()``.
        """
        await self._stream.wait_until(lambda: self._stream.ended)
        failure = self._stream.failure()
        if failure is not None:
            raise failure

    # Actions

    async def perform(self, request: ActionRequest, *, timeout: Limit = UNSET) -> object:
        """Send *request* and return the data of the answer; see ``ActionCaller.perform()``."""
        limit = self._limit if isinstance(timeout, Unset) else checked_limit(timeout)
        if self._closed:
            raise NotConnectedError(f"{self._label}: {request.action}: the client is closed")
        if self._ws is not None:
            return await self._ws.perform(request, limit)
        if self._http is not None:
            return await self._http.perform(self._known.fill_in(request), limit)
        raise RuntimeError(
            f"{self!r} is not open; use it as 'async with OneBotClient(...) as client'"
        )

    async def get_status(self, *, timeout: Limit = UNSET) -> Status:
        """Return the implementation's status, by the action of that name; ``bots`` are then those that it names."""
        data = await self.perform(ActionRequest("get_status", {}), timeout=timeout)
        self._known.replace(answered(data, "bots", list[object], "get_status"))
        answered(data, "good", bool, "get_status")
        return cast(Status, data)

    async def _carry_out(self, bot: RemoteBot | None, request: ActionRequest) -> object:
        return await (self if bot is None else bot).perform(request)

    # From the beginning to the end

    async def __aenter__(self) -> Self:
        if self._session is not None or self._closed:
            raise RuntimeError(f"{self!r} can be entered once; make another one")
        self._session = session = self._given_session or ClientSession()
        url = str(self._url)
        if self._url.scheme in ("ws", "wss"):
            self._ws = ForwardWebSocket(
                session,
                url,
                self._label,
                access_token=self._token,
                encoding=self._encoding,
                handshake_timeout=self._limit,
                policy=self._policy,
                intake=self._intake,
                bots=self._known,
            )
            self._task = asyncio.create_task(self._run(self._ws.run()), name=repr(self))
        else:
            self._http = HttpCalls(
                session, url, self._label, access_token=self._token, encoding=self._encoding
            )
            self._start_polling()
        return self

    def _start_polling(self) -> None:
        """Begin to fetch events if there is a listener now."""
        if self._http is None or self._task is not None or self._closed:
            return
        if not self._stream.is_listened_to:
            return
        polling = Polling(
            self._http,
            self._intake,
            self._known,
            seconds=self._poll_seconds,
            limit=self._limit,
            policy=self._policy,
        )
        self._task = asyncio.create_task(self._run(polling.run()), name=repr(self))

    async def _run(self, source: Any) -> None:
        """Run what brings events; when it fails, the events end with its error."""
        try:
            await source
        except Exception as error:  # noqa: BLE001  (listeners get it)
            _log.error("%s: no more events: %s", self._label, error)
            self._stream.end(error)
        finally:
            self._stream.end()

    async def close(self) -> None:
        """Close the connection, fail the calls that wait, and cancel the handlers that run."""
        if self._closed:
            return
        self._closed = True
        async with (
            AsyncExitStack() as stack
        ):  # from the last one to the first, also if one is cancelled
            if self._session is not None and self._given_session is None:
                stack.push_async_callback(self._session.close)
            stack.push_async_callback(self._stream.close)
            stack.push_async_callback(self._end_task)
            if self._ws is not None:
                stack.push_async_callback(self._ws.close)

    async def _end_task(self) -> None:
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "connected" if self.is_connected else "not connected"
        return f"<OneBotClient {self._label} {state}>"


def checked_url(url: str | URL, schemes: tuple[str, ...]) -> URL:
    """Return *url*, which must have one of *schemes*, as a URL.

    Raises:
        InvalidURL: it has not.
    """
    try:
        checked = URL(url)
    except (TypeError, ValueError) as error:
        raise InvalidURL(url, str(error)) from None
    if checked.scheme not in schemes or not checked.host:
        raise InvalidURL(shown(checked), f"give a URL that begins with {' or '.join(schemes)}")
    return checked


def checked_limit(timeout: float | None) -> float | None:
    """Return a time limit in seconds; None for none.

    Raises:
        TypeError, ValueError: it is not a number above 0.
    """
    return None if timeout is None else seconds("timeout", timeout)
