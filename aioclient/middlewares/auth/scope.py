"""Which origins credentials may go to, in addition to the rules of the session and of redirects."""

from collections.abc import Iterable

from yarl import URL

from ...message.headers import AUTHORIZATION
from ...message.origin import origins_of
from ...message.request import Request


class Scope:
    """Credentials for some or all origins; they do not replace a field that the caller set."""

    __slots__ = ("_origins",)

    def __init__(self, origins: Iterable[str | URL] | None) -> None:
        self._origins = None if origins is None else origins_of("origins", origins)

    def applies(self, request: Request) -> bool:
        """Tell whether *request* gets these credentials as its ``Authorization`` field."""
        return self.covers(request) and AUTHORIZATION not in request.fields

    def covers(self, request: Request) -> bool:
        """Tell whether these credentials are for the origin of *request*."""
        return self._origins is None or request.origin in self._origins
