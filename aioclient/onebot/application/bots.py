"""The bots that implementations have reported: which there are, and how each is reached."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from ...message.unset import UNSET
from ..actions import ActionRequest
from ..bots import Bot, BotSelf
from ..convert import from_plain
from ..events import Event
from .calls import META_ACTIONS, ActionCaller, Limit

MOST_BOTS: Final = 10_000
"""Of one connection; further ones in its events are not remembered."""


class RemoteBot(Bot, ActionCaller):
    """A bot of an implementation, as an application sees it: its actions are called on itself.

    ``online`` is what the implementation reported last, and *extra* the further fields of that report.
    """

    __slots__ = ("_caller",)

    def __init__(self, identity: BotSelf, caller: ActionCaller) -> None:
        super().__init__(identity.platform, identity.user_id)
        self._caller = caller

    async def perform(self, request: ActionRequest, *, timeout: Limit = UNSET) -> object:
        """Send *request* for this bot; see ``ActionCaller.perform()``."""
        return await self._caller.perform(replace(request, self=self.self), timeout=timeout)


class KnownBots:
    """The bots of one connection."""

    __slots__ = ("_bots", "_caller")

    def __init__(self, caller: ActionCaller) -> None:
        self._caller = caller
        self._bots: dict[BotSelf, RemoteBot] = {}

    def __iter__(self) -> Any:
        return iter(self._bots.values())

    def __contains__(self, identity: object) -> bool:
        return identity in self._bots

    @property
    def only(self) -> RemoteBot | None:
        """The bot, if there is exactly one."""
        return next(iter(self._bots.values())) if len(self._bots) == 1 else None

    def get(self, identity: BotSelf | None) -> RemoteBot | None:
        """Return a bot; the only one if *identity* is None."""
        return self.only if identity is None else self._bots.get(identity)

    def learn(self, event: Event) -> RemoteBot | None:
        """Take in what *event* tells about bots; return the one it is about."""
        if event.type == "meta":
            if event.detail_type == "status_update":
                # Also if it is not as the standard has it: who sends one odd entry has still other bots.
                status = event.to_dict().get("status")
                bots = status.get("bots") if isinstance(status, Mapping) else None
                self.replace(bots if isinstance(bots, list) else ())
            return None
        if event.self is None:
            return self.only
        known = self._bots.get(event.self)
        if known is None and len(self._bots) < MOST_BOTS:
            known = self._bots[event.self] = RemoteBot(event.self, self._caller)
        return known

    def replace(self, reported: Iterable[object]) -> None:
        """Take in a whole status: bots that it does not name are gone; entries that are none are left out."""
        bots: dict[BotSelf, RemoteBot] = {}
        for status in reported:
            if not isinstance(status, Mapping) or len(bots) >= MOST_BOTS:
                continue
            try:
                identity = cast(BotSelf, from_plain(status.get("self"), BotSelf, where="self"))
            except ValueError:
                continue
            bot = self._bots.get(identity) or RemoteBot(identity, self._caller)
            bot.online = status.get("online") is not False
            bot.extra = {
                name.removeprefix(f"{identity.platform}."): status[name]
                for name in status
                if name not in ("self", "online")
            }
            bots[identity] = bot
        self._bots = bots

    def clear(self) -> None:
        """Forget them all."""
        self._bots = {}

    def fill_in(self, request: ActionRequest) -> ActionRequest:
        """Return *request* with ``self``, if it needs one and only one bot is known."""
        if request.self is not None or request.action in META_ACTIONS:
            return request
        only = self.only
        return request if only is None else replace(request, self=only.self)
