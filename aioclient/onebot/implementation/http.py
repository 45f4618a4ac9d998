"""HTTP: applications post actions, and poll for events (OneBot 12, connect, "HTTP")."""

import asyncio
import ssl as ssl_module
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from aiohttp import hdrs, web

from ..actions import ActionRequest, ActionResponse
from ..bots import BotSelf
from ..encoding import Encoding, decode, encoding_of, supports
from ..errors import BadParam, BadRequest, OneBotError
from ..events import Event
from ..handlers import ActionHandler
from ..server import BodyError, read_body
from .answers import encoded
from .buffer import EventBuffer
from .connection import ServerConnection
from .outgoing import Outgoing

LONGEST_POLL: Final = 3600  # seconds; a poll that asks for more waits so long
LIVENESS: Final = 15.0  # seconds after which a poll looks whether its client is still there
POLL: Final = "get_latest_events"

_Buffer: TypeAlias = EventBuffer[dict[str, object]]


class HTTP(ServerConnection):
    """A server that carries out the actions that are posted to it.

    A body is JSON or MessagePack, as its ``Content-Type`` says, and so is the answer. Once the body is read the status
    is 200; what went wrong is in the response's ``retcode``.

    Args:
        event_enabled: whether applications may poll for events with ``get_latest_events``.
        event_buffer_size: how many events wait for that, the oldest being dropped; 0 for any number.
        access_token, host, port, path, ssl_context, bots: see ``ServerConnection``.
    """

    def __init__(
        self,
        *,
        access_token: str | None = None,
        host: str = "0.0.0.0",
        port: int = 8080,
        event_enabled: bool = True,
        event_buffer_size: int = 20,
        path: str = "/",
        ssl_context: ssl_module.SSLContext | None = None,
        bots: Iterable[BotSelf] | None = None,
    ) -> None:
        super().__init__(
            access_token=access_token,
            host=host,
            port=port,
            path=path,
            ssl_context=ssl_context,
            bots=bots,
        )
        buffer: _Buffer = EventBuffer(event_buffer_size)
        self.event_enabled = event_enabled
        self.event_buffer_size = event_buffer_size
        self.event_queue: _Buffer | None = buffer if event_enabled else None
        """The events that wait; None if events are not enabled."""
        self._pollers: deque[asyncio.Future[None]] = deque()  # those that wait, the first is next
        self._stopping = False
        if event_enabled:
            self.own_actions[POLL] = ActionHandler(POLL, self.action_get_latest_events)

    # Events

    def offer(self, outgoing: Outgoing) -> None:
        """Keep the event for the next poll, unless it is a meta event."""
        if self.event_queue is None or outgoing.event.type == "meta":
            return
        self.event_queue.put(outgoing.plain)
        self._wake_poller()

    async def emit_event(self, event: Event) -> None:
        """Keep *event* for the next poll, unless it is a meta event."""
        self.offer(Outgoing(event))

    async def action_get_latest_events(
        self, limit: int = 0, timeout: int = 0
    ) -> list[dict[str, object]]:
        """Return the waiting events, the oldest first, and remove them.

        Of several callers that wait, one gets the events.

        Args:
            limit: how many at most; 0 for all.
            timeout: seconds to wait for one, if there is none; 0 for not at all.

        Raises:
            BadParam: a number is negative.
        """
        return await self._latest_events(limit, timeout, lambda: True)

    async def _latest_events(
        self, limit: int, timeout: int, is_there: Callable[[], bool]
    ) -> list[dict[str, object]]:
        """As ``action_get_latest_events()``; without events when *is_there* says that the client has gone."""
        for name, value in (("limit", limit), ("timeout", timeout)):
            if value < 0:
                raise BadParam(message=f"{name}: expected 0 or more, found {value}")
        buffer = self.event_queue
        if buffer is None:
            return []
        clock = asyncio.get_running_loop().time
        end = clock() + min(timeout, LONGEST_POLL)
        has_turn = False
        # Those that wait already come first.
        while not (buffer and (has_turn or not self._pollers)) and not self._stopping:
            left = end - clock()
            if left <= 0 or not is_there():
                break
            has_turn = await self._wait_for_turn(min(left, LIVENESS))
            if has_turn:
                # The loop looks at the sockets meanwhile: a client that has gone is noticed.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        events = buffer.take(limit) if is_there() else []
        self._wake_poller()
        return events

    async def _wait_for_turn(self, limit: float) -> bool:
        """Wait until there are events for this poller; return False after *limit* seconds."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pollers.append(turn)
        try:
            async with asyncio.timeout(limit):
                await turn
        except TimeoutError:
            return turn.done() and not turn.cancelled()
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake_poller()
            raise
        finally:
            if turn in self._pollers:
                self._pollers.remove(turn)
        return True

    def _wake_poller(self) -> None:
        if not self.event_queue:
            return
        while self._pollers:
            turn = self._pollers.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    # Requests

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        encoding = encoding_of(request.headers.get(hdrs.CONTENT_TYPE))
        if encoding is None:
            return web.Response(
                status=415, text="expected Content-Type: application/json or application/msgpack\n"
            )
        if not supports(encoding):
            failure = BadRequest(message="MessagePack is not supported here")
            return _response(ActionResponse.failed(failure), Encoding.JSON)
        try:
            asked = ActionRequest.parse(decode(await read_body(request), encoding))
        except BadRequest as error:
            return _response(ActionResponse.failed(error, error.echo), encoding)
        except (BodyError, ValueError) as error:
            failure = BadRequest(message=str(error))
            return _response(ActionResponse.failed(failure), encoding)
        if asked.action == POLL and POLL in self.own_actions:
            return await self._poll(request, asked, encoding)
        return _response(await self.run_request(asked), encoding, asked.action)

    async def _poll(
        self, request: web.BaseRequest, asked: ActionRequest, encoding: Encoding
    ) -> web.StreamResponse:
        """Answer ``get_latest_events``; events that could not be sent are kept for the next poll."""

        def is_there() -> bool:
            transport = request.transport
            return transport is not None and not transport.is_closing()

        buffer = self.event_queue
        try:
            arguments = self.own_actions[POLL].arguments(asked.params)
            events = await self._latest_events(
                arguments.get("limit", 0),  # type: ignore[arg-type]  # checked to be an int
                arguments.get("timeout", 0),  # type: ignore[arg-type]
                is_there,
            )
        except OneBotError as error:
            return _response(ActionResponse.failed(error, asked.echo), encoding)
        # All of them, however large: each is as large as a message may be, and all were to be sent.
        body = encoded(ActionResponse.ok_with(events, asked.echo), encoding, POLL, limit=None)
        response = _with_body(body, encoding)
        try:
            if (transport := request.transport) is not None:
                transport.set_write_buffer_limits(high=0)  # drain() waits for all of it
            await response.prepare(request)
            await response.write_eof()
            await request.writer.drain()
            if not is_there():
                raise ConnectionResetError("the client went while it was answered")
        except BaseException:
            if buffer is not None and events:
                buffer.put_back(events)
                self._wake_poller()
            raise
        return response

    # The end

    async def start(self) -> None:
        """Listen."""
        self._stopping = False
        await super().start()

    async def stop(self, limit: float) -> None:
        """Answer the requests that run, the pollers with nothing, and stop listening."""
        self._stopping = True
        for turn in self._pollers:
            if not turn.done():
                turn.set_result(None)
        await super().stop(limit)


def _response(
    response: ActionResponse, encoding: Encoding, action: str | None = None
) -> web.Response:
    return _with_body(encoded(response, encoding, action), encoding)


def _with_body(body: bytes, encoding: Encoding) -> web.Response:
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: encoding.content_type})
