"""The receiver of HTTP webhooks."""

import asyncio
import contextlib
import logging
import ssl as ssl_module
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from aiohttp import hdrs, web
from yarl import URL

from ...exceptions import shown
from ...session import ClientSession
from ..actions import ActionRequest
from ..encoding import MAX_MESSAGE, Encoding, decode, encode, encoding_of
from ..events import Event, parse_event
from ..faults import is_fault
from ..server import BodyError, read_body
from .bots import KnownBots, RemoteBot
from .calls import META_ACTIONS, ActionCaller
from .client import CALL_LIMIT, checked_url
from .errors import NotConnectedError
from .http import HttpCalls
from .receiver import ONEBOT_VERSION, Receiver, of_bot, refused
from .websocket import encoded

ANSWER_LIMIT: Final = 4.0
"""Seconds for the handlers of a webhook's event: implementations wait 5 s for the answer by default."""
MOST_SOURCES: Final = 1_000
"""Names of implementations whose bots are remembered."""
MOST_QUEUED: Final = 1_000
"""Actions that wait for the next event of an implementation."""

_log = logging.getLogger("aioclient.onebot.application")


class _Source:
    """An implementation that sends webhooks: its bots, and the actions that its next answer takes along."""

    __slots__ = ("bots", "queue")

    def __init__(self, caller: ActionCaller) -> None:
        self.bots = KnownBots(caller)
        self.queue: deque[bytes] = deque(maxlen=MOST_QUEUED)


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
            return refused(400, "the X-Impl field is missing: it names the implementation")
        version = request.headers.get("X-OneBot-Version")
        if version != ONEBOT_VERSION:
            return refused(400, f"the X-OneBot-Version field must be {ONEBOT_VERSION}")
        if encoding_of(request.headers.get(hdrs.CONTENT_TYPE)) is not Encoding.JSON:
            return refused(415, f"an event is {Encoding.JSON.content_type}")
        try:
            body = await read_body(request)
            event = parse_event(decode(body, Encoding.JSON))
        except (BodyError, ValueError) as error:
            return refused(400, str(error))
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
            return refused(503, reason, {hdrs.RETRY_AFTER: "1"})
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
                    for action in answer.result():
                        _add(source, _for_bot(action, bot))
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
            TypeError, ValueError: its parameters cannot be encoded, or it is longer than implementations accept.
        """
        request = self._filled_in(request)
        sources = [
            source
            for source in self._sources.values()
            if request.self is None or request.self in source.bots
        ]
        if not sources or (request.self is None and len(sources) > 1):
            raise self._not_connected(request)
        sources[-1].queue.append(encoded(request, Encoding.JSON))

    async def _perform(self, request: ActionRequest, limit: float | None) -> object:
        url = self._api
        if isinstance(url, dict):
            url = None if request.self is None else url.get(request.self.user_id)
        if url is None:
            raise NotConnectedError(
                f"{self._label}: {request.action}: a webhook carries no answers, and api= has no address"
                f"{of_bot(request.self)}; give one, or return the action from a handler"
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
            f"{self._label}: {request.action}: no implementation has reported a bot{of_bot(request.self)}"
        )

    # From the beginning to the end

    async def _open(self) -> None:
        if self._api is not None:
            self._session = self._given_session or ClientSession()

    async def _release(self) -> None:
        if self._session is not None and self._given_session is None:
            await self._session.close()


def _add(source: _Source, request: ActionRequest) -> None:
    """Let the next answer take *request* along; if it cannot be sent, log that."""
    try:
        source.queue.append(encoded(request, Encoding.JSON))
    except BaseException as error:  # parameters may be values with methods of the user
        if not is_fault(error):
            raise
        _log.error("the action %.100r of a handler cannot be sent: %r", request.action, error)


def _with_actions(source: _Source) -> web.Response:
    """Return the answer with the actions that wait: as many as one message may have."""
    if not source.queue:
        return web.Response(status=204)
    parts: list[bytes] = []
    size = 2
    while source.queue:
        size += len(source.queue[0]) + 1
        if size > MAX_MESSAGE and parts:
            break
        parts.append(source.queue.popleft())
    return web.Response(
        body=b"[" + b",".join(parts) + b"]", content_type=Encoding.JSON.content_type
    )


def _for_bot(request: ActionRequest, bot: RemoteBot | None) -> ActionRequest:
    if bot is None or request.self is not None or request.action in META_ACTIONS:
        return request
    return ActionRequest(request.action, request.params, bot.self, request.echo)
