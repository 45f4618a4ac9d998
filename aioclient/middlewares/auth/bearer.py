"""Bearer tokens (RFC 6750)."""

import re
from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import Final

from yarl import URL

from ...message.request import Request
from .scope import Scope

_TOKEN: Final = re.compile(
    r"[\x21-\x7e]+"
)  # more than RFC 6750's b64token: servers use more characters

Token = str | Callable[[], str | Awaitable[str]]


class BearerAuth(Scope):
    """A bearer token, or a function that returns one before each attempt.

    Args:
        token: text, or a plain or coroutine function without arguments that returns it. The result is not kept: a
            function that fetches tokens must keep them itself.
        origins: URLs of the only origins that get the token, such as ``https://api.example.com``; None for every origin
            that is called.
        identity: a name for the owner of the token, for caches; by default the token or the function itself.

    Raises:
        TypeError: *token* is neither text nor callable.
        ValueError: it is empty, or holds a space, a control character or a character that is not ASCII.
    """

    __slots__ = ("__weakref__", "_token", "identity")

    def __init__(
        self,
        token: Token,
        *,
        origins: Iterable[str | URL] | None = None,
        identity: str | None = None,
    ) -> None:
        super().__init__(origins)
        if not isinstance(token, str) and not callable(token):
            raise TypeError(
                f"the token must be a str or a function that returns one, found {type(token).__name__}"
            )
        self._token = checked_token(token) if isinstance(token, str) else token
        self.identity: str | None = identity

    def authorize(self, request: Request) -> Awaitable[None] | None:
        """Set the request's ``Authorization`` field, unless the request already has one."""
        if not self.applies(request):
            return None
        if isinstance(self._token, str):
            request.authorization = f"Bearer {self._token}"
            return None
        found = self._token()
        if isawaitable(found):
            return _later(request, found)
        request.authorization = f"Bearer {checked_token(found)}"
        return None

    def offer(self, request: Request) -> None:
        """Set the field if the token is known."""
        if isinstance(self._token, str):
            self.authorize(request)

    def __repr__(self) -> str:
        return "BearerAuth('***')"


async def _later(request: Request, token: Awaitable[str]) -> None:
    request.authorization = f"Bearer {checked_token(await token)}"


def checked_token(token: object) -> str:
    """Return *token* if it is valid in a field.

    Raises:
        TypeError: it is not text.
        ValueError: it is empty, or holds a character that tokens must not have.
    """
    if not isinstance(token, str):
        raise TypeError(f"a token must be a str, found {type(token).__name__}")
    if token[:7].lower() == "bearer ":
        raise ValueError("give the token without the word Bearer, which is added")
    if _TOKEN.fullmatch(token) is None:
        raise ValueError(
            "a token must not be empty, nor hold spaces, control characters or what is not ASCII"
        )
    return token
