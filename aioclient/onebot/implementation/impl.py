"""``OneBotImpl``: the bots and actions of a chat platform, and the connections to applications."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import replace
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from ..bots import Bot, BotSelf
from ..events import Event, parse_event
from .connection import Connection, ServerConnection
from .dispatcher import ACTION_LIMIT, Dispatcher, log
from .outgoing import Outgoing
from .run import until_signal

SHUTDOWN_LIMIT: Final = (
    10.0  # seconds; as long as Docker and Kubernetes wait before they kill, or less
)


class _State(Enum):
    IDLE = "not running"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class OneBotImpl(Dispatcher):
    """The implementation side of OneBot 12: it pushes events to applications, and carries out their actions.

    Run it with ``async with``, with ``run()``, or as a part of an ``aiohttp.web`` application with ``mount()``. It can
    be run again afterwards, in another event loop too.

    Args:
        name: of the implementation, such as ``qq`` or ``com.example.chat``.
        version: of the implementation.
        conns: the connections; any number of each kind.
        bots: the bots, at least one.
        onebot_version: of the specification.
        action_timeout: seconds for each action; None for no limit.
        shutdown_timeout: seconds at the end for sending what waits and answering actions that run.

    Raises:
        ValueError: there is no bot or no connection, or one is listed twice; or another argument makes no sense.
    """

    def __init__(
        self,
        name: str,
        version: str,
        conns: Iterable[Connection],
        *bots: Bot,
        onebot_version: str = "12",
        action_timeout: float | None = ACTION_LIMIT,
        shutdown_timeout: float = SHUTDOWN_LIMIT,
    ) -> None:
        super().__init__(
            name, version, bots, onebot_version=onebot_version, action_timeout=action_timeout
        )
        self.conns: list[Connection] = list(conns)
        if not self.conns:
            raise ValueError("a OneBotImpl needs a connection, for instance HTTP()")
        if not shutdown_timeout >= 0:
            raise ValueError(f"shutdown_timeout={shutdown_timeout}; give seconds")
        self._shutdown_timeout = shutdown_timeout
        self._state = _State.IDLE
        self._loop: asyncio.AbstractEventLoop | None = None
        self._app: web.Application | None = None
        bound: list[Connection] = []
        try:
            for connection in self.conns:
                connection.bind(self)
                bound.append(connection)
        except BaseException:
            for connection in bound:
                connection.release()
            raise

    # Events

    async def emit(
        self,
        event: Event | Mapping[str, object],
        conns: Collection[Connection] | None = None,
    ) -> None:
        """Push *event* to the applications; return when it has room in the queue of each of them.

        Args:
            event: an event, or one as a mapping; ``id``, ``time`` and ``sub_type`` may be missing there, and ``self``
                if there is only one bot.
            conns: by which connections; None for all that speak for the event's bot.

        Raises:
            RuntimeError: the implementation is not running, or runs in another event loop.
            ValueError: it is no event, has no or an unknown ``self``, contains what cannot be sent, or is larger than
                4 MiB.
            TypeError: it contains what cannot be sent.
        """
        self._check_running("emit()")
        outgoing = Outgoing(self._checked(event))
        bot = outgoing.event.self
        waits: list[Coroutine[Any, Any, None]] = []
        for connection in self.conns if conns is None else self._of_ours(conns):
            if bot is not None and connection.bots is not None and bot not in connection.bots:
                continue
            waiting = connection.offer(outgoing)
            if waiting is not None:
                waits.append(waiting)
        if len(waits) == 1:
            await waits[0]
        elif waits:
            await asyncio.gather(*waits)

    def _checked(self, event: Event | Mapping[str, object]) -> Event:
        if not isinstance(event, Event):
            defaults = {"id": str(uuid.uuid4()), "time": time.time(), "sub_type": ""}
            event = parse_event({**defaults, **event})
        if event.self is None:
            if event.type != "meta":
                if len(self.bots) != 1:
                    raise ValueError(
                        f"event {event.type}.{event.detail_type}: self is missing, and there are {len(self.bots)} bots"
                    )
                event = replace(event, self=next(iter(self.bots.values())).self)
        elif not self._has_bot(event.self):
            raise ValueError(
                f"event {event.type}.{event.detail_type}: its self, {event.self!r}, is none of the bots"
            )
        return event

    def _has_bot(self, identity: BotSelf) -> bool:
        key = f"{identity.platform}.{identity.user_id}"
        return self.bots.get(key) == identity or any(bot == identity for bot in self.bots.values())

    def _of_ours(self, conns: Collection[Connection]) -> Collection[Connection]:
        for connection in conns:
            if connection not in self.conns:
                raise ValueError(f"{connection!r} is none of the implementation's connections")
        return conns

    async def update_status(self) -> None:
        """Push ``meta.status_update`` to the connections that push; call it when ``is_good`` or a bot has changed.

        Raises:
            RuntimeError: as for ``emit()``.
        """
        self._check_running("update_status()")
        await asyncio.gather(*(connection.update_status() for connection in self.conns))

    def _check_running(self, call: str) -> None:
        if self._state is _State.IDLE:
            raise RuntimeError(f"{call}: {self!r} is not running; enter it with `async with` first")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(f"{call}: {self!r} runs in another event loop")

    # Lifecycle

    async def start(self) -> None:
        """Start all connections; if one cannot, stop those that did.

        Raises:
            RuntimeError: it runs already.
            OSError: an address cannot be listened on.
            ValueError: two connections have the same port, method and path.
        """
        if self._state is not _State.IDLE:
            raise RuntimeError(f"{self!r} is {self._state.value} already")
        self._state = _State.STARTING
        self._loop = asyncio.get_running_loop()
        try:
            for connection in self.conns:
                await connection.start()
        except BaseException:
            await self._stop(0.0)
            raise
        self._state = _State.RUNNING
        log.info("%r: running", self)

    async def stop(self) -> None:
        """Stop all connections: send what waits, answer the actions that run, for ``shutdown_timeout`` at most."""
        if self._state is _State.RUNNING:
            await self._stop(self._shutdown_timeout)
            log.info("%r: stopped", self)

    async def _stop(self, limit: float) -> None:
        self._state = _State.STOPPING
        try:
            await self._stop_connections(limit)
        except asyncio.CancelledError:
            # Some may not have begun to stop.
            await self._stop_connections(0.0)
            raise
        finally:
            self._state = _State.IDLE
            self._loop = None
            if self._limit is not None:
                self._limit.clear()

    async def _stop_connections(self, limit: float) -> None:
        results = await asyncio.gather(
            *(connection.stop(limit) for connection in self.conns), return_exceptions=True
        )
        for connection, result in zip(self.conns, results, strict=True):
            if isinstance(result, Exception):
                log.error("%r: it did not stop in order", connection, exc_info=result)

    async def __aenter__(self) -> Self:
        if self._app is not None:
            raise RuntimeError(f"{self!r} is mounted: it runs when its application does")
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def run(
        self,
        main: Callable[[], Coroutine[Any, Any, object]] | None = None,
        *,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        """Run until SIGINT or SIGTERM, in an event loop of its own; a second signal does not wait.

        Args:
            main: a coroutine function that is run beside, for instance to emit events. It is cancelled at the end; what
                it raises ends the run, and is raised.
            loop_factory: makes the event loop, such as ``uvloop.new_event_loop``; None for asyncio's default.

        Raises:
            RuntimeError: an event loop is running: use ``async with`` there.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError(
                "run() has an event loop of its own; here one is running: `async with impl`"
            )
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(until_signal(self, main))

    def mount(self, app: web.Application) -> None:
        """Serve the connections that listen by *app*, each at its ``path``, and run as long as it does.

        Their ``host``, ``port`` and ``ssl_context`` do not matter then. Connections to a URL are not affected.

        Raises:
            RuntimeError: it is running or mounted already; or *app* is running, or has a route at one of the paths.
        """
        if self._state is not _State.IDLE or self._app is not None:
            raise RuntimeError(f"{self!r} is {'mounted' if self._app else 'running'} already")
        for connection in self.conns:
            if isinstance(connection, ServerConnection):
                connection.mount(app)
        app.on_startup.append(self._start_with_app)
        # WebSockets have to end before the application waits for its handlers.
        app.on_shutdown.append(self._stop_with_app)
        # The only end that an application has which fails to start.
        app.cleanup_ctx.append(self._stop_at_last)
        self._app = app

    async def _start_with_app(self, app: web.Application) -> None:
        await self.start()

    async def _stop_with_app(self, app: web.Application) -> None:
        await self.stop()

    async def _stop_at_last(self, app: web.Application) -> AsyncIterator[None]:
        yield
        await self.stop()

    def __repr__(self) -> str:
        return f"<OneBotImpl {self.name} {self.version} {self._state.value}>"
