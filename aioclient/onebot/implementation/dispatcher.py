"""From an action's name to its handler, and from what became of it to a response."""

import asyncio
import inspect
import logging
import re
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any, Final, TypeVar, cast

from ..actions import ActionResponse
from ..bots import Bot, BotSelf, checked_name
from ..errors import (
    BadHandler,
    InternalHandlerError,
    OneBotError,
    UnknownSelf,
    UnsupportedAction,
    WhoAmI,
)
from ..events import Status, Version
from ..faults import described, is_fault, place_of
from ..handlers import ActionHandler
from ..retcodes import is_failure
from .connection import Connection
from .limit import CommonLimit
from .steps import rest_of

ACTION_LIMIT: Final = 30.0  # seconds; for as long applications wait, NoneBot among them

_VERSION: Final = re.compile(r"[\-.0-9A-Za-z]+").fullmatch  # it is a part of a subprotocol
_F = TypeVar("_F", bound=Callable[..., Any])
_INJECTED: Final = (Bot, Connection)

log: Final = logging.getLogger("aioclient.onebot.implementation")


class Dispatcher:
    """The bots and the actions of an implementation.

    ``get_supported_actions``, ``get_status`` and ``get_version`` are there from the start, and can be replaced.

    Args:
        name: of the implementation, such as ``qq`` or ``com.example.chat``.
        version: of the implementation.
        bots: at least one.
        onebot_version: of the specification.
        action_timeout: seconds for each action; None for no limit.

    Raises:
        ValueError: an argument makes no sense.
    """

    def __init__(
        self,
        name: str,
        version: str,
        bots: tuple[Bot, ...],
        *,
        onebot_version: str,
        action_timeout: float | None,
    ) -> None:
        if not bots:
            raise ValueError("a OneBotImpl needs a bot: OneBotImpl(name, version, conns, Bot(...))")
        if action_timeout is not None and not action_timeout > 0:
            raise ValueError(f"action_timeout={action_timeout}; give seconds, or None for no limit")
        self.name: str = checked_name("name", name)
        self.version = version
        if not isinstance(cast(object, version), str):
            raise TypeError(f"version must be a str, found {type(version).__name__}")
        if not isinstance(cast(object, onebot_version), str) or not _VERSION(onebot_version):
            raise ValueError(f"onebot_version={onebot_version!r}; give '12' or alike, as a str")
        self.onebot_version = onebot_version
        self.is_good = True
        """Whether all is well, as ``get_status`` answers."""
        self.bots: dict[str, Bot] = {f"{bot.platform}.{bot.user_id}": bot for bot in bots}
        if len(self.bots) != len(bots):
            raise ValueError("a bot is listed twice")
        self.actions: dict[str, ActionHandler] = {}
        self._limit = None if action_timeout is None else CommonLimit(action_timeout)
        self._meta: dict[str, ActionHandler] = {
            name: ActionHandler(name, function, _INJECTED)
            for name, function in (
                ("get_supported_actions", self._get_supported_actions),
                ("get_status", self._get_status),
                ("get_version", self._get_version),
            )
        }

    # Registering

    def register_action_handler(self, action: str, func: Callable[..., Any]) -> Callable[..., Any]:
        """Let *func*, plain or async, carry out *action*; return it.

        Its parameters, which need type hints, are those of the action: others are refused with 10004, and values of
        another type with 10003. ``Annotated[str, "qq.nickname"]`` gives a parameter its name. A parameter of type
        ``Bot`` gets the bot that the action is for, one of type ``Connection`` the way by which it came. The result is
        the ``data`` of the response.

        Raises:
            TypeError: a parameter has no type hint, or one that data cannot be converted to.
            ValueError: the action has a handler already.
        """
        if not action:
            raise ValueError("action=''; give a name")
        if action in self.actions:
            raise ValueError(
                f"the action {action!r} has a handler already: {self.actions[action]!r}"
            )
        self.actions[action] = ActionHandler(action, func, _INJECTED)
        return func

    def action(self, action: str) -> Callable[[_F], _F]:
        """Return a decorator that registers the handler of *action*; see ``register_action_handler()``."""

        def register(func: _F) -> _F:
            self.register_action_handler(action, func)
            return func

        return register

    # State

    @property
    def status(self) -> Status:
        """What ``get_status`` answers, and ``meta.status_update`` tells: with all bots."""
        return self._status(self.bots.values())

    @property
    def impl_ver(self) -> Version:
        """What ``get_version`` answers, and ``meta.connect`` tells."""
        return {
            "impl": self.name,
            "version": self.version,
            "onebot_version": self.onebot_version,
        }

    def status_of(self, connection: Connection | None) -> Status:
        """Return the status with the bots of *connection*; None for all."""
        return self._status(self._bots_of(connection))

    def _status(self, bots: Any) -> Status:
        return {"good": self.is_good, "bots": [bot.status() for bot in bots]}

    def _bots_of(self, connection: Connection | None) -> list[Bot]:
        if connection is None or connection.bots is None:
            return list(self.bots.values())
        return [bot for bot in self.bots.values() if bot.self in connection.bots]

    # Carrying out

    async def handle_action(
        self,
        action: str,
        params: dict[str, object],
        bot_self: BotSelf | Mapping[str, object] | None = None,
        echo: str | None = None,
        *,
        connection: Connection | None = None,
    ) -> ActionResponse:
        """Carry out *action*; whatever goes wrong is in the response.

        Args:
            params: the action's parameters, plain.
            bot_self: which bot it is for; only needed if *connection* has several, and not for meta actions.
            echo: comes back in the response.
            connection: the way by which the action came.
        """
        try:
            handler, injected, limit = self._handler_of(action, bot_self, connection)
            data = await self._run(handler, params, injected, limit)
        except OneBotError as error:
            return ActionResponse.failed(error, echo)
        return ActionResponse.ok_with(data, echo)

    def _handler_of(
        self,
        action: str,
        bot_self: BotSelf | Mapping[str, object] | None,
        connection: Connection | None,
    ) -> tuple[ActionHandler, Mapping[type, object], CommonLimit | None]:
        """Return the handler of *action*, what it is given beside the action's parameters, and its time limit.

        Raises:
            UnsupportedAction: there is none.
            WhoAmI, UnknownSelf: the bot is not known.
        """
        if connection is not None and action in connection.own_actions:
            return connection.own_actions[action], {}, None
        bot: Bot | None = None
        handler = self.actions.get(action)
        if action in self._meta:
            handler = handler or self._meta[action]
        elif handler is None:
            raise UnsupportedAction(message=f"no such action: {action:.100}")
        else:
            bot = self._bot(bot_self, self._bots_of(connection))
        return handler, {Bot: bot, Connection: connection}, self._limit

    def _bot(self, bot_self: BotSelf | Mapping[str, object] | None, bots: list[Bot]) -> Bot:
        """Return the one of *bots* that *bot_self* names.

        Raises:
            WhoAmI: it names none, and there is not one alone.
            UnknownSelf: it is not one of them.
        """
        if bot_self is None:
            if len(bots) == 1:
                return bots[0]
            raise WhoAmI(message=f"self is missing, and this connection has {len(bots)} bots")
        if isinstance(bot_self, Mapping):
            identity = bot_self.get("platform"), bot_self.get("user_id")
        else:
            identity = bot_self.platform, bot_self.user_id
        for bot in bots:
            if (bot.platform, bot.user_id) == identity:
                return bot
        raise UnknownSelf(message=f"no such bot here: {identity[0]!s:.100}/{identity[1]!s:.100}")

    async def _run(
        self,
        handler: ActionHandler,
        params: dict[str, object],
        injected: Mapping[type, object],
        limit: CommonLimit | None,
    ) -> object:
        """Return the result of *handler*, which is run in a context of its own, and limited when it waits.

        Raises:
            OneBotError: whatever goes wrong.
        """
        context = copy_context()
        running = handler(params, injected)
        scope: asyncio.Timeout | None = None
        try:
            try:
                rest = rest_of(running, context.run(running.send, None), context.run)
            except StopIteration as ended:
                return ended.value
            async with asyncio.timeout(None) as scope:
                if limit is None:
                    return await rest
                limit.begin(scope)
                try:
                    return await rest
                finally:
                    limit.end(scope)
        except OneBotError as error:
            _check_retcode(handler, error)
            raise
        except BaseException as error:  # the response and the log tell of it
            if not is_fault(error):
                raise
            expired = scope is not None and scope.expired() and isinstance(error, TimeoutError)
            if limit is None or not expired:
                raise _failed(handler, error, described(error)) from error
            # The cancellation knows where the handler waited.
            waited = error.__context__ or error
            raise _failed(handler, waited, f"did not end within {limit.seconds:g} s") from error

    async def call_hook(self, hook: object, argument: object) -> None:
        """Run *hook*, a function or coroutine function of the user, within the time limit of an action."""
        async with asyncio.timeout(None if self._limit is None else self._limit.seconds):
            result = cast(Callable[[object], object], hook)(argument)
            if inspect.isawaitable(result):
                await result

    # Meta actions

    def _get_supported_actions(self, connection: Connection | None = None) -> list[str]:
        own = {} if connection is None else connection.own_actions
        return sorted({*self._meta, *self.actions, *own})

    def _get_status(self, connection: Connection | None = None) -> Status:
        return self.status_of(connection)

    def _get_version(self) -> Version:
        return self.impl_ver


def _failed(handler: ActionHandler, error: BaseException, how: str) -> InternalHandlerError:
    """Log *error* of a handler with its place, and return what the application is told: not more than *how*."""
    log.error("action %r %s at %s", handler.name, how, place_of(error), exc_info=error)
    return InternalHandlerError(message=f"the handler {how}")


def _check_retcode(handler: ActionHandler, error: OneBotError) -> None:
    """Check the return code of *error*, which a handler raised.

    Raises:
        BadHandler: no answer of a failed action may have it.
    """
    retcode: object = error.retcode
    if is_failure(retcode):
        return
    log.error(
        "action %r raised %s with the retcode %r, which no failed action may have, at %s",
        handler.name,
        type(error).__name__,
        retcode,
        place_of(error),
    )
    raise BadHandler(message="the handler gave a retcode that no failed action may have") from error
