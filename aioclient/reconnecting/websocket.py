"""A WebSocket that reconnects when it ends: it carries out the policy's decisions.

The rules:

* Everything happens in the task that iterates; there is no other task, and no timer except that of a wait.
* ``close()``, and the end of the session, end a wait, a handshake or a hook at once.
* A connection is yielded after ``on_connect``, and closed at the end of its iteration, whatever the reason.
* An error that is not from the network is the program's own, and leaves the loop unchanged.
"""

import asyncio
import inspect
import json as json_module
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from logging import INFO
from types import TracebackType
from typing import Any, Self

from aiohttp import WSCloseCode, WSMessage, WSMsgType

from ..exceptions import (
    ClientConnectionResetError,
    ClientError,
    WSReceiveTimeoutError,
    WSReconnectError,
)
from ..observe.log import OF_RECONNECTS, logs_reconnects
from ..websocket import ClientWebSocketResponse
from .outcome import described, is_explained_by_end, outcome_of_connection, outcome_of_error
from .policy import Failed, Left, Outcome, ReconnectPolicy, Stop

OnConnect = Callable[[ClientWebSocketResponse], Awaitable[object] | object]


class ReconnectState(Enum):
    """What a reconnecting WebSocket does at the moment."""

    IDLE = "idle"
    """Nothing: the iteration has not begun."""
    CONNECTING = "connecting"
    """It opens a connection, or runs ``on_connect``."""
    OPEN = "open"
    """A connection is open."""
    WAITING = "waiting"
    """It waits for the next attempt."""
    CLOSED = "closed"
    """It has ended for good."""


@dataclass(frozen=True, slots=True)
class ReconnectStatistics:
    """What a reconnecting WebSocket has done so far.

    Attributes:
        attempts: all connection attempts.
        connections: connections that were yielded.
        failures: consecutive failures; 0 after a connection that lasted.
    """

    attempts: int
    connections: int
    failures: int


