"""HTTP webhook: events are posted to an application (OneBot 12, connect, "HTTP webhook")."""

import asyncio
import ssl as ssl_module
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import hdrs

from ...connectors import TCPConnector
from ...cookies import DummyCookieJar
from ...exceptions import ClientError
from ...message.excerpt import beginning
from ...message.timeout import ClientTimeout
from ...middlewares.retry import Retried, Retry
from ...response.client_response import ClientResponse
from ...session import ClientSession
from ..bots import BotSelf
from ..encoding import MAX_MESSAGE, Encoding, decode, encoding_of
from ..events import Event, MetaHeartbeatEvent, MetaStatusUpdateEvent
from .connection import HEARTBEAT, QUEUE, ClientConnection
from .dispatcher import log
from .outbox import Outbox
from .outgoing import Outgoing
from .websocket import check_heartbeat

TIMEOUT: Final = 5000  # milliseconds for an answer; pylibob's default
ATTEMPTS: Final = 10  # of one event: over two minutes, in which a peer can be started again
PATIENCE: Final = 10.0  # seconds that emit() waits for room
ANSWERS: Final = 100  # answers whose actions wait


@dataclass(frozen=True, slots=True)
class _Answer:
    """The actions of an answer, and the bytes of its body."""

    actions: list[object]
    size: int

    def __len__(self) -> int:
        return self.size


