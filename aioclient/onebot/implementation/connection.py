"""Connections: by what an implementation talks to applications.

``Connection`` is the base of all, ``ServerConnection`` of those that listen, ``ClientConnection`` of those that connect
to a URL.
"""

import ssl as ssl_module
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, ClassVar, Final, Protocol

from aiohttp import hdrs, web
from yarl import URL

from ..._version import __version__
from ...exceptions import shown, shown_bad
from ..actions import ActionRequest, ActionResponse
from ..authorization import authorization, check_token
from ..bots import Bot, BotSelf
from ..errors import BadRequest
from ..events import Event, Status, Version
from ..handlers import ActionHandler
from ..server import Endpoint, Listening, Method, check_path, check_port, listen, mount
from .outgoing import Outgoing

QUEUE: Final = 1000  # events that wait for one peer, as the specification of this library has it
HEARTBEAT: Final = 5000  # milliseconds between ``meta.heartbeat`` events; pylibob's default


class Implementation(Protocol):
    """What a connection needs of its ``OneBotImpl``."""

    name: str
    version: str
    onebot_version: str
    bots: dict[str, Bot]

    @property
    def impl_ver(self) -> Version:
        """What ``get_version`` answers."""

    def status_of(self, connection: "Connection") -> Status:
        """Return what ``get_status`` answers on *connection*."""

    async def handle_action(
        self,
        action: str,
        params: dict[str, object],
        bot_self: BotSelf | Mapping[str, object] | None = None,
        echo: str | None = None,
        *,
        connection: "Connection | None" = None,
    ) -> ActionResponse:
        """Carry out an action."""

    async def call_hook(self, hook: object, argument: object) -> None:
        """Run a function or coroutine function of the user, within the time limit of an action."""

    async def emit(self, event: Event | Mapping[str, object]) -> None:
        """Push an event."""


