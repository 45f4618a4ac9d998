"""Basic authentication (RFC 7617)."""

import base64
import binascii
import codecs
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple, Self, cast

from aiohttp import BasicAuth as AiohttpBasicAuth
from yarl import URL

from ...chain import name_of
from ...message.headers import AUTHORIZATION
from ...message.origin import Origin, origins_of
from ...message.request import Auth, Request


class _BasicAuth(NamedTuple):
    login: str
    password: str = ""
    encoding: str = "latin1"


class BasicAuth(_BasicAuth):
    """Login and password for Basic authentication.

    Args:
        login: without ``:``, which separates it from the password.
        password: may hold anything that *encoding* can carry.
        encoding: for both on the wire; ``latin1`` by default, ``utf-8`` where the server asks for it (RFC 7617,
            section 2.1).
        origins: URLs of the only origins that get the credentials, such as ``https://api.example.com``; None for every
            origin that is called.

    Raises:
        ValueError: login or password is None, the login holds ``:``, or *encoding* cannot carry a character.
    """

    __slots__ = ()

    def __new__(
        cls,
        login: str,
        password: str = "",
        encoding: str = "latin1",
        *,
        origins: Iterable[str | URL] | None = None,
    ) -> Self:
        """Check and return the credentials."""
        for name, value in (("login", login), ("password", password)):
            if value is None:
                raise ValueError(f"None is not allowed as {name} value")
            if not isinstance(value, str):
                raise TypeError(f"the {name} must be a str, found {type(value).__name__}")
            try:
                value.encode(encoding)
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"the {name} contains a character that {encoding} cannot carry; "
                    'give BasicAuth(..., encoding="utf-8")'
                ) from error
        if ":" in login:
            raise ValueError('A ":" is not allowed in login (RFC 7617, section 2)')
        if origins is None:
            return super().__new__(cls, login, password, encoding)
        narrowed = tuple.__new__(BasicAuthOfOrigins, (login, password, encoding))
        narrowed.origins = origins_of("origins", origins)
        return cast(Self, narrowed)

    @classmethod
    def decode(cls, auth_header: str, encoding: str = "latin1") -> Self:
        """Return the credentials in the value of an ``Authorization`` field.

        Raises:
            ValueError: the value is not Basic, not base64, or has no ``:``.
        """
        scheme, _, encoded = auth_header.partition(" ")
        if scheme.lower() != "basic" or not encoded:
            raise ValueError(
                f"Unknown authorization method {scheme[:20]!r}; only Basic can be decoded"
            )
        try:
            decoded = base64.b64decode(encoded.encode("ascii"), validate=True).decode(encoding)
        except (binascii.Error, UnicodeError) as error:
            raise ValueError("Invalid base64 encoding.") from error
        login, colon, password = decoded.partition(":")
        if not colon:
            raise ValueError("Invalid credentials.")
        return cls(login, password, encoding)

    @classmethod
    def from_url(cls, url: URL, *, encoding: str = "latin1") -> Self | None:
        """Return the credentials in *url*, or None if it has none."""
        if not isinstance(url, URL):
            raise TypeError("url should be yarl.URL instance")
        if url.user is None and url.password is None:
            return None
        return cls(url.user or "", url.password or "", encoding)

    def encode(self) -> str:
        """Return the value of the ``Authorization`` field."""
        pair = f"{self.login}:{self.password}".encode(self.encoding)
        return f"Basic {base64.b64encode(pair).decode('ascii')}"

    def authorize(self, request: Request) -> None:
        """Set the request's ``Authorization`` field, unless the request already has one."""
        if AUTHORIZATION not in request.fields:
            request.authorization = self.encode()

    def __repr__(self) -> str:
        return f"BasicAuth(login={self.login!r}, password='***', encoding={self.encoding!r})"


class BasicAuthOfOrigins(BasicAuth):
    """Basic credentials for some origins only."""

    origins: frozenset[Origin]

    def authorize(self, request: Request) -> None:
        """Set the request's ``Authorization`` field, as ``BasicAuth``, if it goes to one of the origins."""
        if self.covers(request):
            super().authorize(request)

    def covers(self, request: Request) -> bool:
        """Tell whether these credentials are for the origin of *request*."""
        return request.origin in self.origins


class LoginOfUrl(BasicAuth):
    """The user in a URL without a password; a netrc file may have the password."""

    __slots__ = ()


class NoAuth:
    """No credentials at all; see ``NO_AUTH``."""

    __slots__ = ()

    def authorize(self, request: Request) -> None:
        """Do nothing."""

    offer = authorize

    def __repr__(self) -> str:
        return "<NO_AUTH>"


NO_AUTH: Final = NoAuth()
"""As ``auth=`` of a call: send neither the session's credentials nor those of a netrc file."""


class _CallableAuth:
    """A user's function as credentials."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[Request], object]) -> None:
        self._function = function

    def authorize(self, request: Request) -> Awaitable[None] | None:
        result = self._function(request)
        return cast(Awaitable[None], result) if inspect.isawaitable(result) else None

    def __repr__(self) -> str:
        return f"<auth {name_of(self._function)}>"


def credentials_in(url: URL) -> BasicAuth | None:
    """Return the credentials in *url*, None if it has none.

    Raises:
        ValueError: they hold a character that Basic cannot carry.
    """
    if url.raw_password is None and url.user is not None:
        return LoginOfUrl(url.user)
    return BasicAuth.from_url(url)


AuthLike = Auth | tuple[str, str] | AiohttpBasicAuth | Callable[[Request], object]


def coerce_auth(value: AuthLike) -> Auth:
    """Return *value*, credentials in any accepted form, as the object that the chain uses.

    Raises:
        TypeError: it is not a BasicAuth, a (login, password), an object with ``authorize``, or a callable.
    """
    if isinstance(value, BasicAuth):
        return value
    if isinstance(value, tuple):
        return _of_tuple(value)
    if isinstance(value, Auth) and not isinstance(value, type):
        return value
    function: object = value
    if callable(function):
        return _CallableAuth(function)
    raise TypeError(
        f"auth must be BasicAuth, a (login, password) tuple or a callable taking the request, "
        f"found {type(value).__name__}{_TOKENS if isinstance(function, str) else ''}"
    )


_TOKENS: Final = "; give a token as BearerAuth(token)"


def _of_tuple(value: tuple[Any, ...]) -> BasicAuth:
    """Return credentials from (login, password), or from (login, password, encoding)."""
    if len(value) not in (2, 3):
        raise TypeError(
            f"auth must be a tuple of two, (login, password), found {len(value)}{_TOKENS if len(value) == 1 else ''}"
        )
    if len(value) == 3:
        try:
            codecs.lookup(value[2])
        except (LookupError, TypeError):
            raise TypeError(
                "auth must be a tuple of two, (login, password); the third entry is an encoding, "
                "and the one found is unknown"
            ) from None
    return BasicAuth(*value)