class HTTPWebhook(ClientConnection):
    """Posts each event to a URL, one after another.

    Up to 1,000 events wait. When there is no room, ``emit()`` waits, for ten seconds at most. After that, and after an
    event that could not be delivered, the oldest events are dropped, with a line in the log, until one is delivered.
    Connection errors and answers with 500 to 599 are retried. An answer with 200 may contain actions, which are carried
    out in order.

    Args:
        url: ``http://`` or ``https://``.
        timeout: milliseconds for an answer; 0 for no limit.
        enable_heartbeat: whether ``meta.heartbeat`` events are posted.
        heartbeat_interval: milliseconds between them.
        retry: what is tried again, and how often; by default ten times, with waits of up to 30 s.
        access_token, ssl_context, bots: see ``ClientConnection``.

    Raises:
        ValueError: *timeout* or *heartbeat_interval* is out of range, or *url* is no such URL.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("http", "https")

    def __init__(
        self,
        url: str,
        *,
        access_token: str | None = None,
        timeout: int = TIMEOUT,
        enable_heartbeat: bool = False,
        heartbeat_interval: int = HEARTBEAT,
        retry: Retry | None = None,
        ssl_context: ssl_module.SSLContext | None = None,
        bots: Iterable[BotSelf] | None = None,
    ) -> None:
        super().__init__(url, access_token=access_token, ssl_context=ssl_context, bots=bots)
        if not timeout >= 0:
            raise ValueError(f"timeout={timeout}; give milliseconds, or 0 for no limit")
        self.timeout = timeout
        self._limit = timeout / 1000 or None  # seconds
        self.enable_heartbeat = enable_heartbeat
        self.heartbeat_interval = heartbeat_interval
        self._heartbeat = check_heartbeat(enable_heartbeat, heartbeat_interval)
        self._retry = retry
        self._outbox: Outbox[Outgoing] = Outbox(QUEUE)
        self._outbox.close()
        self._answers: Outbox[_Answer] = Outbox(ANSWERS)
        self._failing = False
        self._next_heartbeat: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # Events

    def offer(self, outgoing: Outgoing) -> Coroutine[Any, Any, None] | None:
        """Queue an event; see ``Connection.offer()``."""
        dropped = self._outbox.dropped
        if not self._outbox.put_nowait(outgoing):
            return self._wait_for_room(outgoing)
        if self._outbox.dropped == dropped:
            return None
        self._report_drops(dropped)
        # A program that emits and emits would keep the event loop from delivering.
        return asyncio.sleep(0)

    async def _wait_for_room(self, outgoing: Outgoing) -> None:
        dropped = self._outbox.dropped
        try:
            async with asyncio.timeout(PATIENCE):
                await self._outbox.put(outgoing)
        except TimeoutError:
            self._outbox.drops = True
            self._outbox.put_nowait(outgoing)
        self._report_drops(dropped)

    def _report_drops(self, before: int) -> None:
        if (count := self._outbox.dropped - before) > 0:
            log.warning(
                "%s: the oldest of %d waiting events dropped (%d so far)",
                self.label,
                QUEUE + count,
                self._outbox.dropped,
            )

    async def emit_event(self, event: Event) -> None:
        """Queue *event*; wait for room first if there is none and the application answers."""
        waiting = self.offer(Outgoing(event))
        if waiting is not None:
            await waiting

    async def update_status(self) -> None:
        """Queue the current status."""
        await self.emit_event(MetaStatusUpdateEvent(status=self.impl.status_of(self)))

    def _send_heartbeat(self) -> None:
        interval = self._heartbeat
        if interval is None or self._outbox.closed:
            return
        if not self._failing:
            # To an application that fails it would only be in the way.
            self._outbox.put_nowait(Outgoing(MetaHeartbeatEvent(interval=self.heartbeat_interval)))
        loop = asyncio.get_running_loop()
        self._next_heartbeat = loop.call_later(interval, self._send_heartbeat)

    # Posting

    def _headers(self) -> dict[str, str]:
        return {
            **super()._headers(),
            hdrs.CONTENT_TYPE: Encoding.JSON.content_type,
            "X-OneBot-Version": self.impl.onebot_version,
            "X-Impl": self.impl.name,
        }

    def _make_retry(self) -> Retry:
        return Retry(
            ATTEMPTS,
            timeout=self._limit,
            backoff=0.5,
            jitter="equal",
            statuses=range(500, 600),
            methods=("POST",),  # the event's id tells the application that it has it already
            read_body=True,
            budget=None,  # all of the traffic is for this one target
            on_change=self._note_failure,
        )

    def _note_failure(self, retried: Retried) -> None:
        if not self._failing:
            self._failing = True
            log.warning("%s: %s; trying again", self.label, retried.attempt)

    async def _deliver(self) -> None:
        """Post the events, one after another, until the outbox is closed and empty."""
        retry = self._retry if self._retry is not None else self._make_retry()
        async with ClientSession(
            connector=TCPConnector(ssl=self._ssl),
            headers=self._headers(),
            cookie_jar=DummyCookieJar(),
            # For a policy of the user's that has no limit for an attempt.
            timeout=ClientTimeout(total=None, connect=self._limit, sock_read=self._limit),
            middlewares=[retry],
        ) as session:
            while (outgoing := await self._outbox.get()) is not None:
                try:
                    await self._post(session, outgoing)
                except (ClientError, OSError, TimeoutError) as error:
                    self._give_up(outgoing, str(error) or repr(error))

    async def _post(self, session: ClientSession, outgoing: Outgoing) -> None:
        async with session.post(
            self.url,
            data=outgoing.body,
            allow_redirects=False,  # the token must not travel
        ) as response:
            status = response.status
            if status not in (200, 204):
                hint = "; is the access_token right?" if status in (401, 403) else ""
                self._give_up(outgoing, f"answered with {status}{hint}")
                return
            self._failing = self._outbox.drops = False
            if status == 200:
                answer = await self._actions_of(response)
                if answer is not None:
                    await self._answers.put(answer)

    def _give_up(self, outgoing: Outgoing, how: str) -> None:
        """Drop an event that cannot be delivered, and let nobody wait for room until another one is."""
        before = self._outbox.dropped
        self._outbox.drops = True
        self._report_drops(before)
        event = outgoing.event
        log.error(
            "%s: event %s (%s.%s) was not delivered: %s",
            self.label,
            event.id,
            event.type,
            event.detail_type,
            how,
        )

    # Answers

    async def _actions_of(self, response: ClientResponse) -> _Answer | None:
        """Return the actions in an answer with status 200; None, with a line in the log, if they cannot be read."""
        encoding = encoding_of(response.headers.get(hdrs.CONTENT_TYPE))
        try:
            body = await self._body_of(response)
            if not body:
                return None
            if encoding is None:
                raise ValueError(
                    "its Content-Type is neither application/json nor application/msgpack"
                )
            actions = decode(body, encoding)
            if not isinstance(actions, list):
                raise ValueError(f"it is no list of actions, but {type(actions).__name__}")
        except (ValueError, ClientError) as error:
            log.error("%s: the answer to an event cannot be used: %s", self.label, error)
            return None
        return _Answer(actions, len(body))

    async def _body_of(self, response: ClientResponse) -> bytes:
        """Return the body of *response*.

        Raises:
            ValueError: it is larger than 4 MiB, or takes longer than ``timeout``.
            ClientError: it ends early or is broken.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(self._limit) as scope:
                async for piece in response.content.iter_any():
                    body += piece
                    if len(body) > MAX_MESSAGE:
                        raise ValueError(f"it is larger than {MAX_MESSAGE} bytes")
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise ValueError(f"it took longer than timeout={self.timeout} ms") from error
        return bytes(body)

    async def _act(self) -> None:
        """Carry out the actions of answers, one after another, until there are no more."""
        while (answer := await self._answers.get()) is not None:
            for action in answer.actions:
                response = await self.run_action(action)
                if not response.ok:
                    log.warning(
                        "%s: an action of an answer failed: %d %s",
                        self.label,
                        response.retcode,
                        beginning(response.message),
                    )

    # Lifecycle

    async def start(self) -> None:
        """Begin to post, in the background, with the status first."""
        self._outbox, self._answers, self._failing = Outbox(QUEUE), Outbox(ANSWERS), False
        self._outbox.put_nowait(Outgoing(MetaStatusUpdateEvent(status=self.impl.status_of(self))))
        self._tasks = [
            asyncio.create_task(self._deliver(), name=f"onebot: post to {self.label}"),
            asyncio.create_task(self._act(), name=f"onebot: actions of {self.label}"),
        ]
        if self._heartbeat is not None:
            loop = asyncio.get_running_loop()
            self._next_heartbeat = loop.call_later(self._heartbeat, self._send_heartbeat)

    async def stop(self, limit: float) -> None:
        """Post what waits and carry out the actions of the answers, within *limit* seconds."""
        if self._next_heartbeat is not None:
            self._next_heartbeat.cancel()
            self._next_heartbeat = None
        tasks, self._tasks = self._tasks, []
        self._outbox.close()
        if not tasks:
            return
        delivering, acting = tasks
        try:
            async with asyncio.timeout(limit):
                await asyncio.wait([delivering])
                self._answers.close()
                await asyncio.wait([acting])
        except TimeoutError:
            log.warning(
                "%s: %d events were not delivered within %g s of the shutdown",
                self.label,
                len(self._outbox) + (not delivering.done()),
                limit,
            )
        finally:
            self._answers.close()
            self._outbox.clear()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled() and (error := task.exception()) is not None:
                    log.error("%s: it ended early", self.label, exc_info=error)