class Connection:
    """The base of all connections: a way to applications.

    A connection belongs to one ``OneBotImpl``. Derive from it for a transport of your own: ``emit_event()`` pushes an
    event, ``run_action()`` carries out an action, ``start()`` and ``stop()`` begin and end it.

    Args:
        access_token: what applications have to show, or what they are shown; None or empty for none.
        bots: the bots that this connection speaks for; None for all of the implementation. Events of other bots do
            not go by it, and actions for them fail with 10102.

    Raises:
        TypeError, ValueError: *access_token* cannot be sent in a header field.
    """

    def __init__(
        self, *, access_token: str | None = None, bots: Iterable[BotSelf] | None = None
    ) -> None:
        self.access_token: str | None = check_token(access_token)
        self.bots: frozenset[BotSelf] | None = (
            None if bots is None else frozenset(BotSelf(bot.platform, bot.user_id) for bot in bots)
        )
        self.own_actions: dict[str, ActionHandler] = {}
        """Actions that only this connection has."""
        self._impl: Implementation | None = None

    @property
    def impl(self) -> Implementation:
        """The implementation to which the connection belongs.

        Raises:
            ValueError: it belongs to none yet.
        """
        if self._impl is None:
            raise ValueError(f"{self!r} belongs to no OneBotImpl yet: list it in one")
        return self._impl

    def bind(self, impl: Implementation) -> None:
        """Give the connection to *impl*, and call ``init_connection()``.

        Raises:
            ValueError: it belongs to another one, or one of its *bots* is unknown there.
        """
        if self._impl is not None:
            raise ValueError(f"{self!r} belongs to a OneBotImpl already; make another connection")
        known = {bot.self for bot in impl.bots.values()} if self.bots else set()
        if unknown := (self.bots or frozenset()) - known:
            raise ValueError(f"{self!r}: {min(unknown, key=repr)!r} is no bot of the OneBotImpl")
        self._impl = impl
        try:
            self.init_connection()
        except BaseException:
            self._impl = None
            raise

    def release(self) -> None:
        """Undo ``bind()``, of an implementation that could not be made."""
        self._impl = None

    def init_connection(self) -> None:
        """Do what needs the implementation; for classes derived from this one."""

    async def start(self) -> None:
        """Begin to talk to applications; called when the implementation starts."""

    async def stop(self, limit: float) -> None:
        """End, within *limit* seconds: send what waits, answer the actions that run; called at the end."""

    async def emit_event(self, event: Event) -> None:
        """Push *event*; return when it has room in the queue of each peer."""
        raise NotImplementedError(f"{type(self).__name__} does not say how events are pushed")

    def offer(self, outgoing: Outgoing) -> Coroutine[Any, Any, None] | None:
        """Push an event at once, and return None; or return a coroutine that waits for room, and then does."""
        return self.emit_event(outgoing.event)

    async def update_status(self) -> None:
        """Push the current status, if this connection pushes it."""

    async def run_action(self, data: object) -> ActionResponse:
        """Carry out the action that *data*, which came from an application, ask for.

        It does not fail: what is wrong is in the response, 10001 if *data* are no action.
        """
        try:
            request = ActionRequest.parse(data)
        except BadRequest as error:
            return ActionResponse.failed(error, error.echo)
        return await self.run_request(request)

    async def run_request(self, request: ActionRequest) -> ActionResponse:
        """Carry out *request*."""
        return await self.impl.handle_action(
            request.action, request.params, request.self, request.echo, connection=self
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class ClientConnection(Connection):
    """The base of connections to a URL.

    Args:
        url: where applications listen.
        ssl_context: for TLS; None for the default one, which verifies.

    Raises:
        ValueError: the scheme of *url* is not one of the connection's.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("http", "https", "ws", "wss")

    def __init__(
        self,
        url: str,
        *,
        access_token: str | None = None,
        bots: Iterable[BotSelf] | None = None,
        ssl_context: ssl_module.SSLContext | None = None,
    ) -> None:
        super().__init__(access_token=access_token, bots=bots)
        parsed = URL(url)
        if parsed.scheme not in self.SCHEMES or not parsed.host:
            raise ValueError(
                f"url={shown_bad(url)}; give an absolute URL that begins with {' or '.join(self.SCHEMES)}"
            )
        self.url = url
        self.label: str = shown(parsed)
        """The URL without secrets."""
        self._ssl: ssl_module.SSLContext | bool = True if ssl_context is None else ssl_context

    @property
    def ua(self) -> str:
        """The ``User-Agent`` field."""
        return f"OneBot/{self.impl.onebot_version} ({self.impl.name}) aioclient/{__version__}"

    def _headers(self) -> dict[str, str]:
        """Return the fields of every request."""
        return {hdrs.USER_AGENT: self.ua, **authorization(self.access_token)}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label}>"


class ServerConnection(Connection):
    """The base of connections that listen. Several may have the same host and port, if method or path differ.

    Args:
        host: the address to listen on. Beyond loopback, a server without a token warns.
        port: 0 for any free one; ``port`` says which, once it is started.
        path: where it is served.
        ssl_context: for TLS.

    Raises:
        TypeError, ValueError: *port* or *path* is not one.
    """

    METHOD: ClassVar[Method] = "POST"

    def __init__(
        self,
        *,
        access_token: str | None = None,
        host: str = "0.0.0.0",
        port: int = 8080,
        path: str = "/",
        ssl_context: ssl_module.SSLContext | None = None,
        bots: Iterable[BotSelf] | None = None,
    ) -> None:
        super().__init__(access_token=access_token, bots=bots)
        self.host = host
        self.path: str = check_path(path)
        self._wanted_port = check_port(port)
        self._ssl_context = ssl_context
        self._endpoint = Endpoint(self.METHOD, path, self._answer, access_token=self.access_token)
        self._listening: Listening | None = None
        self._mounted = False

    @property
    def port(self) -> int:
        """The port: the one that it listens on, or else the one that was asked for."""
        return self._wanted_port if self._listening is None else self._listening.port

    def mount(self, app: web.Application) -> None:
        """Let *app* serve it, in place of a server of its own."""
        mount(app, self._endpoint)
        self._mounted = True

    async def start(self) -> None:
        """Listen."""
        if self._mounted:
            self._endpoint.is_open = True
        else:
            self._listening = await listen(
                self._endpoint, self.host, self._wanted_port, ssl_context=self._ssl_context
            )

    async def stop(self, limit: float) -> None:
        """Answer the requests that run, within *limit* seconds, and stop listening."""
        listening, self._listening = self._listening, None
        if listening is None:
            await self._endpoint.stop(limit)
        else:
            await listening.close(limit)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request that may be made."""
        raise NotImplementedError(f"{type(self).__name__} does not say how requests are answered")

    def __repr__(self) -> str:
        where = "mounted" if self._mounted else f"{self.host}:{self.port}"
        return f"<{type(self).__name__} {where}{self.path}>"
