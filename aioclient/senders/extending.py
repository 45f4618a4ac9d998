"""A sender around another one."""

from typing import overload

from .base import R_co, Sender, Wrapped
from .concrete import SyncSender
from .values import Request, Response


class ExtendingSender(Wrapped[R_co]):
    """A sender around another one: a ``SyncSender`` if none is given.

    Attributes:
        sender: the one within.
    """

    @overload
    def __init__(self: "ExtendingSender[Response]", sender: None = None) -> None: ...

    @overload
    def __init__(self, sender: Sender[R_co]) -> None: ...

    def __init__(self, sender: Sender[R_co] | None = None) -> None:
        super().__init__(SyncSender() if sender is None else sender)  # type: ignore[arg-type]

    def send(self, request: Request) -> R_co:
        """Send *request* with the wrapped sender."""
        return self.sender.send(request)
