"""The frames of one WebSocket, whoever opened it: events go out, actions come in and are answered.

The rules:

* ``meta.connect`` is the first frame, ``meta.status_update`` the second one.
* What is sent waits in an outbox for the next turn of the event loop, which sends all of it at once. While the peer
  does not read, a task sends. A peer that leaves no room in the outbox for ``PATIENCE`` is cut off.
* One task reads, and carries out each action. If an action has to wait, the task stays with it, and another one reads
  on. So actions run concurrently, ``CONCURRENT`` at most, and are answered as they end. While so many run, nothing is
  read.
* Text is JSON and binary is MessagePack, and so is the answer; events are JSON.
* An action that has begun is carried out, also if its peer goes meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from aiohttp import ClientError, WSCloseCode, WSMessage, WSMsgType

from ...exceptions import MissingExtraError
from ..actions import ActionResponse
from ..encoding import Encoding, decode, encode
from ..errors import BadRequest
from ..events import MetaConnectEvent, MetaHeartbeatEvent, MetaStatusUpdateEvent
from ..faults import described, is_fault, place_of
from .answers import encoded
from .connection import QUEUE, Connection
from .dispatcher import log
from .frames import BATCH, BinaryMessage, Send
from .outbox import Outbox
from .steps import rest_of

CONCURRENT: Final = 100  # actions of one socket
PATIENCE: Final = 30.0  # seconds that a full queue may take until half of it is sent
PING: Final = (
    30.0  # seconds of silence after which a ping is sent; half of it later the peer is given up
)
CLOSE_LIMIT: Final = 5.0  # seconds to wait for the peer's close frame

_SEND_ERRORS: Final = (OSError, ClientError, RuntimeError)


class AnyWebSocket(Protocol):
    """What ``aiohttp.web.WebSocketResponse`` and our ``ClientWebSocketResponse`` have in common."""

    async def receive(self) -> Any:
        """Return the next message."""

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool:
        """Close it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a WebSocket, as ``on_connect`` and ``on_disconnect`` get it.

    Attributes:
        connection: the one that it came by, or that connected to it.
        address: of the application: its IP address, or the URL without secrets.
        user_agent: what it calls itself; None if it does not, or if it was connected to.
    """

    connection: Connection
    address: str
    user_agent: str | None = None


class Socket:
    """One open WebSocket.

    Args:
        connection: the one that it belongs to.
        ws: what to receive from, and to close.
        send: sends to the peer.
        abort: closes the transport at once.
        heartbeat: seconds between ``meta.heartbeat`` events; None for none.
    """

    def __init__(
        self,
        connection: Connection,
        ws: AnyWebSocket,
        send: Send,
        peer: Peer,
        abort: Callable[[], None],
        heartbeat: float | None,
    ) -> None:
        self.peer = peer
        self._connection = connection
        self._ws = ws
        self._send = send
        self.abort: Final = abort
        self._heartbeat = heartbeat
        self._next_heartbeat: asyncio.TimerHandle | None = None
        self._outbox: Outbox[bytes] = Outbox(QUEUE)
        self._flushes = False  # the next turn sends what waits
        self._writer: asyncio.Task[None] | None = None  # sends while the peer does not read
        self._reader: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[None] | None = None  # the last reader has
        self._actions: set[asyncio.Task[None]] = set()  # that wait
        self._changed: asyncio.Future[None] | None = None  # by an action's end, or the outbox's
        self._stopping = False

    # Sending

    def offer(self, message: bytes) -> bool:
        """Let *message* be sent, and return True; False if it has to wait for room."""
        if not self._outbox.put_nowait(message):
            return False
        if not self._flushes:
            self._flushes = True
            asyncio.get_running_loop().call_soon(self._flush)
        return True

    async def push(self, message: bytes) -> None:
        """Let *message* be sent; wait until there is room for it. Drop it if the peer has gone, or is too slow."""
        if self.offer(message):
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._outbox.put(message)
        except TimeoutError:
            self._give_up(f"did not take {QUEUE // 2} messages within {PATIENCE:g} s")

    async def push_status(self) -> None:
        """As ``push()`` with the current status."""
        await self.push(self._status())

    def _status(self) -> bytes:
        status = self._connection.impl.status_of(self._connection)
        return encode(MetaStatusUpdateEvent(status=status), Encoding.JSON)

    def _send_heartbeat(self) -> None:
        interval = self._heartbeat
        if interval is None or self._outbox.closed:
            return
        # Without room there is enough to send that shows that we are alive.
        beat = MetaHeartbeatEvent(interval=round(interval * 1000))
        self.offer(encode(beat, Encoding.JSON))
        loop = asyncio.get_running_loop()
        self._next_heartbeat = loop.call_later(interval, self._send_heartbeat)

    def _flush(self) -> None:
        """Send what waits; if the peer does not read, let a task do so."""
        self._flushes = False
        if self._writer is not None:
            return
        try:
            while messages := self._outbox.take_many(BATCH):
                if (wait := self._send(messages)) is not None:
                    name = f"onebot: send to {self.peer.address}"
                    self._writer = asyncio.create_task(self._write(wait), name=name)
                    return
        except _SEND_ERRORS as error:
            self._cannot_send(error)

    async def _write(self, wait: Callable[[], Awaitable[None]]) -> None:
        try:
            await wait()
            while messages := self._outbox.take_many(BATCH):
                if (next_wait := self._send(messages)) is not None:
                    await next_wait()
        except _SEND_ERRORS as error:
            self._cannot_send(error)
        finally:
            self._writer = None

    def _cannot_send(self, error: Exception) -> None:
        log.debug("%s: cannot send: %r", self.peer.address, error)
        self.abort()
        self._close_outbox()

    def _close_outbox(self) -> None:
        """Send nothing more."""
        self._outbox.close()
        self._outbox.clear()
        self._notify()

    # Serving

    def greet(self) -> None:
        """Let the first two frames be sent.

        Raises:
            Exception: they cannot be encoded, because of the fields that the user gave a bot.
        """
        version, status = self._connection.impl.impl_ver, self._status()
        self.offer(encode(MetaConnectEvent(version=version), Encoding.JSON))
        self.offer(status)

    async def serve(
        self,
        joined: Callable[["Socket"], None],
        on_connect: object,
    ) -> None:
        """Talk to the peer until it goes, or ``stop()``; ``greet()`` comes before.

        Args:
            joined: called before anything else; events may follow the first frames then.
            on_connect: the user's hook; if it raises, the socket is closed.
        """
        joined(self)
        if self._heartbeat is not None:
            loop = asyncio.get_running_loop()
            self._next_heartbeat = loop.call_later(self._heartbeat, self._send_heartbeat)
        try:
            if await self._welcome(on_connect):
                await self._read_all()
        finally:
            if self._next_heartbeat is not None:
                self._next_heartbeat.cancel()
            self._close_outbox()
            if (writer := self._writer) is not None:
                writer.cancel()
                await asyncio.wait([writer])

    async def _welcome(self, on_connect: object) -> bool:
        """Run the user's hook; return whether the socket is to be served."""
        if on_connect is None:
            return True
        try:
            await self._connection.impl.call_hook(on_connect, self.peer)
        except BaseException as error:  # whatever the hook raises concerns this peer only
            if not is_fault(error):
                raise
            log.error(
                "%s: on_connect %s at %s; the socket is closed",
                self.peer.address,
                described(error),
                place_of(error),
                exc_info=error,
            )
            await self._finish(WSCloseCode.INTERNAL_ERROR)
            return False
        return True

    async def _read_all(self) -> None:
        """Read and act until the peer goes, or the end."""
        self._ended = asyncio.get_running_loop().create_future()
        self._read_on()
        try:
            await self._ended
        finally:
            reader, self._reader = self._reader, None
            if reader is not None:
                reader.cancel()
                await asyncio.wait([reader])

    def _read_on(self) -> None:
        """Let a new task read."""
        loop = asyncio.get_running_loop()
        # Not by the loop's task factory: an eager one would run the new reader within this one's step.
        self._reader = asyncio.Task(self._read(), loop=loop, name="onebot: read and act")
        self._reader.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task is not self._reader:
            self._actions.discard(task)
            self._notify()
        elif self._ended is not None and not self._ended.done():
            if task.cancelled():
                self._read_on()  # it was a handler that cancelled it
            elif (error := task.exception()) is None:
                self._ended.set_result(None)
            elif isinstance(error, Exception):
                self._ended.set_exception(error)
            else:
                self._read_on()  # a handler ends the program, and the event loop has raised that

    async def _read(self) -> None:
        """Read and act until the peer goes, or until an action waits."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        in_turn = 0
        while True:
            while len(self._actions) >= CONCURRENT and not self._outbox.closed:
                await self._wait_for_change()
            if self._outbox.closed and not self._stopping:
                return  # nobody would read the answers
            message: WSMessage = await self._ws.receive()
            if message.type is WSMsgType.TEXT:
                encoding = Encoding.JSON
            elif message.type is WSMsgType.BINARY:
                encoding = Encoding.MSGPACK
            else:
                return
            if self._stopping:
                continue
            action = self._act(message.data, encoding)
            try:
                rest = rest_of(action, action.send(None))
            except StopIteration:
                if task.cancelling():  # by the handler; another task reads on
                    return
                in_turn += 1
                if in_turn == CONCURRENT:
                    in_turn = 0
                    await asyncio.sleep(0)  # others have their turn
                continue
            self._actions.add(task)
            self._read_on()
            await rest
            return

    def _notify(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def _wait_for_change(self) -> None:
        self._changed = asyncio.get_running_loop().create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    async def _act(self, message: str | bytes, encoding: Encoding) -> None:
        """Carry out the action in *message*, and let the answer be sent."""
        action: object = None
        try:
            data = decode(message, encoding)
        except MissingExtraError:
            # What the peer wrote cannot be read, and the answer cannot be written as it expects.
            response = ActionResponse.failed(
                BadRequest(message="MessagePack is not supported here")
            )
            encoding = Encoding.JSON
        except ValueError as error:
            response = ActionResponse.failed(BadRequest(message=str(error)))
        else:
            response = await self._connection.run_action(data)
            action = data.get("action") if isinstance(data, dict) else None
        body = encoded(response, encoding, action)
        if encoding is Encoding.MSGPACK:
            body = BinaryMessage(body)
        await self.push(body)

    # The end

    @property
    def actions(self) -> set[asyncio.Task[None]]:
        """The actions that run."""
        return self._actions

    async def stop(self) -> None:
        """Answer the actions that run, send what waits, and close the socket; cancel this after the time for it."""
        self._stopping = True
        try:
            while self._actions and not self._outbox.closed:
                await asyncio.wait(self._actions)
            await self._finish(WSCloseCode.GOING_AWAY)
        except BaseException:
            self.abort()
            raise

    async def _finish(self, code: int) -> None:
        """Send what waits, and close the socket with *code*."""
        self._outbox.close()
        try:
            self._flush()
            async with asyncio.timeout(PATIENCE):
                if (writer := self._writer) is not None:
                    await asyncio.wait([writer])
            async with asyncio.timeout(CLOSE_LIMIT):
                await self._ws.close(code=code)
        except TimeoutError:
            self.abort()

    def _give_up(self, why: str) -> None:
        """Cut off a peer that does not read."""
        if not self._outbox.closed:
            log.warning("%s: %s, it is cut off", self.peer.address, why)
        self._close_outbox()
        self.abort()