class ReconnectingWebSocket:
    """A WebSocket that reconnects when it ends; made by ``ClientSession.ws_reconnecting()``.

    Iterate over its connections, or over the ``messages()`` of all of them; once, in one task. Other tasks may send,
    read its state and ``close()`` it meanwhile. ``async with`` closes it at the end of the block; without it, a
    connection whose loop is left by ``break`` or an exception is closed in the background.

    The loop ends without an error after ``close()`` and when the server closes with 1000. It raises
    ``WSReconnectError`` when the policy stops; errors that are not from the network, for instance of ``on_connect``,
    are raised unchanged.
    """

    __slots__ = (
        "_attempts",
        "_begun",
        "_closing",
        "_connections",
        "_delay",
        "_due",
        "_failures",
        "_label",
        "_last_error",
        "_on_connect",
        "_open",
        "_open_ones",
        "_policy",
        "_scope",
        "_session_closed",
        "_settled",
        "_silence",
        "_state",
        "_ws",
    )

    def __init__(
        self,
        open_ones: "set[ReconnectingWebSocket]",
        label: str,
        open: Callable[[], Awaitable[ClientWebSocketResponse]],
        policy: ReconnectPolicy,
        on_connect: OnConnect | None,
    ) -> None:
        self._open_ones = open_ones  # the session reports its end to them
        self._label = label
        self._open = open
        self._policy = policy
        self._on_connect = on_connect
        self._state = ReconnectState.IDLE
        self._ws: ClientWebSocketResponse | None = None
        self._settled = asyncio.Event()  # there is a connection, or there will be none
        self._begun = False
        self._closing = False
        self._session_closed = False
        self._scope: asyncio.Timeout | None = None
        self._delay: float | None = None
        self._due = 0.0
        self._silence: WSReceiveTimeoutError | None = None
        self._last_error: Exception | None = None
        self._attempts = 0
        self._connections = 0
        self._failures = 0

    # State

    @property
    def state(self) -> ReconnectState:
        """What it does at the moment."""
        return self._state

    @property
    def ws(self) -> ClientWebSocketResponse | None:
        """The open connection; None if there is none."""
        return self._ws

    @property
    def last_error(self) -> Exception | None:
        """The error that ended the last attempt or connection, unless the user ended it; None if there was none."""
        return self._last_error

    @property
    def next_attempt_in(self) -> float | None:
        """The seconds until the next attempt; None if it does not wait for one."""
        if self._state is not ReconnectState.WAITING:
            return None
        return max(0.0, self._due - asyncio.get_running_loop().time())

    def statistics(self) -> ReconnectStatistics:
        """Return what it has done so far."""
        return ReconnectStatistics(self._attempts, self._connections, self._failures)

    # Connections and messages

    def __aiter__(self) -> AsyncIterator[ClientWebSocketResponse]:
        return self._run()

    async def messages(self) -> AsyncGenerator[WSMessage, None]:
        """Iterate over the messages of one connection after another.

        The end of a connection is not a message: see ``last_error``. A connection without a message within
            ``ClientWSTimeout.ws_receive`` is closed.
        """
        async with aclosing(self._run()) as connections:
            async for ws in connections:
                try:
                    async for message in ws:
                        if message.type is not WSMsgType.ERROR:
                            yield message
                except WSReceiveTimeoutError as error:
                    self._silence = error

    async def _run(self) -> AsyncGenerator[ClientWebSocketResponse, None]:
        if self._begun:
            raise RuntimeError(
                f"{self!r} can be iterated over once; call ws_reconnecting() for another one"
            )
        self._begun = True
        clock = asyncio.get_running_loop().time
        self._open_ones.add(self)
        try:
            while await self._wait():
                ws = await self._connect()
                if ws is None:
                    continue
                since = clock()
                self._hand_over(ws)
                try:
                    yield ws
                finally:
                    self._take_back()
                    await ws.close()
                if self._closing:
                    break
                outcome, error = outcome_of_connection(ws)
                if isinstance(outcome, Left) and self._silence is not None:
                    outcome, error = Failed(self._silence), self._silence
                self._silence = None
                self._judge(outcome, error, clock() - since)
        finally:
            self._open_ones.discard(self)
            self._end()

    async def _wait(self) -> bool:
        """Wait for the next attempt; return whether there is one."""
        if self._delay is not None and not self._is_over:
            self._state = ReconnectState.WAITING
            self._due = asyncio.get_running_loop().time() + self._delay
            with suppress(TimeoutError):
                async with self._interruptible():
                    await asyncio.sleep(self._delay)
        if self._session_closed and not self._closing:
            raise self._given_up("the session is closed") from self._last_error
        return not self._closing

    async def _connect(self) -> ClientWebSocketResponse | None:
        """Return a new connection; None if the attempt failed and the policy has decided."""
        self._state = ReconnectState.CONNECTING
        self._attempts += 1
        ws: ClientWebSocketResponse | None = None
        try:
            async with self._interruptible():
                ws = await self._open()
                if self._on_connect is not None:
                    hooked = self._on_connect(ws)
                    if inspect.isawaitable(hooked):
                        await hooked
        except Exception as error:  # noqa: BLE001  # the policy knows which ones to raise
            interrupted = isinstance(error, TimeoutError) and self._is_over
            if ws is not None:
                await ws.close()
            if not interrupted:
                self._judge_failure(error, ws)
            return None
        except BaseException:
            if ws is not None:
                await ws.close()
            raise
        if self._is_over:
            await ws.close()
            return None
        return ws

    def _judge_failure(self, error: Exception, ws: ClientWebSocketResponse | None) -> None:
        """Decide about *error* of an attempt, which had reached *ws*."""
        if ws is not None and is_explained_by_end(error):
            outcome, ended = outcome_of_connection(ws)
            if ended is not None:
                ended.__cause__ = error
                self._judge(outcome, ended, None)
                return
        self._judge(outcome_of_error(error, time.time()), error, None)

    def _judge(self, outcome: Outcome, error: Exception | None, healthy_for: float | None) -> None:
        """Carry out the policy's decision.

        Raises:
            WSReconnectError: the policy stops.
        """
        if error is not None:
            self._last_error = error
        decision = self._policy.decide(outcome, self._failures, healthy_for, random.random())
        if not isinstance(decision, Stop):
            self._failures, self._delay = decision.failures, decision.delay
            if logs_reconnects(INFO):
                OF_RECONNECTS.info(
                    "%s: %s; connecting again in %.3f s",
                    self._label,
                    described(outcome),
                    decision.delay,
                )
        elif isinstance(outcome, Failed) and not self._is_of_the_network(outcome.error):
            raise outcome.error
        elif decision.clean:
            self._closing = True
        elif not self._is_over:
            raise self._given_up(decision.reason) from error

    def _is_of_the_network(self, error: Exception) -> bool:
        return isinstance(error, (ClientError, OSError, *self._policy.errors))

    def _given_up(self, reason: str) -> WSReconnectError:
        return WSReconnectError(self._label, reason, self._attempts)

    def _hand_over(self, ws: ClientWebSocketResponse) -> None:
        self._connections += 1
        if self._attempts > 1 and logs_reconnects(INFO):
            OF_RECONNECTS.info("%s: connected, attempt %d", self._label, self._attempts)
        self._ws = ws
        self._state = ReconnectState.OPEN
        self._settled.set()

    def _take_back(self) -> None:
        self._ws = None
        if not self._closing:
            self._state = ReconnectState.CONNECTING
            self._settled.clear()

    # Sending

    async def wait_open(self) -> ClientWebSocketResponse:
        """Return the connection; wait for one if there is none.

        Another task has to iterate meanwhile.

        Raises:
            ClientConnectionResetError: it has ended for good.
        """
        while self._ws is None:
            if self._state is ReconnectState.CLOSED:
                raise ClientConnectionResetError(
                    f"{self._label}: the reconnecting WebSocket is closed, nothing can be sent"
                ) from self._last_error
            await self._settled.wait()
        return self._ws

    async def send_str(self, data: str, compress: int | None = None) -> None:
        """Send a text message on the connection, or on the next one if there is none.

        Nothing is sent twice: data in a connection that breaks is lost, as with any WebSocket.

        Raises:
            ClientConnectionResetError: the connection has just ended, or all has ended.
            TypeError, ValueError: as for ``ClientWebSocketResponse.send_str()``.
        """
        await (await self.wait_open()).send_str(data, compress)

    async def send_bytes(
        self, data: bytes | bytearray | memoryview, compress: int | None = None
    ) -> None:
        """Send a binary message; see ``send_str()``."""
        await (await self.wait_open()).send_bytes(data, compress)

    async def send_json(
        self,
        data: Any,
        compress: int | None = None,
        *,
        dumps: Callable[[Any], str] = json_module.dumps,
    ) -> None:
        """Send *data* as JSON text; see ``send_str()``."""
        await self.send_str(dumps(data), compress)

    # The end

    async def close(self) -> None:
        """Close the connection and do not reconnect; the loop ends without an error."""
        self._closing = True
        self._interrupt()
        if self._ws is not None:
            await self._ws.close()
        self._end()

    def session_closed(self, *, going_away: bool) -> None:
        """Do not reconnect (called by the session when it is closed); with *going_away* close this connection too."""
        self._session_closed = True
        self._interrupt()
        if going_away and self._ws is not None:
            self._ws.close_nowait(code=WSCloseCode.GOING_AWAY)

    @asynccontextmanager
    async def _interruptible(self) -> AsyncGenerator[None, None]:
        """Let ``_interrupt()`` end the block with ``TimeoutError``."""
        try:
            async with asyncio.timeout(None) as self._scope:
                yield
        finally:
            self._scope = None

    @property
    def _is_over(self) -> bool:
        return self._closing or self._session_closed

    def _interrupt(self) -> None:
        """End the current wait or attempt."""
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    def _end(self) -> None:
        self._state = ReconnectState.CLOSED
        self._settled.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        wait = self.next_attempt_in if self._state is ReconnectState.WAITING else None
        more = "" if wait is None else f", next attempt in {wait:.3g} s"
        return f"<ReconnectingWebSocket {self._label} {self._state.value}{more}>"
