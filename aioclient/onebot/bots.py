"""Bots: accounts on a chat platform, and the names of platforms and implementations."""

import re
from collections.abc import Mapping
from typing import Final

_NAME: Final = re.compile(r"[a-z][\-a-z0-9]*(\.[\-a-z0-9]+)*")


def checked_name(label: str, name: object) -> str:
    """Return *name*, which shall be the name of a platform or an implementation; *label* says which.

    Raises:
        ValueError: it is not as OneBot has them: ``qq``, ``com.example.chat``.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"{label} {name!r}: lower-case letters, digits and '-' are allowed, a letter first, in parts that"
            " are joined by '.'"
        )
    return name


def _checked_user(user_id: object) -> str:
    if not isinstance(user_id, str) or not user_id:
        raise ValueError(f"user_id {user_id!r}: a bot's user is a non-empty str")
    return user_id


class BotSelf:
    """The identity of a bot: its platform, and its user there. It is the ``self`` of events and of actions.

    Two are equal if both parts are.
    """

    __slots__ = ("_platform", "_user_id")

    def __init__(self, platform: str, user_id: str) -> None:
        self._platform = checked_name("platform", platform)
        self._user_id = _checked_user(user_id)

    @property
    def platform(self) -> str:
        """The chat platform."""
        return self._platform

    @property
    def user_id(self) -> str:
        """The bot's own user on that platform."""
        return self._user_id

    def to_dict(self) -> dict[str, object]:
        """Return it as ``self`` of an event."""
        return {"platform": self._platform, "user_id": self._user_id}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BotSelf):
            return NotImplemented
        return self._user_id == other._user_id and self._platform == other._platform

    def __hash__(self) -> int:
        return hash((self._platform, self._user_id))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(platform={self._platform!r}, user_id={self._user_id!r})"


class Bot(BotSelf):
    """A bot of an implementation, with its state.

    ``online`` may change; ``impl.update_status()`` then tells the applications. *extra* are fields of the bot's status
    beyond the standard: ``{"level": 3}`` of platform ``qq`` is sent as ``"qq.level": 3``.
    """

    __slots__ = ("extra", "online")

    online: bool
    extra: Mapping[str, object] | None

    def __init__(
        self,
        platform: str,
        user_id: str,
        online: bool = True,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(platform, user_id)
        self.online = online
        self.extra = extra

    @property
    def self(self) -> BotSelf:
        """The identity alone."""
        return BotSelf(self.platform, self.user_id)

    def status(self) -> dict[str, object]:
        """Return the bot's entry in the answer of ``get_status``."""
        extra = {f"{self.platform}.{name}": value for name, value in (self.extra or {}).items()}
        return {"self": self.to_dict(), "online": self.online, **extra}

    def dict_for_status(self) -> dict[str, object]:
        """Return :meth:`status`, by pylibob's name."""
        return self.status()

    def dict_for_self(self) -> dict[str, object]:
        """Return :meth:`to_dict`, by pylibob's name."""
        return self.to_dict()

    def __repr__(self) -> str:
        state = "online" if self.online else "offline"
        return f"<Bot {self.platform}/{self.user_id} {state}>"
