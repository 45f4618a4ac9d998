"""Actions: what applications ask of an implementation, and the answers."""

from dataclasses import dataclass
from typing import Final, Literal

from . import retcodes
from .bots import BotSelf
from .convert import Members, checked_members, converter
from .errors import BadRequest, OneBotError

_TEXT: Final = frozenset({str})
_REQUEST: Final[Members] = {
    "action": (converter(str), True),
    "params": (converter(dict[str, object]), True),
    "self": (converter(BotSelf | None), False),
    "echo": (converter(str | None), False),
}
_RESPONSE: Final[Members] = {
    "status": (converter(Literal["ok", "failed"]), True),
    "retcode": (converter(int), True),
    "data": (converter(object), False),
    "message": (converter(str | None), False),
    "echo": (converter(str | None), False),
}


@dataclass(slots=True)
class ActionRequest:
    """A request of an action; ``echo`` comes back in the answer."""

    action: str
    params: dict[str, object]
    self: BotSelf | None = None
    echo: str | None = None

    @classmethod
    def parse(cls, data: object) -> "ActionRequest":
        """Return plain data as a request; fields that requests do not have are ignored.

        Raises:
            BadRequest: they are no request. Its ``echo`` is theirs if they have a usable one.
        """
        if isinstance(data, dict):
            action, params, echo = data.get("action"), data.get("params"), data.get("echo")
            if (
                isinstance(action, str)
                and action
                and isinstance(params, dict)
                and _TEXT.issuperset(map(type, params))
                and (echo is None or isinstance(echo, str))
                and data.get("self") is None
            ):
                return cls(action, params, None, echo)  # most requests
        try:
            values = checked_members(_REQUEST, data, "action request")
            if not values["action"]:
                raise ValueError("action request.action: empty")
        except ValueError as error:
            refused = BadRequest(message=str(error))
            echo = data.get("echo") if isinstance(data, dict) else None
            refused.echo = echo if isinstance(echo, str) else None
            raise refused from None
        return cls(**values)

    def to_dict(self) -> dict[str, object]:
        """Return the request as it is sent."""
        plain: dict[str, object] = {"action": self.action, "params": self.params}
        if self.self is not None:
            plain["self"] = self.self.to_dict()
        if self.echo:
            plain["echo"] = self.echo
        return plain


@dataclass(slots=True)
class ActionResponse:
    """The answer to an action. ``message`` says what went wrong; it is empty if nothing did."""

    status: Literal["ok", "failed"]
    retcode: int
    data: object = None
    message: str = ""
    echo: str | None = None

    @classmethod
    def ok_with(cls, data: object, echo: str | None = None) -> "ActionResponse":
        """Return the answer of an action that succeeded."""
        return cls("ok", retcodes.OK, data, "", echo)

    @classmethod
    def failed(cls, error: OneBotError, echo: str | None = None) -> "ActionResponse":
        """Return the answer of an action that failed with *error*."""
        return cls("failed", error.retcode, error.data, error.message, echo)

    @classmethod
    def parse(cls, data: object) -> "ActionResponse":
        """Return plain data as an answer; ``data``, ``message`` and ``echo`` may be missing or null.

        Raises:
            ValueError: they are no answer.
        """
        values = checked_members(_RESPONSE, data, "action response")
        values["message"] = values.get("message") or ""
        return cls(**values)

    @property
    def ok(self) -> bool:
        """Whether the action succeeded: both ``status`` and ``retcode`` say so."""
        return self.status == "ok" and self.retcode == retcodes.OK

    def to_dict(self) -> dict[str, object]:
        """Return the answer as it is sent; without ``echo`` if that is empty."""
        plain: dict[str, object] = {
            "status": self.status,
            "retcode": self.retcode,
            "data": self.data,
            "message": self.message,
        }
        if self.echo:
            plain["echo"] = self.echo
        return plain
